"""Opening a file of the data folder, and knowing that it is still the one that was opened.

Nothing here creates a file: a cell whose file is gone is down, not new. What is wrong with a file is a
`FileFault` with a sentence; everything else is a bug and stays what it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from backend.cloud.errors import DiskFull, Unreachable
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.migrations import SCHEMA_VERSIONS, FileKind, migrate

_CELL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

BUSY_SECONDS = 0.05
"""How long one statement waits for a lock of another process. Waiting longer is the lane's to decide, not SQLite's."""

CHECKPOINT_ROWS = 2000
"""After so many written rows the pages of the log go to the file: some 4,000 pages, 16 MB."""
CACHE_KIBIBYTES = 2_000
"""What each connection keeps of its file in memory: two of them for each cell, and for cloud.db."""
LOG_PAGES_MAX = 16_000
"""At this length it is tried after each commit, if whoever reads has kept some of its pages out of the file."""

_FILE_EPOCH_SINCE = 8
"""The schema of a cell's file that has it."""
_HEADER = b"SQLite format 3\0"

_NOUN: dict[FileKind, str] = {"cloud": "cloud.db", "cell": "cell file"}

OLDER_THAN_LOG = "is older than the log beside it"
"""How that reason ends."""
DISK_FULL = "the disk is full"
"""How every reason ends of which that is the cause."""

_FAULTS = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_PROTOCOL: "is locked by another process",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_CORRUPT: "is corrupt",
    sqlite3.SQLITE_IOERR: "cannot be read: disk I/O error",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "is read-only",
    sqlite3.SQLITE_PERM: "may not be opened",
    sqlite3.SQLITE_AUTH: "may not be opened",
    sqlite3.SQLITE_NOLFS: "is too large for this file system",
    sqlite3.SQLITE_FULL: f"cannot grow: {DISK_FULL}",
}
_FULL_TOO = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""What is said as well where a file that lies beside it cannot be made for want of room."""
_BYTES_FREE_LEAST = 64 * 1024
"""Twice what the shortest index of a write-ahead log takes."""


class FolderError(Exception):
    """The data folder cannot be used. Its text is a sentence for standard error."""


class FileFault(Exception):
    """A file cannot be used now. Its text is the reason, such as `cell file is missing`."""

    def __init__(
        self,
        reason: str,
        *,
        is_down: bool = True,
        is_busy: bool = False,
        is_newer: bool = False,
        is_replaced: bool = False,
        is_full: bool = False,
        is_damage: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_down = is_down
        """Whether the file cannot be read either."""
        self.is_busy = is_busy
        """Whether waiting a little may help."""
        self.is_newer = is_newer
        """Whether a newer version of the program made it."""
        self.is_replaced = is_replaced
        """Whether a lane still has the file open that had the name before."""
        self.is_full = is_full
        """Whether all that is wrong is the want of room on its disk."""
        self.is_damage = is_damage
        """Whether it holds what was never written; whoever does not read just that finds it well."""

    def refusal(self, file: str) -> Unreachable:
        """What those are told who wanted something of the file. Surely nothing was changed."""
        takes_no_changes = self.is_full and not self.is_down
        return DiskFull(file, self.reason) if takes_no_changes else Unreachable(file, self.reason)


def name_of_cell(cell: str) -> str:
    """Of a cell's file, under the data folder. Raises FolderError for a name that could lead anywhere else."""
    if not _CELL_NAME.fullmatch(cell):
        raise FolderError(
            f"cloud.db names a cell {cell[:64]!r}, which cannot be the name of a file: "
            "up to 64 letters, digits, dots, dashes and underscores can, beginning with a letter or a digit."
        )
    return f"cells/{cell}.db"


def path_of_cell(folder: Path, cell: str) -> Path:
    """Raises FolderError, as `name_of_cell`."""
    return folder / name_of_cell(cell)


