"""Why a host was chosen, why each other one was not, and the smallest change where none has room.

The decision itself is the one of `index` and `placement`; here every host is weighed by the same key, so that each can
be told what it loses by. A change that would help is worked out and then tried with the real decision: what is named is
what that decision chose.

    cpu, memory       the server is smaller in this dimension alone; the least that must go
    cpu and memory    in both, where neither alone can help: the largest share that must go is the least
    stops             the fewest backfilling servers that would have to be stopped by hand for a backfilling server;
                      of equal sets on a host, those that lose the least work first. A normal server stops them itself
    storage           the drive is smaller
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Generic, Literal, TypeVar

from backend.cloud.backfill import (
    NO_STOPS,
    HostLoad,
    count_shrunk,
    fits_without_shrinking,
    floor_held,
    room_for_backfilling,
    stop_set,
)
from backend.cloud.index import HostIndex
from backend.cloud.model import NOTHING, SMALLEST_SERVER, HostState, Server, Size
from backend.cloud.placement import (
    Candidate,
    DecidedBy,
    DriveCandidate,
    DrivePlacement,
    NoValidHost,
    Placement,
    Policy,
    Ranks,
    Refusal,
    Request,
    StorageLoad,
    candidate_of,
    place_drive,
)
from backend.cloud.stops import fewest_at_least, sums_of_largest, work_lost

COVER_NODES_MAX = 50_000
"""For each count of stops that is tried on a host."""

TCandidate = TypeVar("TCandidate", Candidate, DriveCandidate)

Part = Literal["avoid", "source", "disruption", "room", "name"]
Measure = Literal[
    "places in the avoid list",
    "on the source's host",
    "servers stopped",
    "work lost",
    "CPU stopped",
    "servers shrunk",
    "CPU",
    "memory",
    "storage",
    "name",
]
Value = int | str | bool | Ranks
ChangeKind = Literal["cpu", "memory", "cpu and memory", "stops", "storage"]

_DISRUPTION: tuple[Measure, ...] = ("servers stopped", "work lost", "CPU stopped", "servers shrunk")


@dataclass(frozen=True, slots=True)
class Beaten(Generic[TCandidate]):
    """A host with room that was not chosen, and the first part of the key in which the chosen one is better."""

    candidate: TCandidate
    part: Part
    measure: Measure
    chosen: Value
    """Of the chosen host. Work in MHz seconds, CPU in MHz, memory and storage in bytes; places from 0."""
    own: Value


@dataclass(frozen=True, slots=True)
class Change:
    """What would make it fit, on this host."""

    kind: ChangeKind
    host: str
    less: Size = NOTHING
    less_bytes: int = 0
    """Of a drive."""
    stops: tuple[str, ...] = ()
    """Ids, sorted."""
    is_proved: bool = True
    """False where the search passed its bound: fewer stops may do."""


@dataclass(frozen=True, slots=True)
class Explanation(Generic[TCandidate]):
    """One decision, with what it says of every host."""

    chosen: TCandidate | None
    """None where no host has room."""
    decided_by: DecidedBy | None
    beaten: tuple[Beaten[TCandidate], ...]
    """The other hosts with room, best first."""
    refusals: tuple[Refusal, ...]
    """The hosts without room, by name."""
    changes: tuple[Change, ...] = ()
    """Where no host has room: what would help."""
    impossible: tuple[ChangeKind, ...] = ()
    """The kinds of change that cannot help."""


# --- Servers ------------------------------------------------------------------------------------


def explain_server(
    request: Request,
    loads: Sequence[HostLoad],
    *,
    now: datetime,
    ranks: Mapping[str, Ranks] | None = None,
    policy: Policy = "spread",
    start_level_permille: int = 1000,
) -> Explanation[Candidate]:
    """Decide as ever, and weigh every host.

    Args:
        request: Size and wishes.
        loads: The compute hosts of the cell as they are to be seen: without the server itself.
        now: What the work lost is counted up to.
        ranks: Which places of the avoid list are on each host.
    """
    ranks = ranks or {}
    index = HostIndex(policy=policy, start_level_permille=start_level_permille)
    index.fill(loads)
    found = index.place(request, now=now, ranks=ranks)
    refusals = index.refusals(request)
    if isinstance(found, NoValidHost):
        changes, impossible = _server_changes(request, loads, index, now=now, ranks=ranks)
        return Explanation(None, None, (), refusals, changes, impossible)
    refused = {refusal.host for refusal in refusals}
    candidates = sorted(
        (
            _weighed(request, load, ranks.get(load.host.name, ()), now, policy)
            for load in loads
            if load.host.name not in refused
        ),
        key=lambda candidate: candidate.key,
    )
    assert candidates[0].key == found.chosen.key, "the decision is the best of all hosts"
    beaten = tuple(_beaten(found.chosen, candidate) for candidate in candidates[1:])
    return Explanation(found.chosen, found.decided_by, beaten, refusals)


def _weighed(request: Request, load: HostLoad, ranks: Ranks, now: datetime, policy: Policy) -> Candidate:
    if request.is_backfilling or fits_without_shrinking(load, request.size):
        return candidate_of(load, NO_STOPS, 0, ranks, policy)
    plan = stop_set(load, request.size, now=now)
    assert plan is not None, "hosts without room were refused"
    return candidate_of(load, plan, count_shrunk(load, request.size, plan.stops), ranks, policy)


def _beaten(chosen: Candidate, other: Candidate) -> Beaten[Candidate]:
    if chosen.ranks != other.ranks:
        return Beaten(other, "avoid", "places in the avoid list", chosen.ranks, other.ranks)
    for measure, best, own in zip(_DISRUPTION, chosen.key[1], other.key[1], strict=True):
        if best != own:
            return Beaten(other, "disruption", measure, best, own)
    if chosen.room.cpu_mhz != other.room.cpu_mhz:
        return Beaten(other, "room", "CPU", chosen.room.cpu_mhz, other.room.cpu_mhz)
    if chosen.room.memory_bytes != other.room.memory_bytes:
        return Beaten(other, "room", "memory", chosen.room.memory_bytes, other.room.memory_bytes)
    return Beaten(other, "name", "name", chosen.host, other.host)


# --- What would help a server -------------------------------------------------------------------


def _server_changes(
    request: Request, loads: Sequence[HostLoad], index: HostIndex, *, now: datetime, ranks: Mapping[str, Ranks]
) -> tuple[tuple[Change, ...], tuple[ChangeKind, ...]]:
    """The smallest change of each kind, tried; and the kinds that cannot help."""
    up = [load for load in loads if load.host.state is HostState.UP]
    rooms = {load.host.name: _most(request, load, index.start_level_permille) for load in up}
    changes: list[Change] = []
    impossible: list[ChangeKind] = []

    def smaller(kind: ChangeKind, offers: Iterable[tuple[Size, str]]) -> None:
        best = min(
            ((_share_given_up(request.size, size), name, size) for size, name in offers),
            key=lambda offer: offer[:2],
            default=None,
        )
        if best is None:
            impossible.append(kind)
            return
        size = best[2]
        tried = index.place(replace(request, size=size), now=now, ranks=ranks)
        assert isinstance(tried, Placement), "a server of this size fits"
        changes.append(Change(kind, tried.chosen.host, less=request.size - size))

    smaller("cpu", _offers(request.size, rooms, least_cpu=True))
    smaller("memory", _offers(request.size, rooms, least_memory=True))
    if not changes:
        smaller("cpu and memory", _offers(request.size, rooms, least_cpu=True, least_memory=True))
    stops = _fewest_stops(request, up, index.start_level_permille, now) if request.is_backfilling else None
    if stops is None:
        impossible.append("stops")
    else:
        left = _without(index.load(stops.host), stops.stops)
        tried = index.place(request, now=now, ranks=ranks, instead={stops.host: left})
        assert isinstance(tried, Placement), "it fits when these are stopped"
        assert tried.chosen.host == stops.host, "no other host has room"
        changes.append(stops)
    return tuple(changes), tuple(impossible)


def _most(request: Request, load: HostLoad, start_level_permille: int) -> Size:
    """The largest server of the request's kind that the host takes, or would take if it were allowed."""
    if request.is_backfilling:
        return room_for_backfilling(load, start_level_permille=start_level_permille)
    return load.left


