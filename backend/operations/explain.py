"""Why a server or a drive is where it is, and what would happen if it were decided now.

A decision is an event of the cell: `server.placed`, or `drive.created` (a clone's too). To explain a past one, the
hosts and what was on them are rebuilt as they were before that event (`store.rewinding`), and the decision is made
again there. So what is told follows from the log, not from a note that somebody left. What it costs follows the number
of events since, in small reads, and the deciding is done beside the event loop.

Simplified: the settings of placement, and whose projects an account could see, are those of now. Where they make
another decision than the one that was recorded, the explanation says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from backend.cloud import placement
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import Conflict, Invalid, NotFound, Unreachable
from backend.cloud.explain import Explanation, explain_drive, explain_server
from backend.cloud.model import Account, Drive, Event, HostKind, Server
from backend.cloud.placement import Candidate, DriveCandidate, Ranks, Request, StorageLoad
from backend.operations import Cloud, Settings, drives, servers
from backend.store import CellTransaction, Rewinding

EVENTS_BACK_MAX = 200_000
"""A decision with more events behind it is not rebuilt."""
EVENTS_A_READ = 1_000
"""Read at once: a cell that reads for long looks as if it did not answer."""
DECISIONS_LISTED = 100

T = TypeVar("T")
Kind = Literal["server", "drive"]
_DECISIONS: Mapping[Kind, str] = {"server": "server.placed", "drive": "drive.created"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision of the past, by its event in the cell's log."""

    number: int
    at: datetime
    actor: str
    host: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision, explained. `mark` is None for the one that would be made now."""

    mark: Mark | None
    at: datetime
    of: Server | Drive
    """As it was before the decision."""
    avoid: tuple[str, ...]
    explanation: Explanation[Candidate] | Explanation[DriveCandidate]
    servers: Mapping[str, Server] = field(default_factory=dict)
    """Everything on the compute hosts, by id: who would be stopped is among them."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of what is in the avoid list, by id, as far as its cell knows it."""
    hosts: int = 0
    source_id: str | None = None
    """Of a clone: what it was copied from."""
    ranks: Mapping[str, Ranks] = field(default_factory=dict)
    """Which places of the avoid list were on each host."""

    @property
    def is_as_recorded(self) -> bool:
        """Whether the decision, made again, is the one that was made then."""
        chosen = self.explanation.chosen
        return self.mark is None or (chosen is not None and chosen.host == self.mark.host)


@dataclass(frozen=True, slots=True)
class Why:
    """What there is to say of one object."""

    of: Server | Drive
    """As it is now."""
    marks: tuple[Mark, ...]
    """Its decisions, oldest first; the newest `DECISIONS_LISTED`."""
    asked: Explained
    """The decision that was asked for; the one of now without any."""
    placed: Explained | None = None
    """Why it is where it is: its last decision, where none was asked for and it holds a host."""
    placed_problem: str | None = None
    """Why that cannot be told."""


async def explain(cloud: Cloud, actor: Account, object_id: str, *, decision: int | None = None) -> Why:
    """A server or drive that the account may see: decided now, or as it was decided by event `decision` of its cell.

    Raises:
        NotFound, Unreachable.
        Invalid: the event is no decision about this object.
        Conflict: the log is too long since, or does not reach back so far.
    """
    kind, cell = await _find(cloud, actor, object_id)
    found, marks = await cloud.store.cell_read(cell, lambda tx: _look(tx, kind, object_id))
    if decision is not None:
        mark = next((mark for mark in marks if mark.number == decision), None)
        mark = mark or await cloud.store.cell_read(cell, lambda tx: _mark_at(tx, kind, object_id, decision))
        if mark is None:
            raise Invalid("decision", _not_one(kind, marks, decision))
        return Why(found, marks, await _then(kind, _Question(cloud, actor, cell, object_id, mark)))
    asked = await _now(cloud, actor, cell, found)
    placed, problem = None, None
    if marks and found.host is not None:
        try:
            placed = await _then(kind, _Question(cloud, actor, cell, object_id, marks[-1]))
        except Conflict as error:
            problem = str(error)
    return Why(found, marks, asked, placed, problem)


