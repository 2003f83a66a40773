# SPDX-License-Identifier: Apache-2.0
"""What random models of every importer are drawn with, and how their files are damaged."""

import math
import random
import struct

import numpy as np


class Draw:
    POWERS_OF_TWO = 0.3  # share of the scales: with them results lie on ties

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def integer(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def one_of(self, *values):
        return values[self.integer(0, len(values) - 1)]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def scale(self, least: float = 1e-3, most: float = 0.5) -> np.float32:
        value = math.exp(self.rng.uniform(math.log(least), math.log(most)))
        return np.float32(2.0 ** round(math.log2(value)) if self.chance(self.POWERS_OF_TWO) else value)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """A file as bad disks, transfers and people make it."""
    out = bytearray(data)
    kind = rng.randrange(7)
    if kind == 0:
        return bytes(out[: rng.randrange(len(out))])
    if kind == 1:  # single bits
        for _ in range(rng.randint(1, 8)):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == 2:  # bytes
        for _ in range(rng.randint(1, 20)):
            out[rng.randrange(len(out))] = rng.randrange(256)
    elif kind == 3:  # words that offsets, counts and indices are made of
        for _ in range(rng.randint(1, 4)):
            at = 4 * rng.randrange(len(out) // 4)
            out[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, len(out), rng.randrange(len(out)))))
    elif kind == 4:  # a hole
        at, size = rng.randrange(len(out)), rng.randint(1, 64)
        out[at : at + size] = bytes(len(out[at : at + size]))
    elif kind == 5:  # something missing, so that all behind it is shifted
        at, size = rng.randrange(len(out)), rng.randint(1, 16)
        del out[at : at + size]
    else:  # two pieces changed places
        a, b = sorted(rng.sample(range(len(out) // 8), 2))
        out[8 * a : 8 * a + 8], out[8 * b : 8 * b + 8] = out[8 * b : 8 * b + 8], out[8 * a : 8 * a + 8]
    return bytes(out)
