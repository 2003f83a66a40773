# SPDX-License-Identifier: Apache-2.0
"""Float ONNX networks with seeded weights, and what ONNX Runtime's quantizer makes of them."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT = "image"


class Network:
    """Nodes in float32, batch norms as training leaves them. Weights are drawn so that values keep their size from layer to layer."""

    def __init__(self, name: str, shape: tuple[int, ...], seed: int = 1):
        self.name, self.shape = name, shape
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.channels = {INPUT: shape[1]}
        self.outputs: list[str] = []

    def constant(self, array: np.ndarray) -> str:
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def normal(self, *shape: int, size: float = 1.0) -> str:
        return self.constant((self.rng.normal(size=shape) * size).astype(np.float32))

    def node(self, kind: str, inputs: list[str], channels: int | None = None, **attributes) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.channels[name] = channels or self.channels.get(inputs[0], 0)
        return name

    def conv(self, x: str, out: int, kernel: int, stride: int = 1, groups: int = 1, act: str = "Relu", norm: bool = True, scale: float = 1.0) -> str:
        depth = self.channels[x] // groups
        w = self.normal(out, depth, kernel, kernel, size=scale * float(np.sqrt(2 / (depth * kernel * kernel))))
        pad = (kernel - 1) // 2
        bias = [] if norm else [self.normal(out, size=0.1)]
        y = self.node("Conv", [x, w, *bias], out, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)
        if norm:
            ones = [np.ones(out, np.float32) + self.rng.normal(size=out).astype(np.float32) * np.float32(0.1) for _ in range(2)]
            shift, mean = self.normal(out, size=0.1), self.normal(out, size=0.1)
            y = self.node("BatchNormalization", [y, self.constant(ones[0]), shift, mean, self.constant(ones[1] ** 2)])
        return self.activation(y, act)

    def activation(self, x: str, act: str) -> str:
        if act == "Relu6":
            return self.node("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(6))])
        if act == "Silu":
            return self.node("Mul", [x, self.node("Sigmoid", [x])])
        return self.node(act, [x]) if act else x

    def grow(self, x: str, out: int, kernel: int, stride: int, pad: int, act: str, norm: bool = True, **attributes) -> str:
        """A transposed convolution."""
        depth = self.channels[x]
        groups = attributes.get("group", 1)
        w = self.normal(depth, out // groups, kernel, kernel, size=float(np.sqrt(2 * groups * stride * stride / (depth * kernel * kernel))))
        bias = [] if norm else [self.normal(out, size=0.1)]
        y = self.node("ConvTranspose", [x, w, *bias], out, strides=[stride] * 2, pads=[pad] * 4, **attributes)
        if norm:
            factor, mean = 1 + self.rng.normal(size=(2, out)).astype(np.float32) * np.float32(0.1), self.normal(out, size=0.1)
            y = self.node("BatchNormalization", [y, self.constant(factor[0]), self.normal(out, size=0.1), mean, self.constant(factor[1] ** 2)])
        return self.activation(y, act)

    def larger(self, x: str) -> str:
        """Twice the height and width."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def split(self, x: str, *sizes: int) -> list[str]:
        names = [f"part{len(self.nodes)}_{i}" for i in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [x, self.constant(np.array(sizes, np.int64))], names, axis=1))
        self.channels |= dict(zip(names, sizes))
        return names

    def concat(self, *values: str) -> str:
        return self.node("Concat", list(values), sum(self.channels[v] for v in values), axis=1)

    def linear(self, x: str, inner: int, out: int) -> str:
        return self.node("Gemm", [x, self.normal(out, inner, size=float(np.sqrt(1 / inner))), self.normal(out, size=0.1)], out, transB=1)

    def proto(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in self.outputs], self.constants,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


def small(seed: int = 1) -> Network:
    """Every operator that is imported exactly, in 20 nodes."""
    n = Network("small", (1, 3, 16, 16), seed)
    a = n.conv(INPUT, 8, 3, 2)
    x = n.conv(n.conv(a, 8, 3, groups=8, act="Relu6"), 8, 1, act="", norm=False)
    x = n.node("MaxPool", [n.node("Add", [x, a])], kernel_shape=[2, 2], strides=[2, 2])
    x = n.node("Mul", [x, n.node("Sigmoid", [x])])
    x = n.node("LeakyRelu", [n.conv(x, 12, 1, act="", norm=False)], alpha=0.1)
    y = n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 12, 10)
    z = n.node("MatMul", [n.node("Flatten", [x]), n.normal(12 * 16, 5, size=0.1)], 5)
    n.outputs = [y, z]
    return n


