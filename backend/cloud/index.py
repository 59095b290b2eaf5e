"""The compute hosts of one cell, kept so that a decision looks at a few of them and not at all.

The rule is the one of `placement`; this finds the same answer without asking every host. Hosts that hold something of
the avoid list are few and weighed one by one. All others come in three tiers, and the first that answers wins:

    nobody shrinks    Hosts in the order of their room, in chunks that know the most memory that one of them has: those
                      that have CPU enough and memory too little are passed over a chunk at a time.
    somebody shrinks  One heap for each size that was asked for. Who would shrink does not depend on the time, so a key
                      is exact until its host changes.
    somebody stops    Heaps for each size. Work lost grows with time, so no order of hosts lasts: but any k servers of a
                      host lose at least `work(then) + slope * (now - then)`, where the slope is the k smallest CPUs on
                      it, and among hosts of one slope the order of that bound never changes. A bound is replaced by the
                      exact plan when it comes to the head, and a plan whose CPU is the slope stays exact.

A size's heaps are brought up to date from a log of the hosts that have changed since it was last asked for.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import islice
from typing import NamedTuple

from backend.cloud.backfill import (
    NO_STOPS,
    HostLoad,
    StopPlan,
    count_shrunk,
    fits_by_shrinking,
    fits_empty,
    fits_without_shrinking,
    free_for_backfilling,
    least_cost,
    stop_set,
)
from backend.cloud.certificates import may_need_hint
from backend.cloud.model import HostState, Server, Size
from backend.cloud.placement import (
    Candidate,
    NoValidHost,
    Placement,
    Policy,
    Ranks,
    Refusal,
    Request,
    avoid_key,
    best_two,
    candidate_of,
    placement_of,
    refusal_of,
    room_key,
)

CHUNK_HOSTS_MAX = 128
SIZES_KEPT = 32
LOG_HOSTS_MAX = 100_000
"""A size that was not asked for during so many changes is worked out anew."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _seconds(now: datetime) -> int:
    """Whole seconds, as work is counted."""
    passed = now - _EPOCH
    return passed.days * 86_400 + passed.seconds


# --- By room ------------------------------------------------------------------------------------


class _Room(NamedTuple):
    """A host that is up, by its room. The first two are negative where the most room comes first."""

    cpu_key: int
    memory_key: int
    host: str
    cpu: int
    memory: int
    free_cpu: int
    """For a backfilling server."""
    free_memory: int
    cpu_free: int
    """With everybody at full size, and those under notice counted."""


class _Chunk:
    """Hosts next to each other in the order, and the most that any of them has."""

    __slots__ = ("free_cpu_most", "free_memory_most", "memory_most", "rooms")

    def __init__(self, rooms: list[_Room]) -> None:
        self.rooms = rooms
        self.sum_up()

    def sum_up(self) -> None:
        self.memory_most = max([room.memory for room in self.rooms])
        self.free_cpu_most = max([room.free_cpu for room in self.rooms])
        self.free_memory_most = max([room.free_memory for room in self.rooms])

    def lose(self, room: _Room) -> None:
        """It has left: without it the most may be less. What is free is never less than nothing."""
        if (
            room.memory < self.memory_most
            and (room.free_cpu < self.free_cpu_most or not room.free_cpu)
            and (room.free_memory < self.free_memory_most or not room.free_memory)
        ):
            return
        memory, free_cpu, free_memory = room.memory, room.free_cpu, room.free_memory
        for other in self.rooms:
            if other.memory >= memory and other.free_cpu >= free_cpu and other.free_memory >= free_memory:
                # Among hosts of one size this is nearly always the first.
                return
        self.sum_up()