def newer(version: int, kind: FileKind) -> str:
    """What is said of a file with a schema that this program does not know yet."""
    return (
        f"was made by a newer version of Stratodeck (its schema has the number {version}, and this version's "
        f"{SCHEMA_VERSIONS[kind]})"
    )


def fault_of(error: sqlite3.Error, kind: FileKind, path: Path) -> FileFault | None:
    """What an error says of the file at `path`; None when it says something of the statement (a bug, a constraint)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Python's own: a text that no program has written so.
        is_text_damaged = str(error).startswith("Could not decode to UTF-8")
        return FileFault(f"{_NOUN[kind]} is corrupt", is_damage=True) if is_text_damaged else None
    primary = code & 0xFF
    sentence = _FAULTS.get(primary)
    if sentence is None:
        return None
    if primary == sqlite3.SQLITE_FULL:
        # It refuses a write, and leaves the file readable.
        return FileFault(f"{_NOUN[kind]} {sentence}", is_down=False, is_full=True)
    if primary in _FULL_TOO and not _has_room(path):
        return FileFault(f"{_NOUN[kind]} cannot be used: {DISK_FULL}", is_full=True)
    is_busy = primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    is_damage = primary == sqlite3.SQLITE_CORRUPT
    return FileFault(f"{_NOUN[kind]} {sentence}", is_busy=is_busy, is_damage=is_damage)


def _has_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free >= _BYTES_FREE_LEAST
    except OSError:
        return True


@dataclass(frozen=True, slots=True)
class Place:
    """Which file is meant, and what must be in it."""

    path: Path
    """Absolute."""
    kind: FileKind
    cloud_id: str | None = None
    """None for cloud.db, which says it itself."""
    cell: str | None = None

    @property
    def noun(self) -> str:
        return _NOUN[self.kind]


def _device_and_inode(path: str, noun: str) -> tuple[int, int]:
    try:
        # Of the name itself: a link may lead anywhere.
        status = os.lstat(path)
    except FileNotFoundError:
        raise FileFault(f"{noun} is missing") from None
    except OSError as error:
        raise FileFault(f"{noun} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe would hang for ever in open(2), and so would the probe.
        raise FileFault(f"{noun} is not a regular file")
    if status.st_size == 0 and not path.endswith("-wal"):
        # SQLite takes it for a new database, and throws away the log that lies beside it.
        raise FileFault(f"{noun} is empty")
    return status.st_dev, status.st_ino


class Identity:
    """The file and its write-ahead log as they were when it was opened.

    A connection goes on writing into a file that was unlinked or replaced, and says nothing. So what it did is only
    acknowledged when, after the commit, its name still leads to the same file.
    """

    __slots__ = ("_file", "_log", "_log_path", "_noun", "_path", "path")

    def __init__(self, place: Place) -> None:
        self.path = place.path
        self._path = str(place.path)
        self._log_path = self._path + "-wal"
        self._noun = place.noun
        self._file = _device_and_inode(self._path, self._noun)
        self._log: tuple[int, int] | None = None

    def take_log(self) -> None:
        """Once the first transaction has made the log."""
        self._log = _device_and_inode(self._log_path, f"{self._noun}'s log")

    def check(self) -> None:
        """Raise FileFault unless both names still lead to the files that were opened."""
        if _device_and_inode(self._path, self._noun) != self._file:
            raise FileFault(f"{self._noun} was replaced")
        if self._log is not None and _device_and_inode(self._log_path, f"{self._noun}'s log") != self._log:
            raise FileFault(f"{self._noun}'s log was replaced")


@dataclass(slots=True)
class Opened:
    """A connection in the thread that opened it, with what belongs to it."""

    connection: sqlite3.Connection
    transaction: CellTransaction | CloudTransaction
    identity: Identity
    epoch: int
    """Of a cell: how many group commits it has had. 0 for cloud.db."""
    is_writer: bool = False
    file_epoch: int = 0
    """Of a cell: the last epoch that is known to be in the file itself, and not only in its log."""
    run: Callable[..., sqlite3.Cursor] = field(init=False)
    """Executes what no rows are asked of: by one cursor, which need not be made for each."""
    rows_in_file: int = 0
    """How many of the rows that this connection has written are in the file itself and not only in its log."""

    def __post_init__(self) -> None:
        self.run = self.connection.cursor().execute

    def checkpoint(self) -> None:
        """Copy the log's pages into the file, if it has grown long. Readers are not waited for. Raises sqlite3.Error.

        Pages that are written again and again are copied once in several hundred commits. The log is begun anew by the
        commit after one that has copied all of them; nobody else copies any, so each log says to what it was added.
        """
        written = self.connection.total_changes
        if written - self.rows_in_file >= CHECKPOINT_ROWS:
            _, pages, copied = self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if copied == pages:
                self.file_epoch = self.epoch
            if copied == pages or pages < LOG_PAGES_MAX:
                self.rows_in_file = written

    def close(self) -> None:
        """A writer leaves nothing in the log of a file that has lost its name: whatever has the name next would be
        read through that log, and be given its pages. Without them the file is whole, should it come back.
        """
        if self.is_writer and self._is_replaced():
            with contextlib.suppress(sqlite3.Error):
                self.connection.rollback()
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def _is_replaced(self) -> bool:
        try:
            self.identity.check()
        except FileFault:
            return True
        return False


def connect(path: Path) -> sqlite3.Connection:
    """A bare connection to a file that exists. Raises sqlite3.Error."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=256
    )


