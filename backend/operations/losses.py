"""Hosts that are lost and come back, and what becomes of what was on them.

    compute   Its servers are `unavailable` at that instant and leave the groups. If the host is back within
              `HOST_RETURN_SECONDS` they run again. After that normal servers start elsewhere, the oldest first, with
              the avoid list of their last start; who finds no host stays, says why, and is tried again. Backfilling
              servers are stopped (`host_lost`) without notice: a host that is gone cannot give one.
    storage   Its drives are `unavailable`. Running servers that use one are paused, and none can be started.

Recovery undoes both. What a host's loss changes in its own cell is one transaction. A drive may hang on a server of
another cell: `agree_on_storage` brings that cell into line afterwards, and again whenever a cell or the backend
returns, so a crash in between leaves nothing paused or running that should not be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backend.cloud import lifecycle
from backend.cloud.errors import NoCapacity, NotFound, OutcomeUnknown, Unreachable, WrongState
from backend.cloud.model import (
    HOST_LOST,
    STORAGE_LOST,
    Drive,
    DriveState,
    Host,
    HostKind,
    HostState,
    Server,
    ServerState,
    Task,
    TaskState,
)
from backend.operations import Cloud, RequestKey, Settings, apart, check_version, rooms
from backend.operations.plan_tokens import Agreed, check_agreed
from backend.store import CellTransaction, DriveEntry, ServerEntry


@dataclass(frozen=True, slots=True)
class HostBegun:
    """An action on a host that was accepted, and the task that it began, if it takes time."""

    host: Host
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other cells say of the drives of this cell's servers."""

    lost: frozenset[str] = frozenset()
    """Ids of servers with a lost drive there."""
    unknown: frozenset[str] = frozenset()
    """Ids of servers with a drive in a cell that does not answer: neither paused nor resumed."""


NOTHING_ELSEWHERE = Elsewhere()


# --- one transaction in the host's cell ------------------------------------------------------------------------------


