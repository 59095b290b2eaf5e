"""Killed between any two writes, nothing acknowledged is lost and nothing stays half-done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from backend.check import check
from backend.cloud.errors import NotFound, Unreachable, WrongState
from backend.cloud.model import GIB, Drive, DriveState, Server, ServerState, Size
from backend.operations import cells, drives, losses, servers
from backend.operations.drives import DriveSpec
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON


def a_reservation(on: Harness) -> Server:
    return Server("", "web-01", "cell-1", "inside", on.operator.name, Size(2000, GIB), NOON, state_since=NOON)


async def create_until(on: Harness, steps: int) -> str:
    """The three writes of a create, as far as the process lived."""
    store = on.cloud.store
    server, _ = await store.cloud_write(lambda tx: servers.reserve_server(tx, a_reservation(on), None))
    if steps > 1:
        await store.cell_write("cell-1", lambda tx: tx.add_server(server, at=NOON, actor="operator"))
    if steps > 2:
        await store.cloud_write(lambda tx: servers.set_server_entry_state(tx, server.id, "active"))
    return server.id


@pytest.mark.parametrize(("steps", "is_there"), [(1, False), (2, True), (3, True)])
def test_a_create_that_was_cut_short_is_undone_or_finished(tmp_path: Path, steps: int, is_there: bool) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            return await create_until(on, steps)

    async def look(server_id: str) -> None:
        async with opened(folder) as on:
            entry = await on.cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id))
            if is_there:
                assert entry is not None
                assert entry.state == "active"
                assert (await on.look(server_id)).name == "web-01"
            else:
                assert entry is None
                with pytest.raises(NotFound):
                    await on.look(server_id)

    asyncio.run(look(asyncio.run(cut_short())))


@pytest.mark.parametrize("steps", [1, 2])
def test_a_delete_that_was_cut_short_is_finished(tmp_path: Path, steps: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            server_id = await create_until(on, 3)
            store = on.cloud.store
            await store.cloud_write(lambda tx: servers.set_server_entry_state(tx, server_id, "deleting"))
            if steps > 1:
                await store.cell_write(
                    "cell-1", lambda tx: tx.remove_server(tx.server(server_id), at=NOON, actor="operator")
                )
            return server_id

    async def look(server_id: str) -> None:
        async with opened(folder) as on:
            assert await on.cloud.store.cloud_read(lambda tx: tx.find_server_entry(server_id)) is None
            assert await on.cloud.store.cell_read("cell-1", lambda tx: tx.find_server(server_id)) is None

    asyncio.run(look(asyncio.run(cut_short())))


def test_the_cell_has_the_last_word_on_where_a_drive_is_attached(tmp_path: Path) -> None:
    from backend.operations import drives
    from backend.operations.drives import DriveSpec

    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> tuple[str, str]:
        async with opened(folder) as on:
            server = await on.server("web-01", cell="cell-1")
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", GIB, cell="cell-1"))
            await on.engine.advance(5)
            await drives.attach_drive(on.cloud, on.operator, drive.id, server.id)
            await on.cloud.store.cloud_write(lambda tx: forget_mount(tx, drive.id))
            return server.id, drive.id

    def forget_mount(tx: object, drive_id: str) -> None:
        from backend.store import CloudTransaction

        assert isinstance(tx, CloudTransaction)
        entry = tx.find_drive_entry(drive_id)
        assert entry is not None
        tx.save_drive_entry(replace(entry, server_id=None))

    async def look(server_id: str, drive_id: str) -> None:
        async with opened(folder) as on:
            entry = await on.cloud.store.cloud_read(lambda tx: tx.find_drive_entry(drive_id))
            assert entry is not None
            assert entry.server_id == server_id

    asyncio.run(look(*asyncio.run(cut_short())))


def test_a_drive_that_was_silent_while_its_server_was_deleted_is_detached_when_it_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("far", GIB, cell="cell-2"))
        await on.engine.advance(5)
        await drives.attach_drive(on.cloud, on.operator, drive.id, server.id)
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        with pytest.raises(Unreachable):
            await servers.delete_server(on.cloud, on.operator, server.id, recurse="all_drives")
        await servers.delete_server(on.cloud, on.operator, server.id)
        await cells.inject(on.cloud, on.operator, "cell-2", "up")

        found = await drives.get_drive(on.cloud, on.operator, drive.id)
        assert isinstance(found, Drive)
        assert (found.server_id, found.state) == (None, DriveState.UNMOUNTED)

    in_a_cloud(tmp_path / "data", story)


def test_a_server_is_not_deleted_with_a_drive_that_is_lost(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("near", GIB, cell="cell-1"))
        await on.engine.advance(5)
        await drives.attach_drive(on.cloud, on.operator, drive.id, server.id)
        await losses.fail_host(on.cloud, on.operator.name, drive.host)
        with pytest.raises(WrongState):
            await servers.delete_server(on.cloud, on.operator, server.id, recurse="all_drives")
        assert (await on.look(server.id)).state is ServerState.STOPPED
        await servers.delete_server(on.cloud, on.operator, server.id)
        with pytest.raises(NotFound):
            await on.look(server.id)

    in_a_cloud(tmp_path / "data", story)


def test_a_drive_that_is_not_finished_is_no_more_deleted_by_a_crash_than_by_whoever_asked(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("new", GIB, cell="cell-1"))
            await on.cloud.store.cloud_write(lambda tx: drives.set_drive_entry(tx, drive.id, state="deleting"))
            return drive.id

    async def look(drive_id: str) -> None:
        async with opened(folder) as on:
            await on.engine.advance(60)
            drive = await drives.get_drive(on.cloud, on.operator, drive_id)
            assert isinstance(drive, Drive)
            assert drive.state is DriveState.UNMOUNTED

    asyncio.run(look(asyncio.run(cut_short())))
    assert check(folder).breach is None
