"""Tags, IPs, VLANs, firewall policies and keys: what lies centrally and answers whatever the cells do.

Source: CloudSigma API 2.0, "Tags", "Networking", "Firewall Policies", "Keypairs". Every account has some IPs and VLANs
from the beginning. Simplified: the published cloud sells them as subscriptions, keeps the private halves of keys, and
applies a changed policy within 30 seconds instead of at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.responses import Response

from backend.cloud.errors import Forbidden, Invalid
from backend.cloud.networks import (
    NAMESERVERS,
    NETMASK_BITS,
    Address,
    FirewallPolicy,
    Interface,
    KeyPair,
    Vlan,
    gateway_of,
)
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, nics, query, schema, table
from backend.dialects.cloudsigma.bodies import AddressEdited, KeyPairEdited, KeyPairSent, PolicySent, VlanEdited
from backend.dialects.cloudsigma.render import PREFIX, Directory, reference
from backend.dialects.cloudsigma.table import Call, Path
from backend.operations import key_pairs, networks, owned
from backend.operations.networks import Lent
from backend.store import ADDRESS, FIREWALL_POLICY, KEY_PAIR, VLAN

Central = Address | Vlan | FirewallPolicy | KeyPair


def _common(thing: Central, resource: str, directory: Directory) -> dict[str, Any]:
    return {
        "meta": thing.meta,
        "owner": directory.owner(thing.owner),
        "resource_uri": f"{PREFIX}/{resource}/{thing.id}/",
        "tags": directory.tags(thing.project_id, thing.tags),
        "uuid": thing.id,
    }


# ------------------------------------------------------------------------------------------------------------------ IPs


def _address(address: Address, holders: Mapping[str, Sequence[Interface]], directory: Directory) -> dict[str, Any]:
    held = holders.get(address.id, ())
    return {
        **_common(address, "ips", directory),
        "gateway": gateway_of(address.id),
        "grantees": [],
        "nameservers": list(NAMESERVERS),
        "netmask": NETMASK_BITS,
        "permissions": [],
        "server": reference("servers", held[0].server_id) if held else None,
        "subscription": _subscription(address.id),
    }


def _subscription(what: str) -> dict[str, Any]:
    """What tells an address that is owned from one that is lent. There is nothing at its address yet."""
    number = int.from_bytes(what.encode()[-3:])
    return {"id": number, "resource_uri": f"{PREFIX}/subscriptions/{number}/"}


def _lent(lent: Lent, directory: Directory) -> dict[str, Any]:
    """Source: "The list of IPs includes [...] the IPs which are dynamically assigned to user's guests"."""
    return {
        "gateway": gateway_of(lent.address),
        "grantees": [],
        "meta": {},
        "nameservers": list(NAMESERVERS),
        "netmask": NETMASK_BITS,
        "owner": directory.owner(lent.owner),
        "permissions": [],
        "resource_uri": f"{PREFIX}/ips/{lent.address}/",
        "server": reference("servers", lent.interface.server_id),
        "subscription": None,
        "tags": [],
        "uuid": lent.address,
    }


async def _list_addresses(call: Call, *, is_detailed: bool) -> Response:
    directory = await call.directory()
    found = await owned.list_owned(call.cloud, call.account, ADDRESS)
    holders = await networks.interfaces_with(call.cloud, "address", [each.id for each in found])
    details = [_address(each, holders, directory) for each in found]
    details += [_lent(each, directory) for each in await networks.lent_addresses(call.cloud, call.account)]
    return await query.page_of(call, schema.ADDRESSES, details, is_detailed=is_detailed)


async def addresses_of(call: Call, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those that are owned, in their order."""
    directory, wanted = await call.directory(), set(ids)
    found = [each for each in await owned.list_owned(call.cloud, call.account, ADDRESS) if each.id in wanted]
    holders = await networks.interfaces_with(call.cloud, "address", ids)
    return [_address(each, holders, directory) for each in found]


async def list_addresses(call: Call) -> Response:
    return await _list_addresses(call, is_detailed=False)


async def detail_addresses(call: Call) -> Response:
    return await _list_addresses(call, is_detailed=True)


async def get_address(call: Call) -> Response:
    lent = await networks.lent_address_of(call.cloud, call.account, call.uuid)
    if lent is not None:
        return query.one(call, _lent(lent, await call.directory()))
    return await _one_address(call, await owned.get_owned(call.cloud, call.account, ADDRESS, call.uuid))


