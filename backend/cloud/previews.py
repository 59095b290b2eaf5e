"""What a schedule would do before it does it: its expression in words, its next runs, what its rules would remove; and
how well each server is covered by what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from zoneinfo import ZoneInfo

from backend.cloud.backups import Cron, jitter, parse
from backend.cloud.model import CUSTOMER, PROJECT, SERVER, Backup, BackupState, Schedule
from backend.cloud.retention import Policy, Verdict, plan

FIRES_SHOWN = 10
TIMES_NAMED_MAX = 4
"""Times of a day that are told one by one."""

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


# --- An expression in words -------------------------------------------------------------------------------------------


def words(cron: Cron) -> str:
    """`at 02:30 on Mondays, by the clock of Europe/Berlin`."""
    days = _days(cron)
    months = "" if len(cron.months) == 12 else f" in {_joined([_MONTHS[month - 1] for month in sorted(cron.months)])}"
    return f"{_times(cron)} {days}{months}, by the clock of {cron.time_zone}"


def _times(cron: Cron) -> str:
    every_minute, every_hour = len(cron.minutes) == 60, len(cron.hours) == 24
    hours = "" if every_hour else f" of the hours {_numbers(cron.hours)}"
    if every_minute:
        return f"every minute{hours}"
    step = _step(cron.minutes, 60)
    if step is not None and cron.runs_by_elapsed_time and len(cron.minutes) > 1:
        return f"every {step} minutes{hours}"
    if every_hour:
        minutes = f"minute{'s' if len(cron.minutes) > 1 else ''} {_numbers(cron.minutes)}"
        return f"at {minutes} of every hour"
    if len(cron.minutes) * len(cron.hours) <= TIMES_NAMED_MAX:
        return f"at {_joined([f'{hour:02}:{minute:02}' for hour in cron.hours for minute in cron.minutes])}"
    return f"at minutes {_numbers(cron.minutes)} of the hours {_numbers(cron.hours)}"


def _step(values: Sequence[int], whole: int) -> int | None:
    """How far apart they are, if that is the same all around."""
    if values[0] != 0 or whole % len(values):
        return None
    step = whole // len(values)
    return step if tuple(values) == tuple(range(0, whole, step)) else None


def _days(cron: Cron) -> str:
    all_days, all_weekdays = len(cron.days) == 31, len(cron.weekdays) == 7
    of_month = f"day{'s' if len(cron.days) > 1 else ''} {_numbers(sorted(cron.days))} of the month"
    # The week begins with Monday for whoever reads it.
    in_order = sorted(cron.weekdays, key=lambda day: (day - 1) % 7)
    of_week = _joined([f"{_WEEKDAYS[day]}s" for day in in_order])
    if cron.needs_both_days:
        if all_days:
            return "every day" if all_weekdays else f"on {of_week}"
        return f"on {of_month}" if all_weekdays else f"on {of_week} that are {of_month}"
    if all_days or all_weekdays:
        return "every day"
    return f"on {of_month}, and on {of_week}"


def _numbers(values: Sequence[int]) -> str:
    """`1 to 5, 8 and 10`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    texts = []
    for run in runs:
        texts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(each) for each in run]
    return _joined(texts)


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


# --- What it would do -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    words: str
    fires: tuple[datetime, ...]
    """In the schedule's zone; the same instants in UTC are what it goes by."""
    late: timedelta
    """How much of that is its jitter."""
    verdicts: tuple[Verdict, ...]
    """What becomes of each backup with the next good run, the newest first."""


def preview(
    expression: str, policy: Policy, backups: Iterable[Backup], now: datetime, *, schedule: Schedule | None = None
) -> Preview:
    """What a schedule with this expression and these rules would do from now on; of an existing one, with its jitter.

    Raises:
        CronError.
    """
    cron, zone = parse(expression, policy.time_zone), ZoneInfo(policy.time_zone)
    late = timedelta() if schedule is None else jitter(schedule)
    fires = tuple((fire + late).astimezone(zone) for fire in cron.fires(now - late, FIRES_SHOWN))
    return Preview(words(cron), fires, late, tuple(verdicts_next(backups, policy, now, fires[0])))


def verdicts_next(backups: Iterable[Backup], policy: Policy, now: datetime, next_at: datetime) -> list[Verdict]:
    """What becomes of each backup when the next copy is good: that one counts too, though it is not among them.

    The next one is the one in the making, where there is one: it is as good as there when it has come through.
    """
    found = list(backups)
    making = [backup for backup in found if backup.state is BackupState.BACKING_UP]
    if making:
        made = {backup.id: replace(backup, state=BackupState.READY) for backup in making}
        verdicts = plan([made.get(backup.id, backup) for backup in found], replace(policy, is_owing=False), now)
        originals = {backup.id: backup for backup in making}
        return [replace(each, backup=originals.get(each.backup.id, each.backup)) for each in verdicts]
    coming = Backup("", "", "", None, "", BackupState.READY, next_at, 0, None)
    verdicts = plan([*found, coming], replace(policy, is_owing=False), next_at)
    return [each for each in verdicts if each.backup is not coming]


_CYCLE_DAYS = 1461
"""Four years: after these the months and leap days come round again."""


