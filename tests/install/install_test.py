# SPDX-License-Identifier: Apache-2.0
"""An installation as a stranger has it: installed to one folder, moved to another with a space in its name, and the checkout with its build
hidden (where the system allows that: an empty file system is mounted over it). Called as: install_test.py CMAKE BUILD_FOLDER CXX [unittest arguments]"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE, BUILD, CXX = "", "", ""
ROOT = Path(__file__).resolve().parents[2]
RESNET50 = "resnet50 on edge16: 16534529 cycles, 96.6 % of the array's peak"
HIDE = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(ROOT)]


class Installed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="gemel-install-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        first, cls.home = cls.folder / "first", cls.folder / "moved here/gemel"
        done = subprocess.run([CMAKE, "--install", BUILD, "--prefix", first], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.home.parent.mkdir()
        first.rename(cls.home)
        cls.examples = shutil.copytree(cls.home / "share/doc/gemel/examples", cls.folder / "mine")
        cls.hide = HIDE if subprocess.run([*HIDE, "true"], capture_output=True, check=False).returncode == 0 else []
        print("the checkout is", "hidden" if cls.hide else "not hidden: this system does not allow mounts here", flush=True)

    def run_hidden(self, *command, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GEMEL_", "CMAKE_"))}
        environment.update({"GEMEL_CACHE": str(self.folder / "cache"), **more})
        return subprocess.run([*self.hide, *map(str, command)], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def done(self, *command, **more):
        result = self.run_hidden(*command, **more)
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}{result.stderr}")
        return result.stdout

    def configured(self, example, name, *options):
        return self.run_hidden(CMAKE, "-S", self.examples / example, "-B", self.folder / name, f"-DCMAKE_PREFIX_PATH={self.home}",
                               f"-DCMAKE_CXX_COMPILER={CXX}", "-DCMAKE_BUILD_TYPE=Release", *options)

    def built(self, example, name, *options):
        result = self.configured(example, name, *options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.done(CMAKE, "--build", self.folder / name)

    def test_no_file_knows_the_checkout(self):
        files = [path for path in self.home.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 100)
        # The whole path, or that of an option: a checkout at /src is not meant by python/src.
        checkout = re.compile(rb"(?:(?<![\w.-])|-[IL])" + re.escape(str(ROOT).encode()) + rb"(?![\w-])")
        for path in files:
            self.assertIsNone(checkout.search(path.read_bytes()), path)
            self.assertFalse(path.is_symlink() and path.readlink().is_absolute(), path)

    def test_what_comes_along(self):
        shared = ("share/gemel/configs/edge16.yaml", "share/gemel/workloads/digits.safetensors", "share/gemel/rtl/npu/npu.sv",
                  "share/gemel/rtl/bench/npu_bench.sv", "share/doc/gemel/LICENSE",
                  "share/doc/gemel/docs/reference/errors.md", "share/doc/gemel/docs/reference/result.schema.json",
                  "share/doc/gemel/examples/library/main.cpp", "include/gemel/gemel.hpp", "bin/gemel", "share/gemel/python/gemel/importer/__main__.py")
        self.assertEqual([name for name in shared if not (self.home / name).is_file()], [])
        junk = [path for path in self.home.rglob("*") if "__pycache__" in path.parts or path.name.startswith(".")]
        self.assertEqual(junk, [])

    def test_the_command_line_finds_its_own(self):
        gemel = self.home / "bin/gemel"
        self.assertEqual([line.split()[0] for line in self.done(gemel, "machines").splitlines()],
                         sorted(path.stem for path in (ROOT / "configs").glob("*.yaml")))
        self.assertEqual({line.split()[0] for line in self.done(gemel, "workloads").splitlines()},
                         {path.stem for path in (ROOT / "workloads").glob("*.yaml")})
        self.assertIn("16,534,529", self.done(gemel, "run", "resnet50", "-m", "edge16", "--timing-only"))
        link = self.folder / "gemel"  # as in ~/bin
        link.symlink_to(gemel)
        self.assertIn("360 images", self.done(link, "run", "digits", "--test"))
        wrong = self.run_hidden(gemel, "run", "digits", "-m", "edge17")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("did you mean `edge16`?", wrong.stderr)

    def test_the_importer_comes_along(self):
        """Started with the installation's own Python files, it says that the file is no model; or which package is missing."""
        model = self.folder / "m.tflite"
        model.write_bytes(b"not a model")
        wrong = self.run_hidden(self.home / "bin/gemel", "import", model, GEMEL_PYTHON=sys.executable)
        self.assertEqual(wrong.returncode, 2, wrong.stderr)
        self.assertRegex(wrong.stderr, r"error\[E1102\]: `\S+m.tflite` is no TensorFlow Lite model|error\[E1108\]: the importer needs NumPy")
        self.assertEqual(list(self.home.rglob("__pycache__")), [])

    def test_its_sweeps_and_advice(self):
        """With the installation's own Python module, where one was built."""
        modules = list((self.home / "share/gemel/python/gemel").glob("_gemel.*.so"))
        space = self.folder / "space.yaml"
        space.write_text("networks: [digits]\nmachine: tiny8\nparameters: {rows: [4, 8]}\n", encoding="utf-8")
        done = self.run_hidden(self.home / "bin/gemel", "sweep", space, "--workers", "1", GEMEL_PYTHON=sys.executable)
        if not (Path(BUILD) / "python").is_dir():
            self.assertEqual((modules, done.returncode), ([], 2))
            self.assertIn("error[E1212]: `gemel sweep` needs the Python package", done.stderr)
            return
        self.assertEqual(len(modules), 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 designs of tiny8 x 1 (digits): 2 done", done.stdout)
        self.assertIn("doubled", self.done(self.home / "bin/gemel", "run", "digits", "-m", "tiny8", "--timing-only", "--advise", GEMEL_PYTHON=sys.executable))
        self.assertEqual(list(self.home.rglob("__pycache__")), [])

    def test_its_own_verilog_runs(self):
        if shutil.which("verilator") is None:
            self.skipTest("there is no verilator")
        text = self.done(self.home / "bin/gemel", "run", "digits", "-m", "tiny8", "--block", "requantizer=check")
        self.assertIn("block requantizer: check, 0 cycles differ", text)

    def test_its_chip_is_handed_over(self):
        text = self.done(self.home / "bin/gemel", "export", "digits", "-m", "tiny8", "--out", self.folder / "chip")
        self.assertIn("36 files of the chip of machine `tiny8`, with `digits` in 15,154 cycles", text)
        for path in (self.folder / "chip").rglob("*"):
            if path.is_file():
                self.assertNotIn(str(self.folder).encode(), path.read_bytes(), path)

    def test_a_program_of_25_lines(self):
        self.assertLessEqual(len((self.examples / "library/main.cpp").read_text(encoding="utf-8").splitlines()), 25)
        for standard in ("17", "20"):
            with self.subTest(standard=standard):
                self.built("library", f"library{standard}", f"-DCMAKE_CXX_STANDARD={standard}", "-DCMAKE_CXX_STANDARD_REQUIRED=ON")
                lines = self.done(self.folder / f"library{standard}/layers").splitlines()
                self.assertIn(RESNET50, lines[-1])
                self.assertEqual(len(lines), 73)
                self.assertRegex(lines[0], r"^conv1 +conv2d +118013952 MACs, ends at cycle +\d+, equal$")
        wrong = self.run_hidden(self.folder / "library17/layers", "edge17")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("did you mean `edge16`?", wrong.stderr)  # an error of the library, caught by its type

    def test_the_library_needs_no_systemc(self):
        poison = self.folder / "poison"
        poison.mkdir()
        for name in ("systemc", "systemc.h", "tlm", "tlm.h"):
            (poison / name).write_text("#error SystemC\n", encoding="utf-8")
        headers = [path.name for path in sorted((self.home / "include/gemel").glob("*.hpp"))]
        self.assertIn("npu.hpp", headers)
        of_platforms = []
        for header in headers:
            source = self.folder / "one.cpp"
            source.write_text(f"#include <gemel/{header}>\n", encoding="utf-8")
            for standard in ("17", "20"):
                result = self.run_hidden(CXX, f"-std=c++{standard}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", poison, "-I", self.home / "include",
                                         source)
                if result.returncode != 0:
                    self.assertIn("#error SystemC", result.stderr)
                    of_platforms.append(header)
        self.assertTrue(all(header.startswith("npu") for header in of_platforms), of_platforms)

    def test_a_platform_runs(self):
        self.built("platform", "platform17")
        self.done(self.home / "bin/gemel", "compile", "digits", "--machine", "tiny8")
        self.assertEqual(self.done(self.folder / "platform17/platform", "digits.gemel", "tiny8").splitlines()[-1],
                         "19973 cycles, outputs' checksum 246984418")

    def test_two_npus_one_as_models_and_one_as_rtl(self):
        if shutil.which("verilator") is None:
            self.skipTest("there is no verilator")
        self.built("two_npus", "two")
        text = self.done(self.folder / "two/two_npus", "models", "npu=rtl")
        for n, first, again in ((0, 33425, 33354), (1, 33497, 33354)):
            self.assertIn(f"npu{n}: a network: done, {first} cycles, outputs' checksum 246984418", text)
            self.assertIn(f"npu{n}: the network again: done, {again} cycles, outputs' checksum 246984418", text)

    def test_a_platform_says_what_it_needs(self):
        lists = self.folder / "components"
        lists.mkdir()
        for components, standard, text in (
            ("platform", "20", "CMAKE_CXX_STANDARD is 20, but a platform must be C\\+\\+17, as SystemC's library is"),
            ("platfrom", "17", "there is no component `platfrom`, only `platform`"),
        ):
            (lists / "CMakeLists.txt").write_text(
                f"cmake_minimum_required(VERSION 3.22)\nproject(p LANGUAGES CXX)\nset(CMAKE_CXX_STANDARD {standard})\n"
                f"find_package(gemel REQUIRED COMPONENTS {components})\n", encoding="utf-8")
            result = self.run_hidden(CMAKE, "-S", lists, "-B", lists / components, f"-DCMAKE_PREFIX_PATH={self.home}")
            self.assertNotEqual(result.returncode, 0)
            self.assertRegex(re.sub(r"\s+", " ", result.stderr), text)

    def test_only_what_is_public_is_exported(self):
        library = next(self.home.rglob("libgemel.so"))
        listed = subprocess.run(["nm", "--dynamic", "--defined-only", "--format=posix", library], capture_output=True, text=True, check=True).stdout
        symbols = [line.split()[0] for line in listed.splitlines()]
        self.assertGreater(len(symbols), 30)
        shown = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True).stdout.splitlines()
        headers = "\n".join(path.read_text(encoding="utf-8") for path in (self.home / "include/gemel").glob("*.hpp"))
        public = set(re.findall(r"\w+", headers))
        for symbol, name in zip(symbols, shown):
            if symbol == "sc_main":
                continue
            plain = re.sub(r"^(vtable|typeinfo|typeinfo name) for ", "", name)
            self.assertRegex(plain, r"^gemel::", symbol)
            if plain.startswith("gemel::Npu::Engine::"):
                continue  # a class inside of a public one
            for part in re.findall(r"~?\w+", plain.split("(")[0].removeprefix("gemel::").replace("[abi:cxx11]", "")):
                self.assertIn(part.lstrip("~"), public, f"{name} is exported, and no installed header has it")


if __name__ == "__main__":
    CMAKE, BUILD, CXX = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
