# SPDX-License-Identifier: Apache-2.0
"""Models that are quantized while they run (ONNX Runtime's quantize_dynamic): taken apart into what ONNX Runtime computes on the host and the products of
integers, MatMulInteger and ConvInteger, whose sums the machine gives.

The machine takes zero points off its operands as it reads them, but they must be known when a program is made, and here each run has its own. So a program
takes a fixed one, and what that leaves is added to the sums on the host, in 32 bits as the sums themselves: with a the left operand and its zero point z,
b the right one and w, and c and d what the program takes off,

    sum (a-z)(b-w) = sum (a-c)(b-d) + (c-z) sum (b-d) + (d-w) sum (a-z)

Nodes with types that ONNX Runtime has no kernels for (float4) are computed by onnx's own reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..importer.files import read_bytes
from ..importer.messages import Diagnostic, ModelError
from .graph import fix_shapes
from .names import unique_name
from .runtime import Level, lowered, onnx, onnxruntime, refused

from onnx import TensorProto, helper, numpy_helper  # isort: skip  (runtime has said so if there is no onnx)

Array = np.ndarray
Values = dict[str, Array]
PRODUCTS = ("MatMulInteger", "ConvInteger")
FUSED = {  # with a product inside, and what to do
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulIntegerToFloat"), "take the model as quantize_dynamic() writes it, before ONNX Runtime has optimized it"),
    "DynamicQuantizeLSTM": "`gemel quantize` makes a static model of the one in float32, in which the steps are layers",
    "QAttention": "quantize the model as it was before ONNX Runtime's optimizer joined nodes to an Attention",
}
FLOAT_PRODUCTS = ("Attention", "Conv", "ConvTranspose", "DeformConv", "Einsum", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "GRU", "LSTM", "MatMul",
                  "MatMulNBits", "MultiHeadAttention", "QGemm", "QLinearConv", "QLinearMatMul", "RNN")  # fmt: skip
WIDER = {  # types that the runtime does not exchange with NumPy, and the ones that stand in their place: Casts between them change no value
    "BFLOAT16": "FLOAT", "FLOAT8E4M3FN": "FLOAT", "FLOAT8E4M3FNUZ": "FLOAT", "FLOAT8E5M2": "FLOAT", "FLOAT8E5M2FNUZ": "FLOAT",
    "INT2": "INT8", "INT4": "INT8", "UINT2": "UINT8", "UINT4": "UINT8",
}  # fmt: skip
WITHOUT_KERNELS = ("FLOAT4E2M1",)  # types for which ONNX Runtime computes nothing on a CPU
VIEWS = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
MIDDLE = {"int8": 0, "uint8": 128}  # nearest to all values of a type, so that sums of products without it are small
MOST_TERMS = 32768  # of a sum of products of two computed operands
MOST_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """What the machine has to do for a product: a layer of a workload file, its inputs' arrays, and how sums come of its output's bytes."""

    op: str  # "matmul", "grouped_matmul", "conv2d"
    attributes: dict[str, Any]  # `sum_bytes` among them, and arrays
    inputs: list[tuple[str, Array, int]]  # value's name, as the layer reads it; zero point
    weight_zero_point: int
    sums: Callable[[Array], Array]  # of the output's bytes, the last dimension's lowest first: int32 as the node's output lies


def sums_of_bytes(raw: Array, count: int) -> Array:
    """[..., count * N] uint8, the lowest bytes of N sums first -> [..., N] int64."""
    parts = raw.reshape(*raw.shape[:-1], count, -1)
    sums = parts[..., count - 1, :].astype(np.int8).astype(np.int64) << 8 * (count - 1)
    for i in range(count - 1):
        sums |= parts[..., i, :].astype(np.int64) << 8 * i
    return np.asarray(sums)


def bytes_for(most: int) -> int:
    """Bytes that sums of at most this magnitude need; sums of more than 32 bits wrap, in ONNX Runtime as on the machine."""
    return min(MOST_BYTES, (int(most).bit_length() + 1 + 7) // 8)


class Product(Protocol):
    """`output`: the value that its sums are; `reads`: values that layer() needs; layer(): what the machine does, once those are known."""

    output: str

    @property
    def reads(self) -> list[str]: ...

    def layer(self, values: Mapping[str, Array]) -> Layer: ...


@dataclass
class MatMul:
    """MatMulInteger."""

    output: str
    a: str
    b: str
    a_zero: str
    b_zero: str
    constant: bool  # the right operand is a matrix that is known
    refuse: Callable[[str], ModelError]

    @property
    def reads(self) -> list[str]:
        return [name for name in (self.a, self.b, self.a_zero, self.b_zero) if name]

    def layer(self, values: Mapping[str, Array]) -> Layer:
        a, b = values[self.a], values[self.b]
        if a.ndim < 2 or b.ndim < 2:
            raise self.refuse(f"operands of {a.ndim} and {b.ndim} dimensions; supported: 2 and more")
        za, zb = zero_point(values, self.a_zero), zero_point(values, self.b_zero)
        lines = (za.shape in ((a.shape[-2],), (a.shape[-2], 1)), zb.shape in ((b.shape[-1],), (1, b.shape[-1])))
        if not (za.size == 1 or lines[0]) or not (zb.size == 1 or lines[1]):
            raise self.refuse(f"zero points of the shapes {list(za.shape)} and {list(zb.shape)}; supported: one, or one for each row on the left and for each "
                              "column on the right")  # fmt: skip
        za, zb = za.astype(np.int64).reshape(-1, 1), zb.astype(np.int64).reshape(-1)
        return self._constant(a, b, za, zb) if self.constant else self._computed(a, b, za, zb)

    def _constant(self, a: Array, b: Array, za: Array, zb: Array) -> Layer:
        taken = MIDDLE[a.dtype.name]
        off = int(zb.flat[0]) if (zb == zb.flat[0]).all() else MIDDLE[b.dtype.name]
        weights = b.astype(np.int64) - off
        most = int(np.abs(weights).sum(axis=0).max()) * 128
        count = bytes_for(most)
        rows = a.reshape(1, -1, a.shape[-1])

        def sums(raw: Array) -> Array:
            of_b = weights.sum(axis=0)
            of_a = a.astype(np.int64).sum(axis=-1, keepdims=True) - a.shape[-1] * za
            made = sums_of_bytes(raw, count).reshape(*a.shape[:-1], b.shape[-1])
            return wrapped(made + (taken - za) * of_b + (off - zb) * of_a)

        attributes = {"out_channels": b.shape[-1], "sum_bytes": count, "weight": np.ascontiguousarray(b.T)}
        return Layer("matmul", attributes, [(self.a, rows, taken)], off, sums)

    def _computed(self, a: Array, b: Array, za: Array, zb: Array) -> Layer:
        k, n = b.shape[-2:]
        if k > MOST_TERMS:
            raise self.refuse(f"sums of {k} products of two computed operands; supported: {MOST_TERMS}")
        outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        shape = (*outer, a.shape[-2], n)
        if math.prod(b.shape[:-2]) == 1:  # one matrix for all rows
            left, right = a.reshape(1, -1, k), b.reshape(1, k, n)
        else:
            left = np.broadcast_to(a, (*outer, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
            right = np.broadcast_to(b, (*outer, k, n)).reshape(-1, k, n)
        groups, rows = len(left), left.shape[1]
        taken, off = MIDDLE[a.dtype.name], MIDDLE[b.dtype.name]
        count = bytes_for(k * 128 * 128)

        def sums(raw: Array) -> Array:
            bytes_of_groups = raw.reshape(rows, count, groups, n).transpose(2, 0, 1, 3).reshape(groups, rows, count * n)
            of_b = right.astype(np.int64).sum(axis=1, keepdims=True) - k * off
            zeros = np.broadcast_to(za, (a.shape[-2], 1)).astype(np.int64)  # of the rows of one matrix on the left
            zeros = np.tile(zeros, (groups * rows // len(zeros), 1)).reshape(groups, rows, 1)
            of_a = left.astype(np.int64).sum(axis=2, keepdims=True) - k * zeros
            made = sums_of_bytes(bytes_of_groups, count) + (taken - zeros) * of_b + (off - zb) * of_a
            return wrapped(made.reshape(shape))

        inputs = [(self.a, np.ascontiguousarray(left.transpose(1, 0, 2).reshape(1, rows, groups * k)), taken), (self.b, right[None], off)]
        return Layer("grouped_matmul", {"groups": groups, "sum_bytes": count}, inputs, off, sums)


@dataclass
class Conv:
    """ConvInteger with constant weights."""

    output: str
    x: str
    w: Array
    x_zero: str
    w_zero: Array  # one, or one for each output channel
    attributes: dict[str, Any]
    refuse: Callable[[str], ModelError]

    @property
    def reads(self) -> list[str]:
        return [name for name in (self.x, self.x_zero) if name]

    def layer(self, values: Mapping[str, Array]) -> Layer:
        x, w, zero = values[self.x], self.w, zero_point(values, self.x_zero)
        if x.ndim not in (3, 4) or w.ndim != x.ndim or zero.size != 1:
            raise self.refuse(f"an input of {x.ndim} dimensions and weights of {w.ndim}; supported: 3 and 4, sequences and images")
        ones = [1] * (x.ndim - 2)
        stride, dilation = ([int(v) for v in self.attributes.get(key, ones)] for key in ("strides", "dilations"))
        pads = self._pads(x.shape[2:], w.shape[2:], stride, dilation)
        if x.ndim == 3:  # images of one row
            x, w, stride, dilation, pads = x[:, :, None], w[:, :, None], [1, *stride], [1, *dilation], [0, pads[0], 0, pads[1]]
        kernel, groups = w.shape[2:], int(self.attributes.get("group", 1))
        taken, za = MIDDLE[x.dtype.name], int(zero.flat[0])
        zw = self.w_zero.astype(np.int64)
        off = int(zw[0]) if zw.size == 1 else MIDDLE[w.dtype.name]
        weights = w.astype(np.int64) - off
        count = bytes_for(int(np.abs(weights).sum(axis=(1, 2, 3)).max()) * 128)

        def sums(raw: Array) -> Array:
            # What is added is of the taps inside the image alone: padding counts as the zero point.
            inside = np.pad(np.ones(x.shape[2:], np.int64), ((pads[0], pads[2]), (pads[1], pads[3])))
            of_w = np.einsum("yxij,oij->yxo", windows(inside), weights.sum(axis=1))
            made = (sums_of_bytes(raw, count) + (taken - za) * of_w).transpose(0, 3, 1, 2)
            if zw.size > 1:
                of_groups = (x.astype(np.int64) - za).reshape(len(x), groups, -1, *x.shape[2:]).sum(axis=2)
                of_x = windows(np.pad(of_groups, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))).sum(axis=(-2, -1))
                made = made + (off - zw).reshape(-1, 1, 1) * np.repeat(of_x, len(w) // groups, axis=1)
            return wrapped(made if self.w.ndim == 4 else made[:, :, 0])

        def windows(padded: Array) -> Array:
            """[..., height, width] -> [..., output height and width, kernel height and width]"""
            span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
            found = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(-2, -1))  # type: ignore[call-overload]
            return np.asarray(found[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]])

        attributes = {"out_channels": len(w), "kernel": list(kernel), "stride": stride, "dilation": dilation, "padding": pads,
                      "groups": groups, "sum_bytes": count, "weight": np.ascontiguousarray(w.transpose(0, 2, 3, 1))}  # fmt: skip
        return Layer("conv2d", attributes, [(self.x, np.ascontiguousarray(x.transpose(0, 2, 3, 1)), taken)], off, sums)

    def _pads(self, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[int]:
        """Before each dimension, then behind each."""
        auto = self.attributes.get("auto_pad", b"NOTSET").decode()
        if auto in ("NOTSET", "VALID"):
            none = [0] * (2 * len(size))
            return [int(p) for p in self.attributes.get("pads", none)] if auto == "NOTSET" else none
        before, after = [], []
        for n, k, s, d in zip(size, kernel, stride, dilation):
            total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
            half = total // 2
            before.append(half if auto == "SAME_UPPER" else total - half)
            after.append(total - before[-1])
        return [*before, *after]


def wrapped(sums: Array) -> Array:
    """To 32 bits, as sums are."""
    return np.ascontiguousarray((sums & 0xFFFFFFFF).astype(np.uint32).view(np.int32))


def zero_point(values: Mapping[str, Array], name: str) -> Array:
    return values[name] if name else np.zeros((), np.int64)


@dataclass
class Host:
    """Nodes that ONNX Runtime computes, without any optimization: each as it stands."""

    nodes: list[onnx.NodeProto]
    reads: list[str] = field(default_factory=list)
    session: Any = None

    def run(self, model: onnx.ModelProto, constants: Mapping[str, TensorProto], values: Values, file: str) -> int:
        """Adds what the nodes make to `values`; elements that they make, views not counted."""
        if not self.nodes:
            return 0
        if self.session is None:
            self._load(model, constants, values, file)
        try:
            made = self.session.run({name: values[name] for name in self.reads})
        except Exception as error:  # of classes that have no names
            raise refused(file, error) from None
        values.update(made)
        views = {name for node in self.nodes if node.op_type in VIEWS for name in node.output}
        return sum(int(array.size) for name, array in made.items() if name not in views and isinstance(array, np.ndarray))

    def _load(self, model: onnx.ModelProto, constants: Mapping[str, TensorProto], values: Values, file: str) -> None:
        made = [name for node in self.nodes for name in node.output if name]
        read = list(dict.fromkeys(name for node in self.nodes for name in reads_of(node)))
        self.reads = [name for name in read if name not in constants and name not in made]
        inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), None) for name in self.reads]
        outputs = [onnx.ValueInfoProto(name=name) for name in made]
        graph = helper.make_graph(self.nodes, "host", inputs, outputs, [constants[name] for name in read if name in constants])
        part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions)
        self.session = Widened(part, file)


class Widened:
    """ONNX Runtime without any optimization. Inputs and outputs of types that it does not exchange with NumPy go through wider ones, by Casts."""

    def __init__(self, model: onnx.ModelProto, file: str):
        self._session, kinds = session(model, file), TensorProto.DataType
        self.outputs = [o.name for o in self._session.get_outputs()]
        inputs, outputs = (
            {edge.name: edge.type[len("tensor(") : -1].upper() for edge in edges} for edges in (self._session.get_inputs(), self._session.get_outputs())
        )
        narrow = [{name: kind for name, kind in edges.items() if kind in WIDER} for edges in (inputs, outputs)]
        self._wide: dict[str, tuple[str, Any]] = {}  # input -> the one in its place, and its type
        self._types: dict[str, Any] = {name: helper.tensor_dtype_to_np_dtype(kinds.Value(kind)) for name, kind in narrow[1].items()}
        if not any(narrow):
            return
        taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
        whole = onnx.ModelProto()
        whole.CopyFrom(model)
        before, after = [], []
        for value in whole.graph.input:
            if value.name in narrow[0]:
                name, kind = value.name, narrow[0][value.name]
                value.name, wide = unique_name(taken, f"{name}_wide"), kinds.Value(WIDER[kind])
                value.type.tensor_type.elem_type = wide
                self._wide[name] = value.name, helper.tensor_dtype_to_np_dtype(wide)
                before.append(_cast(value.name, name, kind))
        for value in whole.graph.output:
            if value.name in narrow[1]:
                name, kind = value.name, WIDER[narrow[1][value.name]]
                value.name = unique_name(taken, f"{name}_wide")
                value.type.tensor_type.elem_type = kinds.Value(kind)
                after.append(_cast(name, value.name, kind))
        nodes = [*before, *whole.graph.node, *after]
        del whole.graph.node[:]
        whole.graph.node.extend(nodes)
        self._session = session(whole, file)

    def run(self, values: Values) -> Values:
        """What ONNX Runtime raises, of classes that have no names."""
        given = {}
        for name, array in values.items():
            place, kind = self._wide.get(name, (name, array.dtype))
            given[place] = array.astype(kind)
        made = dict(zip(self.outputs, self._session.run(None, given), strict=True))
        return made | {name: made[name].astype(kind) for name, kind in self._types.items()}


def _cast(source: str, result: str, kind: str) -> onnx.NodeProto:
    """No value of the wider type is beyond the narrower one here; float8's infinity stays what it is."""
    saturate: dict[str, Any] = {"saturate": 0} if kind.startswith("FLOAT8") else {}
    return helper.make_node("Cast", [source], [result], to=TensorProto.DataType.Value(kind), **saturate)


