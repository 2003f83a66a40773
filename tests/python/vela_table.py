# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's networks on edge16 beside the estimates of Vela, Arm's compiler, for an NPU with as many MACs a cycle: cycles with like memories.

    scripts/verify_vela [--form text|csv|markdown] [--folder build/vela]

Gemel's cycles are simulated, Vela's are estimated by its own model, so none of them is wrong for differing. What must be equal is the work: exit status 1 where
the MACs that both count show that they do not see the same network, or where Vela fails. What cannot be had is said, and exit status is 0.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import packages_apart
from packaged import ROOT
from tables import FORMS, table

import gemel

REQUIREMENTS = Path(__file__).with_name("requirements_vela.txt")
DATA = Path(os.environ.get("GEMEL_DATA") or ROOT.parent / "shared" / "data")
NETWORKS = {"ResNet-8": "pretrainedResnet_quant.tflite", "DS-CNN": "kws_ref_model.tflite", "autoencoder": "ad01_int8.tflite"}
ACCELERATOR, SYSTEM = "ethos-u55-256", "Ethos_U55_High_End_Embedded"
# Of this system, at the NPU's 500 MHz: SRAM of 8 bytes a cycle after 32 cycles, flash of 1 byte a cycle after 64. Vela's memory mode, and what is told of it.
ONE_MEMORY, TWO_MEMORIES = "Sram_Only", "Shared_Sram"
SRAM = {"memory.bytes_per_cycle": 8, "memory.read_latency_cycles": 32, "memory.write_latency_cycles": 32}
FLASH = {"memory.bytes_per_cycle": 1, "memory.read_latency_cycles": 64, "memory.write_latency_cycles": 64}
MOST_APART = 0.01  # of the MACs: Vela counts pools and two for each element of a Softmax, Gemel the array's alone
START = "import sys; from ethosu.vela.vela import main; sys.exit(main())"
HEADS = ("network", "MACs", "Vela, SRAM", "Gemel, SRAM", "Vela, SRAM and flash", "of it the NPU", "Gemel, flash", "Gemel, as shipped", "Vela's weights",
         "Gemel's loads", "Gemel's host")  # fmt: skip


def estimated(packages: Path, network: Path, mode: str, folder: Path) -> dict[str, str]:
    """The row of Vela's summary. Raises RuntimeError with what Vela said last where it fails."""
    command = [sys.executable, "-c", START, "--accelerator-config", ACCELERATOR, "--config", "Arm/vela.ini", "--system-config", SYSTEM, "--memory-mode", mode,
               "--output-dir", str(folder / mode), str(network)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(packages)})
    summary = folder / mode / f"{network.stem}_summary_{SYSTEM}.csv"
    if done.returncode != 0 or not summary.is_file():
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise RuntimeError(f"Vela, {network.name}, {mode}: exit status {done.returncode}: {last}")
    with summary.open(encoding="utf-8", newline="") as file:
        return next(csv.DictReader(file))


def cycles(row: dict[str, str], which: str) -> int:
    return round(float(row[f"cycles_{which}"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=FORMS, default="text")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "vela", help="of the package")
    given = parser.parse_args()
    files = {name: DATA / "mlperf_tiny" / "models" / file for name, file in NETWORKS.items()}
    for name, file in files.items():
        if not file.is_file():
            print(f"skipped: {name} is absent, {file.name}")
    files = {name: file for name, file in files.items() if file.is_file()}
    if not files:
        return 0
    try:
        packages_apart.install(given.folder, REQUIREMENTS)
    except packages_apart.Absent as absent:
        print(f"skipped: {absent}")
        return 0
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="gemel-vela-") as folder:
        rows = [row for name, file in files.items() if (row := compared(name, file, given.folder, Path(folder), failed))]
    print(table(HEADS, rows, given.form))
    edge16 = gemel.machine("edge16")
    print(f"cycles of an inference, 256 MACs a cycle at most. Vela {ACCELERATOR}, {SYSTEM}: estimates; SRAM of 8 bytes a cycle and 32 cycles of latency for "
          "everything, or for features alone beside flash of 1 byte and 64 for weights, which Vela compresses.\n"
          "Gemel, edge16: simulated, with one memory for everything that is as Vela's SRAM, as its flash, or as shipped "
          f"({edge16['memory.bytes_per_cycle']:g} bytes a cycle, {edge16['memory.read_latency_cycles']} cycles).")  # fmt: skip
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


def compared(name: str, file: Path, packages: Path, folder: Path, failed: list[str]) -> list[object]:
    try:
        one, two = (estimated(packages, file, mode, folder) for mode in (ONE_MEMORY, TWO_MEMORIES))
    except RuntimeError as error:
        failed.append(str(error))
        return []
    network, edge16 = gemel.load(file, timing_only=True), gemel.machine("edge16")
    sram, flash, shipped = (gemel.run(network, machine, timing_only=True) for machine in (edge16.with_(SRAM), edge16.with_(FLASH), edge16))
    counted = int(one["nn_macs"])
    if not shipped.macs <= counted <= (1 + MOST_APART) * shipped.macs:
        failed.append(f"{name}: Vela counts {counted:,} MACs, Gemel {shipped.macs:,}")
    host = ", ".join(shipped.host_steps["operators"]) or "nothing"
    return [name, shipped.macs, cycles(one, "total"), sram.cycles, cycles(two, "total"), cycles(two, "npu"), flash.cycles, shipped.cycles,
            int(one["total_npu_encoded_weights"]), sum(layer.load_bytes for layer in shipped.layers), host]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
