# SPDX-License-Identifier: Apache-2.0
"""A Dask cluster on this computer, and a sweep on it whose scheduler and workers are killed: what cluster_test.py does at a few moments, and
scripts/verify_cluster at many."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from disturbed_sweep import DisturbedSweep, kill_until
from packaged import PYTHON


class DaskCluster:
    """A scheduler and workers of one thread each. `inside`: words before each of their commands, such as `ip netns exec NAME`; numbered from 0."""

    def __init__(self, folder: Path, workers: int, environment: Mapping[str, str], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder, self.host, self.port = folder, host, port
        paths = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        if str(PYTHON) not in os.pathsep.join(paths) and not any((Path(path) / "gemel.py").exists() for path in paths):
            paths.append(str(PYTHON))
        self.environment = {**environment, "PYTHONPATH": os.pathsep.join(paths), "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"
        self.start_scheduler()
        for _ in range(workers):
            self.add_worker()

    def _start(self, program: str, *arguments: str, inside: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        with open(self.folder / "cluster.log", "ab") as log:
            return subprocess.Popen([*inside, sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *arguments], cwd=self.folder,
                                    env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # fmt: skip

    def start_scheduler(self) -> None:
        """At the port of before, if there was one."""
        self.file.unlink(missing_ok=True)
        self.scheduler = self._start("dask_scheduler", "--host", self.host, "--port", str(self.port), "--scheduler-file", str(self.file))
        while True:
            with contextlib.suppress(OSError, ValueError):
                self.address: str = json.loads(self.file.read_text(encoding="utf-8"))["address"]
                self.port = int(self.address.rpartition(":")[2])
                return
            assert self.scheduler.poll() is None, (self.folder / "cluster.log").read_text(encoding="utf-8")
            time.sleep(0.02)

    def add_worker(self, *, nanny: bool = False, inside: tuple[str, ...] = ()) -> None:
        kind = "--nanny" if nanny else "--no-nanny"
        self.workers.append(self._start("dask_worker", self.address, kind, "--nthreads", "1", "--memory-limit", "0", inside=inside))

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.workers = []


class DisturbedCluster(DisturbedSweep):
    def __init__(self, folder: Path, points: int, draw: random.Random) -> None:
        super().__init__(folder, points, draw)
        self.cluster = DaskCluster(folder, 2, self.environment)
        self.options = ("--scheduler", self.cluster.address)
        self.given = 2 * 2 * 8  # two workers have two chunks each, of a tenth of a second (python/gemel/_cluster.py): no point takes 12 ms or less

    def kill_schedulers(self, count: int, longest_wait: float = 0.05) -> None:
        """The sweep says so, and ends; the same command goes on, with another scheduler at the same address."""
        for target in self._moments(count):
            process = self.start()
            if not self.wait_for(target, process):
                self._finished(process)
                continue
            time.sleep(self.draw.uniform(0, longest_wait))
            self.cluster.end()
            out, errors = process.communicate()
            if process.returncode != 0:  # else it was done in that moment
                assert (process.returncode, out) == (2, "") and errors.startswith("error[E1215]: "), f"{out} {errors}"
                self.kills += 1
            self.cluster.start_scheduler()
            for _ in range(2):
                self.cluster.add_worker()
            self.settle(self.given)
        self.finish(self.given * count)

    def kill_workers(self, count: int, longest_wait: float = 0.05) -> None:
        """Of a sweep under way; each is followed by a new one, which comes late."""
        process = self.start()
        for target in self._moments(count):
            if not self.wait_for(target, process):
                break
            time.sleep(self.draw.uniform(0, longest_wait))
            self.settle()
            victim = self.cluster.workers.pop(self.draw.randrange(len(self.cluster.workers)))
            victim.kill()
            victim.wait()
            self.kills += 1
            self.cluster.add_worker()
        self._finished(process)
        self.finish(self.given * count)


def main() -> int:
    import argparse
    import tempfile

    parser = argparse.ArgumentParser(prog="scripts/verify_cluster")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--points", type=int, default=384)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gemel-cluster-") as folder:
        try:
            for name in ("networks", "killed"):
                Path(folder, name).mkdir()
            print(namespaces(Path(folder, "networks"), options.points), flush=True)
            sweep = DisturbedCluster(Path(folder, "killed"), options.points, random.Random(options.seed))
            try:
                kill_until(sweep, options.kills, "the scheduler", sweep.kill_schedulers)
                kill_until(sweep, options.kills, "workers", sweep.kill_workers)
            finally:
                sweep.cluster.end()
        except AssertionError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


def namespaces(folder: Path, points: int) -> str:
    """A sweep with three workers, each in a network of its own, joined by a bridge: one is there, one comes late, one dies. What was tested."""
    names = [f"gemel{os.getpid()}n{i}" for i in range(3)]
    bridge = f"gb{os.getpid()}"

    def ip(*words: str) -> bool:
        return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0

    sweep = DisturbedSweep(folder, points, random.Random(1))
    cluster = None
    try:
        if not (ip("link", "add", bridge, "type", "bridge") and ip("addr", "add", "10.213.7.1/24", "dev", bridge) and ip("link", "set", bridge, "up")):
            return "no worker was in a network of its own: this system does not allow that here (ip link add ... type bridge)"
        for i, name in enumerate(names):
            made = (ip("netns", "add", name) and ip("link", "add", f"{bridge}{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
                    and ip("link", "set", f"{bridge}{i}", "master", bridge, "up") and ip("-n", name, "addr", "add", f"10.213.7.{i + 2}/24", "dev", "eth0")
                    and ip("-n", name, "link", "set", "eth0", "up") and ip("-n", name, "link", "set", "lo", "up"))  # fmt: skip
            assert made, f"the network {name} could not be made"
        cluster = DaskCluster(folder, 0, sweep.environment, host="10.213.7.1")
        for name in names[:2]:
            cluster.add_worker(inside=("ip", "netns", "exec", name))
        sweep.options = ("--scheduler", cluster.address, "--csv", "table.csv")
        process = sweep.start()
        assert sweep.wait_for(points // 4, process), process.communicate()
        cluster.add_worker(inside=("ip", "netns", "exec", names[2]))  # late
        assert sweep.wait_for(points // 2, process), process.communicate()
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        sweep._finished(process)
        assert (folder / "table.csv").read_bytes() == sweep.table.read_bytes(), "the table is not that of one computer"
        again = len(sweep._lines()) - points
        return f"three workers in networks of their own, one late, one killed: the same table; of {points} points {again} were begun again"
    finally:
        if cluster is not None:
            cluster.end()
        for name in names:
            ip("netns", "del", name)
        ip("link", "del", bridge)
        sweep.clear()


if __name__ == "__main__":
    sys.exit(main())
