# SPDX-License-Identifier: Apache-2.0
"""What a run leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import _gemel
from ._arrays import Array, array_of
from ._compare import Comparison
from ._gemel import StopToken, TensorInfo
from ._html import table
from ._machine import Machine
from ._options import whole
from ._real_time import RealTime

if TYPE_CHECKING:
    import numpy as np
    import pandas  # type: ignore[import-untyped, unused-ignore]
    from numpy.typing import NDArray

    from ._advise import Advice
    from ._network import Network, Origin

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerMapping:
    """How the compiler runs a layer, or some of its channels, on one unit (docs/reference/result.md)."""

    unit: str  # "matrix_unit" (the vector unit finishes its results) or "vector_unit"
    beside: bool  # on the vector unit at the same time as the layer before it
    first_channel: int  # of the output channels that are computed here
    channels: int
    output: Shape  # images, rows, columns, channels as the mapping sees them
    tile: Shape  # the same of the largest tile
    reduction: Shape | None  # kernel rows, kernel columns, input channels of one instruction of the matrix unit
    accumulated_channels: int | None  # its output channels
    loops: tuple[str, ...]  # outermost first: "tiles", "channels", "reduction"
    resident: tuple[str, ...]  # loaded once and kept: "weights", "activations", "parameters"

    def __str__(self) -> str:
        """"matrix_unit: 1x7x7x80 of 1x28x28x80, loops channels tiles, keeps weights"."""
        text = f"{self.unit}: {_shape_text(self.tile)} of {_shape_text(self.output)}"
        for what, names in (("loops", self.loops), ("keeps", self.resident)):
            text += f", {what} {' '.join(names)}" if names else ""
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightTiles:
    """A layer's constant weights in tiles as the array holds them: rows x columns. All 0 if it has none, or they are not on the array."""

    count: int
    zero: int  # of these, with zeros only; of weights that are drawn from a seed, none is known to be
    left_out: int  # of these, neither loaded nor run


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerResult:
    """A layer of a run: what result.json has of it, under the same names (docs/reference/result.md)."""

    name: str
    op: str  # "conv2d", ...
    fused_into: str | None  # name of the layer whose instructions compute it as well
    compared: str  # "equal", "fused", "not compared", "view", "host"
    inputs: tuple[Shape, ...]
    output: Shape
    kernel: Shape  # height, width
    stride: Shape  # height, width
    dilation: Shape  # height, width
    padding: Shape  # top, left, bottom, right
    groups: int
    weight_bytes: int  # in memory, as the array wants them
    weight_tiles: WeightTiles
    macs: int  # multiply-accumulates of the whole batch, taps in the padding included, without those of tiles that are left out
    mapping: tuple[LayerMapping, ...]  # by unit; empty: another layer's instructions compute it, a view, or on the host
    first_cycle: int | None  # start of its first instruction; None: it has none, or that is not known
    last_cycle: int | None  # end of its last instruction
    span_cycles: int | None  # from the first to the last; layers overlap
    matrix_cycles: int | None  # of the matrix unit, waiting included; those of all layers add up to the run
    array_cycles: int  # in which a row of pixels entered the array
    predicted_cycles: int  # the compiler's prediction
    utilization: float | None  # share of the array's MAC slots, 0 to 1
    bottleneck: str  # what bounds it, in words
    load_bytes: int
    store_bytes: int
    units: Mapping[str, Mapping[str, int]] | None  # cycles by unit and cause


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


_Kind = TypeVar("_Kind", LayerMapping, LayerResult, WeightTiles)


def _of_fields(kind: type[_Kind], values: Mapping[str, Any]) -> _Kind:
    return kind(**{field.name: _frozen(values[field.name]) for field in fields(kind)})


