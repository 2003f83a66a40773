# SPDX-License-Identifier: Apache-2.0
"""Random quantized ONNX models of one operator (and what it needs around it), for comparing the importer with ONNX Runtime.

Each function draws one model, in the QDQ or the QOperator form: shapes, attributes, scales and zero points, with odd zero points, ties (scales that are
powers of two), images of 1x1, odd channels and the ends of ranges among them. CASES names them all.
"""

import math
from collections.abc import Callable

import numpy as np
import onnx
import random_models
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


class Draw(random_models.Draw):
    POWERS_OF_TWO = 0.2

    def zero(self, kind: type) -> int:
        low = np.iinfo(kind).min
        return self.one_of(self.integer(low, low + 255), self.integer(low, low + 255), low + 128, low, low + 255, low + 127, low + 129)

    def image(self, channels: int | None = None, most: int = 9, rank: int = 2) -> tuple[int, ...]:
        size = (1,) * rank if self.chance(0.15) else tuple(self.integer(1, most) for _ in range(rank))
        c = channels or self.one_of(1, 3, 5, 13, 17, self.integer(1, 20))
        return (self.one_of(1, 1, 1, 2), c, *size)

    def bytes(self, kind: type, shape) -> np.ndarray:
        """Any values, or those of the ends of the range."""
        info = np.iinfo(kind)
        if self.chance(0.15):
            return self.rng.choice(np.array([info.min, info.max, info.min + 128], kind), shape)
        return self.rng.integers(info.min, info.max + 1, shape, dtype=kind)