@dataclass
class Reference:
    """Nodes that onnx's own reference computes, as ONNX Runtime has no kernels for their types."""

    node: onnx.NodeProto
    evaluator: Any = None

    def run(self, model: onnx.ModelProto, constants: Mapping[str, TensorProto], values: Values, file: str) -> int:
        """As Host.run()."""
        from onnx.reference import ReferenceEvaluator

        read = list(dict.fromkeys(name for name in self.node.input if name))
        if self.evaluator is None:
            inputs, outputs = ([onnx.ValueInfoProto(name=name) for name in names] for names in (read, self.node.output))
            graph = helper.make_graph([self.node], "reference", inputs, outputs)
            self.evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version))
        given = {name: values[name] if name in values else numpy_helper.to_array(constants[name]) for name in read}
        try:
            made = self.evaluator.run(None, given)
        except Exception as error:  # of many classes
            text = str(error).strip().splitlines()
            raise ModelError(Diagnostic("E1109", f"onnx's reference does not run {self.node.op_type} `{self.node.output[0]}`: "
                                        f"{text[0] if text else type(error).__name__}", file)) from None  # fmt: skip
        values.update(zip(self.node.output, (np.asarray(array) for array in made)))
        return sum(int(np.size(array)) for array in made)


def session(model: onnx.ModelProto, file: str = "") -> Any:
    """ONNX Runtime without any optimization, each node as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = Level.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # of classes that have no names
        raise refused(file, error) from None


def subgraphs(node: onnx.NodeProto) -> Iterable[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs


def within(node: onnx.NodeProto) -> Iterable[onnx.NodeProto]:
    """The nodes of its subgraphs, and of theirs."""
    for graph in subgraphs(node):
        for inner in graph.node:
            yield inner
            yield from within(inner)


def reads_of(node: onnx.NodeProto) -> Iterable[str]:
    """What a node reads, what its subgraphs take from outside among it."""
    yield from (name for name in node.input if name)
    for graph in subgraphs(node):
        own = {t.name for t in graph.initializer} | {v.name for v in graph.input} | {name for inner in graph.node for name in inner.output}
        yield from (name for inner in graph.node for name in reads_of(inner) if name not in own)
        yield from (value.name for value in graph.output if value.name not in own)


@dataclass
class Stage:
    """Nodes for ONNX Runtime; then products for the machine, and nodes for onnx's reference, which depend on nothing behind them."""

    host: Host = field(default_factory=lambda: Host([]))
    products: list[Product] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)


