# SPDX-License-Identifier: Apache-2.0
"""Who may include whom (CONTRIBUTING.md has it in words). Of another room only its contract (x.hpp, x_ports.hpp) is known;
a model never includes golden or rtl; a golden knows no SystemC, and else only what stands at a wall does. Also: every
quoted include names a file that exists."""

import re

from rules import ROOT, Report, files, name

# Folder under src/ -> folders under src/ that it may include, besides itself. `blocks/*` stands for every block's contract.
ALLOWED = {
    "base": set(),
    "config": {"base"},
    "isa": {"base", "config", "network"},  # network: a schedule carries the tensors' shapes and lies in safetensors
    "kernels": {"base"},
    "ops": {"base", "config", "network"},
    "network": {"base", "config", "ops"},  # ops and network are one layer: shape rules are asked for while reading
    "compiler": {"base", "config", "isa", "network", "ops", "kernels"},
    "blocks": {"base", "config", "isa", "kernels", "rtl_host"},
    "memory": {"base", "config"},
    "rtl_host": {"base", "config", "isa"},
    "top": {"base", "config", "isa", "memory", "blocks", "rtl_host"},
    "sim": {"base", "config", "isa", "network", "ops", "compiler", "blocks", "memory", "top", "kernels", "rtl_host"},
    "report": {"base", "config", "isa", "network", "sim"},
    "regress": {"base", "config", "isa", "network", "ops", "compiler", "sim", "top", "rtl_host"},
    "session": {"base", "config", "isa", "network", "ops", "compiler", "sim", "report"},
    "area": {"base", "config", "rtl_host"},
    "export": {"base", "config", "isa", "network", "rtl_host", "session"},
    "cli": {"area", "base", "config", "export", "regress", "rtl_host"},
}
# The command line is a user of the library like any other: include/gemel. What it has beside that, file by file:
CLI_MAY_USE = {
    "area/area.hpp",            # explain --area
    "base/files.hpp",           # whole or not at all
    "base/markup.hpp",          # regress --junit
    "base/heap.hpp",            # of the process, not of a library
    "base/process.hpp",         # gemel import: the importer is a program in Python
    "base/text.hpp",            # suggestions, numbers
    "config/home.hpp",          # gemel import: where that program is
    "config/load.hpp",          # explain
    "config/yaml_reader.hpp",   # settings files
    "export/export.hpp",        # gemel export
    "regress/coverage.hpp",     # gemel regress: machines, networks and programs at random
    "regress/regress.hpp",
    "rtl_host/contract.hpp",    # explain --ports, new-block: for those who write Verilog
    "rtl_host/library.hpp",     # gemel cache
    "rtl_host/ports.hpp",       # gemel fpga: blocks with their parameters
}
# Result structs are shared between the run and the writers of reports; nothing else of sim is for report.
REPORT_MAY_USE_OF_SIM = {"sim/result.hpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
VERILATED = re.compile(r"^(V\w+|verilated\w*)\.h$")
SYSTEMC = re.compile(r"^(systemc|tlm|sysc/|tlm_)")


def is_contract(parts):
    """src/blocks/x/x.hpp and src/blocks/x/x_ports.hpp: what a neighbour may know of x."""
    return parts[3] in {f"{parts[2]}.hpp", f"{parts[2]}_ports.hpp"}


def include_target(source, included):
    """The included file: relative to src/, include/ or its own folder; None if it is not there."""
    for base in (ROOT / "src", ROOT / "include", source.parent):
        if (base / included).is_file():
            return base / included
    return None


def main():
    report = Report()
    for source in files("src", "include", "python/src", suffixes={".cpp", ".hpp", ".h"}):
        inside = source.relative_to(ROOT).parts
        room = inside[1] if inside[0] == "src" else inside[0]
        block = inside[2] if room == "blocks" and len(inside) > 3 else None
        for kind, included in INCLUDE.findall(source.read_text(encoding="utf-8")):
            report.look()
            where = f"{name(source)}: includes {included}"
            if kind == "<":
                if SYSTEMC.match(included):
                    if source.stem.endswith("_golden"):
                        report.complain(f"{where}: a golden has no SystemC")
                    if room in {"base", "config", "isa", "kernels", "ops", "network", "compiler", "report"}:
                        report.complain(f"{where}: SystemC is for the walls (top, memory, sim, adapters)")
                continue
            if VERILATED.match(included):  # made by Verilator; only text in code that is compiled on demand
                report.expect(room == "rtl_host", f"{where}: Verilated headers are for rtl_host")
                continue
            target = include_target(source, included)
            if target is None:
                report.complain(f"{where}, which does not exist")
                continue
            parts = target.relative_to(ROOT).parts
            if room == "python":
                report.expect(parts[0] == "include" or parts[:2] == ("python", "src"), f"{where}: the Python module stands on include/gemel alone")
            if parts[0] != "src" or room in ("include", "python"):
                continue
            other = parts[1]
            if other != room:
                if room not in ALLOWED:
                    report.complain(f"{where}: the folder src/{room} has no row in tests/repo/includes.py")
                elif other not in ALLOWED[room]:
                    report.complain(f"{where}: {room} may not include {other}")
                elif room == "cli" and "/".join(parts[1:]) not in CLI_MAY_USE:
                    report.complain(f"{where}: the command line stands on include/gemel; the exceptions are in tests/repo/includes.py")
                elif room == "report" and other == "sim" and "/".join(parts[1:]) not in REPORT_MAY_USE_OF_SIM:
                    report.complain(f"{where}: report may use only {', '.join(sorted(REPORT_MAY_USE_OF_SIM))} of sim")
            elif block is not None and len(parts) > 3 and parts[2] != block and not is_contract(parts):
                report.complain(f"{where}: of another room only its contract may be included")
            if block is not None and other == "rtl_host" and not source.stem.endswith("_rtl"):
                report.complain(f"{where}: only the adapter (x_rtl) knows rtl_host")
            if block is not None and source.stem.endswith("_model") and re.search(r"_(golden|rtl)$", target.stem):
                report.complain(f"{where}: a model knows neither golden nor rtl")
            if block is not None and source.stem.endswith("_golden") and re.search(r"_(model|rtl|beat)$", target.stem):
                report.complain(f"{where}: a golden knows no implementation")
    used = {included for source in files("src/cli", suffixes={".cpp", ".hpp"}) for _, included in INCLUDE.findall(source.read_text(encoding="utf-8"))}
    for exception in sorted(CLI_MAY_USE - used):
        report.complain(f"tests/repo/includes.py: {exception} is no exception any more: src/cli does not include it")
    report.finish(least=100)


main()
