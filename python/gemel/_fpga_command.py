# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._fpga_command: what `gemel fpga` becomes, when it has written the chip's RTL. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ._command import said_unless_ended


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel fpga")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--mhz", type=int, required=True)
    parser.add_argument("--speed-grade", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--tries", type=int, required=True)
    parser.add_argument("--target", action="append", required=True)
    parser.add_argument("--no-place", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()

    def built() -> str | None:
        from ._fpga import Target, build, table

        targets = []
        for text in options.target:
            name, module, parameters = text.split(":")
            targets.append(Target(name=name, module=module, parameters={k: int(v) for k, v in (p.split("=") for p in parameters.split(",") if p)}))
        say = (lambda text: None) if options.quiet else (lambda text: print(text, file=sys.stderr, flush=True))
        rows, versions = build(targets, options.out, options.device, machine=options.machine, place_too=not options.no_place, mhz=options.mhz,
                               speed=options.speed_grade, seed=options.seed, tries=options.tries, say=say)  # fmt: skip
        if options.quiet:
            return None
        tools = ", ".join(f"{name} {version}" for name, version in versions.items())
        return f"{options.machine} on {options.device}, speed grade {options.speed_grade} ({tools})\n\n{table(rows)}\n\n{options.out}: netlists, logs" + (
            "" if options.no_place else ", bitstreams"
        )

    return said_unless_ended(built, "placing")


if __name__ == "__main__":
    sys.exit(main())
