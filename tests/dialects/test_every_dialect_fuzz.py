"""Whatever is sent to any route of any dialect: no fault of ours, the dialect's own shape, no change by a refusal."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from random import Random

import pytest

from backend.check import check
from backend.cloud.model import ReachabilityState
from backend.dialects.nova.table import NO_ANSWER, NO_CONNECTION
from tests.backend.support import OPERATOR, TENANT
from tests.dialects.fuzzing import DIALECTS, Asked, Fuzz
from tests.dialects.test_every_route import shaped
from tests.dialects.walking import Answered, Walk, proof, walked

NOT_SENT = {
    "PATCH /ops/v1/clock": "a clock that goes on by itself is another story each time",
}


async def send_all(on: Walk, *, seed: int, many: int, dialects: tuple[str, ...]) -> None:
    chance = Random(seed)
    fuzz = Fuzz(on, chance, dialects)
    cells = on.app.cloud.store.cell_names
    for number, asked in enumerate(itertools.islice(fuzz, many)):
        if str(asked.step) in NOT_SENT or b"rate_limits" in asked.body:
            continue
        if chance.random() < 0.03:
            state = chance.choice((ReachabilityState.DOWN, ReachabilityState.UP, ReachabilityState.UP))
            await on.app.cloud.store.inject(chance.choice(cells), state)
            await on.app.engine.noted()
        await send(on, asked, TENANT if chance.random() < 0.1 else OPERATOR, f"seed {seed}, number {number}")
    for cell in cells:
        await on.app.cloud.store.inject(cell, ReachabilityState.UP)
    await on.app.engine.noted()
    found = check(on.app.cloud.store.path)
    assert found.breach is None, f"seed {seed}: {found.breach}"


async def send(on: Walk, asked: Asked, account: str, place: str) -> None:
    # What an earlier request began is over: what changes from here on is of this one.
    await on.app.engine.noted()
    await on.app.engine.run_due()
    before = await on.state()
    is_whole = all(on.app.cloud.store.reachability(cell).state is ReachabilityState.UP for cell in before[0])
    answer = await on.send(
        asked.step.method, asked.path, {**proof(asked.step.dialect, account), **asked.headers},
        query=asked.query, body=asked.body,
    )  # fmt: skip
    said = f"{place}: {asked}\n{answer.status} {answer.body[:600]!r}"
    assert answer.status < 500 or is_published(asked, answer, is_whole=is_whole), said
    if answer.status >= 400:
        assert is_shaped(asked, answer), said
        # What is asked of a cell that does not answer may have been reserved, and given back.
        after = await on.state()
        assert answer.status >= 500 or after == before, f"it was refused, and it changed:\n{said}\n{before}\n{after}"


def is_published(asked: Asked, answer: Answered, *, is_whole: bool) -> bool:
    """Statuses of the fifth hundred that the dialect's own API answers with: for want of room, or of a cell."""
    if asked.step.dialect == "nova":
        is_of_a_cell = any(name.encode() in answer.body for name in (NO_ANSWER, NO_CONNECTION))
        return answer.status == 501 or (answer.status == 500 and is_of_a_cell and not is_whole)
    if asked.step.dialect == "cloudsigma" and answer.status in (501, 503):
        return True
    return answer.status == 503 and not is_whole


def is_shaped(asked: Asked, answer: Answered) -> bool:
    try:
        return shaped(asked.step, answer)
    except (ValueError, TypeError, AttributeError, KeyError):
        return False


def tell(folder: Path, *, seed: int, many: int, dialects: tuple[str, ...] = DIALECTS) -> None:
    asyncio.run(walked(folder, lambda on: send_all(on, seed=seed, many=many, dialects=dialects)))


def test_a_thousand_hostile_requests(tmp_path: Path) -> None:
    tell(tmp_path / "data", seed=1, many=600)


@pytest.mark.thorough
@pytest.mark.parametrize("dialect", [*DIALECTS, "all"])
@pytest.mark.parametrize("seed", range(10, 16))
def test_very_many_hostile_requests(tmp_path: Path, dialect: str, seed: int) -> None:
    tell(tmp_path / "data", seed=seed, many=3000, dialects=DIALECTS if dialect == "all" else (dialect,))
