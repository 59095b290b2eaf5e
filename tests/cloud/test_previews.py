"""A schedule before it runs, in words and instants; and who is covered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cloud.backups import jitter, parse
from backend.cloud.model import Backup, BackupState
from backend.cloud.previews import Covered, Standing, most_copies, preview, protection, words
from backend.cloud.retention import RULES, Policy, plan
from tests.builders import HOUR, NOON, a_backup, a_schedule
from tests.strategies import QUICK, THOROUGH


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("* * * * *", "every minute every day"),
        ("*/5 * * * *", "every 5 minutes every day"),
        ("*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour every day"),
        ("15 * * * *", "at minute 15 of every hour every day"),
        ("@hourly", "at minute 0 of every hour every day"),
        ("* 2 * * *", "every minute of the hours 2 every day"),
        ("*/10 8-18 * * mon-fri", "every 10 minutes of the hours 8 to 18 on {weekdays}"),
        ("30 2 * * *", "at 02:30 every day"),
        ("0 6,18 * * 0", "at 06:00 and 18:00 on Sundays"),
        ("5,10 1-12 * * *", "at minutes 5 and 10 of the hours 1 to 12 every day"),
        ("1 1 1 1 1", "at 01:01 on day 1 of the month, and on Mondays in January"),
        ("0 4 1,15 * *", "at 04:00 on days 1 and 15 of the month"),
        ("0 4 */10 * fri", "at 04:00 on Fridays that are days 1, 11, 21 and 31 of the month"),
        ("0 0 1 jan,jul *", "at 00:00 on day 1 of the month in January and July"),
    ],
)
def test_an_expression_in_words(expression: str, said: str) -> None:
    weekdays = "Mondays, Tuesdays, Wednesdays, Thursdays and Fridays"

    assert words(parse(expression, "UTC")) == f"{said.format(weekdays=weekdays)}, by the clock of UTC"


def test_a_preview_shows_ten_fires_in_the_schedules_zone_over_a_change_of_clocks() -> None:
    found = preview("30 2 * * *", Policy(time_zone="America/New_York"), [], NOON - timedelta(days=22))

    assert len(found.fires) == 10
    assert [fire.isoformat() for fire in found.fires[1:4]] == [
        "2026-10-31T02:30:00-04:00",
        "2026-11-01T02:30:00-05:00",
        "2026-11-02T02:30:00-05:00",
    ]
    assert found.late == timedelta()


def test_a_preview_of_an_existing_schedule_has_its_jitter_and_what_its_rules_would_remove() -> None:
    schedule = a_schedule(cron="0 * * * *", jitter_seconds=900)
    backups = [a_backup(f"b{n}", created_at=NOON - n * HOUR) for n in range(3)]

    found = preview(schedule.cron, Policy(backups_max=2), backups, NOON, schedule=schedule)

    assert found.late == jitter(schedule) > timedelta()
    assert found.fires[0] == NOON + found.late
    assert [(each.backup.id, each.is_kept, each.rule) for each in found.verdicts] == [
        ("b0", True, "number 2 of 2 that are kept"),
        ("b1", False, "number 3, and 2 are kept"),
        ("b2", False, "number 4, and 2 are kept"),
    ]


def test_the_copy_in_the_making_is_the_next_good_one() -> None:
    backups = [a_backup(f"b{n}", created_at=NOON - n * HOUR) for n in range(3)]
    backups[0] = replace(backups[0], state=BackupState.BACKING_UP)

    found = preview("0 * * * *", Policy(backups_max=2, is_owing=True), backups, NOON)

    assert [(each.backup, each.is_kept) for each in found.verdicts] == [
        (backups[0], True),
        (backups[1], True),
        (backups[2], False),
    ]


def test_servers_that_were_never_backed_up_come_first_and_those_in_time_last() -> None:
    servers = [
        Covered(name, "project", "customer") for name in ("good", "late", "never", "untold", "bare", "stale", "quiet")
    ]
    servers.append(Covered("elsewhere", "other", "customer"))
    schedules = [
        a_schedule("own", source_id="good", target_seconds=7200),
        a_schedule("strict", source_id="late", target_seconds=600),
        a_schedule("loose", source_id="late", target_seconds=90_000),
        a_schedule("nightly", source_id="untold"),
        a_schedule("off", source_id="bare", is_active=False, target_seconds=60),
        a_schedule("failed", source_id="stale", is_active=False, reason="over quota", target_seconds=600),
        a_schedule("stopped", source_id="quiet", is_active=False, target_seconds=600),
        a_schedule("theirs", source_id="other", source_kind="project", target_seconds=86_400),
        a_schedule("nobodys", source_id="never", source_kind="project", target_seconds=60),
    ]
    last_good = dict.fromkeys(("good", "late", "untold", "elsewhere", "stale", "quiet"), NOON - HOUR)

    found = {each.server_id: each for each in protection(servers, schedules, last_good, NOON)}

    assert list(found) == ["bare", "never", "stale", "late", "quiet", "untold", "elsewhere", "good"]
    assert found["bare"].standing is Standing.NEVER
    assert found["bare"].schedule_ids == ()
    assert (found["late"].target_seconds, found["late"].age_seconds) == (600, 3600)
    assert found["late"].schedule_ids == ("loose", "strict")
    assert found["elsewhere"].schedule_ids == ("theirs",)
    assert found["untold"].standing is Standing.UNTOLD
    assert (found["stale"].schedule_ids, found["stale"].failed_ids) == ((), ("failed",))
    assert (found["stale"].standing, found["stale"].target_seconds) == (Standing.LATE, 600)
    assert (found["quiet"].failed_ids, found["quiet"].standing) == ((), Standing.UNTOLD)


def test_everything_of_a_customer_is_covered_by_its_schedule() -> None:
    schedule = a_schedule("all", source_id="customer", source_kind="customer", target_seconds=60)

    (found,) = protection([Covered("server", "project", "customer")], [schedule], {}, NOON)

    assert (found.schedule_ids, found.standing) == (("all",), Standing.NEVER)


# --- How much there comes to be ---------------------------------------------------------------------------------------


def reached(expression: str, policy: Policy, runs: int) -> int:
    """The most there are at once, the one in the making included, when every run is taken and nothing else happens."""
    there: list[Backup] = []
    most = 0
    for number, at in enumerate(parse(expression, policy.time_zone).fires(NOON, runs)):
        # What is due begins before what has come to its end goes.
        there = [each.backup for each in plan(there, policy, at - timedelta(microseconds=1)) if each.is_kept]
        there.append(a_backup(f"b{number:04}", created_at=at))
        most = max(most, len(there))
        there = [each.backup for each in plan(there, policy, at) if each.is_kept]
    return most


@pytest.mark.parametrize(
    ("expression", "policy", "most"),
    [
        ("30 2 * * *", Policy(), None),
        ("30 2 * * *", Policy(backups_max=7), 8),
        ("30 2 * * *", Policy(retention_days=14), 15),
        ("30 2 * * *", Policy(retention_days=14, backups_max=5), 6),
        ("0 */6 * * *", Policy(retention_days=2), 9),
        ("5,35 9-17 * * *", Policy(retention_days=1), 19),
        ("0 3 * * 6", Policy(retention_days=10), 2),
        ("0 4 1 * *", Policy(retention_days=60), 3),
        ("0 0 29 2 *", Policy(retention_days=3_000), 3),
        ("30 2 * * *", Policy(keeps={"daily": 7, "weekly": 4}), 12),
        ("30 2 * * *", Policy(retention_days=3, backups_max=3, keeps={"daily": 2}), 4),
        ("30 2 * * *", Policy(backups_max=3, keeps={"last": 1, "daily": 4}), 6),
        ("0 3 * * 6", Policy(backups_max=2, keeps={"weekly": 3}), 4),
        ("0 4 1 * *", Policy(backups_max=2, keeps={"monthly": 3}), 4),
        ("0 */6 * * *", Policy(backups_max=3, keeps={"daily": 2}), 6),
    ],
)
def test_the_most_copies_that_there_come_to_be(expression: str, policy: Policy, most: int | None) -> None:
    assert most_copies(parse(expression, "UTC"), policy, NOON) == most
    if most is not None and not policy.keeps:
        assert reached(expression, policy, 40) == most


policies = st.builds(
    Policy,
    retention_days=st.sampled_from((0, 1, 2, 5, 10)),
    backups_max=st.sampled_from((0, 1, 3, 8)),
    keeps=st.dictionaries(st.sampled_from(RULES), st.integers(1, 3), max_size=3),
    time_zone=st.sampled_from(("UTC", "Asia/Kolkata", "America/New_York")),
)


@given(st.sampled_from(("30 2 * * *", "0 */6 * * *", "0 3 * * 6")), policies, st.integers(0, 8))
@QUICK
def test_what_a_preview_says_goes_is_what_the_next_good_run_drops(expression: str, policy: Policy, count: int) -> None:
    *taken, at = parse(expression, policy.time_zone).fires(NOON, count + 1)
    there = [a_backup(f"b{number}", created_at=each) for number, each in enumerate(taken)]
    now = taken[-1] if taken else NOON

    found = preview(expression, policy, there, now)
    then = plan([*there, a_backup("b9", created_at=at)], policy, at)

    kept = {each.backup.id for each in then if each.is_kept} - {"b9"}
    assert {each.backup.id for each in found.verdicts if each.is_kept} == kept


CRONS = ("30 2 * * *", "0 */6 * * *", "0 3 * * 6", "15 4 1,15 * *", "0 9,17 * * mon-fri", "*/30 12 * * *")


def check_never_exceeded(expression: str, policy: Policy, runs: int) -> None:
    most = most_copies(parse(expression, policy.time_zone), policy, NOON)
    if most is None:
        assert reached(expression, policy, runs) == runs, "nothing ever goes"
        return
    assert reached(expression, policy, runs) <= most


@given(st.sampled_from(CRONS), policies)
@QUICK
def test_there_are_never_more_copies_than_is_said(expression: str, policy: Policy) -> None:
    check_never_exceeded(expression, policy, 40)


@pytest.mark.thorough
@given(st.sampled_from(CRONS), policies)
@settings(THOROUGH, max_examples=1_000)
def test_there_are_never_more_copies_than_is_said_in_many_cases(expression: str, policy: Policy) -> None:
    check_never_exceeded(expression, policy, 60)
