# SPDX-License-Identifier: Apache-2.0
"""What exporters write in many ways, in one: the form that the machine has operators for. Every step keeps the function, up to float32's rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from ..importer.pixels import Phases, interpolating, phases
from .graph import Graph, attributes, drop_attribute, set_attribute
from .recurrent import unroll
from .runtime import onnx


def prepare(graph: Graph) -> None:
    for step in (_unused, unroll, _layer_norms, _constant_addends, _biases, _factors_of_products, _means, _averages, _linear, _transposed, _norms_and_channels,
                 _computed_addends, _gemms):  # fmt: skip
        step(graph)
    graph.infer()
    for node in graph.nodes:
        for name in node.input[1:3] if node.op_type in ("Conv", "Gemm", "MatMul") else ():
            array = graph.constants.get(name)
            if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ModelError(Diagnostic("E1109", f"{graph.where(node)}: its weights have numbers that are not finite", graph.file,
                                            hint="look for what went wrong in its training, or in its export"))  # fmt: skip


def _unused(graph: Graph) -> None:
    graph.sweep()


NORM_OPSET = 17  # the first one with LayerNormalization


def _layer_norms(graph: Graph) -> None:
    """What exporters of older opsets write with nine operators: differences to the mean, divided by the root of the mean of their squares, times a factor plus
    an addend for each channel."""
    makers, readers, changed = graph.makers(), graph.readers(), False
    for node in list(graph.nodes):
        found = _normalized(graph, makers, node) if node.op_type == "Div" else None
        shape = graph.shapes.get(node.output[0])
        times = _only_reader_of(graph, readers, node)
        factors = _with_constant(graph, times) if found is not None and times is not None and times.op_type == "Mul" else None
        if found is None or not shape or times is None or factors is None or graph.constants[factors[1]].shape != shape[-1:]:
            continue
        plus = _only_reader_of(graph, readers, times)
        addends = _with_constant(graph, plus) if plus is not None and plus.op_type == "Add" else None
        last, operands = times, [found[0], factors[1]]
        if plus is not None and addends is not None and graph.constants[addends[1]].shape == shape[-1:]:
            last, operands = plus, [*operands, addends[1]]
        graph.replace(last, [onnx.helper.make_node("LayerNormalization", operands, [last.output[0]], name=last.name, axis=-1, epsilon=found[1])])
        changed = True
    if changed:
        graph.raise_opset(NORM_OPSET)
        graph.sweep()
        graph.infer()


def _normalized(graph: Graph, makers: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> tuple[str, float] | None:
    """Of (x - mean) / sqrt(mean of the squares + epsilon) over the last dimension: x and epsilon."""
    root = makers.get(node.input[1])
    plus = makers.get(root.input[0]) if root is not None and root.op_type == "Sqrt" else None
    found = _with_constant(graph, plus) if plus is not None and plus.op_type == "Add" else None
    squares = makers.get(found[0]) if found is not None else None
    power = makers.get(squares.input[0]) if squares is not None and _mean_of_last(graph, squares) else None
    difference = makers.get(node.input[0])
    if found is None or power is None or difference is None or difference.op_type != "Sub" or graph.constants[found[1]].size != 1:
        return None
    two = graph.constants.get(power.input[1]) if power.op_type == "Pow" else None
    squared = (two is not None and two.size == 1 and float(two.reshape(-1)[0]) == 2) or (power.op_type == "Mul" and power.input[0] == power.input[1])
    # Some exporters write the difference twice.
    same = makers.get(power.input[0])
    if not squared or same is None or same.op_type != "Sub" or list(same.input) != list(difference.input):
        return None
    mean = makers.get(difference.input[1])
    if mean is None or not _mean_of_last(graph, mean) or mean.input[0] != difference.input[0]:
        return None
    return difference.input[0], float(graph.constants[found[1]].reshape(-1)[0])


def _mean_of_last(graph: Graph, node: onnx.NodeProto) -> bool:
    if node.op_type != "ReduceMean" or not attributes(node).get("keepdims", 1):
        return False
    axes = graph.constant(node.input[1]) if len(node.input) > 1 else attributes(node).get("axes")
    shape = graph.shapes.get(node.input[0])
    return axes is not None and shape is not None and [int(a) % len(shape) for a in axes] == [len(shape) - 1]


def _constant_addends(graph: Graph) -> None:
    """Two constants that are added one after the other, embeddings of places and of kinds of words, say, are one."""
    for node in list(graph.nodes):
        if node.op_type != "Add" or not any(one is node for one in graph.nodes):
            continue
        first, second = _with_constant(graph, node), _only_reader_of(graph, graph.readers(), node)
        more = _with_constant(graph, second) if second is not None and second.op_type == "Add" else None
        if first is None or more is None or second is None or graph.constants[first[1]].dtype != np.float32 or more[0] != node.output[0]:
            continue
        both = graph.add_constant(f"{second.output[0]}_addend", graph.constants[first[1]] + graph.constants[more[1]])
        graph.replace(second, [onnx.helper.make_node("Add", [first[0], both], [second.output[0]], name=second.name)])
        graph.nodes = [one for one in graph.nodes if one is not node]


def _with_constant(graph: Graph, node: onnx.NodeProto) -> tuple[str, str] | None:
    """Of a node with two operands the computed one and the constant."""
    constant = [name for name in node.input if name in graph.constants]
    computed = [name for name in node.input if name not in graph.constants]
    return (computed[0], constant[0]) if len(computed) == len(constant) == 1 else None


def _only_reader_of(graph: Graph, readers: dict[str, list[onnx.NodeProto]], node: onnx.NodeProto) -> onnx.NodeProto | None:
    """What alone reads a node's result."""
    found = readers.get(node.output[0], [])
    return found[0] if len(found) == 1 and node.output[0] not in graph.outputs else None


