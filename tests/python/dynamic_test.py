# SPDX-License-Identifier: Apache-2.0
"""Models that ONNX Runtime's quantize_dynamic() makes: each sum of MatMulInteger and ConvInteger comes from the simulated machine and equals the runtime's and
NumPy's, each output the runtime's. GEMEL_SEED=N replays the random models."""

import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
import packaged  # noqa: F401
from encoders import Encoder
from onnx import TensorProto, helper, numpy_helper

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import gemel  # noqa: E402
from gemel.rewrite.dynamic import bytes_for, session, sums_of_bytes  # noqa: E402

MACHINES = ("edge16", "odd7x13", "tiny8")
# Of uint8 and int8 the runtime's sums saturate on processors without VNNI: weights are uint8 there.
VNNI = "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
ELEMENT = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8}


def generator() -> np.random.Generator:
    seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"GEMEL_SEED={seed}")
    return np.random.default_rng(seed)


def all_sums(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of ONNX Runtime without optimizations: the products' sums, and the outputs."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    have = {v.name for v in whole.graph.output}
    made = [node.output[0] for node in whole.graph.node if node.op_type in ("MatMulInteger", "ConvInteger")]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in have)
    runtime = session(whole)
    return dict(zip([o.name for o in runtime.get_outputs()], runtime.run(None, inputs), strict=True))


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-dynamic-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def quantized(self, model: onnx.ModelProto, name: str, **options) -> Path:
        from onnxruntime.quantization import quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process

        onnx.save(model, self.folder / "float.onnx")
        quant_pre_process(self.folder / "float.onnx", self.folder / "prepared.onnx", skip_symbolic_shape=True)
        quantize_dynamic(self.folder / "prepared.onnx", self.folder / name, **options)
        return self.folder / name

    def graph(self, nodes, inputs, outputs, constants=None, opset: int = 17) -> Path:
        """`inputs` and `outputs`: (name, type, shape) for each."""
        tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
        infos = [[helper.make_tensor_value_info(*one) for one in given] for given in (inputs, outputs)]
        made = helper.make_graph(nodes, "one", *infos, tensors)
        onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), self.folder / "m.onnx")
        return self.folder / "m.onnx"

    def equal(self, path: Path, inputs: dict[str, np.ndarray], machine: str) -> gemel.DynamicResult:
        model = gemel.DynamicModel(path, machine)
        result, wanted = model.run(inputs), all_sums(onnx.load(path), inputs)
        self.assertEqual(len(result.sums), model.products)
        self.assertEqual(set(wanted), set(result.sums) | set(result.outputs))
        for name, array in {**result.sums, **result.outputs}.items():
            self.assertEqual(array.dtype, wanted[name].dtype)
            np.testing.assert_array_equal(array, wanted[name], err_msg=name)
        return result


