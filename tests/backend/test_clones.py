"""Clones of drives: where the copy goes, how long it takes, and what its source may do meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from backend.cloud import lifecycle
from backend.cloud.errors import NoCapacity, NotFound, WrongState
from backend.cloud.model import GIB, Drive, DriveState
from backend.operations import RequestKey, cells, clones, drives, losses, servers
from backend.operations.drives import DriveSpec
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

IN_ONE_CELL = {"cells": ("cell-1",)}
CLONING_SRC, CLONING_DST = DriveState.CLONING_SRC, DriveState.CLONING_DST
MOUNTED, UNMOUNTED = DriveState.MOUNTED, DriveState.UNMOUNTED


async def a_drive(on: Harness, name: str = "data", *, gib: int = 10, **more: object) -> Drive:
    drive = await drives.create_drive(on.cloud, on.operator, DriveSpec(name, gib * GIB, **more))  # type: ignore[arg-type]
    await on.engine.advance(5)
    return await look_at(on, drive)


async def look_at(on: Harness, drive: Drive) -> Drive:
    found = await drives.get_drive(on.cloud, on.operator, drive.id)
    assert isinstance(found, Drive)
    return found


async def clone(on: Harness, drive: Drive, **more: object) -> clones.CloneBegun:
    return await clones.clone_drive(on.cloud, on.operator, drive.id, **more)  # type: ignore[arg-type]


def test_a_clone_without_wishes_stays_on_its_sources_host_and_is_fast(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=10)
        await a_drive(on, "filler", gib=100, avoid=())
        begun = await clone(on, source)
        assert begun.task is not None
        assert (begun.drive.host, begun.drive.state, begun.drive.name) == (source.host, CLONING_DST, "data-clone")
        assert begun.task.due_at - begun.task.begun_at == timedelta(seconds=10)
        assert begun.task.payload["rate_bytes_per_second"] == GIB
        assert (await look_at(on, source)).state is CLONING_SRC
        await on.engine.advance(9)
        assert (await look_at(on, begun.drive)).state is CLONING_DST
        await on.engine.advance(1)
        assert (await look_at(on, begun.drive)).state is UNMOUNTED
        assert (await look_at(on, source)).state is UNMOUNTED

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


@pytest.mark.parametrize("avoids", ["the drive itself", "its server"])
def test_a_clone_that_avoids_its_source_goes_to_another_host_and_is_slow(tmp_path: Path, avoids: str) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=10)
        server = await on.server("db")
        await drives.attach_drive(on.cloud, on.operator, source.id, server.id)
        avoid = (source.id,) if avoids == "the drive itself" else (server.id,)
        plan = await clones.plan_clone(on.cloud, on.operator, source.id, avoid=avoid)
        begun = await clone(on, source, avoid=avoid)
        assert begun.task is not None
        assert begun.drive.host == plan.found.host != source.host
        assert begun.task.due_at - begun.task.begun_at == timedelta(seconds=plan.seconds)
        assert plan.seconds == -(-10 * GIB // lifecycle.CLONE_BYTES_PER_SECOND_OVER_NETWORK)
        assert begun.task.progress(begun.task.begun_at + timedelta(seconds=plan.seconds / 2)) == 0.5
        await on.engine.advance(plan.seconds)
        assert (await look_at(on, source)).state is MOUNTED

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_that_cannot_avoid_everything_avoids_what_stands_first(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on)
        other = await a_drive(on, "other", avoid=(source.id,))
        assert other.host != source.host
        first = await clone(on, source, avoid=(source.id, other.id))
        second = await clone(on, source, avoid=(other.id, source.id))
        assert (first.drive.host, second.drive.host) == (other.host, source.host)
        plan = await clones.plan_clone(on.cloud, on.operator, source.id, avoid=(source.id, other.id))
        assert plan.avoided == (other.id,)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_whose_host_has_no_room_goes_elsewhere_even_to_another_cell(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=600, cell="cell-1")
        near = await clone(on, source)
        far = await clone(on, source)
        assert (near.drive.cell, near.drive.host == source.host) == ("cell-1", False)
        assert far.drive.cell == "cell-2"
        assert far.task is not None
        await on.engine.advance((far.task.due_at - on.clock.now()).total_seconds() - 1)
        assert (await look_at(on, source)).state is CLONING_SRC
        await on.engine.advance(1)
        assert (await look_at(on, source)).state is UNMOUNTED
        assert (await look_at(on, far.drive)).state is UNMOUNTED
        await clone(on, source)
        with pytest.raises(NoCapacity, match="short of storage"):
            await clone(on, source)

    in_a_cloud(tmp_path / "data", story)


def test_a_source_is_free_again_when_its_last_clone_is_whole(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=10)
        await clone(on, source)
        await on.engine.advance(4)
        await clone(on, source, name="second")
        await on.engine.advance(6)
        assert (await look_at(on, source)).state is CLONING_SRC
        with pytest.raises(WrongState):
            await drives.delete_drive(on.cloud, on.operator, source.id)
        await on.engine.advance(4)
        assert (await look_at(on, source)).state is UNMOUNTED

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_drive_that_is_being_cloned_to_can_be_attached_and_is_mounted_when_whole(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source, server = await a_drive(on), await on.server("db")
        begun = await clone(on, source)
        await drives.attach_drive(on.cloud, on.operator, begun.drive.id, server.id)
        assert (await look_at(on, begun.drive)).state is CLONING_DST
        await on.engine.advance(10)
        assert (await look_at(on, begun.drive)).state is MOUNTED
        await servers.start_server(on.cloud, on.operator, server.id)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_the_copy_belongs_to_who_asked_and_counts_against_their_quota(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on)
        with pytest.raises(NotFound):
            await clones.clone_drive(on.cloud, on.tenant, source.id)
        before = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside").storage_bytes)
        begun = await clone(on, source)
        assert (begun.drive.project_id, begun.drive.owner) == ("inside", on.operator.name)
        after = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside").storage_bytes)
        assert after - before == source.size_bytes

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_that_no_host_has_room_for_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=900)
        await clone(on, source)
        before = await on.cloud.store.cloud_read(lambda tx: (tx.usage("inside"), len(tx.drive_entries())))
        log = await on.events()
        with pytest.raises(NoCapacity):
            await clone(on, source)
        assert await on.cloud.store.cloud_read(lambda tx: (tx.usage("inside"), len(tx.drive_entries()))) == before
        assert await on.events() == log

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


@pytest.mark.parametrize("state", ["creating", "cloning_dst", "unavailable"])
def test_a_drive_that_is_not_whole_cannot_be_cloned(tmp_path: Path, state: str) -> None:
    async def story(on: Harness) -> None:
        if state == "creating":
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("new", GIB))
        else:
            drive = await a_drive(on)
            if state == "cloning_dst":
                drive = (await clone(on, drive)).drive
            else:
                await losses.fail_host(on.cloud, on.operator.name, drive.host)
        with pytest.raises(WrongState, match=state):
            await clone(on, drive)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_repeated_request_makes_one_copy(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on)
        key = RequestKey("operator/1", "digest")
        first, second = [await clone(on, source, request=key) for _ in range(2)]
        assert first.drive.id == second.drive.id
        assert first.task is not None
        assert second.task is not None
        assert first.task.id == second.task.id
        listing = await drives.list_drives(on.cloud, on.operator)
        assert listing.total == 2

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_copy_whose_host_is_lost_begins_again_and_its_source_does_not_wait_for_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on)
        begun = await clone(on, source, avoid=(source.id,))
        await on.engine.advance(30)
        await losses.fail_host(on.cloud, on.operator.name, begun.drive.host)
        await on.engine.advance(100)
        assert (await look_at(on, begun.drive)).state is DriveState.UNAVAILABLE
        assert (await look_at(on, source)).state is UNMOUNTED
        await losses.recover_host(on.cloud, on.operator.name, begun.drive.host)
        assert (await look_at(on, begun.drive)).state is CLONING_DST
        await on.engine.advance(59)
        assert (await look_at(on, begun.drive)).state is UNMOUNTED

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_goes_on_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> tuple[Drive, Drive]:
        async with opened(folder) as on:
            source = await a_drive(on)
            begun = await clone(on, source, avoid=(source.id,))
            return source, begun.drive

    async def after(source: Drive, copy: Drive) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=100)) as on:
            await on.engine.run_due()
            assert (await look_at(on, copy)).state is UNMOUNTED
            assert (await look_at(on, source)).state is UNMOUNTED

    asyncio.run(after(*asyncio.run(before())))


def test_a_clone_from_a_cell_that_then_falls_silent_is_finished(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_drive(on, gib=600, cell="cell-1")
        await clone(on, source)
        far = await clone(on, source)
        assert far.drive.cell == "cell-2"
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.advance(4000)
        assert (await look_at(on, far.drive)).state is UNMOUNTED
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(1)
        assert (await look_at(on, source)).state is UNMOUNTED

    in_a_cloud(tmp_path / "data", story)
