# SPDX-License-Identifier: Apache-2.0
"""Quantized TFLite networks with seeded weights, whose images grow again: a U-Net, a detector, a generator. Weights are drawn so that real values stay
between -4 and 4 or so from layer to layer; scales and zero points differ from tensor to tensor, as converters leave them."""

import numpy as np
from tflite_writer import Model

SAME, VALID = 0, 1
ACTIVATIONS = {"": 0, "relu": 1, "relu6": 3}


class Network(Model):
    def __init__(self, seed: int, shape: tuple[int, ...]):
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.inputs = [self.made("image", shape)]

    def shape(self, t: int) -> tuple[int, ...]:
        return self.tensors[t].shape

    def made(self, name: str, shape, like: int | None = None, scale: float | None = None, zero_point: int | None = None) -> int:
        """A computed tensor; its quantization is that of `like`, or given, or drawn."""
        if like is not None:
            scale, zero_point = self.tensors[like].scale[0], self.tensors[like].zero_point[0]
        scale = np.float32(self.rng.uniform(0.025, 0.035) if scale is None else scale)
        return self.tensor(f"{name}{len(self.tensors)}", shape, scale=scale, zero_point=int(self.rng.integers(-20, 20)) if zero_point is None else zero_point)

    def numbers(self, *values) -> int:
        return self.tensor(f"k{len(self.tensors)}", np.shape(values), "int32", data=np.array(values, np.int32))

    def weights(self, x: int, shape, terms: int) -> list[int]:
        """Of [outputs, ...], per channel, and a bias."""
        real = self.rng.normal(size=shape) * np.sqrt(1.5 / terms)
        scales = (np.abs(real).reshape(shape[0], -1).max(1) / 127).astype(np.float32)
        zeros = np.zeros(shape[0], np.int64)
        data = np.clip(np.rint(real / scales.reshape(-1, 1, 1, 1)), -127, 127).astype(np.int8)
        w = self.tensor(f"w{len(self.tensors)}", shape, scale=scales, zero_point=zeros, axis=0, data=data)
        bias_scales = scales * np.float32(self.tensors[x].scale[0])
        bias = (self.rng.normal(size=shape[0]) * 0.1 / bias_scales).astype(np.int32)
        return [w, self.tensor(f"b{len(self.tensors)}", (shape[0],), "int32", scale=bias_scales, zero_point=zeros, data=bias)]

    def conv(self, x: int, out: int, kernel: int, stride: int = 1, act: str = "") -> int:
        n, h, w, c = self.shape(x)
        operands = self.weights(x, (out, kernel, kernel, c), kernel * kernel * c)
        y = self.made("conv", (n, -(-h // stride), -(-w // stride), out))
        self.operator("CONV_2D", [x, *operands], [y], "Conv2DOptions", Padding=SAME, StrideH=stride, StrideW=stride,
                      FusedActivationFunction=ACTIVATIONS.get(act, 0))  # fmt: skip
        return self.silu(y) if act == "silu" else y

    def silu(self, x: int) -> int:
        s, y = self.made("sigmoid", self.shape(x), scale=1 / 256, zero_point=-128), self.made("silu", self.shape(x))
        self.operator("LOGISTIC", [x], [s])
        self.operator("MUL", [x, s], [y], "MulOptions")
        return y

    def grow(self, x: int, out: int, kernel: int, stride: int, padding: int = SAME, act: str = "") -> int:
        n, h, w, c = self.shape(x)
        operands = self.weights(x, (out, kernel, kernel, c), max(kernel * kernel // stride**2, 1) * c)
        more = max(kernel - stride, 0) if padding == VALID else 0
        y = self.made("grown", (n, h * stride + more, w * stride + more, out))
        self.operator("TRANSPOSE_CONV", [self.numbers(*self.shape(y)), operands[0], x, operands[1]], [y], "TransposeConvOptions", Padding=padding,
                      StrideH=stride, StrideW=stride, FusedActivationFunction=ACTIVATIONS[act])  # fmt: skip
        return y

    def unary(self, kind: str, x: int, options: str = "", **values) -> int:
        q = {"scale": 1 / 128, "zero_point": 0} if kind == "TANH" else {}
        y = self.made(kind.lower(), self.shape(x), **q)
        self.operator(kind, [x], [y], options, **values)
        return y

    def pool(self, x: int, kernel: int, stride: int) -> int:
        n, h, w, c = self.shape(x)
        y = self.made("pool", (n, -(-h // stride), -(-w // stride), c), like=x)
        self.operator("MAX_POOL_2D", [x], [y], "Pool2DOptions", Padding=SAME, StrideH=stride, StrideW=stride, FilterHeight=kernel, FilterWidth=kernel)
        return y

    def add(self, a: int, b: int) -> int:
        y = self.made("sum", self.shape(a))
        self.operator("ADD", [a, b], [y], "AddOptions")
        return y

    def concat(self, *values: int) -> int:
        """As the converter leaves it: a QUANTIZE before each operand that has another scale."""
        y = self.made("concat", (*self.shape(values[0])[:3], sum(self.shape(v)[3] for v in values)), like=values[0])
        operands = [values[0]]
        for v in values[1:]:
            same = self.made("same", self.shape(v), like=y)
            self.operator("QUANTIZE", [v], [same], "QuantizeOptions")
            operands.append(same)
        self.operator("CONCATENATION", operands, [y], "ConcatenationOptions", Axis=3)
        return y

    def split(self, x: int) -> list[int]:
        *outer, c = self.shape(x)
        halves = [self.made("half", (*outer, c // 2), like=x) for _ in range(2)]
        self.operator("SPLIT", [self.tensor(f"k{len(self.tensors)}", (), "int32", data=np.array(3, np.int32)), x], halves, "SplitOptions", NumSplits=2)
        return halves

    def larger(self, x: int) -> int:
        n, h, w, c = self.shape(x)
        y = self.made("larger", (n, 2 * h, 2 * w, c), like=x)
        self.operator("RESIZE_NEAREST_NEIGHBOR", [x, self.numbers(2 * h, 2 * w)], [y], "ResizeNearestNeighborOptions", HalfPixelCenters=True)
        return y


def in_float(network: Model) -> Model:
    """The same network in float32, as it was before a converter quantized it: constants have the values of their integers, and no QUANTIZE stands between."""
    made, same = Model(), {i: i for i in range(len(network.tensors))}
    for t in network.tensors:
        scaled, data = t.scale is not None, t.data
        if scaled and data is not None:
            scale, zero = (np.reshape(v, [-1 if d == t.axis and len(v) > 1 else 1 for d in range(len(t.shape))]) for v in (t.scale, t.zero_point))
            data = ((data.astype(np.float64) - zero) * scale).astype(np.float32)
        made.tensor(t.name, t.shape, "float32" if scaled else t.type, data=data)
    for op in network.operators:
        if op.type == "QUANTIZE":
            same[op.outputs[0]] = same[op.inputs[0]]
        else:
            made.operator(op.type, [same[i] for i in op.inputs], op.outputs, op.options, **op.values)
    made.inputs, made.outputs = network.inputs, [same[i] for i in network.outputs]
    return made


def unet(seed: int = 1, size: int = 32, width: int = 8, transposed: bool = True) -> Network:
    n = Network(seed, (1, size, size, 3))
    x, beside = n.inputs[0], []
    for out in (width, 2 * width):
        x = n.conv(n.conv(x, out, 3, act="relu"), out, 3, act="relu")
        beside.append(x)
        x = n.pool(x, 2, 2)
    x = n.conv(x, 4 * width, 3, act="relu")
    for out, other in zip((2 * width, width), reversed(beside)):
        x = n.grow(x, out, 2, 2) if transposed else n.conv(n.larger(x), out, 3, act="relu")
        x = n.conv(n.concat(other, x), out, 3, act="relu")
    n.outputs = [n.conv(x, 2, 1)]
    return n


def yolo(seed: int = 1, size: int = 64, width: int = 8) -> Network:
    n = Network(seed, (1, size, size, 3))

    def block(x: int, out: int) -> int:
        a, b = n.split(n.conv(x, out, 1, act="silu"))
        c = n.conv(n.conv(b, out // 2, 3, act="silu"), out // 2, 3, act="silu")
        return n.conv(n.concat(a, b, n.add(b, c)), out, 1, act="silu")

    x = n.conv(n.inputs[0], width, 6, 2, act="silu")
    x = block(n.conv(x, 2 * width, 3, 2, act="silu"), 2 * width)
    fine = block(n.conv(x, 4 * width, 3, 2, act="silu"), 4 * width)
    x = n.conv(n.conv(fine, 8 * width, 3, 2, act="silu"), 4 * width, 1, act="silu")
    pools = [x]
    for _ in range(3):
        pools.append(n.pool(pools[-1], 5, 1))
    coarse = n.conv(n.concat(*pools), 8 * width, 1, act="silu")
    up = block(n.concat(n.larger(n.conv(coarse, 4 * width, 1, act="silu")), fine), 4 * width)
    down = block(n.concat(n.conv(up, 4 * width, 3, 2, act="silu"), coarse), 8 * width)
    n.outputs = [n.conv(y, 3 * 7, 1) for y in (up, down)]
    return n


def dcgan(seed: int = 1, width: int = 8) -> Network:
    n = Network(seed, (1, 1, 1, 16))
    x = n.grow(n.inputs[0], 8 * width, 4, 1, VALID, "relu")
    for out in (4 * width, 2 * width):
        x = n.unary("LEAKY_RELU", n.grow(x, out, 4, 2), "LeakyReluOptions", Alpha=0.2)
    n.outputs = [n.unary("TANH", n.grow(x, 3, 5, 2))]
    return n
