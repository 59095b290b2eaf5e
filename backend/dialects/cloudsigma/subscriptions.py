"""Subscriptions: listed, priced, bought, extended, and set to renew themselves.

Source: CloudSigma API 2.0, "Subscriptions". A date without an hour is midnight UTC. Starts and ends are rounded to noon
as published: one that is to begin on 1 December begins at noon of 30 November, and one that ends then ends at noon of 1
December. Discounts are those of `/discount/`, as texts: `discount_percent` is `25`, of none `0`.

What renews itself does so whatever the balance: nothing published says what becomes of a renewal that cannot be paid,
so the balance may fall below zero, and then nothing more is started, made or bought (402). Simplified: traffic is not
sold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, StrictBool, StrictStr
from starlette.responses import Response

from backend.cloud.errors import Invalid, NotFound
from backend.cloud.instants import instant_of, microseconds_of
from backend.cloud.prices import money_text
from backend.cloud.subscriptions import Asked, Offer, Subscription, Term
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, query, schema
from backend.dialects.cloudsigma.bodies import Sent, Whole
from backend.dialects.cloudsigma.render import PREFIX, STORAGE_TYPE
from backend.dialects.cloudsigma.schema import Description
from backend.dialects.cloudsigma.table import Call, Path, Window, only_fields
from backend.operations import subscriptions

_RESOURCE_NAMES = {"hdd": STORAGE_TYPE}
"""**Source**: `hdd` is an alias, but is being deprecated."""


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
    end_time: _Moment | None = None


class RenewalSent(Sent):
    auto_renew: StrictBool | None = None


SUBSCRIPTIONS = Description(
    sent=SubscriptionSent,
    read_only={
        "descendants": "list",
        "discount_amount": "decimal",
        "discount_percent": "decimal",
        "free_tier": "boolean",
        "id": "string",
        "price": "decimal",
        "remaining": "decimal",
        "resource_uri": "string",
        "status": "string",
        "subscribed_object": "string",
        "uuid": "string",
        "was_billed": "boolean",
    },
    filters={"status": ("exact",), "resource": ("exact",)},
    ordering=("id", "end_time"),
    list_methods=("get", "post"),
    detail_methods=("get",),
)
CALCULATOR = replace(SUBSCRIPTIONS, filters={}, ordering=(), list_methods=("post",), detail_methods=())
GROUPED = replace(SUBSCRIPTIONS, sent=None, list_methods=("get",), detail_methods=())
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
        "was_billed": True,
    }


def _length(term: Term) -> str:
    """`31 days, 1:31:53.888650`."""
    length = instant_of(term.ends_at) - instant_of(term.begins_at)
    return f"{length.days} days, {length - timedelta(days=length.days)}"


def _offer(found: Offer) -> dict[str, Any]:
    return {
        "amount": str(found.amount),
        "auto_renew": found.renews,
        "descendants": [],
        "discount_amount": _without_zeros(money_text(found.money_off)),
        "discount_percent": str(found.percent_off),
        "end_time": found.ends.isoformat(),
        "free_tier": False,
        "id": None,
        "period": f"{(found.ends - found.begins).days} days, {(found.ends - found.begins) % timedelta(days=1)}",
        "price": money_text(found.price),
        "remaining": str(found.amount),
        "resource": found.resource,
        "resource_uri": None,
        "start_time": found.begins.isoformat(),
        "status": None,
        "subscribed_object": None,
        "uuid": None,
        "was_billed": False,
    }


def _without_zeros(text: str) -> str:
    """`0` of nothing, as it is published."""
    return text.rstrip("0").rstrip(".")


async def _details(call: Call, wanted: Sequence[Subscription] | None = None) -> list[dict[str, Any]]:
    every = await subscriptions.list_subscriptions(call.cloud, call.account)
    chains: Mapping[int, Sequence[int]] = subscriptions.children(every)
    now = microseconds_of(call.cloud.clock.now())
    return [_detail(each, chains.get(each.number, ()), now) for each in (every if wanted is None else wanted)]


async def list_subscriptions(call: Call) -> Response:
    """Source: `status` is one of active, inactive, expired, all, notexpired; `resource` a list with commas."""
    return _listed(call, await _details(call))


async def list_grouped(call: Call) -> Response:
    """Source: only the first of each chain, what extends it among its `descendants`, and the end of the last of them.

    Ours: its status is that of the whole chain.
    """
    every = await subscriptions.list_subscriptions(call.cloud, call.account)
    now = microseconds_of(call.cloud.clock.now())
    found = []
    for first, others in subscriptions.grouped(every):
        detail, last = _detail(first, [each.number for each in others], now), others[-1] if others else first
        statuses = {each.status(now) for each in (first, *others)}
        status = next(each for each in ("active", "inactive", "expired") if each in statuses)
        ends = instant_of(last.terms_until(now)[-1].ends_at)
        found.append(detail | {"end_time": ends.isoformat(), "status": status})
    return _listed(call, found)


def _listed(call: Call, details: Sequence[dict[str, Any]]) -> Response:
    """Those that were asked for, in the order that was. Raises Invalid."""
    window = Window.of(call)
    status = call.word("status") or "all"
    if status not in _STATUSES:
        raise Invalid("status", f"must be one of {', '.join(_STATUSES)}")
    names = {_RESOURCE_NAMES.get(name, name) for name in wire.comma_list(call.word("resource"))}
    found = [
        each
        for each in details
        if status in ("all", each["status"]) or (status == "notexpired" and each["status"] != "expired")
    ]
    found = [each for each in found if not names or each["resource"] in names]
    for name, is_reversed in reversed(query.Query.of(call, SUBSCRIPTIONS).order):
        found.sort(key=lambda each: int(each["id"]) if name == "id" else each[name], reverse=is_reversed)
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
            found = await subscriptions.extend(
                call.cloud, call.account, _number(call), period=sent.period, end=sent.end_time
            )
            return await _bought(call, found, 200)
        case "auto_renew":
            renews = wire.validated(RenewalSent, content).auto_renew
            changed = await subscriptions.set_renewal(call.cloud, call.account, _number(call), renews)
            return wire.JsonAnswer((await _details(call, [changed]))[0])
        case _:
            raise Invalid("do", "must be one of extend, auto_renew")


PATHS = (
    *(
        Path(f"/{name}/schema", {"GET": schema.handler(description)})
        for name, description in (
            ("subscriptions", SUBSCRIPTIONS),
            ("groupedsubscriptions", GROUPED),
            ("subscriptioncalculator", CALCULATOR),
        )
    ),
    Path("/subscriptions", {"GET": list_subscriptions, "POST": buy}),
    Path("/subscriptions/{uuid}", {"GET": get_subscription}),
    Path("/subscriptions/{uuid}/action", {"POST": act}),
    Path("/groupedsubscriptions", {"GET": list_grouped}),
    Path("/subscriptioncalculator", {"POST": calculate}),
)
