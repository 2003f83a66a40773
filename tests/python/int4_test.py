# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits in gemel.quantize() and `gemel quantize`: what stands in the model, which layers are chosen and by what, sizes, accuracy, messages."""

import itertools
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
from onnx import numpy_helper
from onnx_networks import INPUT, Network
from onnx_reference import compare
from packaged import ENVIRONMENT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import trained  # noqa: E402
from recurrent_networks import Recurrent  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402
from gemel.rewrite.calibrate import moments  # noqa: E402
from gemel.rewrite.graph import load_float  # noqa: E402
from gemel.rewrite.images import Images  # noqa: E402
from gemel.rewrite.int4 import least_noise  # noqa: E402
from gemel.rewrite.plan import weights_of  # noqa: E402
from gemel.rewrite.qdq import along, to_whole, weight_scales  # noqa: E402
from gemel.rewrite.rounding import rounded  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402

SIZES = {"relu2": 3 * 8 * 9, "relu5": 8 * 8 * 9, "relu8": 8 * 16, "gemm11": 16 * 5}  # weights by layer


def network(outlier: bool = False) -> Network:
    """Three convolutions and a dense layer. `outlier`: the second convolution has large weights for a channel that is always 0, and 4 bits leave little of
    the others."""
    n = Network("four", (1, 3, 8, 8), 4)
    x = n.conv(n.conv(n.conv(INPUT, 8, 3), 8, 3), 16, 1)
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 16, 5)]
    if outlier:
        for name, index, value in ((n.nodes[1].input[3], 0, 100.0), (n.nodes[3].input[1], (slice(None), 0, 0, 0), 5.0)):  # a mean, weights
            constant = next(t for t in n.constants if t.name == name)
            array = numpy_helper.to_array(constant).copy()
            array[index] = value
            constant.CopyFrom(numpy_helper.from_array(array, name))
    return n


def drawn(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 8, 8)).astype(np.float32)


def weights(model: onnx.ModelProto) -> dict[int, np.ndarray]:
    """Constants of int8 by their number of elements."""
    found = (numpy_helper.to_array(t) for t in model.graph.initializer)
    return {a.size: a for a in found if a.dtype == np.int8 and a.ndim > 1}


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-int4-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        onnx.save(network().proto(), self.folder / "four.onnx")

    def made(self, images=None, name: str = "four.onnx", **options):
        out = self.folder / "int8.onnx"
        result = gemel.quantize(self.folder / name, drawn(24) if images is None else images, out, **options)
        return result, onnx.load(out)


