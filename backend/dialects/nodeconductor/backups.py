"""Backups: listed, made, restored, deleted.

**Source**: NodeConductor, "Backup" and "Backup actions".
"""

from __future__ import annotations

from starlette.responses import Response

from backend.cloud.errors import NotFound
from backend.cloud.model import SERVER
from backend.dialects import wire
from backend.dialects.nodeconductor import bodies, links, pages, render
from backend.dialects.nodeconductor.table import STATES, Call
from backend.operations import backup_restores, backup_views, backups
from backend.store import Wanted


async def wanted_of(call: Call) -> Wanted | None:
    """The filters of both lists; None where nothing can match. What is not known is ignored, as the reference does.

    Raises:
        FieldsRefused: a `backup_source` that is no source.
    """
    query = call.request.query_params
    source = None
    if address := query.get("backup_source") or query.get("instance"):
        source = await links.source_of(call, address)
    elif uuid := query.get("instance_uuid"):
        source = (SERVER, links.id_of(uuid) or "")
    schedule_id = _named(query.get("backup_schedule")) or query.get("backup_schedule_uuid")
    project_id = None
    if uuid := query.get("project_uuid"):
        known = await backup_views.directory(call.cloud, call.account)
        project_id = links.find_id(uuid, [each.id for each in known.projects])
        if project_id is None:
            return None
    state = query.get("state")
    if state is not None:
        state = next((word for word, shown in STATES.items() if shown.lower() == state.lower()), "")
    return Wanted(
        source=source,
        schedule_id=None if schedule_id is None else links.id_of(schedule_id) or "",
        project_id=project_id,
        state=state,
        description=query.get("description"),
    )


def _named(address: str | None) -> str | None:
    if not address:
        return None
    found = links.parts_of(address)
    return found[1] if found is not None and found[0] == "backup-schedules" else ""


async def list_backups(call: Call) -> Response:
    page, wanted = pages.page_of(call), await wanted_of(call)
    if wanted is None:
        return pages.answer(call, page, [], 0)
    found, total = await backup_views.page_of_backups(
        call.cloud, call.account, wanted, offset=page.offset, limit=page.size
    )
    return pages.answer(call, page, [render.backup(call, each) for each in found], total)


def _id(call: Call) -> str:
    given = str(call.request.path_params["uuid"])
    id = links.id_of(given)
    if id is None:
        raise NotFound("backup", given)
    return id


async def show_backup(call: Call) -> Response:
    found = await backups.get_backup(call.cloud, call.account, _id(call))
    shown = await backup_views.show_backup(call.cloud, found)
    return wire.JsonAnswer(render.backup(call, shown))


async def create_backup(call: Call) -> Response:
    """**Source**: 201, and it is "Backing up" already."""
    body = bodies.parsed(bodies.BackupToMake, await wire.read_body(call.request))
    kind, id = await links.source_of(call, body.backup_source)
    try:
        made = await backups.create_backup(call.cloud, call.account, kind, id, description=body.description)
    except NotFound:
        raise links.unresolved("backup_source", body.backup_source) from None
    shown = await backup_views.show_backup(call.cloud, made)
    content = render.backup(call, shown)
    return wire.JsonAnswer(content, 201, {"Location": str(content["url"])})


async def restore_backup(call: Call) -> Response:
    """**Source**: 404 and 403 come before 409, and that before 400: so the body is read last."""
    raw = await wire.read_body(call.request)
    cloud, account, id = call.cloud, call.account, _id(call)
    await backup_restores.check_may_restore(cloud, account, id)
    body = bodies.parsed(bodies.Restore, raw)
    found = links.parts_of(body.flavor)
    flavor = links.find_flavor(cloud, found[1]) if found is not None and found[0] == "flavors" else None
    if flavor is None:
        raise links.unresolved("flavor", body.flavor)
    spec = backup_restores.RestoreSpec(flavor, body.hostname or None)
    restored = await backup_restores.restore(cloud, account, id, spec)
    return wire.JsonAnswer(
        {
            "status": "Backup restoration process was started",
            "instance": links.source_url(call, SERVER, restored.server.id),
        }
    )


async def delete_backup(call: Call) -> Response:
    await backups.delete_backup(call.cloud, call.account, _id(call))
    return wire.JsonAnswer({"status": "Backup deletion was started"})
