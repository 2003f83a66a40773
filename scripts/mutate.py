#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation score of the RTL. Plants one small mistake at a time into a block and runs a regression with every block in lockstep with
its model: random programs on an array of 4 x 3; if they find nothing, on one of 2 x 5 and one of 1 x 1, whose bus, bursts and buffers choose
other branches of the RTL; then random networks on two other machines. What passes all that meets the proofs of its block
(tests/rtl/prove.py), if it has some: a property that fails within two minutes of search from reset has caught it, too. Tells which mistakes
were caught, by what, whether the report named the block, and which survived. Survivors that cannot be told from the original: those of which
--prove proves that nobody can, on all three machines or those it names, and those that scripts/equivalent_mutants.txt gives a reason for. A
mutant that Verilator refuses does not count.

Not mutated: assertions and proofs, which are no hardware, and conditions that choose hardware by a parameter (`if (...) begin : gen_...`),
whose mistakes are other machines, which lint, proofs and tests at many sizes try.

Usage: scripts/mutate.py --gemel build/release/gemel [--blocks requantizer,pe_array] [--per-block 27] [--seed 1] [--jobs 2]
                         [--prove [4x3,2x5,1x1]] [--out FILE]
"""

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import equivalence

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/rtl"))
import prove  # noqa: E402

prove.TIMEOUT = 120  # seconds for a survivor: the larger modules show a mistake sooner or not at all

SIZES = {size: ROOT / f"tests/rtl_host/mutants{size}.yaml" for size in ("4x3", "2x5", "1x1")}
MACHINES = list(SIZES.values())
EQUIVALENT = ROOT / "scripts/equivalent_mutants.txt"
# Block on the command line -> source of its module. A scratchpad is tried in one of its five places.
BLOCKS = {
    "pe": "pe/pe.sv",
    "pe_array": "pe_array/pe_array.sv",
    "requantizer": "requantizer/requantizer.sv",
    "matrix_unit": "matrix_unit/matrix_unit.sv",
    "vector_unit": "vector_unit/vector_unit.sv",
    "load_dma": "load_dma/load_dma.sv",
    "burst_cutter": "common/burst_cutter.sv",
    "store_dma": "store_dma/store_dma.sv",
    "sequencer": "sequencer/sequencer.sv",
    "semaphores": "sequencer/semaphores.sv",
    "claims": "sequencer/claims.sv",
    "vector_buffer": "scratchpad/scratchpad.sv",
}
PART_OF = {"semaphores": "sequencer", "claims": "sequencer", "burst_cutter": "load_dma"}  # modules that are swapped with the block they belong to
# What one mistake looks like: pattern -> replacements, or a function of the match.
MUTATIONS = [
    (r"(?<![<>=!&|+\-*(])\+(?![+:=])", ["-"]),
    (r"(?<![<>=!&|+\-*:(\[])-(?![->:=0-9])", ["+"]),
    (r"&&", ["||"]),
    (r"\|\|", ["&&"]),
    (r"(?<= )&(?= )", ["|"]),
    (r"(?<= )\|(?= )", ["&"]),
    (r"==", ["!="]),
    (r"!=", ["=="]),
    (r" > ", [" >= ", " < "]),
    (r" >= ", [" > "]),
    (r" < ", [" <= ", " > "]),
    (r">>>", [">>"]),
    (r"(?<![<>])<<(?![<=])", [">>"]),
    (r"(?<![<>])>>(?![>=])", ["<<"]),
    (r"(?<=[ (])!(?=[\w(])", [""]),
    (r"(?<=[ (])~(?=[\w(])", [""]),
    (r"1'b0", ["1'b1"]),
    (r"1'b1", ["1'b0"]),
    (r"'0(?=[;, )])", ["'1"]),
    (r"(?<='d)[0-9]+", [lambda m: str(int(m[0]) + 1)]),
    (r"(?<=\+ )1(?=[;) ])", ["2"]),
    (r"(?<=- )1(?=[;) ])", ["2"]),
    (r"\$signed\(", ["$unsigned("]),
    (r"(?<=\? )([^?:]+) : ([^?:;]+)(?=;)", [r"\2 : \1"]),  # the branches change places
    (r"\w[\w\[\]:+*\- ]* <= [^;]+;", [";"]),                 # a register forgets
    (r"\bif \(", ["if (!("]),                                # closed below
]
PROVED = "Proved: nobody can tell (scripts/equivalence.py), on {}."
REFUSED = {"E1004", "E1005", "E1006", "E1014"}


def code_lines(text):
    """Line numbers of what is hardware: no comments, assertions, proofs, parameters, ports, widths or heads of loops and functions."""
    # Proofs, and what synthesis gets in place of what Verilator gets (compute_test compares the two).
    text = re.sub(r"(?ms)^`(ifdef FORMAL|ifndef VERILATOR|else)$.*?^`endif$", lambda part: "\n" * part[0].count("\n"), text)
    behind = 0  # the line behind an assertion
    for number, line in enumerate(text.splitlines()):
        code = line.split("//")[0]
        if "`GEMEL_" in code:
            start = sum(len(before) + 1 for before in text.splitlines()[:number]) + code.index("(")
            behind = number + 1 + text[start: closed(text, start)].count("\n")
        if number < behind or re.search(r"\bif \(.*\) begin : gen_", code):
            continue
        if not code.strip() or re.search(r"`|\b(module|parameter|localparam|input|output|assert|genvar|import|for|initial)\b", code):
            continue
        if re.match(r"\s*(logic|reg|wire|typedef)\b", code) and "=" not in code:
            continue
        yield number, code


def closed(code, start):
    """`(` at start: the position behind the parenthesis that closes it, or None."""
    depth = 0
    for i in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0 and code[i] == ")":
            return i + 1
    return None


def mutants_of(block):
    lines = (ROOT / "rtl" / BLOCKS[block]).read_text(encoding="utf-8").splitlines()
    seen = set()
    for number, code in code_lines("\n".join(lines)):
        for pattern, replacements in MUTATIONS:
            for match in re.finditer(pattern, code):
                for replacement in replacements:
                    if replacement == "if (!(":
                        end = closed(code, match.end() - 1)
                        if end is None:
                            continue
                        changed = code[: match.start()] + "if (!" + code[match.end() - 1: end] + ")" + code[end:]
                    else:
                        new = replacement(match) if callable(replacement) else match.expand(replacement)
                        changed = code[: match.start()] + new + code[match.end():]
                    if changed == code or (number, changed) in seen:
                        continue
                    seen.add((number, changed))
                    name = f"{block}:{number + 1}:" + hashlib.sha1(changed.encode()).hexdigest()[:6]
                    begin = next((line.strip() for line in reversed(lines[:number]) if line.split("//")[0].strip().endswith("begin")), "")
                    yield {"name": name, "block": block, "line": number + 1, "begin": begin, "before": code.strip(), "after": changed.strip(),
                           "text": "\n".join([*lines[:number], changed, *lines[number + 1:]]) + "\n"}


def choose(seed, blocks, per_block):
    chosen = []
    for block in blocks:
        mutants = list(mutants_of(block))
        chosen += random.Random(f"{seed} {block}").sample(mutants, min(per_block, len(mutants)))
    return chosen


def equivalents():
    """(block, was, is) -> why, from paragraphs of four lines; (block in BEGIN, was, is) where the same line stands behind several."""
    text = EQUIVALENT.read_text(encoding="utf-8")
    known = {}
    for paragraph in "\n".join(line for line in text.splitlines() if not line.startswith("#")).split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if not lines:
            continue
        if len(lines) < 4 or not (lines[1].startswith("was ") and lines[2].startswith("is ")):
            raise SystemExit(f"{EQUIVALENT.name}: a paragraph is block, `was ...`, `is ...`, why:\n{paragraph}")
        known[lines[0], lines[1][4:], lines[2][3:]] = " ".join(lines[3:])
    return known


def reason(known, mutant):
    changed = mutant["before"], mutant["after"]
    return known.get((mutant["block"], *changed)) or known.get((f"{mutant['block']} in {mutant['begin']}", *changed), "")


def regressions(options, setting):
    seed = ["--seed", str(options.seed)]
    programs = [(f"programs on {machine.stem}", ["--programs", "-m", str(machine), "--count", str(options.programs), *seed]) for machine in MACHINES]
    networks = ("networks", ["--machines", "2", "--count", str(options.networks), *seed])
    for kind, arguments in [*programs, networks]:
        if int(arguments[arguments.index("--count") + 1]) > 0:
            yield kind, [options.gemel, "regress", *arguments, "--blocks", setting, "--fail-fast", "--jobs", "1", "--quiet"]


def run_mutant(options, folder, mutant):
    block = mutant["block"]
    place = Path(folder) / mutant["name"].replace(":", "_")
    source = place / Path(BLOCKS[block]).name
    place.mkdir()
    source.write_text(mutant["text"], encoding="utf-8")
    changed, block = block, PART_OF.get(block, block)
    others = [name for name in BLOCKS if name != changed and PART_OF.get(name, name) == block]
    others += ["pe"] if block == "pe_array" else []
    sources = [str(source), *(str(ROOT / "rtl" / BLOCKS[name]) for name in others)]
    environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": options.cache}
    result = {**mutant, "verdict": "survived", "by": "", "named": False}
    for kind, command in regressions(options, f"all=check,{block}=check:" + ",".join(sources)):
        try:
            command += ["--out", str(place / kind.replace(" ", "_"))]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
        except subprocess.TimeoutExpired:
            return {**result, "verdict": "caught", "by": "does not end"}
        if done.returncode == 0:
            continue
        first = re.search(r"error\[(E\d+)\]: (.*)", done.stdout)
        if first is None:
            return {**result, "verdict": "caught", "by": "no message: " + " ".join((done.stdout[:100] + done.stderr[:100]).split())}
        if first[1] in REFUSED:
            return {**result, "verdict": "refused"}
        where = re.search(r"case(\d+)", done.stdout)
        return {**result, "verdict": "caught", "by": f"{first[1]}, {kind} {where[1] if where else ''}".strip(), "named": f"block `{block}`" in first[2]}
    for proof in prove.PROOFS:
        if proof.planted == ROOT / "rtl" / BLOCKS[changed] and prove.refutes(proof, mutant["text"]) == "":
            return {**result, "verdict": "caught", "by": f"a property of {proof.module}", "named": True}
    if options.prover is not None:
        module = PART_OF.get(changed, Path(BLOCKS[changed]).stem)
        result["proved"] = options.prover.same(module, block, ROOT / "rtl" / BLOCKS[changed], mutant["text"], place)
    return result


def report(options, results, at_the_end):
    """Writes the table; returns how many that are not known to be equivalent survived."""
    known = equivalents()
    for r in results:
        r["why"] = "" if r["verdict"] != "survived" else PROVED.format(", ".join(m.stem for m in options.prove)) if r.get("proved") else reason(known, r)
    counted = [r for r in results if r["verdict"] != "refused"]
    caught = [r for r in counted if r["verdict"] == "caught"]
    named = [r for r in caught if r["named"]]
    survived = [r for r in counted if r["verdict"] == "survived"]
    equivalent = [r for r in survived if r["why"]]
    possible = [r for r in counted if not r["why"]]

    def share(part, whole):
        return f"{len(part)} of {len(whole)} ({100 * len(part) / max(1, len(whole)):.1f} %)"

    if at_the_end:
        for r in survived:
            print(f"survived {r['name']}: {r['before']}  ->  {r['after']}" + (f"\n  equivalent: {r['why']}" if r["why"] else ""))
        print(f"seed {options.seed}: {len(results)} mutants, {len(results) - len(counted)} refused by Verilator")
        print(f"caught, of all: {share(caught, counted)}, {sum('property' in r['by'] for r in caught)} of them by a property")
        print(f"caught, of those not known to be equivalent: {share(caught, possible)}")
        print(f"the right block named, of those caught: {share(named, caught)}")
    if options.out:
        lines = ["| block | mutants | caught | equivalent | survived | named |", "|---|---|---|---|---|---|"]
        for block in [*BLOCKS, "all"]:
            of = {key: [r for r in group if block in ("all", r["block"])] for key, group in
                  {"counted": counted, "caught": caught, "equivalent": equivalent, "survived": survived, "named": named}.items()}
            if of["counted"]:
                lines.append(f"| {block} | {len(of['counted'])} | {len(of['caught'])} | {len(of['equivalent'])} | "
                             f"{len(of['survived']) - len(of['equivalent'])} | {len(of['named'])} |")
        lines += ["", "| mutant | was | is | verdict |", "|---|---|---|---|"]
        for r in results:
            verdict = r["verdict"] + (f": {r['by']}" if r["by"] else "") + (f"; equivalent: {r['why']}" if r["why"] else "")
            cells = [r["name"], f"`{r['before']}`", f"`{r['after']}`", verdict]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        Path(options.out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(possible) - len(caught)


def machines_of(sizes):
    if unknown := set(sizes.split(",")) - set(SIZES):
        raise argparse.ArgumentTypeError(f"there is no machine of size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    return [SIZES[size] for size in sizes.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemel", required=True)
    parser.add_argument("--blocks", default=",".join(BLOCKS))
    parser.add_argument("--per-block", type=int, default=27, help="mutants of each block, fewer if it has not so many")
    parser.add_argument("--mutant", action="append", help="only this one, by its name (block:line:digits); several are possible")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=400, help="random programs at most for each mutant")
    parser.add_argument("--networks", type=int, default=20, help="random networks at most for each mutant")
    parser.add_argument("--prove", nargs="?", const=",".join(SIZES), metavar="SIZES", type=machines_of,
                        help="try to prove of survivors that nobody can tell them, with Yosys and ABC: minutes for each; on these machines only: 4x3,1x1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", help="folder of compiled RTL (default: a new one)")
    parser.add_argument("--out", help="file for the table of all mutants (Markdown)")
    options = parser.parse_args()
    options.gemel = str(Path(options.gemel).resolve())
    blocks = options.blocks.split(",")
    if options.mutant:
        blocks = sorted({name.split(":")[0] for name in options.mutant})
        mutants = [m for block in blocks for m in mutants_of(block) if m["name"] in options.mutant]
        missing = set(options.mutant) - {m["name"] for m in mutants}
        if missing:
            raise SystemExit("there is no mutant " + ", ".join(sorted(missing)))
    else:
        mutants = choose(options.seed, blocks, options.per_block)
    with tempfile.TemporaryDirectory(prefix="gemel-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        options.prover = equivalence.Prover(options.gemel, Path(folder) / "originals", options.prove) if options.prove else None
        options.cache = options.cache or str(Path(folder) / "cache")
        # The blocks as they are must pass; and from now on they are in the cache.
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": options.cache}
        for kind, command in regressions(options, "all=check"):
            done = subprocess.run([*command, "--out", str(Path(folder) / kind.replace(" ", "_"))], env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"without a mistake the regression fails ({kind}):\n{done.stdout}{done.stderr}")
        results = []
        jobs = [pool.submit(run_mutant, options, folder, mutant) for mutant in mutants]
        for done, job in enumerate(jobs, 1):
            results.append(job.result())
            if results[-1]["verdict"] == "survived" or (results[-1]["verdict"] == "caught" and not results[-1]["named"]):
                r = results[-1]
                print("\r" + r["name"], r["verdict"], r["by"], r["before"], " -> ", r["after"], file=sys.stderr)
            report(options, results, at_the_end=False)
            print(f"\r{done} of {len(jobs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return 1 if report(options, results, at_the_end=True) > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
