# SPDX-License-Identifier: Apache-2.0
"""scripts/verify_text_direction in small: a few lines of text through int8 on the machine, each element as in ONNX Runtime, where its packages are there."""

import sys
import tempfile
import unittest
from pathlib import Path

import onnx_reference

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import packages_apart  # noqa: E402
import text_direction  # noqa: E402
from packaged import ROOT  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402

PACKAGES = ROOT / "build" / "text_direction"


class TextDirection(unittest.TestCase):
    def test_a_package_without_the_model(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(packages_apart.Absent) as raised:
            text_direction.model(Path(folder))
        self.assertEqual(str(raised.exception), "the package rapidocr has no rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx")

    @unittest.skipUnless((PACKAGES / "installed.txt").is_file(), "absent: the text-direction classifier; scripts/verify_text_direction fetches it")
    def test_lines_of_text(self):
        pictures = text_direction.pictures(PACKAGES, 6, 7)
        images, labels = pictures["images"], pictures["labels"]
        self.assertEqual((images.shape, images.dtype, labels.tolist()), ((6, 3, 48, 192), np.float32, [0, 1, 0, 1, 0, 1]))
        self.assertTrue((np.abs(images) <= 1).all())
        self.assertGreater(images[0].std(), 0.05)
        again = text_direction.pictures(PACKAGES, 6, 7)["images"]
        self.assertTrue(np.array_equal(images, again))
        self.assertFalse(np.array_equal(images, text_direction.pictures(PACKAGES, 6, 8)["images"]))
        with tempfile.TemporaryDirectory() as folder:
            exact, int8 = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
            onnx.save(text_direction.model(PACKAGES), exact)
            gemel.quantize(exact, text_direction.pictures(PACKAGES, 16, 9)["images"], int8, method="percentile")
            tensors, elements, wrong, _ = onnx_reference.compare(import_model(int8), onnx.load(int8), {text_direction.INPUT: images[:1]}, "edge16")
            self.assertEqual(wrong, [])
            print(f"text direction: {elements:,} elements of {tensors} tensors are ONNX Runtime's")
            self.assertGreater(tensors, 50)
            self.assertGreaterEqual(gemel.accuracy(int8, pictures, "edge16").counts[0].right, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
