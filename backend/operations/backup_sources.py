"""What can be backed up: a server, and all servers of a project or of a customer. Another kind joins `KINDS`.

A source is known centrally, so that what lies in a cell that does not answer is still seen and refused by name. What it
holds is read from the cells: the servers with their drives as they are at the instant.

While a cell does not answer that holds a part of a source, or a part of it starts or stops, nothing of it is copied:
it is waited for. A part that is broken, whose host or drive is lost, is left out by name, so that one such server does
not leave the rest of its project without a backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.cloud.errors import Forbidden, NotFound
from backend.cloud.model import (
    CUSTOMER,
    PROJECT,
    SERVER,
    Account,
    Drive,
    DriveState,
    Server,
    ServerState,
)
from backend.operations import Cloud, servers
from backend.store import CloudTransaction, DriveEntry, ServerEntry

SETTLED = (ServerState.RUNNING, ServerState.STOPPED)
"""**Source**: NodeConductor: a backup is made of what is Online or Offline."""

SETTLING = (ServerState.STARTING, ServerState.STOPPING)
"""States that end by themselves."""

NAMES_SAID_MAX = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """A source as it is known centrally."""

    kind: str
    id: str
    name: str | None
    """None of a server, which only its cell knows the name of."""
    project_id: str
    """Of a customer: empty."""
    projects: tuple[str, ...]
    """Whose objects it holds."""

    def is_seen_by(self, actor: Account) -> bool:
        """Of a customer: by who sees all that it has."""
        return actor.is_staff or (bool(self.projects) and all(actor.may_see(each) for each in self.projects))

    def is_changed_by(self, actor: Account) -> bool:
        return actor.is_staff or (bool(self.projects) and all(actor.may_change(each) for each in self.projects))


class SourceKind(Protocol):
    """One kind of source. What it says comes from cloud.db alone."""

    def find(self, tx: CloudTransaction, id: str) -> Scope | None: ...

    def servers(self, tx: CloudTransaction, id: str) -> list[ServerEntry]:
        """What a backup of it consists of, by (created_at, id)."""


class _OneServer:
    def find(self, tx: CloudTransaction, id: str) -> Scope | None:
        entry = tx.find_server_entry(id)
        if entry is None or entry.state == "deleting":
            return None
        return Scope(SERVER, id, None, entry.project_id, (entry.project_id,))

    def servers(self, tx: CloudTransaction, id: str) -> list[ServerEntry]:
        entry = tx.find_server_entry(id)
        return [] if entry is None or entry.state == "deleting" else [entry]


class _Project:
    def find(self, tx: CloudTransaction, id: str) -> Scope | None:
        found = next((project for project in tx.projects() if project.id == id), None)
        return None if found is None else Scope(PROJECT, id, found.name, id, (id,))

    def servers(self, tx: CloudTransaction, id: str) -> list[ServerEntry]:
        return tx.server_entries(projects=frozenset({id}), states=("active",))


class _Customer:
    def find(self, tx: CloudTransaction, id: str) -> Scope | None:
        name = tx.customers().get(id)
        projects = tuple(project.id for project in tx.projects() if project.customer_id == id)
        return None if name is None else Scope(CUSTOMER, id, name, "", projects)

    def servers(self, tx: CloudTransaction, id: str) -> list[ServerEntry]:
        projects = frozenset(project.id for project in tx.projects() if project.customer_id == id)
        return tx.server_entries(projects=projects, states=("active",)) if projects else []


KINDS: Mapping[str, SourceKind] = {SERVER: _OneServer(), PROJECT: _Project(), CUSTOMER: _Customer()}


def find(tx: CloudTransaction, kind: str, id: str) -> Scope | None:
    return KINDS[kind].find(tx, id)


def get(tx: CloudTransaction, actor: Account, kind: str, id: str, *, to_change: bool = False) -> Scope:
    """Raises NotFound, also for what the account may not see; Forbidden."""
    found = find(tx, kind, id)
    if found is None or not found.is_seen_by(actor):
        raise NotFound(kind, id)
    if to_change and not found.is_changed_by(actor):
        raise Forbidden(f"change the backups of this {kind}", "this account may only look at it")
    return found


class Owned(Protocol):
    """A backup or a schedule: what it is of may be gone, and whose it is stays."""

    @property
    def source_kind(self) -> str: ...
    @property
    def source_id(self) -> str: ...
    @property
    def project_id(self) -> str: ...


def _scope_of(tx: CloudTransaction, thing: Owned) -> Scope | None:
    if thing.project_id:
        return Scope(thing.source_kind, thing.source_id, None, thing.project_id, (thing.project_id,))
    return find(tx, thing.source_kind, thing.source_id)


def check_may_see(tx: CloudTransaction, actor: Account, thing: Owned, what: tuple[str, str]) -> None:
    """Raises NotFound of `what`, its kind and id, where the account may not see it."""
    scope = _scope_of(tx, thing)
    if scope is None or not scope.is_seen_by(actor):
        raise NotFound(*what)


def check_may_change(tx: CloudTransaction, actor: Account, thing: Owned, what: tuple[str, str]) -> None:
    """Raises NotFound, Forbidden."""
    check_may_see(tx, actor, thing, what)
    scope = _scope_of(tx, thing)
    if scope is None or not scope.is_changed_by(actor):
        raise Forbidden(f"change the {what[0]}", "this account may only look at it")


def scope_of_server(server: Server) -> Scope:
    return Scope(SERVER, server.id, server.name, server.project_id, (server.project_id,))


# --- what is in it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """What one backup copies: the server and its drives, as they are at the instant."""

    server: Server
    drives: tuple[Drive, ...]

    @property
    def size_bytes(self) -> int:
        return sum(drive.size_bytes for drive in self.copied)

    @property
    def copied(self) -> tuple[Drive, ...]:
        """Simplified: what lies in a cdrom can be had again, and is not copied."""
        return tuple(drive for drive in self.drives if drive.media == "disk")

    @property
    def cells(self) -> list[str]:
        return sorted({self.server.cell, *(drive.cell for drive in self.drives)})

    @property
    def problem(self) -> str | None:
        """Why it should not be copied now; None when it may be."""
        if self.server.state not in SETTLED:
            return f"server {self.server.name} is {self.server.state}"
        lost = next((drive for drive in self.copied if drive.state is DriveState.UNAVAILABLE), None)
        return None if lost is None else f"drive {lost.name} of server {self.server.name} is unavailable"


@dataclass(frozen=True, slots=True)
class Reading:
    """A source as it was just found."""

    scope: Scope
    parts: tuple[Source, ...]
    silent: tuple[str, ...] = ()
    """The cells that would have to answer first."""

    @property
    def problem(self) -> str | None:
        """Why no backup of it can be made now; None when one can."""
        if self.silent:
            return f"{' and '.join(self.silent)} {'does' if len(self.silent) == 1 else 'do'} not answer"
        if not self.parts:
            return "it has no servers"
        settling = [part for part in self.parts if part.server.state in SETTLING]
        if settling or not self.copied:
            return _said([part.problem for part in settling or self.parts if part.problem is not None])
        return None

    @property
    def copied(self) -> tuple[Source, ...]:
        """The parts that nothing is wrong with."""
        return tuple(part for part in self.parts if part.problem is None)

    def bytes_by_project(self) -> dict[str, int]:
        """What a copy of it takes, of whose quota."""
        sizes: dict[str, int] = {}
        for part in self.copied:
            project_id = part.server.project_id
            sizes[project_id] = sizes.get(project_id, 0) + part.size_bytes
        return dict(sorted(sizes.items()))

    @property
    def left_out(self) -> str | None:
        """What is wrong with the others; None where there are none."""
        problems = [part.problem for part in self.parts if part.problem is not None]
        return _said(problems) if problems else None

    @classmethod
    def of_server(cls, source: Source) -> Reading:
        return cls(scope_of_server(source.server), (source,))


def _said(problems: Sequence[str]) -> str:
    more = f", and {len(problems) - NAMES_SAID_MAX} more" if len(problems) > NAMES_SAID_MAX else ""
    return ", ".join(problems[:NAMES_SAID_MAX]) + more


Central = tuple[Scope, list[tuple[ServerEntry, list[DriveEntry]]]]


def _central(tx: CloudTransaction, kind: str, id: str) -> Central | None:
    scope = find(tx, kind, id)
    if scope is None:
        return None
    return scope, [(entry, tx.drive_entries_of(entry.id)) for entry in KINDS[kind].servers(tx, id)]


async def read(cloud: Cloud, kind: str, id: str) -> Reading | None:
    """None when it is gone."""
    return (await read_all(cloud, [(kind, id)]))[0]


async def read_all(cloud: Cloud, wanted: Sequence[tuple[str, str]]) -> list[Reading | None]:
    """In their order. Each cell is asked once, for all of them."""
    known = await cloud.store.cloud_read(lambda tx: [_central(tx, kind, id) for kind, id in wanted])
    entries = [pair for each in known if each is not None for pair in each[1]]
    found = await _read_cells(cloud, entries)
    return [None if each is None else _reading(each, found) for each in known]


@dataclass(frozen=True, slots=True)
class _Found:
    servers: Mapping[str, Server]
    drives: Mapping[str, Drive]
    silent: frozenset[str]


async def _read_cells(cloud: Cloud, entries: Iterable[tuple[ServerEntry, list[DriveEntry]]]) -> _Found:
    wanted_servers: dict[str, list[str]] = {}
    wanted_drives: dict[str, list[str]] = {}
    for server, attached in entries:
        wanted_servers.setdefault(server.cell, []).append(server.id)
        for drive in attached:
            wanted_drives.setdefault(drive.cell, []).append(drive.id)
    answers = await cloud.store.each_cell(
        lambda tx: (tx.servers(wanted_servers.get(tx.cell, ())), tx.drives(wanted_drives.get(tx.cell, ()))),
        cells=wanted_servers.keys() | wanted_drives.keys(),
    )
    found_servers: dict[str, Server] = {}
    found_drives: dict[str, Drive] = {}
    for answer in answers.values():
        if isinstance(answer, tuple):
            found_servers |= answer[0]
            found_drives |= answer[1]
    silent = frozenset(cell for cell, answer in answers.items() if not isinstance(answer, tuple))
    return _Found(found_servers, found_drives, silent)


def _reading(central: Central, found: _Found) -> Reading:
    scope, entries = central
    silent: set[str] = set()
    parts = []
    for entry, attached in entries:
        silent |= {entry.cell, *(drive.cell for drive in attached)} & found.silent
        server = found.servers.get(entry.id)
        if server is not None:
            parts.append(
                Source(server, tuple(found.drives[drive.id] for drive in attached if drive.id in found.drives))
            )
    return Reading(scope, tuple(parts), tuple(sorted(silent)))


async def names_of(cloud: Cloud, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What sources are called, by kind and id: servers as far as their cells answer, the others centrally."""
    pairs = set(wanted)
    ids = [id for kind, id in pairs if kind == SERVER]
    names = {(SERVER, id): name for id, name in (await servers.names_of(cloud, ids)).items()} if ids else {}

    def others(tx: CloudTransaction) -> dict[tuple[str, str], str]:
        found = {pair: find(tx, *pair) for pair in pairs if pair[0] != SERVER}
        return {pair: scope.name for pair, scope in found.items() if scope is not None and scope.name is not None}

    return names | await cloud.store.cloud_read(others)


def cells_of(tx: CloudTransaction, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Where sources live as far as their servers do, by kind and id; by name."""
    pairs = set(wanted)
    entries = tx.server_entries(ids={id for kind, id in pairs if kind == SERVER})
    found: dict[tuple[str, str], tuple[str, ...]] = {(SERVER, entry.id): (entry.cell,) for entry in entries}
    for kind, id in pairs:
        if kind != SERVER:
            scope = find(tx, kind, id)
            found[kind, id] = () if scope is None else tuple(tx.cells_of_projects(scope.projects))
    return found


def visible_projects(tx: CloudTransaction, actor: Account) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """The projects whose sources the account sees, and the customers it sees whole; None: all."""
    projects = servers.projects_of(actor)
    if projects is None:
        return None, None
    by_customer: dict[str, set[str]] = {}
    for project in tx.projects():
        by_customer.setdefault(project.customer_id, set()).add(project.id)
    return projects, frozenset(customer for customer, own in by_customer.items() if own <= projects)
