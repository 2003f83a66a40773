# SPDX-License-Identifier: Apache-2.0
"""Pixels that go elsewhere, for every importer, from layers that the machine has: resizing, interleaving, cropping, transposed convolution.

An image in memory is rows of pixels, and the same bytes are other images, too: [1, n * height, 1, width * channels] has rows for pixels. A window of s columns
over such an image of width 1, with a border of s - 1, makes s pixels of each one, behind each other: of a row s rows. So a max_pool, whose border does
not count, repeats rows. A depthwise convolution of 1x1 with ones and a border puts rows s apart, with zeros (the zero point) between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .files import MOST_BYTES
from .messages import Refused
from .workload import MOST_LENGTH

MOST_WINDOW = 255  # of an instruction, in each direction
MOST_APART = 63  # dilation of an instruction
LEAST_PIECE = 32  # bytes, from which the vector unit is faster than the array
MOST_LINES = 64  # that one after the other are put in their place
MOST_DENSE = 1 << 22  # weights of a 1x1 convolution
ONE = np.ones(1, np.float32)  # scale of weights that are ones and zeros

Shape = tuple[int, ...]


class Maker(Protocol):
    """An importer's layers inside of one operator. Tensors are whatever it calls them; all but of a max_pool have the quantization of the result."""

    def view(self, t: Any, shape: Shape) -> Any: ...

    def layer(self, name: str, kind: str, t: Any, shape: Shape, tensors: dict[str, np.ndarray], **keys) -> Any: ...

    def part(self, name: str, t: Any, shape: Shape, which: np.ndarray) -> Any | None:
        """Only these channels, in this order, by the layer that makes `t` with fewer filters. None: that would not do."""

    def sum(self, name: str, a: Any, b: Any, shape: Shape) -> Any:
        """In each element one of the two is 0."""


def _zeros(*shape: int) -> np.ndarray:
    """Weights of int8, unless no workload could hold them."""
    if math.prod(shape) > MOST_BYTES or max(shape) > MOST_LENGTH:
        raise Refused("weights of the convolution that does it", f"{math.prod(shape)} bytes", f"at most {MOST_BYTES}")
    return np.zeros(shape, np.int8)


def _prime_factors(n: int) -> list[int]:
    found, p = [], 2
    while n > 1:
        while n % p == 0:
            found.append(p)
            n //= p
        p = p + 1 if p * p <= n else n
    return found


def repeated(m: Maker, t, shape: Shape, lines: int, columns: int):
    """Each pixel of [n, height, width, channels] `lines` times `columns` times."""
    n, height, width, depth = shape
    if max([*_prime_factors(lines), *_prime_factors(columns), 1]) > MOST_WINDOW:
        raise Refused("factors", [lines, columns], f"those without a prime factor above {MOST_WINDOW}")
    for name, factor, count, size in (("wider", columns, n * height * width, depth), ("higher", lines, n * height, width * columns * depth)):
        for k in _prime_factors(factor):
            t = m.layer(name, "max_pool", m.view(t, (1, count, 1, size)), (1, count, k, size), {}, kernel=[1, k], stride=[1, 1], padding=[0, k - 1] * 2)
            count *= k
    return t


def picked(m: Maker, t, shape: Shape, lines: np.ndarray, columns: np.ndarray):
    """Those lines and columns of [n, height, width, channels], at even steps."""
    n, height, width, depth = shape
    rows, across = _crop(lines, height), _crop(columns, width)
    weight = _zeros(depth, rows.weights, across.weights, 1)
    weight[:, rows.one, across.one, 0] = 1
    keys = {"dilation": [rows.apart, across.apart]} if max(rows.apart, across.apart) > 1 else {}
    return m.layer("cropped", "conv2d", t, (n, lines.size, columns.size, depth), {"weight": weight, "weight_scale": ONE}, out_channels=depth,
                   kernel=[rows.weights, across.weights], stride=[rows.stride, across.stride], padding=[rows.before, across.before, rows.after, across.after],
                   **keys, **({"groups": depth} if depth > 1 else {}))  # fmt: skip


@dataclass(frozen=True)
class Crop:
    """A window that takes places at even steps of one dimension: so many weights, of which `one` is 1 and the others 0."""

    weights: int
    one: int
    apart: int  # dilation
    stride: int
    before: int  # padding
    after: int