def most_copies(cron: Cron, policy: Policy, now: datetime) -> int | None:
    """How many backups there are at once, at most, when the rules are followed for long; None: ever more of them.

    The one in the making counts: what it takes the place of stays until it is whole. What periods keep may be among
    what age and number keep, so this is what is never exceeded, and not always reached. Where it fires once a day at
    most, what days keep are the newest ones, which age and number keep as well: they are not counted twice.

    Simplified: a schedule's jitter never moves two runs into one day.
    """
    bounds = []
    if policy.backups_max:
        bounds.append(policy.backups_max + 1)
    if policy.retention_days:
        bounds.append(_runs_within(cron, policy.retention_days, now))
    single = ("last", *_fires_once_per(cron))
    newest = sum(policy.keeps.get(name, 0) for name in single)
    others = sum(policy.keeps.values()) - newest
    if not bounds:
        return newest + others + 1 if newest + others else None
    return max(min(bounds), newest + 1) + others


def _fires_once_per(cron: Cron) -> tuple[str, ...]:
    """The periods, from the shortest on, in none of which it ever fires twice."""
    if len(cron.minutes) > 1 or cron.runs_by_elapsed_time:
        # What goes by elapsed time comes twice in an hour that comes twice.
        return ()
    if len(cron.hours) > 1:
        return ("hourly",)
    every_day = len(cron.days) == 31
    if cron.needs_both_days and every_day and len(cron.weekdays) == 1:
        return ("hourly", "daily", "weekly")
    if cron.needs_both_days and len(cron.weekdays) == 7 and len(cron.days) == 1:
        yearly = ("yearly",) if len(cron.months) == 1 else ()
        return ("hourly", "daily", "weekly", "monthly", *yearly)
    return ("hourly", "daily")


def _runs_within(cron: Cron, days: int, now: datetime) -> int:
    """How often it fires within so many days, both ends included, at most.

    Simplified: days on which clocks change are as long as others, and longer times than four years begin like the next
    four.
    """
    cycles, rest = divmod(days, _CYCLE_DAYS)
    first = now.astimezone(ZoneInfo(cron.time_zone)).date()
    fires = [cron.fires_on(first + timedelta(days=day)) for day in range(_CYCLE_DAYS + rest + 1)]
    per_day = len(cron.minutes) * len(cron.hours)
    before = [0, *accumulate(fires)]

    def within(start: int) -> int:
        # Of the days at both ends only what lies between the two times of day counts: together one day, and one more.
        ends = fires[start] + fires[start + rest] if rest else fires[start]
        at_ends = per_day * ends if ends < 2 else per_day + 1
        return (before[start + rest] - before[start + 1]) * per_day + at_ends if rest else ends

    most = max(within(start) for start in range(_CYCLE_DAYS))
    return cycles * before[_CYCLE_DAYS] * per_day + most


# --- Who is covered ---------------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """How a server's last good backup compares with how old that may be; the worst first."""

    NEVER = "never"
    """There is none."""
    LATE = "late"
    GOOD = "good"
    UNTOLD = "untold"
    """Nobody has said how old it may be."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A server as far as covering it is about it."""

    server_id: str
    project_id: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Protection:
    """How well one server is protected."""

    server_id: str
    schedule_ids: tuple[str, ...]
    """The active schedules that it is in; nobody covers it without one."""
    failed_ids: tuple[str, ...]
    """Those that it is in and that something switched off: what they promised stays promised."""
    last_good_at: datetime | None
    age_seconds: int | None
    target_seconds: int | None
    """The strictest of all of these schedules."""
    standing: Standing


def protection(
    servers: Iterable[Covered],
    schedules: Iterable[Schedule],
    last_good: Mapping[str, datetime],
    now: datetime,
) -> list[Protection]:
    """Of every server, the worst first: never backed up, late, without a target, good; uncovered ones before others.

    Args:
        last_good: By server id, when its newest good backup was taken.
    """
    by_source: dict[tuple[str, str], list[Schedule]] = {}
    for schedule in schedules:
        # What its owner switched off promises nothing any more.
        if schedule.is_active or schedule.reason is not None:
            by_source.setdefault((schedule.source_kind, schedule.source_id), []).append(schedule)
    found = []
    for server in servers:
        sources = ((SERVER, server.server_id), (PROJECT, server.project_id), (CUSTOMER, server.customer_id))
        own = [schedule for source in sources for schedule in by_source.get(source, ())]
        found.append(_protection(server, own, last_good.get(server.server_id), now))
    return sorted(found, key=place_of)


_ORDER = (Standing.NEVER, Standing.LATE, Standing.UNTOLD, Standing.GOOD)

Rank = tuple[int, bool, int, str]


def place_of(each: Protection) -> Rank:
    """Where it stands among all of the same instant; no two stand at the same place."""
    return _ORDER.index(each.standing), bool(each.schedule_ids), -(each.age_seconds or 0), each.server_id


def _protection(server: Covered, own: Sequence[Schedule], last: datetime | None, now: datetime) -> Protection:
    target = min((each.target_seconds for each in own if each.target_seconds is not None), default=None)
    age = None if last is None else int((now - last).total_seconds())
    if age is None:
        standing = Standing.NEVER
    elif target is None:
        standing = Standing.UNTOLD
    else:
        standing = Standing.LATE if age > target else Standing.GOOD
    active, failed = (tuple(sorted(each.id for each in own if each.is_active is wanted)) for wanted in (True, False))
    return Protection(server.server_id, active, failed, last, age, target, standing)
