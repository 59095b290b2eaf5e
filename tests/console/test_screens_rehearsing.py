"""Stories of rehearsals: moving the clock, injecting faults and taking them back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.console.fakes import NOON, FakeCloud, an_app
from tests.console.stories import requests, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_the_clock_is_stepped_to_what_is_due_by_an_hour_and_set_to_a_rate() -> None:
    cloud = FakeCloud()
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":clock")
        await pilot.press("enter")
        await until(pilot, "stands still until it is moved", "backup")
        await pilot.press("x")
        await until(pilot, "go to what is due next", "advance the clock 1 h")
        await pilot.press("g")
        await until(pilot, "advanced by 20 s")
        await pilot.press("x", "T")
        await until(pilot, "advanced by 3600 s")
        await pilot.press("x", "i")
        await until(pilot, "simulated seconds in each second", "a minute of the wall's is 1h00m here")
        await pilot.press("1", "2", "0")
        await until(pilot, "a minute of the wall's is 2h00m here")
        await pilot.press("enter")
        await until(pilot, "clock: rate")

        assert requests(cloud, "advance") == [("advance", 20), ("advance", 3600)]
        assert requests(cloud, "patch_clock") == [("patch_clock", "rate", 120.0)]
        assert cloud.clock_now == NOON + timedelta(seconds=3620)


async def test_the_line_stops_the_clock_as_the_menu_does_after_asking() -> None:
    cloud = FakeCloud(clock_mode="rate")
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await type_line(pilot, ":clock manual")
        await pilot.press("enter")
        await until(pilot, "Stop the clock", "tier 2: asks once")
        assert requests(cloud, "patch_clock") == []
        await pilot.press("tab", "enter")
        await until(pilot, "clock: manual")

        assert requests(cloud, "patch_clock") == [("patch_clock", "manual", None)]


async def test_a_verb_of_the_clock_is_copied_as_its_request() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":clock")
        await pilot.press("enter")
        await until(pilot, "stands still")
        await pilot.press("x", "Y")
        await until(pilot, "clipboard: curl -sS -X POST")
        assert pilot.app.clipboard.endswith('-d \'{"seconds": 60}\' "$STRATODECK_URL"/ops/v1/clock/advance')


async def test_a_rate_that_is_none_is_refused_where_it_was_typed_and_can_be_mended() -> None:
    cloud = FakeCloud()
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":clock")
        await pilot.press("enter")
        await until(pilot, "stands still")
        await pilot.press("x", "i")
        await until(pilot, "simulated seconds in each second")
        await pilot.press("ctrl+u")
        await type_line(pilot, "fast")
        await pilot.press("enter")
        await until(pilot, "fast is no rate", "simulated seconds in each second")
        assert requests(cloud, "patch_clock") == []
        await pilot.press("ctrl+u", "6", "enter")
        await until(pilot, "clock: rate")


async def test_faults_are_injected_one_by_one_and_taken_back_at_once() -> None:
    cloud = FakeCloud(host_states={"c1-h01": "up", "c1-h02": "down", "c1-s01": "up"})
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":faults")
        await pilot.press("enter")
        await until(pilot, "2 injected", "cell-2", "c1-h02")
        await pilot.press("x", "E")
        await until(pilot, "Take back 2 faults", "[ take back ]", "c1-h02 is up again")
        await pilot.press("tab", "enter")
        await until(pilot, "2 taken back", "none injected", "nothing is injected")

        assert requests(cloud, "act_on_cell") == [("act_on_cell", "cell-2", "up", None)]
        assert [request[2:4] for request in requests(cloud, "act")] == [("c1-h02", "recover")]


async def test_a_fault_of_the_menu_shows_what_it_would_mean_first() -> None:
    cloud = FakeCloud(cells={"cell-1": "up", "cell-2": "up"})
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":faults")
        await pilot.press("enter")
        await until(pilot, "none injected")
        await pilot.press("slash")
        await type_line(pilot, "cell-2")
        await pilot.press("enter", "g", "x", "d")
        await until(pilot, "turn UNKNOWN", "[ inject down ]")
        await pilot.press("tab", "enter")
        await until(pilot, "1 injected")
