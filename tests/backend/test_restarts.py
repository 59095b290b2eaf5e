"""A backfilling server that was stopped for room comes back when its owner asked for it, in its turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend import check as checking
from backend.cloud.errors import Conflict, Forbidden
from backend.cloud.model import GIB, HostState, Server, ServerState, Size
from backend.operations import accounts, cells, drains, editing, losses, plan_tokens, plans, servers
from backend.operations.editing import ServerChanges
from tests.backend.support import OPERATOR, Harness, in_a_cloud

ONE_HOST = {"hosts": 1, "cells": ("cell-1",), "capacity": Size(16_000, 64 * GIB), "settings": {"floor_permille": 1000}}
"""Servers cannot be shrunk here, so what needs room stops somebody."""


async def restarts(on: Harness, server_id: str, *, wanted: bool = True) -> Server:
    return await editing.edit_server(on.cloud, on.operator, server_id, ServerChanges(restarts=wanted))


async def displaced(on: Harness, *names: str, vcpus: int = 4) -> tuple[list[str], str]:
    """Backfilling servers that were stopped one after the other, as named, and the normal one that they made room for.

    The normal server fills the host, and the newest backfilling one goes first: they are started in the other order.
    """
    made = {}
    for name in reversed(names):
        made[name] = (await on.running(name, vcpus=vcpus, gib=1, is_backfilling=True)).id
    for number, _ in enumerate(names, start=1):
        normal = await on.server(f"normal-{number}", vcpus=vcpus, gib=1)
        await servers.start_server(on.cloud, on.operator, normal.id)
        await on.engine.advance(60)
    ids = [made[name] for name in names]
    assert [(await on.look(id)).state for id in ids] == [ServerState.STOPPED] * len(ids)
    return ids, normal.id


async def states(on: Harness, ids: list[str]) -> list[str]:
    return [(await on.look(id)).state.value for id in ids]


async def stop(on: Harness, server_id: str) -> None:
    await servers.stop_server(on.cloud, on.operator, server_id)
    await on.engine.advance(60)


def test_it_is_started_again_once_there_is_room_and_the_event_says_so(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        (victim,), normal = await displaced(on, "render", vcpus=8)
        await restarts(on, victim)
        assert await states(on, [victim]) == ["stopped"]

        await stop(on, normal)

        server = await on.look(victim)
        assert (server.state, server.reason, server.restarts) == (ServerState.RUNNING, None, True)
        placed = [event for event in await on.events() if event.kind == "server.placed" and event.object_id == victim]
        assert placed[-1].details["restart"] is True

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)
    assert checking.check(tmp_path / "data").breach is None


@pytest.mark.parametrize("action", ["stop", "shutdown"])
def test_the_preview_of_a_stop_names_who_starts_again_in_its_room(tmp_path: Path, action: str) -> None:
    async def story(on: Harness) -> None:
        (first, second), normal = await displaced(on, "render-1", "render-2")
        await restarts(on, first)
        await restarts(on, second)
        before = await on.events()

        plan = await plans.preview(on.cloud, on.operator, normal, action)

        assert await on.events() == before, "a preview changes nothing"
        told = [(server.name, server.host) for server in plan.restarts]
        agreed = await plans.agreeing(on.cloud, on.operator, normal, action, plan_tokens.token_of(plan.parts))
        await servers.stop_server(on.cloud, on.operator, normal, action=action, agreed=agreed)
        await on.engine.advance(60)
        after = [await on.look(id) for id in (first, second)]
        running = [(server.name, server.host) for server in after if server.state is ServerState.RUNNING]
        assert told == running == [("render-1", "c1-h1")]

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_a_stop_is_refused_when_somebody_else_would_start_again_than_was_shown(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        (first, second), normal = await displaced(on, "render-1", "render-2")
        await restarts(on, second)
        plan = await plans.preview(on.cloud, on.operator, normal, "stop")
        await restarts(on, first)

        agreed = await plans.agreeing(on.cloud, on.operator, normal, "stop", plan_tokens.token_of(plan.parts))
        with pytest.raises(Conflict, match="still start 1 server again in its room, but not the same"):
            await servers.stop_server(on.cloud, on.operator, normal, agreed=agreed)

        assert (await on.look(normal)).state is ServerState.RUNNING

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_one_that_nobody_asked_for_stays_stopped(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        (victim,), normal = await displaced(on, "render", vcpus=8)
        await restarts(on, victim)
        await restarts(on, victim, wanted=False)

        await stop(on, normal)

        assert await states(on, [victim]) == ["stopped"]

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_who_is_stopped_at_the_same_instant_as_another_does_not_grow_before(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        small = [(await on.running(f"render-{n}", vcpus=2, gib=1, is_backfilling=True)).id for n in range(4)]
        await on.running("normal", vcpus=2, gib=1)
        large = await on.server("large", vcpus=5, gib=1)
        before = len(await on.events())
        await servers.start_server(on.cloud, on.operator, large.id)
        await on.engine.advance(60)
        events = (await on.events())[before:]

        stopped = {event.object_id for event in events if event.kind == "server.displaced"}
        (left,) = set(small) - stopped
        assert len(stopped) == 3
        assert [event.object_id for event in events if event.kind == "server.grown"] == []
        assert [event.object_id for event in events if event.kind == "server.shrunk"] == [left]

    floor = {"settings": {"floor_permille": 500}}
    in_a_cloud(tmp_path / "data", story, **{**ONE_HOST, **floor, "capacity": Size(16_000, 64 * GIB)})
    assert checking.check(tmp_path / "data").breach is None


def test_who_was_stopped_first_comes_back_first(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        ids, normal = await displaced(on, "a", "b", vcpus=4)
        for id in reversed(ids):
            await restarts(on, id)

        await stop(on, normal)
        assert await states(on, ids) == ["running", "stopped"]

    in_a_cloud(tmp_path / "data", story, **{**ONE_HOST, "capacity": Size(16_000, 4 * GIB)})
    assert checking.check(tmp_path / "data").breach is None


def test_one_that_does_not_fit_holds_nobody_up(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        large = await on.running("large", vcpus=6, gib=1, is_backfilling=True)
        small = await on.running("small", vcpus=2, gib=1, is_backfilling=True)
        fillers = [await on.server(f"filler-{vcpus}", vcpus=vcpus, gib=1) for vcpus in (6, 2)]
        for filler in fillers:
            await servers.start_server(on.cloud, on.operator, filler.id)
            await on.engine.advance(60)
        for id in (large.id, small.id):
            await restarts(on, id)
        assert await states(on, [large.id, small.id]) == ["stopped", "stopped"]

        await stop(on, fillers[1].id)

        assert await states(on, [large.id, small.id]) == ["stopped", "running"]

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_it_starts_at_once_where_there_is_room_already_and_when_it_is_asked_for_beforehand(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        (victim,), normal = await displaced(on, "render", vcpus=8)
        await stop(on, normal)
        assert (await restarts(on, victim)).state is ServerState.STARTING
        await on.engine.advance(60)

        # It is stopped for room once more, and comes back once more, without being asked for again.
        await servers.start_server(on.cloud, on.operator, normal)
        await on.engine.advance(60)
        assert await states(on, [victim]) == ["stopped"]
        await stop(on, normal)
        assert await states(on, [victim]) == ["running"]
        assert (await on.look(victim)).displaced_count == 2

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_one_that_is_made_small_enough_starts_at_once(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        victim = await on.running("render", vcpus=8, gib=1, is_backfilling=True)
        normal = await on.server("db", vcpus=6, gib=1)
        await servers.start_server(on.cloud, on.operator, normal.id)
        await on.engine.advance(60)
        await restarts(on, victim.id)
        assert await states(on, [victim.id, normal.id]) == ["stopped", "running"]

        smaller = ServerChanges(size=Size(4_000, GIB))
        await editing.edit_server(on.cloud, on.operator, victim.id, smaller)
        await on.engine.advance(60)

        assert await states(on, [victim.id, normal.id]) == ["running", "running"]

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_one_that_was_stopped_by_hand_stays_so(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("render", is_backfilling=True)
        other = await on.running("other")
        await restarts(on, server.id)

        await stop(on, server.id)
        await stop(on, other.id)

        assert await states(on, [server.id]) == ["stopped"]

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_it_goes_to_another_host_at_once_where_there_is_one(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        render = await on.running("render", vcpus=8, gib=1, is_backfilling=True)
        await restarts(on, render.id)
        other = next(f"c1-h{number}" for number in (1, 2) if f"c1-h{number}" != render.host)
        await drains.drain_host(on.cloud, OPERATOR, other)
        normal = await on.server("normal", vcpus=8, gib=1)
        await servers.start_server(on.cloud, on.operator, normal.id)
        await losses.recover_host(on.cloud, OPERATOR, other)
        await on.engine.advance(60)

        server = await on.look(render.id)
        assert (server.host, server.state) == (other, ServerState.RUNNING)

    in_a_cloud(tmp_path / "data", story, **{**ONE_HOST, "hosts": 2})
    assert checking.check(tmp_path / "data").breach is None


@pytest.mark.parametrize("way", ["failed", "drained"])
def test_a_host_that_is_back_has_room_for_it(tmp_path: Path, way: str) -> None:
    async def story(on: Harness) -> None:
        if way == "failed":
            await losses.fail_host(on.cloud, OPERATOR, "c1-h2")
        else:
            await drains.drain_host(on.cloud, OPERATOR, "c1-h2")
        (victim,), _ = await displaced(on, "render", vcpus=8)
        await restarts(on, victim)
        assert await states(on, [victim]) == ["stopped"]

        await losses.recover_host(on.cloud, OPERATOR, "c1-h2")

        assert (await on.look(victim)).host == "c1-h2"

    in_a_cloud(tmp_path / "data", story, **{**ONE_HOST, "hosts": 2})


def test_only_a_backfilling_server_can_be_wanted_back_and_only_by_who_has_the_right(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        normal = await on.server("normal")
        with pytest.raises(Conflict):
            await restarts(on, normal.id)
        render = await on.server("render", is_backfilling=True)
        await restarts(on, render.id)
        await editing.edit_server(on.cloud, on.operator, render.id, ServerChanges(is_backfilling=False))
        assert not (await on.look(render.id)).restarts
        theirs = await on.server("theirs", project_id="outside")
        with pytest.raises(Forbidden):
            await editing.edit_server(on.cloud, on.tenant, theirs.id, ServerChanges(restarts=True))

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


@pytest.mark.parametrize("is_silent", [False, True])
def test_who_loses_the_right_gets_none_back(tmp_path: Path, is_silent: bool) -> None:
    async def story(on: Harness) -> None:
        render = await on.server("render", is_backfilling=True)
        await restarts(on, render.id)
        if is_silent:
            await cells.inject(on.cloud, on.operator, "cell-1", "down")

        await accounts.allow_backfilling(on.cloud, on.operator, OPERATOR, may=False)
        if is_silent:
            await cells.inject(on.cloud, on.operator, "cell-1", "up")

        assert not (await on.look(render.id)).restarts

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_a_drained_host_is_no_room(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        (victim,), normal = await displaced(on, "render", vcpus=8)
        await restarts(on, victim)
        host = (await on.look(normal)).host
        assert host is not None
        await drains.drain_host(on.cloud, OPERATOR, host)

        await stop(on, normal)

        assert await states(on, [victim]) == ["stopped"]
        states_of_hosts = await on.cloud.store.cell_read("cell-1", lambda tx: [each.state for each in tx.hosts()])
        assert HostState.MAINTENANCE in states_of_hosts

    in_a_cloud(tmp_path / "data", story, **ONE_HOST)


def test_the_plan_of_a_start_that_shrinks_others_counts_them_as_its_decision_does(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        for name in ("one", "two"):
            await on.running(name, vcpus=4, gib=1, is_backfilling=True)
        third = await on.server("three", vcpus=2, gib=1, is_backfilling=True)

        plan = await plans.preview(on.cloud, on.operator, third.id, "start")
        started = await servers.start_server(on.cloud, on.operator, third.id)

        assert plan.decision == started.decision
        assert started.decision.shrinks == len(plan.shrinks) == 2

    settings = {"floor_permille": 250, "start_level_permille": 500}
    in_a_cloud(tmp_path / "data", story, **{**ONE_HOST, "settings": settings})
    assert checking.check(tmp_path / "data").breach is None
