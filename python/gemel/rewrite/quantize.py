# SPDX-License-Identifier: Apache-2.0
"""Float32 ONNX -> int8 ONNX in the QDQ form, calibrated on images, with a report of where the error arises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from . import residual
from .calibrate import Exact, Progress, _silent, histograms, means, moments, noise
from .equalize import equalize, widen_clips
from .graph import Graph, load_float
from .images import Images
from .int4 import Wish, choose, costs, named, units_of
from .plan import Plan, make_plan
from .prepare import prepare
from .qdq import Quantized, Scales, choose_scales, insert
from .runtime import onnx

MOST_COMPARED = 32  # images of the report, and those that are held out to judge improvements
MOST_ALONE = 8  # images with which each layer is quantized alone
HELD_OUT = 4  # one image in so many, the last ones


@dataclass(frozen=True)
class Row:
    """One operator of the report. Signal to noise in dB: of its result with all errors before it, of its weights alone, and of the network's outputs if this
    layer is quantized alone, or its weights alone are of 4 bits."""

    name: str
    operator: str
    sqnr: float
    bits: int | None  # of its weights
    weight_sqnr: float | None
    alone: float | None
    int4_alone: float | None
    low: float
    high: float


@dataclass
class Outcome:
    model: onnx.ModelProto
    rows: list[Row]
    outputs: dict[str, float]  # dB
    notes: list[str]
    images: int  # that ranges were found with
    weight_bytes: tuple[int, int]  # each constant once: with 4 bits where weights have so many, and as stored


@dataclass
class _Way:
    """A way to quantize, with what it is made of."""

    graph: Graph
    plan: Plan
    scales: Scales
    quantized: Quantized
    means: dict[str, np.ndarray] | None = None  # with which biases are corrected
    moments: dict[str, np.ndarray] | None = None  # with which weights of 4 bits are rounded
    held_out: float = 0.0  # dB of the worst output


def quantize(path: str | Path, calibrate: str | Path | np.ndarray | Mapping[str, Any], *, method: str, percentile: float, per_channel: bool,
             images: int | None, keep_float: tuple[str, ...] = (), improve: bool = False, sensitivity: bool = False, int4: Wish | None = None,
             progress: Progress = _silent) -> Outcome:  # fmt: skip
    """ModelError: the model (E11xx), the images (E1214)."""
    graph = load_float(path)
    prepare(graph)
    data = Images(calibrate, {name: graph.shapes[name] for name in graph.inputs})
    count = min(images or data.count, data.count)
    kept = _named(graph, keep_float)
    maker = _Maker(data, count, method, percentile, per_channel, kept, progress)
    notes: list[str] = []
    if graph.restored:
        notes.append(f"{graph.restored} constants or layers were quantized in their weights alone, or while the model runs: they are float32 again first")
    wish = int4 or Wish()
    if improve or wish.chooses:
        maker.hold_out(graph)
    graph = _balanced(graph, maker, notes)
    decibels = _choose_int4(graph, maker, wish) if wish.any else {}
    if improve:
        way = _improved(graph, maker, notes)
    else:
        way = maker.make(graph)
    compared, skip = (maker.held, maker.count) if maker.held else (min(count, MOST_COMPARED), 0)
    plan = way.plan
    values = [name for name in dict.fromkeys([*plan.made.values(), *graph.outputs]) if name in plan.group or name in graph.outputs]
    errors = noise(way.graph, way.quantized.model, values, data, compared, progress, skip)
    errors |= noise(graph, way.quantized.model, graph.outputs, data, compared, progress, skip)
    alone = _alone(way, maker, min(maker.count, MOST_ALONE)) if sensitivity else {}
    rows = _rows(plan, way.quantized, maker, errors, alone, decibels)
    outputs = {name: errors[name] for name in graph.outputs}
    packed, stored = (sum(unit.size(bits if unit.layers[0] in maker.int4 else 8) for unit in units_of(way.graph, plan)) for bits in (4, 8))
    stacks = sum(way.graph.constants[name].size for name in {node.input[1] for node in plan.stacks})
    packed, stored = packed + stacks, stored + stacks
    if wish.any:
        whole = insert(way.graph, plan, way.scales, per_channel, way.means).model
        before = min(noise(graph, whole, graph.outputs, data, compared, progress, skip).values())
        told = f"{compared} images" + (", which chose no layer" if wish.chooses else "")
        after = min(outputs.values())
        notes += [f"int4 weights: {len(maker.int4)} of {len(plan.layers)} layers; outputs {before:.1f} dB with int8, {after:.1f} dB so ({told})",
                  f"weights: {packed} bytes with 4 bits for int4, {stored} as stored: the machine has no int4 yet, so they are int8 of -7 to 7"]  # fmt: skip
    return Outcome(way.quantized.model, rows, outputs, notes + _notes(graph, plan, way.quantized), maker.count, (packed, stored))


@dataclass
class _Maker:
    data: Images
    count: int
    method: str
    percentile: float
    per_channel: bool
    keep_float: set[str]
    progress: Progress
    int4: set[str] = field(default_factory=set)  # results of layers whose weights are of 4 bits
    held: int = 0  # images behind the first `count`, which choose nothing

    def hold_out(self, graph: Graph) -> None:
        """The last images, by which choices are judged."""
        self.held = min(max(self.count // HELD_OUT, 1), MOST_COMPARED)
        self.count -= self.held
        if self.count < 1:
            raise ModelError(Diagnostic("E1214", f"there is {self.held} image, and improvements are judged on images that chose nothing", graph.file,
                                        hint="give 8 images or more"))  # fmt: skip

    def plan(self, graph: Graph) -> Plan:
        plan = make_plan(graph, self.keep_float)
        if not plan.nodes:
            raise ModelError(Diagnostic("E1109", f"the model has no operator that could be quantized: {_left(graph, plan)}", graph.file,
                                        hint="docs/reference/onnx.md has the list of operators, and what of them is taken"))  # fmt: skip
        return plan

    def make(self, graph: Graph) -> _Way:
        plan = self.plan(graph)
        observed = [name for names in plan.observed.values() for name in names]
        found = histograms(graph, observed, self.data, self.count, self.progress)
        ranges = {name: histogram.range(self.method, self.percentile) for name, histogram in found.items()}
        scales = choose_scales(graph, plan, ranges)
        return self.way(graph, plan, scales)

    def way(self, graph: Graph, plan: Plan, scales: Scales, found: dict[str, np.ndarray] | None = None,
            covariances: dict[str, np.ndarray] | None = None) -> _Way:  # fmt: skip
        return _Way(graph, plan, scales, insert(graph, plan, scales, self.per_channel, found, self.int4, covariances), found, covariances)


def _choose_int4(graph: Graph, maker: _Maker, wish: Wish) -> dict[str, float]:
    """Tells `maker` which layers have weights of 4 bits. For each layer, where images choose: dB of the worst output if its weights alone have."""
    plan = maker.plan(graph)
    if not plan.layers:
        raise ModelError(Diagnostic("E1109", "the model has no layer whose weights could have 4 bits", graph.file,
                                    hint="Conv, Gemm and MatMul with constant float32 weights are such"))  # fmt: skip
    units = units_of(graph, plan)
    decibels: dict[str, float] = {}
    if wish.chooses:
        decibels = costs(graph, plan, units, maker.per_channel, maker.data, min(maker.count, MOST_COMPARED), maker.progress)
        chosen = choose(graph, units, decibels, wish)
    else:
        chosen = units if wish.everything else named(graph, plan, units, wish.layers)
    maker.int4 = {layer for unit in chosen for layer in unit.layers}
    return {layer: decibels[unit.name] for unit in units for layer in unit.layers if unit.name in decibels}


def _balanced(graph: Graph, maker: _Maker, notes: list[str]) -> Graph:
    """The graph, or that with factors for large channels of residual sums whose int8 outputs are nearest to float32."""
    found = residual.largest(graph, maker.data, maker.count, maker.progress)
    if not found:
        return graph
    compared = min(maker.count, MOST_COMPARED)

    def judged(one: Graph) -> float:
        return min(noise(graph, maker.make(one).quantized.model, graph.outputs, maker.data, compared, maker.progress).values())

    before = judged(graph)
    best, decibels, done = graph, before, ""
    for typical in residual.TYPICAL:
        changed = graph.copy()
        changed.restored = graph.restored
        what = residual.balance(changed, found, typical)
        made = judged(changed) if what else 0.0
        if what and made > decibels:
            best, decibels, done = changed, made, what
    if done:
        notes.append(f"{done}: outputs {before:.1f} -> {decibels:.1f} dB with int8")
    return best


def _improved(graph: Graph, maker: _Maker, notes: list[str]) -> _Way:
    """Equalization, bias correction, and rounding of 4 bits by the inputs' covariances, each kept only where the outputs of images that chose nothing come
    nearer to those of float32."""
    held = maker.held

    def judge(way: _Way) -> _Way:
        errors = noise(graph, way.quantized.model, graph.outputs, maker.data, held, maker.progress, skip=maker.count)
        way.held_out = min(errors.values())
        return way

    best = judge(maker.make(graph))
    notes.append(f"held out: {held} images; outputs as they are {best.held_out:.1f} dB")
    for what, widened in (("equalization", False), ("equalization, each Clip from 0 made a Relu", True)):
        changed = graph.copy()
        if widened and widen_clips(changed) == 0:
            continue
        pairs = equalize(changed)
        if pairs == 0:
            continue
        best = _better(best, judge(maker.make(changed)), f"{what} ({pairs} pairs of layers)", notes)
    inputs = [node.input[0] for node in best.plan.layers]
    found = means(best.graph, inputs, maker.data, maker.count, maker.progress)
    best = _better(best, judge(maker.way(best.graph, best.plan, best.scales, found)), "bias correction", notes)
    four = [node for node in best.plan.layers if node.output[0] in maker.int4]
    covariances = moments(best.graph, four, maker.data, min(maker.count, MOST_COMPARED), maker.progress) if four else {}
    if not covariances:
        return best
    # Rounding by covariances leaves means to the biases, so these are corrected with it.
    way = judge(maker.way(best.graph, best.plan, best.scales, found, covariances))
    return _better(best, way, f"rounding by covariances ({len(covariances)} layers of 4 bits), bias correction", notes)


def _better(best: _Way, way: _Way, what: str, notes: list[str]) -> _Way:
    kept = way.held_out > best.held_out
    notes.append(f"{what}: {best.held_out:.1f} -> {way.held_out:.1f} dB, {'kept' if kept else 'not kept'}")
    return way if kept else best


def _alone(way: _Way, maker: _Maker, images: int) -> dict[str, float]:
    """For each layer: the worst output's signal to noise, if this layer alone is quantized with its input and its result."""
    graph, plan = way.graph, way.plan
    outputs = [name for node in graph.nodes for name in node.output]
    exact = Exact(graph, maker.data, images)
    found = {}
    makers = graph.makers()
    for done, node in enumerate(plan.layers):
        one = make_plan(graph, set(outputs) - _chain(makers, node, plan.made[node.output[0]]))
        if not one.layers:
            continue
        scales = Scales({group: way.scales.values[plan.group[next(v for v in one.group if one.group[v] == group)]] for group in one.observed})
        made = insert(graph, one, scales, maker.per_channel, int4=maker.int4)
        found[node.output[0]] = exact.worst(made.model)
        maker.progress("layers alone", done + 1, len(plan.layers))
    return found


