# SPDX-License-Identifier: Apache-2.0
"""The two forms that Brevitas writes: QCDQ (QuantizeLinear, Clip, DequantizeLinear) and QONNX (Quant). One network in both gives one workload, byte for
byte; that of the first form, which ONNX Runtime runs, equals it in every tensor."""

import os
import random
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
from onnx import TensorProto, helper, numpy_helper
from onnx_reference import compare

from gemel.importer import import_model

COUNT = 20  # networks
QONNX = "qonnx.custom_op.general"


class Writer:
    """Convolutions and a matrix product with weights and activations of few bits; `mixed`: input and output signed, what is between them not."""

    def __init__(self, qonnx: bool, seed: int, mixed: bool):
        self.qonnx, self.mixed, self.rng = qonnx, mixed, np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array) -> str:
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def quant(self, source: str, name: str, scale, bits: int, signed: bool, narrow: bool, **more) -> str:
        operands = [source, self.constant(np.float32(scale)), self.constant(np.float32(0)), self.constant(np.float32(bits))]
        return self.node("Quant", operands, name, QONNX, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND")

    def activation(self, source: str, name: str, scale: float, bits: int, signed: bool) -> str:
        if self.qonnx:
            return self.quant(source, name, scale, bits, signed, False)
        kind = np.int8 if signed else np.uint8
        numbers = [self.constant(np.float32(scale)), self.constant(kind(0))]
        inner = self.node("QuantizeLinear", [source, *numbers], f"{name}_quantized")
        if bits < 8:
            low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
            inner = self.node("Clip", [inner, self.constant(kind(low)), self.constant(kind(high))], f"{name}_clipped")
        return self.node("DequantizeLinear", [inner, *numbers], name)

    def parameters(self, name: str, integers: np.ndarray, scale: np.ndarray, bits: int, axis: int) -> str:
        """Constants with a scale for each channel."""
        along = [1] * integers.ndim
        along[axis] = -1
        if self.qonnx:
            real = integers.astype(np.float32) * scale.reshape(along)
            operands = [self.constant(real), self.constant(scale.reshape(along)), self.constant(np.float32(0)), self.constant(np.float32(bits))]
            return self.node("Quant", operands, name, QONNX, signed=1, narrow=int(bits == 8), rounding_mode="ROUND")
        inner = self.constant(integers)
        if integers.dtype == np.int8:
            low, high = -(1 << (bits - 1)) + (bits == 8), (1 << (bits - 1)) - 1
            inner = self.node("Clip", [inner, self.constant(np.int8(low)), self.constant(np.int8(high))], f"{name}_clipped")
        numbers = [self.constant(scale), self.constant(np.zeros(scale.size, integers.dtype))]
        return self.node("DequantizeLinear", [inner, *numbers], name, axis=axis)

    def proto(self) -> onnx.ModelProto:
        rng = self.rng
        bits, weight_bits = int(rng.integers(2, 9)), int(rng.integers(2, 9))
        x = self.activation("image", "x", 0.02, 8, self.mixed)
        scale, depth = np.float32(0.02), 3
        for i in range(2):
            out, kernel = int(rng.integers(3, 9)), int(rng.integers(1, 4))
            half = (1 << (weight_bits - 1)) - 1
            integers = rng.integers(-half, half + 1, (out, depth, kernel, kernel)).astype(np.int8)
            scales = rng.uniform(0.01, 0.1, out).astype(np.float32)
            w = self.parameters(f"w{i}", integers, scales, weight_bits, 0)
            b = self.parameters(f"b{i}", rng.integers(-200, 200, out).astype(np.int32), scale * scales, 32, 0)
            y = self.node("Relu", [self.node("Conv", [x, w, b], f"conv{i}", pads=[1] * 4)], f"relu{i}")
            scale, depth = np.float32(rng.uniform(0.05, 0.5)), out
            x = self.activation(y, f"a{i}", scale, bits, False)
        x = self.node("Reshape", [x, self.constant(np.array([1, -1], np.int64))], "flat")
        outputs = 5
        size = 10
        graph_inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])]
        inner = self.inner(size, depth)
        integers = rng.integers(-1, 2, (outputs, inner)).astype(np.int8)
        w = self.parameters("w", integers, rng.uniform(0.01, 0.1, outputs).astype(np.float32), weight_bits, 0)
        y = self.activation(self.node("Gemm", [x, w], "scores", transB=1), "y", 0.3, 8, self.mixed)
        graph = helper.make_graph(self.nodes, "g", graph_inputs, [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)], ir_version=8)

    def inner(self, size: int, depth: int) -> int:
        """Elements of an image behind the convolutions."""
        for node in self.nodes:
            if node.op_type == "Conv":
                shape = next(c.dims for c in self.constants if c.name == self.maker(node.input[1]))
                size = size + 2 - shape[2] + 1
        return depth * size * size

    def maker(self, value: str) -> str:
        """The constant from which a parameter comes."""
        for node in self.nodes:
            if node.output[0] == value:
                return self.maker(node.input[0])
        return value


def contents(workload) -> tuple[str, dict]:
    """Without comment and description, which name the file."""
    text = workload.text("tensors").splitlines()
    return "\n".join(line for line in text if not line.startswith(("#", "description"))), workload.tensors


@unittest.skipIf(onnx_reference.missing(), onnx_reference.missing())
@unittest.skipUnless(Path(onnx_reference.gemel_program()).is_file(), f"{onnx_reference.gemel_program()} is not built")
class Brevitas(unittest.TestCase):
    def test_both_forms(self):
        first = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 30))
        print(f"GEMEL_SEED={first}")
        tensors = elements = clamps = differing = 0
        for seed in range(first, first + COUNT):
            with self.subTest(seed), tempfile.TemporaryDirectory() as folder:
                made = []
                for qonnx in (False, True):
                    path = Path(folder) / "net.onnx"
                    mixed = seed % 2 == 1
                    model = Writer(qonnx, seed, mixed).proto()
                    path.write_bytes(model.SerializeToString())
                    made.append((model, import_model(path, nearest=mixed)))
                (text, numbers), (other, others) = (contents(workload) for _, workload in made)
                self.assertEqual(text, other)
                self.assertEqual(set(numbers), set(others))
                for name, array in numbers.items():
                    self.assertEqual((array.dtype, array.shape, array.tobytes()), (others[name].dtype, others[name].shape, others[name].tobytes()), name)
                clamps += text.count("clamp:")
                image = np.random.default_rng(seed).normal(size=(1, 3, 10, 10)).astype(np.float32)
                model, workload = made[0]
                count, size, wrong, nodes = compare(workload, model, {"image": image}, "edge16")
                self.assertEqual([] if mixed else wrong, [])
                differing += len(wrong)
                self.assertEqual(nodes["Conv"] + nodes["Gemm"], 2 if mixed else 0, f"in float32: {dict(nodes)}")
                self.assertEqual(sum("is float32 in ONNX Runtime" in note for note in workload.notes), 2 if mixed else 0)
                tensors, elements = tensors + count, elements + size
        print(
            f"{COUNT} of {COUNT} networks: both forms give one workload ({clamps} clamps to fewer bits), {tensors} tensors, {elements} elements compared; "
            f"of what the runtime computes in float32, {differing} tensors differ"
        )
        self.assertGreater(clamps, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
