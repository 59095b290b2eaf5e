"""What a project may have, and what it has: limits and quota sets. They can be read here, not set.

**Source**: Compute API reference, "Limits", "Quota sets".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from backend.cloud.model import MIB, VCPU_MHZ
from backend.dialects.nova import servers
from backend.dialects.nova.table import Call, answer, bad_request, not_allowed
from backend.dialects.openstack import id_text
from backend.store import CloudTransaction

UNLIMITED = -1
_NETWORKS_UNTIL = 36
"""From here on nothing is told of what another service has charge of."""
_PERSONALITY_UNTIL = 57
_IMAGE_METADATA_UNTIL = 39


@dataclass(frozen=True, slots=True)
class _Quota:
    most: int
    used: int


async def _quotas(call: Call, project_id: str) -> dict[str, _Quota]:
    """By the name in a quota set. Raises WireError 400 for a project that does not exist."""

    def read(tx: CloudTransaction) -> Any:
        project = next((each for each in tx.projects() if id_text(each.id) == id_text(project_id)), None)
        if project is None:
            raise bad_request(f"Project ID {project_id[:255]} is not a valid project.")
        return project, tx.usage(project.id), len(tx.server_groups(project_id=project.id))

    project, used, groups = await call.cloud.store.cloud_read(read)
    return {
        "instances": _Quota(_most(project.servers_max, 1), used.servers),
        "cores": _Quota(_most(project.cpu_mhz_max, VCPU_MHZ), -(-used.cpu_mhz // VCPU_MHZ)),
        "ram": _Quota(_most(project.memory_bytes_max, MIB), -(-used.memory_bytes // MIB)),
        "server_groups": _Quota(UNLIMITED, groups),
    }


def _most(value: int | None, unit: int) -> int:
    return UNLIMITED if value is None else value // unit


async def limits(call: Call) -> Response:
    """Of the token's project. -1 is no limit."""
    quotas = await _quotas(call, call.account.project_id)
    absolute: dict[str, int] = {"maxServerMeta": servers.METADATA_ITEMS_MAX}
    if call.minor < _PERSONALITY_UNTIL:
        absolute |= {"maxPersonality": 0, "maxPersonalitySize": 0}
    absolute |= {
        "maxTotalInstances": quotas["instances"].most,
        "maxTotalCores": quotas["cores"].most,
        "maxTotalRAMSize": quotas["ram"].most,
        "maxTotalKeypairs": UNLIMITED,
        "maxServerGroups": UNLIMITED,
        "maxServerGroupMembers": UNLIMITED,
        "totalRAMUsed": quotas["ram"].used,
        "totalCoresUsed": quotas["cores"].used,
        "totalInstancesUsed": quotas["instances"].used,
        "totalServerGroupsUsed": quotas["server_groups"].used,
    }
    if call.minor < _NETWORKS_UNTIL:
        absolute |= {
            "maxTotalFloatingIps": UNLIMITED,
            "maxSecurityGroups": UNLIMITED,
            "maxSecurityGroupRules": UNLIMITED,
            "totalFloatingIpsUsed": 0,
            "totalSecurityGroupsUsed": 0,
        }
    if call.minor < _IMAGE_METADATA_UNTIL:
        absolute["maxImageMeta"] = servers.METADATA_ITEMS_MAX
    return answer({"limits": {"rate": [], "absolute": absolute}})


async def show_quotas(call: Call) -> Response:
    """What the project may have at most."""
    quotas = await _quotas_asked(call, "show")
    return answer({"quota_set": {"id": call.part("id")} | {name: each.most for name, each in quotas.items()}})


async def show_quotas_detail(call: Call) -> Response:
    """The same with what it has. What is being made counts as used from the beginning, so nothing is reserved."""
    quotas = await _quotas_asked(call, "detail")
    shown = {name: {"in_use": each.used, "limit": each.most, "reserved": 0} for name, each in quotas.items()}
    return answer({"quota_set": {"id": call.part("id")} | shown})


async def show_default_quotas(call: Call) -> Response:
    """What a project may have whose quotas nobody has set: there is no limit then."""
    quotas = await _quotas_asked(call, "defaults")
    return answer({"quota_set": {"id": call.part("id")} | dict.fromkeys(quotas, UNLIMITED)})


async def _quotas_asked(call: Call, what: str) -> dict[str, _Quota]:
    """Of the project in the path: one's own, or any as an admin."""
    project_id = call.part("id")
    if not call.is_admin and id_text(project_id) != id_text(call.account.project_id):
        raise not_allowed(f"os-quota-sets:{what}")
    quotas = await _quotas(call, project_id)
    quotas |= dict.fromkeys(("key_pairs", "server_group_members"), _Quota(UNLIMITED, 0))
    quotas["metadata_items"] = _Quota(servers.METADATA_ITEMS_MAX, 0)
    if call.minor < _NETWORKS_UNTIL:
        elsewhere = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
        quotas |= dict.fromkeys(elsewhere, _Quota(UNLIMITED, 0))
    if call.minor < _PERSONALITY_UNTIL:
        injected = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
        quotas |= dict.fromkeys(injected, _Quota(0, 0))
    return dict(sorted(quotas.items()))
