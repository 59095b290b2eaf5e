"""Previews of what is done to a host: what becomes of each server on it.

It is carried out to its end in a transaction that is then rolled back: a relocation or an evacuation is many decisions,
and each depends on those before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from backend.cloud import lifecycle
from backend.cloud.errors import CloudError, NoCapacity
from backend.cloud.model import HOST_LOST, STORAGE_LOST, Account, Host, HostKind, Server, ServerState
from backend.operations import Cloud, apart, drains, losses, plan_tokens, servers, tasks
from backend.operations.forking import forked
from backend.operations.losses import Elsewhere
from backend.operations.plan_tokens import Agreed, Parts, digest
from backend.store import CellTransaction

HostAction = Literal["fail", "recover", "drain", "evacuate"]
Outcome = Literal["moves", "stops", "stays", "pauses", "returns"]


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one server."""

    server: Server
    """As it is now."""
    outcome: Outcome
    to: str | None = None
    """The host that it starts on."""
    problem: str | None = None
    """Why it stays."""
    stops: tuple[Server, ...] = ()
    """The backfilling servers that make room for it."""
    shrinks: int = 0


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What an action on a host comes to in the end, if nothing else happens meanwhile.

    Of `fail`, when the host does not come back; of `drain`, when it is then evacuated.
    """

    action: HostAction
    host: Host
    problem: CloudError | None
    moves: tuple[Move, ...]
    """The oldest server first."""
    drives: int
    """On a storage host."""
    seconds: float
    """Until the last server has been told to start elsewhere."""
    at: datetime
    parts: Parts = field(default_factory=dict)


async def preview_host(
    cloud: Cloud, actor: Account, name: str, action: HostAction, *, if_version: int | None = None
) -> HostPlan:
    """Raises NotFound, Unreachable. A refusal of the action itself is the plan's `problem`."""
    cell = await losses.cell_of(cloud, name)
    elsewhere = await losses.elsewhere_of(cloud, cell)
    now = cloud.clock.now()
    plan, foreign = await forked(
        cloud, cell, lambda tx: _host_plan(tx, cloud, name, action, elsewhere, now=now, if_version=if_version)
    )
    if foreign and plan.problem is None:
        found = await servers.find_servers(cloud, actor, foreign)
        plan = replace(plan, moves=(*plan.moves, *_foreign_moves(found, action)))
    return plan


async def agreeing_host(cloud: Cloud, name: str, action: HostAction, token: str) -> Agreed:
    """What becomes of servers of other cells is settled after the host's own: only who they are is a part. Raises
    Invalid, NotFound, Unreachable.
    """
    plan_tokens.parts_of(token)
    elsewhere = await losses.elsewhere_of(cloud, await losses.cell_of(cloud, name))

    def agreed(tx: CellTransaction, now: datetime) -> None:
        plan, _ = tx.undone(lambda: _host_plan(tx, cloud, name, action, elsewhere, now=now, if_version=None))
        if plan.problem is not None:
            raise plan.problem
        plan_tokens.check(token, plan.parts)

    return agreed


def _foreign_moves(found: Iterable[object], action: HostAction) -> Iterable[Move]:
    """Of servers in other cells that have drives on this host."""
    for server in found:
        if isinstance(server, Server):
            if action == "fail" and server.state is ServerState.RUNNING:
                yield Move(server, "pauses")
            elif action == "recover" and server.state is ServerState.PAUSED:
                yield Move(server, "returns")


def _host_plan(
    tx: CellTransaction,
    cloud: Cloud,
    name: str,
    action: HostAction,
    elsewhere: Elsewhere,
    *,
    now: datetime,
    if_version: int | None,
) -> tuple[HostPlan, list[str]]:
    """The plan, and the ids of servers of other cells that have drives there. Leaves the transaction as it ends."""
    host = tx.host(name)
    on_it = tx.drives_on(name) if host.kind is HostKind.STORAGE else []
    mounting = {drive.server_id for drive in on_it if drive.server_id is not None}
    affected = list(tx.servers(mounting).values()) if on_it else list(tx.load(name).servers)
    affected.sort(key=lambda server: (server.created_at, server.id))
    plan = HostPlan(action, host, None, (), len(on_it), 0, now)
    number = tx.last_event_number()
    try:
        ends_at = _carry_out(tx, cloud, host, action, elsewhere, now=now, if_version=if_version, steps=len(affected))
    except CloudError as problem:
        return replace(plan, problem=problem), []
    moves = tuple(_moves(tx, cloud, plan, affected, since=number, now=ends_at))
    foreign = sorted(mounting - {server.id for server in affected})
    parts: Parts = {
        "action": action,
        "id": name,
        "version": host.version,
        "moves": digest(
            [[m.server.id, m.outcome, m.to, sorted(stop.id for stop in m.stops), m.shrinks] for m in moves]
        ),
        "elsewhere": digest(foreign),
        "drives on it": len(on_it),
    }
    return replace(plan, moves=moves, seconds=(ends_at - now).total_seconds(), parts=parts), foreign


