# SPDX-License-Identifier: Apache-2.0
"""Float32 ONNX -> int8 ONNX in the QDQ form, calibrated on images, with a report of where the error arises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .calibrate import Progress, _silent, histograms, noise
from .graph import Graph, load_float
from .images import Images
from .plan import Plan, make_plan
from .prepare import prepare
from .qdq import Quantized, choose_scales, insert
from .runtime import onnx

MOST_COMPARED = 32  # images of the report


@dataclass(frozen=True)
class Row:
    """One operator of the report. Signal to noise in dB, of its result with all errors before it, and of its weights alone."""

    name: str
    operator: str
    sqnr: float
    weight_sqnr: float | None
    low: float
    high: float


@dataclass
class Outcome:
    model: onnx.ModelProto
    rows: list[Row]
    outputs: dict[str, float]  # dB
    notes: list[str]
    images: int


def quantize(path: str | Path, calibrate: str | Path | np.ndarray | Mapping[str, Any], *, method: str, percentile: float, per_channel: bool,
             images: int | None, keep_float: tuple[str, ...] = (), progress: Progress = _silent) -> Outcome:  # fmt: skip
    """ModelError: the model (E11xx), the images (E1214)."""
    graph = load_float(path)
    prepare(graph)
    data = Images(calibrate, {name: graph.shapes[name] for name in graph.inputs})
    plan = make_plan(graph, _named(graph, keep_float))
    if not plan.layers:
        raise ModelError(Diagnostic("E1109", "the model has no layer with constant weights that could be quantized", graph.file,
                                    hint="Conv, Gemm and MatMul with constant float32 weights are"))  # fmt: skip
    observed = [name for names in plan.observed.values() for name in names]
    found = histograms(graph, observed, data, images, progress)
    ranges = {name: histogram.range(method, percentile) for name, histogram in found.items()}
    scales = choose_scales(graph, plan, ranges)
    quantized = insert(graph, plan, scales, per_channel)
    compared = min(images or MOST_COMPARED, MOST_COMPARED)
    values = [name for name in dict.fromkeys([*plan.made.values(), *graph.outputs]) if name in plan.group or name in graph.outputs]
    errors = noise(graph, quantized.model, values, data, compared, progress)
    return Outcome(quantized.model, _rows(plan, quantized, errors), {name: errors[name] for name in graph.outputs}, _notes(graph, plan, quantized),
                   min(images or data.count, data.count))  # fmt: skip


def _named(graph: Graph, names: tuple[str, ...]) -> set[str]:
    makers = graph.makers()
    by_name = {node.name: node.output[0] for node in graph.nodes if node.name}
    found = set()
    for name in names:
        value = name if name in makers else by_name.get(name)
        if value is None:
            raise ModelError(Diagnostic("E1109", f"there is no operator `{name}` that could stay in float32", graph.file,
                                        hint="the report of `gemel quantize` lists the operators"))  # fmt: skip
        found.add(value)
    return found


def _rows(plan: Plan, quantized: Quantized, errors: dict[str, float]) -> list[Row]:
    rows, seen = [], set()
    for node in plan.nodes:
        value = plan.made[node.output[0]]
        if value in seen or value not in plan.group:
            continue
        seen.add(value)
        q = quantized.scales.of(plan, value)
        rows.append(Row(value, node.op_type, errors[value], quantized.weight_sqnr.get(node.output[0]), q.scale * (-128 - q.zero_point),
                        q.scale * (127 - q.zero_point)))  # fmt: skip
    return rows


def _notes(graph: Graph, plan: Plan, quantized: Quantized) -> list[str]:
    notes = []
    if plan.left:
        told = ", ".join(graph.where(node) for node in plan.left[:8]) + (f" and {len(plan.left) - 8} more" if len(plan.left) > 8 else "")
        notes.append(f"stay in float32: {told}")
    if quantized.scales.inexact:
        told = ", ".join(f"`{name}`" for name in quantized.scales.inexact[:8])
        notes.append(f"no scale makes the machine's integers equal to ONNX Runtime's float32 in {told}: `gemel import --nearest` takes the closest")
    return notes
