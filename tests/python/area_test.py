# SPDX-License-Identifier: Apache-2.0
"""Areas: the page and both models follow from the table (docs/reference/area.csv), and Python says of every machine that comes with
Gemel what `gemel explain --area` says. The program is build/release/gemel, or the one that GEMEL_BINARY names."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from gemel.area import area, read_machine, size_bytes  # noqa: E402

SCRIPT = ROOT / "scripts" / "area.py"
GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))


class Area(unittest.TestCase):
    def test_what_follows_from_the_table_is_committed(self):
        done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(GEMEL.is_file(), f"{GEMEL} is not built")
    def test_python_says_what_the_program_says(self):
        machines = sorted((ROOT / "configs").glob("*.yaml"))
        self.assertGreaterEqual(len(machines), 5)
        extrapolated = 0
        for file in machines:
            text = subprocess.run([GEMEL, "explain", "--area", "-m", file], capture_output=True, text=True, check=True).stdout
            blocks = area(read_machine(file))
            for b in blocks:
                with self.subTest(machine=file.stem, block=b.name):
                    error = "extrapolated" if b.outside else f"+-{b.error_percent:.1f} %"
                    bits = [f"{b.memory_bits:,}"] if b.memory_bits else []
                    cells = [b.name, f"{b.nand2 / 1000:.1f}", error, *bits, "..".join(map(str, sorted(set(b.depth))))]
                    self.assertRegex(text, r"(?m)^ +" + " +".join(map(re.escape, cells)) + "$")
                    for name in b.outside:
                        self.assertIn(f"\n  {b.name}: {name} ", text)
                        extrapolated += 1
            self.assertIn(f" {sum(b.memory_bits for b in blocks):,}\n", text)
        self.assertGreater(extrapolated, 0)  # server128

    def test_sizes(self):
        self.assertEqual([size_bytes(text) for text in (4096, "64KiB", "1 MiB", "1GiB")], [4096, 65536, 1 << 20, 1 << 30])


# Static timing, without the tools: what is read of a library, of a netlist and of OpenSTA's report.
LIBRARY = """
library(small) {
  cell (NAND2) { area : 2.0; pin(A) { direction : input; } pin(Y) { direction : output; function : "(!(A B))"; } }
  cell (INVX4) { area : 3.0; pin(A) { direction : input; } pin(Y) { direction : output; function : "(!A)"; } }
  /* cell (INVX0) { area : 0.1; pin(Y) { direction : output; function : "(!A)"; } } */
  cell ("INVX1") { area : 1.5; pin(A) { direction : "input"; } pin(Y) { direction : "output"; function : "A'"; } }
  cell (DFF) { area : 9; pin(D) { direction : input; } pin(Q) { direction : output; function : "DS"; } }
}
"""
NETLIST = """module block(clk_i, go_i);
  DFF _1_ (
    .CLK(clk_i),
    .D(_2_),
    .Q(\\u_queue.count_q [3])
  );
  NAND2 _3_ (
    .A(go_i),
    .B(\\u_queue.count_q [3]),
    .Y(_2_)
  );
endmodule
"""
REPORT = """Startpoint: {}
            (rising edge-triggered flip-flop clocked by clock)
Endpoint: _1_ (rising edge-triggered flip-flop clocked by clock)
Path Group: clock
Path Type: max

   0.0000    0.0000 ^ _1_/CLK (DFF)
   0.3330    0.3330 v _1_/Q (DFF)
   0.1590    0.4920 ^ _3_/Y (NAND2)
   0.0000    0.4920 ^ _1_/D (DFF)
"""


class Timing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        spec = importlib.util.spec_from_file_location("area_script", SCRIPT)
        cls.script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(cls.script)
        cls.cells = cls.script.liberty_cells(LIBRARY)

    def test_a_library_is_read(self):
        self.assertEqual(self.cells["NAND2"], (2.0, {"Y": "(!(A B))"}))
        self.assertEqual(self.script.least_inverter(self.cells), "INVX1")

    def test_a_library_without_an_inverter_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no inverter"):
            self.script.least_inverter({"NAND2": self.cells["NAND2"]})

    def test_registers_go_by_the_nets_that_they_drive_and_pins_by_their_names(self):
        self.assertEqual(self.script.worst_path(REPORT.format("_1_"), NETLIST, self.cells), ("u_queue.count_q[3]", "u_queue.count_q[3]", 2))
        self.assertEqual(self.script.worst_path(REPORT.format("go_i"), NETLIST, self.cells)[0], "go_i")

    def test_memories_are_pins_and_their_clocks_no_paths(self):
        missing = [tool for tool in ("yosys", "sta") if shutil.which(tool) is None]
        if missing or not self.script.LIBERTY.exists():
            self.skipTest(f"not installed: {', '.join(missing) or 'qflow-tech-osu018'}")
        cells = self.script.liberty_cells(self.script.LIBERTY.read_text(errors="replace"))
        row, said = self.script.time_block("scratchpad", dict(WordBytes=1, Words=64, Banks=4, ReadClients=1, WriteClients=1), self.script.LIBERTY, cells, 300)
        self.assertIsNotNone(row, said)
        self.assertGreater(float(row["ns"]), 0)
        self.assertLess(float(row["ns"]), 10)  # of a period of 1000; half of it, where a memory's clock was taken for data
        self.assertNotIn("clk_i", (row["path_from"], row["path_to"]))

    def test_a_library_that_is_not_there_is_an_error(self):
        done = subprocess.run([sys.executable, SCRIPT, "--timing", "--liberty", "/none.lib"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, "/none.lib is not there; --liberty is a file of standard cells in liberty format\n"))

    def test_a_block_that_is_not_there_is_an_error(self):
        done = subprocess.run([sys.executable, SCRIPT, "--timing", "--blocks", "array"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no block array; there is pe, pe_array,", done.stdout)


if __name__ == "__main__":
    unittest.main()
