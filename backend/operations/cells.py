"""Cells: which one a new object goes to, what each says of itself, and the faults that an operator injects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.cloud import backfill, placement
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import Forbidden, Invalid, NoCapacity, NotFound, Unreachable
from backend.cloud.model import (
    NOTHING,
    Account,
    Drive,
    HostKind,
    HostState,
    Reachability,
    ReachabilityState,
    Server,
    Size,
)
from backend.cloud.placement import StorageLoad
from backend.operations import Cloud, RequestKey, repeats, rooms
from backend.store import CellTransaction, CloudTransaction


@dataclass(frozen=True, slots=True)
class Picture:
    """What is on one cell's hosts after its event `number`: read once, reused until the cell has another event."""

    number: int
    loads: tuple[HostLoad, ...]
    storage: tuple[StorageLoad, ...]
    grouped: tuple[Server, ...]
    """The servers that carry a group's tag, running or not."""
    servers: int
    open_tasks: int | None
    """None where that was not remembered."""
    hosts_up: HostsUp


@dataclass(frozen=True, slots=True)
class HostsUp:
    """What the compute hosts of a cell that are up add up to."""

    capacity: Size
    normal: Size
    backfilling: Size
    """Effective sizes."""
    free: Size
    """What one backfilling server could have on the best host by CPU."""

    @classmethod
    def of(cls, loads: Iterable[HostLoad], start_level_permille: int) -> HostsUp:
        up = [load for load in loads if load.host.state is HostState.UP]
        free = [backfill.free_for_backfilling(load, start_level_permille=start_level_permille) for load in up]
        return cls(
            capacity=total(load.host.capacity for load in up),
            normal=total(load.normal for load in up),
            backfilling=total(effective_backfilling(load) for load in up),
            free=max(free, key=lambda size: (size.cpu_mhz, size.memory_bytes), default=NOTHING),
        )


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell as an operator sees it. What only the cell can say is None while it does not answer."""

    name: str
    reachability: Reachability
    servers: int
    hosts: int
    """Both as the directory has them."""
    open_tasks: int | None
    hosts_up: HostsUp | None


class Pictures:
    """The last picture of each cell: kept while the cell does not answer, so that its hosts can still be drawn."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._last: dict[str, Picture] = {}

    async def fresh(self, cells: Iterable[str] | None = None) -> dict[str, Picture | Unreachable]:
        """Of each cell what is there now, or that it does not answer."""
        known = dict(self._last)
        level = self._cloud.settings.start_level_permille
        answers = await self._cloud.store.each_cell(lambda tx: _take(tx, known.get(tx.cell), level), cells=cells)
        for cell, answer in answers.items():
            if isinstance(answer, Picture):
                self._last[cell] = answer
        return answers

    def last(self, cell: str) -> Picture | None:
        """The last that this process saw of a cell, or was given to keep."""
        return self._last.get(cell)

    def keep(self, cell: str, picture: Picture) -> None:
        """For a cell that this process never heard from."""
        self._last.setdefault(cell, picture)


def _take(tx: CellTransaction, known: Picture | None, start_level_permille: int) -> Picture:
    number = tx.last_event_number()
    if known is not None and known.number == number:
        return known
    open_tasks, _ = tx.count_tasks()
    loads = tuple(tx.loads())
    return Picture(
        number,
        loads,
        tuple(tx.storage_loads()),
        tuple(tx.grouped_servers()),
        tx.count_servers(),
        open_tasks,
        HostsUp.of(loads, start_level_permille),
    )


async def choose(
    cloud: Cloud,
    size: Size,
    actor: Account,
    *,
    is_backfilling: bool,
    avoid: tuple[str, ...] = (),
    cell: str | None = None,
) -> str:
    """The cell for a new server: where it would be placed best now, less what stopped servers there may still claim.

    A server that fits nowhere now still gets the cell with the most room: it is made stopped.

    Raises:
        NotFound: the named cell does not exist. Unreachable: no cell answers, or the named one does not.
    """
    if cell is not None:
        if cell not in cloud.store.cell_names:
            raise NotFound("cell", cell)
        if cloud.store.reachability(cell).state is not ReachabilityState.UP:
            raise Unreachable(cell, cloud.store.reachability(cell).reason)
        return cell
    now = cloud.clock.now()
    answers = await cloud.store.each_cell(
        lambda tx: offer_of(tx, cloud, size, actor, is_backfilling=is_backfilling, avoid=avoid, now=now)
    )
    offers = sorted((answer, name) for name, answer in answers.items() if isinstance(answer, tuple))
    if not offers:
        raise Unreachable(next(iter(answers), ""), "no cell answers")
    return offers[0][1]


