# SPDX-License-Identifier: Apache-2.0
"""What quantization, compression and training of ONNX models share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._errors import UserError
from ._gemel import Diagnostic
from ._network import Source

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Images = Source | ArrayLike | Mapping[str, ArrayLike]
else:
    Images = Any


def called(action: Callable[[], Any]) -> Any:
    """What the importer and its relatives raise, as this library's errors."""
    messages = import_module("gemel.importer.messages")
    try:
        return action()
    except messages.ModelError as error:
        raise UserError(Diagnostic(code=d.code, message=d.message, file=d.file, note=d.note, hint=d.hint) for d in error.diagnostics) from None


@dataclass(frozen=True, kw_only=True)
class RewrittenModel:
    """An ONNX model in memory."""

    _model: Any = field(repr=False, compare=False)

    def save(self, path: Source) -> None:
        """Writes the .onnx file, whole or not at all. Raises UserError E0902."""
        called(lambda: import_module("gemel.rewrite.graph").save(self._model, os.fspath(path)))


class Counted:
    """How far something is, as a line on stderr that is written anew."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            print(f"\r{what}: {done} of {of}\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    cut = [cell if len(cell) <= width else cell[: width - 3] + "..." for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(cut, widths, strict=True))).rstrip()
