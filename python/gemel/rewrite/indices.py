# SPDX-License-Identifier: Apache-2.0
"""What a classifier says."""

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from ..importer.workload import shape_text


def indices(output: np.ndarray, images: int) -> np.ndarray:
    """Of the largest value of each image, the first of equal ones; of whole numbers wider than bytes one per image is the index itself (argmax).
    ModelError E1214."""
    if output.shape[:1] != (images,) and images != 1:
        raise ModelError(Diagnostic("E1214", f"the first output has the shape {shape_text(output.shape)}, so there is not one for each of {images} images",
                                    hint="if the first dimension of the inputs counts no images, give arrays with one dimension more, the number of runs"))
    rows = output.reshape(images, -1)
    if rows.shape[1] == 1 and rows.dtype.kind in "iu" and rows.dtype.itemsize >= 4:
        return rows[:, 0].astype(np.int64)
    return rows.argmax(axis=1).astype(np.int64)
