"""Flavors and server groups.

**Source**: Compute API reference, "Flavors", "Server groups".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from backend.cloud.catalogue import FLAVORS, Flavor, find_flavor, flavor_of
from backend.cloud.model import MIB, VCPU_MHZ, Size
from backend.dialects.nova import shapes
from backend.dialects.nova.listing import view_of
from backend.dialects.nova.render import user_id_of
from backend.dialects.nova.table import Call, answer, bad_request, empty, not_found
from backend.dialects.nova.versions import ROOT
from backend.dialects.openstack import id_text
from backend.operations import server_groups
from backend.store import ServerGroup

_DIGITS: shapes.Schema = {"type": "string", "pattern": "^[0-9]*$"}
_CUSTOM = re.compile(r"custom-([1-9][0-9]{0,5})-([1-9][0-9]{0,8})")


# -------------------------------------------------------------------------------------------------------------- flavors


async def list_flavors(call: Call) -> Response:
    return _list_flavors(call, is_detailed=False)


async def list_flavors_detail(call: Call) -> Response:
    return _list_flavors(call, is_detailed=True)


def _list_flavors(call: Call, *, is_detailed: bool) -> Response:
    query = call.request.query_params
    given = {name: query[name] for name in ("limit", "minRam", "minDisk") if name in query}
    shapes.check({"type": "object", "properties": dict.fromkeys(given, _DIGITS)}, given, what="query parameters")
    # All of them are public.
    found = [] if query.get("is_public", "").lower() in ("false", "0", "no", "off") and call.is_admin else list(FLAVORS)
    least_ram, least_disk = _number(query.get("minRam"), 0), _number(query.get("minDisk"), 0)
    found = [each for each in found if each.memory_mib >= least_ram and each.disk_gib >= least_disk]
    found.sort(key=_FLAVOR_KEYS.get(query.get("sort_key", "flavorid"), _FLAVOR_KEYS["flavorid"]))
    if query.get("sort_dir", "asc").lower() == "desc":
        found.reverse()
    marker = query.get("marker")
    if marker is not None:
        ids = [each.id for each in found]
        if marker not in ids:
            raise bad_request(f"marker [{marker[:255]}] not found")
        found = found[ids.index(marker) + 1 :]
    limit = min(1000, _number(query.get("limit"), 1000))
    page = found[:limit]
    draw = _flavor_detail if is_detailed else _flavor_brief
    content: dict[str, Any] = {"flavors": [draw(call, each) for each in page]}
    if page and len(page) == limit:
        path = "flavors/detail" if is_detailed else "flavors"
        href = f"{call.base}{ROOT}/{path}?limit={limit}&marker={page[-1].id}"
        content["flavors_links"] = [{"rel": "next", "href": href}]
    return answer(content)


_FLAVOR_KEYS: Mapping[str, Any] = {
    "flavorid": lambda each: each.id,
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "memory_mb": lambda each: (each.memory_mib, each.id),
    "vcpus": lambda each: (each.vcpus, each.id),
    "root_gb": lambda each: (each.disk_gib, each.id),
}


def _number(text: str | None, default: int) -> int:
    return int(text) if text and len(text) <= 15 else default


async def show_flavor(call: Call) -> Response:
    return answer({"flavor": _flavor_detail(call, _find_flavor(call))})


async def show_extra_specs(call: Call) -> Response:
    _find_flavor(call)
    return answer({"extra_specs": {}})


def _find_flavor(call: Call) -> Flavor:
    """One of the list, or the one that a server made with a size is shown with. Raises WireError 404."""
    id = call.part("id")
    custom = _CUSTOM.fullmatch(id)
    if custom is not None:
        return flavor_of(Size(int(custom[1]) * VCPU_MHZ, int(custom[2]) * MIB))
    found = find_flavor(id)
    if found is None:
        raise not_found(f"Flavor {id[:255]} could not be found.")
    return found


def _flavor_brief(call: Call, flavor: Flavor) -> dict[str, Any]:
    row: dict[str, Any] = {"id": flavor.id, "name": flavor.name, "links": view_of(call).links(f"flavors/{flavor.id}")}
    if call.minor >= 55:
        row["description"] = None
    return row


def _flavor_detail(call: Call, flavor: Flavor) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.memory_mib,
        "disk": flavor.disk_gib,
        "swap": 0 if call.minor >= 75 else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": view_of(call).links(f"flavors/{flavor.id}"),
    }
    if call.minor >= 55:
        row["description"] = None
    if call.minor >= 61:
        row["extra_specs"] = {}
    return row


# -------------------------------------------------------------------------------------------------------- server groups

_POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")
_SOFT_SINCE, _RULES_SINCE = 15, 64


def _group_schema(call: Call) -> shapes.Schema:
    policy: shapes.Schema = {"type": "string", "enum": _POLICIES if call.minor >= _SOFT_SINCE else _POLICIES[:2]}
    if call.minor < _RULES_SINCE:
        policies = {"type": "array", "items": policy, "minItems": 1, "maxItems": 1}
        properties: dict[str, Any] = {"name": shapes.NAME, "policies": policies}
        required: tuple[str, ...] = ("name", "policies")
    else:
        most: shapes.Schema = {"type": ["integer", "string"], "pattern": r"^[0-9]{1,9}\Z", "minimum": 1}
        rules = {"type": "object", "properties": {"max_server_per_host": most}, "additionalProperties": False}
        properties = {"name": shapes.NAME, "policy": policy, "rules": rules}
        required = ("name", "policy")
    inner = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return shapes.an_object("server_group", inner)


async def create_group(call: Call) -> Response:
    """Hard and soft anti-affinity. Affinity is refused: this cloud keeps servers apart, never together."""
    content = await call.content()
    shapes.check(_group_schema(call), content)
    sent = content["server_group"]
    policy = sent["policy"] if "policy" in sent else sent["policies"][0]
    if policy not in ("anti-affinity", "soft-anti-affinity"):
        raise bad_request(
            f"Policy {policy} is not supported: use anti-affinity or soft-anti-affinity. This cloud places servers "
            "apart, never together."
        )
    rules = sent.get("rules", {})
    if rules and policy != "anti-affinity":
        raise bad_request("Only anti-affinity policy supports rules.")
    if int(rules.get("max_server_per_host", 1)) != 1:
        raise bad_request("Rule max_server_per_host can only be 1 in this cloud.")
    group = await server_groups.create_group(call.cloud, call.account, sent["name"], is_hard=policy == "anti-affinity")
    return answer({"server_group": await _group_row(call, group, [])})


async def list_groups(call: Call) -> Response:
    """`all_projects` has an effect for admins only."""
    query = call.request.query_params
    given = {name: query[name] for name in ("limit", "offset") if name in query}
    shapes.check({"type": "object", "properties": dict.fromkeys(given, _DIGITS)}, given, what="query parameters")
    found = await server_groups.list_groups(
        call.cloud, call.account, all_projects=call.is_admin and "all_projects" in query
    )
    offset, limit = _number(query.get("offset"), 0), min(1000, _number(query.get("limit"), 1000))
    page: Sequence[server_groups.GroupWithMembers] = found[offset : offset + limit]
    return answer({"server_groups": [await _group_row(call, group, members) for group, members in page]})


async def show_group(call: Call) -> Response:
    group, members = await server_groups.get_group(call.cloud, call.account, call.part("id"))
    return answer({"server_group": await _group_row(call, group, members)})


async def delete_group(call: Call) -> Response:
    await server_groups.delete_group(call.cloud, call.account, call.part("id"))
    return empty(204)


async def _group_row(call: Call, group: ServerGroup, members: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": group.id, "name": group.name}
    if call.minor < _RULES_SINCE:
        row |= {"policies": [group.policy], "members": members, "metadata": {}}
    else:
        row |= {"policy": group.policy, "rules": {}, "members": members}
    if call.minor >= 13:
        row["project_id"] = id_text(group.project_id)
        row["user_id"] = user_id_of(group.owner, await call.cloud.accounts())
    return row
