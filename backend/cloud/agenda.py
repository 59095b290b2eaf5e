"""What is to come of schedules: which runs fall into a window and how many copy at once, and how far backups grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from backend.cloud.backups import jitter, parse
from backend.cloud.model import Schedule

FIRES_LOOKED_AT = 10
"""How many gaps between runs tell how often a schedule runs."""
HORIZON_SECONDS = 10 * 365 * 86_400
"""What does not come to pass within so long is said never to."""
DAY_SECONDS = 86_400

HOUR = timedelta(hours=1)


# --- Which runs, and how many at once -----------------------------------------------------------------------------


class Run(NamedTuple):
    """One copy that is to be made."""

    at: datetime
    seconds: int
    size_bytes: int


class Hour(NamedTuple):
    """What begins in one hour, and the most that copies at one instant of it: begun before it, too."""

    runs: int
    size_bytes: int
    runs_at_once: int
    bytes_at_once: int
    """Of the runs that copy when most do, not what is copied in an instant."""


def fires(schedule: Schedule, until: datetime, *, count_max: int) -> list[datetime]:
    """When an active schedule runs from its `next_trigger_at` on, before `until`; `count_max` of them at most."""
    at, late = schedule.next_trigger_at, jitter(schedule)
    cron = parse(schedule.cron, schedule.time_zone)
    found: list[datetime] = []
    while at is not None and at < until and len(found) < count_max:
        found.append(at)
        at = cron.next_after(at - late) + late
    return found


def hours(runs: Iterable[Run], begin: datetime, count: int) -> list[Hour]:
    """The hours from `begin` on. Runs that begin outside of them are not counted; each copies for a second or more."""
    known = [run for run in runs if begin <= run.at < begin + count * HOUR]
    begun = [(0, 0)] * count
    most = [(0, 0)] * count
    steps: list[tuple[datetime, int, int]] = [(begin + number * HOUR, 0, 0) for number in range(count)]
    for run in known:
        number = (run.at - begin) // HOUR
        begun[number] = begun[number][0] + 1, begun[number][1] + run.size_bytes
        steps.append((run.at, 1, run.size_bytes))
        steps.append((run.at + timedelta(seconds=max(1, run.seconds)), -1, -run.size_bytes))
    at_once, bytes_at_once = 0, 0
    # What ends at an instant has ended before anything begins at it.
    for at, runs_more, bytes_more in sorted(steps):
        at_once += runs_more
        bytes_at_once += bytes_more
        if at < begin + count * HOUR and runs_more >= 0:
            number = (at - begin) // HOUR
            most[number] = max(most[number], (at_once, bytes_at_once))
    return [Hour(own[0], own[1], *peak) for own, peak in zip(begun, most, strict=True)]


# --- How far they grow --------------------------------------------------------------------------------------------


class Growing(NamedTuple):
    """What one schedule adds to a project."""

    size_bytes: int
    """With each run."""
    period_seconds: int
    runs_left: int | None
    """How many runs add to it until as many go as come; None: it keeps all of them."""


class Growth(NamedTuple):
    """What a project's storage comes to when nothing changes but that its schedules run."""

    steady_bytes: int | None
    """When all have as many backups as they keep; None: it grows for ever."""
    bytes_per_day: int
    """How much it grows now."""
    full_in_seconds: int | None
    """How long it stays within its limit; None: for ever, or without a limit, or for longer than ten years."""


def period_seconds(schedule: Schedule, now: datetime) -> int:
    """How far apart its runs are on the whole: the mean of the next ones."""
    return _period_seconds(schedule.cron, schedule.time_zone, now.replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=4096)
def _period_seconds(cron: str, time_zone: str, after: datetime) -> int:
    """Kept, because many schedules have the same expression."""
    found = parse(cron, time_zone).fires(after, FIRES_LOOKED_AT + 1)
    gaps = [int((later - sooner).total_seconds()) for sooner, later in pairwise(found)]
    return max(1, sum(gaps) // len(gaps))


def kept_at_most(schedule: Schedule, period: int) -> int | None:
    """How many backups its rules leave in the long run, at most; None: there is no end to them.

    Simplified: what is kept for its period and what is kept for its age or number are taken for different backups.
    """
    of_age = -(-schedule.retention_days * DAY_SECONDS // period) if schedule.retention_days else None
    limits = [number for number in (of_age, schedule.backups_max or None) if number is not None]
    by_period = sum(schedule.keeps.values())
    if not limits:
        return by_period or None
    return min(limits) + by_period


def growing(schedule: Schedule, size_bytes: int, count: int, now: datetime) -> Growing:
    """What an active schedule with `count` backups adds with each run."""
    period = period_seconds(schedule, now)
    most = kept_at_most(schedule, period)
    return Growing(size_bytes, period, None if most is None else max(0, most - count))


def growth(used_bytes: int, limit_bytes: int | None, found: Sequence[Growing]) -> Growth:
    """What becomes of a project that uses so much now."""
    added = [each for each in found if each.runs_left != 0 and each.size_bytes]
    per_day = sum(each.size_bytes * DAY_SECONDS // each.period_seconds for each in added)
    steady = None
    if all(each.runs_left is not None for each in added):
        steady = used_bytes + sum(each.size_bytes * (each.runs_left or 0) for each in added)
    return Growth(steady, per_day, None if limit_bytes is None else _full_in(used_bytes, limit_bytes, added))


def used_after(used_bytes: int, found: Iterable[Growing], seconds: int) -> int:
    """What is used so much later, each schedule counted as if it had run just now."""
    total = used_bytes
    for each in found:
        runs = seconds // each.period_seconds
        total += each.size_bytes * (runs if each.runs_left is None else min(runs, each.runs_left))
    return total


def _full_in(used_bytes: int, limit_bytes: int, found: Sequence[Growing]) -> int | None:
    """The first second after which more is used than there may be."""
    if used_bytes > limit_bytes:
        return 0
    if used_after(used_bytes, found, HORIZON_SECONDS) <= limit_bytes:
        return None
    low, high = 0, HORIZON_SECONDS
    while high - low > 1:
        middle = (low + high) // 2
        if used_after(used_bytes, found, middle) > limit_bytes:
            high = middle
        else:
            low = middle
    return high
