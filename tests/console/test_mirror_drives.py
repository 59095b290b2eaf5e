"""What the console knows of drives: nothing until a view asks, then every page and every change."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest

from console.presentation import drives
from console.presentation.mirror import Mirror
from console.records import CellRecord, Changes, ClockRecord, DriveRecord, DrivesPage, ServersPage, Status
from tests.console.examples import NOW, a_drive, a_frame, a_server, ago

UP = (CellRecord("cell-1", "up"), CellRecord("cell-2", "up"))


def told(*cells: CellRecord) -> Status:
    return Status(ClockRecord(NOW), cells or UP)


def a_mirror(*rows: DriveRecord) -> Mirror:
    mirror = Mirror().apply(told(), NOW).apply(ServersPage((a_server("web"),), None, "c1", 1), NOW)
    return mirror.drives_begun().apply(DrivesPage(rows, None, len(rows)), NOW)


def test_news_of_drives_are_passed_over_until_a_view_asks_for_them() -> None:
    mirror = Mirror().apply(told(), NOW).apply(Changes("c2", drives=(a_drive("new"),)), NOW)

    assert (len(mirror.drives), mirror.are_drives_complete) == (0, False)


def test_a_change_that_comes_before_its_page_is_not_undone_by_it() -> None:
    mirror = Mirror().apply(told(), NOW).drives_begun()
    mirror = mirror.apply(Changes("c2", drives=(a_drive("boot", state="mounted", version=5),)), NOW)

    mirror = mirror.apply(DrivesPage((a_drive("boot", version=4),), None, 1), NOW)

    assert mirror.drives.by_id["id-boot"].state == "mounted"
    assert mirror.are_drives_complete


def test_a_drive_that_was_deleted_while_the_list_is_read_does_not_come_back() -> None:
    mirror = Mirror().apply(told(), NOW).drives_begun().apply(DrivesPage((a_drive("a"),), "page-2", 2), NOW)
    mirror = mirror.apply(Changes("c2", removed=("id-b",)), NOW)

    mirror = mirror.apply(DrivesPage((a_drive("b"),), None, 2), NOW)

    assert set(mirror.drives.by_id) == {"id-a"}


def test_drives_of_a_cell_that_was_silent_just_while_they_were_read_are_read_once_more() -> None:
    mirror = a_mirror(a_drive("a")).drives_begun()

    mirror = mirror.apply(DrivesPage((a_drive("a", state="unknown", is_reachable=False),), None, 1), NOW)

    assert not mirror.are_drives_complete

    mirror = mirror.drives_begun().apply(DrivesPage((a_drive("a", version=1),), None, 1), NOW)

    assert (mirror.are_drives_complete, mirror.drives.by_id["id-a"].state) == (True, "unmounted")


def test_changes_after_the_list_add_replace_and_remove() -> None:
    mirror = a_mirror(a_drive("a"), a_drive("b"))

    mirror = mirror.apply(
        Changes("c2", drives=(a_drive("a", size_bytes=2**40, version=2), a_drive("c")), removed=("id-b",)), NOW
    )

    assert {row.id: row.size_bytes for row in mirror.drives.by_id.values()} == {"id-a": 2**40, "id-c": 20 * 2**30}


def test_drives_of_a_cell_that_falls_silent_are_unknown_and_keep_what_they_were() -> None:
    mirror = a_mirror(a_drive("a", state="mounted"), a_drive("b", "cell-1"))

    mirror = mirror.apply(told(UP[0], CellRecord("cell-2", "down", since=ago(seconds=4))), NOW)

    lost = mirror.drives.by_id["id-a"]
    assert (lost.state, lost.last_state, lost.is_reachable, lost.known_at) == (
        "unknown",
        "mounted",
        False,
        ago(seconds=4),
    )
    assert mirror.drives.by_id["id-b"].is_reachable
    assert mirror.are_drives_complete


def test_when_a_cell_answers_again_its_drives_are_to_be_read_again() -> None:
    mirror = a_mirror(a_drive("a")).apply(told(UP[0], CellRecord("cell-2", "down", since=ago(seconds=4))), NOW)

    mirror = mirror.apply(told(), NOW)

    assert not mirror.are_drives_complete
    mirror = mirror.drives_begun().apply(DrivesPage((a_drive("a", version=3),), None, 1), NOW)
    assert mirror.drives.by_id["id-a"].is_reachable


def test_what_a_list_that_is_read_again_leaves_out_is_gone() -> None:
    mirror = a_mirror(a_drive("a"), a_drive("b")).drives_begun()

    assert len(mirror.drives) == 2

    assert set(mirror.apply(DrivesPage((a_drive("b"),), None, 1), NOW).drives.by_id) == {"id-b"}


def test_a_list_that_was_read_while_the_feed_was_lost_is_not_trusted() -> None:
    mirror = a_mirror(a_drive("a")).drives_begun().restarted()

    mirror = mirror.apply(DrivesPage((a_drive("a"),), None, 1), NOW)

    assert not mirror.are_drives_complete


def test_drives_are_called_by_their_names() -> None:
    assert a_mirror(a_drive("boot")).name_of("id-boot") == "boot"


def many_drives(count: int) -> list[DriveRecord]:
    states = ("mounted", "mounted", "unmounted", "creating")
    return [
        a_drive(
            f"drive-{n * 7919 % count:05}",
            f"cell-{1 + n % 2}",
            f"s{n % 50}",
            id=f"{n * 2654435761 % 2**32:08x}-0000-4000-8000-{n:012x}",
            state=states[n % 4],
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("sort", ["state", "size"])
def test_a_change_among_a_hundred_thousand_drives_costs_a_fraction_of_the_first_look(sort: str) -> None:
    """A ratio within one run, so that a slow machine does not fail it."""
    rows = many_drives(100_000)
    mirror, frame = a_mirror(*rows), a_frame(sort=sort)
    started = process_time()
    drives.view(mirror, frame)
    first = process_time() - started
    batch = tuple(replace(row, state="unavailable", version=2) for row in rows[::1000])

    started = process_time()
    changed = mirror.apply(Changes("c2", drives=batch), NOW)
    view = drives.view(changed, frame)
    after = process_time() - started

    assert sum(row.state == "unavailable" for row in changed.drives.by_id.values()) == len(batch)
    assert len(view.regions[0]) == len(rows)
    assert after < first / 2