async def explain_last(cloud: Cloud, actor: Account, of: Server | Drive) -> Explained | None:
    """Its last decision; None where it was never placed, its log does not reach back so far, or nobody answers."""
    kind: Kind = "server" if isinstance(of, Server) else "drive"
    try:
        _, marks = await cloud.store.cell_read(of.cell, lambda tx: _look(tx, kind, of.id))
        return await _then(kind, _Question(cloud, actor, of.cell, of.id, marks[-1])) if marks else None
    except (Conflict, NotFound, Unreachable):
        return None


async def _find(cloud: Cloud, actor: Account, object_id: str) -> tuple[Kind, str]:
    is_server = await cloud.store.cloud_read(lambda tx: tx.find_server_entry(object_id) is not None)
    try:
        if is_server:
            return "server", (await servers.entry_for(cloud, actor, object_id)).cell
        return "drive", (await drives.entry_for(cloud, actor, object_id)).cell
    except NotFound as error:
        raise NotFound("server or drive", object_id) from error


def _look(tx: CellTransaction, kind: Kind, object_id: str) -> tuple[Server | Drive, tuple[Mark, ...]]:
    found = tx.server(object_id) if kind == "server" else tx.drive(object_id)
    events = tx.events_of(object_id, limit=DECISIONS_LISTED, kind=_DECISIONS[kind])
    return found, tuple(_mark(event) for event in sorted(events, key=lambda event: event.number))


def _mark(event: Event) -> Mark:
    return Mark(event.number, event.at, event.actor, str(event.changes["host"][1]))


def _mark_at(tx: CellTransaction, kind: Kind, object_id: str, number: int) -> Mark | None:
    for event in tx.events(after=number - 1, limit=1):
        if (event.number, event.object_id, event.kind) == (number, object_id, _DECISIONS[kind]):
            return _mark(event)
    return None


def _not_one(kind: Kind, marks: Sequence[Mark], number: int) -> str:
    if not marks:
        return f"{number} is no decision about this {kind}: it has never been placed"
    listed = ", ".join(str(mark.number) for mark in marks[-10:])
    return (
        f"{number} is no decision about this {kind}; its {'latest ' if len(marks) > 10 else ''}decisions are {listed}"
    )


# --- Now -------------------------------------------------------------------------------------------------------------


async def _now(cloud: Cloud, actor: Account, cell: str, found: Server | Drive) -> Explained:
    now = cloud.clock.now()
    if isinstance(found, Server):
        loads, names = await cloud.store.cell_read(cell, lambda tx: (tx.loads(), _names(tx, found.avoid, actor)))
        return await asyncio.to_thread(
            _explain_server, loads, found, found.avoid, settings=cloud.settings, now=now, visible_to=actor, names=names
        )
    source_id = await cloud.store.cell_read(cell, lambda tx: _source_of(tx, found.id))
    storage = await cloud.store.cell_read(cell, lambda tx: _storage(tx, found.avoid, source_id, actor))
    return await asyncio.to_thread(
        _explain_drive, storage, found, settings=cloud.settings, at=now, visible_to=actor, source_id=source_id
    )


def _names(tx: CellTransaction, ids: Iterable[str], asker: Account) -> dict[str, str]:
    """Of those that are still there; whoever lists what is not theirs does not learn what it is called."""
    wanted = list(ids)
    found: dict[str, Server | Drive] = {**tx.servers(wanted), **tx.drives(wanted)} if wanted else {}
    return {id: each.name for id, each in found.items() if asker.may_see(each.project_id)}


def _explain_server(
    loads: Sequence[HostLoad],
    server: Server,
    avoid: tuple[str, ...],
    *,
    settings: Settings,
    now: datetime,
    visible_to: Account | None,
    names: Mapping[str, str],
    mark: Mark | None = None,
) -> Explained:
    """As `rooms.choose` decides: what the server holds itself is not in its way."""
    on_hosts = {each.id: each for load in loads for each in load.servers}
    held = {
        id: each.host
        for id in avoid
        if id != server.id
        and (each := on_hosts.get(id)) is not None
        and each.host is not None
        and (visible_to is None or visible_to.may_see(each.project_id))
    }
    seen = [
        HostLoad(load.host, tuple(each for each in load.servers if each.id != server.id))
        if load.host.name == server.host
        else load
        for load in loads
    ]
    ranks = placement.avoided_ranks(avoid, held)
    explanation = explain_server(
        Request(server.size, is_backfilling=server.is_backfilling, avoid=avoid, server_id=server.id),
        seen,
        now=now,
        ranks=ranks,
        policy=settings.placement,
        start_level_permille=settings.start_level_permille,
    )
    return Explained(mark, now, server, avoid, explanation, on_hosts, names, len(loads), ranks=ranks)


