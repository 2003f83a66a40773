# SPDX-License-Identifier: Apache-2.0
"""Names of the values that a model gets while it is rewritten."""

from __future__ import annotations


def unique_name(taken: set[str], wanted: str) -> str:
    """A name like `wanted` that is not `taken`; it is from now on."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name
