# SPDX-License-Identifier: Apache-2.0
"""What the importer says of models that it cannot take: exact texts, and 300 damaged files, none of which may end in anything but an error
with code and place, or in a workload. Needs no reference and no built Gemel."""

import math
import os
import random
import re
import resource
import struct
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import tflite
from tflite_cases import CASES, SAME, Draw
from random_models import damaged
from tflite_writer import Model

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from gemel.importer import ModelError, import_model, schema
from gemel.importer.tflite_ops import OPERATORS

DAMAGED = 300
PAGE = ROOT / "docs/reference/tflite.md"


def small() -> Model:
    """CONV_2D, RELU6, MEAN, FULLY_CONNECTED."""
    m = Model()
    x = m.tensor("image", (1, 4, 4, 2), scale=0.5, zero_point=3)
    w = m.tensor(
        "conv/w",
        (3, 3, 3, 2),
        scale=[0.1, 0.2, 0.3],
        zero_point=[0, 0, 0],
        data=np.arange(54, dtype=np.int8).reshape(3, 3, 3, 2),
    )
    b = m.tensor(
        "conv/b", (3,), "int32", scale=[0.05, 0.1, 0.15], zero_point=[0, 0, 0], data=np.array([1, 2, 3], np.int32)
    )
    y = m.tensor("conv", (1, 4, 4, 3), scale=0.25, zero_point=-5)
    z = m.tensor("relu", (1, 4, 4, 3), scale=0.25, zero_point=-5)
    axes = m.tensor("axes", (2,), "int32", data=np.array([1, 2], np.int32))
    v = m.tensor("mean", (1, 3), scale=0.2, zero_point=0)
    fw = m.tensor("fc/w", (5, 3), scale=0.1, zero_point=0, data=np.arange(15, dtype=np.int8).reshape(5, 3))
    out = m.tensor("scores", (1, 5), scale=0.3, zero_point=7)
    m.inputs, m.outputs = [x], [out]
    m.operator(
        "CONV_2D",
        [x, w, b],
        [y],
        "Conv2DOptions",
        Padding=SAME,
        StrideH=1,
        StrideW=1,
        DilationHFactor=1,
        DilationWFactor=1,
        FusedActivationFunction=1,
    )
    m.operator("RELU6", [y], [z])
    m.operator("MEAN", [z, axes], [v], "ReducerOptions")
    m.operator("FULLY_CONNECTED", [v, fw], [out], "FullyConnectedOptions")
    return m


def with_float_edges() -> Model:
    """small() with floating-point input and output."""
    m = small()
    real = m.tensor("real", (1, 4, 4, 2), "float32")
    scores = m.tensor("real scores", (1, 5), "float32")
    m.inputs, m.outputs = [real], [scores]
    m.operator("QUANTIZE", [real], [0])
    m.operators.insert(0, m.operators.pop())
    m.operator("DEQUANTIZE", [8], [scores])
    return m


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-import-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def load(self, data: bytes | Model, name: str = "m.tflite"):
        path = self.folder / name
        path.write_bytes(data.write() if isinstance(data, Model) else data)
        return import_model(path)

    def refused(self, data: bytes | Model, text: str) -> None:
        with self.assertRaises(ModelError) as caught:
            self.load(data)
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."), text)


