"""Answers of `/ops/v1` about schedules and backups as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.records_backups import (
    BackupDetail,
    BackupRecord,
    Backups,
    Coverage,
    CoverageRecord,
    FireRecord,
    ScheduleDetail,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    VerdictRecord,
)
from console.wire import Body, instant, many, schedule, texts

SCOPES = {"schedule": "schedule", "server": "source", "backup": "parent"}
"""By the kind of what a list is narrowed to: how the API is asked for that."""
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
    )


def _verdict(row: Body) -> VerdictRecord:
    get = row.get
    return VerdictRecord(
        row["backup_id"], bool(row["is_kept"]), row["rule"], instant(get("created_at")), get("state") or "ready"
    )


def _fire(row: Body) -> FireRecord:
    at = instant(row["at"])
    if at is None:
        raise ValueError("a run without its instant")
    return FireRecord(at, row["local"])


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


def schedules(body: Body) -> Schedules:
    return Schedules(many(schedule, body["schedules"]), body.get("next"), body.get("total"))


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
    )


def coverage(body: Body) -> Coverage:
    counts = {name: int(body.get(name) or 0) for name in ("total", "uncovered", "never", "late", "untold", "good")}
    return Coverage(many(_coverage_row, body["servers"]), **counts)