class Stages:
    """A model as stages in turn.

    ModelError E1101 (no file), E1103 (no model), E1109 (ONNX Runtime does not run it), E1105 (a product that the machine does not take), E1106 (all of its
    products are the host's).
    """

    def __init__(self, file: str):
        self.file = file
        read_bytes(Path(file))  # says why it cannot be read
        try:
            self.model = lowered(onnx.load(file))
        except Exception as error:  # of its own classes and protobuf's
            text = str(error).strip().splitlines()
            raise ModelError(Diagnostic("E1103", f"the model is damaged: {text[0] if text else type(error).__name__}", file)) from None
        graph = self.model.graph
        strange = self._without_kernels()
        self._whole = None if strange else Widened(self.model, file)  # says what is wrong with it
        self.constants = {t.name: t for t in graph.initializer}
        self.inputs = [v.name for v in graph.input if v.name not in self.constants]
        self.outputs = [v.name for v in graph.output]
        found: list[Diagnostic] = []
        level = dict.fromkeys([*self.inputs, *self.constants], 0)
        self.stages = [Stage()]
        for index, node in enumerate(graph.node):
            if node.op_type in FUSED:
                found += self._refusal(index, node, "its products are inside of it", FUSED[node.op_type]).diagnostics
            at = max((level.get(name, 0) for name in reads_of(node)), default=0)
            while len(self.stages) <= at:
                self.stages.append(Stage())
            last = True
            if node.op_type in PRODUCTS:
                try:
                    self.stages[at].products.append(self._product(index, node))
                except ModelError as error:
                    found += error.diagnostics
            elif strange & {*node.input, *node.output}:
                self.stages[at].references.append(Reference(node))
            else:
                self.stages[at].host.nodes.append(node)
                last = False
            level.update(dict.fromkeys(node.output, at + last))
        if found:
            raise ModelError(*found)
        if self.host_products and not any(stage.products for stage in self.stages):
            raise ModelError(Diagnostic("E1106", "the model has no product that is quantized while it runs: no MatMulInteger and no ConvInteger; "
                                        f"the host would compute {', '.join(self.host_products[:5])}", file,
                                        hint="onnxruntime.quantization.quantize_dynamic() makes them of a float32 model; `gemel run` and gemel.run() take "
                                        "models whose scales are known"))  # fmt: skip

    def _without_kernels(self) -> set[str]:
        """Values of types that ONNX Runtime does not compute with. ModelError E1103: their types contradict each other."""
        kinds = {TensorProto.DataType.Value(name) for name in WITHOUT_KERNELS if name in TensorProto.DataType.keys()}
        graph = self.model.graph
        declared = {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output, *graph.value_info)} | {t.data_type for t in graph.initializer}
        made = {a.i for node in graph.node for a in node.attribute if a.type == onnx.AttributeProto.INT}  # what a Cast or a QuantizeLinear may make
        if not kinds & (declared | made):
            return set()
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model).graph
        except Exception as error:  # onnx.shape_inference.InferenceError and what its C++ throws
            raise ModelError(Diagnostic("E1103", f"the model is damaged: its types contradict each other: {error}", self.file)) from None
        typed = {v.name: v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.value_info, *inferred.output)}
        typed |= {t.name: t.data_type for t in graph.initializer}
        return {name for name, kind in typed.items() if kind in kinds}

    @property
    def reference_nodes(self) -> list[str]:
        """Nodes that onnx's reference computes: "QuantizeLinear `y`"."""
        return [f"{one.node.op_type} `{one.node.output[0]}`" for stage in self.stages for one in stage.references]

    def in_onnx_runtime(self, inputs: Values) -> Values:
        """The outputs, of the whole model in one piece. ModelError E1109."""
        if self._whole is None:
            raise ModelError(Diagnostic("E1109", f"ONNX Runtime does not run the model: it has no kernels for {', '.join(WITHOUT_KERNELS)}", self.file))
        try:
            return self._whole.run(inputs)
        except Exception as error:  # of classes that have no names
            raise refused(self.file, error) from None

    def _refusal(self, index: int, node: onnx.NodeProto, what: str, hint: str = "") -> ModelError:
        return ModelError(Diagnostic("E1105", f"node {index}, {node.op_type} `{node.output[0]}`: {what}", self.file, hint=hint))

    def _product(self, index: int, node: onnx.NodeProto) -> Product:
        names = [*node.input, "", ""][:4]

        def refuse(what: str) -> ModelError:
            return self._refusal(index, node, what)

        if node.op_type == "MatMulInteger":
            constant = names[1] in self.constants and len(self.constants[names[1]].dims) == 2 and (not names[3] or names[3] in self.constants)
            return MatMul(node.output[0], names[0], names[1], names[2], names[3], constant, refuse)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if names[1] not in self.constants or (names[3] and names[3] not in self.constants):
            raise refuse("its weights are computed by the network; supported: constants")
        weights = numpy_helper.to_array(self.constants[names[1]])
        zeros = numpy_helper.to_array(self.constants[names[3]]).reshape(-1) if names[3] else np.zeros(1, weights.dtype)
        if zeros.size not in (1, len(weights)):
            raise refuse(f"its weights have {zeros.size} zero points; supported: one, or one for each of its {len(weights)} outputs")
        zeros = zeros[:1] if (zeros == zeros[0]).all() else zeros
        return Conv(node.output[0], names[0], weights, names[2], zeros, attributes, refuse)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the inputs, for one image or sentence at a time where the model leaves their number open. ModelError E1105 (other lengths are open), E1106."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        fix_shapes(model, self.file, set(self.constants))
        return {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input if v.name in self.inputs}

    def types(self) -> dict[str, np.dtype[Any]]:
        """Of the inputs."""
        return {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in self.model.graph.input if v.name in self.inputs}

    @property
    def host_products(self) -> list[str]:
        """Products that stay on the host, as they are in float32 or in a branch or a loop: "MatMul `scores`"."""
        nodes = [inner for stage in self.stages for node in stage.host.nodes for inner in (node, *within(node))]
        return [f"{node.op_type} `{node.output[0]}`" for node in nodes if node.op_type in (*FLOAT_PRODUCTS, *PRODUCTS)]

    def run(self, inputs: Values, products: Callable[[int, list[Product], Values], Values]) -> tuple[Values, int]:
        """All values that host and machine make, and the elements that the host makes. `products` gives the sums of a stage's products by their outputs'
        names; it gets the stage's number, and all values so far."""
        values = dict(inputs)
        for name, kind in self.types().items():
            if values[name].dtype != kind:
                raise ModelError(Diagnostic("E0510", f"input `{name}` is given as {values[name].dtype}, and the model has {kind}"))
        read = [*self.outputs, *(name for stage in self.stages for product in stage.products for name in product.reads)]
        values.update((name, numpy_helper.to_array(self.constants[name])) for name in read if name in self.constants)
        elements = 0
        for number, stage in enumerate(self.stages):
            parts: list[Host | Reference] = [stage.host, *stage.references]
            for part in parts:
                elements += part.run(self.model, self.constants, values, self.file)
            if stage.products:
                values.update(products(number, stage.products, values))
        return values, elements
