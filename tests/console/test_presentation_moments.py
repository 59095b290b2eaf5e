"""Moments of the log: which one a step leads to, and which rows the next one has."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.presentation import moments
from console.presentation.drive_fleet import DriveFleet
from console.presentation.fleet import Fleet
from console.presentation.lines import Frame
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment, Rows
from console.records import CellRecord, Changes, ClockRecord, EventRecord, PastEvents
from tests.console.fakes import NOON, a_drive, a_server


def an_event(minute: int, file: str = "cell-1", number: int = 1, kind: str = "server.running") -> EventRecord:
    return EventRecord(file, number, NOON + timedelta(minutes=minute), kind, "server", "id")


LOG = (
    an_event(1, "cell-1", 1),
    an_event(2, "cell-1", 2, "host.down"),
    an_event(2, "cell-2", 1),
    an_event(2, "cloud", 1, "host.down"),
    an_event(5, "cell-1", 3),
)


@pytest.mark.parametrize(
    ("start", "direction", "expected"),
    [
        (Moment(LOG[1].at, LOG[1]), 1, LOG[2]),
        (Moment(LOG[2].at, LOG[2]), -1, LOG[1]),
        # All of an instant has happened: what is next comes later, and what was last is of it.
        (Moment(LOG[1].at), 1, LOG[4]),
        (Moment(LOG[1].at), -1, LOG[3]),
        (Moment(NOON), 1, LOG[0]),
        (Moment(NOON), -1, None),
        (Moment(LOG[4].at, LOG[4]), 1, None),
    ],
)
def test_a_step_is_to_the_event_beside_the_moment(start: Moment, direction: int, expected: EventRecord | None) -> None:
    found = moments.beside(LOG, start.position, direction)

    assert (None if found is None else found.event) == expected


def test_a_moment_is_written_as_the_wire_takes_it() -> None:
    assert Moment(NOON).text == "2026-11-20T12:00:00+00:00"
    assert Moment(LOG[3].at, LOG[3]).text == "2026-11-20T12:02:00+00:00,cloud,1"


def test_a_jump_is_to_all_of_an_instant_and_never_past_now() -> None:
    moment = Moment(LOG[1].at, LOG[1])

    assert moments.later(moment, timedelta(minutes=-1), NOON + timedelta(minutes=9)) == Moment(LOG[0].at)
    assert moments.later(moment, timedelta(minutes=7), NOON + timedelta(minutes=9)) is None


@pytest.mark.parametrize(
    ("before", "after", "is_changed"),
    [
        (CellRecord("c", "up"), CellRecord("c", "up"), False),
        (CellRecord("c", "up", since=NOON), CellRecord("c", "up", since=None), False),
        (CellRecord("c", "up"), CellRecord("c", "down", since=NOON), True),
        (CellRecord("c", "down", since=NOON), CellRecord("c", "up"), True),
        (CellRecord("c", "down", since=NOON), CellRecord("c", "hung", since=NOON), False),
        (CellRecord("c", "down", since=NOON), CellRecord("c", "down", since=NOON + timedelta(hours=1)), True),
        (CellRecord("other", "up"), CellRecord("c", "up"), True),
    ],
)
def test_only_cells_that_fell_silent_or_came_back_in_between_are_read_again(
    before: CellRecord, after: CellRecord, is_changed: bool
) -> None:
    assert moments.changed_cells(Mirror(cells=(before,)), [after]) == ({"c"} if is_changed else set())


def test_rows_go_back_to_older_versions_and_those_of_a_reread_cell_are_all_there_is() -> None:
    newer, other, silent = a_server(1, version=5), a_server(2), a_server(3, cell="cell-2")
    before = Rows(Fleet().changed([newer, other, silent]), DriveFleet().changed([a_drive(1)]), True)
    older, seen = replace(newer, version=3, state="stopped"), a_server(4, cell="cell-2", state="unknown")

    rows = moments.stepped(before, Changes("", (older,), removed=(other.id,)), {"cell-2": [seen]}, None)

    assert rows.servers.by_id == {older.id: older, seen.id: seen}
    assert rows.drives.by_id.keys() == before.drives.by_id.keys()


def test_the_mirror_of_a_moment_knows_nothing_that_came_later() -> None:
    rows = Rows(Fleet().changed([a_server(1)]), DriveFleet(), False)
    now = Mirror(cloud="id", kind="demo", is_production=True, hosts=(), tasks_open=9)

    mirror = moments.mirror_of(now, Moment(LOG[2].at, LOG[2]), rows, "cursor", PastEvents(LOG))

    assert mirror.events == LOG[:3]
    assert (mirror.kind, mirror.is_production, mirror.cursor) == ("demo", True, "cursor")
    assert (mirror.hosts, mirror.tasks_open, mirror.is_complete) == (None, None, True)


def test_what_was_done_from_here_has_no_past_on_a_time_of_the_clouds_own() -> None:
    frame = Frame(past_at=NOON)
    own, wall = (Mirror(clock=ClockRecord(NOON, mode)) for mode in ("rate", "wall"))

    told = moments.instead("audit", own, frame)
    assert told is not None
    text = " ".join("".join(span.text for span in told.regions[0].line(n)) for n in range(len(told.regions[0])))
    assert "nobody can say what had been done by then" in " ".join(text.split())
    assert moments.instead("audit", wall, frame) is None
    assert moments.instead("servers", own, frame) is None


@pytest.mark.parametrize(("width", "height", "lines"), [(80, 24, 2), (59, 24, 1), (80, 19, 1), (120, 40, 2)])
def test_the_bar_has_its_alarms_and_where_one_is(width: int, height: int, lines: int) -> None:
    moment = Moment(LOG[2].at, LOG[2])

    drawn = moments.bar(moment, PastEvents(LOG, is_begun=True), NOON + timedelta(minutes=9), Frame(width, height))

    assert len(drawn) == lines
    ruler = "".join(span.text for span in drawn[-1])
    assert "┃" in ruler
    assert len(ruler) <= width
