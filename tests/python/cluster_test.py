# SPDX-License-Identifier: Apache-2.0
"""Sweeps on a Dask cluster: the table is that of one process, with workers that come late, die, or are of another version, and a scheduler that dies.

Skipped where `distributed` is not installed. Moments are drawn from GEMEL_SEED, which is printed.
"""

import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from disturbed_cluster import DaskCluster, DisturbedCluster
from packaged import PYTHON, ROOT

import gemel  # noqa: E402

SEED = int(os.environ.get("GEMEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
DASK = importlib.util.find_spec("distributed") is not None
if not DASK:
    print("absent: distributed, so that no sweep ran on a Dask cluster", file=sys.stderr)
SPACE = {"name": "some", "machine": "tiny8", "networks": ["digits"], "parameters": {"rows": [4, 8], "columns": [8, 16], "bus.bytes": [8, 16, 32]}}


class WithoutCluster(unittest.TestCase):
    def test_what_is_missing_is_said(self):
        if not DASK:
            with self.assertRaises(gemel.UserError) as caught:
                gemel.sweep(SPACE, scheduler="127.0.0.1:8786")
            self.assertEqual(str(caught.exception),
                             'error[E1212]: a scheduler needs Dask, which this Python does not have\nhint: pip install "gemel[cluster]"')
        with self.assertRaises(gemel.UserError) as caught:
            gemel.sweep(SPACE, scheduler="127.0.0.1:8786", workers=3)
        self.assertEqual(str(caught.exception), "error[E0911]: `workers` and `scheduler` exclude each other: a Dask cluster has workers of its own\n"
                                                "hint: leave out one of them")


@unittest.skipUnless(DASK, "there is no distributed")
class OnCluster(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        print(f"GEMEL_SEED={SEED}", file=sys.stderr)
        folder = tempfile.TemporaryDirectory(prefix="gemel-cluster-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gemel(self, *arguments):
        return subprocess.run([os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"), *map(str, arguments)], cwd=self.folder,
                              env={**os.environ, "GEMEL_PYTHON": sys.executable}, capture_output=True, text=True, check=False)

    def cluster(self, workers, **more):
        cluster = DaskCluster(self.folder, workers, {**os.environ, **more})
        self.addCleanup(cluster.end)
        return cluster

    def test_the_same_table_by_address_file_and_client(self):
        import distributed

        cluster = self.cluster(2)
        expected = list(gemel.sweep(SPACE, workers=1).rows)
        self.assertEqual(list(gemel.sweep(SPACE, self.folder / "some.sqlite", scheduler=cluster.address).rows), expected)
        self.assertEqual(list(gemel.sweep(SPACE, scheduler=str(cluster.file)).rows), expected)
        with distributed.Client(cluster.address, set_as_default=False) as client:
            self.assertEqual(list(gemel.sweep(SPACE, scheduler=client).rows), expected)
            self.assertEqual(client.status, "running")  # a client that is given stays open
        self.assertEqual(list(gemel.sweep(SPACE, self.folder / "some.sqlite", workers=1).rows), expected)  # from the file
        done = self.gemel("sweep", self.space(), "--scheduler", cluster.address, "-q", "--csv", "table.csv")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        own = gemel.sweep(SPACE).to_csv(self.folder / "own.csv")
        self.assertEqual((self.folder / "table.csv").read_text(encoding="utf-8"), own.read_text(encoding="utf-8"))

    def space(self):
        path = self.folder / "some.yaml"
        path.write_text(json.dumps(SPACE), encoding="utf-8")
        return path

    def test_points_that_fail_are_rows_here_too(self):
        cluster = self.cluster(1)
        space = {**SPACE, "networks": ["digits", "resnet18"], "parameters": {"columns": [8], "memory.size_bytes": ["64KiB", "1GiB"]}}
        self.assertEqual(list(gemel.sweep(space, scheduler=cluster.address).rows), list(gemel.sweep(space).rows))

    def test_workers_may_come_late_and_leave(self):
        cluster = self.cluster(0)
        import threading

        late = threading.Timer(1.0, lambda: (cluster.add_worker(), cluster.add_worker()))
        late.start()
        self.addCleanup(late.join)
        self.assertEqual(list(gemel.sweep(SPACE, scheduler=cluster.address).rows), list(gemel.sweep(SPACE, workers=1).rows))

    def test_nobody_answers_or_another_gemel_does(self):
        for where, why in (("tcp://127.0.0.1:9", "[Errno 111] Connection refused"), ("none.json", "[Errno 2] No such file or directory: 'none.json'")):
            done = self.gemel("sweep", self.space(), "--scheduler", where)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (2, "", f"error[E1215]: no Dask scheduler answers at `{where}`: {why}\n"
                                     "hint: `dask scheduler` starts one and prints its address; `dask worker ADDRESS` starts workers\n"))
        cluster = self.cluster(1)
        with self.assertRaises(gemel.UserError) as caught, unittest.mock.patch("gemel._sweep.version", lambda: "0.0.1 older"):
            gemel.sweep(SPACE, scheduler=cluster.address)
        self.assertRegex(str(caught.exception), r"^error\[E1211\]: a Dask worker runs Gemel .*, and this process 0\.0\.1 older\nhint: install the same version")
        bare = self.folder / "bare"
        bare.mkdir()
        (bare / "gemel.py").write_text("raise ImportError('no gemel here')\n", encoding="utf-8")
        cluster.end()
        cluster = self.cluster(1, PYTHONPATH=str(bare))
        with self.assertRaises(gemel.UserError) as caught:
            gemel.sweep(SPACE, scheduler=cluster.address)
        self.assertRegex(str(caught.exception), r"^error\[E1211\]: a Dask worker cannot compute points: ")

    def test_a_point_that_kills_workers_is_given_up_alone(self):
        deadly = self.folder / "deadly"
        deadly.mkdir()
        (deadly / "sitecustomize.py").write_text(
            "import os, gemel._worker as w\nc = w.compute\n"
            "bad = {'pe_array.rows': 8, 'pe_array.columns': 16, 'bus.bytes': 16}\n"
            "def die(m, n, changes): return c(m, n, changes) if dict(changes) != bad else os.abort()\n"
            "w.compute = die\n", encoding="utf-8")
        cluster = self.cluster(0, PYTHONPATH=os.pathsep.join([str(deadly), str(PYTHON)]), DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
        cluster.add_worker(nanny=True)
        sweep = gemel.sweep(SPACE, self.folder / "x.sqlite", scheduler=cluster.address)
        wrong = [(row["design"], row["code"], row["message"]) for row in sweep.rows if row["status"] != "done"]
        self.assertEqual(wrong, [(10, "E1211", "its Dask workers died")])
        cluster.end()
        again = gemel.sweep(SPACE, self.folder / "x.sqlite", workers=1)  # what is not recorded is tried again
        self.assertEqual(list(again.rows), list(gemel.sweep(SPACE, workers=1).rows))

    def test_schedulers_and_workers_are_killed(self):
        """At a few moments; scripts/verify_cluster does it at many."""
        sweep = DisturbedCluster(self.folder, 72, random.Random(SEED))
        self.addCleanup(sweep.cluster.end)
        sweep.kill_schedulers(2)
        sweep.kill_workers(2)
        self.assertGreaterEqual(sweep.kills, 1)
        print(f"{sweep.kills} kills, {sweep.begun_again} points were begun again", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
