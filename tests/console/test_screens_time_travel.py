"""Stories of the whole console at a moment of the past: the bar over any view, its keys, and the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.presentation import past
from tests.console.fakes import FakeCloud, an_app, screen_text
from tests.console.remembering import BEGUN, a_remembering_cloud
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


async def at_the_servers(pilot: Pilot[Any]) -> None:
    await until(pilot, "NEEDS ATTENTION")
    await pilot.press("1")
    await until(pilot, "web-11")


async def test_T_shows_the_view_as_it_was_and_esc_comes_back_to_where_one_was() -> None:
    app = an_app(a_remembering_cloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_servers(pilot)
        await type_line(pilot, "/web-0")
        await pilot.press("enter", "j", "j")
        cursor = app.main.cursor_key

        await pilot.press("T")
        await until(pilot, "PAST 11:55:00  -5m00s")
        await pilot.press("t")
        await type_line(pilot, "2030-01-01")
        await pilot.press("enter")
        await until(pilot, "2030-01-01 has not come yet: it is 12:00:00")
        await pilot.press("escape")
        assert "as it was" in bar(app, "crumbs")
        assert bar(app, "keys").startswith(" [ ] event   { } minute   ( ) alarm   t time   esc now")
        assert "┃" in bar(app, "time-line")

        await pilot.press("left_square_bracket")
        await until(pilot, "PAST 11:54:00  -6m00s", "✗ lost", "web-01")
        await pilot.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        await until(pilot, "PAST 11:51:00", "○ stopped web-01")
        assert app.main.has_class("-past")

        # The log is opened where one is in it.
        await type_line(pilot, ":events")
        await pilot.press("enter")
        await until(pilot, "here, 9m00s ago", "as it was at 11:51:00")
        assert app.main.cursor_key == past.HERE

        # Somewhere else it is still then.
        await type_line(pilot, ":drives")
        await pilot.press("enter")
        await until(pilot, "boot-01", "PAST 11:51:00")
        await pilot.press("escape")
        assert "PAST" not in bar(app, "header")
        place = app.main.place
        assert (place.view, place.filter, app.main.cursor_key) == ("servers", "web-0", cursor)
        assert "lost" not in screen_text(app)
        assert not app.main.has_class("-past")


async def test_a_page_that_was_opened_in_the_past_is_left_for_its_list_in_the_past() -> None:
    app = an_app(a_remembering_cloud())
    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T")
        await until(pilot, "PAST 11:55:00")
        await pilot.press("d")
        await until(pilot, "PAST 11:55:00")
        assert app.main.place.view == "detail"

        await pilot.press("escape")
        await until(pilot, "PAST 11:55:00")
        assert app.main.place.view == "servers"
        await pilot.press("escape")
        await pilot.pause()
        assert "PAST" not in bar(app, "header")


async def test_before_it_was_made_a_server_is_not_there() -> None:
    app = an_app(a_remembering_cloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T", "t")
        await type_line(pilot, "11:50:30")
        await pilot.press("enter")
        await until(pilot, "PAST 11:50:30")
        assert "web-01" not in screen_text(app)
        assert "web-02" in screen_text(app)

        # T again comes back to now, and stays.
        await pilot.press("3", "T")
        await until(pilot, "age 0s")
        assert app.main.place.view == "hosts"


async def test_keys_go_by_minutes_hours_and_days_and_end_at_now() -> None:
    cloud = a_remembering_cloud()
    app = an_app(cloud)

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_servers(pilot)
        type_at_once(app, "T", "left_curly_bracket", "left_curly_bracket")
        await until(pilot, "PAST 11:53:00  -7m00s")
        await pilot.press("right_curly_bracket")
        await until(pilot, "PAST 11:54:00")
        await pilot.press("less_than_sign")
        await until(pilot, "PAST 10:54:00  -1h06m")
        await pilot.press("minus")
        await until(pilot, "PAST 19 Nov 10:54  -1d01h")
        await pilot.press("plus", "greater_than_sign")
        await until(pilot, "PAST 11:54:00")
        await pilot.press("greater_than_sign")
        await until(pilot, "age 0s")
        assert requests(cloud, "differences")[0][2] is None
        assert all(after is not None for _, _, after in requests(cloud, "differences")[1:])


async def test_keys_go_to_alarms_and_to_what_happened_to_the_row() -> None:
    app = an_app(a_remembering_cloud())

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T", "left_parenthesis")
        await until(pilot, "PAST 11:54:00")
        await pilot.press("left_parenthesis")
        await until(pilot, "there is no alarm before this")
        await pilot.press("comma")
        await until(pilot, "PAST 11:53:00")
        await pilot.press("full_stop", "full_stop")
        await until(pilot, "PAST 11:55:00")
        await pilot.press("right_square_bracket")
        await until(pilot, "nothing is recorded beyond this; esc goes back to now")


async def test_in_the_past_every_verb_is_off_and_says_so() -> None:
    cloud = a_remembering_cloud()
    app = an_app(cloud)

    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T")
        await until(pilot, "PAST")
        before = len(cloud.requests)
        await pilot.press("x")
        text = await until(pilot, "power off")
        assert "on " not in [line.split("off:")[0][-3:] for line in text.splitlines() if "off:" in line]
        assert text.count("off: this is the past") >= 15
        await pilot.press("o")
        assert not [each for each in cloud.requests[before:] if each[0] in ("act", "preview")]
        await pilot.press("escape")

        await type_line(pilot, ":advance 60")
        await pilot.press("enter")
        await until(pilot, "the past cannot be changed: esc goes back to now")
        assert not requests(cloud, "advance")


async def test_pages_are_about_the_moment_too() -> None:
    cloud = a_remembering_cloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T", "left_square_bracket")
        await until(pilot, "PAST 11:54:00")
        await pilot.press("d")
        await until(pilot, "state        ✗ lost")
        await pilot.press("right_square_bracket")
        await until(pilot, "state        ● run", "PAST 11:55:00")
        await pilot.press("w")
        await until(pilot, "WHY THERE")
        assert "as it was" in bar(app, "crumbs")
        await pilot.press("h", "e")
        await until(pilot, "here, 5m00s ago", "lost")
        assert app.main.cursor_key == "past:here"


async def test_where_the_past_is_refused_the_console_stays_at_now_and_says_why() -> None:
    refusal = ClientError("at: lies before what is recorded here", "invalid", False)
    cloud = a_remembering_cloud(refusal_of_past=refusal)
    app = an_app(cloud)

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T")
        await until(pilot, "the past cannot be shown: at: lies before what is recorded here")
        assert "PAST" not in bar(app, "header")

        # Keys are those of the view again.
        await pilot.press("left_square_bracket")
        assert app.main.place.view == "overview"


async def test_nobody_goes_back_behind_the_beginning_of_the_log() -> None:
    cloud = a_remembering_cloud(log_begins_at=BEGUN + timedelta(minutes=2))
    app = an_app(cloud)

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_servers(pilot)
        await pilot.press("T", "less_than_sign")
        await until(
            pilot, "PAST 11:52:00  -8m00s", "the log begins here: what happened before 11:52:00 is not kept", "start"
        )
        # Each key goes on from there.
        await pilot.press("right_curly_bracket")
        await until(pilot, "PAST 11:53:00")
        assert all(at >= BEGUN + timedelta(minutes=2) for _, at, _ in requests(cloud, "differences"))


async def test_the_events_say_where_the_log_begins() -> None:
    app = an_app(a_remembering_cloud(log_begins_at=BEGUN + timedelta(minutes=2)))

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_servers(pilot)
        await type_line(pilot, ":events")
        await pilot.press("enter")
        await until(pilot, "newest first", "kept since 11:52:00")


@pytest.mark.parametrize(("size", "lines"), [((40, 12), 1), ((60, 20), 2)])
async def test_the_bar_gives_way_where_there_is_little_room(size: tuple[int, int], lines: int) -> None:
    app = an_app(a_remembering_cloud())

    async with app.run_test(size=size) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("T")
        await until(pilot, "PAST")
        shown = [name for name in ("time-density", "time-line") if app.main.query_one(f"#{name}").display]
        assert len(shown) == lines
        assert bar(app, "keys").rstrip().endswith("? help")


async def test_before_there_is_a_connection_there_is_no_past() -> None:
    cloud = FakeCloud()
    cloud.gate.clear()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("T")
        await until(pilot, "there is no connection yet")
        assert app_of(pilot).main.then.moment is None
