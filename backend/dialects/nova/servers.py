"""One server: show, create, update, delete, its metadata and its tags.

**Source**: Compute API reference, "Servers", "Server metadata", "Server tags".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from backend.cloud.errors import NotFound
from backend.cloud.model import Drive, PartialServer, Server
from backend.dialects.nova import render, shapes
from backend.dialects.nova.listing import view_of
from backend.dialects.nova.making import CREATE, HOSTNAME, boot_spec, booted
from backend.dialects.nova.render import NOTES, Shown
from backend.dialects.nova.table import NO_CONNECTION, Call, answer, bad_request, empty, not_found, unexpected
from backend.dialects.nova.versions import ROOT
from backend.operations import boots
from backend.operations import drives as drive_operations
from backend.operations import servers as operations
from backend.store import ServerEntry

METADATA_ITEMS_MAX = 128
TAGS_MAX = 50
TAG_LENGTH_MAX = 60


async def find(call: Call) -> tuple[ServerEntry, Server | None]:
    """The server of the path, None while its cell does not answer. Raises NotFound, in either case the same."""
    entry = await operations.entry_for(call.cloud, call.account, call.part("id"))
    (found,) = await operations.read_servers(call.cloud, [entry])
    if found is None:
        raise NotFound("server", entry.id)
    return entry, None if isinstance(found, PartialServer) else found


async def find_up(call: Call, exception: str | None = None) -> tuple[ServerEntry, Server]:
    """Raises NotFound; WireError 500 while its cell does not answer."""
    entry, server = await find(call)
    if server is None:
        raise unexpected(exception) if exception else unexpected()
    return entry, server


async def drives_of(call: Call, server: Server) -> list[Drive]:
    return (await drive_operations.drives_of(call.cloud, [server.id])).get(server.id, [])


async def shown(call: Call, entry: ServerEntry, server: Server) -> Shown:
    accounts = await call.cloud.accounts()
    return Shown(server, entry, await drives_of(call, server), render.user_id_of(server.owner, accounts))


# ------------------------------------------------------------------------------------------------------ show and create


async def show(call: Call) -> Response:
    """While the cell does not answer: what is centrally known, from 2.69 on; 500 before, as Nova does."""
    entry, server = await find(call)
    view = view_of(call)
    if server is not None:
        return answer({"server": render.whole(view, await shown(call, entry, server))})
    if call.minor < 69:
        raise unexpected()
    drives = await call.cloud.store.cloud_read(lambda tx: tx.drive_entries_of(entry.id))
    disk_bytes = drives[0].size_bytes if drives else 0
    user_id = render.user_id_of(entry.owner, await call.cloud.accounts())
    return answer({"server": render.whole_partial(view, entry, disk_bytes=disk_bytes, user_id=user_id)})


async def create(call: Call) -> Response:
    """202 at once, with BUILD; a server that no host has room for is in ERROR, and its fault says why."""
    content = await call.content()
    shapes.check(CREATE, content)
    spec = boot_spec(call, content)
    server = await booted(call, spec)
    links = view_of(call).links(f"servers/{server.id}")
    body = {
        "security_groups": [{"name": name} for name in spec.security_groups],
        "OS-DCF:diskConfig": spec.attributes[NOTES]["disk_config"],
        "id": server.id,
        "links": links,
        "adminPass": secrets.token_urlsafe(9),
    }
    return answer({"server": body}, 202, {"Location": f"{call.base}{ROOT}/servers/{server.id}"})


# ---------------------------------------------------------------------------------------------------- update and delete

_UPDATE_SINCE: Mapping[str, int] = {"description": 19, "hostname": 90}
_UPDATE_PROPERTIES: Mapping[str, shapes.Schema] = {
    "name": shapes.NAME,
    "accessIPv4": {"type": ["string", "null"], "maxLength": 45},
    "accessIPv6": {"type": ["string", "null"], "maxLength": 45},
    "OS-DCF:diskConfig": {"type": "string", "enum": ("AUTO", "MANUAL")},
    "description": shapes.TEXT_OR_NULL,
    "hostname": HOSTNAME,
}
_NOTE_NAMES = {"OS-DCF:diskConfig": "disk_config"}


async def update(call: Call) -> Response:
    content = await call.content()
    properties = {
        name: schema for name, schema in _UPDATE_PROPERTIES.items() if call.minor >= _UPDATE_SINCE.get(name, 1)
    }
    shapes.check(
        shapes.an_object("server", {"type": "object", "properties": properties, "additionalProperties": False}), content
    )
    sent: dict[str, Any] = content["server"]
    await find_up(call)

    def change(server: Server) -> Server:
        notes = {_NOTE_NAMES.get(name, name): value for name, value in sent.items() if name != "name"}
        name = sent.get("name", server.name)
        return replace(_noted(server, notes), name=name)

    server = await boots.amend_server(call.cloud, call.account, call.part("id"), change)
    entry = await operations.entry_for(call.cloud, call.account, server.id)
    return answer({"server": render.updated(view_of(call), await shown(call, entry, server))})


def _noted(server: Server, notes: Mapping[str, Any]) -> Server:
    if not notes:
        return server
    return replace(server, attributes={**server.attributes, NOTES: {**render.notes_of(server), **notes}})


async def delete(call: Call) -> Response:
    """In any state. Its own disk goes with it, and so do volumes that are to be deleted on termination."""
    await find_up(call)
    await boots.delete_server(call.cloud, call.account, call.part("id"))
    return empty(204)


async def addresses(call: Call) -> Response:
    await find_up(call)
    return answer({"addresses": {}})


# ------------------------------------------------------------------------------------------------------------- metadata

_METADATA = shapes.an_object("metadata", shapes.METADATA)
_META = shapes.an_object("meta", {**shapes.METADATA, "maxProperties": 1})


async def list_metadata(call: Call) -> Response:
    _, server = await find_up(call)
    return answer({"metadata": dict(server.meta)})


async def add_metadata(call: Call) -> Response:
    sent = await _metadata_sent(call)
    server = await _amend_metadata(call, lambda before: {**before, **sent})
    return answer({"metadata": dict(server.meta)})


async def replace_metadata(call: Call) -> Response:
    sent = await _metadata_sent(call)
    server = await _amend_metadata(call, lambda before: sent)
    return answer({"metadata": dict(server.meta)})


async def _metadata_sent(call: Call) -> dict[str, str]:
    content = await call.content()
    shapes.check(_METADATA, content)
    found: dict[str, str] = content["metadata"]
    return found


async def show_meta(call: Call) -> Response:
    _, server = await find_up(call)
    key = call.part("key")
    if key not in server.meta:
        raise not_found("Metadata item was not found")
    return answer({"meta": {key: server.meta[key]}})


async def put_meta(call: Call) -> Response:
    content = await call.content()
    shapes.check(_META, content)
    sent: dict[str, str] = content["meta"]
    if list(sent) != [call.part("key")]:
        raise bad_request("Request body and URI mismatch")
    await _amend_metadata(call, lambda before: {**before, **sent})
    return answer({"meta": sent})


async def delete_meta(call: Call) -> Response:
    key = call.part("key")

    def without(before: Mapping[str, str]) -> dict[str, str]:
        if key not in before:
            raise not_found("Metadata item was not found")
        return {name: value for name, value in before.items() if name != key}

    await _amend_metadata(call, without)
    return empty(204)


async def _amend_metadata(call: Call, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Server:
    await find_up(call)

    def amend(server: Server) -> Server:
        after = change(server.meta)
        if len(after) > METADATA_ITEMS_MAX:
            raise bad_request(f"Maximum number of metadata items exceeds {METADATA_ITEMS_MAX}")
        return replace(server, meta=after)

    return await boots.amend_server(call.cloud, call.account, call.part("id"), amend)


# ----------------------------------------------------------------------------------------------------------------- tags

TAG: shapes.Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": TAG_LENGTH_MAX,
    "pattern": r"^[^,/\x00-\x1f\x7f-\x9f]*\Z",
}
TAGS: shapes.Schema = {"type": "array", "items": TAG, "maxItems": TAGS_MAX}
_TAGS = shapes.an_object("tags", TAGS)


async def list_tags(call: Call) -> Response:
    entry, server = await find_up(call, NO_CONNECTION)
    return answer({"tags": render.tags_of(server, entry)})


async def replace_tags(call: Call) -> Response:
    content = await call.content()
    shapes.check(_TAGS, content)
    sent: list[str] = content["tags"]
    return answer({"tags": await _amend_tags(call, lambda before: sent)})


async def delete_tags(call: Call) -> Response:
    await _amend_tags(call, lambda before: [])
    return empty(204)


async def show_tag(call: Call) -> Response:
    entry, server = await find_up(call, NO_CONNECTION)
    _require_tag(call, render.tags_of(server, entry))
    return empty(204)


async def put_tag(call: Call) -> Response:
    """201 for a new one, 204 for one that it has."""
    tag = call.part("tag")
    shapes.check({"type": "object", "properties": {"tag": TAG}}, {"tag": tag})
    is_new = False

    def added(before: list[str]) -> list[str]:
        nonlocal is_new
        is_new = tag not in before
        return [*before, tag]

    await _amend_tags(call, added)
    if not is_new:
        return empty(204)
    response = empty(201)
    response.headers["Location"] = f"{call.base}{ROOT}/servers/{call.part('id')}/tags/{tag}".encode().decode("latin-1")
    return response


async def delete_tag(call: Call) -> Response:
    def removed(before: list[str]) -> list[str]:
        _require_tag(call, before)
        return [tag for tag in before if tag != call.part("tag")]

    await _amend_tags(call, removed)
    return empty(204)


def _require_tag(call: Call, tags: list[str]) -> None:
    if call.part("tag") not in tags:
        raise not_found(f"Server {call.part('id')} has no tag '{call.part('tag')[:255]}'")


async def _amend_tags(call: Call, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Of the tags that are the client's; that of its server group stays."""
    entry, _ = await find_up(call, NO_CONNECTION)

    def amend(server: Server) -> Server:
        mine = render.tags_of(server, entry)
        kept = [tag for tag in server.tags if tag not in mine]
        wanted = list(dict.fromkeys(change(mine)))
        if len(wanted) > TAGS_MAX:
            raise bad_request(f"The number of tags exceeded the per-server limit {TAGS_MAX}")
        return replace(server, tags=(*wanted, *(tag for tag in kept if tag not in wanted)))

    server = await boots.amend_server(call.cloud, call.account, call.part("id"), amend)
    return render.tags_of(server, entry)