class _Rooms:
    """All hosts that are up, best room first."""

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._lasts: list[_Room] = []
        """The last of each chunk."""

    def fill(self, rooms: Iterable[_Room]) -> None:
        ordered = sorted(rooms)
        size = CHUNK_HOSTS_MAX // 2
        self._chunks = [_Chunk(ordered[at : at + size]) for at in range(0, len(ordered), size)]
        self._lasts = [chunk.rooms[-1] for chunk in self._chunks]

    def add(self, room: _Room) -> None:
        if not self._chunks:
            self.fill([room])
            return
        at = min(bisect_left(self._lasts, room), len(self._chunks) - 1)
        chunk = self._chunks[at]
        insort(chunk.rooms, room)
        if len(chunk.rooms) > CHUNK_HOSTS_MAX:
            half = len(chunk.rooms) // 2
            self._chunks.insert(at + 1, _Chunk(chunk.rooms[half:]))
            self._lasts.insert(at + 1, chunk.rooms[-1])
            del chunk.rooms[half:]
            chunk.sum_up()
        else:
            chunk.memory_most = max(chunk.memory_most, room.memory)
            chunk.free_cpu_most = max(chunk.free_cpu_most, room.free_cpu)
            chunk.free_memory_most = max(chunk.free_memory_most, room.free_memory)
        self._lasts[at] = chunk.rooms[-1]

    def remove(self, room: _Room) -> None:
        at = bisect_left(self._lasts, room)
        chunk = self._chunks[at]
        del chunk.rooms[bisect_left(chunk.rooms, room)]
        if chunk.rooms:
            chunk.lose(room)
            self._lasts[at] = chunk.rooms[-1]
        else:
            del self._chunks[at], self._lasts[at]

    def with_room(self, size: Size, *, is_spread: bool) -> Iterator[str]:
        """Hosts with this much room, best first."""
        # The order is by CPU: those with enough of it are at its beginning (spread) or at its end (pack).
        first = 0 if is_spread else bisect_left(self._lasts, size.cpu_mhz, key=_cpu_key)
        for chunk in islice(self._chunks, first, None):
            if is_spread and chunk.rooms[0].cpu < size.cpu_mhz:
                return
            if chunk.memory_most < size.memory_bytes:
                continue
            for room in chunk.rooms:
                if room.memory >= size.memory_bytes and room.cpu >= size.cpu_mhz:
                    yield room.host

    def free_for(self, size: Size) -> Iterator[str]:
        """Hosts on which a backfilling server of this size may start, best room first."""
        for chunk in self._chunks:
            if chunk.free_cpu_most < size.cpu_mhz or chunk.free_memory_most < size.memory_bytes:
                continue
            for room in chunk.rooms:
                if room.free_cpu >= size.cpu_mhz and room.free_memory >= size.memory_bytes:
                    yield room.host


def _cpu_key(room: _Room) -> int:
    return room.cpu_key


# --- Where somebody has to make room ------------------------------------------------------------


class _Shrinking(NamedTuple):
    """A host where some have to shrink, and nobody to stop. Exact until the host changes."""

    shrunk: int
    room_key: tuple[int, int]
    host: str
    version: int


_Rest = tuple[int, int, int, int, str] | tuple[()]
"""What follows the work lost in an exact key: CPU, shrunk, room, host. In a bound nothing, which comes first."""


@dataclass(slots=True)
class _Bound:
    """What making room on a host costs at least, or exactly, where there is a plan."""

    count: int
    work: int
    rest: _Rest = ()
    plan: StopPlan | None = None


class _Stopping(NamedTuple):
    """A host where somebody has to stop. Ordered within its count and slope, at any time."""

    intercept: int
    """The work lost, or a bound on it, less what grows with time."""
    rest: _Rest
    host: str
    version: int
    plan: StopPlan | None
    planned_at: int


