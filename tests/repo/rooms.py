# SPDX-License-Identifier: Apache-2.0
"""Every block's room is complete: README.md with ports and latency, contract header (x.hpp or x_ports.hpp), CMakeLists.txt, and
a test folder under tests/blocks with at least one test. Every source file opens with its SPDX line and a statement."""

import re

from rules import ROOT, Report, files, name

COMMENT = {".cpp": "//", ".hpp": "//", ".h": "//", ".sv": "//", ".svh": "//", ".py": "#", ".sh": "#", ".toml": "#", ".yaml": "#"}
# Made from data or for data, with no place for a comment or a text of their own.
NO_STATEMENT = re.compile(r"^(tests/errors/|tests/.*/(corpus|cases)/|workloads/.*/|python/.*/__init__\.py$)")


def check_blocks(report):
    rooms = sorted(path for path in (ROOT / "src" / "blocks").iterdir() if path.is_dir())
    for room in rooms:
        block = room.name
        if not any(room.iterdir()):
            continue  # a folder that git does not know
        readme = room / "README.md"
        report.expect(readme.is_file(), f"{name(room)}: no README.md")
        contract = next((path for path in (room / f"{block}.hpp", room / f"{block}_ports.hpp") if path.is_file()), None)
        report.expect(contract, f"{name(room)}: no contract header {block}.hpp or {block}_ports.hpp")
        report.expect((room / "CMakeLists.txt").is_file(), f"{name(room)}: no CMakeLists.txt")
        tests = ROOT / "tests" / "blocks" / block
        report.expect(tests.is_dir() and any(tests.glob("*_test.cpp")), f"{name(room)}: no test in tests/blocks/{block}")
        if readme.is_file():
            text = readme.read_text(encoding="utf-8").lower()
            report.expect("port" in text, f"{name(readme)}: says nothing about ports")
            report.expect("latency" in text or "timing" in text, f"{name(readme)}: says nothing about latency or timing")
        if contract is not None:
            report.expect("contract" in contract.read_text(encoding="utf-8").lower(), f"{name(contract)}: has no contract in its words")


def check_openings(report):
    scripts = [ROOT / script for script in ("check", "demo", "bench") if (ROOT / script).is_file()]
    sources = files("src", "include", "tests", "rtl", "python", "scripts", "configs", suffixes=set(COMMENT))
    for path in [*scripts, *sources]:
        if NO_STATEMENT.match(name(path)):
            continue
        report.look()
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines and lines[0].startswith("#!"):
            lines = lines[1:]
        mark = COMMENT.get(path.suffix, "#")
        if not lines or lines[0] != f"{mark} SPDX-License-Identifier: Apache-2.0":
            report.complain(f"{name(path)}: does not open with its SPDX line")
        elif path.suffix == ".cpp" and len(lines) > 1 and re.fullmatch(rf'#include "[\w/]*\b{path.stem}\.hpp"', lines[1]):
            pass  # its header says it
        elif len(lines) < 2 or not (lines[1].startswith(mark) or (path.suffix == ".py" and '"""' in lines[1])):
            report.complain(f"{name(path)}: does not say what it is behind its SPDX line")


def check_lines(report):
    for path in files("src", "include", "tests", "python", "scripts", suffixes={".cpp", ".hpp", ".py", ".sh"}):
        if ".gen." in path.name or path.stem.endswith("_gen"):
            continue
        report.look()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if len(line) > 160:
                report.complain(f"{name(path)}:{number}: {len(line)} characters wide")
            if re.match(r"(<{7}|>{7}) ", line):
                report.complain(f"{name(path)}:{number}: a merge was not finished here")


def main():
    report = Report()
    check_blocks(report)
    check_openings(report)
    check_lines(report)
    report.finish(least=60)


main()
