# SPDX-License-Identifier: Apache-2.0
"""Three mistakes planted by hand into three blocks: the regression with every block under check must catch each, and name its block.
And the block as it is must pass, or catching means nothing. The score over hundreds: docs/explanation/mutants.md.
Called as: mutants_test.py GEMEL CACHE_FOLDER"""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import equivalence  # noqa: E402
import mutate  # noqa: E402

OPTIONS = SimpleNamespace(gemel=sys.argv[1], cache=sys.argv[2], seed=1, programs=60, networks=0, prover=None)


class Mutants(unittest.TestCase):
    def run_with(self, block, was, now):
        text = (ROOT / "rtl" / mutate.BLOCKS[block]).read_text(encoding="utf-8")
        self.assertEqual(text.count(was), 1, "not planted")
        mutant = {"name": block, "block": block, "line": 0, "before": was, "after": now, "text": text.replace(was, now)}
        with tempfile.TemporaryDirectory(prefix="gemel-mutants-") as folder:
            return mutate.run_mutant(OPTIONS, folder, mutant)

    def expect_caught(self, block, was, now):
        result = self.run_with(block, was, now)
        self.assertEqual((result["verdict"], result["named"]), ("caught", True), result["by"])

    def test_pe_with_a_weight_without_sign(self):
        self.expect_caught("pe", "$signed(switch_i ? shadow_q : active_q)", "$unsigned(switch_i ? shadow_q : active_q)")

    def test_requantizer_that_rounds_halves_away_from_even(self):
        self.expect_caught("requantizer", "up = shifted[0] && (rest || shifted[1]);", "up = shifted[0] && (rest && shifted[1]);")

    def test_load_dma_that_forgets_an_error(self):
        self.expect_caught("load_dma", "assign beat_error = rresp_i >= 2'b10;", "assign beat_error = rresp_i > 2'b10;")

    def test_scratchpad_that_is_never_quiet_which_is_no_mistake(self):
        self.assertEqual(self.run_with("vector_buffer", "quiet_o = 1'b1", "quiet_o = 1'b0")["verdict"], "survived")

    def test_no_mistake(self):
        self.assertEqual(self.run_with("pe", "if (load_i)", "if ( load_i)")["verdict"], "survived")

    @unittest.skipUnless(shutil.which("yosys") and shutil.which("yosys-abc"), "needs yosys and yosys-abc")
    def test_only_what_nobody_can_tell_is_proved(self):
        file = ROOT / "rtl/scratchpad/scratchpad.sv"
        text = file.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory(prefix="gemel-mutants-") as folder:
            prover = equivalence.Prover(OPTIONS.gemel, Path(folder) / "proofs", [ROOT / "tests/rtl_host/mutants1x1.yaml"])

            def proved(was, now):
                self.assertEqual(text.count(was), 1, "not planted")
                return prover.same("scratchpad", "vector_buffer", file, text.replace(was, now), folder)

            self.assertTrue(proved("data = '0;", "data = '1;"))  # before the first read
            self.assertTrue(proved("quiet_o = 1'b1;", "quiet_o = 1'b0;"))
            self.assertFalse(proved("end else if (read_i[k]) begin", "end else if (!read_i[k]) begin"))
            self.assertFalse(proved("data = read_data[Width*b +: Width]", "data = ~read_data[Width*b +: Width]"))
            self.assertFalse(proved("data = '0;", "this is not Verilog"))
            cut_off = folder + "/cut_off.il"  # Yosys fails, but there is a file
            self.assertFalse(prover.make(cut_off, f"design -reset; write_ilang {cut_off}; log -stderr; no_such_command"))
            self.assertTrue(Path(cut_off).exists())

    @unittest.skipUnless(shutil.which("yosys-abc"), "needs yosys-abc")
    def test_registers_that_have_to_be_equal_only_under_another(self):
        netlist = """.model side_by_side
.inputs clk_i rst_ni go flip
.outputs differs busy
.latch a_runs a.run re clk_i 2
.latch b_runs b.run re clk_i 2
.latch a_next a.value[0] re clk_i 2
.latch b_next b.value[0] re clk_i 2
.names rst_ni go a.run a_runs
11- 1
1-1 1
.names rst_ni go b.run b_runs
11- 1
1-1 1
# Cleared when it begins to run; in reset, too, but not in b.
.names rst_ni go a.run flip a.value[0] a_next
10-01 1
10-10 1
1-101 1
1-110 1
.names rst_ni go b.run flip b.value[0] b_next
10-01 1
10-10 1
1-101 1
1-110 1
0---1 1
.names a.run a.value[0] b.value[0] differs
110 1
101 1
.names busy
.end
"""
        under = {"value": {"run": 1}}
        with tempfile.TemporaryDirectory(prefix="gemel-mutants-") as folder:
            prover = equivalence.Prover(OPTIONS.gemel, folder, [])

            def proved(text, relation):
                return prover.by_induction(equivalence.Netlist(text, set()), relation, Path(folder) / "step.blif")

            self.assertTrue(proved(netlist, under))
            self.assertFalse(proved(netlist, {}))  # after reset they are not equal
            self.assertFalse(proved(netlist, {"value": {"run": 0}}))
            self.assertFalse(proved(netlist.replace("110 1\n101 1\n", "-10 1\n-01 1\n"), under))  # looked at always
            self.assertFalse(proved(netlist.replace("0---1 1", "----1 1"), under))  # not cleared when it begins
            with self.assertRaises(ValueError):  # cut off: what differs is driven by nothing
                proved(netlist[:netlist.index(".names a.run a.value[0]")], under)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
