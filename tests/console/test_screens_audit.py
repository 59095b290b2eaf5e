"""Stories of the log of what was done from here."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.records_audit import ACCEPTED, AuditRecord
from tests.console.fakes import NOON, FakeCloud, an_app
from tests.console.stories import type_line, until

pytestmark = pytest.mark.anyio

STOPPED = AuditRecord(
    "a1", NOON - timedelta(minutes=3), "POST", "/servers/00000001-0000-4000-8000-000000000000/actions",
    {"action": "stop"}, ACCEPTED, "", NOON,
)  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change the drawing from outside."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "ESCDELAY"):
        monkeypatch.delenv(name, raising=False)


async def test_what_was_done_is_looked_at_whole_and_copied_as_curl() -> None:
    app = an_app(FakeCloud(audited=(STOPPED,)))
    async with app.run_test(size=(80, 24)) as pilot:
        await type_line(pilot, ":audit")
        await pilot.press("enter")
        await until(pilot, "11:57:00", "power off web-01", "accepted")
        await pilot.press("Y", "c")
        await until(pilot, "clipboard: curl -sS -X POST")
        await pilot.press("enter")
        await until(pilot, '"action": "stop"', "raw JSON")
        await pilot.press("escape")
        await until(pilot, "sort newest   1")


async def test_it_is_there_when_the_cloud_is_not() -> None:
    cloud = FakeCloud(audited=(STOPPED,))
    app = an_app(cloud)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "NEEDS ATTENTION")
        cloud.fall_silent()
        app.main.feed.wake()
        await until(pilot, "no answer from the cloud")
        await type_line(pilot, ":audit")
        await pilot.press("enter")
        app.main.feed.wake()
        await until(pilot, "power off web-01", "no answer from the cloud")
