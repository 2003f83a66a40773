# SPDX-License-Identifier: Apache-2.0
"""Random TFLite models of one operator (and what it needs around it), for comparing the importer with the reference.

Each function draws one model: shapes, attributes, scales and zero points, with odd zero points, ties (scales that are powers of two),
images of 1x1, odd channels and the ends of ranges among them. CASES names them all.
"""

import math
from collections.abc import Callable

import numpy as np
import random_models
from tflite_writer import Model

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
ACTIVATION_NUMBERS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SAME, VALID = 0, 1


class Draw(random_models.Draw):
    def zero(self) -> int:
        return self.one_of(self.integer(-128, 127), self.integer(-128, 127), 0, -128, 127, -1, 1)

    def quantization(self) -> dict:
        return {"scale": self.scale(), "zero_point": self.zero()}

    def image(self, channels: int | None = None, most: int = 9) -> tuple[int, int, int, int]:
        h, w = (1, 1) if self.chance(0.15) else (self.integer(1, most), self.integer(1, most))
        c = channels or self.one_of(1, 3, 5, 13, 17, self.integer(1, 20))
        return self.one_of(1, 1, 1, 2), h, w, c

    def int8(self, shape) -> np.ndarray:
        """Any values, or those of the ends of the range."""
        if self.chance(0.15):
            return self.rng.choice(np.array([-128, 127, 0], np.int8), shape)
        return self.rng.integers(-128, 128, shape, dtype=np.int8)

    def activation(self, share_of_none: float = 0.5) -> int:
        return 0 if self.chance(share_of_none) else ACTIVATION_NUMBERS[self.one_of(*ACTIVATIONS)]