class Encoders(InFolder):
    def test_every_product_is_on_the_machine_and_every_value_equal(self):
        from onnxruntime.quantization import QuantType

        rng = generator()
        for i, machine in enumerate(MACHINES):
            heads = int(rng.integers(1, 5))
            encoder = Encoder(rng, length=int(rng.integers(3, 20)), channels=8 * heads, heads=heads, layers=int(rng.integers(1, 3)), outlier=30 * (i % 2))
            kind = QuantType.QInt8 if VNNI and i % 2 == 0 else QuantType.QUInt8
            path = self.quantized(encoder.proto(), f"{i}.onnx", weight_type=kind, per_channel=i != 2, extra_options={"MatMulConstBOnly": False})
            model = gemel.DynamicModel(path, machine)
            self.assertEqual(model.host_products, ())
            self.assertEqual(model.products, sum(node.op_type == "MatMul" for node in encoder.proto().graph.node))
            data = encoder.sentences(2)
            for k in range(2):  # other scales and zero points, the same programs
                result = self.equal(path, {name: array[k : k + 1] for name, array in data.items()}, machine)
            self.assertLess(result.host_share, 1)
            self.assertEqual([layer.name.rsplit(".", 1)[0] for run in result.runs for layer in run.layers if layer.op != "transpose"], list(result.sums))
            self.assertEqual(sum(run.cycles for run in result.runs), result.cycles)
            # Products of one layer that do not wait for each other are one program: queries, keys and values.
            self.assertEqual(len(model._stages.stages) - 1, model.products * 6 // 8)

    def test_it_is_nearer_to_float_than_one_scale_for_all_sentences(self):
        rng = np.random.default_rng(5)
        encoder = Encoder(rng, outlier=60)
        data, float_path = encoder.sentences(16), self.folder / "exact.onnx"
        onnx.save(encoder.proto(), float_path)
        static = gemel.quantize(float_path, data, self.folder / "static.onnx")
        from onnxruntime.quantization import QuantType

        kind = QuantType.QInt8 if VNNI else QuantType.QUInt8
        path = self.quantized(encoder.proto(), "dynamic.onnx", weight_type=kind, per_channel=True, extra_options={"MatMulConstBOnly": False})
        dynamic, exact = gemel.DynamicModel(path, "edge16"), session(encoder.proto())
        signal = noise = 0.0
        for k in range(4):
            inputs = {name: array[k : k + 1] for name, array in data.items()}
            wanted = exact.run(["hidden"], inputs)[0]
            signal += float((wanted.astype(np.float64) ** 2).sum())
            noise += float(((dynamic.run(inputs).outputs["hidden"].astype(np.float64) - wanted) ** 2).sum())
        decibels = 10 * np.log10(signal / noise)
        print(f"static {static.outputs['hidden']:.1f} dB, dynamic {decibels:.1f} dB")
        self.assertGreater(decibels, static.outputs["hidden"] + 3)


class Products(InFolder):
    """Against NumPy and ONNX Runtime."""

    def operand(self, rng, kind: str, *shape: int) -> np.ndarray:
        info = np.iinfo(kind)
        return rng.integers(info.min, info.max + 1, shape).astype(kind)

    def test_random_products_with_constant_weights(self):
        rng = generator()
        for i in range(12):
            k, n, pairs = int(rng.integers(1, 300)), int(rng.integers(1, 60)), (("uint8", "uint8"), ("int8", "int8"), ("uint8", "int8"))
            kinds = pairs[int(rng.integers(0, 3 if VNNI else 2))]
            weights = self.operand(rng, kinds[1], k, n)
            if rng.random() < 0.3:
                weights[:] = np.iinfo(kinds[1]).max  # the largest sums
            zeros = self.operand(rng, kinds[1], n if rng.random() < 0.5 else 1).reshape(-1) if rng.random() < 0.8 else None
            constants = {"w": weights, **({} if zeros is None else {"wz": zeros if zeros.size > 1 else zeros[0]})}
            path = self.graph([helper.make_node("MatMulInteger", ["a", "w", "az", *(["wz"] if zeros is not None else [])], ["y"])],
                              [("a", ELEMENT[kinds[0]], [None] * 3), ("az", ELEMENT[kinds[0]], [])], [("y", TensorProto.INT32, None)], constants)  # fmt: skip
            a, zero = self.operand(rng, kinds[0], 2, int(rng.integers(1, 9)), k), self.operand(rng, kinds[0])
            if i % 3 == 0:
                a[:] = np.iinfo(kinds[0]).max
            result = self.equal(path, {"a": a, "az": zero}, MACHINES[i % 3])
            exact = (a.astype(np.int64) - int(zero)) @ (weights.astype(np.int64) - (0 if zeros is None else zeros.astype(np.int64)))
            np.testing.assert_array_equal(result.sums["y"], exact)

    def test_random_products_of_two_computed_operands(self):
        rng = generator()
        for i in range(12):
            m, k, n = (int(rng.integers(1, 40)) for _ in range(3))
            outer = [int(d) for d in rng.integers(1, 4, int(rng.integers(0, 3)))]
            right = outer if rng.random() < 0.7 else []
            path = self.graph([helper.make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"])],
                              [("a", TensorProto.UINT8, [None] * (len(outer) + 2)), ("b", TensorProto.UINT8, [None] * (len(right) + 2)),
                               ("az", TensorProto.UINT8, []), ("bz", TensorProto.UINT8, [])], [("y", TensorProto.INT32, None)])  # fmt: skip
            inputs = {"a": self.operand(rng, "uint8", *outer, m, k), "b": self.operand(rng, "uint8", *right, k, n),
                      "az": self.operand(rng, "uint8"), "bz": self.operand(rng, "uint8")}  # fmt: skip
            result = self.equal(path, inputs, MACHINES[i % 3])
            wide = {name: array.astype(np.int64) for name, array in inputs.items()}
            np.testing.assert_array_equal(result.sums["y"], (wide["a"] - wide["az"]) @ (wide["b"] - wide["bz"]))

    def test_random_convolutions(self):
        rng = generator()
        for i in range(12):
            groups = int(rng.integers(1, 4))
            cin, out = groups * int(rng.integers(1, 7)), groups * int(rng.integers(1, 9))
            kernel, stride, dilation = ([int(v) for v in rng.integers(1, most + 1, 2)] for most in (4, 3, 2))
            size = [int((k - 1) * d + 1 + rng.integers(0, 9)) for k, d in zip(kernel, dilation, strict=True)]
            pads = [int(v) for v in rng.integers(0, 3, 4)]
            where = [{"pads": pads}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"auto_pad": "VALID"}, {}][i % 5]
            if "SAME" in where.get("auto_pad", ""):
                dilation = [1, 1]
            weights = self.operand(rng, "uint8", out, cin // groups, *kernel)
            node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], strides=stride, dilations=dilation, group=groups,
                                    kernel_shape=kernel, **where)  # fmt: skip
            path = self.graph([node], [("x", TensorProto.UINT8, [1, cin, *size]), ("xz", TensorProto.UINT8, [])], [("y", TensorProto.INT32, None)],
                              {"w": weights, "wz": self.operand(rng, "uint8")})  # fmt: skip
            self.equal(path, {"x": self.operand(rng, "uint8", 1, cin, *size), "xz": self.operand(rng, "uint8")}, MACHINES[i % 3])

    def test_sequences_and_depthwise_layers(self):
        rng = generator()
        cases = ((1, 5, [17], [4], {"pads": [2, 1], "strides": [2], "dilations": [2]}), (6, 6, [9], [3], {}),
                 (6, 6, [9, 7], [3, 3], {"pads": [1] * 4}), (6, 12, [5, 5], [1, 3], {"strides": [2, 1]}))  # fmt: skip
        for i, (groups, out, size, kernel, where) in enumerate(cases):
            node = helper.make_node("ConvInteger", ["x", "w", "xz"], ["y"], group=groups, kernel_shape=kernel, **where)
            path = self.graph([node], [("x", TensorProto.UINT8, [2, 6, *size]), ("xz", TensorProto.UINT8, [])], [("y", TensorProto.INT32, None)],
                              {"w": self.operand(rng, "uint8", out, 6 // groups, *kernel)})  # fmt: skip
            self.equal(path, {"x": self.operand(rng, "uint8", 2, 6, *size), "xz": self.operand(rng, "uint8")}, MACHINES[i % 3])

    def test_the_node_of_onnx(self):
        from onnx.backend.test.loader import load_model_tests

        (case,) = (case for case in load_model_tests(kind="node") if case.name == "test_matmulinteger")
        onnx.save(case.model, self.folder / "m.onnx")
        ((given, wanted),) = case.data_sets
        inputs = {value.name: array for value, array in zip(case.model.graph.input, given, strict=True)}
        result = self.equal(self.folder / "m.onnx", inputs, "tiny8")
        np.testing.assert_array_equal(result.outputs[case.model.graph.output[0].name], wanted[0])

    def test_sums_of_more_than_32_bits_wrap(self):
        k = 40000  # 40000 * 255 * 255 > 2^31
        path = self.graph([helper.make_node("MatMulInteger", ["a", "w"], ["y"])], [("a", TensorProto.UINT8, [1, k])], [("y", TensorProto.INT32, None)],
                          {"w": np.full((k, 3), 255, np.uint8)})  # fmt: skip
        result = gemel.DynamicModel(path, "edge16").run({"a": np.full((1, k), 255, np.uint8)})
        self.assertEqual(result.sums["y"].tolist(), [[k * 255 * 255 - (1 << 32)] * 3])

    def test_bytes_of_sums(self):
        for most, count in ((0, 1), (127, 1), (128, 2), (32767, 2), (32768, 3), ((1 << 23) - 1, 3), (1 << 23, 4), ((1 << 31) - 1, 4), (1 << 40, 4)):
            self.assertEqual(bytes_for(most), count)
        for count in range(1, 5):
            sums = np.array([[0, 1, -1, 127, -128, (1 << 8 * count - 1) - 1, -(1 << 8 * count - 1)]], np.int64)
            raw = np.concatenate([sums >> 8 * i & 255 for i in range(count)], axis=-1).astype(np.uint8)
            np.testing.assert_array_equal(sums_of_bytes(raw, count), sums)


class Networks(InFolder):
    def test_a_convolutional_network(self):
        rng = generator()
        constants = {"w1": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32), "b1": rng.normal(0, 0.3, 8).astype(np.float32),
                     "w2": rng.normal(0, 0.3, (4, 8, 1, 1)).astype(np.float32), "w3": rng.normal(0, 0.3, (100, 5)).astype(np.float32)}  # fmt: skip
        nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]), helper.make_node("Relu", ["c1"], ["r"]),
                 helper.make_node("Conv", ["r", "w2"], ["c2"]), helper.make_node("Flatten", ["c2"], ["f"]), helper.make_node("MatMul", ["f", "w3"], ["y"])]
        self.graph(nodes, [("x", TensorProto.FLOAT, [1, 3, 10, 10])], [("y", TensorProto.FLOAT, [1, 5])], constants)
        path = self.quantized(onnx.load(self.folder / "m.onnx"), "q.onnx", weight_type=quint8())
        for machine in MACHINES:
            result = self.equal(path, {"x": rng.normal(0, 1, (1, 3, 10, 10)).astype(np.float32)}, machine)
        self.assertEqual(len(result.sums), 3)

    def test_a_model_whose_lengths_are_open(self):
        path = self.graph([helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
                           helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)],
                          [("x", TensorProto.FLOAT, ["rows", 9])], [("y", TensorProto.FLOAT, None)],
                          {"w": np.arange(36, dtype=np.int8).reshape(9, 4)})  # fmt: skip
        model = gemel.DynamicModel(path, "tiny8")
        for rows in (1, 7, 7):
            x = np.linspace(-1, 2, rows * 9, dtype=np.float32).reshape(rows, 9)
            np.testing.assert_array_equal(model.run({"x": x}).outputs["y"], model.in_onnx_runtime({"x": x})["y"])
        self.assertEqual(len(model._programs), 2)  # one for each length


    def test_outputs_that_nothing_computes(self):
        node = helper.make_node("MatMulInteger", ["a", "w"], ["y"])
        path = self.graph([node], [("a", TensorProto.UINT8, [2, 3])], [("y", TensorProto.INT32, [2, 4]), ("w", TensorProto.UINT8, [3, 4])],
                          {"w": np.arange(12, dtype=np.uint8).reshape(3, 4)})  # fmt: skip
        result = self.equal(path, {"a": np.full((2, 3), 9, np.uint8)}, "tiny8")
        self.assertEqual(result.outputs["w"].sum(), 66)

    def test_products_within_a_branch_stay_on_the_host_and_are_told(self):
        def product(name: str, weights: str) -> onnx.GraphProto:
            node = helper.make_node("MatMulInteger", ["q", weights, "z"], [name])
            return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.INT32, None)])

        nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
                 helper.make_node("If", ["which"], ["branch"], then_branch=product("one", "w"), else_branch=product("other", "v")),
                 helper.make_node("Sub", ["i", "branch"], ["y"])]  # fmt: skip
        constants = {"w": np.arange(36, dtype=np.uint8).reshape(9, 4), "v": np.ones((9, 4), np.uint8)}
        path = self.graph(nodes, [("x", TensorProto.FLOAT, [2, 9]), ("which", TensorProto.BOOL, [])], [("y", TensorProto.INT32, None)], constants)
        self.assertCountEqual(gemel.DynamicModel(path).host_products, ("MatMulInteger `one`", "MatMulInteger `other`"))
        x = np.linspace(-1, 2, 18, dtype=np.float32).reshape(2, 9)
        self.assertFalse(self.equal(path, {"x": x, "which": np.array(True)}, "tiny8").outputs["y"].any())
        self.assertTrue(self.equal(path, {"x": x, "which": np.array(False)}, "tiny8").outputs["y"].any())


