# SPDX-License-Identifier: Apache-2.0
"""Machines around edge16 on ResNet-50, several at a time in threads, and those that no other beats: fewer cycles with fewer PEs and bytes of SRAM.

    python3 explore.py
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import gemel

NETWORK = gemel.load("resnet50", timing_only=True)  # no data: enough for cycles
SIZES = ("activation_buffer_size_bytes", "weight_buffer_size_bytes", "accumulator_buffer_size_bytes")


def machine(rows: int, columns: int, kib: int) -> gemel.Machine:
    sizes = {name: f"{kib}KiB" for name in SIZES}
    return gemel.machine("edge16").with_(sizes, rows=rows, columns=columns, lanes=columns)


def cost(of: gemel.Machine) -> tuple[int, int]:
    """PEs, bytes of scratchpads."""
    return int(of["rows"]) * int(of["columns"]), sum(int(value) for key, value in of.items() if key.endswith("_buffer.size_bytes"))


def main() -> None:
    machines = [machine(*choice) for choice in product((8, 16, 32), (8, 16, 32), (64, 256))]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        points = [(result.cycles, *cost(result.machine)) for result in threads.map(lambda on: gemel.run(NETWORK, on), machines)]
    for cycles, pes, size in sorted(points):
        if not any(all(a <= b for a, b in zip(other, (cycles, pes, size), strict=True)) and other != (cycles, pes, size) for other in points):
            print(f"{cycles:>12,} cycles  {pes:>5} PEs  {size // 1024:>5} KiB")


if __name__ == "__main__":
    main()
