"""Backups and schedules as an account sees them: pages of them, and what hangs on a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud import previews, retention
from backend.cloud.errors import Conflict
from backend.cloud.model import SERVER, Account, Backup, PartialServer, Schedule, Server
from backend.cloud.retention import Verdict
from backend.operations import Cloud, RequestKey, backup_sources, backups, servers
from backend.operations.backup_restores import Restored
from backend.operations.backups import BackupView
from backend.store import CloudTransaction, Place, Project, ServerEntry, Wanted


@dataclass(frozen=True, slots=True)
class BackupShown:
    backup: Backup
    parts: tuple[Backup, ...]
    """Of a project's or customer's: one for each server, the oldest first."""

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts) if self.parts else self.backup.size_bytes


@dataclass(frozen=True, slots=True)
class ScheduleShown:
    schedule: Schedule
    backup_ids: tuple[str, ...]
    """Of its backups, the oldest first."""
    source_name: str | None


@dataclass(frozen=True, slots=True)
class InstanceShown:
    """A server with what there is of its backups."""

    server: Server | PartialServer
    drive_bytes: tuple[int, ...]
    """What its drives are charged for, the oldest first."""
    backups: tuple[BackupShown, ...]
    schedules: tuple[ScheduleShown, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """The projects and customers that an account sees."""

    projects: tuple[Project, ...]
    customers: Mapping[str, str]
    """Names by id."""


async def directory(cloud: Cloud, actor: Account) -> Directory:
    def find(tx: CloudTransaction) -> Directory:
        projects, customers = backup_sources.visible_projects(tx, actor)
        return Directory(
            tuple(each for each in tx.projects() if projects is None or each.id in projects),
            {id: name for id, name in tx.customers().items() if customers is None or id in customers},
        )

    return await cloud.store.cloud_read(find)


def _seen_by(tx: CloudTransaction, actor: Account, wanted: Wanted) -> Wanted:
    projects, customers = backup_sources.visible_projects(tx, actor)
    return replace(wanted, projects=projects, customers=customers)


async def page_of_backups(
    cloud: Cloud, actor: Account, wanted: Wanted, *, offset: int, limit: int
) -> tuple[list[BackupShown], int]:
    """A window in the order of creation, and how many there are in all."""

    def find(tx: CloudTransaction) -> tuple[list[BackupShown], int]:
        seen = _seen_by(tx, actor, wanted)
        found = tx.page_of_backups(seen, offset=offset, limit=limit)
        return shown_in(tx, found), tx.count_backups(seen)

    return await cloud.store.cloud_read(find)


def shown_in(tx: CloudTransaction, found: Iterable[Backup]) -> list[BackupShown]:
    return [
        BackupShown(each, () if each.source_kind == SERVER else tuple(tx.backups(parent_id=each.id)[::-1]))
        for each in found
    ]


async def show_backup(cloud: Cloud, backup: Backup) -> BackupShown:
    return (await cloud.store.cloud_read(lambda tx: shown_in(tx, [backup])))[0]


@dataclass(frozen=True, slots=True)
class BackupDescribed:
    shown: BackupView
    parts: tuple[BackupView, ...]
    """The oldest first."""
    verdict: Verdict | None
    """What the rules of its schedule say of it when the next backup is good; None without one."""


async def newest_backups(
    cloud: Cloud, actor: Account, wanted: Wanted, before: Place | None, *, limit: int
) -> tuple[list[BackupView], int]:
    """The newest first, those older than a place; and how many there are in all. With what their rules say of them."""
    now = cloud.clock.now()

    def find(tx: CloudTransaction) -> tuple[list[BackupView], int]:
        seen = _seen_by(tx, actor, wanted)
        found = backups.views_in(tx, tx.backups_before(seen, before, limit=limit))
        verdicts = _verdicts(tx, {each.backup.schedule_id for each in found if each.backup.schedule_id}, now)
        judged = [replace(each, verdict=verdicts.get(each.backup.id)) for each in found]
        return judged, tx.count_backups(seen)

    return await cloud.store.cloud_read(find)


def _verdicts(tx: CloudTransaction, schedule_ids: Collection[str], now: datetime) -> dict[str, Verdict]:
    """By backup, what becomes of it with the next good run; of a schedule that is off, what its rules say now."""
    by_schedule = tx.bare_backups_of(schedule_ids)
    found: list[Verdict] = []
    for schedule in tx.schedules_of_ids(schedule_ids):
        own, policy = by_schedule.get(schedule.id, ()), retention.Policy.of(schedule)
        if schedule.next_trigger_at is None:
            found += retention.plan(own, policy, now)
        else:
            found += previews.verdicts_next(own, policy, now, schedule.next_trigger_at)
    return {verdict.backup.id: verdict for verdict in found}


async def describe_backup(cloud: Cloud, actor: Account, backup_id: str) -> BackupDescribed:
    """Raises NotFound, also for what the account may not see."""
    now = cloud.clock.now()

    def find(tx: CloudTransaction) -> BackupDescribed:
        backup = backups.backup_in(tx, actor, backup_id)
        parts = backups.views_in(tx, tx.backups(parent_id=backup.id)[::-1])
        verdict = _verdicts(tx, {backup.schedule_id}, now).get(backup.id) if backup.schedule_id else None
        (shown,) = backups.views_in(tx, [backup])
        return BackupDescribed(replace(shown, verdict=verdict), tuple(parts), verdict)

    return await cloud.store.cloud_read(find)


async def page_of_schedules(
    cloud: Cloud, actor: Account, wanted: Wanted, *, offset: int, limit: int
) -> tuple[list[ScheduleShown], int]:
    """A window in the order of creation, and how many there are in all."""

    def find(tx: CloudTransaction) -> tuple[list[Schedule], int]:
        seen = _seen_by(tx, actor, wanted)
        return tx.page_of_schedules(seen, offset=offset, limit=limit), tx.count_schedules(seen)

    found, total = await cloud.store.cloud_read(find)
    return await show_schedules(cloud, found), total


async def show_schedules(cloud: Cloud, found: Iterable[Schedule]) -> list[ScheduleShown]:
    schedules = list(found)
    ids = await cloud.store.cloud_read(lambda tx: tx.backup_ids_of(each.id for each in schedules))
    names = await backup_sources.names_of(cloud, {(each.source_kind, each.source_id) for each in schedules})
    return [
        ScheduleShown(each, tuple(ids.get(each.id, ())), names.get((each.source_kind, each.source_id)))
        for each in schedules
    ]


async def page_of_instances(
    cloud: Cloud, actor: Account, *, offset: int, limit: int, name: str = ""
) -> tuple[list[InstanceShown], int]:
    """Servers in the order of creation, those of cells that do not answer included, and how many there are.

    With `name` only those whose name holds it: names are known to the cells alone, so all that answer are asked.
    """
    if name:
        everything = await servers.list_servers(cloud, actor)
        wanted = name.casefold()
        found = [each for each in everything.items if isinstance(each, Server) and wanted in each.name.casefold()]
        return await show_instances(cloud, found[offset : offset + limit]), len(found)
    listing = await servers.list_servers(cloud, actor, offset=offset, limit=limit)
    return await show_instances(cloud, listing.items), listing.total


async def show_instances(cloud: Cloud, found: Iterable[Server | PartialServer]) -> list[InstanceShown]:
    shown = list(found)

    def find(tx: CloudTransaction) -> list[tuple[tuple[int, ...], list[BackupShown], list[Schedule]]]:
        return [
            (
                tuple(entry.size_bytes for entry in tx.drive_entries_of(each.id)),
                shown_in(tx, tx.page_of_backups(Wanted(source=(SERVER, each.id)))),
                tx.page_of_schedules(Wanted(source=(SERVER, each.id))),
            )
            for each in shown
        ]

    known = await cloud.store.cloud_read(find)
    schedules = await show_schedules(cloud, [schedule for _, _, own in known for schedule in own])
    by_source: dict[str, list[ScheduleShown]] = {}
    for each in schedules:
        by_source.setdefault(each.schedule.source_id, []).append(each)
    return [
        InstanceShown(each, drive_bytes, tuple(own), tuple(by_source.get(each.id, ())))
        for each, (drive_bytes, own, _) in zip(shown, known, strict=True)
    ]


async def delete_instance(cloud: Cloud, actor: Account, server_id: str) -> None:
    """As `servers.delete_server`, with its drives, and only while there is no backup of it.

    Raises:
        NotFound, Forbidden, WrongState, Conflict, Unreachable, OutcomeUnknown.
    """
    await servers.entry_for(cloud, actor, server_id, to_change=True)
    if await cloud.store.cloud_read(lambda tx: tx.count_backups(Wanted(source=(SERVER, server_id)))):
        raise Conflict("Cannot delete instance with existing backups")
    await servers.delete_server(cloud, actor, server_id, recurse="all_drives")


async def restored_before(cloud: Cloud, actor: Account, backup_id: str, request: RequestKey | None) -> Restored | None:
    """What this request has made; None the first time, and where that was undone. Raises as a restore does."""

    def find(tx: CloudTransaction) -> tuple[Backup, ServerEntry] | None:
        told = None if request is None else request.remembered(tx)
        entry = None if told is None else tx.find_server_entry(told["id"])
        return None if entry is None else (backups.backup_in(tx, actor, backup_id), entry)

    made = await cloud.store.cloud_read(find)
    if made is None:
        return None
    backup, entry = made
    return Restored(backup, await cloud.store.cell_read(entry.cell, lambda tx: tx.server(entry.id)))
