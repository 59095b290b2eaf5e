"""Previews: what an action would do, and to whom, without doing it. Computed by what carries it out.

A server's plan is worked out from what is read. A host's is carried out to its end in a transaction that is then rolled
back: a relocation or an evacuation is many decisions, and each depends on those before it.

Each plan has `parts`, which its token is made of (`plan_tokens`). `agreeing` and its like give what a verb with a token
runs in its own transaction, before its work: the same plan again, and Conflict where it is not the one of the token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from backend.cloud import backfill, lifecycle, placement
from backend.cloud.avoiding import Sharing
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import CloudError, Forbidden, Invalid, NoCapacity, WrongState
from backend.cloud.model import HOST_LOST, STORAGE_LOST, Account, Drive, Host, HostKind, Server, ServerState, Size
from backend.cloud.placement import DrivePlacement
from backend.operations import (
    Cloud,
    apart,
    check_version,
    clone_plans,
    clones,
    drains,
    drives,
    losses,
    plan_tokens,
    rooms,
    servers,
    stop_plans,
    tasks,
)
from backend.operations.clone_plans import CloneSpec, ServerClonePlan
from backend.operations.clones import AgreedClone, ClonePlan
from backend.operations.forking import forked
from backend.operations.losses import Elsewhere
from backend.operations.plan_tokens import Agreed, Parts, digest
from backend.operations.rooms import Decision
from backend.store import CellTransaction

STOPS = ("stop", "shutdown")
ACTIONS = ("start", *STOPS, "delete")


@dataclass(frozen=True, slots=True)
class Change:
    """A backfilling server that would get smaller or larger."""

    server: Server
    before: Size
    after: Size


@dataclass(frozen=True, slots=True)
class Plan:
    action: str
    server: Server
    problem: CloudError | None
    """Why it would be refused; None when it would be done."""
    decision: Decision | None
    """Of a start."""
    stops: tuple[Server, ...]
    shrinks: tuple[Change, ...]
    grows: tuple[Change, ...]
    downtime_seconds: int
    """How long the server itself is not running because of this; until it runs, for a start."""
    at: datetime
    refused: Mapping[str, int] = field(default_factory=dict)
    """Of a start: how many other hosts have no room, by reason."""
    avoid: tuple[str, ...] = ()
    sharing: Sharing | None = None
    """Of a start that cannot avoid everything: why."""
    drives: tuple[str, ...] = ()
    """Of a deletion: the ids of the drives that are left behind."""
    restarts: tuple[Server, ...] = ()
    """Of a stop: who was stopped for room before and starts again in what it leaves, each with its host."""

    @property
    def parts(self) -> Parts:
        decision = self.decision
        return {
            "action": self.action,
            "id": self.server.id,
            "version": self.server.version,
            "host": self.server.host if decision is None else decision.host,
            "stops": digest(sorted(stop.id for stop in self.stops)),
            "shrinks": digest(_listed(self.shrinks)),
            "grows": digest(_listed(self.grows)),
            "avoided": digest(() if decision is None else decision.avoided),
            "waits": decision is not None and decision.waits,
            "drives": digest(self.drives),
            "restarts": digest([[server.id, server.host] for server in self.restarts]),
        }


def _listed(changes: Iterable[Change]) -> list[list[str | int]]:
    """Who changes, from what to what."""
    return sorted(
        [
            change.server.id,
            *(part for size in (change.before, change.after) for part in (size.cpu_mhz, size.memory_bytes)),
        ]
        for change in changes
    )


async def preview(cloud: Cloud, actor: Account, server_id: str, action: str, *, avoid: tuple[str, ...] = ()) -> Plan:
    """Raises NotFound, Invalid, Unreachable. A refusal of the action itself is the plan's `problem`."""
    if action not in ACTIONS:
        raise Invalid("action", f"must be one of {', '.join(ACTIONS)}")
    entry = await servers.entry_for(cloud, actor, server_id)
    now = cloud.clock.now()
    plan, is_whole = await cloud.store.cell_read(
        entry.cell,
        lambda tx: (
            _plan(tx, cloud, actor, server_id, action, avoid=avoid, now=now),
            action not in STOPS or not tx.has_servers_to_restart(),
        ),
    )
    if plan.problem is None and not is_whole:
        plan = await forked(
            cloud,
            entry.cell,
            lambda tx: _plan(tx, cloud, actor, server_id, action, avoid=avoid, now=now, may_write=True),
        )
    if action == "delete":
        plan = replace(plan, drives=await _left_behind(cloud, server_id))
    if plan.problem is None and not actor.may_change(entry.project_id):
        return replace(plan, problem=Forbidden(action, "this account may only look at it"))
    if plan.problem is None and entry.is_backfilling and action == "start" and not actor.may_backfill:
        return replace(plan, problem=Forbidden(action, "backfilling is not enabled for this account"))
    return plan


async def _left_behind(cloud: Cloud, server_id: str) -> tuple[str, ...]:
    found = await drives.drives_of(cloud, [server_id])
    return tuple(sorted(drive.id for drive in found.get(server_id, ())))


