# SPDX-License-Identifier: Apache-2.0
"""scripts/verify_efficientnet in small: the reader of checkpoints, the network that is made of one, and one picture through int8 on the machine, each
element as in ONNX Runtime."""

import collections
import io
import pickle
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import onnx_reference

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import efficientnet  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import packages_apart  # noqa: E402
from packaged import ROOT  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402


def drawn(seed: int = 1) -> dict[str, np.ndarray]:
    """Tensors of a small network of the same form, as the checkpoint names them: a block without expansion, one with a stride, one with a sum."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def layer(name: str, norm: str, *shape: int) -> None:
        made[f"{name}.weight"] = (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
        for what, values in (("weight", rng.uniform(0.5, 1.5, shape[0])), ("bias", rng.normal(size=shape[0])), ("running_mean", rng.normal(size=shape[0])),
                             ("running_var", rng.uniform(0.5, 1.5, shape[0]))):  # fmt: skip
            made[f"{norm}.{what}"] = values.astype(np.float32)

    layer("_conv_stem", "_bn0", 8, 3, 3, 3)
    for i, (inputs, outputs, kernel) in enumerate(((8, 8, 3), (8, 12, 5), (12, 12, 3))):
        inner = inputs if i == 0 else 4 * inputs
        if i > 0:
            layer(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", inner, inputs, 1, 1)
        layer(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", inner, 1, kernel, kernel)
        layer(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", outputs, inner, 1, 1)
    layer("_conv_head", "_bn1", 16, 12, 1, 1)
    made["_fc.weight"] = rng.normal(size=(10, 16)).astype(np.float32)
    made["_fc.bias"] = rng.normal(size=10).astype(np.float32)
    return made


class Storage:
    def __init__(self, key: str, kind: str, count: int):
        self.key, self.kind, self.count = key, kind, count


class _Pickler(pickle._Pickler):
    """As torch.save() had it before version 1.6: names of torch without torch, storages as persistent identifiers."""

    def persistent_id(self, obj):
        return ("storage", Name("torch", obj.kind), obj.key, "cpu", obj.count, None) if isinstance(obj, Storage) else None

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    dispatch = dict(pickle._Pickler.dispatch)


class Name:
    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Call:
    def __init__(self, name: Name, *arguments):
        self.name, self.arguments = name, arguments


def _save_call(pickler, obj):
    pickler.save(obj.name)
    pickler.save(obj.arguments)
    pickler.write(pickle.REDUCE)


_Pickler.dispatch[Name] = _Pickler.save_name
_Pickler.dispatch[Call] = _save_call


def checkpoint(arrays: dict[str, np.ndarray], more=(), little=True, magic=efficientnet.LEGACY_MAGIC) -> bytes:
    """A file in torch.save()'s legacy form. Tensors of two dimensions are stored the other way round."""
    out = io.BytesIO()
    tensors = collections.OrderedDict()
    for i, (name, array) in enumerate(arrays.items()):
        strides = tuple(s // array.itemsize for s in (array.T.copy().T if array.ndim == 2 else array).strides)
        storage = Storage(str(i), "FloatStorage", array.size)
        tensors[name] = Call(Name("torch._utils", "_rebuild_tensor_v2"), storage, 0, array.shape, strides, False, collections.OrderedDict())
    tensors.update(more)
    for one in (magic, 1001, {"little_endian": little}, tensors, [str(i) for i in range(len(arrays))]):
        _Pickler(out, 2).dump(one)
    for array in arrays.values():
        out.write(struct.pack("<q", array.size) + (array.T if array.ndim == 2 else array).tobytes())
    return out.getvalue()


class Checkpoint(unittest.TestCase):
    def test_tensors_come_back(self):
        arrays = drawn()
        found = efficientnet.read_checkpoint(io.BytesIO(checkpoint(arrays)))
        self.assertEqual(list(found), list(arrays))
        for name, array in arrays.items():
            self.assertTrue(np.array_equal(found[name], array), name)

    def test_what_is_refused(self):
        arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
        good = checkpoint(arrays)
        wide = Call(Name("torch._utils", "_rebuild_tensor_v2"), Storage("0", "FloatStorage", 6), 1, (2, 3), (3, 1), False, None)
        for data, words in ((checkpoint(arrays, {"x": Call(Name("os", "system"), "true")}), "names os.system, which is no tensor"),
                            (checkpoint(arrays, {"x": Call(Name("torch", "HalfStorage"),)}), "names torch.HalfStorage"),
                            (checkpoint(arrays, {"x": wide}), "does not lie within its storage of 6 elements"),
                            (checkpoint(arrays, little=False), "is big-endian"), (checkpoint(arrays, magic=1), "legacy form"),
                            (good[:-1], "storage 0 has 6 elements and 23 bytes")):  # fmt: skip
            with self.assertRaises(pickle.UnpicklingError) as raised:
                efficientnet.read_checkpoint(io.BytesIO(data))
            self.assertIn(words, str(raised.exception))

    def test_packages_that_cannot_be_had(self):
        failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution\n")
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(packages_apart.subprocess, "run", return_value=failed), \
             self.assertRaises(packages_apart.Absent) as raised:  # fmt: skip
            packages_apart.install(Path(folder), efficientnet.REQUIREMENTS)
        self.assertEqual(str(raised.exception), "the packages of requirements_efficientnet.txt cannot be had: ERROR: No matching distribution")


class Small(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-efficientnet-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def quantized(self, model: onnx.ModelProto, images: np.ndarray, **options) -> tuple[int, int]:
        """Tensors and elements of the first image that are the same on the machine and in ONNX Runtime."""
        onnx.save(model, self.folder / "float.onnx")
        gemel.quantize(self.folder / "float.onnx", images, self.folder / "int8.onnx", **options)
        int8 = self.folder / "int8.onnx"
        found = onnx_reference.compare(import_model(int8), onnx.load(int8), {efficientnet.INPUT: images[:1]}, "edge16")
        self.assertEqual(found[2], [])
        return found[:2]

    def test_a_small_network_of_the_same_form(self):
        """Its shapes are TensorFlow's `SAME`, 33 pixels to 17 to 9, and its third block has a sum."""
        model = efficientnet.network(drawn(), (1, 2, 1), 33)
        shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
        self.assertEqual((shapes["_conv_stem"], shapes["_blocks.1._depthwise_conv"], shapes["mean"]), ([1, 8, 17, 17], [1, 32, 9, 9], [1, 16, 1, 1]))
        sums = [node.output[0] for node in model.graph.node if node.op_type == "Add"]
        self.assertEqual(sums, ["_blocks.0.sum", "_blocks.2.sum"])
        images = np.random.default_rng(2).normal(size=(8, 3, 33, 33)).astype(np.float32)
        for options in ({}, {"weights": "int4", "improve": True}):
            tensors, elements = self.quantized(model, images, **options)
            self.assertGreater((tensors, elements), (12, 10000))

    def test_one_picture(self):
        """The network and a picture out of their packages, where these have been fetched: scripts/verify_efficientnet does so."""
        packages = ROOT / "build" / "efficientnet"
        if not (packages / "installed.txt").is_file():
            print("absent: EfficientNet-Lite0 and its pictures; scripts/verify_efficientnet fetches them")
            self.skipTest("the packages have not been fetched")
        images = efficientnet.pictures(packages)
        model = efficientnet.network(efficientnet.checkpoint(packages))
        tensors, elements = self.quantized(model, images.whole["images"][:4])
        print(f"EfficientNet-Lite0: {elements:,} elements of {tensors} tensors are ONNX Runtime's")
        self.assertGreater(tensors, 50)
        found = gemel.accuracy(self.folder / "int8.onnx", {name: array[:3] for name, array in images.whole.items()}, "edge16", compare=False)
        self.assertGreaterEqual(found.counts[0].right, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
