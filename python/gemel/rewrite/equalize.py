# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: between two layers that follow each other, channels are scaled so that their weights have like ranges in both, and one
scale for all of them wastes less. The network computes the same, up to float32's rounding (Nagel et al., Data-free quantization, 2019)."""

from __future__ import annotations

import numpy as np

from .channels import depthwise
from .graph import Graph, attributes
from .plan import weights_of
from .runtime import onnx

ROUNDS = 20
HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool")  # f(s x) = s f(x) for s > 0
MOST = 1e3  # of a factor


def widen_clips(graph: Graph) -> int:
    """Each Clip of a layer's result from 0 to a bound becomes a Relu, behind which channels may be scaled; that changes what the network computes. How many
    there were. Clips of other values (a HardSwish has one of a sum) scale no channels, and without their bound the product behind them would have none."""
    count, makers = 0, graph.makers()
    for node in graph.nodes:
        if node.op_type != "Clip" or len(node.input) < 2 or not node.input[1]:
            continue
        maker = makers.get(node.input[0])
        if maker is None or weights_of(graph, maker) is None:
            continue
        low = graph.constants.get(node.input[1])
        if low is not None and low.size == 1 and float(low.reshape(-1)[0]) == 0:
            node.op_type = "Relu"
            del node.input[1:]
            count += 1
    return count


def equalize(graph: Graph) -> int:
    """How many pairs of layers there are."""
    pairs = _pairs(graph)
    for _ in range(ROUNDS):
        moved = max((_balance(graph, one, other) for one, other in pairs), default=0.0)
        if moved < 1e-3:
            break
    return len(pairs)


def _pairs(graph: Graph) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    readers = graph.readers()
    found = []
    for node in graph.nodes:
        if weights_of(graph, node) is None or not _single(graph, node):
            continue
        value = node.output[0]
        while len(readers.get(value, ())) == 1 and value not in graph.outputs:
            reader = readers[value][0]
            if reader.op_type in HOMOGENEOUS:
                value = reader.output[0]
            elif reader.op_type == "Flatten" and graph.shapes[value][2:] in ((), (1, 1)):
                value = reader.output[0]
            else:
                if weights_of(graph, reader) is not None and reader.input[0] == value and _single(graph, reader):
                    found.append((node, reader))
                break
    return found


def _single(graph: Graph, node: onnx.NodeProto) -> bool:
    """No groups, or a group for each channel; rows of one dimension; nobody else's weights."""
    if any(graph.constants.get(name) is not None and len(graph.readers().get(name, ())) > 1 for name in node.input[1:2]):
        return False
    if node.op_type == "Conv":
        return attributes(node).get("group", 1) == 1 or depthwise(graph, node)
    return len(graph.shapes[node.input[0]]) == 2


def _by_channel(w: np.ndarray, axis: int) -> np.ndarray:
    return np.abs(np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1)).max(axis=1).astype(np.float64)


def _balance(graph: Graph, first: onnx.NodeProto, second: onnx.NodeProto) -> float:
    """How far the factors are from 1."""
    one, other = weights_of(graph, first), weights_of(graph, second)
    assert one is not None and other is not None
    (w1, axis1), (w2, axis2) = one, other
    inner = 0 if depthwise(graph, second) else 1 if second.op_type == "Conv" else 1 - axis2
    r1, r2 = _by_channel(w1, axis1), _by_channel(w2, inner)
    both = (r1 > 0) & (r2 > 0)
    factor = np.ones_like(r1)
    factor[both] = np.clip(np.sqrt(r1[both] / r2[both]), 1 / MOST, MOST)
    shape1, shape2 = [1] * w1.ndim, [1] * w2.ndim
    shape1[axis1], shape2[inner] = -1, -1
    first.input[1] = _changed(graph, first.input[1], w1 / factor.reshape(shape1))
    second.input[1] = _changed(graph, second.input[1], w2 * factor.reshape(shape2))
    if len(first.input) > 2 and first.input[2]:
        first.input[2] = _changed(graph, first.input[2], graph.constants[first.input[2]].reshape(-1) / factor)
    return float(np.abs(np.log(factor)).max())


def _changed(graph: Graph, name: str, array: np.ndarray) -> str:
    """A constant anew. Others may read the old one."""
    if name.endswith("_equalized"):
        graph.constants[name] = array.astype(np.float32)
        return name
    return graph.add_constant(f"{name}_equalized", array.astype(np.float32))
