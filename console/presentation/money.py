"""Money and what it is paid for, as words: amounts, resources, units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from console.presentation import figures
from console.presentation.lines import Glyphs

NAMES: Mapping[str, str] = {
    "cpu": "CPU",
    "mem": "memory",
    "intel_cpu": "CPU, Intel",
    "intel_mem": "memory, Intel",
    "bcpu": "backfill CPU",
    "bmem": "backfill memory",
    "dssd": "drives",
    "ip": "IPs",
    "vlan": "VLANs",
    "tx": "traffic",
}
LASTS_SECONDS_MAX = 10 * 365 * 86_400
_GIB = 2**30
_UNITS: Mapping[str, tuple[str, int]] = {
    **dict.fromkeys(("cpu", "intel_cpu", "bcpu"), ("GHz", 1000)),
    **dict.fromkeys(("mem", "intel_mem", "bmem", "dssd"), ("GiB", _GIB)),
    "tx": ("MB/s", 10**6),
}
"""How an amount is shown, and how many base units make one of it; pieces are what is left."""


def money(amount: Decimal, places: int = 2) -> str:
    """`8,412.06`. What is too small for its places, and not nothing, is not written as nothing."""
    text = f"{amount:,.{places}f}"
    if amount and not Decimal(text.replace(",", "")):
        return f"<{Decimal(1).scaleb(-places)}" if amount > 0 else f"-<{Decimal(1).scaleb(-places)}"
    return text


def money_in(room: int, amount: Decimal) -> str:
    """With as many digits as there is room for, so that no two figures touch: `21,238`, `1.2M`."""
    for text in (money(amount), f"{amount:,.0f}", f"{amount / 10**6:,.1f}M", f"{amount / 10**9:,.1f}G"):
        if len(text) <= room:
            return text
    return f"{amount:.0e}"


def rate_in(room: int, amount: Decimal) -> str:
    """Of an hour, which is little: with four places where there is room for them."""
    text = money(amount, 4)
    return text if len(text) <= room else money_in(room, amount)


_PERIODS: Mapping[str, str] = {**dict.fromkeys(("dssd", "ip", "vlan"), "/month"), "tx": "/GB"}


def period_of(resource: str) -> str:
    """What a price is for, behind the unit of the amount; what is not of a month, nor sent, is of an hour."""
    return _PERIODS.get(resource, "/h")


_PIECES = re.compile(r"\b(\d+)\.00 (IP|VLAN) of (?:ip|vlan)\b")


def reason_text(reason: str) -> str:
    """The ledger counts pieces as it measures amounts, `4.00 IP of ip`; people say `4 IPs`."""
    return _PIECES.sub(lambda found: f"{found[1]} {found[2]}{'' if found[1] == '1' else 's'}", reason)


TICK_SECONDS = 300
"""A balance is told of the last five minutes that are over: how long it lasts is not known more exactly."""


def lasts_words(balance: Decimal, seconds: int | None) -> str:
    """How long a balance lasts. `seconds` is None where it never ends."""
    if seconds is None:
        return "for ever"
    if balance <= 0:
        return "no longer: it is gone"
    return "less than five minutes" if seconds < TICK_SECONDS else figures.age(seconds)


def lasts_text(balance: Decimal, seconds: int | None, glyphs: Glyphs) -> str:
    """The same in seven cells."""
    if seconds is None or seconds > LASTS_SECONDS_MAX:
        return glyphs.endless
    if balance <= 0:
        return "gone"
    return "<5m" if seconds < TICK_SECONDS else figures.age(seconds)


def unit_of(resource: str) -> str:
    return _UNITS.get(resource, ("", 1))[0]


def base_units(resource: str, amount: Decimal) -> int:
    """Of an amount in the unit that it is shown in."""
    return round(amount * _UNITS.get(resource, ("", 1))[1])


def what_text(resource: str, amount: int) -> str:
    """`10.0 GHz of CPU`, `1 IP`."""
    unit, name = unit_of(resource), NAMES.get(resource, resource)
    if not unit and amount == 1:
        name = name.removesuffix("s")
    return f"{amount_text(resource, amount)}{f' {unit} of' if unit else ''} {name}"


def amount_text(resource: str, amount: int) -> str:
    _, whole = _UNITS.get(resource, ("", 1))
    return f"{amount:,}" if whole == 1 else f"{amount / whole:,.1f}"
