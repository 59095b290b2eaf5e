"""Answers of `/ops/v1` about schedules and backups as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.records_backups import (
    BackupDetail,
    BackupRecord,
    Backups,
    Calendar,
    CellHours,
    Coverage,
    CoverageRecord,
    DueRecord,
    FireRecord,
    HourRecord,
    RefusalRecord,
    ScheduleDetail,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    Storage,
    StorageRecord,
    VerdictRecord,
)
from console.wire import Body, instant, many, required_instant, schedule, texts

SCOPES = {"schedule": "schedule", "server": "source", "backup": "parent", "project": "project"}
"""By the kind of what a list is narrowed to: how the API is asked for that."""
_COUNTS = ("total", "uncovered", "never", "late", "untold", "good")
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def backup(row: Body) -> BackupRecord:
    get = row.get
    return BackupRecord(
        id=row["id"],
        source_name=get("source_name") or get("server_name"),
        state=row["state"],
        created_at=instant(get("created_at")),
        size_bytes=get("size_bytes"),
        kept_until=instant(get("kept_until")),
        reason=get("reason"),
        source_kind=get("source_kind") or "server",
        source_id=get("source_id") or get("server_id") or "",
        schedule_id=get("schedule_id"),
        parent_id=get("parent_id"),
        project_id=get("project_id") or None,
        description=get("description") or "",
        version=get("version"),
        is_kept=get("is_kept"),
        rule=get("rule"),
    )


def _verdict(row: Body) -> VerdictRecord:
    get = row.get
    return VerdictRecord(
        row["backup_id"], bool(row["is_kept"]), row["rule"], instant(get("created_at")), get("state") or "ready"
    )


def _fire(row: Body) -> FireRecord:
    return FireRecord(required_instant(row["at"]), row["local"])


def preview(body: Body) -> SchedulePreviewRecord:
    return SchedulePreviewRecord(
        words=body.get("words") or "",
        fires=many(_fire, body.get("fires")),
        jitter_seconds=body.get("jitter_seconds") or 0,
        verdicts=many(_verdict, body.get("verdicts")),
    )


def asked_of(schedule: ScheduleRecord) -> Mapping[str, Any]:
    """What a preview of a schedule as it is is asked with."""
    keeps = {name: schedule.keeps[name] for name in RULES if name in schedule.keeps}
    return {
        "schedule": schedule.cron,
        "time_zone": schedule.time_zone,
        "retention_days": schedule.retention_days or 0,
        "backups_max": schedule.backups_max or 0,
        "schedule_id": schedule.id,
        **keeps,
    }


def schedules(body: Body, *, scope: str | None = None) -> Schedules:
    return Schedules(many(schedule, body["schedules"]), body.get("next"), body.get("total"), scope)


def backups(body: Body, *, scope: str | None = None) -> Backups:
    return Backups(many(backup, body["backups"]), body.get("next"), body.get("total"), scope)


def backup_detail(body: Body) -> BackupDetail:
    verdict = body.get("verdict")
    return BackupDetail(
        backup(body), many(backup, body.get("parts")), None if verdict is None else _verdict(verdict), body
    )


def schedule_detail(body: Body) -> ScheduleDetail:
    return ScheduleDetail(schedule(body), None, body)


def _coverage_row(row: Body) -> CoverageRecord:
    get = row.get
    return CoverageRecord(
        server_id=row["server_id"],
        name=get("name"),
        project_id=get("project_id"),
        schedule_ids=texts(get("schedule_ids")),
        last_good_at=instant(get("last_good_at")),
        target_seconds=get("target_seconds"),
        standing=row["standing"],
        failed_ids=texts(get("failed_schedule_ids")),
    )


def coverage(body: Body) -> Coverage:
    total, uncovered, never, late, untold, good = (int(body.get(name) or 0) for name in _COUNTS)
    rows = many(_coverage_row, body["servers"])
    return Coverage(rows, total, uncovered, never, late, untold, good, next=body.get("next"))


def coverage_counts(body: Body) -> Coverage:
    return coverage(body)._replace(is_counted_only=True)


def _hour(row: Body) -> HourRecord:
    return HourRecord(
        required_instant(row["at"]),
        row["local"],
        int(row["runs"]),
        int(row["size_bytes"]),
        int(row["runs_at_once"]),
        int(row["bytes_at_once"]),
        int(row.get("missed") or 0),
    )


def _due(row: Body) -> DueRecord:
    get = row.get
    source = get("source_name")
    return DueRecord(
        schedule_id=row["id"],
        title=get("description") or source or row["id"][:8],
        source_name=source,
        time_zone=get("time_zone") or "UTC",
        cells=texts(get("cells")),
        size_bytes=get("size_bytes"),
        seconds=int(get("seconds") or 0),
        first_at=instant(get("first_at")),
        runs=tuple(map(int, get("runs") or ())),
        silent_cells=texts(get("silent_cells")),
    )


def calendar(body: Body) -> Calendar:
    return Calendar(
        time_zone=body.get("time_zone") or "UTC",
        hours=many(_hour, body["hours"]),
        cells=tuple(CellHours(row["name"], many(_hour, row["hours"])) for row in body.get("cells") or ()),
        schedules=many(_due, body.get("schedules")),
        total=int(body.get("total") or 0),
        is_cut=bool(body.get("is_cut")),
    )


def refusal(row: Body | None) -> RefusalRecord | None:
    if row is None:
        return None
    schedule_id = row.get("schedule_id")
    title = row.get("description") or (schedule_id or "")[:8]
    at, needs, left = required_instant(row["at"]), int(row["needs_bytes"]), int(row["left_bytes"])
    return RefusalRecord(schedule_id, title, at, needs, left)


def _storage_row(row: Body) -> StorageRecord:
    get = row.get
    return StorageRecord(
        project_id=row["project_id"],
        name=row["name"],
        used_bytes=int(row["used_bytes"]),
        backup_bytes=get("backup_bytes"),
        limit_bytes=get("limit_bytes"),
        steady_bytes=get("steady_bytes"),
        bytes_per_day=int(get("bytes_per_day") or 0),
        full_at=instant(get("full_at")),
        schedules=int(get("schedules") or 0),
        unmeasured=int(get("unmeasured") or 0),
        refused=refusal(get("refused")),
    )


def storage(body: Body) -> Storage:
    return Storage(many(_storage_row, body["projects"]))
