"""Making a data folder, all of it or none of it.

Everything is made in `seeding/`, flushed, and then moved: the cells first, cloud.db last, so a folder with a
cloud.db is whole. A marker lies there while things are moved; with the marker and without cloud.db the move was
interrupted, nothing of it was ever used, and it is wiped and made again. Cells without cloud.db and without the
marker are somebody's data: refused.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.files import FolderError, connect
from backend.store.migrations import FileKind, migrate
from backend.store.mirror import pictures_of
from backend.store.rows import json_of, text_of

SEEDING = "seeding"
MARKER = "seeding.moving"


def is_made(path: Path) -> bool:
    """Whether the folder holds a cloud, whole."""
    return (path / "cloud.db").exists()


def tidy_folder(path: Path) -> None:
    """Take away what an interruption after the last move left behind."""
    shutil.rmtree(path / SEEDING, ignore_errors=True)
    (path / MARKER).unlink(missing_ok=True)


class FolderWriter:
    """One open transaction for each file of a folder that is being made; `fill` writes through it."""

    def __init__(self, cloud: CloudTransaction, cells: Mapping[str, CellTransaction]) -> None:
        self.cloud = cloud
        self._cells = cells

    def cell(self, name: str) -> CellTransaction:
        return self._cells[name]


def create_folder(
    path: Path,
    *,
    cloud_id: str,
    kind: str,
    seed: int,
    created_at: datetime,
    settings: Mapping[str, Any],
    clock: Mapping[str, Any],
    cells: Sequence[str],
    fill: Callable[[FolderWriter], None] | None = None,
) -> None:
    """Make the whole folder, with what `fill` writes. Raises FolderError; then nothing of it is left.

    The lock that keeps two of these apart is the caller's.
    """
    header = (cloud_id, kind, seed, text_of(created_at), json_of(dict(settings)), json_of(dict(clock)))
    with staged(path) as seeding:
        _make_files(seeding, header, cells, fill)


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A folder with an empty `cells` to make the files of a cloud in; they become those of `path` when the block ends.

    If it raises, nothing of it is left. Raises FolderError: `path` holds a cloud or what may be left of one, or cannot
    be written.
    """
    if is_made(path):
        raise FolderError(f"{path} already holds a cloud.")
    if (path / "cells").exists() and not (path / MARKER).exists():
        raise FolderError(f"{path} has cells but no cloud.db: it is damaged, and was left as it is.")
    seeding = path / SEEDING
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in (seeding, path / "cells"):
            shutil.rmtree(left, ignore_errors=True)
        (path / MARKER).unlink(missing_ok=True)
        for made in (seeding, seeding / "cells"):
            made.mkdir(mode=0o700)
        yield seeding
        _move(path, seeding)
    except sqlite3.Error as error:
        raise FolderError(f"Cannot make a cloud in {path}: {error}.") from error
    except OSError as error:
        raise FolderError(f"Cannot make a cloud in {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(seeding, ignore_errors=True)


def _make_files(
    seeding: Path,
    header: tuple[str, str, int, str, str, str],
    cells: Sequence[str],
    fill: Callable[[FolderWriter], None] | None,
) -> None:
    cloud_id, created_at = header[0], datetime.fromisoformat(header[3])
    paths = [seeding / "cloud.db", *(seeding / "cells" / f"{cell}.db" for cell in cells)]
    with ExitStack() as stack:
        connections: list[sqlite3.Connection] = []
        for place in paths:
            connection = _make_file(place, "cloud" if place.name == "cloud.db" else "cell")
            stack.callback(connection.close)
            connections.append(connection)
        cloud = CloudTransaction(connections[0])
        connections[0].execute(
            "INSERT INTO cloud (only_row, cloud_id, kind, seed, created_at, settings, clock, next_sequence)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, 1)",
            header,
        )
        transactions: dict[str, CellTransaction] = {}
        for cell, connection in zip(cells, connections[1:], strict=True):
            cloud.add_cell(cell)
            connection.execute(
                "INSERT INTO identity (only_row, cloud_id, cell, epoch) VALUES (1, ?, ?, 1)", (cloud_id, cell)
            )
            transactions[cell] = CellTransaction(connection, cell)
        if fill is not None:
            fill(FolderWriter(cloud, transactions))
        for cell, transaction in transactions.items():
            transaction.keep_job()
            latest = {(kind, id_): thing for kind, id_, thing in transaction.keep_batch()}
            cloud.save_last_known(cell, pictures_of(latest), known_at=created_at)
            cloud.save_progress(cell, epoch=1, mirrored_event=transaction.last_event_number())
            cloud.save_open_tasks(cell, transaction.open_tasks_after_batch())
        for connection in connections:
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
    for place in paths:
        flush(place)


def _make_file(place: Path, kind: FileKind) -> sqlite3.Connection:
    """A migrated file with an open transaction. It is flushed once, when it is whole."""
    place.touch(mode=0o600, exist_ok=False)
    place.write_bytes(_empty_file(kind))
    connection = connect(place)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    return connection


@cache
def _empty_file(kind: FileKind) -> bytes:
    """A migrated file with nothing in it yet. All cells begin alike, so what takes longest is done once for them."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, kind)
        return connection.serialize()
    finally:
        connection.close()


def _move(path: Path, seeding: Path) -> None:
    flush(seeding / "cells")
    flush(seeding)
    (path / MARKER).touch(mode=0o600)
    flush(path)
    os.rename(seeding / "cells", path / "cells")
    os.rename(seeding / "cloud.db", path / "cloud.db")
    flush(path)
    (path / MARKER).unlink()


def flush(path: Path) -> None:
    """To the disk: a file's contents, or a folder's names. Only of files that no connection has open."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
