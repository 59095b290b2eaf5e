"""The answer of `/ops/v1/billing` as records."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from console.records_billing import (
    Billing,
    BillingLine,
    BillingOwner,
    CostRecord,
    LedgerRecord,
    LevelHistory,
    SubscriptionOffer,
    SubscriptionRecord,
)
from console.wire import Body, amount, instant, many


def billing(body: Body) -> Billing:
    return Billing(
        currency=body["currency"],
        lines=many(_line, body["lines"]),
        burst_per_hour=amount(body["burst_per_hour"]),
        backfilling_per_hour=amount(body["backfilling_per_hour"]),
        at_normal_price_per_hour=amount(body["backfilling_at_normal_price_per_hour"]),
        charged_this_month=amount(body["charged_this_month"]),
        projected_this_month=amount(body["projected_this_month"]),
        month_ends_at=instant(body.get("month_ends_at")),
        owners=many(_owner, body["owners"]),
        history=many(_history, body["history"]),
        servers=many(cost, body["servers"]),
        servers_total=body["servers_total"],
        by_owner=many(cost, body["by_owner"]),
        silent=tuple(each["cell"] for each in body["silent"]),
    )


def _line(row: Body) -> BillingLine:
    return BillingLine(
        resource=row["resource"],
        using=row["using"],
        burst=row["burst"],
        price=amount(row["price"]),
        cost_per_hour=amount(row["cost_per_hour"]),
        unit=row["unit"],
        subscribed=row.get("subscribed"),
        level=row["level"],
        next_level=row["next_level"],
    )


def _owner(row: Body) -> BillingOwner:
    return BillingOwner(
        account=row["account"],
        balance=amount(row["balance"]),
        normal_per_hour=amount(row["normal_per_hour"]),
        backfilling_per_hour=amount(row["backfilling_per_hour"]),
        charged_this_month=amount(row["charged_this_month"]),
        is_finite=row["is_finite"],
        lasts_seconds=row.get("lasts_seconds"),
    )


def _history(row: Body) -> LevelHistory:
    levels: list[tuple[datetime, int]] = []
    for each in row["levels"]:
        at = instant(each["at"])
        if at is not None:
            levels.append((at, each["level"]))
    return LevelHistory(row["follows"], tuple(levels), row["next_level"], instant(row.get("next_at")))


def cost(row: Body) -> CostRecord:
    """Of one server, or of all of an owner's."""
    return CostRecord(
        owner=row["owner"],
        paid=amount(row["paid"]),
        saved=amount(row["saved"]),
        not_billed=amount(row["not_billed"]),
        stops=row["stops"],
        lost=amount(row["lost"]),
        net=amount(row["net"]),
        server_id=row.get("server_id"),
        name=row.get("name"),
        is_backfilling=row.get("is_backfilling", True),
        per_hour=amount(row.get("per_hour", "0")),
        this_month=amount(row.get("this_month", "0")),
    )


def subscriptions(body: Body) -> tuple[SubscriptionRecord, ...]:
    return many(_subscription, body["subscriptions"])


def offer(body: Body) -> SubscriptionOffer:
    return SubscriptionOffer(
        body["resource"],
        body["amount"],
        amount(body["price"]),
        renews=body["renews"],
        percent_off=body["percent_off"],
        ends_at=instant(body.get("ends_at")),
    )


def ledger(body: Body) -> tuple[tuple[LedgerRecord, ...], int]:
    """A page, and how many rows there are in all."""
    return many(_ledger_row, body["rows"]), body["total"]


def _subscription(row: Body) -> SubscriptionRecord:
    return SubscriptionRecord(
        id=row["id"],
        resource=row["resource"],
        amount=row["amount"],
        status=row["status"],
        renews=row["renews"],
        price=amount(row["price"]),
        begins_at=instant(row.get("begins_at")),
        ends_at=instant(row.get("ends_at")),
    )


def _ledger_row(row: Body) -> LedgerRecord:
    balance = row.get("balance")
    return LedgerRecord(
        kind=row["kind"],
        reason=row["reason"],
        amount=amount(row["amount"]),
        balance=None if balance is None else amount(balance),
        at=instant(row.get("at")),
    )


def given(body: Body) -> Decimal:
    """The balance that an account has been given."""
    return amount(body["balance"])
