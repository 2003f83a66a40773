# SPDX-License-Identifier: Apache-2.0
"""What quantization and compression cost in accuracy, and buy in cycles: one table for a float32 ONNX model.

    python3 compare_methods.py model.onnx calibrate.npz held_out.npz [machine]

The files have `images` as the model takes them, and the second one `labels`. Bytes are those of the weights, with half a byte for 4 bits (the machine
stores one). Needs the package's extra `quantize`.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemel

Source = str | Path
Images = Any  # a .npz or .npy file, an array, or arrays by name

COMPRESSED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "1/4 of the filters removed": {"filters": 0.25},
    "1/2 of the filters removed": {"filters": 0.5},
    "1/2 of filters, recovered": {"filters": 0.5},
    "1/2 of the weights zero": {"weights": 0.5},
    "2 of 4 weights": {"pattern": (2, 4)},
    "1/2 of the blocks zero": {"blocks": 0.5},
    "low rank, 2/3 of the MACs": {"low_rank": 0.67},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "per channel": {},
    "per tensor": {"per_channel": False},
    "per tensor, improved": {"per_channel": False, "improve": True},
    "60 % int4, improved": {"int4_share": 0.6, "improve": True},
    "int4, improved": {"weights": "int4", "improve": True},
}


@dataclass(frozen=True)
class Row:
    """One way to compress and to quantize. Right answers are of all images of `held_out`, 0 to 1; None: they have no labels."""

    compression: str
    quantization: str
    float_accuracy: float | None  # of the compressed model in ONNX Runtime
    accuracy: float | None  # of its quantized form on the machine
    parameters: int
    zeros: int  # among the weights
    macs: int
    weight_bytes: int
    cycles: int  # of one image


@dataclass(frozen=True)
class Refused:
    """A compression that cannot be had."""

    compression: str
    message: str


def measure(model: Source, calibrate: Images, held_out: Images, machine: str, learn: Images | None = None, epochs: int = 50) -> Iterator[Row | Refused]:
    """Each of COMPRESSED with each of QUANTIZED. What ends in `recovered` learns from the model as it is (distillation), on the images of `learn`, or of
    `calibrate`, whose labels are used where they have any."""
    with tempfile.TemporaryDirectory() as folder:
        small, int8 = Path(folder, "small.onnx"), Path(folder, "int8.onnx")
        for compression, how in COMPRESSED.items():
            try:
                # A share of the weights that zeroes none: what the model costs as it is. Ranks and blocks are chosen for the machine.
                for_machine = "low_rank" in how or "blocks" in how
                cost = gemel.compress(model, small, machine=machine if for_machine else None, **(how or {"weights": 1e-9}))
            except gemel.UserError as error:  # it cannot be made so small
                yield Refused(compression, error.message)
                continue
            if compression.endswith("recovered"):
                gemel.recover(small, calibrate if learn is None else learn, small, teacher=model, epochs=epochs)
            for quantization, options in QUANTIZED.items():
                made = gemel.quantize(small, calibrate, int8, **options)
                found = gemel.accuracy(int8, held_out, machine, beside=[small])
                shares = [None if one.right is None else one.right / found.images for one in (found.counts[1], found.counts[0])]
                yield Row(compression, quantization, *shares, cost.after.parameters, cost.after.zeros, cost.after.macs, made.packed_weight_bytes, found.cycles)


def main(model: str, calibrate: str, held_out: str, machine: str = "edge16") -> None:
    print(f"{'compression':28s} {'weights':22s} {'float':>8s} {'machine':>8s} {'parameters':>11s} {'MACs':>13s} {'bytes':>11s} {'cycles':>11s}")
    for row in measure(model, calibrate, held_out, machine):
        if isinstance(row, Refused):
            print(f"{row.compression:28s} {row.message}")
            continue
        shares = ["" if one is None else f"{100 * one:.1f} %" for one in (row.float_accuracy, row.accuracy)]
        figures = f"{row.parameters:>11,} {row.macs:>13,} {row.weight_bytes:>11,} {row.cycles:>11,}"
        print(f"{row.compression:28s} {row.quantization:22s} {shares[0]:>8s} {shares[1]:>8s} {figures}")


if __name__ == "__main__":
    main(*sys.argv[1:5])
