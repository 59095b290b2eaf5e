"""Stories of tasks and events on the whole screen: followed to their targets, and looked at in the past."""

from __future__ import annotations

import pytest

from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import bar, type_at_once, until

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
