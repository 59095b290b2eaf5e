"""The shapes of backups and schedules, of what is said of schedules before they run, and of who is covered."""

from __future__ import annotations

from typing import Any, Literal

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
    """`jitter_seconds` is how much later than its expression an existing schedule runs, each time. `verdicts` say what
    stays and goes when the next copy is good.
    """

    words: str
    fires: list[FireRow]
    jitter_seconds: int
    verdicts: list[VerdictRow]


class CoverageRow(TypedDict):
    """How well one server is protected. `name` is null while its cell does not answer. `schedule_ids` are active; what
    `failed_schedule_ids` promised, which something switched off, counts for its `standing` too.
    """

    server_id: str
    name: str | None
    project_id: str
    schedule_ids: list[str]
    failed_schedule_ids: list[str]
    last_good_at: str | None
    age_seconds: int | None
    target_seconds: int | None
    standing: Literal["never", "late", "untold", "good"]


class CoverageAnswer(TypedDict):
    """The worst first, as of the instant of the first page. `uncovered` are the servers that no active schedule is for,
    listed or not.
    """

    servers: list[CoverageRow]
    next: str | None
    total: int
    uncovered: int
    never: int
    late: int
    untold: int
    good: int


class ScheduleRow(TypedDict):
    """`server_id` and `server_name` are those of its source where that is a server. `history` are its last runs, the
    oldest first: `ok`, `running`, `failed`, `missed`, `overlapped`. `backups` counts those that can be restored from,
    and `last_good_at` is when the newest of them was taken. `off_since` is when it was switched off, and
    `drilling_since` when the drill began that is under way. While any of `silent_cells` does not answer none is taken.
    """

    id: str
    source_kind: Literal["server", "project", "customer"]
    source_id: str
    source_name: str | None
    server_id: str | None
    server_name: str | None
    project_id: str
    description: str
    cron: str
    time_zone: str
    retention_days: int
    backups_max: int
    is_active: bool
    next_trigger_at: str | None
    created_at: str
    last_run_at: str | None
    reason: str | None
    missed_since: str | None
    jitter_seconds: int
    keeps: dict[str, int]
    target_seconds: int | None
    drill_days: int
    drilled_at: str | None
    drill_seconds: int | None
    drill_problem: str | None
    version: int
    history: list[str]
    backups: int
    last_good_at: str | None
    off_since: str | None
    drilling_since: str | None
    silent_cells: list[str]


class BackupRow(TypedDict):
    """`server_id` and `server_name` are those of its source where that is a server. In a list `rule` says why it stays
    or goes when the next backup of its schedule is good, and `is_kept` which of both; otherwise they are null.
    """

    id: str
    source_kind: Literal["server", "project", "customer"]
    source_id: str
    source_name: str | None
    parent_id: str | None
    server_id: str | None
    server_name: str | None
    project_id: str
    schedule_id: str | None
    description: str
    state: Literal["backing_up", "ready", "restoring", "deleting", "erred"]
    created_at: str
    size_bytes: int
    kept_until: str | None
    reason: str | None
    version: int
    is_kept: bool | None
    rule: str | None


class ScheduleList(TypedDict):
    """In the order of creation."""

    schedules: list[ScheduleRow]
    next: str | None
    total: int


class BackupList(TypedDict):
    """The newest first."""

    backups: list[BackupRow]
    next: str | None
    total: int


class BackupDetail(BackupRow):
    """With its parts, the oldest first; with what its schedule's rules say of it, where there is one, when the next one
    is good; and with what was copied.
    """

    parts: list[BackupRow]
    verdict: VerdictRow | None
    contents: dict[str, Any]


class RefusalRow(TypedDict):
    """The first run that a quota has no room for, which would switch its schedule off. `schedule_id` is null where that
    is not there yet.
    """

    schedule_id: str | None
    description: str
    at: str
    needs_bytes: int
    left_bytes: int


class OutlookRow(TypedDict):
    """A project's storage, and what copies of its servers come to. `limit_bytes` is null without a quota.

    Of a schedule there are `copies_kept` now, and at most `copies_most` at once when its rules have been followed for
    long, which takes `growth_bytes` more; both are null where nothing ever goes. `copies_left` is how many fit now.
    `refused` is the first of the runs of the next weeks, of whichever schedule, that finds no room, and `full_at` is
    when that is; without one, about when it comes to that. `is_enough` says that it never does.
    """

    project_id: str
    project_name: str
    used_bytes: int
    limit_bytes: int | None
    left_bytes: int | None
    copy_bytes: int
    copies_kept: int
    copies_most: int | None
    copies_left: int | None
    growth_bytes: int | None
    is_enough: bool
    full_at: str | None
    refused: RefusalRow | None


class HourRow(TypedDict):
    """What begins in one hour, and the most that copies at one instant of it. `missed` runs are due in it and are not
    counted in the other figures, as their cells do not answer; in such a cell's own hours they are.
    """

    at: str
    local: str
    missed: int
    runs: int
    size_bytes: int
    runs_at_once: int
    bytes_at_once: int


class CalendarCell(TypedDict):
    """A run over several cells is counted in each."""

    name: str
    hours: list[HourRow]


class CalendarSchedule(TypedDict):
    """`runs` has one number for each hour. `size_bytes` is what one run copies, and null where nobody can tell. While
    any of `silent_cells` does not answer its runs are missed.
    """

    id: str
    description: str
    source_kind: Literal["server", "project", "customer"]
    source_name: str | None
    time_zone: str
    cells: list[str]
    size_bytes: int | None
    seconds: int
    first_at: str
    runs: list[int]
    silent_cells: list[str]


class CalendarAnswer(TypedDict):
    """`total` schedules run in these hours, those that run first first. With `is_cut` there are more runs than were
    counted."""

    time_zone: str
    hours: list[HourRow]
    cells: list[CalendarCell]
    schedules: list[CalendarSchedule]
    total: int
    is_cut: bool


class ProjectStorageRow(TypedDict):
    """What a project holds and what that comes to when its schedules just run.

    `steady_bytes` is what is used when as many backups go as come, at most; null when they are kept for ever. `refused`
    is the first of the runs of the next weeks that finds no room, and `full_at` is when that is; without one, about
    when it comes to that. `unmeasured` schedules have nothing to copy yet, and are not in it.
    """

    project_id: str
    name: str
    used_bytes: int
    backup_bytes: int
    limit_bytes: int | None
    steady_bytes: int | None
    bytes_per_day: int
    full_at: str | None
    refused: RefusalRow | None
    schedules: int
    unmeasured: int


class StorageAnswer(TypedDict):
    projects: list[ProjectStorageRow]
