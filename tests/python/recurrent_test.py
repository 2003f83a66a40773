# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU: unrolled they are the functions that ONNX Runtime computes; quantized, every tensor of every step is equal on the simulated machine.

GEMEL_SEED=N replays the random models.
"""

import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
import packaged  # noqa: F401
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import INPUT, Network, lstm
from onnx_reference import compare

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

from recurrent_networks import Recurrent, random_recurrent  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import ModelError, import_model  # noqa: E402
from gemel.importer.pixels import MOST_APART, MOST_WINDOW, _crop  # noqa: E402
from gemel.rewrite.graph import Graph, load_float  # noqa: E402
from gemel.rewrite.prepare import prepare  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-recurrent-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def saved(self, model: onnx.ModelProto, name: str = "cell.onnx") -> Path:
        onnx.save(model, self.folder / name)
        return self.folder / name

    def prepared(self, model: onnx.ModelProto) -> Graph:
        graph = load_float(self.saved(model))
        prepare(graph)
        return graph

    def quantized(self, model: onnx.ModelProto, runs, **options):
        out = self.folder / "int8.onnx"
        result = gemel.quantize(self.saved(model), runs, out, **options)
        return result, import_model(out), onnx.load(out)


def seeds(count: int) -> list[int]:
    seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"GEMEL_SEED={seed}")
    rng = random.Random(seed)
    return [rng.randrange(1 << 32) for _ in range(count)]


class Unrolled(InFolder):
    def test_random_models_compute_what_the_runtime_does(self):
        worst, kinds = 0.0, set()
        for seed in seeds(150):
            one = random_recurrent(seed)
            with self.subTest(f"{one}"):
                inputs = {name: values[0] for name, values in one.drawn(1, seed).items()}
                by_time = {name: array.swapaxes(0, 1) for name, array in inputs.items()} if one.images_first else inputs
                want = Session(one.by_time().proto()).run(by_time)  # the runtime has no layout 1
                graph = self.prepared(one.proto())
                self.assertFalse({node.op_type for node in graph.nodes} & {"LSTM", "GRU"})
                have = Session(graph.proto()).run(inputs)
                for name in graph.outputs:
                    expected = np.moveaxis(want[name], -2, 0) if one.images_first else want[name]
                    self.assertEqual(have[name].shape, expected.shape)
                    worst = max(worst, float(np.abs(have[name] - expected).max()))
                self.assertLess(worst, 2e-6)
                kinds.add((one.kind, one.direction, one.images_first, one.state))
        print(f"150 models of {len(kinds)} kinds, largest difference {worst:.2g}")
        self.assertGreater(len(kinds), 30)

    def test_older_models(self):
        for opset in (7, 9, 11, 12):
            for kind in ("LSTM", "GRU"):
                with self.subTest(kind, opset=opset):
                    one = Recurrent(kind, direction="bidirectional", before_reset=1)
                    model = one.proto()
                    model.opset_import[0].version = opset
                    node = model.graph.node[0]
                    del node.attribute[next(i for i, a in enumerate(node.attribute) if a.name == "layout")]
                    inputs = {name: values[0] for name, values in one.drawn(1).items()}
                    want, have = Session(one.proto()).run(inputs), Session(self.prepared(model).proto()).run(inputs)
                    for name in ("y", "y_h"):
                        np.testing.assert_allclose(have[name], want[name], atol=2e-6)

    def test_what_takes_one_step_takes_its_value(self):
        """As exporters write the last step; then nothing puts all steps behind each other."""
        one = Recurrent("GRU", time=5, hidden=3, wanted=(0,))
        ints = {"one": [1], "last": -1, "third": 2, "first_axis": [0], "minus": [-1], "end": [1 << 40]}
        for text, nodes in {
            "the last of [time, images, hidden]": [("Squeeze", "y one", "s", {}), ("Gather", "s last", "out", {"axis": 0})],
            "the third of [images, time, hidden]": [("Squeeze", "y one", "s", {}), ("Transpose", "s", "t", {"perm": [1, 0, 2]}),
                                                    ("Gather", "t third", "out", {"axis": 1})],
            "a Slice": [("Slice", "y minus end first_axis", "out", {})],
            "before the Squeeze": [("Gather", "y last", "g", {"axis": 0}), ("Squeeze", "g first_axis", "out", {})],
        }.items():  # fmt: skip
            with self.subTest(text):
                model = one.proto()
                model.graph.node.extend(helper.make_node(kind, names.split(), [out], **more) for kind, names, out, more in nodes)
                model.graph.initializer.extend(numpy_helper.from_array(np.array(n, np.int64), name) for name, n in ints.items())
                model.graph.output[0].name = "out"
                graph = self.prepared(model)
                self.assertNotIn("Concat", {node.op_type for node in graph.nodes})
                inputs = {name: values[0] for name, values in one.drawn(1).items()}
                want, have = (Session(m).run(inputs)["out"] for m in (model, graph.proto()))
                self.assertEqual(have.shape, want.shape)
                np.testing.assert_allclose(have, want, atol=2e-6)
                if "third" in text:  # what comes later is gone
                    self.assertFalse([node for node in graph.nodes if node.output[0].startswith("y.3.")])
        model = one.proto()
        model.graph.node.append(helper.make_node("Gather", ["y", "two"], ["out"], axis=0))  # two steps are not one
        model.graph.initializer.append(numpy_helper.from_array(np.array([0, 4], np.int64), "two"))
        model.graph.output[0].name = "out"
        self.assertIn("Concat", {node.op_type for node in self.prepared(model).nodes})

    def test_operands_that_say_nothing(self):
        """Peepholes of zeros, the default functions by their names."""
        one = Recurrent("LSTM", operands={7: np.zeros((1, 18), np.float32)}, more={"activations": ["Sigmoid", "Tanh", "Tanh"]})
        inputs = {name: values[0] for name, values in one.drawn(1).items()}
        np.testing.assert_allclose(Session(self.prepared(one.proto()).proto()).run(inputs)["y"], Session(one.proto()).run(inputs)["y"], atol=2e-6)


class Quantized(InFolder):
    def test_random_models_on_the_machine(self):
        tensors = elements = 0
        for number, seed in enumerate(seeds(10)):
            one = random_recurrent(seed)
            with self.subTest(f"{one}"):
                runs = one.drawn(6, seed)
                result, workload, model = self.quantized(one.proto(), runs, per_channel=number % 3 > 0)
                self.assertEqual(result.notes, ())
                found = compare(workload, model, {name: values[0] for name, values in runs.items()}, ("edge16", "odd7x13", "tiny8")[number % 3])
                self.assertEqual(found[2], [])
                self.assertGreater(min(result.outputs.values()), 15)
                tensors, elements = tensors + found[0], elements + found[1]
        print(f"10 random models: {tensors} tensors, {elements} elements equal")
        self.assertGreater(tensors, 200)

    def test_weights_stand_once_in_the_model(self):
        """However many steps there are; each step is a layer of the workload, and has its copy there."""
        sizes, layers = {}, {}
        for time in (3, 9):
            one = Recurrent("LSTM", time=time, inputs=8, hidden=12, direction="bidirectional")
            _, workload, model = self.quantized(one.proto(), one.drawn(4))
            arrays = [numpy_helper.to_array(t) for t in model.graph.initializer]
            sizes[time] = sum(a.size for a in arrays if a.dtype == np.int8 and a.ndim == 2)
            layers[time] = sum(a.size for name, a in workload.tensors.items() if name.endswith(".weight") and a.shape == (12, 12))
        self.assertEqual(sizes, dict.fromkeys((3, 9), 2 * 4 * 12 * (8 + 12)))
        self.assertEqual(layers, {time: 2 * 4 * 12 * 12 * (time - 1) for time in (3, 9)})

    def test_long_sequences(self):
        """Steps further apart than an instruction's window reaches."""
        one = Recurrent("GRU", time=260, inputs=1, hidden=2, wanted=(1,))
        result, workload, model = self.quantized(one.proto(), one.drawn(2))
        tensors, _, wrong, _ = compare(workload, model, {name: values[0] for name, values in one.drawn(1).items()}, "edge16")
        self.assertEqual((wrong, result.notes), ([], ()))
        note = next(note for note in workload.notes if "a Slice" in note)
        self.assertRegex(note, r"^layers `[^`]+`, `[^`]+`, `[^`]+`, `[^`]+` and 7\d\d more: a Slice, as a convolution with ones and zeros: the mac")

    def test_compressed_cells(self):
        """A compressed network is a float model whose steps stand in it: the runtime's optimizer has made Gemms of products and sums, and moved Transposes."""
        network = lstm(time=5)
        path, images = self.saved(network.proto()), np.random.default_rng(1).normal(size=(12, *network.shape[1:])).astype(np.float32)
        for options in ({"weights": 0.5}, {"low_rank": 0.6}):
            with self.subTest(options):
                gemel.compress(path, self.folder / "small.onnx", **options)
                result, workload, model = self.quantized(onnx.load(self.folder / "small.onnx"), images)
                tensors, _, wrong, _ = compare(workload, model, {INPUT: images[:1]}, "tiny8")
                self.assertEqual((wrong, result.notes), ([], ()))
                self.assertGreater(tensors, 150)

    def test_slices_of_any_dimension(self):
        """Of images in any order, the first dimension among them."""
        rng = np.random.default_rng(11)
        for permutation in ((0, 1, 2, 3), (0, 2, 3, 1), (2, 0, 3, 1), (3, 1, 0, 2)):
            for axis in range(4):
                n = Network("slices", (2, 3, 7, 5), 3)
                x = n.node("Transpose", [n.conv(INPUT, 6, 3, norm=False)], perm=permutation)
                length = (2, 6, 7, 5)[permutation[axis]]
                begin = int(rng.integers(0, length))
                end, step = int(rng.integers(begin + 1, length + 1)), int(rng.integers(1, 4))
                n.outputs = [n.node("Slice", [x, *(n.constant(np.array([number], np.int64)) for number in (begin, end, axis, step))])]
                with self.subTest(permutation=permutation, axis=axis, cut=(begin, end, step)):
                    images = rng.normal(size=(4, 3, 7, 5)).astype(np.float32)
                    result, workload, model = self.quantized(n.proto(), images)
                    _, _, wrong, _ = compare(workload, model, {INPUT: images[:2]}, "odd7x13")
                    self.assertEqual((wrong, result.notes), ([], ()))

    def test_crops(self):
        """A window with one weight that is not 0 takes those places, and no more."""
        rng = np.random.default_rng(9)
        for _ in range(3000):
            length = int(rng.integers(1, rng.choice([8, 80, 1200])))
            step = int(rng.integers(1, min(length, 12) + 1))
            first = int(rng.integers(0, length))
            places = np.arange(first, length, step)[: int(rng.integers(1, 20))]
            if places.size > 1 and length - 1 - places[-1] > 200 * 63:
                continue
            crop = _crop(places, length)
            line = np.concatenate([np.full(crop.before, -1), np.arange(length), np.full(crop.after, -1)])
            span = (crop.weights - 1) * crop.apart + 1
            self.assertEqual([line[at + crop.one * crop.apart] for at in range(0, line.size - span + 1, crop.stride)], places.tolist())
            self.assertLessEqual(max(crop.weights, crop.stride, crop.before, crop.after), MOST_WINDOW)
            self.assertLessEqual(crop.apart, MOST_APART)

    def test_accuracy_of_whole_runs(self):
        """Time first: no dimension of the input counts images."""
        for state in ("none", "input"):
            one = Recurrent("LSTM", time=4, hidden=8, wanted=(1,), state=state)
            runs = one.drawn(9)
            self.quantized(one.proto(), runs)
            np.savez(self.folder / "runs.npz", labels=np.arange(9) % 8, **runs)
            found = gemel.accuracy(self.folder / "int8.onnx", self.folder / "runs.npz", beside=[self.folder / "int8.onnx"])
            self.assertEqual((found.images, found.batch, found.counts[1].agree), (9, 1, 9))
            session = Session(onnx.load(self.folder / "int8.onnx"))
            expected = [session.run({name: values[i] for name, values in runs.items()})["y_h"].argmax() for i in range(9)]
            self.assertEqual(found.counts[0].predictions.tolist(), expected)
        images = np.zeros((8, 1, 5), np.float32)
        one = Recurrent("LSTM", time=4, hidden=6, wanted=(1,))
        self.quantized(one.proto(), images)
        with self.assertRaises(gemel.UserError) as raised:
            gemel.accuracy(self.folder / "int8.onnx", images)
        self.assertEqual(str(raised.exception), "error[E1214]: the first output has the shape [1, 1, 1, 6], so there is not one for each of 4 images\n"
                         "hint: if the first dimension of the inputs counts no images, give arrays with one dimension more, the number of runs")  # fmt: skip


