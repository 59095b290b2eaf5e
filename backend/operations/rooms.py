"""Room on hosts: who gets it, who is shrunk for it, who is stopped for it, and who grows back when it is free again.

Every change of what is on a host ends in `settle`, so that the effective sizes are always the function of what is there
that `cloud.backfill` says. A server that must wait for room is `starting` with its place in the order of decision; the
ones that make room have a notice, and are stopped when the grace is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import avoiding, backfill, certificates, lifecycle, placement
from backend.cloud.avoiding import Sharing
from backend.cloud.backfill import HostLoad
from backend.cloud.certificates import Certificate
from backend.cloud.errors import WrongState
from backend.cloud.index import HostIndex
from backend.cloud.model import (
    DISPLACED,
    LARGEST_SERVER,
    NOTHING,
    Account,
    Drive,
    DriveState,
    HostState,
    Server,
    ServerState,
    Task,
    TaskState,
)
from backend.cloud.placement import NoValidHost, Placement, Ranks, Request
from backend.operations import Settings
from backend.store import CellTransaction


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a server was placed where it was: kept in the event of its start."""

    host: str
    decided_by: str
    """The first part of the key that told the chosen host from the second: avoid, disruption, room, name, only."""
    stops: tuple[str, ...]
    """The ids of the backfilling servers that make room."""
    shrinks: int
    """How many backfilling servers get smaller."""
    waits: bool
    avoided: tuple[str, ...]
    """Ids of the avoid list that are on the host all the same."""
    runner_up: str | None
    is_proved: bool
    """Whether no smaller loss of work is possible; that no smaller number of stops is, is always proved."""

    def to_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "decided_by": self.decided_by,
            "stops": self.stops,
            "shrinks": self.shrinks,
            "waits": self.waits,
            "avoided": self.avoided,
            "runner_up": self.runner_up,
            "is_proved": self.is_proved,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Decision:
        return cls(**{**stored, "stops": tuple(stored["stops"]), "avoided": tuple(stored["avoided"])})

    @classmethod
    def of(cls, found: Placement, *, waits: bool, shrinks: int | None = None) -> Decision:
        return cls(
            host=found.chosen.host,
            decided_by=found.decided_by,
            stops=tuple(found.chosen.plan.stops),
            shrinks=found.chosen.shrunk if shrinks is None else shrinks,
            waits=waits,
            avoided=tuple(found.avoided),
            runner_up=found.runner_up.host if found.runner_up else None,
            is_proved=found.chosen.plan.is_proved,
        )


def choose(
    tx: CellTransaction,
    server: Server,
    *,
    now: datetime,
    settings: Settings,
    avoid: tuple[str, ...] = (),
    visible_to: Account | None = None,
) -> Placement | NoValidHost:
    """Where the server would start now. Changes nothing. What it holds itself is not in its way."""
    index, instead = index_of(tx, settings), _instead(tx, server)
    ranks = placement.avoided_ranks(avoid, hosts_of(index, avoid, server_id=server.id, visible_to=visible_to))
    request = Request(server.size, is_backfilling=server.is_backfilling, avoid=avoid, server_id=server.id)
    found = index.place(request, now=now, ranks=ranks, instead=instead)
    return NoValidHost(index.refusals(request, instead=instead)) if isinstance(found, NoValidHost) else found


def _instead(tx: CellTransaction, server: Server) -> dict[str, HostLoad]:
    """The server's own host, as it would be without it."""
    return {} if server.host is None else {server.host: _without(tx.load(server.host), server.id)}


def refused(tx: CellTransaction, server: Server, *, settings: Settings) -> dict[str, int]:
    """How many hosts have no room for the server now, by reason, most first."""
    request = Request(server.size, is_backfilling=server.is_backfilling, server_id=server.id)
    refusals = index_of(tx, settings).refusals(request, instead=_instead(tx, server))
    return dict(placement.count_refusals(refusals))


def sharing_of(
    tx: CellTransaction,
    server: Server,
    host: str,
    *,
    has_rival: bool,
    settings: Settings,
    avoid: tuple[str, ...],
    visible_to: Account | None,
) -> Sharing:
    """Why the server is on a host, or would go there, that holds avoided entries. Asks every host."""
    index, instead = index_of(tx, settings), _instead(tx, server)
    request = Request(server.size, is_backfilling=server.is_backfilling, avoid=avoid, server_id=server.id)
    return avoiding.sharing_of(
        host,
        has_rival=has_rival,
        refusals=index.refusals(request, instead=instead),
        ranks=placement.avoided_ranks(avoid, hosts_of(index, avoid, server_id=server.id, visible_to=visible_to)),
        size=server.size,
    )


