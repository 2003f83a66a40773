# SPDX-License-Identifier: Apache-2.0
"""examples/platform and examples/two_npus as a stranger builds them: Gemel installed somewhere, the example copied into an empty folder,
found through find_package(gemel). Models, one block as RTL, the whole chip as RTL and in lockstep end in the same cycle with the same results.
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
TWO_NPUS = [
    f"npu{n}: {line}"
    for n, first, again in ((0, 33425, 33354), (1, 33497, 33354))
    for line in (
        f"a network: done, {first} cycles, outputs' checksum 246984418",
        "a wait for ever: aborted",
        "a load of nothing: reset",
        f"the network again: done, {again} cycles, outputs' checksum 246984418",
    )
]
RESULT = "19973 cycles, outputs' checksum 246984418"  # digits on tiny8; memory answers in 80 ns


def run(*command, cwd=None, **more):
    environment = {k: v for k, v in os.environ.items() if k != "GEMEL_HOME"}
    environment.update({"GEMEL_CACHE": CACHE, **more})
    return subprocess.run([str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=5400, check=False)


def must(*command, cwd):
    done = run(*command, cwd=cwd)
    if done.returncode != 0:
        raise AssertionError(f"{command}\n{done.stdout}{done.stderr}")


TEMPORARY = tempfile.TemporaryDirectory(prefix="gemel-platform-")
INSTALLED = Path(TEMPORARY.name) / "installed"


def setUpModule():
    unittest.addModuleCleanup(TEMPORARY.cleanup)
    must(CMAKE, "--install", BUILD, "--prefix", INSTALLED, cwd=TEMPORARY.name)


def build(example):
    """The example in a folder of its own, built against the installation."""
    folder = Path(TEMPORARY.name) / example
    shutil.copytree(ROOT / "examples" / example, folder)
    must(CMAKE, "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={INSTALLED}", cwd=folder)
    must(CMAKE, "--build", "build", cwd=folder)
    return folder


class Example(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = build("platform")
        must(INSTALLED / "bin/gemel", "compile", "digits", "--machine", "tiny8", cwd=cls.folder)

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


class TwoNpus(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = build("two_npus")

    def lines(self, *insides):
        done = run("build/two_npus", *insides, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout[done.stdout.index("npu0:"):].splitlines()  # SystemC says who it is before

    def test_models_and_rtl_end_alike(self):
        models = self.lines()
        programs = [line for line in models if not line.startswith(" ") and "layers" not in line]
        self.assertEqual(programs, TWO_NPUS)
        self.assertEqual(models[4], "npu0: 12 layers, 33354 cycles, read 50808 bytes, wrote 5962")
        self.assertRegex(models[5], r"^  conv1: cycles \d+ to \d+$")
        for insides in (("models", "npu=rtl"), ("npu=rtl", "models"), ("pe_array=rtl", "npu=rtl")):
            with self.subTest(insides=insides):
                lines = self.lines(*insides)
                self.assertEqual([line for line in lines if not line.startswith(" ")], [line for line in models if not line.startswith(" ")])
                self.assertEqual(len(lines) < len(models), "npu=rtl" in insides)  # the whole chip does not show when it works for which layer


if __name__ == "__main__":
    CMAKE, BUILD, CACHE = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
