"""The library's images as Glance shows them: filters, order, pages, and the schema that describes them.

Source: Image API v2, "List images" and "Show image"; sizes are bytes, `min_disk` GiB and `min_ram` MiB.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from backend.cloud.catalogue import IMAGES, Image
from backend.cloud.errors import Invalid
from backend.cloud.model import GIB
from backend.dialects import wire

PATH = "/v2/images"
"""In links without the address of the service, as Glance writes them."""

LIMIT_DEFAULT = 25
LIMIT_MAX = 1000
"""Source: Glance, `limit_param_default` and `api_limit_max`."""

MEMORY_MIB_MIN = 256

VISIBILITIES = ("all", "public", "private", "community", "shared")
STATUSES = (
    "active", "deactivated", "deleted", "importing", "killed", "pending_delete", "queued", "saving", "uploading",
)  # fmt: skip
MANY_OF = ("container_format", "disk_format", "id", "name", "status")
"""What may be asked for as `in:one,other`."""


def images(created_at: datetime) -> list[dict[str, Any]]:
    """All of them, the newest first by Glance's order; they are as old as the cloud."""
    return [_image(image, created_at) for image in IMAGES]


def _image(image: Image, created_at: datetime) -> dict[str, Any]:
    at = wire.instant_text(created_at.replace(microsecond=0))
    return {
        "name": image.name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "public",
        "size": image.size_bytes,
        "virtual_size": image.size_bytes,
        "status": "active",
        "checksum": None,
        "protected": True,
        "min_ram": MEMORY_MIB_MIN,
        "min_disk": image.size_bytes // GIB,
        "owner": None,
        "os_hidden": False,
        "os_hash_algo": None,
        "os_hash_value": None,
        "os_distro": image.os,
        "os_version": image.version,
        "os_admin_user": image.user,
        "id": image.id,
        "created_at": at,
        "updated_at": at,
        "tags": [],
        "self": f"{PATH}/{image.id}",
        "file": f"{PATH}/{image.id}/file",
        "schema": "/v2/schemas/image",
    }


# --------------------------------------------------------------------------------------------------------------- pages


