"""Stories of where the room is: the map of capacity, and what-ifs."""

from __future__ import annotations

import pytest

from console.client import ClientError
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import requests, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_the_map_changes_between_cpu_and_memory_and_a_host_of_it_opens() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":capacity")
        await pilot.press("enter")
        await until(pilot, "FITS NOW", "GHz     %  SPLIT")
        await pilot.press("M")
        await until(pilot, "GiB     %  SPLIT")
        await pilot.press("G", "l", "enter")
        await until(pilot, "hosts > c1-h0", "LAYERS")
        await pilot.press("escape")
        await until(pilot, "GiB     %  SPLIT")


async def test_a_what_if_is_asked_while_one_types_and_makes_nothing() -> None:
    cloud = FakeCloud()
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":capacity")
        await pilot.press("enter")
        await until(pilot, "FITS NOW")
        await pilot.press("W")
        await until(pilot, "It finds a host.")
        assert requests(cloud, "what_if")[-1][1]["count"] == 1

        # What stands there is a suggestion: the first sign takes its place.
        await pilot.press("3")
        await until(pilot, "All 3 servers find a host.", "c1-h02")
        await pilot.press("backspace")
        await until(pilot, "nothing is no number from 1 to 50")
        await pilot.press("escape")
        await until(pilot, "FITS NOW", "SPLIT")

        assert {request[0] for request in cloud.requests} & {"act", "create_server"} == set()


async def test_a_field_of_a_what_if_that_one_comes_back_to_begins_anew_unless_one_moves_in_it() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":capacity")
        await pilot.press("enter")
        await until(pilot, "FITS NOW")
        await pilot.press("W")
        await until(pilot, "It finds a host.")
        await pilot.press("1", "2", "tab", "shift+tab", "end", "3")
        await until(pilot, "servers   123", "no number from 1 to 50")


async def test_a_refused_what_if_is_said_in_the_dialog() -> None:
    cloud = FakeCloud(refusal=ClientError("only staff may see the capacity", "forbidden", False))
    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":backfill")
        await pilot.press("enter", "W")
        await until(pilot, "only staff may see the capacity")


async def test_who_took_the_room_is_one_key_away() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":backfill")
        await pilot.press("enter")
        await until(pilot, "render-31")
        await pilot.press("o")
        await until(pilot, "servers > web-01")


async def test_a_group_is_of_servers_or_drives_of_hosts_or_cells_and_a_colliding_member_can_be_moved_apart() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":group web")
        await pilot.press("enter")
        await until(pilot, "COLLIDING", "3!")
        await pilot.press("M")
        await until(pilot, "1 storage host", "drives   1 of 1")
        await pilot.press("M", "F")
        await until(pilot, "1 cell  needs")
        await pilot.press("F", "tab")
        await until(pilot, "COLLIDING")
        await pilot.press("x")
        await until(pilot, "web-01   actions", "clone, start apart")


async def test_a_group_of_the_map_of_drives_opens_with_its_drives() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":groups")
        await pilot.press("enter")
        await until(pilot, "1   sort tolerates", "web")
        await pilot.press("M")
        await until(pilot, "drives   1   sort")
        await pilot.press("enter")
        await until(pilot, "groups > web", "1 storage host")