async def _one_address(call: Call, address: Address) -> Response:
    holders = await networks.interfaces_with(call.cloud, "address", [address.id])
    return query.one(call, _address(address, holders, await call.directory()), version=str(address.version))


async def edit_address(call: Call) -> Response:
    """Meta and tags."""
    found = await owned.get_owned(call.cloud, call.account, ADDRESS, call.uuid)
    query.check_match(call, str(found.version))
    sent = wire.validated(AddressEdited, await call.content())
    changes = await _meta_and_tags(call, sent, found)
    return await _one_address(
        call, await owned.edit_owned(call.cloud, call.account, ADDRESS, call.uuid, lambda it: replace(it, **changes))
    )


async def _meta_and_tags(call: Call, sent: bodies.Sent, found: Central) -> dict[str, Any]:
    """Of those that were sent."""
    given = sent.model_fields_set
    changes: dict[str, Any] = {}
    if "meta" in given:
        changes["meta"] = getattr(sent, "meta")  # noqa: B009 - every one of these bodies has it
    if "tags" in given:
        changes["tags"] = await call.words(getattr(sent, "tags"), found.project_id, found.tags)  # noqa: B009
    return changes


# ---------------------------------------------------------------------------------------------------------------- VLANs


def _vlan(vlan: Vlan, holders: Mapping[str, Sequence[Interface]], directory: Directory) -> dict[str, Any]:
    return {
        **_common(vlan, "vlans", directory),
        "bottom_vlan_tag": None,
        "grantees": [],
        "permissions": [],
        "servers": _servers(holders.get(vlan.id, ())),
        "subscription": _subscription(vlan.id),
    }


def _servers(interfaces: Sequence[Interface]) -> list[dict[str, str]]:
    return [reference("servers", id) for id in dict.fromkeys(each.server_id for each in interfaces)]


async def _list_vlans(call: Call, *, is_detailed: bool) -> Response:
    directory = await call.directory()
    found = await owned.list_owned(call.cloud, call.account, VLAN)
    holders = await networks.interfaces_with(call.cloud, "vlan_id", [each.id for each in found])
    details = [_vlan(each, holders, directory) for each in found]
    return await query.page_of(call, schema.VLANS, details, is_detailed=is_detailed)


async def vlans_of(call: Call, ids: Sequence[str]) -> list[dict[str, Any]]:
    """In their order."""
    directory, wanted = await call.directory(), set(ids)
    found = [each for each in await owned.list_owned(call.cloud, call.account, VLAN) if each.id in wanted]
    holders = await networks.interfaces_with(call.cloud, "vlan_id", ids)
    return [_vlan(each, holders, directory) for each in found]


async def list_vlans(call: Call) -> Response:
    return await _list_vlans(call, is_detailed=False)


async def detail_vlans(call: Call) -> Response:
    return await _list_vlans(call, is_detailed=True)


async def get_vlan(call: Call) -> Response:
    return await _one_vlan(call, await owned.get_owned(call.cloud, call.account, VLAN, call.uuid))


async def _one_vlan(call: Call, vlan: Vlan) -> Response:
    holders = await networks.interfaces_with(call.cloud, "vlan_id", [vlan.id])
    return query.one(call, _vlan(vlan, holders, await call.directory()), version=str(vlan.version))


async def edit_vlan(call: Call) -> Response:
    """Meta and tags."""
    found = await owned.get_owned(call.cloud, call.account, VLAN, call.uuid)
    query.check_match(call, str(found.version))
    sent = wire.validated(VlanEdited, await call.content())
    changes = await _meta_and_tags(call, sent, found)
    return await _one_vlan(
        call, await owned.edit_owned(call.cloud, call.account, VLAN, call.uuid, lambda it: replace(it, **changes))
    )


# ---------------------------------------------------------------------------------------------------- firewall policies


def _policy(policy: FirewallPolicy, holders: Mapping[str, Sequence[Interface]], directory: Directory) -> dict[str, Any]:
    return {
        **_common(policy, "fwpolicies", directory),
        "name": policy.name,
        "rules": list(policy.rules),
        "servers": _servers(holders.get(policy.id, ())),
    }


