# SPDX-License-Identifier: Apache-2.0
"""From the graph of a TFLite file to a workload: one walk over its operators, in which everything that is not supported is collected.

The arithmetic is that of TensorFlow Lite Micro's reference kernels in their default build (double rounding): `fixed_double`.
"""

from pathlib import Path

from .messages import MOST, Diagnostic, ModelError
from .tflite_context import ACTIVATION_TYPES, QUANTIZE_HINT, Context, Refused
from .tflite_file import Operator, read_tflite, shape_text
from .tflite_ops import OPERATORS
from .workload import Workload

REFERENCE = "TensorFlow Lite Micro's reference kernels (int8, double rounding)"
UNKNOWN_HINT = "docs/reference/tflite.md lists the operators; replace it in the model, or end the model before it"


def import_tflite(path: Path, name: str | None) -> Workload:
    """ModelError: E1101 to E1107."""
    graph = read_tflite(path)
    workload = Workload(name or path.stem, f"{path.name}, imported; equals {REFERENCE}", "fixed_double")
    workload.comment = [
        f"Imported by Gemel from {path.name}, SHA-256 {graph.sha256}.",
        f"Every tensor equals that of {REFERENCE}.",
    ]
    context = Context(graph, workload)
    found: list[Diagnostic] = []
    computed = [t for op in graph.operators for t in op.outputs]
    if computed and not any(t.type in ACTIVATION_TYPES for t in computed):
        kinds = ", ".join(sorted({t.type for t in computed}))
        raise ModelError(
            Diagnostic(
                "E1106", f"the model is not quantized to 8 bits: its tensors are {kinds}", str(path), hint=QUANTIZE_HINT
            )
        )

    def collect(where: str, refused: Refused) -> None:
        if len(found) < MOST:
            message = f"{where}: {refused.attribute} is {refused.value}"
            found.append(Diagnostic(refused.code, message, str(path), f"supported: {refused.supported}", refused.hint))

    def attempt(where: str, action) -> None:
        try:
            action()
        except Refused as refused:
            collect(where, refused)

    attempt("inputs", context.begin)
    unknown: list[Operator] = []
    for op in graph.operators:
        if op.type not in OPERATORS:
            unknown.append(op)
        else:
            attempt(str(op), lambda op=op: OPERATORS[op.type].translate(context, op))
    for op in unknown[: MOST - len(found)]:
        shapes = ", ".join(f"{t.type} {shape_text(t.shape)}" for t in op.inputs if t is not None)
        message, note = f"{op}: there is no such operator in Gemel", f"its inputs: {shapes or 'none'}"
        found.append(Diagnostic("E1104", message, str(path), note, UNKNOWN_HINT))
    attempt("outputs", context.end)
    if not found and not workload.layers:
        found.append(
            Diagnostic(
                "E1105", "the model has no operator that is left to run", str(path), hint="a network does something"
            )
        )
    if found:
        raise ModelError(*found)
    return workload