def _carry_out(
    tx: CellTransaction,
    cloud: Cloud,
    host: Host,
    action: HostAction,
    elsewhere: Elsewhere,
    *,
    now: datetime,
    if_version: int | None,
    steps: int,
) -> datetime:
    """To its end. Returns when that is."""
    settings, name = cloud.settings, host.name
    match action:
        case "fail":
            losses.fail_in_cell(tx, name, now=now, if_version=if_version)
            given_up_at = now + timedelta(seconds=lifecycle.HOST_RETURN_SECONDS)
            for task in tx.open_tasks_of(name):
                losses.relocate(tx, task, at=given_up_at, settings=settings)
            return given_up_at
        case "recover":
            losses.recover_in_cell(tx, name, now=now, settings=settings, elsewhere=elsewhere, if_version=if_version)
            return now
        case "drain":
            drains.drain_in_cell(tx, name, now=now, if_version=if_version)
            if host.kind is HostKind.STORAGE:
                return now
    drains.evacuate_in_cell(
        tx, name, now=now, settings=settings, if_version=if_version if action == "evacuate" else None
    )
    ends_at = now
    # Each server takes a step, and one that is starting takes another before it.
    for _ in range(2 * steps + 1):
        moving = tx.open_tasks_of(name)
        if not moving:
            break
        ends_at = moving[0].due_at
        tasks.run_due_in_cell(tx, ends_at, settings=settings, no_earlier_than=None)
    return ends_at


def _moves(
    tx: CellTransaction, cloud: Cloud, plan: HostPlan, affected: Iterable[Server], *, since: int, now: datetime
) -> Iterable[Move]:
    victims: dict[str, list[Server]] = {}
    shrunk: dict[str, set[str]] = {}
    for event in tx.events(after=since, limit=100_000):
        if event.kind == "server.notice":
            victims.setdefault(event.details["for"], []).append(tx.server(event.object_id))
        elif event.kind == "server.shrunk":
            shrunk.setdefault(event.details["cause"], set()).add(event.object_id)
    for server in affected:
        after = tx.server(server.id)
        if after.host is not None and after.host != server.host:
            stops = tuple(victims.get(server.id, ()))
            yield Move(server, "moves", after.host, stops=stops, shrinks=len(shrunk.get(server.id, ())))
        elif plan.host.kind is HostKind.STORAGE or plan.action == "recover":
            if (outcome := _outcome(server, after)) is not None:
                yield Move(server, outcome)
        elif after.state is ServerState.STOPPED and after.reason in (None, HOST_LOST):
            yield Move(server, "stops")
        else:
            yield Move(server, "stays", problem=after.reason or _why_it_stays(tx, cloud, after, now=now))


def _outcome(before: Server, after: Server) -> Outcome | None:
    """What a storage host's loss, or the return of any host, does to a server; None where it does nothing."""
    if before.reason != after.reason and STORAGE_LOST in (before.reason, after.reason):
        return "pauses" if after.reason == STORAGE_LOST else "returns"
    if before.state is ServerState.UNAVAILABLE:
        return "stops" if after.state is ServerState.STOPPED else "returns"
    return None


def _why_it_stays(tx: CellTransaction, cloud: Cloud, server: Server, *, now: datetime) -> str:
    if server.state is not ServerState.RUNNING:
        return f"It is {server.state}."
    avoid = apart.avoid_of(tx, server, server.avoid, settings=cloud.settings)
    found = apart.choose_again(tx, server, now=now, settings=cloud.settings, avoid=avoid)
    if isinstance(found, NoCapacity):
        return str(found)
    return "It is left for the next time."
