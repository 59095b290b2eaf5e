"""`/drives/`.

Source: CloudSigma API 2.0, "Drives", "Availability Grouping and Avoid". A drive is mounted and unmounted through its
server's list of drives.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.errors import CloudError, Invalid, Unreachable
from backend.cloud.model import Drive, PartialDrive
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, render, table
from backend.dialects.cloudsigma.bodies import DriveCloned, DriveEdited
from backend.dialects.cloudsigma.render import Directory
from backend.dialects.cloudsigma.table import Call, Window
from backend.operations import availability, clones
from backend.operations import drives as operations


async def list_short(call: Call) -> Response:
    return await call.kept(lambda: _list(call, render.DRIVE_SHORT))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: _list(call, ()))


async def _list(call: Call, fields: tuple[str, ...]) -> dict[str, Any]:
    window = Window.of(call)
    filters = table.filters_of(call)
    # A filter has to look at everything.
    offset, limit = (0, None) if filters else (window.offset, window.limit or None)
    listing = await operations.list_drives(call.cloud, call.account, offset=offset, limit=limit)
    directory = await call.directory()
    fields = window.fields or fields
    if not fields and not filters:
        return window.envelope([_kept(call, item, directory) for item in listing.items], listing.total)
    details = [_detail(item, directory) for item in listing.items]
    if filters:
        details = [detail for detail in details if table.passes(detail, filters)]
        total, details = len(details), list(window.cut(details))
    else:
        total = listing.total
    return window.envelope([table.only_fields(each, fields) if fields else each for each in details], total)


async def get(call: Call) -> Response:
    drive = await operations.get_drive(call.cloud, call.account, call.uuid)
    detail = _detail(drive, await call.directory())
    fields = wire.comma_list(call.word("fields"))
    return wire.JsonAnswer(table.only_fields(detail, fields) if fields else detail)


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
                tags=directory.words(sent.tags, call.account.project_id, ()),
                attributes={name: getattr(sent, name) for name in bodies.DRIVE_ATTRIBUTES},
            )
        )
        _check_size(specs[-1].size_bytes)
    made: list[Drive] = []
    try:
        for spec in specs:
            made.append(await operations.create_drive(call.cloud, call.account, spec))
    except CloudError:
        for drive in made:
            await operations.delete_drive(call.cloud, call.account, drive.id)
        raise
    objects = [_detail(drive, directory) for drive in made]
    return table.created(objects, objects[0]["resource_uri"])


def _check_size(size_bytes: int) -> None:
    if not operations.SIZE_BYTES_MIN <= size_bytes <= operations.SIZE_BYTES_MAX:
        limits = f"{operations.SIZE_BYTES_MIN} and {operations.SIZE_BYTES_MAX}"
        raise Invalid("size", f"must be between {limits}, not {size_bytes}")


async def edit(call: Call) -> Response:
    """Name, meta, tags and the attributes.

    Simplified: the published cloud resizes a drive whose size is changed; here another size or media is refused.
    """
    drive = await operations.get_drive(call.cloud, call.account, call.uuid)
    if isinstance(drive, PartialDrive):
        raise Unreachable(drive.cell, call.cloud.store.reachability(drive.cell).reason)
    sent = wire.validated(DriveEdited, await call.content())
    given = sent.model_fields_set
    if "size" in given and bodies.rounded_size(sent.size) != drive.size_bytes:
        raise Invalid("size", "cannot be changed")
    if "media" in given and sent.media != drive.media:
        raise Invalid("media", "cannot be changed")
    directory = await call.directory()
    attributes = {name: getattr(sent, name) for name in bodies.DRIVE_ATTRIBUTES if name in given}
    changes = operations.DriveChanges(
        name=sent.name if "name" in given else None,
        meta=sent.meta if "meta" in given else None,
        tags=directory.words(sent.tags, drive.project_id, drive.tags) if "tags" in given else None,
        attributes={**drive.attributes, **attributes} if attributes else None,
    )
    edited = await operations.edit_drive(call.cloud, call.account, drive.id, changes)
    return wire.JsonAnswer(_detail(edited, directory))


async def delete(call: Call) -> Response:
    await operations.delete_drive(call.cloud, call.account, call.uuid)
    return table.gone()


async def act(call: Call) -> Response:
    """The one action is clone, with `avoid`: 202 with the copy, which is `cloning_dst` until it is whole.

    Source: CloudSigma API 2.0, "Drives", "Availability Groups and Avoid". Simplified: the copy has its source's size.
    """
    action = call.word("do")
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    if action != "clone":
        raise Invalid("do", "must be clone")
    sent = wire.validated(DriveCloned, content)
    drive = await operations.get_drive(call.cloud, call.account, call.uuid)
    if isinstance(drive, PartialDrive):
        raise Unreachable(drive.cell, call.cloud.store.reachability(drive.cell).reason)
    if sent.size is not None and bodies.rounded_size(sent.size) != drive.size_bytes:
        raise Invalid("size", "cannot be changed by a clone")
    begun = await clones.clone_drive(
        call.cloud, call.account, drive.id, name=sent.name, media=sent.media, avoid=call.avoid
    )
    return wire.JsonAnswer({"objects": [_detail(begun.drive, await call.directory())]}, 202)


async def availability_groups(call: Call) -> Response:
    return wire.JsonAnswer(await availability.drive_groups(call.cloud, call.account))


async def availability_group(call: Call) -> Response:
    return wire.JsonAnswer(await availability.drive_group(call.cloud, call.account, call.uuid))


def _detail(item: Drive | PartialDrive, directory: Directory) -> dict[str, Any]:
    if isinstance(item, PartialDrive):
        return render.partial_drive_detail(item, directory)
    return render.drive_detail(item, directory)


def _kept(call: Call, item: Drive | PartialDrive, directory: Directory) -> Any:
    if isinstance(item, PartialDrive):
        return render.partial_drive_detail(item, directory)
    return call.context.drive_objects.of(item.id, item.version, lambda: render.drive_detail(item, directory))