def resnet8(seed: int = 1) -> Network:
    """MLPerf Tiny's, for images of 32 x 32."""
    n = Network("resnet8", (1, 3, 32, 32), seed)
    x = n.conv(INPUT, 16, 3)
    for out, stride in ((16, 1), (32, 2), (64, 2)):
        y = n.conv(n.conv(x, out, 3, stride), out, 3, act="")
        x = x if stride == 1 else n.conv(x, out, 1, stride, act="", norm=False)
        x = n.node("Relu", [n.node("Add", [x, y])], out)
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 64, 10)]
    return n


def mobilenet_v2(seed: int = 1, size: int = 224) -> Network:
    n = Network("mobilenet_v2", (1, 3, size, size), seed)
    x = n.conv(INPUT, 32, 3, 2, act="Relu6")
    for expand, out, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeats):
            inner, before = n.channels[x] * expand, x
            y = n.conv(x, inner, 1, act="Relu6") if expand > 1 else x
            y = n.conv(y, inner, 3, stride if i == 0 else 1, inner, "Relu6")
            x = n.conv(y, out, 1, act="", scale=0.7)
            if i > 0:
                x = n.node("Add", [x, before])
    x = n.node("GlobalAveragePool", [n.conv(x, 1280, 1, act="Relu6")])
    n.outputs = [n.linear(n.node("Flatten", [x]), 1280, 1000)]
    return n