def _check_header(place: Place) -> None:
    """Find out that a file is no database without SQLite, which would read it through the log that lies beside it, and
    on closing it write that log into it and take it away.

    Only while nobody in this process has the file open: to close it drops the locks that SQLite holds on it. Raises
    FileFault.
    """
    _device_and_inode(str(place.path), place.noun)
    try:
        with open(place.path, "rb") as file:
            found = file.read(len(_HEADER))
    except OSError as error:
        raise FileFault(f"{place.noun} cannot be read: {error.strerror}") from error
    if found != _HEADER:
        raise FileFault(f"{place.noun} is not a database")


def open_file(
    place: Place,
    *,
    is_writer: bool,
    wall: Callable[[], datetime],
    epoch_min: int = 0,
    opened: Sequence[Identity] = (),
) -> Opened:
    """Open, check that it is the file that is meant, and migrate it if it is older than the program (writers only).

    It is opened only if it is what other lanes have `opened`, as it is probed.

    Raises FileFault: missing, not regular, not a database, corrupt, locked, of another cloud or cell, made by a newer
    version, or older than what was acknowledged (`epoch_min`).
    """
    identity = Identity(place)
    connection: sqlite3.Connection | None = None
    has_log = _has_log(place)
    try:
        connection = _begun(place, opened)
        _check_version(connection, place, is_writer=is_writer)
        if is_writer:
            # The pages that a savepoint keeps go to a temporary file otherwise, a new one for each.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        epoch = _check_identity(connection, place, epoch_min)
        identity.take_log()
        identity.check()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        fault = fault_of(error, place.kind, place.path)
        raise fault or FileFault(f"{place.noun} is not of this cloud: {error}") from error
    except FileFault:
        if connection is not None:
            connection.close()
        raise
    transaction = CloudTransaction(connection) if place.cell is None else CellTransaction(connection, place.cell)
    transaction.wall = wall
    opened_now = Opened(connection, transaction, identity, epoch, is_writer, file_epoch=epoch)
    if is_writer and has_log and isinstance(transaction, CellTransaction):
        # Without a log all of it is in the file.
        opened_now.file_epoch = transaction.file_epoch()
    return opened_now


