"""Stories of schedules and backups on the whole screen, by keyboard; and what is asked of the cloud for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.records import EventRecord
from console.records_backups import CoverageRecord
from tests.console.fake_protection import a_backup, a_schedule
from tests.console.fakes import NOON, FakeCloud, ManualClock, an_app
from tests.console.stories import app_of, bar, requests, type_at_once, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_from_a_schedule_to_its_backups_and_what_its_rules_say_of_one() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("b")
        await until(pilot, "nightly 1", "nightly 2", "1h00m", "NEXT TEN", "Fri 20 Nov 23:00")
        assert requests(cloud, "schedule") == [("schedule", "sch-1")]
        await pilot.press("enter")
        text = await until(pilot, "goes at the next run: 7 days old", "IN NO SCHEDULE")
        assert "schedules > nightly 1 > backups" in text
        assert requests(cloud, "backups") == [("backups", "schedule:sch-1", None)]

        await pilot.press("d")
        assert "taken by     nightly 1" in await until(pilot, "number 1 of 7 that are kept", "describe")
        await pilot.press("y")
        await until(pilot, '"id": "bak-1"')
        await pilot.press("escape", "escape", "escape")
        assert (app.main.place.view, app.main.cursor_key) == ("schedules", "schedule:sch-1")


async def test_a_schedule_is_described_with_what_it_would_do_and_its_raw_form() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(100, 40)) as pilot:
        await type_line(pilot, ":schedules")
        await pilot.press("enter")
        await until(pilot, "nightly 2")
        await pilot.press("d")
        await until(pilot, "by the clock of UTC", "Fri 20 Nov 23:00", "goes: 7 days old or more")
        await pilot.press("y")
        await until(pilot, '"cron": "0 23 * * *"')


async def test_a_countdown_goes_on_and_asks_for_nothing() -> None:
    clock, cloud = ManualClock(), FakeCloud()
    app = an_app(cloud, clock)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("b")
        await until(pilot, "nightly 1", "1h00m")
        cloud.clock_now += timedelta(minutes=50)
        clock.advance(1)
        app.main.feed.wake()
        await until(pilot, "10m00s")

        assert len(requests(cloud, "schedules")) == 1


async def test_a_list_is_read_again_when_the_feed_tells_of_backups() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("b")
        await until(pilot, "nightly 1")
        cloud.schedule_records = (*cloud.schedule_records, a_schedule(3))
        cloud.push_events(EventRecord("cloud", 9, NOON, "schedule.created", "schedule", "sch-3"))
        app.main.feed.wake()

        await until(pilot, "nightly 3")


async def test_nothing_is_read_of_backups_while_none_are_in_sight() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01", "sort state")

        asked = {name for name, *_ in cloud.requests}
        assert not asked & {"schedules", "backups", "coverage", "calendar", "storage"}


async def test_a_long_list_is_read_page_by_page() -> None:
    cloud = FakeCloud()
    cloud.page_rows = 2
    cloud.backup_records = tuple(a_backup(number) for number in range(1, 6))
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("B")
        text = await until(pilot, "sort newest   5", "15 Nov 12:00")

        assert text.count("ready") == 5
        assert [after for _, _, after in requests(cloud, "backups")] == [None, "2", "4"]


async def test_all_servers_are_among_those_that_are_looked_for() -> None:
    cloud = FakeCloud()
    cloud.page_rows = 2
    cloud.coverage_records = tuple(CoverageRecord(f"s{number}", f"mq-0{number}") for number in range(1, 6))
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("U")
        await until(pilot, "mq-05")
        await type_line(pilot, ":coverage /mq-05")
        await pilot.press("enter")
        text = await until(pilot, "1 of the 5 worst")

        assert "mq-01" not in text
        assert [after for _, after in requests(cloud, "coverage")][:3] == [None, "2", "4"]


async def test_what_is_uncovered_is_reached_from_the_overview_and_leads_to_the_server() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, "2 servers late; 39 of 40 servers in no active schedule")
        await type_line(pilot, ":coverage")
        await pilot.press("enter")
        await until(pilot, "39 in no schedule", "web-01")
        await pilot.press("enter")
        await until(pilot, "servers > web-01", "nightly 1", "the last good one")


async def test_the_calendar_shows_the_hours_of_the_zone_of_a_schedule() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("H")
        await until(pilot, "calendar > UTC", "nightly 1")
        await pilot.press("z")
        await until(pilot, "calendar > Europe/Berlin")
        await pilot.press("z")
        await until(pilot, "calendar > UTC")
        await type_line(pilot, ":calendar Europe/Berlin")
        await pilot.press("enter")
        await until(pilot, "calendar > Europe/Berlin")
        assert app.main.place.scope == "Europe/Berlin"


async def test_a_zone_that_there_is_not_is_said_to_be_none_and_asked_for_once() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("H")
        await until(pilot, "nightly 1")
        await type_line(pilot, ":calendar Nowhere")
        await pilot.press("enter", "G")
        await until(pilot, "no hours of Nowhere yet")
        app.main.feed.wake()
        await pilot.pause()

        assert requests(cloud, "calendar").count(("calendar", "Nowhere")) == 1


async def test_storage_leads_to_the_backups_of_a_project() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("Q")
        await until(pilot, "shop", "80%")
        await pilot.press("d")
        await until(pilot, "storage > shop", "grows to", "full in")
        await pilot.press("escape", "enter")
        await until(pilot, "storage > shop > backups")
        assert "there is no backup of it" in await until(pilot, "sort newest")
        assert bar(app, "keys")


async def test_a_key_that_is_typed_before_the_rows_of_a_list_have_come_waits_for_them() -> None:
    async with an_app(FakeCloud()).run_test(size=(100, 30)) as pilot:
        await until(pilot, "overview", "cell-1")
        type_at_once(app_of(pilot), "Q", "enter")
        await until(pilot, "storage > shop > backups")
        type_at_once(app_of(pilot), "b", "d")
        await until(pilot, "schedules > nightly 1", "describe")
