# SPDX-License-Identifier: Apache-2.0
"""Runs of a network over images, and what is kept of them: histograms of ranges, and the noise that quantization adds to each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .gradient import window_of
from .graph import Graph, attributes
from .images import Images
from .plan import weights_of
from .qdq import ratio
from .ranges import Histogram
from .runtime import Session, onnx

MOST_INPUTS = 4608  # of an output whose covariance is computed: 512 channels of 3x3
MOST_POSITIONS = 4096  # of a layer's result in one run, with which it is computed

Progress = Callable[[str, int, int], object]  # what is done, so many of so many images


def _silent(what: str, done: int, of: int) -> None:
    return None


def histograms(graph: Graph, values: Iterable[str], images: Images, most: int | None, progress: Progress = _silent) -> dict[str, Histogram]:
    """Of each of the values, over the images. Memory does not grow with their number."""
    wanted = list(values)
    session = Session(graph.proto(), wanted, graph.file)
    found = {name: Histogram() for name in wanted}
    total = images.count if most is None else min(most, images.count)
    done = 0
    for inputs, counted in images.runs(most):
        made = session.run(inputs)
        for name in wanted:
            values_of = made[name]
            if not np.isfinite(values_of).all():
                raise ModelError(Diagnostic("E1109", f"`{name}` is not finite for one of the images {done} to {done + counted - 1}", graph.file,
                                            hint="does the network run on them in float32? Are they scaled as its training had them?"))  # fmt: skip
            found[name].add(values_of)
        done += counted
        progress("calibrating", done, total)
    return found


def means(graph: Graph, values: Iterable[str], images: Images, most: int | None, progress: Progress = _silent) -> dict[str, np.ndarray]:
    """Of each value for each of its channels: dimension 1 of images, else the last one."""
    wanted = list(values)
    session = Session(graph.proto(), wanted, graph.file)
    sums: dict[str, np.ndarray] = {}
    counts = dict.fromkeys(wanted, 0)
    total = images.count if most is None else min(most, images.count)
    done = 0
    for inputs, counted in images.runs(most):
        made = session.run(inputs)
        for name in wanted:
            array = made[name]
            axis = 1 if array.ndim > 2 else array.ndim - 1
            rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
            sums[name] = sums.get(name, 0) + rows.sum(axis=1, dtype=np.float64)
            counts[name] += rows.shape[1]
        done += counted
        progress("means", done, total)
    return {name: sums[name] / counts[name] for name in wanted}


def peaks(graph: Graph, values: Iterable[str], images: Images, most: int | None, progress: Progress = _silent) -> dict[str, np.ndarray]:
    """Of each value the largest magnitude of each channel, the last dimension."""
    wanted = sorted(values)
    session = Session(graph.proto(), wanted, graph.file)
    found: dict[str, np.ndarray] = {}
    total = images.count if most is None else min(most, images.count)
    done = 0
    for inputs, counted in images.runs(most):
        made = session.run(inputs)
        for name in wanted:
            largest = np.abs(made[name]).reshape(-1, made[name].shape[-1]).max(axis=0)
            found[name] = np.maximum(found[name], largest) if name in found else largest
        done += counted
        progress("channels", done, total)
    return found


def moments(graph: Graph, layers: Iterable[onnx.NodeProto], images: Images, most: int, progress: Progress = _silent) -> dict[str, np.ndarray]:
    """For results of layers, the covariance of what their weights are multiplied with (where there is no bias that could take the mean out, the second
    moment): float64 [groups, inputs, inputs], inputs in the order of the weights' other dimensions. With the first `most` images. Layers whose weights
    others share, or of more than MOST_INPUTS inputs, are left out."""
    readers = graph.readers()
    wanted = [node for node in layers if len(readers[node.input[1]]) == 1 and _inner(graph, node) <= MOST_INPUTS]
    if not wanted:
        return {}
    session = Session(graph.proto(), [node.input[0] for node in wanted], graph.file)
    sums: dict[str, np.ndarray] = {}
    totals: dict[str, np.ndarray] = {}
    counts: dict[str, int] = {}
    done = 0
    for inputs, counted in images.runs(most):
        made = session.run(inputs)
        for node in wanted:
            out = node.output[0]
            rows = _rows(graph, node, made[node.input[0]]).astype(np.float64)  # [groups, rows, inputs]
            sums[out] = sums.get(out, 0) + rows.transpose(0, 2, 1) @ rows
            totals[out] = totals.get(out, 0) + rows.sum(axis=1)
            counts[out] = counts.get(out, 0) + rows.shape[1]
        done += counted
        progress("moments", done, most)
    found = {}
    for node in wanted:
        out = node.output[0]
        second = sums[out] / counts[out]
        if node.op_type != "MatMul":  # others have a bias, which takes the mean out
            mean = totals[out] / counts[out]
            second = second - mean[:, :, None] * mean[:, None, :]
        found[out] = second
    return found


def _inner(graph: Graph, node: onnx.NodeProto) -> int:
    held = weights_of(graph, node)
    assert held is not None
    w, axis = held
    return int(w.size) // int(w.shape[axis])


def _rows(graph: Graph, node: onnx.NodeProto, x: np.ndarray) -> np.ndarray:
    """What each output is a sum over: [groups, rows, inputs of an output]. Of many rows of pixels every second one, or every third, ..."""
    if node.op_type != "Conv":
        rows = x.reshape(1, -1, x.shape[-1])
        return rows[:, :: -(-rows.shape[1] // MOST_POSITIONS)]
    w = graph.constants[node.input[1]]
    given, rank = attributes(node), x.ndim - 2
    kernel, groups = w.shape[2:], given.get("group", 1)
    strides, dilations, pads = window_of(node, given, x.shape, kernel)
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
    view = np.lib.stride_tricks.sliding_window_view(x, [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)], tuple(range(2, 2 + rank)))
    view = view[(slice(None), slice(None), *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))]
    n, channels = x.shape[:2]
    view = view[:, :, :: -(-int(np.prod(view.shape[2 : 2 + rank])) // MOST_POSITIONS)]
    view = view.reshape(n, groups, channels // groups, *view.shape[2:])
    order = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    return view.transpose(order).reshape(groups, -1, channels // groups * int(np.prod(kernel)))


class _Noise:
    """Sums over runs, value by value."""

    def __init__(self, values: Iterable[str]):
        self._sums = {name: [0.0, 0.0] for name in values}  # of the squares of the exact values, and of the errors

    def add(self, exact: dict[str, np.ndarray], noisy: dict[str, np.ndarray]) -> None:
        for name, sums in self._sums.items():
            kind = exact[name].dtype if exact[name].dtype.kind == "f" else np.float64  # of truths and of unsigned numbers there are no differences
            sums[0] += float(np.square(exact[name], dtype=np.float64).sum())
            sums[1] += float(np.square(np.subtract(exact[name], noisy[name], dtype=kind), dtype=np.float64).sum())

    def decibels(self) -> dict[str, float]:
        return {name: ratio(*sums) for name, sums in self._sums.items()}


class Exact:
    """A network's outputs in float32 for the first so many images, with which those of many models are compared."""

    def __init__(self, graph: Graph, images: Images, most: int):
        self._file, self._images, self._most = graph.file, images, most
        session = Session(graph.proto(), file=graph.file)
        self._outputs: list[dict[str, np.ndarray]] = []
        for inputs, _ in images.runs(most):
            made = session.run(inputs)
            self._outputs.append({name: made[name] for name in graph.outputs})

    def worst(self, model: onnx.ModelProto) -> float:
        """Signal to noise in dB of the worst output."""
        session = Session(model, file=self._file)
        sums = _Noise(self._outputs[0])
        for exact, (inputs, _) in zip(self._outputs, self._images.runs(self._most), strict=True):
            sums.add(exact, session.run(inputs))
        return min(sums.decibels().values())


def noise(graph: Graph, quantized: onnx.ModelProto, values: Iterable[str], images: Images, most: int | None, progress: Progress = _silent,
          skip: int = 0) -> dict[str, float]:  # fmt: skip
    """Signal to noise in dB of each value that both models make, all errors before it included."""
    wanted = list(values)
    first, second = Session(graph.proto(), wanted, graph.file), Session(quantized, wanted, graph.file)
    sums = _Noise(wanted)
    total = images.count - skip if most is None else min(most, images.count - skip)
    done = 0
    for inputs, counted in images.runs(most, skip):
        sums.add(first.run(inputs), second.run(inputs))
        done += counted
        progress("comparing", done, total)
    return sums.decibels()
