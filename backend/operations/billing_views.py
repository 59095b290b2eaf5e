"""What an operator wants to know of money: what is burnt now, by whom, and what shrinking and stops came to.

Everything is of this calendar month, in UTC. What a backfilling server paid, would have paid at its full size and would
have paid at the normal burst prices is exact for each server, to the microsecond, and not rounded by ticks: it adds up
to the ledger's rows of backfilling but for their rounding. Subscriptions do not enter into it: none covers backfilling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud import billing as core
from backend.cloud.billing import Levels, Meterage, Row, levels_for, tick_of
from backend.cloud.errors import Forbidden
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import RUNNING, Interval
from backend.cloud.model import DISPLACED, Account
from backend.cloud.prices import BACKFILL_OF, HOUR_SECONDS, RESOURCES, months_later
from backend.operations import Cloud, billing, burst_levels
from backend.operations.billing import Standing, Use
from backend.operations.closing import told

HISTORY_TICKS = 288
"""How far back the burst levels are told: a day."""
SERVERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One resource, of all accounts that were asked for."""

    resource: str
    use: Use
    burst: int
    """Of each account by itself: what one has subscribed covers nothing of another's."""
    level: int
    next_level: int
    cost_per_hour: int


@dataclass(frozen=True, slots=True)
class Owner:
    """One account."""

    name: str
    balance: int
    is_finite: bool
    normal_per_hour: int
    backfilling_per_hour: int
    charged_this_month: int

    @property
    def burst_per_hour(self) -> int:
        return self.normal_per_hour + self.backfilling_per_hour


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What backfilling came to for one server, or one owner's, this month. Amounts in 10**-20 dollars."""

    id: str
    """The server's; of an owner its name."""
    owner: str
    paid: int
    at_full_size: int
    """What it would have paid had it never been smaller than asked for."""
    at_normal_price: int
    """What a normal server of the sizes that it really had would have paid in bursts."""
    stops: int
    """How often it was stopped for room."""
    lost: int
    """What was paid for runs that ended so."""

    @property
    def not_billed(self) -> int:
        """For what it did not have: because it was shrunk."""
        return self.at_full_size - self.paid

    @property
    def saved(self) -> int:
        """By backfilling, compared with the normal price of the same."""
        return self.at_normal_price - self.paid


@dataclass(frozen=True, slots=True)
class Summary:
    at: datetime
    lines: Sequence[Line]
    owners: Sequence[Owner]
    history: Mapping[str, Levels]
    """By what levels follow: ticks and levels of the last day, the first at its beginning."""
    next_level_at: datetime
    newest: Sequence[Row]
    """The rows of the last tick that is over; of one account only."""
    begun_at: datetime
    ends_at: datetime
    servers: Sequence[Backfilled]
    """Those that saved most by backfilling first."""
    by_owner: Sequence[Backfilled]

    @property
    def charged_this_month(self) -> int:
        return sum(owner.charged_this_month for owner in self.owners)

    @property
    def projected(self) -> int:
        """What this month comes to if it goes on as it does now."""
        left = max(0, int((self.ends_at - self.at).total_seconds()))
        return self.charged_this_month + sum(line.cost_per_hour for line in self.lines) * left // HOUR_SECONDS

    @property
    def backfilling_at_normal_price(self) -> int:
        """What an hour of what is backfilled now would cost otherwise."""
        return sum(
            core.burn({BACKFILL_OF[line.resource]: line.burst}, {BACKFILL_OF[line.resource]: line.level}, HOUR_SECONDS)
            for line in self.lines
            if line.resource in BACKFILL_OF
        )


async def summary(cloud: Cloud, actor: Account, name: str | None = None) -> Summary:
    """Of one account, or of all. Raises Forbidden, NotFound."""
    if name is not None:
        await cloud.account(name)
    if not actor.is_staff and name not in (None, actor.name):
        raise Forbidden("look at the money of others", "only staff may")
    wanted = [name] if name is not None else sorted(await cloud.accounts()) if actor.is_staff else [actor.name]
    tick = tick_of(microseconds_of(cloud.clock.now()))
    found: Summary = await cloud.kept.of((summary, *wanted, tick), lambda: _summary(cloud, wanted))
    return replace(found, at=cloud.clock.now())


