"""What is to come: which schedules run in the next hours, and how far the backups of each project grow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.cloud import agenda
from backend.cloud.agenda import Growth, Hour, Run
from backend.cloud.backups import duration_seconds
from backend.cloud.errors import Invalid
from backend.cloud.filling import Copying, Filling, Going, filling
from backend.cloud.model import CUSTOMER, PROJECT, SERVER, Account, Backup, BackupState, Schedule
from backend.operations import Cloud, backup_sources, servers
from backend.operations.schedule_states import silent_cells
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
    """What a run copies: as its last ones did, else what the drives of its servers hold; None: nobody can tell."""
    seconds: int
    first_at: datetime
    runs: tuple[int, ...]
    """For each hour, how many begin."""
    silent_cells: tuple[str, ...] = ()
    """Of `cells`, those that do not answer: as things are, its runs will be missed."""


@dataclass(frozen=True, slots=True)
class Calendar:
    begin: datetime
    """The beginning of an hour in `time_zone`."""
    time_zone: str
    hours: tuple[Hour, ...]
    """Of runs that can be taken as things are."""
    by_cell: Mapping[str, tuple[Hour, ...]]
    """A run over several cells is counted in each of them; one that will be missed in those that do not answer."""
    missed: tuple[int, ...]
    """For each hour, how many runs are due whose cells do not answer."""
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

    def find(tx: CloudTransaction) -> tuple[list[tuple[Schedule, tuple[str, ...], Measured]], int]:
        wanted = Wanted(*backup_sources.visible_projects(tx, actor))
        due = tx.next_schedules(wanted, until=until, limit=SCHEDULES_MAX)
        sizes = measured(tx, due)
        cells = backup_sources.cells_of(tx, [(each.source_kind, each.source_id) for each in due])
        known = [(each, cells.get((each.source_kind, each.source_id), ()), sizes[each.id]) for each in due]
        return known, tx.count_due_schedules(wanted, until)

    found, total = await cloud.store.cloud_read(find)
    names = await backup_sources.names_of(cloud, {(each.source_kind, each.source_id) for each, _, _ in found})
    runs: list[Run] = []
    looked_at = 0
    by_cell: dict[str, list[Run]] = {}
    due: list[Due] = []
    silent, missed = silent_cells(cloud), [0] * hours
    for schedule, cells, copied in found:
        size, seconds = copied.size_bytes, copied.seconds
        fires = agenda.fires(schedule, until, count_max=RUNS_MAX - looked_at)
        # One that runs each minute takes its time; other requests need not wait for all of them.
        await asyncio.sleep(0)
        own = [Run(at, seconds, size or 0) for at in fires]
        looked_at += len(own)
        kept_from = tuple(cell for cell in cells if cell in silent)
        for cell in kept_from or cells:
            by_cell.setdefault(cell, []).extend(own)
        if own:
            counts = tuple(hour.runs for hour in agenda.hours(own, begin, hours))
            name = names.get((schedule.source_kind, schedule.source_id))
            due.append(Due(schedule, name, cells, size, seconds, fires[0], counts, kept_from))
            if kept_from:
                missed = [before + count for before, count in zip(missed, counts, strict=True)]
        if not kept_from:
            runs += own
    return Calendar(
        begin,
        time_zone,
        tuple(agenda.hours(runs, begin, hours)),
        {cell: tuple(agenda.hours(own, begin, hours)) for cell, own in sorted(by_cell.items())},
        tuple(missed),
        tuple(due),
        total,
        total > len(found) or looked_at >= RUNS_MAX,
    )


def _projects_of(tx: CloudTransaction, schedule: Schedule) -> frozenset[str]:
    if schedule.source_kind == PROJECT:
        return frozenset({schedule.source_id})
    if schedule.source_kind == SERVER:
        return frozenset({schedule.project_id})
    assert schedule.source_kind == CUSTOMER, "a source is a server, a project or a customer"
    return frozenset(project.id for project in tx.projects() if project.customer_id == schedule.source_id)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a schedule copies."""

    sizes: Mapping[str, int]
    """By project."""
    seconds: int
    """Until all of it is whole: servers are copied at the same time."""

    @property
    def size_bytes(self) -> int | None:
        return sum(self.sizes.values()) if self.sizes else None


