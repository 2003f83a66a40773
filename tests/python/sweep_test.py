# SPDX-License-Identifier: Apache-2.0
"""Sweeps: the same table however it is computed, nothing recorded is lost or computed again whoever dies, every point is what `gemel run` says of
it, and what is wrong with a space is told with its place.

The package is build/release/python, or the one that GEMEL_PACKAGE names; the program build/release/gemel, or GEMEL_BINARY. Moments and points are
drawn from GEMEL_SEED, which is printed.
"""

import contextlib
import csv
import importlib.util
import json
import os
import random
import resource
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
from pathlib import Path

from disturbed_sweep import DisturbedSweep, children, gone
from packaged import ROOT

import gemel  # noqa: E402
from gemel._expression import Expression, ExpressionError  # noqa: E402
from gemel._figures import FIGURES, derived  # noqa: E402
from gemel._store import Store  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
SEED = int(os.environ.get("GEMEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
print(f"GEMEL_SEED={SEED}", file=sys.stderr)

SMALL = """\
name: small
machine: tiny8
networks: [digits]
parameters:
  pe_array.rows: {from: 4, to: 16, times: 2}
  columns: [4, 8, 16]
  vector_unit.lanes: [pe_array.columns // 2, 8]
  bus.bytes: [8, 16]
constraints:
  - sram_bytes <= 512KiB
  - rows <= 2 * columns
"""
# 96 points of some ten milliseconds.
LONG = """\
name: long
networks: [resnet18]
parameters:
  rows: [8, 16]
  bus.bytes: [8, 16]
  activation_buffer.size_bytes: [64KiB, 128KiB, 256KiB]
  load_dma.outstanding: [4, 16]
  memory.read_latency_cycles: [50, 100, 200, 400]
"""
# LONG with 125 times as many points: minutes of work, so that a sweep of it cannot be over before a test disturbs it, however slowly the test runs.
# Nobody waits for its end. A sweep's first points are among those of LONG.
ENDLESS = LONG.replace("[50, 100, 200, 400]", str([50, 100, 200, 400, *range(501, 997)]))


class Folder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-sweep-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, text, name="space.yaml"):
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def gemel(self, *arguments, **more):
        return subprocess.run(
            [GEMEL, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "GEMEL_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
            **more,
        )

    def start(self, *arguments):
        process = subprocess.Popen(
            [GEMEL, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "GEMEL_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def wait_until(self, condition):
        for _ in range(60_000):
            if condition():
                return
            time.sleep(0.002)

    def recorded(self, file="space.sqlite"):
        """Points on the disk."""
        try:
            with sqlite3.connect(f"file:{self.folder / file}?mode=ro", uri=True) as database:
                return {point for (point,) in database.execute("SELECT point FROM results")}
        except sqlite3.Error:
            return set()  # not made yet

    def wait_for(self, count, process):
        while len(self.recorded()) < count and process.poll() is None:
            time.sleep(0.002)
        self.assertIsNone(process.poll(), "the sweep was over before it could be disturbed")


class Tables(Folder):
    def test_any_number_of_workers_gives_the_same_table(self):
        for space in (SMALL, SMALL.replace("machine:", "strategy: random\npoints: 9\nseed: 3\nmachine:")):
            tables = []
            for workers in (1, 2, 3):
                (self.folder / "space.sqlite").unlink(missing_ok=True)
                done = self.gemel("sweep", self.file(space), "--workers", workers, "--csv", "table.csv")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                tables.append(((self.folder / "table.csv").read_bytes(), done.stdout))
            self.assertEqual(tables[0], tables[1])
            self.assertEqual(tables[0], tables[2])
            again = self.gemel("sweep", "space.yaml", "--csv", "again.csv")
            self.assertEqual(((self.folder / "again.csv").read_bytes(), again.stdout), tables[0])
        with open(self.folder / "table.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 9)
        self.assertEqual({row["status"] for row in rows} - {"done", "failed"}, set())

    def test_random_designs_follow_from_the_seed_and_keep_the_constraints(self):
        def drawn(seed, points):
            space = gemel.Space.of(
                {
                    "networks": "digits",
                    "machine": "tiny8",
                    "strategy": "random",
                    "points": points,
                    "seed": seed,
                    "parameters": {"memory.read_latency_cycles": {"from": 1, "to": 90_000, "step": 1}, "rows": range(1, 17), "columns": [8, 16]},
                    "constraints": ["rows * columns <= 64"],
                }
            )
            self.assertGreater(space.combinations, 1_000_000)
            found = []
            for index in space.candidates():
                combination = space.combination(index)
                if space.allows(combination):
                    found.append(combination.changes)
                if len(found) == points:
                    return found

        self.assertEqual(drawn(1, 50), drawn(1, 60)[:50])
        self.assertNotEqual(drawn(1, 50), drawn(2, 50))
        for changes in drawn(1, 50):
            self.assertLessEqual(dict(changes)["pe_array.rows"] * dict(changes)["pe_array.columns"], 64)
        self.assertEqual(drawn(1, 3)[0], (("memory.read_latency_cycles", 55174), ("pe_array.rows", 7), ("pe_array.columns", 8)))  # on every computer

    @unittest.skipUnless(importlib.util.find_spec("optuna"), "there is no optuna")
    def test_search_finds_most_of_the_front_and_is_the_same_table(self):
        space = {"machine": "edge16", "networks": ["digits"], "objectives": ["cycles", "area_kge"], "parameters": {
            "rows": [8, 16, 32, 64], "columns": [8, 16, 32, 64], "activation_buffer.size_bytes": ["16KiB", "64KiB", "256KiB"],
            "accumulator_buffer.size_bytes": ["16KiB", "64KiB", "256KiB"], "bus.bytes": [8, 16, 32], "lanes": ["columns // 4", "columns", 12]},
            "constraints": ["rows <= 4 * columns"]}
        known = self.folder / "known.sqlite"
        every = gemel.sweep(space, known)
        found, shares = {"search": [], "random": []}, {}
        for seed in (1, 2, 3):
            for strategy, those in found.items():
                sweep = gemel.sweep({**space, "strategy": strategy, "points": len(every) // 8, "seed": seed}, known)
                self.assertEqual(len(sweep), len(every) // 8)
                self.assertEqual(len({design.machine().digest if design.status == "done" else repr(design.changes) for design in sweep.designs}), len(sweep))
                those.append(sum(design.costs in {one.costs for one in every.front} for design in sweep.front) / len(every.front))
        shares = {strategy: sum(those) / len(those) for strategy, those in found.items()}
        print(f"share of the front's {len(every.front)} designs found with {len(every) // 8} of {len(every)}: {shares}", file=sys.stderr)
        self.assertGreater(shares["search"], 2 * shares["random"])
        small = {**space, "strategy": "search", "points": 30, "seed": 5, "batch": 8}
        tables = [list(gemel.sweep(small, workers=workers).rows) for workers in (1, 2, 5)]
        self.assertEqual(tables[0], tables[1])
        self.assertEqual(tables[0], tables[2])
        self.assertNotEqual(tables[0], list(gemel.sweep({**small, "seed": 6}).rows))
        file = self.folder / "resumed.sqlite"
        token = gemel.StopToken()
        thread = threading.Thread(target=lambda: (self.wait_until(lambda: len(self.recorded("resumed.sqlite")) >= 12), token.request_stop()))
        thread.start()
        with contextlib.suppress(gemel.Interrupted):  # it may have been faster
            gemel.sweep(small, file, stop=token)
        thread.join()
        self.assertEqual(list(gemel.sweep(small, file).rows), tables[0])

    def test_search_ends_where_there_is_nothing_new(self):
        if not importlib.util.find_spec("optuna"):
            with self.assertRaises(gemel.UserError) as caught:
                gemel.sweep({"networks": "digits", "parameters": {"rows": [8]}, "strategy": "search", "points": 3})
            self.assertEqual(caught.exception.code, "E1212")
            return
        sweep = gemel.sweep({"networks": "digits", "machine": "tiny8", "strategy": "search", "points": 50,
                             "parameters": {"rows": [4, 8], "columns": [4, 8], "lanes": [4, 8]}})
        self.assertEqual(sorted(design.status for design in sweep.designs), 6 * ["done"] + 2 * ["failed"])
        self.assertIn("note: 50 designs are wanted, and 8 were found", sweep.summary())

    def test_points_are_what_gemel_run_says(self):
        space = {
            "name": "several",
            "machine": "tiny8",
            "networks": {"one": "digits", "two": {"workload": "digits", "batch": 3}, "large": "resnet18"},
            "parameters": {
                "rows": [4, 8, 16],
                "columns": [8, 16],
                "memory.bytes_per_cycle": [6.4, 8],
                "activation_buffer.size_bytes": ["32KiB", "64KiB"],
            },
        }
        sweep = gemel.sweep(space)
        rows = [row for row in sweep.rows if row["status"] == "done"]
        self.assertGreaterEqual(len(rows), 20)
        for row in random.Random(SEED).sample(rows, 20):
            with self.subTest(row["command"]):
                words = shlex.split(row["command"])
                self.assertEqual(words[:2], ["gemel", "run"])
                done = self.gemel(*words[1:], "--out", "out")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads((self.folder / "out" / "result.json").read_text(encoding="utf-8"))
                units = {f"{unit}.{cause}": cycles for unit, causes in result["units"].items() for cause, cycles in causes.items()}
                for name in FIGURES:
                    if name in result or name in units:
                        self.assertEqual(row[name], {**result, **units}[name], name)
                self.assertEqual(row["latency_ms"], result["seconds_at_clock"] * 1e3)
                self.assertEqual(row["utilization"], result["utilization"])

    def test_figures_are_all_that_runs_have(self):
        self.assertEqual(set(gemel.run("digits", "tiny8").figures()) - set(FIGURES), set())

    def test_several_networks_objectives_and_limits(self):
        space = {
            "machine": gemel.machine("tiny8", columns=16),
            "networks": {"a": gemel.load("digits"), "b": gemel.load("digits", batch=2)},
            "parameters": {"rows": [4, 8, 16], "lanes": ["columns // 2"]},
        }
        first, second = (design.value("worst(latency_ms)") for design in gemel.sweep(space).designs[:2])
        self.assertLess(second, first)
        sweep = gemel.sweep(
            {
                **space,
                "constraints": [f"worst(latency_ms) <= {(first + second) / 2}", "a.utilization > 0.01"],
                "objectives": [
                    "cycles",
                    {"minimize": "worst(cycles)", "name": "slowest"},
                    {"maximize": "mean(utilization)"},
                    "a.cycles",
                    "b.cycles / 2",
                    "geomean(cycles)",
                    "rows",
                ],
            }
        )
        self.assertEqual([design.status for design in sweep.designs], ["excluded", "done", "done"])
        for design in sweep.designs:
            one, two = design.figures("a"), design.figures("b")
            values = list(design.objectives.values())
            self.assertEqual(
                list(design.objectives), ["cycles", "slowest", "mean(utilization)", "a.cycles", "b.cycles / 2", "geomean(cycles)", "rows"]
            )
            self.assertEqual(values[:2], [one["cycles"] + two["cycles"], max(one["cycles"], two["cycles"])])
            self.assertAlmostEqual(values[2], (one["utilization"] + two["utilization"]) / 2)
            self.assertEqual(values[3:5], [one["cycles"], two["cycles"] / 2])
            self.assertAlmostEqual(values[5], (one["cycles"] * two["cycles"]) ** 0.5, places=3)
            self.assertEqual(values[6], design.machine()["rows"])
            self.assertAlmostEqual(
                design.value("utilization"), (one["macs"] + two["macs"]) / (one["cycles"] + two["cycles"]) / (16 * design.machine()["rows"])
            )
            self.assertEqual(design.machine()["lanes"], 8)
        self.assertEqual({design.position for design in sweep.front}, {1, 2})
        self.assertIn("objective slowest", sweep.columns())
        self.assertIn("1 excluded", sweep.summary())

    def test_the_front_has_whom_nobody_beats(self):
        sweep = gemel.sweep(
            {"networks": "digits", "machine": "tiny8", "parameters": {"rows": [2, 4, 8, 16], "bus.bytes": [4, 8, 16], "columns": [8, 16]}}
        )
        costs = {design.position: design.costs for design in sweep.designs}
        best = {p for p, c in costs.items() if not any(o != c and all(a <= b for a, b in zip(o, c, strict=True)) for o in costs.values())}
        self.assertEqual({design.position for design in sweep.front} - best, set())
        self.assertEqual({design.costs for design in sweep.front}, {costs[p] for p in best})
        self.assertGreater(len(best), 2)
        self.assertLess(len(sweep.front), len(sweep.designs))
        self.assertTrue(sweep._repr_html_().startswith("<table>"))

    def test_points_that_cannot_run_are_rows_with_their_error(self):
        sweep = gemel.sweep(
            {
                "networks": ["digits", "resnet18"],
                "machine": "tiny8",
                "parameters": {"lanes": [8, 16], "columns": [8], "memory.size_bytes": ["64KiB", "1GiB"]},
            }
        )
        codes = [[row["code"] for row in sweep.rows if row["design"] == design.position] for design in sweep.designs]
        self.assertEqual(codes[1], ["", ""])
        self.assertEqual(codes[2], ["E0108", "E0108"])
        self.assertEqual((codes[0][0], codes[0][1][:3]), ("", "E06"))
        self.assertEqual([design.status for design in sweep.designs], ["failed", "done", "failed", "failed"])
        with self.assertRaises(gemel.UserError) as caught:
            sweep.designs[2].machine()
        self.assertEqual(caught.exception.code, "E0108")
        self.assertIn("2 x E0108", sweep.summary().replace("4 x E0108", "2 x E0108"))

    def test_areas_are_those_of_the_area_model(self):
        from gemel.area import area, machine_values, read_machine

        for name in gemel.machines():
            machine = gemel.machine(name)
            blocks = area(read_machine(ROOT / "configs" / f"{name}.yaml"))
            self.assertEqual(area(machine_values(machine)), blocks)
            found = derived(machine)
            self.assertEqual(found["memory_bits"], sum(block.memory_bits for block in blocks))
            self.assertAlmostEqual(found["area_kge"], sum(block.nand2 + 0.6 * block.memory_bits for block in blocks) / 1000, places=2)
            self.assertEqual(found["area_extrapolated"], int(any(block.outside for block in blocks)))

    def test_growing_spaces_keep_what_is_recorded(self):
        self.gemel("sweep", self.file(SMALL), "-q")
        before = self.recorded()
        self.gemel("sweep", self.file(SMALL.replace("[8, 16]", "[8, 16, 32]")), "-q")
        after = self.recorded()
        self.assertLess(before, after)
        done = self.gemel("sweep", self.file(SMALL), "--csv", "table.csv")
        self.assertEqual((self.recorded(), done.returncode), (after, 0))

    def test_parquet_is_asked_for_politely(self):
        try:
            import pyarrow.parquet
        except ImportError:
            done = self.gemel("sweep", self.file(SMALL), "--parquet", "table.parquet")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertRegex(done.stderr, r"^error\[E1212\]: Parquet files need pyarrow.*\nhint: pip install \"gemel\[frames\]\"")
            self.assertEqual([p.name for p in self.folder.iterdir()], ["space.yaml"])
        else:
            self.gemel("sweep", self.file(SMALL), "--parquet", "table.parquet", "--csv", "table.csv")
            table = pyarrow.parquet.read_table(self.folder / "table.parquet")
            with open(self.folder / "table.csv", encoding="utf-8", newline="") as file:
                self.assertEqual([row["cycles"] for row in csv.DictReader(file)], ["" if c is None else str(c) for c in table["cycles"].to_pylist()])


class Deaths(Folder):
    """Whoever dies, whenever: the finished table is that of an undisturbed sweep, and nothing recorded is computed again (a point is inserted
    once, or the sweep fails)."""

    table = b""

    def undisturbed(self):
        self.file(LONG)
        if not self.table:  # once for all
            done = self.gemel("sweep", "space.yaml", "--out", "undisturbed.sqlite", "--csv", "undisturbed.csv", "-q")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            Deaths.table = (self.folder / "undisturbed.csv").read_bytes()
        return self.table, len(self.table.splitlines()) - 1

    def finish(self, expected):
        before = self.recorded()
        done = self.gemel("sweep", "space.yaml", "--csv", "table.csv", "-q")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLessEqual(before, self.recorded())
        self.assertEqual((self.folder / "table.csv").read_bytes(), expected)

    def test_coordinators_and_workers_are_killed(self):
        """At a few moments; scripts/verify_sweeps does it at many."""
        sweep = DisturbedSweep(self.folder, 72, random.Random(SEED))
        sweep.kill_coordinators(3)
        sweep.kill_workers(3)
        self.assertGreaterEqual(sweep.kills, 1)
        print(f"{sweep.kills} kills, {sweep.begun_again} points were begun again", file=sys.stderr)

    def test_a_worker_killed_is_said(self):
        """Killed by the process that records, behind the fifth point: by then no worker has got the last ones."""
        space, killed = gemel.Space.of(self.folder / self.file(LONG)), []

        def record(store, *point, record=Store.record):
            record(store, *point)
            if store._database.execute("SELECT count(*) FROM results").fetchone() == (5,):
                killed.append(children(os.getpid())[0])
                os.kill(killed[0], signal.SIGKILL)

        with unittest.mock.patch.object(Store, "record", record):
            summary = gemel.sweep(space, self.folder / "space.sqlite", workers=2).summary()
        self.assertEqual(len(killed), 1)
        self.assertIn("note: 1 workers died and were replaced", summary)
        expected, points = self.undisturbed()
        self.assertEqual(len(self.recorded()), points)
        self.finish(expected)

    def test_ctrl_c_and_term_keep_what_is_done(self):
        expected, points = self.undisturbed()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("sweep", self.file(ENDLESS), "--workers", "2")
            first = len(self.recorded()) + 1
            self.wait_for(random.Random(SEED + number).randrange(first, first + 4), process)
            workers = children(process.pid)
            process.send_signal(number)
            out, errors = process.communicate()
            self.assertEqual((process.returncode, out), (code, ""))
            self.assertEqual(errors, "interrupted; what is recorded in `space.sqlite` is kept, and the same command goes on\n")
            self.assertTrue(all(gone(pid) for pid in workers))
        self.file(LONG)
        self.finish(expected)

    def test_the_disk_is_full(self):
        expected, _ = self.undisturbed()
        done = self.gemel(
            "sweep",
            "space.yaml",
            "-q",
            preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))),
        )
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"^error\[E1209\]: `space.sqlite` cannot be written: .*\nhint: what is recorded is safe: make room")
        self.assertGreater(len(self.recorded()), 3)
        self.finish(expected)

    def test_the_file_is_in_use(self):
        process = self.start("sweep", self.file(ENDLESS), "-q", "--workers", "1")
        self.wait_for(1, process)
        done = self.gemel("sweep", self.file(LONG))
        self.assertEqual(
            done.stderr, ("error[E1208]: another sweep is writing `space.sqlite`\nhint: wait for its end, or choose another file with --out\n")
        )
        self.assertEqual(done.returncode, 2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        other = sqlite3.connect(self.folder / "space.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        done = self.gemel("sweep", "space.yaml")
        other.execute("ROLLBACK")
        other.close()
        self.assertEqual(
            (done.returncode, done.stderr),
            (
                2,
                "error[E1208]: `space.sqlite` is locked by another program\n"
                "hint: what is recorded is safe: close that program, and give the same command again\n",
            ),
        )
        self.assertEqual(self.gemel("sweep", "space.yaml", "-q").returncode, 0)

    def test_files_that_are_none_of_a_sweep(self):
        self.file(SMALL)
        (self.folder / "text.sqlite").write_text("no database, and long enough to be sure of it" * 100, encoding="utf-8")
        with sqlite3.connect(self.folder / "other.sqlite") as database:
            database.execute("CREATE TABLE mine(x)")
        before = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        for out, text in (
            ("text.sqlite", r"error\[E1210\]: `text.sqlite` is no file of a sweep, or damaged"),
            ("other.sqlite", r"error\[E1210\]: `other.sqlite` is a database, but none of a sweep"),
            ("nowhere/x.sqlite", r"error\[E1209\]: `nowhere/x.sqlite` cannot be written: No such file or directory"),
            (".", r"error\[E1209\]: `.` cannot be written: Is a directory"),
        ):
            done = self.gemel("sweep", "space.yaml", "--out", out)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertRegex(done.stderr, "^" + text)
        self.assertEqual({path.name: path.read_bytes() for path in self.folder.iterdir()}, before)

    def test_stop_from_another_thread(self):
        token = gemel.StopToken()
        file = self.folder / "space.sqlite"
        self.file(ENDLESS)

        def stop_later():
            while len(self.recorded()) < 3:
                time.sleep(0.01)
            token.request_stop()

        thread = threading.Thread(target=stop_later)
        thread.start()
        with self.assertRaises(gemel.Interrupted):
            gemel.sweep(self.folder / "space.yaml", file, workers=1, stop=token)
        thread.join()
        self.assertGreaterEqual(len(self.recorded()), 3)

    def test_workers_do_not_grow(self):
        process = self.start("sweep", self.file(ENDLESS), "-q", "--workers", "1")
        sizes = []
        for target in (100, 400):
            self.wait_for(target, process)
            status = Path(f"/proc/{children(process.pid)[0]}/status").read_text()
            sizes.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        self.assertLess(max(sizes), 60)  # MiB
        self.assertLess(abs(sizes[1] - sizes[0]), 4)


class Mistakes(Folder):
    def test_each_space_gets_its_text(self):
        head = "networks: [digits]\nparameters:\n"
        for text, expected in (
            (
                head + "  pe_array.row: [8]\n",
                (
                    "error[E0103]: unknown parameter `pe_array.row`\n"
                    "  space.yaml:3:3\n"
                    "3 |   pe_array.row: [8]\n"
                    "  |   ^^^^^^^^^^^^ did you mean `pe_array.rows`?\n"
                    "hint: `gemel explain machine` lists every parameter\n"
                ),
            ),
            (
                head + "  rows: [8, 300]\n",
                ("error[E0107]: `pe_array.rows` is 300, but must be 1 to 256\n  space.yaml:3:13\n3 |   rows: [8, 300]\n  |             ^^^\n"),
            ),
            (
                head + "  rows: [8]\nconstraint: [rows > 8]\n",
                (
                    "error[E1203]: unknown key `constraint`\n"
                    "  space.yaml:4:1\n"
                    "4 | constraint: [rows > 8]\n"
                    "  | ^^^^^^^^^^ did you mean `constraints`?\n"
                    "hint: a space has `name`, `machine`, `networks`, `parameters`, `constraints`, `objectives`, `strategy`, `points`, "
                    "`seed`, `batch`\n"
                ),
            ),
            (
                head + "  rows: [8]\nconstraints: [sram_byte <= 4KiB]\n",
                (
                    "error[E1206]: `sram_byte <= 4KiB`: unknown name `sram_byte`\n"
                    "  space.yaml:4:15\n"
                    "4 | constraints: [sram_byte <= 4KiB]\n"
                    "  |               ^^^^^^^^^^^^^^^^^ did you mean `sram_bytes`?\n"
                ),
            ),
            (
                head + ("  rows: [8, 16]\nconstraints:\n  - rows > 8\n  - rows < 16\n"),
                (
                    "error[E1207]: no design keeps the constraints: rows > 8; rows < 16 (2 of 2 combinations were looked at)\n"
                    "  space.yaml\n"
                    "hint: do they contradict each other, or the values?\n"
                ),
            ),
            (
                head
                + ("  rows: {from: 1, to: 256, step: 1}\n  columns: {from: 1, to: 256, step: 1}\n  memory.queue: {from: 1, to: 1000, step: 1}\n"),
                ("error[E1205]: the grid has 65,536,000 combinations of values, and at most 1,000,000 are gone through\n  space.yaml:2:1\n"),
            ),
            (head + "  rows: []\n", "error[E1204]: `pe_array.rows` has no values\n  space.yaml:3:3\n"),
            (head + "  rows: [8, 8]\n", "error[E1203]: `pe_array.rows` has the value 8 twice\n  space.yaml:3:13\n"),
            (
                head + "  rows: {from: 8, to: 4, step: 1}\n",
                ("error[E1204]: the range of `pe_array.rows` from 8 to 4 in steps of 1 is empty or does not end\n  space.yaml:3:3\n"),
            ),
            (
                head + "  rows: {from: 1, to: 4, times: 1}\n",
                "error[E1204]: the range of `pe_array.rows` from 1 to 4 times 1 is empty or does not end\n",
            ),
            (
                head + "  rows: {from: 1, to: 4}\n",
                "error[E1203]: the range of `pe_array.rows` must have `from`, `to`, and either `step` or `times`\n",
            ),
            (
                head + "  memory.size_bytes: {from: 4KiB, to: 1GiB, step: 4KiB}\n",
                "error[E1205]: the range of `memory.size_bytes` has 262,144 values, and at most 100,000 are gone through\n",
            ),
            (
                head + "  rows: [columns]\n  columns: [rows]\n",
                ("error[E1206]: parameters depend on each other in a circle: `pe_array.rows`, `pe_array.columns`\n  space.yaml:3:3\n"),
            ),
            (
                head + "  rows: [columns / 3]\n",
                (
                    "error[E1206]: a parameter cannot be computed: `pe_array.rows` would be 5.33333, but must be a whole number (`//` "
                    "divides so)\n"
                    "  space.yaml\n"
                ),
            ),
            (head + "  rows: [cycles]\n", "error[E1206]: `cycles`: `cycles` is not known before the machine is\n"),
            (head + "  rows: [8]\nobjectives: [cycles, {maximise: rows}]\n", "error[E1203]: an objective is an expression to be minimized"),
            (
                head + "  rows: [8]\nconstraints: [\"open('x')\"]\n",
                "error[E1206]: `open('x')`: `open` with 1 arguments is no function; there are `abs`",
            ),
            (
                head + "  rows: [8]\nstrategy: randm\n",
                (
                    "error[E1204]: `strategy` is `randm`, but must be `grid`, `random` or `search`\n"
                    "  space.yaml:4:11\n"
                    "4 | strategy: randm\n"
                    "  |           ^^^^^ did you mean `random`?\n"
                ),
            ),
            (head + "  rows: [8]\nstrategy: random\n", "error[E1203]: `strategy: random` needs `points`: how many designs\n"),
            (head + "  rows: [8]\nseed: 3\n", "error[E1203]: `seed` has no meaning with `strategy: grid`\n"),
            (head + "  rows: [8]\nstrategy: random\npoints: 0\n", "error[E1205]: `points` must be a whole number from 1 to 1000000, not `0`\n"),
            ("networks: [digts]\nparameters: {rows: [8]}\n", "error[E0208]: there is no workload `digts`\n  space.yaml:1:12\n"),
            ("networks: [digits, digits]\nparameters: {rows: [8]}\n", "error[E1203]: two networks are called `digits`\n"),
            ("machine: edge61\nnetworks: [digits]\nparameters: {rows: [8]}\n", "error[E0109]: there is no machine `edge61`\n  space.yaml:1:10\n"),
            ("networks: [digits]\n", "error[E1203]: a space must have `parameters`"),
            ("parameters: {rows: [8]}\n", "error[E1203]: a space must say which `networks`\n"),
            ("[]", "error[E1204]: a space must be a map with `networks` and `parameters`\n"),
            ("a: [", "error[E1202]: "),
            ("a: 1\na: 2\n", "error[E1203]: key `a` is given twice\n"),
            (
                "a: &x [" + "1, " * 300 + "1]\nb: &y [" + "*x, " * 300 + "*x]\nc: [*y, *y, *y]\n",
                "error[E1205]: the file is nested deeper than 32 or has more than 100000 values\n",
            ),
        ):
            with self.subTest(text[:200]):
                self.file(text)
                done = self.gemel("sweep", "space.yaml")
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith(expected), f"{done.stderr!r}\n{expected!r}")
                self.assertEqual([path.name for path in self.folder.iterdir() if path.suffix == ".csv"], [])
                for left in self.folder.glob("*.sqlite*"):
                    left.unlink()
        self.assertEqual(
            self.gemel("sweep", "nowhere.yaml").stderr, "error[E1201]: the space file `nowhere.yaml` cannot be read: No such file or directory\n"
        )
        (self.folder / "latin.yaml").write_bytes(b"name: \xe9\n")
        self.assertTrue(self.gemel("sweep", "latin.yaml").stderr.startswith("error[E1202]: the space file `latin.yaml` is not text in UTF-8"))
        self.assertIn("E0913", self.gemel("sweep", "space.yaml", "--worker", "3").stderr)
        self.assertIn("E0915", self.gemel("sweep", "space.yaml", "--workers", "0").stderr)

    def test_everything_wrong_is_told_at_once(self):
        self.file("networks: [digits]\nparameters:\n  row: [8]\n  lanes: [0]\nconstraints: [a, 1 +]\n")
        found = self.gemel("sweep", "space.yaml").stderr
        self.assertEqual(
            [line.split("]")[0] for line in found.splitlines() if line.startswith("error")],
            ["error[E0103", "error[E0107", "error[E1206", "error[E1206"],
        )

    def test_spaces_as_mappings_say_where_in_them(self):
        with self.assertRaises(gemel.UserError) as caught:
            gemel.sweep({"networks": "digits", "parameters": {"rows": [8, 300], "memory.kind": "fast"}})
        self.assertEqual(
            [(d.code, d.file) for d in caught.exception.diagnostics],
            [("E0107", "parameters.rows[1]"), ("E0106", "parameters.memory.kind")]
            if caught.exception.diagnostics[1].code == "E0106"
            else [("E0107", "parameters.rows[1]"), ("E0107", "parameters.memory.kind")],
        )
        with self.assertRaises(gemel.UserError) as caught:
            gemel.sweep({"networks": "digits", "parameters": {"rows": [8]}}, workers=0)
        self.assertEqual(caught.exception.code, "E0915")

    def test_without_a_package_or_a_python(self):
        alone = self.folder / "bin"
        alone.mkdir()
        shutil.copy(GEMEL, alone / "gemel")
        done = subprocess.run(
            [alone / "gemel", "sweep", "space.yaml"], env={**os.environ, "GEMEL_HOME": str(ROOT)}, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^error\[E1212\]: `gemel sweep` needs the Python package `gemel` with its library, which is in none of `")
        done = subprocess.run(
            [GEMEL, "sweep", "space.yaml"], env={**os.environ, "GEMEL_PYTHON": "/nowhere/python"}, capture_output=True, text=True, check=False
        )
        self.assertEqual(
            (done.returncode, done.stderr),
            (
                2,
                "error[E1212]: `gemel sweep` needs Python, and `/nowhere/python` cannot be started: No such file or directory\n"
                "hint: install python3, or let GEMEL_PYTHON name a Python of at least 3.11\n",
            ),
        )

    def test_workers_that_cannot_start_or_die_with_a_point(self):
        broken = self.folder / "python"
        broken.write_text("#!/bin/sh\necho 'no module' >&2; exit 1\n", encoding="utf-8")
        broken.chmod(0o755)
        space = {"networks": "digits", "machine": "tiny8", "parameters": {"rows": [4, 8]}}
        with unittest.mock.patch.object(sys, "executable", str(broken)), self.assertRaises(gemel.UserError) as caught:
            gemel.sweep(space)
        self.assertEqual(str(caught.exception), "error[E1211]: a worker ended before its first point: no module\n"
                                                f"hint: `{broken}` must find the package `gemel`")
        # A worker that kills itself with the second point only.
        broken.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'import os, gemel._worker as w; c = w.compute\n"
                          "def die(m, n, changes): return c(m, n, changes) if dict(changes)[\"pe_array.rows\"] == 4 else os.abort()\n"
                          "w.compute = die; w.main()'\n", encoding="utf-8")
        with unittest.mock.patch.object(sys, "executable", str(broken)):
            sweep = gemel.sweep(space, self.folder / "x.sqlite", workers=1)
        self.assertEqual([(row["status"], row["code"]) for row in sweep.rows], [("done", ""), ("failed", "E1211")])
        self.assertIn("three workers died while they computed it", sweep.summary())
        self.assertEqual(len(self.recorded("x.sqlite")), 1)
        again = gemel.sweep(space, self.folder / "x.sqlite", workers=1)  # the same call tries again
        self.assertEqual([row["status"] for row in again.rows], ["done", "done"])

    def test_a_library_that_changes_meanwhile(self):
        from gemel._identity import _digest_of_library

        space = {"networks": "digits", "machine": "tiny8", "parameters": {"rows": [4, 8]}}
        with unittest.mock.patch("gemel._sweep.version", lambda: "0.0.1 older"), self.assertRaises(gemel.UserError) as caught:
            gemel.sweep(space, self.folder / "x.sqlite")
        self.assertEqual(caught.exception.code, "E1211")
        self.assertRegex(caught.exception.message, r"^workers run Gemel .*, and this process 0\.0\.1 older$")
        self.assertEqual(self.recorded("x.sqlite"), set())
        maps = "7f0-7f1 r-xp 0 00:2a 12 /nowhere/libgemel.so.0 (deleted)\n7f2-7f3 r-xp 0 00:2a 13 /usr/lib/libc.so.6\n"
        with self.assertRaisesRegex(gemel.UserError, r"`/nowhere/libgemel.so.0 \(deleted\)`, which this Python runs, is not there any more"):
            _digest_of_library(str(self.folder / self.file(maps, "maps")))
        self.assertEqual(_digest_of_library(), _digest_of_library())

    def test_a_network_that_changes_meanwhile(self):
        text = ("gemel_workload: 1\nname: mine\nsynthetic: {seed: 3}\ninputs:\n  - {name: image, shape: [1, 8, 8, 3]}\n"
                "layers:\n  - {name: scores, op: dense, out_channels: 10}\n")
        path = self.folder / self.file(text, "mine.yaml")
        space = gemel.Space.of({"networks": str(path), "machine": "tiny8", "parameters": {"rows": [4, 8]}})
        self.file(text.replace("10", "11"), "mine.yaml")
        row = next(gemel.sweep(space).rows)
        self.assertEqual(f"error[{row['code']}]: {row['message']}", f"error[E1213]: the network `{path}` has changed since the sweep began")

    def test_expressions(self):
        scope = {"a.b": 6, "c": 4, "word": "ideal"}.__getitem__
        for text, value in (
            ("a.b * 2 + c", 16),
            ("1.5KiB", 1536),
            ("2 MiB", 1 << 21),
            ("a.b // c", 1),
            ("a.b / c", 1.5),
            ("-c % 3", 2),
            ("c ** 2", 16),
            ("1 < c <= 4 and not a.b == 7", True),
            ("c if a.b > 9 else min(a.b, c, 3)", 3),
            ("word == 'ideal' or false", True),
            ("log2(c) + sqrt(c) + ceil(1.2) + floor(1.8) + abs(-1) + round(1.4)", 9),
            ("max(c, a.b)", 6),
        ):
            self.assertEqual(Expression(text).value(scope), value, text)
        for text in (
            "",
            "a.b(",
            "import os",
            "__import__('os')",
            "a.__class__",
            "c.real()",
            "[1]",
            "{}",
            "lambda: 1",
            "(c := 1)",
            "f'{c}'",
            "c[0]",
            "min()",
            "min(*c)",
            "9" * 40,
            "c if",
            "x for x in c",
            "()",
            "await c",
            "min(c, key=c)",
            "exec",
            "c" * 3000,
            "(" * 400 + "c" + ")" * 400,
            "c & 1",
            "b'1'",
            "1j",
        ):
            with self.subTest(text[:50]), self.assertRaises((ExpressionError, KeyError)):
                Expression(text).value(scope)
        for text in ("c / 0", "c // 0", "2 ** 9999", "10.0 ** 64 ** 3", "log2(0)", "sqrt(-c)", "(-c) ** 0.5", "word + 1", "1e308 * 10", "-word"):
            with self.subTest(text), self.assertRaises(ExpressionError):
                Expression(text).value(scope)


if __name__ == "__main__":
    unittest.main()
