"""Stories on the whole screen: what an operator types and what is then to be seen, on a cloud in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.client import ClientError
from console.records import PlanRecord
from console.screens.dialogs import Confirmation, Menu
from console.screens.feed import back_off_seconds
from console.screens.places import Place, Trail
from console.widgets.box import Box
from console.widgets.painting import Bar
from tests.console.fakes import FakeCloud, ManualClock, a_server, an_app, screen_text

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def until(pilot: Pilot[Any], *words: str) -> str:
    """The screen, once it shows all the words; each turn waits for the application to be idle."""
    text = ""
    for _ in range(60):
        await pilot.pause()
        text = screen_text(app_of(pilot))
        if all(word in text for word in words):
            return text
    raise AssertionError(f"never saw {words}:\n{text}")


async def type_line(pilot: Pilot[Any], text: str) -> None:
    await pilot.press(*({" ": "space", ":": "colon", "/": "slash", "-": "minus"}.get(each, each) for each in text))


def app_of(pilot: Pilot[Any]) -> ConsoleApp:
    assert isinstance(pilot.app, ConsoleApp)
    return pilot.app


def bar(app: ConsoleApp, name: str) -> str:
    return app.main.query_one(f"#{name}", Bar).text


def requests(cloud: FakeCloud, name: str) -> list[tuple[Any, ...]]:
    return [request for request in cloud.requests if request[0] == name]


# ---------------------------------------------------------------------------------------------------- the first paint


async def test_the_frame_is_painted_before_anything_is_connected() -> None:
    cloud = FakeCloud()
    cloud.gate.clear()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()

        assert "overview" in bar(app, "crumbs")
        assert "? help" in bar(app, "keys")
        assert app.main.mirror.servers == {}

        cloud.gate.set()
        await until(pilot, "cell-1", "cell-2")


async def test_what_the_backend_is_making_is_said_while_there_is_no_data() -> None:
    async def making() -> AsyncIterator[str]:
        yield "making the demo cloud: cell-2 of 4"
        await asyncio.Event().wait()

    cloud = FakeCloud()
    cloud.gate.clear()
    app = an_app(cloud, progress=making)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "making the demo cloud: cell-2 of 4")


async def test_keys_typed_before_there_is_data_act_when_it_comes() -> None:
    cloud = FakeCloud()
    cloud.gate.clear()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "j", "j", "space")
        cloud.gate.set()
        await until(pilot, "mail-39")

        assert app.main.body.marks == {cloud.servers[38].id}


async def test_the_cursor_begins_on_the_first_row_however_the_rows_arrive() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1", "NEEDS ATTENTION")
        await pilot.pause()

        assert app.main.cursor_key == "cell:cell-1"


async def test_the_list_is_read_in_pages() -> None:
    cloud = FakeCloud(page_limit=10)
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01", "mail-40")

        assert [request[1:] for request in requests(cloud, "servers_page")] == [
            (None, None),
            ("10", None),
            ("20", None),
            ("30", None),
            (None, "cell-2"),
        ]


# ------------------------------------------------------------------------------------------------------ live and lost


async def test_a_change_is_on_the_screen_and_the_cursor_stays_on_its_row() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "j")
        await until(pilot, "mail-38")
        before = app.main.cursor_key

        cloud.push(a_server(1, state="unavailable", version=2))
        text = await until(pilot, "lost")

        assert text.splitlines()[3].split()[1:3] == ["lost", "web-01"]
        assert app.main.cursor_key == before


async def test_losing_the_cloud_keeps_the_rows_and_says_so_and_r_tries_at_once() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    app = an_app(cloud, clock)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        cloud.fall_silent()
        await until(pilot, "connection refused, try 1")
        clock.advance(23)
        await pilot.press("r")
        text = await until(pilot, "try 2")

        assert "web-01" in text
        assert app.is_running

        cloud.come_back()
        await pilot.press("escape", "r")
        await until(pilot, "age 0s")
        await pilot.pause()

        assert "try" not in bar(app, "status")


async def test_a_cloud_that_is_not_there_yet_is_tried_again_and_never_ends_the_console() -> None:
    cloud = FakeCloud()
    cloud.outage = ClientError("connection refused", "unreachable", True)
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "connection refused, try 1")
        cloud.come_back()
        await pilot.press("1", "r")
        await until(pilot, "web-01")


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
        assert "stale" in app.screen.query_one(Box).text


class TiredBackend:
    """A child that died three times in a minute."""

    def __init__(self) -> None:
        self.has_given_up = True
        self.sentence: str | None = "the backend ended 3 times in a minute"

    async def restart(self) -> None:
        self.has_given_up, self.sentence = False, None


async def test_a_backend_that_keeps_ending_is_started_again_with_r() -> None:
    backend = TiredBackend()
    app = an_app(FakeCloud(), backend=backend)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "ended 3 times in a minute", "r starts it again")
        await pilot.press("r")
        await pilot.pause()

        assert not backend.has_given_up


async def test_the_back_off_doubles_to_fifteen_seconds() -> None:
    assert [back_off_seconds(tries) for tries in range(1, 8)] == [1, 2, 4, 8, 15, 15, 15]


async def test_a_frozen_screen_holds_still_and_counts_what_it_holds() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("f")
        cloud.push(a_server(1, name="renamed", version=2))
        text = await until(pilot, "frozen at 12:00:00, 1 change held")
        assert "renamed" not in text

        await pilot.press("f", "slash")
        await type_line(pilot, "renamed")
        await until(pilot, "renamed ")


# ----------------------------------------------------------------------------------------------------- find one's way


async def test_digits_and_lines_go_to_views_and_esc_comes_back() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        assert app.main.place.view == "cells"

        await pilot.press("colon")
        await type_line(pilot, "tas")
        await pilot.press("enter")
        assert app.main.place.view == "tasks"

        await pilot.press("left_square_bracket")
        assert app.main.place.view == "cells"

        await pilot.press("right_square_bracket", "escape")
        assert app.main.place.view == "overview"


async def test_the_line_completes_with_tab_and_goes_to_the_servers_of_a_cell() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("colon")
        await type_line(pilot, "cell cell-2")
        await pilot.press("enter")
        text = await until(pilot, "mail-37")

        assert "web-01" not in text
        assert app.main.place == replace(app.main.place, view="servers", scope="cell-2")

        await pilot.press("colon")
        await type_line(pilot, "gro")
        await pilot.pause()
        await pilot.press("tab", "enter")
        assert app.main.place.view == "groups"


async def test_a_line_that_makes_no_sense_is_answered_and_changes_nothing() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon")
        await type_line(pilot, "nonsense")
        await pilot.press("enter")
        await until(pilot, "no command or view is called nonsense")

        assert app.main.place.view == "overview"


async def test_a_filter_acts_while_it_is_typed_and_belongs_to_its_place() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("slash")
        await type_line(pilot, "db-2")
        text = await until(pilot, "db-25")
        assert "web-01" not in text
        assert "5 of 40" in text

        await pilot.press("enter", "enter")
        assert app.main.place.view == "detail"

        await pilot.press("escape")
        assert app.main.place.filter == "db-2"

        await pilot.press("escape")
        assert app.main.place == replace(app.main.place, view="servers", filter="")

        await pilot.press("escape")
        assert app.main.place.view == "overview"


async def test_esc_in_the_filter_line_is_as_if_nothing_had_been_typed() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "slash")
        await type_line(pilot, "db")
        await pilot.press("escape")

        assert app.main.place.filter == ""
        assert app.main.place.view == "servers"


async def test_going_back_puts_the_cursor_where_it_was() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("G")
        before = app.main.cursor_key
        await pilot.press("d")
        await pilot.press("escape")

        assert app.main.cursor_key == before


async def test_help_is_a_page_of_this_view_and_esc_leaves_it() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "question_mark")
        assert app.main.place == replace(app.main.place, view="help", scope="servers")

        await pilot.press("question_mark")
        assert app.main.place.view == "servers"


async def test_raw_is_the_object_as_the_api_gave_it() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("y")
        await until(pilot, '"state"', '"name"')


async def test_sorting_goes_through_the_orders_of_the_view() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        orders = app.main.view.orders
        await pilot.press("s")
        assert (app.main.place.sort, app.main.place.is_descending) == (orders[0], True)

        await pilot.press("s")
        assert (app.main.place.sort, app.main.place.is_descending) == (orders[1], False)


def type_at_once(app: ConsoleApp, *keys: str) -> None:
    """Keys as a pasted text or a fast hand sends them: none waits for what the one before it does."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_a_line_typed_at_once_is_not_lost_on_its_way_to_the_prompt() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        type_at_once(app, "colon", "c", "e", "l", "l", "s", "enter")
        await until(pilot, " cells ")

        assert app.main.place.view == "cells"


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


