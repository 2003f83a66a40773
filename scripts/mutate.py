#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation score of the RTL. Plants one small mistake at a time into a block and runs it in lockstep with its model: on an array of
4 x 3, and if that does not find it, with thirty random networks on two random machines. Tells which mistakes were caught, by what, and
which survived. A mutant that Verilator refuses does not count.

Usage: scripts/mutate.py --gemel build/release/gemel [--blocks requantizer,pe_array] [--per-block 20] [--seed 1] [--jobs 2] [--out FILE]
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MACHINE = ROOT / "tests/rtl_host/tiny4x3.yaml"
WORKLOADS = [ROOT / "tests/rtl_host/every_rounding.yaml", Path("digits")]
# Block on the command line -> source of its module. A scratchpad is tried in one of its five places.
BLOCKS = {
    "pe": "pe/pe.sv",
    "pe_array": "pe_array/pe_array.sv",
    "requantizer": "requantizer/requantizer.sv",
    "matrix_unit": "matrix_unit/matrix_unit.sv",
    "vector_unit": "vector_unit/vector_unit.sv",
    "load_dma": "load_dma/load_dma.sv",
    "store_dma": "store_dma/store_dma.sv",
    "sequencer": "sequencer/sequencer.sv",
    "vector_buffer": "scratchpad/scratchpad.sv",
}
# What one mistake looks like: pattern -> replacements.
MUTATIONS = [
    (r"(?<![<>=!&|+\-*])\+(?![+:=])", ["-"]),
    (r"(?<![<>=!&|+\-*:])-(?![->:=0-9])", ["+"]),
    (r"&&", ["||"]),
    (r"\|\|", ["&&"]),
    (r"==", ["!="]),
    (r"!=", ["=="]),
    (r" > ", [" >= ", " < "]),
    (r" < ", [" <= ", " > "]),
    (r">>>", [">>"]),
    (r"(?<![<>])<<(?![<=])", [">>"]),
    (r"(?<=[ (])!(?=[\w(])", [""]),
    (r"(?<=[ (])~(?=[\w(])", [""]),
    (r"1'b0", ["1'b1"]),
    (r"1'b1", ["1'b0"]),
    (r"(?<=\+ )1(?=[;) ])", ["2"]),
    (r"(?<=- )1(?=[;) ])", ["2"]),
    (r"\$signed\(", ["$unsigned("]),
    (r"\bif \(", ["if (!("]),  # closed below
]


def code_lines(text):
    """Line numbers of what is hardware: no comments, assertions, parameters, ports or functions' heads."""
    for number, line in enumerate(text.splitlines()):
        code = line.split("//")[0]
        if not code.strip() or re.search(r"`|\b(module|parameter|localparam|input|output|assert|genvar|import)\b", code):
            continue
        yield number, code


def close_condition(code, start):
    """`if (!(` at start: the position behind the parenthesis that closes the condition, or None."""
    depth = 0
    for i in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0 and code[i] == ")":
            return i + 1
    return None


def mutants_of(text):
    lines = text.splitlines()
    for number, code in code_lines(text):
        for pattern, replacements in MUTATIONS:
            for match in re.finditer(pattern, code):
                for replacement in replacements:
                    changed = code[: match.start()] + replacement + code[match.end():]
                    if replacement == "if (!(":
                        end = close_condition(code, match.end() - 1)
                        if end is None:
                            continue
                        changed = code[: match.start()] + "if (!" + code[match.end() - 1: end] + ")" + code[end:]
                    yield number + 1, lines[number].strip(), changed.strip(), "\n".join([*lines[:number], changed, *lines[number + 1:]]) + "\n"


def run_mutant(gemel, block, folder, index, mutant):
    line, before, after, text = mutant
    source = Path(folder) / f"{block}_{index}" / Path(BLOCKS[block]).name
    source.parent.mkdir()
    source.write_text(text, encoding="utf-8")
    sources = [source]
    if block == "pe_array":
        sources.append(ROOT / "rtl/pe/pe.sv")
    verdict = "survived"
    setting = f"{block}=check:" + ",".join(str(path) for path in sources)
    environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(Path(folder) / "cache")}
    small = ["-m", str(MACHINE), "--max-cycles", "2000000", "--block", setting]
    commands = [[gemel, "run", str(workload), *small] for workload in WORKLOADS]
    failures = str(source.parent / "failed")
    commands.append([gemel, "regress", "--count", "30", "--machines", "2", "--jobs", "1", "--blocks", setting, "--out", failures])
    for command in commands:
        try:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            verdict = "caught: hangs"
            break
        code = re.search(r"error\[(E\d+)\]", done.stderr)
        if code and code.group(1) in {"E1004", "E1005", "E1006", "E1014"}:
            verdict = "refused"
            break
        if done.returncode != 0:
            said = done.stdout + done.stderr
            code = re.search(r"error\[(E\d+)\]: block", said) or code
            named = re.search(rf"error\[E\d+\]: block `{block}`", said) is not None
            verdict = f"caught: {code.group(1) if code else 'exit ' + str(done.returncode)}{'' if named else ', other block named'}"
            break
    return {"block": block, "line": line, "before": before, "after": after, "verdict": verdict}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemel", required=True)
    parser.add_argument("--blocks", default=",".join(BLOCKS))
    parser.add_argument("--per-block", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", help="file for the table of all mutants (Markdown)")
    options = parser.parse_args()
    gemel = str(Path(options.gemel).resolve())
    results = []
    with tempfile.TemporaryDirectory(prefix="gemel-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        jobs = []
        for block in options.blocks.split(","):
            text = (ROOT / "rtl" / BLOCKS[block]).read_text(encoding="utf-8")
            all_mutants = list(mutants_of(text))
            chosen = random.Random(f"{options.seed} {block}").sample(all_mutants, min(options.per_block, len(all_mutants)))
            jobs += [pool.submit(run_mutant, gemel, block, folder, i, mutant) for i, mutant in enumerate(chosen)]
        for done, job in enumerate(jobs, 1):
            results.append(job.result())
            print(f"\r{done} of {len(jobs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    counted = [r for r in results if r["verdict"] != "refused"]
    caught = [r for r in counted if r["verdict"].startswith("caught")]
    named = [r for r in caught if "other block" not in r["verdict"] and "hangs" not in r["verdict"]]
    for r in counted:
        if r["verdict"] == "survived":
            print(f"survived: {r['block']}:{r['line']}: {r['before']}  ->  {r['after']}")
    if options.out:
        rows = [f"| {r['block']} | {r['line']} | `{r['before']}` | `{r['after']}` | {r['verdict']} |" for r in results]
        Path(options.out).write_text("| block | line | was | is | verdict |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n", encoding="utf-8")
    share = 100 * len(caught) / max(1, len(counted))
    print(f"seed {options.seed}: {len(results)} mutants, {len(results) - len(counted)} refused by Verilator; of {len(counted)}: "
          f"{len(caught)} caught ({share:.1f} %), in {len(named)} the message names the block; {len(counted) - len(caught)} survived")


main()
