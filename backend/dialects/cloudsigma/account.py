"""What the cloud offers to an account.

Source: CloudSigma API 2.0, "Capabilities", "Backfilling" (`free_resources`).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.model import LARGEST_SERVER, SMALLEST_SERVER, Size
from backend.dialects import wire
from backend.dialects.cloudsigma.render import STORAGE_TYPE
from backend.dialects.cloudsigma.table import Call
from backend.operations.capacity import what_fits
from backend.operations.drives import SIZE_BYTES_MAX, SIZE_BYTES_MIN
from backend.operations.snapshots import SNAPSHOTS_MAX, SNAPSHOTS_OF_DRIVE_MAX, list_snapshots

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
            **by_type[call.cloud.settings.default_cpu_type],
            "default_start_method": "regular",
            "start_methods": ["eager", "lazy", "regular"],
        },
        "snapshots": {
            "current": len(await list_snapshots(call.cloud, call.account)),
            "max": SNAPSHOTS_MAX,
            "max_per_drive": SNAPSHOTS_OF_DRIVE_MAX,
        },
    }
    if call.account.may_backfill:
        free = (await what_fits(call.cloud, call.context.pictures)).overall.free
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
