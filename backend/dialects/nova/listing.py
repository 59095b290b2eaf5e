"""`GET /servers` and `/servers/detail`: one page of what answers, before it what is centrally known of what does not.

    partial rows  of cells that do not answer, from 2.69 on, on the first page, where nothing was asked that is not
                  known of them: only `deleted=False` and the project are applied to them
    pages         over the cells that answer; the last row's id is the marker of the next, never that of a partial row
    sorting       by `created_at` and `display_name` at the cost of the page; by anything else all is read first

What cannot show partial rows leaves those cells out, or fails where the administrator has set that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from backend.cloud.model import Drive, ReachabilityState, Server
from backend.dialects.nova import asking, render
from backend.dialects.nova.asking import Asked
from backend.dialects.nova.render import Shown, View
from backend.dialects.nova.table import NO_CONNECTION, Call, bad_request, unexpected
from backend.dialects.nova.versions import ROOT
from backend.dialects.openstack import id_text
from backend.operations import drives as drive_operations
from backend.operations.servers import LISTED
from backend.store import CloudTransaction, PageRow, ServerEntry, Sort, key_of

Kind = Literal["index", "detail"]

_INDEXED: dict[str, Sort] = {"created_at": "created_at", "display_name": "name"}
"""Sort keys that the cells' files are read by."""

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what answers."""

    rows: Sequence[Shown]
    silent: frozenset[str]
    """The cells that did not answer."""


async def list_brief(call: Call) -> Response:
    return await call.kept(lambda: _list(call, "index"))


async def list_detail(call: Call) -> Response:
    return await call.kept(lambda: _list(call, "detail"))


async def _list(call: Call, kind: Kind) -> dict[str, Any]:
    wanted = await _with_whole_ids(call, asking.asked(call, kind=kind))
    view = view_of(call)
    if wanted.limit == 0:
        return {"servers": []}
    found = await _find(call, wanted)
    if found.silent and not wanted.shows_partial and not call.cloud.settings.list_records_by_skipping_down_cells:
        raise unexpected()
    partial = await _partial(call, wanted, found.silent) if wanted.shows_partial and found.silent else []
    # A cell that fell silent between two reads has its rows already.
    answered = {shown.server.id for shown in found.rows}
    partial = [entry for entry in partial if entry.id not in answered]
    if kind == "index":
        rows: list[Any] = [render.brief_partial(view, entry) for entry in partial]
        rows += [render.brief(view, shown.server.id, shown.server.name) for shown in found.rows]
    else:
        rows = [render.detailed_partial(view, entry) for entry in partial]
        rows += [_kept(call, view, shown) for shown in await _with_drives(call, found.rows)]
    content: dict[str, Any] = {"servers": rows}
    if len(found.rows) == wanted.limit:
        content["servers_links"] = [_next(call, kind, found.rows[-1].server.id)]
    return content


def view_of(call: Call) -> View:
    return View(call.base, call.minor, call.is_admin)


def _next(call: Call, kind: Kind, marker: str) -> dict[str, str]:
    """The same question after the last row: a row of a cell that answers, so it can be followed."""
    query = [(name, value) for name, value in call.request.query_params.multi_items() if name != "marker"]
    path = "servers/detail" if kind == "detail" else "servers"
    return {"rel": "next", "href": f"{call.base}{ROOT}/{path}?{urlencode([*query, ('marker', marker)])}"}


async def _with_whole_ids(call: Call, wanted: Asked) -> Asked:
    """Clients write the ids of projects without dashes."""
    if wanted.projects is None or wanted.projects == {call.account.project_id}:
        return wanted
    asked_for = {id_text(id) for id in wanted.projects}
    projects = await call.cloud.store.cloud_read(lambda tx: tx.projects())
    return replace(wanted, projects=frozenset(each.id for each in projects if id_text(each.id) in asked_for))


# -------------------------------------------------------------------------------------------------------- what is known


async def _partial(call: Call, wanted: Asked, silent: frozenset[str]) -> list[ServerEntry]:
    return await call.cloud.store.cloud_read(
        lambda tx: tx.server_entries(projects=wanted.projects, cells=silent, states=LISTED)
    )


# --------------------------------------------------------------------------------------------------------- what answers


async def _find(call: Call, wanted: Asked) -> Found:
    """Raises WireError 400 for a marker that is none, 500 for one in a cell that does not answer."""
    marker = None if wanted.marker is None else await _marker(call, wanted.marker)
    sort_key, is_descending = wanted.sort[0]
    if wanted.is_empty:
        return Found((), _silent(call))
    if len(wanted.sort) == 1 and sort_key in _INDEXED:
        sort = _INDEXED[sort_key]
        after = None if marker is None else key_of(marker, sort)
        return await _pages(call, wanted, sort, after, is_descending=is_descending, limit=wanted.limit)
    everything = await _pages(call, wanted, "created_at", None, is_descending=True, limit=None)
    rows = asking.sorted_by(wanted.sort, list(everything.rows))
    if marker is not None:
        places = [place for place, shown in enumerate(rows) if shown.server.id == marker.id]
        rows = rows[places[0] + 1 :] if places else []
    return replace(everything, rows=rows[: wanted.limit])


def _silent(call: Call) -> frozenset[str]:
    store = call.cloud.store
    return frozenset(cell for cell in store.cell_names if store.reachability(cell).state is not ReachabilityState.UP)


async def _marker(call: Call, id: str) -> Server:
    """A server of another project is none: it must not be told that it exists."""
    store = call.cloud.store
    entry = await store.cloud_read(lambda tx: tx.find_server_entry(id))
    if entry is None or entry.state == "deleting" or not call.account.may_see(entry.project_id):
        raise bad_request(f"marker [{id[:255]}] not found")
    answers = await store.each_cell(lambda tx: tx.find_server(id), cells=[entry.cell])
    found = answers[entry.cell]
    if isinstance(found, Server):
        return found
    if found is None:
        raise bad_request(f"marker [{id[:255]}] not found")
    raise unexpected(NO_CONNECTION)


async def _pages(
    call: Call,
    wanted: Asked,
    sort: Sort,
    after: tuple[str, ...] | None,
    *,
    is_descending: bool,
    limit: int | None,
) -> Found:
    """Pages of the store until enough rows are what was asked for."""
    passes = asking.filter_of(wanted.filters)
    rows: list[Shown] = []
    silent: set[str] = set()
    while True:
        missing = _ROWS_AT_ONCE if limit is None or passes is not None else limit - len(rows)
        page = await call.cloud.store.page_servers(
            sort=sort,
            descending=is_descending,
            after=after,
            limit=missing,
            projects=wanted.projects,
            name_contains=asking.plain_part(wanted.filters),
        )
        silent.update(page.unreachable)
        found = await shown_of(call, page.rows)
        rows += [shown for shown in found if passes is None or passes(shown)]
        after = page.next_after
        if after is None or (limit is not None and len(rows) >= limit):
            return Found(rows[:limit], frozenset(silent))


async def shown_of(call: Call, rows: Sequence[PageRow]) -> list[Shown]:
    """Without those that are being deleted."""
    ids = [row.id for row in rows]
    entries = await call.cloud.store.cloud_read(lambda tx: _entries(tx, ids))
    accounts = await call.cloud.accounts()
    found = []
    for row in rows:
        entry = entries.get(row.id)
        if entry is not None:
            server = call.cloud.store.server_of(row)
            found.append(Shown(server, entry, (), render.user_id_of(server.owner, accounts)))
    return found


def _entries(tx: CloudTransaction, ids: list[str]) -> dict[str, ServerEntry]:
    return {entry.id: entry for entry in tx.server_entries(ids=ids, states=LISTED)}


async def _with_drives(call: Call, rows: Sequence[Shown]) -> list[Shown]:
    if not rows:
        return []
    attached = await drive_operations.drives_of(call.cloud, [shown.server.id for shown in rows])
    return [replace(shown, drives=attached.get(shown.server.id, ())) for shown in rows]


def _kept(call: Call, view: View, shown: Shown) -> orjson.Fragment:
    """As finished JSON: a row depends on the versions of the server and of its drives, its entry, and the view."""
    drives: Sequence[Drive] = shown.drives
    version = (shown.server.version, shown.entry, shown.user_id, *((drive.id, drive.version) for drive in drives))
    key = f"{shown.server.id} {view.minor} {view.is_admin} {view.base}"
    return call.context.server_objects.of(key, version, lambda: render.detailed(view, shown))
