# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._quantize_command MODEL: what `gemel quantize` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import sys

from ._command import said_unless_ended, write_json


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

    def quantized() -> str | None:
        from ._quantize import quantize

        made = quantize(options.model, options.calibrate, options.out, method=options.method, percentile=options.percentile,
                        per_channel=not options.per_tensor, images=options.images, keep_float=options.keep_float,
                        improve=options.improve, sensitivity=options.sensitivity,
                        progress=not options.quiet)  # fmt: skip
        if options.json:
            write_json(options.json, made.report())
        return None if options.quiet else f"{made}\n{options.out}: {len(made.layers)} operators on int8"

    return said_unless_ended(quantized, "quantizing")


if __name__ == "__main__":
    sys.exit(main())
