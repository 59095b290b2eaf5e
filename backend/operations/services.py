"""The cloud's services, as OpenStack speaks of them: nova-compute on each compute host, conductors, a scheduler.

**Source**: Compute API reference, "Compute services"; "Handling Down Cells": of a cell that does not answer only the
hosts are known, from the central directory of them, and its own conductor is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from backend.cloud.backfill import HostLoad
from backend.cloud.errors import Unreachable
from backend.cloud.model import HostKind, HostState, ReachabilityState
from backend.operations import Cloud
from backend.operations.cells import Pictures

COMPUTE, CONDUCTOR, SCHEDULER = "nova-compute", "nova-conductor", "nova-scheduler"
CENTRAL_HOST = "stratodeck"

KnownHosts: TypeAlias = Mapping[str, Sequence[HostLoad] | Sequence[str]]
"""The compute hosts of each cell by name: with what is on them where it answers, only their names where not."""


@dataclass(frozen=True, slots=True)
class Service:
    number: int
    """Its place among all, those of silent cells included."""
    binary: str
    host: str
    cell: str | None
    """None for a central one."""
    state: HostState | None = HostState.UP
    """Of the host. None while its cell does not answer."""
    state_since: datetime | None = None

    def last_heard_at(self, now: datetime) -> datetime:
        """A service reports all the time, until its host is lost."""
        return self.state_since if self.state is HostState.DOWN and self.state_since is not None else now


def is_silent(cloud: Cloud, cell: str) -> bool:
    return cloud.store.reachability(cell).state is not ReachabilityState.UP


async def known_hosts(cloud: Cloud, pictures: Pictures) -> KnownHosts:
    answers = await pictures.fresh()
    found: dict[str, Sequence[HostLoad] | Sequence[str]] = {}
    for cell in cloud.store.cell_names:
        picture = answers[cell]
        if isinstance(picture, Unreachable):
            found[cell] = await _hosts_of_silent_cell(cloud, cell)
        else:
            found[cell] = sorted(picture.loads, key=lambda load: load.host.name)
    return found


async def _hosts_of_silent_cell(cloud: Cloud, cell: str) -> list[str]:
    """By the directory of hosts, which is Nova's host mappings."""
    entries = await cloud.store.cloud_read(lambda tx: tx.host_entries(cell))
    return [entry.name for entry in entries if entry.kind is HostKind.COMPUTE]


async def list_services(cloud: Cloud, pictures: Pictures) -> list[Service]:
    """The central ones, then those of each cell."""
    found = [Service(1, SCHEDULER, CENTRAL_HOST, None), Service(2, CONDUCTOR, CENTRAL_HOST, None)]
    number = len(found)
    for cell, known in (await known_hosts(cloud, pictures)).items():
        for each in known:
            number += 1
            if isinstance(each, str):
                found.append(Service(number, COMPUTE, each, cell, None))
            else:
                found.append(Service(number, COMPUTE, each.host.name, cell, each.host.state, each.host.state_since))
        number += 1
        if not is_silent(cloud, cell):
            found.append(Service(number, CONDUCTOR, cell, cell))
    return found
