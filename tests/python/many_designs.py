# SPDX-License-Identifier: Apache-2.0
"""How fast designs are explored: machines around edge16, drawn at random, with ResNet-50, timing only, by one worker and by two.

Prints designs a second and core (of processor time, children included), the gain of the second worker, by how much a worker's memory grows from the
100th design on, and compares random designs with `gemel run`. With --zigzag, too: what ZigZag takes for one design of the same network. Exit status 1 if
the tables of one and two workers differ, a design is not what `gemel run` says, or memory grows; speed is printed and judged by people.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy
import packaged

import gemel  # noqa: E402

GEMEL = os.environ.get("GEMEL_BINARY", str(packaged.ROOT / "build" / "release" / "gemel"))
SPACE = {
    "name": "around edge16",
    "machine": "edge16",
    "networks": ["resnet50"],
    "strategy": "random",
    "objectives": ["cycles", "area_kge"],
    "parameters": {
        "rows": [8, 12, 16, 24, 32],
        "columns": [8, 12, 16, 24, 32],
        "lanes": ["columns // 4", "columns // 2", "columns"],
        **{f"{buffer}_buffer.size_bytes": ["32KiB", "48KiB", "64KiB", "96KiB", "128KiB", "256KiB"] for buffer in ("activation", "weight", "vector")},
        "accumulator_buffer.size_bytes": ["32KiB", "64KiB", "128KiB"],
        "bus.bytes": [8, 16, 32],
        "memory.bytes_per_cycle": [6.4, 12.8, 25.6],
        "load_dma.outstanding": [4, 8, 16],
        "memory.read_latency_cycles": [60, 100, 160],
    },
}
FROM = 100  # designs, from which a worker's memory must not grow
GROWTH = 0.05  # of the pages that a worker has
ZIGZAG = """
import json, sys, time, logging
from importlib.resources import files
import onnx
from zigzag.api import get_hardware_performance_zigzag
logging.disable(logging.CRITICAL)
inputs = files("zigzag") / "inputs"
start = time.process_time()
found = get_hardware_performance_zigzag(onnx.load(sys.argv[1]), str(inputs / "hardware" / "tpu_like.yaml"), str(inputs / "mapping" / "tpu_like.yaml"),
                                        opt="latency", dump_folder=sys.argv[2], loma_show_progress_bar=False)
print(json.dumps({"seconds": time.process_time() - start, "cycles": found[1]}))
"""


def processor_seconds() -> float:
    """Of this process and of those of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Memory(threading.Thread):
    """Looks at the workers' memory while they work: pages that a worker shares with nobody, and all of them, in MB, by designs done.

    What a worker has at one moment tells little: designs differ in size, and one is larger while it is simulated than before, by several MB. Growth is
    therefore that of the straight line through all moments. (Behind each of 1,000 designs: the quartiles of the second hundred are 38.4, 40.8, and 41.5
    MB, those of the last hundred 38.6, 41.0, and 41.7; a single design done 600 times has 32.7 MB behind the 10th and 32.6 behind the last.)
    """

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True)
        self.file, self.over = file, threading.Event()
        self.seen: list[tuple[int, float, float]] = []  # designs done, largest own memory, largest resident memory

    def run(self) -> None:
        while not self.over.wait(0.05):
            own, resident = zip(*([pair for child in children() if (pair := pages(child))] or [(0.0, 0.0)]), strict=True)
            if any(own):  # else they have not begun, or are over
                self.seen.append((self.done(), max(own), max(resident)))

    def line(self) -> tuple[float, float]:
        """Own memory of the largest worker at the 100th design and at the last, by least squares."""
        late = [(done, own) for done, own, _ in self.seen if done >= FROM]
        slope, base = numpy.polyfit([done for done, _ in late], [own for _, own in late], 1)
        return base + slope * FROM, base + slope * late[-1][0]

    def done(self) -> int:
        try:
            with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as base:
                return int(base.execute("SELECT count(*) FROM results").fetchone()[0])
        except sqlite3.Error:
            return 0