def measured(tx: CloudTransaction, found: Iterable[Schedule]) -> dict[str, Measured]:
    """By schedule: as its last runs did; of one that never ran, what the drives of its servers hold now.

    Simplified: of a drive it is not known centrally whether it is a cdrom, which a run leaves out.
    """
    schedules = list(found)
    ids = [each.id for each in schedules]
    largest = tx.largest_of_runs(ids)
    by_schedule: dict[str, dict[str, int]] = {}
    for (schedule_id, project_id), size_bytes in tx.bytes_of_runs(ids).items():
        by_schedule.setdefault(schedule_id, {})[project_id] = size_bytes
    return {
        each.id: Measured(by_schedule[each.id], duration_seconds(largest[each.id]))
        if each.id in by_schedule
        else _measured_of_source(tx, each)
        for each in schedules
    }


def _measured_of_source(tx: CloudTransaction, schedule: Schedule) -> Measured:
    if schedule.source_kind == SERVER:
        size_bytes = sum(entry.size_bytes for entry in tx.drive_entries_of(schedule.source_id))
        return Measured({schedule.project_id: size_bytes} if size_bytes else {}, duration_seconds(size_bytes))
    held = tx.bytes_of_servers(_projects_of(tx, schedule))
    most = max((largest for _, largest in held.values()), default=0)
    return Measured({project: total for project, (total, _) in held.items()}, duration_seconds(most))


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
    """Of these, those of which nobody can tell what they will take, as nothing is there yet: they are not counted."""
    filling: Filling | None
    """Of one with a limit and a schedule: the first run that it refuses."""


@dataclass(frozen=True, slots=True)
class Held:
    """What schedules add to projects, and what goes of these by itself."""

    schedules: tuple[Schedule, ...]
    measures: Mapping[str, Measured]
    copies: Mapping[tuple[str, str], list[Backup]]
    """By schedule and project."""
    going: Mapping[str, list[tuple[datetime, int]]]

    def copyings(self, project_id: str) -> list[Copying]:
        found = []
        for each in self.schedules:
            told, own = self.measures[each.id], tuple(self.copies.get((each.id, project_id), ()))
            if project_id in told.sizes or own:
                found.append(Copying(each, told.sizes.get(project_id, 0), told.seconds, own))
        return found

    def filling(self, project: Project, used_bytes: int, copyings: list[Copying], now: datetime) -> Filling | None:
        """None without a limit, or without anything that adds to it."""
        limit = project.storage_bytes_max
        if limit is None or not any(each.schedule.is_active for each in copyings):
            return None
        going = [Going(*each) for each in self.going.get(project.id, ())]
        return filling(used_bytes, limit, copyings, going, now)


def held(tx: CloudTransaction, wanted: Wanted = Wanted()) -> Held:  # noqa: B008 - it is frozen
    """What is off adds nothing, but what it has kept still goes."""
    found = tuple(tx.page_of_schedules(wanted))
    ids = [each.id for each in found]
    return Held(found, measured(tx, found), tx.copies_of_schedules(ids), tx.going_unscheduled())


async def storage(cloud: Cloud, actor: Account) -> list[ProjectStorage]:
    """Of each project that the account sees, by name."""
    now, projects = cloud.clock.now(), servers.projects_of(actor)

    def find(tx: CloudTransaction) -> tuple[Held, list[tuple[Project, int, int, int]]]:
        told = held(tx)
        bytes_held = tx.backup_bytes_by_project()
        unmeasured: dict[str, int] = {}
        for each in told.schedules:
            if each.is_active and not told.measures[each.id].sizes:
                for project_id in _projects_of(tx, each):
                    unmeasured[project_id] = unmeasured.get(project_id, 0) + 1
        seen = [each for each in tx.projects() if projects is None or each.id in projects]
        return told, [
            (each, tx.usage(each.id).storage_bytes, bytes_held.get(each.id, 0), unmeasured.get(each.id, 0))
            for each in seen
        ]

    told, found = await cloud.store.cloud_read(find)
    rows = []
    for project, used, backup_bytes, unmeasured in found:
        # Thousands of runs take their time; other requests need not wait for all projects.
        await asyncio.sleep(0)
        copyings = told.copyings(project.id)
        active = [each for each in copyings if each.schedule.is_active]
        adding = [agenda.growing(each.schedule, each.size_bytes, _good(each.backups), now) for each in active]
        growth = agenda.growth(used, project.storage_bytes_max, adding)
        filled = told.filling(project, used, copyings, now)
        rows.append(ProjectStorage(project, used, backup_bytes, growth, len(active) + unmeasured, unmeasured, filled))
    return rows


def _good(found: Iterable[Backup]) -> int:
    return sum(each.state in (BackupState.READY, BackupState.RESTORING) for each in found)
