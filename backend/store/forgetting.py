"""The part of any file that is about its past growing no further: old events, ended tasks, answers given long ago.

What goes goes in portions, each one transaction with the beginning of the log that it leaves. The pages that it frees
are written again by what comes next: a file stays as large as it was at its largest, and is never rebuilt in use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

import orjson

from backend.cloud.history import NOTICE, Happened, folded, still_read
from backend.store.rows import instant_of, json_of, object_of, text_of
from backend.store.transaction import Transaction

_COLUMNS = "number, at, kind, object_kind, object_id, object_version, changes"
_OLDEST = f"SELECT {_COLUMNS} FROM event WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"  # noqa: S608
_KIND_AFTER = "SELECT kind FROM event WHERE number > ? ORDER BY number LIMIT 1"
_KEPT_OF = f"SELECT {_COLUMNS} FROM event WHERE object_id = ? AND at <= ? AND number <= ?"  # noqa: S608
_FIRST_AT = "SELECT at FROM event WHERE number > ? AND number < (SELECT max(number) FROM event) ORDER BY number LIMIT 1"
_FIRST_ENDED_AT = (
    "SELECT ended_at FROM task WHERE state <> 'open' AND id < (SELECT max(id) FROM task) ORDER BY ended_at LIMIT 1"
)
# The newest task stays, so that its number is never given again. So does what a drive resumes when its host is back.
_OLD_TASKS = (
    "SELECT id, ended_at FROM task WHERE state <> 'open' AND ended_at < ? AND coalesce(ended_number, 0) <= ?"
    " AND id < (SELECT max(id) FROM task){} ORDER BY ended_at LIMIT ?"
)
_PUT_OFF = "SELECT rowid, at, number FROM task_put_off ORDER BY rowid LIMIT ?"
_LAST_AT = "SELECT at FROM event ORDER BY number DESC LIMIT 1"
_SAVE_BEGINNING = "UPDATE log_beginning SET number = ?, at = ?"


class OldEvent(NamedTuple):
    number: int
    at: str
    kind: str
    object_kind: str
    object_id: str
    version: int
    changes: str

    @property
    def is_removal(self) -> bool:
        return self.kind == f"{self.object_kind}.deleted"

    def happened(self) -> Happened:
        return Happened(self.number, self.kind, self.object_kind, object_of(self.changes).keys())


class ForgottenRows(NamedTuple):
    """How many rows went."""

    events: int = 0
    tasks: int = 0


class ForgettingTransaction(Transaction):
    """What a job may do to the past of a file."""

    tasks_needed = ""
    """Which ended tasks are still to be read, as a condition that others fulfil."""

    def first_at(self) -> datetime | None:
        """When the oldest happened that may be forgotten some day; None where there is nothing yet."""
        event = self._run(_FIRST_AT, (self.log_beginning().number,)).fetchone()
        task = self._run(_FIRST_ENDED_AT).fetchone()
        found = [row[0] for row in (event, task) if row is not None and row[0] is not None]
        return instant_of(min(found)) if found else None

    def removed_in_portion(self, before: datetime, *, taken: int, limit: int) -> list[str]:
        """The ids of the servers whose end the next portion of the log tells."""
        portion = self._portion(before, taken, limit)
        return [each.object_id for each in portion if each.is_removal and each.object_kind == "server"]

    def forget_portion(self, before: datetime, *, taken: int, limit: int) -> ForgottenRows:
        """Forget the next portion of what happened before an instant, as far as others have `taken` the events."""
        events = self._forget_events(self._portion(before, taken, limit))
        return ForgottenRows(events, self._forget_tasks(before, limit))

    # Events

    def _portion(self, before: datetime, taken: int, limit: int) -> list[OldEvent]:
        """The oldest events that are next to each other in the log. The newest of the file never is among them: its
        number says which is the next one.
        """
        begun, last = self.log_beginning().number, min(taken, self.last_event_number() - 1)
        rows = [OldEvent._make(row) for row in self._run(_OLDEST, (begun, last, limit))]
        text = text_of(before)
        old = list(takewhile(lambda row: row.at < text, rows))
        if not old:
            return []
        following = self._run(_KIND_AFTER, (old[-1].number,)).fetchone()[0]
        while old and following == NOTICE:
            # A decision and whom it tells to go are forgotten together.
            following = old.pop().kind
        return old if old or len(rows) < limit else self._portion(before, taken, limit * 4)

    def _forget_events(self, old: list[OldEvent]) -> int:
        if not old:
            return 0
        begun = self.log_beginning()
        self.fold(old)
        # The newest event of each object says whether it is still there.
        last = {(each.object_kind, each.object_id): each for each in old}
        gone: list[int] = []
        for (object_kind, object_id), newest in last.items():
            own = [each for each in old if (each.object_kind, each.object_id) == (object_kind, object_id)]
            own += self._kept_of(object_kind, object_id, begun.at, begun.number)
            kept = set() if newest.is_removal else still_read(each.happened() for each in own)
            gone += [each.number for each in own if each.number not in kept]
        self._connection.executemany("DELETE FROM event WHERE number = ?", [(number,) for number in gone])
        at = max(begun.at, *(each.at for each in old))
        self._run(_SAVE_BEGINNING, (old[-1].number, at))
        return len(old)

    def _kept_of(self, object_kind: str, object_id: str, at: str, number: int) -> list[OldEvent]:
        found = [OldEvent._make(row) for row in self._run(_KEPT_OF, (object_id, at, number))] if at else []
        return [each for each in found if each.object_kind == object_kind]

    def forget_kept(self, object_ids: Collection[str], object_kind: str) -> None:
        """Also what was still read of objects that are gone, where another file tells that they are."""
        begun = self.log_beginning()
        numbers = [each.number for id in object_ids for each in self._kept_of(object_kind, id, begun.at, begun.number)]
        self._connection.executemany("DELETE FROM event WHERE number = ?", [(number,) for number in numbers])

    def fold(self, old: Iterable[OldEvent]) -> None:
        """Events are about to be forgotten."""

    # Tasks

    def first_open(self, kind: str) -> int:
        """The lowest number of the open tasks of a kind; where there are none, one that no task has yet."""
        found = self._run("SELECT min(id) FROM task WHERE state = 'open' AND kind = ?", (kind,)).fetchone()[0]
        found = self._run("SELECT coalesce(max(id), 0) + 1 FROM task").fetchone()[0] if found is None else found
        return int(found)

    def _forget_tasks(self, before: datetime, limit: int) -> int:
        """Those that no moment shows any more that can be rebuilt from here on."""
        begun, text = self.log_beginning(), text_of(before)
        number, at = begun
        # In a file in which nothing happens work may end all the same, behind its newest event.
        newest = self._run(_LAST_AT).fetchone()
        if newest is not None and newest[0] < text:
            number, at = self.last_event_number(), max(at, newest[0])
        values = (text, number + 1, limit)
        ended = self._run(_OLD_TASKS.format(self.tasks_needed), values).fetchall()
        # In the order of the log.
        first = self._run(_PUT_OFF, (limit,)).fetchall()
        put_off = list(takewhile(lambda row: row[1] < text and row[2] <= number + 1, first))
        if not ended and not put_off:
            return 0
        self._connection.executemany("DELETE FROM task WHERE id = ?", [(id,) for id, _ in ended])
        self._connection.executemany("DELETE FROM task_put_off WHERE rowid = ?", [(rowid,) for rowid, *_ in put_off])
        at = max(at, *(row[1] for row in (*ended, *put_off)))
        self._run(_SAVE_BEGINNING, (begun.number, at))
        return len(ended) + len(put_off)


_BASE_OF = "SELECT picture FROM log_base WHERE object_kind = ? AND object_id = ?"
_BASE = "SELECT object_kind, object_id, picture FROM log_base"
_BASE_INSERT = "INSERT OR REPLACE INTO log_base (object_kind, object_id, picture) VALUES (?, ?, ?)"
_BASE_DELETE = "DELETE FROM log_base WHERE object_kind = ? AND object_id = ?"


class CellForgettingTransaction(ForgettingTransaction):
    """Of a cell: what its log adds up to must be what is stored, so what was forgotten is added up."""

    tasks_needed = " AND NOT EXISTS (SELECT 1 FROM drive WHERE drive.id = object_id AND drive.state = 'unavailable')"

    def log_base(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Kind, id and picture of every object as it was at the beginning of the log."""
        for kind, id, picture in self._run(_BASE):
            yield kind, id, orjson.loads(picture)

    def fold(self, old: Iterable[OldEvent]) -> None:
        pictures: dict[tuple[str, str], dict[str, Any] | None] = {}
        for event in old:
            if event.changes == "{}":
                continue
            key = event.object_kind, event.object_id
            if key not in pictures:
                row = self._run(_BASE_OF, key).fetchone()
                pictures[key] = None if row is None else orjson.loads(row[0])
            after = {column: new for column, (_, new) in object_of(event.changes).items()}
            pictures[key] = None if event.is_removal else folded(pictures[key] or {}, event.version, after)
        there = [(*key, json_of(picture)) for key, picture in pictures.items() if picture is not None]
        self._connection.executemany(_BASE_DELETE, [key for key, picture in pictures.items() if picture is None])
        self._connection.executemany(_BASE_INSERT, there)
