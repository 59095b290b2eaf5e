"""A cloud that forgets what is old tells of all that it keeps what it told when it was: as if it forgot nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from backend.check import check
from tests.past_lives import Lived, Told, difference, lived

KEPT_SECONDS = 3_600
STRETCHES = 12
REST_SECONDS = 1_200
"""Between two stretches of a life: three of them are kept."""


def of_the_kept(path: str, found: Any, since: datetime) -> Any:
    """An answer without what it says of what lies before the beginning: how much has ended, and which were the last."""

    def is_kept(at: str | None) -> bool:
        return at is None or datetime.fromisoformat(at) > since

    status, body = found
    match path.partition("?")[0]:
        case "/status":
            body = {**body, "tasks": {**body["tasks"], "ended": None}}
        case "/tasks":
            body = {**body, "ended": None, "tasks": [each for each in body["tasks"] if is_kept(each["ended_at"])]}
        case "/events":
            events = [each for each in body["events"] if is_kept(each["at"])]
            body = {"events": events[-5:]}
        case other if other.startswith("/explain"):
            decisions = body.get("decisions", [])
            kept = [each for each in decisions if is_kept(each["at"])]
            body = {**body, "decisions": kept or decisions[-1:]}
            if not kept:
                # What was there at that decision is not rebuilt any more.
                body.pop("placed", None)
                body.pop("placed_problem", None)
    return status, body


async def look_back(it: Lived, moment: str, before: Told, since: datetime) -> bool:
    """Whether the moment is kept."""
    at = datetime.fromisoformat(moment.partition(",")[0])
    if at < since:
        answer = await it.ops.get("/servers", params={"at": moment})
        assert answer.status_code == 400
        assert f"{since:%Y-%m-%d %H:%M:%S} UTC, when what is recorded here begins" in answer.text
        return False
    after = await it.told(at=moment)
    for path, answer in before.items():
        if path == "/billing" and it.was_silent:
            continue
        was, found = (of_the_kept(path, each, since) for each in (answer, after[path]))
        assert found == was, f"{path} at {moment}{difference(was, found)}"
    return True


def relive_and_forget(folder: Path, seed: int, steps: int) -> None:
    chance = random.Random(seed)

    async def story() -> None:
        async with lived(folder, seed, {"history_seconds": KEPT_SECONDS}) as it:
            written: list[tuple[str, Told]] = []
            for stretch in range(STRETCHES):
                if stretch > 0:
                    await it.app.engine.advance(REST_SECONDS)
                # A life goes ahead by itself too, so that often only its end is kept.
                share = 1.5 / steps if stretch < STRETCHES - 1 else 0.4
                for _ in range(steps):
                    await it.step()
                    if chance.random() < share:
                        written.append((await it.moment(), await it.told()))
            await it.end()
            since = it.app.cloud.history_since()
            assert since is not None
            chance.shuffle(written)
            seen = Counter([await look_back(it, moment, before, since) for moment, before in written])
            assert seen[True] > 0, "no moment was kept: this tests nothing"
            assert seen[False] > 0, "no moment was forgotten: this tests nothing"

    asyncio.run(story())
    report = check(folder)
    assert report.breach is None


def test_what_is_kept_is_told_as_if_nothing_were_forgotten(tmp_path: Path) -> None:
    relive_and_forget(tmp_path / "data", 3, 8)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(400, 420))
def test_what_is_kept_of_a_long_life_is_told_as_if_nothing_were_forgotten(tmp_path: Path, seed: int) -> None:
    relive_and_forget(tmp_path / "data", seed, 40)
