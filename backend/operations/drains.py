"""Emptying a host: maintenance, and moving what is on it one server at a time.

Draining moves nothing: the host takes no more placements, and what is on it goes on. `evacuate` carries out the plan
that a drain shows: each server is shut down and started elsewhere with the avoid list of its last start, the oldest
first. Never two at once, so a group never misses two members because of it; and none is stopped that no host has room
for. Each move is a task of the host, so it survives a restart and can be followed; ending the maintenance ends it after
the server that is on its way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from backend.cloud import lifecycle
from backend.cloud.errors import Conflict, NoCapacity, WrongState
from backend.cloud.model import HostKind, HostState, Server, ServerState, Task, TaskState
from backend.operations import Cloud, RequestKey, Settings, apart, check_version, rooms, servers
from backend.operations.losses import HostBegun, cell_of
from backend.operations.plan_tokens import Agreed, check_agreed
from backend.operations.rooms import Decision
from backend.store import CellTransaction


def drain_in_cell(
    tx: CellTransaction,
    name: str,
    *,
    now: datetime,
    actor: str = "cloud",
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> HostBegun:
    """No more placements on this host. Raises NotFound, WrongState, Conflict."""
    if request is not None and request.remembered(tx) is not None:
        return HostBegun(tx.host(name))
    host = tx.host(name)
    check_version(host.version, if_version)
    if host.state is not HostState.UP:
        raise WrongState("host", name, "drain", host.state, (HostState.UP,))
    drained = tx.save_host(
        host,
        replace(host, state=HostState.MAINTENANCE, state_since=now),
        kind="host.maintenance",
        at=now,
        actor=actor,
    )
    if request is not None:
        tx.remember(request.key, request.digest, {})
    return HostBegun(drained)


def evacuate_in_cell(
    tx: CellTransaction,
    name: str,
    *,
    now: datetime,
    settings: Settings,
    actor: str = "cloud",
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> HostBegun:
    """Begin to move what is on a host in maintenance. Without a task in the answer nothing on it can move.

    Raises:
        NotFound, WrongState, Conflict: it is a storage host, or its evacuation is under way.
    """
    if request is not None and (answer := request.remembered(tx)) is not None:
        return HostBegun(tx.host(name), tx.find_task(answer["task"]) if answer["task"] is not None else None)
    host = tx.host(name)
    check_version(host.version, if_version)
    if host.kind is not HostKind.COMPUTE:
        raise Conflict("Drives stay where they are: only compute hosts can be evacuated. Clone the drives instead.")
    if host.state is not HostState.MAINTENANCE:
        raise WrongState("host", name, "evacuate", host.state, (HostState.MAINTENANCE,))
    if tx.open_tasks_of(name):
        raise Conflict(f"Host {name} is being evacuated already.")
    steps = _Steps(1, len(tx.load(name).servers))
    task = _next_move(tx, name, steps, now=now, settings=settings, actor=actor)
    if request is not None:
        tx.remember(request.key, request.digest, {"task": task.id if task else None})
    return HostBegun(host, task)


class _Steps(NamedTuple):
    """The step that is next, and how many servers were on the host when its evacuation began."""

    next: int
    all: int


def _next_move(
    tx: CellTransaction, host: str, steps: _Steps, *, now: datetime, settings: Settings, actor: str
) -> Task | None:
    """Shut the next server down; None when all that can leave has left."""
    for server in sorted(tx.load(host).servers, key=lambda server: (server.created_at, server.id)):
        match server.state:
            case ServerState.RUNNING:
                avoid = apart.avoid_of(tx, server, server.avoid, settings=settings)
                if isinstance(apart.choose_again(tx, server, now=now, settings=settings, avoid=avoid), NoCapacity):
                    continue
                begun = servers.stop_in_cell(tx, server.id, now=now, action="shutdown", actor=actor)
                assert begun.task is not None, "a shutdown takes time"
                # Its room is free before the next step looks: this task is due at the same instant, and is younger.
                return _plan_step(tx, host, steps, now=now, due_at=begun.task.due_at, server=server, actor=actor)
            case ServerState.STARTING if server.waits is None:
                seconds = lifecycle.TRANSITIONS["server"]["start"].duration_seconds
                due_at = now + timedelta(seconds=seconds)
                return _plan_step(tx, host, steps, now=now, due_at=due_at, server=None, actor=actor)
            case _:
                # It leaves by itself, waits for those who do, or is paused for want of a drive.
                continue
    return None


def _plan_step(
    tx: CellTransaction,
    host: str,
    steps: _Steps,
    *,
    now: datetime,
    due_at: datetime,
    server: Server | None,
    actor: str,
) -> Task:
    """`server` is None where one that is still starting has to be waited for."""
    payload: dict[str, Any] = {"step": steps.next, "steps": steps.all}
    if server is not None:
        payload |= {"server": server.id, "name": server.name}
    return tx.schedule("evacuate", "host", host, begun_at=now, due_at=due_at, actor=actor, payload=payload)


def end_move(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    """The server is down: it starts elsewhere, and the next one goes."""
    steps = _Steps(int(task.payload["step"]), int(task.payload["steps"]))
    result = None
    if "server" in task.payload:
        result = f"{steps.next} of {steps.all}: {_start_moved(tx, task, now=at, settings=settings)}"
        steps = steps._replace(next=steps.next + 1)
    is_on = tx.host(task.object_id).state is HostState.MAINTENANCE
    if not is_on:
        result = f"{result or 'nothing moved'}; the rest stays, as the maintenance is over"
    tx.end_task(task, TaskState.DONE, at=at, result=result)
    if is_on:
        following = _next_move(tx, task.object_id, steps, now=at, settings=settings, actor=task.actor)
        if following is None:
            staying = [server.id for server in tx.load(task.object_id).servers]
            tx.emit("host.evacuated", "host", task.object_id, at=at, actor=task.actor, details={"stays": staying})


def _start_moved(tx: CellTransaction, task: Task, *, now: datetime, settings: Settings) -> str:
    name = str(task.payload["name"])
    server = tx.find_server(str(task.payload["server"]))
    if server is None or server.state is not ServerState.STOPPED:
        return f"{name} went its own way"
    found = start_again(tx, server, avoid=server.avoid, now=now, settings=settings, actor=task.actor)
    return f"{name} stays stopped: {found}" if isinstance(found, str) else f"{name} to {found.host}"


def start_again(
    tx: CellTransaction, server: Server, *, avoid: tuple[str, ...], now: datetime, settings: Settings, actor: str
) -> Decision | str:
    """Start a server that was stopped only to be moved. Where it cannot be, it stays stopped, and says why."""
    if rooms.lost_drives(tx, server.id):
        problem = "A drive of its was lost while it was moved."
    else:
        avoid = apart.avoid_of(tx, server, avoid, settings=settings)
        found = apart.choose_again(tx, server, now=now, settings=settings, avoid=avoid)
        if not isinstance(found, NoCapacity):
            return rooms.move_in(tx, server, found, now=now, settings=settings, avoid=avoid, actor=actor)
        problem = str(found)
    tx.save_server(server, replace(server, reason=problem), kind="server.stays", at=now)
    return problem


# --- operations ------------------------------------------------------------------------------------------------------


async def drain_host(
    cloud: Cloud,
    actor_name: str,
    host: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> HostBegun:
    """Raises NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown."""

    def drain(tx: CellTransaction) -> HostBegun:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return drain_in_cell(tx, host, now=now, actor=actor_name, if_version=if_version, request=request)

    return await cloud.store.cell_write(await cell_of(cloud, host), drain)


async def evacuate_host(
    cloud: Cloud,
    actor_name: str,
    host: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
    agreed: Agreed | None = None,
) -> HostBegun:
    """Raises NotFound, WrongState, Conflict, Unreachable, OutcomeUnknown."""

    def evacuate(tx: CellTransaction) -> HostBegun:
        now = cloud.clock.now()
        check_agreed(tx, agreed, request, now)
        return evacuate_in_cell(
            tx, host, now=now, settings=cloud.settings, actor=actor_name, if_version=if_version, request=request
        )

    return await cloud.store.cell_write(await cell_of(cloud, host), evacuate)