def _chain(makers: dict[str, onnx.NodeProto], node: onnx.NodeProto, value: str) -> set[str]:
    """Results of a layer and of the activations that are part of it, the last of which is `value`."""
    chain = {value}
    while value != node.output[0]:
        value = makers[value].input[0]
        chain.add(value)
    return chain


def _named(graph: Graph, names: tuple[str, ...]) -> set[str]:
    makers = graph.makers()
    by_name = {node.name: node.output[0] for node in graph.nodes if node.name}
    found: set[str] = set()
    plan = make_plan(graph)
    layers = {plan.made[node.output[0]]: node for node in reversed(plan.nodes)}  # the report names a layer by what its activation makes
    for name in names:
        value = name if name in makers else by_name.get(name)
        if value is None:
            raise ModelError(Diagnostic("E1109", f"there is no operator `{name}` that could stay in float32", graph.file,
                                        hint="the report of `gemel quantize` lists the operators"))  # fmt: skip
        found |= _chain(makers, layers[value], value) if value in layers else {value}
    return found


def _rows(plan: Plan, quantized: Quantized, maker: _Maker, errors: dict[str, float], alone: dict[str, float], int4_alone: dict[str, float]) -> list[Row]:
    rows, seen = [], set()
    for node in plan.nodes:
        value = plan.made[node.output[0]]
        if value in seen or value not in plan.group:
            continue
        seen.add(value)
        q, made = quantized.scales.of(plan, value), node.output[0]
        bits = None if made not in quantized.weight_sqnr else 4 if made in maker.int4 else 8
        rows.append(Row(value, node.op_type, errors[value], bits, quantized.weight_sqnr.get(made), alone.get(made), int4_alone.get(made),
                        q.scale * (-128 - q.zero_point), q.scale * (127 - q.zero_point)))  # fmt: skip
    return rows


def _left(graph: Graph, plan: Plan) -> str:
    """What stays in float32, and why."""
    told = "; ".join(f"{graph.where(node)} ({plan.why[node.output[0]]})" for node in plan.left[:8])
    return told + (f"; and {len(plan.left) - 8} more" if len(plan.left) > 8 else "") or "nothing is left of it but constants"


def _notes(graph: Graph, plan: Plan, quantized: Quantized) -> list[str]:
    notes = []
    if plan.left:
        notes.append(f"stay in float32: {_left(graph, plan)}")
    if quantized.scales.inexact:
        told = ", ".join(f"`{name}`" for name in quantized.scales.inexact[:8])
        notes.append(f"no scale makes the machine's integers equal to ONNX Runtime's float32 in {told}: `gemel import --nearest` takes the closest")
    return notes
