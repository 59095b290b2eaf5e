"""The clock's panel and the menu of faults, as they are drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.presentation import clock, faults
from console.presentation.mirror import Mirror
from console.records import ClockRecord, TaskRecord
from console.screens import views
from console.screens.places import Place
from tests.console.drawn import body, plate, the_row
from tests.console.examples import NOW, a_frame, ago, the_cloud


def a_task(number: int, cell: str, **due: float) -> TaskRecord:
    return TaskRecord(f"{cell}/{number}", cell, "start", "server", f"id-{number}", f"app-{number}",
                      begun_at=ago(seconds=2), due_at=NOW + timedelta(**due), progress=0.5)  # fmt: skip


def a_cloud(*tasks: TaskRecord, mode: str = "rate") -> Mirror:
    record = ClockRecord(NOW, mode, 60.0 if mode == "rate" else 1.0, NOW - timedelta(hours=2))
    return replace(the_cloud(), tasks=tasks, schedules=(), clock=record)


# The clock ----------------------------------------------------------------------------------------------------------


def test_the_panel_says_how_the_clock_runs_and_what_falls_due_next() -> None:
    mirror = a_cloud(a_task(1, "cell-1", seconds=90), a_task(2, "cell-2", seconds=6))
    frame = a_frame(wall_now=NOW - timedelta(hours=2))

    assert [line.rstrip() for line in body(views.make(Place("clock"), mirror, frame, {}))] == [
        " cloud   Fri 20 Nov 2026  14:03:27 UTC",
        " wall    Fri 20 Nov 2026  12:03:27 UTC",
        " apart   2h00m ahead",
        " runs    x60: 60 simulated seconds in each second",
        " verbs   x, then t advance 60 s, m stop, l let go, T advance 1 h, g go to what",
        "         is due next, i run at a rate, w follow the wall",
        "",
        "  DUE NEXT        ABOUT                     CELL                 AT          IN",
        "  start           app-2                     cell-2         14:03:33          6s",
        "  start           app-1                     cell-1         14:04:57       1m30s",
    ]


def test_a_rate_is_said_as_what_it_comes_to() -> None:
    assert clock.rate_sentence(60, 90) == "a minute of the wall's is 1h00m here; what is due next comes in 2s"
    assert clock.rate_sentence(0.01, None) == "a minute of the wall's is 0.6s here"


def test_a_clock_that_stands_still_looks_like_it() -> None:
    runs = clock.view(a_cloud(mode="manual"), a_frame()).regions[0].line(3)

    assert plate(runs)[9] == "w"


@pytest.mark.parametrize(("seconds", "expected"), [((90, 6), 6), ((0.2,), 1), ((6.4,), 7), ((), None), ((-5,), None)])
def test_the_next_due_is_reached_in_whole_seconds(seconds: tuple[float, ...], expected: int | None) -> None:
    tasks = [a_task(number, "cell-1", seconds=each) for number, each in enumerate(seconds)]

    assert clock.seconds_to_next(a_cloud(*tasks), NOW) == expected


def test_what_waits_for_a_silent_cell_is_not_due() -> None:
    assert clock.dues(a_cloud(a_task(1, "cell-3", seconds=6)), NOW) == []


def test_schedules_fall_due_too_and_inactive_ones_do_not() -> None:
    found = clock.dues(replace(the_cloud(), tasks=()), NOW)
    active = [each for each in the_cloud().schedules or () if each.is_active and each.next_trigger_at is not None]

    assert {due.key for due in found} == {f"schedule:{each.id}" for each in active}
    assert [due.at for due in found] == sorted(due.at for due in found)


def test_a_cloud_without_a_clock_of_its_own_says_so() -> None:
    mirror = replace(the_cloud(), clock=None)

    assert body(clock.view(mirror, a_frame()))[0].strip() == "this cloud has no clock of its own"
    assert body(faults.view(mirror, a_frame()))[0].strip() == "only a simulated cloud takes faults"


# Faults -------------------------------------------------------------------------------------------------------------


def injected_cloud() -> Mirror:
    cells = tuple(
        cell._replace(is_injected=cell.name == "cell-3") if not cell.is_up else cell for cell in the_cloud().cells or ()
    )
    return replace(the_cloud(), cells=cells)


def test_what_is_injected_comes_first_with_how_it_is_taken_back() -> None:
    drawn = [line.rstrip() for line in body(faults.view(injected_cloud(), a_frame(100)))]

    assert drawn[:6] == [
        "  INJECTED NOW      WHAT          CELL     STATE    MEANS",
        "  ✗ cell-3          cell                   down     x u ends it; 190 UNKNOWN for 12m by the wall",
        "  ✗ c2-h13          compute host  cell-2   down     x r ends it; lost for 25m by the cloud",
        "",
        "  CAN BE INJECTED   WHAT          CELL     STATE    MEANS",
        "  ● cell-1          cell                   up       x d down, x h hung; 183 servers",
    ]
    assert faults.view(injected_cloud(), a_frame()).note == "2 injected"


def test_where_there_is_one_clock_an_age_does_not_say_by_which() -> None:
    mirror = injected_cloud()
    assert mirror.clock is not None

    drawn = body(faults.view(replace(mirror, clock=mirror.clock._replace(mode="wall")), a_frame(100)))

    assert [line.split("for ")[1].strip() for line in drawn[1:3]] == ["12m", "25m"]


def test_a_cell_that_fell_silent_by_itself_is_no_injected_fault() -> None:
    assert [subject.name for subject in faults.injected(injected_cloud())] == ["cell-3", "c2-h13"]


def test_each_row_is_about_what_it_names() -> None:
    view = faults.view(injected_cloud(), a_frame())

    assert plate(the_row(view, "cell:cell-3"))[4] == "c"
    assert "c1-s01" in "".join(span.text for span in the_row(view, "host:c1-s01"))


def test_a_filter_narrows_both_tables() -> None:
    drawn = [line.split() for line in body(faults.view(injected_cloud(), a_frame(filter="storage")))]

    assert drawn[1][:2] == ["nothing", "matches"]
    assert {line[2] for line in drawn[4:]} == {"storage"}
