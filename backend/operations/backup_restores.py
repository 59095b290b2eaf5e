"""Servers made of backups: restores that were asked for, and drills that see whether a restore would work.

Order of writes: cloud.db first (the quota, the entries of the server and its drives, the backup `restoring`, the task
that looks after it), then one transaction of the chosen cell (the server with its drives, which are copied into, and
the task that starts it when they are whole), then cloud.db again (the entries are active). A crash in between is
finished or undone by `recovery` as with any other create.

A failed restore does not spoil the backup: it is ready again, and whoever looks finds why in the log. A drill restores
into a server without networks, tags or notes, sees it run with drives as large as they were, and removes it.

Simplified: cdroms come back empty handed, as they are not copied: a restored server has its disks only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import backups as rules
from backend.cloud import lifecycle, placement
from backend.cloud.catalogue import Flavor
from backend.cloud.errors import CloudError, Conflict, NoCapacity, OutcomeUnknown, Unreachable, WrongState
from backend.cloud.model import (
    SERVER,
    Account,
    Backup,
    BackupState,
    Drive,
    DriveState,
    Server,
    ServerState,
    Size,
    Task,
    TaskState,
)
from backend.cloud.placement import NoValidHost
from backend.operations import (
    Cloud,
    RequestKey,
    backups,
    boots,
    cells,
    check_version,
    drives,
    funds,
    quotas,
    repeats,
    server_clones,
    servers,
    settling,
)
from backend.operations.restore_sizes import check_flavor, disks_of
from backend.store import CellTransaction, CloudTransaction

RESTORE = "restore_backup"
"""The task of a backup that a server is being made of."""

LOOK_SECONDS = 5
LOOK_SECONDS_SILENT = 60
"""How soon a restore is looked at again that should be over and is not, or whose cell does not answer."""

DRILLER = Account("", "cloud", "", is_staff=True)


@dataclass(frozen=True, slots=True)
class RestoreSpec:
    """What is asked for."""

    flavor: Flavor
    name: str | None = None
    """None: as the server was called."""


@dataclass(frozen=True, slots=True)
class Restored:
    backup: Backup
    server: Server


@dataclass(frozen=True, slots=True)
class Draft:
    """The server as it will be, without ids and hosts; its cell once one was chosen."""

    server: Server
    drives: tuple[Drive, ...]

    @property
    def storage_bytes(self) -> int:
        return sum(drive.size_bytes for drive in self.drives)

    @property
    def seconds(self) -> int:
        return max((copy_seconds(drive) for drive in self.drives), default=0)


AgreedRestore = Callable[[CellTransaction, Draft], None]
"""Asked in the transaction of the work, before it. Raises Conflict where it is not what was agreed to."""


def copy_seconds(drive: Drive) -> int:
    least = lifecycle.TRANSITIONS["drive"]["clone"].duration_seconds
    return max(least, rules.duration_seconds(drive.size_bytes))


# --- what is made ----------------------------------------------------------------------------------------------------


def _draft(
    backup: Backup, *, size: Size, smp: int, name: str | None, owner: str, now: datetime, is_drill: bool
) -> Draft:
    told = backup.contents.get("server", {})
    server = Server(
        id="",
        name=str(name or told.get("name") or f"restored-{backup.id[:8]}"),
        cell="",
        project_id=backup.project_id,
        owner=owner,
        size=size,
        created_at=now,
        state_since=now,
        smp=smp,
        meta={} if is_drill else dict(told.get("meta", {})),
        tags=() if is_drill else tuple(told.get("tags", ())),
    )
    made = tuple(
        Drive(
            id="",
            name=str(each["name"]),
            cell="",
            project_id=backup.project_id,
            owner=owner,
            size_bytes=int(each["size_bytes"]),
            host="",
            created_at=now,
            state=DriveState.CLONING_DST,
            state_since=now,
            device=each.get("device") or "virtio",
            channel=each.get("channel") or f"{place // 6}:{place % 6}",
            boot_order=each.get("boot_order") or place + 1,
        )
        for place, each in enumerate(disks_of(backup))
    )
    return Draft(server, made)


async def choose_cell(cloud: Cloud, actor: Account, draft: Draft) -> str:
    """Where all drives have room, and the server would be placed best now. Raises NoCapacity, Unreachable."""
    sizes: list[tuple[int, str | None]] = [(drive.size_bytes, None) for drive in draft.drives]
    now = cloud.clock.now()

    def offer(tx: CellTransaction) -> tuple[list[Any], tuple[Any, ...]]:
        found = placement.place_drives(sizes, tx.storage_loads(), policy=cloud.settings.placement)
        size = draft.server.size
        return found, cells.offer_of(tx, cloud, size, actor, is_backfilling=False, avoid=(), now=now)

    answers = await cloud.store.each_cell(offer)
    offers = []
    refused: dict[str, int] = {}
    for cell, answer in answers.items():
        if isinstance(answer, Unreachable):
            continue
        found, key = answer
        without = [each for each in found if isinstance(each, NoValidHost)]
        for each in without:
            for reason, count in each.counted():
                refused[reason] = refused.get(reason, 0) + count
        if not without:
            offers.append((key, cell))
    if offers:
        return min(offers)[1]
    if refused:
        raise NoCapacity(f"the drives of server {draft.server.name}", sorted(refused.items()))
    raise Unreachable(next(iter(answers), ""), "no cell answers")


# --- the writes, in their order --------------------------------------------------------------------------------------


def _reserve(
    tx: CloudTransaction,
    cloud: Cloud,
    backup_id: str,
    draft: Draft,
    *,
    cell: str,
    actor: str,
    drill: Task | None,
    if_version: int | None,
    request: RequestKey | None,
    undone: str | None,
    ids: set[str],
) -> tuple[Backup, Draft]:
    """Ids, quota, entries, the state of the backup, and its task; of a drill, instead of the one that began it."""
    if repeats.begun(tx, request, CloudTransaction.find_server_entry, undone=undone) is not None:
        raise Conflict("The first request with this Idempotency-Key has restored it.")
    backup = tx.backup(backup_id)
    check_state(backup)
    check_version(backup.version, if_version)
    check_quota(tx, draft)
    model = draft.server
    server = replace(model, id=tx.next_id(cell), cell=cell)
    made = tuple(replace(drive, id=tx.next_id(cell), cell=cell, server_id=server.id) for drive in draft.drives)
    # Before anybody can read the entries: until this operation has ended nobody else finishes or undoes them.
    ids.update([server.id, *(drive.id for drive in made)])
    cloud.live.update(ids)
    tx.add_server_entry(servers.entry_of(server, state="building"))
    for drive in made:
        tx.add_drive_entry(drives.entry_of(drive, state="building"))
    now, seconds = model.created_at, draft.seconds
    payload: dict[str, Any] = {"name": model.name, "server": server.id, "drives": [drive.id for drive in made]}
    if drill is not None:
        tx.end_task(drill, TaskState.DONE, at=drill.due_at, result=f"restores into server {server.name}")
        payload["schedule"] = drill.payload["schedule"]
        seconds += lifecycle.TRANSITIONS["server"]["start"].duration_seconds
    payload["planned_seconds"] = seconds
    due_at = now + timedelta(seconds=seconds)
    tx.schedule(RESTORE, "backup", backup.id, begun_at=now, due_at=due_at, actor=actor, payload=payload)
    restoring = replace(backup, state=BackupState.RESTORING)
    details = {"server": server.id, "server_name": server.name, "is_drill": drill is not None}
    restoring = tx.save_backup(backup, restoring, kind="backup.restoring", at=now, actor=actor, details=details)
    repeats.note_made(tx, request, server)
    return restoring, Draft(server, made)


def check_quota(tx: CloudTransaction, draft: Draft) -> None:
    """Raises OverQuota."""
    server = draft.server
    quotas.check(tx, server.project_id, servers=1, size=server.size, storage_bytes=draft.storage_bytes)


def restore_in_cell(
    tx: CellTransaction,
    draft: Draft,
    backup: Backup,
    *,
    now: datetime,
    policy: placement.Policy,
    actor: str,
    agreed: AgreedRestore | None = None,
) -> Server:
    """The server and its drives, which are being copied, and the task that starts it. Raises NoCapacity, and what
    `agreed` does.
    """
    server = draft.server
    if agreed is not None and tx.find_server(server.id) is None:
        agreed(tx, draft)
    if not tx.add_server(server, at=now, actor=actor, details={"backup": backup.id}):
        return tx.server(server.id)
    for drive in draft.drives:
        found = placement.place_drive(drive.size_bytes, tx.storage_loads(), ranks={}, policy=policy)
        if isinstance(found, NoValidHost):
            raise NoCapacity(f"drive {drive.name}", found.counted())
        tx.add_drive(replace(drive, host=found.host), at=now, actor=actor, details={"backup": backup.id})
        payload = {
            "source": backup.id,
            "source_name": backup.source_name,
            "bytes_total": drive.size_bytes,
            "rate_bytes_per_second": rules.BACKUP_BYTES_PER_SECOND,
        }
        due_at = now + timedelta(seconds=copy_seconds(drive))
        tx.schedule("clone", "drive", drive.id, begun_at=now, due_at=due_at, actor=actor, payload=payload)
    starts: dict[str, Any] = {"avoid": [], "source": backup.source_id, "source_name": backup.source_name, "sees": None}
    due_at = now + timedelta(seconds=draft.seconds)
    tx.schedule(server_clones.START, "server", server.id, begun_at=now, due_at=due_at, actor=actor, payload=starts)
    return tx.server(server.id)


def _activate(tx: CloudTransaction, draft: Draft) -> None:
    servers.set_server_entry_state(tx, draft.server.id, "active")
    for drive in draft.drives:
        drives.set_drive_entry(tx, drive.id, state="active")


def _give_back(tx: CloudTransaction, backup_id: str, draft: Draft, *, reason: str, at: datetime) -> None:
    for drive in draft.drives:
        tx.remove_drive_entry(drive.id)
    tx.remove_server_entry(draft.server.id)
    for task in tx.open_tasks_of(backup_id):
        if task.kind == RESTORE and task.payload["server"] == draft.server.id:
            _end(tx, task, at=at, problem=reason)


def give_up(tx: CloudTransaction, server_ids: Collection[str], *, at: datetime) -> None:
    """These servers were never made. Those that backups were to be restored into: the backups are ready again."""
    for task in tx.open_backup_tasks(RESTORE) if server_ids else ():
        if task.payload["server"] in server_ids:
            _end(tx, task, at=at, problem="the server is not there")


def check_state(backup: Backup) -> None:
    """Raises WrongState."""
    if backup.state is not BackupState.READY:
        raise WrongState("backup", backup.id, "restore", backup.state, (BackupState.READY,))


async def restore(
    cloud: Cloud,
    actor: Account,
    backup_id: str,
    spec: RestoreSpec,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: AgreedRestore | None = None,
) -> Restored:
    """Make a server of the backup, in whichever cell it fits best; it starts when its drives are whole.

    Raises:
        NotFound, Forbidden, WrongState, Invalid, NoFunds, OverQuota, NoCapacity, Unreachable, OutcomeUnknown. Conflict:
        it is of more than a server, has changed since `if_version`, or `agreed` finds that it would not be what was
        agreed to.
    """
    backup = await check_may_restore(cloud, actor, backup_id)
    draft = draft_of(cloud, actor, backup, spec)
    await funds.check_new(cloud, actor.name, "the server", size=spec.flavor.size)
    return await _carry_out(cloud, actor, backup, draft, if_version=if_version, request=request, agreed=agreed)


def draft_of(cloud: Cloud, actor: Account, backup: Backup, spec: RestoreSpec) -> Draft:
    """What is asked for, in no cell yet. Raises Invalid."""
    check_flavor(backup, spec.flavor)
    if spec.name is not None:
        servers.check_name(spec.name)
    return _draft(
        backup,
        size=spec.flavor.size,
        smp=spec.flavor.vcpus,
        name=spec.name,
        owner=actor.name,
        now=cloud.clock.now(),
        is_drill=False,
    )


async def check_may_restore(cloud: Cloud, actor: Account, backup_id: str) -> Backup:
    """Raises NotFound, Forbidden, WrongState. Conflict: it is of more than a server."""
    backup = await cloud.store.cloud_read(lambda tx: backups.backup_in(tx, actor, backup_id, to_change=True))
    check_state(backup)
    if backup.source_kind != SERVER:
        raise Conflict(f"This is a backup of a {backup.source_kind}: restore one of its parts, a server at a time.")
    return backup


async def _carry_out(
    cloud: Cloud,
    actor: Account,
    backup: Backup,
    draft: Draft,
    *,
    drill: Task | None = None,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: AgreedRestore | None = None,
) -> Restored:
    cell = await choose_cell(cloud, actor, draft)
    now = draft.server.created_at
    if agreed is not None:
        # Asked again where it is made; here, so that what is refused leaves the backup as it was.
        chosen = replace(draft, server=replace(draft.server, cell=cell))
        await cloud.store.cell_read(cell, lambda tx: agreed(tx, chosen))
    undone = await repeats.undone(cloud, request, CloudTransaction.find_server_entry)
    # Told as soon as they are given: also where nobody knows whether they were kept, they are under way no longer then.
    ids: set[str] = set()
    try:
        restoring, made = await cloud.store.cloud_write(
            lambda tx: _reserve(
                tx,
                cloud,
                backup.id,
                draft,
                cell=cell,
                actor=actor.name,
                drill=drill,
                if_version=if_version,
                request=request,
                undone=undone,
                ids=ids,
            )
        )
        try:
            server = await cloud.store.cell_write(
                cell,
                lambda tx: restore_in_cell(
                    tx, made, restoring, now=now, policy=cloud.settings.placement, actor=actor.name, agreed=agreed
                ),
            )
        except OutcomeUnknown:
            raise
        except CloudError as refusal:
            # The cell has refused it or was never asked, so nothing was made: all of it goes back.
            reason = str(refusal)
            await settling.give_back(cloud, cell, lambda tx: _give_back(tx, backup.id, made, reason=reason, at=now))
            raise
        await settling.acknowledge(cloud, cell, lambda tx: _activate(tx, made))
    finally:
        cloud.live -= ids
    return Restored(restoring, server)


# --- by the clock ----------------------------------------------------------------------------------------------------


async def run_due(cloud: Cloud, until: datetime) -> int:
    """Look after the restores and drills that are due by `until`. Returns how many looks."""
    count = 0
    while due := await cloud.store.cloud_read(lambda tx: tx.due_backup_tasks(until, (RESTORE, backups.DRILL))):
        for task in due:
            await (_begin_drill if task.kind == backups.DRILL else _look_after)(cloud, task)
        count += len(due)
    return count


async def _begin_drill(cloud: Cloud, task: Task) -> None:
    backup = await cloud.store.cloud_read(lambda tx: tx.find_backup(task.object_id))
    try:
        backup, draft = await drill_draft(cloud, backup, now=task.due_at)
        await _carry_out(cloud, DRILLER, backup, draft, drill=task)
    except CloudError as refusal:
        problem = str(refusal)
        await cloud.store.cloud_write(lambda tx: _drill_refused(tx, task, problem))


async def drill_draft(cloud: Cloud, backup: Backup | None, *, now: datetime) -> tuple[Backup, Draft]:
    """What a drill of a backup restores, and the server that it makes of it, in no cell yet. Raises Conflict."""
    if backup is not None and backup.source_kind != SERVER:
        # Of a parent, the largest part stands for the rest.
        parent_id = backup.id
        parts = await cloud.store.cloud_read(lambda tx: tx.backups(parent_id=parent_id))
        backup = max(parts, key=lambda part: (part.size_bytes, part.id), default=None)
    if backup is None:
        raise Conflict("The backup is gone.")
    told = backup.contents.get("server", {})
    staff = next((name for name, each in (await cloud.accounts()).items() if each.is_staff), "")
    draft = _draft(
        backup,
        size=Size(int(told["cpu_mhz"]), int(told["memory_bytes"])),
        smp=int(told.get("smp", 1)),
        name=f"drill-{told.get('name', '')}"[: servers.NAME_LENGTH_MAX],
        owner=str(told.get("owner") or staff),
        now=now,
        is_drill=True,
    )
    return backup, draft


def _drill_refused(tx: CloudTransaction, task: Task, problem: str) -> None:
    current = tx.find_task(task.id)
    if current is not None and current.state is TaskState.OPEN:
        tx.end_task(current, TaskState.FAILED, at=task.due_at, result=problem)
        _note_drill(tx, task.payload["schedule"], begun_at=task.begun_at, at=task.due_at, problem=problem)


async def _look_after(cloud: Cloud, task: Task) -> None:
    """See how far the restore has come, and put it off, or end it."""
    at, payload = task.due_at, task.payload
    server_id, is_drill = payload["server"], "schedule" in payload
    entry = await cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id))
    if entry is None:
        # Undone by recovery, deleted since by somebody, or a drill that was cleared away before a crash.
        problem = None if "seconds" in payload else "the server is not there"
        await cloud.store.cloud_write(lambda tx: _end(tx, task, at=at, problem=problem))
        return
    is_late = at >= task.begun_at + rules.stuck_after(payload["planned_seconds"])
    try:
        seen = await cloud.store.cell_read(entry.cell, lambda tx: _look(tx, server_id, payload["drives"], is_drill))
    except (Unreachable, OutcomeUnknown):
        seen = _Seen(False, None, None)
    if seen.is_over or is_late:
        problem = seen.problem if seen.is_over else "it was not done in time"
        if is_drill:
            await _clear_away(cloud, task, entry.cell, seen, problem)
        else:
            await cloud.store.cloud_write(lambda tx: _end(tx, task, at=at, problem=problem))
        return
    wait_seconds = LOOK_SECONDS if seen.server is not None else LOOK_SECONDS_SILENT
    await cloud.store.cloud_write(lambda tx: _put_off(tx, task, at + timedelta(seconds=wait_seconds)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far a restore has come."""

    is_over: bool
    problem: str | None
    server: Server | None


