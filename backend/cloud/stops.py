"""The search behind a stop set: which servers of one host to stop, exactly.

Given the floors that stopping each server gives back, and what is short in CPU and in memory, find the set that gives
back enough with the fewest servers, then the least work lost, then the least nominal CPU, then the first ids.

Both questions are hard in general (the second contains subset sum), so the searches are branch and bound over small
hosts. Both stop at a number of nodes: counting nodes and not seconds keeps equal inputs giving equal answers. The bound
on the count is far out, so the count is proved on every host that was not made to defeat it (100 servers and more,
whose CPU and memory are exactly at odds and only just enough); the tie-break gives up earlier, and says so.

    The count    For a count k, the k largest floors of either dimension must reach what is short, and so must the k
                 largest of any weighted mix of both. The mix whose k largest reach least is what settles it.
    One or two   All of them are tried: so few are the rule, and then nothing below is needed.
    The rest     Work, CPU and ids become one integer weight per server, so that every best set is unique. The bound is
                 Lagrange's: what is still short is charged at a price per MHz and per byte, and with the servers in
                 order of what they cost beyond that price the bound of every node is two look-ups.
                 Floats only suggest the prices; any prices give a valid bound, so nothing rests on rounding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from backend.cloud.model import Server

SUBGRADIENT_STEPS = 60
STEP_DECAY = 0.92
MIX_STEPS = 1024
COVER_NODES_MAX = 300_000
"""For each count that is tried: about a second."""

SECOND = timedelta(seconds=1)


class Victim(NamedTuple):
    """A server that may be stopped. Given in order of ids."""

    floor_cpu_mhz: int
    floor_memory_bytes: int
    work: int
    cpu_mhz: int


def work_lost(server: Server, now: datetime) -> int:
    """Nominal MHz times whole seconds since the current start; shrinking, pauses and graces do not change it."""
    if server.started_at is None:
        return 0
    passed = now - server.started_at
    seconds = passed.days * 86_400 + passed.seconds
    # Both instants count as whole seconds: what is left of one may be more than what is left of the other.
    if server.started_at.microsecond > now.microsecond:
        seconds += 1
    return server.size.cpu_mhz * seconds if seconds > 0 else 0


def fewest_at_least(sums: Sequence[int], short: int) -> int:
    """The least n with `sums[n] >= short`, where `sums` are running sums; `len(sums)` when none is enough."""
    return bisect_left(sums, short)


def cheapest_stops(
    victims: Sequence[Victim], short_cpu_mhz: int, short_memory_bytes: int, *, nodes_max: int
) -> tuple[tuple[int, ...], bool]:
    """Places in `victims` of the set to stop, ascending, and whether it is proved to be the best of its count.

    All of them together must give back enough; at least one of the two shortages must be positive.
    """
    problem = CoverProblem(victims, short_cpu_mhz, short_memory_bytes)
    if (plain := problem.cheapest_alone()) is not None:
        return plain, True
    if (few := problem.cheapest_few()) is not None:
        return few, True
    first, is_fewest = problem.any_of_fewest()
    best, is_cheapest = problem.cheapest(first, nodes_max=nodes_max)
    return best, is_fewest and is_cheapest


class CoverProblem:
    """One host, and what is short on it."""

    def __init__(self, victims: Sequence[Victim], short_cpu: int, short_memory: int) -> None:
        self.victims = victims
        self.short_cpu = short_cpu
        self.short_memory = short_memory
        self.weights = _weights(victims)
        self._mixes_by_count: dict[int, tuple[list[int], int]] = {}

    # --- The count ---

    def least_count(self) -> int:
        """Fewer than this give back too little of one dimension, whichever they are."""
        cpu_sums = sums_of_largest([victim.floor_cpu_mhz for victim in self.victims])
        memory_sums = sums_of_largest([victim.floor_memory_bytes for victim in self.victims])
        return max(fewest_at_least(cpu_sums, self.short_cpu), fewest_at_least(memory_sums, self.short_memory))

    def cheapest_alone(self) -> tuple[int, ...] | None:
        """The best set, where the cheapest of the least count give back enough: then nothing is left to search."""
        places = sorted(range(len(self.victims)), key=self.weights.__getitem__)[: self.least_count()]
        cpu = sum([self.victims[place].floor_cpu_mhz for place in places])
        memory = sum([self.victims[place].floor_memory_bytes for place in places])
        return tuple(sorted(places)) if cpu >= self.short_cpu and memory >= self.short_memory else None

    def cheapest_few(self) -> tuple[int, ...] | None:
        """The best set of one, or else of two servers that give back enough: there are few, and each is tried."""
        if self.least_count() > 2:
            return None
        weights = self.weights
        cpu = [self.short_cpu - victim.floor_cpu_mhz for victim in self.victims]
        memory = [self.short_memory - victim.floor_memory_bytes for victim in self.victims]
        order = sorted(range(len(weights)), key=weights.__getitem__)
        for place in order:
            if cpu[place] <= 0 and memory[place] <= 0:
                return (place,)
        best: int | None = None
        found: tuple[int, ...] | None = None
        for at, place in enumerate(order):
            # Whatever comes later weighs as much as the next at least.
            if best is not None and (at + 1 == len(order) or weights[place] + weights[order[at + 1]] >= best):
                break
            need_cpu, need_memory, weight = cpu[place], memory[place], weights[place]
            for other in order[at + 1 :]:
                if best is not None and weight + weights[other] >= best:
                    break
                victim = self.victims[other]
                if victim.floor_cpu_mhz >= need_cpu and victim.floor_memory_bytes >= need_memory:
                    best, found = weight + weights[other], (min(place, other), max(place, other))
                    break
        return found

    def any_of_fewest(self) -> tuple[tuple[int, ...], bool]:
        """Some set of the fewest servers that give back enough, and whether fewer are proved not to."""
        count = self.least_count()
        is_proved = True
        while True:
            assert count <= len(self.victims), "all servers together give back enough"
            found, is_finished = self._cover(count)
            if found is not None:
                return found, is_proved
            is_proved = is_proved and is_finished
            count += 1

    def _mixes(self, count: int) -> tuple[list[int], int]:
        if count not in self._mixes_by_count:
            self._mixes_by_count[count] = self._hardest_mixes(count)
        return self._mixes_by_count[count]

    def _hardest_mixes(self, count: int) -> tuple[list[int], int]:
        """Floors mixed from both dimensions, and how much of the mix is short: the mix that is hardest to reach."""
        cpu_price, memory_price = self.hardest_prices(count)
        return self._mixed(cpu_price, memory_price), cpu_price * self.short_cpu + memory_price * self.short_memory

    def _mixed(self, cpu_price: int, memory_price: int) -> list[int]:
        return [v.floor_cpu_mhz * cpu_price + v.floor_memory_bytes * memory_price for v in self.victims]

    def hardest_prices(self, count: int) -> tuple[int, int]:
        """What a MHz and a byte count in the mix of both of which `count` servers reach least."""
        if not self.short_cpu or not self.short_memory:
            # One dimension alone is its own best mix.
            return (1, 0) if self.short_cpu else (0, 1)

        def prices(share: int) -> tuple[int, int]:
            return share * self.short_memory, (MIX_STEPS - share) * self.short_cpu

        def reached(share: int) -> int:
            return sum(sorted(self._mixed(*prices(share)))[-count:])

        low, high = 0, MIX_STEPS
        # What the largest reach is convex in the share, so thirds close in on the least.
        while high - low > 2:
            third = (high - low) // 3
            left, right = low + third, high - third
            if reached(left) <= reached(right):
                high = right
            else:
                low = left
        return prices(min(range(low, high + 1), key=reached))

    def _cover(self, count: int) -> tuple[tuple[int, ...] | None, bool]:
        """Some `count` servers that give back enough, or None; and whether the search finished."""
        mixes, mix_short = self._mixes(count)
        order = sorted(range(len(self.victims)), key=lambda place: (-mixes[place], place))
        reach = _Reach(
            [
                [self.victims[place].floor_cpu_mhz for place in order],
                [self.victims[place].floor_memory_bytes for place in order],
                [mixes[place] for place in order],
            ],
            count,
        )
        cpu, memory, mix = reach.values
        dominated = _dominated(cpu, memory, [0] * len(order))
        stack = [(0, count, self.short_cpu, self.short_memory, mix_short, 0, 0)]
        nodes = 0
        while stack:
            if nodes >= COVER_NODES_MAX:
                return None, False
            nodes += 1
            at, picks, need_cpu, need_memory, need_mix, taken, excluded = stack.pop()
            if need_cpu <= 0 and need_memory <= 0:
                # Fewer were enough: impossible for the fewest, but any others complete the count.
                return _complete(order, taken, count), True
            if not picks or not reach.is_enough(at, picks, (need_cpu, need_memory, need_mix)):
                continue
            if not dominated[at] & taken:
                stack.append((at + 1, picks, need_cpu, need_memory, need_mix, taken, excluded | dominated[at]))
            if not excluded >> at & 1:
                stack.append(
                    (
                        at + 1,
                        picks - 1,
                        need_cpu - cpu[at],
                        need_memory - memory[at],
                        need_mix - mix[at],
                        taken | 1 << at,
                        excluded,
                    )
                )
        return None, True

    # --- The rest of the key ---

    def cheapest(self, first: tuple[int, ...], *, nodes_max: int) -> tuple[tuple[int, ...], bool]:
        """The best set of as many servers as `first` has, and whether the search finished."""
        count = len(first)
        price_cpu, price_memory = self.prices(count)
        reduced = [
            weight - price_cpu * victim.floor_cpu_mhz - price_memory * victim.floor_memory_bytes
            for weight, victim in zip(self.weights, self.victims, strict=True)
        ]
        order = sorted(range(len(self.victims)), key=lambda place: reduced[place])
        weights = [self.weights[place] for place in order]
        mixes, mix_short = self._mixes(count)
        reach = _Reach(
            [
                [self.victims[place].floor_cpu_mhz for place in order],
                [self.victims[place].floor_memory_bytes for place in order],
                [mixes[place] for place in order],
            ],
            count,
        )
        cpu, memory, mix = reach.values
        dominated = _dominated(cpu, memory, weights)
        sums = [0]
        for place in order:
            sums.append(sums[-1] + reduced[place])
        best = sum(self.weights[place] for place in first)
        best_taken = sum(1 << order.index(place) for place in first)
        nodes = 0
        stack = [(0, count, self.short_cpu, self.short_memory, mix_short, 0, 0, 0)]
        while stack:
            if nodes >= nodes_max:
                return _places(order, best_taken), False
            nodes += 1
            at, picks, need_cpu, need_memory, need_mix, paid, taken, excluded = stack.pop()
            if not picks:
                if need_cpu <= 0 and need_memory <= 0 and paid < best:
                    best, best_taken = paid, taken
                continue
            if not reach.is_enough(at, picks, (need_cpu, need_memory, need_mix)):
                continue
            bound = paid + price_cpu * need_cpu + price_memory * need_memory + sums[at + picks] - sums[at]
            if bound >= best:
                continue
            if not dominated[at] & taken:
                stack.append((at + 1, picks, need_cpu, need_memory, need_mix, paid, taken, excluded | dominated[at]))
            if not excluded >> at & 1:
                stack.append(
                    (
                        at + 1,
                        picks - 1,
                        need_cpu - cpu[at],
                        need_memory - memory[at],
                        need_mix - mix[at],
                        paid + weights[at],
                        taken | 1 << at,
                        excluded,
                    )
                )
        return _places(order, best_taken), True

    def prices(self, count: int) -> tuple[int, int]:
        """Prices per MHz and per byte that make the bound at the root high: a few steps up its slope."""
        largest = max(self.weights)
        costs = [weight / largest for weight in self.weights]
        cpu = [victim.floor_cpu_mhz / self.short_cpu if self.short_cpu else 0.0 for victim in self.victims]
        memory = [
            victim.floor_memory_bytes / self.short_memory if self.short_memory else 0.0 for victim in self.victims
        ]
        price_cpu = price_memory = 0.0
        best, best_prices = -1.0, (0.0, 0.0)
        step = sum(sorted(costs)[:count]) / count
        for _ in range(SUBGRADIENT_STEPS):
            reduced = [c - price_cpu * x - price_memory * y for c, x, y in zip(costs, cpu, memory, strict=True)]
            chosen = sorted(range(len(costs)), key=lambda place: (reduced[place], place))[:count]
            bound = price_cpu * (self.short_cpu > 0) + price_memory * (self.short_memory > 0)
            bound += sum(reduced[place] for place in chosen)
            if bound > best:
                best, best_prices = bound, (price_cpu, price_memory)
            slope_cpu = (1.0 - sum(cpu[place] for place in chosen)) if self.short_cpu else 0.0
            slope_memory = (1.0 - sum(memory[place] for place in chosen)) if self.short_memory else 0.0
            price_cpu = max(0.0, price_cpu + step * slope_cpu)
            price_memory = max(0.0, price_memory + step * slope_memory)
            step *= STEP_DECAY
        scale = 2**40
        return (
            int(best_prices[0] * scale) * largest // (scale * self.short_cpu) if self.short_cpu else 0,
            int(best_prices[1] * scale) * largest // (scale * self.short_memory) if self.short_memory else 0,
        )


def _weights(victims: Sequence[Victim]) -> list[int]:
    """One integer per server whose sums order sets of equal count by (work, CPU, ids).

    Of two sets of equal count, the one with the smallest id that they do not share comes first: so the id of each
    place is worth a power of two, the first the most, and is taken off.
    """
    count = len(victims)
    cpu_scale = 1 + sum([victim.cpu_mhz for victim in victims])
    return [
        ((victim.work * cpu_scale + victim.cpu_mhz + 1) << count) - (1 << (count - 1 - place))
        for place, victim in enumerate(victims)
    ]


class _Reach:
    """How much the largest of what comes later can give back: a node that cannot get enough is not searched."""

    def __init__(self, values: list[list[int]], picks_max: int) -> None:
        self.values = values
        self._tables = [_suffix_sums_of_largest(row, picks_max) for row in values]

    def is_enough(self, at: int, picks: int, needs: tuple[int, ...]) -> bool:
        if at + picks > len(self.values[0]):
            return False
        return all(table[at][picks] >= need for table, need in zip(self._tables, needs, strict=True))


def _suffix_sums_of_largest(row: list[int], picks_max: int) -> list[list[int]]:
    """At [i][r]: the sum of the r largest of `row[i:]` (of all of them when fewer)."""
    tables: list[list[int]] = []
    largest: list[int] = []
    for at in range(len(row), -1, -1):
        if at < len(row):
            largest.append(row[at])
            largest.sort(reverse=True)
            del largest[picks_max:]
        sums = [0]
        for pick in range(picks_max):
            sums.append(sums[-1] + (largest[pick] if pick < len(largest) else 0))
        tables.append(sums)
    tables.reverse()
    return tables


def _dominated(cpu: Sequence[int], memory: Sequence[int], weights: Sequence[int]) -> list[int]:
    """For each place, as bits, the places that are nowhere better: never worth taking when this one is left out.

    Of equal ones the first dominates, so that no two dominate each other.
    """
    entries = list(enumerate(zip(cpu, memory, weights, strict=True)))
    masks = []
    for place, (most_cpu, most_memory, least_weight) in entries:
        mask = 0
        for other, (other_cpu, other_memory, weight) in entries:
            if other_cpu <= most_cpu and other_memory <= most_memory and weight >= least_weight:
                is_equal = other_cpu == most_cpu and other_memory == most_memory and weight == least_weight
                if place < other or not is_equal:
                    mask |= 1 << other
        masks.append(mask)
    return masks


def sums_of_largest(values: Iterable[int]) -> tuple[int, ...]:
    """At place n: the sum of the n largest."""
    return tuple(accumulate(sorted(values, reverse=True), initial=0))


def _places(order: Sequence[int], taken: int) -> tuple[int, ...]:
    return tuple(sorted(order[at] for at in range(len(order)) if taken >> at & 1))


def _complete(order: Sequence[int], taken: int, count: int) -> tuple[int, ...]:
    chosen = [order[at] for at in range(len(order)) if taken >> at & 1]
    rest = (order[at] for at in range(len(order)) if not taken >> at & 1)
    while len(chosen) < count:
        chosen.append(next(rest))
    return tuple(sorted(chosen))
