# SPDX-License-Identifier: Apache-2.0
"""A bounded part of what `gemel regress` does at length: the whole chip on several machines, and RTL run again without skipping, with other
random bits at power-up and with other data. Each must have compared something, and each must see a block that is wrong in just that.
Called as: regress_test.py GEMEL CACHE_FOLDER [unittest arguments]"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GEMEL, CACHE = "", ""
ROOT = Path(__file__).resolve().parents[2]
SAME = r"again with registers that start with other random bits: the same beats in (\d+) runs\n"
TIMES = (r"again with zeros, and with other random numbers, for inputs and weights: the same cycles, counters and times of ([\d,]+) beats in "
         r"(\d+) runs\n")
CLOCKED = r"again with every block clocked in every cycle: the same beats in (\d+) runs; otherwise ([\d,]+) of ([\d,]+) clocks are skipped\n"


def number(text):
    return int(text.replace(",", ""))


class Regress(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-regress-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def regress(self, *arguments):
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE}
        out = [] if "--replay" in arguments else ["--out", "failures"]
        return subprocess.run([GEMEL, "regress", *out, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True,
                              timeout=5400, check=False)

    def passes(self, *arguments):
        done = self.regress(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def match(self, pattern, text):
        found = re.search(pattern, text)
        self.assertIsNotNone(found, text)
        return [number(group) for group in found.groups()]

    def test_whole_chip_on_three_machines(self):
        text = self.passes("--count", "12", "--machines", "3", "--blocks", "npu=rtl", "--repeat", "reset,data")
        uneven, odd = self.match(r"^3 machines: rows \d\.\.\d, columns \d\.\.\d, (\d) with rows != columns, (\d) with an odd side, lanes ", text)
        self.assertGreater(uneven, 0)
        self.assertGreater(odd, 0)
        self.assertGreater(self.match(r" (\d+) of 12 cases with random stalls\n", text)[0], 0)
        cycles, beats = self.match(r"\nequal to the models: ([\d,]+) cycles, every counter, [\d,]+ bytes of memory, cycle and payload of ([\d,]+) beats\n",
                                   text)
        self.assertGreater(cycles, 10_000)
        self.assertGreater(beats, 1_000)
        self.assertEqual(self.match(SAME, text), [36])
        self.assertEqual(self.match(TIMES, text)[1], 24)
        self.assertTrue(text.endswith("\nrandom cases, seed 1: 12 passed, 0 failed\n"), text)

    def test_skipped_clocks_change_nothing(self):
        text = self.passes("--count", "12", "--machines", "1", "--blocks", "all=rtl,sequencer=model", "--repeat", "no-skip")
        runs, skipped, clocks = self.match(CLOCKED, text)
        self.assertEqual(runs, 12)
        self.assertGreater(skipped, clocks // 20)

    def test_array_between_the_fast_models(self):
        text = self.passes("--count", "8", "--machines", "2", "--blocks", "pe_array=rtl", "--blocks", "pe_array=check", "--repeat", "data")
        runs = self.match(r"between the fast models: the same cycles, counters, instructions and memory in (\d+) runs\n", text)
        self.assertEqual(runs, [24])

    def wrong(self, block, source, *changes):
        """`block=rtl:...` with Gemel's own source, changed."""
        sources = []
        for path in sorted(ROOT.glob("rtl/*/*.sv")):
            if path.name.endswith("_pkg.gen.sv") or path.parent.name == "bench":
                continue
            text = path.read_text(encoding="utf-8")
            if path.name == source:
                for old, new in changes:
                    self.assertIn(old, text)
                    text = text.replace(old, new)
            (self.folder / path.name).write_text(text, encoding="utf-8")
            sources.append(path.name)
        (self.folder / "assertions.svh").write_text((ROOT / "rtl/common/assertions.svh").read_text(encoding="utf-8"), encoding="utf-8")
        return f"{block}=rtl:" + ",".join(sources)

    def test_data_in_the_timing_is_seen_and_replayed(self):
        blocks = self.wrong(
            "load_dma", "load_dma.sv",
            ("done_o <= done_next_q;", "done_o <= (done_next_q && !slow_q) || late_q; late_q <= done_next_q && slow_q; "
                                       "if (rvalid_i) slow_q <= ^rdata_i;"),
            ("done_o <= 1'b0;", "done_o <= 1'b0; late_q <= 1'b0; slow_q <= 1'b0;"),
            ("done_o || done_next_q ||", "done_o || done_next_q || late_q ||"),
            ("  logic [2:0] buffer_q;", "  logic late_q, slow_q;\n  logic [2:0] buffer_q;"),
        )
        done = self.regress("--count", "1", "--machines", "1", "--blocks", blocks, "--repeat", "data")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stdout, r"\nbeats differ: .*load_dma\.completion of load_dma")
        self.assertRegex(done.stdout, r"\nwith zeros for data: times of beats differ: .*load_dma\.completion of load_dma")
        again = self.regress("--replay", "failures/case0")
        self.assertEqual(again.returncode, 4, again.stderr)
        self.assertIn("\nwith zeros for data: times of beats differ: ", again.stdout)

    def test_registers_without_reset_are_seen(self):
        blocks = self.wrong(
            "requantizer", "requantizer.sv",
            ("    assign y_o[32*i +: 32] = y_q;",
             "    logic [7:0] junk_q;\n    always_ff @(posedge clk_i) junk_q <= junk_q;\n    assign y_o[32*i +: 32] = y_q ^ {24'd0, junk_q};"),
        )
        done = self.regress("--count", "1", "--machines", "1", "--blocks", blocks, "--repeat", "reset")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stdout, r"\nwith registers that start otherwise, seed \d: beats differ: .*requantizer\.out of requantizer")


if __name__ == "__main__":
    GEMEL, CACHE = str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve())
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
