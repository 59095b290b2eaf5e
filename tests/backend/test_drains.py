"""Draining a host moves nothing; evacuating it moves one server at a time, and leaves who has nowhere to go."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cloud.errors import Conflict, WrongState
from backend.cloud.model import GIB, HostState, ServerState, Size
from backend.operations import RequestKey, drains, drives, host_plans, losses, servers
from backend.operations.drives import DriveSpec
from backend.operations.losses import HostBegun
from tests.backend.support import Harness, in_a_cloud

IN_ONE_CELL = {"cells": ("cell-1",)}
TWO_HOSTS = {"hosts": 2, "capacity": Size(16_000, 64 * GIB), **IN_ONE_CELL}
RUNNING, STOPPED = ServerState.RUNNING, ServerState.STOPPED


async def drain(on: Harness, host: str | None) -> None:
    assert host is not None
    await drains.drain_host(on.cloud, on.operator.name, host)


async def evacuate(on: Harness, host: str | None) -> HostBegun:
    assert host is not None
    return await drains.evacuate_host(on.cloud, on.operator.name, host)


async def state_of(on: Harness, host: str) -> HostState:
    return await on.cloud.store.cell_read("cell-1", lambda tx: tx.host(host).state)


def test_a_drained_host_takes_no_placements_and_keeps_what_is_on_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")
        await drain(on, server.host)
        await on.engine.advance(3600)
        assert ((await on.look(server.id)).state, (await on.look(server.id)).host) == (RUNNING, server.host)
        for number in range(3):
            assert (await on.running(f"new-{number}", vcpus=1)).host != server.host
        with pytest.raises(WrongState, match="drain host"):
            await drain(on, server.host)
        await losses.recover_host(on.cloud, on.operator.name, server.host or "")
        assert await state_of(on, server.host or "") is HostState.UP

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_an_evacuation_moves_one_server_at_a_time_the_oldest_first(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        first = await on.running("first", vcpus=1)
        host = first.host
        other = await on.running("other", vcpus=5)
        second = await on.running("second", vcpus=1)
        assert second.host == host != other.host
        await drain(on, host)
        begun = await evacuate(on, host)
        assert begun.task is not None
        assert begun.task.payload["name"] == "first"
        for _ in range(24):
            await on.engine.advance(1)
            away = [s for s in (await on.look(first.id), await on.look(second.id)) if s.state is not RUNNING]
            assert len([s for s in away if s.state is not ServerState.STARTING]) <= 1, "never two at once"
        await on.engine.advance(20)

        for server in (first, second):
            moved = await on.look(server.id)
            assert (moved.state, moved.host, moved.reason) == (RUNNING, other.host, None)
        kinds = await on.kinds()
        assert kinds.count("host.evacuated") == 1
        tasks = await on.cloud.store.cell_read("cell-1", lambda tx: tx.tasks(is_open=False, limit=50))
        assert {task.result for task in tasks if task.kind == "evacuate"} == {
            f"1 of 2: first to {other.host}",
            f"2 of 2: second to {other.host}",
        }
        assert await state_of(on, host or "") is HostState.MAINTENANCE

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_a_server_that_no_other_host_can_have_is_not_stopped(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        large = await on.running("large", vcpus=7)
        small = await on.running("small", vcpus=4)
        assert large.host != small.host
        await drain(on, large.host)
        plan = await host_plans.preview_host(on.cloud, on.operator, large.host or "", "evacuate")
        assert [(move.server.name, move.outcome) for move in plan.moves] == [("large", "stays")]
        assert plan.moves[0].problem == "No host has room for server large (1 in maintenance, 1 short of CPU)."
        assert (await evacuate(on, large.host)).task is None
        await on.engine.advance(60)
        assert (await on.look(large.id)).state is RUNNING

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_the_plan_of_a_drain_is_what_the_evacuation_does(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        names = [await on.running(f"s{number}", vcpus=1 + number % 2) for number in range(6)]
        host = names[0].host or ""
        log = await on.events()
        plan = await host_plans.preview_host(on.cloud, on.operator, host, "drain")
        assert await on.events() == log
        assert await state_of(on, host) is HostState.UP
        await drain(on, host)
        await evacuate(on, host)
        await on.engine.advance(plan.seconds)
        for move in plan.moves:
            assert move.outcome == "moves"
            assert (await on.look(move.server.id)).host == move.to

    in_a_cloud(tmp_path / "data", story, hosts=4, capacity=Size(8_000, 64 * GIB), **IN_ONE_CELL)


def test_ending_the_maintenance_ends_the_evacuation_after_the_one_on_its_way(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        first = await on.running("first", vcpus=1)
        host = first.host or ""
        await on.running("other", vcpus=5)
        second = await on.running("second", vcpus=1)
        await drain(on, host)
        await evacuate(on, host)
        with pytest.raises(Conflict, match="being evacuated already"):
            await evacuate(on, host)
        await on.engine.advance(5)
        ending = (await losses.recover_host(on.cloud, on.operator.name, host)).task
        await on.engine.advance(60)
        assert ending is not None
        task = await on.cloud.store.cell_read("cell-1", lambda tx: tx.find_task(ending.id))
        assert task is not None
        assert task.result == f"1 of 2: first to {host}; the rest stays, as the maintenance is over"
        assert (await on.look(first.id)).state is RUNNING
        assert (await on.look(second.id)).host == host

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_a_host_that_is_lost_in_the_middle_still_has_the_one_on_its_way_started_elsewhere(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01", vcpus=1)
        await drain(on, server.host)
        await evacuate(on, server.host)
        await on.engine.advance(5)
        assert (await on.look(server.id)).state is ServerState.STOPPING
        await losses.fail_host(on.cloud, on.operator.name, server.host or "")
        assert (await on.look(server.id)).lost_from == "running"
        await on.engine.advance(70)
        moved = await on.look(server.id)
        assert moved.state is RUNNING
        assert moved.host != server.host

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_a_server_that_was_deleted_on_its_way_is_let_go(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01", vcpus=1)
        await drain(on, server.host)
        begun = await evacuate(on, server.host)
        assert begun.task is not None
        # Its owner stops it with the cord, quicker than the evacuation's shutdown: not possible while it is stopping.
        with pytest.raises(WrongState):
            await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(30)
        assert (await on.look(server.id)).state is RUNNING

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


@pytest.mark.parametrize("state", ["up", "down"])
def test_only_a_host_in_maintenance_is_evacuated(tmp_path: Path, state: str) -> None:
    async def story(on: Harness) -> None:
        if state == "down":
            await losses.fail_host(on.cloud, on.operator.name, "c1-h1")
        with pytest.raises(WrongState, match=f"it is {state}"):
            await evacuate(on, "c1-h1")

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)


def test_a_storage_host_can_be_drained_and_not_evacuated(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await drain(on, "s1-1")
        with pytest.raises(Conflict, match="Clone the drives instead"):
            await evacuate(on, "s1-1")
        for _ in range(4):
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", 10 * GIB))
            assert drive.host == "s1-2"

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_repeated_evacuation_names_the_task_of_the_first(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01", vcpus=1)
        await drain(on, server.host)
        key = RequestKey("operator/1", "digest")
        begun = [
            await drains.evacuate_host(on.cloud, on.operator.name, server.host or "", request=key) for _ in range(2)
        ]
        assert begun[0].task is not None
        assert begun[1].task is not None
        assert begun[0].task.id == begun[1].task.id

    in_a_cloud(tmp_path / "data", story, **TWO_HOSTS)
