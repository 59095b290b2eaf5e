"""Clones of drives. The copy has a storage host of its own choosing, and takes as long as its bytes need to get there.

A clone stays on its source's host, where copying is fast, unless its avoid list or the room says otherwise. Source and
copy each have a task in their own cell with the same due instant, so neither waits for the other's cell to answer.

Simplified: the copy is taken at the instant of the request, and finished even if the source's host is lost meanwhile;
a real cloud reads from the source until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.avoiding import Sharing, sharing_of
from backend.cloud.errors import Forbidden, Invalid, NoCapacity, OutcomeUnknown, Unreachable
from backend.cloud.model import Account, Drive, DriveState, Snapshot, Task, TaskState
from backend.cloud.placement import DrivePlacement, NoValidHost, Policy, Ranks
from backend.operations import Cloud, RequestKey, cells, check_version, drives, funds, repeats, settling
from backend.store import CellTransaction, CloudTransaction, DriveEntry


@dataclass(frozen=True, slots=True)
class CloneBegun:
    """The copy, and the task that ends when it is whole."""

    drive: Drive
    task: Task | None
    """None in the answer to a repeated request whose clone has ended."""


@dataclass(frozen=True, slots=True)
class ClonePlan:
    """Where a clone would go, and how long it would take."""

    cell: str
    found: DrivePlacement
    is_same_host: bool
    seconds: int
    rate_bytes_per_second: int
    avoided: tuple[str, ...]
    """The ids of the avoid list that could not be avoided."""
    sharing: Sharing | None = None
    """Why not."""


AgreedClone = Callable[[Drive, str, DrivePlacement], None]
"""Given the source, the copy's cell and its host; raises Conflict where that is not what was agreed to."""


# --- one transaction in a cell ---------------------------------------------------------------------------------------


def add_copy_in_cell(
    tx: CellTransaction,
    copy: Drive,
    source: Drive,
    *,
    now: datetime,
    policy: Policy,
    ranks: Mapping[str, Ranks],
    actor: str,
    agreed: AgreedClone | None = None,
) -> tuple[Drive, Task | None]:
    """Choose the storage host and begin to copy. Raises NoCapacity, Conflict."""
    known = tx.find_drive(copy.id)
    if known is not None:
        return known, next((task for task in tx.open_tasks_of(copy.id) if task.kind == "clone"), None)
    found = placement.place_drive(
        copy.size_bytes, tx.storage_loads(), ranks=ranks, policy=policy, source_host=source.host
    )
    if isinstance(found, NoValidHost):
        raise NoCapacity(f"drive {copy.name or copy.id}", found.counted())
    if agreed is not None:
        agreed(source, tx.cell, found)
    is_same_host = found.host == source.host
    added = replace(copy, host=found.host, state=DriveState.CLONING_DST, state_since=now)
    tx.add_drive(added, at=now, actor=actor, details={"source": source.id, "source_name": source.name})
    task = tx.schedule(
        "clone",
        "drive",
        copy.id,
        begun_at=now,
        due_at=now + timedelta(seconds=lifecycle.clone_seconds(copy.size_bytes, is_same_host=is_same_host)),
        actor=actor,
        payload={
            "source": source.id,
            "source_name": source.name,
            "bytes_total": copy.size_bytes,
            "rate_bytes_per_second": lifecycle.clone_rate(is_same_host=is_same_host),
            **({"server": copy.server_id} if drives.is_cloned_with_server(copy) else {}),
        },
    )
    if source.cell == tx.cell:
        hold_source_in_cell(tx, source.id, copy.id, copy.name, now=now, due_at=task.due_at, actor=actor)
    return tx.drive(copy.id), task


