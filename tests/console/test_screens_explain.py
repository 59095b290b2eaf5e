"""`w` on the whole screen: asked from lists and pages, stepped through, refused, and left."""

from __future__ import annotations

import pytest

from console.client import ClientError
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import bar, requests, type_at_once, type_line, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_w_on_a_server_says_why_it_is_there_and_esc_comes_back() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("colon")
        await type_line(pilot, "servers /web-07")
        await pilot.press("enter")
        await until(pilot, "web-07")
        await pilot.press("w")
        await until(pilot, "WHY THERE decided 05:00:00 among 2 hosts of cell-1: 2 fit, 0 refused")

        assert requests(cloud, "explain") == [("explain", cloud.servers[6].id, None)]
        assert "decision 2 of 2" in bar(app, "crumbs")
        assert bar(app, "status").strip().startswith("key 1 avoid")
        assert "( ) decision" in bar(app, "keys")
        await pilot.press("escape")
        assert app.main.place.view == "servers"
        assert app.main.place.filter == "web-07"


async def test_parentheses_step_through_the_decisions_and_hold_at_both_ends() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("g", "w")
        await until(pilot, "decision 2 of 2")
        await pilot.press("left_parenthesis")
        await until(pilot, "decided 04:00:00", "decision 1 of 2")
        await pilot.press("left_parenthesis")
        await until(pilot, "there is no earlier decision", "decision 1 of 2")
        await pilot.press("right_parenthesis")
        await until(pilot, "decided 05:00:00", "decision 2 of 2")
        await pilot.press("right_parenthesis")
        await until(pilot, "decided now", "if it were decided now")
        await pilot.press("right_parenthesis")
        await until(pilot, "this is the decision of now")

        about = requests(cloud, "explain")[0][1]
        assert requests(cloud, "explain") == [("explain", about, asked) for asked in (None, 1, 2, None)]
        # They are one place: esc leaves them all at once.
        await pilot.press("escape")
        assert app.main.place.view == "servers"


async def test_what_is_nowhere_begins_with_the_decision_of_now() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("colon")
        await type_line(pilot, "servers /db-25")
        await pilot.press("enter")
        await until(pilot, "db-25")
        await pilot.press("w")
        await until(pilot, "if it were decided now")
        await pilot.press("left_parenthesis")
        await until(pilot, "decision 2 of 2")


async def test_w_on_a_drive_and_on_the_page_of_one() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("colon")
        await type_line(pilot, "drive spare-91")
        await pilot.press("enter")
        await until(pilot, "spare-91")
        await pilot.press("enter")
        await until(pilot, "describe")
        await pilot.press("w")
        await until(pilot, "drives > spare-91", "decision 2 of 2", "2 its source's host")
        assert [request[1] for request in requests(cloud, "explain")] == [cloud.drives[5].id]
        await pilot.press("x")
        await until(pilot, "attach")


async def test_only_servers_and_drives_are_placed() -> None:
    app = an_app(FakeCloud())

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("colon")
        await type_line(pilot, "host c1-h01")
        await pilot.press("enter")
        await until(pilot, "c1-h01")
        await pilot.press("w")
        await until(pilot, "only servers and drives are placed")
        assert app.main.place.view == "detail"


ANSWERING = {"cell-1": "up", "cell-2": "up"}


async def test_keys_typed_before_it_is_told_move_nothing() -> None:
    cloud = FakeCloud(cells=dict(ANSWERING))
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        cloud.gate.clear()
        type_at_once(app, "g", "w", "left_parenthesis")
        await until(pilot, "not told yet", "it has not been told yet")
        cloud.gate.set()
        await until(pilot, "decision 2 of 2")


async def test_what_the_cloud_does_not_tell_is_said() -> None:
    cloud = FakeCloud(cells=dict(ANSWERING), refusal=ClientError("cell-1 does not answer", "unreachable", True))
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("g", "w")
        await until(pilot, ": cell-1 does not answer", "not told yet")


async def test_of_what_lies_in_a_silent_cell_nobody_can_say_why_it_is_there() -> None:
    silence = ClientError("cell-2 does not answer", "unreachable", True)
    cloud = FakeCloud(cells={"cell-1": "up", "cell-2": "down"}, refusal=silence)
    app = an_app(cloud)

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("g", "w")
        await until(pilot, "cell-2 does not answer, and only it knows why")
