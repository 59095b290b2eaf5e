"""`/drives/`.

Source: CloudSigma API 2.0, "Drives", "Availability Grouping and Avoid". A drive is mounted and unmounted through its
server's list of drives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from backend.cloud.catalogue import find_image
from backend.cloud.errors import CloudError, Conflict, Invalid, Unreachable, WrongState
from backend.cloud.model import Drive, DriveState, PartialDrive, PartialServer, ServerState, Snapshot
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, libdrives, query, render, table
from backend.dialects.cloudsigma.bodies import DriveCloned, DriveEdited, DriveResized
from backend.dialects.cloudsigma.query import Loaded
from backend.dialects.cloudsigma.render import Directory
from backend.dialects.cloudsigma.schema import DRIVES
from backend.dialects.cloudsigma.table import Call
from backend.operations import availability, clones, editing, resizing, servers, snapshots
from backend.operations import drives as operations

EDITS_MAX = 3
"""How often a change is worked out anew when the drive has changed in between."""

Item = Drive | PartialDrive

# -------------------------------------------------------------------------------------------------------------- reading


async def list_short(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, DRIVES, lambda *window: _load(call, *window), is_detailed=False))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, DRIVES, lambda *window: _load(call, *window), is_detailed=True))


async def _load(call: Call, offset: int, limit: int | None) -> Loaded[Item]:
    listing = await operations.list_drives(call.cloud, call.account, offset=offset, limit=limit)
    directory = await call.directory()
    known: dict[str, list[Snapshot]] = {}
    for snapshot in await snapshots.list_snapshots(call.cloud, call.account):
        known.setdefault(snapshot.drive_id, []).append(snapshot)
    kept = call.context.drive_objects

    def keep(item: Item) -> Any:
        """An object depends on the version of the drive, its snapshots and what its tags are, and on nothing else."""
        if isinstance(item, PartialDrive):
            return detail_of(item, directory)
        of_it = known.get(item.id, [])
        version = (item.version, directory.tag_names.generation, *(snapshot.id for snapshot in of_it))
        return kept.of(item.id, version, lambda: render.drive_detail(item, directory, of_it))

    return Loaded(listing.items, listing.total, lambda item: detail_of(item, directory, known.get(item.id, [])), keep)


async def details_of(call: Call, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those that the account may see."""
    listing = await operations.list_drives(call.cloud, call.account, ids=ids)
    known = await snapshots.snapshots_of(call.cloud, [item.id for item in listing.items])
    directory = await call.directory()
    return [detail_of(item, directory, known.get(item.id, [])) for item in listing.items]


async def get(call: Call) -> Response:
    """A library drive can be looked at here too."""
    image = find_image(call.uuid)
    if image is not None:
        return query.one(call, libdrives.detail_of(image))
    drive = await operations.get_drive(call.cloud, call.account, call.uuid)
    return query.one(call, await _detail(call, drive), version=_version(drive))


async def availability_groups(call: Call) -> Response:
    return await call.kept(lambda: availability.drive_groups(call.cloud, call.account))


async def availability_group(call: Call) -> Response:
    return wire.JsonAnswer(await availability.drive_group(call.cloud, call.account, call.uuid))


def detail_of(item: Item, directory: Directory, known: list[Snapshot] | None = None) -> dict[str, Any]:
    if isinstance(item, PartialDrive):
        return render.partial_drive_detail(item, directory)
    return render.drive_detail(item, directory, known or ())


async def _detail(call: Call, item: Item) -> dict[str, Any]:
    known = await snapshots.snapshots_of(call.cloud, [item.id])
    return detail_of(item, await call.directory(), known.get(item.id, []))


def _version(item: Item) -> str | None:
    return str(item.version) if isinstance(item, Drive) else None


