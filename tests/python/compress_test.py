# SPDX-License-Identifier: Apache-2.0
"""gemel.compress() and `gemel compress`: what is removed is really gone and changes nothing else; ranks, patterns, figures, messages.

GEMEL_SEED=N replays the random networks.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
import random_models
from onnx_networks import INPUT, Network, resnet8
from packaged import ENVIRONMENT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import gemel  # noqa: E402
import trained  # noqa: E402
from gemel.rewrite.channels import Channels  # noqa: E402
from gemel.rewrite.graph import Graph, load_float  # noqa: E402
from gemel.rewrite.low_rank import lower_ranks, splits_of  # noqa: E402
from gemel.rewrite.plan import weights_of  # noqa: E402
from gemel.rewrite.prepare import prepare  # noqa: E402
from gemel.rewrite.prune import LEAST_KEPT, n_of_m, remove_filters, zero_blocks, zero_weights  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402


def branches(seed: int = 1, filters: int = 16) -> Network:
    """Sums, concatenations, depthwise layers, pools and a Flatten over pixels: whatever ties channels to each other. Functions of 0 are 0."""
    n = Network("branches", (1, 3, 12, 12), seed)
    a = n.conv(INPUT, filters, 3, 2)
    b = n.conv(n.conv(a, filters, 3, groups=filters), filters, 1, act="", norm=False)
    x = n.node("Relu", [n.node("Add", [a, b])], filters)
    y = n.conv(x, 12, 1, norm=False)
    x = n.node("Concat", [x, y], filters + 12, axis=1)
    x = n.node("MaxPool", [n.conv(x, 20, 3)], kernel_shape=[2, 2], strides=[2, 2])
    x = n.node("Mul", [x, n.normal(1, 20, 1, 1)], 20)
    flat = n.node("Reshape", [x, n.constant(np.array([1, -1], np.int64))], 20)
    z = n.node("Relu", [n.linear(flat, 20 * 9, 24)], 24)
    n.outputs = [n.linear(z, 24, 7)]
    return n


def plain() -> Network:
    n = Network("plain", (1, 3, 16, 16), 1)
    x = n.conv(n.conv(n.conv(INPUT, 64, 3), 64, 3, 2), 128, 3)
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 128, 10)]
    return n


def changed(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """One thing in it is another: an attribute, an operand, an operator, a weight, a constant's length."""
    node, constant = rng.choice(model.graph.node), rng.choice(model.graph.initializer)
    array = onnx.numpy_helper.to_array(constant)
    kind = rng.randrange(5)
    if kind == 0 and node.attribute:
        attribute = rng.choice(node.attribute)
        attribute.i = rng.choice((-1, 0, 3, 1 << 40))
        attribute.ints[:] = [rng.choice((-1, 0, 2, 99)) for _ in attribute.ints]
    elif kind == 1:
        node.input[rng.randrange(len(node.input))] = rng.choice(("", "nobody", rng.choice(model.graph.node).output[0]))
    elif kind == 2:
        node.op_type = rng.choice(("Relu", "Conv", "MaxPool", "Concat", "Slice", "Pad", "Split", "AveragePool", "Softmax", "Clip"))
    elif kind == 3:
        array = array.astype(np.float32)
        array.reshape(-1)[:1] = rng.choice((np.nan, np.inf, 1e38, 0))
        constant.CopyFrom(onnx.numpy_helper.from_array(array, constant.name))
    else:
        constant.CopyFrom(onnx.numpy_helper.from_array(array.reshape(-1)[: max(1, array.size // 2)].copy(), constant.name))
    return model


class Methods(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-compress-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def graph(self, network: Network) -> Graph:
        path = self.folder / "net.onnx"
        onnx.save(network.proto(), path)
        graph = load_float(path)
        prepare(graph)
        return graph

    def outputs(self, graph: Graph, seed: int = 3) -> np.ndarray:
        image = np.random.default_rng(seed).normal(size=graph.shapes[INPUT]).astype(np.float32)
        return Session(graph.proto()).run({INPUT: image})[graph.outputs[0]]

    def test_a_removed_filter_is_one_that_gave_zeros(self):
        """The smaller network computes what the whole one does if weights and bias of the filters that went are 0."""
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = random.Random(seed)
        for number in range(6):
            share, scope, round_to = rng.choice((0.2, 0.4, 0.6)), rng.choice(("layer", "global")), rng.choice((1, 1, 4))
            network = branches(rng.randrange(1 << 30), rng.choice((8, 16)))
            with self.subTest(f"network {number} of seed {seed}", share=share, scope=scope, round_to=round_to):
                whole, small = self.graph(network), self.graph(network)
                self.assertGreater(remove_filters(small, share, scope, round_to, set()), 2)
                removed = 0
                kept = {node.output[0]: weights_of(small, node)[0] for node in small.nodes if weights_of(small, node)}
                spaces = Channels(small, set())
                self.assertEqual(small.shapes[small.outputs[0]], whole.shapes[whole.outputs[0]])
                for node in whole.nodes:
                    if weights_of(whole, node) is None:
                        continue
                    w, axis = weights_of(whole, node)
                    # Which filters stayed: those of the norms that are not among the least, found again by their values.
                    left = kept[node.output[0]]
                    self.assertIn(node.output[0], spaces.of)
                    if left.shape[axis] == w.shape[axis]:
                        continue
                    bias = whole.constants[node.input[2]]
                    small_node = next(one for one in small.nodes if one.output[0] == node.output[0])
                    small_bias = small.constants[small_node.input[2]]
                    if np.unique(bias).size == bias.size:
                        gone = np.array([value not in small_bias for value in bias])
                    else:  # one factor for each channel, as a depthwise layer
                        gone = np.array([value not in left for value in w.reshape(-1)])
                    self.assertEqual(int(gone.sum()), w.shape[axis] - left.shape[axis])
                    removed += int(gone.sum())
                    w, bias = w.copy(), bias.copy()
                    np.moveaxis(w, axis, 0)[gone] = 0
                    bias[gone] = 0
                    node.input[1], node.input[2] = whole.add_constant("w0", w), whole.add_constant("b0", bias)
                    if round_to > 1:
                        self.assertTrue(left.shape[axis] % round_to == 0 or left.shape[axis] == w.shape[axis])
                self.assertGreater(removed, 0)
                before, after = self.outputs(whole), self.outputs(small)
                self.assertLess(float(np.abs(before - after).max()), 1e-4 * float(np.abs(before).max()))

    def test_layers_that_must_keep_their_filters_do(self):
        graph = self.graph(branches())
        channels = Channels(graph, {"batchnormalization1"})
        last = next(node for node in graph.nodes if node.output[0] == graph.outputs[0])
        self.assertTrue(channels.frozen(channels.of[last.output[0]][0][0]))
        n = Network("mixed", (1, 4, 6, 6))
        x = n.conv(INPUT, 8, 3)
        x = n.node("Transpose", [x], 6, perm=[0, 2, 3, 1])  # channels go where nobody follows
        n.outputs = [n.node("Reshape", [x, n.constant(np.array([1, -1], np.int64))])]
        self.assertEqual(remove_filters(self.graph(n), 0.5, "layer", 1, set()), 0)

    def test_single_weights(self):
        for scope in ("layer", "global"):
            graph = self.graph(branches())
            zero_weights(graph, 0.7, scope, set())
            shares = [float((weights_of(graph, node)[0] == 0).mean()) for node in graph.nodes if weights_of(graph, node)]
            sizes = [weights_of(graph, node)[0].size for node in graph.nodes if weights_of(graph, node)]
            self.assertAlmostEqual(float(np.average(shares, weights=sizes)), 0.7, delta=0.02)
            if scope == "layer":
                self.assertTrue(all(abs(one - 0.7) < 0.1 for one in shares), shares)
            else:
                self.assertGreater(max(shares) - min(shares), 0.2)

    def test_n_of_m(self):
        graph = self.graph(branches())
        before = {node.output[0]: weights_of(graph, node) for node in graph.nodes if weights_of(graph, node)}
        n_of_m(graph, 2, 4, set())
        for node in graph.nodes:
            if node.output[0] in before:
                w, axis = before[node.output[0]]
                inner = 1 if node.op_type == "Conv" else 1 - axis
                order = (axis, *(d for d in range(w.ndim) if d not in (axis, inner)), inner)
                old = w.transpose(order).reshape(w.shape[axis], -1)
                new = weights_of(graph, node)[0].transpose(order).reshape(w.shape[axis], -1)
                for first in range(0, old.shape[1], 4):
                    a, b = old[:, first : first + 4], new[:, first : first + 4]
                    self.assertTrue(((b != 0).sum(axis=1) <= 2).all())
                    self.assertTrue(np.array_equal(np.sort(np.abs(a), axis=1)[:, -2:].sum(axis=1), np.abs(b).astype(a.dtype).sum(axis=1, dtype=a.dtype))
                                    or np.allclose(np.sort(np.abs(a), axis=1)[:, -2:].sum(axis=1), np.abs(b).sum(axis=1)))  # fmt: skip

    def blocks_of(self, w: np.ndarray, axis: int, kind: str, image: tuple[int, ...], rows: int, columns: int) -> dict[tuple[int, int, int], np.ndarray]:
        """By block out, tap and block in: the weights that an array of that size holds."""
        if kind == "Conv":
            taps = [w[:, :, y, x] for y in range(w.shape[2]) for x in range(w.shape[3])]
        else:
            w = w if axis == 0 else w.T
            taps = [np.stack([w[:, c * image[1] * image[2] + p] for p in range(image[1] * image[2]) for c in range(image[0])], axis=1) if image else w]
        return {(n // columns, t, c // rows): tap[n : n + columns, c : c + rows] for t, tap in enumerate(taps)
                for n in range(0, tap.shape[0], columns) for c in range(0, tap.shape[1], rows)}  # fmt: skip

    def test_blocks(self):
        """Blocks of the array are zero or as they were, those with the least norms; pixels of an image that is flattened have their channels side by side."""
        n = Network("blocks", (1, 5, 9, 9), 3)
        x = n.conv(n.conv(INPUT, 20, 3), 20, 3, groups=20)  # too few channels in, and groups: they stay
        x = n.conv(x, 37, 3, 2)
        x = n.conv(x, 24, 1, 2)
        x = n.node("Relu", [n.node("Flatten", [x])])
        n.outputs = [n.linear(n.node("Relu", [n.linear(x, 24 * 9, 50)], 50), 50, 30)]
        images = {(50, 216): (24, 3, 3)}
        for scope, rows, columns in (("layer", 8, 8), ("layer", 7, 13), ("global", 16, 4)):
            with self.subTest(scope=scope, rows=rows, columns=columns):
                graph = self.graph(n)
                before = {node.output[0]: weights_of(graph, node) for node in graph.nodes if weights_of(graph, node)}
                self.assertEqual(zero_blocks(graph, 0.6, scope, rows, columns, set()), 4)
                zeros = blocks = 0
                for node in graph.nodes:
                    if node.output[0] not in before:
                        continue
                    (old, axis), new = before[node.output[0]], weights_of(graph, node)[0]
                    if node.op_type == "Conv" and old.shape[1] < 7:
                        np.testing.assert_array_equal(new, old)
                        continue
                    image = images.get(old.shape if axis == 0 else old.shape[::-1], ())
                    a, b = (self.blocks_of(w, axis, node.op_type, image, rows, columns) for w in (old, new))
                    gone = [key for key in a if not b[key].any()]
                    for key in a:
                        np.testing.assert_array_equal(b[key], np.zeros_like(a[key]) if key in gone else a[key])
                    norms = {key: float(np.linalg.norm(a[key].astype(np.float64))) for key in a}
                    least_kept = min(norm for key, norm in norms.items() if key not in gone)
                    self.assertLessEqual(max(norms[key] for key in gone), least_kept * (1 + 1e-9))
                    if scope == "layer":
                        self.assertEqual(len(gone), int(0.6 * len(a)))
                    self.assertGreaterEqual(len(a) - len(gone), LEAST_KEPT * len(a))
                    zeros, blocks = zeros + len(gone), blocks + len(a)
                self.assertAlmostEqual(zeros / blocks, 0.6, delta=0.05)

    def test_blocks_of_the_array_take_no_time(self):
        """Of the array's size they leave the schedule: fewer cycles, the same with data and without, in models and RTL, every layer as golden."""
        onnx.save(resnet8().proto(), self.folder / "net.onnx")
        image = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
        for machine, share, least in (("edge16", 0.5, 1.4), ("tiny8", 0.5, 1.7), ("tiny8", 0.75, 2.5)):
            with self.subTest(machine, share=share):
                found = gemel.compress(self.folder / "net.onnx", self.folder / "sparse.onnx", blocks=share, machine=machine)
                rows, columns = (int(found.machine[f"pe_array.{side}"]) for side in ("rows", "columns"))
                self.assertEqual(found.method, f"{share:.1%} of the blocks of {rows}x{columns} zero")
                self.assertEqual((found.notes, found.after.macs), ((), found.before.macs))
                self.assertGreater(found.before.cycles / found.after.cycles, least)
                gemel.quantize(self.folder / "sparse.onnx", image, self.folder / "int8.onnx")
                result = gemel.run(self.folder / "int8.onnx", machine)
                self.assertEqual({layer.compared for layer in result.layers} - {"fused", "view"}, {"equal"})
                without = gemel.run(self.folder / "int8.onnx", machine, timing_only=True)
                self.assertEqual((result.cycles, result.columns()["weight_tiles.left_out"].tolist()),
                                 (without.cycles, without.columns()["weight_tiles.left_out"].tolist()))  # fmt: skip
                self.assertEqual(result.cycles, found.after.cycles)
                tiles = [layer.weight_tiles for layer in result.layers]
                zero, left_out = sum(one.zero for one in tiles), sum(one.left_out for one in tiles)
                self.assertGreater(left_out, 0.9 * zero)
                self.assertIn(f"  of {zero:,} tiles of weights that are zero, {left_out:,} are left out", result.explain())
                self.assertRegex(result.summary(), f"zero tiles +{left_out:,} of {zero:,} left out, of {sum(one.count for one in tiles):,} tiles of weights")
                self.assertLessEqual(result.utilization, 1)
                gemel.quantize(self.folder / "net.onnx", image, self.folder / "whole.onnx")
                whole = gemel.run(self.folder / "whole.onnx", machine, timing_only=True)
                self.assertEqual({layer.weight_tiles.zero for layer in whole.layers}, {0})
                self.assertGreater(whole.macs, result.macs)
                print(f"{machine}, {share}: {found.before.cycles:,} to {found.after.cycles:,} cycles, {left_out} of {zero} tiles left out")
        onnx.save(trained.network(), self.folder / "net.onnx")
        gemel.compress(self.folder / "net.onnx", self.folder / "sparse.onnx", blocks=0.5, machine="tiny8")
        images, _ = trained.digits()
        gemel.quantize(self.folder / "sparse.onnx", images[:50], self.folder / "int8.onnx")
        model = gemel.run(self.folder / "int8.onnx", "tiny8")
        self.assertGreater(model.columns()["weight_tiles.left_out"].sum(), 100)
        for blocks in ({"all": "check"}, {"npu": "rtl"}):
            rtl = gemel.run(self.folder / "int8.onnx", "tiny8", blocks=blocks)
            self.assertEqual((rtl.cycles, {layer.compared for layer in rtl.layers} - {"fused", "view"}), (model.cycles, {"equal"}))

    def test_damaged_models(self):
        """Each is compressed and quantized, or refused with a code: nothing else comes out."""
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = random.Random(seed)
        whole = branches().proto()
        image = np.random.default_rng(0).normal(size=(2, 3, 12, 12)).astype(np.float32)
        codes: Counter = Counter()
        for number in range(400):
            if number >= 40 and codes["done"] > 5:  # some that are still models are among them
                break
            model = onnx.ModelProto()
            model.CopyFrom(whole)
            data = random_models.damaged(rng, changed(rng, model).SerializeToString()) if number % 4 == 0 else changed(rng, model).SerializeToString()
            (self.folder / "damaged.onnx").write_bytes(data)
            for action in (lambda: gemel.quantize(self.folder / "damaged.onnx", image), lambda: gemel.compress(self.folder / "damaged.onnx", filters=0.5),
                           lambda: gemel.compress(self.folder / "damaged.onnx", low_rank=0.5)):  # fmt: skip
                with self.subTest(f"file {number} of seed {seed}"):
                    try:
                        action()
                        codes["done"] += 1
                    except gemel.UserError as error:
                        codes[error.code] += 1
        print(dict(codes))
        self.assertGreater(codes["done"], 5)
        self.assertGreater(codes["E1103"] + codes["E1109"], 20)

    def odd_windows(self) -> Network:
        """Strides, paddings and dilations that differ between height and width."""
        n = Network("windows", (1, 24, 13, 15), 4)

        def window(x, out, **attributes):
            w = n.normal(out, n.channels[x], *attributes["kernel_shape"], size=0.05)
            return n.node("Conv", [x, w, n.normal(out, size=0.1)], out, **attributes)

        x = window(INPUT, 32, kernel_shape=[3, 5], strides=[2, 1], pads=[1, 2, 0, 1])
        x = window(n.node("Relu", [x], 32), 32, kernel_shape=[3, 3], dilations=[1, 2], pads=[2, 0, 1, 3], strides=[1, 2])
        n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 32, 8)]
        return n

    def test_full_rank_is_the_layer_itself(self):
        for scheme in ("channel", "spatial"):
            graph = self.graph(self.odd_windows())
            before = self.outputs(graph)
            # Ranks so low that they save work lose what they cut; here nothing is cut, for the weights are of low rank by themselves.
            rng = np.random.default_rng(7)
            for node in graph.nodes:
                if node.op_type == "Conv":
                    w = weights_of(graph, node)[0]
                    o, d, y, x = w.shape
                    low = (rng.normal(size=(o, 4)) @ rng.normal(size=(4, d * y * x))).reshape(w.shape) if scheme == "channel" else (
                        (rng.normal(size=(o * x, 4)) @ rng.normal(size=(4, d * y))).reshape(o, x, d, y).transpose(0, 2, 3, 1))  # fmt: skip
                    node.input[1] = graph.add_constant("low", (low / 30).astype(np.float32))
            before = self.outputs(graph)
            self.assertEqual(lower_ranks(graph, 0.999999, None, scheme, set())[0], 2)
            after = self.outputs(graph)
            self.assertLess(float(np.abs(before - after).max()), 1e-3 * float(np.abs(before).max()), scheme)

    def test_ranks_follow_the_budget_and_the_energy(self):
        onnx.save(self.odd_windows().proto(), self.folder / "net.onnx")
        for share in (0.7, 0.4, 0.2):
            for scheme in ("channel", "spatial", "best"):
                found = gemel.compress(self.folder / "net.onnx", low_rank=share, scheme=scheme)
                self.assertLessEqual(found.after.macs, share * found.before.macs)
                self.assertGreater(found.after.macs, 0.6 * share * found.before.macs)
        ways = [way for layer in splits_of(load_float(self.folder / "net.onnx"), "best", set()) for way in layer]
        self.assertEqual([way.scheme for way in ways], ["channel", "spatial"] * 2 + ["dense"])
        for way in ways:
            whole = way.left @ way.right
            for energy in (0.95, 0.7, 0.3):
                rank = way.rank(energy)
                for taken, enough in ((rank, True), (rank - 1, False)):
                    lost = float(np.square(whole - way.left[:, :taken] @ way.right[:taken]).sum() / np.square(whole).sum())
                    self.assertEqual(lost <= 1 - energy + 1e-9, enough)

    def test_lower_ranks_for_a_machine_take_fewer_cycles_there(self):
        """Wherever MACs fall by a third, and always; what cannot is refused. Ranks by MACs alone may take more cycles than the whole layers."""
        refusal = "no layer of the model can be made smaller so|of its MACs with the least ranks that save cycles on (edge16|tiny8)"
        slower = 0
        for name, model in {"digits": trained.network(), "resnet8": resnet8().proto()}.items():
            onnx.save(model, self.folder / "net.onnx")
            most = {way.most for ways in splits_of(load_float(self.folder / "net.onnx"), "best", set()) for way in ways}
            for machine, columns in (("edge16", 16), ("tiny8", 8)):
                for how in ({"low_rank": 0.66}, {"low_rank": 0.33}, {"energy": 0.7}, {"low_rank": 0.5, "scheme": "channel"}):
                    with self.subTest(name, machine=machine, **how):
                        try:
                            found = gemel.compress(self.folder / "net.onnx", machine=machine, **how)
                        except gemel.UserError as error:
                            self.assertRegex(error.message, refusal)
                            print(f"{name} {machine} {how}: {error.message}")
                            continue
                        self.assertLess(found.after.cycles, found.before.cycles)
                        self.assertLessEqual(found.after.macs, how.get("low_rank", 1) * found.before.macs)
                        ranks = [int(rank[1]) for layer in found.layers if (rank := re.search(r"_rank(\d+)$", layer[0]))]
                        self.assertEqual([r for r in ranks if r % columns and columns % r and r not in most], [])
                        gemel.compress(self.folder / "net.onnx", self.folder / "small.onnx", **how)
                        other = gemel.compress(self.folder / "small.onnx", weights=1e-9, machine=machine).before
                        before = found.before
                        shares = [f"{a / b:.2f}" for one in (found.after, other) for a, b in ((one.macs, before.macs), (one.cycles, before.cycles))]
                        print(f"{name} {machine} {how}: MACs {shares[0]}, cycles {shares[1]} of {found.before.cycles}; by MACs alone {shares[2]}, {shares[3]}")
                        slower += other.cycles >= found.before.cycles
        self.assertGreater(slower, 0)

    def test_half_of_the_filters_take_at_least_a_third_of_the_cycles_away(self):
        onnx.save(plain().proto(), self.folder / "plain.onnx")
        found = gemel.compress(self.folder / "plain.onnx", self.folder / "half.onnx", filters=0.5, machine="edge16")
        self.assertGreater(found.before.macs / found.after.macs, 3)
        self.assertGreater(found.before.cycles / found.after.cycles, 1.6)
        sparse = gemel.compress(self.folder / "plain.onnx", weights=0.5, machine="edge16")
        self.assertEqual(sparse.before.cycles, sparse.after.cycles)
        self.assertEqual(sparse.notes, ("the array multiplies zeros as it does other numbers: only tiles of zeros save cycles, as `blocks` makes them",))
        gemel.quantize(self.folder / "half.onnx", np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32), self.folder / "int8.onnx")
        self.assertEqual(gemel.run(self.folder / "int8.onnx", "edge16", timing_only=True).cycles, found.after.cycles)  # noise or numbers: the same cycles
        print(f"{found.before.cycles} -> {found.after.cycles} cycles")

    def gemel(self, *arguments):
        return subprocess.run([onnx_reference.gemel_program(), *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def test_command_line(self):
        n = Network("unknown", (1, 3, 8, 8))
        x = n.node("LRN", [n.conv(n.conv(INPUT, 16, 3), 16, 3)], 16, size=3)
        n.outputs = [n.conv(x, 4, 1, norm=False)]
        onnx.save(n.proto(), self.folder / "net.onnx")
        done = self.gemel("compress", "net.onnx", "--filters", "0.5", "-m", "edge16")
        self.assertRegex(done.stdout, "note: no cycles: the int8 form does not run on edge16: node [0-9]+, LRN")
        onnx.save(plain().proto(), self.folder / "net.onnx")
        done = self.gemel("compress", "net.onnx", "--filters", "0.5", "--round-to", "4", "--keep", "batchnormalization1", "-m", "edge16",
                          "--set", "pe_array.rows=8", "--json", "r.json")  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("50.0% of the filters removed", done.stdout)
        self.assertIn("cycles on edge16", done.stdout)
        report = json.loads((self.folder / "r.json").read_text())
        self.assertLess(report["after"]["parameters"], report["before"]["parameters"])
        self.assertEqual(report["after"]["macs"], sum(one["macs"] for one in report["layers"]))
        self.assertLess(Path(self.folder, "net_small.onnx").stat().st_size, Path(self.folder, "net.onnx").stat().st_size)

    def test_messages(self):
        onnx.save(branches().proto(), self.folder / "net.onnx")
        n = Network("one", (1, 3, 4, 4))
        n.outputs = [n.conv(INPUT, 4, 1, act="", norm=False)]
        onnx.save(n.proto(), self.folder / "one.onnx")
        for arguments, text in (
            (["net.onnx"], "error[E0911]: no method is given\n"
             "hint: give one of `filters`, `weights`, `pattern`, `low_rank`, `energy`, `blocks`; the result can be compressed again"),
            (["net.onnx", "--blocks", "0.5"], "error[E0911]: `blocks` are asked for, but not of which size\n"
             "hint: give `block`, or the `machine` whose array they are for"),
            (["net.onnx", "--blocks", "0.5", "--block", "16"], "error[E0915]: `--block` is `16`, but must be ROWSxCOLUMNS, such as 16x16"),
            (["net.onnx", "--blocks", "0.5", "--block", "0x16"], "error[E0915]: `block` is (0, 16), but must be rows and columns from 1 to 256"),
            (["net.onnx", "--filters", "0.5", "--block", "16x16"], "error[E0911]: --block is the size of blocks that become zero\n"
             "hint: add --blocks SHARE"),
            (["net.onnx", "--low-rank", "0.5", "--blocks", "0.5"], "error[E0911]: `--low-rank` and `--blocks` exclude each other: "
             "one method at a time: compress its result again\nhint: leave out one of them"),
            (["net.onnx", "--filters", "0.5", "--weights", "0.5"], "error[E0911]: `--filters` and `--weights` exclude each other: "
             "one method at a time: compress its result again\nhint: leave out one of them"),
            (["net.onnx", "--filters", "1.5"], "error[E0915]: `filters` is 1.5, but must be a share above 0 and below 1"),
            (["net.onnx", "--filters", "half"], "error[E0915]: `--filters` is `half`, but must be a share above 0 and below 1, such as 0.5"),
            (["net.onnx", "--pattern", "4"], "error[E0915]: `--pattern` is `4`, but must be N:M, such as 2:4"),
            (["net.onnx", "--pattern", "4:4"], "error[E0915]: `pattern` is (4, 4), but must be N and M with N below M"),
            (["net.onnx", "--filters", "0.5", "--keep", "nobody"], "error[E1109]: there is no layer `nobody` that could stay as it is\n  net.onnx\n"
             "hint: the report of `gemel compress` lists the layers"),
            (["one.onnx", "--filters", "0.5"], "error[E1109]: no layer of the model can be made smaller so\n  one.onnx\n"
             "hint: filters stay where the model's inputs, outputs or operators that are not understood need all channels; "
             "blocks in layers with groups or fewer input channels than rows, or if the share is less than one of a layer's; "
             "ranks where two layers would take more MACs than one, or on the machine more cycles"),
            (["net.onnx", "--filters", "0.5", "-m", "edge61"], "error[E0109]: there is no machine `edge61`\n  did you mean `edge16`?\n"
             "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml"),
        ):  # fmt: skip
            with self.subTest(arguments):
                done = self.gemel("compress", *arguments, "-o", "out.onnx")
                self.assertEqual((done.stderr, done.returncode, done.stdout), (text + "\n", 2, ""))
                self.assertFalse((self.folder / "out.onnx").exists())
        model = branches().proto()
        weights = next(t for t in model.graph.initializer if len(t.dims) == 4)
        array = onnx.numpy_helper.to_array(weights).copy()
        array[0, 0, 0, 0] = np.nan
        weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
        onnx.save(model, self.folder / "nan.onnx")
        with self.assertRaisesRegex(gemel.UserError, r"E1109\]: Conv `batchnormalization1`: its weights have numbers that are not finite"):
            gemel.compress(self.folder / "nan.onnx", low_rank=0.5)
        with self.assertRaisesRegex(gemel.UserError, r"E1109\]: the model has .*% of its MACs with layers of rank 1, more than the wanted 1.0%"):
            gemel.compress(self.folder / "net.onnx", low_rank=0.01)


if __name__ == "__main__":
    unittest.main(verbosity=2)
