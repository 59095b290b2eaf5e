"""What a cloud said of its schedules and backups, and of who is covered, frozen. None means that it did not say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class ScheduleRecord(NamedTuple):
    """A rule that takes backups."""

    id: str
    server_id: str | None
    """None of a schedule for more than a server."""
    source_name: str | None = None
    """What its source is called, whatever it is; None while that does not answer."""
    description: str = ""
    cron: str = ""
    time_zone: str = "UTC"
    is_active: bool = True
    next_trigger_at: datetime | None = None
    last_run_at: datetime | None = None
    reason: str | None = None
    """Why it is off, when nobody asked for that."""
    missed_since: datetime | None = None
    """The first run that it owes."""
    retention_days: int | None = None
    """0 is for ever."""
    backups_max: int | None = None
    """0 is any number."""
    history: tuple[str, ...] = ()
    """`ok`, `running`, `failed`, `missed` or `overlapped`, oldest first."""
    source_kind: str = "server"
    """`server`, `project` or `customer`."""
    source_id: str = ""
    project_id: str | None = None
    created_at: datetime | None = None
    jitter_seconds: int = 0
    """It runs so much later than its expression at most."""
    keeps: Mapping[str, int] = NOTHING
    """How many of `last`, `hourly`, `daily`, ... are kept whatever else is said."""
    target_seconds: int | None = None
    """How old its last good backup may be."""
    drill_days: int = 0
    """How often its newest backup is restored to see that it can be; 0 is never."""
    drilled_at: datetime | None = None
    drill_seconds: int | None = None
    """How long the last drill took; None where it did not come so far."""
    drill_problem: str | None = None
    version: int | None = None
    backups: int | None = None
    """How many there are to restore from."""
    last_good_at: datetime | None = None
    """When the newest of them was taken."""
    off_since: datetime | None = None
    """When it was switched off; None while it is active."""
    drilling_since: datetime | None = None
    """When the drill began that is under way."""
    silent_cells: tuple[str, ...] = ()
    """What it copies lies in these too, and they do not answer: no run can be taken."""

    @property
    def key(self) -> str:
        return f"schedule:{self.id}"

    @property
    def title(self) -> str:
        return self.description or self.source_name or self.id[:8]


class BackupRecord(NamedTuple):
    """A copy of a server's drives, or the parent of those of a project or customer."""

    id: str
    source_name: str | None = None
    """What its source was called when it was taken."""
    state: str = "ready"
    """`backing_up`, `ready`, `restoring`, `deleting` or `erred`."""
    created_at: datetime | None = None
    size_bytes: int | None = None
    """Of a parent: of all its parts."""
    kept_until: datetime | None = None
    """None is for ever, or as its schedule's rules say."""
    reason: str | None = None
    source_kind: str = "server"
    source_id: str = ""
    schedule_id: str | None = None
    """None of one that somebody asked for, and of a part."""
    parent_id: str | None = None
    project_id: str | None = None
    description: str = ""
    version: int | None = None
    is_kept: bool | None = None
    """Whether it stays when the next backup of its schedule is good; None where nobody said."""
    rule: str | None = None
    """Which rule says so."""

    @property
    def key(self) -> str:
        return f"backup:{self.id}"

    @property
    def title(self) -> str:
        return self.source_name or self.id[:8]


class VerdictRecord(NamedTuple):
    """What the rules of its schedule would do with a backup now."""

    backup_id: str
    is_kept: bool
    rule: str
    created_at: datetime | None = None
    state: str = "ready"


class FireRecord(NamedTuple):
    at: datetime
    local: str
    """As a clock in the schedule's zone shows it, with its offset: ISO 8601."""


class SchedulePreviewRecord(NamedTuple):
    """What a schedule would do from now on. Verdicts are the newest first."""

    words: str
    fires: tuple[FireRecord, ...] = ()
    jitter_seconds: int = 0
    verdicts: tuple[VerdictRecord, ...] = ()


class CoverageRecord(NamedTuple):
    """How well one server is protected."""

    server_id: str
    name: str | None = None
    """None while its cell does not answer."""
    project_id: str | None = None
    schedule_ids: tuple[str, ...] = ()
    """The active schedules that it is in."""
    last_good_at: datetime | None = None
    target_seconds: int | None = None
    standing: str = "never"
    """`never`, `late`, `untold` or `good`."""
    failed_ids: tuple[str, ...] = ()
    """The schedules that it was in and that something switched off."""


