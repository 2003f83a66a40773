# SPDX-License-Identifier: Apache-2.0
"""From the graph of an ONNX file to a workload: one walk over its nodes, in which everything that is not supported is collected.

A quantized network comes in two forms, which may be mixed: nodes on bytes (QLinearConv), and nodes in float32 between DequantizeLinear and QuantizeLinear.
The arithmetic is that of ONNX Runtime on x86, optimization level extended, with session.qdqisint8allowed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .messages import Diagnostic, Findings, ModelError, Refused

try:
    from .onnx_file import Node, read_onnx
except ImportError as error:
    raise ModelError(
        Diagnostic(
            "E1108", f"ONNX models need the package onnx, which {sys.executable} does not have: {error}",
            hint=f"install it: {sys.executable} -m pip install onnx; or let GEMEL_PYTHON name a Python that has it",
        )  # fmt: skip
    ) from None

from . import ort
from .layout import Layout
from .onnx_context import QUANTIZE_HINT, TYPES, Constant, Context, IntegerInput, Operation, Pending, Real, RealInput, Restart, Tensor
from .onnx_ops import FLOAT_PAIRS, OPERATORS, QLINEAR, check_function, operands
from .workload import Quantization, Workload, shape_text

REFERENCE = "ONNX Runtime (CPU, x86, optimization level extended, session.qdqisint8allowed=1)"
UNKNOWN_HINT = "docs/reference/onnx.md lists the operators; replace it in the model, or end the model before it"
f32 = np.float32


def import_onnx(path: Path, data: bytes, name: str | None, nearest: bool) -> Workload:
    """ModelError: E1101 to E1108."""
    graph = read_onnx(path, data)
    orders: dict = {}
    given: dict = {}
    while True:  # at most twice for each input
        workload = Workload(name or path.stem, f"{path.name}, imported; equals {REFERENCE}", "float")
        workload.comment = [
            f"Imported by Gemel from {path.name}, SHA-256 {graph.sha256}.",
            f"Every tensor equals that of {REFERENCE}.",
        ]
        try:
            return _Walk(Context(graph, workload, orders, given, nearest)).run()
        except Restart:
            continue


class _Walk:
    def __init__(self, context: Context):
        self.graph = context.graph
        self.context = context
        self.values = self.context.values
        self.found = Findings(context.graph.file)

    def run(self) -> Workload:
        workload, found = self.context.workload, self.found
        self.values.update({name: Constant(array, name) for name, array in self.graph.constants.items()})
        found.attempt("inputs", self.context.begin)
        unknown = []
        for node in self.graph.nodes:
            if not self.known(node):
                unknown.append(node)
            elif all(self.values.get(name) is not None for name in node.inputs if name):
                found.attempt(str(node), lambda node=node: self.node(node))
            for name in node.outputs:
                self.values.setdefault(name, None)
        for node in unknown:
            shapes = ", ".join(self.described(name) for name in node.inputs if name)
            found.add("E1104", f"{node}: there is no such operator in Gemel", f"its inputs: {shapes or 'none'}", hint_for(node))
        of_values = [n for n in self.graph.nodes if n.type != "DequantizeLinear" or n.inputs[0] not in self.graph.constants]
        quantized = any(n.type in ("QuantizeLinear", "DequantizeLinear", "Quant") or n.type in QLINEAR for n in of_values)
        weights = len(of_values) < len(self.graph.nodes) or any(n.type == "MatMulNBits" for n in of_values)
        if not quantized and not any(v.type in TYPES for v in self.graph.inputs):
            dynamic = any(n.type in DYNAMIC for n in self.graph.nodes)
            state = "quantized while it runs (dynamically)" if dynamic else "quantized in its weights alone" if weights else "not quantized to 8 bits"
            found.diagnostics.clear()
            hint = DYNAMIC_HINT if dynamic else f"its scales must be known before: {QUANTIZE_HINT}" if weights else QUANTIZE_HINT
            found.add("E1106", f"the model is {state}: it has no QuantizeLinear and no QLinear operator", hint=hint)
        found.attempt("outputs", self.context.end)
        for name in self.graph.outputs if not found.diagnostics else ():
            if self.values.get(name) is None:  # a second one of an operator that has one
                found.add("E1105", f"outputs: output `{name}` is made by no operator as Gemel has it", "supported: first outputs, and all of a Split")
        if not found.diagnostics and not workload.layers:
            found.nothing_left()
        found.raise_any()
        workload.drop_replaced()
        workload.join_notes()
        workload.layouts = self.context.layouts
        return workload

    def described(self, name: str) -> str:
        value = self.values.get(name)
        if isinstance(value, Constant):
            return f"{value.data.dtype} {shape_text(value.data.shape)}"
        if isinstance(value, Tensor):
            return f"{value.q.type} {shape_text(value.layout.shape)}"
        if isinstance(value, Real | RealInput):
            return f"float32 {shape_text(value.layout.shape)}"
        return f"`{name}`"

    def known(self, node: Node) -> bool:
        return node.type in NODES or node.type in OPERATORS or node.type in QLINEAR or node.type in FOLDED or node.type in VIEWS

    def node(self, node: Node) -> None:
        values = [self.values[name] if name else None for name in node.inputs]
        if not node.outputs or not node.outputs[0]:
            raise Refused("outputs", "none", "one")
        if values and all(isinstance(v, Constant) for v in values if v is not None) and node.type in FOLDED:
            self.values[node.outputs[0]] = Constant(self.fold(node, values), node.outputs[0])
        elif node.type in VIEWS:
            self.view(node, values)
        elif node.type in NODES:
            NODES[node.type](self, node, values)
        elif node.type in QLINEAR:
            self.qlinear(node, values)
        elif node.type in FOLDED and node.type not in (*OPERATORS, *FLOAT_PAIRS, *NODES):
            raise Refused("operands", "computed by the network", "constants")
        else:
            self.between(node, values)

    # ---- nodes on bytes

    def qlinear(self, node: Node, values: list) -> None:
        """Operands of the QOperator form: each with scale and zero point behind it."""
        kind = QLINEAR[node.type]
        c = self.context
        if kind == "Concat":
            self.qlinear_concat(node, values)
            return
        least = 8 if kind in ("Conv", "MatMul", "Add", "Mul") else 6 if kind == "Gemm" else 4
        if not least <= len(values) <= 9:
            raise Refused("operands", len(values), f"{least} to 9, scales and zero points among them")
        v = values + [None] * (9 - len(values))

        def tensor(at: int):
            x = v[at]
            if isinstance(x, Constant):
                return c.scaled(x, v[at + 1], v[at + 2], weight_axis(kind, node), f"{x}")
            return c.read(x, c.quantization(v[at + 1], v[at + 2], f"`{node.inputs[at]}`"))

        def target(at: int) -> Quantization:
            return c.quantization(v[at], v[at + 1], f"`{node.outputs[0]}`")

        if kind in ("Conv", "MatMul", "Add", "Mul"):
            found = [tensor(0), tensor(3), *([v[8]] if kind == "Conv" and v[8] is not None else [])]
            made = target(6)
        elif kind == "Gemm":
            if v[7] is None:
                raise Refused("output", "float32", "one with scale and zero point", "give it a QuantizeLinear, or the node y_scale and y_zero_point")
            found, made = [tensor(0), tensor(3), *([v[6]] if v[6] is not None else [])], target(7)
        else:
            found, made = [tensor(0)], target(3)
        OPERATORS[kind].translate(c, Operation(node, found, node.outputs[0], made))

    def qlinear_concat(self, node: Node, values: list) -> None:
        """Scale and zero point of the result, then each operand with its own."""
        c = self.context
        if len(values) < 5 or (len(values) - 2) % 3:
            raise Refused("operands", len(values), "5, 8, 11, ..., scales and zero points among them")
        read = [c.read(values[i], c.quantization(values[i + 1], values[i + 2], f"`{node.inputs[i]}`")) for i in range(2, len(values), 3)]
        made = c.quantization(values[0], values[1], f"`{node.outputs[0]}`")
        OPERATORS["Concat"].translate(c, Operation(node, read, node.outputs[0], made))

    # ---- nodes in float32

    def between(self, node: Node, values: list) -> None:
        """An operator in float32: a function of one byte is followed as such, another waits for its QuantizeLinear."""
        out = node.outputs[0]
        if node.type not in MANY:
            operands(Operation(node, values, out, None), 1, 3)
        row = OPERATORS.get(node.type)
        if row and row.keeps and values and isinstance(values[0], Tensor):  # MaxPool on bytes
            row.translate(self.context, Operation(node, values, out, None))
        elif row and node.type != "ArgMax" and all(isinstance(v, Tensor) for v in values):
            raise Refused("operands", "bytes", "float32 of a DequantizeLinear")
        elif node.type == "ArgMax":
            OPERATORS[node.type].translate(self.context, Operation(node, values, out, None))
        elif node.type in ("Relu", "Clip") and isinstance(values[0], Pending):
            low, high = bounds(node, values)
            before = values[0]
            self.values[out] = Pending(before.node, before.operands, (max(low, before.bounds[0]), min(high, before.bounds[1])))
            self.only_reader(node.inputs[0])
        elif node.type == "Clip" and isinstance(values[0], Tensor):  # between QuantizeLinear and DequantizeLinear: fewer bits than 8
            low, high = bounds(node, values)
            least, most = ort.limits(values[0].q)
            self.context.clamp(values[0], max(least, math.ceil(low)) if low > least else least, min(most, math.floor(high)) if high < most else most, out)
        elif node.type in ("Relu", "Clip"):
            self.clip(node, values)
        elif node.type in FLOAT_PAIRS:
            self.pair(node, values)
        elif node.type in ort.UNARY and (node.type not in OPERATORS or isinstance(values[0], Real)):
            self.function(node, values)
        else:
            self.values[out] = Pending(node, values)

    def only_reader(self, value: str) -> None:
        if len(self.graph.readers.get(value, ())) != 1 or value in self.graph.outputs:
            raise Refused(f"readers of `{value}`", len(self.graph.readers.get(value, ())), "one: its QuantizeLinear, or a Relu or Clip before that")

    def real(self, value) -> Real:
        """A function of one byte."""
        if isinstance(value, Pending) and value.node.type in FLOAT_PAIRS:
            return self.combined(value.node, value.operands)
        if isinstance(value, Real):
            return value
        self.context.tensor(value, "float32 of a DequantizeLinear")
        raise Refused(f"operand {value}", "bytes", "float32 of a DequantizeLinear")

    def function(self, node: Node, values: list) -> None:
        op = Operation(node, values, node.outputs[0], None)
        check_function(op)
        (x,) = operands(op, 1)
        x = self.real(x)
        self.values[node.outputs[0]] = Real(x.tensor, ort.unary(node.type, x.values, node.attributes))

    def clip(self, node: Node, values: list) -> None:
        low, high = bounds(node, values)
        x = self.real(values[0])
        self.values[node.outputs[0]] = Real(x.tensor, np.clip(x.values, f32(low), f32(high)))

    def pair(self, node: Node, values: list) -> None:
        op = Operation(node, values, node.outputs[0], None)
        op.knows()
        a, b = operands(op, 2)
        readers = self.graph.readers.get(node.outputs[0], [])
        quantized = len(readers) == 1 and readers[0].type in ("QuantizeLinear", "Quant")
        fused = all((isinstance(v, Real) and v.plain) or (isinstance(v, Constant) and v.scale is not None) for v in (a, b))
        one = [v for v in (a, b) if not isinstance(v, Constant)]
        numbers = node.type in ("Add", "Sub") and any(isinstance(v, Constant) and v.scale is None and v.data.size > 1 for v in (a, b))
        numbers = numbers or (node.type == "Mul" and self.of_channels(a, b) and [r.type for r in readers] == ["LayerNormalization"])
        same = len(one) < 2 or (isinstance(one[0], Real) and isinstance(one[1], Real) and one[0].tensor.name == one[1].tensor.name)
        if ((fused and quantized) or not same or numbers) and node.type in OPERATORS:
            self.values[node.outputs[0]] = Pending(node, values)
        else:
            self.values[node.outputs[0]] = self.combined(node, values)

    def of_channels(self, a, b) -> bool:
        """Whether one operand has a float32 number for each channel of the other."""
        return any(isinstance(v, Constant) and v.scale is None and v.data.size > 1 and v.data.ndim == 1 for v in (a, b))

    def combined(self, node: Node, values: list) -> Real:
        """Of functions of the same byte, or of one and a number: float32 of the runtime."""
        reals = [v if isinstance(v, Constant) else self.real(v) for v in values]
        first = next((v for v in reals if isinstance(v, Real)), None)
        if first is None:
            raise Refused("operands", "constants", "one tensor or more")
        arrays = []
        for v in reals:
            if isinstance(v, Real):
                if v.tensor.name != first.tensor.name or v.layout.plain() != first.layout.plain():
                    raise Refused("operands", "functions of two tensors", "functions of one, or tensors with QuantizeLinear and DequantizeLinear")
                arrays.append(v.values)
            else:
                if v.data.size != 1 or v.data.ndim > len(first.layout.dims):
                    raise Refused(f"{v}", f"a constant of the shape {shape_text(v.data.shape)}", "one number")
                arrays.append(np.asarray(v.real, f32).reshape(-1))
        with np.errstate(all="ignore"):
            made = FLOAT_PAIRS[node.type](*arrays).astype(f32)
        return Real(first.tensor, np.broadcast_to(made, (256,)))

    def split(self, node: Node, values: list) -> None:
        """Each part is a Slice."""
        op = Operation(node, values, node.outputs[0], None)
        op.knows("axis", "num_outputs", "split")
        x, lengths = operands(op, 1, 2)
        if not isinstance(x, Real):
            self.context.tensor(x)
        shape, axis = x.layout.shape, op.get("axis", 0)
        if not -len(shape) <= axis < len(shape):
            raise Refused("axis", axis, f"{-len(shape)} to {len(shape) - 1}")
        parts = len(node.outputs)
        given = [int(n) for n in lengths.data.reshape(-1)] if isinstance(lengths, Constant) else op.get("split", None)
        if given is None:
            each = -(-shape[axis] // parts)
            given = [max(0, min(each, shape[axis] - i * each)) for i in range(parts)]
        if len(given) != parts or sum(given) != shape[axis]:
            raise Refused("split", given, f"{parts} lengths that come to {shape[axis]}")
        begin = 0
        for out, length in zip(node.outputs, given):
            constants = [Constant(np.array([n], np.int64)) for n in (begin, begin + length, axis)]
            part = Node(node.index, "Slice", node.inputs[:1], [out])
            if isinstance(x, Tensor):
                OPERATORS["Slice"].translate(self.context, Operation(part, [x, *constants], out, None))
            else:
                self.values[out] = Pending(part, [x, *constants])
            begin += length

    def softmax(self, node: Node, values: list) -> None:
        """At the end of a model it keeps the order of its values, and is left to whoever reads them."""
        (x,) = operands(Operation(node, values, node.outputs[0], None), 1)
        out = node.outputs[0]
        if node.type == "Softmax" and self.graph.readers.get(out) and out not in self.graph.outputs:
            self.between(node, values)
            return
        if out not in self.graph.outputs or self.graph.readers.get(out) or not (isinstance(x, Real) and x.plain):
            raise Refused("place", "within the model", "its end, behind a DequantizeLinear", "ONNX Runtime computes it in float32")
        self.values[out] = x
        self.context.workload.notes.append(f"output `{out}`: its {node.type} is left to whoever reads the bytes before it")

    # ---- edges between float32 and bytes

    def quantize(self, node: Node, values: list) -> None:
        c, out = self.context, node.outputs[0]
        op = Operation(node, values, out, None)
        op.knows("axis", "block_size", "output_dtype", "precision", "saturate")
        x, scale, zero_point = operands(op, 2, 3)
        op.only("block_size", 0)
        what = f"`{out}`"
        if isinstance(x, Constant):
            self.values[out] = self.quantized_constant(op, x, scale, zero_point)
            return
        kind = op.get("output_dtype", 0)
        if kind not in (0, 2, 3):
            raise Refused("output_dtype", kind, "UINT8 (2), INT8 (3)", code="E1106")
        q = c.quantization(scale, zero_point, what, "int8" if kind == 3 else "uint8")
        if isinstance(x, RealInput):
            self.values[out] = c.input_behind(x, out, q)
        elif isinstance(x, Real):
            if np.isnan(x.values).any():
                raise Refused(f"{x}", "not a number for some of its values", "a function that is defined for all 256")
            c.table(Operation(node, values, out, q), x.tensor, ort.quantized(x.values, q))
        elif isinstance(x, Pending):
            self.only_reader(node.inputs[0])
            low, high = ort.limits(q)
            for bound, edge, name in ((x.bounds[0], low, "least"), (x.bounds[1], high, "largest")):
                if math.isfinite(bound):
                    at = int(ort.quantized(np.array([bound], f32), q)[0])
                    if at != edge:
                        raise Refused(
                            f"{name} value of the Relu or Clip behind {x.node}", f"{at} after quantization", f"{edge}, the {name} value of {q.type}",
                            "then quantization alone does it; ONNX Runtime computes the layer in float32 otherwise"
                        )  # fmt: skip
            self.found.attempt(str(x.node), lambda: OPERATORS[x.node.type].translate(c, Operation(x.node, x.operands, out, q)))
        elif isinstance(x, IntegerInput):
            c.tensor(x, "float32")
        else:
            raise Refused(f"operand `{node.inputs[0]}`", "bytes", "float32")

    def quantized_constant(self, op: Operation, x: Constant, scale, zero_point) -> Constant:
        """Weights that the file has in float32."""
        c = self.context
        holder = Constant(np.zeros(x.data.shape, np.int8), x.value)
        made = c.scaled(holder, scale, zero_point, op.get("axis", 1), f"{x}")
        said = {0: "uint8", 2: "uint8", 3: "int8"}.get(op.get("output_dtype", 0), f"type {op.get('output_dtype', 0)} of TensorProto")
        kind = zero_point.data.dtype.name if isinstance(zero_point, Constant) else said
        if isinstance(zero_point, Constant) and zero_point.value in self.graph.narrow:
            kind = self.graph.narrow[zero_point.value].lower()
        if kind not in ("int8", "uint8"):
            raise Refused(f"type of {x}", kind, "int8, uint8", code="E1106")
        along = [1] * x.data.ndim
        if made.scale.size > 1:
            along[made.axis] = -1
        info = np.iinfo(kind)
        y = np.rint(np.asarray(x.real, f32) / made.scale.reshape(along)) + made.zero_point.reshape(along)
        return Constant(np.clip(np.nan_to_num(y), info.min, info.max).astype(kind), op.output)

    def dequantized_constant(self, op: Operation, x: Constant, scale, zero_point, block: int) -> Constant:
        """In float32: scales of blocks, and floats of 4 and 8 bits, are none of the machine's weights."""
        if not isinstance(scale, Constant) or not isinstance(zero_point, Constant | None):
            raise Refused(f"scale or zero point of {x}", "computed by the network", "constants", code="E1107")
        try:
            zero = None if zero_point is None else zero_point.data
            return Constant(ort.dequantized_constant(x.data, np.asarray(scale.real), zero, op.get("axis", 1), block), op.output)
        except (ValueError, IndexError):
            shapes = f"{shape_text(scale.data.shape)}, in blocks of {block}" if block else shape_text(scale.data.shape)
            raise Refused(f"scales of {x}", shapes, f"scales that fit {shape_text(x.data.shape)}", code="E1107") from None

    def dequantize(self, node: Node, values: list) -> None:
        c, out = self.context, node.outputs[0]
        op = Operation(node, values, out, None)
        op.knows("axis", "block_size", "output_dtype")
        x, scale, zero_point = operands(op, 2, 3)
        block = 0 if not isinstance(x, Constant) else op.get("block_size", 0)
        if not block:
            op.only("block_size", 0, "0; more of constants")
        op.only("output_dtype", 1, "float32 (1)")
        if isinstance(x, Constant) and (block or (x.data.dtype.kind == "f" and x.value in self.graph.narrow)):
            self.values[out] = self.dequantized_constant(op, x, scale, zero_point, block)
            return
        if isinstance(x, Constant):
            self.values[out] = c.scaled(x, scale, zero_point, op.get("axis", 1), f"{x}")
            return
        t = c.tensor(x) if isinstance(x, Tensor | IntegerInput) else None
        if t is None:
            raise Refused(f"operand `{node.inputs[0]}`", "float32", "bytes")
        q = c.quantization(scale, zero_point, f"{t}", t.q.type)
        if q.type != t.q.type:
            raise Refused(f"type of the zero point of {t}", q.type, t.q.type, code="E1107")
        if t.open and q != t.q:
            t = c.read(t, q)
        self.values[out] = Real(t, ort.dequantized(q))

    def quant(self, node: Node, values: list) -> None:
        """QONNX's Quant, which Brevitas writes: QuantizeLinear, Clip and DequantizeLinear in one."""
        c, out = self.context, node.outputs[0]
        op = Operation(node, values, out, None)
        op.knows("narrow", "rounding_mode", "signed")
        x, scale, zero_point, width = operands(op, 4)
        op.only("rounding_mode", "ROUND")
        if not isinstance(width, Constant) or not isinstance(zero_point, Constant):
            raise Refused("zero point and bit width", "computed by the network", "constants")
        bits = width.data.reshape(-1)
        if bits.size != 1 or bits[0] not in range(2, 33):
            raise Refused("bit width", bits[:4].tolist(), "one whole number of 2 to 32")
        signed, bits = bool(op.get("signed", 1)), int(bits[0])
        if zero_point.data.dtype.kind not in "fiu" or not np.all(zero_point.data == 0):
            raise Refused("zero point", "other than 0", "0")
        low = -(1 << (bits - 1)) + bool(op.get("narrow", 0)) if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - bool(op.get("narrow", 0))
        if not isinstance(scale, Constant) or not np.ndim(scale.data) <= 8 or sum(n > 1 for n in np.shape(scale.data)) > 1:
            raise Refused("scale", "no constant, or one with several dimensions", "one number, or one per channel")
        axis = next((d - scale.data.ndim for d, n in enumerate(scale.data.shape) if n > 1), 0)
        scale = Constant(scale.data.reshape(-1) if scale.data.size != 1 else scale.data.reshape(()), scale.value)
        if isinstance(x, Constant):
            whole = Constant(np.zeros(x.data.shape, np.int32), x.value)
            made = c.scaled(whole, scale, None, axis, f"{x}")
            along = [1] * x.data.ndim
            if made.scale.size > 1:
                along[made.axis] = -1
            y = np.clip(np.rint(np.asarray(x.real, f32) / made.scale.reshape(along)), low, high)
            kind = np.int32 if bits > 8 else np.int8 if signed else np.uint8
            self.values[out] = Constant(np.nan_to_num(y).astype(kind), out, made.scale, made.zero_point, made.axis)
            return
        if bits > 8:
            raise Refused("bit width", bits, "2 to 8 of tensors that the network computes")
        zero = Constant(np.array(0, np.int8 if signed else np.uint8))
        inner = f"{out}_quantized"
        self.graph.readers.setdefault(inner, [node])
        self.quantize(Node(node.index, "QuantizeLinear", node.inputs[:1], [inner]), [x, scale, zero])
        if self.values.get(inner) is not None:
            cut = f"{out}_clipped"
            c.clamp(self.values[inner], low, high, cut)
            self.values[out] = Real(self.values[cut], ort.dequantized(self.values[cut].q))

    # ---- the same elements under another shape

    def view(self, node: Node, values: list) -> None:
        op = Operation(node, values, node.outputs[0], None)
        x = operands(op, 1, 3)[0]
        if isinstance(x, Pending):
            raise Refused(f"operand {x}", "float32, without a QuantizeLinear behind what makes it", "bytes, or float32 of a DequantizeLinear")
        layout = VIEWS[node.type](op, x.layout)
        if layout is None and isinstance(x, Tensor | Real):
            t = x.tensor if isinstance(x, Real) else x
            t = self.context.moved(t.viewed(t.value, x.layout), tuple(range(len(x.layout.dims))), "the model's order of dimensions, for a Reshape")
            x = Real(t, x.values, x.joined) if isinstance(x, Real) else t
            layout = VIEWS[node.type](op, x.layout)
        if layout is None:
            raise Refused("shape", shape_text(x.layout.shape), "one that needs no element moved: of images, pixels and channels apart")
        if isinstance(x, Constant):
            data = layout.of_model(x.data.reshape(-1))
            if x.scale is not None and x.scale.size > 1:
                axis = [d for d, axes in enumerate(layout.dims) if axes == x.layout.dims[x.axis]]
                if len(axis) != 1:
                    raise Refused(f"{x}", "a constant with several scales", "the dimension of the scales kept")
                self.values[node.outputs[0]] = Constant(data, x.value, x.scale, x.zero_point, axis[0])
            else:
                self.values[node.outputs[0]] = Constant(data, x.value, x.scale, x.zero_point)
        elif isinstance(x, Tensor):
            self.values[node.outputs[0]] = x.viewed(node.outputs[0], layout)
        elif isinstance(x, Real):
            self.values[node.outputs[0]] = Real(x.tensor.viewed(node.outputs[0], layout), x.values, x.joined and node.type != "Flatten")
        elif isinstance(x, IntegerInput):
            self.values[node.outputs[0]] = IntegerInput(x.value, layout)
        else:
            self.values[node.outputs[0]] = RealInput(x.value, layout)

    # ---- constants

    def fold(self, node: Node, values: list) -> np.ndarray:
        arrays = [None if v is None else v.real for v in values]
        try:
            with np.errstate(all="ignore"):
                made = FOLDED[node.type](Operation(node, values, node.outputs[0], None), *arrays)
        except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise Refused("operands", f"wrong: {error}", f"constants that {node.type} takes") from None
        if made.size > 1 << 24:
            raise Refused("result", f"{made.size} elements", "at most 2^24")
        return made

    def shape(self, node: Node, values: list) -> None:
        op = Operation(node, values, node.outputs[0], None)
        (x,) = operands(op, 1)
        if isinstance(x, Pending):
            raise Refused(f"operand {x}", "float32, without a QuantizeLinear", "a tensor whose shape is known")
        shape = x.layout.shape
        self.values[node.outputs[0]] = Constant(np.array(shape[op.get("start", 0) : op.get("end", None)], np.int64), node.outputs[0])

    def constant(self, node: Node, values: list) -> None:
        for name in ("value", "value_int", "value_float", "value_ints", "value_floats"):
            if name in node.attributes:
                array = np.asarray(node.attributes[name])
                kind = {"value_int": np.int64, "value_ints": np.int64, "value_float": f32, "value_floats": f32}.get(name, array.dtype)
                self.values[node.outputs[0]] = Constant(array.astype(kind), node.outputs[0])
                return
        raise Refused("value", "none", "a tensor or numbers")

    def cast(self, node: Node, values: list) -> None:
        op = Operation(node, values, node.outputs[0], None)
        op.knows("saturate", "to")
        (x,) = operands(op, 1)
        if not isinstance(x, IntegerInput):
            raise Refused("operands", "computed by the network", "constants, or an integer input of the model")
        op.only("to", 1, "float32 (1)")
        self.values[node.outputs[0]] = Real(self.context.integers(x, "uint8"), np.arange(256, dtype=f32))

    def same(self, node: Node, values: list) -> None:
        """Identity, and Dropout, which does nothing but in training."""
        _, ratio, training = operands(Operation(node, values, node.outputs[0], None), 1, 3)
        if training is not None and not (isinstance(training, Constant) and not training.data.any()):
            if not (isinstance(ratio, Constant) and not ratio.data.any()):
                raise Refused("training_mode", "true, or computed by the network", "false, or a ratio of 0", "export the model for inference")
        self.one_output(node, "mask")
        self.values[node.outputs[0]] = values[0]

    def one_output(self, node: Node, other: str) -> None:
        if any(name and (name in self.graph.outputs or self.graph.readers.get(name)) for name in node.outputs[1:]):
            raise Refused("outputs", len(node.outputs), f"one, without the {other}")