async def test_q_leaves_only_from_the_overview_and_a_line_leaves_from_anywhere() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "q")
        assert app.is_running

        await pilot.press("colon", "q", "enter")
        await pilot.pause()
        assert not app.is_running


# ------------------------------------------------------------------------------------------------------------- act


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


async def test_an_old_preview_turns_the_button_off_until_it_is_asked_for_again() -> None:
    cloud, clock = FakeCloud(), ManualClock()
    app = an_app(cloud, clock)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        clock.advance(31)
        assert dialog.off_because == "the preview is old: r previews again"

        await pilot.press("tab", "enter")
        assert requests(cloud, "act") == []


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

        assert dialog.off_because == "it has changed: r previews again"

        cloud.servers[24] = replace(cloud.servers[24], version=2)
        await pilot.press("r")
        await until(pilot, "preview 0s old")
        assert dialog.off_because is None


async def test_a_plan_that_is_refused_says_why_and_has_no_button() -> None:
    cloud = FakeCloud(plan=PlanRecord("start", "", is_allowed=False, problem="no host has room", code="no_capacity"))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await start_dialog(pilot)
        await until(pilot, "off: no host has room")
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
        assert requests(cloud, "act") == []

        await type_line(pilot, "db-25")
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
        await pilot.press("tab", "enter")
        await until(pilot, "start: 2 of 2 accepted")

        assert {request[2] for request in requests(cloud, "act")} == {cloud.servers[24].id, cloud.servers[25].id}


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
        await pilot.press("4")
        await until(pilot, "cell-1")
        while app.main.cursor_key != "cell:cell-1":
            await pilot.press("j")
        await pilot.press("x", "h")
        await until(pilot, "inject hung")
        await pilot.press("tab", "enter")
        await until(pilot, "cell-1 is hung")

        assert cloud.cells["cell-1"] == "hung"


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
        await until(pilot, "copied: mail-37")

        assert app.clipboard == "mail-37"


