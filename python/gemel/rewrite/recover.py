# SPDX-License-Identifier: Apache-2.0
"""Training of a float32 model that has been compressed, from labels or from the model that it was made of. What compression bought stays: zeros among the
weights of layers stay zeros, shapes stay as they are. Forward and backward passes are ONNX graphs that ONNX Runtime runs (gradient.py)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from ..importer.workload import shape_text
from .gradient import batched, gradient, places_of_largest, with_inputs
from .graph import Graph, attributes, load_float
from .images import HINT, Images
from .indices import indices
from .loss import Loss
from .plan import LAYERS, weights_of
from .prepare import prepare
from .runtime import Session, onnx

READ_AT_ONCE = 256  # images
WARM = 0.05  # share of the steps in which the rate rises
DECAY = (0.9, 0.999)  # of Adam's means
LEAST_SIZE = 1e-3  # of a parameter, for its step
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Score:
    """On held-out images."""

    loss: float
    right: int | None  # None: there are no labels

    def better_than(self, other: Score) -> bool:
        return math.isfinite(self.loss) and (self.right or 0, -self.loss) > (other.right or 0, -other.loss)


@dataclass
class Outcome:
    model: onnx.ModelProto
    before: Score
    after: Score
    images: int  # that were learnt from
    held_out: int
    epochs: int  # that were run
    best: int  # the epoch whose weights these are; 0: as they were
    trained: int  # parameters
    zeros: int  # among them that stayed 0
    classes: bool
    interrupted: bool
    notes: list[str]


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a training that diverges says so in a note
def recover(path: Path, data: Any, *, teacher: Path | None, classes: bool | None, temperature: float | None, teacher_share: float, layers: bool,
            epochs: int, batch: int, rate: float, held_out: float, patience: int, seed: int,
            progress: Callable[[str, int, int], None] | None = None) -> Outcome:  # fmt: skip
    """ModelError: E11xx, E1214."""
    graph = _loaded(path)
    images, labels = _read(data, graph)
    if labels is None and teacher is None:
        raise ModelError(Diagnostic("E1214", "the images have no labels, and there is no teacher: there is nothing to learn from", _file(data),
                                    hint="numpy.savez(FILE, images=..., labels=...), or give the model before compression as the teacher"))  # fmt: skip
    count = len(next(iter(images.values())))
    held = min(max(1, round(held_out * count)), count - 1)
    if held < 1:
        raise ModelError(Diagnostic("E1214", "there is one image, but some are learnt from and others held out", _file(data), hint="give two at least"))
    student = _Student(graph, min(batch, count - held))
    ends = student.softmaxes
    if classes is None:
        classes = labels is not None or ends or temperature is not None
    other = None if teacher is None else _Teacher(_loaded(teacher), graph, student, classes, layers)
    if labels is not None:
        _check_labels(labels, student, graph, classes, _file(data))
    values = student.scores if classes else student.outputs
    loss = Loss(classes, 4.0 if temperature is None else temperature, teacher_share, student.axes)
    matched = other.layers if other is not None else []
    trainer = _Trainer(student, values, matched, other, loss)
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    held_rows, rows = order[:held], order[held:]

    notes: list[str] = []
    first = best = trainer.score(images, labels, held_rows)
    if not math.isfinite(first.loss):
        raise ModelError(Diagnostic("E1109", "the model's outputs on held-out images are not finite", graph.file,
                                    hint="its images may be scaled in another way"))  # fmt: skip
    kept, best_epoch, done, interrupted = trainer.copy(), 0, 0, False
    try:
        for epoch in range(1, epochs + 1):
            if progress is not None:
                progress(f"recovering, held-out loss {best.loss:.4g}, epoch", epoch, epochs)
            trainer.epoch(images, labels, rng.permutation(rows), rate, (epoch - 1) / epochs, 1 / epochs)
            done = epoch
            found = trainer.score(images, labels, held_rows)
            if found.better_than(best):
                best, best_epoch, kept = found, epoch, trainer.copy()
            if not math.isfinite(found.loss):
                notes.append(f"training diverged in epoch {epoch}: a lower rate than {rate:g} may help")
                break
            if epoch - best_epoch >= patience:
                notes.append(f"stopped after epoch {epoch}: {patience} in a row without progress on the held-out images")
                break
    except KeyboardInterrupt:
        interrupted = True
        notes.append(f"interrupted in epoch {done + 1}: the best until then is kept")
    if best_epoch == 0:
        notes.append("no epoch was better on the held-out images: the weights are those that were given")
    for name, array in kept.items():
        graph.constants[name] = array
    return Outcome(graph.proto(), first, best, len(rows), held, done, best_epoch, sum(a.size for a in kept.values()),
                   sum(int((mask == 0).sum()) for mask in trainer.masks.values()), classes, interrupted, notes)  # fmt: skip


def _file(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else ""


def _loaded(path: Path) -> Graph:
    graph = load_float(path)
    prepare(graph)
    return graph


def _read(data: Any, graph: Graph) -> tuple[Arrays, np.ndarray | None]:
    source = Images(data, {name: (READ_AT_ONCE, *graph.shapes[name][1:]) for name in graph.inputs})
    if source.whole_runs:
        raise ModelError(Diagnostic("E1214", "the images have one dimension more than the model's inputs", _file(data), hint=HINT))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in graph.inputs}
    for inputs, counted in source.runs():
        for name, array in inputs.items():
            parts[name].append(array[:counted])
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}, source.labels


def _check_labels(labels: np.ndarray, student: _Student, graph: Graph, classes: bool, file: str) -> None:
    shape = student.graph.shapes[student.scores[0]]
    if not classes:
        raise ModelError(Diagnostic("E1214", "the images have labels, but outputs are compared as values", file, hint="leave the labels out of the file"))
    number = math.prod(shape[1:])
    if number != shape[1]:
        raise ModelError(Diagnostic("E1214", f"the images have a label each, but output `{graph.outputs[0]}` has the shape {shape_text(shape[1:])} for each",
                                    file, hint="leave the labels out, and give the model before compression as the teacher"))  # fmt: skip
    wrong = np.flatnonzero((labels < 0) | (labels >= number))
    if wrong.size:
        message = f"the label of image {wrong[0]} is {labels[wrong[0]]}, but output `{graph.outputs[0]}` has the classes 0 to {number - 1}"
        raise ModelError(Diagnostic("E1214", message, file, hint="a label is the index of the right output"))


class _Student:
    def __init__(self, graph: Graph, batch: int):
        self.batch = batch
        self.graph = batched(graph, batch)
        places_of_largest(self.graph)
        self.outputs = self.graph.outputs
        self.scores, self.axes = scores(self.graph)
        self.softmaxes = self.scores != self.outputs
        self.parameters = trainable(self.graph)
        if not self.parameters:
            raise ModelError(Diagnostic("E1109", "the model has no weights that could be trained", graph.file,
                                        hint="weights are constants of Conv, Gemm and MatMul, or added and multiplied ones"))  # fmt: skip


def scores(graph: Graph) -> tuple[list[str], list[int]]:
    """What stands before the Softmax at each output, or the output itself, and the dimension of classes."""
    makers = graph.makers()
    values, axes = [], []
    for name in graph.outputs:
        node = makers.get(name)
        last = node is not None and node.op_type in ("Softmax", "LogSoftmax")
        values.append(node.input[0] if last and node is not None else name)
        axes.append(attributes(node).get("axis", -1) if last and node is not None else 1)
    return values, axes


def trainable(graph: Graph) -> list[str]:
    """Constants of layers, and those that are added or multiplied, but for single numbers."""
    found: dict[str, None] = {}
    for node in graph.nodes:
        for i, name in enumerate(node.input):
            array = graph.constants.get(name) if name else None
            if array is None or array.dtype != np.float32 or array.size == 0:
                continue
            if node.op_type in LAYERS or node.op_type == "ConvTranspose" or (node.op_type in ("Add", "Sub", "Mul", "PRelu") and array.size > 1):
                found[name] = None
    return list(found)


class _Teacher:
    """The model before compression, run on the same images."""

    def __init__(self, graph: Graph, small: Graph, student: _Student, classes: bool, layers: bool):
        if [graph.shapes[n][1:] for n in graph.inputs] != [small.shapes[n][1:] for n in small.inputs]:
            raise self._differs(graph, small, "inputs")
        if [graph.shapes[n][1:] for n in graph.outputs] != [small.shapes[n][1:] for n in small.outputs]:
            raise self._differs(graph, small, "outputs")
        self.names = dict(zip(small.inputs, graph.inputs, strict=True))
        self.graph = batched(graph, student.batch)
        self.values = scores(self.graph)[0] if classes else self.graph.outputs
        self.layers: list[str] = []
        if layers:
            makers = self.graph.makers()
            self.layers = [node.output[0] for node in student.graph.nodes if weights_of(student.graph, node) is not None
                           and node.output[0] in makers and weights_of(self.graph, makers[node.output[0]]) is not None
                           and self.graph.shapes[node.output[0]] == student.graph.shapes[node.output[0]]]  # fmt: skip
            if not self.layers:
                raise ModelError(Diagnostic("E1109", "no layer of the model has a result of the name and shape that one of its teacher has", small.file,
                                            f"teacher: {graph.file}", "leave `layers` out: outputs alone are compared then"))  # fmt: skip
        self._session = Session(self.graph.proto(), [*self.values, *self.layers], graph.file)

    def _differs(self, graph: Graph, small: Graph, what: str) -> ModelError:
        shapes = [", ".join(shape_text(g.shapes[n][1:]) for n in getattr(g, what)) for g in (graph, small)]
        return ModelError(Diagnostic("E1109", f"{what} of the teacher have the shapes {shapes[0]}, and of the model {shapes[1]}", small.file,
                                     f"teacher: {graph.file}", "give the model before compression"))  # fmt: skip

    def __call__(self, inputs: Arrays) -> Arrays:
        return self._session.run({self.names[name]: array for name, array in inputs.items()})


class _Trainer:
    """Adam, with steps in units of each parameter's size: layers with folded batch norms differ in it by orders of magnitude."""

    def __init__(self, student: _Student, values: list[str], layers: list[str], teacher: _Teacher | None, loss: Loss):
        self._student, self._values, self._layers, self._teacher, self._loss = student, values, layers, teacher, loss
        graph = student.graph
        self._backward = gradient(graph, list(dict.fromkeys([*values, *layers])), student.parameters)
        self._parameters = {name: graph.constants[name].copy() for name in self._backward.parameters}
        weights = {node.input[1] for node in graph.nodes if weights_of(graph, node) is not None}
        self.masks = {name: (array != 0).astype(np.float32) for name, array in self._parameters.items() if name in weights}
        self._sizes = {name: max(LEAST_SIZE, float(np.sqrt(np.square(array, dtype=np.float64).sum() / max(1, np.count_nonzero(array)))))
                       for name, array in self._parameters.items()}  # fmt: skip
        self._means: Arrays = {name: np.zeros_like(array) for name, array in self._parameters.items()}
        self._squares: Arrays = {name: np.zeros_like(array) for name, array in self._parameters.items()}
        self._steps = 0
        read = [name for name in self._backward.read if name not in graph.inputs and name not in self._parameters]
        self._forward = Session(with_inputs(graph, self._parameters), [*read, *values, *layers], graph.file)
        self._gradient = Session(self._backward.model, file=graph.file)

    def copy(self) -> Arrays:
        return {name: array.copy() for name, array in self._parameters.items()}

    def _rows(self, images: Arrays, rows: np.ndarray) -> Arrays:
        return {name: np.ascontiguousarray(array[rows]) for name, array in images.items()}

    def _compared(self, inputs: Arrays, made: Arrays, labels: np.ndarray | None, count: int) -> tuple[float, list[np.ndarray]]:
        """The loss of the first `count` images, and its gradients."""
        wanted = None if self._teacher is None else self._teacher(inputs)
        theirs = None if wanted is None or self._teacher is None else [wanted[v][:count] for v in self._teacher.values]
        rows = {v: count * (len(made[v]) // self._student.batch) for v in self._layers}  # of dense layers there may be several for an image
        layers = [] if wanted is None else [(made[v][: rows[v]], wanted[v][: rows[v]]) for v in self._layers]
        return self._loss([made[v][:count] for v in self._values], theirs, labels, layers)

    def score(self, images: Arrays, labels: np.ndarray | None, rows: np.ndarray) -> Score:
        """Means over images, in runs of a batch; a last one that is not full repeats its last image, which counts once."""
        total, right, batch = 0.0, 0, self._student.batch
        for at in range(0, len(rows), batch):
            taken = rows[at : at + batch]
            count = len(taken)
            inputs = self._rows(images, np.concatenate([taken, np.repeat(taken[-1:], batch - count)]))
            made = self._forward.run(inputs | self._parameters)
            value, _ = self._compared(inputs, made, None if labels is None else labels[taken], count)
            total += value * count
            if labels is not None:
                right += int((indices(made[self._values[0]], batch)[:count] == labels[taken]).sum())
        return Score(total / len(rows), None if labels is None else right)

    def epoch(self, images: Arrays, labels: np.ndarray | None, rows: np.ndarray, rate: float, begin: float, share: float) -> None:
        """Every image once, but for a rest that fills no batch. `begin`, `share`: of the whole training, for the rate."""
        batch = self._student.batch
        steps = len(rows) // batch
        for step in range(steps):
            taken = rows[step * batch : (step + 1) * batch]
            inputs = self._rows(images, taken)
            made = self._forward.run(inputs | self._parameters)
            _, slopes = self._compared(inputs, made, None if labels is None else labels[taken], batch)
            seeds: Arrays = {}
            for value, slope in zip([*self._values, *self._layers], slopes, strict=True):
                name = self._backward.seeds[value]
                seeds[name] = seeds[name] + slope if name in seeds else slope
            everything = made | self._parameters
            found = self._gradient.run({name: everything[name] for name in self._backward.read} | seeds)
            done = begin + share * step / steps
            falling = (1 + math.cos(math.pi * done)) / 2
            self._step({name: found[out] for name, out in self._backward.parameters.items()}, rate * min(1, (done + share / steps) / WARM) * falling)

    def _step(self, gradients: Arrays, rate: float) -> None:
        self._steps += 1
        first, second = DECAY
        for name, slope in gradients.items():
            mean, square = self._means[name], self._squares[name]
            mean += (1 - first) * (slope - mean)
            square += (1 - second) * (slope * slope - square)
            direction = mean / (1 - first**self._steps) / (np.sqrt(square / (1 - second**self._steps)) + 1e-12)
            array = self._parameters[name]
            array -= np.float32(rate * self._sizes[name]) * direction
            if name in self.masks:
                array *= self.masks[name]
