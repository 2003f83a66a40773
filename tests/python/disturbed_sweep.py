# SPDX-License-Identifier: Apache-2.0
"""A sweep that is killed again and again, with workers that count the points they begin: what sweep_test.py does at a few moments, and
scripts/verify_sweeps at many.

What is claimed of it, whoever dies: the finished table is that of an undisturbed sweep, no recorded point is begun again, and of the others at most
those that the dead had been given.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
AHEAD = 2  # points that a worker has been given: the one under way, and the next (python/gemel/_workers.py)

# Runs before anything else in every Python that has its folder in PYTHONPATH, workers among them.
COUNTER = """\
import json, os
try:
    import gemel._worker as worker
except ImportError:
    pass
else:
    def counted(machine, network, changes, compute=worker.compute):
        line = json.dumps([network.name, dict(changes)]) + "\\n"
        os.write(os.open(os.environ["GEMEL_TEST_BEGUN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), line.encode())
        return compute(machine, network, changes)
    worker.compute = counted
"""


def space(points: int) -> str:
    """Of `points` points (a multiple of 24) of ResNet-18, each some ten milliseconds."""
    assert points % 24 == 0
    return f"""\
name: long
networks: [resnet18]
parameters:
  rows: [8, 16]
  bus.bytes: [8, 16]
  activation_buffer.size_bytes: [64KiB, 128KiB, 256KiB]
  load_dma.outstanding: [4, 16]
  memory.read_latency_cycles: {[50 + 10 * i for i in range(points // 24)]}
"""


def children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class DisturbedSweep:
    """Of the space in folder/space.yaml, with `options` behind `gemel sweep space.yaml`. Raises AssertionError where a claim does not hold."""

    def __init__(self, folder: Path, points: int, draw: random.Random, options: tuple[str, ...] = ("--workers", "2")) -> None:
        self.folder, self.points, self.draw, self.options = folder, points, draw, options
        self.kills = 0
        self.begun_again = 0  # points, in all rounds
        self._marks: dict[str, int] = {}  # how often each recorded point has been begun
        (folder / "counter").mkdir(exist_ok=True)
        (folder / "counter" / "sitecustomize.py").write_text(COUNTER, encoding="utf-8")
        (folder / "space.yaml").write_text(space(points), encoding="utf-8")
        self.begun = folder / "begun"
        self.environment = {
            **os.environ,
            "GEMEL_PYTHON": sys.executable,
            "GEMEL_TEST_BEGUN": str(self.begun),
            "PYTHONPATH": os.pathsep.join([str(folder / "counter"), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        self.table = folder / "undisturbed.csv"
        self._run("--out", "undisturbed.sqlite", "--csv", self.table.name, "--workers", "2")
        assert len(self._lines()) == points, f"{len(self._lines())} of {points} points were begun"
        self.clear()

    def command(self, *more: str) -> list[str]:
        return [str(GEMEL), "sweep", "space.yaml", "-q", *more]

    def _run(self, *more: str) -> None:
        done = subprocess.run(self.command(*more), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), f"{done.returncode} {done.stderr}"

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*self.options, *more), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)  # fmt: skip

    def clear(self) -> None:
        self._marks = {}
        for file in (self.begun, *self.folder.glob("space.sqlite*")):
            file.unlink(missing_ok=True)

    def recorded(self) -> dict[str, str]:
        """Points on the disk, by what a worker writes when it begins one."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'space.sqlite'}?mode=ro", uri=True)) as database:
                query = "SELECT points.network, parameters, point FROM points JOIN results USING (point)"
                return {json.dumps([network, json.loads(parameters)]): point for network, parameters, point in database.execute(query)}
        except sqlite3.OperationalError as error:
            assert "unable to open" in str(error) or "no such table" in str(error), error  # not made yet
            return {}

    def _lines(self) -> list[str]:
        return self.begun.read_text(encoding="utf-8").splitlines() if self.begun.exists() else []

    def wait_for(self, count: int, process: subprocess.Popen[str]) -> bool:
        """Until so many points are recorded; False: the sweep is over before."""
        while process.poll() is None:
            if len(self.recorded()) >= count:
                return True
            time.sleep(0.002)
        return False

    def _moments(self, count: int) -> list[int]:
        """How many points are recorded when somebody is killed."""
        return sorted(self.draw.sample(range(self.points - AHEAD), count))

    def kill_coordinators(self, count: int, longest_wait: float = 0.05) -> None:
        """The process that was started, each time at another moment, until so many were killed. Then the sweep is finished, and looked at."""
        for target in self._moments(count):
            process = self.start()
            if not self.wait_for(target, process):
                self._finished(process)
                continue
            time.sleep(self.draw.uniform(0, longest_wait))
            workers = children(process.pid)
            process.kill()
            process.communicate()
            self.kills += 1
            while not all(gone(pid) for pid in workers):  # they see that nobody wants their points any more
                time.sleep(0.01)
            self.settle(2 * AHEAD)
        self.finish(2 * AHEAD * count)

    def kill_workers(self, count: int, longest_wait: float = 0.05) -> None:
        """Workers of one sweep, until so many were killed."""
        process = self.start()
        for target in self._moments(count):
            if not self.wait_for(target, process):
                break
            time.sleep(self.draw.uniform(0, longest_wait))
            alive = [pid for pid in children(process.pid) if not gone(pid)]
            if alive:
                self.settle()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.draw.choice(alive), signal.SIGKILL)
                    self.kills += 1
        self._finished(process)
        self.finish(AHEAD * count)

    def _finished(self, process: subprocess.Popen[str]) -> None:
        out, errors = process.communicate()
        assert (process.returncode, out, errors) == (0, "", ""), f"{process.returncode} {out} {errors}"

    def settle(self, most_open: int | None = None) -> None:
        """Claims that no point that was recorded at the last call has been begun since, or is lost; and, when all are dead, that they left at most so
        many points begun and not recorded."""
        recorded = self.recorded()  # before the lines: what is recorded was begun
        begun = collections.Counter(self._lines())
        again = [line for line, times in self._marks.items() if begun[line] > times]
        assert not again, f"{len(again)} recorded points were begun again: {again[:3]}"
        lost = set(self._marks) - set(recorded)
        assert not lost, f"{len(lost)} recorded points are lost: {sorted(lost)[:3]}"
        left = set(begun) - set(recorded)
        assert most_open is None or len(left) <= most_open, f"{len(left)} points were under way, at most {most_open} could be"
        self._marks = {line: begun[line] for line in recorded}

    def finish(self, most_again: int) -> None:
        """The same command ends the sweep: its table is the undisturbed one; then everything is cleared."""
        self.settle()
        process = self.start("--csv", "table.csv")
        self._finished(process)
        self.settle()
        table, lines = (self.folder / "table.csv").read_bytes(), self._lines()
        assert table == self.table.read_bytes(), "the table is not that of an undisturbed sweep"
        assert len(set(lines)) == self.points, f"{len(set(lines))} of {self.points} points were begun"
        again = len(lines) - self.points
        assert again <= most_again, f"{again} points were begun again, at most {most_again} had been given to the dead"
        self.begun_again += again
        self.clear()


def kill_until(sweep: DisturbedSweep, kills: int, name: str, kill: Callable[[int], None]) -> None:
    """So many, over as many sweeps as it takes, and says what came of it."""
    before, again = sweep.kills, sweep.begun_again
    while sweep.kills < before + kills:
        kill(before + kills - sweep.kills)
    print(f"{name}: killed {sweep.kills - before} times; the same table; of {sweep.points} points {sweep.begun_again - again} were begun again, "
          "none of them recorded", flush=True)  # fmt: skip


def full_disk(sweep: DisturbedSweep) -> str:
    """The sweep's file in a file system that is too small, which then grows. What was tested."""
    disk = sweep.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "none", str(disk)], capture_output=True, check=False).returncode != 0:
        return "the disk was not filled: this system does not allow mounts here"
    try:
        for name in ("space.yaml", "counter"):
            (disk / name).symlink_to(sweep.folder / name)
        more = dict(cwd=disk, env=sweep.environment, capture_output=True, text=True, check=False)
        full = subprocess.run(sweep.command(*sweep.options), **more)  # type: ignore[call-overload]
        assert full.returncode == 2 and "error[E1209]: `space.sqlite` cannot be written: database or disk is full" in full.stderr, full.stderr
        begun = len(sweep._lines())
        subprocess.run(["mount", "-o", "remount,size=16m", "none", str(disk)], check=True)
        again = subprocess.run(sweep.command(*sweep.options, "--csv", "table.csv"), **more)  # type: ignore[call-overload]
        assert (again.returncode, again.stderr) == (0, ""), again.stderr
        assert (disk / "table.csv").read_bytes() == sweep.table.read_bytes(), "after a full disk the table is another one"
        total = len(sweep._lines())
        assert sweep.points <= total <= sweep.points + 2 * AHEAD + 1, f"{total} points were begun for {sweep.points}"  # 1: it could not be recorded
        return f"the disk was full after {begun} points were begun; then the same command ended the sweep, {total - sweep.points} were begun again"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        sweep.clear()


def main() -> int:
    import argparse
    import tempfile

    parser = argparse.ArgumentParser(prog="scripts/verify_sweeps")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--points", type=int, default=384)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gemel-disturbed-") as folder:
        sweep = DisturbedSweep(Path(folder), options.points, random.Random(options.seed))
        try:
            kill_until(sweep, options.kills, "the process that writes", sweep.kill_coordinators)
            kill_until(sweep, options.kills, "workers", sweep.kill_workers)
            print(full_disk(sweep))
        except AssertionError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