class Models(InFolder):
    def test_numbers_of_the_model_and_of_the_report(self):
        """All int4, two named layers, and none: what stands in the file is what the report says."""
        for options, four in (({"weights": "int4"}, set(SIZES)), ({"int4": ["relu5", "gemm11"]}, {"relu5", "gemm11"}), ({}, set())):
            with self.subTest(options):
                result, model = self.made(**options)
                held = weights(model)
                for name, size in SIZES.items():
                    largest = int(np.abs(held[size].astype(int)).max())
                    self.assertEqual(largest, 7 if name in four else 127, name)
                bits = {one.name: one.bits for one in result.layers if one.bits is not None}
                self.assertEqual(bits, {name: 4 if name in four else 8 for name in SIZES})
                self.assertEqual(result.weight_bytes, sum(SIZES.values()))
                self.assertEqual(result.weight_bytes, sum(a.size for a in held.values()))
                self.assertEqual(result.packed_weight_bytes, sum(size // 2 if name in four else size for name, size in SIZES.items()))
                report = result.report()
                self.assertEqual((report["weight_bytes"], report["packed_weight_bytes"]), (result.weight_bytes, result.packed_weight_bytes))
                self.assertEqual({one["name"]: one["bits"] for one in report["layers"] if one["bits"]}, bits)
                if four:
                    self.assertIn(f"weights: {result.packed_weight_bytes} bytes with 4 bits for int4, {result.weight_bytes} as stored: the machine has no int4 "
                                  "yet, so they are int8 of -7 to 7", result.notes)  # fmt: skip
                    self.assertRegex(result.notes[0], rf"^int4 weights: {len(four)} of 4 layers; outputs [0-9.]+ dB with int8, [0-9.]+ dB so \(24 images\)$")
                    self.assertEqual(str(result).splitlines()[0].split(), ["operator's", "result", "operator", "bits", "SQNR", "weights'", "least", "largest"])
                else:
                    self.assertEqual(result.notes, ())
                    self.assertNotIn("bits", str(result))

    def test_runtime_and_machine_compute_the_same(self):
        for options in ({"weights": "int4"}, {"int4_share": 0.6, "improve": True}, {"weights": "int4", "per_channel": False}):
            with self.subTest(options):
                result, model = self.made(**options)
                tensors, _, wrong, nodes = compare(import_model(self.folder / "int8.onnx"), model, {INPUT: drawn(1)}, "odd7x13")
                self.assertEqual((wrong, nodes["Conv"] + nodes["Gemm"]), ([], 0))
                self.assertGreater(tensors, 4)

    def test_a_scale_of_4_bits_has_the_least_error(self):
        rng = np.random.default_rng(2)
        w = rng.laplace(size=(6, 5, 3, 3)).astype(np.float32)
        w[3] = 0
        for per_channel in (True, False):
            scale = weight_scales(w, 0, per_channel, bits=4)

            def error(s, per_channel=per_channel):
                squares = np.square(to_whole(w, 0, s.astype(np.float32), 4) * along(s.astype(np.float32), 0, 4) - w).sum(axis=(1, 2, 3))
                return squares if per_channel else squares.sum(keepdims=True)

            full = np.abs(w).max(axis=(1, 2, 3)) / 7
            full = np.where(full > 0, full, 1) if per_channel else full.max(keepdims=True)
            least = np.min([error(full * part) for part in np.linspace(0.4, 1, 601)], axis=0)
            self.assertTrue((error(scale) <= least * 1.02 + 1e-9).all())
            self.assertLess(error(scale).sum(), 0.9 * error(full).sum())
            self.assertTrue((scale > 0).all())

    def test_layers_that_share_weights_share_their_width(self):
        """Steps of an LSTM: one constant, in bytes, too."""
        one = Recurrent("LSTM", time=3, inputs=8, hidden=12, direction="reverse", wanted=(1,))
        onnx.save(one.proto(), self.folder / "lstm.onnx")
        result, model = self.made(one.drawn(12), "lstm.onnx", int4_share=0.5)
        sizes = [numpy_helper.to_array(t) for t in model.graph.initializer]
        held = [a for a in sizes if a.dtype == np.int8 and a.ndim == 2]
        self.assertEqual((result.weight_bytes, len(held)), (4 * 12 * 8 + 4 * 12 * 12, 8))
        packed = sum(a.size // 2 if np.abs(a.astype(int)).max() <= 7 else a.size for a in held)
        self.assertEqual(result.packed_weight_bytes, packed)
        self.assertLessEqual(packed, result.weight_bytes * 0.75)
        for gate in ("input", "output", "cell"):
            self.assertEqual(len({layer.bits for layer in result.layers if layer.name.endswith(f".{gate}.state")}), 1)
        tensors, _, wrong, _ = compare(import_model(self.folder / "int8.onnx"), model, {"x": one.drawn(1)["x"][0]}, "tiny8")
        self.assertEqual(wrong, [])


class Choice(InFolder):
    def four(self, result) -> set[str]:
        return {one.name for one in result.layers if one.bits == 4}

    def test_a_share_is_reached_without_a_layer_too_many(self):
        total = sum(SIZES.values())
        for share in (0.001, 0.3, 0.6, 0.9, 1.0):
            result, _ = self.made(int4_share=share)
            chosen = self.four(result)
            reached = sum(SIZES[name] for name in chosen)
            self.assertGreaterEqual(reached, share * total)
            for name in chosen:
                self.assertLess(reached - SIZES[name], share * total, f"{name} of {chosen} is too many")
            costs = {one.name: one.int4_alone for one in result.layers if one.int4_alone is not None}
            self.assertEqual(set(costs), set(SIZES))
            self.assertIn("int4 alone", str(result))

    def test_a_budget_is_kept(self):
        total = sum(SIZES.values())
        for budget in (total // 2, 600, 800, total - 1, total):
            result, _ = self.made(budget=budget)
            self.assertLessEqual(result.packed_weight_bytes, budget)
            for name in self.four(result):
                self.assertGreater(result.packed_weight_bytes + SIZES[name] // 2, budget, name)
            if budget == total:
                self.assertEqual(self.four(result), set())

    def test_what_costs_most_is_left_out(self):
        """A layer whose scale is lost on a few weights, though it has most of all."""
        onnx.save(network(outlier=True).proto(), self.folder / "outlier.onnx")
        result, _ = self.made(name="outlier.onnx", int4_share=0.4)
        self.assertNotIn("relu5", self.four(result))
        costs = {one.name: one.int4_alone for one in result.layers if one.int4_alone is not None}
        self.assertEqual(min(costs, key=costs.get), "relu5")
        self.assertIn("relu5", self.four(self.made(name="outlier.onnx", int4_share=0.8)[0]))

    def test_costs_by_another_road(self):
        """The float model with one layer's weights rounded, on the images that choose: 18 of 24."""
        from gemel.rewrite.prepare import prepare

        images = drawn(24)
        result, _ = self.made(images, int4_share=0.5)
        graph = load_float(self.folder / "four.onnx")
        prepare(graph)
        plain = Session(graph.proto())
        layers = [node for node in graph.nodes if weights_of(graph, node) is not None]
        for node, row in zip(layers, (one for one in result.layers if one.bits is not None), strict=True):
            w, axis = weights_of(graph, node)
            scale = weight_scales(w, axis, True, bits=4)
            graph.constants[node.input[1]] = np.clip(np.rint(w / along(scale, axis, w.ndim)), -7, 7).astype(np.float32) * along(scale, axis, w.ndim)
            changed = Session(graph.proto())
            graph.constants[node.input[1]] = w
            a, b = (np.stack([session.run({INPUT: image[None]})[graph.outputs[0]] for image in images[:18]]).astype(float) for session in (plain, changed))
            self.assertAlmostEqual(row.int4_alone, 10 * np.log10(np.square(a).sum() / np.square(a - b).sum()), places=3)

    def test_the_same_again_and_held_out_images_choose_nothing(self):
        first, again = self.made(int4_share=0.5), self.made(int4_share=0.5)
        self.assertEqual(first[1].SerializeToString(), again[1].SerializeToString())
        self.assertEqual(first[0].layers, again[0].layers)
        self.assertEqual(first[0].images, 18)
        self.assertRegex(first[0].notes[0], r"\(6 images, which chose no layer\)$")
        images = drawn(24)
        images[18:] *= 3
        other = self.made(images, int4_share=0.5)
        self.assertEqual(first[1].SerializeToString(), other[1].SerializeToString())
        self.assertNotEqual(first[0].outputs, other[0].outputs)  # they judge

    def test_the_choice_is_the_best_of_all(self):
        """Of the 2^10 sets of random units that with the least noise."""
        rng = np.random.default_rng(3)
        for _ in range(100):
            gains, noises = [int(n) for n in rng.integers(1, 1000, 10)], [float(10 ** rng.uniform(-4, 0)) for _ in range(10)]
            needed = int(rng.uniform(0, 1) * sum(gains))
            chosen = least_noise(noises, gains, needed)
            sets = [one for k in range(11) for one in itertools.combinations(range(10), k)]
            best = min(sum(noises[i] for i in one) for one in sets if sum(gains[i] for i in one) >= needed)
            self.assertGreaterEqual(sum(gains[i] for i in chosen), needed)
            self.assertAlmostEqual(sum(noises[i] for i in chosen), best, places=12)
        self.assertEqual(least_noise([float("inf"), 0.0, 1.0], [5, 5, 5], 15), {0, 1, 2})
        self.assertEqual(least_noise([float("inf"), 0.0, 1.0], [5, 5, 5], 6), {1, 2})
        many = [float(n) for n in rng.uniform(0, 1, 400)], [int(n) for n in rng.integers(1, 10**6, 400)]
        chosen = least_noise(*many, sum(many[1]) // 2)
        self.assertGreaterEqual(sum(many[1][i] for i in chosen), sum(many[1]) // 2)

class Rounding(InFolder):
    """By covariances of the inputs (python/gemel/rewrite/rounding.py)."""

    def squares(self, w: np.ndarray, scale: np.ndarray, whole: np.ndarray, covariance: np.ndarray) -> float:
        """What errors of the weights [outputs, inputs] add to the results, as an expected square, one group after the other."""
        e = (whole * scale[:, None] - w).reshape(len(covariance), -1, covariance.shape[1])
        return float(np.einsum("goi,gij,goj->", e, covariance, e))

    def drawn(self, rng, groups: int, inner: int) -> np.ndarray:
        mixed = [rng.normal(size=(500, inner // 2)) @ rng.normal(size=(inner // 2, inner)) + rng.normal(size=(500, inner)) * 0.1 for _ in range(groups)]
        return np.stack([np.cov(np.maximum(one, 0).T, bias=True) for one in mixed])

    def test_inputs_that_have_nothing_in_common_are_rounded_for_themselves(self):
        rng = np.random.default_rng(1)
        w = rng.laplace(size=(12, 20)).astype(np.float32)
        for covariance in (np.diag(rng.uniform(0.1, 3, 20))[None], np.zeros((1, 20, 20))):
            for per_channel in (True, False):
                scale = weight_scales(w, 0, per_channel, bits=4)
                self.assertTrue(np.array_equal(rounded(w, 0, scale, 7, covariance), to_whole(w, 0, scale, 4)))

    def test_results_keep_their_values(self):
        """Less error in what weights make than rounding of each weight leaves, wherever the outputs' dimension lies, in one group or several."""
        rng = np.random.default_rng(2)
        for groups, outputs, inner in ((1, 24, 40), (4, 8, 18)):
            covariance = self.drawn(rng, groups, inner)
            w = rng.laplace(size=(outputs * groups, inner)).astype(np.float32)
            scale = weight_scales(w, 0, True, bits=4)
            whole = rounded(w, 0, scale, 7, covariance)
            self.assertLessEqual(int(np.abs(whole.astype(int)).max()), 7)
            ratio = self.squares(w, scale, whole, covariance) / self.squares(w, scale, to_whole(w, 0, scale, 4), covariance)
            print(f"{groups} groups: {ratio:.2f} of the square error")
            self.assertLess(ratio, 0.8)
            if groups == 1:
                self.assertTrue(np.array_equal(rounded(np.ascontiguousarray(w.T), 1, scale, 7, covariance).T, whole))
                cube = rounded(w.reshape(outputs, 10, 2, 2), 0, scale, 7, covariance)
                self.assertTrue(np.array_equal(cube.reshape(outputs, inner), whole))

    def test_zeros_stay_zero(self):
        """What was pruned takes part in no rounding: the array leaves out tiles of zeros. The other weights still make its errors good."""
        rng = np.random.default_rng(8)
        for axis in (0, 1):
            w = rng.laplace(size=(24, 32)).astype(np.float32)
            w[:, 8:24] = 0
            w[rng.uniform(size=w.shape) < 0.3] = 0
            scale = weight_scales(w, axis, True, bits=4)
            inputs = w.shape[1 - axis]
            mixed = rng.normal(size=(inputs, inputs)) + 2
            whole = rounded(w, axis, scale, 7, (mixed @ mixed.T)[None] / inputs)
            self.assertEqual(int(np.count_nonzero(whole[w == 0])), 0)
            self.assertGreater(int(np.count_nonzero(whole != to_whole(w, axis, scale, 4))), 20)

    def test_two_weights_by_hand(self):
        """Inputs that are nearly the same: 0.4 + 0.4 of a step are rounded to 1 in all, not to 0 and 0. The first loses 0.4, which the second gets."""
        covariance = np.array([[[1.0, 0.99], [0.99, 1.0]]])
        w = np.array([[0.4, 0.4], [1.6, 1.6]], np.float32)
        self.assertEqual(rounded(w, 0, np.ones(1, np.float32), 7, covariance).tolist(), [[0, 1], [2, 1]])

    def test_covariances_by_another_road(self):
        """ONNX Runtime's own convolution: the variance of each output is w' C w, with any strides, pads, dilations and groups, and of a MatMul, which has no
        bias, the mean square is. Weights that two layers share have none."""
        n = Network("moments", (1, 4, 11, 9), 3)
        layers = {
            n.node("Conv", [INPUT, n.normal(6, 4, 3, 2)], 6, pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2]): 1,
            n.node("Conv", [INPUT, n.normal(8, 2, 3, 3)], 8, group=2, auto_pad="SAME_UPPER", strides=[2, 2]): 2,
            n.node("Conv", [INPUT, n.normal(4, 1, 5, 5)], 4, group=4, pads=[2] * 4): 4,
            n.node("MatMul", [n.node("Flatten", [INPUT]), n.normal(4 * 11 * 9, 5)], 5): 1,
        }
        shared = n.normal(3, 4, 1, 1)
        n.outputs = [*layers, *(n.node("Conv", [INPUT, shared], 3) for _ in range(2))]
        onnx.save(n.proto(), self.folder / "moments.onnx")
        graph = load_float(self.folder / "moments.onnx")
        images = np.random.default_rng(4).normal(1, 1, size=(7, 4, 11, 9)).astype(np.float32)
        nodes = [node for node in graph.nodes if weights_of(graph, node) is not None]
        found = moments(graph, nodes, Images(images, {INPUT: graph.shapes[INPUT]}), 7)
        self.assertEqual(set(found), set(layers))
        session = Session(graph.proto())
        made = [session.run({INPUT: image[None]}) for image in images]
        for node in nodes:
            out = node.output[0]
            if out not in layers:
                continue
            w, axis = weights_of(graph, node)
            y = np.stack([one[out][0] for one in made]).astype(float)
            y = np.moveaxis(y, 1, 0).reshape(w.shape[axis], -1)
            self.assertEqual(len(found[out]), layers[out])
            rows = np.moveaxis(w, axis, 0).reshape(layers[out], -1, found[out].shape[1]).astype(float)
            squares = np.einsum("goi,gij,goj->go", rows, found[out], rows).reshape(-1)
            np.testing.assert_allclose(squares, np.square(y).mean(1) if node.op_type == "MatMul" else y.var(1), rtol=1e-4)

    def test_many_positions_are_thinned_out(self):
        n = Network("wide", (1, 2, 100, 100), 3)
        n.outputs = [n.node("Conv", [INPUT, n.normal(2, 2, 1, 1)], 2)]
        onnx.save(n.proto(), self.folder / "wide.onnx")
        graph = load_float(self.folder / "wide.onnx")
        images = np.random.default_rng(5).normal(size=(1, 2, 100, 100)).astype(np.float32)
        found = moments(graph, graph.nodes, Images(images, {INPUT: graph.shapes[INPUT]}), 1)
        rows = images[0, :, ::3].reshape(2, -1).astype(float)  # 10,000 positions, at most 4,096 of them
        np.testing.assert_allclose(found[n.outputs[0]][0], np.cov(rows, bias=True), rtol=1e-6)

    def test_it_is_tried_and_judged(self):
        """On images that chose nothing; and what the note says is what the file does."""
        result, model = self.made(weights="int4", improve=True)
        told = next(note for note in result.notes if note.startswith("rounding by covariances (4 layers of 4 bits), bias correction: "))
        before, after = (float(text) for text in re.search(r": ([0-9.]+) -> ([0-9.]+) dB, (?:not )?kept$", told).groups())
        self.assertEqual(told.endswith(" dB, kept"), after > before)
        self.assertGreater(after, before)
        self.assertAlmostEqual(min(result.outputs.values()), after, delta=0.05)
        self.assertFalse(any("covariances" in note for note in self.made(improve=True)[0].notes))  # no weights of 4 bits


class Accuracy(InFolder):
    def test_60_percent_of_the_weights(self):
        """Handwritten digits: five networks, 120 pictures each, which chose neither ranges nor layers."""
        images, labels = trained.digits()
        held = {"images": images[trained.TRAINED_ON :], "labels": labels[trained.TRAINED_ON :]}
        found = {"float": 0, "int8": 0, "60 %": 0, "60 %, improved": 0}
        for shape in ((32, 48, 1), (32, 48, 2), (32, 48, 3), (48, 64, 1), (48, 64, 2)):
            onnx.save(trained.network(*shape), self.folder / "digits.onnx")
            for name, options in (("int8", {}), ("60 %", {"int4_share": 0.6}), ("60 %, improved", {"int4_share": 0.6, "improve": True})):
                result, _ = self.made(images[: trained.TRAINED_ON], "digits.onnx", **options)
                if options:
                    self.assertLessEqual(result.packed_weight_bytes, 0.7 * result.weight_bytes)
                counts = gemel.accuracy(self.folder / "int8.onnx", held, "tiny8", beside=[self.folder / "digits.onnx"], compare=False).counts
                found[name] += counts[0].right
            found["float"] += counts[1].right
        print(f"right of 600: {found}")
        self.assertLessEqual(found["int8"] - found["60 %, improved"], 6)  # one point
        self.assertLessEqual(found["int8"] - found["60 %"], 12)
        self.assertGreater(found["int8"], 560)


class CommandLine(InFolder):
    def gemel(self, *arguments):
        np.save(self.folder / "images.npy", drawn(12))
        return subprocess.run([onnx_reference.gemel_program(), "quantize", "four.onnx", "--data", "images.npy", "-o", "out.onnx", *arguments],
                              cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)  # fmt: skip

    def test_options(self):
        total = sum(SIZES.values())
        for arguments in (("--weights", "int4"), ("--int4", "relu5", "--int4", "gemm11"), ("--int4-share", "60%"), ("--budget", "bytes=700")):
            with self.subTest(arguments):
                done = self.gemel(*arguments, "--json", "report.json")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                report = json.loads((self.folder / "report.json").read_text())
                four = {one["name"] for one in report["layers"] if one["bits"] == 4}
                self.assertEqual(report["packed_weight_bytes"], total - sum(SIZES[name] // 2 for name in four))
                self.assertIn(f"note: int4 weights: {len(four)} of 4 layers", done.stdout)
                self.assertIn(f"note: weights: {report['packed_weight_bytes']} bytes with 4 bits for int4, {total} as stored", done.stdout)

    def refused(self, text, *arguments):
        done = self.gemel(*arguments)
        self.assertEqual((done.stderr, done.returncode, done.stdout), (text + "\n", 2, ""))
        self.assertFalse((self.folder / "out.onnx").exists())

    def test_messages(self):
        why, hint = "each says which weights are int4", "hint: leave out one of them"
        for one, other in itertools.combinations((("--weights", "int4"), ("--int4", "relu5"), ("--int4-share", "60%"), ("--budget", "bytes=700")), 2):
            self.refused(f"error[E0911]: `{one[0]}` and `{other[0]}` exclude each other: {why}\n{hint}", *one, *other)
        for text in ("60", "0%", "0.0%", "101%", "-5%", "%", "1e2%"):
            self.refused(f"error[E0915]: `--int4-share` is `{text}`, but must be a share of the weights above 0 %, at most 100 %, such as 60%",
                         f"--int4-share={text}")  # fmt: skip
        for text in ("700", "bytes=0", "bytes=-1", "bytes=7k", "cycles=100"):
            self.refused(f"error[E0915]: `--budget` is `{text}`, but must be bytes=N, such as bytes=100000: what all weights may take", "--budget", text)
        self.refused("error[E0915]: `--weights` is `int2`, but must be `int8` or `int4`\n  did you mean `int8`?", "--weights", "int2")
        self.refused("error[E1109]: the weights take 500 bytes with all of them in int4, more than the budget of 499\n  four.onnx\n"
                     "hint: ask for as many, or make the model smaller first: gemel compress", "--budget", "bytes=499")  # fmt: skip
        self.refused("error[E1109]: there is no layer `relu99` whose weights could be int4\n  four.onnx\n"
                     "hint: the report of `gemel quantize` lists the layers: those with a ratio for their weights", "--int4", "relu99")  # fmt: skip
        self.refused("error[E1214]: there is 1 image, and improvements are judged on images that chose nothing\n  four.onnx\nhint: give 8 images or more",
                     "--int4-share", "50%", "--images", "1")  # fmt: skip

    def test_messages_in_python(self):
        for text, options in {
            "error[E0911]: `weights` and `budget` exclude each other: each says which weights have 4 bits\nhint: leave one of them":
                {"weights": "int4", "budget": 700},
            "error[E0915]: `int4_share` is 1.5, but must be a share above 0, at most 1": {"int4_share": 1.5},
            "error[E0915]: `int4_share` is nan, but must be a share above 0, at most 1": {"int4_share": float("nan")},
            "error[E0915]: `budget` is 0, but must be a whole number of at least 1": {"budget": 0},
            "error[E0915]: `weights` is `int3`, but must be `int8` or `int4`\nhint: did you mean `int8`?": {"weights": "int3"},
        }.items():  # fmt: skip
            with self.subTest(text), self.assertRaises(gemel.UserError) as raised:
                self.made(**options)
            self.assertEqual(str(raised.exception), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
