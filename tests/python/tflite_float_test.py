# SPDX-License-Identifier: Apache-2.0
"""Float TFLite models: random ones of one operator become ONNX and give LiteRT's numbers; whole ones are quantized, compressed and run; what is wrong is told.

tests/python/tflite_float_test.py [--count N] [--only OPERATOR]     GEMEL_SEED=N replays the random models; the long form is --count 1000
"""

from __future__ import annotations

import argparse
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
import tflite
from packaged import ENVIRONMENT, ROOT
from random_models import damaged
from tflite_float_cases import CASES, SAME, VALID, Draw, Float
from tflite_networks import dcgan, in_float, unet, yolo
from tflite_writer import Model

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import onnxruntime  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import ModelError  # noqa: E402
from gemel.rewrite.tflite import OPERATORS, tflite_to_onnx  # noqa: E402

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    MISSING = ""
    RESOLVERS = {"ELU": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}  # LiteRT has no reference kernel of it
except ImportError as error:
    MISSING = f"there is no package ai-edge-litert: {error}"

DATA = Path(os.environ.get("GEMEL_DATA") or ROOT.parent / "shared" / "data")
PAGE = ROOT / "docs/reference/tflite.md"
COUNT, ONLY = 20, ""  # models of each operator
DAMAGED = 300
TOLERANCE = 1e-5  # of the largest value of a tensor, or of 1 where all are smaller: float32 sums in another order, whose terms are some 1
# Whether LiteRT's numbers are to be had: of 8-bit weights it quantizes the layer's input, too.
FILES = {
    "mlperf_tiny/models/ad01_fp32.tflite": True, "mlperf_tiny/models/pretrainedResnet.tflite": True, "mlperf_tiny/models/kws_ref_model_float32.tflite": False,
    "tflite_micro/models/hello_world_float.tflite": True,
}  # fmt: skip


def seed_of() -> int:
    seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"GEMEL_SEED={seed}")
    return seed


def grown(seed: int) -> dict[str, Model]:
    return {"unet": unet(seed), "unet_resized": unet(seed, transposed=False), "yolo": yolo(seed), "dcgan": dcgan(seed)}


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def written(self, model: Model | bytes, name: str = "m.tflite") -> Path:
        path = self.folder / name
        path.write_bytes(model if isinstance(model, bytes) else model.write())
        return path

    def farthest(self, path: Path, rng: np.random.Generator, resolver=None) -> float:
        """Between LiteRT and the ONNX model in ONNX Runtime, over all outputs, in parts of an output's largest value, or of 1. nan: shapes differ."""
        converted = tflite_to_onnx(path)
        onnx.checker.check_model(converted, full_check=True)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(converted.SerializeToString(), options, providers=["CPUExecutionProvider"])
        runtime = Interpreter(str(path), experimental_op_resolver_type=resolver or OpResolverType.BUILTIN_REF)
        runtime.allocate_tensors()
        given = {}
        for detail, name in zip(runtime.get_input_details(), (i.name for i in session.get_inputs()), strict=True):
            given[name] = np.asarray(rng.normal(size=detail["shape"]) * 2, np.float32)
            runtime.set_tensor(detail["index"], given[name])
        runtime.invoke()
        worst = 0.0
        for made, detail in zip(session.run(None, given), runtime.get_output_details(), strict=True):
            wanted = runtime.get_tensor(detail["index"])
            if made.shape != wanted.shape:
                return float("nan")
            worst = max(worst, float(np.abs(made - wanted).max() / max(np.abs(wanted).max(), 1)))
        return worst


