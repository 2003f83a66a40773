# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._accuracy_command WORKLOAD: what `gemel run --data` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import signal
import sys

from ._command import Ended, catch_signals, said


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel run --data")
    parser.add_argument("workload")
    parser.add_argument("--data", required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--beside", action="append", default=[])
    parser.add_argument("--images", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--no-golden", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    catch_signals((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    def counted() -> str:
        import warnings

        from ._accuracy import accuracy
        from ._errors import GemelWarning, user_error
        from ._machine import machine

        for setting in options.set:
            if "=" not in setting:
                raise user_error("E0110", f"a setting must be key=value, not `{setting}`", "for example `--set pe_array.rows=32`", place=f"--set {setting}")
        warnings.simplefilter("once", GemelWarning)
        on = machine(options.machine, dict(setting.split("=", 1) for setting in options.set))
        return str(accuracy(options.workload, options.data, on, beside=options.beside, images=options.images, batch=options.batch,
                            compare=not options.no_golden, progress=not options.quiet))  # fmt: skip

    try:
        return said(counted)
    except Ended as ended:
        print("interrupted while running on data", file=sys.stderr)
        return 128 + ended.number


if __name__ == "__main__":
    sys.exit(main())
