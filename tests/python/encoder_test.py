# SPDX-License-Identifier: Apache-2.0
"""Transformer encoders: prepared they compute the same function, quantized every tensor is equal on the simulated machine, and channels that are much larger
than the others cost no accuracy. GEMEL_SEED=N replays the random models."""

import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnx_reference
import packaged  # noqa: F401
from encoders import Encoder
from onnx import TensorProto, helper, numpy_helper
from onnx_reference import compare, gemel_program, simulate

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import gemel  # noqa: E402
from gemel.importer import ModelError, import_model  # noqa: E402
from gemel.rewrite import residual  # noqa: E402
from gemel.rewrite.graph import load_float  # noqa: E402
from gemel.rewrite.images import Images  # noqa: E402
from gemel.rewrite.prepare import prepare  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402

MACHINES = ("edge16", "odd7x13", "tiny8")


def generator() -> np.random.Generator:
    seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"GEMEL_SEED={seed}")
    return np.random.default_rng(seed)


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-encoder-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def saved(self, model: onnx.ModelProto, name: str = "encoder.onnx") -> Path:
        onnx.save(model, self.folder / name)
        return self.folder / name


class Encoders(InFolder):
    def test_the_prepared_network_is_the_same_function(self):
        rng = generator()
        for opset in (17, 13):
            with self.subTest(opset=opset):
                self.prepared(Encoder(rng, outlier=30, opset=opset))

    def prepared(self, encoder: Encoder) -> None:
        graph = load_float(self.saved(encoder.proto()))
        before, data = Session(graph.proto()), encoder.sentences(4)
        prepare(graph)
        kinds = [node.op_type for node in graph.nodes]
        self.assertEqual(kinds.count("LayerNormalization"), 5)
        self.assertEqual(graph.opset, 17)
        self.assertEqual(kinds.count("Gemm"), 12)
        self.assertEqual(kinds.count("MatMul"), 4)  # of two computed operands
        self.assertEqual(kinds.count("Div"), 2)  # of the Gelus; the scores' are in the weights of the queries
        after = Session(graph.proto())
        prepared = {name: before.run({k: v[:1] for k, v in data.items()})[name] for name in graph.outputs}
        images = Images(data, {name: graph.shapes[name] for name in graph.inputs})
        done = residual.balance(graph, residual.largest(graph, images, 4, lambda *_: None), 2)
        self.assertRegex(done, r"^\d+ channels of \d residual sums divided by powers of two up to \d+$")
        balanced = Session(graph.proto())
        for i in range(4):
            inputs = {k: v[i : i + 1] for k, v in data.items()}
            wanted, made = before.run(inputs)["hidden"], after.run(inputs)["hidden"]
            np.testing.assert_allclose(made, wanted, atol=2e-4)
            np.testing.assert_allclose(balanced.run(inputs)["hidden"], made, atol=2e-5)  # powers of two: the order of sums alone may differ
        self.assertEqual(prepared["hidden"].shape, (1, 12, 32))

    def test_every_tensor_is_equal_on_the_machine(self):
        rng = generator()
        tensors = elements = 0
        for i in range(4):
            heads = int(rng.integers(1, 5))
            encoder = Encoder(rng, opset=13 if i == 3 else 17, outlier=30 * (i % 2), length=int(rng.integers(3, 20)), channels=8 * heads, heads=heads,
                              layers=int(rng.integers(1, 3)))  # fmt: skip
            out, data = self.folder / f"{i}.onnx", encoder.sentences(8)
            result = gemel.quantize(self.saved(encoder.proto()), data, out)
            self.assertFalse([note for note in result.notes if note.startswith("stay in float32")], result.notes)
            workload = import_model(out)
            inputs = {k: v[:1] for k, v in encoder.sentences(1).items()}
            made = compare(workload, onnx.load(out), inputs, MACHINES[i % len(MACHINES)])
            self.assertEqual(made[2], [])
            self.assertEqual(made[3]["QLinearMatMul"], sum(layer.op == "grouped_matmul" for layer in workload.layers))
            tensors, elements = tensors + made[0], elements + made[1]
            host = {layer.op for layer in workload.layers} - {"matmul", "dense", "grouped_matmul", "add", "table", "reshape"}
            self.assertEqual(host, {"gather", "add_constant", "layer_norm", "transpose", "masked_softmax"})
        print(f"{tensors} tensors, {elements} elements equal")

    def test_several_sentences_at_a_time_are_each_alone(self):
        encoder = Encoder(generator(), layers=1)
        out, data = self.folder / "int8.onnx", encoder.sentences(8)
        gemel.quantize(self.saved(encoder.proto()), data, out)
        yaml, _ = import_model(out).save(self.folder / "net.yaml")
        given = [data["words"].astype(np.int32), data["mask"].astype(np.uint8)]
        alone = [simulate(yaml, "tiny8", [array[i : i + 1] for array in given])[0]["hidden"] for i in range(3)]
        files = []
        for i, array in enumerate(given):
            array[:3].tofile(self.folder / f"{i}.bin")
            files += ["--input", str(self.folder / f"{i}.bin")]
        tensors = self.folder / "tensors.safetensors"
        command = [gemel_program(), "run", str(yaml), "-m", "tiny8", "--batch", "3", "--save-tensors", str(tensors), "--quiet", *files]
        subprocess.run(command, check=True, env={**os.environ, "GEMEL_HOME": str(packaged.ROOT)})
        from gemel.tensors import read_safetensors

        np.testing.assert_array_equal(read_safetensors(tensors)["hidden"], np.concatenate(alone))

    def test_a_large_channel_costs_no_accuracy(self):
        for outlier in (0, 60):
            encoder = Encoder(np.random.default_rng(3), outlier=outlier)
            path, data = self.saved(encoder.proto()), encoder.sentences(16)
            balanced = gemel.quantize(path, data, self.folder / "int8.onnx")
            with mock.patch.object(residual, "TYPICAL", ()):
                plain = gemel.quantize(path, data, self.folder / "int8.onnx")
            print(f"a channel of {outlier}: {plain.outputs['hidden']:.1f} dB, with factors {balanced.outputs['hidden']:.1f} dB")
            self.assertGreaterEqual(balanced.outputs["hidden"], plain.outputs["hidden"] + (6 if outlier else 0))

    def test_what_the_host_does_is_told(self):
        encoder = Encoder(np.random.default_rng(4), layers=2)
        out = self.folder / "int8.onnx"
        gemel.quantize(self.saved(encoder.proto()), encoder.sentences(8), out)
        yaml, _ = import_model(out).save(self.folder / "net.yaml")
        command = [gemel_program(), "run", str(yaml), "-m", "edge16", "--out", str(self.folder / "run")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "GEMEL_HOME": str(packaged.ROOT)})  # synthetic words
        self.assertIn("13 operators (gather, add_constant, 5 layer_norm, 4 transpose, 2 masked_softmax)", done.stdout)
        written = json.loads((self.folder / "run" / "result.json").read_text(encoding="utf-8"))
        self.assertEqual(len(written["host_steps"]["operators"]), 13)


