# SPDX-License-Identifier: Apache-2.0
"""Two runs beside each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._files import write_whole
from ._html import table
from ._machine import Value

if TYPE_CHECKING:
    from ._result import Result


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDifference:
    """A layer in two runs. Cycles are the matrix unit's, which add up to the run; None: not known, or the run has no such layer."""

    name: str
    cycles: int | None  # here
    other_cycles: int | None  # in the other run
    change: int | None  # other - here


class Comparison:
    """Result.compare(): `repr()` and notebooks show it as a table, the layers with the greatest change first."""

    def __init__(self, result: Result, other: Result) -> None:
        self._result, self._other = result, other

    @property
    def cycles(self) -> tuple[int, int]:
        """Of this run and of the other one."""
        return self._result.cycles, self._other.cycles

    @property
    def speedup(self) -> float:
        """How many times as fast the other run is, in cycles."""
        return self._result.cycles / self._other.cycles

    @property
    def machine(self) -> dict[str, tuple[Value, Value]]:
        """Parameters in which the machines differ: key -> (here, there)."""
        return self._result.machine.diff(self._other.machine)

    @property
    def layers(self) -> tuple[LayerDifference, ...]:
        """Of both runs, the greatest change first; layers that only one of them has come last."""
        here = {layer.name: layer.matrix_cycles for layer in self._result.layers}
        there = {layer.name: layer.matrix_cycles for layer in self._other.layers}
        found = []
        for name in [*here, *(name for name in there if name not in here)]:
            one, two = here.get(name), there.get(name)
            found.append(LayerDifference(name=name, cycles=one, other_cycles=two, change=None if one is None or two is None else two - one))
        return tuple(sorted(found, key=lambda layer: (layer.change is None, -abs(layer.change or 0))))

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page that `gemel compare --report` writes: this run is A, the other one B. Returns its path. Raises UserError E0902."""
        text = self._result._inside.comparison_html(self._other._inside)
        return write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))

    def _caption(self) -> str:
        one, two = self.cycles
        return f"{self._named(self._result)}: {one:,} cycles; {self._named(self._other)}: {two:,} cycles, {100 * (two - one) / one:+.1f} %"

    @staticmethod
    def _named(result: Result) -> str:
        return f"{result.network} on {result.machine.name}"

    def __repr__(self) -> str:
        lines = [self._caption()]
        lines += [f"  {key}: {one} -> {two}" for key, (one, two) in self.machine.items()]
        for layer in self.layers[:10]:
            if layer.change:
                lines.append(f"  {layer.name:<24} {layer.cycles:>14,} -> {layer.other_cycles:>14,}  {layer.change:>+14,}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parameters = table("machines", ("parameter", "here", "there"), [(key, *values) for key, values in self.machine.items()])
        rows = [(layer.name, layer.cycles, layer.other_cycles, layer.change) for layer in self.layers]
        return parameters + table(self._caption(), ("layer", "cycles here", "cycles there", "change"), rows)
