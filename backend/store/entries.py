"""What is known centrally, frozen: where things live, who they belong to, what a project uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from backend.cloud.model import Drive, Host, HostKind, ReachabilityState, Server, Size
from backend.store.rows import DRIVE, HOST, SERVER, Row, instant_of, json_of, text_of, words_of

SERVER_ENTRY_COLUMNS = (
    "id, cell, project_id, owner, created_at, cpu_mhz, memory_bytes, is_backfilling, state, flavor, image, zone,"
    " server_group, security_groups"
)
DRIVE_ENTRY_COLUMNS = "id, cell, project_id, owner, created_at, size_bytes, server_id, state"

EntryState = Literal["building", "active", "deleting"]
"""`building`: made, or changed, without its cell having said so yet. It and `deleting` are half-way: recovery finishes
or undoes them when the cell answers."""


GroupPolicy = Literal["anti-affinity", "soft-anti-affinity"]


@dataclass(frozen=True, slots=True)
class CellEntry:
    name: str
    position: int
    injected: ReachabilityState | None
    """DOWN or HUNG while an operator's fault is on."""
    next_sequence: int
    epoch: int
    """Of the newest commit that the cell is known to have acknowledged."""
    mirrored_event: int
    """`last_known` tells of the cell's events up to this number."""
    silent_since: datetime | None
    """Wall time; None where it answered when anybody last looked."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host that a cell has. That is known whether the cell answers or not; what state it is in is not."""

    name: str
    cell: str
    kind: HostKind


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """Where a server lives, and all that is said of it while its cell does not answer."""

    id: str
    cell: str
    project_id: str
    owner: str
    created_at: datetime
    size: Size
    is_backfilling: bool
    state: EntryState = "active"
    flavor: str | None = None
    image: str | None = None
    zone: str | None = None
    server_group: str | None = None
    security_groups: tuple[str, ...] | None = None
    """None: never recorded."""


@dataclass(frozen=True, slots=True)
class DriveEntry:
    """Where a drive lives, and all that is said of it while its cell does not answer."""

    id: str
    cell: str
    project_id: str
    owner: str
    created_at: datetime
    size_bytes: int
    server_id: str | None = None
    state: EntryState = "active"


def server_entry_of(row: Row) -> ServerEntry:
    id_, cell, project_id, owner, created_at, cpu_mhz, memory_bytes, is_backfilling, state, *names, groups = row
    flavor, image, zone, server_group = names
    return ServerEntry(
        id_,
        cell,
        project_id,
        owner,
        instant_of(created_at),
        Size(cpu_mhz, memory_bytes),
        bool(is_backfilling),
        state,
        flavor,
        image,
        zone,
        server_group,
        None if groups is None else words_of(groups),
    )


def drive_entry_of(row: Row) -> DriveEntry:
    id_, cell, project_id, owner, created_at, size_bytes, server_id, state = row
    return DriveEntry(id_, cell, project_id, owner, instant_of(created_at), size_bytes, server_id, state)


def server_entry_row(entry: ServerEntry) -> tuple[Any, ...]:
    return (
        entry.id,
        entry.cell,
        entry.project_id,
        entry.owner,
        text_of(entry.created_at),
        entry.size.cpu_mhz,
        entry.size.memory_bytes,
        int(entry.is_backfilling),
        entry.state,
        entry.flavor,
        entry.image,
        entry.zone,
        entry.server_group,
        None if entry.security_groups is None else json_of(list(entry.security_groups)),
    )


def drive_entry_row(entry: DriveEntry) -> tuple[Any, ...]:
    return (
        entry.id,
        entry.cell,
        entry.project_id,
        entry.owner,
        text_of(entry.created_at),
        entry.size_bytes,
        entry.server_id,
        entry.state,
    )


@dataclass(frozen=True, slots=True)
class Project:
    """`None` in a maximum: no quota."""

    id: str
    name: str
    customer_id: str
    servers_max: int | None = None
    cpu_mhz_max: int | None = None
    memory_bytes_max: int | None = None
    storage_bytes_max: int | None = None


@dataclass(frozen=True, slots=True)
class ServerGroup:
    """Servers that are to be kept on different hosts: all of them, or as far as possible."""

    id: str
    name: str
    project_id: str
    owner: str
    policy: GroupPolicy
    created_at: datetime

    @property
    def is_hard(self) -> bool:
        return self.policy == "anti-affinity"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project has reserved, whether or not the cells answer. Storage is drives and backups."""

    servers: int
    cpu_mhz: int
    memory_bytes: int
    storage_bytes: int


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The last picture of an object. True from `known_at` (wall time) at least until its cell stopped answering."""

    id: str
    object_kind: Literal["server", "drive", "host"]
    cell: str
    known_at: datetime
    picture: Mapping[str, Any]
    """What is not empty, by column."""
    is_of_moment: bool = True
    """False in the past for what was only known later: what it was at the moment nobody can say."""

    def server(self) -> Server:
        return SERVER.of_picture(self.picture, self.cell)

    def host(self) -> Host:
        return HOST.of_picture(self.picture, self.cell)

    def drive(self) -> Drive:
        return DRIVE.of_picture(self.picture, self.cell)


@dataclass(frozen=True, slots=True)
class PageRow:
    """A server of a page. Whoever has shown this version of it already need not make the object."""

    id: str
    version: int
    cell: str
    row: Row

    def server(self) -> Server:
        """Raises DamagedRow. Whoever is not in a lane asks `Store.server_of`, which tells the cell."""
        return SERVER.of(self.row, self.cell)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of servers over the cells."""

    rows: tuple[PageRow, ...]
    next_after: tuple[str, ...] | None
    """What to ask after for the next page: the last row's sort values and id, as text. None on the last page."""
    unreachable: tuple[str, ...]
    """Cells that did not answer: their servers are not among the rows."""
