# SPDX-License-Identifier: Apache-2.0
"""Frames that arrive at a fixed rate: what the command prints, writes and ends with, against a queue that is simulated here, event by event, with the
length of a run as its trace has it.

The package is build/release/python, or the one that GEMEL_PACKAGE names; the program build/release/gemel, or GEMEL_BINARY.
"""

import csv
import json
import os
import subprocess
import tempfile
import unittest
from fractions import Fraction
from pathlib import Path

from packaged import ROOT

import gemel  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))


def queue(cycles, period, frames):
    """(arrival, start, end, waiting) of each frame, a cycle at a time where something happens."""
    arrivals = [-((-period * k) // 1) for k in range(frames)]
    waiting, found, free = [], {}, 0
    now, coming = 0, list(enumerate(arrivals))
    while len(found) < frames:
        while waiting and free <= now:  # the machine takes the next one
            k, arrival, before = waiting.pop(0)
            found[k] = (arrival, now, now + cycles, before)
            free = now + cycles
        while coming and coming[0][1] == now:
            k, arrival = coming.pop(0)
            waiting.append((k, arrival, len(waiting)))
        if waiting and free <= now:
            continue
        now = min([free] * bool(waiting) + [arrival for _, arrival in coming[:1]], default=now)
    return [found[k] for k in range(frames)]


class RealTime(unittest.TestCase):
    maxDiff = None

    def gemel(self, folder, *arguments):
        return subprocess.run([GEMEL, "run", "digits", "-m", "tiny8", "--timing-only", *arguments], cwd=folder, capture_output=True, text=True, check=False)

    def test_frames_are_those_of_a_queue_and_the_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            traced = self.gemel(folder, "--trace", "--out", "single")
            self.assertEqual(traced.returncode, 0, traced.stderr)
            trace = json.loads(Path(folder, "single", "trace.json").read_text(encoding="utf-8"))
            ends = [event["ts"] + event["dur"] for event in trace["traceEvents"] if event.get("ph") == "X"]
            result = json.loads(Path(folder, "single", "result.json").read_text(encoding="utf-8"))
            cycles, clock = result["cycles"], result["machine"]["parameters"]["clock_mhz"]
            self.assertLessEqual(max(ends), cycles)  # the last thing that happens, and the halt
            self.assertLess(cycles - max(ends), 50)
            for period_us in (cycles / clock / 2, cycles / clock * 1.0001, 2 * cycles / clock, 7.77):
                text = f"{period_us:.3f}us"
                done = self.gemel(folder, "--period", text, "--frames", "40", "--out", "out")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("wrote out/frames.csv\n", done.stdout)
                with open(Path(folder, "out", "frames.csv"), encoding="utf-8", newline="") as file:
                    rows = [tuple(int(row[name]) for name in ("arrival_cycle", "start_cycle", "end_cycle", "waiting")) for row in csv.DictReader(file)]
                wanted = queue(cycles, Fraction(text[:-2]) * Fraction(clock), 40)
                self.assertEqual(rows, wanted)
                found = gemel.run("digits", "tiny8", timing_only=True).real_time(float(text[:-2]) * 1e-6, 40)
                self.assertEqual([(f.arrival, f.start, f.end, f.waiting) for f in found.frames], wanted)
                self.assertIn(str(found), done.stdout)
                self.assertEqual(found.most_waiting, max(row[3] for row in wanted))
                if period_us > cycles / clock:
                    self.assertEqual({f.latency for f in found.frames}, {cycles})

    def test_a_missed_deadline_is_an_exit_status(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.gemel(folder, "--period", "10us", "--frames", "20", "--deadline", "30us", "--out", "out")
            self.assertEqual(done.returncode, 4)
            self.assertRegex(done.stderr, r"^error\[E0830\]: \d+ of 20 frames missed the deadline of 30us\n$")
            with open(Path(folder, "out", "frames.csv"), encoding="utf-8", newline="") as file:
                missed = sum(int(row["missed"]) for row in csv.DictReader(file))
            self.assertTrue(done.stderr.startswith(f"error[E0830]: {missed} of 20"))
            self.assertIn(f"deadline    0.030 ms: {missed} of 20 frames miss it", done.stdout)
            done = self.gemel(folder, "--period", "1s", "--deadline", "0.5s")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("deadline    500.000 ms: never missed", done.stdout)
            for arguments, text in (
                (["--deadline", "1ms"], "error[E0911]: --deadline is for frames that arrive, but none do\nhint: add --period TIME\n"),
                (["--frames", "3"], "error[E0911]: --frames counts frames that arrive, but none do\nhint: add --period TIME\n"),
                (["--period", "33"], "error[E0915]: `--period` is `33`, but must be a time above 0 with a unit: 33ms, 16.6us, 800ns, 0.5s\n"),
                (["--period", "1ms", "--frames", "0"], "error[E0915]: `--frames` is `0`, but must be a whole number from 1 to 10000000\n"),
            ):
                with self.subTest(arguments):
                    done = self.gemel(folder, *arguments)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (2, "", text))


if __name__ == "__main__":
    unittest.main()