# --- Then ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Question:
    """Which decision, and who asks for it."""

    cloud: Cloud
    asker: Account
    cell: str
    object_id: str
    mark: Mark

    async def read(self, job: Callable[[CellTransaction], T]) -> T:
        return await self.cloud.store.cell_read(self.cell, job)

    async def event(self) -> Event:
        return await self.read(lambda tx: tx.events(after=self.mark.number - 1, limit=1)[0])

    async def visible_to(self) -> Account | None:
        """Who decided it; None where the cloud did by itself, for which nothing is hidden."""
        return (await self.cloud.accounts()).get(self.mark.actor)


async def _then(kind: Kind, asked: _Question) -> Explained:
    return await (_server_then(asked) if kind == "server" else _drive_then(asked))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a cell holds now, in one snapshot with the last events of the log."""

    loads: list[HostLoad]
    storage: _Storage
    servers: Mapping[str, Server]
    """Of those that were touched since."""
    drives: Mapping[str, Drive]


async def _rewound(
    asked: _Question, avoid: tuple[str, ...] = (), source_id: str | None = None
) -> tuple[Rewinding, _Rows]:
    """The log from the decision on, and what is there at its end. Raises Conflict where it is too long or broken."""
    cell, mark = asked.cell, asked.mark
    rewinding = Rewinding(cell, before=mark.number)

    def read(tx: CellTransaction) -> tuple[list[Event], _Rows | None]:
        if rewinding.number < tx.log_beginning().number:
            raise Conflict(
                f"Decision {mark.number} lies before the beginning of the log of {cell}: "
                "what was there then is not kept."
            )
        events = tx.events(after=rewinding.number, limit=EVENTS_A_READ)
        if len(events) == EVENTS_A_READ:
            return events, None
        touched = {
            kind: rewinding.touched(kind) | {event.object_id for event in events if event.object_kind == kind}
            for kind in _DECISIONS
        }
        rows = _Rows(
            tx.loads(),
            _storage(tx, avoid, source_id, asked.asker),
            tx.servers(touched["server"]),
            tx.drives(touched["drive"]),
        )
        return events, rows

    while True:
        if rewinding.number - mark.number >= EVENTS_BACK_MAX:
            raise Conflict(
                f"Decision {mark.number} lies more than {EVENTS_BACK_MAX:,} events back in the log of {cell}: "
                "what was there then is not rebuilt. Ask for a later one."
            )
        events, rows = await asked.read(read)
        if not rewinding.take(events) or rewinding.number < mark.number:
            raise Conflict(
                f"The log of {cell} has a gap behind event {rewinding.number}: what was there at decision "
                f"{mark.number} cannot be rebuilt. Ask for a later one."
            )
        if rows is not None:
            return rewinding, rows


async def _server_then(asked: _Question) -> Explained:
    event, visible_to = await asked.event(), await asked.visible_to()
    rewinding, rows = await _rewound(asked)
    server = rewinding.server(asked.object_id, rows.servers.get(asked.object_id))
    assert server is not None, "what was placed was there before"
    # The event says what the avoid list came to be, unless it was the same before.
    avoid = tuple(event.changes["avoid"][1]) if "avoid" in event.changes else server.avoid
    names = await asked.read(lambda tx: _names(tx, avoid, asked.asker))

    def decide() -> Explained:
        return _explain_server(
            _loads_then(rewinding, rows),
            server,
            avoid,
            settings=asked.cloud.settings,
            now=asked.mark.at,
            visible_to=visible_to,
            names=names,
            mark=asked.mark,
        )

    return await asyncio.to_thread(decide)


def _loads_then(rewinding: Rewinding, rows: _Rows) -> list[HostLoad]:
    """The compute hosts with what was on them."""
    touched = rewinding.touched("server")
    on_host: dict[str, list[Server]] = {}
    for id in touched:
        server = rewinding.server(id, rows.servers.get(id))
        if server is not None and server.host is not None:
            on_host.setdefault(server.host, []).append(server)
    loads = []
    for load in rows.loads:
        host = rewinding.host(load.host.name, load.host)
        if host is None:
            continue
        came = on_host.get(host.name, [])
        if host is load.host and not came and not any(server.id in touched for server in load.servers):
            loads.append(load)
            continue
        stayed = [server for server in load.servers if server.id not in touched]
        loads.append(HostLoad(host, tuple(sorted((*stayed, *came), key=lambda server: server.id))))
    return loads


# --- Drives ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Storage:
    """The storage hosts, and the drives that an avoid list or a source names, by id."""

    loads: Sequence[StorageLoad]
    drives: Mapping[str, Drive]
    names: Mapping[str, str]


def _storage(tx: CellTransaction, avoid: tuple[str, ...], source_id: str | None, asker: Account) -> _Storage:
    named = [*avoid, *([] if source_id is None else [source_id])]
    found = tx.drives(named) if named else {}
    for id in dict.fromkeys(avoid):
        found |= {drive.id: drive for drive in tx.drives_of(id)}
    return _Storage(tx.storage_loads(), found, _names(tx, avoid, asker))


def _source_of(tx: CellTransaction, drive_id: str) -> str | None:
    """What a drive was copied from; None for one that was made empty."""
    made = tx.events_of(drive_id, limit=1, kind=_DECISIONS["drive"])
    source = made[0].details.get("source") if made else None
    return None if source is None else str(source)


def _explain_drive(
    storage: _Storage,
    drive: Drive,
    *,
    settings: Settings,
    at: datetime,
    visible_to: Account | None,
    source_id: str | None,
    mark: Mark | None = None,
) -> Explained:
    """As `drives.add_in_cell` and `clones.add_copy_in_cell` decide; what the drive takes itself is not in its way."""
    hosts_of = {
        id: [
            each.host
            for each in storage.drives.values()
            if id in (each.id, each.server_id)
            and each.id != drive.id
            and (visible_to is None or visible_to.may_see(each.project_id))
        ]
        for id in dict.fromkeys(drive.avoid)
    }
    loads = [
        StorageLoad(load.host, load.used_bytes - drive.size_bytes, load.drives - {drive.id})
        if drive.id in load.drives
        else load
        for load in storage.loads
    ]
    source = None if source_id is None else storage.drives.get(source_id)
    ranks = placement.avoided_ranks(drive.avoid, hosts_of)
    explanation = explain_drive(
        drive.size_bytes,
        loads,
        ranks=ranks,
        policy=settings.placement,
        source_host=None if source is None else source.host,
        size_bytes_min=drives.SIZE_BYTES_MIN,
    )
    return Explained(
        mark,
        at,
        drive,
        drive.avoid,
        explanation,
        names=storage.names,
        hosts=len(loads),
        source_id=source_id,
        ranks=ranks,
    )


async def _drive_then(asked: _Question) -> Explained:
    event, visible_to = await asked.event(), await asked.visible_to()
    source = event.details.get("source")
    source_id = None if source is None else str(source)
    avoid = tuple(event.changes["avoid"][1]) if "avoid" in event.changes else ()
    rewinding, rows = await _rewound(asked, avoid, source_id)
    current = rows.drives.get(asked.object_id)
    if current is None:
        raise NotFound("server or drive", asked.object_id)

    def decide() -> Explained:
        storage = _storage_then(rewinding, rows)
        # It may have been resized since: what was asked for then is in its event.
        made = replace(current, avoid=avoid, size_bytes=int(event.changes["size_bytes"][1]))
        return _explain_drive(
            storage,
            made,
            settings=asked.cloud.settings,
            at=asked.mark.at,
            visible_to=visible_to,
            source_id=source_id,
            mark=asked.mark,
        )

    return await asyncio.to_thread(decide)


def _storage_then(rewinding: Rewinding, rows: _Rows) -> _Storage:
    used = {load.host.name: load.used_bytes for load in rows.storage.loads}
    held = {load.host.name: set(load.drives) for load in rows.storage.loads}
    known = dict(rows.storage.drives)
    for id in rewinding.touched("drive"):
        current = rows.drives.get(id)
        was = rewinding.drive(id, current)
        if current is not None:
            used[current.host] -= current.size_bytes
            held[current.host].discard(id)
        known.pop(id, None)
        if was is not None:
            used[was.host] += was.size_bytes
            held[was.host].add(id)
            known[id] = was
    loads = [
        StorageLoad(host, used[host.name], frozenset(held[host.name]))
        for load in rows.storage.loads
        if (host := rewinding.host(load.host.name, load.host)) is not None and host.kind is HostKind.STORAGE
    ]
    return _Storage(loads, known, rows.storage.names)