def _offers(
    size: Size, rooms: Mapping[str, Size], *, least_cpu: bool = False, least_memory: bool = False
) -> Iterable[tuple[Size, str]]:
    """For each host that could take the server so, the largest size that it may keep."""
    for name, room in rooms.items():
        kept = Size(
            min(size.cpu_mhz, room.cpu_mhz) if least_cpu else size.cpu_mhz,
            min(size.memory_bytes, room.memory_bytes) if least_memory else size.memory_bytes,
        )
        if kept.fits_in(room) and SMALLEST_SERVER.fits_in(kept):
            yield kept, name


def _share_given_up(size: Size, kept: Size) -> tuple[Fraction, Fraction]:
    """The larger share of what is given up, then both together."""
    less = size - kept
    cpu, memory = Fraction(less.cpu_mhz, size.cpu_mhz), Fraction(less.memory_bytes, size.memory_bytes)
    return max(cpu, memory), cpu + memory


def _without(load: HostLoad, ids: Iterable[str]) -> HostLoad:
    gone = frozenset(ids)
    return HostLoad(load.host, tuple(server for server in load.servers if server.id not in gone))


_Gains = tuple[int, int, int, int]
"""Nominal CPU and memory, then the same of the floors: what a start needs of each."""


def _fewest_stops(request: Request, up: Sequence[HostLoad], start_level_permille: int, now: datetime) -> Change | None:
    """Over all hosts that are up: fewest, then the host's name. None where even stopping all is not enough."""
    wanted = Size(
        max(request.size.cpu_mhz, SMALLEST_SERVER.cpu_mhz), max(request.size.memory_bytes, SMALLEST_SERVER.memory_bytes)
    )
    bounds: list[tuple[int, str, list[Server], _Gains]] = []
    for load in up:
        needs = _needs(load, wanted, start_level_permille)
        stoppable = sorted((*load.backfilling, *load.victims), key=lambda server: (work_lost(server, now), server.id))
        least = max(
            fewest_at_least(sums_of_largest(column), need)
            for column, need in zip(_columns(map(_gains, stoppable)), needs, strict=True)
        )
        if least <= len(stoppable):
            bounds.append((least, load.host.name, stoppable, needs))
    best: Change | None = None
    for least, name, stoppable, needs in sorted(bounds, key=lambda bound: bound[:2]):
        if best is not None and (least, name) > (len(best.stops), best.host):
            continue
        picked, is_proved = fewest_covering([_gains(server) for server in stoppable], needs, least=least)
        change = Change("stops", name, stops=tuple(sorted(stoppable[at].id for at in picked)), is_proved=is_proved)
        if best is None or (len(change.stops), name) < (len(best.stops), best.host):
            best = change
    return best


