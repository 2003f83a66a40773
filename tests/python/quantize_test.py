# SPDX-License-Identifier: Apache-2.0
"""gemel.quantize() and `gemel quantize`: what they make runs in ONNX Runtime, is imported, and gives ONNX Runtime's numbers on the simulated machine;
ranges, reports and messages.

GEMEL_SEED=N replays the random networks.
"""

import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
from onnx_networks import INPUT, Network, dcgan, gru, lstm, small, unet, yolo
from onnx_reference import compare
from packaged import ENVIRONMENT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import onnxruntime  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import ModelError, import_model  # noqa: E402
from gemel.rewrite.graph import load_float  # noqa: E402
from gemel.rewrite.images import Images  # noqa: E402
from gemel.rewrite.ranges import METHODS, Histogram  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402


def drawn(network: Network, count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *network.shape[1:])).astype(np.float32)


def styles() -> Network:
    """What exporters write in ways that the machine has no operator for as they stand."""
    n = Network("styles", (1, 6, 9, 9), 2)
    x = n.node("BatchNormalization", [INPUT, *(n.constant(np.abs(n.rng.normal(size=6)).astype(np.float32) + np.float32(0.5)) for _ in range(4))])
    x = n.conv(x, 8, 3, 2, norm=False, act="")
    y = n.node("Clip", [n.node("Add", [x, n.constant(np.float32(3))]), n.constant(np.float32(0)), n.constant(np.float32(6))])
    y = n.node("Div", [n.node("Mul", [x, y]), n.constant(np.float32(6))])  # hard swish
    y = n.node("Mul", [y, n.normal(8, 1, 1)], 8)  # one factor for each channel
    z = n.node("Sub", [y, n.node("Tanh", [x])], 8)
    z = n.node("Relu", [n.node("Add", [n.conv(z, 8, 1, norm=False, act=""), y])], 8)
    z = n.node("ReduceMean", [z], 8, axes=[2, 3], keepdims=0)
    z = n.node("Gemm", [z, n.normal(8, 5), n.normal(1, 5)], 5, alpha=0.5, beta=2.0)
    n.outputs = [n.node("Softmax", [z], axis=-1)]
    return n


def random_network(seed: int) -> Network:
    rng = random.Random(seed)
    n = Network(f"random_{seed}", (1, rng.choice((1, 3, 5)), rng.randint(5, 12), rng.randint(5, 12)), seed)
    values = [n.conv(INPUT, rng.choice((4, 7, 8)), 3, rng.choice((1, 2)), act=rng.choice(("", "Relu", "Relu6", "Sigmoid")))]
    for _ in range(rng.randint(2, 6)):
        x = rng.choice(values[-2:])
        depth = n.channels[x]
        kind = rng.choice(("conv", "depthwise", "function", "swish", "add", "mul", "max", "channels", "number", "gate", "concat", "average", "part",
                           "grow", "larger", "border"))
        if kind == "conv":
            values = [n.conv(x, rng.choice((4, 6, 9)), rng.choice((1, 3)), act=rng.choice(("", "Relu", "Relu6")), norm=rng.random() < 0.5)]
        elif kind == "depthwise":
            values.append(n.conv(x, depth, 3, groups=depth, act=rng.choice(("", "Relu"))))
        elif kind == "function":
            values.append(n.node(rng.choice(("HardSwish", "Tanh", "Sigmoid", "Elu", "LeakyRelu", "Relu")), [x]))
        elif kind == "swish":
            values.append(n.node("Mul", [x, n.node("Sigmoid", [x])]))
        elif kind in ("add", "mul"):
            values.append(n.node("Add" if kind == "add" else "Mul", [x, n.conv(x, depth, 3, act=rng.choice(("", "Relu")))]))
        elif kind == "max":
            values = [n.node("MaxPool", [x], kernel_shape=[2, 2], pads=[0, 0, 1, 1])]
        elif kind == "gate":  # squeeze and excitation
            s = n.node("GlobalAveragePool", [x])
            s = n.node("HardSigmoid", [n.conv(n.conv(s, 4, 1, norm=False), depth, 1, act="", norm=False)])
            values.append(n.node("Mul", [x, s], depth))
        elif kind == "concat":
            values = [n.node("Concat", [x, n.conv(x, 3, 3, act=rng.choice(("", "Relu")))], depth + 3, axis=1)]
        elif kind == "average":
            values = [n.node("AveragePool", [x], kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1)]
        elif kind == "grow":
            kernel, stride = rng.randint(1, 4), rng.randint(1, 3)
            out, pad = rng.choice((3, depth)), rng.randint(0, (kernel - 1) // 2)
            groups = depth if out == depth and rng.random() < 0.3 else 1
            more = {"output_padding": [rng.randint(0, stride - 1)] * 2, "group": groups}
            values = [n.grow(x, out, kernel, stride, pad, rng.choice(("", "Relu", "LeakyRelu")), rng.random() < 0.5, **more)]
        elif kind == "border":
            pads = n.constant(np.array([0, 0, 1, 1, 0, 0, 1, 0], np.int64))
            values = [n.node("Pad", [n.conv(x, depth, 3), pads], mode=rng.choice(("edge", "reflect")))]
        elif kind == "larger":
            values = [n.larger(n.node("Relu", [x]))]
        elif kind == "part" and depth > 2:
            a, b = f"first{len(n.nodes)}", f"second{len(n.nodes)}"
            n.nodes.append(onnx.helper.make_node("Split", [x, n.constant(np.array([2, depth - 2], np.int64))], [a, b], axis=1))
            n.channels |= {a: 2, b: depth - 2}
            values = [n.node("Add", [n.conv(a, 5, 1, norm=False), n.conv(b, 5, 3, act="", norm=False)], 5)]
        elif kind == "part":
            values = [n.node("Pad", [n.node("Relu", [x]), n.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2], np.int64))])]
        elif kind == "channels":
            values.append(n.node(rng.choice(("Mul", "Add")), [x, n.normal(1, depth, 1, 1)], depth))
        else:
            values.append(n.node(rng.choice(("Mul", "Add", "Max", "Sub")), [x, n.constant(np.float32(rng.uniform(-2, 2)))], depth))
    x = values[-1]
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), n.channels[x], 4)]
    return n


