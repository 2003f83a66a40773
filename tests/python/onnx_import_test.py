# SPDX-License-Identifier: Apache-2.0
"""What the importer says of ONNX models that it cannot take: exact texts, and 300 damaged files, none of which may end in anything but an error
with code and place, or in a workload. Needs the package onnx, and no reference and no built Gemel."""

import math
import os
import random
import resource
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_cases import CASES, Draw
from random_models import damaged

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from gemel.importer import ModelError, import_model
from gemel.importer.layout import Layout
from gemel.importer.onnx_ops import OPERATORS, table_rows

DAMAGED = 300
PAGE = ROOT / "docs/reference/onnx.md"


NARROW = {name: helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(name)) for name in ("INT4", "UINT4", "UINT2", "FLOAT8E4M3FN", "FLOAT4E2M1")}


class Small:
    """x [1, 2, 4, 4] -> QuantizeLinear -> Conv (per channel), Relu -> MaxPool -> Reshape -> Gemm -> y [1, 5], in the QDQ form."""

    def __init__(self):
        self.shape = [1, 2, 4, 4]
        self.constants = {
            "x_s": np.float32(0.5), "x_z": np.uint8(3),
            "w": np.arange(54, dtype=np.int8).reshape(3, 2, 3, 3), "w_s": np.array([0.1, 0.2, 0.3], np.float32), "w_z": np.zeros(3, np.int8),
            "b": np.array([1, 2, 3], np.int32), "b_s": np.float32(0.5) * np.array([0.1, 0.2, 0.3], np.float32), "b_z": np.zeros(3, np.int32),
            "c_s": np.float32(0.25), "c_z": np.uint8(0),
            "v": np.arange(60, dtype=np.int8).reshape(5, 12), "v_s": np.float32(0.1), "v_z": np.int8(0),
            "rows": np.array([1, -1], np.int64), "y_s": np.float32(0.3), "y_z": np.uint8(7),
        }  # fmt: skip
        self.nodes = [
            helper.make_node("QuantizeLinear", ["x", "x_s", "x_z"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "x_s", "x_z"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["wd"], axis=0),
            helper.make_node("DequantizeLinear", ["b", "b_s", "b_z"], ["bd"], axis=0),
            helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("QuantizeLinear", ["relu", "c_s", "c_z"], ["cq"]),
            helper.make_node("DequantizeLinear", ["cq", "c_s", "c_z"], ["cd"]),
            helper.make_node("MaxPool", ["cd"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("QuantizeLinear", ["pool", "c_s", "c_z"], ["pq"]),
            helper.make_node("DequantizeLinear", ["pq", "c_s", "c_z"], ["pd"]),
            helper.make_node("Reshape", ["pd", "rows"], ["flat"]),
            helper.make_node("DequantizeLinear", ["v", "v_s", "v_z"], ["vd"]),
            helper.make_node("Gemm", ["flat", "vd"], ["scores"], transB=1),
            helper.make_node("QuantizeLinear", ["scores", "y_s", "y_z"], ["yq"]),
            helper.make_node("DequantizeLinear", ["yq", "y_s", "y_z"], ["y"]),
        ]
        self.input_type = TensorProto.FLOAT
        self.outputs = ["y"]
        self.opset = 17

    def proto(self) -> onnx.ModelProto:
        constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in self.constants.items()]
        graph = helper.make_graph(
            self.nodes, "small", [helper.make_tensor_value_info("x", self.input_type, self.shape)],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in self.outputs], constants,
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)

    def write(self) -> bytes:
        return self.proto().SerializeToString()


class InFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-import-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def load(self, model, name: str = "m.onnx"):
        path = self.folder / name
        data = model if isinstance(model, bytes) else (model.write() if isinstance(model, Small) else model.SerializeToString())
        path.write_bytes(data)
        return import_model(path)

    def refused(self, model, text: str) -> None:
        with self.assertRaises(ModelError) as caught:
            self.load(model)
        self.assertEqual(str(caught.exception).replace(str(self.folder), "."), text)

    def damage(self, text: str, place: str) -> str:
        place = f"./m.onnx: {place}" if place else "./m.onnx"
        return f"error[E1103]: the model is damaged: {text}\n  {place}\nhint: the file is cut short or was changed; make or fetch it again"


class Layouts(unittest.TestCase):
    def test_no_element_moves(self):
        """Random transpositions and reshapes: what a layout says of the elements in memory is what NumPy makes of the tensor."""
        rng = random.Random(7)
        moved = 0
        for _ in range(2000):
            shape = [rng.choice((1, 2, 3, 4, 6)) for _ in range(rng.randint(1, 4))]
            axes = list(range(sum(n > 1 for n in shape)))
            rng.shuffle(axes)
            layout = Layout.dense(shape).ordered(tuple(axes))
            memory = np.arange(math.prod(shape))
            tensor = layout.of_model(memory)
            np.testing.assert_array_equal(layout.of_memory(tensor), memory)
            for _ in range(3):
                if rng.random() < 0.5:
                    order = list(range(tensor.ndim))
                    rng.shuffle(order)
                    layout, tensor = layout.transposed(order), tensor.transpose(order)
                else:
                    wanted = list(tensor.shape)
                    if rng.random() < 0.5 and len(wanted) > 1:  # two dimensions become one
                        at = rng.randrange(len(wanted) - 1)
                        wanted[at : at + 2] = [wanted[at] * wanted[at + 1]]
                    else:  # one becomes two
                        at = rng.randrange(len(wanted))
                        part = rng.choice([k for k in range(1, wanted[at] + 1) if wanted[at] % k == 0])
                        wanted[at : at + 1] = [part, wanted[at] // part]
                    new = layout.reshaped(wanted)
                    if new is None:
                        moved += 1
                        continue
                    layout, tensor = new, tensor.reshape(wanted)
                self.assertEqual(layout.shape, tensor.shape)
                np.testing.assert_array_equal(layout.of_model(memory), tensor)
                np.testing.assert_array_equal(layout.plain().of_model(memory), tensor)
        self.assertLess(moved, 1000)

    def test_lengths_that_do_not_divide_each_other(self):
        self.assertEqual(Layout.dense((4, 6)).reshaped((6, 4)).shape, (6, 4))
        self.assertEqual(Layout.dense((4, 6)).transposed((1, 0)).reshaped((8, 3)), None)
        self.assertEqual(Layout.dense((4, 6)).reshaped((2, 12)).shape, (2, 12))


class Texts(InFolder):
    def test_small_is_a_model(self):
        workload = self.load(Small())
        self.assertEqual([(l.name, l.op) for l in workload.layers], [("cq", "conv2d"), ("pq", "max_pool"), ("yq", "dense")])
        self.assertEqual(workload.inputs[0]["shape"], [1, 4, 4, 2])
        self.assertEqual(
            workload.notes,
            [
                "input `xq` takes uint8 bytes: the model's QuantizeLinear from float32 is left to whoever gives them",
                "output `yq` is uint8 bytes: the model's DequantizeLinear to float32 is left to whoever reads them",
                "input `xq` lies in memory by the model's dimensions 0, 2, 3, 1 (NHWC): one change of order at this edge",
            ],
        )
        # Reshape of [1, 3, 2, 2], which lies as [1, 2, 2, 3]
        np.testing.assert_array_equal(workload.tensors["yq.weight"][1], np.arange(12, 24).reshape(3, 2, 2).transpose(1, 2, 0).reshape(-1))

    def test_files_that_cannot_be_read(self):
        with self.assertRaises(ModelError) as caught:
            import_model(self.folder / "none.onnx")
        self.assertEqual(str(caught.exception), f"error[E1101]: cannot read the model `{self.folder}/none.onnx`: No such file or directory")

    def test_files_that_are_none(self):
        hint = "hint: an .onnx file is a protobuf message ModelProto with a graph"
        self.refused(b"", f"error[E1102]: `./m.onnx` is no ONNX model\n{hint}")
        self.refused(b"<html>not found</html>", self.damage("protobuf has no fields of the kind 4 here", "byte 1"))

    def test_files_that_contradict_themselves(self):
        m = Small()
        m.nodes[4], m.nodes[5] = m.nodes[5], m.nodes[4]
        self.refused(m, self.damage("node 4, Relu `relu` reads `conv`, which node 5, Conv `conv` makes, later or of its own output", "graph.node[4]"))
        m = Small()
        m.nodes[4].input[0] = "relu"
        self.refused(m, self.damage("node 4, Conv `conv` reads `relu`, which node 5, Relu `relu` makes, later or of its own output", "graph.node[4]"))
        m = Small()
        del m.constants["w"]
        self.refused(m, self.damage("node 2, DequantizeLinear `wd` reads `w`, which nobody makes", "graph.node[2]"))
        m = Small()
        m.nodes[8].output[0] = "conv"
        m.nodes[9].input[0] = "conv"
        self.refused(m, self.damage("node 8, MaxPool `conv` makes `conv`, which is an input, a constant, or made already", "graph.node[8]"))
        m = Small()
        m.outputs = ["nothing"]
        self.refused(m, self.damage("nobody makes `nothing`", "graph.output"))
        proto = Small().proto()
        proto.graph.initializer[2].raw_data = proto.graph.initializer[2].raw_data[:-1]
        self.refused(proto, self.damage("it has 53 bytes, and [3, 2, 3, 3] of INT8 takes 54", "graph.initializer[2]"))
        proto = Small().proto()
        proto.graph.initializer[2].dims[0] = 1 << 50
        self.refused(proto, self.damage("[1125899906842624, 2, 3, 3] is no shape of a constant", "graph.initializer[2]"))
        proto = Small().proto()
        proto.graph.initializer[2].dims[0] = 1 << 30
        self.refused(proto, self.damage("with it the constants come to 19327352837 bytes, and at most 1073741824 are read", "graph.initializer[2]"))
        proto = Small().proto()
        proto.graph.initializer[2].data_type = 99
        self.refused(proto, self.damage("there is no type of tensors with the number 99", "graph.initializer[2]"))
        proto = Small().proto()
        del proto.opset_import[:]
        self.refused(proto, self.damage("it does not say which version of ONNX's operators it has", "opset_import"))

    def test_structure_beyond_the_limits(self):
        self.refused(b"\x3a" + _varint(2 * 70000) + b"\x0a\x00" * 70000, self.damage("it has 70000 nodes, and at most 65536 are read", "graph"))
        m = Small()
        m.nodes[5] = helper.make_node("Relu", ["conv"], ["relu"], **{f"a{i}": 1 for i in range(65)})
        self.refused(m, self.damage("it claims 65 attributes, and at most 64 are read", "graph.node[5]"))
        m.nodes[5] = helper.make_node("Relu", ["conv"] * 1025, ["relu"])
        self.refused(m, self.damage("it claims 1025 operands, and at most 1024 are read", "graph.node[5]"))
        many = b"\x3a" + _varint(34 << 20) + (b"\x12" + _varint((34 << 20) - 5) + bytes((34 << 20) - 5))
        self.assertRegex(_refusal(self, many), r"it has \d+ bytes beside its constants, and at most 33554432 are read")

    def test_weights_beside_the_model(self):
        (self.folder / "w.bin").write_bytes(bytes(10) + np.arange(54, dtype=np.int8).tobytes())

        def external(location="w.bin", offset=10, length=54):
            proto = Small().proto()
            w = proto.graph.initializer[2]
            w.ClearField("raw_data")
            w.data_location = TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", offset), ("length", length)):
                w.external_data.add(key=key, value=str(value))
            return proto

        np.testing.assert_array_equal(self.load(external()).tensors["cq.weight"], self.load(Small()).tensors["cq.weight"])
        place = "graph.initializer[2]"
        for location in ("../w.bin", "/etc/passwd", "", "a/../../w.bin", "a\0b"):
            shown = location.replace("\0", "?")
            self.refused(external(location), self.damage(f"its data is in `{shown}`, which is no file of the model's folder", place))
        (self.folder / "link").symlink_to("/etc/passwd")
        self.refused(external("link"), self.damage("its data is in `link`, which leads through a symbolic link", place))
        os.mkfifo(self.folder / "pipe")
        self.refused(external("pipe"), self.damage("its data is in `pipe`, which is no regular file", place))
        self.refused(external(offset=11), self.damage("its data reaches to byte 65 of `w.bin`, which has 64 bytes", place))
        self.refused(external(offset=-1), self.damage("its data has 54 bytes from byte -1 on, and it takes 54", place))
        self.refused(external(length=1 << 60), self.damage(f"its data has {1 << 60} bytes from byte 10 on, and it takes 54", place))
        self.refused(
            external("no.bin"),
            f"error[E1101]: cannot read `no.bin`, the model's weights: No such file or directory\n  ./m.onnx: {place}\nhint: keep it beside the model",
        )

    def test_everything_that_is_not_supported_at_once(self):
        m = Small()
        m.nodes[4] = helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], pads=[1, 1, 1, 1], group=3)
        m.nodes[5] = helper.make_node("Frobnicate", ["xd"], ["cos"])
        m.nodes[6].input[0] = "conv"
        m.nodes.insert(6, helper.make_node("MaxPool", ["xd"], ["pool2"], kernel_shape=[2, 2], dilations=[2, 1]))
        m.nodes.insert(7, helper.make_node("QuantizeLinear", ["pool2", "x_s", "x_z"], ["pool2q"]))
        m.constants["v_s"] = np.float32(math.nan)
        self.refused(
            m,
            """error[E1105]: node 6, MaxPool `pool2`: dilations is [2, 1]
  ./m.onnx
  supported: [1, 1]
error[E1105]: node 4, Conv `conv`: group is 3
  ./m.onnx
  supported: one that divides 3 outputs, with 2 of 2 input channels each
error[E1107]: node 14, DequantizeLinear `vd`: scale 0 of `v` is nan
  ./m.onnx
  supported: 1e-12 to 1e+12
error[E1104]: node 5, Frobnicate `cos`: there is no such operator in Gemel
  ./m.onnx
  its inputs: float32 [1, 2, 4, 4]
hint: docs/reference/onnx.md lists the operators; replace it in the model, or end the model before it""",
        )

    def test_attributes_one_by_one(self):
        def change(**constants):
            m = Small()
            m.constants |= constants
            return m

        def node(index, made):
            m = Small()
            m.nodes[index] = made
            return m

        for model, text in (
            (
                change(w_s=np.ones(2, np.float32), w_z=np.zeros(2, np.int8)),
                "E1107]: node 2, DequantizeLinear `wd`: scales of `w` is 2 along dimension 0 of [3, 2, 3, 3]",
            ),
            (change(w_s=np.array([1, -1, 1], np.float32)), "E1107]: node 2, DequantizeLinear `wd`: scale 1 of `w` is -1"),
            (change(x_z=np.int16(3)), "E1106]: node 0, QuantizeLinear `xq`: type of `xq` is int16"),
            # What is read as a wider type is not of it.
            (change(y_z=np.array(3, NARROW["UINT4"])), "E1106]: node 14, QuantizeLinear `yq`: type of `yq` is uint4"),
            (change(y_z=np.array(0, NARROW["FLOAT8E4M3FN"])), "E1106]: node 14, QuantizeLinear `yq`: type of `yq` is float8e4m3fn"),
            (change(b_s=np.ones(3, np.float32)), "E1105]: node 4, Conv `conv`: scale 0 of the bias, `b` is 1"),
            (
                change(c_z=np.uint8(5)),
                "E1105]: node 6, QuantizeLinear `cq`: least value of the Relu or Clip behind node 4, Conv `conv` is 5 after quantization",
            ),
            (change(w_z=np.array([0, 1, 0], np.int8)), "E1105]: node 4, Conv `conv`: zero points of `w` is different ones"),
            (node(4, helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], pads=[1, 1])), "E1105]: node 4, Conv `conv`: pads is [1, 1]"),
            (node(4, helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], pads=[1, 1, 1, -1])), "E1105]: node 4, Conv `conv`: pads is [1, 1, 1, -1]"),
            (node(4, helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], auto_pad="MAYBE")), "E1105]: node 4, Conv `conv`: auto_pad is MAYBE"),
            (node(4, helper.make_node("Conv", ["xd", "wd", "bd"], ["conv"], best=1)), "E1105]: node 4, Conv `conv`: best is 1"),
            (
                node(11, helper.make_node("Flatten", ["pd"], ["flat"])),
                "E1105]: node 13, Gemm `scores`: what ONNX Runtime computes in float32 is a Flatten between DequantizeLinear and it",
            ),
            (node(13, helper.make_node("Gemm", ["flat", "vd"], ["scores"], transA=1, transB=1)), "E1105]: node 13, Gemm `scores`: transA is 1"),
            (node(13, helper.make_node("Gemm", ["flat", "vd"], ["scores"])), "E1105]: node 13, Gemm `scores`: shapes is [1, 12] times [5, 12]"),
        ):
            with self.subTest(text):
                self.assertIn(text, _refusal(self, model))

    def test_weights_that_the_file_has_in_float(self):
        m = Small()
        m.opset = 21
        m.constants |= {"f": np.ones((5, 12), np.float32), "f_z": np.array(0, NARROW["INT4"])}
        m.nodes[12] = helper.make_node("QuantizeLinear", ["f", "v_s", "f_z"], ["vq"])
        m.nodes.insert(13, helper.make_node("DequantizeLinear", ["vq", "v_s", "f_z"], ["vd"]))
        self.assertIn("E1106]: node 12, QuantizeLinear `vq`: type of `f` is int4", _refusal(self, m))
        m.nodes[12] = helper.make_node("QuantizeLinear", ["f", "v_s"], ["vq"], output_dtype=TensorProto.INT16)
        m.nodes[13] = helper.make_node("DequantizeLinear", ["vq", "v_s"], ["vd"])
        self.assertIn("E1106]: node 12, QuantizeLinear `vq`: type of `f` is type 5 of TensorProto", _refusal(self, m))
        m.nodes[12] = helper.make_node("QuantizeLinear", ["f", "v_s"], ["vq"], output_dtype=TensorProto.INT8)
        (weights,) = (array for array in self.load(m).tensors.values() if array.size == 60)
        self.assertEqual((weights.dtype, set(weights.reshape(-1).tolist())), (np.int8, {10}))

    def test_constants_in_blocks_and_of_few_bits(self):
        """A table of words, in float32 and as what becomes the same: one workload."""
        rng = np.random.default_rng(1)
        for name, block in (("INT4", 4), ("UINT2", 8), ("FLOAT8E4M3FN", 0), ("FLOAT4E2M1", 3)):
            w = rng.integers(0, 4, (6, 8)) if name.startswith("U") else rng.integers(-4, 4, (6, 8))
            scale = rng.uniform(0.5, 2, (6, -(-8 // block)) if block else 8).astype(np.float32)
            real = w.astype(np.float32) * (np.repeat(scale, block, 1)[:, :8] if block else scale)
            texts = []
            for constants, nodes in (
                ({"table": real}, []),
                ({"w": w.astype(np.float32).astype(NARROW[name]), "w_s": scale},
                 [helper.make_node("DequantizeLinear", ["w", "w_s"], ["table"], axis=1, **({"block_size": block} if block else {}))]),
            ):  # fmt: skip
                nodes = [*nodes, helper.make_node("Gather", ["table", "x"], ["rows"]), helper.make_node("QuantizeLinear", ["rows", "s", "z"], ["rq"]),
                         helper.make_node("DequantizeLinear", ["rq", "s", "z"], ["y"])]  # fmt: skip
                m = Small()
                m.opset, m.nodes, m.shape, m.input_type = 25, nodes, [1, 3], TensorProto.INT64
                m.constants = {"s": np.float32(0.1), "z": np.int8(0)} | constants
                yaml, data = self.load(m).save(self.folder / "net.yaml")
                texts.append((Path(yaml).read_text(), Path(data).read_bytes()))
            first, second = (text.split("sha256", 1)[-1].split("\n", 1)[-1] for text, _ in texts)
            self.assertEqual(first, second, name)
            self.assertEqual(texts[0][1], texts[1][1], name)
        m.constants["w_s"] = np.ones((6, 4), np.float32)
        self.assertIn("E1107]: node 0, DequantizeLinear `table`: scales of `w` is [6, 4], in blocks of 3", _refusal(self, m))

    def test_an_output_that_nothing_makes(self):
        m = Small()
        m.nodes[5] = helper.make_node("Relu", ["conv"], ["relu", "extra"])
        self.assertEqual(len(self.load(m).layers), len(self.load(Small()).layers))
        m.outputs = ["y", "extra"]
        self.assertIn("E1105]: outputs: output `extra` is made by no operator as Gemel has it", _refusal(self, m))

    def test_dropout(self):
        def dropped(outputs=("pd",), ratio=0.5, training=None, wanted=("y",)):
            m = Small()
            m.opset, m.outputs = 17, [*wanted]
            m.constants["ratio"] = np.float32(ratio)
            m.nodes[10] = helper.make_node("DequantizeLinear", ["pq", "c_s", "c_z"], ["pr"])
            m.constants |= {} if training is None else {"training": np.array(training)}
            m.nodes.insert(11, helper.make_node("Dropout", ["pr", "ratio", *([] if training is None else ["training"])], [*outputs]))
            return m

        self.assertEqual(len(self.load(dropped()).layers), len(self.load(Small()).layers))
        for good in (dropped(training=False), dropped(ratio=0, training=True), dropped(("pd", "mask"))):  # a mask that nobody reads
            self.assertEqual(len(self.load(good).layers), len(self.load(Small()).layers))
        self.assertIn("E1105]: node 11, Dropout `pd`: training_mode is true, or computed by the network", _refusal(self, dropped(training=True)))
        self.assertIn("E1105]: node 11, Dropout `pd`: outputs is 2", _refusal(self, dropped(("pd", "mask"), wanted=("y", "mask"))))

    def test_functions_at_the_end(self):
        for kind in ("Tanh", "Neg"):
            m = Small()
            m.nodes[-1] = helper.make_node("DequantizeLinear", ["yq", "y_s", "y_z"], ["scores_real"])
            m.nodes.append(helper.make_node(kind, ["scores_real"], ["y"]))
            if kind == "Tanh":
                workload = self.load(m)
                self.assertIn("output `y` is a growing function in float32 of the uint8 bytes `yq`: it is left to whoever reads them", workload.notes)
                self.assertEqual((workload.outputs, workload.sources["yq"]), (["yq"], "yq"))
            else:  # the largest is another one then
                self.assertIn("E1105]: outputs: operand `yq` is float32, a function of it", _refusal(self, m))

    def test_images_that_grow(self):
        """What of Resize, ConvTranspose, DepthToSpace and SpaceToDepth is refused, in the place of a MaxPool of [1, 3, 4, 4]."""

        def resize(operands=("cd", "", "k"), k=(1, 1, 2, 2), kind=np.float32, **attributes):
            return ("Resize", operands, {"mode": "nearest"} | attributes, {"k": np.array(k, kind)})

        def grow(**attributes):
            return ("ConvTranspose", ("cd", "td"), attributes, {"t": np.ones((3, 2, 2, 2), np.int8), "t_s": np.float32(0.25), "t_z": np.int8(0)})

        r, t = "error[E1105]: node 8, Resize `pool`: ", "error[E1105]: node 9, ConvTranspose `pool`: "
        for (kind, operands, attributes, constants), text in (
            (resize(mode="linear"), f"{r}mode is linear\n  ./m.onnx\n  supported: nearest\nhint: ONNX Runtime interpolates in float32"),
            (resize(coordinate_transformation_mode="tf_crop_and_resize"), f"{r}coordinate_transformation_mode is tf_crop_and_resize"),
            (resize(nearest_mode="up"), f"{r}nearest_mode is up"),
            (resize(antialias=1), f"{r}antialias is 1"),
            (resize(axes=[2, 2]), f"{r}axes is [2, 2]"),
            (resize(axes=[2, 9]), f"{r}axes is [2, 9]"),
            (resize(axes=[2]), f"{r}scales and sizes is 4 numbers\n  ./m.onnx\n  supported: 1, one for each axis"),
            (resize(k=(1, 1, np.nan, 2)), f"{r}scales and sizes is nan"),
            (resize(k=(1, 1, 0.1, 2)), f"{r}scales and sizes is 0.10000000149011612\n  ./m.onnx\n  supported: those that make 1 to 16777216 of 4"),
            (resize(k=(1, 2, 2, 2)), f"{r}scales and sizes is [1, 6, 8, 8]"),
            (resize(k=(1, 1, 1.5, 2)), f"{r}size is 6 for 4 along the height"),
            (resize(k=(1, 1, 257, 1)), f"{r}factors is [257, 1]\n  ./m.onnx\n  supported: those without a prime factor above 255"),
            (resize(("cd", "", "", "k"), (1, 3, 1 << 40, 4), np.int64), f"{r}scales and sizes is 1099511627776"),
            (resize(("cd", "", "cd")), f"{r}scales and sizes is computed by the network"),
            (resize(("cd", "", "k", "k")), f"{r}scales and sizes is both given"),
            (resize(("cd",)), f"{r}scales and sizes is none"),
            (resize(best=1), f"{r}best is 1"),
            (("DepthToSpace", ("cd",), {"blocksize": 2}, {}), "error[E1105]: node 8, DepthToSpace `pool`: blocksize is 2"),
            (("DepthToSpace", ("cd",), {"blocksize": 1, "mode": "ABC"}, {}), "error[E1105]: node 8, DepthToSpace `pool`: mode is ABC"),
            (("SpaceToDepth", ("cd",), {"blocksize": 3}, {}), "error[E1105]: node 8, SpaceToDepth `pool`: blocksize is 3"),
            (("SpaceToDepth", ("cd",), {"blocksize": 0}, {}), "error[E1105]: node 8, SpaceToDepth `pool`: blocksize is 0"),
            (("Pad", ("cd", "p"), {"mode": "middle"}, {"p": np.zeros(8, np.int64)}), "error[E1105]: node 8, Pad `pool`: mode is middle"),
            (
                ("Pad", ("cd", "p"), {"mode": "reflect"}, {"p": np.array([0, 0, 4, 0, 0, 0, 0, 0])}),
                "error[E1105]: node 8, Pad `pool`: pads is [4, 0, 0, 0]\n  ./m.onnx\n  supported: at most 3 along a length of 4 with the mode reflect",
            ),
            (
                ("Pad", ("cd", "p"), {"mode": "edge"}, {"p": np.array([0, 0, 60, 0, 0, 0, 9, 0])}),
                "error[E1105]: node 8, Pad `pool`: lines and columns more is 60 and 9\n  ./m.onnx\n  supported: at most 64 along a dimension",
            ),
            (grow(group=2), f"{t}group is 2\n  ./m.onnx\n  supported: one that divides 3 input channels"),
            (grow(pads=[3, 3, 3, 3]), f"{t}pads is [3, 3, 3, 3]\n  ./m.onnx\n  supported: less than the full result, which has 5 elements along dimension 2"),
            (grow(auto_pad="MAYBE"), f"{t}auto_pad is MAYBE"),
            (grow(kernel_shape=[3, 3]), f"{t}kernel_shape is [3, 3]"),
            (grow(strides=[256, 1], pads=[0, 0, 0, 0]), f"{t}strides is [256, 1]\n  ./m.onnx\n  supported: at most 255"),
            (grow(strides=[0, 1]), f"{t}strides is [0, 1]"),
            (grow(output_shape=[4]), f"{t}output_shape is [4]"),
            (grow(dilations=[1 << 20, 1 << 20]), f"{t}weights is 6597082349574 bytes with the zeros of groups and dilations"),
        ):
            m = Small()
            m.constants |= constants
            m.constants |= {"c_s": np.float32(0.25), "x_s": np.float32(0.5), "v": np.ones((5, 48), np.int8)}
            m.nodes[8] = helper.make_node(kind, operands, ["pool"], **attributes)
            if kind == "ConvTranspose":
                m.nodes.insert(8, helper.make_node("DequantizeLinear", ["t", "t_s", "t_z"], ["td"], axis=1))
            with self.subTest(text):
                self.assertIn(text, _refusal(self, m).replace(str(self.folder), "."))

    def test_ties_that_the_machine_rounds_in_another_way(self):
        """Scales that are powers of two, and an odd zero point: the runtime rounds ties to even numbers after it has added the zero point."""

        def add(zero):
            m = Small()
            m.nodes = [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
                helper.make_node("MaxPool", ["xq"], ["yq"], kernel_shape=[1, 1]),
                helper.make_node("QLinearAdd", ["xq", "s", "z", "yq", "s", "z", "t", "tz"], ["q"], domain="com.microsoft"),
                helper.make_node("DequantizeLinear", ["q", "t", "tz"], ["y"]),
            ]
            m.constants |= {"s": np.float32(0.25), "z": np.uint8(3), "t": np.float32(0.5), "tz": np.uint8(zero)}
            proto = m.proto()
            proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
            return proto

        self.assertEqual([one.keys["arithmetic"] for one in self.load(add(8)).layers if one.op == "add"], ["float"])
        self.refused(
            add(7),
            "error[E1105]: node 2, QLinearAdd `q`: its float32 arithmetic is in 16376 of 65536 pairs of bytes another than any of the machine's\n"
            "  ./m.onnx\n  supported: scales and zero points with which all pairs agree\n"
            "hint: --nearest takes it as near as integers come",
        )
        path = self.folder / "m.onnx"
        self.assertIn(
            "layer `q` differs from ONNX Runtime's float32 arithmetic in 16376 of 65536 pairs of bytes", import_model(path, nearest=True).notes
        )

    def test_models_in_float(self):
        m = Small()
        m.nodes = [helper.make_node("Relu", ["x"], ["y"])]
        hint = "hint: quantize it first: gemel quantize MODEL --data IMAGES.npz; or onnxruntime.quantization.quantize_static(), QDQ or QOperator"
        self.refused(m, f"error[E1106]: the model is not quantized to 8 bits: it has no QuantizeLinear and no QLinear operator\n  ./m.onnx\n{hint}")
        m.nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])]
        runs = "gemel run MODEL --data ARRAYS.npz has its products on the machine and all else in ONNX Runtime; for integers alone"
        other = hint.replace("quantize it", f"{runs} quantize it")
        state = "the model is quantized while it runs (dynamically)"
        self.refused(m, f"error[E1106]: {state}: it has no QuantizeLinear and no QLinear operator\n  ./m.onnx\n{other}")
        hint = hint.replace("quantize it", "its scales must be known before: quantize it")
        m.nodes = [helper.make_node("DequantizeLinear", ["v", "v_s", "v_z"], ["vd"]), helper.make_node("Relu", ["x"], ["y"])]
        state = "the model is quantized in its weights alone"
        self.refused(m, f"error[E1106]: {state}: it has no QuantizeLinear and no QLinear operator\n  ./m.onnx\n{hint}")

    def test_shapes_that_the_file_leaves_open(self):
        m = Small()
        m.shape = ["batch", 2, 4, 4]
        self.assertEqual(self.load(m).inputs[0]["shape"], [1, 4, 4, 2])
        m.shape = [1, 2, "height", 4]
        self.assertIn("E1105]: inputs: shape of input `x` is [1, 2, height, 4]\n", _refusal(self, m))

    def test_the_page_lists_the_operators(self):
        rows = table_rows()
        begin, end = "| operator | QOperator form | becomes | supported |\n|---|---|---|---|\n", "\n\n## "
        text = PAGE.read_text(encoding="utf-8")
        first = text.index(begin) + len(begin)
        last = text.index(end, first)
        if os.environ.get("GEMEL_UPDATE"):
            PAGE.write_text(text[:first] + "\n".join(rows) + text[last:], encoding="utf-8")
        else:
            self.assertEqual(text[first:last].splitlines(), rows, "GEMEL_UPDATE=1 tests/python/onnx_import_test.py writes them")

    def test_each_operator_has_a_case(self):
        self.assertEqual({row.split("`")[1] for row in table_rows()} - ELSEWHERE, set(CASES))


