# SPDX-License-Identifier: Apache-2.0
"""Areas: the page and both models follow from the table (docs/reference/area.csv), and Python says of every machine that comes with
Gemel what `gemel explain --area` says. The program is build/release/gemel, or the one that GEMEL_BINARY names."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from gemel.area import area, read_machine, size_bytes  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))


class Area(unittest.TestCase):
    def test_what_follows_from_the_table_is_committed(self):
        done = subprocess.run([sys.executable, ROOT / "scripts" / "area.py", "--check"], capture_output=True, text=True, check=False)
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


if __name__ == "__main__":
    unittest.main()
