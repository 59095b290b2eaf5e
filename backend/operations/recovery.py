"""What a crash or a silent cell left half-done between cloud.db and a cell, finished or undone when the cell opens.

`building` and in the cell: it was made or changed, so it is active, as it is there. `building` and not in the cell:
nothing was acknowledged, so the entry goes. `deleting`: the deletion is finished. Entries with an operation under way
here are left alone.

A drive that is deleted with its server goes if the server has gone. Where that lies in another cell, cloud.db says what
became of it, as soon as that cell has been recovered.

A clone of a server needs nothing more: it and the copies of its drives are added to one cell in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from backend.cloud.errors import OutcomeUnknown, Unreachable, WrongState
from backend.cloud.model import DriveState, ReachabilityState, Server, ServerState
from backend.operations import Cloud, backup_restores, backups, drives, editing
from backend.operations.servers import remove_in_cell
from backend.store import CellTransaction, CloudTransaction, DriveEntry, EntryState, ServerEntry


async def recover(cloud: Cloud, cell: str) -> None:
    """Runs before the returning cell takes other writes, and while it answers where something was left half-way."""
    now = cloud.clock.now()
    # Through the lane that writes: whoever has entered something has been told so by then, and is among the live ones.
    # Those are asked last: what began since must not be taken for something that was left behind.
    servers, found_drives, elsewhere, mounted = await cloud.store.cloud_write(lambda tx: _unfinished(tx, cell))
    live = frozenset(cloud.live)
    servers = [entry for entry in servers if entry.id not in live]
    unfinished = [entry for entry in found_drives if entry.id not in live]
    without_right = [account.name for account in (await cloud.accounts()).values() if not account.may_backfill]
    kept_servers, kept_drives, mounts = await cloud.store.cell_write(
        cell,
        lambda tx: _look_and_finish(tx, servers, unfinished, elsewhere, without_right=without_right, now=now),
        is_recovery=True,
    )
    mounting = {server_id for server_id in mounts.values() if server_id is not None}
    entries = await cloud.store.cloud_read(lambda tx: tx.server_entries(ids=mounting))
    gone = {entry.id for entry in servers if entry.id not in kept_servers}
    orphaned = mounting - {entry.id for entry in entries if entry.id not in gone}
    left: list[str] = []
    if orphaned:
        mounts, left = await cloud.store.cell_write(cell, lambda tx: _detach(tx, orphaned, now), is_recovery=True)

    def close(tx: CloudTransaction) -> None:
        for entry in servers:
            if tx.find_server_entry(entry.id) != entry or entry.id in cloud.live:
                # Somebody has taken it up meanwhile.
                continue
            if entry.id in kept_servers:
                tx.save_server_entry(replace(entry, state="active"))
                editing.settle_entry(tx, kept_servers[entry.id])
            else:
                backups.switch_off_schedules(tx, entry.id, reason="its server was deleted", now=now)
                tx.remove_server_entry(entry.id)
        backup_restores.give_up(tx, gone, at=now)
        for drive in unfinished:
            if tx.find_drive_entry(drive.id) != drive or drive.id in cloud.live:
                continue
            if drive.id not in kept_drives:
                tx.remove_drive_entry(drive.id)
            elif (size_bytes := kept_drives[drive.id]) is not None:
                tx.save_drive_entry(replace(drive, state="active", size_bytes=size_bytes))
        for drive_id in left:
            tx.remove_drive_entry(drive_id)
        _agree_on_mounts(tx, cell, mounts, before=mounted)

    await cloud.store.cloud_write(close)
    await _enter_hosts(cloud, cell)
    for other in await cloud.store.cloud_read(lambda tx: _cells_that_wait(tx, cell, [entry.id for entry in servers])):
        if cloud.store.reachability(other).state is ReachabilityState.UP:
            try:
                await recover(cloud, other)
            except (Unreachable, OutcomeUnknown):
                # Nothing is wrong with this cell: the other is tried again by itself, when it answers.
                cloud.leave_unsettled(other)


def _unfinished(
    tx: CloudTransaction, cell: str
) -> tuple[list[ServerEntry], list[DriveEntry], Mapping[str | None, EntryState], Mapping[str, str | None]]:
    """Servers and drives of the cell; the states of the servers in other cells that have any of the drives; and which
    drive of the cell is attached where, as far as cloud.db knows."""
    found = tx.unfinished_drive_entries(cell)
    mounting = {entry.server_id for entry in found if entry.server_id is not None}
    elsewhere: dict[str | None, EntryState] = {}
    elsewhere |= {entry.id: entry.state for entry in tx.server_entries(ids=mounting) if entry.cell != cell}
    mounted = {entry.id: entry.server_id for entry in tx.drive_entries(projects=None, cells=[cell])}
    return tx.unfinished_server_entries(cell), found, elsewhere, mounted


def _look_and_finish(
    tx: CellTransaction,
    servers: Iterable[ServerEntry],
    unfinished: Iterable[DriveEntry],
    elsewhere: Mapping[str | None, EntryState],
    *,
    without_right: Iterable[str],
    now: datetime,
) -> tuple[dict[str, Server], dict[str, int | None], dict[str, str | None]]:
    """Finish what can be finished in the cell.

    Returns the servers that stay; the sizes of the drives that stay, None where that is not known yet; and what is
    mounted where.
    """
    kept_servers: dict[str, Server] = {}
    kept_drives: dict[str, int | None] = {}
    for entry in servers:
        server = tx.find_server(entry.id)
        if server is None:
            continue
        if entry.state == "deleting" and server.state is ServerState.STOPPED:
            remove_in_cell(tx, server.id, now=now, actor="cloud")
        else:
            kept_servers[server.id] = server
    for each in unfinished:
        drive = tx.find_drive(each.id)
        if drive is None:
            continue
        mounting = drive.server_id
        if each.state != "deleting" or elsewhere.get(mounting) in ("active", "building") or _is_there(tx, mounting):
            kept_drives[drive.id] = drive.size_bytes
        elif mounting in elsewhere:
            kept_drives[drive.id] = None
        else:
            if mounting is not None:
                drives.detach_in_cell(tx, drive.id, now=now, actor="cloud")
            try:
                drives.remove_in_cell(tx, drive.id, now=now, actor="cloud", if_version=None, agreed=None)
            except WrongState:
                # Whoever wanted it deleted would have been refused.
                kept_drives[drive.id] = drive.size_bytes
    editing.forget_restarts(tx, without_right, now=now)
    return kept_servers, kept_drives, tx.mounts()


def _is_there(tx: CellTransaction, server_id: str | None) -> bool:
    return server_id is not None and tx.find_server(server_id) is not None


def _cells_that_wait(tx: CloudTransaction, cell: str, server_ids: Collection[str]) -> list[str]:
    """Those with drives that were to go with these servers of the cell, of which it is known now what became."""
    waiting = {drive.cell for id in server_ids for drive in tx.drive_entries_of(id) if drive.state == "deleting"}
    return sorted(waiting - {cell})


async def _enter_hosts(cloud: Cloud, cell: str) -> None:
    """Hosts of a cell that cloud.db does not know yet: those of a folder that is older than the directory of hosts."""
    known = {entry.name for entry in await cloud.store.cloud_read(lambda tx: tx.host_entries(cell))}
    unknown = await cloud.store.cell_write(
        cell, lambda tx: [host for host in tx.hosts() if host.name not in known], is_recovery=True
    )
    if unknown:
        await cloud.store.cloud_write(lambda tx: tx.enter_hosts(unknown, known_at=cloud.clock.wall_now()))


def _detach(tx: CellTransaction, server_ids: set[str], now: datetime) -> tuple[dict[str, str | None], list[str]]:
    """Detach what hangs on servers that were deleted meanwhile, and remove what was to go with them.

    Returns what is mounted where now, and the ids of what was removed.
    """
    left: list[str] = []
    for server_id in sorted(server_ids):
        for drive in tx.drives_of(server_id):
            goes_too = drive.attributes.get(drives.DELETE_WITH) == server_id
            detached = drives.detach_in_cell(tx, drive.id, now=now, actor="cloud")
            if goes_too and detached.state is DriveState.UNMOUNTED:
                tx.remove_drive(detached, at=now, actor="cloud")
                left.append(drive.id)
    return tx.mounts(), left


def _agree_on_mounts(
    tx: CloudTransaction, cell: str, mounts: Mapping[str, str | None], *, before: Mapping[str, str | None]
) -> None:
    """The cell has the last word on which drive is attached where, unless it was asked before the entry changed."""
    for entry in tx.drive_entries(projects=None, cells=[cell]):
        is_as_it_was = entry.server_id == before.get(entry.id)
        if is_as_it_was and entry.id in mounts and entry.server_id != mounts[entry.id]:
            tx.save_drive_entry(replace(entry, server_id=mounts[entry.id]))
