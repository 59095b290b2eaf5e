"""Servers that are made and started in one go: on a copy of an image, or on drives that are there already.

The server and its boot drive lie in the same cell. Both are reserved in one transaction of cloud.db; then one
transaction of the cell makes them, attaches what the server is to have, and starts it; then both are acknowledged
centrally. A crash in between is finished or undone by `recovery`, as with any other create.

A server that no host has room for is made all the same, stopped, and says why in `reason`: whoever asked for it has
been told that it is being built. Its boot drive is not made.

An image is copied (see `library`) in less time than a start takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.catalogue import Image
from backend.cloud.errors import Conflict, Forbidden, NoCapacity, NotFound, Unreachable
from backend.cloud.model import (
    DISPLACED,
    HOST_LOST,
    STORAGE_LOST,
    Account,
    Drive,
    DriveState,
    PartialDrive,
    Server,
    ServerState,
    Size,
)
from backend.cloud.placement import NoValidHost, Placement
from backend.operations import (
    Cloud,
    Settings,
    apart,
    cells,
    check_version,
    drives,
    funds,
    library,
    losses,
    quotas,
    rooms,
    server_groups,
    servers,
    settling,
)
from backend.operations.apart import MEMBER_OF
from backend.operations.drives import DELETE_WITH, LOCAL_TO
from backend.operations.servers import entry_for
from backend.store import CellTransaction, CloudTransaction, ServerEntry, ServerGroup


@dataclass(frozen=True, slots=True)
class Volume:
    """A drive that is there already, and whether it goes with the server."""

    drive_id: str
    is_deleted_with_server: bool = False


@dataclass(frozen=True, slots=True)
class BootSpec:
    """What is to be booted. Without an image the first of the volumes is what it boots from."""

    name: str
    size: Size
    flavor: str
    image: Image | None = None
    boot_drive_bytes: int = 0
    """Of the drive that is made from the image; 0 without one."""
    is_local: bool = True
    """Whether that drive is the server's own disk; else it is a volume, and the server is one booted from a volume."""
    keeps_boot_drive: bool = False
    """Whether that drive stays when the server is deleted."""
    volumes: Sequence[Volume] = ()
    zone: str | None = None
    """The cell that was asked for."""
    group_id: str | None = None
    security_groups: tuple[str, ...] = ()
    smp: int = 1
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def found_no_host(server: Server) -> bool:
    """Whether it never ran because its boot found no host; `reason` says why."""
    return (
        server.state is ServerState.STOPPED
        and not server.has_run
        and server.reason not in (None, DISPLACED, HOST_LOST, STORAGE_LOST)
    )


# --- one transaction in the server's cell ----------------------------------------------------------------------------


def boot_in_cell(
    tx: CellTransaction,
    server: Server,
    boot: Drive | None,
    volumes: Sequence[Volume],
    *,
    now: datetime,
    settings: Settings,
    group: ServerGroup | None,
    image: Image | None,
    actor: str,
) -> Server:
    """Make the server and its boot drive, attach, start. Raises NotFound, WrongState, for a volume that is not free."""
    if not tx.add_server(server, at=now, actor=actor):
        return tx.server(server.id)
    added = tx.server(server.id)
    avoid = _others_of(tx, added, group)
    never = avoid if group is not None and group.is_hard else ()
    found = apart.choose(tx, added, now=now, settings=settings, avoid=avoid, never=never)
    storage = (
        None
        if boot is None
        else placement.place_drive(boot.size_bytes, tx.storage_loads(), ranks={}, policy=settings.placement)
    )
    refused = found if isinstance(found, NoCapacity) else _no_storage(server, storage)
    if isinstance(refused, NoCapacity):
        why = replace(added, reason=str(refused))
        return tx.save_server(added, why, kind="server.boot_refused", at=now, actor=actor)
    if boot is not None:
        assert image is not None, "a boot drive is a copy of an image"
        assert isinstance(storage, placement.DrivePlacement), "what found no host was refused"
        _add_boot_drive(tx, replace(boot, host=storage.host), image, server.id, now=now, actor=actor)
    for place, volume in enumerate(volumes, 0 if boot is None else 1):
        _attach(tx, volume, server.id, place, now=now, actor=actor)
    assert isinstance(found, Placement), "what found no host was refused"
    rooms.move_in(tx, tx.server(server.id), found, now=now, settings=settings, avoid=avoid, actor=actor)
    return tx.server(server.id)


