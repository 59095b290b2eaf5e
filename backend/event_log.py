"""A cell's log of events, replayed from its beginning: every object as the log says that it is.

Where what is old has been forgotten, it begins later, with what every object was then.

The picture of an object is in the event that made it, and every later event has what it changed, before and after. So
the log alone says what the cell was before each event, and what it is now. `certificate_checker` judges decisions by
it, and `check` compares what it comes to with what is stored. Nothing here knows how anything was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

Picture = Mapping[str, Any]
"""An object by column. What is empty is left out."""

WEIGHED = {
    "host",
    "notice_until",
    "cpu_mhz",
    "memory_bytes",
    "cpu_mhz_floor",
    "memory_bytes_floor",
    "started_at",
    "is_backfilling",
}
"""What of a server weighs in decisions."""


class Breach(Exception):
    """The first thing that is not as it must be. Its text is a sentence without a full stop."""


class Event(NamedTuple):
    """One row of the log. Instants are text."""

    number: int
    at: str
    kind: str
    object_kind: str
    object_id: str
    version: int
    changes: Mapping[str, Sequence[Any]]
    """Each changed column before and after."""
    details: Mapping[str, Any]

    @classmethod
    def of(cls, row: Sequence[Any]) -> Event:
        """As it is stored: with the changes and the details as JSON."""
        changes, details = row[6:]
        return cls._make((*row[:6], orjson.loads(changes), {} if details == "{}" else orjson.loads(details)))


class CellLog:
    """What the events that were taken so far add up to."""

    def __init__(self) -> None:
        self.number = 0
        """Of the last event."""
        self.objects: dict[str, dict[str, dict[str, Any]]] = {"host": {}, "server": {}, "drive": {}}
        """By kind and id. Keep no picture: the next event may change it."""
        self.changed: list[str] = []
        """A host each time that what weighs in decisions has changed on it."""
        self._held: dict[str, dict[str, dict[str, Any]]] = {}

    def begin(self, number: int, base: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Begin behind an event, with the kind, the id and the picture of all that there was after it."""
        self.number = number
        for kind, id, picture in base:
            self.objects.setdefault(kind, {})[id] = picture
            if kind == "host":
                self.changed.append(id)
            elif kind == "server":
                self._move(id, picture, None, picture.get("host"))

    def servers_on(self, host: str) -> list[dict[str, Any]]:
        return list(self._held.get(host, {}).values())

    def is_on(self, host: str, id: str | None) -> bool:
        return id in self._held.get(host, ())

    def take(self, event: Event) -> None:
        """Raises Breach where the event cannot follow those before it."""
        if event.number != self.number + 1:
            raise Breach(f"the log has a gap: event {event.number} follows event {self.number}")
        self.number = event.number
        if event.changes:
            self._change(event)

    def _change(self, event: Event) -> None:
        _, _, kind, object_kind, id, version, changes, _ = event
        objects = self.objects.setdefault(object_kind, {})
        picture = objects.get(id)
        if kind == f"{object_kind}.created":
            if picture is not None:
                raise Breach(f"{_described(event)} makes what is there already")
            picture = objects[id] = {}
        elif picture is None:
            raise Breach(f"{_described(event)} changes what is not there")
        elif version != picture["version"] + 1:
            was = picture["version"]
            raise Breach(f"{_described(event)} gives version {version} to what was at version {was}")
        old = picture.get("host")
        for column, (before, after) in changes.items():
            # What is empty is not in a picture.
            found = picture.get(column)
            if found != before and (found or before):
                what = _described(event)
                raise Breach(f"{what} says that {column} was {before!r}, and it was {found!r}")
            if after is None or (not after and after in ([], {})):
                picture.pop(column, None)
            else:
                picture[column] = after
        picture["version"] = version
        is_gone = kind == f"{object_kind}.deleted"
        if is_gone:
            del objects[id]
        if object_kind == "host":
            self.changed.append(id)
        elif object_kind == "server" and not WEIGHED.isdisjoint(changes):
            self._move(id, picture, old, None if is_gone else picture.get("host"))

    def _move(self, id: str, server: dict[str, Any], old: str | None, new: str | None) -> None:
        if old is not None:
            self._held.get(old, {}).pop(id, None)
            self.changed.append(old)
        if new is not None:
            self._held.setdefault(new, {})[id] = server
            if new != old:
                self.changed.append(new)


def _described(event: Event) -> str:
    return f"event {event.number} ({event.kind} of {event.object_kind} {event.object_id})"
