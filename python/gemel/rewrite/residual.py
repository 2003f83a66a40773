# SPDX-License-Identifier: Apache-2.0
"""Residual sums of transformers: some channels are ten to a hundred times as large as the others, so that one scale for all leaves these no steps.

Such a sum, what is added, and the LayerNormalization before it whose result is one addend, get a factor for each channel: they compute a channel divided by
its factor, a Mul before the next LayerNormalization multiplies it again (in float32, on the host, as that does), and layers that read the earlier result
have the factor in their weights. Factors are powers of two, so float32 computes the same numbers as before. A factor takes steps from its own channel, which
costs where that one says most: so the outputs decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .calibrate import Progress, peaks
from .graph import Graph
from .images import Images
from .plan import weights_of
from .runtime import onnx

TYPICAL = (2.0, 4.0)  # times the median of the channels' largest values: what a channel may have without a factor; each is tried


@dataclass
class _Sum:
    """An Add before a LayerNormalization, and the constants that make its channels: node, operand, dimension of the channels, and whether they are divided
    by the factors or (of what reads them) multiplied."""

    norm: onnx.NodeProto
    values: list[str]  # whose channels the factors are for
    constants: list[tuple[onnx.NodeProto, int, int, bool]] = field(default_factory=list)


def largest(graph: Graph, images: Images, most: int, progress: Progress) -> dict[str, np.ndarray]:
    """The largest magnitudes of channels, over the first `most` images, of all that belongs to such sums; empty: the graph has none."""
    values = {name for one in _sums(graph) for name in one.values}
    return peaks(graph, values, images, most, progress) if values else {}


def balance(graph: Graph, found: dict[str, np.ndarray], typical: float) -> str:
    """Changes the graph where channels are larger than `typical`; `found`: see largest(). Gives what it has done, or ""."""
    channels = changed = 0
    most = 1.0
    for one in list(_sums(graph)):
        factors = factors_of(np.max([found[name] for name in one.values], axis=0), typical)
        if (factors == 1).all():
            continue
        channels, changed, most = channels + int((factors > 1).sum()), changed + 1, max(most, float(factors.max()))
        for node, operand, axis, divided in one.constants:
            array = graph.constants[node.input[operand]]
            shaped = factors.reshape([-1 if d == axis % array.ndim else 1 for d in range(array.ndim)])
            node.input[operand] = graph.add_constant(f"{node.input[operand]}_balanced", (array / shaped if divided else array * shaped).astype(np.float32))
        source = one.norm.input[0]
        made = graph.unique(f"{source}_balanced")
        one.norm.input[0] = made
        factor = graph.add_constant(f"{source}_factors", factors)
        graph.replace(one.norm, [onnx.helper.make_node("Mul", [source, factor], [made], name=made), one.norm])
    graph.infer()
    return f"{channels} channels of {changed} residual sums divided by powers of two up to {most:g}" if changed else ""


def factors_of(peak: np.ndarray, typical: float) -> np.ndarray:
    """Powers of two, float32, by which channels with these largest values are divided."""
    bound = typical * float(np.median(peak))
    if bound <= 0:
        return np.ones(peak.size, np.float32)
    return np.exp2(np.ceil(np.log2(np.maximum(peak / bound, 1)))).astype(np.float32)


def _sums(graph: Graph) -> Iterable[_Sum]:
    makers, readers = graph.makers(), graph.readers()
    for norm in graph.nodes:
        add = makers.get(norm.input[0]) if norm.op_type == "LayerNormalization" else None
        if add is not None and add.op_type == "Add" and _alone(graph, readers, add, norm):
            found = _sum(graph, makers, readers, add, norm)
            if found is not None:
                yield found


def _alone(graph: Graph, readers: dict[str, list[onnx.NodeProto]], node: onnx.NodeProto, reader: onnx.NodeProto) -> bool:
    """Whether `reader` alone reads the result."""
    return [id(one) for one in readers.get(node.output[0], [])] == [id(reader)] and node.output[0] not in graph.outputs


def _sum(graph: Graph, makers: dict[str, onnx.NodeProto], readers: dict[str, list[onnx.NodeProto]], add: onnx.NodeProto, norm: onnx.NodeProto) -> _Sum | None:
    """None: an addend has no constants that a factor could go into."""
    shape = graph.shapes.get(add.output[0])
    if not shape or add.input[0] == add.input[1]:
        return None
    channels, one = shape[-1], _Sum(norm, [add.output[0]])
    for i, name in enumerate(add.input):
        if name in graph.constants:
            array = graph.constants[name]
            if array.dtype != np.float32 or array.shape[-1:] != (channels,):
                return None
            one.constants.append((add, i, -1, True))
            continue
        one.values.append(name)
        node, reader = makers.get(name), add
        while node is not None and node.op_type == "Reshape" and _alone(graph, readers, node, reader) and _keeps_channels(graph, node):
            reader, node = node, makers.get(node.input[0])
        if node is None:
            return None
        weights = weights_of(graph, node) if node.op_type in ("Gemm", "MatMul") else None
        if weights is not None and _alone(graph, readers, node, reader):
            one.constants.append((node, 1, weights[1], True))
            if len(node.input) > 2 and node.input[2]:
                one.constants.append((node, 2, -1, True))
        elif node.op_type == "Gather" and node.input[0] in graph.constants and _alone(graph, readers, node, reader):
            one.constants.append((node, 0, -1, True))
        elif node.op_type == "LayerNormalization" and reader is add and node.output[0] not in graph.outputs and not any(node.output[1:]):
            held = [k for k in (1, 2) if len(node.input) > k and node.input[k]]
            rows = _rows(graph, readers, node.output[0], add)
            if rows is None or any(node.input[k] not in graph.constants for k in held):
                return None
            one.constants += [(node, k, -1, True) for k in held] + rows
        else:
            return None
    return one


def _keeps_channels(graph: Graph, reshape: onnx.NodeProto) -> bool:
    before, after = graph.shapes.get(reshape.input[0]), graph.shapes.get(reshape.output[0])
    return before is not None and after is not None and before[-1:] == after[-1:] != ()


def _rows(graph: Graph, readers: dict[str, list[onnx.NodeProto]], value: str, add: onnx.NodeProto) -> list[tuple[onnx.NodeProto, int, int, bool]] | None:
    """Weights of what reads the value besides `add`, by their inputs; None: something else reads it."""
    found: list[tuple[onnx.NodeProto, int, int, bool]] = []
    for node in readers.get(value, []):
        weights = weights_of(graph, node) if node.op_type in ("Gemm", "MatMul") else None
        if node is add:
            continue
        if node.op_type == "Reshape" and _keeps_channels(graph, node) and node.output[0] not in graph.outputs:
            more = _rows(graph, readers, node.output[0], add)
            if more is None:
                return None
            found += more
        elif weights is not None and node.input[0] == value:
            found.append((node, 1, 1 - weights[1], False))
        else:
            return None
    return found
