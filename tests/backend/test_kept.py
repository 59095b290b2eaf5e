"""What is kept of an unchanged cloud is never that of another cloud, of another key, or of too long ago."""

from __future__ import annotations

import asyncio

from backend.operations.kept import Kept


async def _kept_story() -> tuple[list[int], int]:
    """What is answered while the cloud changes at the marked places, and how often it was made."""
    revision, made = 0, 0
    kept: Kept[int] = Kept(lambda: revision)

    async def make(*, changes: bool = False) -> int:
        nonlocal revision, made
        made += 1
        revision += changes
        return made

    answers: list[int] = []

    async def ask(key: str, *, changes: bool = False) -> None:
        answers.append(await kept.of(key, lambda: make(changes=changes)))

    await ask("ada")
    await ask("ada")
    await ask("bea")
    revision += 1
    await ask("ada", changes=True)
    await ask("ada")
    await ask("ada")
    return answers, made


def test_a_kept_answer_ends_with_any_change_and_is_never_that_of_another() -> None:
    answers, made = asyncio.run(_kept_story())

    # The fourth was made while something changed: it is answered, and not kept.
    assert answers == [1, 1, 2, 3, 4, 4]
    assert made == 4


def test_a_kept_answer_ends_by_itself_and_a_large_one_is_never_kept() -> None:
    async def story(kept: Kept[str], content: str) -> int:
        made = 0

        async def make() -> str:
            nonlocal made
            made += 1
            return content

        for _ in range(3):
            await kept.of("ada", make)
        return made

    assert asyncio.run(story(Kept(lambda: 0, seconds_max=-1.0), "x")) == 3
    assert asyncio.run(story(Kept(lambda: 0, cost=len, cost_max=64), "x" * 64)) == 3
    assert asyncio.run(story(Kept(lambda: 0, cost=len, cost_max=64), "x")) == 1
