"""Hosts that are lost and come back: what becomes of each server and each drive, at which instant."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from backend.cloud.errors import Conflict, NotFound, Unreachable, WrongState
from backend.cloud.model import GIB, Drive, DriveState, HostState, Server, ServerState, Size, TaskState
from backend.operations import RequestKey, availability, cells, drives, host_plans, losses, servers
from backend.operations.drives import DriveSpec
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

RUNNING, STOPPED, STARTING = ServerState.RUNNING, ServerState.STOPPED, ServerState.STARTING
UNAVAILABLE, PAUSED = ServerState.UNAVAILABLE, ServerState.PAUSED
IN_ONE_CELL = {"cells": ("cell-1",)}
OF_TWO = {"capacity": Size(16_000, 64 * GIB)}
"""A host with room for two servers of four cores."""


async def fail(on: Harness, host: str | None) -> None:
    assert host is not None, "it holds a host"
    await losses.fail_host(on.cloud, on.operator.name, host)


async def recover(on: Harness, host: str | None) -> None:
    assert host is not None, "it holds a host"
    await losses.recover_host(on.cloud, on.operator.name, host)


async def running_away_from(on: Harness, name: str, other: Server, *, vcpus: int) -> Server:
    server = await on.server(name, vcpus=vcpus)
    await servers.start_server(on.cloud, on.operator, server.id, avoid=(other.id,))
    await on.engine.advance(10)
    return await on.look(server.id)


async def disk(on: Harness, server: Server, *, cell: str = "cell-1") -> Drive:
    """A drive of the server, which must be stopped."""
    drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", 10 * GIB, cell=cell))
    await on.engine.advance(5)
    return await drives.attach_drive(on.cloud, on.operator, drive.id, server.id)


async def look_at(on: Harness, drive: Drive) -> Drive:
    found = await drives.get_drive(on.cloud, on.operator, drive.id)
    assert isinstance(found, Drive)
    return found


# Compute hosts


def test_the_servers_of_a_lost_host_are_unavailable_at_that_instant_and_in_no_group(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")
        await fail(on, server.host)

        lost = await on.look(server.id)
        assert (lost.state, lost.reason, lost.lost_from) == (UNAVAILABLE, "host_lost", "running")
        assert lost.state_since == on.clock.now()
        assert lost.host == server.host
        assert await availability.server_groups(on.cloud, on.operator) == []
        assert await availability.server_group(on.cloud, on.operator, server.id) == []

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


@pytest.mark.parametrize("is_backfilling", [False, True])
def test_a_host_that_is_back_within_a_minute_has_its_servers_running_again(
    tmp_path: Path, is_backfilling: bool
) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01", is_backfilling=is_backfilling)
        await fail(on, server.host)
        await on.engine.advance(59)
        await recover(on, server.host)

        back = await on.look(server.id)
        assert (back.state, back.host, back.reason, back.lost_from) == (RUNNING, server.host, None, None)
        assert back.effective == server.effective
        await on.engine.advance(600)
        assert (await on.look(server.id)).host == server.host

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_after_a_minute_a_normal_server_starts_elsewhere_with_the_avoid_list_of_its_last_start(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        other = await on.running("other")
        server = await on.server("web-01")
        begun = await servers.start_server(on.cloud, on.operator, server.id, avoid=(other.id,))
        await on.engine.advance(10)
        assert begun.decision.host != other.host
        await fail(on, begun.decision.host)
        lost_at = on.clock.now()
        await on.engine.advance(59)
        assert (await on.look(server.id)).state is UNAVAILABLE
        await on.engine.advance(1)

        moved = await on.look(server.id)
        assert moved.state is STARTING
        assert moved.host not in (begun.decision.host, other.host), "three hosts: the third avoids both"
        assert moved.avoid == (other.id,)
        assert moved.state_since == lost_at + timedelta(seconds=60)
        await on.engine.advance(8)
        assert (await on.look(server.id)).state is RUNNING

    in_a_cloud(tmp_path / "data", story, hosts=3, **IN_ONE_CELL)


def test_after_a_minute_a_backfilling_server_is_stopped_without_notice(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("render-01", is_backfilling=True)
        await fail(on, server.host)
        await on.engine.advance(60)

        stopped = await on.look(server.id)
        assert (stopped.state, stopped.reason, stopped.host) == (STOPPED, "host_lost", None)
        assert stopped.displaced_count == 0
        assert "server.notice" not in await on.kinds()

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_the_oldest_starts_first_and_who_finds_no_room_stays_and_says_why(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        # Two hosts of 8 vCPUs. The first is left with room for one of the two that will need it.
        stays = await on.running("stays", vcpus=3)
        old = await on.running("old", vcpus=4)
        young = await running_away_from(on, "young", stays, vcpus=4)
        assert old.host == young.host != stays.host
        await fail(on, old.host)
        await on.engine.advance(60)

        assert (await on.look(old.id)).host == stays.host
        refused = await on.look(young.id)
        assert (refused.state, refused.host) == (UNAVAILABLE, young.host)
        assert refused.reason == "No host has room for server young (1 down, 1 short of CPU)."

        # It is tried again, and gets the room that is free by then.
        await servers.stop_server(on.cloud, on.operator, stays.id)
        await on.engine.advance(130)
        found = await on.look(young.id)
        assert (found.state, found.host, found.reason) == (RUNNING, stays.host, None)

    in_a_cloud(tmp_path / "data", story, hosts=2, capacity=Size(16_000, 64 * GIB), **IN_ONE_CELL)


def test_a_host_that_returns_late_still_takes_up_who_found_no_other(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")
        await fail(on, server.host)
        await on.engine.advance(3600)
        assert (await on.look(server.id)).state is UNAVAILABLE
        await recover(on, server.host)

        assert (await on.look(server.id)).state is RUNNING
        await on.engine.advance(7200)
        assert (await on.look(server.id)).host == server.host, "no relocation is left behind"

    in_a_cloud(tmp_path / "data", story, hosts=1, **IN_ONE_CELL)


def test_a_normal_server_that_moves_may_stop_backfilling_ones_after_their_grace(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("db", vcpus=8)
        victim = await on.running("render-01", vcpus=8, is_backfilling=True)
        assert server.host != victim.host
        await fail(on, server.host)
        await on.engine.advance(60)
        waiting, noticed = await on.look(server.id), await on.look(victim.id)
        assert (waiting.state, waiting.host) == (STARTING, victim.host)
        assert waiting.waits is not None
        assert noticed.notice_for == server.id
        await on.engine.advance(40)

        assert (await on.look(server.id)).state is RUNNING
        assert (await on.look(victim.id)).displaced_for == server.id

    in_a_cloud(tmp_path / "data", story, hosts=2, capacity=Size(16_000, 64 * GIB), **IN_ONE_CELL)


def test_one_that_was_starting_starts_again_and_one_that_was_stopping_is_stopped(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        stopping = await on.running("stopping")
        starting = await on.server("starting")
        await servers.start_server(on.cloud, on.operator, starting.id)
        await servers.stop_server(on.cloud, on.operator, stopping.id, action="shutdown")
        await on.engine.advance(3)
        host = (await on.look(starting.id)).host
        await fail(on, host)
        assert (await on.look(starting.id)).lost_from == "starting"
        assert (await on.look(stopping.id)).lost_from == "stopping"
        await recover(on, host)
        assert (await on.look(starting.id)).state is STARTING
        assert (await on.look(stopping.id)).state is STOPPED
        await on.engine.advance(7)
        assert (await on.look(starting.id)).state is STARTING, "what had begun is lost: it takes its whole time again"
        await on.engine.advance(1)
        assert (await on.look(starting.id)).state is RUNNING

    in_a_cloud(tmp_path / "data", story, hosts=1, **IN_ONE_CELL)


def test_one_that_was_stopping_is_not_started_elsewhere(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")
        await servers.stop_server(on.cloud, on.operator, server.id, action="shutdown")
        await fail(on, server.host)
        await on.engine.advance(60)

        stopped = await on.look(server.id)
        assert (stopped.state, stopped.reason, stopped.lost_from) == (STOPPED, None, None)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_server_that_waited_for_room_is_placed_anew_when_the_host_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        victim = await on.running("render-01", vcpus=8, is_backfilling=True)
        server = await on.server("db", vcpus=8)
        await servers.start_server(on.cloud, on.operator, server.id)
        assert (await on.look(victim.id)).notice_for == server.id
        await fail(on, victim.host)
        assert (await on.look(server.id)).lost_from == "waiting"
        assert (await on.look(victim.id)).notice_until is None
        await on.engine.advance(10)
        await recover(on, victim.host)

        assert (await on.look(victim.id)).notice_for == server.id, "the notice begins anew"
        assert (await on.look(victim.id)).notice_until == on.clock.now() + timedelta(seconds=30)
        await on.engine.advance(40)
        assert (await on.look(server.id)).state is RUNNING
        assert (await on.look(victim.id)).state is STOPPED

    in_a_cloud(tmp_path / "data", story, hosts=1, capacity=Size(16_000, 64 * GIB), **IN_ONE_CELL)


def test_all_who_waited_for_room_are_placed_anew_in_the_order_of_their_starts(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        victims = [await on.running(f"render-{number}", vcpus=4, is_backfilling=True) for number in (1, 2)]
        waiting = [await on.server(f"db-{number}", vcpus=4) for number in (1, 2)]
        for server in waiting:
            await servers.start_server(on.cloud, on.operator, server.id)
            await on.engine.advance(1)
        await fail(on, "c1-h1")
        assert {(await on.look(server.id)).lost_from for server in waiting} == {"waiting"}
        await on.engine.advance(10)
        await recover(on, "c1-h1")

        assert [(await on.look(server.id)).state for server in victims] == [RUNNING, RUNNING]
        found = [await on.look(server.id) for server in waiting]
        assert [server.state for server in found] == [STARTING, STARTING]
        assert (found[0].waits or 0) < (found[1].waits or 0)
        await on.engine.advance(40)
        assert [(await on.look(server.id)).state for server in waiting] == [RUNNING, RUNNING]
        assert [(await on.look(server.id)).state for server in victims] == [STOPPED, STOPPED]

    in_a_cloud(tmp_path / "data", story, hosts=1, settings={"floor_permille": 1000}, **IN_ONE_CELL, **OF_TWO)


def test_who_waited_and_cannot_start_when_the_host_is_back_is_stopped_and_says_why(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await on.running("render-01", vcpus=8, is_backfilling=True)
        server = await on.server("db", vcpus=8)
        drive = await disk(on, server)
        await servers.start_server(on.cloud, on.operator, server.id)
        await fail(on, "c1-h1")
        await fail(on, drive.host)
        await recover(on, "c1-h1")

        stopped = await on.look(server.id)
        assert (stopped.state, stopped.host, stopped.lost_from) == (STOPPED, None, None)
        assert stopped.reason == "Its drive disk is on a lost storage host."

    in_a_cloud(tmp_path / "data", story, hosts=1, settings={"floor_permille": 1000}, **IN_ONE_CELL, **OF_TWO)


def test_backfilling_servers_shrink_again_when_their_host_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        shrunk = await on.running("render-01", vcpus=8, is_backfilling=True)
        await on.running("db", vcpus=4)
        before = await on.look(shrunk.id)
        assert before.effective == Size(8_000, before.size.memory_bytes)
        await fail(on, shrunk.host)
        await recover(on, shrunk.host)

        assert (await on.look(shrunk.id)).effective == before.effective

    in_a_cloud(tmp_path / "data", story, hosts=1, capacity=Size(16_000, 64 * GIB), **IN_ONE_CELL)


def test_losing_a_lost_host_and_recovering_one_that_is_up_are_refused(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        with pytest.raises(WrongState, match="recover host c1-h1: it is up"):
            await recover(on, "c1-h1")
        with pytest.raises(NotFound):
            await fail(on, "c9-h9")
        await fail(on, "c1-h1")
        with pytest.raises(WrongState, match="fail host c1-h1: it is down"):
            await fail(on, "c1-h1")
        with pytest.raises(Conflict, match="It has changed"):
            await losses.recover_host(on.cloud, on.operator.name, "c1-h1", if_version=1)
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        with pytest.raises(Unreachable):
            await fail(on, "c2-h1")

    in_a_cloud(tmp_path / "data", story)


def test_a_repeated_request_is_answered_and_not_carried_out_again(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        key = RequestKey("operator/1", "digest")
        await losses.fail_host(on.cloud, on.operator.name, "c1-h1", request=key)
        again = await losses.fail_host(on.cloud, on.operator.name, "c1-h1", request=key)
        assert again.host.state is HostState.DOWN
        assert (await on.kinds()).count("host.down") == 1

    in_a_cloud(tmp_path / "data", story)


# Storage hosts


def test_a_lost_storage_host_takes_its_drives_and_pauses_who_uses_them(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server, idle = await on.server("db"), await on.server("idle")
        drive, of_idle = await disk(on, server), await disk(on, idle)
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        host = (await on.look(server.id)).host
        for name in {drive.host, of_idle.host}:
            await fail(on, name)

        assert (await look_at(on, drive)).state is DriveState.UNAVAILABLE
        paused = await on.look(server.id)
        assert (paused.state, paused.reason, paused.host) == (PAUSED, "storage_lost", host)
        assert await availability.server_group(on.cloud, on.operator, server.id) == [server.id], "it keeps its room"
        with pytest.raises(WrongState, match="unavailable"):
            await servers.start_server(on.cloud, on.operator, idle.id)
        for name in {drive.host, of_idle.host}:
            await recover(on, name)

        assert (await look_at(on, drive)).state is DriveState.MOUNTED
        resumed = await on.look(server.id)
        assert (resumed.state, resumed.reason) == (RUNNING, None)
        await servers.start_server(on.cloud, on.operator, idle.id)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_server_is_paused_and_resumed_for_a_drive_in_another_cell(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db", cell="cell-1")
        drive = await disk(on, server, cell="cell-2")
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        await fail(on, drive.host)
        assert (await on.look(server.id)).state is PAUSED
        await recover(on, drive.host)
        assert (await on.look(server.id)).state is RUNNING

        await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(2)
        await fail(on, drive.host)
        with pytest.raises(WrongState, match="unavailable"):
            await servers.start_server(on.cloud, on.operator, server.id)

    in_a_cloud(tmp_path / "data", story)


def test_a_cell_that_was_silent_while_a_drive_was_lost_pauses_its_server_when_it_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db", cell="cell-1")
        drive = await disk(on, server, cell="cell-2")
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await fail(on, drive.host)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(1)

        assert (await on.look(server.id)).state is PAUSED

    in_a_cloud(tmp_path / "data", story)


def test_a_server_stays_paused_until_the_last_of_its_drives_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db", cell="cell-1")
        near, far = await disk(on, server, cell="cell-1"), await disk(on, server, cell="cell-2")
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        await fail(on, near.host)
        await fail(on, far.host)
        await recover(on, near.host)
        assert (await on.look(server.id)).state is PAUSED
        # Nobody knows how a drive is whose cell does not answer: nothing is resumed on a guess.
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        await losses.agree_on_storage(on.cloud, ["cell-1"])
        assert (await on.look(server.id)).state is PAUSED
        await cells.inject(on.cloud, on.operator, "cell-2", "up")
        await recover(on, far.host)

        assert (await on.look(server.id)).state is RUNNING

    in_a_cloud(tmp_path / "data", story)


def test_a_server_that_was_starting_is_paused_once_it_is_up(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db", cell="cell-1")
        drive = await disk(on, server)
        await servers.start_server(on.cloud, on.operator, server.id)
        await fail(on, drive.host)
        assert (await on.look(server.id)).state is STARTING
        await on.engine.advance(10)
        assert ((await on.look(server.id)).state, (await on.look(server.id)).reason) == (PAUSED, "storage_lost")
        await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(2)
        stopped = await on.look(server.id)
        assert (stopped.state, stopped.reason) == (STOPPED, None)

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_a_drive_that_was_being_made_begins_again(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", 10 * GIB))
        await on.engine.advance(2)
        await fail(on, drive.host)
        await on.engine.advance(100)
        assert (await look_at(on, drive)).state is DriveState.UNAVAILABLE
        await recover(on, drive.host)
        assert (await look_at(on, drive)).state is DriveState.CREATING
        await on.engine.advance(3)
        assert (await look_at(on, drive)).state is DriveState.UNMOUNTED

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


def test_both_hosts_of_a_server_lost_it_moves_only_when_its_drive_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db")
        drive = await disk(on, server)
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        host = (await on.look(server.id)).host
        await fail(on, drive.host)
        await fail(on, host)
        assert (await on.look(server.id)).lost_from == "paused"
        await on.engine.advance(60)
        assert (await on.look(server.id)).reason == "Its drive disk is on a lost storage host."
        await recover(on, drive.host)
        await on.engine.advance(130)

        moved = await on.look(server.id)
        assert moved.state is RUNNING
        assert moved.host != host

    in_a_cloud(tmp_path / "data", story, **IN_ONE_CELL)


# What survives


def test_a_restart_in_the_minute_changes_nothing_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder, cells=("cell-1",))

    async def before() -> tuple[str, str]:
        async with opened(folder) as on:
            server = await on.running("web-01")
            await fail(on, server.host)
            await on.engine.save_clock()
            return server.id, server.host or ""

    async def after(server_id: str, host: str) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=10)) as on:
            await on.engine.advance(60)
            moved = await on.look(server_id)
            assert moved.state is STARTING
            assert moved.host != host
            tasks = await on.cloud.store.cell_read("cell-1", lambda tx: tx.tasks(is_open=False, limit=10))
            assert [task.result for task in tasks if task.kind == "relocate"] == ["1 of 1 started elsewhere"]
            assert all(task.state is not TaskState.FAILED for task in tasks)

    server_id, host = asyncio.run(before())
    asyncio.run(after(server_id, host))


def test_what_a_crash_left_running_without_its_drive_is_paused_when_the_backend_is_back(tmp_path: Path) -> None:
    """Killed between the write in the drive's cell and the one in the server's."""
    folder = tmp_path / "data"
    make_folder(folder)

    async def before() -> str:
        async with opened(folder) as on:
            server = await on.server("db", cell="cell-1")
            drive = await disk(on, server, cell="cell-2")
            await servers.start_server(on.cloud, on.operator, server.id)
            await on.engine.advance(10)
            now = on.clock.now()
            await on.cloud.store.cell_write("cell-2", lambda tx: losses.fail_in_cell(tx, drive.host, now=now))
            assert (await on.look(server.id)).state is RUNNING
            return server.id

    async def after(server_id: str) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=20)) as on:
            assert (await on.look(server_id)).state is PAUSED

    asyncio.run(after(asyncio.run(before())))


# Previews


def test_the_preview_of_a_loss_says_what_becomes_of_each_and_changes_nothing(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        one = await on.running("one", vcpus=6)
        two = await on.running("two", vcpus=4)
        render = await on.running("render", vcpus=2, is_backfilling=True)
        assert two.host == render.host != one.host
        young = await running_away_from(on, "young", one, vcpus=1)
        assert young.host == two.host
        log = await on.events()
        plan = await host_plans.preview_host(on.cloud, on.operator, two.host or "", "fail")

        assert [(move.server.name, move.outcome, move.to) for move in plan.moves] == [
            ("two", "stays", None),
            ("render", "stops", None),
            ("young", "moves", one.host),
        ]
        assert plan.moves[0].problem == "No host has room for server two (1 down, 1 short of CPU)."
        assert await on.events() == log
        assert (await on.look(two.id)).state is RUNNING

        await fail(on, two.host)
        await on.engine.advance(60)
        for move in plan.moves:
            became = await on.look(move.server.id)
            assert became.host == {"moves": move.to, "stays": two.host, "stops": None}[move.outcome]

    in_a_cloud(tmp_path / "data", story, hosts=2, capacity=Size(16_000, 64 * GIB), **IN_ONE_CELL)


def test_the_preview_of_a_storage_hosts_loss_names_the_servers_of_other_cells_too(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        near, far = await on.server("near", cell="cell-2"), await on.server("far", cell="cell-1")
        host = (await disk(on, near, cell="cell-2")).host
        drive = await disk(on, far, cell="cell-2")
        if drive.host != host:
            await drives.detach_drive(on.cloud, on.operator, drive.id)
            spec = DriveSpec("disk", 10 * GIB, cell="cell-2", avoid=(drive.id,))
            drive = await drives.create_drive(on.cloud, on.operator, spec)
            await on.engine.advance(5)
            drive = await drives.attach_drive(on.cloud, on.operator, drive.id, far.id)
        assert drive.host == host
        for server in (near, far):
            await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(10)
        plan = await host_plans.preview_host(on.cloud, on.operator, host, "fail")
        assert {(move.server.name, move.outcome) for move in plan.moves} == {("near", "pauses"), ("far", "pauses")}
        await fail(on, host)
        plan = await host_plans.preview_host(on.cloud, on.operator, host, "recover")
        assert {(move.server.name, move.outcome) for move in plan.moves} == {("near", "returns"), ("far", "returns")}
        plan = await host_plans.preview_host(on.cloud, on.operator, host, "fail")
        assert isinstance(plan.problem, WrongState)

    in_a_cloud(tmp_path / "data", story)
