"""A backend that is killed between any two writes of losing a host and taking it back."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from backend.cloud.model import GIB, Drive, HostState, Server, ServerState
from backend.operations import drains, drives, losses, servers
from backend.operations.drives import DriveSpec
from backend.store import Commit
from tests.backend.killed import lived
from tests.backend.support import Harness, make_folder, opened
from tests.builders import NOON
from tests.test_simulation import check, check_storage

KILLS = 14
"""One more than there are commits in `lose_and_recover`: the last run lives."""


async def prepare(on: Harness) -> None:
    """In cell-1 a normal and a backfilling server on one host; the normal one's drives lie in both cells."""
    server = await on.server("db", cell="cell-1")
    for cell in ("cell-1", "cell-2"):
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec(f"in-{cell}", GIB, cell=cell))
        await on.engine.advance(5)
        await drives.attach_drive(on.cloud, on.operator, drive.id, server.id, channel=f"0:{cell[-1]}")
    await servers.start_server(on.cloud, on.operator, server.id)
    await on.server("render", cell="cell-1", is_backfilling=True)
    for entry in await on.cloud.store.cloud_read(lambda tx: tx.server_entries(is_backfilling=True)):
        await servers.start_server(on.cloud, on.operator, entry.id)
    await on.engine.advance(10)
    await on.engine.save_clock()


async def host_of_db(on: Harness) -> str:
    listing = await servers.list_servers(on.cloud, on.operator)
    found = next(item for item in listing.items if isinstance(item, Server) and item.name == "db")
    assert found.host is not None
    return found.host


async def lose_and_recover(on: Harness) -> None:
    """Says each thing that was acknowledged."""
    name = on.operator.name
    host = await host_of_db(on)
    listing = await drives.list_drives(on.cloud, on.operator)
    storage = next(item.host for item in listing.items if isinstance(item, Drive) and item.cell == "cell-2")
    await losses.fail_host(on.cloud, name, storage)
    print("lost", storage, flush=True)
    await losses.fail_host(on.cloud, name, host)
    print("lost", host, flush=True)
    await on.engine.advance(60)
    await losses.recover_host(on.cloud, name, storage)
    print("back", storage, flush=True)
    await losses.recover_host(on.cloud, name, host)
    print("back", host, flush=True)
    host = await host_of_db(on)
    await drains.drain_host(on.cloud, name, host)
    print("maintenance", host, flush=True)
    await drains.evacuate_host(on.cloud, name, host)
    await on.engine.advance(60)
    assert await host_of_db(on) != host


async def live_until_killed(folder: Path, commits: int) -> None:
    async with opened(folder, at=NOON + timedelta(seconds=30)) as on:
        told = on.cloud.store.on_commit
        left = commits

        def count(commit: Commit) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            assert told is not None
            told(commit)

        on.cloud.store.on_commit = count
        await lose_and_recover(on)


@pytest.mark.parametrize("commits", range(1, KILLS + 1))
def test_nothing_is_half_lost(tmp_path: Path, commits: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> None:
        async with opened(folder) as on:
            await prepare(on)

    async def after(acknowledged: list[list[str]]) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=31)) as on:
            await check(on)
            await check_storage(on)
            found = await on.cloud.store.each_cell(lambda tx: tx.hosts())
            hosts = {host.name: host for answer in found.values() if isinstance(answer, list) for host in answer}
            for name in {name for _, name in acknowledged}:
                last = [word for word, other in acknowledged if other == name][-1]
                logged = [event.kind for event in await on.events() if event.object_id == name]
                word = {"lost": "down", "back": "up", "maintenance": "maintenance"}[last]
                assert f"host.{word}" in logged, "it was acknowledged"
            for host in hosts.values():
                if host.state is not HostState.UP:
                    await losses.recover_host(on.cloud, on.operator.name, host.name)
            await on.engine.advance(600)
            await check(on)
            await check_storage(on)
            listing = await servers.list_servers(on.cloud, on.operator)
            states = {item.name: item.state for item in listing.items if isinstance(item, Server)}
            assert states["db"] is ServerState.RUNNING
            assert states["render"] in (ServerState.RUNNING, ServerState.STOPPED)

    asyncio.run(before())
    done = lived(lambda: live_until_killed(folder, commits))
    assert done.status == (0 if commits == KILLS else -signal.SIGKILL), done.errors
    acknowledged = [line.split() for line in done.output.splitlines()]
    asyncio.run(after(acknowledged))
