# SPDX-License-Identifier: Apache-2.0
"""Processes that compute the points of a sweep: started once, warm, replaced when one dies."""

from __future__ import annotations

import collections
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import IO, Any

from ._errors import user_error
from ._worker import Job, Outcome

Task = tuple[int, tuple[tuple[str, int | float | str], ...]]  # network, changes

_AHEAD = 2  # points that a worker has: the one under way, and the next
_TRIES = 3  # of a point whose workers die


class _Process:
    def __init__(self, job: bytes, answers: queue.SimpleQueue[tuple[_Process, Any]]) -> None:
        if not sys.executable:
            raise user_error("E1211", "workers cannot be started: this Python does not know its own program")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([_package_folder(), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.errors: IO[bytes] = tempfile.TemporaryFile()
        self.under_way: collections.deque[int] = collections.deque()
        self.ready = False
        self.misread = ""  # what could not be understood of its answers
        try:
            self.process = subprocess.Popen(
                [sys.executable, *(["-B"] if sys.dont_write_bytecode else []), "-c", "from gemel._worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self.errors.close()
            raise user_error("E1211", f"workers cannot be started: {error.strerror}") from None
        self._write(job)
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()

    def _read(self, answers: queue.SimpleQueue[tuple[_Process, Any]]) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                answers.put((self, pickle.load(self.process.stdout)))
        except Exception as error:  # whatever a dying process leaves in the pipe
            if not isinstance(error, EOFError):
                self.misread = f"{type(error).__name__}: {error}"
            answers.put((self, None))

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError:
            pass  # it is dead, which the thread that reads finds out

    def give(self, number: int, task: Task) -> None:
        self.under_way.append(number)
        self._write(pickle.dumps((number, *task)))

    def last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else self.misread

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
        self.errors.close()


def _package_folder() -> str:
    # Not resolved: in a build folder the package's files are links into the sources, and the library stands beside the links.
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Workers:
    """Use as a context: at its end the processes are ended, whatever they do."""

    def __init__(self, job: Job, count: int) -> None:
        self._job, self._version = pickle.dumps(job), job.version
        self._answers: queue.SimpleQueue[tuple[_Process, Any]] = queue.SimpleQueue()
        self._count = count
        self._processes: list[_Process] = []
        self.died = 0  # so far

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *ignored: object) -> None:
        for process in self._processes:
            process.end()
        self._processes = []

    def compute(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Outcome | str]]:
        """(number, outcome) as they are done, numbered as they come. Text: the point's workers died several times."""
        numbered = enumerate(tasks)
        waiting: collections.deque[tuple[int, Task]] = collections.deque()
        open_tasks: dict[int, Task] = {}
        deaths: collections.Counter[int] = collections.Counter()
        never_ready = 0  # workers in a row

        def feed(process: _Process) -> None:
            while len(process.under_way) < _AHEAD:
                following = waiting.popleft() if waiting else next(numbered, None)
                if following is None:
                    return
                number, task = following
                open_tasks[number] = task
                process.give(number, task)

        while len(self._processes) < self._count:
            self._processes.append(_Process(self._job, self._answers))
        for process in self._processes:
            feed(process)
        while open_tasks:
            process, answer = self._answers.get()
            if process not in self._processes:
                continue
            if answer is None:
                self.died += 1
                self._processes.remove(process)
                lost, words, ready = list(process.under_way), process.last_words(), process.ready
                process.end()
                never_ready = 0 if ready else never_ready + 1
                if not ready and (process.process.returncode > 0 or never_ready > _TRIES * self._count):  # < 0: a signal, which may have been chance
                    raise user_error(
                        "E1211",
                        "a worker ended before its first point" + (f": {words}" if words else ""),
                        f"`{sys.executable}` must find the package `gemel`",
                    )
                if lost and ready:
                    deaths[lost[0]] += 1
                    if deaths[lost[0]] >= _TRIES:
                        del open_tasks[lost[0]]
                        yield lost.pop(0), "three workers died while they computed it" + (f": {words}" if words else "")
                waiting.extendleft((number, open_tasks[number]) for number in reversed(lost))
                self._processes.append(_Process(self._job, self._answers))
                feed(self._processes[-1])
            elif not process.ready:
                process.ready = True
                if answer != self._version:
                    raise user_error("E1211", f"workers run Gemel {answer}, and this process {self._version}",
                                     "Gemel was installed or built anew meanwhile: start again")
            else:
                number, outcome = answer
                process.under_way.remove(number)
                del open_tasks[number]
                feed(process)
                yield number, outcome
