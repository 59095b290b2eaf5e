"""Stories of verbs that are taken back before they are sent, and of clouds where a mistake hurts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.records import Hello
from console.screens.dialogs import Confirmation
from tests.console.fakes import FakeCloud, ManualClock, an_app
from tests.console.stories import app_of, bar, requests, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def confirm(pilot: Pilot[Any], name: str, letter: str) -> None:
    """Find a server, choose a verb, and press its button."""
    await pilot.press("1")
    await until(pilot, "sort state")
    await pilot.press("slash", "ctrl+u")
    await type_line(pilot, name)
    await pilot.press("enter", "x", letter)
    await until(pilot, "[ cancel ]", "preview 0s old")
    await pilot.press("tab", "enter")


async def test_what_was_confirmed_is_sent_when_its_grace_is_over() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await confirm(pilot, "db-25", "s")
        await until(pilot, "start db-25 in 10 s   u takes it back")
        assert requests(cloud, "act") == []
        clock.advance(4)
        await until(pilot, "start db-25 in 6 s")
        clock.advance(6)
        await until(pilot, "db-25: starting on c1-h02")
        assert len(requests(cloud, "act")) == 1


async def test_u_takes_it_back_and_nothing_is_sent() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await confirm(pilot, "web-01", "o")
        await until(pilot, "power off web-01 in 10 s")
        await pilot.press("u")
        await until(pilot, "nothing was sent")
        clock.advance(60)
        await pilot.press("u")
        await until(pilot, "nothing waits to be sent")
        assert requests(cloud, "act") == []


async def test_what_waits_names_those_that_it_acts_on_and_the_dialog_those_that_it_leaves() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    app = an_app(cloud, clock, undo_seconds=10)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        app.main.body.set_marks({cloud.servers[0].id, cloud.servers[24].id})
        await pilot.press("x", "s")
        await until(pilot, "OFF         1: web-01: it is running")
        await pilot.press("tab", "enter")
        await until(pilot, "start db-25 in 10 s   u takes it back")
        await pilot.press("u")


async def test_a_verb_that_waits_is_not_cancelled_by_the_next_menu_and_the_newest_goes_back_first() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await confirm(pilot, "db-25", "s")
        await until(pilot, "start db-25 in 10 s")
        await confirm(pilot, "db-26", "s")
        await until(pilot, "start db-26 in 10 s   u takes it back, 1 more wait")
        await pilot.press("u")
        clock.advance(11)
        await until(pilot, "db-25: starting on c1-h02")
        assert [request[2] for request in requests(cloud, "act")] == [cloud.servers[24].id]


async def test_leaving_says_first_that_something_was_not_sent() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await confirm(pilot, "db-25", "s")
        await until(pilot, "start db-25 in 10 s")
        await type_line(pilot, ":q")
        await pilot.press("enter")
        await until(pilot, "start db-25: not sent yet; again leaves without it")
        assert pilot.app.is_running
        await type_line(pilot, ":q")
        await pilot.press("enter")
        await pilot.pause()
        assert requests(cloud, "act") == []


async def test_a_plan_that_went_stale_in_the_grace_is_shown_anew() -> None:
    stale = ClientError("It would now start on c1-h09.", "conflict", False)
    cloud, clock = FakeCloud(refusals=[stale]), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await confirm(pilot, "db-25", "s")
        await until(pilot, "start db-25 in 10 s")
        clock.advance(10)
        await until(pilot, "CHANGED", "It would now start on c1-h09")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was sent")


async def test_what_cannot_be_taken_back_asks_for_a_name_and_waits_for_nothing() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    async with an_app(cloud, clock, undo_seconds=10).run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "sort state")
        await pilot.press("slash")
        await type_line(pilot, "db-25")
        await pilot.press("enter", "x", "D")
        await until(pilot, "type db-25 to delete")
        await type_line(pilot, "db-25")
        await pilot.press("enter")
        await until(pilot, "delete accepted")


# Production ---------------------------------------------------------------------------------------------------------


@dataclass
class Production(FakeCloud):
    """A cloud that the settings mark."""

    async def hello(self) -> Hello:
        return (await super().hello())._replace(is_production=True)


async def test_a_cloud_that_is_marked_says_so_and_asks_for_the_name_before_it_disturbs_anybody() -> None:
    cloud = Production()
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "sort state", "demo PROD")
        assert app_of(pilot).main.has_class("-production")
        await pilot.press("slash")
        await type_line(pilot, "web-01")
        await pilot.press("enter", "x", "h")
        await until(pilot, "type web-01 to shut down")
        assert isinstance(pilot.app.screen, Confirmation)
        await type_line(pilot, "web-02")
        await pilot.press("enter")
        await until(pilot, "web-02 is not web-01: nothing was done")
        assert requests(cloud, "act") == []
        await pilot.press("ctrl+u")
        await type_line(pilot, "web-01")
        await pilot.press("enter")
        await until(pilot, "web-01: shut down accepted")


async def test_what_a_form_asks_for_is_confirmed_by_name_too() -> None:
    cloud = Production()
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "sort state", "demo PROD")
        await pilot.press("slash")
        await type_line(pilot, "db-25")
        await pilot.press("enter", "x", "z")
        await until(pilot, "memory")
        await pilot.press("ctrl+u")
        await type_line(pilot, "6 GHz")
        await pilot.press("enter")
        await until(pilot, "type db-25 to resize")


async def test_any_other_cloud_is_not_marked() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        assert "PROD" not in bar(app_of(pilot), "header")
        assert not app_of(pilot).main.has_class("-production")
