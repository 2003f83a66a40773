# SPDX-License-Identifier: Apache-2.0
"""Advice that is measured: each resource of a machine doubled, halved and ideal, run on the same network."""

from __future__ import annotations

import os
import re
import shlex
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import GemelWarning, UserError
from ._files import write_whole
from ._figures import BUFFERS, derived
from ._gemel import StopToken
from ._html import table
from ._machine import Machine, parameters

if TYPE_CHECKING:
    from ._network import Network

Changes = tuple[tuple[str, int | float], ...]

_MARK = "<!-- advice -->\n"  # in report.html (src/report/html.cpp)
SAVING = 0.01  # a resource can be saved if that costs less than this share of the cycles
_LEAST_GAIN = 0.0005  # share of the cycles below which nothing is said
_MUCH = 0.9  # several changes together are told if they take less than this share of the cycles that some of them take
_SHOWN = 10  # findings in a text
_FIRST = 3  # findings that a report shows at once

# Resources of the chip, each with those that only go with it.
_RESOURCES: tuple[tuple[str, ...], ...] = (
    ("pe_array.rows",), ("pe_array.columns",), ("pe_array.rows", "pe_array.columns"), ("pe_array.columns", "vector_unit.lanes"),
    ("pe_array.rows", "pe_array.columns", "vector_unit.lanes"), ("vector_unit.lanes",), *((f"{buffer}.size_bytes",) for buffer in BUFFERS),
    ("bus.bytes",), ("memory.bytes_per_cycle",), ("bus.bytes", "memory.bytes_per_cycle"), ("dma.burst_bytes",), ("load_dma.outstanding",),
    ("store_dma.outstanding",), ("load_dma.outstanding", "store_dma.outstanding"), ("sequencer.queue_depth",), ("sequencer.prefetch_instructions",),
    ("memory.queue",),
)  # fmt: skip
# Of the memory behind the chip: less is better.
_LATENCIES: tuple[tuple[str, ...], ...] = (("memory.read_latency_cycles",), ("memory.write_latency_cycles",))
_NO_IDEAL = ("pe_array.rows", "pe_array.columns")  # a larger array is another machine, and never enough


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A machine with one change, and what came of it. Shares are of the machine that was asked about; negative: fewer cycles, less area."""

    kind: str  # "doubled", "halved", "ideal"
    before: Changes  # the parameters as they are
    changes: Changes  # as they were in this run
    cycles: int
    cycles_share: float  # -0.31: 31 % fewer cycles
    area_share: float  # of area_kge; the area of memory and its latency is not the chip's: 0
    command: str  # runs it again; empty: the network is in no file

    @property
    def text(self) -> str:
        """ "load_dma.outstanding 4 -> 8"."""
        return ", ".join(f"{key} {old:,.12g} -> {new:,.12g}" for (key, old), (_, new) in zip(self.before, self.changes, strict=True))


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What would make a run faster, and what it could do without. Made by Result.advise()."""

    network: str
    machine: Machine
    cycles: int
    area_kge: float
    gains: tuple[Finding, ...]  # fewer cycles, by what they gain for their area: cycles x area, least first
    memory: tuple[Finding, ...]  # fewer cycles by a faster memory behind the chip, most first
    savings: tuple[Finding, ...]  # less of something for less than 1 % more cycles, most area first
    runs: int  # that were made

    def __str__(self) -> str:
        lines = [f"advice for {self.network} on {self.machine.name}: {self.cycles:,} cycles, {self.area_kge:,.0f} kGE; {self.runs} machines tried"]
        for title, findings, nothing in (
            ("faster, by what it gains for its area:", self.gains, "nothing that was tried makes it faster"),
            ("with a faster memory:", self.memory, ""),
            (f"could be saved (less than {100 * SAVING:.0f} % slower):", self.savings, "nothing can be halved without losing more"),
        ):
            if not findings and not nothing:
                continue
            lines += ["", title]
            lines += [f"  cycles {_percent(f.cycles_share):>9}  area {_percent(f.area_share):>9}  {f.text} ({f.kind})" for f in findings[:_SHOWN]]
            if len(findings) > _SHOWN:
                lines.append(f"  and {len(findings) - _SHOWN} more")
            if not findings:
                lines.append(f"  {nothing}")
        commands = [f.command for findings in (self.gains, self.memory, self.savings) for f in findings[:_SHOWN] if f.command]
        if commands:
            lines += ["", "each was measured by:", *(f"  {command}" for command in commands)]
        return "\n".join(lines)

    def add_to(self, report: str | os.PathLike[str]) -> None:
        """Puts this into the first lines of a run's report.html. Raises UserError E0902, ValueError if the file is no report without advice."""
        path = Path(report)
        text = path.read_text(encoding="utf-8")
        if text.count(_MARK) != 1:
            raise ValueError(f"{path} is no report of a run, or has advice already")
        write_whole(path, lambda beside: beside.write_text(text.replace(_MARK, self._page()), encoding="utf-8"))

    def _page(self) -> str:
        """The part of a report."""
        best = min(self.gains, key=lambda f: (f.cycles, f.changes), default=None)
        sentence = "Nothing that was tried on the chip makes it faster." if best is None else (
            f"Fastest of what was tried: {best.text}, {_percent(best.cycles_share)} cycles for {_percent(best.area_share)} area.")  # fmt: skip
        if self.savings:
            saved = self.savings[0]
            sentence += f" Could be saved: {saved.text}, {_percent(saved.area_share)} area for {_percent(saved.cycles_share)} cycles."
        runs = f"{self.runs} machines were run; nothing here is a guess."
        lines = [f'<h2>What would help</h2>\n<p><b>{escape(sentence)}</b> <span class="soft">{runs}</span></p>\n']
        first = [f"<li>{escape(f.text)} ({f.kind}): cycles {_percent(f.cycles_share)}, area {_percent(f.area_share)}</li>\n" for f in self.gains[:_FIRST]]
        lines += ["<ol>\n", *first, "</ol>\n"] if first else []
        lines.append("<details><summary>All that was measured, with the commands</summary>\n")
        for title, findings in (
            ("Faster, by what it gains for its area", self.gains),
            ("With a faster memory", self.memory),
            (f"Could be saved: less than {100 * SAVING:.0f} % slower", self.savings),
        ):
            if not findings:
                continue
            shown = findings[:_SHOWN]
            more = f", the first {_SHOWN} of {len(findings)}" if len(findings) > _SHOWN else ""
            lines.append(f'<div class="scroll" tabindex="0"><table><caption class="left">{escape(title + more)}</caption>\n'
                         '<thead><tr><th scope="col" class="left">change</th>'
                         '<th scope="col">cycles</th><th scope="col">change of cycles</th><th scope="col">change of area</th>'
                         '<th scope="col" class="left">measured by</th></tr></thead>\n<tbody>\n')  # fmt: skip
            for f in shown:
                lines.append(f'<tr><td class="left">{escape(f.text)} ({f.kind})</td><td>{f.cycles:,}</td><td>{_percent(f.cycles_share)}</td>'
                             f'<td>{_percent(f.area_share)}</td><td class="why"><code>{escape(f.command)}</code></td></tr>\n')  # fmt: skip
            lines.append("</tbody></table></div>\n")
        return "".join([*lines, "</details>\n"])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = [(title, f.text, f.kind, f.cycles, _percent(f.cycles_share), _percent(f.area_share))
                for title, findings in (("faster", self.gains), ("faster memory", self.memory), ("saved", self.savings)) for f in findings]  # fmt: skip
        return table(f"advice for {self.network} on {self.machine.name}: {self.cycles:,} cycles", ("", "change", "", "cycles", "cycles", "area"), rows)


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %" if abs(share) >= 0.00005 else "0"


