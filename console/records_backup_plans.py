"""What a cloud said that making, changing, restoring or deleting backups and schedules would come to, and did."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from console.records import PlanRecord
from console.records_backups import BackupRecord, RefusalRecord, SchedulePreviewRecord, ScheduleRecord


class OutlookRecord(NamedTuple):
    """A project's storage, and what copies come to."""

    project_id: str
    project_name: str = ""
    used_bytes: int = 0
    limit_bytes: int | None = None
    """None: no quota."""
    left_bytes: int | None = None
    copy_bytes: int = 0
    """What one takes."""
    copies_kept: int = 0
    copies_most: int | None = None
    """At once, when the rules have been followed for long; None: ever more."""
    copies_left: int | None = None
    """How many more the quota has room for."""
    growth_bytes: int | None = None
    """What is taken besides, at most; None: ever more."""
    is_enough: bool = True
    """Whether the quota has room for what this comes to, beside all that copies into the project anyway."""
    full_at: datetime | None = None
    """When a run is refused, or about then; None: never."""
    refused: RefusalRecord | None = None


class BackupPlanRecord(NamedTuple):
    """What a verb of a backup or a schedule would come to."""

    plan: PlanRecord
    storage: tuple[OutlookRecord, ...] = ()
    start_problem: str | None = None
    """Of a restore: why the new server would not start now."""


class SchedulePlanRecord(NamedTuple):
    """What a schedule would do that would be made or changed."""

    preview: SchedulePreviewRecord
    is_allowed: bool = True
    problem: str | None = None
    code: str | None = None
    schedule_id: str | None = None
    """None of one that is not there yet."""
    source_name: str | None = None
    storage: tuple[OutlookRecord, ...] = ()
    not_now: str | None = None
    """Why its source could not be copied at this instant."""
    version: int | None = None
    sentences: tuple[str, ...] = ()


class FlavorRecord(NamedTuple):
    """A size under a name."""

    id: str
    name: str
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    problem: str | None = None
    """Why a backup cannot be restored with it."""
    note: str | None = None
    """How it is other than the server that was backed up."""


class BackupOutcomeRecord(NamedTuple):
    backup: BackupRecord
    server_id: str | None = None
    """Of what a restore makes."""
    server_name: str | None = None


class ScheduleOutcomeRecord(NamedTuple):
    schedule: ScheduleRecord | None = None
    """None once it is deleted."""
    backup: BackupRecord | None = None
    """What a run began, or a drill restores."""
