# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._sweep_command SPACE: what `gemel sweep` becomes. Exit codes are those of `gemel` (docs/reference/cli.md)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn


class _Ended(BaseException):
    """By a signal."""

    def __init__(self, number: int) -> None:
        self.number = number


def _end(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise _Ended(number)


def _say(text: str) -> None:
    try:
        print(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the end of Python does not complain as well
        from . import _gemel
        from ._errors import UserError

        raise UserError(
            [_gemel.Diagnostic(code="E0903", message="standard output cannot be written", hint="is the disk full, or the reader gone?")]
        ) from None


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel sweep")
    parser.add_argument("space")
    parser.add_argument("--out")
    parser.add_argument("--csv")
    parser.add_argument("--parquet")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    out = options.out or Path(options.space).stem + ".sqlite"
    try:
        from ._errors import InternalError, RunError, UserError
        from ._space import Space
        from ._sweep import require_parquet, sweep

        try:
            space = Space.read(options.space)
            if options.parquet:
                require_parquet()
            found = sweep(space, out, workers=options.workers, progress=not options.quiet)
            if options.csv:
                found.to_csv(options.csv)
            if options.parquet:
                found.to_parquet(options.parquet)
            if not options.quiet:
                _say(found.summary())
            return 0
        except UserError as error:
            print(error, file=sys.stderr)
            return 2
        except RunError as error:
            print(error, file=sys.stderr)
            return 4
        except InternalError as error:
            print(error, file=sys.stderr)
            return 3
    except _Ended as ended:
        print(f"interrupted; what is recorded in `{out}` is kept, and the same command goes on", file=sys.stderr)
        return 128 + ended.number


if __name__ == "__main__":
    sys.exit(main())
