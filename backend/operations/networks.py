"""Network interfaces of servers, and the firewall policies on them.

Interfaces are central, as an address must have one holder in the whole cloud, whatever cell that is in. They change
only while their server is stopped: its cell is asked, and one that does not answer changes nothing. A start that is
decided between the answer and the change is as good as one right after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.cloud.errors import Conflict, Invalid, WrongState
from backend.cloud.model import Account, Server, ServerState
from backend.cloud.networks import (
    INTERFACES_PER_SERVER_MAX,
    LENT_MAX,
    NO_WIRING,
    RULES_PER_POLICY_MAX,
    Configuration,
    FirewallPolicy,
    Interface,
    Profile,
    Wiring,
    lent_address,
    rule_of,
)
from backend.operations import Cloud, owned
from backend.operations.servers import entry_for, projects_of, read_servers
from backend.store import FIREWALL_POLICY, CloudTransaction


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """What one interface is to be. With a `mac` it is one that the server has, without a new one."""

    mac: str | None = None
    model: str = "virtio"
    boot_order: int | None = None
    configuration: Configuration | None = None
    address: str | None = None
    vlan_id: str | None = None
    policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class WiringSpec:
    """None leaves a part as it is."""

    interfaces: tuple[InterfaceSpec, ...] | None = None
    key_pairs: tuple[str, ...] | None = None


# --- deciding, in cloud.db --------------------------------------------------------------------------------------------


def wiring_of(tx: CloudTransaction, project_id: str, server_id: str, spec: WiringSpec) -> Wiring:
    """What the server would have. `server_id` is empty for one that is yet to be made.

    **Source**: CloudSigma API 2.0, "Server Network Interfaces": a private network excludes a public configuration,
    DHCP an address; a static address is one that is owned; an interface with a known mac is kept, one that is not
    listed goes, an unknown mac is an error; the order counts. "IPs": an IP is attached to one server at most.

    Raises:
        Invalid: as above; and a network, policy or key that the project does not have.
    """
    before = tx.wiring([server_id]).get(server_id, NO_WIRING) if server_id else NO_WIRING
    interfaces, key_pairs = before.interfaces, before.key_pairs
    if spec.interfaces is not None:
        interfaces = _interfaces(tx, project_id, server_id, before.interfaces, spec.interfaces)
    if spec.key_pairs is not None:
        key_pairs = tuple(dict.fromkeys(spec.key_pairs))
        known = tx.projects_of_owned("key_pair", key_pairs)
        for id in key_pairs:
            if known.get(id) != project_id:
                raise Invalid("pubkeys", f"the account has no key pair {id}")
    return Wiring(interfaces, key_pairs)


def _interfaces(
    tx: CloudTransaction,
    project_id: str,
    server_id: str,
    before: Sequence[Interface],
    wanted: Sequence[InterfaceSpec],
) -> tuple[Interface, ...]:
    if len(wanted) > INTERFACES_PER_SERVER_MAX:
        raise Invalid("nics", f"a server may have at most {INTERFACES_PER_SERVER_MAX}, not {len(wanted)}")
    known = {each.mac: each for each in before}
    found = []
    for position, spec in enumerate(wanted):
        _check_configuration(spec)
        number = 0
        if spec.mac is not None:
            kept = known.pop(spec.mac.lower(), None)
            if kept is None:
                raise Invalid("mac", f"the server has no network interface {spec.mac}, or it is listed twice")
            number = kept.number
        found.append(
            Interface(
                number,
                server_id,
                project_id,
                position,
                spec.model,
                spec.boot_order,
                spec.configuration,
                spec.address,
                spec.vlan_id,
                spec.policy_id,
            )
        )
    _check_references(tx, project_id, "vlan", "vlan", [each.vlan_id for each in found])
    _check_references(tx, project_id, "firewall_policy", "firewall_policy", [each.policy_id for each in found])
    addresses = [each.address for each in found if each.address is not None]
    _check_references(tx, project_id, "address", "ip_v4_conf", addresses)
    if len(set(addresses)) < len(addresses):
        raise Invalid("ip_v4_conf", "an address can be given to one network interface only")
    for holder in tx.interfaces_with("address", addresses):
        if holder.server_id != server_id:
            raise Invalid("ip_v4_conf", f"address {holder.address} is attached to server {holder.server_id}")
    return tuple(found)


def _check_configuration(spec: InterfaceSpec) -> None:
    if spec.vlan_id is not None and spec.configuration is not None:
        raise Invalid("vlan", "cannot have an IP configuration too")
    if spec.configuration == "static" and spec.address is None:
        raise Invalid("ip_v4_conf", "needs an address with static")
    if spec.configuration != "static" and spec.address is not None:
        raise Invalid("ip_v4_conf", f"cannot have an address with {spec.configuration}")


def _check_references(tx: CloudTransaction, project_id: str, kind: str, field: str, ids: Iterable[str | None]) -> None:
    wanted = {id for id in ids if id is not None}
    known = tx.projects_of_owned(kind, wanted) if wanted else {}
    for id in sorted(wanted):
        if known.get(id) != project_id:
            raise Invalid(field, f"the account has no {owned.WORDS[kind]} {id}")


def copy_wiring(tx: CloudTransaction, source_id: str, server: Server) -> None:
    """A clone gets interfaces of its own like those of its source: with DHCP where that has an address.

    What belongs to another project than the clone's is left out.
    **Source**: CloudSigma API 2.0, servers, "Clone".
    """
    source = tx.wiring([source_id]).get(source_id)
    if source is None:
        return
    networks = tx.projects_of_owned("vlan", {each.vlan_id for each in source.interfaces if each.vlan_id})
    policies = tx.projects_of_owned("firewall_policy", {each.policy_id for each in source.interfaces if each.policy_id})
    keys = tx.projects_of_owned("key_pair", source.key_pairs)
    interfaces = tuple(
        replace(
            each,
            number=0,
            server_id=server.id,
            project_id=server.project_id,
            configuration="dhcp" if each.configuration == "static" else each.configuration,
            address=None,
            vlan_id=each.vlan_id if networks.get(each.vlan_id or "") == server.project_id else None,
            policy_id=each.policy_id if policies.get(each.policy_id or "") == server.project_id else None,
        )
        for each in source.interfaces
    )
    key_pairs = tuple(id for id in source.key_pairs if keys[id] == server.project_id)
    after = Wiring(interfaces, key_pairs)
    tx.save_wiring(server.id, server.project_id, after, at=server.created_at, actor=server.owner)


# --- operations -------------------------------------------------------------------------------------------------------


async def check_wiring(cloud: Cloud, actor: Account, specs: Sequence[WiringSpec]) -> None:
    """Whether servers that the account is about to make may have these, all of them. Raises Invalid."""

    def check(tx: CloudTransaction) -> None:
        seen: set[str] = set()
        for spec in specs:
            for interface in wiring_of(tx, actor.project_id, "", spec).interfaces:
                if interface.address in seen:
                    raise Invalid("ip_v4_conf", f"address {interface.address} is asked for by two servers")
                if interface.address is not None:
                    seen.add(interface.address)

    await cloud.store.cloud_read(check)


async def check_rewiring(cloud: Cloud, server: Server, spec: WiringSpec) -> None:
    """Whether `wire` would take it. Raises Invalid."""
    await cloud.store.cloud_read(lambda tx: wiring_of(tx, server.project_id, server.id, spec))


async def wire(
    cloud: Cloud, actor: Account, server_id: str, spec: WiringSpec, *, only_backfilling: bool = False
) -> Wiring:
    """Give a stopped server these interfaces and keys.

    Raises:
        NotFound, Forbidden, Invalid, Unreachable, WrongState.
    """
    entry = await entry_for(cloud, actor, server_id, to_change=True, only_backfilling=only_backfilling)
    state = await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id).state)
    if state is not ServerState.STOPPED:
        raise WrongState("server", server_id, "change the network interfaces of", state, (ServerState.STOPPED,))
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> Wiring:
        if (entry := tx.find_server_entry(server_id)) is None or entry.state == "deleting":
            raise Conflict("The server is being deleted just now.")
        after = wiring_of(tx, entry.project_id, server_id, spec)
        return tx.save_wiring(server_id, entry.project_id, after, at=now, actor=actor.name)

    return await cloud.store.cloud_write(save)


@dataclass(frozen=True, slots=True)
class Wired:
    """What a page of servers is wired with, and how far their owners are trusted."""

    by_server: Mapping[str, Wiring]
    profiles: Mapping[str, Profile]
    """Those that were ever changed, by the account's id."""

    def of(self, server_id: str) -> Wiring:
        return self.by_server.get(server_id, NO_WIRING)