def _look(tx: CellTransaction, server_id: str, drive_ids: Sequence[str], is_drill: bool) -> _Seen:
    server, found = tx.find_server(server_id), tx.drives(drive_ids)
    if server is None:
        return _Seen(True, "the server is not there", None)
    if len(found) < len(drive_ids):
        return _Seen(True, "a restored drive is not there", server)
    if any(drive.state in (DriveState.CLONING_DST, DriveState.UNAVAILABLE) for drive in found.values()):
        return _Seen(False, None, server)
    if not is_drill:
        return _Seen(True, None, server)
    if server.state is ServerState.RUNNING:
        return _Seen(True, None, server)
    is_waiting = any(task.kind in (server_clones.START, "start") for task in tx.open_tasks_of(server_id))
    if server.state is ServerState.STOPPED and not is_waiting:
        return _Seen(True, server.reason or "the server did not start", server)
    return _Seen(False, None, server)


def _put_off(tx: CloudTransaction, task: Task, due_at: datetime) -> None:
    current = tx.find_task(task.id)
    if current is not None and current.state is TaskState.OPEN:
        tx.reschedule(current, due_at=due_at, payload=current.payload)


async def _clear_away(cloud: Cloud, task: Task, cell: str, seen: _Seen, problem: str | None) -> None:
    """Remove the server of a drill. What was found is written down first: a crash must not lose it."""
    at, server_id, drive_ids = task.due_at, task.payload["server"], task.payload["drives"]
    ran_at = seen.server.state_since if seen.server is not None and problem is None else None
    seconds = None if ran_at is None else int((ran_at - task.begun_at).total_seconds())

    def mark(tx: CloudTransaction) -> None:
        current = tx.find_task(task.id)
        if current is not None and current.state is TaskState.OPEN and "seconds" not in current.payload:
            payload = {**current.payload, "seconds": seconds, "problem": problem}
            _release(tx, tx.reschedule(current, due_at=current.due_at, payload=payload), at=at, problem=problem)
        servers.set_server_entry_state(tx, server_id, "deleting")
        for id in drive_ids:
            drives.set_drive_entry(tx, id, state="deleting")

    def remove(tx: CellTransaction) -> None:
        if tx.find_server(server_id) is not None:
            boots.halt_in_cell(tx, server_id, now=at, settings=cloud.settings, actor="cloud")
            servers.remove_in_cell(tx, server_id, now=at, actor="cloud")
        for drive in tx.drives(drive_ids).values():
            for open_task in tx.open_tasks_of(drive.id):
                tx.end_task(open_task, TaskState.CANCELLED, at=at, result="the drill is over")
            detached = drives.detach_in_cell(tx, drive.id, now=at, actor="cloud") if drive.server_id else drive
            tx.remove_drive(detached, at=at, actor="cloud")

    def close(tx: CloudTransaction) -> None:
        for id in drive_ids:
            tx.remove_drive_entry(id)
        tx.remove_server_entry(server_id)
        current = tx.find_task(task.id)
        if current is not None and current.state is TaskState.OPEN:
            _end(tx, current, at=at, problem=problem)

    ids = {server_id, *drive_ids}
    cloud.live |= ids
    try:
        await cloud.store.cloud_write(mark)
        await cloud.store.cell_write(cell, remove)
        await cloud.store.cloud_write(close)
    except (Unreachable, OutcomeUnknown):
        await cloud.store.cloud_write(lambda tx: _put_off(tx, task, at + timedelta(seconds=LOOK_SECONDS_SILENT)))
    finally:
        cloud.live -= ids


