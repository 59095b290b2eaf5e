"""What falls due is run in order, each at its own instant; what cannot be reached waits, and resumes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from backend.cloud.model import BackupState, ServerState
from backend.operations import backup_previews, backups, cells, drives, feed, groups, schedules, servers
from backend.operations.drives import DriveSpec
from backend.store import Commit
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

GIB = 2**30


async def with_a_drive(on: Harness, server_id: str, *, gib: int = 10, cell: str = "cell-1") -> str:
    drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("disk", gib * GIB, cell=cell))
    await on.engine.advance(5)
    await drives.attach_drive(on.cloud, on.operator, drive.id, server_id)
    return drive.id


def test_moving_the_clock_far_gives_the_same_events_as_moving_it_second_by_second(tmp_path: Path) -> None:
    async def story(on: Harness, steps: list[float]) -> list[tuple[object, str]]:
        spare = await on.server("render-01", vcpus=8, is_backfilling=True)
        await servers.start_server(on.cloud, on.operator, spare.id)
        for _ in range(10):
            await on.engine.advance(1)
        normal = await on.server("web-01", vcpus=8)
        await servers.start_server(on.cloud, on.operator, normal.id)
        for step in steps:
            await on.engine.advance(step)
        return [(event.at, event.kind) for event in await on.events()]

    shape = {"cells": ("cell-1",), "hosts": 1}
    far = in_a_cloud(tmp_path / "far", lambda on: story(on, [60]), **shape)
    near = in_a_cloud(tmp_path / "near", lambda on: story(on, [1] * 60), **shape)
    assert far == near
    assert (NOON + timedelta(seconds=48), "server.running") in far


def test_another_rate_of_the_clock_wakes_who_sleeps_until_something_is_due(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01")
        on.clock.change(mode="rate", rate=0.001)
        await servers.start_server(on.cloud, on.operator, server.id)
        running = asyncio.create_task(on.engine.run())
        for _ in range(5):
            await asyncio.sleep(0)
        await on.engine.change_clock("rate", 1_000_000)
        # Without being woken it sleeps for more than two hours.
        async with asyncio.timeout(10):
            while (await on.look(server.id)).state is not ServerState.RUNNING:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        running.cancel()

    in_a_cloud(tmp_path, story, cells=("cell-1",))


def test_a_cell_that_is_behind_catches_up_in_one_transaction_with_each_task_at_its_own_instant(tmp_path: Path) -> None:
    """Under load many fall due in the time that one commit takes: one for each would never catch up."""

    async def story(on: Harness) -> None:
        for number in range(6):
            server = await on.server(f"web-{number}", cell="cell-1", vcpus=1)
            await servers.start_server(on.cloud, on.operator, server.id)
            await on.engine.advance(0.25)
        before = await on.cloud.store.cell_read("cell-1", lambda tx: tx.epoch())
        on.clock.move_to(NOON + timedelta(seconds=60))

        await on.engine.run_due()

        assert await on.cloud.store.cell_read("cell-1", lambda tx: tx.epoch()) == before + 1
        ran = [event.at - NOON for event in await on.events() if event.kind == "server.running"]
        assert ran == [timedelta(seconds=8 + number / 4) for number in range(6)]

    in_a_cloud(tmp_path / "data", story)


def test_a_cell_that_is_behind_stops_where_a_schedule_reads_from_it(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        early, late = await on.server("early", cell="cell-1"), await on.server("late", cell="cell-1")
        await schedules.create_schedule(on.cloud, on.operator, early.id, description="x", cron="* * * * *")
        await on.engine.advance(50)
        await servers.start_server(on.cloud, on.operator, early.id)
        await on.engine.advance(5)
        await servers.start_server(on.cloud, on.operator, late.id)
        on.clock.move_to(NOON + timedelta(seconds=90))
        files: list[str] = []
        known = on.cloud.store.on_commit
        assert known is not None

        def tell(commit: Commit) -> None:
            files.append(commit.file)
            known(commit)

        on.cloud.store.on_commit = tell

        await on.engine.run_due()

        in_order = [file for at, file in enumerate(files) if at == 0 or files[at - 1] != file]
        assert in_order[:3] == ["cell-1", "cloud", "cell-1"], "58 s, 60 s, 63 s"
        ran = [event.at - NOON for event in await on.events() if event.kind == "server.running"]
        assert ran == [timedelta(seconds=58), timedelta(seconds=63)]

    in_a_cloud(tmp_path / "data", story)


def test_a_cell_that_falls_silent_on_the_way_makes_nobody_else_late(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    async def story(on: Harness) -> list[str]:
        web = await on.server("web-01", cell="cell-2")
        await schedules.create_schedule(on.cloud, on.operator, web.id, description="x", cron="* * * * *")
        stuck = await on.server("web-02", cell="cell-1")
        await servers.start_server(on.cloud, on.operator, stuck.id)
        # Nobody has noticed when its task falls due.
        (folder / "cells" / "cell-1.db").rename(folder / "away.db")
        await on.engine.advance(300)
        return [event.kind for event in await on.events() if event.kind.startswith("schedule.")]

    assert in_a_cloud(folder, story) == ["schedule.created", *["schedule.ran"] * 5]


def test_what_a_cell_owes_is_made_good_once_it_is_back_and_never_earlier(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        web = await on.server("web-01", cell="cell-2")
        await schedules.create_schedule(on.cloud, on.operator, web.id, description="x", cron="*/10 * * * *")
        await servers.start_server(on.cloud, on.operator, web.id)
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        await on.engine.advance(1_000)
        await cells.inject(on.cloud, on.operator, "cell-2", "up")
        await on.engine.advance(60)

        events = await on.events()
        (started,) = [event.at - NOON for event in events if event.kind == "server.running"]
        (ran,) = [event.at - NOON for event in events if event.kind == "schedule.ran"]
        assert (started, ran) == (timedelta(seconds=1_000), timedelta(seconds=1_060))
        central = sorted((event.number, event.at) for event in events if event.file == feed.CLOUD_FILE)
        assert [at for _, at in central] == sorted(at for _, at in central)

    in_a_cloud(tmp_path / "data", story)


def test_a_backup_that_is_owed_is_taken_though_the_backend_ended_as_the_cell_came_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def miss() -> None:
        async with opened(folder) as on:
            web = await on.server("web-01", cell="cell-1")
            await schedules.create_schedule(on.cloud, on.operator, web.id, description="x", cron="0 * * * *")
            await cells.inject(on.cloud, on.operator, "cell-1", "down")
            await on.engine.advance(3600)
            await cells.inject(on.cloud, on.operator, "cell-1", "up")
            await on.engine.noted()

    async def look() -> list[str]:
        async with opened(folder, at=NOON + timedelta(seconds=3600)) as on:
            return [event.kind for event in await on.events() if event.kind.startswith("schedule.")]

    asyncio.run(miss())

    assert asyncio.run(look()) == ["schedule.created", "schedule.missed", "schedule.ran"]


def test_tasks_of_a_silent_cell_wait_and_resume_when_it_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        await servers.start_server(on.cloud, on.operator, server.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")

        await on.engine.advance(3600)
        silent = await servers.get_server(on.cloud, on.operator, server.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(1)
        back = await on.look(server.id)

        assert not hasattr(silent, "state")
        assert back.state is ServerState.RUNNING
        assert back.state_since is not None
        assert back.state_since >= NOON + timedelta(seconds=3600), "it ended when its cell was back, not before"

    in_a_cloud(tmp_path / "data", story)


def test_the_other_cell_goes_on_while_one_is_silent(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await cells.inject(on.cloud, on.operator, "cell-1", "hung")

        server = await on.running("web-01")
        listed = await servers.list_servers(on.cloud, on.operator)

        assert server.cell == "cell-2"
        assert listed.total == 1

    in_a_cloud(tmp_path / "data", story)


def test_a_schedule_takes_backups_by_cron_and_keeps_no_more_than_it_may(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db-01", cell="cell-1")
        await with_a_drive(on, server.id)
        await schedules.create_schedule(
            on.cloud, on.operator, server.id, description="hourly", cron="0 * * * *", backups_max=2
        )

        await on.engine.advance(5.5 * 3600)
        kept = [view.backup for view in await backups.list_backups(on.cloud, on.operator)]

        assert [(backup.created_at - NOON) // timedelta(hours=1) for backup in kept] == [5, 4]
        assert {backup.state for backup in kept} <= {BackupState.READY, BackupState.BACKING_UP}
        (view,) = await schedules.list_schedules(on.cloud, on.operator)
        assert view.history == ("ok",) * 5

    in_a_cloud(tmp_path / "data", story)


def test_missed_runs_are_recorded_and_caught_up_once_when_the_source_is_back(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("db-01", cell="cell-1")
        await with_a_drive(on, server.id)
        await schedules.create_schedule(on.cloud, on.operator, server.id, description="hourly", cron="0 * * * *")
        await cells.inject(on.cloud, on.operator, "cell-1", "down")

        await on.engine.advance(3 * 3600)
        (missed,) = await schedules.list_schedules(on.cloud, on.operator)
        none_yet = await backups.list_backups(on.cloud, on.operator)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(60)
        (begun,) = await schedules.list_schedules(on.cloud, on.operator)
        await on.engine.advance(240)
        (caught_up,) = await schedules.list_schedules(on.cloud, on.operator)

        assert missed.history == ("missed",) * 3
        assert missed.schedule.is_active, "a missed run is not a failed one"
        assert none_yet == []
        assert begun.history == (*missed.history, "running")
        assert caught_up.history == (*missed.history, "ok")
        assert caught_up.schedule.missed_since is None
        assert len(await backups.list_backups(on.cloud, on.operator)) == 1

    in_a_cloud(tmp_path / "data", story)


def test_a_source_is_at_risk_while_its_cell_is_silent_and_a_run_is_owed(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        found = []

        async def note() -> None:
            found.append(await backup_previews.servers_at_risk(on.cloud, now=on.cloud.clock.now()))

        for name in ("db-01", "db-02"):
            server = await on.server(name, cell="cell-1")
            await with_a_drive(on, server.id)
            cron = "0 * * * *" if name == "db-01" else "0 3 * * *"
            # Two rules for one server make it one source.
            for description in ("a", "b"):
                await schedules.create_schedule(on.cloud, on.operator, server.id, description=description, cron=cron)
        await note()
        # The copies of the hour are whole before the cell falls silent.
        await on.engine.advance(3600 + 120)
        await note()
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await note()
        await on.engine.advance(3600)
        await note()
        await on.engine.advance(24 * 3600)
        await note()
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(60)
        await note()

        assert [each["cell-1"] for each in found] == [0, 0, 0, 1, 2, 0]
        assert {each["cell-2"] for each in found} == {0}

    in_a_cloud(tmp_path / "data", story)


def test_members_of_a_silent_cell_make_what_a_group_tolerates_a_lower_bound(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        for number, cell in enumerate(("cell-1", "cell-2", "cell-2")):
            await on.running(f"web-{number}", cell=cell, tags=("group:web",))
        await on.cloud.store.flush_last_known()
        (before,) = await groups.list_groups(on.cloud, on.operator, on.pictures)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        (after,) = await groups.list_groups(on.cloud, on.operator, on.pictures)

        assert (before.redundancy.tolerates, before.redundancy.is_bound) == (2, False)
        assert (after.redundancy.tolerates, after.redundancy.is_bound) == (1, True)
        assert [member.state for member in after.members] == ["unknown", "running", "running"]

    in_a_cloud(tmp_path / "data", story)


def test_the_feed_tells_each_change_once_and_a_returning_cell_its_own_later(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("web-01", cell="cell-1")
        other = await on.server("web-02", cell="cell-2")
        cursor = await feed.cursor_now(on.cloud)
        await servers.start_server(on.cloud, on.operator, server.id)
        await servers.start_server(on.cloud, on.operator, other.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")

        first = await feed.changes(on.cloud, on.operator, cursor)
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        second = await feed.changes(on.cloud, on.operator, first.cursor)
        third = await feed.changes(on.cloud, on.operator, second.cursor)

        assert [each.id for each in first.servers] == [other.id]
        assert [each.id for each in second.servers] == [server.id]
        assert not third.servers

    in_a_cloud(tmp_path / "data", story)


def test_what_was_under_way_goes_on_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def begin() -> str:
        async with opened(folder) as on:
            server = await on.server("web-01")
            await servers.start_server(on.cloud, on.operator, server.id)
            await on.engine.advance(3)
            return server.id

    async def go_on(server_id: str) -> None:
        async with opened(folder, at=NOON + timedelta(seconds=3)) as on:
            await on.engine.advance(5)
            assert (await on.look(server_id)).state is ServerState.RUNNING

    asyncio.run(go_on(asyncio.run(begin())))
