# SPDX-License-Identifier: Apache-2.0
"""What the importer has to say about a model: diagnostics with a code, as everywhere in Gemel (docs/reference/errors.md)."""

from __future__ import annotations

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