class HourRecord(NamedTuple):
    """What begins in an hour, and the most that copies at one instant of it."""

    at: datetime
    local: str
    """As a clock in the calendar's zone shows its beginning: ISO 8601."""
    runs: int = 0
    size_bytes: int = 0
    runs_at_once: int = 0
    bytes_at_once: int = 0
    missed: int = 0
    """Runs that are due in it and not counted in the others: their cells do not answer."""


class DueRecord(NamedTuple):
    """A schedule that runs in the calendar's hours."""

    schedule_id: str
    title: str
    source_name: str | None = None
    time_zone: str = "UTC"
    cells: tuple[str, ...] = ()
    size_bytes: int | None = None
    """What one run copies; None where nobody can tell."""
    seconds: int = 0
    first_at: datetime | None = None
    runs: tuple[int, ...] = ()
    """How many begin in each hour."""
    silent_cells: tuple[str, ...] = ()
    """Those of `cells` that do not answer: as things are, its runs are missed."""

    @property
    def key(self) -> str:
        return f"schedule:{self.schedule_id}"


class CellHours(NamedTuple):
    name: str
    hours: tuple[HourRecord, ...]


class RefusalRecord(NamedTuple):
    """The first run that a quota has no room for, which would switch its schedule off."""

    schedule_id: str | None
    """None of one that is not there yet."""
    title: str
    at: datetime
    needs_bytes: int = 0
    left_bytes: int = 0


class StorageRecord(NamedTuple):
    """What a project holds, and what that comes to when its schedules just run."""

    project_id: str
    name: str
    used_bytes: int
    backup_bytes: int | None = None
    limit_bytes: int | None = None
    steady_bytes: int | None = None
    """When as many backups go as come; None where they are kept for ever."""
    bytes_per_day: int = 0
    full_at: datetime | None = None
    """When a run is refused, or about then; None: never."""
    schedules: int = 0
    unmeasured: int = 0
    """Schedules that have nothing to copy yet and are not counted."""
    refused: RefusalRecord | None = None
    """The run of `full_at`, where that is soon enough to be known."""

    @property
    def key(self) -> str:
        return f"project:{self.project_id}"


# Answers ---------------------------------------------------------------------------------------------------------


class Schedules(NamedTuple):
    """All of them, or as many as have been read."""

    rows: tuple[ScheduleRecord, ...]
    next: str | None = None
    total: int | None = None
    scope: str | None = None
    """None, or `server:ID` for those that copy it, itself or with its project or customer."""


class Backups(NamedTuple):
    """The newest first: all of them, or those of `scope`."""

    rows: tuple[BackupRecord, ...]
    next: str | None = None
    total: int | None = None
    scope: str | None = None
    """None, `schedule:ID`, `server:ID`, `project:ID`, or `backup:ID` for the parts of one."""


class Coverage(NamedTuple):
    """The servers that need looking after most, and how many there are of each standing."""

    rows: tuple[CoverageRecord, ...]
    total: int = 0
    uncovered: int = 0
    never: int = 0
    late: int = 0
    untold: int = 0
    good: int = 0
    is_counted_only: bool = False
    """Whether no more than the counts was asked for."""
    next: str | None = None
    """Where the rows go on; None where these are all that are read."""


class Calendar(NamedTuple):
    """The next hours, and who runs in them, by their first runs."""

    time_zone: str
    hours: tuple[HourRecord, ...]
    cells: tuple[CellHours, ...] = ()
    schedules: tuple[DueRecord, ...] = ()
    total: int = 0
    is_cut: bool = False
    """Whether there is more to come than was counted."""


class Storage(NamedTuple):
    projects: tuple[StorageRecord, ...]


class ScheduleDetail(NamedTuple):
    """One schedule with what it would do, and the object as the API gave it (its texts sanitised)."""

    schedule: ScheduleRecord
    preview: SchedulePreviewRecord | None = None
    raw: Mapping[str, Any] = NOTHING


class BackupDetail(NamedTuple):
    """One backup with its parts, and the object as the API gave it (its texts sanitised)."""

    backup: BackupRecord
    parts: tuple[BackupRecord, ...] = ()
    verdict: VerdictRecord | None = None
    raw: Mapping[str, Any] = NOTHING


BackupAnswer = Schedules | Backups | Coverage | Calendar | Storage | ScheduleDetail | BackupDetail
