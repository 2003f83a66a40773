# SPDX-License-Identifier: Apache-2.0
"""What the library raises."""

from __future__ import annotations

from collections.abc import Iterable

from ._gemel import Diagnostic, text_of


class GemelWarning(UserWarning):
    """Legal, but probably not meant; the text has its code."""


class Interrupted(Exception):
    """A call was asked to stop through its StopToken. (Ctrl-C raises KeyboardInterrupt.)"""


class Error(Exception):
    """What all errors of the library are. `str(error)` is the text that the command line prints.

    Each has one or more diagnostics: everything that was found wrong, at once. `code`, `message`, `place` and `hint` are those of the first.
    """

    diagnostics: tuple[Diagnostic, ...]

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return text_of(list(self.diagnostics))

    @property
    def code(self) -> str:
        """Key into docs/reference/errors.md: "E0103"."""
        return self.diagnostics[0].code

    @property
    def message(self) -> str:
        """What was found, without code, place and hint."""
        return self.diagnostics[0].message

    @property
    def place(self) -> str:
        """ "mine.yaml:3:3", or what else the message is about: "pe_array.rows=300"; empty: nothing in particular."""
        first = self.diagnostics[0]
        return ":".join([first.file, *(str(number) for number in (first.line, first.column) if number > 0)])

    @property
    def hint(self) -> str:
        """What to try next: the suggestion beside the place, or the hint below it; may be empty."""
        first = self.diagnostics[0]
        return "; ".join(text for text in (first.note, first.hint) if text)


class UserError(Error, ValueError):
    """The caller's mistake: a file, an option, a network that does not fit the machine. Exit code 2 of the command line."""


class RunError(Error):
    """The simulated machine stopped where it should not have: hazard, deadlock, a difference from the reference. Exit code 4."""


class InternalError(Error):
    """A bug of Gemel. Exit code 3."""


def user_error(code: str, message: str, hint: str = "", *, place: str = "", note: str = "") -> UserError:
    """One that this layer found itself."""
    return UserError([Diagnostic(code=code, message=message, hint=hint, file=place, note=note)])