@unittest.skipIf(MISSING, MISSING)
class LiteRT(InFolder):
    def test_random_models_give_the_numbers_of_litert(self) -> None:
        seed, wrong, worst = seed_of(), [], 0.0
        names = [ONLY] if ONLY else sorted(CASES)
        for name in names:
            for case in range(COUNT):
                try:
                    model = CASES[name](Draw(np.random.default_rng([seed, case])))
                    far = self.farthest(self.written(model), np.random.default_rng([seed, case, 1]), RESOLVERS.get(name))
                    worst = max(worst, far if far == far else 0)
                    failed = f"{far:.2e} of the largest value" if not far <= TOLERANCE else ""
                except Exception as error:  # one broken case must not hide the others
                    failed = f"{type(error).__name__}: {error}"
                if failed:
                    wrong.append(f"{name}, case {case}: {failed}")
        total = len(names) * COUNT
        print(f"{total - len(wrong)} of {total} models of {len(names)} operators within {TOLERANCE:g} of LiteRT; farthest {worst:.1e}")
        self.assertEqual(wrong, [], "\n".join(wrong[:40]))

    def test_networks_whose_images_grow(self) -> None:
        seed = seed_of()
        for name, network in grown(seed).items():
            far = self.farthest(self.written(in_float(network)), np.random.default_rng(seed))
            print(f"{name}: {far:.1e} of the largest value")
            self.assertLessEqual(far, TOLERANCE, name)

    def test_float_models_from_outside(self) -> None:
        seed, absent = seed_of(), [name for name in FILES if not (DATA / name).is_file()]
        for name in absent:
            print(f"absent: skipped {name}")
        for name, comparable in FILES.items():
            if name not in absent and comparable:
                far = self.farthest(DATA / name, np.random.default_rng(seed))
                print(f"{name}: {far:.1e} of the largest value")
                self.assertLessEqual(far, TOLERANCE, name)


