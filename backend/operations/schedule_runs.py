"""Runs and drills of schedules that somebody asks for, besides those that are due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backend.cloud.errors import Conflict
from backend.cloud.model import Account, Backup, Schedule
from backend.operations import Cloud, RequestKey, backups, check_version, repeats
from backend.operations.schedules import schedule_in
from backend.store import CloudTransaction


async def run_now(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> tuple[Schedule, Backup]:
    """One run besides those that are due, by the same rules, whether it is active or not. It counts for what is owed.

    Raises:
        NotFound, Forbidden, OverQuota. Conflict: its source cannot be copied now, its last copy is not finished, or it
        has changed since `if_version`. A refusal changes nothing: what was asked for by hand switches nothing off.
    """
    known = await cloud.store.cloud_read(lambda tx: schedule_in(tx, actor, schedule_id, to_change=True))
    reading = await backups.read_source(cloud, actor, known.source_kind, known.source_id)
    now = cloud.clock.now()

    def run(tx: CloudTransaction) -> tuple[Schedule, Backup]:
        before = schedule_in(tx, actor, schedule_id, to_change=True)
        check_version(before.version, if_version)
        check_may_run(tx, before)
        backup = backups.take(tx, reading, now=now, description=before.description, schedule=before, actor=actor.name)
        ran = replace(before, last_run_at=now, missed_since=None)
        details = {"asked_by": actor.name, "backup": backup.id}
        return tx.save_schedule(before, ran, kind="schedule.ran", at=now, actor=actor.name, details=details), backup

    return await cloud.store.cloud_write(_once(cloud, actor, schedule_id, request, run))


def check_may_run(tx: CloudTransaction, schedule: Schedule) -> None:
    """Raises Conflict while its last copy is not finished."""
    if tx.unfinished_backup_of(schedule.id) is not None:
        raise Conflict("Its last backup is not finished: wait for that, and run it then.")


async def drill_now(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> tuple[Schedule, Backup]:
    """See now whether its newest good backup can be restored; with what came of it, as of any other drill.

    Raises:
        NotFound, Forbidden. Conflict: there is no good backup, one is being restored from, or the schedule has changed
        since `if_version`.
    """
    now = cloud.clock.now()

    def begin(tx: CloudTransaction) -> tuple[Schedule, Backup]:
        schedule = schedule_in(tx, actor, schedule_id, to_change=True)
        check_version(schedule.version, if_version)
        backup = backups.drilled(tx, schedule)
        backups.begin_drill(tx, schedule, backup, at=now, actor=actor.name)
        return schedule, backup

    return await cloud.store.cloud_write(_once(cloud, actor, schedule_id, request, begin))


def _once(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    request: RequestKey | None,
    work: Callable[[CloudTransaction], tuple[Schedule, Backup]],
) -> Callable[[CloudTransaction], tuple[Schedule, Backup]]:
    def again(tx: CloudTransaction, told: Any) -> tuple[Schedule, Backup]:
        return schedule_in(tx, actor, schedule_id), tx.backup(told["backup"])

    return repeats.once(cloud, request, work, again=again, tells=lambda begun: {"backup": begun[1].id})
