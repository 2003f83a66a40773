# SPDX-License-Identifier: Apache-2.0
"""gemel.accuracy() and `gemel run --data`: right answers counted in what the simulated machine leaves in memory, beside ONNX Runtime."""

import contextlib
import importlib.util
import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
from packaged import ENVIRONMENT, ROOT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import gemel  # noqa: E402
import trained  # noqa: E402


class Counting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gemel-accuracy-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.float, cls.int8, cls.data = cls.folder / "float.onnx", cls.folder / "int8.onnx", cls.folder / "held.npz"
        onnx.save(trained.network(), cls.float)
        images, cls.labels = trained.digits()
        np.savez(cls.data, images=images[trained.TRAINED_ON :], labels=cls.labels[trained.TRAINED_ON :])
        gemel.quantize(cls.float, images[: trained.TRAINED_ON], cls.int8)

    def test_machine_and_runtime_say_the_same_of_every_image(self):
        found = gemel.accuracy(self.int8, self.data, "edge16", beside=[self.int8, self.float])
        machine, runtime, real = found.counts
        self.assertEqual((found.images, len(machine.predictions)), (120, 120))
        self.assertTrue(np.array_equal(machine.predictions, runtime.predictions))
        self.assertEqual((machine.right, machine.agree), (runtime.right, runtime.agree))
        self.assertEqual(machine.right, int((machine.predictions == self.labels[trained.TRAINED_ON :]).sum()))
        self.assertGreater(real.right, 105)
        self.assertLessEqual(abs(machine.right - real.right), 2)  # of 120
        self.assertEqual(found.accuracy, machine.right / 120)
        self.assertEqual(found.cycles, gemel.run(self.int8, "edge16", timing_only=True).cycles)
        print(f"int8 {machine.right}, float {real.right} of 120 right; {found.cycles} cycles")

    def test_a_batch_that_does_not_divide_the_images(self):
        one = gemel.accuracy(self.int8, self.data, "tiny8", images=21)
        several = gemel.accuracy(self.int8, self.data, "tiny8", images=21, batch=8)
        self.assertTrue(np.array_equal(one.counts[0].predictions, several.counts[0].predictions))
        self.assertEqual((one.runs, several.runs, several.batch), (21, 3, 8))

    def test_a_workload_and_its_own_bytes(self):
        test = gemel.load("digits").test_images()
        expected = gemel.run("digits", "tiny8", test_images=True).accuracy
        found = gemel.accuracy("digits", {"image": test.images}, "tiny8")
        self.assertIsNone(found.accuracy)  # no labels
        np.savez(self.folder / "bytes.npz", images=test.images, labels=test.labels)
        self.assertEqual(gemel.accuracy("digits", self.folder / "bytes.npz", "tiny8").accuracy, expected)
        real = gemel.dequantized(test.images, gemel.load("digits").inputs[0])
        np.savez(self.folder / "real.npz", images=real, labels=test.labels)
        self.assertEqual(gemel.accuracy("digits", self.folder / "real.npz", "tiny8").accuracy, expected)

    def gemel(self, *arguments):
        return subprocess.run([onnx_reference.gemel_program(), *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def test_command_line(self):
        done = self.gemel("run", "int8.onnx", "--data", "held.npz", "--beside", "float.onnx", "-m", "edge16", "--set", "pe_array.rows=32")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(lines[0], ["model", "runs", "on", "right", "share", "as", "the", "machine"])
        self.assertEqual((lines[1][0], lines[2][0]), ("int8.onnx", "float.onnx"))
        cycles = gemel.run(self.int8, gemel.machine("edge16", rows=32), timing_only=True).cycles
        self.assertIn(f"120 images, {cycles:,} cycles for each", done.stdout)

    def test_the_example_compares_methods(self):
        images, labels = trained.digits()
        np.savez(self.folder / "calibrate.npz", images=images[: trained.TRAINED_ON])
        spec = importlib.util.spec_from_file_location("compare_methods", ROOT / "examples/python/compare_methods.py")
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        self.assertGreaterEqual(len(example.COMPRESSED) * len(example.QUANTIZED), 30)
        for name in ("1/4 of the filters removed", "2 of 4 weights", "low rank, 2/3 of the MACs"):  # some of them are enough here
            del example.COMPRESSED[name]
        del example.QUANTIZED["per tensor, improved"]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            example.main(str(self.float), str(self.folder / "calibrate.npz"), str(self.data), "tiny8")
        print(out.getvalue())
        rows = [(line[:28].strip(), line[29:51].strip(), line[51:].replace("%", "").replace(",", "").split()) for line in out.getvalue().splitlines()[1:]]
        self.assertEqual(len(rows), 20)
        table = {(compression, quantization): [float(cell) for cell in cells] for compression, quantization, cells in rows}
        plain, half = table["as it is", "per channel"], table["1/2 of the filters removed", "per channel"]
        self.assertLess(abs(plain[0] - plain[1]), 2.5)  # percent: int8 costs nearly nothing
        self.assertGreater(plain[5] / half[5], 1.6)  # cycles
        self.assertGreater(plain[5] / table["1/2 of the blocks zero", "per channel"][5], 1.2)
        recovered = table["1/2 of filters, recovered", "per channel"]
        self.assertGreaterEqual(recovered[1] - half[1], (plain[1] - half[1]) / 2)
        self.assertEqual(recovered[2:], half[2:])  # parameters, MACs, bytes, cycles
        self.assertEqual(table["1/2 of the weights zero", "per channel"][5], plain[5])
        int4, mixed = table["as it is", "int4, improved"], table["as it is", "60 % int4, improved"]
        self.assertEqual(int4[4] * 2, plain[4])  # bytes
        self.assertLessEqual(int4[4], mixed[4])
        self.assertLessEqual(mixed[4], 0.7 * plain[4])
        self.assertEqual(int4[5], plain[5])  # the machine has no int4
        self.assertLess(plain[1] - mixed[1], 4)  # percent of 120 images

    def refused(self, text, *arguments):
        done = self.gemel("run", *arguments)
        self.assertEqual((done.stderr, done.returncode, done.stdout), (text + "\n", 2, ""))

    def test_messages(self):
        np.save(self.folder / "large.npy", np.zeros((2, 1, 9, 8), np.float32))
        hint = "hint: numpy.savez(FILE, images=..., labels=...): the first dimension counts the images, the others are those of the network's input"
        self.refused("error[E1214]: images for input `image` have the shape [2, 1, 9, 8], but must have [images, 1, 8, 8]\n  large.npy\n" + hint,
                     "int8.onnx", "--data", "large.npy")  # fmt: skip
        self.refused("error[E0911]: `--data` and `--timing-only` exclude each other: --data runs image after image and counts, the other is of a single run\n"
                     "hint: leave out one of them", "int8.onnx", "--data", "held.npz", "--timing-only")  # fmt: skip
        self.refused("error[E0911]: --beside runs another model on the same images, and there are none\nhint: add --data FILE",
                     "int8.onnx", "--beside", "float.onnx")  # fmt: skip
        self.refused("error[E1101]: cannot read the model `absent.onnx`: No such file or directory",
                     "int8.onnx", "--data", "held.npz", "--beside", "absent.onnx")  # fmt: skip


if __name__ == "__main__":
    unittest.main(verbosity=2)
