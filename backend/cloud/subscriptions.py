"""Subscriptions: what is bought beforehand, for how long, and what it covers.

**Source**: CloudSigma API 2.0, "Subscriptions". An end is rounded to the next noon UTC, a start to the noon before it
but no earlier than now. `extend` buys another subscription behind the last of the chain. One that was bought until an
end is extended, and renewed, by as many days as it had; one that was bought for a period by that, reckoned anew.

A subscription that renews itself is bought again at each end, for the same period, for ever: that is a function of what
was bought and of the time, so nothing is written when it happens. What has happened is written down when somebody
changes it. Simplified: the published API makes a new subscription of every renewal; here it is the same one, whose end
moves. Traffic, which it sells by the byte, is not sold. IPs and VLANs are not made by buying them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from backend.cloud.errors import Invalid
from backend.cloud.instants import instant_of, microseconds_of
from backend.cloud.prices import discount_percent, full_price, is_sold, months_later, subscription_price

Status = Literal["active", "inactive", "expired"]
SUBSCRIPTIONS_AT_ONCE_MAX = 500
"""**Source**: CloudSigma API 2.0, "Subscriptions": in one request."""
AMOUNTS_MAX = {
    **dict.fromkeys(("cpu", "intel_cpu"), 100_000_000),
    **dict.fromkeys(("mem", "intel_mem"), 2**50),
    "dssd": 2**55,
    **dict.fromkeys(("ip", "vlan"), SUBSCRIPTIONS_AT_ONCE_MAX),
}
"""In base units: 100,000 GHz, a pebibyte, 32 of them. More than any cloud has; what is asked for is a slip."""
YEARS_MAX = 10
SOLD_SINGLY = frozenset({"ip", "vlan"})
"""**Source**: "Creating": an amount bigger than one generates several subscriptions of that type."""

_PART = re.compile(r"(\d{1,20})\s*(day|week|month|year)s?", re.ASCII)
_LENGTH = re.compile(r"(\d{1,20}) days?, (\d{1,2}):(\d\d):(\d\d)(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Term:
    """What was bought once."""

    bought_at: int
    begins_at: int
    ends_at: int
    price: int
    """In 10**-20 dollars."""
    place: int = 0
    """Among what was paid and bought: in which order it was written. 0 of one that came by itself."""


@dataclass(frozen=True, slots=True)
class Subscription:
    number: int
    id: str
    account: str
    resource: str
    amount: int
    """In base units."""
    period: str
    """As it was asked for; empty where an end was."""
    renews: bool
    parent: int | None
    """The number of what it extends."""
    terms: tuple[Term, ...]
    """What is written down of it: one or more, each behind the one before it."""

    def terms_until(self, now: int) -> tuple[Term, ...]:
        """With the renewals that have happened since."""
        terms = list(self.terms)
        while self.renews and terms[-1].ends_at <= now:
            terms.append(renewed(self, terms[-1]))
        return tuple(terms)

    def status(self, now: int) -> Status:
        terms = self.terms_until(now)
        if now < terms[0].begins_at:
            return "inactive"
        return "active" if now < terms[-1].ends_at else "expired"


def renewed(subscription: Subscription, last: Term) -> Term:
    """The term behind the last one: its period again, or as long as the first."""
    begins = instant_of(last.ends_at)
    first = subscription.terms[0]
    ends = end_of(begins, subscription.period) if subscription.period else next_noon(begins + days_of(first))
    price = subscription_price(subscription.resource, subscription.amount, begins, ends)
    return Term(last.ends_at, last.ends_at, microseconds_of(ends), price)


def days_of(term: Term) -> timedelta:
    """How long it was, in days: from the day on which it began to that on which it ended, one at least."""
    return max(timedelta(days=1), instant_of(term.ends_at).date() - instant_of(term.begins_at).date())


def covered(subscriptions: Iterable[Subscription], now: int) -> dict[str, list[tuple[int, int]]]:
    """How much of each resource is subscribed from when on, as far as it is known at `now`."""
    changes: dict[str, dict[int, int]] = {}
    for subscription in subscriptions:
        found = changes.setdefault(subscription.resource, {})
        for term in subscription.terms_until(now):
            found[term.begins_at] = found.get(term.begins_at, 0) + subscription.amount
            found[term.ends_at] = found.get(term.ends_at, 0) - subscription.amount
    series: dict[str, list[tuple[int, int]]] = {}
    for resource, each in changes.items():
        total = 0
        for at in sorted(each):
            if each[at]:
                total += each[at]
                series.setdefault(resource, []).append((at, total))
    return series


# --- what is asked for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription that somebody wants."""

    resource: str
    amount: int
    period: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What it would be."""

    resource: str
    amount: int
    period: str
    begins: datetime
    ends: datetime
    price: int
    renews: bool

    @property
    def percent_off(self) -> int:
        """How much cheaper it is for its length."""
        return discount_percent(self.begins, self.ends)

    @property
    def money_off(self) -> int:
        """In 10**-20 dollars."""
        return full_price(self.resource, self.amount, self.begins, self.ends) - self.price


def offer(asked: Asked, now: datetime, *, earliest: datetime | None = None) -> Offer:
    """What is offered for what is asked.

    Args:
        earliest: Where an extension begins, which has no start of its own.

    Raises:
        Invalid: `resource`, `amount`, `period`, `start_time` or `end_time`, and why.
    """
    if not is_sold(asked.resource):
        raise Invalid("resource", f"there are no subscriptions of {asked.resource[:40]}")
    if not 0 < asked.amount <= AMOUNTS_MAX[asked.resource]:
        raise Invalid("amount", f"must be between 1 and {AMOUNTS_MAX[asked.resource]}")
    begins, ends = _times(asked, now, earliest)
    if ends <= begins:
        raise Invalid("end_time", f"must be after the start, {begins:%Y-%m-%d %H:%M} UTC")
    if ends <= now:
        raise Invalid("end_time", "is past")
    if ends > months_later(now, 12 * YEARS_MAX):
        raise Invalid("end_time", f"must be within {YEARS_MAX} years")
    price = subscription_price(asked.resource, asked.amount, begins, ends)
    return Offer(asked.resource, asked.amount, asked.period or "", begins, ends, price, asked.renews)


def _times(asked: Asked, now: datetime, earliest: datetime | None) -> tuple[datetime, datetime]:
    """**Source**: CloudSigma API 2.0, "Subscription duration": two of the three at most."""
    start, end, period = asked.start, asked.end, asked.period
    if start is not None and end is not None and period is not None:
        raise Invalid("period", "is ambiguous beside start_time and end_time")
    if end is None and period is None:
        raise Invalid("period", "say a period or an end_time")
    if earliest is not None and end is not None and period is not None:
        raise Invalid("period", "is ambiguous beside end_time: it begins where the one before it ends")
    if earliest is not None:
        return earliest, next_noon(end) if end is not None else end_of(earliest, str(period))
    if end is not None and start is None and period is not None:
        start = _before(end, period)
    begins = now if start is None else max(now, previous_noon(start))
    return begins, next_noon(end) if end is not None else end_of(begins if start is None else start, str(period))


def end_of(start: datetime, period: str) -> datetime:
    """`2 months 1 week`, or `365 days, 0:00:00`, from the start; the next noon. Raises Invalid."""
    months, length = _parsed(period)
    try:
        return next_noon(months_later(start, months) + length)
    except (OverflowError, ValueError) as problem:
        raise Invalid("period", _TOO_LONG) from problem


def _before(end: datetime, period: str) -> datetime:
    months, length = _parsed(period)
    try:
        return months_later(end - length, -months)
    except (OverflowError, ValueError) as problem:
        raise Invalid("period", _TOO_LONG) from problem


_TOO_LONG = f"must be at least a day and at most {YEARS_MAX} years"


def _parsed(period: str) -> tuple[int, timedelta]:
    text = period.strip().lower()
    if found := _LENGTH.fullmatch(text):
        days, hours, minutes, seconds = map(int, found.groups())
        if days > 366 * YEARS_MAX:
            raise Invalid("period", _TOO_LONG)
        return 0, timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    months, days = 0, 0
    rest = _PART.sub(" ", text).replace(",", " ").replace("and", " ")
    parts: Sequence[tuple[str, str]] = _PART.findall(text)
    if rest.strip() or not parts:
        raise Invalid("period", f"must be like 30 days, 1 month or 1 year, not {period[:40]!r}")
    for count, noun in parts:
        number = int(count)
        if noun in ("month", "year"):
            months += number * (12 if noun == "year" else 1)
        else:
            days += number * (7 if noun == "week" else 1)
    if months > 12 * YEARS_MAX or days > 366 * YEARS_MAX or months + days == 0:
        raise Invalid("period", _TOO_LONG)
    return months, timedelta(days=days)


def next_noon(at: datetime) -> datetime:
    noon = at.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if at <= noon else noon + timedelta(days=1)


def previous_noon(at: datetime) -> datetime:
    noon = at.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if at >= noon else noon - timedelta(days=1)
