# SPDX-License-Identifier: Apache-2.0
"""Python packages that only a proof reads: pip puts them into a folder of their own, without what they depend on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Absent(Exception):
    """The packages cannot be had."""


def install(folder: Path, requirements: Path) -> None:
    """Puts what `requirements` names, with hashes, into `folder`, once. Raises Absent."""
    wanted = requirements.read_text(encoding="utf-8")
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:",
               "--upgrade", "--target", str(folder), "-r", str(requirements)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.strip().splitlines()[-1:] or ["pip failed"]
        raise Absent(f"the packages of {requirements.name} cannot be had: {lines[0]}")
    stamp.write_text(wanted, encoding="utf-8")


@contextmanager
def importing(folder: Path, package: str) -> Iterator[None]:
    """Imports inside of it look into `folder` first. Raises Absent where one fails."""
    sys.path.insert(0, str(folder))
    try:
        yield
    except ImportError as error:
        raise Absent(f"the package {package} cannot be used: {error}") from None
    finally:
        sys.path.remove(str(folder))
