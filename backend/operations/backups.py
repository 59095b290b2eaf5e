"""Backups: begun, ended, deleted, and dropped by retention. They lie in cloud.db, outside the cells, so they outlive a
silent one.

A backup of a server is a copy of its drives. That of a project or a customer is the parent of one for each server: it
is ready when all are, and has failed when one has. What is copied is what there was at the instant of the request; a
drive that is lost or deleted before its copy is whole fails the backup, and a cell that falls silent holds it up, until
it is given up (`cloud.backups.stuck_after`).

`schedules` takes backups by the clock, `backup_restores` makes servers of them.

Simplified: a failed backup is charged for as if its copy were there, until it is deleted or its time has come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import backups as rules
from backend.cloud import retention
from backend.cloud.errors import Conflict, Invalid, NotFound, WrongState
from backend.cloud.model import SERVER, Account, Backup, BackupState, DriveState, Schedule, Task, TaskState
from backend.cloud.retention import Verdict
from backend.operations import Cloud, RequestKey, backup_sources, check_version, quotas, repeats
from backend.operations.backup_sources import Reading, Source
from backend.store import CellTransaction, CloudTransaction, Wanted

COPY, DELETE = "backup", "delete_backup"
"""The tasks of a backup: until its copy is whole, until it is gone."""

DELETE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class BackupView:
    backup: Backup
    source_name: str | None
    size_bytes: int
    """Of a parent: of all its parts."""
    verdict: Verdict | None = None
    """What becomes of it with the next good run of its schedule; None where nobody asked, or without one."""


# --- begin -----------------------------------------------------------------------------------------------------------


def take(
    tx: CloudTransaction,
    reading: Reading,
    *,
    now: datetime,
    description: str,
    schedule: Schedule | None = None,
    kept_until: datetime | None = None,
    actor: str = "cloud",
) -> Backup:
    """Begin a backup of a source that has no `problem`. Raises OverQuota, with the figures, and has begun nothing."""
    scope = reading.scope
    check_quotas(tx, reading)
    backup = Backup(
        id=tx.next_id("cloud"),
        source_id=scope.id,
        project_id=scope.project_id,
        schedule_id=schedule.id if schedule else None,
        description=description,
        state=BackupState.BACKING_UP,
        created_at=now,
        size_bytes=0,
        kept_until=rules.kept_until(now, schedule.retention_days) if schedule else kept_until,
        contents={scope.kind: {"name": scope.name}},
        source_kind=scope.kind,
    )
    if scope.kind == SERVER:
        return _begin(tx, backup, reading.parts[0], now=now, actor=actor)
    if reading.left_out is not None:
        backup = replace(backup, reason=f"left out: {reading.left_out}")
    tx.add_backup(backup, at=now, actor=actor)
    for part in reading.copied:
        own = replace(
            backup,
            reason=None,
            id=tx.next_id("cloud"),
            source_id=part.server.id,
            project_id=part.server.project_id,
            schedule_id=None,
            kept_until=None,
            source_kind=SERVER,
            parent_id=backup.id,
        )
        _begin(tx, own, part, now=now, actor=actor)
    return backup


def check_quotas(tx: CloudTransaction, reading: Reading) -> None:
    """Raises OverQuota where a copy of it would not fit, in whichever project a part of it lies."""
    for project_id, size_bytes in reading.bytes_by_project().items():
        quotas.check(tx, project_id, storage_bytes=size_bytes)


def _begin(tx: CloudTransaction, model: Backup, source: Source, *, now: datetime, actor: str) -> Backup:
    backup = replace(model, size_bytes=source.size_bytes, contents=_contents(source))
    tx.add_backup(backup, at=now, actor=actor)
    due_at = now + timedelta(seconds=rules.duration_seconds(source.size_bytes))
    payload = {
        "name": source.server.name,
        "server": source.server.id,
        "bytes_total": source.size_bytes,
        "rate_bytes_per_second": rules.BACKUP_BYTES_PER_SECOND,
        "cells": source.cells,
        "drives": {drive.id: drive.cell for drive in source.copied},
    }
    tx.schedule(COPY, "backup", backup.id, begun_at=now, due_at=due_at, actor=actor, payload=payload)
    return backup


def _contents(source: Source) -> dict[str, Any]:
    server = source.server
    return {
        "server": {
            "name": server.name,
            "owner": server.owner,
            "cpu_mhz": server.size.cpu_mhz,
            "memory_bytes": server.size.memory_bytes,
            "smp": server.smp,
            "meta": dict(server.meta),
            "tags": list(server.tags),
        },
        "drives": [
            {
                "name": drive.name,
                "size_bytes": drive.size_bytes,
                "media": drive.media,
                "device": drive.device,
                "channel": drive.channel,
                "boot_order": drive.boot_order,
            }
            for drive in sorted(source.drives, key=lambda drive: (drive.channel or "", drive.id))
        ],
    }


# --- end -------------------------------------------------------------------------------------------------------------


def run_due_centrally(
    tx: CloudTransaction,
    until: datetime,
    *,
    silent: Collection[str] = (),
    lost: Mapping[str, str] | None = None,
) -> int:
    """End the copies and deletions that are done by `until`. Returns how many.

    Args:
        silent: The cells that do not answer: what is copied from them waits.
        lost: By drive id, why its copy will never be whole.
    """
    count = 0
    while due := tx.due_backup_tasks(until, (COPY, DELETE)):
        for task in due:
            if task.kind == COPY:
                _end_copy(tx, task, silent=silent, lost=lost or {})
            else:
                _end_deletion(tx, task)
        count += len(due)
    return count


def _end_copy(tx: CloudTransaction, task: Task, *, silent: Collection[str], lost: Mapping[str, str]) -> None:
    at = task.due_at
    backup = tx.find_backup(task.object_id)
    if backup is None:
        tx.end_task(task, TaskState.CANCELLED, at=at, result="the backup is gone")
        return
    held_by = [cell for cell in task.payload.get("cells", ()) if cell in silent]
    if held_by and "stalled_at" not in task.payload:
        # Its own due instant is when it is given up; the cell's return makes it due before that.
        planned = rules.duration_seconds(backup.size_bytes)
        tx.reschedule(
            task, due_at=task.begun_at + rules.stuck_after(planned), payload={**task.payload, "stalled_at": str(at)}
        )
        return
    problem = next((lost[id] for id in task.payload.get("drives", ()) if id in lost), None)
    if held_by:
        problem = f"it was stuck: {' and '.join(held_by)} did not answer until {at:%Y-%m-%d %H:%M} UTC"
    if problem is None:
        tx.save_backup(backup, replace(backup, state=BackupState.READY), kind="backup.ready", at=at)
        tx.end_task(task, TaskState.DONE, at=at)
    else:
        erred = replace(backup, state=BackupState.ERRED, reason=problem)
        tx.save_backup(backup, erred, kind="backup.failed", at=at, details={"reason": problem})
        tx.end_task(task, TaskState.FAILED, at=at, result=problem)
    _settle(tx, backup.id, at=at)


def _settle(tx: CloudTransaction, backup_id: str, *, at: datetime) -> None:
    """A copy has ended: what that means for the backup that it is a part of, and for the schedule of that."""
    backup = tx.backup(backup_id)
    if backup.parent_id is not None:
        parent, parts = tx.backup(backup.parent_id), tx.backups(parent_id=backup.parent_id)
        if any(part.state is BackupState.BACKING_UP for part in parts):
            return
        failed = [part for part in reversed(parts) if part.state is BackupState.ERRED]
        reason = f"{failed[0].source_name}: {failed[0].reason}" if failed else parent.reason
        state = BackupState.ERRED if failed else BackupState.READY
        kind = "backup.failed" if failed else "backup.ready"
        backup = tx.save_backup(parent, replace(parent, state=state, reason=reason), kind=kind, at=at)
    schedule = tx.find_schedule(backup.schedule_id) if backup.schedule_id else None
    if schedule is None:
        return
    if backup.state is BackupState.ERRED:
        _deactivate(tx, schedule, kind="schedule.failed", reason=f"its backup failed: {backup.reason}", at=at)
        return
    # Only now: an old copy goes when the new one is safe, never before.
    retain(tx, schedule, at=at)
    if schedule.drill_days and is_drill_due(schedule, at):
        begin_drill(tx, schedule, backup, at=at)


DRILL = "drill"
"""The task that begins a drill; see `backup_restores`."""


def begin_drill(
    tx: CloudTransaction, schedule: Schedule, backup: Backup, *, at: datetime, actor: str = "cloud"
) -> None:
    payload = {"name": str(backup.source_name or ""), "schedule": schedule.id}
    tx.schedule(DRILL, "backup", backup.id, begun_at=at, due_at=at, actor=actor, payload=payload)


def drilled(tx: CloudTransaction, schedule: Schedule) -> Backup:
    """The newest good backup of a schedule, for a drill. Raises Conflict: there is none, or it is in use."""
    found = tx.backups(schedule_id=schedule.id)
    newest = next((each for each in found if each.state is BackupState.READY), None)
    if any(each.state is BackupState.RESTORING for each in found):
        raise Conflict("One of its backups is being restored from: wait for that, and drill then.")
    if newest is None:
        raise Conflict("It has no good backup yet that could be restored: run it first.")
    if any(task.kind == DRILL for task in tx.open_tasks_of(newest.id)):
        raise Conflict("A drill of it has begun already.")
    return newest


def is_drill_due(schedule: Schedule, at: datetime) -> bool:
    return schedule.drilled_at is None or at - schedule.drilled_at >= timedelta(days=schedule.drill_days)


def _deactivate(tx: CloudTransaction, schedule: Schedule, *, kind: str, reason: str, at: datetime) -> None:
    off = replace(schedule, is_active=False, next_trigger_at=None, reason=reason, missed_since=None)
    tx.save_schedule(schedule, off, kind=kind, at=at, details={"reason": reason})


def switch_off_schedules(
    tx: CloudTransaction, source_id: str, *, reason: str, now: datetime, source_kind: str = SERVER
) -> None:
    for schedule in tx.schedules(source_kind=source_kind, source_id=source_id):
        if schedule.is_active:
            switch_off(tx, schedule, reason=reason, now=now)


def switch_off(tx: CloudTransaction, schedule: Schedule, *, reason: str, now: datetime) -> None:
    _deactivate(tx, schedule, kind="schedule.switched_off", reason=reason, at=now)


async def run_due(cloud: Cloud, until: datetime) -> int:
    """As `run_due_centrally`, with what the cells say of the drives that were copied."""

    due = await cloud.store.cloud_read(lambda tx: tx.due_backup_tasks(until, (COPY, DELETE), limit=10_000))
    if not due:
        return 0
    wanted: dict[str, list[str]] = {}
    for task in due:
        for id, cell in dict(task.payload.get("drives", {})).items():
            wanted.setdefault(cell, []).append(id)
    answers = await cloud.store.each_cell(lambda tx: _lost_in_cell(tx, wanted[tx.cell]), cells=wanted)
    silent = [cell for cell, answer in answers.items() if not isinstance(answer, dict)]
    lost = {id: why for answer in answers.values() if isinstance(answer, dict) for id, why in answer.items()}
    return await cloud.store.cloud_write(lambda tx: run_due_centrally(tx, until, silent=silent, lost=lost))


def _lost_in_cell(tx: CellTransaction, ids: Iterable[str]) -> dict[str, str]:
    found = tx.drives(ids)
    lost = {id: f"drive {id} was deleted while it was copied" for id in ids if id not in found}
    for id, drive in found.items():
        if drive.state is DriveState.UNAVAILABLE:
            lost[id] = f"drive {drive.name} was lost with host {drive.host} while it was copied"
    return lost


def resume_stalled(tx: CloudTransaction, cells: Collection[str], *, now: datetime) -> None:
    """These cells answer again: what waited for them goes on."""
    for task in tx.open_backup_tasks(COPY):
        if "stalled_at" in task.payload and not set(task.payload["cells"]).isdisjoint(cells):
            payload = {name: value for name, value in task.payload.items() if name != "stalled_at"}
            tx.reschedule(task, due_at=now, payload=payload, at=now)


# --- go --------------------------------------------------------------------------------------------------------------


def retain(tx: CloudTransaction, schedule: Schedule, *, at: datetime) -> None:
    """Drop what the schedule's rules do not keep now."""
    for verdict in retention.plan(tx.backups(schedule_id=schedule.id), retention.Policy.of(schedule), at):
        if not verdict.is_kept and verdict.backup.state in (BackupState.READY, BackupState.ERRED):
            drop(tx, verdict.backup, at=at, rule=verdict.rule)


