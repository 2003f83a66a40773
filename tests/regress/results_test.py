# SPDX-License-Identifier: Apache-2.0
"""`gemel regress --json FILE --junit FILE`: what is in them, of regressions that pass, fail, and are interrupted.
Called as: results_test.py GEMEL [unittest arguments]"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as tree
from pathlib import Path

GEMEL = ""
ROOT = Path(__file__).resolve().parents[2]
MODELS = ["--programs", "--machines", "2", "--blocks", "pe_array=model"]


class Results(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if shutil.which("verilator") is None:
            self.skipTest("there is no verilator, which gemel regress asks for its version")
        folder = tempfile.TemporaryDirectory(prefix="gemel-regress-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(self.folder / "cache")}

    def regress(self, *arguments):
        command = [GEMEL, "regress", *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)

    def files(self):
        suite = tree.parse(self.folder / "r.xml").getroot().find("testsuite")
        return json.loads((self.folder / "r.json").read_text()), suite

    def test_passed(self):
        done = self.regress("--count", 5, "--seed", 3, *MODELS, "--json", "r.json", "--junit", "r.xml")
        self.assertEqual(done.returncode, 0, done.stderr)
        results, suite = self.files()
        self.assertEqual({k: results[k] for k in ("format", "kind", "seed", "wanted", "complete", "passed", "failed")},
                         {"format": 1, "kind": "random programs", "seed": 3, "wanted": 5, "complete": True, "passed": 5, "failed": 0})
        self.assertEqual([case["case"] for case in results["cases"]], [0, 1, 2, 3, 4])
        self.assertGreater(results["seconds"], max(case["seconds"] for case in results["cases"]) - 0.01)
        for name, text in (("cycles", r"models: ([\d,]+) cycles"), ("memory_bytes", r"([\d,]+) bytes of memory"), ("beats", r"payload of ([\d,]+) beats")):
            total = sum(case[name] for case in results["cases"])
            self.assertEqual(f"{total:,}", re.search(text, done.stdout).group(1), name)
        self.assertEqual(suite.get("name"), "gemel regress: random programs, seed 3")
        self.assertEqual([suite.get(key) for key in ("tests", "failures", "errors", "skipped")], ["5", "0", "0", "0"])
        self.assertEqual([case.get("name") for case in suite.findall("testcase")], [f"case {i}" for i in range(5)])
        self.assertEqual(suite.findall(".//failure"), [])

    def test_failed(self):
        """Every second case has a block whose source is not there, and whose name XML does not take as it is."""
        done = self.regress("--count", 4, "--jobs", 1, *MODELS, "--blocks", "requantizer=check:no<&\"ne>.sv",
                            "--json", "r.json", "--junit", "r.xml", "--out", "kept")
        self.assertEqual(done.returncode, 4, done.stderr)
        results, suite = self.files()
        self.assertEqual((results["passed"], results["failed"], results["complete"]), (2, 2, True))
        failed = [case for case in results["cases"] if not case["passed"]]
        self.assertEqual([case["folder"] for case in failed], ["kept/case1", "kept/case3"])
        failures = suite.findall("testcase/failure")
        self.assertEqual(suite.get("failures"), "2")
        for case, failure in zip(failed, failures):
            self.assertIn("error[E1003]: cannot read the source", case["failure"])
            self.assertIn("no<&\"ne>.sv", case["failure"])
            self.assertIn(case["failure"].strip(), failure.text)
            self.assertTrue(failure.text.endswith(f"kept in {case['folder']}"))
            self.assertTrue((self.folder / case["folder"] / "failure.txt").is_file())

    def test_ended_with_the_first_failure(self):
        done = self.regress("--count", 50, "--jobs", 1, "--fail-fast", *MODELS, "--blocks", "requantizer=check:none.sv", "--json", "r.json", "--junit", "r.xml")
        self.assertEqual(done.returncode, 4, done.stderr)
        results, suite = self.files()
        self.assertEqual((results["passed"], results["failed"], results["wanted"], results["complete"]), (1, 1, 50, False))
        self.assertEqual(suite.get("tests"), "2")

    def test_interrupted_keeps_what_was_finished(self):
        command = [GEMEL, "regress", "--count", "1000000", "--jobs", "1", *MODELS, "--json", "r.json", "--junit", "r.xml"]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started = time.monotonic()
        status = Path(f"/proc/{process.pid}/stat")
        while process.poll() is None and time.monotonic() - started < 600:  # until its cases have used some time: some have ended
            times = status.read_text().rpartition(")")[2].split()
            if int(times[13]) + int(times[14]) >= os.sysconf("SC_CLK_TCK"):  # cutime and cstime, fields 16 and 17 of proc(5)
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 130, errors)
        passed = int(re.search(r"interrupted: (\d+) of 1000000 cases passed, 0 failed", errors).group(1))
        self.assertGreater(passed, 0)
        results, suite = self.files()
        self.assertEqual((results["passed"], len(results["cases"]), results["wanted"], results["complete"]), (passed, passed, 1000000, False))
        self.assertEqual(suite.get("tests"), str(passed))

    def test_mistakes(self):
        for arguments, text in (
            (["--json", "x", "--junit", "x"], "error[E0911]: `--json` and `--junit` name one file: `x`\nhint: give each its own\n"),
            (["--replay", "case1", "--json", "x"],
             "error[E0911]: `--replay` and `--json` exclude each other: results are of a regression, and this is one case of it\n"
             "hint: leave out one of them\n"),
            (["--json", "none/x"],
             "error[E0902]: cannot write `none/x`: No such file or directory\nhint: nothing was left behind; choose another folder with --out\n"),
        ):
            done = self.regress("--count", 1, *MODELS, *arguments) if "--replay" not in arguments else self.regress(*arguments)
            self.assertEqual((done.returncode, done.stderr, done.stdout), (2, text, ""))


if __name__ == "__main__":
    GEMEL = str(Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
