# SPDX-License-Identifier: Apache-2.0
"""Lockstep compares every output of every block: what stands in no compare() of an adapter, nobody sees to be wrong."""

import re

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

from rules import ROOT, Report

# Lengths of bursts are checked against their bytes while the adapter samples (bytes_on_axi() in src/rtl_host/axi.hpp), in every mode.
ELSEWHERE = re.compile(r"(^|_)a[rw]len_o$")


def main():
    report = Report()
    contract = tomllib.loads((ROOT / "src/isa/ports.toml").read_text(encoding="utf-8"))
    for block, spec in contract["block"].items():
        adapter = ROOT / (f"src/top/{block}_rtl.hpp" if block.startswith("npu") else f"src/blocks/{block}/{block}_rtl.hpp")
        text = adapter.read_text(encoding="utf-8")
        compared = text[re.search(r"^(inline void compare\(|struct \w+Compare \{)", text, re.M).start():]
        for port in (p["name"] for p in spec["ports"]):
            if port.endswith("_o") and not ELSEWHERE.search(port):
                report.expect(re.search(rf'"{port}["\[]', compared), f"{adapter.name}: compare() does not look at {port} of {block}")
    report.finish(least=50)


if __name__ == "__main__":
    main()
