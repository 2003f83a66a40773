# SPDX-License-Identifier: Apache-2.0
"""The integer reference against vectors that went through TFLite's own functions, and cases worked by hand."""

import csv
import gzip
import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from gemel.reference import Quantization, Workload, accuracy, quantize_multiplier, requantize  # noqa: E402
from gemel.tensors import read_safetensors, write_safetensors  # noqa: E402

VECTORS = ROOT.parent / "shared" / "data" / "derived" / "requant"


def seed() -> int:
    """GEMEL_SEED replays a run; without it each run draws its own, and prints it."""
    value = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"GEMEL_SEED={value}", flush=True)
    return value


class Requantization(unittest.TestCase):
    @unittest.skipUnless(VECTORS.is_dir(), "the TFLite vectors are not beside this checkout")
    def test_equals_tflite_with_double_rounding(self):
        with gzip.open(VECTORS / "tflite_MultiplyByQuantizedMultiplier.csv.gz", "rt", encoding="utf-8") as file:
            rows = [list(map(int, r[1:5])) for r in csv.reader(file) if r[0] == "32"]
        x, multiplier, shift, expected = np.array(rows, np.int64).T
        self.assertGreater(len(x), 20000)
        np.testing.assert_array_equal(requantize(x, multiplier, shift), expected)

    @unittest.skipUnless(VECTORS.is_dir(), "the TFLite vectors are not beside this checkout")
    def test_multipliers_equal_tflite(self):
        with open(VECTORS / "tflite_QuantizeMultiplier.csv", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        self.assertGreater(len(rows), 1000)
        for real, multiplier, shift in rows:
            self.assertEqual(quantize_multiplier(float(real)), (int(multiplier), int(shift)), real)

    def test_rounds_halves_away_from_zero_at_the_second_step(self):
        half = quantize_multiplier(0.5)
        self.assertEqual(half, (1 << 30, 0))
        # multiplier 2^30, shift -1: x/4. The first step halves and rounds half up, the second halves and rounds away from zero.
        np.testing.assert_array_equal(requantize(np.array([2, -2, 6, -6, 1, -1]), 1 << 30, -1), [1, -1, 2, -2, 1, 0])


class Layers(unittest.TestCase):
    """Single layers against loops that read like the definition."""

    def run_layer(self, layer, tensors, inputs, quantization):
        with tempfile.TemporaryDirectory() as folder:
            write_safetensors(Path(folder) / "t.safetensors", tensors)
            entries = [f"{{name: {n}, shape: {list(v.shape)}, type: int8, scale: {s}, zero_point: {z}}}" for (n, v), (s, z) in
                       zip(inputs.items(), quantization, strict=True)]  # fmt: skip
            text = (
                "arithmetic: fixed_double\ntensors: t.safetensors\ninputs: [" + ", ".join(entries) + "]\nlayers: []\n"
            )
            (Path(folder) / "t.yaml").write_text(text, encoding="utf-8")
            workload = Workload(Path(folder) / "t.yaml")
        names = list(inputs)
        out = Quantization.of(layer["output"]) if "output" in layer else workload.quantization[names[0]]
        compute = getattr(workload, "_" + layer["op"])
        return compute(
            layer, [inputs[n].astype(np.int64) for n in names], [workload.quantization[n] for n in names], out
        )

    def test_convolution_with_stride_dilation_and_groups_equals_loops(self):
        rng = np.random.default_rng(seed())
        for _ in range(20):
            groups, inner, per_group = (int(v) for v in rng.integers(1, 4, 3))
            kernel, stride, dilation = ([int(v) for v in rng.integers(1, 4, 2)] for _ in range(3))
            pads = [int(v) for v in rng.integers(0, 3, 4)]
            h, w = (int(v) for v in rng.integers(8, 12, 2))
            zero, scale = int(rng.integers(-128, 128)), 0.05
            x = rng.integers(-128, 128, (2, h, w, groups * inner))
            weight = rng.integers(-127, 128, (groups * per_group, *kernel, inner)).astype(np.int8)
            bias = rng.integers(-1000, 1000, groups * per_group).astype(np.int32)
            scales = rng.uniform(0.001, 0.01, groups * per_group).astype(np.float32)
            layer = {"name": "c", "op": "conv2d", "kernel": kernel, "stride": stride, "dilation": dilation, "padding": pads,
                     "groups": groups, "output": {"scale": 0.02, "zero_point": 5}}  # fmt: skip
            got = self.run_layer(
                layer, {"c.weight": weight, "c.bias": bias, "c.weight_scale": scales}, {"x": x}, [(scale, zero)]
            )
            n, oh, ow, oc = got.shape
            expected = np.empty_like(got)
            for i in np.ndindex(n, oh, ow, oc):
                total = int(bias[i[3]])
                for ky, kx, c in np.ndindex(kernel[0], kernel[1], inner):
                    y = i[1] * stride[0] + ky * dilation[0] - pads[0]
                    xx = i[2] * stride[1] + kx * dilation[1] - pads[1]
                    if 0 <= y < h and 0 <= xx < w:
                        total += (int(x[i[0], y, xx, i[3] // per_group * inner + c]) - zero) * int(
                            weight[i[3], ky, kx, c]
                        )
                m, s = quantize_multiplier(scale * float(scales[i[3]]) / 0.02)
                expected[i] = min(max(int(requantize(np.array(total), m, s)) + 5, -128), 127)
            self.assertEqual(oh, (h + pads[0] + pads[2] - (kernel[0] - 1) * dilation[0] - 1) // stride[0] + 1)
            np.testing.assert_array_equal(got, expected)

    def test_addition_is_within_one_of_the_real_sum(self):
        a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
        for op, sign in (("add", 1), ("sub", -1)):
            layer = {"name": "s", "op": op, "output": {"scale": 0.07, "zero_point": 3}}
            got = self.run_layer(
                layer, {}, {"a": a.reshape(1, 256, 256, 1), "b": b.reshape(1, 256, 256, 1)}, [(0.05, -4), (0.03, 9)]
            )
            real = np.clip((0.05 * (a + 4) + sign * 0.03 * (b - 9)) / 0.07 + 3, -128, 127)
            self.assertLess(np.abs(got.reshape(256, 256) - real).max(), 0.51)

    def test_product_is_within_one_of_the_real_product(self):
        a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
        layer = {"name": "p", "op": "mul", "output": {"scale": 0.4, "zero_point": 3}}
        got = self.run_layer(
            layer, {}, {"a": a.reshape(1, 256, 256, 1), "b": b.reshape(1, 256, 256, 1)}, [(0.05, -4), (0.03, 9)]
        )
        real = np.clip(0.05 * (a + 4) * 0.03 * (b - 9) / 0.4 + 3, -128, 127)
        self.assertLess(np.abs(got.reshape(256, 256) - real).max(), 0.51)

    def test_products_of_computed_matrices_are_within_one_of_the_real_product(self):
        rng = np.random.default_rng(seed())
        quantization = [(0.02, 5), (0.03, -7)]
        output = {"scale": 0.5, "zero_point": 3}
        a, b = rng.integers(-128, 128, (2, 6, 3, 10)).astype(np.int8), rng.integers(-128, 128, (2, 3, 4, 10)).astype(np.int8)
        grouped = self.run_layer({"name": "m", "op": "grouped_matmul", "groups": 3, "output": output}, {},
                                 {"a": a.reshape(2, 6, 30), "b": b}, quantization)  # fmt: skip
        heads = a.transpose(0, 2, 1, 3)
        batch = self.run_layer({"name": "m", "op": "batch_matmul", "output": output}, {}, {"a": heads, "b": b.transpose(0, 1, 3, 2)}, quantization)
        np.testing.assert_array_equal(grouped.reshape(2, 6, 3, 4).transpose(0, 2, 1, 3), batch)
        real = 0.02 * 0.03 * ((heads.astype(float) - 5) @ (b.astype(float) + 7).transpose(0, 1, 3, 2)) / 0.5 + 3
        self.assertLessEqual(np.abs(batch - np.clip(real, -128, 127)).max(), 1)

    def test_bytes_of_sums_are_the_sums(self):
        rng = np.random.default_rng(seed())
        x, weight = rng.integers(-128, 128, (1, 5, 4, 6)).astype(np.int8), rng.integers(-128, 128, (7, 3, 3, 6)).astype(np.int8)
        bias = rng.integers(-(1 << 30), 1 << 30, 7).astype(np.int32)
        layer = {"name": "c", "op": "conv2d", "kernel": 3, "padding": "same", "sum_bytes": 4}
        raw = self.run_layer(layer, {"c.weight": weight, "c.bias": bias}, {"x": x}, [(0.1, 9)])
        sums = np.ascontiguousarray(raw.astype(np.uint8).reshape(1, 5, 4, 4, 7).transpose(0, 1, 2, 4, 3)).view("<i4")[..., 0]
        real = self.run_layer({**layer, "sum_bytes": 3}, {"c.weight": weight, "c.bias": bias}, {"x": x}, [(0.1, 9)])
        np.testing.assert_array_equal(real, raw[..., :21])
        padded = np.pad(x.astype(np.int64) - 9, ((0, 0), (1, 1), (1, 1), (0, 0)))
        for y, xx, o in np.ndindex(5, 4, 7):
            self.assertEqual(sums[0, y, xx, o], int((padded[0, y : y + 3, xx : xx + 3] * weight[o]).sum()) + int(bias[o]))
        a, b = rng.integers(-128, 128, (1, 3, 8)).astype(np.int8), rng.integers(-128, 128, (1, 2, 5, 4)).astype(np.int8)
        raw = self.run_layer({"name": "m", "op": "grouped_matmul", "groups": 2, "sum_bytes": 2}, {}, {"a": a, "b": b}, [(0.1, 3), (0.1, -4)])
        exact = np.einsum("nrgk,ngjk->nrgj", a.astype(int).reshape(1, 3, 2, 4) - 3, b.astype(int) + 4).reshape(1, 3, 10)
        np.testing.assert_array_equal(raw, np.concatenate([exact & 255, exact >> 8 & 255], axis=-1))

    def test_average_counts_only_taps_inside_and_rounds_away_from_zero(self):
        layer = {"name": "p", "op": "avg_pool", "kernel": 2, "stride": 2, "padding": "same"}
        x = np.array([[1, 2, -3], [2, 1, -2], [7, 8, -1]]).reshape(1, 3, 3, 1)
        got = self.run_layer(layer, {}, {"x": x}, [(1.0, 0)])
        np.testing.assert_array_equal(got.reshape(2, 2), [[2, -3], [8, -1]])  # 6/4, -5/2; 15/2, -1/1

    def test_global_average_of_a_constant_is_that_constant(self):
        layer = {"name": "g", "op": "global_avg_pool", "output": {"scale": 0.5, "zero_point": 7}}
        for value in (-128, -1, 0, 100, 127):
            got = self.run_layer(layer, {}, {"x": np.full((1, 7, 5, 2), value)}, [(0.5, 7)])
            np.testing.assert_array_equal(got.ravel(), [value, value])


class Safetensors(unittest.TestCase):
    def test_what_is_written_is_read_back(self):
        tensors = {
            "b": np.arange(6, dtype=np.int32).reshape(2, 3),
            "a": np.array([1.5], np.float32),
            "e": np.zeros((0, 4), np.int8),
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.safetensors"
            write_safetensors(path, tensors)
            self.assertEqual(os.listdir(folder), ["x.safetensors"])
            back = read_safetensors(path)
            self.assertEqual(sorted(back), ["a", "b", "e"])
            for name, array in tensors.items():
                self.assertEqual(back[name].dtype, array.dtype)
                np.testing.assert_array_equal(back[name], array)
            for size in (3, 20, path.stat().st_size - 1):  # truncated anywhere: an error, not a wrong tensor
                cut = Path(folder) / "cut"
                cut.write_bytes(path.read_bytes()[:size])
                with self.assertRaises(ValueError):
                    read_safetensors(cut)


class Digits(unittest.TestCase):
    """The committed network is as good as it says."""

    def setUp(self):
        self.workload = Workload(ROOT / "workloads" / "digits.yaml")
        self.images, self.labels = self.workload.tensors["test.images"], self.workload.tensors["test.labels"]

    def test_int8_accuracy_is_high_and_near_float(self):
        self.assertGreaterEqual(len(self.images), 300)
        self.assertEqual(sorted(set(self.labels.tolist())), list(range(10)))
        got = accuracy(self.workload.run(self.images)["dense"], self.labels)
        self.assertGreaterEqual(got, 0.97)
        self.assertLessEqual(abs(float(self.workload.tensors["test.float_accuracy"][0]) - got), 0.005)

    def test_scores_in_the_file_are_those_of_the_reference(self):
        scores = self.workload.run(self.images)["dense"].reshape(len(self.images), -1)
        np.testing.assert_array_equal(scores, self.workload.tensors["test.scores"])

    def test_activations_use_their_range(self):
        for name, values in self.workload.run(self.images).items():
            self.assertGreater(int(values.max()) - int(values.min()), 100, name)
            if name not in ("image", "dense"):
                self.assertGreater(len(np.unique(values)), 60, name)

    def test_test_images_are_those_of_the_data_set(self):
        source = ROOT.parent / "shared" / "data" / "sklearn_digits" / "digits.csv.gz"
        if not source.is_file():
            self.skipTest("the data set is not beside this checkout")
        with gzip.open(source, "rt", encoding="utf-8") as file:
            rows = {tuple(int(float(v)) for v in r) for r in csv.reader(file)}
        pixels = (self.images.astype(int).reshape(-1, 64) + 128) // 15
        np.testing.assert_array_equal(15 * pixels - 128, self.images.reshape(-1, 64))
        for p, label in zip(pixels.tolist(), self.labels.tolist(), strict=True):
            self.assertIn((*p, label), rows)


if __name__ == "__main__":
    unittest.main()
