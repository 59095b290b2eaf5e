"""What backups are of: instances, projects, customers; and the flavors that they are restored with.

Only as much of these as backups need: an instance is shown and deleted, and made and started through the other APIs.
"""

from __future__ import annotations

from starlette.responses import Response

from backend.cloud.catalogue import FLAVORS
from backend.cloud.errors import NotFound
from backend.dialects import wire
from backend.dialects.nodeconductor import links, pages, render
from backend.dialects.nodeconductor.table import Call
from backend.operations import backup_views, servers


async def list_instances(call: Call) -> Response:
    """**Source**: NodeConductor 0.97: `hostname`, later `name`, is a part of the name in either case."""
    page = pages.page_of(call)
    query = call.request.query_params
    found, total = await backup_views.page_of_instances(
        call.cloud,
        call.account,
        offset=page.offset,
        limit=page.size,
        name=query.get("hostname") or query.get("name") or "",
    )
    known = {each.id: each for each in (await backup_views.directory(call.cloud, call.account)).projects}
    return pages.answer(
        call, page, [render.instance(call, each, known.get(each.server.project_id)) for each in found], total
    )


def _given(call: Call) -> str:
    return str(call.request.path_params["uuid"])


def _server_id(call: Call) -> str:
    id = links.id_of(_given(call))
    if id is None:
        raise NotFound("server", _given(call))
    return id


async def show_instance(call: Call) -> Response:
    server = await servers.get_server(call.cloud, call.account, _server_id(call))
    (shown,) = await backup_views.show_instances(call.cloud, [server])
    known = {each.id: each for each in (await backup_views.directory(call.cloud, call.account)).projects}
    return wire.JsonAnswer(render.instance(call, shown, known.get(server.project_id)))


async def delete_instance(call: Call) -> Response:
    """**Source**: refused while there are backups; schedules alone do not keep it."""
    await backup_views.delete_instance(call.cloud, call.account, _server_id(call))
    return Response(status_code=204)


async def list_flavors(call: Call) -> Response:
    page = pages.page_of(call)
    found = FLAVORS[page.offset : page.offset + page.size]
    return pages.answer(call, page, [render.flavor(call, each) for each in found], len(FLAVORS))


async def show_flavor(call: Call) -> Response:
    found = links.find_flavor(call.cloud, _given(call))
    if found is None:
        raise NotFound("flavor", _given(call))
    return wire.JsonAnswer(render.flavor(call, found))


async def list_projects(call: Call) -> Response:
    page, known = pages.page_of(call), await backup_views.directory(call.cloud, call.account)
    found = known.projects[page.offset : page.offset + page.size]
    return pages.answer(call, page, [render.project(call, each) for each in found], len(known.projects))


async def show_project(call: Call) -> Response:
    known = {each.id: each for each in (await backup_views.directory(call.cloud, call.account)).projects}
    id = links.find_id(_given(call), known)
    if id is None:
        raise NotFound("project", _given(call))
    return wire.JsonAnswer(render.project(call, known[id]))


async def list_customers(call: Call) -> Response:
    page, known = pages.page_of(call), await backup_views.directory(call.cloud, call.account)
    found = list(known.customers.items())[page.offset : page.offset + page.size]
    return pages.answer(call, page, [render.customer(call, *each) for each in found], len(known.customers))


async def show_customer(call: Call) -> Response:
    known = (await backup_views.directory(call.cloud, call.account)).customers
    id = links.find_id(_given(call), known)
    if id is None:
        raise NotFound("customer", _given(call))
    return wire.JsonAnswer(render.customer(call, id, known[id]))
