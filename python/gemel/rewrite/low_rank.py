# SPDX-License-Identifier: Apache-2.0
"""Layers as products of two layers of lower rank, from the singular values of their weights.

Dense layers and 1x1 convolutions: outputs x inputs. Larger windows: "channel", r filters of the window and a 1x1 convolution behind them; or "spatial", a
window of one column and one of one row. A layer is taken apart only where that saves multiply-accumulates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .graph import Graph, attributes, drop_attribute, set_attribute
from .measure import layers
from .plan import weights_of
from .runtime import onnx


@dataclass(frozen=True)
class Split:
    """One way to take a layer apart. `left` times `right` is its matrix, singular values in `left`."""

    node: onnx.NodeProto
    scheme: str  # "dense", "channel", "spatial"
    left: np.ndarray  # [rows, rank]
    right: np.ndarray  # [rank, columns]
    energy: np.ndarray  # share of the squares, with 1, 2, ... singular values
    first: int  # MACs of the first layer per rank
    second: int
    macs: int  # of the layer as it is

    def rank(self, energy: float) -> int:
        return min(int(np.searchsorted(self.energy, energy - 1e-12)) + 1, self.energy.size)

    def cost(self, energy: float) -> int:
        return min(self.rank(energy) * (self.first + self.second), self.macs)


def lower_ranks(graph: Graph, energy: float | None, macs_share: float | None, scheme: str, keep: set[str]) -> int:
    """With the least ranks that keep `energy`, or with the largest energy that needs at most `macs_share` of the MACs. How many layers were taken apart.
    ModelError E1109: not even rank 1 needs so few."""
    splits = splits_of(graph, scheme, keep)
    if macs_share is not None:
        others = sum(layer.macs for layer in layers(graph)) - sum(ways[0].macs for ways in splits)
        budget = macs_share * (others + sum(ways[0].macs for ways in splits))

        def needed(e: float) -> int:
            return others + sum(min(way.cost(e) for way in ways) for ways in splits)

        if needed(0) > budget:
            least = needed(0) / (budget / macs_share)
            raise ModelError(Diagnostic("E1109", f"the model has {least:.1%} of its MACs with layers of rank 1, more than the wanted {macs_share:.1%}",
                                        graph.file, hint="ask for more, or remove filters first"))  # fmt: skip
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if needed(middle) <= budget else (low, middle)
        energy = low
    assert energy is not None
    count = 0
    for ways in splits:
        best = min(ways, key=lambda way: way.cost(energy))
        if best.rank(energy) * (best.first + best.second) < best.macs:
            _replace(graph, best, best.rank(energy))
            count += 1
    graph.infer()
    return count


def splits_of(graph: Graph, scheme: str, keep: set[str]) -> list[list[Split]]:
    macs = {layer.name: layer.macs for layer in layers(graph)}
    found = []
    for node in graph.nodes:
        held = weights_of(graph, node)
        if held is None or node.output[0] in keep or node.output[0] not in macs:
            continue
        w, axis = held
        total, shape = macs[node.output[0]], graph.shapes[node.output[0]]
        if node.op_type != "Conv":
            rows = math.prod(shape[:-1])
            found.append([_split(node, "dense", np.moveaxis(w, axis, 0), rows * w.shape[1 - axis], rows * w.shape[axis], total)])
            continue
        given = attributes(node)
        if given.get("group", 1) != 1 or given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            continue
        out, depth, *kernel = w.shape
        pixels = shape[0] * math.prod(shape[2:])
        ways = []
        if math.prod(kernel) == 1 or scheme in ("channel", "best"):
            ways.append(_split(node, "channel", w.reshape(out, -1), pixels * depth * math.prod(kernel), pixels * out, total))
        if len(kernel) == 2 and min(kernel) > 1 and scheme in ("spatial", "best"):
            # The first runs over the height alone: as many rows as the result, as many columns as the image.
            columns = graph.shapes[node.input[0]][3]
            matrix = w.transpose(0, 3, 1, 2).reshape(out * kernel[1], depth * kernel[0])
            ways.append(_split(node, "spatial", matrix, shape[0] * shape[2] * columns * depth * kernel[0], pixels * out * kernel[1], total))
        if ways:
            found.append(ways)
    return found


def _split(node: onnx.NodeProto, scheme: str, matrix: np.ndarray, first: int, second: int, macs: int) -> Split:
    u, s, v = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    squares = np.cumsum(s**2)
    energy = squares / squares[-1] if squares[-1] > 0 else np.ones_like(squares)
    root = np.sqrt(s)  # shared between both, so that their ranges are alike
    return Split(node, scheme, u * root, v * root[:, None], energy, first, second, macs)


def _replace(graph: Graph, way: Split, rank: int) -> None:
    node, out = way.node, way.node.output[0]
    middle = graph.unique(f"{out}_rank{rank}")
    left, right = way.left[:, :rank].astype(np.float32), way.right[:rank].astype(np.float32)
    first = onnx.NodeProto()
    first.CopyFrom(node)
    first.name = f"{node.name}_rank" if node.name else ""
    first.output[0] = middle
    del first.input[2:]
    node.input[0] = middle
    w = graph.constants[node.input[1]]
    if way.scheme == "dense":
        transposed = node.op_type == "Gemm" and attributes(node).get("transB", 0)
        shapes = (right, left) if transposed else (right.T, left.T)
    elif way.scheme == "channel":
        shapes = (right.reshape(rank, *w.shape[1:]), left.reshape(w.shape[0], rank, *(1,) * (w.ndim - 2)))
        for name in ("strides", "pads", "dilations", "auto_pad"):
            drop_attribute(node, name)
        set_attribute(node, "kernel_shape", [1] * (w.ndim - 2))
    else:
        out_channels, depth, height, width = w.shape
        shapes = (right.reshape(rank, depth, height, 1), left.reshape(out_channels, width, rank).transpose(0, 2, 1)[:, :, None, :])
        for part, kernel, keep in ((first, [height, 1], 0), (node, [1, width], 1)):
            set_attribute(part, "kernel_shape", kernel)
            given = attributes(part)
            pads = given.get("pads", [0] * 4)
            for name, default in (("strides", 1), ("dilations", 1)):
                both = given.get(name, [1, 1])
                set_attribute(part, name, [both[i] if i == keep else default for i in range(2)])
            set_attribute(part, "pads", [pads[0], 0, pads[2], 0] if keep == 0 else [0, pads[1], 0, pads[3]])
    first.input[1] = graph.add_constant(f"{middle}_weight", np.ascontiguousarray(shapes[0]))
    node.input[1] = graph.add_constant(f"{out}_weight_rank{rank}", np.ascontiguousarray(shapes[1]))
    at = next(i for i, one in enumerate(graph.nodes) if one is node)
    graph.nodes.insert(at, first)
