# SPDX-License-Identifier: Apache-2.0
"""Every block of rtl/ through the tools that must read it, at three parameter sets each, compute blocks at the least one
too: `verilator --lint-only -Wall` without a warning beyond rtl/waivers.vlt, `iverilog -g2012` without a message,
Yosys to gates' doorstep without latches, undriven or conflicting nets. Also: ports as src/isa/ports.toml has them. A
tool that is missing is skipped, aloud.

  lint.py [BLOCK ...] [--without verilator|iverilog|yosys]
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    tomllib = None

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
PACKAGE = RTL / "common" / "isa_pkg.gen.sv"

# Parameters of a machine, by the names of ports.toml: square, unequal, odd.
MACHINES = [
    dict(rows=4, columns=4, lanes=4, bus_bytes=8, burst_bytes=64, load_outstanding=2, store_outstanding=2, queue_depth=4,
         prefetch_instructions=4, words=64, banks=2),
    dict(rows=2, columns=6, lanes=2, bus_bytes=16, burst_bytes=128, load_outstanding=4, store_outstanding=1, queue_depth=2,
         prefetch_instructions=8, words=96, banks=4),
    dict(rows=3, columns=5, lanes=3, bus_bytes=4, burst_bytes=16, load_outstanding=3, store_outstanding=5, queue_depth=1,
         prefetch_instructions=1, words=65, banks=1),
]
LEAST = dict(rows=1, columns=1, lanes=1)  # for blocks that have no other parameters
BUFFERS = ("activation", "weight", "vector", "param", "accumulator")


def machine_names(machine):
    names = {k: v for k, v in machine.items() if k not in ("words", "banks")}
    names["machine"] = 0x12345678  # a digest: any number of 31 bits
    for buffer in BUFFERS:
        names[f"{buffer}_words"] = machine["words"] // machine["banks"] * machine["banks"]
        names[f"{buffer}_banks"] = machine["banks"]
    return names


def value(expression, names):
    """C's conditional, for the one place that has it; otherwise Python's own arithmetic over known names."""
    found = re.fullmatch(r"(.*)\(([^()?]+)\?([^():]+):([^()]+)\)(.*)", expression)
    if found:
        before, condition, yes, no, after = found.groups()
        chosen = yes if value(condition, names) else no
        return value(f"{before}({chosen}){after}", names)
    if not re.fullmatch(r"[\w\s+*/()<>-]+", expression):
        raise ValueError(f"cannot evaluate `{expression}`")
    return int(eval(expression.replace("/", "//"), {"__builtins__": {}}, names))  # only what the pattern above allows


class Case:
    """A block with values for its parameters."""

    def __init__(self, block, parameters, ports):
        self.block, self.parameters, self.ports = block, parameters, ports
        self.name = block + "".join(f" {k}={v}" for k, v in parameters.items())

    def __eq__(self, other):
        return self.name == other.name


def all_cases(contracts):
    cases = []
    for block, contract in contracts["block"].items():
        least = [LEAST] if set(contract["parameters"].values()) <= set(LEAST) else []
        for machine in MACHINES + least:
            names = machine_names(machine) if machine is not LEAST else machine
            instances = contract.get("instances", {"": {}})
            for instance in instances.values():
                local = {key: value(str(text), names) for key, text in instance.items()}
                parameters = {k: value(str(text), {**names, **local}) for k, text in contract["parameters"].items()}
                case = Case(block, parameters, contract["ports"])
                if case not in cases:
                    cases.append(case)
    cases.append(Case("pe", {}, None))  # a leaf inside pe_array, without a contract of its own
    return cases


def modules_used(file, known):
    text = re.sub(r"//.*", "", file.read_text())
    return [m for m in known if m != file.stem and re.search(rf"\b{m}\b\s*(#|\w)", text)]


def sources(block):
    """The block's file and those of the modules it instantiates, found by name; leaves first, the package before all."""
    known = {f.stem: f for f in sorted(RTL.glob("*/*.sv")) if f != PACKAGE}
    ordered = []

    def add(module):
        for used in modules_used(known[module], known):
            if known[used] not in ordered:
                add(used)
        if known[module] not in ordered:
            ordered.append(known[module])

    add(block)
    return [PACKAGE, *ordered]


# Remarks that are no complaints: Icarus waits for more than it must (only slower), and speaks of its own synthesis, which
# nobody uses (Yosys judges that); Yosys takes a small memory apart.
REMARKS = re.compile(r"sorry: constant selects in always_\* processes are not currently supported"
                     r"|warning: A for statement must have a constant initial value to be synthesized"
                     r"|Warning: Replacing memory \\\S+ with list of registers")


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5400)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not REMARKS.search(line)]
    return done.returncode, "\n".join(dict.fromkeys(lines)).strip()


