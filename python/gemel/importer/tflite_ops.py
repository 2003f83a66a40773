# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators, one function each: how Gemel's layers compute the very same numbers, or what keeps them from it.

A function looks at one operator of an int8 graph, adds layers to the workload and says which tensor they make. What it cannot do it
refuses, naming the attribute, its value and what is supported. To add an operator: its options in schema.py, a function here with its row
of OPERATORS, a case in tests/python/tflite_cases.py.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..numerics import quantize_multiplier
from . import pixels
from . import tflite_tables as tables
from .messages import Findings, Refused
from .schema import ACTIVATIONS, PADDINGS
from .tflite_context import Context, check_size, readable
from .tflite_file import Operator, Tensor
from .workload import MOST_LENGTH, Quantization, shape_text

PICKERS = ("DEPTH_TO_SPACE", "SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE")
ACTIVATION_KEYS = {
    "NONE": {},
    "RELU": {"activation": "relu"},
    "RELU6": {"activation": "relu6"},
    "RELU_N1_TO_1": {"activation": "relu_n1_to_1"},
}


@dataclass(frozen=True)
class Row:
    translate: Callable[[Context, Operator], None]
    becomes: str  # the layer, for the table in the documentation
    supported: str


# ---- what several operators share ---------------------------------------------------------------------------------------------


class Options:
    """An operator's options, by their names in the schema; the schema's default where the file leaves one out."""

    def __init__(self, op: Operator, table: str):
        self._given = op.options if op.options_name == table else {}

    def __call__(self, name: str, default):
        return self._given.get(name, default)

    def positive(self, name: str, default: int) -> int:
        value = self(name, default)
        if not 1 <= value <= 1 << 20:
            raise Refused(name, value, "1 to 1048576")
        return value

    def choice(self, name: str, names: list[str]) -> str:
        value = self(name, 0)
        return names[value] if 0 <= value < len(names) else f"number {value}"

    def activation(self) -> dict:
        name = self.choice("fused_activation_function", ACTIVATIONS)
        if name not in ACTIVATION_KEYS:
            raise Refused("fused_activation_function", name, "NONE, RELU, RELU6, RELU_N1_TO_1")
        return ACTIVATION_KEYS[name]


def operands(op: Operator, least: int, most: int | None = None) -> list[Tensor | None]:
    """The inputs, `most` of them; those that the file leaves out at the end are None."""
    most = least if most is None else most
    if not least <= len(op.inputs) <= most or any(t is None for t in op.inputs[:least]) or len(op.outputs) != 1:
        raise Refused(
            "operands",
            f"{len(op.inputs)} in, {len(op.outputs)} out",
            f"{least if least == most else f'{least} to {most}'} in, 1 out",
        )
    for t in op.inputs + op.outputs:
        if t is not None and not t.constant:
            check_size(t)
    return op.inputs + [None] * (most - len(op.inputs))


def image(t: Tensor) -> tuple[int, int, int, int]:
    if len(t.shape) != 4:
        raise Refused(f"shape of {t}", shape_text(t.shape), "4 dimensions: [images, height, width, channels]")
    return t.shape


def expect_shape(t: Tensor, shape) -> None:
    """What the file says of an output's shape must be what comes out."""
    if tuple(t.shape) != tuple(shape):
        raise Refused(
            f"shape of {t}", shape_text(t.shape), f"{shape_text(shape)}, which is what the operator makes of its inputs"
        )


