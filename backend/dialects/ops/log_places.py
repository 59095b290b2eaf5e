"""Places in the log as they are written: an instant, or one event of it."""

from __future__ import annotations

from datetime import UTC, datetime

from backend.cloud.errors import Invalid
from backend.operations.feed import Position
from backend.quoting import shown


def position_of(field: str, text: str) -> Position:
    """An instant, or an event's `AT,FILE,NUMBER`. Raises Invalid for anything else."""
    at_text, _, event = text.partition(",")
    file, _, number = event.rpartition(",")
    try:
        at = datetime.fromisoformat(at_text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise Invalid(field, f"{shown(at_text)} is not an instant; write it like 2026-11-20T14:03:27Z") from problem
    if not event:
        return Position(at)
    if not (file and number.isascii() and number.isdigit() and len(number) < 19):
        raise Invalid(field, f"{shown(event)} names no event; write it like 2026-11-20T14:03:27Z,cell-1,17")
    return Position(at, file, int(number))
