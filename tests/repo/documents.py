# SPDX-License-Identifier: Apache-2.0
"""Documents hold together: relative links lead to files that exist, every page under docs/ is named alike and linked from docs/index.md,
commands that README names exist, and the program knows the subcommands that README shows.
Called as: documents.py [GEMEL]; without the program its commands are not tried."""

import os
import re
import subprocess
import sys

from rules import ROOT, Report, files, name

LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(#[^)]*)?\)")


def main():
    report = Report()
    pages = files(".", suffixes={".md"})
    for page in pages:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
        for target, _ in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            report.expect((page.parent / target).exists(), f"{name(page)}: links to {target}, which does not exist")

    for page in files("docs", suffixes={".md"}):
        report.expect(re.fullmatch(r"[a-z0-9_]+", page.stem), f"{name(page)}: a page is named in small letters with underscores")

    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in files("docs", suffixes={".md"}):
        if page.name != "index.md":
            report.expect(f"({page.relative_to(ROOT / 'docs')})" in index, f"docs/index.md: does not link {name(page)}")

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for script in set(re.findall(r"^\./(\w+)", readme, re.M)):
        report.expect(os.access(ROOT / script, os.X_OK), f"README.md: ./{script} is no program")
    for folder in re.findall(r"`((?:src|tests|docs|configs|workloads|rtl|python|include)/[\w/]*?)/?`", readme):
        report.expect((ROOT / folder.replace("/x", "")).is_dir(), f"README.md: there is no folder {folder}")
    commands = sorted(set(re.findall(r"\bgemel ([a-z][a-z-]*)\b", " ".join(re.findall(r"```.*?```", readme, re.S)))))
    report.expect(len(commands) >= 4, "README.md: shows hardly any command of gemel")
    if len(sys.argv) > 1:
        for command in commands:
            done = subprocess.run([sys.argv[1], command, "--help"], capture_output=True, text=True, check=False)
            report.expect(done.returncode == 0, f"README.md: `gemel {command}` is no command: {done.stderr.strip()}")
    report.finish(least=30)


main()
