"""How the cloud is asked: again and again for what may have changed, and for nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from textual.message import Message

from console.port import UNAUTHORIZED, ClientError
from console.presentation.mirror import Mirror
from console.records import Tasks
from console.screens.feed import OLD_SECONDS, Answered, Failed, Feed
from tests.console.examples import an_event
from tests.console.fakes import NOON, FakeCloud, ManualClock
from tests.console.stories import requests

pytestmark = pytest.mark.anyio

SOMETHING = an_event(9, "server.renamed", "some-id", NOON)


class Screen:
    """Takes what is posted as the screen does, and lets the heart beat when it is told to."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud, self.mirror, self.clock = cloud, Mirror(), ManualClock()
        self.wanted = frozenset({"hosts", "tasks"})
        self.drawn = self.failed = 0

        async def factory() -> FakeCloud:
            return cloud

        self.feed = Feed(
            factory,
            self.post,
            wall_now=self.clock,
            mirror=lambda: self.mirror,
            wanted=lambda: self.wanted,
            poll_seconds=0,
        )

    def post(self, message: Message) -> None:
        assert isinstance(message, Answered | Failed), message
        if isinstance(message, Answered):
            self.mirror = self.mirror.apply(message.answer, message.at)
            message.taken.set()
            self.drawn += not message.is_followed
        else:
            self.failed += 1

    async def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(10_000):
            if is_so():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to that")

    async def beats(self, count: int) -> None:
        """Wait until the heart has beaten so often."""
        wanted = len(requests(self.cloud, "status")) + count
        await self.until(lambda: len(requests(self.cloud, "status")) >= wanted)


@asynccontextmanager
async def a_screen(cloud: FakeCloud) -> AsyncIterator[Screen]:
    """One that has the whole list, and follows what changes."""
    screen = Screen(cloud)
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(screen.feed.beat()), group.create_task(screen.feed.follow())]
        await screen.until(lambda: bool(requests(cloud, "changes")))
        await screen.beats(3)
        yield screen
        for each in loops:
            each.cancel()


async def test_while_nothing_happens_hosts_are_not_asked_for_again() -> None:
    async with a_screen(cloud := FakeCloud()) as screen:
        asked = len(requests(cloud, "hosts"))
        await screen.beats(20)
        assert len(requests(cloud, "hosts")) == asked


async def test_an_event_a_cell_that_falls_silent_and_an_action_are_reasons_to_ask() -> None:
    async with a_screen(cloud := FakeCloud()) as screen:

        async def is_asked_again() -> bool:
            before = len(requests(cloud, "hosts"))
            await screen.beats(4)
            return len(requests(cloud, "hosts")) == before + 1

        assert not await is_asked_again()
        cloud.push_events(SOMETHING)
        assert await is_asked_again()
        cloud.cells["cell-1"] = "down"
        assert await is_asked_again()
        screen.feed.wake()
        assert await is_asked_again()
        assert not await is_asked_again()


async def test_what_is_old_is_asked_for_though_nothing_happened() -> None:
    async with a_screen(cloud := FakeCloud()) as screen:
        before = len(requests(cloud, "hosts"))
        screen.clock.advance(OLD_SECONDS)
        await screen.beats(4)
        assert len(requests(cloud, "hosts")) == before + 1


async def test_tasks_are_asked_for_from_the_instant_on_at_which_one_has_to_end() -> None:
    async with a_screen(cloud := FakeCloud()) as screen:
        asked = []
        for seconds in (19, 20):
            cloud.clock_now = NOON + timedelta(seconds=seconds)
            await screen.beats(4)
            before = len(requests(cloud, "tasks"))
            await screen.beats(10)
            asked.append(len(requests(cloud, "tasks")) - before)

        assert asked[0] == 0
        assert asked[1] >= 9


@pytest.mark.parametrize("has_end", [True, False])
async def test_tasks_that_wait_for_their_cell_are_not_asked_for_again(has_end: bool) -> None:
    due_at = NOON - timedelta(seconds=1) if has_end else None

    class Cloud(FakeCloud):
        async def tasks(self, *, state: str | None = None, limit: int | None = None) -> Tasks:
            found = await super().tasks(state=state, limit=limit)
            return found._replace(tasks=tuple(task._replace(due_at=due_at, progress=None) for task in found.tasks))

    async with a_screen(cloud := Cloud()) as screen:
        before = len(requests(cloud, "tasks"))
        await screen.beats(10)
        assert len(requests(cloud, "tasks")) == before


async def test_the_answers_of_a_beat_are_drawn_once() -> None:
    async with a_screen(cloud := FakeCloud()) as screen:
        for _ in range(3):
            await screen.beats(1)
            beats_before, drawn_before = len(requests(cloud, "status")), screen.drawn
            screen.clock.advance(OLD_SECONDS)
            await screen.beats(5)
            assert abs(len(requests(cloud, "status")) - beats_before - (screen.drawn - drawn_before)) <= 1


async def test_credentials_that_are_refused_are_tried_again_only_when_somebody_asks() -> None:
    cloud = FakeCloud()
    cloud.outage = ClientError("The token is wrong.", UNAUTHORIZED, False)
    screen = Screen(cloud)
    async with asyncio.TaskGroup() as group:
        beat = group.create_task(screen.feed.beat())
        await screen.until(lambda: screen.failed == 1)
        for _ in range(50):
            screen.feed.wake()
            await asyncio.sleep(0)
        asked = len(requests(cloud, "hello"))
        screen.feed.hurry()
        await screen.until(lambda: screen.failed == 2)
        beat.cancel()

    assert (asked, len(requests(cloud, "hello"))) == (1, 2)