def expire(tx: CloudTransaction, until: datetime) -> None:
    """Drop what is past its time by `until`. Asked after the schedules: what is due then has begun by now."""
    for backup in tx.expired_backups(until):
        _expire(tx, backup, at=until)


async def expire_due(cloud: Cloud, until: datetime) -> None:
    """As `expire`."""
    if await cloud.store.cloud_read(lambda tx: tx.expired_backups(until, limit=1)):
        await cloud.store.cloud_write(lambda tx: expire(tx, until))


def _expire(tx: CloudTransaction, backup: Backup, *, at: datetime) -> None:
    """Its time has come. What another rule of its schedule keeps stays, and is looked at again with the next backup."""
    if backup.state not in (BackupState.READY, BackupState.ERRED):
        return
    schedule = tx.find_schedule(backup.schedule_id) if backup.schedule_id else None
    if schedule is not None:
        verdicts = retention.plan(tx.backups(schedule_id=schedule.id), retention.Policy.of(schedule), at)
        verdict = next(each for each in verdicts if each.backup.id == backup.id)
        if verdict.is_kept:
            kept = replace(backup, kept_until=None)
            tx.save_backup(backup, kept, kind="backup.kept", at=at, details={"rule": verdict.rule})
            return
    drop(tx, backup, at=at, rule="its time has come")