def page(found: Sequence[Mapping[str, Any]], query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """One page of those that pass every filter. Raises Invalid for what Glance answers 400."""
    pairs = list(query)
    wanted = dict(pairs)
    limit = _limit(wanted.get("limit"))
    rows = _ordered([row for row in found if all(_passes(row, key, value) for key, value in pairs)], pairs)
    marker = wanted.get("marker")
    if marker is not None:
        at = next((at for at, row in enumerate(rows) if row["id"] == marker), None)
        if at is None:
            raise Invalid("marker", f"Invalid marker: {marker!r} is the id of no image in this list")
        rows = rows[at + 1 :]
    cut = rows[:limit]
    kept = [(key, value) for key, value in pairs if key != "marker"]
    content: dict[str, Any] = {"images": cut, "first": _link(kept), "schema": "/v2/schemas/images"}
    # Source: Glance: a page that is full has a next one, which may be empty.
    if cut and len(cut) == limit:
        content["next"] = _link([*kept, ("marker", cut[-1]["id"])])
    return content


def _link(pairs: Sequence[tuple[str, str]]) -> str:
    return f"{PATH}?{urlencode(pairs)}" if pairs else PATH


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Invalid("limit", f"limit param must be an integer, 0 or more, and not {text!r}")
    return min(int(text), LIMIT_MAX)


def _ordered(rows: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """By `sort=name:asc,size`, or by each `sort_key` with its `sort_dir`; the library's own order without either."""
    wanted = dict(pairs)
    if "sort" in wanted:
        if "sort_key" in wanted or "sort_dir" in wanted:
            raise Invalid("sort", "Old and new sorting syntax cannot be combined: leave out sort_key and sort_dir")
        parts = [part.partition(":") for part in wire.comma_list(wanted["sort"])]
        keys = [(key, direction or "desc") for key, _, direction in parts]
    else:
        directions = [value for key, value in pairs if key == "sort_dir"] or ["desc"]
        names = [value for key, value in pairs if key == "sort_key"]
        if len(directions) not in (1, len(names)):
            raise Invalid("sort_dir", "Number of sort dirs does not match the number of sort keys")
        keys = list(zip(names, directions * (len(names) if len(directions) == 1 else 1), strict=True))
        for direction in directions:
            _check_direction(direction)
    ordered = list(rows)
    for key, direction in reversed(keys):
        _check_direction(direction)
        if key not in SORT_KEYS:
            raise Invalid("sort_key", f"Invalid sort key: {key}; it is one of {', '.join(sorted(SORT_KEYS))}")
        ordered.sort(key=_key_of(key), reverse=direction == "desc")
    return ordered


def _check_direction(direction: str) -> None:
    if direction not in ("asc", "desc"):
        raise Invalid("sort_dir", f"Invalid sort direction: {direction}; it is asc or desc")


SORT_KEYS = frozenset(
    {"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"}
)  # fmt: skip
"""Source: Image API v2, "Sorting"."""


def _key_of(key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row[key]


# ------------------------------------------------------------------------------------------------------------- filters

_NO_FILTERS = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir"})

_COMPARISONS: Mapping[str, Callable[[datetime, datetime], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _passes(row: Mapping[str, Any], key: str, value: str) -> bool:
    """Whether an image has what one parameter asks for; one that has no such property does not. Raises Invalid."""
    match key:
        case _ if key in _NO_FILTERS:
            return True
        case "visibility":
            if value not in VISIBILITIES:
                raise Invalid(key, f"Invalid visibility value: {value}; it is one of {', '.join(VISIBILITIES)}")
            return value in ("all", row[key])
        case "tag":
            return value in row["tags"]
        case "size_min" | "size_max":
            if not (value.isascii() and value.isdigit() and len(value) <= 18):
                raise Invalid(key, f"Malformed filter: {value!r} is not a whole number of bytes")
            return bool(row["size"] >= int(value) if key == "size_min" else row["size"] <= int(value))
        case "created_at" | "updated_at":
            return _is_at(str(row[key]), key, value)
        case "os_hidden" | "protected":
            if value.lower() not in ("true", "false"):
                raise Invalid(key, f"must be true or false, and not {value!r}")
            return bool((value.lower() == "true") == row[key])
        case "member_status":
            return True
    wanted = _one_of(key, value)
    if key == "status" and (unknown := [each for each in wanted if each not in STATUSES]):
        raise Invalid(key, f"Invalid status value: {unknown[0]}; it is one of {', '.join(STATUSES)}")
    return key in row and str(row[key]) in wanted


def _one_of(key: str, value: str) -> tuple[str, ...]:
    """`in:one,other` where that is possible; a value with a comma is in quotation marks."""
    if key not in MANY_OF or not value.startswith("in:"):
        return (value,)
    parts: list[str] = []
    text, is_quoted = "", False
    for character in value.removeprefix("in:"):
        if character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            parts.append(text)
            text = ""
        else:
            text += character
    if is_quoted:
        raise Invalid(key, f"Unterminated quote in the filter {value!r}")
    return (*parts, text)


def _is_at(own: str, key: str, value: str) -> bool:
    """`gte:2026-11-20T00:00:00Z`; without a word, exactly then."""
    word, colon, rest = value.partition(":")
    comparison, wanted = (word, rest) if colon and word in _COMPARISONS else ("eq", value)
    try:
        at = datetime.fromisoformat(wanted)
    except ValueError:
        raise Invalid(key, f"{wanted!r} is not an instant such as gte:2026-11-20T14:03:27Z") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return _COMPARISONS[comparison](datetime.fromisoformat(own), at)


# -------------------------------------------------------------------------------------------------------------- schema

_TYPES: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", list: "array", type(None): "null"}


def image_schema() -> dict[str, Any]:
    """From an image itself, so that the two agree. Simplified: without help texts, and everything is read-only."""
    example = _image(IMAGES[0], datetime.min)
    properties = {key: {"type": ["null", "string"] if value is None else _TYPES[type(value)], "readOnly": True}
                  for key, value in example.items()}  # fmt: skip
    return {
        "name": "image",
        "properties": properties,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def images_schema() -> dict[str, Any]:
    return {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image_schema()},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }
