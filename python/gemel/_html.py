# SPDX-License-Identifier: Apache-2.0
"""Tables for notebooks: plain HTML that takes the notebook's own style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def shown(value: object) -> str:
    """A figure as people read it: 1,124,973, 86.8 %, or the text itself."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["<table>", f"<caption>{escape(caption)}</caption>", "<thead><tr>"]
    lines += [f'<th scope="col">{escape(head)}</th>' for head in heads]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        cells = []
        for value in row:
            align = "right" if isinstance(value, int | float) else "left"
            cells.append(f'<td style="text-align:{align}">{escape(shown(value))}</td>')
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join([*lines, "</tbody></table>"])