def _biases(graph: Graph) -> None:
    """A product with constant weights and the sum with one number per output behind it are a Gemm, of rows: ONNX Runtime sums both as integers then."""
    for node in list(graph.nodes):
        add = _only_reader_of(graph, graph.readers(), node) if node.op_type == "MatMul" else None
        shape, w = graph.shapes.get(node.input[0]), graph.constants.get(node.input[1]) if node.op_type == "MatMul" else None
        found = _with_constant(graph, add) if add is not None and add.op_type == "Add" else None
        if w is None or w.ndim != 2 or shape is None or len(shape) < 2 or add is None or found is None or node.input[0] in graph.constants:
            continue
        bias = graph.constants[found[1]]
        if bias.dtype != np.float32 or bias.size != w.shape[1] or bias.shape[-1:] != (w.shape[1],) or bias.ndim > len(shape):
            continue
        out, row = add.output[0], graph.add_constant(f"{add.output[0]}_bias", bias.reshape(-1))
        new: list[onnx.NodeProto] = []
        source, result = node.input[0], out
        if len(shape) > 2:
            rows = graph.add_constant(f"{out}_rows", np.array([-1, shape[-1]], np.int64))
            source, result = graph.added(new, "Reshape", f"{out}_in_rows", [source, rows]), graph.unique(f"{out}_of_rows")
        new.append(onnx.helper.make_node("Gemm", [source, node.input[1], row], [result], name=node.name))
        if len(shape) > 2:
            whole = graph.add_constant(f"{out}_shape", np.array([*shape[:-1], w.shape[1]], np.int64))
            new.append(onnx.helper.make_node("Reshape", [result, whole], [out], name=add.name))
        graph.replace(add, new)
        graph.nodes = [one for one in graph.nodes if one is not node]
    graph.infer()


