"""Who and what there is: versions, projects, users, the one domain. Read only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import Forbidden, NotFound
from backend.cloud.model import Account
from backend.dialects import openstack, wire
from backend.dialects.identity import render
from backend.dialects.identity.table import Call
from backend.operations import accounts


async def versions(call: Call) -> Response:
    """300, as there could be several to choose from."""
    return wire.JsonAnswer({"versions": {"values": [render.version_object(call.origin)]}}, 300)


async def version(call: Call) -> Response:
    return wire.JsonAnswer({"version": render.version_object(call.origin)})


async def own_projects(call: Call) -> Response:
    """Those that the account could have a token for, whatever the token that it asks with is for."""
    account = await _account(call)
    return await _projects(call, account, "/auth/projects")


async def projects(call: Call) -> Response:
    account = await _account(call)
    if not account.is_staff:
        raise Forbidden("identity:list_projects", "only staff may; /v3/auth/projects has your own")
    return await _projects(call, account, "/projects")


async def project(call: Call) -> Response:
    account = await _account(call)
    found = await accounts.list_projects(call.cloud, account)
    id = openstack.find_id(call.id, (each.id for each in found))
    for each in found:
        if each.id == id:
            return wire.JsonAnswer({"project": render.project(each, call.origin)})
    raise NotFound("project", call.id)


async def users(call: Call) -> Response:
    account = await _account(call)
    if not account.is_staff:
        raise Forbidden("identity:list_users", "only staff may")
    found = await accounts.list_accounts(call.cloud, account)
    rows = (render.user(each, call.origin) for each in found)
    return wire.JsonAnswer(render.listed("users", _asked_for(call, rows), call.origin, "/users"))


async def user(call: Call) -> Response:
    return wire.JsonAnswer({"user": render.user(await _user(call, "identity:get_user"), call.origin)})


async def projects_of_user(call: Call) -> Response:
    found = await _user(call, "identity:list_user_projects")
    return await _projects(call, found, f"/users/{openstack.id_text(found.id)}/projects")


async def own_domains(call: Call) -> Response:
    """None: no token is for a domain."""
    await call.holder()
    return wire.JsonAnswer(render.listed("domains", (), call.origin, "/auth/domains"))


async def domains(call: Call) -> Response:
    account = await _account(call)
    if not account.is_staff:
        raise Forbidden("identity:list_domains", "only staff may; the only one is the default one")
    rows = _asked_for(call, [render.domain(call.origin)])
    return wire.JsonAnswer(render.listed("domains", rows, call.origin, "/domains"))


async def domain(call: Call) -> Response:
    await call.holder()
    if call.id != openstack.DOMAIN_ID:
        raise NotFound("domain", call.id)
    return wire.JsonAnswer({"domain": render.domain(call.origin)})


async def _account(call: Call) -> Account:
    """Who asks, with all its projects."""
    return await call.cloud.account((await call.holder()).account.name)


async def _user(call: Call, action: str) -> Account:
    """The account of the path: one's own, or any for staff. Raises Forbidden, NotFound."""
    account = await _account(call)
    known = (await call.cloud.accounts()).values()
    id = openstack.find_id(call.id, (each.id for each in known))
    if id != account.id and not account.is_staff:
        raise Forbidden(action, "only staff may, of other accounts")
    for each in known:
        if each.id == id:
            return each
    raise NotFound("user", call.id)


async def _projects(call: Call, account: Account, path: str) -> Response:
    found = await accounts.list_projects(call.cloud, account)
    rows = (render.project(each, call.origin) for each in found)
    return wire.JsonAnswer(render.listed("projects", _asked_for(call, rows), call.origin, path))


def _asked_for(call: Call, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that have what the query says of them; what it says of keys that they have not is let pass.

    Source: Keystone's drivers drop filters that they do not know.
    """
    wanted = call.request.query_params
    return [row for row in rows if all(_word(row[key]) == _word(wanted[key]) for key in wanted if key in row)]


def _word(value: Any) -> str:
    """Truth is written `true`, `True` or `1` by different clients."""
    word = str(value)
    return {"true": "1", "false": "0"}.get(word.lower(), word)
