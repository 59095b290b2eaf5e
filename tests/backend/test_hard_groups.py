"""A group with a hard policy is kept to by the cloud itself: when it starts elsewhere what has lost its host, and when
it empties one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.check import check
from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.model import GIB, Server, ServerState
from backend.operations import boots, drains, host_plans, losses, server_groups
from backend.operations.boots import BootSpec
from tests.backend.support import OPERATOR, Harness, in_a_cloud, make_folder, opened

TINY = FLAVORS[0]
WHY = "sharing a host with another member of the group"


async def members(on: Harness, count: int, *, is_hard: bool = True) -> tuple[str, list[Server]]:
    """The id of a group, and so many servers of it, each on its own host."""
    group = await server_groups.create_group(on.cloud, on.operator, "db", is_hard=is_hard)
    spec = BootSpec("db", TINY.size, TINY.id, image=IMAGES[0], boot_drive_bytes=2 * GIB, group_id=group.id)
    made = [await boots.boot_server(on.cloud, on.operator, spec) for _ in range(count)]
    await on.engine.advance(30)
    found = [await on.look(server.id) for server in made]
    assert len({server.host for server in found}) == count
    return group.id, found


def host_of(server: Server) -> str:
    assert server.host is not None
    return server.host


async def lose(on: Harness, host: str) -> None:
    await losses.fail_host(on.cloud, OPERATOR, host)
    await on.engine.advance(75)


async def empty(on: Harness, host: str) -> None:
    await drains.drain_host(on.cloud, OPERATOR, host)
    await drains.evacuate_host(on.cloud, OPERATOR, host)
    await on.engine.advance(75)


@pytest.mark.parametrize("leave", [lose, empty])
@pytest.mark.parametrize(("hosts", "is_hard", "moves"), [(2, True, False), (2, False, True), (3, True, True)])
def test_a_member_leaves_its_host_only_for_one_without_another(
    tmp_path: Path, leave: object, hosts: int, is_hard: bool, moves: bool
) -> None:
    async def story(on: Harness) -> None:
        _, (first, second) = await members(on, 2, is_hard=is_hard)
        await (lose if leave is lose else empty)(on, host_of(first))
        after = await on.look(first.id)

        assert (after.host != first.host) is moves
        assert (after.host == second.host) is (moves and hosts == 2)
        if moves:
            assert after.state is ServerState.RUNNING
        elif leave is lose:
            assert (after.state, WHY in str(after.reason)) == (ServerState.UNAVAILABLE, True)
        else:
            assert after.state is ServerState.RUNNING, "it was not even shut down"

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=hosts)
    assert check(tmp_path / "data").breach is None


def test_who_joined_the_group_later_counts_as_well(tmp_path: Path) -> None:
    """The avoid list of its own last start knows nothing of those."""

    async def story(on: Harness) -> None:
        _, found = await members(on, 3)
        first = found[0]
        assert first.avoid == ()
        await lose(on, host_of(first))
        assert (await on.look(first.id)).state is ServerState.UNAVAILABLE

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=3)


def test_a_plan_says_that_a_member_stays_and_why(tmp_path: Path) -> None:
    async def story(on: Harness) -> str:
        _, (first, _) = await members(on, 2)
        await drains.drain_host(on.cloud, OPERATOR, host_of(first))
        return str(await host_plans.preview_host(on.cloud, on.operator, host_of(first), "evacuate"))

    assert WHY in in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=2)


@pytest.mark.parametrize("is_deleted", [False, True])
def test_the_policy_outlives_the_backend_and_ends_with_the_group(tmp_path: Path, is_deleted: bool) -> None:
    folder = tmp_path / "data"
    make_folder(folder, cells=("cell-1",), hosts=2)

    async def begin() -> Sequence[Server]:
        async with opened(folder) as on:
            group_id, found = await members(on, 2)
            if is_deleted:
                await server_groups.delete_group(on.cloud, on.operator, group_id)
            await on.engine.save_clock()
            return found

    async def look(first: Server) -> ServerState:
        async with opened(folder) as on:
            await lose(on, host_of(first))
            return (await on.look(first.id)).state

    first, _ = asyncio.run(begin())
    assert asyncio.run(look(first)) is (ServerState.RUNNING if is_deleted else ServerState.UNAVAILABLE)
