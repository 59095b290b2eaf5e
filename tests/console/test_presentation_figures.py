"""Numbers, ages, bars, gauges and strips: tables of values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import figures
from console.presentation.lines import ASCII, UNICODE, Tone, span_width, text_of
from tests.console.examples import GIB, a_host, a_server, size

NOW = datetime(2026, 11, 20, 14, 3, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "1.00"), (0.997, "0.99"), (0.9999, "0.99"), (0.6181, "0.62"), (0.3333, "0.33"), (0.25, "0.25"),
     (0.001, "0.01"), (0.0, "0.00")],
)  # fmt: skip
def test_a_factor_below_one_never_prints_as_one(share: float, shown: str) -> None:
    assert figures.factor(share) == shown


@pytest.mark.parametrize(("share", "shown"), [(1.0, "100"), (0.996, "99"), (0.83, "83"), (0.0, "0"), (0.005, "0")])
def test_a_share_is_100_only_when_it_is_true(share: float, shown: str) -> None:
    assert figures.percent(share) == shown


@pytest.mark.parametrize(
    ("gib", "shown"),
    [(48, "48"), (8, "8"), (3.1, "3.1"), (0.5, "0.5"), (10.4, "10"), (2284, "2,284"), (0, "0")],
)
def test_memory_is_whole_from_ten_up(gib: float, shown: str) -> None:
    assert figures.gib(gib * GIB) == shown


def test_cpu_has_one_decimal_and_sums_have_none() -> None:
    assert (figures.ghz(16_000), figures.ghz(1_024_500), figures.ghz_whole(1_198_000)) == ("16.0", "1,024.5", "1,198")


@pytest.mark.parametrize(
    ("seconds", "age", "duration"),
    [
        (0, "0s", "0s"),
        (46, "46s", "46s"),
        (137, "2m17s", "2m17s"),
        (599, "9m59s", "9m59s"),
        (745, "12m", "12m25s"),
        (3599, "59m", "59m59s"),
        (3660, "1h01m", "1h01m"),
        (14_100, "3h55m", "3h55m"),
        (97_200, "1d03h", "1d03h"),
        (4_726_800, "54d17h", "54d17h"),
        (142 * 86_400, "142d", "142d"),
        (-5, "0s", "0s"),
    ],
)
def test_ages_have_two_units_at_most(seconds: float, age: str, duration: str) -> None:
    assert (figures.age(seconds), figures.duration(seconds)) == (age, duration)


def test_a_countdown_ends_in_due() -> None:
    assert [figures.countdown(seconds) for seconds in (693, 0, -1)] == ["11m33s", "0s", "due"]


@pytest.mark.parametrize(
    ("at", "long", "short"),
    [
        (NOW.replace(hour=13, minute=51, second=2), "13:51:02", "13:51:02"),
        (NOW.replace(day=19, hour=22, minute=0), "19 Nov 22:00", "19 Nov"),
        (NOW.replace(year=2025, month=3, day=4), "04 Mar 2025", "04 Mar"),
    ],
)
def test_an_instant_is_a_time_today_and_a_day_otherwise(at: datetime, long: str, short: str) -> None:
    assert (figures.instant(at, NOW), figures.instant_short(at, NOW)) == (long, short)


@pytest.mark.parametrize(
    ("normal", "backfill", "whole", "width", "bar"),
    [
        (40.0, 28.0, 96.0, 28, "████████████▒▒▒▒▒▒▒▒········"),
        (48.0, 12.0, 64.0, 28, "█████████████████████▒▒▒▒▒··"),
        (44.0, 20.0, 64.0, 28, "███████████████████▒▒▒▒▒▒▒▒▒"),
        (796.0, 148.0, 1024.0, 18, "██████████████▒▒▒·"),
        (0.1, 0.1, 64.0, 10, "█▒········"),
        (63.9, 0.0, 64.0, 10, "█████████·"),
        (0.0, 0.0, 64.0, 4, "····"),
        (0.0, 0.0, 0.0, 4, "····"),
        (70.0, 10.0, 64.0, 8, "███████▒"),
    ],
)
def test_a_bar_rounds_from_the_cumulated_sum(
    normal: float, backfill: float, whole: float, width: int, bar: str
) -> None:
    line = figures.use_bar(normal, backfill, whole, width, UNICODE)

    assert text_of(line) == bar


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=3), st.floats(0, 2000), st.integers(4, 60))
def test_a_bar_always_adds_up_and_shows_every_part(parts: list[float], whole: float, width: int) -> None:
    widths = figures.bar_widths(parts, whole, width)

    assert sum(widths) == width
    if whole > 0:
        assert all(cells > 0 for cells, part in zip(widths, parts, strict=False) if part > 1e-9 * whole)


@pytest.mark.parametrize(
    ("share", "floor", "gauge", "tone"),
    [
        (0.6181, 0.25, "██│███····", Tone.BACKFILL),
        (0.5, 0.5, "█████│····", Tone.WARN),
        (0.25, 0.25, "██│·······", Tone.WARN),
        (0.3333, 0.25, "██│·······", Tone.BACKFILL),
        (0.75, 0.75, "████████│·", Tone.WARN),
        (0.8, 0.8, "████████│·", Tone.WARN),
        (0.6181, 0.5, "█████│····", Tone.BACKFILL),
        (1.0, 0.25, "██│███████", Tone.MUTED),
        (1.0, 0.5, "█████│████", Tone.MUTED),
        (0.99, 0.1, "█│███████·", Tone.BACKFILL),
        (1.0, 1.0, "█████████│", Tone.MUTED),
        (0.5, None, "█████·····", Tone.BACKFILL),
    ],
)
def test_a_gauge_draws_its_floor_over_its_fill(share: float, floor: float | None, gauge: str, tone: Tone) -> None:
    assert text_of(figures.gauge(share, floor, UNICODE)) == gauge
    assert figures.factor_tone(share, floor) is tone


def test_a_gauge_never_stands_without_its_number() -> None:
    assert text_of(figures.gauge_and_number(0.6181, 0.25, ASCII)) == "##|###.... 0.62"
    assert text_of(figures.gauge_and_number(None, None, UNICODE)) == "              —"
    assert figures.gauge(0.5, 0.25, UNICODE, width=9) == ()


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (0.81, "████████████████····"),
        (0.12, "██··················"),
        (0.001, "█···················"),
        (0.999, "███████████████████·"),
    ],
)
def test_progress_shows_what_is_done_and_what_is_left(share: float, bar: str) -> None:
    assert text_of(figures.progress_bar(share, 20, UNICODE)) == bar


def test_a_strip_shows_lost_hosts_first_then_maintenance_then_the_fullest() -> None:
    hosts = [
        a_host("h1", "c", normal=10, backfilling=0),
        a_host("h2", "c", normal=40, backfilling=24),
        a_host("h3", "c", state="maintenance"),
        a_host("h4", "c", state="down"),
        a_host("h5", "c", normal=30, backfilling=0),
        a_host("h6", "c", normal=40, backfilling=0),
        a_host("h7", "c", normal=40, backfilling=20),
        a_host("s1", "c", kind="storage"),
    ]

    strip = figures.strip(hosts, UNICODE)

    assert text_of(strip) == "✗m█▓▒░·"
    assert [span.tone for span in strip] == [Tone.CRIT, Tone.WARN, Tone.TEXT]
    assert text_of(figures.strip(hosts, ASCII)) == "xm#=-:."
    assert {span.tone for span in figures.strip(hosts, UNICODE, is_known=False)} == {Tone.UNKNOWN}


def test_a_cell_with_too_many_hosts_counts_equal_ones_but_never_the_lost() -> None:
    hosts = [a_host(f"h{n}", "c", normal=64, backfilling=0) for n in range(27)]
    hosts += [a_host("x1", "c", state="down"), a_host("x2", "c", state="down"), a_host("m1", "c", state="maintenance")]

    assert text_of(figures.strip(hosts, UNICODE)) == "✗✗m█27"
    assert span_width(figures.strip(hosts, UNICODE, width=40)) < 16


@pytest.mark.parametrize(
    ("said", "word", "letter", "tone"),
    [
        ({"state": "unavailable"}, "lost", "X", Tone.CRIT),
        ({"state": "unknown"}, "UNKNOWN", "U", Tone.UNKNOWN),
        ({"state": "starting"}, "start", "B", Tone.ACCENT),
        ({"state": "starting", "waits": True}, "waits", "W", Tone.WARN),
        ({"state": "stopping"}, "halting", "E", Tone.ACCENT),
        ({"state": "paused"}, "paused", "P", Tone.WARN),
        ({"state": "running"}, "run", "R", Tone.OK),
        ({"state": "running", "notice_until": NOW}, "notice", "N", Tone.WARN),
        ({"state": "stopped"}, "stopped", "S", Tone.MUTED),
        ({"state": "stopped", "reason": "displaced"}, "no room", "C", Tone.CRIT),
        ({"state": "stopped", "reason": "host_lost"}, "no host", "C", Tone.CRIT),
        ({"state": "a-state-of-tomorrow"}, "a-state", "U", Tone.UNKNOWN),
    ],
)
def test_a_state_is_told_by_word_letter_and_tone(said: dict[str, Any], word: str, letter: str, tone: Tone) -> None:
    look = figures.server_state(a_server("web", **said))

    assert (look.word, look.letter, look.tone) == (word, letter, tone)


@pytest.mark.parametrize(
    ("ghz_hours", "shown"),
    [(1234.5, "1,234 GHz h"), (10, "10 GHz h"), (9.94, "9.9 GHz h"), (0.05, "0.1 GHz h"), (0.049, "49 MHz h"),
     (0.001, "1 MHz h"), (0.0, "under 1 MHz h")],
)  # fmt: skip
def test_a_loss_of_work_is_never_written_as_nothing(ghz_hours: float, shown: str) -> None:
    assert figures.work(ghz_hours) == shown


def test_the_sum_of_what_was_not_said_is_not_zero() -> None:
    assert figures.added(None, None) is None
    assert figures.added(size(1, 2), None, size(2, 3)) == size(3, 5)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("size_bytes: at least 2147483648, at most 3221225472", "size: at least 2 GiB, at most 3 GiB"),
        ("the largest has 64000 MHz and 206158430208 bytes", "the largest has 64.0 GHz and 192 GiB"),
        ("cpu_floor: belongs to a backfilling server", "CPU floor: belongs to a backfilling server"),
        ("server 1234567890 is unknown; 250 MHz is the least", "server 1234567890 is unknown; 250 MHz is the least"),
    ],
)
def test_what_the_api_says_of_sizes_is_written_as_on_the_screen(said: str, shown: str) -> None:
    assert figures.in_units(said) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (12 * 2**40, "12 TiB"),
        (2**30, "1 GiB"),
        (2**29, "512 MiB"),
        (5 * 2**29, "2.5 GiB"),
        (2**30 + 2**20, "1025 MiB"),
        (15 * 2**40 + 5, "15360 GiB"),
    ],
)
def test_an_amount_is_written_as_it_may_be_typed(size_bytes: int, shown: str) -> None:
    assert figures.amount_of_bytes(size_bytes) == shown
