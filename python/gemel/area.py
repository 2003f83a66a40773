# SPDX-License-Identifier: Apache-2.0
"""Area of a machine, block by block: the same models as `gemel explain --area`, for sweeps (docs/reference/area.md has units and errors).

    from gemel.area import area, machine_values, read_machine   # of a gemel.Machine; of a file
    for block in area(read_machine("configs/edge16.yaml")):
        print(block.name, block.nand2, block.error_percent, block.memory_bits)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .area_gen import INSTANCES, MODELS


@dataclass(frozen=True, kw_only=True)
class BlockArea:
    name: str  # "vector_buffer"
    nand2: float  # NAND2 equivalents of its gates
    memory_bits: int  # apart from the gates
    error_percent: float  # of nand2, within the sizes that were synthesized
    depth: tuple[int, int]  # gates between registers: least and greatest that were synthesized
    outside: tuple[str, ...]  # the parameters for which the model extrapolates; its error is unknown then


def area(machine: dict[str, int]) -> list[BlockArea]:
    """Every block of a machine. `machine` has the names of src/isa/ports.toml (rows, bus_bytes, vector_words, ...), as from read_machine."""
    blocks = []
    for name, (module, parameters) in INSTANCES.items():
        model, values = MODELS[module], parameters(**machine)
        outside = tuple(n for n, (least, most) in model["ranges"].items() if not least <= values[n] <= most)
        blocks.append(BlockArea(name=name, nand2=model["nand2"](**values), memory_bits=model["memory_bits"](**values),
                                error_percent=model["error_percent"], depth=model["depth"], outside=outside))
    return blocks


def read_machine(path: str | Path) -> dict[str, int]:
    """A machine file that `gemel` accepts, as area() wants it; this does not look for mistakes, `gemel explain --area -m FILE` does."""
    import yaml

    file = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    values = {f"{group}.{name}": value for group, entries in file.items() if isinstance(entries, dict) for name, value in entries.items()}
    return machine_values({key: size_bytes(value) if key.endswith("_bytes") else value for key, value in values.items()})


def machine_values(values: Mapping[str, Any]) -> dict[str, int]:
    """What area() wants, of a machine's parameters by key, sizes in bytes: a gemel.Machine, for one."""
    rows, columns = values["pe_array.rows"], values["pe_array.columns"]
    machine = dict(rows=rows, columns=columns, lanes=values["vector_unit.lanes"], bus_bytes=values["bus.bytes"],
                   burst_bytes=values["dma.burst_bytes"], load_outstanding=values["load_dma.outstanding"],
                   store_outstanding=values["store_dma.outstanding"], queue_depth=values["sequencer.queue_depth"],
                   prefetch_instructions=values["sequencer.prefetch_instructions"])
    for buffer, word_bytes in dict(activation=rows, weight=columns, vector=columns, param=columns, accumulator=4 * columns).items():
        banks = values[f"{buffer}_buffer.banks"]
        machine[f"{buffer}_banks"] = banks
        machine[f"{buffer}_words"] = values[f"{buffer}_buffer.size_bytes"] // word_bytes // banks * banks
    return machine


def size_bytes(value: int | str) -> int:
    """4096, "64KiB", "1 MiB"."""
    number, unit = re.fullmatch(r"(\d+) ?([KMG]iB)?", str(value)).groups()
    return int(number) << {None: 0, "KiB": 10, "MiB": 20, "GiB": 30}[unit]
