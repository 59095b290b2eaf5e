"""The first run that a quota refuses is the one at which a cloud that does nothing else would refuse it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.backups import kept_until, parse
from backend.cloud.filling import DAYS_MAX, Copying, Going, filling
from backend.cloud.model import Backup, BackupState
from backend.cloud.retention import Policy, plan
from tests.builders import HOUR, NOON, a_backup, a_schedule
from tests.strategies import QUICK

STEP = timedelta(minutes=30)


def first_refused(
    used: int, limit: int, copyings: list[Copying], going: list[Going], steps: int
) -> tuple[str, datetime, int] | None:
    """Half an hour after the other, each schedule asked whether it fires: by another way, and slow."""
    kept: dict[str, list[Backup]] = {each.schedule.id: list(each.backups) for each in copyings}
    crons = {each.schedule.id: parse(each.schedule.cron, each.schedule.time_zone) for each in copyings}

    def let_go(each: Copying, at: datetime, *, only_old: bool) -> int:
        verdicts = plan(kept[each.schedule.id], Policy.of(each.schedule), at)
        gone = [
            verdict.backup
            for verdict in verdicts
            if not verdict.is_kept
            and (not only_old or (verdict.backup.kept_until is not None and verdict.backup.kept_until <= at))
        ]
        kept[each.schedule.id] = [backup for backup in kept[each.schedule.id] if backup not in gone]
        return sum(backup.size_bytes for backup in gone)

    for step in range(1, steps):
        at = NOON + step * STEP
        for each in copyings:
            own = kept[each.schedule.id]
            making = [backup for backup in own if backup.state is BackupState.BACKING_UP]
            if making:
                kept[each.schedule.id] = [replace(backup, state=BackupState.READY) for backup in own]
                used -= let_go(each, making[0].created_at + timedelta(seconds=each.seconds), only_old=False)
        for each in sorted(copyings, key=lambda each: each.schedule.id):
            if crons[each.schedule.id].next_after(at - STEP) == at:
                if used + each.size_bytes > limit:
                    return each.schedule.id, at, limit - used
                used += each.size_bytes
                until = kept_until(at, each.schedule.retention_days)
                made = a_backup(
                    f"n{step:04}",
                    created_at=at,
                    size_bytes=each.size_bytes,
                    state=BackupState.BACKING_UP,
                    kept_until=until,
                )
                kept[each.schedule.id].append(made)
        for each in copyings:
            used -= let_go(each, at, only_old=True)
        used -= sum(each.size_bytes for each in going if at - STEP < each.at <= at)
    return None


policies: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "cron": st.sampled_from(("0 * * * *", "0 */6 * * *", "30 2 * * *", "0 3 * * 6", "0 9,17 * * *")),
        "retention_days": st.sampled_from((0, 1, 2)),
        "backups_max": st.sampled_from((0, 1, 3)),
        "keeps": st.dictionaries(st.sampled_from(("last", "daily", "weekly")), st.integers(1, 2), max_size=2),
    }
)


@st.composite
def copyings(draw: st.DrawFn) -> list[Copying]:
    found = []
    for number, said in enumerate(draw(st.lists(policies, min_size=1, max_size=3))):
        schedule = a_schedule(f"s{number}", **said)
        taken = [
            a_backup(f"o{each}", created_at=at, size_bytes=draw(st.integers(1, 4)),
                     kept_until=kept_until(at, schedule.retention_days))
            for each in range(draw(st.integers(0, 3)))
            for at in [NOON - HOUR * (each + 1)]
        ]  # fmt: skip
        found.append(Copying(schedule, draw(st.integers(1, 4)), 60, tuple(taken)))
    return found


@given(copyings(), st.integers(0, 40), st.lists(st.integers(1, 200), max_size=2))
@QUICK
def test_the_first_run_that_is_refused_is_the_one_that_looking_at_every_half_hour_finds(
    found: list[Copying], room: int, ends: list[int]
) -> None:
    used = 10 + sum(backup.size_bytes for each in found for backup in each.backups)
    going = [Going(NOON + number * STEP, 2) for number in ends]
    steps = 48 * 5

    walked = filling(used, used + room, found, going, NOON)
    slow = first_refused(used, used + room, found, going, steps)

    refused = walked.refused
    soon = None if refused is None or refused.at >= NOON + steps * STEP else refused
    assert (None if soon is None else (soon.schedule.id, soon.at, soon.left_bytes)) == slow


def test_behind_the_runs_that_are_looked_through_it_is_estimated() -> None:
    daily = Copying(a_schedule(cron="0 0 * * *"), 1, 60)

    near = filling(0, DAYS_MAX - 1, [daily], [], NOON)
    far = filling(0, 100, [daily], [], NOON)
    steady = filling(0, 100, [Copying(a_schedule(cron="0 0 * * *", backups_max=7), 1, 60)], [], NOON)

    assert near.refused is not None
    assert near.full_at == near.refused.at
    assert far.refused is None
    assert far.full_at is not None
    assert NOON + timedelta(days=95) < far.full_at < NOON + timedelta(days=105)
    assert steady == (None, None)


@pytest.mark.parametrize(("state", "is_refused"), [(BackupState.READY, True), (BackupState.BACKING_UP, False)])
def test_a_run_while_the_last_copy_is_not_whole_needs_no_room(state: BackupState, is_refused: bool) -> None:
    last = a_backup(created_at=NOON - HOUR, size_bytes=10, state=state)
    slow = Copying(a_schedule(cron="0 13 * * *"), 10, 5 * 3600, (last,))

    refused = filling(10, 10, [slow], [], NOON).refused

    assert refused is not None
    assert (refused.at == NOON + HOUR) is is_refused
