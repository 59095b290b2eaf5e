"""`/servers/` and its filtered view `/bservers/`: the same objects, the same handlers.

Source: CloudSigma API 2.0, "Servers", "Backfilling", "Availability Grouping and Avoid".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import Response

from backend.cloud.errors import CloudError, Conflict, Invalid, Unreachable, WrongState
from backend.cloud.model import Drive, PartialDrive, PartialServer, Server, ServerState, Size
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, libdrives, nics, query, render, table
from backend.dialects.cloudsigma.bodies import Mount, ServerSent
from backend.dialects.cloudsigma.query import Loaded
from backend.dialects.cloudsigma.render import Directory
from backend.dialects.cloudsigma.schema import SERVERS
from backend.dialects.cloudsigma.table import Call
from backend.operations import availability, editing, networks
from backend.operations import drives as drive_operations
from backend.operations import servers as operations
from backend.operations.networks import WiringSpec

EDITS_MAX = 3
"""How often a change is worked out anew when the server has changed in between."""

Item = Server | PartialServer
Attached = Mapping[str, Sequence[Drive | PartialDrive]]
"""The drives of each server, by channel, and behind them those whose cells do not answer."""

# -------------------------------------------------------------------------------------------------------------- reading


async def list_short(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, SERVERS, lambda *window: _load(call, *window), is_detailed=False))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, SERVERS, lambda *window: _load(call, *window), is_detailed=True))


async def _load(call: Call, offset: int, limit: int | None) -> Loaded[Item]:
    listing = await operations.list_servers(
        call.cloud, call.account, is_backfilling=True if call.only_backfilling else None, offset=offset, limit=limit
    )
    directory = await _directory(call, listing.items)
    attached = await _drives_of(call, listing.items)
    return Loaded(
        listing.items,
        listing.total,
        lambda item: detail_of(item, attached, directory),
        lambda item: _kept(call, item, attached, directory),
    )


async def details_of(call: Call, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those that the account may see."""
    items = await operations.find_servers(call.cloud, call.account, ids)
    attached, directory = await _drives_of(call, items), await _directory(call, items)
    return [detail_of(item, attached, directory) for item in items]


async def get(call: Call) -> Response:
    item = await _find(call)
    attached, directory = await _drives_of(call, [item]), await _directory(call, [item])
    return query.one(call, detail_of(item, attached, directory), version=_version(item, attached, directory))


async def runtime(call: Call) -> Response:
    """Only of a running server; of any other an empty object, as clients cannot take a null."""
    item = await _find(call)
    return wire.JsonAnswer(detail_of(item, {}, await _directory(call, [item]))["runtime"] or {})


async def availability_groups(call: Call) -> Response:
    """Under `/bservers/` there are only backfilling ones. Source: CloudSigma API 2.0, "Backfilling", compatibility."""
    only = call.only_backfilling
    return await call.kept(lambda: availability.server_groups(call.cloud, call.account, only_backfilling=only))


async def availability_group(call: Call) -> Response:
    await _find(call)
    only = call.only_backfilling
    group = await availability.server_group(call.cloud, call.account, call.uuid, only_backfilling=only)
    return wire.JsonAnswer(group)


async def _find(call: Call) -> Item:
    return await operations.get_server(call.cloud, call.account, call.uuid, only_backfilling=call.only_backfilling)


async def _find_reachable(call: Call) -> Server:
    """Raises NotFound, Unreachable."""
    found = await _find(call)
    if isinstance(found, PartialServer):
        raise Unreachable(found.cell, call.cloud.store.reachability(found.cell).reason)
    return found


async def _directory(call: Call, items: Sequence[Item]) -> Directory:
    return await call.directory([item.id for item in items])


async def _drives_of(call: Call, items: Sequence[Item]) -> Attached:
    ids = [item.id for item in items if isinstance(item, Server)]
    known, silent = (
        await drive_operations.drives_of(call.cloud, ids),
        await drive_operations.silent_drives_of(call.cloud, ids),
    )
    return {id: [*known.get(id, ()), *silent.get(id, ())] for id in known.keys() | silent.keys()}


