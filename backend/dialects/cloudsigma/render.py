"""From the cloud's values to CloudSigma's published objects. CPU in MHz over all cores, memory and sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never
from uuid import UUID, uuid5

from backend.cloud.backfill import perf_factor
from backend.cloud.catalogue import find_image
from backend.cloud.model import (
    Account,
    Drive,
    DriveState,
    PartialDrive,
    PartialServer,
    Server,
    ServerState,
    Snapshot,
)
from backend.operations.drives import is_cloned_with_server
from backend.operations.jobs import Job
from backend.operations.networks import Wired
from backend.operations.resizing import RESIZED_FROM
from backend.operations.tags import TagNames

PREFIX = "/api/2.0"

ServerStatus = Literal["stopped", "starting", "running", "stopping", "paused", "unavailable"]


def server_status(state: ServerState) -> ServerStatus:
    match state:
        case ServerState.STOPPED:
            return "stopped"
        case ServerState.STARTING:
            return "starting"
        case ServerState.RUNNING:
            return "running"
        case ServerState.STOPPING:
            return "stopping"
        case ServerState.PAUSED:
            return "paused"
        case ServerState.UNAVAILABLE:
            return "unavailable"
        case _:
            assert_never(state)


def drive_status(state: DriveState) -> str:
    match state:
        case DriveState.CREATING:
            return "creating"
        case DriveState.UNMOUNTED:
            return "unmounted"
        case DriveState.MOUNTED:
            return "mounted"
        case DriveState.CLONING_SRC:
            return "cloning_src"
        case DriveState.CLONING_DST:
            return "cloning_dst"
        case DriveState.RESIZING:
            return "resizing"
        case DriveState.UPLOADING:
            return "uploading"
        case DriveState.UNAVAILABLE:
            return "unavailable"
        case _:
            assert_never(state)


def instant(at: datetime) -> str:
    """`2015-03-19T13:52:51+00:00`."""
    return at.isoformat(timespec="seconds")


def exact_instant(at: datetime) -> str:
    """`2014-06-05 09:52:53.896622+00:00`."""
    return at.isoformat(sep=" ", timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Directory:
    """What objects show that is not their own: accounts, tags, and what servers are wired with, as of `now`."""

    accounts: Mapping[str, Account]
    cloud_id: UUID
    tag_names: TagNames
    wired: Wired
    now: datetime

    def owner(self, name: str) -> dict[str, str | None]:
        account = self.accounts.get(name)
        uuid = account.id if account else None
        return {"uuid": uuid, "email": name, "resource_uri": f"{PREFIX}/user/{uuid}/" if uuid else None}

    def job_id(self, operation: str, made_id: str) -> str:
        """A job makes one thing, and each is made by one job."""
        return str(uuid5(self.cloud_id, f"job/{operation}/{made_id}"))

    def job_of(self, drive: Drive) -> list[dict[str, str]]:
        """The job that makes it, while it does."""
        if drive.state is not DriveState.CLONING_DST:
            return []
        return [reference("jobs", self.job_id("drive_clone", drive.id))]

    def tag_id(self, project_id: str, tag: str) -> str:
        """Tags are words inside; here each has a uuid, the same for the same word in the same project."""
        return self.tag_names.id_of(project_id, tag)

    def tag_ids(self, project_id: str, tags: Sequence[str]) -> tuple[str, ...]:
        """What a finished object depends on besides its version: a tag's uuid may come to stand for another word."""
        return tuple(self.tag_names.id_of(project_id, tag) for tag in tags)

    def tags(self, project_id: str, tags: Sequence[str]) -> list[dict[str, str]]:
        found = []
        for tag in tags:
            uuid = self.tag_id(project_id, tag)
            found.append({"uuid": uuid, "name": tag, "resource_uri": f"{PREFIX}/tags/{uuid}/"})
        return found


def reference(resource: str, uuid: str) -> dict[str, str]:
    return {"uuid": uuid, "resource_uri": f"{PREFIX}/{resource}/{uuid}/"}


# -------------------------------------------------------------------------------------------------------------- servers

_DRIVE_IO = {
    "bytes_read": 0,
    "bytes_written": 0,
    "count_flush": 0,
    "count_read": 0,
    "count_written": 0,
    "total_time_ns_flush": 0,
    "total_time_ns_read": 0,
    "total_time_ns_write": 0,
}
"""Simplified: nothing is counted; the real ones grow."""


