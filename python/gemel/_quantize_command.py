# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._quantize_command MODEL: what `gemel quantize` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import re
import sys

from ._command import said_unless_ended, write_json


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel quantize")
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--percentile", type=float, required=True)
    parser.add_argument("--per-tensor", action="store_true")
    parser.add_argument("--images", type=int)
    parser.add_argument("--keep-float", action="append", default=[])
    parser.add_argument("--improve", action="store_true")
    parser.add_argument("--sensitivity", action="store_true")
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--int4", action="append", default=[])
    parser.add_argument("--int4-share")
    parser.add_argument("--budget")
    parser.add_argument("--json")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()

    def quantized() -> str | None:
        from ._errors import user_error
        from ._quantize import quantize

        share = budget = None
        if options.int4_share is not None:
            found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?)%", options.int4_share)
            share = float(found[1]) / 100 if found else 0
            if not 0 < share <= 1:
                raise user_error("E0915", f"`--int4-share` is `{options.int4_share}`, but must be a share of the weights above 0 %, at most 100 %, such as 60%")
        if options.budget is not None:
            found = re.fullmatch(r"bytes=([1-9]\d{0,17})", options.budget)
            if found is None:
                raise user_error("E0915", f"`--budget` is `{options.budget}`, but must be bytes=N, such as bytes=100000: what all weights may take")
            budget = int(found[1])
        made = quantize(options.model, options.data, options.out, method=options.method, percentile=options.percentile,
                        per_channel=not options.per_tensor, images=options.images, keep_float=options.keep_float,
                        improve=options.improve, sensitivity=options.sensitivity, weights=options.weights, int4=options.int4, int4_share=share, budget=budget,
                        progress=not options.quiet)  # fmt: skip
        if options.json:
            write_json(options.json, made.report())
        return None if options.quiet else f"{made}\n{options.out}: {len(made.layers)} operators on int8"

    return said_unless_ended(quantized, "quantizing")


if __name__ == "__main__":
    sys.exit(main())
