"""What each resource is, once: what is validated, what its schema says, what one can filter and order by.

Source: CloudSigma API 2.0, "Schema", whose documents are those of Tastypie. Simplified: without the published help
texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticUndefined
from starlette.responses import Response

from backend.dialects import wire
from backend.dialects.cloudsigma.bodies import (
    AddressEdited,
    DriveSent,
    KeyPairSent,
    PolicySent,
    ProfileEdited,
    Sent,
    ServerSent,
    SnapshotSent,
    TagSent,
    VlanEdited,
)
from backend.dialects.cloudsigma.table import LIMIT_DEFAULT, Call, Handler

NO_DEFAULT = "No default provided."

_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "float",
    "boolean": "boolean",
    "array": "list",
    "object": "dict",
}


@dataclass(frozen=True, slots=True)
class Description:
    """One resource. `sent` validates what clients write; `read_only` are the other fields, with their types."""

    read_only: Mapping[str, str]
    sent: type[Sent] | None = None
    """None: clients write nothing."""
    short: tuple[str, ...] = ()
    """The fields of the plain list; all of them when there are none here."""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By field, what it can be compared by."""
    ordering: tuple[str, ...] = ()
    list_methods: tuple[str, ...] = ("get", "post", "delete")
    detail_methods: tuple[str, ...] = ("get", "put", "delete")

    def filter_names(self) -> tuple[str, ...]:
        """As query parameters: `name`, `name__contains`, ..."""
        return tuple(
            name if how == "exact" else f"{name}__{how}" for name, hows in self.filters.items() for how in hows
        )

    def fields(self) -> dict[str, dict[str, Any]]:
        """Of each field, what the schema says."""
        found = {name: _said(kind, None, is_read_only=True) for name, kind in self.read_only.items()}
        if self.sent is not None:
            properties = self.sent.model_json_schema()["properties"]
            for name, info in self.sent.model_fields.items():
                default = NO_DEFAULT if info.default is PydanticUndefined else info.default
                found[name] = _said(_kind(properties[name]), default, is_read_only=False)
        return dict(sorted(found.items()))

    def document(self) -> dict[str, Any]:
        return {
            "allowed_detail_http_methods": list(self.detail_methods),
            "allowed_list_http_methods": list(self.list_methods),
            "default_format": "application/json",
            "default_limit": LIMIT_DEFAULT,
            "fields": self.fields(),
            "filtering": {name: list(hows) for name, hows in self.filters.items()},
            "ordering": list(self.ordering),
        }


def _kind(said: Mapping[str, Any]) -> str:
    """The published word for what JSON Schema says of a field, where null and references to it do not matter."""
    choices = [each for each in said.get("anyOf", (said,)) if each.get("type") != "null"]
    return _TYPES.get(choices[0].get("type", ""), "related")


def _said(kind: str, default: Any, *, is_read_only: bool) -> dict[str, Any]:
    return {
        "blank": not is_read_only and default != NO_DEFAULT,
        "default": default,
        "nullable": default is None,
        "readonly": is_read_only,
        "type": kind,
        "unique": False,
    }


def handler(description: Description) -> Handler:
    """Answers with the schema."""

    async def schema(call: Call) -> Response:
        return wire.JsonAnswer(description.document())

    return schema


_OWNED = {
    "grantees": "list",
    "owner": "related",
    "permissions": "list",
    "resource_uri": "string",
    "status": "string",
    "uuid": "string",
}
_FILTERS = {
    "name": ("exact", "contains", "icontains"),
    "status": ("exact",),
    "tag": ("exact", "name"),
    "uuid": ("exact",),
}

SERVERS = Description(
    sent=ServerSent,
    read_only={
        **_OWNED,
        "allocation_pool": "related",
        "epcs": "list",
        "gpus": "list",
        "jobs": "list",
        "runtime": "dict",
    },
    short=("uuid", "name", "owner", "resource_uri", "runtime", "status"),
    filters=_FILTERS,
    ordering=("uuid", "name"),
)
"""Source: CloudSigma API 2.0, servers, "Listing" and "Schema"; also of `/bservers/`."""

_OF_DRIVES = {
    **_OWNED,
    "backup_scheduler": "related",
    "iops": "integer",
    "jobs": "list",
    "licenses": "list",
    "mounted_on": "list",
    "remote_snapshots": "list",
    "runtime": "dict",
    "snapshots": "list",
}

DRIVES = Description(
    sent=DriveSent,
    read_only=_OF_DRIVES,
    short=("uuid", "owner", "resource_uri", "status"),
    filters={**_FILTERS, "media": ("exact",)},
    ordering=("uuid", "name"),
)
"""Source: CloudSigma API 2.0, drives, "Listing" and "Schema"."""

LIBRARY_DRIVES = Description(
    read_only={
        **_OF_DRIVES,
        "affinities": "list",
        "allow_multimount": "boolean",
        "arch": "string",
        "category": "list",
        "description": "string",
        "distribution": "string",
        "favourite": "boolean",
        "image_type": "string",
        "install_notes": "string",
        "media": "string",
        "meta": "dict",
        "name": "string",
        "os": "string",
        "paid": "boolean",
        "size": "integer",
        "storage_type": "string",
        "tags": "list",
        "url": "string",
        "version": "string",
    },
    filters={
        **_FILTERS,
        "arch": ("exact",),
        "category": ("exact",),
        "distribution": ("exact", "contains", "icontains"),
        "image_type": ("exact",),
        "os": ("exact",),
        "version": ("exact",),
    },
    ordering=("uuid", "name"),
    list_methods=("get",),
    detail_methods=("get",),
)
"""Source: CloudSigma API 2.0, "Library drives"."""

