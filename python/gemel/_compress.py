# SPDX-License-Identifier: Apache-2.0
"""Compression of float ONNX models: pruning and lower ranks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ._errors import UserError, user_error
from ._html import table
from ._machine import Machine
from ._network import Source, load
from ._options import choice, whole
from ._program import as_machine, estimate
from ._rewritten import RewrittenModel, called, table_line
from ._run import run


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a float network costs: its layers with constant weights, biases included."""

    layers: int
    parameters: int
    zeros: int  # of the weights
    macs: int
    cycles: int | None  # of its int8 form on the machine; None: not asked for, or it cannot run there


@dataclass(frozen=True, kw_only=True)
class CompressedModel(RewrittenModel):
    """A smaller float ONNX model, and what was gained."""

    before: Cost
    after: Cost
    layers: tuple[tuple[str, str, tuple[int, ...], int], ...]  # of the smaller model: result, operator, shape of the weights, MACs
    method: str
    machine: Machine | None
    notes: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""

        def plain(cost: Cost) -> dict[str, Any]:
            return {"layers": cost.layers, "parameters": cost.parameters, "zeros": cost.zeros, "macs": cost.macs, "cycles": cost.cycles}

        return {"method": self.method, "machine": None if self.machine is None else self.machine.name, "before": plain(self.before), "after": plain(self.after),
                "layers": [{"name": n, "operator": o, "weights": list(s), "macs": m} for n, o, s, m in self.layers], "notes": list(self.notes)}  # fmt: skip

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for name in ("layers", "parameters", "zeros", "macs", "cycles"):
            one, other = getattr(self.before, name), getattr(self.after, name)
            if one is None and other is None:
                continue
            ratio = _ratio(one, other) if one and other and name not in ("layers", "zeros") else ""
            what = {"macs": "MACs", "zeros": "zeros among the weights"}.get(name, name)
            if name == "cycles" and self.machine is not None:
                what = f"cycles on {self.machine.name}"
            rows.append((what, *("" if value is None else f"{value:,}" for value in (one, other)), ratio))
        return rows

    def __str__(self) -> str:
        rows = [(self.method, "before", "after", ""), *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def details(self) -> str:
        """The layers of the smaller model as a table."""
        rows = [("layer", "operator", "weights", "MACs"), *((n, o, "x".join(map(str, s)), f"{m:,}") for n, o, s, m in self.layers)]
        widths = [min(60, max(len(row[i]) for row in rows)) for i in range(4)]
        return "\n".join(table_line(row, widths) for row in rows)

    def _repr_html_(self) -> str:
        return table(self.method, ("", "before", "after", ""), self._rows())


def _ratio(before: int, after: int) -> str:
    if before == after:
        return "the same"
    return f"{before / after:.2f}x less" if after < before else f"{after / before:.2f}x more"


def compress(
    model: Source,
    out: Source | None = None,
    *,
    filters: float | None = None,
    weights: float | None = None,
    pattern: tuple[int, int] | None = None,
    low_rank: float | None = None,
    energy: float | None = None,
    blocks: float | None = None,
    block: tuple[int, int] | None = None,
    scheme: Literal["channel", "spatial", "best"] = "best",
    scope: Literal["layer", "global"] = "layer",
    round_to: int = 1,
    keep: Sequence[str] = (),
    machine: Machine | Source | None = None,
) -> CompressedModel:
    """Makes a float32 ONNX model smaller, by one of six methods, and says what it costs before and after.

    model: a float32 .onnx file, or a float .tflite file. Nothing is trained: accuracy falls, and gemel.accuracy() says by how much.
    out: file to write; None: .save() writes it.
    filters: this share of the filters is removed, with what reads them: those with the least L2 norms.
    weights: this share of the weights becomes 0, those of the least magnitude. The machine multiplies single zeros as it does other numbers.
    pattern: (N, M): of each M weights of an output, one behind the other, the N largest stay. Likewise.
    low_rank: layers become products of two of lower rank, until the model has this share of its MACs.
    energy: the same, with the least ranks that keep this share of the squares of each layer's singular values.
    blocks: this share of the blocks of weights becomes 0, those of the least L2 norms. The machine neither loads nor runs tiles of its array that are zero.
    block: rows (input channels at a tap) and columns (outputs) of a block; None: those of the machine's array.
    scheme: how windows are taken apart: "channel", "spatial", or what takes fewer MACs.
    scope: magnitudes are compared within each layer, or over the network.
    round_to: so many filters, or a multiple of it, stay in each layer: the columns of the array, say.
    keep: names of layers that stay as they are.
    machine: cycles on this machine, of int8 forms whose numbers are noise. Lower ranks are those that its array likes, and layers that would take no fewer
        cycles by gemel.estimate() stay whole.

    Raises UserError E11xx (the model), E0915 (options), E0902.
    """
    given = {name: value for name, value in (("filters", filters), ("weights", weights), ("pattern", pattern), ("low_rank", low_rank), ("energy", energy),
                                        ("blocks", blocks)) if value is not None}  # fmt: skip
    if len(given) != 1:
        told = "no method is given" if not given else " and ".join(f"`{name}`" for name in given) + " exclude each other"
        raise user_error("E0911", told, "give one of `filters`, `weights`, `pattern`, `low_rank`, `energy`, `blocks`; the result can be compressed again")
    name, value = next(iter(given.items()))
    on = None if machine is None else as_machine(machine)
    if block is not None and blocks is None:
        raise user_error("E0911", "`block` is the size of the blocks that become zero, and no `blocks` are asked for", "give `blocks`, the share of them")
    if blocks is not None and block is None:
        if on is None:
            raise user_error("E0911", "`blocks` are asked for, but not of which size", "give `block`, or the `machine` whose array they are for")
        block = int(on["pe_array.rows"]), int(on["pe_array.columns"])
    if block is not None and (len(block) != 2 or not all(1 <= side <= 256 for side in block)):
        raise user_error("E0915", f"`block` is {block}, but must be rows and columns from 1 to 256")
    if isinstance(value, tuple):
        if len(value) != 2 or not 1 <= whole("pattern", value[0], 1) < whole("pattern", value[1], 2, 1024):
            raise user_error("E0915", f"`pattern` is {value}, but must be N and M with N below M")
        method = f"{value[0]} of {value[1]} weights"
    else:
        if not 0 < value < 1:
            raise user_error("E0915", f"`{name}` is {value}, but must be a share above 0 and below 1")
        method = {"filters": f"{value:.1%} of the filters removed", "weights": f"{value:.1%} of the weights zero",
                  "low_rank": f"low rank, {value:.1%} of the MACs", "energy": f"low rank, {value:.1%} of the energy",
                  "blocks": f"{value:.1%} of the blocks of {block[0]}x{block[1]} zero" if block is not None else ""}[name]  # fmt: skip
    choice("scheme", scheme, ("channel", "spatial", "best"))
    choice("scope", scope, ("layer", "global"))
    whole("round_to", round_to, 1, 4096)
    outcome = called(lambda: import_module("gemel.rewrite.compress").compress(
        Path(os.fspath(model)), filters=filters, weights=weights, pattern=pattern, low_rank=low_rank, energy=energy,
        blocks=None if blocks is None or block is None else (blocks, *block), scheme=scheme, scope=scope, round_to=round_to, keep=tuple(keep),
        target=None if on is None else (on.name, int(on["pe_array.columns"]), lambda model: _predicted(model, on))))  # fmt: skip
    cycles: list[int | None] = [None, None]
    notes: list[str] = []
    if on is not None:
        for i, stand_in in enumerate(outcome.stand_ins):
            cycles[i] = _cycles(stand_in, on, notes)
        if name in ("weights", "pattern") and cycles[0] is not None:
            notes.append("the array multiplies zeros as it does other numbers: only tiles of zeros save cycles, as `blocks` makes them")
    if outcome.slow and on is not None:
        shown = ", ".join(outcome.slow[:5]) + (f" and {len(outcome.slow) - 5} more" if len(outcome.slow) > 5 else "")
        notes.append(f"layers that stay whole, since lower ranks would save MACs but no cycles on {on.name}: {shown}")
    costs = [Cost(layers=len(layers), parameters=sum(one.parameters for one in layers), zeros=sum(one.zeros for one in layers),
                  macs=sum(one.macs for one in layers), cycles=found)
             for layers, found in zip((outcome.before, outcome.after), cycles, strict=True)]  # fmt: skip
    result = CompressedModel(before=costs[0], after=costs[1], layers=tuple((one.name, one.operator, one.shape, one.macs) for one in outcome.after),
                             method=method, machine=on, notes=tuple(notes), _model=outcome.model)  # fmt: skip
    if out is not None:
        result.save(out)
    return result


def _predicted(stand_in: Any, machine: Machine) -> int | None:
    with tempfile.TemporaryDirectory(prefix="gemel-compress-") as folder:
        file = Path(folder, "int8.onnx")
        called(lambda: import_module("gemel.rewrite.graph").save(stand_in, file))
        try:
            return estimate(load(file, timing_only=True), machine).cycles
        except UserError:
            return None


def _cycles(stand_in: Any, machine: Machine, notes: list[str]) -> int | None:
    with tempfile.TemporaryDirectory(prefix="gemel-compress-") as folder:
        file = Path(folder, "int8.onnx")
        called(lambda: import_module("gemel.rewrite.graph").save(stand_in, file))
        try:
            return run(load(file, timing_only=True), machine, timing_only=True).cycles
        except UserError as error:
            note = f"no cycles: the int8 form does not run on {machine.name}: {error.message}"
            if note not in notes:
                notes.append(note)
            return None
