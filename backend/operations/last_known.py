"""What was last seen of what lies in a silent cell. For the operator's eyes: only `dialects.ops` may look."""

from __future__ import annotations

from collections.abc import Iterable

from backend.cloud.backfill import HostLoad
from backend.cloud.model import Drive, HostKind, Server
from backend.cloud.placement import StorageLoad
from backend.operations import Cloud
from backend.operations.cells import HostsUp, Picture, Pictures
from backend.store import LastKnown


async def pictures(cloud: Cloud, ids: Iterable[str]) -> dict[str, LastKnown]:
    """By id; what was never seen is left out."""
    wanted = list(ids)
    if not wanted:
        return {}
    found = await cloud.store.cloud_read(lambda tx: tx.last_known(wanted))
    return {each.id: each for each in found}


async def grouped(cloud: Cloud, cell: str) -> list[LastKnown]:
    """Those servers of a silent cell that carried a tag when they were last seen."""
    found = await cloud.store.cloud_read(lambda tx: tx.last_known_of_cell(cell, "server"))
    return [each for each in found if each.picture.get("tags")]


async def picture(cloud: Cloud, pictures: Pictures, cell: str) -> Picture:
    """A silent cell as this process last saw it, or else as it was last seen at all."""
    if pictures.last(cell) is None:
        pictures.keep(cell, await _remembered(cloud, cell))
    found = pictures.last(cell)
    assert found is not None, "it has just been kept"
    return found


async def open_tasks(cloud: Cloud, cell: str) -> int | None:
    """The tasks that wait for a silent cell: those that were open when it was last heard of. None: it never was."""
    found = await cloud.store.cloud_read(lambda tx: tx.last_known_open_tasks())
    return found[cell]


async def _remembered(cloud: Cloud, cell: str) -> Picture:
    hosts, servers, drives = await cloud.store.cloud_read(
        lambda tx: (
            [each.host() for each in tx.last_known_of_cell(cell, "host")],
            [each.server() for each in tx.last_known_of_cell(cell, "server")],
            [each.drive() for each in tx.last_known_of_cell(cell, "drive")],
        )
    )
    held: dict[str | None, list[Server]] = {}
    for server in servers:
        held.setdefault(server.host, []).append(server)
    stored: dict[str, list[Drive]] = {}
    for drive in drives:
        stored.setdefault(drive.host, []).append(drive)
    loads = tuple(HostLoad(host, tuple(held.get(host.name, ()))) for host in hosts if host.kind is HostKind.COMPUTE)
    storage = tuple(
        StorageLoad(host, sum(drive.size_bytes for drive in on_it), frozenset(drive.id for drive in on_it))
        for host in hosts
        if host.kind is HostKind.STORAGE
        for on_it in [stored.get(host.name, [])]
    )
    return Picture(
        number=-1,
        loads=loads,
        storage=storage,
        grouped=tuple(server for server in servers if server.group is not None),
        servers=len(servers),
        open_tasks=None,
        hosts_up=HostsUp.of(loads, cloud.settings.start_level_permille),
    )
