"""What a cloud said of money, frozen. Amounts of money are decimals in its currency; instants are the cloud's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class BillingLine(NamedTuple):
    """One resource, in its base units: MHz, bytes, pieces; of traffic bytes a second."""

    resource: str
    using: int
    burst: int
    """What is used beyond the subscriptions."""
    price: Decimal
    """Of one `unit`."""
    cost_per_hour: Decimal
    unit: str
    subscribed: int | None = None
    """None where there can be no subscription."""
    level: int = 1
    next_level: int = 1

    @property
    def is_backfilling(self) -> bool:
        return self.resource in ("bcpu", "bmem")


class BillingOwner(NamedTuple):
    """One account."""

    account: str
    balance: Decimal
    normal_per_hour: Decimal
    backfilling_per_hour: Decimal
    charged_this_month: Decimal
    is_finite: bool = False
    """Whether it is held to its balance."""
    lasts_seconds: int | None = None
    """How long the balance lasts at this rate; None where nothing is burnt."""


class LevelHistory(NamedTuple):
    """From when on it was which, oldest first."""

    follows: str
    """`cpu` or `mem`."""
    levels: tuple[tuple[datetime, int], ...]
    next_level: int
    next_at: datetime | None


class BackfilledRecord(NamedTuple):
    """What backfilling came to this month, for one server or for all of an owner's."""

    owner: str
    paid: Decimal
    saved: Decimal
    """What the same would have cost more as a normal server."""
    not_billed: Decimal
    """What shrinking took away, and was not paid for."""
    stops: int
    lost: Decimal
    """What was paid for runs that ended with a stop for room."""
    server_id: str | None = None
    name: str | None = None


class Billing(NamedTuple):
    """Of all accounts that one may see."""

    currency: str
    lines: tuple[BillingLine, ...]
    burst_per_hour: Decimal
    backfilling_per_hour: Decimal
    at_normal_price_per_hour: Decimal
    """What is backfilled now, at the normal burst price."""
    charged_this_month: Decimal
    projected_this_month: Decimal
    month_ends_at: datetime | None = None
    owners: tuple[BillingOwner, ...] = ()
    history: tuple[LevelHistory, ...] = ()
    servers: tuple[BackfilledRecord, ...] = ()
    by_owner: tuple[BackfilledRecord, ...] = ()
