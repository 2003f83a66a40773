# SPDX-License-Identifier: Apache-2.0
"""Models of other tools become Gemel's workloads. Needs NumPy, nothing else.

    from gemel.importer import import_model
    workload = import_model("model.tflite")     # ModelError: all that is wrong with it, at once
    workload.save("net.yaml")                   # and net.safetensors beside it

From a shell: `gemel import model.tflite -o net.yaml`, or `python3 -m gemel.importer model.tflite -o net.yaml`.
"""

from __future__ import annotations  # so that __main__ can say that a Python is too old

from pathlib import Path
from typing import TYPE_CHECKING

from .messages import Diagnostic, ModelError

if TYPE_CHECKING:
    from .workload import Workload

__all__ = ["Diagnostic", "ModelError", "import_model"]


def import_model(path: str | Path, *, name: str | None = None) -> Workload:
    """The workload that computes what the model in `path` computes, bit by bit. `name`: the workload's; default: the file's.

    Raises ModelError, whose `diagnostics` say what is wrong, where, and what to do. Nothing but the file itself is read.
    Workload.text() and Workload.tensors are the workload in memory, Workload.save() writes its two files, and Workload.notes says in words
    what the workload leaves to its caller (a model with float32 inputs takes their quantized bytes instead).
    """
    from .tflite_model import import_tflite  # here, so that messages need no NumPy

    return import_tflite(Path(path), name)
