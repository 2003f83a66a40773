# SPDX-License-Identifier: Apache-2.0
"""Weights of few bits, rounded so that a layer's results keep their values rather than each weight its own.

What the errors e of an output's weights add to its result has the expected square e' C e, with C the covariance of the layer's inputs (calibrate.py). Weights
are rounded one after the other, and each error is made good, as far as it can be, in the weights that are not rounded yet: the update of optimal brain
surgery, with the Cholesky factor of C's inverse (Frantar et al., GPTQ, 2022). A weight that is 0 stays 0, so that what was pruned stays so: the machine leaves
out tiles of zeros.
"""

from __future__ import annotations

import numpy as np

DAMPING = 0.01  # of C's mean diagonal, added to it: inputs that are seldom other than their mean say little


def rounded(w: np.ndarray, axis: int, scale: np.ndarray, largest: int, covariance: np.ndarray) -> np.ndarray:
    """Whole numbers from -largest to largest, int8, in the shape of `w`; times `scale` (one for each output, or one) they are the weights.
    covariance: [groups, inputs, inputs]."""
    moved = np.moveaxis(w, axis, 0)
    groups, inner = covariance.shape[:2]
    left = moved.reshape(groups, -1, inner).astype(np.float64).copy()  # [groups, outputs, inputs]
    steps = np.broadcast_to(scale.astype(np.float64).reshape(-1), (w.shape[axis],)).reshape(groups, -1)
    damped = covariance + np.eye(inner) * (DAMPING * np.trace(covariance, axis1=1, axis2=2) / inner + 1e-12)[:, None, None]
    order = np.argsort(-np.diagonal(damped, axis1=1, axis2=2), axis=1, kind="stable")  # the inputs that matter most are rounded first
    at = np.arange(groups)[:, None]
    damped = damped[at[:, :, None], order[:, :, None], order[:, None, :]]
    left = np.take_along_axis(left, order[:, None, :], axis=2)
    pruned = left == 0
    factor = np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1)  # upper: inverse = factor' factor
    whole = np.empty_like(left)
    for i in range(inner):
        whole[:, :, i] = np.where(pruned[:, :, i], 0, np.clip(np.rint(left[:, :, i] / steps), -largest, largest))
        error = (left[:, :, i] - whole[:, :, i] * steps) / factor[:, i, i, None]
        left[:, :, i:] -= error[:, :, None] * factor[:, i, None, i:]
    made = np.empty_like(whole)
    np.put_along_axis(made, np.broadcast_to(order[:, None, :], whole.shape), whole, axis=2)
    result: np.ndarray = np.moveaxis(made.reshape(moved.shape), 0, axis).astype(np.int8)
    return result