def drop(tx: CloudTransaction, backup: Backup, *, at: datetime, rule: str, actor: str = "cloud") -> None:
    """With its parts."""
    for part in tx.backups(parent_id=backup.id):
        tx.remove_backup(part, at=at, actor=actor, details={"rule": rule})
    tx.remove_backup(backup, at=at, actor=actor, details={"rule": rule})


def _end_deletion(tx: CloudTransaction, task: Task) -> None:
    backup = tx.find_backup(task.object_id)
    if backup is not None:
        drop(tx, backup, at=task.due_at, rule="it was asked for", actor=task.actor)
    tx.end_task(task, TaskState.DONE, at=task.due_at)


# --- operations ------------------------------------------------------------------------------------------------------


async def create_backup(
    cloud: Cloud,
    actor: Account,
    kind: str,
    id: str,
    *,
    description: str = "",
    kept_until: datetime | None = None,
    request: RequestKey | None = None,
) -> Backup:
    """Back it up now; kept for ever without `kept_until`. `request` is remembered with its id, in the same transaction.

    Raises:
        NotFound, Forbidden. Invalid: it would be gone already. Conflict: it cannot be reached, or should not be copied
        now. OverQuota.
    """
    reading = await read_source(cloud, actor, kind, id)
    now = cloud.clock.now()
    check_kept_until(kept_until, now)

    def make(tx: CloudTransaction) -> Backup:
        made = take(tx, reading, now=now, description=description, kept_until=kept_until, actor=actor.name)
        if request is not None:
            tx.remember(request.key, request.digest, {"id": made.id})
        return made

    return await cloud.store.cloud_write(make)


