"""Money: balance, current usage, prices and burst levels, the ledger, burst usage, discounts, licenses.

Source: CloudSigma API 2.0, "Billing", "Burst Usage". Amounts of money are strings of 20 decimal
places. Of traffic, what is in use is bytes a second. Backfilling has the prices `bcpu` and `bmem`, which are ours:
nothing of it was published.

An account sees its own. The ledger is worked out as far as it is asked for: without a limit it ends after the newest
20,000 rows. `time__gt`, `time__gte`, `time__lt` and `time__lte` go to any place in it at once. Rows never change once
they were told, and new ones come behind all others: with `order_by=time`, the oldest first, a row keeps its offset for
ever; as it is, the newest first, what comes meanwhile moves it on. There is no `/ledger/ID/`: none was published.

What is used in a cell that does not answer is billed by what was last known of it. When it answers again, what its rows
were wrong by is a row of its own, `Correction: ...`, of the instant at which that became known; `burstusage` and
`dailyburstusage` count it on that day.

A date without an hour is midnight UTC. Of burst usage a day that is not to be passed (`lte`), or is asked for by
itself, is counted as a whole. Simplified: no image of the library is sold with a license.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from starlette.responses import Response

from backend.cloud.billing import Row, average, human_interval
from backend.cloud.errors import Invalid
from backend.cloud.instants import MICROSECONDS, instant_of, microseconds_of
from backend.cloud.prices import CURRENCY, DISCOUNTS, PRICES, RESOURCES, TICK, money_text, price_of
from backend.dialects import wire
from backend.dialects.cloudsigma import query, schema
from backend.dialects.cloudsigma.schema import Description
from backend.dialects.cloudsigma.table import Call, Path, Window, only_fields
from backend.operations import billing

LEDGER_ROWS_MAX = 20_000
USAGE_DAYS_MAX = 31


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
    """The newest first, unless it is ordered by time. A page costs what is in it, wherever it is."""
    window, order = Window.of(call), _order(call, _LEDGER)
    since, before = _stretch(call)
    found = await billing.ledger(
        call.cloud,
        call.account.name,
        offset=window.offset,
        limit=min(window.limit or LEDGER_ROWS_MAX, LEDGER_ROWS_MAX),
        since=since,
        before=before,
        is_oldest_first=bool(order) and not order[-1][1],
    )
    objects = [_ledger_row(row) for row in found.rows]
    shown = [only_fields(each, window.fields) for each in objects] if window.fields else objects
    return wire.JsonAnswer(window.envelope(shown, found.total))


def _order(call: Call, description: Description) -> Sequence[tuple[str, bool]]:
    """What is to be ordered by, and whether the largest comes first. Raises Invalid."""
    return query.Query.of(call, description).order


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
_DAY = 86_400 * MICROSECONDS
DAYS_DEFAULT = 30
"""**Source**: "Burst usage": of the last 30 days by default."""


def _days(call: Call) -> tuple[int, int]:
    """From which microsecond on, and before which; the last 30 days where nothing is said. Raises Invalid.

    Source: a date is its first instant, so `lt` a day does not include it, and `gt` does.
    """
    since, before = [], []
    if (text := call.word("date")) is not None:
        since.append(_moment("date", text))
        before.append(since[0] + _DAY)
    for how, to in (("gt", since), ("gte", since), ("lt", before), ("lte", before)):
        if (text := call.word(f"date__{how}")) is not None:
            is_day = how == "lte" and len(text.strip()) <= len("2014-10-21")
            to.append(_moment(f"date__{how}", text) + (_DAY if is_day else 0))
    end = min([*before, microseconds_of(call.cloud.clock.now())])
    return max(since, default=end - DAYS_DEFAULT * _DAY), end


async def burst_usage(call: Call) -> Response:
    """What each resource cost in all, and how much of it there was: the sum of its rows in the ledger."""
    begins, ends = _days(call)
    found = await billing.burst_by_day(call.cloud, call.account.name, begins, ends)
    totals: dict[str, tuple[int, int]] = {}
    for (_, name), (cost, used) in found.items():
        before = totals.get(name, (0, 0))
        totals[name] = (before[0] + cost, before[1] + used)
    rows = [
        {
            "amount": money_text(cost),
            "resource_type": name,
            "usage": used,
            "uuid": _uuid(call, f"burst/{name}/{begins}/{ends}"),
        }
        for name, (cost, used) in totals.items()
    ]
    return _unfiltered(call, _BURST_USAGE, rows)


async def daily_burst_usage(call: Call) -> Response:
    """The newest day first."""
    found = await billing.burst_by_day(call.cloud, call.account.name, *_days(call))
    rows = [
        {"amount": money_text(cost), "date": day, "resource_type": name, "usage": used}
        for (day, name), (cost, used) in sorted(found.items(), reverse=True)
    ]
    return _unfiltered(call, _DAILY, rows)


async def usage(call: Call) -> Response:
    """What was in use at the beginning of each five minutes, the newest first; of the last day unless it is said."""
    now = microseconds_of(call.cloud.clock.now())
    since, before = call.word("poll_time__gt") or call.word("poll_time_gt"), call.word("poll_time__lt")
    before = before or call.word("poll_time_lt")
    end = min(now, _moment("poll_time__lt", before)) if before is not None else now
    begin = _moment("poll_time__gt", since) + 1 if since is not None else end - _DAY
    if end - begin > USAGE_DAYS_MAX * _DAY:
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
    return _unfiltered(call, _USAGE, rows)


def _unfiltered(call: Call, description: Description, rows: Sequence[dict[str, Any]]) -> Response:
    """A window of what is filtered already. Raises Invalid."""
    window = Window.of(call)
    _order(call, description)
    shown = window.cut(rows)
    objects = [only_fields(each, window.fields) for each in shown] if window.fields else list(shown)
    return wire.JsonAnswer(window.envelope(objects, len(rows)))


def _uuid(call: Call, what: str) -> str:
    return str(uuid5(UUID(call.cloud.store.cloud_id), f"{call.account.id}/{what}"))


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
        )
    ),
)
