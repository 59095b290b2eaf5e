"""A disk without room is told as what it is: nobody is said not to answer, and what was refused was surely not done."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import check as checking
from backend.cloud.errors import DiskFull
from backend.cloud.model import ReachabilityState
from backend.doctor import examine
from backend.operations import servers
from backend.store import FolderError, Store
from backend.store.files import fault_of
from tests.backend import store_support
from tests.backend.store_support import note, noted, with_store
from tests.backend.support import make_folder, opened
from tests.builders import NOON

UP = ReachabilityState.UP
NO_ROOM = Path("/proc/self")
"""A file system that never has any."""


def an_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


def commits_find_no_room(store: Store, cell: str) -> None:
    """As where the log of a file cannot grow, which is found out when it is committed."""
    lane = store._links[cell].writer
    assert lane._opened is not None
    found, run = lane._opened, lane._opened.run

    def failing(statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            run("ROLLBACK")
            raise an_error(sqlite3.SQLITE_FULL)
        return run(statement, *parameters)

    found.run = failing


def test_a_commit_without_room_is_refused_and_the_cell_stays_up(tmp_path: Path) -> None:
    folder = store_support.make_folder(tmp_path / "data")

    async def story(store: Store) -> list[str]:
        await store.cell_write("cell-1", lambda tx: note(tx, "before"))
        commits_find_no_room(store, "cell-1")
        with pytest.raises(DiskFull, match="Cell cell-1 takes no changes, because the disk is full"):
            await store.cell_write("cell-1", lambda tx: note(tx, "refused"))
        assert store.reachability("cell-1").state is UP
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["before"]
    assert with_store(folder, lambda store: store.cell_read("cell-1", noted)) == ["before"]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN])
def test_what_cannot_be_made_for_want_of_room_is_no_fault_of_the_file(tmp_path: Path, code: int) -> None:
    with_room = fault_of(an_error(code), "cell", tmp_path / "cell-1.db")
    without = fault_of(an_error(code), "cell", NO_ROOM / "cell-1.db")

    assert with_room is not None
    assert not with_room.is_full
    assert without is not None
    assert (without.reason, without.is_full) == ("cell file cannot be used: the disk is full", True)


# On a file system of its own ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", os.fspath(place)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("only who may mount a file system can try a full one")
    yield place
    subprocess.run(["umount", "-l", os.fspath(place)], check=True)


def fill(disk: Path) -> None:
    with open(disk / "ballast", "ab", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def test_a_disk_that_is_full_is_told_as_that_until_there_is_room(small_disk: Path) -> None:
    folder = small_disk / "data"
    make_folder(folder)

    async def story() -> None:
        async with opened(folder) as on:
            made = await on.server("web", cell="cell-1")
            fill(small_disk)
            for _ in range(2):
                with pytest.raises(DiskFull):
                    await servers.start_server(on.cloud, on.operator, made.id)
                with pytest.raises(DiskFull, match="The cloud takes no changes, because the disk is full"):
                    await on.server("more", cell="cell-2")
            assert {on.cloud.store.reachability(cell).state for cell in on.cloud.store.cell_names} == {UP}
            assert on.cloud.store.full_files() == ("cloud", "cell-1")
            assert (await on.look(made.id)).state == "stopped"
            (small_disk / "ballast").unlink()
            await servers.start_server(on.cloud, on.operator, made.id)
            assert on.cloud.store.full_files() == ("cloud",), "which was asked for nothing"
            await on.server("more", cell="cell-2")
            assert on.cloud.store.full_files() == ()

    asyncio.run(story())
    assert checking.check(folder).breach is None


def test_a_folder_on_a_full_disk_is_not_said_to_be_damaged(small_disk: Path) -> None:
    """Nobody has it open, and the files beside those of the cloud cannot be made."""
    folder = small_disk / "data"
    make_folder(folder)
    fill(small_disk)

    with pytest.raises(FolderError, match=r"cloud\.db cannot be used: the disk is full"):
        checking.check(folder)
    found = [finding for finding in examine(folder, now=NOON) if finding.level == "bad"]
    assert {finding.subject for finding in found} >= {"disk", "cloud.db"}
    assert all((finding.advice or "").startswith("Make room") for finding in found), found
