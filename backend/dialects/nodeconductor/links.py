"""Hyperlinks: every relation is an absolute address, and a client may send one back with or without its host.

An id in an address has no dashes. **Source**: NodeConductor: scheme and host of what is sent are never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from backend.cloud.catalogue import FLAVORS, Flavor
from backend.cloud.model import CUSTOMER, PROJECT, SERVER
from backend.dialects.nodeconductor.table import PREFIX, Call, FieldsRefused
from backend.operations import Cloud, backup_views
from backend.quoting import shown

COLLECTIONS = {SERVER: "instances", PROJECT: "projects", CUSTOMER: "customers"}
"""Where each kind of source is found."""

_KINDS = {collection: kind for kind, collection in COLLECTIONS.items()}
_PATH = re.compile(rf"{PREFIX}/([a-z-]+)/([0-9A-Za-z_-]{{1,64}})/?")


def id_text(id: str) -> str:
    return id.replace("-", "")


def id_of(text: str) -> str | None:
    """The id as the cloud knows it; None where it is no UUID."""
    try:
        return str(UUID(text)) if len(text) in (32, 36) else None
    except ValueError:
        return None


def url(call: Call, collection: str, id: str) -> str:
    return f"{call.origin}{PREFIX}/{collection}/{id_text(id)}/"


def source_url(call: Call, kind: str, id: str) -> str:
    return url(call, COLLECTIONS[kind], id)


def flavor_id(cloud: Cloud, flavor: Flavor) -> str:
    """Flavors have short names for ids here, and UUIDs there."""
    return str(uuid5(UUID(cloud.store.cloud_id), f"flavor/{flavor.id}"))


def find_flavor(cloud: Cloud, text: str) -> Flavor | None:
    wanted = id_of(text)
    return next((flavor for flavor in FLAVORS if flavor_id(cloud, flavor) == wanted), None)


def parts_of(address: str) -> tuple[str, str] | None:
    """The collection and the id that an address names; None where it is none of this API."""
    try:
        match = _PATH.fullmatch(urlsplit(address.strip()).path)
    except ValueError:
        return None
    return None if match is None else (match[1], match[2])


def unresolved(field: str, address: str) -> FieldsRefused:
    """**Source**: NodeConductor, its text; what is not visible is answered the same, so that nobody learns of it."""
    return FieldsRefused(
        {field: [f"Can`t restore object from url: {shown(address)}. Give the url of an object that you can see."]}
    )


def find_id(text: str, known: Iterable[str]) -> str | None:
    """Which of the ids was meant: those of projects and customers are whatever they are."""
    wanted = id_text(text).lower()
    return next((id for id in known if id_text(id) == wanted), None)


async def source_of(call: Call, address: str) -> tuple[str, str]:
    """The kind and id of the source that `backup_source` names. Raises FieldsRefused."""
    found = parts_of(address)
    if found is None:
        raise unresolved("backup_source", address)
    collection, text = found
    kind = _KINDS.get(collection)
    if kind is None:
        sentence = f"{shown(address)} object is unbackupable. What can be backed up is found under {', '.join(_KINDS)}."
        raise FieldsRefused({"backup_source": [sentence]})
    id = id_of(text)
    if kind != SERVER:
        known = await backup_views.directory(call.cloud, call.account)
        id = find_id(text, [each.id for each in known.projects] if kind == PROJECT else known.customers)
    if id is None:
        raise unresolved("backup_source", address)
    return kind, id