def detail_of(item: Item, attached: Attached, directory: Directory) -> dict[str, Any]:
    if isinstance(item, PartialServer):
        return render.partial_server_detail(item, nics.details_centrally(item.id, directory), directory)
    return render.server_detail(item, attached.get(item.id, ()), nics.details(item, directory), directory)


def _kept(call: Call, item: Item, attached: Attached, directory: Directory) -> Any:
    """As finished JSON, where nothing has changed that it depends on."""
    if isinstance(item, PartialServer):
        return detail_of(item, attached, directory)
    directly = _versions(item, attached.get(item.id, ()), directory)
    version = (directly, directory.tag_names.generation, _passing(item, directory))
    return call.context.server_objects.of(item.id, version, lambda: detail_of(item, attached, directory))


def _versions(item: Server, attached: Sequence[Drive | PartialDrive], directory: Directory) -> tuple[Any, ...]:
    """What somebody has changed when it changes: the server, its drives, its interfaces and keys."""
    drives = tuple([(drive.id, drive.version if isinstance(drive, Drive) else None) for drive in attached])
    return item.version, drives, directory.wired.of(item.id)


def _passing(item: Server, directory: Directory) -> tuple[Any, ...]:
    """And that changes by itself, or with its owner: counters of traffic, and what the owner may not do."""
    if item.state is not ServerState.RUNNING or not directory.wired.of(item.id).interfaces:
        return ()
    account = directory.accounts.get(item.owner)
    profile = None if account is None else directory.wired.profiles.get(account.id)
    return nics.minute_of(directory.now), None if profile is None else profile.state


def _version(item: Item, attached: Attached, directory: Directory) -> str | None:
    """Of the whole object; None where its cell does not answer."""
    if isinstance(item, PartialServer):
        return None
    tag_ids = directory.tag_ids(item.project_id, item.tags)
    text = repr((_versions(item, attached.get(item.id, ()), directory), tag_ids))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# -------------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Wish:
    """One server that is asked for, with all of it checked that can be checked before anything is changed."""

    sent: ServerSent
    mounts: list[tuple[Mount, str]]
    wiring: WiringSpec
    tags: tuple[str, ...]


async def create(call: Call) -> Response:
    """One or many, all or none: everything is checked first, and what was made before a failure is deleted again."""
    wishes = []
    wanted_drives: set[str] = set()
    for sent in bodies.servers_sent(await call.content()):
        operations.check_size(Size(sent.cpu, sent.mem))
        mounts = bodies.channels(sent.drives)
        for mount, _ in mounts:
            if mount.drive in wanted_drives:
                raise Invalid("drives", f"drive {mount.drive} is asked for by two servers")
            wanted_drives.add(mount.drive)
            await _require_free(call, mount.drive, server_id=None)
        tags = await call.words(sent.tags, call.account.project_id, ())
        wishes.append(Wish(sent, mounts, nics.wiring_sent(sent), tags))
    await networks.check_wiring(call.cloud, call.account, [wish.wiring for wish in wishes])
    made: list[Server] = []
    try:
        for wish in wishes:
            made.append(await operations.create_server(call.cloud, call.account, _spec(call, wish)))
            await _attach(call, made[-1].id, wish.mounts)
            if wish.wiring != WiringSpec():
                await networks.wire(call.cloud, call.account, made[-1].id, wish.wiring)
    except CloudError:
        for server in made:
            await operations.delete_server(call.cloud, call.account, server.id)
        raise
    attached, directory = await _drives_of(call, made), await _directory(call, made)
    objects = [detail_of(server, attached, directory) for server in made]
    return table.created(objects, objects[0]["resource_uri"])


