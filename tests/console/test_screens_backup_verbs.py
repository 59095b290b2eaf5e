"""Stories of schedules and backups by keyboard: what is shown while one types, what is asked before, what is sent."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from console.client import ClientError
from console.widgets.box import Box
from tests.console.fake_backups import FULL, BackedUpCloud
from tests.console.fakes import an_app
from tests.console.stories import app_of, requests, type_at_once, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


def box_of(pilot: Pilot[Any]) -> str:
    return app_of(pilot).screen.query_one(Box).text


async def type_line(pilot: Pilot[Any], text: str) -> None:
    type_at_once(app_of(pilot), *text)
    await pilot.pause()


async def clear_and_type(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("ctrl+u")
    await type_line(pilot, text)


async def test_a_schedule_is_made_of_a_server_and_shows_its_runs_and_cost_while_one_types() -> None:
    cloud = BackedUpCloud(wrong=ClientError("cron: '6 1' has no five fields.", "invalid", False))
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "run")
        await pilot.press("x", "B")
        await until(pilot, "by the clock", "when is needed: five fields")
        await type_line(pilot, "6 1")
        await until(pilot, "when: '6 1' has no five fields.")
        cloud.wrong = None
        await clear_and_type(pilot, "0 2 * * *")
        await pilot.press("tab")
        await clear_and_type(pilot, "Europe/Berlin")
        await until(pilot, "RUNS        as 0 2 * * * says", "NEXT 10     Sat 21 Nov 13:00  12:00 UTC")
        assert "3,900 of 4,096 GiB, 9 GiB more at most" in box_of(pilot)
        assert requests(cloud, "save_schedule") == []

        await pilot.press("tab", "1", "4", "enter")
        await until(pilot, "backed up by the clock from 20 Nov 13:00 UTC on")
        (_, id, body, key), = requests(cloud, "save_schedule")  # fmt: skip
        assert (id, len(key), body["source_kind"]) == (None, 32, "server")
        assert {name: body[name] for name in ("cron", "time_zone", "retention_days", "backups_max", "is_active")} == {
            "cron": "0 2 * * *",
            "time_zone": "Europe/Berlin",
            "retention_days": 14,
            "backups_max": 0,
            "is_active": True,
        }


async def test_an_edit_shows_which_backups_would_go_and_sends_only_what_changed() -> None:
    cloud = BackedUpCloud(outlook=FULL)
    app = an_app(cloud)

    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("b")
        await until(pilot, "web nightly")
        await pilot.press("x", "e")
        await until(pilot, "Edit schedule web nightly", "BACKUPS     1 go, 1 stay")
        text = box_of(pilot)
        assert text.index("goes  ") < text.index("number 3, and 2 are kept") < text.index("stays ")
        await pilot.press("tab", "tab", "tab")
        await clear_and_type(pilot, "2")
        await pilot.press("tab", "tab", "tab", "ctrl+u", "enter")
        await until(pilot, "is changed; next 20 Nov 13:00 UTC")

        (_, id, body, _), = requests(cloud, "save_schedule")  # fmt: skip
        assert (id, body) == ("s1", {"backups_max": 2, "target_seconds": None, "if_version": 4})


async def test_an_edit_that_lets_backups_go_asks_first_and_names_them() -> None:
    """b2 goes whatever is edited: only b1 is lost by it."""
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("b")
        await until(pilot, "web nightly")
        await pilot.press("x", "e")
        await until(pilot, "Edit schedule web nightly")
        await pilot.press("tab", "tab", "tab")
        await clear_and_type(pilot, "1")
        await pilot.press("enter")
        text = await until(pilot, "Change web nightly: 1 backup would go", "1 that would stay", "tier 2: asks once")
        assert "20 Nov 00:00" in text
        assert "19 Nov 00:00" not in text
        await pilot.press("escape")
        await until(pilot, "Edit schedule web nightly", "at most")
        assert requests(cloud, "save_schedule") == []
        await pilot.press("enter")
        await until(pilot, "tier 2: asks once")
        await pilot.press("tab", "enter")
        await until(pilot, "is changed; next")

        assert [request[2] for request in requests(cloud, "save_schedule")] == [{"backups_max": 1, "if_version": 4}]


async def test_an_edit_outlives_a_run_of_the_schedule_and_not_another_edit() -> None:
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("b")
        await until(pilot, "web nightly")
        for hours, wanted in ((0, "is changed"), (25, "It has changed: look again.")):
            await pilot.press("x", "e")
            await until(pilot, "Edit schedule web nightly")
            await clear_and_type(pilot, "@weekly")
            ran = cloud.all_schedules[0]
            cloud.all_schedules[0] = ran._replace(version=(ran.version or 0) + 1, retention_days=14 + hours)
            cloud.refusals.append(ClientError("It has changed: look again.", "conflict", False))
            await pilot.press("enter")
            await until(pilot, wanted)
        versions = [request[2]["if_version"] for request in requests(cloud, "save_schedule")]
        assert versions == [4, 5, 5]


async def test_a_new_schedule_from_the_list_asks_of_what_first_and_picks_one_time_zone() -> None:
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("b")
        await until(pilot, "web nightly")
        await pilot.press("plus")
        await until(pilot, "New schedule", "of what:")
        await type_line(pilot, "shop")
        await until(pilot, "project shop", "all its servers")
        await pilot.press("enter")
        await until(pilot, "Back up project shop by the clock")
        await type_line(pilot, "@daily")
        await pilot.press("tab", "ctrl+o")
        await type_line(pilot, "kolka")
        await until(pilot, "time zone: kolka", "Asia/Kolkata")
        await pilot.press("enter")
        await until(pilot, "time zone Asia/Kolkata")
        await pilot.press("enter")
        await until(pilot, "backed up by the clock")
        body = requests(cloud, "save_schedule")[0][2]
        assert (body["cron"], body["time_zone"]) == ("@daily", "Asia/Kolkata")
        assert (body["source_kind"], body["source_id"]) == ("project", "p-1")


async def test_a_server_is_backed_up_now_with_its_cost_in_sight() -> None:
    cloud = BackedUpCloud(outlook=FULL)
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await until(pilot, "run")
        await pilot.press("G", "x", "b")
        await until(pilot, "Back up ", " now", "QUOTA", "1 drive: 3.0 GiB are copied.")
        await type_line(pilot, "before")
        await pilot.press("tab", "7", "enter")
        await until(pilot, ": being backed up; :backups follows it")
        (_, body), = requests(cloud, "create_backup")  # fmt: skip
        assert (body["description"], body["retention_days"], body["source_kind"]) == ("before", 7, "server")


async def test_a_restore_offers_only_flavors_that_hold_it_and_carries_out_what_it_showed() -> None:
    refusal = ClientError("It would now start on c1-h01 instead of c1-h02.", "conflict", False)
    cloud = BackedUpCloud(refusals=[refusal])
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("B")
        await until(pilot, "web-31")
        await pilot.press("x", "r")
        await until(pilot, "off: needs 20.0 GiB of disk", "m1.small", "1 vCPU, 2 GiB, disk 20 GiB")
        await pilot.press("a")
        await until(pilot, "m1.tiny is off: needs 20.0 GiB of disk")
        await pilot.press("b")
        await until(pilot, "host name: web-31")
        await type_line(pilot, "-two")
        await pilot.press("enter")
        await until(pilot, "PLACEMENT   c1-h02", "READY       it runs in about 1m00s", "[ restore ]")
        await pilot.press("tab", "enter")
        await until(pilot, "CHANGED", "It would now start on c1-h01 instead of c1-h02.")
        await pilot.press("tab", "enter")
        await until(pilot, "web-31-two is being made of the backup of 19 Nov 22:00")

        sent = {"if_version": 7, "plan": "token-7", "flavor": "2", "name": "web-31-two"}
        assert requests(cloud, "act_on_backup") == [("act_on_backup", "b1", "restore", sent)] * 2


async def test_a_backup_is_deleted_by_its_name_and_several_by_their_number() -> None:
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("B")
        await until(pilot, "web-31")
        await pilot.press("x", "D")
        await until(pilot, "Delete the backup of web-31 of 19 Nov 22:00", "delete of b1.", "type web-31 to delete:")
        await type_line(pilot, "web-31")
        await pilot.press("enter")
        await until(pilot, "web-31: being deleted")
        await pilot.press("a", "x", "D")
        await until(pilot, "Delete 3 backups", "type 3 to delete:")
        await pilot.press("3", "enter")
        await until(pilot, "3: being deleted")
        sent = [(request[1], request[2]) for request in requests(cloud, "act_on_backup")]
        assert sent == [("b1", "delete"), *((id, "delete") for id in ("b1", "b3", "b4"))]


async def test_schedules_are_run_tried_and_switched() -> None:
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("b")
        await until(pilot, "web nightly")
        await pilot.press("x", "r")
        await until(pilot, "Run schedule web nightly now", "run of s1.", "[ run now ]")
        await pilot.press("tab", "enter")
        await until(pilot, "web nightly: is being taken")
        await pilot.press("x", "o")
        await until(pilot, "web nightly: off")
        await pilot.press("x", "v")
        await until(pilot, "Try a restore of the newest backup of schedule web nightly")
        await pilot.press("escape")
        await until(pilot, "cancelled; nothing was sent")
        await pilot.press("j", "x", "a")
        await until(pilot, "log nightly: on")
        sent = [request[1:] for request in requests(cloud, "act_on_schedule")]
        assert sent == [("s1", "run", 7), ("s1", "deactivate", None), ("s2", "activate", None)]


async def test_several_servers_get_a_schedule_each_and_what_is_refused_is_not_made_twice() -> None:
    cloud = BackedUpCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("1")
        await until(pilot, "run")
        await pilot.press("G", "k", "k", "space", "space", "space", "x", "B")
        await until(pilot, "Back up ", " servers by the clock")
        await type_line(pilot, "@daily")
        await until(pilot, "OF EACH", "servers; what follows is of")
        cloud.refusal = ClientError("Over quota.", "over_quota", False)
        await pilot.press("enter")
        await until(pilot, "Over quota. 0 of ", " are done, and enter goes on with the others")
        cloud.refusal = None
        await pilot.press("enter")
        await until(pilot, "servers: backed up by the clock from")
        keys = [request[3] for request in requests(cloud, "save_schedule")]
        assert len(keys) == 1 + len(set(keys)) >= 3, "the one that was refused is asked for again with its key"
