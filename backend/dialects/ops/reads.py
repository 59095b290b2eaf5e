"""The GET endpoints of `/ops/v1`."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import orjson

from backend.cloud import backfill
from backend.cloud.backfill import HostLoad
from backend.cloud.errors import Invalid, NotFound
from backend.cloud.model import (
    NOTHING,
    Drive,
    HostState,
    PartialDrive,
    PartialServer,
    ReachabilityState,
    Server,
    Size,
    Task,
)
from backend.dialects import wire
from backend.dialects.ops import backing, billing, bodies, document, networks, render, schema
from backend.dialects.ops.bodies import (
    ChangesQuery,
    DrivesQuery,
    EventsQuery,
    NoBody,
    NoQuery,
    ServersQuery,
    TasksQuery,
)
from backend.dialects.ops.log_places import position_of
from backend.dialects.ops.room import capacity_row
from backend.dialects.ops.schema import CellRow, EventRow, GroupRow, HostRow
from backend.dialects.ops.table import Answer, Call, TQuery
from backend.dialects.wire import INTEGER_MAX, instant_text, instant_text_or_none
from backend.operations import (
    Cloud,
    accounts,
    backup_previews,
    billing_views,
    cells,
    drives,
    feed,
    groups,
    hosts,
    last_known,
    schedules,
    servers,
    tasks,
)
from backend.operations.capacity import what_fits
from backend.operations.cells import CellView
from backend.operations.hosts import HostView
from backend.store import PageRow, Store

NO_SIZE = render.size_row(NOTHING)


async def _kept(call: Call[TQuery, NoBody], make: Callable[[Call[TQuery, NoBody]], Awaitable[Any]]) -> Answer:
    """An answer that depends on nothing but the cloud, who asks, and the query."""
    key = (make, call.account, call.query)
    return Answer(await call.context.answers.of(key, lambda: wire.json_of(lambda: make(call))))


# ---------------------------------------------------------------------------------------------- the cloud as a whole


async def hello(call: Call[NoQuery, NoBody]) -> Answer:
    store = call.cloud.store
    return Answer(
        {
            "cloud_id": store.cloud_id,
            "kind": store.kind,
            "version": document.version_of_project(),
            "clock": render.clock_row(call.cloud.clock),
            "account": render.account_row(call.account),
        }
    )


async def openapi(call: Call[NoQuery, NoBody]) -> Answer:
    return Answer(call.context.document())


async def clock(call: Call[NoQuery, NoBody]) -> Answer:
    return Answer(render.clock_row(call.cloud.clock))


async def list_accounts(call: Call[NoQuery, NoBody]) -> Answer:
    found = await accounts.list_accounts(call.cloud, call.account)
    return Answer({"accounts": [render.account_row(account) for account in found]})


async def status(call: Call[NoQuery, NoBody]) -> Answer:
    """Everything that changes by itself and is small: what a console asks for each second."""
    cloud, account, pictures = call.cloud, call.account, call.context.pictures
    views, found_groups, listing, found_schedules, short = await asyncio.gather(
        cells.list_cells(cloud, pictures),
        groups.list_groups(cloud, account, pictures),
        tasks.list_tasks(cloud, account, is_open=True, limit=1),
        schedules.notable_schedules(cloud, account),
        billing_views.short_of_money(cloud, account),
    )
    capacity = await what_fits(cloud, pictures) if account.is_staff else None
    rows = [await _cell_row(call, view) for view in views]
    return Answer(
        {
            "clock": render.clock_row(cloud.clock),
            "cells": rows,
            "capacity": capacity_row(capacity) if capacity else None,
            "groups": [group_row(group) for group in found_groups],
            "tasks": {
                "open": listing.open,
                "ended": listing.ended,
                "waiting": sum(row["waiting_tasks"] or 0 for row in rows),
            },
            "schedules": [backing.schedule_row(view) for view in found_schedules],
            "accounts_seen": len(await cloud.accounts()) if account.is_staff else 1,
            "short_of_money": [billing.short_row(each) for each in short],
            "full_files": list(cloud.store.full_files()) if account.is_staff else [],
        }
    )


# -------------------------------------------------------------------------------------------------- cells and hosts


async def list_cells(call: Call[NoQuery, NoBody]) -> Answer:
    views = await cells.list_cells(call.cloud, call.context.pictures)
    return Answer({"cells": [await _cell_row(call, view) for view in views]})


async def cell_row(call: Call[Any, Any], name: str) -> CellRow:
    """One cell as it is now. Raises NotFound."""
    views = await cells.list_cells(call.cloud, call.context.pictures)
    found = next((view for view in views if view.name == name), None)
    if found is None:
        raise NotFound("cell", name)
    return await _cell_row(call, found)


async def _cell_row(call: Call[Any, Any], view: CellView) -> CellRow:
    """Staff sees all of a cell; other accounts its name and whether it answers."""
    reachability = view.reachability
    is_up = reachability.state is ReachabilityState.UP
    is_staff = call.account.is_staff
    # What was open when the cell was last heard of; a cell that answers keeps nobody waiting.
    waiting = 0 if is_up else await last_known.open_tasks(call.cloud, view.name)
    at_risk = await backup_previews.servers_at_risk(call.cloud, now=call.cloud.clock.now()) if is_staff else {}

    def size(value: Size) -> schema.SizeRow | None:
        return render.size_row(value) if is_staff else None

    return {
        "name": view.name,
        "state": render.reachability_word(reachability.state),
        "reason": reachability.reason,
        "since": instant_text(reachability.since),
        "is_injected": reachability.is_injected,
        "answer_ms": reachability.answer_ms,
        "answered_at": instant_text_or_none(reachability.answered_at),
        "next_try_seconds": reachability.next_try_seconds,
        "history": [state.value for state in reachability.history],
        "hosts": view.hosts if is_staff else None,
        "servers": view.servers if is_staff else None,
        "unknown": (0 if is_up else view.servers) if is_staff else None,
        "waiting_tasks": waiting if is_staff else None,
        "backups_at_risk": at_risk.get(view.name),
        "capacity": size(view.hosts_up.capacity) if view.hosts_up else None,
        "normal": size(view.hosts_up.normal) if view.hosts_up else None,
        "backfilling": size(view.hosts_up.backfilling) if view.hosts_up else None,
        "free": size(view.hosts_up.free) if view.hosts_up else None,
    }


async def list_hosts(call: Call[NoQuery, NoBody]) -> Answer:
    return await _kept(call, _list_hosts)


async def _list_hosts(call: Call[NoQuery, NoBody]) -> dict[str, Any]:
    level = call.cloud.settings.start_level_permille
    views = await hosts.list_hosts(call.cloud, call.context.pictures)
    return {"hosts": [_host_row(view, level) for view in views]}


async def host_row(call: Call[Any, Any], name: str) -> HostRow:
    """One host as it is now. Raises NotFound."""
    view = await hosts.find_host(call.cloud, call.context.pictures, name)
    return _host_row(view, call.cloud.settings.start_level_permille)


def _host_row(view: HostView, start_level_permille: int) -> HostRow:
    load, host = view.load, view.load.host
    row: HostRow = {
        "name": host.name,
        "cell": host.cell,
        "kind": render.kind_word(host.kind),
        "state": render.host_word(host.state),
        "state_since": instant_text_or_none(host.state_since),
        "cpu_mhz": host.capacity.cpu_mhz,
        "memory_bytes": host.capacity.memory_bytes,
        "storage_bytes": host.storage_bytes,
        "normal": NO_SIZE,
        "backfilling": NO_SIZE,
        "backfilling_nominal": NO_SIZE,
        "free": NO_SIZE,
        "servers": 0,
        "drives": 0,
        "used_bytes": 0,
        "version": host.version,
        "reachable": view.is_current,
    }
    if isinstance(load, HostLoad):
        row["normal"] = render.size_row(load.normal)
        row["backfilling"] = render.size_row(cells.effective_backfilling(load))
        row["backfilling_nominal"] = render.size_row(load.nominal_backfill)
        row["servers"] = len(load.servers)
        if host.state is HostState.UP:
            free = backfill.free_for_backfilling(load, start_level_permille=start_level_permille)
            row["free"] = render.size_row(free)
    else:
        row["drives"] = len(load.drives)
        row["used_bytes"] = load.used_bytes
    return row


async def list_groups(call: Call[NoQuery, NoBody]) -> Answer:
    found = await groups.list_groups(call.cloud, call.account, call.context.pictures)
    return Answer({"groups": [group_row(group) for group in found]})


def group_row(group: groups.Group) -> GroupRow:
    found = group.redundancy
    return {
        "name": group.name,
        "members": [
            {
                "id": member.id,
                "name": member.name,
                "cell": member.cell,
                "host": member.host,
                "state": member.state,
                "reachable": member.is_known,
            }
            for member in group.members
        ],
        "needs": group.needs,
        "hosts": found.hosts,
        "collisions": found.collisions,
        "tolerates": found.tolerates,
        "is_bound": found.is_bound,
        "worst_case": found.worst_case,
        "fix": None if group.fix is None else _fix_row(group.fix),
    }


def _fix_row(fix: groups.Fix) -> schema.FixRow:
    return {
        "moves": fix.moves,
        "collisions": fix.collisions,
        "is_fewest": fix.is_fewest,
        "notes": fix.notes,
    }


# ------------------------------------------------------------------------------------------------ servers and drives


def encode_token(content: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def decode_token(text: str | None, kind: Sequence[str]) -> list[Any] | None:
    """What follows `kind` in a token of `encode_token`; None without one. Raises Invalid for one of another list."""
    if text is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or found[: len(kind)] != list(kind) or len(found) == len(kind):
        raise Invalid("after", "is not the `next` of this list")
    return found[len(kind) :]


def _offset_of(text: str | None, kind: Sequence[str]) -> int:
    rest = decode_token(text, kind)
    if rest is None:
        return 0
    if len(rest) != 1 or type(rest[0]) is not int or not 0 <= rest[0] < 2**53:
        raise Invalid("after", "is not the `next` of this list")
    return rest[0]


def server_row(call: Call[Any, Any], server: Server) -> orjson.Fragment:
    return call.context.server_rows.of(server.id, server.version, lambda: render.server_row(server))


def drive_row(call: Call[Any, Any], drive: Drive) -> orjson.Fragment:
    return call.context.drive_rows.of(drive.id, drive.version, lambda: render.drive_row(drive))


async def server_rows(call: Call[Any, Any], found: Iterable[Server | PartialServer]) -> list[Any]:
    """Rows in the same order; those of cells that do not answer with what was last seen of them."""
    items = list(found)
    pictures = await last_known.pictures(call.cloud, [item.id for item in items if isinstance(item, PartialServer)])
    return [
        server_row(call, item) if isinstance(item, Server) else render.partial_server_row(item, pictures.get(item.id))
        for item in items
    ]


async def drive_rows(call: Call[Any, Any], found: Iterable[Drive | PartialDrive]) -> list[Any]:
    items = list(found)
    pictures = await last_known.pictures(call.cloud, [item.id for item in items if isinstance(item, PartialDrive)])
    return [
        drive_row(call, item) if isinstance(item, Drive) else render.partial_drive_row(item, pictures.get(item.id))
        for item in items
    ]


async def list_servers(call: Call[ServersQuery, NoBody]) -> Answer:
    """One page over the cells that answer. Those that do not are named; their servers come with `cell=NAME`."""
    return await _kept(call, _list_servers)


async def _list_servers(call: Call[ServersQuery, NoBody]) -> schema.ServerPage:
    query, cloud = call.query, call.cloud
    cursor = await feed.cursor_now(cloud)
    if query.ids is not None:
        wanted = [part.strip() for part in query.ids.split(",") if part.strip()]
        found = await servers.find_servers(cloud, call.account, wanted[: bodies.LIMIT_MAX])
        silent = {item.cell for item in found if isinstance(item, PartialServer)}
        return _server_page(await server_rows(call, found), None, cursor, len(found), silent)
    names = cloud.store.cell_names if query.cell is None else (query.cell,)
    if query.cell is not None and query.cell not in cloud.store.cell_names:
        raise NotFound("cell", query.cell)
    silent = {name for name in names if cloud.store.reachability(name).state is not ReachabilityState.UP}
    if query.state == "unknown" or (query.cell is not None and silent):
        return await _list_unknown(call, sorted(silent), cursor)
    order = "desc" if query.order == "desc" else "asc"
    kind = ("servers", query.sort, order)
    after = decode_token(query.after, kind)
    if after is not None and not (
        len(after) == _KEY_LENGTHS[query.sort] and all(isinstance(part, str) for part in after)
    ):
        raise Invalid("after", "is not the `next` of this list")
    projects = servers.projects_of(call.account)
    page = await cloud.store.page_servers(
        sort=query.sort,
        descending=order == "desc",
        after=None if after is None else tuple(after),
        limit=query.limit,
        projects=projects,
        cells=names,
        name_contains=query.name,
        state=query.state,
    )
    next_token = None if page.next_after is None else encode_token([*kind, *page.next_after])
    fragments = call.context.server_rows
    rows = [fragments.of(row.id, row.version, partial(_rendered, cloud.store, row)) for row in page.rows]
    # All of them together are counted by the page, and those of some cells one by one.
    of = None if query.cell is None else names
    total = await cloud.store.cloud_read(
        lambda tx: tx.count_server_entries(projects=projects, cells=of, states=servers.LISTED)
    )
    return _server_page(rows, next_token, cursor, total, page.unreachable)


def _rendered(store: Store, row: PageRow) -> schema.ServerRow:
    return render.server_row(store.server_of(row))


_KEY_LENGTHS = {"name": 2, "state": 3, "created_at": 2}
"""How many texts tell where a page ended."""


async def _list_unknown(call: Call[ServersQuery, NoBody], silent: Sequence[str], cursor: str) -> schema.ServerPage:
    """What is known of the servers of silent cells, in the order of creation; `name` looks at the last known names."""
    query = call.query
    kind = ("unknown", *silent)
    offset = _offset_of(query.after, kind)
    found = [item for cell in silent for item in await servers.list_unreachable(call.cloud, call.account, cell)]
    if query.state not in (None, "unknown"):
        found = []
    if query.name is not None:
        pictures = await last_known.pictures(call.cloud, [item.id for item in found])
        part = query.name.lower()
        found = [item for item in found if item.id in pictures and part in pictures[item.id].server().name.lower()]
    rows = await server_rows(call, found[offset : offset + query.limit])
    end = offset + len(rows)
    next_token = encode_token([*kind, end]) if end < len(found) else None
    return _server_page(rows, next_token, cursor, len(found), silent)


def _server_page(
    rows: list[Any], next_token: str | None, cursor: str, total: int, unreachable: Iterable[str]
) -> schema.ServerPage:
    return {
        "servers": rows,
        "next": next_token,
        "cursor": cursor,
        "total": total,
        "unreachable": sorted(unreachable),
    }


async def get_server(call: Call[NoQuery, NoBody]) -> Answer:
    found = await servers.get_server(call.cloud, call.account, call.path["id"])
    if isinstance(found, PartialServer):
        pictures = await last_known.pictures(call.cloud, [found.id])
        partial = render.partial_server_row(found, pictures.get(found.id))
        return Answer({**partial, "drives": [], "attributes": {}, "nics": await networks.nic_rows(call.cloud, found)})
    attached = await drives.drives_of(call.cloud, [found.id])
    rows = [render.drive_row(drive) for drive in attached.get(found.id, ())]
    nics = await networks.nic_rows(call.cloud, found)
    return Answer({**render.server_row(found), "drives": rows, "attributes": found.attributes, "nics": nics})


async def list_drives(call: Call[DrivesQuery, NoBody]) -> Answer:
    """In the order of creation; drives of silent cells are among them."""
    return await _kept(call, _list_drives)


async def _list_drives(call: Call[DrivesQuery, NoBody]) -> schema.DrivePage:
    query = call.query
    cursor = await feed.cursor_now(call.cloud)
    offset = _offset_of(query.after, ("drives",))
    listing = await drives.list_drives(call.cloud, call.account, offset=offset, limit=query.limit)
    end = offset + query.limit
    silent = {item.cell for item in listing.items if isinstance(item, PartialDrive)}
    return {
        "drives": await drive_rows(call, listing.items),
        "next": encode_token(["drives", end]) if end < listing.total else None,
        "cursor": cursor,
        "total": listing.total,
        "unreachable": sorted(silent),
    }


# ------------------------------------------------------------------------------------------------ what happens in it


def checked_cursor(text: str) -> str:
    """The cursor itself. Raises Invalid for one that the store could not even look up."""
    if any(type(number) is not int or number > INTEGER_MAX for number in feed.decode(text).values()):
        raise Invalid("after", "is not a cursor of this cloud; begin again with a list")
    return text


async def changes(call: Call[ChangesQuery, NoBody]) -> Answer:
    """A bounded long poll: answers when something has changed after the cursor, or when the time is over.

    The wait begins before the feed is read, so that what happens in between is not missed.
    """
    cloud, query = call.cloud, call.query
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.wait_seconds
    after = checked_cursor(query.after)
    while True:
        left = deadline - loop.time()
        news = asyncio.create_task(cloud.changed(max(0.0, left)))
        try:
            found = await feed.changes(cloud, call.account, after, limit=query.limit)
            # Events that the account may not see still move its cursor.
            if found.events or found.servers or found.drives or found.removed or left <= 0 or not await news:
                break
            after = found.cursor
        finally:
            news.cancel()
    for kept in (call.context.server_rows, call.context.drive_rows):
        kept.forget(found.removed)
    changed_cells = {event.object_id for event in found.events if event.object_kind == "cell"}
    rows: list[CellRow] = []
    if changed_cells:
        views = await cells.list_cells(cloud, call.context.pictures)
        rows = [await _cell_row(call, view) for view in views if view.name in changed_cells]
    return Answer(
        {
            "cursor": found.cursor,
            "servers": [server_row(call, server) for server in found.servers],
            "drives": [drive_row(call, drive) for drive in found.drives],
            "removed": found.removed,
            "events": _changed_event_rows(found),
            "cells": rows,
        }
    )


def _changed_event_rows(found: feed.Changes) -> list[EventRow]:
    names = {row.id: row.name for rows in (found.servers, found.drives) for row in rows}
    return [render.event_row(event, names) for event in found.events]


async def list_events(call: Call[EventsQuery, NoBody]) -> Answer:
    """The newest, those at or before an instant, those behind one, or those that follow a cursor; the newest last."""
    query = call.query
    ways = [name for name in ("after", "until", "since") if getattr(query, name) is not None]
    if len(ways) > 1 or (query.after is not None and query.object is not None):
        raise Invalid(ways[1] if len(ways) > 1 else "object", f"cannot be asked for together with `{ways[0]}`")
    if query.after is not None:
        found = await feed.changes(call.cloud, call.account, checked_cursor(query.after), limit=query.limit)
        return Answer(_event_page(call.cloud, _changed_event_rows(found), found.cursor))
    until = None if query.until is None else position_of("until", query.until)
    since = None if query.since is None else position_of("since", query.since)
    cursor = await feed.cursor_now(call.cloud)
    told = await feed.told_events(
        call.cloud, call.account, limit=query.limit, object_id=query.object, until=until, since=since
    )
    return Answer(_event_page(call.cloud, [render.event_row(event, told.names) for event in told.events], cursor))


def _event_page(cloud: Cloud, events: list[EventRow], cursor: str) -> schema.EventPage:
    since = cloud.history_since()
    return {"events": events, "cursor": cursor, "begins_at": None if since is None else wire.exact_instant_text(since)}


async def list_tasks(call: Call[TasksQuery, NoBody]) -> Answer:
    """What is open is due first, first; what has ended is newest first."""
    query = call.query
    wanted = [True, False] if query.state is None else [query.state == "open"]
    listings = await asyncio.gather(
        *(tasks.list_tasks(call.cloud, call.account, is_open=is_open, limit=query.limit) for is_open in wanted)
    )
    listing = listings[0]
    items = [view for each in listings for view in each.items][: query.limit]
    now = call.cloud.clock.now()
    return Answer(
        {
            "tasks": [render.task_row(view.task, now=now, object_name=view.object_name) for view in items],
            "open": listing.open,
            "ended": listing.ended,
            "unreachable": list(listing.unreachable),
        }
    )


def task_row(call: Call[Any, Any], task: Task, object_name: str | None) -> schema.TaskRow:
    """One task as it stands now."""
    return render.task_row(task, now=call.cloud.clock.now(), object_name=object_name)
