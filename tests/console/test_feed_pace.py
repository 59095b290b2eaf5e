"""How often the cloud is asked while nothing happens, and what waits while somebody types: counted, on a loop whose
seconds cost nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import pytest
from textual.message import Message

from console.presentation.mirror import Mirror
from console.records import Changes
from console.screens.feed import LONG_POLL_SECONDS, OLD_SECONDS, POLL_SECONDS, QUIET_FACTOR, Answered, Feed
from console.screens.keys_first import FRAME_SECONDS, KeysFirst
from tests.console.fakes import NOON, FakeCloud
from tests.console.leaping import run_leaping
from tests.console.stories import requests

MINUTE_SECONDS = 60


class PatientCloud(FakeCloud):
    """One whose long poll ends when its time is over, as that of a real one does."""

    async def changes(self, cursor: str, *, wait_seconds: float = 20.0, limit: int | None = None) -> Changes:
        with suppress(TimeoutError):
            return await asyncio.wait_for(super().changes(cursor), wait_seconds)
        return Changes(cursor)


class Console:
    """Takes what is posted, as a screen does, and knows when."""

    def __init__(self) -> None:
        self.cloud, self.mirror = PatientCloud(), Mirror()
        self.taken_at: list[float] = []

        async def factory() -> FakeCloud:
            return self.cloud

        self.feed = Feed(
            factory,
            self.post,
            wall_now=self.wall_now,
            mirror=lambda: self.mirror,
            wanted=lambda: frozenset({"hosts", "tasks"}),
        )

    def wall_now(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    def post(self, message: Message) -> None:
        assert isinstance(message, Answered), message
        self.mirror = self.mirror.apply(message.answer, message.at)
        self.taken_at.append(asyncio.get_running_loop().time())
        message.taken.set()


@asynccontextmanager
async def a_console() -> AsyncIterator[Console]:
    """With the whole list, and so long after the last thing happened that its heart beats slowly."""
    console = Console()
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(console.feed.beat()), group.create_task(console.feed.follow())]
        await asyncio.sleep(2 * OLD_SECONDS)
        yield console
        for each in loops:
            each.cancel()


def test_an_idle_minute_takes_few_requests() -> None:
    async def idle() -> Counter[str]:
        async with a_console() as console:
            before = len(console.cloud.requests)
            await asyncio.sleep(MINUTE_SECONDS)
            return Counter(request[0] for request in console.cloud.requests[before:])

    asked = run_leaping(idle())

    # The status shows that the cloud still answers; hosts and tasks are read again in case the feed has missed any.
    assert set(asked) == {"status", "hosts", "tasks", "changes"}
    assert asked["status"] <= MINUTE_SECONDS / (POLL_SECONDS * QUIET_FACTOR) + 1
    assert asked["hosts"] <= MINUTE_SECONDS / OLD_SECONDS + 1
    assert asked["tasks"] <= MINUTE_SECONDS / OLD_SECONDS + 1
    assert asked["changes"] <= MINUTE_SECONDS / LONG_POLL_SECONDS + 1


def test_what_happens_in_a_quiet_cloud_is_known_at_once() -> None:
    async def happen() -> float:
        async with a_console() as console:
            console.cloud.push(console.cloud.servers[0])
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(MINUTE_SECONDS)
            return min(at for at in console.taken_at if at >= before) - before

    assert run_leaping(happen()) == 0


def test_what_comes_while_somebody_types_waits_for_one_frame() -> None:
    async def type_a_key() -> float:
        async with a_console() as console:
            console.feed.keys.take()
            console.cloud.push(console.cloud.servers[0])
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(1)
            return min(at for at in console.taken_at if at >= before) - before

    assert run_leaping(type_a_key()) == pytest.approx(FRAME_SECONDS)


def test_a_key_that_is_held_down_holds_nothing_up() -> None:
    async def hold_a_key_down() -> int:
        async with a_console() as console:
            before = len(requests(console.cloud, "changes"))
            for _ in range(100):
                console.feed.keys.take()
                console.cloud.push(console.cloud.servers[0])
                await asyncio.sleep(FRAME_SECONDS)
            return len(requests(console.cloud, "changes")) - before

    assert run_leaping(hold_a_key_down()) >= 50


def test_nobody_waits_where_no_key_was_pressed() -> None:
    async def pass_by() -> tuple[float, float]:
        keys, loop = KeysFirst(), asyncio.get_running_loop()
        keys.take()
        await keys.pass_by()
        first = loop.time()
        await keys.pass_by()
        return first, loop.time() - first

    first, again = run_leaping(pass_by())
    assert first == pytest.approx(FRAME_SECONDS)
    assert again == 0
