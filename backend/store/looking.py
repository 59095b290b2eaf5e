"""Looking into a folder from outside, whether a process serves it or not: nothing is changed, migrated or locked.

A connection with `mode=ro` never checkpoints, so beside a running backend it is one more reader of the write-ahead log.
In a folder that rests SQLite may leave an empty log beside each file; the next writer takes it away.
An injected fault hides nothing here: it is the API's, and whoever can read the folder can read its files. What a fault
of the disk has taken is not made up: the cell is named.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.creation import is_made
from backend.store.files import FolderError, fault_of, name_of_cell, newer
from backend.store.migrations import SCHEMA_VERSIONS, FileKind

LOOK_BUSY_SECONDS = 5.0


class FolderLook:
    """Snapshots of cloud.db and of each cell, for reading only. Use `look`."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self.cloud = CloudTransaction(self._open("cloud.db", "cloud"))

    def cell(self, name: str) -> CellTransaction:
        """Raises FolderError, which names the cell's file."""
        cloud_id = self.cloud.identity()[0]
        with self.reading(name):
            connection = self._open(name_of_cell(name), "cell")
            found = connection.execute("SELECT cloud_id, cell FROM identity").fetchone()
        if found != (cloud_id, name):
            raise FolderError(f"{self._path / name_of_cell(name)} is the file of another cloud or cell.")
        return CellTransaction(connection, name)

    @contextmanager
    def reading(self, cell: str) -> Iterator[None]:
        """Whatever is read of the cell here: what cannot be is a FolderError that names the cell's file."""
        try:
            yield
        except sqlite3.Error as error:
            raise unreadable(self._path / name_of_cell(cell), error) from error

    def _open(self, file: str, kind: FileKind) -> sqlite3.Connection:
        place = self._path / file
        if not place.is_file():
            raise FolderError(f"{place} is missing.")
        connection = sqlite3.connect(
            f"file:{quote(str(place))}?mode=ro", uri=True, isolation_level=None, timeout=LOOK_BUSY_SECONDS
        )
        self._stack.callback(connection.close)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version < 1:
            raise FolderError(f"{place} has no tables: it is not a file of this cloud.")
        if version > SCHEMA_VERSIONS[kind]:
            raise FolderError(f"{place} {newer(version, kind)}.")
        if version < SCHEMA_VERSIONS[kind]:
            raise FolderError(f"{place} was made by an older version of Stratodeck: open its cloud once with this one.")
        connection.execute("BEGIN")
        return connection


@contextmanager
def look(path: Path) -> Iterator[FolderLook]:
    """Read a folder that holds a cloud.

    Raises:
        FolderError: it holds none, or what it holds cannot be read.
    """
    path = Path.cwd() / path
    try:
        if not is_made(path):
            raise FolderError(f"{path} holds no cloud.")
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    with ExitStack() as stack:
        try:
            yield FolderLook(path, stack)
        except sqlite3.Error as error:
            # What is read of a cell names that.
            raise unreadable(path / "cloud.db", error) from error


def unreadable(place: Path, error: sqlite3.Error) -> FolderError:
    fault = fault_of(error, "cloud" if place.name == "cloud.db" else "cell", place)
    return FolderError(f"{place} cannot be read: {fault.reason if fault else error}.")
