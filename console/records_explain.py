"""What an API said of why something is where it is, frozen; `records` has all others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from console.records import NOTHING, SizeRecord, StoppedRecord


class NamedRecord(NamedTuple):
    """An object that is told of; `rank` is its place in the avoid list, from 1."""

    id: str
    name: str | None = None
    rank: int = 0


class WeighedRecord(NamedTuple):
    """One host of a decision: `verdict` is `chosen`, `beaten`, or why it has no room."""

    host: str
    verdict: str
    avoided: tuple[NamedRecord, ...] = ()
    stops: tuple[StoppedRecord, ...] = ()
    shrinks: int = 0
    room: SizeRecord | None = None
    room_bytes: int | None = None
    short: SizeRecord | None = None
    short_bytes: int | None = None
    part: str | None = None
    """The part of the key that it lost by; `measure` says more exactly what."""
    measure: str | None = None


class ChangeRecord(NamedTuple):
    """What would have made it fit."""

    kind: str
    host: str
    less: SizeRecord | None = None
    less_bytes: int | None = None
    stops: tuple[StoppedRecord, ...] = ()
    is_proved: bool = True


class MarkRecord(NamedTuple):
    """A decision of the past: an event of the object's cell."""

    number: int
    at: datetime
    actor: str = ""
    host: str = ""


class ExplanationRecord(NamedTuple):
    """One decision; without `mark`, the one that would be made now."""

    mark: MarkRecord | None
    at: datetime
    host: str | None = None
    decided_by: str | None = None
    runner_up: str | None = None
    avoid: tuple[NamedRecord, ...] = ()
    avoided: tuple[NamedRecord, ...] = ()
    stops: tuple[NamedRecord, ...] = ()
    shrinks: int = 0
    refused: tuple[tuple[str, int], ...] = ()
    hosts_total: int = 0
    is_as_recorded: bool = True
    hosts: tuple[WeighedRecord, ...] = ()
    """Those with room, best first, then the others; none for an account that may not see hosts."""
    changes: tuple[ChangeRecord, ...] = ()
    impossible: tuple[str, ...] = ()


class WhyDetail(NamedTuple):
    """Why one server or drive is where it is."""

    id: str
    name: str | None
    kind: str
    cell: str
    host: str | None
    marks: tuple[MarkRecord, ...]
    """Oldest first."""
    explanation: ExplanationRecord
    placed: ExplanationRecord | None = None
    """Its last decision, where none was asked for and it is somewhere."""
    placed_problem: str | None = None
    raw: Mapping[str, Any] = NOTHING
