# SPDX-License-Identifier: Apache-2.0
"""The chip behind AXI as `gemel export` writes it, in Icarus between the AXI models of cocotbext-axi (npu_axi_bench.py). Skips, aloud, without cocotb or
Icarus. Also the rules themselves: mistakes planted in the chip must be found.

  npu_axi_test.py [--long] [GEMEL]    --long: digits with random stalls of every channel, too (minutes)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

try:
    import cocotb
    import cocotbext.axi  # noqa: F401
    from cocotb_tools.runner import get_runner
except ModuleNotFoundError as missing:
    cocotb = None
    absent = missing.name

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# A chip that is soon simulated and has nothing square; bursts of 1 to 4 beats.
SMALL = """
pe_array.rows=2 pe_array.columns=3 vector_unit.lanes=2 bus.bytes=4 dma.burst_bytes=16 load_dma.outstanding=2 store_dma.outstanding=2 sequencer.queue_depth=2
sequencer.prefetch_instructions=2 activation_buffer.size_bytes=256 activation_buffer.banks=2 weight_buffer.size_bytes=192 weight_buffer.banks=2
accumulator_buffer.size_bytes=768 accumulator_buffer.banks=2 vector_buffer.size_bytes=384 vector_buffer.banks=2 param_buffer.size_bytes=384
param_buffer.banks=2 memory.read_latency_cycles=10 memory.write_latency_cycles=5
"""
NETWORK = """
gemel_workload: 1
name: small
arithmetic: fixed_double
synthetic: {seed: 5}
inputs:
  - {name: image, shape: [1, 4, 4, 3], type: int8, scale: 0.05, zero_point: -3}
layers:
  - {name: conv, op: conv2d, out_channels: 5, kernel: 3, padding: same, activation: relu}
  - {name: pool, op: max_pool, kernel: 2, stride: 2}
