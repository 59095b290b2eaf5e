"""What is to come of schedules: runs by the hour, and storage that grows until as many backups go as come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud import agenda
from backend.cloud.agenda import Growing, Hour, Run
from backend.cloud.backups import next_trigger
from backend.cloud.model import GIB, Schedule

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_schedule(cron: str = "0 * * * *", **said: Any) -> Schedule:
    defaults: dict[str, Any] = {
        "id": "s",
        "source_id": "v",
        "project_id": "p",
        "description": "",
        "time_zone": "UTC",
        "retention_days": 0,
        "backups_max": 0,
        "is_active": True,
        "next_trigger_at": None,
        "created_at": NOON,
    }
    return Schedule(cron=cron, **{**defaults, **said})


def due(cron: str, **said: Any) -> Schedule:
    schedule = a_schedule(cron, **said)
    return a_schedule(cron, **{**said, "next_trigger_at": next_trigger(schedule, NOON)})


@pytest.mark.parametrize(
    ("cron", "times"),
    [("30 * * * *", ["12:30", "13:30", "14:30"]), ("0 14 * * *", ["14:00"]), ("0 3 * * *", []), ("0 12 * * *", [])],
)
def test_only_what_runs_in_the_window_is_in_it(cron: str, times: list[str]) -> None:
    found = agenda.fires(due(cron), NOON + timedelta(hours=3), count_max=10)

    assert [f"{at:%H:%M}" for at in found] == times


def test_a_schedule_keeps_its_jitter_from_run_to_run() -> None:
    schedule = due("0 * * * *", jitter_seconds=900)

    late = {at.minute * 60 + at.second for at in agenda.fires(schedule, NOON + timedelta(hours=5), count_max=10)}

    assert len(late) == 1


def test_runs_that_overlap_are_seen_in_every_hour_that_they_copy_in() -> None:
    runs = [Run(NOON + timedelta(minutes=50), 1200, 3), Run(NOON + timedelta(minutes=55), 60, 2),
            Run(NOON + timedelta(minutes=56), 60, 9)]  # fmt: skip

    assert agenda.hours(runs, NOON, 3) == [Hour(3, 14, 2, 12), Hour(0, 0, 1, 3), Hour(0, 0, 0, 0)]


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * 60 - 1), st.integers(1, 100), st.integers(0, 9)).map(
            lambda run: Run(NOON + timedelta(minutes=run[0]), 60 * run[1], run[2])
        ),
        max_size=8,
    )
)
def test_what_copies_at_once_is_what_looking_at_every_minute_finds(runs: list[Run]) -> None:
    found = agenda.hours(runs, NOON, 3)

    for number, hour in enumerate(found):
        begins = [run for run in runs if (run.at - NOON) // agenda.HOUR == number]
        minutes = [NOON + timedelta(minutes=60 * number + minute) for minute in range(60)]
        copying = [[run for run in runs if run.at <= at < run.at + timedelta(seconds=run.seconds)] for at in minutes]
        most = max((len(each), sum(run.size_bytes for run in each)) for each in copying)
        assert hour == Hour(len(begins), sum(run.size_bytes for run in begins), *most)


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ({}, None),
        ({"backups_max": 7}, 7),
        ({"retention_days": 2}, 48),
        ({"retention_days": 2, "backups_max": 7}, 7),
        ({"keeps": {"daily": 7, "weekly": 4}}, 11),
        ({"backups_max": 3, "keeps": {"daily": 7}}, 10),
    ],
)
def test_the_rules_say_how_many_backups_there_are_in_the_end(said: dict[str, Any], most: int | None) -> None:
    assert agenda.kept_at_most(a_schedule(**said), 3600) == most


@pytest.mark.parametrize(("cron", "days"), [("0 0 * * *", 1), ("0 0 * * 1", 7), ("0 */6 * * *", 0.25)])
def test_how_often_a_schedule_runs_is_told_by_its_next_runs(cron: str, days: float) -> None:
    assert agenda.period_seconds(a_schedule(cron), NOON) == days * 86_400


def test_a_project_fills_until_its_schedules_keep_no_more_or_its_limit_is_passed() -> None:
    found = [Growing(10 * GIB, 86_400, 3), Growing(GIB, 3600, 0)]

    assert agenda.growth(100 * GIB, None, found) == (130 * GIB, 10 * GIB, None)
    assert agenda.growth(100 * GIB, 130 * GIB, found).full_in_seconds is None
    assert agenda.growth(100 * GIB, 129 * GIB, found).full_in_seconds == 3 * 86_400
    assert agenda.growth(100 * GIB, 99 * GIB, found).full_in_seconds == 0
    assert agenda.growth(100 * GIB, None, [Growing(GIB, 3600, None)]) == (None, 24 * GIB, None)


growings = st.builds(Growing, st.integers(0, 9), st.integers(1, 5000), st.one_of(st.none(), st.integers(0, 5)))


@given(st.integers(0, 50), st.integers(0, 80), st.lists(growings, max_size=4))
def test_the_limit_is_passed_at_that_second_and_not_before(used: int, limit: int, found: list[Growing]) -> None:
    full_in = agenda.growth(used, limit, found).full_in_seconds

    if full_in is None:
        assert agenda.used_after(used, found, agenda.HORIZON_SECONDS) <= limit
    else:
        assert agenda.used_after(used, found, full_in) > limit
        assert full_in == 0 or agenda.used_after(used, found, full_in - 1) <= limit
