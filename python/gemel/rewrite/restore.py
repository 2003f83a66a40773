# SPDX-License-Identifier: Apache-2.0
"""Models that are quantized in their weights alone, or while they run (ONNX Runtime's quantize_dynamic), as float32 models again: the machine needs scales that
are known before. Their weights keep the values that their integers have, so that a quantizer with one scale per channel finds the same integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from ..importer.ort import dequantized_constant
from .names import unique_name
from .runtime import onnx

from onnx import helper, numpy_helper  # isort: skip  (runtime has said so if there is no onnx)

Constants = dict[str, np.ndarray]


def restore(model: onnx.ModelProto, constants: Constants, file: str, narrow: Container[str] = ()) -> int:
    """Changes the model. `narrow`: constants of less than 8 bits, and floats of 8, which `constants` has as wider types. How many layers and constants were
    restored. ModelError E1105: weights that the network computes, or in an unknown form."""
    return _Restorer(model, constants, file, narrow).run()


class _Restorer:
    def __init__(self, model: onnx.ModelProto, constants: Constants, file: str, narrow: Container[str]):
        self.model, self.file, self.narrow = model, file, narrow
        self.constants: Constants = dict(constants)
        self.made: Constants = {}
        self.same: dict[str, str] = {}  # value -> that which stands in its place
        self.floats: set[str] = set()
        self.products: dict[str, str] = {}  # integer results, in float32 now -> their weights
        self.count = 0
        self.outputs = {value.name for value in model.graph.output}
        self.readers = Counter(name for node in model.graph.node for name in node.input)
        self.taken = {name for node in model.graph.node for name in (*node.input, *node.output)} | set(constants)

    def run(self) -> int:
        kept = []
        for node in self.model.graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = self.same.get(name, name)
            new = self.replaced(node)
            if new is not None:
                kept.append(new)
        if self.count:
            read = {name for node in kept for name in node.input} | self.outputs
            old = [t for t in self.model.graph.initializer if t.name in read and t.name not in self.made]
            del self.model.graph.node[:], self.model.graph.initializer[:]
            self.model.graph.node.extend(kept)
            self.model.graph.initializer.extend(old)
            self.model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in self.made.items() if name in read)
        return self.count

    def replaced(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        is_output = bool(self.outputs & set(node.output))
        if node.op_type not in HANDLED or (node.op_type in CONSTANTS and is_output):
            return node
        try:
            new: onnx.NodeProto | None = getattr(self, f"_{node.op_type.lower()}")(node)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            name = node.output[0] if node.output else ""
            raise ModelError(Diagnostic("E1103", f"the model is damaged: {node.op_type} `{name}` has constants that do not fit: {error}", self.file)) from None
        if new is None and is_output:  # which must have a maker
            return helper.make_node("Identity", [self.same[node.output[0]]], [node.output[0]])
        return new

    def product(self, node: onnx.NodeProto, weight: str) -> None:
        """Integers in the original, float32 now."""
        self.floats.add(node.output[0])
        if self.readers[node.output[0]] == 1:
            self.products[node.output[0]] = weight

    def unique(self, wanted: str) -> str:
        return unique_name(self.taken, wanted)

    def set(self, name: str, array: np.ndarray) -> None:
        self.made[name] = self.constants[name] = np.ascontiguousarray(array) if array.ndim else array

    def weights(self, node: onnx.NodeProto, at: int, what: str) -> np.ndarray:
        array = self.constants.get(node.input[at]) if len(node.input) > at else None
        if array is None:
            message = f"{node.op_type} `{node.output[0]}`: its {what} is computed by the network"
            raise ModelError(Diagnostic("E1105", message, self.file, "supported: a constant"))
        return array

    def optional(self, node: onnx.NodeProto, at: int, what: str) -> np.ndarray | None:
        return self.weights(node, at, what) if len(node.input) > at and node.input[at] else None

    # ---- what is replaced

    def _dequantizelinear(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Of constants; of what the network computes it stays, and is told."""
        if node.input[0] not in self.constants:
            return node
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        data, scale = self.constants[node.input[0]], self.weights(node, 1, "scale")
        zero = self.optional(node, 2, "zero point")
        if data.dtype.kind not in "iu" and node.input[0] not in self.narrow:
            raise ModelError(Diagnostic("E1106", f"DequantizeLinear `{node.output[0]}` is of {data.dtype}", self.file, "supported: integers, float8, float4"))
        self.set(node.output[0], dequantized_constant(data, scale, zero, given.get("axis", 1), given.get("block_size", 0)))
        self.count += 1
        return None

    def _dynamicquantizelinear(self, node: onnx.NodeProto) -> None:
        """x itself, with the scale 1."""
        self.same[node.output[0]] = node.input[0]
        self.set(node.output[1], np.array(1, np.float32))
        self.set(node.output[2], np.array(0, np.uint8))

    def _integers(self, node: onnx.NodeProto, at: int, zero_at: int, along: tuple[int, ...]) -> str:
        """Weights without their zero point, in float32. `along`: the shape of a zero point for each output."""
        w, zero = self.weights(node, at, "weights"), self.optional(node, zero_at, "zero point of the weights")
        if w.dtype not in (np.int8, np.uint8):
            raise ModelError(Diagnostic("E1106", f"{node.op_type} `{node.output[0]}`: its weights are {w.dtype}", self.file, "supported: int8, uint8"))
        whole = w.astype(np.int32) - (0 if zero is None else zero.astype(np.int32).reshape(along) if zero.size > 1 else int(zero.reshape(-1)[0]))
        name = self.unique(f"{node.output[0]}_weight")
        self.set(name, whole.astype(np.float32))
        self.count += 1
        return name

    def _matmulinteger(self, node: onnx.NodeProto) -> onnx.NodeProto:
        weight = self._integers(node, 1, 3, (1, -1))
        self.product(node, weight)
        return helper.make_node("MatMul", [node.input[0], weight], [node.output[0]], name=node.name)

    def _convinteger(self, node: onnx.NodeProto) -> onnx.NodeProto:
        w = self.weights(node, 1, "weights")
        weight = self._integers(node, 1, 3, (-1,) + (1,) * (w.ndim - 1))
        self.product(node, weight)
        new = helper.make_node("Conv", [node.input[0], weight], [node.output[0]], name=node.name)
        new.attribute.extend(node.attribute)
        return new

    def _cast(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Of a product of integers, which is float32 already."""
        if node.input[0] not in self.floats:
            return node
        if self.readers[node.output[0]] != 1:
            self.products.pop(node.input[0], None)
        self.same[node.output[0]] = node.input[0]
        return None

    def _mul(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Of scales, and of a product with its scales, which go into the weights."""
        arrays = [self.constants.get(name) for name in node.input]
        if arrays[0] is not None and arrays[1] is not None:
            if node.output[0] in self.outputs:
                return node
            self.set(node.output[0], arrays[0] * arrays[1])
            return None
        at = 0 if arrays[0] is not None else 1
        product, scales = node.input[1 - at], arrays[at]
        weight = self.products.get(product)
        if weight is None or scales is None:
            return node
        w = self.constants[weight]
        by_output = scales.reshape(-1) if scales.size > 1 else scales.reshape(())
        matrix = w.ndim == 2
        if scales.size > 1 and (scales.size != w.shape[1 if matrix else 0] or (matrix and scales.shape[-1] != scales.size)):
            return node
        self.set(weight, w * (by_output if matrix or scales.size == 1 else by_output.reshape(-1, *(1,) * (w.ndim - 1))).astype(np.float32))
        self.same[node.output[0]] = product
        return None

    def _matmulnbits(self, node: onnx.NodeProto) -> onnx.NodeProto:
        given: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        bits, block, inner, outputs = (int(given.get(name, default)) for name, default in (("bits", 4), ("block_size", 0), ("K", 0), ("N", 0)))
        packed, scales = self.weights(node, 1, "weights"), self.weights(node, 2, "scales")
        zero = self.optional(node, 3, "zero points")
        if bits not in (2, 4, 8) or block < 1 or packed.dtype != np.uint8 or any(name for name in node.input[4:5]):
            raise ModelError(Diagnostic("E1105", f"MatMulNBits `{node.output[0]}`: it has {bits} bits in blocks of {block}", self.file,
                                        "supported: 2, 4 or 8 bits in uint8, without group indices"))  # fmt: skip
        blocks = -(-inner // block)
        if packed.size * 8 != outputs * blocks * block * bits or scales.size != outputs * blocks:
            raise ModelError(Diagnostic("E1105", f"MatMulNBits `{node.output[0]}`: it has {packed.size} bytes of weights and {scales.size} scales", self.file,
                                        f"supported: {outputs} x {blocks} blocks of {block}"))  # fmt: skip

        def unpacked(data: np.ndarray, length: int) -> np.ndarray:
            """[outputs, length] of rows of bytes, the lowest bits first."""
            rows = data.reshape(outputs, -1)
            parts = np.stack([rows >> shift & ((1 << bits) - 1) for shift in range(0, 8, bits)], -1)
            return parts.reshape(outputs, -1)[:, :length].astype(np.float32)

        if zero is None:
            offsets = np.full((outputs, blocks), 1 << (bits - 1), np.float32)
        else:
            offsets = unpacked(zero, blocks) if zero.dtype == np.uint8 else zero.astype(np.float32).reshape(outputs, blocks)
        whole = unpacked(packed, blocks * block).reshape(outputs, blocks, block) - offsets[:, :, None]
        real = (whole * scales.astype(np.float32).reshape(outputs, blocks, 1)).reshape(outputs, -1)[:, :inner]
        name = self.unique(f"{node.output[0]}_weight")
        self.set(name, real.T)
        self.count += 1
        bias = node.input[5] if len(node.input) > 5 else ""
        if not bias:
            return helper.make_node("MatMul", [node.input[0], name], [node.output[0]], name=node.name)
        return helper.make_node("Gemm", [node.input[0], name, bias], [node.output[0]], name=node.name)


CONSTANTS = {"DequantizeLinear", "DynamicQuantizeLinear"}  # what they make is a constant, or of another type
HANDLED = {"Cast", "ConvInteger", "MatMulInteger", "MatMulNBits", "Mul", *CONSTANTS}
