# SPDX-License-Identifier: Apache-2.0
"""Pruning by magnitude: filters that are really removed, single weights, N of every M weights, blocks of the size of an array."""

from __future__ import annotations

import math

import numpy as np

from .channels import Channels, depthwise
from .graph import Graph, attributes, set_attribute
from .plan import weights_of
from .runtime import onnx

LEAST_KEPT = 0.05  # of a layer's filters, or blocks, whatever the others' magnitudes are


def remove_filters(graph: Graph, share: float, scope: str, round_to: int, keep: set[str]) -> int:
    """The filters with the least L2 norms go, with their biases, and with what reads them. How many layers got smaller.

    scope "layer": so many of each set of channels that belong together; "global": so many of all, norms in units of their layer's mean.
    """
    channels = Channels(graph, keep)
    norms: dict[int, np.ndarray] = {}
    for node, space in channels.makers:
        held = weights_of(graph, node)
        assert held is not None
        w, axis = held
        norm = np.sqrt(np.square(np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1), dtype=np.float64).sum(axis=1))
        root = channels.root(space)
        mean = norm.mean()
        norms[root] = norms.get(root, 0) + (norm / mean if mean > 0 else norm)
    free = {root: norm for root, norm in norms.items() if not channels.frozen(root)}
    masks = {root: np.ones(channels.size[root], bool) for root in {channels.root(s) for s in range(len(channels.size))}}
    wanted: dict[int, int] = {}
    if scope == "global" and free:
        means = {root: norm / norm.mean() if norm.mean() > 0 else norm for root, norm in free.items()}
        everything = np.sort(np.concatenate(list(means.values())))
        threshold = everything[min(int(share * everything.size), everything.size - 1)]
        wanted = {root: int((norm >= threshold).sum()) for root, norm in means.items()}
    else:
        wanted = {root: norm.size - int(share * norm.size) for root, norm in free.items()}
    for root, norm in free.items():
        kept = max(wanted[root], 1, int(np.ceil(LEAST_KEPT * norm.size)) if scope == "global" else 1)
        kept = min(-(-kept // round_to) * round_to, norm.size)
        masks[root][np.argsort(norm, kind="stable")[: norm.size - kept]] = False
    return _cut(graph, channels, masks)


def _cut(graph: Graph, channels: Channels, masks: dict[int, np.ndarray]) -> int:
    smaller = 0
    for node in graph.nodes:
        held = weights_of(graph, node)
        if held is None or node.input[0] not in channels.of or node.output[0] not in channels.of:
            continue
        w, axis = held
        into, out = channels.mask(node.input[0], masks), channels.mask(node.output[0], masks)
        if into.all() and out.all():
            continue
        smaller += 1
        kept = np.compress(out, w, axis=axis)
        if depthwise(graph, node):
            set_attribute(node, "group", int(out.sum()))
        elif not into.all():
            kept = np.compress(into, kept, axis=1 if node.op_type == "Conv" else 1 - axis)
        node.input[1] = graph.add_constant(f"{node.output[0]}_kept", np.ascontiguousarray(kept))
        if len(node.input) > 2 and node.input[2]:
            node.input[2] = graph.add_constant(f"{node.output[0]}_bias_kept", graph.constants[node.input[2]].reshape(-1)[out])
    graph.infer()
    return smaller


def zero_weights(graph: Graph, share: float, scope: str, keep: set[str]) -> int:
    """The weights of least magnitude become 0. How many layers have more zeros now."""
    found = [(node, held[0]) for node in graph.nodes if node.output[0] not in keep and (held := weights_of(graph, node)) is not None]
    if not found:
        return 0
    everything = np.sort(np.abs(np.concatenate([w.reshape(-1) for _, w in found]))) if scope == "global" else None
    for node, w in found:
        magnitudes = np.abs(w)
        if everything is not None:
            count = int(np.searchsorted(np.sort(magnitudes, axis=None), everything[min(int(share * everything.size), everything.size - 1)]))
        else:
            count = int(share * w.size)
        kept = w.copy().reshape(-1)
        kept[np.argsort(magnitudes, axis=None, kind="stable")[:count]] = 0
        node.input[1] = graph.add_constant(f"{node.output[0]}_sparse", kept.reshape(w.shape))
    return len(found)


def n_of_m(graph: Graph, n: int, m: int, keep: set[str]) -> int:
    """Of each m weights of an output, one behind the other (input channels first, then the window), the n largest stay. Of a rest of fewer than m as well."""
    count = 0
    for node in graph.nodes:
        held = weights_of(graph, node)
        if held is None or node.output[0] in keep:
            continue
        w, axis = held
        # Outputs first, input channels last: weights behind each other are of neighbouring channels.
        order = (axis, *(d for d in range(w.ndim) if d not in (axis, 1 if node.op_type == "Conv" else 1 - axis)), 1 if node.op_type == "Conv" else 1 - axis)
        rows = w.transpose(order).reshape(w.shape[axis], -1).copy()
        padded = np.zeros((rows.shape[0], -(-rows.shape[1] // m) * m), rows.dtype)
        padded[:, : rows.shape[1]] = rows
        groups = padded.reshape(-1, m)
        least = np.argsort(np.abs(groups), axis=1, kind="stable")[:, : m - n]
        np.put_along_axis(groups, least, 0, axis=1)
        rows = padded[:, : rows.shape[1]]
        shape = tuple(w.shape[d] for d in order)
        node.input[1] = graph.add_constant(f"{node.output[0]}_sparse", np.ascontiguousarray(rows.reshape(shape).transpose(np.argsort(order))))
        count += 1
    return count


def zero_blocks(graph: Graph, share: float, scope: str, rows: int, columns: int, keep: set[str]) -> int:
    """The blocks of least magnitude become 0. How many layers have more zeros now.

    A block is what an array of so many rows and columns holds: `rows` input channels at one tap of the window, for `columns` outputs; less at the edges, which
    therefore go first: they cost as much as whole ones. Magnitude is the L2 norm, with scope "global" in units of its mean in the layer. Layers with groups, or
    with fewer input channels than rows, stay: their weights are packed otherwise.
    """
    found: list[tuple[onnx.NodeProto, np.ndarray, np.ndarray, np.ndarray]] = []  # a layer, its weights, their places in the array's order, norms of its blocks
    producers = graph.makers()
    for node in graph.nodes:
        held = weights_of(graph, node)
        if held is None or node.output[0] in keep or (node.op_type == "Conv" and attributes(node).get("group", 1) != 1):
            continue
        w, axis = held
        places = _places(graph, producers, node, w.shape, axis)
        outputs, taps, inputs = places.shape
        if inputs < rows:
            continue
        padded = np.zeros((-(-outputs // columns) * columns, taps, -(-inputs // rows) * rows), np.float64)
        padded[:outputs, :, :inputs] = w.reshape(-1)[places]
        found.append((node, w, places, np.sqrt(np.square(padded.reshape(-1, columns, taps, padded.shape[2] // rows, rows)).sum(axis=(1, 4)))))
    threshold = None
    if scope == "global" and found:
        everything = np.sort(np.concatenate([_in_units_of_the_mean(norms) for *_, norms in found]))
        threshold = everything[min(int(share * everything.size), everything.size - 1)]
    changed = 0
    for node, w, places, norms in found:
        count = int(share * norms.size)
        if threshold is not None:
            count = min(int((_in_units_of_the_mean(norms) < threshold).sum()), norms.size - math.ceil(LEAST_KEPT * norms.size))
        if count == 0:
            continue
        kept = np.ones(norms.size, bool)
        kept[np.argsort(norms, axis=None, kind="stable")[:count]] = False
        mask = np.repeat(np.repeat(kept.reshape(norms.shape), columns, axis=0), rows, axis=2)[: places.shape[0], :, : places.shape[2]]
        sparse = w.copy().reshape(-1)
        sparse[places[~mask]] = 0
        node.input[1] = graph.add_constant(f"{node.output[0]}_sparse", sparse.reshape(w.shape))
        changed += 1
    return changed


def _in_units_of_the_mean(norms: np.ndarray) -> np.ndarray:
    mean = norms.mean()
    return norms.reshape(-1) / (mean if mean > 0 else 1)


def _places(graph: Graph, producers: dict[str, onnx.NodeProto], node: onnx.NodeProto, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Of outputs x taps x inputs, in the order in which the array has them: the place among the layer's weights."""
    places = np.arange(math.prod(shape)).reshape(shape)
    if node.op_type == "Conv":
        return np.moveaxis(places, 1, -1).reshape(shape[0], -1, shape[1])
    places = places if axis == 0 else places.T
    # The pixels of an image that is flattened before a dense layer: in memory its channels lie side by side.
    name = node.input[0]
    while (maker := producers.get(name)) is not None and graph.shapes.get(maker.input[0]) == graph.shapes.get(name) and len(maker.input) == 1:
        name = maker.input[0]
    image = graph.shapes.get(maker.input[0], ()) if maker is not None and maker.op_type in ("Flatten", "Reshape") else ()
    if len(image) >= 3 and math.prod(image[1:]) == places.shape[1]:
        places = places.reshape(places.shape[0], image[1], -1).swapaxes(1, 2).reshape(places.shape[0], -1)
    return places[:, None, :]
