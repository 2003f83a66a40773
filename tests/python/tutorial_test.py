# SPDX-License-Identifier: Apache-2.0
"""The tutorial's second half, from the .tflite file to the Verilog, run as written with a network of the same layers that needs no TensorFlow; and what
checks the page."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import tflm
import tutorial
from tflite_networks import Network

PAGE = tutorial.PAGE.read_text(encoding="utf-8")


class Page(unittest.TestCase):
    def test_blocks_are_programs(self):
        found = tutorial.blocks(PAGE)
        kinds = [one.kind for one in found]
        self.assertEqual((kinds[0], kinds.count("python"), kinds.count("sh")), ("sh", 2, 7))
        for one in found:
            if one.kind == "python":
                compile(one.text, f"line {one.line}", "exec")
            elif one.kind == "sh":
                done = subprocess.run(["bash", "-n"], input=one.text, text=True, capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""), f"line {one.line}")

    @unittest.skipIf(tflm.missing(), tflm.missing())
    @unittest.skipUnless(os.access(tutorial.ROOT / "build/release/gemel", os.X_OK), "build/release/gemel is not built")
    @unittest.skipUnless(os.access(tutorial.ROOT / ".venv/bin/python", os.X_OK), "there is no .venv, which ./check prepares")
    def test_from_the_file_to_the_array(self):
        n = Network(3, (1, 8, 8, 1))
        x = n.conv(n.conv(n.inputs[0], 16, 3, act="relu"), 32, 3, 2, act="relu")
        n.outputs = [n.conv(x, 10, 4, 4)]
        rng = np.random.default_rng(3)
        found = tutorial.blocks(PAGE)
        start = next(i for i, one in enumerate(found) if one.kind == "sh" and "gemel run" in one.text)
        with tempfile.TemporaryDirectory(prefix="gemel-tutorial-") as folder:
            Path(folder, "digits_int8.tflite").write_bytes(n.write())
            np.savez(Path(folder, "held.npz"), images=rng.uniform(0, 1, (12, 8, 8, 1)).astype(np.float32), labels=rng.integers(0, 10, 12))
            self.assertEqual(tutorial.run(found[start:], folder), 5)

    def test_what_is_shown_must_be_printed(self):
        printed = "a 1,234 (2.5 us)\nb  x\nc\n"
        for shown in ("a 7 (3 ms)\nc\n", "a 1 (2 us)\n...\nb x\n", ""):
            self.assertEqual(tutorial.absent(shown, printed), "")
        self.assertEqual(tutorial.absent("c\nb x\n", printed), "b x")
        self.assertEqual(tutorial.absent("d\n", printed), "d")

    def test_a_command_that_fails_and_other_cycles(self):
        for text, words in (("false\n", "line 1: exit status 1"), ("printf '  cycles  1,000 (a)\\n  cycles  1,001 (a)\\n'\n", "took [1000, 1001] cycles")):
            with self.assertRaises(tutorial.Failed) as raised:
                tutorial.run([tutorial.Block("sh", text, 1)], say=lambda _: None)
            self.assertIn(words, str(raised.exception))
        with self.assertRaises(tutorial.Failed):
            tutorial.run([tutorial.Block("sh", "echo a\n", 1), tutorial.Block("", "b\n", 2)], say=lambda _: None)

    def test_pages_that_are_none(self):
        for page in ("```c\nx\n```\n", "```python\nprint()\n```\n"):
            with self.assertRaises(ValueError):
                tutorial.blocks(page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
