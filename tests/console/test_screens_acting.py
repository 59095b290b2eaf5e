"""Stories of verbs: the menu, the plan, the confirmation, the request, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.commands import BY_ID
from console.records import PlanRecord
from console.screens.acting import _name_to_type
from console.screens.dialogs import Confirmation, Menu
from console.widgets.box import Box
from tests.console.fakes import FakeCloud, ManualClock, a_server, an_app, screen_text
from tests.console.stories import app_of, bar, requests, type_at_once, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def start_dialog(pilot: Pilot[Any], *, filter_text: str = "db-25", letter: str = "s") -> Confirmation:
    await pilot.press("1")
    await until(pilot, "mail-37")
    await pilot.press("slash")
    await type_line(pilot, filter_text)
    await pilot.press("enter", "x")
    await pilot.pause()
    menu = pilot.app.screen
    assert isinstance(menu, Menu)
    await pilot.press(letter)
    await pilot.pause()
    await pilot.pause()
    dialog = pilot.app.screen
    assert isinstance(dialog, Confirmation)
    return dialog


async def test_a_server_is_started_after_its_plan_was_shown_and_its_button_pressed() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        await until(pilot, "[ cancel ]", "crawl-028")
        assert dialog.off_because is None
        assert requests(cloud, "act") == []

        await pilot.press("tab", "enter")
        await until(pilot, "db-25: starting on c1-h02")

        assert requests(cloud, "act") == [("act", "server", cloud.servers[24].id, "start", 1, ())]


async def test_enter_alone_presses_cancel_and_no_letter_presses_the_button() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot)
        await pilot.press("y", "s", "space", "enter")
        await until(pilot, "cancelled")

        assert requests(cloud, "act") == []


async def click(pilot: Pilot[Any], words: str) -> None:
    """Click where the dialog shows the words."""
    rows = screen_text(app_of(pilot)).splitlines()
    y = next(number for number, row in enumerate(rows) if words in row)
    await pilot.click(offset=(rows[y].index(words) + 1, y))


async def test_the_mouse_chooses_a_verb_and_presses_the_button() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot)
        await click(pilot, "[ cancel ]")
        await until(pilot, "cancelled")
        assert requests(cloud, "act") == []

        await pilot.press("x")
        await until(pilot, "may stop others")
        await click(pilot, "may stop others")
        await until(pilot, "[ cancel ]", "crawl-028")
        assert requests(cloud, "act") == []
        await click(pilot, "[ start ]")
        await until(pilot, "db-25: starting on c1-h02")


async def test_the_menu_of_what_has_no_verbs_is_the_cloud_s_and_says_so() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await until(pilot, "TASK")
        await pilot.press("x")
        await until(pilot, "the cloud   actions", "stop the clock")


async def test_an_old_preview_turns_the_button_off_until_it_is_asked_for_again() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    app = an_app(cloud, clock)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        clock.advance(31)
        assert dialog.off_because == "this preview is 31 s old, and things may have moved: r previews again"

        await pilot.press("tab", "enter")
        assert requests(cloud, "act") == []


async def test_what_is_sent_is_the_plan_that_was_shown_and_a_stale_one_is_shown_anew() -> None:
    words = "It would now start on c1-h09 instead of c1-h04."
    cloud = FakeCloud(refusals=[ClientError(words, "conflict", False)])
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot)
        await until(pilot, "[ start ]")
        await pilot.press("tab", "enter")
        await until(pilot, "CHANGED", "It would now start on c1-h09")
        await until(pilot, "[ start ]")
        assert cloud.plans_sent == ["plan of start"]
        assert len(requests(cloud, "preview")) == 2

        await pilot.press("enter")
        await until(pilot, "cancelled; nothing was sent")
        assert cloud.plans_sent == ["plan of start"]

        await pilot.press("x", "s")
        await until(pilot, "[ start ]")
        assert "CHANGED" not in screen_text(app)
        await pilot.press("tab", "enter")
        await until(pilot, "db-25: starting on c1-h02")
        assert cloud.plans_sent == ["plan of start"] * 2


async def test_another_refusal_than_of_the_plan_is_said_and_asks_no_more() -> None:
    cloud = FakeCloud(refusals=[ClientError("No host has room for db-25.", "no_capacity", False)])
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot)
        await until(pilot, "[ start ]")
        await pilot.press("tab", "enter")
        await until(pilot, "No host has room for db-25.")
        assert not isinstance(app.screen, Confirmation)


async def test_several_servers_are_not_held_to_plans_that_change_each_other() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        app.main.body.set_marks({cloud.servers[24].id, cloud.servers[25].id})
        await pilot.press("x", "s")
        await until(pilot, "[ start ]")
        await pilot.press("tab", "enter")
        await until(pilot, "start: 2 of 2 accepted")
        assert cloud.plans_sent == [None, None]


async def test_what_the_filter_hides_is_not_acted_on_though_it_stays_marked() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        app.main.body.set_marks({each.id for each in cloud.servers[24:27]})
        app.main.change(filter=cloud.servers[24].name or "")
        await pilot.press("x")
        await until(pilot, f"{cloud.servers[24].name}   actions", "2 marked rows hidden by the filter: left out")
        assert [item.key for item in app.main.selection().items] == [cloud.servers[24].id]
        await pilot.press("escape")
        app.main.change(filter="")
        await pilot.press("x")
        await until(pilot, "3 servers   actions")


async def test_a_change_of_the_server_under_the_preview_turns_the_button_off() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        cloud.push(replace(cloud.servers[24], version=2, state="starting"))
        for _ in range(20):
            await pilot.pause()
            if dialog.off_because is not None:
                break

        assert dialog.off_because == "what it is about has changed since this preview: r previews again"

        cloud.servers[24] = replace(cloud.servers[24], version=2)
        await pilot.press("r")
        await until(pilot, "preview 0s old")
        assert dialog.off_because is None


async def test_a_plan_that_is_refused_says_why_and_has_no_button() -> None:
    cloud = FakeCloud(plan=PlanRecord("start", "", is_allowed=False, problem="no host has room", code="no_capacity"))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        await until(pilot, "no host has room", "off: refused")
        await pilot.press("tab", "enter")

        assert dialog.off_because == "no host has room"
        assert requests(cloud, "act") == []


async def test_deleting_asks_for_the_name() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot, letter="D")
        await until(pilot, "type db-25 to delete")
        await type_line(pilot, "db-26")
        await pilot.press("enter")
        await until(pilot, "db-26 is not db-25: nothing was done; ctrl+u clears, esc cancels")
        assert requests(cloud, "act") == []

        await pilot.press("backspace")
        assert "is not db-25" not in screen_text(app)
        await type_line(pilot, "5")
        await pilot.press("enter")
        await until(pilot, "delete accepted")

        assert requests(cloud, "act") == [("act", "server", cloud.servers[24].id, "delete", 1, ())]


async def test_a_verb_acts_on_all_marked_servers_and_counts_those_that_are_off() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        app.main.body.set_marks({cloud.servers[0].id, cloud.servers[24].id, cloud.servers[25].id})
        await pilot.press("x", "s")
        await until(pilot, "2 servers, 1 off")
        await until(pilot, f"OFF         1: {cloud.servers[0].name}: it is running")
        await pilot.press("tab", "enter")
        await until(pilot, "start: 2 of 2 accepted")

        assert {request[2] for request in requests(cloud, "act")} == {cloud.servers[24].id, cloud.servers[25].id}


async def test_marked_servers_are_acted_on_in_the_order_of_the_list_and_those_that_are_acted_on_are_counted() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        app.main.change(sort="name", is_descending=True)
        app.main.body.set_marks({cloud.servers[0].id, cloud.servers[24].id, cloud.servers[25].id})
        selection = app.main.selection()

        table = app.main.view.table
        assert table is not None
        marked = {item.key for item in selection.items}
        assert [item.key for item in selection.items] == [row.id for row in table.rows if row.id in marked]
        assert _name_to_type(BY_ID["server.delete"], selection) == "2"


async def test_a_refused_verb_is_a_sentence_in_the_status_row_until_the_next_key() -> None:
    cloud = FakeCloud(refusal=ClientError("no host in cell-1 has room", "no_capacity", False))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await start_dialog(pilot)
        await pilot.press("tab", "enter")
        await until(pilot, "no host in cell-1 has room")
        await pilot.press("j")

        assert "no host in cell-1 has room" not in bar(app, "status")


async def test_the_menu_says_why_a_verb_is_off_and_choosing_it_does_nothing() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("slash")
        await type_line(pilot, "web-01")
        await pilot.press("enter", "x", "s")
        await pilot.pause()

        assert isinstance(app.screen, Menu)
        assert "start is off: it is running" in app.screen.query_one(Box).text
        assert requests(cloud, "preview") == []


async def test_a_fault_is_injected_behind_x_on_a_cell() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, "cell-1")
        while app.main.cursor_key != "cell:cell-1":
            await pilot.press("j")
        await pilot.press("x", "h")
        await until(pilot, "inject hung")
        await pilot.press("tab", "enter")
        await until(pilot, "cell-1 is hung")

        assert cloud.cells["cell-1"] == "hung"


@pytest.mark.parametrize(("confirms_all", "pressed", "state"), [
    (False, (), "up"), (True, ("tab", "enter"), "up"), (True, ("enter",), "down"),
])  # fmt: skip
async def test_a_verb_that_its_opposite_undoes_asks_only_those_who_want_to_be_asked(
    confirms_all: bool, pressed: tuple[str, ...], state: str
) -> None:
    cloud = FakeCloud()
    app = an_app(cloud, confirms_all=confirms_all)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, "cell-1")
        while app.main.cursor_key != "cell:cell-2":
            await pilot.press("j")
        await pilot.press("x", "u")
        if confirms_all:
            await until(pilot, "Let it answer: cell-2", "[ let it answer ]", "its tasks resume")
            await pilot.press(*pressed)
        await until(pilot, "cell-2 is up" if state == "up" else "cancelled; nothing was sent")

        assert cloud.cells["cell-2"] == state


async def test_a_page_of_a_server_acts_on_that_server_whatever_row_the_cursor_is_on() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("G", "d")
        await until(pilot, "servers > db-30")
        assert app.main.cursor_key == "cell:cell-1"

        await pilot.press("x")
        await pilot.pause()
        assert isinstance(app.screen, Menu)
        assert "db-30" in app.screen.query_one(Box).text


async def test_the_clock_is_advanced_by_a_line() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("colon")
        await type_line(pilot, "advance 5m")
        await pilot.press("enter")
        await until(pilot, "advanced by 300 s")

        assert requests(cloud, "advance") == [("advance", 300)]


async def test_a_name_is_copied_to_the_clipboard_of_the_terminal() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("Y", "n")
        await until(pilot, "clipboard: mail-37")

        assert app.clipboard == "mail-37"


async def test_what_is_too_large_for_a_clipboard_is_not_sent_to_it() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        app.main.copy("x" * 75_000)
        await pilot.pause()

        assert "too many for the clipboard" in bar(app, "status")
        assert app.clipboard == ""


async def test_verbs_are_off_while_the_cloud_does_not_answer() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        cloud.fall_silent()
        await until(pilot, "connection refused, try 1")
        await pilot.press("x")
        await pilot.pause()

        assert isinstance(app.screen, Menu)
        assert "the cloud is silent" in app.screen.query_one(Box).text


async def test_a_letter_typed_right_after_x_is_for_the_menu_and_none_is_for_the_confirmation() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        app.main.change(filter="db-25")
        type_at_once(app, "x", "s", "tab", "enter", "enter")
        await until(pilot, "[ cancel ]")

        assert app.main.place.sort == ""
        assert requests(cloud, "act") == []


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_menu_and_confirmation_fit_every_size_and_keep_their_buttons_in_sight(size: tuple[int, int]) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=size) as pilot:
        await start_dialog(pilot)
        await until(pilot, "[ cancel ]")


# ------------------------------------------------------------------------------------------------- once there is room


@pytest.mark.parametrize(
    ("letter", "restarts", "after", "sentence"),
    [
        ("r", False, "stopped", "started again whenever stopped for room"),
        ("r", False, "starting", "there is room, it starts now"),
        ("R", True, "stopped", "not started again once stopped for room"),
    ],
)
async def test_a_backfilling_server_can_be_wanted_back(letter: str, restarts: bool, after: str, sentence: str) -> None:
    render = replace(
        a_server(1), name="render", state="stopped", reason="displaced", is_backfilling=True, restarts=restarts
    )
    cloud = FakeCloud(cells={"cell-1": "up"}, servers=[render])
    cloud.state_after_edit = after
    app = an_app(cloud, landing_view="servers")

    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "render")
        await pilot.press("x", letter)
        await until(pilot, sentence)

        assert requests(cloud, "act")[-1][1:4] == ("server", render.id, "edit")
        assert requests(cloud, "act")[-1][-1] == ("restarts", not restarts)


async def test_of_a_normal_server_the_menu_says_that_nobody_stops_it_for_room() -> None:
    cloud = FakeCloud(cells={"cell-1": "up"}, servers=[a_server(1)])
    app = an_app(cloud, landing_view="servers")

    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "web-01")
        await pilot.press("x", "r")
        await until(pilot, "is off: not a backfilling one")

        assert requests(cloud, "act") == []