SNAPSHOTS = Description(
    sent=SnapshotSent,
    read_only={**_OWNED, "allocated_size": "integer", "timestamp": "datetime"},
    filters={**_FILTERS, "drive": ("exact",)},
    ordering=("uuid", "name", "timestamp"),
)
"""Source: CloudSigma API 2.0, "Snapshots"."""

JOBS = Description(
    read_only={
        "children": "list",
        "created": "datetime",
        "data": "dict",
        "last_modified": "datetime",
        "operation": "string",
        "resource_uri": "string",
        "resources": "list",
        "state": "string",
        "uuid": "string",
    },
    filters={"operation": ("exact",), "state": ("exact",), "uuid": ("exact",)},
    ordering=("last_modified",),
    list_methods=("get",),
    detail_methods=("get",),
)
"""Source: CloudSigma API 2.0, "Jobs"."""

_CENTRAL = {
    "grantees": "list",
    "owner": "related",
    "permissions": "list",
    "resource_uri": "string",
    "uuid": "string",
}
_BY_TAG = {"tag": ("exact", "name"), "uuid": ("exact",)}
_BY_NAME = {"name": ("exact", "contains", "icontains"), **_BY_TAG}

TAGS = Description(
    sent=TagSent,
    read_only={"owner": "related", "resource_uri": "string", "uuid": "string"},
    filters={"name": ("exact", "contains", "icontains"), "uuid": ("exact",)},
    ordering=("uuid", "name"),
    list_methods=("get", "post"),
)
"""Source: CloudSigma API 2.0, "Tags"."""

ADDRESSES = Description(
    sent=AddressEdited,
    read_only={
        **_CENTRAL,
        "gateway": "string",
        "nameservers": "list",
        "netmask": "integer",
        "server": "related",
        "subscription": "related",
    },
    short=("uuid", "owner", "resource_uri", "server"),
    filters=_BY_TAG,
    ordering=("uuid",),
    list_methods=("get",),
    detail_methods=("get", "put"),
)
"""Source: CloudSigma API 2.0, "Networking", "IPs"."""

VLANS = Description(
    sent=VlanEdited,
    read_only={**_CENTRAL, "bottom_vlan_tag": "integer", "servers": "list", "subscription": "related"},
    short=("uuid", "owner", "resource_uri"),
    filters=_BY_TAG,
    ordering=("uuid",),
    list_methods=("get",),
    detail_methods=("get", "put"),
)
"""Source: CloudSigma API 2.0, "Networking", "VLAN"."""

POLICIES = Description(
    sent=PolicySent,
    read_only={"owner": "related", "resource_uri": "string", "servers": "list", "uuid": "string"},
    short=("uuid", "name", "owner", "resource_uri"),
    filters=_BY_NAME,
    ordering=("uuid", "name"),
    list_methods=("get", "post"),
)
"""Source: CloudSigma API 2.0, "Firewall Policies"."""

KEY_PAIRS = Description(
    sent=KeyPairSent,
    read_only={**_CENTRAL, "fingerprint": "string"},
    filters=_BY_NAME,
    ordering=("uuid", "name"),
    list_methods=("get", "post"),
)
"""Source: CloudSigma API 2.0, "Keypairs (SSH keys)"."""

PUBLIC_KEYS = Description(
    read_only={
        **_CENTRAL,
        "fingerprint": "string",
        "has_private_key": "boolean",
        "meta": "dict",
        "name": "string",
        "public_key": "string",
        "tags": "list",
    },
    filters=_BY_NAME,
    ordering=("uuid", "name"),
    list_methods=("get",),
    detail_methods=("get",),
)
"""Source: CloudSigma API 2.0, "Pubkeys resource"."""

PROFILE = Description(
    sent=ProfileEdited,
    read_only={
        "bank_reference": "string",
        "currency": "string",
        "email": "string",
        "signup_time": "datetime",
        "state": "string",
        "uuid": "string",
    },
    list_methods=("get", "put"),
    detail_methods=("get", "put"),
)
"""Source: CloudSigma API 2.0, "Profile"."""

LOGS = Description(
    read_only={
        "action": "string",
        "actor": "related",
        "category": "string",
        "details": "string",
        "error_message": "string",
        "error_point": "string",
        "error_type": "string",
        "success": "boolean",
        "timestamp": "string",
        "uuid": "string",
    },
    filters={"action": ("exact",), "category": ("exact",), "uuid": ("exact",)},
    list_methods=("get",),
    detail_methods=(),
)
"""Source: CloudSigma API 2.0, "Audit logs"."""

LOCATIONS = Description(
    read_only={
        "api_endpoint": "string",
        "country_code": "string",
        "display_name": "string",
        "documentation_url": "string",
        "id": "string",
        "upload_url": "string",
        "websocket_url": "string",
    },
    list_methods=("get",),
    detail_methods=(),
)
"""Source: CloudSigma API 2.0, "Locations"."""

ZONES = Description(read_only={"name": "string", "uuid": "string"}, list_methods=("get",), detail_methods=())
"""Source: the Go SDK, host availability zones."""