def weight_axis(kind: str, node: Node) -> int:
    """Of the scales of constants in nodes on bytes, which do not say it."""
    if kind == "Gemm":
        return 0 if node.attributes.get("transB", 0) else 1
    return 0 if kind == "Conv" else -1


def bounds(node: Node, values: list) -> tuple[float, float]:
    if node.type == "Relu":
        return 0.0, math.inf
    found = []
    for i, (name, default) in enumerate((("min", -math.inf), ("max", math.inf))):
        value = values[i + 1] if len(values) > i + 1 else node.attributes.get(name)
        if isinstance(value, Constant):
            if value.data.size != 1:
                raise Refused(f"{name}, {value}", shape_text(value.data.shape), "one number")
            value = float(value.real.reshape(-1)[0])
        elif value is not None and not isinstance(value, float):
            raise Refused(f"{name}", "computed by the network", "a constant")
        found.append(default if value is None else value)
    if any(math.isnan(v) for v in found):
        raise Refused("min, max", found, "numbers")
    return found[0], found[1]


def _reshape(op: Operation, layout: Layout) -> Layout | None:
    _, shape, *_ = operands(op, 2)
    if not isinstance(shape, Constant) or shape.data.ndim != 1 or shape.data.dtype.kind != "i":
        raise Refused("shape", "computed by the network", "a constant")
    wanted = [int(n) for n in shape.data]
    old = layout.shape
    if not op.get("allowzero", 0):
        wanted = [old[i] if n == 0 and i < len(old) else n for i, n in enumerate(wanted)]
    known = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known > 0:
        wanted[wanted.index(-1)] = math.prod(old) // known
    if len(wanted) > 8 or any(n < 1 for n in wanted) or math.prod(wanted) != math.prod(old):
        raise Refused("shape", shape_text(shape.data[:9]), f"a shape for the {math.prod(old)} elements of {shape_text(old)}")
    return layout.reshaped(wanted)


