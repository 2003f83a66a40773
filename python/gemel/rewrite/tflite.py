# SPDX-License-Identifier: Apache-2.0
"""A float TensorFlow Lite model as an ONNX model of the same inputs, outputs and numbers, up to the order of float32's sums.

TFLite's images are [images, height, width, channels], ONNX's operators take channels before height and width. A tensor of four dimensions may stand in either
order here, or in both: an operator with windows asks for channels first and makes such, a function of one element takes what there is, and a Transpose stands
only where an operator needs the other order. Inputs and outputs of the model keep TFLite's.

To add an operator: its options in ../importer/schema.py, a function here with its row of OPERATORS, a case in tests/python/tflite_float_cases.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..importer.files import MOST_BYTES, read_bytes
from ..importer.messages import Diagnostic, Findings, ModelError, Refused
from ..importer.schema import ACTIVATIONS
from ..importer.tflite_context import Context, check_size, readable
from ..importer.tflite_file import Operator, Tensor, is_tflite, read_tflite
from ..importer.tflite_ops import (
    Options, expect_shape, image, left_by_folding, measured, nearest_places, numbers, operands, slice_places, split_lengths,
    strided_places, transposed_window, unpacked,
)  # fmt: skip
from ..importer.workload import shape_text
from .names import unique_name
from .runtime import onnx

from onnx import TensorProto, helper, numpy_helper  # isort: skip  (runtime has said so if there is no onnx)

OPSET = 17  # that quantization works on
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # orders of the dimensions of images
TYPES = {"FLOAT32": TensorProto.FLOAT, "INT32": TensorProto.INT32, "INT64": TensorProto.INT64}
INTEGERS = ("INT32", "INT64")
MAKE_INTEGERS = ("ArgMax",)
QUANTIZED = ("INT8", "UINT8", "INT16")
FLOAT_HINT = "convert the model without quantization, or with float16 weights"
UNKNOWN_HINT = "docs/reference/tflite.md lists the operators of float models; replace it in the model, or end the model before it"
Array = Any  # numpy's


@dataclass(frozen=True)
class Row:
    translate: Callable[[Maker, Operator], None]
    becomes: str  # ONNX's operators, for the table in the documentation
    supported: str


def model_bytes(path: Path) -> tuple[bytes, int]:
    """The bytes of the ONNX model that `path` has, or that its float TFLite model becomes, and how many weights of the latter had 8 or 4 bits.
    ModelError: E1101 to E1106."""
    data = read_bytes(path)
    if not is_tflite(data) or path.suffix.lower() == ".onnx":
        return data, 0
    model, restored = _translated(path, data)
    return model.SerializeToString(), restored


def tflite_to_onnx(path: str | Path) -> onnx.ModelProto:
    """The float TFLite model in `path` as an ONNX model of opset 17. Inputs and outputs have TFLite's names (of those joined by `;` the last one) and shapes.

    ModelError with everything that is wrong: E1101 to E1103 the file, E1104 an operator, E1105 an attribute of one, E1106 types, or a quantized model.
    """
    path = Path(path)
    data = read_bytes(path)
    if not is_tflite(data):
        raise ModelError(Diagnostic("E1102", f"`{path}` is no TensorFlow Lite model", hint="bytes 4 to 7 of a .tflite file are `TFL3`"))
    return _translated(path, data)[0]


def _translated(path: Path, data: bytes) -> tuple[onnx.ModelProto, int]:
    graph = read_tflite(path, data)
    found = Findings(str(path))
    kinds = sorted({t.type for op in graph.operators for t in op.outputs if t.type in QUANTIZED})
    if kinds:
        found.add("E1106", f"the model is quantized already: it computes tensors of {', '.join(kinds)}", "", "give the float model that it was made of; "
                  "`gemel run` and `gemel import` take one of INT8 as it is")  # fmt: skip
        found.raise_any()
    maker = Maker(graph.inputs, graph.outputs)
    found.attempt("inputs", maker.begin)
    for op in left_by_folding(graph.operators, found):
        if op.type not in OPERATORS:
            shapes = ", ".join(f"{t.type} {shape_text(t.shape)}" for t in op.inputs if t is not None)
            found.add("E1104", f"{op}: there is no such operator for float models in Gemel", f"its inputs: {shapes or 'none'}", UNKNOWN_HINT)
        else:
            found.attempt(str(op), lambda op=op: OPERATORS[op.type].translate(maker, op))
    if not found.diagnostics:
        found.attempt("outputs", maker.end)
    if not found.diagnostics and not maker.nodes:
        found.nothing_left()
    found.raise_any()
    return maker.model(path.stem), maker.restored


class Maker:
    """The ONNX graph so far. `places`: where each tensor stands, by whether channels are first."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]):
        self.inputs, self.outputs = inputs, outputs
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.restored = 0  # weights of 8 or 4 bits that are float32 now
        self.flattened: dict[Tensor, tuple[int, ...]] = {}  # rows of an image's elements, channels first, and the image's shape as TFLite has it
        self._taken: set[str] = set()
        self._edges = {t: unique_name(self._taken, readable(t)) for t in [*inputs, *outputs]}
        self._places: dict[bool, dict[Tensor, str]] = {False: {}, True: {}}
        self._folded: dict[Tensor, Array] = {}
        self._bytes = 0

    # What operators read.

    def array(self, t: Tensor) -> Array | None:
        """Of a constant, in float32; None: it is computed. Refused: a type that has no numbers, weights without scales."""
        if t in self._folded or not t.constant:
            return self._folded.get(t)
        Context.check_plain(t)
        if t.data is not None and t.type in ("FLOAT32", "FLOAT16", "FLOAT64"):
            made = t.data.astype(np.float32)
        elif t.data is not None and t.type in ("INT8", "UINT8", "INT4") and t.scale.size:
            made = self._restored(t)
        else:
            raise Refused(f"type of {t}", t.type, "FLOAT32, FLOAT16; INT8, UINT8 and INT4 with scales", FLOAT_HINT, "E1106")
        self._bytes += made.nbytes
        if self._bytes > MOST_BYTES:
            raise Refused("constants", f"more than {MOST_BYTES} bytes in float32", f"{MOST_BYTES} bytes")
        self._folded[t] = made
        return made

    def _restored(self, t: Tensor) -> Array:
        if not (np.isfinite(t.scale) & (t.scale > 0)).all():
            raise Refused(f"scales of {t}", "not above 0", "finite numbers above 0", code="E1107")
        shape = [-1 if d == t.axis else 1 for d in range(len(t.shape))] if t.scale.size > 1 else [1] * len(t.shape)
        whole = unpacked(t) if t.type == "INT4" else t.data
        self.restored += 1
        return ((whole.astype(np.int64) - t.zero_point.reshape(shape)).astype(np.float32) * t.scale.reshape(shape)).astype(np.float32)

    def weights(self, t: Tensor, rank: int, what: str = "weights") -> Array:
        made = self.array(t)
        if made is None:
            raise Refused(f"{what}, {t}", "computed by the network", "constants")
        if len(made.shape) != rank or made.size == 0:
            raise Refused(f"shape of the {what}, {t}", shape_text(t.shape), f"{rank} dimensions")
        return made

    def bias(self, t: Tensor | None, channels: int) -> list[str]:
        """The operand, if there is one."""
        if t is None:
            return []
        made = self.weights(t, len(t.shape), "bias")
        if made.size != channels:
            raise Refused(f"shape of the bias, {t}", shape_text(t.shape), f"[{channels}]")
        return [self.constant(readable(t), made.reshape(-1))]

    def stands_first(self, t: Tensor) -> bool:
        return t in self._places[True]

    def is_first(self, t: Tensor) -> bool:
        """Whether functions of its elements had better be made with channels first: it stands so, or is an image that the model gets."""
        return self.stands_first(t) or (t in self.inputs and len(t.shape) == 4)

    def value(self, t: Tensor, first: bool = False) -> str:
        """The ONNX value of a float tensor. first: of an image, or of a constant that is spread over one, with channels first."""
        places, array = self._places[first], self.array(t)
        if array is None and t.type != "FLOAT32":
            raise Refused(f"type of {t}", t.type, "FLOAT32", FLOAT_HINT, "E1106")
        if t in places:
            return places[t]
        if array is not None:
            if first:
                array = array.reshape((1,) * (4 - array.ndim) + array.shape).transpose(TO_FIRST)
            places[t] = self.constant(readable(t), array)
            return places[t]
        Context.check_plain(t)
        other = self._places[not first].get(t)
        if other is None:
            return ""  # its own operator was refused
        places[t] = self.node("Transpose", [other], self._name(t, first, "nchw" if first else "nhwc"), perm=TO_FIRST if first else TO_LAST)
        return places[t]

    def indices(self, t: Tensor) -> str:
        """The ONNX value of integers: an input of the model, a constant, or what ARG_MAX makes."""
        if t.type not in INTEGERS:
            raise Refused(f"type of {t}", t.type, ", ".join(INTEGERS), code="E1106")
        if t.constant and t.data is not None:
            return self.constant(readable(t), t.data)
        return self._places[False].get(t, "")

    # What operators make.

    def constant(self, wanted: str, array: Array) -> str:
        name = unique_name(self._taken, wanted)
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def whole(self, wanted: str, values: Sequence[int]) -> str:
        return self.constant(wanted, np.array(values, np.int64))

    def number(self, wanted: str, value: float) -> str:
        return self.constant(wanted, np.array(value, np.float32))

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}.{output}", **attributes))
        return output

    def step(self, op: Operator, kind: str, inputs: list[str], **attributes: Any) -> str:
        """A value on the way to the operator's result."""
        return self.node(kind, inputs, unique_name(self._taken, f"{readable(op.outputs[0])}_{kind.lower()}"), **attributes)

    def _name(self, t: Tensor, first: bool, suffix: str = "") -> str:
        if t in self.outputs and not first:
            return self._edges[t]
        wanted = readable(t)
        return unique_name(self._taken, f"{wanted}_{suffix}" if suffix else wanted)

    def make(self, op: Operator, kind: str, inputs: list[str], first: bool = False, activation: str = "NONE", out: Tensor | None = None,
             **attributes: Any) -> None:  # fmt: skip
        """The operator's result, with its activation."""
        made = out or op.outputs[0]
        if made.type not in (INTEGERS if kind in MAKE_INTEGERS else ("FLOAT32",)):
            raise Refused(f"type of {made}", made.type, ", ".join(INTEGERS) if kind in MAKE_INTEGERS else "FLOAT32", code="E1106")
        Context.check_plain(made)
        name = self._name(made, first)
        if activation == "NONE":
            self.node(kind, inputs, name, **attributes)
        else:
            self._activation(op, activation, self.step(op, kind, inputs, **attributes), name)
        self._places[first][made] = name

    def _activation(self, op: Operator, activation: str, source: str, name: str) -> None:
        if activation in ("RELU", "TANH"):
            self.node(activation.capitalize(), [source], name)
        else:
            self.node("Clip", [source, *self.bounds(name, activation)], name)

    def bounds(self, name: str, activation: str) -> list[str]:
        return [self.number(f"{name}_{what}", bound) for what, bound in zip(("least", "largest"), BOUNDS[activation], strict=True)]

    def folded(self, t: Tensor, array: Array) -> None:
        self._folded[t] = array

    # The edges of the model.

    def begin(self) -> None:
        for t in self.inputs:
            check_size(t)
            if t.type not in TYPES:
                raise Refused(f"type of {t}", t.type, ", ".join(TYPES), FLOAT_HINT, "E1106")
            self._places[False][t] = self._edges[t]

    def end(self) -> None:
        for t in self.outputs:
            if t in self.inputs or t.constant or t in self._folded:
                raise Refused(f"output, {t}", "a constant" if t not in self.inputs else "an input of the model", "a tensor that an operator makes")
            if t.type in INTEGERS:
                self.indices(t)
            else:
                self.value(t)

    def model(self, name: str) -> onnx.ModelProto:
        def edge(t: Tensor) -> onnx.ValueInfoProto:
            kind = TYPES[t.type] if t in self.inputs or t.type == "FLOAT32" else TensorProto.INT64  # what ArgMax makes
            return helper.make_tensor_value_info(self._edges[t], kind, t.shape)

        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, [edge(t) for t in self.inputs], [edge(t) for t in self.outputs], constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="gemel")


