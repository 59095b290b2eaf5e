"""A console that follows the cloud: its client and its mirror, without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from backend.app import App
from backend.cloud.model import ReachabilityState
from console.client import CloudClient
from console.port import ClientError
from console.presentation.mirror import Mirror
from console.records import DriveRecord, ServerRecord
from tests.simulation.asking import CREDENTIALS, call
from tests.simulation.watch import Wrong

PAGE_ROWS = 7
"""Few, so that lists have several pages."""
TURNS_MAX = 50


class Wire(httpx.AsyncClient):
    """What the console's client asks with: straight into the app, because a wire would be most of what a look costs."""

    def __init__(self, app: App) -> None:
        super().__init__(transport=httpx.ASGITransport(app=app))
        self._app = app

    async def request(  # type: ignore[override]
        self, method: str, url: str, *, params: Mapping[str, str] | None, content: bytes | None, **_of_the_wire: Any
    ) -> httpx.Response:
        target = url if params is None else f"{url}?{urlencode(params)}"
        answered = await call(self._app, method, target, [CREDENTIALS["ops"]], content)
        return httpx.Response(answered.status, content=answered.content)


class Watcher:
    def __init__(self) -> None:
        self.mirror = Mirror()
        self.looks = 0
        self.restarts = 0
        self._app: App | None = None
        self._revision = -1
        """Of the cloud, right before the feed was asked last."""
        self._client: CloudClient

    def _connect(self, app: App) -> CloudClient:
        if self._app is not app:
            self._app, self._client = app, CloudClient(Wire(app))
        return self._client

    async def look(self, app: App, wall: Callable[[], datetime]) -> None:
        """Follow the feed to its end as the console does, and compare with what a fresh look finds. Raises Wrong."""
        client = self._connect(app)
        self.looks += 1
        try:
            self._take(await client.status(), wall)
            if self.mirror.cursor is None:
                await self._read_lists(client, wall)
            for _ in range(TURNS_MAX):
                if await self._is_quiet(client, wall):
                    break
            else:
                raise Wrong("the change feed never comes to an end")
            for cell in sorted(self.mirror.reload_cells):
                await self._read_servers(client, wall, cell=cell)
            if not self.mirror.are_drives_complete:
                await self._read_drives(client, wall)
            await self._compare(app, client, wall)
        except ClientError as error:
            if not error.is_retryable:
                raise Wrong(f"the console was told: {error.sentence}") from error

    def _take(self, answer: Any, wall: Callable[[], datetime]) -> None:
        self.mirror = self.mirror.apply(answer, wall())

    async def _is_quiet(self, client: CloudClient, wall: Callable[[], datetime]) -> bool:
        cursor = self.mirror.cursor
        assert cursor is not None, "the list has been read"
        assert self._app is not None, "it has asked something"
        self._revision = self._app.cloud.store.revision
        try:
            changes = await client.changes(cursor, wait_seconds=0, limit=100)
        except ClientError as error:
            if error.is_retryable:
                raise
            self.restarts += 1
            self.mirror = self.mirror.restarted()
            await self._read_lists(client, wall)
            return False
        self._take(changes, wall)
        return changes.cursor == cursor and not (changes.servers or changes.events or changes.removed)

    async def _read_lists(self, client: CloudClient, wall: Callable[[], datetime]) -> None:
        await self._read_servers(client, wall)
        await self._read_drives(client, wall)

    async def _read_servers(
        self, client: CloudClient, wall: Callable[[], datetime], *, cell: str | None = None
    ) -> None:
        after = None
        while True:
            page = await client.servers_page(after=after, limit=PAGE_ROWS, cell=cell)
            self._take(page, wall)
            after = page.next
            if after is None:
                return

    async def _read_drives(self, client: CloudClient, wall: Callable[[], datetime]) -> None:
        self.mirror = self.mirror.drives_begun()
        after = None
        while True:
            page = await client.drives_page(after=after, limit=PAGE_ROWS)
            self._take(page, wall)
            after = page.next
            if after is None:
                return

    async def _compare(self, app: App, client: CloudClient, wall: Callable[[], datetime]) -> None:
        store = app.cloud.store
        for _ in range(TURNS_MAX):
            servers = (await client.servers_page(limit=1000)).servers
            drives = (await client.drives_page(limit=1000)).drives
            # Since the feed was read to its end nothing may have changed, so that both tell of the same instant.
            if store.revision == self._revision or await self._is_quiet(client, wall):
                break
        else:
            return
        up = {cell for cell in store.cell_names if store.reachability(cell).state is ReachabilityState.UP}
        is_read = not self.mirror.reload_cells and self.mirror.are_drives_complete
        if not is_read or up != {cell.name for cell in self.mirror.cells or () if cell.is_up}:
            # One fell silent, or came back, while we looked; what is to be read anew is read by the next look.
            return
        _equal("server", {row.id: row for row in servers}, self.mirror.servers, up)
        _equal("drive", {row.id: row for row in drives}, self.mirror.drives.by_id, up)


def _equal(kind: str, told: dict[str, Any], mirrored: Any, up: set[str]) -> None:
    of_up = {id: row for id, row in mirrored.items() if row.cell in up}
    wanted = {id: row for id, row in told.items() if row.cell in up}
    for id in sorted(of_up.keys() | wanted.keys()):
        row, own = wanted.get(id), of_up.get(id)
        if row is None:
            raise Wrong(f"the mirror shows {kind} {of_up[id].name}, which is not there")
        if own is None:
            raise Wrong(f"the mirror does not show {kind} {row.name}")
        if row != own:
            raise Wrong(f"the mirror shows {kind} {row.name} otherwise than it is: {_difference(own, row)}")


def _difference(own: ServerRecord | DriveRecord, row: ServerRecord | DriveRecord) -> str:
    pairs = ((each.name, getattr(own, each.name), getattr(row, each.name)) for each in fields(own))
    return ", ".join(f"{name} {shown!r} instead of {is_!r}" for name, shown, is_ in pairs if shown != is_)
