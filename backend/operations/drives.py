"""Drives: create with avoid, attach, detach, edit, delete, and reading them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.cells import partial_drive
from backend.cloud.errors import (
    CloudError,
    Forbidden,
    Invalid,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
    Unreachable,
    WrongState,
)
from backend.cloud.model import (
    Account,
    Drive,
    DriveState,
    PartialDrive,
    ReachabilityState,
    Server,
    ServerState,
    Task,
    TaskState,
)
from backend.operations import Cloud, RequestKey, cells, check_version, funds, quotas, repeats, servers, settling
from backend.operations.plan_tokens import Agreed, check_agreed
from backend.store import CellTransaction, CloudTransaction, DriveEntry, EntryState

DELETE_WITH = "delete_with"
"""Attribute of an attached drive: the id of the server that takes it along when it is deleted."""
LOCAL_TO = "local_to"
"""Attribute of an attached drive: the id of the server that was booted from an image, and has it as its own disk."""

CLONED_WITH = "cloned_with"
"""Attribute of an attached drive: the id of the server that it was copied for, when that was cloned."""

_OF_ATTACHMENT = (DELETE_WITH, LOCAL_TO, CLONED_WITH)

SIZE_BYTES_MIN = 512 * 2**20
SIZE_BYTES_MAX = 15_492_389_427_364
"""The published limits of one drive. Source: CloudSigma API 2.0, capabilities, `dssd`."""


@dataclass(frozen=True, slots=True)
class DriveSpec:
    """What a new drive is to be."""

    name: str
    size_bytes: int
    media: str = "disk"
    avoid: tuple[str, ...] = ()
    """Ids of drives, or of servers, which stand for all their drives at one rank."""
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    cell: str | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class DriveListing:
    items: list[Drive | PartialDrive]
    total: int


# --- one transaction in the drive's cell -----------------------------------------------------------------------------


def add_in_cell(tx: CellTransaction, drive: Drive, *, now: datetime, policy: Any, ranks: Any, actor: str) -> Drive:
    """Choose the storage host and add the drive; it is `creating` until its task ends. Raises NoCapacity."""
    known = tx.find_drive(drive.id)
    if known is not None:
        return known
    found = placement.place_drive(drive.size_bytes, tx.storage_loads(), ranks=ranks, policy=policy)
    if isinstance(found, placement.NoValidHost):
        raise NoCapacity(f"drive {drive.name or drive.id}", found.counted())
    tx.add_drive(replace(drive, host=found.host), at=now, actor=actor)
    seconds = lifecycle.TRANSITIONS["drive"]["create"].duration_seconds
    tx.schedule("create", "drive", drive.id, begun_at=now, due_at=now + timedelta(seconds=seconds), actor=actor)
    return tx.drive(drive.id)


def end_create(tx: CellTransaction, task: Task, *, at: datetime) -> None:
    """The drive is whole: made, or cloned."""
    drive = tx.drive(task.object_id)
    state = DriveState.MOUNTED if drive.server_id else DriveState.UNMOUNTED
    tx.save_drive(drive, replace(drive, state=state, state_since=at), kind=f"drive.{state}", at=at, actor=task.actor)
    tx.end_task(task, TaskState.DONE, at=at)


def state_when_attached(drive: Drive, server_id: str | None) -> DriveState:
    """What it is then: one that is still being made becomes `mounted` when it is ready. Raises WrongState."""
    if drive.server_id is not None:
        if drive.server_id == server_id:
            return drive.state
        raise WrongState("drive", drive.id, "attach", "attached to another server", ("unmounted",))
    if drive.state in (DriveState.CREATING, DriveState.CLONING_DST):
        return drive.state
    lifecycle.begin("drive", drive.id, "attach", drive.state)
    return DriveState.MOUNTED


def attach_in_cell(
    tx: CellTransaction,
    drive_id: str,
    server_id: str,
    *,
    now: datetime,
    device: str,
    channel: str,
    boot_order: int | None,
    actor: str,
    if_version: int | None = None,
) -> Drive:
    """Raises WrongState, Conflict."""
    drive = tx.drive(drive_id)
    check_version(drive.version, if_version)
    state = state_when_attached(drive, server_id)
    attached = replace(
        drive,
        state=state,
        state_since=drive.state_since if state is drive.state else now,
        server_id=server_id,
        device=device,
        channel=channel,
        boot_order=boot_order,
        attributes=drive.attributes if drive.server_id == server_id else _unbound(drive.attributes),
    )
    return tx.save_drive(drive, attached, kind="drive.attached", at=now, actor=actor)


def _unbound(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Without what belongs to an attachment: also a copy of an attached drive has that of its source."""
    return {name: value for name, value in attributes.items() if name not in _OF_ATTACHMENT}


