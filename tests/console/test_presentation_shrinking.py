"""How room was taken and given back, as the events that were seen tell it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from console.presentation import backfill, shrinking
from console.presentation.lines import ASCII, text_of
from console.presentation.mirror import Mirror
from console.records import EventRecord, Events, Factors, ServerRecord
from console.screens import objects
from tests.console.examples import POLLED, a_frame, a_server, ago, an_event, the_cloud, today

TEN = 10_000


def resized(number: int, at: datetime, before: int, after: int) -> EventRecord:
    kind = "server.shrunk" if after < before else "server.grown"
    return an_event(number, kind, "id-batch", at, changes={"cpu_mhz_effective": (before, after)})


def seen(*events: EventRecord) -> Mirror:
    """A cloud of which just these events were seen, after one of long ago."""
    first = an_event(1, "server.running", "id-other", ago(hours=3))
    return Mirror().apply(Events((first, *events)), POLLED)


def batch(factor: float | None, **said: object) -> ServerRecord:
    factors = None if factor is None else Factors(factor, 1.0)
    row = a_server("batch", is_backfilling=True, cpu_mhz=TEN, perf_factor=factors, started_at=ago(hours=5))
    return replace(row, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("events", "row", "expected"),
    [
        ((), batch(0.5), [0.5] * 4),
        ((resized(2, ago(minutes=20), TEN, 5000),), batch(0.5), [1.0, 1.0, 0.5, 0.5]),
        (
            (resized(2, ago(minutes=50), TEN, 2500), resized(3, ago(minutes=49), 2500, TEN)),
            batch(1.0),
            [0.25, 1.0, 1.0, 1.0],
        ),
        ((resized(2, ago(minutes=90), TEN, 5000),), batch(0.5), [0.5] * 4),
        ((), batch(1.0, started_at=ago(minutes=29)), [None, None, 1.0, 1.0]),
        ((an_event(2, "server.displaced", "id-batch", ago(minutes=31)),), batch(None, state="stopped"), [None] * 4),
        (
            (resized(2, ago(minutes=40), TEN, 5000), an_event(3, "server.displaced", "id-batch", ago(minutes=25))),
            batch(None, state="stopped"),
            [1.0, 0.5, 0.5, None],
        ),
    ],
)
def test_a_factor_is_what_the_last_event_made_it_and_a_part_shows_the_least(
    events: tuple[EventRecord, ...], row: ServerRecord, expected: list[float | None]
) -> None:
    assert shrinking.factors(seen(*events), row, a_frame(), "cpu", 4) == expected


def test_before_the_first_event_that_was_seen_nothing_is_guessed() -> None:
    mirror = Mirror().apply(Events((an_event(1, "server.running", "id-other", ago(minutes=29)),)), POLLED)

    assert shrinking.factors(mirror, batch(0.5), a_frame(), "cpu", 4) == [None, None, 0.5, 0.5]


def test_full_is_the_highest_sign_and_less_than_full_never_has_it() -> None:
    assert text_of(shrinking.sparkline([1.0, 0.99, 0.5, 0.01, None], a_frame())) == "█▇▄▁ "
    assert text_of(shrinking.sparkline([1.0, 0.99, 0.01], a_frame(glyphs=ASCII))) == "#=_"


@pytest.mark.parametrize("name", ["batch", "ba\u0300\u0301tch", "b亜tch", "👩‍💻tch"])
def test_the_hour_stands_two_cells_after_the_name_however_many_signs_it_has(name: str) -> None:
    title = text_of(shrinking.preview(the_cloud(), a_frame(100, 36), batch(0.5, name=name))[1])

    assert title.startswith(f" {name}  {ago(hours=1):%H:%M} to ")


def test_the_row_under_the_cursor_has_its_last_hour_below_with_who_took_what_and_when() -> None:
    view = backfill.view(the_cloud(), a_frame(100, 36))
    assert view.preview is not None

    assert [text_of(line).rstrip() for line in view.preview("id-render-12")][1:] == [
        " render-12  13:03 to 14:03, known since 13:38:20",
        f" CPU    {' ' * 35}███████████████████████▅▅▅  0.62",
        f" memory {' ' * 35}██████████████████████████  1.00",
        " 14:01:10 CPU 12.0 to 7.4 GHz on c2-h07, because of web-31",
    ]


def test_the_last_hour_counts_who_was_shrunk_and_marks_who_was_stopped() -> None:
    first, second = shrinking.last_hour(the_cloud(), a_frame(), 60)

    assert text_of(first).split()[-1] == "1"
    assert text_of(second).count("■") == 1
    lost = an_event(9, "server.stopped", "id-crawl-22", today(13, 38, 20), changes={"reason": (None, "host_lost")})
    mirror = the_cloud().apply(Events((lost,)), POLLED)
    assert text_of(shrinking.last_hour(mirror, a_frame(), 60)[1]).split()[-1] == "1+1"


def test_a_small_terminal_keeps_its_rows_for_the_list() -> None:
    view = backfill.view(the_cloud(), a_frame(80, 24))

    assert (view.below, view.preview) == ((), None)


def test_beside_the_hosts_the_last_hour_is_in_sight_whatever_the_pane_holds() -> None:
    for height in (45, 60):
        view = backfill.view(the_cloud(), a_frame(200, height))

        assert "LAST HOUR" in text_of(view.below[1])
        assert {len(text_of(line)) for line in view.below} == {200 - view.pane_width}


@pytest.mark.parametrize(("width", "height"), [(100, 24), (200, 60)])
def test_where_its_hour_has_no_rows_the_status_row_of_a_server_has_it(width: int, height: int) -> None:
    view = backfill.view(the_cloud(), a_frame(width, height))
    server = the_cloud().fleet.shrunk[0]

    line = text_of(view.status(server.id))
    assert line.startswith(f"{server.title}: ")
    assert "   CPU 1h " in line
    assert len(line) < width


def test_a_row_that_is_about_nothing_else_says_so() -> None:
    assert objects.no_target(the_cloud(), "host:c1-h04") == "a host is about nothing else: enter opens it"
