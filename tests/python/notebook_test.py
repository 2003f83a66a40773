# SPDX-License-Identifier: Apache-2.0
"""The notebooks in examples/python run as written, cell by cell, without Jupyter: a cell's last expression is shown as a notebook would show it. They
keep no outputs, and their cells are strictly typed.

The package is build/release/python, or the one that GEMEL_PACKAGE names.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

from packaged import PYTHON, ROOT

NOTEBOOKS = sorted((ROOT / "examples/python").glob("*.ipynb"))
MODEL = ROOT / "tests/data/onnxruntime/conv3x3_s1_c64/model.onnx"


def cells(notebook, kind="code"):
    return ["".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def executed(sources):
    """What each cell prints and shows. Files go into the folder that is current."""
    names, told = {"__name__": "__main__"}, []
    for source in sources:
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(tree, "cell", "exec"), names)  # noqa: S102
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
                if value is not None:
                    print(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
        told.append(out.getvalue())
    return told, names


class Notebooks(unittest.TestCase):
    def test_they_are_stripped_and_their_links_lead_somewhere(self):
        self.assertGreater(len(NOTEBOOKS), 0)
        for notebook in NOTEBOOKS:
            fields = json.loads(notebook.read_text(encoding="utf-8"))
            self.assertEqual((fields["nbformat"], fields["nbformat_minor"]), (4, 5))
            self.assertEqual(len({cell["id"] for cell in fields["cells"]}), len(fields["cells"]))
            for cell in fields["cells"]:
                if cell["cell_type"] == "code":
                    self.assertEqual((cell["outputs"], cell["execution_count"]), ([], None))
            for target in re.findall(r"\]\((.*?)\)", "\n".join(cells(notebook, "markdown"))):
                self.assertTrue((notebook.parent / target).exists(), target)

    def front_of(self, sources):
        with tempfile.TemporaryDirectory(prefix="gemel-notebook-") as folder, chdir(folder):
            told, names = executed(sources)
            self.assertEqual(sorted(path.name for path in Path(folder).iterdir()), ["chosen.html", "front.html"])
            page = Path("chosen.html").read_text(encoding="utf-8")
        self.assertEqual(len(told), len(sources))
        self.assertTrue(all(told), "a cell says nothing")
        self.assertIn("<table>", told[1])
        self.assertIn('id="trace"', page)
        front = names["sweep"].front
        self.assertGreater(len(front), 1)
        costs = [tuple(design.objectives.values()) for design in front]
        for one in costs:  # none beats another
            self.assertFalse([other for other in costs if other != one and all(a <= b for a, b in zip(other, one, strict=True))], one)
        self.assertEqual(names["opened"].cycles, names["chosen"].figures()["cycles"])
        return front

    def test_from_a_model_to_the_front_as_written(self):
        self.front_of(cells(ROOT / "examples/python/model_to_front.ipynb"))

    def test_from_a_model_to_the_front_with_an_onnx_model(self):
        try:
            import onnx  # noqa: F401
        except ImportError:
            self.skipTest("there is no package onnx")
        sources = cells(ROOT / "examples/python/model_to_front.ipynb")
        changed = [source.replace('MODEL = "digits"', f"MODEL = {str(MODEL)!r}") for source in sources]
        self.assertNotEqual(changed, sources)
        self.front_of(changed)

    def test_cells_are_strictly_typed(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for notebook in NOTEBOOKS:
                files.append(Path(folder, f"{notebook.stem}.py"))
                files[-1].write_text("\n".join(cells(notebook)), encoding="utf-8")
            done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", os.path.join(folder, "cache"),
                                   *map(str, files)], cwd=folder, env={**os.environ, "MYPYPATH": str(PYTHON)}, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
