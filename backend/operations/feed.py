"""What has changed since: events by cursor, and the rows that they changed.

A cursor is an opaque vector of event numbers, one a file. Order is exact within a file and by (instant, file, number)
across. A cell that was silent delivers its own later: its part of the cursor stands still meanwhile.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from backend.cloud.errors import Forgotten, Invalid
from backend.cloud.model import Account, Drive, Event, Server
from backend.operations import Cloud
from backend.store import CellTransaction, CloudTransaction, LogBeginning, Transaction

CLOUD_FILE = "cloud"
EVENT_NUMBER_MAX = 2**63 - 1
"""The largest number that a file can hold."""
Cursor = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Changes:
    cursor: str
    events: list[Event]
    servers: list[Server]
    drives: list[Drive]
    removed: list[str]
    """Ids of servers and drives that are gone."""
    is_more: bool
    """Whether asking again now would answer with more at once."""


def encode(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(dict(cursor), option=orjson.OPT_SORT_KEYS)).decode().rstrip("=")


def decode(text: str) -> dict[str, int]:
    """Raises Invalid for what is no cursor of ours."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError) as problem:
        raise Invalid("after", "is not a cursor of this cloud; begin again with a list") from problem
    if not isinstance(found, dict) or not all(
        type(number) is int and 0 <= number <= EVENT_NUMBER_MAX for number in found.values()
    ):
        raise Invalid("after", "is not a cursor of this cloud; begin again with a list")
    return found


async def cursor_now(cloud: Cloud) -> str:
    """The position behind everything that has happened. Take it before reading rows, never after."""
    numbers = await cloud.store.each_cell(lambda tx: tx.last_event_number())
    cursor = {cell: number for cell, number in numbers.items() if isinstance(number, int)}
    cursor[CLOUD_FILE] = await cloud.store.cloud_read(lambda tx: tx.last_event_number())
    return encode(cursor)


@dataclass(frozen=True, slots=True)
class _Part:
    events: list[Event]
    servers: list[Server]
    drives: list[Drive]
    removed: list[str]
    beginning: LogBeginning


def _check_kept(number: int, beginning: LogBeginning) -> None:
    """Raises Forgotten for a place in a file before the beginning of its log."""
    if number < beginning.number:
        raise Forgotten("The cursor", beginning.at)


async def changes(cloud: Cloud, actor: Account, after: str, *, limit: int = 1000) -> Changes:
    """Everything after the cursor, at most `limit` events a file. Rows are as they are now, not as they were then.

    Raises:
        Invalid: a cursor that is not ours.
        Forgotten: one from before the beginning of the log of a cell that answers.
    """
    cursor = decode(after)
    parts = await cloud.store.each_cell(lambda tx: _read(tx, cursor.get(tx.cell, 0), limit))
    central = await cloud.store.cloud_read(lambda tx: _read_central(tx, cursor.get(CLOUD_FILE, 0), limit))
    moved = dict(cursor)
    events: list[Event] = []
    servers: list[Server] = []
    drives: list[Drive] = []
    removed: list[str] = []
    is_more = False
    for file, part in [*parts.items(), (CLOUD_FILE, central)]:
        if not isinstance(part, _Part):
            continue
        _check_kept(cursor.get(file, 0), part.beginning)
        if not part.events:
            continue
        moved[file] = part.events[-1].number
        is_more = is_more or len(part.events) == limit
        visible = {server.id for server in part.servers if actor.may_see(server.project_id)}
        visible |= {drive.id for drive in part.drives if actor.may_see(drive.project_id)}
        events.extend(event for event in part.events if actor.is_staff or event.object_id in visible)
        servers.extend(server for server in part.servers if server.id in visible)
        drives.extend(drive for drive in part.drives if drive.id in visible)
        gone = {event.object_id for event in part.events if actor.may_see(_last_project(event))}
        removed.extend(id for id in part.removed if actor.is_staff or id in gone)
    events.sort(key=lambda event: (event.at, event.file, event.number))
    return Changes(encode(moved), events, servers, drives, removed, is_more)


def _last_project(event: Event) -> str:
    """Whose the object was that this event says is gone; of any other event, and where it does not say, nobody's."""
    project_id, _ = event.changes.get("project_id", ("", None))
    return str(project_id) if event.kind.endswith(".deleted") else ""


