"""Booting a server is one thing: killed between any two of its writes it is undone or finished, never half of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.check import check
from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.errors import Conflict, NotFound, OverQuota, Unreachable, WrongState
from backend.cloud.model import GIB, DriveState, ReachabilityState, Server, ServerState, Size
from backend.operations import boots, cells, clones, drives, server_groups, servers
from backend.operations.boots import BootSpec, Volume
from backend.operations.drives import DriveSpec
from backend.store import CloudTransaction
from tests.backend.support import Harness, in_a_cloud, make_folder, opened

TINY, XLARGE = FLAVORS[0], FLAVORS[-1]


def a_spec(name: str = "web", **more: Any) -> BootSpec:
    flavor = more.pop("flavor", TINY)
    defaults: dict[str, Any] = {"image": IMAGES[0], "boot_drive_bytes": 2 * GIB}
    return BootSpec(name, flavor.size, flavor.id, **{**defaults, **more})


class Killed(Exception):
    """The process has gone, as far as the store can tell."""


@contextmanager
def killed_after(on: Harness, writes: int) -> Iterator[None]:
    """Only so many more writes reach a file."""
    store: Any = on.cloud.store
    whole = store.cloud_write, store.cell_write
    left = [writes]

    def counted(write: Any) -> Any:
        async def do(*given: Any, **more: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return await write(*given, **more)

        return do

    store.cloud_write, store.cell_write = (counted(write) for write in whole)
    try:
        yield
    except Killed:
        pass
    finally:
        store.cloud_write, store.cell_write = whole


async def what_there_is(on: Harness) -> tuple[int, int, int, int]:
    """Servers and drives, as the directory has them and as the cells do."""

    def central(tx: CloudTransaction) -> tuple[int, int]:
        return tx.count_server_entries(), tx.count_drive_entries()

    directory = await on.cloud.store.cloud_read(central)
    found = await on.cloud.store.each_cell(lambda tx: (len(tx.all_servers()), len(tx.all_drives())))
    there = [each for each in found.values() if isinstance(each, tuple)]
    return (*directory, sum(each[0] for each in there), sum(each[1] for each in there))


@pytest.mark.parametrize(("writes", "is_there"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_boot_that_was_cut_short_is_undone_or_finished(tmp_path: Path, writes: int, is_there: bool) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> None:
        async with opened(folder) as on:
            with killed_after(on, writes):
                await boots.boot_server(on.cloud, on.operator, a_spec())
                assert writes == 3

    async def look() -> None:
        async with opened(folder) as on:
            assert await what_there_is(on) == ((1, 1, 1, 1) if is_there else (0, 0, 0, 0))
            await on.engine.advance(10)
            found = (await servers.list_servers(on.cloud, on.operator)).items
            assert [each.state for each in found if isinstance(each, Server)] == [ServerState.RUNNING] * is_there
            used = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))
            assert (used.servers, used.storage_bytes) == ((1, 2 * GIB) if is_there else (0, 0))

    asyncio.run(cut_short())
    asyncio.run(look())
    assert check(folder).breach is None


DELETION_WRITES = 7
"""Stop it; forget it, in the directory and in its cell; delete its disk; and the last step."""


@pytest.mark.parametrize("writes", range(DELETION_WRITES + 1))
def test_a_deletion_that_was_cut_short_leaves_nothing_half_done(tmp_path: Path, writes: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> None:
        async with opened(folder) as on:
            server = await boots.boot_server(on.cloud, on.operator, a_spec())
            await on.engine.advance(10)
            with killed_after(on, writes):
                await boots.delete_server(on.cloud, on.operator, server.id)
                assert writes == DELETION_WRITES

    async def look() -> None:
        async with opened(folder) as on:
            found = await what_there_is(on)
            # Nothing was acknowledged: it is there whole, or gone with its disk.
            assert found in ((1, 1, 1, 1), (0, 0, 0, 0)), found
            if found[0]:
                (server,) = (await servers.list_servers(on.cloud, on.operator)).items
                await boots.delete_server(on.cloud, on.operator, server.id)
                assert await what_there_is(on) == (0, 0, 0, 0)

    asyncio.run(cut_short())
    asyncio.run(look())
    assert check(folder).breach is None


def test_a_boot_that_finds_no_host_keeps_the_server_and_no_drive(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        for _ in range(4):
            await boots.boot_server(on.cloud, on.operator, a_spec())
            await on.engine.advance(10)
        refused = await boots.boot_server(on.cloud, on.operator, a_spec(flavor=XLARGE, name="large"))

        assert boots.found_no_host(refused)
        assert refused.reason == "No host has room for server large (2 short of CPU and memory)."
        assert await what_there_is(on) == (5, 4, 5, 4)
        assert (await on.kinds()).count("server.boot_refused") == 1

    in_a_cloud(tmp_path / "data", story)
    assert check(tmp_path / "data").breach is None


def test_a_boot_without_storage_says_so(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        refused = await boots.boot_server(on.cloud, on.operator, a_spec(boot_drive_bytes=20 * GIB))
        assert boots.found_no_host(refused)
        assert refused.reason == "No host has room for the boot drive of server web (2 short of storage)."

    in_a_cloud(tmp_path / "data", story, storage_bytes=10 * GIB)


def test_a_boot_over_quota_makes_nothing(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        with pytest.raises(OverQuota):
            await boots.boot_server(on.cloud, on.operator, a_spec(flavor=XLARGE))
        assert await what_there_is(on) == (0, 0, 0, 0)

    in_a_cloud(tmp_path / "data", story, cpu_mhz_max=8000)


def test_a_volume_that_is_not_free_takes_the_whole_boot_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("data", GIB, cell="cell-1"))
        await on.engine.advance(5)
        first = await boots.boot_server(
            on.cloud, on.operator, a_spec(image=None, boot_drive_bytes=0, volumes=[Volume(drive.id)])
        )
        there = await what_there_is(on)
        with pytest.raises(WrongState):
            await boots.boot_server(on.cloud, on.operator, a_spec(volumes=[Volume(drive.id)]))
        assert await what_there_is(on) == there
        found = await drives.get_drive(on.cloud, on.operator, drive.id)
        assert found.server_id == first.id
        with pytest.raises(Conflict, match="lies in zone cell-1"):
            await boots.boot_server(on.cloud, on.operator, a_spec(volumes=[Volume(drive.id)], zone="cell-2"))

    in_a_cloud(tmp_path / "data", story)


def test_a_cell_that_falls_silent_is_passed_over(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        store: Any = on.cloud.store
        write = store.cell_write
        silenced: list[str] = []

        async def falls_silent_first(cell: str, *given: Any, **more: Any) -> Any:
            if not silenced:
                silenced.append(cell)
                await cells.inject(on.cloud, on.operator, cell, ReachabilityState.DOWN)
            return await write(cell, *given, **more)

        store.cell_write = falls_silent_first
        server = await boots.boot_server(on.cloud, on.operator, a_spec())
        assert [server.cell] != silenced
        assert (await on.look(server.id)).state is ServerState.STARTING
        await cells.inject(on.cloud, on.operator, server.cell, ReachabilityState.DOWN)
        with pytest.raises(Unreachable):
            await boots.boot_server(on.cloud, on.operator, a_spec())
        assert (await what_there_is(on))[:2] == (1, 1)

    in_a_cloud(tmp_path / "data", story)


def test_a_group_that_is_deleted_meanwhile_is_not_joined(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        group = await server_groups.create_group(on.cloud, on.operator, "db", is_hard=True)
        await server_groups.delete_group(on.cloud, on.operator, group.id)
        with pytest.raises(NotFound):
            await boots.boot_server(on.cloud, on.operator, a_spec(group_id=group.id))
        assert await what_there_is(on) == (0, 0, 0, 0)

    in_a_cloud(tmp_path / "data", story)


@pytest.mark.parametrize("is_hard", [True, False])
def test_members_that_are_booted_all_at_once_are_kept_apart(tmp_path: Path, is_hard: bool) -> None:
    async def story(on: Harness) -> None:
        group = await server_groups.create_group(on.cloud, on.operator, "db", is_hard=is_hard)
        spec = a_spec(group_id=group.id)
        made = await asyncio.gather(*(boots.boot_server(on.cloud, on.operator, spec) for _ in range(8)))

        held = [server.host for server in made if server.host is not None]
        assert len(set(held)) == 4
        # All chose their cell before anybody was there: the policy holds in it, whatever they chose.
        assert len(held) == (4 if is_hard else 8)
        assert sum(boots.found_no_host(server) for server in made) == 8 - len(held)

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=4)
    assert check(tmp_path / "data").breach is None


def test_a_boot_drive_is_whole_before_the_server_runs(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        for image in IMAGES:
            server = await boots.boot_server(on.cloud, on.operator, a_spec(image=image, boot_drive_bytes=40 * GIB))
            await on.engine.advance(8)
            assert (await on.look(server.id)).state is ServerState.RUNNING
            (drive,) = (await drives.drives_of(on.cloud, [server.id]))[server.id]
            assert drive.state is DriveState.MOUNTED

    in_a_cloud(tmp_path / "data", story)


def test_a_copy_of_a_servers_own_disk_is_not_its_own_disk(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await boots.boot_server(on.cloud, on.operator, a_spec())
        await on.engine.advance(10)
        (disk,) = (await drives.drives_of(on.cloud, [server.id]))[server.id]
        copy = (await clones.clone_drive(on.cloud, on.operator, disk.id)).drive
        await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        await drives.attach_drive(on.cloud, on.operator, copy.id, server.id, channel="0:1")
        await boots.delete_server(on.cloud, on.operator, server.id)

        (left,) = (await drives.list_drives(on.cloud, on.operator)).items
        assert (left.id, left.server_id) == (copy.id, None)

    in_a_cloud(tmp_path / "data", story)


def test_a_disk_that_was_detached_stays(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await boots.boot_server(on.cloud, on.operator, a_spec())
        await on.engine.advance(10)
        (disk,) = (await drives.drives_of(on.cloud, [server.id]))[server.id]
        await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        for _ in range(2):
            await drives.detach_drive(on.cloud, on.operator, disk.id)
            await drives.attach_drive(on.cloud, on.operator, disk.id, server.id)
        await boots.delete_server(on.cloud, on.operator, server.id)
        assert [each.id for each in (await drives.list_drives(on.cloud, on.operator)).items] == [disk.id]

    in_a_cloud(tmp_path / "data", story)


def test_one_that_waits_for_room_can_be_deleted_and_those_who_made_room_stay(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        filler = await on.server("filler", vcpus=8, gib=60, is_backfilling=True, cell="cell-1")
        await servers.start_server(on.cloud, on.operator, filler.id)
        await on.engine.advance(10)
        waiting = await boots.boot_server(on.cloud, on.operator, replace(a_spec(), size=Size(16_000, 64 * GIB)))
        assert waiting.waits is not None
        await boots.delete_server(on.cloud, on.operator, waiting.id)
        await on.engine.advance(120)
        assert (await on.look(filler.id)).state is ServerState.RUNNING
        assert await what_there_is(on) == (1, 0, 1, 0)

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)
    assert check(tmp_path / "data").breach is None
