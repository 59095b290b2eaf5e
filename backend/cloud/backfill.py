"""Who shrinks and who stops: the arithmetic of one host, in exact integers.

Backfilling servers live on what normal servers leave. Shrunk together by one common level, they keep at least their
floors; when even the floors do not leave a normal server its room, the fewest of them are stopped, and of all fewest
sets the one that loses the least work. `stops` searches for that set.

A host is accounted for twice, because a stop for room is announced before it is carried out:

    committed   running and waiting normal servers against the floors of the backfilling servers that stay.
                Placements, previews and withdrawals use it.
    physical    running normal servers against all backfilling servers that still run, those with a notice included.
                Factors, gauges and the capacity of the host use it. Nothing shrinks or grows during a grace.

Backfilling starts count everybody at nominal size. **Source**: CloudSigma API 2.0, "Backfilling".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

from backend.cloud.model import (
    LARGEST_SERVER,
    MIB,
    NOTHING,
    SMALLEST_SERVER,
    Host,
    HostState,
    Server,
    Size,
)
from backend.cloud.stops import Victim, cheapest_stops, fewest_at_least, sums_of_largest, work_lost

T = TypeVar("T")

_id: Callable[[Server], str] = attrgetter("id")
_counted: Callable[[Server], tuple[Any, ...]] = attrgetter("size", "floor", "notice_until", "waits", "is_backfilling")

FACTOR_STEPS = 10_000
"""A factor is shown with four decimals, rounded down."""


class _once(Generic[T]):
    """A property that is worked out when it is first asked for. Unlike `functools.cached_property` it takes no lock:
    two threads that ask at the same time work out the same.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    def __get__(self, load: HostLoad, _kind: type[HostLoad] | None = None) -> T:
        found = load.__dict__[self._name] = self._work_out(load)
        return found


