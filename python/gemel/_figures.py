# SPDX-License-Identifier: Apache-2.0
"""Names in expressions of sweeps that are no parameters: what follows from a machine, and what a run of it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .area import area, machine_values

Value = int | float | str

BUFFERS = ("activation_buffer", "weight_buffer", "accumulator_buffer", "vector_buffer", "param_buffer")
GATES_PER_BIT = 0.6  # NAND2 equivalents that a bit of SRAM counts for in area_kge: a rule of thumb, nothing that was measured
# What follows from a machine -> the sentence of docs/reference/sweep.md.
DERIVED = {
    "macs_per_cycle": "multipliers of the array: rows x columns",
    "sram_bytes": "all five buffers",
    "logic_kge": "1,000 NAND2 equivalents of all blocks' gates, by the area model",
    "memory_bits": "bits of all memories: buffers, queues, rings",
    "area_kge": "`logic_kge` and 0.6 NAND2 equivalents for each of `memory_bits`",
    "area_extrapolated": "1 if a block is of a size that the area model has not seen, else 0",
}

_UNITS = ("load_dma", "matrix_unit", "vector_unit", "store_dma")
_CAUSES = ("busy", "error", "wait_semaphore_0", "wait_semaphore_1", "wait_semaphore_2", "wait_semaphore_3", "wait_request", "wait_data", "wait_write",
           "queue_empty")  # fmt: skip
# Of a run, by their names in result.json; they add up over networks.
_SUMS = ("cycles", "seconds_at_clock", "macs", "array_cycles", "instructions", "load_bytes", "store_bytes", "fetch_bytes", "load_bursts",
         "store_bursts", "fetch_bursts", "batch", *(f"{unit}.{cause}" for unit in _UNITS for cause in _CAUSES))  # fmt: skip
# What is computed of the sums.
_MADE: dict[str, Callable[[Mapping[str, Any], Any], Any]] = {
    "utilization": lambda sums, places: sums["macs"] / (sums["cycles"] * places) if sums["cycles"] else 0.0,
    "latency_ms": lambda sums, places: sums["seconds_at_clock"] * 1e3,
    "latency_us": lambda sums, places: sums["seconds_at_clock"] * 1e6,
    "frames_per_second": lambda sums, places: sums["batch"] / sums["seconds_at_clock"] if sums["seconds_at_clock"] else 0.0,
    "traffic_bytes": lambda sums, places: sums["load_bytes"] + sums["store_bytes"] + sums["fetch_bytes"],
}
FIGURES = (*_SUMS, *_MADE)
MAIN_FIGURES = ("cycles", "latency_ms", "frames_per_second", "utilization", "traffic_bytes")  # first in tables


def derived(values: Mapping[str, Value]) -> dict[str, int | float]:
    """What DERIVED has, of a machine's values by key."""
    blocks = area(machine_values(values))
    logic, bits = sum(block.nand2 for block in blocks) / 1000, sum(block.memory_bits for block in blocks)
    return {
        "macs_per_cycle": _int(values["pe_array.rows"]) * _int(values["pe_array.columns"]),
        "sram_bytes": sum(_int(values[f"{buffer}.size_bytes"]) for buffer in BUFFERS),
        "logic_kge": round(logic, 3),
        "memory_bits": bits,
        "area_kge": round(logic + GATES_PER_BIT * bits / 1000, 3),
        "area_extrapolated": int(any(block.outside for block in blocks)),
    }


def _int(value: Value) -> int:
    assert isinstance(value, int)
    return value


def figure(name: str, runs: Sequence[Mapping[str, Any]], places: int) -> Any:
    """Of one run, or of several together: times and counts are added up, shares and rates are those of the sums. places: multipliers."""
    if name in _MADE:
        needed = ("macs", "cycles", "seconds_at_clock", "batch", "load_bytes", "store_bytes", "fetch_bytes")
        return _MADE[name]({sum_name: sum(run[sum_name] for run in runs) for sum_name in needed}, places)
    return sum(run[name] for run in runs)
