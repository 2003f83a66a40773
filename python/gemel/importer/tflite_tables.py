# SPDX-License-Identifier: Apache-2.0
"""Functions of one 8-bit value as tables of 256 bytes, filled by the recipes of TensorFlow Lite Micro's reference kernels.

Each recipe gives what the kernel gives for every input, whatever it approximates: several compute with 16- or 32-bit fixed point numbers.
Names as in gemmlowp: RoundingDivideByPOT is `divide_by_power`, SaturatingRoundingDoublingHighMul is `high_mul`.
"""

import math
from collections.abc import Callable

import numpy as np

from ..numerics import quantize_multiplier, requantize
from .workload import Quantization

f32 = np.float32


def fill(source: Quantization, target: Quantization, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The table of `function`, which takes all values of the source's type (int64) to values of the target's, before they are cut to its range."""
    low, target_low = (-128 if q.type == "int8" else 0 for q in (source, target))
    values = np.arange(low, low + 256, dtype=np.int64)
    table = np.empty(256, np.uint8)
    table[values & 0xFF] = np.clip(function(values), target_low, target_low + 255) & 0xFF
    return table


def _rescaled(values: np.ndarray, real: float) -> np.ndarray:
    return requantize(values, *quantize_multiplier(real))


def requantized(source: Quantization, target: Quantization) -> np.ndarray:
    """QUANTIZE from 8 bits to 8 bits."""
    return fill(
        source, target, lambda q: _rescaled(q - source.zero_point, source.scale / target.scale) + target.zero_point
    )


def relu(source: Quantization, target: Quantization, bounds: tuple[float | None, float | None]) -> np.ndarray:
    """RELU: rescaled, then cut at the quantized bounds."""

    def bound(value: float) -> int:
        return target.zero_point + int(round_away(f32(value) / f32(target.scale)))

    def function(q):
        y = _rescaled(q - source.zero_point, source.scale / target.scale) + target.zero_point
        return np.clip(y, *(None if b is None else bound(b) for b in bounds))

    return fill(source, target, function)


def leaky_relu(source: Quantization, target: Quantization, alpha: float) -> np.ndarray:
    def function(q):
        v = q - source.zero_point
        positive = float(f32(source.scale) / f32(target.scale))
        negative = float(f32(source.scale) * f32(alpha) / f32(target.scale))
        return np.where(v >= 0, _rescaled(v, positive), _rescaled(v, negative)) + target.zero_point

    return fill(source, target, function)


def every_byte(q: Quantization) -> np.ndarray:
    """The elements that the bytes 0 to 255 are."""
    raw = np.arange(256, dtype=np.uint8)
    return (raw.view(np.int8) if q.type == "int8" else raw).astype(np.int64)


BOUNDS: dict[str, tuple[float | None, float | None]] = {"": (None, None), "relu": (0.0, None), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}


def pair(kind: str, a: Quantization, b: Quantization, y: Quantization, activation: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """ADD, SUB and MUL of elements, as bytes."""
    least = -128 if y.type == "int8" else 0
    bounds = [None if v is None else y.zero_point + int(round_away(f32(v) / f32(y.scale))) for v in BOUNDS[activation]]
    low, high = max(least, least if bounds[0] is None else bounds[0]), min(least + 255, least + 255 if bounds[1] is None else bounds[1])

    def function(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        one, other = one - a.zero_point, other - b.zero_point
        if kind == "mul":
            made = _rescaled(one * other, a.scale * b.scale / y.scale)
        else:
            twice = 2 * max(a.scale, b.scale)
            one, other = _rescaled(one << 20, a.scale / twice), _rescaled(other << 20, b.scale / twice)
            made = _rescaled(one + other if kind == "add" else one - other, twice / ((1 << 20) * y.scale))
        return (np.clip(made + y.zero_point, low, high) & 0xFF).astype(np.uint8)

    return function


def by_float(source: Quantization, target: Quantization, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Tables that the kernels fill in float32: dequantized, `f`, times the reciprocal of the scale, rounded half away from zero."""

    def function(q):
        real = f32(source.scale) * (q - source.zero_point).astype(f32)
        with np.errstate(over="ignore"):
            y = round_away(f(real).astype(f32) * (f32(1) / f32(target.scale))) + f32(target.zero_point)
        return np.clip(y, -1e6, 1e6).astype(np.int64)

    return fill(source, target, function)


def elu(real: np.ndarray) -> np.ndarray:
    return np.where(real < 0, np.exp(np.minimum(real, 0)) - f32(1), real)


def gelu(real: np.ndarray) -> np.ndarray:
    complement = np.array([math.erfc(v) for v in real * f32(-math.sqrt(0.5))], f32)
    return f32(0.5) * real * complement


def gelu_by_tanh(real: np.ndarray) -> np.ndarray:
    inner = f32(math.sqrt(2 / math.pi)) * real * (f32(1) + f32(0.044715) * real * real)
    return f32(0.5) * real * (f32(1) + np.tanh(inner))


def hard_swish(source: Quantization, target: Quantization) -> np.ndarray:
    """In 16-bit fixed point."""

    def multiplier(real: f32) -> tuple[int, int]:
        m, exponent = quantize_multiplier(float(real))
        return ((m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF), exponent

    fine = f32(source.scale) * f32(1 / 128)  # of the input after a shift by 7
    output_multiplier, output_exponent = multiplier(fine / f32(target.scale))
    relu_multiplier, relu_exponent = multiplier(fine / (f32(3) / f32(32768)))

    def one(q: int) -> int:
        value = (q - source.zero_point) * 128
        before_shift = high_mul(value, output_multiplier, 16)
        r = value
        if relu_exponent > 0:
            r = saturate(r << (relu_exponent - 1), 16)
        r = high_mul(r, relu_multiplier, 16)
        if relu_exponent > 0:
            r = saturate(r << 1, 16)
        elif relu_exponent < 0:
            r = divide_by_power(r, -relu_exponent)
        r = (r + (1 << 15)) >> 1
        product = r * before_shift
        toward_zero = -(-product >> 15) if product < 0 else product >> 15
        return divide_by_power(toward_zero, -output_exponent) + target.zero_point

    return fill(source, target, lambda q: np.array([one(int(v)) for v in q], np.int64))


def logistic(source: Quantization, target: Quantization) -> np.ndarray:
    """The target has the scale 1/256 and the zero point -128."""
    return _of_fixed_point(source, target, _logistic, 8)


def tanh(source: Quantization, target: Quantization) -> np.ndarray:
    """The target has the scale 1/128 and the zero point 0."""
    return _of_fixed_point(source, target, _tanh, 7)


def _of_fixed_point(
    source: Quantization, target: Quantization, function: Callable[[int], int], output_bits: int
) -> np.ndarray:
    """Through a 32-bit number with 4 integer bits; what lies beyond those is cut to the ends of the range."""
    integer_bits = 4
    multiplier, shift = quantize_multiplier(source.scale * (1 << (31 - integer_bits)))
    radius = math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / 2.0**shift)

    def one(q: int) -> int:
        v = q - source.zero_point
        if abs(v) >= radius:
            return 127 if v > 0 else -128
        raw = int(requantize(np.array([v]), multiplier, shift)[0])
        return divide_by_power(function(raw), 31 - output_bits) + target.zero_point

    return fill(source, target, lambda values: np.array([one(int(v)) for v in values], np.int64))


# ---- fixed point numbers of gemmlowp: an int32 with so many integer bits, the rest a fraction -------------------------------------

ONE = (1 << 31) - 1  # as nearly as no integer bits can say it


def round_away(x: np.ndarray) -> np.ndarray:
    """Halves away from zero; exact for float32, unlike floor(x + 0.5)."""
    return np.trunc(x) + np.sign(x) * (np.abs(x - np.trunc(x)) >= 0.5)


def saturate(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def divide_by_power(x: int, exponent: int) -> int:
    """x / 2^exponent, halves away from zero. A negative exponent is taken as it comes: no kernel means it."""
    if exponent <= 0:
        return x << -exponent
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def high_mul(a: int, b: int, bits: int = 32) -> int:
    """The upper half of 2ab, rounded; of 16- or 32-bit numbers."""
    if a == b == -(1 << (bits - 1)):
        return (1 << (bits - 1)) - 1
    product = a * b
    nudge = 1 << (bits - 2)
    product += nudge if product >= 0 else 1 - nudge
    return product >> (bits - 1) if product >= 0 else -(-product >> (bits - 1))


def rescale(x: int, integer_bits: int, to: int) -> int:
    exponent = integer_bits - to
    return saturate(x << exponent, 32) if exponent >= 0 else divide_by_power(x, -exponent)


def half_sum(a: int, b: int) -> int:
    total = a + b
    return (total + 1) // 2 if total >= 0 else -((1 - total) // 2)


def _exp_of_small(a: int) -> int:
    """exp of a number from -1/4 to 0, without integer bits: a Taylor series around -1/8."""
    at_middle, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    series = divide_by_power(high_mul(divide_by_power(x4, 2) + x3, third) + x2, 1)
    return saturate(at_middle + high_mul(at_middle, x + series), 32)


def _exp(a: int, integer_bits: int) -> int:
    """exp of a negative number, without integer bits."""
    if a == 0:
        return ONE
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    small = (a & (quarter - 1)) - quarter
    result = _exp_of_small(rescale(small, integer_bits, 0))
    remainder = small - a
    for exponent, factor in (
        (-2, 1672461947),
        (-1, 1302514674),
        (0, 790015084),
        (1, 290630308),
        (2, 39332535),
        (3, 720401),
        (4, 242),
    ):
        if integer_bits > exponent and remainder & (1 << (fraction_bits + exponent)):
            result = high_mul(result, factor)
    return result


def _two_over_one_plus(a: int) -> int:
    """2 / (1 + a) for a from 0 to 1, with two integer bits: three steps of Newton's."""
    half_denominator = half_sum(a, ONE)
    x = 1515870810 + high_mul(half_denominator, -1010580540)  # 48/17 - 32/17 d
    for _ in range(3):
        x += rescale(high_mul(x, (1 << 29) - high_mul(half_denominator, x)), 4, 2)
    return x


def _logistic(raw: int) -> int:
    """4 integer bits in, none out."""
    if raw == 0:
        return 1 << 30
    positive = rescale(_two_over_one_plus(_exp(-abs(raw), 4)), 1, 0)
    return positive if raw > 0 else ONE - positive


def _tanh(raw: int) -> int:
    if raw == 0:
        return 0
    magnitude = rescale(
        _two_over_one_plus(_exp(-abs(raw), 5)) - (1 << 29), 2, 0
    )  # read with 5 integer bits it is doubled
    return magnitude if raw > 0 else -magnitude
