# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._accuracy_command WORKLOAD: what `gemel run --data` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import sys

from ._command import changes_of, said_unless_ended


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

    def counted() -> str:
        import warnings

        from ._accuracy import accuracy
        from ._dynamic import DynamicModel, is_dynamic
        from ._errors import GemelWarning, user_error
        from ._machine import machine

        changes = changes_of(options.set)
        warnings.simplefilter("once", GemelWarning)
        on = machine(options.machine, changes)
        if is_dynamic(options.workload):
            if options.batch is not None:
                raise user_error("E0911", "`--batch` and a model that is quantized while it runs: it takes one image or sentence at a time", "leave it out")
            return str(DynamicModel(options.workload, on).measure(options.data, beside=options.beside, images=options.images, compare=not options.no_golden,
                                                                  progress=not options.quiet))  # fmt: skip
        return str(accuracy(options.workload, options.data, on, beside=options.beside, images=options.images, batch=options.batch,
                            compare=not options.no_golden, progress=not options.quiet))  # fmt: skip

    return said_unless_ended(counted, "running on data")


if __name__ == "__main__":
    sys.exit(main())
