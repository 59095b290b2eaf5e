"""Stories of tasks and events on the whole screen: followed to their targets, and looked at in the past."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.records import EventRecord
from tests.console.fakes import NOON, FakeCloud, an_app, screen_text
from tests.console.stories import app_of, bar, requests, type_at_once, type_line, until, until_without

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


# ------------------------------------------------------------------------------------------------------------- tasks


async def test_o_goes_to_what_a_task_is_about_and_enter_to_the_task() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("7")
        await until(pilot, "web-01", "50")
        assert "o go to target" in bar(app, "keys")

        await pilot.press("o")
        assert (app.main.place.view, app.main.place.scope) == ("detail", cloud.servers[0].id)

        await pilot.press("escape", "enter")
        assert (app.main.place.view, app.main.place.scope) == ("detail", "task:cell-1/7")


async def test_o_that_is_typed_before_there_are_tasks_waits_for_them() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        type_at_once(app, "7", "o")
        await until(pilot, "web-01")

        assert app.main.place.view == "detail"


async def test_a_target_that_is_gone_is_told_of() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await until(pilot, "web-01", "50")
        cloud.push(removed=(cloud.servers[0].id,))
        await until(pilot, "web-01")

        await pilot.press("o")
        await until(pilot, "is not there any more")
        assert app.main.place.view == "tasks"


async def test_s_sorts_the_tasks() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await until(pilot, "web-01", "50")
        await pilot.press("s")

        assert "sort left" in bar(app, "crumbs")


# ------------------------------------------------------------------------------------------------------------ events


def an_event(
    number: int, seconds: float, kind: str = "server.running", about: str = "web-x", **said: Any
) -> EventRecord:
    """So many seconds before noon."""
    at = NOON - timedelta(seconds=seconds)
    return EventRecord("cell-1", number, at, kind, kind.partition(".")[0], about, object_name=about, **said)


def a_log(count: int = 700) -> list[EventRecord]:
    """One event each ten seconds until noon, with four alarms: 30 s, 17 min, 98 min and 100 min before noon."""
    log = [an_event(count - n, 10 * n, about=f"web-{n:03}") for n in range(count - 1, -1, -1)]
    alarms = {3: "host.down", 102: "server.displaced", 588: "cell.down", 600: "drive.unavailable"}
    for n, kind in alarms.items():
        if n < count:
            log[count - 1 - n] = an_event(count - n, 10 * n, kind, f"lost-{n:03}")
    return log


async def at_the_events(pilot: Pilot[Any], *words: str) -> None:
    await until(pilot, "NEEDS ATTENTION")
    await pilot.press("8")
    await until(pilot, "WHAT HAPPENED", *words)


async def go_to(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("t")
    await type_line(pilot, text)
    await pilot.press("enter")


def shown_rows(pilot: Pilot[Any]) -> list[str]:
    """Time and object of each row of the list."""
    lines = screen_text(app_of(pilot)).splitlines()[3:20]
    return [f"{line[1:9]} {line[13:25].strip()}" for line in lines]


async def test_a_typed_time_is_gone_to_and_esc_comes_back() -> None:
    cloud = FakeCloud(log=a_log())
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        assert "t time   ( ) alarm   { } minute" in bar(app, "keys")

        await go_to(pilot, "10:30")
        await until(pilot, "PAST 10:30:00", "web-540")
        assert "PAST 10:30:00  -1h30m" in bar(app, "header")
        rows = shown_rows(pilot)
        here = rows.index("10:30:00 here, 1h30m")
        assert rows[here - 1 : here + 2] == ["10:30:10 web-539", "10:30:00 here, 1h30m", "10:30:00 web-540"]
        assert app.main.cursor_key == "past:here"
        assert bar(app, "status").strip() == "as it was at 10:30:00; esc goes back to now"

        await pilot.press("escape")
        assert "PAST" not in bar(app, "header")
        assert (app.main.place.view, app.main.cursor_key) == ("events", "event:cell-1/700")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("teatime", "teatime is not a time; type 14:03, 14:03:20, -10m from now, 2026-11-14 09:00 or now"),
        ("25:00", "25:00 is not a time"),
        ("2026-11-21 09:00", "2026-11-21 09:00 has not come yet: it is 12:00:00"),
    ],
)
async def test_a_wrong_time_gets_a_sentence_and_stays_to_be_mended(typed: str, sentence: str) -> None:
    app = an_app(FakeCloud(log=a_log(20)))

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        before = shown_rows(pilot)
        await go_to(pilot, typed)

        assert bar(app, "keys").strip().startswith(sentence)
        assert (app.main.place.past_at, shown_rows(pilot)) == (None, before)
        await pilot.press("backspace")
        assert not bar(app, "keys").strip().startswith(sentence)
        assert typed[:-1] in screen_text(app)

        await pilot.press(*["backspace"] * (len(typed) - 1))
        await type_line(pilot, "11:58")
        await pilot.press("enter")
        await until(pilot, "PAST 11:58:00")


async def test_an_empty_line_says_what_times_may_be_typed() -> None:
    app = an_app(FakeCloud(log=a_log(20)))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await pilot.press("t")
        await until(pilot, "@a time: 14:03, 14:03:20, -10m from now, 2026-11-14 09:00 or now")

        await pilot.press("escape")
        assert app.main.place.view == "events"


async def test_braces_step_by_minutes_however_fast_they_are_typed_and_end_at_now() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        type_at_once(app, *["left_curly_bracket"] * 70)
        await until(pilot, "PAST 10:50:00", "web-420")
        assert "10:50:00 web-420" in shown_rows(pilot)

        type_at_once(app, *["right_curly_bracket"] * 69)
        await until(pilot, "PAST 11:59:00  -1m00s")
        await pilot.press("right_curly_bracket")
        assert app.main.place.past_at is None


async def test_a_step_begins_at_the_row_under_the_cursor() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await pilot.press(*"jjjjj", "left_curly_bracket")

        await until(pilot, "PAST 11:58:10")


async def test_parentheses_go_from_alarm_to_alarm_through_pages_that_were_not_known() -> None:
    cloud = FakeCloud(log=a_log())
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        for name, at in (("lost-003", "11:59:30"), ("lost-102", "11:43:00"), ("lost-588", "10:22:00"),
                         ("lost-600", "10:20:00")):  # fmt: skip
            await pilot.press("left_parenthesis")
            await until(pilot, f"PAST {at}", f"{at}  ")
            number = 700 - int(name[-3:])
            assert app.main.cursor_key == f"event:cell-1/{number}"

        await pilot.press("left_parenthesis")
        await until(pilot, "there is no alarm before this")
        await pilot.press("right_parenthesis", "right_parenthesis")
        await until(pilot, "PAST 11:43:00")
        await pilot.press("right_parenthesis", "right_parenthesis")
        await until(pilot, "there is no alarm after this", "PAST 11:59:30")


async def test_all_alarms_of_one_second_are_one_stop() -> None:
    lost = [an_event(301 + n, 5 - n / 100, "server.unavailable", f"lost-{n:03}") for n in range(24)]
    log = sorted([*a_log(300), *lost], key=lambda event: event.at)
    app = an_app(FakeCloud(log=log))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "lost-023")
        for at in ("11:59:55", "11:59:30", "11:43:00"):
            await pilot.press("left_parenthesis")
            await until(pilot, f"PAST {at}")
        await pilot.press("right_parenthesis", "right_parenthesis")
        await until(pilot, "PAST 11:59:55")


async def test_what_happens_meanwhile_does_not_move_the_past() -> None:
    cloud = FakeCloud(log=a_log())
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await go_to(pilot, "-10m")
        await until(pilot, "PAST 11:50:00", "web-060")
        before = shown_rows(pilot)
        cloud.push_events(an_event(701, 0, "host.down", "c1-h01"))
        await pilot.pause()
        await until(pilot, "PAST")
        assert app.main.mirror.events[-1].number == 701
        assert shown_rows(pilot) == before

        await pilot.press("escape")
        assert shown_rows(pilot)[0] == "12:00:00 c1-h01"


async def test_older_pages_load_when_the_cursor_comes_to_the_end() -> None:
    cloud = FakeCloud(log=a_log())
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "200+")
        for number in ("399+", "598+", "first   700"):
            await pilot.press("G")
            await until(pilot, number)
        asked = [request for request in requests(cloud, "events") if request[2] is not None]
        assert len(asked) == 3

        await pilot.press("G")
        await until(pilot, "10:03:30  ●")
        assert len([request for request in requests(cloud, "events") if request[2] is not None]) == 3


async def test_newer_pages_load_when_the_cursor_goes_up_in_the_past() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "200+")
        await go_to(pilot, "10:30")
        await until(pilot, "as it was", "web-540")
        for _ in range(3):
            await pilot.press("g")
            await pilot.pause()
        await until(pilot, "12:00:00", "web-000")
        assert "PAST 10:30:00" in bar(app, "header")


async def test_the_events_of_an_object_reach_further_back_than_the_latest_of_all() -> None:
    cloud = FakeCloud()
    id = cloud.servers[0].id
    cloud.log = [an_event(1, 90_000, "server.created", id), *a_log(300)[1:]]
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("slash", *"web", "minus", *"01", "enter", "e")
        await until(pilot, "web-01 > events", "created", "newest first   1")

        await go_to(pilot, "2026-11-19 12:00")
        await until(pilot, "PAST 19 Nov 12:00  -1d00h", "11:00:00  · web-01")
        await pilot.press("j", "enter")
        assert app.main.place.scope == id
        await pilot.press("escape")
        await until(pilot, "PAST 19 Nov 12:00", "11:00:00")


async def test_an_event_of_the_past_is_described_and_shown_raw() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await go_to(pilot, "10:30")
        await until(pilot, "web-540")
        await pilot.press("d")
        await until(pilot, "this row is the instant that is looked at")

        await pilot.press("j", "d")
        await until(pilot, "server.running, number 160 of cell-1")
        assert "PAST" not in bar(app, "header"), "a description is of now"
        await pilot.press("y")
        await until(pilot, '"object_name": "web-540"')


async def test_a_filter_holds_in_the_past_and_esc_clears_the_past_first() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await pilot.press("slash", *"web", "minus", *"54", "enter")
        await go_to(pilot, "10:30")
        await until(pilot, "PAST", "web-540")
        names = [row[9:] for row in shown_rows(pilot) if row[9:]][:11]
        assert names == [f"web-54{n}" if n is not None else "here, 1h30m" for n in (None, *range(10))]
        assert "/web-54" in bar(app, "crumbs")

        await pilot.press("escape")
        assert (app.main.place.past_at, app.main.place.filter) == (None, "web-54")
        await pilot.press("escape")
        assert app.main.place.filter == ""


async def test_a_cloud_that_does_not_answer_leaves_one_where_one_is_and_says_why() -> None:
    cloud = FakeCloud(log=a_log())
    app = an_app(cloud)

    async with app.run_test(size=(120, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        cloud.outage = ClientError("connection refused", "no_answer", True)
        await go_to(pilot, "10:30")
        await until(pilot, "PAST 10:30:00", "connection refused", "here, 1h30m")


async def test_the_density_tells_where_the_alarms_were_and_is_dropped_on_small_screens() -> None:
    app = an_app(FakeCloud(log=a_log()))

    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_events(pilot, "web-000")
        await go_to(pilot, "-15m")
        text = await until(pilot, "PAST 11:45:00", "events   ")
        ruler = next(line for line in text.splitlines() if "──" in line)
        assert ruler[:7].strip().count(":") == 1
        assert "■" in ruler
        assert "┃" in ruler

        await pilot.resize_terminal(59, 24)
        await until_without(pilot, "──")
        await pilot.resize_terminal(80, 24)
        await until(pilot, "──")
        await pilot.resize_terminal(80, 19)
        await until_without(pilot, "──")
