"""Network interfaces in `/ops/v1`: what a server has, what it may have, one more, one less."""

from __future__ import annotations

from typing import Any

from backend.cloud.model import PartialServer, Server, ServerState
from backend.cloud.networks import Interface, lent_address, traffic
from backend.dialects.ops.bodies import NicToAttach, NoBody, NoQuery
from backend.dialects.ops.schema_networks import NetworkChoices, NicList, NicRow
from backend.dialects.ops.table import Answer, Call, once
from backend.operations import Cloud, interfaces, servers
from backend.operations.networks import InterfaceSpec


async def nic_rows(cloud: Cloud, server: Server | PartialServer) -> list[NicRow]:
    """They are known centrally, so a silent cell hides none."""
    found, policies = await interfaces.interfaces_of(cloud, server.id)
    seconds: int | None = None
    if isinstance(server, Server) and server.state is ServerState.RUNNING and server.started_at is not None:
        seconds = int((cloud.clock.now() - server.started_at).total_seconds())
    names = {id: policy.name for id, policy in policies.items()}
    return [_row(each, seconds, names.get(each.policy_id or "")) for each in found]


def _row(interface: Interface, seconds: int | None, policy_name: str | None) -> NicRow:
    """`seconds` since its server was started; None where that does not run."""
    counted = None if seconds is None else traffic(interface, seconds)
    is_lent = seconds is not None and interface.configuration == "dhcp"
    return {
        "mac": interface.mac,
        "model": interface.model,
        "boot_order": interface.boot_order,
        "configuration": interface.configuration,
        "address": lent_address(interface.number) if is_lent else interface.address,
        "vlan_id": interface.vlan_id,
        "policy_id": interface.policy_id,
        "policy_name": policy_name,
        "bytes_received": None if counted is None else counted.bytes_received,
        "bytes_sent": None if counted is None else counted.bytes_sent,
    }


async def network_choices(call: Call[NoQuery, NoBody]) -> Answer:
    found = await interfaces.choices(call.cloud, call.account, call.path["id"])
    content: NetworkChoices = {
        "addresses": [address.id for address in found.addresses],
        "vlans": [{"id": vlan.id, "name": vlan.meta.get("name")} for vlan in found.vlans],
        "policies": [{"id": policy.id, "name": policy.name} for policy in found.policies],
    }
    return Answer(content)


async def attach_nic(call: Call[NoQuery, NicToAttach]) -> Answer:
    body = call.body
    spec = InterfaceSpec(
        model=body.model,
        configuration=body.configuration,
        address=body.address,
        vlan_id=body.vlan_id,
        policy_id=body.policy_id,
    )

    async def attach() -> Answer:
        await interfaces.attach_interface(call.cloud, call.account, call.path["id"], spec, request=call.request)
        return Answer(await _list(call), 201)

    return await once(call, attach)


async def detach_nic(call: Call[NoQuery, NoBody]) -> Answer:
    async def detach() -> Answer:
        id, mac = call.path["id"], call.path["mac"]
        await interfaces.detach_interface(call.cloud, call.account, id, mac, request=call.request)
        return Answer(await _list(call))

    return await once(call, detach)


async def _list(call: Call[NoQuery, Any]) -> NicList:
    server = await servers.get_server(call.cloud, call.account, call.path["id"])
    return {"nics": await nic_rows(call.cloud, server)}