class Texts(InFolder):
    def test_files_that_cannot_be_read(self):
        for path, reason in (
            ("none.tflite", "No such file or directory"),
            (".", "it is a folder"),
            ("/dev/zero", "it is no regular file"),
            ("a\0b", "embedded null byte"),
        ):
            with self.subTest(path), self.assertRaises(ModelError) as caught:
                import_model(path)
            self.assertEqual(
                str(caught.exception), f"error[E1101]: cannot read the model `{path}`: {reason}".replace("\0", "?")
            )
        large = self.folder / "large.tflite"
        with open(large, "wb") as file:
            file.truncate((1 << 30) + 1)
        with self.assertRaises(ModelError) as caught:
            import_model(large)
        self.assertEqual(
            str(caught.exception),
            f"error[E1101]: cannot read the model `{large}`: it has 1073741825 bytes, and at most 1073741824 are read",
        )

    def test_files_that_are_none(self):
        for data in (b"", b"TFL3", b"<html>not found</html>"):
            self.refused(
                data,
                "error[E1102]: `./m.tflite` is no TensorFlow Lite model\n"
                "hint: bytes 4 to 7 of a .tflite file are `TFL3`; the name of an ONNX model ends in .onnx",
            )

    def test_damage_has_its_place(self):
        data = small().write()
        self.refused(
            struct.pack("<I", 1 << 31) + data[4:],
            f"error[E1103]: the model is damaged: it leads to byte 2147483648 of a file of {len(data)} bytes\n"
            "  ./m.tflite\nhint: the file is cut short or was changed; make or fetch it again",
        )
        wrong = small()
        wrong.version = 2
        self.refused(wrong, self.damage("version", "its schema has version 2, and only version 3 exists"))

    def damage(self, place: str, text: str) -> str:
        return f"error[E1103]: the model is damaged: {text}\n  ./m.tflite: {place}\nhint: the file is cut short or was changed; make or fetch it again"

    def test_files_that_contradict_themselves(self):
        def changed(change) -> Model:
            m = small()
            change(m)
            return m

        def cycle(m):
            m.operators[0].inputs[0] = 4  # what RELU6 makes

        def twice(m):
            m.operators[1].outputs = [3]

        g = "subgraphs[0]"
        for change, place, text in (
            (
                lambda m: m.operators[0].inputs.__setitem__(0, 99),
                f"{g}.operators[0].inputs",
                "there is no tensor 99 of 9",
            ),
            (
                lambda m: m.operators[0].outputs.__setitem__(0, -1),
                f"{g}.operators[0].outputs",
                "there is no tensor -1 of 9",
            ),
            (
                cycle,
                f"{g}.operators[0]",
                "operator 0, CONV_2D `conv` reads tensor 4 `relu`, which operator 1, RELU6 `relu` makes, later or of its own output",
            ),
            (
                twice,
                f"{g}.operators[1]",
                "operator 1, RELU6 `conv` makes tensor 3 `conv`, which is an input, a constant, or made already",
            ),
            (
                lambda m: m.outputs.__setitem__(0, 4) or m.operators.pop(1),
                f"{g}.operators[1]",
                "operator 1, MEAN `mean` reads tensor 4 `relu`, which nobody makes",
            ),
            (lambda m: m.inputs.clear(), f"{g}.inputs", "the model has no inputs"),
            (lambda m: m.inputs.append(0), f"{g}.inputs", "one tensor is listed twice"),
            (lambda m: m.inputs.append(1), f"{g}.inputs", "tensor 1 `conv/w` is a constant"),
            (
                lambda m: setattr(m.tensors[0], "shape", (1, -4, 4, 2)),
                f"{g}.tensors[0].shape",
                "[1, -4, 4, 2] is no shape of a tensor with at most 2^40 elements",
            ),
            (
                lambda m: setattr(m.tensors[0], "shape", (1 << 20, 1 << 20, 4, 2)),
                f"{g}.tensors[0].shape",
                "[1048576, 1048576, 4, 2] is no shape of a tensor with at most 2^40 elements",
            ),
            (
                lambda m: setattr(m.tensors[1], "shape", (3, 3, 3, 3)),
                f"{g}.tensors[1]",
                "its buffer 1 has 54 bytes, and [3, 3, 3, 3] of INT8 takes 81",
            ),
            (
                lambda m: setattr(m.tensors[1], "zero_point", [0, 0]),
                f"{g}.tensors[1].quantization",
                "it has 3 scales and 2 zero points",
            ),
            (
                lambda m: setattr(m.tensors[1], "axis", 3),
                f"{g}.tensors[1].quantization",
                "it has 3 scales along dimension 3 of a tensor of the shape [3, 3, 3, 2]",
            ),
        ):
            with self.subTest(text):
                self.refused(changed(change), self.damage(place, text))

    def test_everything_that_is_not_supported_at_once(self):
        m = small()
        m.operators[0].values.update(StrideH=0, FusedActivationFunction=4)
        m.operators[1].type = "COS"
        m.tensors[5].data = np.array([1, 3], np.int32)
        m.tensors[8].scale = [math.nan]
        m.operator("FLOOR_MOD", [8], [m.tensor("slice", (1, 2), scale=1.0, zero_point=0)])
        self.refused(
            m,
            """\
error[E1105]: operator 0, CONV_2D `conv`: stride_h is 0
  ./m.tflite
  supported: 1 to 1048576
error[E1105]: operator 2, MEAN `mean`: axes is [1, 3]
  ./m.tflite
  supported: [1, 2], height and width
error[E1107]: operator 3, FULLY_CONNECTED `scores`: scale 0 of tensor 8 `scores` is nan
  ./m.tflite
  supported: 1e-12 to 1e+12
error[E1104]: operator 1, COS `relu`: there is no such operator in Gemel
  ./m.tflite
  its inputs: INT8 [1, 4, 4, 3]
hint: docs/reference/tflite.md lists the operators; replace it in the model, or end the model before it
error[E1104]: operator 4, FLOOR_MOD `slice`: there is no such operator in Gemel
  ./m.tflite
  its inputs: INT8 [1, 5]
hint: docs/reference/tflite.md lists the operators; replace it in the model, or end the model before it""",
        )

    def test_constants_behind_the_flatbuffer(self):
        """As models above 2 GiB have them; never beyond the end of the file."""
        m = small()
        data = m.tensors[1].data.tobytes()
        plain = self.load(m)
        m.tensors[1].outside = (4096, len(data))
        file = m.write()
        self.assertLess(len(file), 4096)
        np.testing.assert_array_equal(
            self.load(file.ljust(4096) + data).tensors["conv.weight"], plain.tensors["conv.weight"]
        )
        for outside in ((4096, len(data) + 1), (1 << 40, len(data)), ((1 << 64) - 1, len(data))):
            m.tensors[1].outside = outside
            text = f"{outside[1]} bytes from byte {outside[0]} on reach beyond the end of the file"
            self.refused(m.write().ljust(4096) + data, self.damage("buffers[1]", text))

    def test_several_subgraphs(self):
        m = small()
        m.subgraphs = 2
        self.refused(
            m,
            "error[E1105]: the model has 2 subgraphs, and one is supported\n  ./m.tflite\n"
            "hint: control flow (IF, WHILE, CALL_ONCE) and several signatures make more of them; export one function",
        )

    def test_models_in_float(self):
        m = small()
        for t in m.tensors:
            if t.type == "int8":
                t.type, t.scale, t.zero_point = "float32", None, None
                t.data = None if t.data is None else t.data.astype(np.float32)
        self.refused(
            m,
            "error[E1106]: the model is not quantized to 8 bits: its tensors are FLOAT32\n  ./m.tflite\n"
            "hint: quantize it: `gemel quantize MODEL --data IMAGES.npz -o MODEL_int8.onnx` takes float models of the operators in docs/reference/tflite.md",
        )
        m.tensors[m.operators[0].outputs[0]].type = "int16"
        self.refused(
            m,
            "error[E1106]: the model is not quantized to 8 bits: its tensors are FLOAT32, INT16\n  ./m.tflite\n"
            "hint: convert it with full integer quantization (TFLITE_BUILTINS_INT8 and a representative data set)",
        )

    def test_images_that_grow(self):
        q = {"scale": 0.5, "zero_point": 3}

        def one(kind, options, made, constants=(), behind=(), target=q, **values):
            """The operator with constants before and behind the image [1, 4, 4, 2]."""
            m = Model()
            m.inputs, m.outputs = [m.tensor("x", (1, 4, 4, 2), **q)], [m.tensor("y", made, **target)]
            before = [m.tensor(f"k{i}", np.shape(v), v.dtype.name, *((0.5, 0) if v.dtype == np.int8 else ()), data=v) for i, v in enumerate(constants)]
            after = [m.tensor(f"b{i}", np.shape(v), v.dtype.name, data=v) for i, v in enumerate(behind)]
            m.operator(kind, [*before, 0, *after], [1], options, **values)
            return m

        def resized(made=(1, 8, 8, 2), size=(8, 8), kind=np.int32, target=q, **values):
            return one("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", made, (), [np.array(size, kind)], target, **values)

        def bordered(made, pads, **values):
            return one("MIRROR_PAD", "MirrorPadOptions", made, (), [np.array(pads, np.int32)], **values)

        def mixed(made=(1, 8, 8, 2), size=(8, 8), **values):
            return one("RESIZE_BILINEAR", "ResizeBilinearOptions", made, (), [np.array(size, np.int32)], **values)

        def grown(made=(1, 8, 8, 3), wanted=(1, 8, 8, 3), kernel=(3, 2, 2, 2), **values):
            constants = [np.array(wanted, np.int32), np.ones(kernel, np.int8)]
            return one("TRANSPOSE_CONV", "TransposeConvOptions", made, constants, **{"StrideH": 2, "StrideW": 2, "Padding": SAME} | values)

        r, t = "E1105]: operator 0, RESIZE_NEAREST_NEIGHBOR `y`: ", "E1105]: operator 0, TRANSPOSE_CONV `y`: "
        for m, text in (
            (resized((1, 6, 8, 2), (6, 8)), f"{r}size is 6 for 4 along the height"),
            (mixed(AlignCorners=True), "RESIZE_BILINEAR `y`: align_corners is True"),
            (mixed((1, 12, 8, 2), (12, 8)), "RESIZE_BILINEAR `y`: size is [12, 8]\n  {}\n  supported: 1, 2, 4 or 8 times [4, 4]"),
            (mixed(size=(0, 8)), "RESIZE_BILINEAR `y`: size is [0, 8]"),
            (mixed(size=(8, 8, 8)), "RESIZE_BILINEAR `y`: size, tensor 2 `b0` is INT32 [3]"),
            (mixed((1, 9, 8, 2)), "RESIZE_BILINEAR `y`: shape of tensor 1 `y` is [1, 9, 8, 2]"),
            (resized((1, 9, 8, 2)), f"{r}shape of tensor 1 `y` is [1, 9, 8, 2]"),
            (resized(size=(8, 0)), f"{r}size is [8, 0]"),
            (resized(size=(8, 8, 8)), f"{r}size, tensor 2 `b0` is INT32 [3]"),
            (resized(kind=np.int64), f"{r}size, tensor 2 `b0` is INT64 [2]"),
            (resized(target={"scale": 0.25, "zero_point": 3}), f"{r}quantization of the output is scale 0.25, zero point 3"),
            (resized((1, 12, 8, 2), (12, 8), AlignCorners=True), f"{r}size is 12 for 4 along the height"),
            (resized((1, 1028, 8, 2), (1028, 8)), f"{r}factors is [257, 2]"),
            (bordered((1, 8, 4, 2), [[0, 0], [4, 0], [0, 0], [0, 0]]), "MIRROR_PAD `y`: pads is [4, 0, 0, 0]"),
            (bordered((1, 4, 4, 3), [[0, 0], [0, 0], [0, 0], [1, 0]]), "MIRROR_PAD `y`: paddings is [0, 0, 0, 0, 0, 0, 1, 0]"),
            (bordered((1, 4, 4, 2), [[0, 0]] * 4, Mode=7), "MIRROR_PAD `y`: mode is number 7"),
            (grown(StrideH=0), f"{t}stride_h is 0"),
            (grown(StrideH=256), f"{t}strides is [256, 2]"),
            (grown(Padding=9), f"{t}padding is number 9"),
            (grown(FusedActivationFunction=4), f"{t}fused_activation_function is TANH"),
            (grown(wanted=(1, 7, 8, 3)), f"{t}shape of tensor 1 `y` is [1, 8, 8, 3]"),
            (grown((2, 8, 8, 3), (2, 8, 8, 3)), f"{t}output shape is [2, 8, 8, 3]"),
            (grown(wanted=(8, 8)), f"{t}output shape, tensor 2 `k0` is INT32 [2]"),
            (grown(kernel=(3, 2, 2, 5)), f"{t}shape of the weights, tensor 3 `k1` is [3, 2, 2, 5]"),
            (grown((1, 2000, 8, 3), (1, 2000, 8, 3)), f"{t}window and padding of its convolutions is [1, 1, 0, 0, 996, 0]"),
            (one("DEPTH_TO_SPACE", "DepthToSpaceOptions", (1, 8, 8, 1), BlockSize=2), "DEPTH_TO_SPACE `y`: block_size is 2"),
            (one("DEPTH_TO_SPACE", "DepthToSpaceOptions", (1, 8, 8, 1), BlockSize=0), "DEPTH_TO_SPACE `y`: block_size is 0"),
            (one("SPACE_TO_DEPTH", "SpaceToDepthOptions", (1, 8, 8, 1), BlockSize=3), "SPACE_TO_DEPTH `y`: block_size is 3"),
        ):
            with self.subTest(text), self.assertRaises(ModelError) as caught:
                self.load(m)
            self.assertIn(text.format(self.folder / "m.tflite"), str(caught.exception))

    def test_sizes_that_the_file_computes_of_shapes(self):
        """As Keras' UpSampling2D: twice the image's own height and width. The reference cannot run it; the workload is that of the numbers."""

        def model(computed: bool, **strided) -> Model:
            m = Model()
            q = {"scale": 0.5, "zero_point": 3}
            number = lambda *v: m.tensor("k", (len(v),), "int32", data=np.array(v, np.int32))  # noqa: E731
            m.inputs, m.outputs = [m.tensor("x", (1, 4, 3, 2), **q)], [m.tensor("y", (1, 8, 6, 2), **q)]
            size = m.tensor("size", (2,), "int32", data=None if computed else np.array([8, 6], np.int32))
            if computed:
                whole, part = m.tensor("whole", (4,), "int32"), m.tensor("part", (2,), "int32")
                m.operator("SHAPE", [0], [whole], "ShapeOptions", OutType=2)
                m.operator("STRIDED_SLICE", [whole, number(1), number(3), number(1)], [part], "StridedSliceOptions", **strided)
                m.operator("MUL", [part, number(2, 2)], [size], "MulOptions")
            m.operator("RESIZE_NEAREST_NEIGHBOR", [0, size], [1], "ResizeNearestNeighborOptions")
            return m

        whole, other = (self.load(model(computed)) for computed in (True, False))
        self.assertEqual([vars(one) for one in whole.layers], [vars(one) for one in other.layers])
        with self.assertRaises(ModelError) as caught:
            self.load(model(True, NewAxisMask=1))
        self.assertIn("E1105]: operator 1, STRIDED_SLICE `part`: operands is wrong: ellipsis_mask, new_axis_mask, offset", str(caught.exception))
        wrong = model(True)
        wrong.tensors[4].shape = (3,)
        with self.assertRaises(ModelError) as caught:
            self.load(wrong)
        self.assertIn("E1105]: operator 1, STRIDED_SLICE `part`: shape of tensor 4 `part` is [3]", str(caught.exception))

    def test_parts_and_constants(self):
        q = {"scale": 0.5, "zero_point": 3}

        def one(kind, options, made, *operands, inputs=((1, 4, 6, 2),), **values):
            """Operands: arrays of constants, of int8 with a scale; None: the next input."""
            m = Model()
            m.inputs = [m.tensor(f"x{i}", shape, **q) for i, shape in enumerate(inputs)]
            left, numbers = list(m.inputs), []
            for v in operands:
                v = None if v is None else np.asarray(v, getattr(v, "dtype", np.int32))
                numbers.append(left.pop(0) if v is None else m.tensor("k", v.shape, v.dtype.name, *((0.5, 0) if v.dtype == np.int8 else ()), data=v))
            m.outputs = [m.tensor(f"y{i}", shape, **q) for i, shape in enumerate(made)]
            m.operator(kind, numbers, m.outputs, options, **values)
            return m

        def sliced(begin, size, made=(1, 4, 6, 1)):
            return one("SLICE", "SliceOptions", [made], None, begin, size)

        def strided(begin, end, step, made=(1, 4, 6, 1), **values):
            return one("STRIDED_SLICE", "StridedSliceOptions", [made], None, begin, end, step, **values)

        def divided(axis, made, kind="SPLIT"):
            return one(kind, "SplitOptions", made, axis, None, NumSplits=len(made))

        def joined(made, *inputs, **values):
            return one("CONCATENATION", "ConcatenationOptions", [made], *[None] * len(inputs), inputs=inputs, **values)

        halves = [(1, 4, 6, 1)] * 2
        s, t, p = "operator 0, SLICE `y0`: ", "operator 0, STRIDED_SLICE `y0`: ", "operator 0, SPLIT `y0`: "
        for m, text in (
            (sliced([0, 0, 0, 1], [1, 4, 6, 2]), f"{s}begin, size is [[0, 0, 0, 1], [1, 4, 6, 2]]"),
            (sliced([0, 0, 0, -1], [1, 4, 6, 1]), f"{s}begin, size is [[0, 0, 0, -1], [1, 4, 6, 1]]"),
            (sliced([0, 0, 0], [1, 4, 6, 1]), f"{s}begin, tensor 1 `k` is INT32 [3]"),
            (sliced([0, 0, 0, 0], [1, 4, 6, 1], (1, 4, 6, 2)), f"{s}shape of tensor 3 `y0` is [1, 4, 6, 2]"),
            (strided([0, 0, 0, 0], [1, 4, 6, 1], [1, 1, 1, 0]), f"{t}strides is [1, 1, 1, 0]"),
            (strided([0, 3, 0, 0], [1, 0, 6, 1], [1, -1, 1, 1], (1, 3, 6, 1)), f"{t}places is range(0, 1), range(3, 0, -1), range(0, 6), range(0, 1)"),
            (strided([0, 2, 0, 0], [1, 2, 6, 1], [1, 1, 1, 1]), f"{t}elements is none"),
            (strided([0, 0, 0, 0], [1, 4, 6, 1], [1, 1, 1, 1], ShrinkAxisMask=8), f"{t}shrink_axis_mask is 8"),
            (divided(4, halves), f"{p}axis is 4"),
            (divided(0, halves), f"{p}lengths is [0, 0]"),
            (divided(3, [(1, 4, 6, 1)] * 3), f"{p}lengths is [0, 0, 0]"),
            (divided(3, halves, "SPLIT_V"), "operator 0, SPLIT_V `y0`: operands is 2 in, 2 out"),
            (one("SPLIT_V", "SplitVOptions", halves, None, [2, 1], [3]), "operator 0, SPLIT_V `y0`: lengths is [2, 1]"),
            (joined((2, 2, 2, 2), (1, 2, 2, 2), (1, 2, 2, 2), Axis=9), "operator 0, CONCATENATION `y0`: axis is 9"),
            (joined((1, 2, 2, 4), (1, 2, 2, 2), (1, 2, 1, 2), Axis=3), "operator 0, CONCATENATION `y0`: tensor 1 `x1` is [1, 2, 1, 2]"),
            (joined((1, 300, 1, 1), (1, 299, 1, 1), (1, 1, 1, 1), Axis=1), ""),
            (joined((1, 9001, 1, 1), (1, 9000, 1, 1), (1, 1, 1, 1), Axis=1), "operator 0, CONCATENATION `y0`: sizes is [9000, 1]"),
            (one("ADD", "AddOptions", [(1, 4, 6, 2)], None, np.ones(3, np.int8)), "operator 0, ADD `y0`: shape of tensor 1 `k` is [3]"),
            (one("ADD", "AddOptions", [(1, 4, 6, 2)], None, None, inputs=((1, 4, 6, 2), (1, 4, 1, 2))), "operator 0, ADD `y0`: shapes is [1, 4, 6, 2] and"),
            (one("ADD", "AddOptions", [(1, 4, 6, 2)], None, np.ones(2, np.int32)), "error[E1106]: operator 0, ADD `y0`: type of tensor 1 `k` is INT32"),
            (one("MUL", "MulOptions", [(2,)], np.ones(2, np.int8), np.ones(2, np.int8)), "operator 0, MUL `y0`: operands is two constants"),
            (one("MUL", "MulOptions", [(1, 4, 6, 2)], None, np.ones((1, 1, 1, 2), np.int8)), ""),
        ):
            with self.subTest(text):
                if text:
                    with self.assertRaises(ModelError) as caught:
                        self.load(m)
                    self.assertIn(text, str(caught.exception))
                else:
                    self.load(m)

    def test_attributes_one_by_one(self):
        def conv(**values):
            return lambda m: m.operators[0].values.update(values)

        def tensor(i, **values):
            return lambda m: [setattr(m.tensors[i], k, v) for k, v in values.items()]

        c, f = "operator 0, CONV_2D `conv`", "operator 3, FULLY_CONNECTED `scores`"
        for change, code, text, supported in (
            (
                conv(FusedActivationFunction=4),
                "E1105",
                f"{c}: fused_activation_function is TANH",
                "NONE, RELU, RELU6, RELU_N1_TO_1",
            ),
            (
                conv(FusedActivationFunction=77),
                "E1105",
                f"{c}: fused_activation_function is number 77",
                "NONE, RELU, RELU6, RELU_N1_TO_1",
            ),
            (conv(Padding=9), "E1105", f"{c}: padding is number 9", "SAME, VALID"),
            (conv(DilationWFactor=-1), "E1105", f"{c}: dilation_w_factor is -1", "1 to 1048576"),
            (
                conv(StrideH=2),
                "E1105",
                f"{c}: shape of tensor 3 `conv` is [1, 4, 4, 3]",
                "[1, 2, 4, 3], which is what the operator makes of its inputs",
            ),
            (tensor(1, zero_point=[0, 1, 0]), "E1105", f"{c}: zero point of the weights, tensor 1 `conv/w` is 1", "0"),
            (tensor(1, scale=[0.1, 0.0, 1.0]), "E1107", f"{c}: scale 1 of tensor 1 `conv/w` is 0", "1e-12 to 1e+12"),
            (
                tensor(1, scale=None),
                "E1107",
                f"{c}: quantization of tensor 1 `conv/w` is none",
                "a scale and a zero point",
            ),
            (tensor(2, zero_point=[0, 5, 0]), "E1105", f"{c}: zero point of the bias, tensor 2 `conv/b` is 5", "0"),
            (
                tensor(2, type="int64", data=np.arange(3)),
                "E1105",
                f"{c}: bias, tensor 2 `conv/b` is INT64",
                "a constant INT32",
            ),
            (tensor(0, zero_point=[200]), "E1107", "inputs: zero point of tensor 0 `image` is 200", "-128 to 127"),
            (
                tensor(0, shape=(1, 4, 4, 0)),
                "E1105",
                "inputs: shape of tensor 0 `image` is [1, 4, 4, 0]",
                "at most 6 dimensions of 1 to 2^24",
            ),
            (
                tensor(4, shape=(1, 4, 0, 3)),
                "E1105",
                "operator 1, RELU6 `relu`: shape of tensor 4 `relu` is [1, 4, 0, 3]",
                "at most 6 dimensions of 1 to 2^24",
            ),
            (tensor(8, type="int16"), "E1106", f"{f}: type of tensor 8 `scores` is INT16", "INT8"),
            (tensor(8, scale=[-0.5]), "E1107", f"{f}: scale 0 of tensor 8 `scores` is -0.5", "1e-12 to 1e+12"),
            (
                tensor(4, scale=[0.5]),
                "E1105",
                "operator 1, RELU6 `relu`: quantization of the output is scale 0.5, zero point -5",
                "the input's: scale 0.25, zero point -5",
            ),
        ):
            with self.subTest(text):
                m = small()
                change(m)
                with self.assertRaises(ModelError) as caught:
                    self.load(m)
                first = caught.exception.diagnostics[0]
                self.assertEqual((first.code, first.message, first.note), (code, text, f"supported: {supported}"))


