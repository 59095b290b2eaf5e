"""One network interface of a server at a time: added, or taken away.

`networks.wire` is given all that a server is to have, as the published API has it. Whoever adds one has not looked at
the others, so these are read in the transaction that writes: two that add at once both have theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.cloud.errors import Conflict, NotFound, WrongState
from backend.cloud.model import Account, ServerState
from backend.cloud.networks import NO_WIRING, Address, FirewallPolicy, Interface, Vlan, Wiring
from backend.operations import Cloud, RequestKey, repeats
from backend.operations.networks import InterfaceSpec, WiringSpec, wiring_of
from backend.operations.servers import entry_for
from backend.store import ADDRESS, FIREWALL_POLICY, VLAN, CloudTransaction


@dataclass(frozen=True, slots=True)
class Choices:
    """What an interface of a server may have: what belongs to the server's project. Addresses are the free ones."""

    addresses: tuple[Address, ...]
    vlans: tuple[Vlan, ...]
    policies: tuple[FirewallPolicy, ...]


async def choices(cloud: Cloud, actor: Account, server_id: str) -> Choices:
    """Whether or not its cell answers. Raises NotFound."""
    entry = await entry_for(cloud, actor, server_id)
    projects = frozenset({entry.project_id})

    def read(tx: CloudTransaction) -> Choices:
        addresses = tx.owned(ADDRESS, projects=projects)
        taken = {each.address for each in tx.interfaces_with("address", [address.id for address in addresses])}
        free = tuple(address for address in addresses if address.id not in taken)
        vlans, policies = tx.owned(VLAN, projects=projects), tx.owned(FIREWALL_POLICY, projects=projects)
        return Choices(free, tuple(vlans), tuple(policies))

    return await cloud.store.cloud_read(read)


async def interfaces_of(cloud: Cloud, server_id: str) -> tuple[tuple[Interface, ...], dict[str, FirewallPolicy]]:
    """In the order in which the guest sees them, and the policies on them by id."""

    def read(tx: CloudTransaction) -> tuple[tuple[Interface, ...], dict[str, FirewallPolicy]]:
        found = tx.wiring([server_id]).get(server_id, NO_WIRING).interfaces
        ids = {each.policy_id for each in found if each.policy_id is not None}
        policies = (tx.find_owned(FIREWALL_POLICY, id) for id in ids)
        return found, {policy.id: policy for policy in policies if policy is not None}

    return await cloud.store.cloud_read(read)


async def attach_interface(
    cloud: Cloud, actor: Account, server_id: str, spec: InterfaceSpec, *, request: RequestKey | None = None
) -> Wiring:
    """Behind those that the stopped server has. Raises NotFound, Forbidden, Invalid, WrongState, Unreachable."""
    return await _rewire(cloud, actor, server_id, lambda before: (*map(_kept, before), spec), request)


async def detach_interface(
    cloud: Cloud, actor: Account, server_id: str, mac: str, *, request: RequestKey | None = None
) -> Wiring:
    """Of a stopped server. Its address is free again. Raises NotFound, Forbidden, WrongState, Unreachable."""

    def without(before: Sequence[Interface]) -> tuple[InterfaceSpec, ...]:
        staying = tuple(_kept(each) for each in before if each.mac != mac.lower())
        if len(staying) == len(before):
            raise NotFound("network interface", mac)
        return staying

    return await _rewire(cloud, actor, server_id, without, request)


async def _rewire(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    change: Callable[[Sequence[Interface]], tuple[InterfaceSpec, ...]],
    request: RequestKey | None,
) -> Wiring:
    entry = await entry_for(cloud, actor, server_id, to_change=True)

    def found(tx: CloudTransaction) -> Wiring:
        return tx.wiring([server_id]).get(server_id, NO_WIRING)

    if await repeats.was_done(cloud, request):
        return await cloud.store.cloud_read(found)
    state = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id).state)
    if state is not ServerState.STOPPED:
        raise WrongState("server", server_id, "change the network interfaces of", state, (ServerState.STOPPED,))
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> Wiring:
        known = tx.find_server_entry(server_id)
        if known is None or known.state == "deleting":
            raise Conflict("The server is being deleted just now.")
        before = found(tx).interfaces
        after = wiring_of(tx, known.project_id, server_id, WiringSpec(interfaces=change(before)))
        return tx.save_wiring(server_id, known.project_id, after, at=now, actor=actor.name)

    return await cloud.store.cloud_write(repeats.once(cloud, request, save, again=lambda tx, _: found(tx)))


def _kept(interface: Interface) -> InterfaceSpec:
    return InterfaceSpec(
        interface.mac,
        interface.model,
        interface.boot_order,
        interface.configuration,
        interface.address,
        interface.vlan_id,
        interface.policy_id,
    )
