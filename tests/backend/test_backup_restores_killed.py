"""A backend that is killed between any two writes of a restore: there is a whole new server, or none of it."""

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
from backend.cloud.catalogue import FLAVORS
from backend.cloud.errors import CloudError
from backend.cloud.model import GIB, BackupState, Server, ServerState
from backend.operations import backup_restores, backups, drives, schedules, servers
from tests.backend.backing import all_backups, scheduled, with_disk
from tests.backend.killed import lived
from tests.backend.support import Harness, make_folder, opened
from tests.builders import NOON
from tests.test_simulation import check, check_storage

KILLS = 9
"""One more than there are writes in `restore_and_wait`: the last run lives."""
SPEC = backup_restores.RestoreSpec(FLAVORS[1], "twin")
READY_AFTER = timedelta(seconds=90)


async def prepare(on: Harness) -> None:
    server = await with_disk(on)
    await backups.create_backup(on.cloud, on.operator, "server", server.id)
    await on.engine.advance(READY_AFTER.total_seconds() - 3)
    await on.engine.save_clock()


async def restore_and_wait(on: Harness) -> None:
    """Says when the restore is acknowledged."""
    (backup,) = await all_backups(on)
    restored = await backup_restores.restore(on.cloud, on.operator, backup.id, SPEC)
    print(restored.server.id, flush=True)
    await on.engine.advance(70)


async def run_and_drill(on: Harness) -> None:
    """The run of a schedule, and the drill after it."""
    await on.engine.advance(120)


async def live_until_killed(folder: Path, writes: int, *, is_drill: bool = False) -> None:
    async with opened(folder, at=NOON + READY_AFTER) as on:
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
            setattr(on.cloud.store, name, counted(getattr(on.cloud.store, name)))
        await (run_and_drill if is_drill else restore_and_wait)(on)


async def twins(on: Harness) -> list[Server]:
    listing = await servers.list_servers(on.cloud, on.operator)
    return [item for item in listing.items if isinstance(item, Server) and item.name == "twin"]


@pytest.mark.parametrize("writes", range(1, KILLS + 1))
def test_no_half_made_server_stays_and_the_backup_can_be_restored_again(tmp_path: Path, writes: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> None:
        async with opened(folder) as on:
            await prepare(on)

    async def after(acknowledged: list[str]) -> None:
        async with opened(folder, at=NOON + READY_AFTER) as on:
            await on.engine.advance(120)
            found = await twins(on)
            assert not acknowledged or [each.id for each in found] == acknowledged
            assert all(each.state is ServerState.RUNNING for each in found)
            (backup,) = await all_backups(on)
            assert backup.state is BackupState.READY
            usage = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))
            assert (usage.servers, usage.storage_bytes) == (1 + len(found), (2 + len(found)) * 10 * GIB)
            assert (await drives.list_drives(on.cloud, on.operator)).total == 1 + len(found)

            again = await backup_restores.restore(on.cloud, on.operator, backup.id, SPEC)
            with pytest.raises(CloudError):
                await backup_restores.restore(on.cloud, on.operator, backup.id, SPEC)
            await on.engine.advance(120)
            assert (await on.look(again.server.id)).state is ServerState.RUNNING
            await check(on)
            await check_storage(on)

    asyncio.run(before())
    done = lived(lambda: live_until_killed(folder, writes))
    assert done.status == (0 if writes == KILLS else -signal.SIGKILL), done.errors
    asyncio.run(after(done.output.split()))
    assert check_folder(folder).breach is None


@pytest.mark.thorough
@pytest.mark.parametrize("writes", range(1, 15))
def test_a_drill_that_is_killed_leaves_nothing_and_is_told_of(tmp_path: Path, writes: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> None:
        async with opened(folder) as on:
            server = await with_disk(on, gib=1)
            await scheduled(on, server.id, "* * * * *", drill_days=1, backups_max=1)
            await on.engine.advance(READY_AFTER.total_seconds() - 33)
            await on.engine.save_clock()

    async def after() -> None:
        async with opened(folder, at=NOON + timedelta(seconds=59)) as on:
            await on.engine.advance(600)
            listing = await servers.list_servers(on.cloud, on.operator)
            assert [item.name for item in listing.items if isinstance(item, Server)] == ["db"]
            assert (await drives.list_drives(on.cloud, on.operator)).total == 1
            (view,) = await schedules.list_schedules(on.cloud, on.operator)
            assert view.schedule.is_active
            assert view.schedule.drilled_at is not None
            assert view.schedule.drill_problem in (None, "the server is not there")
            await check(on)

    asyncio.run(before())
    done = lived(lambda: live_until_killed(folder, writes, is_drill=True))
    assert done.status in (0, -signal.SIGKILL), done.errors
    asyncio.run(after())
    assert check_folder(folder).breach is None