def resnet50(seed: int = 1, size: int = 224) -> Network:
    n = Network("resnet50", (1, 3, size, size), seed)
    x = n.node("MaxPool", [n.conv(INPUT, 64, 7, 2)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (width, repeats) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for i in range(repeats):
            stride = 2 if stage > 0 and i == 0 else 1
            side = n.conv(x, 4 * width, 1, stride, act="") if i == 0 else x
            y = n.conv(n.conv(n.conv(x, width, 1), width, 3, stride), 4 * width, 1, act="", scale=0.5)
            x = n.activation(n.node("Add", [y, side]), "Relu")
    n.outputs = [n.linear(n.node("Flatten", [n.node("GlobalAveragePool", [x])]), 2048, 1000)]
    return n


def unet(seed: int = 1, size: int = 32, width: int = 8, transposed: bool = True) -> Network:
    """Down twice and up again, by transposed convolutions or by repeated pixels and a convolution, beside what came down."""
    n = Network("unet" if transposed else "unet_resized", (1, 3, size, size), seed)
    x, beside = INPUT, []
    for out in (width, 2 * width):
        x = n.conv(n.conv(x, out, 3), out, 3)
        beside.append(x)
        x = n.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = n.conv(x, 4 * width, 3)
    for out, other in zip((2 * width, width), reversed(beside)):
        x = n.grow(x, out, 2, 2, 0, "", norm=False) if transposed else n.conv(n.larger(x), out, 3)
        x = n.conv(n.concat(other, x), out, 3)
    n.outputs = [n.conv(x, 2, 1, norm=False, act="")]
    return n


def yolo(seed: int = 1, size: int = 64, width: int = 8, act: str = "Silu", focus: bool = True) -> Network:
    """Focus or a window of 6 x 6, blocks that split their channels, pyramid pooling, and two scales of detections with paths up and down."""
    n = Network("yolo", (1, 3, size, size), seed)

    def block(x: str, out: int) -> str:
        a, b = n.split(n.conv(x, out, 1, act=act), out // 2, out // 2)
        c = n.conv(n.conv(b, out // 2, 3, act=act), out // 2, 3, act=act)
        return n.conv(n.concat(a, b, n.node("Add", [b, c])), out, 1, act=act)

    x = n.conv(n.node("SpaceToDepth", [INPUT], 12, blocksize=2), width, 3, act=act) if focus else n.conv(INPUT, width, 6, 2, act=act)
    x = block(n.conv(x, 2 * width, 3, 2, act=act), 2 * width)
    fine = block(n.conv(x, 4 * width, 3, 2, act=act), 4 * width)
    x = n.conv(n.conv(fine, 8 * width, 3, 2, act=act), 4 * width, 1, act=act)
    pools = [x]
    for _ in range(3):
        pools.append(n.node("MaxPool", [pools[-1]], kernel_shape=[5, 5], pads=[2, 2, 2, 2]))
    coarse = n.conv(n.concat(*pools), 8 * width, 1, act=act)
    up = block(n.concat(n.larger(n.conv(coarse, 4 * width, 1, act=act)), fine), 4 * width)
    down = block(n.concat(n.conv(up, 4 * width, 3, 2, act=act), coarse), 8 * width)
    n.outputs = [n.conv(y, 3 * 7, 1, norm=False, act="") for y in (up, down)]
    return n


def dcgan(seed: int = 1, width: int = 8) -> Network:
    """A generator: from 16 random numbers to an image of 32 x 32, by transposed convolutions of 4 x 4."""
    n = Network("dcgan", (1, 16, 1, 1), seed)
    x = n.grow(INPUT, 8 * width, 4, 1, 0, "Relu")
    for out in (4 * width, 2 * width):
        x = n.grow(x, out, 4, 2, 1, "LeakyRelu")
    n.outputs = [n.grow(x, 3, 4, 2, 1, "Tanh", norm=False)]
    return n


def recurrent(n: Network, kind: str, x: str, inputs: int, hidden: int, outputs: list[str], direction: str = "forward", **attributes) -> None:
    """An LSTM or GRU with biases. Values are [time, images, ...], or with layout=1 [images, time, ...]."""
    d, gates = 2 if direction == "bidirectional" else 1, {"LSTM": 4, "GRU": 3}[kind]
    w = n.normal(d, gates * hidden, inputs, size=float(np.sqrt(2 / inputs)))
    r, b = n.normal(d, gates * hidden, hidden, size=float(np.sqrt(1 / hidden))), n.normal(d, 2 * gates * hidden, size=0.3)
    n.nodes.append(helper.make_node(kind, [x, w, r, b], outputs, hidden_size=hidden, direction=direction, **attributes))


def lstm(seed: int = 1, time: int = 12, inputs: int = 10, hidden: int = 16) -> Network:
    """A classifier of sequences, as PyTorch writes one that has images first: two layers, and a dense one behind the last step."""
    n = Network("lstm", (1, time, inputs), seed)
    x = n.node("Transpose", [INPUT], perm=[1, 0, 2])
    for layer, width in enumerate((inputs, hidden)):
        recurrent(n, "LSTM", x, width, hidden, [f"sequence{layer}", f"hidden{layer}", f"cell{layer}"])
        x = n.node("Squeeze", [f"sequence{layer}", n.constant(np.array([1], np.int64))])
    x = n.node("Transpose", [x], perm=[1, 0, 2])
    x = n.node("Gather", [x, n.constant(np.array(-1, np.int64))], axis=1)
    n.outputs = [n.linear(x, hidden, 6)]
    return n


def gru(seed: int = 1, time: int = 9, inputs: int = 7, hidden: int = 11) -> Network:
    """Both directions, then one that reads both; a result for each step, by a 1x1 convolution, and one for the last state."""
    n = Network("gru", (1, time, inputs), seed)
    recurrent(n, "GRU", INPUT, inputs, hidden, ["both"], "bidirectional", layout=1, linear_before_reset=1)
    x = n.node("Reshape", ["both", n.constant(np.array([1, time, 2 * hidden], np.int64))])
    recurrent(n, "GRU", x, 2 * hidden, hidden, ["sequence", "last"], layout=1)
    x = n.node("Reshape", ["sequence", n.constant(np.array([1, time, hidden], np.int64))])
    steps = n.node("Conv", [n.node("Transpose", [x], perm=[0, 2, 1]), n.normal(5, hidden, 1, size=0.3), n.normal(5, size=0.1)], 5, kernel_shape=[1])
    n.outputs = [steps, n.linear(n.node("Reshape", ["last", n.constant(np.array([1, hidden], np.int64))]), hidden, 4)]
    return n


def quantized(network: Network, images: int, operators: bool, activations: str, weights: str, per_channel: bool, symmetric: bool = False) -> onnx.ModelProto:
    """By onnxruntime.quantization. `operators`: the QOperator form instead of QDQ; types: "QInt8", "QUInt8"."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            rng = np.random.default_rng(7)
            self.left = iter([{INPUT: rng.normal(size=network.shape).astype(np.float32)} for _ in range(images)])

        def get_next(self):
            return next(self.left, None)

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            float_file, prepared, done = (str(Path(folder) / name) for name in ("float.onnx", "prepared.onnx", "quantized.onnx"))
            onnx.save(network.proto(), float_file)
            quant_pre_process(float_file, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared, done, Reader(), quant_format=QuantFormat.QOperator if operators else QuantFormat.QDQ, per_channel=per_channel,
                activation_type=QuantType[activations], weight_type=QuantType[weights], extra_options={"ActivationSymmetric": symmetric},
            )  # fmt: skip
            return onnx.load(done)
    finally:
        logging.getLogger().setLevel(level)
