# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._advise_command WORKLOAD: what `gemel run --advise` becomes behind its summary. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import sys

from ._command import changes_of, said_unless_ended


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel run --advise")
    parser.add_argument("workload")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--report")
    options = parser.parse_args()

    def advise() -> str:
        import warnings

        from ._errors import GemelWarning
        from ._machine import machine
        from ._run import run

        warnings.simplefilter("ignore", GemelWarning)  # the run before has told them
        advice = run(options.workload, machine(options.machine, changes_of(options.set)), batch=options.batch, timing_only=True).advise()
        if options.report:
            advice.add_to(options.report)
        return str(advice)

    return said_unless_ended(advise, "trying machines")


if __name__ == "__main__":
    sys.exit(main())
