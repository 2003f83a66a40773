# SPDX-License-Identifier: Apache-2.0
"""Sweeps: a space of designs, computed by warm processes, recorded in one file, shown as a table and a front."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._cluster import Cluster
from ._errors import UserError, user_error
from ._expression import Expression, ExpressionError, Scope
from ._files import write_whole
from ._figures import DERIVED, FIGURES, MAIN_FIGURES, derived, figure
from ._gemel import Diagnostic, StopToken
from ._html import shown, table
from ._identity import version
from ._machine import Machine, Value
from ._options import whole
from ._search import require_optuna, search
from ._space import Combination, Space, Workload
from ._store import Store, point_of
from ._worker import Job, Outcome
from ._workers import Workers

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped, unused-ignore]

_MOST_WORKERS = 1024
_SHOWN = 20  # designs of the front in a summary

Row = dict[str, Any]


@dataclass(frozen=True)
class _Candidate:
    """A design that is a machine, or would be one."""

    combination: Combination
    machine: str  # digest; empty: it is none
    outcome: Outcome | None  # what is wrong with it, if it is no machine


class Design:
    """A machine of a sweep with its points, one for each network."""

    def __init__(self, sweep: Sweep, position: int, combination: Combination, outcomes: Sequence[Outcome | None]) -> None:
        self._sweep, self._combination, self._outcomes = sweep, combination, tuple(outcomes)
        self.position = position  # in the sweep's table, from 0
        self.changes: dict[str, Value] = dict(combination.changes)  # to the space's machine

    def machine(self) -> Machine:
        """Raises UserError if it is none, as the point's error says."""
        return self._sweep.space.changed(self._combination)

    @cached_property
    def status(self) -> str:
        """ "done", "failed" (a point has an error), "excluded" (a constraint does not hold), or "open" (not computed yet)."""
        if any(outcome is not None and outcome.figures is None for outcome in self._outcomes):
            return "failed"
        if any(outcome is None for outcome in self._outcomes):
            return "open"
        try:
            holds = all(self.value(constraint) for constraint in self._sweep.space.limits)
            for objective in self._sweep.space.objectives:
                self.value(objective.expression)
        except ExpressionError:
            return "failed"
        return "done" if holds else "excluded"

    def figures(self, network: str | None = None) -> dict[str, int | float] | None:
        """What a run says, by names of result.json, of one network (by label; None: of the only one). None: it failed, or is open."""
        labels = [workload.label for workload in self._sweep.space.workloads]
        index = 0 if network is None and len(labels) == 1 else labels.index(network or "")
        outcome = self._outcomes[index]
        return None if outcome is None or outcome.figures is None else dict(outcome.figures)

    def value(self, expression: Expression | str) -> Any:
        """An expression over this design: a parameter, a figure of all networks together, whatever objectives may be. Raises ExpressionError."""
        parsed = Expression(expression) if isinstance(expression, str) else expression
        runs = [outcome.figures for outcome in self._outcomes if outcome is not None and outcome.figures is not None]
        if len(runs) < len(self._outcomes):
            raise ExpressionError(f"`{parsed.text}` is not known: a point failed, or is not computed yet")
        labels = [workload.label for workload in self._sweep.space.workloads]
        static, places = self._static, int(self._values["pe_array.rows"]) * int(self._values["pe_array.columns"])

        def scope_over(group: Sequence[Mapping[str, Any]]) -> Scope:
            def scope(name: str) -> Any:
                if name in FIGURES:
                    return figure(name, group, places)
                label, _, rest = name.partition(".")
                if rest in FIGURES and label in labels:
                    return figure(rest, [runs[labels.index(label)]], places)
                try:
                    return static(name)
                except KeyError:
                    raise ExpressionError(f"unknown name `{name}`") from None

            return scope

        return parsed.value(scope_over(runs), [scope_over([run]) for run in runs])

    @cached_property
    def objectives(self) -> dict[str, Any]:
        """The objectives' values by name; empty if there are none."""
        if self.status not in ("done", "excluded"):
            return {}
        return {objective.name: self.value(objective.expression) for objective in self._sweep.space.objectives}

    @property
    def commands(self) -> tuple[str, ...]:
        """Lines that run its points again, each with the same cycles; of networks that are in no file there is none."""
        return tuple(filter(None, (self._sweep.space.command(workload, self._combination) for workload in self._sweep.space.workloads)))

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {**self._sweep.space.machine, **self.changes}

    @cached_property
    def _static(self) -> Scope:
        return self._sweep.space.static_scope(self._values)

    @cached_property
    def costs(self) -> tuple[float, ...]:
        """The objectives, less is better."""
        return tuple(-self.objectives[o.name] if o.maximize else self.objectives[o.name] for o in self._sweep.space.objectives)

    def __repr__(self) -> str:
        return f"<gemel.Design {self.position}: {', '.join(f'{key}={value}' for key, value in self.changes.items())}; {self.status}>"