def _flatten(op: Operation, layout: Layout) -> Layout | None:
    axis = op.get("axis", 1)
    rank = len(layout.dims)
    if not -rank <= axis <= rank:
        raise Refused("axis", axis, f"{-rank} to {rank}")
    axis += rank if axis < 0 else 0
    return layout.reshaped((math.prod(layout.shape[:axis]), math.prod(layout.shape[axis:])))


def _transpose(op: Operation, layout: Layout) -> Layout:
    rank = len(layout.dims)
    permutation = op.get("perm", None)
    permutation = list(range(rank))[::-1] if permutation is None else permutation
    if not isinstance(permutation, list) or sorted(permutation) != list(range(rank)):
        raise Refused("perm", permutation, f"each of 0 to {rank - 1} once")
    return layout.transposed(permutation)


def _axes(op: Operation, rank: int) -> list[int] | None:
    """Of Squeeze and Unsqueeze: an attribute up to opset 12, then an operand."""
    given = op.operands[1] if len(op.operands) > 1 else None
    axes = [int(a) for a in given.data.reshape(-1)] if isinstance(given, Constant) and given.data.dtype.kind == "i" else op.get("axes", None)
    if axes is None:
        return None
    if not isinstance(axes, list) or any(not -rank <= a < rank for a in axes):
        raise Refused("axes", axes, f"numbers of {-rank} to {rank - 1}")
    return [a % rank for a in axes]


