"""The cloud's services, as OpenStack speaks of them: nova-compute on each compute host, conductors, a scheduler.

**Source**: Compute API reference, "Compute services"; "Handling Down Cells": of a cell that does not answer only the
hosts are known, from the central directory of them, and its own conductor is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.cloud.errors import Unreachable
from backend.cloud.model import HostKind, HostState
from backend.operations import Cloud, last_known
from backend.operations.cells import Pictures

COMPUTE, CONDUCTOR, SCHEDULER = "nova-compute", "nova-conductor", "nova-scheduler"
CENTRAL_HOST = "stratodeck"


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service. `state` is None while its cell does not answer; `last_state` is then what was last seen of it."""

    binary: str
    host: str
    cell: str | None
    """None for a central one."""
    state: HostState | None = HostState.UP
    last_state: HostState | None = None


async def list_services(cloud: Cloud, pictures: Pictures) -> list[ServiceView]:
    """The central ones, then those of each cell."""
    found = [ServiceView(SCHEDULER, CENTRAL_HOST, None), ServiceView(CONDUCTOR, CENTRAL_HOST, None)]
    answers = await pictures.fresh()
    for cell in cloud.store.cell_names:
        answer = answers[cell]
        if isinstance(answer, Unreachable):
            found += await _of_silent_cell(cloud, pictures, cell)
            continue
        hosts = sorted((load.host for load in answer.loads), key=lambda host: host.name)
        found += [ServiceView(COMPUTE, host.name, cell, host.state) for host in hosts]
        found.append(ServiceView(CONDUCTOR, cell, cell))
    return found


async def _of_silent_cell(cloud: Cloud, pictures: Pictures, cell: str) -> list[ServiceView]:
    entries = await cloud.store.cloud_read(lambda tx: tx.host_entries(cell))
    seen = await last_known.picture(cloud, pictures, cell)
    states = {load.host.name: load.host.state for load in seen.loads}
    return [
        ServiceView(COMPUTE, entry.name, cell, None, states.get(entry.name))
        for entry in entries
        if entry.kind is HostKind.COMPUTE
    ]