def _end(tx: CloudTransaction, task: Task, *, at: datetime, problem: str | None) -> None:
    """The restore is over: the backup is ready again, whatever became of the server."""
    current = tx.find_task(task.id)
    if current is None or current.state is not TaskState.OPEN:
        return
    payload = current.payload
    if "seconds" in payload:
        problem = payload["problem"]
    tx.end_task(current, TaskState.FAILED if problem else TaskState.DONE, at=at, result=problem)
    if "seconds" not in payload:
        _release(tx, current, at=at, problem=problem)
    if "schedule" in payload:
        seconds = payload.get("seconds")
        _note_drill(tx, payload["schedule"], begun_at=task.begun_at, at=at, problem=problem, seconds=seconds)


def _release(tx: CloudTransaction, task: Task, *, at: datetime, problem: str | None) -> None:
    """Nothing reads the backup any more. What is left of a drill may have to wait for its cell; the backup need not."""
    backup = tx.find_backup(task.object_id)
    if backup is not None and backup.state is BackupState.RESTORING:
        kind = "backup.restore_failed" if problem else "backup.restored"
        details = {"server": task.payload["server"], "server_name": task.payload["name"], "reason": problem}
        ready = replace(backup, state=BackupState.READY)
        tx.save_backup(backup, ready, kind=kind, at=at, actor=task.actor, details=details)


def _note_drill(
    tx: CloudTransaction,
    schedule_id: str,
    *,
    begun_at: datetime,
    at: datetime,
    problem: str | None,
    seconds: int | None = None,
) -> None:
    schedule = tx.find_schedule(schedule_id)
    if schedule is not None:
        noted = replace(schedule, drilled_at=begun_at, drill_seconds=seconds, drill_problem=problem)
        details = {"seconds": seconds, "problem": problem}
        tx.save_schedule(schedule, noted, kind="schedule.drilled", at=at, details=details)
