"""Stories of verbs of a server that are about other things: what to start away from, its drives; and of the clock."""

from typing import Any

import pytest
from textual.pilot import Pilot

from console.screens.dialogs import Menu
from tests.console.fakes import FakeCloud, a_drive, an_app
from tests.console.stories import app_of, requests, type_at_once, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def choose(pilot: Pilot[Any], *letters: str) -> None:
    """Open the menu of db-25, which is stopped, and choose in it."""
    await pilot.press("1")
    await until(pilot, "mail-37")
    app_of(pilot).main.change(filter="db-25")
    await pilot.press("x")
    await until(pilot, "db-25   actions")
    await pilot.press(*letters)


async def test_a_server_is_started_away_from_what_is_chosen_in_that_order() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "A")
        await until(pilot, "away from:", "type search")
        await type_line(pilot, "web-1")
        await pilot.press("down", "tab", "tab")
        await type_line(pilot, "mail")
        await pilot.press("tab")
        await until(pilot, "1.  web-11", "2.  web-12", "3.  mail-37")
        await pilot.press("enter")
        await until(pilot, "[ cancel ]", "crawl-028")
        await pilot.press("tab", "enter")
        await until(pilot, "db-25: starting on")

        names = {server.name: server.id for server in cloud.servers}
        away = (names["web-11"], names["web-12"], names["mail-37"])
        assert requests(cloud, "act") == [("act", "server", names["db-25"], "start", 1, away)]


async def test_a_server_is_deleted_with_its_drives_after_its_name_was_typed() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "X")
        await until(pilot, "type db-25 to delete")
        await type_line(pilot, "db-25")
        await pilot.press("enter")
        await until(pilot, "db-25: delete accepted")

        deletes = requests(cloud, "act")
        assert deletes == [("act", "server", cloud.servers[24].id, "delete", 1, (), ("with_drives", True))]


@pytest.mark.parametrize(
    ("letter", "text", "drive", "action", "fields"),
    [("v", "spare-92", 92, "attach", True), ("V", "db-boot", 25, "detach", False)],
)
async def test_a_drive_is_given_to_a_server_or_taken_from_it_in_the_servers_own_menu(
    letter: str, text: str, drive: int, action: str, fields: bool
) -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, letter)
        await until(pilot, "which one:", text)
        type_at_once(app_of(pilot), *text, "enter")
        await until(pilot, "[ cancel ]", "SERVER", "preview")
        await pilot.press("tab", "enter")
        await until(pilot, f"{action}ed")

        sent = (("server_id", cloud.servers[24].id),) if fields else ()
        assert [each[:5] + each[6:] for each in requests(cloud, "act")] == [
            ("act", "drive", a_drive(drive).id, action, 1, *sent)
        ]


async def test_a_verb_that_is_off_keeps_the_menu_and_tab_leads_to_no_other() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "o", "tab", "enter")
        await until(pilot, "power off is off: it is stopped")

        assert isinstance(pilot.app.screen, Menu)
        assert requests(cloud, "act") == []


async def test_the_clock_of_the_cloud_is_stopped_only_after_a_question_and_goes_on_again() -> None:
    cloud = FakeCloud(clock_mode="rate")

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        type_at_once(app_of(pilot), "x", "m")
        await until(pilot, "Stop the clock", "[ cancel ]")
        await pilot.press("enter")
        await until(pilot, "cancelled; nothing was sent")
        type_at_once(app_of(pilot), "x", "m")
        await until(pilot, "[ stop the clock ]")
        await pilot.press("tab", "enter")
        await until(pilot, "PAUSED")
        type_at_once(app_of(pilot), "x", "l")
        await until(pilot, "clock: rate x1")
