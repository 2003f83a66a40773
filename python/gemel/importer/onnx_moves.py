# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators that put elements elsewhere, and broadcasts, from layers that the machine has: convolutions whose weights are ones and zeros.

A weight of 1 with the scale 1 gives its input's byte unchanged, and what no weight reads gives the zero point, which is the real number 0. So a
selection of channels is a 1x1 convolution, a crop or a border is a depthwise one, and tensors put behind each other are the sum of two such, in each
element of which one operand is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import ort, pixels
from .layout import Layout
from .messages import Refused
from .onnx_context import Constant, Context, Operation, Tensor, made_image, operands, readable
from .workload import MOST_LENGTH, Quantization, shape_text

ORDERS = {2: (0, 1), 3: (0, 2, 1), 4: (0, 2, 3, 1)}  # rank -> dimensions as images lie in memory
PLACES = "images of 3 or 4 dimensions, or rows [N, F]"


def _part(c: Context, op: Operation, name: str, kind: str, inputs: list[Tensor], shape, layout: Layout, tensors: dict, q: Quantization, last: bool,
          **keys) -> Tensor:  # fmt: skip
    """A layer of several that make the operation's result. Only the last one's is a value of the model."""
    inner = op.output if last else f"{readable(op.output)}.{name}"
    before = c.values.get(inner)
    c.layer(Operation(op.node, [], inner, None if kind == "max_pool" else q), kind, inputs, shape, layout, tensors, **keys)
    made = c.values[inner]
    assert isinstance(made, Tensor)
    if op.target is None:
        made.open = inputs[0].open
    if not last:
        c.values[inner] = before
        c.workload.sources.pop(made.name, None)
    return made


def _pixels(c: Context, value) -> tuple[Tensor, int]:
    """[n, height, width, channels], and the model's rank. Rows [N, F] are images of one pixel."""
    t = c.tensor(value)
    if len(t.layout.shape) == 2:
        n, features = t.layout.shape
        return c.ordered(t, (0, 1), (n, 1, 1, features), PLACES), 2
    return c.image(value), len(t.layout.shape)


def _layout(t: Tensor, rank: int, n: int, channels: int, size: list[int]) -> tuple[tuple[int, ...], Layout]:
    if rank == 2:
        return (n, 1, 1, channels), Layout.dense((n, channels))
    return made_image(t, n, channels, size)


def _requantized(c: Context, op: Operation, name: str, t: Tensor, q: Quantization) -> Tensor:
    """As DequantizeLinear and QuantizeLinear do."""
    if t.q == q:
        return t
    return _part(c, op, name, "table", [t], t.shape, t.layout, {"table": ort.table_of(t.q, ort.quantized(ort.dequantized(t.q), q))}, q, False)


class Layers:
    """pixels.Maker: the layers of one operator, before a last one that is a view. `last`: the only one makes the operator's output."""

    def __init__(self, c: Context, op: Operation, q: Quantization, layout: Layout, last: bool = False):
        self._c, self._op, self._q, self._layout, self._last = c, op, q, layout, last
        self.by_parts = False

    def view(self, t: Tensor, shape) -> Tensor:
        return self._c.view(t, shape)

    def layer(self, name: str, kind: str, t: Tensor, shape, tensors: dict, **keys) -> Tensor:
        return _part(self._c, self._op, name, kind, [t], shape, self._layout, tensors, self._q, self._last, **keys)

    def part(self, name: str, t: Tensor, shape, which: np.ndarray) -> Tensor | None:
        c, output = self._c, self._op.output
        if t.q != self._q or not c.only_picked(t.value):
            return None
        part = c.workload.part(t.name, which, readable(output) if self._last else f"{readable(output)}.{name}")
        if part is None:
            return None
        name, size = part
        c.store(size)
        self.by_parts = True
        made = Tensor(name, output, shape, self._layout, t.q)
        if self._last:
            c.workload.sources[name], c.layouts[name], c.values[output] = output, self._layout, made
        return made

    def sum(self, name: str, a: Tensor, b: Tensor, shape) -> Tensor:
        q = self._q
        m = ort.sum_multipliers(ort.added(q, q, q), q, q, q)
        assert m.differences == 0, "a sum of one scale"
        return _part(self._c, self._op, name, "add", [a, b], shape, self._layout, m.tensors(), q, self._last, arithmetic=m.arithmetic)

    def end(self, t: Tensor, shape, how: str, by_parts: str = "") -> None:
        """`by_parts`: how, if channels are taken by layers of fewer filters."""
        self._c.shaped(self._op, t, shape, self._layout)
        made = self._c.values[self._op.output]
        how = by_parts if self.by_parts else how
        self._c.workload.notes.append(f"layer `{made.name}`: a {self._op.node.type}, as {how}: the machine has no operator for it")


