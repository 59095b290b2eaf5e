"""`/snapshots/`.

Source: CloudSigma API 2.0, "Snapshots", "Availability Groups and Avoid".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import Invalid
from backend.cloud.model import Snapshot
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, query, render, table
from backend.dialects.cloudsigma.bodies import DriveCloned, SnapshotEdited, SnapshotSent
from backend.dialects.cloudsigma.schema import SNAPSHOTS
from backend.dialects.cloudsigma.table import Call
from backend.operations import snapshots as operations


async def list_detail(call: Call) -> Response:
    """The plain list is as detailed."""
    found = await operations.list_snapshots(call.cloud, call.account)
    return await query.page_of(call, SNAPSHOTS, await _details(call, found))


async def get(call: Call) -> Response:
    found = await operations.get_snapshot(call.cloud, call.account, call.uuid)
    return query.one(call, (await _details(call, [found]))[0], version=str(found.version))


async def _details(call: Call, found: Sequence[Snapshot]) -> list[dict[str, Any]]:
    directory, now = await call.directory(), call.cloud.clock.now()
    return [render.snapshot_detail(snapshot, directory, now) for snapshot in found]


async def create(call: Call) -> Response:
    """One or many, all or none."""
    specs = []
    for each in bodies.objects_of(await call.content()):
        sent = wire.validated(SnapshotSent, each)
        tags = await call.words(sent.tags, call.account.project_id, ())
        specs.append(operations.SnapshotSpec(sent.drive.lower(), sent.name, sent.meta, tags))
    made = await operations.create_snapshots(call.cloud, call.account, specs)
    objects = await _details(call, made)
    return table.created(objects, objects[0]["resource_uri"])


async def edit(call: Call) -> Response:
    """Name, meta and tags; all else is read-only."""
    found = await operations.get_snapshot(call.cloud, call.account, call.uuid)
    query.check_match(call, str(found.version))
    sent = wire.validated(SnapshotEdited, await call.content())
    given = sent.model_fields_set
    changes = operations.SnapshotChanges(
        name=sent.name if "name" in given else None,
        meta=sent.meta if "meta" in given else None,
        tags=await call.words(sent.tags, found.project_id, found.tags) if "tags" in given else None,
    )
    seen = found.version if "if-match" in call.request.headers else None
    edited = await operations.edit_snapshot(call.cloud, call.account, call.uuid, changes, if_version=seen)
    return query.one(call, (await _details(call, [edited]))[0], version=str(edited.version))


async def delete(call: Call) -> Response:
    seen = None
    if "if-match" in call.request.headers:
        seen = (await operations.get_snapshot(call.cloud, call.account, call.uuid)).version
        query.check_match(call, str(seen))
    await operations.delete_snapshot(call.cloud, call.account, call.uuid, if_version=seen)
    return table.gone()


async def delete_many(call: Call) -> Response:
    uuids = bodies.uuids_of(await call.content())
    for uuid in uuids:
        await operations.get_snapshot(call.cloud, call.account, uuid)
    for uuid in uuids:
        await operations.delete_snapshot(call.cloud, call.account, uuid)
    return table.gone()


async def act(call: Call) -> Response:
    """Clone, with `avoid`: 202 with the drive as a bare object, `cloning_dst` for a while."""
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    if call.word("do") != "clone":
        raise Invalid("do", "must be clone")
    sent = wire.validated(DriveCloned, content)
    begun = await operations.clone_snapshot(
        call.cloud,
        call.account,
        call.uuid,
        name=sent.name,
        media=sent.media,
        size_bytes=None if sent.size is None else bodies.rounded_size(sent.size),
        avoid=call.avoid,
    )
    return wire.JsonAnswer(render.drive_detail(begun.drive, await call.directory(), ()), 202)