def server_detail(
    server: Server, drives: Sequence[Drive | PartialDrive], nics: list[dict[str, Any]], directory: Directory
) -> dict[str, Any]:
    attributes = server.attributes
    is_running = server.state is ServerState.RUNNING
    whole = [drive for drive in drives if isinstance(drive, Drive)]
    is_cloning = any(drive.state is DriveState.CLONING_DST and is_cloned_with_server(drive) for drive in whole)
    return {
        "allocation_pool": None,
        "auto_start": attributes.get("auto_start", False),
        "context": attributes.get("context", True),
        "cpu": server.size.cpu_mhz,
        "cpu_model": attributes.get("cpu_model"),
        "cpu_perf_threshold": server.floor_permille[0] / 1000,
        "cpu_type": attributes.get("cpu_type", "amd"),
        "cpus_instead_of_cores": attributes.get("cpus_instead_of_cores", False),
        "drives": [_mount(drive, is_running=is_running) for drive in drives],
        "enable_numa": attributes.get("enable_numa", False),
        "epcs": [],
        "gpus": [],
        "grantees": [],
        "hv_relaxed": attributes.get("hv_relaxed", False),
        "hv_tsc": attributes.get("hv_tsc", False),
        "hypervisor": attributes.get("hypervisor", "kvm"),
        "is_grey": server.is_backfilling,
        "jobs": [reference("jobs", directory.job_id("server_clone", server.id))] if is_cloning else [],
        "mem": server.size.memory_bytes,
        "mem_perf_threshold": server.floor_permille[1] / 1000,
        "meta": server.meta,
        "name": server.name,
        "nics": nics,
        "owner": directory.owner(server.owner),
        "permissions": [],
        "pubkeys": [reference("pubkeys", id) for id in directory.wired.of(server.id).key_pairs],
        "requirements": attributes.get("requirements", []),
        "resource_uri": f"{PREFIX}/servers/{server.id}/",
        "runtime": _runtime(server, nics) if is_running else None,
        "smp": server.smp,
        "status": server_status(server.state),
        "tags": directory.tags(server.project_id, server.tags),
        "uuid": server.id,
        "vnc_password": attributes.get("vnc_password", ""),
    }


def running_since(server: Server) -> datetime:
    return server.started_at or server.state_since or server.created_at


