"""Stories of groups that are restored and of cells that are silenced: what is shown before, and what is sent."""

from __future__ import annotations

import pytest

from console.client import ClientError
from console.records import TaskRecord
from console.records_plans import GroupPlanRecord, StandingRecord
from console.screens.dialogs import Confirmation
from tests.console.fakes import FakeCloud, an_app, screen_text
from tests.console.stories import requests, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_a_group_in_the_list_says_what_restores_it_and_is_restored_after_its_plan() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, "FIX", "1 move takes its members apart, and leave 1 collision")
        await pilot.press("x", "r")
        await until(pilot, "GROUP       web   collisions 2 -> 1, tolerates 0 -> 1", "[ restore ]")
        assert requests(cloud, "act_on_group") == []
        await pilot.press("tab", "enter")
        await until(pilot, "web is being restored, one member at a time")
        assert requests(cloud, "act_on_group") == [("act_on_group", "web", "restore", "token-1")]


async def test_a_stale_plan_of_a_group_is_shown_anew_and_asked_again() -> None:
    cloud = FakeCloud(refusals=[ClientError("It would now move or touch 2 servers instead of 1.", "conflict", False)])
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, "FIX")
        await pilot.press("x", "r")
        await until(pilot, "[ restore ]")
        await pilot.press("tab", "enter")
        await until(pilot, "CHANGED", "It would now move or touch 2 servers instead of 1.", "[ restore ]")
        await pilot.press("tab", "enter")
        await until(pilot, "web is being restored")
        assert len(requests(cloud, "act_on_group")) == 2


async def test_the_page_of_a_group_tells_each_move_and_its_line_is_the_group() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, "FIX")
        await pilot.press("enter")
        await until(pilot, "start web-01 again, avoid=web-02,web-03 (would put it on c1-h02)")
        assert "then collisions 2 -> 1, tolerates 0 -> 1: x r on line 1 does it" in screen_text(app)
        asked = len(requests(cloud, "group_plan"))
        await pilot.press("r")
        await until(pilot, "start web-01 again")
        assert len(requests(cloud, "group_plan")) == asked + 1
        await pilot.press("G", "x")
        await until(pilot, "web   actions", "end restoring", "off: it is not under way")
        await pilot.press("r")
        await until(pilot, "[ restore ]")
        assert isinstance(app.screen, Confirmation)


async def test_a_plan_that_the_group_has_left_behind_is_not_shown_as_its_own() -> None:
    cloud = FakeCloud(restoration=GroupPlanRecord("web", before=StandingRecord(7, 0), problem="of another time"))
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, "FIX")
        await pilot.press("enter")
        await until(pilot, "WORST CASE")
        await until(pilot, "1 move takes its members apart")
        assert "of another time" not in screen_text(app)


async def test_a_group_under_way_is_ended_and_not_begun_again() -> None:
    task = TaskRecord("cloud/9", "cell-1", "restore", "group", "web", "web", counterpart_name="web-01", progress=0.5)
    cloud = FakeCloud(more_tasks=(task,))
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("7")
        await until(pilot, "restore group")
        while app.main.cursor_key != "task:cloud/9":
            await pilot.press("j")
        await until(pilot, "restore group web: web-01 is shut down, then started on a host of its own")
        await pilot.press("o")
        await until(pilot, "groups > web", "FIX")
        await pilot.press("4")
        await until(pilot, "FIX")
        await pilot.press("x")
        await until(pilot, "off: it is under way")
        await pilot.press("e")
        await until(pilot, "no other member of web is moved; web-01 is on its way, and starts")
        assert requests(cloud, "act_on_group") == [("act_on_group", "web", "end", None)]


async def test_a_cell_is_silenced_after_what_that_means_was_shown() -> None:
    cloud = FakeCloud(refusals=[ClientError("It would now take 31 servers away instead of 36.", "conflict", False)])
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("6")
        await until(pilot, "cell-1")
        await pilot.press("j", "x", "d")
        await until(
            pilot, "36 turn UNKNOWN", "web: 2 unknown, tolerates 1 -> ≥0", "skips its 3 hosts", "[ inject down ]"
        )
        await pilot.press("tab", "enter")
        await until(pilot, "CHANGED", "It would now take 31 servers away", "[ inject down ]")
        await pilot.press("tab", "enter")
        await until(pilot, "cell-1 is down")
        assert requests(cloud, "act_on_cell") == [("act_on_cell", "cell-1", "down", "token-2")] * 2
