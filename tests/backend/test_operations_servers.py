"""Servers through operations, on real files and a clock that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cloud.errors import Conflict, Forbidden, Invalid, NoCapacity, NotFound, OverQuota, WrongState
from backend.cloud.model import GIB, ServerState, Size
from backend.operations import RequestKey, availability, editing, plans, servers
from backend.operations.editing import ServerChanges
from backend.operations.servers import ServerSpec
from tests.backend.support import Harness, in_a_cloud


def test_a_started_server_runs_after_its_start_has_taken_its_time(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")

        started = await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(7)
        before = await on.look(server.id)
        await on.engine.advance(1)
        after = await on.look(server.id)

        assert started.server.state is ServerState.STARTING
        assert before.state is ServerState.STARTING
        assert after.state is ServerState.RUNNING
        assert after.host == started.decision.host

    in_a_cloud(tmp_path / "data", story)


def test_a_stopped_server_has_left_its_host_and_keeps_its_cell(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")

        await servers.stop_server(on.cloud, on.operator, server.id)
        await on.engine.advance(2)
        stopped = await on.look(server.id)

        assert (stopped.state, stopped.host, stopped.cell) == (ServerState.STOPPED, None, server.cell)

    in_a_cloud(tmp_path / "data", story)


def test_a_normal_server_shrinks_a_backfilling_one_before_any_is_stopped(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spare = await on.running("render-01", vcpus=8, is_backfilling=True)

        await on.running("web-01", vcpus=4)
        shrunk = await on.look(spare.id)

        assert shrunk.state is ServerState.RUNNING
        assert shrunk.effective is not None
        assert shrunk.effective.cpu_mhz == 8_000
        assert shrunk.squeezed_by is not None
        assert "server.displaced" not in await on.kinds()

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_shrunk_server_grows_back_when_the_room_is_free_again(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spare = await on.running("render-01", vcpus=8, is_backfilling=True)
        normal = await on.running("web-01", vcpus=4)

        await servers.stop_server(on.cloud, on.operator, normal.id)
        await on.engine.advance(2)
        grown = await on.look(spare.id)

        assert grown.effective == grown.size
        assert grown.squeezed_by is None

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_stop_for_room_has_a_notice_and_a_grace_and_the_normal_server_starts_after_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spare = await on.running("render-01", vcpus=8, is_backfilling=True)
        normal = await on.server("web-01", vcpus=8)

        started = await servers.start_server(on.cloud, on.operator, normal.id)
        noticed = await on.look(spare.id)
        await on.engine.advance(30)
        displaced, waiting = await on.look(spare.id), await on.look(normal.id)
        await on.engine.advance(8)
        running = await on.look(normal.id)

        assert started.decision.stops == (spare.id,)
        assert started.decision.waits
        assert noticed.state is ServerState.RUNNING
        assert noticed.notice_for == normal.id
        assert displaced.state is ServerState.STOPPED
        assert (displaced.displaced_for, displaced.displaced_count) == (normal.id, 1)
        assert (waiting.state, waiting.waits) == (ServerState.STARTING, None)
        assert running.state is ServerState.RUNNING

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_during_the_grace_nobody_shrinks_or_grows(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        first = await on.running("render-01", vcpus=4, is_backfilling=True)
        second = await on.running("render-02", vcpus=4, is_backfilling=True)
        normal = await on.server("web-01", vcpus=7)

        await servers.start_server(on.cloud, on.operator, normal.id)
        during = [await on.look(first.id), await on.look(second.id)]

        assert all(server.effective == server.size for server in during)

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_backfilling_server_that_would_disturb_somebody_is_refused(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await on.running("web-01", vcpus=6)
        spare = await on.server("render-01", vcpus=4, is_backfilling=True)

        with pytest.raises(NoCapacity) as refused:
            await servers.start_server(on.cloud, on.operator, spare.id)

        assert refused.value.reasons == [("short of CPU", 1)]
        assert (await on.look(spare.id)).state is ServerState.STOPPED

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_avoid_keeps_servers_apart_and_never_fails(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        names = ["a", "b", "c"]
        made = [await on.server(name, cell="cell-1") for name in names]
        avoid: tuple[str, ...] = ()
        hosts = []
        for server in made:
            started = await servers.start_server(on.cloud, on.operator, server.id, avoid=avoid)
            hosts.append(started.decision.host)
            avoid = (*avoid, server.id)

        assert hosts[0] != hosts[1]
        assert hosts[2] == hosts[1], "with two hosts the third joins the last of its avoid list"

    in_a_cloud(tmp_path / "data", story)


def test_what_the_account_may_not_see_or_is_unknown_has_no_effect_in_avoid_but_keeps_its_rank(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        hidden = await on.running("hidden", cell="cell-1")
        spec = ServerSpec("seen", Size(2000, GIB), cell="cell-1")
        server = await servers.create_server(on.cloud, on.tenant, spec)

        started = await servers.start_server(on.cloud, on.tenant, server.id, avoid=("nonsense", hidden.id, hidden.id))

        assert started.decision.avoided == ()

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_repeated_create_with_the_same_key_makes_one_server(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spec = ServerSpec("web-01", Size(2000, GIB))
        request = RequestKey("operator/1", "digest")

        first = await servers.create_server(on.cloud, on.operator, spec, request=request)
        second = await servers.create_server(on.cloud, on.operator, spec, request=request)
        with pytest.raises(Conflict):
            await servers.create_server(on.cloud, on.operator, spec, request=RequestKey("operator/1", "other"))

        assert first == second
        assert (await servers.list_servers(on.cloud, on.operator)).total == 1

    in_a_cloud(tmp_path / "data", story)


def test_a_repeated_start_with_the_same_key_answers_the_same(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")
        request = RequestKey("operator/1", "digest")

        first = await servers.start_server(on.cloud, on.operator, server.id, request=request)
        second = await servers.start_server(on.cloud, on.operator, server.id, request=request)

        assert first == second

    in_a_cloud(tmp_path / "data", story)


def test_while_it_runs_only_name_meta_and_tags_change(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web-01")
        changes = ServerChanges(name="web-02", tags=("group:web",), size=Size(8000, 8 * GIB), is_backfilling=True)

        edited = await editing.edit_server(on.cloud, on.operator, server.id, changes)

        assert (edited.name, edited.group) == ("web-02", "web")
        assert (edited.size, edited.is_backfilling) == (server.size, False)

    in_a_cloud(tmp_path / "data", story)


def test_every_bad_request_is_refused_and_leaves_no_event(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        running = await on.running("web-01")
        theirs = await on.server("theirs")
        before = await on.events()
        for error, attempt in (
            (Invalid, on.server("tiny", vcpus=0)),
            (Invalid, on.server("n" * 300)),
            (NotFound, on.server("lost", cell="cell-9")),
            (NotFound, servers.start_server(on.cloud, on.operator, "nonsense")),
            (NotFound, servers.start_server(on.cloud, on.tenant, theirs.id)),
            (WrongState, servers.start_server(on.cloud, on.operator, running.id)),
            (WrongState, servers.delete_server(on.cloud, on.operator, running.id)),
            (Conflict, servers.stop_server(on.cloud, on.operator, running.id, if_version=1)),
            (Invalid, servers.delete_server(on.cloud, on.operator, theirs.id, recurse="everything")),
            (
                Forbidden,
                servers.create_server(on.cloud, on.tenant, ServerSpec("spare", Size(2000, GIB), is_backfilling=True)),
            ),
        ):
            with pytest.raises(error):
                await attempt
        assert await on.events() == before

    in_a_cloud(tmp_path / "data", story)


def test_a_project_cannot_hold_more_than_its_quota(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await on.server("one")

        with pytest.raises(OverQuota) as refused:
            await on.server("two")

        assert (refused.value.resource, refused.value.left) == ("servers", 0)

    in_a_cloud(tmp_path / "data", story, servers_max=1)


def test_a_deleted_server_is_gone_from_lists_and_leaves_its_room(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")

        await servers.delete_server(on.cloud, on.operator, server.id)

        assert (await servers.list_servers(on.cloud, on.operator)).items == []
        with pytest.raises(NotFound):
            await servers.get_server(on.cloud, on.operator, server.id)

    in_a_cloud(tmp_path / "data", story)


def test_a_preview_says_who_would_be_stopped_and_changes_nothing(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        spare = await on.running("render-01", vcpus=8, is_backfilling=True)
        normal = await on.server("web-01", vcpus=8)
        before = await on.events()

        plan = await plans.preview(on.cloud, on.operator, normal.id, "start")
        after = await on.events()
        started = await servers.start_server(on.cloud, on.operator, normal.id)

        assert [server.id for server in plan.stops] == [spare.id]
        assert plan.downtime_seconds == 38
        assert plan.decision == started.decision
        assert after == before

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_running_servers_that_share_a_host_are_one_availability_group(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        first, second = await on.running("a"), await on.running("b")
        stopped = await on.server("c")

        groups = await availability.server_groups(on.cloud, on.operator)

        assert groups == [sorted([first.id, second.id])]
        assert await availability.server_group(on.cloud, on.operator, first.id) == groups[0]
        assert await availability.server_group(on.cloud, on.operator, stopped.id) == []
        assert await availability.server_groups(on.cloud, on.tenant) == []

    in_a_cloud(tmp_path / "data", story, cells=("cell-1",), hosts=1)