class Edges(InFolder):
    def test_float_inputs_and_outputs_are_left_out(self):
        workload = self.load(with_float_edges())
        self.assertEqual([i["name"] for i in workload.inputs], ["image"])
        self.assertEqual(workload.outputs, ["scores"])
        self.assertEqual(
            workload.notes,
            [
                "input `image` takes int8 bytes: the model's QUANTIZE from float32 is left to whoever gives them",
                "output `scores` is int8 bytes: the model's DEQUANTIZE to float32 is left to whoever reads them",
            ],
        )
        self.assertEqual([layer.op for layer in workload.layers], [layer.op for layer in self.load(small()).layers])

    def test_an_output_that_is_an_input(self):
        for after in (False, True):
            m = small()
            real, scores = m.tensor("real", (1, 4, 4, 2), "float32"), m.tensor("back", (1, 4, 4, 2), "float32")
            if after:  # behind a QUANTIZE, and back
                m.inputs = [real]
                m.operator("QUANTIZE", [real], [0])
                m.operators.insert(0, m.operators.pop())
                m.operator("DEQUANTIZE", [0], [scores])
                m.outputs.append(scores)
            else:
                m.outputs.append(0)
            self.refused(
                m,
                "error[E1105]: outputs: output, tensor 0 `image` is an input of the model\n  ./m.tflite\n"
                "  supported: a tensor that an operator makes",
            )

    def test_padding_with_the_zero_point_becomes_the_convolutions(self):
        for value, fits in ((3, True), (4, False)):
            m = small()
            m.tensors[0].shape = (1, 3, 2, 2)
            pads = m.tensor("pads", (4, 2), "int32", data=np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32))
            filler = m.tensor("filler", (1,), scale=0.5, zero_point=3, data=np.array([value], np.int8))
            padded = m.tensor("padded", (1, 4, 4, 2), scale=0.5, zero_point=3)
            m.operators[0].inputs[0] = padded
            m.operator("PADV2", [0, pads, filler], [padded])
            m.operators.insert(0, m.operators.pop())
            if fits:
                self.assertEqual(self.load(m).layers[0].keys["padding"], [2, 1, 1, 3])  # SAME adds one on each side
            else:
                self.refused(
                    m,
                    "error[E1105]: operator 0, PADV2 `padded`: value, tensor 10 `filler` is another number\n  ./m.tflite\n"
                    "  supported: the zero point, 3",
                )

    def test_padding_that_something_else_reads_is_a_layer(self):
        m = Model()
        q = {"scale": 0.5, "zero_point": 3}
        x, y, z = m.tensor("x", (1, 3, 3, 1), **q), m.tensor("y", (1, 4, 4, 1), **q), m.tensor("z", (1, 4, 4, 1), **q)
        pads = m.tensor("pads", (4, 2), "int32", data=np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32))
        m.inputs, m.outputs = [x], [z]
        m.operator("PAD", [x, pads], [y])
        m.operator("RELU", [y], [z])
        layers = self.load(m).layers
        self.assertEqual([(one.op, one.keys.get("padding")) for one in layers], [("conv2d", [1, 0, 0, 1]), ("reshape", None), ("table", None)])
        m.tensors[pads].data = np.array([[0, 0], [256, 0], [0, 1], [0, 0]], np.int32)
        m.tensors[y].shape = m.tensors[z].shape = (1, 259, 4, 1)
        self.refused(
            m,
            "error[E1105]: operator 0, PAD `y`: paddings is [[0, 0], [256, 0], [0, 1], [0, 0]]\n  ./m.tflite\n"
            "  supported: at most 255 pixels on a side, or CONV_2D and DEPTHWISE_CONV_2D as the only readers",
        )

    def test_equal_models_give_equal_files(self):
        contents = []
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            contents.append([path.read_bytes() for path in self.load(small()).save(self.folder / name / "net.yaml")])
        self.assertEqual(*contents)
        self.assertIn(b"double rounding", contents[0][0])

    def test_names_that_workloads_cannot_have(self):
        m = small()
        for t, name in zip(m.tensors, ("a\nb", "w", "b", "a: {b", "x;y/z", "axes", "\u0085", "w", "x" * 400)):
            t.name = name
        text = self.load(m).text("net.safetensors")
        self.assertIn('name: "a: {b"', text)
        self.assertIn('name: "y/z"', text)
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        self.assertLess(max(map(len, text.splitlines())), 700)


