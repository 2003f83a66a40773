# SPDX-License-Identifier: Apache-2.0
"""gemel.recover() and `gemel recover`: gradients of every operator against differences in float64, what training keeps, what it brings, messages.

GEMEL_SEED=N replays the random directions.
"""

import json
import math
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_networks
import onnx_reference
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx_networks import INPUT, Network
from packaged import ENVIRONMENT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import compress_test  # noqa: E402
import gemel  # noqa: E402
import trained  # noqa: E402
from gemel.importer.messages import ModelError  # noqa: E402
from gemel.rewrite.gradient import RULES, batched, gradient, places_of_largest, with_inputs  # noqa: E402
from gemel.rewrite.graph import Graph, load_float  # noqa: E402
from gemel.rewrite.plan import weights_of  # noqa: E402
from gemel.rewrite.prepare import prepare  # noqa: E402
from gemel.rewrite.recover import recover, trainable  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402

STEP = 1e-6  # of a difference in float64


def ints(n: Network, *numbers: int) -> str:
    return n.constant(np.array(numbers, np.int64))


def number(n: Network, value: float) -> str:
    return n.constant(np.float32(value))


def layer(n: Network, x: str, shape: tuple[int, ...], **attributes) -> str:
    """A convolution with bias; shape: of its weights."""
    return n.node("Conv", [x, n.normal(*shape, size=0.5), n.normal(shape[0])], shape[0], kernel_shape=list(shape[2:]), **attributes)


def split(n: Network, x: str) -> str:
    """Two of three parts are read."""
    names = [f"part{i}" for i in range(3)]
    n.nodes.append(helper.make_node("Split", [x, ints(n, 1, 2, 1)], names, axis=1))
    return n.node("Concat", [names[1], names[0], names[1]], axis=1)

