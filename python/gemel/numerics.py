# SPDX-License-Identifier: Apache-2.0
"""Multipliers and rounding of TFLite's int8 kernels (double rounding), in NumPy, as docs/reference/arithmetic.md has them."""

import math

import numpy as np


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A real multiplier as a 31-bit integer and a shift (left positive): real = multiplier * 2^(shift - 31)."""
    if real == 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)  # half away from zero, for positive numbers
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def requantize(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """x * multiplier * 2^(shift - 31), rounded twice: first half up, then half away from zero. The last axis is the channel."""
    x = np.asarray(x, np.int64)
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    left = (x << np.maximum(shift, 0)).astype(np.int32).astype(np.int64)  # 32-bit, as the kernels have it
    high = (left * multiplier + (1 << 30)) >> 31
    right = np.maximum(-shift, 0)
    mask = (np.int64(1) << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