def _target(op: Operation, t: Tensor) -> Quantization:
    return op.target or t.q


def concat(c: Context, op: Operation) -> None:
    op.knows("axis")
    if not op.operands:
        raise Refused("operands", 0, "one or more")
    found = [_pixels(c, v) for v in op.operands]
    first, rank = found[0]
    axis = op.get("axis", 1)
    if any(r != rank for _, r in found) or not -rank <= axis < rank or axis % rank == 0:
        raise Refused("axis", axis, f"any but the first, that of the images, of {PLACES}")
    place = 3 if axis % rank == 1 else axis % rank - 1 if rank == 4 else 2  # in memory: images, height, width, channels
    if any(t.shape[d] != first.shape[d] for t, _ in found for d in range(4) if d != place):
        raise Refused("shapes", ", ".join(shape_text(t.layout.shape) for t, _ in found), f"equal ones but for the dimension {axis % rank}")
    q = _target(op, first)
    shape = list(first.shape)
    shape[place] = sum(t.shape[place] for t, _ in found)
    made, layout = _layout(first, rank, shape[0], shape[3], shape[1:3])
    layers = Layers(c, op, q, layout)
    parts = [_requantized(c, op, f"scaled{i}", t, q) for i, (t, _) in enumerate(found)]
    if len(parts) == 1:
        c.values[op.output] = parts[0].viewed(op.output)
        return
    outer = (math.prod(shape[:place]), 1, 1) if place < 3 else tuple(shape[:3])
    total = pixels.concatenated(layers, parts, outer, [math.prod(t.shape[place:]) for t in parts])
    layers.end(total, made, f"{len(parts)} convolutions with ones and zeros and their sum")


def pick(c: Context, op: Operation, t: Tensor, rank: int, which: list[np.ndarray]) -> None:
    """`which`: of the channels, the rows and the columns those that stay, each with even steps but for the channels."""
    q = _target(op, t)
    n, height, width, depth = t.shape
    if any(one.size == 0 for one in which):
        raise Refused("elements", "none", "one or more")
    channels, lines, columns = which
    crop = lines.size != height or columns.size != width
    select = channels.size != depth or (channels != np.arange(depth)).any()
    if not crop and not select:
        t = _requantized(c, op, "scaled", t, q)
        c.values[op.output] = t.viewed(op.output)
        return
    t = _requantized(c, op, "scaled", t, q)
    if crop:
        shape, layout = _layout(t, rank, n, depth, [lines.size, columns.size])
        t = pixels.picked(Layers(c, op, q, layout, not select), t, t.shape, lines, columns)
    if select:
        _, layout = _layout(t, rank, n, channels.size, [lines.size, columns.size])
        layers = Layers(c, op, q, layout, True)
        t = pixels.selected(layers, t, t.shape, channels)
        if layers.by_parts:
            return
    c.workload.notes.append(f"layer `{t.name}`: a {op.node.type}, as a convolution with ones and zeros: the machine has no operator for it")


