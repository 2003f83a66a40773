# SPDX-License-Identifier: Apache-2.0
"""Options that must be one of something: E0915, in the command line's words."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Sequence

from ._errors import user_error

MOST = (1 << 63) - 1


def whole(name: str, value: int, least: int, most: int = MOST) -> int:
    """The number, which may be NumPy's. Raises UserError."""
    allowed = f"from {least} to {most}" if most < MOST else f"of at least {least}"
    try:
        number = operator.index(value)
    except TypeError:
        raise user_error("E0915", f"`{name}` is {value!r}, but must be a whole number {allowed}") from None
    if isinstance(value, bool) or not least <= number <= most:
        raise user_error("E0915", f"`{name}` is {value}, but must be a whole number {allowed}")
    return number


def choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """The word, which is one of those. Raises UserError."""
    if value not in allowed:
        words = [f"`{word}`" for word in allowed]
        near = difflib.get_close_matches(str(value), allowed, 1)
        raise user_error("E0915", f"`{name}` is `{value}`, but must be {', '.join(words[:-1])} or {words[-1]}", f"did you mean `{near[0]}`?" if near else "")
    return value
