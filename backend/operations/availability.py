"""Availability groups as CloudSigma publishes them: which servers share a compute host, which drives a storage host.

Observations: whoever holds a host is in the group of that host. The groups that an operator names are in `groups`.
**Source**: CloudSigma API 2.0, "Availability Groups".
"""

from __future__ import annotations

from backend.cloud import lifecycle
from backend.cloud.backfill import HostLoad
from backend.cloud.groups import availability
from backend.cloud.model import Account, Drive, Server
from backend.operations import Cloud, drives, servers
from backend.store import CellTransaction


async def server_groups(cloud: Cloud, actor: Account, *, only_backfilling: bool = False) -> list[list[str]]:
    """The ids of servers that share a compute host, one list a host, only those that the account may see.

    Source: CloudSigma API 2.0, "Availability groups": running servers; the ones that hold no host are in no group.
    """

    def grouped(tx: CellTransaction) -> list[tuple[str, list[str]]]:
        return [(load.host.name, _grouped(load, actor, only_backfilling)) for load in tx.loads()]

    answers = await cloud.store.each_cell(grouped)
    return availability(
        {f"{cell}/{host}": ids for cell, answer in answers.items() if isinstance(answer, list) for host, ids in answer}
    )


async def server_group(cloud: Cloud, actor: Account, server_id: str, *, only_backfilling: bool = False) -> list[str]:
    """The ids that share the server's host, itself included; empty when it holds none or its cell does not answer."""
    found = await servers.get_server(cloud, actor, server_id)
    if not isinstance(found, Server) or found.host is None or not lifecycle.has_host(found.state):
        return []
    host = found.host
    load = await cloud.store.cell_read(found.cell, lambda tx: tx.load(host))
    return sorted(_grouped(load, actor, only_backfilling))


def _grouped(load: HostLoad, actor: Account, only_backfilling: bool) -> list[str]:
    return [
        server.id
        for server in load.servers
        if lifecycle.has_host(server.state)
        and (server.is_backfilling or not only_backfilling)
        and actor.may_see(server.project_id)
    ]


async def drive_groups(cloud: Cloud, actor: Account) -> list[list[str]]:
    """The ids of drives that share a storage host, one list a host, only those that the account may see."""
    groups: dict[str, list[str]] = {}
    answers = await cloud.store.each_cell(lambda tx: tx.places_of_drives())
    for cell, answer in answers.items():
        for id, project_id, host in answer if isinstance(answer, list) else ():
            if actor.may_see(project_id):
                groups.setdefault(f"{cell}/{host}", []).append(id)
    return availability(groups)


async def drive_group(cloud: Cloud, actor: Account, drive_id: str) -> list[str]:
    """The ids that share the drive's storage host, itself included; empty while its cell does not answer."""
    drive = await drives.get_drive(cloud, actor, drive_id)
    if not isinstance(drive, Drive):
        return []
    host = drive.host
    answer = await cloud.store.cell_read(drive.cell, lambda tx: tx.drives_on(host))
    return sorted(other.id for other in answer if actor.may_see(other.project_id))
