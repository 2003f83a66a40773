# SPDX-License-Identifier: Apache-2.0
"""A small CNN, compressed and quantized in many ways: one table of right answers in float32 and on a simulated machine, parameters, MACs, bytes, cycles.

    scripts/verify_compression [--machine edge16] [--learn 12000] [--images 1000] [--epochs 8] [--form text|csv|markdown]
                               [--data /usr/share/datasets/fashion-mnist]

The network learns Fashion-MNIST (Debian's package dataset-fashion-mnist), with labels; where that is not installed, scikit-learn's handwritten digits as
the workload `digits` has them take its place. The table is that of examples/python/compare_methods.py. Exit status 1: what docs/reference/compression.md
says of pruning, low ranks, zeros and recovery does not hold in the table.
"""

import argparse
import gzip
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx_reference
from packaged import ROOT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import trained  # noqa: E402
from onnx_networks import INPUT, Network  # noqa: E402
from tables import FORMS, table  # noqa: E402

import gemel  # noqa: E402

DATA = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package has it
CALIBRATION = 240  # images that ranges and layers are chosen with
PLAIN, HALF, RECOVERED = "as it is", "1/2 of the filters removed", "1/2 of filters, recovered"
ZEROS = ("1/2 of the weights zero", "2 of 4 weights")
BLOCKS = "1/2 of the blocks zero"
LOW_RANKS = ("low rank, 2/3 of the MACs", "low rank, 1/2 of the MACs")
INT8 = "per channel"
HEADS = ("compression", "weights", "bits", "float %", "machine %", "parameters", "zeros", "MACs", "weight bytes", "cycles")


