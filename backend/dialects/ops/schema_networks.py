"""The shapes of what `/ops/v1` says of network interfaces."""

from __future__ import annotations

from typing import Literal

# pydantic makes schemas of typed dicts only from these, before Python 3.12.
from typing_extensions import TypedDict


class NicRow(TypedDict):
    """`address` is the one that it has: its own with `static`, the one lent to it with `dhcp` while its server runs.

    Bytes are counted since the server was started; null while it does not run, and while its cell is silent.
    """

    mac: str
    model: str
    boot_order: int | None
    configuration: Literal["dhcp", "static", "manual"] | None
    address: str | None
    vlan_id: str | None
    policy_id: str | None
    policy_name: str | None
    bytes_received: int | None
    bytes_sent: int | None


class NicList(TypedDict):
    """In the order in which the guest sees them."""

    nics: list[NicRow]


class VlanRow(TypedDict):
    id: str
    name: str | None


class PolicyRow(TypedDict):
    id: str
    name: str


class NetworkChoices(TypedDict):
    """What belongs to the server's project. `addresses` are those that no interface has."""

    addresses: list[str]
    vlans: list[VlanRow]
    policies: list[PolicyRow]
