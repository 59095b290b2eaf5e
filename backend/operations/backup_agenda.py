"""What is to come: which schedules run in the next hours, and how far the backups of each project grow."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.cloud import agenda
from backend.cloud.agenda import Growth, Hour, Run
from backend.cloud.backups import duration_seconds
from backend.cloud.errors import Invalid
from backend.cloud.model import CUSTOMER, PROJECT, SERVER, Account, Schedule
from backend.operations import Cloud, backup_sources, servers
from backend.store import CloudTransaction, Project, Wanted

SCHEDULES_MAX = 2_000
"""How many of the schedules that are due in a window are looked at: those that run first."""
RUNS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that runs in the window."""

    schedule: Schedule
    source_name: str | None
    cells: tuple[str, ...]
    """Where what it copies lives."""
    size_bytes: int | None
    """What a run copies: as its last ones did, else what its server's drives hold; None: nobody can tell."""
    seconds: int
    first_at: datetime
    runs: tuple[int, ...]
    """For each hour, how many begin."""


@dataclass(frozen=True, slots=True)
class Calendar:
    begin: datetime
    """The beginning of an hour in `time_zone`."""
    time_zone: str
    hours: tuple[Hour, ...]
    by_cell: Mapping[str, tuple[Hour, ...]]
    """A run over several cells is counted in each of them."""
    schedules: tuple[Due, ...]
    """By their first run."""
    total: int
    """How many schedules run in the window."""
    is_cut: bool
    """Whether there are more runs than were looked at."""


async def calendar(cloud: Cloud, actor: Account, *, hours: int, time_zone: str = "UTC") -> Calendar:
    """The hours from the one that has begun on. Only what runs in them is looked at.

    Raises:
        Invalid: there is no such time zone.
    """
    now = cloud.clock.now()
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, OSError, ValueError) as unknown:
        raise Invalid("time_zone", f"There is no time zone {time_zone!r}.") from unknown
    # An hour begins where the zone's does, which is not where that of UTC does everywhere.
    begin = now.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    until = begin + hours * agenda.HOUR

    def find(tx: CloudTransaction) -> tuple[list[tuple[Schedule, tuple[str, ...], int | None]], int]:
        wanted = Wanted(*backup_sources.visible_projects(tx, actor))
        due = tx.next_schedules(wanted, until=until, limit=SCHEDULES_MAX)
        sizes = _sizes(tx, due)
        return [(each, _cells(tx, each), sizes[each.id]) for each in due], tx.count_due_schedules(wanted, until)

    found, total = await cloud.store.cloud_read(find)
    names = await backup_sources.names_of(cloud, {(each.source_kind, each.source_id) for each, _, _ in found})
    runs: list[Run] = []
    by_cell: dict[str, list[Run]] = {}
    due: list[Due] = []
    for schedule, cells, size in found:
        seconds = duration_seconds(size or 0)
        fires = agenda.fires(schedule, until, count_max=RUNS_MAX - len(runs))
        # One that runs each minute takes its time; other requests need not wait for all of them.
        await asyncio.sleep(0)
        own = [Run(at, seconds, size or 0) for at in fires]
        runs += own
        for cell in cells:
            by_cell.setdefault(cell, []).extend(own)
        if own:
            counts = tuple(hour.runs for hour in agenda.hours(own, begin, hours))
            name = names.get((schedule.source_kind, schedule.source_id))
            due.append(Due(schedule, name, cells, size, seconds, fires[0], counts))
    return Calendar(
        begin,
        time_zone,
        tuple(agenda.hours(runs, begin, hours)),
        {cell: tuple(agenda.hours(own, begin, hours)) for cell, own in sorted(by_cell.items())},
        tuple(due),
        total,
        total > len(found) or len(runs) >= RUNS_MAX,
    )


def _cells(tx: CloudTransaction, schedule: Schedule) -> tuple[str, ...]:
    if schedule.source_kind == SERVER:
        entry = tx.find_server_entry(schedule.source_id)
        return () if entry is None else (entry.cell,)
    return tuple(tx.cells_of_projects(_projects_of(tx, schedule)))


def _projects_of(tx: CloudTransaction, schedule: Schedule) -> frozenset[str]:
    if schedule.source_kind == PROJECT:
        return frozenset({schedule.source_id})
    assert schedule.source_kind == CUSTOMER, "a source is a server, a project or a customer"
    return frozenset(project.id for project in tx.projects() if project.customer_id == schedule.source_id)


def _sizes(tx: CloudTransaction, schedules: list[Schedule]) -> dict[str, int | None]:
    """By schedule, what one of its runs copies."""
    copied: dict[str, int] = {}
    for (schedule_id, _), size_bytes in tx.bytes_of_runs(each.id for each in schedules).items():
        copied[schedule_id] = copied.get(schedule_id, 0) + size_bytes
    return {each.id: copied[each.id] if each.id in copied else _size_of_source(tx, each) for each in schedules}


def _size_of_source(tx: CloudTransaction, schedule: Schedule) -> int | None:
    if schedule.source_kind != SERVER:
        return None
    return sum(entry.size_bytes for entry in tx.drive_entries_of(schedule.source_id))


# --- How far they grow --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProjectStorage:
    """What a project holds, and what that comes to."""

    project: Project
    used_bytes: int
    """Of drives, backups and snapshots."""
    backup_bytes: int
    growth: Growth
    schedules: int
    """The active ones that copy something of it."""
    unmeasured: int
    """Of these, those that have not run yet and of which nobody can tell what they will take: they are not counted."""


async def storage(cloud: Cloud, actor: Account) -> list[ProjectStorage]:
    """Of each project that the account sees, by name."""
    now, projects = cloud.clock.now(), servers.projects_of(actor)

    def find(tx: CloudTransaction) -> list[ProjectStorage]:
        active = [each for each in tx.schedules() if each.is_active]
        copied = tx.bytes_of_runs(each.id for each in active)
        counts = tx.good_backups_of(each.id for each in active)
        held = tx.backup_bytes_by_project()
        by_schedule: dict[str, dict[str, int]] = {}
        for (schedule_id, project_id), size_bytes in copied.items():
            by_schedule.setdefault(schedule_id, {})[project_id] = size_bytes
        found: dict[str, list[agenda.Growing]] = {}
        unmeasured: dict[str, int] = {}
        for each in active:
            sizes = by_schedule.get(each.id, {})
            if not sizes and (size := _size_of_source(tx, each)) is not None:
                sizes = {each.project_id: size}
            elif not sizes:
                for project in _projects_of(tx, each):
                    unmeasured[project] = unmeasured.get(project, 0) + 1
            for project, size in sizes.items():
                count = counts.get(each.id, (0, None))[0]
                found.setdefault(project, []).append(agenda.growing(each, size, count, now))
        seen = [each for each in tx.projects() if projects is None or each.id in projects]
        return [_of_project(tx, each, held, found.get(each.id, []), unmeasured.get(each.id, 0)) for each in seen]

    return await cloud.store.cloud_read(find)


def _of_project(
    tx: CloudTransaction, project: Project, held: Mapping[str, int], found: list[agenda.Growing], unmeasured: int
) -> ProjectStorage:
    used = tx.usage(project.id).storage_bytes
    growth = agenda.growth(used, project.storage_bytes_max, found)
    return ProjectStorage(project, used, held.get(project.id, 0), growth, len(found) + unmeasured, unmeasured)
