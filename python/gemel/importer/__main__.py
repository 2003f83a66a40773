# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel.importer MODEL -o NET.yaml: what `gemel import` starts. Exit 0 done, 2 the user's mistake.

With --messages FILE what is wrong goes to that file as JSON, for the program that started this one to show.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from .messages import Diagnostic, ModelError


def translate(model: str, output: str, name: str | None, nearest: bool = False) -> list[str]:
    """What there is to say about the result. ModelError."""
    if sys.version_info < (3, 10):
        version = ".".join(map(str, sys.version_info[:3]))
        raise ModelError(
            Diagnostic(
                "E1108",
                f"the importer needs Python 3.10 or newer, and {sys.executable} is {version}",
                hint="let GEMEL_PYTHON name a newer one",
            )
        )
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise ModelError(
            Diagnostic(
                "E1108",
                f"the importer needs NumPy, which {sys.executable} does not have: {error}",
                hint=f"install it: {sys.executable} -m pip install numpy; or let GEMEL_PYTHON name a Python that has it",
            )
        ) from None
    from . import import_model

    try:
        workload = import_model(model, name=name, nearest=nearest)
        yaml, tensors = workload.save(output)
    except OSError as error:
        raise ModelError(Diagnostic("E0902", f"cannot write `{output}`: {error.strerror or error}")) from None
    except MemoryError:
        raise ModelError(Diagnostic("E0904", f"out of memory while importing `{model}`")) from None
    layers, constants = len(workload.layers), sum(a.nbytes for a in workload.tensors.values())
    return [
        f"{yaml}: {layers} layers, inputs {', '.join(i['name'] for i in workload.inputs)}, outputs {', '.join(workload.outputs)}",
        f"{tensors}: {constants} bytes of weights, biases, scales and tables",
        *(f"note: {note}" for note in workload.notes),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="gemel.importer", description="Writes a Gemel workload that computes what a model computes, bit by bit."
    )
    parser.add_argument("model", help="an ONNX model (.onnx) or a TensorFlow Lite model (.tflite), quantized to 8 bits")
    parser.add_argument(
        "-o",
        "--out",
        help="the workload, NAME.yaml; its tensors go to NAME.safetensors beside it (default: the model's name, here)",
    )
    parser.add_argument("--name", help="the workload's name (default: the model's)")
    parser.add_argument(
        "--nearest",
        action="store_true",
        help="take the closest multipliers where none give ONNX Runtime's float32 arithmetic for all pairs of bytes, and say how close",
    )
    parser.add_argument("--messages", help=argparse.SUPPRESS)
    options = parser.parse_args()
    output = options.out or Path(options.model).stem + ".yaml"
    lines, diagnostics = [], []
    try:
        lines = translate(options.model, output, options.name, options.nearest)
    except ModelError as error:
        diagnostics = error.diagnostics
        if not options.messages:
            print(error, file=sys.stderr)
    if options.messages:
        Path(options.messages).write_text(
            json.dumps({"lines": lines, "diagnostics": [asdict(d) for d in diagnostics]}), encoding="utf-8"
        )
    else:
        print("\n".join(lines), end="\n" if lines else "")
    return 2 if diagnostics else 0


if __name__ == "__main__":
    sys.exit(main())