def fail_in_cell(
    tx: CellTransaction,
    name: str,
    *,
    now: datetime,
    actor: str = "cloud",
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> HostBegun:
    """The host is lost, with all that is on it. Raises NotFound, WrongState, Conflict."""
    if request is not None and request.remembered(tx) is not None:
        return HostBegun(tx.host(name))
    host = tx.host(name)
    check_version(host.version, if_version)
    if host.state is HostState.DOWN:
        raise WrongState("host", name, "fail", host.state, (HostState.UP, HostState.MAINTENANCE))
    down = tx.save_host(
        host, replace(host, state=HostState.DOWN, state_since=now), kind="host.down", at=now, actor=actor
    )
    if host.kind is HostKind.COMPUTE:
        _lose_servers(tx, name, now=now)
    else:
        for drive in tx.drives_on(name):
            _cancel_tasks(tx, drive.id, now=now)
            lost = replace(drive, state=DriveState.UNAVAILABLE, state_since=now, lost_from=drive.state.value)
            tx.save_drive(drive, lost, kind="drive.unavailable", at=now, details={"host": name})
        pause_and_resume(tx, NOTHING_ELSEWHERE, now=now, resumes=False)
    if request is not None:
        tx.remember(request.key, request.digest, {})
    return HostBegun(down)


def _lose_servers(tx: CellTransaction, host: str, *, now: datetime) -> None:
    moving = {str(task.payload["server"]) for task in tx.open_tasks_of(host) if task.payload.get("server")}
    _cancel_tasks(tx, host, now=now)
    lost = tx.load(host).servers
    for server in lost:
        _cancel_tasks(tx, server.id, now=now)
        # One that was being moved off the host was stopping only to run elsewhere.
        before = ServerState.RUNNING.value if server.id in moving else lifecycle.before_loss(server)
        tx.save_server(
            server,
            replace(
                server,
                state=ServerState.UNAVAILABLE,
                state_since=now,
                waits=None,
                notice_until=None,
                notice_for=None,
                reason=HOST_LOST,
                lost_from=before,
            ),
            kind="server.unavailable",
            at=now,
            details={"host": host},
        )
    if lost:
        _plan_relocation(tx, host, now=now, wait_seconds=lifecycle.HOST_RETURN_SECONDS)


def _cancel_tasks(tx: CellTransaction, object_id: str, *, now: datetime) -> None:
    for task in tx.open_tasks_of(object_id):
        tx.end_task(task, TaskState.CANCELLED, at=now, result="its host was lost")


def _plan_relocation(tx: CellTransaction, host: str, *, now: datetime, wait_seconds: int) -> None:
    due_at = now + timedelta(seconds=wait_seconds)
    tx.schedule("relocate", "host", host, begun_at=now, due_at=due_at, payload={"wait_seconds": wait_seconds})


def relocate(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    """The host has not come back in time: what was on it starts elsewhere, or is stopped."""
    lost = sorted(tx.load(task.object_id).servers, key=lambda server: (server.created_at, server.id))
    for server in lost:
        if server.is_backfilling:
            rooms.move_out(tx, server, now=at, settings=settings, kind="server.stopped", reason=HOST_LOST)
        elif server.lost_from == ServerState.STOPPING:
            rooms.move_out(tx, server, now=at, settings=settings, kind="server.stopped")
    staying = [server for server in lost if not server.is_backfilling and server.lost_from != ServerState.STOPPING]
    left = sum(not _start_elsewhere(tx, server, now=at, settings=settings) for server in staying)
    tx.end_task(task, TaskState.DONE, at=at, result=f"{len(staying) - left} of {len(staying)} started elsewhere")
    if left:
        wait_seconds = min(2 * int(task.payload["wait_seconds"]), lifecycle.RELOCATE_SECONDS_MAX)
        _plan_relocation(tx, task.object_id, now=at, wait_seconds=wait_seconds)


def _start_elsewhere(tx: CellTransaction, server: Server, *, now: datetime, settings: Settings) -> bool:
    """Whether the server is placed anew. Where it is not, it stays what it is and says why."""
    if lost := rooms.lost_drives(tx, server.id):
        problem = f"Its drive {lost[0].name or lost[0].id} is on a lost storage host."
    else:
        avoid = apart.avoid_of(tx, server, server.avoid, settings=settings)
        found = apart.choose_again(tx, server, now=now, settings=settings, avoid=avoid)
        if not isinstance(found, NoCapacity):
            rooms.move_in(tx, server, found, now=now, settings=settings, avoid=avoid, actor="cloud")
            return True
        problem = str(found)
    tx.save_server(server, replace(server, reason=problem), kind="server.stays", at=now)
    return False


def recover_in_cell(
    tx: CellTransaction,
    name: str,
    *,
    now: datetime,
    settings: Settings,
    actor: str = "cloud",
    elsewhere: Elsewhere = NOTHING_ELSEWHERE,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> HostBegun:
    """The host is back, or its maintenance is over; the task in the answer is that of an evacuation that ends with it.

    Raises NotFound, WrongState, Conflict.
    """
    if request is not None and (answer := request.remembered(tx)) is not None:
        return HostBegun(tx.host(name), tx.find_task(answer["task"]) if answer["task"] is not None else None)
    host = tx.host(name)
    check_version(host.version, if_version)
    if host.state is HostState.UP:
        raise WrongState("host", name, "recover", host.state, (HostState.DOWN, HostState.MAINTENANCE))
    up = tx.save_host(host, replace(host, state=HostState.UP, state_since=now), kind="host.up", at=now, actor=actor)
    if host.state is HostState.DOWN:
        for task in tx.open_tasks_of(name):
            tx.end_task(task, TaskState.CANCELLED, at=now, result="the host is back")
        if host.kind is HostKind.COMPUTE:
            _take_up_servers(tx, name, elsewhere, now=now, settings=settings, actor=actor)
        else:
            for drive in tx.drives_on(name):
                _take_up_drive(tx, drive, now=now)
            pause_and_resume(tx, elsewhere, now=now)
            rooms.restart_with_drives(tx, now=now, settings=settings)
    if host.kind is HostKind.COMPUTE:
        rooms.restart_displaced(tx, name, now=now, settings=settings)
    evacuation = next(iter(tx.open_tasks_of(name)), None) if host.state is HostState.MAINTENANCE else None
    if request is not None:
        tx.remember(request.key, request.digest, {"task": evacuation.id if evacuation else None})
    return HostBegun(up, evacuation)


def _take_up_servers(
    tx: CellTransaction, host: str, elsewhere: Elsewhere, *, now: datetime, settings: Settings, actor: str
) -> None:
    """The servers of a host that is back go on with what they did.

    Who has to leave leaves, who had room gets it back, and only then are those placed who waited for some: their room
    was never their own, and those who were to make it have had their notices withdrawn.
    """
    lost = [server for server in tx.load(host).servers if server.state is ServerState.UNAVAILABLE]
    waiting = [server for server in lost if server.lost_from == lifecycle.WAITING]
    for server in lost:
        if server.lost_from in (lifecycle.WAITING, ServerState.STOPPING):
            rooms.leave(tx, server, now=now, kind="server.stopped")
        else:
            _take_up(tx, server, elsewhere, now=now)
    rooms.settle(tx, host, now=now, settings=settings, cause=host, actor=actor)
    for server in sorted(waiting, key=lambda each: (each.started_at or now, each.id)):
        _start_elsewhere(tx, tx.server(server.id), now=now, settings=settings)


def _take_up(tx: CellTransaction, server: Server, elsewhere: Elsewhere, *, now: datetime) -> None:
    if server.lost_from == ServerState.STARTING:
        again = replace(server, state=ServerState.STARTING, state_since=now, reason=None, lost_from=None)
        tx.save_server(server, again, kind="server.returned", at=now)
        rooms.begin_start(tx, again, now=now, actor="cloud")
        return
    is_paused = bool(rooms.lost_drives(tx, server.id)) or server.id in elsewhere.lost
    state = ServerState.PAUSED if is_paused else ServerState.RUNNING
    reason = STORAGE_LOST if is_paused else None
    again = replace(server, state=state, state_since=now, reason=reason, lost_from=None)
    tx.save_server(server, again, kind="server.returned", at=now)


_UNFINISHED = (
    DriveState.CREATING,
    DriveState.CLONING_SRC,
    DriveState.CLONING_DST,
    DriveState.RESIZING,
    DriveState.UPLOADING,
)


def _take_up_drive(tx: CellTransaction, drive: Drive, *, now: datetime) -> None:
    """A drive whose host is back is what it was; work that the loss cut off begins again."""
    if drive.state is not DriveState.UNAVAILABLE:
        return
    before = DriveState(drive.lost_from or DriveState.UNMOUNTED)
    cut_off = tx.last_task_of(drive.id) if before in _UNFINISHED else None
    if cut_off is not None:
        state = before
        due_at = now + (cut_off.due_at - cut_off.begun_at)
        tx.schedule(
            cut_off.kind,
            "drive",
            drive.id,
            begun_at=now,
            due_at=due_at,
            actor=cut_off.actor,
            payload=cut_off.payload,
        )
    else:
        state = DriveState.MOUNTED if drive.server_id else DriveState.UNMOUNTED
    again = replace(drive, state=state, state_since=now, lost_from=None)
    tx.save_drive(drive, again, kind="drive.returned", at=now)


def pause_and_resume(tx: CellTransaction, elsewhere: Elsewhere, *, now: datetime, resumes: bool = True) -> None:
    """Pause the servers of this cell that have lost a drive, and resume those that have them all again."""
    lost = tx.servers_of_lost_drives() | elsewhere.lost
    for server in tx.servers(lost).values():
        if server.state is ServerState.RUNNING:
            paused = replace(server, state=ServerState.PAUSED, state_since=now, reason=STORAGE_LOST)
            tx.save_server(server, paused, kind="server.paused", at=now)
        elif server.state is ServerState.STARTING:
            # It takes its room and is paused when it is up.
            tx.save_server(server, replace(server, reason=STORAGE_LOST), kind="server.storage_lost", at=now)
    if not resumes:
        return
    for server in tx.servers_without_storage():
        if server.id in lost or server.id in elsewhere.unknown:
            continue
        if server.state is ServerState.PAUSED:
            running = replace(server, state=ServerState.RUNNING, state_since=now, reason=None)
            tx.save_server(server, running, kind="server.resumed", at=now)
        else:
            tx.save_server(server, replace(server, reason=None), kind="server.storage_returned", at=now)


# --- operations ------------------------------------------------------------------------------------------------------


async def cell_of(cloud: Cloud, host: str) -> str:
    """The cell of a host. Raises NotFound, and Unreachable where a cell that does not answer may have it."""
    answers = await cloud.store.each_cell(lambda tx: tx.find_host(host) is not None)
    for cell, answer in answers.items():
        if answer is True:
            return cell
    for answer in answers.values():
        if isinstance(answer, Unreachable):
            reason = answer.reason or "it is silent"
            raise Unreachable(answer.cell, f"{reason}; no cell that answers has a host {host}")
    raise NotFound("host", host)


async def elsewhere_of(cloud: Cloud, cell: str) -> Elsewhere:
    """What the other cells say now of the drives that hang on this cell's servers."""
    foreign = await cloud.store.cloud_read(lambda tx: tx.foreign_mounts(cell))
    if not foreign:
        return NOTHING_ELSEWHERE
    others = sorted({there for _, there in foreign})
    answers = await cloud.store.each_cell(lambda tx: tx.servers_of_lost_drives(), cells=others)
    lost: set[str] = set()
    unknown: set[str] = set()
    for server_id, there in foreign:
        answer = answers[there]
        if isinstance(answer, frozenset):
            lost |= {server_id} & answer
        else:
            unknown.add(server_id)
    return Elsewhere(frozenset(lost), frozenset(unknown))


async def agree_on_storage(cloud: Cloud, cells: Iterable[str]) -> None:
    """Bring each of the cells that answer into line with the drives that its servers have in all cells."""
    for cell in cells:
        elsewhere = await elsewhere_of(cloud, cell)
        now = cloud.clock.now()
        try:
            if await cloud.store.cell_read(cell, lambda tx: _agrees(tx, elsewhere)):  # noqa: B023  # awaited here
                continue
            await cloud.store.cell_write(cell, lambda tx: pause_and_resume(tx, elsewhere, now=now))  # noqa: B023
        except (Unreachable, OutcomeUnknown):
            # It is brought into line when it returns.
            continue


def _agrees(tx: CellTransaction, elsewhere: Elsewhere) -> bool:
    lost = tx.servers_of_lost_drives() | elsewhere.lost
    held = (ServerState.RUNNING, ServerState.STARTING)
    to_pause = (server for server in tx.servers(lost).values() if server.state in held)
    to_resume = (s for s in tx.servers_without_storage() if s.id not in lost and s.id not in elsewhere.unknown)
    return not any(server.reason != STORAGE_LOST for server in to_pause) and next(to_resume, None) is None


async def check_foreign_drives(cloud: Cloud, entry: ServerEntry, attached: Iterable[DriveEntry]) -> bool:
    """Whether drives of the server, which are `attached`, lie in other cells.

    Raises WrongState, Unreachable for one that cannot be used.
    """
    foreign = [drive for drive in attached if drive.cell != entry.cell]
    for drive_entry in foreign:
        drive_id = drive_entry.id
        drive = await cloud.store.cell_read(drive_entry.cell, lambda tx: tx.find_drive(drive_id))  # noqa: B023
        if drive is not None:
            rooms.check_drives([drive])
    return bool(foreign)


async def fail_host(
    cloud: Cloud,
    actor_name: str,
    host: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> HostBegun:
    """Raises NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown."""

    def fail(tx: CellTransaction) -> HostBegun:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return fail_in_cell(tx, host, now=now, actor=actor_name, if_version=if_version, request=request)

    begun = await cloud.store.cell_write(await cell_of(cloud, host), fail)
    await _agree_with_others(cloud, begun.host)
    return begun


async def recover_host(
    cloud: Cloud,
    actor_name: str,
    host: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> HostBegun:
    """Raises NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown."""
    cell = await cell_of(cloud, host)
    elsewhere = await elsewhere_of(cloud, cell)

    def recover(tx: CellTransaction) -> HostBegun:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return recover_in_cell(
            tx,
            host,
            now=now,
            settings=cloud.settings,
            actor=actor_name,
            elsewhere=elsewhere,
            if_version=if_version,
            request=request,
        )

    begun = await cloud.store.cell_write(cell, recover)
    await _agree_with_others(cloud, begun.host)
    return begun


async def _agree_with_others(cloud: Cloud, host: Host) -> None:
    """After a storage host was lost or has returned: the cells whose servers have drives there."""
    if host.kind is HostKind.STORAGE:
        others = await cloud.store.cloud_read(lambda tx: tx.cells_mounting(host.cell))
        await agree_on_storage(cloud, others)
