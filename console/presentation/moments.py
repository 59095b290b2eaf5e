"""Moments of the log, and how one goes from one to another. Pure: positions in, positions out.

A moment is an instant, all of which has happened; or one event of it, up to which it has. The mirror of a moment is
made of the same answers as that of now, so every view draws it without knowing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from console.presentation import density, past
from console.presentation.drive_fleet import DriveFleet
from console.presentation.event_words import is_alarm, look
from console.presentation.fleet import Fleet
from console.presentation.lines import Frame, Line, Lines, Tone, View, compose, left, wrap
from console.presentation.mirror import EVENTS_KEPT, Mirror
from console.presentation.past import Position
from console.records import CellRecord, Changes, DriveRecord, EventRecord, PastEvents, ServerRecord

BAR_FROM_ROWS, BAR_FROM_COLUMNS = 20, 60
"""Below these the bar is one line: the ruler without the density above it."""


NOT_RECORDED = frozenset({"schedules", "backups", "coverage", "calendar", "storage", "events", "billing", "why"})
"""Views of what a cloud itself has to tell of the past."""


class Moment(NamedTuple):
    at: datetime
    event: EventRecord | None = None
    """The last that had happened; None: all of the instant."""

    @property
    def position(self) -> Position:
        return past.end_of(self.at) if self.event is None else past.position(self.event)

    @property
    def text(self) -> str:
        """As the wire writes it."""
        return self.at.isoformat() if self.event is None else past.place_text(self.event)


# Where to ----------------------------------------------------------------------------------------------------------


def beside(events: Sequence[EventRecord], start: Position, direction: int) -> Moment | None:
    """The moment of the event before or after a place; None where none of these is."""
    if direction < 0:
        found = next((event for event in reversed(events) if past.position(event) < start), None)
    else:
        found = next((event for event in events if past.position(event) > start), None)
    return None if found is None else Moment(found.at, found)


def alarm_beside(events: Sequence[EventRecord], moment: Moment, direction: int) -> Moment | None:
    found = past.alarm_beside(events, moment.position, direction, is_alarm)
    return None if found is None else Moment(found.at, found)


def later(moment: Moment, by: timedelta, now: datetime) -> Moment | None:
    """The instant so much later, or earlier; None for now and what is still to come."""
    at = moment.at + by
    return None if at >= now else Moment(at)


# What it was like --------------------------------------------------------------------------------------------------


def changed_cells(before: Mirror, cells: Iterable[CellRecord]) -> frozenset[str]:
    """Those that answered at one of two moments and not at the other, or fell silent anew in between."""
    return frozenset(
        cell.name
        for cell in cells
        if (known := before.cell(cell.name)) is None
        or known.is_up is not cell.is_up
        or (not cell.is_up and known.since != cell.since)
    )


class Rows(NamedTuple):
    """The servers and drives of a moment."""

    servers: Fleet
    drives: DriveFleet
    are_drives_complete: bool


def stepped(
    before: Rows, changes: Changes, told: Mapping[str, Collection[ServerRecord]], drives: Iterable[DriveRecord] | None
) -> Rows:
    """The rows of the next moment: what events in between are about, and of some cells all there is.

    Args:
        told: By cell, all its servers: of cells that answered at one of the two moments and not at the other.
        drives: All of them, where those of such cells are wanted too.
    """
    servers = before.servers.changed(changes.servers, changes.removed)
    for cell, rows in told.items():
        ids = {row.id for row in rows}
        gone = [row.id for row in servers.by_id.values() if row.cell == cell and row.id not in ids]
        servers = servers.changed(rows, gone)
    if drives is not None:
        return Rows(servers, DriveFleet().changed(drives), True)
    return Rows(servers, before.drives.changed(changes.drives, changes.removed), before.are_drives_complete)


def mirror_of(now: Mirror, moment: Moment, rows: Rows, cursor: str, stretch: PastEvents) -> Mirror:
    """A mirror with the rows and events of a moment, to which all else that was told of it is applied.

    Who asks is who asks now.
    """
    happened = [event for event in stretch.events if past.position(event) <= moment.position]
    return Mirror(
        cloud=now.cloud,
        kind=now.kind,
        account=now.account,
        is_production=now.is_production,
        fleet=rows.servers,
        drives=rows.drives,
        are_drives_followed=rows.are_drives_complete,
        are_drives_complete=rows.are_drives_complete,
        drives_total=len(rows.drives),
        events=tuple(happened[-EVENTS_KEPT:]),
        pasts={None: stretch},
        cursor=cursor,
        servers_total=len(rows.servers),
        is_complete=True,
        are_hosts_followed=True,
        answered_at={"servers": moment.at, "events": moment.at},
    )


def with_drives(mirror: Mirror, drives: Iterable[DriveRecord]) -> Mirror:
    """With all the drives of the moment."""
    found = DriveFleet().changed(drives)
    return replace(mirror, drives=found, drives_total=len(found), are_drives_followed=True, are_drives_complete=True)


def with_stretches(mirror: Mirror, others: Mapping[str | None, PastEvents]) -> Mirror:
    """With what was read of the logs of single objects."""
    return replace(mirror, pasts={**others, **mirror.pasts})


def instead(view: str, mirror: Mirror, frame: Frame) -> View | None:
    """A sentence in place of a view of which the past cannot be told; None for one that can be shown."""
    if view in NOT_RECORDED and mirror.is_recorded:
        sentence = "this cloud keeps no log, and this is not among what the console writes down of it"
    elif view == "audit" and mirror.clock is not None and mirror.clock.mode != "wall":
        sentence = "what was done from here is written down by the wall's time, and this cloud has a time of its own:"
        sentence += " nobody can say what had been done by then"
    else:
        return None
    lines = wrap(f"{sentence}; esc goes back to now", frame.width - 4)
    return View(view, (view,), "", (Lines([compose(frame.width, left(2, line, Tone.MUTED)) for line in lines]),))


# The bar -----------------------------------------------------------------------------------------------------------


def bar_height(frame: Frame) -> int:
    return 2 if frame.height >= BAR_FROM_ROWS and frame.width >= BAR_FROM_COLUMNS else 1


def bar(moment: Moment, stretch: PastEvents, now: datetime, frame: Frame) -> tuple[Line, ...]:
    """An hour of the log with where one is: how much happened, and the alarms."""
    events = stretch.events
    first = events[0].at if events else moment.at
    first = min(first, moment.at - density.SPAN) if stretch.is_begun else first
    last = now if stretch.is_current or not events else events[-1].at
    lines = density.lines(
        events, (first, last), moment.at, frame, lambda event: look(event, frame.glyphs) if is_alarm(event) else None
    )
    return lines if bar_height(frame) == len(lines) else lines[-1:]
