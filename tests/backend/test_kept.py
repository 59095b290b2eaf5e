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


async def _asked_at_once(*, changes: bool = False, first_goes: bool = False) -> tuple[list[object], int]:
    """What five that ask while it is being made are told, and how often it was made."""
    revision, made = 0, 0
    kept: Kept[int] = Kept(lambda: revision)
    may_end = asyncio.Event()

    async def make() -> int:
        nonlocal made
        made += 1
        number = made
        await may_end.wait()
        if number == 3:
            raise ValueError(number)
        return number

    async def settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    asking = [asyncio.create_task(kept.of("ada", make)) for _ in range(3)]
    await settle()
    revision += changes
    if first_goes:
        asking[0].cancel()
    asking += [asyncio.create_task(kept.of("ada", make)), asyncio.create_task(kept.of("bea", make))]
    await settle()
    may_end.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    return [answer if isinstance(answer, int) else type(answer) for answer in answers], made


def test_what_many_ask_for_at_once_is_made_once() -> None:
    assert asyncio.run(_asked_at_once()) == ([1, 1, 1, 1, 2], 2)


def test_what_began_before_a_change_is_not_for_those_who_ask_after_it_and_a_failure_is_of_its_askers_alone() -> None:
    assert asyncio.run(_asked_at_once(changes=True)) == ([1, 1, 1, 2, ValueError], 3)


def test_who_asked_first_may_go_away() -> None:
    assert asyncio.run(_asked_at_once(first_goes=True)) == ([asyncio.CancelledError, 1, 1, 1, 2], 2)
