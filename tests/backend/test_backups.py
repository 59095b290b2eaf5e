"""Backups: begun, whole, failed, stuck, of more than a server, and gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from backend.check import check as check_folder
from backend.cloud.errors import Conflict, Forbidden, NotFound, OverQuota, WrongState
from backend.cloud.model import GIB, BackupState, Server
from backend.operations import backups, cells, drives, losses, servers
from tests.backend.backing import DAY, HOUR, again, all_backups, scheduled, told, with_disk
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON


def test_a_backup_of_a_project_has_one_part_for_each_server_and_is_ready_with_the_last(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        small, large = await with_disk(on, "small", gib=1), await with_disk(on, "large", gib=100, cell="cell-2")

        parent = await backups.create_backup(on.cloud, on.operator, "project", "inside")
        await on.engine.advance(60)
        halfway = {backup.source_id: backup.state for backup in await all_backups(on)}
        await on.engine.advance(600)
        found = await all_backups(on)
        usage = await on.cloud.store.cloud_read(lambda tx: tx.usage("inside"))

        assert halfway == {"inside": "backing_up", small.id: "ready", large.id: "backing_up"}
        assert {backup.state for backup in found} == {BackupState.READY}
        assert {backup.parent_id for backup in found if backup.source_kind == "server"} == {parent.id}
        assert usage.storage_bytes == 2 * 101 * GIB, "the drives and the copies of them"

        with pytest.raises(Conflict, match="a part of backup"):
            await backups.delete_backup(on.cloud, on.operator, found[-1].id if found[-1].parent_id else found[0].id)
        await backups.delete_backup(on.cloud, on.operator, parent.id)
        await on.engine.advance(10)
        assert await all_backups(on) == []

    in_a_cloud(tmp_path / "data", story)
    assert check_folder(tmp_path / "data").breach is None


def test_a_customer_is_backed_up_over_all_its_projects_by_who_may_write_in_all(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        inside, outside = await with_disk(on, "in"), await with_disk(on, "out", project_id="outside")
        await backups.create_backup(on.cloud, on.operator, "customer", "customer")
        await on.engine.advance(600)

        parent, *parts = sorted(await all_backups(on), key=lambda backup: backup.source_kind)
        assert (parent.source_kind, parent.project_id, parent.size_bytes) == ("customer", "", 0)
        assert {(part.source_id, part.project_id) for part in parts} == {(inside.id, "inside"), (outside.id, "outside")}

        seen = [view.backup.project_id for view in await backups.list_backups(on.cloud, on.tenant)]
        assert seen == ["outside"], "who sees one project only sees its part"
        with pytest.raises(NotFound):
            await backups.create_backup(on.cloud, on.tenant, "customer", "customer")

    in_a_cloud(tmp_path / "data", story)


def test_a_drive_that_is_lost_while_it_is_copied_fails_the_backup_and_switches_its_schedule_off(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=100)
        other = await with_disk(on, "other", gib=1, cell="cell-2")
        schedule, unharmed = await scheduled(on, server.id), await scheduled(on, other.id)
        await on.engine.advance(HOUR)
        (drive,) = (await drives.drives_of(on.cloud, [server.id]))[server.id]
        await losses.fail_host(on.cloud, on.operator.name, drive.host)
        await on.engine.advance(1000)

        first = next(backup for backup in await all_backups(on) if backup.source_id == server.id)
        assert first.state is BackupState.ERRED
        assert "was lost with host" in (first.reason or "")
        assert (await again(on, schedule)).is_active is False
        assert "was lost with host" in ((await again(on, schedule)).reason or "")
        assert (await again(on, unharmed)).is_active, "one that fails never touches another"

        await backups.delete_backup(on.cloud, on.operator, first.id)
        await on.engine.advance(10)
        assert [each.source_id for each in await all_backups(on)] == [other.id], "what failed can be deleted"

    in_a_cloud(tmp_path / "data", story)


def test_a_silent_cell_holds_a_copy_up_until_it_is_back_or_the_copy_is_given_up(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=10)
        waits = await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.advance(600)
        assert (await backups.get_backup(on.cloud, on.operator, waits.id)).state is BackupState.BACKING_UP
        await cells.inject(on.cloud, on.operator, "cell-1", "up")
        await on.engine.advance(1)
        assert (await backups.get_backup(on.cloud, on.operator, waits.id)).state is BackupState.READY

        stuck = await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        await on.engine.advance(2 * HOUR)
        found = await backups.get_backup(on.cloud, on.operator, stuck.id)
        assert found.state is BackupState.ERRED
        assert "it was stuck: cell-1 did not answer" in (found.reason or "")

    in_a_cloud(tmp_path / "data", story)


def test_a_copy_that_was_held_up_goes_on_when_its_cell_is_back_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder)

    async def begin() -> None:
        async with opened(folder) as on:
            server = await with_disk(on)
            await scheduled(on, server.id, "5 * * * *")
            await backups.create_backup(on.cloud, on.operator, "server", server.id)
            await cells.inject(on.cloud, on.operator, "cell-1", "down")
            await on.engine.advance(600)
            await on.engine.noted()
            # It is back when nobody is left to see it.
            await cells.inject(on.cloud, on.operator, "cell-1", "up")

    async def go_on() -> None:
        async with opened(folder, at=NOON + timedelta(minutes=11)) as on:
            await on.engine.advance(60)
            assert {backup.state for backup in await all_backups(on)} == {BackupState.READY}

    asyncio.run(begin())
    asyncio.run(go_on())


def test_what_is_half_way_is_neither_deleted_nor_backed_up_and_nothing_is_changed(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on)
        backup = await backups.create_backup(on.cloud, on.operator, "server", server.id)
        with pytest.raises(WrongState):
            await backups.delete_backup(on.cloud, on.operator, backup.id)
        await servers.start_server(on.cloud, on.operator, server.id)
        with pytest.raises(Conflict, match="stable state: server db is starting"):
            await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        with pytest.raises(Conflict, match="cell-1 does not answer"):
            await backups.create_backup(on.cloud, on.operator, "server", server.id)
        with pytest.raises(NotFound):
            await backups.create_backup(on.cloud, on.tenant, "server", server.id)
        assert [each.id for each in await all_backups(on)] == [backup.id]

    in_a_cloud(tmp_path / "data", story)


def test_over_quota_is_told_with_the_figures_at_creation_and_switches_a_schedule_off_at_its_run(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, gib=10)
        schedule = await scheduled(on, server.id)

        with pytest.raises(OverQuota) as refused:
            await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await on.engine.advance(HOUR)

        assert (refused.value.wanted, refused.value.left) == (10 * GIB, 5 * GIB)
        off = await again(on, schedule)
        assert (off.is_active, off.reason) == (False, "Over quota: storage needs 10.0 GiB, 5.0 GiB left.")
        assert await told(on, schedule) == ["schedule.created", "schedule.failed"]
        assert await all_backups(on) == []

    in_a_cloud(tmp_path / "data", story, storage_bytes_max=15 * GIB)


def test_the_manager_of_a_project_reads_and_never_writes(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await with_disk(on, project_id="outside")
        backup = await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await on.engine.advance(DAY)
        reader = on.tenant.acting_in("outside")
        assert reader is not None
        manager = type(reader)("9", "manager", "outside", projects_read=frozenset({"outside"}))

        assert (await backups.get_backup(on.cloud, manager, backup.id)).state is BackupState.READY
        with pytest.raises(Forbidden):
            await backups.delete_backup(on.cloud, manager, backup.id)
        with pytest.raises(Forbidden):
            await backups.create_backup(on.cloud, manager, "server", server.id)

    in_a_cloud(tmp_path / "data", story)


def test_the_backups_of_a_deleted_server_stay_and_its_schedules_say_why_they_are_off(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server: Server = await with_disk(on)
        schedule = await scheduled(on, server.id)
        backup = await backups.create_backup(on.cloud, on.operator, "server", server.id)
        await on.engine.advance(600)
        await servers.delete_server(on.cloud, on.operator, server.id, recurse="all_drives")

        assert (await again(on, schedule)).reason == "its server was deleted"
        assert (await backups.get_backup(on.cloud, on.operator, backup.id)).source_name == "db"

    in_a_cloud(tmp_path / "data", story)