def _most(key: str) -> int:
    """The greatest value that a parameter may have."""
    info = next(info for info in parameters() if info.key == key)
    numbers = re.findall(r"\d[\d,]*", info.range)
    return int(numbers[-1].replace(",", ""))


def _tried(machine: Machine) -> list[tuple[str, Changes, bool]]:
    """What is done to the machine: (kind, changes, whether it takes something away)."""
    tried: list[tuple[str, Changes, bool]] = []
    for keys in _RESOURCES:
        values = {key: _value(machine, key) for key in keys}
        tried.append(("doubled", tuple((key, 2 * value) for key, value in values.items()), False))
        tried.append(("halved", tuple((key, _half(value)) for key, value in values.items()), True))
        if not any(key in _NO_IDEAL for key in keys):
            tried.append(("ideal", tuple((key, _ideal(machine, key)) for key in keys), False))
    for keys in _LATENCIES:
        value = _value(machine, keys[0])
        tried.append(("halved", ((keys[0], max(1, _half(value))),), False))
        tried.append(("doubled", ((keys[0], 2 * value),), True))
        tried.append(("ideal", ((keys[0], 1),), False))
    return tried


def _value(machine: Mapping[str, object], key: str) -> int | float:
    value = machine[key]
    assert isinstance(value, int | float)
    return value


