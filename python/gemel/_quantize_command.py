# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._quantize_command MODEL: what `gemel quantize` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from ._command import Ended, catch_signals, said


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel quantize")
    parser.add_argument("model")
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--percentile", type=float, required=True)
    parser.add_argument("--per-tensor", action="store_true")
    parser.add_argument("--images", type=int)
    parser.add_argument("--keep-float", action="append", default=[])
    parser.add_argument("--improve", action="store_true")
    parser.add_argument("--sensitivity", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    catch_signals((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    def quantized() -> str | None:
        from ._errors import user_error
        from ._quantize import quantize

        made = quantize(options.model, options.calibrate, options.out, method=options.method, percentile=options.percentile,
                        per_channel=not options.per_tensor, images=options.images, keep_float=options.keep_float,
                        improve=options.improve, sensitivity=options.sensitivity,
                        progress=not options.quiet)  # fmt: skip
        if options.json:
            try:
                Path(options.json).write_text(json.dumps(made.report(), indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise user_error("E0902", f"cannot write `{options.json}`: {error.strerror or error}") from None
        return None if options.quiet else f"{made}\n{options.out}: {len(made.layers)} operators on int8"

    try:
        return said(quantized)
    except Ended as ended:
        print("interrupted while quantizing", file=sys.stderr)
        return 128 + ended.number


if __name__ == "__main__":
    sys.exit(main())
