"""A group is taken apart one member at a time, as its plan says, whatever happens in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.cloud.errors import CloudError, Conflict, Forbidden, NotFound
from backend.cloud.model import GIB, Server, ServerState, Size, Task
from backend.operations import RequestKey, backups, cells, drives, groups, losses, restorations, servers, tasks
from backend.operations.drives import DriveSpec
from backend.operations.groups import Group, GroupPlan
from tests.backend.support import Harness, in_a_cloud, make_folder, opened

RUNNING, STOPPED = ServerState.RUNNING, ServerState.STOPPED
THREE_HOSTS: dict[str, Any] = {"cells": ("cell-1",), "hosts": 3, "capacity": Size(16_000, 64 * GIB)}
WEB = ("group:web",)


async def bunched(on: Harness, *vcpus: int, cell: str = "cell-1", prefix: str = "web") -> list[Server]:
    """Members of the group `web`, all on one host of the cell: the others were full when they were started."""
    number = cell[-1]
    keep = f"c{number}-h1"
    others = [host for host in await hosts_of(on, cell) if host != keep]
    for host in others:
        await losses.fail_host(on.cloud, on.operator.name, host)
    found = [await on.running(f"{prefix}-{n}", vcpus=size, cell=cell, tags=WEB) for n, size in enumerate(vcpus, 1)]
    for host in others:
        await losses.recover_host(on.cloud, on.operator.name, host)
    assert {server.host for server in found} == {keep}
    return found


async def hosts_of(on: Harness, cell: str) -> list[str]:
    return await on.cloud.store.cell_read(cell, lambda tx: [load.host.name for load in tx.loads()])


async def the_group(on: Harness, name: str = "web") -> Group:
    return next(each for each in await groups.list_groups(on.cloud, on.operator, on.pictures) if each.name == name)


async def plan_of(on: Harness, name: str = "web") -> GroupPlan:
    return await groups.plan_group(on.cloud, on.operator, on.pictures, name)


async def begin(on: Harness, plan: GroupPlan, request: RequestKey | None = None) -> Task:
    assert plan.problem is None
    moves = [done.move for done in plan.moves]
    return await restorations.begin(on.cloud, on.operator.name, plan.group.name, moves, request=request)


def told(plan: GroupPlan) -> list[tuple[str, str, str]]:
    return [(done.move.name, done.move.source, done.move.target) for done in plan.moves]


async def results(on: Harness) -> list[str | None]:
    found = await tasks.list_tasks(on.cloud, on.operator, is_open=False, limit=100)
    return [view.task.result for view in reversed(found.items) if view.task.kind == "restore"]


async def is_open(on: Harness) -> bool:
    found = await tasks.list_tasks(on.cloud, on.operator, is_open=True, limit=100)
    return any(view.task.kind == "restore" for view in found.items)


def test_a_plan_changes_nothing_and_is_then_carried_out(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        log = await on.events()
        plan = await plan_of(on)
        assert await on.events() == log
        assert told(plan) == [("web-1", "c1-h1", "c1-h2"), ("web-2", "c1-h1", "c1-h3")]
        assert (plan.group.redundancy.collisions, plan.after.collisions) == (2, 0)
        assert (plan.group.redundancy.tolerates, plan.after.tolerates) == (0, 2)
        assert (plan.is_fewest, plan.is_best, plan.notes) == (True, True, ())
        # A shutdown takes 12 seconds and a start 8.
        assert ([done.seconds_down for done in plan.moves], plan.seconds) == ([20, 20], 40)

        await begin(on, plan)
        for _ in range(int(plan.seconds)):
            states = [(await on.look(server.id)).state for server in members]
            assert sum(state is not RUNNING for state in states) <= 1, "never two at once"
            await on.engine.advance(1)
        assert [(await on.look(server.id)).host for server in members] == ["c1-h2", "c1-h3", "c1-h1"]
        assert [(await on.look(server.id)).state for server in members] == [RUNNING] * 3
        assert await results(on) == ["1 of 2: web-1 to c1-h2", "2 of 2: web-2 to c1-h3"]
        assert not await is_open(on)
        assert (await the_group(on)).redundancy.collisions == 0
        [told_of] = [event for event in await on.events() if event.kind == "group.restored"]
        assert told_of.details == {"moved": 2, "planned": 2}

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_the_list_says_how_many_moves_restore_a_group(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await bunched(on, 1, 1, 1, 1)
        fix = (await the_group(on)).fix
        assert fix is not None
        assert (fix.moves, fix.collisions, fix.is_fewest) == (2, 1, True)
        assert fix.notes == ("In cell-1 1 collision stays: there are not more hosts with room for its members.",)
        assert all(each.fix is None for each in await groups.list_groups(on.cloud, on.tenant, on.pictures))
        await begin(on, await plan_of(on))
        await on.engine.advance(60)
        after = await the_group(on)
        assert (after.redundancy.collisions, after.fix) == (1, replace(fix, moves=0))
        plan = await plan_of(on)
        assert isinstance(plan.problem, Conflict)
        assert str(plan.problem) == f"Nothing that can be moved restores group web. {fix.notes[0]}"

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_who_is_stopped_for_a_move_is_in_the_plan_and_has_its_grace(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await bunched(on, 2, 2)
        victim = await on.running("render", vcpus=8, is_backfilling=True, floor_permille=(1000, 1000))
        blocker = await on.running("db", vcpus=8)
        assert {victim.host, blocker.host} == {"c1-h2", "c1-h3"}
        plan = await plan_of(on)
        [done] = plan.moves
        assert (done.move.target, [stop.name for stop in done.stops], done.waits) == (victim.host, ["render"], True)
        assert (done.seconds_down, plan.seconds) == (50, 50)
        await begin(on, plan)
        await on.engine.advance(49)
        assert (await on.look(victim.id)).state is STOPPED
        assert await is_open(on)
        await on.engine.advance(1)
        assert (await on.look(done.move.server)).state is RUNNING
        assert await results(on) == [f"1 of 1: web-1 to {victim.host}"]

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_cells_come_one_after_the_other_and_a_silent_one_is_left_alone(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        first = await bunched(on, 1, 1, cell="cell-1", prefix="web-a")
        second = await bunched(on, 1, 1, cell="cell-2", prefix="web-b")
        plan = await plan_of(on)
        assert [done.move.cell for done in plan.moves] == ["cell-1", "cell-2"]
        await begin(on, plan)
        for _ in range(41):
            states = [(await on.look(server.id)).state for server in (*first, *second)]
            assert sum(state is not RUNNING for state in states) <= 1, "never two at once"
            await on.engine.advance(1)
        assert await results(on) == ["1 of 2: web-a-1 to c1-h2", "2 of 2: web-b-1 to c2-h2"]

    async def with_silence(on: Harness) -> None:
        await bunched(on, 1, 1, cell="cell-1", prefix="web-a")
        await bunched(on, 1, 1, cell="cell-2", prefix="web-b")
        await on.cloud.store.flush_last_known()
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        plan = await plan_of(on)
        assert [done.move.cell for done in plan.moves] == ["cell-1"]
        assert plan.notes == ("cell-2 does not answer: 2 members of it cannot be looked at or moved.",)

    in_a_cloud(tmp_path / "one", story, hosts=2)
    in_a_cloud(tmp_path / "two", with_silence, hosts=2)


@pytest.mark.parametrize("seconds", [0, 5, 12, 15, 20, 30])
def test_a_chain_survives_a_restart_at_any_step(tmp_path: Path, seconds: int) -> None:
    make_folder(tmp_path / "data", **THREE_HOSTS)

    async def before() -> tuple[GroupPlan, Harness]:
        async with opened(tmp_path / "data") as on:
            await bunched(on, 1, 1, 1)
            plan = await plan_of(on)
            await begin(on, plan)
            await on.engine.advance(seconds)
            return plan, on

    async def after(plan: GroupPlan, old: Harness) -> None:
        async with opened(tmp_path / "data", at=old.clock.now()) as on:
            await on.engine.advance(60)
            for done in plan.moves:
                assert (await on.look(done.move.server)).host == done.move.target
            assert await results(on) == ["1 of 2: web-1 to c1-h2", "2 of 2: web-2 to c1-h3"]

    asyncio.run(after(*asyncio.run(before())))


@pytest.mark.parametrize("seconds", [0, 5, 12, 15])
def test_a_chain_waits_for_its_cell_and_goes_on_when_it_answers(tmp_path: Path, seconds: int) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        await begin(on, await plan_of(on))
        await on.engine.advance(seconds)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.advance(1000)
        assert await is_open(on)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(60)
        assert [(await on.look(server.id)).host for server in members] == ["c1-h2", "c1-h3", "c1-h1"]
        assert not await is_open(on)

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_an_ended_chain_starts_the_one_on_its_way_and_moves_no_other(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        await begin(on, await plan_of(on))
        await on.engine.advance(5)
        await restorations.end(on.cloud, "web")
        await on.engine.advance(100)
        assert [(await on.look(server.id)).host for server in members] == ["c1-h2", "c1-h1", "c1-h1"]
        assert await results(on) == ["1 of 2: web-1 to c1-h2; the rest stays: it was ended"]
        with pytest.raises(NotFound):
            await restorations.end(on.cloud, "web")

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_chain_ends_where_the_next_move_is_not_what_was_planned(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        await begin(on, await plan_of(on))
        await on.engine.advance(5)
        # The second would go there.
        await losses.fail_host(on.cloud, on.operator.name, "c1-h3")
        await on.engine.advance(100)
        assert [(await on.look(server.id)).host for server in members] == ["c1-h2", "c1-h1", "c1-h1"]
        found = await results(on)
        assert found[0] == "1 of 2: web-1 to c1-h2"
        assert found[1] == "web-2 would not come to a host of its own any more."
        assert not await is_open(on)

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_member_whose_new_host_is_lost_meanwhile_starts_somewhere_and_the_rest_stays(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        await begin(on, await plan_of(on))
        await on.engine.advance(5)
        await losses.fail_host(on.cloud, on.operator.name, "c1-h2")
        await on.engine.advance(100)
        assert [(await on.look(server.id)).host for server in members] == ["c1-h3", "c1-h1", "c1-h1"]
        assert await results(on) == ["1 of 2: web-1 to c1-h3; the rest stays, as this is not what was planned"]

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_member_whose_old_host_is_lost_while_it_shuts_down_starts_all_the_same(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1)
        await begin(on, await plan_of(on))
        await on.engine.advance(5)
        await losses.fail_host(on.cloud, on.operator.name, "c1-h1")
        await on.engine.advance(600)
        moved = await on.look(members[0].id)
        assert (moved.state, moved.host) == (RUNNING, "c1-h3")
        assert (await on.look(members[1].id)).host == "c1-h2", "it was there first"

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_member_that_was_deleted_on_its_way_ends_the_chain(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        plan = await plan_of(on)
        await begin(on, plan)
        # Its shutdown is over, and its start is due at the same instant: the engine has not come to that yet.
        on.clock.move_to(on.clock.now().replace(second=on.clock.now().second + 12))
        await on.cloud.store.cell_write(
            "cell-1",
            lambda tx: tasks.run_due_in_cell(tx, on.clock.now(), settings=on.cloud.settings, no_earlier_than=None),
        )
        await servers.delete_server(on.cloud, on.operator, members[0].id)
        await on.engine.advance(60)
        assert (await results(on)) == ["1 of 2: web-1 was deleted; the rest stays, as this is not what was planned"]

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_plan_that_is_not_that_any_more_is_refused_and_stops_nobody(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1)
        plan = await plan_of(on)
        await on.running("db", vcpus=2)
        key = RequestKey("operator/1", "digest")
        for _ in range(2):
            with pytest.raises(Conflict, match="web-1 would now start on c1-h3 instead of c1-h2"):
                await begin(on, plan, key)
        with pytest.raises(Conflict, match="web-1 would now start on c1-h3"):
            await restorations.answered(on.cloud, key)
        assert [(await on.look(server.id)).state for server in members] == [RUNNING, RUNNING]
        assert not await is_open(on)
        assert [done.move.target for done in (await plan_of(on)).moves] == ["c1-h3"]

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_group_is_restored_once_at_a_time_and_a_repeated_request_names_the_first(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await bunched(on, 1, 1, 1)
        plan = await plan_of(on)
        key = RequestKey("operator/1", "digest")
        task = await begin(on, plan, key)
        assert (await begin(on, plan, key)).id == task.id
        with pytest.raises(Conflict, match="being restored already"):
            await begin(on, plan)

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_members_that_cannot_be_moved_are_named_and_others_go(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        paused = members[0].id
        disk = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", GIB, cell="cell-1"))
        await servers.stop_server(on.cloud, on.operator, paused)
        await on.engine.advance(5)
        await drives.attach_drive(on.cloud, on.operator, disk.id, paused)
        for host in ("c1-h2", "c1-h3"):
            await losses.fail_host(on.cloud, on.operator.name, host)
        await servers.start_server(on.cloud, on.operator, paused)
        await on.engine.advance(10)
        await losses.fail_host(on.cloud, on.operator.name, disk.host)
        plan = await plan_of(on)
        assert isinstance(plan.problem, Conflict)
        assert plan.notes == ("web-1 is paused and is not moved.",)
        for host in ("c1-h2", "c1-h3"):
            await losses.recover_host(on.cloud, on.operator.name, host)
        assert {name for name, _, _ in told(await plan_of(on))} == {"web-2", "web-3"}

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_members_that_are_being_stopped_leave_by_themselves_and_nobody_moves_for_them(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1, 1)
        for server in members[:2]:
            await servers.stop_server(on.cloud, on.operator, server.id, action="shutdown")
        plan = await plan_of(on)
        assert (told(plan), plan.group.redundancy.collisions) == ([], 2)
        assert plan.notes == tuple(f"web-{n} is stopping and leaves by itself." for n in (1, 2))

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_only_staff_with_the_right_moves_backfilling_members(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        for host in ("c1-h2", "c1-h3"):
            await losses.fail_host(on.cloud, on.operator.name, host)
        for number in (1, 2):
            await on.running(f"web-{number}", vcpus=1, is_backfilling=True, tags=WEB)
        for host in ("c1-h2", "c1-h3"):
            await losses.recover_host(on.cloud, on.operator.name, host)
        plain = replace(on.operator, may_backfill=False)
        plan = await groups.plan_group(on.cloud, plain, on.pictures, "web")
        assert isinstance(plan.problem, Forbidden)
        with pytest.raises(Forbidden):
            await groups.plan_group(on.cloud, on.tenant, on.pictures, "web")
        with pytest.raises(NotFound):
            await plan_of(on, "nobody")
        await begin(on, await plan_of(on))
        await on.engine.advance(60)
        assert (await the_group(on)).redundancy.collisions == 0

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


def test_a_backup_that_is_due_with_a_step_of_a_chain_is_ended_as_well(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        members = await bunched(on, 1, 1)
        await backups.create_backup(on.cloud, on.operator, "server", members[1].id)
        await begin(on, await plan_of(on))
        await on.engine.advance(600)
        [found] = await backups.list_backups(on.cloud, on.operator)
        assert found.backup.state == "ready"
        assert await results(on) == ["1 of 1: web-1 to c1-h2"]

    in_a_cloud(tmp_path / "data", story, **THREE_HOSTS)


async def populate(on: Harness, chance: random.Random) -> None:
    """Members and others of a few sizes, bunched as far as the hosts have room."""
    names = await hosts_of(on, "cell-1")
    for number in range(chance.randrange(8, 22)):
        is_member = chance.random() < 0.4
        kept = chance.sample(names, 1 if is_member and chance.random() < 0.8 else len(names))
        for host in set(names) - set(kept):
            await losses.fail_host(on.cloud, on.operator.name, host)
        is_backfilling = chance.random() < (0.1 if is_member else 0.7)
        try:
            await on.running(
                f"{'web' if is_member else 'other'}-{number}",
                vcpus=chance.choice((1, 1, 2, 3) if is_member else (1, 3, 4)),
                gib=chance.choice((1, 4, 16)),
                is_backfilling=is_backfilling,
                floor_permille=(1000, 1000) if is_backfilling and chance.random() < 0.7 else (0, 0),
                tags=WEB if is_member else (),
            )
        except CloudError:
            continue
        finally:
            for host in set(names) - set(kept):
                await losses.recover_host(on.cloud, on.operator.name, host)
            await on.engine.advance(chance.choice((1, 40)))


async def live(on: Harness, seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    await populate(on, chance)
    known: Sequence[Group] = await groups.list_groups(on.cloud, on.operator, on.pictures)
    if not known:
        return 0, 0
    plan = await plan_of(on)
    if plan.problem is not None:
        return 0, 0
    await begin(on, plan)
    await on.engine.advance(plan.seconds)
    for done in plan.moves:
        moved = await on.look(done.move.server)
        assert (moved.state, moved.host) == (RUNNING, done.move.target)
        for stop in done.stops:
            assert (await on.look(stop.id)).displaced_for == done.move.server
    after = await the_group(on)
    assert after.redundancy == plan.after
    assert not await is_open(on)
    return len(plan.moves), sum(len(done.stops) for done in plan.moves)


def test_what_a_plan_says_is_what_happens(tmp_path: Path) -> None:
    moves = stops = 0
    for seed in range(20):
        found = in_a_cloud(tmp_path / str(seed), lambda on: live(on, seed), cells=("cell-1",), hosts=4)  # noqa: B023
        moves, stops = moves + found[0], stops + found[1]
    assert moves >= 8, "it has moved nobody: this tests nothing"


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(4))
def test_what_many_plans_say_is_what_happens(tmp_path: Path, first: int) -> None:
    moves = stops = 0
    for seed in range(1000 + 100 * first, 1100 + 100 * first):
        found = in_a_cloud(tmp_path / str(seed), lambda on: live(on, seed), cells=("cell-1",), hosts=4)  # noqa: B023
        moves, stops = moves + found[0], stops + found[1]
    assert moves >= 40
    assert stops >= 1, "it has stopped nobody: this tests less than it says"