def index_of(tx: CellTransaction, settings: Settings) -> HostIndex:
    return tx.index(policy=settings.placement, start_level_permille=settings.start_level_permille)


def _without(load: HostLoad, server_id: str) -> HostLoad:
    return HostLoad(load.host, tuple(server for server in load.servers if server.id != server_id))


def lost_drives(tx: CellTransaction, server_id: str) -> list[Drive]:
    """The drives of the server, of those that are in its own cell, whose storage host is lost: it cannot run."""
    return [drive for drive in tx.drives_of(server_id) if drive.state is DriveState.UNAVAILABLE]


def check_drives(drives: Iterable[Drive]) -> None:
    """Raises WrongState where a drive is lost, or not whole, or being resized: its server cannot be started."""
    for drive in drives:
        if drive.state not in (DriveState.UNAVAILABLE, DriveState.CLONING_DST, DriveState.RESIZING):
            continue
        raise WrongState("drive", drive.id, "start a server with", drive.state, (DriveState.MOUNTED,))


def hosts_of(
    index: HostIndex, avoid: tuple[str, ...], *, server_id: str | None, visible_to: Account | None
) -> dict[str, str]:
    """The host of each avoided server that counts: known, visible to the account, and not the server itself."""
    if not avoid:
        return {}
    found = (index.find_server(id) for id in avoid if id != server_id)
    return {
        server.id: server.host
        for server in found
        if server is not None
        and server.host is not None
        and (visible_to is None or visible_to.may_see(server.project_id))
    }


def move_in(
    tx: CellTransaction,
    server: Server,
    found: Placement,
    *,
    now: datetime,
    settings: Settings,
    avoid: tuple[str, ...],
    actor: str,
    visible_to: Account | None = None,
    is_restart: bool = False,
) -> Decision:
    """Carry out a placement: notices to who must go, the server's place in the order of decision, and `settle`.

    What it found must be of the state as it is, with the same `now`, `avoid` and `visible_to`. A decision that disturbs
    others is stored with its certificate, in the same event.
    """
    host = found.chosen.host
    details: dict[str, Any] = {"restart": True} if is_restart else {}
    floor, shrinks = server.size, found.chosen.shrunk
    if server.is_backfilling:
        floor = backfill.floor_of(server.size, server.floor_permille, settings.floor_permille)
        load = _instead(tx, server).get(host) or tx.load(host)
        shrinks = backfill.count_shrunk_beside(load, server.size, floor)
    if found.chosen.plan.stops or shrinks:
        details["certificate"] = _certificate(
            tx, server, found, shrinks, now=now, settings=settings, avoid=avoid, visible_to=visible_to
        ).to_json()
    changes: dict[str, Any] = {
        "state": ServerState.STARTING,
        "state_since": now,
        "host": host,
        "floor": floor,
        "effective": server.size if server.is_backfilling else NOTHING,
        "started_at": now,
        # A backfilling server starts only where nobody has to make room: its room is its own at once.
        "waits": None if server.is_backfilling else tx.last_event_number() + 1,
        "avoid": avoid,
        "reason": None,
        "displaced_for": None,
        "displaced_at": None,
        "lost_from": None,
    }
    waits = bool(found.chosen.plan.stops) or not _has_room_now(tx.load(host), replace(server, **changes))
    decision = Decision.of(found, shrinks=shrinks, waits=waits)
    details["decision"] = decision.to_json()
    placed = tx.change_server(server, kind="server.placed", at=now, actor=actor, details=details, **changes)
    for victim_id in found.chosen.plan.stops:
        _give_notice(tx, tx.server_on(host, victim_id), server.id, now=now, grace_seconds=settings.grace_seconds)
    if server.is_backfilling:
        begin_start(tx, placed, now=now, actor=actor)
    if not waits:
        # Who waits has nothing yet, and who makes room has what it had: nobody's size is another.
        settle(tx, host, now=now, settings=settings, cause=server.id, actor=actor)
    return decision


