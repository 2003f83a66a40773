# SPDX-License-Identifier: Apache-2.0
"""Pruning by magnitude: filters that are really removed, single weights, N of every M weights."""

from __future__ import annotations

import numpy as np

from .channels import Channels, depthwise
from .graph import Graph, set_attribute
from .plan import weights_of

LEAST_KEPT = 0.05  # of a layer's filters, whatever the others' magnitudes are


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