class Sweep:
    """A table of designs: what gemel.sweep() returns. Designs are in the order of the space, however many workers computed them."""

    def __init__(
        self, space: Space, combinations: Sequence[Combination], outcomes: Sequence[Sequence[Outcome | None]], notes: Sequence[str] = ()
    ) -> None:
        self.space = space
        self.notes = tuple(notes)  # what there is to say about the whole
        self.designs = tuple(
            Design(self, position, combination, those) for position, (combination, those) in enumerate(zip(combinations, outcomes, strict=True))
        )

    @cached_property
    def front(self) -> tuple[Design, ...]:
        """The designs that no other beats in every objective, the best in the first one first. Of equals the first is there."""
        candidates = sorted((design for design in self.designs if design.status == "done"), key=lambda design: (design.costs, design.position))
        found: list[Design] = []
        for design in candidates:  # whoever beats it has been seen
            if not any(_beats(other.costs, design.costs) or other.costs == design.costs for other in found):
                found.append(design)
        return tuple(found)

    @property
    def rows(self) -> Iterator[Row]:
        """A row for each design and network, as in the CSV file."""
        front = {design.position for design in self.front}
        several = len(self.space.workloads) > 1
        for design in self.designs:
            static = (
                derived(design._values) if all(outcome is None or outcome.code != "E0108" for outcome in design._outcomes) else dict.fromkeys(DERIVED)
            )
            for workload, outcome in zip(self.space.workloads, design._outcomes, strict=True):
                figures = None if outcome is None else outcome.figures
                row: Row = {
                    "design": design.position,
                    "network": workload.label,
                    "status": design.status,
                    "front": int(design.position in front),
                    "code": outcome.code if outcome else "",
                    "message": outcome.message if outcome else "",
                }
                row |= design.changes
                row |= static
                if several or any(objective.name not in {**DERIVED, **dict.fromkeys(FIGURES)} for objective in self.space.objectives):
                    row |= {f"objective {objective.name}": design.objectives.get(objective.name) for objective in self.space.objectives}
                places = int(design._values["pe_array.rows"]) * int(design._values["pe_array.columns"])
                for name in (*MAIN_FIGURES, *(name for name in FIGURES if name not in MAIN_FIGURES)):
                    row[name] = None if figures is None else figure(name, [figures], places)
                row["command"] = self.space.command(workload, design._combination)
                yield row

    def columns(self) -> dict[str, list[Any]]:
        """`rows` by column. None where a point failed."""
        rows = list(self.rows)
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Writes `rows`, whole or not at all. Returns the path. Raises UserError E0902."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = self.columns()
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return write_whole(path, lambda beside: beside.write_text(text.getvalue(), encoding="utf-8"))

    def to_pandas(self) -> pandas.DataFrame:
        """`rows` as a DataFrame. Needs the extra `frames`; raises ImportError without it."""
        try:
            import pandas  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            raise ImportError('to_pandas() needs pandas: pip install "gemel[frames]"; columns() and to_csv() do without') from None
        return pandas.DataFrame(self.columns())

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Writes `rows` as a Parquet file. Needs the extra `frames`; raises UserError E1212 without it, E0902."""
        require_parquet()
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]

        data = pyarrow.table(self.columns())
        return write_whole(path, lambda beside: pyarrow.parquet.write_table(data, beside))

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page for a person: one HTML file that fetches nothing. Returns its path. Raises UserError E0902."""
        from ._sweep_page import sweep_page

        text = sweep_page(self)
        return write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))

    def summary(self) -> str:
        """What `gemel sweep` prints: how many designs, what failed, the front with the commands that run its points again."""
        space, counts = self.space, Counter(design.status for design in self.designs)
        named = ", ".join(workload.label for workload in space.workloads)
        lines = [(f"sweep {space.name}: {len(self.designs):,} designs of {space.machine.name} x {len(space.workloads)} ({named}): "
f"{counts['done']:,} done")
                 + "".join(f", {counts[status]:,} {status}" for status in ("excluded", "failed", "open") if counts[status])]  # fmt: skip
        lines += [f"note: {note}" for note in self.notes]
        errors = Counter(
            (outcome.code, outcome.message) for design in self.designs for outcome in design._outcomes if outcome is not None and outcome.code
        )
        for (code, message), count in sorted(errors.items(), key=lambda pair: (-pair[1], pair[0]))[:5]:
            lines.append(f"  {count:,} x {code}: {message.splitlines()[0]}")
        if len(errors) > 5:
            lines.append(f"  and {len(errors) - 5:,} other errors; the table has them")
        goals = ", ".join(f"{o.name} ({'maximize' if o.maximize else 'minimize'})" for o in space.objectives)
        if not self.front:
            return "\n".join([*lines, f"front of {goals}: empty"])
        lines += ["", f"front of {goals}: {len(self.front):,} designs" + (f", the first {_SHOWN}" if len(self.front) > _SHOWN else "")]
        front = self.front[:_SHOWN]
        varied = [domain.key for domain in space.domains if len({design.changes[domain.key] for design in self.designs}) > 1]
        heads = ["design", *(o.name for o in space.objectives), *varied]
        cells = [heads] + [[str(design.position), *(shown(design.objectives[o.name]) for o in space.objectives), *(str(design.changes[key]) for key in varied)]
                           for design in front]  # fmt: skip
        widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
        lines += ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        if any(design.value("area_extrapolated") for design in front):
            lines.append("  (areas are extrapolated where a block is larger than what was synthesized: docs/reference/area.md)")
        lines += ["", "to run one of them again, with a report:"]
        for design in front:
            lines += [f"  {design.position}: {command}" for command in design.commands]
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.designs)

    def __repr__(self) -> str:
        return f"<gemel.Sweep {self.space.name}: {len(self.designs):,} designs, {len(self.front):,} in the front>"

    def _repr_html_(self) -> str:
        keys = [domain.key for domain in self.space.domains]
        heads = ("design", *(o.name for o in self.space.objectives), *keys)
        rows = [
            (design.position, *(design.objectives[o.name] for o in self.space.objectives), *(design.changes[key] for key in keys))
            for design in self.front
        ]
        return table(f"front of {self.space.name}: {len(self.front):,} of {len(self.designs):,} designs", heads, rows)


