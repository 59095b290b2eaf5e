"""Changing what a server or a drive is.

The size of a server is reserved in cloud.db before its cell is told, and settled there afterwards. In between it is
charged for the larger of both, and its entry is `building`: what a crash leaves so, recovery settles by what is in the
cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.cloud.errors import CloudError, Conflict, Forbidden, NotFound, OutcomeUnknown
from backend.cloud.model import DISPLACED, Account, Drive, Server, ServerState, Size
from backend.operations import Cloud, RequestKey, Settings, check_version, drives, quotas, repeats, rooms, settling
from backend.operations.servers import check_name, check_size, entry_for
from backend.store import CellTransaction, CloudTransaction


@dataclass(frozen=True, slots=True)
class ServerChanges:
    """What to change; None leaves a field as it is."""

    name: str | None = None
    meta: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    attributes: Mapping[str, Any] | None = None
    size: Size | None = None
    smp: int | None = None
    is_backfilling: bool | None = None
    floor_permille: tuple[int, int] | None = None
    restarts: bool | None = None


def edit_in_cell(
    tx: CellTransaction,
    server_id: str,
    changes: ServerChanges,
    *,
    now: datetime,
    settings: Settings,
    actor: str,
    if_version: int | None = None,
) -> Server:
    """While it is not stopped only name, meta, tags and `restarts` change; the rest is ignored in silence.

    One that was stopped for room and is now to be started again is, where it fits.

    Source: CloudSigma API 2.0, servers, "Editing". `restarts` is ours.
    """
    server = tx.server(server_id)
    check_version(server.version, if_version)
    after = _edited(server, changes)
    if changes.restarts and not after.is_backfilling:
        raise Conflict("Only backfilling servers are stopped for room: this one is not.")
    stored = tx.save_server(server, after, kind="server.edited", at=now, actor=actor)
    if stored.restarts and stored.state is ServerState.STOPPED and stored.reason == DISPLACED:
        rooms.restart(tx, stored, now=now, settings=settings)
    return tx.server(server_id)


def _edited(server: Server, changes: ServerChanges) -> Server:
    fields: tuple[str, ...] = ("name", "meta", "tags", "restarts")
    if server.state is ServerState.STOPPED:
        fields += ("attributes", "size", "smp", "is_backfilling", "floor_permille")
    after = replace(server, **{name: value for name in fields if (value := getattr(changes, name)) is not None})
    return after if after.is_backfilling else replace(after, restarts=False)


class _CanBeSizedNow(Conflict):
    """It has stopped since it was looked at, so that its size changes too, for which nothing is reserved."""


def _check_unsized(server: Server, changes: ServerChanges) -> None:
    """Raises _CanBeSizedNow."""
    if _sized(_edited(server, changes)) != _sized(server):
        raise _CanBeSizedNow("The server has stopped meanwhile.")


def _sized(server: Server) -> tuple[Size, bool]:
    """What is reserved for it."""
    return server.size, server.is_backfilling


async def edit_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    changes: ServerChanges,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    only_backfilling: bool = False,
) -> Server:
    """Raises NotFound, Forbidden, Invalid, Conflict, OverQuota, Unreachable, OutcomeUnknown."""
    entry = await entry_for(cloud, actor, server_id, to_change=True, only_backfilling=only_backfilling)
    if changes.name is not None:
        check_name(changes.name)
    if changes.size is not None:
        check_size(changes.size)
    if changes.is_backfilling and not actor.may_backfill:
        raise Forbidden("make a server a backfilling one", "backfilling is not enabled for this account")
    if changes.restarts and not actor.may_backfill:
        raise Forbidden("have the server started again", "backfilling is not enabled for this account")
    stored = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id))
    wanted = _edited(stored, changes)
    is_sized = _sized(wanted) != _sized(stored)

    def edit(tx: CellTransaction) -> Server:
        if not is_sized:
            _check_unsized(tx.server(server_id), changes)
        return edit_in_cell(
            tx,
            server_id,
            changes,
            now=cloud.clock.now(),
            settings=cloud.settings,
            actor=actor.name,
            if_version=if_version,
        )

    once = repeats.once(cloud, request, edit, again=lambda tx, _: tx.server(server_id))
    if not is_sized:
        try:
            return await cloud.store.cell_write(entry.cell, once)
        except _CanBeSizedNow:
            return await edit_server(
                cloud,
                actor,
                server_id,
                changes,
                if_version=if_version,
                request=request,
                only_backfilling=only_backfilling,
            )
    if server_id in cloud.live:
        raise Conflict("Another request is changing its size just now. Try again.")
    cloud.live.add(server_id)
    try:
        await cloud.store.cloud_write(lambda tx: reserve_edit(tx, server_id, wanted))
        try:
            stored = await cloud.store.cell_write(entry.cell, once)
        except OutcomeUnknown:
            raise
        except CloudError:
            await settling.give_back(cloud, entry.cell, lambda tx: settle_entry(tx, stored))
            raise
        await settling.acknowledge(cloud, entry.cell, lambda tx: settle_entry(tx, stored))
    finally:
        cloud.live.discard(server_id)
    return stored


def reserve_edit(tx: CloudTransaction, server_id: str, wanted: Server) -> None:
    """Until its cell has been told, it is charged for the larger of what it is and what it is to be.

    Raises:
        NotFound, OverQuota.
    """
    entry = tx.find_server_entry(server_id)
    if entry is None or entry.state == "deleting":
        raise NotFound("server", server_id)
    larger = Size(max(entry.size.cpu_mhz, wanted.size.cpu_mhz), max(entry.size.memory_bytes, wanted.size.memory_bytes))
    quotas.check(tx, entry.project_id, size=larger - entry.size)
    tx.save_server_entry(replace(entry, size=larger, state="building"))


def settle_entry(tx: CloudTransaction, server: Server) -> None:
    """What is centrally known of it is what is in its cell. One that is being deleted stays so."""
    entry = tx.find_server_entry(server.id)
    if entry is not None:
        state = entry.state if entry.state == "deleting" else "active"
        settled = replace(entry, size=server.size, is_backfilling=server.is_backfilling, state=state)
        if settled != entry:
            tx.save_server_entry(settled)


def forget_restarts(tx: CellTransaction, owners: Iterable[str], *, now: datetime) -> None:
    """Of accounts that may not have backfilling servers any more, none is started again."""
    for owner in owners:
        for server in tx.servers_restarting(owner):
            tx.save_server(server, replace(server, restarts=False), kind="server.edited", at=now)


@dataclass(frozen=True, slots=True)
class DriveChanges:
    """What to change; None leaves a field as it is."""

    name: str | None = None
    meta: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None
    attributes: Mapping[str, Any] | None = None
    media: str | None = None


async def edit_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    changes: DriveChanges,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Drive:
    """Raises NotFound, Forbidden, Conflict, Unreachable, OutcomeUnknown."""
    entry = await drives.entry_for(cloud, actor, drive_id, to_change=True)
    wanted = {
        name: value
        for name in ("name", "meta", "tags", "attributes", "media")
        if (value := getattr(changes, name)) is not None
    }

    def edit(tx: CellTransaction) -> Drive:
        drive = tx.drive(drive_id)
        check_version(drive.version, if_version)
        return tx.save_drive(
            drive, replace(drive, **wanted), kind="drive.edited", at=cloud.clock.now(), actor=actor.name
        )

    once = repeats.once(cloud, request, edit, again=lambda tx, _: tx.drive(drive_id))
    return await cloud.store.cell_write(entry.cell, once)
