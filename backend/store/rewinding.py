"""Rows as they were before an event: read the log on from there, and put back the oldest value of each column.

What an object was before is what the first event that changed a column says it was before that; a column that no event
changed is as it is now. So the log is read once, from the event on, and nothing of it is kept but one value for each
column that has changed. An object whose first event made it was not there; one that is gone is made again from the
event that removed it, which has all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from backend.cloud.model import Drive, Event, Host, Server
from backend.store.rows import DRIVE, HOST, SERVER, Table

T = TypeVar("T")


class Rewinding:
    """One cell's rows as they were before its event `before`. `number` is the last event that was taken."""

    def __init__(self, cell: str, *, before: int) -> None:
        self._cell = cell
        self.number = before - 1
        self._first: dict[tuple[str, str], dict[str, Any] | None] = {}
        """By kind and id: the oldest values by column, or None of what was not there."""

    def take(self, events: Iterable[Event]) -> bool:
        """Take in the events that follow, in order. False where one is missing: the log does not reach so far."""
        for event in events:
            if event.number != self.number + 1:
                return False
            self.number = event.number
            key = (event.object_kind, event.object_id)
            if key not in self._first:
                is_new = event.kind == f"{event.object_kind}.created"
                self._first[key] = None if is_new else {"version": max(1, event.object_version - 1)}
            known = self._first[key]
            if known is not None:
                for column, (before, _) in event.changes.items():
                    known.setdefault(column, before)
        return True

    def touched(self, kind: str) -> set[str]:
        """The ids of the objects of a kind that have changed, have been made or have gone."""
        return {id for each, id in self._first if each == kind}

    def server(self, id: str, current: Server | None) -> Server | None:
        """The server as it was, given what it is now; None where it was not there."""
        return self._was(SERVER, id, current)

    def drive(self, id: str, current: Drive | None) -> Drive | None:
        return self._was(DRIVE, id, current)

    def host(self, name: str, current: Host | None) -> Host | None:
        return self._was(HOST, name, current)

    def _was(self, table: Table[T], id: str, current: T | None) -> T | None:
        key = (table.name, id)
        if key not in self._first:
            return current
        known = self._first[key]
        if known is None:
            return None
        picture = {} if current is None else table.picture(current)
        return table.of_picture({**picture, **known}, self._cell)
