"""Stories of editing, resizing, interfaces and snapshots, by keyboard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.presentation.mirror import Mirror
from console.records import PlanRecord
from console.screens import nic_verbs, objects, shaping_verbs, snapshot_verbs
from console.screens.asking import Ask
from console.screens.dialogs import Confirmation
from console.screens.forms import Form
from console.widgets.box import Box
from tests.console.fakes import GIB, FakeCloud, a_drive, an_app
from tests.console.stories import app_of, requests, type_at_once, until

pytestmark = pytest.mark.anyio

REFUSAL = ClientError("It has changed: you saw version 1, it is at 2 now. Look again.", "conflict", False)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def choose(pilot: Pilot[Any], view: str, name: str, letter: str) -> None:
    """The verb with this letter, of the server or drive with this name."""
    await find(pilot, view, name)
    await pilot.press("x", letter)


async def find(pilot: Pilot[Any], view: str, name: str) -> None:
    await pilot.press(view)
    await until(pilot, "mail-37" if view == "1" else "spare-91")
    type_at_once(app_of(pilot), "slash", *name, "enter")
    await until(pilot, f"/{name}")


async def type_line(pilot: Pilot[Any], text: str) -> None:
    """As a fast hand does, which is cheaper than one key after the other."""
    type_at_once(app_of(pilot), *text)
    await pilot.pause()


def box_of(pilot: Pilot[Any], kind: type[Form | Ask | Confirmation]) -> str:
    screen = app_of(pilot).screen
    assert isinstance(screen, kind)
    return screen.query_one(Box).text


def server_id(cloud: FakeCloud, name: str) -> str:
    return next(server.id for server in cloud.servers if server.name == name)


# Editing -------------------------------------------------------------------------------------------------------------


async def test_only_what_was_changed_of_a_server_is_sent_with_the_version_that_was_seen() -> None:
    cloud = FakeCloud()
    cloud.servers[0] = replace(cloud.servers[0], name="web-01", tags=("web",), meta={"env": "test", "a": "b, c"})

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "1", "web-01", "e")
        await until(pilot, "Edit web-01", 'env=test, a="b, c"')
        await pilot.press("tab")
        await type_line(pilot, ", db")
        await pilot.press("tab", "home", *["delete"] * 8)
        await type_line(pilot, "env=prod")
        await pilot.press("enter")
        await until(pilot, "web-01: tags and meta changed")

        fields = (("tags", ["web", "db"]), ("meta", {"env": "prod", "a": "b, c"}))
        assert requests(cloud, "act") == [("act", "server", cloud.servers[0].id, "edit", 1, (), *fields)]


async def test_a_wrong_line_and_a_refusal_leave_the_form_with_its_text() -> None:
    cloud = FakeCloud(refusals=[REFUSAL])

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "2", "spare-91", "e")
        await until(pilot, "Edit spare-91", "env=prod")
        await pilot.press("enter")
        await until(pilot, "nothing was changed; esc leaves it as it is")
        await pilot.press("tab", "tab")
        await type_line(pilot, ", owner")
        await pilot.press("enter")
        await until(pilot, "owner has no value; type key=value")
        assert requests(cloud, "act") == []
        await type_line(pilot, "=me")
        await pilot.press("enter")
        await until(pilot, "It has changed: you saw version 1", "env=prod, owner=me")
        await pilot.press("enter")
        await until(pilot, "spare-91: meta changed")

        assert [request[6:] for request in requests(cloud, "act")] == [(("meta", {"env": "prod", "owner": "me"}),)] * 2


# Sizes of what there is ----------------------------------------------------------------------------------------------


async def test_a_stopped_server_is_resized_within_its_limits_after_what_it_comes_to_was_shown() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "1", "db-25", "z")
        await until(pilot, "Resize db-25", "4 GHz", "8 GiB", "250 MHz to 96 GHz; the project has 40 GHz left")
        await pilot.press("ctrl+u")
        await type_line(pilot, "100 GHz")
        await pilot.press("enter")
        await until(pilot, "100 GHz is more than the most, 96 GHz")
        await pilot.press("ctrl+u")
        await type_line(pilot, "6 GHz")
        await pilot.press("enter")
        await until(pilot, "4.0 GHz and 8 GiB -> 6.0 GHz and 8 GiB", "[ resize ]")
        await pilot.press("escape")
        await until(pilot, "6 GHz")
        assert isinstance(app_of(pilot).screen, Form)
        await pilot.press("enter")
        await until(pilot, "[ resize ]")
        await pilot.press("tab", "enter")
        await until(pilot, "db-25 has 4.0 GHz and 8 GiB now")

        id = server_id(cloud, "db-25")
        assert requests(cloud, "act") == [("act", "server", id, "resize", 1, (), ("cpu_mhz", 6_000))]


async def test_a_refused_size_has_no_button() -> None:
    cloud = FakeCloud(plan=PlanRecord("resize", "", is_allowed=False, problem="over quota: cpu"))

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "1", "db-25", "z")
        await until(pilot, "Resize db-25")
        await pilot.press("ctrl+u", "9", "g", "enter")
        await until(pilot, "over quota: cpu", "off: refused")
        await pilot.press("tab", "enter")

        assert requests(cloud, "act") == []


async def test_a_drive_grows_and_the_form_shows_what_there_is_left() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "2", "spare-91", "z")
        text = await until(pilot, "Resize spare-91", "20 GiB and only grows")
        assert "100 GiB left" in text
        assert "room for 600 GiB" in " ".join(box_of(pilot, Form).split())
        await pilot.press("ctrl+u")
        await type_line(pilot, "10G")
        await pilot.press("enter")
        await until(pilot, "10G is not more than the 20 GiB that it has")
        await pilot.press("ctrl+u")
        await type_line(pilot, "40G")
        await pilot.press("enter")
        await until(pilot, "20 GiB -> 40 GiB", "cannot be taken back", "[ cancel ]")
        await pilot.press("tab", "enter")
        await until(pilot, "spare-91 is growing to 40 GiB")

        fields = ("size_bytes", 40 * GIB)
        assert requests(cloud, "act") == [("act", "drive", a_drive(91).id, "resize", 1, (), fields)]


# Network interfaces --------------------------------------------------------------------------------------------------


async def test_a_static_interface_with_a_free_address_and_a_policy_is_attached() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "1", "db-25", "n")
        await until(pilot, "Attach a NIC to db-25", "< dhcp >")
        await pilot.press("right", "tab", "right", "tab", "tab", "right")
        await until(pilot, "static", "198.18.0.3", "< web [b]rules[/] (f0000001) >")
        await pilot.press("enter")
        await until(pilot, "22:aa:00:00:00:03 attached, static   198.18.0.3")

        body = {"configuration": "static", "address": "198.18.0.3", "policy_id": "f0000001-0000-4000-8000-000000000000"}
        assert requests(cloud, "attach_nic") == [("attach_nic", server_id(cloud, "db-25"), body)]


async def test_the_page_of_a_server_lists_its_interfaces_and_one_is_detached_there() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await find(pilot, "1", "db-25")
        await pilot.press("enter")
        await until(pilot, "NICs", "dhcp   100.64.0.2   firewall web [b]rules[/]", "VLAN 1e8a6100")
        await pilot.press("x", "d")
        await until(pilot, "which one", "22:aa:00:00:00:01", "22:aa:00:00:00:02")
        await type_line(pilot, "vlan")
        await pilot.press("enter")
        await until(pilot, "Detach 22:aa:00:00:00:02 from db-25", "[ detach ]")
        await pilot.press("tab", "enter")
        await until(pilot, "22:aa:00:00:00:02 detached")

        assert [request[2] for request in requests(cloud, "detach_nic")] == ["22:aa:00:00:00:02"]
        text = await until(pilot, "100.64.0.2")
        assert "VLAN 1e8a6100" not in text, "the page asks again"


# Snapshots -----------------------------------------------------------------------------------------------------------


async def test_a_snapshot_is_taken_and_its_refusal_keeps_the_name() -> None:
    cloud = FakeCloud(refusal=ClientError("Over quota: snapshots of the drive", "over_quota", False))

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "2", "spare-91", "s")
        await until(pilot, "Take a snapshot of spare-91", "spare-91-20261120-1200")
        await pilot.press("ctrl+u")
        await type_line(pilot, "mine")
        await pilot.press("enter")
        await until(pilot, "Over quota: snapshots", "mine")
        cloud.refusal = None
        await pilot.press("enter")
        await until(pilot, "spare-91: snapshot mine is being taken")

        body = {"name": "mine", "tags": []}
        assert requests(cloud, "take_snapshot") == [("take_snapshot", a_drive(91).id, body)] * 2


async def test_the_page_of_a_drive_shows_its_snapshots_and_one_becomes_a_drive_apart() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await find(pilot, "2", "spare-91")
        await pilot.press("enter")
        await until(pilot, "snapshots", "before [red]upgrade", "nightly", "env=prod")
        await pilot.press("x", "p")
        await until(pilot, "which one", "nightly")
        await type_line(pilot, "night")
        await pilot.press("enter")
        await until(pilot, "away from", "itself, on c1-s01")
        await pilot.press("tab", "enter")
        await until(pilot, "nightly-clone", "20 GiB")
        await pilot.press("enter")
        await until(pilot, "nightly-clone is being made of nightly on c1-s02")

        fields = {"avoid": [a_drive(91).id], "name": "nightly-clone", "size_bytes": 20 * GIB}
        assert requests(cloud, "act_on_snapshot") == [("act_on_snapshot", "51", "clone", fields)]


async def test_a_snapshot_is_deleted_only_by_its_name() -> None:
    cloud = FakeCloud()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "2", "spare-91", "P")
        await until(pilot, "which one")
        await pilot.press("down", "enter")
        await until(pilot, "LOSES", "type nightly to delete")
        await type_line(pilot, "nightly")
        await pilot.press("enter")
        await until(pilot, "snapshot nightly deleted")

        assert requests(cloud, "act_on_snapshot") == [("act_on_snapshot", "51", "delete", {"if_version": 1})]


async def test_without_snapshots_there_is_nothing_to_choose() -> None:
    cloud = FakeCloud()
    cloud.snapshots = ()

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await choose(pilot, "2", "spare-91", "P")
        await until(pilot, "spare-91 has no snapshots; x s takes one")


def test_every_verb_that_asks_in_a_form_can_be_copied_as_a_request() -> None:
    verbs = sorted(shaping_verbs.IDS | nic_verbs.IDS | snapshot_verbs.IDS)
    copied = {verb: objects.curl_of_form(Mirror(), f"{verb.partition('.')[0]}:ID", verb) for verb in verbs}

    for verb, text in copied.items():
        assert text.startswith(("curl -sS -X POST ", "curl -sS -X DELETE ")), verb
        assert "{}" not in text.rpartition('"')[2], verb
    assert copied["drive.snapshot"].endswith('"$STRATODECK_URL"/ops/v1/drives/ID/snapshots')


# Sizes of the terminal ------------------------------------------------------------------------------------------------


async def test_the_forms_fit_the_smallest_terminal() -> None:
    async with an_app(FakeCloud()).run_test(size=(40, 10)) as pilot:
        await choose(pilot, "1", "db-25", "n")
        await until(pilot, "Attach a NIC", "< dhcp >")
        await pilot.press("escape", "x", "e")
        await until(pilot, "Edit db-25", "what to call it")
        await pilot.press("tab", "tab")
        await until(pilot, "meta", "key=value")
        await pilot.press("escape", "x", "z")
        await until(pilot, "Resize db-25", "250 MHz to 96 GHz")
