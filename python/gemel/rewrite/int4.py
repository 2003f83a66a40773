# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits: of which layers, by what each costs alone.

Layers that read one constant have one width of weights: they are a Unit. What a unit costs is the noise of the worst output if its weights alone are of
4 bits and all else is float32. Noises of units add up, nearly: so of all sets of units with enough weights that one is taken whose noises have the least sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .calibrate import Exact, Progress
from .graph import Graph
from .images import Images
from .plan import Plan, weights_of
from .qdq import along, to_whole, weight_scales

MOST_SETS = 4096  # that are followed; with more every second is dropped, and the result is near the best


@dataclass(frozen=True)
class Wish:
    """Which weights shall have 4 bits. One of the four at the most."""

    everything: bool = False
    layers: tuple[str, ...] = ()  # by the names of the report, of results or of nodes
    share: float | None = None  # at least this share of the weights, above 0, at most 1
    budget: int | None = None  # as many as are needed for the weights to take at most so many bytes

    @property
    def any(self) -> bool:
        return self.everything or bool(self.layers) or self.chooses

    @property
    def chooses(self) -> bool:
        """Whether images say which layers."""
        return self.share is not None or self.budget is not None


@dataclass(frozen=True)
class Unit:
    name: str  # of the constant
    layers: tuple[str, ...]  # results of those that read it
    weights: int

    def size(self, bits: int) -> int:
        """Bytes."""
        return -(-self.weights * bits // 8)


def units_of(graph: Graph, plan: Plan) -> list[Unit]:
    readers: dict[str, list[str]] = {}
    for node in plan.layers:
        readers.setdefault(node.input[1], []).append(node.output[0])
    return [Unit(name, tuple(layers), graph.constants[name].size) for name, layers in readers.items()]


def named(graph: Graph, plan: Plan, units: list[Unit], names: tuple[str, ...]) -> list[Unit]:
    """ModelError E1109."""
    by_name: dict[str, str] = {}
    for node in plan.layers:
        by_name |= {name: node.input[1] for name in (node.name, node.output[0], plan.made[node.output[0]]) if name}
    for name in names:
        if name not in by_name:
            raise ModelError(Diagnostic("E1109", f"there is no layer `{name}` whose weights could be int4", graph.file,
                                        hint="the report of `gemel quantize` lists the layers: those with a ratio for their weights"))  # fmt: skip
    wanted = {by_name[name] for name in names}
    return [unit for unit in units if unit.name in wanted]


def costs(graph: Graph, plan: Plan, units: list[Unit], per_channel: bool, data: Images, images: int, progress: Progress) -> dict[str, float]:
    """For each unit: signal to noise in dB of the worst output, if its weights alone are of 4 bits. With the first `images`."""
    layers = {node.input[1]: node for node in reversed(plan.layers)}
    exact = Exact(graph, data, images)
    found = {}
    for done, unit in enumerate(units):
        held = weights_of(graph, layers[unit.name])
        assert held is not None
        w, axis = held
        scale = weight_scales(w, axis, per_channel, bits=4)
        graph.constants[unit.name] = to_whole(w, axis, scale, 4).astype(np.float32) * along(scale, axis, w.ndim)
        try:
            changed = graph.proto()
        finally:
            graph.constants[unit.name] = w
        found[unit.name] = exact.worst(changed)
        progress("weights of 4 bits alone", done + 1, len(units))
    return found


def choose(graph: Graph, units: list[Unit], decibels: dict[str, float], wish: Wish) -> list[Unit]:
    """Units for 4 bits, so many that the wish is met. ModelError E1109: not even all of them are enough."""
    if wish.budget is None:
        needed = math.ceil((wish.share or 0) * sum(unit.weights for unit in units) - 1e-6)
        gains = [unit.weights for unit in units]
    else:
        least = sum(unit.size(4) for unit in units)
        if least > wish.budget:
            raise ModelError(Diagnostic("E1109", f"the weights take {least} bytes with all of them in int4, more than the budget of {wish.budget}", graph.file,
                                        hint="ask for as many, or make the model smaller first: gemel compress"))  # fmt: skip
        needed = sum(unit.size(8) for unit in units) - wish.budget
        gains = [unit.size(8) - unit.size(4) for unit in units]
    chosen = least_noise([10 ** (-decibels[unit.name] / 10) for unit in units], gains, needed)
    return [unit for i, unit in enumerate(units) if i in chosen]


def least_noise(noises: list[float], gains: list[int], needed: int) -> set[int]:
    """The set with the least sum of noises whose gains come to `needed`; all of them do."""
    front = [(0, 0.0, 0)]  # gain, at most what is needed, noise and members (as bits) of sets that no other beats in both; the largest gain first
    for i, (noise_of, gain) in enumerate(zip(noises, gains, strict=True)):
        more = [(min(total + gain, needed), sum_of + noise_of, members | 1 << i) for total, sum_of, members in front]
        front, every = [], sorted(front + more, key=lambda one: (-one[0], one[1], one[2].bit_count()))
        for one in every:
            if not front or one[1] < front[-1][1]:
                front.append(one)
        if len(front) > MOST_SETS:
            front = front[::2]
    members = front[0][2] if needed > 0 else 0
    return {i for i in range(len(noises)) if members >> i & 1}