@dataclass(frozen=True)
class HostLoad:
    """A compute host and everything that holds it, by id. Its sums are worked out once."""

    host: Host
    servers: tuple[Server, ...]

    def find_server(self, id: str) -> Server | None:
        """The server, if it holds the host."""
        at = bisect_left(self.servers, id, key=_id)
        found = self.servers[at] if at < len(self.servers) else None
        return found if found is not None and found.id == id else None

    def server(self, id: str) -> Server:
        """One of those that hold it."""
        found = self.find_server(id)
        assert found is not None, f"{id} is not on {self.host.name}"
        return found

    @_once
    def backfilling(self) -> tuple[Server, ...]:
        """Backfilling servers that stay: those without a notice."""
        return tuple([server for server in self.servers if server.is_backfilling and server.notice_until is None])

    @_once
    def victims(self) -> tuple[Server, ...]:
        """Backfilling servers with a notice: they still run, and their room is spoken for."""
        return tuple([server for server in self.servers if server.is_backfilling and server.notice_until is not None])

    @_once
    def waiting(self) -> tuple[Server, ...]:
        """Normal servers whose room is not yet free, in the order of decision."""
        waiting = [server for server in self.servers if server.waits is not None and not server.is_backfilling]
        return tuple(waiting if len(waiting) < 2 else sorted(waiting, key=lambda server: (server.waits, server.id)))

    @_once
    def normal(self) -> Size:
        """What normal servers have: those whose room is their own."""
        return Size(*self._sums[NORMAL][:2])

    @_once
    def waiting_size(self) -> Size:
        return Size(*self._sums[WAITING][:2])

    @_once
    def nominal_backfill(self) -> Size:
        """All backfilling servers at full size, those with a notice included."""
        staying, victims = self._sums[STAYING], self._sums[VICTIM]
        return Size(staying[0] + victims[0], staying[1] + victims[1])

    @_once
    def nominal_staying(self) -> Size:
        """The backfilling servers that stay, at full size."""
        return Size(*self._sums[STAYING][:2])

    @_once
    def floors(self) -> Size:
        """The least that the backfilling servers that stay are shrunk to."""
        return Size(*self._sums[STAYING][2:])

    @_once
    def floors_physical(self) -> Size:
        """The same with the servers under notice: they keep their floors until they are gone."""
        staying, victims = self._sums[STAYING], self._sums[VICTIM]
        return Size(staying[2] + victims[2], staying[3] + victims[3])

    @_once
    def left(self) -> Size:
        """Committed: what running and waiting normal servers leave. Negative when the host has lost capacity."""
        capacity, normal, waiting = self.host.capacity, self._sums[NORMAL], self._sums[WAITING]
        return Size(capacity.cpu_mhz - normal[0] - waiting[0], capacity.memory_bytes - normal[1] - waiting[1])

    @_once
    def room(self) -> Size:
        """Committed: what is left with every server that stays at full size. Negative while some are shrunk."""
        left, staying = self.left, self._sums[STAYING]
        return Size(left.cpu_mhz - staying[0], left.memory_bytes - staying[1])

    @_once
    def levels(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """For CPU and for memory: the level of the servers that stay, as a fraction. Committed."""
        cpu, memory = _shares(self.backfilling)
        return common_level(self.left.cpu_mhz, cpu), common_level(self.left.memory_bytes, memory)

    @_once
    def largest_floors(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """For CPU and for memory: the sum of the n largest floors of the servers that stay, at place n."""
        cpu, memory = _shares(self.backfilling)
        return sums_of_largest([floor for _, floor in cpu]), sums_of_largest([floor for _, floor in memory])

    @_once
    def last_start(self) -> datetime | None:
        """When the newest of the servers that stay was started; None without any."""
        return max((s.started_at for s in self.backfilling if s.started_at is not None), default=None)

    @_once
    def least_cpus(self) -> tuple[int, ...]:
        """The sum of the n smallest nominal CPUs of the servers that stay, at place n."""
        return tuple(accumulate(sorted([server.size.cpu_mhz for server in self.backfilling]), initial=0))

    @_once
    def _sums(self) -> tuple[Sums, ...]:
        """Of each kind of servers."""
        sums = [NO_SUMS] * KINDS
        for server in self.servers:
            kind = _kind(server)
            sums[kind] = _added(sums[kind], server, 1)
        return tuple(sums)

    def changed(self, gone: Server | None, came: Server | None) -> HostLoad:
        """With one server less, one more, or one in place of another. What is known of the others is kept."""
        servers = self.servers
        if gone is not None and came is not None and gone.id == came.id:
            id = came.id
            servers = tuple([came if server.id == id else server for server in servers])
        else:
            if gone is not None:
                servers = tuple([server for server in servers if server.id != gone.id])
            if came is not None:
                at = bisect_left(servers, came.id, key=_id)
                servers = (*servers[:at], came, *servers[at:])
        load = HostLoad(self.host, servers)
        sums = self.__dict__.get("_sums")
        if sums is not None:
            is_alike = gone is not None and came is not None and _counted(gone) == _counted(came)
            load.__dict__["_sums"] = sums if is_alike else _changed_sums(sums, gone, came)
        return load


NORMAL, WAITING, STAYING, VICTIM = range(4)
KINDS = 4
"""What a server is in the accounts of its host."""

Sums: TypeAlias = tuple[int, int, int, int]
"""CPU, memory, and the floors in CPU and in memory."""
NO_SUMS: Sums = (0, 0, 0, 0)


def _kind(server: Server) -> int:
    if server.is_backfilling:
        return STAYING if server.notice_until is None else VICTIM
    return NORMAL if server.waits is None else WAITING


def _changed_sums(sums: tuple[Sums, ...], gone: Server | None, came: Server | None) -> tuple[Sums, ...]:
    changed = list(sums)
    for server, sign in ((gone, -1), (came, 1)):
        if server is not None:
            kind = _kind(server)
            changed[kind] = _added(changed[kind], server, sign)
    return tuple(changed)


def _added(sums: Sums, server: Server, sign: int) -> Sums:
    size = server.size
    floor = size if server.floor is None else server.floor
    return (
        sums[0] + sign * size.cpu_mhz,
        sums[1] + sign * size.memory_bytes,
        sums[2] + sign * floor.cpu_mhz,
        sums[3] + sign * floor.memory_bytes,
    )


def _waits(server: Server) -> bool:
    return not server.is_backfilling and server.waits is not None


# --- Floors and factors -------------------------------------------------------------------------


def floor_of(size: Size, own_permille: tuple[int, int], cloud_permille: int) -> Size:
    """The least that a server of `size` is shrunk to: the higher of its own threshold and the cloud's, rounded up.

    Never below the smallest allowed server, unless the server itself is smaller, and never above its size.
    """
    return Size(
        _floor(size.cpu_mhz, max(own_permille[0], cloud_permille), SMALLEST_SERVER.cpu_mhz),
        _floor(size.memory_bytes, max(own_permille[1], cloud_permille), SMALLEST_SERVER.memory_bytes),
    )


def _floor(nominal: int, permille: int, smallest: int) -> int:
    return max(-(-nominal * min(permille, 1000) // 1000), min(nominal, smallest))


def floor_held(server: Server) -> Size:
    """The floor that was fixed when the server started; its size when none was, as for a normal server."""
    return server.size if server.floor is None else server.floor


def common_level(left: int, servers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The highest level, as a fraction `(numerator, denominator)` in [0, 1], at which the servers fit in `left`.

    `servers` are pairs of nominal size and floor. A server has its floor where the level would give it less; when
    every one of them does, the level is 0.
    """
    nominal_sum = sum([nominal for nominal, _ in servers])
    if nominal_sum <= left:
        return (1, 1)
    active = list(servers)
    # A level that falls only pins more servers to their floors, so what is pinned stays pinned.
    while left > 0:
        pinned_floors = pinned_nominal = 0
        unpinned = []
        for nominal, floor in active:
            if floor * nominal_sum > nominal * left:
                pinned_floors += floor
                pinned_nominal += nominal
            else:
                unpinned.append((nominal, floor))
        if not pinned_nominal:
            return (left, nominal_sum)
        active = unpinned
        left -= pinned_floors
        nominal_sum -= pinned_nominal
    return (0, 1)


def water_fill(left: int, servers: Sequence[tuple[int, int]]) -> list[int]:
    """Divide `left` among servers given as (nominal, floor): `max(floor, nominal x level)`, the level as high as fits.

    One dimension, exact, rounded down. Never gives more than `left` unless the floors alone are more, and then gives
    the floors. What rounding leaves over is less than one unit a server and stays unassigned.
    """
    numerator, denominator = common_level(left, servers)
    return [max(floor, nominal * numerator // denominator) for nominal, floor in servers]


def effective_sizes(load: HostLoad) -> dict[str, Size]:
    """What each server of the host really has now, by id. Physical.

    Normal servers have their size; one that waits for its room has nothing yet. Memory of a shrunk server is whole
    MiB, rounded down, and never below its floor.
    """
    sizes = {
        server.id: NOTHING if _waits(server) else server.size for server in load.servers if not server.is_backfilling
    }
    shrinkable = [server for server in load.servers if server.is_backfilling]
    if not shrinkable:
        return sizes
    left = load.host.capacity - load.normal
    if load.nominal_backfill.fits_in(left):
        sizes.update((server.id, server.size) for server in shrinkable)
        return sizes
    floors = [floor_held(server) for server in shrinkable]
    cpu_shares, memory_shares = _shares(shrinkable)
    cpu, memory = water_fill(left.cpu_mhz, cpu_shares), water_fill(left.memory_bytes, memory_shares)
    for server, floor, cpu_mhz, memory_bytes in zip(shrinkable, floors, cpu, memory, strict=True):
        is_shrunk = memory_bytes < server.size.memory_bytes
        whole = max(floor.memory_bytes, memory_bytes // MIB * MIB) if is_shrunk else memory_bytes
        sizes[server.id] = Size(cpu_mhz, whole)
    return sizes


def perf_factor(effective: int, nominal: int) -> float:
    """Effective / nominal with four decimals, rounded down: 1.0 only at full size, and never 0.

    **Source**: CloudSigma API 2.0, "Backfilling", `runtime.perf_factor`.
    """
    return max(1, effective * FACTOR_STEPS // nominal) / FACTOR_STEPS


# --- Making room --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StopPlan:
    """The backfilling servers of one host that must stop for a normal server to fit."""

    stops: tuple[str, ...] = ()
    """Ids, sorted."""
    count: int = 0
    work: int = 0
    """Lost: nominal MHz times whole seconds since the start, summed."""
    cpu_mhz: int = 0
    """Nominal, of the stopped servers."""
    is_proved: bool = True
    """False when a search passed its bound: another set may lose less work (or, on a host made for it, be smaller)."""

    @property
    def cost(self) -> tuple[int, int, int]:
        return (self.count, self.work, self.cpu_mhz)


NO_STOPS = StopPlan()


def fits_empty(load: HostLoad, size: Size) -> bool:
    """Whether `size` fits with every backfilling server stopped. Committed."""
    return size.fits_in(load.left)


def fits_by_shrinking(load: HostLoad, size: Size) -> bool:
    """Whether `size` fits with the servers that stay at their floors, so that nobody stops. Committed."""
    short_cpu, short_memory = _short(load, size)
    return short_cpu <= 0 and short_memory <= 0


def fits_without_shrinking(load: HostLoad, size: Size) -> bool:
    """Whether `size` fits with the servers that stay at full size. Committed."""
    return size.fits_in(load.room)


def stop_set(load: HostLoad, size: Size, *, now: datetime, nodes_max: int = 20_000) -> StopPlan | None:
    """The servers to stop so that `size` fits: fewest, then least work lost, then least CPU, then first ids. Committed.

    Args:
        size: Of the normal server, or `NOTHING` when the host itself has become smaller.
        now: Work is counted in whole seconds up to here.
        nodes_max: Bound on the search for the least work, in nodes, so that equal inputs give equal answers.

    Returns:
        An empty plan when shrinking is enough, or None when the size does not fit even on the empty host.
    """
    if not fits_empty(load, size):
        return None
    short_cpu, short_memory = _short(load, size)
    if short_cpu <= 0 and short_memory <= 0:
        return NO_STOPS
    candidates = sorted(load.backfilling, key=_id)
    victims = [
        Victim(floor.cpu_mhz, floor.memory_bytes, work_lost(server, now), server.size.cpu_mhz)
        for server in candidates
        for floor in (floor_held(server),)
    ]
    chosen, is_proved = cheapest_stops(victims, max(0, short_cpu), max(0, short_memory), nodes_max=nodes_max)
    return StopPlan(
        stops=tuple([candidates[index].id for index in chosen]),
        count=len(chosen),
        work=sum([victims[index].work for index in chosen]),
        cpu_mhz=sum([victims[index].cpu_mhz for index in chosen]),
        is_proved=is_proved,
    )


def _short(load: HostLoad, size: Size) -> tuple[int, int]:
    """How much CPU and memory is short for `size`, with the servers that stay at their floors. Committed."""
    floors, left = load.floors, load.left
    return (
        size.cpu_mhz + floors.cpu_mhz - left.cpu_mhz,
        size.memory_bytes + floors.memory_bytes - left.memory_bytes,
    )


def least_cost(load: HostLoad, size: Size, *, now: datetime) -> tuple[int, int]:
    """A cheap lower bound on the (count, work) of the host's stop set. The size must fit on the empty host."""
    short_cpu, short_memory = _short(load, size)
    cpu_sums, memory_sums = load.largest_floors
    count = max(fewest_at_least(cpu_sums, short_cpu), fewest_at_least(memory_sums, short_memory))
    return count, sum(sorted([work_lost(server, now) for server in load.backfilling])[:count])


def count_shrunk(load: HostLoad, size: Size, stops: Iterable[str] = ()) -> int:
    """How many servers that stay would have a lower factor in either dimension, after `stops` and a start of `size`.

    Committed, and of the factors themselves before rounding: before against after.
    """
    gone = frozenset(stops)
    cpu, memory = _shares([server for server in load.backfilling if server.id not in gone])
    left = load.left
    after = (
        common_level(left.cpu_mhz - size.cpu_mhz, cpu),
        common_level(left.memory_bytes - size.memory_bytes, memory),
    )
    return _count_shrunk(load, (cpu, memory), after)


def count_shrunk_beside(load: HostLoad, size: Size, floor: Size) -> int:
    """How many servers that stay would have a lower factor with a backfilling server of this size and floor beside."""
    if fits_without_shrinking(load, size):
        return 0
    cpu, memory = _shares(load.backfilling)
    left = load.left
    after = (
        common_level(left.cpu_mhz, [*cpu, (size.cpu_mhz, floor.cpu_mhz)]),
        common_level(left.memory_bytes, [*memory, (size.memory_bytes, floor.memory_bytes)]),
    )
    return _count_shrunk(load, (cpu, memory), after)


def _count_shrunk(
    load: HostLoad, staying: tuple[_Shares, _Shares], levels: tuple[tuple[int, int], tuple[int, int]]
) -> int:
    """How many of those that stay have less at other levels."""
    shrunk: set[int] = set()
    for before, shares, after in zip(load.levels, staying, levels, strict=True):
        if after[0] * before[1] < before[0] * after[1]:
            shrunk.update([at for at, (nominal, floor) in enumerate(shares) if floor * before[1] < nominal * before[0]])
    return len(shrunk)


_Shares: TypeAlias = list[tuple[int, int]]


def _shares(servers: Iterable[Server]) -> tuple[_Shares, _Shares]:
    """For CPU and for memory: nominal size and floor of each."""
    cpu, memory = [], []
    for server in servers:
        size = server.size
        floor = size if server.floor is None else server.floor
        cpu.append((size.cpu_mhz, floor.cpu_mhz))
        memory.append((size.memory_bytes, floor.memory_bytes))
    return cpu, memory


# --- Grace --------------------------------------------------------------------------------------


def admissions(load: HostLoad) -> list[Server]:
    """The waiting servers that get their room now: strictly in the order of decision, up to the first that must wait.

    Physical: servers under notice keep their floors until they are gone. Nobody overtakes, so nobody waits longer
    than one grace.
    """
    if not load.waiting:
        return []
    admitted = []
    capacity, normal, floors = load.host.capacity, load.normal, load.floors_physical
    cpu, memory = capacity.cpu_mhz - normal.cpu_mhz, capacity.memory_bytes - normal.memory_bytes
    for server in load.waiting:
        cpu -= server.size.cpu_mhz
        memory -= server.size.memory_bytes
        if floors.cpu_mhz > cpu or floors.memory_bytes > memory:
            break
        admitted.append(server)
    return admitted


def withdrawals(load: HostLoad) -> list[Server]:
    """The servers whose notice can be withdrawn, by id: only where nobody waits, and the floors fit with them back.

    Without the first condition, a spared server could keep a waiting one beyond its grace.
    """
    if load.waiting:
        return []
    if not load.victims:
        return []
    spared = []
    floors = load.floors
    for server in sorted(load.victims, key=lambda victim: victim.id):
        back = floors + floor_held(server)
        if back.fits_in(load.left):
            floors = back
            spared.append(server)
    return spared


# --- What is free -------------------------------------------------------------------------------


def room_for_backfilling(load: HostLoad, *, start_level_permille: int = 1000) -> Size:
    """The size a backfilling server may start with here, before clipping at 0 and at the smallest server.

    Counts everybody at full size: waiting normal servers, and servers under notice too. At a start level below 1 000,
    everybody could still have that part of its size, and everybody's floors still fit beside the new server.
    """
    left, floors, nominal = load.left, load.floors_physical, load.nominal_backfill
    cpu = left.cpu_mhz * 1000 // start_level_permille - nominal.cpu_mhz
    memory = left.memory_bytes * 1000 // start_level_permille - nominal.memory_bytes
    return Size(min(cpu, left.cpu_mhz - floors.cpu_mhz), min(memory, left.memory_bytes - floors.memory_bytes))


def free_for_backfilling(load: HostLoad, *, start_level_permille: int = 1000) -> Size:
    """The largest backfilling server that starts on this host now.

    Nothing at all on a host that is not up, or where either dimension is less than the smallest server: what cannot
    be started is not offered.
    """
    if load.host.state is not HostState.UP:
        return NOTHING
    room = room_for_backfilling(load, start_level_permille=start_level_permille)
    return room if SMALLEST_SERVER.fits_in(room) else NOTHING


@dataclass(frozen=True, slots=True)
class FreeResources:
    """What one backfilling server can have. Source: CloudSigma API 2.0, "Backfilling", `free_resources`."""

    total: Size = NOTHING
    """The most CPU and the most memory, possibly on different hosts."""
    most_free_by_cpu: Size = NOTHING
    most_free_by_memory: Size = NOTHING
    host_by_cpu: str | None = None
    host_by_memory: str | None = None


def free_resources(loads: Iterable[HostLoad], *, start_level_permille: int = 1000) -> FreeResources:
    """The largest backfilling servers that can start now, by CPU and by memory; ties by the other, then host name.

    Starting exactly one of the two succeeds while nothing else changes. A single server has a published largest size,
    so more than that is not offered.
    """
    offers = []
    for load in loads:
        free = free_for_backfilling(load, start_level_permille=start_level_permille)
        if free != NOTHING:
            offers.append((_at_most(free, LARGEST_SERVER), load.host.name))
    if not offers:
        return FreeResources()
    by_cpu, host_by_cpu = min(offers, key=lambda offer: (-offer[0].cpu_mhz, -offer[0].memory_bytes, offer[1]))
    by_memory, host_by_memory = min(offers, key=lambda offer: (-offer[0].memory_bytes, -offer[0].cpu_mhz, offer[1]))
    total = Size(by_cpu.cpu_mhz, by_memory.memory_bytes)
    return FreeResources(total, by_cpu, by_memory, host_by_cpu, host_by_memory)


Price = tuple[Size, str | None]
"""The largest normal server and its host; nothing and None where no host has room for the smallest."""


def normal_prices(loads: Iterable[HostLoad]) -> tuple[Price, Price, Price]:
    """The largest normal server, by CPU then memory, with nobody shrunk / the others at their floors / all stopped."""
    up = [load for load in loads if load.host.state is HostState.UP]
    return (
        _largest((load.room, load.host.name) for load in up),
        _largest((load.left - load.floors, load.host.name) for load in up),
        _largest((load.left, load.host.name) for load in up),
    )


def _largest(rooms: Iterable[tuple[Size, str]]) -> Price:
    offers = [(_at_most(room, LARGEST_SERVER), name) for room, name in rooms if SMALLEST_SERVER.fits_in(room)]
    if not offers:
        return NOTHING, None
    return min(offers, key=lambda offer: (-offer[0].cpu_mhz, -offer[0].memory_bytes, offer[1]))


def _at_most(size: Size, limit: Size) -> Size:
    return Size(min(size.cpu_mhz, limit.cpu_mhz), min(size.memory_bytes, limit.memory_bytes))
