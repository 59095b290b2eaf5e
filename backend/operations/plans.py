"""Previews: what an action would do, and to whom, without doing it. Computed by what carries it out.

A server's plan is worked out from what is read; host_plans has those of hosts.

Each plan has `parts`, which its token is made of (`plan_tokens`). `agreeing` and its like give what a verb with a token
runs in its own transaction, before its work: the same plan again, and Conflict where it is not the one of the token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from backend.cloud import backfill, lifecycle, placement
from backend.cloud.avoiding import Sharing
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import CloudError, Forbidden, Invalid, NoCapacity, WrongState
from backend.cloud.model import Account, Drive, Server, Size
from backend.cloud.placement import DrivePlacement
from backend.operations import (
    Cloud,
    check_version,
    clone_plans,
    clones,
    drives,
    funds,
    plan_tokens,
    rooms,
    servers,
    stop_plans,
)
from backend.operations.clone_plans import CloneSpec, ServerClonePlan
from backend.operations.clones import AgreedClone, ClonePlan
from backend.operations.forking import forked
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
    """Of a deletion: the ids of its drives, which are left behind,"""
    with_drives: bool = False
    """or deleted with it."""
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
            "with_drives": self.with_drives,
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


async def preview(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    action: str,
    *,
    avoid: tuple[str, ...] | None = (),
    with_drives: bool = False,
) -> Plan:
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
        plan = replace(plan, drives=await _drives_of(cloud, server_id), with_drives=with_drives)
    if plan.problem is not None:
        return plan
    if not actor.may_change(entry.project_id):
        return replace(plan, problem=Forbidden(action, "this account may only look at it"))
    if entry.is_backfilling and action == "start" and not actor.may_backfill:
        return replace(plan, problem=Forbidden(action, "backfilling is not enabled for this account"))
    try:
        if action == "start":
            await funds.check_start(cloud, entry)
        if with_drives:
            await servers.check_deletable(cloud, actor, server_id, recurse="all_drives")
    except CloudError as problem:
        return replace(plan, problem=problem)
    return plan


async def _drives_of(cloud: Cloud, server_id: str) -> tuple[str, ...]:
    found = await drives.drives_of(cloud, [server_id])
    return tuple(sorted(drive.id for drive in found.get(server_id, ())))


async def agreeing(
    cloud: Cloud,
    actor: Account,
    server_id: str,
    action: str,
    token: str,
    *,
    avoid: tuple[str, ...] | None = (),
    with_drives: bool = False,
) -> Agreed:
    """Drives lie in other cells too: those of a server that is deleted are looked at now. Raises Invalid."""
    plan_tokens.parts_of(token)
    drives = await _drives_of(cloud, server_id) if action == "delete" else ()

    def agreed(tx: CellTransaction, now: datetime) -> None:
        plan = _plan(tx, cloud, actor, server_id, action, avoid=avoid, now=now, may_write=True)
        if plan.problem is not None:
            raise plan.problem
        plan_tokens.check(token, replace(plan, drives=drives, with_drives=with_drives).parts)

    return agreed


def _plan(
    tx: CellTransaction,
    cloud: Cloud,
    actor: Account,
    server_id: str,
    action: str,
    *,
    avoid: tuple[str, ...] | None,
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
    return _plan_start(tx, cloud, actor, nothing, server.avoid if avoid is None else avoid)


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
