# SPDX-License-Identifier: Apache-2.0
"""Float TensorFlow Lite models as ONNX models."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from ._network import Source
from ._rewritten import RewrittenModel, called


def tflite_to_onnx(model: Source, out: Source | None = None) -> Any:
    """The onnx.ModelProto that computes what a float TensorFlow Lite model computes, up to the order of float32's sums.

    model: a .tflite file in float32; weights may be float16 behind a DEQUANTIZE, or int8 alone. Inputs and outputs keep their names and shapes, images
        height before width before channels.
    out: file to write, too.

    gemel.quantize(), compress(), recover() and accuracy(beside=...) take such files as they are.

    Raises UserError E11xx with everything that is wrong with the model, E1212 (onnx or onnxruntime are missing), E0902.
    """
    made = called(lambda: import_module("gemel.rewrite.tflite").tflite_to_onnx(os.fspath(model)))
    if out is not None:
        RewrittenModel(_model=made).save(out)
    return made
