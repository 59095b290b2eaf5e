"""What making a backup, a schedule, or a change of one would come to, and what it would cost of the project's storage.

Nothing here changes anything. A refusal is the plan's `problem`; what makes no sense at all is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from backend.cloud import backups as rules
from backend.cloud import previews, retention
from backend.cloud.errors import CloudError
from backend.cloud.filling import Copying, Filling
from backend.cloud.model import Account, Backup, BackupState, Schedule
from backend.cloud.previews import Preview
from backend.cloud.retention import Policy
from backend.operations import (
    Cloud,
    backup_agenda,
    backup_sources,
    backups,
    check_version,
    schedule_runs,
    schedules,
)
from backend.operations.backup_sources import Reading
from backend.operations.schedules import ScheduleSpec
from backend.store import CloudTransaction, Project, Wanted


@dataclass(frozen=True, slots=True)
class Outlook:
    """The storage of one project: what it has, what one copy takes, and what a schedule's copies come to."""

    project_id: str
    project_name: str
    used_bytes: int
    limit_bytes: int | None
    """None: no quota."""
    copy_bytes: int
    copies_kept: int = 0
    """Of the schedule, now."""
    copies_most: int | None = 1
    """At once, when its rules have been followed for long; None: ever more."""
    filling: Filling | None = None
    """Of a schedule: when the quota is full, with all that copies into the project and goes from it."""

    @property
    def is_enough(self) -> bool:
        """Whether the quota has room for what this comes to."""
        if self.filling is not None:
            return self.filling.full_at is None
        return self.copies_left is None or self.copies_left > 0

    @property
    def left_bytes(self) -> int | None:
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.used_bytes)

    @property
    def copies_left(self) -> int | None:
        """How many more copies the quota has room for."""
        if self.left_bytes is None or not self.copy_bytes:
            return None
        return self.left_bytes // self.copy_bytes

    @property
    def growth_bytes(self) -> int | None:
        """What will be taken besides, at most; None: ever more."""
        if self.copies_most is None:
            return None
        return max(0, self.copies_most - self.copies_kept) * self.copy_bytes


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """A backup that would be taken now, of a source or by a schedule."""

    source_kind: str
    source_id: str
    source_name: str | None
    problem: CloudError | None
    kept_until: datetime | None
    servers: int = 0
    drives: int = 0
    size_bytes: int = 0
    seconds: int = 0
    """Until the last of its copies is whole."""
    left_out: str | None = None
    """What a backup of several servers goes without, and why."""
    storage: tuple[Outlook, ...] = ()
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """A schedule that would be made or changed."""

    schedule: Schedule
    """As it would be; without an id, one that is not there yet."""
    source_name: str | None
    problem: CloudError | None
    preview: Preview
    storage: tuple[Outlook, ...]
    not_now: str | None
    """Why its source could not be copied just now, which does not keep the schedule from being made."""
    others: tuple[Schedule, ...] = ()
    """The other active schedules that copy all of its source."""


SwitchAction = Literal["activate", "deactivate", "drill"]


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """A schedule that would be switched on or off, or whose newest backup would be tried."""

    action: SwitchAction
    schedule: Schedule
    problem: CloudError | None
    next_at: datetime | None = None
    """Of one that would be switched on: its next run."""
    backup: Backup | None = None
    """Of a drill, what it restores."""
    cell: str | None = None
    """Where the server of a drill would be made."""
    hosts: tuple[str, ...] = ()
    """Where the copies of its drives would go, as things are."""
    host: str | None = None
    """Where it would run, as things are; None where it would not start."""
    seconds: int = 0
    """How long a drill takes, about, until its server runs."""
    drill_problem: str | None = None
    """Why a drill would fail as things are."""


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """A backup, or a schedule, that would be deleted."""

    thing: Backup | Schedule
    source_name: str | None
    problem: CloudError | None
    size_bytes: int
    """What is given back: nothing for a schedule, whose backups stay."""
    backups: int
    """Of a backup, the parts that go with it; of a schedule, those that stay."""
    is_last_good: bool = False
    """Of a backup: there is no other good one of its source."""


# --- backups -----------------------------------------------------------------------------------------------------


async def plan_backup(
    cloud: Cloud, actor: Account, kind: str, id: str, *, kept_until: datetime | None = None
) -> BackupPlan:
    """Raises NotFound, Invalid."""
    await cloud.store.cloud_read(lambda tx: backup_sources.get(tx, actor, kind, id))
    backups.check_kept_until(kept_until, cloud.clock.now())
    return await _backup_plan(cloud, actor, BackupPlan(kind, id, None, None, kept_until))


