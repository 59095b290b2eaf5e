"""What hangs on servers besides drives: network interfaces, addresses, private networks, firewall policies, keys, tags.

All of it is known centrally: an address has one holder in the whole cloud, whatever cell its server is in, and goes on
being listed while that cell does not answer. Nothing here carries a packet. Addresses are of ranges that no real
network uses (RFC 2544 for those that an account owns, RFC 6598 for those that are lent), traffic is a pure function of
the time that an interface has been up.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from backend.cloud.errors import Invalid

TAG_NAME_LENGTH_MAX = 128
TAGS_PER_OBJECT_MAX = 64
INTERFACES_PER_SERVER_MAX = 64
RULES_PER_POLICY_MAX = 256

COUNTS_MAX: Mapping[str, int] = {"tag": 1000, "firewall_policy": 200, "key_pair": 100}
"""What a project may have of each, so that nothing grows without bound. Ours: nothing is published."""

ADDRESSES_PER_ACCOUNT = 4
VLANS_PER_ACCOUNT = 2
"""What every account owns. Simplified: the published cloud sells them as subscriptions."""

Configuration = Literal["dhcp", "static", "manual"]

# Values


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that objects of a project carry, as an object of its own: it has an id, which a new name leaves alone."""

    id: str
    project_id: str
    owner: str
    created_at: datetime
    name: str
    meta: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class Address:
    """A public address that an account owns, for as long as there is the account."""

    id: str
    """The address itself: `198.18.0.2`."""
    project_id: str
    owner: str
    created_at: datetime
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Vlan:
    """A private network that an account owns."""

    id: str
    project_id: str
    owner: str
    created_at: datetime
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class FirewallPolicy:
    """Rules in the order in which they are applied; see `rule_of` for what each has."""

    id: str
    project_id: str
    owner: str
    created_at: datetime
    name: str
    rules: tuple[Mapping[str, str | None], ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The public half of an SSH key. The private one is told to who had it made, and kept nowhere."""

    id: str
    project_id: str
    owner: str
    created_at: datetime
    name: str
    public_key: str
    fingerprint: str
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """What an account says of itself, and how far it is trusted."""

    id: str
    """The account's."""
    state: str = "REGULAR"
    """One of `ACCOUNT_STATES`."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class Interface:
    """One network card of a server. It has a private network, or a public configuration, or neither."""

    number: int
    """Unique in the cloud, and never given twice: the hardware address and the lent address are made of it."""
    server_id: str
    project_id: str
    position: int
    """Among those of its server, from 0: the order in which the guest sees them."""
    model: str = "virtio"
    boot_order: int | None = None
    configuration: Configuration | None = None
    address: str | None = None
    """With `static`: the id of the address. It belongs to one interface at most."""
    vlan_id: str | None = None
    policy_id: str | None = None

    @property
    def mac(self) -> str:
        return mac_of(self.number)

    @property
    def is_public(self) -> bool:
        return self.configuration is not None


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is centrally known of one server's network interfaces and keys, in their order."""

    interfaces: tuple[Interface, ...] = ()
    key_pairs: tuple[str, ...] = ()
    """Ids."""


NO_WIRING = Wiring()

# Numbers

_MAC_FACTOR = 0x9E3779B97F
"""Odd, so that multiplying by it modulo 2^40 is a permutation: unlike numbers have unlike addresses."""


def mac_of(number: int) -> str:
    """`22:` and five bytes. **Source**: CloudSigma API 2.0, "MAC Addresses", whose examples all begin so."""
    spread = (number * _MAC_FACTOR) % 2**40
    return ":".join(f"{byte:02x}" for byte in (0x22, *spread.to_bytes(5, "big")))


_OWNED = int(ipaddress.IPv4Address("198.18.0.0"))
_LENT = int(ipaddress.IPv4Address("100.64.0.0"))
_HOSTS = 252
"""Of each /24: without the network, the gateway (.1), one that is kept free, and the broadcast address."""

OWNED_MAX = 512 * _HOSTS
LENT_MAX = 2**14 * _HOSTS


def owned_address(index: int) -> str:
    """The address with this index below `OWNED_MAX`."""
    assert 0 <= index < OWNED_MAX, "the range is used up"
    return str(ipaddress.IPv4Address(_OWNED + index // _HOSTS * 256 + 2 + index % _HOSTS))


def lent_address(number: int) -> str:
    """What the interface with this number gets by DHCP while its server runs.

    Simplified: the published cloud may lend another one at each start; this one is lent the same again.
    """
    index = number % LENT_MAX
    return str(ipaddress.IPv4Address(_LENT + index // _HOSTS * 256 + 2 + index % _HOSTS))


def gateway_of(address: str) -> str:
    return address.rpartition(".")[0] + ".1"


NETMASK_BITS = 24
NAMESERVERS = ("198.18.0.1", "198.19.0.1")


# Traffic


@dataclass(frozen=True, slots=True)
class Traffic:
    """Since the server was started. All counts are whole and never go back while it runs."""

    bytes_received: int
    bytes_sent: int
    packets_received: int
    packets_sent: int


NO_TRAFFIC = Traffic(0, 0, 0, 0)

PACKET_BYTES = 800
"""On average."""


def traffic(interface: Interface, seconds: int) -> Traffic:
    """What went through it in so many whole seconds of its server's running.

    A pure function: every interface has its own steady rates, between 1 and 256 KB/s in and half to twice as much out.
    One that is not connected has none.
    """
    if seconds <= 0 or (interface.configuration is None and interface.vlan_id is None):
        return NO_TRAFFIC
    received_rate, share = _rates(interface)
    received = received_rate * seconds
    sent = received * share // 256 + seconds
    return Traffic(received, sent, -(-received // PACKET_BYTES), -(-sent // PACKET_BYTES))


def _rates(interface: Interface) -> tuple[int, int]:
    """Bytes that it receives in a second, and how many 256ths of them it sends, and one byte more."""
    digest = hashlib.sha256(f"traffic/{interface.number}".encode()).digest()
    return (1 + digest[0]) * 1000, 128 + digest[1]


def sent_rate(interfaces: Iterable[Interface]) -> int:
    """What they send to the outside in a second, in 256ths of a byte: what is billed as traffic."""
    found = 0
    for interface in interfaces:
        if interface.is_public:
            received_rate, share = _rates(interface)
            found += received_rate * share + 256
    return found


# Firewall rules

RULE_FIELDS = ("action", "comment", "direction", "dst_ip", "dst_port", "ip_proto", "src_ip", "src_port")

_PORTS = re.compile(r"(!?)([0-9]{1,5})(?::([0-9]{1,5}))?", re.ASCII)


def rule_of(sent: Mapping[str, str | None]) -> dict[str, str | None]:
    """The rule with all fields, and addresses and ports in their one spelling.

    **Source**: CloudSigma API 2.0, "Firewall Policies": `!` is not, `a:b` a range of ports, `23` is `23.0.0.0/32`.

    Raises:
        Invalid: an address, a network or a port that is none.
    """
    found = {name: sent.get(name) or None for name in RULE_FIELDS}
    for name in ("src_ip", "dst_ip"):
        if (text := found[name]) is not None:
            found[name] = network_of(text, name)
    for name in ("src_port", "dst_port"):
        if (text := found[name]) is not None:
            found[name] = ports_of(text, name)
    if (found["src_port"] or found["dst_port"]) and found["ip_proto"] is None:
        raise Invalid("ip_proto", "must be tcp or udp where a rule names ports")
    return found


def network_of(text: str, name: str) -> str:
    """`172.66.32.55/32` of `172.66.32.55`, with its `!` if it has one; missing bytes are 0. Raises Invalid."""
    sign, rest = ("!", text[1:]) if text.startswith("!") else ("", text)
    address, slash, bits = rest.partition("/")
    parts = address.split(".")
    if 1 <= len(parts) < 4 and all(part.isascii() and part.isdigit() for part in parts):
        address = ".".join([*parts, *["0"] * (4 - len(parts))])
    try:
        network = ipaddress.IPv4Network(f"{address}/{bits if slash else 32}", strict=False)
    except ValueError:
        raise Invalid(name, "must be an IPv4 address or network, like 172.66.32.0/24, with or without !") from None
    return sign + str(network)


def ports_of(text: str, name: str) -> str:
    """A port, or a range `1:1024`, with its `!` if it has one. Raises Invalid."""
    match = _PORTS.fullmatch(text)
    ports = [int(port) for port in match.groups()[1:] if port is not None] if match else []
    if match is None or not all(port <= 65_535 for port in ports) or ports != sorted(ports):
        raise Invalid(name, "must be a port or a range of ports, like 22 or 1:1024, with or without !")
    return match[1] + ":".join(str(port) for port in ports)


# What an account may not do

ACCOUNT_STATES = ("REGULAR", "NEW_USER", "TRIAL")

_CLOSED_TO_TRIAL = (22, 23, 25, 7777, 43594, 43595, 25565)


def restrictions(state: str) -> tuple[Mapping[str, str | None], ...]:
    """The rules that public interfaces of an account in this state have on top of their own policy.

    **Source**: CloudSigma API 2.0, "Firewall Policies", "Default restrictions", levels 1 and 2. Simplified: a rule has
    no rate, so level 0, which limits broadcast and multicast packets, has no rule here.
    """

    def outgoing(action: str, comment: str, **more: str) -> Mapping[str, str | None]:
        return rule_of({"action": action, "direction": "out", "comment": comment, **more})

    trial = tuple(
        outgoing("drop", "closed to trial accounts", ip_proto="tcp", dst_port=str(port)) for port in _CLOSED_TO_TRIAL
    )
    if state == "TRIAL":
        return trial
    if state == "NEW_USER":
        return (
            *trial,
            outgoing("accept", "DHCP", ip_proto="udp", dst_port="67"),
            outgoing("accept", "DNS", ip_proto="udp", dst_port="53"),
            outgoing("accept", "HTTP", ip_proto="tcp", dst_port="80"),
            outgoing("accept", "HTTPS", ip_proto="tcp", dst_port="443"),
            outgoing("drop", "all other TCP", ip_proto="tcp"),
            outgoing("drop", "all other UDP", ip_proto="udp"),
        )
    return ()


def in_order(interfaces: Sequence[Interface]) -> tuple[Interface, ...]:
    return tuple(sorted(interfaces, key=lambda each: each.position))
