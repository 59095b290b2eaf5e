"""Copies of all files of a folder as they were at one instant, whether a process serves the folder or not.

Each file is read in a snapshot of its own. They are of one instant if no file had a commit while they were begun, which
takes a millisecond: else they are begun anew. So nobody waits for a copy, and no cell seems slow because of one. Only
where commits never leave such a gap, those of cloud.db are held up for a moment, and soon those of the cells ebb.

At that instant something may have been half-way between two files, as when the process that serves them is killed:
`operations.recovery` finishes or undoes it when the copy is opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from backend.store.cloud import CloudTransaction
from backend.store.creation import is_made
from backend.store.files import (
    FileFault,
    FolderError,
    Place,
    check_log,
    fault_of,
    name_of_cell,
    newer,
    path_of_cell,
)
from backend.store.looking import LOOK_BUSY_SECONDS, unreadable
from backend.store.migrations import SCHEMA_VERSIONS, FileKind

CLOUD_FILE = "cloud.db"
STEP_PAGES = 1024
"""So many pages are copied between two tellings of how far it has come."""

ROUNDS_MAX = 100
FREE_ROUNDS = 50
"""After so many rounds nobody else may write to cloud.db during one."""
TRIES = 20
"""In one round."""
PAUSE_SECONDS = 0.02
"""Between two rounds, for those who write."""


@dataclass(frozen=True, slots=True)
class FileCopied:
    """One file of the folder, in its snapshot."""

    name: str
    """Under the folder: `cloud.db`, or `cells/NAME.db`."""
    version: int
    """Of its schema."""
    caution: str | None = None
    """What is to be known of it, as the end of a sentence that begins with its name. It is copied as it lies."""
    is_wrong: bool = False
    """Whether it is not the cell's own file, or an older copy of it."""


class FolderSnapshot:
    """The files of a folder at one instant. Use `snapshot_of`."""

    def __init__(
        self,
        cloud: CloudTransaction,
        files: Mapping[str, FileCopied],
        readers: Mapping[str, sqlite3.Connection],
        left_out: Mapping[str, str],
    ) -> None:
        self.cloud_id, self.kind, _, _ = cloud.identity()
        self.files = dict(files)
        """By name, cloud.db first."""
        self.clock = cloud.clock_state()
        self.left_out = dict(left_out)
        """What could not be read: the reason by the file's name."""
        self._readers = dict(readers)

    def last_event_at(self) -> datetime | None:
        """When the newest event of any file happened, in the cloud's time. Raises sqlite3.Error."""
        newest = "SELECT at FROM event ORDER BY number DESC LIMIT 1"
        found = [row[0] for reader in self._readers.values() for row in reader.execute(newest)]
        return datetime.fromisoformat(max(found)) if found else None

    def copy(self, name: str, target: Path, told: Callable[[float], None] = lambda share: None) -> None:
        """Write a file as a database of its own, without a log; `told` hears how far it has come, from 0 to 1.

        Raises FolderError: the file could not be read to its end, is damaged, or `target` could not be written.
        """

        def progress(_status: int, remaining: int, total: int) -> None:
            told(1.0 - remaining / total if total else 1.0)

        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copied:
                copied.execute("PRAGMA synchronous = OFF")
                self._readers[name].backup(copied, pages=STEP_PAGES, progress=progress, sleep=0)
                copied.execute("PRAGMA journal_mode = DELETE").fetchall()
                found = copied.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise FolderError(f"{name} cannot be copied: {error}.") from error
        if found != "ok":
            raise FolderError(f"{name} is damaged: {str(found).splitlines()[-1]}.")


@contextmanager
def snapshot_of(path: Path) -> Iterator[FolderSnapshot]:
    """Every file of a folder that holds a cloud, as they were together at one instant.

    Raises:
        FolderError: it holds none, cloud.db cannot be read, or it never stood still for long enough.
    """
    path = Path.cwd() / path
    if not is_made(path):
        raise FolderError(f"{path} holds no cloud.")
    with ExitStack() as stack:
        try:
            cloud = _Watched(path / CLOUD_FILE, "cloud", stack)
            cells: dict[str, _Watched] = {}
            left_out: dict[str, str] = {}
            transaction = CloudTransaction(cloud.reader)
            cloud_id = transaction.identity()[0]
            for (cell,) in cloud.reader.execute("SELECT name FROM cell ORDER BY position").fetchall():
                try:
                    check_log(Place(path_of_cell(path, cell), "cell", cloud_id, cell))
                    cells[cell] = _Watched(path_of_cell(path, cell), "cell", stack)
                except (FolderError, FileFault, sqlite3.Error) as error:
                    left_out[name_of_cell(cell)] = _reason(error, path_of_cell(path, cell))
            _begin_together(path, cloud, cells)
            files = {CLOUD_FILE: FileCopied(CLOUD_FILE, cloud.version)}
            readers = {CLOUD_FILE: cloud.reader}
            # Not by the transaction, which reads the columns of today: a folder that is older is copied as it is.
            for cell, *known in cloud.reader.execute("SELECT name, epoch, injected FROM cell").fetchall():
                if cell in cells:
                    name, watched = name_of_cell(cell), cells[cell]
                    try:
                        caution, is_wrong = _caution(watched.reader, cloud_id, cell, *known)
                    except sqlite3.Error as error:
                        left_out[name] = _reason(error, path / name)
                        continue
                    files[name] = FileCopied(name, watched.version, caution, is_wrong)
                    readers[name] = watched.reader
            yield FolderSnapshot(transaction, files, readers, left_out)
        except sqlite3.Error as error:
            raise unreadable(path / CLOUD_FILE, error) from error