def uneven() -> onnx.ModelProto:
    """Channels whose weights differ a thousandfold, as training leaves them in depthwise layers: one scale for all of them wastes most of its steps."""
    n = Network("uneven", (1, 3, 10, 10), 3)
    x = n.conv(n.conv(INPUT, 16, 3), 16, 3, groups=16)
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [n.conv(x, 24, 1)])]), 24, 6)]
    model = n.proto()
    factors = (10.0 ** n.rng.uniform(-1.5, 1.5, size=16)).astype(np.float32)
    constants = {t.name: t for t in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    for name in norms[0].input[1:3]:  # what comes out of the first layer is larger, what the second makes of it as much smaller
        constants[name].CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(constants[name]) * factors, name))
    w = onnx.numpy_helper.to_array(constants[convs[1].input[1]])
    constants[convs[1].input[1]].CopyFrom(onnx.numpy_helper.from_array(w / factors.reshape(-1, 1, 1, 1), convs[1].input[1]))
    return model


class Improve(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-improve-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "net.onnx")
        onnx.save(uneven(), self.path)
        self.images = np.random.default_rng(8).normal(size=(24, 3, 10, 10)).astype(np.float32)

    def test_equalization_keeps_the_function(self):
        from gemel.rewrite.equalize import equalize
        from gemel.rewrite.prepare import prepare
        from gemel.rewrite.runtime import Session

        graph = load_float(self.path)
        prepare(graph)
        before = Session(graph.proto()).run({INPUT: self.images[:1]})[graph.outputs[0]]
        self.assertEqual(equalize(graph), 3)
        after = Session(graph.proto()).run({INPUT: self.images[:1]})[graph.outputs[0]]
        self.assertLess(float(np.abs(before - after).max()), 1e-4 * float(np.abs(before).max()))

    def test_the_bound_within_a_hard_swish_stays(self):
        """Written as x Clip(x + 3, 0, 6) / 6. Without the bound three in a row are x to the eighth power. A layer's own ReLU6 is widened."""
        from gemel.rewrite.equalize import widen_clips
        from gemel.rewrite.prepare import prepare

        n = Network("swishes", (1, 3, 10, 10), 3)
        x = n.conv(INPUT, 8, 3, act="Relu6")
        for _ in range(3):
            x = n.conv(x, 8, 3, act="")
            gate = n.node("Clip", [n.node("Add", [x, n.constant(np.float32(3))]), n.constant(np.float32(0)), n.constant(np.float32(6))])
            x = n.node("Div", [n.node("Mul", [x, gate], 8), n.constant(np.float32(6))], 8)
        n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 8, 6)]
        onnx.save(n.proto(), self.path)
        graph = load_float(self.path)
        prepare(graph)
        self.assertEqual(widen_clips(graph), 1)
        self.assertEqual(sum(node.op_type == "Clip" for node in graph.nodes), 3)
        gemel.quantize(self.path, self.images, improve=True)

    def test_what_helps_is_kept_and_told(self):
        plain = gemel.quantize(self.path, self.images, per_channel=False)
        better = gemel.quantize(self.path, self.images, self.path.with_name("int8.onnx"), per_channel=False, improve=True)
        print(f"per tensor: {plain.outputs}, improved: {better.outputs}; {better.notes}")
        self.assertGreater(min(better.outputs.values()), min(plain.outputs.values()) + 6)
        self.assertRegex(better.notes[0], r"^held out: 6 images; outputs as they are -?[0-9.]+ dB$")
        self.assertRegex(better.notes[1], r"^equalization \(3 pairs of layers\): .* dB, kept$")
        workload, model = import_model(self.path.with_name("int8.onnx")), onnx.load(self.path.with_name("int8.onnx"))
        *_, wrong, _ = compare(workload, model, {INPUT: self.images[:1]}, "tiny8")
        self.assertEqual(wrong, [])

    def test_a_bias_takes_out_what_rounding_adds_on_average(self):
        """Inputs with a mean, and weights whose rounding errors have one sign."""
        n = Network("biased", (1, 8, 6, 6), 3)
        w = np.full((4, 8, 1, 1), 0.4053, np.float32)
        w[:, 0] = 1.0  # the scale is 1 / 127: 0.4053 is 51.47 steps
        x = n.node("Conv", [INPUT, n.constant(w)], 4, kernel_shape=[1, 1])
        n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 4, 3)]
        onnx.save(n.proto(), self.path)
        images = (np.random.default_rng(1).normal(size=(24, 8, 6, 6)) * 0.2 + 2).astype(np.float32)
        plain, better = gemel.quantize(self.path, images), gemel.quantize(self.path, images, improve=True)
        self.assertGreater(min(better.outputs.values()), min(plain.outputs.values()) + 3)
        self.assertRegex(better.notes[-1], r"^bias correction: .* dB, kept$")

    def test_each_layer_alone(self):
        n = Network("outlier", (1, 3, 10, 10), 6)
        x = n.conv(n.conv(n.conv(INPUT, 8, 3), 8, 3, norm=False), 8, 3)
        n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 8, 4)]
        model = n.proto()
        second = [node for node in model.graph.node if node.op_type == "Conv"][1]
        constant = next(t for t in model.graph.initializer if t.name == second.input[1])
        w = onnx.numpy_helper.to_array(constant).copy()
        w[0, 0, 0, 0] *= 60  # one weight takes nearly all steps of the layer's only scale
        constant.CopyFrom(onnx.numpy_helper.from_array(w, constant.name))
        onnx.save(model, self.path)
        found = gemel.quantize(self.path, self.images[:8], per_channel=False, sensitivity=True)
        alone = {one.name: one.alone for one in found.layers if one.alone is not None}
        self.assertEqual(list(alone), [one.name for one in found.layers if one.weight_sqnr is not None])
        worst = min(alone, key=alone.get)
        self.assertEqual(list(alone).index(worst), 1, alone)
        for name, decibels in alone.items():  # the same by another road: all others stay in float32
            others = [one.name for one in found.layers if one.name != name]
            without = gemel.quantize(self.path, self.images[:8], per_channel=False, keep_float=others)
            self.assertAlmostEqual(min(without.outputs.values()), decibels, delta=1e-6)
        self.assertIn("alone", str(found))
        self.assertNotIn("alone", str(without))

    def test_one_image_judges_nothing(self):
        with self.assertRaises(gemel.UserError) as raised:
            gemel.quantize(self.path, self.images[:1], improve=True)
        self.assertEqual(str(raised.exception), "error[E1214]: there is 1 image, and improvements are judged on images that chose nothing\n"
                         f"  {self.path}\nhint: give 8 images or more")  # fmt: skip


