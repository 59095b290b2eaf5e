"""From the cloud's values to the rows of `/ops/v1`.

A server's and a drive's row is a function of its stored version alone, so handlers keep it as finished JSON and a list
is a join. Rows of cells that do not answer are never kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, assert_never, cast

from backend.clock import Clock
from backend.cloud.backfill import perf_factor
from backend.cloud.filling import Refusal
from backend.cloud.model import (
    SERVER,
    Account,
    Backup,
    BackupState,
    Drive,
    DriveState,
    Event,
    HostKind,
    HostState,
    PartialDrive,
    PartialServer,
    ReachabilityState,
    Schedule,
    Server,
    ServerState,
    Size,
    Task,
    TaskState,
)
from backend.dialects.ops.schema import (
    AccountRow,
    ClockRow,
    DriveRow,
    EventRow,
    Ratio,
    ServerRow,
    SizeRow,
    TaskRow,
)
from backend.dialects.ops.schema_backups import BackupRow, RefusalRow, ScheduleRow
from backend.dialects.wire import exact_instant_text, instant_text, instant_text_or_none
from backend.store import LastKnown

ServerWord = Literal["stopped", "starting", "running", "stopping", "paused", "unavailable"]


def server_word(state: ServerState) -> ServerWord:
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


def drive_word(
    state: DriveState,
) -> Literal["creating", "unmounted", "mounted", "cloning_src", "cloning_dst", "resizing", "uploading", "unavailable"]:
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


def task_word(state: TaskState) -> Literal["open", "done", "failed", "cancelled"]:
    match state:
        case TaskState.OPEN:
            return "open"
        case TaskState.DONE:
            return "done"
        case TaskState.FAILED:
            return "failed"
        case TaskState.CANCELLED:
            return "cancelled"
        case _:
            assert_never(state)


def backup_word(state: BackupState) -> Literal["backing_up", "ready", "restoring", "deleting", "erred"]:
    match state:
        case BackupState.BACKING_UP:
            return "backing_up"
        case BackupState.READY:
            return "ready"
        case BackupState.RESTORING:
            return "restoring"
        case BackupState.DELETING:
            return "deleting"
        case BackupState.ERRED:
            return "erred"
        case _:
            assert_never(state)


def reachability_word(state: ReachabilityState) -> Literal["up", "down", "hung"]:
    match state:
        case ReachabilityState.UP:
            return "up"
        case ReachabilityState.DOWN:
            return "down"
        case ReachabilityState.HUNG:
            return "hung"
        case _:
            assert_never(state)


def host_word(state: HostState) -> Literal["up", "down", "maintenance"]:
    match state:
        case HostState.UP:
            return "up"
        case HostState.DOWN:
            return "down"
        case HostState.MAINTENANCE:
            return "maintenance"
        case _:
            assert_never(state)


def kind_word(kind: HostKind) -> Literal["compute", "storage"]:
    match kind:
        case HostKind.COMPUTE:
            return "compute"
        case HostKind.STORAGE:
            return "storage"
        case _:
            assert_never(kind)


SERVER_WORDS = {state: server_word(state) for state in ServerState}


def size_row(size: Size) -> SizeRow:
    return {"cpu_mhz": size.cpu_mhz, "memory_bytes": size.memory_bytes}


def ratio(part: Size, whole: Size) -> Ratio:
    return {
        "cpu": perf_factor(part.cpu_mhz, whole.cpu_mhz),
        "memory": perf_factor(part.memory_bytes, whole.memory_bytes),
    }


WHOLE: Ratio = {"cpu": 1.0, "memory": 1.0}


def server_row(server: Server) -> ServerRow:
    """A server of a cell that answers. The factor is only that of a backfilling server that holds a host."""
    size, effective, floor = server.size, server.effective, server.floor
    is_shared = server.is_backfilling and effective is not None and floor is not None
    started_at = server.started_at
    return {
        "id": server.id,
        "name": server.name,
        "cell": server.cell,
        "host": server.host,
        "state": SERVER_WORDS[server.state],
        "state_since": instant_text_or_none(server.state_since),
        "is_backfilling": server.is_backfilling,
        "cpu_mhz": size.cpu_mhz,
        "memory_bytes": size.memory_bytes,
        "smp": server.smp,
        "perf_factor": None if not is_shared else WHOLE if effective == size else ratio(cast(Size, effective), size),
        "floor": ratio(cast(Size, floor), size) if is_shared else None,
        "group": server.group,
        "tags": server.tags,
        "meta": server.meta,
        "project_id": server.project_id,
        "owner": server.owner,
        "created_at": instant_text(server.created_at),
        "started_at": None if started_at is None else instant_text(started_at),
        "waits": server.waits is not None,
        "notice_until": instant_text_or_none(server.notice_until),
        "notice_for": server.notice_for,
        "squeezed_by": server.squeezed_by,
        "squeezed_at": instant_text_or_none(server.squeezed_at),
        "displaced_for": server.displaced_for,
        "displaced_at": instant_text_or_none(server.displaced_at),
        "displaced_count": server.displaced_count,
        "reason": server.reason,
        "restarts": server.restarts,
        "lost_from": server.lost_from,
        "avoid": server.avoid,
        "version": server.version,
        "reachable": True,
        "known_at": None,
    }


def partial_server_row(server: PartialServer, last: LastKnown | None) -> ServerRow:
    """A server whose cell does not answer: what is centrally known, and the rest as it was last known.

    `state` is `unknown`, as the API says it; `last_state` is what it was at `known_at`. Never seen: null. Of what was
    only seen after a moment of the past there is what it is called, where it is and how large, and no `known_at`.
    """
    row = cast(ServerRow, {**_NEVER_SEEN_SERVER, "id": server.id, "cell": server.cell})
    if last is not None:
        seen = server_row(last.server())
        row = seen if last.is_of_moment else cast(ServerRow, {**row, **{key: seen[key] for key in _LASTING_OF_SERVER}})
    is_told = last is not None and last.is_of_moment
    row["last_state"] = row["state"] if is_told else None
    row["state"] = "unknown"
    row["reachable"] = False
    row["known_at"] = instant_text(last.known_at) if last is not None and is_told else None
    row["project_id"] = server.project_id
    row["owner"] = server.owner
    row["created_at"] = instant_text(server.created_at)
    row["cpu_mhz"] = server.size.cpu_mhz
    row["memory_bytes"] = server.size.memory_bytes
    row["is_backfilling"] = server.is_backfilling
    return row


_LASTING_OF_SERVER: tuple[Literal["name", "host", "smp", "group", "tags", "meta"], ...] = (
    "name", "host", "smp", "group", "tags", "meta"
)  # fmt: skip
_LASTING_OF_DRIVE: tuple[Literal["name", "host", "media", "tags", "meta"], ...] = (
    "name", "host", "media", "tags", "meta"
)  # fmt: skip

_NEVER_SEEN_SERVER: Mapping[str, Any] = {
    "name": None,
    "host": None,
    "state_since": None,
    "smp": None,
    "perf_factor": None,
    "floor": None,
    "group": None,
    "tags": (),
    "meta": {},
    "started_at": None,
    "waits": False,
    "notice_until": None,
    "notice_for": None,
    "squeezed_by": None,
    "squeezed_at": None,
    "displaced_for": None,
    "displaced_at": None,
    "displaced_count": 0,
    "reason": None,
    "restarts": False,
    "lost_from": None,
    "avoid": (),
    "version": 0,
}


def drive_row(drive: Drive) -> DriveRow:
    return {
        "id": drive.id,
        "name": drive.name,
        "cell": drive.cell,
        "host": drive.host,
        "state": drive_word(drive.state),
        "state_since": instant_text_or_none(drive.state_since),
        "size_bytes": drive.size_bytes,
        "media": drive.media,
        "server_id": drive.server_id,
        "device": drive.device,
        "channel": drive.channel,
        "boot_order": drive.boot_order,
        "tags": drive.tags,
        "meta": drive.meta,
        "project_id": drive.project_id,
        "owner": drive.owner,
        "created_at": instant_text(drive.created_at),
        "lost_from": drive.lost_from,
        "version": drive.version,
        "reachable": True,
        "known_at": None,
    }


def partial_drive_row(drive: PartialDrive, last: LastKnown | None) -> DriveRow:
    """As `partial_server_row`, of a drive."""
    row = cast(DriveRow, {**_NEVER_SEEN_DRIVE, "id": drive.id, "cell": drive.cell})
    if last is not None:
        seen = drive_row(last.drive())
        row = seen if last.is_of_moment else cast(DriveRow, {**row, **{key: seen[key] for key in _LASTING_OF_DRIVE}})
    is_told = last is not None and last.is_of_moment
    row["last_state"] = row["state"] if is_told else None
    row["state"] = "unknown"
    row["reachable"] = False
    row["known_at"] = instant_text(last.known_at) if last is not None and is_told else None
    row["project_id"] = drive.project_id
    row["owner"] = drive.owner
    row["created_at"] = instant_text(drive.created_at)
    row["size_bytes"] = drive.size_bytes
    row["server_id"] = drive.server_id
    return row


_NEVER_SEEN_DRIVE: Mapping[str, Any] = {
    "name": None,
    "host": None,
    "state_since": None,
    "media": None,
    "device": None,
    "channel": None,
    "boot_order": None,
    "tags": (),
    "meta": {},
    "lost_from": None,
    "version": 0,
}


_COUNTERPARTS: Mapping[str, str] = {"source": "source_name", "copy": "copy_name", "server": "name"}
"""Where a task remembers the id of what it is done with, and where its name."""


def task_row(task: Task, *, now: datetime, object_name: str | None, is_reachable: bool = True) -> TaskRow:
    """The progress of a task in a cell that does not answer is not known. One of the cloud may be at work in a cell."""
    is_reachable = is_reachable and "waits_for" not in task.payload
    bytes_total, rate = task.payload.get("bytes_total"), task.payload.get("rate_bytes_per_second")
    counterpart, counterpart_name = next(
        (
            (task.payload[place], task.payload.get(name))
            for place, name in _COUNTERPARTS.items()
            if place in task.payload
        ),
        (None, None),
    )
    return {
        "id": f"{task.file}/{task.id}",
        "cell": str(task.payload.get("cell", task.file)),
        "kind": task.kind,
        "object_kind": task.object_kind,
        "object_id": task.object_id,
        "object_name": object_name,
        "state": task_word(task.state),
        "begun_at": instant_text(task.begun_at),
        "due_at": instant_text(task.due_at),
        "ended_at": instant_text_or_none(task.ended_at),
        "progress": round(task.progress(now), 3) if is_reachable or task.state is not TaskState.OPEN else None,
        "bytes_total": None if bytes_total is None else int(bytes_total),
        "rate_bytes_per_second": None if rate is None else float(rate),
        "counterpart_id": None if counterpart is None else str(counterpart),
        "counterpart_name": None if counterpart_name is None else str(counterpart_name),
        "result": task.result,
        "actor": task.actor,
    }


def event_row(event: Event, names: Mapping[str, str]) -> EventRow:
    """`at` is exact, because it is a place in the log. `names` are what objects are called now."""
    return {
        "file": event.file,
        "number": event.number,
        "at": exact_instant_text(event.at),
        "kind": event.kind,
        "object_kind": event.object_kind,
        "object_id": event.object_id,
        "object_name": names.get(event.object_id),
        "object_version": event.object_version,
        "actor": event.actor,
        "request_id": event.request_id,
        "changes": event.changes,
        "details": event.details,
    }


def source_word(kind: str) -> Literal["server", "project", "customer"]:
    match kind:
        case "server" | "project" | "customer":
            return kind
    raise AssertionError(f"no source is a {kind}")


def schedule_row(schedule: Schedule, *, source_name: str | None, history: list[str]) -> ScheduleRow:
    return {
        "id": schedule.id,
        "source_kind": source_word(schedule.source_kind),
        "source_id": schedule.source_id,
        "source_name": source_name,
        "server_id": schedule.source_id if schedule.source_kind == SERVER else None,
        "server_name": source_name if schedule.source_kind == SERVER else None,
        "project_id": schedule.project_id,
        "description": schedule.description,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "retention_days": schedule.retention_days,
        "backups_max": schedule.backups_max,
        "is_active": schedule.is_active,
        "next_trigger_at": instant_text_or_none(schedule.next_trigger_at),
        "created_at": instant_text(schedule.created_at),
        "last_run_at": instant_text_or_none(schedule.last_run_at),
        "reason": schedule.reason,
        "missed_since": instant_text_or_none(schedule.missed_since),
        "jitter_seconds": schedule.jitter_seconds,
        "keeps": dict(schedule.keeps),
        "target_seconds": schedule.target_seconds,
        "drill_days": schedule.drill_days,
        "drilled_at": instant_text_or_none(schedule.drilled_at),
        "drill_seconds": schedule.drill_seconds,
        "drill_problem": schedule.drill_problem,
        "version": schedule.version,
        "history": history,
        "backups": 0,
        "last_good_at": None,
        "off_since": None,
        "drilling_since": None,
        "silent_cells": [],
    }


def refusal_row(refused: Refusal) -> RefusalRow:
    return {
        "schedule_id": refused.schedule.id or None,
        "description": refused.schedule.description,
        "at": instant_text(refused.at),
        "needs_bytes": refused.needs_bytes,
        "left_bytes": refused.left_bytes,
    }


def backup_row(backup: Backup, source_name: str | None, size_bytes: int) -> BackupRow:
    return {
        "id": backup.id,
        "source_kind": source_word(backup.source_kind),
        "source_id": backup.source_id,
        "source_name": source_name,
        "parent_id": backup.parent_id,
        "server_id": backup.source_id if backup.source_kind == SERVER else None,
        "server_name": source_name if backup.source_kind == SERVER else None,
        "project_id": backup.project_id,
        "schedule_id": backup.schedule_id,
        "description": backup.description,
        "state": backup_word(backup.state),
        "created_at": instant_text(backup.created_at),
        "size_bytes": size_bytes,
        "kept_until": instant_text_or_none(backup.kept_until),
        "reason": backup.reason,
        "version": backup.version,
        "is_kept": None,
        "rule": None,
    }


def clock_row(clock: Clock) -> ClockRow:
    return {
        "now": instant_text(clock.now()),
        "mode": clock.mode,
        "rate": clock.rate,
        "wall_now": instant_text(clock.wall_now()),
    }


def account_row(account: Account) -> AccountRow:
    return {
        "id": account.id,
        "name": account.name,
        "is_staff": account.is_staff,
        "may_backfill": account.may_backfill,
        "project_id": account.project_id,
    }
