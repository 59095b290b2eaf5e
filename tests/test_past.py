"""The past is what was: what is told of a moment, and what the console shows of it, is what was told and shown then."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from backend.dialects.ops.log_places import position_of
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment
from console.records import EventRecord
from console.screens import views
from console.screens.past_feed import PastFeed
from tests.past_lives import Lived, Told, difference, lived, places


async def compare_answers(it: Lived, written: list[tuple[str, Told]], chance: random.Random) -> None:
    chance.shuffle(written)
    for moment, before in written:
        # Later objects are asked for by their ids too, which are not there yet.
        after = await it.told(at=moment)
        for path, answer in before.items():
            if path == "/billing" and it.was_silent:
                continue
            assert after[path] == answer, f"{path} at {moment}{difference(answer, after[path])}"


def relive(folder: Path, seed: int, steps: int, share: float) -> None:
    """Live, write some of the moments down, and ask for each of them in any order."""
    chance = random.Random(seed)

    async def story() -> None:
        async with lived(folder, seed) as it:
            written: list[tuple[str, Told]] = []
            for _ in range(steps):
                await it.step()
                if chance.random() < share:
                    written.append((await it.moment(), await it.told()))
            await it.end()
            assert it.life.done > steps // 4, "nothing was done: this tests nothing"
            await compare_answers(it, written, chance)

    asyncio.run(story())


def look_back(folder: Path, seed: int, steps: int, share: float) -> None:
    """The same for every view of the console, stepping from one moment to any other."""
    chance = random.Random(seed)

    async def story() -> None:
        async with lived(folder, seed) as it:
            written: list[tuple[str, dict[str, list[str]]]] = []
            for _ in range(steps):
                await it.step()
                if chance.random() < share:
                    written.append((await it.moment(), it.lines(await it.shown_now())))
            await it.end()
            chance.shuffle(written)
            wanted = frozenset[str]().union(*(views.wanted(place, Mirror()) for place in places()))
            past_feed, shown = PastFeed(it.client, Mirror), None
            for text, before in written:
                shown = await past_feed.look(moment_of(text), shown, wanted)
                after = it.lines(shown)
                for view, lines in before.items():
                    if not (view.startswith("billing") and it.was_silent):
                        assert after[view] == lines, f"{view} at {text}{difference(lines, after[view])}"

    asyncio.run(story())


def moment_of(text: str) -> Moment:
    position = position_of("at", text)
    if position.file is None:
        return Moment(position.at)
    return Moment(position.at, EventRecord(position.file, position.number, position.at, "", "", ""))


def test_every_answer_of_a_moment_is_what_it_was_then(tmp_path: Path) -> None:
    relive(tmp_path / "data", 2, 80, 0.15)


def test_every_view_of_a_moment_is_what_it_was_then(tmp_path: Path) -> None:
    look_back(tmp_path / "data", 5, 50, 0.12)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(200, 240))
def test_every_answer_of_a_long_life_is_what_it_was_then(tmp_path: Path, seed: int) -> None:
    relive(tmp_path / "data", seed, 400, 0.3)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(300, 330))
def test_every_view_of_a_long_life_is_what_it_was_then(tmp_path: Path, seed: int) -> None:
    look_back(tmp_path / "data", seed, 250, 0.3)