def _squeeze(op: Operation, layout: Layout) -> Layout:
    axes = _axes(op, len(layout.dims))
    axes = [d for d, n in enumerate(layout.shape) if n == 1] if axes is None else axes
    if any(layout.shape[a] != 1 for a in axes):
        raise Refused("axes", axes, f"dimensions of length 1 in {shape_text(layout.shape)}")
    return Layout(layout.memory, tuple(dim for d, dim in enumerate(layout.dims) if d not in axes))


def _unsqueeze(op: Operation, layout: Layout) -> Layout:
    given = op.operands[1] if len(op.operands) > 1 else None
    count = given.data.size if isinstance(given, Constant) else len(op.get("axes", None) or [])
    rank = len(layout.dims) + count
    axes = _axes(op, rank)
    if not axes or len(set(axes)) != len(axes) or rank > 8:
        raise Refused("axes", axes, "different numbers, a constant")
    left = iter(layout.dims)
    return Layout(layout.memory, tuple(() if d in axes else next(left) for d in range(rank)))


VIEWS: dict[str, Callable[[Operation, Layout], Layout | None]] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
MANY = ("Concat", "Pad", "Resize", "Slice")  # more operands than three
ENDS = ("LogSoftmax", "Softmax")
CAST = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}
# Of constants, such as the shape that a Reshape takes; not the views, which are above.
FOLDED: dict[str, Callable[..., np.ndarray]] = {
    "Add": lambda op, a, b: a + b,
    "Cast": lambda op, a: a.astype(CAST[op.get("to", 0)]),
    "Clip": lambda op, a, low=None, high=None: np.clip(a, low, high),
    "Concat": lambda op, *arrays: np.concatenate(arrays, op.get("axis", 0)),
    "Div": lambda op, a, b: a // b if a.dtype.kind in "iu" else a / b,
    "Gather": lambda op, a, i: np.take(a, i.astype(np.int64), op.get("axis", 0)),
    "Mul": lambda op, a, b: a * b,
    "Slice": lambda op, a, begin, end, axes=None, steps=None: a[tuple(_slices(a, begin, end, axes, steps))],
    "Sub": lambda op, a, b: a - b,
}
NODES: dict[str, Callable[[_Walk, Node, list], None]] = {
    "Cast": _Walk.cast,
    "Clip": _Walk.between,
    "Constant": _Walk.constant,
    "DequantizeLinear": _Walk.dequantize,
    "Dropout": _Walk.same,
    "Identity": _Walk.same,
    "Quant": _Walk.quant,
    "QuantizeLinear": _Walk.quantize,
    "Shape": _Walk.shape,
    "Split": _Walk.split,
    **dict.fromkeys(ENDS, _Walk.softmax),
    **{kind: _Walk.between for kind in (*FLOAT_PAIRS, *ort.UNARY) if kind not in OPERATORS},
}
DYNAMIC_HINT = f"gemel run MODEL --data ARRAYS.npz has its products on the machine and all else in ONNX Runtime; for integers alone {QUANTIZE_HINT}"
DYNAMIC = {"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


def _slices(a: np.ndarray, begin, end, axes, steps) -> list[slice]:
    found = [slice(None)] * a.ndim
    axes = range(len(begin)) if axes is None else axes
    steps = [1] * len(begin) if steps is None else steps
    for axis, first, last, step in zip(axes, begin, end, steps):
        found[int(axis)] = slice(int(first), int(last) if step > 0 or last >= 0 else None, int(step))
    return found


RECURRENT = {"GRU", "LSTM"}


def hint_for(node: Node) -> str:
    if node.type in RECURRENT:
        return "its steps are layers of a network that `gemel quantize` makes of the float32 model"
    if node.type in DYNAMIC:
        return DYNAMIC_HINT
    return UNKNOWN_HINT
