"""Stories on the whole screen: what an operator types and what is then to be seen, on a cloud in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from console.client import ClientError
from console.presentation.lines import Tone
from console.records import EventRecord
from console.screens.feed import back_off_seconds
from console.screens.places import Place, Trail
from console.widgets.painting import Bar
from tests.console.fakes import NOON, FakeCloud, ManualClock, a_server, an_app, screen_text
from tests.console.stories import bar, requests, type_at_once, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


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


async def test_the_header_counts_lost_hosts_on_every_view_and_asks_for_them_once() -> None:
    cloud = FakeCloud(cells={"cell-1": "up"}, servers=[a_server(1)])
    app = an_app(cloud, landing_view="servers")

    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "web-01")
        while not app.main.mirror.are_hosts_followed:
            await pilot.press("r")
            await pilot.pause()
        await until(pilot, "hosts 3   servers 1")
        asked = len(requests(cloud, "hosts"))

        lost = EventRecord("cell-1", 9, NOON, "host.down", "host", "c1-s01", 2, changes={"state": ("up", "down")})
        cloud.push_events(lost)
        await until(pilot, "hosts 3 (1 down)", "1 host down")
        for _ in range(3):
            polls = len(requests(cloud, "status"))
            while len(requests(cloud, "status")) == polls:
                await pilot.press("r")
                await pilot.pause()

        assert len(requests(cloud, "hosts")) == asked


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
        await pilot.press("6")
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


async def test_a_filter_that_is_there_is_replaced_by_typing_and_kept_by_enter() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "slash", *"web", "enter")
        await pilot.press("slash", "enter")
        assert app.main.place.filter == "web"
        await pilot.press("slash", *"db", "enter")
        assert app.main.place.filter == "db"
        await pilot.press("slash", "end", *"-2", "enter")
        assert app.main.place.filter == "db-2"
        await pilot.press("slash", *"mail", "escape")
        assert app.main.place.filter == "db-2"
        await pilot.press("slash", "backspace", "enter")
        assert app.main.place.filter == ""


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


async def test_a_preview_is_promised_only_where_there_is_room_for_it() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, "COMPUTE")
        assert "p preview" not in bar(app, "keys")
        await pilot.press("p")
        await until(pilot, "preview is off: there is no room for a pane here; d shows the same")

        await pilot.resize_terminal(200, 40)
        await until(pilot, "p preview")
        await pilot.press("p")
        # What it has hidden, it shows again.
        await until(pilot, "p preview")
        assert app.main.view.pane_width == 0


async def test_sorting_goes_through_the_orders_of_the_view() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        orders = app.main.view.orders
        await pilot.press("S")
        assert (app.main.place.sort, app.main.place.is_descending) == (orders[0], True)

        await pilot.press("s")
        assert (app.main.place.sort, app.main.place.is_descending) == (orders[1], False)


async def test_a_line_typed_at_once_is_not_lost_on_its_way_to_the_prompt() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        type_at_once(app, "colon", "c", "e", "l", "l", "s", "enter")
        await until(pilot, " cells ")

        assert app.main.place.view == "cells"


async def test_two_lines_and_the_keys_after_them_keep_their_order() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "age 0s")
        type_at_once(app, "colon", *"events", "enter", "colon", "backspace", "colon", *"cells", "enter", *"jx")
        await until(pilot, "cell-1   actions")

        assert app.main.place.view == "cells"


async def test_a_line_that_was_typed_before_the_terminal_was_raw_is_obeyed() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        type_at_once(app, "colon", *"cells", "ctrl+j")
        await until(pilot, " cells ")

        assert app.main.place.view == "cells"


async def test_q_leaves_only_from_the_overview_and_a_line_leaves_from_anywhere() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "q")
        assert app.is_running

        await pilot.press("colon", "q", "enter")
        await pilot.pause()
        assert not app.is_running


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
        text_style = app.main.query_one("#header", Bar).tone_style(Tone.TEXT)

        assert str(text_style.color and text_style.color.name) == "#1c1c1c"


# -------------------------------------------------------------------------------------------------------------- trail


def test_drilling_in_and_coming_back_restores_the_place() -> None:
    trail = Trail.begin("overview").enter(Place("servers", "cell-1", "web")).enter(Place("detail", "id"))

    assert trail.back().here == Place("servers", "cell-1", "web")
    assert trail.back().back().back().here == Place("overview")


def test_a_trail_that_lands_elsewhere_leaves_for_its_root() -> None:
    trail = Trail.begin("overview", "hosts")

    assert (trail.here.view, trail.back().here.view) == ("hosts", "overview")
    assert Trail.begin("overview", "overview") == Trail.begin("overview")


async def test_the_console_opens_with_the_view_that_was_asked_for() -> None:
    app = an_app(FakeCloud(), landing_view="cells")

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        assert app.main.place.view == "cells"
        await pilot.press("escape")
        assert app.main.place.view == "overview"


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
