# SPDX-License-Identifier: Apache-2.0
"""What the repository's own tests share: the tree, and a report that fails when it has nothing to report about."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*folders, suffixes=None):
    """Files of the tree (tracked, or new and not ignored) under the folders, sorted. Without git: all of them."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "--", *folders],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.splitlines()
        found = [ROOT / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found = sorted({path for path in found if path.is_file()})
    return [path for path in found if suffixes is None or path.suffix in suffixes]


def name(path):
    return str(Path(path).relative_to(ROOT))


class Report:
    """Collects complaints; finish() prints them and exits with 1 if there are any, or if fewer things were looked at
    than `least`."""

    def __init__(self):
        self.complaints = []
        self.looked_at = 0

    def look(self, count=1):
        self.looked_at += count

    def complain(self, text):
        self.complaints.append(text)

    def expect(self, condition, text):
        self.looked_at += 1
        if not condition:
            self.complaints.append(text)

    def finish(self, least):
        if self.looked_at < least:
            self.complain(f"only {self.looked_at} things were looked at; expected at least {least}: the rule swept nothing")
        for text in self.complaints:
            print(text)
        print(f"{self.looked_at} looked at, {len(self.complaints)} complaints")
        sys.exit(1 if self.complaints else 0)