class Schema(unittest.TestCase):
    def test_slots_and_names_are_those_of_the_package(self):
        checked = 0
        for table, fields in vars(schema.FIELDS).items():
            source = Path(sys.modules[f"tflite.{table}"].__file__).read_text(encoding="utf-8")
            for name, (slot, _, kind) in vars(fields).items():
                method = "".join(part.capitalize() if part[0].isalpha() else part for part in name.split("_"))
                body = re.search(
                    rf"    def {method}\(self(?:, j)?\):\n(.*?)(?=\n    # |\n    def |\Z)", source, re.DOTALL
                )
                self.assertIsNotNone(body, f"{table}.{method}")
                self.assertIn(f"Offset({4 + 2 * slot})", body[1], f"{table}.{name}")
                if kind not in ("table", "tables", "string"):
                    self.assertIn(
                        {"float32": "Float32Flags", "bool": "BoolFlags"}.get(
                            kind, kind.capitalize().replace("Uint", "Uint") + "Flags"
                        ),
                        body[1],
                        f"{table}.{name}",
                    )
                checked += 1
        self.assertGreater(checked, 60)
        for names, package in (
            (schema.ACTIVATIONS, tflite.ActivationFunctionType),
            (schema.PADDINGS, tflite.Padding),
            (schema.TYPES, tflite.TensorType),
            (schema.OPERATORS, tflite.BuiltinOperator),
        ):
            self.assertEqual(
                names,
                [
                    k
                    for k, _ in sorted(
                        ((k, v) for k, v in vars(package).items() if isinstance(v, int)), key=lambda kv: kv[1]
                    )
                ],
            )
        for number, name in schema.OPTIONS.items():
            self.assertEqual(getattr(tflite.BuiltinOptions, name), number)

    def test_the_page_lists_the_operators(self):
        rows = [f"| `{name}` | {row.becomes} | {row.supported} |" for name, row in sorted(OPERATORS.items())]
        begin, end = "| operator | becomes | supported |\n|---|---|---|\n", "\n\n## "
        text = PAGE.read_text(encoding="utf-8")
        first = text.index(begin) + len(begin)
        last = text.index(end, first)
        if os.environ.get("GEMEL_UPDATE"):
            PAGE.write_text(text[:first] + "\n".join(rows) + text[last:], encoding="utf-8")
        else:
            self.assertEqual(
                text[first:last].splitlines(), rows, "GEMEL_UPDATE=1 tests/python/tflite_import_test.py writes them"
            )


