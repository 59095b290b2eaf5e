"""Backup schedules: listed, made, changed, deleted, switched on and off.

**Source**: NodeConductor, "Backup schedules" and "Activating/deactivating a schedule".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.errors import NotFound
from backend.cloud.model import Schedule
from backend.dialects import wire
from backend.dialects.nodeconductor import bodies, links, pages, render
from backend.dialects.nodeconductor.backups import wanted_of
from backend.dialects.nodeconductor.table import Call, FieldsRefused
from backend.operations import backup_views, schedules

_CORE_NAMES = {
    "description": "description",
    "retention_time": "retention_days",
    "maximal_number_of_backups": "backups_max",
    "schedule": "cron",
    "timezone": "time_zone",
    "is_active": "is_active",
    "jitter": "jitter_seconds",
    "keep": "keeps",
    "recovery_point": "target_seconds",
    "drill_interval": "drill_days",
}
"""What the cloud calls each field."""


async def list_schedules(call: Call) -> Response:
    page, wanted = pages.page_of(call), await wanted_of(call)
    if wanted is None or wanted.state is not None:
        # A schedule has no state: what asks for one asks for backups.
        return pages.answer(call, page, [], 0)
    found, total = await backup_views.page_of_schedules(
        call.cloud, call.account, wanted, offset=page.offset, limit=page.size
    )
    return pages.answer(call, page, [render.schedule(call, each) for each in found], total)


def _id(call: Call) -> str:
    given = str(call.request.path_params["uuid"])
    id = links.id_of(given)
    if id is None:
        raise NotFound("schedule", given)
    return id


async def _shown(call: Call, schedule: Schedule) -> dict[str, Any]:
    (shown,) = await backup_views.show_schedules(call.cloud, [schedule])
    return render.schedule(call, shown)


async def show_schedule(call: Call) -> Response:
    found = await schedules.get_schedule(call.cloud, call.account, _id(call))
    return wire.JsonAnswer(await _shown(call, found))


def _fields(body: bodies.ScheduleChanges) -> dict[str, Any]:
    """What was sent, as the cloud calls it. A target of null is none; other nulls are as if they were not there."""
    sent = {name: getattr(body, name) for name in body.model_fields_set if name in _CORE_NAMES}
    return {_CORE_NAMES[name]: value for name, value in sent.items() if value is not None or name == "recovery_point"}


async def create_schedule(call: Call) -> Response:
    """**Source**: the seed's example sends `is_active`; without it a schedule waits to be activated."""
    body = bodies.parsed(bodies.ScheduleToMake, await wire.read_body(call.request))
    kind, id = await links.source_of(call, body.backup_source)
    fields = {"is_active": False, **_fields(body)}
    try:
        made = await schedules.create_schedule(call.cloud, call.account, id, source_kind=kind, **fields)
    except NotFound:
        raise links.unresolved("backup_source", body.backup_source) from None
    content = await _shown(call, made)
    return wire.JsonAnswer(content, 201, {"Location": str(content["url"])})


async def change_schedule(call: Call) -> Response:
    """PUT names everything that a new one has to have; PATCH what it changes."""
    id = _id(call)
    found = await schedules.get_schedule(call.cloud, call.account, id)
    model = bodies.ScheduleToMake if call.request.method == "PUT" else bodies.ScheduleChanges
    body = bodies.parsed(model, await wire.read_body(call.request))
    if body.backup_source is not None:
        source = await links.source_of(call, body.backup_source)
        if source != (found.source_kind, found.source_id):
            sentence = "The source of a schedule stays the same. Make another schedule for another source."
            raise FieldsRefused({"backup_source": [sentence]})
    changed = await schedules.change_schedule(call.cloud, call.account, id, **_fields(body))
    return wire.JsonAnswer(await _shown(call, changed))


async def delete_schedule(call: Call) -> Response:
    await schedules.delete_schedule(call.cloud, call.account, _id(call))
    return Response(status_code=204)


async def activate_schedule(call: Call) -> Response:
    await schedules.set_active(call.cloud, call.account, _id(call), is_active=True)
    return wire.JsonAnswer({"status": "BackupSchedule was activated"})


async def deactivate_schedule(call: Call) -> Response:
    await schedules.set_active(call.cloud, call.account, _id(call), is_active=False)
    return wire.JsonAnswer({"status": "BackupSchedule was deactivated"})
