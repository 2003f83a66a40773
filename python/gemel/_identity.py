# SPDX-License-Identifier: Apache-2.0
"""Which Gemel this process runs: what results of sweeps belong to."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from . import _gemel
from ._errors import user_error


@cache
def version() -> str:
    """Version and commit; where the commit does not say it all, the library's own bytes as well. Raises UserError E1211."""
    commit = _gemel.commit()
    text = f"{_gemel.version()} {commit}"
    return text if commit and " " not in commit else f"{text} {_digest_of_library()}"


def _digest_of_library(maps: str = "/proc/self/maps") -> str:
    lines = Path(maps).read_text(encoding="utf-8", errors="replace").splitlines()
    digest = hashlib.sha256()
    for path in sorted({line.split(maxsplit=5)[5] for line in lines if "/libgemel.so" in line or "/_gemel." in line}):
        try:
            digest.update(Path(path).read_bytes())
        except OSError:
            message = f"`{path}`, which this Python runs, is not there any more"
            raise user_error("E1211", message, "Gemel was installed or built anew meanwhile: start Python again") from None
    return digest.hexdigest()[:16]
