# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators, one function each: how Gemel's layers compute the very numbers of ONNX Runtime, or what keeps them from it.

A function sees one operator with its operands and the quantization of its result, whether the model writes it as QLinearConv or as Conv between
DequantizeLinear and QuantizeLinear. It adds layers, or refuses, naming the attribute, its value and what is supported. To add an operator: a function
here with its row of OPERATORS, a case in tests/python/onnx_cases.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import onnx_moves as moves
from . import ort, pixels
from .files import MOST_BYTES
from .layout import Layout
from .messages import Refused
from .onnx_context import Constant, Context, IntegerInput, Operation, Pending, Real, Tensor, made_image, operands, readable
from .workload import MOST_RANK, Quantization, shape_text

f32 = np.float32
MOST_TERMS = 32768  # products of two computed bytes whose sum fits int32
SLOPE_HINT = "ONNX Runtime computes it in float32, whose sums depend on their order; no integer gives the same"


@dataclass(frozen=True)
class Row:
    translate: Callable[[Context, Operation], None]
    qlinear: str  # its node of the QOperator form; "": the same node, on bytes
    becomes: str  # the layer, for the table in the documentation
    supported: str
    keeps: bool = False  # the quantization of its input


# ---- layers with weights -------------------------------------------------------------------------------------------------------


def weights(value, axis: int) -> Constant:
    """Constant integers of 8 bits; more than one scale along `axis`."""
    if not isinstance(value, Constant) or value.scale is None or value.zero_point is None:
        state = "float32 without a DequantizeLinear" if isinstance(value, Constant) else "computed by the network"
        raise Refused(f"weights, {value}", state, "constant int8 or uint8 with their scales")
    if value.data.dtype not in (np.int8, np.uint8):
        raise Refused(f"type of the weights, {value}", value.data.dtype, "int8, uint8", code="E1106")
    if value.data.size == 0:
        raise Refused(f"shape of the weights, {value}", shape_text(value.data.shape), "one element or more")
    if value.scale.size > 1 and value.axis != axis % value.data.ndim:
        raise Refused(f"axis of the scales of {value}", value.axis, f"{axis % value.data.ndim}, that of the outputs")
    if (value.zero_point != value.zero_point[0]).any():
        raise Refused(f"zero points of {value}", "different ones", "the same for all channels")
    info = np.iinfo(value.data.dtype)
    if not info.min <= value.zero_point[0] <= info.max:
        raise Refused(f"zero point of {value}", int(value.zero_point[0]), f"{info.min} to {info.max}", code="E1107")
    return value


def joined(c: Context, op: Operation, x: Tensor, w: Constant | None = None) -> None:
    """What the runtime demands before it joins an operator with its DequantizeLinear and QuantizeLinear: otherwise it computes in float32, and which way a
    result goes that lies next to a tie depends on the order of its sums."""
    if op.node.type in QLINEAR:
        return
    state = ""
    if x.q.type != op.target.type:
        state = f"{x.q.type} in, {op.target.type} out"
    elif w is not None and x.q.type == "int8" and w.data.dtype == np.uint8:
        state = "int8 in, uint8 weights"
    elif op.get("alpha", 1.0) != 1 and len(op.operands) > 2:
        state = "alpha and bias"
    elif not all(v.joined for v in op.operands if isinstance(v, Real)):
        state = "a Flatten between DequantizeLinear and it"
    if state:
        c.approximate(
            "what ONNX Runtime computes in float32", state, "input and output of one type; with int8 int8 weights; alpha without bias; no Flatten before it",
            f"layer `{readable(op.output)}` ({state}) is float32 in ONNX Runtime: elements next to a tie may differ by one"
        )  # fmt: skip


def weight_keys(w: Constant) -> dict:
    q = {"type": str(w.data.dtype), "zero_point": int(w.zero_point[0])}
    return {} if q == {"type": "int8", "zero_point": 0} else {"weight": q}


def bias(value, channels: int, x: Tensor, w: Constant, alpha: float = 1.0) -> dict:
    if value is None:
        return {}
    if not isinstance(value, Constant) or value.data.dtype != np.int32:
        state = f"{value.data.dtype}" if isinstance(value, Constant) else "computed by the network"
        raise Refused(f"bias, {value}", state, "a constant int32 with the scale of input times weights, as quantizers make it")
    if value.data.size != channels:
        raise Refused(f"shape of the bias, {value}", shape_text(value.data.shape), f"[{channels}]")
    if value.scale is not None and value.zero_point is not None:
        if value.zero_point.any():
            raise Refused(f"zero point of the bias, {value}", int(value.zero_point[value.zero_point != 0][0]), "0")
        wanted = f32(alpha) * f32(x.q.scale) * w.scale
        given = np.resize(value.scale, max(value.scale.size, wanted.size))
        wanted = np.resize(wanted, given.size)
        if (given != wanted).any():
            i = int(np.argmax(given != wanted))
            raise Refused(
                f"scale {i} of the bias, {value}", f"{given[i]:.9g}", f"{wanted[i]:.9g}, that of the input times the weights'",
                "ONNX Runtime computes the layer in float32 otherwise"
            )  # fmt: skip
    return {"bias": np.ascontiguousarray(value.data.reshape(-1))}


