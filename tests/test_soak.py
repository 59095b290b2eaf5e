"""What a leak is, on series that are made up; and that nothing leaks in ten minutes of a real life."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.judging import (
    Bound,
    Timed,
    after_warm_up,
    against,
    binned,
    judge,
    least_squares_slope,
    middle_slope,
    per,
    told,
)
from tests.soak.soaking import HANDLES, MEMORY, MIDDLE, soak
from tests.strategies import QUICK

SECONDS = 600.0
MINUTES_THOROUGH = 9.0


def taken(of: Callable[[float], float], *, each_seconds: float = 2.0, noise: float = 0.0) -> list[Timed]:
    """Values of ten minutes after the warm-up; `noise` is a part of the value, up or down."""
    chance = random.Random(1)
    values = [
        (at, of(at) * (1 + chance.uniform(-noise, noise)))
        for at in (each_seconds * number for number in range(int(SECONDS / each_seconds)))
    ]
    return after_warm_up(values, 0.0, SECONDS)


def is_flat(values: list[Timed], bound: Bound) -> bool:
    return judge("it", "MB", values, bound).is_flat


def test_what_fills_its_caches_first_and_then_stands_still_is_flat() -> None:
    assert is_flat(taken(lambda at: min(120.0, 60 + at), noise=0.01), MEMORY)


def test_what_falls_or_goes_up_and_down_is_flat() -> None:
    assert is_flat(taken(lambda at: 200 - at / 10), MEMORY)
    assert is_flat(taken(lambda at: 100 + 10 * (at % 30) / 30), MEMORY)


@pytest.mark.parametrize("share", [0.05, 0.08, 0.5])
def test_a_leak_of_a_few_per_cent_in_ten_minutes_is_found_under_noise(share: float) -> None:
    assert not is_flat(taken(lambda at: 100 * (1 + share * at / SECONDS), noise=0.02), MEMORY)


def test_a_leak_in_steps_is_found() -> None:
    """An allocator asks the system for a whole arena, and then for nothing for minutes."""
    assert not is_flat(taken(lambda at: 100 + 2 * (at // 120)), MEMORY)


def test_a_leak_under_what_comes_and_goes_is_found() -> None:
    assert not is_flat(taken(lambda at: 100 + 8 * (at % 30) / 30 + 6 * at / SECONDS), MEMORY)


def test_a_handle_a_minute_is_found_and_a_single_one_is_not() -> None:
    assert not is_flat(taken(lambda at: 40 + at // 60), HANDLES)
    assert is_flat(taken(lambda at: 40 + (at > 300)), HANDLES)


def test_what_fills_the_room_that_it_was_given_is_flat_and_no_more_than_that() -> None:
    values = taken(lambda at: at / 6)

    assert is_flat(values, Bound(0.1, room=100.0))
    assert not is_flat(values, Bound(0.1, room=99.0))


def test_a_few_wild_values_do_not_tilt_the_line_of_what_is_jumpy() -> None:
    values = [(at, value * (20 if at > 580 else 1)) for at, value in taken(lambda at: 10.0, noise=0.2)]

    assert is_flat(values, MIDDLE)
    assert not is_flat(values, Bound(MIDDLE.share))


def test_latencies_that_double_are_found_among_wild_values() -> None:
    values = taken(lambda at: 10 * (1 + 3 * at / SECONDS), noise=0.3)
    wild = [(at, value * (20 if number % 12 == 0 else 1)) for number, (at, value) in enumerate(values)]

    assert not is_flat(wild, MIDDLE)


@given(
    slope=st.floats(-5, 5).map(lambda x: round(x, 3)),
    level=st.floats(-100, 100).map(lambda x: round(x, 3)),
    instants=st.lists(st.integers(0, 10_000), min_size=2, max_size=30, unique=True).map(sorted),
)
@QUICK
def test_the_slope_of_a_line_is_the_lines_own(slope: float, level: float, instants: list[int]) -> None:
    line = [(float(at), level + slope * at) for at in instants]

    assert least_squares_slope(line) == pytest.approx(slope, abs=1e-6)
    assert middle_slope(line) == pytest.approx(slope, abs=1e-6)


def test_too_few_values_are_refused_rather_than_called_flat() -> None:
    with pytest.raises(ValueError, match="it has 3 values after the warm-up, expected 8: run for longer"):
        judge("it", "MB", [(0, 1), (1, 1), (2, 1)], MEMORY)


def test_work_is_counted_by_the_unit_of_work() -> None:
    """Twice the work at the end is twice the events, and none more for each piece of it."""
    work = [(at, at if at < 50 else 50 + 2 * (at - 50)) for at in map(float, range(100))]
    events = [(at, 3 * done) for at, done in work]

    assert {round(value, 9) for _, value in per(events, work)} == {3.0}
    assert per([(at, 0.0) for at, _ in work], [(at, 7.0) for at, _ in work]) == []


def test_a_quantile_is_taken_of_each_part_of_the_time() -> None:
    found = binned([(float(at), float(at // 10)) for at in range(40)], max, bins=4)

    assert [value for _, value in found] == [0, 1, 2, 3]
    assert binned([], max) == []


def test_latencies_are_weighed_against_a_rival_of_the_same_time() -> None:
    """The machine is three times as slow in the second half; only what slows down beside the rival has slowed down."""
    busy = [(float(at), 1.0 if at < 50 else 3.0) for at in range(100)]
    ours = [(at + 0.5, 4 * value) for at, value in busy]
    slowing = [(at, value * (1 + at / 100)) for at, value in ours]

    assert {value for _, value in against(ours, busy, max)} == {4.0}
    assert judge("it", "x", against(ours, busy, max), MIDDLE).is_flat
    assert not judge("it", "x", against(slowing, busy, max), MIDDLE).is_flat


def test_a_table_says_what_grows() -> None:
    flat = judge("handles", "", taken(lambda at: 40.0), HANDLES)
    leak = judge("memory", "MB", taken(lambda at: 100 + at / 10), MEMORY)

    lines = told([flat, leak]).splitlines()

    assert lines[1].endswith("flat")
    assert lines[2].endswith("GROWS")
    assert "+28.4%" in lines[2]


@pytest.mark.thorough
def test_nothing_grows_in_ten_minutes_of_a_real_life() -> None:
    found = soak(60 * MINUTES_THOROUGH)

    assert all(verdict.is_flat for verdict in found.verdicts), told(found.verdicts)
    assert found.checked.breach is None
    assert found.seen.answers["create 201"] > 500
