"""Money in `/ops/v1`: what is burnt, by whom, what backfilling came to, the ledger, and what an account may spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from backend.cloud.billing import Row, average
from backend.cloud.errors import Forbidden, Invalid
from backend.cloud.instants import MICROSECONDS, instant_of, microseconds_of
from backend.cloud.model import Account
from backend.cloud.prices import (
    BACKFILL_OF,
    CURRENCY,
    LOAD_OF,
    RESOURCES,
    money_of,
    money_text,
    price_of,
)
from backend.cloud.subscriptions import Asked, Subscription
from backend.dialects.ops.bodies import (
    BalanceToGive,
    BillingQuery,
    LedgerQuery,
    NoBody,
    NoQuery,
    SubscriptionToBuy,
)
from backend.dialects.ops.schema_billing import (
    AccountBalance,
    BackfilledRow,
    BillingLine,
    BillingOwner,
    BillingSummary,
    CostRow,
    LedgerPage,
    LedgerRow,
    LevelHistory,
    ShortAccount,
    SubscriptionList,
    SubscriptionOffer,
    SubscriptionRow,
    SubscriptionsBought,
)
from backend.dialects.ops.table import Answer, Call, once
from backend.dialects.wire import instant_text, instant_text_or_none
from backend.operations import Cloud, billing, billing_views, last_known, servers, subscriptions
from backend.operations.billing_views import Cost, Line, Owner, Summary


async def billing_summary(call: Call[BillingQuery, NoBody]) -> Answer:
    found = await billing_views.summary(call.cloud, call.account, call.query.account)
    names = await _names(call.cloud, [each.id for each in found.servers])
    burst = sum(line.cost_per_hour for line in found.lines)
    content: BillingSummary = {
        "at": instant_text(found.at),
        "account": found.owners[0].name if len(found.owners) == 1 else None,
        "currency": CURRENCY,
        "lines": [_line(line) for line in found.lines],
        "burst_per_hour": money_text(burst),
        "backfilling_per_hour": money_text(sum(owner.backfilling_per_hour for owner in found.owners)),
        "backfilling_at_normal_price_per_hour": money_text(found.backfilling_at_normal_price),
        "owners": [_owner(owner) for owner in found.owners],
        "history": _history(found),
        "newest": [_row(row, has_balance=False) for row in found.newest],
        "month_began_at": instant_text(found.begun_at),
        "month_ends_at": instant_text(found.ends_at),
        "charged_this_month": money_text(found.charged_this_month),
        "projected_this_month": money_text(found.projected),
        "servers": [_cost(each, names.get(each.id)) for each in found.servers],
        "servers_total": found.servers_total,
        "by_owner": [_backfilled(each) for each in found.by_owner],
        "silent": [{"cell": each.cell, "since": instant_text(each.since)} for each in found.silent],
    }
    return Answer(content)


def _line(line: Line) -> BillingLine:
    is_backfill = line.resource in BACKFILL_OF
    return {
        "resource": line.resource,
        "unit": RESOURCES[line.resource].unit,
        "using": line.use.using // RESOURCES[line.resource].scale,
        "subscribed": None if is_backfill else line.use.subscribed,
        "burst": line.burst // RESOURCES[line.resource].scale,
        "level": line.level,
        "next_level": line.next_level,
        "price": f"{price_of(line.resource, line.level):f}",
        "cost_per_hour": money_text(line.cost_per_hour),
    }


def _owner(owner: Owner) -> BillingOwner:
    return {
        "account": owner.name,
        "balance": money_text(owner.balance),
        "is_finite": owner.is_finite,
        "normal_per_hour": money_text(owner.normal_per_hour),
        "backfilling_per_hour": money_text(owner.backfilling_per_hour),
        "charged_this_month": money_text(owner.charged_this_month),
        "lasts_seconds": billing_views.lasts_seconds(owner),
    }


def _history(found: Summary) -> list[LevelHistory]:
    """Of CPU and memory; what has no level of its own follows neither."""
    following = {LOAD_OF[line.resource]: line.next_level for line in found.lines if line.resource in LOAD_OF}
    return [
        {
            "follows": name,
            "levels": [
                {"at": instant_text(billing.instant_of_tick(tick)), "level": max(1, level)} for tick, level in steps
            ],
            "next_level": following[name],
            "next_at": instant_text(found.next_level_at),
        }
        for name, steps in sorted(found.history.items())
    ]


def _backfilled(each: Cost) -> BackfilledRow:
    return {
        "owner": each.owner,
        "paid": money_text(each.paid),
        "saved": money_text(each.saved),
        "not_billed": money_text(each.not_billed),
        "stops": each.stops,
        "lost": money_text(each.lost),
        "net": money_text(each.net),
    }


def _cost(each: Cost, name: str | None) -> CostRow:
    return {
        "server_id": each.id,
        "name": name,
        "is_backfilling": each.is_backfilling,
        "per_hour": money_text(each.per_hour),
        "this_month": money_text(each.this_month),
        **_backfilled(each),
    }


async def _names(cloud: Cloud, server_ids: Sequence[str]) -> Mapping[str, str]:
    """Of those whose cell does not answer what they were last called."""
    names: dict[str, str] = await cloud.kept.of((_names, *server_ids), lambda: servers.names_of(cloud, server_ids))
    seen = await last_known.pictures(cloud, (each for each in server_ids if each not in names))
    return names | {id_: each.picture["name"] for id_, each in seen.items() if "name" in each.picture}


async def server_cost(call: Call[NoQuery, NoBody]) -> Answer:
    server_id = call.path["id"]
    found = await billing_views.cost_of(call.cloud, call.account, server_id)
    names = await _names(call.cloud, [server_id])
    content: CostRow = _cost(found, names.get(server_id))
    return Answer(content)


async def list_subscriptions(call: Call[BillingQuery, NoBody]) -> Answer:
    account = await _account(call, call.query.account)
    now = microseconds_of(call.cloud.clock.now())
    found = await subscriptions.list_subscriptions(call.cloud, account)
    rows = [_subscription(each, now) for each in found]
    rows.sort(key=lambda row: (row["ends_at"], int(row["id"])), reverse=True)
    content: SubscriptionList = {"account": account.name, "subscriptions": rows}
    return Answer(content)


async def buy_subscription(call: Call[NoQuery, SubscriptionToBuy]) -> Answer:
    cloud, wanted = call.cloud, call.body
    account = await _account(call, wanted.account)
    if wanted.extends is not None and (wanted.resource, wanted.amount, wanted.renews) != (None, None, False):
        raise Invalid("extends", "stands without resource, amount and renews: it is as much of the same")
    if wanted.preview:
        return await _offered(cloud, account, wanted)
    bought = await subscriptions.bought_before(cloud, account, call.request)
    if bought is None and wanted.extends is not None:
        number = int(wanted.extends)
        bought = await subscriptions.extend(cloud, account, number, period=wanted.period, request=call.request)
    elif bought is None:
        bought = await subscriptions.buy(cloud, account, [_asked(wanted)], request=call.request)
    now = microseconds_of(cloud.clock.now())
    content: SubscriptionsBought = {
        "account": account.name,
        "subscriptions": [_subscription(each, now) for each in bought],
    }
    return Answer(content, status=201)


async def _offered(cloud: Cloud, account: Account, wanted: SubscriptionToBuy) -> Answer:
    if wanted.extends is not None:
        found, last = await subscriptions.extension(cloud, account, int(wanted.extends), period=wanted.period)
        # It renews itself in the place of what it follows.
        found = replace(found, renews=last.renews)
    else:
        (found,) = subscriptions.offers(cloud, [_asked(wanted)])
    content: SubscriptionOffer = {
        "resource": found.resource,
        "amount": found.amount,
        "begins_at": instant_text(found.begins),
        "ends_at": instant_text(found.ends),
        "renews": found.renews,
        "price": money_text(found.price),
        "percent_off": found.percent_off,
    }
    return Answer(content)


def _asked(wanted: SubscriptionToBuy) -> Asked:
    """Raises Invalid."""
    if wanted.resource is None or wanted.amount is None:
        missing = "resource" if wanted.resource is None else "amount"
        raise Invalid(missing, "is needed where no other subscription is extended")
    return Asked(wanted.resource, wanted.amount, wanted.period, renews=wanted.renews)


def _subscription(each: Subscription, now: int) -> SubscriptionRow:
    terms = each.terms_until(now)
    return {
        "id": str(each.number),
        "resource": each.resource,
        "amount": each.amount,
        "unit": RESOURCES[each.resource].unit,
        "status": each.status(now),
        "begins_at": instant_text(instant_of(terms[0].begins_at)),
        "ends_at": instant_text(instant_of(terms[-1].ends_at)),
        "renews": each.renews,
        "price": money_text(terms[-1].price),
    }


async def _account(call: Call[Any, Any], name: str | None) -> Account:
    """The account that is asked about, one's own without a name. Raises Forbidden, NotFound."""
    if name not in (None, call.account.name) and not call.account.is_staff:
        raise Forbidden("look at the money of others", "only staff may")
    return await call.cloud.account(name or call.account.name)


