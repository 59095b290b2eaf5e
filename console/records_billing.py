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
    """How long the balance lasts at this rate; None where it never ends."""


class LevelHistory(NamedTuple):
    """From when on it was which, oldest first."""

    follows: str
    """`cpu` or `mem`."""
    levels: tuple[tuple[datetime, int], ...]
    next_level: int
    next_at: datetime | None


class CostRecord(NamedTuple):
    """What one server came to this month, or all the backfilling ones of an owner: then without id and name."""

    owner: str
    paid: Decimal
    """For CPU and memory, at burst prices."""
    saved: Decimal
    """What the same would have cost more as a normal server."""
    not_billed: Decimal
    """What shrinking took away, and was not paid for."""
    stops: int
    lost: Decimal
    """What was paid for runs that ended with a stop for room, or with their host."""
    net: Decimal
    """What was saved, less what was lost."""
    server_id: str | None = None
    name: str | None = None
    is_backfilling: bool = True
    per_hour: Decimal = Decimal(0)
    """Now."""
    this_month: Decimal = Decimal(0)
    """With its traffic."""


class SubscriptionRecord(NamedTuple):
    id: str
    resource: str
    amount: int
    status: str
    renews: bool
    price: Decimal
    begins_at: datetime | None = None
    ends_at: datetime | None = None


class SubscriptionOffer(NamedTuple):
    """What a subscription would be, and cost."""

    resource: str
    amount: int
    price: Decimal
    renews: bool = False
    percent_off: int = 0
    """For its length."""
    ends_at: datetime | None = None


class LedgerRecord(NamedTuple):
    """One row; an amount below zero was paid to the account."""

    kind: str
    """`burst`, `payment`, `subscription` or `correction`."""
    reason: str
    amount: Decimal
    balance: Decimal | None
    """After it."""
    at: datetime | None = None


class AccountMoney(NamedTuple):
    """What one account bought and paid: its subscriptions, and the newest rows of its ledger first."""

    account: str
    subscriptions: tuple[SubscriptionRecord, ...]
    rows: tuple[LedgerRecord, ...]
    rows_total: int


class ShortAccount(NamedTuple):
    """An account that is held to a balance which is gone, or lasts less than five days."""

    account: str
    balance: Decimal
    lasts_seconds: int | None = None
    below_since: datetime | None = None
    """When the balance fell below nothing."""


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
    servers: tuple[CostRecord, ...] = ()
    """Those that came to most this month."""
    servers_total: int = 0
    by_owner: tuple[CostRecord, ...] = ()
    """Of their backfilling servers."""
    silent: tuple[str, ...] = ()
    """Cells that are billed by what was last known of them."""