def _check_version(connection: sqlite3.Connection, place: Place, *, is_writer: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSIONS[place.kind]:
        raise FileFault(f"{place.noun} {newer(version, place.kind)}", is_newer=True)
    if version < 1:
        # An empty file is a valid empty database: it must not become a cell by being opened.
        raise FileFault(f"{place.noun} is not of this cloud: it has no tables")
    if version < SCHEMA_VERSIONS[place.kind] and is_writer:
        migrate(connection, place.kind)


def _check_identity(connection: sqlite3.Connection, place: Place, epoch_min: int) -> int:
    if place.cell is None:
        connection.execute("SELECT cloud_id, kind, seed, created_at FROM cloud").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return 0
    row = connection.execute("SELECT cloud_id, cell, epoch FROM identity").fetchone()
    if row is None or row[0] != place.cloud_id:
        raise FileFault(f"{place.noun} belongs to another cloud")
    if row[1] != place.cell:
        raise FileFault(f"{place.noun} belongs to cell {row[1]}")
    if row[2] < epoch_min:
        raise FileFault(f"{place.noun} is older than what was acknowledged")
    return int(row[2])


def _begun(place: Place, opened: Sequence[Identity]) -> sqlite3.Connection:
    """A connection to what others have `opened`, or to what is at least a database, and the one of the log beside it.

    Any other file would be read through the log that lies there, and closing it would write that log into it and take
    it away. Raises FileFault, sqlite3.Error.
    """
    if not opened:
        _check_header(place)
        check_log(place)
    # SQLite opens the file now, and its log with the first statement.
    connection = connect(place.path)
    for identity in opened:
        try:
            identity.check()
        except FileFault as fault:
            connection.close()
            raise FileFault(fault.reason, is_replaced=True) from None
    return connection


def _has_log(place: Place) -> bool:
    """Whether a process that was killed has left commits beside the file, or somebody has it open."""
    try:
        return os.lstat(f"{place.path}-wal").st_size > 0
    except OSError:
        return False


def check_log(place: Place) -> None:
    """Find out that a cell's file is another's, or older than what the log beside it was added to: an old copy, put
    there before the log of a killed process was taken in. Read through that log it would be a mixture that nobody has
    ever written.

    A copy that is not older than that is all of the cell, with the log. Only while nobody in this process has the file
    open, as for the header. Raises FileFault, sqlite3.Error.
    """
    if place.kind != "cell" or not _has_log(place):
        return
    uri = f"file:{quote(str(place.path))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(f"{uri}&immutable=1", uri=True, timeout=BUSY_SECONDS)) as alone:
            in_file = _check_identity(alone, place, epoch_min=0)
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise FileFault(f"{place.noun} is not of this cloud: {error}") from error
        # A crash in the middle of copying has left half of a page, and the log has all of it.
        return
    # Who only reads leaves the log as it is on closing.
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as whole:
        if whole.execute("PRAGMA user_version").fetchone()[0] < _FILE_EPOCH_SINCE:
            return
        row = whole.execute("SELECT file_epoch FROM identity").fetchone()
    if row is not None and in_file < row[0]:
        raise FileFault(f"{place.noun} {OLDER_THAN_LOG}")


def probe_file(place: Place, *, epoch_min: int, opened: Sequence[Identity] = ()) -> None:
    """Ask the file with a fresh connection, because an open one does not notice that its pages were overwritten.

    What is there is only read if it is what the lanes have `opened`.

    Raises FileFault. Writes nothing.
    """
    _device_and_inode(str(place.path), place.noun)
    connection: sqlite3.Connection | None = None
    try:
        connection = _begun(place, opened)
        connection.execute("PRAGMA query_only = ON")
        _check_version(connection, place, is_writer=False)
        _check_identity(connection, place, epoch_min)
        connection.execute("SELECT max(number) FROM event").fetchone()
    except sqlite3.Error as error:
        raise fault_of(error, place.kind, place.path) or FileFault(
            f"{place.noun} is not of this cloud: {error}"
        ) from error
    finally:
        if connection is not None:
            connection.close()
