"""A backend that is killed between any two writes of cloning a server: the clone is whole, or there is none of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.check import check as check_folder
from backend.cloud.model import GIB, Drive, DriveState, Server, ServerState
from backend.operations import RequestKey, drives, server_clones, servers
from backend.operations.clone_plans import CloneSpec
from backend.operations.drives import DriveSpec
from tests.backend.killed import lived
from tests.backend.support import Harness, make_folder, opened
from tests.builders import NOON
from tests.test_simulation import check, check_storage

KILLS = 10
"""One more than there are writes in `clone_and_wait`: the last run lives."""
KEY = RequestKey("operator/1", "digest")


async def prepare(on: Harness) -> None:
    """A running server in cell-1 with a drive in each cell."""
    source = await on.server("db", cell="cell-1")
    for number, cell in enumerate(("cell-1", "cell-2")):
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec(f"in-{cell}", GIB, cell=cell))
        await on.engine.advance(5)
        await drives.attach_drive(on.cloud, on.operator, drive.id, source.id, channel=f"0:{number}")
    await servers.start_server(on.cloud, on.operator, source.id)
    await on.engine.advance(10)
    await on.engine.save_clock()


async def source_of(on: Harness) -> Server:
    listing = await servers.list_servers(on.cloud, on.operator)
    return next(item for item in listing.items if isinstance(item, Server) and item.name == "db")


async def clone_and_wait(on: Harness) -> None:
    """Says when the clone is acknowledged."""
    source = await source_of(on)
    spec = CloneSpec("twin", is_started=True)
    begun = await server_clones.clone_server(on.cloud, on.operator, source.id, spec, request=KEY)
    print(begun.server.id, flush=True)
    await on.engine.advance(30)


async def live_until_killed(folder: Path, writes: int) -> None:
    async with opened(folder, at=NOON + timedelta(seconds=30)) as on:
        store = on.cloud.store
        left = writes

        def counted(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def write_and_count(*given: Any, **more: Any) -> Any:
                nonlocal left
                answer = await write(*given, **more)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return answer

            return write_and_count

        for name in ("cloud_write", "cell_write"):
            setattr(store, name, counted(getattr(store, name)))
        await clone_and_wait(on)


@pytest.mark.parametrize("writes", range(1, KILLS + 1))
def test_no_half_made_clone_stays(tmp_path: Path, writes: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> None:
        async with opened(folder) as on:
            await prepare(on)

    async def after(acknowledged: list[str]) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=31)) as on:
            await check(on)
            await check_storage(on)
            found = await whole_clone(on)
            assert not acknowledged or (found is not None and found.id == acknowledged[0]), "it was acknowledged"
            if found is None:
                usage = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))
                assert (usage.servers, usage.storage_bytes) == (1, 2 * GIB), "the quota is given back"
            # Whoever heard no answer asks again, and has one clone in the end.
            source = await source_of(on)
            spec = CloneSpec("twin", is_started=True)
            again = await server_clones.clone_server(on.cloud, on.operator, source.id, spec, request=KEY)
            assert found is None or again.server.id == found.id
            await on.engine.advance(60)
            twin = await whole_clone(on)
            assert twin is not None
            assert twin.state is ServerState.RUNNING
            assert twin.host != (await source_of(on)).host
            listing = await drives.list_drives(on.cloud, on.operator)
            states = {item.state for item in listing.items if isinstance(item, Drive)}
            assert states == {DriveState.MOUNTED}
            await check(on)
            await check_storage(on)

    asyncio.run(before())
    done = lived(lambda: live_until_killed(folder, writes))
    assert done.status == (0 if writes == KILLS else -signal.SIGKILL), done.errors
    asyncio.run(after(done.output.split()))
    assert check_folder(folder).breach is None


async def whole_clone(on: Harness) -> Server | None:
    """The clone, if there is one: with both its drives. Where there is none, nothing of it is there or reserved."""
    listing = await servers.list_servers(on.cloud, on.operator)
    found = next((item for item in listing.items if isinstance(item, Server) and item.name == "twin"), None)
    entries = await on.cloud.store.cloud_read(
        lambda tx: [
            *((each.id, each.state) for each in tx.server_entries()),
            *((each.id, each.state) for each in tx.drive_entries()),
        ]
    )
    assert all(state == "active" for _, state in entries), "nothing is left half-way"
    made = (await drives.list_drives(on.cloud, on.operator)).items
    copies = [item for item in made if isinstance(item, Drive) and item.name.endswith("-clone")]
    if found is None:
        assert not copies
        assert len(entries) == 3
    else:
        assert [copy.server_id for copy in copies] == [found.id] * 2
        assert {copy.cell for copy in copies} == {found.cell}
    return found