def check_kept_until(kept_until: datetime | None, now: datetime) -> None:
    """Raises Invalid."""
    if kept_until is not None and kept_until <= now:
        raise Invalid("kept_until", f"must be after now, which is {now:%Y-%m-%d %H:%M:%S} UTC")


async def read_source(cloud: Cloud, actor: Account, kind: str, id: str) -> Reading:
    """What would be copied now.

    Raises:
        NotFound, Forbidden. Conflict: it cannot be reached, or should not be copied now.
    """
    await cloud.store.cloud_read(lambda tx: backup_sources.get(tx, actor, kind, id, to_change=True))
    reading = await backup_sources.read(cloud, kind, id)
    if reading is None:
        raise NotFound(kind, id)
    if reading.silent:
        raise Conflict(f"Backup source cannot be reached: {reading.problem}. Try again when it is back.")
    if reading.problem is not None:
        raise Conflict(f"Backup source should be in stable state: {reading.problem}.")
    return reading


async def get_backup(cloud: Cloud, actor: Account, backup_id: str) -> Backup:
    """Raises NotFound, also for what the account may not see."""
    return await cloud.store.cloud_read(lambda tx: backup_in(tx, actor, backup_id))


def backup_in(tx: CloudTransaction, actor: Account, backup_id: str, *, to_change: bool = False) -> Backup:
    """Raises NotFound, Forbidden. What has been deleted from under it does not hide a backup."""
    backup = tx.backup(backup_id)
    check = backup_sources.check_may_change if to_change else backup_sources.check_may_see
    check(tx, actor, backup, ("backup", backup_id))
    return backup