def children() -> list[int]:
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def pages(process: int) -> tuple[float, float] | None:
    try:
        rows = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    kib = {row.split(":")[0]: int(row.split()[1]) for row in rows[1:]}
    return (kib["Private_Clean"] + kib["Private_Dirty"]) / 1000, kib["Rss"] / 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/verify_designs")
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--zigzag", metavar="PYTHON", help="an interpreter that has the packages zigzag-dse and onnx")
    options = parser.parse_args()
    if options.designs < 5 * FROM:
        parser.error(f"--designs must be at least {5 * FROM}: memory is looked at from the {FROM}th on, and fewer tell no growth")
    print(f"{options.designs:,} machines around edge16 with resnet50, seed {options.seed}", flush=True)
    space = {**SPACE, "points": options.designs, "seed": options.seed}
    failed, tables, walls = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            file = Path(folder) / f"{workers}.sqlite"
            memory = Memory(file)
            memory.start()
            wall, cpu = time.monotonic(), processor_seconds()
            sweep = gemel.sweep(space, file, workers=workers, progress=True)
            wall, cpu = time.monotonic() - wall, processor_seconds() - cpu
            memory.over.set()
            memory.join()
            tables.append(list(sweep.rows))
            walls.append(wall)
            first, last = memory.line()
            print(f"{workers} worker{'s'[: workers - 1]}: {len(sweep) / cpu:.1f} designs a second and core, {wall:.0f} s; largest worker {first:.1f} MB "
                  f"of its own at the {FROM}th design, {last:.1f} MB at the last, by the line through {len(memory.seen)} moments; at most "
                  f"{max(row[2] for row in memory.seen):.0f} MB with what it shares", flush=True)  # fmt: skip
            if last > (1 + GROWTH) * first:
                print(f"error: a worker's memory has grown from {first:.1f} to {last:.1f} MB", file=sys.stderr)
                failed += 1
        print(f"two workers: {walls[0] / walls[1]:.2f} times one")
        if tables[0] != tables[1]:
            print("error: the tables of one and of two workers differ", file=sys.stderr)
            failed += 1
        done = [design for design in sweep.designs if design.status == "done"]
        print(f"{len(done):,} designs have run, {len(sweep) - len(done):,} cannot")
        chosen = random.Random(options.seed).sample(done, min(20, len(done)))
        equal = 0
        for design in chosen:
            settings = [word for key, value in design.changes.items() for word in ("--set", f"{key}={value}")]
            out = Path(folder) / "run"
            subprocess.run([GEMEL, "run", "resnet50", "--machine", "edge16", "--timing-only", "--quiet", "--out", str(out), *settings], check=True,
                           env=packaged.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
            cycles = json.loads((out / "result.json").read_text())["cycles"]
            if cycles == design.figures()["cycles"]:
                equal += 1
            else:
                print(f"error: {dict(design.changes)}: {design.figure('cycles'):,} cycles, `gemel run` has {cycles:,}", file=sys.stderr)
        print(f"{equal} of {len(chosen)} designs equal to `gemel run`")
        failed += len(chosen) - equal
        if options.zigzag:
            import onnx
            import onnx_networks

            model = Path(folder) / "resnet50.onnx"
            onnx.save(onnx.shape_inference.infer_shapes(onnx_networks.resnet50().proto()), model)
            ran = subprocess.run([options.zigzag, "-c", ZIGZAG, str(model), str(Path(folder) / "zigzag")], capture_output=True, text=True)
            if ran.returncode != 0:
                print(f"zigzag-dse: {ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else 'failed'}")
            else:
                found = json.loads(ran.stdout.splitlines()[-1])
                print(f"zigzag-dse: {found['seconds']:.1f} s of processor time for one design (its tpu_like) of the same network, which it estimates "
                      f"at {found['cycles']:,.0f} cycles")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