def require_parquet() -> None:
    """Raises UserError E1212 if Parquet files cannot be written here."""
    if find_spec("pyarrow") is None:
        raise user_error("E1212", "Parquet files need pyarrow, which this Python does not have", 'pip install "gemel[frames]"; CSV needs nothing')


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


class _Progress:
    """A line on stderr that is written anew, while that is a terminal."""

    def __init__(self, space: Space, total: int) -> None:
        self._space, self._total, self._done, self._known = space, total, 0, 0
        self._start = self._shown = time.monotonic()
        self._failed = 0
        self._front: list[tuple[float, ...]] = []

    def skip(self, points: int) -> None:
        """So many are known without being computed."""
        self._done += points
        self._known += points

    def point(self, outcome: Outcome) -> None:
        self._done += 1
        self._failed += outcome.figures is None
        now = time.monotonic()
        if now - self._shown >= 0.2 or self._done == self._total:
            self._shown = now
            rate = (self._done - self._known) / max(now - self._start, 1e-9)
            left = (self._total - self._done) / rate if rate else 0
            text = (
                f"{self._space.name}: {self._done:,} of {self._total:,} points, {rate:.1f}/s, {_duration(left)} left"
                + (f", {self._failed:,} failed" if self._failed else "")
                + (f", front {len(self._front):,}" if self._front else "")
            )
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def design(self, design: Design) -> None:
        if design.status == "done" and not any(_beats(one, design.costs) or one == design.costs for one in self._front):
            self._front = [one for one in self._front if not _beats(design.costs, one)] + [design.costs]

    def end(self) -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes} min" if hours < 2 else f"{hours} h {minutes % 60} min"