async def test_what_is_too_large_for_a_clipboard_is_not_sent_to_it() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        app.main.copy("x" * 75_000)
        await pilot.pause()

        assert "too many for the clipboard" in bar(app, "status")
        assert app.clipboard == ""


# ------------------------------------------------------------------------------------------------------- every terminal


@pytest.mark.parametrize("size", [(40, 10), (60, 16), (80, 24), (120, 40), (160, 45), (200, 60)])
async def test_every_view_draws_its_frame_at_every_size(size: tuple[int, int]) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=size) as pilot:
        await until(pilot, "age 0s")
        for view in "0123456":
            await pilot.press(view)
            await pilot.pause()
            rows = screen_text(app).splitlines()

            assert len(rows) == size[1], view
            assert rows[-1].endswith("? help"), view
            assert all(len(row) < size[0] for row in rows), view


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_menu_and_confirmation_fit_every_size_and_keep_their_buttons_in_sight(size: tuple[int, int]) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=size) as pilot:
        await start_dialog(pilot)
        await until(pilot, "[ cancel ]")


async def test_ascii_is_ascii() -> None:
    app = an_app(FakeCloud(), is_ascii=True)

    async with app.run_test(size=(80, 24)) as pilot:
        for view in "0123456":
            await pilot.press(view)
            await until(pilot, "age 0s")
            assert screen_text(app).isascii(), view
        await pilot.press("1", "x")
        await pilot.pause()
        assert screen_text(app).isascii()


async def test_no_color_sends_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]

        assert {style.color.name for style in styles if style.color is not None} <= {"default"}
        assert {style.bgcolor.name for style in styles if style.bgcolor is not None} <= {"default"}
        assert any(style.reverse for style in styles)


async def test_the_palette_can_be_changed_while_running() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon")
        await type_line(pilot, "palette light")
        await pilot.press("enter")
        await pilot.pause()
        text_style = app.main.query_one("#header", Bar).get_component_rich_style("tone--text", partial=True)

        assert str(text_style.color and text_style.color.name) == "#1c1c1c"


# -------------------------------------------------------------------------------------------------------------- trail


def test_drilling_in_and_coming_back_restores_the_place() -> None:
    trail = Trail.begin("overview").enter(Place("servers", "cell-1", "web")).enter(Place("detail", "id"))

    assert trail.back().here == Place("servers", "cell-1", "web")
    assert trail.back().back().back().here == Place("overview")


def test_jumping_leaves_one_way_back_to_the_overview() -> None:
    trail = (
        Trail.begin("overview").enter(Place("servers")).enter(Place("detail", "id")).jump(Place("cells"), "overview")
    )

    assert [place.view for place in trail.stack] == ["overview", "cells"]


def test_history_walks_both_ways() -> None:
    trail = Trail.begin("overview").jump(Place("servers"), "overview").jump(Place("cells"), "overview")

    assert trail.earlier().here.view == "servers"
    assert trail.earlier().earlier().here.view == "overview"
    assert trail.earlier().earlier().earlier().here.view == "overview"
    assert trail.earlier().later().here.view == "cells"
