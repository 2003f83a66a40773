# SPDX-License-Identifier: Apache-2.0
"""Sphinx's settings for scripts/site, which copies the documents to a folder of the build and calls it there. Needs the built package on PYTHONPATH."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import gemel

project = "Gemel"
project_copyright = "The authors of Gemel"
release = os.environ["GEMEL_VERSION"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "index"
html_theme = "furo"
html_title = f"Gemel {release}"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["tasklist"]
myst_heading_anchors = 6  # as in the documents' links: #some-heading
suppress_warnings = ["misc.highlighting_failure"]  # fences name languages that highlighters do not know in every detail

autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
default_role = "code"
PARAMETER = re.compile(r"([a-z_][a-z_0-9]*(?:, [a-z_][a-z_0-9]*)*): ")


def fields(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text in which a parameter's line begins with its name, and goes on further in: a list of fields for Sphinx."""
    made: list[str] = []
    inside = False  # of such a list
    for line in lines:
        if match := PARAMETER.match(line):
            if not inside and made and made[-1]:
                made.append("")
            line = f":{match[1]}: {line[match.end():]}"
            inside = True
        elif inside and line and not line.startswith(" "):
            made.append("")
            inside = False
        made.append(line)
    lines[:] = made


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", fields)


def python_reference(folder: Path) -> None:
    """A page for each module that names of the package come from, with its docstring's first sentence as the title."""
    modules: dict[str, list[str]] = {}
    for name in gemel.__all__:
        modules.setdefault(getattr(gemel, name).__module__, []).append(name)
    pages = []
    for module, names in sorted(modules.items()):
        title = (importlib.import_module(module).__doc__ or module).strip().split("\n")[0].rstrip(".")
        page = [f"# {title}", "", "```{eval-rst}", ".. currentmodule:: gemel", ""]
        for name in names:
            kind = "autoclass" if isinstance(getattr(gemel, name), type) else "autofunction"
            if isinstance(getattr(gemel, name), type) and issubclass(getattr(gemel, name), BaseException):
                kind = "autoexception"
            page += [f".. {kind}:: gemel.{name}", ""]
        pages.append(module.rpartition(".")[2].strip("_"))
        (folder / f"{pages[-1]}.md").write_text("\n".join([*page, "```", ""]), encoding="utf-8")
    (folder / "index.md").write_text("\n".join(["# The package `gemel`", "", "```text", (gemel.__doc__ or "").strip(), "```", "", "```{toctree}", ":maxdepth: 1",
                                                "", *pages, "```", ""]), encoding="utf-8")  # fmt: skip


python_reference(Path(__file__).parent / "python")
