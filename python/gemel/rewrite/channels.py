# SPDX-License-Identifier: Apache-2.0
"""Which channels of a network belong together, so that a filter can be removed with everything that reads it.

A space is a set of channels that some layer makes. Additions join spaces: a channel can only go from all of their operands. A value's channels are a
list of (space, repeat): a Concat puts spaces behind each other, and a Flatten repeats each channel for its pixels. What is not understood freezes its spaces.
"""

from __future__ import annotations

import math

import numpy as np

from ..importer import ort
from ..importer.onnx_ops import FLOAT_PAIRS
from .graph import Graph, attributes, set_attribute
from .plan import clip_bounds, weights_of
from .runtime import onnx

PASS = ("MaxPool", "AveragePool", "GlobalAveragePool", "Relu", "Clip", "Identity", "Dropout", *ort.UNARY)
Segments = tuple[tuple[int, int], ...]


def depthwise(graph: Graph, node: onnx.NodeProto) -> bool:
    w = graph.constants.get(node.input[1]) if node.op_type == "Conv" else None
    return w is not None and attributes(node).get("group", 1) == w.shape[0] > 1 and w.shape[1] == 1 and graph.shapes[node.input[0]][1] == w.shape[0]


class Channels:
    def __init__(self, graph: Graph, keep: set[str]):
        """keep: results of layers whose filters stay."""
        self.graph = graph
        self.size: list[int] = []
        self._parent: list[int] = []
        self._frozen: set[int] = set()
        self.of: dict[str, Segments] = {}
        self.makers: list[tuple[onnx.NodeProto, int]] = []  # layers with filters of their own, and the space that they make
        for name in graph.inputs:
            self.new(name, frozen=True)
        for node in graph.nodes:
            self._node(node, keep)
        for name in graph.outputs:
            self.freeze(name)

    def root(self, space: int) -> int:
        while self._parent[space] != space:
            space = self._parent[space]
        return space

    def frozen(self, space: int) -> bool:
        return self.root(space) in self._frozen

    def new(self, value: str, frozen: bool = False) -> None:
        shape = self.graph.shapes.get(value, ())
        if len(shape) < 2:
            return
        self._parent.append(len(self.size))
        self.of[value] = ((len(self.size), 1),)
        if frozen:
            self._frozen.add(len(self.size))
        self.size.append(shape[1])

    def freeze(self, value: str) -> None:
        for space, _ in self.of.get(value, ()):
            self._frozen.add(self.root(space))

    def join(self, a: Segments, b: Segments) -> bool:
        if [(self.size[s], r) for s, r in a] != [(self.size[s], r) for s, r in b]:
            return False
        for (one, _), (other, _) in zip(a, b, strict=True):
            one, other = self.root(one), self.root(other)
            if one != other:
                self._parent[other] = one
                if other in self._frozen:
                    self._frozen.add(one)
        return True

    def _node(self, node: onnx.NodeProto, keep: set[str]) -> None:
        graph, out = self.graph, node.output[0]
        computed = [name for name in node.input if name and name not in graph.constants]
        x = self.of.get(computed[0]) if computed else None
        shapes = graph.shapes
        rank = len(shapes.get(computed[0], ())) if computed else 0
        if weights_of(graph, node) is not None and x is not None:
            if depthwise(graph, node):
                self.of[out] = x
                if out in keep:
                    self.freeze(out)
                return
            if (node.op_type == "Conv" and attributes(node).get("group", 1) == 1) or (node.op_type != "Conv" and rank == 2):
                self.new(out)
                self.makers.append((node, self.of[out][0][0]))
                if out in keep:
                    self.freeze(out)
                return
        elif node.op_type in PASS and x is not None and (node.op_type != "Clip" or clip_bounds(graph, node)):
            self.of[out] = x
            return
        elif node.op_type in FLOAT_PAIRS and x is not None:
            if len(computed) == 1 and all(graph.constants[n].size == 1 for n in node.input if n in graph.constants):
                self.of[out] = x
                return
            other = self.of.get(computed[1]) if len(computed) == 2 else None
            if other is not None and shapes[computed[0]][1] == shapes[computed[1]][1] and rank == len(shapes[computed[1]]) and self.join(x, other):
                self.of[out] = x
                return
        elif node.op_type == "Concat" and attributes(node).get("axis", 0) % max(rank, 1) == 1 and all(name in self.of for name in computed):
            self.of[out] = tuple(segment for name in node.input for segment in self.of[name])
            return
        elif node.op_type in ("Flatten", "Reshape", "Squeeze") and x is not None and out in shapes:
            pixels = math.prod(shapes[computed[0]][2:])
            if shapes[out] == (shapes[computed[0]][0], shapes[computed[0]][1] * pixels):
                self.of[out] = tuple((space, repeat * pixels) for space, repeat in x)
                if node.op_type == "Reshape":  # whose shape would have to change
                    node.op_type = "Flatten"
                    del node.input[1:], node.attribute[:]
                    set_attribute(node, "axis", 1)
                return
        for name in computed:
            self.freeze(name)
        for name in node.output:
            self.new(name, frozen=True)

    def mask(self, value: str, masks: dict[int, np.ndarray]) -> np.ndarray:
        """Of the value's channels, those that stay."""
        return np.concatenate([np.repeat(masks[self.root(space)], repeat) for space, repeat in self.of[value]])
