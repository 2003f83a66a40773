# SPDX-License-Identifier: Apache-2.0
"""What a classifier says."""

import numpy as np


def indices(output: np.ndarray, images: int) -> np.ndarray:
    """Of the largest value of each image, the first of equal ones; of whole numbers wider than bytes one per image is the index itself (argmax)."""
    rows = output.reshape(images, -1)
    if rows.shape[1] == 1 and rows.dtype.kind in "iu" and rows.dtype.itemsize >= 4:
        return rows[:, 0].astype(np.int64)
    return rows.argmax(axis=1).astype(np.int64)
