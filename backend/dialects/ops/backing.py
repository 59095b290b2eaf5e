"""Backups and schedules, what a schedule would do, and who is covered."""

from __future__ import annotations

from datetime import datetime

from backend.cloud import previews
from backend.cloud.errors import Invalid
from backend.cloud.model import Backup, Schedule
from backend.cloud.previews import Protection, Rank, Standing
from backend.cloud.retention import RULES
from backend.dialects.ops import backing_plans, render
from backend.dialects.ops.bodies import (
    BackupsQuery,
    CoverageQuery,
    NoBody,
    NoQuery,
    SchedulePreviewQuery,
    SchedulesQuery,
)
from backend.dialects.ops.schema_backups import (
    BackupDetail,
    BackupList,
    BackupRow,
    CoverageAnswer,
    CoverageRow,
    ScheduleList,
    SchedulePreview,
    ScheduleRow,
)
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text_or_none
from backend.operations import backup_previews, backup_views, schedules
from backend.operations.backup_previews import CoveragePlace
from backend.operations.backups import BackupView
from backend.operations.schedules import ScheduleSpec, ScheduleView
from backend.store import Place, Wanted


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
    after = None if call.query.after is None else _rank(call.query.after)
    found = await backup_previews.coverage(call.cloud, call.account, limit=call.query.limit, after=after)
    last = previews.place_of(found.rows[-1]) if found.rows and found.has_more else None
    content: CoverageAnswer = {
        "servers": [_row(each, found.names.get(each.server_id), found.projects[each.server_id]) for each in found.rows],
        "next": None if last is None else _cursor(found.at, last),
        "total": found.total,
        "uncovered": found.uncovered,
        "never": found.by_standing[Standing.NEVER],
        "late": found.by_standing[Standing.LATE],
        "untold": found.by_standing[Standing.UNTOLD],
        "good": found.by_standing[Standing.GOOD],
    }
    return Answer(content)


def _cursor(at: datetime, rank: Rank) -> str:
    standing, is_covered, age, id = rank
    return f"{at.isoformat()},{standing},{int(is_covered)},{age},{id}"


def _rank(cursor: str) -> CoveragePlace:
    """Raises Invalid."""
    try:
        at, *numbers, id = cursor.split(",")
        standing, is_covered, age = map(int, numbers)
        return _instant(at), (standing, bool(is_covered), age, id)
    except ValueError as wrong:
        raise Invalid("after", _NO_PLACE) from wrong


def _row(each: Protection, name: str | None, project_id: str) -> CoverageRow:
    return {
        "server_id": each.server_id,
        "name": name,
        "project_id": project_id,
        "schedule_ids": list(each.schedule_ids),
        "failed_schedule_ids": list(each.failed_ids),
        "last_good_at": instant_text_or_none(each.last_good_at),
        "age_seconds": each.age_seconds,
        "target_seconds": each.target_seconds,
        "standing": each.standing.value,
    }


# --- Lists, and one of each -------------------------------------------------------------------------------------------


async def list_schedules(call: Call[SchedulesQuery, NoBody]) -> Answer:
    query = call.query
    found, total = await schedules.schedules_after(
        call.cloud, call.account, _place(query.after), limit=query.limit, covering=query.covering
    )
    rows = [schedule_row(view) for view in found]
    last = found[-1].schedule if len(found) == query.limit else None
    content: ScheduleList = {"schedules": rows, "next": _next(last), "total": total}
    return Answer(content)


async def get_schedule(call: Call[NoQuery, NoBody]) -> Answer:
    return Answer(schedule_row(await schedules.view_of(call.cloud, call.account, call.path["id"])))


def schedule_row(view: ScheduleView) -> ScheduleRow:
    row = render.schedule_row(view.schedule, source_name=view.source_name, history=list(view.history))
    row["backups"], row["last_good_at"] = view.backups, instant_text_or_none(view.last_good_at)
    row["off_since"] = instant_text_or_none(view.state.off_since)
    row["drilling_since"] = instant_text_or_none(view.state.drilling_since)
    row["silent_cells"] = list(view.state.silent_cells)
    return row


async def list_backups(call: Call[BackupsQuery, NoBody]) -> Answer:
    query = call.query
    wanted = Wanted(
        schedule_id=query.schedule, source_id=query.source, parent_id=query.parent, project_id=query.project
    )
    found, total = await backup_views.newest_backups(
        call.cloud, call.account, wanted, _place(query.after), limit=query.limit
    )
    last = found[-1].backup if len(found) == query.limit else None
    content: BackupList = {"backups": [_backup_row(each) for each in found], "next": _next(last), "total": total}
    return Answer(content)


async def get_backup(call: Call[NoQuery, NoBody]) -> Answer:
    found = await backup_views.describe_backup(call.cloud, call.account, call.path["id"])
    content: BackupDetail = {
        **_backup_row(found.shown),
        "parts": [_backup_row(part) for part in found.parts],
        "verdict": None if found.verdict is None else backing_plans.verdict_row(found.verdict),
        "contents": dict(found.shown.backup.contents),
    }
    return Answer(content)


def _backup_row(view: BackupView) -> BackupRow:
    row = render.backup_row(view.backup, view.source_name, view.size_bytes)
    if view.verdict is not None:
        row["is_kept"], row["rule"] = view.verdict.is_kept, view.verdict.rule
    return row


def _next(last: Schedule | Backup | None) -> str | None:
    return None if last is None else f"{last.created_at.isoformat()},{last.id}"


def _place(cursor: str | None) -> Place | None:
    """Raises Invalid."""
    if cursor is None:
        return None
    text, _, id = cursor.partition(",")
    try:
        return _instant(text), id
    except ValueError as wrong:
        raise Invalid("after", _NO_PLACE) from wrong


_NO_PLACE = "is not where a list of this cloud ended; begin again without it"


def _instant(text: str) -> datetime:
    """Raises ValueError, also where nobody says of which zone it is."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant has an offset")
    return at
