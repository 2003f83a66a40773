# SPDX-License-Identifier: Apache-2.0
"""scripts/verify_compression in small: the table on handwritten digits, what it is judged by, and the forms in which tables are printed."""

import contextlib
import gzip
import io
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import compression_table
import numpy as np
from tables import table


class Table(unittest.TestCase):
    def test_digits_take_the_place_of_what_is_absent(self):
        """Nine ways with one quantization each: the table, and the claims hold in it."""
        made = compression_table.example()
        for name in ("1/4 of the filters removed", "low rank 1/2, recovered", "1/2 of the blocks, recovered"):
            del made.COMPRESSED[name]
        made.QUANTIZED = {compression_table.INT8: {}}
        out, said = io.StringIO(), io.StringIO()
        with tempfile.TemporaryDirectory() as nothing, contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), \
             mock.patch.object(compression_table, "example", return_value=made), \
             mock.patch.object(sys, "argv", ["x", "--data", nothing, "--form", "csv"]):  # fmt: skip
            status = compression_table.main()
        print(out.getvalue())
        lines = out.getvalue().splitlines()
        self.assertEqual((status, lines[0]), (0, ",".join(compression_table.HEADS)))
        self.assertEqual(len(lines), 1 + len(made.COMPRESSED) + 1)
        self.assertIn("handwritten digits instead", said.getvalue())
        self.assertTrue(lines[-1].startswith("digits: learnt from 240 images, 120 others counted, on edge16"))

    def test_what_does_not_hold_is_named(self):
        made = compression_table.example()

        def row(compression, accuracy, zeros, macs, cycles):
            return made.Row(compression, compression_table.INT8, accuracy, accuracy, 100, zeros, macs, 100, cycles)

        good = [row("as it is", 0.9, 0, 900, 1600), row("1/2 of the filters removed", 0.5, 0, 300, 1000), row("1/2 of filters, recovered", 0.71, 0, 300, 1000),
                *(row(name, 0.8, 50, 900, 1600) for name in compression_table.ZEROS), row("low rank, 2/3 of the MACs", 0.8, 0, 600, 1599),
                row(compression_table.BLOCKS, 0.8, 50, 900, 1391)]  # fmt: skip
        self.assertEqual(compression_table.judged(good), [])
        for at, change, words in ((1, {"cycles": 1001}, "less than 1.6 times fewer"), (2, {"accuracy": 0.69}, "less than half of what pruning lost"),
                                  (3, {"cycles": 1599}, "zeros alone save no cycles"), (4, {"zeros": 33}, "zeros alone save no cycles"),
                                  (5, {"cycles": 1600}, "a third fewer MACs"), (6, {"cycles": 1392}, "less than 1.15 times fewer")):  # fmt: skip
            bad = list(good)
            bad[at] = replace(good[at], **change)
            found = compression_table.judged(bad)
            self.assertEqual(len(found), 1, found)
            self.assertIn(words, found[0])

    def test_files_of_mnist(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x.gz")
            array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
            good = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
            path.write_bytes(gzip.compress(good))
            self.assertTrue(np.array_equal(compression_table.read_idx(path, 3), array))
            for bad in (good[:-1], good + b"x", bytes((0, 0, 9, 3)) + good[4:]):
                path.write_bytes(gzip.compress(bad))
                with self.assertRaises(ValueError):
                    compression_table.read_idx(path, 3)

    def test_forms(self):
        rows = [["a", 1234, 1.25, None], ["bc", 5, 10.0, "x"]]
        self.assertEqual(table(["way", "n", "share", "more"], rows), "way      n  share  more\na    1,234    1.2\nbc       5   10.0  x")
        self.assertEqual(table(["way", "n", "share", "more"], rows, "csv"), "way,n,share,more\na,1234,1.25,\nbc,5,10.0,x")
        self.assertEqual(table(["way", "n"], [["a", 1234]], "markdown"), "| way | n |\n| --- | ---: |\n| a | 1,234 |")
        with self.assertRaises(ValueError):
            table(["way"], rows)


if __name__ == "__main__":
    unittest.main(verbosity=2)
