"""Money: the balance, the ledger, burst levels, and whether an account can pay for what it wants.

Everything that is told is worked out when it is asked for, from what `metering` has made of the events, for the ticks
that are closed. What was told stays as it is: see `closing`.

What was worked out is kept as marks, hour by hour, so that a page of the ledger costs what the page and its hour hold.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.cloud import billing
from backend.cloud.billing import FIVE_DAYS_SECONDS, Correction, Levels, Lump, Mark, Row, Series, tick_of
from backend.cloud.errors import Forbidden, Invalid, NoFunds
from backend.cloud.instants import instant_of, microseconds_of
from backend.cloud.model import Account, Size
from backend.cloud.prices import CURRENCY, RESOURCES, TICK, UNIT, apart, money, shown
from backend.cloud.subscriptions import Subscription, covered
from backend.operations import Cloud, RequestKey, burst_levels, repeats
from backend.operations.burst_levels import CHUNK_TICKS
from backend.operations.closing import told
from backend.store import CloudTransaction

OPENING_CREDIT = 1_000_000 * UNIT
"""What every account has from the beginning. Only one that was given another balance is ever held to it."""
OPENING_NUMBER = 0
_SUBSCRIPTIONS, _TERMS = 10**12, 10**5
"""The first number of what was bought, and how many terms one subscription may have; payments have the lowest numbers,
and the rows of ticks those between."""
_CORRECTIONS = 10**17


@dataclass(frozen=True, slots=True)
class Use:
    """Of one resource, now."""

    using: int
    subscribed: int

    @property
    def burst(self) -> int:
        return max(0, self.using - self.subscribed)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A part of it, the newest first, and how many rows there are in all."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What the rows of an account depend on besides what its servers and drives used."""

    account: str
    subscribed: Mapping[str, Series]
    levels: Mapping[str, Levels]
    owned: Mapping[str, Series]
    """Addresses and VLANs."""


@dataclass(frozen=True, slots=True)
class Book:
    """What one account's ledger is made of, up to the last tick that is over."""

    basis: Basis
    marks: Sequence[Mark]
    """At least one; the last is where the ticks end that are over."""
    lumps: Sequence[Lump]
    """In the order of their instants."""

    @property
    def balance(self) -> int:
        """In 10**-20 dollars."""
        return -self.marks[-1].charged - sum(lump.amount for lump in self.lumps)

    @property
    def total(self) -> int:
        return self.marks[-1].rows + len(self.lumps)

    def count_before(self, mark: Mark) -> int:
        """How many rows come before a mark."""
        return mark.rows + bisect_right(self.lumps, mark.tick * TICK - 1, key=lambda lump: lump.at)


async def levels_now(cloud: Cloud) -> tuple[dict[str, int], dict[str, int]]:
    """Of every resource that is billed: the burst level now, and the one that is next."""
    async with told(cloud):
        return await burst_levels.of_now(cloud)


# --- an account's book ------------------------------------------------------------------------------------------------


async def _book(cloud: Cloud, account: str) -> Book:
    end = cloud.accounting.closed
    now = microseconds_of(cloud.clock.now())
    known = await burst_levels.until(cloud, end)

    def read(tx: CloudTransaction) -> tuple[list[Subscription], list[Lump], Mapping[str, Series]]:
        owned, first = tx.owned_from(account), tx.first_use(account)
        begun = [microseconds_of(tx.identity()[3]), *(steps[0][0] for steps in owned.values())]
        opened_at = min(begun if first is None else [*begun, first])
        lumps = [Lump(opened_at, OPENING_NUMBER, -OPENING_CREDIT, "Opening credit"), *tx.payments(account)]
        lumps += [_correction(*each) for each in tx.corrections(account)]
        return tx.subscriptions(account), lumps, owned

    subscriptions, lumps, owned = await cloud.store.cloud_read(read)
    opened = tick_of(lumps[0].at)
    lumps += _bought(subscriptions, now)
    lumps.sort(key=lambda lump: (lump.at, lump.place, lump.number))
    basis = Basis(account, covered(subscriptions, now), known, owned)
    return Book(basis, await _marks(cloud, basis, min(opened, end), end), lumps)