class _Demand:
    """What one size would cost on each host that cannot take it as it is."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.cursor = -1
        """How far into the log of changes; -1: every host is to be looked at."""
        self._shrinking: list[_Shrinking] = []
        self._stopping: dict[int, dict[int, list[_Stopping]]] = {}
        """By how many stop at least, and slope."""
        self.doubtful: dict[str, int] = {}
        """Versions of the hosts with an exact plan that a certificate may have to prove."""
        self.looked_at = -1
        """When it was last asked, in seconds: a bound of then says nothing of before."""

    def clear(self) -> None:
        self._shrinking.clear()
        self._stopping.clear()
        self.doubtful.clear()

    def look_at(self, load: HostLoad, version: int, policy: Policy, now: datetime) -> None:
        """Take in a host as it is now; what was held of it before is of an older version."""
        size = self.size
        if load.host.state is not HostState.UP or not fits_empty(load, size) or fits_without_shrinking(load, size):
            return
        if fits_by_shrinking(load, size):
            entry = _Shrinking(count_shrunk(load, size), room_key(load, policy), load.host.name, version)
            heappush(self._shrinking, entry)
            return
        count, work = least_cost(load, size, now=now)
        self._hold(load, version, _Bound(count, work), now, _seconds(now))

    def _hold(self, load: HostLoad, version: int, bound: _Bound, now: datetime, at: int) -> None:
        # Until the newest has been started, what is lost does not grow yet by all of them.
        grows = load.last_start is None or load.last_start <= now
        slope = load.least_cpus[bound.count] if grows else 0
        entry = _Stopping(bound.work - slope * at, bound.rest, load.host.name, version, bound.plan, at)
        heappush(self._stopping.setdefault(bound.count, {}).setdefault(slope, []), entry)

    def shrinking(self, index: HostIndex, skip: Collection[str]) -> Iterator[Candidate]:
        """Best first."""
        heap, taken = self._shrinking, []
        try:
            while heap:
                entry = heappop(heap)
                if index.version_of(entry.host) != entry.version:
                    continue
                taken.append(entry)
                if entry.host not in skip:
                    yield candidate_of(index.load(entry.host), NO_STOPS, entry.shrunk, (), index.policy)
        finally:
            for entry in taken:
                heappush(heap, entry)

    def stopping(self, index: HostIndex, skip: Collection[str], now: datetime) -> Iterator[Candidate]:
        """Best first, each exact at `now`."""
        taken: list[tuple[list[_Stopping], _Stopping]] = []
        at = _seconds(now)
        try:
            # A bound that turns out too low moves its host to a higher count, never to a lower one.
            while (head := self._least(index, at)) is not None:
                slope, heap = head
                entry = heappop(heap)
                load = index.load(entry.host)
                if entry.host in skip:
                    taken.append((heap, entry))
                elif entry.plan is not None and (entry.planned_at == at or entry.plan.cpu_mhz == slope):
                    taken.append((heap, entry))
                    work = entry.intercept + slope * at
                    plan = entry.plan if entry.plan.work == work else replace(entry.plan, work=work)
                    yield candidate_of(load, plan, entry.rest[1] if entry.rest else 0, (), index.policy)
                else:
                    self._refine(index, load, entry.version, now, at)
        finally:
            for heap, entry in taken:
                heappush(heap, entry)

    def _least(self, index: HostIndex, at: int) -> tuple[int, list[_Stopping]] | None:
        """The slope and the heap whose head may be the best at this second."""
        for count in sorted(self._stopping):
            best: tuple[tuple[int, tuple[object, ...]], int, list[_Stopping]] | None = None
            by_slope = self._stopping[count]
            for slope, heap in list(by_slope.items()):
                while heap and index.version_of(heap[0].host) != heap[0].version:
                    heappop(heap)
                if heap:
                    key = (heap[0].intercept + slope * at, heap[0].rest)
                    if best is None or key < best[0]:
                        best = (key, slope, heap)
            if best is not None:
                return best[1], best[2]
        return None

    def _refine(self, index: HostIndex, load: HostLoad, version: int, now: datetime, at: int) -> None:
        plan = stop_set(load, self.size, now=now)
        assert plan is not None, "hosts without room are not held"
        shrunk = count_shrunk(load, self.size, plan.stops)
        rest = (plan.cpu_mhz, shrunk, *room_key(load, index.policy), load.host.name)
        if may_need_hint(load, plan.count):
            self.doubtful[load.host.name] = version
        self._hold(load, version, _Bound(plan.count, plan.work, rest, plan), now, at)


# --- All of them --------------------------------------------------------------------------------


class HostIndex:
    """What is on each compute host, and where the next server fits best."""

    def __init__(self, *, policy: Policy = "spread", start_level_permille: int = 1000) -> None:
        self.policy: Policy = policy
        self.start_level_permille = start_level_permille
        self._loads: dict[str, HostLoad] = {}
        self._rooms = _Rooms()
        self._cpu_mhz_free = 0
        self._room_of: dict[str, _Room] = {}
        self._servers: dict[str, Server] = {}
        """Those that hold a host, by id, but for the hosts that are unread."""
        self._unread: dict[str, HostLoad | None] = {}
        """Hosts that have changed since somebody asked for a server, as they were before; None: there was none."""
        self._versions: dict[str, int] = {}
        self._log: list[str] = []
        self._log_start = 0
        self._demands: dict[Size, _Demand] = {}

    def load(self, host: str) -> HostLoad:
        return self._loads[host]

    def version_of(self, host: str) -> int:
        """Grows with every change of the host."""
        return self._versions[host]

    # Keeping it up to date

    def fill(self, loads: Iterable[HostLoad]) -> None:
        """Take in all hosts at once; nothing of before is kept."""
        self._loads = {load.host.name: load for load in loads}
        self._servers = {server.id: server for load in self._loads.values() for server in load.servers}
        self._unread.clear()
        self._log_start += len(self._log) + 1
        self._log.clear()
        self._versions = dict.fromkeys(self._loads, self._log_start)
        self._demands.clear()
        up = [load for load in self._loads.values() if load.host.state is HostState.UP]
        self._room_of = {load.host.name: self._room(load) for load in up}
        self._rooms.fill(self._room_of.values())
        self._cpu_mhz_free = sum(room.cpu_free for room in self._room_of.values())

    def put(self, load: HostLoad) -> None:
        """Take in a host that has changed, or is new."""
        name = load.host.name
        before = self._loads.get(name)
        if before is load:
            return
        self._unread.setdefault(name, before)
        self._loads[name] = load
        old = self._room_of.pop(name, None)
        if old is not None:
            self._rooms.remove(old)
            self._cpu_mhz_free -= old.cpu_free
        if load.host.state is HostState.UP:
            self._room_of[name] = room = self._room(load)
            self._rooms.add(room)
            self._cpu_mhz_free += room.cpu_free
        self._log.append(name)
        self._versions[name] = self._log_start + len(self._log)
        if len(self._log) > LOG_HOSTS_MAX:
            half = len(self._log) // 2
            del self._log[:half]
            self._log_start += half

    def _room(self, load: HostLoad) -> _Room:
        free = free_for_backfilling(load, start_level_permille=self.start_level_permille)
        (cpu_key, memory_key), room = room_key(load, self.policy), load.room
        cpu_free = load.left.cpu_mhz - load.nominal_backfill.cpu_mhz
        return _Room(
            cpu_key,
            memory_key,
            load.host.name,
            room.cpu_mhz,
            room.memory_bytes,
            free.cpu_mhz,
            free.memory_bytes,
            cpu_free,
        )

    def _demand(self, size: Size, now: datetime) -> _Demand:
        """What this size costs on each host, brought up to date."""
        demand = self._demands.pop(size, None) or _Demand(size)
        while len(self._demands) >= SIZES_KEPT:
            del self._demands[next(iter(self._demands))]
        self._demands[size] = demand
        end = self._log_start + len(self._log)
        at = _seconds(now)
        changed: Iterable[str] = dict.fromkeys(self._log[max(0, demand.cursor - self._log_start) :])
        is_behind = len(self._log) - demand.cursor + self._log_start > len(self._loads)
        if is_behind or demand.cursor < self._log_start or at < demand.looked_at:
            demand.clear()
            changed = self._loads
        for name in changed:
            load = self._loads[name]
            demand.look_at(load, self._versions[name], self.policy, now)
        demand.cursor, demand.looked_at = end, at
        return demand

    # Asking it

    def find_server(self, id: str) -> Server | None:
        """The server, if it holds a host."""
        if self._unread:
            # Who has moved is on two of them: first all leave, then all come.
            for before in self._unread.values():
                for server in before.servers if before is not None else ():
                    self._servers.pop(server.id, None)
            for name in self._unread:
                self._servers.update([(server.id, server) for server in self._loads[name].servers])
            self._unread.clear()
        return self._servers.get(id)

    @property
    def hosts_up(self) -> int:
        return len(self._room_of)

    @property
    def cpu_mhz_free(self) -> int:
        """On all hosts that are up, with everybody at full size, and those under notice counted."""
        return self._cpu_mhz_free

    def place(
        self,
        request: Request,
        *,
        now: datetime,
        ranks: Mapping[str, Ranks] | None = None,
        instead: Mapping[str, HostLoad] | None = None,
    ) -> Placement | NoValidHost:
        """Pick the host for a server, and say what came second.

        A normal server may shrink backfilling servers and, where that is not enough, stop the fewest of them. A
        backfilling server starts only where its size is free with everybody at full size, and disturbs nobody.

        Args:
            request: Size and wishes.
            now: What the work lost is counted up to.
            ranks: Which places of the avoid list are on each host.
            instead: Hosts as they are to be seen for this decision.

        Returns:
            A Placement, or NoValidHost; `refusals` says why. Equal hosts always give equal answers.
        """
        ranks, instead = ranks or {}, instead or {}
        special = {**{name: self._loads[name] for name in ranks if name in self._loads}, **instead}
        with closing(self._candidates(request, special.keys(), now)) as candidates:
            best = list(islice(candidates, 2))
        classes: dict[Ranks, list[HostLoad]] = {}
        for name, load in special.items():
            if refusal_of(request, load, self.start_level_permille) is None:
                classes.setdefault(avoid_key(ranks.get(name, ())), []).append(load)
        if () in classes:
            best = sorted(
                [*best, *best_two(request, classes.pop(()), (), now, self.policy)], key=lambda found: found.key
            )[:2]
        for held in sorted(classes):
            if len(best) > 1:
                break
            best += best_two(request, classes[held], tuple(-place for place in held), now, self.policy)
        return placement_of(request, best[:2])

    def _candidates(self, request: Request, skip: Collection[str], now: datetime) -> Generator[Candidate, None, None]:
        """Hosts that hold nothing of the avoid list, best first."""
        size = request.size
        hosts = (
            self._rooms.free_for(size)
            if request.is_backfilling
            else self._rooms.with_room(size, is_spread=self.policy == "spread")
        )
        for host in hosts:
            if host not in skip:
                yield candidate_of(self._loads[host], NO_STOPS, 0, (), self.policy)
        if not request.is_backfilling:
            demand = self._demand(size, now)
            yield from demand.shrinking(self, skip)
            yield from demand.stopping(self, skip, now)

    def with_room(self, request: Request, *, skip: Collection[str], now: datetime, limit: int) -> list[str]:
        """The best hosts for a server that avoids nobody, best first, without those of `skip`; at most `limit`."""
        with closing(self._candidates(request, skip, now)) as candidates:
            return [candidate.host for candidate in islice(candidates, limit)]

    def doubtful(self, size: Size) -> list[str]:
        """Hosts that were weighed exactly for a size, and are as they were then: see `certificates.may_need_hint`."""
        demand = self._demands.get(size)
        if demand is None:
            return []
        return [host for host, version in demand.doubtful.items() if self._versions[host] == version]

    def refusals(self, request: Request, *, instead: Mapping[str, HostLoad] | None = None) -> tuple[Refusal, ...]:
        """Why each host without room has none, by name. Asks every host."""
        loads = {**self._loads, **(instead or {})}
        found = (refusal_of(request, loads[name], self.start_level_permille) for name in sorted(loads))
        return tuple(refusal for refusal in found if refusal is not None)
