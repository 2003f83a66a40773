# SPDX-License-Identifier: Apache-2.0
"""From the graph of a TFLite file to a workload: one walk over its operators, in which everything that is not supported is collected.

The arithmetic is that of TensorFlow Lite Micro's reference kernels in their default build (double rounding): `fixed_double`.
"""

from pathlib import Path

from .messages import Findings
from .tflite_context import ACTIVATION_TYPES, QUANTIZE_HINT, Context
from .tflite_file import Operator, read_tflite
from .tflite_ops import OPERATORS, left_by_folding
from .workload import Workload, shape_text

REFERENCE = "TensorFlow Lite Micro's reference kernels (int8, double rounding)"
FLOATS = {"FLOAT32", "FLOAT16", "INT32", "INT64"}
FLOAT_HINT = "quantize it: `gemel quantize MODEL --data IMAGES.npz -o MODEL_int8.onnx` takes float models of the operators in docs/reference/tflite.md"
UNKNOWN_HINT = "docs/reference/tflite.md lists the operators; replace it in the model, or end the model before it"


def import_tflite(path: Path, data: bytes, name: str | None) -> Workload:
    """ModelError: E1101 to E1107."""
    graph = read_tflite(path, data)
    workload = Workload(name or path.stem, f"{path.name}, imported; equals {REFERENCE}", "fixed_double")
    workload.comment = [
        f"Imported by Gemel from {path.name}, SHA-256 {graph.sha256}.",
        f"Every tensor equals that of {REFERENCE}.",
    ]
    context = Context(graph, workload)
    found = Findings(str(path))
    computed = [t for op in graph.operators for t in op.outputs]
    if computed and not any(t.type in ACTIVATION_TYPES for t in computed):
        kinds = sorted({t.type for t in computed})
        hint = FLOAT_HINT if set(kinds) <= FLOATS else QUANTIZE_HINT
        found.add("E1106", f"the model is not quantized to 8 bits: its tensors are {', '.join(kinds)}", hint=hint)
        found.raise_any()

    found.attempt("inputs", context.begin)
    unknown: list[Operator] = []
    for op in left_by_folding(graph.operators, found):
        if op.type not in OPERATORS:
            unknown.append(op)
        else:
            found.attempt(str(op), lambda op=op: OPERATORS[op.type].translate(context, op))
    for op in unknown:
        shapes = ", ".join(f"{t.type} {shape_text(t.shape)}" for t in op.inputs if t is not None)
        message, note = f"{op}: there is no such operator in Gemel", f"its inputs: {shapes or 'none'}"
        found.add("E1104", message, note, UNKNOWN_HINT)
    found.attempt("outputs", context.end)
    if not found.diagnostics and not workload.layers:
        found.nothing_left()
    found.raise_any()
    workload.drop_replaced()
    workload.join_notes()
    return workload
