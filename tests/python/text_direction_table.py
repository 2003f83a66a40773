# SPDX-License-Identifier: Apache-2.0
"""PaddleOCR's text-direction classifier on a simulated machine: right answers in float32 and int8, cycles, and what the host has to do.

    scripts/verify_text_direction [--machine edge16] [--pictures 200] [--elements 200] [--seed 1] [--folder build/text_direction]

Lines of text are drawn from the seed, half of them turned by 180 degrees. The network is quantized with 64 others (int8, per channel, percentile);
the machine runs the pictures, each layer compared with the reference, each answer with ONNX Runtime's, and for the first `--elements` of them every element of
every tensor. Exit status 1: something differs, or int8 is right less often than is promised. What cannot be had is said, and exit status is 0.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import onnx_reference
from packaged import ROOT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import packages_apart  # noqa: E402
import text_direction  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402
from gemel.rewrite.beside import Beside  # noqa: E402

CALIBRATION = 64  # pictures, from another seed
LEAST_FLOAT = 95.0  # % of the pictures are right in float32: else they are no text that the network knows
MOST_LOST = 1.0  # points that int8 may lose


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="edge16")
    parser.add_argument("--pictures", type=int, default=200, help="how many are run")
    parser.add_argument("--elements", type=int, default=200, help="pictures of which every element of every tensor is compared with ONNX Runtime")
    parser.add_argument("--seed", type=int, default=1, help="of the pictures; those for calibration have the next one")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "text_direction", help="of the packages")
    given = parser.parse_args()
    try:
        packages_apart.install(given.folder, text_direction.REQUIREMENTS)
        model = text_direction.model(given.folder)
        pictures = text_direction.pictures(given.folder, given.pictures, given.seed)
        calibration = text_direction.pictures(given.folder, CALIBRATION, given.seed + 1)["images"]
    except packages_apart.Absent as absent:
        print(f"skipped: {absent}")
        return 0
    with tempfile.TemporaryDirectory(prefix="gemel-text-") as folder:
        return measured(given, model, pictures, calibration, Path(folder))


def measured(given: argparse.Namespace, model: onnx.ModelProto, pictures: dict[str, np.ndarray], calibration: np.ndarray, folder: Path) -> int:
    exact, int8 = folder / "float.onnx", folder / "int8.onnx"
    onnx.save(model, exact)
    count = len(pictures["labels"])
    float_right = int((Beside(str(exact)).predictions(pictures["images"], None) == pictures["labels"]).sum())
    made = gemel.quantize(exact, calibration, int8, method="percentile")
    failed = []
    counted = gemel.accuracy(int8, pictures, given.machine, beside=[int8])
    right, agree = counted.counts[0].right, counted.counts[1].agree
    if agree != count:
        failed.append(f"machine and ONNX Runtime say the same of {agree} of {count} pictures only")
    if 100 * float_right < LEAST_FLOAT * count:
        failed.append(f"{float_right} of {count} are right in float32, but {LEAST_FLOAT:g} % are promised")
    if 100 * (float_right - right) > MOST_LOST * count:
        failed.append(f"{right} of {count} are right in int8 and {float_right} in float32: more than {MOST_LOST:g} point is lost")
    imported, graph = import_model(int8), onnx.load(int8)
    elements = tensors = compared = 0
    for image in pictures["images"][: given.elements]:
        more, size, wrong, _ = onnx_reference.compare(imported, graph, {text_direction.INPUT: image[None]}, given.machine)
        tensors, elements, compared = tensors + more, elements + size, compared + 1
        failed += [f"picture {compared - 1}: {line}" for line in wrong]
    run = gemel.run(gemel.load(int8, timing_only=True), given.machine, timing_only=True)
    host = run.host_steps
    print(f"{count} pictures of seed {given.seed} on {given.machine}, calibrated with {len(calibration)} others; outputs {min(made.outputs.values()):.1f} dB, "
          f"{made.packed_weight_bytes:,} bytes of weights")  # fmt: skip
    print(f"right: {float_right} in float32, {right} in int8 on the machine, of which each layer is compared with the reference")
    print(f"cycles of a picture: {counted.cycles:,}; {run.macs:,} MACs, {100 * run.utilization:.1f} % of the array's slots; "
          f"the NPU is started {run.starts} times")  # fmt: skip
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(host["operators"]).items())
    print(f"host: {len(host['operators'])} operators{f' ({kinds})' if kinds else ''}, {100 * host['elements_share']:.1f} % of the elements, "
          f"{host['bytes']:,} bytes to and fro")  # fmt: skip
    print(f"{count} answers, and {elements:,} elements of {tensors} tensors of {compared} pictures, compared with ONNX Runtime")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