def _factors_of_products(graph: Graph) -> None:
    """A product of two computed matrices divided by one number, as attention has it: the number goes into the weights of the Gemm that makes the first."""
    makers, readers = graph.makers(), graph.readers()
    for node in list(graph.nodes):
        scale = _only_reader_of(graph, readers, node) if node.op_type == "MatMul" and node.input[1] not in graph.constants else None
        found = _with_constant(graph, scale) if scale is not None and scale.op_type in ("Div", "Mul") else None
        if scale is None or found is None or graph.constants[found[1]].size != 1 or (scale.op_type == "Div" and scale.input[0] == found[1]):
            continue
        number = float(graph.constants[found[1]].reshape(-1)[0])
        factor = number if scale.op_type == "Mul" else 1 / number if number else 0.0
        layer = makers.get(node.input[0])
        while layer is not None and layer.op_type in ("Reshape", "Transpose") and _only_reader_of(graph, readers, layer) is not None:
            layer = makers.get(layer.input[0])
        if layer is None or layer.op_type != "Gemm" or _only_reader_of(graph, readers, layer) is None or not (np.isfinite(factor) and factor):
            continue
        held = [name for name in layer.input[1:3] if name]
        if any(name not in graph.constants for name in held):
            continue
        for i, name in enumerate(held, 1):
            layer.input[i] = graph.add_constant(f"{name}_scaled", (graph.constants[name].astype(np.float64) * factor).astype(np.float32))
        out = scale.output[0]
        graph.nodes = [one for one in graph.nodes if one is not scale]
        node.output[0] = out
        makers, readers = graph.makers(), graph.readers()
    graph.infer()


def _means(graph: Graph) -> None:
    """ReduceMean over height and width is GlobalAveragePool."""
    for node in list(graph.nodes):
        if node.op_type != "ReduceMean":
            continue
        given = attributes(node)
        axes = graph.constant(node.input[1]) if len(node.input) > 1 else given.get("axes")
        shape = graph.shapes.get(node.input[0])
        if axes is None or shape is None or len(shape) != 4 or sorted(int(a) % 4 for a in axes) != [2, 3]:
            continue
        pooled = node.output[0] if given.get("keepdims", 1) else graph.unique(f"{node.output[0]}_pooled")
        new = [onnx.helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], name=node.name)]
        if not given.get("keepdims", 1):
            new.append(onnx.helper.make_node("Flatten", [pooled], [node.output[0]], axis=1))
        graph.replace(node, new)


def _averages(graph: Graph) -> None:
    """An average over part of an image, as many pixels everywhere, is a depthwise convolution: ONNX Runtime sums its bytes as integers then."""
    for node in list(graph.nodes):
        shape = graph.shapes.get(node.input[0]) if node.input else None
        if node.op_type != "AveragePool" or shape is None or len(shape) not in (3, 4):
            continue
        given = attributes(node)
        kernel, pads = list(given["kernel_shape"]), given.get("pads", [0] * 2 * (len(shape) - 2))
        plain = given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID") and not given.get("ceil_mode", 0)
        if not plain or (any(pads) and not given.get("count_include_pad", 0)) or (kernel == list(shape[2:]) and not any(pads)):
            continue
        taps = int(np.prod(kernel))
        w = graph.add_constant(f"{node.output[0]}_ones", np.full((shape[1], 1, *kernel), 1 / taps, np.float32))
        kept = {name: given[name] for name in ("strides", "dilations") if name in given}
        graph.replace(node, [onnx.helper.make_node("Conv", [node.input[0], w], [node.output[0]], name=node.name, group=shape[1],
                                                     kernel_shape=kernel, pads=list(pads), **kept)])  # fmt: skip


