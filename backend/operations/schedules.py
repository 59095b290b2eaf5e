"""Schedules: what takes backups by the clock. Exactly one run for each instant at which one is due.

A missed run is not a failed one: when the source cannot be reached, should not be copied just now, or nothing ran the
schedule, the run is recorded as missed, and one catch-up is taken for however many were: when the cell returns, when
the source has settled, or at once. A run that falls due while the last one is not finished is refused and recorded.
Only a backup that was refused or went wrong switches its schedule off, with the reason.

What is due is found by its index, in pages; each page reads every cell once and is one transaction, in which what goes
wrong with one schedule never touches another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from backend.cloud import backups as rules
from backend.cloud.errors import CloudError, Conflict, Invalid
from backend.cloud.model import SERVER, Account, Backup, Schedule, Task, TaskState
from backend.cloud.retention import RULES
from backend.operations import (
    Cloud,
    RequestKey,
    backup_sources,
    backups,
    check_version,
    repeats,
    schedule_states,
    servers,
)
from backend.operations.backup_sources import Reading, Scope
from backend.operations.schedule_states import ScheduleState
from backend.store import CloudTransaction, Place, Wanted

LATE_SECONDS = 60
"""A run that is later than this was missed: the backend was not running, or the clock was moved past it."""

RETRY_SECONDS, RETRY_SECONDS_MAX = 60, 3600
"""A source that should not be copied just now is looked at again after this, each time after twice as long."""

PAGE = 64
"""How many due schedules are read, and run, together."""

HISTORY_LENGTH = 10

NOTABLE_MAX = 50
"""How many schedules of a kind are told to whoever looks at everything."""

CATCH_UP = "catch_up"
"""The task of a schedule that owes a run."""

_HISTORY_WORDS: Mapping[str, str] = {
    "schedule.ran": "ok",
    "schedule.failed": "failed",
    "schedule.missed": "missed",
    "schedule.overlapped": "overlapped",
}
"""How a run ended, by the event that tells of it."""

LAST = datetime.max.replace(tzinfo=UTC)

_MOST = {
    "retention_days": 36_500,
    "backups_max": 10_000,
    "jitter_seconds": 86_400,
    "target_seconds": 36_500 * 86_400,
    "drill_days": 3_650,
    "keeps": 1_000,
}
DESCRIPTION_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """What a schedule is to be; see `Schedule`."""

    cron: str
    description: str = ""
    time_zone: str = "UTC"
    retention_days: int = 0
    backups_max: int = 0
    is_active: bool = True
    jitter_seconds: int = 0
    keeps: Mapping[str, int] = field(default_factory=dict)
    target_seconds: int | None = None
    drill_days: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleView:
    schedule: Schedule
    source_name: str | None
    history: tuple[str, ...]
    """The last runs, oldest first: `ok`, `running`, `failed`, `missed`, or `overlapped`: refused, the one before was
    not over.
    """
    backups: int = 0
    """How many of its backups can be restored from."""
    last_good_at: datetime | None = None
    """When the newest of them was taken."""
    state: ScheduleState = field(default_factory=ScheduleState)


def check_spec(spec: ScheduleSpec) -> None:
    """Raises Invalid: an expression that is wrong or never fires, or a number out of range."""
    if len(spec.description) > DESCRIPTION_LENGTH_MAX:
        raise Invalid("description", f"may have at most {DESCRIPTION_LENGTH_MAX:,} characters")
    try:
        rules.parse(spec.cron, spec.time_zone)
    except rules.CronError as problem:
        raise Invalid(problem.field, str(problem)) from problem
    for name in ("retention_days", "backups_max", "jitter_seconds", "drill_days"):
        _check_number(name, getattr(spec, name), 0, _MOST[name])
    if spec.target_seconds is not None:
        _check_number("target_seconds", spec.target_seconds, 1, _MOST["target_seconds"])
    for name, count in spec.keeps.items():
        if name not in RULES:
            raise Invalid("keeps", f"{name!r} is none of its rules, which are {', '.join(RULES)}")
        _check_number("keeps", count, 0, _MOST["keeps"])


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise Invalid(name, f"must be at least {least}, and is {value}")
    if value > most:
        raise Invalid(name, f"must be at most {most:,}")


# --- one transaction in cloud.db -------------------------------------------------------------------------------------


def new_schedule(tx: CloudTransaction, scope: Scope, spec: ScheduleSpec, *, now: datetime, actor: str) -> Schedule:
    """Raises Invalid."""
    check_spec(spec)
    schedule = replace(drafted(scope, spec, now=now), id=tx.next_id("cloud"))
    if spec.is_active:
        schedule = replace(schedule, next_trigger_at=rules.next_trigger(schedule, now))
    tx.add_schedule(schedule, at=now, actor=actor)
    return schedule


def drafted(scope: Scope, spec: ScheduleSpec, *, now: datetime) -> Schedule:
    """A schedule as it would be made, without an id and the instant of its first run."""
    return Schedule(
        id="",
        source_id=scope.id,
        project_id=scope.project_id,
        description=spec.description,
        cron=spec.cron,
        time_zone=spec.time_zone,
        retention_days=spec.retention_days,
        backups_max=spec.backups_max,
        is_active=spec.is_active,
        next_trigger_at=None,
        created_at=now,
        source_kind=scope.kind,
        jitter_seconds=spec.jitter_seconds,
        keeps=_kept(spec.keeps),
        target_seconds=spec.target_seconds,
        drill_days=spec.drill_days,
    )


def with_spec(schedule: Schedule, spec: ScheduleSpec) -> Schedule:
    """Its next run is left as it was."""
    values = {name: getattr(spec, name) for name in ScheduleSpec.__dataclass_fields__}
    return replace(schedule, **{**values, "keeps": _kept(spec.keeps)})


def _kept(keeps: Mapping[str, int]) -> dict[str, int]:
    return {name: keeps[name] for name in RULES if keeps.get(name, 0)}


def run_schedule(tx: CloudTransaction, schedule: Schedule, reading: Reading | None, *, now: datetime) -> Backup | None:
    """One due run. None as the reading: the source cannot be reached, so the run is missed and owed."""
    due_at = schedule.next_trigger_at
    assert due_at is not None, "only an active schedule is due"
    planned = replace(schedule, next_trigger_at=rules.next_trigger(schedule, now))
    told: dict[str, Any] = {"due_at": due_at.isoformat(), "runs": max(1, rules.missed(schedule, now))}
    unfinished = tx.unfinished_backup_of(schedule.id)
    if unfinished is not None:
        details = {**told, "backup": unfinished.id, "why": "the last one is not finished"}
        tx.save_schedule(schedule, planned, kind="schedule.overlapped", at=now, details=details)
        return None
    is_silent = reading is None or bool(reading.silent)
    problem = "unreachable" if reading is None or is_silent else reading.problem
    if problem is None and (now - due_at).total_seconds() <= LATE_SECONDS:
        return _run(tx, schedule, planned, reading, now=now, details={"due_at": told["due_at"]})
    owing = replace(planned, missed_since=schedule.missed_since or due_at)
    details = {**told, "why": problem or "not running"}
    owing = tx.save_schedule(schedule, owing, kind="schedule.missed", at=now, details=details)
    if problem is None:
        return catch_up(tx, owing, reading, now=now)
    if not is_silent:
        _open_retry(tx, schedule, reading, at=now)
    return None


def _open_retry(tx: CloudTransaction, schedule: Schedule, reading: Reading | None, *, at: datetime) -> None:
    """A source in an unstable state tells nobody when it has settled, so it is asked; at most once at a time."""
    if any(task.kind == CATCH_UP for task in tx.open_tasks_of(schedule.id)):
        return
    name = None if reading is None else reading.scope.name or (reading.parts[0].server.name if reading.parts else None)
    due_at = at + timedelta(seconds=RETRY_SECONDS)
    payload = {"name": schedule.description or name, "wait_seconds": RETRY_SECONDS}
    tx.schedule(CATCH_UP, "schedule", schedule.id, begun_at=at, due_at=due_at, payload=payload)


def catch_up(tx: CloudTransaction, schedule: Schedule, reading: Reading | None, *, now: datetime) -> Backup | None:
    """The one run that is owed for however many were missed, now that the source can be copied."""
    if schedule.missed_since is None or not schedule.is_active or tx.unfinished_backup_of(schedule.id) is not None:
        return None
    details = {"caught_up_since": schedule.missed_since.isoformat()}
    return _run(tx, schedule, schedule, reading, now=now, details=details)


def _run(
    tx: CloudTransaction,
    stored: Schedule,
    planned: Schedule,
    reading: Reading | None,
    *,
    now: datetime,
    details: Mapping[str, Any],
) -> Backup | None:
    assert reading is not None, "what cannot be reached is not copied"
    try:
        backup = backups.take(tx, reading, now=now, description=planned.description, schedule=planned)
    except CloudError as problem:
        off = replace(planned, is_active=False, next_trigger_at=None, reason=str(problem), missed_since=None)
        tx.save_schedule(stored, off, kind="schedule.failed", at=now, details={**details, "reason": str(problem)})
        return None
    ran = replace(planned, last_run_at=now, missed_since=None)
    tx.save_schedule(stored, ran, kind="schedule.ran", at=now, details={**details, "backup": backup.id})
    return backup


# --- by the clock ----------------------------------------------------------------------------------------------------


async def run_due_schedules(cloud: Cloud, until: datetime) -> int:
    """Every schedule that is due by `until`. Returns how many."""
    count = 0
    while due := await cloud.store.cloud_read(lambda tx: tx.due_schedules(until, limit=PAGE)):
        readings = await backup_sources.read_all(cloud, [(each.source_kind, each.source_id) for each in due])

        def run(tx: CloudTransaction, found: list[tuple[Schedule, Reading | None]]) -> None:
            for each, reading in found:
                current = tx.find_schedule(each.id)
                # Whoever came first has moved it on, so no instant is run twice.
                if current is None or not current.is_active or current.next_trigger_at != each.next_trigger_at:
                    continue
                if reading is None:
                    reason = f"its {each.source_kind} was deleted"
                    backups.switch_off(tx, current, reason=reason, now=until)
                else:
                    run_schedule(tx, current, reading, now=until)

        await cloud.store.cloud_write(partial(run, found=list(zip(due, readings, strict=True))))
        count += len(due)
    return count


async def run_due_catch_ups(cloud: Cloud, until: datetime) -> int:
    """Look again at the sources that should not be copied when they were due. Returns how many."""
    due = await cloud.store.cloud_read(lambda tx: tx.due_backup_tasks(until, (CATCH_UP,)))
    owing = await cloud.store.cloud_read(lambda tx: [tx.find_schedule(task.object_id) for task in due])
    for task, schedule in zip(due, owing, strict=True):
        reading = None
        if schedule is not None:
            reading = await backup_sources.read(cloud, schedule.source_kind, schedule.source_id)
        await cloud.store.cloud_write(partial(_look_again, task=task, reading=reading))
    return len(due)


def _look_again(tx: CloudTransaction, *, task: Task, reading: Reading | None) -> None:
    current, at = tx.find_task(task.id), task.due_at
    if current is None or current.state is not TaskState.OPEN:
        return
    schedule = tx.find_schedule(task.object_id)
    if schedule is None or not schedule.is_active or schedule.missed_since is None or reading is None:
        tx.end_task(task, TaskState.CANCELLED, at=at, result="nothing is owed any more")
    elif reading.silent:
        tx.end_task(task, TaskState.CANCELLED, at=at, result=f"{reading.problem}: taken when it is back")
    elif reading.problem is None and _is_caught_up(tx, schedule, reading, at):
        tx.end_task(task, TaskState.DONE, at=at)
    else:
        wait_seconds = min(2 * int(task.payload["wait_seconds"]), RETRY_SECONDS_MAX)
        payload = {**task.payload, "wait_seconds": wait_seconds}
        tx.reschedule(task, due_at=at + timedelta(seconds=wait_seconds), payload=payload)


def _is_caught_up(tx: CloudTransaction, schedule: Schedule, reading: Reading, now: datetime) -> bool:
    """Take what is owed, if it can be taken now; whether nothing is owed any more."""
    return catch_up(tx, schedule, reading, now=now) is not None or not _is_owed(tx, schedule.id)


def _is_owed(tx: CloudTransaction, schedule_id: str) -> bool:
    """Whether a run is still owed, because the source is not ready for it or the last copy is not finished."""
    schedule = tx.find_schedule(schedule_id)
    return schedule is not None and schedule.is_active and schedule.missed_since is not None


async def catch_up_missed(cloud: Cloud, now: datetime) -> None:
    """After a cell has come back: take what is owed for it, in pages like what is due."""
    owed = await cloud.store.cloud_read(lambda tx: [each for each in tx.owed_schedules() if each.is_active])
    for first in range(0, len(owed), PAGE):
        page = owed[first : first + PAGE]
        readings = await backup_sources.read_all(cloud, [(each.source_kind, each.source_id) for each in page])

        def run(tx: CloudTransaction, found: list[tuple[Schedule, Reading | None]]) -> None:
            for each, reading in found:
                current = tx.find_schedule(each.id)
                # Of a source that is gone its next run finds that out, and switches it off with the reason.
                if current is None or reading is None or reading.silent:
                    continue
                if reading.problem is None:
                    catch_up(tx, current, reading, now=now)
                if _is_owed(tx, each.id):
                    _open_retry(tx, current, reading, at=now)

        await cloud.store.cloud_write(partial(run, found=list(zip(page, readings, strict=True))))


# --- operations ------------------------------------------------------------------------------------------------------


async def create_schedule(
    cloud: Cloud,
    actor: Account,
    source_id: str,
    source_kind: str = SERVER,
    *,
    request: RequestKey | None = None,
    **fields: Any,
) -> Schedule:
    """`fields` are those of `ScheduleSpec`. `request` is remembered with its id, in the same transaction.

    Raises NotFound, Forbidden, Invalid.
    """
    now, spec = cloud.clock.now(), ScheduleSpec(**fields)

    def create(tx: CloudTransaction) -> Schedule:
        scope = backup_sources.get(tx, actor, source_kind, source_id, to_change=True)
        made = new_schedule(tx, scope, spec, now=now, actor=actor.name)
        if request is not None:
            tx.remember(request.key, request.digest, {"id": made.id})
        return made

    return await cloud.store.cloud_write(create)


async def get_schedule(cloud: Cloud, actor: Account, schedule_id: str) -> Schedule:
    """Raises NotFound, also for what the account may not see."""
    return await cloud.store.cloud_read(lambda tx: schedule_in(tx, actor, schedule_id))


def schedule_in(tx: CloudTransaction, actor: Account, schedule_id: str, *, to_change: bool = False) -> Schedule:
    """Raises NotFound, Forbidden."""
    schedule = tx.backup_schedule(schedule_id)
    check = backup_sources.check_may_change if to_change else backup_sources.check_may_see
    check(tx, actor, schedule, ("schedule", schedule_id))
    return schedule


def changed_spec(schedule: Schedule, fields: Mapping[str, Any]) -> ScheduleSpec:
    """What the schedule would be with other values for some fields of `ScheduleSpec`. Raises Invalid."""
    known = {name: getattr(schedule, name) for name in ScheduleSpec.__dataclass_fields__}
    spec = ScheduleSpec(**{**known, **fields})
    check_spec(spec)
    return spec


async def change_schedule(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    **fields: Any,
) -> Schedule:
    """Other values for some fields of `ScheduleSpec`. A changed retention counts for its backups too.

    Raises:
        NotFound, Forbidden, Invalid. Conflict: it has changed since `if_version`.
    """
    now = cloud.clock.now()

    def change(tx: CloudTransaction) -> Schedule:
        before = schedule_in(tx, actor, schedule_id, to_change=True)
        check_version(before.version, if_version)
        spec = changed_spec(before, fields)
        after = with_spec(before, spec)
        timing = ("cron", "time_zone", "jitter_seconds", "is_active")
        if any(getattr(before, name) != getattr(after, name) for name in timing):
            after = _timed(after, now)
        if after.retention_days != before.retention_days:
            for backup in tx.backups(schedule_id=schedule_id):
                kept = replace(backup, kept_until=rules.kept_until(backup.created_at, after.retention_days))
                tx.save_backup(backup, kept, kind="backup.edited", at=now, actor=actor.name)
        return tx.save_schedule(before, after, kind="schedule.edited", at=now, actor=actor.name)

    once = repeats.once(cloud, request, change, again=lambda tx, _: schedule_in(tx, actor, schedule_id))
    return await cloud.store.cloud_write(once)


def _timed(schedule: Schedule, now: datetime) -> Schedule:
    """With its next run counted from now: what becomes active never runs at once."""
    if not schedule.is_active:
        return replace(schedule, next_trigger_at=None, missed_since=None)
    return replace(schedule, next_trigger_at=rules.next_trigger(schedule, now), reason=None)


async def set_active(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    *,
    is_active: bool,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Schedule:
    """Raises NotFound, Forbidden. Conflict: it is so already, or has changed since `if_version`."""
    now = cloud.clock.now()

    def change(tx: CloudTransaction) -> Schedule:
        before = schedule_in(tx, actor, schedule_id, to_change=True)
        check_version(before.version, if_version)
        word = check_may_switch(before, is_active=is_active)
        after = _timed(replace(before, is_active=is_active), now)
        return tx.save_schedule(before, after, kind=f"schedule.{word}", at=now, actor=actor.name)

    once = repeats.once(cloud, request, change, again=lambda tx, _: schedule_in(tx, actor, schedule_id))
    return await cloud.store.cloud_write(once)


def check_may_switch(schedule: Schedule, *, is_active: bool) -> str:
    """What it would be after that. Raises Conflict: it is so already."""
    word = "activated" if is_active else "deactivated"
    if schedule.is_active == is_active:
        raise Conflict(f"BackupSchedule is already {word}")
    return word


async def delete_schedule(
    cloud: Cloud,
    actor: Account,
    schedule_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> None:
    """Its backups stay. Raises NotFound, Forbidden. Conflict: it has changed since `if_version`."""
    now = cloud.clock.now()

    def delete(tx: CloudTransaction) -> None:
        schedule = schedule_in(tx, actor, schedule_id, to_change=True)
        check_version(schedule.version, if_version)
        for task in tx.open_tasks_of(schedule.id):
            tx.end_task(task, TaskState.CANCELLED, at=now, result="the schedule was deleted")
        tx.remove_schedule(schedule, at=now, actor=actor.name)

    await cloud.store.cloud_write(repeats.once(cloud, request, delete, again=lambda tx, _: None))


# --- reading ---------------------------------------------------------------------------------------------------------


async def list_schedules(cloud: Cloud, actor: Account) -> list[ScheduleView]:
    """What is due first, first; what is off, last."""
    found: list[ScheduleView] = await cloud.kept.of((list_schedules, actor), lambda: _list_schedules(cloud, actor))
    return found


async def _list_schedules(cloud: Cloud, actor: Account) -> list[ScheduleView]:
    return _soonest_first(await _views(cloud, lambda tx: tx.page_of_schedules(_seen(tx, actor))))


async def notable_schedules(cloud: Cloud, actor: Account) -> list[ScheduleView]:
    """What somebody who looks at everything wants to know: those in trouble, and those that run next."""

    def find(tx: CloudTransaction) -> list[Schedule]:
        wanted = _seen(tx, actor)
        troubled = tx.schedules_in_trouble(wanted, limit=NOTABLE_MAX)
        following = tx.next_schedules(wanted, limit=NOTABLE_MAX)
        return list({each.id: each for each in (*troubled, *following)}.values())

    async def work_out() -> list[ScheduleView]:
        return _soonest_first(await _views(cloud, find))

    found: list[ScheduleView] = await cloud.kept.of((notable_schedules, actor), work_out)
    return found


async def schedules_after(
    cloud: Cloud, actor: Account, place: Place | None, *, limit: int, covering: str | None = None
) -> tuple[list[ScheduleView], int]:
    """A page in the order of creation, and how many there are in all; `covering`: of those that copy a server.

    Raises:
        NotFound: the server.
    """
    wanted = Wanted()
    if covering is not None:
        entry = await servers.entry_for(cloud, actor, covering)
        wanted = await cloud.store.cloud_read(lambda tx: Wanted(source_ids=_sources_of(tx, covering, entry.project_id)))

    found = await _views(cloud, lambda tx: tx.schedules_after(_seen(tx, actor, wanted), place, limit=limit))
    return found, await cloud.store.cloud_read(lambda tx: tx.count_schedules(_seen(tx, actor, wanted)))


def _seen(tx: CloudTransaction, actor: Account, wanted: Wanted = Wanted()) -> Wanted:  # noqa: B008 - it is frozen
    projects, customers = backup_sources.visible_projects(tx, actor)
    return replace(wanted, projects=projects, customers=customers)


def _sources_of(tx: CloudTransaction, server_id: str, project_id: str) -> frozenset[str]:
    """What is copied with a server: itself, its project and its customer."""
    customers = {each.customer_id for each in tx.projects() if each.id == project_id}
    return frozenset({server_id, project_id, *customers})


def covering(tx: CloudTransaction, schedule: Schedule) -> tuple[Schedule, ...]:
    """The other active schedules that copy all of its source: of that itself, and of what it is a part of."""
    sources = {schedule.source_id}
    if schedule.project_id:
        sources |= _sources_of(tx, schedule.source_id, schedule.project_id)
    found = tx.page_of_schedules(Wanted(source_ids=sources))
    return tuple(each for each in found if each.is_active and each.id != schedule.id)


async def view_of(cloud: Cloud, actor: Account, schedule_id: str) -> ScheduleView:
    """Raises NotFound."""
    return (await _views(cloud, lambda tx: [schedule_in(tx, actor, schedule_id)]))[0]


async def _views(cloud: Cloud, find: Callable[[CloudTransaction], list[Schedule]]) -> list[ScheduleView]:
    silent = schedule_states.silent_cells(cloud)

    def read(tx: CloudTransaction) -> list[ScheduleView]:
        found = find(tx)
        ids = [each.id for each in found]
        good, told = tx.good_backups_of(ids), tx.last_events_of(ids, _HISTORY_WORDS, limit=HISTORY_LENGTH)
        states = schedule_states.states_in(tx, found, silent)
        views = []
        for each in found:
            state = states[each.id]
            history = _history(told.get(each.id, ()), is_copying=state.is_copying)
            count, last_good_at = good.get(each.id, (0, None))
            views.append(ScheduleView(each, None, history, count, last_good_at, state))
        return views

    views = await cloud.store.cloud_read(read)
    sources = {(view.schedule.source_kind, view.schedule.source_id) for view in views}
    names = await backup_sources.names_of(cloud, sources)
    return [
        replace(view, source_name=names.get((view.schedule.source_kind, view.schedule.source_id))) for view in views
    ]


def _soonest_first(views: list[ScheduleView]) -> list[ScheduleView]:
    return sorted(
        views, key=lambda view: (not view.schedule.is_active, view.schedule.next_trigger_at or LAST, view.schedule.id)
    )


def _history(kinds: Iterable[str], *, is_copying: bool) -> tuple[str, ...]:
    words = [_HISTORY_WORDS[kind] for kind in kinds]
    if is_copying and "ok" in words:
        # What has begun is not good yet; none begins while it goes on.
        words[len(words) - 1 - words[::-1].index("ok")] = "running"
    return tuple(words)