class Messages(InFolder):
    def refused(self, model: onnx.ModelProto, text: str, load=load_float) -> None:
        path = self.saved(model)
        with self.assertRaises(ModelError) as raised:
            prepare(load(path))
        self.assertEqual(str(raised.exception).replace(str(path), "cell.onnx"), text)

    def test_everything_that_is_not_supported_at_once(self):
        one = Recurrent("LSTM", time=4, images=2, operands={4: np.array([4, 3], np.int32), 7: np.ones((1, 18), np.float32)},
                        more={"activations": ["Sigmoid", "Relu", "Tanh"], "clip": 2.0, "input_forget": 1})  # fmt: skip
        model = one.proto()
        two = Recurrent("GRU", time=4, images=2, more={"activations": ["HardSigmoid", "Tanh"]}).proto()
        node = two.graph.node[0]
        node.input[:] = ["x", *(f"{name}_2" for name in node.input[1:])]
        node.output[:] = ["other", "other_h"]
        model.graph.node.append(node)
        for t in two.graph.initializer:
            t.name += "_2"
            model.graph.initializer.append(t)
        model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
        self.refused(model, """error[E1105]: LSTM `y`: sequence_lens is [4, 3]
  cell.onnx
  supported: none, or 4, the length of X, everywhere
hint: export the model for sequences of one length
error[E1105]: LSTM `y`: P (peepholes) is other than zeros
  cell.onnx
  supported: none, or zeros
hint: train the network without peepholes
error[E1105]: LSTM `y`: activations is Sigmoid, Relu, Tanh
  cell.onnx
  supported: Sigmoid, Tanh, Tanh
error[E1105]: LSTM `y`: clip is 2.0
  cell.onnx
  supported: none
hint: train the network without it
error[E1105]: LSTM `y`: input_forget is 1
  cell.onnx
  supported: 0
error[E1105]: GRU `other`: activations is HardSigmoid, Tanh
  cell.onnx
  supported: Sigmoid, Tanh""")

    def test_too_many_steps(self):
        self.refused(Recurrent("GRU", time=600, inputs=1, hidden=1, direction="bidirectional", wanted=(1,)).proto(),
                     "error[E1105]: GRU `y_h`: steps is 1200\n  cell.onnx\n  supported: at most 1024, of all directions\n"
                     "hint: cut sequences, and give the state of one to the next")  # fmt: skip

    def test_computed_weights(self):
        model = Recurrent("LSTM", wanted=(0,)).proto()
        model.graph.node.insert(0, helper.make_node("Mul", ["scale", "r"], ["r2"]))
        model.graph.node[1].input[2] = "r2"
        model.graph.input.append(helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1, 1, 1]))
        self.refused(model, "error[E1105]: LSTM `y`: R is computed by the network\n  cell.onnx\n  supported: a constant")

    def test_importing_one_as_it_is(self):
        """The importer takes what is quantized, and says who unrolls."""
        with self.assertRaises(ModelError) as raised:
            import_model(self.saved(Recurrent("LSTM").proto()))
        self.assertIn("the model is not quantized to 8 bits", str(raised.exception))
        model = Recurrent("LSTM").proto()
        for name in ("s", "z"):
            model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1) if name == "s" else np.int8(0), name))
        model.graph.node.insert(0, helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]))
        model.graph.node.insert(1, helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]))
        model.graph.node[2].input[0] = "d"
        with self.assertRaises(ModelError) as raised:
            import_model(self.saved(model))
        self.assertIn("node 2, LSTM `y`: there is no such operator in Gemel", str(raised.exception))
        self.assertIn("hint: its steps are layers of a network that `gemel quantize` makes of the float32 model", str(raised.exception))

    def test_inputs_that_count_no_images(self):
        one = Recurrent("LSTM", state="input", wanted=(1,))
        path = self.saved(one.proto())
        with self.assertRaises(gemel.UserError) as raised:
            gemel.quantize(path, {name: values.reshape(-1, *values.shape[2:]) for name, values in one.drawn(3).items()})
        self.assertEqual(str(raised.exception),
                         "error[E1214]: the network's inputs have different first dimensions (`x` [4, 1, 5], `h` [1, 1, 6], `c` [1, 1, 6]), so they are no "
                         "numbers of images\nhint: give each array one dimension more, the number of runs: "
                         "numpy.stack([input of the first run, of the second, ...])")  # fmt: skip


if __name__ == "__main__":
    unittest.main(verbosity=2)
