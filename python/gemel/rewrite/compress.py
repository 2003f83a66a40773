# SPDX-License-Identifier: Apache-2.0
"""Float32 ONNX -> smaller float32 ONNX: one method, and what the network cost before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .graph import Graph, load_float
from .low_rank import Target, lower_ranks
from .measure import Layer, layers
from .plan import make_plan
from .prepare import prepare
from .prune import n_of_m, remove_filters, zero_blocks, zero_weights
from .qdq import choose_scales, insert
from .ranges import Histogram
from .runtime import Session, onnx


@dataclass
class Outcome:
    model: onnx.ModelProto
    before: list[Layer]
    after: list[Layer]
    stand_ins: tuple[onnx.ModelProto, onnx.ModelProto] | None  # of both, for cycles
    slow: list[str]  # results of layers that stay since lower ranks would save no cycles


def compress(path: str | Path, *, filters: float | None, weights: float | None, pattern: tuple[int, int] | None, low_rank: float | None, energy: float | None,
             blocks: tuple[float, int, int] | None, scheme: str, scope: str, round_to: int, keep: tuple[str, ...],
             target: tuple[str, int, Callable[[onnx.ModelProto], int | None]] | None) -> Outcome:  # fmt: skip
    """blocks: their share, rows and columns. target: name and columns of a machine, and what predicts the cycles of an int8 model there. ModelError: E11xx."""
    graph = load_float(path)
    prepare(graph)
    before = layers(graph)
    kept = _kept(graph, before, keep)
    first = stand_in(graph) if target is not None else None
    slow: list[str] = []
    if filters is not None:
        count = remove_filters(graph, filters, scope, round_to, kept)
    elif weights is not None:
        count = zero_weights(graph, weights, scope, kept)
    elif blocks is not None:
        share, rows, columns = blocks
        count = zero_blocks(graph, share, scope, rows, columns, kept)
    elif pattern is not None:
        count = n_of_m(graph, *pattern, kept)
    else:
        on = None
        if target is not None:
            name, columns, predict = target
            on = Target(name, columns, lambda alone: predict(stand_in(alone)))
        count, slow = lower_ranks(graph, energy, low_rank, scheme, kept, on)
    if count == 0:
        raise ModelError(Diagnostic("E1109", "no layer of the model can be made smaller so", graph.file,
                                    hint="filters stay where the model's inputs, outputs or operators that are not understood need all channels; "
                                         "blocks in layers with groups or fewer input channels than rows, or if the share is less than one of a layer's; "
                                         "ranks where two layers would take more MACs than one, or on the machine more cycles"))  # fmt: skip
    return Outcome(graph.proto(), before, layers(graph), (first, stand_in(graph)) if first is not None else None, slow)


def _kept(graph: Graph, found: list[Layer], names: tuple[str, ...]) -> set[str]:
    by_name = {node.name: node.output[0] for node in graph.nodes if node.name}
    results = {layer.name for layer in found}
    kept = set()
    for name in names:
        result = name if name in results else by_name.get(name)
        if result not in results:
            raise ModelError(Diagnostic("E1109", f"there is no layer `{name}` that could stay as it is", graph.file,
                                        hint="the report of `gemel compress` lists the layers"))  # fmt: skip
        kept.add(result)
    return kept


def stand_in(graph: Graph) -> onnx.ModelProto:
    """An int8 model with the ranges of one image of noise: its numbers mean nothing, its cycles are those of the network."""
    plan = make_plan(graph)
    rng = np.random.default_rng(1)
    observed = [name for names in plan.observed.values() for name in names]
    made = Session(graph.proto(), observed, graph.file).run({name: rng.normal(size=graph.shapes[name]).astype(np.float32) for name in graph.inputs})
    ranges = {}
    for name in observed:
        histogram = Histogram()
        histogram.add(np.nan_to_num(made[name]))
        ranges[name] = histogram.range("minmax", 100)
    return insert(graph, plan, choose_scales(graph, plan, ranges), per_channel=True).model
