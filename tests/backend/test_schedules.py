"""Schedules by the clock: once for each instant, and what becomes of the runs that could not be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from backend.check import check as check_folder
from backend.cloud.backups import jitter
from backend.cloud.errors import Conflict
from backend.cloud.model import BackupState, ServerState
from backend.operations import backups, cells, drives, losses, schedules, servers
from tests.backend.backing import DAY, HOUR, again, all_backups, hours, scheduled, told, with_disk
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON


def test_a_run_that_falls_due_while_the_last_one_is_not_finished_is_refused_and_recorded(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=300)
        schedule = await scheduled(on, server.id, "*/15 * * * *")
        await on.engine.advance(DAY / 24 + 600)

        kinds = await told(on, schedule)
        assert kinds[1:] == ["schedule.ran", "schedule.overlapped"] * 2
        assert len(await all_backups(on)) == 2
        assert (await again(on, schedule)).is_active

    in_a_cloud(tmp_path / "data", story)


def test_a_source_that_has_not_settled_is_looked_at_again_and_copied_once(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on)
        schedule = await scheduled(on, server.id, "0 13 * * *")
        await on.engine.advance(HOUR - 8)
        await servers.start_server(on.cloud, on.operator, server.id)
        await on.engine.advance(5)
        assert (await again(on, schedule)).missed_since == NOON + hours(1)
        await on.engine.advance(3 * HOUR)

        assert await told(on, schedule) == ["schedule.created", "schedule.missed", "schedule.ran"]
        assert [backup.created_at for backup in await all_backups(on)] == [NOON + hours(1) + timedelta(minutes=1)]
        assert (await again(on, schedule)).missed_since is None

    in_a_cloud(tmp_path / "data", story)


def test_what_was_missed_while_nothing_ran_is_recorded_and_taken_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def begin() -> str:
        async with opened(folder) as on:
            server = await with_disk(on)
            schedule = await scheduled(on, server.id)
            await on.engine.advance(HOUR)
            return schedule.id

    async def go_on(schedule_id: str) -> None:
        async with opened(folder, at=NOON + hours(6.5)) as on:
            await on.engine.run_due()
            found = await all_backups(on)
            events = [event for event in await on.events() if event.object_id == schedule_id]
            (missed,) = [event for event in events if event.kind == "schedule.missed"]

            assert [(backup.created_at - NOON) for backup in found] == [hours(1), hours(6.5)]
            assert missed.details["runs"] == 5
            assert missed.details["why"] == "not running"
            schedule = await schedules.get_schedule(on.cloud, on.operator, schedule_id)
            assert schedule.next_trigger_at == NOON + hours(7)

    asyncio.run(go_on(asyncio.run(begin())))


def test_a_project_with_a_part_in_a_silent_cell_is_missed_whole_and_caught_up_once(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await with_disk(on, "near")
        await with_disk(on, "far", cell="cell-2")
        schedule = await scheduled(on, "inside", source_kind="project", backups_max=1)
        await cells.inject(on.cloud, on.operator, "cell-2", "down")
        await on.engine.advance(3 * HOUR)
        assert await all_backups(on) == []
        await cells.inject(on.cloud, on.operator, "cell-2", "up")
        await on.engine.advance(60)
        await on.engine.advance(HOUR)

        kinds = await told(on, schedule)
        assert kinds == ["schedule.created", *["schedule.missed"] * 3, "schedule.ran", "schedule.ran"]
        await on.engine.advance(600)
        found = await all_backups(on)
        assert [backup.source_kind for backup in found].count("project") == 1, "the older one has gone with its parts"
        assert len(found) == 3

    in_a_cloud(tmp_path / "data", story)


def test_a_broken_server_is_left_out_by_name_and_the_rest_of_its_project_is_copied(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        whole, broken = await with_disk(on, "whole"), await with_disk(on, "broken", cell="cell-2")
        await scheduled(on, "inside", source_kind="project")
        (drive,) = (await drives.drives_of(on.cloud, [broken.id]))[broken.id]
        await losses.fail_host(on.cloud, on.operator.name, drive.host)
        await on.engine.advance(HOUR + 600)

        parent, part = sorted(await all_backups(on), key=lambda backup: backup.source_kind)
        assert (parent.state, part.state, part.source_id) == ("ready", "ready", whole.id)
        assert parent.reason == "left out: drive broken-disk of server broken is unavailable"

    in_a_cloud(tmp_path / "data", story)


def test_each_schedule_is_late_by_an_amount_of_its_own_every_time(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=1)
        made = [await scheduled(on, server.id, "0 * * * *", jitter_seconds=600) for _ in range(4)]
        await on.engine.advance(4 * HOUR)

        late = {schedule.id: jitter(schedule) for schedule in made}
        assert len(set(late.values())) > 1
        assert all(timedelta() <= each <= timedelta(seconds=600) for each in late.values())
        for schedule in made:
            taken = [each.created_at - NOON for each in await all_backups(on) if each.schedule_id == schedule.id]
            assert taken == [hours(n) + late[schedule.id] for n in range(4)]

    in_a_cloud(tmp_path / "data", story)


def test_grandfathers_outlive_the_days_of_retention_and_go_when_nothing_keeps_them(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=1)
        schedule = await scheduled(on, server.id, "0 0 * * *", retention_days=2, keeps={"weekly": 2})
        await on.engine.advance(20 * DAY)
        kept = [backup.created_at.date().isoformat() for backup in await all_backups(on)]
        # 2026-11-20 is a Friday: the newest of each week is that of Sunday; the last two days are kept anyway.
        assert kept == ["2026-12-06", "2026-12-09", "2026-12-10"]

        await schedules.change_schedule(on.cloud, on.operator, schedule.id, keeps={})
        await on.engine.advance(DAY)
        kept = [backup.created_at.date().isoformat() for backup in await all_backups(on)]
        assert kept == ["2026-12-10", "2026-12-11"]

    in_a_cloud(tmp_path / "data", story)


def test_the_newest_good_backup_stays_past_its_time_while_a_newer_one_is_not_finished(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=1)
        large = await with_disk(on, "large", gib=900)
        schedule = await scheduled(on, "inside", "0 13 * * *", source_kind="project", retention_days=1)
        await on.engine.advance(3 * HOUR)
        (first,) = [backup for backup in await all_backups(on) if backup.source_kind == "project"]
        await on.engine.advance(22.25 * HOUR)

        found = [backup for backup in await all_backups(on) if backup.source_kind == "project"]
        assert [backup.state for backup in found] == [BackupState.READY, BackupState.BACKING_UP]
        assert found[0].id == first.id
        await on.engine.advance(3 * HOUR)
        (left,) = [backup for backup in await all_backups(on) if backup.source_kind == "project"]
        assert left.created_at == NOON + hours(25)
        assert schedule.source_id == server.project_id == large.project_id

    in_a_cloud(tmp_path / "data", story, storage_bytes=4000 * 2**30)


def test_a_schedule_that_is_on_or_off_already_says_so_and_what_is_switched_on_does_not_run_at_once(
    tmp_path: Path,
) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on)
        schedule = await scheduled(on, server.id, is_active=False)
        with pytest.raises(Conflict, match="already deactivated"):
            await schedules.set_active(on.cloud, on.operator, schedule.id, is_active=False)
        await on.engine.advance(5.5 * HOUR)
        active = await schedules.set_active(on.cloud, on.operator, schedule.id, is_active=True)
        with pytest.raises(Conflict, match="already activated"):
            await schedules.set_active(on.cloud, on.operator, schedule.id, is_active=True)
        await on.engine.advance(60)

        assert active.next_trigger_at == NOON + hours(6)
        assert await all_backups(on) == []

    in_a_cloud(tmp_path / "data", story)


def test_two_looks_at_the_same_instant_run_it_once_and_a_deleted_schedule_leaves_its_backups(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on)
        schedule = await scheduled(on, server.id)
        at = NOON + hours(1)
        on.clock.move_to(at)
        await asyncio.gather(*(schedules.run_due_schedules(on.cloud, at) for _ in range(4)))
        assert len(await all_backups(on)) == 1
        await on.engine.advance(600)

        await schedules.delete_schedule(on.cloud, on.operator, schedule.id)
        await on.engine.advance(HOUR)
        assert [backup.schedule_id for backup in await all_backups(on)] == [None]

    in_a_cloud(tmp_path / "data", story)


def test_a_drill_restores_the_newest_backup_says_how_long_that_took_and_leaves_nothing(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=10, tags=("group:db",))
        schedule = await scheduled(on, server.id, drill_days=7)
        await on.engine.advance(2.5 * HOUR)

        drilled = await again(on, schedule)
        assert (drilled.drill_problem, drilled.drill_seconds) == (None, 60), "52 seconds of copying, 8 of starting"
        assert drilled.drilled_at == NOON + hours(1) + timedelta(seconds=52)
        assert [each.id for each in (await servers.list_servers(on.cloud, on.operator)).items] == [server.id]
        assert (await drives.list_drives(on.cloud, on.operator)).total == 1
        assert {backup.state for backup in await all_backups(on)} == {BackupState.READY}
        ran = [event for event in await on.events() if event.kind == "server.running"]
        assert len(ran) == 1, "it ran, in no group"
        assert (await on.look(server.id)).state is ServerState.STOPPED

    in_a_cloud(tmp_path / "data", story)


def test_a_drill_whose_cell_falls_silent_gives_the_backup_back_and_is_cleared_away_later(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=10)
        schedule = await scheduled(on, server.id, "0 13 * * *", drill_days=7)
        await on.engine.advance(HOUR + 60)
        (drill,) = [each for each in (await servers.list_servers(on.cloud, on.operator)).items if each.id != server.id]
        await cells.inject(on.cloud, on.operator, drill.cell, "down")
        await on.engine.advance(2 * HOUR)
        assert [backup.state for backup in await all_backups(on)] == [BackupState.READY]
        await cells.inject(on.cloud, on.operator, drill.cell, "up")
        await on.engine.advance(120)

        assert [each.id for each in (await servers.list_servers(on.cloud, on.operator)).items] == [server.id]
        assert (await again(on, schedule)).drill_problem == "it was not done in time"

    in_a_cloud(tmp_path / "data", story)
    assert check_folder(tmp_path / "data").breach is None


def test_a_drill_that_finds_no_room_says_so_and_the_schedule_goes_on(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=10)
        schedule = await scheduled(on, server.id, drill_days=1)
        await on.engine.advance(2 * HOUR)

        drilled = await again(on, schedule)
        assert drilled.drill_problem == "Over quota: servers needs 1, 0 left."
        assert drilled.is_active
        assert (await backups.list_backups(on.cloud, on.operator))[0].backup.state is not BackupState.ERRED

    in_a_cloud(tmp_path / "data", story, servers_max=1)
