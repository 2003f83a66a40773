# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's arithmetic (CPU, x86, optimization level extended, int8 QDQ allowed), and how the machine's integers give the very same.

What is a function of one byte becomes a table. What is a function of two bytes (additions, products) the runtime computes in float32; here fixed-point
multipliers are sought that give its result for each of the 65,536 pairs. Where there are none, the caller is told how close one can come.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..numerics import quantize_multiplier
from .workload import Quantization

f32 = np.float32


def limits(q: Quantization) -> tuple[int, int]:
    return (-128, 127) if q.type == "int8" else (0, 255)


def elements(q: Quantization) -> np.ndarray:
    """All 256 values of a type, ascending, as int64."""
    low, high = limits(q)
    return np.arange(low, high + 1, dtype=np.int64)


def dequantized_constant(data: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | None, axis: int, block: int) -> np.ndarray:
    """DequantizeLinear of constants of any type: float32 [as `data`]. `scale`, and `zero_point` like it: one, one for each element of the dimension `axis`, or
    (`block` above 0) one for each `block` elements of it. ValueError, IndexError: they do not fit."""
    if not 0 <= block <= max(data.shape, default=0):
        raise ValueError(f"blocks of {block}")
    if block:
        blocks = [*data.shape]
        blocks[axis] = -(-data.shape[axis] // block)
        if any([*v.shape] != blocks for v in (scale, zero_point) if v is not None):
            raise ValueError(f"scales of {[*scale.shape]} for blocks of {block} in {[*data.shape]}")
        at = np.arange(data.shape[axis])
        scale, zero_point = (None if v is None else np.repeat(v, block, axis).take(at, axis) for v in (scale, zero_point))
    elif scale.size > 1:
        shape = [1] * data.ndim
        shape[axis] = -1
        scale, zero_point = scale.reshape(shape), None if zero_point is None else zero_point.reshape(shape)
    assert scale is not None
    if data.dtype.kind == "f":  # of 4 or 8 bits in the file, whose zero points are 0
        return (data * scale.astype(f32)).astype(f32).reshape(data.shape)
    kind = np.int32 if data.dtype.itemsize < 4 else np.int64
    whole = data.astype(kind) - (0 if zero_point is None else zero_point.astype(kind))
    return (whole.astype(f32) * scale.astype(f32)).reshape(data.shape)


def dequantized(q: Quantization) -> np.ndarray:
    """DequantizeLinear of elements(q)."""
    return (elements(q) - q.zero_point).astype(f32) * f32(q.scale)


def quantized(real: np.ndarray, q: Quantization) -> np.ndarray:
    """QuantizeLinear: rounds half to even and adds the zero point then. Infinite values saturate."""
    low, high = limits(q)
    with np.errstate(over="ignore"):
        y = real.astype(f32) / f32(q.scale)
    return (np.rint(np.clip(y, low - q.zero_point, high - q.zero_point)) + q.zero_point).astype(np.int64)


def table(values: np.ndarray) -> np.ndarray:
    """For a workload: results for the values of a type, ascending, as bytes in the order of the raw bytes of the input. Of signed types the
    negative ones, which stand first, belong to the bytes from 128 on."""
    return (values & 0xFF).astype(np.uint8)


def table_of(source: Quantization, values: np.ndarray) -> np.ndarray:
    out = np.empty(256, np.uint8)
    out[elements(source) & 0xFF] = values & 0xFF
    return out


# ---- functions of one value ----------------------------------------------------------------------------------------------------
# In double precision, rounded to float32: after QuantizeLinear the same as the runtime's own approximations.

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _polynomial(square: np.ndarray, *coefficients: float) -> np.ndarray:
    total = np.full_like(square, f32(coefficients[0]))
    for c in coefficients[1:]:
        total = _fma(total, square, f32(c))
    return total


# The runtime's rational approximations, with its constants (onnxruntime/core/mlas/lib/logistic.cpp, tanh.cpp), as its kernels for FMA compute them in
# float32: the exact functions round another way where a result lies next to a tie.


def _sigmoid(x: np.ndarray) -> np.ndarray:
    value = np.clip(x.astype(f32), f32(-18), f32(18))
    square = value * value
    p = _polynomial(square, 4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03, 2.48287947061529e-01) * value
    q = _polynomial(square, 6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01,
                    9.93151921023180e-01)  # fmt: skip
    return (p / q + f32(0.5)).astype(np.float64)


def _tanh(x: np.ndarray) -> np.ndarray:
    value = np.clip(x.astype(f32), f32(-9), f32(9))
    square = value * value
    p = _polynomial(square, -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
                    6.37261928875436e-04, 4.89352455891786e-03) * value  # fmt: skip
    return p / _polynomial(square, 1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


# In float32, step by step as the runtime has them.


def _hard_sigmoid(x, alpha=0.2, beta=0.5):
    return np.clip(f32(alpha) * x.astype(f32) + f32(beta), f32(0), f32(1))


def _softsign(x):
    value = x.astype(f32)
    return f32(1) / (f32(1) + np.abs(value)) * value


def _gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


# Type of node -> function of float64 values; its keywords are the node's attributes.
UNARY: dict[str, Callable[..., np.ndarray]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Elu": lambda x, alpha=1.0: np.where(x < 0, f32(alpha) * np.expm1(np.minimum(x, 0)), x),
    "Erf": _erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x: x.astype(f32) * _hard_sigmoid(x, 1 / 6, 0.5),
    "LeakyRelu": lambda x, alpha=0.01: np.where(x < 0, (x.astype(f32) * f32(alpha)).astype(np.float64), x),
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.maximum(x, 0),
    "Round": np.rint,
    "Sigmoid": _sigmoid,
    "Sign": np.sign,
    "Softplus": lambda x: np.logaddexp(x, 0),
    "Softsign": _softsign,
    "Sqrt": np.sqrt,
    "Tanh": _tanh,
    "ThresholdedRelu": lambda x, alpha=1.0: np.where(x > f32(alpha), x, 0),
}
ATTRIBUTES = {"Elu": ("alpha",), "Gelu": ("approximate",), "HardSigmoid": ("alpha", "beta"), "LeakyRelu": ("alpha",), "ThresholdedRelu": ("alpha",)}


def unary(kind: str, real: np.ndarray, attributes: dict) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return UNARY[kind](real.astype(np.float64), **attributes).astype(f32)


# ---- functions of two values ---------------------------------------------------------------------------------------------------


def _fma(a: np.ndarray, b, c) -> np.ndarray:
    """float32 a * b + c, rounded once."""
    return (np.asarray(a, np.longdouble) * np.longdouble(b) + np.asarray(c, np.longdouble)).astype(f32)


def added(a: Quantization, b: Quantization, y: Quantization) -> np.ndarray:
    """QLinearAdd, for elements(a) down and elements(b) across."""
    low, high = limits(y)
    ra, rb = f32(a.scale) / f32(y.scale), f32(b.scale) / f32(y.scale)
    fixed = f32(y.zero_point) - _fma(ra, a.zero_point, rb * f32(b.zero_point))
    t = _fma(elements(b)[None, :], rb, fixed)
    t = _fma(elements(a)[:, None], ra, t)
    return np.clip(np.rint(t), low, high).astype(np.int64)


def multiplied(a: Quantization, b: Quantization, y: Quantization) -> np.ndarray:
    """QLinearMul, likewise."""
    low, high = limits(y)
    product = (elements(a) - a.zero_point)[:, None] * (elements(b) - b.zero_point)[None, :]
    s = f32(a.scale) * f32(b.scale) / f32(y.scale)
    return np.clip(np.rint(product.astype(f32) * s + f32(y.zero_point)), low, high).astype(np.int64)


def in_float(function: Callable) -> Callable[[Quantization, Quantization, Quantization], np.ndarray]:
    """DequantizeLinear, `function` in float32, QuantizeLinear, which the runtime does not join: Sub, Div, ..."""

    def values(a: Quantization, b: Quantization, y: Quantization) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return quantized(function(dequantized(a)[:, None], dequantized(b)[None, :]), y)

    return values


@dataclass
class Multipliers:
    """For a workload's `add`, `sub` or `mul`: its arithmetic, multipliers and shifts, and in how many of the 65,536 pairs the result differs."""

    arithmetic: str
    multiplier: np.ndarray
    shift: np.ndarray
    differences: int
    bias: int = 0

    def tensors(self) -> dict[str, np.ndarray]:
        bias = {"bias": np.array([self.bias], np.int32)} if self.bias else {}
        return {"multiplier": self.multiplier, "shift": self.shift, **bias}


def _single(x: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """`fixed_single` of docs/reference/arithmetic.md."""
    return (x * np.int64(multiplier) + (np.int64(1) << (30 - shift))) >> (31 - shift)


def _float(x: np.ndarray, s: f32) -> np.ndarray:
    """`float`, likewise."""
    return np.rint(np.clip((x.astype(f32) * s).astype(np.float64), 1 - 2.0**31, 2.0**31 - 1)).astype(np.int64)


@dataclass
class _Sum:
    """An `add` (sign 1) or `sub` (-1): the result that it must have for all pairs, and its operands' differences to their zero points."""

    wanted: np.ndarray
    da: np.ndarray
    db: np.ndarray
    sign: int
    y: Quantization

    def made(self, rounded: Callable, m: list) -> np.ndarray:
        """What the machine makes of all pairs, with entries (multiplier, shift or nothing) of one arithmetic, and a bias at their end."""
        *entries, bias = m
        x = rounded(self.da << 20, *entries[0]) + self.sign * rounded(self.db << 20, *entries[1]) + bias
        return np.clip(rounded(x, *entries[2]) + self.y.zero_point, *limits(self.y))

    def in_float(self, factors: list[float], bias: int = 0) -> Multipliers:
        """Ties go to even numbers, as the runtime's do where the zero point is even."""
        s = np.array(factors, f32)
        none = (s < np.finfo(f32).tiny).any()
        differences = self.wanted.size if none else int((self.made(_float, [(s[0],), (s[1],), (s[2],), bias]) != self.wanted).sum())
        return Multipliers("float", s.view(np.int32), np.zeros(3, np.int32), differences, bias)

    def in_fixed_point(self, factors: list[float], bias: int) -> Multipliers:
        m = [quantize_multiplier(f) for f in factors]
        none = any(not -31 <= s <= 30 for _, s in m) or abs(bias) >= 1 << 31
        differences = self.wanted.size if none else int((self.made(_single, [*m, bias]) != self.wanted).sum())
        return Multipliers("fixed_single", np.array([q for q, _ in m], np.int32), np.array([s for _, s in m], np.int32), differences, bias)


def sum_multipliers(wanted: np.ndarray, a: Quantization, b: Quantization, y: Quantization, sign: int = 1) -> Multipliers:
    """For `add` (sign 1) or `sub` (-1). What is computed is ra (a - za) + rb (b - zb), exactly; what the runtime computes is off by what float32 rounds.
    So a few pairs that lie next to a tie fall on its other side: they are put there by a bias, and by factors that move by as little."""
    pairs = _Sum(wanted, (elements(a) - a.zero_point)[:, None], (elements(b) - b.zero_point)[None, :], sign, y)
    ra, rb = float(f32(a.scale) / f32(y.scale)), float(f32(b.scale) / f32(y.scale))
    bits = math.floor(math.log2(((1 << 31) - 1) / (256 * 1.01 * (ra + rb))))  # of the sum below the point

    def factors(fa: float, fb: float) -> list[float]:
        return [math.ldexp(fa, bits - 20), math.ldexp(fb, bits - 20), 2.0**-bits]

    best = pairs.in_float(factors(ra, rb))
    if best.differences == 0:
        return best
    real = ra * pairs.da + sign * rb * pairs.db
    near = np.argwhere(np.abs(real + 0.5 - np.rint(real + 0.5)) < 2e-3)
    if len(near) > 4096:  # ties by the thousand: scales that are powers of two
        return min(best, pairs.in_fixed_point(factors(ra, rb), 0), key=lambda one: one.differences)
    da, db = pairs.da[near[:, 0], 0].astype(float), sign * pairs.db[0, near[:, 1]].astype(float)
    target, (low, high) = wanted[near[:, 0], near[:, 1]], limits(y)
    fine = 2.0 ** np.arange(-28, -20, 0.5)
    moves = np.concatenate([[0.0], fine, -fine])
    tries = []
    for i, j in itertools.product(moves, moves):
        sums = ra * (1 + i) * da + rb * (1 + j) * db
        # target - 1/2 <= sum + bias < target + 1/2, but for what is cut at the ends of the type
        least = np.where(target > low, target - y.zero_point - 0.5 - sums, -1.0).max(initial=-1.0)
        most = np.where(target < high, target - y.zero_point + 0.5 - sums, 1.0).min(initial=1.0)
        tries.append((most - least, i, j, (least + most) / 2))
    for _, i, j, bias in sorted(tries, reverse=True)[:8]:
        made = pairs.in_fixed_point(factors(ra * (1 + i), rb * (1 + j)), round(math.ldexp(bias, bits)))
        best = min(best, made, key=lambda one: one.differences)
        if best.differences == 0:
            return best
    # Sums that float32 rounds to the very tie go to even numbers: as they do in `float`, with factors a few last bits away and a bias of as much.
    steps = sorted(itertools.product(range(-3, 4), range(-3, 4), (0, -1, 1, -2, 2, -4, 4)), key=lambda s: sum(map(abs, s)))
    for i, j, k in steps:
        bias = k * round(math.ldexp(1, bits - 19))
        made = pairs.in_float(factors(ra * (1 + i * 2.0**-23), rb * (1 + j * 2.0**-23)), bias)
        best = min(best, made, key=lambda one: one.differences)
        if best.differences == 0:
            break
    return best


def product_multiplier(wanted: np.ndarray, a: Quantization, b: Quantization, y: Quantization) -> Multipliers:
    """For `mul`."""
    low, high = limits(y)
    p = ((elements(a) - a.zero_point)[:, None] * (elements(b) - b.zero_point)[None, :]).reshape(-1)
    p, first = np.unique(p, return_index=True)
    target = wanted.reshape(-1)[first]
    scale = float(f32(a.scale) * f32(b.scale) / f32(y.scale))
    # target - 1/2 <= p * s + zero point < target + 1/2, for each p: bounds of s.
    inside = (p != 0) & (target > low) & (target < high)
    with np.errstate(divide="ignore"):
        one, other = (target[inside] - y.zero_point - 0.5) / p[inside], (target[inside] - y.zero_point + 0.5) / p[inside]
    least, most = np.minimum(one, other).max(initial=scale * (1 - 2.0**-20)), np.maximum(one, other).min(initial=scale * (1 + 2.0**-20))
    tries = [scale, (least + most) / 2, least, most, least + (most - least) * 0.01, most - (most - least) * 0.01]
    best: Multipliers | None = None
    for real in tries:
        multiplier, shift = quantize_multiplier(real)
        for m in (multiplier, multiplier - 1, multiplier + 1):
            if not (-31 <= shift <= 30 and 0 <= m < 1 << 31):
                continue
            made = np.clip(_single(p, m, shift) + y.zero_point, low, high)
            differences = int((made != target).sum())
            if best is None or differences < best.differences:
                best = Multipliers("fixed_single", np.array([m], np.int32), np.array([shift], np.int32), differences)
    return best or Multipliers("fixed_single", np.zeros(1, np.int32), np.zeros(1, np.int32), p.size)