def _spec(call: Call, wish: Wish) -> operations.ServerSpec:
    sent = wish.sent
    plain = {name: getattr(sent, name) for name in bodies.PLAIN_ATTRIBUTES}
    cpu_type = sent.cpu_type if "cpu_type" in sent.model_fields_set else call.cloud.settings.default_cpu_type
    return operations.ServerSpec(
        name=sent.name,
        size=Size(sent.cpu, sent.mem),
        smp=sent.smp,
        is_backfilling=sent.is_grey or call.only_backfilling,
        floor_permille=(wire.permille(sent.cpu_perf_threshold), wire.permille(sent.mem_perf_threshold)),
        meta=sent.meta,
        tags=wish.tags,
        attributes={**plain, "cpu_type": cpu_type},
    )


async def edit(call: Call) -> Response:
    """Of a server that is not stopped only name, meta and tags change; the rest is ignored in silence, as published.

    What somebody else changes meanwhile stays as it is, as far as this request does not name it: it is worked out anew.
    """
    sent = wire.validated(ServerSent, await call.content())
    with call.alone():
        for left in reversed(range(EDITS_MAX)):
            server = await _find_reachable(call)
            attached, directory = await _drives_of(call, [server]), await _directory(call, [server])
            query.check_match(call, str(_version(server, attached, directory)))
            try:
                edited = await _edit(call, server, attached.get(server.id, ()), sent)
            except Conflict:
                if not left or "if-match" in call.request.headers:
                    raise
            else:
                break
    attached, directory = await _drives_of(call, [edited]), await _directory(call, [edited])
    return query.one(call, detail_of(edited, attached, directory), version=_version(edited, attached, directory))


async def _edit(call: Call, server: Server, attached: Sequence[Drive | PartialDrive], sent: ServerSent) -> Server:
    """First its drives, then the server itself; where that is refused, the drives are as they were. Raises Conflict."""
    given, is_stopped = sent.model_fields_set, server.state is ServerState.STOPPED
    changes = await _changes(call, server, sent)
    mounts = _mounts(call, attached, sent.drives) if is_stopped and "drives" in given else None
    for mount, _ in mounts or ():
        await _require_free(call, mount.drive, server_id=server.id)
    wiring = nics.wiring_sent(sent) if is_stopped else WiringSpec()
    if wiring != WiringSpec():
        await networks.check_rewiring(call.cloud, server, wiring)
    try:
        if mounts is not None:
            await _remount(call, server.id, _answering(attached), mounts)
        edited = await editing.edit_server(
            call.cloud,
            call.account,
            server.id,
            changes,
            if_version=server.version,
            only_backfilling=call.only_backfilling,
        )
    except CloudError:
        if mounts is not None:
            now_attached = (await drive_operations.drives_of(call.cloud, [server.id])).get(server.id, [])
            await _remount(call, server.id, now_attached, [_mounted(drive) for drive in _answering(attached)])
        raise
    if wiring != WiringSpec():
        await networks.wire(call.cloud, call.account, server.id, wiring, only_backfilling=call.only_backfilling)
    return edited


async def _changes(call: Call, server: Server, sent: ServerSent) -> editing.ServerChanges:
    given = sent.model_fields_set
    tags = await call.words(sent.tags, server.project_id, server.tags)
    floors = (
        wire.permille(sent.cpu_perf_threshold) if "cpu_perf_threshold" in given else server.floor_permille[0],
        wire.permille(sent.mem_perf_threshold) if "mem_perf_threshold" in given else server.floor_permille[1],
    )
    plain = {name: getattr(sent, name) for name in bodies.PLAIN_ATTRIBUTES if name in given}
    return editing.ServerChanges(
        name=sent.name,
        size=Size(sent.cpu, sent.mem),
        smp=sent.smp if "smp" in given else None,
        is_backfilling=sent.is_grey if "is_grey" in given else None,
        floor_permille=floors,
        meta=sent.meta if "meta" in given else None,
        tags=tags if "tags" in given else None,
        attributes={**server.attributes, **plain},
    )


async def delete(call: Call) -> Response:
    """With `recurse` the drives go too that it names."""
    seen = None
    if "if-match" in call.request.headers:
        item = await _find_reachable(call)
        query.check_match(call, str(_version(item, await _drives_of(call, [item]), await _directory(call, [item]))))
        seen = item.version
    await operations.delete_server(
        call.cloud,
        call.account,
        call.uuid,
        recurse=call.word("recurse") or "none",
        if_version=seen,
        only_backfilling=call.only_backfilling,
    )
    return table.gone()


