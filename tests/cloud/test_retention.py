"""What stays and what goes, and the rule that says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.model import Backup, BackupState
from backend.cloud.retention import PERIODS, RULES, Policy, plan
from tests.builders import HOUR, NOON, a_backup
from tests.strategies import QUICK, THOROUGH

DAY = timedelta(days=1)


def daily(count: int) -> list[Backup]:
    """`d0` is of now, `d1` of a day ago, ..."""
    return [a_backup(f"d{n}", created_at=NOON - n * DAY) for n in range(count)]


def kept(backups: list[Backup], policy: Policy, now: datetime = NOON) -> list[str]:
    return [verdict.backup.id for verdict in plan(backups, policy, now) if verdict.is_kept]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (Policy(), "d0 d1 d2 d3 d4 d5 d6 d7 d8 d9"),
        (Policy(retention_days=3), "d0 d1 d2"),
        (Policy(backups_max=2), "d0 d1"),
        (Policy(retention_days=1, backups_max=5), "d0"),
        (Policy(retention_days=5, backups_max=1), "d0"),
        (Policy(keeps={"last": 2}), "d0 d1"),
        (Policy(keeps={"daily": 3}), "d0 d1 d2"),
        # 2026-11-20 is a Friday: the newest of the week before is d5, a Sunday.
        (Policy(keeps={"weekly": 2}), "d0 d5"),
        (Policy(keeps={"daily": 2, "weekly": 1}), "d0 d1 d5"),
        (Policy(keeps={"yearly": 5}), "d0"),
        (Policy(retention_days=2, keeps={"weekly": 2}), "d0 d1 d5"),
        (Policy(backups_max=3, keeps={"weekly": 2}), "d0 d1 d2 d5"),
    ],
)
def test_age_number_and_periods(policy: Policy, wanted: str) -> None:
    assert kept(daily(10), policy) == wanted.split()


def test_a_day_is_that_of_the_schedules_zone() -> None:
    backups = [a_backup("evening", created_at=NOON - 14 * HOUR), a_backup("night", created_at=NOON - 11 * HOUR)]

    assert kept(backups, Policy(keeps={"daily": 2})) == ["night", "evening"]
    assert kept(backups, Policy(keeps={"daily": 2}, time_zone="Europe/Tallinn")) == ["night"]


def test_periods_without_a_backup_do_not_count() -> None:
    backups = [a_backup(f"d{n}", created_at=NOON - n * DAY) for n in (0, 30, 60)]

    assert kept(backups, Policy(keeps={"daily": 3})) == ["d0", "d30", "d60"]


def test_only_finished_ones_count_and_what_is_in_use_stays() -> None:
    backups = [
        *daily(4),
        a_backup("running", state=BackupState.BACKING_UP, created_at=NOON + HOUR),
        a_backup("restoring", state=BackupState.RESTORING, created_at=NOON - 9 * DAY),
        a_backup("failed", state=BackupState.ERRED, created_at=NOON - 8 * DAY),
        a_backup("going", state=BackupState.DELETING, created_at=NOON - 7 * DAY),
    ]

    assert kept(backups, Policy(backups_max=2)) == ["running", "d0", "d1", "failed", "restoring"]
    assert kept(backups, Policy(retention_days=5)) == ["running", "d0", "d1", "d2", "d3", "restoring"]


@pytest.mark.parametrize("is_owing", [False, True])
def test_the_newest_good_one_stays_while_a_newer_one_is_not_finished_or_owed(is_owing: bool) -> None:
    backups = [a_backup("old", created_at=NOON - 9 * DAY), a_backup("older", created_at=NOON - 10 * DAY)]
    policy = Policy(retention_days=1, is_owing=is_owing)
    assert kept(backups, policy) == (["old"] if is_owing else [])

    backups.append(a_backup("new", state=BackupState.BACKING_UP, created_at=NOON))
    (_, old, older) = plan(backups, policy, NOON)
    assert (old.is_kept, old.rule) == (True, "the newest good one, while a newer one is not finished or owed")
    assert (older.is_kept, older.rule) == (False, "1 day old or more")


policies = st.builds(
    Policy,
    retention_days=st.sampled_from((0, 1, 3, 30)),
    backups_max=st.sampled_from((0, 1, 2, 5)),
    keeps=st.dictionaries(st.sampled_from(RULES), st.integers(0, 4)),
    time_zone=st.sampled_from(("UTC", "Europe/Tallinn", "America/New_York", "Australia/Lord_Howe")),
    is_owing=st.booleans(),
)
sets = st.lists(
    st.tuples(st.integers(0, 90 * 24), st.sampled_from((*[BackupState.READY] * 4, *BackupState))), max_size=30
).map(
    lambda pairs: [
        a_backup(f"b{number}", created_at=NOON - age * HOUR, state=state) for number, (age, state) in enumerate(pairs)
    ]
)


def check_plan(backups: list[Backup], policy: Policy) -> None:
    verdicts = plan(backups, policy, NOON)

    assert sorted(verdict.backup.id for verdict in verdicts) == sorted(backup.id for backup in backups)
    assert all(verdict.rule for verdict in verdicts)
    ready = sorted(
        (each for each in backups if each.state is BackupState.READY), key=lambda b: (b.created_at, b.id), reverse=True
    )
    kept_ids = {verdict.backup.id for verdict in verdicts if verdict.is_kept}
    unfinished = [each for each in backups if each.state is BackupState.BACKING_UP]
    if ready and (policy.is_owing or any(each.created_at >= ready[0].created_at for each in unfinished)):
        assert ready[0].id in kept_ids
    if ready and not policy.retention_days:
        # Without an age, the newest is kept by each rule there can be.
        assert ready[0].id in kept_ids
    for name, period_of in PERIODS.items():
        zone = ZoneInfo(policy.time_zone)
        periods = list(dict.fromkeys(period_of(each.created_at.astimezone(zone)) for each in ready))
        covered = {period_of(each.created_at.astimezone(zone)) for each in ready if each.id in kept_ids}
        assert set(periods[: policy.keeps.get(name, 0)]) <= covered, f"the newest {name} periods each have one"


@QUICK
@given(sets, policies)
def test_kept_and_removed_are_all_and_each_has_its_rule(backups: list[Backup], policy: Policy) -> None:
    check_plan(backups, policy)


@pytest.mark.thorough
@THOROUGH
@given(sets, policies)
def test_kept_and_removed_are_all_in_many_more_cases(backups: list[Backup], policy: Policy) -> None:
    check_plan(backups, policy)


@QUICK
@given(sets, policies)
def test_what_was_kept_is_kept_again_when_the_rest_has_gone(backups: list[Backup], policy: Policy) -> None:
    first = kept(backups, policy)
    left = [backup for backup in backups if backup.id in first]

    assert kept(left, policy) == first
