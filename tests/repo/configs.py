# SPDX-License-Identifier: Apache-2.0
"""Shipped machines: each is listed in the pages that list machines, is complete and commented, and is called as its file.
(That each loads and is valid is shown in tests/config.) Nothing in the tree names a place outside of it."""

import re

from rules import ROOT, Report, files, name

# Absolute paths that only somebody's machine has; folders of the system are no such places.
FOREIGN_PATH = re.compile(r"(?<![\w./])/(?:home|work|root|Users|mnt|scratch)/[\w.-]+")
TEXT = {".cpp", ".hpp", ".h", ".py", ".sh", ".md", ".toml", ".yaml", ".txt", ".json", ".sv", ".svh", ".expected"}


def main():
    report = Report()
    configs = files("configs", suffixes={".yaml"})
    pages = [page for page in ("docs/reference/machines.md", "configs/README.md") if (ROOT / page).is_file()]
    report.expect(len(configs) >= 5, "configs: fewer than five machines")
    report.expect(len(pages) == 2, "a page that lists the machines is missing")
    for path in configs:
        text = path.read_text(encoding="utf-8")
        report.expect(re.search(rf"^name: {re.escape(path.stem)}$", text, re.M), f"{name(path)}: its name is not {path.stem}")
        report.expect(text.count("#") >= 15, f"{name(path)}: hardly commented")
        for page in pages:
            report.expect(f"`{path.stem}`" in (ROOT / page).read_text(encoding="utf-8"), f"{page}: does not list {path.stem}")
    for path in files(".", suffixes=TEXT):
        report.look()
        if path == ROOT / "tests/repo/configs.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            found = FOREIGN_PATH.search(line)
            if found:
                report.complain(f"{name(path)}:{number}: names {found.group(0)}, which is on one machine only")
    report.finish(least=60)


main()
