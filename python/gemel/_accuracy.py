# SPDX-License-Identifier: Apache-2.0
"""How often a network is right on the machine's own arithmetic, beside the same network in float32."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._arrays import Array, array_of
from ._errors import user_error
from ._gemel import StopToken, TensorInfo
from ._html import table
from ._machine import Machine
from ._network import Network, Source, load
from ._options import whole
from ._program import Program, as_machine, compile
from ._rewritten import Counted, Images, called
from ._run import run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
else:
    Labels = Any


@dataclass(frozen=True, kw_only=True)
class Count:
    """What one model said of the images."""

    model: str
    runs_on: str  # the machine's name, or "ONNX Runtime"
    right: int | None  # of all images; None: they have no labels
    agree: int  # with the machine
    predictions: Labels  # index of the largest output, for each image


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """A network on many images: what the simulated machine says, and what the models beside it say."""

    machine: Machine
    images: int
    counts: tuple[Count, ...]  # the machine's first
    cycles: int  # of a run
    batch: int  # images of a run
    runs: int
    notes: tuple[str, ...]

    @property
    def accuracy(self) -> float | None:
        """Of the machine: right answers of all, 0 to 1. None: there are no labels."""
        right = self.counts[0].right
        return None if right is None else right / self.images

    def __str__(self) -> str:
        heads = ("model", "runs on", "right", "share", "as the machine")
        rows = [heads, *(self._row(count) for count in self.counts)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = ["  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
        clock = float(self.machine["clock_mhz"])
        lines.append(f"{self.images} images, {self.cycles / self.batch:,.0f} cycles for each ({self.cycles:,} for {self.batch} on {self.machine.name}), "
                     f"{clock * 1e6 * self.batch / self.cycles:,.0f} images per second at {clock:g} MHz")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _row(self, count: Count) -> tuple[str, ...]:
        right = "" if count.right is None else f"{count.right}"
        share = "" if count.right is None else f"{100 * count.right / self.images:.2f} %"
        return count.model, count.runs_on, right, share, f"{100 * count.agree / self.images:.2f} %"

    def _repr_html_(self) -> str:
        return table(f"{self.images} images on {self.machine.name}", ("model", "runs on", "right", "share", "as the machine"),
                     [self._row(count) for count in self.counts])  # fmt: skip


def accuracy(
    network: Network | Source,
    data: Images,
    machine: Machine | Source | None = None,
    *,
    beside: Sequence[Source] = (),
    images: int | None = None,
    batch: int | None = None,
    compare: bool = True,
    progress: bool = False,
) -> Accuracy:
    """Runs a network on images on a machine, and counts the right answers in what the machine leaves in memory.

    network: a Network, or what gemel.load() takes; its first output has a number for each class (or is the index of the class).
    data: images as the model takes them, float32 in the model's order of dimensions (of a workload file: NHWC), or bytes of its input's type: a .npz file
        with an array `labels`, an array, or arrays by the names of inputs.
    machine: a Machine, or what gemel.machine() takes. None: edge16.
    beside: ONNX models, float or quantized, and float .tflite models that ONNX Runtime runs on the same images.
    images: the first so many of them; None: all. batch: images per run, where `network` is a name or a file; None: as it says.
    compare: every layer of every run with the reference. progress: a line on stderr.

    Runs go side by side in threads. Raises UserError for what gemel.load() and gemel.compile() refuse, E1214 (images), E1212 (onnxruntime is missing),
    RunError for what a run finds wrong.
    """
    most = None if images is None else whole("images", images, 1)
    if isinstance(network, Network):
        if batch is not None:
            raise user_error("E0911", "`batch` and a network that is loaded: its batch cannot be changed", "gemel.load() takes `batch`")
    else:
        network = load(network, batch=batch)
    on = as_machine(machine)
    others = [(os.fspath(path), called(partial(_beside, os.fspath(path)))) for path in beside]
    feeder = _Feeder(network, data)
    line = Counted() if progress and sys.stderr.isatty() else None
    try:
        found, cycles, runs = _run_all(compile(network, on), on, feeder, most, compare, line)
        counts = [_count(network._source, on.name, found, found, feeder.labels)]
        for path, model in others:
            predicted = called(partial(model.predictions, feeder.real(), most))
            counts.append(_count(path, "ONNX Runtime", predicted, found, feeder.labels))
    finally:
        if line is not None:
            line.end()
    return Accuracy(machine=on, images=len(found), counts=tuple(counts), cycles=cycles, batch=feeder.per_run, runs=runs, notes=network.notes)


def _beside(path: str) -> Any:
    return import_module("gemel.rewrite.beside").Beside(path)


def _count(model: str, runs_on: str, predicted: Labels, of_machine: Labels, labels: Labels | None) -> Count:
    right = None if labels is None else int((predicted == labels[: len(predicted)]).sum())
    return Count(model=model, runs_on=runs_on, right=right, agree=int((predicted == of_machine).sum()), predictions=predicted)


class _Feeder:
    """Images as the inputs of runs."""

    def __init__(self, network: Network, data: Images) -> None:
        self._network = network
        self._data = os.fspath(data) if isinstance(data, os.PathLike) else data
        own = [self._layout_shape(info) for info in network.inputs]
        times = network.batch // own[0][0]  # as many images as the file says
        shapes = {info.name: (times * shape[0], *shape[1:]) for info, shape in zip(network.inputs, own, strict=True)}
        self._images = called(lambda: import_module("gemel.rewrite.images").Images(self._data, shapes))
        self.labels: Labels | None = self._images.labels
        self.count: int = self._images.count
        self.per_run: int = 1 if self._images.whole_runs else network.batch

    def _layout_shape(self, info: TensorInfo) -> tuple[int, ...]:
        layout = self._network._layouts.get(info.name)
        shape: tuple[int, ...] = info.shape if layout is None else layout.shape
        return shape

    def runs(self, most: int | None) -> Iterator[tuple[dict[str, Array], int]]:
        iterator = self._images.runs(most)
        while True:
            made = called(lambda: next(iterator, None))
            if made is None:
                return
            inputs, counted = made
            yield {info.name: self._bytes(inputs[info.name], info) for info in self._network.inputs}, counted

    def _bytes(self, rows: Array, info: TensorInfo) -> Array:
        import numpy as np

        kind = np.dtype(info.type)
        limits = np.iinfo(kind)
        if self._images.types[info.name] == kind:
            elements = rows
        else:  # as QuantizeLinear has it
            elements = np.clip(np.rint(rows / np.float32(info.scale)), limits.min - info.zero_point, limits.max - info.zero_point) + info.zero_point
        layout = self._network._layouts.get(info.name)
        if layout is not None:
            elements = np.stack([layout.of_memory(one) for one in elements.reshape(-1, *layout.shape)])
        made: Array = np.ascontiguousarray(elements.reshape(info.shape).astype(kind))
        return made

    def real(self) -> Any:
        """The images for models in float32."""
        import numpy as np

        infos = {info.name: info for info in self._network.inputs}
        if all(self._images.types[name] != np.dtype(info.type) for name, info in infos.items()):
            return self._data
        first = next(iter(infos.values()))
        join = np.stack if self._images.whole_runs else np.concatenate
        rows = join([inputs[first.name][: None if self._images.whole_runs else counted] for inputs, counted in self._images.runs()])
        return (rows - np.float32(first.zero_point)) * np.float32(first.scale)


def _run_all(program: Program, machine: Machine, feeder: _Feeder, most: int | None, compare: bool, line: Counted | None) -> tuple[Labels, int, int]:
    import numpy as np

    indices = import_module("gemel.rewrite.indices").indices
    stop = StopToken()
    total = feeder.count if most is None else min(most, feeder.count)
    predicted: list[Any] = []
    cycles = runs = done = 0
    waiting: deque[tuple[Future[Any], int]] = deque()
    workers = max(1, len(os.sched_getaffinity(0)))

    def take() -> None:
        nonlocal cycles, runs, done
        future, counted = waiting.popleft()
        result = future.result()
        output = array_of(result._inside.outputs()[0])
        predicted.append(called(lambda: indices(output, feeder.per_run))[:counted])
        cycles, runs, done = result.cycles, runs + 1, done + counted
        if line is not None:
            line("running", done, total)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for inputs, counted in feeder.runs(most):
                waiting.append((pool.submit(run, program, machine, inputs=inputs, compare=compare, stop=stop), counted))
                while len(waiting) > 2 * workers:
                    take()
            while waiting:
                take()
        except BaseException:
            stop.request_stop()
            for future, _ in waiting:
                future.cancel()
            raise
    return np.concatenate(predicted), cycles, runs