IMAGE = (1, 4, 6, 5)
CASES = {
    "Add": lambda n, x: n.node("Add", [x, n.node("Mul", [n.normal(4, 1, 1), n.node("GlobalAveragePool", [x])])]),
    "AveragePool": lambda n, x: n.node("AveragePool", [x], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    "AveragePool, pads counted": lambda n, x: n.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 1, 0, 0], count_include_pad=1),
    "AveragePool, same": lambda n, x: n.node("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "Clip": lambda n, x: n.node("Clip", [x, number(n, -0.3), number(n, 0.8)]),
    "Clip, one bound": lambda n, x: n.node("Clip", [x, "", number(n, 0.2)]),
    "Concat": lambda n, x: n.node("Concat", [n.node("Neg", [x]), n.node("ReduceMean", [x], axes=[2]), x], axis=2),
    "Conv": lambda n, x: layer(n, x, (3, 4, 3, 2), pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2]),
    "Conv, grouped": lambda n, x: layer(n, x, (6, 2, 3, 3), group=2, pads=[1] * 4, strides=[1, 2]),
    "Conv, depthwise": lambda n, x: layer(n, x, (4, 1, 3, 3), group=4, pads=[1] * 4),
    "Conv, channel multiplier": lambda n, x: layer(n, x, (8, 1, 3, 3), group=4, strides=[3, 2]),
    "Conv, pointwise with steps": lambda n, x: layer(n, x, (5, 4, 1, 1), strides=[3, 3]),
    "Conv, same": lambda n, x: layer(n, x, (5, 4, 3, 4), auto_pad="SAME_LOWER", strides=[2, 3]),
    "Conv, valid": lambda n, x: layer(n, x, (5, 4, 4, 2), auto_pad="VALID", strides=[2, 2]),
    "DepthToSpace": lambda n, x: n.node("DepthToSpace", [x], blocksize=2),
    "DepthToSpace, columns first": lambda n, x: n.node("DepthToSpace", [x], blocksize=2, mode="CRD"),
    "Div": lambda n, x: n.node("Div", [n.node("Exp", [x]), n.node("Add", [n.node("Exp", [n.node("GlobalAveragePool", [x])]), number(n, 1)])]),
    "Elu": lambda n, x: n.node("Elu", [x], alpha=0.7),
    "Erf": lambda n, x: n.node("Erf", [x]),
    "Exp": lambda n, x: n.node("Exp", [x]),
    "Flatten": lambda n, x: n.node("Flatten", [x]),
    "Gemm": lambda n, x: n.node("Gemm", [n.node("Flatten", [x]), n.normal(120, 7), n.normal(1, 7)], alpha=0.3, beta=0.5),
    "Gemm, turned": lambda n, x: n.node("Gemm", [n.node("Flatten", [x]), n.normal(7, 120), n.normal(7)], transB=1),
    "Gemm, both turned": lambda n, x: n.node("Transpose", [n.node("Gemm", [n.node("Transpose", [n.node("Flatten", [x])], perm=[1, 0]), n.normal(7, 120)],
                                                                  transA=1, transB=1)], perm=[0, 1]),
    "GlobalAveragePool": lambda n, x: n.node("GlobalAveragePool", [x]),
    "HardSigmoid": lambda n, x: n.node("HardSigmoid", [x], alpha=0.4, beta=0.45),
    "HardSwish": lambda n, x: n.node("HardSwish", [n.node("Mul", [x, number(n, 3)])]),
    "Identity": lambda n, x: n.node("Identity", [x]),
    "LeakyRelu": lambda n, x: n.node("LeakyRelu", [x], alpha=0.2),
    "MatMul": lambda n, x: n.node("MatMul", [x, n.normal(5, 3)]),
    "MatMul, of two results": lambda n, x: n.node("MatMul", [x, n.node("Transpose", [n.node("Tanh", [x])], perm=[0, 1, 3, 2])]),
    "MatMul, repeated": lambda n, x: n.node("MatMul", [n.node("GlobalAveragePool", [x]), n.node("ReduceMean", [x], axes=[2], keepdims=1)]),
    "MaxPool": lambda n, x: n.node("MaxPool", [x], kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 1, 1]),
    "MaxPool, rounded up": lambda n, x: n.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "Mul": lambda n, x: n.node("Mul", [x, n.node("Sigmoid", [n.node("GlobalAveragePool", [x])])]),
    "Mul, a square": lambda n, x: n.node("Mul", [x, x]),
    "Neg": lambda n, x: n.node("Neg", [x]),
    "PRelu": lambda n, x: n.node("PRelu", [x, n.normal(4, 1, 1)]),
    "Pad": lambda n, x: n.node("Pad", [x, ints(n, 0, 0, 1, 2, 0, 1, 0, 3)]),
    "Pow": lambda n, x: n.node("Pow", [n.node("Exp", [x]), number(n, 1.5)]),
    "ReduceMean": lambda n, x: n.node("ReduceMean", [x], axes=[1, -1], keepdims=0),
    "ReduceSum": lambda n, x: n.node("ReduceSum", [x, ints(n, 2)], keepdims=1),
    "Relu": lambda n, x: n.node("Relu", [x]),
    "Reshape": lambda n, x: n.node("Reshape", [x, ints(n, 1, 5, -1)]),
    "Resize": lambda n, x: n.larger(x),
    "Resize, as PyTorch has it": lambda n, x: n.node("Resize", [x, "", n.constant(np.array([1, 1, 3, 2], np.float32))], mode="nearest"),
    "Sigmoid": lambda n, x: n.node("Sigmoid", [x]),
    "Slice": lambda n, x: n.node("Slice", [x, ints(n, 1, -4), ints(n, 99, -1), ints(n, 2, 3)]),
    "Softmax": lambda n, x: n.node("Mul", [x, n.node("Softmax", [x], axis=1)]),
    "Softplus": lambda n, x: n.node("Softplus", [x]),
    "SpaceToDepth": lambda n, x: n.node("SpaceToDepth", [n.node("Pad", [x, ints(n, 0, 0, 0, 0, 0, 0, 0, 1)])], blocksize=2),
    "Split": split,
    "Sqrt": lambda n, x: n.node("Sqrt", [n.node("Exp", [x])]),
    "Squeeze": lambda n, x: n.node("Squeeze", [n.node("GlobalAveragePool", [x]), ints(n, 2, 3)]),
    "Sub": lambda n, x: n.node("Sub", [n.node("GlobalAveragePool", [x]), x]),
    "Sum": lambda n, x: n.node("Sum", [x, n.node("Tanh", [x]), n.node("GlobalAveragePool", [x])]),
    "Tanh": lambda n, x: n.node("Tanh", [x]),
    "Transpose": lambda n, x: n.node("Transpose", [x], perm=[0, 3, 1, 2]),
    "Unsqueeze": lambda n, x: n.node("Unsqueeze", [x, ints(n, 2)]),
}  # fmt: skip