def _others_of(tx: CellTransaction, server: Server, group: ServerGroup | None) -> tuple[str, ...]:
    return apart.others_of_group(tx, server, None if group is None else group.id)


def _no_storage(server: Server, found: placement.DrivePlacement | NoValidHost | None) -> NoCapacity | None:
    if isinstance(found, NoValidHost):
        return NoCapacity(f"the boot drive of server {server.name or server.id}", found.counted())
    return None


def _add_boot_drive(
    tx: CellTransaction, boot: Drive, image: Image, server_id: str, *, now: datetime, actor: str
) -> None:
    attached = replace(
        boot,
        server_id=server_id,
        device="virtio",
        channel="0:0",
        boot_order=1,
    )
    library.begin_copy(tx, attached, image, now=now, actor=actor)


def _attach(tx: CellTransaction, volume: Volume, server_id: str, place: int, *, now: datetime, actor: str) -> None:
    attached = drives.attach_in_cell(
        tx,
        volume.drive_id,
        server_id,
        now=now,
        device="virtio",
        channel=f"{place // 6}:{place % 6}",
        boot_order=place + 1,
        actor=actor,
    )
    if volume.is_deleted_with_server:
        marked = replace(attached, attributes={**attached.attributes, DELETE_WITH: server_id})
        tx.save_drive(attached, marked, kind="drive.edited", at=now, actor=actor)


def halt_in_cell(tx: CellTransaction, server_id: str, *, now: datetime, settings: Settings, actor: str) -> None:
    """The power cord, at once and in any state: for a server that is about to be deleted. Raises NotFound."""
    server = tx.server(server_id)
    if server.host is not None:
        rooms.move_out(tx, server, now=now, settings=settings, kind="server.stopped", actor=actor)
    elif server.state is not ServerState.STOPPED:
        stopped = replace(server, state=ServerState.STOPPED, state_since=now, reason=None, lost_from=None)
        tx.save_server(server, stopped, kind="server.stopped", at=now, actor=actor)


# --- operations ------------------------------------------------------------------------------------------------------


async def boot_server(cloud: Cloud, actor: Account, spec: BootSpec) -> Server:
    """Make and start a server in the account's project. Without room it is made stopped: see `found_no_host`.

    Raises:
        Invalid, Forbidden, NotFound, NoFunds, WrongState, Conflict, OverQuota, Unreachable, OutcomeUnknown.
    """
    if not actor.may_change(actor.project_id):
        raise Forbidden("create a server", "this account may not change the project")
    servers.check_size(spec.size)
    servers.check_name(spec.name)
    await funds.check_new(cloud, actor.name, "the server", size=spec.size)
    named = await _cell_of_volumes(cloud, actor, spec)
    group, members = (None, []) if spec.group_id is None else await _group(cloud, actor, spec.group_id)
    # A cell that falls silent between the choice and the work is not chosen again.
    for _ in cloud.store.cell_names:
        cell = await cells.choose(cloud, spec.size, actor, is_backfilling=False, avoid=tuple(members), cell=named)
        try:
            return await _boot_in(cloud, actor, spec, cell=cell, group=group)
        except Unreachable:
            if named is not None:
                raise
    raise Unreachable("", "no cell answers")


async def _group(cloud: Cloud, actor: Account, group_id: str) -> server_groups.GroupWithMembers:
    found = await server_groups.get_group(cloud, actor, group_id)
    if found[0].project_id != actor.project_id:
        raise NotFound("server group", group_id)
    return found


async def _cell_of_volumes(cloud: Cloud, actor: Account, spec: BootSpec) -> str | None:
    """The cell that was asked for, or that the volumes lie in: a booted server has all its drives in its own cell."""
    cell = spec.zone
    for volume in spec.volumes:
        drive = await drives.get_drive(cloud, actor, volume.drive_id)
        if drive.project_id != actor.project_id:
            raise NotFound("drive", volume.drive_id)
        if isinstance(drive, PartialDrive):
            raise Unreachable(drive.cell, cloud.store.reachability(drive.cell).reason)
        if cell is not None and drive.cell != cell:
            raise Conflict(f"Volume {drive.id} lies in zone {drive.cell}, and the server would lie in {cell}.")
        cell = drive.cell
    return cell


