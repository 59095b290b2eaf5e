"""`/tags/`: words that servers, drives, IPs and VLANs carry, as objects.

Source: CloudSigma API 2.0, "Tags". A redundancy group is a tag too, called `group:NAME`.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.networks import Tag
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, central, drives, query, schema, servers, table
from backend.dialects.cloudsigma.bodies import TagEdited, TagSent
from backend.dialects.cloudsigma.render import PREFIX, Directory
from backend.dialects.cloudsigma.table import Call, Path
from backend.operations import tags as operations
from backend.operations.tags import TagSpec, View

RESOURCES = {"server": "servers", "drive": "drives", "address": "ips", "vlan": "vlans"}


def _detail(tag: Tag, known: View, directory: Directory) -> dict[str, Any]:
    resources = [
        {
            "owner": directory.owner(each.owner),
            "res_type": RESOURCES[each.kind],
            "resource_uri": f"{PREFIX}/{RESOURCES[each.kind]}/{each.id}/",
            "uuid": each.id,
        }
        for each in known.of(tag)
    ]
    return {
        "meta": tag.meta,
        "name": tag.name,
        "owner": directory.owner(tag.owner),
        "resource_uri": f"{PREFIX}/tags/{tag.id}/",
        "resources": resources,
        "uuid": tag.id,
    }


async def list_detail(call: Call) -> Response:
    """The plain list is as detailed: the published examples of the two are each other's."""
    known, directory = await operations.view(call.cloud, call.account), await call.directory()
    return await query.page_of(call, schema.TAGS, [_detail(tag, known, directory) for tag in known.tags])


async def get(call: Call) -> Response:
    known = await operations.view(call.cloud, call.account)
    return query.one(call, _detail(known.find(call.uuid), known, await call.directory()))


async def create(call: Call) -> Response:
    """One or many. `resources` beside `objects`, which one client sends, belong to no tag and have no effect."""
    specs = []
    for each in bodies.objects_of(await call.content()):
        sent = wire.validated(TagSent, each)
        specs.append(TagSpec(sent.name, sent.meta, tuple(id.lower() for id in sent.resources)))
    made = await operations.create_tags(call.cloud, call.account, specs)
    known, directory = await operations.view(call.cloud, call.account), await call.directory()
    objects = [_detail(tag, known, directory) for tag in made]
    return table.created(objects, objects[0]["resource_uri"])


async def edit(call: Call) -> Response:
    sent = wire.validated(TagEdited, await call.content())
    given = sent.model_fields_set
    spec = TagSpec(
        sent.name if "name" in given else None,
        sent.meta if "meta" in given else None,
        tuple(id.lower() for id in sent.resources) if "resources" in given else None,
    )
    edited = await operations.edit_tag(call.cloud, call.account, call.uuid, spec)
    known = await operations.view(call.cloud, call.account)
    return query.one(call, _detail(edited, known, await call.directory()))


async def delete(call: Call) -> Response:
    await operations.delete_tag(call.cloud, call.account, call.uuid)
    return table.gone()


async def list_carriers(call: Call) -> Response:
    """`/tags/UUID/servers/`, and `/detail/` behind it: those of one kind that carry the tag, as their own lists have.

    Raises NotFound for a tag that there is not.
    """
    known = await operations.view(call.cloud, call.account)
    tag = known.find(call.uuid)
    path = str(call.request.url.path).removeprefix(PREFIX).strip("/").split("/")
    kind, is_detailed = path[2], path[-1] == "detail"
    ids = [each.id for each in known.of(tag) if RESOURCES[each.kind] == kind]
    if kind == "servers":
        details, description = await servers.details_of(call, ids), schema.SERVERS
    elif kind == "drives":
        details, description = await drives.details_of(call, ids), schema.DRIVES
    elif kind == "ips":
        details, description = await central.addresses_of(call, ids), schema.ADDRESSES
    else:
        details, description = await central.vlans_of(call, ids), schema.VLANS
    return await query.page_of(call, description, details, is_detailed=is_detailed)


PATHS = (
    Path("/tags", {"GET": list_detail, "POST": create}),
    Path("/tags/detail", {"GET": list_detail}),
    Path("/tags/schema", {"GET": schema.handler(schema.TAGS)}),
    *(
        Path(f"/tags/{{uuid}}/{kind}{end}", {"GET": list_carriers})
        for kind in RESOURCES.values()
        for end in ("", "/detail")
    ),
    Path("/tags/{uuid}", {"GET": get, "PUT": edit, "DELETE": delete}),
)
