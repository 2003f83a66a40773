# SPDX-License-Identifier: Apache-2.0
"""Frames that arrive at a fixed rate, each a run: what Result.real_time() returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from . import _gemel


@dataclass(frozen=True)
class Frame:
    """Times in cycles from the first arrival on."""

    arrival: int
    start: int
    end: int  # the first cycle behind its run
    waiting: int  # frames that were there and had not started when this one came, itself not among them
    missed: bool  # its deadline

    @property
    def latency(self) -> int:
        return self.end - self.arrival


@dataclass(frozen=True)
class RealTime:
    """Latencies and backlog. `str()` of it is the text of `gemel run --period`."""

    clock_mhz: float
    frames: tuple[Frame, ...] = field(repr=False)
    frames_per_second: float  # that the machine ends
    busy_share: float  # of the time
    text: str = field(repr=False)

    @classmethod
    def of(cls, run_cycles: int, clock_mhz: float, period: float, frames: int, deadline: float | None) -> RealTime:
        rows, rate, busy, text = _gemel.real_time(run_cycles=run_cycles, clock_mhz=clock_mhz, period_seconds=period, frames=frames, deadline_seconds=deadline)
        return cls(clock_mhz, tuple(Frame(*row) for row in rows), rate, busy, text.strip())

    @cached_property
    def missed(self) -> int:
        """Frames that missed the deadline."""
        return sum(frame.missed for frame in self.frames)

    @cached_property
    def most_waiting(self) -> int:
        return max(frame.waiting for frame in self.frames)

    @cached_property
    def worst_latency_ms(self) -> float:
        return max(frame.latency for frame in self.frames) / self.clock_mhz / 1e3

    @cached_property
    def mean_latency_ms(self) -> float:
        return sum(frame.latency for frame in self.frames) / len(self.frames) / self.clock_mhz / 1e3

    def __str__(self) -> str:
        return self.text
