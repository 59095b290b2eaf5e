"""A data folder of a fleet, and the fleet of a data folder: what was described is what is there, and the other way."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from backend import fleet_file, fleet_folder, seed
from backend.cloud.model import GIB, Account, HostKind, HostState, ReachabilityState
from backend.fleet_file import STANDARD_ACCOUNTS, Fleet, FleetAccount, FleetCell, FleetHost
from backend.folder import OPERATOR
from backend.operations import Settings
from backend.store import FolderError, Store
from backend.store.migrations import SCHEMA_VERSIONS
from tests.builders import NOON
from tests.strategies import fleets

MANUAL = {"mode": "manual", "rate": 0, "simulated_at": NOON.isoformat()}


def a_fleet(*cells: str, seed: int | None = None) -> Fleet:
    return Fleet(
        tuple(
            FleetCell(
                name,
                (
                    FleetHost(f"{name}-h1", HostKind.COMPUTE, cpu_mhz=80_000, memory_bytes=256 * GIB),
                    FleetHost(f"{name}-s1", HostKind.STORAGE, capacity_bytes=10_240 * GIB),
                ),
            )
            for name in cells or ("cell-1",)
        ),
        seed=seed,
    )


def make(path: Path, fleet: Fleet) -> None:
    fleet_folder.make(path, fleet, now=NOON, clock_state=MANUAL)


@given(fleet=fleets())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_export_and_import_give_the_same_fleet(fleet: Fleet) -> None:
    with tempfile.TemporaryDirectory() as path:
        make(Path(path) / "one", fleet)
        exported = fleet_file.render(fleet_folder.find(Path(path) / "one"))
        make(Path(path) / "two", fleet_file.parse(exported, file="exported"))

        assert fleet_folder.find(Path(path) / "one") == fleet
        assert fleet_folder.find(Path(path) / "two") == fleet
        assert fleet_file.render(fleet_folder.find(Path(path) / "two")) == exported


def test_a_cloud_of_a_fleet_has_its_hosts_up_its_settings_and_no_server(tmp_path: Path) -> None:
    fleet = replace(a_fleet("b", "a"), floor_permille=500, grace_seconds=5, placement="pack")
    make(tmp_path / "data", fleet)

    async def look() -> None:
        store = await Store.open(tmp_path / "data", wall=lambda: NOON)
        try:
            assert store.cell_names == ("b", "a")
            assert store.kind == "fleet"
            assert store.settings["fleet"] == fleet.fingerprint
            assert Settings.of(store.settings) == Settings(5, 500, "pack")
            found = await store.each_cell(lambda tx: (tx.hosts(), tx.all_servers()))
        finally:
            await store.close()
        for cell, answer in found.items():
            assert isinstance(answer, tuple)
            assert [(host.name, host.state) for host in answer[0]] == [
                (f"{cell}-h1", HostState.UP),
                (f"{cell}-s1", HostState.UP),
            ]
            assert answer[1] == []

    asyncio.run(look())


def accounts_of(path: Path) -> tuple[str, dict[str, Account]]:
    async def read() -> tuple[str, dict[str, Account]]:
        store = await Store.open(path, wall=lambda: NOON)
        try:
            return store.cloud_id, {each.name: each for each in await store.cloud_read(lambda tx: tx.accounts())}
        finally:
            await store.close()

    return asyncio.run(read())


def test_a_seed_gives_the_cloud_its_id_and_without_one_each_has_its_own(tmp_path: Path) -> None:
    for name, number in (("a", 7), ("b", 7), ("c", 8), ("d", None), ("e", None)):
        make(tmp_path / name, a_fleet(seed=number))

    ids = {name: accounts_of(tmp_path / name) for name in "abcde"}
    assert ids["a"] == ids["b"]
    assert len({cloud_id for cloud_id, _ in ids.values()}) == 4


def test_without_accounts_the_cloud_has_those_of_the_demo(tmp_path: Path) -> None:
    make(tmp_path / "fleet", a_fleet())
    seed.make(tmp_path / "empty", "empty", seed=1, now=NOON, clock_state=MANUAL)

    def shape(path: Path) -> list[tuple[str, bool, bool, int, int]]:
        return [
            (name, own.is_staff, own.may_backfill, len(own.projects_read), len(own.projects_write))
            for name, own in accounts_of(path)[1].items()
        ]

    assert shape(tmp_path / "fleet") == shape(tmp_path / "empty")
    assert fleet_folder.find(tmp_path / "empty").accounts == STANDARD_ACCOUNTS


def test_listed_accounts_write_in_their_own_project_only(tmp_path: Path) -> None:
    listed = (
        FleetAccount("ann@example.org", "shop", may_backfill=True),
        FleetAccount("bob@example.org", "shop"),
        FleetAccount(OPERATOR, "operations", is_staff=True),
    )
    make(tmp_path / "data", replace(a_fleet(), accounts=listed))

    _, found = accounts_of(tmp_path / "data")
    assert found["ann@example.org"].projects_write == {found["ann@example.org"].project_id}
    assert found["ann@example.org"].project_id == found["bob@example.org"].project_id
    assert found[OPERATOR].project_id != found["bob@example.org"].project_id
    assert (found[OPERATOR].is_staff, found["bob@example.org"].is_staff) == (True, False)


def test_a_fleet_is_found_while_the_cloud_is_open_and_with_a_silent_cell(tmp_path: Path) -> None:
    fleet = a_fleet("cell-1", "cell-2")
    make(tmp_path / "data", fleet)

    async def look() -> Fleet:
        store = await Store.open(tmp_path / "data", wall=lambda: NOON)
        try:
            await store.cloud_write(lambda tx: tx.save_injected("cell-2", ReachabilityState.DOWN))
            return await asyncio.to_thread(fleet_folder.find, tmp_path / "data")
        finally:
            await store.close()

    assert asyncio.run(look()) == fleet


def test_looking_for_the_fleet_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path / "data", a_fleet())
    files = [tmp_path / "data" / "cloud.db", tmp_path / "data" / "cells" / "cell-1.db"]
    before = [file.read_bytes() for file in files]

    fleet_folder.find(tmp_path / "data")

    assert [file.read_bytes() for file in files] == before


def test_a_fleet_that_cannot_be_read_whole_is_a_sentence_with_the_file(tmp_path: Path) -> None:
    make(tmp_path / "data", a_fleet("cell-1", "cell-2", "cell-3"))
    cells = tmp_path / "data" / "cells"

    def problem() -> str:
        with pytest.raises(FolderError) as raised:
            fleet_folder.find(tmp_path / "data")
        return str(raised.value)

    (cells / "cell-3.db").unlink()
    assert problem() == f"{cells}/cell-3.db is missing."
    (cells / "cell-2.db").write_bytes(b"not a database" * 100)
    assert problem() == f"{cells}/cell-2.db cannot be read: cell file is not a database."
    (cells / "cell-1.db").write_bytes(b"")
    assert problem() == f"{cells}/cell-1.db has no tables: it is not a file of this cloud."
    (tmp_path / "data" / "cloud.db").unlink()
    assert problem() == f"{tmp_path}/data holds no cloud."


def test_a_cell_of_another_cloud_is_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(tmp_path / name, a_fleet())
    (tmp_path / "one/cells/cell-1.db").write_bytes((tmp_path / "two/cells/cell-1.db").read_bytes())

    with pytest.raises(FolderError, match="is the file of another cloud or cell"):
        fleet_folder.find(tmp_path / "one")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (
            99,
            "was made by a newer version of Stratodeck (its schema has the number 99, and this version's "
            f"{SCHEMA_VERSIONS['cell']}).",
        ),
        (SCHEMA_VERSIONS["cell"] - 1, "was made by an older version of Stratodeck: open its cloud once with this one."),
    ],
)
def test_a_file_of_another_version_is_a_sentence(tmp_path: Path, version: int, sentence: str) -> None:
    make(tmp_path / "data", a_fleet())
    with closing(sqlite3.connect(tmp_path / "data/cells/cell-1.db")) as connection:
        connection.execute(f"PRAGMA user_version = {version}")

    with pytest.raises(FolderError) as raised:
        fleet_folder.find(tmp_path / "data")
    assert str(raised.value) == f"{tmp_path}/data/cells/cell-1.db {sentence}"


def test_the_demo_can_be_described_too(tmp_path: Path) -> None:
    seed.make(tmp_path / "demo", "demo", seed=1, now=NOON, clock_state=MANUAL)

    fleet = fleet_folder.find(tmp_path / "demo")

    assert [cell.name for cell in fleet.cells] == list(seed.CELLS)
    assert sum(host.kind is HostKind.COMPUTE for host in fleet.hosts) == 96
    assert fleet.accounts == STANDARD_ACCOUNTS
    assert fleet.seed is None
    assert fleet_file.parse(fleet_file.render(fleet), file="demo") == fleet
