"""Making drives larger. The new size is reserved in cloud.db before the drive's cell is told, and settled afterwards.

The storage host gives the room at once, so the drive has its new size from the beginning, and is `resizing` until its
task ends. What a crash leaves between both files, recovery settles by what is in the cell.

Source: CloudSigma API 2.0, "Drives", resizing. That a drive cannot be made smaller is ours: it would cut off its data.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from backend.cloud import lifecycle
from backend.cloud.errors import CloudError, Conflict, Invalid, NoCapacity, NotFound, OutcomeUnknown, WrongState
from backend.cloud.model import Account, Drive, DriveState, ServerState, Task, TaskState
from backend.operations import Cloud, RequestKey, check_version, drives, funds, quotas, repeats, settling
from backend.store import CellTransaction, CloudTransaction

RESIZED_FROM = "resized_from"
"""Attribute of a drive that is being resized: the size in bytes that it had before."""


def resize_in_cell(
    tx: CellTransaction, drive_id: str, size_bytes: int, *, now: datetime, actor: str, if_version: int | None = None
) -> Drive:
    """Raises NotFound, WrongState, Conflict, NoCapacity."""
    drive = tx.drive(drive_id)
    check_version(drive.version, if_version)
    transition = lifecycle.begin("drive", drive.id, "resize", drive.state)
    server = None if drive.server_id is None else tx.find_server(drive.server_id)
    if server is not None and server.state is not ServerState.STOPPED:
        raise WrongState("server", server.id, "resize a drive of", server.state, (ServerState.STOPPED,))
    load = next(load for load in tx.storage_loads() if load.host.name == drive.host)
    grown = size_bytes - drive.size_bytes
    if load.free_bytes < grown:
        raise NoCapacity(f"{grown} bytes more of drive {drive.name or drive.id}", [("short of storage", 1)])
    attributes = {**drive.attributes, RESIZED_FROM: drive.size_bytes}
    larger = replace(drive, state=DriveState.RESIZING, state_since=now, size_bytes=size_bytes, attributes=attributes)
    tx.save_drive(drive, larger, kind="drive.resizing", at=now, actor=actor)
    due_at = now + timedelta(seconds=transition.duration_seconds)
    tx.schedule("resize", "drive", drive.id, begun_at=now, due_at=due_at, actor=actor)
    return tx.drive(drive.id)


def end_resize(tx: CellTransaction, task: Task, *, at: datetime) -> None:
    """The drive can be used again."""
    drive = tx.drive(task.object_id)
    state = DriveState.MOUNTED if drive.server_id else DriveState.UNMOUNTED
    attributes = {name: value for name, value in drive.attributes.items() if name != RESIZED_FROM}
    ended = replace(drive, state=state, state_since=at, attributes=attributes)
    tx.save_drive(drive, ended, kind=f"drive.{state}", at=at, actor=task.actor)
    tx.end_task(task, TaskState.DONE, at=at)


async def resize_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    size_bytes: int,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Drive:
    """Refused while a server runs on it.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, OverQuota, NoCapacity, Unreachable, OutcomeUnknown.
    """
    entry = await drives.entry_for(cloud, actor, drive_id, to_change=True)
    stored = await cloud.store.cell_read(entry.cell, lambda tx: tx.drive(drive_id))
    if await repeats.was_done(cloud, request, cell=entry.cell):
        return stored
    check_version(stored.version, if_version)
    if not stored.size_bytes < size_bytes <= drives.SIZE_BYTES_MAX:
        limits = f"more than {stored.size_bytes}, which it is, and at most {drives.SIZE_BYTES_MAX}"
        raise Invalid("size", f"must be {limits}, not {size_bytes}")
    await funds.check_new(cloud, stored.owner, "more storage", storage=size_bytes - stored.size_bytes)
    if stored.server_id is not None:
        await drives.require_server_stopped(cloud, stored.server_id, "resize a drive of")
    lifecycle.begin("drive", stored.id, "resize", stored.state)
    if drive_id in cloud.live:
        raise Conflict("Another request is changing the drive just now. Try again.")

    def resize(tx: CellTransaction) -> Drive:
        now = cloud.clock.now()
        return resize_in_cell(tx, drive_id, size_bytes, now=now, actor=actor.name, if_version=stored.version)

    once = repeats.once(cloud, request, resize, again=lambda tx, _: tx.drive(drive_id))
    cloud.live.add(drive_id)
    try:
        await cloud.store.cloud_write(lambda tx: _reserve(tx, drive_id, size_bytes))
        try:
            resized: Drive = await cloud.store.cell_write(entry.cell, once)
        except OutcomeUnknown:
            raise
        except CloudError:
            await settling.give_back(cloud, entry.cell, lambda tx: _settle(tx, drive_id, stored.size_bytes))
            raise
        await settling.acknowledge(cloud, entry.cell, lambda tx: _settle(tx, drive_id, resized.size_bytes))
    finally:
        cloud.live.discard(drive_id)
    return resized


def _reserve(tx: CloudTransaction, drive_id: str, size_bytes: int) -> None:
    """Raises NotFound, OverQuota."""
    entry = tx.find_drive_entry(drive_id)
    if entry is None or entry.state == "deleting":
        raise NotFound("drive", drive_id)
    quotas.check(tx, entry.project_id, storage_bytes=max(0, size_bytes - entry.size_bytes))
    tx.save_drive_entry(replace(entry, size_bytes=max(size_bytes, entry.size_bytes), state="building"))


def _settle(tx: CloudTransaction, drive_id: str, size_bytes: int) -> None:
    """What is centrally known of it is what is in its cell. One that is being deleted stays so."""
    entry = tx.find_drive_entry(drive_id)
    if entry is not None:
        state = entry.state if entry.state == "deleting" else "active"
        tx.save_drive_entry(replace(entry, size_bytes=size_bytes, state=state))
