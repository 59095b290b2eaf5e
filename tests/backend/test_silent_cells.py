"""A cell that is silent from the start: what is known of its hosts all the same, and since when it is silent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backend.cloud.errors import WrongState
from backend.cloud.model import GIB, HostState, ReachabilityState
from backend.operations import cells, drains, hosts, last_known, losses, servers
from backend.operations.hosts import HostView
from tests.backend.support import OPERATOR, Harness, make_folder, opened
from tests.builders import NOON

LATER = NOON + timedelta(hours=1)


def tell(folder: Path, story: Callable[[Harness], Awaitable[None]], *, at: datetime = NOON) -> None:
    async def run() -> None:
        async with opened(folder, at=at) as on:
            await story(on)

    asyncio.run(run())


def silence(folder: Path, cell: str = "cell-1") -> None:
    (folder / "cells" / f"{cell}.db").rename(folder / "away.db")


def give_back(folder: Path, cell: str = "cell-1") -> None:
    (folder / "away.db").rename(folder / "cells" / f"{cell}.db")


async def hosts_of(on: Harness, cell: str = "cell-1") -> dict[str, HostView]:
    views = await hosts.list_hosts(on.cloud, on.pictures)
    return {view.load.host.name: view for view in views if view.load.host.cell == cell}


async def kinds_of(on: Harness) -> list[str]:
    return [event.kind for event in await on.events() if event.object_id == "cell-1"]


def test_hosts_of_a_cell_that_never_answered_are_shown_as_they_were_last_seen(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def busy(on: Harness) -> None:
        await on.running("web-01", cell="cell-1")
        await drains.drain_host(on.cloud, OPERATOR, "c1-h2")
        await losses.fail_host(on.cloud, OPERATOR, "s1-1")
        await on.cloud.store.flush_last_known()

    async def look(on: Harness) -> None:
        found = await hosts_of(on)
        assert list(found) == ["c1-h1", "c1-h2", "s1-1", "s1-2"]
        assert not any(view.is_current for view in found.values())
        assert found["c1-h2"].load.host.state is HostState.MAINTENANCE
        assert found["s1-1"].load.host.state is HostState.DOWN
        (server,) = found["c1-h1"].load.servers  # type: ignore[union-attr]
        assert (server.name, server.size.memory_bytes) == ("web-01", 4 * GIB)
        (view,) = [view for view in await cells.list_cells(on.cloud, on.pictures) if view.name == "cell-1"]
        assert (view.hosts, view.servers, view.open_tasks) == (2, 1, None)

    tell(folder, busy)
    silence(folder)
    tell(folder, look)


def test_work_that_waits_in_a_cell_that_never_answered_is_counted_centrally(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def waiting(on: Harness) -> int | None:
        return await last_known.open_tasks(on.cloud, "cell-1")

    async def busy(on: Harness) -> None:
        await on.running("done", cell="cell-1")
        for name in ("web-01", "web-02"):
            server = await on.server(name, cell="cell-1")
            await servers.start_server(on.cloud, on.operator, server.id)
        with pytest.raises(WrongState):
            await servers.start_server(on.cloud, on.operator, server.id)
        await on.cloud.store.flush_last_known()
        assert await waiting(on) == 2
        assert (await on.cloud.store.cell_read("cell-1", lambda tx: tx.count_tasks()))[0] == 2

    async def look(on: Harness) -> None:
        await on.engine.advance(3600)
        assert await waiting(on) == 2

    async def back(on: Harness) -> None:
        await on.engine.advance(60)
        await on.cloud.store.flush_last_known()
        assert await waiting(on) == 0

    tell(folder, busy)
    silence(folder)
    tell(folder, look)
    give_back(folder)
    tell(folder, back, at=LATER)


def test_of_an_older_folder_nobody_says_how_much_waits_until_its_cell_is_heard_of(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)
    with closing(sqlite3.connect(folder / "cloud.db", isolation_level=None)) as connection:
        connection.execute("UPDATE cell SET open_tasks = NULL")

    async def look(on: Harness) -> None:
        assert await last_known.open_tasks(on.cloud, "cell-1") is None

    async def work(on: Harness) -> None:
        await on.running("web-01", cell="cell-1")
        await on.cloud.store.flush_last_known()
        assert await last_known.open_tasks(on.cloud, "cell-1") == 0

    silence(folder)
    tell(folder, look)
    give_back(folder)
    tell(folder, work)


def test_hosts_of_an_older_folder_are_entered_when_their_cell_opens(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    with closing(sqlite3.connect(folder / "cloud.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM host_directory")
        connection.execute("DELETE FROM last_known WHERE object_kind = 'host'")

    async def find(on: Harness) -> None:
        entries = await on.cloud.store.cloud_read(lambda tx: tx.host_entries("cell-1"))
        assert [(entry.name, entry.kind.value) for entry in entries] == [
            ("c1-h1", "compute"),
            ("c1-h2", "compute"),
            ("s1-1", "storage"),
            ("s1-2", "storage"),
        ]

    async def look(on: Harness) -> None:
        assert len(await hosts_of(on)) == 4

    tell(folder, find)
    silence(folder)
    tell(folder, look)


@pytest.mark.parametrize("injected", [True, False])
def test_since_when_a_cell_is_silent_outlives_the_backend(tmp_path: Path, injected: bool) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def fall_silent(on: Harness) -> None:
        if injected:
            await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.noted()

    async def look(on: Harness) -> None:
        found = on.cloud.store.reachability("cell-1")
        assert (found.state, found.since) == (ReachabilityState.DOWN, NOON)
        assert await kinds_of(on) == ["cell.down"]

    if not injected:
        silence(folder)
    tell(folder, fall_silent)
    tell(folder, look, at=LATER)
    tell(folder, look, at=LATER + timedelta(hours=1))


def test_a_cell_that_is_back_after_the_backend_was_away_is_noted_and_resumes_no_earlier(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)
    begun: list[str] = []

    async def start(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        await servers.start_server(on.cloud, on.operator, server.id)
        begun.append(server.id)

    async def nothing(on: Harness) -> None:
        await on.engine.advance(1)

    async def look(on: Harness) -> None:
        assert await kinds_of(on) == ["cell.down", "cell.up"]
        await on.engine.advance(60)
        server = await on.look(begun[0])
        assert server.state_since is not None
        assert server.state_since >= LATER

    tell(folder, start)
    silence(folder)
    tell(folder, nothing)
    give_back(folder)
    tell(folder, look, at=LATER)
