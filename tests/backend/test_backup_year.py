"""One year of 1,000 schedules on a manual clock, with lost drives, silent cells and restarts.

What each schedule should have done is worked out from its expression alone, and compared with what the log says it did:
every instant at which it was due is accounted for exactly once, as a run, as missed or as refused.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backend.check import check as check_folder
from backend.cloud.backups import jitter, parse
from backend.cloud.model import GIB, BackupState, Event, Schedule
from backend.operations import cells, losses, schedules
from backend.operations.settings import change_settings
from backend.store import CloudTransaction
from tests.backend.backing import all_backups, with_disk
from tests.backend.support import Harness, make_folder, opened
from tests.builders import NOON

DAY = timedelta(days=1)
DAYS = 365
CELLS = ("cell-1", "cell-2")
SERVERS = 20
SECONDS_MAX = 60
"""Of CPU: whatever else the machine does is not ours."""
CRONS = (
    # expression, zone, how many of a thousand
    ("30 2 * * *", "Europe/Tallinn", 5),
    ("30 2 * * *", "America/New_York", 5),
    ("0 3 * * 0", "UTC", 100),
    ("0 4 1,15 * *", "Australia/Lord_Howe", 120),
    ("0 5 1 * *", "UTC", 750),
    ("30 1 29 2,10 *", "Africa/Cairo", 20),
)


async def fill(on: Harness, chance: random.Random) -> None:
    # All of it is looked at in the end.
    await change_settings(on.cloud, on.operator, history_seconds=int(2 * DAYS * DAY.total_seconds()))
    ids = [(await with_disk(on, f"s{n}", gib=1, cell=CELLS[n % 2], vcpus=1)).id for n in range(SERVERS)]
    crons = [(cron, zone) for cron, zone, count in CRONS for _ in range(count)]
    chance.shuffle(crons)
    for number, (cron, zone) in enumerate(crons):
        await schedules.create_schedule(
            on.cloud,
            on.operator,
            ids[number % SERVERS],
            cron=cron,
            time_zone=zone,
            backups_max=1 + number % 2,
            retention_days=(0, 20, 60)[number % 3],
            jitter_seconds=(0, 0, 0, 600)[number % 4],
            keeps={"monthly": 2} if number % 10 == 0 else {},
        )
    await on.engine.save_clock()


async def live(on: Harness, until: datetime, chance: random.Random) -> None:
    """A few weeks, in which something goes wrong every few days."""
    while (now := on.clock.now()) < until:
        what = chance.choice(("nothing", "nothing", "silent", "lost", "mended"))
        if what == "silent":
            cell = chance.choice(CELLS)
            await cells.inject(on.cloud, on.operator, cell, "down")
            await on.engine.advance(chance.uniform(0.5, 80) * 3600)
            await cells.inject(on.cloud, on.operator, cell, "up")
            await on.engine.advance(60)
        elif what == "lost":
            # In the middle of what begins at the next instant.
            due = on.cloud.next_due["cloud"]
            if due is not None and due < until:
                await on.engine.advance((due - now).total_seconds() + 1)
                host = chance.choice(("s1-1", "s1-2", "s2-1", "s2-2"))
                await losses.fail_host(on.cloud, on.operator.name, host)
                await on.engine.advance(120)
                await losses.recover_host(on.cloud, on.operator.name, host)
        elif what == "mended":
            for view in await schedules.list_schedules(on.cloud, on.operator):
                if not view.schedule.is_active:
                    await schedules.set_active(on.cloud, on.operator, view.schedule.id, is_active=True)
        await on.engine.advance(chance.uniform(1, 5) * 86_400)
    await on.engine.save_clock()


def instants(event: Event) -> datetime | None:
    text = event.details.get("due_at")
    return None if text is None else datetime.fromisoformat(text)


def account_for(schedule: Schedule, log: list[Event], end: datetime) -> Counter[str]:
    """Follow the log from one due instant to the next. Raises AssertionError where they part."""
    cron, late = parse(schedule.cron, schedule.time_zone), jitter(schedule)

    def following(at: datetime) -> datetime:
        return cron.next_after(at - late) + late

    due: datetime | None = following(log[0].at)
    counts: Counter[str] = Counter()
    is_owing = False
    for event in log[1:]:
        kind = event.kind.removeprefix("schedule.")
        counts[kind] += 1
        if kind in ("activated", "failed", "switched_off"):
            if kind == "failed" and instants(event) is not None:
                assert instants(event) == due
            due = following(event.at) if kind == "activated" else None
            is_owing = False
        elif kind == "ran" and "caught_up_since" in event.details:
            assert is_owing, "nothing is caught up that is not owed"
            is_owing = False
        elif kind in ("ran", "missed", "overlapped"):
            assert due is not None
            assert instants(event) == due, f"{event.kind} at {event.at}, and {due} was next"
            for _ in range(event.details.get("runs", 1)):
                assert due <= event.at
                due = following(due)
            assert due > event.at, "all that was due by then is told of"
            is_owing = kind == "missed" or (is_owing and kind == "overlapped")
    if due is not None:
        assert due > end, f"due at {due}, and nothing is told of it"
    return counts


@pytest.mark.thorough
def test_a_year_runs_everything_once_and_misses_nothing_silently(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_folder(folder, cells=CELLS, storage_bytes=100_000 * GIB)
    chance = random.Random(7)
    began = time.process_time()
    end = NOON + DAYS * DAY

    async def first() -> None:
        async with opened(folder) as on:
            await fill(on, chance)

    async def go_on(at: datetime, until: datetime) -> datetime:
        async with opened(folder, at=at) as on:
            await on.engine.run_due()
            await live(on, until, chance)
            return on.clock.now()

    async def last(at: datetime) -> Counter[str]:
        async with opened(folder, at=at) as on:
            await on.engine.run_due()
            counts: Counter[str] = Counter()

            def read(tx: CloudTransaction) -> tuple[list[Schedule], dict[str, list[Event]]]:
                found = tx.schedules()
                return found, {each.id: tx.events_of(each.id, limit=100_000)[::-1] for each in found}

            found, logs = await on.cloud.store.cloud_read(read)
            for schedule in found:
                counts += account_for(schedule, logs[schedule.id], on.clock.now())
            backups = await all_backups(on)
            by_schedule = Counter(each.schedule_id for each in backups if each.state is BackupState.READY)
            most = {each.id: each.backups_max + sum(each.keeps.values()) for each in found}
            assert all(count <= most[str(id)] for id, count in by_schedule.items())
            return counts

    asyncio.run(first())
    at = NOON + timedelta(minutes=2)
    while at < end:
        at = asyncio.run(go_on(at, min(end, at + chance.uniform(20, 60) * DAY)))
        # While nobody runs it, time goes on.
        at += chance.uniform(0, 4) * DAY
    counts = asyncio.run(last(at))

    assert counts["ran"] > 10_000
    assert min(counts[kind] for kind in ("missed", "failed", "activated")) > 0
    assert check_folder(folder).breach is None
    assert time.process_time() - began <= SECONDS_MAX
