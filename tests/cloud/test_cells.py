from __future__ import annotations

from backend.cloud.cells import back_off_seconds, partial_drive, partial_server
from backend.cloud.model import PartialDrive, PartialServer
from tests.builders import a_drive, a_server


def test_a_cell_that_does_not_answer_is_asked_less_and_less_often_but_at_least_every_minute() -> None:
    assert [back_off_seconds(tries) for tries in (0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000_000)] == [
        1,
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
        60,
    ]


def test_of_a_server_in_such_a_cell_only_what_is_kept_centrally_is_shown() -> None:
    server = a_server("web-1", host="h1", is_backfilling=True)

    assert partial_server(server) == PartialServer(
        "web-1", "cell-1", server.project_id, server.owner, server.created_at, server.size, True
    )


def test_of_a_drive_in_such_a_cell_only_what_is_kept_centrally_is_shown() -> None:
    drive = a_drive("data", server_id="web-1")

    assert partial_drive(drive) == PartialDrive(
        "data", "cell-1", drive.project_id, drive.owner, drive.created_at, drive.size_bytes, "web-1"
    )