class Command(InFolder):
    """`gemel run MODEL --data ARRAYS`."""

    def test_runs_are_compared_and_counted(self):
        rng = generator()
        encoder = Encoder(rng, length=6, channels=16, heads=2, layers=1)
        onnx.save(encoder.proto(), self.folder / "exact.onnx")
        self.quantized(encoder.proto(), "q.onnx", weight_type=quint8())
        data = {name: array[:3] for name, array in encoder.sentences(3).items()}
        np.savez(self.folder / "data.npz", **data)
        report = gemel.DynamicModel(self.folder / "q.onnx", "tiny8").measure(data, beside=[self.folder / "exact.onnx"])
        self.assertEqual((len(report.results), report.elements, report.differing), (3, 3 * 6 * 16, 0))
        self.assertEqual(len(report.host_products), 2)  # the attention's, which quantize_dynamic() leaves
        (cosines,) = report.cosines.values()
        self.assertGreater(min(cosines), 0.9)
        done = self.gemel("run", "q.onnx", "--data", "data.npz", "-m", "tiny8", "--beside", "exact.onnx", "--images", "2", "--quiet")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIsNone(report.right)
        cycles = report.results[0].cycles
        lines = (rf"{cycles:,} cycles on tiny8, [\d,]+ MACs, [\d.]+ % of the array's slots; the NPU is started 4 times; 6 products, [\d,]+ sums",
                 r"host: [\d.]+ % of the elements, [\d,]+ bytes to and fro",
                 rf"2 runs, {cycles:,} cycles; 192 of 192 elements of the outputs equal ONNX Runtime's",
                 r"beside exact.onnx: cosine of the first output at least [01]\.\d{4}, [01]\.\d{4} on average",
                 r"note: the host computes 2 products, in float32 or within a branch: MatMul `0.scores`, MatMul `0.mixed`")  # fmt: skip
        self.assertRegex(done.stdout, "^" + "\n".join(lines) + "\n$")
        labels = [int(result.outputs["hidden"].argmax()) for result in report.results]
        labels[1] += 1
        np.savez(self.folder / "labelled.npz", labels=np.array(labels), **data)
        done = self.gemel("run", "q.onnx", "--data", "labelled.npz", "-m", "tiny8", "--beside", "q.onnx")
        self.assertIn("\nright: 2 of 3, q.onnx: 2\n", done.stdout)
        done = self.gemel("run", "q.onnx", "--data", "data.npz", "-m", "tiny8", "--batch", "2")
        refusal = "error[E0911]: `--batch` and a model that is quantized while it runs: it takes one image or sentence at a time\nhint: leave it out\n"
        self.assertEqual((done.returncode, done.stderr), (2, refusal))
        done = self.gemel("run", "q.onnx", "-m", "tiny8")
        self.assertEqual(done.returncode, 2)
        self.assertIn("hint: gemel run MODEL --data ARRAYS.npz has its products on the machine and all else in ONNX Runtime", done.stderr)

    def gemel(self, *words: str) -> subprocess.CompletedProcess[str]:
        home = {**os.environ, "GEMEL_HOME": str(packaged.ROOT), "GEMEL_PYTHON": sys.executable}
        return subprocess.run([onnx_reference.gemel_program(), *words], cwd=self.folder, env=home, capture_output=True, text=True, check=False)


