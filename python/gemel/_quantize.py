# SPDX-License-Identifier: Apache-2.0
"""Quantization of float ONNX models."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ._errors import user_error
from ._html import table
from ._network import Source
from ._options import choice, whole
from ._rewritten import Counted, Images, RewrittenModel, called, table_line

Method = Literal["minmax", "percentile", "mse", "entropy"]
METHODS = ("minmax", "percentile", "mse", "entropy")


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """What quantization does to the result of one operator. Ratios of signal to noise in dB: 6 more are one bit more."""

    name: str  # of the result, as the model has it
    operator: str
    sqnr: float  # of the result, all errors before it included
    weight_sqnr: float | None  # of the weights alone
    alone: float | None  # of the worst output, if this layer alone is quantized; None: not asked for
    low: float  # least and largest value that the result's bytes can have
    high: float
    bits: int | None = None  # of the weights: 8 or 4; None: it has none
    int4_alone: float | None = None  # of the worst output, if this layer's weights alone have 4 bits and all else is float32; None: nothing was chosen by it


@dataclass(frozen=True, kw_only=True)
class QuantizedModel(RewrittenModel):
    """An int8 ONNX model in the QDQ form, and where its error arises."""

    layers: tuple[LayerError, ...]  # in order of execution
    outputs: Mapping[str, float]  # of each output of the model: signal to noise in dB
    images: int  # that the ranges were found with
    method: str
    per_channel: bool
    notes: tuple[str, ...]
    weight_bytes: int  # as stored: one for each weight, also where it has 4 bits; of weights that layers share once
    packed_weight_bytes: int  # with half a byte for each weight of 4 bits

    def report(self) -> dict[str, Any]:
        """The same as plain data, for JSON. A ratio without noise is None."""

        def number(value: float | None) -> float | None:
            return value if value is not None and math.isfinite(value) else None

        return {
            "method": self.method, "per_channel": self.per_channel, "images": self.images, "notes": list(self.notes),
            "weight_bytes": self.weight_bytes, "packed_weight_bytes": self.packed_weight_bytes,
            "outputs": {name: number(value) for name, value in self.outputs.items()},
            "layers": [{"name": one.name, "operator": one.operator, "bits": one.bits, "sqnr_db": number(one.sqnr),
                        "weight_sqnr_db": number(one.weight_sqnr), "alone_db": number(one.alone), "int4_alone_db": number(one.int4_alone),
                        "low": one.low, "high": one.high} for one in self.layers],
        }  # fmt: skip

    def __str__(self) -> str:
        """The report as a table: where the error arises."""
        columns: list[tuple[str, list[str]]] = [
            ("operator's result", [one.name for one in self.layers]), ("operator", [one.operator for one in self.layers]),
            ("bits", [str(one.bits or "") for one in self.layers] if any(one.bits == 4 for one in self.layers) else []),
            ("SQNR", [_decibels(one.sqnr) for one in self.layers]), ("weights'", [_decibels(one.weight_sqnr) for one in self.layers]),
            ("int4 alone", [_decibels(one.int4_alone) for one in self.layers] if any(one.int4_alone is not None for one in self.layers) else []),
            ("alone", [_decibels(one.alone) for one in self.layers] if any(one.alone is not None for one in self.layers) else []),
            ("least", [f"{one.low:.4g}" for one in self.layers]), ("largest", [f"{one.high:.4g}" for one in self.layers]),
        ]  # fmt: skip
        heads = tuple(head for head, cells in columns if cells)
        rows = list(zip(*(cells for _, cells in columns if cells), strict=True))
        widths = [min(40, max(len(row[i]) for row in [heads, *rows])) for i in range(len(heads))]
        lines = [table_line(row, widths) for row in [heads, *rows]]
        kind = "per channel" if self.per_channel else "per tensor"
        lines.append(f"{self.method}, weights {kind}, ranges of {self.images} images; SQNR in dB, of a result with all errors before it")
        lines += [f"output {name}: {_decibels(value)} dB" for name, value in self.outputs.items()]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        rows = [(one.name, one.operator, str(one.bits or ""), _decibels(one.sqnr), _decibels(one.weight_sqnr)) for one in self.layers]
        return table(f"quantized, {self.method}", ("result", "operator", "bits of weights", "SQNR, dB", "weights' SQNR, dB"), rows)


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if math.isfinite(value) else "exact" if value > 0 else "-inf"


def quantize(
    model: Source,
    calibrate: Images,
    out: Source | None = None,
    *,
    method: Method = "minmax",
    percentile: float = 99.99,
    per_channel: bool = True,
    images: int | None = None,
    keep_float: Sequence[str] = (),
    improve: bool = False,
    sensitivity: bool = False,
    weights: Literal["int8", "int4"] = "int8",
    int4: Sequence[str] = (),
    int4_share: float | None = None,
    budget: int | None = None,
    progress: bool = False,
) -> QuantizedModel:
    """Makes an int8 ONNX model of a float32 ONNX or TFLite model: QDQ, weights symmetric, activations asymmetric, ranges found by running it on images.

    model: a float32 .onnx file, or a float .tflite file (as tflite_to_onnx() has it). Batch norms, constants and computed shapes are
        folded; a number of images that it leaves open becomes 1.
    calibrate: images as the model takes them (float32; NCHW, of .tflite files NHWC): a .npz or .npy file, which is read image by image, an array, or arrays by
        the names of the model's inputs. An array `labels` in a file is left aside.
    out: file to write; None: .save() writes it.
    method: how a range is found. "minmax": all values. "percentile": without the outermost. "mse": least square of the error. "entropy": least
        divergence of the histograms.
    percentile: of the values that a range has room for on either side.
    per_channel: a scale for each output channel of weights, or one for all.
    images: use the first so many of them; None: all.
    keep_float: names of operators, or of their results, that stay in float32 (only ONNX Runtime runs such a model).
    improve: try cross-layer equalization, bias correction and, for weights of 4 bits, rounding by the covariances of layers' inputs, and keep each only if
        the outputs of held-out images (the last quarter, at most 32) come nearer to those of float32. The notes say what was tried and what it brought.
    sensitivity: quantize each layer alone, too: which of them cost the outputs most.
    weights: "int4": all weights have 4 bits, from -7 to 7. They are stored as int8, one byte each: the machine has no int4 yet. The report has both sizes.
    int4: names of the layers whose weights have 4 bits.
    int4_share: at least this share of the weights has 4 bits, in layers that cost the outputs least by what each costs alone. Images choose them that are
        not the held-out ones (the last quarter, at most 32), with which the report is made then.
    budget: the same, in so many layers that the weights take at most this number of bytes, with half a byte for 4 bits.
    progress: a line on stderr.

    The result runs in ONNX Runtime, and gemel.load() takes it. Scales of sums and products of two tensors are chosen so that the machine's integers give
    what ONNX Runtime computes, to the bit.

    Raises UserError E11xx (the model), E1214 (the images), E1212 (onnx or onnxruntime are missing), E0915 (options), E0902.
    """
    choice("method", method, METHODS)
    choice("weights", weights, ("int8", "int4"))
    asked = {"weights": weights == "int4", "int4": bool(int4), "int4_share": int4_share is not None, "budget": budget is not None}
    given = [name for name in asked if asked[name]]
    if len(given) > 1:
        raise user_error("E0911", " and ".join(f"`{name}`" for name in given) + " exclude each other: each says which weights have 4 bits", "leave one of them")
    if int4_share is not None and not 0 < int4_share <= 1:
        raise user_error("E0915", f"`int4_share` is {int4_share}, but must be a share above 0, at most 1")
    if budget is not None:
        budget = whole("budget", budget, 1)
    if not 50 < percentile <= 100:
        raise user_error("E0915", f"`percentile` is {percentile}, but must be a number above 50, at most 100")
    most = None if images is None else whole("images", images, 1)
    line = Counted() if progress and sys.stderr.isatty() else None

    def made() -> Any:
        more = {} if line is None else {"progress": line}
        wish = import_module("gemel.rewrite.int4").Wish(weights == "int4", tuple(int4), int4_share, budget)
        return import_module("gemel.rewrite.quantize").quantize(
            Path(os.fspath(model)), os.fspath(calibrate) if isinstance(calibrate, os.PathLike) else calibrate, method=method, percentile=percentile,
            per_channel=per_channel, images=most, keep_float=tuple(keep_float), improve=improve, sensitivity=sensitivity,
            int4=wish, **more)  # fmt: skip

    try:
        outcome = called(made)
    finally:
        if line is not None:
            line.end()
    layers = tuple(LayerError(name=row.name, operator=row.operator, sqnr=row.sqnr, weight_sqnr=row.weight_sqnr, alone=row.alone, low=row.low, high=row.high,
                              bits=row.bits, int4_alone=row.int4_alone) for row in outcome.rows)  # fmt: skip
    packed, stored = outcome.weight_bytes
    result = QuantizedModel(layers=layers, outputs=outcome.outputs, images=outcome.images, method=method, per_channel=per_channel, notes=tuple(outcome.notes),
                            weight_bytes=stored, packed_weight_bytes=packed, _model=outcome.model)  # fmt: skip
    if out is not None:
        result.save(out)
    return result