# Those without a case of their own are parts of others'.
ELSEWHERE = {"Cast", "Constant", "DequantizeLinear", "Dropout", "Identity", "LogSoftmax", "Quant", "Shape"}


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _refusal(test: InFolder, model) -> str:
    with test.assertRaises(ModelError) as caught:
        test.load(model)
    return str(caught.exception)


class Damage(InFolder):
    """Files as bad disks, transfers and people make them."""

    def mistaken(self, rng: random.Random, proto: onnx.ModelProto) -> onnx.ModelProto:
        """Well-formed files with one to three things in them that somebody got wrong."""
        graph = proto.graph
        for _ in range(rng.randint(1, 3)):
            number = rng.choice((0, 1, -1, 2, 3, 7, 127, 128, -129, 255, 1 << 20, (1 << 31) - 1, 1 << 62))
            kind = rng.randrange(9)
            t = rng.choice(graph.initializer) if graph.initializer else None
            node = rng.choice(graph.node)
            names = [t.name for t in graph.initializer] + [o for n in graph.node for o in n.output] + [i.name for i in graph.input] + ["", "?"]
            if kind == 0 and t is not None and t.dims:
                t.dims[rng.randrange(len(t.dims))] = number
            elif kind == 1 and t is not None:
                t.data_type = rng.choice((1, 2, 3, 5, 6, 7, 8, 10, 16, 21, 22, 99))
            elif kind == 2 and t is not None and t.data_type == TensorProto.FLOAT:
                count = math.prod(t.dims)
                t.raw_data = np.full(count, rng.choice((0.0, -1.0, 1e-30, 1e30, math.nan, math.inf, 1e-5, 1.0)), np.float32).tobytes()
            elif kind == 3 and node.input:
                node.input[rng.randrange(len(node.input))] = rng.choice(names)
            elif kind == 4 and node.attribute:
                a = rng.choice(node.attribute)
                if a.type == onnx.AttributeProto.INTS and a.ints:
                    a.ints[rng.randrange(len(a.ints))] = number
                else:
                    a.i, a.f = number, rng.choice((math.nan, -1.0, math.inf, 0.5))
                    a.type = rng.choice((1, 2, 3, 4, 5, 6, 7, 11, a.type))
            elif kind == 5:
                node.op_type = rng.choice((*OPERATORS, "Reshape", "Transpose", "QLinearConv", "QGemm", "Concat", "Cast", "Shape", "Identity"))
            elif kind == 6 and graph.input[0].type.tensor_type.shape.dim:
                rng.choice(graph.input[0].type.tensor_type.shape.dim).dim_value = number
            elif kind == 7:
                del node.input[-1:]
            else:
                graph.output[0].name = rng.choice(names)
        return proto

    def test_damaged_files_end_in_an_error_or_a_workload(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = random.Random(seed)
        protos = [Small().proto()] + [CASES[name](Draw(np.random.default_rng([seed, i]))).proto() for i, name in enumerate(sorted(CASES))]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counts: dict[str, int] = {}
        slowest = 0.0
        for i in range(2 * DAMAGED):
            proto = rng.choice(protos)
            if i < DAMAGED:
                data = damaged(rng, proto.SerializeToString())
            else:
                copy = onnx.ModelProto()
                copy.CopyFrom(proto)
                try:
                    data = self.mistaken(rng, copy).SerializeToString()
                except (TypeError, ValueError):
                    continue  # not even the writer takes it
            start = time.process_time()
            try:
                self.load(data).save(self.folder / "net.yaml")
                counts["still a model"] = counts.get("still a model", 0) + 1
            except ModelError as error:
                for d in error.diagnostics:
                    self.assertRegex(d.code, r"^E110[1-7]$", f"file {i}")
                    self.assertIn("m.onnx", d.file or d.message, f"file {i}")
                counts[error.diagnostics[0].code] = counts.get(error.diagnostics[0].code, 0) + 1
            except Exception as error:
                (Path(tempfile.gettempdir()) / "gemel_damaged.onnx").write_bytes(data)
                raise AssertionError(f"file {i}, kept as gemel_damaged.onnx: {error!r}") from error
            slowest = max(slowest, time.process_time() - start)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"{2 * DAMAGED} files, half of them damaged, half with mistakes: {', '.join(f'{n} {what}' for what, n in sorted(counts.items()))}; "
            f"slowest {slowest:.3f} s, {grown:.0f} MiB more memory"
        )
        self.assertGreater(counts.get("E1103", 0), DAMAGED // 4)
        self.assertLess(grown, 300)


if __name__ == "__main__":
    unittest.main(verbosity=2)