def is_cloned_with_server(drive: Drive) -> bool:
    """Whether it was made as the copy that a clone of a server has, and is still that server's."""
    return drive.server_id is not None and drive.attributes.get(CLONED_WITH) == drive.server_id


def detach_in_cell(
    tx: CellTransaction, drive_id: str, *, now: datetime, actor: str, if_version: int | None = None
) -> Drive:
    """Raises NotFound, WrongState, Conflict."""
    drive = tx.drive(drive_id)
    check_version(drive.version, if_version)
    if drive.server_id is None:
        raise WrongState("drive", drive.id, "detach", drive.state, (DriveState.MOUNTED,))
    state = DriveState.UNMOUNTED if drive.state is DriveState.MOUNTED else drive.state
    detached = replace(
        drive,
        state=state,
        state_since=now,
        server_id=None,
        device=None,
        channel=None,
        boot_order=None,
        attributes=_unbound(drive.attributes),
    )
    return tx.save_drive(drive, detached, kind="drive.detached", at=now, actor=actor)


def remove_in_cell(
    tx: CellTransaction, drive_id: str, *, now: datetime, actor: str, if_version: int | None, agreed: Agreed | None
) -> None:
    """Nothing if it has gone already. Raises WrongState, Conflict."""
    drive = tx.find_drive(drive_id)
    if drive is None:
        return
    check_agreed(tx, agreed, None, now)
    check_version(drive.version, if_version)
    lifecycle.begin("drive", drive.id, "delete", drive.state)
    for task in tx.open_tasks_of(drive.id):
        tx.end_task(task, TaskState.CANCELLED, at=now, result="the drive was deleted")
    tx.remove_drive(drive, at=now, actor=actor)


# --- operations ------------------------------------------------------------------------------------------------------


async def create_drive(cloud: Cloud, actor: Account, spec: DriveSpec, *, request: RequestKey | None = None) -> Drive:
    """Raises Invalid, Forbidden, NoFunds, OverQuota, NoCapacity, Unreachable, OutcomeUnknown. `avoid` never fails."""
    project_id = spec.project_id or actor.project_id
    if not actor.may_change(project_id):
        raise Forbidden("create a drive", "this account may not change the project")
    if not SIZE_BYTES_MIN <= spec.size_bytes <= SIZE_BYTES_MAX:
        raise Invalid("size", f"must be between {SIZE_BYTES_MIN} and {SIZE_BYTES_MAX}, not {spec.size_bytes}")
    if spec.media not in ("disk", "cdrom"):
        raise Invalid("media", "must be disk or cdrom")
    await funds.check_new(cloud, actor.name, "the drive", storage=spec.size_bytes)
    avoid_hosts = await hosts_to_avoid(cloud, actor, spec.avoid)
    cell = await cells.choose_for_drive(
        cloud, spec.size_bytes, actor, avoid_hosts=avoid_hosts, avoid=spec.avoid, cell=spec.cell
    )
    now = cloud.clock.now()
    drive = Drive(
        id="",
        name=spec.name,
        cell=cell,
        project_id=project_id,
        owner=actor.name,
        size_bytes=spec.size_bytes,
        host="",
        created_at=now,
        state_since=now,
        media=spec.media,
        avoid=spec.avoid,
        meta=spec.meta,
        tags=spec.tags,
        attributes=spec.attributes,
    )
    undone = await repeats.undone(cloud, request, CloudTransaction.find_drive_entry)
    reserved, is_new = await cloud.store.cloud_write(lambda tx: reserve_drive(tx, drive, request, undone))
    ranks = placement.avoided_ranks(spec.avoid, avoid_hosts)
    policy = cloud.settings.placement
    cloud.live.add(reserved.id)
    try:
        return await settling.carried_out(
            cloud,
            reserved.cell,
            lambda tx: add_in_cell(tx, reserved, now=now, policy=policy, ranks=ranks, actor=actor.name),
            acknowledged=lambda tx, _: set_drive_entry(tx, reserved.id, state="active"),
            given_back=(lambda tx: tx.remove_drive_entry(reserved.id)) if is_new else None,
        )
    finally:
        cloud.live.discard(reserved.id)