def window(op: Operation, size: tuple[int, ...], kernel: tuple[int, ...], dilated: bool = True) -> tuple[dict, list[int]]:
    """Keys of a layer with a window over 2 dimensions, and its output's height and width. A model of 1 dimension has height 1."""
    rank = len(kernel)
    strides = op.integers("strides", [1] * rank, 1)
    dilations = op.integers("dilations", [1] * rank, 1) if dilated else [1] * rank
    if not dilated:
        op.only("dilations", [1] * rank)
    pads = op.integers("pads", [0] * 2 * rank, 0)
    auto = op.get("auto_pad", "NOTSET")
    before, after = pads[:rank], pads[rank:]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(size, strides, spans)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        before = after = [0] * rank
    elif auto != "NOTSET":
        raise Refused("auto_pad", auto, "NOTSET, SAME_UPPER, SAME_LOWER, VALID")
    after = list(after)
    rounds_up = op.get("ceil_mode", 0)
    made = []
    for i, (n, s, span) in enumerate(zip(size, strides, spans)):
        room = n + before[i] + after[i] - span
        count = room // s + 1
        if rounds_up and room % s and count * s < n + before[i]:  # a window that begins behind the image does not count
            count += 1
            after[i] += (count - 1) * s - room
        if room < 0:
            raise Refused("kernel_shape", list(kernel), f"at most the image with its padding, {n + before[i] + after[i]} along dimension {i + 2}")
        made.append(count)
    one = [1] * (2 - rank)
    none = [0] * (2 - rank)
    keys = {"kernel": one + list(kernel), "stride": one + strides, "padding": none + list(before) + none + list(after)}
    keys |= {"dilation": one + dilations} if any(d > 1 for d in dilations) else {}
    return keys, one + made


