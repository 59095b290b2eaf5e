"""A whole cloud as one file: everything as it was at one instant, and nothing else is ever imported."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import archive, folder
from backend import check as checking
from backend.archive import ArchiveProblem
from backend.cloud.errors import CloudError
from backend.operations import drives, servers
from backend.operations.drives import DriveSpec
from backend.store import FolderError, copying, snapshot_of
from backend.store.migrations import SCHEMA_VERSIONS
from tests.backend.support import Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

GIB = 2**30
ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    archive.export(data, tmp_path / "cloud.sd", now=NOON)
    return tmp_path / "cloud.sd"


def rows(path: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def clean(path: Path) -> checking.Report:
    report = checking.check(path)
    assert report.breach is None, report.breach
    return report


# --- one instant ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("free_rounds", [copying.FREE_ROUNDS, 0])
def test_the_snapshots_of_all_files_are_of_one_instant(
    data: Path, monkeypatch: pytest.MonkeyPatch, free_rounds: int
) -> None:
    """A number is written to the first cell, to the second, then to cloud.db, over and over, while they are read.

    Without free rounds those who write to cloud.db are held up each time.
    """
    monkeypatch.setattr(copying, "FREE_ROUNDS", free_rounds)
    is_over = threading.Event()
    paths = [data / "cells/cell-1.db", data / "cells/cell-2.db", data / "cloud.db"]
    for path in paths:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE counted (number INTEGER)")
            connection.execute("INSERT INTO counted VALUES (0)")

    def write() -> None:
        connections = [sqlite3.connect(path, isolation_level=None, timeout=5) for path in paths]
        for connection in connections:
            connection.execute("PRAGMA synchronous = OFF")
        while not is_over.is_set():
            for connection in connections:
                connection.execute("UPDATE counted SET number = number + 1")
        for connection in connections:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = []
        for _ in range(30):
            with snapshot_of(data) as seen:
                names = ("cells/cell-1.db", "cells/cell-2.db", "cloud.db")
                found.append(
                    [seen._readers[name].execute("SELECT number FROM counted").fetchone()[0] for name in names]
                )
    finally:
        is_over.set()
        writer.join()

    assert found[0] != found[-1], "nothing was written meanwhile"
    for first, second, last in found:
        assert first >= second >= last >= first - 1


def test_a_cloud_that_never_stands_still_is_told_of(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = count()
    monkeypatch.setattr(copying._Watched, "heard", lambda self: next(commits))
    monkeypatch.setattr(copying, "PAUSE_SECONDS", 0)

    with pytest.raises(FolderError, match="written to so often"):
        archive.export(data, tmp_path / "cloud.sd", now=NOON)

    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_a_cloud_under_load_is_exported_whole_again_and_again(data: Path, tmp_path: Path) -> None:
    async def load(harness: Harness, number: int, acknowledged: set[str]) -> None:
        cloud, who = harness.cloud, harness.operator
        while True:
            server = await harness.server(f"s{number}", gib=1)
            acknowledged.add(server.id)
            drive = await drives.create_drive(cloud, who, DriveSpec("d", GIB))
            with suppress(CloudError):
                await servers.start_server(cloud, who, server.id)
            with suppress(CloudError):
                await drives.attach_drive(cloud, who, drive.id, server.id)
            if number % 2:
                acknowledged.discard(server.id)
                with suppress(CloudError):
                    await servers.stop_server(cloud, who, server.id)
                await harness.engine.advance(20)
                with suppress(CloudError):
                    await servers.delete_server(cloud, who, server.id)
            await harness.engine.advance(10)

    async def story() -> None:
        acknowledged: set[str] = set()
        async with opened(data) as harness, asyncio.TaskGroup() as group:
            writers = [group.create_task(load(harness, number, acknowledged)) for number in range(6)]
            for number in range(5):
                before = frozenset(acknowledged)
                target = tmp_path / f"{number}.sd"
                manifest = await asyncio.to_thread(archive.export, data, target, now=NOON)
                assert manifest.is_whole
                await asyncio.to_thread(archive.restore, target, tmp_path / str(number))
                report = await asyncio.to_thread(clean, tmp_path / str(number))
                kept = {row[0] for row in rows(tmp_path / str(number) / "cloud.db", "server_directory")}
                assert before <= kept
                sizes.append(report.events)
            for writer in writers:
                writer.cancel()

    sizes: list[int] = []
    asyncio.run(story())

    assert sizes == sorted(set(sizes)), "nothing happened meanwhile"


def test_what_was_half_way_is_finished_by_the_import(data: Path, tmp_path: Path) -> None:
    async def make(harness: Harness) -> str:
        return (await harness.server("web", cell="cell-1")).id

    in_a_cloud(tmp_path / "other", make)
    with closing(sqlite3.connect(tmp_path / "other/cloud.db", isolation_level=None)) as connection:
        connection.execute("UPDATE server_directory SET state = 'building'")

    archive.export(tmp_path / "other", tmp_path / "half.sd", now=NOON)
    archive.restore(tmp_path / "half.sd", tmp_path / "back")

    assert [row[-3:] for row in rows(tmp_path / "back/cloud.db", "server_directory")] != []
    with closing(sqlite3.connect(tmp_path / "back/cloud.db")) as connection:
        assert connection.execute("SELECT state FROM server_directory").fetchall() == [("active",)]
    assert clean(tmp_path / "back").servers == 1


# --- what is in the file ----------------------------------------------------------------------------------------------


def test_only_the_owner_reads_it_and_no_secret_of_the_folder_is_in_it(data: Path, tmp_path: Path) -> None:
    made = folder.ensure_credentials(data, ["operator@example.org"])
    (data / "token.key").write_text("ab" * 32)

    archive.export(data, tmp_path / "cloud.sd", now=NOON)

    assert stat.S_IMODE((tmp_path / "cloud.sd").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "cloud.sd") as found:
        assert sorted(found.namelist()) == ["cells/cell-1.db", "cells/cell-2.db", "cloud.db", "stratodeck.json"]
        whole = b"".join(found.read(name) for name in found.namelist())
    secrets = made.by_account["operator@example.org"]
    assert not any(secret.encode() in whole for secret in (secrets.password, secrets.token, "ab" * 32))
    archive.restore(tmp_path / "cloud.sd", tmp_path / "back")
    assert sorted(each.name for each in (tmp_path / "back").iterdir()) == ["cells", "cloud.db", "lock"]
    assert stat.S_IMODE((tmp_path / "back").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "back").rglob("*") if each.is_file()}
    assert modes == {0o600}


def test_a_cell_that_is_kept_from_answering_is_taken_as_it_lies(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "cloud.db", isolation_level=None)) as connection:
        connection.execute("UPDATE cell SET injected = 'hung' WHERE name = 'cell-2'")

    manifest = archive.export(data, tmp_path / "cloud.sd", now=NOON)

    assert manifest.notes == (
        "cells/cell-2.db is of a cell that does not answer (injected: hung): it is exported as it lies",
    )
    assert manifest.is_whole
    archive.restore(tmp_path / "cloud.sd", tmp_path / "back")
    assert clean(tmp_path / "back").cells == 2


def spoil(path: Path) -> None:
    with path.open("r+b") as opened_file:
        opened_file.write(b"x" * 200)


def age(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE identity SET epoch = 0")


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("harm", "said", "files"),
    [
        (Path.unlink, "cells/cell-2.db is left out: {path} is missing", 2),
        (spoil, "cells/cell-2.db is left out: cell file is not a database", 2),
        (link, "cells/cell-2.db is left out: {path} is not a regular file", 2),
        (age, "cells/cell-2.db is older than what was acknowledged: it is exported as it lies", 3),
    ],
)
def test_a_cell_that_is_not_as_it_should_be_is_told_of(
    data: Path, tmp_path: Path, harm: Callable[[Path], object], said: str, files: int
) -> None:
    path = data / "cells/cell-2.db"
    harm(path)

    manifest = archive.export(data, tmp_path / "cloud.sd", now=NOON)

    assert manifest.notes == (said.format(path=path),)
    assert not manifest.is_whole
    assert len(manifest.files) == files
    assert archive.restore(tmp_path / "cloud.sd", tmp_path / "back") == manifest
    assert not is_well(tmp_path / "back")


def is_well(folder: Path) -> bool:
    try:
        return checking.check(folder).breach is None
    except FolderError:
        return False


def test_a_file_that_is_there_is_replaced_only_when_asked_for(data: Path, file: Path) -> None:
    before = file.read_bytes()

    with pytest.raises(ArchiveProblem, match="is there already"):
        archive.export(data, file, now=NOON)
    assert file.read_bytes() == before
    archive.export(data, file, now=NOON.replace(year=2030), replaces=True)
    assert file.read_bytes() != before
    assert [each.name for each in file.parent.iterdir() if each.name.startswith(".")] == []


def test_a_folder_without_a_cloud_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="holds no cloud"):
        archive.export(tmp_path / "nothing", tmp_path / "cloud.sd", now=NOON)

    assert list(tmp_path.iterdir()) == []


# --- what is not imported ---------------------------------------------------------------------------------------------


def remade(file: Path, change: Callable[[dict[str, bytes], dict[str, Any]], object]) -> None:
    """The file with other contents: members by name, and what the manifest says."""
    with zipfile.ZipFile(file) as found:
        members = {name: found.read(name) for name in found.namelist()}
    said = json.loads(members.pop("stratodeck.json"))
    change(members, said)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
        if said:
            made.writestr("stratodeck.json", json.dumps(said))


def listed(members: dict[str, bytes], said: dict[str, Any], name: str, content: bytes) -> None:
    members[name] = content
    said["files"] = [each for each in said["files"] if each["name"] != name] + [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "schema": 1}
    ]
    said["files"].sort(key=lambda each: each["name"] != "cloud.db")


def with_database(name: str, *statements: str) -> Callable[[dict[str, bytes], dict[str, Any]], object]:
    def change(members: dict[str, bytes], said: dict[str, Any]) -> None:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.deserialize(members[name])
            for statement in statements:
                connection.execute(statement)
            listed(members, said, name, connection.serialize())

    return change


REFUSED: dict[str, tuple[Callable[[dict[str, bytes], dict[str, Any]], object], str]] = {
    "no manifest": (lambda members, said: said.clear(), "has no stratodeck.json"),
    "a strange manifest": (lambda members, said: said.update(files=[{"name": 7}]), "cannot be understood"),
    "a newer form": (lambda members, said: said.update(format=2, program="9.0"), r"Stratodeck 9\.0, .* \(0\.1\.0\)"),
    "a byte that is wrong": (
        lambda members, said: members.update({"cloud.db": members["cloud.db"][:-1] + b"?"}),
        "cloud.db is damaged: it is not what was exported",
    ),
    "a file that is missing": (lambda members, said: members.pop("cells/cell-1.db"), "does not hold what"),
    "a file of nobody": (lambda members, said: members.update(extra=b""), "holds 'extra', which no export does"),
    "a way out": (lambda members, said: listed(members, said, "../evil.db", b"x"), "holds '../evil.db', which no"),
    "another way out": (
        lambda members, said: listed(members, said, "cells/../../evil.db", b"x"),
        r"holds 'cells/\.\./\.\./evil\.db', which no",
    ),
    "an absolute way": (lambda members, said: listed(members, said, "/tmp/evil.db", b"x"), "holds '/tmp/evil.db', wh"),
    "no cloud": (
        lambda members, said: (members.pop("cloud.db"), said["files"].pop(0)),
        "does not begin with cloud.db",
    ),
    "a bomb": (lambda members, said: listed(members, said, "cloud.db", bytes(10_000_000)), "no database of 10,000,000"),
    "a bomb with a head": (
        lambda members, said: listed(members, said, "cloud.db", members["cloud.db"] + bytes(10_000_000)),
        "it is no database of",
    ),
    "a wrong size": (lambda members, said: said["files"][0].update(bytes=10**15), "another size than its"),
    "a newer schema": (
        with_database("cloud.db", "PRAGMA user_version = 99"),
        rf"cloud\.db was made by a newer version .* 99, and this version's {SCHEMA_VERSIONS['cloud']}\)",
    ),
    "statements of its own": (
        with_database("cloud.db", "CREATE TRIGGER evil AFTER UPDATE ON cell BEGIN DELETE FROM cell; END"),
        "cloud.db is no file of a cloud",
    ),
    "a cell that is a path": (
        with_database(
            "cloud.db", "PRAGMA foreign_keys = OFF", "UPDATE cell SET name = '../../evil' WHERE position = 2"
        ),
        "names a cell '../../evil', which cannot be the name of a file",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_export_is_refused_and_nothing_is_made(file: Path, tmp_path: Path, case: str) -> None:
    change, said = REFUSED[case]
    remade(file, change)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(ArchiveProblem, match=said):
        archive.restore(file, tmp_path / "back")

    assert set(tmp_path.rglob("*")) - set(before) <= {tmp_path / "back", tmp_path / "back/lock"}


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 1000])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(ArchiveProblem, match="is damaged, or no export"):
        archive.restore(tmp_path / "file", tmp_path / "back")


def test_a_file_that_was_cut_off_is_refused(file: Path, tmp_path: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)

    with pytest.raises(ArchiveProblem, match="is damaged, or no export"):
        archive.restore(file, tmp_path / "back")


@pytest.mark.parametrize("last", range(1, 23))
def test_a_file_with_one_wrong_byte_where_it_says_what_it_holds_is_told_of_as_damaged(
    file: Path, tmp_path: Path, last: int
) -> None:
    """Or taken as it was, where that byte says nothing."""
    content = bytearray(file.read_bytes())
    content[-last] ^= 0xFF
    file.write_bytes(content)

    said = ""
    try:
        archive.restore(file, tmp_path / "back")
    except ArchiveProblem as problem:
        said = str(problem)

    assert not said or re.search("is damaged|no export", said), said


@given(
    places=st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), max_size=8),
    cut=st.one_of(st.none(), st.integers(0, 2**32)),
)
@settings(max_examples=25)
def test_whatever_happens_to_the_file_it_is_imported_as_it_was_or_refused(
    exported: bytes, places: list[tuple[int, int]], cut: int | None
) -> None:
    """Half of the changes are in the last bytes, where the zip says what it holds."""
    content = bytearray(exported)
    for number, (place, value) in enumerate(places):
        first = len(content) - 700 if number % 2 else 0
        content[first + place % (len(content) - first)] = value
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "cloud.sd").write_bytes(content[: None if cut is None else cut % len(content)])
        try:
            archive.restore(path / "cloud.sd", path / "back")
        except ArchiveProblem:
            assert not (path / "back/cloud.db").exists()
        else:
            assert clean(path / "back").hosts == 8


@pytest.fixture(scope="module")
def exported() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        make_folder(Path(name) / "data")
        archive.export(Path(name) / "data", Path(name) / "cloud.sd", now=NOON)
        return (Path(name) / "cloud.sd").read_bytes()


def test_what_a_killed_export_left_goes_with_the_next_and_two_at_once_are_one(data: Path, tmp_path: Path) -> None:
    left = tmp_path / ".cloud.sd.new"
    left.mkdir()
    (left / "whole").write_text("half")
    held = os.open(left, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    with pytest.raises(ArchiveProblem, match="is under way"):
        archive.export(data, tmp_path / "cloud.sd", now=NOON)
    os.close(held)
    archive.export(data, tmp_path / "cloud.sd", now=NOON)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["cloud.sd", "data"]


def test_more_than_there_is_room_for_is_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr("backend.archive.shutil.disk_usage", lambda path: Full)

    with pytest.raises(ArchiveProblem, match="and there are 1,000 free"):
        archive.restore(file, tmp_path / "back")


def test_a_folder_that_holds_something_stays_as_it_is(file: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("mine")

    with pytest.raises(ArchiveProblem, match="holds a cloud already"):
        archive.restore(file, data)
    with pytest.raises(ArchiveProblem, match="is not empty"):
        archive.restore(file, tmp_path / "mine")

    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["notes"]
    clean(data)


KILLED = """
import os, signal, sys
from pathlib import Path
from backend import archive
after = sys.argv[3]
def told(what, share):
    if what == after:
        os.kill(os.getpid(), signal.SIGKILL)
rename = os.rename
def killing(source, target):
    rename(source, target)
    told(Path(target).name, 1.0)
os.rename = killing
archive.restore(Path(sys.argv[1]), Path(sys.argv[2]), progress=told)
"""


@pytest.mark.parametrize(
    "after",
    [
        "cells",
        pytest.param("checking cloud.db", marks=pytest.mark.thorough),
        pytest.param("cloud.db", marks=pytest.mark.thorough),
        pytest.param("cells/cell-2.db", marks=pytest.mark.thorough),
    ],
)
def test_an_import_that_is_killed_has_made_nothing_and_is_begun_again(file: Path, tmp_path: Path, after: str) -> None:
    back = tmp_path / "back"

    done = subprocess.run([sys.executable, "-c", KILLED, file, back, after], cwd=ROOT, check=False)

    assert done.returncode == -9
    assert not (back / "cloud.db").exists()
    archive.restore(file, back)
    assert clean(back).cells == 2
    assert sorted(each.name for each in back.iterdir() if not each.name.endswith(("-wal", "-shm"))) == [
        "cells",
        "cloud.db",
        "lock",
    ]
