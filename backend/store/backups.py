"""The part of cloud.db that is about backups and the schedules that take them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from backend.cloud.model import Backup, BackupState, Schedule, Task
from backend.store.central_rows import CentralRowsTransaction
from backend.store.rows import BACKUP, SCHEDULE, Table, instant_of, instant_or_none, json_of, text_of
from backend.store.transaction import TASK_COLUMNS, task_of

T = TypeVar("T", Schedule, Backup)

_TASKS_DUE = (
    f"SELECT {TASK_COLUMNS} FROM task WHERE state = 'open' AND due_at <= ? AND object_kind IN ('backup', 'schedule')"  # noqa: S608
    " AND kind IN (SELECT value FROM json_each(?)) ORDER BY due_at, id LIMIT ?"
)
_TASKS_OPEN = (
    f"SELECT {TASK_COLUMNS} FROM task WHERE state = 'open' AND kind = ? AND object_kind IN ('backup', 'schedule')"  # noqa: S608
    " ORDER BY due_at, id"
)
_LAST_GOOD = (
    "SELECT source_kind, source_id, max(created_at) FROM backup WHERE state IN ('ready', 'restoring')"
    " GROUP BY source_kind, source_id"
)
_GOOD_OF_SCHEDULES = (
    "SELECT schedule_id, count(*), max(created_at) FROM backup"
    " WHERE schedule_id IN (SELECT value FROM json_each(?)) AND state IN ('ready', 'restoring') GROUP BY schedule_id"
)
_BYTES_OF_RUNS = """
SELECT whole.schedule_id, part.project_id, sum(part.size_bytes) / count(DISTINCT whole.id)
FROM backup AS part JOIN backup AS whole ON whole.id = coalesce(part.parent_id, part.id)
WHERE part.source_kind = 'server' AND part.state != 'erred'
    AND whole.schedule_id IN (SELECT value FROM json_each(?))
GROUP BY whole.schedule_id, part.project_id
"""
_COPIES_OF_SCHEDULES = """
SELECT whole.id, whole.schedule_id, whole.state, whole.created_at, whole.kept_until, part.project_id,
    sum(part.size_bytes)
FROM backup AS part JOIN backup AS whole ON whole.id = coalesce(part.parent_id, part.id)
WHERE part.source_kind = 'server' AND whole.schedule_id IN (SELECT value FROM json_each(?))
GROUP BY whole.id, part.project_id
"""
_BARE_BACKUPS = (
    "SELECT id, schedule_id, state, created_at, kept_until FROM backup"
    " WHERE schedule_id IN (SELECT value FROM json_each(?))"
)
_GOING_UNSCHEDULED = """
SELECT whole.kept_until, part.project_id, sum(part.size_bytes)
FROM backup AS whole JOIN backup AS part ON whole.id = coalesce(part.parent_id, part.id)
WHERE whole.kept_until IS NOT NULL AND whole.schedule_id IS NULL AND part.source_kind = 'server'
GROUP BY whole.id, part.project_id
"""
_LARGEST_OF_RUNS = """
SELECT whole.schedule_id, max(part.size_bytes)
FROM backup AS part JOIN backup AS whole ON whole.id = coalesce(part.parent_id, part.id)
WHERE part.source_kind = 'server' AND whole.schedule_id IN (SELECT value FROM json_each(?))
GROUP BY whole.schedule_id
"""
_BYTES_OF_SERVERS = """
SELECT project_id, sum(size_bytes), max(size_bytes) FROM (
    SELECT server.project_id, sum(drive.size_bytes) AS size_bytes
    FROM server_directory AS server JOIN drive_directory AS drive ON drive.server_id = server.id
    WHERE server.state = 'active' AND server.project_id IN (SELECT value FROM json_each(?))
    GROUP BY server.id
) GROUP BY project_id
"""
_CELLS_OF_PROJECTS = (
    "SELECT DISTINCT cell FROM server_directory"
    " WHERE state = 'active' AND project_id IN (SELECT value FROM json_each(?)) ORDER BY cell"
)
_COPIED_SERVERS = """
SELECT server.id, server.cell, of.schedule_id,
    (SELECT max(created_at) FROM backup WHERE source_id = server.id AND state NOT IN ('erred', 'deleting'))
