"""Drives that grow, and snapshots of them: what is charged for is what there is, whatever is cut short."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backend.check import check
from backend.cloud.errors import NoCapacity, NotFound, OverQuota, WrongState
from backend.cloud.model import GIB, Drive, DriveState
from backend.operations import drives, losses, resizing, servers, snapshots
from backend.operations.drives import DriveSpec
from backend.operations.snapshots import SnapshotSpec
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON


async def a_drive(on: Harness, gib: int = 10) -> Drive:
    made = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", gib * GIB, cell="cell-1"))
    await on.engine.advance(5)
    return await look(on, made.id)


async def look(on: Harness, drive_id: str) -> Drive:
    found = await drives.get_drive(on.cloud, on.operator, drive_id)
    assert isinstance(found, Drive)
    return found


async def charged(on: Harness) -> int:
    used = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))
    return used.storage_bytes


def test_it_takes_its_room_and_its_quota_at_once_and_is_free_again_when_it_is_done(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await a_drive(on)
        begun = await resizing.resize_drive(on.cloud, on.operator, drive.id, 30 * GIB)
        loads = await on.cloud.store.cell_read("cell-1", lambda tx: tx.storage_loads())
        used = next(load.used_bytes for load in loads if load.host.name == drive.host)

        assert (begun.state, begun.size_bytes, used, await charged(on)) == (
            *(DriveState.RESIZING, 30 * GIB, 30 * GIB, 30 * GIB),
        )
        with pytest.raises(WrongState):
            await resizing.resize_drive(on.cloud, on.operator, drive.id, 40 * GIB)
        await on.engine.advance(5)
        ended = await look(on, drive.id)
        assert (ended.state, ended.size_bytes, ended.attributes) == (DriveState.UNMOUNTED, 30 * GIB, drive.attributes)

    in_a_cloud(tmp_path / "data", story)
    assert check(tmp_path / "data").breach is None


def test_what_does_not_fit_is_refused_and_charged_for_as_before(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await a_drive(on)
        with pytest.raises(NoCapacity):
            await resizing.resize_drive(on.cloud, on.operator, drive.id, 1001 * GIB)
        assert (await look(on, drive.id), await charged(on)) == (drive, 10 * GIB)
        exactly = await resizing.resize_drive(on.cloud, on.operator, drive.id, 1000 * GIB)
        assert exactly.size_bytes == 1000 * GIB

    in_a_cloud(tmp_path / "data", story)


def test_of_two_that_grow_at_once_the_host_has_room_for_one(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        made = [await a_drive(on) for _ in range(3)]
        by_host = {drive.host: [each for each in made if each.host == drive.host] for drive in made}
        first, second = next(sharing for sharing in by_host.values() if len(sharing) == 2)
        answers = await asyncio.gather(
            *(resizing.resize_drive(on.cloud, on.operator, drive.id, 600 * GIB) for drive in (first, second)),
            return_exceptions=True,
        )

        assert sorted(type(answer).__name__ for answer in answers) == ["Drive", "NoCapacity"]
        assert await charged(on) == 620 * GIB

    in_a_cloud(tmp_path / "data", story)
    assert check(tmp_path / "data").breach is None


@pytest.mark.parametrize(("steps", "size_gib"), [(1, 10), (2, 30), (3, 30)])
def test_a_resize_that_was_cut_short_is_charged_for_as_it_is(tmp_path: Path, steps: int, size_gib: int) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            drive = await a_drive(on)
            store, larger = on.cloud.store, 30 * GIB
            await store.cloud_write(
                lambda tx: drives.set_drive_entry(tx, drive.id, size_bytes=larger, state="building")
            )
            if steps > 1:
                await store.cell_write(
                    "cell-1", lambda tx: resizing.resize_in_cell(tx, drive.id, larger, now=NOON, actor="operator")
                )
            if steps > 2:
                await store.cloud_write(lambda tx: drives.set_drive_entry(tx, drive.id, state="active"))
            return drive.id

    async def look_again(drive_id: str) -> None:
        async with opened(folder) as on:
            assert ((await look(on, drive_id)).size_bytes, await charged(on)) == (size_gib * GIB, size_gib * GIB)

    asyncio.run(look_again(asyncio.run(cut_short())))
    assert check(folder).breach is None


def test_a_resize_that_the_loss_of_its_host_cut_off_goes_on_when_that_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await a_drive(on)
        await resizing.resize_drive(on.cloud, on.operator, drive.id, 30 * GIB)
        await losses.fail_host(on.cloud, on.operator.name, drive.host)
        await on.engine.advance(60)
        lost = await look(on, drive.id)
        await losses.recover_host(on.cloud, on.operator.name, drive.host)
        again = await look(on, drive.id)
        await on.engine.advance(5)

        assert [each.state for each in (lost, again, await look(on, drive.id))] == [
            *(DriveState.UNAVAILABLE, DriveState.RESIZING, DriveState.UNMOUNTED),
        ]

    in_a_cloud(tmp_path / "data", story)


async def take(on: Harness, drive: Drive, count: int = 1) -> list[str]:
    specs = [SnapshotSpec(drive.id)] * count
    return [snapshot.id for snapshot in await snapshots.create_snapshots(on.cloud, on.operator, specs)]


def test_there_are_so_many_snapshots_of_one_drive_and_no_more(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await a_drive(on, 1)
        await take(on, drive, 89)
        with pytest.raises(OverQuota):
            await take(on, drive, 2)
        assert len(await snapshots.list_snapshots(on.cloud, on.operator)) == 89
        [last] = await take(on, drive)
        await snapshots.delete_snapshot(on.cloud, on.operator, last)
        assert await charged(on) == 90 * GIB

    in_a_cloud(tmp_path / "data", story)


def test_snapshots_go_with_a_drive_whose_deletion_was_cut_short(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def cut_short() -> str:
        async with opened(folder) as on:
            drive = await a_drive(on)
            [snapshot_id] = await take(on, drive)
            await on.cloud.store.cloud_write(lambda tx: drives.set_drive_entry(tx, drive.id, state="deleting"))
            with pytest.raises(NotFound):
                await snapshots.get_snapshot(on.cloud, on.operator, snapshot_id)
            return snapshot_id

    async def look_again(snapshot_id: str) -> None:
        async with opened(folder) as on:
            assert await charged(on) == 0
            with pytest.raises(NotFound):
                await snapshots.get_snapshot(on.cloud, on.operator, snapshot_id)

    asyncio.run(look_again(asyncio.run(cut_short())))
    assert check(folder).breach is None


def test_a_restart_is_work_lost_and_leaves_every_decision_proved(tmp_path: Path) -> None:
    from backend.operations import consoles

    async def story(on: Harness) -> None:
        spare = await on.running("spare", vcpus=4, is_backfilling=True, cell="cell-1")
        await on.engine.advance(100)
        again = await consoles.restart_server(on.cloud, on.operator, spare.id)
        assert (again.host, again.effective, again.started_at) == (spare.host, spare.effective, on.cloud.clock.now())
        for number in range(4):
            await on.running(f"full-{number}", vcpus=4, cell="cell-1")
        await servers.stop_server(on.cloud, on.operator, spare.id)

    in_a_cloud(tmp_path / "data", story)
    assert check(tmp_path / "data").breach is None
