"""What clients are answered. Sizes are MiB there, and instants ISO 8601 with milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.cloud.catalogue import Flavor, flavor_of
from backend.cloud.model import MIB, VCPU_MHZ, PartialServer, Server, ServerState
from backend.dialects.nodeconductor.links import flavor_id, id_text, source_url, url
from backend.dialects.nodeconductor.table import STATES, Call
from backend.dialects.wire import instant_text, instant_text_or_none
from backend.operations.backup_views import BackupShown, InstanceShown, ScheduleShown
from backend.store import Project

UNKNOWN = "Unknown"
"""The state of an instance whose cell does not answer."""


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // MIB)


def backup(call: Call, shown: BackupShown) -> dict[str, Any]:
    """`metadata` is what a restore is made of."""
    found = shown.backup
    told = found.contents.get("server", {})
    metadata = {"hostname": told.get("name"), "cores": -(-int(told.get("cpu_mhz", 0)) // VCPU_MHZ)} if told else {}
    if told:
        metadata["ram"] = _mib(int(told.get("memory_bytes", 0)))
        metadata["volumes"] = [
            {"name": each["name"], "size": _mib(int(each["size_bytes"]))}
            for each in found.contents.get("drives", ())
            if each.get("media", "disk") == "disk"
        ]
    return {
        "url": url(call, "backups", found.id),
        "uuid": id_text(found.id),
        "description": found.description,
        "created_at": instant_text(found.created_at),
        "kept_until": instant_text_or_none(found.kept_until),
        "backup_source": source_url(call, found.source_kind, found.source_id),
        "backup_source_name": found.source_name,
        "state": STATES[found.state],
        "backup_schedule": url(call, "backup-schedules", found.schedule_id) if found.schedule_id else None,
        "error_message": found.reason or "",
        "size": _mib(shown.size_bytes),
        "parent": url(call, "backups", found.parent_id) if found.parent_id else None,
        "children": [url(call, "backups", part.id) for part in shown.parts],
        "metadata": metadata,
    }


def schedule(call: Call, shown: ScheduleShown) -> dict[str, Any]:
    found = shown.schedule
    return {
        "url": url(call, "backup-schedules", found.id),
        "uuid": id_text(found.id),
        "description": found.description,
        "backups": [url(call, "backups", id) for id in shown.backup_ids],
        "retention_time": found.retention_days,
        "timezone": found.time_zone,
        "backup_source": source_url(call, found.source_kind, found.source_id),
        "backup_source_name": shown.source_name,
        "maximal_number_of_backups": found.backups_max,
        "schedule": found.cron,
        "is_active": found.is_active,
        "next_trigger_at": instant_text_or_none(found.next_trigger_at),
        "error_message": found.reason or "",
        "jitter": found.jitter_seconds,
        "keep": dict(found.keeps),
        "recovery_point": found.target_seconds,
        "drill_interval": found.drill_days,
        "last_drill": drill(shown),
    }


def drill(shown: ScheduleShown) -> dict[str, Any] | None:
    found = shown.schedule
    if found.drilled_at is None:
        return None
    return {
        "started_at": instant_text(found.drilled_at),
        "seconds": found.drill_seconds,
        "error_message": found.drill_problem or "",
    }


_STATES: Mapping[ServerState, str] = {
    ServerState.STOPPED: "Offline",
    ServerState.RUNNING: "Online",
    ServerState.STARTING: "Starting",
    ServerState.STOPPING: "Stopping",
    ServerState.PAUSED: "Erred",
    ServerState.UNAVAILABLE: "Erred",
}
"""One that is paused has lost a drive."""


def instance_state(server: Server | PartialServer) -> str:
    if isinstance(server, PartialServer):
        return UNKNOWN
    if server.state is ServerState.STARTING and not server.has_run:
        return "Provisioning"
    return _STATES[server.state]


def instance(call: Call, shown: InstanceShown, project: Project | None) -> dict[str, Any]:
    """Of a cell that does not answer: what is centrally known."""
    server = shown.server
    name = server.name if isinstance(server, Server) else None
    flavor = flavor_of(server.size)
    is_listed = not flavor.id.startswith("custom-")
    return {
        "url": url(call, "instances", server.id),
        "uuid": id_text(server.id),
        "hostname": name,
        "name": name,
        "state": instance_state(server),
        "created": instant_text(server.created_at),
        "project": url(call, "projects", server.project_id),
        "project_name": None if project is None else project.name,
        "customer": None if project is None else url(call, "customers", project.customer_id),
        "flavor": url(call, "flavors", flavor_id(call.cloud, flavor)) if is_listed else None,
        "flavor_name": flavor.name,
        "cores": flavor.vcpus,
        "ram": flavor.memory_mib,
        "system_volume_size": _mib(shown.drive_bytes[0]) if shown.drive_bytes else 0,
        "data_volume_size": _mib(sum(shown.drive_bytes[1:])),
        "backups": [backup(call, each) for each in shown.backups],
        "backup_schedules": [schedule(call, each) for each in shown.schedules],
    }


def flavor(call: Call, found: Flavor) -> dict[str, Any]:
    id = flavor_id(call.cloud, found)
    return {
        "url": url(call, "flavors", id),
        "uuid": id_text(id),
        "name": found.name,
        "cores": found.vcpus,
        "ram": found.memory_mib,
        "disk": _mib(found.disk_bytes),
    }


def project(call: Call, found: Project) -> dict[str, Any]:
    return {
        "url": url(call, "projects", found.id),
        "uuid": id_text(found.id),
        "name": found.name,
        "customer": url(call, "customers", found.customer_id),
    }


def customer(call: Call, id: str, name: str) -> dict[str, Any]:
    return {"url": url(call, "customers", id), "uuid": id_text(id), "name": name}
