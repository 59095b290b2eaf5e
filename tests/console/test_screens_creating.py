"""Stories of making drives and servers, from the list's own key and from the menu."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.screens.forms import Form
from console.widgets.box import Box
from tests.console.fakes import GIB, FakeCloud, an_app
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


def form_of(pilot: Pilot[Any]) -> str:
    form = app_of(pilot).screen
    assert isinstance(form, Form)
    return form.query_one(Box).text


async def agree(pilot: Pilot[Any], *words: str) -> None:
    """Press the button of the dialog that says what it comes to."""
    await until(pilot, "[ cancel ]", "preview 0s old", *words)
    await pilot.press("tab", "enter")


async def test_an_empty_fleet_says_which_key_makes_a_drive_and_it_does() -> None:
    cloud = FakeCloud(drives=[])
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "no drives yet   + creates one")
        await pilot.press("plus")
        await until(pilot, "Create a drive")
        await type_line(pilot, "data-01")
        await pilot.press("tab")
        await type_line(pilot, "20G")
        await pilot.press("tab", "right", "tab", "right", "enter")
        await agree(pilot, "SIZE        20 GiB; the project has")
        await until(pilot, "data-01 is being made on c1-s01")

        (_, body, key), = requests(cloud, "create_drive")  # fmt: skip
        assert body == {"name": "data-01", "size_bytes": 20 * GIB, "media": "cdrom", "cell": "cell-1"}
        assert len(key) == 32


async def test_a_server_is_made_backfilling_behind_x_of_an_empty_list() -> None:
    cloud = FakeCloud(servers=[])
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "no servers yet   + creates one")
        await pilot.press("x")
        await until(pilot, "servers   actions", "create server …", "off: nothing is under the")
        await pilot.press("N")
        await until(pilot, "Create a server")
        await type_line(pilot, "crawl")
        await pilot.press("tab")
        await type_line(pilot, "4 GHz")
        await pilot.press("tab")
        await type_line(pilot, "8G")
        await pilot.press("tab", "right", "enter")
        await until(pilot, "Create crawl", "PLACEMENT", "c1-h02", "SHRINKS", "render-31", "[ create ]")
        assert requests(cloud, "create_server") == []
        await pilot.press("tab", "enter")
        await until(pilot, "crawl is there, stopped, in cell-1; /crawl finds it")

        body = {"name": "crawl", "cpu_mhz": 4_000, "memory_bytes": 8 * GIB, "is_backfilling": True}
        assert [request[1] for request in requests(cloud, "create_server")] == [body]


async def test_what_is_wrong_is_said_and_stays_to_be_mended() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        await pilot.press("plus")
        await until(pilot, "Create a drive")
        await pilot.press("enter")
        assert "a name is needed" in form_of(pilot)
        await type_line(pilot, "data")
        await pilot.press("enter")
        assert "a size is needed; type a number and its unit, such as 20G" in form_of(pilot)
        await type_line(pilot, "20")
        await pilot.press("enter")
        assert "20 is not a size" in form_of(pilot)
        assert requests(cloud, "create_drive") == []

        await type_line(pilot, "G")
        await pilot.press("enter")
        await agree(pilot)
        await until(pilot, "data is being made")


async def test_a_refusal_keeps_what_was_typed_and_the_same_request_keeps_its_key() -> None:
    cloud = FakeCloud(refusal=ClientError("Over quota: storage needs 20.0 GiB, 3.0 GiB left.", "over_quota", False))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        await pilot.press("plus")
        await until(pilot, "Create a drive")
        await type_line(pilot, "data")
        await pilot.press("tab")
        await type_line(pilot, "20G")
        await pilot.press("enter")
        await agree(pilot)
        await until(pilot, "Over quota: storage needs 20.0 GiB, 3.0 GiB left.")
        await pilot.press("enter")
        await agree(pilot)
        await until(pilot, "Over quota")
        cloud.refusal = None
        await pilot.press("backspace", "backspace")
        await type_line(pilot, "G")
        await pilot.press("enter")
        await agree(pilot)
        await until(pilot, "data is being made")

        keys = [request[2] for request in requests(cloud, "create_drive")]
        assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False), "another request is another key"


@pytest.mark.parametrize(("view", "empty"), [("1", "no servers yet"), ("2", "no drives yet")])
async def test_nothing_is_made_in_read_only_and_the_reason_is_said(view: str, empty: str) -> None:
    cloud = FakeCloud(servers=[], drives=[])
    app = an_app(cloud, is_read_only=True)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(view)
        text = await until(pilot, empty)
        assert "+ creates one" not in text
        await pilot.press("plus")
        await until(pilot, " is off: read-only")
        await pilot.press("x")
        await until(pilot, "off: read-only")


async def test_esc_makes_nothing() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("plus")
        await until(pilot, "Create a server")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was made")

        assert requests(cloud, "create_server") == []


async def test_what_is_typed_right_after_the_key_is_for_the_dialog() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        type_at_once(app, "plus", *"jx-1")
        await until(pilot, "Create a server", "jx-1")


@pytest.mark.parametrize("size", [(40, 10), (60, 16), (80, 24)])
async def test_the_dialog_fits_every_size(size: tuple[int, int]) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=size) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("plus")
        await until(pilot, "Create a server", "name", "memory")
        await pilot.press("tab", "tab", "tab", "tab")
        await until(pilot, "cell", "< any >")
        assert bar(app, "header")


async def test_floors_and_servers_to_avoid_are_asked_for_and_sent() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("plus")
        await until(pilot, "Create a server")
        await type_line(pilot, "render")
        for text in ("4000", "8G"):
            await pilot.press("tab")
            await type_line(pilot, text)
        await pilot.press("tab", "right", "tab", "tab")
        await type_line(pilot, "0.5")
        await pilot.press("tab", "tab")
        await type_line(pilot, "nobody")
        await pilot.press("enter")
        await until(pilot, "no server is called nobody")
        await pilot.press("ctrl+u")
        await type_line(pilot, "mail-37")
        await pilot.press("enter")
        await until(pilot, "[ create ]")
        await pilot.press("tab", "enter")
        await until(pilot, "render is there")

        ((_, body, _),) = requests(cloud, "create_server")
        mail = next(server.id for server in cloud.servers if server.name == "mail-37")
        assert (body["is_backfilling"], body["cpu_floor"], body["avoid"]) == (True, 0.5, [mail])
        assert "memory_floor" not in body


async def test_limits_are_shown_and_checked_in_place_and_the_plan_leads_back_to_the_form() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "mail-37")
        await pilot.press("plus")
        await until(pilot, "Create a server")
        type_at_once(app, *"web", "tab", *"200GHz", "tab", *"8G", "enter")
        await until(pilot, "200GHz is more than the most, 96 GHz")
        assert requests(cloud, "preview_creation") == []
        type_at_once(app, "ctrl+u")
        await until(pilot, "250 MHz to 96 GHz; the project has 40 GHz left;")
        type_at_once(app, *"2GHz", "enter")
        await until(pilot, "web is made in cell-1 and stays stopped", "[ create ]")
        await pilot.press("escape")
        await until(pilot, "2GHz")
        assert isinstance(app.screen, Form)
        cloud.refusal = ClientError("cpu must be between 250 and 96000", "invalid", False)
        await pilot.press("enter")
        await until(pilot, "cpu must be between 250 and 96000")
        await pilot.press("tab", "enter")
        await until(pilot, "2GHz")
        await pilot.press("escape")
        await until(pilot, "esc again throws away what was typed")
        await pilot.press("down", "escape")
        await until(pilot, "esc again throws away what was typed")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was made")

        assert requests(cloud, "create_server") == []


async def test_a_drive_begins_as_an_image_and_avoids_the_hosts_of_others() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        await pilot.press("plus")
        await until(pilot, "Create a drive")
        type_at_once(app, *"boot", "tab", *"12G", "tab", "tab", "tab", "right", "tab", *"spare-92,nobody", "enter")
        await until(pilot, "debian-12, 10 GiB", "no drive or server is called nobody")
        await pilot.press("ctrl+o")
        await until(pilot, "avoid:", "tab add or take back", "1.  spare-92")
        type_at_once(app, *"web-01", "tab")
        await until(pilot, "1.  spare-92", "2.  web-01")
        await pilot.press("enter")
        await until(pilot, "spare-92, web-01", "ctrl+o pick")
        await pilot.press("enter")
        await agree(pilot, "AWAY FROM   spare-92, then web-01")
        await until(pilot, "boot is being made")

        ((_, body, _),) = requests(cloud, "create_drive")
        assert (body["image"], body["avoid"]) == ("img-1", [cloud.drives[6].id, cloud.servers[0].id])
