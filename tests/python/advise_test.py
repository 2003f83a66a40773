# SPDX-License-Identifier: Apache-2.0
"""Advice: every figure is that of the command beside it, and for a machine that is starved of something the first finding names it.

The package is build/release/python, or the one that GEMEL_PACKAGE names; the program build/release/gemel, or GEMEL_BINARY.
"""

import json
import os
import pickle
import shlex
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

from packaged import ROOT

import gemel  # noqa: E402
from gemel._figures import derived  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
ENVIRONMENT = {**os.environ, "GEMEL_PYTHON": sys.executable}


def on(name, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gemel.GemelWarning)
        return gemel.machine(name, changes)


class Advice(unittest.TestCase):
    def cycles_of(self, command):
        words = shlex.split(command)
        self.assertEqual(words[:2], ["gemel", "run"])
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([GEMEL, *words[1:], "--out", folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))["cycles"]

    def test_figures_are_those_of_the_commands(self):
        for network, machine, most in (("digits", on("tiny8"), 100), ("digits", on("edge16", rows=8, **{"bus.bytes": 8}), 4), ("resnet18", on("edge16"), 4)):
            result = gemel.run(network, machine, timing_only=True)
            advice = result.advise()
            self.assertEqual((advice.cycles, advice.network, advice.machine), (result.cycles, network, machine))
            area = derived(machine)["area_kge"]
            self.assertEqual(advice.area_kge, area)
            self.assertGreater(len(advice.gains), 2)
            self.assertGreater(len(advice.savings), 2)
            worth = [(1 + f.cycles_share) * (1 + f.area_share) for f in advice.gains]
            self.assertEqual(worth, sorted(worth))
            self.assertEqual([f.cycles for f in advice.memory], sorted(f.cycles for f in advice.memory))
            self.assertEqual([f.area_share for f in advice.savings], sorted(f.area_share for f in advice.savings))
            for finding in (*advice.gains[:most], *advice.memory[:most], *advice.savings[:most]):
                with self.subTest(finding.command):
                    self.assertEqual(finding.cycles, self.cycles_of(finding.command))
                    self.assertEqual(finding.cycles_share, finding.cycles / result.cycles - 1)
                    changed = on(machine._source, **{**machine._changes, **dict(finding.changes)})
                    self.assertAlmostEqual(finding.area_share, derived(changed)["area_kge"] / area - 1)
                    self.assertEqual(dict(finding.before), {key: machine[key] for key, _ in finding.changes})
            for findings in (advice.gains[:10], advice.savings[:10]):
                for finding in findings:
                    self.assertIn(f"{finding.text} ({finding.kind})", str(advice))
            self.assertTrue(all(f.cycles_share < 0 for f in (*advice.gains, *advice.memory)))
            self.assertTrue(all(f.cycles_share < 0.01 for f in advice.savings))

    def test_what_a_machine_is_starved_of_comes_first(self):
        latency = {"memory.read_latency_cycles": 400}
        starving = (("bus.bytes", {"bus.bytes": 4, "dma.burst_bytes": 64}, {}), ("vector_unit.lanes", {"lanes": 1}, {}),
                    ("load_dma.outstanding", {"load_dma.outstanding": 1}, latency), ("memory.queue", {"memory.queue": 1}, latency),
                    ("weight_buffer.size_bytes", {"weight_buffer.size_bytes": "1KiB"}, {}))
        starved, first = 0, {}
        for network, name in (("digits", "edge16"), ("digits", "tiny8"), ("resnet8", "edge16"), ("dense_1000", "edge16"), ("conv3x3_56", "edge16"),
                              ("gemm_512", "tiny8"), ("depthwise_112", "edge16"), ("resnet18", "edge16")):
            for key, changes, both in starving:
                result = gemel.run(network, on(name, **both, **changes), timing_only=True)
                if result.cycles < 1.35 * gemel.run(network, on(name, **both), timing_only=True).cycles:
                    continue  # it does not mind, or so little that something else may gain more for its area
                starved += 1
                first[network, name, key] = result.advise().gains[0].text
        print(f"{starved} starved machines", file=sys.stderr)
        self.assertGreaterEqual(starved, 20)
        self.assertEqual({case: text for case, text in first.items() if case[2] not in text}, {})

    def test_commands_and_networks_that_are_in_no_file(self):
        builder = gemel.NetworkBuilder("built", seed=1)
        builder.input("image", (1, 16, 16, 8))
        builder.layer("conv", "conv2d", out_channels=32, kernel=3, padding="same")
        result = gemel.run(builder.build(), "tiny8")
        advice = pickle.loads(pickle.dumps(result)).advise()
        self.assertEqual({finding.command for finding in (*advice.gains, *advice.savings)}, {""})
        self.assertNotIn("measured by", str(advice))
        self.assertEqual(advice.gains, result.advise().gains)
        self.assertTrue(advice._repr_html_().startswith("<table>"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x.gemel")
            builder.build().compile("tiny8").save(path)
            alone = gemel.run(path)
            with self.assertRaisesRegex(ValueError, "takes it as `network`"):
                alone.advise()
            self.assertEqual(alone.advise(builder.build()).gains, advice.gains)

    def test_the_command_line_says_the_same(self):
        for arguments, options in (((), {}), (("--batch", "3"), {"batch": 3}), (("--set", "pe_array.rows=4"), {})):
            done = subprocess.run([GEMEL, "run", "digits", "-m", "tiny8", "--timing-only", "--advise", *arguments], env=ENVIRONMENT, capture_output=True,
                                  text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            machine = on("tiny8", rows=4) if "--set" in arguments else on("tiny8")
            advice = str(gemel.run("digits", machine, timing_only=True, **options).advise()).splitlines()
            shown = done.stdout.split("\nadvice for")[1].splitlines()
            self.assertEqual(["advice for" + shown[0], *shown[1:]], advice)
        done = subprocess.run([GEMEL, "run", "digits", "-m", "tiny8", "--test", "--advise", "-q"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--batch 360", done.stdout)

    def test_what_cannot_be_advised(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "digits.gemel")
            gemel.load("digits").compile("tiny8").save(path)
            done = subprocess.run([GEMEL, "run", path, "--advise"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("error[E0911]", done.stderr)
            self.assertIn("what is compiled for one machine cannot be tried on others", done.stderr)
        done = subprocess.run([GEMEL, "run", "digits", "--timing-only", "--advise"], env={**ENVIRONMENT, "GEMEL_PYTHON": "/nowhere"}, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^error\[E1212\]: `--advise` needs Python, and `/nowhere` cannot be started")

    def test_it_can_be_stopped(self):
        token = gemel.StopToken()
        token.request_stop()
        with self.assertRaises(gemel.Interrupted):
            gemel.run("digits", "tiny8").advise(stop=token)


if __name__ == "__main__":
    unittest.main()