def cnn(seed: int, half: bool = False) -> Float:
    """Images of 12x12x3: convolutions, a residual sum, a depthwise one, an average, a dense layer, as Keras's converter leaves them."""
    d = Draw(np.random.default_rng(seed))
    m = Float(d, (1, 12, 12, 3))
    m.tensors, m.operators, m.x = m.tensors[:1], [], 0
    m.tensors[0].name = "images"
    d.chance = lambda share: half  # type: ignore[method-assign]  # of weights: whether they are float16

    def conv(x: int, out: int, kernel: int, stride: int, act: int, depthwise: bool = False) -> int:
        n, h, w, c = m.tensors[x].shape
        shape = (1 if depthwise else out, kernel, kernel, c)
        weights = m.number(d.rng.normal(size=shape) / np.sqrt(kernel * kernel * c), "float32")
        if half:
            weights = whole(weights)
        y = m.made(f"layer{len(m.tensors)}", (n, -(-h // stride), -(-w // stride), out))
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        more = {"DepthMultiplier": 1} if depthwise else {}
        m.operator(kind, [x, weights, m.real((out,))], [y], "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", Padding=SAME, StrideH=stride,
                   StrideW=stride, DilationHFactor=1, DilationWFactor=1, FusedActivationFunction=act, **more)  # fmt: skip
        return y

    def whole(weights: int) -> int:
        t = m.tensors[weights]
        t.type, t.data = "float16", t.data.astype(np.float16)
        made = m.made(f"whole{len(m.tensors)}", t.shape)
        m.operator("DEQUANTIZE", [weights], [made], "DequantizeOptions")
        return made

    x = conv(0, 8, 3, 2, 3)
    y = conv(x, 8, 3, 1, 0)
    total = m.made("sum", m.tensors[x].shape)
    m.operator("ADD", [x, y], [total], "AddOptions", FusedActivationFunction=1)
    x = conv(total, 8, 3, 1, 1, depthwise=True)
    pooled = m.made("pooled", (1, 3, 3, 8))
    m.operator("MAX_POOL_2D", [x], [pooled], "Pool2DOptions", Padding=VALID, StrideH=2, StrideW=2, FilterHeight=2, FilterWidth=2)
    flat = m.made("flat", (1, 72))
    m.operator("RESHAPE", [pooled, m.number([1, 72])], [flat], "ReshapeOptions")
    scores = m.made("scores", (1, 5))
    m.operator("FULLY_CONNECTED", [flat, m.number(d.rng.normal(size=(5, 72)) / 8, "float32"), m.real((5,))], [scores], "FullyConnectedOptions")
    m.outputs = [scores]
    return m


def recurrent(seed: int, clip: float) -> Float:
    """10 steps of 6 numbers, an LSTM of 16 states, a dense layer behind its last step."""
    m = Float(Draw(np.random.default_rng(seed)), (1, 10, 6))
    states = [m.made(name, (1, 16)) for name in ("state", "cell")]
    for t in states:
        m.tensors[t].variable = True
    rng = np.random.default_rng([seed, 1])
    weights = [m.number(rng.normal(size=(16, n)) / np.sqrt(n), "float32") for n in [6] * 4 + [16] * 4]
    steps, last, scores = m.made("steps", (1, 10, 16)), m.made("last", (1, 16)), m.made("scores", (1, 5))
    operands = [0, *weights, -1, -1, -1, *(m.real((16,)) for _ in range(4)), -1, -1, *states, -1, -1, -1, -1]
    m.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [steps], "UnidirectionalSequenceLSTMOptions", FusedActivationFunction=4, CellClip=clip)
    places = [m.number(values) for values in ([0, -1, 0], [0, 0, 0], [1, 1, 1])]
    m.operator("STRIDED_SLICE", [steps, *places], [last], "StridedSliceOptions", BeginMask=5, EndMask=5, ShrinkAxisMask=2)
    m.operator("FULLY_CONNECTED", [last, m.real((5, 16)), m.real((5,))], [scores], "FullyConnectedOptions")
    m.outputs = [scores]
    return m


class Whole(InFolder):
    def gemel(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [str(ROOT / "build/release/gemel"), *arguments]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def data(self, seed: int, shape=(24, 12, 12, 3)) -> Path:
        rng = np.random.default_rng([seed, 2])
        path = self.folder / "images.npz"
        np.savez(path, images=rng.normal(size=shape).astype(np.float32), labels=rng.integers(0, 5, shape[0]))
        return path

    def test_a_network_is_quantized_and_run(self) -> None:
        """Every layer equals the reference, the machine's answers are ONNX Runtime's, and the float file beside gives its own."""
        seed = seed_of()
        for half in (False, True):
            path, data = self.written(cnn(seed, half)), self.data(seed)
            made = gemel.quantize(path, data, self.folder / "int8.onnx")
            self.assertEqual([note for note in made.notes if "float32" in note], [])
            for machine in ("edge16", "tiny8"):
                found = gemel.accuracy(self.folder / "int8.onnx", data, machine, beside=[self.folder / "int8.onnx", path])  # compares every layer
                self.assertEqual(found.images, 24)
                self.assertEqual(found.counts[1].agree, 24)
                self.assertGreater(found.counts[2].agree, 16)
            kinds = {layer.op for layer in gemel.load(self.folder / "int8.onnx").layers}
            self.assertEqual(kinds & {"transpose", "softmax"}, set())  # nothing that the host does

    def test_networks_whose_images_grow_are_quantized_and_run(self) -> None:
        """Transposed convolutions, resized images, channels split and joined, sigmoids: all on the machine, each layer equal to the reference."""
        seed = seed_of()
        for name, network in grown(seed).items():
            path = self.written(in_float(network))
            images = np.random.default_rng([seed, 1]).normal(size=(2, *network.tensors[0].shape[1:])).astype(np.float32)
            made = gemel.quantize(path, images, self.folder / "int8.onnx")
            self.assertEqual([note for note in made.notes if "float32" in note], [], name)
            found = gemel.accuracy(self.folder / "int8.onnx", images, "edge16", beside=[self.folder / "int8.onnx"])
            kinds = {layer.op for layer in gemel.load(self.folder / "int8.onnx").layers}
            self.assertEqual(kinds - {"add", "conv2d", "max_pool", "mul", "reshape", "table"}, set(), name)
            self.assertEqual(found.counts[1].agree, 2, name)
            print(f"{name}: every layer of 2 images equal to the reference, {found.cycles:,} cycles on edge16")

    def test_indices_at_the_edges(self) -> None:
        """A network that ends in the index of the class, and one that begins with rows of a table."""
        seed = seed_of()
        classes, data = cnn(seed), self.data(seed)
        best = classes.tensor("best", (1,), "int64")
        classes.operator("ARG_MAX", [classes.outputs[0], classes.number(1)], [best], "ArgMaxOptions", OutputType=tflite.TensorType.INT64)
        classes.outputs = [best]
        words = Float(Draw(np.random.default_rng(seed)), (1, 6))
        words.tensors[0].name, words.tensors[0].type = "ids", "int32"
        rows, flat, scores = (words.made(name, shape) for name, shape in (("rows", (1, 6, 16)), ("flat", (1, 96)), ("scores", (1, 5))))
        words.operator("GATHER", [words.real((50, 16)), 0], [rows], "GatherOptions", Axis=0)
        words.operator("RESHAPE", [rows, words.number([1, 96])], [flat], "ReshapeOptions")
        words.operator("FULLY_CONNECTED", [flat, words.real((5, 96)), words.real((5,))], [scores], "FullyConnectedOptions")
        words.outputs = [scores]
        ids = np.random.default_rng([seed, 1]).integers(0, 50, (24, 6))
        for model, given in ((classes, data), (words, ids)):
            path = self.written(model)
            gemel.quantize(path, given, self.folder / "int8.onnx")
            found = gemel.accuracy(self.folder / "int8.onnx", given, "edge16", beside=[self.folder / "int8.onnx", path])
            self.assertEqual(found.counts[1].agree, 24)
            self.assertGreater(found.counts[2].agree, 12)

    def test_a_recurrent_network(self) -> None:
        """An LSTM of 10 steps, as Keras's converter leaves it, whose last step is read: unrolled, each layer on the machine equal to the reference."""
        seed = seed_of()
        m = recurrent(seed, 10.0)
        path, data = self.written(m), self.data(seed, (24, 10, 6))
        self.assertEqual(gemel.quantize(path, data, self.folder / "int8.onnx").notes, ())
        found = gemel.accuracy(self.folder / "int8.onnx", data, "edge16", beside=[self.folder / "int8.onnx", path])
        self.assertEqual(found.counts[1].agree, 24)
        self.assertGreater(found.counts[2].agree, 12)
        clipped = self.written(recurrent(seed, 9.5))
        with self.assertRaises(ModelError) as caught:
            tflite_to_onnx(clipped)
        self.assertEqual(str(caught.exception).replace(str(clipped), "m.tflite"),
                         "error[E1105]: operator 0, UNIDIRECTIONAL_SEQUENCE_LSTM `steps`: cell_clip is 9.5\n  m.tflite\n"
                         "  supported: 0, or at least the number of steps, 10: a cell cannot reach it then\n"
                         "hint: unroll the layer (Keras: unroll=True)")  # fmt: skip

    def test_sequences(self) -> None:
        """Conv1D as Keras's converter leaves it, between EXPAND_DIMS and RESHAPE, and the mean or the largest value over all steps."""
        seed = seed_of()
        for kind in ("MEAN", "REDUCE_MAX"):
            m = Float(Draw(np.random.default_rng(seed)), (1, 16, 4))
            x = 0
            for i in range(2):
                depth = m.tensors[x].shape[2]
                shapes = {"image": (1, 1, 16, depth), "made": (1, 1, 16, 8), "rows": (1, 16, 8)}
                image, made, rows = (m.made(f"{name}{i}", shape) for name, shape in shapes.items())
                m.operator("EXPAND_DIMS", [x, m.number(1)], [image], "ExpandDimsOptions")
                m.operator("CONV_2D", [image, m.real((8, 1, 3, depth)), m.real((8,))], [made], "Conv2DOptions", Padding=SAME, StrideH=1, StrideW=1,
                           DilationHFactor=1, DilationWFactor=1, FusedActivationFunction=1)  # fmt: skip
                m.operator("RESHAPE", [made, m.number([1, 16, 8])], [rows], "ReshapeOptions")
                x = rows
            whole, scores = m.made("whole", (1, 8)), m.made("scores", (1, 5))
            m.operator(kind, [x, m.number([1])], [whole], "ReducerOptions", KeepDims=False)
            m.operator("FULLY_CONNECTED", [whole, m.real((5, 8)), m.real((5,))], [scores], "FullyConnectedOptions")
            m.outputs = [scores]
            path, data = self.written(m), self.data(seed, (24, 16, 4))
            self.assertEqual(gemel.quantize(path, data, self.folder / "int8.onnx").notes, ())
            found = gemel.accuracy(self.folder / "int8.onnx", data, "edge16", beside=[self.folder / "int8.onnx", path])
            self.assertEqual(found.counts[1].agree, 24, kind)
            self.assertGreater(found.counts[2].agree, 12, kind)
            kinds = {layer.op for layer in gemel.load(self.folder / "int8.onnx").layers}
            self.assertEqual(kinds, {"reshape", "conv2d", "global_avg_pool" if kind == "MEAN" else "max_pool", "dense"})

    def test_the_commands_take_tflite(self) -> None:
        seed = seed_of()
        self.written(cnn(seed))
        self.data(seed)
        done = self.gemel("quantize", "m.tflite", "--data", "images.npz", "-q")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.gemel("run", "m_int8.onnx", "--data", "images.npz", "--beside", "m.tflite", "-m", "tiny8", "-q")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"m\.tflite +ONNX Runtime +\d+ ")
        done = self.gemel("compress", "m.tflite", "--filters", "0.5", "-q")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.gemel("quantize", "m_small.onnx", "--data", "images.npz", "-q")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.gemel("run", "m.tflite")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "error[E1106]: the model is not quantized to 8 bits: its tensors are FLOAT32\n  m.tflite\n"
                         "hint: quantize it: `gemel quantize MODEL --data IMAGES.npz -o MODEL_int8.onnx` takes float models "
                         "of the operators in docs/reference/tflite.md\n")  # fmt: skip

    def test_networks_from_outside_are_quantized_and_run(self) -> None:
        rng = np.random.default_rng(seed_of())
        for name in FILES:
            if not (DATA / name).is_file():
                print(f"absent: skipped {name}")
                continue
            shape = tuple(d.dim_value for d in tflite_to_onnx(DATA / name).graph.input[0].type.tensor_type.shape.dim)
            images = rng.normal(size=(8, *shape[1:])).astype(np.float32)
            gemel.quantize(DATA / name, images, self.folder / "int8.onnx")
            found = gemel.accuracy(self.folder / "int8.onnx", images, "edge16", beside=[self.folder / "int8.onnx", DATA / name])
            self.assertEqual(found.counts[1].agree, 8, name)
            print(f"{name}: every layer of {found.images} images equal to the reference, {found.cycles:,} cycles on edge16")

    def test_weights_of_8_bits_are_float32_again(self) -> None:
        m = Float(Draw(np.random.default_rng(1)), (1, 5))
        w = m.tensor("w", (3, 5), "int8", [0.5, 0.25, 1], [0, 0, 0], 0, np.arange(15).reshape(3, 5).astype(np.int8) - 7)
        y = m.made("y", (1, 3))
        m.operator("FULLY_CONNECTED", [0, w], [y], "FullyConnectedOptions")
        m.outputs = [y]
        session = onnxruntime.InferenceSession(tflite_to_onnx(self.written(m)).SerializeToString(), providers=["CPUExecutionProvider"])
        weights = (np.arange(15).reshape(3, 5) - 7) * np.array([[0.5], [0.25], [1]])
        np.testing.assert_array_equal(session.run(None, {"x": np.ones((1, 5), np.float32)})[0], weights.sum(1)[None])
        notes = gemel.quantize(self.folder / "m.tflite", np.random.default_rng(2).normal(size=(4, 5)).astype(np.float32)).notes
        self.assertIn("1 constants or layers were quantized in their weights alone, or while the model runs: they are float32 again first", notes)

    def test_names_and_shapes_are_the_models(self) -> None:
        m = cnn(1)
        m.tensors[m.outputs[0]].name = "fused/Relu;scores"
        path = self.written(m)
        made = gemel.tflite_to_onnx(path)
        self.assertEqual([[v.name, *(d.dim_value for d in v.type.tensor_type.shape.dim)] for v in [*made.graph.input, *made.graph.output]],
                         [["images", 1, 12, 12, 3], ["scores", 1, 5]])  # fmt: skip
        self.assertEqual(sum(node.op_type == "Transpose" for node in made.graph.node), 1)  # at the images
        gemel.tflite_to_onnx(path, self.folder / "m.onnx")
        self.assertEqual(onnx.load(self.folder / "m.onnx"), made)


class Refused(InFolder):
    def test_the_page_lists_the_operators(self) -> None:
        rows = [f"| `{name}` | {row.becomes} | {row.supported} |" for name, row in sorted(OPERATORS.items())]
        begin, text = "| operator of a float model | becomes in ONNX | supported |\n|---|---|---|\n", PAGE.read_text(encoding="utf-8")
        first = text.index(begin) + len(begin)
        last = text.index("\n\n", first)
        if os.environ.get("GEMEL_UPDATE"):
            PAGE.write_text(text[:first] + "\n".join(rows) + text[last:], encoding="utf-8")
        else:
            self.assertEqual(text[first:last].splitlines(), rows, "GEMEL_UPDATE=1 tests/python/tflite_float_test.py writes them")

    def test_each_operator_has_a_case(self) -> None:
        self.assertEqual(set(OPERATORS) - {"DEQUANTIZE"}, set(CASES))  # which stands before weights in half of the others

    def refused(self, model: Model | bytes, *texts: str) -> None:
        path = self.written(model)
        with self.assertRaises(ModelError) as caught:
            tflite_to_onnx(path)
        self.assertEqual(str(caught.exception).replace(str(path), "m.tflite"), "\n".join(texts))
        with self.assertRaises(gemel.UserError) as told:
            gemel.tflite_to_onnx(path)
        self.assertEqual([d.code for d in told.exception.diagnostics], [d.code for d in caught.exception.diagnostics])

    def test_everything_at_once(self) -> None:
        m = Float(Draw(np.random.default_rng(1)), (1, 6))
        a, b, c, y = (m.made(name, (1, 6)) for name in "abcy")
        m.operator("SIN", [0], [a])
        m.operator("SOFTMAX", [a], [b], "SoftmaxOptions", Beta=-1.0)
        m.operator("FULLY_CONNECTED", [b, a], [c], "FullyConnectedOptions")
        m.operator("ADD", [c, 0], [y], "AddOptions", FusedActivationFunction=5)
        m.outputs = [y]
        self.refused(
            m,
            "error[E1104]: operator 0, SIN `a`: there is no such operator for float models in Gemel\n  m.tflite\n  its inputs: FLOAT32 [1, 6]\n"
            "hint: docs/reference/tflite.md lists the operators of float models; replace it in the model, or end the model before it",
            "error[E1105]: operator 1, SOFTMAX `b`: beta is -1.0\n  m.tflite\n  supported: more than 0, at most 1e6",
            "error[E1105]: operator 2, FULLY_CONNECTED `c`: weights, tensor 1 `a` is computed by the network\n  m.tflite\n  supported: constants",
            "error[E1105]: operator 3, ADD `y`: fused_activation_function is SIGN_BIT\n  m.tflite\n  supported: NONE, RELU, RELU6, RELU_N1_TO_1, TANH",
        )

    def test_attributes_operands_and_types(self) -> None:
        def one(kind, options="", behind=(), made=(1, 4, 4, 2), shape=(1, 4, 4, 2), tensors=(), **values) -> Float:
            """The operator with constants behind its input. tensors: (type, scales, array) of constants that no numpy type says."""
            m = Float(Draw(np.random.default_rng(1)), shape)
            m.tensors, m.operators, m.x = m.tensors[:1], [], 0
            given = [m.number(v, v.dtype.name) for v in behind]
            given += [m.tensor("w", array.shape, type_, scale, None if scale is None else [0] * len(scale), 0, array) for type_, scale, array in tensors]
            y = m.made("y", made)
            m.operator(kind, [0, *given], [y], options, **values)
            m.outputs = [y]
            return m

        def numbers(*values) -> np.ndarray:
            return np.array(values, np.int32)

        def real(*shape) -> np.ndarray:
            return np.ones(shape, np.float32)

        conv = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        small = np.ones((3, 2), np.int8)
        integers = one("RELU")
        integers.tensors[0].type = "int32"
        texts = {  # what is said of the operator or the inputs, and what is supported
            "E1105: operator 0, CONV_2D `y`: shape of the weights, tensor 1 `k1` is [2, 1, 1, 3]; "
            "[outputs, height, width, 2], or a part of the 2 for each group":
                one("CONV_2D", "Conv2DOptions", [real(2, 1, 1, 3), real(2)], **conv),
            "E1105: operator 0, CONV_2D `y`: shape of the bias, tensor 2 `k2` is [3]; [2]":
                one("CONV_2D", "Conv2DOptions", [real(2, 1, 1, 2), real(3)], **conv),
            "E1105: operator 0, CONV_2D `y`: shape of tensor 3 `y` is [1, 4, 4, 2]; [1, 4, 4, 5], which is what the operator makes of its inputs":
                one("CONV_2D", "Conv2DOptions", [real(5, 1, 1, 2), real(5)], **conv),
            "E1106: operator 0, FULLY_CONNECTED `y`: type of tensor 1 `w` is INT8; FLOAT32, FLOAT16; INT8, UINT8 and INT4 with scales":
                one("FULLY_CONNECTED", "FullyConnectedOptions", made=(1, 3), shape=(1, 2), tensors=[("int8", None, small)]),
            "E1107: operator 0, FULLY_CONNECTED `y`: scales of tensor 1 `w` is not above 0; finite numbers above 0":
                one("FULLY_CONNECTED", "FullyConnectedOptions", made=(1, 3), shape=(1, 2), tensors=[("int8", [1, 0, 1], small)]),
            "E1105: operator 0, FULLY_CONNECTED `y`: weights_format is 1; 0 (DEFAULT)":
                one("FULLY_CONNECTED", "FullyConnectedOptions", [real(3, 2)], (1, 3), (1, 2), WeightsFormat=1),
            "E1105: operator 0, CONCATENATION `y`: fused_activation_function is RELU; NONE":
                one("CONCATENATION", "ConcatenationOptions", [real(1, 4, 4, 1)], (1, 4, 4, 3), Axis=3, FusedActivationFunction=1),
            "E1105: operator 0, MEAN `y`: axis is 4; -4 to 3": one("MEAN", "ReducerOptions", [numbers(4)]),
            "E1105: operator 0, TRANSPOSE `y`: perm is [0, 1, 1, 2]; 0 to 3, each once": one("TRANSPOSE", "TransposeOptions", [numbers(0, 1, 1, 2)]),
            "E1105: operator 0, GATHER `y`: batch_dims is 1; 0": one("GATHER", "GatherOptions", [numbers(0)], BatchDims=1),
            "E1105: operator 0, RESIZE_BILINEAR `y`: align_corners is True; one of align_corners and half_pixel_centers, or none":
                one("RESIZE_BILINEAR", "ResizeBilinearOptions", [numbers(4, 4)], AlignCorners=True, HalfPixelCenters=True),
            "E1105: operator 0, MIRROR_PAD `y`: mode is SYMMETRIC; REFLECT":
                one("MIRROR_PAD", "MirrorPadOptions", [np.array([[0, 0], [1, 0], [0, 0], [0, 0]], np.int32)], (1, 5, 4, 2), Mode=1),
            "E1105: operator 0, STRIDED_SLICE `y`: ellipsis_mask is 1; 0":
                one("STRIDED_SLICE", "StridedSliceOptions", [numbers(0, 0, 0, 0), numbers(1, 1, 1, 1), numbers(1, 1, 1, 1)], EllipsisMask=1),
            "E1105: operator 0, TRANSPOSE_CONV `y`: operands is 1 in, 1 out; 3 to 4 in, 1 out": one("TRANSPOSE_CONV", "TransposeConvOptions"),
            "E1105: operator 0, ADD `y`: shapes of the operands is [1, 4, 4, 2] and [3]; shapes of which one can be repeated to the other's":
                one("ADD", "AddOptions", [real(3)]),
            "E1106: operator 0, DEQUANTIZE `y`: tensor 0 `x` is FLOAT32, computed by the network; constants in FLOAT16, INT8 or INT4": one("DEQUANTIZE"),
            "E1106: operator 0, RELU `y`: type of tensor 0 `x` is INT32; FLOAT32": integers,
            "E1105: operator 0, SLICE `y`: begin, size is [[0, 0, 0, 1], [1, 4, 4, 2]]; places within [1, 4, 4, 2]":
                one("SLICE", "SliceOptions", [numbers(0, 0, 0, 1), numbers(1, 4, 4, 2)]),
        }  # fmt: skip
        for text, model in texts.items():
            message, supported = text.split("; ", 1)
            with self.subTest(message):
                path = self.written(model)
                with self.assertRaises(ModelError) as caught:
                    tflite_to_onnx(path)
                (told,) = caught.exception.diagnostics
                self.assertEqual((f"{told.code}: {told.message}", told.note), (message, f"supported: {supported}"))

    def test_inputs_without_dimensions(self) -> None:
        m = Float(Draw(np.random.default_rng(1)), (1, 6))
        other, y, z = m.made("other", ()), m.made("y", (1, 6)), m.made("z", (1, 2))
        m.inputs.append(other)
        m.operator("ADD", [0, other], [y], "AddOptions")
        m.operator("FULLY_CONNECTED", [y, m.real((2, 6))], [z], "FullyConnectedOptions")
        m.outputs = [z]
        path = self.written(m)
        self.assertEqual(len(tflite_to_onnx(path).graph.input), 2)
        with self.assertRaises(gemel.UserError) as caught:
            gemel.quantize(path, np.zeros((1, 1, 6), np.float32))
        self.assertEqual(str(caught.exception).replace(str(path), "m.tflite"), "error[E1105]: shape of input `other` is []\n  m.tflite\n"
                         "  supported: one fixed length or more\nhint: give it a dimension of 1")  # fmt: skip

    def test_quantized_models(self) -> None:
        m = Model()
        m.inputs, m.outputs = [m.tensor("x", (1, 4), scale=0.5, zero_point=0)], [m.tensor("y", (1, 4), scale=0.5, zero_point=0)]
        m.operator("RELU", [0], [1])
        self.refused(m, "error[E1106]: the model is quantized already: it computes tensors of INT8\n  m.tflite\n"
                     "hint: give the float model that it was made of; `gemel run` and `gemel import` take one of INT8 as it is")  # fmt: skip

    def test_files_that_are_none(self) -> None:
        self.refused(b"PK\3\4" + bytes(40), "error[E1102]: `m.tflite` is no TensorFlow Lite model\nhint: bytes 4 to 7 of a .tflite file are `TFL3`")

    def test_damaged_files_end_in_an_error_or_a_model(self) -> None:
        seed = seed_of()
        rng = random.Random(seed)
        models = [cnn(seed).write(), *(CASES[name](Draw(np.random.default_rng([seed, i]))).write() for i, name in enumerate(sorted(CASES)))]
        counts: dict[str, int] = {}
        for i in range(DAMAGED):
            path = self.written(damaged(rng, rng.choice(models)))
            try:
                tflite_to_onnx(path).SerializeToString()
                found = "still a model"
            except ModelError as error:
                for one in error.diagnostics:
                    self.assertRegex(one.code, r"^E110[2-7]$", f"file {i}")
                found = error.diagnostics[0].code
            counts[found] = counts.get(found, 0) + 1
        print(f"{DAMAGED} damaged files: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
        self.assertGreater(counts.get("E1103", 0), DAMAGED // 4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="", choices=["", *CASES])
    chosen, rest = parser.parse_known_args()
    COUNT, ONLY = chosen.count, chosen.only
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
