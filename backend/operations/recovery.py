"""What a crash or a silent cell left half-done between cloud.db and a cell, finished or undone when the cell opens.

`building` and in the cell: it was made or changed, so it is active, as it is there. `building` and not in the cell:
nothing was acknowledged, so the entry goes. `deleting`: the deletion is finished. Entries with an operation under way
here are left alone.

A clone of a server needs nothing more: it and the copies of its drives are added to one cell in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from backend.cloud.model import DriveState, Server, ServerState
from backend.operations import Cloud, backups, drives, editing
from backend.operations.servers import remove_in_cell
from backend.store import CellTransaction, CloudTransaction


async def recover(cloud: Cloud, cell: str) -> None:
    """Runs before the returning cell takes other writes."""
    now = cloud.clock.now()
    servers, found_drives = await cloud.store.cloud_read(
        lambda tx: (tx.unfinished_server_entries(cell), tx.unfinished_drive_entries(cell))
    )
    # Asked last: what began since the entries were read must not be taken for something that was left behind.
    live = frozenset(cloud.live)
    servers = [entry for entry in servers if entry.id not in live]
    unfinished = [entry for entry in found_drives if entry.id not in live]
    without_right = [account.name for account in (await cloud.accounts()).values() if not account.may_backfill]
    server_goals = {entry.id: entry.state for entry in servers}
    drive_goals = {entry.id: entry.state for entry in unfinished}

    def look_and_finish(tx: CellTransaction) -> tuple[dict[str, Server], dict[str, int], dict[str, str | None]]:
        kept_servers: dict[str, Server] = {}
        kept_drives: dict[str, int] = {}
        for server_id, state in server_goals.items():
            server = tx.find_server(server_id)
            if server is None:
                continue
            if state == "deleting" and server.state is ServerState.STOPPED:
                remove_in_cell(tx, server_id, now=now, actor="cloud")
            else:
                kept_servers[server_id] = server
        for drive_id, state in drive_goals.items():
            drive = tx.find_drive(drive_id)
            if drive is None:
                continue
            if state == "deleting":
                tx.remove_drive(drive, at=now, actor="cloud")
            else:
                kept_drives[drive_id] = drive.size_bytes
        editing.forget_restarts(tx, without_right, now=now)
        return kept_servers, kept_drives, tx.mounts()

    kept_servers, kept_drives, mounts = await cloud.store.cell_write(cell, look_and_finish, is_recovery=True)
    mounting = {server_id for server_id in mounts.values() if server_id is not None}
    entries = await cloud.store.cloud_read(lambda tx: tx.server_entries(ids=mounting))
    gone = {entry.id for entry in servers if entry.id not in kept_servers}
    orphaned = mounting - {entry.id for entry in entries if entry.id not in gone}
    left: list[str] = []
    if orphaned:
        mounts, left = await cloud.store.cell_write(cell, lambda tx: _detach(tx, orphaned, now), is_recovery=True)

    def close(tx: CloudTransaction) -> None:
        for entry in servers:
            if entry.id in kept_servers:
                tx.save_server_entry(replace(entry, state="active"))
                editing.settle_entry(tx, kept_servers[entry.id])
            else:
                backups.switch_off_schedules(tx, entry.id, reason="its server was deleted", now=now)
                tx.remove_server_entry(entry.id)
        for drive in unfinished:
            if drive.id in kept_drives:
                tx.save_drive_entry(replace(drive, state="active", size_bytes=kept_drives[drive.id]))
            else:
                tx.remove_drive_entry(drive.id)
        for drive_id in left:
            tx.remove_drive_entry(drive_id)
        _agree_on_mounts(tx, cell, mounts)

    await cloud.store.cloud_write(close)
    await _enter_hosts(cloud, cell)


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


def _agree_on_mounts(tx: CloudTransaction, cell: str, mounts: Mapping[str, str | None]) -> None:
    """The cell has the last word on which drive is attached where."""
    for entry in tx.drive_entries(projects=None, cells=[cell]):
        if entry.id in mounts and entry.server_id != mounts[entry.id]:
            tx.save_drive_entry(replace(entry, server_id=mounts[entry.id]))
