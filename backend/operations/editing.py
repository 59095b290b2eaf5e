"""Changing what a server is. Its size is reserved in cloud.db before its cell is told, and settled there afterwards.

In between it is charged for the larger of both, and its entry is `building`: what a crash leaves so, recovery settles
by what is in the cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.cloud.errors import CloudError, Conflict, Forbidden, NotFound, OutcomeUnknown
from backend.cloud.model import DISPLACED, Account, Server, ServerState, Size
from backend.operations import Cloud, Settings, check_version, quotas, rooms
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


async def edit_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    changes: ServerChanges,
    *,
    if_version: int | None = None,
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

    def edit(tx: CellTransaction) -> Server:
        return edit_in_cell(
            tx,
            server_id,
            changes,
            now=cloud.clock.now(),
            settings=cloud.settings,
            actor=actor.name,
            if_version=if_version,
        )

    if (wanted.size, wanted.is_backfilling) == (stored.size, stored.is_backfilling):
        return await cloud.store.cell_write(entry.cell, edit)
    if server_id in cloud.live:
        raise Conflict("Another request is changing its size just now. Try again.")
    cloud.live.add(server_id)
    try:
        await cloud.store.cloud_write(lambda tx: reserve_edit(tx, server_id, wanted))
        try:
            stored = await cloud.store.cell_write(entry.cell, edit)
        except OutcomeUnknown:
            raise
        except CloudError:
            await cloud.store.cloud_write(lambda tx: settle_entry(tx, stored))
            raise
        await cloud.store.cloud_write(lambda tx: settle_entry(tx, stored))
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
