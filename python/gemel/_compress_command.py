# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._compress_command MODEL: what `gemel compress` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
from pathlib import Path

from ._command import Ended, catch_signals, said


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel compress")
    parser.add_argument("model")
    parser.add_argument("--out", required=True)
    for name in ("filters", "weights", "low-rank", "energy", "pattern", "machine", "json"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--scheme", required=True)
    parser.add_argument("--scope", required=True)
    parser.add_argument("--round-to", type=int, required=True)
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    catch_signals((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    def compressed() -> str | None:
        from ._compress import compress
        from ._errors import user_error
        from ._machine import machine

        def share(name: str, text: str | None) -> float | None:
            try:
                return None if text is None else float(text)
            except ValueError:
                raise user_error("E0915", f"`--{name}` is `{text}`, but must be a share above 0 and below 1, such as 0.5") from None

        pattern = None
        if options.pattern is not None:
            found = re.fullmatch(r"(\d{1,6}):(\d{1,6})", options.pattern)
            if found is None:
                raise user_error("E0915", f"`--pattern` is `{options.pattern}`, but must be N:M, such as 2:4")
            pattern = int(found[1]), int(found[2])
        changes = dict(setting.split("=", 1) for setting in options.set if "=" in setting)
        for setting in options.set:
            if "=" not in setting:
                raise user_error("E0110", f"a setting must be key=value, not `{setting}`", "for example `--set pe_array.rows=32`", place=f"--set {setting}")
        made = compress(options.model, options.out, filters=share("filters", options.filters), weights=share("weights", options.weights), pattern=pattern,
                        low_rank=share("low-rank", options.low_rank), energy=share("energy", options.energy), scheme=options.scheme, scope=options.scope,
                        round_to=options.round_to, keep=options.keep,
                        machine=None if options.machine is None else machine(options.machine, changes))  # fmt: skip
        if options.json:
            try:
                Path(options.json).write_text(json.dumps(made.report(), indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise user_error("E0902", f"cannot write `{options.json}`: {error.strerror or error}") from None
        return None if options.quiet else f"{made.details()}\n\n{made}"

    try:
        return said(compressed)
    except Ended as ended:
        print("interrupted while compressing", file=sys.stderr)
        return 128 + ended.number


if __name__ == "__main__":
    sys.exit(main())
