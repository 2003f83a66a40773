# SPDX-License-Identifier: Apache-2.0
"""What the importer has to say about a model: diagnostics with a code, as everywhere in Gemel (docs/reference/errors.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST_OF_ONE_CODE = 10  # shown; a damaged or foreign model must not fill the screen
MOST = 200  # collected


@dataclass(frozen=True)
class Diagnostic:
    code: str
    message: str
    file: str = ""  # the model, as the caller named it
    note: str = ""
    hint: str = ""

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {printable(self.message)}"]
        lines += [f"  {printable(line)}" for line in (self.file, self.note) if line]
        lines += [f"hint: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class ModelError(Exception):
    """The user's mistake: everything that was found wrong with a model. str() is the text of all diagnostics."""

    def __init__(self, *diagnostics: Diagnostic):
        super().__init__(diagnostics)
        self.diagnostics = list(diagnostics)

    def __str__(self) -> str:
        shown, count = [], {}
        for d in self.diagnostics:
            count[d.code] = count.get(d.code, 0) + 1
            if count[d.code] <= MOST_OF_ONE_CODE:
                shown.append(str(d))
        more = [
            f"... and {n - MOST_OF_ONE_CODE} more errors {code}" for code, n in count.items() if n > MOST_OF_ONE_CODE
        ]
        return "\n".join(shown + more)


def printable(text: str) -> str:
    """Text from a file, safe for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class Refused(Exception):
    """An operator that cannot be translated: which attribute, its value, and what is supported."""

    def __init__(self, attribute: str, value, supported: str, hint: str = "", code: str = "E1105"):
        super().__init__(attribute)
        self.attribute, self.value, self.supported, self.hint, self.code = attribute, value, supported, hint, code


class Damaged(Exception):
    """Something in the file cannot be; the text says what, and `place` where ("subgraphs[0].tensors[3]", "graph.node[2]")."""

    def __init__(self, place: str, what: str):
        super().__init__(what)
        self.place = place


class Findings:
    """What a walk over a model's operators finds wrong: everything, at most MOST."""

    def __init__(self, file: str):
        self.file = file
        self.diagnostics: list[Diagnostic] = []

    def add(self, code: str, message: str, note: str = "", hint: str = "") -> None:
        if len(self.diagnostics) < MOST:
            self.diagnostics.append(Diagnostic(code, message, self.file, note, hint))

    def attempt(self, where: str, action: Callable[[], None]) -> None:
        """Runs `action`, which may be Refused."""
        try:
            action()
        except Refused as r:
            self.add(r.code, f"{where}: {r.attribute} is {r.value}", f"supported: {r.supported}", r.hint)

    def nothing_left(self) -> None:
        self.add("E1105", "the model has no operator that is left to run", hint="a network does something")

    def raise_any(self) -> None:
        """ModelError, if anything was found."""
        if self.diagnostics:
            raise ModelError(*self.diagnostics)


def damaged_model(file: str, damage: Damaged) -> ModelError:
    place = f"{file}: {damage.place}" if damage.place else file
    hint = "the file is cut short or was changed; make or fetch it again"
    return ModelError(Diagnostic("E1103", f"the model is damaged: {damage}", place, hint=hint))