def reserve_drive(
    tx: CloudTransaction, drive: Drive, request: RequestKey | None, undone: str | None = None
) -> tuple[Drive, bool]:
    """As `servers.reserve_server`, for a drive."""
    entry = repeats.begun(tx, request, CloudTransaction.find_drive_entry, undone=undone)
    if entry is not None:
        return replace(drive, id=entry.id, cell=entry.cell, created_at=entry.created_at), False
    quotas.check(tx, drive.project_id, storage_bytes=drive.size_bytes)
    drive = replace(drive, id=tx.next_id(drive.cell))
    tx.add_drive_entry(entry_of(drive, state="building"))
    repeats.note_made(tx, request, drive)
    return drive, True


def entry_of(drive: Drive, *, state: EntryState) -> DriveEntry:
    return DriveEntry(
        id=drive.id,
        cell=drive.cell,
        project_id=drive.project_id,
        owner=drive.owner,
        created_at=drive.created_at,
        size_bytes=drive.size_bytes,
        server_id=drive.server_id,
        state=state,
    )


def set_drive_entry(tx: CloudTransaction, drive_id: str, **changes: Any) -> None:
    entry = tx.find_drive_entry(drive_id)
    if entry is not None:
        changed = replace(entry, **changes)
        if changed != entry:
            tx.save_drive_entry(changed)


async def hosts_to_avoid(cloud: Cloud, actor: Account, avoid: tuple[str, ...]) -> dict[str, list[str]]:
    """The storage hosts that each entry of an avoid list stands for: a drive's own, or those of a server's drives.

    Entries that are unknown, invisible or unreachable stand for none.
    Source: CloudSigma API 2.0, availability groups, "drives-avoid".
    """
    if not avoid:
        return {}
    wanted = list(dict.fromkeys(avoid))[:10_000]

    def find(tx: CloudTransaction) -> list[tuple[str, DriveEntry]]:
        found = [(each, entry) for each in wanted if (entry := tx.find_drive_entry(each)) is not None]
        for each in wanted:
            found.extend((each, entry) for entry in tx.drive_entries_of(each))
        return [(each, entry) for each, entry in found if actor.may_see(entry.project_id)]

    found = await cloud.store.cloud_read(find)
    drives = await read_drives(cloud, [entry for _, entry in found])
    hosts: dict[str, list[str]] = {}
    for (each, _), drive in zip(found, drives, strict=True):
        if isinstance(drive, Drive):
            hosts.setdefault(each, []).append(drive.host)
    return hosts


async def attach_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    server_id: str,
    *,
    device: str = "virtio",
    channel: str = "0:0",
    boot_order: int | None = None,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> Drive:
    """Attach to a stopped server.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, Unreachable, OutcomeUnknown.
    """
    if device not in ("virtio", "ide"):
        raise Invalid("device", "must be virtio or ide")
    entry = await entry_for(cloud, actor, drive_id, to_change=True)
    server_entry = await servers.entry_for(cloud, actor, server_id, to_change=True)
    await _require_stopped(cloud, server_entry.cell, server_id, "attach a drive to")

    def attach(tx: CellTransaction) -> Drive:
        now = cloud.clock.now()
        check_agreed(tx, agreed, None, now)
        return attach_in_cell(
            tx,
            drive_id,
            server_id,
            now=now,
            device=device,
            channel=channel,
            boot_order=boot_order,
            actor=actor.name,
            if_version=if_version,
        )

    once = repeats.once(cloud, request, attach, again=lambda tx, _: tx.drive(drive_id))
    drive: Drive = await cloud.store.cell_write(entry.cell, once)
    await settling.acknowledge(cloud, entry.cell, lambda tx: set_drive_entry(tx, drive_id, server_id=drive.server_id))
    return drive


async def require_server_stopped(cloud: Cloud, server_id: str, action: str) -> None:
    """Of a drive that is attached to it; one that is gone is no hindrance. Raises WrongState, Unreachable."""
    entry = await cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id))
    if entry is not None and entry.state != "deleting":
        await _require_stopped(cloud, entry.cell, server_id, action)


async def _require_stopped(cloud: Cloud, cell: str, server_id: str, action: str) -> Server:
    server = await cloud.store.cell_read(cell, lambda tx: tx.server(server_id))
    if server.state is not ServerState.STOPPED:
        raise WrongState("server", server_id, action, server.state, (ServerState.STOPPED,))
    return server


