"""Certificates: what an independent checker cannot work out for itself of a decision that disturbs somebody.

The checker has the log of events, so it knows every host as it was just before the event that carries the certificate,
and that event says who goes where and who stops. What is left to say, in about 70 bytes:

    v        1
    after    the number of the last event before the decision: it speaks of the state after that one
    policy   spread or pack
    key      [stops, work lost, CPU stopped, shrunk] of the chosen host; room and name follow from the state

and, only where there is something to say:

    avoid    the places of the avoid list that are on the chosen host all the same
    hidden   places of the avoid list that do not count, because the one who asked may not see them
    level    the start level, in thousandths, of a backfilling server that shrinks others when it starts: the key is
             then [0, 0, 0, shrunk], and where two hosts would take it, the one that comes first by avoid and room does
    gap      [stops, work] by which the proof stays below the key, where a search or a proof passed its bound
    hints    by host, a proof where there are too many sets of servers to try each of them

Of a host the checker finds by itself: the fewest servers whose largest floors make the room, the least work that so
many can have lost, and the best set where the first ones in order make the room, or where it can try all. A hint is for
the rest: `{"count": tree, "work": tree, "stops": places}`. `count` proves that one server fewer than the decision stops
is not enough, `work` that no set of as many comes before the decision's; or before `stops`, given where the host's own
best set ties with it in work and CPU. A tree is one of

    null                     there are few sets: try each
    [price, price]           whatever a set gives back of CPU and memory, it gives back what is needed: charged at these
                             prices for a MHz and a byte, even the cheapest ones come to the goal
    [place, tree, tree]      the sets with the server at this place (by id, of those still there), and those without it

Weights are (work * S + CPU) * 2^n - 2^(n - 1 - place), where S is 1 more than the n servers' CPUs together: they order
sets of one size by work, CPU and ids. Prices in `work` are in units of 2^n; in `count` weights are 0 and the goal is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import comb
from typing import Any, TypeAlias

from backend.cloud.backfill import HostLoad, StopPlan, fits_empty, floor_held, stop_set
from backend.cloud.model import HostState, Server, Size
from backend.cloud.placement import Placement, Policy, Ranks, avoid_key
from backend.cloud.stops import CoverProblem, Victim, fewest_at_least, work_lost

VERSION = 1
ENUMERATED_MAX = 3000
"""So many sets the checker tries one by one."""
FEW_SERVERS = 13
"""Of so many, no choice of any number has more sets than that."""
HINT_NODES_MAX = 200
"""Of one tree. Beyond it the certificate claims what a single pair of prices proves."""
PRICE_MAX = 2**62

Tree: TypeAlias = "list[Any] | None"
Gap = tuple[int, int]
NO_GAP: Gap = (0, 0)


@dataclass(frozen=True, slots=True)
class Certificate:
    after: int
    policy: Policy
    key: tuple[int, int, int, int]
    avoid: Ranks = ()
    hidden: Ranks = ()
    level_permille: int | None = None
    """Of a backfilling server's start."""
    gap: Gap = NO_GAP
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"v": VERSION, "after": self.after, "policy": self.policy, "key": list(self.key)}
        if self.avoid:
            found["avoid"] = list(self.avoid)
        if self.hidden:
            found["hidden"] = list(self.hidden)
        if self.level_permille is not None:
            found["level"] = self.level_permille
        if self.gap != NO_GAP:
            found["gap"] = list(self.gap)
        if self.hints:
            found["hints"] = {host: dict(hint) for host, hint in self.hints.items()}
        return found


def disturbs(placement: Placement) -> bool:
    """Whether somebody shrinks or stops for it."""
    return bool(placement.chosen.plan.stops) or placement.chosen.shrunk > 0


def may_need_hint(load: HostLoad, count: int) -> bool:
    """Whether, at some time, the checker cannot settle alone which of up to `count` servers of the host would stop."""
    servers = len(load.backfilling)
    if servers <= FEW_SERVERS or len({floor_held(server) for server in load.backfilling}) == 1:
        # Of servers that give back alike, the first in order are the best set.
        return False
    return any(comb(servers, stops) > ENUMERATED_MAX for stops in range(1, count + 1))