async def plan_run(cloud: Cloud, actor: Account, schedule_id: str, *, if_version: int | None = None) -> BackupPlan:
    """Of a schedule, now. Raises NotFound."""
    schedule = await schedules.get_schedule(cloud, actor, schedule_id)
    kept_until = rules.kept_until(cloud.clock.now(), schedule.retention_days)
    nothing = BackupPlan(schedule.source_kind, schedule.source_id, None, None, kept_until, schedule=schedule)
    try:
        check_version(schedule.version, if_version)
        await cloud.store.cloud_read(lambda tx: schedule_runs.check_may_run(tx, schedule))
    except CloudError as problem:
        return replace(nothing, source_name=await _name_of(cloud, schedule), problem=problem)
    return await _backup_plan(cloud, actor, nothing)


async def _backup_plan(cloud: Cloud, actor: Account, nothing: BackupPlan) -> BackupPlan:
    kind, id = nothing.source_kind, nothing.source_id
    try:
        reading = await backups.read_source(cloud, actor, kind, id)
    except CloudError as problem:
        names = await backup_sources.names_of(cloud, [(kind, id)])
        return replace(nothing, source_name=names.get((kind, id)), problem=problem)
    plan = replace(
        nothing,
        source_name=reading.scope.name or reading.parts[0].server.name,
        servers=len(reading.copied),
        drives=sum(len(part.copied) for part in reading.copied),
        size_bytes=sum(part.size_bytes for part in reading.copied),
        seconds=max((rules.duration_seconds(part.size_bytes) for part in reading.copied), default=0),
        left_out=reading.left_out,
    )

    def look(tx: CloudTransaction) -> tuple[tuple[Outlook, ...], CloudError | None]:
        storage = tuple(outlook_of(tx, *each) for each in reading.bytes_by_project().items())
        return storage, _refusal(lambda: backups.check_quotas(tx, reading))

    storage, over_quota = await cloud.store.cloud_read(look)
    return replace(plan, storage=storage, problem=over_quota)


def _refusal(check: Callable[[], object]) -> CloudError | None:
    try:
        check()
    except CloudError as problem:
        return problem
    return None


def outlook_of(tx: CloudTransaction, project_id: str, copy_bytes: int) -> Outlook:
    found: Project | None = next((project for project in tx.projects() if project.id == project_id), None)
    name, limit = ("", None) if found is None else (found.name, found.storage_bytes_max)
    return Outlook(project_id, name, tx.usage(project_id).storage_bytes, limit, copy_bytes)


async def _name_of(cloud: Cloud, thing: Schedule) -> str | None:
    source = thing.source_kind, thing.source_id
    return (await backup_sources.names_of(cloud, [source])).get(source)


# --- schedules ---------------------------------------------------------------------------------------------------


async def plan_schedule(cloud: Cloud, actor: Account, kind: str, id: str, spec: ScheduleSpec) -> SchedulePlan:
    """Raises NotFound, Invalid."""
    schedules.check_spec(spec)
    scope = await cloud.store.cloud_read(lambda tx: backup_sources.get(tx, actor, kind, id))
    now = cloud.clock.now()
    wanted = schedules.drafted(scope, spec, now=now)
    problem = await cloud.store.cloud_read(
        lambda tx: _refusal(lambda: backup_sources.get(tx, actor, kind, id, to_change=True))
    )
    return await _schedule_plan(cloud, wanted, [], problem, now)


async def plan_change(
    cloud: Cloud, actor: Account, schedule_id: str, fields: Mapping[str, Any], *, if_version: int | None = None
) -> SchedulePlan:
    """`fields` are those of `ScheduleSpec` that would be others. Raises NotFound, Invalid."""
    before = await schedules.get_schedule(cloud, actor, schedule_id)
    wanted = schedules.with_spec(before, schedules.changed_spec(before, fields))

    def look(tx: CloudTransaction) -> tuple[list[Backup], CloudError | None]:
        may_change = _refusal(lambda: schedules.schedule_in(tx, actor, schedule_id, to_change=True))
        is_current = _refusal(lambda: check_version(before.version, if_version))
        return tx.backups(schedule_id=schedule_id), may_change or is_current

    found, problem = await cloud.store.cloud_read(look)
    return await _schedule_plan(cloud, wanted, found, problem, cloud.clock.now())


