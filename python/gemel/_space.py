# SPDX-License-Identifier: Apache-2.0
"""Spaces of designs: what a sweep goes over, read and checked at once (docs/reference/sweep.md)."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import _gemel
from ._errors import GemelWarning, UserError
from ._expression import Expression, ExpressionError, Scope
from ._figures import DERIVED, FIGURES, derived
from ._gemel import Diagnostic
from ._machine import Machine, Value, parameters
from ._machine import machine as machine_of
from ._network import Network, load

MOST_COMBINATIONS = 1_000_000  # of a grid, constraints not counted
MOST_POINTS = 1_000_000  # that are drawn
MOST_VALUES = 100_000  # of a parameter
MOST_NETWORKS = 1000
_FEWEST_IN = 1000  # combinations that are drawn for each design wanted before constraints are said to be too narrow
_STRATEGIES = ("grid", "random", "search")
_KEYS = ("name", "machine", "networks", "parameters", "constraints", "objectives", "strategy", "points", "seed", "batch")


@dataclass(eq=False)
class Node:
    """A value of a space, and where it stands."""

    kind: str  # "nothing", "scalar", "list", "map"
    path: str  # "parameters.pe_array.rows[2]"
    text: str = ""
    quoted: bool = False
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    line: int = 0
    column: int = 0
    length: int = 1
    key: str = ""  # its own, in a map
    key_line: int = 0
    key_column: int = 0

    @classmethod
    def of_yaml(cls, tree: Any, path: str = "") -> Node:
        kind, value, quoted, line, column, length, key_line, key_column = tree
        node = cls(kind, path, quoted=quoted, line=line, column=column, length=length, key_line=key_line, key_column=key_column)
        node._fill(value, cls.of_yaml)
        return node

    @classmethod
    def of_value(cls, value: Any, path: str = "") -> Node:
        if value is None:
            return cls("nothing", path)
        if isinstance(value, Mapping):
            node = cls("map", path)
            node._fill([(str(key), one) for key, one in value.items()], cls.of_value)
        elif isinstance(value, list | tuple | range) or getattr(value, "ndim", None):  # or an array of NumPy's
            node = cls("list", path)
            node._fill(list(value), cls.of_value)
        else:
            node = cls(
                "scalar", path, str(value).lower() if isinstance(value, bool) else os.fspath(value) if isinstance(value, os.PathLike) else str(value)
            )
        return node

    def _fill(self, value: Any, make: Callable[[Any, str], Node]) -> None:
        if self.kind == "scalar":
            self.text = value
        elif self.kind == "list":
            self.items = [make(one, f"{self.path}[{index}]") for index, one in enumerate(value)]
        elif self.kind == "map":
            self.entries = {key: make(one, f"{self.path}.{key}" if self.path else key) for key, one in value}
            for key, node in self.entries.items():
                node.key = key


@dataclass(frozen=True)
class Workload:
    """A network of a sweep."""

    label: str
    source: str  # as the command line would be told
    network: Network
    batch: int | None
    can_be_rerun: bool  # by a command

    @cached_property
    def digest(self) -> str:
        return self.network.digest


@dataclass(frozen=True)
class Objective:
    """What the front is made of."""

    name: str
    expression: Expression
    maximize: bool


@dataclass(frozen=True)
class Domain:
    """A parameter's values: numbers or words, or expressions over other parameters."""

    key: str
    values: tuple[Value | Expression, ...]
    node: Node


@dataclass(frozen=True)
class Combination:
    """One choice of every parameter: the changes to the space's machine. Whether it is a machine is not known yet."""

    changes: tuple[tuple[str, Value], ...]


