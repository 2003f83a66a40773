#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Area of every block: synthesizes each at several sizes with Yosys (docs/reference/area.csv), fits a linear model to the table, and
states its error (docs/reference/area.md); the model itself is src/area/models.gen.cpp and python/gemel/area_gen.py. Points whose sources
have not changed are not synthesized again.

  scripts/area.py [--blocks NAME,...] [--jobs N] [--timeout SECONDS]   synthesize what is missing or old, then fit
  scripts/area.py --fit                                              only fit and write what follows from the table
  scripts/area.py --check                                            fail if what follows from the table is not what is committed
  scripts/area.py --timing [--liberty FILE] [--blocks NAME,...]      map every block of TIMED to the cells of a library, as fast as they go, and
                                                                     report its worst path and the clock that allows (docs/reference/timing.csv)

Needs yosys for the synthesis and numpy for the fit; `--timing` needs OpenSTA (`sta`; Debian: opensta) and a liberty file, by default the
one of Debian's qflow-tech-osu018 (OSU, 0.18 um, typical); it says so and ends with 77 where one is missing.
"""

import argparse
import concurrent.futures
import csv
import functools
import hashlib
import inspect
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
RTL = ROOT / "rtl"
TABLE = ROOT / "docs" / "reference" / "area.csv"
PAGE = ROOT / "docs" / "reference" / "area.md"
CPP = ROOT / "src" / "area" / "models.gen.cpp"
CELLS = ROOT / "scripts" / "area_cells.v"
PYTHON = ROOT / "python" / "gemel" / "area_gen.py"
TIMING = ROOT / "docs" / "reference" / "timing.csv"
LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
SKIPPED = 77

# Sizes of cells in NAND2 equivalents: areas of the X1 cells of the Nangate 45 nm Open Cell Library over its NAND2_X1 (0.798 um2).
# An enable is a multiplexer before the flip-flop.
WEIGHTS = {
    "NOT": 0.67, "NAND": 1.0, "NOR": 1.0, "AND": 1.33, "OR": 1.33, "XOR": 2.0, "XNOR": 2.0, "MUX": 2.33,
    "DFF": 5.67, "DFF with reset": 6.67, "enable": 2.33,
}


def weight(cell):
    """NAND2 equivalents of a Yosys cell type."""
    gate = re.fullmatch(r"\$_(\w+?)_(?:[PN01]+_)?", cell)
    name = gate.group(1) if gate else ""
    if name in WEIGHTS:
        if name == "DFF":
            return WEIGHTS["DFF with reset" if re.fullmatch(r"\$_DFF_[PN][PN][01]_", cell) else "DFF"]
        return WEIGHTS[name]
    if name == "DFFE":
        return WEIGHTS["DFF with reset" if re.fullmatch(r"\$_DFFE_[PN][PN][01][PN]_", cell) else "DFF"] + WEIGHTS["enable"]
    if name in ("SDFF", "SDFFE", "SDFFCE"):  # a synchronous reset is a gate
        return WEIGHTS["DFF"] + WEIGHTS["AND"] + (WEIGHTS["enable"] if name != "SDFF" else 0)
    raise ValueError(f"no weight for the cell {cell}")


def grid(**axes):
    """Parameter sets: the base, then the base with one value of each axis changed."""
    base = {k: v[0] for k, v in axes.items()}
    return [base] + [{**base, k: value} for k, values in axes.items() for value in values[1:]]


def arrays(*sizes):
    return [dict(Rows=r, Columns=c) for r, c in sizes]


def points(names, *rows):
    """Parameter sets from rows of values: the machines in configs/ are among them, so that their blocks are measured, not extrapolated."""
    return [dict(zip(names.split(), row)) for row in rows]


SEQUENCER = dict(Rows=[4], Columns=[4], BusBytes=[16, 4], BurstBytes=[256], QueueDepth=[4, 8], PrefetchInstructions=[8, 16],
                 ActivationWords=[1024], WeightWords=[1024], VectorWords=[1024], ParamWords=[1024], AccumulatorWords=[1024],
                 ActivationBanks=[4], WeightBanks=[4], VectorBanks=[4, 8], ParamBanks=[1], AccumulatorBanks=[4, 8])
POINTS = {
    "pe": [{}],
    "pe_array": arrays((1, 1), (2, 2), (4, 4), (3, 5), (5, 3), (8, 4), (4, 8), (8, 8), (16, 8), (16, 16), (1, 4), (4, 1), (1, 16), (16, 1),
                       (7, 13), (16, 64)),
    "requantizer": [dict(Lanes=n) for n in (1, 2, 3, 5, 8, 16, 32)],
    "matrix_unit": arrays((1, 1), (4, 4), (3, 5), (8, 4), (4, 8), (8, 8), (7, 13), (16, 8), (16, 16), (16, 64)),
    "vector_unit": points("Columns Lanes", (1, 1), (4, 1), (4, 4), (8, 8), (8, 2), (8, 4), (13, 5), (16, 4), (16, 8), (16, 16),
                          (64, 32)),
    "load_dma": grid(Rows=[8, 4, 16], Columns=[8, 16], BusBytes=[8, 4, 16], BurstBytes=[64, 256], Outstanding=[4, 2, 8]) +
                points("Rows Columns BusBytes BurstBytes Outstanding", (8, 8, 8, 128, 16), (7, 13, 16, 256, 16), (16, 16, 16, 256, 16),
                       (16, 64, 32, 512, 16), (16, 16, 8, 256, 16), (16, 16, 32, 256, 16), (32, 32, 16, 256, 16), (32, 16, 8, 128, 4),
                       (16, 16, 4, 64, 32)),
    "store_dma": grid(Columns=[8, 4, 16], BusBytes=[8, 4, 16], BurstBytes=[64, 256], Outstanding=[4, 2, 8]) +
                 points("Columns BusBytes BurstBytes Outstanding", (8, 8, 128, 16), (13, 16, 256, 16), (16, 16, 256, 16),
                        (64, 32, 512, 16), (16, 8, 256, 16), (16, 32, 256, 16), (32, 16, 256, 16), (32, 8, 128, 4), (16, 4, 64, 32)),
    "scratchpad": grid(WordBytes=[8, 4, 16], Words=[1024, 256], Banks=[4, 1, 2, 8], ReadClients=[1, 2], WriteClients=[1, 2]) +
                  points("WordBytes Words Banks ReadClients WriteClients", (1, 64, 1, 1, 1), (2, 64, 1, 1, 1), (1, 64, 4, 1, 1),
                         (1, 64, 1, 2, 2), (16, 8192, 8, 1, 1), (16, 8192, 8, 2, 2),
                         (64, 1024, 4, 2, 1), (64, 256, 1, 1, 1), (64, 1024, 1, 2, 2), (16, 1024, 1, 2, 1), (16, 1024, 16, 2, 2),
                         (64, 4096, 8, 2, 2), (256, 1024, 4, 2, 1), (7, 9360, 8, 1, 1), (13, 5040, 8, 2, 2), (13, 156, 4, 1, 1),
                         (52, 628, 4, 2, 1), (16, 96, 2, 1, 1), (4, 96, 2, 2, 2), (16, 1200, 16, 1, 1), (4, 100, 1, 1, 1), (8, 1000, 1, 1, 1),
                         (16, 600, 1, 2, 2)),
    "sequencer": grid(**SEQUENCER) +
                 points(" ".join(SEQUENCER), (16, 16, 16, 256, 8, 16, 8192, 4096, 8192, 256, 1024, 8, 4, 8, 4, 4),
                        (8, 8, 8, 128, 8, 16, 4096, 2048, 4096, 256, 512, 8, 4, 8, 4, 4),
                        (7, 13, 16, 256, 8, 16, 9360, 2520, 5040, 156, 628, 8, 4, 8, 4, 4),
                        (16, 64, 32, 512, 8, 16, 8192, 2048, 4096, 128, 1024, 8, 4, 8, 4, 4),
                        (16, 16, 16, 256, 32, 64, 8192, 4096, 8192, 256, 1024, 16, 16, 16, 16, 16),
                        # Not 1: a queue of one entry is no memory to Yosys but registers.
                        (4, 4, 4, 128, 2, 2, 64, 64, 64, 64, 64, 1, 1, 1, 1, 1)),
}


# Where `--timing` looks: the blocks of configs/edge16.yaml; of the array and of lanes a part, for the paths are those of a pe and of a lane.
TIMED = {
    "pe": {}, "pe_array": dict(Rows=4, Columns=4), "requantizer": dict(Lanes=1), "matrix_unit": dict(Rows=16, Columns=16),
    "vector_unit": dict(Columns=4, Lanes=4), "load_dma": dict(Rows=16, Columns=16, BusBytes=16, BurstBytes=256, Outstanding=16),
    "store_dma": dict(Columns=16, BusBytes=16, BurstBytes=256, Outstanding=16),
    "scratchpad": dict(WordBytes=16, Words=8192, Banks=8, ReadClients=2, WriteClients=2),
    "sequencer": dict(zip(SEQUENCER, (16, 16, 16, 256, 8, 16, 8192, 4096, 8192, 256, 1024, 8, 4, 8, 4, 4))),
}


# What a block's NAND2 equivalents are linear in, besides a constant: expressions in its parameters that Python and C++ read alike, with the
# functions below (in C++: src/area/arithmetic.hpp).
FEATURES = {
    "pe": [],
    "pe_array": ["Rows*Columns", "Rows*Rows", "Columns*Columns", "Columns"],
    "requantizer": ["Lanes"],
    "matrix_unit": ["Rows", "Columns"],
    "vector_unit": ["Lanes", "Columns", "Lanes*Columns", "Lanes*over(Columns,Lanes)"],
    "load_dma": ["row_bytes(larger(Rows,Columns),BusBytes)", "row_bytes(larger(Rows,Columns),BusBytes)*log2_up(larger(Rows,Columns))",
                 "larger(Rows,Columns)", "log2_up(Outstanding)", "log2_up(BurstBytes)"],
    "store_dma": ["row_bytes(Columns,BusBytes)", "row_bytes(Columns,BusBytes)*log2_up(Columns)", "Columns", "BusBytes", "log2_up(Outstanding)",
                  "log2_up(BurstBytes)"],
    "scratchpad": ["WordBytes*(Banks-1)*ReadClients", "WordBytes*Banks*(WriteClients-1)", "WordBytes*ReadClients", "Banks*(ReadClients+WriteClients)",
                   "(Banks-1)*WriteClients",
                   "Banks*(ReadClients+WriteClients-2)*log2_up(over(Words,Banks))", "uneven(Words,Banks)*(ReadClients+WriteClients)",
                   "uneven(Words,Banks)*(Banks-1)*log2_up(over(Words,Banks))"],
    "sequencer": ["log2_up(QueueDepth)", "log2_up(PrefetchInstructions)", "VectorBanks", "AccumulatorBanks", "uneven(VectorWords,VectorBanks)*VectorBanks",
                  "uneven(AccumulatorWords,AccumulatorBanks)*AccumulatorBanks"],
}
# Memory bits: exact, and compared with every point of the table. The vector unit's are the table, in every lane; the sequencer's: instructions
# queued, what of them decides about their starts, instructions fetched, and counters.
MEMORY_BITS = {
    "pe": "0",
    "pe_array": "0",
    "requantizer": "0",
    "matrix_unit": "20*(Rows+Columns-1)",
    "vector_unit": "Lanes*over(256,Columns)*8*Columns",
    "load_dma": "8*BurstBytes*places(Outstanding,larger(Rows,Columns),BusBytes,BurstBytes)"
                " + Outstanding*(1+larger(1,log2_up(over(BurstBytes,BusBytes))))",
    "store_dma": "8*BurstBytes*places(Outstanding,Columns,BusBytes,BurstBytes) + Outstanding*(1+2*log2_up(BurstBytes))",
    "scratchpad": "8*WordBytes*Words",
    "sequencer": "QueueDepth*(4*512+566) + over(PrefetchInstructions,larger(1,over(BusBytes,64)))*larger(1,over(BusBytes,64))*520 + 2560",
}


def larger(a, b):
    return max(a, b)


def over(a, b):
    """A quotient, rounded up."""
    return -(-a // b)


def log2_up(a):
    return (a - 1).bit_length()


def row_bytes(word_bytes, bus_bytes):
    """A row of the banks of a DMA's ring: as many beats as a word may touch."""
    return 2 ** log2_up(over(word_bytes + bus_bytes - 1, bus_bytes)) * bus_bytes


