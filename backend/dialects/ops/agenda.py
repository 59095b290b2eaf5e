"""What is to come of schedules: their calendar, and what each project's storage grows to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend.cloud.agenda import HOUR, Hour
from backend.dialects.ops import render
from backend.dialects.ops.bodies import CalendarQuery, NoBody, NoQuery
from backend.dialects.ops.schema_backups import (
    CalendarAnswer,
    CalendarSchedule,
    HourRow,
    ProjectStorageRow,
    StorageAnswer,
)
from backend.dialects.ops.table import Answer, Call
from backend.dialects.wire import instant_text, instant_text_or_none
from backend.operations import backup_agenda
from backend.operations.backup_agenda import Calendar, Due, ProjectStorage


async def get_calendar(call: Call[CalendarQuery, NoBody]) -> Answer:
    query = call.query
    found = await backup_agenda.calendar(call.cloud, call.account, hours=query.hours, time_zone=query.time_zone)
    content: CalendarAnswer = {
        "time_zone": found.time_zone,
        "hours": _hour_rows(found, found.hours, found.missed),
        "cells": [{"name": name, "hours": _hour_rows(found, hours, ())} for name, hours in found.by_cell.items()],
        "schedules": [_due_row(each) for each in found.schedules[: query.limit]],
        "total": found.total,
        "is_cut": found.is_cut,
    }
    return Answer(content)


def _hour_rows(calendar: Calendar, hours: Sequence[Hour], missed: Sequence[int]) -> list[HourRow]:
    zone = ZoneInfo(calendar.time_zone)
    return [
        {
            "at": instant_text(calendar.begin + number * HOUR),
            "local": (calendar.begin + number * HOUR).astimezone(zone).isoformat(),
            "missed": missed[number] if missed else 0,
            "runs": hour.runs,
            "size_bytes": hour.size_bytes,
            "runs_at_once": hour.runs_at_once,
            "bytes_at_once": hour.bytes_at_once,
        }
        for number, hour in enumerate(hours)
    ]


def _due_row(due: Due) -> CalendarSchedule:
    return {
        "id": due.schedule.id,
        "description": due.schedule.description,
        "source_kind": render.source_word(due.schedule.source_kind),
        "source_name": due.source_name,
        "time_zone": due.schedule.time_zone,
        "cells": list(due.cells),
        "size_bytes": due.size_bytes,
        "seconds": due.seconds,
        "first_at": instant_text(due.first_at),
        "runs": list(due.runs),
        "silent_cells": list(due.silent_cells),
    }


async def get_storage(call: Call[NoQuery, NoBody]) -> Answer:
    now = call.cloud.clock.now()
    found = await backup_agenda.storage(call.cloud, call.account)
    content: StorageAnswer = {"projects": [_storage_row(each, now) for each in found]}
    return Answer(content)


def _storage_row(each: ProjectStorage, now: datetime) -> ProjectStorageRow:
    seconds, filled = each.growth.full_in_seconds, each.filling
    full_at = None if seconds is None else now + timedelta(seconds=seconds)
    refused = None if filled is None else filled.refused
    return {
        "project_id": each.project.id,
        "name": each.project.name,
        "used_bytes": each.used_bytes,
        "backup_bytes": each.backup_bytes,
        "limit_bytes": each.project.storage_bytes_max,
        "steady_bytes": each.growth.steady_bytes,
        "bytes_per_day": each.growth.bytes_per_day,
        "full_at": instant_text_or_none(full_at if filled is None else filled.full_at),
        "refused": None if refused is None else render.refusal_row(refused),
        "schedules": each.schedules,
        "unmeasured": each.unmeasured,
    }
