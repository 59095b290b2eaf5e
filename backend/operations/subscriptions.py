"""Subscriptions: looked at, priced, bought, extended, and set to renew themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from backend.cloud.errors import Invalid, NoFunds, NotFound
from backend.cloud.instants import instant_of, microseconds_of
from backend.cloud.model import Account
from backend.cloud.prices import CURRENCY, apart, subscription_price
from backend.cloud.subscriptions import (
    SOLD_SINGLY,
    SUBSCRIPTIONS_AT_ONCE_MAX,
    Asked,
    Offer,
    Subscription,
    Term,
    days_of,
    offer,
)
from backend.operations import Cloud, RequestKey, billing, repeats
from backend.store import CloudTransaction


async def list_subscriptions(cloud: Cloud, actor: Account) -> list[Subscription]:
    """The account's own, in the order in which they were bought."""
    return await cloud.store.cloud_read(lambda tx: tx.subscriptions(actor.name))


async def get_subscription(cloud: Cloud, actor: Account, number: int) -> Subscription:
    """Raises NotFound."""
    return await cloud.store.cloud_read(lambda tx: _one(tx, actor, number))


def _one(tx: CloudTransaction, actor: Account, number: int) -> Subscription:
    for each in tx.subscriptions(actor.name):
        if each.number == number:
            return each
    raise NotFound("subscription", str(number))


def grouped(found: Sequence[Subscription]) -> list[tuple[Subscription, Sequence[Subscription]]]:
    """Those that extend no other one, each with what extends it, one behind the other."""
    by_number = {each.number: each for each in found}
    chains = children(found)
    return [(each, [by_number[number] for number in chains[each.number]]) for each in found if each.parent is None]


def children(found: Sequence[Subscription]) -> Mapping[int, Sequence[int]]:
    """By the number of each that was extended, those of what extends it, one behind the other."""
    by_parent = {each.parent: each.number for each in found if each.parent is not None}
    chains: dict[int, list[int]] = {}
    for each in found:
        chain = chains[each.number] = []
        number = each.number
        while (number := by_parent.get(number, 0)) != 0:
            chain.append(number)
    return chains


def offers(cloud: Cloud, asked: Sequence[Asked]) -> list[Offer]:
    """What they would be, and cost. Buys nothing. Raises Invalid."""
    if len(asked) > SUBSCRIPTIONS_AT_ONCE_MAX:
        raise Invalid("objects", f"may be at most {SUBSCRIPTIONS_AT_ONCE_MAX} at once")
    now = cloud.clock.now()
    found = [offer(each, now) for each in asked]
    if sum(map(_count, found)) > SUBSCRIPTIONS_AT_ONCE_MAX:
        raise Invalid("amount", f"may come to at most {SUBSCRIPTIONS_AT_ONCE_MAX} subscriptions at once")
    return [each if _count(each) == 1 else replace(each, price=_count(each) * _single(each).price) for each in found]


def _count(found: Offer) -> int:
    """How many subscriptions it is."""
    return found.amount if found.resource in SOLD_SINGLY else 1


def _single(found: Offer) -> Offer:
    """One of those that it is."""
    if _count(found) == 1:
        return found
    return replace(found, amount=1, price=subscription_price(found.resource, 1, found.begins, found.ends))


async def buy(
    cloud: Cloud, actor: Account, asked: Sequence[Asked], *, request: RequestKey | None = None
) -> list[Subscription]:
    """All or none; `request` is remembered with them, in the same transaction. Raises Invalid, NoFunds, Conflict."""
    found = [single for each in offers(cloud, asked) for single in [_single(each)] * _count(each)]
    return await _buy(cloud, actor, found, parent=None, request=request)


