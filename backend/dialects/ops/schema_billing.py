"""The shapes of what `/ops/v1` says of money. Amounts of money are texts with 20 decimal places."""

from __future__ import annotations

from collections.abc import Sequence

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict


class BillingLine(TypedDict):
    """One resource. Amounts are in its base units: MHz, bytes, pieces; of traffic bytes a second.

    `subscribed` is null where there can be no subscription. `burst` is what each account uses beyond its own.
    """

    resource: str
    unit: str
    using: int
    subscribed: int | None
    burst: int
    level: int
    next_level: int
    price: str
    cost_per_hour: str


class BillingOwner(TypedDict):
    """`lasts_seconds` is how long the balance lasts at this rate; null where it never ends.

    Only where `is_finite` is the account held to it: of any other it never ends, nor where nothing is burnt.
    """

    account: str
    balance: str
    is_finite: bool
    normal_per_hour: str
    backfilling_per_hour: str
    charged_this_month: str
    lasts_seconds: int | None


class BurstLevel(TypedDict):
    at: str
    level: int


class LevelHistory(TypedDict):
    """Of what a level follows, `cpu` or `mem`: from when on it was which, the first a day ago."""

    follows: str
    levels: Sequence[BurstLevel]
    next_level: int
    next_at: str


class LedgerRow(TypedDict):
    """`amount` below zero was paid to the account. `kind` is burst, payment, subscription or correction.

    `resource` and what follows it are null for what is no burst. Rows never change once they were told.
    """

    id: str
    at: str
    resource: str | None
    used: int | None
    seconds: int | None
    level: int | None
    kind: str
    reason: str
    amount: str
    balance: str | None


class CostRow(TypedDict):
    """What one server came to this month at burst prices, and costs an hour now; its drives are billed apart.

    Of a normal server that is without the subscriptions of its account. `saved` is what the same would have cost more
    as a normal server, `not_billed` what shrinking took away and was not paid for, `lost` what was paid for runs that
    ended with a stop for room or with their host, `net` is `saved` less that.
    """

    server_id: str
    name: str | None
    owner: str
    is_backfilling: bool
    per_hour: str
    this_month: str
    paid: str
    saved: str
    not_billed: str
    stops: int
    lost: str
    net: str


class BackfilledRow(TypedDict):
    """What backfilling came to this month for all of an owner's servers; see CostRow."""

    owner: str
    paid: str
    saved: str
    not_billed: str
    stops: int
    lost: str
    net: str


class SilentCell(TypedDict):
    """A cell that does not answer, since when (wall time).

    Its servers are billed by what was last known of them. When it tells what really was, no row that was told changes:
    what they were wrong by is a correction, a row of its own.
    """

    cell: str
    since: str


class SubscriptionRow(TypedDict):
    """One subscription; `status` is active, inactive or expired. Amounts are in the resource's base units."""

    id: str
    resource: str
    amount: int
    unit: str
    status: str
    begins_at: str
    ends_at: str
    renews: bool
    price: str


class SubscriptionOffer(TypedDict):
    """What a subscription would be, and cost; `percent_off` is how much cheaper it is for its length."""

    resource: str
    amount: int
    begins_at: str
    ends_at: str
    renews: bool
    price: str
    percent_off: int


class SubscriptionsBought(TypedDict):
    """Of what is sold piece by piece each is a subscription of its own."""

    account: str
    subscriptions: Sequence[SubscriptionRow]


class SubscriptionList(TypedDict):
    """Those that end last first."""

    account: str
    subscriptions: Sequence[SubscriptionRow]


class ShortAccount(TypedDict):
    """An account that is held to a balance, and has none left, or less than five days of what it burns."""

    account: str
    balance: str
    lasts_seconds: int | None
    below_since: str | None
    """When the balance fell below nothing; null where it is not."""


class BillingSummary(TypedDict):
    """Of one account, or of all. `newest` are the rows of the last five minutes that are over, of one account only.

    `servers` are those that came to most this month, 2,000 at most, of `servers_total`.
    """

    at: str
    account: str | None
    currency: str
    lines: Sequence[BillingLine]
    burst_per_hour: str
    backfilling_per_hour: str
    backfilling_at_normal_price_per_hour: str
    owners: Sequence[BillingOwner]
    history: Sequence[LevelHistory]
    newest: Sequence[LedgerRow]
    month_began_at: str
    month_ends_at: str
    charged_this_month: str
    projected_this_month: str
    servers: Sequence[CostRow]
    servers_total: int
    by_owner: Sequence[BackfilledRow]
    silent: Sequence[SilentCell]


class LedgerPage(TypedDict):
    """The newest first. `before` is what to ask for next; null on the last page."""

    account: str
    rows: Sequence[LedgerRow]
    total: int
    before: str | None


class AccountBalance(TypedDict):
    name: str
    balance: str
    is_finite: bool