async def _find_reachable(call: Call, drive_id: str) -> Drive:
    """Raises NotFound, Unreachable."""
    drive = await operations.get_drive(call.cloud, call.account, drive_id)
    if isinstance(drive, PartialDrive):
        raise Unreachable(drive.cell, call.cloud.store.reachability(drive.cell).reason)
    return drive


# -------------------------------------------------------------------------------------------------------------- writing


async def create(call: Call) -> Response:
    """One or many, all or none: what was made before a failure is deleted again. `avoid` counts for each of them."""
    directory = await call.directory()
    specs = []
    for sent in bodies.drives_sent(await call.content()):
        specs.append(
            operations.DriveSpec(
                name=sent.name,
                size_bytes=bodies.rounded_size(sent.size),
                media=sent.media,
                avoid=call.avoid,
                meta=sent.meta,
                tags=await call.words(sent.tags, call.account.project_id, ()),
                attributes={name: getattr(sent, name) for name in bodies.DRIVE_ATTRIBUTES},
            )
        )
        _check_size(sent.size)
    made: list[Drive] = []
    try:
        for spec in specs:
            made.append(await operations.create_drive(call.cloud, call.account, spec))
    except CloudError:
        for drive in made:
            await operations.delete_drive(call.cloud, call.account, drive.id)
        raise
    objects = [detail_of(drive, directory) for drive in made]
    return table.created(objects, objects[0]["resource_uri"])


def _check_size(size_bytes: int) -> None:
    """As it was sent, before it is rounded. Raises Invalid."""
    if not operations.SIZE_BYTES_MIN <= bodies.rounded_size(size_bytes) <= operations.SIZE_BYTES_MAX:
        limits = f"{operations.SIZE_BYTES_MIN} and {operations.SIZE_BYTES_MAX}"
        raise Invalid("size", f"must be between {limits}, not {size_bytes}")


async def edit(call: Call) -> Response:
    """All that is sent. While a server runs on it only name, meta, tags and `allow_multimount` change, in silence.

    With another size the drive is resized, and is shown with its old one until that has ended.
    Source: CloudSigma API 2.0, "Drives", "Editing".
    """
    sent = wire.validated(DriveEdited, await call.content())
    libdrives.require_own(call.uuid, "change the drive")
    with call.alone():
        drive = await _find_reachable(call, call.uuid)
        query.check_match(call, str(drive.version))
        is_used = await _is_used(call, drive)
        edited = await _edit(call, drive, sent, is_used=is_used)
    return query.one(call, await _detail(call, edited), version=_version(edited))


async def _edit(call: Call, drive: Drive, sent: DriveEdited, *, is_used: bool) -> Drive:
    """What is likely to be refused comes first: a refusal changes nothing.

    What somebody else changes meanwhile stays as it is, as far as this request does not name it: it is worked out anew.
    """
    given = sent.model_fields_set
    tags = await call.words(sent.tags, drive.project_id, drive.tags) if "tags" in given else None
    size_bytes = bodies.rounded_size(sent.size)
    # What is shown while it is being resized may be sent back too.
    known = (drive.size_bytes, drive.attributes.get(resizing.RESIZED_FROM))
    if "size" in given and not is_used and size_bytes not in known:
        drive = await resizing.resize_drive(call.cloud, call.account, drive.id, size_bytes, if_version=drive.version)
    names = ("allow_multimount",) if is_used else bodies.DRIVE_ATTRIBUTES
    attributes = {name: getattr(sent, name) for name in names if name in given}
    for left in reversed(range(EDITS_MAX)):
        changes = editing.DriveChanges(
            name=sent.name if "name" in given else None,
            meta=sent.meta if "meta" in given else None,
            tags=tags,
            attributes={**drive.attributes, **attributes} if attributes else None,
            media=sent.media if "media" in given and not is_used else None,
        )
        try:
            return await editing.edit_drive(call.cloud, call.account, drive.id, changes, if_version=drive.version)
        except Conflict:
            if not left or "if-match" in call.request.headers:
                raise
            drive = await _find_reachable(call, drive.id)
    raise AssertionError("the last attempt ends it")


