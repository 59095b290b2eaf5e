"""Stories of drives and hosts on the whole screen: looked for, opened, attached, cloned, drained, lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from textual.pilot import Pilot

from console.records import PlanRecord
from console.records_plans import HostPlanRecord, MoveRecord
from console.screens.asking import Ask
from console.screens.dialogs import Confirmation, Menu
from console.widgets.box import Box
from tests.console.fakes import GIB, FakeCloud, a_drive, an_app, some_servers
from tests.console.stories import app_of, bar, requests, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def obey(pilot: Pilot[Any], line: str) -> None:
    await pilot.press("colon")
    await type_line(pilot, line)
    await pilot.press("enter")


async def choose(pilot: Pilot[Any], name: str, letter: str) -> None:
    """Find a drive by its name, and choose a verb of its menu."""
    await obey(pilot, f"drives /{name}")
    await until(pilot, f"/{name}", "1 of 9")
    await pilot.press("x")
    await until(pilot, "actions")
    assert isinstance(pilot.app.screen, Menu)
    await pilot.press(letter)
    await pilot.pause()
    await pilot.pause()


# ------------------------------------------------------------------------------------------------- the list of drives


async def test_drives_are_asked_for_only_when_somebody_looks_and_then_in_pages() -> None:
    cloud = FakeCloud(page_limit=4)
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        assert requests(cloud, "drives_page") == []

        await pilot.press("2")
        text = await until(pilot, "lost-04", "spare-92")

        assert [request[1] for request in requests(cloud, "drives_page")] == [None, "4", "8"]
        assert text.splitlines()[3].split()[2:5] == ["lost", "lost-04", "web-04"]


async def test_a_change_of_a_drive_is_on_the_screen_and_the_list_is_not_read_again() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        cloud.push_drives(a_drive(91, name="renamed-91", state="unmounted", server_id=None, version=2))
        await until(pilot, "renamed-91")
        await pilot.press("1", "2")
        await until(pilot, "renamed-91")

        assert len(requests(cloud, "drives_page")) == 1


async def test_keys_typed_before_the_drives_are_there_act_when_they_come() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("2", "G")
        await until(pilot, "spare-92: on c1-s01, unmounted")


async def test_enter_on_a_drive_tells_all_of_it_and_enter_on_its_server_opens_that() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await obey(pilot, "drive db-boot-25")
        await until(pilot, "drives /db-boot-25", "1 of 9")
        await pilot.press("enter")
        await until(pilot, "drives > db-boot-25", "virtio 0:0")
        while app.main.cursor_key != app.main.mirror.drives.by_id[a_drive(25).id].server_id:
            await pilot.press("j")
        await pilot.press("enter")
        await until(pilot, "servers > db-25")
        await pilot.press("escape")
        await until(pilot, "drives > db-boot-25")


async def test_the_raw_form_of_a_drive_is_what_the_cloud_said() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "lost-04")
        await pilot.press("y")
        await until(pilot, "kept as the API said it")


async def test_a_drive_is_shown_by_its_name_once_the_list_is_there() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        await obey(pilot, "drive spare-91")
        await until(pilot, "drives > spare-91")
        await obey(pilot, "drive nothing-of-the-kind")
        await until(pilot, "no drive is called nothing-of-the-kind")


async def test_a_server_is_shown_by_its_name() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "web-01")
        await obey(pilot, "server web-01")
        await until(pilot, "servers > web-01")
        await obey(pilot, "server nothing-of-the-kind")
        await until(pilot, "no server is called nothing-of-the-kind; :servers /nothing-of-the-kind filters")


async def test_the_names_of_drives_and_hosts_are_completed() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        await pilot.press("colon")
        await type_line(pilot, "drive spare-9")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, "drives > spare-91")
        await pilot.press("colon")
        await type_line(pilot, "host c1-s")
        await pilot.pause()
        await pilot.press("tab", "enter")
        await until(pilot, "hosts > c1-s01")


# ---------------------------------------------------------------------------------------------------- verbs of drives


async def test_a_drive_is_attached_to_the_stopped_server_that_was_chosen_by_its_name() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "spare-91", "a")
        await until(pilot, "to the stopped server", "db-25", "db-30")
        assert isinstance(app.screen, Ask)
        assert "web-01" not in app.screen.query_one(Box).text
        await type_line(pilot, "28")
        await pilot.press("enter")
        await until(pilot, "[ attach ]", "db-28")
        await pilot.press("tab", "enter")
        await until(pilot, "spare-91: attached to db-28")

        server = next(server for server in cloud.servers if server.name == "db-28")
        assert requests(cloud, "act") == [("act", "drive", a_drive(91).id, "attach", 1, (), ("server_id", server.id))]


async def test_what_matches_nothing_attaches_to_nothing() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "spare-91", "a")
        await type_line(pilot, "zzz")
        await pilot.press("enter")
        await until(pilot, "nothing matches what is typed")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was sent")

        assert requests(cloud, "preview") == []


async def test_a_clone_gets_a_name_and_stays_away_from_what_was_chosen_in_that_order() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "db-boot-25", "c")
        await until(pilot, "name of the copy: db-boot-25-clone")
        await pilot.press("ctrl+u")
        await type_line(pilot, "copy")
        await pilot.press("enter")
        await until(pilot, "away from", "its server: all drives of it", "itself, on c1-s01")
        await pilot.press("down", "tab")
        await type_line(pilot, "spare-92")
        await pilot.press("tab")
        await until(pilot, "1.  db-25", "2.  spare-92")
        await pilot.press("enter")
        await until(pilot, "AWAY FROM", "db-25, then spare-92")
        await pilot.press("tab", "enter")
        await until(pilot, "db-boot-25 is being cloned to copy on c1-s01")

        away = (cloud.servers[24].id, a_drive(92).id)
        assert requests(cloud, "preview") == [("preview", "drive", a_drive(25).id, "clone", away)]
        assert requests(cloud, "act") == [("act", "drive", a_drive(25).id, "clone", 1, away, ("name", "copy"))]


async def test_a_drive_is_renamed_where_it_stands() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "spare-91", "n")
        await until(pilot, "name: spare-91")
        await type_line(pilot, "-old")
        await pilot.press("enter")
        await until(pilot, "spare-91 is called spare-91-old now")

        assert requests(cloud, "act") == [("act", "drive", a_drive(91).id, "edit", 1, (), ("name", "spare-91-old"))]


async def test_deleting_a_drive_says_what_is_lost_and_asks_for_its_name() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "spare-91", "D")
        await until(pilot, "LOSES", "20 GiB disk on c1-s01", "type spare-91 to delete")
        await pilot.press("enter")
        assert requests(cloud, "act") == []
        await type_line(pilot, "spare-91")
        await pilot.press("enter")
        await until(pilot, "spare-91: deleted")

        assert requests(cloud, "act") == [("act", "drive", a_drive(91).id, "delete", 1, ())]


async def test_marked_drives_are_detached_together_and_those_that_are_off_are_counted() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, "spare-91")
        app.main.body.set_marks({f"drive:{a_drive(n).id}" for n in (25, 26, 91)})
        await pilot.press("x", "d")
        await until(pilot, "2 drives, 1 off", "db-boot-25", "db-boot-26")
        await pilot.press("tab", "enter")
        await until(pilot, "detach: 2 of 2 accepted")

        assert {request[2] for request in requests(cloud, "act")} == {a_drive(25).id, a_drive(26).id}


@pytest.mark.parametrize(
    ("name", "letter", "reason"),
    [
        ("spare-91", "d", "detach is off: it is unmounted"),
        ("db-boot-25", "a", "attach … is off: it is mounted"),
        ("lost-04", "c", "clone … is off: it is lost"),
        ("mail-boot-37", "n", "rename … is off: its cell is silent"),
    ],
)
async def test_a_verb_of_a_drive_that_is_off_says_why(name: str, letter: str, reason: str) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, name, letter)

        assert isinstance(app.screen, Menu)
        assert reason in app.screen.query_one(Box).text


async def test_a_drive_of_a_server_that_runs_is_not_detached_and_the_menu_says_which() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await obey(pilot, "drives /boot-01")
        await until(pilot, "/boot-01", "1 of 9")
        await pilot.press("x")
        await until(pilot, "off: web-01 is running")
        await pilot.press("d")
        await until(pilot, "detach is off: web-01 is running")

        assert requests(cloud, "preview") == []


async def test_a_refusal_names_the_server_that_the_cloud_has_an_id_for() -> None:
    server = some_servers()[24]
    problem = f"Cannot detach a drive from server {server.id}: it is starting, and should be stopped."
    cloud = FakeCloud(plan=PlanRecord("detach", "", is_allowed=False, problem=problem))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "db-boot-25", "d")
        await until(pilot, "Cannot detach a drive from server db-25: it is starting", "off: refused")
        await pilot.press("escape")
        app.main.say(f"There is no drive {a_drive(999).id} on server {server.id}.")

        assert bar(app, "status").strip() == f"There is no drive {a_drive(999).id} on server db-25."


async def test_a_plan_longer_than_its_dialog_says_so_and_scrolls() -> None:
    moves = tuple(MoveRecord(f"m{n}", f"web-{n:02}", False, 4_000, 8 * GIB, "running", "moves", "c1-h02")
                  for n in range(1, 40))  # fmt: skip
    cloud = FakeCloud(host_plan=HostPlanRecord("drain", "c1-h01", version=1, sentences=("It moves.",), moves=moves))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "c1-h01: compute host")
        await pilot.press("x", "d")
        before = (await until(pilot, "[ drain ]", "more, down scrolls")).splitlines()
        hidden = int(re.findall(r"(\d+) more, down scrolls", "\n".join(before))[0])

        for keys, below in ((["j"], 1), (["k"], 0), (["down", "j", "up"], 1), (["k", "pagedown"], None)):
            await pilot.press(*keys)
            text = await until(pilot, "more, down scrolls")
            now = int(re.findall(r"(\d+) more, down scrolls", text)[0])
            assert now == hidden - below if below is not None else now < hidden - 5

        await pilot.press(*["pagedown"] * 9)
        text = await until(pilot, "web-39")
        assert "more, down scrolls" not in text
        assert requests(cloud, "act") == []


async def test_a_change_of_the_drive_under_its_plan_turns_the_button_off() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "db-boot-25", "d")
        await until(pilot, "[ detach ]")
        cloud.push_drives(a_drive(25, name="db-boot-25", version=2))
        await until(pilot, "off: what it is about has changed since this preview")


# --------------------------------------------------------------------------------------------------------------- hosts


async def test_the_cursor_moves_over_the_hosts_of_the_map_and_tab_finds_the_same_one_in_the_list() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "COMPUTE", "c1-h01: compute host")
        await pilot.press("l")
        await until(pilot, "c1-h02: compute host")
        await pilot.press("l", "l", "l")
        await until(pilot, "c1-s01: storage host, 7 drives")
        await pilot.press("h", "tab")
        assert app.main.cursor_key == "host:c1-h02"
        assert not app.main.body.is_on_map
        await pilot.press("j", "shift+tab")

        assert app.main.cursor_key == "host:c1-s01"
        assert app.main.body.is_on_map


async def test_enter_on_the_map_opens_the_host_and_from_there_a_server() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "COMPUTE")
        await pilot.press("enter")
        await until(pilot, "hosts > c1-h01", "LAYERS", "web-01")
        while app.main.cursor_key is None or app.main.cursor_key not in app.main.mirror.servers:
            await pilot.press("j")
        await pilot.press("enter")
        await until(pilot, "servers > ")


async def test_the_page_of_a_storage_host_asks_for_its_drives() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("3")
        await until(pilot, "COMPUTE")
        assert requests(cloud, "drives_page") == []
        await obey(pilot, "host c1-s01")
        await until(pilot, "hosts > c1-s01", "spare-92", "db-boot-25")


async def test_in_the_list_of_hosts_h_goes_back_and_l_opens() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "COMPUTE")
        await pilot.press("tab", "l")
        await until(pilot, "hosts > c1-h01")
        await pilot.press("h")
        await until(pilot, "COMPUTE")
        assert not app.main.body.is_on_map
        await pilot.press("h")
        await until(pilot, "NEEDS ATTENTION")


async def act_on_host(pilot: Pilot[Any], letter: str) -> None:
    await pilot.press("3")
    await until(pilot, "COMPUTE")
    await pilot.press("x")
    await until(pilot, "c1-h01   actions")
    await pilot.press(letter)
    await pilot.pause()
    await pilot.pause()


async def test_a_host_is_drained_after_its_plan_was_shown_and_then_evacuated() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await act_on_host(pilot, "d")
        await until(pilot, "Drain c1-h01", "STAYS", "huge-01", "no host has room", "-> c1-h02, stops 1")
        assert isinstance(app.screen, Confirmation)
        await pilot.press("tab", "enter")
        await until(pilot, "c1-h01 takes no more placements; x e evacuates it")
        await pilot.press("r")
        await until(pilot, "m maint", "maintenance for")

        await act_on_host(pilot, "e")
        await until(pilot, "Evacuate c1-h01, stopping 2", "render-31")
        await pilot.press("tab", "enter")
        await until(pilot, "being evacuated, one server at a time")

        assert [request[1:5] for request in requests(cloud, "act")] == [
            ("host", "c1-h01", "drain", 1),
            ("host", "c1-h01", "evacuate", 1),
        ]


async def test_a_host_is_lost_and_recovers_on_a_simulated_cloud() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await act_on_host(pilot, "f")
        await until(pilot, "Lose c1-h01, stopping 2")
        await pilot.press("tab", "enter")
        await until(pilot, "c1-h01 is down")
        await pilot.press("r")
        await until(pilot, "✗ down", "c1-h01: down for")

        await act_on_host(pilot, "r")
        await pilot.press("tab", "enter")
        await until(pilot, "c1-h01 is up and takes placements again")

        assert [request[3] for request in requests(cloud, "act")] == ["fail", "recover"]


async def test_enter_alone_loses_no_host() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await act_on_host(pilot, "f")
        await until(pilot, "[ cancel ]")
        await pilot.press("enter")
        await until(pilot, "cancelled; nothing was sent")

        assert requests(cloud, "act") == []


async def test_a_host_that_may_not_be_evacuated_yet_says_what_to_do_first() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await act_on_host(pilot, "e")

        assert isinstance(app.screen, Menu)
        assert "evacuate is off: drain it first" in app.screen.query_one(Box).text


async def test_a_refused_plan_of_a_host_has_no_button() -> None:
    refused = HostPlanRecord("drain", "", is_allowed=False, problem="only staff may do this")
    cloud = FakeCloud(host_plan=refused)
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await act_on_host(pilot, "d")
        await until(pilot, "only staff may do this", "off: refused")
        await pilot.press("tab", "enter")

        assert requests(cloud, "act") == []


async def test_no_host_is_called_so() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "COMPUTE")
        await obey(pilot, "host c9-h99")

        assert "no host is called c9-h99" in bar(app_of(pilot), "status")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (160, 45), (200, 60)])
async def test_drives_and_hosts_and_their_dialogs_fit_every_size(size: tuple[int, int]) -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await until(pilot, "lost-04")
        await pilot.press("3")
        await until(pilot, "cell-1")
        await pilot.press("x", "d")
        await until(pilot, "[ cancel ]")
        await pilot.press("escape")
        await choose(pilot, "spare-91", "a")
        await until(pilot, "to the stopped server", "db-25")


async def test_the_hosts_of_a_cell_that_falls_silent_stay_as_they_were_and_cannot_be_acted_on() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, "c1-h01: compute host")
        cloud.cells["cell-1"] = "down"
        await pilot.press("r")
        await until(pilot, "? UNKNOWN", "cell-1 does not answer; last known up")
        await pilot.press("x", "d")
        await pilot.pause()

        assert isinstance(app.screen, Menu)
        assert "drain is off: its cell is silent" in app.screen.query_one(Box).text