def _bought(subscriptions: Sequence[Subscription], now: int) -> list[Lump]:
    return [
        Lump(
            term.bought_at,
            _SUBSCRIPTIONS + each.number * _TERMS + index,
            term.price,
            f"Subscription: {shown(each.resource, each.amount)} from {instant_of(term.begins_at):%Y-%m-%d %H:%M}"
            f" to {instant_of(term.ends_at):%Y-%m-%d %H:%M}",
            "subscription",
            term.place,
        )
        for each in subscriptions
        for index, term in enumerate(each.terms_until(now))
    ]


def _correction(number: int, place: int, found: Correction) -> Lump:
    reason = (
        f"Correction: {found.resource} from {instant_of(found.begins_at):%Y-%m-%d %H:%M}"
        f" to {instant_of(found.ends_at):%Y-%m-%d %H:%M}, of what a cell told late"
    )
    return Lump(found.at, _CORRECTIONS + number, found.amount, reason, "correction", place)


async def _marks(cloud: Cloud, basis: Basis, first: int, end: int) -> Sequence[Mark]:
    marks = cloud.accounting.marks.setdefault(basis.account, [])
    if not marks:
        marks.append(Mark(first, 0, 0))
    while marks[-1].tick < end:
        until = min(end, marks[-1].tick + CHUNK_TICKS)
        runs = await _runs(cloud, basis, marks[-1].tick, until)
        marks += billing.marked(marks[-1], runs, until)
    return marks[:]


async def _runs(cloud: Cloud, basis: Basis, first: int, end: int) -> list[billing.Run]:
    """Of the ticks from `first` to before `end`."""
    found = await cloud.store.cloud_read(lambda tx: tx.in_use(basis.account, first * TICK, end * TICK))
    using = {name: billing.of_resource(found, name) for name in {resource for resource, _ in found}}
    return list(billing.account_runs({**using, **basis.owned}, basis.subscribed, basis.levels, first, end))


async def balance(cloud: Cloud, account: str) -> int:
    """In 10**-20 dollars."""
    async with told(cloud):
        return (await _book(cloud, account)).balance


async def ledger(
    cloud: Cloud,
    account: str,
    *,
    limit: int,
    offset: int = 0,
    since: int | None = None,
    before: int | None = None,
    is_oldest_first: bool = False,
) -> Ledger:
    """The newest rows first, of those at or after `since` and before `before`; both in microseconds.

    The oldest first, a row keeps its offset for ever: rows are only ever added behind all others.
    """
    async with told(cloud):
        book = await _book(cloud, account)
        lowest = 0 if since is None else await _index_of(cloud, book, since)
        highest = book.total if before is None else await _index_of(cloud, book, before)
        if is_oldest_first:
            low = min(highest, lowest + offset)
            high = min(highest, low + limit)
        else:
            high = max(lowest, highest - offset)
            low = max(lowest, high - limit)
        rows = await _rows(cloud, book, low, high) if low < high else []
    return Ledger(rows if is_oldest_first else rows[::-1], max(0, highest - lowest))


async def _rows(cloud: Cloud, book: Book, low: int, high: int) -> list[Row]:
    """Rows number `low` to before `high`, the oldest first."""
    begin = max(0, bisect_right(book.marks, low, key=book.count_before) - 1)
    # Behind the last mark there are only lumps.
    last = min(bisect_left(book.marks, high, key=book.count_before), len(book.marks) - 1)
    rows, index = await _between(cloud, book, begin, last)
    return rows[low - index : high - index]


async def _between(cloud: Cloud, book: Book, begin: int, last: int) -> tuple[list[Row], int]:
    """The rows between two marks; behind the last of all marks, all lumps. And how many come before the first."""
    start, stop = book.marks[begin], book.marks[last]
    runs = await _runs(cloud, book.basis, start.tick, stop.tick)
    before = [lump for lump in book.lumps if lump.at < start.tick * TICK]
    is_last = last == len(book.marks) - 1
    lumps = [lump for lump in book.lumps[len(before) :] if is_last or lump.at < stop.tick * TICK]
    rows = billing.tick_rows(runs) + [billing.lump_row(lump) for lump in lumps]
    # What is paid at the instant at which a tick ends comes behind its rows; both are in their order already.
    rows.sort(key=lambda row: (row.at, row.run is None))
    balance = -start.charged - sum(lump.amount for lump in before)
    return billing.with_balances(rows, balance), start.rows + len(before)