def hold_source_in_cell(
    tx: CellTransaction,
    source_id: str,
    copy_id: str,
    copy_name: str,
    *,
    now: datetime,
    due_at: datetime,
    actor: str,
) -> None:
    """The source is read until `due_at`: it can be neither deleted nor attached."""
    source = tx.find_drive(source_id)
    if source is None or any(task.payload.get("copy") == copy_id for task in tx.open_tasks_of(source_id)):
        return
    if source.state is not DriveState.UNAVAILABLE:
        held = replace(source, state=DriveState.CLONING_SRC, state_since=now)
        details = {"copy": copy_id, "copy_name": copy_name}
        tx.save_drive(source, held, kind="drive.cloning_src", at=now, actor=actor, details=details)
    payload = {"copy": copy_id, "copy_name": copy_name}
    tx.schedule("release", "drive", source_id, begun_at=now, due_at=due_at, actor=actor, payload=payload)


def release(tx: CellTransaction, task: Task, *, at: datetime) -> None:
    """A copy of it is whole; it is free again when the last one is."""
    tx.end_task(task, TaskState.DONE, at=at)
    drive = tx.drive(task.object_id)
    if drive.state is not DriveState.CLONING_SRC or any(
        other.kind == "release" for other in tx.open_tasks_of(drive.id)
    ):
        return
    state = DriveState.MOUNTED if drive.server_id else DriveState.UNMOUNTED
    tx.save_drive(drive, replace(drive, state=state, state_since=at), kind=f"drive.{state}", at=at, actor=task.actor)


# --- operations ------------------------------------------------------------------------------------------------------


def checked_size(wanted: int | None, source_bytes: int) -> int:
    """Of a copy; None: as large as its source. Raises Invalid."""
    size_bytes = source_bytes if wanted is None else wanted
    if not source_bytes <= size_bytes <= drives.SIZE_BYTES_MAX:
        limits = f"{source_bytes}, which is the source's, and {drives.SIZE_BYTES_MAX}"
        raise Invalid("size", f"must be between {limits}, not {size_bytes}")
    return size_bytes


async def _source(cloud: Cloud, actor: Account, drive_id: str, if_version: int | None) -> Drive:
    """The drive that is to be cloned. Raises NotFound, Forbidden, WrongState, Conflict, Unreachable."""
    entry = await drives.entry_for(cloud, actor, drive_id)
    if not actor.may_change(actor.project_id):
        raise Forbidden("clone the drive", "this account may not change its project")
    source = await cloud.store.cell_read(entry.cell, lambda tx: tx.drive(drive_id))
    check_version(source.version, if_version)
    lifecycle.begin("drive", source.id, "clone", source.state)
    return source


async def plan_clone(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    *,
    avoid: tuple[str, ...] = (),
    cell: str | None = None,
    if_version: int | None = None,
) -> ClonePlan:
    """Raises NotFound, Forbidden, WrongState, Conflict, NoCapacity, Unreachable."""
    source = await _source(cloud, actor, drive_id, if_version)
    avoid_hosts = await drives.hosts_to_avoid(cloud, actor, avoid)
    ranks = placement.avoided_ranks(avoid, avoid_hosts)
    where = await cells.choose_for_drive(
        cloud, source.size_bytes, actor, avoid_hosts=avoid_hosts, avoid=avoid, cell=cell, source=source
    )
    policy = cloud.settings.placement
    found = await cloud.store.cell_read(
        where,
        lambda tx: placement.place_drive(
            source.size_bytes, tx.storage_loads(), ranks=ranks, policy=policy, source_host=source.host
        ),
    )
    if isinstance(found, NoValidHost):
        raise NoCapacity(f"a clone of drive {source.name or source.id}", found.counted())
    is_same_host = found.host == source.host
    has_rival = found.runner_up is not None
    return ClonePlan(
        cell=where,
        found=found,
        is_same_host=is_same_host,
        seconds=lifecycle.clone_seconds(source.size_bytes, is_same_host=is_same_host),
        rate_bytes_per_second=lifecycle.clone_rate(is_same_host=is_same_host),
        avoided=tuple(avoid[rank] for rank in found.ranks),
        sharing=sharing_of(found.host, has_rival=has_rival, refusals=found.refusals, ranks=ranks),
    )