def _read(tx: CellTransaction, after: int, limit: int) -> _Part:
    events = tx.events(after=after, limit=limit)
    server_ids = {event.object_id for event in events if event.object_kind == "server"}
    drive_ids = {event.object_id for event in events if event.object_kind == "drive"}
    servers = tx.servers(server_ids)
    drives = tx.drives(drive_ids)
    removed = sorted((server_ids - servers.keys()) | (drive_ids - drives.keys()))
    return _Part(events, list(servers.values()), list(drives.values()), removed, tx.log_beginning())


def _read_central(tx: CloudTransaction, after: int, limit: int) -> _Part:
    return _Part(tx.events(after=after, limit=limit), [], [], [], tx.log_beginning())


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since a cursor: kinds of objects and their ids, each once, in the order of their last change."""

    cursor: str
    objects: list[tuple[str, str]]
    is_more: bool
    """Whether asking again now would answer with more at once."""


async def news(cloud: Cloud, actor: Account, after: str, *, limit: int = 1000) -> News:
    """Of what the account may see, wherever it lies, and of what is gone. Raises as `changes`."""
    cursor = decode(after)

    def look(tx: CellTransaction) -> tuple[list[Event], set[str], LogBeginning]:
        part = _read(tx, cursor.get(tx.cell, 0), limit)
        seen = {server.id for server in part.servers if actor.may_see(server.project_id)}
        seen |= {drive.id for drive in part.drives if actor.may_see(drive.project_id)}
        return part.events, seen, part.beginning

    def look_centrally(tx: CloudTransaction) -> tuple[list[Event], set[str], LogBeginning]:
        events = tx.events(after=cursor.get(CLOUD_FILE, 0), limit=limit)
        return events, _seen_centrally(tx, actor, events), tx.log_beginning()

    answers = await cloud.store.each_cell(look)
    parts = {cell: answer for cell, answer in answers.items() if isinstance(answer, tuple)}
    parts[CLOUD_FILE] = await cloud.store.cloud_read(look_centrally)
    moved = dict(cursor)
    told: list[Event] = []
    is_more = False
    for file, (events, seen, beginning) in parts.items():
        _check_kept(cursor.get(file, 0), beginning)
        if events:
            moved[file] = events[-1].number
            is_more = is_more or len(events) == limit
        told += [event for event in events if event.object_id in seen or actor.may_see(_last_project(event))]
    told.sort(key=lambda event: (event.at, event.file, event.number))
    objects = {(event.object_kind, event.object_id): None for event in reversed(told)}
    return News(encode(moved), list(reversed(objects)), is_more)


def _seen_centrally(tx: CloudTransaction, actor: Account, events: Iterable[Event]) -> set[str]:
    by_kind: dict[str, set[str]] = {}
    for event in events:
        by_kind.setdefault(event.object_kind, set()).add(event.object_id)
    seen = {actor.id} & (by_kind.get("profile", set()) | by_kind.get("account", set()))
    for kind, ids in by_kind.items():
        if kind in OWNED_KINDS:
            seen |= {id for id, project in tx.projects_of_owned(kind, ids).items() if actor.may_see(project)}
        elif kind == "server":
            seen |= {entry.id for entry in tx.server_entries(ids=ids) if actor.may_see(entry.project_id)}
    return seen


OWNED_KINDS = ("tag", "address", "vlan", "firewall_policy", "key_pair", "snapshot")
"""Of what lies centrally and belongs to a project."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: an instant, all of it; or one event of that instant."""

    at: datetime
    file: str | None = None
    number: int = EVENT_NUMBER_MAX

    def within(self, file: str) -> tuple[datetime, int]:
        """The same place in one file: what is at or before it there has (at, number) <= this."""
        if self.file is None or file < self.file:
            return self.at, EVENT_NUMBER_MAX
        return self.at, self.number if file == self.file else 0


@dataclass(frozen=True, slots=True)
class Told:
    """Events, the newest last, and what their objects are called: a backup goes by its server's name."""

    events: list[Event]
    names: Mapping[str, str]