def short_row(owner: Owner) -> ShortAccount:
    return {
        "account": owner.name,
        "balance": money_text(owner.balance),
        "lasts_seconds": billing_views.lasts_seconds(owner),
        "below_since": instant_text_or_none(owner.below_since),
    }


def _row(row: Row, *, has_balance: bool = True) -> LedgerRow:
    run = row.run
    return {
        "id": row.id,
        "at": instant_text(instant_of(row.at)),
        "resource": None if run is None else run.resource,
        "used": None if run is None else average(run),
        "seconds": None if run is None else run.active // MICROSECONDS,
        "level": None if run is None else run.level,
        "kind": row.kind,
        "reason": row.reason,
        "amount": money_text(row.amount),
        "balance": money_text(row.end) if has_balance else None,
    }


async def ledger(call: Call[LedgerQuery, NoBody]) -> Answer:
    """By keyset: what was said as `before` is the instant of the last row and how many of that instant were told."""
    query, cloud = call.query, call.cloud
    account = await _account(call, query.account)
    at, told = _place(query.before)
    found = await billing.ledger(cloud, account.name, offset=told, limit=query.limit, before=at)
    last = found.rows[-1] if found.rows else None
    before = None
    if last is not None and told + len(found.rows) < found.total:
        of_last = sum(row.at == last.at for row in found.rows)
        if at is not None and found.rows[0].at == last.at == at - 1:
            of_last += told
        before = f"{last.at}.{of_last}"
    content: LedgerPage = {
        "account": account.name,
        "rows": [_row(row) for row in found.rows],
        "total": found.total,
        "before": before,
    }
    return Answer(content)


def _place(text: str | None) -> tuple[int | None, int]:
    """Raises Invalid."""
    if text is None:
        return None, 0
    at, _, told = text.partition(".")
    return int(at) + 1, int(told)


async def give_balance(call: Call[NoQuery, BalanceToGive]) -> Answer:
    try:
        amount = money_of(Decimal(call.body.balance))
    except (InvalidOperation, ValueError) as problem:
        raise Invalid("balance", "must be an amount of money, such as 100.00") from problem
    name = call.path["name"]

    async def give() -> Answer:
        balance = await billing.give_balance(call.cloud, call.account, name, amount, request=call.request)
        content: AccountBalance = {"name": name, "balance": money_text(balance), "is_finite": True}
        return Answer(content)

    return await once(call, give)
