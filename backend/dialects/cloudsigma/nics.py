"""Network interfaces of a server: from what clients send, and to what they get.

Source: CloudSigma API 2.0, "Server Network Interfaces", "Firewall Policies", "Default restrictions".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from backend.cloud.errors import Invalid
from backend.cloud.model import Server, ServerState
from backend.cloud.networks import ACCOUNT_STATES, NO_TRAFFIC, Interface, lent_address, restrictions, traffic
from backend.dialects.cloudsigma.bodies import Nic, ServerSent
from backend.dialects.cloudsigma.render import PREFIX, Directory, reference, running_since
from backend.operations.networks import InterfaceSpec, WiringSpec

COUNTED_EVERY_SECONDS = 60
"""How often the counters of traffic are read, as if by the cloud: in between they stand still."""


def wiring_sent(sent: ServerSent) -> WiringSpec:
    """What a server is to be wired with; None where the request does not say. Raises Invalid."""
    given = sent.model_fields_set
    return WiringSpec(
        tuple(_spec(nic) for nic in sent.nics) if "nics" in given else None,
        tuple(key.lower() for key in sent.pubkeys) if "pubkeys" in given else None,
    )


def _spec(nic: Nic) -> InterfaceSpec:
    if nic.vlan is not None and (nic.ip_v4_conf is not None or nic.ip_v6_conf is not None):
        raise Invalid("vlan", "cannot have an IP configuration too")
    if nic.ip_v6_conf is not None:
        raise Invalid("ip_v6_conf", "this cloud has no IPv6 addresses")
    conf = nic.ip_v4_conf
    return InterfaceSpec(
        mac=nic.mac,
        model=nic.model,
        boot_order=nic.boot_order,
        configuration=None if conf is None else conf.conf,
        address=None if conf is None else conf.ip,
        vlan_id=None if nic.vlan is None else nic.vlan.lower(),
        policy_id=None if nic.firewall_policy is None else nic.firewall_policy.lower(),
    )


def minute_of(now: datetime) -> int:
    """Counters are the same throughout it."""
    return int(now.timestamp()) // COUNTED_EVERY_SECONDS


def details(server: Server, directory: Directory) -> list[dict[str, Any]]:
    """Those of a server whose cell answers; of a running one with their runtime."""
    if server.state is not ServerState.RUNNING:
        return details_centrally(server.id, directory)
    began = minute_of(running_since(server))
    seconds = (minute_of(directory.now) - began) * COUNTED_EVERY_SECONDS
    restricted = _restriction(server.owner, directory)
    return [_detail(each, _runtime(each, seconds, restricted)) for each in directory.wired.of(server.id).interfaces]


def details_centrally(server_id: str, directory: Directory) -> list[dict[str, Any]]:
    """As far as they are known without asking its cell."""
    return [_detail(each, None) for each in directory.wired.of(server_id).interfaces]


def _detail(interface: Interface, runtime: dict[str, Any] | None) -> dict[str, Any]:
    address = interface.address
    conf = {"conf": interface.configuration, "ip": None if address is None else reference("ips", address)}
    return {
        "boot_order": interface.boot_order,
        "firewall_policy": _reference_or_none("fwpolicies", interface.policy_id),
        "ip_v4_conf": conf if interface.configuration is not None else None,
        "ip_v6_conf": None,
        "mac": interface.mac,
        "model": interface.model,
        "runtime": runtime,
        "vlan": _reference_or_none("vlans", interface.vlan_id),
    }


def _reference_or_none(resource: str, id: str | None) -> dict[str, str] | None:
    return None if id is None else reference(resource, id)


def _runtime(interface: Interface, seconds: int, restricted: Mapping[str, Any] | None) -> dict[str, Any]:
    """With the default restrictions of the owner's account, where it has any, as the policy that they amount to."""
    counted = traffic(interface, seconds) if seconds > 0 else NO_TRAFFIC
    address = lent_address(interface.number) if interface.configuration == "dhcp" else interface.address
    is_public = interface.is_public
    runtime: dict[str, Any] = {
        "interface_type": "public" if is_public else "private",
        "io": {
            "bytes_recv": counted.bytes_received,
            "bytes_sent": counted.bytes_sent,
            "packets_recv": counted.packets_received,
            "packets_sent": counted.packets_sent,
        },
        "ip_v4": _reference_or_none("ips", address),
        "ip_v6": None,
        "rx_foreign": counted.bytes_received if is_public else 0,
        "rx_local": 0 if is_public else counted.bytes_received,
        "tx_foreign": counted.bytes_sent if is_public else 0,
        "tx_local": 0 if is_public else counted.bytes_sent,
    }
    if restricted is not None and is_public:
        runtime["default_firewall_policy"] = restricted
    return runtime


# Default restrictions


def _restriction(owner: str, directory: Directory) -> dict[str, Any] | None:
    account = directory.accounts.get(owner)
    profile = directory.wired.profiles.get(account.id) if account is not None else None
    return None if profile is None else restriction_detail(directory.cloud_id, profile.state)


def restriction_id(cloud_id: UUID, state: str) -> str:
    return str(uuid5(cloud_id, f"restrictions/{state}"))


def restriction_detail(cloud_id: UUID, state: str) -> dict[str, Any] | None:
    """What accounts in this state may not do, in the shape of a firewall policy; None where it is nothing.

    That the runtime shows it, and where, is ours: only what is restricted is published.
    """
    rules = restrictions(state)
    if not rules:
        return None
    id = restriction_id(cloud_id, state)
    name = f"Default restrictions of {state} accounts"
    return {"name": name, "resource_uri": f"{PREFIX}/fwpolicies/{id}/", "rules": list(rules), "uuid": id}


def restriction_by_id(cloud_id: UUID, id: str) -> dict[str, Any] | None:
    for state in ACCOUNT_STATES:
        if id == restriction_id(cloud_id, state):
            return restriction_detail(cloud_id, state)
    return None
