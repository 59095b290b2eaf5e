"""Where cloud.db takes no more in the middle of an operation, nothing is half-done for longer than that lasts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from backend.cloud.errors import CloudError, OutcomeUnknown, Unreachable
from backend.cloud.model import GIB
from backend.operations import drives
from backend.operations.drives import DriveSpec
from backend.store import CloudTransaction, Store
from tests.backend.crash_judging import Prepared, made, told_whole
from tests.backend.crash_stories import STORIES
from tests.backend.crashing import SETTLE_SECONDS, Story, assert_whole, copied, difference, holds, latest
from tests.backend.support import Harness, make_folder, opened

T = TypeVar("T")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return made(tmp_path_factory.mktemp("full"))


class FullDisk:
    """Takes so many writes, refuses so many, and takes the others."""

    def __init__(self, taken: int, refused: int) -> None:
        self.taken = taken
        self.refused = refused
        self.has_refused = False

    def takes(self) -> bool:
        if self.taken > 0:
            self.taken -= 1
            return True
        self.has_refused = self.has_refused or self.refused > 0
        self.refused -= 1
        return self.refused < 0


def store_on(disk: Callable[[], FullDisk | None]) -> type[Store]:
    class FullStore(Store):
        def cloud_write(self, fn: Callable[[CloudTransaction], T]) -> Coroutine[Any, Any, T]:
            return self._write(super().cloud_write(fn))

        async def _write(self, write: Coroutine[Any, Any, T]) -> T:
            found = disk()
            if found is not None and not found.takes():
                write.close()
                raise Unreachable("cloud", "cloud.db cannot grow: the disk is full")
            return await write

    return FullStore


async def half_way(on: Harness) -> list[str]:
    """The ids of what is entered as being made or deleted."""

    def look(tx: CloudTransaction) -> list[str]:
        found: list[str] = []
        for cell in on.cloud.store.cell_names:
            found += [entry.id for entry in tx.unfinished_server_entries(cell)]
            found += [entry.id for entry in tx.unfinished_drive_entries(cell)]
        return found

    return await on.cloud.store.cloud_read(look)


def told_on(prepared: Prepared, story: Story, full: FullDisk) -> tuple[Counter[str], bool]:
    """What a story leaves, and whether it was acknowledged."""
    folder = copied(prepared.folder, prepared.scratch / "full")
    disks: list[FullDisk | None] = [None]

    async def life() -> bool:
        async with opened(folder, at=latest(folder), store=store_on(lambda: disks[0])) as on:
            disks[0] = full
            try:
                await story.act(on)
                is_acknowledged = True
            except CloudError:
                is_acknowledged = False
            disks[0] = None
            await on.engine.advance(SETTLE_SECONDS)
            assert await half_way(on) == []
            assert_whole(Path(folder))
            return is_acknowledged

    is_acknowledged = asyncio.run(life())
    return holds(folder), is_acknowledged


def tell_on_full_disks(prepared: Prepared, story: Story, *, refused: int) -> int:
    """With the disk full from each write of cloud.db on. How many of these there are."""
    wanted = told_whole(prepared, story).left
    for taken in range(100):
        full = FullDisk(taken, refused)
        left, is_acknowledged = told_on(prepared, story, full)
        if not full.has_refused:
            return taken
        if not story.is_whole:
            continue
        if is_acknowledged:
            assert left == wanted, f"acknowledged and lost:\n{difference(left, wanted)}"
        else:
            assert left in (prepared.untold, wanted), f"half-done:\n{difference(left, prepared.untold)}"
    raise AssertionError("it writes without end")


def test_a_deletion_that_is_refused_is_not_answered_so_while_it_may_still_be_carried_out(tmp_path: Path) -> None:
    """What is entered as being deleted is deleted as soon as it can be, and nobody may have been told otherwise."""
    folder = tmp_path / "data"
    make_folder(folder)
    disks: list[FullDisk | None] = [None]

    async def life() -> None:
        async with opened(folder, store=store_on(lambda: disks[0])) as on:
            drive = await drives.create_drive(on.cloud, on.operator, DriveSpec("new", GIB))
            disks[0] = FullDisk(taken=1, refused=1)
            with pytest.raises(
                OutcomeUnknown, match=r"in the middle \(cloud\.db cannot grow: the disk is full\): the request"
            ):
                await drives.delete_drive(on.cloud, on.operator, drive.id)
            await on.engine.advance(SETTLE_SECONDS)
            assert await half_way(on) == []

    asyncio.run(life())
    assert_whole(folder)


SAMPLE = ("create a server", "boot a server", "clone a drive into another cell", "delete a server with its drives")


@pytest.mark.parametrize("story", [story for story in STORIES if story.name in SAMPLE], ids=str)
def test_what_a_full_disk_has_cut_short_is_undone_or_finished_when_there_is_room(
    prepared: Prepared, story: Story
) -> None:
    """A sample of the next."""
    assert tell_on_full_disks(prepared, story, refused=1) >= 2


@pytest.mark.thorough
@pytest.mark.parametrize("refused", [1, 2, 1000])
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_whatever_a_full_disk_cuts_short_is_undone_or_finished(prepared: Prepared, story: Story, refused: int) -> None:
    tell_on_full_disks(prepared, story, refused=refused)