NOTHING_WIRED = Wired({}, {})


async def wired(cloud: Cloud, server_ids: Collection[str]) -> Wired:
    if not server_ids:
        return NOTHING_WIRED
    return await cloud.store.cloud_read(lambda tx: Wired(tx.wiring(server_ids), tx.profiles()))


@dataclass(frozen=True, slots=True)
class Lent:
    """An address that a running server has by DHCP, for as long as it runs."""

    address: str
    interface: Interface
    owner: str


async def lent_addresses(cloud: Cloud, actor: Account) -> list[Lent]:
    """Those of the account's running servers, by interface. Of a cell that does not answer none is known."""
    found = await cloud.store.cloud_read(lambda tx: tx.public_interfaces(projects=projects_of(actor)))
    return await _lent(cloud, found)


async def lent_address_of(cloud: Cloud, actor: Account, address: str) -> Lent | None:
    """None where nobody has it whom the account may see."""
    index = _index_of(address)
    if index is None:
        return None
    interface = await cloud.store.cloud_read(lambda tx: tx.lent_interface(index))
    if interface is None or not actor.may_see(interface.project_id):
        return None
    return next(iter(await _lent(cloud, [interface])), None)


def _index_of(address: str) -> int | None:
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    first, second, third, fourth = (int(part) for part in parts)
    index = ((second - 64) * 256 + third) * 252 + fourth - 2
    return index if first == 100 and 0 <= index < LENT_MAX and lent_address(index) == address else None


