"""Stories of cloning a server: its name, the plan of its copies, the request, and what is said of it."""

from typing import Any

import pytest
from textual.pilot import Pilot

from console.records import AvoidedRecord, CopyPlanRecord, DecisionRecord, OutcomeRecord, PlanRecord
from console.screens.asking import Ask
from console.screens.dialogs import Confirmation
from tests.console.fakes import GIB, FakeCloud, an_app, screen_text
from tests.console.stories import app_of, requests, type_line, until

pytestmark = pytest.mark.anyio

COPIES = (
    CopyPlanRecord("web-data", "s1-02", False, 120 * GIB, 698, 176 * 2**20),
    CopyPlanRecord("web-log", "s1-01", True, 20 * GIB, 20, GIB),
)
AVOIDED = (
    AvoidedRecord(
        "id-1", "web-log-clone shares s1-01 with web: no other host has room (2 short of storage).", "web", False
    ),
)
PLAN = PlanRecord(
    "separate",
    "",
    decision=DecisionRecord("c1-h02", "avoid", runner_up="c1-h01"),
    copies=COPIES,
    avoided=AVOIDED,
    avoided_at_start=(AvoidedRecord("id-1", "Apart from web.", "web", True),),
    downtime_seconds=706,
    version=1,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def ask_to_clone(pilot: Pilot[Any], letter: str) -> None:
    await pilot.press("1")
    await until(pilot, "mail-37")
    await pilot.press("slash")
    await type_line(pilot, "db-25")
    await pilot.press("enter", "x")
    await until(pilot, "clone, avoid itself", "clone, start apart")
    await pilot.press(letter)
    await until(pilot, "name of the clone", "db-25-clone")
    assert isinstance(pilot.app.screen, Ask)


@pytest.mark.parametrize(("letter", "action"), [("c", "clone"), ("C", "separate")])
async def test_a_server_is_cloned_after_its_name_was_asked_and_its_plan_was_shown(letter: str, action: str) -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await ask_to_clone(pilot, letter)
        await pilot.press("ctrl+u")
        await type_line(pilot, "twin")
        await pilot.press("enter")
        await until(pilot, "away from")
        await pilot.press("enter")
        await until(pilot, "[ cancel ]", "NAME", "twin")
        assert requests(cloud, "act") == []
        assert isinstance(pilot.app.screen, Confirmation)

        await pilot.press("tab", "enter")
        await until(pilot, "db-25 is being cloned to twin")

        id = cloud.servers[24].id
        avoid = (id,) if action == "clone" else ()
        assert requests(cloud, "preview") == [("preview", "server", id, action, avoid)]
        assert requests(cloud, "act") == [("act", "server", id, action, 1, avoid, ("name", "twin"))]


async def test_the_plan_says_where_each_copy_goes_and_what_would_not_be_apart() -> None:
    cloud = FakeCloud()
    cloud.plan = PLAN
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await ask_to_clone(pilot, "C")
        await pilot.press("enter", "enter")
        await until(pilot, "COPIES", "PLACEMENT")
        text = " ".join(screen_text(app_of(pilot)).replace("│", " ").split())
        for words in (
            "web-data 120 GiB, over the network to s1-02, 11m38s at 0.17 GiB/s",
            "web-log 20 GiB, stays on s1-01, 20s at 1.00 GiB/s",
            "APART web-log-clone shares s1-01 with web: no other host has room",
            "c1-h02; second c1-h01",
            "APART the clone, from web",
            "the clone runs in about 11m46s",
        ):
            assert words in text, text


@pytest.mark.parametrize("at", ["the name", "the avoid list", "the plan"])
async def test_a_clone_may_be_cancelled_until_its_button_is_pressed(at: str) -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await ask_to_clone(pilot, "c")
        if at != "the name":
            await pilot.press("enter")
            await until(pilot, "away from")
        if at == "the plan":
            await pilot.press("enter")
            await until(pilot, "[ cancel ]")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was sent")
        assert requests(cloud, "act") == []


async def test_several_servers_are_not_cloned_at_once() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("space", "j", "space", "x")
        await until(pilot, "off: one at a time")


async def test_what_came_to_share_a_storage_host_is_said() -> None:
    class Sharing(FakeCloud):
        async def act(self, *given: Any, **more: Any) -> OutcomeRecord:
            return (await super().act(*given, **more))._replace(avoided=AVOIDED)

    app = an_app(Sharing())

    async with app.run_test(size=(100, 24)) as pilot:
        await ask_to_clone(pilot, "c")
        await pilot.press("enter", "enter")
        await until(pilot, "[ cancel ]", "preview")
        await pilot.press("tab", "enter")
        await until(pilot, "it shares a storage host with its origin")


async def test_what_a_clone_stays_away_from_is_chosen_in_an_order() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await ask_to_clone(pilot, "c")
        await pilot.press("enter")
        await until(pilot, "away from", "1.  db-25", "itself: all drives of it")
        await pilot.press("tab", "w", "e", "b", "minus", "0", "3", "tab")
        await until(pilot, "1.  web-03")
        await pilot.press("tab")
        await until(pilot, "2.  db-25")
        await pilot.press("enter")
        await until(pilot, "AWAY FROM", "web-03, then db-25")
        await pilot.press("tab", "enter")
        await until(pilot, "db-25 is being cloned")

        assert [request[5] for request in requests(cloud, "act")] == [(cloud.servers[2].id, cloud.servers[24].id)]