def conv(c: Context, op: Operation) -> None:
    op.knows("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    x, w, b = operands(op, 2, 3)
    t = c.image(x)
    w = weights(w, 0)
    joined(c, op, t, w)
    n, _, _, depth = t.shape
    rank = len(t.layout.shape) - 2
    if w.data.ndim != rank + 2:
        raise Refused(f"shape of the weights, {w}", shape_text(w.data.shape), f"{rank + 2} dimensions")
    out, inner, *kernel = w.data.shape
    groups = op.get("group", 1)
    if groups < 1 or inner * groups != depth or out % groups:
        raise Refused("group", groups, f"one that divides {out} outputs, with {inner} of {depth} input channels each")
    op.only("kernel_shape", list(kernel), f"{list(kernel)}, the weights' shape")
    size = t.layout.shape[2:]
    keys, made = window(op, size, tuple(kernel))
    data = w.data if rank == 2 else w.data[:, :, None, :]
    shape, layout = made_image(t, n, out, made)
    c.layer(
        op, "conv2d", [t], shape, layout,
        {"weight": np.ascontiguousarray(data.transpose(0, 2, 3, 1)), "weight_scale": w.scale, **bias(b, out, t, w)},
        out_channels=out, **keys, **({"groups": groups} if groups > 1 else {}), **weight_keys(w),
    )  # fmt: skip


def transposed_window(op: Operation, size: tuple[int, ...], kernel: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """What of the full result is left out before its first element, and how many elements there are, along each dimension."""
    rank = len(kernel)
    more = op.integers("output_padding", [0] * rank, 0)
    pads = op.integers("pads", [0] * 2 * rank, 0)
    auto = op.get("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise Refused("auto_pad", auto, "NOTSET, SAME_UPPER, SAME_LOWER, VALID")
    same = auto in ("SAME_UPPER", "SAME_LOWER")
    given = op.get("output_shape", None)
    if isinstance(given, list) and len(given) == rank + 2:
        op.given["output_shape"] = given[2:]
    wanted = op.integers("output_shape", [n * s for n, s in zip(size, strides)], 1) if given is not None or same else None
    before, made = [], []
    for i, (n, k, s) in enumerate(zip(size, kernel, strides)):
        full = (n - 1) * s + more[i] + k
        if wanted is not None:
            total = max(full - wanted[i], 0)
            before.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
            made.append(wanted[i] if given is not None else full - total)
        else:
            before.append(0 if auto == "VALID" else pads[i])
            made.append(full - (0 if auto == "VALID" else pads[i] + pads[i + rank]))
        if made[-1] < 1:
            raise Refused("pads", pads, f"less than the full result, which has {full} elements along dimension {i + 2}")
    return before, made


def power_of_two(*scales) -> bool:
    return all((np.frexp(np.asarray(s, np.float64))[0] == 0.5).all() for s in scales)


def conv_transpose(c: Context, op: Operation) -> None:
    op.knows("auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides")
    x, w, b = operands(op, 2, 3)
    t = c.image(x)
    w = weights(w, 1)
    n, height, width, depth = t.shape
    rank = len(t.layout.shape) - 2
    groups = op.get("group", 1)
    if w.data.ndim != rank + 2 or w.data.shape[0] != depth:
        raise Refused(f"shape of the weights, {w}", shape_text(w.data.shape), f"{rank + 2} dimensions, the first of {depth} input channels")
    if groups < 1 or depth % groups:
        raise Refused("group", groups, f"one that divides {depth} input channels")
    inner, *kernel = w.data.shape[1:]
    out = inner * groups
    op.only("kernel_shape", list(kernel), f"{list(kernel)}, the weights' shape")
    dilations = op.integers("dilations", [1] * rank, 1)
    strides = op.integers("strides", [1] * rank, 1)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    before, made = transposed_window(op, t.layout.shape[2:], spans, strides)
    if out * depth * math.prod(spans) > MOST_BYTES:
        raise Refused("weights", f"{out * depth * math.prod(spans)} bytes with the zeros of groups and dilations", f"at most {MOST_BYTES}")
    zero = int(w.zero_point[0])
    full = np.full((out, *spans, depth), zero, w.data.dtype)
    places = tuple(slice(None, None, d) for d in dilations)
    for g in range(groups):
        ins, outs = slice(g * depth // groups, (g + 1) * depth // groups), slice(g * inner, (g + 1) * inner)
        full[(outs, *places, ins)] = np.moveaxis(w.data[ins], 0, -1)
    one = [1] * (2 - rank)
    full = full.reshape(out, *one, *spans, depth)
    scales = np.tile(w.scale, groups) if w.scale.size > 1 else w.scale
    given = bias(b, out, t, Constant(w.data, w.value, scales, w.zero_point))
    largest = 255 * max(int(np.abs(one.astype(np.int32) - zero).sum()) for one in full) + int(np.abs(given.get("bias", np.zeros(1)).astype(np.int64)).max())
    if not power_of_two(t.q.scale, scales, op.target.scale) or largest >= 1 << 24:
        c.approximate(
            "what ONNX Runtime computes in float32", "ConvTranspose", "scales that are powers of two, with which its sums are exact",
            f"layer `{readable(op.output)}` (ConvTranspose) is float32 in ONNX Runtime: elements next to a tie may differ by one"
        )  # fmt: skip
    shape, layout = made_image(t, n, out, [*one, *made])
    layers = moves.Layers(c, op, op.target, layout)

    def convolution(t: Tensor, shape, weight: np.ndarray, times: int, keys: dict) -> Tensor:
        tensors = {"weight": weight, "weight_scale": np.tile(scales, times) if scales.size > 1 else scales}
        return layers.layer("lines", "conv2d", t, shape, tensors | {name: np.tile(v, times) for name, v in given.items()}, **keys, **weight_keys(w))

    whole = pixels.transposed(layers, t, (n, height, width, depth), full, zero, one + strides, [0] * (2 - rank) + before, [*one, *made], convolution)
    layers.end(whole, shape, "convolutions whose lines are interleaved")


def rows(c: Context, op: Operation, t: Tensor, w: Constant, per_output: np.ndarray, tensors: dict) -> None:
    """The innermost dimension of `t` times weights, `per_output` [outputs, elements of the dimension]."""
    layout = t.layout
    inner = layout.dims[-1]
    outer = len(layout.memory) - len(inner)
    if sorted(inner) != list(range(outer, len(layout.memory))):
        t = c.ordered(t, tuple(range(len(layout.dims))), None, "its last dimension innermost")
        layout = t.layout
        inner = layout.dims[-1]
    # The elements of a row may lie in another order than the model's (a Flatten of NCHW): then so do the weights.
    lengths = [layout.memory[a] for a in inner]
    out = per_output.shape[0]
    data = per_output.reshape(out, *lengths).transpose(0, *(1 + np.argsort(inner))).reshape(out, -1)
    count = math.prod(layout.memory[:outer])
    width = math.prod(lengths)
    memory = layout.memory[:outer] + ((out,) if out != 1 else ())
    made = Layout(memory, (*layout.dims[:-1], (outer,) if out != 1 else ()))
    scales = {} if "multiplier" in tensors else {"weight_scale": w.scale}
    tensors = {"weight": np.ascontiguousarray(data), **scales, **tensors}
    if len(t.shape) >= 2 and t.shape[0] == count and math.prod(t.shape) == count * width:
        shape = (count, *(1,) * (len(t.shape) - 2), out)  # `dense` takes an image as one row
        c.layer(op, "dense", [t], shape, made, tensors, out_channels=out, **weight_keys(w))
    else:
        t = c.view(t, (count, width))
        c.layer(op, "matmul", [t], (count, out), made, tensors, out_channels=out, **weight_keys(w))


def matmul(c: Context, op: Operation) -> None:
    op.knows()
    x, w = operands(op, 2)
    t = c.tensor(x)
    if not isinstance(w, Constant):
        of_computed(c, op, t, c.tensor(w))
        return
    w = weights(w, -1)
    joined(c, op, t, w)
    shape = t.layout.shape
    if 2 < w.data.ndim <= len(shape) and shape[-1] == w.data.shape[-2]:
        outer = (1,) * (len(shape) - w.data.ndim) + w.data.shape[:-2]
        if outer == shape[:-2] or math.prod(outer) == 1:
            of_constants(c, op, t, w)
            return
    if w.data.ndim != 2 or len(shape) < 1 or shape[-1] != w.data.shape[0]:
        raise Refused(
            "shapes", f"{shape_text(shape)} times {shape_text(w.data.shape)}",
            "[..., K] times constant weights [K, N], or [..., M, K] times [..., K, N] of the same outer dimensions, or of ones"
        )  # fmt: skip
    rows(c, op, t, w, w.data.T, {})


def of_constants(c: Context, op: Operation, t: Tensor, w: Constant) -> None:
    """[..., M, K] times constant matrices [..., K, N], one for all or for each place in the outer dimensions: then groups of a convolution whose pixels are
    the M rows."""
    *outer, m, k = t.layout.shape
    n, groups = w.data.shape[-1], math.prod(outer)
    rank = len(outer) + 2
    if w.scale.size > 1:
        c.approximate(
            "what ONNX Runtime computes in float32", f"{w.scale.size} scales of weights of {w.data.ndim} dimensions", "one scale, or weights [K, N]",
            f"layer `{readable(op.output)}` (scales per channel of matrices) is float32 in ONNX Runtime: elements next to a tie may differ by one"
        )  # fmt: skip
    if w.data.size == k * n:
        rows(c, op, t, w, w.data.reshape(k, n).T, {})
        return
    if rank > MOST_RANK:
        raise Refused("shapes", f"{shape_text(t.layout.shape)} times {shape_text(w.data.shape)}", f"at most {MOST_RANK} dimensions")
    lines = c.ordered(t, (rank - 2, *range(rank - 2), rank - 1), (1, 1, m, groups * k), "rows of all matrices")
    data = np.ascontiguousarray(w.data.reshape(groups, k, n).transpose(0, 2, 1).reshape(groups * n, 1, 1, k))
    scales = np.tile(w.scale, groups) if w.scale.size > 1 else w.scale
    made = Layout.dense((m, *outer, n)).transposed((*range(1, rank - 1), 0, rank - 1))
    c.layer(op, "conv2d", [lines], (1, 1, m, groups * n), made, {"weight": data, "weight_scale": scales}, out_channels=groups * n, kernel=[1, 1],
            groups=groups, **weight_keys(w))  # fmt: skip


def of_computed(c: Context, op: Operation, a: Tensor, b: Tensor) -> None:
    """Products of matrices that the network computes, [..., M, K] times [..., K, N]: on the array, with the second ones as weights. The outer dimensions are
    groups of a row's elements, as the heads of an attention are before exporters transpose them."""
    joined(c, op, a)
    if a.q.type != b.q.type:
        raise Refused("types", f"{a.q.type} and {b.q.type}", "one type")
    one, two = a.layout.shape, b.layout.shape
    fits = len(one) == len(two) and 2 <= len(one) <= MOST_RANK and one[:-2] == two[:-2] and one[-1] == two[-2]
    if not fits or one[-1] > MOST_TERMS:
        raise Refused("shapes", f"{shape_text(one)} times {shape_text(two)}", f"[..., M, K] times [..., K, N], K at most {MOST_TERMS}")
    rank, groups = len(one), math.prod(one[:-2])
    m, k, n = one[-2], one[-1], two[-1]
    outer = tuple(range(rank - 2))
    rows = c.ordered(a, (rank - 2, *outer, rank - 1), (1, m, groups * k), "rows of all groups")
    matrices = c.view(c.moved(b, (*outer, rank - 1, rank - 2), "weights"), (1, groups, n, k))
    made = Layout.dense((m, *one[:-2], n)).transposed((*(d + 1 for d in outer), 0, rank - 1))
    c.layer(op, "grouped_matmul", [rows, matrices], (1, m, groups * n), made, groups=groups)


def gemm(c: Context, op: Operation) -> None:
    op.knows("alpha", "beta", "transA", "transB")
    x, w, b = operands(op, 2, 3)
    t = c.tensor(x)
    transposed = op.get("transB", 0)
    w = weights(w, 0 if transposed else 1)
    joined(c, op, t, w)
    op.only("transA", 0)
    if b is not None:
        op.only("beta", 1.0)
    alpha = op.get("alpha", 1.0)
    if not (math.isfinite(alpha) and alpha > 0):
        raise Refused("alpha", alpha, "above 0")
    per_output = w.data if transposed else w.data.T
    if w.data.ndim != 2 or len(t.layout.dims) != 2 or t.layout.shape[1] != per_output.shape[1]:
        raise Refused("shapes", f"{shape_text(t.layout.shape)} times {shape_text(w.data.shape)}", "[M, K] times [K, N]")
    tensors = bias(b, per_output.shape[0], t, w, alpha)
    if alpha != 1:
        s = f32(alpha) * f32(t.q.scale) * w.scale / f32(op.target.scale)
        if (s < np.finfo(f32).tiny).any():
            raise Refused("alpha", alpha, "one with which the layer's scale is a normal float32")
        s = np.resize(s, per_output.shape[0]).astype(f32)
        tensors |= {"multiplier": s.view(np.int32), "shift": np.zeros(s.size, np.int32)}  # as `float` arithmetic has them
    rows(c, op, t, w, per_output, tensors)


# ---- two operands --------------------------------------------------------------------------------------------------------------

FLOAT_PAIRS: dict[str, Callable] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Max": np.maximum, "Min": np.minimum, "Pow": np.power,
}  # fmt: skip
# What the runtime joins into one kernel between DequantizeLinear and QuantizeLinear; it computes the others in float32.
WANTED = {"Add": ort.added, "Mul": ort.multiplied}


def wanted_of(op: Operation, kind: str, types: set[str]) -> Callable[[Quantization, Quantization, Quantization], np.ndarray]:
    direct = all(v.joined for v in op.operands if isinstance(v, Real))
    joined = op.node.type in QLINEAR or (len(types) == 1 and direct)
    return WANTED[kind] if kind in WANTED and joined else ort.in_float(FLOAT_PAIRS[kind])


def pair(kind: str) -> Callable[[Context, Operation], None]:
    layers = {"Add": "add", "Sub": "sub", "Mul": "mul"}

    def translate(c: Context, op: Operation) -> None:
        op.knows()
        a, b = operands(op, 2)
        number = next((v for v in (a, b) if isinstance(v, Constant)), None)
        types = {str(v.data.dtype) if isinstance(v, Constant) else c.tensor(v).q.type for v in (a, b)} | {op.target.type}
        wanted = wanted_of(op, kind, types)
        if number is not None:
            with_constant(c, op, a, b, number, wanted)
            return
        ta, tb = c.tensor(a), c.tensor(b)
        if one_pixel(ta, tb):
            tb = moves.spread(c, op, tb, ta)
        elif one_pixel(tb, ta):
            ta = moves.spread(c, op, ta, tb)
        if ta.layout.shape != tb.layout.shape:
            raise Refused(
                "shapes", f"{shape_text(ta.layout.shape)} and {shape_text(tb.layout.shape)}",
                "two of one shape, or one with one pixel for each channel of the other"
            )  # fmt: skip
        if ta.layout.plain() != tb.layout.plain():
            tb = c.ordered(tb, *like(ta), "the order of the other operand")
        if ta.name == tb.name and ta.q == tb.q:
            c.table(op, ta, np.diagonal(wanted(ta.q, ta.q, op.target)))
            return
        one = c.common_root(ta, tb)
        if one is not None:
            root, places = one
            c.table(op, root, wanted(ta.q, tb.q, op.target)[places])
            return
        if kind not in layers:
            raise Refused("operands", "two tensors", "one tensor and a number")
        results = wanted(ta.q, tb.q, op.target)
        if kind == "Mul":
            m = ort.product_multiplier(results, ta.q, tb.q, op.target)
        else:
            m = ort.sum_multipliers(results, ta.q, tb.q, op.target, 1 if kind == "Add" else -1)
        if m.differences:
            c.approximate(
                "its float32 arithmetic", f"in {m.differences} of 65536 pairs of bytes another than any of the machine's",
                "scales and zero points with which all pairs agree",
                f"layer `{readable(op.output)}` differs from ONNX Runtime's float32 arithmetic in {m.differences} of 65536 pairs of bytes"
            )  # fmt: skip
        tb = c.view(tb, ta.shape)
        c.layer(
            op, layers[kind], [ta, tb], ta.shape, ta.layout, m.tensors(), arithmetic=m.arithmetic
        )  # fmt: skip

    return translate


def one_pixel(large: Tensor, small: Tensor) -> bool:
    """[N, C, H, W] and [N, C, 1, 1]."""
    a, b = large.layout.shape, small.layout.shape
    return len(a) == len(b) == 4 and a[:2] == b[:2] and b[2:] == (1, 1) != a[2:]


def like(t: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Dimensions in their order in memory, where each is one piece, and the workload's shape."""
    dims = t.layout.plain().dims
    return tuple(sorted(range(len(dims)), key=lambda d: dims[d][:1] or (-1,))), t.shape


def with_constant(c: Context, op: Operation, a, b, number: Constant, wanted: Callable) -> None:
    """One operand is a number with its scale: a function of the other."""
    t = c.tensor(b if number is a else a)
    if number.data.size > 1 and number.scale is None and op.node.type in ("Add", "Sub") and (number is b or op.node.type == "Add"):
        with_numbers(c, op, t, number)
        return
    if number.data.size != 1 or number.data.ndim > len(t.layout.dims):
        raise Refused(f"{number}", f"a constant of the shape {shape_text(number.data.shape)}", "one number")
    if number.scale is None or number.zero_point is None:
        raise Refused(f"{number}", "float32 without a DequantizeLinear", "a number with its scale")
    q = Quantization(str(number.data.dtype), float(number.scale[0]), int(number.zero_point[0]))
    if q.type not in ("int8", "uint8"):
        raise Refused(f"type of {number}", q.type, "int8, uint8", code="E1106")
    at = int(number.data.reshape(-1)[0]) - ort.limits(q)[0]
    values = wanted(q, t.q, op.target)[at] if number is a else wanted(t.q, q, op.target)[:, at]
    c.table(op, t, values)


def with_numbers(c: Context, op: Operation, t: Tensor, numbers: Constant) -> None:
    """Plus or minus one real number for each element of the innermost dimensions."""
    shape, model = numbers.data.shape, t.layout.shape
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    if numbers.data.dtype != np.float32 or not np.isfinite(numbers.data).all():
        raise Refused(f"{numbers}", f"{numbers.data.dtype}, or not finite", "float32, finite")
    if numbers.data.ndim > len(model) or shape != model[len(model) - len(shape) :] or len(model) > MOST_RANK:
        state = f"a constant of the shape {shape_text(numbers.data.shape)}"
        raise Refused(f"{numbers}", state, f"one number, or the innermost dimensions of {shape_text(model)}")
    t = c.ordered(t, tuple(range(len(model))), model, "the order of the numbers that are added")
    addend = numbers.data.reshape(shape) * f32(1 if op.node.type == "Add" else -1)
    c.layer(op, "add_constant", [t], model, Layout.dense(model), {"addend": np.ascontiguousarray(addend)}, shape=[int(n) for n in shape])


# ---- windows without weights, means ----------------------------------------------------------------------------------------------


def max_pool(c: Context, op: Operation) -> None:
    op.knows("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides")
    (x,) = operands(op, 1)
    if any(op.node.outputs[1:]):
        raise Refused("outputs", len(op.node.outputs), "one, without indices")
    op.only("storage_order", 0)
    t = c.image(x)
    rank = len(t.layout.shape) - 2
    kernel = op.integers("kernel_shape", [0] * rank, 1)
    keys, size = window(op, t.layout.shape[2:], tuple(kernel), dilated=False)
    pads, (kh, kw) = keys["padding"], keys["kernel"]
    if max(pads[0], pads[2]) >= kh or max(pads[1], pads[3]) >= kw:
        raise Refused("pads", pads, "less than the kernel")
    shape, layout = made_image(t, t.shape[0], t.shape[3], size)
    requantized(c, op, "max_pool", t, shape, layout, **keys)


def requantized(c: Context, op: Operation, kind: str, t: Tensor, shape, layout, **keys) -> None:
    """A layer that keeps its input's quantization, and a table where the result has another."""
    if op.target in (None, t.q):
        c.layer(Operation(op.node, [], op.output, None), kind, [t], shape, layout, **keys)
        return
    inner = f"{op.output}.{kind}"
    c.layer(Operation(op.node, [], inner, None), kind, [t], shape, layout, **keys)
    made = c.values.pop(inner)
    del c.workload.sources[made.name]  # the model has no such value
    c.table(op, made, ort.quantized(ort.dequantized(t.q), op.target))


def global_average(c: Context, op: Operation) -> None:
    op.knows("channels_last")
    (x,) = operands(op, 1)
    op.only("channels_last", 0)
    average(c, op, c.image(x))


def average(c: Context, op: Operation, t: Tensor) -> None:
    joined(c, op, t)
    n, _, _, channels = t.shape
    shape, layout = made_image(t, n, channels, [1, 1])
    c.layer(op, "global_avg_pool", [t], shape, layout)


def average_pool(c: Context, op: Operation) -> None:
    op.knows("auto_pad", "ceil_mode", "channels_last", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")
    (x,) = operands(op, 1)
    op.only("channels_last", 0)
    t = c.image(x)
    size = t.layout.shape[2:]
    kernel = op.integers("kernel_shape", [0] * len(size), 1)
    keys, made = window(op, size, tuple(kernel), dilated=False)
    if tuple(kernel) == tuple(size) and not any(keys["padding"]):
        average(c, op, t)
        return
    pads, (kh, kw) = keys["padding"], keys["kernel"]
    if any(pads) and (op.get("count_include_pad", 0) or op.get("ceil_mode", 0)):
        raise Refused("count_include_pad, ceil_mode", "pixels of the padding counted", "averages over the pixels of the image", SLOPE_HINT)
    if max(pads[0], pads[2]) >= kh or max(pads[1], pads[3]) >= kw:
        raise Refused("pads", pads, "less than the kernel")
    c.approximate(
        "kernel_shape", f"{kernel} of an image {list(size)}", "the whole image, without padding",
        f"layer `{readable(op.output)}` is float32 in ONNX Runtime: sums over {kh}x{kw} pixels are rounded in another way where they lie next to a tie"
    )  # fmt: skip
    shape, layout = made_image(t, t.shape[0], t.shape[3], made)
    requantized(c, op, "avg_pool", t, shape, layout, **keys)


# ---- others --------------------------------------------------------------------------------------------------------------------


def leaky_relu(c: Context, op: Operation) -> None:
    function(c, op, "LeakyRelu")


def sigmoid(c: Context, op: Operation) -> None:
    function(c, op, "Sigmoid")


def check_function(op: Operation) -> None:
    """The attributes of a function of one value."""
    op.knows(*ort.ATTRIBUTES.get(op.node.type.removeprefix("QLinear"), ()))
    for name, value in op.node.attributes.items():
        if name == "approximate" and value not in ("none", "tanh"):
            raise Refused(name, value, "none, tanh")
        if name != "approximate" and not (isinstance(value, float) and math.isfinite(value)):
            raise Refused(name, value, "a number")


def function(c: Context, op: Operation, kind: str) -> None:
    check_function(op)
    (x,) = operands(op, 1)
    t = c.tensor(x)
    c.table(op, t, ort.quantized(ort.unary(kind, ort.dequantized(t.q), op.node.attributes), op.target))


def innermost(c: Context, t: Tensor, axis: int) -> Tensor:
    """A tensor whose innermost dimension in memory is the model's dimension `axis`; refused where that is another one."""
    rank, layout = len(t.layout.dims), t.layout
    if not -rank <= axis < rank:
        raise Refused("axis", axis, f"{-rank} to {rank - 1}")
    inner = layout.dims[axis]
    outer = len(layout.memory) - len(inner)
    if inner != tuple(range(outer, len(layout.memory))):
        t = c.moved(t, (*(d for d in range(rank) if d != axis % rank), axis % rank), "that dimension innermost")
        layout = t.layout
        outer = len(layout.memory) - len(layout.dims[axis])
    if 1 in (t.shape[0], layout.shape[0]) and axis % rank and outer + 2 <= MOST_RANK:
        return c.view(t, (1, *layout.memory[:outer], layout.shape[axis]))  # the number of images stays a dimension
    return c.view(t, (*layout.memory[:outer], layout.shape[axis]))


def arg_max(c: Context, op: Operation) -> None:
    op.knows("axis", "keepdims", "select_last_index")
    (x,) = operands(op, 1)
    t = c.tensor(x)
    axis = op.get("axis", 0)
    op.only("select_last_index", 0)
    t = innermost(c, t, axis)
    layout = t.layout
    axis %= len(layout.dims)
    outer = len(layout.memory) - len(layout.dims[axis])
    kept = [() if d == axis else dim for d, dim in enumerate(layout.dims) if d != axis or op.get("keepdims", 1)]
    c.integer_layer(op, "argmax", t, t.shape[:-1] or (1,), Layout(layout.memory[:outer], tuple(kept)))


def softmax(c: Context, op: Operation) -> None:
    """Between DequantizeLinear and QuantizeLinear: the runtime's optimization `extended` makes QLinearSoftmax of it."""
    op.knows("axis")
    (x,) = operands(op, 1)
    if isinstance(x, Pending) and x.node.type == "Add":
        masked_softmax(c, op, x)
        return
    t = c.tensor(x)
    old = c.graph.opset < 13  # then it is over all dimensions from `axis` on
    axis = op.get("axis", 1 if old else -1)
    if old and axis not in (-1, len(t.layout.dims) - 1):
        raise Refused("axis", axis, f"{len(t.layout.dims) - 1}, the last, of an operator older than opset 13")
    t = innermost(c, t, axis)
    c.layer(op, "softmax", [t], t.shape, t.layout, arithmetic="float", form="qlinear")


def masked_softmax(c: Context, op: Operation, added: Pending) -> None:
    """Behind the addition of a mask in float32: 0 for what counts, a large negative number for what does not."""
    found = [(s, m) for s, m in (added.operands, added.operands[::-1]) if isinstance(s, Real) and s.plain and isinstance(m, Real) and is_mask(m)]
    if len(found) != 1 or len(c.graph.readers.get(added.node.outputs[0], ())) != 1:
        raise Refused(
            f"operand {added}", "no sum of a tensor and a mask, for the Softmax alone",
            "float32 of a DequantizeLinear, or its sum with what a Sub and a Mul make of an integer input: 0 for 1, a negative number for 0"
        )  # fmt: skip
    scores, mask = found[0]
    shape, of_mask = scores.layout.shape, mask.layout.shape
    rank = len(shape)
    if op.get("axis", -1) not in (-1, rank - 1):
        raise Refused("axis", op.get("axis", -1), f"{rank - 1}, the last")
    own = next((d for d in range(rank - 1) if len(of_mask) == rank and of_mask[d] != shape[d]), rank - 1)  # dimensions before it have rows of their own
    if len(of_mask) != rank or of_mask[-1] != shape[-1] or any(n != 1 for n in of_mask[own:-1]) or rank > MOST_RANK:
        raise Refused("shapes", f"{shape_text(shape)} and a mask {shape_text(of_mask)}", "the mask's dimensions those of the tensor, then 1, then its last")
    if math.prod(of_mask[:-1]) == 1:
        t = innermost(c, scores.tensor.viewed(scores.tensor.value, scores.layout), rank - 1)
    else:
        t = c.ordered(scores.tensor, tuple(range(rank)), shape, "its last dimension innermost")
    m = c.ordered(mask.tensor.viewed(mask.tensor.value, mask.layout), tuple(range(rank)), (math.prod(of_mask[:-1]), of_mask[-1]), "the order of the mask")
    c.layer(op, "masked_softmax", [t, m], t.shape, t.layout, penalty=float(mask.values[0]))


def is_mask(x: Real) -> bool:
    """A function of an integer input that is 0 for 1, and at most -1 for 0."""
    return x.tensor.q == Quantization("uint8", 1.0, 0) and x.values[1] == 0 and -math.inf < x.values[0] <= -1


def layer_norm(c: Context, op: Operation) -> None:
    op.knows("axis", "epsilon", "stash_type")
    x, gamma, beta = operands(op, 2, 3)
    if any(op.node.outputs[1:]):
        raise Refused("outputs", len(op.node.outputs), "one, without mean and deviation")
    op.only("stash_type", 1, "float32 (1)")
    factor = None
    if isinstance(x, Pending) and x.node.type == "Mul":
        numbers = next((v for v in x.operands if isinstance(v, Constant)), None)
        x, factor = next((v for v in x.operands if v is not numbers), None), numbers
        if len(c.graph.readers.get(op.node.inputs[0], ())) != 1:
            raise Refused(f"readers of `{op.node.inputs[0]}`", len(c.graph.readers[op.node.inputs[0]]), "one, the LayerNormalization")
    t = c.tensor(x)
    axis, rank = op.get("axis", -1), len(t.layout.dims)
    if axis not in (-1, rank - 1):
        raise Refused("axis", axis, f"{rank - 1}, the last")
    epsilon = op.get("epsilon", 1e-5)
    if not 1e-30 <= epsilon <= 1:
        raise Refused("epsilon", epsilon, "1e-30 to 1")
    t = innermost(c, t, axis)
    tensors = {"gamma": row_of(gamma, t.layout.shape[-1])} | ({"beta": row_of(beta, t.layout.shape[-1])} if beta is not None else {})
    tensors |= {"factor": row_of(factor, t.layout.shape[-1])} if factor is not None else {}
    c.layer(op, "layer_norm", [t], t.shape, t.layout, tensors, epsilon=float(epsilon))


def row_of(value, length: int) -> np.ndarray:
    if not isinstance(value, Constant) or value.real.dtype != np.float32 or value.data.size != length or not np.isfinite(value.real).all():
        state = f"{value.data.dtype} {shape_text(value.data.shape)}" if isinstance(value, Constant) else "computed by the network"
        raise Refused(f"factors or addends, {value}", state, f"a constant float32 [{length}], finite")
    return np.ascontiguousarray(value.real.reshape(-1))


def gather(c: Context, op: Operation) -> None:
    """Rows of a constant table, which are quantized before they are taken: the same bytes."""
    op.knows("axis")
    table, indices = operands(op, 2)
    op.only("axis", 0)
    if not isinstance(indices, IntegerInput) or not indices.layout.lies(*range(len(indices.layout.dims))):
        raise Refused(f"indices, {indices}", "computed by the network", "an input of the model, int32 or int64")
    if not isinstance(table, Constant) or table.real.dtype != np.float32 or table.data.ndim != 2 or table.data.size == 0:
        raise Refused(f"table, {table}", "no constant float32, or no rows", "a constant [rows, channels] of float32, or of integers behind a DequantizeLinear")
    shape = (*indices.layout.shape, table.data.shape[1])
    if len(shape) > MOST_RANK:
        raise Refused("shape of the result", shape_text(shape), f"at most {MOST_RANK} dimensions")
    t = c.view(c.integers(indices, "int32"), indices.layout.shape)
    rows = ort.quantized(table.real, op.target).astype(op.target.type)
    c.layer(op, "gather", [t], shape, Layout.dense(shape), {"weight": rows}, rows=rows.shape[0], out_channels=rows.shape[1])


OPERATORS: dict[str, Row] = {
    "Add": Row(
        pair("Add"), "QLinearAdd", "`add`, or `table`",
        "two computed tensors of one shape, or one with one pixel for each channel of the other (repeated by windows), if the "
        "machine's arithmetic gives ONNX Runtime's result for each of the 65,536 pairs of bytes; or one and a number; or one and float32 numbers for each "
        "element of its innermost dimensions (`add_constant`, on the host)"
    ),
    "ArgMax": Row(arg_max, "", "`argmax`, on the host", "over the innermost dimension in memory (channels), at the end of a model; as int32"),
    "AveragePool": Row(
        average_pool, "QLinearAveragePool", "`global_avg_pool`",
        "over the whole image, without padding; other windows with `--nearest`, as `avg_pool`"
    ),
    "Concat": Row(
        moves.concat, "QLinearConcat", "`conv2d` with ones and zeros, `add`, `table`",
        "along any dimension but the first, any scales; of constants folded, such as the shape that a Reshape takes"
    ),
    "Conv": Row(
        conv, "QLinearConv", "`conv2d`",
        "1 or 2 dimensions; constant weights, per tensor or per channel, int32 bias or none; any window, stride, dilation, padding, group"
    ),
    "ConvTranspose": Row(
        conv_transpose, "", "`conv2d` for each line of a stride, `add`",
        "constant weights, int32 bias or none; any window, stride, dilation, padding, output shape and group; ONNX Runtime computes it in float32, so with "
        "scales that are powers of two, or with `--nearest`"
    ),
    "DepthToSpace": Row(moves.depth_to_space, "", "`conv2d` with ones and zeros, `add`", "of images of 2 dimensions; DCR and CRD; any scales", keeps=True),
    "Gather": Row(
        gather, "", "`gather`, on the host",
        "rows (axis 0) of a constant table of 2 dimensions, float32 or behind a DequantizeLinear, by an int32 or int64 input of the model; of constants "
        "folded, such as the shape that a Reshape takes"
    ),
    "Gemm": Row(gemm, "QGemm", "`dense` or `matmul`", "constant weights, per tensor or per channel, int32 bias or none; any alpha, transB"),
    "GlobalAveragePool": Row(global_average, "QLinearGlobalAveragePool", "`global_avg_pool`", "any scales"),
    "LayerNormalization": Row(
        layer_norm, "", "`layer_norm`, on the host",
        "over the last dimension, constant scale, with or without bias: ONNX Runtime's float32 kernel for x86 with AVX2, to the bit; behind a Mul with one "
        "float32 number per channel, too"
    ),
    "LeakyRelu": Row(leaky_relu, "QLinearLeakyRelu", "`table`", "any scales and alpha"),
    "MatMul": Row(
        matmul, "QLinearMatMul", "`dense` or `matmul`",
        "constant weights [K, N], per tensor or per channel; any rank of the other operand; or [..., M, K] times constant weights [..., K, N] of the same "
        "outer dimensions, or of ones, per tensor (`conv2d` with groups); or two computed tensors of one type, [..., M, K] times [..., K, N] "
        "(`grouped_matmul`: the host puts the second one into the order of weights)"
    ),
    "MaxPool": Row(max_pool, "", "`max_pool`", "1 or 2 dimensions, any window, stride, padding less than it, ceil_mode", keeps=True),
    "Mul": Row(pair("Mul"), "QLinearMul", "`mul`, or `table`", "as Add"),
    "Pad": Row(
        moves.pad, "", "`conv2d` with ones, `add`",
        "of height and width: constant, with zeros; edge, reflect and wrap, at most 64 pixels more along each; any scales"
    ),
    "Resize": Row(
        moves.resize, "", "`max_pool` that repeats pixels, `conv2d` with ones",
        "nearest, to multiples of height and width where each pixel stands as often as the others, or fractions with even steps; any coordinates but "
        "`tf_crop_and_resize`; constant scales or sizes", keeps=True
    ),
    "Sigmoid": Row(sigmoid, "QLinearSigmoid", "`table`", "any scales"),
    "Slice": Row(
        moves.slices, "", "`conv2d` with ones and zeros",
        "constant starts, ends, axes and steps (above 0 but for the channels); one dimension wherever it lies, or several but the first of images; any scales; "
        "of bytes, too; of constants folded", keeps=True
    ),
    "Softmax": Row(
        softmax, "", "`softmax`, on the host",
        "over the innermost dimension in memory (of images: channels), with a QuantizeLinear behind it; without one at the end of a model nothing: its output "
        "is then the bytes before it, and a note says so; behind the sum with a mask in float32, which is a function of an integer input, `masked_softmax`"
    ),
    "SpaceToDepth": Row(moves.space_to_depth, "", "`conv2d` with ones and zeros", "of images of 2 dimensions; any scales", keeps=True),
    "Sub": Row(pair("Sub"), "", "`sub`, or `table`", "as Add"),
}  # fmt: skip
QLINEAR = {row.qlinear: kind for kind, row in OPERATORS.items() if row.qlinear}

# Operators that need no layer of their own, for the table in the documentation.
VIEW = "nothing, or `reshape`", "any; where elements have to move, a `transpose` on the host before what reads them; constants are folded"
FUNCTION = "`table`", "any scales; a chain of functions of one tensor, and of numbers, is one table"
OTHERS = {
    "DequantizeLinear": (
        "nothing",
        "of bytes, to float32 operators or the model's outputs; of constants, per tensor or per channel; of constants for `add_constant` and `gather` in "
        "blocks, too, and of 2 and 4 bits, float8 and float4",
    ),
    "QuantizeLinear": ("nothing, or `table`", "of a float32 input of the model (it makes the workload's input), or behind a float32 operator; int8, uint8"),
    "Quant": ("nothing, or `table`", "QONNX's, of Brevitas: as QuantizeLinear, Clip and DequantizeLinear; zero point 0, 2 to 8 bits, of constants 2 to 32"),
    "Identity": ("nothing", "any"),
    "Dropout": ("nothing", "for inference, or of a ratio of 0; without its mask"),
    "Split": ("as `Slice`", "along the channels, height or width, each part as a Slice; of bytes, too"),
    "LogSoftmax": ("nothing", "at the end of a model, in float32: its output is then the bytes before it, and a note says so"),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"), VIEW),
    **{kind: FUNCTION for kind in (*ort.UNARY, "Clip") if kind not in OPERATORS},
    "Relu": ("nothing, or `table`", "behind a layer, if the quantization cuts at 0 by itself; else any scales"),
    "Clip": ("nothing, `table` or `clamp`", "as Relu, with constant bounds; of bytes, too (Brevitas' QCDQ form)"),
    **dict.fromkeys(("Div", "Max", "Min", "Pow"), ("`table`", "a tensor and a number, or functions of one tensor")),
    **dict.fromkeys(("Constant", "Shape"), ("nothing", "constants, such as the shape that a Reshape takes")),
    "Cast": ("nothing", "constants; of an int32 or int64 input of the model, a mask, to float32: the workload's input is then uint8"),
}  # fmt: skip


def table_rows() -> list[str]:
    """Of the table in docs/reference/onnx.md."""
    rows = {kind: (row.qlinear, row.becomes, row.supported) for kind, row in OPERATORS.items()}
    rows |= {kind: ("", *text) for kind, text in OTHERS.items() if kind not in OPERATORS}
    cells = ((f"`{kind}`", f"`{qlinear}`" if qlinear else "", *text) for kind, (qlinear, *text) in sorted(rows.items()))
    return [f"| {' | '.join(row)} |" for row in cells]
