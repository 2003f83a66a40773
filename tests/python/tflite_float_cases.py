# SPDX-License-Identifier: Apache-2.0
"""Random TFLite models in float32 of one operator (and what it needs around it), for comparing what they become in ONNX with LiteRT.

Each function draws one model: shapes, attributes and constants, images of 1x1 and tensors of other ranks than 4 among them. Images often stand behind a
MAX_POOL_2D of 1x1, so that an operator meets them with channels first, too. CASES names them all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import random_models
import tflite
from tflite_writer import Model

SAME, VALID = 0, 1
ACTIVATIONS = (0, 0, 0, 1, 2, 3)  # NONE, RELU, RELU_N1_TO_1, RELU6


class Draw(random_models.Draw):
    def image(self, channels: int | None = None, most: int = 9) -> tuple[int, int, int, int]:
        h, w = (1, 1) if self.chance(0.1) else (self.integer(1, most), self.integer(1, most))
        return self.one_of(1, 1, 1, 2), h, w, channels or self.one_of(1, 3, 4, 5, self.integer(1, 16))

    def shape(self) -> tuple[int, ...]:
        """Of any rank from 1 to 4."""
        return self.image() if self.chance(0.6) else tuple(self.integer(1, 7) for _ in range(self.integer(1, 4)))

    def activation(self) -> int:
        return self.one_of(*ACTIVATIONS)


class Float(Model):
    """A model of float32 tensors, which begins with one input."""

    def __init__(self, draw: Draw, shape):
        super().__init__()
        self.draw = draw
        self.x = self.made("x", shape)
        self.inputs = [self.x]
        if len(shape) == 4 and draw.chance(0.5):
            self.x = self.made("image", shape)
            self.operator("MAX_POOL_2D", [0], [self.x], "Pool2DOptions", Padding=VALID, StrideH=1, StrideW=1, FilterHeight=1, FilterWidth=1)
        self.shape = tuple(shape)

    def made(self, name: str, shape) -> int:
        return self.tensor(name, tuple(shape), "float32")

    def number(self, values, kind: str = "int32") -> int:
        array = np.array(values, kind)
        return self.tensor(f"k{len(self.tensors)}", array.shape, kind, data=array)

    def real(self, shape, name: str = "") -> int:
        return self.number(self.draw.rng.normal(size=shape), "float32")

    def weights(self, shape, axis: int, half: bool = True) -> int:
        """Float32; float16 behind a DEQUANTIZE, as converters leave them."""
        data = self.draw.rng.normal(size=shape) / 2
        if not half or self.draw.chance(0.7):
            return self.number(data, "float32")
        packed, whole = self.number(data, "float16"), self.made(f"whole{len(self.tensors)}", shape)
        self.operator("DEQUANTIZE", [packed], [whole], "DequantizeOptions")
        return whole

    def end(self, kind: str, operands: list[int], shape, options: str = "", **values) -> Model:
        """The operator under test. Sometimes a convolution stands behind it that sees the result in ONNX's order, and gives another output."""
        y = self.made("y", shape)
        self.operator(kind, operands, [y], options, **values)
        self.outputs = [y]
        if len(shape) == 4 and self.draw.chance(0.4):
            out = self.draw.integer(1, 4)
            w, b = self.real((out, 1, 1, shape[3])), self.real((out,))
            z = self.made("z", (*shape[:3], out))
            self.operator("CONV_2D", [y, w, b], [z], "Conv2DOptions", Padding=SAME, StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1)
            self.outputs = [z] if self.draw.chance(0.5) else [y, z]
        return self


