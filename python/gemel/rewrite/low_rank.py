# SPDX-License-Identifier: Apache-2.0
"""Layers as products of two layers of lower rank, from the singular values of their weights.

Dense layers and 1x1 convolutions: outputs x inputs. Larger windows: "channel", r filters of the window and a 1x1 convolution behind them; or "spatial", a
window of one column and one of one row. A layer is taken apart only where that saves multiply-accumulates.

On a machine, ranks are those that its array likes, and a layer is taken apart only where it is predicted to take fewer cycles then. The array computes as many
outputs at once as it has columns, so that the cycles grow in steps: a rank in the midst of a step costs what the step's last one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

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

    @property
    def most(self) -> int:
        """The largest rank that saves multiply-accumulates; 0: none does."""
        return min((self.macs - 1) // (self.first + self.second), self.energy.size)


@dataclass(frozen=True)
class Target:
    """A machine that the ranks are for."""

    name: str
    columns: int  # of its array
    cycles: Callable[[Graph], int | None]  # predicted of a small network; None: it does not run there


@dataclass(frozen=True)
class Chosen:
    way: Split
    rank: int

    @property
    def macs(self) -> int:
        return self.rank * (self.way.first + self.way.second)


def lower_ranks(graph: Graph, energy: float | None, macs_share: float | None, scheme: str, keep: set[str],
                target: Target | None = None) -> tuple[int, list[str]]:  # fmt: skip
    """With the least ranks that keep `energy`, or with the largest energy that needs at most `macs_share` of the MACs. How many layers were taken apart, and
    the results of those that could have saved MACs, but no cycles of the target. ModelError E1109: not even the least ranks need so few."""
    splits = splits_of(graph, scheme, keep)
    chooser = _Chooser(graph, target)
    while True:
        kept = energy if macs_share is None else _energy(graph, splits, chooser, macs_share)
        assert kept is not None
        chosen = [chooser.best(ways, kept) for ways in splits]
        if not any(chosen) or chooser.pays([one for one in chosen if one is not None]):
            break
    for found in chosen:
        if found is not None:
            _replace(graph, found.way, found.rank)
    graph.infer()
    slow = [ways[0].node.output[0] for ways, found in zip(splits, chosen, strict=True) if found is None and any(way.rank(kept) <= way.most for way in ways)]
    return sum(found is not None for found in chosen), slow


def _energy(graph: Graph, splits: list[list[Split]], chooser: _Chooser, macs_share: float) -> float:
    """The largest that needs at most this share of the MACs."""
    whole = sum(layer.macs for layer in layers(graph))

    def needed(energy: float) -> int:
        return whole - sum(ways[0].macs - found.macs for ways in splits if (found := chooser.best(ways, energy)) is not None)

    least = needed(0)
    if least > macs_share * whole:
        raise ModelError(Diagnostic("E1109", f"the model has {least / whole:.1%} of its MACs with {chooser.least}, more than the wanted {macs_share:.1%}",
                                    graph.file, hint=f"ask for more, or remove filters first{chooser.otherwise}"))  # fmt: skip
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if needed(middle) <= macs_share * whole else (low, middle)
    return low


class _Chooser:
    """The way to take a layer apart, for an energy that is kept."""

    def __init__(self, graph: Graph, target: Target | None):
        self._graph, self._target = graph, target
        self._known: dict[tuple[object, ...], int | None] = {}
        self._limits: dict[tuple[str, str], int] = {}  # result and scheme -> ranks below it alone may be chosen
        self.least = "layers of rank 1" if target is None else f"the least ranks that save cycles on {target.name}"
        self.otherwise = "" if target is None else ", or choose ranks without a machine"

    def best(self, ways: list[Split], energy: float) -> Chosen | None:
        """None: the layer stays as it is."""
        found = [Chosen(way, rank) for way in ways if (rank := self._rank(way, energy)) <= way.most and rank < self._limit(way)]
        if self._target is None or not found:
            return min(found, key=lambda one: one.macs, default=None)
        whole = self._cycles(ways[0], 0)
        cycles = [self._cycles(one.way, one.rank) for one in found]
        if whole is None or None in cycles:  # it does not run there: MACs decide
            return min(found, key=lambda one: one.macs)
        faster = [(taken, one.macs, i) for i, (one, taken) in enumerate(zip(found, cycles, strict=True)) if taken is not None and taken < whole]
        return found[min(faster)[2]] if faster else None

    def pays(self, chosen: list[Chosen]) -> bool:
        """If the network as a whole takes fewer cycles, too: a layer that is faster alone may wait for memory all the same. If not, the layer that
        gained least must have a lower rank from now on."""
        if self._target is None:
            return True
        smaller = self._graph.copy()
        made = {node.output[0]: node for node in smaller.nodes}
        for one in chosen:
            _replace(smaller, replace(one.way, node=made[one.way.node.output[0]]), one.rank)
        smaller.infer()
        if () not in self._known:
            self._known[()] = self._target.cycles(self._graph.copy())
        before, after = self._known[()], self._target.cycles(smaller)
        if before is None or after is None or after < before:
            return True
        last = max(chosen, key=lambda one: (self._cycles(one.way, one.rank) or 0) / (self._cycles(one.way, 0) or 1))
        self._limits[last.way.node.output[0], last.way.scheme] = last.rank
        return False

    def _limit(self, way: Split) -> int:
        return self._limits.get((way.node.output[0], way.scheme), way.most + 1)

    def _rank(self, way: Split, energy: float) -> int:
        """The least that keeps the energy; on a target the next one that is a multiple of its columns, or below that a half of them, a quarter, ...:
        the largest one that takes the cycles of the least."""
        rank = way.rank(energy)
        if self._target is None or rank > way.most or rank >= self._limit(way):
            return rank
        columns = self._target.columns
        if rank > columns // 2:
            return min(-(-rank // columns) * columns, way.most)
        steps = [columns]
        while steps[-1] % 2 == 0 and steps[-1] // 2 >= rank:
            steps.append(steps[-1] // 2)
        steps = list(dict.fromkeys(min(step, way.most) for step in steps))
        least = self._cycles(way, steps[-1])
        return next(step for step in steps if self._cycles(way, step) == least)

    def _cycles(self, way: Split, rank: int) -> int | None:
        """Of the layer alone; rank 0: as it is."""
        assert self._target is not None
        node, graph = way.node, self._graph
        image = graph.shapes[node.input[0]]
        given = sorted(a.SerializeToString() for a in node.attribute)
        key = (node.op_type, image, graph.shapes[node.input[1]], *given, way.scheme if rank else "", rank)
        if key not in self._known:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[0] = "image" if copy.output[0] != "image" else "image_"
            inside = [onnx.helper.make_tensor_value_info(copy.input[0], onnx.TensorProto.FLOAT, image)]
            outside = [onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, graph.shapes[node.output[0]])]
            constants = [onnx.numpy_helper.from_array(graph.constants[name], name) for name in dict.fromkeys(node.input[1:]) if name]
            made = onnx.helper.make_graph([copy], "layer", inside, outside, constants)
            alone = Graph(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", graph.opset)], ir_version=10), graph.file)
            if rank:
                _replace(alone, replace(way, node=alone.nodes[0]), rank)
                alone.infer()
            self._known[key] = self._target.cycles(alone)
        return self._known[key]


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
    """Singular values from the eigenvalues of the smaller of both products of the matrix with itself: many times faster than from the matrix, and the half
    of the digits that float64 loses so is more than float32 has."""
    real = matrix.astype(np.float64)
    wide = real.shape[0] <= real.shape[1]
    values, vectors = np.linalg.eigh(real @ real.T if wide else real.T @ real)
    squares, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    kept = np.cumsum(squares)
    energy = kept / kept[-1] if kept[-1] > 0 else np.ones_like(kept)
    root = np.maximum(squares, np.finfo(np.float64).tiny) ** 0.25  # of a singular value: shared between both, so that their ranges are alike
    if wide:
        return Split(node, scheme, vectors * root, vectors.T @ real / root[:, None], energy, first, second, macs)
    return Split(node, scheme, real @ vectors / root, vectors.T * root[:, None], energy, first, second, macs)


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
