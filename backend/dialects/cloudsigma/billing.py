"""Money: balance, current usage, prices and burst levels, the ledger, burst usage, subscriptions, discounts, licenses.

Source: CloudSigma API 2.0, "Billing", "Subscriptions", "Burst Usage". Amounts of money are strings of 20 decimal
places. Of traffic, what is in use is bytes a second. Backfilling has the prices `bcpu` and `bmem`, which are ours:
nothing of it was published.

An account sees its own. The ledger is worked out as far as it is asked for: without a limit it ends after the newest
20,000 rows. `time__gt`, `time__gte`, `time__lt` and `time__lte` go to any place in it at once. Simplified: no image of
the library is sold with a license.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BeforeValidator, Field, StrictBool, StrictStr
from starlette.responses import Response

from backend.cloud.billing import Row, average, human_interval
from backend.cloud.errors import Invalid, NotFound
from backend.cloud.instants import MICROSECONDS, instant_of, microseconds_of
from backend.cloud.prices import CURRENCY, DISCOUNTS, PRICES, RESOURCES, TICK, money_text, price_of
from backend.cloud.subscriptions import Asked, Offer, Subscription, Term
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, query, schema
from backend.dialects.cloudsigma.bodies import Sent, Whole
from backend.dialects.cloudsigma.render import PREFIX, STORAGE_TYPE
from backend.dialects.cloudsigma.schema import Description
from backend.dialects.cloudsigma.table import Call, Path, Window, only_fields
from backend.operations import billing, subscriptions

LEDGER_ROWS_MAX = 20_000
USAGE_DAYS_MAX = 31
_RESOURCE_NAMES = {"hdd": STORAGE_TYPE}
"""**Source**: `hdd` is an alias, but is being deprecated."""


# ------------------------------------------------------------------------------------------------------ balance and use


async def balance(call: Call) -> Response:
    """Bare object."""
    return wire.JsonAnswer(_balance(await billing.balance(call.cloud, call.account.name)) | {"credit_limit": None})


def _balance(units: int) -> dict[str, Any]:
    return {"balance": money_text(units), "currency": CURRENCY}


async def current_usage(call: Call) -> Response:
    """Bare object."""
    found = await billing.standing(call.cloud, call.account.name)
    usage = {
        name: {
            "burst": use.burst // RESOURCES[name].scale,
            "subscribed": use.subscribed,
            "using": use.using // RESOURCES[name].scale,
        }
        for name, use in found.uses.items()
    }
    return wire.JsonAnswer({"balance": _balance(found.balance), "usage": usage})


# --------------------------------------------------------------------------------------------------------------- prices

PRICING = Description(
    read_only={
        "currency": "string",
        "id": "string",
        "level": "integer",
        "multiplier": "integer",
        "price": "decimal",
        "resource": "string",
        "unit": "string",
    },
    filters={"level": ("exact",), "resource": ("exact",), "currency": ("exact",)},
    list_methods=("get",),
    detail_methods=(),
)


async def pricing(call: Call) -> Response:
    """All prices, and the burst levels: those that apply now, and those that do from the next five minutes on."""
    current, following = await billing.levels_now(call.cloud)
    prices = [
        {
            "currency": CURRENCY,
            "id": str(place * 100 + level),
            "level": level,
            "multiplier": RESOURCES[name].multiplier,
            "price": f"{price_of(name, level):.20f}",
            "resource": name,
            "unit": RESOURCES[name].unit,
        }
        for place, name in enumerate(RESOURCES, 1)
        for level in sorted(PRICES[name])
    ]

    async def load(offset: int, limit: int | None) -> query.Loaded[dict[str, Any]]:
        return query.Loaded(prices[offset : None if limit is None else offset + limit], len(prices), dict)

    page = await query.page(call, PRICING, load, is_detailed=True)
    return wire.JsonAnswer({**page, "current": current, "next": following})


_DISCOUNT = Description(read_only={"period": "string", "value": "decimal"}, list_methods=("get",), detail_methods=())


async def discounts(call: Call) -> Response:
    found = [{"period": period, "value": f"{percent / 100:.10f}"} for period, _, percent in DISCOUNTS]
    return await query.page_of(call, _DISCOUNT, found)


_LICENSE = Description(
    read_only={
        "burstable": "boolean",
        "long_name": "string",
        "name": "string",
        "resource_uri": "string",
        "type": "string",
        "user_metric": "string",
    },
    list_methods=("get",),
    detail_methods=(),
)


async def licenses(call: Call) -> Response:
    return await query.page_of(call, _LICENSE, [])


# --------------------------------------------------------------------------------------------------------------- ledger

_LEDGER = Description(
    read_only={
        "amount": "decimal",
        "billing_cycle": "integer",
        "end": "decimal",
        "human_interval": "string",
        "id": "string",
        "initial": "decimal",
        "interval": "integer",
        "poll_time": "datetime",
        "reason": "string",
        "resource_amount": "decimal",
        "time": "datetime",
    },
    filters={"time": ("exact", "gt", "gte", "lt", "lte"), "billing_cycle": ("exact",)},
    ordering=("time",),
    list_methods=("get",),
    detail_methods=(),
)


async def ledger(call: Call) -> Response:
    """The newest first. A page costs what is in it, wherever it is."""
    window = Window.of(call)
    since, before = _stretch(call)
    found = await billing.ledger(
        call.cloud,
        call.account.name,
        offset=window.offset,
        limit=min(window.limit or LEDGER_ROWS_MAX, LEDGER_ROWS_MAX),
        since=since,
        before=before,
    )
    objects = [_ledger_row(row) for row in found.rows]
    shown = [only_fields(each, window.fields) for each in objects] if window.fields else objects
    return wire.JsonAnswer(window.envelope(shown, found.total))


def _stretch(call: Call) -> tuple[int | None, int | None]:
    """From which microsecond on, and before which. Raises Invalid."""
    since, before = [], []
    if call.word("billing_cycle") is not None:
        end = (call.number("billing_cycle", 0) + 1) * TICK
        since.append(end)
        before.append(end + 1)
    for how, to, more in (("gt", since, 1), ("gte", since, 0), ("lt", before, 0), ("lte", before, 1)):
        if (text := call.word(f"time__{how}")) is not None:
            to.append(_moment(f"time__{how}", text) + more)
    if (text := call.word("time")) is not None:
        since.append(_moment("time", text))
        before.append(_moment("time", text) + 1)
    return max(since, default=None), min(before, default=None)


def _moment(name: str, text: str) -> int:
    """Raises Invalid."""
    try:
        # A plus sign that was not encoded arrives as a space.
        at = datetime.fromisoformat(text.strip().replace(" 00:00", "+00:00"))
        return microseconds_of(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as problem:
        raise Invalid(name, "Enter a date, or a date and time, as ISO 8601 writes them.") from problem


def _ledger_row(row: Row) -> dict[str, Any]:
    run, at = row.run, _instant_text(row.at)
    return {
        "amount": money_text(row.amount),
        "billing_cycle": None if run is None else row.at // TICK - 1,
        "end": money_text(row.end),
        "human_interval": None if run is None else human_interval(run),
        "id": row.id,
        "initial": money_text(row.initial),
        "interval": None if run is None else run.active // MICROSECONDS,
        "poll_time": at if run is None else _instant_text(row.at - TICK),
        "reason": row.reason,
        "resource_amount": "1" if run is None else str(average(run)),
        "time": at,
    }


def _instant_text(at: int) -> str:
    """`2014-06-05T09:06:06.713945+00:00`."""
    return instant_of(at).isoformat(timespec="microseconds")


# ---------------------------------------------------------------------------------------------------------- burst usage

_BURST_USAGE = Description(
    read_only={"amount": "decimal", "resource_type": "string", "usage": "integer", "uuid": "string"},
    filters={"date": ("exact", "gt", "gte", "lt", "lte")},
    list_methods=("get",),
    detail_methods=(),
)
_DAILY = Description(
    read_only={"amount": "decimal", "date": "string", "resource_type": "string", "usage": "integer"},
    filters=_BURST_USAGE.filters,
    list_methods=("get",),
    detail_methods=(),
)
_USAGE = Description(
    read_only={"amount": "integer", "poll_time": "datetime", "resource": "string", "uuid": "string"},
    filters={"poll_time": ("gt", "lt")},
    list_methods=("get",),
    detail_methods=(),
)
_DAY = timedelta(days=1)


def _days(call: Call) -> tuple[datetime, datetime]:
    """From which instant on, and before which; the last 30 days where nothing is said. Raises Invalid.

    Source: a date is its first instant, so `lt` a day does not include it, and `gt` does.
    """
    since, before = [], []
    if (text := call.word("date")) is not None:
        since.append(_moment("date", text))
        before.append(_moment("date", text) + 86_400 * MICROSECONDS)
    for how, to in (("gt", since), ("gte", since), ("lt", before), ("lte", before)):
        if (text := call.word(f"date__{how}")) is not None:
            to.append(_moment(f"date__{how}", text) + (86_400 * MICROSECONDS if how == "lte" else 0))
    now = call.cloud.clock.now()
    end = instant_of(min(before)) if before else now
    begin = instant_of(max(since)) if since else min(end, now) - 30 * _DAY
    return begin, min(end, now)


async def burst_usage(call: Call) -> Response:
    """What each resource cost in all, and how much of it there was: the sum of its rows in the ledger."""
    begin, end = _days(call)
    found = await billing.burst_by_day(call.cloud, call.account.name, begin, end)
    totals: dict[str, tuple[int, int]] = {}
    for (_, name), (cost, used) in found.items():
        before = totals.get(name, (0, 0))
        totals[name] = (before[0] + cost, before[1] + used)
    rows = [
        {
            "amount": money_text(cost),
            "resource_type": name,
            "usage": used,
            "uuid": _uuid(call, f"burst/{name}/{begin.isoformat()}/{end.isoformat()}"),
        }
        for name, (cost, used) in totals.items()
    ]
    return await _unfiltered(call, rows)


async def daily_burst_usage(call: Call) -> Response:
    """The newest day first."""
    found = await billing.burst_by_day(call.cloud, call.account.name, *_days(call))
    rows = [
        {"amount": money_text(cost), "date": day, "resource_type": name, "usage": used}
        for (day, name), (cost, used) in sorted(found.items(), reverse=True)
    ]
    return await _unfiltered(call, rows)


async def usage(call: Call) -> Response:
    """What was in use at the beginning of each five minutes, the newest first; of the last day unless it is said."""
    now = microseconds_of(call.cloud.clock.now())
    since, before = call.word("poll_time__gt") or call.word("poll_time_gt"), call.word("poll_time__lt")
    before = before or call.word("poll_time_lt")
    end = min(now, _moment("poll_time__lt", before)) if before is not None else now
    begin = _moment("poll_time__gt", since) + 1 if since is not None else end - 86_400 * MICROSECONDS
    if end - begin > USAGE_DAYS_MAX * 86_400 * MICROSECONDS:
        raise Invalid("poll_time__gt", f"may be at most {USAGE_DAYS_MAX} days before the end")
    found = await billing.use_at_ticks(call.cloud, call.account.name, begin, end)
    rows = [
        {
            "amount": amount // RESOURCES[name].scale,
            "poll_time": _instant_text(at),
            "resource": name,
            "uuid": _uuid(call, f"usage/{name}/{at}"),
        }
        for at, name, amount in reversed(found)
    ]
    return await _unfiltered(call, rows)


async def _unfiltered(call: Call, rows: Sequence[dict[str, Any]]) -> Response:
    """A window of what is filtered already."""
    window = Window.of(call)
    shown = window.cut(rows)
    objects = [only_fields(each, window.fields) for each in shown] if window.fields else list(shown)
    return wire.JsonAnswer(window.envelope(objects, len(rows)))


def _uuid(call: Call, what: str) -> str:
    return str(uuid5(UUID(call.cloud.store.cloud_id), f"{call.account.id}/{what}"))


# -------------------------------------------------------------------------------------------------------- subscriptions


def _aware(value: Any) -> Any:
    """Without an offset it is UTC. **Source**: "All times are in UTC"."""
    if not isinstance(value, str):
        raise ValueError("Enter a date and time as ISO 8601 writes them.")
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise ValueError("Enter a date and time as ISO 8601 writes them.") from problem


_Moment = Annotated[AwareDatetime, BeforeValidator(_aware)]


class SubscriptionSent(Sent):
    resource: Annotated[StrictStr, Field(min_length=1, max_length=40)]
    amount: Whole
    period: Annotated[StrictStr, Field(max_length=100)] | None = None
    start_time: _Moment | None = None
    end_time: _Moment | None = None
    auto_renew: StrictBool = False

    def asked(self) -> Asked:
        name = _RESOURCE_NAMES.get(self.resource, self.resource)
        return Asked(name, self.amount, self.period, self.start_time, self.end_time, self.auto_renew)


class ExtensionSent(Sent):
    period: Annotated[StrictStr, Field(max_length=100)] | None = None


class RenewalSent(Sent):
    auto_renew: StrictBool | None = None


SUBSCRIPTIONS = Description(
    sent=SubscriptionSent,
    read_only={
        "descendants": "list",
        "discount_amount": "decimal",
        "discount_percent": "decimal",
        "id": "string",
        "price": "decimal",
        "remaining": "decimal",
        "resource_uri": "string",
        "status": "string",
        "subscribed_object": "string",
        "uuid": "string",
    },
    filters={"status": ("exact",), "resource": ("exact",)},
    ordering=("id", "end_time"),
    list_methods=("get", "post"),
    detail_methods=("get",),
)
_STATUSES = ("active", "inactive", "expired", "all", "notexpired")


def _detail(found: Subscription, chain: Sequence[int], now: int) -> dict[str, Any]:
    terms = found.terms_until(now)
    begins, ends = instant_of(terms[0].begins_at), instant_of(terms[-1].ends_at)
    offered = Offer(found.resource, found.amount, found.period, begins, ends, terms[-1].price, found.renews)
    return {
        **_offer(offered),
        "descendants": [f"{PREFIX}/subscriptions/{number}/" for number in chain],
        "id": str(found.number),
        "period": _length(terms[-1]),
        "resource_uri": f"{PREFIX}/subscriptions/{found.number}/",
        "status": found.status(now),
        "uuid": found.id,
    }


def _length(term: Term) -> str:
    """`31 days, 1:31:53.888650`."""
    length = instant_of(term.ends_at) - instant_of(term.begins_at)
    return f"{length.days} days, {length - length.days * _DAY}"


def _offer(found: Offer) -> dict[str, Any]:
    return {
        "amount": str(found.amount),
        "auto_renew": found.renews,
        "descendants": [],
        "discount_amount": None,
        "discount_percent": None,
        "end_time": found.ends.isoformat(timespec="microseconds"),
        "id": None,
        "period": f"{(found.ends - found.begins).days} days, {(found.ends - found.begins) % _DAY}",
        "price": money_text(found.price),
        "remaining": str(found.amount),
        "resource": found.resource,
        "resource_uri": None,
        "start_time": found.begins.isoformat(timespec="microseconds"),
        "status": None,
        "subscribed_object": None,
        "uuid": None,
    }


async def _details(call: Call, wanted: Sequence[Subscription] | None = None) -> list[dict[str, Any]]:
    every = await subscriptions.list_subscriptions(call.cloud, call.account)
    chains: Mapping[int, Sequence[int]] = subscriptions.children(every)
    now = microseconds_of(call.cloud.clock.now())
    return [_detail(each, chains.get(each.number, ()), now) for each in (every if wanted is None else wanted)]


async def list_subscriptions(call: Call) -> Response:
    """Source: `status` is one of active, inactive, expired, all, notexpired; `resource` a list with commas."""
    window = Window.of(call)
    status = call.word("status") or "all"
    if status not in _STATUSES:
        raise Invalid("status", f"must be one of {', '.join(_STATUSES)}")
    names = {_RESOURCE_NAMES.get(name, name) for name in wire.comma_list(call.word("resource"))}
    found = [
        each
        for each in await _details(call)
        if status in ("all", each["status"]) or (status == "notexpired" and each["status"] != "expired")
    ]
    found = [each for each in found if not names or each["resource"] in names]
    shown = window.cut(found)
    objects = [only_fields(each, window.fields) for each in shown] if window.fields else list(shown)
    return wire.JsonAnswer(window.envelope(objects, len(found)))


def _number(call: Call) -> int:
    """Raises NotFound."""
    text = call.uuid
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise NotFound("subscription", text)
    return int(text)


async def get_subscription(call: Call) -> Response:
    found = await subscriptions.get_subscription(call.cloud, call.account, _number(call))
    return query.one(call, (await _details(call, [found]))[0])


async def _asked(call: Call) -> list[Asked]:
    return [wire.validated(SubscriptionSent, each).asked() for each in bodies.objects_of(await call.content())]


async def buy(call: Call) -> Response:
    """201 with the objects, and what they cost together. All or none."""
    return await _bought(call, await subscriptions.buy(call.cloud, call.account, await _asked(call)), 201)


async def _bought(call: Call, found: Sequence[Subscription], status: int) -> Response:
    price = sum(each.terms[0].price for each in found)
    objects = await _details(call, found)
    headers = {"Location": objects[0]["resource_uri"]} if status == 201 else {}
    return wire.JsonAnswer({"objects": objects, "price": money_text(price)}, status, headers)


async def calculate(call: Call) -> Response:
    """The same, and buys nothing."""
    found = subscriptions.offers(call.cloud, await _asked(call))
    price = money_text(sum(each.price for each in found))
    return wire.JsonAnswer({"objects": [_offer(each) for each in found], "price": price})


async def act(call: Call) -> Response:
    """`extend` and `auto_renew`: 200."""
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    match call.word("do"):
        case "extend":
            sent = wire.validated(ExtensionSent, content)
            found = await subscriptions.extend(call.cloud, call.account, _number(call), period=sent.period)
            return await _bought(call, found, 200)
        case "auto_renew":
            renews = wire.validated(RenewalSent, content).auto_renew
            changed = await subscriptions.set_renewal(call.cloud, call.account, _number(call), renews)
            return wire.JsonAnswer((await _details(call, [changed]))[0])
        case _:
            raise Invalid("do", "must be one of extend, auto_renew")


_BALANCE = Description(
    read_only={"balance": "decimal", "credit_limit": "decimal", "currency": "string"},
    list_methods=("get",),
    detail_methods=(),
)
_CURRENT_USAGE = Description(read_only={"balance": "dict", "usage": "dict"}, list_methods=("get",), detail_methods=())

PATHS = (
    Path("/balance", {"GET": balance}),
    Path("/currentusage", {"GET": current_usage}),
    Path("/pricing", {"GET": pricing}),
    Path("/discount", {"GET": discounts}),
    Path("/licenses", {"GET": licenses}),
    Path("/ledger", {"GET": ledger}),
    Path("/burstusage", {"GET": burst_usage}),
    Path("/dailyburstusage", {"GET": daily_burst_usage}),
    Path("/usage", {"GET": usage}),
    *(
        Path(f"/{name}/schema", {"GET": schema.handler(description)})
        for name, description in (
            ("balance", _BALANCE),
            ("currentusage", _CURRENT_USAGE),
            ("pricing", PRICING),
            ("discount", _DISCOUNT),
            ("licenses", _LICENSE),
            ("ledger", _LEDGER),
            ("burstusage", _BURST_USAGE),
            ("dailyburstusage", _DAILY),
            ("usage", _USAGE),
            ("subscriptions", SUBSCRIPTIONS),
            ("subscriptioncalculator", SUBSCRIPTIONS),
        )
    ),
    Path("/subscriptions", {"GET": list_subscriptions, "POST": buy}),
    Path("/subscriptions/{uuid}", {"GET": get_subscription}),
    Path("/subscriptions/{uuid}/action", {"POST": act}),
    Path("/subscriptioncalculator", {"POST": calculate}),
)
