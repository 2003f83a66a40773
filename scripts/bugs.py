#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants mistakes by hand into the RTL, one at a time, and runs the regression on each: random programs with the block in lockstep with its
model, then random networks. The mistakes stand in tests/rtl_host/bugs, one file for each module, and are of the kinds that people make.
Tells which were found, whether the report named the block, and in which case. Fails if fewer than 95 % were found with the right block, or
if a mistake cannot be planted or built: then its file is out of date.

Usage: scripts/bugs.py --gemel build/release/gemel [--blocks load_dma,claims] [--only NAME] [--sample 8] [--seed 1] [--programs 240]
                       [--networks 40] [--machines 4] [--jobs 2] [--cache FOLDER] [--out FILE]

`--cache` keeps what was Verilated, so that the same mistakes can be tried on other programs at once; `--out` gets each line when it is known.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mutate

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests/rtl_host/bugs"
LEAST_PERCENT = 95
# Module -> its source, and the block it is swapped with.
SOURCES = {**mutate.BLOCKS, "npu": "npu/npu.sv", "fifo": "common/fifo.sv"}
PART_OF = {**mutate.PART_OF, "fifo": "sequencer"}


class OutOfDate(Exception):
    pass


def read(block):
    """[{name, block, what, changes: [(was, is)]}] of a file: see load_dma.txt."""
    bugs = []
    for number, line in enumerate((FOLDER / f"{block}.txt").read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head = re.fullmatch(r"(\w+): (.+)", line)
        if head:
            bugs.append({"name": head[1], "block": block, "what": head[2], "changes": []})
        elif line.startswith("- ") and bugs:
            bugs[-1]["changes"].append([line[2:], None])
        elif line[:1] == "+" and bugs and bugs[-1]["changes"] and bugs[-1]["changes"][-1][1] is None:
            bugs[-1]["changes"][-1][1] = line[2:]
        else:
            raise OutOfDate(f"{block}.txt:{number}: neither `name: what`, `- was` nor `+ is`")
    for bug in bugs:
        if not bug["changes"] or any(new is None for _, new in bug["changes"]):
            raise OutOfDate(f"{block}.txt: {bug['name']}: a `-` without its `+`")
    names = [bug["name"] for bug in bugs]
    if len(set(names)) != len(names):
        raise OutOfDate(f"{block}.txt: two of one name")
    return bugs


def planted(bug):
    text = (ROOT / "rtl" / SOURCES[bug["block"]]).read_text(encoding="utf-8")
    for was, new in bug["changes"]:
        if text.count(was) != 1:
            raise OutOfDate(f"{bug['block']}.txt: {bug['name']}: `{was}` stands {text.count(was)} times in rtl/{SOURCES[bug['block']]}")
        text = text.replace(was, new)
    return text


def regressions(options, blocks):
    """One machine first: it is Verilated once, and most is found there."""
    common = ["--seed", str(options.seed), "--jobs", str(options.jobs), "--blocks", blocks, "--fail-fast", "--quiet"]
    if options.programs > 0:
        yield "program", ["--programs", "--machines", "1", "--count", str(options.programs // 3), *common]
        yield "program", ["--programs", "--machines", str(options.machines), "--count", str(options.programs), *common]
    if options.networks > 0:
        yield "network", ["--machines", str(options.machines), "--count", str(options.networks), *common]


def quick_compiler(folder):
    """A folder for the front of PATH whose g++ does not optimize: a few cases do not repay it."""
    place = Path(folder) / "bin"
    place.mkdir()
    script = place / "g++"
    script.write_text(f'#!/bin/bash\nfor a; do shift; case $a in -O2|-O3) a=-O0;; esac; set -- "$@" "$a"; done\nexec {shutil.which("g++")} "$@"\n',
                      encoding="utf-8")
    script.chmod(0o755)
    return str(place)


def run(options, bug, cache, path):
    """(verdict, detail): found, wrong block, not found; OutOfDate if Verilator refuses it. `path`: where programs are looked for."""
    block = PART_OF.get(bug["block"], bug["block"])
    with tempfile.TemporaryDirectory(prefix="gemel-bugs-") as folder:
        source = Path(folder) / Path(SOURCES[bug["block"]]).name
        source.write_text(planted(bug), encoding="utf-8")
        others = [name for name in SOURCES if name not in (bug["block"], "npu") and (block == "npu" or PART_OF.get(name, name) == block)]
        others += ["pe"] if block == "pe_array" else []
        sources = [str(source), *(str(ROOT / "rtl" / SOURCES[name]) for name in others)]
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": cache, "PATH": path}
        for kind, arguments in regressions(options, f"{block}=check:" + ",".join(sources)):
            command = [options.gemel, "regress", *arguments, "--out", f"{folder}/{kind}"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                continue
            failed = re.search(r"FAILED \S*case(\d+): (.*)", done.stdout)
            error = re.search(r"error\[(E\d+)\]: (.*)", done.stdout)
            if failed is None or (error and error[1] in mutate.REFUSED):
                raise OutOfDate(f"{bug['block']}.txt: {bug['name']} cannot be built: " + " ".join((done.stdout + done.stderr).split())[:2000])
            named = f"block `{block}`" in done.stdout or f" of {block}" in done.stdout
            text = f"{error[1]} {error[2][:90]}" if error else " ".join(done.stdout.split("\n")[1:3])[:100]
            return ("found" if named else "wrong block"), f"{kind} {failed[1]}: {text}"
    return "not found", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemel", default=str(ROOT / "build/release/gemel"))
    parser.add_argument("--blocks", default=",".join(sorted(p.stem for p in FOLDER.glob("*.txt"))))
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--sample", type=int, default=0, help="so many of each file, drawn by the seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=240)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--machines", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", default="", help="where Verilated blocks are kept; without it they are forgotten")
    parser.add_argument("--out", default="", help="the lines, in a file as well")
    parser.add_argument("--list", action="store_true", help="only tell what there is; fails if one cannot be planted any more")
    options = parser.parse_args()
    options.gemel = str(Path(options.gemel).resolve())
    with tempfile.TemporaryDirectory(prefix="gemel-bugs-") as folder:
        path = quick_compiler(folder) + os.pathsep + os.environ["PATH"]
        return try_all(options, options.cache or folder + "/cache", path)


def try_all(options, cache, path):
    counts, stale = {}, []
    if options.out:
        Path(options.out).write_text("", encoding="utf-8")

    def tell(line):
        print(line, flush=True)
        if options.out:
            with open(options.out, "a", encoding="utf-8") as out:
                out.write(line + "\n")

    for block in options.blocks.split(","):
        bugs = read(block)
        if options.sample:
            bugs = random.Random(f"{options.seed} {block}").sample(bugs, min(options.sample, len(bugs)))
        for bug in bugs:
            if options.only and bug["name"] not in options.only.split(","):
                continue
            begin = time.monotonic()
            try:
                if options.list:
                    planted(bug)
                    tell(f"{block} {bug['name']}: {bug['what']}")
                    continue
                verdict, detail = run(options, bug, cache, path)
            except OutOfDate as reason:
                stale.append(str(reason))
                tell(f"OUT OF DATE {reason}")
                continue
            counts.setdefault(block, []).append(verdict)
            tell(f"{verdict:11} {block} {bug['name']} ({time.monotonic() - begin:.0f} s) {detail}")
    if options.list:
        return 1 if stale else 0
    tell("")
    for block, verdicts in counts.items():
        tell(f"{block}: {len(verdicts)} bugs, {verdicts.count('found')} found with the block named, {verdicts.count('wrong block')} with another, "
             f"{verdicts.count('not found')} not found")
    every = [verdict for verdicts in counts.values() for verdict in verdicts]
    percent = 100 * every.count("found") / max(1, len(every))
    tell(f"{len(every)} bugs, {every.count('found')} found with the right block: {percent:.1f} %")
    return 1 if stale or percent < LEAST_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
