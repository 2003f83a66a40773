# SPDX-License-Identifier: Apache-2.0
"""Flatbuffers, read with every offset, length and count checked before it is followed.

A table begins with the distance back to its vtable: 16-bit sizes of vtable and table, then per field the field's place in the table,
0 where the file leaves the field out. Strings, vectors and tables are referred to by 32-bit distances forward. Values are little endian.
"""

import struct
from collections.abc import Iterator

import numpy as np

from .messages import Damaged

FORMATS = {
    "int8": "<b",
    "uint8": "<B",
    "bool": "<?",
    "int16": "<h",
    "uint16": "<H",
    "int32": "<i",
    "uint32": "<I",
    "int64": "<q",
    "uint64": "<Q",
    "float32": "<f",
}


class Table:
    """One table. `place` is how it is reached from the root, for messages."""

    __slots__ = ("_data", "_fields", "_position", "_size", "_vtable", "place")

    def __init__(self, data: bytes, position: int, place: str):
        self._data, self._position, self.place = data, position, place
        self._vtable = position - self._read("<i", position)
        vtable_size = self._read("<H", self._vtable)
        self._size = self._read("<H", self._vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or self._vtable + vtable_size > len(data):
            raise Damaged(place, f"its vtable, at byte {self._vtable}, claims {vtable_size} bytes")
        if self._size < 4 or position + self._size > len(data):
            raise Damaged(place, f"the table, at byte {position}, claims {self._size} bytes")
        self._fields = (vtable_size - 4) // 2

    def _read(self, layout: str, at: int):
        if not 0 <= at <= len(self._data) - struct.calcsize(layout):
            raise Damaged(self.place, f"it leads to byte {at} of a file of {len(self._data)} bytes")
        return struct.unpack_from(layout, self._data, at)[0]

    def _field(self, slot: int, name: str, size: int) -> int | None:
        """Where the field is; None where the file leaves it out."""
        if slot >= self._fields:
            return None
        offset = self._read("<H", self._vtable + 4 + 2 * slot)
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            raise Damaged(f"{self.place}.{name}", f"it lies at byte {offset} of a table of {self._size} bytes")
        return self._position + offset

    def _target(self, slot: int, name: str) -> int | None:
        at = self._field(slot, name, 4)
        return None if at is None else at + self._read("<I", at)

    def scalar(self, field: tuple[int, str, str], default):
        slot, name, kind = field
        layout = FORMATS[kind]
        at = self._field(slot, name, struct.calcsize(layout))
        return default if at is None else self._read(layout, at)

    def _vector(self, slot: int, name: str, item_size: int) -> tuple[int, int] | None:
        """First byte and count of a vector's items."""
        at = self._target(slot, name)
        if at is None:
            return None
        count = self._read("<I", at)
        if at + 4 + count * item_size > len(self._data):
            raise Damaged(f"{self.place}.{name}", f"it claims {count} entries, which reach beyond the end of the file")
        return at + 4, count

    def vector(self, field: tuple[int, str, str]) -> np.ndarray | None:
        """A vector of numbers, as a view of the file; None where the file leaves it out."""
        slot, name, kind = field
        layout = np.dtype(FORMATS[kind])
        found = self._vector(slot, name, layout.itemsize)
        return None if found is None else np.frombuffer(self._data, layout, found[1], found[0])

    def string(self, field: tuple[int, str, str]) -> str:
        slot, name, _ = field
        found = self._vector(slot, name, 1)
        return "" if found is None else self._data[found[0] : found[0] + found[1]].decode("utf-8", "replace")

    def table(self, field: tuple[int, str, str]) -> "Table | None":
        slot, name, _ = field
        at = self._target(slot, name)
        return None if at is None else Table(self._data, at, f"{self.place}.{name}" if self.place else name)

    def count(self, field: tuple[int, str, str]) -> int:
        slot, name, _ = field
        found = self._vector(slot, name, 4)
        return 0 if found is None else found[1]

    def tables(self, field: tuple[int, str, str]) -> Iterator["Table"]:
        slot, name, _ = field
        first, count = self._vector(slot, name, 4) or (0, 0)
        for i in range(count):
            at = first + 4 * i
            yield Table(
                self._data, at + self._read("<I", at), f"{self.place}.{name}[{i}]" if self.place else f"{name}[{i}]"
            )
