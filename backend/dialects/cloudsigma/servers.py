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
from backend.dialects.cloudsigma import bodies, libdrives, query, render, table
from backend.dialects.cloudsigma.bodies import Mount, Nic, ServerSent
from backend.dialects.cloudsigma.query import Loaded
from backend.dialects.cloudsigma.render import Directory
from backend.dialects.cloudsigma.schema import SERVERS
from backend.dialects.cloudsigma.table import Call
from backend.operations import availability, editing
from backend.operations import drives as drive_operations
from backend.operations import servers as operations

EDITS_MAX = 3
"""How often a change is worked out anew when the server has changed in between."""

Item = Server | PartialServer

# -------------------------------------------------------------------------------------------------------------- reading


async def list_short(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, SERVERS, lambda *window: _load(call, *window), is_detailed=False))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: query.page(call, SERVERS, lambda *window: _load(call, *window), is_detailed=True))


async def _load(call: Call, offset: int, limit: int | None) -> Loaded[Item]:
    listing = await operations.list_servers(
        call.cloud, call.account, is_backfilling=True if call.only_backfilling else None, offset=offset, limit=limit
    )
    directory = await call.directory()
    attached = await _drives_of(call, listing.items)
    return Loaded(
        listing.items,
        listing.total,
        lambda item: detail_of(item, attached, directory),
        lambda item: _kept(call, item, attached, directory),
    )


async def get(call: Call) -> Response:
    item = await _find(call)
    attached = await _drives_of(call, [item])
    return query.one(call, detail_of(item, attached, await call.directory()), version=_version(item, attached))


async def runtime(call: Call) -> Response:
    """Only of a running server; of any other an empty object, as clients cannot take a null."""
    item = await _find(call)
    return wire.JsonAnswer(detail_of(item, {}, await call.directory())["runtime"] or {})


async def availability_groups(call: Call) -> Response:
    groups = await availability.server_groups(call.cloud, call.account)
    if call.only_backfilling:
        backfilling = await _backfilling(call)
        groups = [[id for id in group if id in backfilling] for group in groups]
    return wire.JsonAnswer([group for group in groups if group])


async def availability_group(call: Call) -> Response:
    await _find(call)
    group = await availability.server_group(call.cloud, call.account, call.uuid)
    if call.only_backfilling:
        backfilling = await _backfilling(call)
        group = [id for id in group if id in backfilling]
    return wire.JsonAnswer(group)


async def _backfilling(call: Call) -> set[str]:
    """Under `/bservers/` there are only these. Source: CloudSigma API 2.0, "Backfilling", compatibility."""
    listing = await operations.list_servers(call.cloud, call.account, is_backfilling=True)
    return {item.id for item in listing.items}


async def _find(call: Call) -> Item:
    return await operations.get_server(call.cloud, call.account, call.uuid, only_backfilling=call.only_backfilling)


async def _find_reachable(call: Call) -> Server:
    """Raises NotFound, Unreachable."""
    found = await _find(call)
    if isinstance(found, PartialServer):
        raise Unreachable(found.cell, call.cloud.store.reachability(found.cell).reason)
    return found


async def _drives_of(call: Call, items: Sequence[Item]) -> dict[str, list[Drive]]:
    return await drive_operations.drives_of(call.cloud, [item.id for item in items if isinstance(item, Server)])


def detail_of(item: Item, attached: Mapping[str, Sequence[Drive]], directory: Directory) -> dict[str, Any]:
    if isinstance(item, PartialServer):
        return render.partial_server_detail(item, directory)
    return render.server_detail(item, attached.get(item.id, ()), directory)


def _kept(call: Call, item: Item, attached: Mapping[str, Sequence[Drive]], directory: Directory) -> Any:
    """As finished JSON: an object depends on the versions of the server and of its drives, and on nothing else."""
    if isinstance(item, PartialServer):
        return render.partial_server_detail(item, directory)
    drives = attached.get(item.id, ())
    version = (item.version, *((drive.id, drive.version) for drive in drives))
    return call.context.server_objects.of(item.id, version, lambda: render.server_detail(item, drives, directory))