def places(outstanding, word_bytes, bus_bytes, burst_bytes):
    """Bursts in a DMA's ring: those under way and those of a word, in whole rows of its banks."""
    group = larger(1, over(row_bytes(word_bytes, bus_bytes), burst_bytes))
    return over(outstanding + over(word_bytes, burst_bytes), group) * group


def uneven(words, banks):
    """Whether a bank's words are no power of two, so that its addresses have to be compared instead of split."""
    return 0 if 2 ** log2_up(words // banks) == words // banks else 1


FUNCTIONS = (larger, over, log2_up, row_bytes, places, uneven)
BY_HAND = ("pe",)  # a part of pe_array: in the table, not in the model


def sources(block):
    sys.path.insert(0, str(ROOT / "tests" / "rtl"))
    import lint
    return lint.sources(block)


def source_hash(block):
    """Of what a block's cells depend on. The package of the instruction set is not part of a block that does not name it."""
    package, *own = [f.read_bytes() for f in [*sources(block), CELLS]]
    text = b"".join([package, *own] if any(b"isa_pkg::" in file for file in own) else own)
    return hashlib.sha256(re.sub(rb"`ifdef FORMAL.*?`endif|//[^\n]*|\s+", b"", text, flags=re.S)).hexdigest()[:12]


def named(parameters):
    return " ".join(f"{k}={v}" for k, v in parameters.items())


@functools.cache
def yosys_version():
    return subprocess.run(["yosys", "-V"], capture_output=True, text=True, check=True).stdout.split()[1]


def synthesize(block, parameters, seconds):
    """One row of the table. Modules are mapped one by one, as they stand in the source; memories are kept and counted in bits."""
    files = " ".join(map(str, sources(block)))
    sets = f"chparam {' '.join(f'-set {k} {v}' for k, v in parameters.items())} {block}; " if parameters else ""
    script = (f"read_verilog -sv -I{RTL / 'common'} {files}; {sets}hierarchy -check -top {block}; proc; opt_clean; "
              f"tee -o memory.txt stat; synth -run coarse:fine; opt -fast -full; techmap -map {CELLS} -map +/techmap.v; opt -fast; "
              "abc -fast -g AND,NAND,OR,NOR,XOR,XNOR,MUX; opt -fast; clean -purge; tee -o cells.txt stat; "
              "flatten; clean -purge; select t:$mem* %n; tee -o depth.txt ltp -noff")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        try:
            done = subprocess.run(["nice", "yosys", "-q", "-p", script], cwd=folder, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return None, f"not done within {seconds} s"
        if done.returncode:
            return None, (done.stdout + done.stderr).strip()[-400:]
        # A design of several modules ends with its totals.
        counts = (Path(folder) / "cells.txt").read_text().split("=== design hierarchy ===")[-1]
        memory = (Path(folder) / "memory.txt").read_text().split("=== design hierarchy ===")[-1]
        depth = re.search(r"length=(\d+)", (Path(folder) / "depth.txt").read_text())
    cells = {name: int(n) for name, n in re.findall(r"^\s+(\$_\w+_)\s+(\d+)$", counts, re.M)}
    flipflops = sum(n for name, n in cells.items() if "DFF" in name)
    return dict(block=block, parameters=named(parameters), sources=source_hash(block), yosys=yosys_version(), cells=sum(cells.values()), flipflops=flipflops,
                nand2=round(sum(weight(name) * n for name, n in cells.items())),
                memory_bits=int(re.search(r"Number of memory bits:\s+(\d+)", memory).group(1)),
                depth=int(depth.group(1)) if depth else 0), f"{time.monotonic() - begin:.0f} s"


# ---- Timing with a library of cells ----

def liberty_cells(text):
    """Cell -> (area, {output pin: function}) of a liberty file, as far as they are needed here."""
    cells = {}
    for block in re.split(r"\bcell\s*\(", re.sub(r"/\*.*?\*/", "", text, flags=re.S))[1:]:
        name = block.split(")", 1)[0].strip().strip('"')
        area = re.search(r"\barea\s*:\s*([\d.]+)", block)
        outputs = {}
        for pin in re.split(r"\bpin\s*\(", block)[1:]:
            if re.search(r"\bdirection\s*:\s*\"?output", pin):
                function = re.search(r'\bfunction\s*:\s*"([^"]*)"', pin)
                outputs[pin.split(")", 1)[0].strip().strip('"')] = function.group(1) if function else ""
        cells[name] = (float(area.group(1)) if area else 0.0, outputs)
    return cells


def least_inverter(cells):
    """What drives the inputs of a block in the estimate that sizes its cells."""
    inverters = [(area, name) for name, (area, outputs) in cells.items()
                 if len(outputs) == 1 and re.fullmatch(r"\(?\s*(!\s*\w+|\w+\s*')\s*\)?", *outputs.values())]
    if not inverters:
        raise ValueError("has no inverter")
    return min(inverters)[1]


def worst_path(report, netlist, cells):
    """(first, last, gates on the way) of OpenSTA's report. A register goes by the net that it drives, an input or output of the block by its own name."""
    def named_end(kind):
        text = re.search(rf"^{kind}: (.*?)(?=^\w+point:|^Path Group:)", report, re.S | re.M).group(1)
        name = text.split(" (")[0].strip()
        instance = re.search(rf"^  (\w+) {re.escape(name)} \((.*?)^  \);", netlist, re.S | re.M)
        if not instance:
            return name.replace("\\", "")
        nets = [net for pin, net in re.findall(r"\.(\w+)\((.*?)\)[,\n]", instance.group(2)) if pin in cells[instance.group(1)][1]]
        return nets[0].strip().removeprefix("\\").replace(" ", "") if nets else name
    gates = len(re.findall(r"^ .*/\w+ \(\w+\)$", report, re.M)) - 2  # without the clock pin of the first and the input of the last
    return named_end("Startpoint"), named_end("Endpoint"), max(gates, 0)


def time_block(block, parameters, liberty, cells, seconds):
    """One row of the timing table: the block flat, memories taken out (their pins are pins of the block: no access time is counted), wires without
    load, inputs at time 0, outputs to the end of the cycle; reset does not count."""
    files = " ".join(map(str, sources(block)))
    sets = f"chparam {' '.join(f'-set {k} {v}' for k, v in parameters.items())} {block}; " if parameters else ""
    script = (f"read_verilog -sv -I{RTL / 'common'} {files}; {sets}hierarchy -check -top {block}; proc; flatten; opt_clean; "
              f"synth -run coarse:fine; opt -fast -full; techmap -map {CELLS} -map +/techmap.v; opt -fast; expose -evert t:$mem*; "
              f"dfflibmap -liberty {liberty}; abc -liberty {liberty} -constr drive.txt -D 1000; opt_clean -purge; "
              f"rename -top block; splitnets -ports; tee -o cells.txt stat -liberty {liberty}; write_verilog -noattr -noexpr -simple-lhs block.v")
    period = 1000
    timing = (f"read_liberty {liberty}\nread_verilog block.v\nlink_design block\ncreate_clock -name clock -period {period} [get_ports clk_i]\n"
              "foreach port [all_inputs] {if {[get_full_name $port] ne {clk_i}} {set_input_delay 0 -clock clock $port}}\n"
              # OpenSTA has no pin for an output that no gate drives by this name: a memory's constant, or a second name of a net.
              # A memory's clock is no path.
              "foreach port [all_outputs] {\n"
              "  if {[string match *_CLK* [get_full_name $port]]} continue\n"
              "  if {[catch {set_output_delay 0 -clock clock $port} said] && $said ne {invalid command name \"NULL\"}} {error $said}\n}\n"
              "if {[llength [get_ports -quiet rst_ni]]} {set_false_path -from [get_ports rst_ni]}\n"
              "report_checks -path_delay max -format full -digits 4\nexit\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drive.txt").write_text(f"set_driving_cell {least_inverter(cells)}\nset_load 0.02\n")
        (folder / "timing.tcl").write_text(timing)
        begin = time.monotonic()
        try:
            for command in (["yosys", "-q", "-p", script], ["sta", "-exit", "timing.tcl"]):
                done = subprocess.run(["nice", *command], cwd=folder, capture_output=True, text=True, timeout=seconds)
                if done.returncode:
                    return None, (done.stdout + done.stderr).strip()[-400:]
        except subprocess.TimeoutExpired:
            return None, f"not done within {seconds} s"
        slack = re.search(r"(-?[\d.]+)\s+slack", done.stdout)
        if not slack:
            return None, "OpenSTA: " + "; ".join(re.findall(r"^(?:Error|Warning).*", done.stdout + done.stderr, re.M)[:3] or ["no path"])
        first, last, gates = worst_path(done.stdout, (folder / "block.v").read_text(), cells)
        area = re.findall(r"Chip area for .*?: ([\d.]+)", (folder / "cells.txt").read_text())
    nanoseconds = period - float(slack.group(1))
    return dict(block=block, parameters=named(parameters), sources=source_hash(block), library=liberty.stem, yosys=yosys_version(),
                area=round(float(area[-1])) if area else "", ns=f"{nanoseconds:.2f}", mhz=math.floor(1000 / nanoseconds), gates=gates,
                path_from=first, path_to=last), f"{nanoseconds:.2f} ns, {first} to {last} ({time.monotonic() - begin:.0f} s)"


TIMING_COLUMNS = ["block", "parameters", "sources", "library", "yosys", "area", "ns", "mhz", "gates", "path_from", "path_to"]


def read_timing():
    if not TIMING.exists():
        return {}
    with TIMING.open(newline="", encoding="utf-8") as file:
        return {(row["block"], row["library"]): row for row in csv.DictReader(file)}


def time_blocks(blocks, liberty, seconds):
    if not liberty.exists():
        if liberty == LIBERTY:
            print(f"skipped: {liberty} is not there (Debian: qflow-tech-osu018), and no other library was given with --liberty")
            return SKIPPED
        print(f"{liberty} is not there; --liberty is a file of standard cells in liberty format")
        return 1
    missing = [tool for tool in ("yosys", "sta") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed (sta is Debian's opensta)")
        return SKIPPED
    cells = liberty_cells(liberty.read_text(encoding="utf-8", errors="replace"))
    try:
        least_inverter(cells)
    except ValueError as bad:
        print(f"{liberty}: {bad}; a library of standard cells in liberty format is needed")
        return 1
    table, failed = read_timing(), 0
    for block in blocks:
        row, said = time_block(block, TIMED[block], liberty, cells, seconds)
        print(f"{block} {named(TIMED[block])}: {'' if row else 'FAILED: '}{said}", flush=True)
        failed += row is None
        if row and liberty == LIBERTY:  # the page has what everybody can repeat
            table[block, liberty.stem] = row
            with TIMING.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, TIMING_COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(table[key] for key in sorted(table, key=lambda key: (key[1], list(TIMED).index(key[0]))))
    return 1 if failed else 0


def timing_section():
    rows = read_timing()
    if not rows:
        return []
    lines = ["## Timing", "",
             "The blocks of `edge16` in the cells of a library, mapped for speed, and their worst paths, by OpenSTA: `scripts/area.py --timing`, with "
             "`--liberty FILE` in the cells of yours. Of the array a part of 4x4, of the requantizer one lane, of the vector unit 4 columns and lanes: "
             "larger ones repeat the same paths. Before placement: wires have no load. Memories are taken out, and their access time is not counted: "
             "a path to or from one ends at its pins. Inputs of a block are there at time 0. A register goes by the net that it drives.", "",
             "| block | parameters | library | ns | MHz | gates | from | to |", "|---|---|---|---|---|---|---|---|"]
    lines += [f"| `{r['block']}` | {r['parameters']} | {r['library']} | {r['ns']} | {r['mhz']} | {r['gates']} | `{r['path_from']}` | `{r['path_to']}` |"
              for r in rows.values()]
    worst = max(rows.values(), key=lambda r: float(r["ns"]))
    lines += ["", f"All blocks together: {worst['mhz']} MHz, because of `{worst['block']}`: blocks are joined by registers, so it sets the chip's clock."
              + ("" if len(rows) == len(TIMED) else f" Of {len(TIMED)} blocks {len(rows)} have been timed.")]
    return [*lines, ""]


# ---- The table ----

COLUMNS = ["block", "parameters", "sources", "yosys", "cells", "flipflops", "nand2", "memory_bits", "depth"]


def read_table():
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="", encoding="utf-8") as file:
        return {(row["block"], row["parameters"]): row for row in csv.DictReader(file)}


def write_table(table):
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for block, points in POINTS.items():
            writer.writerows(table[block, named(p)] for p in points if (block, named(p)) in table)


def fill_table(blocks, jobs, seconds):
    table = read_table()
    work = [(block, p) for block in blocks for p in POINTS[block]
            if table.get((block, named(p)), {}).get("sources") != source_hash(block)]
    work.sort(key=lambda point: POINTS[point[0]].index(point[1]))  # an interrupted run leaves something of every block
    print(f"{len(work)} points to synthesize, {sum(len(POINTS[b]) for b in blocks) - len(work)} are up to date", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(synthesize, block, p, seconds): (block, p) for block, p in work}
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            block, p = futures[future]
            row, said = future.result()
            if row:
                table[block, named(p)] = row
                write_table(table)
            else:
                failed += 1
            print(f"[{number}/{len(work)}] {block} {named(p)}: {str(row['nand2']) + ' NAND2, ' if row else 'FAILED: '}{said}", flush=True)
    return failed


# ---- What follows from the table ----

def value(expression, parameters):
    return eval(expression, {"__builtins__": {}, **{f.__name__: f for f in FUNCTIONS}}, parameters)  # of this file's own expressions


def numbers(text):
    return {k: int(v) for k, v in (item.split("=") for item in text.split())}


def fit(rows, features):
    """Coefficients (the constant first) that are least wrong in proportion. Features are taken from their means, in units of their spread, so
    that one that these rows do not vary, or vary only together with another, gets a small coefficient, not a wild one."""
    import numpy
    area = numpy.array([float(row["nand2"]) for row in rows])
    matrix = numpy.array([[value(f, numbers(row["parameters"])) for f in features] for row in rows], dtype=float).reshape(len(rows), len(features))
    means, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread[spread == 0] = 1
    centred = numpy.hstack([numpy.ones((len(rows), 1)), (matrix - means) / spread])
    solved = numpy.linalg.lstsq(centred / area[:, None], numpy.ones(len(rows)), rcond=1e-9)[0]
    slopes = solved[1:] / spread
    return [solved[0] - slopes @ means, *slopes]


def predicted(coefficients, features, row):
    return coefficients[0] + sum(c * value(f, numbers(row["parameters"])) for c, f in zip(coefficients[1:], features))


def percent_off(coefficients, features, row):
    return 100 * abs(predicted(coefficients, features, row) / float(row["nand2"]) - 1)


def model(table):
    """Per block: features, coefficients, points, and errors in percent: over the table, and of each point left out of the fit."""
    result = {}
    for block in POINTS:
        rows = [row for (b, _), row in table.items() if b == block]
        # A feature that the table does not vary, or has too few points for, cannot be told.
        features = [f for f in FEATURES[block] if len({value(f, numbers(row["parameters"])) for row in rows}) > 1][:max(0, len(rows) - 2)]
        if len(rows) < 3 or block in BY_HAND:
            continue  # an error could not be told
        # Rounded as they are written, so that the errors are those of what is written.
        rounded = [round(float(c), 2) for c in fit(rows, features)]
        within = [percent_off(rounded, features, row) for row in rows]
        without = [percent_off(fit([r for r in rows if r is not row], features), features, row) for row in rows]
        result[block] = dict(features=features, coefficients=rounded, rows=rows, median=median(within), worst=max(within),
                             median_without=median(without), worst_without=rounded_up(max(without)),
                             depth=(min(int(row["depth"]) for row in rows), max(int(row["depth"]) for row in rows)), ranges=ranges(rows))
    return result


def ranges(rows):
    """Per parameter: the least and the most that was synthesized."""
    sets = [numbers(row["parameters"]) for row in rows]
    return {name: (min(s[name] for s in sets), max(s[name] for s in sets)) for name in sets[0]}


def rounded_up(percent):
    """To a tenth: no point is to be outside of what is stated."""
    return math.ceil(10 * percent) / 10


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def pe_by_hand():
    """NAND2 equivalents of a `pe` as one would draw it: partial products of 9 x 9 bits, 7 rows of 9 full adders behind the first two, 10 more
    that take the sum in, a parallel-prefix adder (Brent-Kung) of 32 bits, 50 flip-flops of which 18 have an enable, and the choice of the weight."""
    full_adder = 2 * WEIGHTS["XOR"] + WEIGHTS["MUX"]
    bits, levels = 32, 5
    prefix = (2 * bits - 2 - levels) * (2 * WEIGHTS["AND"] + WEIGHTS["OR"])
    adder = bits * (WEIGHTS["XOR"] + WEIGHTS["AND"]) + prefix + bits * WEIGHTS["XOR"]
    return (81 * WEIGHTS["AND"] + (7 * 9 + 10) * full_adder + adder + 50 * WEIGHTS["DFF"] + 18 * WEIGHTS["enable"] + 9 * WEIGHTS["MUX"])


def by_hand(table):
    """A line of the page: the `pe` of the table beside one counted by hand."""
    if ("pe", "") not in table:
        return []
    count, measured = pe_by_hand(), int(table["pe", ""]["nand2"])
    return [f"* **A count by hand**: a `pe` of 81 partial products, 73 full adders, a 32-bit parallel-prefix adder, 50 flip-flops and a multiplexer of 9 "
            f"bits has {count:,.0f} NAND2 equivalents; Yosys makes {measured:,}, {100 * (measured / count - 1):+.0f} %."]


def page(table, models):
    lines = ["# Area", "",
             "What each block costs in gates, from Yosys: `scripts/area.py` synthesizes every block at several sizes into "
             "[area.csv](area.csv) and fits a linear model to it. `gemel explain --area -m MACHINE` evaluates the model for a machine, block by "
             "block; in Python, `gemel.area` does.", "",
             "* **NAND2 equivalents**: " + ", ".join(f"{k} {v}" for k, v in WEIGHTS.items()) + ": areas of the X1 cells of the Nangate 45 nm "
             "Open Cell Library over its NAND2_X1. Gates of two inputs, mapped by `abc -fast` for area, module by module, without timing "
             "constraints, wires, clock tree or test logic. So: for comparing machines, not for a floor plan. kGE are 1,000 of them.",
             "* **Memory bits** (buffers, queues, rings) are not gates: they are counted apart, each memory with one read and one write port. "
             "They are exact formulas, which equal every row of the table.",
             "* **Depth**: gates on the longest path between registers, as mapped for area. Adders are Yosys' parallel-prefix adders (Brent-Kung), "
             f"full adders of multipliers are mapped by [{CELLS.name}](../../scripts/{CELLS.name}).",
             "* **Yosys**: " + ", ".join(sorted({row["yosys"] for row in table.values()})) + ". Other versions give other counts; the column "
             "`yosys` of the table tells which it was.",
             *by_hand(table),
             "* A new size of a block is a row in `POINTS` of the script; a point whose sources have changed is synthesized again by the "
             "next run. The column `sources` of the table tells which text was measured.", "",
             "## The model", "",
             "Errors in percent: of the fit over the table's points, and of each point when it is left out of the fit. The last column is "
             "the error that `gemel explain --area` states: the worst that happened when a synthesized size was predicted from the others, "
             "some of which lay beyond the others. A machine with a parameter beyond the least or the greatest in the table is said to be extrapolated: "
             "there nothing has been measured, and no error is stated.", "",
             "Formulas are in the parameters of the block's module. `over(a,b)` is a/b rounded up, `log2_up` a logarithm rounded up, "
             "`row_bytes(w,b)` the bytes of all beats that a word may touch, `uneven(Words,Banks)` 1 if a bank's words are no power of two.", "",
             "| block | points | NAND2 equivalents | median | worst | left out: median | worst |", "|---|---|---|---|---|---|---|"]
    for block, m in models.items():
        terms = [f"{m['coefficients'][0]:,.0f}"] + [f"{c:,.1f} x {'(' + f + ')' if '+' in f else f}" for c, f in zip(m["coefficients"][1:], m["features"])]
        lines.append(f"| `{block}` | {len(m['rows'])} | {' + '.join(terms).replace('+ -', '- ')} | {m['median']:.1f} | {m['worst']:.1f} | "
                     f"{m['median_without']:.1f} | {m['worst_without']:.1f} |")
    missing = {block: sum((block, named(p)) not in table for p in points) for block, points in POINTS.items()}
    if any(missing.values()):
        lines += ["", "Points that are still to be synthesized, by `scripts/area.py`: " +
                  ", ".join(f"{n} of {len(POINTS[block])} of `{block}`" for block, n in missing.items() if n) + "."]
    lines += ["", *timing_section(), "## The table", "", "| block | parameters | cells | flip-flops | NAND2 equivalents | memory bits | depth |",
              "|---|---|---|---|---|---|---|"]
    for row in table.values():
        lines.append(f"| `{row['block']}` | {row['parameters']} | {int(row['cells']):,} | {int(row['flipflops']):,} | {int(row['nand2']):,} | "
                     f"{int(row['memory_bits']):,} | {row['depth']} |")
    return "\n".join(lines) + "\n"


def formula(m):
    return [f"{m['coefficients'][0]}", *(f"{c} * ({f})" for c, f in zip(m["coefficients"][1:], m["features"]))]


def used(m, *expressions):
    return [n for n in m["ranges"] if any(re.search(rf"\b{n}\b", e) for e in expressions)]


def cpp(models):
    lines = ["// SPDX-License-Identifier: Apache-2.0",
             "// GENERATED by scripts/area.py from docs/reference/area.csv: run `scripts/area.py --fit`. Do not edit.",
             '#include "area/arithmetic.hpp"', '#include "area/models.hpp"', "", "namespace gemel {", "namespace {"]
    for block, m in models.items():
        def function(returns, what, expressions, total):
            names = used(m, *expressions)
            return ["", f"{returns} {what}_of_{block}(const RtlParameters&{' p' if names else ''}) {{",
                    *(f'  const std::int64_t {n} = p.at("{n}");' for n in names), f"  return {total};", "}"]
        terms = [f"{m['coefficients'][0]}", *(f"{c} * static_cast<double>({f})" for c, f in zip(m["coefficients"][1:], m["features"]))]
        lines += function("double", "nand2", m["features"], " +\n         ".join(terms))
        lines += function("std::int64_t", "memory_bits", [MEMORY_BITS[block]], MEMORY_BITS[block])
    lines += ["", "}  // namespace", "", "const std::vector<AreaModel>& area_models() {", "  static const std::vector<AreaModel> all = {"]
    for block, m in models.items():
        limits = ", ".join(f'{{"{n}", {low}, {high}}}' for n, (low, high) in m["ranges"].items())
        lines.append(f'      {{"{block}", nand2_of_{block}, memory_bits_of_{block}, {m["worst_without"]:.1f}, {m["depth"][0]}, {m["depth"][1]},\n'
                     f"       {{{limits}}}}},")
    return "\n".join([*lines, "  };", "  return all;", "}", "", "}  // namespace gemel", ""])


def python(models):
    contract = tomllib.loads((ROOT / "src" / "isa" / "ports.toml").read_text(encoding="utf-8"))
    lines = ["# SPDX-License-Identifier: Apache-2.0",
             '"""GENERATED by scripts/area.py from docs/reference/area.csv and src/isa/ports.toml: run `scripts/area.py --fit`. Do not edit."""', ""]
    for f in FUNCTIONS:
        lines += ["", *inspect.getsource(f).rstrip().split("\n"), ""]
    lines += ["", "# Module -> its model: NAND2 equivalents, memory bits, worst error in percent of a point left out of the fit, least and greatest depth,",
              "# and of each parameter the least and greatest value that was synthesized.", "MODELS = {"]
    for block, m in models.items():
        def function(expressions, total):
            return f"lambda {''.join(n + ', ' for n in used(m, *expressions))}**_: {total}"
        lines += [f'    "{block}": {{', f'        "nand2": {function(m["features"], " + ".join(formula(m)))},',
                  f'        "memory_bits": {function([MEMORY_BITS[block]], MEMORY_BITS[block])},',
                  f'        "error_percent": {m["worst_without"]:.1f},', f'        "depth": {m["depth"]},', f'        "ranges": {m["ranges"]},', "    },"]
    lines += ["}", "", "# Instance -> module, and the module's parameters from the machine's.", "INSTANCES = {"]
    for block, spec in contract["block"].items():
        if block not in models:
            continue
        for instance, local in spec.get("instances", {block: {}}).items():
            # Only what was synthesized at some value: the sequencer's digest of its machine, e.g., is a constant without area of note.
            values = {n: re.sub(r"[a-z_]+", lambda name, local=local: local.get(name[0], name[0]), e)
                      for n, e in spec["parameters"].items() if n in models[block]["ranges"]}
            names = [n for n in contract["machine"]["names"] if any(re.search(rf"\b{n}\b", e) for e in values.values())]
            lines.append(f'    "{instance}": ("{block}", lambda {", ".join(names)}, **_: '
                         f"{{{', '.join(repr(n).replace(chr(39), chr(34)) + ': ' + e for n, e in values.items())}}}),")
    return "\n".join([*lines, "}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", default=",".join(POINTS), help="only these, with commas between")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one point")
    parser.add_argument("--timing", action="store_true", help="static timing in the cells of a library")
    parser.add_argument("--liberty", type=Path, default=LIBERTY, help="that library")
    parser.add_argument("--fit", action="store_true", help="do not synthesize")
    parser.add_argument("--check", action="store_true", help="neither synthesize nor write: fail if what is committed is not what follows")
    a = parser.parse_args()
    unknown = [block for block in a.blocks.split(",") if block not in POINTS]
    if unknown:
        print(f"there is no block {', '.join(unknown)}; there is {', '.join(POINTS)}")
        return 2
    if a.timing:
        return time_blocks([block for block in TIMED if block in a.blocks.split(",")], a.liberty.absolute(), a.timeout)
    failed = 0 if a.fit or a.check else fill_table(a.blocks.split(","), a.jobs, a.timeout)
    try:
        import numpy  # noqa: F401
    except ModuleNotFoundError:
        print("skipped: the fit needs numpy (.venv/bin/python has it after ./check)")
        return 77 if a.check else 1
    table = read_table()
    models = model(table)
    for row in table.values():
        bits = value(MEMORY_BITS[row["block"]], numbers(row["parameters"]))
        if bits != int(row["memory_bits"]):
            failed += 1
            print(f"MEMORY_BITS of {row['block']} {row['parameters']} says {bits}, the table {row['memory_bits']}")
    if ("pe", "") in table and not 0.9 <= int(table["pe", ""]["nand2"]) / pe_by_hand() <= 1.1:
        failed += 1
        print(f"pe: {table['pe', '']['nand2']} NAND2 equivalents, by hand {pe_by_hand():.0f}: more than 10 % apart; Yosys made something else of it")
    for file, text in ((PAGE, page(table, models)), (CPP, cpp(models)), (PYTHON, python(models))):
        if not a.check:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            failed += 1
            print(f"{file.relative_to(ROOT)} does not follow from {TABLE.relative_to(ROOT)}: run scripts/area.py --fit")
    old_timing = [row["block"] for row in read_timing().values() if row["sources"] != source_hash(row["block"])]
    if old_timing:
        print(f"timing of older sources: {', '.join(old_timing)}")
    for block, m in models.items():
        old = sum(row["sources"] != source_hash(block) for row in m["rows"])
        print(f"{block}: {len(m['rows'])} points{f', {old} of older sources' if old else ''}, worst {m['worst']:.1f} %, "
              f"left out {m['worst_without']:.1f} %")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
