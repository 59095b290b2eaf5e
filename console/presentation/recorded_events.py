"""What has happened, told from what was written down of a cloud that keeps no log. Pure.

Nobody has said what happened; what a piece was before and is after tells it: a cell that answered and does not, a host
that went down, a server that is in another state. For the bar of the past, and for the way from one alarm to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from console.presentation import recorded
from console.records import EventRecord

_OF_STATES: Mapping[str, Mapping[str, str]] = {
    "cell": {"up": "up", "hung": "hung", "partly": "partly"},
    "host": {"up": "up", "maintenance": "maintenance"},
}
"""By kind of place: what becoming this is called. Any other state is called down."""
_LISTS = {"cells": "cell", "hosts": "host"}
KINDS = ("server", "drive", *_LISTS)
"""Pieces that tell what happened; the others follow from them."""


class Change(NamedTuple):
    """What was written of one piece at an instant; None: it was not there."""

    kind: str
    id: str
    at: datetime
    before: str | None
    after: str | None


def events(changes: Iterable[Change]) -> tuple[EventRecord, ...]:
    """Oldest first; of one instant places come after what they have done to servers, so that a step to them is last."""
    ranked = sorted(changes, key=lambda each: (each.at, each.kind in _LISTS, each.kind, each.id))
    found = [event for change in ranked for event in _told(change)]
    return tuple(event._replace(number=number) for number, event in enumerate(found, 1))


def _told(change: Change) -> Sequence[EventRecord]:
    if change.kind in _LISTS:
        return _of_places(change, _LISTS[change.kind])
    before, after = _fields(change.before), _fields(change.after)
    if after is None:
        verb = "deleted"
    elif before is None:
        verb = "created"
    elif before.get("state") != after.get("state"):
        verb = str(after.get("state"))
    else:
        verb = "edited"
    return [_event(change.at, change.kind, change.id, verb)]


def _of_places(change: Change, noun: str) -> Sequence[EventRecord]:
    if change.before is None or change.after is None:
        return ()
    before = {each.name: each.state for each in recorded.value_of(change.before)}
    states, found = _OF_STATES[noun], []
    for place in recorded.value_of(change.after):
        if before.get(place.name, place.state) != place.state:
            found.append(_event(change.at, noun, place.name, states.get(place.state, "down")))
    return found


def _event(at: datetime, kind: str, id_: str, verb: str) -> EventRecord:
    return EventRecord("recorded", 0, at, f"{kind}.{verb}", kind, id_)


def _fields(text: str | None) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = None if text is None else orjson.loads(text)
    return found
