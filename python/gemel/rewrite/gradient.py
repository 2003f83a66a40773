# SPDX-License-Identifier: Apache-2.0
"""The gradient of an ONNX graph, as another ONNX graph: ONNX Runtime trains with it, and nothing else needs to be installed.

What the second graph reads of the first one (results, largest elements' places, weights) are its inputs, and so are the gradients of the values where it
begins; its outputs are those of the parameters. A rule of an operator makes nodes for the gradients of its operands from that of its result.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, Findings, ModelError, Refused
from .graph import Graph, attributes
from .runtime import Session, onnx

OPSET = 17  # of both graphs, at least: what the rules are written in
FLOAT = onnx.TensorProto.FLOAT


def batched(graph: Graph, images: int) -> Graph:
    """The same network for so many images per run, whatever its own number is. ModelError E1105: it cannot be changed."""
    model = graph.proto()
    own = graph.shapes[graph.inputs[0]][0]
    for domain in model.opset_import:
        if domain.domain in ("", "ai.onnx"):
            domain.version = max(graph.opset, OPSET)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = images
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    for node in model.graph.node:
        shape = graph.constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is not None and shape.size and shape[0] > 0 and shape[0] % own == 0:  # the first dimension counts images, or their rows
            name = graph.unique(f"{node.output[0]}_shape")
            scaled = np.array([shape[0] // own * images, *shape[1:]], np.int64)
            model.graph.initializer.append(onnx.numpy_helper.from_array(scaled, name))
            node.input[1] = name
    refusal = ModelError(Diagnostic("E1105", f"the model does not take {images} images at once: not every output has one row for each, of that image alone",
                                    graph.file, "supported: the first dimension of every input and output counts the images"))  # fmt: skip
    try:
        made = Graph(model, graph.file)
        inputs = {name: np.random.default_rng(1).normal(size=made.shapes[name]).astype(np.float32) for name in made.inputs}
        found = Session(model, file=graph.file).run(inputs)
        for rows in (np.arange(own) % images, images - 1 - np.arange(own) % images):
            alone = Session(graph.proto(), file=graph.file).run({name: array[rows] for name, array in inputs.items()})
            for name in graph.outputs:
                if found[name].shape != (images, *alone[name].shape[1:]) or alone[name].shape[0] != own:
                    raise refusal
                limit = 1e-3 * float(np.nan_to_num(np.abs(alone[name])).max(initial=1e-6))
                if not np.allclose(found[name][rows], alone[name], rtol=1e-3, atol=limit, equal_nan=True):
                    raise refusal
    except ModelError:
        raise refusal from None
    return made


def places_of_largest(graph: Graph) -> None:
    """Every MaxPool says where its largest elements stand, too."""
    for node in graph.nodes:
        if node.op_type == "MaxPool" and len(node.output) == 1:
            node.output.append(graph.unique(f"{node.output[0]}_places"))


def with_inputs(graph: Graph, parameters: Iterable[str]) -> onnx.ModelProto:
    """The model with some of its constants as inputs."""
    model = graph.proto()
    names = set(parameters)
    kept = [t for t in model.graph.initializer if t.name not in names]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.graph.input.extend(onnx.helper.make_tensor_value_info(n, FLOAT, graph.shapes[n]) for n in names)
    return model


@dataclass
class Gradient:
    model: onnx.ModelProto
    seeds: dict[str, str]  # value where it begins -> input
    parameters: dict[str, str]  # parameter -> output
    read: list[str]  # values of the first graph that are inputs


def gradient(graph: Graph, seeds: Sequence[str], parameters: Sequence[str]) -> Gradient:
    """Of a sum whose gradients for the values `seeds` are given, for those of the parameters that the values depend on.
    ModelError E1104, E1105: every operator on the way that has no rule."""
    return _Backward(graph, seeds, parameters).run()


class _Backward:
    def __init__(self, graph: Graph, seeds: Sequence[str], parameters: Sequence[str]):
        self.graph, self.seeds, self.parameters = graph, seeds, parameters
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.read: dict[str, None] = {}
        self.depends = set(parameters)  # values that depend on a parameter
        for node in graph.nodes:
            if any(name in self.depends for name in node.input):
                self.depends.update(name for name in node.output if name)
        self.sums: dict[str, list[str]] = {}

    def run(self) -> Gradient:
        begins = {value: self.graph.unique(f"gradient_of_{value}") for value in self.seeds}
        for value, name in begins.items():
            self.sums.setdefault(value, []).append(name)
        found = Findings(self.graph.file)
        for node in reversed(self.graph.nodes):
            if not any(name in self.sums for name in node.output) or not any(self.wanted(name) for name in node.input):
                continue
            rule, before = RULES.get(node.op_type), len(found.diagnostics)
            if rule is None:
                found.add("E1104", f"{self.graph.where(node)}: Gemel does not train through this operator", f"supported: {', '.join(sorted(RULES))}",
                          "train the network in the framework that it comes from, or let it end before")  # fmt: skip
            else:
                found.attempt(self.graph.where(node), partial(self.node, node, rule))
            if len(found.diagnostics) > before:  # go on as if there were gradients, so that everything is found
                for name in node.input:
                    if self.wanted(name):
                        self.sums.setdefault(name, []).append("")
        found.diagnostics.reverse()
        found.raise_any()
        ends = {name: self.total(name) for name in self.parameters if self.sums.get(name)}
        inputs = [onnx.helper.make_tensor_value_info(name, FLOAT, self.graph.shapes[value]) for value, name in begins.items()]
        places = {node.output[1] for node in self.graph.nodes if node.op_type == "MaxPool"}
        for name in self.read:
            inputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64 if name in places else FLOAT, None))
        made = onnx.helper.make_graph(self.nodes, "gradient", inputs, [onnx.ValueInfoProto(name=name) for name in ends.values()], self.constants)
        model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", self.graph.opset)], ir_version=10)
        return Gradient(model, begins, ends, list(self.read))

    def node(self, node: onnx.NodeProto, rule: Rule) -> None:
        unknown = [name for name in (*node.input, node.output[0]) if name and name not in self.graph.shapes]
        if unknown:
            raise Refused(f"the shape of `{unknown[0]}`", "unknown", "shapes that are known before the network runs")
        given = [self.total(name) if self.sums.get(name) else None for name in node.output]
        if given[0] is None and node.op_type != "Split":
            return
        made = rule(self, node, attributes(node), *(given if node.op_type == "Split" else given[:1]))
        for i, name in made.items():
            if self.wanted(node.input[i]):
                self.sums.setdefault(node.input[i], []).append(name)

    # ---- what rules are made of

    def wanted(self, value: str) -> bool:
        return value in self.depends

    def total(self, value: str) -> str:
        """Of the gradients of all that reads a value."""
        parts = self.sums[value]
        if len(parts) > 1:
            self.sums[value] = parts = [self("Sum", *parts)]
        return parts[0]

    def value(self, name: str) -> str:
        """A value of the first graph."""
        if name in self.graph.constants and name not in self.parameters:
            return self.constant(self.graph.constants[name])
        self.read[name] = None
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        return self.graph.shapes[name]

    def constant(self, array: Any, kind: Any = np.float32) -> str:
        name = self.graph.unique("gradient_constant")
        self.constants.append(onnx.numpy_helper.from_array(np.array(array, kind), name))
        return name

    def whole(self, *numbers: int) -> str:
        return self.constant(numbers, np.int64)

    def __call__(self, kind: str, *inputs: str, **given: Any) -> str:
        """The result of a new node."""
        self.nodes.append(onnx.helper.make_node(kind, inputs, [self.graph.unique(f"gradient_{kind}")], **given))
        result: str = self.nodes[-1].output[0]
        return result

    def reshape(self, value: str, *shape: int) -> str:
        return self("Reshape", value, self.whole(*shape))

    def sum(self, value: str, *axes: int, keep: int = 0) -> str:
        return self("ReduceSum", value, self.whole(*axes), keepdims=keep)

    def slice(self, value: str, begins: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> str:
        return self("Slice", value, self.whole(*begins), self.whole(*ends), self.whole(*axes), self.whole(*steps))

    def narrowed(self, value: str, shape: tuple[int, ...], to: tuple[int, ...]) -> str:
        """The gradient of an operand that was broadcast: summed where it was repeated."""
        if shape == to:
            return value
        padded = (1,) * (len(shape) - len(to)) + to
        axes = [i for i, (one, other) in enumerate(zip(shape, padded, strict=True)) if one != other]
        if axes:
            value = self.sum(value, *axes, keep=1)
        return value if padded == to else self.reshape(value, *to)


Rule = Callable[..., dict[int, str]]  # (b, node, attributes, gradient of the result) -> operand's index -> its gradient


# ---- layers


def window_of(node: onnx.NodeProto, given: dict[str, Any], shape: tuple[int, ...], kernel: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations, pads of all dimensions at their beginnings and then at their ends."""
    n = len(kernel)
    strides, dilations, pads = list(given.get("strides", [1] * n)), list(given.get("dilations", [1] * n)), list(given.get("pads", [0] * 2 * n))
    auto = given.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        for i in range(n):
            needed = max(0, (-(-shape[2 + i] // strides[i]) - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - shape[2 + i])
            small, large = needed // 2, needed - needed // 2
            pads[i], pads[n + i] = (small, large) if auto == b"SAME_UPPER" else (large, small)
    elif auto == b"VALID":
        pads = [0] * 2 * n
    return strides, dilations, pads


def _spread(b: _Backward, dy: str, weight: str, x: tuple[int, ...], y: tuple[int, ...], kernel: Sequence[int], group: int,
            window: tuple[list[int], list[int], list[int]]) -> str:  # fmt: skip
    """The gradient of a convolution's image: a transposed convolution."""
    strides, dilations, pads = window
    n = len(kernel)
    left = [x[2 + i] + pads[i] + pads[n + i] - (y[2 + i] - 1) * strides[i] - (kernel[i] - 1) * dilations[i] - 1 for i in range(n)]  # that no tap reads
    more = [max(0, one) for one in left]
    return b("ConvTranspose", dy, weight, kernel_shape=list(kernel), strides=strides, dilations=dilations, pads=pads, output_padding=more, group=group)


def _conv(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x, w, y = b.shape(node.input[0]), b.shape(node.input[1]), b.shape(node.output[0])
    kernel, group, n = w[2:], given.get("group", 1), len(w) - 2
    window = strides, dilations, pads = window_of(node, given, x, kernel)
    made = {}
    if b.wanted(node.input[0]):
        made[0] = _spread(b, dy, b.value(node.input[1]), x, y, kernel, group, window)
    if b.wanted(node.input[1]):
        # For each tap of the window a product of matrices per image and group: [outputs, pixels] x [pixels, inputs].
        image = b.value(node.input[0])
        if any(pads):
            image = b("Pad", image, b.whole(0, 0, *pads[:n], 0, 0, *pads[n:]))
        pixels = math.prod(y[2:])
        rows = b.reshape(dy, x[0], group, w[0] // group, pixels)
        taps = []
        for tap in itertools.product(*(range(k) for k in kernel)):
            begins = [t * d for t, d in zip(tap, dilations, strict=True)]
            ends = [first + (y[2 + i] - 1) * strides[i] + 1 for i, first in enumerate(begins)]
            part = b.reshape(b.slice(image, begins, ends, range(2, 2 + n), strides), x[0], group, w[1], pixels)
            taps.append(b("Unsqueeze", b.sum(b("MatMul", rows, b("Transpose", part, perm=[0, 1, 3, 2])), 0), b.whole(3)))
        made[1] = b.reshape(b("Concat", *taps, axis=3) if len(taps) > 1 else taps[0], *w)
    if len(node.input) > 2 and node.input[2] and b.wanted(node.input[2]):
        made[2] = b.sum(dy, 0, *range(2, len(y)))
    return made


def _gemm(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    alpha, beta, first, second = given.get("alpha", 1.0), given.get("beta", 1.0), given.get("transA", 0), given.get("transB", 0)
    made = {}
    if b.wanted(node.input[0]):
        other = b.value(node.input[1])
        made[0] = b("Gemm", other, dy, alpha=alpha, transA=second, transB=1) if first else b("Gemm", dy, other, alpha=alpha, transB=1 - second)
    if b.wanted(node.input[1]):
        other = b.value(node.input[0])
        made[1] = b("Gemm", dy, other, alpha=alpha, transA=1, transB=first) if second else b("Gemm", other, dy, alpha=alpha, transA=1 - first)
    if len(node.input) > 2 and node.input[2] and b.wanted(node.input[2]):
        narrow = b.narrowed(dy, b.shape(node.output[0]), b.shape(node.input[2]))
        made[2] = narrow if beta == 1 else b("Mul", narrow, b.constant(beta))
    return made


def _matmul(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    shapes = [b.shape(name) for name in node.input]
    if min(map(len, shapes)) < 2:
        raise Refused("an operand", "a vector", "matrices")

    def turned(i: int) -> str:
        n = len(shapes[i])
        return b("Transpose", b.value(node.input[i]), perm=[*range(n - 2), n - 1, n - 2])

    made = {}
    front = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    inner, outputs = shapes[1][-2:]
    if b.wanted(node.input[0]):
        made[0] = b.narrowed(b("MatMul", dy, turned(1)), (*front, *shapes[0][-2:]), shapes[0])
    if b.wanted(node.input[1]):
        if len(shapes[1]) == 2:  # one product over all rows
            made[1] = b("Gemm", b.reshape(b.value(node.input[0]), -1, inner), b.reshape(dy, -1, outputs), transA=1)
        else:
            made[1] = b.narrowed(b("MatMul", turned(0), dy), (*front, *shapes[1][-2:]), shapes[1])
    return made


# ---- pairs


def _sum(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    return {i: b.narrowed(dy, b.shape(node.output[0]), b.shape(name)) for i, name in enumerate(node.input) if b.wanted(name)}


def _sub(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    made = _sum(b, node, given, dy)
    return made | ({1: b("Neg", made[1])} if 1 in made else {})


def _mul(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    shape = b.shape(node.output[0])
    return {i: b.narrowed(b("Mul", dy, b.value(node.input[1 - i])), shape, b.shape(node.input[i])) for i in range(2) if b.wanted(node.input[i])}


def _div(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    shape, made = b.shape(node.output[0]), {}
    over = b("Div", dy, b.value(node.input[1]))
    if b.wanted(node.input[0]):
        made[0] = b.narrowed(over, shape, b.shape(node.input[0]))
    if b.wanted(node.input[1]):
        made[1] = b("Neg", b.narrowed(b("Mul", over, b.value(node.output[0])), shape, b.shape(node.input[1])))
    return made


def _pow(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    exponent = b.graph.constants.get(node.input[1])
    if exponent is None or exponent.size != 1 or b.wanted(node.input[1]):
        raise Refused("the exponent", "computed, or more than one", "one constant")
    e = float(exponent.reshape(-1)[0])
    slope = b("Mul", b("Pow", b.value(node.input[0]), b.constant(e - 1)), b.constant(e))
    return {0: b.narrowed(b("Mul", dy, slope), b.shape(node.output[0]), b.shape(node.input[0]))}


# ---- functions of one value: gradient of the result, operand and result (by need) -> gradient of the operand


def _function(rule: Callable[..., str]) -> Rule:
    def made(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
        return {0: rule(b, dy, lambda: b.value(node.input[0]), lambda: b.value(node.output[0]), given)}

    return made


def _clip(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    inside = None
    for i, kind in ((1, "Greater"), (2, "Less")):
        if len(node.input) > i and node.input[i]:
            if b.wanted(node.input[i]):
                raise Refused("a bound", "computed by the network", "constants")
            one = b(kind, b.value(node.input[0]), b.value(node.input[i]))
            inside = one if inside is None else b("And", inside, one)
    return {0: dy if inside is None else b("Where", inside, dy, b.constant(0))}


def _prelu(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x, shape = b.value(node.input[0]), b.shape(node.output[0])
    below, made = b("Less", x, b.constant(0)), {}
    if b.wanted(node.input[0]):
        made[0] = b("Where", below, b("Mul", dy, b.value(node.input[1])), dy)
    if b.wanted(node.input[1]):
        made[1] = b.narrowed(b("Where", below, b("Mul", dy, x), b.constant(0)), shape, b.shape(node.input[1]))
    return made


def _hard_swish(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    inside = b("Less", b("Abs", x()), b.constant(3))
    slope = b("Add", b("Mul", x(), b.constant(1 / 3)), b.constant(0.5))
    outside = b("Where", b("Greater", x(), b.constant(0)), dy, b.constant(0))
    return b("Where", inside, b("Mul", dy, slope), outside)


def _elu(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    below = b("Mul", dy, b("Add", y(), b.constant(given.get("alpha", 1.0))))
    return b("Where", b("Less", x(), b.constant(0)), below, dy)


def _hard_sigmoid(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    inside = b("And", b("Greater", y(), b.constant(0)), b("Less", y(), b.constant(1)))
    return b("Where", inside, b("Mul", dy, b.constant(given.get("alpha", 0.2))), b.constant(0))


def _leaky_relu(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    return b("Where", b("Less", x(), b.constant(0)), b("Mul", dy, b.constant(given.get("alpha", 0.01))), dy)


def _sigmoid(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    return b("Mul", dy, b("Mul", y(), b("Sub", b.constant(1), y())))


def _tanh(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    return b("Mul", dy, b("Sub", b.constant(1), b("Mul", y(), y())))


def _erf(b: _Backward, dy: str, x: Any, y: Any, given: dict[str, Any]) -> str:
    return b("Mul", b("Mul", dy, b.constant(2 / math.sqrt(math.pi))), b("Exp", b("Neg", b("Mul", x(), x()))))


def _softmax(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    y, axis = b.value(node.output[0]), given.get("axis", -1)
    product = b("Mul", dy, y)
    return {0: b("Sub", product, b("Mul", y, b.sum(product, axis, keep=1)))}


# ---- pools and means


def _max_pool(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    shape = b.shape(node.input[0])
    if given.get("storage_order", 0):
        raise Refused("storage_order", 1, "0")
    zeros = b("ConstantOfShape", b.whole(math.prod(shape)), value=onnx.helper.make_tensor("zero", FLOAT, [1], [0.0]))
    spread = b("ScatterElements", zeros, b.reshape(b.value(node.output[1]), -1), b.reshape(dy, -1), axis=0, reduction="add")
    return {0: b.reshape(spread, *shape)}


def _average_pool(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x, y, kernel = b.shape(node.input[0]), b.shape(node.output[0]), given["kernel_shape"]
    window = strides, dilations, pads = window_of(node, given, x, kernel)
    if given.get("ceil_mode", 0):
        raise Refused("ceil_mode", 1, "0")
    counts = np.ones(())
    for i, k in enumerate(kernel):  # taps of each result that are on the image
        taps = np.arange(y[2 + i])[:, None] * strides[i] + np.arange(k) * dilations[i] - pads[i]
        on = ((taps >= 0) & (taps < x[2 + i])).sum(axis=1)
        counts = np.multiply.outer(counts, on if not given.get("count_include_pad", 0) else np.full_like(on, k))
    shared = b("Mul", dy, b.constant(1 / counts))
    return {0: _spread(b, shared, b.constant(np.ones((x[1], 1, *kernel))), x, y, kernel, x[1], window)}


def _global_average_pool(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x = b.shape(node.input[0])
    return {0: b("Expand", b("Mul", dy, b.constant(1 / math.prod(x[2:]))), b.whole(*x))}


def _reduce(mean: bool) -> Rule:
    def made(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
        x = b.shape(node.input[0])
        axes = b.graph.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else given.get("axes")
        if axes is None and (len(node.input) > 1 and node.input[1]):
            raise Refused("axes", "computed by the network", "constants")
        chosen = {int(a) % len(x) for a in (range(len(x)) if axes is None else axes)}
        shaped = b.reshape(dy, *(1 if i in chosen else n for i, n in enumerate(x)))
        share = 1 / math.prod(x[i] for i in chosen) if mean else 1
        return {0: b("Expand", b("Mul", shaped, b.constant(share)), b.whole(*x))}

    return made


# ---- what moves elements


def _same_elements(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    return {0: b.reshape(dy, *b.shape(node.input[0]))}


def _transpose(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    order = given.get("perm", list(reversed(range(len(b.shape(node.input[0]))))))
    return {0: b("Transpose", dy, perm=[int(i) for i in np.argsort(order)])}


def _concat(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    axis, at, made = given["axis"], 0, {}
    for i, name in enumerate(node.input):
        length = b.shape(name)[axis]
        if b.wanted(name) and length:
            made[i] = b.slice(dy, [at], [at + length], [axis], [1])
        at += length
    return made


def _split(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], *dys: str | None) -> dict[int, str]:
    parts = []
    for name, dy in zip(node.output, dys, strict=True):
        zeros = onnx.helper.make_tensor("zero", FLOAT, [1], [0.0])
        parts.append(dy if dy is not None else b("ConstantOfShape", b.whole(*b.shape(name)), value=zeros))
    return {0: b("Concat", *parts, axis=given.get("axis", 0)) if len(parts) > 1 else parts[0]}


def _slice(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x = b.shape(node.input[0])
    numbers = [b.graph.constants.get(name) if name else None for name in node.input[1:]] + [None] * (5 - len(node.input))
    begins, ends, axes, steps = numbers
    if begins is None or ends is None or (steps is not None and (steps != 1).any()):
        raise Refused("its part", "computed by the network, or with steps", "constant begins and ends, steps of 1")
    pads = np.zeros((2, len(x)), np.int64)
    for axis, first, last in zip(range(len(begins)) if axes is None else axes, begins, ends, strict=True):
        length = x[axis]
        one, other = (min(max(int(n) + (length if n < 0 else 0), 0), length) for n in (first, last))
        pads[:, axis] = one, length - other
    return {0: b("Pad", dy, b.constant(pads.reshape(-1), np.int64))}


def _pad(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x, pads = b.shape(node.input[0]), b.graph.constants.get(node.input[1])
    if given.get("mode", b"constant") != b"constant" or pads is None or (pads < 0).any() or (len(node.input) > 3 and node.input[3]):
        raise Refused("mode", given.get("mode", b"constant").decode(), "constant, with constant pads of all dimensions that are not negative")
    return {0: b.slice(dy, [int(p) for p in pads[: len(x)]], [int(p) + n for p, n in zip(pads, x)], range(len(x)), [1] * len(x))}


REPEATING = ((b"nearest", b"asymmetric", b"floor"), (b"nearest", b"half_pixel", b"round_prefer_floor"), (b"nearest", b"half_pixel", b"round_prefer_ceil"))


def _resize(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    x, y = b.shape(node.input[0]), b.shape(node.output[0])
    mode = tuple(given.get(name, default) for name, default in (("mode", b"nearest"), ("coordinate_transformation_mode", b"half_pixel"),
                                                                ("nearest_mode", b"round_prefer_floor")))  # fmt: skip
    if mode not in REPEATING or any(n % m for m, n in zip(x, y, strict=True)):
        raise Refused("its function", " ".join(word.decode() for word in mode), "each element repeated a whole number of times")
    split = [part for m, n in zip(x, y, strict=True) for part in (m, n // m)]
    return {0: b.sum(b.reshape(dy, *split), *range(1, 2 * len(x), 2))}


def _depth_to_space(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    (n, c, h, w), size = b.shape(node.input[0]), given["blocksize"]
    channels = c // size**2
    parts = b.reshape(dy, n, channels, h, size, w, size)
    order = [0, 1, 3, 5, 2, 4] if given.get("mode", b"DCR") == b"CRD" else [0, 3, 5, 1, 2, 4]
    return {0: b.reshape(b("Transpose", parts, perm=order), n, c, h, w)}


def _space_to_depth(b: _Backward, node: onnx.NodeProto, given: dict[str, Any], dy: str) -> dict[int, str]:
    return {0: b("DepthToSpace", dy, blocksize=given["blocksize"], mode="DCR")}


RULES: dict[str, Rule] = {
    "Add": _sum,
    "AveragePool": _average_pool,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Div": _div,
    "Elu": _function(_elu),
    "Erf": _function(_erf),
    "Exp": _function(lambda b, dy, x, y, given: b("Mul", dy, y())),
    "Flatten": _same_elements,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "HardSigmoid": _function(_hard_sigmoid),
    "HardSwish": _function(_hard_swish),
    "Identity": _same_elements,
    "LeakyRelu": _function(_leaky_relu),
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _mul,
    "Neg": _function(lambda b, dy, x, y, given: b("Neg", dy)),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _pow,
    "ReduceMean": _reduce(mean=True),
    "ReduceSum": _reduce(mean=False),
    "Relu": _function(lambda b, dy, x, y, given: b("Where", b("Greater", y(), b.constant(0)), dy, b.constant(0))),
    "Reshape": _same_elements,
    "Resize": _resize,
    "Sigmoid": _function(_sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _function(lambda b, dy, x, y, given: b("Mul", dy, b("Sigmoid", x()))),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Sqrt": _function(lambda b, dy, x, y, given: b("Div", dy, b("Mul", y(), b.constant(2)))),
    "Squeeze": _same_elements,
    "Sub": _sub,
    "Sum": _sum,
    "Tanh": _function(_tanh),
    "Transpose": _transpose,
    "Unsqueeze": _same_elements,
}
