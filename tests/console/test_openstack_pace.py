"""How gently a cloud is asked: by whom it is looked at, how much there is in a minute, and what failures change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.openstack.pace import LoopTimer, Pace
from tests.console.fakes import ManualClock
from tests.console.real_nova import ManualTimer, RealNova, a_console, some


def paced(story: Callable[[Pace, ManualTimer], Awaitable[None]], requests_max: int = 30) -> None:
    timer = ManualTimer(ManualClock())
    asyncio.run(story(Pace(requests_max, timer), timer))  # type: ignore[arg-type]


async def next_look(pace: Pace, timer: ManualTimer) -> float:
    """How long it is until the next one."""
    begun = timer.now()
    await pace.until_due(begun)
    return timer.now() - begun


def test_the_first_look_is_at_once_and_then_every_ten_seconds() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        await pace.until_due(None)
        assert timer.now() == 0
        assert await next_look(pace, timer) == 10

    paced(story)


def test_without_a_key_for_two_minutes_it_is_once_a_minute_and_a_key_ends_that() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        pace.touched()
        timer.pass_by(121)
        assert await next_look(pace, timer) == 60
        assert pace.record().word == "idle"

        pace.touched()
        assert await next_look(pace, timer) == 10
        assert pace.record().word == ""

    paced(story)


def test_after_a_verb_it_is_at_once_and_then_every_five_seconds_for_a_while() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        pace.touched()
        pace.acted()
        assert [await next_look(pace, timer) for _ in range(7)] == [0, 5, 5, 5, 5, 5, 10]

    paced(story)


def test_out_of_sight_nothing_is_asked_until_it_is_seen_again() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        pace.touched()
        pace.hidden()
        looking = asyncio.create_task(pace.until_due(timer.now()))
        for _ in range(20):
            await asyncio.sleep(0)
        timer.pass_by(100_000)
        assert not looking.done()
        assert timer.waits[-1] is None
        assert pace.record().wait_seconds is None

        pace.touched()
        await looking
        assert timer.now() == 100_000

    paced(story)


def test_who_is_in_a_hurry_does_not_wait() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        pace.touched()
        pace.hurried()
        assert await next_look(pace, timer) == 0
        assert await next_look(pace, timer) == 10, "once"

    paced(story)


@given(failures=st.integers(0, 40))
def test_failures_make_it_rarer_and_never_rarer_than_every_two_minutes(failures: int) -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        for _ in range(failures):
            pace.failed()
        assert await next_look(pace, timer) == min(120, 10 * 2**failures)
        pace.answered()
        assert await next_look(pace, timer) == 10

    paced(story)


@given(gaps=st.lists(st.sampled_from([0.0, 0.5, 3.0, 20.0]), min_size=1, max_size=60), most=st.sampled_from([1, 6, 30]))
def test_no_minute_has_more_requests_than_it_may(gaps: list[float], most: int) -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        made = []
        for gap in gaps:
            timer.pass_by(gap)
            await pace.take(is_asked=False)
            made.append(timer.now())
            assert pace.requests <= most
        for at in made:
            assert sum(at - 60 < each <= at for each in made) <= most

    paced(story, most)


@pytest.mark.parametrize(("took", "wait"), [(0.5, 10), (5, 10), (9, 18), (45, 90), (500, 120)])
def test_a_slow_cloud_is_left_alone_twice_as_long_as_it_took(took: float, wait: float) -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        pace.answered(took)
        assert await next_look(pace, timer) == wait

    paced(story)


def test_that_requests_wait_for_the_next_minute_is_told() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        seen = []

        async def wait(event: asyncio.Event, seconds: float | None) -> None:
            seen.append((pace.record().word, seconds))
            timer.pass_by(seconds or 0)

        timer.wait = wait  # type: ignore[method-assign]
        for _ in range(2):
            await pace.take(is_asked=False)
        assert seen == [("full", 60)]
        assert pace.record().word == ""

    paced(story, 1)


def test_what_somebody_asked_for_does_not_wait_and_is_counted() -> None:
    async def story(pace: Pace, timer: ManualTimer) -> None:
        for _ in range(9):
            await pace.take(is_asked=True)
        assert timer.now() == 0
        assert (pace.record().requests, pace.record().requests_max) == (9, 6)

    paced(story, 6)


@pytest.mark.parametrize("is_admin", [True, False])
def test_a_quiet_quarter_of_an_hour_of_a_watched_console_stays_well_within_the_default(is_admin: bool) -> None:
    nova = RealNova(some(3), is_admin=is_admin)

    async def tell() -> None:
        on = a_console(nova, requests_max=30)
        await on.open()
        worst = 0
        while on.timer.now() < 900:
            on.client.attend(is_watched=True)
            await on.look()
            if is_admin:
                await on.client.hosts()
                await on.client.services()
            worst = max(worst, on.pace.requests)
        assert worst <= 20
        assert not any(wait is not None and wait > 10 for wait in on.timer.waits), "nothing had to wait for the budget"

        on.timer.waits.clear()
        on.timer.pass_by(121)
        nova.asked.clear()
        begun = on.timer.now()
        for _ in range(10):
            await on.look()
        assert len(nova.asked) / ((on.timer.now() - begun) / 60) <= 5, "idle"

    asyncio.run(tell())


def test_the_loops_own_timer_ends_with_the_event_or_with_the_time() -> None:
    async def tell() -> None:
        timer, event = LoopTimer(), asyncio.Event()
        await timer.wait(event, 0)
        event.set()
        await timer.wait(event, None)
        assert timer.now() > 0

    asyncio.run(tell())
