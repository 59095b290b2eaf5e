"""The ledger, as a pure function of what was in use, the burst levels, the subscriptions and what was paid.

A *tick* is five simulated minutes, counted from 1970; instants are whole microseconds since then. In each tick every
resource of an account that was used beyond its subscriptions is one row: used x time, at the level of that tick. A
level is worked out at the beginning of the tick before, from the load of the instant before that: so what is told as
the next level depends on nothing that is still to happen. Rows are rounded by themselves,
to 20 places, so their sum is the balance to the last of them.

Long stretches in which nothing changes are one `Run`: what the rows of a year add up to costs what happened in it, not
the 105,120 ticks that it has.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backend.cloud.instants import MICROSECONDS, instant_of
from backend.cloud.prices import (
    LOAD_OF,
    PLACES,
    PRICE_PLACES,
    RESOURCES,
    TICK,
    charge,
    divided,
    has_levels,
    level_of,
    price,
    shown,
)

Series = Sequence[tuple[int, int]]
"""Instants, ascending, each with what is in use from it on; 0 before the first."""
Levels = Sequence[tuple[int, int]]
"""Ticks, ascending, each with the burst level from it on; 1 before the first."""

FIVE_DAYS_SECONDS = 5 * 86_400
"""**Source**: CloudSigma API 2.0, status 402: who cannot pay for five days of burst starts nothing."""

BALANCE_GIVEN = "Balance given by "
"""How the reason of a payment begins that an account is held to from then on; its giver follows."""


def tick_of(at: int) -> int:
    return at // TICK


@dataclass(frozen=True, slots=True)
class Run:
    """So many ticks in a row with the same charge each."""

    resource: str
    tick: int
    count: int
    used: int
    """Amount x microseconds, in each of them."""
    active: int
    """For how many microseconds of each there was any."""
    level: int

    @property
    def charge(self) -> int:
        """Of each tick, in 10**-20 dollars."""
        return charge(self.resource, self.level, self.used)


def summed(series: Iterable[Series]) -> list[tuple[int, int]]:
    """All of them together: one change an instant, and none that changes nothing."""
    changes: dict[int, int] = {}
    for each in series:
        before = 0
        for at, amount in each:
            changes[at] = changes.get(at, 0) + amount - before
            before = amount
    found: list[tuple[int, int]] = []
    total = 0
    for at in sorted(changes):
        if changes[at]:
            total += changes[at]
            found.append((at, total))
    return found


def of_resource(found: Mapping[tuple[str, str], Series], resource: str) -> list[tuple[int, int]]:
    """All of a resource, from what is of each resource and file."""
    return summed(steps for (name, _), steps in found.items() if name == resource)


def beyond(using: Series, subscribed: Series) -> list[tuple[int, int]]:
    """What is used beyond the subscriptions, at every instant."""
    if not subscribed:
        return list(using)
    instants = sorted({at for at, _ in using} | {at for at, _ in subscribed})
    found: list[tuple[int, int]] = []
    before = 0
    for at, used, covered in zip(instants, amounts_at(using, instants), amounts_at(subscribed, instants), strict=True):
        burst = max(0, used - covered)
        if burst != before:
            found.append((at, burst))
            before = burst
    return found


def amounts_at(series: Series, instants: Sequence[int]) -> Iterator[int]:
    """At each of the instants, which ascend."""
    index, amount = 0, 0
    for at in instants:
        while index < len(series) and series[index][0] <= at:
            amount = series[index][1]
            index += 1
        yield amount


def amount_at(series: Series, at: int) -> int:
    return next(amounts_at(series, [at]))


def level_at(levels: Levels, tick: int) -> int:
    return amount_at(levels, tick) or 1


def levels_of(load: Series, capacity: Series, end: int) -> list[tuple[int, int]]:
    """The burst levels of the ticks before `end`: that of the load just before the instant a tick before it began."""
    instants = sorted({at for at, _ in load} | {at for at, _ in capacity})
    found: list[tuple[int, int]] = []
    before = 1
    counts = zip(instants, amounts_at(load, instants), amounts_at(capacity, instants), strict=True)
    latest: tuple[int, int] | None = None
    for at, used, there in counts:
        tick = at // TICK + 2  # The first that begins a tick behind the end of the tick that it is in.
        if tick >= end:
            break
        if latest is not None and latest[0] < tick and latest[1] != before:
            found.append(latest)
            before = latest[1]
        latest = (tick, level_of(used, there))
    if latest is not None and latest[1] != before:
        found.append(latest)
    return found


def runs(resource: str, burst: Series, levels: Levels, first: int, end: int) -> Iterator[Run]:
    """The ticks from `first` to before `end` in which there was any of it, in order."""
    change = 0
    amount = 0
    while change < len(burst) and burst[change][0] <= first * TICK:
        amount = burst[change][1]
        change += 1
    step = 0
    level = 1
    tick = first
    while tick < end:
        while step < len(levels) and levels[step][0] <= tick:
            level = levels[step][1]
            step += 1
        until = end if step == len(levels) else min(end, levels[step][0])
        if change < len(burst):
            until = min(until, burst[change][0] // TICK)
        if until > tick:
            if amount:
                yield Run(resource, tick, until - tick, amount * TICK, TICK, level)
            tick = until
            continue
        used = active = 0
        at, over = tick * TICK, (tick + 1) * TICK
        while change < len(burst) and burst[change][0] < over:
            used += amount * (burst[change][0] - at)
            active += (burst[change][0] - at) if amount else 0
            at, amount = burst[change]
            change += 1
        used += amount * (over - at)
        active += (over - at) if amount else 0
        if used:
            yield Run(resource, tick, 1, used, active, level)
        tick += 1


def levels_for(resource: str, levels: Mapping[str, Levels]) -> Levels:
    """Of a resource whose level follows no load: none, so that it is 1."""
    return levels.get(LOAD_OF.get(resource, ""), ())


def account_runs(
    using: Mapping[str, Series],
    subscribed: Mapping[str, Series],
    levels: Mapping[str, Levels],
    first: int,
    end: int,
) -> Iterator[Run]:
    """Of all resources, one after the other in the order of `RESOURCES`.

    What no subscription may cover, such as backfilling, has none: they are sold by the names of other resources.
    """
    for resource in RESOURCES:
        if resource in using:
            burst = beyond(using[resource], subscribed.get(resource, ()))
            yield from runs(resource, burst, levels_for(resource, levels), first, end)


# --- the ledger -------------------------------------------------------------------------------------------------------


LumpKind = Literal["payment", "subscription", "correction"]


@dataclass(frozen=True, slots=True)
class Lump:
    """What was paid, bought or corrected at an instant: an amount below 0 is paid to the account."""

    at: int
    number: int
    """Unique among the account's rows."""
    amount: int
    reason: str
    kind: LumpKind = "payment"
    place: int = 0
    """Among those of one instant: in which order they were written."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What the rows of one resource, told before it was known better, were wrong by."""

    at: int
    """When it became known."""
    resource: str
    begins_at: int
    ends_at: int
    used: int
    """More, as what the rows say of it adds up."""
    amount: int
    """More, in 10**-20 dollars."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger."""

    at: int
    id: str
    amount: int
    """In 10**-20 dollars; below 0 is paid to the account."""
    run: Run | None
    """Of a tick; None for a lump."""
    reason: str
    kind: Literal["burst", "payment", "subscription", "correction"] = "burst"
    initial: int = 0
    """The balance before it, and after it."""
    end: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """What all ticks before this one add up to."""

    tick: int
    rows: int
    charged: int