def verilator(case, files, folder):
    options = [f"-G{k}={v}" for k, v in case.parameters.items()]
    status, said = run(["verilator", "--lint-only", "-Wall", f"-I{RTL / 'common'}", *options, "--top-module", case.block,
                        str(RTL / "waivers.vlt"), *map(str, files)], folder)
    return said if status or said else ""


def iverilog(case, files, folder):
    options = [f"-P{case.block}.{k}={v}" for k, v in case.parameters.items()]
    status, said = run(["iverilog", "-g2012", f"-I{RTL / 'common'}", *options, "-s", case.block, "-o", "out.vvp",
                        *map(str, files)], folder)
    return said if status or said else ""


def yosys(case, files, folder):
    sets = " ".join(f"-set {k} {v}" for k, v in case.parameters.items())
    script = f"read_verilog -sv -I{RTL / 'common'} {' '.join(map(str, files))}; "
    if sets:
        script += f"chparam {sets} {case.block}; "
    # Memories stay memories: as flip-flops a buffer would not finish.
    script += (f"hierarchy -check -top {case.block}; proc; flatten; opt; memory -nomap; opt_clean; "
               "check -assert; select -assert-none t:$dlatch t:$adlatch t:$sr t:$dlatchsr")
    status, said = run(["yosys", "-q", "-p", script], folder)
    return said if status or "Warning" in said else ""


TOOLS = {"verilator": verilator, "iverilog": iverilog, "yosys": yosys}


def check_ports(case):
    """Names, directions, order and widths against ports.toml."""
    text = (RTL / case.block / f"{case.block}.sv").read_text()
    header = re.search(rf"module\s+{case.block}\b.*?\)\s*;", text, re.S)
    if not header:
        return f"no module {case.block}"
    found = [(d, w or "0:0", n) for d, w, n in
             re.findall(r"^\s*(input|output)\s+logic\s*(?:\[([^\]]*)\])?\s*(\w+)\s*,?\s*(?://.*)?$", header.group(0), re.M)]
    wanted = [("input", "1", "clk_i"), ("input", "1", "rst_ni")]
    wanted += [("input" if p["name"].endswith("_i") else "output", p["width"], p["name"]) for p in case.ports]
    wanted += [("output", "1", "quiet_o")]
    if [(d, n) for d, _, n in found] != [(d, n) for d, _, n in wanted]:
        return f"ports are {[n for _, _, n in found]}, expected {[n for _, _, n in wanted]}"
    locals_ = dict(case.parameters)
    for name, text_ in re.findall(r"localparam\s+int(?:\s+unsigned)?\s+(\w+)\s*=\s*([^;]+);", text):
        try:
            locals_[name] = value(text_, locals_)
        except (ValueError, SyntaxError, NameError):
            pass
    for (_, range_, name), (_, width, _) in zip(found, wanted):
        high, low = range_.rsplit(":", 1)
        actual = value(high, locals_) - value(low, locals_) + 1
        if actual != value(width, case.parameters):
            return f"{name} is {actual} bits wide, expected {value(width, case.parameters)}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("blocks", nargs="*")
    parser.add_argument("--without", action="append", default=[], choices=list(TOOLS))
    arguments = parser.parse_args()
    if tomllib is None:
        print("skipped: Python 3.11 is needed, for tomllib")
        return 77
    tools = {}
    for name, tool in TOOLS.items():
        if name in arguments.without:
            continue
        if shutil.which(name):
            tools[name] = tool
        else:
            print(f"skipped: {name} is not installed")
    if not tools:
        return 77

    contracts = tomllib.loads((ROOT / "src" / "isa" / "ports.toml").read_text())
    cases = [c for c in all_cases(contracts) if not arguments.blocks or c.block in arguments.blocks]
    described = [c for c in cases if (RTL / c.block / f"{c.block}.sv").exists()]
    for block in sorted({c.block for c in cases} - {c.block for c in described}):
        print(f"skipped: {block}: there is no rtl/{block}/{block}.sv")

    def examine(case):
        problems = []
        if case.ports is not None:
            if said := check_ports(case):
                problems.append(("ports", said))
        files = sources(case.block)
        with tempfile.TemporaryDirectory() as folder:
            for name, tool in tools.items():
                if said := tool(case, files, folder):
                    problems.append((name, said))
        return case, problems

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for case, problems in pool.map(examine, described):
            print(("FAILED  " if problems else "ok      ") + case.name)
            for name, said in problems:
                failed += 1
                print(f"  {name}: " + said.replace("\n", "\n    ")[:4000])
    print(f"{len(described)} cases of {len({c.block for c in described})} blocks with {', '.join(tools)}: {failed} problems")
    return 1 if failed or not described else 0


if __name__ == "__main__":
    sys.exit(main())