async def _summary(cloud: Cloud, names: Sequence[str]) -> Summary:
    now = cloud.clock.now()
    begun_at = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with told(cloud):
        finite = await billing.finite_accounts(cloud)
        standings: dict[str, Standing] = {}
        owners = []
        for name in names:
            standings[name] = found = await billing.standing_of(cloud, name)
            burst = {resource: use.burst for resource, use in found.uses.items()}
            grey = {resource: burst.pop(resource) for resource in BACKFILL_OF}
            owners.append(
                Owner(
                    name,
                    found.balance,
                    name in finite,
                    core.burn(burst, found.levels, HOUR_SECONDS),
                    core.burn(grey, found.levels, HOUR_SECONDS),
                    await billing.charged_since(cloud, name, begun_at),
                )
            )
        levels, following = await burst_levels.of_now(cloud)
        known = await burst_levels.known(cloud)
        newest = await billing.newest_rows(cloud, names[0]) if len(names) == 1 else []
        begins, ends = microseconds_of(begun_at), microseconds_of(now)
        intervals = await cloud.store.cloud_read(
            lambda tx: [each for each in tx.server_intervals(begins, ends) if each.is_backfilling]
        )
    servers = sorted(
        backfilled((each for each in intervals if each.account in standings), known, begins, ends),
        key=lambda each: (-each.saved, each.id),
    )
    return Summary(
        at=now,
        lines=[_line(name, list(standings.values()), levels, following) for name in RESOURCES],
        owners=owners,
        history={name: _last(steps, tick_of(ends)) for name, steps in known.items()},
        next_level_at=billing.instant_of_tick(tick_of(ends) + 1),
        newest=newest,
        begun_at=begun_at,
        ends_at=months_later(begun_at, 1),
        servers=servers[:SERVERS_MAX],
        by_owner=added_up(servers),
    )


def _line(name: str, standings: Iterable[Standing], levels: Mapping[str, int], following: Mapping[str, int]) -> Line:
    uses = [each.uses[name] for each in standings]
    burst = sum(use.burst for use in uses)
    return Line(
        name,
        Use(sum(use.using for use in uses), sum(use.subscribed for use in uses)),
        burst,
        levels[name],
        following[name],
        core.burn({name: burst}, levels, HOUR_SECONDS),
    )


def _last(steps: Levels, tick: int) -> Levels:
    first = tick - HISTORY_TICKS
    return [(first, core.level_at(steps, first)), *(step for step in steps if first < step[0] <= tick)]


def backfilled(intervals: Iterable[Interval], known: Mapping[str, Levels], begins: int, ends: int) -> list[Backfilled]:
    """For each server what its backfilling came to between the two instants; its intervals in their order."""
    meters = {name: Meterage(name, levels_for(name, known)) for name in (*BACKFILL_OF, *BACKFILL_OF.values())}
    by_server: dict[str, list[Interval]] = defaultdict(list)
    for each in intervals:
        by_server[each.object_id].append(each)
    return [_of_server(found, meters, begins, ends) for found in by_server.values()]


def _of_server(found: Sequence[Interval], meters: Mapping[str, Meterage], begins: int, ends: int) -> Backfilled:
    weighted: dict[tuple[str, str], int] = defaultdict(int)
    stops = 0
    run: dict[str, int] = defaultdict(int)
    for each in found:
        begun, ended = max(each.begun_at, begins), ends if each.ended_at is None else min(each.ended_at, ends)
        if each.state == DISPLACED and each.begun_at >= begins:
            stops += 1
            for name, weight in run.items():
                weighted["lost", name] += weight
        if each.state != RUNNING:
            run.clear()
            continue
        for name, had, size in (
            ("bcpu", each.cpu_mhz_had, each.cpu_mhz),
            ("bmem", each.memory_bytes_had, each.memory_bytes),
        ):
            weight = meters[name].weight(begun, ended)
            normal = BACKFILL_OF[name]
            weighted["paid", name] += had * weight
            weighted["full", name] += size * weight
            weighted["normal", normal] += had * meters[normal].weight(begun, ended)
            run[name] += had * weight
    money: dict[str, int] = defaultdict(int)
    for (what, name), total in weighted.items():
        money[what] += meters[name].cost(total)
    first = found[0]
    return Backfilled(
        first.object_id, first.account, money["paid"], money["full"], money["normal"], stops, money["lost"]
    )


def added_up(servers: Iterable[Backfilled]) -> list[Backfilled]:
    """By owner, by name."""
    found: dict[str, Backfilled] = {}
    for each in servers:
        before = found.get(each.owner, Backfilled(each.owner, each.owner, 0, 0, 0, 0, 0))
        found[each.owner] = Backfilled(
            each.owner,
            each.owner,
            before.paid + each.paid,
            before.at_full_size + each.at_full_size,
            before.at_normal_price + each.at_normal_price,
            before.stops + each.stops,
            before.lost + each.lost,
        )
    return [found[name] for name in sorted(found)]


def lasts_seconds(owner: Owner) -> int | None:
    """How long the balance lasts at this rate; None where nothing is burnt."""
    if owner.burst_per_hour <= 0:
        return None
    return max(0, owner.balance) * HOUR_SECONDS // owner.burst_per_hour