def _version(item: Item, attached: Mapping[str, Sequence[Drive]]) -> str | None:
    """Of the whole object, with its drives; None where its cell does not answer."""
    if isinstance(item, PartialServer):
        return None
    drives = attached.get(item.id, ())
    text = ".".join((str(item.version), *(f"{drive.id}.{drive.version}" for drive in drives)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# -------------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Wish:
    """One server that is asked for, with all of it checked that can be checked before anything is changed."""

    sent: ServerSent
    mounts: list[tuple[Mount, str]]
    nics: list[dict[str, Any]]
    tags: tuple[str, ...]


async def create(call: Call) -> Response:
    """One or many, all or none: everything is checked first, and what was made before a failure is deleted again."""
    directory = await call.directory()
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
        tags = directory.words(sent.tags, call.account.project_id, ())
        wishes.append(Wish(sent, mounts, _nics(sent.nics, None), tags))
    made: list[Server] = []
    try:
        for wish in wishes:
            made.append(await operations.create_server(call.cloud, call.account, _spec(call, wish)))
            await _attach(call, made[-1].id, wish.mounts)
    except CloudError:
        for server in made:
            await operations.delete_server(call.cloud, call.account, server.id)
        raise
    attached = await _drives_of(call, made)
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
        attributes={**plain, "cpu_type": cpu_type, "nics": wish.nics},
    )


async def edit(call: Call) -> Response:
    """Of a server that is not stopped only name, meta and tags change; the rest is ignored in silence, as published.

    What somebody else changes meanwhile stays as it is, as far as this request does not name it: it is worked out anew.
    """
    sent = wire.validated(ServerSent, await call.content())
    with call.alone():
        for left in reversed(range(EDITS_MAX)):
            server = await _find_reachable(call)
            attached = await _drives_of(call, [server])
            query.check_match(call, str(_version(server, attached)))
            try:
                edited = await _edit(call, server, attached.get(server.id, []), sent)
            except Conflict:
                if not left or "if-match" in call.request.headers:
                    raise
            else:
                break
    attached = await _drives_of(call, [edited])
    return query.one(call, detail_of(edited, attached, await call.directory()), version=_version(edited, attached))


async def _edit(call: Call, server: Server, attached: Sequence[Drive], sent: ServerSent) -> Server:
    """First its drives, then the server itself; where that is refused, the drives are as they were. Raises Conflict."""
    given, is_stopped = sent.model_fields_set, server.state is ServerState.STOPPED
    changes = await _changes(call, server, sent)
    mounts = bodies.channels(sent.drives) if is_stopped and "drives" in given else None
    for mount, _ in mounts or ():
        await _require_free(call, mount.drive, server_id=server.id)
    try:
        if mounts is not None:
            await _remount(call, server.id, attached, mounts)
        return await editing.edit_server(
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
            await _remount(call, server.id, now_attached, [_mounted(drive) for drive in attached])
        raise


async def _changes(call: Call, server: Server, sent: ServerSent) -> editing.ServerChanges:
    directory, given = await call.directory(), sent.model_fields_set
    is_stopped = server.state is ServerState.STOPPED
    tags = directory.words(sent.tags, server.project_id, server.tags)
    nics = _nics(sent.nics, server) if is_stopped and "nics" in given else server.attributes.get("nics", [])
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
        attributes={**server.attributes, **plain, "nics": nics},
    )


async def delete(call: Call) -> Response:
    """With `recurse` the drives go too that it names."""
    seen = None
    if "if-match" in call.request.headers:
        item = await _find_reachable(call)
        query.check_match(call, str(_version(item, await _drives_of(call, [item]))))
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


# ----------------------------------------------------------------------------------------------------------------- nics


def _nics(sent: Sequence[Nic], server: Server | None) -> list[dict[str, Any]]:
    """What is kept of the nics: their number, which gives the mac, and what was asked for.

    A nic with a known mac keeps its number, one without a mac is new; nics that are not listed go.
    Source: CloudSigma API 2.0, "Network interfaces".

    Raises:
        Invalid: a mac that the server does not have; a vlan with an address; an address with dhcp; and references to
            addresses, vlans and policies, of which there are none yet.
    """
    known = {render.mac_of(server.id, int(nic["number"])): nic for nic in _stored_nics(server)} if server else {}
    highest = max((int(nic["number"]) for nic in known.values()), default=-1)
    found = []
    for nic in sent:
        _check_nic(nic)
        if nic.mac is None:
            highest += 1
            number = highest
        elif nic.mac in known:
            number = int(known.pop(nic.mac)["number"])
        else:
            raise Invalid("mac", f"the server has no network interface {nic.mac}")
        conf = nic.ip_v4_conf.conf if nic.ip_v4_conf else None
        found.append({"number": number, "conf": conf, "model": nic.model or "virtio", "boot_order": nic.boot_order})
    return found


def _stored_nics(server: Server) -> Sequence[Mapping[str, Any]]:
    return tuple(server.attributes.get("nics", ()))


def _check_nic(nic: Nic) -> None:
    if nic.vlan is not None and (nic.ip_v4_conf is not None or nic.ip_v6_conf is not None):
        raise Invalid("vlan", "cannot have an IP configuration too")
    if nic.ip_v4_conf is not None and nic.ip_v4_conf.conf == "dhcp" and nic.ip_v4_conf.ip is not None:
        raise Invalid("ip_v4_conf", "cannot have an address with dhcp")
    if nic.ip_v4_conf is not None and nic.ip_v4_conf.conf == "static":
        raise Invalid("ip_v4_conf", "the account has no such address")
    for field, value in (
        ("vlan", nic.vlan),
        ("firewall_policy", nic.firewall_policy),
        ("ip_v6_conf", nic.ip_v6_conf),
    ):
        if value is not None:
            raise Invalid(field, "the account has none")
