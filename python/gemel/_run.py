# SPDX-License-Identifier: Apache-2.0
"""Runs."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from . import _gemel
from ._arrays import Array, Inputs, input_arrays
from ._errors import GemelWarning, user_error
from ._gemel import Diagnostic, Progress, StopToken
from ._machine import Machine
from ._network import Network, Source, load
from ._options import choice, whole
from ._program import Program, as_machine, compile
from ._result import Result

Engine = Literal["plain", "systemc", "beat"]
MOST_CYCLES = 1 << 40


class ProgressLine:
    """How far a run is, as a line on stderr that is written anew ten times a second."""

    def __init__(self, name: str) -> None:
        self._name, self._start, self._shown = name, time.monotonic(), 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        share = progress.instructions / max(1, progress.total_instructions)
        left = f", {(now - self._start) * (1 - share) / share:.0f} s left" if share > 0 else ""
        print(f"\r{self._name}: layer {progress.layer + 1} of {progress.layers}, {progress.cycles / 1e6:.2f} M cycles{left}\x1b[K",
              end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _warn(warning: Diagnostic) -> None:
    warnings.warn(str(warning), GemelWarning, stacklevel=4)


def _show(text: str) -> None:
    sys.stderr.write(text)


def run(
    network: Network | Program | Source,
    machine: Machine | Source | None = None,
    *,
    inputs: Inputs | None = None,
    batch: int | None = None,
    seed: int | None = None,
    timing_only: bool = False,
    test_images: bool = False,
    blocks: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    keep: Sequence[str] | bool = (),
    compare: bool = True,
    trace: bool = False,
    max_cycles: int = MOST_CYCLES,
    keep_going: bool = False,
    no_skip: bool = False,
    reset_seed: int | None = None,
    case_file: Source | None = None,
    waves_folder: Source | None = None,
    progress: Callable[[Progress], object] | bool = False,
    log: Callable[[str], object] | None = None,
    stop: StopToken | None = None,
) -> Result:
    """Runs a network on a machine and compares every layer with the reference.

    network: a Network, a Program, or what gemel.load() takes; a path that ends in .gemel is a program.
    machine: a Machine, or what gemel.machine() takes. None: edge16, or the machine that the program was compiled for.
    inputs: arrays of the types and shapes that `network.inputs` says (images: NHWC, quantized): one array, a list of them, or a dict by name.
        What is missing is drawn from the seed, or what the program's file stores.
    batch: images per run, where `network` is a name or a file; None: as it says.
    seed: of inputs that are drawn (None: 1); where `network` is a name or a file, of its synthetic weights, too.
    timing_only: cycles without data, ten times as fast.
    test_images: run all test images that came with the network, batch by batch (where `network` is a name or a file and `batch` is None: all
        at once), and count the right answers.
    blocks: who stands behind blocks' ports: {"pe_array": "rtl", "requantizer": "check:mine.sv"}; names as `gemel run --block` has them.
    engine: who steps the machine; all give the same cycles and bytes. None: "plain", the fastest, or what `blocks` need.
    keep: names of layers whose outputs result.tensor() is to have; True: all, and the inputs. They are the reference's, which the machine's own
        bytes were equal to.
    compare: with the reference, layer by layer.
    trace: record each instruction for result.trace() and trace.json.
    max_cycles: end in RunError E0803 after so many.
    keep_going: count differences of checked blocks instead of ending with the first.
    no_skip: clock RTL and beat models in every cycle, also when all are quiet.
    reset_seed: registers of RTL start with random bits of this seed.
    case_file: where a run that ends in RunError keeps itself, for `gemel run FILE` or gemel.Program.load().
    waves_folder: for waves around the first difference of a checked block.
    progress: called now and then, in the run's thread; True: a line on stderr.
    log: called with what blocks' Verilog displays and what takes time (RTL being compiled), in the run's thread; None: to stderr.
    stop: ends the call in gemel.Interrupted when another thread asks for it. Ctrl-C raises KeyboardInterrupt.

    Python's lock is free meanwhile: runs on the engines "plain" and "beat" go side by side in threads; the engine "systemc" and runs with RTL wait
    for each other.

    Raises UserError for what gemel.load(), gemel.machine() and gemel.compile() refuse, E0505 (a program for another machine), E0510 (inputs that do
    not fit), E0514 (tensors to keep that there are not), E0911 and E0915 (options), E10xx
    (blocks and their RTL); RunError E08xx for what the run found wrong. Whatever `progress` or `log` raises ends the run and is raised. Warns
    (GemelWarning) of what is legal, but probably not meant.
    """
    stop = stop or StopToken()
    if engine is not None:
        choice("engine", engine, ("plain", "systemc", "beat"))
    drawn_from = whole("seed", 1 if seed is None else seed, 0)
    limit = whole("max_cycles", max_cycles, 1)
    reset_seed = None if reset_seed is None else whole("reset_seed", reset_seed, 0, 2147483647)
    chosen = [f"{block}={kind}" for block, kind in (blocks or {}).items()]
    engine_used: str | None = engine if engine or chosen else "plain"
    program, on = _prepared(network, machine, batch=batch, seed=seed, timing_only=timing_only, test_images=test_images, stop=stop)
    arrays: Sequence[Array] = [] if inputs is None else input_arrays(inputs, program.inputs)
    line = ProgressLine(f"{program.network} on {on.name}") if progress is True and sys.stderr.isatty() else None
    try:
        inside = _gemel.run(
            program=program._inside, machine=on._inside, inputs=arrays, blocks=chosen, engine=engine_used,
            keep=["*"] if keep is True else list(keep or ()), seed=drawn_from,
            test_images=test_images, compare=compare, timing_only=timing_only, trace=trace, max_cycles=limit, keep_going=keep_going,
            no_skip=no_skip, reset_seed=reset_seed, waves_folder=os.fspath(waves_folder or ""), case_file=os.fspath(case_file or ""),
            progress=line if line is not None else progress if callable(progress) else None, text=log or _show, warn=_warn, stop=stop)
    finally:
        if line is not None:
            line.end()
    # As `gemel run` records its options.
    settings = {
        "workload": program._source, "machine": None if machine is None else on._source,
        "set": " ".join(f"{key}={value}" for key, value in on._changes.items()), "batch": batch, "seed": seed, "block": " ".join(chosen),
        "engine": engine, "reset-seed": reset_seed, "max-cycles": None if limit == MOST_CYCLES else limit,
    }  # fmt: skip
    flags = {"timing-only": timing_only, "test": test_images, "trace": trace, "no-golden": not compare, "keep-going": keep_going, "no-skip": no_skip}
    inside.add_settings([(name, str(value)) for name, value in settings.items() if value not in (None, "")]
                        + [(name, "true") for name, given in flags.items() if given])
    return Result(inside, program.network, on, program.outputs, None if program._network is None else program._network._origin)


def _prepared(network: Network | Program | Source, machine: Machine | Source | None, *, batch: int | None, seed: int | None, timing_only: bool,
              test_images: bool, stop: StopToken) -> tuple[Program, Machine]:
    if not isinstance(network, Network | Program) and os.fspath(network).endswith(".gemel"):
        network = Program.load(network)
    if isinstance(network, Network | Program) and batch is not None:
        raise user_error("E0911", "`batch` and a network that is loaded: its batch cannot be changed", "gemel.load() takes `batch`")
    if isinstance(network, Program):
        return network, network.machine if machine is None else as_machine(machine)
    on = as_machine(machine)
    if not isinstance(network, Network):
        source = network
        network = load(source, batch=batch, seed=seed, timing_only=timing_only, stop=stop)
        if test_images and batch is None and not timing_only:
            test = network.test_images()
            if test is not None:
                network = load(source, batch=len(test.labels), seed=seed, stop=stop)
    return compile(network, on, stop=stop), on
