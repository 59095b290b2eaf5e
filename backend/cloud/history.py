"""How long the past is told, and what of it stays longer.

A cloud keeps its log, and the tasks that have ended, for a time that its operator chooses. What is older is forgotten a
little later, in portions. An old event stays where something that is told of today still reads it: why a server is
where it is, how a schedule's last runs ended. What is charged for is no history: intervals of use, payments and
subscriptions are an account, and stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

HISTORY_SECONDS_DEFAULT = 90 * 86_400
HISTORY_SECONDS_MIN = 3_600
"""A start, a notice, a drive's return and a backup's copy are over by then, so that what they read is there."""
HISTORY_SECONDS_MAX = 100 * 365 * 86_400
PORTIONS = 24
"""What is old goes when a part of the kept time has passed since it became so: one in so many."""

RUNS = frozenset({"schedule.ran", "schedule.failed", "schedule.missed", "schedule.overlapped"})
"""How a run of a schedule ended."""
RUNS_TOLD = 10

NOTICE = "server.notice"
"""It belongs to the decision before it: the log never begins between them."""


class Happened(NamedTuple):
    """As much of an event as says whether it is still read."""

    number: int
    kind: str
    object_kind: str
    changed: Collection[str]
    """The names of what it changed."""


def portion(history_seconds: int) -> timedelta:
    return timedelta(seconds=history_seconds / PORTIONS)


def questions(event: Happened) -> Iterator[tuple[str, int]]:
    """What is asked that this may be an answer to, and how many of the newest answers are told."""
    if event.kind in ("server.placed", "drive.created"):
        yield "why is it there", 1
    if event.kind in RUNS:
        yield "how did it run", RUNS_TOLD
    if event.object_kind == "schedule" and "is_active" in event.changed:
        yield "since when is it on or off", 1
    if event.object_kind == "cell":
        yield "does it answer", 1
    if event.kind == "server.interfaces_changed":
        yield "what is it connected to", 1


def still_read(events: Iterable[Happened]) -> set[int]:
    """Of the old events of one object that is still there, the numbers of those that stay."""
    told: dict[str, int] = {}
    kept: set[int] = set()
    for event in sorted(events, reverse=True):
        for question, most in questions(event):
            if told.get(question, 0) < most:
                told[question] = told.get(question, 0) + 1
                kept.add(event.number)
    return kept


def folded(picture: Mapping[str, Any], version: int, after: Mapping[str, Any]) -> dict[str, Any]:
    """What an object was after an event, given what it was before: what is empty is left out."""
    found = {column: value for column, value in {**picture, **after}.items() if not _is_empty(value)}
    return {**found, "version": version}


def _is_empty(value: Any) -> bool:
    return value is None or (not value and isinstance(value, list | dict))