def read_idx(path: Path, rank: int) -> np.ndarray:
    """An array of bytes in the form of the MNIST files (https://yann.lecun.com/exdb/mnist): 0, 0, 8, rank, then each length as 32 bits, big-endian.
    Raises ValueError for what is none."""
    data = gzip.decompress(path.read_bytes())
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    if data[:4] != bytes((0, 0, 8, rank)) or len(data) != 4 + 4 * rank + int(np.prod(shape)):
        raise ValueError(f"{path} is no array of bytes of {rank} dimensions in MNIST's form")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def fashion(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Images for learning and for counting, float32 [n, 1, 28, 28] of 0 to 1, and labels. Raises FileNotFoundError."""
    found = []
    for name in ("train", "t10k"):
        images, labels = read_idx(folder / f"{name}-images-idx3-ubyte.gz", 3), read_idx(folder / f"{name}-labels-idx1-ubyte.gz", 1)
        found.append({"images": (images[:, None] / np.float32(255)).astype(np.float32), "labels": labels.astype(np.int64)})
    return found[0], found[1]


def digits() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    images, labels = trained.digits()
    at = trained.TRAINED_ON
    return {"images": images[:at], "labels": labels[:at]}, {"images": images[at:], "labels": labels[at:]}


def network(side: int, filters: tuple[int, int, int], seed: int = 1) -> onnx.ModelProto:
    """Three convolutions of 3x3, each with a stride of 2 where the image is large enough, and a dense layer. Weights are drawn."""
    n = Network("small", (1, 1, side, side), seed)
    x = INPUT
    for count in filters:
        stride = 2 if side > 4 else 1
        x = n.conv(x, count, 3, stride, norm=False)
        side = (side + 1) // 2 if stride == 2 else side
    n.outputs = [n.linear(n.node("Flatten", [x]), filters[-1] * side * side, 10)]
    return n.proto()


def example() -> ModuleType:
    """examples/python/compare_methods.py, which makes the table, with more ways."""
    spec = importlib.util.spec_from_file_location("compare_methods", ROOT / "examples/python/compare_methods.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["compare_methods"] = made  # dataclasses look for their module
    spec.loader.exec_module(made)
    made.COMPRESSED["low rank, 1/2 of the MACs"] = {"low_rank": 0.5}
    made.COMPRESSED["low rank 1/2, recovered"] = {"low_rank": 0.5}
    made.COMPRESSED["2 of 4 weights, recovered"] = {"pattern": (2, 4)}
    made.COMPRESSED["1/2 of the blocks, recovered"] = {"blocks": 0.5}
    made.QUANTIZED["per channel, mse"] = {"method": "mse"}
    return made


def bits(options: dict[str, Any]) -> str:
    return "4" if options.get("weights") == "int4" else "8 and 4" if "int4_share" in options else "8"


def judged(rows: list[Any]) -> list[str]:
    """What does not hold, in sentences. `rows` of compare_methods.Row."""
    at = {(row.compression, row.quantization): row for row in rows}
    plain, half, recovered = (at[name, INT8] for name in (PLAIN, HALF, RECOVERED))
    wrong = []
    if plain.cycles < 1.6 * half.cycles:
        wrong.append(f"half of the filters pruned: {half.cycles:,} cycles instead of {plain.cycles:,} are less than 1.6 times fewer")
    if recovered.accuracy - half.accuracy < (plain.accuracy - half.accuracy) / 2:
        wrong.append(f"distillation: from {half.accuracy:.1%} to {recovered.accuracy:.1%} is less than half of what pruning lost of {plain.accuracy:.1%}")
    for name in ZEROS:
        zeros = at[name, INT8]
        if zeros.cycles != plain.cycles or zeros.macs != plain.macs or zeros.zeros * 3 < zeros.parameters:
            wrong.append(f"{name}: {zeros.cycles:,} cycles and {zeros.zeros:,} zeros of {zeros.parameters:,}: zeros alone save no cycles")
    blocks = at[BLOCKS, INT8]
    if plain.cycles < 1.15 * blocks.cycles:
        wrong.append(f"{BLOCKS}: {blocks.cycles:,} cycles instead of {plain.cycles:,} are less than 1.15 times fewer")
    for row in rows:
        if row.compression.startswith("low rank") and row.macs * 3 <= plain.macs * 2 and row.cycles >= plain.cycles:
            wrong.append(f"{row.compression}: a third fewer MACs, but {row.cycles:,} cycles instead of {plain.cycles:,}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="edge16")
    parser.add_argument("--learn", type=int, default=12000, help="images that the network learns from")
    parser.add_argument("--images", type=int, default=1000, help="images of the test set that are counted")
    parser.add_argument("--epochs", type=int, default=8, help="of learning and of recovery, at the most")
    parser.add_argument("--form", choices=FORMS, default="text")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of Fashion-MNIST's four files; a folder without them: digits")
    given = parser.parse_args()
    begin = time.monotonic()
    try:
        learn, test = fashion(given.data)
        name, model = "Fashion-MNIST", network(28, (32, 64, 64))
    except FileNotFoundError:
        print(f"absent: {given.data} has no Fashion-MNIST (Debian: apt-get install dataset-fashion-mnist); handwritten digits instead", file=sys.stderr)
        learn, test = digits()
        name, model = "digits", network(8, (32, 48, 48))
        given.epochs = max(given.epochs, 50)
    learn, test = ({key: array[:most] for key, array in one.items()} for one, most in ((learn, given.learn), (test, given.images)))
    with tempfile.TemporaryDirectory(prefix="gemel-compression-") as folder:
        path = Path(folder, "float.onnx")
        onnx.save(model, path)
        gemel.recover(path, learn, path, epochs=given.epochs, progress=True)  # all that it knows
        rows, wrong = [], []
        made = example()
        for row in made.measure(path, learn["images"][:CALIBRATION], test, given.machine, learn["images"], given.epochs):
            if isinstance(row, made.Refused):
                print(f"{row.compression}: {row.message}", file=sys.stderr)
                continue
            rows.append(row)
            print(f"{row.compression}, {row.quantization}: {row.accuracy:.1%}", file=sys.stderr, flush=True)
        wrong = judged(rows)
    cells = [[row.compression, row.quantization, bits(made.QUANTIZED[row.quantization]), 100 * row.float_accuracy, 100 * row.accuracy, row.parameters,
              row.zeros, row.macs, row.weight_bytes, row.cycles] for row in rows]  # fmt: skip
    print(table(HEADS, cells, given.form))
    print(f"{name}: learnt from {len(learn['labels']):,} images, {len(test['labels']):,} others counted, on {given.machine}", end="")
    print(f" ({time.monotonic() - begin:.0f} s)", file=sys.stderr, end="", flush=True)
    print(flush=True)
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