def offer_of(
    tx: CellTransaction,
    cloud: Cloud,
    size: Size,
    actor: Account,
    *,
    is_backfilling: bool,
    avoid: tuple[str, ...],
    now: Any,
) -> tuple[Any, ...]:
    """A comparable bid of one cell, smaller is better: refused, avoid, stops, then room a host after pledges."""
    index = rooms.index_of(tx, cloud.settings)
    ranks = placement.avoided_ranks(avoid, rooms.hosts_of(index, avoid, server_id=None, visible_to=actor))
    request = placement.Request(size, is_backfilling=is_backfilling, avoid=avoid, server_id=None)
    found = index.place(request, now=now, ranks=ranks)
    pledged = tx.stopped_size()
    up = max(1, index.hosts_up)
    if isinstance(found, placement.NoValidHost):
        return (1, (), 0, 0, -(index.cpu_mhz_free - pledged.cpu_mhz) // up)
    chosen = found.chosen
    spread = -1 if cloud.settings.placement == "spread" else 1
    return (
        0,
        placement.avoid_key(chosen.ranks),
        chosen.plan.count,
        chosen.plan.work,
        spread * (chosen.room.cpu_mhz - pledged.cpu_mhz // up),
    )


async def check_some_host_holds(cloud: Cloud, size: Size, cell: str | None) -> None:
    """Whether any host of the cell, or of all that answer, would hold so large a server if it were empty.

    Raises:
        Invalid: naming the largest there is; never while a cell is silent whose hosts may be larger.
    """

    def largest(tx: CellTransaction) -> Size | None:
        if tx.has_host_of(size):
            return None
        capacities = (host.capacity for host in tx.hosts(HostKind.COMPUTE))
        return max(capacities, key=lambda found: (found.cpu_mhz, found.memory_bytes), default=NOTHING)

    answers = await cloud.store.each_cell(largest, cells=None if cell is None else [cell])
    found = [answer for answer in answers.values() if isinstance(answer, Size)]
    if found and len(found) == len(answers):
        most = max(found, key=lambda each: (each.cpu_mhz, each.memory_bytes))
        name = "cpu" if size.cpu_mhz > max(each.cpu_mhz for each in found) else "mem"
        raise Invalid(
            name,
            f"is more than any host has, so it could never start: the largest has {most.cpu_mhz} MHz and"
            f" {most.memory_bytes} bytes of memory",
        )


async def choose_for_drive(
    cloud: Cloud,
    size_bytes: int,
    actor: Account,
    *,
    avoid_hosts: Mapping[str, Collection[str]],
    avoid: tuple[str, ...],
    cell: str | None,
    source: Drive | None = None,
) -> str:
    """The cell for a new drive: the named one, else where it would be placed best; of a clone, near its source.

    Raises:
        NotFound, Unreachable, NoCapacity.
    """
    if cell is not None:
        return await choose(cloud, NOTHING, actor, is_backfilling=False, cell=cell)
    answers = await cloud.store.each_cell(
        lambda tx: placement.place_drive(
            size_bytes,
            tx.storage_loads(),
            ranks=placement.avoided_ranks(avoid, avoid_hosts),
            policy=cloud.settings.placement,
            source_host=None if source is None else source.host,
        )
    )
    offers: list[tuple[tuple[int, ...], bool, bool, int, str]] = []
    refused: dict[str, int] = {}
    for name, answer in answers.items():
        if isinstance(answer, placement.NoValidHost):
            for reason, count in answer.counted():
                refused[reason] = refused.get(reason, 0) + count
        elif not isinstance(answer, Unreachable):
            is_moved = source is not None and answer.host != source.host
            is_elsewhere = source is not None and name != source.cell
            ranks = placement.avoid_key(answer.chosen.ranks)
            offers.append((ranks, is_moved, is_elsewhere, -answer.chosen.room_bytes, name))
    if offers:
        return min(offers)[-1]
    if refused:
        raise NoCapacity("the drive", sorted(refused.items()))
    raise Unreachable(next(iter(answers), ""), "no cell answers")


async def list_cells(cloud: Cloud, pictures: Pictures) -> list[CellView]:
    answers = await pictures.fresh()
    counts: dict[str, tuple[int, int]] = await cloud.kept.of(_counts, lambda: _counts(cloud))
    return [_view(cloud, cell, answers[cell], *counts[cell]) for cell in cloud.store.cell_names]


async def _counts(cloud: Cloud) -> dict[str, tuple[int, int]]:
    """Servers and compute hosts by cell, as the directory has them."""

    def count(tx: CloudTransaction) -> dict[str, tuple[int, int]]:
        hosts = tx.count_compute_hosts()
        return {
            cell: (tx.count_server_entries(projects=None, cells=[cell], is_backfilling=None), hosts.get(cell, 0))
            for cell in cloud.store.cell_names
        }

    return await cloud.store.cloud_read(count)


def _view(cloud: Cloud, cell: str, answer: Picture | Unreachable, servers: int, hosts: int) -> CellView:
    reachability = cloud.store.reachability(cell)
    if isinstance(answer, Unreachable):
        return CellView(cell, reachability, servers, hosts, None, None)
    return CellView(cell, reachability, servers, hosts, answer.open_tasks, answer.hosts_up)


def effective_backfilling(load: HostLoad) -> Size:
    """What the backfilling servers on a host really have, those with a notice included."""
    return total(server.effective for server in (*load.backfilling, *load.victims) if server.effective is not None)


def total(sizes: Iterable[Size]) -> Size:
    cpu_mhz = memory_bytes = 0
    for size in sizes:
        cpu_mhz += size.cpu_mhz
        memory_bytes += size.memory_bytes
    return Size(cpu_mhz, memory_bytes)


async def inject(cloud: Cloud, actor: Account, cell: str, state: str, *, request: RequestKey | None = None) -> None:
    """Make a cell `down` or `hung`, or take the fault away with `up`. It survives a restart.

    Raises:
        Forbidden, NotFound, Invalid.
    """
    if not actor.is_staff:
        raise Forbidden("inject a fault", "it needs a staff account")
    if cell not in cloud.store.cell_names:
        raise NotFound("cell", cell)
    if state not in list(ReachabilityState):
        raise Invalid("state", "must be one of up, down, hung")
    if not await repeats.was_done(cloud, request):
        await cloud.store.inject(cell, ReachabilityState(state), lambda tx: repeats.note(tx, request))


async def ask(cloud: Cloud, cell: str) -> Reachability:
    """Ask the cell now, once. Raises NotFound."""
    if cell not in cloud.store.cell_names:
        raise NotFound("cell", cell)
    return await cloud.store.ask(cell)
