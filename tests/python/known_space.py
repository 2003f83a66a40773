# SPDX-License-Identifier: Apache-2.0
"""How good search is: a space of 5,184 machines is computed whole, then searched with several seeds, with a tenth of the points, and drawn at random.

Prints for each seed the share of the front's hypervolume that was found (of logarithms; the reference is the worst of the space in each objective)
and the share of its designs. Exit status 1: the mean over the seeds is below what is promised, or the table depends on the number of workers.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable

import packaged  # noqa: F401

import gemel  # noqa: E402

SPACE = {
    "name": "known",
    "machine": "edge16",
    "networks": ["resnet18"],
    "objectives": ["cycles", "area_kge"],
    "parameters": {
        "rows": [8, 16, 32, 64],
        "columns": [8, 16, 32, 64],
        "activation_buffer.size_bytes": ["16KiB", "64KiB", "256KiB"],
        "weight_buffer.size_bytes": ["16KiB", "64KiB", "256KiB"],
        "accumulator_buffer.size_bytes": ["16KiB", "64KiB", "256KiB"],
        "vector_buffer.size_bytes": ["64KiB", "256KiB"],
        "bus.bytes": [8, 16, 32],
        "lanes": ["columns // 4", "columns"],
    },
}
HYPERVOLUME, FRONT = 0.99, 0.70  # promised of search, with a tenth of the points

Costs = tuple[float, ...]


def hypervolume(points: Iterable[Costs], reference: Costs) -> float:
    """Of two objectives, less is better: the area that the points beat, up to the reference."""
    found, last = 0.0, reference[1]
    for first, second in sorted(points):
        if second < last:
            found += (reference[0] - first) * (last - second)
            last = second
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/verify_search")
    parser.add_argument("--file", default="build/known_space.sqlite", help="where the whole space is recorded; kept for the next time")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    start = time.monotonic()
    every = gemel.sweep(SPACE, options.file, progress=True)
    costs = {design.costs for design in every.designs if design.status == "done"}
    logs = {one: tuple(map(math.log, one)) for one in costs}
    reference = (max(one[0] for one in logs.values()), max(one[1] for one in logs.values()))
    front = {design.costs for design in every.front}
    whole = hypervolume(logs.values(), reference)
    seconds = time.monotonic() - start
    print(f"{len(every):,} machines, {len(costs):,} different ones in cycles and area, {len(front)} in the front ({seconds:.0f} s)", flush=True)
    means: dict[str, tuple[float, float]] = {}
    points = len(every) // 10
    for strategy in ("search", "random"):
        shares = []
        for seed in range(1, options.seeds + 1):
            start = time.monotonic()
            sweep = gemel.sweep({**SPACE, "strategy": strategy, "points": points, "seed": seed}, options.file)
            assert len(sweep) == points, f"{len(sweep)} designs instead of {points}"
            found = [design.costs for design in sweep.designs if design.status == "done"]
            volume, share = hypervolume((logs[one] for one in found), reference) / whole, len(front.intersection(found)) / len(front)
            shares.append((volume, share))
            seconds = time.monotonic() - start
            print(f"{strategy:6} seed {seed}: {points} designs, hypervolume {volume:.4f}, {share:.1%} of the front ({seconds:.0f} s)", flush=True)
        means[strategy] = (sum(h for h, _ in shares) / len(shares), sum(f for _, f in shares) / len(shares))
        print(f"{strategy:6} mean:   hypervolume {means[strategy][0]:.4f}, {means[strategy][1]:.1%} of the front", flush=True)
    if means["search"][0] < HYPERVOLUME or means["search"][1] < FRONT:
        print(f"error: promised are {HYPERVOLUME:.0%} of the hypervolume and {FRONT:.0%} of the front", file=sys.stderr)
        return 1
    small = {**SPACE, "strategy": "search", "points": 60, "seed": 1}
    tables = [list(gemel.sweep(small, workers=workers).rows) for workers in (1, 2, 5)]
    if any(table != tables[0] for table in tables):
        print("error: the table depends on the number of workers", file=sys.stderr)
        return 1
    print("60 designs with 1, 2 and 5 workers: the same table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
