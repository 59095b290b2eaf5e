"""Previews: what an action on a server would do, and to whom, without doing it. Computed by what carries it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud import backfill, lifecycle, placement
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import CloudError, Forbidden, Invalid, NoCapacity, WrongState
from backend.cloud.model import Account, Server, Size
from backend.operations import Cloud, rooms, servers
from backend.operations.rooms import Decision
from backend.store import CellTransaction

ACTIONS = ("start", "stop", "shutdown", "delete")


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


async def preview(cloud: Cloud, actor: Account, server_id: str, action: str, *, avoid: tuple[str, ...] = ()) -> Plan:
    """Raises NotFound, Invalid, Unreachable. A refusal of the action itself is the plan's `problem`."""
    if action not in ACTIONS:
        raise Invalid("action", f"must be one of {', '.join(ACTIONS)}")
    entry = await servers.entry_for(cloud, actor, server_id)
    now = cloud.clock.now()
    plan = await cloud.store.cell_read(
        entry.cell, lambda tx: _plan(tx, cloud, actor, server_id, action, avoid=avoid, now=now)
    )
    if plan.problem is None and not actor.may_change(entry.project_id):
        return replace(plan, problem=Forbidden(action, "this account may only look at it"))
    if plan.problem is None and entry.is_backfilling and action == "start" and not actor.may_backfill:
        return replace(plan, problem=Forbidden(action, "backfilling is not enabled for this account"))
    return plan


def _plan(
    tx: CellTransaction,
    cloud: Cloud,
    actor: Account,
    server_id: str,
    action: str,
    *,
    avoid: tuple[str, ...],
    now: datetime,
) -> Plan:
    server = tx.server(server_id)
    nothing = Plan(action, server, None, None, (), (), (), 0, now)
    try:
        transition = lifecycle.begin("server", server.id, action, server.state)
    except WrongState as problem:
        return replace(nothing, problem=problem)
    if action == "delete":
        return nothing
    if action in ("stop", "shutdown"):
        assert server.host is not None, "only a server with a host can be stopped"
        before = tx.load(server.host)
        after = HostLoad(before.host, tuple(other for other in before.servers if other.id != server.id))
        shrinks, grows = _changes(before, after)
        return replace(nothing, shrinks=shrinks, grows=grows, downtime_seconds=transition.duration_seconds)
    found = rooms.choose(tx, server, now=now, settings=cloud.settings, avoid=avoid, visible_to=actor)
    if isinstance(found, placement.NoValidHost):
        return replace(nothing, problem=NoCapacity(f"server {server.name or server.id}", found.counted()))
    return _start(tx.load(found.chosen.host), nothing, found, cloud, transition.duration_seconds)


def _start(load: HostLoad, nothing: Plan, found: placement.Placement, cloud: Cloud, seconds: int) -> Plan:
    stops = tuple(server for server in load.servers if server.id in found.chosen.plan.stops)
    server = nothing.server
    placed = replace(server, host=load.host.name, floor=server.size, effective=server.size, started_at=nothing.at)
    if server.is_backfilling:
        floor = backfill.floor_of(server.size, server.floor_permille, cloud.settings.floor_permille)
        placed = replace(placed, floor=floor)
    staying = tuple(other for other in load.servers if other not in stops)
    shrinks, grows = _changes(load, HostLoad(load.host, _by_id((*staying, placed))))
    waits = bool(stops) or bool(load.waiting)
    return replace(
        nothing,
        decision=Decision.of(found, waits=waits),
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
        is_smaller = will.cpu_mhz < was.cpu_mhz or will.memory_bytes < was.memory_bytes
        (shrinks if is_smaller else grows).append(Change(server, was, will))
    return tuple(shrinks), tuple(grows)
