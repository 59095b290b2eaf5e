"""Snapshots of drives in `/ops/v1`: taking, listing, and what is done with one."""

from __future__ import annotations

from typing import Any

from backend.cloud.errors import Invalid
from backend.cloud.model import PartialDrive, Snapshot
from backend.dialects.ops import reads, render, separation
from backend.dialects.ops.bodies import NoBody, NoQuery, SnapshotAction, SnapshotToTake
from backend.dialects.ops.schema_snapshots import SnapshotOutcome, SnapshotRow
from backend.dialects.ops.table import Answer, Call, once, once_made
from backend.dialects.wire import instant_text
from backend.operations import RequestKey, avoiding, drives, last_known, snapshots
from backend.operations.snapshots import SnapshotChanges, SnapshotSpec


def _row(call: Call[Any, Any], snapshot: Snapshot) -> SnapshotRow:
    is_whole = call.cloud.clock.now() >= snapshot.available_at
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "drive_id": snapshot.drive_id,
        "state": "available" if is_whole else "creating",
        "created_at": instant_text(snapshot.created_at),
        "size_bytes": snapshot.size_bytes,
        "media": snapshot.media,
        "tags": list(snapshot.tags),
        "meta": dict(snapshot.meta),
        "project_id": snapshot.project_id,
        "owner": snapshot.owner,
        "version": snapshot.version,
    }


async def get_drive(call: Call[NoQuery, NoBody]) -> Answer:
    """With its snapshots, which are known centrally: a silent cell hides none."""
    found = await drives.get_drive(call.cloud, call.account, call.path["id"])
    if isinstance(found, PartialDrive):
        pictures = await last_known.pictures(call.cloud, [found.id])
        row: Any = render.partial_drive_row(found, pictures.get(found.id))
    else:
        row = render.drive_row(found)
    return Answer({**row, "snapshots": await _snapshots_of(call, found.id)})


async def _snapshots_of(call: Call[NoQuery, NoBody], drive_id: str) -> list[SnapshotRow]:
    found = await snapshots.list_snapshots(call.cloud, call.account, drive_ids=[drive_id])
    return [_row(call, each) for each in found]


async def list_snapshots(call: Call[NoQuery, NoBody]) -> Answer:
    drive = await drives.get_drive(call.cloud, call.account, call.path["id"])
    return Answer({"snapshots": await _snapshots_of(call, drive.id)})


async def take_snapshot(call: Call[NoQuery, SnapshotToTake]) -> Answer:
    body = call.body
    spec = SnapshotSpec(call.path["id"], body.name, body.meta, tuple(body.tags))

    async def take(request: RequestKey | None) -> str:
        (taken,) = await snapshots.create_snapshots(call.cloud, call.account, [spec], request=request)
        return taken.id

    async def show(id: str) -> Answer:
        return Answer(_row(call, await snapshots.get_snapshot(call.cloud, call.account, id)), 201)

    return await once_made(call, take, show)


async def act_on_snapshot(call: Call[NoQuery, SnapshotAction]) -> Answer:
    """202 with what has begun, or is done."""
    body = call.body
    if body.action != "clone" and (body.avoid or body.size_bytes is not None):
        raise Invalid("action", "avoid and size_bytes belong to clone")
    if body.action != "edit" and not (body.meta is None and body.tags is None):
        raise Invalid("action", "meta and tags are changed by edit")
    if body.action == "delete" and body.name is not None:
        raise Invalid("name", "belongs to edit and clone")
    if body.action == "clone" and body.if_version is not None:
        raise Invalid("if_version", "belongs to edit and delete: a clone changes nothing of the snapshot")
    return await once(call, lambda: _act(call))


async def _act(call: Call[NoQuery, SnapshotAction]) -> Answer:
    body, cloud, account, id = call.body, call.cloud, call.account, call.path["id"]
    outcome: SnapshotOutcome = {"snapshot": None, "drive": None, "task": None}
    match body.action:
        case "edit":
            changes = SnapshotChanges(body.name, body.meta, None if body.tags is None else tuple(body.tags))
            edited = await snapshots.edit_snapshot(
                cloud, account, id, changes, if_version=body.if_version, request=call.request
            )
            outcome["snapshot"] = _row(call, edited)
        case "delete":
            await snapshots.delete_snapshot(cloud, account, id, if_version=body.if_version, request=call.request)
        case "clone":
            avoid = tuple(body.avoid)
            begun = await snapshots.clone_snapshot(
                cloud, account, id, name=body.name, size_bytes=body.size_bytes, avoid=avoid, request=call.request
            )
            row: Any = reads.drive_row(call, begun.drive)
            outcome["drive"] = row
            outcome["task"] = None if begun.task is None else reads.task_row(call, begun.task, begun.drive.name)
            entries = await avoiding.of_drive(cloud, account, begun.drive, avoid)
            outcome["separation"] = separation.rows(call, entries)
    return Answer(outcome, 202)
