# SPDX-License-Identifier: Apache-2.0
"""What training makes small: how far a network is from labels, from its teacher's outputs, and from results of its teacher's layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Loss:
    """Means over the images of a batch. Without labels the teacher has the share 1, without a teacher 0."""

    classes: bool  # outputs are scores of classes; otherwise numbers as they are
    temperature: float
    teacher_share: float
    axes: Sequence[int]  # of each output: its classes

    def __call__(self, outputs: Sequence[np.ndarray], teacher: Sequence[np.ndarray] | None, labels: np.ndarray | None,
                 layers: Sequence[tuple[np.ndarray, np.ndarray]] = ()) -> tuple[float, list[np.ndarray]]:  # fmt: skip
        """The loss, and its gradient for each output and then each layer. layers: a result, and that of the teacher."""
        total = 0.0
        gradients = [np.zeros_like(one) for one in outputs]
        share = 0.0 if teacher is None else 1.0 if labels is None else self.teacher_share
        for i, given in enumerate(teacher or ()):
            value, slope = self._softened(outputs[i], given, self.axes[i]) if self.classes else relative(outputs[i], given)
            total += share * value / len(outputs)
            gradients[i] += slope * np.float32(share / len(outputs))
        if labels is not None and share < 1:
            value, slope = cross_entropy(outputs[0], labels)
            total += (1 - share) * value
            gradients[0] += slope * np.float32(1 - share)
        for made, wanted in layers:
            value, slope = relative(made, wanted)
            total += value / len(layers)
            gradients.append(slope * np.float32(1 / len(layers)))
        return total, gradients

    def _softened(self, made: np.ndarray, wanted: np.ndarray, axis: int) -> tuple[float, np.ndarray]:
        """Kullback-Leibler divergence of softmaxes at the temperature, times its square: the gradient keeps its size whatever the temperature is."""
        t = self.temperature
        ours, theirs = log_softmax(made / t, axis), log_softmax(wanted / t, axis)
        p = np.exp(theirs)
        count = made.size // made.shape[axis]
        return float((p * (theirs - ours)).sum() * t * t / count), ((np.exp(ours) - p) * (t / count)).astype(np.float32)


def log_softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    real = scores.astype(np.float64)
    real -= real.max(axis=axis, keepdims=True)
    lowered: np.ndarray = real - np.log(np.exp(real).sum(axis=axis, keepdims=True))
    return lowered


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Of [images, classes] (and dimensions of 1 behind them)."""
    rows = log_softmax(scores.reshape(len(labels), -1), 1)
    wanted = np.zeros_like(rows)
    wanted[np.arange(len(labels)), labels] = 1
    return -float((rows * wanted).sum() / len(labels)), ((np.exp(rows) - wanted) / len(labels)).astype(np.float32).reshape(scores.shape)


def relative(made: np.ndarray, wanted: np.ndarray) -> tuple[float, np.ndarray]:
    """Square of the difference in units of the square of what is wanted."""
    difference = made.astype(np.float64) - wanted
    unit = float(np.square(wanted, dtype=np.float64).sum()) or 1.0
    return float(np.square(difference).sum() / unit), (2 / unit * difference).astype(np.float32)
