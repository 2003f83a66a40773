# SPDX-License-Identifier: Apache-2.0
"""Values as workload files have them."""

import json
from collections.abc import Mapping


def flow(value: object) -> str:
    """YAML in flow style, on one line. Text is quoted where a plain word could be mistaken for something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if not isinstance(value, str) and hasattr(value, "item"):  # a number of NumPy's
        return flow(value.item())
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_plain(word: str) -> bool:
    letters = word.isascii() and word.replace("_", "").isalnum() and word[0].isalpha()
    return letters and word.lower() not in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
