"""What has changed since: events by cursor, and the rows that they changed.

A cursor is an opaque vector of event numbers, one a file. Order is exact within a file and by (instant, file, number)
across. A cell that was silent delivers its own later: its part of the cursor stands still meanwhile.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from backend.cloud.errors import Invalid
from backend.cloud.model import Account, Drive, Event, Server
from backend.operations import Cloud
from backend.store import CellTransaction, CloudTransaction, Transaction

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


async def changes(cloud: Cloud, actor: Account, after: str, *, limit: int = 1000) -> Changes:
    """Everything after the cursor, at most `limit` events a file. Rows are as they are now, not as they were then.

    Raises:
        Invalid: a cursor that is not ours.
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
        if not isinstance(part, _Part) or not part.events:
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
    return _Part(events, list(servers.values()), list(drives.values()), removed)


def _read_central(tx: CloudTransaction, after: int, limit: int) -> _Part:
    return _Part(tx.events(after=after, limit=limit), [], [], [])


async def latest_events(cloud: Cloud, actor: Account, *, limit: int, object_id: str | None = None) -> list[Event]:
    """The newest events of all files that answer, oldest of them first; of one object if it is named."""

    def find(tx: Transaction) -> list[Event]:
        if object_id is not None:
            return tx.events_of(object_id, limit=limit)
        newest = tx.last_event_number()
        return tx.events(after=max(0, newest - limit), limit=limit)

    answers = await cloud.store.each_cell(find)
    found = [event for answer in answers.values() if isinstance(answer, list) for event in answer]
    found += await cloud.store.cloud_read(find)
    if not actor.is_staff:
        from backend.operations.servers import projects_of

        entries = await cloud.store.cloud_read(
            lambda tx: (
                [entry.id for entry in tx.server_entries(projects=projects_of(actor), is_backfilling=None)]
                + [entry.id for entry in tx.drive_entries(projects=projects_of(actor))]
            )
        )
        visible = frozenset(entries)
        found = [event for event in found if event.object_id in visible]
    found.sort(key=lambda event: (event.at, event.file, event.number))
    return found[-limit:]