"""
# Mistakes in the chip, each with a test and what that must say: our rules, or an assertion of cocotbext-axi.
MISTAKES = [
    ("wlast_o <= beat_last;", "wlast_o <= 1'b1;", "stalls", "assert last == (n == length-1)"),
    ("assign w_free = !wvalid_o || wready_i;", "assign w_free = 1'b1;", "stalls", "store_w has changed before it was taken"),
    ("if (ar_free) arvalid_o <= ar_leaves;", "arvalid_o <= ar_leaves;", "stalls", "load_ar has changed before it was taken"),
    ("assign write_waits = aw_waits_q && w_waits_q &&", "assign write_waits = aw_waits_q &&", "registers", "== values["),
    ("assign read_ends = rvalid_o && rready_i;", "assign read_ends = rvalid_o;", "registers", "csr_r has changed before it was taken"),
]


def settings(text):
    return [argument for setting in text.split() for argument in ("--set", setting)]


def bench(top):
    """SystemVerilog: the signals of the exported top under their own names, the chip, and the rules beside it."""
    ports = re.findall(r"^  (?:input|output) +logic (\[\d+:0\] )?(\w+)", top, re.M)
    bus = int(re.search(r"\.BusBytes\((\d+)\)", top).group(1))
    out = ["`timescale 1ns / 1ps", "module npu_axi_bench;"]
    out += [f"  logic {width}{name};" for width, name in ports]
    out += ["  gemel_npu_axi chip (" + ", ".join(f".{name}({name})" for _, name in ports) + ");"]
    out += ["  npu_axi_rules rules ();", "endmodule", "module npu_axi_rules;"]
    here = "npu_axi_bench."
    clock = f".clk_i({here}aclk), .rst_ni({here}aresetn)"
    widths = {name: int(width[1:-4]) + 1 if width else 1 for width, name in ports}
    counted, broken = [], []
    for name, prefix, channel in [
        *(("csr_" + c, "s_axi_", c) for c in ("aw", "w", "b", "ar", "r")), *(("fetch_" + c, "m_axi_fetch_", c) for c in ("ar", "r")),
        *(("load_" + c, "m_axi_load_", c) for c in ("ar", "r")), *(("store_" + c, "m_axi_store_", c) for c in ("aw", "w", "b")),
    ]:
        payload = [n for n in widths if re.fullmatch(f"{prefix}{channel}(?!valid|ready)\\w+", n)]
        out.append(f"  axi_channel_rules #(.Width({sum(widths[n] for n in payload)}), .Name(\"{name}\")) {name}_rules ({clock}, "
                   f".valid_i({here}{prefix}{channel}valid), .ready_i({here}{prefix}{channel}ready), .payload_i({{{', '.join(here + n for n in payload)}}}));")
        counted.append(name)
        broken.append(f"{name}_rules.broken")

    def both(channel):
        return f"{here}{channel}valid && {here}{channel}ready"

    for name, direction in (("fetch", "ar"), ("load", "ar"), ("store", "aw")):
        p, writing = f"{here}m_axi_{name}_", direction == "aw"
        data = "w" if writing else "r"
        out.append(f"  axi_burst_rules #(.Bus({bus}), .Writing(1'b{int(writing)}), .Name(\"{name}\")) {name}_bursts ({clock}, "
                   f".request_i({both(f'm_axi_{name}_{direction}')}), .address_i({p}{direction}addr), .len_i({p}{direction}len), "
                   f".size_i({p}{direction}size), .burst_i({p}{direction}burst), .beat_i({both(f'm_axi_{name}_{data}')}), "
                   f".strobe_i({p + 'wstrb' if writing else chr(39) + '1'}), .last_i({p}{data}last), "
                   f".done_i({both(f'm_axi_{name}_b') if writing else both(f'm_axi_{name}_r') + f' && {p}rlast'}));")
        broken.append(f"{name}_bursts.broken")
    taken = ", ".join(f".{c}_i({both('s_axi_' + c)})" for c in ("aw", "w", "b", "ar", "r"))
    out.append(f"  axi_lite_rules #(.Name(\"csr\")) csr_rules ({clock}, {taken});")
    broken.append("csr_rules.broken")
    out += [f"  int {name};" for name in [*counted, "broken"]]
    out += [f"  assign {name} = {name}_rules.moved;" for name in counted]
    out += [f"  assign broken = {' + '.join(broken)};", "endmodule", ""]
    return "\n".join(out)


def loaded_byte(chip):
    """Address of a byte that the program loads: the first that is there before the start and no instruction."""
    header = (chip / "bench/workload.svh").read_text()
    bus = int(re.search(r"BusBytes = (\d+)", header).group(1))
    base, length = (int(re.search(rf"{name} = \d+'h([0-9a-f]+)", header).group(1), 16) for name in ("ProgramBase", "ProgramBytes"))
    at = 0
    for line in (chip / "bench/memory.hex").read_text().splitlines():
        if line.startswith("@"):
            at = int(line[1:], 16) * bus
        elif line and not line.startswith("//"):
            if not base <= at < base + length:
                return at
            at += bus
    raise SystemExit("the workload loads nothing")


class Bench:
    def __init__(self, gemel, folder, arguments):
        self.folder = folder
        done = subprocess.run([gemel, "export", *arguments, "--out", "chip"], cwd=folder, env={**os.environ, "GEMEL_HOME": str(ROOT)}, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        chip = folder / "chip"
        (folder / "npu_axi_bench.sv").write_text(bench((chip / "rtl/gemel_npu_axi.sv").read_text()))
        self.source = (chip / "bench/icarus.sv").read_text()

    def build(self, mistake=None, where="sim"):
        text = self.source
        if mistake:
            was, becomes = mistake
            if text.count(was) != 1:
                raise SystemExit(f"`{was}` stands {text.count(was)} times in the chip")
            text = text.replace(was, becomes)
        build = self.folder / where
        build.mkdir()
        (build / "chip.sv").write_text(text)
        self.runner, self.where = get_runner("icarus"), build
        sources = [build / "chip.sv", HERE / "axi_rules.sv", self.folder / "npu_axi_bench.sv"]
        self.runner.build(sources=sources, includes=[self.folder / "chip/rtl/common"], hdl_toplevel="npu_axi_bench", build_dir=build,
                          build_args=["-g2012"], timescale=("1ns", "1ps"), log_file=build / "build.log")

    def run(self, tests, most_us):
        """(whether every test has passed, the log)"""
        version = re.search(r"Version = 32'd(\d+);", self.source).group(1)
        chip = self.folder / "chip"
        known = {"folder": str(chip), "tests": tests, "version": int(version), "loaded": loaded_byte(chip), "most_us": most_us}
        log = self.where / f"{'_'.join(tests)}.log"
        results = self.runner.test(hdl_toplevel="npu_axi_bench", test_module="npu_axi_bench", test_dir=self.where, log_file=log, plusargs=[],
                                   extra_env={"AXI_BENCH": json.dumps(known), "PYTHONPATH": str(HERE), "COCOTB_LOG_LEVEL": "INFO"})
        cases = xml.etree.ElementTree.parse(results).getroot().iter("testcase")
        failed = [c.get("name") for c in cases if c.find("failure") is not None or c.find("error") is not None]
        ran = [c for c in xml.etree.ElementTree.parse(results).getroot().iter("testcase") if c.find("skipped") is None]
        assert len(ran) == len(tests), (tests, [c.get("name") for c in ran])
        return not failed, log.read_text(errors="replace")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--long"]
    gemel = str(Path(arguments[0] if arguments else ROOT / "build/release/gemel").resolve())
    if cocotb is None:
        print(f"skipped: the Python package {absent} is not installed (tests/axi/requirements.txt), so nobody else's AXI meets the chip")
        return 0
    if shutil.which("iverilog") is None:
        print("skipped: iverilog is not installed, so nobody else's AXI meets the chip")
        return 0
    failed = 0

    def tell(name, passed, log, since):
        nonlocal failed
        failed += not passed
        print(f"{'ok     ' if passed else 'FAILED '} {name} ({time.monotonic() - since:.1f} s)", flush=True)
        if not passed:
            print("\n".join(log.splitlines()[-60:]))

    with tempfile.TemporaryDirectory(prefix="gemel-axi-") as name:
        folder = Path(name)
        (folder / "small").mkdir()
        (folder / "small/small.yaml").write_text(NETWORK)
        small = Bench(gemel, folder / "small", ["small.yaml", "-m", "tiny8", *settings(SMALL)])
        small.build()
        for test in ("registers", "stalls", "errors", "reset"):
            since = time.monotonic()
            tell(f"small: {test}", *small.run([test], 60), since)
        for i, (was, becomes, test, text) in enumerate(MISTAKES):
            since = time.monotonic()
            small.build((was, becomes), f"mistake{i}")
            passed, log = small.run([test], 60)
            tell(f"small with `{becomes}`: refuted", not passed and text in log, log, since)
        (folder / "digits").mkdir()
        digits = Bench(gemel, folder / "digits", ["digits", "-m", "tiny8"])
        digits.build()
        since = time.monotonic()
        tell("digits on tiny8", *digits.run(["stalls" if "--long" in sys.argv else "program"], 5000), since)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
