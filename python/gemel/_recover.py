# SPDX-License-Identifier: Apache-2.0
"""Training of compressed float ONNX models: fine-tuning and distillation."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ._errors import user_error
from ._html import table
from ._network import Source
from ._options import choice, whole
from ._rewritten import Counted, Images, RewrittenModel, called


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What a model says of images that it has not learnt from."""

    loss: float
    right: int | None  # None: there are no labels


@dataclass(frozen=True, kw_only=True)
class RecoveredModel(RewrittenModel):
    """A float ONNX model with other weights, and what training brought. On the held-out images it is never worse than before."""

    before: HeldOut
    after: HeldOut
    images: int  # that were learnt from
    held_out: int
    epochs: int  # that were run
    best_epoch: int  # whose weights these are; 0: those that were given
    parameters: int  # that were trained
    zeros: int  # among them that stayed 0
    loss: str  # "classes", "values"
    interrupted: bool  # by Ctrl-C
    notes: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""

        def plain(one: HeldOut) -> dict[str, Any]:
            return {"loss": one.loss, "right": one.right}

        return {"before": plain(self.before), "after": plain(self.after), "images": self.images, "held_out": self.held_out, "epochs": self.epochs,
                "best_epoch": self.best_epoch, "parameters": self.parameters, "zeros": self.zeros, "loss": self.loss, "interrupted": self.interrupted,
                "notes": list(self.notes)}  # fmt: skip

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = [(f"loss ({self.loss})", f"{self.before.loss:.4g}", f"{self.after.loss:.4g}")]
        if self.before.right is not None and self.after.right is not None:
            before, after = (f"{one} ({one / self.held_out:.1%})" for one in (self.before.right, self.after.right))
            rows.append(("right", before, after))
        return rows

    def __str__(self) -> str:
        rows = [(f"{self.held_out:,} held-out images", "before", "after"), *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows]
        lines.append(f"learnt from {self.images:,} images, {self.epochs} epochs; the weights are those of epoch {self.best_epoch}")
        lines.append(f"{self.parameters:,} parameters, {self.zeros:,} of them zeros that stayed")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        return table(f"{self.held_out:,} held-out images", ("", "before", "after"), self._rows())


def recover(
    model: Source,
    data: Images,
    out: Source | None = None,
    *,
    teacher: Source | None = None,
    loss: Literal["classes", "values"] | None = None,
    temperature: float | None = None,
    teacher_share: float = 0.7,
    layers: bool = False,
    epochs: int = 50,
    batch: int = 32,
    rate: float = 0.01,
    held_out: float = 0.2,
    patience: int = 10,
    seed: int = 1,
    progress: bool = False,
) -> RecoveredModel:
    """Trains a float32 ONNX model that was compressed, so that it becomes right again: from labels, from the model before compression, or both.

    model: a float32 .onnx file, or a float .tflite file. Zeros among the weights of its layers stay zeros, and shapes stay as they are: what compress() bought
        is kept. Its batch norms are folded.
    data: images as the model takes them (float32, NCHW): a .npz or .npy file, an array, or arrays by the names of the model's inputs, all of which are in
        memory at once; and `labels`, if there are any.
    out: file to write; None: .save() writes it.
    teacher: the model before compression, or another one with such inputs and outputs: its outputs are learnt (distillation). None: labels alone are.
    loss: "classes": outputs are scores of classes, compared as softmaxes at `temperature`, which is 4 unless given, and with labels by their cross entropy.
        "values": outputs are compared with the teacher's as they are. None: "classes" if there are labels, a Softmax at the end, or a temperature.
    teacher_share: of the loss, where there are labels as well.
    layers: results of layers that have the teacher's names and shapes are learnt, too (as those of low ranks, and of zeros among the weights, have).
    epochs: at the most; batch: images of a step; rate: of a step, in units of each parameter's size, falling to 0 as a cosine.
    held_out: share of the images that are not learnt from, drawn by the seed. What is best on them is kept; training ends after `patience` epochs in
        a row that brought nothing there.
    seed: the same seed gives the same model on the same computer.
    progress: a line on stderr.

    Ctrl-C (KeyboardInterrupt) ends the training: the result is the best until then, and says that it was `interrupted`.

    Raises UserError E11xx (the model: E1104 names every operator that cannot be trained through), E1214 (the images), E1212, E0911, E0915, E0902.
    """
    if loss is not None:
        choice("loss", loss, ("classes", "values"))
    if loss == "values" and temperature is not None:
        raise user_error("E0911", "`temperature` is for classes, and the loss is `values`", "leave out one of them")
    if teacher is None:
        for name, given in (("loss", loss == "values"), ("temperature", temperature is not None), ("layers", layers)):
            if given:
                raise user_error("E0911", f"`{name}` is for learning from a teacher, and there is none", "add `teacher`: the model before compression")
    for name, value, low, high in (("temperature", temperature, 0.0, 1e3), ("rate", rate, 0.0, 10.0)):
        if value is not None and not low < value <= high:
            raise user_error("E0915", f"`{name}` is {value}, but must be a number above {low:g}, at most {high:g}")
    if not 0 < teacher_share <= 1:
        raise user_error("E0915", f"`teacher_share` is {teacher_share}, but must be a share above 0, at most 1")
    if not 0 < held_out < 1:
        raise user_error("E0915", f"`held_out` is {held_out}, but must be a share above 0 and below 1")
    for name, number in (("epochs", epochs), ("batch", batch), ("patience", patience)):
        whole(name, number, 1, 1_000_000)
    whole("seed", seed, 0)
    line = Counted() if progress and sys.stderr.isatty() else None
    try:
        found = called(lambda: import_module("gemel.rewrite.recover").recover(
            Path(os.fspath(model)), os.fspath(data) if isinstance(data, os.PathLike) else data,
            teacher=None if teacher is None else Path(os.fspath(teacher)), classes=None if loss is None else loss == "classes",
            temperature=temperature, teacher_share=teacher_share, layers=layers, epochs=epochs, batch=batch, rate=rate, held_out=held_out,
            patience=patience, seed=seed, progress=line))  # fmt: skip
    finally:
        if line is not None:
            line.end()
    before, after = (HeldOut(loss=one.loss, right=one.right) for one in (found.before, found.after))
    assert math.isfinite(after.loss)
    result = RecoveredModel(before=before, after=after, images=found.images, held_out=found.held_out, epochs=found.epochs, best_epoch=found.best,
                            parameters=found.trained, zeros=found.zeros, loss="classes" if found.classes else "values", interrupted=found.interrupted,
                            notes=tuple(found.notes), _model=found.model)  # fmt: skip
    if out is not None:
        result.save(out)
    return result