async def told_events(
    cloud: Cloud,
    actor: Account,
    *,
    limit: int,
    object_id: str | None = None,
    until: Position | None = None,
    since: Position | None = None,
    and_of: frozenset[str] = frozenset(),
) -> Told:
    """The newest events at or before `until`, or the oldest ones behind `since`; without either, the newest.

    Of all files that answer, by (instant, file, number), the newest last; of one object if it is named. The cost
    follows the limit and the number of files, not the log. `and_of` are ids that the account may see besides.
    """
    visible = None if actor.is_staff else await _visible_ids(cloud, actor) | and_of

    def find(tx: Transaction) -> list[Event]:
        if until is None and since is None and object_id is None and visible is None:
            first = max(tx.log_beginning().number, tx.last_event_number() - limit)
            return tx.events(after=first, limit=limit)
        place = since or until or _LAST
        return tx.events_at(
            place.within(tx.file), is_behind=since is not None, limit=limit, object_id=object_id, objects=visible
        )

    def find_in_cell(tx: CellTransaction) -> tuple[list[Event], dict[str, str]]:
        found = find(tx)
        return found, _names(tx, found)

    def find_centrally(tx: CloudTransaction) -> tuple[list[Event], dict[str, str], dict[str, str]]:
        found = find(tx)
        return found, *_owners(tx, found)

    answers = await cloud.store.each_cell(find_in_cell)
    central, names, owners = await cloud.store.cloud_read(find_centrally)
    parts = [answer for answer in answers.values() if isinstance(answer, tuple)]
    events = [event for found, _ in parts for event in found] + central
    events.sort(key=lambda event: (event.at, event.file, event.number))
    names |= {id: name for _, known in parts for id, name in known.items()}
    if owners:
        found_servers = await cloud.store.each_cell(lambda tx: tx.servers(owners.values()))
        called = {id: each.name for answer in found_servers.values() if isinstance(answer, dict)
                  for id, each in answer.items()}  # fmt: skip
        names |= {id: called[server_id] for id, server_id in owners.items() if server_id in called}
    return Told(events[:limit] if since is not None else events[-limit:], names)


_LAST = Position(datetime.max.replace(tzinfo=UTC))


async def _visible_ids(cloud: Cloud, actor: Account) -> frozenset[str]:
    """Whose events an account may see: servers and drives of its projects."""
    from backend.operations.servers import projects_of

    def find(tx: CloudTransaction) -> list[str]:
        servers = tx.server_entries(projects=projects_of(actor), is_backfilling=None)
        drives = tx.drive_entries(projects=projects_of(actor))
        central = tx.owned_ids(actor.projects_read)
        return [entry.id for entry in servers] + [entry.id for entry in drives] + central

    return frozenset(await cloud.store.cloud_read(find))


def _names(tx: CellTransaction, events: Iterable[Event]) -> dict[str, str]:
    """What servers and drives are called; of those that are gone, what they were called last."""
    ids = {event.object_id for event in events if event.object_kind in ("server", "drive")}
    names = {**{id: server.name for id, server in tx.servers(ids).items()},
             **{id: drive.name for id, drive in tx.drives(ids).items()}}  # fmt: skip
    names |= {id: str(name) for id in ids - names.keys() if (name := _last_value(tx, id, "name")) is not None}
    return names


def _owners(tx: CloudTransaction, events: Iterable[Event]) -> tuple[dict[str, str], dict[str, str]]:
    """Backups and schedules have no name of their own: the names that backups know, and the servers of the others."""
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for id, kind in {(event.object_id, event.object_kind) for event in events}:
        if kind not in ("backup", "schedule"):
            continue
        backup, schedule = (tx.find_backup(id), None) if kind == "backup" else (None, tx.find_schedule(id))
        if backup is not None and backup.source_name:
            names[id] = backup.source_name
            continue
        found = backup or schedule
        source_id = found.source_id if found is not None else _last_value(tx, id, "source_id")
        if source_id is not None:
            owners[id] = str(source_id)
    return names, owners


def _last_value(tx: Transaction, object_id: str, field: str) -> Any:
    """What a field of something that is gone was in the end; None where its log does not end with that."""
    newest = tx.events_of(object_id, limit=1)
    is_gone = bool(newest) and newest[0].kind.endswith(".deleted")
    return newest[0].changes.get(field, (None, None))[0] if is_gone else None