async def agreeing(
    cloud: Cloud, actor: Account, server_id: str, action: str, token: str, *, avoid: tuple[str, ...] = ()
) -> Agreed:
    """Drives lie in other cells too: those that a deletion leaves behind are looked at now. Raises Invalid."""
    plan_tokens.parts_of(token)
    left = await _left_behind(cloud, server_id) if action == "delete" else ()

    def agreed(tx: CellTransaction, now: datetime) -> None:
        plan = _plan(tx, cloud, actor, server_id, action, avoid=avoid, now=now, may_write=True)
        if plan.problem is not None:
            raise plan.problem
        plan_tokens.check(token, replace(plan, drives=left).parts)

    return agreed


def _plan(
    tx: CellTransaction,
    cloud: Cloud,
    actor: Account,
    server_id: str,
    action: str,
    *,
    avoid: tuple[str, ...],
    now: datetime,
    may_write: bool = False,
) -> Plan:
    """`may_write`: who starts again after a stop is found out by stopping it, which is undone."""
    server = tx.server(server_id)
    nothing = Plan(action, server, None, None, (), (), (), 0, now)
    try:
        transition = lifecycle.begin("server", server.id, action, server.state)
        if action == "start":
            rooms.check_drives(tx.drives_of(server.id))
    except WrongState as problem:
        return replace(nothing, problem=problem)
    if action == "delete":
        return nothing
    if action in STOPS:
        assert server.host is not None, "only a server with a host can be stopped"
        before = tx.load(server.host)
        after = HostLoad(before.host, tuple(other for other in before.servers if other.id != server.id))
        shrinks, grows = _changes(before, after)
        nothing = replace(nothing, shrinks=shrinks, grows=grows, downtime_seconds=transition.duration_seconds)
        return _with_restarts(tx, cloud, nothing) if may_write and tx.has_servers_to_restart() else nothing
    return _plan_start(tx, cloud, actor, nothing, avoid)


def _with_restarts(tx: CellTransaction, cloud: Cloud, plan: Plan) -> Plan:
    found = stop_plans.of_stop(tx, plan.server, at=plan.at, settings=cloud.settings)
    changes = [Change(*each) for each in found.resized]
    smaller = [change for change in changes if _is_smaller(change.before, change.after)]
    larger = tuple(change for change in changes if change not in smaller)
    return replace(plan, shrinks=tuple(smaller), grows=larger, restarts=found.restarted)


def start_of(
    tx: CellTransaction, cloud: Cloud, actor: Account, server: Server, *, avoid: tuple[str, ...], now: datetime
) -> Plan:
    """Of a server as it is given, which need not be there so."""
    return _plan_start(tx, cloud, actor, Plan("start", server, None, None, (), (), (), 0, now), avoid)


def _plan_start(tx: CellTransaction, cloud: Cloud, actor: Account, nothing: Plan, avoid: tuple[str, ...]) -> Plan:
    server, settings = nothing.server, cloud.settings
    found = rooms.choose(tx, server, now=nothing.at, settings=settings, avoid=avoid, visible_to=actor)
    if isinstance(found, placement.NoValidHost):
        return replace(nothing, problem=NoCapacity(f"server {server.name or server.id}", found.counted()))
    nothing = replace(nothing, refused=rooms.refused(tx, server, settings=settings), avoid=avoid)
    if found.chosen.ranks:
        sharing = rooms.sharing_of(
            tx,
            server,
            found.chosen.host,
            has_rival=found.runner_up is not None,
            settings=settings,
            avoid=avoid,
            visible_to=actor,
        )
        nothing = replace(nothing, sharing=sharing)
    seconds = lifecycle.TRANSITIONS["server"]["start"].duration_seconds
    return _start(tx.load(found.chosen.host), nothing, found, cloud, seconds)


def _start(load: HostLoad, nothing: Plan, found: placement.Placement, cloud: Cloud, seconds: int) -> Plan:
    stops = tuple(server for server in load.servers if server.id in found.chosen.plan.stops)
    server = nothing.server
    placed = replace(server, host=load.host.name, floor=server.size, effective=server.size, started_at=nothing.at)
    shrunk = found.chosen.shrunk
    if server.is_backfilling:
        floor = backfill.floor_of(server.size, server.floor_permille, cloud.settings.floor_permille)
        placed = replace(placed, floor=floor)
        shrunk = backfill.count_shrunk_beside(load, server.size, floor)
    staying = tuple(other for other in load.servers if other not in stops)
    shrinks, grows = _changes(load, HostLoad(load.host, _by_id((*staying, placed))))
    waits = bool(stops) or bool(load.waiting)
    return replace(
        nothing,
        decision=Decision.of(found, shrinks=shrunk, waits=waits),
        stops=stops,
        shrinks=tuple(change for change in shrinks if change.server.id != server.id),
        grows=tuple(change for change in grows if change.server.id != server.id),
        downtime_seconds=seconds + (cloud.settings.grace_seconds if waits else 0),
    )


