"""Killed after any write of any operation that spans files, the cloud is whole, and nothing is lost or done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backend import crashing
from tests.backend.crash_judging import Prepared, judge, kill, killed, made, settled, told_whole
from tests.backend.crash_stories import STORIES
from tests.backend.crashing import Story, copied, difference
from tests.backend.write_sites import operations_across_files, writes_elsewhere, writes_unseen


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return made(tmp_path_factory.mktemp("crash"))


NEVER_KILLED = {
    "forking.forked 1": "is rolled back: it writes nothing",
    "recovery._enter_hosts 2": "is of folders that are older than the directory of hosts",
    "backup_restores._look_after 1": "follows a restore that recovery has undone, which is only after the kill",
    "backups.expire_due 1": "needs a day to go by, and is one transaction of cloud.db",
    "schedules.run_due_catch_ups 1": "needs a source that answers and cannot be copied, and is one transaction each",
    "tags._Plan.carry_out 1": "is the same for addresses and private networks, which lie in cloud.db",
}
"""Places in operations that span files where no story is killed, and why."""

WRITE_ELSEWHERE = {
    "dialects/ops/table.py": "keeps an answer, in one transaction of cloud.db",
    "replay.py": "makes a folder of its own, which is thrown away when it was not finished",
}
"""Who writes besides the operations and the engine, and why no story is told of that."""

KILLED = frozenset(Path(__file__).with_name("killed_sites.txt").read_text().split("\n")[:-1])
"""Places where a story is killed; that it is so is seen by the last test of this file."""


def test_no_place_is_forgotten_where_an_operation_across_files_writes() -> None:
    """A new one needs a story in `crash_stories` that reaches it, and its line in `killed_sites.txt`."""
    known = {site for sites in operations_across_files().values() for site in sites}
    assert known - set(NEVER_KILLED) == KILLED
    assert set(NEVER_KILLED) <= known
    assert writes_unseen() == []
    assert writes_elsewhere() == set(WRITE_ELSEWHERE)


@pytest.mark.parametrize("story", STORIES[::2], ids=str)
def test_killed_after_a_write(prepared: Prepared, story: Story) -> None:
    """A sample of the next."""
    told = told_whole(prepared, story)
    kill(prepared, story, told, 1 + STORIES.index(story) // 2 % len(told.sites))


def test_a_cell_that_answers_and_takes_nothing_is_asked_now_and_then(prepared: Prepared) -> None:
    """As with a full disk: a restoration that waits for it neither ends nor keeps everybody else waiting."""
    story = next(story for story in STORIES if story.name == "restore a group")
    sites = told_whole(prepared, story, refused="restorations._run 1").sites
    assert 10 < sites.count("restorations._run 2") < 100


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
    told = told_whole(prepared, story)
    for site in dict.fromkeys(told.sites):
        refused = told_whole(prepared, story, refused=site)
        if refused.sites == told.sites:
            # It is a write of cloud.db.
            continue
        is_whole = story.is_whole and refused.left in (prepared.untold, told.left)
        for writes in range(1, len(refused.sites) + 1):
            folder, _ = killed(prepared, story, writes, refused=site)
            # Whoever opens it is refused nothing, so what was begun may also be finished.
            left = settled(folder)
            assert not is_whole or left in (prepared.untold, told.left), f"half-done:\n{difference(left, told.left)}"


@pytest.mark.thorough
def test_every_place_where_an_operation_across_files_writes_has_been_killed(prepared: Prepared) -> None:
    """And none where it is said that no story comes."""
    reached: set[str] = set()
    for story in STORIES:
        sites = told_whole(prepared, story).sites
        reached |= set(sites)
        for site in dict.fromkeys(sites):
            reached |= set(told_whole(prepared, story, refused=site).sites)
        for writes in range(1, len(sites) + 1):
            folder, _ = killed(prepared, story, writes)
            reached |= set(crashing.sites_of(crashing.live_opening(folder, writes=0)))
    known = {site for sites in operations_across_files().values() for site in sites}
    assert reached & known == KILLED
