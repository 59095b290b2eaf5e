"""What a story leaves when it is killed, held against what it leaves when it is not."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.backend import crashing
from tests.backend.crash_stories import prepare
from tests.backend.crashing import Story, assert_whole, copied, difference, holds, settle, tell_again
from tests.backend.support import make_folder, opened


@dataclass(frozen=True, slots=True)
class Prepared:
    folder: Path
    untold: Counter[str]
    """What it holds when time passes and nobody asks for anything."""
    scratch: Path


def made(scratch: Path) -> Prepared:
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


def settled(folder: Path) -> Counter[str]:
    """Open what was left, which recovers it, and let time pass."""
    asyncio.run(settle(folder))
    assert_whole(folder)
    return holds(folder)


def judge(prepared: Prepared, story: Story, told: Told, folder: Path, *, is_acknowledged: bool) -> None:
    """Open what was left, and hold it against what there was and what was to be."""
    left = settled(folder)
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
