"""Where one is in the log of events: what is known around an instant, and which instant a typed time or a step means.

The log is read in pages, so at any time one stretch of it is known without gaps: a `PastEvents`. At the present it is
joined with what the change feed brings; in the past it is left as it was read, and nothing moves by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from console.presentation import figures
from console.presentation.lines import Frame
from console.presentation.mirror import Mirror
from console.records import EventRecord, PastEvents

HERE = "past:here"
"""The key of the row that says where one is."""

EXPECTED = "14:03, 14:03:20, -10m from now, 2026-11-14 09:00 or now"

Position = tuple[datetime, str, int]
"""The order of the log: the instant, the file, the number in it."""

_AFTER_ALL_FILES = "\U0010ffff"


def position(event: EventRecord) -> Position:
    return event.at, event.file, event.number


def end_of(at: datetime) -> Position:
    """Behind all that happened at an instant."""
    return at, _AFTER_ALL_FILES, 0


def place_text(event: EventRecord) -> str:
    """An event's place in the log as the wire writes it."""
    return f"{event.at.isoformat()},{event.file},{event.number}"


# What is known -----------------------------------------------------------------------------------------------------


def object_of(mirror: Mirror, scope: str | None) -> str | None:
    """The object whose own events are read; None for a cell, whose events are picked out of all."""
    return None if scope is None or mirror.cell(scope) is not None else scope


def window(mirror: Mirror, frame: Frame) -> PastEvents | None:
    """The known stretch of the log that is looked at; None where none has come yet that reaches the instant."""
    object_id = object_of(mirror, frame.scope)
    held = mirror.pasts.get(object_id)
    if frame.past_at is not None and held is not None and covers(held, frame.past_at):
        return held
    present = _present(mirror, object_id, held)
    return present if frame.past_at is None or covers(present, frame.past_at) else None


def _present(mirror: Mirror, object_id: str | None, held: PastEvents | None) -> PastEvents:
    """What the change feed brought, joined to what was read before it if there is no gap between them."""
    live = mirror.events
    if object_id is not None:
        live = tuple(event for event in live if event.object_id == object_id)
    if held is None or not held.is_current:
        return PastEvents(live, object_id, is_current=True)
    if object_id is None and held.events and live and position(held.events[-1]) < position(live[0]):
        return PastEvents(live, object_id, is_current=True)
    return held._replace(events=joined(held.events, live))


def covers(known: PastEvents, at: datetime) -> bool:
    """Whether all that happened about the instant is known."""
    if not known.events:
        return known.is_begun and known.is_current
    return (known.is_begun or known.events[0].at <= at) and (known.is_current or at <= known.events[-1].at)


def joined(before: Iterable[EventRecord], news: Iterable[EventRecord]) -> tuple[EventRecord, ...]:
    events = {event.key: event for event in (*before, *news)}
    return tuple(sorted(events.values(), key=position))


# Where to ----------------------------------------------------------------------------------------------------------

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_BACK = re.compile(r"-((?:\d{1,6}[smhd])+)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_time(text: str, now: datetime) -> datetime | str | None:
    """The instant that a typed time means; None for now; a sentence for what is no time, or has not come yet.

    `now` is the cloud's, also where another moment is shown: `-10m` counts from there too. A time of day is the last
    one that has passed: just after midnight, 23:59 is yesterday's.
    """
    text = text.strip()
    if text.casefold() == "now":
        return None
    at = _instant(text, now)
    if at is None:
        return f"{text} is not a time; type {EXPECTED}"
    return at if at <= now else f"{text} has not come yet: it is {figures.time_of_day(now)}"


def _instant(text: str, now: datetime) -> datetime | None:
    try:
        if found := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in found.groups())
            at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return at if at <= now else at - timedelta(days=1)
        if found := _BACK.fullmatch(text):
            parts = re.findall(r"(\d+)([smhd])", found[1])
            return now - timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def base(known: PastEvents | None, frame: Frame, key: str | None, *, is_first: bool) -> Position:
    """Where a step begins: at the row with this key; on the first row of the present, behind all that has happened."""
    here = end_of(frame.past_at or frame.now)
    if known is None or key is None or (is_first and frame.past_at is None):
        return here
    return next((position(event) for event in known.events if f"event:{event.key}" == key), here)


def alarm_beside(
    events: Sequence[EventRecord], start: Position, step: int, is_alarm: Callable[[EventRecord], bool]
) -> EventRecord | None:
    """The next alarm of a later second, or with a `step` of -1 of an earlier one; of those of one second the last.

    A lost host is an alarm for each of its servers in the same second: that is one stop. Where it begins from the end
    of an instant nobody has stood at that second yet, so alarms before it count though they are of the same second.
    """
    at = second_of(start[0])
    if step > 0:
        first = next((event.at for event in events if second_of(event.at) > at and is_alarm(event)), None)
        if first is None:
            return None
        return _last_alarm(events, end_of(second_of(first).replace(microsecond=999_999)), is_alarm)
    before = start if start[1] == _AFTER_ALL_FILES else (at, "", 0)
    return _last_alarm(events, before, is_alarm)


def _last_alarm(
    events: Sequence[EventRecord], before: Position, is_alarm: Callable[[EventRecord], bool]
) -> EventRecord | None:
    return next((event for event in reversed(events) if position(event) < before and is_alarm(event)), None)


def second_of(at: datetime) -> datetime:
    return at.replace(microsecond=0)
