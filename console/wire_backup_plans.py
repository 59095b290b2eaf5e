"""Answers of `/ops/v1` about backups and schedules that would be made or changed, as records."""

from __future__ import annotations

from console import wire
from console.records_backup_plans import (
    BackupOutcomeRecord,
    BackupPlanRecord,
    FlavorRecord,
    OutlookRecord,
    ScheduleOutcomeRecord,
    SchedulePlanRecord,
)
from console.wire import Body, instant, many, schedule, texts
from console.wire_backups import backup, preview, refusal


def _storage(row: Body) -> OutlookRecord:
    get = row.get
    return OutlookRecord(
        project_id=row["project_id"],
        project_name=get("project_name") or "",
        used_bytes=get("used_bytes") or 0,
        limit_bytes=get("limit_bytes"),
        left_bytes=get("left_bytes"),
        copy_bytes=get("copy_bytes") or 0,
        copies_kept=get("copies_kept") or 0,
        copies_most=get("copies_most"),
        copies_left=get("copies_left"),
        growth_bytes=get("growth_bytes"),
        is_enough=get("is_enough", True) is not False,
        full_at=instant(get("full_at")),
        refused=refusal(get("refused")),
    )


def backup_plan(body: Body) -> BackupPlanRecord:
    row = body["plan"]
    return BackupPlanRecord(wire.plan(body), many(_storage, row.get("storage")), row.get("start_problem"))


def schedule_plan(body: Body) -> SchedulePlanRecord:
    row = body["plan"]
    get = row.get
    return SchedulePlanRecord(
        preview=preview(row),
        is_allowed=get("allowed", True) is not False,
        problem=get("problem"),
        code=get("code"),
        schedule_id=get("schedule_id"),
        source_name=get("source_name"),
        storage=many(_storage, get("storage")),
        not_now=get("not_now"),
        version=get("version"),
        sentences=texts(get("sentences")),
    )


def _flavor(row: Body) -> FlavorRecord:
    get = row.get
    sizes = get("vcpus"), get("memory_bytes"), get("disk_bytes")
    return FlavorRecord(row["id"], row["name"], *sizes, get("problem"), get("note"))


def flavors(body: Body) -> tuple[FlavorRecord, ...]:
    return many(_flavor, body["flavors"])


def backup_outcome(body: Body) -> BackupOutcomeRecord:
    return BackupOutcomeRecord(backup(body["backup"]), body.get("server_id"), body.get("server_name"))


def schedule_outcome(body: Body) -> ScheduleOutcomeRecord:
    found, began = body.get("schedule"), body.get("backup")
    return ScheduleOutcomeRecord(None if found is None else schedule(found), None if began is None else backup(began))