async def detach_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> Drive:
    """Detach from a stopped server. Raises NotFound, Forbidden, WrongState, Conflict, Unreachable, OutcomeUnknown."""
    entry = await entry_for(cloud, actor, drive_id, to_change=True)
    if entry.server_id is not None:
        await require_server_stopped(cloud, entry.server_id, "detach a drive from")

    def detach(tx: CellTransaction) -> Drive:
        now = cloud.clock.now()
        check_agreed(tx, agreed, None, now)
        return detach_in_cell(tx, drive_id, now=now, actor=actor.name, if_version=if_version)

    once = repeats.once(cloud, request, detach, again=lambda tx, _: tx.drive(drive_id))
    drive: Drive = await cloud.store.cell_write(entry.cell, once)
    await settling.acknowledge(cloud, entry.cell, lambda tx: set_drive_entry(tx, drive_id, server_id=drive.server_id))
    return drive


async def check_action(
    cloud: Cloud, actor: Account, drive: Drive, action: str, *, server_id: str | None
) -> Server | None:
    """Whether `attach`, `detach` or `delete` would be done now. Returns the server that it is about, if there is one.

    Raises:
        NotFound, Forbidden, WrongState, Unreachable.
    """
    wanted = server_id if action == "attach" else drive.server_id
    words = {"attach": "attach a drive to", "detach": "detach a drive from"}
    server: Server | None = None
    if wanted is not None and action in words:
        entry = await servers.entry_for(cloud, actor, wanted, to_change=action == "attach")
        server = await _require_stopped(cloud, entry.cell, wanted, words[action])
    if action == "attach":
        if drive.server_id not in (None, server_id):
            raise WrongState("drive", drive.id, "attach", "attached to another server", (DriveState.UNMOUNTED,))
        if drive.server_id is None and drive.state not in (DriveState.CREATING, DriveState.CLONING_DST):
            lifecycle.begin("drive", drive.id, "attach", drive.state)
    elif action == "detach":
        if drive.server_id is None:
            raise WrongState("drive", drive.id, "detach", drive.state, (DriveState.MOUNTED,))
    else:
        lifecycle.begin("drive", drive.id, "delete", drive.state)
    return server


async def check_deletable(cloud: Cloud, server_id: str, leaving: Iterable[Drive]) -> None:
    """Whether these drives of a server can be deleted with it. Raises WrongState, Unreachable."""
    for drive in leaving:
        if drive.state is not DriveState.MOUNTED:
            lifecycle.begin("drive", drive.id, "delete", drive.state)
    for entry in await cloud.store.cloud_read(lambda tx: tx.drive_entries_of(server_id)):
        if cloud.store.reachability(entry.cell).state is not ReachabilityState.UP:
            raise Unreachable(entry.cell, cloud.store.reachability(entry.cell).reason)


async def delete_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
    detaches: bool = False,
) -> None:
    """An attached drive has to be detached first; with `detaches` it is, from a server that is stopped.

    Raises:
        NotFound, Forbidden, WrongState, Conflict, Unreachable, OutcomeUnknown.
    """
    if await repeats.has_deleted(cloud, request, lambda tx: tx.find_drive_entry(drive_id)):
        return
    entry = await entry_for(cloud, actor, drive_id, to_change=True)
    if entry.server_id is not None:
        server_id = entry.server_id
        server_entry = await cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id))
        if server_entry is not None:
            await _require_stopped(cloud, server_entry.cell, server_id, "delete a drive of")
    is_detached_first = detaches and entry.server_id is not None
    await _delete(
        cloud,
        actor,
        entry,
        if_version=if_version,
        is_detached_first=is_detached_first,
        request=request,
        agreed=agreed,
    )


async def let_go(cloud: Cloud, actor: Account, attached: Iterable[Drive], going: Collection[str]) -> None:
    """Delete those drives of a server that is gone which are marked as going with it, and detach the others.

    The server is gone whatever becomes of them. What was lost or silenced since they were looked at stays, and is
    detached when its cell returns, or cloud.db takes it.
    """
    for drive in attached:
        try:
            if drive.id not in going or not await _is_deleted_too(cloud, actor, drive):
                await detach_drive(cloud, actor, drive.id)
        except (Unreachable, OutcomeUnknown):
            cloud.leave_unsettled(drive.cell)
        except CloudError:
            continue


async def _is_deleted_too(cloud: Cloud, actor: Account, drive: Drive) -> bool:
    entry = await cloud.store.cloud_read(lambda tx: tx.find_drive_entry(drive.id))
    try:
        if entry is not None:
            await _delete(cloud, actor, entry, is_detached_first=True)
    except (NotFound, WrongState):
        return False
    return True