MARK_TICKS = 12
"""Every hour."""


def marked(start: Mark, found: Iterable[Run], end: int) -> list[Mark]:
    """A mark at each hour's end up to `end`, and at `end`, from the runs of the ticks from `start` to before it."""
    counted: dict[int, list[int]] = {}
    for run in found:
        each, tick, left = run.charge, run.tick, run.count
        while left:
            hour = tick // MARK_TICKS
            part = min(left, (hour + 1) * MARK_TICKS - tick)
            totals = counted.setdefault(hour, [0, 0])
            totals[0] += part
            totals[1] += part * each
            tick, left = tick + part, left - part
    marks: list[Mark] = []
    rows, charged = start.rows, start.charged
    for hour in sorted(counted):
        rows, charged = rows + counted[hour][0], charged + counted[hour][1]
        tick = min(end, (hour + 1) * MARK_TICKS)
        marks.append(Mark(tick, rows, charged))
    if not marks or marks[-1].tick < end:
        marks.append(Mark(end, rows, charged))
    return marks


DAY = 288
"""Ticks."""


def by_day(run: Run) -> Iterator[tuple[int, int]]:
    """The instants at which the days of its ticks begin, and how many of them are in each."""
    tick, left = run.tick, run.count
    while left:
        day = tick // DAY
        part = min(left, (day + 1) * DAY - tick)
        yield day * DAY * TICK, part
        tick, left = tick + part, left - part