async def _index_of(cloud: Cloud, book: Book, at: int) -> int:
    """How many rows are of before an instant."""
    begin = max(0, bisect_right(book.marks, at, key=lambda mark: mark.tick * TICK) - 2)
    rows, index = await _between(cloud, book, begin, min(len(book.marks) - 1, begin + 2))
    return index + sum(row.at < at for row in rows)


async def burst_by_day(cloud: Cloud, account: str, begins: int, ends: int) -> dict[tuple[str, str], tuple[int, int]]:
    """By day and resource, what it cost and how much of it there was, summed over the ticks between the two.

    With the corrections, each on the day on which it became known.
    """
    async with told(cloud):
        book = await _book(cloud, account)
        first = max(book.marks[0].tick, -(-begins // TICK))
        last = min(book.marks[-1].tick, tick_of(ends))
        found: dict[tuple[str, str], tuple[int, int]] = {}
        while first < last:
            until = min(last, first + CHUNK_TICKS)
            for run in await _runs(cloud, book.basis, first, until):
                for day, count in billing.by_day(run):
                    key = (f"{instant_of(day):%Y-%m-%d}", run.resource)
                    cost, used = found.get(key, (0, 0))
                    found[key] = (cost + count * run.charge, used + count * billing.average(run))
            first = until
        for _, _, each in await cloud.store.cloud_read(lambda tx: tx.corrections(account)):
            if begins <= each.at < ends:
                key = (f"{instant_of(each.at):%Y-%m-%d}", each.resource)
                cost, used = found.get(key, (0, 0))
                found[key] = (cost + each.amount, used + each.used)
        return found


async def use_at_ticks(cloud: Cloud, account: str, begin: int, end: int) -> list[tuple[int, str, int]]:
    """Instant, resource and amount of what was in use at the beginning of each tick between the two, in order."""
    async with told(cloud):
        found = await cloud.store.cloud_read(lambda tx: (tx.in_use(account, begin, end), tx.owned_from(account)))
    steps, owned = found
    instants = range(-(-begin // TICK) * TICK, end, TICK)
    rows = []
    for place, name in enumerate(RESOURCES):
        series = owned.get(name) or billing.of_resource(steps, name)
        for at, amount in zip(instants, billing.amounts_at(series, instants), strict=True):
            if amount:
                rows.append((at, place, amount))
    return [(at, list(RESOURCES)[place], amount) for at, place, amount in sorted(rows)]


# --- now --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account has and uses now, and what that costs."""

    balance: int
    uses: Mapping[str, Use]
    levels: Mapping[str, int]

    def burn(self, seconds: int, more: Mapping[str, int] | None = None) -> int:
        """What going on like this, with `more` of some resources, costs for so long beyond what is subscribed."""
        extra = more or {}
        burst = {name: Use(use.using + extra.get(name, 0), use.subscribed).burst for name, use in self.uses.items()}
        return billing.burn(burst, self.levels, seconds)


async def standing(cloud: Cloud, account: str) -> Standing:
    async with told(cloud):
        return await standing_of(cloud, account)


# For who has caught up already, and asks for several things that are to be of one instant.


async def standing_of(cloud: Cloud, account: str) -> Standing:
    book = await _book(cloud, account)
    now = microseconds_of(cloud.clock.now())
    found = await cloud.store.cloud_read(lambda tx: tx.in_use(account, now, now + 1))
    uses = {}
    for name in RESOURCES:
        using = book.basis.owned.get(name) or billing.of_resource(found, name)
        subscribed = book.basis.subscribed.get(name, ())
        uses[name] = Use(billing.amount_at(using, now), billing.amount_at(subscribed, now))
    return Standing(book.balance, uses, (await burst_levels.of_now(cloud))[0])


async def charged_since(cloud: Cloud, account: str, at: datetime) -> int:
    """What the rows of the ticks that have begun since then add up to, and what was bought and corrected since."""
    book = await _book(cloud, account)
    first = -(-microseconds_of(at) // TICK)
    place = max(0, bisect_right(book.marks, first, key=lambda mark: mark.tick) - 1)
    mark = book.marks[place]
    charged = book.marks[-1].charged - mark.charged
    if mark.tick < first < book.marks[-1].tick:
        runs = await _runs(cloud, book.basis, mark.tick, first)
        charged -= sum(run.charge * run.count for run in runs)
    since = (each for each in book.lumps if each.at >= microseconds_of(at) and each.kind != "payment")
    return charged + sum(each.amount for each in since)


async def below_since(cloud: Cloud, account: str) -> datetime | None:
    """When a balance that is below nothing last became so; None of one that is not."""
    book = await _book(cloud, account)
    if book.balance >= 0:
        return None
    for begin in range(max(0, len(book.marks) - 2), -1, -1):
        start, last = book.marks[begin], min(begin + 1, len(book.marks) - 1)
        ends = None if last == len(book.marks) - 1 else book.marks[last].tick * TICK
        lumps = [lump for lump in book.lumps if ends is None or lump.at < ends]
        before = -start.charged - sum(lump.amount for lump in lumps if lump.at < start.tick * TICK)
        # Only where something was there, or was paid, can it have fallen: else the rows need not be looked at.
        if before >= 0 or any(lump.amount < 0 and lump.at >= start.tick * TICK for lump in lumps):
            rows, _ = await _between(cloud, book, begin, last)
            fell = [row.at for row in rows if row.initial >= 0 > row.end]
            if fell:
                return instant_of(fell[-1])
    return instant_of(book.lumps[0].at)


async def newest_rows(cloud: Cloud, account: str) -> list[Row]:
    """Of the last tick that is over."""
    book = await _book(cloud, account)
    end = book.marks[-1].tick
    return billing.tick_rows(await _runs(cloud, book.basis, end - 1, end))


def instant_of_tick(tick: int) -> datetime:
    """When it begins."""
    return instant_of(tick * TICK)


# --- whether it can be paid -------------------------------------------------------------------------------------------


async def check_funds(cloud: Cloud, account: str, what: str, more: Mapping[str, int]) -> None:
    """Whether it can pay for five days of what it uses beyond its subscriptions, and of `more`.

    **Source**: CloudSigma API 2.0, status 402. Only accounts that were given a balance are held to it.

    Raises:
        NoFunds.
    """
    if account not in await finite_accounts(cloud):
        return
    found = await standing(cloud, account)
    needed, burnt = found.burn(FIVE_DAYS_SECONDS, more), found.burn(FIVE_DAYS_SECONDS)
    if found.balance < needed:
        parts = (f"{money(burnt):.2f}", f"{money(needed - burnt):.2f}") if burnt else ()
        raise NoFunds(f"{what} for five days", *apart(needed, found.balance), CURRENCY, *parts)


def of_server(size: Size, *, is_backfilling: bool, cpu_type: str = "amd") -> dict[str, int]:
    """What a server uses while it runs, by resource."""
    prefix = "b" if is_backfilling else "intel_" if cpu_type == "intel" else ""
    return {f"{prefix}cpu": size.cpu_mhz, f"{prefix}mem": size.memory_bytes}


async def finite_accounts(cloud: Cloud) -> frozenset[str]:
    accounting = cloud.accounting
    if accounting.finite is None:
        accounting.finite = await cloud.store.cloud_read(lambda tx: tx.finite_accounts())
    return accounting.finite


async def give_balance(
    cloud: Cloud, actor: Account, name: str, amount: int, *, request: RequestKey | None = None
) -> int:
    """From now on the account has this to live on. Returns its balance, in 10**-20 dollars.

    Raises:
        NotFound, Forbidden, Invalid.
    """
    if not actor.is_staff:
        raise Forbidden("give an account a balance", "only staff may")
    account = await cloud.account(name)
    if not 0 <= amount <= 10**9 * UNIT:
        raise Invalid("balance", "must be between 0 and 1000000000")
    missing = amount - await balance(cloud, account.name)
    now = microseconds_of(cloud.clock.now())

    def write(tx: CloudTransaction) -> None:
        # The first one is written down even where it is nothing: it says since when the account is held to it.
        if missing or account.name not in tx.finite_accounts():
            tx.add_payment(account.name, now, missing, f"{billing.BALANCE_GIVEN}{actor.name}")
        tx.save_purse(account.name, is_finite=True)

    try:
        await cloud.store.cloud_write(repeats.once(cloud, request, write, again=lambda tx, _: None))
    finally:
        cloud.accounting.finite = None
    return await balance(cloud, account.name)
