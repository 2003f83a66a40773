# SPDX-License-Identifier: Apache-2.0
"""Random models of one operator each, imported, run and compared with ONNX Runtime: every tensor, every element.

tests/python/onnx_operators_test.py [--count N] [--seed S] [--only OPERATOR]     the long form is --count 1000
"""

import argparse
import os
import random
import sys
import tempfile
import traceback
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx_reference
from onnx_cases import CASES, MICROSOFT, Draw, Model, transposed_convolution
from onnx import TensorProto, helper
from onnx_reference import Reference, compare, simulate

from gemel.importer import ModelError, import_model, ort

COUNT, SEED, ONLY = 140, None, ""
MACHINES = ("edge16", "odd7x13", "tiny8")
JOINED = {"Add", "AveragePool", "Conv", "Gemm", "GlobalAveragePool", "MatMul"}  # by the runtime, with their DequantizeLinear and QuantizeLinear
NOT_EXACT = "its float32 arithmetic is in "  # what the importer says where no multiplier of the machine gives the runtime's result


@unittest.skipIf(onnx_reference.missing(), onnx_reference.missing())
@unittest.skipUnless(Path(onnx_reference.gemel_program()).is_file(), f"{onnx_reference.gemel_program()} is not built")
class Operators(unittest.TestCase):
    def test_random_models_equal_the_reference(self):
        seed = SEED if SEED is not None else int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        names = [ONLY] if ONLY else sorted(CASES)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda i: self.one(names[i % len(names)], seed, i), range(COUNT)))
        wrong = [line for _, _, lines, _ in results for line in lines]
        refused = Counter(names[i % len(names)] for i, (*_, no) in enumerate(results) if no)
        equal = COUNT - sum(bool(lines) for _, _, lines, _ in results) - sum(refused.values())
        print(
            f"{equal} of {COUNT} models of {len(names)} operators equal: {sum(t for t, *_ in results)} tensors, "
            f"{sum(e for _, e, *_ in results)} elements, {len(wrong)} differences; refused, because the machine's arithmetic cannot give the "
            f"runtime's: {dict(refused)}"
        )
        self.assertEqual(wrong, [], "\n".join(wrong[:20]))
        self.assertLessEqual(set(refused), {"Add", "Mul", "Sub"})

    def test_functions_in_float32(self):
        """Those whose steps in float32 are known give the runtime's very numbers, of which a tie at most shows the last bit."""
        x = (np.random.default_rng(1).normal(size=1 << 16) * 4).astype(np.float32)
        for kind, attributes in (("HardSigmoid", {"alpha": 0.2, "beta": 0.5}), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}), ("HardSwish", {}),
                                 ("LeakyRelu", {"alpha": 0.3}), ("Reciprocal", {}), ("Sigmoid", {}), ("Sign", {}), ("Softsign", {}), ("Sqrt", {}), ("Tanh", {}),
                                 ("ThresholdedRelu", {"alpha": 0.3})):  # fmt: skip
            node = helper.make_node(kind, ["x"], ["y"], **attributes)
            ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in ("x", "y")]
            model = helper.make_model(helper.make_graph([node], "one", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
            given = np.abs(x) if kind == "Sqrt" else x
            expected = Reference(model, []).run({"x": given})["y"]
            self.assertEqual(int((ort.unary(kind, given, attributes) != expected).sum()), 0, kind)

    def test_averages_over_part_of_an_image(self):
        """Sums in float32, whose results next to a tie may go either way: refused, or with `nearest` within one step."""
        rng = np.random.default_rng(11)
        for qdq, kernel, pads in ((True, [2, 2], [0] * 4), (True, [3, 3], [1] * 4), (False, [3, 2], [1, 0, 1, 1])):
            draw = Draw(rng)
            m = Model(draw, qdq, np.int8)
            x = m.input("x", (1, 5, 9, 8))
            if qdq:
                m.quantize(m.node("AveragePool", [m.real(x)], "made", kernel_shape=kernel, pads=pads, strides=[2, 1]), "y", *m.q[x])
            else:
                m.node("QLinearAveragePool", [x, "x_scale", "x_zero", *m.scaled("y", *m.q[x])], "y", MICROSOFT, kernel_shape=kernel, pads=pads, strides=[2, 1])
            proto = m.output("y").proto()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                path.write_bytes(proto.SerializeToString())
                with self.assertRaises(ModelError) as raised:
                    import_model(path)
                self.assertIn(f"kernel_shape is {kernel} of an image [9, 8]", str(raised.exception))
                workload = import_model(path, nearest=True)
                self.assertIn("pixels are rounded in another way where they lie next to a tie", "\n".join(workload.notes))
                inputs = m.values()
                expected = Reference(proto, ["y"]).run(inputs)["y"].astype(int)
                yaml, _ = workload.save(Path(folder) / "net.yaml")
                given = Reference(proto, ["x"]).run(inputs)["x"]
                made, _ = simulate(yaml, "tiny8", [workload.layouts[workload.inputs[0]["name"]].of_memory(given)])
                name = next(n for n, v in workload.sources.items() if v == "y")
                actual = workload.layouts[name].of_model(made[name]).astype(int)
                self.assertLessEqual(int(np.abs(actual - expected).max()), 1)
                self.assertLess(float((actual != expected).mean()), 0.2)

    def only_near(self, proto, folder, refusal, note):
        """The workload of a model that is refused, with that text, unless `nearest` is asked for, which adds that note."""
        path = Path(folder) / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        with self.assertRaises(ModelError) as raised:
            import_model(path)
        self.assertIn(refusal, str(raised.exception))
        workload = import_model(path, nearest=True)
        self.assertIn(note, "\n".join(workload.notes))
        return workload

    def test_scales_per_channel_of_matrices(self):
        """A matrix of weights for each place, with a scale for each column: float32 in ONNX Runtime, refused, or with `nearest` equal but next to a tie."""
        draw = Draw(np.random.default_rng(12))
        m = Model(draw, True, np.int8)
        x = m.input("x", (3, 7, 19))
        w = m.weights("w", (3, 19, 5), 2, True, np.int8, 0)
        m.quantize(m.node("MatMul", [m.real(x), m.real(w, 2)], "made"), "y", float(m.q[x][0] * np.max(m.q[w][0])) * 300, 0)
        proto = m.output("y").proto()
        with tempfile.TemporaryDirectory() as folder:
            workload = self.only_near(proto, folder, "what ONNX Runtime computes in float32 is 5 scales of weights of 3 dimensions",
                                      "(scales per channel of matrices) is float32 in ONNX Runtime")  # fmt: skip
        self.assertEqual([layer.op for layer in workload.layers], ["conv2d"])
        *_, wrong, nodes = compare(workload, proto, m.values(), "tiny8")
        self.assertEqual(nodes["MatMul"], 1, "ONNX Runtime joins it now: the importer can take it as exact")
        self.assertEqual(wrong, [])

    def test_transposed_convolutions_with_any_scales(self):
        """Sums in float32, whose results next to a tie may go either way: refused, or with `nearest` equal but there."""
        rng = np.random.default_rng(12)
        elements = ties = 0
        for case in range(12):
            m = transposed_convolution(Draw(rng), powers_of_two=False)
            proto = m.proto()
            with tempfile.TemporaryDirectory() as folder:
                workload = self.only_near(proto, folder, "ConvTranspose `made`: what ONNX Runtime computes in float32 is ConvTranspose",
                                          "(ConvTranspose) is float32 in ONNX Runtime: elements next to a tie may differ by one")  # fmt: skip
                values = Reference(proto, ["x", "made", "y"]).run(m.values())
                yaml, _ = workload.save(Path(folder) / "net.yaml")
                made, _ = simulate(yaml, MACHINES[case % len(MACHINES)], [workload.layouts[workload.inputs[0]["name"]].of_memory(values["x"])])
                name = next(n for n, v in workload.sources.items() if v == "y")
                differs = workload.layouts[name].of_model(made[name]).astype(int) - values["y"]
                steps = values["made"].astype(float) / float(m.q["y"][0])
                self.assertLessEqual(int(np.abs(differs).max()), 1)
                self.assertTrue((np.abs(steps - np.floor(steps) - 0.5)[differs != 0] < 1e-3).all())
                elements, ties = elements + differs.size, ties + int((differs != 0).sum())
        print(f"{ties} of {elements} elements differ, all next to a tie")
        self.assertLess(ties, elements / 1000)

    def test_resize_of_an_old_opset(self):
        """Two operands, of opset 10: asymmetric, down to the next whole number."""
        numbers = [helper.make_tensor("s", TensorProto.FLOAT, [], [0.5]), helper.make_tensor("z", TensorProto.UINT8, [], [3]),
                   helper.make_tensor("k", TensorProto.FLOAT, [4], [1, 1, 3, 2])]  # fmt: skip
        nodes = [helper.make_node("DequantizeLinear", ["x", "s", "z"], ["r"]), helper.make_node("Resize", ["r", "k"], ["made"], mode="nearest"),
                 helper.make_node("QuantizeLinear", ["made", "s", "z"], ["y"])]  # fmt: skip
        ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n, shape in (("x", [1, 5, 2, 3]), ("y", [1, 5, 6, 6]))]
        model = helper.make_model(helper.make_graph(nodes, "old", ends[:1], ends[1:], numbers), opset_imports=[helper.make_opsetid("", 10)], ir_version=5)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(model.SerializeToString())
            image = np.arange(30, dtype=np.uint8).reshape(1, 5, 2, 3)
            self.assertEqual(compare(import_model(path), model, {"x": image}, "odd7x13")[:3], (1, 180, []))

    def test_what_random_models_have_found_before(self):
        # Next to a tie, where the exact function rounds another way.
        for name, seed, case in (("Sigmoid", 1237675225, 68), ("Softsign", 3120036973, 2261)):
            self.assertEqual(self.one(name, seed, case)[2], [])

    def one(self, name: str, seed: int, case: int) -> tuple[int, int, list[str], bool]:
        draw = Draw(np.random.default_rng([seed, case]))
        replay = f"--seed {seed} --count {case + 1}" + (f" --only {ONLY}" if ONLY else "")
        try:
            model = CASES[name](draw)
            proto = model.proto()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                path.write_bytes(proto.SerializeToString())
                try:
                    workload = import_model(path)
                except ModelError as error:
                    if all(NOT_EXACT in d.message for d in error.diagnostics):
                        return 0, 0, [], True
                    raise
            tensors, elements, wrong, nodes = compare(workload, proto, model.values(), MACHINES[case % len(MACHINES)])
            if name in JOINED and nodes[name]:
                wrong.append(f"the runtime computes it in float32: {dict(nodes)}")
        except Exception as error:  # one broken case must not hide the others
            place = "" if isinstance(error, ModelError) else traceback.format_exc(limit=-2)
            return 0, 0, [f"{name} (case {case}, {replay}): {type(error).__name__}: {error}{place}"], False
        return tensors, elements, [f"{name} (case {case}, {replay}): {line}" for line in wrong], False


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default="", choices=["", *CASES])
    options, rest = parser.parse_known_args()
    COUNT, SEED, ONLY = options.count, options.seed, options.only
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
