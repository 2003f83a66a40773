# SPDX-License-Identifier: Apache-2.0
"""examples/platform as a stranger builds it: Gemel installed somewhere, the example copied into an empty folder, found through
find_package(gemel). Models, one block as RTL, the whole chip as RTL and in lockstep end in the same cycle with the same results.
Called as: example_test.py CMAKE BUILD_FOLDER CACHE_FOLDER [unittest arguments]"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE, BUILD, CACHE = "", "", ""
ROOT = Path(__file__).resolve().parents[2]
RESULT = "16784 cycles, outputs' checksum 246984418"  # digits on tiny8; memory answers in 80 ns


def run(*command, cwd=None, **more):
    environment = {k: v for k, v in os.environ.items() if k != "GEMEL_HOME"}
    environment.update({"GEMEL_CACHE": CACHE, **more})
    return subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=5400, check=False)


class Example(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="gemel-platform-")
        cls.addClassCleanup(cls.temporary.cleanup)
        installed, cls.folder = Path(cls.temporary.name) / "installed", Path(cls.temporary.name) / "mine"
        shutil.copytree(ROOT / "examples/platform", cls.folder)
        for command in (
            (CMAKE, "--install", BUILD, "--prefix", installed),
            (CMAKE, "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed}"),
            (CMAKE, "--build", "build"),
            (installed / "bin/gemel", "compile", "digits", "--machine", "tiny8"),
        ):
            done = run(*command, cwd=cls.folder)
            if done.returncode != 0:
                raise AssertionError(f"{command}\n{done.stdout}{done.stderr}")

    def platform(self, *blocks, **more):
        return run("build/platform", "digits.gemel", "tiny8", *blocks, cwd=self.folder, **more)

    def test_every_implementation_ends_alike(self):
        for blocks in ((), ("pe_array=rtl",), ("npu=rtl",), ("npu=check",), ("all=check",)):
            with self.subTest(blocks=blocks):
                done = self.platform(*blocks)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(done.stdout.splitlines()[-1], RESULT)

    def test_the_chip_is_really_rtl(self):
        done = self.platform("npu=rtl", GEMEL_CACHE=str(self.folder / "empty"), PATH=str(self.folder))
        self.assertEqual(done.returncode, 1)
        self.assertIn("error[E1002]: Verilator cannot be run: No such file or directory\n", done.stderr)

    def test_a_difference_names_the_instruction(self):
        done = self.platform(f"requantizer=check:{ROOT}/tests/rtl/own_verilog/never_valid.sv")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr,
            r"error\[E0806\]: block `requantizer` differs from its model at cycle \d+, port `valid_o`: is 0, must be 1\n"
            r"  instruction \d+: requantize .*src0=",
        )

    def test_verilog_that_hangs_is_told(self):
        done = self.platform(f"requantizer=rtl:{ROOT}/tests/rtl/own_verilog/endless_loop.sv", GEMEL_RTL_EVAL_SECONDS="2")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr,
            r"error\[E1016\]: block `requantizer`, clock \d+: the Verilog has not come to the end of this clock for 2 seconds\n"
            r"hint: is there a loop in it that never ends\? GEMEL_RTL_EVAL_SECONDS sets another limit\n$",
        )

    def test_the_chip_goes_with_no_other_block(self):
        done = self.platform("npu=rtl", "pe_array=rtl")
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            "error[E1010]: `npu` is the whole chip: it goes with no other block\nhint: to compare block by block: --block all=check\n",
            done.stderr,
        )


if __name__ == "__main__":
    CMAKE, BUILD, CACHE = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