async def _list_policies(call: Call, *, is_detailed: bool) -> Response:
    directory = await call.directory()
    found = await owned.list_owned(call.cloud, call.account, FIREWALL_POLICY)
    holders = await networks.interfaces_with(call.cloud, "policy_id", [each.id for each in found])
    details = [_policy(each, holders, directory) for each in found]
    return await query.page_of(call, schema.POLICIES, details, is_detailed=is_detailed)


async def list_policies(call: Call) -> Response:
    return await _list_policies(call, is_detailed=False)


async def detail_policies(call: Call) -> Response:
    return await _list_policies(call, is_detailed=True)


async def get_policy(call: Call) -> Response:
    """Also what the accounts in some state may not do, which is in no list and cannot be changed."""
    default = _default_policy(call)
    if default is not None:
        return query.one(call, {**default, "meta": {}, "owner": None, "servers": [], "tags": []})
    return await _one_policy(call, await owned.get_owned(call.cloud, call.account, FIREWALL_POLICY, call.uuid))


def _default_policy(call: Call) -> dict[str, Any] | None:
    return nics.restriction_by_id(UUID(call.cloud.store.cloud_id), call.uuid)


def _check_is_own(call: Call) -> None:
    """Raises Forbidden."""
    if _default_policy(call) is not None:
        raise Forbidden("change the firewall policy", "it is a default restriction of the cloud")


async def _one_policy(call: Call, policy: FirewallPolicy) -> Response:
    holders = await networks.interfaces_with(call.cloud, "policy_id", [policy.id])
    return query.one(call, _policy(policy, holders, await call.directory()), version=str(policy.version))


async def create_policies(call: Call) -> Response:
    """One or many, all or none. An empty object is a policy without a name and without rules."""
    wanted = []
    for each in bodies.objects_of(await call.content()):
        sent = wire.validated(PolicySent, each)
        tags = await call.words(sent.tags, call.account.project_id, ())
        rules = networks.rules_of([rule.model_dump() for rule in sent.rules])
        now = call.cloud.clock.now()
        wanted.append(FirewallPolicy("", "", "", now, sent.name, rules, sent.meta, tags))
    made = await networks.create_policies(call.cloud, call.account, wanted)
    directory = await call.directory()
    objects = [_policy(policy, {}, directory) for policy in made]
    return table.created(objects, objects[0]["resource_uri"])


async def edit_policy(call: Call) -> Response:
    """What is not sent stays."""
    _check_is_own(call)
    found = await owned.get_owned(call.cloud, call.account, FIREWALL_POLICY, call.uuid)
    query.check_match(call, str(found.version))
    sent = wire.validated(PolicySent, await call.content())
    changes = await _meta_and_tags(call, sent, found)
    if "name" in sent.model_fields_set:
        changes["name"] = sent.name
    if "rules" in sent.model_fields_set:
        changes["rules"] = networks.rules_of([rule.model_dump() for rule in sent.rules])
    edited = await owned.edit_owned(
        call.cloud, call.account, FIREWALL_POLICY, call.uuid, lambda it: replace(it, **changes)
    )
    return await _one_policy(call, edited)


async def delete_policy(call: Call) -> Response:
    _check_is_own(call)
    await networks.delete_policy(call.cloud, call.account, call.uuid)
    return table.gone()


# ----------------------------------------------------------------------------------------------------------------- keys


def _key_pair(key_pair: KeyPair, directory: Directory, private_key: str | None = None) -> dict[str, Any]:
    return {
        **_common(key_pair, "keypairs", directory),
        "fingerprint": key_pair.fingerprint,
        "grantees": [],
        "name": key_pair.name,
        "permissions": [],
        "private_key": private_key or "",
        "public_key": key_pair.public_key,
    }


def _public_key(key_pair: KeyPair, directory: Directory) -> dict[str, Any]:
    detail = {**_key_pair(key_pair, directory), "has_private_key": False}
    del detail["private_key"]
    return {**detail, "resource_uri": f"{PREFIX}/pubkeys/{key_pair.id}/"}


async def list_key_pairs(call: Call) -> Response:
    """The plain list is as detailed."""
    directory = await call.directory()
    found = await owned.list_owned(call.cloud, call.account, KEY_PAIR)
    return await query.page_of(call, schema.KEY_PAIRS, [_key_pair(each, directory) for each in found])