async def _delete(
    cloud: Cloud,
    actor: Account,
    entry: DriveEntry,
    *,
    if_version: int | None = None,
    is_detached_first: bool = False,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> None:
    now, drive_id = cloud.clock.now(), entry.id

    def mark(tx: CloudTransaction) -> None:
        set_drive_entry(tx, drive_id, state="deleting")
        repeats.note(tx, request)

    def remove(tx: CellTransaction) -> None:
        version = if_version
        if is_detached_first and tx.find_drive(drive_id) is not None:
            detach_in_cell(tx, drive_id, now=now, actor=actor.name, if_version=if_version)
            version = None
        remove_in_cell(tx, drive_id, now=now, actor=actor.name, if_version=version, agreed=agreed)

    await cloud.store.cloud_write(mark)
    cloud.live.add(drive_id)
    try:
        await settling.carried_out(
            cloud,
            entry.cell,
            remove,
            acknowledged=lambda tx, _: tx.remove_drive_entry(drive_id),
            given_back=lambda tx: set_drive_entry(tx, drive_id, state="active"),
        )
    finally:
        cloud.live.discard(drive_id)


# --- reading ---------------------------------------------------------------------------------------------------------


async def entry_for(cloud: Cloud, actor: Account, drive_id: str, *, to_change: bool = False) -> DriveEntry:
    """What is centrally known of a drive that the account may see. Raises NotFound, Forbidden."""
    entry = await cloud.store.cloud_read(lambda tx: tx.find_drive_entry(drive_id))
    if entry is None or entry.state == "deleting" or not actor.may_see(entry.project_id):
        raise NotFound("drive", drive_id)
    if to_change and not actor.may_change(entry.project_id):
        raise Forbidden("change the drive", "this account may only look at it")
    return entry


async def get_drive(cloud: Cloud, actor: Account, drive_id: str) -> Drive | PartialDrive:
    """Raises NotFound."""
    entry = await entry_for(cloud, actor, drive_id)
    found = (await read_drives(cloud, [entry]))[0]
    if found is None:
        raise NotFound("drive", drive_id)
    return found


async def read_drives(cloud: Cloud, entries: Iterable[DriveEntry]) -> list[Drive | PartialDrive | None]:
    """The drives of these entries, in their order; partial where the cell does not answer, None where it has none."""
    wanted: dict[str, list[str]] = {}
    entries = list(entries)
    for entry in entries:
        wanted.setdefault(entry.cell, []).append(entry.id)
    answers = await cloud.store.each_cell(lambda tx: tx.drives(wanted[tx.cell]), cells=wanted)
    found: list[Drive | PartialDrive | None] = []
    for entry in entries:
        answer = answers[entry.cell]
        found.append(answer.get(entry.id) if isinstance(answer, dict) else partial_drive(entry))
    return found


async def list_drives(
    cloud: Cloud,
    actor: Account,
    *,
    offset: int = 0,
    limit: int | None = None,
    ids: Collection[str] | None = None,
) -> DriveListing:
    """In the order of creation; of these ids only, where they are given."""
    projects = servers.projects_of(actor)

    def find(tx: CloudTransaction) -> tuple[list[DriveEntry], int]:
        entries = tx.drive_entries(projects=projects, ids=ids, states=servers.LISTED, offset=offset, limit=limit)
        return entries, tx.count_drive_entries(projects=projects, ids=ids, states=servers.LISTED)

    entries, total = await cloud.store.cloud_read(find)
    return DriveListing([item for item in await read_drives(cloud, entries) if item is not None], total)


async def drives_of(cloud: Cloud, server_ids: Iterable[str]) -> dict[str, list[Drive]]:
    """The drives attached to each server, by channel; those in cells that do not answer are left out."""
    wanted = frozenset(server_ids)
    answers = await cloud.store.each_cell(lambda tx: tx.drives_of_servers(wanted))
    found: dict[str, list[Drive]] = {}
    for answer in answers.values():
        for drive in answer if isinstance(answer, list) else ():
            if drive.server_id is not None:
                found.setdefault(drive.server_id, []).append(drive)
    for drives in found.values():
        drives.sort(key=lambda drive: (drive.channel or "", drive.id))
    return found


async def silent_drives_of(cloud: Cloud, server_ids: Iterable[str]) -> dict[str, list[PartialDrive]]:
    """Those that `drives_of` leaves out, of each server that has any: all that is known is that they are attached."""
    store = cloud.store
    silent = [cell for cell in store.cell_names if store.reachability(cell).state is not ReachabilityState.UP]
    if not silent:
        return {}
    wanted = frozenset(server_ids)
    found: dict[str, list[PartialDrive]] = {}
    for entry in await store.cloud_read(lambda tx: tx.drive_entries(cells=silent, servers=wanted)):
        if entry.server_id is not None:
            found.setdefault(entry.server_id, []).append(partial_drive(entry))
    return found