FROM (
    SELECT id AS schedule_id, source_id AS server_id FROM schedule WHERE source_kind = 'server'
    UNION ALL
    SELECT schedule.id, server_directory.id
    FROM schedule JOIN server_directory ON server_directory.project_id = source_id WHERE source_kind = 'project'
    UNION ALL
    SELECT schedule.id, server_directory.id
    FROM schedule JOIN project ON customer_id = source_id
        JOIN server_directory ON server_directory.project_id = project.id
    WHERE source_kind = 'customer'
) AS of JOIN server_directory AS server ON server.id = of.server_id AND server.state = 'active'
"""

_SWITCHED_AT = """
SELECT wanted.value, (
    SELECT max(at) FROM event WHERE object_id = wanted.value AND json_type(changes, '$.is_active') IS NOT NULL
) FROM json_each(?) AS wanted
"""

_LAST_KINDS = """
SELECT wanted.value, event.kind
FROM json_each(:ids) AS wanted JOIN event ON event.number IN (
    SELECT number FROM event
    WHERE object_id = wanted.value AND kind IN (SELECT value FROM json_each(:kinds))
    ORDER BY at DESC, number DESC LIMIT :limit
)
ORDER BY wanted.value, event.at, event.number
"""


@dataclass(frozen=True, slots=True)
class Copied:
    """A server that a schedule copies, itself or with its project or customer."""

    server_id: str
    cell: str
    schedule_id: str
    last_good_at: datetime | None
    """When its newest copy was begun that is good or still in the making; None without."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which backups or schedules a list shows. None: any."""

    projects: Collection[str] | None = None
    """Of these, and of `customers`."""
    customers: Collection[str] | None = None
    source: tuple[str, str] | None = None
    """Its kind and id."""
    schedule_id: str | None = None
    project_id: str | None = None
    state: str | None = None
    description: str | None = None
    """A part of it, in whatever case."""
    parent_id: str | None = None
    """Of backups: the parts of this one."""
    source_id: str | None = None
    """Whatever its kind."""
    source_ids: Collection[str] | None = None
    """Any of these, whatever their kinds."""


Place = tuple[datetime, str]
"""Where a list goes on: `created_at` and id of the last row before."""


def conditions(**wanted: Any) -> tuple[str, tuple[Any, ...]]:
    """A WHERE clause of what is wanted: a value, any of a collection, or anything (None)."""
    clauses: list[str] = []
    values: list[Any] = []
    for column, value in wanted.items():
        if value is None:
            continue
        if isinstance(value, bool | str):
            clauses.append(f"{column} = ?")
            values.append(value)
        else:
            clauses.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608
            values.append(json_of(sorted(value)))
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), tuple(values)


def _clauses(wanted: Wanted) -> tuple[str, tuple[Any, ...]]:
    clauses: list[str] = []
    values: list[Any] = []
    if wanted.projects is not None:
        clauses.append(
            "(project_id IN (SELECT value FROM json_each(?))"
            " OR (source_kind = 'customer' AND source_id IN (SELECT value FROM json_each(?))))"
        )
        values += [json_of(sorted(wanted.projects)), json_of(sorted(wanted.customers or ()))]
    if wanted.source is not None:
        clauses.append("source_kind = ? AND source_id = ?")
        values += wanted.source
    for column in ("schedule_id", "project_id", "state", "parent_id", "source_id"):
        value = getattr(wanted, column)
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    if wanted.source_ids is not None:
        clauses.append("source_id IN (SELECT value FROM json_each(?))")
        values.append(json_of(sorted(wanted.source_ids)))
    if wanted.description is not None:
        clauses.append("instr(lower(description), lower(?)) > 0")
        values.append(wanted.description)
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), tuple(values)


def _with(wanted: Wanted, condition: str, place: Place | None) -> tuple[str, tuple[Any, ...]]:
    """What is wanted, and on one side of a place."""
    where, values = _clauses(wanted)
    if place is None:
        return where, values
    return f"{where + ' AND' if where else 'WHERE'} {condition}", (*values, text_of(place[0]), place[1])


