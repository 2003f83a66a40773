# SPDX-License-Identifier: Apache-2.0
"""Any ONNX model, float or quantized, or a float TFLite model, run by ONNX Runtime on images: what a machine's outputs are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..importer.onnx_file import read_onnx
from .graph import fix_shapes
from .images import Images
from .indices import indices
from .runtime import Session, onnx
from .tflite import model_bytes


class Beside:
    def __init__(self, path: str | Path):
        path = Path(path)
        data, _ = model_bytes(path)
        graph = read_onnx(path, data)
        model = onnx.ModelProto.FromString(data)
        fix_shapes(model, str(path), set(graph.constants))
        self.inputs = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input if v.name not in graph.constants}
        self._session = Session(model, file=str(path))
        self._output = graph.outputs[0]

    def predictions(self, source: Any, most: int | None) -> np.ndarray:
        """For each image the index of the largest value of the first output."""
        found = []
        images = Images(source, self.inputs)
        for inputs, counted in images.runs(most):
            per_run = 1 if images.whole_runs else next(iter(inputs.values())).shape[0]
            found.append(indices(np.asarray(self._session.run(inputs)[self._output]), per_run)[:counted])
        return np.concatenate(found)
