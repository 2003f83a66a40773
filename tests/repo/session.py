# SPDX-License-Identifier: Apache-2.0
"""The session that README shows is what the program prints: its command is run, and its output must be what stands there,
the table of layers left out (`...`) and the line with the host's times, too, because it differs each time.
Called as: session.py GEMEL [--update]; --update writes README.md anew."""

import os
import re
import shlex
import subprocess
import sys

from rules import ROOT, Report

BEGIN, END = "<!-- BEGIN SESSION -->\n", "<!-- END SESSION -->"
COMMAND = "gemel run digits --machine edge16 --test"
HOST = re.compile(r"^\s*host\b")


def session(gemel):
    arguments = shlex.split(COMMAND)[1:]
    done = subprocess.run(
        [gemel, *arguments, "--quiet"], cwd=ROOT, env={**os.environ, "GEMEL_HOME": str(ROOT)},
        capture_output=True, text=True, check=True,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines() if not HOST.match(line)]
    start = next(i for i, line in enumerate(lines) if line.startswith("where the"))
    return "\n".join(["```", f"$ {COMMAND}", lines[0], "...", *lines[start:], "```", ""])


def main():
    report = Report()
    gemel = os.path.abspath(sys.argv[1])
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    first, last = text.index(BEGIN) + len(BEGIN), text.index(END)
    wanted = session(gemel)
    if "--update" in sys.argv:
        page.write_text(text[:first] + wanted + text[last:], encoding="utf-8")
        return
    report.look(len(wanted.splitlines()))
    if text[first:last] != wanted:
        report.complain(
            "README.md: the session is not what the program prints now:\n" + wanted
            + "\nIf the change is meant: python3 tests/repo/session.py build/release/gemel --update"
        )
    report.finish(least=12)


main()
