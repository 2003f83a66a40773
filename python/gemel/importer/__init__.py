# SPDX-License-Identifier: Apache-2.0
"""Models of other tools become Gemel's workloads. Needs NumPy, and for ONNX models the package `onnx`.

    from gemel.importer import import_model
    workload = import_model("model.tflite")     # ModelError: all that is wrong with it, at once
    workload.save("net.yaml")                   # and net.safetensors beside it

The same for `model.onnx`. From a shell: `gemel import model.tflite -o net.yaml`, or `python3 -m gemel.importer model.tflite -o net.yaml`.
"""

from __future__ import annotations  # so that __main__ can say that a Python is too old

from pathlib import Path
from typing import TYPE_CHECKING

from .messages import Diagnostic, ModelError

if TYPE_CHECKING:
    from .workload import Workload

__all__ = ["Diagnostic", "ModelError", "import_model"]


def import_model(path: str | Path, *, name: str | None = None, nearest: bool = False) -> Workload:
    """The workload that computes what the model in `path` computes, bit by bit. `name`: the workload's; default: the file's.

    nearest: where no multipliers of the machine give ONNX Runtime's float32 arithmetic for all pairs of bytes, take the closest, and note in how
    many of the 65,536 pairs they differ (by one). Without it such an operator is refused.

    Raises ModelError, whose `diagnostics` say what is wrong, where, and what to do. Nothing but the file itself is read, and of an ONNX
    model the files beside it that hold its weights.
    Workload.text() and Workload.tensors are the workload in memory, Workload.save() writes its two files, and Workload.notes says in words
    what the workload leaves to its caller (a model with float32 inputs takes their quantized bytes instead).
    """
    from .files import read_bytes  # here, so that messages need no NumPy

    path = Path(path)
    data = read_bytes(path)
    if path.suffix.lower() == ".onnx":
        from .onnx_model import import_onnx

        return import_onnx(path, data, name, nearest)
    from .tflite_file import is_tflite
    from .tflite_model import import_tflite

    if not is_tflite(data):
        hint = "bytes 4 to 7 of a .tflite file are `TFL3`; the name of an ONNX model ends in .onnx"
        raise ModelError(Diagnostic("E1102", f"`{path}` is no TensorFlow Lite model", hint=hint))
    return import_tflite(path, data, name)