def slices(c: Context, op: Operation) -> None:
    op.knows()
    x, *given = operands(op, 3, 5)
    t = c.tensor(x)
    rank = len(t.layout.shape)
    numbers = []
    for name, value in zip(("starts", "ends", "axes", "steps"), given, strict=True):
        if value is not None and (not isinstance(value, Constant) or value.data.dtype.kind != "i"):
            raise Refused(name, "computed by the network", "a constant")
        numbers.append(None if value is None else [int(n) for n in value.data.reshape(-1)])
    starts, ends, axes, steps = numbers
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Refused("starts, ends, axes, steps", [len(one) for one in (starts, ends, axes, steps)], "as many of each")
    shape = t.layout.shape
    which = [np.arange(length) for length in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -rank <= axis < rank or step == 0:
            raise Refused("axis, step", [axis, step], f"axes of {-rank} to {rank - 1}, steps other than 0")
        last = end if step > 0 or end >= -shape[axis] else None
        which[axis % rank] = np.arange(shape[axis])[start:last:step]
    cut = [d for d in range(rank) if which[d].size != shape[d] or (np.diff(which[d]) < 0).any()]
    if len(cut) == 1 and not t.free and (cut[0] == 0 or not t.layout.lies(*ORDERS.get(rank, ()))) and which[cut[0]].size and (np.diff(which[cut[0]]) > 0).all():
        _lines(c, op, t, cut[0], which[cut[0]])
        return
    t, rank = _pixels(c, x)
    for axis, step in zip(axes, steps, strict=True):
        if step < 0 and axis % rank != 1:
            raise Refused("step", step, "above 0 but for the channels")
    if which[0].size != shape[0]:
        raise Refused("axes", axes, "all but the first, that of the images, or the first alone")
    pick(c, op, t, rank, _of_pixels(which, rank))


def _lines(c: Context, op: Operation, t: Tensor, dimension: int, which: np.ndarray) -> None:
    """A Slice of one dimension, wherever it lies in memory: there the tensor is [before it, its length, behind it]."""
    memory, axes = t.layout.memory, t.layout.dims[dimension]
    first, behind = axes[0], axes[-1] + 1
    if axes != tuple(range(first, behind)):
        raise Refused(f"order of {t} in memory", shape_text(t.shape), "one in which the dimension lies together")
    kept = (which.size,) if which.size > 1 else ()
    moved = [tuple(a if a < first else a - (behind - first) + len(kept) for a in dim) for dim in t.layout.dims]
    moved[dimension] = (first,) if kept else ()
    layout = Layout((*memory[:first], *kept, *memory[behind:]), tuple(moved))
    q = _target(op, t)
    t = _requantized(c, op, "scaled", t, q)
    outer, inner = math.prod(memory[:first]), math.prod(memory[behind:])
    whole = (1, outer, math.prod(memory[first:behind]), inner)
    layers = Layers(c, op, q, layout)
    made = pixels.picked(layers, layers.view(t, whole), whole, np.arange(outer), which)
    layers.end(made, (outer, which.size, inner), "a convolution with ones and zeros")


def _of_pixels(which: list[np.ndarray], rank: int) -> list[np.ndarray]:
    """Channels, rows and columns of the model's dimensions."""
    one = np.arange(1)
    return [which[1], one, one] if rank == 2 else [which[1], one, which[2]] if rank == 3 else which[1:]


def pad(c: Context, op: Operation) -> None:
    op.knows("mode")
    mode = op.get("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise Refused("mode", mode, "constant, edge, reflect, wrap")
    x, pads, number, axes = operands(op, 2, 4)
    if not isinstance(pads, Constant) or pads.data.dtype.kind != "i" or axes is not None:
        raise Refused("pads", "computed by the network" if axes is None else "with axes", "a constant for all dimensions")
    if mode == "constant" and number is not None and not (isinstance(number, Constant) and number.data.size == 1 and float(number.real.reshape(-1)[0]) == 0):
        raise Refused("constant_value", f"{number}", "0")
    t, rank = _pixels(c, x)
    amounts = [int(n) for n in pads.data.reshape(-1)]
    before, after = amounts[:rank], amounts[rank:]
    if len(amounts) != 2 * rank or any(amounts[d] for d in (0, 1, rank, rank + 1)) or rank == 2 or min(amounts) < 0 or max(amounts) > 255:
        raise Refused("pads", amounts, "0 to 255 of height and width")
    q = _target(op, t)
    t = _requantized(c, op, "scaled", t, q)
    n, height, width, depth = t.shape
    lines = (0, 0) if rank == 3 else (before[2], after[2])
    columns = before[-1], after[-1]
    shape, layout = _layout(t, rank, n, depth, [height + sum(lines), width + sum(columns)])
    if shape == t.shape:
        c.values[op.output] = t.viewed(op.output)
        return
    if mode != "constant":
        layers = Layers(c, op, q, layout)
        made = pixels.mirrored(layers, t, t.shape, mode, [lines[0], columns[0], lines[1], columns[1]])
        layers.end(made, shape, "convolutions with ones and zeros and their sums")
        return
    _part(c, op, "padded", "conv2d", [t], shape, layout, {"weight": np.ones((depth, 1, 1, 1), np.int8), "weight_scale": pixels.ONE}, q, True,
          out_channels=depth, kernel=[1, 1], stride=[1, 1], padding=[lines[0], columns[0], lines[1], columns[1]],
          **({"groups": depth} if depth > 1 else {}))  # fmt: skip


# ---- images of another size ------------------------------------------------------------------------------------------------------

f32 = np.float32
COORDINATES = "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric"
ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of the runtime
    "round_prefer_floor": lambda x: np.where(x == np.trunc(x) + f32(0.5), np.trunc(x), np.trunc(x + np.copysign(f32(0.5), x))),
    "round_prefer_ceil": lambda x: np.trunc(x + np.copysign(f32(0.5), x)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _places(mode: str, rounding: str, length: int, made: int, scale: np.float32) -> np.ndarray:
    """For each place of a dimension that which the runtime takes; it computes in float32."""
    x = np.arange(made, dtype=f32)
    half = f32(0.5)
    if mode == "asymmetric":
        real = x / scale
    elif mode == "align_corners":
        real = x * f32(length - 1) / f32(made - 1) if made > 1 else f32(0) * x
    elif mode == "pytorch_half_pixel" and made == 1:
        real = f32(0) * x
    else:
        real = (x + half) / scale - half
        if mode == "half_pixel_symmetric":
            real += f32(length) / f32(2) * (f32(1) - f32(made) / (scale * f32(length)))
    return np.clip(ROUNDINGS[rounding](real).astype(np.int64), 0, length - 1)


def resize(c: Context, op: Operation) -> None:
    op.knows("antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy",
             "mode", "nearest_mode")  # fmt: skip
    x, *given = operands(op, 1, 4)
    old = len(op.operands) == 2  # opset 10
    given = [None, given[0], None] if old else given
    if op.get("mode", "nearest") != "nearest":
        raise Refused("mode", op.get("mode", "nearest"), "nearest",
                      "ONNX Runtime interpolates in float32; of linear, to 2, 4 or 8 times the size, `gemel quantize` makes a convolution")  # fmt: skip
    op.only("antialias", 0)
    op.only("keep_aspect_ratio_policy", "stretch")
    mode = op.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = op.get("nearest_mode", "floor" if old else "round_prefer_floor")
    if mode not in COORDINATES.split(", "):
        raise Refused("coordinate_transformation_mode", mode, COORDINATES)
    if rounding not in ROUNDINGS:
        raise Refused("nearest_mode", rounding, ", ".join(ROUNDINGS))
    t, rank = _pixels(c, x)
    shape = t.layout.shape
    axes = op.get("axes", None)
    axes = list(range(rank)) if axes is None else axes
    if not isinstance(axes, list) or any(not isinstance(a, int) or not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise Refused("axes", axes, f"different ones of {-rank} to {rank - 1}")
    scales, sizes = (None if v is None or (isinstance(v, Constant) and v.data.size == 0) else v for v in given[1:])
    value = sizes if scales is None else scales
    if (scales is None) == (sizes is None):
        raise Refused("scales and sizes", "none" if value is None else "both given", "constant scales, or constant sizes")
    if not isinstance(value, Constant) or value.data.dtype.kind != ("f" if sizes is None else "i"):
        raise Refused("scales and sizes", "computed by the network", "constant scales, or constant sizes")
    if value.data.size != len(axes):
        raise Refused("scales and sizes", f"{value.data.size} numbers", f"{len(axes)}, one for each axis")
    wanted, factor = list(shape), [f32(1)] * rank
    for axis, number in zip(axes, value.data.reshape(-1).tolist(), strict=True):
        if not (math.isfinite(number) and 0 < number <= MOST_LENGTH):
            raise Refused("scales and sizes", number, f"above 0, at most {MOST_LENGTH}")
        length = shape[axis]
        factor[axis] = f32(number) if sizes is None else f32(number) / f32(length)
        wanted[axis] = int(factor[axis] * f32(length)) if sizes is None else int(number)
        if not 1 <= wanted[axis] <= MOST_LENGTH:
            raise Refused("scales and sizes", number, f"those that make 1 to {MOST_LENGTH} of {length}")
    if any(wanted[d] != shape[d] for d in range(min(rank, 2))):
        raise Refused("scales and sizes", shape_text(wanted), f"those that keep images and channels, {shape_text(shape[:2])}")
    places = [_places(mode, rounding, shape[d], wanted[d], factor[d]) for d in range(2, rank)]
    places = [np.arange(1)] * (2 - len(places)) + places
    q = _target(op, t)
    made = [one.size for one in places]
    made_shape, layout = _layout(t, rank, t.shape[0], t.shape[3], made)
    layers = Layers(c, op, q, layout)
    layers.end(pixels.nearest(layers, _requantized(c, op, "scaled", t, q), t.shape, *places), made_shape, "windows that repeat pixels")


def depth_to_space(c: Context, op: Operation) -> None:
    op.knows("blocksize", "mode")
    (x,) = operands(op, 1)
    t, block, q = _blocks(c, op, x)
    n, height, width, depth = t.shape
    if depth % (block * block):
        raise Refused("blocksize", block, f"one whose square divides {depth} channels")
    mode = op.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise Refused("mode", mode, "DCR, CRD")
    order = np.arange(depth).reshape(block, block, -1) if mode == "DCR" else np.arange(depth).reshape(-1, block, block).transpose(1, 2, 0)
    shape, layout = made_image(t, n, depth // (block * block), [height * block, width * block])
    layers = Layers(c, op, q, layout)
    t = pixels.depth_to_space(layers, _requantized(c, op, "scaled", t, q), t.shape, order)
    layers.end(t, shape, "convolutions with ones and zeros and their sum", "parts of the layer before it, whose lines are interleaved")


def space_to_depth(c: Context, op: Operation) -> None:
    op.knows("blocksize")
    (x,) = operands(op, 1)
    t, block, q = _blocks(c, op, x)
    n, height, width, depth = t.shape
    if height % block or width % block:
        raise Refused("blocksize", block, f"one that divides height and width, {height} and {width}")
    shape, layout = made_image(t, n, depth * block * block, [height // block, width // block])
    layers = Layers(c, op, q, layout)
    t = pixels.space_to_depth(layers, _requantized(c, op, "scaled", t, q), t.shape, block)
    layers.end(t, shape, "a convolution with ones and zeros")


def _blocks(c: Context, op: Operation, x) -> tuple[Tensor, int, Quantization]:
    t = c.image(x)
    if len(t.layout.shape) != 4:
        raise Refused(f"shape of {t}", shape_text(t.layout.shape), "4 dimensions: [images, channels, height, width]")
    block = op.get("blocksize", 0)
    if not 1 <= block <= pixels.MOST_WINDOW:
        raise Refused("blocksize", block, f"1 to {pixels.MOST_WINDOW}")
    return t, block, _target(op, t)


def spread(c: Context, op: Operation, small: Tensor, large: Tensor) -> Tensor:
    """One pixel for each channel, everywhere."""
    t = c.image(small)
    n, height, width, depth = c.image(large).shape
    shape, layout = made_image(large, n, depth, [height, width])
    layers = Layers(c, op, t.q, layout)
    made = layers.view(pixels.repeated(layers, t, t.shape, height, width), shape)
    c.workload.notes.append(f"layer `{made.name}`: one pixel for each channel, repeated by windows: the machine has no broadcast")
    return Tensor(made.name, made.value, shape, layout, t.q)
