"""Stories of several clouds in one console: switching, listing them together, and acting across them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from textual.message import Message
from textual.pilot import Pilot

from console.client import ClientError, CloudClient
from console.presentation.mirror import Mirror
from console.records_rehearsal import RehearsalRecord
from console.screens.feed import Answered, Feed
from tests.console.fake_clouds import NamedCloud, a_context, an_app_of, two_clouds
from tests.console.fakes import FakeCloud, ManualClock, an_app, screen_text
from tests.console.stories import bar, requests, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def switch(pilot: Pilot[Any], name: str, *words: str) -> str:
    await pilot.press("C")
    await until(pilot, "clouds", "go there")
    await type_line(pilot, name)
    await pilot.press("enter")
    return await until(pilot, *words)


async def list_all(pilot: Pilot[Any], line: str, *words: str) -> str:
    await type_line(pilot, f":{line}")
    await pilot.press("enter")
    return await until(pilot, *words)


# ---------------------------------------------------------------------------------------------------------- switching


async def test_c_goes_to_another_cloud_and_each_is_as_it_was_left() -> None:
    choice = two_clouds(landing_view="servers", colour="blue")
    app = an_app_of(choice)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, " lab ", "NEEDS ATTENTION")
        await type_line(pilot, ":servers /web")
        await pilot.press("enter", "j", "j")
        await until(pilot, "24 of 40")
        left = app.main.cursor_key
        lab = app.main

        await switch(pilot, "pro", " prod ", "prod-web-01")
        assert app.main is not lab
        assert app.main.has_class("-colour-blue")
        assert app.main.place.view == "servers"
        assert "lab-web" not in screen_text(app)

        await switch(pilot, "lab", "lab-web-03", "24 of 40")
        assert (app.main, app.main.cursor_key, app.main.place.filter) == (lab, left, "web")
        await pilot.press("escape")
        await until(pilot, "lab-mail-37")


async def test_from_a_rehearsal_one_goes_back_to_the_cloud_that_was_in_sight() -> None:
    app = an_app_of(two_clouds(), mistakes_of=lambda _name: ())
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, " lab ", "NEEDS ATTENTION")
        await switch(pilot, "prod", " prod ", "NEEDS ATTENTION")
        await type_line(pilot, ":rehearse right.toml")
        await pilot.press("enter")
        await pilot.pause()
    assert (app.rehearsal_wanted, app.rehearsed_from) == (("right.toml", 60.0), "prod")

    choice = two_clouds(is_read_only=True)
    again = an_app_of(choice, begins_at=app.rehearsed_from)
    async with again.run_test(size=(100, 24)) as pilot:
        shown = await until(pilot, " prod ", "READ-ONLY", "NEEDS ATTENTION")

    assert choice.opened == ["lab", "prod"]
    assert " lab " not in shown.splitlines()[0]


async def test_c_and_enter_go_back_and_forth() -> None:
    app = an_app_of(two_clouds())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        for name in ("prod", "lab", "prod"):
            await pilot.press("C")
            await until(pilot, "go there")
            await pilot.press("enter")
            await until(pilot, f" {name} ", "NEEDS ATTENTION")
            assert app.main.name_of_cloud == name


async def test_the_dialog_says_how_each_cloud_is_and_what_is_typed_narrows_it() -> None:
    choice = two_clouds(is_production=True, is_read_only=True)
    choice.contexts = (*choice.contexts, a_context("far-away"))
    choice.clouds["prod"].outage = ClientError("connection refused", "no_answer", True)
    app = an_app_of(choice)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("C")
        text = await until(pilot, "connected", "not tried")
        assert "PROD RO" in text
        assert "not tried" in text

        await type_line(pilot, "far")
        text = await until(pilot, "1 of 3")
        assert "lab.example" not in text
        await pilot.press("enter")
        # What cannot be opened is said, and one stays where one is.
        await until(pilot, "far-away: nobody knows how", " lab ")


async def test_with_one_cloud_c_says_how_there_would_be_more() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("C")
        await until(pilot, "this is the only cloud")
        await list_all(pilot, "servers @all", "this is the only cloud")


async def test_in_a_rehearsal_c_says_how_one_goes_back() -> None:
    app = an_app(FakeCloud(rehearsed=RehearsalRecord("A test", 7200, "", 0.1, False)), landing_view="rehearsal")

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "10% of its time", ":q leaves it, and goes back")
        await pilot.press("C")
        await until(pilot, "a rehearsal has a cloud of its own, and knows no other")


async def test_a_cloud_that_hangs_holds_up_neither_the_key_nor_the_other_cloud() -> None:
    choice = two_clouds()
    choice.clouds["lab"].gate.clear()
    app = an_app_of(choice)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, " lab ")
        await switch(pilot, "prod", " prod ", "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "prod-web-01")
        await switch(pilot, "lab", " lab ")
        assert app.main.mirror.cells is None

        choice.clouds["lab"].gate.set()
        await until(pilot, "NEEDS ATTENTION")


async def test_a_cloud_out_of_sight_is_asked_seldom_and_at_once_when_it_comes_back() -> None:
    cloud, mirror = FakeCloud(), Mirror()

    def take(message: Message) -> None:
        nonlocal mirror
        if isinstance(message, Answered):
            mirror = mirror.apply(message.answer, message.at)
            message.taken.set()

    async def connect() -> CloudClient:
        return cloud

    async def asked() -> int:
        before = len(cloud.requests)
        for _ in range(200):
            await asyncio.sleep(0)
        return len(cloud.requests) - before

    feed = Feed(connect, take, wall_now=ManualClock(), mirror=lambda: mirror, wanted=frozenset, poll_seconds=0)
    loops = [asyncio.ensure_future(each()) for each in (feed.beat, feed.follow)]
    try:
        assert await asked() > 5
        feed.rest(is_resting=True)
        # What is under way is ended.
        cloud.push()
        await asked()
        assert await asked() == 0
        feed.rest(is_resting=False)
        assert await asked() > 5
    finally:
        for loop in loops:
            loop.cancel()


async def test_the_cloud_in_sight_is_asked_and_the_others_rest_unless_all_are_listed() -> None:
    app = an_app_of(two_clouds())

    def resting() -> set[str]:
        opened = [app.clouds.opened(name) for name in app.clouds.names]
        return {each.name_of_cloud for each in opened if each is not None and each.feed.is_resting}

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await switch(pilot, "prod", " prod ", "NEEDS ATTENTION")
        assert resting() == {"lab"}
        await list_all(pilot, "servers @all", "80")
        assert resting() == set()
        await pilot.press("escape")
        assert resting() == {"lab"}


async def test_keys_and_r_in_a_list_of_all_clouds_are_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(NamedCloud, "hurry", lambda cloud: asked.append(f"r {cloud.name}"))
    monkeypatch.setattr(NamedCloud, "attend", lambda cloud, *, is_watched: asked.append(f"{is_watched} {cloud.name}"))
    app = an_app_of(two_clouds())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all", "80")
        asked.clear()
        await pilot.press("r")

        assert sorted(asked) == ["True lab", "True prod", "r lab", "r prod"]


async def test_bookmarks_of_two_clouds_with_one_id_are_two() -> None:
    app = an_app_of(two_clouds())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1", "m", "a")
        await until(pilot, "comes back to servers")
        await switch(pilot, "prod", " prod ", "NEEDS ATTENTION")
        await pilot.press("apostrophe")
        await until(pilot, "no bookmarks of this cloud yet")


# ------------------------------------------------------------------------------------------------------ all in one


async def test_all_lists_the_servers_of_every_cloud_that_needs_no_starting() -> None:
    choice = two_clouds()
    choice.clouds["far"] = NamedCloud(name="far")
    choice.contexts = (*choice.contexts, a_context("far"))
    choice.far = frozenset({"far"})
    app = an_app_of(choice)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        text = await list_all(pilot, "servers @all", "80", "far", "not opened")

        assert "all clouds > servers" in text
        assert choice.opened == ["lab", "prod"]
        await type_line(pilot, "/cloud:prod web-01")
        await until(pilot, "1 of 80", "prod-web-01")


async def test_a_dead_cloud_keeps_its_rows_with_their_age_and_blocks_no_other() -> None:
    clock, choice = ManualClock(), two_clouds()
    app = an_app_of(choice, clock)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all", "80")
        choice.clouds["prod"].fall_silent()
        clock.advance(185)
        app.main.clouds.wake(app.main)
        text = await until(pilot, "silent since 12:00:00", "3m")
        assert "40 servers" in text

        lab = choice.clouds["lab"]
        lab.push(replace(lab.servers[0], name="lab-renamed", version=2))
        await type_line(pilot, "/renamed")
        await until(pilot, "1 of 80", "lab-renamed")


async def test_enter_on_a_row_of_another_cloud_opens_it_there_and_esc_comes_back() -> None:
    choice = two_clouds()
    app = an_app_of(choice)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all /prod-db-25", "1 of 80")
        await pilot.press("g", "enter")
        await until(pilot, " prod ", "prod-db-25")
        assert (app.main.name_of_cloud, app.main.place.view) == ("prod", "detail")

        await pilot.press("escape")
        await until(pilot, "all clouds > servers", "1 of 80")
        assert app.main.name_of_cloud == "lab"


async def test_a_verb_goes_to_the_cloud_of_the_row() -> None:
    choice = two_clouds()
    app = an_app_of(choice)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all /prod-db-25", "1 of 80")
        await pilot.press("g", "x")
        await until(pilot, "prod-db-25 of prod   actions")
        await pilot.press("s")
        await until(pilot, "[ start ]")
        await pilot.press("tab", "enter")
        await until(pilot, "prod: prod-db-25: starting on c1-h02")

    lab, prod = choice.clouds["lab"], choice.clouds["prod"]
    assert [request[2] for request in requests(prod, "act")] == [prod.servers[24].id]
    assert not requests(lab, "act")


async def test_a_read_only_cloud_refuses_in_a_list_with_others_too_and_the_frame_says_so() -> None:
    choice = two_clouds(is_read_only=True, is_production=True)
    app = an_app_of(choice)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all /db-25", "2 of 80")
        await pilot.press("g")
        assert " lab " in bar(app, "header")
        assert not app.main.has_class("-production")
        await pilot.press("j")
        assert "prod PROD READ-ONLY" in bar(app, "header")
        assert app.main.has_class("-production")
        await pilot.press("x")
        await until(pilot, "off: read-only")
        await pilot.press("s")
        await until(pilot, "start is off: read-only")

    assert not requests(choice.clouds["prod"], "act")


async def test_marked_rows_of_two_clouds_are_acted_on_one_cloud_at_a_time() -> None:
    choice = two_clouds()
    app = an_app_of(choice)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "servers @all /db-25", "2 of 80")
        await pilot.press("a", "x")
        await until(pilot, "2 servers   actions", "off: one cloud at a time")
        await pilot.press("escape")
        await type_line(pilot, "/ cloud:lab")
        await pilot.press("enter", "x")
        await until(pilot, "lab-db-25 of lab   actions", "1 marked row hidden by the filter")


async def test_what_waits_to_be_sent_is_taken_back_from_another_cloud_too() -> None:
    clock, choice = ManualClock(), two_clouds()
    app = an_app_of(choice, clock, undo_seconds=10)

    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await type_line(pilot, ":servers /db-25")
        await pilot.press("enter", "x", "s")
        await until(pilot, "[ start ]")
        await pilot.press("tab", "enter")
        await until(pilot, "start lab-db-25 of lab in 10 s")
        await switch(pilot, "prod", " prod ", "NEEDS ATTENTION")
        await pilot.press("u")
        await until(pilot, "lab: cancelled; nothing was sent")

    assert not requests(choice.clouds["lab"], "act")


async def test_other_lists_are_of_all_clouds_too() -> None:
    app = an_app_of(two_clouds())

    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        for number, view in ((9, "drives"), (3, "hosts"), (2, "cells")):
            await list_all(pilot, f"{view} @all", f"all clouds > {view}", "CLOUD", f"  {number} {view}  ")
            text = await until(pilot, f"sort state   {2 * number}")
            assert text.count(f"  {number} {view}  ") == 2


async def test_a_view_of_one_cloud_is_not_listed_of_all() -> None:
    app = an_app_of(two_clouds())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await list_all(pilot, "groups @all", "groups is of one cloud: @all lists cells, drives, hosts, servers")
        await list_all(pilot, "servers @cell-1", "cells > cell-1 > servers")