def _certificate(
    tx: CellTransaction,
    server: Server,
    found: Placement,
    shrinks: int,
    *,
    now: datetime,
    settings: Settings,
    avoid: tuple[str, ...],
    visible_to: Account | None,
) -> Certificate:
    index, instead = index_of(tx, settings), _instead(tx, server)
    ranks: Mapping[str, Ranks] = {}
    hidden: Ranks = ()
    if avoid:
        ranks = placement.avoided_ranks(avoid, hosts_of(index, avoid, server_id=server.id, visible_to=visible_to))
        of_all = placement.avoided_ranks(avoid, hosts_of(index, avoid, server_id=server.id, visible_to=None))
        of_others = {rank for held in of_all.values() for rank in held}
        hidden = tuple(sorted(of_others - {rank for held in ranks.values() for rank in held}))
    after = tx.last_event_number()
    if server.is_backfilling:
        level, key = settings.start_level_permille, (0, 0, 0, shrinks)
        return Certificate(after, settings.placement, key, found.chosen.ranks, hidden, level)
    return certificates.certify(
        found,
        server.size,
        after=after,
        now=now,
        policy=settings.placement,
        ranks=ranks,
        hidden=hidden,
        load_of=lambda name: instead.get(name) or index.load(name),
        doubtful=[*index.doubtful(server.size), *instead],
    )


def _has_room_now(load: HostLoad, server: Server) -> bool:
    if server.is_backfilling:
        return True
    others = _without(load, server.id).servers
    on_it = HostLoad(load.host, tuple(sorted((*others, server), key=lambda other: other.id)))
    return any(admitted.id == server.id for admitted in backfill.admissions(on_it))


def _give_notice(tx: CellTransaction, victim: Server, cause: str, *, now: datetime, grace_seconds: int) -> None:
    until = now + timedelta(seconds=grace_seconds)
    tx.change_server(victim, kind="server.notice", at=now, details={"for": cause}, notice_until=until, notice_for=cause)
    tx.schedule("displace", "server", victim.id, begun_at=now, due_at=until)


def begin_start(tx: CellTransaction, server: Server, *, now: datetime, actor: str) -> None:
    seconds = lifecycle.TRANSITIONS["server"]["start"].duration_seconds
    tx.schedule("start", "server", server.id, begun_at=now, due_at=now + timedelta(seconds=seconds), actor=actor)


def move_out(
    tx: CellTransaction,
    server: Server,
    *,
    now: datetime,
    settings: Settings,
    kind: str,
    state: ServerState = ServerState.STOPPED,
    actor: str = "cloud",
    **changes: Any,
) -> Server:
    """Take a server off its host, and give its room to who waits or was shrunk. `changes` are as those of `leave`."""
    host = server.host
    assert host is not None, "only what holds a host can leave it"
    stored = leave(tx, server, now=now, kind=kind, state=state, actor=actor, **changes)
    settle(tx, host, now=now, settings=settings, cause=server.id, actor=actor)
    restart_displaced(tx, host, now=now, settings=settings)
    return stored


def leave(
    tx: CellTransaction,
    server: Server,
    *,
    now: datetime,
    kind: str,
    state: ServerState = ServerState.STOPPED,
    actor: str = "cloud",
    **changes: Any,
) -> Server:
    """Take a server off its host and cancel what was under way for it. Its room is given to nobody: `settle` follows.

    `changes` are further fields; without a `reason` among them it has none.
    """
    for task in tx.open_tasks_of(server.id):
        if task.kind in ("start", "stop", "displace"):
            tx.end_task(task, TaskState.CANCELLED, at=now, result=f"it is {state.value}")
    left: dict[str, Any] = {
        "state": state,
        "state_since": now,
        "host": None,
        "floor": None,
        "effective": None,
        "started_at": None,
        "waits": None,
        "notice_until": None,
        "notice_for": None,
        "squeezed_by": None,
        "squeezed_at": None,
        "lost_from": None,
        "reason": None,
        **changes,
    }
    return tx.change_server(server, kind=kind, at=now, actor=actor, details={"host": server.host}, **left)


