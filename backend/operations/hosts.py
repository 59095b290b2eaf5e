"""Hosts: what is on them, what fits on them now, and losing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud import backfill
from backend.cloud.backfill import FreeResources, HostLoad
from backend.cloud.errors import NotFound, Unreachable
from backend.cloud.model import HostState, ServerState, Size, TaskState
from backend.cloud.placement import StorageLoad
from backend.operations import Cloud
from backend.operations.cells import Picture, Pictures
from backend.store import CellTransaction


@dataclass(frozen=True, slots=True)
class HostView:
    """A host with what is on it. `is_current` is False for what this process last saw of a cell that is silent now."""

    load: HostLoad | StorageLoad
    is_current: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """What fits now on the hosts that answer."""

    free: FreeResources
    none_shrunk: tuple[Size, str | None]
    """The largest normal server that fits with nobody shrunk, and its host."""
    others_shrink: tuple[Size, str | None]
    others_stop: tuple[Size, str | None]
    cells: tuple[str, ...]
    """The cells that were counted."""
    unreachable: tuple[str, ...]


async def list_hosts(cloud: Cloud, pictures: Pictures) -> list[HostView]:
    """Every host, by cell and name; of a silent cell as it was last seen, if it was."""
    answers = await pictures.fresh()
    found: list[HostView] = []
    for cell in cloud.store.cell_names:
        answer = answers[cell]
        picture = pictures.last(cell) if isinstance(answer, Unreachable) else answer
        if picture is not None:
            is_current = not isinstance(answer, Unreachable)
            found.extend(HostView(load, is_current) for load in picture.loads)
            found.extend(HostView(load, is_current) for load in picture.storage)
    return found


async def capacity(cloud: Cloud, pictures: Pictures) -> Capacity:
    """What one more server could have now: `free_resources` for a backfilling one, three prices for a normal one."""
    return capacity_of(cloud, await pictures.fresh())


def capacity_of(cloud: Cloud, answers: Mapping[str, Picture | Unreachable]) -> Capacity:
    loads = [load for answer in answers.values() if isinstance(answer, Picture) for load in answer.loads]
    none_shrunk, others_shrink, others_stop = backfill.normal_prices(loads)
    return Capacity(
        free=backfill.free_resources(loads, start_level_permille=cloud.settings.start_level_permille),
        none_shrunk=none_shrunk,
        others_shrink=others_shrink,
        others_stop=others_stop,
        cells=tuple(cell for cell, answer in answers.items() if isinstance(answer, Picture)),
        unreachable=tuple(cell for cell, answer in answers.items() if not isinstance(answer, Picture)),
    )


def fail_in_cell(tx: CellTransaction, name: str, *, now: datetime, actor: str = "cloud") -> None:
    """A compute host fails: its servers are unavailable at that instant, in the same transaction.

    Simplified: nothing starts elsewhere by itself yet; a real cloud evacuates after a while.
    """
    host = next((host for host in tx.hosts() if host.name == name), None)
    if host is None:
        raise NotFound("host", name)
    tx.save_host(host, replace(host, state=HostState.DOWN, state_since=now), kind="host.down", at=now, actor=actor)
    for server in tx.load(name).servers:
        for task in tx.open_tasks_of(server.id):
            tx.end_task(task, TaskState.CANCELLED, at=now, result="its host failed")
        lost = replace(
            server,
            state=ServerState.UNAVAILABLE,
            state_since=now,
            waits=None,
            notice_until=None,
            notice_for=None,
            reason="host_lost",
        )
        tx.save_server(server, lost, kind="server.unavailable", at=now, details={"host": name})
