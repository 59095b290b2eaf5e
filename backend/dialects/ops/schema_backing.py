"""The shapes of what is said of backups and schedules that would be made or changed, and of what has become of them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from backend.dialects.ops.schema import PlanRow
from backend.dialects.ops.schema_backups import BackupRow, FireRow, OutlookRow, ScheduleRow, VerdictRow


class BackupPlanAnswer(TypedDict):
    plan: PlanRow


class SchedulePlanRow(TypedDict):
    """What making or changing a schedule would come to. `problem` is a sentence and `code` its error code where it is
    not `allowed`. `verdicts` are about the backups that it has. `not_now` is why its source could not be copied at this
    instant, which keeps nobody from making the schedule.
    """

    schedule_id: str | None
    source_kind: Literal["server", "project", "customer"]
    source_id: str
    source_name: str | None
    allowed: bool
    problem: str | None
    code: str | None
    words: str
    fires: list[FireRow]
    jitter_seconds: int
    verdicts: list[VerdictRow]
    storage: list[OutlookRow]
    not_now: str | None
    version: int | None
    sentences: list[str]


class SchedulePlanAnswer(TypedDict):
    plan: SchedulePlanRow


class ScheduleOutcome(TypedDict):
    """`schedule` is null once it is deleted; `backup` is what `run` began, or `drill` restores."""

    schedule: ScheduleRow | None
    backup: BackupRow | None


class BackupOutcome(TypedDict):
    """`server` is what a restore makes."""

    backup: BackupRow
    server_id: str | None
    server_name: str | None


class FlavorRow(TypedDict):
    """`problem` is why the backup that was asked about cannot be restored with it, and `note` how it is other than the
    server that was backed up.
    """

    id: str
    name: str
    vcpus: int
    cpu_mhz: int
    memory_bytes: int
    disk_bytes: int
    problem: str | None
    note: str | None


class FlavorList(TypedDict):
    flavors: list[FlavorRow]
