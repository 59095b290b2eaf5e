"""A console that follows the cloud: its client and its mirror, without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import Any

import httpx

from backend.app import App
from console.client import CloudClient
from console.port import ClientError
from console.presentation.mirror import Mirror
from console.records import DriveRecord, ServerRecord
from tests.dialects.support import BASE
from tests.simulation.watch import Wrong

PAGE_ROWS = 7
"""Few, so that lists have several pages."""
TURNS_MAX = 50


class Watcher:
    def __init__(self) -> None:
        self.mirror = Mirror()
        self.looks = 0
        self.restarts = 0
        self._app: App | None = None
        self._client: CloudClient

    def _connect(self, app: App) -> CloudClient:
        if self._app is not app:
            headers = {"Authorization": "Bearer operator-token"}
            http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, headers=headers)
            self._app, self._client = app, CloudClient(http)
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
            await self._compare(client, wall)
        except ClientError as error:
            if not error.is_retryable:
                raise Wrong(f"the console was told: {error.sentence}") from error

    def _take(self, answer: Any, wall: Callable[[], datetime]) -> None:
        self.mirror = self.mirror.apply(answer, wall())

    async def _is_quiet(self, client: CloudClient, wall: Callable[[], datetime]) -> bool:
        cursor = self.mirror.cursor
        assert cursor is not None, "the list has been read"
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

    async def _compare(self, client: CloudClient, wall: Callable[[], datetime]) -> None:
        for _ in range(TURNS_MAX):
            servers = (await client.servers_page(limit=1000)).servers
            drives = (await client.drives_page(limit=1000)).drives
            if await self._is_quiet(client, wall):
                break
        else:
            return
        up = {cell.name for cell in (await client.status()).cells if cell.is_up}
        if up != {cell.name for cell in self.mirror.cells or () if cell.is_up}:
            # It fell silent, or came back, while we looked.
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
