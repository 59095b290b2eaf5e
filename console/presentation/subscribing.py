"""What to subscribe for an account: what is asked, what is sent of it, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from console.presentation import figures, money
from console.presentation.creating import Field, Wrong
from console.presentation.lines import Frame, Line, Tone
from console.presentation.plan import labelled
from console.records_billing import SubscriptionOffer, SubscriptionRecord

RESOURCES = ("cpu", "mem", "dssd", "ip", "vlan", "intel_cpu", "intel_mem")
PERIODS = ("1 month", "3 months", "6 months", "1 year", "2 years", "3 years")
"""The longer, the cheaper. **Source**: CloudSigma API 2.0, "Discount"."""
AS_BEFORE = "as long as before"
AMOUNT_MAX = Decimal(10**9)
_CHOOSE = "left and right choose"
_YES = "yes"


def fields() -> tuple[Field, ...]:
    """Of a new one."""
    return (
        Field("resource", "resource", _RESOURCES.__getitem__, f"what it is of: {_CHOOSE}", tuple(_RESOURCES)),
        Field("amount", "amount", _read_amount, "a number, in the unit of the resource"),
        Field("period", "period", str, f"how long: {_CHOOSE}; the longer, the cheaper", PERIODS),
        Field("renews", "renews", _YES.__eq__, f"whether it is bought again at its end: {_CHOOSE}", ("no", _YES)),
    )


def extending_fields(found: Sequence[SubscriptionRecord], now: datetime) -> tuple[Field, ...]:
    """Of one that continues one of these."""
    ids = {f"{number}: {_words(each, now)}": each.id for number, each in enumerate(found, start=1)}
    return (
        Field("extends", "which", ids.__getitem__, f"what is continued: {_CHOOSE}", tuple(ids)),
        Field("period", "period", _read_period, f"how long: {_CHOOSE}", (AS_BEFORE, *PERIODS)),
    )


def last_of_each(found: Sequence[SubscriptionRecord]) -> tuple[SubscriptionRecord, ...]:
    """Those that can be continued."""
    return tuple(each for each in found if each.status != "expired")


def _words(each: SubscriptionRecord, now: datetime) -> str:
    until = "" if each.ends_at is None else f" until {figures.instant(each.ends_at, now)}"
    return f"{money.what_text(each.resource, each.amount)}{until}"


_RESOURCES: Mapping[str, str] = {
    f"{money.NAMES[name]}{f', in {unit}' if (unit := money.unit_of(name)) else ''}": name for name in RESOURCES
}
"""By the words that it is chosen by."""


def _read_amount(text: str) -> Decimal | Wrong:
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount <= AMOUNT_MAX:
        return Wrong(f"{text.strip() or 'nothing'} is no amount: a number such as 10 or 2.5")
    return amount


def _read_period(text: str) -> str | None:
    return None if text == AS_BEFORE else text


def sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """The amount in the base units of its resource; part of one is rounded, as it is where it is shown."""
    body = {name: value for name, value in values.items() if value is not None}
    if "amount" in body:
        body["amount"] = max(1, money.base_units(body["resource"], body["amount"]))
    return body


def lines(found: SubscriptionOffer, now: datetime, frame: Frame) -> list[Line]:
    """What it would be, and cost."""
    ends = "—" if found.ends_at is None else figures.instant(found.ends_at, now)
    off = f", {found.percent_off} % off for its length" if found.percent_off else ""
    again = "; bought again at its end, for ever" if found.renews else ""
    return [
        *labelled(frame, "WHAT", money.what_text(found.resource, found.amount)),
        *labelled(frame, "UNTIL", f"{ends}{again}"),
        *labelled(frame, "COST", f"{money.money(found.price)} at once{off}; it is not taken back", Tone.WARN),
    ]
