"""Clones of servers with their drives, and the recipe: clone avoiding itself, then start avoiding the origin."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.check import check as check_folder
from backend.cloud import lifecycle
from backend.cloud.errors import (
    CloudError,
    Conflict,
    Forbidden,
    NoCapacity,
    NotFound,
    OverQuota,
    Unreachable,
    WrongState,
)
from backend.cloud.model import GIB, Drive, DriveState, Server, ServerState, Size, Task, TaskState
from backend.operations import RequestKey, cells, clone_plans, drives, losses, plans, server_clones, servers, tasks
from backend.operations.clone_plans import CloneSpec
from backend.operations.drives import DriveSpec
from backend.operations.server_clones import ServerCloneBegun
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON
from tests.test_simulation import check

IN_ONE_CELL = {"cells": ("cell-1",)}


async def a_server_with_drives(on: Harness, *gib: int, name: str = "web", cell: str = "cell-1", **more: Any) -> Server:
    server = await on.server(name, cell=cell, **more)
    for number, size in enumerate(gib):
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec(f"{name}-{number}", size * GIB, cell=cell))
        await on.engine.advance(3)
        await drives.attach_drive(
            on.cloud, on.operator, drive.id, server.id, channel=f"0:{number}", boot_order=number + 1
        )
    return await on.look(server.id)


async def clone(on: Harness, server: Server, **more: Any) -> ServerCloneBegun:
    given = {name: more.pop(name) for name in ("if_version", "request") if name in more}
    return await server_clones.clone_server(on.cloud, on.operator, server.id, CloneSpec(**more), **given)


async def drives_of(on: Harness, server: Server) -> list[Drive]:
    return (await drives.drives_of(on.cloud, [server.id])).get(server.id, [])


async def told(on: Harness, begun: ServerCloneBegun) -> list[tuple[Any, ...]]:
    """What became of each entry of the avoid list, in the end."""
    entries = await server_clones.report_on_copies(on.cloud, on.operator, begun)
    return [
        (entry.id, entry.fate, [(each.of.id, each.host, each.sharing) for each in entry.sharers]) for entry in entries
    ]


async def ended_task(on: Harness, kind: str) -> Task:
    listing = await tasks.list_tasks(on.cloud, on.operator, is_open=False, limit=100)
    return next(view.task for view in listing.items if view.task.kind == kind)


async def everything(on: Harness) -> tuple[Any, ...]:
    """What is there, reserved and told."""
    found = await on.cloud.store.cloud_read(
        lambda tx: (tx.usage("inside"), tx.server_entries(), tx.drive_entries(), tx.last_event_number())
    )
    return (*found, await on.events())


def test_a_clone_has_a_copy_of_each_drive_attached_as_the_original_is(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, 5, meta={"a": "b"}, tags=("group:web",), smp=2)
        await servers.start_server(on.cloud, on.operator, source.id)
        begun = await clone(on, source)
        made = await on.look(begun.server.id)
        assert (made.name, made.state, made.host, made.cell) == ("web-clone", ServerState.STOPPED, None, "cell-1")
        for field in ("size", "smp", "meta", "tags", "floor_permille", "is_backfilling", "attributes", "project_id"):
            assert getattr(made, field) == getattr(source, field)
        copies, originals = await drives_of(on, made), await drives_of(on, source)
        assert [copy.name for copy in copies] == ["web-0-clone", "web-1-clone"]
        for copy, original in zip(copies, originals, strict=True):
            for field in ("host", "size_bytes", "media", "device", "channel", "boot_order", "meta", "tags"):
                assert getattr(copy, field) == getattr(original, field)
            assert (copy.state, original.state) == (DriveState.CLONING_DST, DriveState.CLONING_SRC)
        assert [each.task and each.task.payload["rate_bytes_per_second"] for each in begun.copies] == [GIB, GIB]
        await on.engine.advance(10)
        states = {drive.state for drive in (*await drives_of(on, made), *await drives_of(on, source))}
        assert states == {DriveState.MOUNTED}
        assert (await on.look(made.id)).state is ServerState.STOPPED
        await check(on)

    in_a_cloud(tmp_path / "data", story)
    assert check_folder(tmp_path / "data").breach is None


def test_the_recipe_waits_for_the_copies_and_starts_the_clone_away_from_its_origin(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, 20)
        await servers.start_server(on.cloud, on.operator, source.id)
        await on.engine.advance(10)
        origin = await on.look(source.id)
        begun = await clone(on, source, is_started=True)
        assert begun.avoid == (source.id,)
        assert begun.start is not None
        slowest = lifecycle.clone_seconds(20 * GIB, is_same_host=False)
        assert begun.start.due_at - begun.start.begun_at == timedelta(seconds=slowest)
        originals = {drive.host for drive in await drives_of(on, source)}
        assert not originals & {each.drive.host for each in begun.copies}
        await on.engine.advance(slowest - 1)
        assert (await on.look(begun.server.id)).state is ServerState.STOPPED
        await on.engine.advance(1)
        started = await on.look(begun.server.id)
        assert (started.state, started.avoid) == (ServerState.STARTING, (source.id,))
        assert started.host not in (None, origin.host)
        task = await ended_task(on, "start_apart")
        assert (task.state, task.result) == (TaskState.DONE, f"starts on {started.host}, apart from web")
        await check(on)

    in_a_cloud(tmp_path / "data", story)
    assert check_folder(tmp_path / "data").breach is None


def test_a_start_that_no_host_has_room_for_fails_with_the_reason_and_the_clone_stays(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, vcpus=8)
        await servers.start_server(on.cloud, on.operator, source.id)
        await on.running("other", vcpus=8)
        begun = await clone(on, source, is_started=True)
        await on.engine.advance(100)
        stays = await on.look(begun.server.id)
        task = await ended_task(on, "start_apart")
        assert (stays.state, task.state) == (ServerState.STOPPED, TaskState.FAILED)
        assert stays.reason == task.result
        assert "2 short of CPU" in (task.result or "")
        assert {drive.state for drive in await drives_of(on, stays)} == {DriveState.MOUNTED}

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_that_must_share_its_origins_host_says_why(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        await servers.start_server(on.cloud, on.operator, source.id)
        host = (await on.look(source.id)).host
        begun = await clone(on, source, is_started=True)
        await on.engine.advance(100)
        assert (await on.look(begun.server.id)).host == host
        task = await ended_task(on, "start_apart")
        assert task.result == f"starts on {host}, which it shares with web: no other host has room"

    in_a_cloud(tmp_path / "data", story, hosts=1, **IN_ONE_CELL)


def test_a_start_waits_for_a_copy_whose_storage_host_was_lost(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        begun = await clone(on, source, is_started=True)
        copy = begun.copies[0].drive
        await losses.fail_host(on.cloud, on.operator.name, copy.host)
        await on.engine.advance(4000)
        assert (await on.look(begun.server.id)).state is ServerState.STOPPED
        await losses.recover_host(on.cloud, on.operator.name, copy.host)
        await on.engine.advance(7200)
        assert (await on.look(begun.server.id)).state is ServerState.RUNNING

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_server_does_not_start_on_copies_that_are_not_whole(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        begun = await clone(on, await a_server_with_drives(on, 10))
        plan = await plans.preview(on.cloud, on.operator, begun.server.id, "start")
        assert isinstance(plan.problem, WrongState)
        with pytest.raises(WrongState, match="cloning_dst"):
            await servers.start_server(on.cloud, on.operator, begun.server.id)
        await on.engine.advance(10)
        await servers.start_server(on.cloud, on.operator, begun.server.id)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


@pytest.mark.parametrize("deed", ["start and stop", "delete"])
def test_who_has_other_plans_for_the_clone_is_not_overruled(tmp_path: Path, deed: str) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on)
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("late", 200 * GIB, cell="cell-1"))
        await on.engine.advance(3)
        await drives.attach_drive(on.cloud, on.operator, drive.id, source.id)
        begun = await clone(on, source, is_started=True)
        if deed == "delete":
            await servers.delete_server(on.cloud, on.operator, begun.server.id)
        else:
            await drives.detach_drive(on.cloud, on.operator, begun.copies[0].drive.id)
            await servers.start_server(on.cloud, on.operator, begun.server.id)
            await on.engine.advance(10)
            await servers.stop_server(on.cloud, on.operator, begun.server.id)
        await on.engine.advance(5000)
        assert (await ended_task(on, "start_apart")).state is TaskState.CANCELLED
        if deed != "delete":
            assert (await on.look(begun.server.id)).state is ServerState.STOPPED
        await check(on)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)
    assert check_folder(tmp_path / "data").breach is None


def test_copies_avoid_left_to_right_and_never_fail_for_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        other = await drives.create_drive(
            on.cloud, on.operator, DriveSpec("other", GIB, avoid=(source.id,), cell="cell-1")
        )
        await on.engine.advance(3)
        first = await clone(on, source, avoid=(source.id, other.id))
        second = await clone(on, source, avoid=(other.id, source.id))
        host = (await drives_of(on, source))[0].host
        assert (first.copies[0].drive.host, second.copies[0].drive.host) == (other.host, host)
        report = await server_clones.report_on_copies(on.cloud, on.operator, first)
        assert [(entry.name, entry.kind, entry.fate) for entry in report] == [
            ("web", "server", "apart"),
            ("other", "drive", "shares"),
        ]
        assert report[1].sharers[0].sharing is not None
        assert report[1].sharers[0].sharing.reason == "held"
        plan = await clone_plans.plan_server_clone(
            on.cloud, on.operator, source.id, CloneSpec(avoid=(source.id, other.id))
        )
        assert [(entry.id, entry.fate) for entry in plan.entries] == [(each.id, each.fate) for each in report]

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_goes_whole_to_a_cell_that_has_room_for_all_of_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 400, 400)
        near = await clone(on, source)
        far = await clone(on, source)
        assert (near.server.cell, far.server.cell) == ("cell-1", "cell-2")
        assert {each.drive.cell for each in far.copies} == {"cell-2"}
        await on.engine.advance(
            max((each.task.due_at - on.clock.now()).total_seconds() for each in far.copies if each.task)
        )
        assert {drive.state for drive in await drives_of(on, source)} == {DriveState.MOUNTED}
        assert {drive.state for drive in await drives_of(on, far.server)} == {DriveState.MOUNTED}
        await clone(on, source)
        with pytest.raises(NoCapacity, match="short of storage"):
            await clone(on, source)
        await check(on)

    in_a_cloud(tmp_path / "data", story)
    assert check_folder(tmp_path / "data").breach is None


def test_the_recipe_goes_to_the_cell_where_the_clone_can_start(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, vcpus=8)
        for name in ("one", "two"):
            await on.running(name, vcpus=8, cell="cell-1")
        begun = await clone(on, source, is_started=True)
        await on.engine.advance(200)
        started = await on.look(begun.server.id)
        assert (started.cell, started.state) == ("cell-2", ServerState.RUNNING)

    in_a_cloud(tmp_path / "data", story)


def test_what_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 900)
        await clone(on, source)
        before = await everything(on)
        refused: list[tuple[type[CloudError], dict[str, Any]]] = [
            (NoCapacity, {}),
            (NoCapacity, {"is_started": True, "avoid": (source.id,)}),
            (Conflict, {"if_version": 99}),
        ]
        for error, more in refused:
            with pytest.raises(error):
                await clone(on, source, **more)
        with pytest.raises(NotFound):
            await server_clones.clone_server(on.cloud, on.tenant, source.id, CloneSpec())
        assert await everything(on) == before

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_the_quota_is_for_all_of_it_or_for_nothing(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        await clone(on, source)
        before = await everything(on)
        with pytest.raises(OverQuota):
            await clone(on, source)
        plan = await plans.preview_server_clone(on.cloud, on.operator, source.id, CloneSpec())
        assert isinstance(plan.problem, OverQuota)
        assert await everything(on) == before

    in_a_cloud(tmp_path / "data", story, servers_max=2, **IN_ONE_CELL)


def test_a_backfilling_server_is_cloned_only_by_who_may_backfill(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 1, is_backfilling=True)
        assert (await clone(on, source)).server.is_backfilling
        without = replace(on.operator, may_backfill=False)
        with pytest.raises(Forbidden):
            await server_clones.clone_server(on.cloud, without, source.id, CloneSpec())

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


@pytest.mark.parametrize("what", ["the server", "a drive"])
def test_what_is_lost_or_half_made_cannot_be_cloned(tmp_path: Path, what: str) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        if what == "the server":
            await servers.start_server(on.cloud, on.operator, source.id)
            await on.engine.advance(10)
            await losses.fail_host(on.cloud, on.operator.name, str((await on.look(source.id)).host))
        else:
            await losses.fail_host(on.cloud, on.operator.name, (await drives_of(on, source))[0].host)
        before = await everything(on)
        with pytest.raises(WrongState, match="unavailable"):
            await clone(on, source)
        assert await everything(on) == before

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_repeated_request_makes_one_clone_and_another_one_with_its_key_is_refused(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, 5)
        key = RequestKey("operator/1", "digest")
        first, second = [await clone(on, source, request=key, is_started=True) for _ in range(2)]
        assert replace(first, placed=()) == second
        # What is told from the plan, and from the log.
        assert await told(on, first) == await told(on, second)
        listing = await servers.list_servers(on.cloud, on.operator)
        assert listing.total == 2
        with pytest.raises(Conflict):
            await clone(on, source, request=RequestKey("operator/1", "another"))
        await servers.delete_server(on.cloud, on.operator, first.server.id)
        with pytest.raises(Conflict, match="deleted since"):
            await clone(on, source, request=key, is_started=True)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_clone_waits_in_a_silent_cell_and_starts_when_that_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        begun = await clone(on, await a_server_with_drives(on, 10), is_started=True)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.advance(4000)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(10)
        assert (await on.look(begun.server.id)).state is ServerState.RUNNING

    in_a_cloud(tmp_path / "data", story)


def test_a_cell_that_is_lost_while_it_is_asked_gets_its_reservations_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10)
        before = await on.cloud.store.cloud_read(lambda tx: (tx.usage("inside"), tx.server_entries()))
        file = tmp_path / "data" / "cells" / "cell-1.db"
        write = on.cloud.store.cloud_write

        async def write_and_lose(job: Any) -> Any:
            answer = await write(job)
            if file.exists():
                file.rename(file.with_suffix(".away"))
            return answer

        setattr(on.cloud.store, "cloud_write", write_and_lose)  # noqa: B010  # it stands in for the method
        with pytest.raises(Unreachable):
            await clone(on, source)
        assert await on.cloud.store.cloud_read(lambda tx: (tx.usage("inside"), tx.server_entries())) == before
        assert not on.cloud.live

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_room_that_is_gone_when_the_copies_are_made_leaves_none_of_them(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 100, 400)
        write = on.cloud.store.cloud_write

        async def write_and_fill(job: Any) -> Any:
            setattr(on.cloud.store, "cloud_write", write)  # noqa: B010  # it stands in for the method
            answer = await write(job)
            for _ in range(2):
                await drives.create_drive(on.cloud, on.operator, DriveSpec("filler", 450 * GIB))
            return answer

        setattr(on.cloud.store, "cloud_write", write_and_fill)  # noqa: B010
        with pytest.raises(NoCapacity):
            await clone(on, source)
        usage = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))
        assert (usage.servers, usage.storage_bytes) == (1, 1400 * GIB)
        names = sorted(item.name for item in (await drives.list_drives(on.cloud, on.operator)).items)  # type: ignore[union-attr]
        assert names == ["filler", "filler", "web-0", "web-1"]
        assert {drive.state for drive in await drives_of(on, source)} == {DriveState.MOUNTED}
        await check(on)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)
    assert check_folder(tmp_path / "data").breach is None


def test_a_plan_says_where_each_copy_goes_how_long_it_takes_and_where_the_clone_would_start(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await a_server_with_drives(on, 10, 20)
        await servers.start_server(on.cloud, on.operator, source.id)
        before = await everything(on)
        plan = await plans.preview_server_clone(on.cloud, on.operator, source.id, CloneSpec(is_started=True))
        assert await everything(on) == before
        assert plan.clone is not None
        assert plan.start is not None
        assert plan.start.decision is not None
        begun = await clone(on, source, is_started=True)
        assert [each.drive.host for each in begun.copies] == [copy.found.host for copy in plan.clone.copies]
        assert [(each.task.due_at - each.task.begun_at).total_seconds() for each in begun.copies if each.task] == [
            copy.seconds for copy in plan.clone.copies
        ]
        await on.engine.advance(plan.clone.seconds)
        assert (await on.look(begun.server.id)).host == plan.start.decision.host

    in_a_cloud(tmp_path / "data", story)


def test_the_recipe_survives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> str:
        async with opened(folder) as on:
            begun = await clone(on, await a_server_with_drives(on, 10), is_started=True)
            await on.engine.save_clock()
            return begun.server.id

    async def after(server_id: str) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=5)) as on:
            await on.engine.advance(100)
            assert (await on.look(server_id)).state is ServerState.RUNNING

    asyncio.run(after(asyncio.run(before())))


def test_sizes_are_what_the_source_has(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        source = await on.server("odd", vcpus=1, gib=3)
        begun = await clone(on, source, name="twin", is_started=True)
        await on.engine.advance(0)
        twin = await on.look(begun.server.id)
        assert (twin.name, twin.size, twin.state) == ("twin", Size(2000, 3 * GIB), ServerState.STARTING)

    in_a_cloud(tmp_path / "data", story)