def _needs(load: HostLoad, wanted: Size, start_level_permille: int) -> _Gains:
    """How much of each must go before a server of this size may start. The counterpart of `room_for_backfilling`."""
    by_floors = load.left - load.floors_physical
    most_cpu_mhz = load.left.cpu_mhz * 1000 // start_level_permille
    most_memory_bytes = load.left.memory_bytes * 1000 // start_level_permille
    return (
        wanted.cpu_mhz + load.nominal_backfill.cpu_mhz - most_cpu_mhz,
        wanted.memory_bytes + load.nominal_backfill.memory_bytes - most_memory_bytes,
        wanted.cpu_mhz - by_floors.cpu_mhz,
        wanted.memory_bytes - by_floors.memory_bytes,
    )


def _gains(server: Server) -> _Gains:
    floor = floor_held(server)
    return (server.size.cpu_mhz, server.size.memory_bytes, floor.cpu_mhz, floor.memory_bytes)


def _columns(rows: Iterable[_Gains]) -> tuple[list[int], ...]:
    listed = list(rows)
    return tuple([row[place] for row in listed] for place in range(4))


def fewest_covering(
    gains: Sequence[_Gains], needs: _Gains, *, least: int, nodes_max: int = COVER_NODES_MAX
) -> tuple[tuple[int, ...], bool]:
    """The fewest places whose gains reach every need; of all such sets the first in the order that is given.

    All together must reach them. `least` is a bound from below that is known. Returns the places and whether no fewer
    are enough for sure: a count whose search passes `nodes_max` is passed over.
    """
    is_proved = True
    for count in range(least, len(gains)):
        reach = _Reach(gains, count)
        search = _Search(gains, reach, nodes_max)
        if search.find(0, count, needs):
            return tuple(search.picked), is_proved
        is_proved = is_proved and search.nodes_left > 0
    return tuple(range(len(gains))), is_proved


