"""Backups and the schedules that take them. They lie in cloud.db, outside the cells, so they outlive a silent one.

A missed run is not a failed one: when the source cannot be reached the run is recorded as missed, and one catch-up is
taken when it returns. Only a backup that was refused or went wrong switches its schedule off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from backend.cloud import backups as rules
from backend.cloud.errors import Invalid, NotFound, OverQuota
from backend.cloud.model import (
    Account,
    Backup,
    BackupState,
    Drive,
    PartialDrive,
    ReachabilityState,
    Schedule,
    Server,
    Task,
    TaskState,
)
from backend.operations import Cloud, drives, quotas, servers
from backend.store import CloudTransaction, DriveEntry, ServerEntry

LATE_SECONDS = 60
"""A run that is later than this was missed: the backend was not running, or the clock was moved past it."""

HISTORY_LENGTH = 10

LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """What a backup copies: the server and its drives, as they are at the instant."""

    server: Server
    drives: tuple[Drive, ...]

    @property
    def size_bytes(self) -> int:
        return sum(drive.size_bytes for drive in self.drives if drive.media == "disk")


@dataclass(frozen=True, slots=True)
class ScheduleView:
    schedule: Schedule
    server_name: str | None
    history: tuple[str, ...]
    """The last runs, oldest first: `ok`, `failed`, `missed`."""


@dataclass(frozen=True, slots=True)
class BackupView:
    backup: Backup
    server_name: str | None


# --- one transaction in cloud.db -------------------------------------------------------------------------------------


def new_schedule(
    tx: CloudTransaction,
    server_id: str,
    project_id: str,
    *,
    description: str,
    cron: str,
    time_zone: str = "UTC",
    retention_days: int = 0,
    backups_max: int = 0,
    is_active: bool = True,
    now: datetime,
    actor: str,
) -> Schedule:
    """Raises Invalid: an expression that is wrong, or that never fires."""
    try:
        rule = rules.parse(cron, time_zone)
    except rules.CronError as problem:
        raise Invalid("schedule", str(problem)) from problem
    if retention_days < 0 or backups_max < 0:
        raise Invalid("retention_time" if retention_days < 0 else "maximal_number_of_backups", "must not be negative")
    schedule = Schedule(
        id=tx.next_id("cloud"),
        server_id=server_id,
        project_id=project_id,
        description=description,
        cron=cron,
        time_zone=time_zone,
        retention_days=retention_days,
        backups_max=backups_max,
        is_active=is_active,
        next_trigger_at=rule.next_after(now) if is_active else None,
        created_at=now,
    )
    tx.add_schedule(schedule, at=now, actor=actor)
    return schedule


def take(
    tx: CloudTransaction,
    source: Source,
    *,
    now: datetime,
    description: str,
    schedule: Schedule | None = None,
    actor: str = "cloud",
) -> Backup:
    """Begin a backup; it is ready when its task ends. Raises OverQuota, with the figures."""
    quotas.check(tx, source.server.project_id, storage_bytes=source.size_bytes)
    backup = Backup(
        id=tx.next_id("cloud"),
        server_id=source.server.id,
        project_id=source.server.project_id,
        schedule_id=schedule.id if schedule else None,
        description=description,
        state=BackupState.BACKING_UP,
        created_at=now,
        size_bytes=source.size_bytes,
        kept_until=rules.kept_until(now, schedule.retention_days) if schedule else None,
        contents=_contents(source),
    )
    tx.add_backup(backup, at=now, actor=actor)
    due_at = now + timedelta(seconds=rules.duration_seconds(source.size_bytes))
    payload = {
        "name": source.server.name,
        "server": source.server.id,
        "bytes_total": source.size_bytes,
        "rate_bytes_per_second": rules.BACKUP_BYTES_PER_SECOND,
    }
    tx.schedule("backup", "backup", backup.id, begun_at=now, due_at=due_at, actor=actor, payload=payload)
    return backup


def _contents(source: Source) -> dict[str, Any]:
    server = source.server
    return {
        "server": {
            "name": server.name,
            "cpu_mhz": server.size.cpu_mhz,
            "memory_bytes": server.size.memory_bytes,
            "smp": server.smp,
            "meta": dict(server.meta),
            "tags": list(server.tags),
        },
        "drives": [
            {"name": drive.name, "size_bytes": drive.size_bytes, "media": drive.media} for drive in source.drives
        ],
    }


def run_schedule(tx: CloudTransaction, schedule: Schedule, source: Source | None, *, now: datetime) -> Backup | None:
    """One due run. None as the source: it cannot be reached, so the run is missed and owed."""
    due_at = schedule.next_trigger_at
    assert due_at is not None, "only an active schedule is due"
    following = rules.next_trigger(schedule, now)
    late_seconds = (now - due_at).total_seconds()
    if source is None or late_seconds > LATE_SECONDS:
        schedule = tx.save_schedule(
            schedule,
            replace(schedule, missed_since=schedule.missed_since or due_at, next_trigger_at=following),
            kind="schedule.missed",
            at=now,
            details={
                "due_at": due_at.isoformat(),
                "runs": max(1, rules.missed(schedule, now)),
                "why": "unreachable" if source is None else "not running",
            },
        )
        if source is None:
            return None
    return _run(tx, replace(schedule, next_trigger_at=following), schedule, source, now=now)


def catch_up(tx: CloudTransaction, schedule: Schedule, source: Source, *, now: datetime) -> Backup | None:
    """The one run that is owed for however many were missed, now that the source is back."""
    if schedule.missed_since is None or not schedule.is_active:
        return None
    return _run(tx, schedule, schedule, source, now=now)


def _run(tx: CloudTransaction, planned: Schedule, stored: Schedule, source: Source, *, now: datetime) -> Backup | None:
    try:
        backup = take(tx, source, now=now, description=planned.description, schedule=planned)
    except OverQuota as problem:
        off = replace(planned, is_active=False, next_trigger_at=None, reason=str(problem), missed_since=None)
        tx.save_schedule(stored, off, kind="schedule.failed", at=now, details={"reason": str(problem)})
        return None
    ran = replace(planned, last_run_at=now, missed_since=None)
    tx.save_schedule(stored, ran, kind="schedule.ran", at=now, details={"backup": backup.id})
    return backup


def _drop(tx: CloudTransaction, which: Iterable[Backup], *, now: datetime) -> None:
    for backup in which:
        tx.remove_backup(backup, at=now, actor="cloud")


def run_due_centrally(tx: CloudTransaction, until: datetime) -> int:
    """End the backups that are done by `until`, and drop those past retention. Returns how many tasks ended."""
    count = 0
    while due := [task for task in tx.due_tasks(until) if task.kind == "backup"]:
        for task in due:
            _end_backup(tx, task)
        count += len(due)
    _drop(tx, rules.expired(tx.expired_backups(until), until), now=until)
    return count


def _end_backup(tx: CloudTransaction, task: Task) -> None:
    backup = tx.find_backup(task.object_id)
    if backup is None:
        tx.end_task(task, TaskState.CANCELLED, at=task.due_at, result="the backup is gone")
        return
    tx.save_backup(backup, replace(backup, state=BackupState.READY), kind="backup.ready", at=task.due_at)
    tx.end_task(task, TaskState.DONE, at=task.due_at)
    schedule = tx.find_schedule(backup.schedule_id) if backup.schedule_id else None
    if schedule is not None:
        # Only now: an old copy goes when the new one is safe, never before.
        _drop(tx, rules.beyond(tx.backups(schedule_id=schedule.id), schedule.backups_max), now=task.due_at)


def switch_off_schedules(tx: CloudTransaction, server_id: str, *, reason: str, now: datetime) -> None:
    for schedule in tx.schedules(server_id=server_id):
        if schedule.is_active:
            off = replace(schedule, is_active=False, next_trigger_at=None, reason=reason)
            tx.save_schedule(schedule, off, kind="schedule.switched_off", at=now, details={"reason": reason})


# --- operations ------------------------------------------------------------------------------------------------------


async def read_source(cloud: Cloud, server_id: str) -> Source | None:
    """The server and its drives now; None while a cell that holds any of them does not answer. Raises NotFound."""

    def find(tx: CloudTransaction) -> tuple[ServerEntry | None, list[DriveEntry]]:
        return tx.find_server_entry(server_id), tx.drive_entries_of(server_id)

    entry, attached = await cloud.store.cloud_read(find)
    if entry is None or entry.state == "deleting":
        raise NotFound("server", server_id)
    server = (await servers.read_servers(cloud, [entry]))[0]
    found = await drives.read_drives(cloud, attached)
    if not isinstance(server, Server) or any(isinstance(drive, PartialDrive) for drive in found):
        return None
    return Source(server, tuple(drive for drive in found if isinstance(drive, Drive)))


async def run_due_schedules(cloud: Cloud, until: datetime) -> int:
    """Every schedule that is due by `until`, one after the other: what goes wrong with one never stops another."""
    count = 0
    for schedule in await cloud.store.cloud_read(lambda tx: tx.due_schedules(until)):
        count += 1
        try:
            source = await read_source(cloud, schedule.server_id)
        except NotFound as problem:
            await cloud.store.cloud_write(partial(_end_without_source, schedule, str(problem), now=until))
            continue

        def run(tx: CloudTransaction, due: Schedule = schedule, found: Source | None = source) -> None:
            current = tx.find_schedule(due.id)
            if current is not None and current.is_active and current.next_trigger_at == due.next_trigger_at:
                run_schedule(tx, current, found, now=until)

        await cloud.store.cloud_write(run)
    return count


def _end_without_source(schedule: Schedule, reason: str, tx: CloudTransaction, *, now: datetime) -> None:
    switch_off_schedules(tx, schedule.server_id, reason=reason, now=now)


async def catch_up_missed(cloud: Cloud, now: datetime) -> None:
    """After a cell has come back: take what is owed for it."""
    owed = await cloud.store.cloud_read(lambda tx: [each for each in tx.schedules() if each.missed_since is not None])
    for schedule in owed:
        try:
            source = await read_source(cloud, schedule.server_id)
        except NotFound:
            # Its next run finds the same, and switches it off with the reason.
            continue
        if source is not None:

            def run(tx: CloudTransaction, schedule_id: str = schedule.id, found: Source = source) -> None:
                current = tx.find_schedule(schedule_id)
                if current is not None:
                    catch_up(tx, current, found, now=now)

            await cloud.store.cloud_write(run)


async def sources_at_risk(cloud: Cloud, *, now: datetime) -> dict[str, int]:
    """By cell: how many servers that schedules copy have no copy as new as was promised, or can be given none now.

    Worked out once for as long as nothing changes; what is asked each second is only how many instants have passed.
    """
    instants: dict[str, list[datetime]] = await cloud.kept.of(sources_at_risk, lambda: _at_risk_from(cloud))
    return {cell: bisect_right(found, now) for cell, found in instants.items()}


async def _at_risk_from(cloud: Cloud) -> dict[str, list[datetime]]:
    """By cell, sorted: from when on each source is at risk."""
    schedules, sources = await cloud.store.cloud_read(lambda tx: (tx.schedules(), tx.backup_sources()))
    is_up = {cell: cloud.store.reachability(cell).state is ReachabilityState.UP for cell in cloud.store.cell_names}
    by_server: dict[str, datetime] = {}
    for schedule in schedules:
        if schedule.server_id not in sources:
            continue
        cell, last_good_at = sources[schedule.server_id]
        from_at = rules.at_risk_from(schedule, last_good_at, is_reachable=is_up[cell])
        if from_at is not None:
            by_server[schedule.server_id] = min(from_at, by_server.get(schedule.server_id, from_at))
    found: dict[str, list[datetime]] = {cell: [] for cell in cloud.store.cell_names}
    for server_id, from_at in by_server.items():
        found[sources[server_id][0]].append(from_at)
    return {cell: sorted(instants) for cell, instants in found.items()}


async def create_schedule(cloud: Cloud, actor: Account, server_id: str, **fields: Any) -> Schedule:
    """Raises NotFound, Forbidden, Invalid."""
    entry = await servers.entry_for(cloud, actor, server_id, to_change=True)
    now = cloud.clock.now()
    return await cloud.store.cloud_write(
        lambda tx: new_schedule(tx, server_id, entry.project_id, now=now, actor=actor.name, **fields)
    )


async def list_schedules(cloud: Cloud, actor: Account) -> list[ScheduleView]:
    """What is due first, first; what is off, last."""
    found: list[ScheduleView] = await cloud.kept.of((list_schedules, actor), lambda: _list_schedules(cloud, actor))
    return found


async def _list_schedules(cloud: Cloud, actor: Account) -> list[ScheduleView]:
    def find(tx: CloudTransaction) -> list[tuple[Schedule, tuple[str, ...]]]:
        return [
            (schedule, _history(tx, schedule.id)) for schedule in tx.schedules() if actor.may_see(schedule.project_id)
        ]

    found = await cloud.store.cloud_read(find)
    names = await names_of(cloud, {schedule.server_id for schedule, _ in found})
    views = [ScheduleView(schedule, names.get(schedule.server_id), history) for schedule, history in found]
    return sorted(
        views, key=lambda view: (not view.schedule.is_active, view.schedule.next_trigger_at or LAST, view.schedule.id)
    )


def _history(tx: CloudTransaction, schedule_id: str) -> tuple[str, ...]:
    words = {"schedule.ran": "ok", "schedule.failed": "failed", "schedule.missed": "missed"}
    events = tx.events_of(schedule_id, limit=3 * HISTORY_LENGTH)
    newest_first = [words[event.kind] for event in events if event.kind in words]
    return tuple(reversed(newest_first[:HISTORY_LENGTH]))


async def list_backups(cloud: Cloud, actor: Account, *, limit: int | None = None) -> list[BackupView]:
    """The newest first."""
    found = await cloud.store.cloud_read(
        lambda tx: [backup for backup in tx.backups(limit=limit) if actor.may_see(backup.project_id)]
    )
    return [BackupView(backup, str(backup.contents.get("server", {}).get("name", "")) or None) for backup in found]


async def names_of(cloud: Cloud, server_ids: Iterable[str]) -> dict[str, str]:
    """The names of servers whose cells answer."""
    wanted = list(server_ids)
    answers = await cloud.store.each_cell(lambda tx: tx.servers(wanted))
    return {
        server.id: server.name for answer in answers.values() if isinstance(answer, dict) for server in answer.values()
    }
