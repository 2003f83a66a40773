# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._compress_command MODEL: what `gemel compress` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import re
import sys

from ._command import changes_of, said_unless_ended, write_json


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel compress")
    parser.add_argument("model")
    parser.add_argument("--out", required=True)
    for name in ("filters", "weights", "low-rank", "energy", "pattern", "blocks", "block", "machine", "json"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--scheme", required=True)
    parser.add_argument("--scope", required=True)
    parser.add_argument("--round-to", type=int, required=True)
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()

    def compressed() -> str | None:
        from ._compress import compress
        from ._errors import user_error
        from ._machine import machine

        def share(name: str, text: str | None) -> float | None:
            try:
                return None if text is None else float(text)
            except ValueError:
                raise user_error("E0915", f"`--{name}` is `{text}`, but must be a share above 0 and below 1, such as 0.5") from None

        def pair(name: str, text: str | None, between: str, form: str) -> tuple[int, int] | None:
            if text is None:
                return None
            found = re.fullmatch(rf"(\d{{1,6}}){between}(\d{{1,6}})", text)
            if found is None:
                raise user_error("E0915", f"`--{name}` is `{text}`, but must be {form}")
            return int(found[1]), int(found[2])

        changes = changes_of(options.set)
        made = compress(options.model, options.out, filters=share("filters", options.filters), weights=share("weights", options.weights),
                        pattern=pair("pattern", options.pattern, ":", "N:M, such as 2:4"),
                        low_rank=share("low-rank", options.low_rank), energy=share("energy", options.energy),
                        blocks=share("blocks", options.blocks), block=pair("block", options.block, "x", "ROWSxCOLUMNS, such as 16x16"),
                        scheme=options.scheme, scope=options.scope, round_to=options.round_to, keep=options.keep,
                        machine=None if options.machine is None else machine(options.machine, changes))  # fmt: skip
        if options.json:
            write_json(options.json, made.report())
        return None if options.quiet else f"{made.details()}\n\n{made}"

    return said_unless_ended(compressed, "compressing")


if __name__ == "__main__":
    sys.exit(main())