def quint8():
    from onnxruntime.quantization import QuantType

    return QuantType.QUInt8


class Zeros(InFolder):
    """Zero points for each row, column and channel, which ONNX Runtime has not for all: beside NumPy's sums."""

    def test_of_rows_and_columns(self):
        rng = generator()
        for outer, constant in (((), True), ((), False), ((2,), True), ((2, 3), False)):
            m, k, n = (int(v) for v in rng.integers(1, 20, 3))
            a, b = rng.integers(0, 256, (*outer, m, k), np.uint8), rng.integers(-128, 128, (k, n) if constant else (*outer, k, n), np.int8)
            za, zb = rng.integers(0, 256, m, np.uint8), rng.integers(-128, 128, n, np.int8)
            inputs = [("a", TensorProto.UINT8, a.shape), ("za", TensorProto.UINT8, [m])] + ([] if constant else [("b", TensorProto.INT8, b.shape)])
            path = self.graph([helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["y"])], inputs, [("y", TensorProto.INT32, None)],
                              {"zb": zb} | ({"b": b} if constant else {}))  # fmt: skip
            result = gemel.DynamicModel(path, "odd7x13").run({"a": a, "za": za} | ({} if constant else {"b": b}))
            wanted = np.matmul(a.astype(np.int64) - za[:, None], b.astype(np.int64) - zb)
            np.testing.assert_array_equal(result.outputs["y"], wanted, f"{outer} {constant}")
            self.assertEqual((result.host_elements, result.machine_elements), (0, wanted.size))

    def test_of_the_channels_of_a_convolution(self):
        from onnx.reference import ReferenceEvaluator

        rng = generator()
        for group in (1, 2):
            x, w = rng.integers(0, 256, (2, 4, 9, 8), np.uint8), rng.integers(0, 256, (6, 4 // group, 3, 2), np.uint8)
            zx, zw = rng.integers(0, 256, (), np.uint8), rng.integers(0, 256, 6, np.uint8)
            more = {"pads": [1, 2, 0, 1], "strides": [2, 1], "dilations": [1, 2], "group": group}
            exact = self.graph([helper.make_node("Conv", ["x", "w"], ["y"], **more)], [("x", TensorProto.DOUBLE, x.shape)], [("y", TensorProto.DOUBLE, None)],
                               {"w": w.astype(np.float64) - zw.reshape(-1, 1, 1, 1)})  # fmt: skip
            wanted = ReferenceEvaluator(onnx.load(exact)).run(None, {"x": x.astype(np.float64) - zx})[0]
            path = self.graph([helper.make_node("ConvInteger", ["x", "w", "zx", "zw"], ["y"], **more)], [("x", TensorProto.UINT8, x.shape)],
                              [("y", TensorProto.INT32, None)], {"w": w, "zx": zx, "zw": zw})  # fmt: skip
            result = gemel.DynamicModel(path, "odd7x13").run({"x": x})
            np.testing.assert_array_equal(result.outputs["y"], wanted)
            self.assertEqual((result.host_elements, result.machine_elements), (0, wanted.size))


class Quantizers(InFolder):
    """Types that NumPy and ONNX Runtime do not exchange, at the edges and between host and machine."""

    def test_int4_at_the_edges_and_between(self):
        rng = generator()
        nodes = [helper.make_node("DequantizeLinear", ["x", "s"], ["d"], axis=1, block_size=4),
                 helper.make_node("DynamicQuantizeLinear", ["d"], ["q", "qs", "qz"]),
                 helper.make_node("MatMulInteger", ["q", "w", "qz"], ["sums"]),
                 helper.make_node("Cast", ["sums"], ["f"], to=TensorProto.FLOAT),
                 helper.make_node("QuantizeLinear", ["f", "s2", "z2"], ["y"]),
                 helper.make_node("QuantizeLinear", ["f", "s2", "z8"], ["y8"])]  # fmt: skip
        x, w = rng.integers(-8, 8, (3, 16)), rng.integers(-128, 128, (16, 5), np.int8)
        int4, float8 = (helper.tensor_dtype_to_np_dtype(kind) for kind in (TensorProto.INT4, TensorProto.FLOAT8E4M3FN))
        path = self.graph(nodes, [("x", TensorProto.INT4, [3, 16])], [("y", TensorProto.INT4, None), ("y8", TensorProto.FLOAT8E4M3FN, None)],
                          {"s": rng.uniform(0.5, 2, (3, 4)).astype(np.float32), "s2": np.float32(20000), "z2": np.array(1, int4),
                           "z8": np.array(0, float8), "w": w}, opset=21)  # fmt: skip
        model = gemel.DynamicModel(path, "odd7x13")
        result, wanted = model.run({"x": x.astype(int4)}), model.in_onnx_runtime({"x": x.astype(int4)})
        sums = result.sums["sums"].astype(np.float32) / np.float32(20000)
        np.testing.assert_array_equal(result.outputs["y"].astype(int), np.clip(np.rint(sums) + 1, -8, 7).astype(int))
        np.testing.assert_array_equal(result.outputs["y8"].astype(np.float32), sums.astype(float8).astype(np.float32))
        for name in ("y", "y8"):
            self.assertEqual(result.outputs[name].dtype, wanted[name].dtype)
            np.testing.assert_array_equal(result.outputs[name].astype(np.float32), wanted[name].astype(np.float32))
        self.assertEqual(result.machine_elements, 15)

    def test_float4_is_the_references(self):
        rng = generator()
        float4 = helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT4E2M1)
        nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
                 helper.make_node("Add", ["x", "d"], ["sum"]),
                 helper.make_node("DynamicQuantizeLinear", ["sum"], ["q", "qs", "qz"]),
                 helper.make_node("MatMulInteger", ["q", "v", "qz"], ["y"])]  # fmt: skip
        w, x = rng.choice([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -6], (3, 4)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
        path = self.graph(nodes, [("x", TensorProto.FLOAT, [3, 4])], [("d", TensorProto.FLOAT, None), ("y", TensorProto.INT32, None)],
                          {"w": w.astype(float4), "s": np.float32(0.25), "v": np.ones((4, 2), np.int8)}, opset=23)  # fmt: skip
        model = gemel.DynamicModel(path, "tiny8")
        self.assertEqual((model.reference_nodes, model.products), (("DequantizeLinear `d`",), 1))
        result = model.run({"x": x})
        np.testing.assert_array_equal(result.outputs["d"], w * np.float32(0.25))
        whole = w * np.float32(0.25) + x
        scale = (max(0, whole.max()) - min(0, whole.min())) / np.float32(255)
        np.testing.assert_allclose(result.outputs["y"][:, 0] * scale, whole.sum(axis=1), atol=4 * scale)
        self.assertEqual(result.host_elements, 12 + 12 + 14)
        with self.assertRaises(gemel.UserError) as caught:
            model.in_onnx_runtime({"x": x})
        self.assertEqual(caught.exception.code, "E1109")


class Refusals(InFolder):
    def refused(self, text: str, *model, **options) -> None:
        path = self.graph(*model, **options)
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(path)
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."), text)

    def test_a_file_that_is_no_model(self):
        (self.folder / "m.onnx").write_bytes(b"no model")
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(self.folder / "m.onnx")
        self.assertEqual(caught.exception.code, "E1103")
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(self.folder / "absent.onnx")
        self.assertEqual(caught.exception.code, "E1101")

    def test_a_model_without_such_products(self):
        self.refused("error[E1106]: the model has no product that is quantized while it runs: no MatMulInteger and no ConvInteger; "
                     "the host would compute MatMul `y`\n  ./m.onnx\n"
                     "hint: onnxruntime.quantization.quantize_dynamic() makes them of a float32 model; `gemel run` and gemel.run() take models whose scales "
                     "are known",
                     [helper.make_node("MatMul", ["x", "x"], ["y"])], [("x", TensorProto.FLOAT, [2, 2])], [("y", TensorProto.FLOAT, [2, 2])])  # fmt: skip

    def test_forms_that_optimizations_make(self):
        node = helper.make_node("MatMulIntegerToFloat", ["a", "w", "s", "s"], ["y"], domain="com.microsoft")
        tensors = {"w": np.ones((3, 4), np.uint8), "s": np.float32(0.5)}
        edges = [helper.make_tensor_value_info("a", TensorProto.UINT8, [2, 3]), helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])]
        made = helper.make_graph([node], "one", edges[:1], edges[1:], [numpy_helper.from_array(np.asarray(v), k) for k, v in tensors.items()])
        sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(made, opset_imports=sets, ir_version=8), self.folder / "m.onnx")
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(self.folder / "m.onnx")
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."),
                         "error[E1105]: node 0, MatMulIntegerToFloat `y`: its products are inside of it\n  ./m.onnx\n"
                         "hint: take the model as quantize_dynamic() writes it, before ONNX Runtime has optimized it")  # fmt: skip

    def test_weights_of_a_convolution_that_are_computed(self):
        self.refused("error[E1105]: node 0, ConvInteger `y`: its weights are computed by the network; supported: constants\n  ./m.onnx",
                     [helper.make_node("ConvInteger", ["x", "w"], ["y"])],
                     [("x", TensorProto.UINT8, [1, 1, 3, 3]), ("w", TensorProto.UINT8, [1, 1, 1, 1])], [("y", TensorProto.INT32, None)])  # fmt: skip

    def test_zero_points_that_do_not_fit(self):
        path = self.graph([helper.make_node("MatMulInteger", ["a", "w", "z"], ["y"])], [("a", TensorProto.UINT8, [2, 3]), ("z", TensorProto.UINT8, [3])],
                          [("y", TensorProto.INT32, None)], {"w": np.ones((3, 4), np.uint8)})  # fmt: skip
        model = gemel.DynamicModel(path)
        with self.assertRaises(gemel.UserError) as caught:
            model.run({"a": np.ones((2, 3), np.uint8), "z": np.ones(3, np.uint8)})
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."),
                         "error[E1105]: node 0, MatMulInteger `y`: zero points of the shapes [3] and []; supported: one, or one for each row on the left and "
                         "for each column on the right\n  ./m.onnx")  # fmt: skip

    def test_an_input_of_another_type(self):
        path = self.graph([helper.make_node("DequantizeLinear", ["x", "s"], ["y"])], [("x", TensorProto.INT4, [3])], [("y", TensorProto.FLOAT, None)],
                          {"s": np.float32(2)}, opset=21)  # fmt: skip
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(path).run({"x": np.zeros(3, np.int8)})
        self.assertEqual(str(caught.exception), "error[E0510]: input `x` is given as int8, and the model has int4")

    def test_other_inputs(self):
        path = self.graph([helper.make_node("MatMulInteger", ["a", "w"], ["y"])], [("a", TensorProto.UINT8, [2, 3])], [("y", TensorProto.INT32, None)],
                          {"w": np.ones((3, 4), np.uint8)})  # fmt: skip
        with self.assertRaises(gemel.UserError) as caught:
            gemel.DynamicModel(path).run({"b": np.ones((2, 3), np.uint8)})
        self.assertEqual(str(caught.exception), "error[E0510]: inputs are given for `b`, and the model has `a`\nhint: each needs an array")


if __name__ == "__main__":
    unittest.main(verbosity=2)