async def delete_backup(
    cloud: Cloud,
    actor: Account,
    backup_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Backup:
    """Begin to delete it, with its parts.

    Raises:
        NotFound, Forbidden, WrongState. Conflict: it is a part of another backup, or has changed since `if_version`.
    """
    now = cloud.clock.now()

    def begin(tx: CloudTransaction) -> Backup:
        backup = backup_in(tx, actor, backup_id, to_change=True)
        check_version(backup.version, if_version)
        parts = deletable(tx, backup)
        for part in parts:
            going = replace(part, state=BackupState.DELETING)
            tx.save_backup(part, going, kind="backup.deleting", at=now, actor=actor.name)
        deleting = replace(backup, state=BackupState.DELETING)
        deleting = tx.save_backup(backup, deleting, kind="backup.deleting", at=now, actor=actor.name)
        due_at = now + timedelta(seconds=DELETE_SECONDS)
        payload = {"name": backup.source_name}
        tx.schedule(DELETE, "backup", backup.id, begun_at=now, due_at=due_at, actor=actor.name, payload=payload)
        return deleting

    once = repeats.once(cloud, request, begin, again=lambda tx, _: backup_in(tx, actor, backup_id))
    return await cloud.store.cloud_write(once)


def deletable(tx: CloudTransaction, backup: Backup) -> list[Backup]:
    """The parts that go with it. Raises WrongState. Conflict: it is a part of another backup."""
    if backup.parent_id is not None:
        raise Conflict(f"This backup is a part of backup {backup.parent_id}: delete that.")
    parts = tx.backups(parent_id=backup.id)
    for each in (backup, *parts):
        if each.state not in (BackupState.READY, BackupState.ERRED):
            raise WrongState("backup", each.id, "delete", each.state, (BackupState.READY, BackupState.ERRED))
    return parts


async def list_backups(cloud: Cloud, actor: Account, *, limit: int | None = None) -> list[BackupView]:
    """The newest first."""

    def find(tx: CloudTransaction) -> list[BackupView]:
        projects, customers = backup_sources.visible_projects(tx, actor)
        if projects is None:
            return views_in(tx, tx.backups(limit=limit))
        return views_in(tx, tx.page_of_backups(Wanted(projects, customers))[::-1][:limit])

    return await cloud.store.cloud_read(find)


async def show_backup(cloud: Cloud, backup: Backup) -> BackupView:
    return (await cloud.store.cloud_read(lambda tx: views_in(tx, [backup])))[0]


def views_in(tx: CloudTransaction, found: Iterable[Backup]) -> list[BackupView]:
    return [
        BackupView(
            backup,
            backup.source_name,
            backup.size_bytes
            if backup.source_kind == SERVER
            else sum(part.size_bytes for part in tx.backups(parent_id=backup.id)),
        )
        for backup in found
    ]
