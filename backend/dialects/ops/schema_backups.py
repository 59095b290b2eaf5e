"""The shapes of what is said of schedules before they run, and of who is covered."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class FireRow(TypedDict):
    """One instant, as UTC has it and as clocks in the schedule's zone show it."""

    at: str
    local: str


class VerdictRow(TypedDict):
    """What the rules would do with a backup, and which rule says so."""

    backup_id: str
    created_at: str
    state: Literal["backing_up", "ready", "restoring", "deleting", "erred"]
    is_kept: bool
    rule: str


class SchedulePreview(TypedDict):
    """`jitter_seconds` is how much later than its expression an existing schedule runs, each time."""

    words: str
    fires: list[FireRow]
    jitter_seconds: int
    verdicts: list[VerdictRow]


class CoverageRow(TypedDict):
    """How well one server is protected. `name` is null while its cell does not answer."""

    server_id: str
    name: str | None
    project_id: str
    schedule_ids: list[str]
    last_good_at: str | None
    age_seconds: int | None
    target_seconds: int | None
    standing: Literal["never", "late", "untold", "good"]


class CoverageAnswer(TypedDict):
    """The worst first. `uncovered` are the servers that no active schedule is for, listed or not."""

    servers: list[CoverageRow]
    total: int
    uncovered: int
    never: int
    late: int
    untold: int
    good: int