async def list_public_keys(call: Call) -> Response:
    directory = await call.directory()
    found = await owned.list_owned(call.cloud, call.account, KEY_PAIR)
    return await query.page_of(call, schema.PUBLIC_KEYS, [_public_key(each, directory) for each in found])


async def get_key_pair(call: Call) -> Response:
    found = await owned.get_owned(call.cloud, call.account, KEY_PAIR, call.uuid)
    return query.one(call, _key_pair(found, await call.directory()), version=str(found.version))


async def get_public_key(call: Call) -> Response:
    found = await owned.get_owned(call.cloud, call.account, KEY_PAIR, call.uuid)
    return query.one(call, _public_key(found, await call.directory()), version=str(found.version))


async def create_key_pairs(call: Call) -> Response:
    """One or many, all or none. Of a pair that is made here the private half is in this answer and nowhere else."""
    specs = []
    for each in bodies.objects_of(await call.content()):
        sent = wire.validated(KeyPairSent, each)
        if sent.private_key and not sent.public_key:
            raise Invalid("public_key", wire.REQUIRED)
        tags = await call.words(sent.tags, call.account.project_id, ())
        specs.append(key_pairs.KeyPairSpec(sent.name, sent.public_key or None, sent.meta, tags))
    made = await key_pairs.create_key_pairs(call.cloud, call.account, specs)
    directory = await call.directory()
    objects = [_key_pair(each.key_pair, directory, each.private_key) for each in made]
    return table.created(objects, objects[0]["resource_uri"])


async def edit_key_pair(call: Call) -> Response:
    """Name, meta and tags. A key is another key: a public one that differs is refused."""
    found = await owned.get_owned(call.cloud, call.account, KEY_PAIR, call.uuid)
    query.check_match(call, str(found.version))
    sent = wire.validated(KeyPairEdited, await call.content())
    if sent.public_key and sent.public_key.strip() != found.public_key:
        raise Invalid("public_key", "cannot be changed; import the other key and delete this one")
    changes = await _meta_and_tags(call, sent, found)
    if "name" in sent.model_fields_set:
        changes["name"] = sent.name
    edited = await owned.edit_owned(call.cloud, call.account, KEY_PAIR, call.uuid, lambda it: replace(it, **changes))
    return query.one(call, _key_pair(edited, await call.directory()), version=str(edited.version))


async def delete_key_pair(call: Call) -> Response:
    """Servers that had it go on without."""
    await owned.remove_owned(call.cloud, call.account, KEY_PAIR, call.uuid)
    return table.gone()


PATHS = (
    Path("/ips", {"GET": list_addresses}),
    Path("/ips/detail", {"GET": detail_addresses}),
    Path("/ips/schema", {"GET": schema.handler(schema.ADDRESSES)}),
    Path("/ips/{uuid}", {"GET": get_address, "PUT": edit_address}),
    Path("/vlans", {"GET": list_vlans}),
    Path("/vlans/detail", {"GET": detail_vlans}),
    Path("/vlans/schema", {"GET": schema.handler(schema.VLANS)}),
    Path("/vlans/{uuid}", {"GET": get_vlan, "PUT": edit_vlan}),
    Path("/fwpolicies", {"GET": list_policies, "POST": create_policies}),
    Path("/fwpolicies/detail", {"GET": detail_policies}),
    Path("/fwpolicies/schema", {"GET": schema.handler(schema.POLICIES)}),
    Path("/fwpolicies/{uuid}", {"GET": get_policy, "PUT": edit_policy, "DELETE": delete_policy}),
    Path("/keypairs", {"GET": list_key_pairs, "POST": create_key_pairs}),
    Path("/keypairs/detail", {"GET": list_key_pairs}),
    Path("/keypairs/schema", {"GET": schema.handler(schema.KEY_PAIRS)}),
    Path("/keypairs/{uuid}", {"GET": get_key_pair, "PUT": edit_key_pair, "DELETE": delete_key_pair}),
    Path("/pubkeys", {"GET": list_public_keys}),
    Path("/pubkeys/detail", {"GET": list_public_keys}),
    Path("/pubkeys/schema", {"GET": schema.handler(schema.PUBLIC_KEYS)}),
    Path("/pubkeys/{uuid}", {"GET": get_public_key}),
)