def certify(
    placement: Placement,
    size: Size,
    *,
    after: int,
    now: datetime,
    policy: Policy,
    ranks: Mapping[str, Ranks],
    hidden: Ranks,
    load_of: Callable[[str], HostLoad],
    doubtful: Collection[str],
) -> Certificate:
    """The certificate of a placement that disturbs somebody.

    Args:
        after: The number of the last event before the decision.
        ranks: Which places of the avoid list are on each host.
        hidden: Places of the avoid list whose servers hold a host and do not count.
        load_of: Each host as it was seen for the decision.
        doubtful: The hosts without avoided entries that were weighed exactly, and `may_need_hint`.
    """
    chosen = placement.chosen
    plan = chosen.plan
    hints: dict[str, Mapping[str, Any]] = {}
    gap = NO_GAP
    if plan.stops:
        own_class = avoid_key(ranks.get(chosen.host, ()))
        beside = {host for host in ranks if avoid_key(ranks[host]) == own_class}
        if not own_class:
            beside |= set(doubtful) - ranks.keys()
        for host in sorted({chosen.host, *beside}):
            load = load_of(host)
            if load.host.state is not HostState.UP or not fits_empty(load, size):
                continue
            if not may_need_hint(load, plan.count):
                continue
            proof = _Proof(load, size, now, plan, is_own=host == chosen.host)
            hint = proof.hint()
            if hint:
                hints[host] = hint
            gap = max(gap, proof.gap)
        if gap[0]:
            # The count itself is open: what is claimed then needs no hint.
            hints.clear()
    key = (plan.count, plan.work, plan.cpu_mhz, chosen.shrunk)
    return Certificate(after, policy, key, chosen.ranks, hidden, gap=gap, hints=hints)


class _Proof:
    """That no set of one host's servers comes before the stops of a decision, in the form of a hint."""

    def __init__(self, load: HostLoad, size: Size, now: datetime, goal: StopPlan, *, is_own: bool) -> None:
        self._load = load
        self._size = size
        self._now = now
        self._goal = goal
        self._is_own = is_own
        self._servers = sorted(load.backfilling, key=lambda server: server.id)
        self._victims = [_victim(server, now) for server in self._servers]
        short = size + load.floors - load.left
        self._short = (short.cpu_mhz, short.memory_bytes)
        self.gap = NO_GAP
        """By how much the hint stays below the goal, in stops and in work."""

    def hint(self) -> dict[str, Any]:
        """Empty where the checker needs none."""
        count, short = self._goal.count, self._short
        if max(short) <= 0:
            return {}
        cpu_sums, memory_sums = self._load.largest_floors
        fewest = max(fewest_at_least(cpu_sums, short[0]), fewest_at_least(memory_sums, short[1]))
        works = sorted(victim.work for victim in self._victims)
        hint: dict[str, Any] = {}
        if (fewest, sum(works[:fewest])) > (count, self._goal.work):
            return hint
        if fewest < count:
            if comb(len(works), count - 1) > ENUMERATED_MAX:
                tree = _Tree(self._victims, None).grown(count - 1, (*short, 1))
                if tree is None:
                    self.gap = (count - fewest, self._goal.work)
                    return hint
                hint["count"] = tree
            if sum(works[:count]) > self._goal.work:
                return hint
        first = sorted(range(len(works)), key=self._weights().__getitem__)[:count]
        if comb(len(works), count) > ENUMERATED_MAX and not self._covers(first):
            hint.update(self._work_hint(count))
        return hint

    def _work_hint(self, count: int) -> dict[str, Any]:
        weights, servers = self._weights(), len(self._victims)
        scale = 1 + sum(victim.cpu_mhz for victim in self._victims)
        beyond = self._goal.work * scale + min(self._goal.cpu_mhz, scale - 1)
        hint: dict[str, Any] = {}
        goal = beyond << servers
        plan = self._goal if self._is_own else stop_set(self._load, self._size, now=self._now)
        assert plan is not None, "the host has room"
        if self._is_own or plan.cost == self._goal.cost:
            places = [place for place, server in enumerate(self._servers) if server.id in plan.stops]
            goal = sum(weights[place] for place in places)
            if not self._is_own:
                hint["stops"] = places
        if plan.is_proved:
            tree = _Tree(self._victims, weights).grown(count, (*self._short, goal))
            if tree is not None:
                return {**hint, "work": tree}
        prices, bound = _Tree(self._victims, weights).priced(count, self._short)
        proved_work = max(0, bound >> servers) // scale
        self.gap = (0, max(1, self._goal.work - proved_work))
        return {"work": prices}

    def _covers(self, places: Sequence[int]) -> bool:
        cpu = sum(self._victims[place].floor_cpu_mhz for place in places)
        memory = sum(self._victims[place].floor_memory_bytes for place in places)
        return cpu >= self._short[0] and memory >= self._short[1]

    def _weights(self) -> list[int]:
        scale = 1 + sum(victim.cpu_mhz for victim in self._victims)
        count = len(self._victims)
        return [
            ((victim.work * scale + victim.cpu_mhz) << count) - (1 << (count - 1 - place))
            for place, victim in enumerate(self._victims)
        ]


