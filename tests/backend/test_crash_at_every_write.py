"""Killed after any write of any operation that spans files, the cloud is whole, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backend import crashing
from tests.backend.crash_stories import STORIES, prepare
from tests.backend.crashing import Story, assert_whole, copied, difference, holds, settle, tell_again
from tests.backend.support import make_folder, opened
from tests.backend.write_sites import operations_across_files


@dataclass(frozen=True, slots=True)
class Prepared:
    folder: Path
    untold: Counter[str]
    """What it holds when time passes and nobody asks for anything."""
    scratch: Path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    scratch = tmp_path_factory.mktemp("crash")
    folder = scratch / "prepared"
    make_folder(folder, hosts=3)

    async def before() -> None:
        async with opened(folder) as on:
            await prepare(on)

    asyncio.run(before())
    untold = copied(folder, scratch / "untold")
    asyncio.run(settle(untold))
    return Prepared(folder, holds(untold), scratch)


@dataclass(frozen=True, slots=True)
class Told:
    """A story that nobody cut short."""

    sites: list[str]
    """The places that wrote, in order."""
    left: Counter[str]


def told_whole(prepared: Prepared, story: Story, *, refused: str | None = None) -> Told:
    folder = copied(prepared.folder, prepared.scratch / "whole")
    ended = crashing.live(folder, story, refused=refused)
    assert ended.status == 0, ended.errors
    assert_whole(folder)
    return Told(crashing.sites_of(ended), holds(folder))


def killed(prepared: Prepared, story: Story, writes: int, *, refused: str | None = None) -> tuple[Path, bool]:
    """What a story left that was killed after so many writes, and whether it was acknowledged."""
    folder = copied(prepared.folder, prepared.scratch / "killed")
    ended = crashing.live(folder, story, writes=writes, refused=refused)
    assert ended.status == -signal.SIGKILL, ended.errors
    return folder, crashing.DONE in ended.output.splitlines()


def judge(prepared: Prepared, story: Story, told: Told, folder: Path, *, is_acknowledged: bool) -> None:
    """Open what was left, and hold it against what there was and what was to be."""
    asyncio.run(settle(folder))
    assert_whole(folder)
    left = holds(folder)
    if is_acknowledged:
        assert left == told.left, f"acknowledged and lost:\n{difference(left, told.left)}"
    elif story.is_whole:
        assert left in (prepared.untold, told.left), f"half-done:\n{difference(left, prepared.untold)}"


def judge_repeated(story: Story, told: Told, folder: Path) -> None:
    """Whoever heard no answer asks again, and has it once."""
    asyncio.run(tell_again(folder, story))
    assert_whole(folder)
    left = holds(folder)
    assert left == told.left, f"asked for again:\n{difference(left, told.left)}"


def kill(prepared: Prepared, story: Story, told: Told, writes: int) -> None:
    folder, is_acknowledged = killed(prepared, story, writes)
    again = copied(folder, prepared.scratch / "again")
    judge(prepared, story, told, folder, is_acknowledged=is_acknowledged)
    judge_repeated(story, told, again)


NEVER_KILLED = {
    "forking.forked 1": "is rolled back: it writes nothing",
    "recovery._enter_hosts 1": "reads, in the lane that writes",
}
"""Places in operations that span files which leave nothing behind, and why."""


@pytest.mark.parametrize("story", STORIES[::2], ids=str)
def test_killed_after_a_write(prepared: Prepared, story: Story) -> None:
    """A sample of the next."""
    told = told_whole(prepared, story)
    kill(prepared, story, told, 1 + STORIES.index(story) // 2 % len(told.sites))


@pytest.mark.thorough
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_killed_after_each_write(prepared: Prepared, story: Story) -> None:
    told = told_whole(prepared, story)
    for writes in range(1, len(told.sites) + 1):
        kill(prepared, story, told, writes)


@pytest.mark.thorough
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_killed_again_after_each_write_of_the_recovery(prepared: Prepared, story: Story) -> None:
    told = told_whole(prepared, story)
    for writes in range(1, len(told.sites) + 1):
        left, is_acknowledged = killed(prepared, story, writes)
        for more in range(1, 100):
            folder = copied(left, prepared.scratch / "recovering")
            if crashing.live_opening(folder, writes=more).status == 0:
                break
            judge(prepared, story, told, folder, is_acknowledged=is_acknowledged)


@pytest.mark.thorough
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_killed_after_each_write_of_a_story_that_a_cell_refuses(prepared: Prepared, story: Story) -> None:
    """Where the cell falls silent in the middle, what was reserved goes back; killed while it does, it does too."""
    for site in dict.fromkeys(told_whole(prepared, story).sites):
        refused = told_whole(prepared, story, refused=site)
        for writes in range(1, len(refused.sites) + 1):
            folder, is_acknowledged = killed(prepared, story, writes, refused=site)
            judge(prepared, story, refused, folder, is_acknowledged=is_acknowledged)


@pytest.mark.thorough
def test_every_place_where_an_operation_across_files_writes_has_been_killed(prepared: Prepared) -> None:
    """A new one fails here until a story reaches it."""
    reached = set(NEVER_KILLED)
    for story in STORIES:
        sites = told_whole(prepared, story).sites
        reached |= set(sites)
        for site in dict.fromkeys(sites):
            reached |= set(told_whole(prepared, story, refused=site).sites)
        for writes in range(1, len(sites) + 1):
            folder, _ = killed(prepared, story, writes)
            reached |= set(crashing.sites_of(crashing.live_opening(folder, writes=0)))
    missing = {site for sites in operations_across_files().values() for site in sites} - reached
    assert missing == set()