def _half(value: int | float) -> int | float:
    return value // 2 if isinstance(value, int) else round(value / 2, 3)


def _ideal(machine: Machine, key: str) -> int | float:
    if key == "vector_unit.lanes":
        return _value(machine, "pe_array.columns")
    if key.endswith("_buffer.size_bytes"):
        return min(_most(key) if _most(key) > 4096 else 1 << 26, 64 * _value(machine, key))
    return _most(key)


def advise(network: Network, machine: Machine, *, cycles: int, source: str, batch: int, stop: StopToken, threads: int | None = None) -> Advice:
    """`cycles`: of the machine as it is; `source`: what the command line calls the network, or nothing. Runs several machines at a time."""
    from ._worker import compute

    base_area = derived(machine)["area_kge"]
    wanted: list[tuple[str, Changes, bool, Machine]] = []
    seen = {machine.digest}
    for kind, changes, takes in _tried(machine):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GemelWarning)
                changed = machine.with_(dict(changes))
        except UserError:
            continue  # out of range, or it contradicts another parameter
        if changed.digest not in seen:
            seen.add(changed.digest)
            wanted.append((kind, changes, takes, changed))

    def run(changes: Changes) -> int | None:
        if stop.stop_requested:
            return None
        outcome = compute(machine, network, changes)
        return None if outcome.figures is None else int(outcome.figures["cycles"])

    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
        try:
            measured = list(pool.map(run, [changes for _, changes, _, _ in wanted]))
        except BaseException:
            stop.request_stop()
            raise
    if stop.stop_requested:
        from ._errors import Interrupted

        raise Interrupted("the advice was asked to stop")
    gains: list[Finding] = []
    savings: list[Finding] = []
    for (kind, changes, takes, changed), now in zip(wanted, measured, strict=True):
        if now is None:
            continue  # the network does not fit that machine
        finding = Finding(
            kind=kind, before=tuple((key, _value(machine, key)) for key, _ in changes), changes=changes, cycles=now, cycles_share=now / cycles - 1,
            area_share=derived(changed)["area_kge"] / base_area - 1, command=_command(source, machine, changes, batch),
        )  # fmt: skip
        if finding.cycles_share < -_LEAST_GAIN:
            gains.append(finding)
        if takes and finding.cycles_share < SAVING:
            savings.append(finding)
    outside = {keys[0] for keys in _LATENCIES}
    of_memory = [finding for finding in gains if finding.changes[0][0] in outside]
    return Advice(network=network.name, machine=machine, cycles=cycles, area_kge=base_area, gains=_plain([f for f in gains if f not in of_memory]),
                  memory=tuple(sorted(of_memory, key=lambda f: (f.cycles, f.changes))),
                  savings=tuple(sorted(savings, key=lambda f: (f.area_share, f.cycles_share, f.changes))),
                  runs=sum(now is not None for now in measured))


def _plain(gains: Sequence[Finding]) -> tuple[Finding, ...]:
    """By cycles x area. Several parameters together only where that is much better than each of them."""
    ordered = sorted(gains, key=lambda f: ((1 + f.cycles_share) * (1 + f.area_share), len(f.changes), f.changes))
    kept: list[Finding] = []
    for finding in ordered:
        parts = [one for one in gains if one.kind == finding.kind and set(one.changes) < set(finding.changes)]
        if not any(one.cycles * _MUCH <= finding.cycles for one in parts):
            kept.append(finding)
    return tuple(kept)


def _command(source: str, machine: Machine, changes: Iterable[tuple[str, int | float]], batch: int) -> str:
    if not source or not machine._source:
        return ""
    words = ["gemel", "run", source, "--machine", machine._source, "--timing-only", "--batch", str(batch)]
    for key, value in {**machine._changes, **{key: f"{value:.12g}" for key, value in changes}}.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)
