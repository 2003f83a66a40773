# SPDX-License-Identifier: Apache-2.0
"""The points of a sweep on a Dask cluster: in the place of processes of one's own (_workers.py). Scheduling, lost workers and late ones are Dask's.

Workers compute chunks of points and hand back outcomes; this process alone writes. A Dask worker that dies loses what it had not handed over: Dask
gives that to another one. When the scheduler dies the sweep ends with an error, and the same command goes on.
"""

from __future__ import annotations

import json
import logging
import pickle
import queue
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Any

from . import _worker
from ._errors import UserError, user_error
from ._identity import version
from ._network import Network
from ._worker import Job, Outcome
from ._workers import Task

_SECONDS = 0.1  # of work in a chunk, at least: of what dies with a worker
_TASKS_PER_SECOND = 200  # of Dask's scheduler, at most: more threads get larger chunks
_MOST = 64  # points in a chunk
_AHEAD = 2  # chunks for each thread of the cluster
_CONNECT = 10.0  # seconds for a scheduler to answer

_loading = threading.Lock()


@lru_cache(maxsize=16)
def _network(job: bytes, index: int) -> Network:
    return _worker.network_of(_unpickled(job), index)


@lru_cache(maxsize=4)
def _unpickled(job: bytes) -> Job:
    found: Job = pickle.loads(job)
    return found


def compute(job: bytes, of: str, tasks: Sequence[Task]) -> tuple[str, float, list[Outcome]]:
    """What a Dask worker does. job: pickled. of: the version of Gemel that is wanted. Returns the worker's, seconds, and an outcome for each task."""
    mine = version()
    if mine != of:
        return mine, 0.0, []
    begin = time.monotonic()
    outcomes = []
    for index, changes in tasks:
        try:
            with _loading:  # a network is read once, whatever number of threads wants it
                network = _network(job, index)
            outcomes.append(_worker.compute(_unpickled(job).machine, network, changes))
        except UserError as error:
            outcomes.append(Outcome(None, error.code, error.message, lasting=False))
    return mine, time.monotonic() - begin, outcomes


def _elsewhere(*arguments: Any) -> Any:
    import gemel._cluster

    return gemel._cluster.compute(*arguments)


_elsewhere.__module__ = "__main__"  # sent by value, not by name: Dask's scheduler unpickles it, and need not have Gemel


class Cluster:
    """Use as a context. scheduler: an address, the scheduler's file (NAME.json), or a distributed.Client. Raises UserError E1212, E1215."""

    def __init__(self, job: Job, scheduler: Any) -> None:
        try:
            from distributed import Client  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError:
            raise user_error("E1212", "a scheduler needs Dask, which this Python does not have", 'pip install "gemel[cluster]"') from None
        from distributed.comm.addressing import get_address_host_port  # type: ignore[import-not-found, import-untyped, unused-ignore]

        connect: Any = Client  # its own annotations are incomplete
        self._job, self._version = pickle.dumps(job), job.version
        self._levels = {name: logging.getLogger(name).level for name in ("distributed", "distributed.client", "tornado.application")}
        self._say_less()  # what goes wrong is told once, by us
        self._own = not isinstance(scheduler, Client)
        self._address = str(scheduler) if self._own else scheduler.scheduler.address
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._name, self._keys = uuid.uuid4().hex, count()  # of what the scheduler gets, which others use as well
        self._open: dict[Any, list[tuple[int, Task]]] = {}  # by future
        self._by_itself = False  # what is open is one point that nothing else is under way beside
        self.died = 0  # Dask tells it only where it gives a point up
        try:
            if not self._own:
                self._client = scheduler
            else:
                address = self._address
                if address.endswith(".json"):
                    address = json.loads(Path(address).read_text(encoding="utf-8"))["address"]
                socket.create_connection(get_address_host_port(address), _CONNECT).close()  # says no faster, and why
                self._client = connect(address, timeout=_CONNECT, set_as_default=False)
        except Exception as error:
            self._say_as_before()
            raise user_error(
                "E1215",
                f"no Dask scheduler answers at `{self._address}`: {_reason(error)}",
                "`dask scheduler` starts one and prints its address; `dask worker ADDRESS` starts workers",
            ) from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *ignored: object) -> None:
        try:
            if self._open and self._client.status == "running":
                self._client.cancel(list(self._open), force=True)
        except Exception:
            pass  # the scheduler is gone, and what it had with it
        self._open = {}
        if self._own:
            self._client.close(timeout=2)
        self._say_as_before()

    def _say_less(self) -> None:
        for name in self._levels:
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def _say_as_before(self) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def _threads(self) -> int:
        """Of all workers that are there now; 1 if there is none yet."""
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {})
        return max(1, sum(int(worker["nthreads"]) for worker in workers.values()))

    def compute(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Outcome | str]]:
        """(number, outcome) as they are done, numbered as they come. Text: Dask gave the point up, and why."""
        numbered = enumerate(tasks)
        # Of chunks that were given up: Dask counts a worker's death against all that the worker had. Each is tried by itself, to know which one it is.
        alone: deque[tuple[int, Task]] = deque()
        points, seconds = 0, 0.0  # computed so far, and how long that took
        self._feed(numbered, alone, 1)
        while self._open:
            future = self._answers.get()
            chunk = self._open.pop(future)
            computed: list[Outcome] | str
            try:
                of, took, computed = future.result()
                if of != self._version:
                    raise user_error("E1211", f"a Dask worker runs Gemel {of}, and this process {self._version}", "install the same version everywhere")
                points, seconds = points + len(chunk), seconds + took
            except UserError:
                raise
            except Exception as error:
                computed = self._lost(error)
            future.release()
            was_by_itself, self._by_itself = self._by_itself, False
            if isinstance(computed, str) and not was_by_itself:
                alone.extend(chunk)
            wanted = max(_SECONDS, self._threads() / _TASKS_PER_SECOND)
            self._feed(numbered, alone, max(1, min(_MOST, int(wanted * points / seconds))) if seconds else 1)
            if isinstance(computed, str):
                if was_by_itself:
                    yield chunk[0][0], computed
                continue
            for (number, _), outcome in zip(chunk, computed, strict=True):
                yield number, outcome

    def _feed(self, numbered: Iterator[tuple[int, Task]], alone: deque[tuple[int, Task]], size: int) -> None:
        while len(self._open) < _AHEAD * self._threads() and not self._by_itself and not (alone and self._open):
            self._by_itself = bool(alone)
            chunk = [alone.popleft()] if alone else list(islice(numbered, size))
            if not chunk:
                return
            try:
                tasks, key = [task for _, task in chunk], f"gemel-{self._name}-{next(self._keys)}"
                future = self._client.submit(_elsewhere, self._job, self._version, tasks, pure=False, key=key)
            except Exception as error:
                raise self._gone(error) from None
            self._open[future] = chunk
            future.add_done_callback(self._answers.put)

    def _lost(self, error: Exception) -> str:
        """Why a chunk has no outcome, if that is the chunk's fault. Raises UserError if it is not."""
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            self.died += 1
            return "its Dask workers died"
        if isinstance(error, ImportError):
            raise user_error("E1211", f"a Dask worker cannot compute points: {error}", "the package `gemel`, of this version, must be where the workers run")
        raise self._gone(error) from None

    def _gone(self, error: Exception) -> UserError:
        return user_error(
            "E1215",
            f"the Dask scheduler at `{self._address}` is gone, or has lost this sweep: {_reason(error)}",
            "what is recorded is safe: start it again, and give the same command again",
        )


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
