"""What is known centrally: ids, memberships, rights, the directory, schedules and backups, settings and the clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from backend.cloud.errors import NotFound
from backend.cloud.model import (
    GIB,
    BackupState,
    Size,
)
from backend.store import CloudTransaction, DriveEntry, ServerEntry, Store
from tests.backend.store_support import CLOUD_ID, in_cloud, make_folder, with_store
from tests.builders import HOUR, NOON, a_backup, a_schedule

WHO = "operator@stratodeck.local"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def test_ids_come_from_the_cloud_the_cell_and_a_counter(folder: Path) -> None:
    def draw(tx: CloudTransaction) -> list[str]:
        return [tx.next_id(cell) for cell in ("cell-1", "cell-1", "cell-2", "cloud")]

    expected = [uuid5(UUID(CLOUD_ID), name) for name in ("cell-1/1", "cell-1/2", "cell-2/1", "cloud/1")]
    assert in_cloud(folder, draw) == [str(id_) for id_ in expected]
    with pytest.raises(NotFound):
        in_cloud(folder, lambda tx: tx.next_id("cell-9"))


def test_memberships_say_which_projects_an_account_reads_and_writes(folder: Path) -> None:
    from backend.cloud.model import Account

    def add(tx: CloudTransaction) -> None:
        tx.add_project("second", "Second", "customer")
        for name in ("owner", "manager", "admin"):
            tx.add_account(Account(name, name, "project"))
        tx.add_membership("owner", "customer_owner", "customer")
        tx.add_membership("manager", "project_manager", "second")
        tx.add_membership("admin", "project_admin", "second")

    in_cloud(folder, add)
    accounts = {account.name: account for account in in_cloud(folder, lambda tx: tx.accounts())}

    assert accounts["owner"].projects_read == {"project", "second"}
    assert accounts["owner"].projects_write == frozenset()
    assert accounts["manager"].projects_read == {"second"}
    assert accounts["manager"].projects_write == frozenset()
    assert accounts["admin"].projects_write == accounts["admin"].projects_read == {"second"}
    with pytest.raises(NotFound):
        in_cloud(folder, lambda tx: tx.account("nobody"))


def test_a_right_is_granted_with_an_event(folder: Path) -> None:
    def grant(tx: CloudTransaction) -> Any:
        before = tx.account(WHO)
        tx.save_account(before, replace(before, may_backfill=False), at=NOON, actor=WHO)
        return tx.account(WHO).may_backfill, tx.events_of("account")[0].changes

    assert in_cloud(folder, grant) == (False, {"may_backfill": (True, False)})


def an_entry(id_: str, cell: str = "cell-1", **more: Any) -> ServerEntry:
    return ServerEntry(id_, cell, "project", WHO, NOON, Size(2000, GIB), False, **more)


def test_the_directory_is_listed_by_age_and_filtered(folder: Path) -> None:
    def add(tx: CloudTransaction) -> None:
        tx.add_server_entry(an_entry("b"))
        tx.add_server_entry(an_entry("a", "cell-2", state="building", flavor="f1", zone="z"))
        tx.add_server_entry(replace(an_entry("c"), created_at=NOON - HOUR, project_id="other", is_backfilling=True))

    in_cloud(folder, add)

    def ids(**filters: Any) -> list[str]:
        found = in_cloud(folder, lambda tx: (tx.server_entries(**filters), tx.count_server_entries(**filters)))
        assert len(found[0]) == found[1]
        return [entry.id for entry in found[0]]

    assert ids() == ["c", "a", "b"]
    assert ids(projects=frozenset({"project"})) == ["a", "b"]
    assert ids(projects=frozenset()) == []
    assert ids(cells=["cell-2"]) == ["a"]
    assert ids(is_backfilling=True) == ["c"]
    assert ids(ids=["b", "zzz"]) == ["b"]
    assert ids(states=["active"]) == ["c", "b"]
    assert ids(states=["active", "building"], projects=frozenset({"project"})) == ["a", "b"]
    assert ids(states=["building", "deleting"]) == ["a"]
    assert ids(states=["active", "building", "deleting"], cells=["cell-1"]) == ["c", "b"]
    assert ids(states=[]) == []
    assert [entry.id for entry in in_cloud(folder, lambda tx: tx.server_entries(offset=1, limit=1))] == ["a"]
    assert in_cloud(folder, lambda tx: tx.unfinished_server_entries("cell-2")) == [
        an_entry("a", "cell-2", state="building", flavor="f1", zone="z")
    ]


def test_an_entry_is_saved_and_removed(folder: Path) -> None:
    def change(tx: CloudTransaction) -> Any:
        tx.add_server_entry(an_entry("a", state="building"))
        tx.save_server_entry(an_entry("a", state="active"))
        tx.add_drive_entry(DriveEntry("d", "cell-1", "project", WHO, NOON, GIB, "a", "building"))
        tx.save_drive_entry(DriveEntry("d", "cell-1", "project", WHO, NOON, 2 * GIB, "a"))
        found = tx.find_server_entry("a"), tx.find_drive_entry("d"), tx.drive_entries_of("a"), tx.usage("project")
        tx.remove_server_entry("a")
        tx.remove_drive_entry("d")
        return found, tx.find_server_entry("a"), tx.find_drive_entry("d")

    (server, drive, drives, usage), *gone = in_cloud(folder, change)

    assert (server.state, drive.size_bytes, [each.id for each in drives]) == ("active", 2 * GIB, ["d"])
    assert (usage.servers, usage.cpu_mhz, usage.memory_bytes, usage.storage_bytes) == (1, 2000, GIB, 2 * GIB)
    assert gone == [None, None]


def test_schedules_and_backups_are_read_as_they_were_written_and_fall_due(folder: Path) -> None:
    schedule, backup = a_schedule(), a_backup(schedule_id="schedule", kept_until=NOON + HOUR, contents={"drives": [1]})

    def add(tx: CloudTransaction) -> None:
        tx.add_schedule(schedule, at=NOON, actor=WHO)
        tx.add_backup(backup, at=NOON)

    in_cloud(folder, add)

    assert in_cloud(folder, lambda tx: tx.backup_schedule("schedule")) == schedule
    assert in_cloud(folder, lambda tx: tx.backups(schedule_id="schedule")) == [backup]
    assert in_cloud(folder, lambda tx: tx.backups(source_id="nobody's")) == []
    assert in_cloud(folder, lambda tx: tx.next_due()) == NOON + HOUR
    assert in_cloud(folder, lambda tx: tx.expired_backups(NOON)) == []
    assert in_cloud(folder, lambda tx: tx.expired_backups(NOON + HOUR)) == [backup]
    assert in_cloud(folder, lambda tx: tx.due_schedules(schedule.next_trigger_at)) == [schedule]

    def change(tx: CloudTransaction) -> Any:
        saved = tx.save_backup(backup, replace(backup, state=BackupState.DELETING), kind="backup.deleting", at=NOON)
        tx.remove_backup(saved, at=NOON)
        off = replace(schedule, is_active=False, next_trigger_at=None, reason="failed")
        tx.save_schedule(schedule, off, kind="schedule.off", at=NOON)
        return tx.find_backup("backup"), tx.find_schedule("schedule"), tx.next_due()

    gone, off, due = in_cloud(folder, change)
    assert gone is None
    assert due is None
    assert (off.reason, off.version) == ("failed", 2)


def test_settings_and_clock_are_kept(folder: Path) -> None:
    def change(tx: CloudTransaction) -> Any:
        tx.save_clock_state({"mode": "rate", "rate": 60})

    in_cloud(folder, change)

    async def story(store: Store) -> Any:
        return store.settings, await store.cloud_read(lambda tx: tx.clock_state()), store.kind, store.created_at

    assert with_store(folder, story) == ({"grace_seconds": 30}, {"mode": "rate", "rate": 60}, "demo", NOON)
