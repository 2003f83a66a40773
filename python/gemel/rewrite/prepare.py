# SPDX-License-Identifier: Apache-2.0
"""What exporters write in many ways, in one: the form that the machine has operators for. Every step keeps the function, up to float32's rounding."""

from __future__ import annotations

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .graph import Graph, attributes, drop_attribute, set_attribute
from .runtime import onnx


def prepare(graph: Graph) -> None:
    for step in (_means, _averages, _norms_and_channels, _gemms):
        step(graph)
    graph.infer()
    for node in graph.nodes:
        for name in node.input[1:3] if node.op_type in ("Conv", "Gemm", "MatMul") else ():
            array = graph.constants.get(name)
            if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ModelError(Diagnostic("E1109", f"{graph.where(node)}: its weights have numbers that are not finite", graph.file,
                                            hint="look for what went wrong in its training, or in its export"))  # fmt: skip


def _replace(graph: Graph, old: onnx.NodeProto, new: list[onnx.NodeProto]) -> None:
    at = next(i for i, node in enumerate(graph.nodes) if node is old)
    graph.nodes[at : at + 1] = new


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
        _replace(graph, node, new)


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
        _replace(graph, node, [onnx.helper.make_node("Conv", [node.input[0], w], [node.output[0]], name=node.name, group=shape[1],
                                                     kernel_shape=kernel, pads=list(pads), **kept)])  # fmt: skip


def _norms_and_channels(graph: Graph) -> None:
    """BatchNormalization that stands behind no convolution, and products and sums with one number for each channel, are depthwise convolutions of 1x1."""
    for node in list(graph.nodes):
        shape = graph.shapes.get(node.input[0]) if node.input else None
        factor = addend = data = None
        if node.op_type == "BatchNormalization" and shape is not None and len(shape) in (3, 4) and not any(node.output[1:]):
            given = [graph.constant(name) for name in node.input[1:5]]
            if all(array is not None for array in given):
                scale, shift, mean, variance = (np.asarray(a, np.float64) for a in given)
                factor = scale / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
                addend, data = shift - mean * factor, node.input[0]
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
        _replace(graph, node, [onnx.helper.make_node("Conv", [data, w, b], [node.output[0]], name=node.name, group=channels,
                                                     kernel_shape=[1] * (len(shape) - 2))])  # fmt: skip


def _gemms(graph: Graph) -> None:
    """Constant factors of a Gemm go into its weights, and its bias becomes one number per output."""
    for node in graph.nodes:
        if node.op_type != "Gemm" or node.input[1] not in graph.constants:
            continue
        given = attributes(node)
        weight = graph.constants[node.input[1]]
        outputs = weight.shape[0 if given.get("transB", 0) else 1]
        alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
        if alpha != 1:
            node.input[1] = graph.add_constant(f"{node.input[1]}_scaled", weight * np.float32(alpha))
            drop_attribute(node, "alpha")
        bias = graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if bias is not None and bias.size in (1, outputs) and (beta != 1 or bias.shape != (outputs,)):
            node.input[2] = graph.add_constant(f"{node.input[2]}_row", np.broadcast_to(bias.reshape(-1) * np.float32(beta), (outputs,)).copy())
            set_attribute(node, "beta", 1.0)