def one_operator(name: str, make) -> Graph:
    n = Network(name, IMAGE, 5)
    x = n.node("Mul", [INPUT, n.normal(*IMAGE[1:])])  # so that the operator's image has a gradient, too
    n.outputs = [n.node("Identity", [make(n, x)])]
    return Graph(n.proto(), name)


class Erf(OpRun):
    """The reference's own rounds to float32."""

    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


def in_double(model: onnx.ModelProto, parameters: list[str]) -> ReferenceEvaluator:
    """The same network in float64, with its parameters as inputs."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    for value in (*other.graph.input, *other.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in other.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    return ReferenceEvaluator(other, new_ops=[Erf])


class Gradients(unittest.TestCase):
    def check(self, graph: Graph, rng: np.random.Generator, tolerance: float = 2e-5) -> int:
        """Of all parameters: slopes along random directions are differences of a sum in float64."""
        graph = batched(graph, 3)
        places_of_largest(graph)
        parameters = trainable(graph)
        made = gradient(graph, graph.outputs, parameters)
        forward = with_inputs(graph, parameters)
        values = {name: graph.constants[name] for name in parameters}
        inputs = {name: rng.normal(size=graph.shapes[name]).astype(np.float32) for name in graph.inputs}
        found = Session(forward, made.read).run(inputs | values)
        seeds = {name: rng.normal(size=found[name].shape).astype(np.float32) for name in graph.outputs}
        everything = found | values
        slopes = Session(made.model).run({n: everything[n] for n in made.read} | {made.seeds[n]: seeds[n] for n in graph.outputs})
        exact = in_double(forward, parameters)

        def total(given) -> float:
            outputs = exact.run(graph.outputs, {n: a.astype(np.float64) for n, a in (inputs | given).items()})
            return sum(float((a * seeds[n]).sum()) for n, a in zip(graph.outputs, outputs, strict=True))

        self.assertEqual(set(made.parameters), set(parameters))
        largest = max(float(np.linalg.norm(slopes[n])) for n in made.parameters.values())
        for name in parameters:
            slope = slopes[made.parameters[name]]
            self.assertEqual(slope.shape, values[name].shape)
            direction = rng.normal(size=slope.shape)
            ends = [total(values | {name: values[name] + sign * STEP * direction}) for sign in (1, -1)]
            # A slope may be 0 but for rounding: that of the bias of an attention's keys, say.
            size = max(float(np.linalg.norm(slope)), 0.1 * largest) * float(np.linalg.norm(direction))
            self.assertLess(abs((ends[0] - ends[1]) / (2 * STEP) - float((slope * direction).sum())) / size, tolerance, name)
        return len(parameters)

    def test_every_rule(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        used, count = set(), 0
        for name, make in CASES.items():
            with self.subTest(name, seed=seed):
                graph = one_operator(name, make)
                used.update(node.op_type for node in graph.nodes)
                self.assertIn(name.split(",")[0], {node.op_type for node in graph.nodes})
                count += self.check(graph, np.random.default_rng(seed))
        self.assertEqual(set(RULES) - used, set())
        print(f"{count} parameters of {len(CASES)} cases, {len(RULES)} operators")

    def test_whole_networks(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, network in (("se", squeeze_and_excitation()), ("attention", attention()), ("generator", generator())):
                with self.subTest(name):
                    onnx.save(network.proto(), Path(folder, "net.onnx"))
                    graph = load_float(Path(folder, "net.onnx"))
                    prepare(graph)
                    print(name, self.check(graph, np.random.default_rng(1), 1e-4), "parameters")


def squeeze_and_excitation() -> Network:
    n = Network("se", (1, 3, 9, 9), 2)
    x = n.conv(n.conv(INPUT, 8, 3, 2, act="HardSwish"), 8, 3, groups=8, act="Silu")
    s = n.conv(n.conv(n.node("GlobalAveragePool", [x]), 4, 1, norm=False), 8, 1, act="HardSigmoid", norm=False)
    x = n.node("Add", [n.conv(n.node("Mul", [x, s]), 8, 1, act="Relu6"), x])
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 8, 5)]
    return n


def attention() -> Network:
    """Two heads over six pixels, a norm of layers as exporters write it."""
    n = Network("attention", (1, 6, 8), 3)

    def normed(x: str) -> str:
        centered = n.node("Sub", [x, n.node("ReduceMean", [x], axes=[-1])])
        spread = n.node("Sqrt", [n.node("Add", [n.node("ReduceMean", [n.node("Pow", [centered, number(n, 2)])], axes=[-1]), number(n, 1e-3)])])
        return n.node("Add", [n.node("Mul", [n.node("Div", [centered, spread]), n.normal(8)]), n.normal(8)])

    def heads(x: str, *order: int) -> str:
        made = n.node("Reshape", [n.node("Add", [n.node("MatMul", [x, n.normal(8, 8, size=0.4)]), n.normal(8)]), ints(n, 1, 6, 2, 4)])
        return n.node("Transpose", [made], perm=list(order))

    x = normed(INPUT)
    scores = n.node("Div", [n.node("MatMul", [heads(x, 0, 2, 1, 3), heads(x, 0, 2, 3, 1)]), number(n, 2)])
    mixed = n.node("Transpose", [n.node("MatMul", [n.node("Softmax", [scores]), heads(x, 0, 2, 1, 3)])], perm=[0, 2, 1, 3])
    n.outputs = [n.node("Add", [INPUT, n.node("MatMul", [n.node("Reshape", [mixed, ints(n, 1, 6, 8)]), n.normal(8, 8)])])]
    return n


def generator() -> Network:
    n = Network("generator", (1, 6, 3, 3), 4)
    x = n.grow(INPUT, 8, 4, 2, 1, "Relu")
    n.outputs = [n.grow(n.larger(x), 2, 3, 1, 1, "Tanh", norm=False)]
    return n


class Recovery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gemel-recover-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        images, labels = trained.digits()
        known, cls.labels = trained.TRAINED_ON, labels[: trained.TRAINED_ON]
        cls.images = images[:known]
        cls.known, cls.unlabelled, cls.held = (cls.folder / f"{name}.npz" for name in ("known", "unlabelled", "held"))
        np.savez(cls.known, images=cls.images, labels=cls.labels)
        np.savez(cls.unlabelled, images=cls.images)
        np.savez(cls.held, images=images[known:], labels=labels[known:])
        cls.whole, cls.half = cls.folder / "whole.onnx", cls.folder / "half.onnx"
        onnx.save(trained.network(), cls.whole)
        gemel.compress(cls.whole, cls.half, filters=0.5)

    def gemel(self, *arguments):
        return subprocess.run([onnx_reference.gemel_program(), *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def right(self, model: Path, name: str) -> tuple[int, int, int]:
        """Right answers in float32 and on the machine after quantization, and cycles, of images that nothing was learnt from."""
        int8 = self.folder / f"{name}_int8.onnx"
        gemel.quantize(model, self.images, int8)
        found = gemel.accuracy(int8, self.held, "edge16", beside=[model])
        return found.counts[1].right, found.counts[0].right, found.cycles

    def test_distillation_recovers_at_least_half_of_what_pruning_lost(self):
        whole, half = self.right(self.whole, "whole"), self.right(self.half, "half")
        lines = [f"{'':36s} float  int8 on edge16   cycles   of 120 held-out digits"]
        rows = {"as it is": whole, "1/2 of the filters removed": half}
        for name, data, how in (("recovered by distillation", self.unlabelled, {"teacher": self.whole}),
                                ("recovered by softened distillation", self.unlabelled, {"teacher": self.whole, "temperature": 4.0}),
                                ("recovered from labels", self.known, {}), ("recovered from both", self.known, {"teacher": self.whole})):  # fmt: skip
            made = gemel.recover(self.half, data, self.folder / "recovered.onnx", **how)
            self.assertTrue(made.after.loss < made.before.loss or made.after.right > made.before.right)
            rows[name] = self.right(self.folder / "recovered.onnx", "recovered")
        print("\n".join(lines + [f"{name:36s} {a:5d}  {b:14d}  {c:7,d}" for name, (a, b, c) in rows.items()]))
        for kind in (0, 1):
            lost = whole[kind] - half[kind]
            self.assertGreater(lost, 20)
            for name, found in rows.items():
                if name.startswith("recovered"):
                    self.assertGreaterEqual(found[kind] - half[kind], lost / 2, name)
        self.assertEqual({row[2] for row in rows.values()}, {whole[2], half[2]})  # recovery changes no cycle
        self.assertLess(half[2], whole[2])

    def kept(self, model: Path) -> dict[str, np.ndarray]:
        graph = load_float(model)
        return {node.output[0]: weights_of(graph, node)[0] for node in graph.nodes if weights_of(graph, node) is not None}

    def test_what_compression_bought_is_kept(self):
        """Zeros stay zeros (N of M, too), shapes stay, all else is trained but for filters that give zeros for all images."""
        for how in ({"weights": 0.8}, {"pattern": (1, 4)}, {"low_rank": 0.4}, {"filters": 0.5}):
            with self.subTest(how):
                small, out = self.folder / "small.onnx", self.folder / "out.onnx"
                gemel.compress(self.whole, small, **how)
                layers = "filters" not in how  # whose results have other shapes than the teacher's
                made = gemel.recover(small, self.unlabelled, out, teacher=self.whole, epochs=4, layers=layers)
                self.assertLess(made.after.loss, made.before.loss)
                before, after = self.kept(small), self.kept(out)
                self.assertEqual({name: w.shape for name, w in before.items()}, {name: w.shape for name, w in after.items()})
                for name, w in before.items():
                    self.assertTrue(np.array_equal(w == 0, after[name] == 0), name)
                    self.assertGreater(float((w != after[name])[w != 0].mean()), 0.5, name)
                self.assertEqual(made.zeros, sum(int((w == 0).sum()) for w in before.values()))
                one, other = (gemel.compress(path, weights=1e-9).before for path in (small, out))
                self.assertEqual((one.macs, one.parameters, one.layers), (other.macs, other.parameters, other.layers))

    def test_never_worse_than_what_went_in(self):
        """With steps that destroy the network the weights are those that were given, and the notes say so."""
        made = gemel.recover(self.whole, self.known, rate=10, epochs=50, patience=3)
        self.assertEqual((made.best_epoch, made.before), (0, made.after))
        self.assertIn("no epoch was better on the held-out images: the weights are those that were given", made.notes)
        self.assertTrue(any(re.fullmatch("stopped after epoch 3: 3 in a row without progress on the held-out images|training diverged in epoch .*", note)
                            for note in made.notes), made.notes)  # fmt: skip
        made.save(self.folder / "same.onnx")
        for name, w in self.kept(self.whole).items():
            self.assertTrue(np.array_equal(w, self.kept(self.folder / "same.onnx")[name]))

    def test_the_seed_decides(self):
        saved = []
        for seed in (3, 3, 4):
            gemel.recover(self.half, self.unlabelled, self.folder / "seeded.onnx", teacher=self.whole, epochs=3, seed=seed)
            saved.append((self.folder / "seeded.onnx").read_bytes())
        self.assertEqual(saved[0], saved[1])
        self.assertNotEqual(saved[0], saved[2])

    def test_networks_of_several_kinds(self):
        """A Softmax at the end, an autoencoder of convolutions and transposed ones, MobileNetV2's and U-Net's forms: the loss falls by 15 % at least."""
        rng = np.random.default_rng(2)
        softmax = squeeze_and_excitation()
        softmax.outputs = [softmax.node("Softmax", softmax.outputs)]
        for name, network, how, options in (
            ("softmax", softmax, {"filters": 0.3}, {}), ("generator", generator(), {"weights": 0.5}, {}),
            ("attention", attention(), {"weights": 0.5}, {"layers": True}), ("unet", onnx_networks.unet(size=16, width=4), {"filters": 0.25}, {}),
            ("small", onnx_networks.small(), {"low_rank": 0.5}, {"layers": True}),
        ):  # fmt: skip
            with self.subTest(name):
                whole, small = self.folder / "whole_.onnx", self.folder / "small_.onnx"
                onnx.save(network.proto(), whole)
                gemel.compress(whole, small, **how)
                images = rng.normal(size=(50, *network.shape[1:])).astype(np.float32)
                made = gemel.recover(small, images, self.folder / "out_.onnx", teacher=whole, epochs=12, batch=8, **options)
                print(f"{name}: {made.loss}, loss {made.before.loss:.4g} -> {made.after.loss:.4g}")
                self.assertEqual(made.loss, "classes" if name == "softmax" else "values")
                self.assertLess(made.after.loss, 0.85 * made.before.loss)
                onnx.checker.check_model(str(self.folder / "out_.onnx"))

    def test_an_interrupt_keeps_the_best(self):
        def progress(what: str, epoch: int, of: int) -> None:
            if epoch == 4:
                raise KeyboardInterrupt

        options = {"teacher": self.whole, "classes": None, "temperature": None, "teacher_share": 0.5, "layers": False, "epochs": 9, "batch": 32, "rate": 0.01,
                   "held_out": 0.2, "patience": 9, "seed": 1}  # fmt: skip
        found = recover(self.half, self.images, progress=progress, **options)
        self.assertEqual((found.interrupted, found.epochs, found.best), (True, 3, 3))
        self.assertEqual(found.notes, ["interrupted in epoch 4: the best until then is kept"])
        self.assertLess(found.after.loss, found.before.loss)

    def test_command_line(self):
        done = self.gemel("recover", "half.onnx", "--data", "known.npz", "--teacher", "whole.onnx", "--epochs", "6", "--json", "r.json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))  # quiet in a pipe
        self.assertRegex(done.stdout, "(?s)48 held-out images +before +after\n" r"loss \(classes\).*right +\d+ \([0-9.]+%\) .*"
                         "learnt from 192 images, 6 epochs; the weights are those of epoch [1-6]\n.*half_recovered.onnx: written\n")
        report = json.loads((self.folder / "r.json").read_text())
        self.assertGreater(report["after"]["right"], report["before"]["right"])
        same = gemel.recover(self.half, self.known, teacher=self.whole, epochs=6)
        self.assertEqual(json.loads(json.dumps(same.report())), report)
        (self.folder / "half_recovered.onnx").unlink()
        done = self.gemel("recover", "half.onnx", "--data", "known.npz", "--epochs", "1", "-q")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_signals(self):
        """At a terminal: Ctrl-C writes the best until then, and is exit code 130; SIGTERM leaves nothing."""
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            out = self.folder / f"ended_{code}.onnx"
            master, slave = pty.openpty()
            words = f"recover half.onnx --data known.npz --teacher whole.onnx -o {out.name} --epochs 1000000 --patience 1000000".split()
            process = subprocess.Popen([onnx_reference.gemel_program(), *words], cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=slave)
            os.close(slave)
            seen = b""
            while not re.search(rb"epoch: [2-9][0-9]* of 1000000", seen):
                seen += os.read(master, 1000)
            process.send_signal(number)
            stdout, _ = process.communicate()
            try:
                while more := os.read(master, 1000):
                    seen += more
            except OSError:  # the terminal's other end is closed
                pass
            os.close(master)
            self.assertEqual(process.returncode, code)
            self.assertTrue(seen.decode().endswith("interrupted while recovering\r\n"), seen[-200:])
            self.assertEqual(out.exists(), code == 130)
            self.assertEqual(b"the best until then is kept" in stdout, code == 130)
        load_float(self.folder / "ended_130.onnx")

    def test_damaged_models(self):
        """Each is trained, or refused with a code: nothing else comes out, and no warnings."""
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng, codes = random.Random(seed), Counter()
        whole, damaged = compress_test.branches().proto(), self.folder / "damaged.onnx"
        onnx.save(whole, self.folder / "undamaged.onnx")
        data = {"images": np.random.default_rng(0).normal(size=(12, 3, 12, 12)).astype(np.float32), "labels": np.arange(12) % 7}
        for number in range(400):
            if number >= 40 and codes["done"] > 3:
                break
            model = onnx.ModelProto()
            model.CopyFrom(whole)
            onnx.save(compress_test.changed(rng, model), damaged)
            for how in ({}, {"teacher": self.folder / "undamaged.onnx", "layers": True}):
                with self.subTest(f"file {number} of seed {seed}", **how), warnings.catch_warnings():
                    warnings.simplefilter("error", RuntimeWarning)
                    try:
                        made = gemel.recover(damaged, data, epochs=2, batch=4, **how)
                        self.assertTrue(made.after.right >= made.before.right)
                        codes["done"] += 1
                    except gemel.UserError as error:
                        codes[error.code] += 1
        print(dict(codes))
        self.assertGreater(codes["done"], 3)
        self.assertGreater(codes["E1103"] + codes["E1109"], 20)

    def test_messages(self):
        n = Network("unknown", (1, 3, 8, 8))
        x = n.conv(INPUT, 4, 3)
        for kind, more in (("LRN", {"size": 3}), ("Relu", {}), ("Sin", {}), ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})):
            x = n.node(kind, [x], **more)
        n.outputs = [n.conv(x, 4, 1, norm=False)]
        onnx.save(n.proto(), self.folder / "unknown.onnx")
        n = Network("wide", (1, 1, 8, 8))
        n.outputs = [n.conv(INPUT, 4, 3)]
        onnx.save(n.proto(), self.folder / "wide.onnx")
        n = Network("fixed", (1, 1, 8, 8))
        n.outputs = [n.node("Flatten", [n.node("Sub", [n.conv(INPUT, 4, 3), n.node("ReduceMean", [INPUT], axes=[0, 1, 2, 3], keepdims=1)])])]
        onnx.save(n.proto(), self.folder / "fixed.onnx")
        n = Network("bare", (1, 1, 8, 8))
        n.outputs = [n.node("Flatten", [n.node("Sin", [INPUT])])]
        onnx.save(n.proto(), self.folder / "bare.onnx")
        np.savez(self.folder / "three.npz", images=np.ones((10, 3, 8, 8), np.float32))
        np.savez(self.folder / "one.npz", images=self.images[:1], labels=self.labels[:1])
        np.savez(self.folder / "eleven.npz", images=self.images[:20], labels=np.arange(20))
        supported = ", ".join(sorted(RULES))
        elsewhere = "hint: train the network in the framework that it comes from, or let it end before"
        teacher, half, whole = ("--teacher", "whole.onnx"), ("half.onnx", "--data", "unlabelled.npz"), ("half.onnx", "--data", "known.npz")
        for arguments, text in (
            (["unknown.onnx", "--data", "three.npz", "--teacher", "unknown.onnx"],
             f"error[E1104]: LRN `lrn3`: Gemel does not train through this operator\n  unknown.onnx\n  supported: {supported}\n{elsewhere}\n"
             f"error[E1104]: Sin `sin5`: Gemel does not train through this operator\n  unknown.onnx\n  supported: {supported}\n{elsewhere}\n"
             "error[E1105]: AveragePool `averagepool6`: ceil_mode is 1\n  unknown.onnx\n  supported: 0"),
            (half, "error[E1214]: the images have no labels, and there is no teacher: there is nothing to learn from\n  unlabelled.npz\n"
             "hint: numpy.savez(FILE, images=..., labels=...), or give the model before compression as the teacher"),
            ([*half, "--layers"], "error[E0911]: --layers is for learning from a teacher, and there is none\nhint: add --teacher MODEL"),
            ([*whole, "--temperature", "2"], "error[E0911]: --temperature is for learning from a teacher, and there is none\nhint: add --teacher MODEL"),
            ([*whole, "--teacher-share", "0.5"], "error[E0911]: --teacher-share is for learning from a teacher, and there is none\nhint: add --teacher MODEL"),
            ([*whole, "--loss", "values"], "error[E0911]: `loss` is for learning from a teacher, and there is none\n"
             "hint: add `teacher`: the model before compression"),
            ([*whole, *teacher, "--loss", "values"], "error[E1214]: the images have labels, but outputs are compared as values\n  known.npz\n"
             "hint: leave the labels out of the file"),
            ([*whole, *teacher, "--loss", "values", "--temperature", "2"], "error[E0911]: `temperature` is for classes, and the loss is `values`\n"
             "hint: leave out one of them"),
            ([*whole, *teacher, "--temperature", "0"], "error[E0915]: `temperature` is 0.0, but must be a number above 0, at most 1000"),
            ([*whole, *teacher, "--temperature", "warm"], "error[E0915]: `--temperature` is `warm`, but must be a number"),
            ([*whole, "--rate", "nan"], "error[E0915]: `rate` is nan, but must be a number above 0, at most 10"),
            ([*whole, *teacher, "--teacher-share", "1.5"], "error[E0915]: `teacher_share` is 1.5, but must be a share above 0, at most 1"),
            ([*whole, "--held-out", "1"], "error[E0915]: `held_out` is 1.0, but must be a share above 0 and below 1"),
            ([*half, "--teacher", "wide.onnx"], "error[E1109]: outputs of the teacher have the shapes [4, 8, 8], and of the model [10]\n  half.onnx\n"
             "  teacher: wide.onnx\nhint: give the model before compression"),
            ([*half, "--teacher", "unknown.onnx"], "error[E1109]: inputs of the teacher have the shapes [3, 8, 8], and of the model [1, 8, 8]\n  half.onnx\n"
             "  teacher: unknown.onnx\nhint: give the model before compression"),
            ([*half, *teacher, "--layers", "--epochs", "1"], ""),  # the last layer's result is the teacher's
            (["wide.onnx", "--data", "known.npz"], "error[E1214]: the images have a label each, but output `relu2` has the shape [4, 8, 8] for each\n"
             "  known.npz\nhint: leave the labels out, and give the model before compression as the teacher"),
            (["half.onnx", "--data", "one.npz"], "error[E1214]: there is one image, but some are learnt from and others held out\n  one.npz\n"
             "hint: give two at least"),
            (["half.onnx", "--data", "eleven.npz"], "error[E1214]: the label of image 10 is 10, but output `gemm8` has the classes 0 to 9\n  eleven.npz\n"
             "hint: a label is the index of the right output"),
            (["fixed.onnx", "--data", "known.npz"], "error[E1105]: the model does not take 32 images at once: not every output has one row for each, "
             "of that image alone\n  fixed.onnx\n  supported: the first dimension of every input and output counts the images"),
            (["bare.onnx", "--data", "known.npz"], "error[E1109]: the model has no weights that could be trained\n  bare.onnx\n"
             "hint: weights are constants of Conv, Gemm and MatMul, or added and multiplied ones"),
        ):  # fmt: skip
            with self.subTest(arguments):
                done = self.gemel("recover", *arguments, "-q", "-o", "refused.onnx")
                self.assertEqual((done.stderr, done.returncode, done.stdout), (text + "\n" if text else "", 2 if text else 0, ""))
                self.assertEqual((self.folder / "refused.onnx").exists(), not text)
                (self.folder / "refused.onnx").unlink(missing_ok=True)
        with self.assertRaisesRegex(ModelError, "E1109.*no layer of the model has a result of the name and shape that one of its teacher has"):
            renamed = onnx.load(self.whole)
            for node in renamed.graph.node:
                node.output[0] += "_other"
                node.input[:] = [name + "_other" if name + "_other" in {o for n in renamed.graph.node for o in n.output} else name for name in node.input]
            renamed.graph.output[0].name += "_other"
            onnx.save(renamed, self.folder / "renamed.onnx")
            recover(self.half, self.images, teacher=self.folder / "renamed.onnx", classes=None, temperature=None, teacher_share=0.5, layers=True, epochs=1,
                    batch=32, rate=0.01, held_out=0.2, patience=9, seed=1)  # fmt: skip


if __name__ == "__main__":
    unittest.main(verbosity=2)