class _Watched:
    """One file: a connection that reads it in a snapshot, and one that hears of every commit."""

    def __init__(self, place: Path, kind: FileKind, stack: ExitStack) -> None:
        try:
            found = place.lstat()
        except FileNotFoundError:
            raise FolderError(f"{place} is missing.") from None
        if not stat.S_ISREG(found.st_mode):
            # Opening a pipe would never end, and a link may lead anywhere.
            raise FolderError(f"{place} is not a regular file.")
        self.reader, self._ear = (_connect(place, stack) for _ in range(2))
        self.version = int(self.reader.execute("PRAGMA user_version").fetchone()[0])
        if self.version < 1:
            raise FolderError(f"{place} has no tables: it is not a file of this cloud.")
        if self.version > SCHEMA_VERSIONS[kind]:
            raise FolderError(f"{place} {newer(self.version, kind)}.")
        self._ear.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def heard(self) -> int:
        """Another number after each commit of anybody."""
        return int(self._ear.execute("PRAGMA data_version").fetchone()[0])

    def begin(self) -> None:
        if self.reader.in_transaction:
            self.reader.execute("ROLLBACK")
        self.reader.execute("BEGIN")
        # Only a statement that reads begins the snapshot.
        self.version = int(self.reader.execute("PRAGMA user_version").fetchone()[0])
        self.reader.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _connect(place: Path, stack: ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(place))}?mode=ro", uri=True, isolation_level=None, timeout=LOOK_BUSY_SECONDS
    )
    stack.callback(connection.close)
    return connection


def _begin_together(path: Path, cloud: _Watched, cells: Mapping[str, _Watched]) -> None:
    """Begin a snapshot of each, with no commit of any in between."""
    watched = (cloud, *cells.values())
    for number in range(ROUNDS_MAX):
        if number:
            time.sleep(PAUSE_SECONDS)
        with ExitStack() as held:
            if number >= FREE_ROUNDS:
                _hold_up(path / CLOUD_FILE, held)
            for _ in range(TRIES):
                before = [each.heard() for each in watched]
                for each in watched:
                    each.begin()
                if before == [each.heard() for each in watched]:
                    return
    raise FolderError(
        f"The cloud in {path} is written to so often that its files could not be read at one instant. "
        "Try again when it has less to do."
    )


def _hold_up(place: Path, stack: ExitStack) -> None:
    """Let nobody else commit to cloud.db until the stack is closed: the backend waits for it longer than we take."""
    connection = sqlite3.connect(f"file:{quote(str(place))}?mode=rw", uri=True, isolation_level=None, timeout=1.0)
    stack.callback(connection.close)
    with suppress(sqlite3.OperationalError):
        connection.execute("BEGIN IMMEDIATE")


def _caution(
    reader: sqlite3.Connection, cloud_id: str, cell: str, epoch: int, injected: str | None
) -> tuple[str | None, bool]:
    row = reader.execute("SELECT cloud_id, cell, epoch FROM identity").fetchone()
    if row is None or row[0] != cloud_id or row[1] != cell:
        return "is the file of another cloud or cell", True
    if row[2] < epoch:
        return "is older than what was acknowledged", True
    if injected is not None:
        return f"is of a cell that does not answer (injected: {injected})", False
    return None, False


def _reason(error: FolderError | FileFault | sqlite3.Error, place: Path) -> str:
    if isinstance(error, FolderError | FileFault):
        return str(error).rstrip(".")
    fault = fault_of(error, "cell", place)
    return fault.reason if fault is not None else str(error)


def check_copy(place: Path, name: str) -> None:
    """That a file which came from elsewhere is one of a cloud, and does nothing by itself. Raises FolderError."""
    kind: FileKind = "cloud" if name == CLOUD_FILE else "cell"
    try:
        with ExitStack() as stack:
            connection = _connect(place, stack)
            connection.execute("PRAGMA trusted_schema = OFF")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSIONS[kind]:
                raise FolderError(f"{name} {newer(version, kind)}.")
            live = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
            if version < 1 or live is not None:
                raise FolderError(f"{name} is no file of a cloud.")
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise FolderError(f"{name} is damaged: {str(found).splitlines()[-1]}.")
    except sqlite3.Error as error:
        raise FolderError(f"{name} is no file of a cloud: {error}.") from error