class Model:
    """Nodes and constants being put together. A tensor is the name of its bytes, with its scale, zero point and type in `q`."""

    def __init__(self, d: Draw, qdq: bool, kind: type):
        self.d, self.qdq, self.kind = d, qdq, kind
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.q: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.integers: dict[str, tuple[int, int]] = {}  # inputs of int32 and int64, with the ends of their values

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def scaled(self, name: str, scale, zero) -> list[str]:
        """The names of a tensor's scale and zero point."""
        if name not in self.q:
            self.q[name] = (np.float32(scale) if np.ndim(scale) == 0 else scale, np.asarray(zero, self.kind) if np.ndim(zero) == 0 else zero)
            self.constant(f"{name}_scale", np.asarray(self.q[name][0], np.float32))
            self.constant(f"{name}_zero", self.q[name][1])
        return [f"{name}_scale", f"{name}_zero"]

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def input(self, name: str, shape, scale=None, zero=None) -> str:
        """Bytes; in float32 before a QuantizeLinear, or bytes at once."""
        shape = tuple(shape)
        scale = self.d.scale() if scale is None else scale
        numbers = self.scaled(name, scale, self.d.zero(self.kind) if zero is None else zero)
        self.shapes[name] = shape
        if self.d.chance(0.5):
            self.inputs.append(helper.make_tensor_value_info(f"{name}_real", TensorProto.FLOAT, shape))
            self.node("QuantizeLinear", [f"{name}_real", *numbers], name)
        else:
            self.inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(self.kind)), shape))
        return name

    def integer_input(self, name: str, shape, least: int, most: int) -> str:
        self.integers[name], self.shapes[name] = (least, most), tuple(shape)
        self.inputs.append(helper.make_tensor_value_info(name, self.d.one_of(TensorProto.INT32, TensorProto.INT64), self.shapes[name]))
        return name

    def weights(self, name: str, shape, axis: int, per_channel: bool, kind: type, zero: int, scale: tuple[float, float] = (1e-4, 0.05)) -> str:
        count = shape[axis] if per_channel else 1
        scales = np.array([self.d.scale(*scale) for _ in range(count)], np.float32)
        scales = scales if per_channel else scales[0]
        zeros = np.full(count, zero, kind) if per_channel else np.array(zero, kind)
        self.constant(name, self.d.bytes(kind, shape))
        self.q[name] = (scales, zeros)
        self.constant(f"{name}_scale", scales)
        self.constant(f"{name}_zero", zeros)
        return name

    def bias(self, name: str, count: int, source: str, weights: str, alpha: float = 1.0) -> str:
        self.constant(name, self.d.rng.integers(-20000, 20000, count).astype(np.int32))
        if self.qdq:
            scale = np.float32(alpha) * self.q[source][0] * self.q[weights][0]
            self.q[name] = (scale, np.zeros(np.shape(scale), np.int32))
            self.constant(f"{name}_scale", np.asarray(scale, np.float32))
            self.constant(f"{name}_zero", self.q[name][1])
        return name

    def real(self, name: str, axis: int | None = None) -> str:
        """DequantizeLinear."""
        out = f"{name}_dequantized"
        if not any(out in n.output for n in self.nodes):
            attributes = {} if axis is None or np.ndim(self.q[name][0]) == 0 else {"axis": axis}
            self.node("DequantizeLinear", [name, f"{name}_scale", f"{name}_zero"], out, **attributes)
        return out

    def quantize(self, real: str, name: str, scale, zero) -> str:
        return self.node("QuantizeLinear", [real, *self.scaled(name, scale, zero)], name)

    def output(self, name: str, kind: type | None = None) -> "Model":
        """The model's output: bytes, or float32 behind a DequantizeLinear."""
        if kind is None and self.d.chance(0.5):
            name, kind = self.real(name), np.float32
        self.outputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind or self.kind)), None))
        return self

    def proto(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "case", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def values(self) -> dict[str, np.ndarray]:
        """For each input all values of a byte, mixed, or any."""
        out = {}
        for value in self.inputs:
            if value.name in self.integers:
                least, most = self.integers[value.name]
                kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
                out[value.name] = self.d.rng.integers(least, most + 1, self.shapes[value.name]).astype(kind)
                continue
            name = value.name.removesuffix("_real")
            shape, (scale, zero) = self.shapes[name], self.q[name]
            low, size = np.iinfo(self.kind).min, math.prod(shape)
            numbers = self.d.rng.permutation(np.arange(size) % 256) + low if size >= 256 else self.d.rng.integers(low, low + 256, size)
            numbers = numbers.reshape(shape)
            real = (numbers - int(zero)).astype(np.float32) * scale
            out[value.name] = real if value.name.endswith("_real") else numbers.astype(self.kind)
        return out


def begin(d: Draw, qlinear: bool = True) -> Model:
    return Model(d, qdq=not qlinear or d.chance(0.6), kind=d.one_of(np.int8, np.uint8))


def output_scale(d: Draw, real: float) -> np.float32:
    """So that outputs use their range, more or less."""
    real *= d.rng.uniform(0.5, 4)
    return np.float32(2.0 ** round(math.log2(real)) if d.chance(0.2) else real)


def weight_type(d: Draw, kind: type) -> tuple[type, int]:
    """Of the weights: of input's type int8 int8, of uint8 either."""
    if kind == np.int8 or d.chance(0.5):
        return np.int8, 0
    return np.uint8, d.one_of(128, d.integer(0, 255))


def convolution(d: Draw) -> Model:
    m = begin(d)
    rank = d.one_of(1, 2, 2, 2)
    auto = d.one_of("NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    while True:
        n, c, *size = d.image(rank=rank)
        kernel = [d.integer(1, 5) for _ in range(rank)]
        strides = [d.integer(1, 3) for _ in range(rank)]
        dilations = [d.integer(1, 2) for _ in range(rank)] if d.chance(0.3) and auto in ("NOTSET", "VALID") else [1] * rank
        pads = [d.integer(0, 2) for _ in range(2 * rank)] if auto == "NOTSET" and d.chance(0.7) else [0] * 2 * rank
        room = [s + pads[i] + pads[i + rank] - (k - 1) * dl - 1 for i, (s, k, dl) in enumerate(zip(size, kernel, dilations))]
        if min(room) >= 0 or auto.startswith("SAME"):
            break
    depthwise = d.chance(0.25)
    groups = c if depthwise else d.one_of(*[g for g in range(1, c + 1) if c % g == 0]) if d.chance(0.15) else 1
    out = c * d.one_of(1, 1, 2) if depthwise else -(-d.one_of(1, 3, 13, d.integer(1, 24)) // groups) * groups
    x = m.input("x", (n, c, *size))
    kind, zero = weight_type(d, m.kind)
    w = m.weights("w", (out, c // groups, *kernel), 0, d.chance(0.6), kind, zero)
    b = [m.bias("b", out, x, w)] if d.chance(0.7) else []
    terms = math.prod(kernel) * c // groups
    scale = output_scale(d, float(m.q[x][0]) * float(np.max(m.q[w][0])) * math.sqrt(terms) * 74)
    attributes = dict(strides=strides, group=groups, auto_pad=auto)
    attributes |= {"dilations": dilations} if dilations != [1] * rank else {}
    attributes |= {"pads": pads} if auto == "NOTSET" else {}
    attributes |= {"kernel_shape": kernel} if d.chance(0.5) else {}
    if m.qdq:
        real = m.node("Conv", [m.real(x), m.real(w, 0), *(m.real(v, 0) for v in b)], "conv", **attributes)
        zero = d.zero(m.kind)
        if d.chance(0.3):  # an activation that the quantization does
            zero = np.iinfo(m.kind).min
            real = m.node("Relu", [real], "relu")
        m.quantize(real, "y", scale, zero)
    else:
        numbers = m.scaled("y", scale, d.zero(m.kind))
        m.node("QLinearConv", [x, "x_scale", "x_zero", w, "w_scale", "w_zero", *numbers, *b], "y", **attributes)
    return m.output("y")


def transposed_convolution(d: Draw, powers_of_two: bool = True) -> Model:
    """With scales that are powers of two, so that the runtime's sums in float32 are exact."""
    d.POWERS_OF_TWO = 1.0 if powers_of_two else 0.0
    m = begin(d, qlinear=False)
    rank = d.one_of(1, 2, 2, 2)
    n, c, *size = d.image(most=7, rank=rank)
    groups = d.one_of(*[g for g in range(1, c + 1) if c % g == 0]) if d.chance(0.2) else 1
    inner = d.integer(1, 12 // groups + 1)
    auto = d.one_of("NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    while True:
        kernel, strides = [d.integer(1, 5) for _ in range(rank)], [d.integer(1, 4) for _ in range(rank)]
        dilations = [d.integer(1, 2) for _ in range(rank)] if d.chance(0.2) else [1] * rank
        pads = [d.integer(0, 2) for _ in range(2 * rank)] if auto == "NOTSET" else [0] * 2 * rank
        more = [d.integer(0, s - 1) for s in strides] if d.chance(0.4) else [0] * rank
        made = [(one - 1) * s + o + (k - 1) * dl + 1 - pads[i] - pads[i + rank]
                for i, (one, k, s, dl, o) in enumerate(zip(size, kernel, strides, dilations, more))]  # fmt: skip
        if min(made) >= 1:
            break
    x = m.input("x", (n, c, *size))
    kind, zero = d.one_of(np.int8, np.uint8), 0
    zero = 0 if kind == np.int8 else d.one_of(128, d.integer(0, 255))
    w = m.weights("w", (c, inner, *kernel), 1, d.chance(0.6), kind, zero)
    operands = [m.real(x), m.real(w, 1)]
    if d.chance(0.7):
        b = m.bias("b", inner * groups, x, w) if groups == 1 or np.ndim(m.q[w][0]) == 0 else ""
        operands += [m.real(b, 0)] if b else []
    attributes = dict(strides=strides, group=groups, auto_pad=auto, output_padding=more)
    attributes |= {"dilations": dilations} if dilations != [1] * rank else {}
    attributes |= {"pads": pads} if auto == "NOTSET" else {}
    if auto == "NOTSET" and d.chance(0.2):
        del attributes["pads"]
        attributes["output_shape"] = [max(1, v - d.integer(0, 2)) for v in made]
    terms = -(-math.prod(kernel) // math.prod(strides)) * c // groups
    scale = output_scale(d, float(m.q[x][0]) * float(np.max(m.q[w][0])) * math.sqrt(max(terms, 1)) * 74)
    scale = np.float32(2.0 ** round(math.log2(scale))) if powers_of_two else scale
    m.quantize(m.node("ConvTranspose", operands, "made", **attributes), "y", scale, d.zero(m.kind))
    return m.output("y")


def product(d: Draw, gemm: bool) -> Model:
    m = begin(d)
    inner, out = d.integer(1, 70), d.one_of(1, 3, 13, d.integer(1, 40))
    outer = (d.integer(1, 4),) if gemm else d.one_of((d.integer(1, 4),), (1, d.integer(1, 5)), (1, 2, d.integer(1, 3)), ())
    x = m.input("x", (*outer, inner))
    flattened = gemm and d.chance(0.4)
    shape = (outer[0], inner) if gemm else None
    if flattened:  # of an image: the weights' rows change places
        n, c, h, w_ = shape = d.image()
        m = begin(d)
        pooled = m.input("i", shape)
        if m.qdq:
            x = m.quantize(m.node("MaxPool", [m.real(pooled)], "pool", kernel_shape=[1, 1]), "p", *m.q[pooled])
            x = m.quantize(m.node("Flatten", [m.real(x)], "flat"), "x", *m.q[pooled])
        else:
            x = m.node("Flatten", [m.node("MaxPool", [pooled], "p", kernel_shape=[1, 1])], "x")
            m.scaled("x", *m.q[pooled])
        inner = c * h * w_
    transposed = gemm and d.chance(0.5)
    kind, zero = weight_type(d, m.kind)
    per_channel = d.chance(0.5)
    w = m.weights("w", (out, inner) if transposed else (inner, out), 0 if transposed else 1, per_channel, kind, zero)
    alpha = d.one_of(1.0, 1.0, 0.5, d.rng.uniform(0.2, 3)) if gemm else 1.0
    with_bias = gemm and d.chance(0.7)
    if with_bias and m.qdq:
        alpha = 1.0
    b = [m.bias("b", out, x, w, alpha)] if with_bias else []
    scale = output_scale(d, alpha * float(m.q[x][0]) * float(np.max(m.q[w][0])) * math.sqrt(inner) * 74)
    attributes = {"transB": int(transposed)} | ({"alpha": alpha} if alpha != 1 else {}) if gemm else {}
    axis = 0 if transposed else 1
    if m.qdq:
        operands = [m.real(x), m.real(w, axis), *(m.real(v, 0) for v in b)]
        m.quantize(m.node("Gemm" if gemm else "MatMul", operands, "made", **attributes), "y", scale, d.zero(m.kind))
    else:
        numbers = m.scaled("y", scale, d.zero(m.kind))
        operands = [x, "x_scale", "x_zero", w, "w_scale", "w_zero"]
        if gemm:
            m.node("QGemm", [*operands, *(b or [""]), *numbers], "y", MICROSOFT, **attributes)
        else:
            m.node("QLinearMatMul", [*operands, *numbers], "y")
    return m.output("y")


def pair(d: Draw, kind: str) -> Model:
    m = begin(d, qlinear=kind != "Sub")
    shape = d.one_of(d.image(), (1, d.integer(1, 30)), (1, 3, d.integer(1, 9)))
    number = d.chance(0.2)
    x = m.input("x", shape)
    if number:
        y = m.weights("k", (), 0, False, m.kind, d.zero(m.kind), (1e-3, 0.5))
    else:
        y = m.input("k", shape)
    sx, sy = float(m.q[x][0]), float(m.q[y][0])
    scale = output_scale(d, 60 * sx * sy if kind == "Mul" else 0.5 * max(sx, sy))
    names = [x, y] if d.chance(0.5) else [y, x]
    if m.qdq:
        m.quantize(m.node(kind, [m.real(n) for n in names], "made"), "y", scale, d.zero(m.kind))
    else:
        numbers = m.scaled("y", scale, d.zero(m.kind))
        m.node(f"QLinear{kind}", [o for n in names for o in (n, f"{n}_scale", f"{n}_zero")] + numbers, "y", MICROSOFT)
    return m.output("y")


def max_pool(d: Draw) -> Model:
    m = begin(d)
    rank = d.one_of(1, 2, 2)
    n, c, *size = d.image(rank=rank)
    kernel = [d.integer(1, min(s, 4)) for s in size]
    attributes = dict(kernel_shape=kernel, strides=[d.integer(1, 3) for _ in kernel], ceil_mode=d.one_of(0, 0, 1))
    if d.chance(0.3) and all(s <= k for s, k in zip(attributes["strides"], kernel)):  # the runtime fails with larger strides
        attributes |= {"auto_pad": d.one_of("SAME_UPPER", "SAME_LOWER"), "ceil_mode": 0}
    elif d.chance(0.5):
        attributes |= {"pads": [d.integer(0, k - 1) for k in kernel * 2]}
    x = m.input("x", (n, c, *size))
    if m.qdq:
        numbers = m.q[x] if d.chance(0.6) else (d.scale(), d.zero(m.kind))
        m.quantize(m.node("MaxPool", [m.real(x)], "made", **attributes), "y", *numbers)
    else:
        m.node("MaxPool", [x], "y", **attributes)
        m.scaled("y", *m.q[x])
    return m.output("y")


def average(d: Draw, kind: str) -> Model:
    m = begin(d)
    n, c, *size = d.image(most=14)
    x = m.input("x", (n, c, *size))
    scale = np.float32(m.q[x][0] * np.float32(d.rng.uniform(0.2, 2)))
    attributes = {} if kind == "GlobalAveragePool" else {"kernel_shape": size}
    if m.qdq:
        m.quantize(m.node(kind, [m.real(x)], "made", **attributes), "y", scale, d.zero(m.kind))
    else:
        m.node(f"QLinear{kind}", [x, "x_scale", "x_zero", *m.scaled("y", scale, d.zero(m.kind))], "y", MICROSOFT, **attributes)
    return m.output("y")


def function(d: Draw, kind: str, qlinear: bool = False, same: bool = False, **attributes) -> Model:
    """All 256 values of the input, mixed."""
    m = begin(d, qlinear)
    shape = d.one_of((1, 256), (1, 4, 8, 8), (1, 16, 16))
    least = np.iinfo(m.kind).min if kind == "Sqrt" else None  # of numbers below 0 there is none
    x = m.input("x", shape, scale=d.scale(1e-3, 0.2), zero=least)
    scale = m.q[x][0] if same else np.float32(m.q[x][0] * np.float32(d.rng.uniform(0.2, 2)))
    if kind in ("Sigmoid", "Tanh", "Erf", "HardSigmoid", "Softsign"):
        scale = np.float32(d.one_of(1 / 256, 1 / 128, d.rng.uniform(0.002, 0.01)))
    zero = m.q[x][1] if same else d.zero(m.kind)
    if same and zero == np.iinfo(m.kind).min:  # it would do nothing
        scale *= 2
    if m.qdq:
        m.quantize(m.node(kind, [m.real(x)], "made", **attributes), "y", scale, zero)
    else:
        m.node(f"QLinear{kind}", [x, "x_scale", "x_zero", *m.scaled("y", scale, zero)], "y", MICROSOFT, **attributes)
    return m.output("y")


def clip(d: Draw) -> Model:
    m = begin(d, qlinear=False)
    x = m.input("x", (1, 256), scale=d.scale(1e-2, 0.2))
    low, high = sorted(np.float32(v) for v in d.rng.uniform(-4, 8, 2))
    bounds = [m.constant("low", low), m.constant("high", high)]
    m.quantize(m.node("Clip", [m.real(x), *d.one_of(bounds, bounds[:1], ["", "high"])], "made"), "y", d.scale(1e-2, 0.2), d.zero(m.kind))
    return m.output("y")


def with_number(d: Draw, kind: str) -> Model:
    """In float32, as exporters write what no quantizer knows."""
    m = begin(d, qlinear=False)
    x = m.input("x", (1, 256), scale=d.scale(1e-2, 0.1))
    if kind == "Pow":
        number = np.float32(d.one_of(2, 3))
    else:
        number = np.float32(d.one_of(0.5, 2, d.rng.uniform(0.3, 3), -d.rng.uniform(0.3, 3)))
    names = [m.real(x), m.constant("number", number)]
    m.quantize(m.node(kind, names, "made"), "y", d.scale(1e-2, 0.5), d.zero(m.kind))
    return m.output("y")


def composed(d: Draw, kind: str) -> Model:
    """Functions of one byte that exporters write with several operators."""
    m = begin(d, qlinear=False)
    x = m.input("x", (1, 4, 8, 8), scale=d.scale(1e-2, 0.2))
    r = m.real(x)

    def number(name: str, value: float) -> str:
        return m.constant(name, np.float32(value))

    if kind == "HardSwish":
        inner = m.node("Clip", [m.node("Add", [r, number("three", 3)], "plus"), number("zero", 0), number("six", 6)], "cut")
        real = m.node("Div", [m.node("Mul", [r, inner], "times"), "six"], "made")
    elif kind == "Gelu":
        inner = m.node("Erf", [m.node("Div", [r, number("root", math.sqrt(2))], "part")], "erf")
        real = m.node("Mul", [m.node("Mul", [r, m.node("Add", [inner, number("one", 1)], "plus")], "times"), number("half", 0.5)], "made")
    else:  # Silu, with a quantized sigmoid
        m.quantize(m.node("Sigmoid", [r], "sigmoid"), "s", np.float32(1 / 256), np.iinfo(m.kind).min)
        real = m.node("Mul", [r, m.real("s")], "made")
    m.quantize(real, "y", np.float32(m.q[x][0] * np.float32(d.rng.uniform(0.3, 1.2))), d.zero(m.kind))
    return m.output("y")


def shape_graph(m: Model) -> list[str]:
    """[N, C, -1] of the tensor `a`."""
    whole = m.node("Cast", [m.node("Shape", ["a"], "lengths")], "integers", to=TensorProto.INT64)
    first = m.node("Gather", [whole, m.node("Constant", [], "zeroth", value_ints=[0])], "first", axis=0)
    rest = m.node("Slice", [whole, *(m.constant(k, np.array([v], np.int64)) for k, v in (("from", 1), ("to", 2), ("axis", 0)))], "rest")
    return [m.node("Concat", [first, rest, m.constant("open", np.array([-1], np.int64))], "shape", axis=0)]


def view(d: Draw, kind: str) -> Model:
    """Behind something that computes, since a view alone is no work."""
    m = begin(d)
    n, c, h, w = d.image()
    shape, attributes, operands = (n, c, h, w), {}, []
    graph = kind == "Reshape" and d.chance(0.3)  # as exporters write it: the shape is computed, of constants
    if kind == "Reshape" and not graph:
        after = d.one_of((n, c, h * w), (n, -1), (0, 0, 1, -1), (n, c, 1, h, w))
        operands = [m.constant("shape", np.array(after, np.int64))]
    elif kind == "Squeeze":
        shape, operands = (n, c, 1, w), [m.constant("axes", np.array([2], np.int64))]
    elif kind == "Unsqueeze":
        shape, operands = (n, c, w), [m.constant("axes", np.array(d.one_of([2], [-1], [0, 1]), np.int64))]
    elif kind == "Transpose":
        attributes = {"perm": d.one_of([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2])}
    elif kind == "Flatten":
        attributes = {"axis": d.one_of(1, 2, 3, 0, -1)}
    x = m.input("x", shape)
    if m.qdq:
        m.quantize(m.node("Relu", [m.real(x)], "relu"), "a", d.scale(), d.zero(m.kind))
        operands = shape_graph(m) if graph else operands
        m.quantize(m.node(kind, [m.real("a"), *operands], "made", **attributes), "y", *m.q["a"])
    else:
        m.node("QLinearSigmoid", [x, "x_scale", "x_zero", *m.scaled("a", np.float32(1 / 256), d.zero(m.kind))], "a", MICROSOFT)
        operands = shape_graph(m) if graph else operands
        m.node(kind, ["a", *operands], "y", **attributes)
        m.scaled("y", *m.q["a"])
    return m.output("y")


def arg_max(d: Draw) -> Model:
    m = begin(d)
    shape = d.one_of((1, d.integer(1, 200)), (1, d.integer(1, 9), d.integer(1, 12)))
    x = m.input("x", shape)
    m.quantize(m.node("Relu", [m.real(x)], "relu"), "a", d.scale(), d.zero(m.kind))
    m.node("ArgMax", [m.real("a")], "y", axis=d.one_of(-1, len(shape) - 1), keepdims=d.one_of(0, 1))
    return m.output("y", np.int64)


def softmax(d: Draw) -> Model:
    """At the end, or before a product of matrices, which runs on the machine."""
    m = begin(d, qlinear=False)
    shape = d.one_of((1, d.integer(1, 200)), (1, d.integer(1, 9), d.integer(2, 40)), (2, d.integer(1, 4), d.integer(2, 5), d.integer(2, 60)))
    x = m.input("x", shape, scale=d.scale(5e-3, 0.2))
    scale = np.float32(d.one_of(1 / 256, 1 / 255, 1 / 128, d.rng.uniform(5e-4, 0.01)))
    m.quantize(m.node("Softmax", [m.real(x)], "shares", axis=d.one_of(-1, len(shape) - 1)), "s", scale, d.one_of(np.iinfo(m.kind).min, d.zero(m.kind)))
    if d.chance(0.3):
        return m.output("s")
    kind, zero = weight_type(d, m.kind)
    m.weights("w", (shape[-1], d.integer(1, 12)), 1, d.chance(0.3), kind, zero)
    real = 74.0**2 * math.sqrt(shape[-1]) * float(scale) * float(np.max(m.q["w"][0]))
    m.quantize(m.node("MatMul", [m.real("s"), m.real("w", axis=1)], "made"), "y", output_scale(d, real / 100), d.zero(m.kind))
    return m.output("y")


def requantize(d: Draw) -> Model:
    """QuantizeLinear of a DequantizeLinear."""
    m = begin(d, qlinear=False)
    x = m.input("x", (1, 256))
    m.quantize(m.node("Identity", [m.node("Relu", [m.real(x)], "relu")], "same"), "a", d.scale(), d.zero(m.kind))
    return m.output("a")


def named(function: Callable, *arguments, **more) -> Callable[[Draw], Model]:
    return lambda d: function(d, *arguments, **more)


def concat(d: Draw) -> Model:
    m = begin(d)
    shape = d.one_of(d.image(), (d.integer(1, 3), d.integer(1, 20)), d.image(rank=1), d.image(channels=d.one_of(32, 64), most=4))
    axis, count = d.integer(1, len(shape) - 1), d.one_of(1, 2, 2, 2, 3)
    first = None
    names = []
    for i in range(count):
        numbers = () if first is None or d.chance(0.5) else m.q[first]
        length = shape[axis] if i == 0 or (shape[axis] >= 32 and d.chance(0.7)) else d.integer(1, 9)
        names.append(m.input(f"x{i}", (*shape[:axis], length, *shape[axis + 1 :]), *numbers))
        first = first or names[0]
    numbers = m.q[first] if count > 1 and d.chance(0.3) else (np.float32(m.q[first][0] * np.float32(d.rng.uniform(0.5, 2))), d.zero(m.kind))
    if m.qdq:
        m.quantize(m.node("Concat", [m.real(x) for x in names], "made", axis=d.one_of(axis, axis - len(shape))), "y", *numbers)
    else:
        m.node("QLinearConcat", [*m.scaled("y", *numbers), *(o for x in names for o in (x, f"{x}_scale", f"{x}_zero"))], "y", MICROSOFT, axis=axis)
    return m.output("y")


def like(m: Model, x: str, changes: bool = True) -> tuple:
    """Scale and zero point of a result: the input's, or others. `changes`: something is done to the input, so that both may be the same."""
    return m.q[x] if changes and m.d.chance(0.6) else (np.float32(m.q[x][0] * np.float32(m.d.rng.uniform(0.5, 2))), m.d.zero(m.kind))


def padding(d: Draw) -> Model:
    m = begin(d, qlinear=False)
    shape = d.one_of(d.image(), d.image(), d.image(rank=1))
    x = m.input("x", shape)
    mode = d.one_of("constant", "constant", "edge", "reflect", "wrap")
    most = {"reflect": -1, "wrap": 0}.get(mode, 3)
    amounts = [[0, 0, *(d.integer(0, 3 if most == 3 else min(3, n + most)) for n in shape[2:])] for _ in range(2)]
    operands = [m.real(x), m.constant("pads", np.array([*amounts[0], *amounts[1]], np.int64))]
    operands += [m.constant("number", np.float32(0))] if mode == "constant" and d.chance(0.5) else []
    attributes = {"mode": mode} if mode != "constant" or d.chance(0.5) else {}
    m.quantize(m.node("Pad", operands, "made", **attributes), "y", *like(m, x, any(amounts[0] + amounts[1])))
    return m.output("y")


def cut(d: Draw) -> Model:
    m = begin(d, qlinear=False)
    shape = d.one_of(d.image(), d.image(), d.image(rank=1), (2, d.integer(2, 20)))
    x = m.input("x", shape)
    starts, ends, axes, steps = [], [], [], []
    for axis in range(1, len(shape)):
        if d.chance(0.3):
            continue
        length = shape[axis]
        first = d.integer(0, length - 1)
        last = d.integer(first + 1, length)
        step = d.integer(1, 3)
        if axis == 1 and d.chance(0.2):  # from the end
            starts, ends, steps = [*starts, length - 1], [*ends, -length - 1], [*steps, -1]
        else:
            starts, ends, steps = [*starts, d.one_of(first, first - length)], [*ends, d.one_of(last, 1 << 40) if last == length else last], [*steps, step]
        axes.append(d.one_of(axis, axis - len(shape)))
    if not axes:
        starts, ends, axes, steps = [0], [shape[1]], [1], [1]
    numbers = [m.constant(name, np.array(values, np.int64)) for name, values in (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps))]
    whole = np.empty(shape)
    for first, last, axis, step in zip(starts, ends, axes, steps):
        whole = np.take(whole, range(shape[axis])[slice(first, last if step > 0 else None, step)], axis)
    made = m.node("Slice", [m.real(x), *numbers[: 3 if set(steps) == {1} else 4]], "made")
    m.quantize(made, "y", *like(m, x, whole.shape != shape or -1 in steps and shape[1] > 1))
    return m.output("y")


def moved(d: Draw, kind: str, shape, after, operands: list, **attributes) -> Model:
    """What moves bytes, in float32 or on bytes; then something that computes, since to the same size there is nothing to do."""
    m = begin(d)
    x = m.input("x", shape)
    names = [m.constant(f"k{i}", v) if isinstance(v, np.ndarray) else v for i, v in enumerate(operands)]
    if m.qdq:
        m.quantize(m.node(kind, [m.real(x), *names], "made", **attributes), "a", *like(m, x))
        m.quantize(m.node("Relu", [m.real("a")], "relu"), "y", d.scale(), d.zero(m.kind))
    else:
        m.node(kind, [x, *names], "a", **attributes)
        m.scaled("a", *m.q[x])
        m.node("QLinearSigmoid", ["a", "a_scale", "a_zero", *m.scaled("y", np.float32(1 / 256), d.zero(m.kind))], "y", MICROSOFT)
    return m.output("y")


def resize(d: Draw) -> Model:
    """Where each pixel stands as often as the others."""
    rank = d.one_of(1, 2, 2, 2)
    n, c, *size = d.image(most=5 if d.chance(0.7) else 11, rank=rank)
    shrinks = d.chance(0.25)
    factors = [d.integer(1, 5) for _ in size]
    mode, rounding = d.one_of("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"), d.one_of("round_prefer_floor", "round_prefer_ceil")
    if shrinks or d.chance(0.4):
        mode, rounding = "asymmetric", d.one_of("floor", "floor", "ceil" if shrinks else "floor", "round_prefer_floor" if max(factors) < 3 else "floor")
    elif d.chance(0.2):
        mode, factors = "align_corners", [min(f, 2 if length > 2 else 5) for f, length in zip(factors, size)]
    before = [length * f for length, f in zip(size, factors)] if shrinks else size
    after = size if shrinks else [length * f for length, f in zip(size, factors)]
    whole = ([n, c, *before], [n, c, *after])
    axes = list(range(2, rank + 2)) if d.chance(0.3) else None
    first = 0 if axes is None else 2
    if d.chance(0.5):
        operands = ["", "", np.array(whole[1][first:], np.int64)]
    else:
        operands = ["", np.array([b / a for a, b in zip(*whole)][first:], np.float32)]
    attributes = dict(mode="nearest", coordinate_transformation_mode=mode, nearest_mode=rounding)
    return moved(d, "Resize", whole[0], whole[1], operands, **attributes, **({} if axes is None else {"axes": axes}))


def rearranged(d: Draw, kind: str) -> Model:
    n, c, h, w = d.image(most=5)
    block = d.integer(1, 3)
    small, large = (n, c * block * block, h, w), (n, c, h * block, w * block)
    if kind == "DepthToSpace":
        return moved(d, kind, small, large, [], blocksize=block, mode=d.one_of("DCR", "CRD"))
    return moved(d, kind, large, small, [], blocksize=block)


def split(d: Draw) -> Model:
    m = begin(d, qlinear=False)
    n, c, *size = d.image()
    axis = d.one_of(1, 1, 2, 3)
    shape = [n, c, *size]
    shape[axis] += 2
    first = d.integer(1, shape[axis] - 1)
    x = m.input("x", shape)
    lengths = m.constant("lengths", np.array([first, shape[axis] - first], np.int64))
    m.nodes.append(helper.make_node("Split", [m.real(x), lengths], ["a", "b"], axis=axis))
    for name in ("a", "b"):
        m.quantize(name, f"{name}_y", *like(m, x))
        m.output(f"{name}_y")
    return m


def gate(d: Draw, kind: str) -> Model:
    """One factor or addend for each channel, computed by the network, as squeeze and excitation has it."""
    m = begin(d)
    shape = d.image()
    x, y = m.input("x", shape), m.input("k", (*shape[:2], 1, 1))
    sx, sy = float(m.q[x][0]), float(m.q[y][0])
    scale = output_scale(d, 60 * sx * sy if kind == "Mul" else 0.5 * max(sx, sy))
    names = [x, y] if d.chance(0.5) else [y, x]
    if m.qdq:
        m.quantize(m.node(kind, [m.real(one) for one in names], "made"), "y", scale, d.zero(m.kind))
    else:
        m.node(f"QLinear{kind}", [o for one in names for o in (one, f"{one}_scale", f"{one}_zero")] + m.scaled("y", scale, d.zero(m.kind)), "y", MICROSOFT)
    return m.output("y")


def layer_norm(d: Draw) -> Model:
    """Rows of all lengths: those below 8, those with a rest, and long ones."""
    m = begin(d, qlinear=False)
    length = d.one_of(d.integer(1, 9), d.integer(8, 40), d.one_of(64, 100, 384))
    shape = d.one_of((1, d.integer(1, 9), length), (d.integer(1, 5), length), (2, 3, d.integer(1, 4), length))
    x = m.input("x", shape)
    numbers = [m.constant("gamma", (d.rng.normal(1, 0.4, length)).astype(np.float32)), m.constant("beta", d.rng.normal(0, 0.5, length).astype(np.float32))]
    attributes = {"epsilon": float(d.one_of(1e-12, 1e-5, 1e-2))} | ({"axis": len(shape) - 1} if d.chance(0.5) else {})
    real = m.real(x)
    if length > 1 and d.chance(0.3):
        factors = np.exp2(d.rng.integers(0, 6, length)) if d.chance(0.5) else d.rng.uniform(0.2, 5, length)
        real = m.node("Mul", [real, m.constant("factors", factors.astype(np.float32))], "scaled")
    real = m.node("LayerNormalization", [real, *numbers[: d.one_of(1, 2, 2)]], "made", **attributes)
    m.quantize(real, "y", d.scale(5e-3, 5e-2), d.zero(m.kind))
    return m.output("y")


def of_constants(d: Draw) -> Model:
    """A matrix of weights for each place in the outer dimensions, or one for all of them, of an input or of an image that a pool has made."""
    m = begin(d)
    if d.chance(0.5):
        shape = d.one_of((d.integer(1, 5), d.integer(1, 9), d.integer(1, 20)), (1, d.integer(1, 4), d.integer(1, 9), d.integer(1, 20)))
        x = m.input("x", shape)
    else:
        shape = (1, d.integer(1, 6), d.integer(1, 7), d.integer(1, 9))
        image = m.input("image", shape)
        if m.qdq:
            x = m.quantize(m.node("MaxPool", [m.real(image)], "pool", kernel_shape=[1, 1]), "x", *m.q[image])
        else:
            x = m.node("MaxPool", [image], "x", kernel_shape=[1, 1])
            m.scaled("x", *m.q[image])
    *outer, _, inner = shape
    outer = d.one_of(outer, [1] * len(outer))
    if len(outer) == 2 and outer[0] == 1 and d.chance(0.5):
        outer = outer[1:]
    kind, zero = weight_type(d, m.kind)
    w = m.weights("w", (*outer, inner, d.integer(1, 9)), len(outer) + 1, False, kind, zero)  # ONNX Runtime joins no MatMul with more scales
    scale = output_scale(d, float(m.q[x][0] * m.q[w][0]) * math.sqrt(inner) * 74)
    if m.qdq:
        m.quantize(m.node("MatMul", [m.real(x), m.real(w)], "made"), "y", scale, d.zero(m.kind))
    else:
        numbers = m.scaled("y", scale, d.zero(m.kind))
        m.node("QLinearMatMul", [x, "x_scale", "x_zero", w, "w_scale", "w_zero", *numbers], "y")
    return m.output("y")


def of_computed(d: Draw) -> Model:
    """A product of two computed matrices, plain or as attention has it: heads are a dimension that is cut, and matrices are transposed."""
    m = begin(d)
    rows, inner, columns = d.integer(1, 9), d.integer(1, 40), d.integer(1, 9)
    scale = 74 * math.sqrt(inner)
    if not m.qdq:
        x, y = m.input("x", (2, rows, inner)), m.input("k", (2, inner, columns))
        numbers = m.scaled("y", output_scale(d, float(m.q[x][0] * m.q[y][0]) * scale), d.zero(m.kind))
        m.node("QLinearMatMul", [o for n in (x, y) for o in (n, f"{n}_scale", f"{n}_zero")] + numbers, "y")
        return m.output("y")
    heads = d.integer(1, 4)
    names = []
    for name, length, order in (("x", rows, [0, 2, 1, 3]), ("k", columns, [0, 2, 3, 1])):
        cut = m.constant(f"{name}_cut", np.array([1, length, heads, inner], np.int64))
        whole = m.input(name, (1, length, heads * inner))
        names.append(m.node("Transpose", [m.node("Reshape", [m.real(whole), cut], f"{name}_heads")], f"{name}_moved", perm=order))
    m.quantize(m.node("MatMul", names, "made"), "y", output_scale(d, float(m.q["x"][0] * m.q["k"][0]) * scale), d.zero(m.kind))
    if d.chance(0.5):  # heads together again
        joined = m.constant("joined", np.array([1, rows, heads * columns], np.int64))
        real = m.node("Reshape", [m.node("Transpose", [m.real("y")], "back", perm=[0, 2, 1, 3]), joined], "rows")
        m.quantize(m.node("Relu", [real], "relu"), "z", d.scale(), d.zero(m.kind))
        return m.output("z")
    return m.output("y")


def gather(d: Draw) -> Model:
    """Rows of a table in float32 or with scales, by indices some of which count from the end; and sums with float32 numbers."""
    m = begin(d, qlinear=False)
    rows, channels, length = d.integer(1, 300), d.integer(1, 20), d.integer(1, 12)
    indices = m.integer_input("indices", (d.one_of(1, 2), length), -rows, rows - 1)
    scale, zero = d.scale(1e-3, 0.1), d.zero(m.kind)
    if d.chance(0.5):
        m.constant("table", d.bytes(m.kind, (rows, channels)))
        m.scaled("table", scale, zero)
        table = m.real("table")
        scale, zero = d.one_of((scale, zero), (d.scale(1e-3, 0.1), d.zero(m.kind)))
    else:
        table = m.constant("table", d.rng.normal(0, 40 * scale, (rows, channels)).astype(np.float32))
    m.quantize(m.node("Gather", [table, indices], "taken"), "a", scale, zero)
    if d.chance(0.7):
        shape = d.one_of((channels,), (length, channels), (1, length, channels))
        number = m.constant("places", d.rng.normal(0, 60 * scale, shape).astype(np.float32))
        kind = d.one_of("Add", "Add", "Sub")
        operands = [m.real("a"), number] if kind == "Sub" or d.chance(0.5) else [number, m.real("a")]
        m.quantize(m.node(kind, operands, "placed"), "y", d.scale(1e-3, 0.1), d.zero(m.kind))
        return m.output("y")
    return m.output("a")


def masked_softmax(d: Draw) -> Model:
    """As exporters write attention's mask: (1 - mask) times a large number, added to the scores."""
    m = begin(d, qlinear=False)
    length, heads, rows, images = d.integer(2, 40), d.integer(1, 3), d.integer(1, 5), d.one_of(1, 1, 3)
    mask = m.integer_input("mask", (images, length), 0, 1)
    axes = m.constant("axes", np.array([1, 2], np.int64))
    cast = m.node("Cast", [m.node("Unsqueeze", [mask, axes], "spread")], "real_mask", to=TensorProto.FLOAT)
    penalty = d.one_of(np.finfo(np.float32).min, np.float32(-10000), np.float32(-1e9))
    off = m.node("Mul", [m.node("Sub", [m.constant("one", np.float32(1)), cast], "off"), m.constant("penalty", np.float32(penalty))], "penalties")
    x = m.input("x", (images, heads, rows, length), scale=d.scale(1e-2, 0.2))
    operands = [m.real(x), off] if d.chance(0.5) else [off, m.real(x)]
    made = m.node("Softmax", [m.node("Add", operands, "added")], "made", axis=d.one_of(-1, 3))
    m.quantize(made, "y", np.float32(d.one_of(1 / 256, 1 / 255, d.rng.uniform(0.001, 0.02))), d.zero(m.kind))
    return m.output("y")


CASES: dict[str, Callable[[Draw], Model]] = {
    "Abs": named(function, "Abs"),
    "Add": lambda d: d.one_of(lambda: pair(d, "Add"), lambda: pair(d, "Add"), lambda: gate(d, "Add"))(),
    "ArgMax": arg_max,
    "AveragePool": named(average, "AveragePool"),
    "Ceil": named(function, "Ceil"),
    "Clip": clip,
    "Concat": concat,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "DepthToSpace": named(rearranged, "DepthToSpace"),
    "Div": named(with_number, "Div"),
    "Elu": lambda d: function(d, "Elu", alpha=float(d.rng.uniform(0.2, 2))),
    "Erf": named(function, "Erf"),
    "Exp": named(function, "Exp"),
    "Floor": named(function, "Floor"),
    "Flatten": named(view, "Flatten"),
    "Gather": gather,
    "Gelu": lambda d: d.one_of(lambda: composed(d, "Gelu"), lambda: function(d, "Gelu", approximate=d.one_of("none", "tanh")))(),
    "Gemm": named(product, True),
    "GlobalAveragePool": named(average, "GlobalAveragePool"),
    "HardSigmoid": lambda d: function(d, "HardSigmoid", alpha=float(d.one_of(0.2, 1 / 6)), beta=0.5),
    "HardSwish": lambda d: d.one_of(lambda: composed(d, "HardSwish"), lambda: function(d, "HardSwish"))(),
    "LayerNormalization": layer_norm,
    "LeakyRelu": lambda d: function(d, "LeakyRelu", True, alpha=float(d.one_of(0.01, 0.125, 0.3, d.rng.uniform(0, 2)))),
    "MatMul": lambda d: d.one_of(lambda: product(d, False), lambda: of_constants(d), lambda: of_computed(d))(),
    "Max": named(with_number, "Max"),
    "MaxPool": max_pool,
    "Min": named(with_number, "Min"),
    "Mul": lambda d: d.one_of(lambda: pair(d, "Mul"), lambda: pair(d, "Mul"), lambda: gate(d, "Mul"), lambda: composed(d, "Silu"))(),
    "Neg": named(function, "Neg"),
    "Pad": padding,
    "Pow": named(with_number, "Pow"),
    "QuantizeLinear": requantize,
    "Reciprocal": named(function, "Reciprocal"),
    "Relu": lambda d: function(d, "Relu", same=d.chance(0.3)),
    "Reshape": named(view, "Reshape"),
    "Resize": resize,
    "Round": named(function, "Round"),
    "Sigmoid": named(function, "Sigmoid", True),
    "Sign": named(function, "Sign"),
    "Slice": cut,
    "Softplus": named(function, "Softplus"),
    "Softsign": named(function, "Softsign"),
    "Softmax": lambda d: d.one_of(softmax, masked_softmax)(d),
    "SpaceToDepth": named(rearranged, "SpaceToDepth"),
    "Split": split,
    "Sqrt": named(function, "Sqrt"),
    "Squeeze": named(view, "Squeeze"),
    "Sub": named(pair, "Sub"),
    "Tanh": named(function, "Tanh"),
    "ThresholdedRelu": lambda d: function(d, "ThresholdedRelu", alpha=float(d.rng.uniform(-1, 3))),
    "Transpose": named(view, "Transpose"),
    "Unsqueeze": named(view, "Unsqueeze"),
}
