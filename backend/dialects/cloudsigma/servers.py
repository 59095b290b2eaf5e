"""`/servers/` and its filtered view `/bservers/`: the same objects, the same handlers.

Source: CloudSigma API 2.0, "Servers", "Backfilling", "Availability Grouping and Avoid".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import CloudError, Invalid, Unreachable, WrongState
from backend.cloud.model import Drive, PartialDrive, PartialServer, Server, ServerState, Size
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, render, table
from backend.dialects.cloudsigma.bodies import Mount, Nic, ServerCloned, ServerSent
from backend.dialects.cloudsigma.render import Directory
from backend.dialects.cloudsigma.table import Call, Window
from backend.operations import availability, editing, server_clones
from backend.operations import drives as drive_operations
from backend.operations import servers as operations
from backend.operations.clone_plans import CloneSpec

# -------------------------------------------------------------------------------------------------------------- reading


async def list_short(call: Call) -> Response:
    return await call.kept(lambda: _list(call, render.SERVER_SHORT))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: _list(call, ()))


async def _list(call: Call, fields: tuple[str, ...]) -> dict[str, Any]:
    window = Window.of(call)
    filters = table.filters_of(call)
    # A filter has to look at everything.
    offset, limit = (0, None) if filters else (window.offset, window.limit or None)
    listing = await operations.list_servers(
        call.cloud, call.account, is_backfilling=True if call.only_backfilling else None, offset=offset, limit=limit
    )
    directory = await call.directory()
    attached = await _drives_of(call, listing.items)
    fields = window.fields or fields
    if not fields and not filters:
        objects = [_kept(call, item, attached, directory) for item in listing.items]
        return window.envelope(objects, listing.total)
    details = [_detail(item, attached, directory) for item in listing.items]
    if filters:
        details = [detail for detail in details if table.passes(detail, filters)]
        total, details = len(details), list(window.cut(details))
    else:
        total = listing.total
    return window.envelope([table.only_fields(each, fields) if fields else each for each in details], total)


async def get(call: Call) -> Response:
    item = await _find(call)
    detail = _detail(item, await _drives_of(call, [item]), await call.directory())
    fields = wire.comma_list(call.word("fields"))
    return wire.JsonAnswer(table.only_fields(detail, fields) if fields else detail)


async def runtime(call: Call) -> Response:
    """Only of a running server; of any other an empty object, as clients cannot take a null."""
    item = await _find(call)
    return wire.JsonAnswer(_detail(item, {}, await call.directory())["runtime"] or {})


async def availability_groups(call: Call) -> Response:
    groups = await availability.server_groups(call.cloud, call.account)
    if call.only_backfilling:
        listing = await operations.list_servers(call.cloud, call.account, is_backfilling=True)
        backfilling = {item.id for item in listing.items}
        groups = [[id for id in group if id in backfilling] for group in groups]
    return wire.JsonAnswer([group for group in groups if group])


async def availability_group(call: Call) -> Response:
    await _find(call)
    return wire.JsonAnswer(await availability.server_group(call.cloud, call.account, call.uuid))


async def _find(call: Call) -> Server | PartialServer:
    return await operations.get_server(call.cloud, call.account, call.uuid, only_backfilling=call.only_backfilling)


async def _find_reachable(call: Call) -> Server:
    """Raises NotFound, Unreachable."""
    found = await _find(call)
    if isinstance(found, PartialServer):
        raise Unreachable(found.cell, call.cloud.store.reachability(found.cell).reason)
    return found


async def _drives_of(call: Call, items: Sequence[Server | PartialServer]) -> dict[str, list[Drive]]:
    return await drive_operations.drives_of(call.cloud, [item.id for item in items if isinstance(item, Server)])


def _detail(
    item: Server | PartialServer, attached: Mapping[str, Sequence[Drive]], directory: Directory
) -> dict[str, Any]:
    if isinstance(item, PartialServer):
        return render.partial_server_detail(item, directory)
    return render.server_detail(item, attached.get(item.id, ()), directory)


def _kept(
    call: Call, item: Server | PartialServer, attached: Mapping[str, Sequence[Drive]], directory: Directory
) -> Any:
    """As finished JSON: an object depends on the versions of the server and of its drives, and on nothing else."""
    if isinstance(item, PartialServer):
        return render.partial_server_detail(item, directory)
    drives = attached.get(item.id, ())
    version = (item.version, *((drive.id, drive.version) for drive in drives))
    return call.context.server_objects.of(item.id, version, lambda: render.server_detail(item, drives, directory))


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
    objects = [_detail(server, attached, directory) for server in made]
    return table.created(objects, objects[0]["resource_uri"])


def _spec(call: Call, wish: Wish) -> operations.ServerSpec:
    sent = wish.sent
    return operations.ServerSpec(
        name=sent.name,
        size=Size(sent.cpu, sent.mem),
        smp=sent.smp,
        is_backfilling=sent.is_grey or call.only_backfilling,
        floor_permille=(wire.permille(sent.cpu_perf_threshold), wire.permille(sent.mem_perf_threshold)),
        meta=sent.meta,
        tags=wish.tags,
        attributes={**{name: getattr(sent, name) for name in bodies.PLAIN_ATTRIBUTES}, "nics": wish.nics},
    )


async def edit(call: Call) -> Response:
    """Of a server that is not stopped only name, meta and tags change; the rest is ignored in silence, as published."""
    server = await _find_reachable(call)
    directory = await call.directory()
    sent = wire.validated(ServerSent, await call.content())
    given = sent.model_fields_set
    tags = directory.words(sent.tags, server.project_id, server.tags)
    is_stopped = server.state is ServerState.STOPPED
    nics = _nics(sent.nics, server) if is_stopped and "nics" in given else server.attributes.get("nics", [])
    mounts = bodies.channels(sent.drives) if is_stopped and "drives" in given else None
    for mount, _ in mounts or ():
        await _require_free(call, mount.drive, server_id=server.id)
    floors = (
        wire.permille(sent.cpu_perf_threshold) if "cpu_perf_threshold" in given else server.floor_permille[0],
        wire.permille(sent.mem_perf_threshold) if "mem_perf_threshold" in given else server.floor_permille[1],
    )
    plain = {name: getattr(sent, name) for name in bodies.PLAIN_ATTRIBUTES if name in given}
    changes = editing.ServerChanges(
        name=sent.name,
        size=Size(sent.cpu, sent.mem),
        smp=sent.smp if "smp" in given else None,
        is_backfilling=sent.is_grey if "is_grey" in given else None,
        floor_permille=floors,
        meta=sent.meta if "meta" in given else None,
        tags=tags if "tags" in given else None,
        attributes={**server.attributes, **plain, "nics": nics},
    )
    edited = await editing.edit_server(
        call.cloud, call.account, server.id, changes, only_backfilling=call.only_backfilling
    )
    if mounts is not None:
        await _remount(call, server.id, mounts)
    return wire.JsonAnswer(_detail(edited, await _drives_of(call, [edited]), directory))


async def delete(call: Call) -> Response:
    recurse = call.word("recurse") or "none"
    await operations.delete_server(
        call.cloud, call.account, call.uuid, recurse=recurse, only_backfilling=call.only_backfilling
    )
    return table.gone()


async def act(call: Call) -> Response:
    """Actions: start and clone, with `avoid`, stop and shutdown. Only a clone's body has an effect.

    Source: CloudSigma API 2.0, servers, "Server Actions".
    """
    action = call.word("do")
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    cloud, account, only = call.cloud, call.account, call.only_backfilling
    match action:
        case "start":
            await operations.start_server(cloud, account, call.uuid, avoid=call.avoid, only_backfilling=only)
        case "stop" | "shutdown":
            await operations.stop_server(cloud, account, call.uuid, action=action, only_backfilling=only)
        case "clone":
            return await _clone(call, content)
        case _:
            raise Invalid("do", "must be one of start, stop, shutdown, clone")
    return table.accepted(action, call.uuid)


async def _clone(call: Call, content: Any) -> Response:
    """202 with the clone as a bare object. It is stopped, and its drives are `cloning_dst` for a while.

    Source: CloudSigma API 2.0, "Server Actions"; "Availability Groups and Avoid", "drives-avoid". Simplified: a mounted
    cdrom is copied, not shared; the jobs of a clone are not published yet.
    """
    sent = wire.validated(ServerCloned, content)
    attributes = {"vnc_password": secrets.token_urlsafe(9)} if sent.random_vnc_password else None
    spec = CloneSpec(sent.name, call.avoid, attributes=attributes)
    begun = await server_clones.clone_server(
        call.cloud, call.account, call.uuid, spec, only_backfilling=call.only_backfilling
    )
    attached = {begun.server.id: [each.drive for each in begun.copies]}
    return wire.JsonAnswer(_detail(begun.server, attached, await call.directory()), 202)


# --------------------------------------------------------------------------------------------------------------- mounts


async def _require_free(call: Call, drive_id: str, *, server_id: str | None) -> None:
    """Raises NotFound, Unreachable, WrongState unless the drive can be mounted, or is mounted on this server."""
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


async def _remount(call: Call, server_id: str, mounts: Sequence[tuple[Mount, str]]) -> None:
    """Detach what is no longer listed, attach what is new, move what has another channel; leave the rest alone."""
    attached = (await drive_operations.drives_of(call.cloud, [server_id])).get(server_id, [])
    wanted = {mount.drive: (mount.device, channel, mount.boot_order) for mount, channel in mounts}
    for drive in attached:
        if drive.id not in wanted:
            await drive_operations.detach_drive(call.cloud, call.account, drive.id)
    have = {drive.id: (drive.device, drive.channel, drive.boot_order) for drive in attached}
    await _attach(call, server_id, [each for each in mounts if have.get(each[0].drive) != wanted[each[0].drive]])


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
