"""The log of events in words, at an instant of the past, and as a density."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import density, detail, event_words, events, header, past, servers
from console.presentation.lines import ASCII, UNICODE, Tone, span_width, text_of
from console.presentation.mirror import PASTS_KEPT, Mirror
from console.records import EventRecord, PastEvents
from tests.console.drawn import WIDTHS, a_silent_cloud, body, lines_of
from tests.console.examples import NOW, POLLED, a_frame, an_event, the_cloud, the_events, today

MICROSECOND = timedelta(microseconds=1)

# Times that are typed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("now", None),
        (" NOW ", None),
        ("13:51", today(13, 51)),
        ("13:51:02", today(13, 51, 2)),
        ("9:05", today(9, 5)),
        ("14:03:27", NOW),
        ("23:59", today(23, 59) - timedelta(days=1)),
        ("-10m", NOW - timedelta(minutes=10)),
        ("-2h", NOW - timedelta(hours=2)),
        ("-1d", NOW - timedelta(days=1)),
        ("-1h30m5s", NOW - timedelta(hours=1, minutes=30, seconds=5)),
        ("2026-11-14 09:00", datetime(2026, 11, 14, 9, tzinfo=UTC)),
        ("2026-11-14T09:00:30Z", datetime(2026, 11, 14, 9, 0, 30, tzinfo=UTC)),
        ("2026-11-14 10:00+01:00", datetime(2026, 11, 14, 9, tzinfo=UTC)),
        ("2026-11-14", datetime(2026, 11, 14, tzinfo=UTC)),
    ],
)
def test_a_typed_time_is_an_instant(typed: str, at: datetime | None) -> None:
    assert past.parse_time(typed, NOW) == at


@pytest.mark.parametrize(
    "typed", ["teatime", "24:00", "12:60", "10m", "-10", "-m", "2026-13-01", "-999999d999999d", "٣:٠٠x"]
)
def test_what_is_no_time_gets_a_sentence_that_says_what_is(typed: str) -> None:
    assert past.parse_time(typed, NOW) == f"{typed} is not a time; type {past.EXPECTED}"


def test_what_has_not_come_yet_is_said_to() -> None:
    assert past.parse_time("2026-11-20 14:04", NOW) == "2026-11-20 14:04 has not come yet: it is 14:03:27"


@given(st.text(max_size=20))
def test_nothing_that_is_typed_breaks_it_or_leads_into_the_future(typed: str) -> None:
    at = past.parse_time(typed, NOW)

    assert at is None or isinstance(at, str) or at <= NOW


# What is known ------------------------------------------------------------------------------------------------------


def holding(*found: EventRecord, **said: Any) -> Mirror:
    return the_cloud().apply(PastEvents(found, **said), POLLED)


def test_the_past_is_what_was_read_of_it_and_the_present_goes_on() -> None:
    old = an_event(1, "server.created", "id-web-31", today(9, 0), "cell-1")
    mirror = holding(old, an_event(2, "server.running", "id-web-31", today(9, 0, 30), "cell-1"))

    at_nine = past.window(mirror, a_frame(past_at=today(9, 0, 10)))
    assert at_nine is not None
    assert at_nine.events[0] is old
    assert past.window(mirror, a_frame(past_at=today(8, 59))) is None, "what was before is not known"
    present = past.window(mirror, a_frame())
    assert present is not None
    assert present.events == mirror.events


def test_older_pages_are_joined_to_the_present_unless_there_is_a_gap() -> None:
    oldest = the_events()[0]
    old = an_event(1, "server.created", "id-web-31", today(9, 0), "cell-1")

    joined = past.window(holding(old, oldest, is_current=True), a_frame())
    apart = past.window(holding(old, is_current=True), a_frame())
    assert joined is not None
    assert apart is not None
    assert [event.key for event in joined.events] == [old.key, *(event.key for event in the_cloud().events)]
    assert apart.events == the_cloud().events


def test_only_the_stretches_that_were_read_last_are_kept() -> None:
    mirror = the_cloud()
    for number in range(PASTS_KEPT + 2):
        mirror = mirror.apply(PastEvents((), f"id-{number}"), POLLED)

    assert list(mirror.pasts) == [f"id-{number}" for number in range(2, PASTS_KEPT + 2)]


def test_what_was_read_of_the_past_says_nothing_of_whether_the_cloud_answers() -> None:
    silent = a_silent_cloud()

    assert silent.apply(PastEvents(()), NOW).problem == silent.problem


# The view -----------------------------------------------------------------------------------------------------------


def in_the_past(mirror: Mirror | None = None, **choices: Any) -> list[str]:
    return [
        line.rstrip()
        for line in body(events.view(mirror or the_cloud(), a_frame(past_at=today(13, 51, 50), **choices)))
    ]


def test_a_row_says_where_one_is_and_what_came_after_is_muted() -> None:
    view = events.view(the_cloud(), a_frame(past_at=today(13, 51, 50)))

    assert in_the_past()[1:] == [
        " 14:01:18  ● web-31        runs",
        " 14:01:10  ▒ render-12     CPU 12.0 to 7.4 GHz on c2-h07, because of web-31",
        " 13:51:50  ┃ here, 11m37s ago",
        " 13:51:02  ✗ cell-3        does not answer: connection refused",
        " 13:41:10  ■ train-09      stopped on c2-h16 to make room for shop-11",
        " 13:38:20  ✗ c2-h13        down",
    ]
    tones = [{span.tone for span in line if span.text.strip()} for line in lines_of(view)[1:]]
    assert tones[0] == {Tone.MUTED, Tone.OK}, "glyphs keep their tone"
    assert tones[3] == {Tone.MUTED, Tone.CRIT, Tone.TEXT}


def test_before_the_page_has_come_there_is_where_one_is_and_an_ellipsis() -> None:
    assert [line.strip() for line in in_the_past(Mirror())[1:]] == ["13:51:50  ┃ here, 11m37s ago", "…"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_the_past_fits_every_terminal(width: int, height: int, glyphs: Any) -> None:
    frame = a_frame(width, height, glyphs=glyphs, past_at=today(13, 51, 50))
    view = events.view(the_cloud(), frame)
    below = view.preview("past:here") if view.preview is not None else ()

    for line in (*lines_of(view), *below, header.header(the_cloud(), frame)):
        assert span_width(line) == width
        assert text_of(line)[-1] == " "
        assert glyphs is UNICODE or text_of(line).isascii()
    assert bool(below) == (width >= 60 and height >= 20)


@pytest.mark.parametrize(
    ("width", "ago", "shown"),
    [
        (40, timedelta(minutes=11, seconds=37), "PAST -11m37s"),
        (60, timedelta(minutes=11, seconds=37), "PAST 13:51:50  -11m37s"),
        (80, timedelta(days=1, hours=2), "PAST 19 Nov 12:03  -1d02h"),
        (80, timedelta(days=400), "PAST 16 Oct 2025  -400d"),
    ],
)
def test_the_header_says_that_this_is_the_past_where_the_clock_was(width: int, ago: timedelta, shown: str) -> None:
    line = header.header(the_cloud(), a_frame(width, past_at=NOW - ago))

    assert text_of(line).rstrip().endswith(shown)
    assert any(span.text == shown and span.is_reversed and span.tone is Tone.WARN for span in line)
    assert "demo" in text_of(line)


def test_a_cloud_that_fell_silent_is_told_in_the_past_too() -> None:
    assert "STALE 6m23s" in text_of(header.header(a_silent_cloud(), a_frame(past_at=today(13, 51))))


# Alarms and steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "step", "found"),
    [
        (past.end_of(NOW), -1, "cell-3/1"),
        (past.end_of(today(13, 51, 2)), -1, "cell-3/1"),
        ((today(13, 51, 2), "cell-3", 1), -1, "cell-2/2"),
        ((today(13, 38, 20), "cell-2", 1), -1, None),
        ((today(13, 38, 20), "cell-2", 1), 1, "cell-2/2"),
        (past.end_of(today(13, 51, 2)), 1, None),
    ],
)
def test_alarms_are_found_in_the_order_of_the_log(start: past.Position, step: int, found: str | None) -> None:
    log = [event._replace(file="cell-3") if event.kind == "cell.down" else event for event in the_events()]

    alarm = past.alarm_beside(sorted(log, key=past.position), start, step, event_words.is_alarm)

    assert (None if alarm is None else alarm.key) == found


@pytest.mark.parametrize(
    ("start", "step", "found"),
    [
        # From behind an instant: the last alarm of its second; from one of them, another second's.
        (past.end_of(NOW), -1, "cell-1/8"),
        ((today(14, 0, 5) + 2 * MICROSECOND, "cell-1", 7), -1, "cell-1/4"),
        ((today(14, 0, 5) + 3 * MICROSECOND, "cell-1", 8), -1, "cell-1/4"),
        ((today(14, 0, 4), "cell-1", 2), -1, None),
        ((today(14, 0, 4), "cell-1", 2), 1, "cell-1/8"),
        ((today(14, 0, 5), "cell-1", 5), 1, None),
        ((today(13, 0, 0), "cell-1", 0), 1, "cell-1/4"),
    ],
)
def test_a_lost_host_with_all_its_servers_is_one_alarm(start: past.Position, step: int, found: str | None) -> None:
    log = [an_event(n, "server.unavailable", f"id-{n}", today(14, 0, 4), "cell-1") for n in range(1, 5)]
    log += [an_event(n, "host.down", "h", today(14, 0, 5) + (n - 5) * MICROSECOND, "cell-1") for n in range(5, 9)]

    alarm = past.alarm_beside(log, start, step, event_words.is_alarm)

    assert (None if alarm is None else alarm.key) == found


# The density --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "here", "shown"),
    [
        (today(9, 0), NOW, NOW, (today(13, 3, 27), NOW)),
        (today(9, 0), NOW, today(13, 51, 50), (today(13, 3, 27), NOW)),
        (today(9, 0), NOW, today(10, 0), (today(9, 30), today(10, 30))),
        (today(13, 30), NOW, NOW, (today(13, 30), NOW)),
        (today(9, 50), today(10, 10), today(10, 0), (today(9, 50), today(10, 10))),
        (NOW, NOW, NOW, (NOW - timedelta(minutes=1), NOW)),
    ],
)
def test_the_span_is_an_hour_of_what_is_known_with_here_in_it(
    first: datetime, last: datetime, here: datetime, shown: tuple[datetime, datetime]
) -> None:
    assert density.span(first, last, here) == shown


def test_the_density_stands_above_a_line_with_the_alarms_and_here() -> None:
    view = events.view(the_cloud(), a_frame(past_at=today(13, 51, 50)))
    assert view.preview is not None

    above, below = (text_of(line) for line in view.preview("past:here"))

    assert above == " events   ▅▁▁▁▁▁▅▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁          "
    assert below == " 13:38    ✗─────■───────────────────────✗─┃───────────────────────────    14:03 "


def test_of_two_alarms_on_one_cell_the_worse_is_shown_and_one_event_among_many_is_seen() -> None:
    log = [an_event(n, "server.running", "x", today(13, 30, n % 50)) for n in range(200)]
    log += [an_event(200, "server.notice", "x", today(13, 10)), an_event(201, "host.down", "h", today(13, 10))]
    looks = lambda event: event_words.look(event, ASCII) if event_words.is_alarm(event) else None  # noqa: E731

    frame = a_frame(glyphs=ASCII)
    above, below = (text_of(line) for line in density.lines(log, (today(13, 3), NOW), NOW, frame, looks))

    assert set(above[10:70]) == {"_", ".", "#"}
    assert below[10:70].strip("-") == "x" + "-" * 52 + "|"


# Sentences ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said", "sentence"),
    [
        ("drive.created", {"changes": {"host": (None, "c2-s01")}}, "drive created on c2-s01"),
        ("drive.created", {"details": {"source": "s", "source_name": "data"}, "changes": {"host": (None, "c2-s01")}},
         "drive begun as a copy of data on c2-s01"),
        ("drive.cloning_src", {"details": {"copy": "c", "copy_name": "data-clone"}},
         "drive is being copied to data-clone"),
        ("drive.cloning_src", {"details": {"copy": "0123456789abcdef"}}, "drive is being copied to 01234567"),
        ("drive.unmounted", {"changes": {"state": ("cloning_dst", "unmounted")}}, "drive is a whole copy now"),
        ("drive.mounted", {"changes": {"state": ("cloning_src", "mounted")}},
         "drive has been copied, and is free again"),
        ("drive.unmounted", {"changes": {"state": ("creating", "unmounted")}}, "drive is ready"),
        ("drive.attached", {"changes": {"server_id": (None, "id-web-31")}}, "drive attached to web-31"),
        ("drive.detached", {"changes": {"server_id": ("id-web-31", None)}}, "drive detached from web-31"),
        ("drive.unavailable", {"details": {"host": "c2-s01"}}, "drive lost with c2-s01"),
        ("drive.returned", {}, "drive is back with its host"),
        ("drive.edited", {"changes": {"name": ("a", "b"), "version": (1, 2)}}, "drive edited: name"),
        ("server.created", {"details": {"source": "s", "source_name": "web"}}, "made as a clone of web"),
        ("server.stopping", {"details": {"action": "shutdown"}}, "shuts itself down"),
        ("server.stopped", {"changes": {"reason": (None, "host_lost")}}, "stopped: its host was lost"),
        ("server.stays", {"changes": {"reason": ("host_lost", "No host has room: cpu 3.")}},
         "stays: No host has room: cpu 3."),
        ("server.paused", {"changes": {"reason": (None, "storage_lost")}}, "paused: a drive of it is lost"),
        ("server.resumed", {}, "goes on: it has all its drives again"),
        ("server.returned", {"changes": {"host": (None, "c2-h01")}}, "is back with its host"),
        ("host.maintenance", {}, "drained: nothing more is placed there"),
        ("host.evacuated", {"details": {"stays": ["a", "b"]}}, "evacuated; 2 could not leave"),
        ("host.up", {}, "up again"),
        ("group.restored", {"details": {"moved": 2, "planned": 2}}, "taken apart"),
        ("group.restored", {"details": {"moved": 1, "planned": 3}}, "taken apart in part: 1 of 3 have moved"),
        ("backup.created", {}, "backup begun"),
        ("backup.deleted", {}, "backup dropped"),
        ("schedule.missed", {"details": {"why": "unreachable"}}, "schedule missed a run: unreachable"),
        ("schedule.failed", {"details": {"reason": "quota"}}, "schedule failed: quota"),
        ("schedule.overlapped", {}, "schedule refused a run: the last one is not finished"),
        ("schedule.drilled", {"details": {"seconds": 60, "problem": None}}, "restore drill took 60 s"),
        ("schedule.drilled", {"details": {"problem": "no room"}}, "restore drill failed: no room"),
        ("backup.failed", {"details": {"reason": "a drive was lost"}}, "backup failed: a drive was lost"),
        ("backup.restoring", {"details": {"server_name": "db-02"}}, "restored into db-02"),
        ("backup.restored", {"details": {"server_name": "db-02"}}, "restore into db-02 done"),
        ("backup.kept", {"details": {"rule": "weekly"}}, "backup kept past its time: weekly"),
        ("volume.turned_blue", {}, "volume turned blue"),
    ],
)  # fmt: skip
def test_each_kind_of_event_is_a_sentence(kind: str, said: dict[str, Any], sentence: str) -> None:
    assert event_words.sentence(the_cloud(), an_event(1, kind, "x", NOW, **said)) == sentence


@pytest.mark.parametrize(
    ("kind", "object_id", "said", "title"),
    [
        ("server.running", "id-web-31", {}, "web-31"),
        ("drive.mounted", "ef9d0343-0000", {"object_name": "data"}, "data"),
        ("drive.created", "ef9d0343-0000", {"changes": {"name": (None, "data")}}, "data"),
        ("drive.deleted", "ef9d0343-0000", {"changes": {"name": ("data", None)}}, "data"),
        ("drive.mounted", "ef9d0343-0000", {}, "ef9d0343"),
        ("backup.created", "b", {"changes": {"server_id": (None, "id-web-31")}}, "web-31"),
        ("backup.ready", "b", {"object_name": "db"}, "db"),
        ("host.down", "c2-h13", {}, "c2-h13"),
    ],
)
def test_an_event_names_what_it_is_about(kind: str, object_id: str, said: dict[str, Any], title: str) -> None:
    assert event_words.title(the_cloud(), an_event(1, kind, object_id, NOW, **said)) == title


def test_of_a_server_whose_log_cannot_be_read_the_past_says_what_is_of_later() -> None:
    row = replace(the_cloud().servers["id-auth-01"], known_at=None, last_state=None)
    mirror = replace(the_cloud(), fleet=the_cloud().fleet.changed([row]))
    frame = a_frame(past_at=NOW - timedelta(hours=1))

    said = text_of(servers.view(mirror, frame).status(row.id))

    assert said == "auth-01: cell-3's log cannot be read now; its name, size and host are of later"
    assert len(said) < 80
    described = "\n".join(body(detail.describe(mirror, row.id, frame)))
    assert "not known of this moment" in described
    assert "never known" not in described