def _linear(graph: Graph) -> None:
    """Linear interpolation between pixels, to 2, 4 or 8 times the size, is a depthwise convolution over repeated pixels, whose edges stand there once more."""
    for node in [one for one in graph.nodes if one.op_type == "Resize"]:
        shape, made, given = graph.shapes.get(node.input[0]), graph.shapes.get(node.output[0]), attributes(node)
        mode = given.get("coordinate_transformation_mode", b"half_pixel")
        plain = not given.get("antialias", 0) and not given.get("exclude_outside", 0) and mode in (b"half_pixel", b"pytorch_half_pixel", b"asymmetric")
        if given.get("mode") != b"linear" or not plain or shape is None or made is None or len(shape) != 4 or made[:2] != shape[:2]:
            continue
        factors = [made[d] // shape[d] if made[d] % shape[d] == 0 else 0 for d in (2, 3)]
        if any(f not in (1, 2, 4, 8) for f in factors) or factors == [1, 1]:
            continue
        out, value, centers = node.output[0], node.input[0], mode != b"asymmetric"
        new: list[onnx.NodeProto] = []
        for axis, factor in zip((2, 3), factors):
            if factor == 1:
                continue
            parts, length = [value], shape[axis]
            for at in ((0, length - 1) if centers else (length - 1,)):
                numbers = [graph.add_constant(f"{out}_place", np.array([n], np.int64)) for n in (at, at + 1, axis)]
                edge = value if length == 1 else graph.added(new, "Slice", f"{out}_edge", [value, *numbers])
                parts.insert(0 if len(parts) == 1 and centers else len(parts), edge)
            value = graph.added(new, "Concat", f"{out}_edged", parts, axis=axis)
        scales = graph.add_constant(f"{out}_scales", np.array([1, 1, *factors], np.float32))
        value = graph.added(new, "Resize", f"{out}_repeated", [value, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric",
                       nearest_mode="floor")  # fmt: skip
        lines = [interpolating(f, centers) / interpolating(f, centers).sum() for f in factors]
        weight = np.broadcast_to(np.outer(*lines), (shape[1], 1, lines[0].size, lines[1].size)).astype(np.float32)
        w = graph.add_constant(f"{out}_mixed", np.ascontiguousarray(weight))
        conv = onnx.helper.make_node("Conv", [value, w], [out], name=node.name, group=shape[1], kernel_shape=[line.size for line in lines])
        graph.replace(node, [*new, conv])
    graph.infer()


MOST_STRIDE = 16
Step = tuple[str, list[Any], dict[str, Any]]
MOVED = ("Relu", "Clip", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh")  # functions of one element, wherever it stands


def _transposed(graph: Graph) -> None:
    """A transposed convolution is a convolution whose outputs are the results of a stride, and a DepthToSpace: ONNX Runtime sums its bytes as integers then.
    A BatchNormalization behind it goes into its weights, a function behind it before the DepthToSpace."""
    for node in [one for one in graph.nodes if one.op_type == "ConvTranspose"]:
        shape, made, given = graph.shapes.get(node.input[0]), graph.shapes.get(node.output[0]), attributes(node)
        w = graph.constants.get(node.input[1])
        b = graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        auto, stride = given.get("auto_pad", b"NOTSET"), given.get("strides", [1, 1])
        pads = given.get("pads", [0] * 4) if auto == b"NOTSET" else [0] * 4
        plain = auto in (b"NOTSET", b"VALID") and "output_shape" not in given and set(given.get("dilations", [1])) == {1}
        if made is None or shape is None or len(shape) != 4 or w is None or w.size == 0 or (b is None and len(node.input) > 2 and node.input[2]):
            continue
        if not plain or stride[0] != stride[1] or stride[0] > MOST_STRIDE or w.shape[0] != shape[1] or shape[1] % given.get("group", 1):
            continue
        weight = _by_output(w, given.get("group", 1))
        bias = None if b is None else b.reshape(-1).astype(np.float64)
        readers = graph.readers()
        norm = _only_reader(graph, readers, node)
        factors = _factors(graph, norm) if norm is not None and norm.op_type == "BatchNormalization" and not any(norm.output[1:]) else None
        if factors is not None:
            weight = weight * factors[0].reshape(-1, 1, 1, 1)
            bias = factors[1] + (0 if bias is None else bias * factors[0])
        last = node if factors is None or norm is None else norm
        function = _only_reader(graph, readers, last)
        if function is not None and (function.op_type not in MOVED or any(name and name not in graph.constants for name in function.input[1:])):
            function = None
        steps = _strided(weight, bias, stride[0], [phases(shape[2 + i], w.shape[2 + i], stride[0], pads[i], made[2 + i]) for i in range(2)], made)
        steps[0][2]["group"] = given.get("group", 1)
        if function is not None:
            steps.insert(1, (function.op_type, list(function.input[1:]), attributes(function)))
        new: list[onnx.NodeProto] = []
        for i, (kind, operands, options) in enumerate(steps):
            out = (function or last).output[0]
            names = [graph.add_constant(f"{out}_{kind}", one) if isinstance(one, np.ndarray) else one for one in operands]
            source, result = new[-1].output[0] if new else node.input[0], out if i == len(steps) - 1 else graph.unique(f"{out}_{kind}")
            new.append(onnx.helper.make_node(kind, [source, *names], [result], name=result if new else node.name, **options))
        graph.replace(node, new)
        graph.nodes = [one for one in graph.nodes if one is not last and one is not function]
    graph.infer()


def _by_output(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights [inputs, outputs of a group, ...] of a transposed convolution -> [outputs, inputs of a group, ...]."""
    depth, inner, *kernel = w.shape
    return w.reshape(groups, depth // groups, inner, *kernel).swapaxes(1, 2).reshape(groups * inner, depth // groups, *kernel)


def _strided(weight: np.ndarray, bias: np.ndarray | None, stride: int, plans: list[tuple[Phases, int, int]], made: tuple[int, ...]) -> list[Step]:
    """Nodes that follow each other, as type, further operands and attributes. Each output of the convolution is stride * stride ones, by line and column."""
    count, depth, *_ = weight.shape
    (lines, top, height), (columns, left, width) = plans
    extended = np.pad(weight, ((0, 0), (0, 0), (0, 1), (0, 1)))  # what index -1 reads
    window = [len(lines.taps[0]), len(columns.taps[0])]
    chosen = extended[:, :, lines.taps][:, :, :, :, columns.taps].transpose(0, 2, 4, 1, 3, 5)  # [outputs, line, column, inputs, ...]
    operands = [np.ascontiguousarray(chosen.reshape(count * stride * stride, depth, *window), np.float32)]
    operands += [] if bias is None else [np.repeat(bias, stride * stride).astype(np.float32)]
    steps: list[Step] = [("Conv", [*operands], {"kernel_shape": window, "pads": [lines.before, columns.before, lines.after, columns.after]})]
    if stride > 1:
        steps.append(("DepthToSpace", [], {"blocksize": stride, "mode": "CRD"}))
    if (height * stride, width * stride) != tuple(made[2:]):
        begins, ends = [top, left], [top + made[2], left + made[3]]
        steps.append(("Slice", [np.array(numbers, np.int64) for numbers in (begins, ends, [2, 3])], {}))
    return steps


def _only_reader(graph: Graph, readers: dict[str, list[onnx.NodeProto]], node: onnx.NodeProto) -> onnx.NodeProto | None:
    """What alone reads a node's result, as its first operand."""
    value = node.output[0]
    found = readers.get(value, [])
    return found[0] if len(found) == 1 and value not in graph.outputs and found[0].input[0] == value else None


def _factors(graph: Graph, norm: onnx.NodeProto) -> tuple[np.ndarray, np.ndarray] | None:
    """A BatchNormalization as a factor and an addend for each channel."""
    given = [graph.constant(name) for name in norm.input[1:5]]
    if any(array is None for array in given):
        return None
    scale, shift, mean, variance = (np.asarray(a, np.float64) for a in given)
    factor = scale / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
    return factor, shift - mean * factor


def _norms_and_channels(graph: Graph) -> None:
    """BatchNormalization that stands behind no convolution, and products and sums with one number for each channel, are depthwise convolutions of 1x1."""
    for node in list(graph.nodes):
        shape = graph.shapes.get(node.input[0]) if node.input else None
        factor = addend = data = None
        if node.op_type == "BatchNormalization" and shape is not None and len(shape) in (3, 4) and not any(node.output[1:]):
            factors = _factors(graph, node)
            if factors is not None:
                (factor, addend), data = factors, node.input[0]
        elif node.op_type in ("Mul", "Add") and len(node.input) == 2:
            which = [i for i, name in enumerate(node.input) if name in graph.constants]
            if len(which) == 1:
                array, data = graph.constants[node.input[which[0]]], node.input[1 - which[0]]
                shape = graph.shapes.get(data)
                if shape is not None and len(shape) in (3, 4) and array.size == shape[1] > 1 and array.dtype == np.float32:
                    if (1,) * (len(shape) - array.ndim) + array.shape == (1, shape[1], *(1,) * (len(shape) - 2)):
                        one = np.ones(shape[1])
                        factor, addend = (array.reshape(-1), 0 * one) if node.op_type == "Mul" else (one, array.reshape(-1))
        if factor is None or addend is None or data is None or shape is None:
            continue
        channels = shape[1]
        w = graph.add_constant(f"{node.output[0]}_factor", np.asarray(factor, np.float32).reshape(channels, 1, *(1,) * (len(shape) - 2)))
        b = graph.add_constant(f"{node.output[0]}_addend", np.asarray(addend, np.float32))
        graph.replace(node, [onnx.helper.make_node("Conv", [data, w, b], [node.output[0]], name=node.name, group=channels,
                                                     kernel_shape=[1] * (len(shape) - 2))])  # fmt: skip


def _computed_addends(graph: Graph) -> None:
    """A Gemm that adds more than a number for each output is a Gemm and an Add. ONNX Runtime's optimization makes one of both."""
    for node in list(graph.nodes):
        addend = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
        shape = graph.shapes.get(node.output[0])
        beta = attributes(node).get("beta", 1.0)
        if not addend or shape is None or (addend in graph.constants and _is_row(graph.constants[addend], shape[-1])):
            continue
        if addend in graph.constants:  # a number for each element, or for each row
            whole = np.broadcast_to(graph.constants[addend] * np.float32(beta), shape).copy()
            addend = graph.add_constant(f"{addend}_whole", whole)
        elif graph.shapes.get(addend) != shape or beta != 1:
            continue
        product, out = graph.unique(f"{node.output[0]}_product"), node.output[0]
        node.output[0] = product
        del node.input[2:]
        graph.replace(node, [node, onnx.helper.make_node("Add", [product, addend], [out], name=out)])
    graph.infer()


def _is_row(bias: np.ndarray, outputs: int) -> bool:
    """Of one number, or of one for each output."""
    return bias.size == 1 or (bias.size == outputs and bias.shape[-1] == outputs)


def _gemms(graph: Graph) -> None:
    """Constant factors of a Gemm go into its weights, its bias becomes one number per output, and its first operand lies as it is."""
    for node in list(graph.nodes):
        if node.op_type != "Gemm" or node.input[1] not in graph.constants:
            continue
        given = attributes(node)
        if given.get("transA", 0):
            turned = graph.unique(f"{node.input[0]}_turned")
            graph.replace(node, [onnx.helper.make_node("Transpose", [node.input[0]], [turned], name=turned, perm=[1, 0]), node])
            node.input[0] = turned
            drop_attribute(node, "transA")
        weight = graph.constants[node.input[1]]
        outputs = weight.shape[0 if given.get("transB", 0) else 1]
        alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
        if alpha != 1:
            node.input[1] = graph.add_constant(f"{node.input[1]}_scaled", weight * np.float32(alpha))
            drop_attribute(node, "alpha")
        bias = graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if bias is not None and _is_row(bias, outputs) and (beta != 1 or bias.shape != (outputs,)):
            node.input[2] = graph.add_constant(f"{node.input[2]}_row", np.broadcast_to(bias.reshape(-1) * np.float32(beta), (outputs,)).copy())
            set_attribute(node, "beta", 1.0)
