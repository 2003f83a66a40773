# SPDX-License-Identifier: Apache-2.0
"""What real runs leave: result.json follows its published schema (as the jsonschema package reads it), its figures agree with each
other, the trace is in order, the network is as accurate as the NumPy reference says, and nothing half-written is left.

The program is build/release/gemel, or the one that GEMEL_BINARY names.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from gemel.reference import Workload, accuracy  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
UNITS = ["load_dma", "matrix_unit", "vector_unit", "store_dma"]


def run(folder: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [str(GEMEL), "run", *arguments, "--out", folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@unittest.skipUnless(GEMEL.is_file(), f"{GEMEL} is not built")
class Result(unittest.TestCase):
    def result_of(self, *arguments: str) -> tuple[dict, dict | None, str]:
        """result.json, trace.json if there is one, and stdout."""
        with tempfile.TemporaryDirectory() as folder:
            done = run(folder, *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            left = sorted(os.listdir(folder))
            self.assertEqual([f for f in left if f != "trace.json"], ["report.html", "result.json"])
            result = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))
            trace = Path(folder, "trace.json")
            return result, json.loads(trace.read_text(encoding="utf-8")) if trace.exists() else None, done.stdout

    def check(self, result: dict) -> None:
        schema = json.loads((ROOT / "docs" / "reference" / "result.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(result, schema, jsonschema.Draft202012Validator)
        self.assertGreater(result["cycles"], 0)
        for unit in UNITS:
            causes = result["units"][unit]
            self.assertEqual(sum(causes.values()), result["cycles"], unit)
            for cause, cycles in causes.items():
                self.assertEqual(sum(layer["units"][unit][cause] for layer in result["layers"]), cycles, (unit, cause))
        for key in ("macs", "array_cycles", "load_bytes", "store_bytes"):
            self.assertEqual(sum(layer[key] for layer in result["layers"]), result[key], key)
        attributed = sum(layer["matrix_cycles"] for layer in result["layers"])
        self.assertEqual(attributed, result["cycles"])
        parameters = result["machine"]["parameters"]
        slots = result["cycles"] * parameters["pe_array.rows"] * parameters["pe_array.columns"]
        self.assertAlmostEqual(result["utilization"], result["macs"] / slots)
        for layer in result["layers"]:
            if layer["first_cycle"] is not None:
                self.assertLess(layer["last_cycle"], result["cycles"], layer["name"])
            self.assertTrue(layer["bottleneck"], layer["name"])
            if layer["mapping"]:
                self.assertEqual(sum(part["channels"] for part in layer["mapping"]), layer["output"][-1], layer["name"])
                self.assertEqual(any(part["unit"] == "matrix_unit" for part in layer["mapping"]), layer["array_cycles"] > 0, layer["name"])
            else:
                self.assertEqual(layer["array_cycles"], 0, layer["name"])

    def test_all_test_images_equal_golden_and_are_as_accurate_as_the_reference_says(self):
        result, trace, text = self.result_of("digits", "--machine", "edge16", "--test")
        self.check(result)
        self.assertIsNone(trace)
        workload = Workload(ROOT / "workloads" / "digits.yaml")
        images, labels = workload.tensors["test.images"], workload.tensors["test.labels"]
        self.assertEqual(result["images"], len(images))
        self.assertAlmostEqual(result["accuracy"], accuracy(workload.run(images)["dense"], labels))
        self.assertAlmostEqual(result["float_accuracy"], float(workload.tensors["test.float_accuracy"][0]))
        self.assertIn("every layer equal to golden", text)
        for layer in result["layers"]:
            self.assertIn(layer["compared"], ("equal", "fused", "view"), layer["name"])

    def test_figures_agree_on_every_shipped_machine(self):
        machines = sorted(p.stem for p in (ROOT / "configs").glob("*.yaml"))
        self.assertGreaterEqual(len(machines), 5)
        for machine in machines:
            with self.subTest(machine=machine):
                result, _, _ = self.result_of("digits", "--machine", machine)
                self.check(result)

    def test_a_run_can_be_made_again(self):
        first, _, _ = self.result_of("digits", "--machine", "tiny8", "--set", "memory.read_latency_cycles=73", "--batch", "2", "--seed", "5")
        settings, machine = first["settings"], first["machine"]
        self.assertEqual((first["seed"], settings["seed"], settings["machine"]), (5, "5", "tiny8"))
        with tempfile.TemporaryDirectory() as folder:  # from the parameters alone, as a file of somebody's own
            groups: dict[str, dict] = {}
            for key, value in machine["parameters"].items():
                group, _, leaf = key.rpartition(".")
                groups.setdefault(group, {})[leaf] = value
            text = {"name": "again", **groups.pop(""), **groups}
            Path(folder, "again.yaml").write_text(json.dumps(text), encoding="utf-8")  # JSON is YAML
            again, _, _ = self.result_of(settings["workload"], "--machine", str(Path(folder, "again.yaml")), "--batch", settings["batch"],
                                         "--seed", str(first["seed"]))
        for key in ("network_digest", "program_digest", "cycles", "units", "layers", "seed", "version", "commit"):
            self.assertEqual(again[key], first[key], key)
        self.assertEqual(again["machine"]["digest"], machine["digest"])
        other, _, _ = self.result_of("digits", "--machine", "tiny8", "--set", "memory.read_latency_cycles=73", "--set", "clock_mhz=750",
                                     "--batch", "2", "--seed", "6")
        self.assertNotEqual(other["machine"]["digest"], machine["digest"])
        self.assertEqual(other["program_digest"], first["program_digest"])  # neither the clock nor inputs are part of a program
        self.assertEqual(other["cycles"], first["cycles"])

    def test_layers_say_what_they_are(self):
        result, _, _ = self.result_of("resnet50", "--timing-only")
        self.check(result)
        conv = result["layers"][0]
        self.assertEqual((conv["op"], conv["inputs"], conv["output"]), ("conv2d", [[1, 224, 224, 3]], [1, 112, 112, 64]))
        self.assertEqual((conv["kernel"], conv["stride"], conv["dilation"], conv["padding"], conv["groups"]), ([7, 7], [2, 2], [1, 1], [3, 3, 3, 3], 1))
        for layer in result["layers"]:
            if layer["op"] != "conv2d":
                continue
            taps = layer["kernel"][0] * layer["kernel"][1] * layer["inputs"][0][3] // layer["groups"]
            n, h, w, c = layer["output"]
            self.assertEqual(layer["macs"], n * h * w * c * taps, layer["name"])
            self.assertGreaterEqual(layer["weight_bytes"], c * taps)

    def test_engine_and_data_do_not_change_the_cycles(self):
        model, _, _ = self.result_of("digits", "--machine", "odd7x13")
        beat, _, _ = self.result_of("digits", "--machine", "odd7x13", "--engine", "beat")
        timing, _, _ = self.result_of("digits", "--machine", "odd7x13", "--timing-only")
        for other in (beat, timing):
            self.check(other)
            self.assertEqual(other["cycles"], model["cycles"])
            self.assertEqual(other["units"], model["units"])
        self.assertEqual((model["engine"], beat["engine"], timing["timing_only"]), ("systemc", "beat", True))

    def test_trace_covers_every_instruction_in_order(self):
        result, trace, _ = self.result_of("digits", "--machine", "tiny8", "--trace")
        slices = sorted((e for e in trace["traceEvents"] if e["ph"] == "X"), key=lambda e: (e["tid"], e["ts"]))
        instructions = [e for e in slices if e["cat"] == "instruction"]
        self.assertEqual(len(instructions), result["instructions"] - 1)  # halt runs on no unit
        until: dict[int, int] = {}
        for e in slices:
            self.assertGreaterEqual(e["ts"], until.get(e["tid"], 0))
            until[e["tid"]] = e["ts"] + e["dur"]
        for e in instructions:
            self.assertLess(e["args"]["last_cycle"], result["cycles"])
        names = {layer["name"] for layer in result["layers"]}
        self.assertLessEqual({e["name"] for e in instructions}, names)
        self.assertLessEqual({e["name"] for e in slices if e["cat"] == "wait"}, set(result["units"]["load_dma"]))

    def test_an_output_folder_that_cannot_be_made_is_the_users_error(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "file").write_text("x", encoding="utf-8")
            done = run(str(Path(folder, "file", "run")), "digits")
            self.assertEqual(done.returncode, 2)
            self.assertIn("error[E0901]: cannot write into folder", done.stderr)
            self.assertEqual(os.listdir(folder), ["file"])


if __name__ == "__main__":
    unittest.main()