def _made(length: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-length // stride) if padding == SAME else (length - (kernel - 1) * dilation - 1) // stride + 1


def convolution(d: Draw, depthwise: bool = False) -> Model:
    while True:
        n, h, w, c = d.image()
        kernel, stride, padding = (d.integer(1, 4), d.integer(1, 4)), (d.integer(1, 3), d.integer(1, 3)), d.one_of(SAME, VALID)
        dilation = (d.integer(1, 3), d.integer(1, 3)) if d.chance(0.3) else (1, 1)
        if depthwise:  # LiteRT's kernel takes one stride for both
            stride = stride[0], stride[0]
        size = [_made(*one, padding) for one in zip((h, w), kernel, stride, dilation, strict=True)]
        if min(size) >= 1:
            break
    m = Float(d, (n, h, w, c))
    options = {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1], "DilationHFactor": dilation[0], "DilationWFactor": dilation[1],
               "FusedActivationFunction": d.activation()}  # fmt: skip
    if depthwise:
        times = d.one_of(1, 1, 2, 3)
        out, w_ = c * times, m.weights((1, *kernel, c * times), 3)
        return m.end("DEPTHWISE_CONV_2D", [m.x, w_, m.real((out,))], (n, *size, out), "DepthwiseConv2DOptions", DepthMultiplier=times, **options)
    groups = d.one_of(*[g for g in range(1, c + 1) if c % g == 0]) if d.chance(0.2) else 1
    out = groups * d.integer(1, 6)
    return m.end("CONV_2D", [m.x, m.weights((out, *kernel, c // groups), 0), m.real((out,))], (n, *size, out), "Conv2DOptions", **options)


def transposed(d: Draw) -> Model:
    n, h, w, c = d.image(most=6)
    kernel, stride, padding, out = (d.integer(1, 5), d.integer(1, 5)), (d.integer(1, 3), d.integer(1, 3)), d.one_of(SAME, VALID), d.integer(1, 6)
    size = [length * s + (max(k - s, 0) if padding == VALID else 0) for length, k, s in zip((h, w), kernel, stride, strict=True)]
    m = Float(d, (n, h, w, c))
    operands = [m.number([n, *size, out]), m.weights((out, *kernel, c), 0), m.x]
    return m.end("TRANSPOSE_CONV", [*operands, m.real((out,))] if d.chance(0.7) else operands, (n, *size, out), "TransposeConvOptions", Padding=padding,
                 StrideH=stride[0], StrideW=stride[1], FusedActivationFunction=d.activation())  # fmt: skip


def fully_connected(d: Draw) -> Model:
    inner, out = d.integer(1, 40), d.integer(1, 20)
    if d.chance(0.3):  # of an image's elements, behind a RESHAPE or not
        m, kept = Float(d, d.image(most=4)), False
        rows, outer, inner = m.x, (m.shape[0],), int(np.prod(m.shape[1:]))
        if d.chance(0.5):
            rows = m.made("rows", (*outer, inner))
            m.operator("RESHAPE", [m.x, m.number([*outer, inner])], [rows], "ReshapeOptions")
    else:
        outer = d.one_of((1,), (1,), (3,), (2, 3), (1, 2, 2))
        m, kept = Float(d, (*outer, inner)), d.chance(0.5)
        rows = m.x
    operands = [rows, m.weights((out, inner), 0)]
    made = outer if kept else (int(np.prod(outer)),)
    return m.end("FULLY_CONNECTED", [*operands, m.real((out,))] if d.chance(0.8) else operands, (*made, out), "FullyConnectedOptions", KeepNumDims=kept,
                 FusedActivationFunction=d.activation())  # fmt: skip


def pooling(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        while True:
            n, h, w, c = d.image()
            kernel = (h, w) if d.chance(0.2) else (d.integer(1, 4), d.integer(1, 4))
            stride, padding = (d.integer(1, 3), d.integer(1, 3)), d.one_of(SAME, VALID)
            size = [_made(*one, 1, padding) for one in zip((h, w), kernel, stride, strict=True)]
            if min(size) >= 1:
                break
        m = Float(d, (n, h, w, c))
        return m.end(kind, [m.x], (n, *size, c), "Pool2DOptions", Padding=padding, StrideH=stride[0], StrideW=stride[1], FilterHeight=kernel[0],
                     FilterWidth=kernel[1], FusedActivationFunction=d.activation())  # fmt: skip

    return draw


def pair(kind: str, options: str, fused: bool = True) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        m = Float(d, d.shape())
        how = d.one_of("two", "number", "last", "part", "itself", "larger")
        shape = list(m.shape)
        if how in ("number", "last"):
            shape = [] if how == "number" else shape[-1:]
        elif how == "part":
            shape = [n if d.chance(0.5) else 1 for n in shape]
        y, x = m.shape, m.x
        if how == "itself":
            other = x
        elif how == "larger" and 1 in shape:
            other_shape = tuple(d.integer(1, 4) if n == 1 else n for n in shape)
            other, y = m.real(other_shape), np.broadcast_shapes(m.shape, other_shape)
        elif d.chance(0.5):
            other = m.real(shape)
        else:
            other = m.made("other", shape)
            m.inputs.append(other)
        if kind == "DIV":  # not by numbers next to 0
            safe = m.made("safe", m.tensors[other].shape)
            m.operator("EXP", [other], [safe], "ExpOptions")
            other = safe
        operands = [x, other] if kind == "DIV" or d.chance(0.7) else [other, x]
        return m.end(kind, operands, y, options, **({"FusedActivationFunction": d.activation()} if fused else {}))

    return draw


def unary(kind: str, options: str = "", positive: bool = False, **values: Callable[[Draw], object]) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        m = Float(d, d.shape())
        x = m.x
        if positive:
            x = m.made("positive", m.shape)
            m.operator("EXP", [m.x], [x], "ExpOptions")
        return m.end(kind, [x], m.shape, options, **{name: value(d) for name, value in values.items()})

    return draw


def prelu(d: Draw) -> Model:
    m = Float(d, d.image())
    n, h, w, c = m.shape
    slopes = np.full((1, 1, c), 0.3) if d.chance(0.2) else d.rng.normal(size=d.one_of((c,), (1, 1, c), (1, 1, c), (h, w, c)))
    return m.end("PRELU", [m.x, m.number(slopes, "float32")], m.shape)


def softmax(d: Draw) -> Model:
    return unary("SOFTMAX", "SoftmaxOptions", Beta=lambda d: d.one_of(1.0, 1.0, 0.5, 2.5))(d)


def view(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        shape = d.shape()
        if kind == "SQUEEZE":
            m = Float(d, (2, *(n if d.chance(0.5) else 1 for n in shape[1:])))
            return m.end(kind, [m.x], [n for n in m.shape if n != 1], "SqueezeOptions")
        m = Float(d, shape)
        if kind == "EXPAND_DIMS":
            axis = d.integer(0, len(shape))
            return m.end(kind, [m.x, m.number(axis)], [*shape[:axis], 1, *shape[axis:]], "ExpandDimsOptions")
        size = int(np.prod(shape))
        first = d.one_of(*[n for n in range(1, size + 1) if size % n == 0])
        made = d.one_of((size,), (first, size // first), (first, size // first), (1, first, size // first, 1), shape)
        return m.end("RESHAPE", [m.x, m.number(list(made))], made, "ReshapeOptions")

    return draw


def concatenation(d: Draw) -> Model:
    m = Float(d, d.shape())
    axis, parts = d.integer(0, len(m.shape) - 1), [m.x]
    total = m.shape[axis]
    for i in range(d.integer(1, 3)):
        shape = list(m.shape)
        shape[axis] = d.integer(1, 4)
        total += shape[axis]
        if d.chance(0.3):
            parts.append(m.real(shape))
        else:
            parts.append(m.made(f"part{i}", shape))
            m.inputs.append(parts[-1])
    made = list(m.shape)
    made[axis] = total
    return m.end("CONCATENATION", parts, made, "ConcatenationOptions", Axis=axis - d.one_of(0, len(made)))


def padding(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        m = Float(d, d.shape())
        pads = [[d.integer(0, min(3, n - 1) if kind == "MIRROR_PAD" else 3) if d.chance(0.6) else 0 for _ in range(2)] for n in m.shape]
        made = [n + sum(row) for n, row in zip(m.shape, pads, strict=True)]
        more = [m.number(d.rng.normal(), "float32")] if kind == "PADV2" else []
        options = {"PAD": "PadOptions", "PADV2": "PadV2Options", "MIRROR_PAD": "MirrorPadOptions"}[kind]
        return m.end(kind, [m.x, m.number(pads), *more], made, options)

    return draw


def reduction(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        m = Float(d, d.shape())
        rank, kept = len(m.shape), d.chance(0.5)
        pixels = [1, 2] if rank == 4 else [1] if rank == 3 else []  # of an image, or the steps of a sequence
        axes = pixels if pixels and d.chance(0.5) else [a for a in range(rank) if d.chance(0.5)] or [d.integer(0, rank - 1)]
        made = [1 if a in axes else n for a, n in enumerate(m.shape) if kept or a not in axes]
        given = [a - d.one_of(0, rank) for a in axes]
        return m.end(kind, [m.x, m.number(given)], made, "ReducerOptions", KeepDims=kept)

    return draw


def arg_max(d: Draw) -> Model:
    m = Float(d, d.shape())
    axis, kind = d.integer(0, len(m.shape) - 1), d.one_of("int32", "int64")
    y = m.tensor("y", [n for a, n in enumerate(m.shape) if a != axis], kind)
    number = {"int32": tflite.TensorType.INT32, "int64": tflite.TensorType.INT64}[kind]
    m.operator("ARG_MAX", [m.x, m.number(axis - d.one_of(0, len(m.shape)))], [y], "ArgMaxOptions", OutputType=number)
    m.outputs = [y]
    return m


def gather(d: Draw) -> Model:
    m = Float(d, d.shape())
    axis, shape = d.integer(0, len(m.shape) - 1), d.one_of((), (3,), (2, 2))
    made = [*m.shape[:axis], *shape, *m.shape[axis + 1 :]]
    which = m.number(d.rng.integers(0, m.shape[axis], shape), d.one_of("int32", "int64"))
    return m.end("GATHER", [m.x, which], made, "GatherOptions", Axis=axis)


def batch_matmul(d: Draw) -> Model:
    outer, rows, inner, columns = d.one_of((), (2,), (1, 3), (2, 1)), d.integer(1, 5), d.integer(1, 8), d.integer(1, 5)
    turned = d.chance(0.4), d.chance(0.4)
    m = Float(d, (*outer, inner, rows) if turned[0] else (*outer, rows, inner))
    other = (*(outer if d.chance(0.7) else (1,) * len(outer)), *((columns, inner) if turned[1] else (inner, columns)))
    if d.chance(0.4):
        b = m.real(other)
    else:
        b = m.made("other", other)
        m.inputs.append(b)
    return m.end("BATCH_MATMUL", [m.x, b], (*outer, rows, columns), "BatchMatMulOptions", AdjX=turned[0], AdjY=turned[1])


def lstm(d: Draw) -> Model:
    images, steps, inner, hidden, by_time = d.integer(1, 2), d.integer(1, 12), d.integer(1, 8), d.integer(1, 8), d.chance(0.3)
    outer = (steps, images) if by_time else (images, steps)
    m = Float(d, (*outer, inner))
    states = [m.made(name, (images, hidden)) for name in ("state", "cell")]
    for t in states:
        m.tensors[t].variable = True
    weights = [m.real((hidden, n)) for n in [inner] * 4 + [hidden] * 4]
    operands = [m.x, *weights, -1, -1, -1, *(m.real((hidden,)) for _ in range(4)), -1, -1, *states, -1, -1, -1, -1]
    return m.end("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, (*outer, hidden), "UnidirectionalSequenceLSTMOptions", FusedActivationFunction=4,
                 CellClip=d.one_of(0.0, float(steps)), TimeMajor=by_time)  # fmt: skip


def resized(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        m = Float(d, d.image())
        n, h, w, c = m.shape
        size = [d.one_of(length * d.integer(1, 4), d.integer(1, 12), length) for length in (h, w)]
        mode = d.one_of({}, {"AlignCorners": True}, {"HalfPixelCenters": True})
        options = "ResizeBilinearOptions" if kind == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
        return m.end(kind, [m.x, m.number(size)], (n, *size, c), options, **mode)

    return draw


def transpose(d: Draw) -> Model:
    m = Float(d, d.shape())
    perm = d.rng.permutation(len(m.shape))
    return m.end("TRANSPOSE", [m.x, m.number(perm)], [m.shape[a] for a in perm], "TransposeOptions")


def part(d: Draw) -> Model:
    m = Float(d, d.shape())
    begins = [d.integer(0, n - 1) for n in m.shape]
    lengths = [d.integer(1, n - b) for n, b in zip(m.shape, begins, strict=True)]
    given = [-1 if b + k == n and d.chance(0.5) else k for n, b, k in zip(m.shape, begins, lengths, strict=True)]
    return m.end("SLICE", [m.x, m.number(begins), m.number(given)], lengths, "SliceOptions")


def strided(d: Draw) -> Model:
    m = Float(d, d.shape())
    begins, ends, steps, made, masks = [], [], [], [], {"BeginMask": 0, "EndMask": 0, "ShrinkAxisMask": 0}
    for a, n in enumerate(m.shape):
        first, last, step = d.integer(0, n - 1), d.integer(0, n - 1), d.integer(1, 3)
        first, last = min(first, last), max(first, last) + 1
        if d.chance(0.2):
            masks["ShrinkAxisMask"] |= 1 << a
            begins, ends, steps = [*begins, first - d.one_of(0, n)], [*ends, first + 1], [*steps, 1]
            ends[-1] = begins[-1] + 1
            continue
        if d.chance(0.2):  # backwards
            places, first, last, step = range(n)[last - 1 : (first - 1 if first else None) : -step], last - 1, first - 1 if first else -n - 1, -step
        else:
            opened = [d.chance(0.3), d.chance(0.3)]
            masks["BeginMask"] |= opened[0] << a
            masks["EndMask"] |= opened[1] << a
            places = range(n)[None if opened[0] else first : None if opened[1] else last : step]
            first -= d.one_of(0, n)
        begins, ends, steps, made = [*begins, first], [*ends, last], [*steps, step], [*made, len(places)]
    return m.end("STRIDED_SLICE", [m.x, *map(m.number, (begins, ends, steps))], made, "StridedSliceOptions", **masks)


def split(d: Draw, by_length: bool = False) -> Model:
    shape = list(d.shape())
    axis, parts = d.integer(0, len(shape) - 1), d.integer(1, 3)
    lengths = [d.integer(1, 3) for _ in range(parts)] if by_length else [d.integer(1, 3)] * parts
    shape[axis] = sum(lengths)
    m = Float(d, shape)
    outs = [m.made(f"y{i}", [length if a == axis else n for a, n in enumerate(shape)]) for i, length in enumerate(lengths)]
    where = m.number(axis - d.one_of(0, len(shape)))
    if by_length:
        m.operator("SPLIT_V", [m.x, m.number(lengths), where], outs, "SplitVOptions", NumSplits=parts)
    else:
        m.operator("SPLIT", [where, m.x], outs, "SplitOptions", NumSplits=parts)
    m.outputs = outs
    return m


def blocks(kind: str) -> Callable[[Draw], Model]:
    def draw(d: Draw) -> Model:
        n, h, w, c = d.image(most=4)
        block = d.integer(1, 3)
        small, large = (n, h, w, c * block * block), (n, h * block, w * block, c)
        m = Float(d, small if kind == "DEPTH_TO_SPACE" else large)
        return m.end(kind, [m.x], large if kind == "DEPTH_TO_SPACE" else small, {"DEPTH_TO_SPACE": "DepthToSpaceOptions",
                     "SPACE_TO_DEPTH": "SpaceToDepthOptions"}[kind], BlockSize=block)  # fmt: skip

    return draw


CASES: dict[str, Callable[[Draw], Model]] = {
    "ABS": unary("ABS", "AbsOptions"),
    "ADD": pair("ADD", "AddOptions"),
    "ARG_MAX": arg_max,
    "AVERAGE_POOL_2D": pooling("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": batch_matmul,
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": lambda d: convolution(d, True),
    "DEPTH_TO_SPACE": blocks("DEPTH_TO_SPACE"),
    "DIV": pair("DIV", "DivOptions"),
    "ELU": unary("ELU"),
    "EXP": unary("EXP", "ExpOptions"),
    "EXPAND_DIMS": view("EXPAND_DIMS"),
    "FULLY_CONNECTED": fully_connected,
    "GATHER": gather,
    "GELU": unary("GELU", "GeluOptions", Approximate=lambda d: d.chance(0.5)),
    "HARD_SWISH": unary("HARD_SWISH", "HardSwishOptions"),
    "LEAKY_RELU": unary("LEAKY_RELU", "LeakyReluOptions", Alpha=lambda d: d.one_of(0.1, 0.3, -0.5, 1.5)),
    "LOG": unary("LOG", positive=True),
    "LOGISTIC": unary("LOGISTIC"),
    "MAXIMUM": pair("MAXIMUM", "MaximumMinimumOptions", fused=False),
    "MAX_POOL_2D": pooling("MAX_POOL_2D"),
    "MEAN": reduction("MEAN"),
    "MINIMUM": pair("MINIMUM", "MaximumMinimumOptions", fused=False),
    "MIRROR_PAD": padding("MIRROR_PAD"),
    "MUL": pair("MUL", "MulOptions"),
    "NEG": unary("NEG", "NegOptions"),
    "PAD": padding("PAD"),
    "PADV2": padding("PADV2"),
    "PRELU": prelu,
    "REDUCE_MAX": reduction("REDUCE_MAX"),
    "RELU": unary("RELU"),
    "RELU6": unary("RELU6"),
    "RELU_0_TO_1": unary("RELU_0_TO_1"),
    "RELU_N1_TO_1": unary("RELU_N1_TO_1"),
    "RESHAPE": view("RESHAPE"),
    "RESIZE_BILINEAR": resized("RESIZE_BILINEAR"),
    "RESIZE_NEAREST_NEIGHBOR": resized("RESIZE_NEAREST_NEIGHBOR"),
    "RSQRT": unary("RSQRT", positive=True),
    "SLICE": part,
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": blocks("SPACE_TO_DEPTH"),
    "SPLIT": split,
    "SPLIT_V": lambda d: split(d, True),
    "SQRT": unary("SQRT", positive=True),
    "SQUARE": unary("SQUARE", "SquareOptions"),
    "SQUARED_DIFFERENCE": pair("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", fused=False),
    "SQUEEZE": view("SQUEEZE"),
    "STRIDED_SLICE": strided,
    "SUB": pair("SUB", "SubOptions"),
    "SUM": reduction("SUM"),
    "TANH": unary("TANH"),
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