def tick_rows(found: Iterable[Run]) -> list[Row]:
    """One row for each tick of each run, in the order of the ledger: by the tick's end, then by resource."""
    order = {name: place for place, name in enumerate(RESOURCES)}
    rows = []
    for run in found:
        place, charged = order[run.resource], run.charge
        # As published: `Burst: 12.00 GHz of cpu for 2 minutes at 2014-06-05 08:31`.
        reason = f"Burst: {shown(run.resource, average(run))} for {human_interval(run)} at "
        for tick in range(run.tick, run.tick + run.count):
            said = f"{reason}{instant_of(tick * TICK):%Y-%m-%d %H:%M}"
            rows.append((tick, place, Row((tick + 1) * TICK, str(tick * 100 + place), charged, run, said)))
    rows.sort(key=lambda row: row[:2])
    return [row for _, _, row in rows]


def average(run: Run) -> int:
    """How much there was of it while there was any, in base units; of traffic all that was sent."""
    scale = RESOURCES[run.resource].scale
    return run.used // (MICROSECONDS * scale) if scale > 1 else run.used // run.active


def human_interval(run: Run) -> str:
    seconds = run.active // MICROSECONDS
    count, noun = (seconds // 60, "minute") if seconds >= 60 else (seconds, "second")
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def lump_row(lump: Lump) -> Row:
    return Row(lump.at, str(lump.number), lump.amount, None, lump.reason, lump.kind)


def correction(
    resource: str,
    known: tuple[Series, Series],
    subscribed: Series,
    levels: Levels,
    *,
    first: int,
    end: int,
    at: int,
) -> Correction | None:
    """What became known at `at` of the ticks from `first` to before `end`; None where it comes to nothing.

    Args:
        known: What was known to be in use before, and now. The levels stay as they were told.
    """
    before, now = known
    totals = []
    for using in known:
        found = list(runs(resource, beyond(using, subscribed), levels, first, end))
        totals.append((sum(run.count * average(run) for run in found), sum(run.count * run.charge for run in found)))
    used, amount = totals[1][0] - totals[0][0], totals[1][1] - totals[0][1]
    if not (used or amount):
        return None
    more = summed([now, [(instant, -each) for instant, each in before]])
    ends_at = more[-1][0] if more[-1][1] == 0 else end * TICK
    return Correction(at, resource, more[0][0], min(ends_at, end * TICK), used, amount)


def with_balances(rows: Sequence[Row], before: int) -> list[Row]:
    """Each with the balance before and after it, of rows in their order."""
    found = []
    balance = before
    for row in rows:
        after = balance - row.amount
        found.append(replace(row, initial=balance, end=after))
        balance = after
    return found


# --- what will be -----------------------------------------------------------------------------------------------------


def burn(burst: Mapping[str, int], levels: Mapping[str, int], seconds: int) -> int:
    """What it costs to go on like this for so long, in 10**-20 dollars."""
    return sum(
        charge(resource, levels.get(resource, 1), amount * seconds * MICROSECONDS)
        for resource, amount in burst.items()
        if amount > 0
    )


class Meterage:
    """What something costs at burst prices over any stretch of time, exactly, in two steps of a search."""

    def __init__(self, resource: str, levels: Levels) -> None:
        self.resource = resource
        self._ticks = [0]
        self._prices = [price(resource, 1)]
        self._until = [0]
        for tick, level in levels if has_levels(resource) else ():
            self._until.append(self._until[-1] + (tick - self._ticks[-1]) * TICK * self._prices[-1])
            self._ticks.append(tick)
            self._prices.append(price(resource, level))

    def weight(self, begun: int, ended: int) -> int:
        """Price x microseconds; `cost` makes money of a sum of amounts x weights."""
        return self._weight_until(ended) - self._weight_until(begun)

    def _weight_until(self, at: int) -> int:
        place = bisect_right(self._ticks, at // TICK) - 1
        return self._until[place] + (at - self._ticks[place] * TICK) * self._prices[place]

    def cost(self, weighted: int) -> int:
        """In 10**-20 dollars."""
        what = RESOURCES[self.resource]
        return divided(weighted * 10 ** (PLACES - PRICE_PLACES), what.multiplier * what.scale * MICROSECONDS)
