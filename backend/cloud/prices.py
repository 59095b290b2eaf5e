"""What things cost: resources, their units, burst levels, discounts, and amounts of money that stay exact.

**Source**: CloudSigma API 2.0, "Billing": level 0 is the price of a subscription, burst levels start at 1 and are
calculated every five minutes from the usage of the cloud, to be applied five minutes later; price / multiplier is the
price of one base unit (MHz, byte, piece) for one second. The figures are the published samples in US dollars. Ours: the
levels between the published ones, addresses and VLANs in dollars, and all of backfilling, whose prices were never
published: `bcpu` and `bmem` cost two fifths of what the same level costs a normal server, and have no level 0, because
no subscription covers them.

Simplified: burst levels of CPU and memory follow the load; everything else has level 1 only.

Money is counted in whole units of 10**-20, the precision of the published API, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from backend.cloud.instants import MICROSECONDS, microseconds_of
from backend.cloud.model import GIB

CURRENCY = "USD"
PLACES = 20
UNIT = 10**PLACES
"""One dollar."""
TICK = 300 * MICROSECONDS
"""Five simulated minutes: what is billed at once, and how long a burst level lasts."""
LEVELS_MAX = 20
PRICE_PLACES = 4

HOUR_SECONDS = 3600
MONTH_SECONDS = 30 * 24 * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that is billed. Its amounts are in base units, so many of them for one second cost price/multiplier."""

    name: str
    unit: str
    multiplier: int
    shown: str
    """The unit of `reason`."""
    shown_of: int
    """How many base units make one of that."""
    scale: int = 1
    """Usage is counted in such parts of a base unit."""


_MHZ, _BYTES = 1000 * HOUR_SECONDS, GIB * HOUR_SECONDS
TX_SCALE = 256

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource("cpu", "GHz/hour", _MHZ, "GHz", 1000),
        Resource("mem", "GB/hour", _BYTES, "GB", GIB),
        Resource("intel_cpu", "GHz/hour", _MHZ, "GHz", 1000),
        Resource("intel_mem", "GB/hour", _BYTES, "GB", GIB),
        Resource("bcpu", "GHz/hour", _MHZ, "GHz", 1000),
        Resource("bmem", "GB/hour", _BYTES, "GB", GIB),
        Resource("dssd", "GB/month", GIB * MONTH_SECONDS, "GB", GIB),
        Resource("ip", "IP", MONTH_SECONDS, "IP", 1),
        Resource("vlan", "VLAN", MONTH_SECONDS, "VLAN", 1),
        Resource("tx", "GB", GIB, "GB", GIB, TX_SCALE),
    )
}
"""In the order in which one tick's rows stand in the ledger. Of `tx` the amount in use is bytes a second."""

BACKFILL_OF: Mapping[str, str] = {"bcpu": "cpu", "bmem": "mem"}
"""What a normal server pays for the same."""
LOAD_OF: Mapping[str, str] = {
    "cpu": "cpu", "intel_cpu": "cpu", "bcpu": "cpu", "mem": "mem", "intel_mem": "mem", "bmem": "mem",
}  # fmt: skip
"""Whose load the burst level follows."""


def _between(points: Mapping[int, int]) -> dict[int, int]:
    """Every level from the lowest to the highest of the known ones, on straight lines between them."""
    found: dict[int, int] = {}
    known = sorted(points.items())
    for (low, least), (high, most) in pairwise(known):
        for level in range(low, high + 1):
            found[level] = least + (most - least) * (level - low) // (high - low)
    return found


_CPU = {0: 164, **_between({1: 79, 5: 93, 10: 162, 20: 328})}
_MEMORY = {0: 184, **_between({1: 113, 20: 334})}


