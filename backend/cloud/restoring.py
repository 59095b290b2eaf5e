"""The fewest moves that take apart the servers of one group, in one cell.

A *move* stops a member and starts it again, avoiding all other members. The start chooses its host as every start
does (`placement`), so a plan can say whom to move and in which order, never where to. A plan moves no member twice,
and makes only moves that end on a host without another member: at no time does it bring two together.

Plans are compared by, smaller first,

    1. collisions    members beyond the first on each host, in the end
    2. moves
    3. stops         backfilling servers stopped on the way
    4. work lost     by these, as of now
    5. names         of those who move, in order

What is proved. `apart_bounds` leaves the rule of the starts away and asks which members could be where: a matching of
members to hosts, so that no plan can come to fewer collisions, or to as few with fewer moves. A plan that reaches this
bound has the fewest moves (`is_fewest`). Where none does, or to settle the rest of the key, orders of moves are
searched; members of one host that are alike are tried in the order of their names only. The search is bounded by
decisions, so that equal inputs give equal answers. Where it was cut short, `is_fewest` or `is_best` is False, and the
plan is the best one that was found.

Every decision is made as of now, with what earlier moves have changed: later, some other work may weigh more.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backend.cloud import backfill
from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import HostState, Server, Size
from backend.cloud.placement import NoValidHost, Ranks, Request, refusal_of

DECISIONS_MAX = 4_000
"""About half a second."""

MOVES_WEIGHED_MAX = 100
"""Plans with more moves than this are not weighed against each other."""


@dataclass(frozen=True, slots=True)
class Step:
    """One move."""

    server_id: str
    source: str
    target: str
    stops: tuple[str, ...] = ()
    """The ids of the backfilling servers that make room."""
    work: int = 0


@dataclass(frozen=True, slots=True)
class Restoration:
    """The best plan for one cell. Without moves where nothing can be better than it is."""

    steps: tuple[Step, ...]
    before: int
    """Collisions."""
    after: int
    least: int
    """The collisions that no plan can come below: there are not more hosts with room for those who may move."""
    is_fewest: bool
    """Whether nobody can come to fewer collisions, nor to as few with fewer moves. Proved."""
    is_best: bool
    """Whether that holds of the whole key. Proved."""


def count_collisions(hosts: Iterable[str]) -> int:
    """Members beyond the first on each host."""
    counts = Counter(hosts)
    return counts.total() - len(counts)


def fewest_moves(
    index: HostIndex,
    members: Iterable[Server],
    *,
    movable: Collection[str],
    now: datetime,
    floor_permille: int,
    decisions_max: int = DECISIONS_MAX,
    with_ties: bool = True,
) -> Restoration:
    """The best plan for the members of a group that hold a host of the cell.

    Args:
        index: The hosts of the cell, up to date.
        members: All that hold a host there, whether they may be moved or not.
        movable: Ids of those that may.
        now: What work lost is counted up to.
        floor_permille: The least factor of a backfilling server that is started.
        decisions_max: Bound on the search, in decisions of a host.
        with_ties: Whether plans with equally few moves are weighed against each other.
    """
    search = _Search(index, members, movable, now=now, floor_permille=floor_permille, decisions_max=decisions_max)
    return search.run(with_ties=with_ties)


# --- What no plan can come below ----------------------------------------------------------------


def apart_bounds(homes: Sequence[str], reach: Sequence[Collection[str]]) -> dict[int, int]:
    """For each number of different hosts that the members could be on, the fewest of them that must move.

    From as many as there are now, up to the most. `homes` are the hosts of the members, `reach` the hosts that each of
    them could be on besides. A matching that grows by one cheapest augmenting path at a time: each is the cheapest of
    its size.
    """
    held: dict[str, int] = {}
    for member, home in enumerate(homes):
        held.setdefault(home, member)
    matched = {member: host for host, member in held.items()}
    bounds = {len(held): 0}
    cost = 0
    while (path := _cheapest_path(homes, reach, held, matched)) is not None:
        for member, host in path:
            if member in matched:
                cost -= matched[member] != homes[member]
            cost += host != homes[member]
            matched[member] = host
            held[host] = member
        bounds[len(held)] = cost
    return bounds


def _cheapest_path(
    homes: Sequence[str], reach: Sequence[Collection[str]], held: Mapping[str, int], matched: Mapping[int, str]
) -> list[tuple[int, str]] | None:
    """Members and the hosts that they change to, from one without a host to a host without one."""
    costs = {member: 0 for member in range(len(homes)) if member not in matched}
    came: dict[int, tuple[int, str]] = {}
    waiting = deque(costs)
    best: tuple[int, int, str] | None = None
    # Each host costs at least what the one before did, and the first costs a move: nothing is cheaper than one.
    while waiting and (best is None or best[0] > 1):
        member = waiting.popleft()
        # Whoever leaves a host of its choice gives its own cost back.
        paid = costs[member] - (member in matched and matched[member] != homes[member])
        for host in (homes[member], *reach[member]):
            price = paid + (host != homes[member])
            owner = held.get(host)
            if owner is None:
                if best is None or price < best[0]:
                    best = price, member, host
                    if price == 1:
                        break
            elif owner != member and (owner not in costs or price < costs[owner]):
                costs[owner], came[owner] = price, (member, host)
                waiting.append(owner)
    if best is None:
        return None
    _, member, host = best
    path = [(member, host)]
    while member in came:
        member, host = came[member]
        path.append((member, host))
    return path


# --- The search ---------------------------------------------------------------------------------

_Cost = tuple[int, int, tuple[tuple[str, str], ...]]
"""Stops, work lost, and the names and ids of those who moved."""


@dataclass(frozen=True, slots=True)
class _State:
    """Where the members are after some moves, and what the hosts hold that these have changed."""

    hosts: tuple[str, ...]
    moved: frozenset[int] = frozenset()
    loads: Mapping[str, HostLoad] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    cost: _Cost = (0, 0, ())

    @property
    def collisions(self) -> int:
        return count_collisions(self.hosts)


class _CutShort(Exception):
    """The search has made as many decisions as it may."""


class _Search:
    def __init__(
        self,
        index: HostIndex,
        members: Iterable[Server],
        movable: Collection[str],
        *,
        now: datetime,
        floor_permille: int,
        decisions_max: int,
    ) -> None:
        self._index = index
        self._members = sorted(members, key=lambda server: (server.name, server.id))
        self._ids = tuple(server.id for server in self._members)
        self._movable = frozenset(place for place, server in enumerate(self._members) if server.id in movable)
        self._now = now
        self._floor_permille = floor_permille
        self._decisions_left = decisions_max
        self._best: _State | None = None
        self._seen: dict[tuple[tuple[str, ...], frozenset[str]], _Cost] = {}

    def run(self, *, with_ties: bool) -> Restoration:
        homes = tuple(server.host or "" for server in self._members)
        start = _State(homes)
        before = start.collisions
        bounds = apart_bounds(homes, self._reach()) if before else {}
        least = len(homes) - max(bounds, default=len(homes) - before)

        def made(found: _State, *, is_fewest: bool, is_best: bool) -> Restoration:
            return Restoration(found.steps, before, found.collisions, least, is_fewest, is_best)

        if before == least:
            return made(start, is_fewest=True, is_best=True)
        found, is_fewest = start, False
        try:
            found = self._greedy(start)
            is_fewest = found.collisions == least and len(found.steps) == bounds[len(homes) - least]
            if not is_fewest:
                found = self._fewer(start, found, bounds)
                is_fewest = True
            if with_ties and 0 < len(found.steps) <= MOVES_WEIGHED_MAX:
                self._begin(found)
                self._try_all(start, target=found.collisions, moves_max=len(found.steps))
                assert self._best is not None, "it began with one"
                return made(self._best, is_fewest=True, is_best=True)
        except _CutShort:
            found = self._better(found)
        return made(found, is_fewest=is_fewest, is_best=is_fewest and not found.steps)

    def _better(self, found: _State) -> _State:
        best = self._best
        if best is None:
            return found
        return min(found, best, key=lambda state: (state.collisions, len(state.steps), state.cost))

    def _begin(self, best: _State | None) -> None:
        self._best = best
        self._seen.clear()

    def _greedy(self, start: _State) -> _State:
        """Those who share a host, the largest first, while there is a host for them alone."""
        state = start
        while True:
            counts = Counter(state.hosts)
            shared = [place for place in self._open(state) if counts[state.hosts[place]] > 1]
            shared.sort(key=lambda place: (self._members[place].size.cpu_mhz, self._members[place].size.memory_bytes))
            following = (self._moved(state, place) for place in reversed(shared))
            found = next((each for each in following if each is not None), None)
            if found is None:
                return state
            state = found

    def _fewer(self, start: _State, found: _State, bounds: Mapping[int, int]) -> _State:
        """The fewest moves to the fewest collisions, by trying each number of both that is not ruled out."""
        for target in range(len(start.hosts) - max(bounds), found.collisions + 1):
            most = len(found.steps) - 1 if target == found.collisions else len(self._movable)
            for moves_max in range(bounds[len(start.hosts) - target], most + 1):
                self._begin(None)
                self._try_all(start, target=target, moves_max=moves_max)
                if self._best is not None:
                    return self._best
        return found

    def _try_all(self, state: _State, *, target: int, moves_max: int) -> None:
        """Every order of moves from here that may still be the best."""
        best = self._best
        if best is not None and (*state.cost[:2], state.cost[2]) > (*best.cost[:2], best.cost[2][: len(state.steps)]):
            return
        collisions = state.collisions
        if collisions <= target:
            if best is None or state.cost < best.cost:
                self._best = state
            return
        # A move takes at most one collision away.
        if len(state.steps) + collisions - target > moves_max:
            return
        key = state.hosts, frozenset(stop for step in state.steps for stop in step.stops)
        known = self._seen.get(key)
        if known is not None and known <= state.cost:
            return
        self._seen[key] = state.cost
        for place in self._open(state):
            following = self._moved(state, place)
            if following is not None:
                self._try_all(following, target=target, moves_max=moves_max)

    def _open(self, state: _State) -> Iterator[int]:
        """Who may move next, by name: of members of one host that are alike, the first."""
        tried = set()
        for place in sorted(self._movable - state.moved):
            server = self._members[place]
            kind = (state.hosts[place], server.size, server.is_backfilling, server.floor_permille)
            if kind not in tried:
                tried.add(kind)
                yield place

    # One decision

    def _load(self, loads: Mapping[str, HostLoad], host: str) -> HostLoad:
        return loads.get(host) or self._index.load(host)

    def _moved(self, state: _State, place: int) -> _State | None:
        """After this member has moved; None where it would not come to another host that has no member."""
        if self._decisions_left <= 0:
            raise _CutShort
        self._decisions_left -= 1
        server, source = self._members[place], state.hosts[place]
        loads = {**state.loads, source: without(self._load(state.loads, source), server.id)}
        ranks: dict[str, Ranks] = {}
        for rank, host in enumerate(state.hosts):
            if rank != place:
                ranks[host] = (*ranks.get(host, ()), rank)
        request = Request(server.size, server.is_backfilling, self._ids, server.id)
        found = self._index.place(request, now=self._now, ranks=ranks, instead=loads)
        if isinstance(found, NoValidHost) or found.chosen.ranks or found.chosen.host == source:
            return None
        target, plan = found.chosen.host, found.chosen.plan
        loads[target] = self._with(self._load(loads, target), server, plan.stops)
        stops, work, names = state.cost
        return _State(
            (*state.hosts[:place], target, *state.hosts[place + 1 :]),
            state.moved | {place},
            loads,
            (*state.steps, Step(server.id, source, target, plan.stops, plan.work)),
            (stops + plan.count, work + plan.work, (*names, (server.name, server.id))),
        )

    def _with(self, load: HostLoad, server: Server, stops: Collection[str]) -> HostLoad:
        """The host when the server runs there, and those who made room have gone."""
        floor = server.size
        if server.is_backfilling:
            floor = backfill.floor_of(server.size, server.floor_permille, self._floor_permille)
        placed = replace(server, host=load.host.name, floor=floor, started_at=self._now)
        staying = [other for other in load.servers if other.id not in stops]
        return HostLoad(load.host, tuple(sorted((*staying, placed), key=lambda other: other.id)))

    # What no decision can come below

    def _reach(self) -> list[Collection[str]]:
        """For each member the hosts that it could be on, if all others left them; as many as could ever be needed."""
        homes = sorted({member.host for member in self._members if member.host is not None})
        emptied = [without(self._index.load(home), *self._ids) for home in homes]
        by_kind: dict[tuple[Size, bool], Collection[str]] = {}
        for place in self._movable:
            server = self._members[place]
            kind = server.size, server.is_backfilling
            if kind not in by_kind:
                request = Request(server.size, is_backfilling=server.is_backfilling)
                level = self._index.start_level_permille
                found = [load.host.name for load in emptied if refusal_of(request, load, level) is None]
                # With one host for each member there is always one left for this one, whoever takes the others.
                found += self._index.with_room(request, skip=homes, now=self._now, limit=len(self._ids))
                by_kind[kind] = tuple(found)
        return [
            by_kind[server.size, server.is_backfilling] if place in self._movable else ()
            for place, server in enumerate(self._members)
        ]


def without(load: HostLoad, *ids: str) -> HostLoad:
    """The host when these servers have left it, and notices whose cause has gone are withdrawn, as `settle` does."""
    left = HostLoad(load.host, tuple(server for server in load.servers if server.id not in ids))
    if load.host.state is HostState.DOWN:
        return left
    spared = {server.id for server in backfill.withdrawals(left)}
    if not spared:
        return left
    servers = (
        replace(server, notice_until=None, notice_for=None) if server.id in spared else server
        for server in left.servers
    )
    return HostLoad(load.host, tuple(servers))
