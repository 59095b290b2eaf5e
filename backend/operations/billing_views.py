"""What an operator wants to know of money: what is burnt now, by whom, and what shrinking and stops came to.

Everything is of this calendar month, in UTC. What a server came to at burst prices, and what a backfilling one would
have paid at its full size or at the normal prices, is exact for each server, to the microsecond, and not rounded by
ticks: of backfilling it adds up to the ledger's rows and corrections but for their rounding. Of normal servers it is
what they would come to without subscriptions, which are an account's and no server's. Drives and addresses are billed
apart.
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
from backend.cloud.model import DISPLACED, HOST_LOST, Account
from backend.cloud.prices import BACKFILL_OF, HOUR_SECONDS, LOAD_OF, RESOURCES, months_later
from backend.operations import Cloud, billing, burst_levels
from backend.operations.billing import Standing, Use
from backend.operations.closing import Silent, silent_cells, told
from backend.operations.servers import entry_for

HISTORY_TICKS = 288
"""How far back the burst levels are told: a day."""
SERVERS_MAX = 2_000
"""So many are told of at once, those that came to most; of any other by its id."""


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
    below_since: datetime | None = None
    """When the balance last fell below nothing, as far as it was asked for."""

    @property
    def burst_per_hour(self) -> int:
        return self.normal_per_hour + self.backfilling_per_hour


@dataclass(frozen=True, slots=True)
class Cost:
    """What one server came to this month, or the backfilling ones of an owner. Amounts in 10**-20 dollars."""

    id: str
    """The server's; of an owner its name."""
    owner: str
    is_backfilling: bool = True
    per_hour: int = 0
    """Now, with its traffic; 0 of one that does not run."""
    paid: int = 0
    """For CPU and memory, at burst prices."""
    traffic: int = 0
    at_full_size: int = 0
    """What it would have paid had it never been smaller than asked for."""
    at_normal_price: int = 0
    """What a normal server of the sizes that it really had would have paid in bursts."""
    stops: int = 0
    """How often a backfilling one was stopped for room, or because its host was lost."""
    lost: int = 0
    """What was paid for runs that ended so."""

    @property
    def this_month(self) -> int:
        return self.paid + self.traffic

    @property
    def not_billed(self) -> int:
        """For what it did not have: because it was shrunk."""
        return self.at_full_size - self.paid

    @property
    def saved(self) -> int:
        """By backfilling, compared with the normal price of the same."""
        return self.at_normal_price - self.paid

    @property
    def net(self) -> int:
        """What backfilling saved less what was paid for runs that came to nothing."""
        return self.saved - self.lost

    def plus(self, other: Cost) -> Cost:
        return replace(
            self,
            per_hour=self.per_hour + other.per_hour,
            paid=self.paid + other.paid,
            traffic=self.traffic + other.traffic,
            at_full_size=self.at_full_size + other.at_full_size,
            at_normal_price=self.at_normal_price + other.at_normal_price,
            stops=self.stops + other.stops,
            lost=self.lost + other.lost,
        )


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
    servers: Sequence[Cost]
    """Those that came to most first; as many as are told of at once."""
    servers_total: int
    by_owner: Sequence[Cost]
    """Of their backfilling servers."""
    silent: Sequence[Silent]
    """Cells that are billed by what was last known of them."""

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
    begun_at = _month(now)
    async with told(cloud):
        finite = await billing.finite_accounts(cloud)
        standings: dict[str, Standing] = {}
        owners = []
        for name in names:
            standings[name] = found = await billing.standing_of(cloud, name)
            charged = await billing.charged_since(cloud, name, begun_at)
            owners.append(_owner(name, found, is_finite=name in finite, charged=charged))
        levels, following = await burst_levels.of_now(cloud)
        known = await burst_levels.known(cloud)
        newest = await billing.newest_rows(cloud, names[0]) if len(names) == 1 else []
        begins, ends = microseconds_of(begun_at), microseconds_of(now)
        intervals = await cloud.store.cloud_read(lambda tx: tx.server_intervals(begins, ends + 1))
    mine = (each for each in intervals if each.account in standings)
    servers = sorted(costs(mine, known, levels, begins, ends), key=lambda each: (-each.this_month, each.id))
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
        servers_total=len(servers),
        by_owner=added_up(each for each in servers if each.is_backfilling),
        silent=silent_cells(cloud),
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


async def cost_of(cloud: Cloud, actor: Account, server_id: str) -> Cost:
    """What one server came to this month, and costs now. Raises NotFound."""
    found = await entry_for(cloud, actor, server_id)
    now = cloud.clock.now()
    begins, ends = microseconds_of(_month(now)), microseconds_of(now)
    async with told(cloud):
        levels, _ = await burst_levels.of_now(cloud)
        known = await burst_levels.known(cloud)
        intervals = await cloud.store.cloud_read(lambda tx: tx.server_intervals(begins, ends + 1, server_id))
    return next(iter(costs(intervals, known, levels, begins, ends)), Cost(server_id, found.owner, found.is_backfilling))


