# SPDX-License-Identifier: Apache-2.0
"""Runs every deliberately wrong Verilog file of tests/rtl/own_verilog on an array of 4 x 3 and compares exit code and text with the
.expected file beside it: first line `exit N`, then stderr (exit 0: the last line of stdout). `<any>` stands for any text within a
line, a line `...` for any lines. In a file's opening, `run:` has the arguments (SELF: the file, HERE: its folder), `env:` a setting, `workload:`
a workload of this folder (else digits).
None may hang, none may crash. Called as: own_verilog_test.py GEMEL CACHE_FOLDER [NAME...]"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/rtl/own_verilog"
LIMIT_SECONDS = 5400  # for the slowest of machines; a case takes some seconds


def matches(pattern, text):
    """Lines of the pattern against lines of the text."""
    if not pattern:
        return not text
    if pattern[0] == "...":
        return any(matches(pattern[1:], text[i:]) for i in range(len(text) + 1))
    if not text:
        return False
    line = "".join(".*" if part == "<any>" else re.escape(part) for part in re.split("(<any>)", pattern[0]))
    return re.fullmatch(line, text[0]) is not None and matches(pattern[1:], text[1:])


def run(gemel, cache, path):
    text = path.read_text(encoding="utf-8")
    arguments = re.search(r"^// run: (.*)$", text, re.MULTILINE).group(1)
    arguments = arguments.replace("SELF", str(path)).replace("HERE", str(CASES)).split()
    environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": cache}
    setting = re.search(r"^// env: (\w+)=(.*)$", text, re.MULTILINE)
    if setting:
        environment[setting.group(1)] = setting.group(2)
    network = re.search(r"^// workload: (.*)$", text, re.MULTILINE)
    workload = str(ROOT / "tests/rtl_host" / network.group(1)) if network else "digits"
    with tempfile.TemporaryDirectory(prefix="gemel-own-") as folder:
        try:
            done = subprocess.run(
                [gemel, "run", workload, "-m", str(ROOT / "tests/rtl_host/tiny4x3.yaml"), *arguments],
                cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{path.name}: hangs"
    said = done.stdout.splitlines()[-1:] if done.returncode == 0 else done.stderr.replace(f"{CASES}/", "").splitlines()
    said = [f"exit {done.returncode}", *said]
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    if matches(expected, said):
        return None
    return f"{path.name}: says\n  " + "\n  ".join(said) + "\nmust say\n  " + "\n  ".join(expected)


def main():
    gemel, cache, names = str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve()), sys.argv[3:]
    cases = sorted(path for path in CASES.glob("*.sv") if not names or path.stem in names)
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        failures = [text for text in pool.map(lambda path: run(gemel, cache, path), cases) if text]
    print("\n".join(failures))
    print(f"{len(cases)} wrong files, {len(failures)} not answered as documented")
    enough = len(cases) >= (1 if names else 30)
    sys.exit(0 if enough and not failures else 1)


main()
