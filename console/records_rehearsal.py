"""What is rehearsed on a cloud of its own, as its operator's API told it."""

from __future__ import annotations

from typing import NamedTuple


class ReportLine(NamedTuple):
    kind: str
    """`heading`, `gap`, `step`, `ahead`, `refused`, `fact`, `bad`, `detail`, `met`, `failed` or `verdict`."""
    label: str
    text: str


class RehearsalRecord(NamedTuple):
    title: str
    lasts_seconds: float
    sentence: str
    """What it does now."""
    share: float
    """How much of its time is over, 0 to 1."""
    is_over: bool
    problem: str | None = None
    """Why it has ended before its end."""
    lines: tuple[ReportLine, ...] = ()
    """The report as of now. Before it is over nothing in it is checked and judged."""


class Rehearsal(NamedTuple):
    """The answer: None on a cloud that is no rehearsal's."""

    record: RehearsalRecord | None