async def clone_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    *,
    name: str | None = None,
    media: str | None = None,
    size_bytes: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    avoid: tuple[str, ...] = (),
    cell: str | None = None,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: AgreedClone | None = None,
    snapshot: Snapshot | None = None,
) -> CloneBegun:
    """A copy of the drive, or of a `snapshot` of it, in the account's own project. `avoid` never fails.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, NoCapacity, Unreachable, OutcomeUnknown.
    """
    source = await _source(cloud, actor, drive_id, if_version)
    if snapshot is not None:
        source = replace(source, size_bytes=snapshot.size_bytes, media=snapshot.media)
    size_bytes = checked_size(size_bytes, source.size_bytes)
    await funds.check_new(cloud, actor.name, "the drive", storage=size_bytes)
    avoid_hosts = await drives.hosts_to_avoid(cloud, actor, avoid)
    where = await cells.choose_for_drive(
        cloud, size_bytes, actor, avoid_hosts=avoid_hosts, avoid=avoid, cell=cell, source=source
    )
    now = cloud.clock.now()
    default_name = f"{source.name}-clone" if snapshot is None else snapshot.name
    copy = replace(
        _copy_of(source, actor, now=now),
        name=default_name if name is None else name,
        cell=where,
        size_bytes=size_bytes,
        media=source.media if media is None else media,
        avoid=avoid,
        attributes={**source.attributes, **(attributes or {})},
    )
    undone = await repeats.undone(cloud, request, CloudTransaction.find_drive_entry)
    reserved, is_new = await cloud.store.cloud_write(lambda tx: drives.reserve_drive(tx, copy, request, undone))
    ranks = placement.avoided_ranks(avoid, avoid_hosts)
    cloud.live.add(reserved.id)
    try:
        added, task = await settling.carried_out(
            cloud,
            reserved.cell,
            lambda tx: add_copy_in_cell(
                tx,
                reserved,
                source,
                now=now,
                policy=cloud.settings.placement,
                ranks=ranks,
                actor=actor.name,
                agreed=agreed,
            ),
            acknowledged=lambda tx, _: drives.set_drive_entry(tx, reserved.id, state="active"),
            given_back=(lambda tx: tx.remove_drive_entry(reserved.id)) if is_new else None,
        )
    finally:
        cloud.live.discard(reserved.id)
    if source.cell != reserved.cell and task is not None:
        await hold_elsewhere(cloud, source, added, task)
    return CloneBegun(added, task)


def _copy_of(source: Drive, actor: Account, *, now: datetime) -> Drive:
    """The account's own, attached to nothing, and with no place yet."""
    return replace(
        source,
        id="",
        project_id=actor.project_id,
        owner=actor.name,
        host="",
        created_at=now,
        state=DriveState.CREATING,
        state_since=now,
        server_id=None,
        device=None,
        channel=None,
        boot_order=None,
        version=1,
    )


async def hold_again(cloud: Cloud, copies: Iterable[CloneBegun]) -> None:
    """Of what was asked for before: a crash may have come before the sources in other cells were marked."""
    for copy, task in ((each.drive, each.task) for each in copies):
        if task is not None:
            find = partial(CloudTransaction.find_drive_entry, id=task.payload["source"])
            source = await cloud.store.cloud_read(find)
            if source is not None and source.cell != copy.cell:
                await hold_elsewhere(cloud, source, copy, task)


async def hold_elsewhere(cloud: Cloud, source: Drive | DriveEntry, copy: Drive, task: Task) -> None:
    """Marks a source in another cell. That its cell has fallen silent since it was read takes nothing from the copy."""
    try:
        await cloud.store.cell_write(
            source.cell,
            lambda tx: hold_source_in_cell(
                tx, source.id, copy.id, copy.name, now=task.begun_at, due_at=task.due_at, actor=task.actor
            ),
        )
    except (Unreachable, OutcomeUnknown):
        return
