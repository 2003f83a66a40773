# SPDX-License-Identifier: Apache-2.0
"""Ranges of values, found in one pass: extremes and a histogram that are updated as the values come, and what a method makes of them.

A histogram has BINS bins over -span to span, where span is a power of two. A value beyond it doubles span and joins the bins by pairs: counts stay
exact, and memory is the same after any number of values.
"""

from __future__ import annotations

import math

import numpy as np

BINS = 8192
METHODS = ("minmax", "percentile", "mse", "entropy")
STEPS = 255  # of 8 bits


class Histogram:
    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.span = 0.0
        self.counts = np.zeros(BINS, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Any shape, float32, finite, one value or more."""
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        needed = max(-low, high)
        if needed > 0 and self.span == 0:
            self.counts[BINS // 2] = self.counts.sum()  # zeros only, until now
            self.span = 2.0 ** math.ceil(math.log2(needed))
        while needed > self.span:
            self.span *= 2
            joined = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([np.zeros(BINS // 4, np.int64), joined, np.zeros(BINS // 4, np.int64)])
        if self.span == 0:
            self.counts[BINS // 2] += values.size
            return
        places = (values.reshape(-1) * np.float32(BINS / 2 / self.span)).astype(np.int32) if self.span > 1e-30 else np.zeros(values.size, np.int32)
        places -= values.reshape(-1) < 0  # towards minus infinity; -0.5 is in the bin below zero
        self.counts += np.bincount(np.clip(places + BINS // 2, 0, BINS - 1), minlength=BINS)

    def edges(self) -> np.ndarray:
        """BINS + 1 of them."""
        return np.linspace(-self.span, self.span, BINS + 1)

    def range(self, method: str, percentile: float) -> tuple[float, float]:
        """Least and largest value that shall have a number of their own, 0 between them."""
        if self.span == 0:
            return 0.0, 0.0
        if method == "minmax":
            low, high = self.low, self.high
        elif method == "percentile":
            low, high = self._percentile(percentile)
        elif method == "mse":
            low, high = self._least_square_error()
        else:
            low, high = self._least_divergence()
        return min(low, 0.0), max(high, 0.0)

    def _percentile(self, percentile: float) -> tuple[float, float]:
        """So many percent of the values do not exceed the largest, and as many are not below the least."""
        total = np.cumsum(self.counts) / self.counts.sum()
        edges, share = self.edges(), percentile / 100
        high = edges[int(np.searchsorted(total, share)) + 1]
        low = edges[int(np.searchsorted(total, 1 - share, side="right"))]
        return max(low, self.low), min(high, self.high)

    def _least_square_error(self) -> tuple[float, float]:
        """The range whose 256 steps give the least expected square of the error: each end in turn is drawn in by 64ths."""
        used = np.flatnonzero(self.counts)
        edges = self.edges()
        centers, counts = (edges[used] + edges[used + 1]) / 2, self.counts[used].astype(float)
        width = (edges[1] - edges[0]) ** 2 / 12

        def error(low: float, high: float) -> float:
            step = (high - low) / STEPS
            if step <= 0:
                return math.inf
            inside = (centers >= low) & (centers <= high)
            rounded = low + np.rint((centers - low) / step) * step
            # Finer steps than bins: what is inside of a bin is rounded evenly, whatever its center does.
            square = np.where(inside, np.minimum((centers - rounded) ** 2 + width, step**2 / 12 + width) if step < edges[1] - edges[0]
                              else (centers - rounded) ** 2, (centers - np.clip(centers, low, high)) ** 2)  # fmt: skip
            return float((square * counts).sum())

        low, high = min(self.low, 0.0), max(self.high, 0.0)
        for _ in range(2):
            high = min((high * i / 64 for i in range(64, 7, -1)), key=lambda h: error(low, h)) if high > 0 else high
            low = min((low * i / 64 for i in range(64, 7, -1)), key=lambda one: error(one, high)) if low < 0 else low
        return low, high

    def _least_divergence(self) -> tuple[float, float]:
        """TensorRT's: the threshold of magnitudes for which the 8-bit histogram loses the least information (Kullback-Leibler)."""
        half = BINS // 2
        magnitudes = (self.counts[half:] + self.counts[:half][::-1]).reshape(-1, 2).sum(axis=1).astype(float)  # fewer bins, which hold more
        magnitudes[0] = magnitudes[1]  # zeros, of a Relu say, are exact in any case
        last = int(np.flatnonzero(magnitudes)[-1]) + 1 if magnitudes.any() else 0
        levels = 256 if self.low >= 0 or self.high <= 0 else 128
        if last <= levels:
            return self.low, self.high
        best, threshold = math.inf, last
        for taken in np.unique(np.linspace(levels, last, 128).astype(int)):
            reference = magnitudes[:taken].copy()
            reference[-1] += magnitudes[taken:].sum()
            # The same counts in `levels` steps, spread evenly over those bins of a step that have any.
            step = (np.arange(taken) * levels) // taken
            filled = magnitudes[:taken] > 0
            sums = np.bincount(step, magnitudes[:taken], levels)
            numbers = np.bincount(step, filled, levels)
            spread = np.where(filled, (sums / np.maximum(numbers, 1))[step], 0)
            p, q = reference / reference.sum(), spread / max(spread.sum(), 1)
            present = p > 0
            divergence = float((p[present] * np.log(p[present] / np.maximum(q[present], 1e-12))).sum())
            if divergence < best:
                best, threshold = divergence, int(taken)
        limit = threshold * self.span / magnitudes.size
        return max(self.low, -limit), min(self.high, limit)


def scale_of(low: float, high: float) -> tuple[float, int]:
    """int8, asymmetric: scale (a float32) and zero point of a range that has 0 in it."""
    scale = np.float32((high - low) / STEPS)
    if not scale > 1e-10:  # a tensor of zeros, or as good as that
        scale = np.float32(1 / 128)
    zero_point = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return float(scale), zero_point