class _Sweeper:
    """One sweep under way."""

    def __init__(self, space: Space, store: Store, workers: Workers | Cluster, stop: StopToken, show: bool) -> None:
        self._space, self._store, self._workers, self._stop, self._show = space, store, workers, stop, show
        self._version = version()
        self._known, self._others = store.recorded(self._version)
        self._machines: dict[str, int] = {}  # number by digest
        self._computed = 0  # candidates whose points are
        self._line: _Progress | None = None
        self.candidates: list[_Candidate] = []
        self.lost: dict[str, Outcome] = {}  # what is wrong with points for now, by point: not recorded, the next start tries again

    def run(self) -> Sweep:
        try:
            if self._space.strategy == "search":
                search(self._space, self.add_chosen, self.compute, self._costs)
                if not self.candidates:
                    raise self.empty(self._space.combinations)
            else:
                self._choose()
                self.compute()
        finally:
            if self._line is not None:
                self._line.end()
        return self.sweep()

    def _costs(self, number: int) -> tuple[float, ...] | None:
        candidate = self.candidates[number]
        design = Design(Sweep(self._space, [], []), number, candidate.combination, self.outcomes(candidate))
        return design.costs if design.status == "done" else None

    def sweep(self) -> Sweep:
        notes = [] if not self._others else [f"{self._others:,} results of other versions of Gemel stay in the file and are not used"]
        if self._workers.died:
            notes.append(f"{self._workers.died:,} workers died and were replaced")
        wanted = self._space.points
        if self._space.strategy != "grid" and len(self.candidates) < wanted:
            notes.append(f"{wanted:,} designs are wanted, and {len(self.candidates):,} were found that are different and keep the constraints")
        return Sweep(self._space, [c.combination for c in self.candidates], [self.outcomes(c) for c in self.candidates], notes)

    def outcomes(self, candidate: _Candidate) -> list[Outcome | None]:
        if candidate.outcome is not None:
            return [candidate.outcome] * len(self._space.workloads)
        points = [self._point(candidate, workload) for workload in self._space.workloads]
        return [self._known.get(point) or self.lost.get(point) for point in points]

    def _point(self, candidate: _Candidate, workload: Workload) -> str:
        return point_of(candidate.machine, workload.digest, self._version)

    def add_chosen(self, choose: Callable[[], Combination]) -> int | None:
        """What is chosen, taken up: its number; one of before if the same machine is there already; None: constraints exclude it. UserError E1206."""
        self._look_for_stop()
        try:
            combination = choose()
        except ExpressionError as error:
            raise user_error("E1206", f"a parameter cannot be computed: {error}", place=self._space._file) from None
        try:
            if not self._space.allows(combination):
                return None
        except ExpressionError as error:
            raise user_error("E1206", f"a constraint cannot be computed for {_listed(combination)}: {error}", place=self._space._file) from None
        try:
            candidate = _Candidate(combination, self._space.changed(combination).digest, None)
        except UserError as error:
            candidate = _Candidate(combination, "", Outcome(None, error.code, "\n".join(d.message for d in error.diagnostics)))
        number = self._machines.setdefault(candidate.machine or repr(combination), len(self.candidates))
        if number == len(self.candidates):
            self.candidates.append(candidate)
        return number

    def _choose(self) -> None:
        tried = 0
        for index in self._space.candidates():
            tried += 1
            self.add_chosen(partial(self._space.combination, index))
            if self._space.strategy == "random" and len(self.candidates) >= self._space.points:
                return
        if not self.candidates:
            raise self.empty(tried)

    def empty(self, tried: int) -> UserError:
        given = "; ".join(constraint.text for constraint in self._space.constraints)
        return user_error(
            "E1207",
            f"no design keeps the constraints: {given} ({tried:,} of {self._space.combinations:,} combinations were looked at)",
            "do they contradict each other, or the values?",
            place=self._space._file,
        )

    def _look_for_stop(self) -> None:
        if self._stop.stop_requested:
            from ._errors import Interrupted

            raise Interrupted("the sweep was asked to stop; what is recorded is kept")

    def compute(self) -> None:
        """The points of the candidates that came since the last time, but for those that are recorded."""
        space, first = self._space, self._computed
        candidates = self.candidates[first:]
        self._computed = len(self.candidates)
        rows = [(index, workload.label, json.dumps(dict(candidate.combination.changes)), self._point(candidate, workload))
                for index, candidate in enumerate(candidates, first) for workload in space.workloads]  # fmt: skip
        if first == 0:
            labels = json.dumps([workload.label for workload in space.workloads])
            self._store.describe({"name": space.name, "machine": space.machine.to_yaml(), "version": self._version, "networks": labels}, rows)
        else:
            self._store.add_points(rows)
        tasks = [(candidate, index) for candidate in candidates if candidate.outcome is None for index in range(len(space.workloads))
                 if self._point(candidate, space.workloads[index]) not in self._known]  # fmt: skip
        computable = sum(candidate.outcome is None for candidate in candidates) * len(space.workloads)
        if self._show and self._line is None:
            self._line = _Progress(space, space.points * len(space.workloads) if space.strategy == "search" else computable)
        line = self._line
        if line is not None:
            line.skip(len(candidates) * len(space.workloads) - len(tasks) if space.strategy == "search" else computable - len(tasks))
        pending = Counter(id(candidate) for candidate, _ in tasks)
        view = Sweep(space, [], [])
        numbered = self._workers.compute((index, candidate.combination.changes) for candidate, index in tasks) if tasks else iter(())
        for number, outcome in numbered:
            candidate, index = tasks[number]
            point = self._point(candidate, space.workloads[index])
            if isinstance(outcome, str):
                self.lost[point] = outcome = Outcome(None, "E1211", outcome, lasting=False)
            elif not outcome.lasting:
                self.lost[point] = outcome
            else:
                self._store.record(point, candidate.machine, space.workloads[index].digest, self._version, outcome)
                self._known[point] = outcome
            pending[id(candidate)] -= 1
            if line is not None:
                if not pending[id(candidate)]:
                    line.design(Design(view, 0, candidate.combination, self.outcomes(candidate)))
                line.point(outcome)
            self._look_for_stop()


