# SPDX-License-Identifier: Apache-2.0
"""A tutorial's code blocks, run as written, in the folder of the checkout.

    scripts/verify_keras            docs/tutorial/from_keras_to_the_array.md

Blocks of Python begin with `# NAME` and are written to run/keras/NAME; blocks of shell are run; a block without a language shows what the shell before it
printed: each of its lines must be in the output, in that order, numbers aside. All runs must take the same cycles.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from simulated import ROOT

PAGE = ROOT / "docs/tutorial/from_keras_to_the_array.md"
FOLDER = "run/keras"  # as the page has it
ANY = "..."  # a line of shown output that stands for others
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?: [num]?s\b)?")
CYCLES = re.compile(r"^  cycles +([\d,]+) \(|^\d+ images, ([\d,]+) cycles for each", re.M)


@dataclass(frozen=True)
class Block:
    kind: str  # "sh", "python", "" for shown output
    text: str
    line: int  # of its first line in the page


def blocks(page: str) -> list[Block]:
    """Raises ValueError for a block of another kind, and for one of Python without a name."""
    found = []
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", page, re.M | re.S):
        one = Block(match[1].strip(), match[2], page[: match.start(2)].count("\n") + 1)
        if one.kind not in ("sh", "python", ""):
            raise ValueError(f"line {one.line}: a block of `{one.kind}`; there are sh, python and shown output")
        if one.kind == "python" and not re.match(r"# \w+\.py\n", one.text):
            raise ValueError(f"line {one.line}: a block of Python begins with the name of its file, `# NAME.py`")
        found.append(one)
    return found


def alike(line: str) -> str:
    """A line without its numbers and widths of columns."""
    return " ".join(NUMBER.sub("#", line).split())


def absent(shown: str, printed: str) -> str:
    """The first shown line that is not in what was printed, behind those before it; empty: there is none."""
    left = [alike(line) for line in printed.splitlines()]
    for line in shown.splitlines():
        if line.strip() in ("", ANY):
            continue
        if alike(line) not in left:
            return line
        left = left[left.index(alike(line)) + 1 :]
    return ""


def cycles(printed: str) -> list[int]:
    return [int((match[1] or match[2]).replace(",", "")) for match in CYCLES.finditer(printed)]


class Failed(Exception):
    """A block did not do what the page says."""


def run(found: list[Block], folder: str = FOLDER, say=print) -> int:
    """How many blocks of shell were run. `folder` takes the place of FOLDER in all of them. Raises Failed."""
    printed, done = "", 0
    counted: set[int] = set()
    for one in found:
        text = one.text.replace(FOLDER, folder)
        if one.kind == "python":
            name = text.splitlines()[0][2:]
            (ROOT / folder).mkdir(parents=True, exist_ok=True)
            (ROOT / folder / name).write_text(text, encoding="utf-8")
        elif one.kind == "sh":
            say("\n".join(f"$ {line}" for line in text.splitlines()))
            ended = subprocess.run(["bash", "-eu", "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)
            printed = ended.stdout
            if ended.returncode != 0:
                raise Failed(f"line {one.line}: exit status {ended.returncode}\n{printed[-2000:]}{ended.stderr[-2000:]}")
            say(printed.rstrip("\n"))
            done += 1
            counted.update(cycles(printed))
            if len(counted) > 1:
                raise Failed(f"line {one.line}: runs of one network on one machine took {sorted(counted)} cycles")
        else:
            missing = absent(text, printed)
            if missing:
                raise Failed(f"line {one.line}: the output has no line like this, or not there: {missing}\n{printed[-2000:]}")
    return done


def main() -> int:
    found = blocks(PAGE.read_text(encoding="utf-8"))
    fetch, *others = found
    try:
        run([fetch])
    except Failed as failed:
        print(f"skipped: TensorFlow cannot be had: {str(failed).strip().splitlines()[-1]}")
        return 0
    try:
        count = run(others)
    except Failed as failed:
        print(f"FAILED: {PAGE.name}, {failed}")
        return 1
    print(f"{count + 1} commands of {PAGE.name} did what the page says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