class _Reach:
    """The most that so many of the gains from a place on come to, in each column."""

    def __init__(self, gains: Sequence[_Gains], count: int) -> None:
        self._sums = [
            [sums_of_largest(row[place] for row in gains[at:])[: count + 1] for at in range(len(gains) + 1)]
            for place in range(4)
        ]

    def is_enough(self, at: int, picks: int, needs: _Gains) -> bool:
        return all(
            len(sums[at]) > picks and sums[at][picks] >= need for sums, need in zip(self._sums, needs, strict=True)
        )


class _Search:
    def __init__(self, gains: Sequence[_Gains], reach: _Reach, nodes_max: int) -> None:
        self._gains = gains
        self._reach = reach
        self.nodes_left = nodes_max
        self.picked: list[int] = []

    def find(self, at: int, picks: int, needs: _Gains) -> bool:
        """Whether `picks` of the gains from place `at` on reach the needs; they are `picked` then."""
        if picks == 0:
            return all(need <= 0 for need in needs)
        for place in range(at, len(self._gains) - picks + 1):
            if self.nodes_left <= 0 or not self._reach.is_enough(place, picks, needs):
                return False
            self.nodes_left -= 1
            gain = self._gains[place]
            self.picked.append(place)
            left = (needs[0] - gain[0], needs[1] - gain[1], needs[2] - gain[2], needs[3] - gain[3])
            if self.find(place + 1, picks - 1, left):
                return True
            self.picked.pop()
        return False


# --- Drives -------------------------------------------------------------------------------------


def explain_drive(
    size_bytes: int,
    loads: Sequence[StorageLoad],
    *,
    ranks: Mapping[str, Ranks] | None = None,
    policy: Policy = "spread",
    source_host: str | None = None,
    size_bytes_min: int = 1,
) -> Explanation[DriveCandidate]:
    """The same of a drive: decide as ever, and weigh every storage host. A drive below `size_bytes_min` is no help."""

    def decide(size: int, among: Sequence[StorageLoad]) -> DrivePlacement | NoValidHost:
        return place_drive(size, among, ranks=ranks, policy=policy, source_host=source_host)

    found = decide(size_bytes, loads)
    if isinstance(found, NoValidHost):
        kept = max((load.free_bytes for load in loads if load.host.state is HostState.UP), default=0)
        if kept < size_bytes_min:
            return Explanation(None, None, (), found.refusals, (), ("storage",))
        tried = decide(kept, loads)
        assert isinstance(tried, DrivePlacement), "a drive of this size fits"
        change = Change("storage", tried.host, less_bytes=size_bytes - kept)
        return Explanation(None, None, (), found.refusals, (change,))
    alone = (decide(size_bytes, [load]) for load in loads if load.host.name != found.host)
    others = sorted((each.chosen for each in alone if isinstance(each, DrivePlacement)), key=lambda each: each.key)
    beaten = tuple(_drive_beaten(found.chosen, other, source_host) for other in others)
    return Explanation(found.chosen, found.decided_by, beaten, found.refusals)


def _drive_beaten(chosen: DriveCandidate, other: DriveCandidate, source_host: str | None) -> Beaten[DriveCandidate]:
    if chosen.ranks != other.ranks:
        return Beaten(other, "avoid", "places in the avoid list", chosen.ranks, other.ranks)
    if chosen.key[1] != other.key[1]:
        is_source = chosen.host == source_host
        return Beaten(other, "source", "on the source's host", is_source, not is_source)
    if chosen.room_bytes != other.room_bytes:
        return Beaten(other, "room", "storage", chosen.room_bytes, other.room_bytes)
    return Beaten(other, "name", "name", chosen.host, other.host)
