"""A data folder is made whole or not at all, and one that cannot be used is refused with a sentence."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.clock import system_wall
from backend.cloud.model import HostKind, ReachabilityState, TaskState
from backend.operations import Settings, servers
from backend.store import CellTransaction, FolderError, FolderWriter, Store, create_folder, is_made, migrations
from backend.store.files import Place, open_file
from backend.store.rows import DRIVE, HOST, SERVER
from backend.store.transaction import EVENT_COLUMNS, TASK_COLUMNS
from tests.backend.store_support import CLOUD_ID, cell_file, fill, make_folder, note, with_store
from tests.builders import NOON, a_drive, a_server


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def opens(folder: Path) -> None:
    async def story(store: Store) -> None:
        assert store.cell_names == ("cell-1", "cell-2")
        assert all(store.reachability(cell).state is ReachabilityState.UP for cell in store.cell_names)

    with_store(folder, story)


def test_a_new_folder_has_its_files_and_nothing_else(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "deep" / "data")

    assert names(folder) == ["cells", "cells/cell-1.db", "cells/cell-2.db", "cloud.db"]
    assert is_made(folder)
    opens(folder)


def test_what_was_seeded_is_known_centrally_from_the_start(tmp_path: Path) -> None:
    from tests.builders import a_server

    def fill_one(writer: FolderWriter) -> None:
        fill(writer)
        writer.cell("cell-1").add_server(a_server("s", host="h1"), at=NOON, actor="me")

    folder = make_folder(tmp_path / "data", fill=fill_one)

    known = with_store(folder, lambda store: store.cloud_read(lambda tx: tx.last_known(["s"])))
    assert [(each.known_at, each.server()) for each in known] == [(NOON, a_server("s", host="h1"))]


def test_the_same_seed_gives_the_same_events_byte_for_byte(tmp_path: Path) -> None:
    def events(folder: Path) -> list[tuple[object, ...]]:
        make_folder(folder)
        connection = sqlite3.connect(cell_file(folder, "cell-1"))
        rows = connection.execute("SELECT * FROM event ORDER BY number").fetchall()
        connection.close()
        return rows

    assert events(tmp_path / "one") == events(tmp_path / "two") != []


def test_a_folder_that_holds_a_cloud_is_not_made_again(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")

    with pytest.raises(FolderError, match="already holds a cloud"):
        make_folder(folder)

    opens(folder)


class Interrupted(BaseException):
    """As SIGKILL would: nothing after it runs, and what is there stays."""


def test_a_failing_fill_leaves_nothing(tmp_path: Path) -> None:
    def fails(writer: FolderWriter) -> None:
        fill(writer)
        raise Interrupted

    with pytest.raises(Interrupted):
        make_folder(tmp_path / "data", fill=fails)

    assert names(tmp_path / "data") == []


@pytest.mark.parametrize("stage", ["while it is made", "before the cells", "before cloud.db"])
def test_an_interrupted_folder_is_recognised_and_made_again(tmp_path: Path, stage: str) -> None:
    folder = make_folder(tmp_path / "data")
    seeding = folder / "seeding"
    seeding.mkdir()
    os.rename(folder / "cloud.db", seeding / "cloud.db")
    if stage == "before cloud.db":
        (folder / "seeding.moving").touch()
    else:
        os.rename(folder / "cells", seeding / "cells")
    if stage == "before the cells":
        (folder / "seeding.moving").touch()
    assert not is_made(folder)

    make_folder(folder)

    assert names(folder) == ["cells", "cells/cell-1.db", "cells/cell-2.db", "cloud.db"]
    opens(folder)


def test_an_interruption_after_the_last_move_loses_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    (folder / "seeding").mkdir()
    (folder / "seeding.moving").touch()

    opens(folder)

    assert names(folder) == ["cells", "cells/cell-1.db", "cells/cell-2.db", "cloud.db"]


def test_cells_without_cloud_db_are_somebodys_data_and_are_left_alone(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    (folder / "cloud.db").unlink()
    before = names(folder)

    with pytest.raises(FolderError, match="left as it is"):
        make_folder(folder)

    assert names(folder) == before


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(FolderError, match="Cannot make a cloud"):
        make_folder(tmp_path / "file" / "data")


def test_a_folder_without_a_cloud_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="not a Stratodeck folder"):
        opens(tmp_path)


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * 200)


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def cut(path: Path) -> None:
    os.truncate(path, 5000)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (spoil, "cloud.db is not a database"),
        (newer, "cloud.db was made by a newer version of Stratodeck"),
        (cut, "cloud.db is corrupt"),
    ],
)
def test_a_cloud_db_that_cannot_be_used_is_refused_and_left_as_it_is(tmp_path: Path, harm: object, reason: str) -> None:
    folder = make_folder(tmp_path / "data")
    assert callable(harm)
    harm(folder / "cloud.db")
    before = (folder / "cloud.db").read_bytes()

    with pytest.raises(FolderError, match=reason):
        opens(folder)

    assert (folder / "cloud.db").read_bytes() == before


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/cell", "", ".hidden", "a/b", "x" * 65])
def test_the_name_of_a_cell_cannot_become_a_path(tmp_path: Path, name: str) -> None:
    folder = make_folder(tmp_path / "data")
    with closing(sqlite3.connect(folder / "cloud.db", isolation_level=None)) as connection:
        connection.execute("UPDATE cell SET name = ? WHERE name = 'cell-2'", (name,))

    with pytest.raises(FolderError, match="which cannot be the name of a file"):
        opens(folder)


def test_a_missing_fill_makes_an_empty_cloud(tmp_path: Path) -> None:
    create_folder(
        tmp_path / "data",
        cloud_id=CLOUD_ID,
        kind="empty",
        seed=0,
        created_at=NOON,
        settings={},
        clock={"mode": "wall"},
        cells=["cell-1", "cell-2"],
    )

    opens(tmp_path / "data")


# Migrations


@pytest.mark.parametrize("kind", ["cloud", "cell"])
def test_migrations_that_have_landed_stay_as_they_are(kind: migrations.FileKind) -> None:
    """Append here, and raise the number in SCHEMA_VERSIONS; never rename, move or take out."""
    landed = {
        "cloud": [
            "0001_first_schema",
            "0002_events_by_instant",
            "0003_hosts_known_centrally",
            "0004_server_groups",
            "0005_open_tasks_known_centrally",
            "0006_snapshots",
            "0007_networks",
            "0008_backup_sources",
            "0009_money",
            "0010_corrections",
            "0011_tasks_in_the_log",
            "0012_beginning_of_the_log",
        ],
        "cell": [
            "0001_first_schema",
            "0002_lost_hosts",
            "0003_events_by_instant",
            "0004_restarts",
            "0005_cheaper_writes",
            "0006_tasks_in_the_log",
            "0007_beginning_of_the_log",
            "0008_what_the_file_holds",
        ],
    }[kind]

    assert [migration.name for migration in migrations.migrations(kind)._migrations] == landed
    assert len(landed) == migrations.SCHEMA_VERSIONS[kind]


def test_an_older_file_is_migrated_by_its_writer_before_anybody_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "data")
    seen: list[str] = []

    def next_version(connection: sqlite3.Connection, kind: migrations.FileKind) -> None:
        connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT")
        connection.execute("PRAGMA user_version = 99")
        seen.append(kind)

    monkeypatch.setattr("backend.store.files.SCHEMA_VERSIONS", {"cloud": 99, "cell": 99})
    monkeypatch.setattr("backend.store.files.migrate", next_version)

    opens(folder)
    opens(folder)

    assert sorted(seen) == ["cell", "cell", "cloud"]


def test_a_cell_of_before_its_tables_were_rebuilt_keeps_every_row_and_rule(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    path = cell_file(folder, "cell-1")

    def rows() -> dict[str, list[Any]]:
        with closing(sqlite3.connect(path)) as connection:
            listed = {table: ", ".join(columns) for table, columns in columns_of.items()}
            return {table: connection.execute(f"SELECT {names} FROM {table} ORDER BY 1").fetchall()
                    for table, names in listed.items()}  # fmt: skip

    def schema() -> list[Any]:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
            return [row for row in found if not row[1].startswith("_sqlite")]

    async def use(store: Store) -> None:
        def fill_all(tx: CellTransaction) -> None:
            for number in range(3):
                tx.add_server(a_server(f"s{number}", cell="cell-1"), at=NOON, actor="cloud")
            servers.start_in_cell(tx, "s0", now=NOON, settings=Settings())
            servers.start_in_cell(tx, "s1", now=NOON, settings=Settings())
            tx.end_task(tx.open_tasks_of("s1")[0], TaskState.CANCELLED, at=NOON, result="no more")
            storage = next(host for host in tx.hosts() if host.kind is HostKind.STORAGE)
            tx.add_drive(a_drive("d0", cell="cell-1", host=storage.name, server_id="s0"), at=NOON, actor="cloud")

        await store.cell_write("cell-1", fill_all)

    with_store(folder, use)
    columns_of = {"server": SERVER.columns, "drive": DRIVE.columns, "host": HOST.columns}
    columns_of |= {"task": tuple(TASK_COLUMNS.split(", ")), "event": tuple(EVENT_COLUMNS.split(", "))}
    columns_of |= {"identity": ("only_row", "cloud_id", "cell", "epoch")}
    before, fresh = rows(), schema()
    assert [len(before[table]) > 1 for table in ("server", "task", "host", "event")] == [True] * 4

    older = path.with_suffix(".older")
    with closing(sqlite3.connect(older)) as connection:
        migrations.migrations("cell").apply(Database(connection), stop_before="0005_cheaper_writes")
        connection.execute("ATTACH ? AS now", (str(path),))
        for table, columns in columns_of.items():
            listed = ", ".join(columns)
            connection.execute(f"INSERT INTO main.{table} ({listed}) SELECT {listed} FROM now.{table}")
        connection.execute("PRAGMA user_version = 4")
        connection.commit()
        assert "server_waiting_for" in {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master")}
    os.rename(older, path)

    opens(folder)

    assert rows() == before
    assert schema() == fresh
    with closing(sqlite3.connect(path)) as connection:
        for table, state in (("server", "asleep"), ("server", "paused"), ("drive", "lost"), ("task", "begun")):
            with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
                connection.execute(f"UPDATE {table} SET state = ? WHERE rowid = 3 OR ? <> 'paused'", (state, state))
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
            connection.execute("UPDATE drive SET lost_from = 'asleep'")


def test_sqlite_utils_is_not_imported_to_open_a_folder_of_today(tmp_path: Path) -> None:
    """It costs a quarter of a second, and drags pandas in where that is installed."""
    import subprocess
    import sys

    folder = make_folder(tmp_path / "data")
    program = (
        "import asyncio, sys; from pathlib import Path; from backend.store import Store;"
        "from tests.backend.store_support import wall;"
        f"asyncio.run(Store.open(Path({str(folder)!r}), wall=wall)); assert 'sqlite_utils' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True)


def test_a_cell_is_whole_after_a_writer_that_never_closed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    left = open_file(Place(cell_file(folder, "cell-1"), "cell", CLOUD_ID, "cell-1"), is_writer=True, wall=system_wall)
    with_store(folder, lambda store: store.cell_write("cell-1", lambda tx: note(tx, "n")))

    connection = sqlite3.connect(cell_file(folder, "cell-1"))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    left.close()