def _victim(server: Server, now: datetime) -> Victim:
    floor = floor_held(server)
    return Victim(floor.cpu_mhz, floor.memory_bytes, work_lost(server, now), server.size.cpu_mhz)


class _Tree:
    """Grows a proof tree; with `weights` None for a count, where sets weigh nothing and must not give back enough."""

    def __init__(self, victims: Sequence[Victim], weights: Sequence[int] | None) -> None:
        self._victims = victims
        self._weights = weights
        self._shift = 0 if weights is None else len(victims)
        self._scale = 1 + sum(victim.cpu_mhz for victim in victims)
        self._nodes = 0

    def grown(self, count: int, owed: tuple[int, int, int]) -> Tree:
        """None where it would have more than HINT_NODES_MAX nodes."""
        self._nodes = 0
        try:
            tree: Tree = self._grow(tuple(range(len(self._victims))), count, owed)
            return tree
        except _TooLarge:
            return None

    def priced(self, count: int, short: tuple[int, int]) -> tuple[list[int], int]:
        """Prices for all sets, and the weight that they prove for every one that gives back enough."""
        places = tuple(range(len(self._victims)))
        prices = self._prices(places, count, short)
        return prices, self._bound(places, count, short, prices)

    def _grow(self, places: tuple[int, ...], count: int, owed: tuple[int, int, int]) -> Any:
        self._nodes += 1
        if self._nodes > HINT_NODES_MAX:
            raise _TooLarge
        if comb(len(places), count) <= ENUMERATED_MAX:
            # What it is a proof of is known to be true: trying each will find so.
            return None
        short = owed[:2]
        prices = self._prices(places, count, short)
        if self._bound(places, count, short, prices) >= owed[2]:
            return prices
        at = self._split(places, prices)
        victim, rest = self._victims[places[at]], places[:at] + places[at + 1 :]
        weight = 0 if self._weights is None else self._weights[places[at]]
        less = (owed[0] - victim.floor_cpu_mhz, owed[1] - victim.floor_memory_bytes, owed[2] - weight)
        return [at, self._grow(rest, count - 1, less), self._grow(rest, count, owed)]

    def _left(self, place: int, prices: Sequence[int]) -> int:
        """What a server weighs beyond the price of what it gives back."""
        victim = self._victims[place]
        price = prices[0] * victim.floor_cpu_mhz + prices[1] * victim.floor_memory_bytes
        return (0 if self._weights is None else self._weights[place]) - (price << self._shift)

    def _bound(self, places: Sequence[int], count: int, short: tuple[int, int], prices: Sequence[int]) -> int:
        least = sum(sorted(self._left(place, prices) for place in places)[:count])
        return least + ((prices[0] * short[0] + prices[1] * short[1]) << self._shift)

    def _split(self, places: Sequence[int], prices: Sequence[int]) -> int:
        """The place of the server that is the cheapest at these prices: without it, sets cost much more."""
        return min(range(len(places)), key=lambda at: (self._left(places[at], prices), at))

    def _prices(self, places: Sequence[int], count: int, short: tuple[int, int]) -> list[int]:
        victims = [self._victims[place] for place in places]
        need = (max(0, short[0]), max(0, short[1]))
        if need == (0, 0):
            return [0, 0]
        problem = CoverProblem(victims, *need)
        if self._weights is None:
            return list(problem.hardest_prices(count))
        scale, shift = 1 + sum(victim.cpu_mhz for victim in victims), len(victims)
        return [min(PRICE_MAX, price * self._scale // (scale << shift)) for price in problem.prices(count)]


class _TooLarge(Exception):
    """The tree has more nodes than it may."""
