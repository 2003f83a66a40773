# SPDX-License-Identifier: Apache-2.0
"""The page of a sweep: one file that fetches nothing, in the look of a run's report. It reads without script: sentence, front as a picture and a table
with commands, parallel coordinates of the front, what matters. With script (sweep_page.js) axes are brushed, and every design has its command."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _gemel
from ._html import shown

if TYPE_CHECKING:
    from ._sweep import Design, Sweep

_WIDTH = 700.0  # of both pictures, in which text is 12 px
_MOST_DOTS = 20_000  # of designs that others beat, in the picture without script
_NEAR = 0.05  # "within 5 % of the best"
_FIELDS = 400  # values that a list to choose from may have


class _Axis:
    """A parameter or an objective, with the places of its values: 0 at the bottom, 1 at the top. sweep_page.js computes the same."""

    def __init__(self, name: str, values: Sequence[Any], parameter: bool) -> None:
        self.name = name
        known = [value for value in values if value is not None]
        numbers = all(isinstance(value, int | float) for value in known)
        distinct = sorted(set(known)) if numbers else sorted({str(value) for value in known})
        self.values = distinct if (parameter or not numbers) and len(distinct) <= _FIELDS else None
        self.low: float = min(known) if numbers and known else 0
        self.high: float = max(known) if numbers and known else 0
        self.log = self.values is None and self.low > 0 and self.high > 20 * self.low
        self._ranks = {value: rank for rank, value in enumerate(distinct)}

    def place(self, value: Any) -> float:
        if self.values is not None:
            return self._ranks[value] / (len(self.values) - 1) if len(self.values) > 1 else 0.5
        if self.high <= self.low:
            return 0.5
        low, high, at = (math.log(self.low), math.log(self.high), math.log(value)) if self.log else (self.low, self.high, value)
        return float((at - low) / (high - low))

    def ticks(self) -> list[tuple[float, str]]:
        """Places and texts: at most nine."""
        if self.values is not None:
            every = -(-len(self.values) // 9)
            return [(self.place(value), shown(value)) for value in self.values[::every]]
        if self.high <= self.low:
            return [(0.5, shown(self.low))]
        if self.log:
            powers = [m * 10.0**e for e in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1) for m in (1, 2, 5)]
            inside = [power for power in powers if self.low <= power <= self.high]
            inside = [power for power in inside if str(f"{power:e}")[0] == "1"] if len(inside) > 9 else inside
        else:
            step = 10 ** math.floor(math.log10(self.high - self.low))
            step = step / 4 if (self.high - self.low) / step < 2 else step / 2 if (self.high - self.low) / step < 4 else step
            inside = [n * step for n in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        return [(self.place(value), f"{value:,.4g}") for value in inside]

    def data(self) -> dict[str, Any]:
        return {"name": self.name, "values": self.values, "low": self.low, "high": self.high, "log": self.log}


def sweep_page(sweep: Sweep) -> str:
    """HTML, in UTF-8."""
    space, designs = sweep.space, [design for design in sweep.designs if design.status in ("done", "excluded")]
    front = {design.position for design in sweep.front}
    varied = [domain.key for domain in space.domains if len({str(design.changes[domain.key]) for design in sweep.designs}) > 1]
    objectives = [objective.name for objective in space.objectives]
    columns: dict[str, list[Any]] = {key: [_plain(design.changes[key]) for design in designs] for key in varied}
    columns |= {name: [_plain(design.objectives.get(name)) for design in designs] for name in objectives}
    axes = [*(_Axis(key, columns[key], True) for key in varied), *(_Axis(name, columns[name], False) for name in objectives)]
    title = f"{space.name}: {len(sweep.designs):,} designs of {space.machine.name}"
    networks = ", ".join(workload.label for workload in space.workloads)
    head = (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n'
            f'<style>{_gemel.report_style()}\n{_file("sweep_page.css")}</style>\n'
            f"</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
            f'<p class="soft">Networks: {escape(networks)}. Gemel {escape(_gemel.version())}.</p>\n')  # fmt: skip
    parts = [head, _findings(sweep, objectives), _tiles(sweep)]
    if front:
        parts += [_scatter(designs, front, axes, objectives), _parallel(designs, front, axes)]
        parts += [_table(sweep, axes), _matters(designs, varied, objectives, columns)]
    parts.append(_about(sweep))
    parts.append("</main>\n")
    if front:
        parts.append(_script(sweep, designs, front, axes, columns, objectives))
    return "".join([*parts, "</body>\n</html>\n"])


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _best(sweep: Sweep, index: int) -> Design:
    return min(sweep.front, key=lambda design: (design.costs[index], design.position))


def _named(sweep: Sweep, design: Design) -> str:
    return f'<a href="#design-{design.position}">design {design.position}</a>'


def _findings(sweep: Sweep, objectives: Sequence[str]) -> str:
    counts, goals = Counter(design.status for design in sweep.designs), sweep.space.objectives
    if not sweep.front:
        left = f"{counts['failed']:,} failed, {counts['excluded']:,} are excluded by a constraint, {counts['open']:,} are open"
        return f"<p><b>No design is left: {left}.</b></p>\n"
    lines = [f"<p><b>{len(sweep.front):,} of {counts['done']:,} designs are beaten by no other in {escape(_and(objectives))}.</b> "
             "They are the front.</p>\n<ul>\n"]  # fmt: skip
    for index, goal in enumerate(goals):
        best = _best(sweep, index)
        word = "Most" if goal.maximize else "Least"
        lines.append(f"<li>{word} {escape(goal.name)}: {shown(best.objectives[goal.name])}, {_named(sweep, best)}.")
        limit = best.costs[index] + _NEAR * abs(best.costs[index])
        near = [design for design in sweep.front if design.costs[index] <= limit]
        for other, another in enumerate(goals):
            if other == index:
                continue
            cheapest = min(near, key=lambda design: (design.costs[other], design.position))
            if cheapest is not best:
                word = "most" if another.maximize else "least"
                lines.append(f" Within 5 % of that, {word} {escape(another.name)}: {shown(cheapest.objectives[another.name])} "
                             f"instead of {shown(best.objectives[another.name])}, {_named(sweep, cheapest)}.")  # fmt: skip
        lines.append("</li>\n")
    return "".join([*lines, "</ul>\n"])


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _tiles(sweep: Sweep) -> str:
    counts = Counter(design.status for design in sweep.designs)
    tiles = [(f"{len(sweep.designs):,}", "designs"), (f"{len(sweep.front):,}", "in the front"), (f"{counts['done']:,}", "done")]
    tiles += [(f"{counts[status]:,}", text) for status, text in (("excluded", "excluded by a constraint about results"), ("failed", "that cannot run"),
              ("open", "not computed yet")) if counts[status]]  # fmt: skip
    return '<div class="tiles">\n' + "".join(f'<div class="tile"><b>{value}</b><span>{what}</span></div>\n' for value, what in tiles) + "</div>\n"


_SCATTER = {"left": 70.0, "top": 12.0, "width": _WIDTH - 90.0, "height": 330.0}


def _scatter(designs: Sequence[Design], front: set[int], axes: Sequence[_Axis], objectives: Sequence[str]) -> str:
    by_name = {axis.name: axis for axis in axes}
    x = by_name[objectives[0]]
    y = by_name[objectives[1]] if len(objectives) > 1 else axes[0]
    left, top, width, height = _SCATTER.values()

    def at(design: Design) -> tuple[float, float]:
        value = design.objectives[y.name] if y.name in design.objectives else design.changes[y.name]
        return left + width * x.place(_plain(design.objectives[x.name])), top + height * (1 - y.place(_plain(value)))

    lines = []
    for place, text in x.ticks():
        h = left + width * place
        lines.append(f'<line class="grid first" x1="{h:.1f}" x2="{h:.1f}" y1="{top}" y2="{top + height}"/>'
                     f'<text class="soft first" x="{h:.1f}" y="{top + height + 16}" text-anchor="middle">{escape(text)}</text>\n')  # fmt: skip
    for place, text in y.ticks():
        v = top + height * (1 - place)
        lines.append(f'<line class="grid first" x1="{left}" x2="{left + width}" y1="{v:.1f}" y2="{v:.1f}"/>'
                     f'<text class="soft first" x="{left - 6}" y="{v + 4:.1f}" text-anchor="end">{escape(text)}</text>\n')  # fmt: skip
    beaten: list[str] = []
    best: list[tuple[float, float, str]] = []
    for i, design in enumerate(designs):
        h, v = at(design)
        if design.position in front:
            label = ", ".join(f"{name} {shown(design.objectives[name])}" for name in objectives)
            best.append((h, v, f'<a href="#design-{design.position}" aria-label="design {design.position}: {escape(label)}">'
                               f'<circle class="best" cx="{h:.1f}" cy="{v:.1f}" r="5" data-i="{i}"/></a>\n'))  # fmt: skip
        elif len(beaten) < _MOST_DOTS:
            beaten.append(f'<circle class="all" cx="{h:.1f}" cy="{v:.1f}" r="2" data-i="{i}"/>\n')
    best.sort(key=lambda one: one[:2])
    steps = " ".join(f"{h:.1f},{v:.1f}" for h, v, _ in best) if len(objectives) == 2 else ""
    line = f'<polyline class="front first" points="{steps}"/>\n' if steps else ""
    options = "".join(f"<option>{escape(axis.name)}</option>" for axis in axes)
    choice = ""
    for text, name, axis in (("across", "x", x), ("up", "y", y)):
        mine = options.replace(f"<option>{escape(axis.name)}<", f"<option selected>{escape(axis.name)}<")
        choice += f'<label>{text} <select id="{name}">{mine}</select></label> '
    scale = " (both logarithmic)" if x.log and y.log else " (across logarithmic)" if x.log else " (up logarithmic)" if y.log else ""
    few = f" Of the designs that others beat the first {_MOST_DOTS:,} are drawn." if len(designs) - len(front) > _MOST_DOTS else ""
    return (f"<h2>The front</h2>\n<p class=\"soft\">Each dot is a design: {escape(x.name)} across, {escape(y.name)} up"
            f"{scale}. Large dots are the front; "
            f"the table below has each with its command.{few}</p>\n"
            f'<p class="scripted">{choice}<span id="other-axes" class="soft"></span></p>\n'
            '<div class="picture" tabindex="0" role="region" aria-label="the front"><div>'
            f'<svg id="scatter" viewBox="0 0 {_WIDTH:.0f} {top + height + 40:.0f}" role="group" '
            f'aria-label="{len(designs):,} designs by {escape(x.name)} and {escape(y.name)}, {len(best)} of them in the front">\n'
            f'{"".join(lines)}<text class="soft first" x="{left + width / 2}" y="{top + height + 34}" text-anchor="middle">{escape(x.name)}</text>'
            f'<text class="soft first" x="12" y="{top + height / 2}" text-anchor="middle" transform="rotate(-90 12 {top + height / 2})">'
            f"{escape(y.name)}</text>\n"
            f'{"".join(beaten)}{line}{"".join(one for _, _, one in best)}</svg></div></div>\n'
            '<div class="chosen scripted" id="chosen" aria-live="polite">'
            "No design is chosen: click at a dot, or at a number in the table.</div>\n")  # fmt: skip


def _parallel_box(axes: Sequence[_Axis]) -> dict[str, float]:
    left, margin = 50.0, 10.0
    return {"left": left, "step": (_WIDTH - 2 * left) / max(1, len(axes) - 1), "top": 46.0, "height": 280.0, "width": _WIDTH, "margin": margin / 300.0}


def _parallel(designs: Sequence[Design], front: set[int], axes: Sequence[_Axis]) -> str:
    box = _parallel_box(axes)
    left, step, top, height = box["left"], box["step"], box["top"], box["height"]
    drawn, fields = [], []
    for i, design in enumerate(designs):
        if design.position not in front:
            continue
        values = {**design.changes, **design.objectives}
        points = " ".join(f"{left + a * step:.1f},{top + height * (1 - axis.place(_plain(values[axis.name]))):.1f}" for a, axis in enumerate(axes))
        drawn.append(f'<polyline class="best" data-i="{i}" points="{points}"/>\n')
    marks = []
    for a, axis in enumerate(axes):
        h = left + a * step
        short = axis.name.rpartition(".")[2] if axis.values is not None else axis.name
        short = axis.name if sum(one.name.rpartition(".")[2] == short for one in axes) > 1 else short
        anchor = "start" if a == 0 else "end" if a == len(axes) - 1 else "middle"
        name = short if len(short) <= 22 else short[:20] + "…"
        marks.append(f'<line class="axis" x1="{h:.1f}" x2="{h:.1f}" y1="{top}" y2="{top + height}"/>'
                     f'<text x="{h:.1f}" y="{14 if a % 2 == 0 else 30}" text-anchor="{anchor}">{escape(name)}</text>\n')  # fmt: skip
        marks += [f'<text class="soft" x="{h + 5:.1f}" y="{top + height * (1 - place) + 4:.1f}">{escape(text)}</text>\n' for place, text in axis.ticks()]
        marks.append(f'<rect class="brush" id="brush-{a}" x="{h - 8:.1f}" y="{top}" width="16" height="0"/>'
                     f'<rect class="grip" id="grip-{a}" x="{h - 14:.1f}" y="{top - 10}" width="28" height="{height + 20}"/>\n')
        label = escape(axis.name)
        if axis.values is not None:
            choices = (f'<option value="{rank}">{escape(shown(value))}</option>' for rank, value in enumerate(axis.values))
            options = '<option value=""></option>' + "".join(choices)
            ends = [f'<select id="{end}-{a}" aria-label="{label} {end}">{options}</select>' for end in ("from", "to")]
        else:
            ends = [f'<input id="{end}-{a}" type="number" step="any" aria-label="{label} {end}">' for end in ("from", "to")]
        fields.append(f"<fieldset><legend>{label}</legend>{ends[0]} to {ends[1]}</fieldset>\n")
    logarithmic = [axis.name for axis in axes if axis.log]
    note = f" {escape(_and(logarithmic))}: logarithmic." if logarithmic else ""
    return (f"<h2>Parameters and objectives</h2>\n<p class=\"soft\">Each line is a design of the front, through its values.{note}"
            '<span class="scripted">Drag along an axis to keep the designs that cross it there, or choose values below; '
            "a click takes the brush away.</span></p>\n"
            f'<div class="picture" tabindex="0" role="region" aria-label="parallel coordinates"><div><canvas id="lines" aria-hidden="true"></canvas>'
            f'<svg viewBox="0 0 {_WIDTH:.0f} {top + height + 16:.0f}" role="img" id="parallel" '
            f'aria-label="Parallel coordinates of the {len(drawn)} designs of the front over {escape(_and([axis.name for axis in axes]))}">\n'
            f'{"".join(drawn)}{"".join(marks)}</svg></div></div>\n'
            f'<form class="brushes scripted" onsubmit="return false">\n{"".join(fields)}'
            '<fieldset><button type="button" id="clear">take all brushes away</button></fieldset>\n</form>\n')  # fmt: skip


def _table(sweep: Sweep, axes: Sequence[_Axis]) -> str:
    heads = "".join(f'<th{_left(name)} scope="col" data-name="{escape(name)}">{escape(name)}</th>'
                    for name in ("design", "front", *(axis.name for axis in axes)))  # fmt: skip
    rows = []
    for design in sweep.front:
        values = {**design.changes, **design.objectives}
        shaped = [(_plain(values[axis.name]), "" if isinstance(values[axis.name], int | float) else _left("front")) for axis in axes]
        cells = "".join(f"<td{side}>{escape(shown(value))}</td>" for value, side in shaped)
        code = "<br>".join(f"<code>{escape(command)}</code>" for command in design.commands) or "its network is in no file"
        rows.append(f'<tr id="design-{design.position}"><td>{design.position}</td><td class="left">yes</td>{cells}<td class="command">{code}</td></tr>\n')
    return ('<h2>Designs</h2>\n<p class="soft">Each with the command that runs it again; with <code>--out FOLDER</code> it writes its report.</p>\n'
            f'<p id="count" aria-live="polite">{len(sweep.front):,} designs in the front.</p>\n'
            '<div class="scroll" tabindex="0" role="region" aria-label="designs"><table id="designs">\n'
            f'<thead><tr>{heads}<th scope="col" class="left">command</th></tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table></div>\n')  # fmt: skip


def _left(name: str) -> str:
    return ' class="left"' if name in ("front", "command") else ""


def _matters(designs: Sequence[Design], varied: Sequence[str], objectives: Sequence[str], columns: dict[str, list[Any]]) -> str:
    """Which share of an objective's variance the means over each parameter's values have."""
    rows = []
    for key in varied:
        cells = []
        for name in objectives:
            numbers = [math.log(v) if min(columns[name]) > 0 else float(v) for v in columns[name]]
            mean = sum(numbers) / len(numbers)
            total = sum((v - mean) ** 2 for v in numbers)
            groups: defaultdict[str, list[float]] = defaultdict(list)
            for value, number in zip(columns[key], numbers, strict=True):
                groups[str(value)].append(number)
            between = sum(len(group) * (sum(group) / len(group) - mean) ** 2 for group in groups.values())
            share = between / total if total > 0 else 0.0
            cells.append(f'<td class="left"><span class="bar"><i style="width:{100 * share:.1f}%"></i></span>{100 * share:.1f} %</td>')
        rows.append(f'<tr><th scope="row" class="left">{escape(key)}</th>{"".join(cells)}</tr>\n')
    heads = "".join(f'<th scope="col" class="left">{escape(name)}</th>' for name in objectives)
    return ('<h2>What matters</h2>\n<p class="soft">The share of the variance that a parameter explains alone (of logarithms, where all values are positive). '
            'What is missing to 100 % is what parameters do together.</p>\n<div class="scroll" tabindex="0" role="region" aria-label="what matters"><table>\n'
            f'<thead><tr><th scope="col" class="left">parameter</th>{heads}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table></div>\n')  # fmt: skip


def _about(sweep: Sweep) -> str:
    space = sweep.space
    rows = [("machine", f"{space.machine.name}, digest {space.machine.digest}")]
    rows += [(f"network {workload.label}", f"{workload.source}, digest {workload.digest}") for workload in space.workloads]
    rows += [(domain.key, ", ".join(getattr(value, "text", None) or shown(value) for value in domain.values[:20]) + (f" and {len(domain.values) - 20} more"
              if len(domain.values) > 20 else "")) for domain in space.domains]  # fmt: skip
    rows += [("constraint", constraint.text) for constraint in (*space.constraints, *space.limits)]
    for goal in space.objectives:
        called = f", called {goal.name}" if goal.name != goal.expression.text else ""
        rows.append(("objective", f"{'maximize' if goal.maximize else 'minimize'} {goal.expression.text}{called}"))
    rows.append(("strategy", space.strategy if space.strategy == "grid" else f"{space.strategy}, {space.points:,} points, seed {space.seed}"))
    rows.append(("Gemel", f"{_gemel.version()}, commit {_gemel.commit() or 'not known'}"))
    rows += [("note", note) for note in sweep.notes]
    errors = Counter((outcome.code, outcome.message) for design in sweep.designs for outcome in design._outcomes if outcome is not None and outcome.code)
    rows += [(f"{count:,} points failed", f"{code}: {message.splitlines()[0]}") for (code, message), count in errors.most_common(20)]
    lines = "".join(f'<tr><th scope="row" class="left">{escape(key)}</th><td class="why">{escape(value)}</td></tr>\n' for key, value in rows)
    return f'<h2>The sweep</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="the sweep"><table>\n<tbody>\n{lines}</tbody></table></div>\n'


def _script(
    sweep: Sweep, designs: Sequence[Design], front: set[int], axes: Sequence[_Axis], columns: dict[str, list[Any]], objectives: Sequence[str]
) -> str:
    commands: list[dict[str, Any]] = []
    varied = [axis.name for axis in axes if axis.name not in objectives]
    for workload in sweep.space.workloads:
        lines = [sweep.space.command(workload, design._combination) for design in designs]
        prefix = commonprefix(lines)
        built = [lines[0].partition(" --set ")[0] + "".join(f" --set {key}={columns[key][i]}" for key in varied) for i in range(len(designs))]
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", workload.label)  # of a folder
        if lines == built:  # as it is for most spaces: a tenth of the size
            commands.append({"label": label, "prefix": lines[0].partition(" --set ")[0], "rest": None})
        elif any(lines):
            commands.append({"label": label, "prefix": prefix, "rest": [line[len(prefix) :] for line in lines]})
    data = {
        "position": [design.position for design in designs],
        "done": [int(design.status == "done") for design in designs],
        "front": [int(design.position in front) for design in designs],
        "axes": [axis.data() for axis in axes],
        "columns": columns,
        "objectives": [objectives[0], objectives[1] if len(objectives) > 1 else axes[0].name],
        "commands": commands,
        "set": varied,
        "scatter": _SCATTER,
        "parallel": _parallel_box(axes),
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>\n<script>\n{_gemel.report_script()}{_file("sweep_page.js")}</script>\n'