async def _schedule_plan(
    cloud: Cloud, wanted: Schedule, found: list[Backup], problem: CloudError | None, now: datetime
) -> SchedulePlan:
    policy = Policy.of(wanted)
    # How late its jitter makes it is a function of the id that it is given when it is made.
    preview = previews.preview(wanted.cron, policy, found, now, schedule=wanted if wanted.id else None)
    reading = await backup_sources.read(cloud, wanted.source_kind, wanted.source_id)
    name, not_now, storage = None, "it is not there any more", tuple[Outlook, ...]()
    if reading is not None:
        not_now = reading.problem or ""
        kept = sum(
            each.is_kept for each in retention.plan(found, policy, now) if each.backup.state != BackupState.ERRED
        )
        most = previews.most_copies(rules.parse(wanted.cron, wanted.time_zone), policy, now)
        seconds = max((rules.duration_seconds(part.size_bytes) for part in reading.copied), default=0)
        storage = await cloud.store.cloud_read(
            lambda tx: tuple(
                _filled(tx, replace(outlook_of(tx, *each), copies_kept=kept, copies_most=most), wanted, seconds, now)
                for each in _sizes(reading).items()
            )
        )
        name = reading.scope.name or next((part.server.name for part in reading.parts), None)
    others = await cloud.store.cloud_read(lambda tx: schedules.covering(tx, wanted))
    return SchedulePlan(wanted, name, problem, preview, storage, not_now or None, others)


def _sizes(reading: Reading) -> dict[str, int]:
    """What a copy would take when its source can be copied; nothing where a cell is silent, which holds some of it."""
    return {} if reading.silent else reading.bytes_by_project()


def _filled(tx: CloudTransaction, outlook: Outlook, schedule: Schedule, seconds: int, now: datetime) -> Outlook:
    """With the first run that the quota would refuse, if the schedule were so from now on, and on."""
    project = next((each for each in tx.projects() if each.id == outlook.project_id), None)
    if project is None:
        return outlook
    held = backup_agenda.held(tx, Wanted(projects={project.id}, customers={project.customer_id}))
    others = [each for each in held.copyings(project.id) if each.schedule.id != schedule.id]
    # Without an id, nobody can tell how late its jitter would make it.
    drafted = replace(schedule, is_active=True, jitter_seconds=schedule.jitter_seconds if schedule.id else 0)
    drafted = replace(drafted, next_trigger_at=rules.next_trigger(drafted, now))
    own = Copying(drafted, outlook.copy_bytes, seconds, tuple(held.copies.get((schedule.id, project.id), ())))
    return replace(outlook, filling=held.filling(project, outlook.used_bytes, [*others, own], now))


async def plan_switch(
    cloud: Cloud, actor: Account, schedule_id: str, action: SwitchAction, *, if_version: int | None = None
) -> SwitchPlan:
    """Raises NotFound."""
    now = cloud.clock.now()

    def look(tx: CloudTransaction) -> SwitchPlan:
        schedule = schedules.schedule_in(tx, actor, schedule_id)
        plan = SwitchPlan(action, schedule, None)
        try:
            schedules.schedule_in(tx, actor, schedule_id, to_change=True)
            check_version(schedule.version, if_version)
            if action == "drill":
                return replace(plan, backup=backups.drilled(tx, schedule))
            schedules.check_may_switch(schedule, is_active=action == "activate")
        except CloudError as problem:
            return replace(plan, problem=problem)
        return replace(plan, next_at=rules.next_trigger(schedule, now) if action == "activate" else None)

    return await cloud.store.cloud_read(look)


# --- deletions ---------------------------------------------------------------------------------------------------


async def plan_backup_deletion(
    cloud: Cloud, actor: Account, backup_id: str, *, if_version: int | None = None
) -> DeletionPlan:
    """Raises NotFound."""

    def look(tx: CloudTransaction) -> DeletionPlan:
        backup = backups.backup_in(tx, actor, backup_id)

        def check() -> None:
            backups.backup_in(tx, actor, backup_id, to_change=True)
            check_version(backup.version, if_version)
            backups.deletable(tx, backup)

        (view,) = backups.views_in(tx, [backup])
        of_source = tx.backups(source_id=backup.source_id)
        good = {each.id for each in of_source if each.state in (BackupState.READY, BackupState.RESTORING)}
        parts = len(tx.backups(parent_id=backup.id))
        return DeletionPlan(backup, view.source_name, _refusal(check), view.size_bytes, parts, good == {backup.id})

    return await cloud.store.cloud_read(look)


async def plan_schedule_deletion(
    cloud: Cloud, actor: Account, schedule_id: str, *, if_version: int | None = None
) -> DeletionPlan:
    """Raises NotFound."""

    def look(tx: CloudTransaction) -> DeletionPlan:
        schedule = schedules.schedule_in(tx, actor, schedule_id)

        def check() -> None:
            schedules.schedule_in(tx, actor, schedule_id, to_change=True)
            check_version(schedule.version, if_version)

        return DeletionPlan(schedule, None, _refusal(check), 0, len(tx.backups(schedule_id=schedule_id)))

    plan = await cloud.store.cloud_read(look)
    assert isinstance(plan.thing, Schedule), "it is the plan of a schedule"
    return replace(plan, source_name=await _name_of(cloud, plan.thing))