class Refusals(InFolder):
    """Integer inputs that are neither indices nor a mask."""

    def refused(self, nodes, constants, text: str) -> None:
        inputs = [helper.make_tensor_value_info("words", TensorProto.INT64, [1, 4])]
        numbers = {"s": np.float32(0.1), "z": np.int8(0), "table": np.ones((9, 2), np.float32), **constants}
        constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in numbers.items()]
        graph = helper.make_graph(nodes, "one", inputs, [helper.make_tensor_value_info("y", TensorProto.INT8, None)], constants)
        path = self.saved(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "m.onnx")
        with self.assertRaises(ModelError) as caught:
            import_model(path)
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."), text)

    def test_an_index_that_is_a_number_as_well(self):
        nodes = [helper.make_node("Gather", ["table", "words"], ["rows"]), helper.make_node("QuantizeLinear", ["rows", "s", "z"], ["y"]),
                 helper.make_node("Cast", ["words"], ["real"], to=TensorProto.FLOAT),
                 helper.make_node("QuantizeLinear", ["real", "s", "z"], ["q"])]  # fmt: skip
        self.refused(nodes, {}, "error[E1105]: node 2, Cast `real`: `words` is read as indices and as numbers\n  ./m.onnx\n  supported: one of both")

    def test_a_gather_along_another_dimension(self):
        nodes = [helper.make_node("Gather", ["table", "words"], ["rows"], axis=1), helper.make_node("QuantizeLinear", ["rows", "s", "z"], ["y"])]
        self.refused(nodes, {}, "error[E1105]: node 0, Gather `rows`: axis is 1\n  ./m.onnx\n  supported: 0")

    def test_integers_where_bytes_are_read(self):
        nodes = [helper.make_node("QuantizeLinear", ["words", "s", "z"], ["y"])]
        self.refused(nodes, {}, "error[E1105]: node 0, QuantizeLinear `y`: operand `words` is an integer input of the model\n  ./m.onnx\n  supported: float32\n"
                     "hint: supported of such: indices of a Gather, and a mask before a Softmax, behind a Cast to float32")


if __name__ == "__main__":
    unittest.main(verbosity=2)
