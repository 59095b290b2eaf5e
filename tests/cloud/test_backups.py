"""Cron against a second implementation, at every change of clocks, and what is kept how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cloud.backups import (
    CronError,
    at_risk_from,
    duration_seconds,
    jitter,
    kept_until,
    missed,
    next_trigger,
    parse,
)
from backend.cloud.model import GIB
from tests.builders import HOUR, NOON, a_schedule
from tests.strategies import QUICK, THOROUGH

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def local_fires(expression: str, zone: str, after: str, count: int) -> list[str]:
    """When it fires, as the clocks there show it, with their offset in hours."""
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    fires = parse(expression, zone).fires(start, count)
    return [fire.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M %z") for fire in fires]


# --- Grammar ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "fires"),
    [
        ("* * * * *", ["2026-11-20 12:01", "2026-11-20 12:02"]),
        ("*/20 * * * *", ["2026-11-20 12:20", "2026-11-20 12:40"]),
        ("5/15 * * * *", ["2026-11-20 12:05", "2026-11-20 12:20"]),
        ("0 3 * * *", ["2026-11-21 03:00", "2026-11-22 03:00"]),
        ("0 3 * * mon", ["2026-11-23 03:00", "2026-11-30 03:00"]),
        ("0 3 * * 7", ["2026-11-22 03:00", "2026-11-29 03:00"]),
        ("0 3 * * fri-mon", ["2026-11-21 03:00", "2026-11-22 03:00"]),
        ("0 0 1 jan,JUL *", ["2027-01-01 00:00", "2027-07-01 00:00"]),
        ("1 1 1 1 1", ["2027-01-01 01:01", "2027-01-04 01:01"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        # Either day is enough, unless one of them begins with a star.
        ("0 0 22 * 1", ["2026-11-22 00:00", "2026-11-23 00:00"]),
        ("0 0 */2 * 1", ["2026-11-23 00:00", "2026-12-07 00:00"]),
        ("0 0 29 2 */7", ["2032-02-29 00:00", "2060-02-29 00:00"]),
        # A range of one value is that value.
        ("5-5 * * * *", ["2026-11-20 12:05", "2026-11-20 13:05"]),
        ("0 4-4 * * *", ["2026-11-21 04:00", "2026-11-22 04:00"]),
        ("0-0 0-0 1-1 1-1 *", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("0 0 * * tue-2", ["2026-11-24 00:00", "2026-12-01 00:00"]),
        ("7-7/3 * * * *", ["2026-11-20 12:07", "2026-11-20 13:07"]),
        ("@daily", ["2026-11-21 00:00", "2026-11-22 00:00"]),
        (" @Hourly ", ["2026-11-20 13:00", "2026-11-20 14:00"]),
        ("@weekly", ["2026-11-22 00:00", "2026-11-29 00:00"]),
        ("@monthly", ["2026-12-01 00:00", "2027-01-01 00:00"]),
        ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_an_expression_fires_when_it_says(expression: str, fires: list[str]) -> None:
    assert [f"{fire:%Y-%m-%d %H:%M}" for fire in parse(expression, "UTC").fires(NOON, 2)] == fires


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 1 1 1",
        "1 1 1 1 1 1",
        "@reboot",
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "*/0 * * * *",
        "-5 * * * *",
        "*-5 * * * *",
        "1,,2 * * * *",
        "mon * * * *",
        "0 0 * mon *",
        "0 0 L * *",
        "0 0 * * 5L",
        "0 0 * * mon#2",
        "H * * * *",
        "? * * * *",
        "0 0 31 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 30 feb *",
        "٣ * * * *",
        "* * * * * ; rm",
        ",".join(["1"] * 100) + " * * * *",
        "9" * 5000 + " * * * *",
    ],
)
def test_what_is_not_five_plain_fields_or_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(CronError) as refused:
        parse(expression, "UTC")

    assert refused.value.field == "schedule"
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "America", "../UTC", "/etc/passwd", "Europe\0Berlin"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(CronError) as refused:
        parse("0 3 * * *", zone)

    assert refused.value.field == "time_zone"


# --- When clocks change -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "zone", "after", "fires"),
    [
        # Skipped: at the end of the gap.
        ("30 2 * * *", "America/New_York", "2026-03-07 12:00", ["03-08 03:00 -0400", "03-09 02:30 -0400"]),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00", ["11-04 01:00 -0200", "11-05 00:00 -0200"]),
        ("15,45 2 * * *", "America/New_York", "2026-03-07 12:00", ["03-08 03:00 -0400", "03-09 02:15 -0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        # The day that Samoa left out.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29 13:00", ["12-31 00:00 +1400", "12-31 12:00 +1400"]),
        # Shown twice: in the first pass.
        ("30 1 * * *", "America/New_York", "2026-10-31 12:00", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", ["04-05 01:45 +1100", "04-06 01:45 +1030"]),
        # With a star, by elapsed time.
        ("30 * * * *", "America/New_York", "2026-03-08 01:00", ["03-08 01:30 -0500", "03-08 03:30 -0400"]),
        ("0 */2 * * *", "America/New_York", "2026-03-08 00:30", ["03-08 04:00 -0400", "03-08 06:00 -0400"]),
        ("30 * * * *", "America/New_York", "2026-11-01 01:00", ["11-01 01:30 -0400", "11-01 01:30 -0500"]),
        ("*/30 1 * * *", "America/New_York", "2026-11-01 01:15", ["11-01 01:30 -0400", "11-01 01:00 -0500"]),
    ],
)
def test_fixed_times_fire_once_a_day_and_stars_by_elapsed_time_when_clocks_change(
    expression: str, zone: str, after: str, fires: list[str]
) -> None:
    assert local_fires(expression, zone, after, 2) == fires


def test_a_fixed_time_does_not_fire_again_when_asked_in_the_second_pass() -> None:
    in_second_pass = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)

    fires_at = parse("30 1 * * *", "America/New_York").next_after(in_second_pass)

    assert fires_at == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


# --- Against a second implementation ------------------------------------------------------------


def items(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(st.just("*") | ranges.filter(lambda r: len(set(r.split("-"))) > 1), st.integers(1, 9))
    stepped = steps.map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(numbers.map(str) | ranges | stepped, min_size=1, max_size=3).map(",".join)


expressions = st.tuples(
    st.just("*") | items(0, 59),
    st.just("*") | items(0, 23),
    st.just("*") | items(1, 31),
    st.just("*") | items(1, 12),
    st.just("*") | items(0, 6),
).map(" ".join)
whole_hour_zones = ("UTC", "America/New_York", "Europe/Tallinn", "Africa/Cairo", "Asia/Kolkata")
zones = st.sampled_from(whole_hour_zones)
# There, clocks change by half an hour, which the second implementation steps over.
all_zones = st.sampled_from((*whole_hour_zones, "Australia/Lord_Howe"))
# Half of the instants lie within two days of a change of clocks somewhere.
changes = (
    datetime(2026, 4, 4, 15),
    datetime(2026, 10, 3, 15),
    datetime(2026, 3, 8, 7),
    datetime(2026, 3, 29, 1),
    datetime(2026, 10, 25, 1),
    datetime(2026, 11, 1, 6),
)
instants = (
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31))
    | st.tuples(st.sampled_from(changes), st.integers(-2880, 2880)).map(lambda p: p[0] + timedelta(minutes=p[1]))
).map(lambda naive: naive.replace(tzinfo=UTC))


def second_opinion(expression: str, zone: str, after: datetime) -> datetime:
    simulated = CronSim(expression, after.astimezone(ZoneInfo(zone)))
    fires_at: datetime = next(simulated).astimezone(UTC)
    # Asked in the second pass of a repeated hour, it may answer with the first.
    while fires_at <= after:
        fires_at = next(simulated).astimezone(UTC)
    return fires_at


def check_cron(expression: str, zone: str, after: datetime) -> None:
    try:
        cron = parse(expression, zone)
    except CronError:
        days, months = expression.split()[2:4]
        assert not days.startswith("*")
        assert months != "*" or int(days.split(",")[0].split("-")[0]) > 29
        return

    fires = cron.fires(after, 3)

    for fire in fires:
        assert fire == second_opinion(expression, zone, after)
        assert fire > after
        after = fire


@QUICK
@given(expressions, zones, instants)
def test_cron_agrees_with_a_second_implementation(expression: str, zone: str, after: datetime) -> None:
    check_cron(expression, zone, after)


@pytest.mark.thorough
@THOROUGH
@given(expressions, zones, instants)
def test_cron_agrees_with_a_second_implementation_in_many_more_cases(
    expression: str, zone: str, after: datetime
) -> None:
    check_cron(expression, zone, after)


@settings(QUICK, max_examples=30)
@given(items(0, 59), items(0, 23), st.booleans(), all_zones, st.sampled_from(changes))
def test_jobs_with_a_star_fire_in_every_minute_that_shows_their_time(
    minutes: str, hours: str, is_hourly: bool, zone: str, change: datetime
) -> None:
    cron = parse(f"*/7 {hours} * * *" if is_hourly else f"{minutes} * * * *", zone)
    after = change.replace(tzinfo=UTC) - DAY
    shown = []
    for minute in range(1, 2 * 24 * 60):
        local = (after + minute * MINUTE).astimezone(ZoneInfo(zone))
        if local.minute in cron.minutes and local.hour in cron.hours:
            shown.append(after + minute * MINUTE)

    assert cron.fires(after, len(shown)) == shown


@QUICK
@given(st.integers(0, 23), st.integers(0, 59), all_zones, instants)
def test_a_daily_job_fires_exactly_once_on_every_day(hour: int, minute: int, zone: str, after: datetime) -> None:
    fires = parse(f"{minute} {hour} * * *", zone).fires(after, 6)

    days = [fire.astimezone(ZoneInfo(zone)).date() for fire in fires]
    assert days == [days[0] + n * DAY for n in range(6)]


MANY_ZONES = (
    "Africa/Cairo", "America/Havana", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut",
    "Asia/Gaza", "Australia/Lord_Howe", "Europe/Dublin", "Europe/Tallinn", "Pacific/Apia", "Pacific/Chatham",
)  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("zone", MANY_ZONES)
def test_a_daily_job_fires_once_on_every_local_day_of_ten_years(zone: str) -> None:
    """Every quarter of an hour that clocks may skip or repeat; days that a zone leaves out have no job."""
    start = datetime(2009, 12, 31, tzinfo=UTC)
    for minutes in range(0, 24 * 60, 15):
        fires = parse(f"{minutes % 60} {minutes // 60} * * *", zone).fires(start, 3650)
        days = [fire.astimezone(ZoneInfo(zone)).date() for fire in fires]
        assert all(before < after for before, after in pairwise(fires))
        missing = {days[0] + n * DAY for n in range((days[-1] - days[0]).days + 1)} - set(days)
        assert len(set(days)) == len(days) or zone == "Pacific/Apia"
        assert missing <= ({date(2011, 12, 30)} if zone == "Pacific/Apia" else set())


@pytest.mark.parametrize("jitter_seconds", [0, 1, 59, 3600, 86_400])
def test_jitter_is_the_same_every_time_and_moves_no_run_into_the_past(jitter_seconds: int) -> None:
    schedule = a_schedule(cron="*/30 * * * *", jitter_seconds=jitter_seconds)
    late, at = jitter(schedule), NOON
    assert timedelta() <= late <= timedelta(seconds=jitter_seconds)
    for _ in range(60):
        following = next_trigger(schedule, at)
        assert following > at
        assert (following - late).minute % 30 == 0
        assert following - at <= timedelta(minutes=30)
        at = following


# --- Schedules and backups ----------------------------------------------------------------------


def test_the_next_run_is_counted_from_now_so_missed_ones_collapse_into_one() -> None:
    schedule = a_schedule(cron="0 * * * *", next_trigger_at=NOON - 5 * HOUR)

    assert missed(schedule, NOON) == 6
    assert missed(schedule, NOON, count_max=3) == 3
    assert next_trigger(schedule, NOON) == NOON + HOUR


def test_a_schedule_that_is_off_or_not_due_has_missed_nothing() -> None:
    assert missed(a_schedule(is_active=False), NOON) == 0
    assert missed(a_schedule(cron="0 3 * * *"), NOON) == 0


def test_retention_counts_days_and_0_is_for_ever() -> None:
    assert kept_until(NOON, 0) is None
    assert kept_until(NOON, 7) == NOON + 7 * DAY


@pytest.mark.parametrize(
    ("said", "last_good_at", "is_reachable", "from_at"),
    [
        # The run after the last good copy is the next one: nothing is late before it.
        ({}, NOON - 9 * HOUR, True, NOON + 15 * HOUR),
        # It came, and nothing good came of it.
        ({}, NOON - 10 * HOUR, True, NOON - 9 * HOUR),
        # There never was one: the first run after the schedule was made.
        ({}, None, True, NOON - 33 * HOUR),
        # However new the last copy is, what is due in a silent cell cannot be made.
        ({"next_trigger_at": NOON + HOUR}, NOON - 9 * HOUR, False, NOON + HOUR),
        ({"missed_since": NOON - HOUR}, NOON - 9 * HOUR, False, NOON - HOUR),
        ({"missed_since": NOON - HOUR}, NOON - 9 * HOUR, True, NOON + 15 * HOUR),
        # Off because of a failure: its source gets older. Off because its owner wants so: nothing is promised.
        ({"is_active": False, "reason": "storage quota"}, NOON - 10 * HOUR, True, NOON - 9 * HOUR),
        ({"is_active": False}, None, False, None),
    ],
)
def test_a_source_is_at_risk_from_the_run_that_brought_nothing_good(
    said: dict[str, Any], last_good_at: datetime | None, is_reachable: bool, from_at: datetime | None
) -> None:
    schedule = a_schedule(cron="0 3 * * *", **said)

    assert at_risk_from(schedule, last_good_at, is_reachable=is_reachable) == from_at


@QUICK
@given(st.sampled_from(["0 3 * * *", "*/15 * * * *", "0 0 1 * *"]), st.integers(0, 5000), st.booleans())
def test_a_newer_good_copy_never_brings_a_risk_nearer(cron: str, minutes: int, is_reachable: bool) -> None:
    schedule = a_schedule(cron=cron, next_trigger_at=NOON + 90 * DAY)
    older = at_risk_from(schedule, NOON, is_reachable=is_reachable)
    newer = at_risk_from(schedule, NOON + minutes * MINUTE, is_reachable=is_reachable)

    assert older is not None
    assert newer is not None
    assert older <= newer
    assert newer > NOON + minutes * MINUTE


def test_a_copy_takes_longer_the_more_there_is_and_never_no_time() -> None:
    assert duration_seconds(0) == 1
    assert duration_seconds(140 * GIB) == 717
