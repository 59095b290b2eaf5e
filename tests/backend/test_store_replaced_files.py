"""A cell's file that loses its name while it is open: nothing that was acknowledged goes with it, whatever has the name
meanwhile, and whoever is the first to notice.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import ReachabilityState
from backend.store import CellTransaction, Store
from tests.backend.store_support import cell_file, make_folder, note, noted, opened, with_store
from tests.outages import copy_database

UP, DOWN = ReachabilityState.UP, ReachabilityState.DOWN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def nothing(_path: Path) -> None:
    """There is no file of the name."""


def an_empty_file(path: Path) -> None:
    path.write_bytes(b"")


def an_old_copy(path: Path) -> None:
    shutil.copyfile(path.parent / "old.db", path)


async def ask(store: Store) -> None:
    await store.ask("cell-1")


async def read(store: Store) -> None:
    with pytest.raises(Unreachable):
        await store.cell_read("cell-1", noted)


async def write(store: Store) -> None:
    with pytest.raises(Unreachable):
        await store.cell_write("cell-1", lambda tx: note(tx, "refused"))


async def nobody(store: Store) -> None:
    """The file is back before anybody has noticed."""


async def read_twice(store: Store) -> None:
    """The first leaves the file, and the second opens what has its name now, while the writer has the other."""
    both = await asyncio.gather(*(store.cell_read("cell-1", noted) for _ in range(2)), return_exceptions=True)
    assert all(isinstance(each, Unreachable) for each in both)


async def write_twice(store: Store) -> None:
    for _ in range(2):
        await write(store)


async def write_many(store: Store, count: int, text: str) -> None:
    for number in range(count):
        await store.cell_write("cell-1", lambda tx, name=f"{text}{number}": note(tx, name))  # type: ignore[misc]


@pytest.mark.parametrize(("lives", "copied_in"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_an_old_copy_beside_the_log_of_a_killed_process_is_the_cell_or_is_refused(
    folder: Path, lives: int, copied_in: int
) -> None:
    """It is the cell if all that it lacks is in the log. Each life that ends well takes its log into the file."""
    path, old, image = cell_file(folder, "cell-1"), folder / "old.db", folder.with_name("image")

    for life in range(1, lives + 1):

        async def live(store: Store, life: int = life) -> None:
            await write_many(store, 40, f"life {life}: ".ljust(400, "x"))
            if life == copied_in:
                copy_database(path, old)
            await write_many(store, 2, f"end of life {life}: ")
            if life == lives:
                shutil.copytree(folder, image)

        with_store(folder, live)
    shutil.copyfile(old, cell_file(image, "cell-1"))

    async def look(store: Store) -> tuple[ReachabilityState, str, int]:
        reachability = store.reachability("cell-1")
        count = len(await store.cell_read("cell-1", noted)) if reachability.state is UP else 0
        return reachability.state, reachability.reason, count

    if copied_in == lives:
        assert with_store(image, look) == (UP, "", 42 * lives)
    else:
        refused = (DOWN, "cell file is older than the log beside it", 0)
        assert with_store(image, look) == refused
        assert with_store(image, look) == refused, "and stays what it is"
        shutil.copyfile(path, cell_file(image, "cell-1"))
        # What lies in the folder now was closed well, and has all of the log.
        assert with_store(image, look) == (UP, "", 42 * lives)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 400)


def another_cell(path: Path) -> None:
    shutil.copyfile(path.with_name("cell-2.db"), path)


def another_database(path: Path) -> None:
    # Made elsewhere: SQLite takes away a log that lies beside a file which is new.
    elsewhere = path.with_name("elsewhere.db")
    with closing(sqlite3.connect(elsewhere)) as connection:
        connection.execute("CREATE TABLE t (x)")
    elsewhere.rename(path)


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (another_cell, "cell file belongs to cell cell-2"),
        (another_database, "cell file is not of this cloud: no such table: identity"),
        (garbage, "cell file is not a database"),
    ],
)
def test_the_log_of_a_killed_process_is_kept_from_any_other_file(
    folder: Path, put: Callable[[Path], None], reason: str
) -> None:
    image, kept = folder.with_name("image"), folder.with_name("kept.db")

    async def live(store: Store) -> None:
        await write_many(store, 3, "n")
        shutil.copytree(folder, image)

    with_store(folder, live)
    path = cell_file(image, "cell-1")
    path.rename(kept)
    put(path)

    async def look(store: Store) -> tuple[ReachabilityState, str]:
        found = await store.ask("cell-1")
        return found.state, found.reason

    assert with_store(image, look) == (DOWN, reason)
    kept.replace(path)
    assert with_store(image, lambda store: store.cell_read("cell-1", noted)) == ["n0", "n1", "n2"]


PUTS = (nothing, an_empty_file, an_old_copy, garbage)
NOTICES = (ask, read, read_twice, write, write_twice, nobody)


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize("put", PUTS)
@pytest.mark.parametrize("restarts", [False, True])
def test_the_right_file_brings_back_all_that_was_acknowledged(
    folder: Path, put: Callable[[Path], None], notice: Callable[[Store], Awaitable[None]], restarts: bool
) -> None:
    path = cell_file(folder, "cell-1")
    shutil.copyfile(path, path.parent / "old.db")
    kept = folder / "kept.db"

    async def lose(store: Store) -> None:
        for number in range(3):
            await store.cell_write("cell-1", lambda tx, name=f"n{number}": note(tx, name))  # type: ignore[misc]
        os.rename(path, kept)
        put(path)
        await notice(store)
        if not restarts:
            os.replace(kept, path)
            await come_back(store)

    async def come_back(store: Store) -> None:
        assert (await store.ask("cell-1")).state is UP
        assert await store.cell_read("cell-1", noted) == ["n0", "n1", "n2"]
        await store.cell_write("cell-1", lambda tx: note(tx, "after"))

    with_store(folder, lose)
    if restarts:
        assert with_store(folder, lambda store: store.ask("cell-1")).state is DOWN
        os.replace(kept, path)
        with_store(folder, come_back)


def test_what_is_in_place_of_a_file_is_told_at_once(folder: Path) -> None:
    """Not only that it is another one: the lanes let go of theirs, and it is looked at."""
    path = cell_file(folder, "cell-1")
    shutil.copyfile(path, path.parent / "old.db")

    async def story(store: Store) -> str:
        await store.cell_write("cell-1", lambda tx: note(tx, "n"))
        os.rename(path, folder / "kept.db")
        an_old_copy(path)
        return (await store.ask("cell-1")).reason

    assert with_store(folder, story) == "cell file is older than what was acknowledged"


def test_a_writer_refuses_nothing_by_what_a_file_that_has_lost_its_name_says(folder: Path) -> None:
    def refused(_tx: CellTransaction) -> None:
        raise LookupError("by what the file says")

    async def story(store: Store) -> None:
        await store.cell_write("cell-1", lambda tx: note(tx, "kept"))
        path = cell_file(folder, "cell-1")
        for work in (refused, noted):
            os.rename(path, path.with_suffix(".away"))
            with pytest.raises(Unreachable, match="cell file is missing"):
                await store.cell_write("cell-1", work)
            os.rename(path.with_suffix(".away"), path)
            assert (await store.ask("cell-1")).state is UP
            with pytest.raises(LookupError):
                await store.cell_write("cell-1", refused)

    with_store(folder, story)


def test_a_commit_into_a_file_that_loses_its_name_meanwhile_is_unknown_and_kept(folder: Path) -> None:
    path = cell_file(folder, "cell-1")
    shutil.copyfile(path, path.parent / "old.db")
    kept = folder / "kept.db"

    async def story(store: Store) -> list[str]:
        await store.cell_write("cell-1", lambda tx: note(tx, "before"))
        opened_file = store._links["cell-1"].writer._opened
        assert opened_file is not None

        def lose(_epoch: int) -> None:
            os.rename(path, kept)
            an_old_copy(path)

        vars(opened_file.transaction)["before_commit"] = lose
        with pytest.raises(OutcomeUnknown):
            await store.cell_write("cell-1", lambda tx: note(tx, "unknown"))
        assert (await store.ask("cell-1")).state is DOWN
        os.replace(kept, path)
        assert (await store.ask("cell-1")).state is UP
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["before", "unknown"]


def test_a_copy_from_just_before_a_restart_is_too_old_though_the_cell_was_silent_when_it_ended(folder: Path) -> None:
    """How far a cell has come is kept even where what it did last cannot be read from it any more."""
    path = cell_file(folder, "cell-1")

    async def run() -> None:
        # Just opened: the past of this cell has not been caught up with.
        async with opened(folder) as store:
            shutil.copyfile(path, path.parent / "old.db")
            await store.cell_write("cell-1", lambda tx: note(tx, "n"))
            os.rename(path, folder / "kept.db")
            an_old_copy(path)

    asyncio.run(run())

    found = with_store(folder, lambda store: store.ask("cell-1"))
    assert (found.state, found.reason) == (DOWN, "cell file is older than what was acknowledged")