class Quantize(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-quantize-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def saved(self, network: Network) -> Path:
        path = self.folder / f"{network.name}.onnx"
        onnx.save(network.proto(), path)
        return path

    def made(self, network: Network, images: np.ndarray, **options):
        out = self.folder / "int8.onnx"
        result = gemel.quantize(self.saved(network), images, out, **options)
        return result, import_model(out), onnx.load(out)

    def test_every_method_gives_a_model_that_machine_and_runtime_compute_alike(self):
        images = drawn(small(), 24)
        for number, method in enumerate(METHODS):
            for per_channel in (True, False) if number == 0 else (number % 2 == 0,):
                with self.subTest(method, per_channel=per_channel):
                    result, workload, model = self.made(small(), images, method=method, per_channel=per_channel)
                    tensors, elements, wrong, nodes = compare(workload, model, {INPUT: images[:1]}, "odd7x13")
                    self.assertEqual(wrong, [])
                    self.assertGreaterEqual(tensors, 11)
                    self.assertEqual(nodes["Conv"] + nodes["Gemm"] + nodes["MatMul"] + nodes["Add"], 0, dict(nodes))
                    self.assertEqual(result.notes, ())
                    self.assertGreater(min(result.outputs.values()), 25)
                    print(f"{method}, per channel {per_channel}: {elements} elements equal, outputs {dict(result.outputs)}")

    def test_what_exporters_write(self):
        images = drawn(styles(), 16)
        result, workload, model = self.made(styles(), images)
        *_, wrong, nodes = compare(workload, model, {INPUT: images[:1]}, "edge16")
        self.assertEqual(wrong, [])
        self.assertEqual([layer.op for layer in workload.layers],
                         ["conv2d", "conv2d", "table", "table", "conv2d", "sub", "conv2d", "add", "global_avg_pool", "dense"])
        self.assertEqual(result.notes, ("stay in float32: Softmax `softmax14` (it is at the end)",))
        self.assertIn("output `gemm13` is int8 bytes: the model's DequantizeLinear to float32 is left to whoever reads them", "\n".join(workload.notes))
        self.assertIn("its Softmax is left to whoever reads the bytes before it", "\n".join(workload.notes))
        self.assertGreater(min(result.outputs.values()), 25)
        self.assertEqual(nodes["Conv"] + nodes["Gemm"], 0)

    def test_networks_whose_images_grow(self):
        """Transposed convolutions become convolutions, which runtime and machine compute in integers: every layer is equal."""
        for network, machine in ((unet(), "edge16"), (unet(transposed=False), "tiny8"), (yolo(), "odd7x13"), (dcgan(), "edge16")):
            with self.subTest(network.name):
                images = drawn(network, 8)
                result, workload, model = self.made(network, images)
                tensors, elements, wrong, nodes = compare(workload, model, {INPUT: images[:1]}, machine)
                self.assertEqual(wrong, [])
                self.assertEqual(result.notes, ())
                self.assertEqual(nodes["Conv"] + nodes["ConvTranspose"] + nodes["Add"] + nodes["Concat"], 0, dict(nodes))
                self.assertGreater(min(result.outputs.values()), 20)
                print(f"{network.name}: {tensors} tensors, {elements} elements equal, outputs {dict(result.outputs)}")

    def test_networks_of_recurrent_cells(self):
        """LSTM and GRU unrolled: every gate, state and output of every step is the runtime's."""
        for network, machine, least in ((lstm(), "edge16", 300), (gru(), "odd7x13", 300)):
            with self.subTest(network.name):
                images = drawn(network, 16)
                result, workload, model = self.made(network, images)
                tensors, elements, wrong, nodes = compare(workload, model, {INPUT: images[:1]}, machine)
                self.assertEqual((wrong, result.notes), ([], ()))
                self.assertEqual(nodes["LSTM"] + nodes["GRU"] + nodes["Gemm"] + nodes["MatMul"] + nodes["Add"] + nodes["Mul"], 0, dict(nodes))
                self.assertGreater(tensors, least)
                self.assertGreater(min(result.outputs.values()), 20)
                print(f"{network.name}: {tensors} tensors, {elements} elements equal, outputs {dict(result.outputs)}")

    def test_channels_that_a_depth_to_space_takes(self):
        """No layer of its own picks them: the layer before makes some of them for each line of a stride."""
        images = drawn(dcgan(), 4)
        _, workload, _ = self.made(dcgan(), images)
        lines = ["conv2d", "table", "conv2d", "table", "reshape", "conv2d", "reshape", "conv2d", "add", "reshape", "conv2d"]
        self.assertEqual([layer.op for layer in workload.layers], ["reshape", "conv2d", *lines, *lines, *lines])
        n = Network("three", (1, 4, 6, 6))
        n.outputs = [n.grow(INPUT, 5, 3, 2, 1, "Relu", output_padding=[1, 1])]
        _, workload, model = self.made(n, drawn(n, 4))
        self.assertEqual(compare(workload, model, {INPUT: drawn(n, 1)}, "tiny8")[2], [])
        # One line of a kernel of three is the result's every second line, two are the others: zeros take no cycles.
        self.assertEqual([layer.keys["kernel"] for layer in workload.layers if layer.op == "conv2d"][:2], [[1, 2], [2, 2]])

    def test_random_networks(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = random.Random(seed)
        layers = 0
        for number in range(8):
            one = rng.randrange(1 << 32)
            network = random_network(one)
            with self.subTest(f"network {number} of seed {seed}"):
                images = drawn(network, 6, one)
                method = rng.choice(METHODS)
                result, workload, model = self.made(network, images, method=method, per_channel=rng.random() < 0.5)
                self.assertEqual(result.notes, (), network.name)
                machine = rng.choice(("edge16", "odd7x13", "tiny8"))
                try:
                    *_, wrong, _ = compare(workload, model, {INPUT: images[:1]}, machine)
                except AssertionError as refused:
                    if "error[E0601]" not in str(refused):
                        raise
                    print(f"network {number} does not fit into the buffers of {machine}")
                    *_, wrong, _ = compare(workload, model, {INPUT: images[:1]}, "server128")
                self.assertEqual(wrong, [], network.name)
                layers += len(workload.layers)
        print(f"8 random networks, {layers} layers equal")
        self.assertGreater(layers, 30)

    def test_linear_interpolation(self):
        """As a convolution over repeated pixels it is the same function; quantized, runtime and machine compute it alike."""
        from gemel.rewrite.prepare import prepare

        for mode, factors in (("half_pixel", (2, 2)), ("pytorch_half_pixel", (4, 1)), ("asymmetric", (2, 8)), ("half_pixel", (1, 4))):
            with self.subTest(mode, factors=factors):
                n = Network("linear", (1, 3, 5, 4), 3)
                scales = n.constant(np.array([1, 1, *factors], np.float32))
                x = n.node("Resize", [n.conv(INPUT, 6, 3), "", scales], mode="linear", coordinate_transformation_mode=mode)
                n.outputs = [n.conv(x, 4, 1, norm=False)]
                images = drawn(n, 6)
                graph = load_float(self.saved(n))
                before = Session(graph.proto()).run({INPUT: images[:1]})[graph.outputs[0]]
                prepare(graph)
                self.assertEqual(sum(node.op_type == "Conv" for node in graph.nodes), 3)
                np.testing.assert_allclose(Session(graph.proto()).run({INPUT: images[:1]})[graph.outputs[0]], before, atol=1e-5)
                result, workload, model = self.made(n, images)
                tensors, _, wrong, nodes = compare(workload, model, {INPUT: images[:1]}, "odd7x13")
                self.assertEqual((wrong, result.notes, nodes["Conv"]), ([], (), 0))
                self.assertGreater(min(result.outputs.values()), 25)

    def test_models_that_are_quantized_while_they_run(self):
        """ONNX Runtime's quantize_dynamic(): float32 again, then with ranges of images; the weights keep their integers."""
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process

        network = small()
        images = drawn(network, 12)
        prepared, dynamic, out = (str(self.folder / name) for name in ("prepared.onnx", "dynamic.onnx", "int8.onnx"))
        quant_pre_process(str(self.saved(network)), prepared, skip_symbolic_shape=True)
        for kind, per_channel in ((QuantType.QInt8, True), (QuantType.QInt8, False), (QuantType.QUInt8, False)):
            with self.subTest(kind.name, per_channel=per_channel), self.assertLogs():
                quantize_dynamic(prepared, dynamic, weight_type=kind, per_channel=per_channel)
                logging.warning("done")
            model = onnx.load(dynamic)
            self.assertEqual(sum(node.op_type in ("ConvInteger", "MatMulInteger") for node in model.graph.node), 6)
            result = gemel.quantize(dynamic, images, out, per_channel=per_channel)
            note = "6 constants or layers were quantized in their weights alone, or while the model runs: they are float32 again first"
            self.assertEqual(result.notes, (note,))
            tensors, _, wrong, _ = compare(import_model(out), onnx.load(out), {INPUT: images[:1]}, "tiny8")
            self.assertEqual((tensors, wrong), (11, []))
            self.assertGreater(min(result.outputs.values()), 25)
            if kind == QuantType.QInt8:  # by that quantizer convolutions have one scale
                kept, made = ({np.sort(a, None).tobytes() for t in m.graph.initializer
                               if (a := onnx.numpy_helper.to_array(t)).dtype == np.int8 and a.ndim == (2 if per_channel else 4)}
                              for m in (model, onnx.load(out)))  # fmt: skip
                self.assertEqual(len(kept), 2 if per_channel else 4)
                self.assertEqual(kept, made)

    def test_models_that_are_quantized_in_their_weights_alone(self):
        """DequantizeLinear of constants, and MatMulNBits: restored, they give what ONNX Runtime gives."""
        rng = np.random.default_rng(4)
        for case in range(12):
            bits, block, inner, outputs = rng.choice([2, 4, 8]), int(rng.choice([16, 32])), int(rng.integers(5, 70)), int(rng.integers(1, 20))
            blocks = -(-inner // block)
            x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [3, k]) for n, k in (("x", inner), ("y", outputs)))
            constants = {"w": rng.integers(0, 256, (outputs, blocks, block * bits // 8), dtype=np.uint8),
                         "s": rng.uniform(0.01, 0.1, outputs * blocks).astype(np.float32),
                         "z": rng.integers(0, 256, outputs * -(-blocks * bits // 8), dtype=np.uint8)}  # fmt: skip
            names = ["x", "w", "s"] + (["z"] if case % 2 else [])
            node = onnx.helper.make_node("MatMulNBits", names, ["y"], domain="com.microsoft", K=inner, N=outputs, bits=bits, block_size=block,
                                         accuracy_level=1)  # fmt: skip
            if case > 7:  # a DequantizeLinear, per tensor, per row or by blocks
                axis, size = (1, outputs) if case == 8 else (0, inner)
                scales = rng.uniform(0.01, 0.1, size).astype(np.float32) if case < 10 else np.float32(0.05)
                constants = {"w": rng.integers(-128, 128, (inner, outputs), dtype=np.int8), "s": scales, "z": rng.integers(-9, 9, scales.shape).astype(np.int8)}
                more = {"axis": axis} if case < 10 else {}
                if case == 11:
                    constants["s"], constants["z"] = (np.repeat(np.reshape(constants[k], (1, 1)), -(-inner // 16), 0).repeat(outputs, 1) for k in "sz")
                    more = {"axis": 0, "block_size": 16}
                node = onnx.helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], **more)
            nodes = [node] + ([onnx.helper.make_node("MatMul", ["x", "wd"], ["y"])] if case > 7 else [])
            graph = onnx.helper.make_graph(nodes, "weights", [x], [y], [onnx.numpy_helper.from_array(a, n) for n, a in constants.items()])
            opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
            model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
            with self.subTest(case=case, bits=bits, block=block, inner=inner, outputs=outputs):
                onnx.save(model, self.folder / "weights.onnx")
                graph = load_float(self.folder / "weights.onnx")
                self.assertEqual((graph.restored, [one.op_type for one in graph.nodes]), (1, ["MatMul"]))
                values = {"x": rng.normal(size=(3, inner)).astype(np.float32)}
                options = onnxruntime.SessionOptions()  # with optimization it rounds inputs to 8 bits
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                want, have = (onnxruntime.InferenceSession(m.SerializeToString(), options).run(None, values)[0] for m in (model, graph.proto()))
                np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-4)
                result = gemel.quantize(self.folder / "weights.onnx", rng.normal(size=(6, 3, inner)).astype(np.float32).reshape(6 * 3, inner)[:6 * 3])
                self.assertIn("1 constants or layers were quantized in their weights alone", result.notes[0])

    def test_weights_of_every_type(self):
        """Of 2 to 16 bits, float8 and float4, per channel and in blocks, of an opset that ONNX Runtime lacks, too: float32 again, and then int8 layers."""
        rng, kinds = np.random.default_rng(5), onnx.TensorProto
        for name, opset, block in (("INT2", 25, 8), ("UINT2", 25, 0), ("INT4", 28, 8), ("UINT4", 21, 8), ("INT16", 21, 0), ("UINT16", 21, 8),
                                   ("FLOAT8E4M3FN", 19, 0), ("FLOAT8E4M3FNUZ", 21, 8), ("FLOAT8E5M2", 21, 8), ("FLOAT8E5M2FNUZ", 19, 0),
                                   ("FLOAT4E2M1", 23, 8), ("FLOAT4E2M1", 23, 0)):  # fmt: skip
            if opset > onnx.defs.onnx_opset_version():
                print(f"skipped: {name} of opset {opset}, which this onnx has not")
                continue
            kind = onnx.helper.tensor_dtype_to_np_dtype(getattr(kinds, name))
            w = (rng.integers(0, 4, (32, 16)) - (0 if name.startswith("U") else 2)).astype(np.float32).astype(kind)
            zero = 1 if name in ("INT2", "UINT2", "INT4", "UINT4", "INT16", "UINT16") else 0
            scale = rng.uniform(0.01, 0.1, (4, 16) if block else 16).astype(np.float32)
            more = {"axis": 0, "block_size": block} if block else {"axis": 1}
            nodes = [onnx.helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], **more), onnx.helper.make_node("MatMul", ["x", "wd"], ["y"])]
            constants = {"w": w, "s": scale, "z": np.full(scale.shape, zero, np.float32).astype(kind)}
            edges = [onnx.helper.make_tensor_value_info(n, kinds.FLOAT, [4, k]) for n, k in (("x", 32), ("y", 16))]
            graph = onnx.helper.make_graph(nodes, "weights", edges[:1], edges[1:], [onnx.numpy_helper.from_array(a, n) for n, a in constants.items()])
            with self.subTest(name=name, opset=opset, block=block):
                model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
                onnx.save(model, self.folder / "weights.onnx")
                graph = load_float(self.folder / "weights.onnx")
                wanted = (w.astype(np.float32) - zero) * (np.repeat(scale, block, 0) if block else scale)
                np.testing.assert_array_equal(next(iter(graph.constants.values())), wanted)
                gemel.quantize(self.folder / "weights.onnx", rng.normal(size=(16, 32)).astype(np.float32), self.folder / "int8.onnx")
                self.assertEqual(len(import_model(self.folder / "int8.onnx").layers), 1)

    def test_models_of_few_nodes(self):
        """What models without a layer are made of, and forms of products: each gives layers that equal ONNX Runtime's, and outputs near to float32's."""
        rng, floats = np.random.default_rng(6), onnx.TensorProto.FLOAT
        drawn = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
        kept, cut = "E1109]: the model has no operator that could be quantized: ", "stay in float32: "
        for nodes, shapes, constants, layers in (
            ([("Relu", "x", "y", {})], [(1, 4, 6)], {}, ["table"]),
            ([("MatMul", "x z", "y", {})], [(2, 5, 4), (2, 4, 6)], {}, ["reshape", "grouped_matmul"]),
            ([("ArgMax", "x", "y", {"axis": 1, "keepdims": 0})], [(1, 9)], {}, ["argmax"]),
            ([("ArgMax", "x", "y", {"axis": 1, "select_last_index": 1})], [(1, 9)], {}, kept + "ArgMax `y` (it is within the model, or takes the last"),
            # Addends of a Gemm for each element and for each row, of as many rows as columns too; a factor of theirs.
            ([("Gemm", "x w c", "y", {"beta": 0.5})], [(3, 4)], {"w": drawn(4, 5), "c": drawn(3, 5)}, ["dense", "add_constant"]),
            ([("Gemm", "x w c", "y", {})], [(4, 3)], {"w": drawn(3, 4), "c": drawn(4, 1)}, ["dense", "add_constant"]),
            ([("Gemm", "x w c", "y", {"transA": 1, "alpha": 0.5})], [(4, 3)], {"w": drawn(4, 5), "c": drawn(5)}, ["reshape", "matmul"]),
            # A matrix for each place, and one for all.
            ([("MatMul", "x w", "y", {})], [(2, 5, 8)], {"w": drawn(2, 8, 3)}, ["conv2d"]),
            ([("MatMul", "x w", "y", {})], [(2, 3, 5, 8)], {"w": drawn(3, 8, 3)}, kept + "MatMul `y` (its weights have another form"),
            ([("MatMul", "x w", "y", {})], [(2, 5, 8)], {"w": drawn(1, 8, 3)}, ["reshape", "matmul"]),
            ([("AveragePool", "x", "y", {"kernel_shape": [2, 2], "dilations": [2, 2], "pads": [1, 1, 1, 1]})], [(1, 2, 6, 6)], {},
             kept + "AveragePool `y` (it has dilations)"),
            ([("Relu", "x", "r", {}), ("Greater", "r w", "g", {}), ("Cast", "g", "y", {"to": floats})], [(1, 4)], {"w": drawn(4)}, cut + "Greater"),
            ([("Relu", "x", "r", {}), ("Slice", "r a b", "y", {})], [(1, 4)], {"a": np.array([0, 4]), "b": np.array([1, 4])}, cut + "Slice"),
        ):  # fmt: skip
            made = [onnx.helper.make_node(kind, names.split(), out.split(), **more) for kind, names, out, more in nodes]
            inputs = [onnx.helper.make_tensor_value_info(name, floats, shape) for name, shape in zip("xz", shapes)]
            y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT64 if nodes[-1][0] == "ArgMax" else floats, None)
            graph = onnx.helper.make_graph(made, "few", inputs, [y], [onnx.numpy_helper.from_array(a, n) for n, a in constants.items()])
            model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9)
            values = {name: drawn(4, *shape) for name, shape in zip("xz", shapes)}
            with self.subTest(str(nodes)):
                onnx.save(model, self.folder / "few.onnx")
                if isinstance(layers, str) and layers.startswith(kept):
                    with self.assertRaises(gemel.UserError) as raised:
                        gemel.quantize(self.folder / "few.onnx", values)
                    self.assertIn(layers, str(raised.exception))
                    continue
                result = gemel.quantize(self.folder / "few.onnx", values, self.folder / "int8.onnx")
                if isinstance(layers, str):
                    self.assertTrue(result.notes[0].startswith(layers), result.notes)
                    continue
                workload = import_model(self.folder / "int8.onnx")
                self.assertEqual([layer.op for layer in workload.layers if layer.op != "transpose"], layers)
                feed = {name: array[0] for name, array in values.items()}
                tensors, _, wrong, _ = compare(workload, onnx.load(self.folder / "int8.onnx"), feed, "odd7x13")
                self.assertEqual((wrong, tensors >= 1), ([], True))
                self.assertGreater(result.outputs["y"], 30)
                self.assertEqual(result.weight_bytes, constants["w"].size if "w" in constants else 0)

    def test_weights_that_do_not_fit(self):
        x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4]) for n in "xy")
        w, s, z = np.ones((4, 4), np.int8), np.float32(0.5), np.int8(0)
        for nodes, constants, text in (
            ([("DequantizeLinear", "w s z", "v", {"axis": 0}), ("MatMul", "x v", "y", {})], (w, np.ones(3, np.float32), np.zeros(3, np.int8)), "E1103"),
            ([("DequantizeLinear", "w s z", "v", {"axis": 9}), ("MatMul", "x v", "y", {})], (w, np.ones(4, np.float32), np.zeros(4, np.int8)), "E1103"),
            ([("DequantizeLinear", "w s z", "v", {"block_size": 1 << 40}), ("MatMul", "x v", "y", {})], (w, s, z), "E1103"),
            ([("DynamicQuantizeLinear", "x", "q a b", {}), ("MatMulInteger", "q q b b", "i", {}), ("Cast", "i", "y", {"to": 1})], (w, s, z),
             "E1105]: MatMulInteger `i`: its weights is computed by the network"),
            ([("DynamicQuantizeLinear", "x", "q a b", {}), ("MatMulInteger", "q s b z", "i", {}), ("Cast", "i", "y", {"to": 1})], (w, s, z),
             "E1106]: MatMulInteger `i`: its weights are float32"),
            ([("MatMulNBits", "x w s", "y", {"K": 4, "N": 4, "bits": 3, "block_size": 16})], (w, s, z), "E1105]: MatMulNBits `y`: it has 3 bits"),
            ([("MatMulNBits", "x u s", "y", {"K": 4, "N": 4, "bits": 4, "block_size": 16})], (w, s, z), "E1105]: MatMulNBits `y`: it has 16 bytes of weights"),
            ([("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q s z", "y", {})], (w, s, z), "E1106]: the model is quantized already"),
        ):  # fmt: skip
            made = [onnx.helper.make_node(kind, names.split(), out.split(), domain="com.microsoft" if kind == "MatMulNBits" else "", **more)
                    for kind, names, out, more in nodes]  # fmt: skip
            arrays = [*zip("wsz", constants), ("u", np.ones((4, 1, 4), np.uint8))]
            graph = onnx.helper.make_graph(made, "wrong", [x], [y], [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in arrays])
            opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
            onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), self.folder / "wrong.onnx")
            with self.subTest(text), self.assertRaises(ModelError) as raised:
                load_float(self.folder / "wrong.onnx")
            self.assertIn(text, str(raised.exception))

    def test_an_operator_can_stay_in_float(self):
        network = small()
        result = gemel.quantize(self.saved(network), drawn(network, 8), keep_float=["conv6"])
        self.assertEqual(result.notes, ("stay in float32: Conv `conv6` (it was to)",))
        self.assertNotIn("conv6", [one.name for one in result.layers])
        with self.assertRaises(gemel.UserError) as raised:
            gemel.quantize(self.saved(network), drawn(network, 8), keep_float=["conv99"])
        self.assertEqual(str(raised.exception), "error[E1109]: there is no operator `conv99` that could stay in float32\n"
                         f"  {self.folder / 'small.onnx'}\nhint: the report of `gemel quantize` lists the operators")

    def test_memory_does_not_grow_with_the_number_of_images(self):
        network = small()
        path = self.saved(network)
        peaks = {}
        for count in (20, 2000):
            np.savez(self.folder / "images.npz", images=drawn(network, count), labels=np.zeros(count, np.int64))
            code = ("import gemel, resource, sys\ngemel.quantize(sys.argv[1], sys.argv[2], method='entropy')\n"
                    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
            done = subprocess.run([sys.executable, "-c", code, path, self.folder / "images.npz"], env=ENVIRONMENT, capture_output=True, text=True, check=True)
            peaks[count] = int(done.stdout)
        print(f"peak memory with 20 images {peaks[20]} KiB, with 2,000 {peaks[2000]} KiB")
        self.assertLess(peaks[2000], peaks[20] * 1.2)

    def test_command_line(self):
        network = small()
        np.savez_compressed(self.folder / "images.npz", images=drawn(network, 10), labels=np.arange(10))
        self.saved(network)
        done = self.gemel("quantize", "small.onnx", "--data", "images.npz", "--method", "percentile", "--percentile", "99.9", "--json", "report.json",
                          "--improve", "--sensitivity")  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("percentile, weights per channel, ranges of 8 images", done.stdout)  # two are held out
        self.assertIn("small_int8.onnx: 13 operators on int8", done.stdout)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["method"], "percentile")
        self.assertEqual([one["operator"] for one in report["layers"]].count("Conv"), 4)
        self.assertGreater(min(one["weight_sqnr_db"] for one in report["layers"] if one["weight_sqnr_db"]), 35)
        done = self.gemel("run", "small_int8.onnx", "-m", "tiny8", "-q")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("every layer equal to golden", done.stdout)
        for name, out in (("--data", "new.onnx"), ("--calibrate", "old.onnx")):  # the option's former name
            done = self.gemel("quantize", "small.onnx", name, "images.npz", "-o", out)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual((self.folder / "new.onnx").read_bytes(), (self.folder / "old.onnx").read_bytes())

    def gemel(self, *arguments):
        return subprocess.run([onnx_reference.gemel_program(), *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def refused(self, text: str, *arguments: str) -> None:
        done = self.gemel("quantize", *arguments)
        self.assertEqual(done.stderr, text + "\n")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertFalse((self.folder / "out.onnx").exists())

    def test_messages(self):
        network = small()
        self.saved(network)
        good = drawn(network, 2)
        shape = "hint: numpy.savez(FILE, images=..., labels=...): the first dimension counts the images, the others are those of the network's input"
        files = {
            "good.npy": good, "nhwc.npy": good.transpose(0, 2, 3, 1), "one.npy": good[0], "text.npy": np.array(["a"]), "none.npy": good[:0],
            "infinite.npy": np.where(np.arange(2).reshape(-1, 1, 1, 1) == 1, np.float32(np.inf), good),
        }  # fmt: skip
        for name, array in files.items():
            np.save(self.folder / name, np.ascontiguousarray(array))
        np.savez(self.folder / "labels.npz", images=good, labels=np.arange(3))
        np.savez(self.folder / "names.npz", one=good, two=good)
        (self.folder / "cut.npy").write_bytes((self.folder / "good.npy").read_bytes()[:-4])
        (self.folder / "no.npz").write_bytes(b"no images at all")
        for name, text in {
            "absent.npz": "error[E1214]: cannot read the images `absent.npz`: No such file or directory\n" + shape,
            "no.npz": "error[E1214]: `no.npz` is no file of NumPy (.npz or .npy): File is not a zip file\n" + shape,
            "cut.npy": "error[E1214]: `images` ends before its last image\n  cut.npy\nhint: the file is cut short; make it anew",
            "nhwc.npy": "error[E1214]: images for input `image` have the shape [2, 16, 16, 3], but must have [images, 3, 16, 16]\n  nhwc.npy\n"
                        "hint: they are NHWC, and the network takes NCHW: images.transpose(0, 3, 1, 2)",
            "one.npy": "error[E1214]: images for input `image` have the shape [3, 16, 16], but must have [images, 3, 16, 16]\n  one.npy\n"
                       "hint: one image is images[None]",
            "text.npy": "error[E1214]: `images` is an array of <U1\n  text.npy\nhint: supported: numbers, in C's order (numpy.ascontiguousarray())",
            "none.npy": "error[E1214]: there are no images\n  none.npy\n" + shape,
            "infinite.npy": "error[E1214]: image 1 for input `image` has numbers that are not finite\n  infinite.npy\n"
                            "hint: look for NaN and infinity in what made it",
            "labels.npz": "error[E1214]: there are 2 images, and labels of the shape [3]\n  labels.npz\nhint: one whole number for each image",
            "names.npz": "error[E1214]: there is no array for input `image`; there are: `one`, `two`\n  names.npz\n" + shape,
        }.items():  # fmt: skip
            with self.subTest(name):
                self.refused(text, "small.onnx", "--data", name, "-o", "out.onnx")
        self.refused("error[E0915]: `percentile` is 20.0, but must be a number above 50, at most 100",
                     "small.onnx", "--data", "good.npy", "-o", "out.onnx", "--method", "percentile", "--percentile", "20")  # fmt: skip
        self.refused("error[E0911]: --percentile is for --method percentile, and the method is mse\nhint: add --method percentile",
                     "small.onnx", "--data", "good.npy", "-o", "out.onnx", "--method", "mse", "--percentile", "99")  # fmt: skip
        gemel.quantize(self.folder / "small.onnx", good, self.folder / "int8.onnx")
        self.refused("error[E1106]: the model is quantized already\n  int8.onnx\nhint: give the float32 model that it was made of",
                     "int8.onnx", "--data", "good.npy", "-o", "out.onnx")  # fmt: skip
        n = Network("bare", (1, 3, 16, 16))
        n.outputs = [n.node("Relu", [INPUT])]
        self.saved(n)
        self.refused("error[E1109]: the model has no layer whose weights could have 4 bits\n  bare.onnx\n"
                     "hint: Conv, Gemm and MatMul with constant float32 weights are such",
                     "bare.onnx", "--data", "good.npy", "-o", "out.onnx", "--weights", "int4")  # fmt: skip
        n.outputs = [n.node("Cos", [INPUT])]
        self.saved(n)
        self.refused("error[E1109]: the model has no operator that could be quantized: Cos `cos1` (the machine has no such operator for it)\n  bare.onnx\n"
                     "hint: docs/reference/onnx.md has the list of operators, and what of them is taken",
                     "bare.onnx", "--data", "good.npy", "-o", "out.onnx")  # fmt: skip

    def test_a_model_that_the_runtime_does_not_run(self):
        model = small().proto()
        model.graph.node[0].op_type = "Cnov"
        onnx.save(model, self.folder / "odd.onnx")
        np.save(self.folder / "good.npy", drawn(small(), 2))
        done = self.gemel("quantize", "odd.onnx", "--data", "good.npy", "-o", "out.onnx")
        self.assertRegex(done.stderr, r"^error\[E1109\]: ONNX Runtime does not run the model: .*Cnov")
        self.assertEqual(done.returncode, 2)


class Ranges(unittest.TestCase):
    def test_counts_are_exact_however_the_values_come(self):
        rng = np.random.default_rng(3)
        values = np.concatenate([rng.normal(size=3000) * s for s in (1e-3, 0.1, 7, 300)]).astype(np.float32)
        whole, parts = Histogram(), Histogram()
        whole.add(values)
        for part in np.array_split(values, 37):
            parts.add(part)
        self.assertTrue(np.array_equal(whole.counts, parts.counts))
        self.assertEqual((whole.low, whole.high, int(whole.counts.sum())), (float(values.min()), float(values.max()), values.size))
        expected, _ = np.histogram(values.astype(np.float64), whole.edges())
        self.assertLessEqual(int(np.abs(expected - whole.counts).sum()), 4)  # values on an edge between two bins, in float32

    def test_percentile(self):
        rng = np.random.default_rng(4)
        values = rng.normal(size=100000).astype(np.float32)
        h = Histogram()
        h.add(values)
        for percentile in (99, 99.9, 99.99):
            low, high = h.range("percentile", percentile)
            bin_width = 2 * h.span / 8192
            self.assertAlmostEqual(high, float(np.percentile(values, percentile)), delta=2 * bin_width + 0.02)
            self.assertAlmostEqual(low, float(np.percentile(values, 100 - percentile)), delta=2 * bin_width + 0.02)
        self.assertEqual(h.range("percentile", 100), h.range("minmax", 0))

    def test_mean_square_error_beats_the_extremes(self):
        rng = np.random.default_rng(5)
        values = np.concatenate([rng.laplace(size=100000), [25.0, -20.0]]).astype(np.float32)
        h = Histogram()
        h.add(values)

        def error(low, high):
            step = (high - low) / 255
            rounded = low + np.rint((np.clip(values, low, high) - low) / step) * step
            return float(np.square(values - rounded).sum())

        least = min(error(-20 * i / 64, 25 * j / 64) for i in range(8, 65, 2) for j in range(8, 65, 2))
        found = error(*h.range("mse", 0))
        self.assertLess(found, error(-20, 25) * 0.8)
        self.assertLess(found, least * 1.1)
        print(f"square error: {found:.1f}; extremes {error(-20, 25):.1f}; best of a grid {least:.1f}")

    def test_what_has_no_range(self):
        h = Histogram()
        h.add(np.zeros(100, np.float32))
        for method in METHODS:
            self.assertEqual(h.range(method, 99), (0.0, 0.0))
        h.add(np.full(3, 2.5, np.float32))
        self.assertEqual(int(h.counts.sum()), 103)
        for method in METHODS:
            low, high = h.range(method, 99.99)
            self.assertEqual(low, 0.0)
            self.assertTrue(0 <= high <= 2.5)


class Data(unittest.TestCase):
    def test_files_are_read_in_runs(self):
        images, labels = drawn(small(), 7), np.arange(7)
        with tempfile.TemporaryDirectory() as folder:
            np.savez_compressed(f"{folder}/a.npz", x=images, labels=labels)
            data = Images(f"{folder}/a.npz", {"image": (3, 3, 16, 16)})
            self.assertEqual((data.count, data.labels.tolist()), (7, labels.tolist()))
            runs = list(data.runs())
        self.assertEqual([counted for _, counted in runs], [3, 3, 1])
        self.assertTrue(np.array_equal(np.concatenate([made["image"][:counted] for made, counted in runs]), images))
        self.assertTrue(np.array_equal(runs[-1][0]["image"], np.repeat(images[-1:], 3, axis=0)))

    def test_prepared_networks_compute_the_same(self):
        from gemel.rewrite.prepare import prepare
        from gemel.rewrite.runtime import Session

        for network in (small(), styles()):
            with self.subTest(network.name), tempfile.TemporaryDirectory() as folder:
                onnx.save(network.proto(), f"{folder}/net.onnx")
                graph = load_float(f"{folder}/net.onnx")
                prepare(graph)
                image = {INPUT: drawn(network, 1)}
                before, after = Session(network.proto()).run(image), Session(graph.proto()).run(image)
                for name in network.outputs:
                    self.assertLess(float(np.abs(before[name] - after[name]).max()), 1e-5 * max(1, float(np.abs(before[name]).max())))
                self.assertNotIn("BatchNormalization", {node.op_type for node in graph.nodes})


if __name__ == "__main__":
    unittest.main(verbosity=2)
