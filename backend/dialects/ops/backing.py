"""Backups and schedules, what a schedule would do, and who is covered."""

from __future__ import annotations

from backend.cloud.previews import Protection, Standing
from backend.cloud.retention import RULES
from backend.dialects.ops import backing_plans, render
from backend.dialects.ops.bodies import CoverageQuery, NoBody, NoQuery, SchedulePreviewQuery
from backend.dialects.ops.schema_backups import CoverageAnswer, CoverageRow, SchedulePreview, ScheduleRow
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text_or_none
from backend.operations import backup_previews, backups, schedules
from backend.operations.schedules import ScheduleSpec, ScheduleView


async def preview_schedule(call: Call[SchedulePreviewQuery, NoBody]) -> Answer:
    query = call.query
    spec = ScheduleSpec(
        cron=query.schedule,
        time_zone=query.time_zone,
        retention_days=query.retention_days,
        backups_max=query.backups_max,
        keeps={name: getattr(query, name) for name in RULES},
    )
    found = await backup_previews.preview(call.cloud, call.account, spec, schedule_id=query.schedule_id)
    content: SchedulePreview = {
        "words": found.words,
        "fires": backing_plans.fire_rows(found),
        "jitter_seconds": int(found.late.total_seconds()),
        "verdicts": backing_plans.verdict_rows(found),
    }
    return Answer(content)


async def list_coverage(call: Call[CoverageQuery, NoBody]) -> Answer:
    found = await backup_previews.coverage(call.cloud, call.account, limit=call.query.limit)
    content: CoverageAnswer = {
        "servers": [_row(each, found.names.get(each.server_id), found.projects[each.server_id]) for each in found.rows],
        "total": found.total,
        "uncovered": found.uncovered,
        "never": found.by_standing[Standing.NEVER],
        "late": found.by_standing[Standing.LATE],
        "untold": found.by_standing[Standing.UNTOLD],
        "good": found.by_standing[Standing.GOOD],
    }
    return Answer(content)


def _row(each: Protection, name: str | None, project_id: str) -> CoverageRow:
    return {
        "server_id": each.server_id,
        "name": name,
        "project_id": project_id,
        "schedule_ids": list(each.schedule_ids),
        "last_good_at": instant_text_or_none(each.last_good_at),
        "age_seconds": each.age_seconds,
        "target_seconds": each.target_seconds,
        "standing": each.standing.value,
    }


async def list_schedules(call: Call[NoQuery, NoBody]) -> Answer:
    found = await schedules.list_schedules(call.cloud, call.account)
    return Answer({"schedules": [schedule_row(view) for view in found]})


def schedule_row(view: ScheduleView) -> ScheduleRow:
    return render.schedule_row(view.schedule, source_name=view.source_name, history=list(view.history))


async def list_backups(call: Call[NoQuery, NoBody]) -> Answer:
    found = await backups.list_backups(call.cloud, call.account)
    return Answer({"backups": [render.backup_row(view.backup, view.source_name, view.size_bytes) for view in found]})