def same_quantization(context: Context, a: Tensor, b: Tensor) -> None:
    qa, qb = context.quantization(a), context.quantization(b)
    if qa != qb:
        raise Refused(
            "quantization of the output",
            f"scale {qb.scale:.9g}, zero point {qb.zero_point}",
            f"the input's: scale {qa.scale:.9g}, zero point {qa.zero_point}",
            "converters make them equal; a QUANTIZE between them is supported",
        )


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pixels before and behind one dimension; the odd one stands behind."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class Window:
    """How a window goes over an image. Pairs are of height and width."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str  # "SAME", "VALID"
    before: list[int]  # pixels of padding
    behind: list[int]
    size: list[int]  # that comes out


def measured(options: Options, lengths: tuple[int, int], kernel: tuple[int, int], dilated: bool = True) -> Window:
    """The window that an operator's options give over an image of `lengths`, padding of other operators included."""
    stride = options.positive("stride_h", 0), options.positive("stride_w", 0)
    dilation = (
        (options.positive("dilation_h_factor", 1), options.positive("dilation_w_factor", 1)) if dilated else (1, 1)
    )
    padding = options.choice("padding", PADDINGS)
    if padding not in PADDINGS:
        raise Refused("padding", padding, "SAME, VALID")
    size, before, behind = [], [], []
    for length, k, s, d in zip(lengths, kernel, stride, dilation):
        first, last = same_padding(length, k, s, d) if padding == "SAME" else (0, 0)
        size.append((length + first + last - (k - 1) * d - 1) // s + 1)
        before.append(first)
        behind.append(last)
    if min(size) < 1:
        raise Refused(
            "padding",
            padding,
            f"an image of at least the window's size, {kernel[0]} x {kernel[1]} with its dilation; it has {lengths[0]} x {lengths[1]}",
        )
    return Window(stride, dilation, padding, before, behind, size)


def window(
    op: Operator, options: Options, source: Tensor, kernel: tuple[int, int], extra=(0, 0, 0, 0), dilated: bool = True
) -> tuple[dict, tuple[int, int]]:
    """Keys of a layer with a window, and the height and width that come out. `extra`: pixels top, left, bottom, right that a PAD adds before."""
    _, h, w, _ = image(source)
    found = measured(options, (h + extra[0] + extra[2], w + extra[1] + extra[3]), kernel, dilated)
    stride, dilation, padding, before, behind, size = found.stride, found.dilation, found.padding, found.before, found.behind, found.size
    keys = {"kernel": list(kernel), "stride": list(stride)}
    keys |= {"dilation": list(dilation)} if dilation != (1, 1) else {}
    if any(extra):
        keys["padding"] = [before[0] + extra[0], before[1] + extra[1], behind[0] + extra[2], behind[1] + extra[3]]
    else:
        keys["padding"] = padding.lower()
    return keys, (size[0], size[1])


def weights(
    context: Context, t: Tensor, rank: int, per_channel_axis: int, channels: int, any_zero_point: bool = False
) -> tuple[np.ndarray, np.ndarray, int]:
    """Elements, scales (float32, one or one per channel) and zero point of constant int8 weights."""
    if not t.constant:
        raise Refused(f"weights, {t}", "computed by the network", "constants")
    if t.type not in ("INT8", "INT4") or t.data is None:
        raise Refused(f"type of the weights, {t}", t.type, "INT8, INT4")
    if len(t.shape) != rank:
        raise Refused(f"shape of the weights, {t}", shape_text(t.shape), f"{rank} dimensions")
    context.check_plain(t)
    scales = context.scales(t)
    if len(scales) > 1 and (t.axis != per_channel_axis or len(scales) != channels):
        raise Refused(
            f"scales of the weights, {t}",
            f"{len(scales)} along dimension {t.axis}",
            f"one, or {channels} along dimension {per_channel_axis}",
        )
    zeros = t.zero_point
    limit = "the same -128 to 127 for all channels" if any_zero_point else "0"
    if any(z != zeros[0] for z in zeros) or not -128 <= zeros[0] <= 127 or (zeros[0] != 0 and not any_zero_point):
        raise Refused(f"zero point of the weights, {t}", int(next((z for z in zeros if z != 0), 0)), limit)
    context.store(math.prod(t.shape))
    return unpacked(t) if t.type == "INT4" else t.data, scales, int(zeros[0])


def unpacked(t: Tensor) -> np.ndarray:
    """int8 of INT4, the lower half of a byte first."""
    halves = np.empty(2 * t.data.size, np.int8)
    halves[0::2], halves[1::2] = t.data << 4, t.data & 0xF0
    return (halves >> 4)[: math.prod(t.shape)].reshape(t.shape)


def bias(context: Context, t: Tensor | None, channels: int) -> dict:
    if t is None:
        return {}
    if not t.constant or t.type != "INT32" or t.data is None:
        raise Refused(f"bias, {t}", t.type if t.constant else "computed by the network", "a constant INT32")
    if t.data.size != channels:
        raise Refused(f"shape of the bias, {t}", shape_text(t.shape), f"[{channels}]")
    if any(z != 0 for z in t.zero_point):
        raise Refused(f"zero point of the bias, {t}", int(t.zero_point[t.zero_point != 0][0]), "0")
    context.store(t.data.nbytes)
    return {"bias": np.ascontiguousarray(t.data.reshape(-1))}


# ---- layers with weights ------------------------------------------------------------------------------------------------------


def conv_2d(context: Context, op: Operator) -> None:
    x, w, b = operands(op, 2, 3)
    options = Options(op, "Conv2DOptions")
    channels = op.outputs[0].shape[-1] if op.outputs[0].shape else 0
    source, extra = context.padded(x)
    data, scales, _ = weights(context, w, 4, 0, channels)
    n, _, _, depth = image(source)
    out, kh, kw, inner = data.shape
    if inner == 0 or depth % inner or out % (depth // inner):
        raise Refused(
            f"shape of the weights, {w}",
            shape_text(w.shape),
            f"[outputs, height, width, inputs per group] for {depth} input channels",
        )
    keys, size = window(op, options, source, (kh, kw), extra)
    expect_shape(op.outputs[0], (n, *size, out))
    groups = depth // inner
    context.add(
        op,
        "conv2d",
        [source],
        tensors={"weight": data, "weight_scale": scales, **bias(context, b, out)},
        out_channels=out,
        **keys,
        **({"groups": groups} if groups > 1 else {}),
        **options.activation(),
    )


def depthwise_conv_2d(context: Context, op: Operator) -> None:
    x, w, b = operands(op, 2, 3)
    options = Options(op, "DepthwiseConv2DOptions")
    source, extra = context.padded(x)
    n, _, _, depth = image(source)
    channels = w.shape[-1] if w.shape else 0
    data, scales, _ = weights(context, w, 4, 3, channels)
    one, kh, kw, out = data.shape
    if one != 1 or out % depth:
        raise Refused(
            f"shape of the weights, {w}", shape_text(w.shape), f"[1, height, width, a multiple of {depth} channels]"
        )
    multiplier = options("depth_multiplier", 0)
    if multiplier not in (0, out // depth):  # newer converters leave it out
        raise Refused("depth_multiplier", multiplier, f"{out // depth}, which is what the shapes say")
    keys, size = window(op, options, source, (kh, kw), extra)
    expect_shape(op.outputs[0], (n, *size, out))
    context.add(
        op,
        "conv2d",
        [source],
        tensors={
            "weight": np.ascontiguousarray(data.transpose(3, 1, 2, 0)),
            "weight_scale": scales,
            **bias(context, b, out),
        },
        out_channels=out,
        **keys,
        groups=depth,
        **options.activation(),
    )


def fully_connected(context: Context, op: Operator) -> None:
    x, w, b = operands(op, 2, 3)
    options = Options(op, "FullyConnectedOptions")
    if options("weights_format", 0) != 0:
        raise Refused("weights_format", options("weights_format", 0), "DEFAULT (0)")
    channels = w.shape[0] if w.shape else 0
    data, scales, zero_point = weights(context, w, 2, 0, channels, any_zero_point=True)
    out, inner = data.shape
    if w.type == "INT4" and len(scales) > 1:
        raise Refused(f"scales of the INT4 weights, {w}", len(scales), "one (the reference kernels have no more)")
    elements = math.prod(x.shape)
    if inner == 0 or elements % inner:
        raise Refused(f"shape of {x}", shape_text(x.shape), f"a multiple of {inner} elements, as the weights have it")
    rows = elements // inner
    if options("keep_num_dims", False):
        expect_shape(op.outputs[0], (*x.shape[:-1], out))
    elif math.prod(op.outputs[0].shape) != rows * out:
        expect_shape(op.outputs[0], (rows, out))
    weight = {"weight": {"zero_point": zero_point}} if zero_point else {}
    arguments = dict(out_channels=out, **weight, **options.activation())
    numbers = {"weight": data, "weight_scale": scales, **bias(context, b, out)}
    # `dense` takes an image as one row, and makes [images, 1, ..., 1, outputs].
    one_row = len(x.shape) >= 2 and x.shape[0] == rows
    made = (rows, *(1,) * (len(x.shape) - 2), out) if one_row else (rows, out)
    source = context.name(x) if one_row else context.view(x, (rows, inner))
    context.add(op, "dense", [source], made=made, tensors=numbers, **arguments)


# ---- others --------------------------------------------------------------------------------------------------------------------


def pair(kind: str, option_table: str) -> Callable[[Context, Operator], None]:
    """Two tensors of one shape, or one with one pixel for each channel of the other; or one and a constant."""

    def convert(context: Context, op: Operator) -> None:
        a, b = operands(op, 2)
        activation = Options(op, option_table).activation()
        constant = a if a.constant else b if b.constant else None
        large = b if a.constant or math.prod(b.shape) > math.prod(a.shape) else a
        expect_shape(op.outputs[0], large.shape)
        if a.constant and b.constant:
            raise Refused("operands", "two constants", "one that the network computes, at least")
        results = tables.pair(kind, context.quantization(a), context.quantization(b), context.quantization(op.outputs[0]), activation.get("activation", ""))
        if constant is not None and (constant.type != "INT8" or constant.data is None):
            raise Refused(f"type of {constant}", constant.type, "INT8")
        if constant is not None and constant.data.size == 1:
            number, every = constant.data.reshape(-1).astype(np.int64), tables.every_byte(context.quantization(large))
            context.add(op, "table", [large], tensors={"table": results(*((number, every) if constant is a else (every, number)))})
            return
        layers = _Layers(context, op, None if constant is None else context.quantization(constant))
        if constant is not None:
            if kind == "mul":
                _times_constant(context, op, layers, large, constant, activation)
                return
            names = [_constant(context, layers, large, t) if t is constant else context.name(t) for t in (a, b)]
        elif a.shape == b.shape:
            found = context.workload.common_root(context.name(a), context.name(b))
            if found is not None:  # functions of one byte, such as x * LOGISTIC(x)
                values = [bytes_of if context.quantization(t).type == "uint8" else bytes_of.view(np.int8) for t, bytes_of in zip((a, b), found[1:])]
                context.add(op, "table", [found[0]], tensors={"table": results(*(v.astype(np.int64) for v in values))})
                return
            names = [context.name(a), context.name(b)]
        else:
            small = b if large is a else a
            if len(large.shape) != 4 or small.shape != (large.shape[0], 1, 1, large.shape[3]):
                shapes = f"{shape_text(a.shape)} and {shape_text(b.shape)}"
                raise Refused("shapes", shapes, "two of one shape, or one with one pixel for each channel of the other")
            spread = layers.view(pixels.repeated(layers, context.name(small), small.shape, *large.shape[1:3]), large.shape)
            names = [spread if t is small else context.name(t) for t in (a, b)]
        context.add(op, kind, names, **activation)

    return convert


def _rows_of(large: Tensor, constant: Tensor) -> tuple[int, int]:
    """Of a constant that repeats: how often, and its length."""
    shape = constant.shape[next((i for i, n in enumerate(constant.shape) if n != 1), len(constant.shape)) :]
    if len(shape) > len(large.shape) or large.shape[len(large.shape) - len(shape) :] != shape:
        raise Refused(f"shape of {constant}", shape_text(constant.shape), f"one number, or the last dimensions of {shape_text(large.shape)}")
    return math.prod(large.shape) // math.prod(shape), math.prod(shape)


def _times_constant(context: Context, op: Operator, layers: "_Layers", large: Tensor, constant: Tensor, activation: dict) -> None:
    """A depthwise convolution of 1x1, which multiplies and rounds as MUL does."""
    count, size = _rows_of(large, constant)
    qa, qb, qy = (context.quantization(t) for t in (large, constant, op.outputs[0]))
    multiplier, shift = quantize_multiplier(qa.scale * qb.scale / qy.scale)
    if not -31 <= shift <= 30:
        raise Refused("scales", f"{qa.scale * qb.scale / qy.scale:.9g}", "a product of them, divided by the output's, that a multiplier can say")
    tensors = {"weight": np.ascontiguousarray(constant.data.reshape(size, 1, 1, 1)), "multiplier": np.full(size, multiplier, np.int32),
               "shift": np.full(size, shift, np.int32)}  # fmt: skip
    source = layers.view(context.name(large), (1, count, 1, size))
    for array in tensors.values():
        context.store(array.nbytes)
    weight = {"weight": {"zero_point": qb.zero_point}} if qb.zero_point else {}
    context.add(op, "conv2d", [source], made=(1, count, 1, size), tensors=tensors, out_channels=size, kernel=[1, 1], stride=[1, 1], padding=[0] * 4,
                **({"groups": size} if size > 1 else {}), **weight, **activation)  # fmt: skip


def _constant(context: Context, layers: "_Layers", large: Tensor, constant: Tensor) -> str:
    """A tensor of a constant's elements, as often as another has them: biases of a convolution whose weights are zeros."""
    count, size = _rows_of(large, constant)
    q = context.quantization(constant)
    tensors = {"weight": np.zeros((size, 1, 1, 1), np.int8), "bias": constant.data.reshape(-1).astype(np.int32) - q.zero_point,
               "multiplier": np.full(size, 1 << 30, np.int32), "shift": np.ones(size, np.int32)}  # fmt: skip
    shape = (1, count, 1, size)
    made = layers.layer("constant", "conv2d", layers.view(context.name(large), shape), shape, tensors, out_channels=size, kernel=[1, 1], stride=[1, 1],
                        padding=[0] * 4, **({"groups": size} if size > 1 else {}))  # fmt: skip
    return layers.view(made, large.shape)


def pool(kind: str) -> Callable[[Context, Operator], None]:
    def translate(context: Context, op: Operator) -> None:
        (x,) = operands(op, 1)
        options = Options(op, "Pool2DOptions")
        keys, size = window(
            op, options, x, (options.positive("filter_height", 0), options.positive("filter_width", 0)), dilated=False
        )
        expect_shape(op.outputs[0], (x.shape[0], *size, x.shape[3]))
        same_quantization(context, x, op.outputs[0])
        context.add(op, kind, [x], keeps=True, **keys, **options.activation())

    return translate


def mean(context: Context, op: Operator) -> None:
    x, axes = operands(op, 2)
    n, _, _, c = image(x)
    if not axes.constant or axes.type != "INT32" or axes.data is None:
        raise Refused(f"axes, {axes}", axes.type if axes.constant else "computed by the network", "a constant INT32")
    found = sorted({int(a) + (4 if a < 0 else 0) for a in axes.data.reshape(-1)})
    if found != [1, 2]:
        raise Refused("axes", found, "[1, 2], height and width")
    kept = Options(op, "ReducerOptions")("keep_dims", False)
    expect_shape(op.outputs[0], (n, 1, 1, c) if kept else (n, c))
    context.add(op, "global_avg_pool", [x], made=(n, 1, 1, c))


def concatenation(context: Context, op: Operator) -> None:
    out = op.outputs[0]
    found = operands(op, max(len(op.inputs), 1))
    options = Options(op, "ConcatenationOptions")
    rank = len(out.shape)
    axis = options("axis", 0)
    if options.choice("fused_activation_function", ACTIVATIONS) != "NONE":
        raise Refused("fused_activation_function", options.choice("fused_activation_function", ACTIVATIONS), "NONE")
    if not 1 <= rank <= 5 or not -rank <= axis < rank:
        raise Refused("axis", axis, "a dimension of 1 to 5")
    axis %= rank
    for x in found:
        if x.constant or len(x.shape) != rank or any(x.shape[d] != out.shape[d] for d in range(rank) if d != axis):
            raise Refused(f"{x}", "a constant" if x.constant else shape_text(x.shape), f"a computed tensor, as the output but for the dimension {axis}")
        same_quantization(context, x, out)
    expect_shape(out, (*out.shape[:axis], sum(x.shape[axis] for x in found), *out.shape[axis + 1 :]))
    layers = _Layers(context, op)
    outer = tuple(out.shape[:3]) if rank == 4 and axis == 3 else (math.prod(out.shape[:axis]), 1, 1)
    made = context.name(found[0])
    if len(found) > 1:
        made = pixels.concatenated(layers, [context.name(x) for x in found], outer, [math.prod(x.shape[axis:]) for x in found])
    layers.end(made, f"{len(found)} convolutions with ones and zeros and their sum")


class _Layers:
    """pixels.Maker: the layers of one operator, of which the last is a view of the shape that the file gives its output."""

    def __init__(self, context: Context, op: Operator, q: Quantization | None = None):
        """`q`: of what the layers make, where that is another than the output's."""
        self._context, self._op = context, op
        self._q, self._name = q or context.quantization(op.outputs[0]), readable(op.outputs[0])
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._by_parts = False

    def view(self, t: str, shape: tuple[int, ...]) -> str:
        if self._shapes.get(t) == shape:
            return t
        return self._add("view", "reshape", [t], shape, None, {}, shape=list(shape))

    def layer(self, name: str, kind: str, t: str, shape: tuple[int, ...], tensors: dict, **keys) -> str:
        return self._add(name, kind, [t], shape, None if kind == "max_pool" else self._q, tensors, **keys)

    def part(self, name: str, t: str, shape: tuple[int, ...], which: np.ndarray) -> str | None:
        source = next((one for one in self._op.inputs if one is not None and self._context.names.get(one) == t), None)
        if source is None or self._context.is_output(source) or any(reader.type not in PICKERS for reader in source.read_by):
            return None
        made = self._context.workload.part(t, which, f"{self._name}.{name}")
        if made is None:
            return None
        self._context.store(made[1])
        self._shapes[made[0]] = shape
        self._by_parts = True
        return made[0]

    def sum(self, name: str, a: str, b: str, shape: tuple[int, ...]) -> str:
        return self._add(name, "add", [a, b], shape, self._q, {})

    def _add(self, name: str, kind: str, inputs: list[str], made: tuple[int, ...], q, tensors: dict, **keys) -> str:
        if max(made) > MOST_LENGTH:
            raise Refused("shape of its layers", shape_text(made), f"at most {MOST_LENGTH} along a dimension")
        for array in tensors.values():
            self._context.store(array.nbytes)
        layer = self._context.workload.layer(f"{self._name}.{name}", kind, inputs, q, tensors, **keys)
        self._shapes[layer] = made
        return layer

    def end(self, made: str, how: str, by_parts: str = "") -> None:
        """`by_parts`: how, if channels are taken by layers of fewer filters. No words: there is nothing to tell."""
        self._context.add(self._op, "reshape", [made], keeps=True, shape=list(self._op.outputs[0].shape))
        name = self._context.names[self._op.outputs[0]]
        how = by_parts if self._by_parts else how
        if not how:
            return
        self._context.workload.notes.append(f"layer `{name}`: {self._op.type}, as {how}: the machine has no operator for it")


def resize_nearest(context: Context, op: Operator) -> None:
    x, size = operands(op, 2)
    out = op.outputs[0]
    options = Options(op, "ResizeNearestNeighborOptions")
    corners, centers = options("align_corners", False), options("half_pixel_centers", False)
    n, height, width, depth = image(x)
    if not size.constant or size.type != "INT32" or size.data is None or size.data.size != 2:
        raise Refused(f"size, {size}", f"{size.type} {shape_text(size.shape)}" if size.constant else "computed by the network", "a constant INT32 [2]")
    wanted = [int(v) for v in size.data.reshape(-1)]
    if min(wanted) < 1 or max(wanted) > MOST_LENGTH:
        raise Refused("size", wanted, f"1 to {MOST_LENGTH}")
    expect_shape(out, (n, *wanted, depth))
    same_quantization(context, x, out)
    places = [nearest_places(length, made, corners, centers) for length, made in zip((height, width), wanted)]
    layers = _Layers(context, op)
    layers.end(pixels.nearest(layers, context.name(x), x.shape, *places), "windows that repeat pixels")


def nearest_places(length: int, made: int, corners: bool, centers: bool) -> np.ndarray:
    """For each place of a dimension that which the kernel takes; it computes in float32."""
    f32 = np.float32
    scale = f32(length - 1) / f32(made - 1) if corners and made > 1 else f32(length) / f32(made)
    real = (np.arange(made, dtype=f32) + f32(0.5 if centers else 0)) * scale
    whole = np.floor(real + f32(0.5)) if corners else np.floor(real)  # of numbers of 0 or more, half away from zero
    return np.minimum(whole.astype(np.int64), length - 1)


def resize_bilinear(context: Context, op: Operator) -> None:
    """Sums are those of the kernel if factors are powers of two; they are rounded as the kernel rounds if the zero point is part of them, and all are even
    before the multiplier of 1/2."""
    x, size = operands(op, 2)
    out, options = op.outputs[0], Options(op, "ResizeBilinearOptions")
    centers = options("half_pixel_centers", False)
    if options("align_corners", False):
        raise Refused("align_corners", True, "False: otherwise weights differ from pixel to pixel")
    n, height, width, depth = image(x)
    wanted = numbers(size, "size", 2)
    if min(wanted) < 1 or max(wanted) > MOST_LENGTH:
        raise Refused("size", wanted, f"1 to {MOST_LENGTH}")
    expect_shape(out, (n, *wanted, depth))
    same_quantization(context, x, out)
    factors = [made // length if made % length == 0 else 0 for length, made in zip((height, width), wanted)]
    if any(f not in (1, 2, 4, 8) for f in factors):
        raise Refused("size", wanted, f"1, 2, 4 or 8 times {[height, width]}")
    layers, q = _Layers(context, op), context.quantization(out)
    made, shape = context.name(x), [n, height, width, depth]
    for d, s in ((1, factors[0]), (2, factors[1])):
        if s > 1:
            made = pixels.extended(layers, made, tuple(shape), d, [0] * centers, [shape[d] - 1])
            shape[d] += 1 + centers
    large = (n, shape[1] * factors[0], shape[2] * factors[1], depth)
    made = layers.view(pixels.repeated(layers, layers.view(made, tuple(shape)), tuple(shape), *factors), large)
    weight = 2 * np.outer(*(pixels.interpolating(s, centers) for s in factors))
    total = int(weight.sum())
    tensors = {
        "weight": np.ascontiguousarray(np.broadcast_to(weight, (depth, *weight.shape))[..., None], np.int8),
        "bias": np.full(depth, total * q.zero_point, np.int32),
        "multiplier": np.full(depth, 1 << 30, np.int32), "shift": np.full(depth, 1 - (total.bit_length() - 1), np.int32),
    }  # fmt: skip
    plain = _Layers(context, op, Quantization("int8", q.scale, 0))
    made = plain.layer("mixed", "conv2d", made, out.shape, tensors, out_channels=depth, kernel=list(weight.shape), stride=[1, 1], padding=[0] * 4,
                       **({"groups": depth} if depth > 1 else {}))  # fmt: skip
    made = layers.layer("bytes", "table", made, out.shape, {"table": np.arange(256, dtype=np.uint8)})
    layers.end(made, "windows that repeat pixels and one that mixes them")


def transpose_conv(context: Context, op: Operator) -> None:
    size, w, x, b = operands(op, 3, 4)
    out = op.outputs[0]
    options = Options(op, "TransposeConvOptions")
    if not size.constant or size.type != "INT32" or size.data is None or size.data.size != 4:
        raise Refused(f"output shape, {size}", f"{size.type} {shape_text(size.shape)}" if size.constant else "computed by the network", "a constant INT32 [4]")
    n, height, width, depth = image(x)
    channels = w.shape[0] if w.shape else 0
    data, scales, _ = weights(context, w, 4, 0, channels)
    if w.type != "INT8":
        raise Refused(f"type of the weights, {w}", w.type, "INT8 (the reference kernel has no other)")
    outputs, kh, kw, inner = data.shape
    if inner != depth or data.size == 0:
        raise Refused(f"shape of the weights, {w}", shape_text(w.shape), f"[outputs, height, width, {depth}]")
    wanted = [int(v) for v in size.data.reshape(-1)]
    expect_shape(out, wanted)
    if wanted[0] != n or wanted[3] != outputs:
        raise Refused("output shape", wanted, f"{n} images, {outputs} channels")
    stride, pads = transposed_window(options, wanted[1:3], (kh, kw))
    given = bias(context, b, outputs)
    activation = options.activation()
    layers = _Layers(context, op)

    def convolution(t: str, shape, weight: np.ndarray, times: int, keys: dict) -> str:
        tensors = {"weight": weight, "weight_scale": np.tile(scales, times) if scales.size > 1 else scales}
        tensors |= {name: np.tile(array, times) for name, array in given.items()}
        return layers.layer("lines", "conv2d", t, shape, tensors, **keys, **activation)

    layers.end(
        pixels.transposed(layers, context.name(x), x.shape, data, 0, stride, pads, wanted[1:3], convolution), "convolutions whose lines are interleaved"
    )


def transposed_window(options: Options, made: list[int], kernel: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Strides, and lines and columns that a transposed convolution to the height and width `made` leaves out before its result."""
    stride = [options.positive("stride_h", 0), options.positive("stride_w", 0)]
    padding = options.choice("padding", PADDINGS)
    if padding not in PADDINGS:
        raise Refused("padding", padding, "SAME, VALID")
    pads = []
    for length, k, s in zip(made, kernel, stride):
        count = -(-length // s) if padding == "SAME" else (length - k + s) // s
        pads.append(max((count - 1) * s + k - length, 0) // 2)
    return stride, pads


def depth_to_space(context: Context, op: Operator) -> None:
    (x,) = operands(op, 1)
    n, height, width, depth = image(x)
    block = Options(op, "DepthToSpaceOptions").positive("block_size", 0)
    if block > pixels.MOST_WINDOW or depth % (block * block):
        raise Refused("block_size", block, f"one whose square divides {depth} channels, at most {pixels.MOST_WINDOW}")
    expect_shape(op.outputs[0], (n, height * block, width * block, depth // (block * block)))
    same_quantization(context, x, op.outputs[0])
    layers = _Layers(context, op)
    order = np.arange(depth).reshape(block, block, -1)
    made = pixels.depth_to_space(layers, context.name(x), x.shape, order)
    layers.end(made, "convolutions with ones and zeros and their sum", "parts of the layer before it, whose lines are interleaved")


def space_to_depth(context: Context, op: Operator) -> None:
    (x,) = operands(op, 1)
    n, height, width, depth = image(x)
    block = Options(op, "SpaceToDepthOptions").positive("block_size", 0)
    if block > pixels.MOST_WINDOW or height % block or width % block:
        raise Refused("block_size", block, f"one that divides height and width, {height} and {width}, at most {pixels.MOST_WINDOW}")
    expect_shape(op.outputs[0], (n, height // block, width // block, depth * block * block))
    same_quantization(context, x, op.outputs[0])
    layers = _Layers(context, op)
    layers.end(pixels.space_to_depth(layers, context.name(x), x.shape, block), "a convolution with ones and zeros")


def reshape(context: Context, op: Operator) -> None:
    (x, *_) = operands(op, 1, 2)  # the second is the new shape, which the output's tells as well
    out = op.outputs[0]
    if math.prod(x.shape) != math.prod(out.shape):
        raise Refused(f"shape of {out}", shape_text(out.shape), f"the {math.prod(x.shape)} elements of the input")
    same_quantization(context, x, out)
    context.add(op, "reshape", [x], keeps=True, shape=list(out.shape) or [1])


def pad(context: Context, op: Operator) -> None:
    """Becomes the padding of the convolutions that read it; where something else does, a convolution of its own."""
    x, amounts, *value = operands(op, 2, 3)
    out = op.outputs[0]
    shape = image(x)
    if (
        not amounts.constant
        or amounts.type not in ("INT32", "INT64")
        or amounts.data is None
        or amounts.shape != (4, 2)
    ):
        raise Refused(f"paddings, {amounts}", f"{amounts.type} {shape_text(amounts.shape)}", "a constant INT32 [4, 2]")
    pads = [[int(p) for p in row] for row in amounts.data]
    if (
        pads[0] != [0, 0]
        or pads[3] != [0, 0]
        or min(min(row) for row in pads) < 0
        or max(max(row) for row in pads) > 1 << 20
    ):
        raise Refused("paddings", pads, "0 or more pixels around height and width")
    expect_shape(out, [n + first + last for n, (first, last) in zip(shape, pads)])
    same_quantization(context, x, out)
    if value[0] is not None:
        filler = value[0]
        same_quantization(context, x, filler)
        if (
            filler.data is None
            or filler.type != "INT8"
            or filler.data.size != 1
            or int(filler.data.reshape(-1)[0]) != context.quantization(x).zero_point
        ):
            raise Refused(f"value, {filler}", "another number", f"the zero point, {context.quantization(x).zero_point}")
    padding = pads[1][0], pads[2][0], pads[1][1], pads[2][1]
    if out.read_by and not context.is_output(out) and all(reader.type in ("CONV_2D", "DEPTHWISE_CONV_2D") for reader in out.read_by):
        context.fold_padding(out, x, padding)
        return
    if max(padding) > pixels.MOST_WINDOW:
        raise Refused("paddings", pads, f"at most {pixels.MOST_WINDOW} pixels on a side, or CONV_2D and DEPTHWISE_CONV_2D as the only readers")
    layers, depth = _Layers(context, op), shape[3]
    tensors = {"weight": np.ones((depth, 1, 1, 1), np.int8), "weight_scale": pixels.ONE}
    made = layers.layer("padded", "conv2d", context.name(x), out.shape, tensors, out_channels=depth, kernel=[1, 1], stride=[1, 1], padding=list(padding),
                        **({"groups": depth} if depth > 1 else {}))  # fmt: skip
    layers.end(made, "a convolution with ones")


def mirror_pad(context: Context, op: Operator) -> None:
    x, amounts = operands(op, 2)
    n, height, width, depth = image(x)
    pads = numbers(amounts, "paddings", 8)
    mode = Options(op, "MirrorPadOptions").choice("mode", ["REFLECT", "SYMMETRIC"])
    if mode not in ("REFLECT", "SYMMETRIC"):
        raise Refused("mode", mode, "REFLECT, SYMMETRIC")
    if any(pads[:2] + pads[6:]) or min(pads) < 0:
        raise Refused("paddings", pads, "0 or more pixels around height and width")
    expect_shape(op.outputs[0], (n, height + pads[2] + pads[3], width + pads[4] + pads[5], depth))
    same_quantization(context, x, op.outputs[0])
    layers = _Layers(context, op)
    made = pixels.mirrored(layers, context.name(x), x.shape, mode.lower(), [pads[2], pads[4], pads[3], pads[5]])
    layers.end(made, "convolutions with ones and zeros and their sums")


def numbers(t: Tensor, what: str, count: int | None) -> list[int]:
    """Of a constant operand. `count` None: any."""
    if not t.constant or t.type not in ("INT32", "INT64") or t.data is None or count not in (None, t.data.size):
        state = f"{t.type} {shape_text(t.shape)}" if t.constant else "computed by the network"
        raise Refused(f"{what}, {t}", state, "a constant INT32" + ("" if count is None else f" of {count} numbers"))
    return [int(v) for v in t.data.reshape(-1)]


def _pick(context: Context, op: Operator, x: Tensor, which: list[range]) -> None:
    """Those places of each dimension."""
    out, rank = op.outputs[0], len(x.shape)
    if not 2 <= rank <= 4:
        raise Refused(f"shape of {x}", shape_text(x.shape), "2 to 4 dimensions")
    if any(len(one) == 0 for one in which):
        raise Refused("elements", "none", "one or more")
    expect_shape(out, [len(one) for one in which])
    same_quantization(context, x, out)
    if which[0] != range(x.shape[0]) or any(one.step < 1 for one in which[:-1]):
        raise Refused("places", ", ".join(map(str, which)), "all images, and steps above 0 but for the last dimension")
    inner = [range(1)] * (4 - rank) + list(which[1:])
    layers, shape = _Layers(context, op), (x.shape[0], *(1,) * (4 - rank), *x.shape[1:])
    made = layers.view(context.name(x), shape) if rank < 4 else context.name(x)
    if [list(one) for one in inner[:2]] != [list(range(n)) for n in shape[1:3]]:
        made = pixels.picked(layers, made, shape, np.array(inner[0]), np.array(inner[1]))
    if inner[2] != range(shape[3]):
        made = pixels.selected(layers, made, (shape[0], len(inner[0]), len(inner[1]), shape[3]), np.array(inner[2]))
    layers.end(made, "a convolution with ones and zeros")


def slices(context: Context, op: Operator) -> None:
    _pick(context, op, *slice_places(op))


def slice_places(op: Operator) -> tuple[Tensor, list[range]]:
    """What a SLICE slices, and the places of each dimension that it takes."""
    x, begin, size = operands(op, 3)
    rank = len(x.shape)
    begins, sizes = numbers(begin, "begin", rank), numbers(size, "size", rank)
    ends = [n if length == -1 else first + length for n, first, length in zip(x.shape, begins, sizes)]
    if any(not 0 <= first < end <= n for n, first, end in zip(x.shape, begins, ends)):
        raise Refused("begin, size", [begins, sizes], f"places within {shape_text(x.shape)}")
    return x, [range(first, end) for first, end in zip(begins, ends)]


def strided_slice(context: Context, op: Operator) -> None:
    x, which, _ = strided_places(op, ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset"))
    _pick(context, op, x, which)


def strided_places(op: Operator, refused: tuple[str, ...]) -> tuple[Tensor, list[range], list[int]]:
    """What a STRIDED_SLICE slices, the places of each dimension that it takes, and the dimensions that are left out of its result. `refused`: options that
    must be 0."""
    x, *given = operands(op, 4)
    options = Options(op, "StridedSliceOptions")
    for name in refused:
        if options(name, 0):
            raise Refused(name, options(name, 0), "0")
    rank, shrunk = len(x.shape), options("shrink_axis_mask", 0)
    begins, ends, steps = (numbers(t, name, rank) for t, name in zip(given, ("begin", "end", "strides")))
    if 0 in steps:
        raise Refused("strides", steps, "other than 0")
    which = []
    for d, n in enumerate(x.shape):
        if shrunk >> d & 1:
            if not -n <= begins[d] < n:
                raise Refused("begin", begins, f"places within {shape_text(x.shape)}")
            which.append(range(begins[d] % n, begins[d] % n + 1))
            continue
        first = None if options("begin_mask", 0) >> d & 1 else begins[d]
        last = None if options("end_mask", 0) >> d & 1 else ends[d]
        which.append(range(n)[first : last : steps[d]])
    return x, which, [d for d in range(rank) if shrunk >> d & 1]


def split(context: Context, op: Operator) -> None:
    x, dimension, lengths = split_lengths(op)
    begin = 0
    for out, part in zip(op.outputs, lengths):
        which = [range(begin, begin + part) if d == dimension else range(n) for d, n in enumerate(x.shape)]
        _pick(context, replace(op, outputs=[out]), x, which)
        begin += part


def split_lengths(op: Operator) -> tuple[Tensor, int, list[int]]:
    """What is split, along which dimension, into which lengths. SPLIT: axis and tensor. SPLIT_V: tensor, lengths and axis."""
    by_length = op.type == "SPLIT_V"
    if len(op.inputs) != (3 if by_length else 2) or any(t is None for t in op.inputs) or not op.outputs:
        raise Refused("operands", f"{len(op.inputs)} in, {len(op.outputs)} out", f"{3 if by_length else 2} in, 1 or more out")
    x, axis = (op.inputs[0], op.inputs[2]) if by_length else (op.inputs[1], op.inputs[0])
    for t in [x, *op.outputs]:
        check_size(t)
    rank, parts = len(x.shape), len(op.outputs)
    (dimension,) = numbers(axis, "axis", 1)
    if not -rank <= dimension < rank:
        raise Refused("axis", dimension, f"{-rank} to {rank - 1}")
    dimension %= rank
    length = x.shape[dimension]
    lengths = numbers(op.inputs[1], "lengths", parts) if by_length else [length // parts] * parts
    if lengths.count(-1) == 1:
        lengths[lengths.index(-1)] = length - sum(lengths) - 1
    if sum(lengths) != length or min(lengths) < 1:
        raise Refused("lengths", lengths, f"{parts} of 1 or more that come to {length}")
    return x, dimension, lengths


def quantize(context: Context, op: Operator) -> None:
    """From float32 it is the edge of the network: the workload begins behind it."""
    (x,) = operands(op, 1)
    out = op.outputs[0]
    expect_shape(out, x.shape)
    if x.type == "FLOAT32":
        if not context.is_input(x):
            raise Refused(f"type of {x}", "FLOAT32, computed by the network", "INT8, or a FLOAT32 input of the model")
        context.begin_behind(out)
    else:
        table(tables.requantized)(context, op)


def dequantize(context: Context, op: Operator) -> None:
    """The other edge: the workload ends before it."""
    (x,) = operands(op, 1)
    out = op.outputs[0]
    if not context.is_output(out) or out.read_by or out.type != "FLOAT32" or x.constant:
        raise Refused(f"{out}", "read by the network", "a FLOAT32 output of the model, of a computed INT8 tensor")
    context.quantization(x)
    context.end_before(out, x)


def table(recipe: Callable) -> Callable[[Context, Operator], None]:
    """A function of one value. `recipe` gives its 256 bytes for the quantizations of input and output."""

    def translate(context: Context, op: Operator) -> None:
        (x,) = operands(op, 1)
        out = op.outputs[0]
        expect_shape(out, x.shape)
        context.add(op, "table", [x], tensors={"table": recipe(context.quantization(x), context.quantization(out))})

    return translate


def with_output(recipe: Callable, scale: float, zero_point: int) -> Callable:
    """For kernels whose output has one scale and zero point and no other."""

    def fixed(source, target):
        if (target.scale, target.zero_point, target.type) != (scale, zero_point, "int8"):
            raise Refused(
                "quantization of the output",
                f"{target.type}, scale {target.scale:.9g}, zero point {target.zero_point}",
                f"int8, scale {scale}, zero point {zero_point}",
            )
        return recipe(source, target)

    return fixed


# ---- numbers that the file computes of shapes -------------------------------------------------------------------------------------


def left_by_folding(operators: Sequence[Operator], found: Findings) -> list[Operator]:
    """The operators that are no constants, see fold(), in their order. What is wrong with one that is goes to `found`."""
    folded: set[int] = set()
    for op in operators:
        found.attempt(str(op), lambda op=op: folded.add(op.index) if fold(op) else None)
    return [op for op in operators if op.index not in folded]


def fold(op: Operator) -> bool:
    """Makes a constant of what is computed of shapes and constants alone, such as the output shape that a TRANSPOSE_CONV takes of a model whose number of
    images is open. Whether it is one."""
    plain = [t for t in op.inputs if t is not None]
    of_numbers = plain and all(t.constant and t.data is not None and t.type in NUMBERS for t in plain)
    if op.type not in FOLDED or len(op.outputs) != 1 or op.outputs[0].type not in NUMBERS or not (of_numbers or (op.type == "SHAPE" and plain)):
        return False
    out = op.outputs[0]
    try:
        made = np.asarray(FOLDED[op.type](op, *([np.array(plain[0].shape)] if op.type == "SHAPE" else [t.data for t in plain])))
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise Refused("operands", f"wrong: {error}", f"constants that {op.type} takes") from None
    if made.size > 1 << 16:
        raise Refused("result", f"{made.size} elements", "at most 65536")
    expect_shape(out, made.shape)
    out.data, out.constant = made.astype(NUMBERS[out.type]), True
    for t in plain:
        t.read_by = [reader for reader in t.read_by if reader is not op]
    return True


def _strided(op: Operator, data: np.ndarray, begin: np.ndarray, end: np.ndarray, step: np.ndarray) -> np.ndarray:
    options = Options(op, "StridedSliceOptions")
    masks = {name: options(f"{name}_mask", 0) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if masks["ellipsis"] or masks["new_axis"] or options("offset", False):
        raise ValueError("ellipsis_mask, new_axis_mask, offset")
    which: list[slice | int] = []
    for d, (first, last, by) in enumerate(zip(begin.reshape(-1), end.reshape(-1), step.reshape(-1), strict=True)):
        if masks["shrink_axis"] >> d & 1:
            which.append(int(first))
        else:
            which.append(slice(None if masks["begin"] >> d & 1 else int(first), None if masks["end"] >> d & 1 else int(last), int(by)))
    return data[tuple(which)]


NUMBERS = {"INT32": np.int32, "INT64": np.int64}
FOLDED: dict[str, Callable[..., np.ndarray]] = {
    "ADD": lambda op, a, b: a + b,
    "CAST": lambda op, a: a,
    "CONCATENATION": lambda op, *arrays: np.concatenate(arrays, Options(op, "ConcatenationOptions")("axis", 0)),
    "MUL": lambda op, a, b: a * b,
    "PACK": lambda op, *arrays: np.stack(arrays, Options(op, "PackOptions")("axis", 0)),
    "RESHAPE": lambda op, a, *_: a.reshape(op.outputs[0].shape),
    "SHAPE": lambda op, shape: shape,
    "STRIDED_SLICE": _strided,
    "SUB": lambda op, a, b: a - b,
}


def only_numbers(context: Context, op: Operator) -> None:
    t = next((t for t in op.inputs if t is not None and (not t.constant or t.type not in NUMBERS)), op.outputs[0] if op.outputs else None)
    raise Refused(f"{t}", f"{t.type}, computed" if t is not None and not t.constant else "no number", "constants and shapes, in INT32 and INT64")


def softmax(context: Context, op: Operator) -> None:
    (x,) = operands(op, 1)
    out = op.outputs[0]
    beta = Options(op, "SoftmaxOptions")("beta", 0.0)
    if not (math.isfinite(beta) and 0 < beta <= 1e6):
        raise Refused("beta", beta, "more than 0, at most 1e6")
    if not x.shape or x.shape[-1] > 4095:
        raise Refused(
            f"shape of {x}",
            shape_text(x.shape),
            "at most 4095 values in the innermost dimension, whose sum has 12 integer bits",
        )
    expect_shape(out, x.shape)
    context.must_end(op)
    real = beta * context.quantization(x).scale * (1 << 26)
    if not 1 < real < 1 << 30:
        raise Refused(f"scale of {x} times beta", f"{real / (1 << 26):.9g}", "more than 2^-26 and less than 16")
    multiplier, shift = quantize_multiplier(real)
    numbers = (
        {} if beta == 1 else {"multiplier": np.array([multiplier], np.int32), "shift": np.array([shift], np.int32)}
    )
    with_output(lambda *_: None, 1 / 256, -128)(context.quantization(x), context.quantization(out))
    context.add(op, "softmax", [x], tensors=numbers)


def arg_max(context: Context, op: Operator) -> None:
    x, axis = operands(op, 2)
    out = op.outputs[0]
    if not axis.constant or axis.data is None or axis.type not in ("INT32", "INT64") or axis.data.size != 1:
        raise Refused(f"axis, {axis}", axis.type if axis.constant else "computed by the network", "a constant INT32")
    value = int(axis.data.reshape(-1)[0])
    if not x.shape or value not in (-1, len(x.shape) - 1):
        raise Refused("axis", value, "the innermost dimension")
    if out.type != "INT32":
        raise Refused(f"type of {out}", out.type, "INT32")
    expect_shape(out, x.shape[:-1])
    context.must_end(op)
    context.add(op, "argmax", [x], integer=True)


def relu6(context: Context, op: Operator) -> None:
    """TensorFlow Lite Micro's kernel rescales nothing, TensorFlow Lite's does: with equal scales they agree."""
    (x,) = operands(op, 1)
    same_quantization(context, x, op.outputs[0])
    table(lambda a, b: tables.relu(a, b, (0.0, 6.0)))(context, op)


def leaky_relu(context: Context, op: Operator) -> None:
    alpha = Options(op, "LeakyReluOptions")("alpha", 0.0)
    if not (math.isfinite(alpha) and 0 <= alpha <= 1e6):
        raise Refused("alpha", alpha, "0 to 1e6")
    table(lambda a, b: tables.leaky_relu(a, b, alpha))(context, op)


def gelu(context: Context, op: Operator) -> None:
    approximate = Options(op, "GeluOptions")("approximate", False)
    function = tables.gelu_by_tanh if approximate else tables.gelu
    table(lambda a, b: tables.by_float(a, b, function))(context, op)


OF_NUMBERS = "nothing", "of shapes and INT32 or INT64 constants, as converters leave them where the number of images is open"
OPERATORS: dict[str, Row] = {
    "ADD": Row(
        pair("add", "AddOptions"), "`add`, or `table`",
        "two computed tensors of one shape, or one with one pixel for each channel of the other; or one and a constant: a number, or of the last "
        "dimensions; any fused activation"
    ),
    "ARG_MAX": Row(arg_max, "`argmax`, on the host", "over the innermost dimension, to INT32; at the end of a model"),
    "AVERAGE_POOL_2D": Row(
        pool("avg_pool"), "`avg_pool`", "any window, stride and padding; input and output with one scale and zero point"
    ),
    "CAST": Row(only_numbers, *OF_NUMBERS),
    "CONCATENATION": Row(
        concatenation, "`conv2d` with ones and zeros, `add`", "along any dimension of up to 5; inputs and output with one scale and zero point"
    ),
    "CONV_2D": Row(
        conv_2d,
        "`conv2d`",
        "constant INT8 or INT4 weights per tensor or per channel, INT32 bias or none; any window, stride, dilation, padding, groups",
    ),
    "DEPTHWISE_CONV_2D": Row(depthwise_conv_2d, "`conv2d`", "as CONV_2D; any depth multiplier"),
    "DEPTH_TO_SPACE": Row(depth_to_space, "`conv2d` with ones and zeros, `add`", "any block size"),
    "DEQUANTIZE": Row(
        dequantize, "nothing", "to FLOAT32 outputs of the model: the workload's output is its input, in INT8"
    ),
    "ELU": Row(table(lambda a, b: tables.by_float(a, b, tables.elu)), "`table`", "any scales"),
    "EXP": Row(table(lambda a, b: tables.by_float(a, b, np.exp)), "`table`", "any scales; LiteRT's kernel"),
    "EXPAND_DIMS": Row(reshape, "`reshape`", "up to 6 dimensions"),
    "FULLY_CONNECTED": Row(
        fully_connected,
        "`dense`",
        "constant INT8 weights per tensor (any zero point) or per channel, or INT4 weights per tensor; INT32 bias or none; any rank; keep_num_dims",
    ),
    "GELU": Row(gelu, "`table`", "any scales, approximate or not; LiteRT's kernel"),
    "HARD_SWISH": Row(table(tables.hard_swish), "`table`", "any scales"),
    "LEAKY_RELU": Row(leaky_relu, "`table`", "any scales; alpha of 0 or more"),
    "LOGISTIC": Row(
        table(with_output(tables.logistic, 1 / 256, -128)), "`table`", "output with scale 1/256 and zero point -128"
    ),
    "MAX_POOL_2D": Row(
        pool("max_pool"), "`max_pool`", "any window, stride and padding; input and output with one scale and zero point"
    ),
    "MEAN": Row(mean, "`global_avg_pool`", "over height and width; keep_dims or not"),
    "MIRROR_PAD": Row(mirror_pad, "`conv2d` with ones and zeros, `add`", "height and width, at most 64 pixels more along each; REFLECT, SYMMETRIC"),
    "MUL": Row(pair("mul", "MulOptions"), "`mul`, `table`, or `conv2d`", "as ADD"),
    "PAD": Row(pad, "padding of a `conv2d`", "height and width; where not only convolutions read it, a `conv2d` with ones"),
    "PACK": Row(only_numbers, *OF_NUMBERS),
    "PADV2": Row(pad, "padding of a `conv2d`", "as PAD, with the zero point as its value"),
    "QUANTIZE": Row(
        quantize,
        "`table`",
        "INT8 to INT8 or UINT8 and UINT8 to INT8, any scales; from FLOAT32 inputs of the model: the workload's input is its output",
    ),
    "RELU": Row(table(lambda a, b: tables.relu(a, b, (0.0, None))), "`table`", "any scales"),
    "RELU6": Row(relu6, "`table`", "input and output with one scale and zero point"),
    "RESIZE_BILINEAR": Row(
        resize_bilinear, "`max_pool` that repeats pixels, `conv2d`, `table`",
        "to 1, 2, 4 or 8 times the height and width, of at most 254 each; half_pixel_centers or not; no align_corners"
    ),
    "RESIZE_NEAREST_NEIGHBOR": Row(
        resize_nearest, "`max_pool` that repeats pixels, `conv2d` with ones",
        "to multiples of height and width, or fractions with even steps; align_corners and half_pixel_centers where each pixel stands as often as the others"
    ),
    "RESHAPE": Row(reshape, "`reshape`", "up to 6 dimensions; the shape that the file gives the output"),
    "SHAPE": Row(only_numbers, *OF_NUMBERS),
    "SLICE": Row(slices, "`conv2d` with ones and zeros", "of 2 to 4 dimensions, not of the images"),
    "SOFTMAX": Row(
        softmax,
        "`softmax`, on the host",
        "over the innermost dimension, up to 4,095 values; any beta; output with scale 1/256 and zero point -128",
    ),
    "SPACE_TO_DEPTH": Row(space_to_depth, "`conv2d` with ones and zeros", "any block size"),
    "SPLIT": Row(split, "as SLICE", "of 2 to 4 dimensions, not of the images"),
    "SPLIT_V": Row(split, "as SLICE", "as SPLIT"),
    "SQUEEZE": Row(reshape, "`reshape`", "up to 6 dimensions"),
    "STRIDED_SLICE": Row(strided_slice, "as SLICE", "as SLICE; steps above 0 but for the last dimension; no ellipsis_mask, new_axis_mask, shrink_axis_mask"),
    "SUB": Row(pair("sub", "SubOptions"), "`sub`, or `table`", "as ADD"),
    "TRANSPOSE_CONV": Row(
        transpose_conv, "`conv2d` for each line of a stride, `add`",
        "constant INT8 weights per tensor or per channel, INT32 bias or none; any window, stride, padding and output shape; any fused activation"
    ),
    "TANH": Row(table(with_output(tables.tanh, 1 / 128, 0)), "`table`", "output with scale 1/128 and zero point 0"),
}