async def _buy(
    cloud: Cloud,
    actor: Account,
    found: Sequence[Offer],
    *,
    parent: int | None,
    takes_over: bool = False,
    request: RequestKey | None = None,
) -> list[Subscription]:
    """`takes_over`: the first renews itself in the place of its parent, in the transaction that buys it."""
    price = sum(each.price for each in found)
    if actor.name in await billing.finite_accounts(cloud):
        balance = await billing.balance(cloud, actor.name)
        if balance < price:
            raise NoFunds("buy the subscription", *apart(price, balance), CURRENCY)
    now = microseconds_of(cloud.clock.now())

    def write(tx: CloudTransaction) -> list[Subscription]:
        bought = []
        for each in found:
            begins, ends = microseconds_of(each.begins), microseconds_of(each.ends)
            terms = (Term(now, begins, ends, each.price),)
            made = Subscription(
                0, tx.next_id("cloud"), actor.name, each.resource, each.amount, each.period, each.renews, parent, terms
            )
            bought.append(replace(made, number=tx.add_subscription(made)))
        if takes_over:
            assert parent is not None, "there is one to take over from"
            _set_renewal(tx, actor, parent, False, now=now)
            bought[0] = _set_renewal(tx, actor, bought[0].number, True, now=now)
        return bought

    bought = await cloud.store.cloud_write(
        repeats.once(
            cloud,
            request,
            write,
            again=lambda tx, numbers: [_one(tx, actor, number) for number in numbers],
            tells=lambda done: [each.number for each in done],
        )
    )
    for each in bought:
        cloud.accounting.changed(actor.name, each.terms[0].begins_at)
    return bought


async def bought_before(cloud: Cloud, actor: Account, request: RequestKey | None) -> list[Subscription] | None:
    """What was bought for this request; None the first time. Raises Conflict."""

    def read(tx: CloudTransaction) -> list[Subscription] | None:
        numbers = None if request is None else request.remembered(tx)
        return None if numbers is None else [_one(tx, actor, number) for number in numbers]

    return await cloud.store.cloud_read(read)


async def extend(
    cloud: Cloud,
    actor: Account,
    number: int,
    *,
    period: str | None = None,
    end: datetime | None = None,
    request: RequestKey | None = None,
) -> list[Subscription]:
    """Buy another one behind the last of the chain: for `period`, until `end`, or as long as it was bought for.

    Raises:
        NotFound, Invalid, NoFunds, Conflict.
    """
    another, last = await extension(cloud, actor, number, period=period, end=end)
    # The last of the chain is what renews itself.
    return await _buy(cloud, actor, [another], parent=last.number, takes_over=last.renews, request=request)


async def extension(
    cloud: Cloud, actor: Account, number: int, *, period: str | None = None, end: datetime | None = None
) -> tuple[Offer, Subscription]:
    """What extending it would be, and cost, and which of its chain it would follow. Raises NotFound, Invalid."""
    found = await list_subscriptions(cloud, actor)
    chain = children(found).get(number)
    if chain is None:
        raise NotFound("subscription", str(number))
    last_number = chain[-1] if chain else number
    last = next(each for each in found if each.number == last_number)
    now = cloud.clock.now()
    terms = last.terms_until(microseconds_of(now))
    begins = max(now, instant_of(terms[-1].ends_at))
    asked = Asked(last.resource, last.amount, period=period, end=end)
    if period is None and end is None:
        again = {"period": last.period} if last.period else {"end": begins + days_of(last.terms[0])}
        asked = replace(asked, **again)
    return offer(asked, now, earliest=begins), last


async def set_renewal(cloud: Cloud, actor: Account, number: int, renews: bool | None) -> Subscription:
    """Whether it renews itself at its end; None: the other way round. Raises NotFound, Invalid."""
    now = microseconds_of(cloud.clock.now())
    return await cloud.store.cloud_write(lambda tx: _set_renewal(tx, actor, number, renews, now=now))


def _set_renewal(tx: CloudTransaction, actor: Account, number: int, renews: bool | None, *, now: int) -> Subscription:
    before = _one(tx, actor, number)
    # What has happened of itself is written down, before what it follows from is changed.
    after = replace(before, terms=before.terms_until(now), renews=not before.renews if renews is None else renews)
    if not before.renews and after.renews and after.terms[-1].ends_at <= now:
        raise Invalid("auto_renew", "it has expired")
    tx.save_subscription(before, after)
    return after
