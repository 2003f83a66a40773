# SPDX-License-Identifier: Apache-2.0
"""Compiled programs, and what the compiler predicts of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _gemel
from ._gemel import LayerInfo, StopToken, TensorInfo
from ._machine import Machine
from ._machine import machine as machine_of
from ._network import Network, Source, load
from ._options import whole

if TYPE_CHECKING:
    from typing import Any

    from ._result import Result


class Program:
    """A network compiled for one machine. It does not change, and any number of threads may run it. Made by gemel.compile() and Program.load()."""

    def __init__(self, inside: _gemel.Program, network: Network | None, machine: Machine, source: str) -> None:
        self._inside = inside
        self._network = network  # None: the program came from a file
        self._machine = machine
        self._source = source  # as the command line would be told

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Program:
        """A file of save() or of `gemel compile`. Raises UserError E0501 to E0507: it cannot be read, is none, damaged, or of another version."""
        inside = _gemel.Program.load(os.fspath(path))
        return cls(inside, None, Machine(inside.compiled_for([]), inside.machine, {}), os.fspath(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a .gemel file, whole or not at all. Raises UserError E0902."""
        self._inside.save(os.fspath(path))

    @property
    def network(self) -> str:
        """Its name."""
        return self._inside.network

    @property
    def machine(self) -> Machine:
        """The one that it was compiled for. It runs on others as well that differ only in clock, latencies, queues and size of the memory."""
        return self._machine

    @property
    def batch(self) -> int:
        return self._inside.batch

    @property
    def timing_only(self) -> bool:
        """It was made of a network without weights: no data can be computed."""
        return self._inside.timing_only

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self._inside.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self._inside.outputs

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """In order of execution, each with its `mapping`: how the compiler runs it, as in a result's layers."""
        return self._inside.layers

    @property
    def instructions(self) -> int:
        """How many it has."""
        return self._inside.instructions

    @property
    def memory_bytes(self) -> int:
        """Everything lies below this address."""
        return self._inside.memory_bytes

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over instructions, constants and addresses."""
        return self._inside.digest

    def disassemble(self, instruction: int) -> str:
        """One instruction, from 0, as text. Raises IndexError."""
        return self._inside.disassemble(instruction)

    def run(self, machine: Machine | Source | None = None, **options: Any) -> Result:
        """gemel.run() of this program; None: on the machine that it was compiled for."""
        from ._run import run

        return run(self, machine, **options)

    def __repr__(self) -> str:
        return f"<gemel.Program {self.network} for {self.machine.name}: {self.instructions:,} instructions, batch {self.batch}>"


def as_machine(machine: Machine | Source | None) -> Machine:
    return machine if isinstance(machine, Machine) else machine_of(machine if machine is not None else "edge16")


def as_network(network: Network | Source, *, timing_only: bool = False) -> Network:
    return network if isinstance(network, Network) else load(network, timing_only=timing_only)


def compile(network: Network | Source, machine: Machine | Source = "edge16", *, fuse: bool = True, overlap_layers: bool = True, memory_base: int = 0,
            stop: StopToken | None = None) -> Program:
    """Compiles a network (or what gemel.load() takes) for a machine (or what gemel.machine() takes).

    fuse: additions and tables join the layer before them.
    overlap_layers: layers that need only the vector unit run beside their neighbours on the array.
    memory_base: the address in memory where the program and its data begin, a multiple of 4096. Cycles do not depend on it.
    stop: ends the call in gemel.Interrupted when another thread asks for it.

    Raises UserError E06xx, naming layer, need and limit, if the machine cannot run a layer or has too little memory.
    """
    of, on = as_network(network), as_machine(machine)
    inside = _gemel.Program.compile(network=of._inside, machine=on._inside, fuse=fuse, overlap_layers=overlap_layers,
                                    memory_base=whole("memory_base", memory_base, 0), stop=stop or StopToken())
    return Program(inside, of, on, of._source)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A prediction, not a simulation: the compiler's own model of time."""

    cycles: int
    error_share: float  # it is within this share of the simulated cycles for every shipped network on every shipped machine
    layers: Mapping[str, int]  # cycles by which each layer moves the end


def estimate(network: Network | Program | Source, machine: Machine | Source | None = None) -> Estimate:
    """Predicts the cycles of a network, or of a program, without running it.

    machine: None: edge16, or the machine that the program was compiled for. Raises UserError as compile() does, E0505 and E0512 if a program is
    for another machine.
    """
    if isinstance(network, Program):
        program, on = network, network.machine if machine is None else as_machine(machine)
    else:
        on = as_machine(machine)
        program = compile(as_network(network, timing_only=True), on)
    found = program._inside.estimate(on._inside)
    return Estimate(cycles=found.cycles, error_share=found.error_share, layers=found.layers)

