"""The power goes while a log is being written: what of it was not synced is cut off or torn, and nothing else is lost.

A commit is acknowledged when its log is synced. So each write of a story is taken back to where every log was when the
write before it had returned, and as much of the rest is left, whole or torn, as a disk may have got to.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from tests.backend import crashing
from tests.backend.crash_judging import Prepared, Told, judge, made, told_whole
from tests.backend.crash_stories import STORIES
from tests.backend.crashing import Story, Written, copied

PAGE_BYTES = 4096
FRAME_BYTES = PAGE_BYTES + 24
LOG_HEADER_BYTES = 32
SECTOR_BYTES = 512


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return made(tmp_path_factory.mktemp("power"))


class Lost:
    """A story with all its logs, to be cut back to any instant of it."""

    def __init__(self, prepared: Prepared, story: Story) -> None:
        self.prepared, self.story = prepared, story
        self.told: Told = told_whole(prepared, story)
        self.folder = copied(prepared.folder, prepared.scratch / "logged")
        ended = crashing.live(self.folder, story, writes=len(self.told.sites))
        assert ended.status == -signal.SIGKILL, ended.errors
        self.writes: Sequence[Written] = crashing.writes_of(ended)
        for path in self.files():
            assert path.read_bytes() == (prepared.folder / path.relative_to(self.folder)).read_bytes(), (
                "nothing was copied from a log, so the logs are all there is to lose"
            )

    def files(self) -> Iterator[Path]:
        yield self.folder / "cloud.db"
        yield from sorted((self.folder / "cells").glob("*.db"))

    def path_of(self, folder: Path, file: str) -> Path:
        return folder / file if file == "cloud.db" else folder / "cells" / file

    def synced(self, count: int, file: str) -> int:
        """How much of the log was synced when so many writes had returned; a new log's header is not known to be."""
        return next((each.log_bytes for each in reversed(self.writes[:count]) if each.file == file), 0)

    def at(self, count: int) -> Path:
        """As it was when so many writes had returned, and not one byte more."""
        folder = copied(self.folder, self.prepared.scratch / "lost")
        for path in self.files():
            os.truncate(f"{folder / path.relative_to(self.folder)}-wal", self.synced(count, path.name))
        return folder

    def tail(self, count: int) -> tuple[str, int, bytes]:
        """Of the write after so many: its file, where its part of the log begins, and that part."""
        file = self.writes[count].file
        begins = self.synced(count, file)
        log = Path(f"{self.path_of(self.folder, file)}-wal").read_bytes()
        return file, begins, log[begins : self.writes[count].log_bytes]

    def judge(self, count: int, file: str, begins: int, tail: bytes) -> None:
        folder = self.at(count)
        with open(f"{self.path_of(folder, file)}-wal", "r+b") as log:
            log.seek(begins)
            log.write(tail)
        is_acknowledged = self.writes[count].is_acknowledged
        judge(self.prepared, self.story, self.told, folder, is_acknowledged=is_acknowledged)


def cuts(begins: int, tail: bytes, chance: Random, *, bytes_many: int) -> Iterator[tuple[str, bytes]]:
    """At every frame, and at random bytes."""
    first = LOG_HEADER_BYTES if begins == 0 else 0
    frames = {0, *range(first, len(tail), FRAME_BYTES)}
    yield from (("cut at a frame", tail[:end]) for end in sorted(frames))
    ends = {chance.randrange(len(tail)) for _ in range(bytes_many)} - frames
    yield from (("cut at a byte", tail[:end]) for end in sorted(ends))


def tears(tail: bytes, chance: Random, *, many: int) -> Iterator[tuple[str, bytes]]:
    """Of its length, with sectors that were never written: zeroes, what was there before, or half of a page."""
    for _ in range(many):
        torn = bytearray(tail)
        for _ in range(chance.choice((1, 1, 2, 8))):
            begins = chance.randrange(0, len(tail), SECTOR_BYTES)
            length = min(chance.choice((1, SECTOR_BYTES, PAGE_BYTES)), len(tail) - begins)
            torn[begins : begins + length] = chance.choice((bytes(length), chance.randbytes(length)))
        yield "torn", bytes(torn)


def lose(
    prepared: Prepared, story: Story, *, seed: int, counts: Sequence[int] | None = None, many: int
) -> Counter[str]:
    """Returns how many losses there were, by kind."""
    lost, chance, losses = Lost(prepared, story), Random(seed), Counter[str]()
    for count in range(len(lost.writes)) if counts is None else counts:
        file, begins, tail = lost.tail(count)
        if not tail:
            # It found nothing to write.
            continue
        for kind, left in (*cuts(begins, tail, chance, bytes_many=many), *tears(tail, chance, many=many)):
            lost.judge(count, file, begins, left)
            losses[kind] += 1
    return losses


def named(name: str) -> Story:
    return next(story for story in STORIES if story.name == name)


def test_what_is_cut_off_or_torn_was_never_acknowledged(prepared: Prepared) -> None:
    """A sample of the next: the write of the cell in the middle of a create."""
    assert lose(prepared, named("create a server"), seed=1, counts=[1], many=3).total() > 8


@pytest.mark.thorough
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_at_every_frame_and_at_random_bytes(prepared: Prepared, story: Story) -> None:
    """How many there were is said with `-rP`."""
    losses = lose(prepared, story, seed=STORIES.index(story), many=4)
    print(", ".join(f"{count} {kind}" for kind, count in losses.items()))
    assert losses.total() > 4


@pytest.mark.thorough
def test_pages_that_a_copy_of_the_log_left_torn_in_the_file_are_read_from_the_log(prepared: Prepared) -> None:
    """The log is synced before its pages go to the file, and begins anew only when the file is synced."""
    lost, chance = Lost(prepared, named("clone a server")), Random(3)
    for _ in range(60):
        folder = lost.at(len(lost.writes))
        for path in lost.files():
            file = folder / path.relative_to(lost.folder)
            log = Path(f"{file}-wal").read_bytes()
            with open(file, "r+b") as pages:
                for begins in range(LOG_HEADER_BYTES, len(log), FRAME_BYTES):
                    number = int.from_bytes(log[begins : begins + 4], "big")
                    length = chance.choice((0, SECTOR_BYTES, PAGE_BYTES // 2, PAGE_BYTES))
                    pages.seek((number - 1) * PAGE_BYTES)
                    pages.write(log[begins + 24 : begins + 24 + length])
        judge(prepared, lost.story, lost.told, folder, is_acknowledged=True)


def test_what_was_synced_and_is_torn_all_the_same_does_not_pass_for_whole(prepared: Prepared) -> None:
    """That these tests can fail: a disk that lied about a sync loses what was acknowledged."""
    lost = Lost(prepared, named("create a server"))
    acknowledged = next(number for number, each in enumerate(lost.writes) if each.is_acknowledged)
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        judge(prepared, lost.story, lost.told, lost.at(0), is_acknowledged=lost.writes[acknowledged].is_acknowledged)
