"""The answer of `/ops/v1/billing` as records."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from console.records_billing import BackfilledRecord, Billing, BillingLine, BillingOwner, LevelHistory
from console.wire import Body, instant, many


def billing(body: Body) -> Billing:
    return Billing(
        currency=body["currency"],
        lines=many(_line, body["lines"]),
        burst_per_hour=Decimal(body["burst_per_hour"]),
        backfilling_per_hour=Decimal(body["backfilling_per_hour"]),
        at_normal_price_per_hour=Decimal(body["backfilling_at_normal_price_per_hour"]),
        charged_this_month=Decimal(body["charged_this_month"]),
        projected_this_month=Decimal(body["projected_this_month"]),
        month_ends_at=instant(body.get("month_ends_at")),
        owners=many(_owner, body["owners"]),
        history=many(_history, body["history"]),
        servers=many(_backfilled, body["servers"]),
        by_owner=many(_backfilled, body["by_owner"]),
    )


def _line(row: Body) -> BillingLine:
    return BillingLine(
        resource=row["resource"],
        using=row["using"],
        burst=row["burst"],
        price=Decimal(row["price"]),
        cost_per_hour=Decimal(row["cost_per_hour"]),
        unit=row["unit"],
        subscribed=row.get("subscribed"),
        level=row["level"],
        next_level=row["next_level"],
    )


def _owner(row: Body) -> BillingOwner:
    return BillingOwner(
        account=row["account"],
        balance=Decimal(row["balance"]),
        normal_per_hour=Decimal(row["normal_per_hour"]),
        backfilling_per_hour=Decimal(row["backfilling_per_hour"]),
        charged_this_month=Decimal(row["charged_this_month"]),
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


def _backfilled(row: Body) -> BackfilledRecord:
    return BackfilledRecord(
        owner=row["owner"],
        paid=Decimal(row["paid"]),
        saved=Decimal(row["saved"]),
        not_billed=Decimal(row["not_billed"]),
        stops=row["stops"],
        lost=Decimal(row["lost"]),
        server_id=row.get("server_id"),
        name=row.get("name"),
    )