def displace(tx: CellTransaction, task: Task, *, at: datetime, settings: Settings) -> None:
    """The grace is over: the server is stopped, and marked with whom it made room for.

    Where others on the host have come to the same end, none of them grows into the room of the first of them.
    """
    server = tx.server(task.object_id)
    if server.notice_until is None:
        tx.end_task(task, TaskState.CANCELLED, at=at, result="the notice was withdrawn")
        return
    tx.end_task(task, TaskState.DONE, at=at)
    assert server.host is not None, "only what is on a host has a notice"
    marks: dict[str, Any] = {
        "kind": "server.displaced",
        "reason": DISPLACED,
        "displaced_for": server.notice_for,
        "displaced_at": at,
        "displaced_count": server.displaced_count + 1,
    }
    others = (other for other in tx.load(server.host).victims if other.id != server.id)
    if any(other.notice_until is not None and other.notice_until <= task.due_at for other in others):
        leave(tx, server, now=at, **marks)
    else:
        move_out(tx, server, now=at, settings=settings, **marks)
    # The room that it has left may have been enough for it already.
    if server.restarts and (stopped := tx.server(server.id)).state is ServerState.STOPPED:
        restart(tx, stopped, now=at, settings=settings)


RESTARTS_MAX = 100
"""How many are tried for the room that one host has got; no host has room for more that have not had it already."""


def restart_displaced(tx: CellTransaction, host: str, *, now: datetime, settings: Settings) -> None:
    """Where the host has got room, start again who was stopped for want of it and is wanted back by its owner.

    In the order in which they were stopped, each of them once; who does not fit holds nobody up. It disturbs nobody,
    as no start of a backfilling server does.
    """
    if not tx.has_servers_to_restart():
        return
    level = settings.start_level_permille
    room = backfill.free_for_backfilling(tx.load(host), start_level_permille=level)
    for server in tx.servers_to_restart(room, limit=RESTARTS_MAX):
        if server.size.fits_in(backfill.free_for_backfilling(tx.load(host), start_level_permille=level)):
            restart(tx, server, now=now, settings=settings)


def restart_with_drives(tx: CellTransaction, *, now: datetime, settings: Settings) -> None:
    """Where drives are back: start again who could not for want of them, as `restart_displaced` does for room."""
    for server in tx.servers_to_restart(LARGEST_SERVER, limit=RESTARTS_MAX):
        restart(tx, server, now=now, settings=settings)


def restart(tx: CellTransaction, server: Server, *, now: datetime, settings: Settings) -> bool:
    """Start a stopped backfilling server again where it fits now, avoiding what it avoided before; whether it does."""
    if lost_drives(tx, server.id):
        return False
    found = choose(tx, server, now=now, settings=settings, avoid=server.avoid)
    if isinstance(found, NoValidHost):
        return False
    move_in(tx, server, found, now=now, settings=settings, avoid=server.avoid, actor=server.owner, is_restart=True)
    return True


def settle(
    tx: CellTransaction, host: str, *, now: datetime, settings: Settings, cause: str, actor: str = "cloud"
) -> None:
    """Make the host what the rules say of what is on it: admit who waits, withdraw notices, set effective sizes.

    On a lost host nothing has a size: it is settled when it returns.
    """
    load = tx.load(host)
    if load.host.state is HostState.DOWN:
        return
    for server in backfill.admissions(load):
        stored = tx.change_server(
            server, kind="server.admitted", at=now, actor=actor, waits=None, effective=server.size
        )
        # Who gets the room is why others shrink, whoever left it.
        cause = stored.id
        begin_start(tx, stored, now=now, actor=actor)
    for server in backfill.withdrawals(tx.load(host)):
        for task in tx.open_tasks_of(server.id):
            if task.kind == "displace":
                tx.end_task(task, TaskState.CANCELLED, at=now, result="the notice was withdrawn")
        tx.change_server(server, kind="server.notice_withdrawn", at=now, notice_until=None, notice_for=None)
    load = tx.load(host)
    sizes = backfill.effective_sizes(load)
    for server in load.servers:
        size = sizes[server.id]
        if server.effective is size or server.effective is None or server.effective == size:
            continue
        shrinks = size.cpu_mhz < server.effective.cpu_mhz or size.memory_bytes < server.effective.memory_bytes
        is_whole = size == server.size
        tx.change_server(
            server,
            kind="server.shrunk" if shrinks else "server.grown",
            at=now,
            details={"cause": cause, "host": host},
            effective=size,
            squeezed_by=None if is_whole else cause if shrinks else server.squeezed_by,
            squeezed_at=None if is_whole else now if shrinks else server.squeezed_at,
        )
