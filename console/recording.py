"""What this console saw of a cloud that keeps no log of its own, in one bounded file: so that it has a past here.

A piece is a server, a drive, or a whole small list; each time that it is otherwise than before it is written with the
instant. When the cloud was looked at is kept as stretches of time: of what lies between two of them nothing is said.
When the file has grown too large the oldest quarter goes, but for what was still so when it ends.

The file is the operator's own, readable by nobody else. Methods block for as long as a disk takes.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

Key = tuple[str, str]
"""A kind of pieces, and the id of one; "" for a list."""

_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS piece (kind TEXT, id TEXT, at TEXT, value TEXT, PRIMARY KEY (kind, id, at))"
    " WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS piece_by_at ON piece (at)",
    "CREATE TABLE IF NOT EXISTS seen (begun_at TEXT PRIMARY KEY, ended_at TEXT NOT NULL) WITHOUT ROWID",
)
_GO_ON = "UPDATE seen SET ended_at = max(ended_at, :at) WHERE ended_at >= :begun AND begun_at <= :at"
"""The stretch may begin later than it did: what was too old was cut off."""
_AT = "SELECT kind, id, value, max(at) FROM piece WHERE at <= ? GROUP BY kind, id"
_OUTDATED = (
    "DELETE FROM piece WHERE at < :cut AND EXISTS (SELECT 1 FROM piece AS later WHERE later.kind = piece.kind"
    " AND later.id = piece.id AND later.at > piece.at AND later.at <= :cut)"
)
_CHANGES = (
    "SELECT kind, id, at, (SELECT value FROM piece AS earlier WHERE earlier.kind = piece.kind"
    " AND earlier.id = piece.id AND earlier.at < piece.at ORDER BY earlier.at DESC LIMIT 1), value FROM piece"
    " WHERE at > (SELECT min(begun_at) FROM seen) AND at BETWEEN ? AND ?"
)
_QUARTER = "SELECT at FROM piece ORDER BY at LIMIT 1 OFFSET (SELECT count(*) / 4 FROM piece)"


class RecordingProblem(Exception):
    """The file cannot be used. `str()` is a sentence."""


class Stretch(NamedTuple):
    """A time in which the cloud was looked at without a break."""

    begun_at: datetime
    ended_at: datetime


class Written(NamedTuple):
    """What a piece became, and what it was before; None: it was not there."""

    kind: str
    id: str
    at: datetime
    before: str | None
    after: str | None


def folder_of_user() -> Path:
    """Where the platform keeps what a program remembers between its runs."""
    from platformdirs import user_state_path

    return user_state_path("stratodeck", appauthor=False) / "recordings"


class Recording:
    """Of one cloud. Nothing is read or made before it is asked for."""

    def __init__(self, folder: Path, cloud_id: str, *, bytes_max: int) -> None:
        # What a cloud calls itself is its own affair; what a file is called is not.
        name = cloud_id if _PLAIN.fullmatch(cloud_id) else hashlib.sha256(cloud_id.encode()).hexdigest()
        self._path = folder / f"{name}.db"
        self._bytes_max = bytes_max

    def _open(self) -> sqlite3.Connection:
        """Raises RecordingProblem."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        except (OSError, sqlite3.Error) as error:
            raise RecordingProblem(f"{self._path} cannot be used: {error}") from error
        try:
            for statement in _SCHEMA:
                connection.execute(statement)
        except sqlite3.Error as error:
            connection.close()
            raise RecordingProblem(f"{self._path} cannot be used: {error}") from error
        return connection

    def write(self, pieces: Mapping[Key, str | None], *, begun_at: datetime, at: datetime) -> None:
        """What has changed by an instant, None for what is gone, looked at without a break since `begun_at`.

        Raises RecordingProblem.
        """
        instant = _text(at)
        with closing(self._open()) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR REPLACE INTO piece VALUES (?, ?, ?, ?)",
                    [(kind, id_, instant, value) for (kind, id_), value in pieces.items()],
                )
                told = {"begun": _text(begun_at), "at": instant}
                if connection.execute(_GO_ON, told).rowcount == 0:
                    connection.execute("INSERT INTO seen VALUES (:begun, :at)", told)
                connection.execute("COMMIT")
                self._cut(connection)
            except sqlite3.Error as error:
                raise RecordingProblem(f"{self._path} cannot be written: {error}") from error

    def _cut(self, connection: sqlite3.Connection) -> None:
        """Keep it below its bound."""
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size <= self._bytes_max:
            return
        cut = connection.execute(_QUARTER).fetchone()[0]
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_OUTDATED, {"cut": cut})
        # What was gone by then need not be known.
        connection.execute("DELETE FROM piece WHERE value IS NULL AND at < ?", (cut,))
        connection.execute("DELETE FROM seen WHERE ended_at < ?", (cut,))
        connection.execute("UPDATE OR REPLACE seen SET begun_at = ? WHERE begun_at < ?", (cut, cut))
        connection.execute("COMMIT")

    def pieces_at(self, at: datetime) -> dict[Key, str]:
        """What there was at an instant. Raises RecordingProblem."""
        rows = self._rows(_AT, (_text(at),))
        return {(kind, id_): value for kind, id_, value, _ in rows if value is not None}

    def stretches(self) -> list[Stretch]:
        """When it was looked at, oldest first. Raises RecordingProblem."""
        rows = self._rows("SELECT begun_at, ended_at FROM seen ORDER BY begun_at", ())
        return [Stretch(_instant(begun), _instant(ended)) for begun, ended in rows]

    def change_beside(self, at: datetime, direction: int) -> datetime | None:
        """When something was written last before an instant, or first after it. Raises RecordingProblem."""
        text = "SELECT max(at) FROM piece WHERE at < ?" if direction < 0 else "SELECT min(at) FROM piece WHERE at > ?"
        ((found,),) = self._rows(text, (_text(at),))
        return None if found is None else _instant(found)

    def changes_between(self, first: datetime, last: datetime) -> list[Written]:
        """What was written from one instant to another, but for how things were at first. Raises RecordingProblem."""
        rows = self._rows(_CHANGES, (_text(first), _text(last)))
        return [Written(kind, id_, _instant(at), before, after) for kind, id_, at, before, after in rows]

    def changes_of_beside(self, key: Key, at: datetime, direction: int) -> datetime | None:
        """The same of one piece."""
        text = (
            "SELECT max(at) FROM piece WHERE kind = ? AND id = ? AND at < ?"
            if direction < 0
            else "SELECT min(at) FROM piece WHERE kind = ? AND id = ? AND at > ?"
        )
        ((found,),) = self._rows(text, (*key, _text(at)))
        return None if found is None else _instant(found)

    def _rows(self, text: str, values: Iterable[str]) -> list[tuple[Any, ...]]:
        with closing(self._open()) as connection:
            try:
                return connection.execute(text, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise RecordingProblem(f"{self._path} cannot be read: {error}") from error


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