BOUNDS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def activation(options: Options) -> str:
    name = options.choice("fused_activation_function", ACTIVATIONS)
    if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"):
        raise Refused("fused_activation_function", name, "NONE, RELU, RELU6, RELU_N1_TO_1, TANH")
    return name


# ---- layers with weights ------------------------------------------------------------------------------------------------------


def conv_2d(m: Maker, op: Operator) -> None:
    x, w, b = operands(op, 2, 3)
    depthwise = op.type == "DEPTHWISE_CONV_2D"
    options = Options(op, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
    n, height, width, depth = image(x)
    data = m.weights(w, 4)
    if depthwise:
        one, kh, kw, outputs = data.shape
        if one != 1 or outputs % depth:
            raise Refused(f"shape of the weights, {w}", shape_text(w.shape), f"[1, height, width, a multiple of {depth}]")
        data, groups = data.transpose(3, 0, 1, 2), depth
    else:
        outputs, kh, kw, inner = data.shape
        if depth % inner or outputs % (depth // inner):
            raise Refused(f"shape of the weights, {w}", shape_text(w.shape), f"[outputs, height, width, {depth}], or a part of the {depth} for each group")
        data, groups = data.transpose(0, 3, 1, 2), depth // inner
    window = measured(options, (height, width), (kh, kw))
    expect_shape(op.outputs[0], (n, *window.size, outputs))
    m.make(op, "Conv", [m.value(x, True), m.constant(readable(w), data), *m.bias(b, outputs)], True, activation(options), kernel_shape=[kh, kw],
           strides=window.stride, dilations=window.dilation, pads=[*window.before, *window.behind], group=groups)  # fmt: skip


def transpose_conv(m: Maker, op: Operator) -> None:
    size, w, x, b = operands(op, 3, 4)
    options = Options(op, "TransposeConvOptions")
    n, height, width, depth = image(x)
    data = m.weights(w, 4)
    outputs, kh, kw, inner = data.shape
    if inner != depth:
        raise Refused(f"shape of the weights, {w}", shape_text(w.shape), f"[outputs, height, width, {depth}]")
    wanted = numbers(size, "output shape", 4)
    expect_shape(op.outputs[0], wanted)
    if wanted[0] != n or wanted[3] != outputs:
        raise Refused("output shape", wanted, f"{n} images, {outputs} channels")
    stride, before = transposed_window(options, wanted[1:3], (kh, kw))
    pads, behind, more = [], [], []
    for length, made, k, s, first in zip((height, width), wanted[1:3], (kh, kw), stride, before, strict=True):
        last = (length - 1) * s + k - first - made  # beyond the result; below 0: that much of it no product reaches
        pads.append(first)
        behind.append(max(last, 0))
        more.append(max(-last, 0))
        if more[-1] >= s or first + behind[-1] >= (length - 1) * s + k:
            raise Refused("output shape", wanted, f"lengths that strides of {stride} make of {[height, width]}")
    m.make(op, "ConvTranspose", [m.value(x, True), m.constant(readable(w), data.transpose(3, 0, 1, 2)), *m.bias(b, outputs)], True, activation(options),
           kernel_shape=[kh, kw], strides=stride, pads=[*pads, *behind], output_padding=more)  # fmt: skip


def fully_connected(m: Maker, op: Operator) -> None:
    x, w, b = operands(op, 2, 3)
    options = Options(op, "FullyConnectedOptions")
    if options("weights_format", 0):
        raise Refused("weights_format", options("weights_format", 0), "0 (DEFAULT)")
    data = m.weights(w, 2)
    outputs, inner = data.shape
    size = math.prod(x.shape)
    if size % inner:
        raise Refused(f"shape of the weights, {w}", shape_text(w.shape), f"[outputs, a divisor of {size}]")
    rows = (*x.shape[:-1], outputs) if options("keep_num_dims", False) else (size // inner, outputs)
    if math.prod(rows) != size // inner * outputs:
        raise Refused("keep_num_dims", True, f"an input whose last dimension has {inner} elements")
    expect_shape(op.outputs[0], rows)
    flat = (size // inner, inner)
    images = m.flattened.get(x) or (x.shape if m.stands_first(x) and math.prod(x.shape[1:]) == inner else None)
    if images is not None:  # a Flatten of what stands channels first, by weights in that order
        data = data.reshape(outputs, *images[1:]).transpose(TO_FIRST).reshape(outputs, inner)
        source = m.value(x) if x in m.flattened else m.step(op, "Flatten", [m.value(x, True)])
    else:
        source = m.value(x)
    if images is None and x.shape != flat:
        source = m.step(op, "Reshape", [source, m.whole(f"{readable(op.outputs[0])}_rows", flat)])
    operands_ = [source, m.constant(readable(w), data), *m.bias(b, outputs)]
    if len(rows) == 2:
        m.make(op, "Gemm", operands_, False, activation(options), transB=1)
    else:
        shape = m.whole(f"{readable(op.outputs[0])}_shape", rows)
        m.make(op, "Reshape", [m.step(op, "Gemm", operands_, transB=1), shape], False, activation(options))


LSTM_OPERANDS = 24
LEFT_OUT = {9: "cell_to_input_weights", 10: "cell_to_forget_weights", 11: "cell_to_output_weights", 16: "projection_weights", 17: "projection_bias",
            20: "input_layer_norm_coefficients", 21: "forget_layer_norm_coefficients", 22: "cell_layer_norm_coefficients",
            23: "output_layer_norm_coefficients"}  # fmt: skip
ONNX_GATES = (0, 3, 1, 2)  # input, output, forget, cell: of TFLite's input, forget, cell, output


def lstm(m: Maker, op: Operator) -> None:
    """States begin with zeros. A cell grows by less than one a step, so a clip at as many as there are steps is none."""
    given = [*op.inputs, *[None] * (LSTM_OPERANDS - len(op.inputs))]
    x, options, out = given[0], Options(op, "UnidirectionalSequenceLSTMOptions"), op.outputs[0] if op.outputs else None
    if x is None or out is None or len(given) > LSTM_OPERANDS or any(given[i] is None for i in (*range(1, 9), *range(12, 16), 18, 19)):
        wanted = f"{LSTM_OPERANDS} in, with weights and biases of four gates and two states; 1 out"
        raise Refused("operands", f"{len(op.inputs)} in, {len(op.outputs)} out", wanted)
    for i, name in LEFT_OUT.items():
        if given[i] is not None:
            raise Refused(name, str(given[i]), "none")
    if not (given[18].is_variable and given[19].is_variable):
        raise Refused("states", f"{given[18]}, {given[19]}", "variables, which are zero at first")
    check_size(x)
    check_size(out)
    if len(x.shape) != 3:
        raise Refused(f"shape of {x}", shape_text(x.shape), "3 dimensions")
    by_time, clip = options("time_major", False), options("cell_clip", 0.0)
    steps, images = x.shape[:2] if by_time else x.shape[1::-1]
    w, r = ([m.weights(t, 2) for t in given[at : at + 4]] for at in (1, 5))
    hidden = w[0].shape[0]
    if any(a.shape != (hidden, x.shape[2]) for a in w) or any(a.shape != (hidden, hidden) for a in r):
        raise Refused("shapes of the weights", ", ".join(shape_text(a.shape) for a in (*w, *r)), f"[{hidden}, {x.shape[2]}] and [{hidden}, {hidden}]")
    biases = [m.weights(t, 1, "bias") for t in given[12:16]]
    if any(b.shape != (hidden,) for b in biases):
        raise Refused("shapes of the biases", ", ".join(shape_text(b.shape) for b in biases), f"[{hidden}]")
    expect_shape(out, (*x.shape[:2], hidden))
    if options.choice("fused_activation_function", ACTIVATIONS) != "TANH":
        raise Refused("fused_activation_function", options.choice("fused_activation_function", ACTIVATIONS), "TANH")
    if not (clip == 0 or clip >= steps):
        raise Refused("cell_clip", clip, f"0, or at least the number of steps, {steps}: a cell cannot reach it then", "unroll the layer (Keras: unroll=True)")
    if options("proj_clip", 0.0) != 0:
        raise Refused("proj_clip", options("proj_clip", 0.0), "0")
    name = readable(out)
    operands_ = [m.constant(f"{name}_{what}", np.concatenate([one[g] for g in ONNX_GATES])[None]) for what, one in (("weights", w), ("recurrent", r))]
    bias = np.concatenate([*(biases[g] for g in ONNX_GATES), np.zeros(4 * hidden, np.float32)])[None]
    source = m.value(x) if by_time else m.step(op, "Transpose", [m.value(x)], perm=(1, 0, 2))
    made = m.step(op, "LSTM", [source, *operands_, m.constant(f"{name}_bias", bias)], hidden_size=hidden)
    made = m.step(op, "Squeeze", [made, m.whole(f"{name}_direction", [1])])
    m.make(op, "Identity" if by_time else "Transpose", [made], **({} if by_time else {"perm": (1, 0, 2)}))


# ---- functions of elements ----------------------------------------------------------------------------------------------------


def same_shape(op: Operator) -> Tensor:
    (x,) = operands(op, 1)
    assert x is not None
    expect_shape(op.outputs[0], x.shape)
    return x


def unary(kind: str, **attributes: Any) -> Callable[[Maker, Operator], None]:
    def translate(m: Maker, op: Operator) -> None:
        x = same_shape(op)
        first = m.is_first(x)
        m.make(op, kind, [m.value(x, first)], first, **attributes)

    return translate


def clip(m: Maker, op: Operator) -> None:
    x = same_shape(op)
    first = m.is_first(x)
    m.make(op, "Clip", [m.value(x, first), *m.bounds(readable(op.outputs[0]), op.type)], first)


def leaky_relu(m: Maker, op: Operator) -> None:
    alpha = Options(op, "LeakyReluOptions")("alpha", 0.0)
    if not math.isfinite(alpha):
        raise Refused("alpha", alpha, "a finite number")
    unary("LeakyRelu", alpha=alpha)(m, op)


def prelu(m: Maker, op: Operator) -> None:
    """One slope for all is LeakyRelu; else positive and negative parts stand apart, which the machine has operators for."""
    x, slopes = operands(op, 2)
    alpha, out = m.weights(slopes, len(slopes.shape), "slopes"), op.outputs[0]
    expect_shape(out, _broadcast(x.shape, slopes.shape))
    expect_shape(out, x.shape)
    first = m.is_first(x)
    source = m.value(x, first)
    if (alpha == alpha.reshape(-1)[0]).all():
        m.make(op, "LeakyRelu", [source], first, alpha=float(alpha.reshape(-1)[0]))
        return
    below = m.step(op, "Min", [source, m.number(f"{readable(out)}_zero", 0.0)])
    m.make(op, "Add", [m.step(op, "Relu", [source]), m.step(op, "Mul", [below, m.value(slopes, first)])], first)


def gelu(m: Maker, op: Operator) -> None:
    """As exporters to opsets before 20 write it."""
    x = same_shape(op)
    first, name = m.is_first(x), readable(op.outputs[0])
    source = m.value(x, first)
    if Options(op, "GeluOptions")("approximate", False):
        cube = m.step(op, "Mul", [source, m.step(op, "Mul", [source, source])])
        inner = m.step(op, "Add", [source, m.step(op, "Mul", [cube, m.number(f"{name}_cube", 0.044715)])])
        bent = m.step(op, "Tanh", [m.step(op, "Mul", [inner, m.number(f"{name}_scale", math.sqrt(2 / math.pi))])])
    else:
        bent = m.step(op, "Erf", [m.step(op, "Div", [source, m.number(f"{name}_root", math.sqrt(2))])])
    upper = m.step(op, "Add", [bent, m.number(f"{name}_one", 1.0)])
    m.make(op, "Mul", [m.step(op, "Mul", [source, upper]), m.number(f"{name}_half", 0.5)], first)


def square(m: Maker, op: Operator) -> None:
    x = same_shape(op)
    first = m.is_first(x)
    m.make(op, "Mul", [m.value(x, first)] * 2, first)


def rsqrt(m: Maker, op: Operator) -> None:
    x = same_shape(op)
    first = m.is_first(x)
    m.make(op, "Reciprocal", [m.step(op, "Sqrt", [m.value(x, first)])], first)


def softmax(m: Maker, op: Operator) -> None:
    x = same_shape(op)
    beta = Options(op, "SoftmaxOptions")("beta", 0.0)
    if not (math.isfinite(beta) and 0 < beta <= 1e6):
        raise Refused("beta", beta, "more than 0, at most 1e6")
    if not x.shape:
        raise Refused(f"shape of {x}", shape_text(x.shape), "one dimension or more")
    first = m.is_first(x)
    source = m.value(x, first)
    if beta != 1:
        source = m.step(op, "Mul", [source, m.number(f"{readable(op.outputs[0])}_beta", beta)])
    m.make(op, "Softmax", [source], first, axis=1 if first else len(x.shape) - 1)


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused("shapes of the operands", " and ".join(map(shape_text, shapes)), "shapes of which one can be repeated to the other's") from None


def pair(kind: str, table: str = "") -> Callable[[Maker, Operator], None]:
    def translate(m: Maker, op: Operator) -> None:
        a, b = operands(op, 2)
        expect_shape(op.outputs[0], _broadcast(a.shape, b.shape))
        computed = [t for t in (a, b) if m.array(t) is None]
        first = any(map(m.is_first, computed)) and all(len(t.shape) == 4 for t in computed)
        m.make(op, kind, [m.value(a, first), m.value(b, first)], first, activation(Options(op, table)) if table else "NONE")

    return translate


# ---- windows, and what is over dimensions ---------------------------------------------------------------------------------------


def pool(kind: str) -> Callable[[Maker, Operator], None]:
    def translate(m: Maker, op: Operator) -> None:
        (x,) = operands(op, 1)
        options = Options(op, "Pool2DOptions")
        n, height, width, depth = image(x)
        kernel = options.positive("filter_height", 0), options.positive("filter_width", 0)
        window = measured(options, (height, width), kernel, dilated=False)
        expect_shape(op.outputs[0], (n, *window.size, depth))
        m.make(op, kind, [m.value(x, True)], True, activation(options), kernel_shape=kernel, strides=window.stride, pads=[*window.before, *window.behind])

    return translate


def _axis(value: int, rank: int) -> int:
    if not -rank <= value < rank:
        raise Refused("axis", value, f"{-rank} to {rank - 1}")
    return value % rank


def _moved(axis: int, first: bool) -> int:
    """Where a dimension of an image stands."""
    return TO_FIRST.index(axis) if first else axis


def _in_order(values: Sequence[Any], first: bool) -> list[Any]:
    return [values[d] for d in TO_FIRST] if first else list(values)


def reduce(kind: str) -> Callable[[Maker, Operator], None]:
    def translate(m: Maker, op: Operator) -> None:
        x, which = operands(op, 2)
        rank, out = len(x.shape), op.outputs[0]
        axes = sorted({_axis(value, rank) for value in numbers(which, "axes", None)})
        kept = bool(Options(op, "ReducerOptions")("keep_dims", False))
        expect_shape(out, [1 if d in axes else n for d, n in enumerate(x.shape) if kept or d not in axes])
        if not axes:
            raise Refused("axes", "none", "one or more")
        if kind in GLOBAL and axes == ([1] if rank == 3 else [1, 2] if rank == 4 else []):
            _over_image(m, op, x, kind)
            return
        first = m.is_first(x) and kept
        moved = [_moved(axis, first) for axis in axes]
        source, own = m.value(x, first), first and kept
        if kind == "ReduceSum":
            m.make(op, kind, [source, m.whole(f"{readable(out)}_axes", moved)], own, keepdims=int(kept))
        else:
            m.make(op, kind, [source], own, axes=sorted(moved), keepdims=int(kept))

    return translate


GLOBAL = ("ReduceMean", "ReduceMax")


def _over_image(m: Maker, op: Operator, x: Tensor, kind: str) -> None:
    """Over all pixels of an image, or all steps of a sequence, which is an image one pixel wide: pools, which the machine has."""
    out, name = op.outputs[0], readable(op.outputs[0])
    if len(x.shape) == 4:
        source, size = m.value(x, True), x.shape[1:3]
    else:
        n, length, depth = x.shape
        source, size = m.step(op, "Reshape", [m.value(x), m.whole(f"{name}_image", [n, length, 1, depth])]), (length, 1)
        source = m.step(op, "Transpose", [source], perm=TO_FIRST)
    pool, options = ("GlobalAveragePool", {}) if kind == "ReduceMean" else ("MaxPool", {"kernel_shape": size})
    if len(out.shape) == 4:
        m.make(op, pool, [source], True, **options)
    else:
        m.make(op, "Reshape", [m.step(op, pool, [source], **options), m.whole(f"{name}_shape", out.shape)])


def arg_max(m: Maker, op: Operator) -> None:
    x, which = operands(op, 2)
    rank = len(x.shape)
    axis = _axis(numbers(which, "axis", 1)[0], rank)
    expect_shape(op.outputs[0], [n for d, n in enumerate(x.shape) if d != axis])
    if op.outputs[0].read_by:
        raise Refused("place", f"before {op.outputs[0].read_by[0]}", "the end of the model")
    first = m.is_first(x) and axis == 3  # without channels both orders are one
    m.make(op, "ArgMax", [m.value(x, first)], axis=_moved(axis, first), keepdims=0)


def gather(m: Maker, op: Operator) -> None:
    x, which = operands(op, 2)
    options, rank = Options(op, "GatherOptions"), len(x.shape)
    axis = _axis(options("axis", 0), rank)
    if options("batch_dims", 0):
        raise Refused("batch_dims", options("batch_dims", 0), "0")
    expect_shape(op.outputs[0], [*x.shape[:axis], *which.shape, *x.shape[axis + 1 :]])
    m.make(op, "Gather", [m.value(x), m.indices(which)], axis=axis)


def batch_matmul(m: Maker, op: Operator) -> None:
    a, b = operands(op, 2)
    options, sides = Options(op, "BatchMatMulOptions"), []
    for t, name in ((a, "adj_x"), (b, "adj_y")):
        rank = len(t.shape)
        if rank < 2:
            raise Refused(f"shape of {t}", shape_text(t.shape), "2 dimensions or more")
        order, value = [*range(rank - 2), rank - 1, rank - 2] if options(name, False) else list(range(rank)), m.value(t)
        sides.append((tuple(t.shape[d] for d in order), m.step(op, "Transpose", [value], perm=order) if options(name, False) else value))
    (left, right) = (shape for shape, _ in sides)
    if left[-1] != right[-2]:
        raise Refused("shapes of the operands", f"{shape_text(left)} and {shape_text(right)}", "as many columns of the first as rows of the second")
    expect_shape(op.outputs[0], (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1]))
    m.make(op, "MatMul", [value for _, value in sides])


def squared_difference(m: Maker, op: Operator) -> None:
    a, b = operands(op, 2)
    expect_shape(op.outputs[0], _broadcast(a.shape, b.shape))
    apart = m.step(op, "Sub", [m.value(a), m.value(b)])
    m.make(op, "Mul", [apart, apart])


def concatenation(m: Maker, op: Operator) -> None:
    parts = operands(op, 1, max(len(op.inputs), 1))
    out, options = op.outputs[0], Options(op, "ConcatenationOptions")
    if activation(options) != "NONE":  # LiteRT has no such
        raise Refused("fused_activation_function", activation(options), "NONE")
    if any(t is None for t in parts) or any(len(t.shape) != len(out.shape) for t in parts):
        raise Refused("operands", ", ".join(shape_text(t.shape) for t in parts if t is not None), f"tensors of {len(out.shape)} dimensions")
    axis = _axis(options("axis", 0), len(out.shape))
    shapes = [tuple(n for d, n in enumerate(t.shape) if d != axis) for t in parts]
    if any(shape != shapes[0] for shape in shapes):
        raise Refused("shapes of the operands", ", ".join(shape_text(t.shape) for t in parts), f"the same but for dimension {axis}")
    expect_shape(out, [sum(t.shape[d] for t in parts) if d == axis else n for d, n in enumerate(parts[0].shape)])
    first = any(m.is_first(t) for t in parts)
    m.make(op, "Concat", [m.value(t, first) for t in parts], first, axis=_moved(axis, first))


def pad(m: Maker, op: Operator) -> None:
    x, amounts, *value = operands(op, 2, 3)
    rank = len(x.shape)
    pads = np.array(numbers(amounts, "paddings", 2 * rank)).reshape(rank, 2)
    if pads.size and (pads.min() < 0 or pads.max() > 1 << 20):
        raise Refused("paddings", pads.tolist(), "0 to 1048576")
    expect_shape(op.outputs[0], [n + int(a) + int(b) for n, (a, b) in zip(x.shape, pads, strict=True)])
    first, name, more, mode = m.is_first(x), readable(op.outputs[0]), [], "constant"
    if op.type == "MIRROR_PAD":
        mode = "reflect"
        if Options(op, "MirrorPadOptions")("mode", 0) != 0:
            raise Refused("mode", "SYMMETRIC", "REFLECT")
        if any(max(a, b) >= n for n, (a, b) in zip(x.shape, pads, strict=True)):
            raise Refused("paddings", pads.tolist(), f"less than the lengths, {list(x.shape)}")
    elif value[0] is not None:
        filler = m.weights(value[0], len(value[0].shape), "value")
        if filler.size != 1:
            raise Refused(f"shape of the value, {value[0]}", shape_text(value[0].shape), "one number")
        more = [m.number(f"{name}_value", float(filler.reshape(-1)[0]))]
    ends = [_in_order(pads[:, side].tolist(), first) for side in (0, 1)]
    m.make(op, "Pad", [m.value(x, first), m.whole(f"{name}_pads", ends[0] + ends[1]), *more], first, mode=mode)


def resize(m: Maker, op: Operator) -> None:
    """TFLite's kernels clamp to the image's edge, as ONNX's do."""
    x, size = operands(op, 2)
    linear = op.type == "RESIZE_BILINEAR"
    options = Options(op, "ResizeBilinearOptions" if linear else "ResizeNearestNeighborOptions")
    corners, centers = options("align_corners", False), options("half_pixel_centers", False)
    if corners and centers:
        raise Refused("align_corners", True, "one of align_corners and half_pixel_centers, or none")
    n, height, width, depth = image(x)
    wanted = numbers(size, "size", 2)
    if min(wanted) < 1:
        raise Refused("size", wanted, "1 or more")
    expect_shape(op.outputs[0], (n, *wanted, depth))
    coordinates = "align_corners" if corners else "half_pixel" if centers else "asymmetric"
    name, source = readable(op.outputs[0]), m.value(x, True)
    exact = linear or all(_agrees(length, made, corners, centers) for length, made in zip((height, width), wanted, strict=True))
    if exact:
        more = {} if linear else {"nearest_mode": "round_prefer_ceil" if corners or centers else "floor"}
        m.make(op, "Resize", [source, "", "", m.whole(f"{name}_sizes", [n, depth, *wanted])], True, mode="linear" if linear else "nearest",
               coordinate_transformation_mode=coordinates, **more)  # fmt: skip
        return
    rows, columns = (m.whole(f"{name}_places", nearest_places(length, made, corners, centers).tolist())
                     for length, made in zip((height, width), wanted, strict=True))  # fmt: skip
    m.make(op, "Gather", [m.step(op, "Gather", [source, rows], axis=2), columns], True, axis=3)


def _agrees(length: int, made: int, corners: bool, centers: bool) -> bool:
    """Whether each place that the kernel's float32 takes is the one that exact numbers do, and no coordinate lies next to a tie, where another float32 may fall
    on the other side: then ONNX's Resize is the same."""
    above, below = (length - 1, made - 1) if corners and made > 1 else (length, made)
    at = np.arange(made, dtype=np.int64)
    twice = (2 * at + (1 if centers else 0)) * above + (below if corners else 0)  # of the coordinate times `below`
    whole = made % length == 0 and not corners  # quotients of such are exact enough in any order
    on_a_tie = (twice % (2 * below) == 0) & (at > 0)
    same = np.minimum(twice // (2 * below), length - 1) == nearest_places(length, made, corners, centers)
    return bool(same.all() and (whole or not on_a_tie.any()))


def to_depth(kind: str, table: str) -> Callable[[Maker, Operator], None]:
    def translate(m: Maker, op: Operator) -> None:
        (x,) = operands(op, 1)
        n, height, width, depth = image(x)
        block = Options(op, table).positive("block_size", 0)
        square = block * block
        if kind == "DepthToSpace":
            if depth % square:
                raise Refused("block_size", block, f"one whose square divides {depth} channels")
            expect_shape(op.outputs[0], (n, height * block, width * block, depth // square))
            m.make(op, kind, [m.value(x, True)], True, blocksize=block, mode="DCR")
        else:
            if height % block or width % block:
                raise Refused("block_size", block, f"one that divides height and width, {height} and {width}")
            expect_shape(op.outputs[0], (n, height // block, width // block, depth * square))
            m.make(op, kind, [m.value(x, True)], True, blocksize=block)

    return translate


# ---- views and parts ------------------------------------------------------------------------------------------------------------


def reshape(m: Maker, op: Operator) -> None:
    x, _ = operands(op, 1, 2)
    out = op.outputs[0]
    if math.prod(out.shape) != math.prod(x.shape):
        raise Refused(f"shape of {out}", shape_text(out.shape), f"one of {math.prod(x.shape)} elements")
    if out.shape == x.shape:
        first = m.is_first(x)
        m.make(op, "Identity", [m.value(x, first)], first)
    elif m.stands_first(x) and out.shape == (x.shape[0], math.prod(x.shape[1:])) and (_one_order(x.shape) or _read_by_layers(m, out)):
        if not _one_order(x.shape):
            m.flattened[out] = x.shape
        m.make(op, "Flatten", [m.value(x, True)])
    else:
        m.make(op, "Reshape", [m.value(x), m.whole(f"{readable(out)}_shape", out.shape)])


def _one_order(shape: tuple[int, ...]) -> bool:
    """Whether an image's elements lie in one order, whichever dimension is first."""
    return shape[3] == 1 or shape[1] * shape[2] == 1


def _read_by_layers(m: Maker, t: Tensor) -> bool:
    """Whether only FULLY_CONNECTED reads these rows, so that their elements may stand in another order."""
    rows = [op.type == "FULLY_CONNECTED" and op.inputs[0] is t and len(op.inputs) > 1 and op.inputs[1] is not None and op.inputs[1].shape[1:] == t.shape[1:]
            for op in t.read_by]  # fmt: skip
    return bool(rows) and all(rows) and t not in m.outputs


def transpose(m: Maker, op: Operator) -> None:
    x, order = operands(op, 2)
    rank = len(x.shape)
    perm = numbers(order, "perm", rank)
    if sorted(perm) != list(range(rank)):
        raise Refused("perm", perm, f"0 to {rank - 1}, each once")
    expect_shape(op.outputs[0], [x.shape[d] for d in perm])
    first = m.is_first(x)
    whole = [_moved(d, first) for d in perm]
    m.make(op, "Identity" if whole == list(range(rank)) else "Transpose", [m.value(x, first)], **({} if whole == list(range(rank)) else {"perm": whole}))


def _slice(m: Maker, op: Operator, x: Tensor, which: list[range], shrunk: Sequence[int]) -> None:
    out, name = op.outputs[0], readable(op.outputs[0])
    if any(len(one) == 0 for one in which):
        raise Refused("elements", "none", "one or more")
    expect_shape(out, [len(one) for d, one in enumerate(which) if d not in shrunk])
    first = m.is_first(x)
    source = m.value(x, first)
    cut = [d for d, n in enumerate(x.shape) if which[d] != range(n)]
    taken = [which[d] for d in cut]
    ends = [one.stop if one.stop >= 0 else -(1 << 31) for one in taken]  # below 0 would count from the end
    edges = ([one.start for one in taken], ends, [_moved(d, first) for d in cut], [one.step for one in taken])
    inputs = [source, *(m.whole(f"{name}_{what}", values) for what, values in zip(("starts", "ends", "axes", "steps"), edges, strict=True))]
    if not shrunk:
        m.make(op, "Slice" if cut else "Identity", inputs if cut else [source], first)
        return
    made = m.step(op, "Slice", inputs) if cut else source
    if first:  # what is left has no channels to be first
        made = m.step(op, "Transpose", [made], perm=TO_LAST)
    m.make(op, "Reshape", [made, m.whole(f"{name}_shape", out.shape)])


def slices(m: Maker, op: Operator) -> None:
    _slice(m, op, *slice_places(op), ())


def strided_slice(m: Maker, op: Operator) -> None:
    _slice(m, op, *strided_places(op, ("ellipsis_mask", "new_axis_mask", "offset")))


def split(m: Maker, op: Operator) -> None:
    x, dimension, lengths = split_lengths(op)
    first = m.is_first(x)
    source, begin, axis = m.value(x, first), 0, _moved(dimension, first)
    for out, part in zip(op.outputs, lengths, strict=True):
        expect_shape(out, [part if d == dimension else n for d, n in enumerate(x.shape)])
        edges = zip(("starts", "ends", "axes"), (begin, begin + part, axis), strict=True)
        m.make(op, "Slice", [source, *(m.whole(f"{readable(out)}_{what}", [value]) for what, value in edges)], first, out=out)
        begin += part


def dequantize(m: Maker, op: Operator) -> None:
    (x,) = operands(op, 1)
    made = m.array(x)
    if made is None:
        raise Refused(f"{x}", f"{x.type}, computed by the network", "constants in FLOAT16, INT8 or INT4", FLOAT_HINT, "E1106")
    expect_shape(op.outputs[0], x.shape)
    m.folded(op.outputs[0], made)


FUNCTION = "any rank"
PAIR = "shapes of which one can be repeated to the other's, constants as well; any fused activation"
VIEW = "any; the shape that the file gives the output"
LSTM = "constant weights and biases of four gates, states that are variables; no peepholes, projection, layer norms; cell_clip that no cell can reach"
OPERATORS: dict[str, Row] = {
    "ABS": Row(unary("Abs"), "`Abs`", FUNCTION),
    "ADD": Row(pair("Add", "AddOptions"), "`Add`", PAIR),
    "ARG_MAX": Row(arg_max, "`ArgMax`", "over any dimension, at the end of a model; in ONNX always INT64"),
    "AVERAGE_POOL_2D": Row(pool("AveragePool"), "`AveragePool`", "any window, stride and padding; any fused activation"),
    "BATCH_MATMUL": Row(batch_matmul, "`MatMul`", "of any two tensors, constants as well; adj_x, adj_y"),
    "CONCATENATION": Row(concatenation, "`Concat`", "along any dimension; constants as well"),
    "CONV_2D": Row(
        conv_2d, "`Conv`",
        "constant weights (FLOAT32, FLOAT16, INT8, INT4), bias or none; any window, stride, dilation, padding, groups, fused activation",
    ),  # fmt: skip
    "DEPTHWISE_CONV_2D": Row(conv_2d, "`Conv`", "as CONV_2D; any depth multiplier"),
    "DEPTH_TO_SPACE": Row(to_depth("DepthToSpace", "DepthToSpaceOptions"), "`DepthToSpace`", "any block size"),
    "DEQUANTIZE": Row(dequantize, "nothing", "of constants in FLOAT16, INT8 or INT4"),
    "DIV": Row(pair("Div", "DivOptions"), "`Div`", PAIR),
    "ELU": Row(unary("Elu"), "`Elu`", FUNCTION),
    "EXP": Row(unary("Exp"), "`Exp`", FUNCTION),
    "EXPAND_DIMS": Row(reshape, "`Reshape`", VIEW),
    "FULLY_CONNECTED": Row(fully_connected, "`Gemm`", "constant weights as CONV_2D, bias or none; any rank; keep_num_dims; any fused activation"),
    "GATHER": Row(gather, "`Gather`", "by INT32 or INT64 constants or inputs of the model; no batch_dims"),
    "GELU": Row(gelu, "`Erf` or `Tanh`, and numbers", "approximate or not"),
    "HARD_SWISH": Row(unary("HardSwish"), "`HardSwish`", FUNCTION),
    "LEAKY_RELU": Row(leaky_relu, "`LeakyRelu`", "any finite alpha"),
    "LOG": Row(unary("Log"), "`Log`", FUNCTION),
    "LOGISTIC": Row(unary("Sigmoid"), "`Sigmoid`", FUNCTION),
    "MAXIMUM": Row(pair("Max"), "`Max`", "as ADD"),
    "MAX_POOL_2D": Row(pool("MaxPool"), "`MaxPool`", "any window, stride and padding; any fused activation"),
    "MEAN": Row(
        reduce("ReduceMean"), "`ReduceMean`; `GlobalAveragePool` over height and width, or the steps of a sequence",
        "over any dimensions; keep_dims or not",
    ),  # fmt: skip
    "MINIMUM": Row(pair("Min"), "`Min`", "as ADD"),
    "MIRROR_PAD": Row(pad, "`Pad`", "any dimensions; REFLECT"),
    "MUL": Row(pair("Mul", "MulOptions"), "`Mul`", PAIR),
    "NEG": Row(unary("Neg"), "`Neg`", FUNCTION),
    "PAD": Row(pad, "`Pad`", "any dimensions"),
    "PADV2": Row(pad, "`Pad`", "any dimensions, any constant number"),
    "PRELU": Row(prelu, "`LeakyRelu`; or `Relu`, `Min`, `Mul`, `Add`", "constant slopes of any shape that can be repeated to the input's"),
    "REDUCE_MAX": Row(reduce("ReduceMax"), "`ReduceMax`; `MaxPool` over height and width, or the steps of a sequence", "as MEAN"),
    "RELU": Row(unary("Relu"), "`Relu`", FUNCTION),
    "RELU6": Row(clip, "`Clip`", FUNCTION),
    "RELU_0_TO_1": Row(clip, "`Clip`", FUNCTION),
    "RELU_N1_TO_1": Row(clip, "`Clip`", FUNCTION),
    "RESHAPE": Row(reshape, "`Reshape`", VIEW),
    "RESIZE_BILINEAR": Row(resize, "`Resize`", "to any size; align_corners or half_pixel_centers or none"),
    "RESIZE_NEAREST_NEIGHBOR": Row(resize, "`Resize`, or `Gather` of rows and columns where float32 decides between two pixels", "as RESIZE_BILINEAR"),
    "RSQRT": Row(rsqrt, "`Sqrt`, `Reciprocal`", FUNCTION),
    "SLICE": Row(slices, "`Slice`", "constant places"),
    "SOFTMAX": Row(softmax, "`Softmax`", "over the innermost dimension; any beta"),
    "SPACE_TO_DEPTH": Row(to_depth("SpaceToDepth", "SpaceToDepthOptions"), "`SpaceToDepth`", "any block size"),
    "SPLIT": Row(split, "`Slice` for each part", "along any dimension"),
    "SPLIT_V": Row(split, "`Slice` for each part", "along any dimension; constant lengths"),
    "SQRT": Row(unary("Sqrt"), "`Sqrt`", FUNCTION),
    "SQUARE": Row(square, "`Mul`", FUNCTION),
    "SQUARED_DIFFERENCE": Row(squared_difference, "`Sub`, `Mul`", "as ADD, without an activation"),
    "SQUEEZE": Row(reshape, "`Reshape`", VIEW),
    "STRIDED_SLICE": Row(strided_slice, "`Slice`", "constant places, any steps, shrink_axis_mask; no ellipsis_mask, new_axis_mask"),
    "SUB": Row(pair("Sub", "SubOptions"), "`Sub`", PAIR),
    "SUM": Row(reduce("ReduceSum"), "`ReduceSum`", "as MEAN"),
    "TANH": Row(unary("Tanh"), "`Tanh`", FUNCTION),
    "TRANSPOSE": Row(transpose, "`Transpose`", "constant order"),
    "TRANSPOSE_CONV": Row(transpose_conv, "`ConvTranspose`", "weights as CONV_2D, bias or none; any window, stride, padding and fused activation"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Row(lstm, "`LSTM`", LSTM),
}
