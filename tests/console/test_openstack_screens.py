"""A real OpenStack in the console: views with what it has, sentences for what it does not, and verbs by keys."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot

from console.openstack.offer import offer
from console.presentation.lines import Frame
from console.presentation.mirror import Mirror
from console.records import Hello
from console.records_refused import Refused
from console.screens import views
from console.screens.places import Place
from tests.console.drawn import body
from tests.console.fakes import NOON, screen_text
from tests.console.opened import Opened, a_nova
from tests.console.real_nova import RealNova, a_console
from tests.console.stories import bar, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def goes_to(pilot: Pilot[Any], view: str) -> None:
    await type_line(pilot, f":{view}")
    await pilot.press("enter")


async def test_servers_hosts_services_and_groups_are_shown_and_a_silent_cell_leaves_its_rows() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(120, 30)) as pilot:
        await until(pilot, "nova", "web", "run 3", "stop 2")
        assert "prod" in bar(opened.app, "header")
        assert "/30 req/min" in bar(opened.app, "header")
        await pilot.press("1")
        await until(pilot, "one-00", "c1-host1", "two-01")
        await goes_to(pilot, "hosts")
        await until(pilot, "c2-host1", "32.0")
        await goes_to(pilot, "groups")
        await until(pilot, "web", "2 members", "1 collision")
        await goes_to(pilot, "services")
        await until(pilot, "nova-compute", "nova-scheduler", "central")

        opened.nova.silent.add("two")
        opened.timer.pass_by(31)
        await goes_to(pilot, "servers")
        await until(pilot, "UNKNOWN two-00", "UNKNOWN in nova: 2 servers are shown as last known")
        await goes_to(pilot, "services")
        await until(pilot, "UNKNOWN nova-compute", "last known up")
        await goes_to(pilot, "hosts")
        await until(pilot, "UNKNOWN c2-host1")
        await goes_to(pilot, "cells")
        text = await until(pilot, "▲ part", "Nova tells no client of its cells", "2 of 5 servers and 1 of 2 hosts")
        assert "1 of 1 zone degraded" in text

        opened.nova.silent.clear()
        opened.timer.pass_by(31)
        await goes_to(pilot, "servers")
        await until(pilot, "stopped two-00")
        await until(pilot, "1 group at risk")


@pytest.mark.parametrize(("source", "said"), [("tasks", "…"), ("hosts", "os-hypervisors is not for this account")])
def test_only_what_the_account_may_not_see_stands_for_rows_that_are_on_their_way(source: str, said: str) -> None:
    mirror = Mirror().apply(Hello("id", "prod", "Nova 2.71", offer=offer()), NOON)
    mirror = mirror.apply(Refused(source, "os-hypervisors is not for this account"), NOON)

    found = views.make(Place("groups"), mirror, Frame(width=200, height=24, now=NOON, wall_now=NOON), {})

    assert [line.strip() for line in body(found)][1:] == [said]


@pytest.mark.parametrize(("view", "sentence"), offer().views.items())
def test_a_view_that_it_has_nothing_for_says_so_and_wants_nothing_for_it(view: str, sentence: str) -> None:
    mirror = Mirror().apply(Hello("id", "prod", "Nova 2.71", offer=offer()), NOON)
    place = Place(view, "one-id-0000" if view == "why" else None)

    found = views.make(place, mirror, Frame(width=200, height=24, now=NOON, wall_now=NOON), {})

    assert sentence in " ".join(" ".join(line.split()) for line in body(found)).strip()
    assert views.wanted(place, mirror) == frozenset()
    assert views.asking(a_console(RealNova()).client, mirror, place) is None


async def test_verbs_that_it_does_not_have_are_off_with_the_reason_and_views_say_what_they_lack() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(100, 36)) as pilot:
        await until(pilot, "run 3")
        await goes_to(pilot, "servers /two-00")
        await pilot.press("x")
        text = await until(pilot, "two-00   actions", "off: Nova has no clones", "off: volumes are Cinder's")
        assert "y  reboot" in text
        (delete,) = [line for line in text.splitlines() if "D  delete " in line]
        assert "off" not in delete
        await pilot.press("escape")
        await goes_to(pilot, "cells")
        await pilot.press("x")
        await until(pilot, "off: it is a real cloud")
        await pilot.press("escape")
        await goes_to(pilot, "drives")
        await until(pilot, "Nova has no drives.")
        await goes_to(pilot, "capacity")
        await pilot.press("W")
        await until(pilot, "what if is off: Nova computes no plan")


async def test_start_is_sent_after_it_was_agreed_to_without_a_plan() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(100, 36)) as pilot:
        await until(pilot, "run 3")
        await goes_to(pilot, "servers /two-00")
        await pilot.press("x")
        await until(pilot, "two-00   actions")
        await pilot.press("s")
        await until(pilot, "Nova computes no plan")
        await pilot.press("tab", "enter")
        await until(pilot, "start accepted")

        sent = [request for request in opened.nova.asked if request.method == "POST"]
        assert [(each.url.path, each.content) for each in sent] == [
            ("/v2.1/servers/two-id-0000/action", b'{"os-start":null}')
        ]
        assert "busy" not in bar(opened.app, "header"), "there is no room for the word"


async def test_a_server_is_made_of_what_the_cloud_has() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(100, 36)) as pilot:
        await until(pilot, "run 3", "1 group at risk")
        await pilot.press("1")
        await until(pilot, "one-00")
        await pilot.press("plus")
        await until(pilot, "m1.small: 1 vCPU, 2 GiB", "debian, 1 GiB", "network")
        await type_line(pilot, "new-1")
        await pilot.press("tab", "tab", "tab", "right", "tab", "right", "enter")
        await until(pilot, "Create new-1", "m1.small: 1 vCPU", "ZONE", "APART FROM", "Nova computes no plan")
        await pilot.press("tab", "enter")
        await until(pilot, "new-1 is being made")

        made = next(request for request in opened.nova.asked if request.method == "POST")
        assert made.content == (
            b'{"server":{"name":"new-1","flavorRef":"1","imageRef":"img","networks":"auto","availability_zone":"nova"},'
            b'"os:scheduler_hints":{"group":"g"}}'
        )


async def test_a_list_that_never_answers_blocks_no_key_and_ages() -> None:
    opened = Opened(a_nova())
    released = asyncio.Event()

    async def hangs(request: httpx.Request) -> httpx.Response:
        if is_hanging and "/servers" in request.url.path and request.method == "GET":
            await released.wait()
        return opened.nova.answer(request)

    is_hanging = False
    client: Any = opened.client
    client._compute._http = httpx.AsyncClient(transport=httpx.MockTransport(hangs))

    async with opened.app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "run 3")
        is_hanging = True
        opened.timer.pass_by(40)
        await pilot.press("1")
        await until(pilot, "one-00")
        await pilot.press("j", "j")
        assert opened.app.main.cursor_key == "one-id-0002"
        await until(pilot, "STALE 40s")

        released.set()
        is_hanging = False
        await until(pilot, "age 0s")


async def test_a_list_that_fails_is_told_in_the_status_row_while_the_cloud_answers() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "run 3")

        def never(request: httpx.Request) -> httpx.Response | None:
            if "/servers" in request.url.path:
                raise httpx.ReadTimeout("", request=request)
            return None

        opened.nova.instead = never
        opened.timer.pass_by(10)
        await until(pilot, "the list of servers: no answer within 60 s; asked again in")
        assert "no answer from the cloud" not in screen_text(opened.app)

        opened.nova.instead = lambda _request: None
        await pilot.press("r")
        await until(pilot, "3 run")


async def test_a_cloud_that_is_gone_is_told_as_such() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(120, 24)) as pilot:
        await until(pilot, "run 3")

        def gone(request: httpx.Request) -> httpx.Response | None:
            raise httpx.ConnectError("", request=request)

        opened.nova.instead = gone
        opened.timer.pass_by(10)
        await until(pilot, "no answer from the cloud")

        opened.nova.instead = lambda _request: None
        await pilot.press("r")
        opened.timer.pass_by(130)
        await until(pilot, "1 group at risk", "age 0s")


async def test_out_of_sight_nothing_is_asked() -> None:
    opened = Opened(a_nova())

    async with opened.app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "run 3")
        opened.app.post_message(AppBlur())
        await pilot.pause()
        opened.nova.paths()
        for _ in range(5):
            opened.timer.pass_by(600)
            await pilot.pause()
        assert not [path for path in opened.nova.paths() if path.startswith("/servers")]

        opened.app.post_message(AppFocus())
        await until(pilot, "age 0s")
        assert any(path.startswith("/servers") for path in opened.nova.paths())


async def test_who_is_no_administrator_is_told_so_in_the_view() -> None:
    opened = Opened(a_nova(is_admin=False))

    async with opened.app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "run 3")
        await goes_to(pilot, "services")
        await until(pilot, "only administrators of this cloud are told of its services")
        await goes_to(pilot, "hosts")
        await until(pilot, "only administrators of this cloud are told of its hypervisors")
