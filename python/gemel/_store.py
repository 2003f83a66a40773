# SPDX-License-Identifier: Apache-2.0
"""Where a sweep keeps its points: one file of SQLite, written by one process.

A result is found again by its point: a digest of machine, network and version of Gemel. What has been recorded is never computed again, whatever
becomes of the space; which results make up the sweep's table is worked out anew each time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

from ._errors import UserError, user_error
from ._worker import Outcome

FORMAT = 1
_APPLICATION = 0x67656D6C  # "geml", in the file's header
_PATIENCE = 10.0  # seconds for another program that has the file locked

_SCHEMA = (
    "CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # code: of the error, if the point is none that can run; figures: JSON, by their names in result.json
    "CREATE TABLE results(point TEXT PRIMARY KEY, machine TEXT NOT NULL, network TEXT NOT NULL, version TEXT NOT NULL, code TEXT, message TEXT, "
    "figures TEXT) WITHOUT ROWID",
    # The table of the sweep as it was last started, for people with SQL: a row for each design and network.
    "CREATE TABLE points(position INTEGER NOT NULL, network TEXT NOT NULL, parameters TEXT NOT NULL, point TEXT NOT NULL, "
    "PRIMARY KEY(position, network)) WITHOUT ROWID",
    "CREATE VIEW sweep AS SELECT points.position, points.network, points.parameters, results.code, results.message, "
    + ", ".join(f"json_extract(results.figures, '$.{name}') AS {name}" for name in ("cycles", "seconds_at_clock", "utilization", "load_bytes", "store_bytes"))
    + " FROM points LEFT JOIN results USING (point) ORDER BY points.position, points.network",
)  # fmt: skip


def point_of(machine: str, network: str, version: str) -> str:
    """Of digests: the name of a result."""
    return hashlib.sha256(f"{machine} {network} {version}".encode()).hexdigest()[:32]


class Store:
    """Use as a context. file: None: in memory. Raises UserError E1208 (in use), E1209 (cannot be written), E1210 (no sweep's, or damaged)."""

    def __init__(self, file: str | os.PathLike[str] | None) -> None:
        self.file = "" if file is None else os.fspath(file)
        self._lock: int | None = None
        try:
            if self.file:
                self._take_lock()
            with self._told():
                self._database = sqlite3.connect(self.file or ":memory:", timeout=_PATIENCE, isolation_level=None)
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        """One process writes. The lock goes with the process, however that ends."""
        try:
            self._lock = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise user_error("E1209", f"`{self.file}` cannot be written: {error.strerror}", "choose another file with --out") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise user_error("E1208", f"another sweep is writing `{self.file}`", "wait for its end, or choose another file with --out") from None
        except OSError:
            pass  # a file system without locks: SQLite has its own

    def _prepare(self) -> None:
        run = self._database.execute
        application, format_of = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != _APPLICATION:
            raise user_error("E1210", f"`{self.file}` is a database, but none of a sweep", "choose another file with --out")
        if tables and format_of != FORMAT:
            raise user_error(
                "E1210", f"`{self.file}` has the format {format_of} of a sweep, and this Gemel writes {FORMAT}", "choose another file with --out"
            )
        run("PRAGMA journal_mode=WAL").fetchone()
        run("PRAGMA synchronous=NORMAL")  # killing a process loses nothing, a power cut at most the last points
        if not tables:
            run("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                run(statement)
            run(f"PRAGMA application_id={_APPLICATION}")
            run(f"PRAGMA user_version={FORMAT}")
            run("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _error(self, error: sqlite3.Error) -> UserError:
        text = str(error)
        if "locked" in text or "busy" in text:
            return user_error(
                "E1208",
                f"`{self.file}` is locked by another program",
                "what is recorded is safe: close that program, and give the same command again",
            )
        if "not a database" in text or "malformed" in text:
            return user_error("E1210", f"`{self.file}` is no file of a sweep, or damaged: {text}", "choose another file with --out")
        return user_error(
            "E1209",
            f"`{self.file}` cannot be written: {text}",
            "what is recorded is safe: make room (or choose another file), and give the same command again",
        )

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        database = getattr(self, "_database", None)
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()
        if self._lock is not None:
            os.close(self._lock)  # after SQLite's own locks: closing any descriptor of a file ends those of the process
            self._lock = None

    def describe(self, about: Mapping[str, str], points: Iterable[tuple[int, str, str, str]]) -> None:
        """What the sweep is now: about itself, and its table: (position, network, parameters as JSON, point)."""
        with self._told(), self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())
            self._database.execute("DELETE FROM points")
            self._database.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", points)

    def add_points(self, points: Iterable[tuple[int, str, str, str]]) -> None:
        """More rows of the sweep's table."""
        with self._told(), self._transaction():
            self._database.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", points)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def record(self, point: str, machine: str, network: str, version: str, outcome: Outcome) -> None:
        """On the disk when this returns, as far as the death of a process goes."""
        figures = None if outcome.figures is None else json.dumps(outcome.figures)
        with self._told():
            self._database.execute(
                "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)",
                (point, machine, network, version, outcome.code or None, outcome.message or None, figures),
            )

    def recorded(self, version: str) -> tuple[dict[str, Outcome], int]:
        """All results of this version, and how many there are of others."""
        found: dict[str, Outcome] = {}
        with self._told():
            for point, code, message, figures in self._database.execute(
                "SELECT point, code, message, figures FROM results WHERE version = ?", (version,)
            ):
                found[point] = Outcome(None if figures is None else json.loads(figures), code or "", message or "")
            others = self._database.execute("SELECT count(*) FROM results WHERE version <> ?", (version,)).fetchone()[0]
        return found, int(others)
