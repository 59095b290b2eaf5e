"""Servers: create, start, stop, shut down, edit, delete, and reading them.

The life on a host is in `rooms` (who gets room, who is shrunk, who is stopped); this file is about the server itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.cells import partial_server
from backend.cloud.errors import (
    CloudError,
    Forbidden,
    Invalid,
    NoCapacity,
    NotFound,
    OutcomeUnknown,
)
from backend.cloud.model import (
    LARGEST_SERVER,
    SMALLEST_SERVER,
    STORAGE_LOST,
    Account,
    Drive,
    PartialServer,
    Server,
    ServerState,
    Size,
    Task,
    TaskState,
)
from backend.operations import (
    Cloud,
    RequestKey,
    Settings,
    cells,
    check_version,
    funds,
    quotas,
    repeats,
    rooms,
    settling,
)
from backend.operations.plan_tokens import Agreed, check_agreed
from backend.operations.rooms import Decision
from backend.store import CellTransaction, CloudTransaction, DriveEntry, EntryState, ServerEntry

NAME_LENGTH_MAX = 255

LISTED: tuple[EntryState, ...] = ("active", "building")
"""What is being deleted is gone from every list at once."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a new server is to be."""

    name: str
    size: Size
    smp: int = 1
    is_backfilling: bool = False
    floor_permille: tuple[int, int] = (0, 0)
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    avoid: tuple[str, ...] = ()
    """Weighs in the choice of the cell, and in that of the host at a start which names nothing else."""
    cell: str | None = None
    project_id: str | None = None
    """None: the account's own."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An action that was accepted, and the task that ends it."""

    server: Server
    task: Task | None


@dataclass(frozen=True, slots=True)
class Started(Begun):
    decision: Decision


@dataclass(frozen=True, slots=True)
class Listing:
    """A window of the list in the order of creation, and how many there are in all."""

    items: list[Server | PartialServer]
    total: int


# --- one transaction in the server's cell ----------------------------------------------------------------------------