class Result:
    """A run: figures, layers, outputs, reports. Made by gemel.run().

    `to_dict()` is result.json, field by field; what is here beside it are the figures most often wanted.
    """

    def __init__(self, inside: _gemel.Result, network: str, machine: Machine, output_infos: tuple[TensorInfo, ...],
                 origin: Origin | None = None) -> None:
        self._inside = inside  # no program: a thousand results must not keep a thousand programs
        self._network = network
        self._machine = machine
        self._output_infos = output_infos
        self._origin = origin  # of the network

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def network(self) -> str:
        """Its name."""
        return self._network

    @property
    def cycles(self) -> int:
        """From start to halt; with test images in several batches, of all of them."""
        return self._inside.cycles

    @property
    def seconds(self) -> float:
        """At the machine's clock."""
        return float(self._figures["seconds_at_clock"])

    @property
    def macs(self) -> int:
        """Multiply-accumulates, taps in the padding included."""
        return int(self._figures["macs"])

    @property
    def utilization(self) -> float:
        """Share of the array's MAC slots that were used, 0 to 1."""
        return float(self._figures["utilization"])

    @property
    def starts(self) -> int:
        """How often the NPU is started in a round: 1, or once for each part of a program that waits for layers on the host."""
        return int(self._fields["starts"])

    @property
    def host_steps(self) -> dict[str, Any]:
        """What runs on the host: `operators`, their share of all layers' output elements (`elements_share`), and the `bytes` that cross to it and back."""
        return dict(self._fields["host_steps"])

    @property
    def accuracy(self) -> float | None:
        """Share of right answers over the test images, 0 to 1; None: none were run."""
        accuracy = self._fields["accuracy"]
        return None if accuracy is None else float(accuracy)

    @property
    def units(self) -> dict[str, dict[str, int]]:
        """Cycles of each unit by cause: `result.units["matrix_unit"]["busy"]`. Those of a unit add up to `cycles`."""
        units: dict[str, dict[str, int]] = {}
        for name, value in self._figures.items():
            unit, dot, cause = name.partition(".")
            if dot:
                units.setdefault(unit, {})[cause] = int(value)
        return units

    @cached_property
    def layers(self) -> tuple[LayerResult, ...]:
        """In order of execution."""
        return tuple(_of_fields(LayerResult, layer | {"mapping": [_of_fields(LayerMapping, part) for part in layer["mapping"]],
                                                      "weight_tiles": _of_fields(WeightTiles, layer["weight_tiles"])})
                     for layer in self._fields["layers"])  # fmt: skip

    @cached_property
    def outputs(self) -> dict[str, Array]:
        """The network's outputs by name: arrays of the tensor's type and shape that share the result's memory and may only be read.

        Of the last batch; empty after a timing-only run.
        """
        return {data.name: array_of(data) for data in self._inside.outputs()}

    @property
    def output_infos(self) -> tuple[TensorInfo, ...]:
        """Names, shapes, types, scales and zero points of the outputs, also of a timing-only run."""
        return self._output_infos

    @cached_property
    def tensors(self) -> dict[str, Array]:
        """What gemel.run(keep=...) was asked to keep, by name and in the network's order; arrays as in `outputs`."""
        return {data.name: array_of(data) for data in self._inside.tensors()}

    def tensor(self, name: str) -> Array:
        """An output, or a tensor that was kept, by its name. Raises KeyError, naming those that there are."""
        for known in (self.outputs, self.tensors):
            if name in known:
                return known[name]
        if not self.outputs:
            raise KeyError("a timing-only run computes no tensors")
        raise KeyError(f"{name!r} was not kept: gemel.run() takes keep=[{name!r}]; there are {', '.join({**self.tensors, **self.outputs})}")

    def figures(self) -> dict[str, int | float]:
        """The figures of the whole run, by their names in result.json; cycles by unit and cause as "matrix_unit.busy". In microseconds."""
        return self._inside.figures()

    @cached_property
    def _figures(self) -> dict[str, int | float]:
        return self._inside.figures()

    @cached_property
    def _fields(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self._inside.json())
        return loaded

    def to_dict(self) -> dict[str, Any]:
        """result.json, field by field (docs/reference/result.schema.json). A copy."""
        copy: dict[str, Any] = json.loads(self._inside.json())
        return copy

    def columns(self) -> dict[str, Array]:
        """The layers as one array per column, in order of execution.

        Names and numbers as in LayerResult; shapes and mappings as text ("1x56x56x64"), cycles by unit and cause as "matrix_unit.busy". Where a number is not
        known it is -1, and the utilization not a number.
        """
        import numpy as np

        columns: dict[str, Array] = {}
        for field in fields(LayerResult):
            values = [getattr(layer, field.name) for layer in self.layers]
            if field.name == "units":
                for unit, causes in self._fields["units"].items():
                    for cause in causes:
                        columns[f"{unit}.{cause}"] = np.array([-1 if units is None else units[unit][cause] for units in values], np.int64)
            elif field.name == "weight_tiles":
                for part in fields(WeightTiles):
                    columns[f"weight_tiles.{part.name}"] = np.array([getattr(tiles, part.name) for tiles in values], np.int64)
            elif field.name == "inputs":
                columns[field.name] = np.array([" ".join(map(_shape_text, shapes)) for shapes in values], np.str_)
            elif field.name in ("output", "kernel", "stride", "dilation", "padding"):
                columns[field.name] = np.array([_shape_text(shape) for shape in values], np.str_)
            elif field.name == "mapping":
                columns[field.name] = np.array(["; ".join(map(str, parts)) for parts in values], np.str_)
            elif field.name in ("name", "op", "fused_into", "compared", "bottleneck"):
                columns[field.name] = np.array([value or "" for value in values], np.str_)
            elif field.name == "utilization":
                columns[field.name] = np.array([np.nan if value is None else value for value in values], np.float64)
            else:
                columns[field.name] = np.array([-1 if value is None else value for value in values], np.int64)
        return columns

    def table(self) -> NDArray[np.void]:
        """columns() as one structured array: `result.table()["cycles"]`, a row per layer."""
        import numpy as np

        columns = self.columns()
        rows = np.empty(len(self.layers), dtype=[(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            rows[name] = column
        return rows

    def to_pandas(self) -> pandas.DataFrame:
        """columns() as a DataFrame. Needs the extra `frames`: pip install "gemel[frames]"; raises ImportError without it."""
        try:
            import pandas  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            raise ImportError('to_pandas() needs pandas: pip install "gemel[frames]"; columns() and table() do without') from None
        return pandas.DataFrame(self.columns())

    def summary(self) -> str:
        """The tables of layers, units and totals that `gemel run` prints."""
        return self._inside.summary()

    def explain(self, most: int = 5) -> str:
        """Where the array's time went, in words: the layers (at most so many) that lose the most cycles, and what bounds each.

        A layer loses those of its matrix cycles that its multiply-accumulates on the array would not take at full width.
        """
        places = int(self._machine["pe_array.rows"]) * int(self._machine["pe_array.columns"])
        lost = [(layer.matrix_cycles - (layer.macs / places if layer.array_cycles else 0), layer)
                for layer in self.layers if layer.matrix_cycles is not None]  # fmt: skip
        lines = [f"{self.network} on {self._machine.name}: {self.cycles:,} cycles, {100 * self.utilization:.1f} % of the array's MAC slots"]
        for cycles, layer in sorted(lost, key=lambda pair: -pair[0])[:most]:
            lines.append(f"  {layer.name} loses {cycles:,.0f} cycles ({100 * cycles / self.cycles:.1f} %): {layer.bottleneck}")
        zero, left_out = (sum(getattr(layer.weight_tiles, what) for layer in self.layers) for what in ("zero", "left_out"))
        if zero:
            lines.append(f"  of {zero:,} tiles of weights that are zero, {left_out:,} are left out")
        note = self._fields["layers_note"]
        return "\n".join(lines if note is None else [*lines, f"  layers are not known: {note}"])

    def trace(self) -> dict[str, Any]:
        """trace.json, for https://ui.perfetto.dev. Raises ValueError if the run was made without `trace=True`."""
        if not self._inside.traced:
            raise ValueError("the run recorded no trace; gemel.run() takes trace=True")
        loaded: dict[str, Any] = json.loads(self._inside.trace_json())
        return loaded

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes the report for a person: one HTML page that fetches nothing. Returns its path."""
        target = Path(path)
        beside = target.with_name(target.name + ".part")
        beside.write_text(self._inside.html(), encoding="utf-8")
        beside.replace(target)
        return target

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Writes result.json, report.html and, if there is one, trace.json, each whole or not at all, as `gemel run --out` does.

        Returns the paths. Raises UserError E0901, E0902.
        """
        return [Path(path) for path in self._inside.write(os.fspath(folder))]

    def advise(self, network: Network | None = None, *, stop: StopToken | None = None) -> Advice:
        """What would make this run faster, and what it could do without: each resource of the machine doubled, halved and ideal, and run.

        `str()` of it is the text of `gemel run --advise`. It takes some forty runs without data, several at a time.
        network: what ran, where that cannot be loaded again (it came from a compiled file). stop: as gemel.run() has it.
        Raises ValueError if there is no network.
        """
        from ._advise import advise

        origin = self._origin if network is None else network._origin
        if origin is None:
            raise ValueError("the network of this run cannot be loaded again; advise() takes it as `network`")
        of = network if network is not None and network.timing_only else origin.load(timing_only=True)
        in_file = "\n" not in origin.source and origin.tensors is None
        cycles = self.cycles // int(self._fields["rounds"])
        return advise(of, self._machine, cycles=cycles, source=origin.called if in_file else "", batch=of.batch, stop=stop or StopToken())

    def real_time(self, period: float, frames: int = 100, deadline: float | None = None) -> RealTime:
        """This run once for each of `frames` that arrive every `period` seconds: latencies, backlog, and which miss the `deadline` (seconds from arrival
        to result). As `gemel run --period` has it: one frame after the other, none is dropped. Raises UserError E0915."""
        cycles = self.cycles // int(self._fields["rounds"])
        return RealTime.of(cycles, float(self._machine["clock_mhz"]), period, whole("frames", frames, 1, 10_000_000), deadline)

    def compare(self, other: Result) -> Comparison:
        """This run beside another one: cycles, parameters that differ, layers of the same name."""
        return Comparison(self, other)

    def __getstate__(self) -> dict[str, Any]:
        made = {"layers", "outputs", "tensors", "_fields", "_figures"}  # when they were asked for, and will be again
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __repr__(self) -> str:
        return f"<gemel.Result {self.network} on {self.machine.name}: {self.cycles:,} cycles, {100 * self.utilization:.1f} % of the array>"

    def _repr_html_(self) -> str:
        heads = ("layer", "op", "output", "MACs", "matrix cycles", "utilization %", "bottleneck")
        rows = [(layer.name, layer.op, _shape_text(layer.output), layer.macs, layer.matrix_cycles,
                 None if layer.utilization is None else 100 * layer.utilization, layer.bottleneck) for layer in self.layers]  # fmt: skip
        caption = f"{self.network} on {self.machine.name}: {self.cycles:,} cycles, {100 * self.utilization:.1f} % of the array's MAC slots"
        return table(caption, heads, rows)


def _shape_text(shape: Shape) -> str:
    return "x".join(map(str, shape))