def _by_id(found: Iterable[Server]) -> tuple[Server, ...]:
    return tuple(sorted(found, key=lambda server: server.id))


def _changes(before: HostLoad, after: HostLoad) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    old, new = backfill.effective_sizes(before), backfill.effective_sizes(after)
    shrinks: list[Change] = []
    grows: list[Change] = []
    for server in after.servers:
        was, will = old.get(server.id), new.get(server.id)
        if not server.is_backfilling or was is None or will is None or was == will:
            continue
        (shrinks if _is_smaller(was, will) else grows).append(Change(server, was, will))
    return tuple(shrinks), tuple(grows)


def _is_smaller(was: Size, will: Size) -> bool:
    return will.cpu_mhz < was.cpu_mhz or will.memory_bytes < was.memory_bytes


# --- clones of servers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloningPlan:
    """What `server_clones.clone_server` would do."""

    server: Server
    problem: CloudError | None
    """Why it would be refused; None when it would be done."""
    clone: ServerClonePlan | None = None
    start: Plan | None = None
    """By the recipe: its start, if that were now. Its problem does not keep the clone from being made."""


async def preview_server_clone(
    cloud: Cloud, actor: Account, server_id: str, spec: CloneSpec, *, if_version: int | None = None
) -> CloningPlan:
    """Raises NotFound, Unreachable. A refusal of the clone itself is the plan's `problem`."""
    entry = await servers.entry_for(cloud, actor, server_id)
    plan = CloningPlan(await cloud.store.cell_read(entry.cell, lambda tx: tx.server(server_id)), None)
    try:
        clone = await clone_plans.plan_server_clone(cloud, actor, server_id, spec, if_version=if_version)
    except CloudError as problem:
        return replace(plan, problem=problem)
    plan = replace(plan, clone=clone)
    if not spec.is_started:
        return plan
    nothing = Plan("start", clone.model, None, None, (), (), (), 0, cloud.clock.now())
    start = await cloud.store.cell_read(
        clone.model.cell, lambda tx: _plan_start(tx, cloud, actor, nothing, clone.avoid)
    )
    return replace(plan, start=start)


# --- drives ----------------------------------------------------------------------------------------------------------

DriveAction = Literal["attach", "detach", "clone", "delete"]


@dataclass(frozen=True, slots=True)
class DrivePlan:
    action: DriveAction
    drive: Drive
    problem: CloudError | None
    """Why it would be refused; None when it would be done."""
    clone: ClonePlan | None = None
    server: Server | None = None
    """The server that it would be attached to, or detached from."""

    @property
    def parts(self) -> Parts:
        if self.clone is not None:
            return _clone_parts(self.drive, self.clone.cell, self.clone.found)
        return _drive_parts(self.action, self.drive, None if self.server is None else self.server.id)


def _drive_parts(action: DriveAction, drive: Drive, server_id: str | None) -> Parts:
    return {"action": action, "id": drive.id, "version": drive.version, "server": server_id}


def _clone_parts(source: Drive, cell: str, found: DrivePlacement) -> Parts:
    return {
        "action": "clone",
        "id": source.id,
        "version": source.version,
        "cell": cell,
        "host": found.host,
        "avoided": digest(found.ranks),
    }


def agreeing_drive(drive_id: str, action: DriveAction, token: str, *, server_id: str | None = None) -> Agreed:
    """For `attach`, `detach` and `delete`. Raises Invalid."""
    plan_tokens.parts_of(token)

    def agreed(tx: CellTransaction, now: datetime) -> None:
        drive = tx.drive(drive_id)
        about = {"attach": server_id, "detach": drive.server_id}.get(action)
        plan_tokens.check(token, _drive_parts(action, drive, about))

    return agreed


def agreeing_clone(token: str) -> AgreedClone:
    """Raises Invalid."""
    plan_tokens.parts_of(token)
    return lambda source, cell, found: plan_tokens.check(token, _clone_parts(source, cell, found))


async def preview_drive(
    cloud: Cloud,
    actor: Account,
    drive_id: str,
    action: DriveAction,
    *,
    server_id: str | None = None,
    avoid: tuple[str, ...] = (),
    if_version: int | None = None,
) -> DrivePlan:
    """Raises NotFound, Unreachable. A refusal of the action itself is the plan's `problem`."""
    entry = await drives.entry_for(cloud, actor, drive_id)
    drive = await cloud.store.cell_read(entry.cell, lambda tx: tx.drive(drive_id))
    plan = DrivePlan(action, drive, None)
    try:
        if action == "clone":
            clone = await clones.plan_clone(cloud, actor, drive_id, avoid=avoid, if_version=if_version)
            return replace(plan, clone=clone)
        check_version(drive.version, if_version)
        await drives.entry_for(cloud, actor, drive_id, to_change=True)
        server = await drives.check_action(cloud, actor, drive, action, server_id=server_id)
    except CloudError as problem:
        return replace(plan, problem=problem)
    return replace(plan, server=server)


# --- hosts -----------------------------------------------------------------------------------------------------------

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