async def delete_many(call: Call) -> Response:
    """All or none: what can be known is looked at before the first of them goes."""
    uuids, recurse = bodies.uuids_of(await call.content()), call.word("recurse") or "none"
    only = call.only_backfilling
    for uuid in uuids:
        await operations.check_deletable(call.cloud, call.account, uuid, recurse=recurse, only_backfilling=only)
    for uuid in uuids:
        await operations.delete_server(call.cloud, call.account, uuid, recurse=recurse, only_backfilling=only)
    return table.gone()


# --------------------------------------------------------------------------------------------------------------- mounts


def _mounts(call: Call, attached: Sequence[Drive | PartialDrive], sent: list[Mount]) -> list[tuple[Mount, str]] | None:
    """What is asked for of the server's drives; None: that they stay as they are.

    Raises:
        Invalid. Unreachable: one of them is in a cell that does not answer, and they are not to stay all and alone.
    """
    silent = next((drive for drive in attached if isinstance(drive, PartialDrive)), None)
    if silent is None:
        by_id = {drive.id: drive for drive in _answering(attached)}
        return bodies.channels([_as_it_is(by_id.get(mount.drive), mount) for mount in sent])
    if {mount.drive for mount in sent} != {drive.id for drive in attached}:
        raise Unreachable(silent.cell, call.cloud.store.reachability(silent.cell).reason)
    return None


def _answering(attached: Sequence[Drive | PartialDrive]) -> list[Drive]:
    return [drive for drive in attached if isinstance(drive, Drive)]


def _as_it_is(drive: Drive | None, mount: Mount) -> Mount:
    """A mount that was read while its drive's cell did not answer says nothing of where it is attached."""
    if mount.is_placed or drive is None:
        return mount
    boot_order = mount.boot_order or drive.boot_order
    return mount.model_copy(update={"device": drive.device, "dev_channel": drive.channel, "boot_order": boot_order})


async def _require_free(call: Call, drive_id: str, *, server_id: str | None) -> None:
    """Whether the drive can be mounted, or is mounted on this server.

    Raises:
        NotFound, Forbidden, Unreachable, WrongState.
    """
    libdrives.require_own(drive_id, "attach the drive")
    drive = await drive_operations.get_drive(call.cloud, call.account, drive_id)
    if isinstance(drive, PartialDrive):
        raise Unreachable(drive.cell, call.cloud.store.reachability(drive.cell).reason)
    if drive.server_id not in (None, server_id):
        raise WrongState("drive", drive_id, "mount", "mounted", ("unmounted",))
    drive_operations.state_when_attached(drive, server_id)


async def _attach(call: Call, server_id: str, mounts: Sequence[tuple[Mount, str]]) -> None:
    for mount, channel in mounts:
        await drive_operations.attach_drive(
            call.cloud,
            call.account,
            mount.drive,
            server_id,
            device=mount.device,
            channel=channel,
            boot_order=mount.boot_order,
        )


async def _remount(call: Call, server_id: str, attached: Sequence[Drive], mounts: Sequence[tuple[Mount, str]]) -> None:
    """Detach what is no longer listed, attach what is new, move what has another channel; leave the rest alone."""
    wanted = {mount.drive: (mount.device, channel, mount.boot_order) for mount, channel in mounts}
    for drive in attached:
        if drive.id not in wanted:
            await drive_operations.detach_drive(call.cloud, call.account, drive.id)
    have = {drive.id: (drive.device, drive.channel, drive.boot_order) for drive in attached}
    await _attach(call, server_id, [each for each in mounts if have.get(each[0].drive) != wanted[each[0].drive]])


def _mounted(drive: Drive) -> tuple[Mount, str]:
    """As it is attached."""
    device: Literal["virtio", "ide"] = "ide" if drive.device == "ide" else "virtio"
    return Mount(drive=drive.id, device=device, boot_order=drive.boot_order), drive.channel or "0:0"
