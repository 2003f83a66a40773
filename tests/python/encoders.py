# SPDX-License-Identifier: Apache-2.0
"""Small random transformer encoders as torch.onnx.export() writes them: products with the bias in an Add, scores divided by a root, a mask of -3.4e38 in
float32, Gelu by Erf, and a channel that is much larger than the others, as trained ones have it."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Encoder:
    """Inputs `words` and `mask`, int64 [1, length]; output `hidden`, float32 [1, length, channels]."""

    def __init__(self, rng: np.random.Generator, *, length: int = 12, channels: int = 32, heads: int = 4, layers: int = 2, words: int = 60,
                 outlier: float = 0.0, opset: int = 17):  # fmt: skip
        self.opset = opset  # below 17 there is no LayerNormalization
        # outlier: of one channel, added to what each second half of a layer gives: LayerNormalization makes the others small, its factors not
        self.rng, self.length, self.channels, self.heads, self.words = rng, length, channels, heads, words
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        x = self.embedded()
        for i in range(layers):
            x = self.norm(f"{i}.middle", self.node("Add", f"{i}.sum", [self.attention(f"{i}", x), x]))
            inner = self.gelu(f"{i}.gelu", self.linear(f"{i}.wide", x, channels, 2 * channels))
            x = self.norm(f"{i}.end", self.node("Add", f"{i}.sum2", [self.linear(f"{i}.narrow", inner, 2 * channels, channels, outlier), x]), outlier)
        self.node("Identity", "hidden", [x])

    def node(self, kind: str, name: str, inputs: list[str], **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def normal(self, name: str, deviation: float, *shape: int) -> str:
        return self.constant(name, self.rng.normal(0, deviation, shape).astype(np.float32))

    def embedded(self) -> str:
        rows = self.node("Gather", "rows", [self.normal("table", 0.5, self.words, self.channels), "words"])
        kinds = self.node("Add", "kinds", [rows, self.normal("kind", 0.2, 1, self.length, self.channels)])
        return self.norm("embedded", self.node("Add", "places", [kinds, self.normal("place", 0.2, 1, self.length, self.channels)]))

    def norm(self, name: str, x: str, outlier: float = 0.0) -> str:
        factors = self.rng.normal(1, 0.2, self.channels) * math.sqrt(1 + outlier**2 / self.channels)
        factors[7] /= 1 + outlier
        gamma = self.constant(f"{name}.gamma", factors.astype(np.float32))
        beta = self.normal(f"{name}.beta", 0.2, self.channels)
        if self.opset >= 17:
            return self.node("LayerNormalization", name, [x, gamma, beta], axis=-1, epsilon=1e-12)
        rest = self.node("Sub", f"{name}.rest", [x, self.node("ReduceMean", f"{name}.mean", [x], axes=[-1])])
        square = self.node("Pow", f"{name}.square", [rest, self.constant(f"{name}.exponent", np.float32(2))])
        variance = self.node("ReduceMean", f"{name}.variance", [square], axes=[-1])
        root = self.node("Sqrt", f"{name}.root", [self.node("Add", f"{name}.more", [variance, self.constant(f"{name}.epsilon", np.float32(1e-12))])])
        scaled = self.node("Mul", f"{name}.scaled", [gamma, self.node("Div", f"{name}.normal", [rest, root])])
        return self.node("Add", name, [scaled, beta])

    def linear(self, name: str, x: str, inputs: int, outputs: int, outlier: float = 0.0) -> str:
        weight = self.rng.normal(0, 1 / math.sqrt(inputs), (inputs, outputs)).astype(np.float32)
        bias = self.rng.normal(0, 0.1, outputs)
        bias[7] += outlier
        product = self.node("MatMul", f"{name}.product", [x, self.constant(f"{name}.weight", weight)])
        return self.node("Add", name, [self.constant(f"{name}.bias", bias.astype(np.float32)), product])

    def attention(self, name: str, x: str) -> str:
        each = self.channels // self.heads
        cut = self.constant(f"{name}.cut", np.array([1, self.length, self.heads, each], np.int64))
        parts = {}
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            rows = self.node("Reshape", f"{name}.{part}.heads", [self.linear(f"{name}.{part}", x, self.channels, self.channels), cut])
            parts[part] = self.node("Transpose", f"{name}.{part}.moved", [rows], perm=order)
        scores = self.node("MatMul", f"{name}.scores", [parts["query"], parts["key"]])
        scaled = self.node("Div", f"{name}.scaled", [scores, self.constant(f"{name}.root", np.float32(math.sqrt(each)))])
        if not any(node.name == "penalties" for node in self.nodes):
            spread = self.node("Unsqueeze", "spread", ["mask", self.constant("axes", np.array([1, 2], np.int64))])
            off = self.node("Sub", "off", [self.constant("one", np.float32(1)), self.node("Cast", "real", [spread], to=TensorProto.FLOAT)])
            self.node("Mul", "penalties", [off, self.constant("lowest", np.finfo(np.float32).min)])
        shares = self.node("Softmax", f"{name}.shares", [self.node("Add", f"{name}.masked", [scaled, "penalties"])], axis=-1)
        back = self.node("Transpose", f"{name}.back", [self.node("MatMul", f"{name}.mixed", [shares, parts["value"]])], perm=[0, 2, 1, 3])
        rows = self.node("Reshape", f"{name}.rows", [back, self.constant(f"{name}.whole", np.array([1, self.length, self.channels], np.int64))])
        return self.linear(f"{name}.out", rows, self.channels, self.channels)

    def gelu(self, name: str, x: str) -> str:
        part = self.node("Div", f"{name}.part", [x, self.constant(f"{name}.two", np.float32(math.sqrt(2)))])
        one = self.node("Add", f"{name}.plus", [self.node("Erf", f"{name}.erf", [part]), self.constant(f"{name}.one", np.float32(1))])
        return self.node("Mul", name, [self.node("Mul", f"{name}.times", [x, one]), self.constant(f"{name}.half", np.float32(0.5))])

    def proto(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, self.length]) for name in ("words", "mask")]
        outputs = [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [1, self.length, self.channels])]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def sentences(self, count: int) -> dict[str, np.ndarray]:
        """Words, and masks whose ends do not count."""
        lengths = self.rng.integers(2, self.length + 1, (count, 1))
        mask = (np.arange(self.length) < lengths).astype(np.int64)
        return {"words": self.rng.integers(0, self.words, (count, self.length)) * mask, "mask": mask}
