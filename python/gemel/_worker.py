# SPDX-License-Identifier: Apache-2.0
"""What a worker does: it computes points of a sweep for the process that started it (_workers.py), until that closes the pipe or dies.

Pickles come on stdin and go to what was stdout: first a Job, answered by the worker's version of Gemel; then for each (number, network, changes) a
(number, Outcome). Ctrl-C is the other process's matter.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from . import _gemel
from ._errors import Error, GemelWarning, UserError, user_error
from ._gemel import StopToken
from ._identity import version
from ._machine import Machine, Value
from ._network import Network, Origin

MOST_CYCLES = 1 << 40  # as gemel.run() has it


@dataclass(frozen=True)
class Job:
    """What all points of a sweep share."""

    machine: Machine
    networks: tuple[Origin, ...]
    digests: tuple[str, ...]  # of the networks
    version: str  # of Gemel


@dataclass(frozen=True)
class Outcome:
    """Of a point: figures, or what was wrong."""

    figures: Mapping[str, int | float] | None
    code: str = ""
    message: str = ""
    lasting: bool = True  # False: of this computer now, not of the point; not recorded, so that the same command tries again


def network_of(job: Job, index: int) -> Network:
    network = job.networks[index].load(timing_only=True)
    if network.digest != job.digests[index]:
        raise user_error("E1213", f"the network `{job.networks[index].called}` has changed since the sweep began")
    return network


def compute(machine: Machine, network: Network, changes: tuple[tuple[str, Value], ...]) -> Outcome:
    """A point, as `gemel run --timing-only` computes it."""
    try:
        on = machine._inside.changed([f"{key}={value}" for key, value in changes])
        program = _gemel.Program.compile(network=network._inside, machine=on, fuse=True, overlap_layers=True, memory_base=0, stop=StopToken())
        result = _gemel.run(
            program=program,
            machine=on,
            inputs=[],
            keep=[],
            blocks=[],
            engine="plain",
            seed=1,
            test_images=False,
            compare=True,
            timing_only=True,
            trace=False,
            max_cycles=MOST_CYCLES,
            keep_going=False,
            no_skip=False,
            reset_seed=None,
            waves_folder="",
            case_file="",
            progress=None,
            text=None,
            warn=lambda warning: None,
            stop=StopToken(),
        )
        return Outcome(result.figures())
    except Error as error:
        return Outcome(None, error.code, error.message)
    except MemoryError:
        return Outcome(None, "E0904", "out of memory", lasting=False)


def _version() -> str:
    try:
        return version()
    except UserError:
        return "another one"


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", GemelWarning)
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else writes to stdout
    job: Job = pickle.load(source)
    tasks: queue.SimpleQueue[tuple[int, int, tuple[tuple[str, Value], ...]]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                tasks.put(pickle.load(source))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)  # also in the middle of a long point: nobody wants it any more

    threading.Thread(target=read, daemon=True).start()
    networks: dict[int, Network] = {}
    try:
        pickle.dump(_version(), answers)
        answers.flush()
        while True:
            number, index, changes = tasks.get()
            try:
                if index not in networks:
                    networks[index] = network_of(job, index)
                outcome = compute(job.machine, networks[index], changes)
            except UserError as error:
                outcome = Outcome(None, error.code, error.message, lasting=False)
            pickle.dump((number, outcome), answers)
            answers.flush()
    except BrokenPipeError:
        os._exit(0)
