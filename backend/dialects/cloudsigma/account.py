"""What the cloud offers to an account, and the schemas of what it takes.

Source: CloudSigma API 2.0, "Capabilities", "Backfilling" (`free_resources`), "Schema".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.model import LARGEST_SERVER, SMALLEST_SERVER, Size
from backend.dialects import wire
from backend.dialects.cloudsigma.bodies import DriveSent, ServerSent
from backend.dialects.cloudsigma.render import STORAGE_TYPE
from backend.dialects.cloudsigma.table import LIMIT_DEFAULT, Call
from backend.operations.capacity import what_fits
from backend.operations.drives import SIZE_BYTES_MAX, SIZE_BYTES_MIN

SMP_MAX = 32
CPU_PER_SMP_MHZ = {"amd": (1000, 2893), "intel": (1000, 3000)}
"""Simplified: shown and not enforced, so that a server of exactly the free CPU can be made without counting cores."""


async def capabilities(call: Call) -> Response:
    """Bare object. Without the right to backfilling there is no `free_resources`."""
    by_type = {kind: _host(per_core) for kind, per_core in CPU_PER_SMP_MHZ.items()}
    content: dict[str, Any] = {
        "backfilling": call.account.may_backfill,
        "card_backend": None,
        "currencies": [{"id": "USD", "name": "US dollar"}],
        "default_storage_type": STORAGE_TYPE,
        "drives": {
            STORAGE_TYPE: {
                "max_size": SIZE_BYTES_MAX,
                "min_size": SIZE_BYTES_MIN,
                "size": {"max": SIZE_BYTES_MAX, "min": SIZE_BYTES_MIN},
            }
        },
        "hosts": by_type,
        "hypervisors": {"kvm": ["intel", "amd"]},
        "servers": {
            **by_type["amd"],
            "default_start_method": "regular",
            "start_methods": ["eager", "lazy", "regular"],
        },
    }
    if call.account.may_backfill:
        free = (await what_fits(call.cloud, call.context.pictures)).free
        content["free_resources"] = {
            "total": _amount(free.total),
            "most_free_by_cpu": _amount(free.most_free_by_cpu),
            "most_free_by_memory": _amount(free.most_free_by_memory),
        }
    return wire.JsonAnswer(content)


def _amount(size: Size) -> dict[str, int]:
    return {"cpu": size.cpu_mhz, "mem": size.memory_bytes}


def _host(per_core: tuple[int, int]) -> dict[str, dict[str, int]]:
    return {
        "cpu": {"max": LARGEST_SERVER.cpu_mhz, "min": SMALLEST_SERVER.cpu_mhz},
        "cpu_per_smp": {"max": per_core[1], "min": per_core[0]},
        "mem": {"max": LARGEST_SERVER.memory_bytes, "min": SMALLEST_SERVER.memory_bytes},
        "smp": {"max": SMP_MAX, "min": 1},
    }


_TYPES = {
    str: "string",
    int: "integer",
    bool: "boolean",
    float: "float",
    list: "list",
    dict: "dict",
    type(None): "string",
}


async def server_schema(call: Call) -> Response:
    read_only = {"uuid", "resource_uri", "owner", "status", "runtime", "jobs"}
    return wire.JsonAnswer(_schema(ServerSent, read_only))


async def drive_schema(call: Call) -> Response:
    read_only = {"uuid", "resource_uri", "owner", "status", "runtime", "jobs", "mounted_on"}
    return wire.JsonAnswer(_schema(DriveSent, read_only))


def _schema(sent: type[ServerSent] | type[DriveSent], read_only: set[str]) -> dict[str, Any]:
    """From the same model that checks what is sent. Simplified: without the published help texts."""
    fields: dict[str, Any] = {name: _field("string", None, is_read_only=True) for name in sorted(read_only)}
    for name, field in sent.model_fields.items():
        if field.is_required():
            kind = "integer" if name in ("cpu", "mem", "size") else "string"
            fields[name] = _field(kind, "No default provided.", is_read_only=False)
        else:
            fields[name] = _field(_TYPES[type(field.default)], field.default, is_read_only=False)
    return {
        "allowed_detail_http_methods": ["get", "put", "delete"],
        "allowed_list_http_methods": ["get", "post"],
        "default_format": "application/json",
        "default_limit": LIMIT_DEFAULT,
        "fields": fields,
        "filtering": {"name": ["exact", "contains"], "tag": ["exact", "name"], "uuid": ["exact"], "status": ["exact"]},
        "ordering": [],
    }


def _field(kind: str, default: Any, *, is_read_only: bool) -> dict[str, Any]:
    return {
        "blank": not is_read_only and default != "No default provided.",
        "default": default,
        "nullable": default is None,
        "readonly": is_read_only,
        "type": kind,
        "unique": False,
    }
