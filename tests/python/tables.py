# SPDX-License-Identifier: Apache-2.0
"""Tables of measured figures: as text, CSV or Markdown."""

import csv
import io
from collections.abc import Sequence

FORMS = ("text", "csv", "markdown")


def shown(cell: object) -> str:
    """Thousands are separated; a share is shown with one digit behind the point; nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.1f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], form: str = "text") -> str:
    """Rows below their heads. Numbers stand at the right. CSV has the plain numbers. Raises ValueError for rows of another length."""
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"a row has {len(row)} cells below {len(heads)} heads: {row}")
    if form == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([heads, *rows])
        return out.getvalue().rstrip("\n")
    right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(heads))]
    texts = [[shown(cell) for cell in row] for row in rows]
    if form == "markdown":
        rule = ["---:" if one else "---" for one in right]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(heads), rule, *texts])
    widths = [max(len(cells[i]) for cells in [list(heads), *texts]) for i in range(len(heads))]
    lines = ["  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)).rstrip() for cells in [list(heads), *texts]]
    return "\n".join(lines)