def _month(now: datetime) -> datetime:
    """When it began."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def costs(
    intervals: Iterable[Interval], known: Mapping[str, Levels], levels: Mapping[str, int], begins: int, ends: int
) -> list[Cost]:
    """What each server came to between the two instants, and costs at their end; its intervals in their order."""
    meters = {name: Meterage(name, levels_for(name, known)) for name in (*LOAD_OF, "tx")}
    by_server: dict[str, list[Interval]] = defaultdict(list)
    for each in intervals:
        by_server[each.object_id].append(each)
    return [_of_server(found, meters, levels, begins, ends) for found in by_server.values()]


_LOST = (DISPLACED, HOST_LOST)
"""How runs end that came to nothing."""


def _of_server(
    found: Sequence[Interval], meters: Mapping[str, Meterage], levels: Mapping[str, int], begins: int, ends: int
) -> Cost:
    weighted: dict[tuple[str, str], int] = defaultdict(int)
    stops = 0
    run: dict[str, int] = defaultdict(int)
    for each in found:
        begun, ended = max(each.begun_at, begins), ends if each.ended_at is None else min(each.ended_at, ends)
        if each.state in _LOST and each.is_backfilling and each.begun_at >= begins:
            stops += 1
            for name, weight in run.items():
                weighted["lost", name] += weight
        if each.state != RUNNING:
            if each.state != "unavailable":
                # Whose host is lost has not come to its end yet.
                run.clear()
            continue
        for name, had, size in _sizes(each):
            weight = meters[name].weight(begun, ended)
            normal = BACKFILL_OF.get(name, name)
            weighted["paid", name] += had * weight
            weighted["full", name] += size * weight
            weighted["normal", normal] += had * meters[normal].weight(begun, ended)
            run[name] += had * weight
        weighted["traffic", "tx"] += each.sent_rate * meters["tx"].weight(begun, ended)
    money: dict[str, int] = defaultdict(int)
    for (what, name), total in weighted.items():
        money[what] += meters[name].cost(total)
    last = found[-1]
    burst = (
        {name: had for name, had, _ in _sizes(last)} | {"tx": last.sent_rate}
        if last.state == RUNNING and (last.ended_at is None or last.ended_at > ends)
        else {}
    )
    return Cost(
        last.object_id,
        last.account,
        last.is_backfilling,
        core.burn(burst, levels, HOUR_SECONDS),
        money["paid"],
        money["traffic"],
        money["full"],
        money["normal"],
        stops,
        money["lost"],
    )


def _sizes(each: Interval) -> tuple[tuple[str, int, int], tuple[str, int, int]]:
    """By what name its CPU and its memory are billed, what it had of each, and what it asked for."""
    prefix = "b" if each.is_backfilling else "intel_" if each.cpu_type == "intel" else ""
    return (
        (f"{prefix}cpu", each.cpu_mhz_had, each.cpu_mhz),
        (f"{prefix}mem", each.memory_bytes_had, each.memory_bytes),
    )


def added_up(servers: Iterable[Cost]) -> list[Cost]:
    """By owner, by name."""
    found: dict[str, Cost] = {}
    for each in servers:
        found[each.owner] = found.get(each.owner, Cost(each.owner, each.owner)).plus(each)
    return [found[name] for name in sorted(found)]


SHORT_SECONDS = 5 * 86_400
"""Whose balance lasts less than this is short of money: what is started must be paid for as long."""


async def short_of_money(cloud: Cloud, actor: Account) -> list[Owner]:
    """The accounts that are held to a balance, and have none left or soon will: all for staff, else one's own."""
    finite = await billing.finite_accounts(cloud)
    wanted = sorted(name for name in finite if actor.is_staff or name == actor.name)
    if not wanted:
        return []
    tick = tick_of(microseconds_of(cloud.clock.now()))
    found: list[Owner] = await cloud.kept.of((short_of_money, *wanted, tick), lambda: _short(cloud, wanted))
    return found


async def _short(cloud: Cloud, names: Sequence[str]) -> list[Owner]:
    found = []
    async with told(cloud):
        for name in names:
            owner = _owner(name, await billing.standing_of(cloud, name), is_finite=True, charged=0)
            lasts = lasts_seconds(owner)
            if owner.balance < 0 or (lasts is not None and lasts < SHORT_SECONDS):
                found.append(replace(owner, below_since=await billing.below_since(cloud, name)))
    return found


def _owner(name: str, found: Standing, *, is_finite: bool, charged: int) -> Owner:
    burst = {resource: use.burst for resource, use in found.uses.items()}
    grey = {resource: burst.pop(resource) for resource in BACKFILL_OF}
    return Owner(
        name,
        found.balance,
        is_finite,
        core.burn(burst, found.levels, HOUR_SECONDS),
        core.burn(grey, found.levels, HOUR_SECONDS),
        charged,
    )


def lasts_seconds(owner: Owner) -> int | None:
    """How long the balance lasts at this rate; None where it never ends.

    That is of an account that is not held to it, and where nothing is burnt.
    """
    if not owner.is_finite or owner.burst_per_hour <= 0:
        return None
    return max(0, owner.balance) * HOUR_SECONDS // owner.burst_per_hour