class BackupsTransaction(CentralRowsTransaction):
    """What a job may ask of backups and schedules."""

    # Schedules

    def schedules(self, *, source_kind: str | None = None, source_id: str | None = None) -> list[Schedule]:
        """By (created_at, id)."""
        where, values = conditions(source_id=source_id, source_kind=source_kind)
        return self._list(SCHEDULE, f"{where} ORDER BY created_at, id", values)

    def page_of_schedules(self, wanted: Wanted, *, offset: int = 0, limit: int | None = None) -> list[Schedule]:
        """By (created_at, id)."""
        return self._page(SCHEDULE, wanted, offset, limit)

    def schedules_after(self, wanted: Wanted, after: Place | None, *, limit: int) -> list[Schedule]:
        """By (created_at, id), those behind a place."""
        where, values = _with(wanted, "(created_at, id) > (?, ?)", after)
        return self._list(SCHEDULE, f"{where} ORDER BY created_at, id LIMIT ?", (*values, limit))

    def schedules_in_trouble(self, wanted: Wanted, *, limit: int) -> list[Schedule]:
        """Those that owe a run, and those that something switched off; by (created_at, id)."""
        where, values = _clauses(wanted)
        trouble = "(missed_since IS NOT NULL OR (is_active = 0 AND reason IS NOT NULL))"
        tail = f"{where + ' AND' if where else 'WHERE'} {trouble} ORDER BY created_at, id LIMIT ?"
        return self._list(SCHEDULE, tail, (*values, limit))

    def next_schedules(self, wanted: Wanted, *, until: datetime | None = None, limit: int) -> list[Schedule]:
        """Active ones, by (next_trigger_at, id); `until`: that run by then."""
        where, values = _clauses(wanted)
        tail = (
            f"{where + ' AND' if where else 'WHERE'} is_active = 1 AND next_trigger_at <= ?"
            " ORDER BY next_trigger_at, id LIMIT ?"
        )
        return self._list(SCHEDULE, tail, (*values, text_of(until) if until else "Z", limit))

    def count_due_schedules(self, wanted: Wanted, until: datetime) -> int:
        """How many active ones run by then."""
        where, values = _clauses(wanted)
        tail = f"{where + ' AND' if where else 'WHERE'} is_active = 1 AND next_trigger_at <= ?"
        return int(self._run(f"SELECT count(*) FROM schedule {tail}", (*values, text_of(until))).fetchone()[0])  # noqa: S608

    def bytes_of_runs(self, schedule_ids: Iterable[str]) -> dict[tuple[str, str], int]:
        """By schedule and project, what one of its runs has copied there; the mean of what there is."""
        rows = self._run(_BYTES_OF_RUNS, (json_of(sorted(schedule_ids)),))
        return {(schedule_id, project_id): int(size_bytes) for schedule_id, project_id, size_bytes in rows}

    def largest_of_runs(self, schedule_ids: Iterable[str]) -> dict[str, int]:
        """By schedule that has run, the most that it has copied of one server, in bytes."""
        return dict(self._run(_LARGEST_OF_RUNS, (json_of(sorted(schedule_ids)),)).fetchall())

    def bytes_of_servers(self, projects: Iterable[str]) -> dict[str, tuple[int, int]]:
        """By project with any, what the drives of its servers come to, and those of the largest one."""
        rows = self._run(_BYTES_OF_SERVERS, (json_of(sorted(projects)),))
        return {project_id: (total, most) for project_id, total, most in rows}

    def copies_of_schedules(self, schedule_ids: Iterable[str]) -> dict[tuple[str, str], list[Backup]]:
        """By schedule and project, its backups with what they take of that project, and without their contents."""
        found: dict[tuple[str, str], list[Backup]] = {}
        for id, schedule_id, state, at, until, project_id, size in self._run(
            _COPIES_OF_SCHEDULES, (json_of(sorted(schedule_ids)),)
        ):
            created_at, kept_until = instant_of(at), instant_or_none(until)
            backup = Backup(id, "", project_id, schedule_id, "", BackupState(state), created_at, size, kept_until)
            found.setdefault((schedule_id, project_id), []).append(backup)
        return found

    def going_unscheduled(self) -> dict[str, list[tuple[datetime, int]]]:
        """By project, when what is kept for a time and by no schedule goes, and how many bytes that gives back."""
        found: dict[str, list[tuple[datetime, int]]] = {}
        for until, project_id, size in self._run(_GOING_UNSCHEDULED):
            found.setdefault(project_id, []).append((instant_of(until), size))
        return found

    def backup_bytes_by_project(self) -> dict[str, int]:
        return dict(self._run("SELECT project_id, sum(size_bytes) FROM backup GROUP BY project_id").fetchall())

    def cells_of_projects(self, projects: Iterable[str]) -> list[str]:
        """Where their servers live, by name."""
        return [cell for (cell,) in self._run(_CELLS_OF_PROJECTS, (json_of(sorted(projects)),))]

    def count_schedules(self, wanted: Wanted) -> int:
        return self._count_of(SCHEDULE, wanted)

    def schedules_of_ids(self, ids: Iterable[str]) -> list[Schedule]:
        """Those that there are, by id."""
        return self._list(SCHEDULE, "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", (json_of(sorted(ids)),))

    def bare_backups_of(self, schedule_ids: Iterable[str]) -> dict[str, list[Backup]]:
        """By schedule, its backups without sizes and contents: as much as rules ask for."""
        found: dict[str, list[Backup]] = {}
        for id, schedule_id, state, at, until in self._run(_BARE_BACKUPS, (json_of(sorted(schedule_ids)),)):
            kept_until = instant_or_none(until)
            bare = Backup(id, "", "", schedule_id, "", BackupState(state), instant_of(at), 0, kept_until)
            found.setdefault(schedule_id, []).append(bare)
        return found

    def find_schedule(self, id: str) -> Schedule | None:
        return self._find(SCHEDULE, id)

    def backup_schedule(self, id: str) -> Schedule:
        """NotFound if there is none."""
        return self._get(SCHEDULE, id)

    def due_schedules(self, now: datetime, *, limit: int | None = None) -> list[Schedule]:
        """Active ones whose `next_trigger_at` has come, by (next_trigger_at, id)."""
        tail = "WHERE is_active = 1 AND next_trigger_at <= ? ORDER BY next_trigger_at, id LIMIT ?"
        return self._list(SCHEDULE, tail, (text_of(now), -1 if limit is None else limit))

    def copied_servers(self) -> list[Copied]:
        """One of each schedule that there is, active or not."""
        return [
            Copied(id, cell, schedule, instant_or_none(at)) for id, cell, schedule, at in self._run(_COPIED_SERVERS)
        ]

    def owed_schedules(self) -> list[Schedule]:
        """Those that have missed a run since their last one, by id."""
        return self._list(SCHEDULE, "WHERE missed_since IS NOT NULL ORDER BY id")

    def last_events_of(self, ids: Iterable[str], kinds: Iterable[str], *, limit: int) -> dict[str, list[str]]:
        """By object, the kinds of the newest of these events, the oldest of them first. Cost follows what is found."""
        wanted = {"ids": json_of(sorted(ids)), "kinds": json_of(sorted(kinds)), "limit": limit}
        found: dict[str, list[str]] = {}
        for id, kind in self._run(_LAST_KINDS, wanted):
            found.setdefault(id, []).append(kind)
        return found

    def switched_at(self, ids: Iterable[str]) -> dict[str, datetime]:
        """By schedule, when it was last switched on or off; without those that never were."""
        rows = ((id, instant_or_none(at)) for id, at in self._run(_SWITCHED_AT, (json_of(sorted(ids)),)))
        return {id: at for id, at in rows if at is not None}

    def copying_schedules(self, ids: Iterable[str]) -> set[str]:
        """Those with a backup that is still being made."""
        text = (
            "SELECT DISTINCT schedule_id FROM backup"
            " WHERE schedule_id IN (SELECT value FROM json_each(?)) AND state = 'backing_up'"
        )
        return {id for (id,) in self._run(text, (json_of(sorted(ids)),))}

    def add_schedule(self, schedule: Schedule, *, at: datetime, actor: str) -> None:
        self._add(SCHEDULE, schedule, at=at, actor=actor, details=None)

    def save_schedule(
        self,
        before: Schedule,
        after: Schedule,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        details: Mapping[str, Any] | None = None,
    ) -> Schedule:
        """Write the changed columns with version + 1 and the event `kind`; nothing when nothing changed."""
        return self._save(SCHEDULE, before, after, kind=kind, at=at, actor=actor, details=details)

    def remove_schedule(self, schedule: Schedule, *, at: datetime, actor: str) -> None:
        """Its backups stay, and are nobody's from then on. **Source**: NodeConductor: they are kept."""
        self._run("UPDATE backup SET schedule_id = NULL, version = version + 1 WHERE schedule_id = ?", (schedule.id,))
        self._remove(SCHEDULE, schedule, at=at, actor=actor)

    # Backups

    def backups(
        self,
        *,
        schedule_id: str | None = None,
        source_id: str | None = None,
        parent_id: str | None = None,
        limit: int | None = None,
    ) -> list[Backup]:
        """Newest first."""
        where, values = conditions(schedule_id=schedule_id, source_id=source_id, parent_id=parent_id)
        tail = f"{where} ORDER BY created_at DESC, id DESC LIMIT ?"
        return self._list(BACKUP, tail, (*values, -1 if limit is None else limit))

    def page_of_backups(self, wanted: Wanted, *, offset: int = 0, limit: int | None = None) -> list[Backup]:
        """By (created_at, id)."""
        return self._page(BACKUP, wanted, offset, limit)

    def backups_before(self, wanted: Wanted, before: Place | None, *, limit: int) -> list[Backup]:
        """The newest first, those older than a place."""
        where, values = _with(wanted, "(created_at, id) < (?, ?)", before)
        return self._list(BACKUP, f"{where} ORDER BY created_at DESC, id DESC LIMIT ?", (*values, limit))

    def good_backups_of(self, schedule_ids: Iterable[str]) -> dict[str, tuple[int, datetime]]:
        """By schedule with any: how many can be restored from, and when the newest of them was taken."""
        rows = self._run(_GOOD_OF_SCHEDULES, (json_of(sorted(schedule_ids)),))
        found = ((id, count, instant_or_none(at)) for id, count, at in rows)
        return {id: (count, at) for id, count, at in found if at is not None}

    def count_backups(self, wanted: Wanted) -> int:
        return self._count_of(BACKUP, wanted)

    def unfinished_backup_of(self, schedule_id: str) -> Backup | None:
        """One that is still being made; the oldest."""
        tail = "WHERE schedule_id = ? AND state = ? ORDER BY created_at, id LIMIT 1"
        return next(iter(self._list(BACKUP, tail, (schedule_id, BackupState.BACKING_UP.value))), None)

    def backup_ids_of(self, schedule_ids: Iterable[str]) -> dict[str, list[str]]:
        """By schedule, the oldest first."""
        found: dict[str, list[str]] = {}
        for schedule_id, id in self._run(
            "SELECT schedule_id, id FROM backup WHERE schedule_id IN (SELECT value FROM json_each(?))"
            " ORDER BY created_at, id",
            (json_of(sorted(schedule_ids)),),
        ):
            found.setdefault(schedule_id, []).append(id)
        return found

    def last_good_backups(self) -> dict[tuple[str, str], datetime]:
        """By kind and id of the source, when the newest was taken from which it can be restored."""
        found = {(kind, id): instant_or_none(at) for kind, id, at in self._run(_LAST_GOOD)}
        return {source: at for source, at in found.items() if at is not None}

    def find_backup(self, id: str) -> Backup | None:
        return self._find(BACKUP, id)

    def backup(self, id: str) -> Backup:
        """NotFound if there is none."""
        return self._get(BACKUP, id)

    def expired_backups(self, now: datetime, *, limit: int | None = None) -> list[Backup]:
        """Those whose `kept_until` has passed, oldest first."""
        tail = "WHERE kept_until <= ? ORDER BY kept_until, id LIMIT ?"
        return self._list(BACKUP, tail, (text_of(now), -1 if limit is None else limit))

    def add_backup(
        self, backup: Backup, *, at: datetime, actor: str = "cloud", details: Mapping[str, Any] | None = None
    ) -> None:
        self._add(BACKUP, backup, at=at, actor=actor, details=details)

    def save_backup(
        self,
        before: Backup,
        after: Backup,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        details: Mapping[str, Any] | None = None,
    ) -> Backup:
        """Write the changed columns with version + 1 and the event `kind`; nothing when nothing changed."""
        return self._save(BACKUP, before, after, kind=kind, at=at, actor=actor, details=details)

    def remove_backup(
        self, backup: Backup, *, at: datetime, actor: str = "cloud", details: Mapping[str, Any] | None = None
    ) -> None:
        # What it contained goes with it; whose it was stays known.
        named = {"source_name": backup.source_name} if backup.source_name else {}
        self._remove(BACKUP, backup, at=at, actor=actor, details={**named, **(details or {})})

    # Their tasks

    def due_backup_tasks(self, now: datetime, kinds: Iterable[str], *, limit: int = 256) -> list[Task]:
        """Open ones of these kinds with `due_at` <= `now`, by (due_at, id)."""
        rows = self._run(_TASKS_DUE, (text_of(now), json_of(list(kinds)), limit))
        return [task_of(row, self.file) for row in rows]

    def open_backup_tasks(self, kind: str) -> list[Task]:
        """By (due_at, id)."""
        return [task_of(row, self.file) for row in self._run(_TASKS_OPEN, (kind,))]

    # What schedules and backups have in common

    def _page(self, table: Table[T], wanted: Wanted, offset: int, limit: int | None) -> list[T]:
        clauses: tuple[str, tuple[Any, ...]] = _clauses(wanted)
        tail = f"{clauses[0]} ORDER BY created_at, id LIMIT ? OFFSET ?"
        return self._list(table, tail, (*clauses[1], -1 if limit is None else limit, offset))

    def _count_of(self, table: Table[Any], wanted: Wanted) -> int:
        where, values = _clauses(wanted)
        return int(self._run(f"SELECT count(*) FROM {table.name} {where}", values).fetchone()[0])  # noqa: S608
