# SPDX-License-Identifier: Apache-2.0
"""What the programs have in common that `gemel` becomes: signals, exit codes, and how errors are told (docs/reference/cli.md)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn


class Ended(BaseException):
    """By a signal."""

    def __init__(self, number: int) -> None:
        self.number = number


def _end(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise Ended(number)


def catch_signals(numbers: Iterable[int]) -> None:
    """From now on they raise Ended, but for those that are ignored. `gemel` has blocked them until here."""
    numbers = tuple(numbers)
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def said(make: Callable[[], str | None]) -> int:
    """Prints the text that is made, or the error on the way there. The exit code."""
    from ._errors import Error, InternalError, RunError

    try:
        text = make()
        if text is not None:
            _say(text)
        return 0
    except Error as error:
        print(error, file=sys.stderr)
        return 4 if isinstance(error, RunError) else 3 if isinstance(error, InternalError) else 2


def said_unless_ended(make: Callable[[], str | None], doing: str) -> int:
    """As said(); a signal to end is told with what was under way, and is the exit code 128 + its number."""
    catch_signals((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        return said(make)
    except Ended as ended:
        print(f"interrupted while {doing}", file=sys.stderr)
        return 128 + ended.number


def changes_of(settings: Iterable[str]) -> dict[str, str]:
    """What `--set key=value` changes in a machine. UserError E0110."""
    from ._errors import user_error

    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise user_error("E0110", f"a setting must be key=value, not `{setting}`", "for example `--set pe_array.rows=32`", place=f"--set {setting}")
        changes[key] = value
    return changes


def write_json(path: str, report: Any) -> None:
    """UserError E0902."""
    from ._errors import user_error

    try:
        Path(path).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise user_error("E0902", f"cannot write `{path}`: {error.strerror or error}") from None


def _say(text: str) -> None:
    try:
        print(text)
        sys.stdout.flush()
    except OSError:
        from ._errors import user_error

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the end of Python does not complain as well
        raise user_error("E0903", "standard output cannot be written", "is the disk full, or the reader gone?") from None