def start_in_cell(
    tx: CellTransaction,
    server_id: str,
    *,
    now: datetime,
    settings: Settings,
    avoid: tuple[str, ...] | None = (),
    visible_to: Account | None = None,
    actor: str = "cloud",
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Started:
    """Decide a host, give the server its room or its place in the queue for it, and say why there.

    Args:
        avoid: Ids in order of preference. Unknown ones, those that `visible_to` may not see, and the server itself
            have no effect but keep their rank. None: what it was last asked to avoid.

    Raises:
        WrongState, Conflict, NoCapacity.
    """
    if request is not None and (answer := request.remembered(tx)) is not None:
        task = tx.find_task(answer["task"]) if answer["task"] is not None else None
        return Started(tx.server(server_id), task, Decision.from_json(answer["decision"]))
    server = tx.server(server_id)
    check_version(server.version, if_version)
    lifecycle.begin("server", server.id, "start", server.state)
    avoid = server.avoid if avoid is None else avoid
    rooms.check_drives(tx.drives_of(server.id))
    found = rooms.choose(tx, server, now=now, settings=settings, avoid=avoid, visible_to=visible_to)
    if isinstance(found, placement.NoValidHost):
        raise NoCapacity(f"server {server.name or server.id}", found.counted())
    decision = rooms.move_in(
        tx, server, found, now=now, settings=settings, avoid=avoid, actor=actor, visible_to=visible_to
    )
    # Who waits for room has no task yet.
    task = None if decision.waits else next((t for t in tx.open_tasks_of(server.id) if t.kind == "start"), None)
    if request is not None:
        answer = {"task": task.id if task else None, "decision": decision.to_json()}
        tx.remember(request.key, request.digest, answer)
    return Started(tx.server_on(decision.host, server.id), task, decision)


def stop_in_cell(
    tx: CellTransaction,
    server_id: str,
    *,
    now: datetime,
    action: str = "stop",
    actor: str = "cloud",
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Begun:
    """`stop` pulls the plug, `shutdown` asks the guest and takes longer. The host is free when the task has ended."""
    if request is not None and (answer := request.remembered(tx)) is not None:
        return Begun(tx.server(server_id), tx.find_task(answer["task"]))
    server = tx.server(server_id)
    check_version(server.version, if_version)
    transition = lifecycle.begin("server", server.id, action, server.state)
    stopping = {"state": ServerState.STOPPING, "state_since": now}
    details = {"action": action}
    server = tx.change_server(server, kind="server.stopping", at=now, actor=actor, details=details, **stopping)
    task = tx.schedule(
        "stop",
        "server",
        server.id,
        begun_at=now,
        due_at=now + timedelta(seconds=transition.duration_seconds),
        actor=actor,
    )
    if request is not None:
        tx.remember(request.key, request.digest, {"task": task.id})
    return Begun(server, task)


def end_start(tx: CellTransaction, task: Task, *, at: datetime) -> None:
    """The start's time is over: it runs, unless a drive of its was lost meanwhile."""
    server = tx.server(task.object_id)
    is_paused = server.reason == STORAGE_LOST
    state = ServerState.PAUSED if is_paused else ServerState.RUNNING
    tx.change_server(
        server,
        kind=f"server.{state}",
        at=at,
        actor=task.actor,
        details={"task": task.id},
        state=state,
        state_since=at,
        has_run=True,
        reason=server.reason if is_paused else None,
    )
    tx.end_task(task, TaskState.DONE, at=at)


def end_stop(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    """The stop's time is over: it leaves its host, and what it leaves goes to who waits or was shrunk."""
    tx.end_task(task, TaskState.DONE, at=at)
    rooms.move_out(tx, tx.server(task.object_id), now=at, settings=settings, kind="server.stopped", actor=task.actor)


# --- operations ------------------------------------------------------------------------------------------------------


async def create_server(cloud: Cloud, actor: Account, spec: ServerSpec, *, request: RequestKey | None = None) -> Server:
    """Make a stopped server in the cell where it would be placed best now. The cell is for life.

    Raises:
        Invalid, Forbidden, NoFunds, OverQuota, Unreachable, OutcomeUnknown.
    """
    project_id = spec.project_id or actor.project_id
    if not actor.may_change(project_id):
        raise Forbidden("create a server", "this account may not change the project")
    check_size(spec.size)
    check_name(spec.name)
    if spec.is_backfilling and not actor.may_backfill:
        raise Forbidden("create a backfilling server", "backfilling is not enabled for this account")
    await funds.check_new(cloud, actor.name, "a server")
    cell = await cells.choose(
        cloud, spec.size, actor, is_backfilling=spec.is_backfilling, avoid=spec.avoid, cell=spec.cell
    )
    await cells.check_some_host_holds(cloud, spec.size, spec.cell)
    now = cloud.clock.now()
    server = Server(
        id="",
        name=spec.name,
        cell=cell,
        project_id=project_id,
        owner=actor.name,
        size=spec.size,
        created_at=now,
        state_since=now,
        is_backfilling=spec.is_backfilling,
        floor_permille=spec.floor_permille,
        avoid=spec.avoid,
        smp=spec.smp,
        meta=spec.meta,
        tags=spec.tags,
        attributes=spec.attributes,
    )
    undone = await repeats.undone(cloud, request, CloudTransaction.find_server_entry)
    reserved, is_new = await cloud.store.cloud_write(lambda tx: reserve_server(tx, server, request, undone))
    cloud.live.add(reserved.id)
    try:
        return await settling.carried_out(
            cloud,
            reserved.cell,
            lambda tx: _add(tx, reserved, actor.name, now),
            acknowledged=lambda tx, _: set_server_entry_state(tx, reserved.id, "active"),
            given_back=(lambda tx: tx.remove_server_entry(reserved.id)) if is_new else None,
        )
    finally:
        cloud.live.discard(reserved.id)


def reserve_server(
    tx: CloudTransaction, server: Server, request: RequestKey | None, undone: str | None = None
) -> tuple[Server, bool]:
    """First step of a create: the id, the quota and the entry, in one transaction; and whether they are new.

    A repeated request finds the id that it was given the first time, and makes nothing.
    """
    entry = repeats.begun(tx, request, CloudTransaction.find_server_entry, undone=undone)
    if entry is not None:
        return replace(server, id=entry.id, cell=entry.cell, created_at=entry.created_at), False
    quotas.check(tx, server.project_id, servers=1, size=server.size)
    server = replace(server, id=tx.next_id(server.cell))
    tx.add_server_entry(entry_of(server, state="building"))
    repeats.note_made(tx, request, server)
    return server, True


def entry_of(server: Server, *, state: EntryState) -> ServerEntry:
    return ServerEntry(
        id=server.id,
        cell=server.cell,
        project_id=server.project_id,
        owner=server.owner,
        created_at=server.created_at,
        size=server.size,
        is_backfilling=server.is_backfilling,
        state=state,
    )


def _add(tx: CellTransaction, server: Server, actor: str, now: datetime) -> Server:
    tx.add_server(server, at=now, actor=actor)
    return tx.server(server.id)


def set_server_entry_state(tx: CloudTransaction, server_id: str, state: EntryState) -> None:
    entry = tx.find_server_entry(server_id)
    if entry is not None and entry.state != state:
        tx.save_server_entry(replace(entry, state=state))


async def start_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    *,
    avoid: tuple[str, ...] | None = (),
    if_version: int | None = None,
    request: RequestKey | None = None,
    only_backfilling: bool = False,
    agreed: Agreed | None = None,
) -> Started:
    """With `avoid` None it is what the server was last asked to avoid.

    Raises:
        NotFound, Forbidden, NoFunds, WrongState, Conflict, NoCapacity, Unreachable, OutcomeUnknown.
    """

    def find(tx: CloudTransaction) -> tuple[ServerEntry, list[DriveEntry]]:
        entry = _entry_in(tx, actor, server_id, to_change=True, only_backfilling=only_backfilling)
        return entry, tx.drive_entries_of(server_id)

    entry, drives = await cloud.store.cloud_read(find)
    if entry.is_backfilling and not actor.may_backfill:
        raise Forbidden("start a backfilling server", "backfilling is not enabled for this account")
    await funds.check_start(cloud, entry)
    from backend.operations import losses

    has_foreign_drives = await losses.check_foreign_drives(cloud, entry, drives)

    def start(tx: CellTransaction) -> Started:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return start_in_cell(
            tx,
            server_id,
            now=now,
            settings=cloud.settings,
            avoid=avoid,
            visible_to=actor,
            actor=actor.name,
            if_version=if_version,
            request=request,
        )

    started = await cloud.store.cell_write(entry.cell, start)
    if has_foreign_drives:
        # One may have been lost between the look and the start.
        await losses.agree_on_storage(cloud, [entry.cell])
    return started


async def stop_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    *,
    action: str = "stop",
    if_version: int | None = None,
    request: RequestKey | None = None,
    only_backfilling: bool = False,
    agreed: Agreed | None = None,
) -> Begun:
    """`action` is `stop` or `shutdown`. Raises NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown."""
    entry = await entry_for(cloud, actor, server_id, to_change=True, only_backfilling=only_backfilling)

    def stop(tx: CellTransaction) -> Begun:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return stop_in_cell(
            tx, server_id, now=now, action=action, actor=actor.name, if_version=if_version, request=request
        )

    return await cloud.store.cell_write(entry.cell, stop)


async def delete_server(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    *,
    recurse: str = "none",
    leaving: Collection[str] = (),
    if_version: int | None = None,
    request: RequestKey | None = None,
    only_backfilling: bool = False,
    agreed: Agreed | None = None,
) -> None:
    """Delete a stopped server. Its drives stay, unless `recurse` is `all_drives`, `disks` or `cdroms`.

    `leaving` are the ids of drives that go with it in any case.

    Its backups stay restorable; its schedules are switched off with the reason.

    Raises:
        NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown.
    """
    from backend.operations import backups, drives

    if await repeats.has_deleted(cloud, request, lambda tx: tx.find_server_entry(server_id)):
        return
    entry, attached = await check_deletable(
        cloud, actor, server_id, recurse=recurse, if_version=if_version, only_backfilling=only_backfilling
    )
    wanted = (drive for drive in attached if recurse in ("all_drives", f"{drive.media}s") or drive.id in leaving)
    going = [drive for drive in wanted if actor.may_change(drive.project_id)]
    now = cloud.clock.now()

    def mark(tx: CloudTransaction, state: EntryState) -> None:
        # Together, so that whatever happens now the drives go if the server goes.
        set_server_entry_state(tx, server_id, state)
        for drive in going:
            drives.set_drive_entry(tx, drive.id, state=state)
        repeats.note(tx, request)

    await cloud.store.cloud_write(lambda tx: mark(tx, "deleting"))
    ids = {server_id, *(drive.id for drive in going)}
    cloud.live |= ids
    try:
        await cloud.store.cell_write(
            entry.cell, lambda tx: remove_in_cell(tx, server_id, now=now, actor=actor.name, agreed=agreed)
        )
        await drives.let_go(cloud, actor, attached, {drive.id for drive in going})
    except OutcomeUnknown:
        raise
    except CloudError:
        await settling.give_back(cloud, entry.cell, lambda tx: mark(tx, "active"))
        raise
    finally:
        cloud.live -= ids
    await settling.acknowledge(cloud, entry.cell, lambda tx: _forget(tx, server_id, now, backups.switch_off_schedules))


async def check_deletable(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    *,
    recurse: str = "none",
    if_version: int | None = None,
    only_backfilling: bool = False,
) -> tuple[ServerEntry, list[Drive]]:
    """Whether it would be deleted now. Returns what is centrally known of it, and the drives attached to it.

    Raises:
        NotFound, Forbidden, Invalid, WrongState, Conflict, Unreachable.
    """
    from backend.operations import drives

    if recurse not in ("none", "all_drives", "disks", "cdroms"):
        raise Invalid("recurse", "must be one of all_drives, disks, cdroms")
    entry = await entry_for(cloud, actor, server_id, to_change=True, only_backfilling=only_backfilling)
    attached = (await drives.drives_of(cloud, [server_id])).get(server_id, [])
    if recurse != "none":
        going = [drive for drive in attached if recurse in ("all_drives", f"{drive.media}s")]
        await drives.check_deletable(cloud, server_id, going)

    def check(tx: CellTransaction) -> None:
        server = tx.server(server_id)
        check_version(server.version, if_version)
        lifecycle.begin("server", server.id, "delete", server.state)

    await cloud.store.cell_read(entry.cell, check)
    return entry, attached


def remove_in_cell(
    tx: CellTransaction, server_id: str, *, now: datetime, actor: str, agreed: Agreed | None = None
) -> None:
    """With what was still to be done for it; nothing if it has gone already. Raises WrongState, Conflict."""
    check_agreed(tx, agreed, None, now)
    server = tx.find_server(server_id)
    if server is not None:
        lifecycle.begin("server", server.id, "delete", server.state)
        for task in tx.open_tasks_of(server.id):
            tx.end_task(task, TaskState.CANCELLED, at=now, result="the server was deleted")
        tx.remove_server(server, at=now, actor=actor)


def _forget(tx: CloudTransaction, server_id: str, now: datetime, switch_off_schedules: Any) -> None:
    switch_off_schedules(tx, server_id, reason="its server was deleted", now=now)
    tx.remove_server_entry(server_id)


# --- reading ---------------------------------------------------------------------------------------------------------


async def entry_for(
    cloud: Cloud, actor: Account, server_id: str, *, to_change: bool = False, only_backfilling: bool = False
) -> ServerEntry:
    """What is centrally known of a server that the account may see. An account that may see but not change is refused.

    Raises:
        NotFound, Forbidden.
    """
    return await cloud.store.cloud_read(
        lambda tx: _entry_in(tx, actor, server_id, to_change=to_change, only_backfilling=only_backfilling)
    )


def _entry_in(
    tx: CloudTransaction, actor: Account, server_id: str, *, to_change: bool, only_backfilling: bool
) -> ServerEntry:
    entry = tx.find_server_entry(server_id)
    if entry is None or entry.state == "deleting" or not actor.may_see(entry.project_id):
        raise NotFound("server", server_id)
    if only_backfilling and not entry.is_backfilling:
        raise NotFound("server", server_id)
    if to_change and not actor.may_change(entry.project_id):
        raise Forbidden("change the server", "this account may only look at it")
    return entry


async def get_server(
    cloud: Cloud, actor: Account, server_id: str, *, only_backfilling: bool = False
) -> Server | PartialServer:
    """The server, or what is centrally known of it while its cell does not answer. Raises NotFound."""
    entry = await entry_for(cloud, actor, server_id, only_backfilling=only_backfilling)
    found = (await read_servers(cloud, [entry]))[0]
    if found is None:
        raise NotFound("server", server_id)
    return found


async def read_servers(cloud: Cloud, entries: Iterable[ServerEntry]) -> list[Server | PartialServer | None]:
    """The servers of these entries, in their order; partial where the cell does not answer, None where it has none."""
    wanted: dict[str, list[str]] = {}
    entries = list(entries)
    for entry in entries:
        wanted.setdefault(entry.cell, []).append(entry.id)
    answers = await cloud.store.each_cell(lambda tx: tx.servers(wanted[tx.cell]), cells=wanted)
    found: list[Server | PartialServer | None] = []
    for entry in entries:
        answer = answers[entry.cell]
        found.append(answer.get(entry.id) if isinstance(answer, dict) else partial_server(entry))
    return found


async def names_of(cloud: Cloud, server_ids: Iterable[str]) -> dict[str, str]:
    """The names of servers whose cells answer."""
    wanted = list(server_ids)
    answers = await cloud.store.each_cell(lambda tx: tx.servers(wanted))
    found = [server for answer in answers.values() if isinstance(answer, dict) for server in answer.values()]
    return {server.id: server.name for server in found}


def projects_of(actor: Account) -> frozenset[str] | None:
    """What the account may see, as the store's filters take it: None is everything."""
    return None if actor.is_staff else actor.projects_read


async def list_servers(
    cloud: Cloud,
    actor: Account,
    *,
    offset: int = 0,
    limit: int | None = None,
    is_backfilling: bool | None = None,
) -> Listing:
    """In the order of creation. What lies in a cell that does not answer stays in the list, as far as it is known."""
    projects = projects_of(actor)

    def find(tx: CloudTransaction) -> tuple[list[ServerEntry], int]:
        total = tx.count_server_entries(projects=projects, is_backfilling=is_backfilling, states=LISTED)
        entries = tx.server_entries(
            projects=projects, is_backfilling=is_backfilling, states=LISTED, offset=offset, limit=limit
        )
        return entries, total

    entries, total = await cloud.store.cloud_read(find)
    return Listing([item for item in await read_servers(cloud, entries) if item is not None], total)


async def find_servers(cloud: Cloud, actor: Account, ids: Iterable[str]) -> list[Server | PartialServer]:
    """Those of the ids that exist and that the account may see, in the order asked for."""
    wanted = list(dict.fromkeys(ids))
    projects = projects_of(actor)
    entries = await cloud.store.cloud_read(lambda tx: tx.server_entries(projects=projects, ids=wanted, states=LISTED))
    entries.sort(key=lambda entry: wanted.index(entry.id))
    return [item for item in await read_servers(cloud, entries) if item is not None]


async def list_unreachable(cloud: Cloud, actor: Account, cell: str) -> list[PartialServer]:
    """All that is centrally known of one cell's servers."""
    entries = await cloud.store.cloud_read(
        lambda tx: tx.server_entries(projects=projects_of(actor), cells=[cell], states=LISTED)
    )
    return [partial_server(entry) for entry in entries]


# --- checks ----------------------------------------------------------------------------------------------------------


def check_size(size: Size) -> None:
    """Raises Invalid, naming the field and the limits."""
    for name, value, least, most in (
        ("cpu", size.cpu_mhz, SMALLEST_SERVER.cpu_mhz, LARGEST_SERVER.cpu_mhz),
        ("mem", size.memory_bytes, SMALLEST_SERVER.memory_bytes, LARGEST_SERVER.memory_bytes),
    ):
        if not least <= value <= most:
            raise Invalid(name, f"must be between {least} and {most}, not {value}")


def check_name(name: str) -> None:
    if len(name) > NAME_LENGTH_MAX:
        raise Invalid("name", f"may have at most {NAME_LENGTH_MAX} characters")
