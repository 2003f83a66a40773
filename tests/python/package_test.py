# SPDX-License-Identifier: Apache-2.0
"""The package `gemel` as a package: the stub of its C++ module agrees with the module, its own code and the documents' Python are strictly typed,
those lines run as written, and it is imported with NumPy alone.

The package is build/release/python, or the one that GEMEL_PACKAGE names.
"""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from packaged import PYTHON, ROOT

import gemel  # noqa: E402

EXAMPLE = ROOT / "examples/python/explore.py"
DOCUMENTS = ("README.md", "docs/howto/use_gemel_from_python.md", "docs/howto/explore_designs.md")


def python_lines():
    """Every block of Python in the documents, with what to call it."""
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for block in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
            yield f"{document}:{text.count(chr(10), 0, block.start()) + 2}", block[1]


def signatures_in_stub(tree):
    """Name -> parameters of each function, method and property of a stub; name -> None of a class."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = parameters(node)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = None
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in member.decorator_list)
                    found[f"{node.name}.{member.name}"] = "property" if is_property else parameters(member)
    return found


def parameters(node):
    """["self", "*", "name", "file=''"]: names, defaults, and where the keyword-only ones begin."""
    plain = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(plain) - len(node.args.defaults)) + node.args.defaults
    listed = [argument.arg + (f"={ast.literal_eval(default)!r}" if default else "") for argument, default in zip(plain, defaults, strict=True)]
    if node.args.kwonlyargs:
        listed.append("*")
    return listed + [argument.arg + (f"={ast.literal_eval(default)!r}" if default else "")
                     for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]


def signatures_in_module(module):
    """The same of the module, from the first lines that pybind11 writes into docstrings: `run(*, program: gemel._gemel.Program, ...) -> ...`."""

    def of(function):
        line = function.__doc__.split("\n")[0]
        inside = line[line.index("(") + 1 : line.rindex(") ->")]
        listed, depth = [], 0
        for part in re.split(r"([\[\](),])", inside):  # at commas outside of brackets
            depth += part.count("[") + part.count("(") - part.count("]") - part.count(")")
            if part == "," and depth == 0:
                listed.append("")
            else:
                listed[-1:] = [(listed[-1] if listed else "") + part]
        parameters = []
        for text in (part.strip() for part in listed):
            default = re.search(r" = (.*)$", text)
            if text:
                parameters.append(text.split(":")[0] + (f"={ast.literal_eval(default[1])!r}" if default else ""))
        return parameters

    found = {}
    for name, value in vars(module).items():
        if name.startswith("__"):
            continue
        if not inspect.isclass(value):
            found[name] = of(value)
            continue
        found[name] = None
        for member, of_class in vars(value).items():
            if isinstance(of_class, property):
                found[f"{name}.{member}"] = "property"
            elif member == "__init__" and "Initialize self" not in of_class.__doc__:
                found[f"{name}.{member}"] = of(of_class)
            elif not member.startswith("_"):
                found[f"{name}.{member}"] = of(getattr(value, member))
    return found


class Stub(unittest.TestCase):
    maxDiff = None

    def test_names_and_parameters_are_the_modules(self):
        module = importlib.import_module("gemel._gemel")
        stub = signatures_in_stub(ast.parse((ROOT / "python/gemel/_gemel.pyi").read_text(encoding="utf-8")))
        stub.pop("TensorData.__buffer__")  # below
        found = signatures_in_module(module)
        self.assertGreater(len(found), 80)
        self.assertEqual(stub, found)

    def test_what_is_public_has_a_docstring_and_is_exported(self):
        for name in gemel.__all__:
            value = getattr(gemel, name)
            self.assertTrue(inspect.getdoc(value), name)
            for member, of_class in (vars(value).items() if inspect.isclass(value) and value.__module__.startswith("gemel._") else ()):
                if inspect.isfunction(of_class) and not member.startswith("_"):
                    self.assertTrue(of_class.__doc__, f"{name}.{member}")
        public = {name for name, value in vars(gemel).items()
                  if not name.startswith("_") and not inspect.ismodule(value) and name not in ("find_spec", "TYPE_CHECKING")}
        self.assertEqual(public, set(gemel.__all__))


class Documents(unittest.TestCase):
    def test_lines_run_as_written(self):
        blocks = list(python_lines())
        self.assertGreater(len(blocks), 4)
        self.assertEqual({place.split(":")[0] for place, _ in blocks}, set(DOCUMENTS))
        for place, lines in blocks:
            with self.subTest(place), tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([sys.executable, "-c", lines], cwd=folder, env={**os.environ, "PYTHONPATH": str(PYTHON)}, capture_output=True,
                                      text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertNotEqual(done.stdout, "")

    def test_the_example_runs(self):
        done = subprocess.run([sys.executable, EXAMPLE], env={**os.environ, "PYTHONPATH": str(PYTHON)}, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        points = [tuple(map(int, re.findall(r"[\d]+", line.replace(",", "")))) for line in done.stdout.splitlines()]
        self.assertGreater(len(points), 4)
        self.assertEqual(points, sorted(points))
        for one in points:  # none beats another
            self.assertFalse([other for other in points if other != one and all(a <= b for a, b in zip(other, one, strict=True))], one)

    def test_lines_and_the_package_are_strictly_typed(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [EXAMPLE]
            for number, (_, lines) in enumerate(python_lines()):
                files.append(Path(folder, f"lines_{number}.py"))
                files[-1].write_text(lines, encoding="utf-8")
            own = sorted({"gemel" if path.stem == "__init__" else f"gemel.{path.stem}" for path in PYTHON.glob("gemel/_*.py*")})
            self.assertGreater(len(own), 8)
            for checked in ([str(path) for path in files], [argument for name in own for argument in ("-m", name)]):
                done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", os.path.join(folder, "cache"),
                                       *checked], cwd=folder, env={**os.environ, "MYPYPATH": str(PYTHON)}, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Import(unittest.TestCase):
    def test_needs_numpy_alone(self):
        lines = ("import sys\n"
                 "class Refuse:\n"
                 "    def find_spec(self, name, path=None, target=None):\n"
                 "        if name.split('.')[0] in ('yaml', 'pandas', 'jsonschema'):\n"
                 "            raise ModuleNotFoundError(name)\n"
                 "sys.meta_path.insert(0, Refuse())\n"
                 "import gemel\n"
                 "others = {name.split('.')[0] for name in sys.modules if getattr(sys.modules[name], '__file__', None)\n"
                 "          and 'site-packages' in sys.modules[name].__file__}\n"
                 "print(gemel.run('digits', 'tiny8').cycles, sorted(name for name in others if not name.startswith('_')), 'numpy' in sys.modules)\n"
                 "gemel.run('digits', 'tiny8').columns()\n"
                 "print('numpy' in sys.modules)")
        done = subprocess.run([sys.executable, "-c", lines], env={**os.environ, "PYTHONPATH": str(PYTHON)}, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, f"{gemel.run('digits', 'tiny8').cycles} [] False\nTrue\n")  # and NumPy only for arrays

    def test_a_checkout_without_its_library_says_so(self):
        lines = "import gemel.tensors, gemel\ntry:\n    gemel.run\nexcept AttributeError as error:\n    print(error)"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
        done = subprocess.run([sys.executable, "-c", lines], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("PYTHONPATH=build/release/python", done.stdout)


if __name__ == "__main__":
    unittest.main()
