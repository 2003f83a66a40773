# SPDX-License-Identifier: Apache-2.0
"""`pip install .` in a fresh virtual environment: the package stands alone there, with the checkout hidden (where the system allows that: an empty
file system is mounted over it). Called as: wheel_test.py CC CXX [unittest arguments]; with the compilers of another build ccache has most of this one."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CC, CXX = "", ""
ROOT = Path(__file__).resolve().parents[2]
HIDE = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(ROOT)]


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="gemel-wheel-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.bin = cls.folder / "v e n v/bin"
        subprocess.run([sys.executable, "-m", "venv", cls.bin.parent], check=True)
        environment = {**os.environ, "CC": CC, "CXX": CXX, "CMAKE_BUILD_PARALLEL_LEVEL": os.environ.get("GEMEL_JOBS", str(os.cpu_count()))}
        cls.pip = ["-m", "pip", "--disable-pip-version-check", "--quiet"]

        def pip(*arguments):
            done = subprocess.run([cls.bin / "python", *cls.pip, *arguments], env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise AssertionError(done.stdout[-5000:] + done.stderr[-5000:])

        pip("wheel", "--no-deps", "--wheel-dir", cls.folder / "wheel", ROOT)
        pip("install", *(cls.folder / "wheel").iterdir())  # `pip install .` does these two
        cls.hide = HIDE if subprocess.run([*HIDE, "true"], capture_output=True, check=False).returncode == 0 else []
        print("the checkout is", "hidden" if cls.hide else "not hidden: this system does not allow mounts here", flush=True)
        cls.readme = (ROOT / "README.md").read_text(encoding="utf-8")

    def run_hidden(self, *command):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GEMEL_", "PYTHON"))}
        environment["GEMEL_CACHE"] = str(self.folder / "cache")
        return subprocess.run([*self.hide, *map(str, command)], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def done(self, *command):
        result = self.run_hidden(*command)
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}{result.stderr}")
        return result.stdout

    def python(self, lines):
        return self.done(self.bin / "python", "-c", lines)

    def test_numpy_is_all_that_comes_along(self):
        listed = {line.split("==")[0].split(" @")[0].lower() for line in self.done(self.bin / "pip", "freeze").splitlines()}
        self.assertEqual(listed, {"gemel", "numpy"})

    def test_machines_networks_and_types_are_inside(self):
        text = self.python("import gemel, os\nprint(gemel.machines(), sorted(gemel.workloads()))\nprint(os.path.dirname(gemel.__file__))")
        names, folder = text.splitlines()
        self.assertEqual(names, f"{sorted(p.stem for p in (ROOT / 'configs').glob('*.yaml'))} {sorted(p.stem for p in (ROOT / 'workloads').glob('*.yaml'))}")
        for name in ("py.typed", "_gemel.pyi", "share/gemel/rtl/npu/npu.sv", "share/doc/gemel/docs/reference/errors.md"):
            self.assertTrue(Path(folder, name).is_file(), name)
        self.assertEqual(len(list(Path(folder).rglob("libgemel.so*"))), 1)  # not once for each of its names
        for path in Path(folder).rglob("*"):
            if path.is_file():
                self.assertNotIn(str(ROOT).encode(), path.read_bytes(), path)

    def test_readmes_lines_run(self):
        blocks = re.findall(r"^```python\n(.*?)^```$", self.readme, re.M | re.S)
        self.assertGreaterEqual(len(blocks), 1)
        for lines in blocks:
            self.python(lines)

    def test_the_command_is_the_program(self):
        gemel = self.bin / "gemel"
        self.assertIn("16,534,529", self.done(gemel, "run", "resnet50", "-m", "edge16", "--timing-only"))
        wrong = self.run_hidden(gemel, "run", "digits", "-m", "edge17")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("did you mean `edge16`?", wrong.stderr)

    def test_the_command_imports_with_the_packages_python(self):
        model = self.folder / "m.tflite"
        model.write_bytes(b"no model")
        wrong = self.run_hidden(self.bin / "gemel", "import", model)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("error[E1102]: ", wrong.stderr)

    def test_rtl_runs(self):
        if shutil.which("verilator") is None:
            self.skipTest("there is no verilator")
        lines = ("import gemel\nmodel = gemel.run('digits', 'tiny8')\n"
                 "for _ in range(2):\n    rtl = gemel.run('digits', 'tiny8', blocks={'requantizer': 'check'}, log=lambda text: None)\n"
                 "    assert (rtl.cycles, rtl.units, rtl.tensor('dense').tobytes()) == (model.cycles, model.units, model.tensor('dense').tobytes())\n"
                 "print(rtl.to_dict()['engine'])")
        self.assertEqual(self.python(lines), "beat\n")

    def test_it_is_taken_away_whole(self):
        other = self.folder / "other"
        subprocess.run([sys.executable, "-m", "venv", other], check=True)
        for action in (("install", "--no-deps", *(self.folder / "wheel").iterdir()), ("uninstall", "--yes", "gemel")):
            subprocess.run([other / "bin/python", *self.pip, *action], check=True, capture_output=True)
        self.assertEqual([path for path in other.rglob("*gemel*") if path.is_file()], [])


if __name__ == "__main__":
    CC, CXX = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