async def _lent(cloud: Cloud, interfaces: Sequence[Interface]) -> list[Lent]:
    wanted = {each.server_id for each in interfaces if each.configuration == "dhcp"}
    entries = await cloud.store.cloud_read(lambda tx: tx.server_entries(ids=wanted)) if wanted else []
    servers = await read_servers(cloud, entries)
    running = {
        server.id: server for server in servers if isinstance(server, Server) and server.state is ServerState.RUNNING
    }
    return [
        Lent(lent_address(each.number), each, running[each.server_id].owner)
        for each in interfaces
        if each.server_id in running and each.configuration == "dhcp"
    ]


# --- firewall policies ------------------------------------------------------------------------------------------------


def rules_of(sent: Sequence[Mapping[str, str | None]]) -> tuple[Mapping[str, str | None], ...]:
    """Raises Invalid."""
    if len(sent) > RULES_PER_POLICY_MAX:
        raise Invalid("rules", f"a policy may have at most {RULES_PER_POLICY_MAX}, not {len(sent)}")
    return tuple(rule_of(rule) for rule in sent)


async def create_policies(cloud: Cloud, actor: Account, policies: Sequence[FirewallPolicy]) -> list[FirewallPolicy]:
    """All or none, in the account's project; their ids and owners are made here. Raises Forbidden, OverQuota."""
    owned.may_create(actor, "firewall policy")
    now = cloud.clock.now()

    def create(tx: CloudTransaction) -> list[FirewallPolicy]:
        made = []
        for policy in policies:
            made.append(
                replace(policy, id=tx.next_id("cloud"), project_id=actor.project_id, owner=actor.name, created_at=now)
            )
            owned.add(tx, actor, FIREWALL_POLICY, made[-1])
        return made

    return await cloud.store.cloud_write(create)


async def delete_policy(cloud: Cloud, actor: Account, policy_id: str) -> None:
    """The interfaces that have it go on without one. Raises NotFound, Forbidden."""
    now = cloud.clock.now()

    def remove(tx: CloudTransaction) -> None:
        policy = owned.find(tx, actor, FIREWALL_POLICY, policy_id, to_change=True)
        tx.forget_policy(policy, at=now, actor=actor.name)

    await cloud.store.cloud_write(remove)


async def interfaces_with(cloud: Cloud, column: str, ids: Collection[str]) -> dict[str, list[Interface]]:
    """By the id that is in the column."""
    found: dict[str, list[Interface]] = {}
    for interface in await cloud.store.cloud_read(lambda tx: tx.interfaces_with(column, ids)):
        found.setdefault(getattr(interface, column), []).append(interface)
    return found