def _discounted(prices: Mapping[int, int]) -> dict[int, int]:
    return {level: price * 2 // 5 for level, price in prices.items() if level > 0}


PRICES: Mapping[str, Mapping[int, int]] = {
    "cpu": _CPU,
    "mem": _MEMORY,
    "intel_cpu": _CPU,
    "intel_mem": _MEMORY,
    "bcpu": _discounted(_CPU),
    "bmem": _discounted(_MEMORY),
    "dssd": {0: 1_800, 1: 2_800},
    "ip": {0: 40_000, 1: 50_000},
    "vlan": {0: 80_000, 1: 100_000},
    "tx": {1: 500},
}
"""By resource and level, in 10**-4 dollars for one `unit` of it."""


def price_of(resource: str, level: int) -> Decimal:
    """Dollars for one `unit` of it."""
    return Decimal(price(resource, level)).scaleb(-PRICE_PLACES)


def price(resource: str, level: int) -> int:
    """In 10**-4 dollars for one `unit`. What has no levels has its only burst price at every one."""
    prices = PRICES[resource]
    return prices[level] if level in prices else prices[1]


def shown(resource: str, amount: int) -> str:
    """`12.00 GHz of cpu`."""
    what = RESOURCES[resource]
    return f"{amount / what.shown_of:.2f} {what.shown} of {resource}"


def has_levels(resource: str) -> bool:
    return resource in LOAD_OF


def is_sold(resource: str) -> bool:
    """Whether there are subscriptions of it."""
    return 0 in PRICES.get(resource, {})


def level_of(used: int, capacity: int) -> int:
    """The burst level of a load: 1 for an idle cloud, 20 for a full one, and for one that has nothing."""
    if capacity <= 0:
        return LEVELS_MAX if used > 0 else 1
    return max(1, min(LEVELS_MAX, 1 + used * LEVELS_MAX // capacity))


def charge(resource: str, level: int, used: int) -> int:
    """What so much of it costs, in 10**-20 dollars, rounded to the nearest, halves to even.

    `used` is amount x microseconds, in the scaled units of the resource.
    """
    what = RESOURCES[resource]
    return divided(
        price(resource, level) * 10 ** (PLACES - PRICE_PLACES) * used, what.multiplier * what.scale * MICROSECONDS
    )


def divided(numerator: int, denominator: int) -> int:
    """To the nearest whole number, halves to even. The denominator is positive."""
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        whole += 1
    return whole


def money(units: int) -> Decimal:
    """With all 20 places, whatever the size: never in scientific notation."""
    sign = 1 if units < 0 else 0
    return Decimal((sign, tuple(int(digit) for digit in str(abs(units))), -PLACES))


def money_text(units: int) -> str:
    """As the published API writes it: `0.00014583333333333333`."""
    digits = f"{abs(units):0{PLACES + 1}d}"
    return f"{'-' if units < 0 else ''}{digits[:-PLACES]}.{digits[-PLACES:]}"


def money_of(value: Decimal) -> int:
    """The reverse. Raises ValueError for more than 20 places, or for what is no number."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > PLACES or len(digits) > 4 * PLACES:
        raise ValueError("it is no amount of money")
    # By its digits: what is reckoned with decimals is rounded to 28 of them.
    whole = int("".join(map(str, digits)))
    if exponent < -PLACES:
        whole, rest = divmod(whole, 10 ** min(-PLACES - exponent, 4 * PLACES))
        if rest:
            raise ValueError(f"it has more than {PLACES} decimal places")
    else:
        whole *= int(10 ** (exponent + PLACES))
    return -whole if sign else whole


DISCOUNTS: tuple[tuple[str, int, int], ...] = (
    ("3 months", 3, 3),
    ("6 months", 6, 10),
    ("1 year", 12, 25),
    ("2 years", 24, 35),
    ("3 years", 36, 45),
)
"""What is told of it, its months, and how many per cent a subscription of that length is cheaper."""


def discount_percent(start: datetime, end: datetime) -> int:
    found = 0
    for _, months, percent in DISCOUNTS:
        if months_later(start, months) <= end:
            found = percent
    return found


def months_later(at: datetime, months: int) -> datetime:
    """The same day of a later month, or that month's last."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    month += 1
    for day in range(at.day, 27, -1):
        try:
            return at.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    return at.replace(year=year, month=month)


def subscription_price(resource: str, amount: int, start: datetime, end: datetime) -> int:
    """What so much of it costs from start to end, with the discount of that length, in 10**-20 dollars."""
    return _subscription_price(resource, amount, start, end, 100 - discount_percent(start, end))


def full_price(resource: str, amount: int, start: datetime, end: datetime) -> int:
    """The same without a discount."""
    return _subscription_price(resource, amount, start, end, 100)


def _subscription_price(resource: str, amount: int, start: datetime, end: datetime, percent: int) -> int:
    microseconds = microseconds_of(end) - microseconds_of(start)
    what = RESOURCES[resource]
    asked = PRICES[resource][0] * percent * amount * microseconds
    return divided(asked * 10 ** (PLACES - PRICE_PLACES - 2), what.multiplier * MICROSECONDS)


def apart(needed: int, balance: int) -> tuple[str, str]:
    """Two amounts with two decimal places, or so many that one sees that they differ."""
    for places in (2, 4, 8, PLACES):
        texts = f"{money(needed):.{places}f}", f"{money(balance):.{places}f}"
        if texts[0] != texts[1] or needed == balance:
            return texts
    return texts