async def _is_used(call: Call, drive: Drive) -> bool:
    """Whether a server that is not stopped has it. Raises Unreachable."""
    if drive.server_id is None:
        return False
    server = await servers.get_server(call.cloud, call.account, drive.server_id)
    if isinstance(server, PartialServer):
        raise Unreachable(server.cell, call.cloud.store.reachability(server.cell).reason)
    return server.state is not ServerState.STOPPED


async def delete(call: Call) -> Response:
    """Mounted or not, as long as no server runs on it. Its snapshots go with it."""
    libdrives.require_own(call.uuid, "delete the drive")
    seen = None
    if "if-match" in call.request.headers:
        seen = (await _find_reachable(call, call.uuid)).version
        query.check_match(call, str(seen))
    await operations.delete_drive(call.cloud, call.account, call.uuid, if_version=seen, detaches=True)
    return table.gone()


async def delete_many(call: Call) -> Response:
    """All or none: what can be known is looked at before the first of them goes."""
    uuids = bodies.uuids_of(await call.content())
    for uuid in uuids:
        libdrives.require_own(uuid, "delete the drive")
        await operations.entry_for(call.cloud, call.account, uuid, to_change=True)
        drive = await _find_reachable(call, uuid)
        if drive.state not in (DriveState.UNMOUNTED, DriveState.MOUNTED):
            raise WrongState("drive", drive.id, "delete", drive.state, ("unmounted", "mounted"))
        if drive.server_id is not None:
            await operations.require_server_stopped(call.cloud, drive.server_id, "delete a drive of")
    for uuid in uuids:
        await operations.delete_drive(call.cloud, call.account, uuid, detaches=True)
    return table.gone()


# -------------------------------------------------------------------------------------------------------------- actions


async def act(call: Call) -> Response:
    """Clone, with `avoid`, and resize: 202 with the drive, which is `cloning_dst` or `resizing` for a while.

    Source: CloudSigma API 2.0, "Drives", "Availability Groups and Avoid".
    """
    action = call.word("do")
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    match action:
        case "clone":
            return await clone(call, content)
        case "resize":
            return await _resize(call, content)
        case _:
            raise Invalid("do", "must be one of clone, resize")


async def clone(call: Call, content: dict[str, Any]) -> Response:
    """Of a drive, or of a library drive, whichever path it came in by."""
    sent = wire.validated(DriveCloned, content)
    image = find_image(call.uuid)
    if image is not None:
        return await libdrives.clone(call, image, sent)
    drive = await _find_reachable(call, call.uuid)
    attributes = {name: value for name in ("storage_type", "affinities") if (value := getattr(sent, name)) is not None}
    begun = await clones.clone_drive(
        call.cloud,
        call.account,
        drive.id,
        name=sent.name,
        media=sent.media,
        size_bytes=None if sent.size is None else bodies.rounded_size(sent.size),
        attributes=attributes,
        avoid=call.avoid,
    )
    return wire.JsonAnswer({"objects": [detail_of(begun.drive, await call.directory())]}, 202)


async def _resize(call: Call, content: dict[str, Any]) -> Response:
    """A full update with another size: nothing of it where a server runs on the drive."""
    sent = wire.validated(DriveResized, content)
    libdrives.require_own(call.uuid, "resize the drive")
    with call.alone():
        drive = await _find_reachable(call, call.uuid)
        query.check_match(call, str(drive.version))
        if drive.server_id is not None:
            await operations.require_server_stopped(call.cloud, drive.server_id, "resize a drive of")
        if bodies.rounded_size(sent.size) == drive.size_bytes:
            raise Invalid("size", f"must be more than {drive.size_bytes}, which it is")
        edited = await _edit(call, drive, sent, is_used=False)
    return wire.JsonAnswer({"objects": [await _detail(call, edited)]}, 202)
