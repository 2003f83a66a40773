# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ._errors import user_error


def write_whole(path: str | os.PathLike[str], write: Callable[[Path], object]) -> Path:
    """`write` writes a file beside it, which then takes its place. Returns the path. Raises UserError E0902."""
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    try:
        write(beside)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise user_error("E0902", f"`{target}` cannot be written: {error.strerror or error}") from None
    return target