def _runtime(server: Server, nics: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a running server; `perf_factor` only where it is a backfilling one.

    Source: CloudSigma API 2.0, "Backfilling", "Server Runtime and Server Details". The shape of `perf_factor` is ours:
    the published example was never made public.
    """
    runtime: dict[str, Any] = {
        "active_since": instant(running_since(server)),
        "nics": [{**nic["runtime"], "mac": nic["mac"]} for nic in nics],
    }
    if server.is_backfilling and server.effective is not None:
        runtime["perf_factor"] = {
            "cpu": perf_factor(server.effective.cpu_mhz, server.size.cpu_mhz),
            "mem": perf_factor(server.effective.memory_bytes, server.size.memory_bytes),
        }
    return runtime


def _mount(drive: Drive | PartialDrive, *, is_running: bool) -> dict[str, Any]:
    """Of one whose cell does not answer, that it is attached: left out, it would be detached by who writes it back."""
    if isinstance(drive, PartialDrive):
        unknown = dict.fromkeys(("boot_order", "dev_channel", "device", "runtime"))
        return {**unknown, "drive": reference("drives", drive.id)}
    return {
        "boot_order": drive.boot_order,
        "dev_channel": drive.channel,
        "device": drive.device,
        "drive": reference("drives", drive.id),
        "runtime": {"io": _DRIVE_IO} if is_running else None,
    }


def partial_server_detail(server: PartialServer, nics: list[dict[str, Any]], directory: Directory) -> dict[str, Any]:
    """A server whose cell does not answer: `unavailable`, with what is centrally known and nothing else."""
    return {
        "allocation_pool": None,
        "cpu": server.size.cpu_mhz,
        "drives": [],
        "grantees": [],
        "is_grey": server.is_backfilling,
        "jobs": [],
        "mem": server.size.memory_bytes,
        "meta": {},
        "name": None,
        "nics": nics,
        "owner": directory.owner(server.owner),
        "permissions": [],
        "resource_uri": f"{PREFIX}/servers/{server.id}/",
        "runtime": None,
        "smp": None,
        "status": server_status(ServerState.UNAVAILABLE),
        "tags": [],
        "uuid": server.id,
        "vnc_password": None,
    }


# --------------------------------------------------------------------------------------------------------------- drives

STORAGE_TYPE = "dssd"


def drive_detail(drive: Drive, directory: Directory, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """While it is being resized it still has its old size. Source: CloudSigma API 2.0, "Drives", resizing."""
    attributes = drive.attributes
    storage_type = attributes.get("storage_type", STORAGE_TYPE)
    return {
        "affinities": attributes.get("affinities", []),
        "allow_multimount": attributes.get("allow_multimount", False),
        "backup_scheduler": None,
        "grantees": [],
        "iops": None,
        "jobs": directory.job_of(drive),
        "licenses": [],
        "media": drive.media,
        "meta": drive.meta,
        "mounted_on": [reference("servers", drive.server_id)] if drive.server_id else [],
        "name": drive.name,
        "owner": directory.owner(drive.owner),
        "permissions": [],
        "remote_snapshots": [],
        "resource_uri": f"{PREFIX}/drives/{drive.id}/",
        "runtime": {
            "is_snapshotable": None if drive.state is DriveState.CREATING else True,
            "snapshots_allocated_size": 0,
            "storage_type": storage_type,
        },
        "size": attributes.get(RESIZED_FROM, drive.size_bytes),
        "snapshots": [reference("snapshots", snapshot.id) for snapshot in snapshots],
        "status": drive_status(drive.state),
        "storage_type": storage_type,
        "tags": directory.tags(drive.project_id, drive.tags),
        "uuid": drive.id,
    }


def partial_drive_detail(drive: PartialDrive, directory: Directory) -> dict[str, Any]:
    """A drive whose cell does not answer: `unavailable`, with what is centrally known and nothing else."""
    return {
        "affinities": [],
        "allow_multimount": False,
        "jobs": [],
        "licenses": [],
        "media": None,
        "meta": {},
        "mounted_on": [reference("servers", drive.server_id)] if drive.server_id else [],
        "name": None,
        "owner": directory.owner(drive.owner),
        "resource_uri": f"{PREFIX}/drives/{drive.id}/",
        "runtime": None,
        "size": drive.size_bytes,
        "snapshots": [],
        "status": drive_status(DriveState.UNAVAILABLE),
        "storage_type": None,
        "tags": [],
        "uuid": drive.id,
    }


# --------------------------------------------------------------------------------------------------- snapshots and jobs


def snapshot_detail(snapshot: Snapshot, directory: Directory, now: datetime) -> dict[str, Any]:
    """Simplified: nothing writes to drives here, so that a snapshot never comes to hold anything of its own."""
    is_available = now >= snapshot.available_at
    return {
        "allocated_size": 0 if is_available else None,
        "drive": reference("drives", snapshot.drive_id),
        "grantees": [],
        "meta": snapshot.meta,
        "name": snapshot.name,
        "owner": directory.owner(snapshot.owner),
        "permissions": [],
        "resource_uri": f"{PREFIX}/snapshots/{snapshot.id}/",
        "status": "available" if is_available else "creating",
        "tags": directory.tags(snapshot.project_id, snapshot.tags),
        "timestamp": exact_instant(snapshot.created_at),
        "uuid": snapshot.id,
    }


def job_detail(job: Job, directory: Directory) -> dict[str, Any]:
    """Source: CloudSigma API 2.0, "Jobs"."""
    uuid = directory.job_id(job.operation, job.made_id)
    kind = "servers" if job.operation == "server_clone" else "drives"
    resources = [f"{PREFIX}/{kind}/{job.made_id}/"]
    if job.source_id is not None:
        source_kind = "drives" if find_image(job.source_id) is None else "libdrives"
        resources.insert(0, f"{PREFIX}/{source_kind}/{job.source_id}/")
    return {
        "children": [job_detail(child, directory) for child in job.children],
        "created": exact_instant(job.begun_at),
        "data": {"progress": int(job.progress * 100)},
        "last_modified": exact_instant(job.modified_at),
        "operation": job.operation,
        "resource_uri": f"{PREFIX}/jobs/{uuid}/",
        "resources": resources,
        "state": job.state,
        "uuid": uuid,
    }