async def _boot_in(cloud: Cloud, actor: Account, spec: BootSpec, *, cell: str, group: ServerGroup | None) -> Server:
    now = cloud.clock.now()
    tags, attributes = spec.tags, spec.attributes
    if group is not None:
        tags = tuple(dict.fromkeys((*tags, server_groups.tag_of(group))))
        attributes = {**attributes, MEMBER_OF: group.id}
    server = Server(
        id="",
        name=spec.name,
        cell=cell,
        project_id=actor.project_id,
        owner=actor.name,
        size=spec.size,
        created_at=now,
        state_since=now,
        smp=spec.smp,
        meta=spec.meta,
        tags=tags,
        attributes=attributes,
    )
    reserved, boot = await cloud.store.cloud_write(lambda tx: _reserve(tx, server, spec))
    ids = {reserved.id} if boot is None else {reserved.id, boot.id}
    cloud.live |= ids
    try:
        return await settling.carried_out(
            cloud,
            cell,
            lambda tx: boot_in_cell(
                tx,
                reserved,
                boot,
                spec.volumes,
                now=now,
                settings=cloud.settings,
                group=group,
                image=spec.image,
                actor=actor.name,
            ),
            acknowledged=lambda tx, stored: _acknowledge(tx, stored, boot, spec.volumes),
            given_back=lambda tx: _give_back(tx, reserved, boot),
        )
    finally:
        cloud.live -= ids


def _reserve(tx: CloudTransaction, server: Server, spec: BootSpec) -> tuple[Server, Drive | None]:
    """The ids, the quota and the entries of the server and its boot drive, in one transaction."""
    if spec.group_id is not None:
        tx.server_group(spec.group_id)
    quotas.check(tx, server.project_id, servers=1, size=server.size, storage_bytes=spec.boot_drive_bytes)
    server = replace(server, id=tx.next_id(server.cell))
    tx.add_server_entry(
        replace(
            servers.entry_of(server, state="building"),
            flavor=spec.flavor,
            image=spec.image.id if spec.image is not None and spec.is_local else None,
            zone=spec.zone,
            server_group=spec.group_id,
            security_groups=spec.security_groups,
        )
    )
    if spec.image is None:
        return server, None
    attributes = {library.FROM_IMAGE: spec.image.id}
    if spec.is_local:
        attributes[LOCAL_TO] = server.id
    if not spec.keeps_boot_drive:
        attributes[DELETE_WITH] = server.id
    boot = Drive(
        id=tx.next_id(server.cell),
        name=f"{server.name[:250]}-boot",
        cell=server.cell,
        project_id=server.project_id,
        owner=server.owner,
        size_bytes=spec.boot_drive_bytes,
        host="",
        created_at=server.created_at,
        state_since=server.created_at,
        server_id=server.id,
        attributes=attributes,
    )
    tx.add_drive_entry(drives.entry_of(boot, state="building"))
    return server, boot


def _acknowledge(tx: CloudTransaction, server: Server, boot: Drive | None, volumes: Sequence[Volume]) -> None:
    servers.set_server_entry_state(tx, server.id, "active")
    if found_no_host(server):
        if boot is not None:
            tx.remove_drive_entry(boot.id)
        return
    if boot is not None:
        drives.set_drive_entry(tx, boot.id, state="active")
    for volume in volumes:
        drives.set_drive_entry(tx, volume.drive_id, server_id=server.id)


def _give_back(tx: CloudTransaction, server: Server, boot: Drive | None) -> None:
    tx.remove_server_entry(server.id)
    if boot is not None:
        tx.remove_drive_entry(boot.id)