class Space:
    """A space of designs. Made by Space.read() and gemel.sweep(); raises UserError with everything that is wrong (E0103, E0107, E12xx)."""

    def __init__(
        self,
        root: Node,
        *,
        file: str = "",
        text: str = "",
        folder: str | os.PathLike[str] = ".",
        machine: Machine | None = None,
        networks: Mapping[str, Network] | None = None,
    ) -> None:
        self._file, self._lines, self._folder = file, text.splitlines(), Path(folder)
        self._problems: list[Diagnostic] = []
        if root.kind != "map":
            self._complain(root, "E1204", "a space must be a map with `networks` and `parameters`")
            self._finish()
        for key, node in root.entries.items():
            if key not in _KEYS:
                self._complain(
                    node,
                    "E1203",
                    f"unknown key `{key}`",
                    note=_near(key, _KEYS),
                    hint="a space has " + ", ".join(f"`{k}`" for k in _KEYS),
                    at_key=True,
                )
        get = root.entries.get
        self.name = self._word(get("name")) or (Path(file).stem if file else "sweep")
        self.machine, self._machine_source = self._base(get("machine"), machine)
        self._infos = {info.key: info for info in parameters()}
        self.workloads = self._networks(root, get("networks"), networks or {})
        self._finish()  # names in expressions can be judged only with machine and networks
        self.domains = self._domains(root, get("parameters"))
        self._order = self._dependencies()
        self.constraints, self.limits = self._constraints(get("constraints"))
        self.objectives = self._objectives(get("objectives"))
        self.strategy = self._word(get("strategy"), _STRATEGIES) or "grid"
        self.seed = self._whole(get("seed"), 1, 0, (1 << 63) - 1)
        self.points = self._whole(get("points"), 0, 1, MOST_POINTS)
        self.batch = self._whole(get("batch"), 20, 1, 10_000)
        if self.strategy != "search" and "batch" in root.entries:
            self._complain(root.entries["batch"], "E1203", f"`batch` has no meaning with `strategy: {self.strategy}`", at_key=True)
        if self.strategy == "grid":
            for key in ("points", "seed"):
                if key in root.entries:
                    self._complain(
                        root.entries[key],
                        "E1203",
                        f"`{key}` has no meaning with `strategy: grid`",
                        hint="leave it out, or choose `strategy: random`",
                        at_key=True,
                    )
            if self.combinations > MOST_COMBINATIONS:
                self._complain(
                    get("parameters") or root,
                    "E1205",
                    f"the grid has {self.combinations:,} combinations of values, and at most {MOST_COMBINATIONS:,} are gone through",
                    hint="leave out values, or choose `strategy: random` and how many `points`",
                    at_key=True,
                )
        elif "points" not in root.entries:
            self._complain(root.entries["strategy"], "E1203", f"`strategy: {self.strategy}` needs `points`: how many designs")
        self._finish()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Space:
        """The space in a file of YAML."""
        file = os.fspath(path)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError([Diagnostic(code="E1201", message=f"the space file `{file}` cannot be read: {error.strerror}")]) from None
        except UnicodeDecodeError as error:
            raise UserError(
                [Diagnostic(code="E1202", message=f"the space file `{file}` is not text in UTF-8: {error.reason} at byte {error.start}")]
            ) from None
        return cls(Node.of_yaml(_gemel.read_yaml(text=text, file=file)), file=file, text=text, folder=Path(path).parent)

    @classmethod
    def of(cls, space: Space | str | os.PathLike[str] | Mapping[str, Any]) -> Space:
        """A space, a file of one, or a mapping of the same form; there machines and networks may be objects."""
        if isinstance(space, Space):
            return space
        if not isinstance(space, Mapping):
            return cls.read(space)
        described = dict(space)
        machine = described.get("machine")
        if isinstance(machine, Machine):
            described.pop("machine")
        given = described.get("networks")
        listed = {one.name if isinstance(one, Network) else str(one): one for one in given} if isinstance(given, list | tuple) else given
        if isinstance(given, Network):
            listed = {given.name: given}
        objects: dict[str, Network] = {}
        if isinstance(listed, Mapping) and any(isinstance(one, Network) for one in listed.values()):
            objects = {label: one for label, one in listed.items() if isinstance(one, Network)}
            described["networks"] = {label: label if isinstance(one, Network) else one for label, one in listed.items()}
        return cls(Node.of_value(described), machine=machine if isinstance(machine, Machine) else None, networks=objects)

    # ---- what the sweep goes over -----------------------------------------------------------------------------------------------------

    @property
    def combinations(self) -> int:
        """Of all values with all others; constraints not counted."""
        return math.prod(len(domain.values) for domain in self.domains)

    def combination(self, index: int) -> Combination:
        """By its number. Raises ExpressionError."""
        return self.chosen(self.digits(index))

    def digits(self, index: int) -> tuple[int, ...]:
        """Of a combination, by its number: the number of each parameter's value. The last parameter changes fastest."""
        digits: list[int] = []
        for domain in reversed(self.domains):
            index, digit = divmod(index, len(domain.values))
            digits.append(digit)
        return tuple(digits[::-1])

    def chosen(self, digits: Sequence[int]) -> Combination:
        """By the number of each parameter's value. Raises ExpressionError."""
        chosen = {domain.key: domain.values[digit] for domain, digit in zip(self.domains, digits, strict=True)}
        values: dict[str, Value] = dict(self.machine)
        for key in self._order:
            one = chosen[key]
            values[key] = self._as_parameter(key, one.value(lambda name: values[self._parameter(name)])) if isinstance(one, Expression) else one
        return Combination(tuple((domain.key, values[domain.key]) for domain in self.domains))

    def candidates(self) -> Iterator[int]:
        """Numbers of combinations, in the order in which a sweep of grid or random looks at them; each once."""
        return iter(range(self.combinations)) if self.strategy == "grid" else self.draws()

    def draws(self) -> Iterator[int]:
        """Numbers of combinations at random, each once."""
        if self.combinations <= MOST_COMBINATIONS:  # a permutation
            yield from sorted(range(self.combinations), key=self._draw)
            return
        seen: set[int] = set()
        for count in range(_FEWEST_IN * self.points):
            index = self._draw(count) % self.combinations
            if index not in seen:
                seen.add(index)
                yield index

    def _draw(self, count: int) -> int:
        """A random number of 256 bits; the same on every computer and under every version of Python."""
        return int.from_bytes(hashlib.sha256(f"gemel sweep {self.seed} {count}".encode()).digest(), "big")

    def changed(self, combination: Combination) -> Machine:
        """Raises UserError if it is none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GemelWarning)
            return self.machine.with_(dict(combination.changes))

    def static_scope(self, values: Mapping[str, Value]) -> Scope:
        """What is known of a design before it runs."""
        made: dict[str, Any] = {}

        def scope(name: str) -> Any:
            if name in DERIVED:
                if not made:
                    made.update(derived(values))
                return made[name]
            return values[self._parameter(name)]

        return scope

    def allows(self, combination: Combination) -> bool:
        """Whether the constraints hold that are about the machine alone. Raises ExpressionError."""
        scope = self.static_scope({**self.machine, **dict(combination.changes)})
        return all(constraint.value(scope) for constraint in self.constraints)

    def command(self, workload: Workload, combination: Combination) -> str:
        """The line that runs a point again, with report; empty if its network is in no file."""
        if not workload.can_be_rerun or not self._machine_source:
            return ""
        words = ["gemel", "run", workload.source, "--machine", self._machine_source, "--timing-only"]
        if workload.batch is not None:
            words += ["--batch", str(workload.batch)]
        changes = {**self.machine._changes, **{key: str(value) for key, value in combination.changes}}
        for key, value in changes.items():
            words += ["--set", f"{key}={value}"]
        return shlex.join(words)

    # ---- reading -----------------------------------------------------------------------------------------------------------------------

    def _complain(self, node: Node, code: str, message: str, *, note: str = "", hint: str = "", at_key: bool = False) -> None:
        line, column, length = node.line, node.column, node.length
        if at_key and node.key_line:
            line, column, length = node.key_line, node.key_column, len(node.key)
        excerpt = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        self._problems.append(
            Diagnostic(
                code=code,
                message=message,
                file=self._file or node.path,
                line=line,
                column=column,
                length=length,
                excerpt=excerpt,
                note=note,
                hint=hint,
            )
        )

    def _finish(self) -> None:
        if self._problems:
            raise UserError(sorted(self._problems, key=lambda problem: (problem.line, problem.column)))

    def _word(self, node: Node | None, allowed: Sequence[str] = ()) -> str:
        if node is None:
            return ""
        if node.kind != "scalar" or not node.text:
            self._complain(node, "E1204", f"`{node.path}` must be a word, not {_found(node)}")
            return ""
        if allowed and node.text not in allowed:
            self._complain(node, "E1204", f"`{node.path}` is `{node.text}`, but must be {_or(allowed)}", note=_near(node.text, allowed))
            return ""
        return node.text

    def _whole(self, node: Node | None, otherwise: int, least: int, most: int) -> int:
        if node is None:
            return otherwise
        digits = node.text.replace("_", "") if node.kind == "scalar" and not node.quoted else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) < 30 and least <= int(digits) <= most):
            code = "E1205" if digits.isdigit() else "E1204"
            self._complain(node, code, f"`{node.path}` must be a whole number from {least} to {most}, not {_found(node)}")
            return otherwise
        return int(digits)

    def _base(self, node: Node | None, given: Machine | None) -> tuple[Machine, str]:
        if given is not None:
            source = given._source
            return given, source if source in _gemel.list_machines() or os.sep in source else ""
        source = self._word(node) or "edge16"
        if os.sep in source or source.endswith((".yaml", ".yml")):
            source = os.path.normpath(self._folder / source)
            source = source if os.sep in source else os.path.join(".", source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GemelWarning)
                return machine_of(source), source
        except UserError as error:
            self._adopt(error, node)
            return machine_of("edge16"), "edge16"

    def _adopt(self, error: UserError, node: Node | None, prefix: str = "") -> None:
        """The library's complaint about a value of the space. What is about a file of its own keeps its place."""
        for found in error.diagnostics:
            if node is None or found.line > 0:
                self._problems.append(found)
            else:
                self._complain(node, found.code, prefix + found.message, note=found.note, hint=found.hint)

    def _networks(self, root: Node, node: Node | None, given: Mapping[str, Network]) -> tuple[Workload, ...]:
        if node is None:
            self._complain(
                root, "E1203", "a space must say which `networks`", hint="networks: [resnet50]; `gemel workloads` lists those that come with Gemel"
            )
            return ()
        entries: list[tuple[str, Node]] = []
        if node.kind == "map":
            entries = list(node.entries.items())
        elif node.kind in ("list", "scalar"):
            entries = [("", one) for one in (node.items if node.kind == "list" else [node])]
        if not 0 < len(entries) <= MOST_NETWORKS:
            self._complain(
                node,
                "E1204" if not entries else "E1205",
                f"`networks` must be a list of 1 to {MOST_NETWORKS} networks, not {_found(node)}",
                at_key=True,
            )
            return ()
        workloads: list[Workload] = []
        for label, one in entries:
            workload = self._network(label, one, given)
            if workload is None:
                continue
            if workload.label in [known.label for known in workloads]:
                self._complain(
                    one, "E1203", f"two networks are called `{workload.label}`", hint="give them labels: networks: {small: ..., large: ...}"
                )
            workloads.append(workload)
        return tuple(workloads)

    def _network(self, label: str, node: Node, given: Mapping[str, Network]) -> Workload | None:
        batch = None
        word = node
        if node.kind == "map":
            for key, one in node.entries.items():
                if key not in ("workload", "batch"):
                    self._complain(one, "E1203", f"unknown key `{key}`", note=_near(key, ("workload", "batch")), at_key=True)
            if "workload" not in node.entries:
                self._complain(node, "E1203", f"`{node.path}` must have a `workload`")
                return None
            word = node.entries["workload"]
            batch = self._whole(node.entries.get("batch"), 0, 1, 65535) or None
        source = self._word(word)
        if not source:
            return None
        if source in given and batch is None:
            network = given[source]
            origin = network._origin
            if origin is not None and not network.timing_only:
                network = origin.load(timing_only=True)
            in_file = origin is not None and "\n" not in origin.source and origin.tensors is None
            return Workload(label or source, network._source, network, origin.batch if origin else None, in_file)
        if os.sep in source or Path(source).suffix.lower() in (".yaml", ".yml", ".csv", ".tflite", ".onnx"):
            source = os.path.normpath(self._folder / source)
            source = source if os.sep in source else os.path.join(".", source)
        try:
            return Workload(label or Path(source).stem, source, load(source, batch=batch, timing_only=True), batch, True)
        except UserError as error:
            self._adopt(error, word)
            return None

    def _parameter(self, name: str) -> str:
        return self._aliases.get(name, name)

    @cached_property
    def _aliases(self) -> dict[str, str]:
        """What a parameter may be called in expressions -> its key."""
        leaves: dict[str, list[str]] = {}
        for key in self._infos:
            leaves.setdefault(key.rpartition(".")[2], []).append(key)
        found = {leaf: keys[0] for leaf, keys in leaves.items() if len(keys) == 1 and leaf not in DERIVED and leaf not in FIGURES}
        return {**found, **{key.replace(".", "_"): key for key in self._infos}, **{key: key for key in self._infos}}

    def _is_about(self, name: str) -> str:
        """ "parameter", "derived", "figure", "network" or "", which is none."""
        if name in self._aliases:
            return "parameter"
        if name in DERIVED:
            return "derived"
        if name in FIGURES:
            return "figure"
        label, _, figure = name.partition(".")
        return "network" if figure in FIGURES and label in [workload.label for workload in self.workloads] else ""

    def _expression(self, node: Node, text: str, allowed: Sequence[str]) -> Expression | None:
        """An expression whose names are all known and of an allowed kind."""
        try:
            expression = Expression(text)
        except ExpressionError as error:
            self._complain(node, "E1206", str(error))
            return None
        names = [*self._infos, *self._aliases, *DERIVED, *FIGURES]
        for name in expression.names:
            about = self._is_about(name)
            if not about:
                self._complain(
                    node,
                    "E1206",
                    f"`{text}`: unknown name `{name}`",
                    note=_near(name, names),
                    hint="names are parameters (`gemel explain machine`), " + ", ".join(f"`{n}`" for n in DERIVED) + ", and figures of result.json",
                )
                return None
            if about not in allowed:
                self._complain(node, "E1206", f"`{text}`: `{name}` is not known before the machine is")
                return None
        return expression

    def _domains(self, root: Node, node: Node | None) -> tuple[Domain, ...]:
        if node is None or node.kind != "map" or not node.entries:
            self._complain(
                node or root,
                "E1203" if node is None else "E1204",
                "a space must have `parameters`: a map of a machine's parameters to their values",
                hint="parameters: {pe_array.rows: [8, 16, 32]}",
                at_key=True,
            )
            return ()
        domains: list[Domain] = []
        for name, one in node.entries.items():
            key = self._aliases.get(name, "")
            if not key or key in ("name", "description"):
                self._complain(
                    one,
                    "E0103",
                    f"unknown parameter `{name}`",
                    note=_near(name, [*self._infos, *self._aliases]),
                    hint="`gemel explain machine` lists every parameter",
                    at_key=True,
                )
                continue
            if key in [domain.key for domain in domains]:
                self._complain(one, "E1203", f"`{key}` is given twice", at_key=True)
                continue
            values = self._values(key, one)
            if values:
                domains.append(Domain(key, values, one))
        return tuple(domains)

    def _values(self, key: str, node: Node) -> tuple[Value | Expression, ...]:
        if node.kind == "map":
            return self._range(key, node)
        nodes = node.items if node.kind == "list" else [node]
        if node.kind == "nothing" or not nodes:
            self._complain(node, "E1204", f"`{key}` has no values", hint="a list, or {from: 8, to: 64, times: 2}", at_key=True)
            return ()
        if len(nodes) > MOST_VALUES:
            self._complain(node, "E1205", f"`{key}` has {len(nodes):,} values, and at most {MOST_VALUES:,} are gone through", at_key=True)
            return ()
        values: list[Value | Expression] = []
        for one in nodes:
            value = self._value(key, one)
            if value is None:
                continue
            if not isinstance(value, Expression):
                if value in [known for known in values if not isinstance(known, Expression)]:
                    self._complain(one, "E1203", f"`{key}` has the value {value} twice")
                    continue
                self._check(key, value, one)
            values.append(value)
        return tuple(values)

    def _value(self, key: str, node: Node) -> Value | Expression | None:
        if node.kind != "scalar":
            self._complain(node, "E1204", f"a value of `{key}` must be a number, a size, a word or an expression, not {_found(node)}")
            return None
        if self._infos[key].type not in ("integer", "size", "number"):
            return node.text
        expression = self._expression(node, node.text, ("parameter",))
        if expression is None:
            return None
        if expression.names:
            return expression
        return self._number(key, expression, node)

    def _number(self, key: str, expression: Expression, node: Node) -> Value | None:
        try:
            return self._as_parameter(key, expression.value(_nothing))
        except ExpressionError as error:
            self._complain(node, "E1206", str(error))
            return None

    def _as_parameter(self, key: str, value: Any) -> Value:
        """A computed value, as the parameter's type wants it: whole numbers stay whole. Raises ExpressionError."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ExpressionError(f"`{key}` would be {value!r}, but must be a number")
        if self._infos[key].type == "number":
            return float(value)
        if isinstance(value, float) and not value.is_integer():
            raise ExpressionError(f"`{key}` would be {value:g}, but must be a whole number (`//` divides so)")
        return int(value)

    def _check(self, key: str, value: Value, node: Node) -> None:
        """A value by itself; whether it goes with the others is each design's matter."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GemelWarning)
                self.machine.with_({key: value})
        except UserError as error:
            for found in error.diagnostics:
                if found.code != "E0108":
                    self._complain(node, found.code, found.message, note=found.note)

    def _range(self, key: str, node: Node) -> tuple[Value | Expression, ...]:
        kinds = {"step": "step" in node.entries, "times": "times" in node.entries}
        for name, one in node.entries.items():
            if name not in ("from", "to", "step", "times"):
                self._complain(one, "E1203", f"unknown key `{name}`", note=_near(name, ("from", "to", "step", "times")), at_key=True)
                return ()
        if not {"from", "to"} <= set(node.entries) or sum(kinds.values()) != 1:
            self._complain(
                node,
                "E1203",
                f"the range of `{key}` must have `from`, `to`, and either `step` or `times`",
                hint="{from: 8, to: 64, times: 2} is 8, 16, 32, 64",
                at_key=True,
            )
            return ()
        numbers: dict[str, Any] = {}
        for name, one in node.entries.items():
            if one.kind != "scalar":
                self._complain(one, "E1204", f"`{one.path}` must be a number or a size, not {_found(one)}")
                return ()
            expression = self._expression(one, one.text, ())
            try:
                value = None if expression is None else expression.value(_nothing)
            except ExpressionError as error:
                self._complain(one, "E1206", str(error))
                return ()
            if value is None:
                return ()
            if isinstance(value, bool) or not isinstance(value, int | float):
                self._complain(one, "E1204", f"`{one.path}` must be a number or a size, not {_found(one)}")
                return ()
            numbers[name] = value
        first, last = numbers["from"], numbers["to"]
        multiplies = kinds["times"]
        by = numbers["times" if multiplies else "step"]
        if last < first or (multiplies and (by <= 1 or first <= 0)) or (not multiplies and by <= 0):
            self._complain(
                node,
                "E1204",
                f"the range of `{key}` from {first} to {last} {'times' if multiplies else 'in steps of'} {by} is empty or does not end",
                hint="`from` is at most `to`, `step` greater than 0, `times` greater than 1",
                at_key=True,
            )
            return ()
        count = math.floor(math.log(last / first) / math.log(by) + 1e-9) + 1 if multiplies else math.floor((last - first) / by + 1e-9) + 1
        if count > MOST_VALUES:
            self._complain(node, "E1205", f"the range of `{key}` has {count:,} values, and at most {MOST_VALUES:,} are gone through", at_key=True)
            return ()
        values: list[Value] = []
        try:
            for index in range(count):
                values.append(self._as_parameter(key, first * by**index if multiplies else first + by * index))
        except ExpressionError as error:
            self._complain(node, "E1206", str(error), at_key=True)
            return ()
        for value in dict.fromkeys((values[0], values[-1])):
            self._check(key, value, node)
        if not self._problems and len(values) > 2:
            for value in values[1:-1]:
                self._check(key, value, node)
                if self._problems:
                    break
        return tuple(values)

    def _dependencies(self) -> tuple[str, ...]:
        """The parameters in an order in which each expression's own are known."""
        waiting = {
            domain.key: {self._parameter(name) for value in domain.values if isinstance(value, Expression) for name in value.names}
            for domain in self.domains
        }
        order: list[str] = []
        while waiting:
            ready = [key for key, needed in waiting.items() if not needed & waiting.keys()]
            if not ready:
                key = next(iter(waiting))
                domain = next(domain for domain in self.domains if domain.key == key)
                self._complain(
                    domain.node, "E1206", "parameters depend on each other in a circle: " + ", ".join(f"`{one}`" for one in waiting), at_key=True
                )
                return tuple(order)
            order += ready
            for key in ready:
                del waiting[key]
        return tuple(order)

    def _constraints(self, node: Node | None) -> tuple[tuple[Expression, ...], tuple[Expression, ...]]:
        """Those of the machine alone, and those that need a run."""
        before: list[Expression] = []
        after: list[Expression] = []
        if node is None or node.kind == "nothing":
            return (), ()
        if node.kind != "list":
            self._complain(
                node,
                "E1204",
                f"`constraints` must be a list of expressions, not {_found(node)}",
                hint="constraints: [sram_bytes <= 512KiB]",
                at_key=True,
            )
            return (), ()
        for one in node.items:
            if one.kind != "scalar":
                self._complain(one, "E1204", f"a constraint must be an expression, not {_found(one)}")
                continue
            expression = self._expression(one, one.text, ("parameter", "derived", "figure", "network"))
            if expression is not None:
                static = not expression.aggregates and all(self._is_about(name) in ("parameter", "derived") for name in expression.names)
                (before if static else after).append(expression)
        return tuple(before), tuple(after)

    def _objectives(self, node: Node | None) -> tuple[Objective, ...]:
        if node is None or node.kind == "nothing":
            return tuple(Objective(name, Expression(name), False) for name in ("latency_ms", "area_kge"))
        found: list[Objective] = []
        for one in node.items if node.kind == "list" else [node]:
            entries = one.entries if one.kind == "map" else {"minimize": one}
            direction = [key for key in entries if key in ("minimize", "maximize")]
            unknown = [key for key in entries if key not in ("minimize", "maximize", "name")]
            if len(direction) != 1 or unknown or entries[direction[0]].kind != "scalar":
                self._complain(
                    one,
                    "E1203",
                    "an objective is an expression to be minimized, or {minimize: ...} or {maximize: ...}, perhaps with a `name`",
                    note=_near(unknown[0], ("minimize", "maximize", "name")) if unknown else "",
                )
                continue
            text = entries[direction[0]].text
            expression = self._expression(entries[direction[0]], text, ("parameter", "derived", "figure", "network"))
            name = self._word(entries.get("name")) or text
            if expression is not None:
                if name in [known.name for known in found]:
                    self._complain(one, "E1203", f"two objectives are called `{name}`")
                found.append(Objective(name, expression, direction[0] == "maximize"))
        if not found and not self._problems:
            self._complain(node, "E1204", "`objectives` must be a list with at least one expression", at_key=True)
        return tuple(found)


def _nothing(name: str) -> Any:
    raise ExpressionError(f"`{name}` is not known here")


def _near(word: str, words: Sequence[str]) -> str:
    leaves = {known.rpartition(".")[2]: known for known in words}
    near = difflib.get_close_matches(word, words, 1, 0.7) or [
        leaves[leaf] for leaf in difflib.get_close_matches(word.rpartition(".")[2], list(leaves), 1, 0.75)
    ]
    return f"did you mean `{near[0]}`?" if near else ""


def _or(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _found(node: Node) -> str:
    if node.kind == "scalar":
        return f"`{node.text if len(node.text) <= 60 else node.text[:57] + '...'}`"
    return {"nothing": "nothing", "list": "a list" if node.items else "an empty list", "map": "a map"}[node.kind]


__all__ = ["Combination", "Domain", "Node", "Objective", "Space", "Workload"]