def _crop(places: np.ndarray, length: int) -> Crop:
    """Weights of 0 reach to the begin of the dimension, and so far behind the last place that there is no window more. They are few, far apart."""
    first, behind = int(places[0]), length - 1 - int(places[-1])
    stride = int(places[1] - places[0]) if places.size > 1 else min(behind + 1, MOST_WINDOW)
    covered = max(0, behind + 1 - stride)

    def crop(apart: int) -> Crop:
        before, after = -(-first // apart), -(-covered // apart)
        return Crop(before + 1 + after, before, apart, stride, before * apart - first, max(0, after * apart - behind))

    best = min(map(crop, range(1, MOST_APART + 1)), key=lambda one: (one.weights, one.before + one.after, one.apart))
    if max(best.weights, stride) > MOST_WINDOW:
        raise Refused("pixels left out", first + behind, f"at most {MOST_WINDOW * MOST_APART} of height and width")
    return best


def _factor(wanted: np.ndarray, length: int) -> int:
    """How often each of `length` pixels stands in `wanted`; 0: not equally often."""
    factor = wanted.size // length
    return factor if np.array_equal(wanted, np.repeat(np.arange(length), factor)) else 0


def nearest(m: Maker, t, shape: Shape, lines: np.ndarray, columns: np.ndarray):
    """[n, lines.size, columns.size, channels]: for each line and column the index of that which it repeats."""
    sizes, factors = list(shape[1:3]), [1, 1]
    kept = [np.arange(length) for length in sizes]
    for i, wanted in enumerate((lines, columns)):
        factors[i] = _factor(wanted, sizes[i])
        if factors[i] == 0:
            steps = np.diff(wanted)
            if (steps != steps[:1]).any() or (steps < 1).any():
                raise Refused("size", f"{wanted.size} for {sizes[i]} along the {('height', 'width')[i]}",
                              "a multiple of it, each pixel as often as the others, or one with even steps")  # fmt: skip
            kept[i], factors[i] = wanted, 1
    if [one.size for one in kept] != sizes:
        t = picked(m, t, shape, *kept)
    return repeated(m, t, (shape[0], kept[0].size, kept[1].size, shape[3]), *factors)


def interleaved(m: Maker, parts: list, count: int, size: int):
    """`count` rows of `size` bytes each: those numbered i, i + s, i + 2 s, ... of the result are parts[i], of s parts."""
    s, total = len(parts), None
    for i, part in enumerate(parts):
        if s == 1:
            return part
        shape = (1, count, s, size)
        tensors = {"weight": np.ones_like(_zeros(size, 1, 1, 1)), "weight_scale": ONE}
        placed = m.layer("placed", "conv2d", m.view(part, (1, count, 1, size)), shape, tensors, out_channels=size, kernel=[1, 1], stride=[1, 1],
                         padding=[0, i, 0, s - 1 - i], **({"groups": size} if size > 1 else {}))  # fmt: skip
        total = placed if i == 0 else m.sum("joined", total, placed, shape)
    return total


def concatenated(m: Maker, parts: list, outer: Shape, sizes: list[int]):
    """Tensors [*outer, sizes[i]] (three outer dimensions) behind each other along the last dimension. Each part is put in its place, with zeros beside it, and
    the sum of all is what is wanted: by borders of images whose rows are pieces of all parts, or, where pieces are small, by 1x1 convolutions."""
    piece, whole = math.gcd(*sizes), sum(sizes)
    count, slots = math.prod(outer), whole // piece
    bordered = slots <= MOST_WINDOW + 1 and (piece >= LEAST_PIECE or whole * max(sizes) > MOST_DENSE)
    if not bordered and whole * max(sizes) > MOST_DENSE:
        raise Refused("sizes", sizes, f"those of at most {MOST_WINDOW + 1} pieces of their common divisor")
    shape = (1, count, slots, piece) if bordered else (*outer, whole)
    total, begin = None, 0
    for i, (t, size) in enumerate(zip(parts, sizes, strict=True)):
        if bordered:
            source, tensors = m.view(t, (1, count, size // piece, piece)), {"weight": np.ones((piece, 1, 1, 1), np.int8), "weight_scale": ONE}
            keys = {"padding": [0, begin // piece, 0, (whole - size - begin) // piece], **({"groups": piece} if piece > 1 else {})}
        else:
            weight = _zeros(whole, 1, 1, size)
            weight[np.arange(begin, begin + size), 0, 0, np.arange(size)] = 1
            source, tensors, keys = m.view(t, (*outer, size)), {"weight": weight, "weight_scale": ONE}, {"padding": [0] * 4}
        begin += size
        placed = m.layer("placed", "conv2d", source, shape, tensors, out_channels=shape[3], kernel=[1, 1], stride=[1, 1], **keys)
        total = placed if i == 0 else m.sum("joined", total, placed, shape)
    return total


def interpolating(factor: int, centers: bool) -> np.ndarray:
    """Over pixels that are repeated `factor` times, with one pixel more at the end, and if results have `centers` (half pixels) one at the begin, too: the
    window of linear interpolation, as whole numbers; a factor of 1 or even. A window of ones does it without half pixels, and the mean of two that follow
    each other with them. It is as long as makes as many windows as there are results."""
    ones = np.ones(factor, np.int64)
    if factor == 1:
        return ones
    return np.pad(np.convolve(ones, [1, 1]), factor // 2) if centers else np.append(ones, 0)


def extended(m: Maker, t, shape: Shape, axis: int, before: list[int], after: list[int]):
    """[n, height, width, channels] with some of its lines (axis 1) or columns (2) once more, before and after the others."""
    count, length, size = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    if len(before) + len(after) > MOST_LINES:
        raise Refused("lines and columns more", f"{len(before)} and {len(after)}", f"at most {MOST_LINES} along a dimension")
    if not before and not after:
        return t
    lines: dict[int, Any] = {}
    for at in (*before, *after):
        if at not in lines:
            whole = (1, count, length, size)
            lines[at] = t if length == 1 else picked(m, m.view(t, whole), whole, np.arange(count), np.array([at]))
    parts = [*(lines[at] for at in before), t, *(lines[at] for at in after)]
    return concatenated(m, parts, (count, 1, 1), [size] * len(before) + [length * size] + [size] * len(after))


MIRRORS: dict[str, Callable[[int, int, int], tuple[list[int], list[int]]]] = {  # of so many before and after a length
    "edge": lambda length, before, after: ([0] * before, [length - 1] * after),
    "reflect": lambda length, before, after: (list(range(before, 0, -1)), list(range(length - 2, length - 2 - after, -1))),
    "symmetric": lambda length, before, after: (list(range(before - 1, -1, -1)), list(range(length - 1, length - 1 - after, -1))),
    "wrap": lambda length, before, after: (list(range(length - before, length)), list(range(after))),
}


def mirrored(m: Maker, t, shape: Shape, mode: str, pads: list[int]):
    """A border of pixels of the image. `pads`: top, left, bottom, right."""
    made = list(shape)
    for axis, before, after in ((1, pads[0], pads[2]), (2, pads[1], pads[3])):
        length = made[axis]
        most = {"edge": MOST_WINDOW, "reflect": length - 1}.get(mode, length)
        if max(before, after) > most:
            raise Refused("pads", pads, f"at most {most} along a length of {length} with the mode {mode}")
        t = extended(m, t, tuple(made), axis, *MIRRORS[mode](length, before, after))
        made[axis] += before + after
    return t


# ---- transposed convolution ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phases:
    """Results s m + r of one dimension, for m = 0 .. count - 1: a window of `taps` over the input, each an index of the kernel or -1."""

    taps: list[list[int]]  # for each r
    before: int
    after: int


def _taps(length: int, kernel: int, stride: int, pad: int, count: int, rests: list[int]) -> Phases:
    """Result o is the sum over the inputs h of x[h] w[k] with k = o + pad - stride h. With o = stride m + r and h = m - j: k = r + pad + stride j."""
    low = min(-((r + pad) // stride) for r in rests)
    high = max((kernel - 1 - r - pad) // stride for r in rests)
    high = max(high, 0, low)  # windows begin at the image's edge or before it,
    low = min(low, count - length)  # and end at its other edge or behind it
    j = range(high, low - 1, -1)
    taps = [[r + pad + stride * i if 0 <= r + pad + stride * i < kernel else -1 for i in j] for r in rests]
    return Phases(taps, high, count - length - low)


def phases(length: int, kernel: int, stride: int, pad: int, made: int) -> tuple[Phases, int, int]:
    """One window for all results of a stride, as different outputs; how many results stand before the first wanted one; and how many strides there are.

    A kernel that the stride divides has one tap less if the results begin where the full ones do, with some that are cut off."""
    plans = [(_taps(length, kernel, stride, pad - cut, -(-(made + cut) // stride), list(range(stride))), cut) for cut in sorted({0, pad % stride})]
    plan, cut = min(plans, key=lambda one: (len(one[0].taps[0]), one[1]))
    return plan, cut, -(-(made + cut) // stride)


def transposed(m: Maker, t, shape: Shape, weight: np.ndarray, zero: int, stride: list[int], pads: list[int], made: list[int], convolution):
    """[n, *made, outputs] of [n, height, width, channels] and weights [outputs, height, width, channels], whose 0 is `zero`: of a full transposed convolution
    the part from the line pads[0] and the column pads[1] on.

    Every stride[0]-th line is a convolution of the input with every stride[0]-th line of the kernel; columns that follow each other are its output channels.
    `convolution(t, shape, weight, times, keys)` adds such a layer, in which each output stands `times` times."""
    n, height, width, depth = shape
    outputs, kh, kw, _ = weight.shape
    (sy, sx), (oy, ox) = stride, made
    if max(stride) > MOST_WINDOW:
        raise Refused("strides", stride, f"at most {MOST_WINDOW}")
    lines = -(-oy // sy)
    plan, cut, columns = phases(width, kw, sx, pads[1], ox)
    parts = []
    extended = np.concatenate([weight, np.full((outputs, 1, kw, depth), zero, weight.dtype)], 1)
    extended = np.concatenate([extended, np.full((outputs, kh + 1, 1, depth), zero, weight.dtype)], 2)  # what index -1 reads
    for r in range(sy):
        rows = _taps(height, kh, sy, pads[0], lines, [r])
        window = [len(rows.taps[0]), len(plan.taps[0])]
        padding = [rows.before, plan.before, rows.after, plan.after]
        if max(*window, *padding) > MOST_WINDOW:
            raise Refused("window and padding of its convolutions", [*window, *padding], f"at most {MOST_WINDOW}")
        _zeros(sx * outputs, *window, depth)
        chosen = extended[:, rows.taps[0]][:, :, plan.taps]  # [outputs, lines, sx, columns, channels]
        chosen = np.ascontiguousarray(chosen.transpose(2, 0, 1, 3, 4).reshape(sx * outputs, *window, depth))
        keys = {"out_channels": sx * outputs, "kernel": window, "stride": [1, 1], "padding": padding}
        parts.append(convolution(t, (n, lines, columns, sx * outputs), chosen, sx, keys))
    whole = interleaved(m, parts, n * lines, columns * sx * outputs)
    if (lines * sy, columns * sx) == (oy, ox):
        return whole
    full = (n, lines * sy, columns * sx, outputs)
    return picked(m, m.view(whole, full), full, np.arange(oy), np.arange(cut, cut + ox))


def selected(m: Maker, t, shape: Shape, which: np.ndarray):
    """These channels, in this order."""
    made = (*shape[:3], which.size)
    part = m.part("selected", t, made, which)
    if part is not None:
        return part
    weight = _zeros(which.size, 1, 1, shape[3])
    weight[np.arange(which.size), 0, 0, which] = 1
    return m.layer("selected", "conv2d", t, made, {"weight": weight, "weight_scale": ONE}, out_channels=which.size, kernel=[1, 1], stride=[1, 1],
                   padding=[0] * 4)  # fmt: skip


def depth_to_space(m: Maker, t, shape: Shape, order: np.ndarray):
    """[n, height, width, channels] -> [n, height * block, width * block, outputs]. `order` [block, block, outputs]: the channel that each shows."""
    n, height, width, _ = shape
    parts = [selected(m, t, shape, line.reshape(-1)) for line in order]
    return interleaved(m, parts, n * height, width * order[0].size)


def space_to_depth(m: Maker, t, shape: Shape, block: int):
    """[n, height, width, channels] -> [n, height / block, width / block, block * block * channels], line by line of a block."""
    n, height, width, depth = shape
    count = block * block * depth
    weight = _zeros(count, block, block, depth)
    line, column, channel = np.unravel_index(np.arange(count), (block, block, depth))
    weight[np.arange(count), line, column, channel] = 1
    return m.layer("selected", "conv2d", t, (n, height // block, width // block, count), {"weight": weight, "weight_scale": ONE}, out_channels=count,
                   kernel=[block, block], stride=[block, block], padding=[0] * 4)  # fmt: skip
