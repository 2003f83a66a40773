# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 on a simulated machine: what each way to quantize costs in right answers, and what it takes in bytes and cycles.

    scripts/verify_efficientnet [--machine edge16] [--crops 200] [--elements 2] [--way NAME]... [--form text|csv|markdown] [--folder build/efficientnet]

Each way is quantized with 80 crops of the 20 photographs, and the machine runs the 20 pictures, each layer compared with the reference, and other
crops. ONNX Runtime runs the same images: both must say the same of each, and every element of every tensor is compared for the first `--elements`
pictures. Exit status 1: something differs, or a way is not as good as is promised. What cannot be had is said, and exit status is 0.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import onnx_reference
from packaged import ROOT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import efficientnet  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import packages_apart  # noqa: E402
from tables import FORMS, table  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402
from gemel.rewrite.beside import Beside  # noqa: E402

# Way, options of gemel.quantize(), how many of the 20 pictures must be right.
IMPROVED, MIXED = "int8 per channel, improved", "60 % int4, improved"
WAYS = (
    ("int8 per channel, percentile", {"method": "percentile"}, 18),
    ("int8 per channel, min-max", {}, 17),
    (IMPROVED, {"improve": True}, 18),
    ("int8 per tensor", {"per_channel": False}, 17),
    ("int8 per tensor, improved", {"per_channel": False, "improve": True}, 18),
    (MIXED, {"int4_share": 0.6, "improve": True}, 18),
)
FLOAT = 18  # of the pictures are right in float32
MOST_LOST = 1.0  # points that MIXED may lose on the crops, beside IMPROVED
HEADS = ("way", "pictures", "crops", "crops %", "outputs dB", "weight bytes", "loaded bytes", "stored bytes", "cycles", "layers on host")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="edge16")
    parser.add_argument("--crops", type=int, default=200, help="how many of the 200 crops are run")
    parser.add_argument("--elements", type=int, default=2, help="pictures of which every element of every tensor is compared with ONNX Runtime")
    parser.add_argument("--way", action="append", choices=[name for name, _, _ in WAYS], help="only this one; again for others")
    parser.add_argument("--form", choices=FORMS, default="text")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "efficientnet", help="of the packages")
    given = parser.parse_args()
    try:
        packages_apart.install(given.folder, efficientnet.REQUIREMENTS)
        images = efficientnet.pictures(given.folder)
    except packages_apart.Absent as absent:
        print(f"skipped: {absent}")
        return 0
    with tempfile.TemporaryDirectory(prefix="gemel-efficientnet-") as folder:
        return measured(given, images, Path(folder))


def measured(given: argparse.Namespace, images: efficientnet.Pictures, folder: Path) -> int:
    step = max(len(images.crops["labels"]) // given.crops, 1)  # fewer crops are of all photographs
    crops = {name: array[::step][: given.crops] for name, array in images.crops.items()}
    model = folder / "float.onnx"
    tensors = efficientnet.checkpoint(given.folder)
    onnx.save(efficientnet.network(tensors), model)
    right = [int((Beside(str(model)).predictions(one["images"], None) == one["labels"]).sum()) for one in (images.whole, crops)]
    count = len(crops["labels"])
    rows: list[list[object]] = [["float32, ONNX Runtime", right[0], right[1], 100 * right[1] / count, None, 4 * efficientnet.weights(tensors), *[None] * 4]]
    failed = [] if right[0] >= FLOAT else [f"float32: {right[0]} of the pictures are right, but {FLOAT} are promised"]
    crops_right = {}
    elements = tensors_compared = 0
    for way, options, promised in WAYS:
        if given.way and way not in given.way:
            continue
        print(f"{way} ...", file=sys.stderr, flush=True)
        int8 = folder / "int8.onnx"
        made = gemel.quantize(model, images.calibration, int8, **options)
        for note in made.notes:
            print(f"  {note}", file=sys.stderr)
        found = []
        for one, compare in ((images.whole, True), (crops, False)):
            counted = gemel.accuracy(int8, one, given.machine, beside=[int8], compare=compare)
            found.append(counted.counts[0].right)
            if counted.counts[1].agree != counted.images:
                failed.append(f"{way}: machine and ONNX Runtime say the same of {counted.counts[1].agree} of {counted.images} images only")
        imported, graph = import_model(int8), onnx.load(int8)
        for image in images.whole["images"][: given.elements]:
            more, size, wrong, _ = onnx_reference.compare(imported, graph, {efficientnet.INPUT: image[None]}, given.machine)
            tensors_compared, elements = tensors_compared + more, elements + size
            failed += [f"{way}: {line}" for line in wrong]
        run = gemel.run(gemel.load(int8, timing_only=True), given.machine, timing_only=True)
        host = sum(layer.compared == "host" for layer in run.layers)
        moved = [sum(getattr(layer, what) for layer in run.layers) for what in ("load_bytes", "store_bytes")]
        crops_right[way] = 100 * found[1] / count
        rows.append([way, *found, crops_right[way], float(np.round(min(made.outputs.values()), 1)), made.packed_weight_bytes, *moved, run.cycles,
                     f"{host} of {len(run.layers)}"])  # fmt: skip
        if found[0] < promised:
            failed.append(f"{way}: {found[0]} of the pictures are right, but {promised} are promised")
    if IMPROVED in crops_right and MIXED in crops_right and crops_right[IMPROVED] - crops_right[MIXED] > MOST_LOST:
        lost = crops_right[IMPROVED] - crops_right[MIXED]
        failed.append(f"{MIXED}: {lost:.1f} points of the crops are lost, but {MOST_LOST} at most are promised")
    print(table(HEADS, rows, given.form))
    print(f"{len(images.whole['labels'])} pictures and {count} crops on {given.machine}, calibrated with {len(images.calibration)} other crops; loads and "
          f"stores of one image; {elements:,} elements of {tensors_compared} tensors compared with ONNX Runtime")  # fmt: skip
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
