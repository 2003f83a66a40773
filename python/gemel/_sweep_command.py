# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._sweep_command SPACE: what `gemel sweep` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from ._command import Ended, catch_signals, said


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel sweep")
    parser.add_argument("space")
    parser.add_argument("--out")
    parser.add_argument("--csv")
    parser.add_argument("--report")
    parser.add_argument("--parquet")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--scheduler")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    out = options.out or Path(options.space).stem + ".sqlite"
    catch_signals((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    def sweep() -> str | None:
        from ._space import Space
        from ._sweep import require_parquet, sweep

        space = Space.read(options.space)
        if options.parquet:
            require_parquet()
        found = sweep(space, out, workers=options.workers, scheduler=options.scheduler, progress=not options.quiet)
        if options.csv:
            found.to_csv(options.csv)
        if options.report:
            found.report(options.report)
        if options.parquet:
            found.to_parquet(options.parquet)
        return None if options.quiet else found.summary()

    try:
        return said(sweep)
    except Ended as ended:
        print(f"interrupted; what is recorded in `{out}` is kept, and the same command goes on", file=sys.stderr)
        return 128 + ended.number


if __name__ == "__main__":
    sys.exit(main())