def _listed(combination: Combination) -> str:
    return ", ".join(f"{key}={value}" for key, value in combination.changes)


def sweep(
    space: Space | str | os.PathLike[str] | Mapping[str, Any],
    file: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    scheduler: Any = None,
    progress: bool = False,
    stop: StopToken | None = None,
) -> Sweep:
    """Computes all points of a space (docs/reference/sweep.md), or those that are not recorded yet.

    space: a file, a mapping of the same form (there `machine` and `networks` may be objects), or a Space.
    file: where points are recorded, one SQLite database; the same call goes on where an earlier one ended, however it ended. None: nowhere.
    workers: processes that compute; None: as many as there are processors for this process. The table does not depend on it.
    scheduler: of a Dask cluster, whose workers compute instead: an address, the scheduler's file (NAME.json), or a distributed.Client. Needs the
        extra `cluster`.
    progress: a line on stderr, if that is a terminal.
    stop: ends the call in gemel.Interrupted when another thread asks for it. Ctrl-C raises KeyboardInterrupt. What is recorded is kept.

    Points that cannot run are rows with their error. Raises UserError E12xx, and E01xx, E02xx for what a space says of machines and networks.
    """
    of = Space.of(space)
    if of.strategy == "search":
        require_optuna()
    if scheduler is not None and workers is not None:
        raise user_error("E0911", "`workers` and `scheduler` exclude each other: a Dask cluster has workers of its own", "leave out one of them")
    count = len(os.sched_getaffinity(0)) if workers is None else whole("workers", workers, 1, _MOST_WORKERS)
    for workload in of.workloads:
        if workload.network._origin is None:
            raise UserError([Diagnostic(code="E1204", message=f"the network `{workload.label}` cannot be loaded again in a worker")])
    origins = tuple(workload.network._origin for workload in of.workloads if workload.network._origin is not None)
    timing_only = tuple(workload.digest for workload in of.workloads)
    job = Job(of.machine, origins, timing_only, version())
    with Store(file) as store, Workers(job, count) if scheduler is None else Cluster(job, scheduler) as processes:
        return _Sweeper(of, store, processes, stop or StopToken(), progress and sys.stderr.isatty()).run()