async def start_member(cloud: Cloud, actor: Account, entry: ServerEntry, *, avoid: tuple[str, ...] = ()) -> None:
    """Start a stopped server: apart from the others of its group as the policy says, or else with this avoid list.

    Raises:
        NotFound, Forbidden, WrongState, NoCapacity, Unreachable, OutcomeUnknown.
    """
    if entry.server_group is None:
        await servers.start_server(cloud, actor, entry.id, avoid=avoid)
        return
    await entry_for(cloud, actor, entry.id, to_change=True)
    attached = await cloud.store.cloud_read(lambda tx: tx.drive_entries_of(entry.id))
    group, _ = await server_groups.get_group(cloud, actor, entry.server_group)
    has_foreign_drives = await losses.check_foreign_drives(cloud, entry, attached)
    await cloud.store.cell_write(
        entry.cell,
        lambda tx: _start_apart(tx, entry.id, group, now=cloud.clock.now(), settings=cloud.settings, actor=actor.name),
    )
    if has_foreign_drives:
        await losses.agree_on_storage(cloud, [entry.cell])


def _start_apart(
    tx: CellTransaction, server_id: str, group: ServerGroup, *, now: datetime, settings: Settings, actor: str
) -> None:
    server = tx.server(server_id)
    avoid = _others_of(tx, server, group)
    if group.is_hard and server.state is ServerState.STOPPED:
        found = apart.choose(tx, server, now=now, settings=settings, avoid=avoid, never=avoid)
        if isinstance(found, NoCapacity):
            raise found
    servers.start_in_cell(tx, server_id, now=now, settings=settings, avoid=avoid, actor=actor)


async def reboot_server(cloud: Cloud, actor: Account, server_id: str, *, is_hard: bool) -> Server:
    """The guest begins anew, on its host. Raises NotFound, Forbidden, WrongState, Unreachable, OutcomeUnknown.

    Simplified: it takes no time.
    """
    entry = await entry_for(cloud, actor, server_id, to_change=True)
    now = cloud.clock.now()

    def reboot(tx: CellTransaction) -> Server:
        server = tx.server(server_id)
        lifecycle.begin("server", server.id, "shutdown", server.state)
        again = replace(server, state_since=now)
        details = {"kind": "hard" if is_hard else "soft"}
        return tx.save_server(server, again, kind="server.rebooted", at=now, actor=actor.name, details=details)

    return await cloud.store.cell_write(entry.cell, reboot)


async def amend_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    change: Callable[[Server], Server],
    *,
    if_version: int | None = None,
) -> Server:
    """Change what a server is called and marked with, in any state: read and written in one transaction.

    `change` may alter name, meta, tags and attributes, and may refuse.

    Raises:
        NotFound, Forbidden, Conflict, Unreachable, OutcomeUnknown, and what `change` raises.
    """
    entry = await entry_for(cloud, actor, server_id, to_change=True)
    now = cloud.clock.now()

    def amend(tx: CellTransaction) -> Server:
        server = tx.server(server_id)
        check_version(server.version, if_version)
        wanted = change(server)
        after = replace(server, name=wanted.name, meta=wanted.meta, tags=wanted.tags, attributes=wanted.attributes)
        return tx.save_server(server, after, kind="server.edited", at=now, actor=actor.name)

    return await cloud.store.cell_write(entry.cell, amend)


async def delete_server(cloud: Cloud, actor: Account, server_id: str) -> None:
    """In any state, with the drives that were made for it or that go with it; the others stay.

    Raises:
        NotFound, Forbidden, WrongState, Conflict, Unreachable, OutcomeUnknown.
    """
    entry = await entry_for(cloud, actor, server_id, to_change=True)
    now = cloud.clock.now()
    attached = (await drives.drives_of(cloud, [server_id])).get(server_id, [])
    leaving: Collection[str] = {drive.id for drive in attached if drive.attributes.get(DELETE_WITH) == server_id}
    await cloud.store.cell_write(
        entry.cell, lambda tx: _ready_to_go(tx, server_id, leaving, now=now, settings=cloud.settings, actor=actor.name)
    )
    await servers.delete_server(cloud, actor, server_id, leaving=leaving)


def _ready_to_go(
    tx: CellTransaction, server_id: str, leaving: Collection[str], *, now: datetime, settings: Settings, actor: str
) -> None:
    """Stopped, and its drives whole: one that is still being copied from an image is not waited for."""
    halt_in_cell(tx, server_id, now=now, settings=settings, actor=actor)
    for drive in tx.drives_of(server_id):
        if drive.id in leaving and drive.state is DriveState.CLONING_DST:
            for task in tx.open_tasks_of(drive.id):
                if task.kind == "clone":
                    drives.end_create(tx, task, at=now)