class Damage(InFolder):
    """Files as bad disks, transfers and people make them."""

    def test_damaged_files_end_in_an_error_or_a_workload(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = random.Random(seed)
        models = [small().write()] + [
            CASES[name](Draw(np.random.default_rng([seed, i]))).write() for i, name in enumerate(sorted(CASES))
        ]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counts: dict[str, int] = {}
        slowest = 0.0
        for i in range(DAMAGED):
            data = damaged(rng, rng.choice(models))
            start = time.process_time()
            try:
                workload = self.load(data)
                workload.save(self.folder / "net.yaml")
                counts["still a model"] = counts.get("still a model", 0) + 1
            except ModelError as error:
                for d in error.diagnostics:
                    self.assertRegex(d.code, r"^E110[2-7]$", f"file {i}")
                    self.assertIn("m.tflite", d.file or d.message, f"file {i}")
                counts[error.diagnostics[0].code] = counts.get(error.diagnostics[0].code, 0) + 1
            slowest = max(slowest, time.process_time() - start)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"{DAMAGED} damaged files: {', '.join(f'{n} {what}' for what, n in sorted(counts.items()))}; slowest {slowest:.3f} s, {grown:.0f} MiB more memory"
        )
        self.assertGreater(counts.get("E1103", 0), DAMAGED // 4)
        self.assertLess(slowest, 5.0)
        self.assertLess(grown, 100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
