# SPDX-License-Identifier: Apache-2.0
"""Machines: values that are valid or do not exist."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from . import _gemel
from ._errors import GemelWarning, user_error
from ._gemel import ParameterInfo
from ._html import table

Value = int | float | str


def parameters() -> tuple[ParameterInfo, ...]:
    """Every parameter of machines: key, type, unit, range, and a sentence on what it is."""
    return _gemel.list_parameters()


def machines() -> list[str]:
    """Names of the machines that come with Gemel, sorted."""
    return _gemel.list_machines()


@cache
def _keys() -> tuple[str, ...]:
    return tuple(parameter.key for parameter in parameters())


@cache
def _key(name: str) -> str:
    """The parameter that a name stands for: its key, the key with `_` for `.`, or what is behind the dot if no other parameter has that."""
    found = [key for key in _keys() if name in (key, key.replace(".", "_"))] or [key for key in _keys() if key.rpartition(".")[2] == name]
    if len(found) > 1:
        known = ", ".join(f"`{key.replace('.', '_')}`" for key in found)
        raise user_error("E0103", f"`{name}` is the name of several parameters", f"say which one: {known}", place=name)
    return found[0] if found else name  # the library says that it is none, and which one may be meant


def _changes(changes: Mapping[str, Value] | None, named: Mapping[str, Value]) -> list[tuple[str, str]]:
    return [(_key(name), str(value)) for group in (changes or {}, named) for name, value in group.items()]


def _overrides(changes: list[tuple[str, str]]) -> list[str]:
    return [f"{key}={value}" for key, value in changes]


class Machine(Mapping[str, Value]):
    """A machine: a mapping from each parameter's key to its value, which does not change.

    `machine["pe_array.rows"]` is a parameter, and so is `machine["rows"]`, as no other parameter's name ends so. Sizes are in bytes, times in
    cycles of the one clock. Machines with equal parameters are equal.
    """

    def __init__(self, inside: _gemel.Machine, source: str, changes: Mapping[str, str]) -> None:
        self._inside = inside
        self._values = inside.values()
        self._source = source  # name or path, as the command line would be told
        self._changes = dict(changes)  # of what is there: key -> value

    @property
    def name(self) -> str:
        return self._inside.name

    @property
    def description(self) -> str:
        return self._inside.description

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over all parameters but name and description: equal machines take equal cycles."""
        return self._inside.digest()

    def with_(self, changes: Mapping[str, Value] | None = None, /, **named: Value) -> Machine:
        """This machine with other values: `machine.with_(rows=32)`, `machine.with_({"pe_array.rows": 32}, activation_buffer_size_bytes="256KiB")`.

        A name is a parameter's key as in machine files, the key with `_` in place of `.`, or the part behind the dot if only one parameter has it.
        Sizes may be text with a unit. Raises UserError with everything that is wrong: unknown names, values out of range, contradictions (E01xx).
        """
        new = _changes(changes, named)
        return _checked(Machine(self._inside.changed(_overrides(new)), self._source, {**self._changes, **dict(new)}))

    def diff(self, other: Machine) -> dict[str, tuple[Value, Value]]:
        """The parameters in which two machines differ: key -> (here, there). Names and descriptions count."""
        return {key: (value, other._values[key]) for key, value in self._values.items() if value != other._values[key]}

    def to_yaml(self) -> str:
        """A machine file."""
        return self._inside.yaml()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the machine file, for `gemel.machine(path)` and `gemel run --machine PATH`."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

    def __getitem__(self, name: str) -> Value:
        try:
            return self._values[_key(name)]
        except KeyError:
            raise KeyError(f"{name!r} is no parameter of machines; gemel.parameters() lists them") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Machine) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.to_yaml(), self.name, self._source, self._changes)

    def __repr__(self) -> str:
        return f"<gemel.Machine {self.name}: {self['pe_array.rows']}x{self['pe_array.columns']} at {self['clock_mhz']:g} MHz>"

    def _repr_html_(self) -> str:
        about = {parameter.key: parameter for parameter in parameters()}
        rows = [(key, value, about[key].unit, about[key].sentence) for key, value in self._values.items()]
        return table(f"machine {self.name}", ("parameter", "value", "unit", "what it is"), rows)


def _restored(yaml: str, name: str, source: str, changes: dict[str, str]) -> Machine:
    return Machine(_gemel.Machine.parse(yaml, name, []), source, changes)


def _checked(machine: Machine) -> Machine:
    for warning in machine._inside.warnings():
        warnings.warn(str(warning), GemelWarning, stacklevel=3)
    return machine


def machine(name_or_path: str | os.PathLike[str] = "edge16", changes: Mapping[str, Value] | None = None, /, **named: Value) -> Machine:
    """The machine of that name (gemel.machines()) or in that file (anything with a `/`, or ending in .yaml or .yml), with changes as `with_` has them.

    Raises UserError with everything that is wrong (E01xx); warns of parameters that can have no effect (GemelWarning, E0113).
    """
    source, new = os.fspath(name_or_path), _changes(changes, named)
    return _checked(Machine(_gemel.Machine.load(source, _overrides(new)), source, dict(new)))
