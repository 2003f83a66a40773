# SPDX-License-Identifier: Apache-2.0
"""python3 -m gemel._recover_command MODEL: what `gemel recover` becomes. Exit codes are those of `gemel`."""

from __future__ import annotations

import argparse
import signal
import sys

from ._command import Ended, said_unless_ended, write_json


def main() -> int:
    parser = argparse.ArgumentParser(prog="gemel recover")
    parser.add_argument("model")
    for name in ("data", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("teacher", "loss", "temperature", "teacher-share", "rate", "held-out", "json"):
        parser.add_argument(f"--{name}")
    for name in ("epochs", "batch", "patience", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()

    def recovered() -> str | None:
        from ._errors import user_error
        from ._recover import recover

        def number(name: str, text: str | None) -> dict[str, float]:
            try:
                return {} if text is None else {name.replace("-", "_"): float(text)}
            except ValueError:
                raise user_error("E0915", f"`--{name}` is `{text}`, but must be a number") from None

        numbers = {name: value for option in ("temperature", "teacher-share", "rate", "held-out")
                   for name, value in number(option, getattr(options, option.replace("-", "_"))).items()}  # fmt: skip
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which ends the training, not what it brought
        made = recover(options.model, options.data, options.out, teacher=options.teacher, loss=options.loss, layers=options.layers, epochs=options.epochs,
                       batch=options.batch, patience=options.patience, seed=options.seed, progress=not options.quiet, **numbers)  # fmt: skip
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if options.json:
            write_json(options.json, made.report())
        if not options.quiet:
            print(f"{made}\n{options.out}: written", flush=True)
        if made.interrupted:
            raise Ended(signal.SIGINT)
        return None

    def ended() -> str | None:
        try:
            return recovered()
        except KeyboardInterrupt:
            raise Ended(signal.SIGINT) from None

    return said_unless_ended(ended, "recovering")


if __name__ == "__main__":
    sys.exit(main())
