"""Legal things with defaults, so that a test mentions only what it is about. Every instant is made from NOON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from backend.cloud import lifecycle
from backend.cloud.backfill import HostLoad, floor_of
from backend.cloud.backups import parse
from backend.cloud.model import (
    GIB,
    Backup,
    BackupState,
    Drive,
    DriveState,
    Host,
    HostKind,
    HostState,
    Schedule,
    Server,
    ServerState,
    Size,
)
from backend.cloud.placement import StorageLoad

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_size(cpu_mhz: int = 2000, memory_gib: float = 4) -> Size:
    return Size(cpu_mhz, int(memory_gib * GIB))


def a_host(
    name: str = "h1",
    cpu_mhz: int = 16_000,
    memory_gib: float = 64,
    *,
    cell: str = "cell-1",
    state: HostState = HostState.UP,
    **more: Any,
) -> Host:
    """A compute host that is up."""
    return Host(
        name=name,
        cell=cell,
        kind=HostKind.COMPUTE,
        state=state,
        capacity=a_size(cpu_mhz, memory_gib),
        **{"state_since": NOON - 24 * HOUR, **more},
    )


def a_storage_host(
    name: str = "s1", storage_gib: float = 1000, *, cell: str = "cell-1", state: HostState = HostState.UP
) -> Host:
    """A storage host that is up."""
    return Host(
        name=name,
        cell=cell,
        kind=HostKind.STORAGE,
        state=state,
        storage_bytes=int(storage_gib * GIB),
        state_since=NOON - 24 * HOUR,
    )


def a_server(
    id: str = "server",
    cpu_mhz: int = 2000,
    memory_gib: float = 4,
    *,
    host: str | None = None,
    state: ServerState | None = None,
    is_backfilling: bool = False,
    floor_permille: int | tuple[int, int] = 250,
    **more: Any,
) -> Server:
    """A stopped server; with a host, one that has run there since an hour ago and has its full size.

    `floor_permille` is what a backfilling server is shrunk to at least. `size` may be given whole instead of the two
    amounts; anything else of a server may be given by its own name.
    """
    size = more.pop("size", a_size(cpu_mhz, memory_gib))
    own = (floor_permille, floor_permille) if isinstance(floor_permille, int) else floor_permille
    defaults: dict[str, Any] = {
        "name": id,
        "cell": "cell-1",
        "project_id": "project",
        "owner": "operator@stratodeck.local",
        "created_at": NOON - 48 * HOUR,
        "state_since": NOON - HOUR,
        "floor_permille": own if is_backfilling else (0, 0),
    }
    if host is not None:
        defaults |= {
            "floor": floor_of(size, own, 0) if is_backfilling else size,
            "effective": size,
            "started_at": NOON - HOUR,
            "has_run": True,
        }
    if state is None:
        state = ServerState.STOPPED if host is None else ServerState.RUNNING
    assert lifecycle.has_host(state) == (host is not None) or state is ServerState.UNAVAILABLE
    return Server(id=id, size=size, host=host, state=state, is_backfilling=is_backfilling, **{**defaults, **more})


def a_load(host: Host | None = None, *servers: Server) -> HostLoad:
    """A host with what is on it. Servers that are on no host yet are put on this one, running since an hour ago."""
    host = host or a_host()
    return HostLoad(host, tuple(sorted((_on(host, server) for server in servers), key=lambda server: server.id)))


def _on(host: Host, server: Server) -> Server:
    if server.host is not None:
        assert server.host == host.name, "a server is on the host that its load says"
        return server
    return a_server(
        server.id,
        size=server.size,
        host=host.name,
        is_backfilling=server.is_backfilling,
        floor_permille=server.floor_permille,
        cell=host.cell,
        tags=server.tags,
    )


def a_storage_load(host: Host | None = None, used_gib: float = 0, *drives: str) -> StorageLoad:
    return StorageLoad(host or a_storage_host(), int(used_gib * GIB), frozenset(drives))


def a_drive(id: str = "drive", size_gib: float = 10, *, server_id: str | None = None, **more: Any) -> Drive:
    """An unmounted drive; with a server, one that is mounted there as the first virtio disk."""
    defaults: dict[str, Any] = {
        "name": id,
        "cell": "cell-1",
        "project_id": "project",
        "owner": "operator@stratodeck.local",
        "host": "s1",
        "created_at": NOON - 48 * HOUR,
        "state": DriveState.UNMOUNTED,
        "state_since": NOON - 47 * HOUR,
    }
    if server_id is not None:
        defaults |= {"state": DriveState.MOUNTED, "device": "virtio", "channel": "0:0", "boot_order": 1}
    return Drive(id=id, size_bytes=int(size_gib * GIB), server_id=server_id, **{**defaults, **more})


def a_schedule(id: str = "schedule", cron: str = "0 3 * * *", time_zone: str = "UTC", **more: Any) -> Schedule:
    """An active schedule that keeps everything, and is next due after NOON."""
    defaults: dict[str, Any] = {
        "source_id": "server",
        "project_id": "project",
        "description": "nightly",
        "retention_days": 0,
        "backups_max": 0,
        "is_active": True,
        "created_at": NOON - 48 * HOUR,
    }
    if "next_trigger_at" not in more:
        is_active = more.get("is_active", True)
        defaults["next_trigger_at"] = parse(cron, time_zone).next_after(NOON) if is_active else None
    return Schedule(id=id, cron=cron, time_zone=time_zone, **{**defaults, **more})


def a_backup(id: str = "backup", *, created_at: datetime = NOON - HOUR, **more: Any) -> Backup:
    """A finished backup that is kept for ever."""
    defaults: dict[str, Any] = {
        "source_id": "server",
        "project_id": "project",
        "schedule_id": None,
        "description": "a copy",
        "state": BackupState.READY,
        "size_bytes": 10 * GIB,
        "kept_until": None,
    }
    return Backup(id=id, created_at=created_at, **{**defaults, **more})
