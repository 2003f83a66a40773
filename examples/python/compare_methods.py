# SPDX-License-Identifier: Apache-2.0
"""What quantization and compression cost in accuracy, and buy in cycles: one table for a float32 ONNX model.

    python3 compare_methods.py model.onnx calibrate.npz held_out.npz [machine]

The files have `images` as the model takes them, and the second one `labels`. Bytes are those of the weights, with half a byte for 4 bits (the machine
stores one). Needs the package's extra `quantize`.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import gemel

COMPRESSED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "1/4 of the filters removed": {"filters": 0.25},
    "1/2 of the filters removed": {"filters": 0.5},
    "1/2 of filters, recovered": {"filters": 0.5},
    "1/2 of the weights zero": {"weights": 0.5},
    "2 of 4 weights": {"pattern": (2, 4)},
    "low rank, 2/3 of the MACs": {"low_rank": 0.67},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "per channel": {},
    "per tensor": {"per_channel": False},
    "per tensor, improved": {"per_channel": False, "improve": True},
    "60 % int4, improved": {"int4_share": 0.6, "improve": True},
    "int4, improved": {"weights": "int4", "improve": True},
}


def main(model: str, calibrate: str, held_out: str, machine: str = "edge16") -> None:
    heads = f"{'compression':28s} {'weights':22s} {'float':>8s} {'machine':>8s} {'parameters':>11s} {'MACs':>13s} {'bytes':>11s} {'cycles':>11s}"
    print(heads)
    with tempfile.TemporaryDirectory() as folder:
        small, int8 = Path(folder, "small.onnx"), Path(folder, "int8.onnx")
        for compression, how in COMPRESSED.items():
            try:
                # A share of the weights that zeroes none: what the model costs as it is. Ranks are chosen for the machine.
                cost = gemel.compress(model, small, machine=machine if "low_rank" in how else None, **(how or {"weights": 1e-9}))
            except gemel.UserError as error:  # it cannot be made so small
                print(f"{compression:28s} {error.message}")
                continue
            if compression.endswith("recovered"):
                gemel.recover(small, calibrate, small, teacher=model)
            for quantization, options in QUANTIZED.items():
                made = gemel.quantize(small, calibrate, int8, **options)
                found = gemel.accuracy(int8, held_out, machine, beside=[small])
                shares = ["" if one.right is None else f"{100 * one.right / found.images:.1f} %" for one in (found.counts[1], found.counts[0])]
                figures = f"{cost.after.parameters:>11,} {cost.after.macs:>13,} {made.packed_weight_bytes:>11,} {found.cycles:>11,}"
                print(f"{compression:28s} {quantization:22s} {shares[0]:>8s} {shares[1]:>8s} {figures}")


if __name__ == "__main__":
    main(*sys.argv[1:5])
