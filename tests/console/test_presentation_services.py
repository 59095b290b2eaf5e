"""The services of one invented cloud: worst first, UNKNOWN with what was last known beside it."""

from __future__ import annotations

from typing import Any

import pytest

from console.presentation import detail, services
from console.presentation.lines import text_of
from console.presentation.mirror import Mirror
from tests.console.drawn import body, plate, the_row
from tests.console.examples import a_frame, the_cloud
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import type_line, until

SILENT = "service:nova-compute/c3-h01"


def test_services_are_listed_worst_first_with_what_was_last_known() -> None:
    lines = [line.rstrip() for line in body(services.view(the_cloud(), a_frame()))]

    assert lines == [
        "  STATE     SERVICE         HOST          STATUS    CELL     LAST KNOWN UPDATED",
        "  ✗ down    nova-compute    c2-h13        enabled   cell-2   ·               1s",
        "  ? UNKNOWN nova-compute    c3-h01        UNKNOWN   cell-3   ~up           ~12m",
        "  ? UNKNOWN nova-compute    c3-h02        UNKNOWN   cell-3   —                —",
        "  m up      nova-compute    c4-h05        disabled  cell-4   ·               1s",
        "  ● up      nova-conductor  stratodeck    enabled   central  ·               1s",
        "  ● up      nova-scheduler  stratodeck    enabled   central  ·               1s",
        "  ● up      nova-compute    c2-h07        enabled   cell-2   ·               1s",
        "  ● up      nova-conductor  cell-2        enabled   cell-2   ·               1s",
    ]


def test_a_row_of_a_silent_cell_is_grey_from_end_to_end() -> None:
    row = the_row(services.view(the_cloud(), a_frame()), SILENT)

    assert set(plate(row)) == {".", "u"}


@pytest.mark.parametrize(
    ("choices", "hosts"),
    [
        ({"filter": "unknown"}, ["c3-h01", "c3-h02"]),
        ({"filter": "conductor cell-2"}, ["cell-2"]),
        ({"scope": "cell-4"}, ["c4-h05"]),
        ({"sort": "host", "filter": "compute"}, ["c2-h07", "c2-h13", "c3-h01", "c3-h02", "c4-h05"]),
        ({"filter": "nothing like it"}, []),
    ],
)
def test_services_are_found_by_what_is_said_of_them(choices: dict[str, Any], hosts: list[str]) -> None:
    assert [each.host for each in services.visible(the_cloud(), a_frame(**choices))] == hosts


def test_what_the_api_says_and_what_was_known_are_told_apart_in_a_sentence() -> None:
    told = text_of(services.status(the_cloud(), a_frame(), SILENT))
    described = "\n".join(body(detail.describe(the_cloud(), SILENT, a_frame())))

    assert told == (
        "nova-compute on c3-h01: cell-3 does not answer, so the API says UNKNOWN; last known up at 13:51:01"
    )
    assert "last known   ~up" in described
    assert text_of(services.status(Mirror(), a_frame(), None)) == "asking for the services"


@pytest.mark.anyio
async def test_the_services_are_asked_for_when_they_are_looked_at() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        assert ("services",) not in cloud.requests
        await pilot.press("colon")
        await type_line(pilot, "services")
        await pilot.press("enter")
        text = await until(pilot, "cell-1-host")
        await pilot.press("enter")
        described = await until(pilot, "nova-compute", "last known")

    assert "UNKNOWN" in text
    assert "does not answer" in described