def _window(d: Draw, length: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    span = (kernel - 1) * dilation + 1
    return -(-length // stride) if padding == SAME else (length - span) // stride + 1


def _weights(d: Draw, m: Model, shape, axis: int, channels: int, source: np.float32, any_int4: bool = True) -> tuple[list[int], np.ndarray]:
    """Weights, per tensor or per channel, and a bias or none."""
    per_channel = d.chance(0.7)
    scales = np.array([d.scale(1e-4, 0.05) for _ in range(channels if per_channel else 1)], np.float32)
    values, kind = d.int8(shape), "int8"
    fully_connected_per_channel = per_channel and len(shape) == 2  # the reference has no INT4 there
    if d.chance(0.15) and any_int4 and not fully_connected_per_channel:  # two values in a byte, the first in its lower half
        nibbles = np.append(values.reshape(-1) & 15, 0)[: (values.size + 1) // 2 * 2].astype(np.uint8)
        values, kind = nibbles[0::2] | nibbles[1::2] << 4, "int4"
    zeros = np.zeros(len(scales), np.int64)
    w = m.tensor("weights", shape, kind, scales, zeros, axis if per_channel else 0, values)
    # Without a bias; the reference's depthwise kernel reads tensor -1 and dies, so there only the shorter form.
    if d.chance(0.2):
        return [w, -1] if d.chance(0.5) and axis == 0 else [w], scales
    data = d.rng.integers(-20000, 20000, channels).astype(np.int32)
    b = m.tensor(
        "bias", (channels,), "int32", scale=scales * source, zero_point=np.zeros(len(scales), np.int64), data=data
    )
    return [w, b], scales


def _output_scale(d: Draw, source: np.float32, scales: np.ndarray, terms: int) -> np.float32:
    """So that outputs use their range, more or less."""
    real = float(source) * float(np.max(scales)) * math.sqrt(terms) * 74 * 74 / d.rng.uniform(10, 90)
    return np.float32(2.0 ** round(math.log2(real)) if d.chance(0.3) else real)


def convolution(d: Draw, depthwise: bool, padded: bool = False) -> Model:
    m = Model()
    while True:
        n, h, w, c = d.image()
        stride, dilation = (
            (d.integer(1, 3), d.integer(1, 3)),
            (d.integer(1, 2), d.integer(1, 3)) if d.chance(0.4) else (1, 1),
        )
        kernel, padding = (d.integer(1, 5), d.integer(1, 5)), d.one_of(SAME, VALID)
        pads = [d.integer(0, 2) for _ in range(4)] if padded else [0, 0, 0, 0]  # top, bottom, left, right
        ph, pw = h + pads[0] + pads[1], w + pads[2] + pads[3]
        oh, ow = (_window(d, n_, k, s, dl, padding) for n_, k, s, dl in zip((ph, pw), kernel, stride, dilation))
        if oh >= 1 and ow >= 1:
            break
    q = d.quantization()
    x = m.tensor("x", (n, h, w, c), **q)
    m.inputs = [x]
    if padded:
        amounts = m.tensor("pads", (4, 2), "int32", data=np.array([[0, 0], pads[:2], pads[2:], [0, 0]], np.int32))
        y = m.tensor("padded", (n, ph, pw, c), **q)
        m.operator("PAD", [x, amounts], [y], "PadOptions")
        x = y
    options = dict(
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
        DilationHFactor=dilation[0],
        DilationWFactor=dilation[1],
        FusedActivationFunction=d.activation(),
    )
    if depthwise:
        multiplier = d.one_of(1, 1, 2, 3)
        out = c * multiplier
        operands, scales = _weights(d, m, (1, *kernel, out), 3, out, q["scale"])
        terms = kernel[0] * kernel[1]
        options["DepthMultiplier"] = multiplier
    else:
        out = d.one_of(1, 3, 13, 17, d.integer(1, 24))
        groups = d.one_of(*[g for g in range(1, c + 1) if c % g == 0]) if d.chance(0.15) else 1
        out = -(-out // groups) * groups
        operands, scales = _weights(d, m, (out, *kernel, c // groups), 0, out, q["scale"])
        terms = kernel[0] * kernel[1] * c // groups
    y = m.tensor("y", (n, oh, ow, out), scale=_output_scale(d, q["scale"], scales, terms), zero_point=d.zero())
    m.outputs = [y]
    m.operator(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [x, *operands],
        [y],
        "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
        **options,
    )
    return m


def fully_connected(d: Draw) -> Model:
    m = Model()
    inner, out = d.integer(1, 70), d.one_of(1, 3, 13, d.integer(1, 40))
    keep = d.chance(0.4)
    shape = (
        d.one_of((1, inner), (d.integer(1, 4), inner), (1, d.integer(1, 4), inner), (1, 1, d.integer(1, 3), inner))
        if keep or d.chance(0.6)
        else (1, 1, inner, 1)
    )
    rows = math.prod(shape) // inner
    q = d.quantization()
    x = m.tensor("x", shape, **q)
    operands, scales = _weights(d, m, (out, inner), 0, out, q["scale"])
    if len(scales) == 1 and m.tensors[operands[0]].type == "int8" and d.chance(0.3):
        m.tensors[operands[0]].zero_point = [d.integer(-5, 5)]
    y = m.tensor(
        "y",
        (*shape[:-1], out) if keep else (rows, out),
        scale=_output_scale(d, q["scale"], scales, inner),
        zero_point=d.zero(),
    )
    m.inputs, m.outputs = [x], [y]
    m.operator(
        "FULLY_CONNECTED",
        [x, *operands],
        [y],
        "FullyConnectedOptions",
        KeepNumDims=keep,
        FusedActivationFunction=d.activation(),
    )
    return m


def pair(d: Draw, kind: str) -> Model:
    m = Model()
    shape = d.one_of(d.image(), (1, d.integer(1, 30)), (1, 3, d.integer(1, 9)))
    a, b = d.quantization(), d.quantization()
    form = d.one_of("plain", "plain", "number", "constant", "pixel", "function")
    other = shape
    if form == "number":
        other = d.one_of((1,), (1,) * len(shape), ())
    elif form == "constant":
        other = d.one_of(shape[-1:], (1,) * (len(shape) - 1) + shape[-1:], shape[1:])
    elif form == "pixel":
        shape = d.image()
        other = (shape[0], 1, 1, shape[3])
    elif form == "function" and kind == "MUL":  # of the other operand
        b = {"scale": np.float32(1 / 256), "zero_point": -128}
    x = m.tensor("a", shape, **a)
    y = m.tensor("b", other, **b, data=d.int8(other) if form in ("number", "constant") else None)
    largest = max(a["scale"], b["scale"]) if kind != "MUL" else 100 * a["scale"] * b["scale"]
    z = m.tensor("result", shape, scale=np.float32(largest * np.float32(d.rng.uniform(0.3, 3))), zero_point=d.zero())
    m.inputs, m.outputs = [x] if form in ("number", "constant") or (form == "function" and kind == "MUL") else [x, y], [z]
    if form == "function" and kind == "MUL":
        m.operator("LOGISTIC", [x], [y])
    operands = [x, y] if d.chance(0.5) else [y, x]
    m.operator(kind, operands, [z], f"{kind.capitalize()}Options", FusedActivationFunction=d.activation())
    return m


def pool(d: Draw, kind: str) -> Model:
    m = Model()
    while True:
        n, h, w, c = d.image()
        kernel, stride, padding = (
            (d.integer(1, 5), d.integer(1, 5)),
            (d.integer(1, 3), d.integer(1, 3)),
            d.one_of(SAME, VALID),
        )
        oh, ow = (_window(d, n_, k, s, 1, padding) for n_, k, s in zip((h, w), kernel, stride))
        if oh >= 1 and ow >= 1:
            break
    q = d.quantization()
    x, y = m.tensor("x", (n, h, w, c), **q), m.tensor("y", (n, oh, ow, c), **q)
    m.inputs, m.outputs = [x], [y]
    m.operator(
        kind,
        [x],
        [y],
        "Pool2DOptions",
        Padding=padding,
        StrideH=stride[0],
        StrideW=stride[1],
        FilterHeight=kernel[0],
        FilterWidth=kernel[1],
        FusedActivationFunction=d.activation(),
    )
    return m


def concatenation(d: Draw) -> Model:
    m = Model()
    shape = d.one_of(d.image(), d.image(), (d.integer(1, 3), d.integer(1, 20)), d.image(channels=d.one_of(32, 64), most=4), (2, 3, d.integer(1, 9)))
    q = d.quantization()
    axis = d.one_of(len(shape) - 1, d.integer(0, len(shape) - 1))
    lengths = [shape[axis], *(d.one_of(d.integer(1, 9), shape[axis]) for _ in range(d.one_of(1, 1, 2)))]
    m.inputs = [m.tensor(f"x{i}", (*shape[:axis], length, *shape[axis + 1 :]), **q) for i, length in enumerate(lengths)]
    m.outputs = [m.tensor("y", (*shape[:axis], sum(lengths), *shape[axis + 1 :]), **q)]
    m.operator("CONCATENATION", m.inputs, m.outputs, "ConcatenationOptions", Axis=d.one_of(axis - len(shape), axis))
    return m


def _computed_shape(d: Draw, m: Model, x: int, made: list[int], out: int) -> int:
    """As the converter leaves it where the number of images is open: [images of x, *made, out]."""
    number = lambda name, *values: m.tensor(name, np.shape(values), "int32", data=np.array(values, np.int32))  # noqa: E731
    whole = m.tensor("whole", (4,), "int32")
    m.operator("SHAPE", [x], [whole], "ShapeOptions", OutType=2)
    first = m.tensor("first", (), "int32")
    masks = {"ShrinkAxisMask": 1} | ({"BeginMask": 1} if d.chance(0.3) else {})
    m.operator("STRIDED_SLICE", [whole, number("from", 0), number("to", 1), number("by", 1)], [first], "StridedSliceOptions", **masks)
    shape = m.tensor("shape", (4,), "int32")
    others = [m.tensor(f"length{i}", (), "int32", data=np.array(v, np.int32)) for i, v in enumerate((*made, out))]
    m.operator("PACK", [first, *others], [shape], "PackOptions", ValuesCount=4)
    return shape


def transposed_convolution(d: Draw) -> Model:
    """Output shapes as converters write them, and others that have as many windows."""
    m = Model()
    n, h, w, c = d.image(most=7)
    kernel, stride, padding = [d.integer(1, 5) for _ in range(2)], [d.integer(1, 4) for _ in range(2)], d.one_of(SAME, VALID)
    made = []
    for length, k, s in zip((h, w), kernel, stride):
        most = length * s if padding == SAME else length * s + max(k - s, 0)
        least = (length - 1) * s + (1 if padding == SAME else k)
        made.append(most if d.chance(0.6) else d.integer(least, most))
    q = d.quantization()
    out = d.one_of(1, 3, 13, d.integer(1, 20))
    x = m.tensor("x", (n, h, w, c), **q)
    shape = _computed_shape(d, m, x, made, out) if d.chance(0.3) else m.tensor("shape", (4,), "int32", data=np.array([n, *made, out], np.int32))
    (weights, *bias), scales = _weights(d, m, (out, *kernel, c), 0, out, q["scale"], any_int4=False)
    y = m.tensor("y", (n, *made, out), scale=_output_scale(d, q["scale"], scales, -(-kernel[0] * kernel[1] // math.prod(stride)) * c), zero_point=d.zero())
    m.inputs, m.outputs = [x], [y]
    options = dict(Padding=padding, StrideH=stride[0], StrideW=stride[1], FusedActivationFunction=d.activation())
    m.operator("TRANSPOSE_CONV", [shape, weights, x, *bias], [y], "TransposeConvOptions", **options)
    return m


def resized(d: Draw) -> Model:
    m = Model()
    corners, centers = d.one_of((False, False), (False, True), (True, False))
    n, h, w, c = d.image(most=5 if d.chance(0.7) else 12)
    before, after = [], []
    for length in (h, w):
        factor = d.integer(1, 2 if corners and length > 2 else 5)  # so that each pixel stands as often as the others
        shrinks = not corners and d.chance(0.2)
        before.append(length * factor if shrinks else length)
        after.append(length if shrinks else length * factor)
    q = d.quantization()
    x, y, z = m.tensor("x", (n, *before, c), **q), m.tensor("y", (n, *after, c), **q), m.tensor("z", (n, *after, c), **d.quantization())
    size = m.tensor("size", (2,), "int32", data=np.array(after, np.int32))
    m.inputs, m.outputs = [x], [z]
    m.operator("RESIZE_NEAREST_NEIGHBOR", [x, size], [y], "ResizeNearestNeighborOptions", AlignCorners=corners, HalfPixelCenters=centers)
    m.operator("QUANTIZE", [y], [z], "QuantizeOptions")  # to the same size there is nothing to do
    return m


def bilinear(d: Draw) -> Model:
    m = Model()
    centers = d.chance(0.6)
    n, h, w, c = d.image(most=6)
    factors = [d.one_of(1, 2, 2, 4, 8) for _ in range(2)]
    q, after = d.quantization(), (h * factors[0], w * factors[1])
    m.inputs, m.outputs = [m.tensor("x", (n, h, w, c), **q)], [m.tensor("y", (n, *after, c), **q)]
    size = m.tensor("size", (2,), "int32", data=np.array(after, np.int32))
    m.operator("RESIZE_BILINEAR", [0, size], [1], "ResizeBilinearOptions", HalfPixelCenters=centers)
    return m


def rearranged(d: Draw, kind: str) -> Model:
    m = Model()
    n, h, w, c = d.image(most=5)
    block = d.integer(1, 3)
    small, large = (n, h, w, c * block * block), (n, h * block, w * block, c)
    before, after = (small, large) if kind == "DEPTH_TO_SPACE" else (large, small)
    q = d.quantization()
    m.inputs, m.outputs = [m.tensor("x", before, **q)], [m.tensor("y", after, **q)]
    m.operator(kind, m.inputs, m.outputs, "DepthToSpaceOptions" if kind == "DEPTH_TO_SPACE" else "SpaceToDepthOptions", BlockSize=block)
    return m


def picked(d: Draw, kind: str) -> Model:
    """Part of a convolution's result, or of an input; then something that computes."""
    m = Model()
    shape = d.one_of(d.image(), d.image(), (d.integer(1, 3), d.integer(2, 20)), (1, d.integer(1, 5), d.integer(2, 9)))
    q, rank = d.quantization(), len(shape)
    x = m.tensor("x", shape, **q)
    m.inputs = [x]
    if rank == 4 and d.chance(0.4):  # whose filters it takes
        operands, scales = _weights(d, m, (12, 1, 1, shape[3]), 0, 12, q["scale"])
        shape, q = (*shape[:3], 12), {"scale": _output_scale(d, q["scale"], scales, shape[3]), "zero_point": d.zero()}
        conv = m.tensor("conv", shape, **q)
        m.operator("CONV_2D", [x, *operands], [conv], "Conv2DOptions", Padding=SAME, StrideH=1, StrideW=1)
        x = conv

    def numbers(name: str, values) -> int:
        return m.tensor(name, np.shape(values), "int32", data=np.array(values, np.int32))

    if kind in ("SPLIT", "SPLIT_V"):
        axis = d.integer(1, rank - 1)
        parts = d.one_of(*[n for n in range(1, shape[axis] + 1) if shape[axis] % n == 0 and n < 4])
        lengths = [shape[axis] // parts] * parts
        if kind == "SPLIT_V" and parts > 1 and lengths[0] > 1:
            lengths[0], lengths[1] = lengths[0] - 1, lengths[1] + 1
        made = [m.tensor(f"y{i}", (*shape[:axis], n, *shape[axis + 1 :]), **q) for i, n in enumerate(lengths)]
        at = numbers("axis", d.one_of(axis, axis - rank) if kind == "SPLIT" else [axis])
        operands = [at, x] if kind == "SPLIT" else [x, numbers("lengths", lengths), at]
        m.operator(kind, operands, made, "SplitOptions" if kind == "SPLIT" else "SplitVOptions", NumSplits=parts)
    else:
        begin = [0] + [d.integer(0, n - 1) for n in shape[1:]]
        end = [shape[0]] + [d.integer(b + 1, n) for b, n in zip(begin[1:], shape[1:])]
        step = [1] + [d.integer(1, 3) for _ in shape[1:]] if kind == "STRIDED_SLICE" else [1] * rank
        made = [m.tensor("y", tuple(len(range(*one)) for one in zip(begin, end, step)), **q)]
        if kind == "SLICE":
            size = [-1 if e == n and d.chance(0.5) else e - b for b, e, n in zip(begin, end, shape)]
            m.operator(kind, [x, numbers("begin", begin), numbers("size", size)], made, "SliceOptions")
        else:
            masks = [sum(1 << i for i in range(rank) if one[i] == edge[i] and d.chance(0.5)) for one, edge in ((begin, [0] * rank), (end, shape))]
            operands = [x, *(numbers(name, v) for name, v in (("begin", begin), ("end", end), ("step", step)))]
            m.operator(kind, operands, made, "StridedSliceOptions", BeginMask=masks[0], EndMask=masks[1])
    for i, y in enumerate(made):
        m.outputs.append(m.tensor(f"z{i}", m.tensors[y].shape, **d.quantization()))
        m.operator("QUANTIZE", [y], [m.outputs[-1]], "QuantizeOptions")
    return m


def padding(d: Draw) -> Model:
    """Read by something else than a convolution."""
    m = Model()
    shape, q = d.image(), d.quantization()
    pads = [[0, 0], [d.integer(0, 3), d.integer(0, 3)], [d.integer(0, 3), d.integer(0, 3)], [0, 0]]
    amounts = m.tensor("pads", (4, 2), "int32", data=np.array(pads, np.int32))
    made = tuple(n + sum(p) for n, p in zip(shape, pads))
    x, y, z = m.tensor("x", shape, **q), m.tensor("y", made, **q), m.tensor("z", made, **d.quantization())
    m.inputs, m.outputs = [x], [z]
    m.operator("PAD", [x, amounts], [y], "PadOptions")
    m.operator("QUANTIZE", [y], [z], "QuantizeOptions")
    return m


def mirrored(d: Draw) -> Model:
    m = Model()
    shape, q, mode = d.image(), d.quantization(), d.integer(0, 1)
    pads = [[0, 0], *([d.integer(0, min(3, n - 1 + mode)) for _ in range(2)] for n in shape[1:3]), [0, 0]]
    amounts = m.tensor("pads", (4, 2), "int32", data=np.array(pads, np.int32))
    made = tuple(n + sum(p) for n, p in zip(shape, pads))
    x, y, z = m.tensor("x", shape, **q), m.tensor("y", made, **q), m.tensor("z", made, **d.quantization())
    m.inputs, m.outputs = [x], [z]
    m.operator("MIRROR_PAD", [x, amounts], [y], "MirrorPadOptions", Mode=mode)
    m.operator("QUANTIZE", [y], [z], "QuantizeOptions")
    return m


def mean(d: Draw) -> Model:
    m = Model()
    n, h, w, c = d.image(most=14)
    keep = d.chance(0.5)
    x = m.tensor("x", (n, h, w, c), **d.quantization())
    axes = m.tensor("axes", (2,), "int32", data=np.array(d.one_of([1, 2], [2, 1], [-3, -2]), np.int32))
    y = m.tensor(
        "y",
        (n, 1, 1, c) if keep else (n, c),
        scale=np.float32(m.tensors[x].scale[0] * np.float32(d.rng.uniform(0.2, 2))),
        zero_point=d.zero(),
    )
    m.inputs, m.outputs = [x], [y]
    m.operator("MEAN", [x, axes], [y], "ReducerOptions", KeepDims=keep)
    return m


def shapes(d: Draw, kind: str) -> Model:
    m = Model()
    n, h, w, c = d.image()
    q = d.quantization()
    operands = []
    if kind == "RESHAPE":
        before, after = (n, h, w, c), d.one_of((n, h * w, c), (n, h * w * c), (n, 1, h, 1, w * c))
        operands = [m.tensor("shape", (len(after),), "int32", data=np.array(after, np.int32))] if d.chance(0.7) else []
        options = ("ReshapeOptions", {}) if operands else ("ReshapeOptions", {"NewShape": after})
    elif kind == "SQUEEZE":
        before, after, options = (1, h, 1, c), (1, h, c), ("SqueezeOptions", {"SqueezeDims": (2,)})
    else:
        before, after, options = (n, h, c), (n, h, 1, c), ("ExpandDimsOptions", {})
        operands = [m.tensor("axis", (), "int32", data=np.array([2], np.int32))]
    x, y, z = m.tensor("x", before, **q), m.tensor("y", after, **q), m.tensor("z", after, **d.quantization())
    m.inputs, m.outputs = [x], [z]
    m.operator(kind, [x, *operands], [y], options[0], **options[1])
    m.operator("QUANTIZE", [y], [z], "QuantizeOptions")  # a view alone is no work
    return m


def unary(
    d: Draw,
    kind: str,
    output: dict | None = None,
    same: bool = False,
    options: str = "",
    types: tuple[str, str] = ("int8", "int8"),
    **values,
) -> Model:
    """All 256 values of the input, mixed."""
    m = Model()
    q = {"scale": d.scale(1e-3, 0.3), "zero_point": d.zero()}
    shape = d.one_of((1, 256), (1, 4, 8, 8), (1, 16, 16))
    target = output or (
        q if same else {"scale": np.float32(q["scale"] * np.float32(d.rng.uniform(0.2, 4))), "zero_point": d.zero()}
    )
    shifted = [{**z, "zero_point": z["zero_point"] + (128 if t == "uint8" else 0)} for z, t in zip((q, target), types)]
    x, y = m.tensor("x", shape, types[0], **shifted[0]), m.tensor("y", shape, types[1], **shifted[1])
    m.inputs, m.outputs = [x], [y]
    m.operator(kind, [x], [y], options, **values)
    return m


def softmax(d: Draw) -> Model:
    m = Model()
    shape = d.one_of((1, d.integer(1, 300)), (1, d.integer(1, 9), d.integer(1, 12)))
    x = m.tensor("x", shape, scale=d.scale(1e-3, 1.0), zero_point=d.zero())
    y, z = (
        m.tensor("y", shape, **m_quantization(m, x)),
        m.tensor("z", shape, scale=np.float32(1 / 256), zero_point=-128),
    )
    m.inputs, m.outputs = [x], [z]
    m.operator("RELU6", [x], [y])  # the host's step needs a program before it
    m.operator("SOFTMAX", [y], [z], "SoftmaxOptions", Beta=d.one_of(1.0, 1.0, 0.5, d.rng.uniform(0.2, 3)))
    return m


def arg_max(d: Draw) -> Model:
    m = Model()
    shape = d.one_of((1, d.integer(1, 200)), (1, d.integer(1, 9), d.integer(1, 12)))
    q = d.quantization()
    x, y, z = m.tensor("x", shape, **q), m.tensor("y", shape, **d.quantization()), m.tensor("z", shape[:-1], "int32")
    axis = m.tensor("axis", (1,), "int32", data=np.array([d.one_of(-1, len(shape) - 1)], np.int32))
    m.inputs, m.outputs = [x], [z]
    m.operator("QUANTIZE", [x], [y], "QuantizeOptions")
    m.operator("ARG_MAX", [y, axis], [z], "ArgMaxOptions", OutputType=2)
    return m


def m_quantization(m: Model, index: int) -> dict:
    return {"scale": m.tensors[index].scale, "zero_point": m.tensors[index].zero_point}


def _named(function: Callable, *arguments, **more) -> Callable[[Draw], Model]:
    return lambda d: function(d, *arguments, **more)


CASES: dict[str, Callable[[Draw], Model]] = {
    "ADD": _named(pair, "ADD"),
    "ARG_MAX": arg_max,
    "AVERAGE_POOL_2D": _named(pool, "AVERAGE_POOL_2D"),
    "CONCATENATION": concatenation,
    "CONV_2D": _named(convolution, False),
    "DEPTHWISE_CONV_2D": _named(convolution, True),
    "DEPTH_TO_SPACE": _named(rearranged, "DEPTH_TO_SPACE"),
    "ELU": _named(unary, "ELU"),
    "EXPAND_DIMS": _named(shapes, "EXPAND_DIMS"),
    "FULLY_CONNECTED": fully_connected,
    "HARD_SWISH": _named(unary, "HARD_SWISH"),
    "LEAKY_RELU": lambda d: unary(
        d, "LEAKY_RELU", options="LeakyReluOptions", Alpha=float(d.one_of(0.0, 0.125, 0.3, d.rng.uniform(0, 2)))
    ),
    "LOGISTIC": _named(unary, "LOGISTIC", {"scale": np.float32(1 / 256), "zero_point": -128}),
    "MAX_POOL_2D": _named(pool, "MAX_POOL_2D"),
    "MEAN": mean,
    "MIRROR_PAD": mirrored,
    "MUL": _named(pair, "MUL"),
    "PAD": lambda d: convolution(d, d.chance(0.5), padded=True) if d.chance(0.6) else padding(d),
    "QUANTIZE": lambda d: unary(
        d,
        "QUANTIZE",
        types=d.one_of(("int8", "int8"), ("int8", "int8"), ("int8", "uint8"), ("uint8", "int8")),
        options="QuantizeOptions",
    ),
    "RELU": _named(unary, "RELU"),
    "RELU6": _named(unary, "RELU6", same=True),
    "RESHAPE": _named(shapes, "RESHAPE"),
    "RESIZE_BILINEAR": bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resized,
    "SLICE": _named(picked, "SLICE"),
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": _named(rearranged, "SPACE_TO_DEPTH"),
    "SPLIT": _named(picked, "SPLIT"),
    "SPLIT_V": _named(picked, "SPLIT_V"),
    "SQUEEZE": _named(shapes, "SQUEEZE"),
    "STRIDED_SLICE": _named(picked, "STRIDED_SLICE"),
    "SUB": _named(pair, "SUB"),
    "TANH": _named(unary, "TANH", {"scale": np.float32(1 / 128), "zero_point": 0}),
    "TRANSPOSE_CONV": transposed_convolution,
}


def changed(d: Draw, m: Model) -> Model:
    """The model with one to three things in it that somebody got wrong: shapes, scales, zero points, attributes, operands, types."""
    for _ in range(d.integer(1, 3)):
        t, op = d.one_of(*m.tensors), d.one_of(*m.operators)
        value = d.one_of(0, 1, -1, 2, 3, 7, 127, 128, -129, 255, 1 << 20, (1 << 31) - 1)
        kind = d.integer(0, 7)
        if kind == 0 and t.shape:
            at = d.integer(0, len(t.shape) - 1)
            t.shape = (*t.shape[:at], value, *t.shape[at + 1 :])
        elif kind == 1:
            t.shape = d.one_of((*t.shape, 1), t.shape[:-1], t.shape[::-1])
        elif kind == 2 and t.scale:
            t.scale = [d.one_of(0.0, -1.0, 1e-30, 1e30, math.nan, math.inf, 1e-5, 1.0)] * len(t.scale)
        elif kind == 3 and t.zero_point is not None:
            t.zero_point = [value] * len(t.zero_point)
        elif kind == 4 and op.values:
            op.values[d.one_of(*op.values)] = max(-128, min(127, value))
        elif kind == 5 and op.inputs:
            op.inputs[d.integer(0, len(op.inputs) - 1)] = d.integer(-1, len(m.tensors) - 1)
        elif kind == 6:
            t.type = d.one_of("int8", "uint8", "int32", "int64", "float32", "int16")
        elif kind == 7 and op.inputs:
            op.inputs = d.one_of(op.inputs[:-1], [*op.inputs, 0])
    return m
