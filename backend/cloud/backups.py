"""When backups are taken: cron with time zones, jitter, and what was missed. When they go is in `retention`.

A cron expression has exactly five fields, or is one of cron's aliases, which are expanded here. Fields hold numbers,
names of months and days, ranges, lists and steps; a range with equal ends is that one value. Both day fields together
follow Debian's cron: where either begins with `*` a day must match both, otherwise one of them is enough.

When clocks change, Debian's rule again: a job at fixed times runs once a day (at the end of the gap when its time is
skipped, in the first pass when it comes twice), and a job with a `*` in its minute or hour runs by elapsed time.
An expression that never fires is refused.

croniter reads the fields; what fires when is worked out here, since croniter fires fixed jobs twice when clocks go
back.
**Source**: crontab(5) and cron(8) of Debian; NodeConductor, "Backup" and "Backup schedules".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from backend.cloud.model import MIB, Schedule

EXPRESSION_CHARACTERS_MAX = 128
BACKUP_BYTES_PER_SECOND = 200 * MIB
"""Simplified: every copy runs at this rate, whatever the drives and the load of the host."""

STUCK_SECONDS_MIN = 3600

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAYS_OF_MONTH_MAX = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class CronError(ValueError):
    """The expression or the time zone is wrong. `str()` is a sentence; `field` is `schedule` or `time_zone`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


# --- Cron ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cron:
    """A rule that fires for ever, in one time zone."""

    expression: str
    time_zone: str
    minutes: tuple[int, ...] = field(repr=False)
    hours: tuple[int, ...] = field(repr=False)
    days: frozenset[int] = field(repr=False)
    months: frozenset[int] = field(repr=False)
    weekdays: frozenset[int] = field(repr=False)
    """0 is Sunday."""
    needs_both_days: bool = field(repr=False)
    """A day must match day of month and day of week; otherwise one of them is enough."""
    runs_by_elapsed_time: bool = field(repr=False)
    """Minute or hour begins with `*`."""

    def next_after(self, instant: datetime) -> datetime:
        """The first time it fires strictly after `instant`, in UTC."""
        zone = ZoneInfo(self.time_zone)
        after = instant.astimezone(UTC)
        if self.runs_by_elapsed_time:
            return self._next_elapsed(after, zone)
        local = after.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
        for wanted in self._local_times(local):
            fires_at = _first_instant_of(wanted, zone)
            # When clocks went back, what comes now may have fired in the first pass.
            if fires_at > after:
                return fires_at
        raise AssertionError("a cron rule fires for ever")

    def fires(self, after: datetime, n: int) -> list[datetime]:
        """The next `n` times it fires after `after`, in UTC."""
        instants: list[datetime] = []
        for _ in range(n):
            after = self.next_after(after)
            instants.append(after)
        return instants

    def fires_on(self, day: date) -> bool:
        """Whether it fires on a day of the calendar; then at each of its minutes of each of its hours."""
        return day.month in self.months and self._matches_day(day)

    def _next_elapsed(self, after: datetime, zone: ZoneInfo) -> datetime:
        at = after.replace(second=0, microsecond=0) + MINUTE
        while True:
            local = at.astimezone(zone).replace(tzinfo=None)
            wanted = next(self._local_times(local))
            if wanted == local:
                return at
            if wanted.date() - local.date() > DAY:
                # Days between hold nothing. Landing a day early leaves room for a change of clocks on the way.
                at = _first_instant_of(datetime.combine(wanted.date() - DAY, time()), zone)
                continue
            there = at + (wanted - local)
            if _offset(there, zone) != _offset(at, zone):
                there = _change_between(at, there, zone)
            at = there

    def _local_times(self, start: datetime) -> Iterator[datetime]:
        """Every matching time of the calendar from `start` on, as a clock that never changes would show it."""
        day = start.date()
        while True:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self._matches_day(day):
                for hour in self.hours:
                    if day == start.date() and hour < start.hour:
                        continue
                    for minute in self.minutes:
                        wanted = datetime.combine(day, time(hour, minute))
                        if wanted >= start:
                            yield wanted
            day += DAY

    def _matches_day(self, day: date) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month and of_week if self.needs_both_days else of_month or of_week


@lru_cache(maxsize=4096)
def parse(expression: str, time_zone: str) -> Cron:
    """Read a cron expression; one that was read lately costs nothing.

    Raises:
        CronError: It is not one of exactly five fields, is too long, never fires, or the time zone is unknown.
    """
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise CronError("time_zone", f"There is no time zone {time_zone!r}.") from unknown
    if len(expression) > EXPRESSION_CHARACTERS_MAX:
        raise CronError("schedule", f"A schedule has at most {EXPRESSION_CHARACTERS_MAX} characters.")
    if not expression.isascii():
        raise CronError("schedule", "A schedule is written in ASCII.")
    text = expression.strip().lower()
    texts = ALIASES.get(text, text).split()
    if len(texts) != len(_FIELDS):
        raise CronError("schedule", f"A schedule has five fields, not {len(texts)}: minute hour day month weekday.")
    texts = [_checked(field, written) for field, written in zip(_FIELDS, texts, strict=True)]
    try:
        expanded, _ = croniter.expand(" ".join(texts))
    except ValueError as wrong:
        raise CronError("schedule", f"{expression!r} is not a schedule: a value is out of range.") from wrong
    minutes, hours, days, months, weekdays = (
        values if (values := _numbers(items)) else everything
        for items, everything in zip(expanded, _EVERYTHING, strict=True)
    )
    cron = Cron(
        expression=expression,
        time_zone=time_zone,
        minutes=tuple(minutes),
        hours=tuple(hours),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekday % 7 for weekday in weekdays),
        needs_both_days=texts[2].startswith("*") or texts[4].startswith("*"),
        runs_by_elapsed_time=texts[0].startswith("*") or texts[1].startswith("*"),
    )
    # Over the years, every date there is falls on every weekday; so only dates that no month has never come.
    if cron.needs_both_days and min(cron.days) > max(DAYS_OF_MONTH_MAX[month - 1] for month in cron.months):
        raise CronError("schedule", f"{expression!r} never fires: no such month has a day {min(cron.days)}.")
    return cron


_FIELDS: tuple[tuple[str, tuple[str, ...], int, int], ...] = (
    ("minute", (), 0, 59),
    ("hour", (), 0, 23),
    ("day", (), 1, 31),
    ("month", _MONTHS, 1, 12),
    ("weekday", _WEEKDAYS, 0, 7),
)
"""Their names, the names of their values, and from where to where these go; both 0 and 7 are Sunday."""
_EVERYTHING = (range(60), range(24), range(1, 32), range(1, 13), range(7))
_TERM = re.compile(r"(?P<low>\*|[a-z]+|\d{1,3})(-(?P<high>[a-z]+|\d{1,3}))?(/(?P<step>\d{1,3}))?")


def _checked(field: tuple[str, tuple[str, ...], int, int], text: str) -> str:
    """The field with ranges of equal ends written as the value they are; croniter takes those for everything."""
    name, names, least, most = field
    terms = []
    for term in text.split(","):
        match = _TERM.fullmatch(term)
        if match is None or (match["low"] == "*" and match["high"] is not None):
            raise CronError("schedule", f"{term!r} is not a {name}.")
        for word in (match["low"], match["high"]):
            if word is not None and word.isalpha() and word not in names:
                raise CronError("schedule", f"{term!r} is not a {name}.")
            if word is not None and word.isdigit() and not least <= int(word) <= most:
                raise CronError("schedule", f"{term!r} is not a {name}, which is {least} to {most}.")
        if match["step"] is not None and int(match["step"]) == 0:
            raise CronError("schedule", f"{term!r} is not a {name}: a step is at least 1.")
        is_single = match["high"] is not None and _number(match["low"], names) == _number(match["high"], names)
        terms.append(match["low"] if is_single else term)
    return ",".join(terms)


def _number(word: str, names: tuple[str, ...]) -> int:
    if not word.isalpha():
        return int(word)
    return names.index(word) + (1 if names is _MONTHS else 0)


def _numbers(items: Iterable[object]) -> list[int]:
    """The numbers of a field as croniter gives them; none for `*`."""
    return sorted(item for item in items if isinstance(item, int))


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None, "a zone has an offset at every instant"
    return offset


def _first_instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """When clocks first show `local`, in UTC; where they skip it, the end of the gap."""
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    # In a gap, the two folds lie on either side of the change.
    return _change_between(local.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first whole minute after `low` at which the offset is no longer the one at `low`; by `high` it is not."""
    before = _offset(low, zone)
    steps_low, steps_high = 0, (high - low) // MINUTE
    while steps_high - steps_low > 1:
        middle = (steps_low + steps_high) // 2
        if _offset(low + middle * MINUTE, zone) == before:
            steps_low = middle
        else:
            steps_high = middle
    return low + steps_high * MINUTE


# --- Schedules ----------- ----------------------------------------------------------------------


def jitter(schedule: Schedule) -> timedelta:
    """How much later than its expression says it runs: a function of its id alone, up to its `jitter_seconds`.

    So that a thousand nightly schedules do not begin in the same second, and each night is like the last.
    """
    if not schedule.jitter_seconds:
        return timedelta()
    spread = int.from_bytes(sha256(schedule.id.encode()).digest()[:8], "big")
    return timedelta(seconds=spread % (schedule.jitter_seconds + 1))


def next_trigger(schedule: Schedule, now: datetime) -> datetime:
    """When the schedule is due next. Counted from now, so runs that were missed collapse into one."""
    late = jitter(schedule)
    return parse(schedule.cron, schedule.time_zone).next_after(now - late) + late


def missed(schedule: Schedule, now: datetime, *, count_max: int = 1000) -> int:
    """How many runs fell due since the schedule was last looked at, up to now: at most `count_max` are counted."""
    due_at = schedule.next_trigger_at
    if due_at is None or due_at > now:
        return 0
    cron, late = parse(schedule.cron, schedule.time_zone), jitter(schedule)
    count, at = 0, due_at - late
    while at + late <= now and count < count_max:
        count += 1
        at = cron.next_after(at)
    return count


def kept_until(created_at: datetime, retention_days: int) -> datetime | None:
    """When a backup goes: after `retention_days`, or never for 0.

    **Source**: NodeConductor from September 2015 on; the first version deleted such backups at once.
    """
    return created_at + timedelta(days=retention_days) if retention_days else None


def duration_seconds(size_bytes: int) -> int:
    """How long it takes to copy `size_bytes`; at least a second."""
    return max(1, -(-size_bytes // BACKUP_BYTES_PER_SECOND))


def at_risk_from(schedule: Schedule, last_good_at: datetime | None, *, is_reachable: bool) -> datetime | None:
    """From when on the schedule's source is at risk if nothing changes; None while nobody wants copies of it.

    It is at risk when its last good copy is older than the schedule promises: the run after it has come and nothing
    good came of it, because it failed, was missed, or because the schedule was switched off for a reason. It also is
    when a run is owed, or falls due, while its cell does not answer: then no copy can be made, however new the last
    one is. A schedule that its owner switched off promises nothing.

    Args:
        last_good_at: When the newest copy of the source was begun that is good or still in the making; None without.
        is_reachable: Whether the source's cell answers.

    **Source**: ours. That what cannot be reached is missed and owed, and what failed switches its schedule off:
    NodeConductor, "Backup schedules", as far as it goes; see `operations/backups`.
    """
    if not schedule.is_active and schedule.reason is None:
        return None
    from_instants = [_run_after(schedule.cron, schedule.time_zone, last_good_at or schedule.created_at)]
    if not is_reachable:
        from_instants += [at for at in (schedule.missed_since, schedule.next_trigger_at) if at is not None]
    return min(from_instants)


@lru_cache(maxsize=4096)
def _run_after(cron: str, time_zone: str, instant: datetime) -> datetime:
    """Kept, because the same schedules are asked about again and again, and reading cron takes its time."""
    return parse(cron, time_zone).next_after(instant)


def stuck_after(seconds: int) -> timedelta:
    """How long after its beginning a copy that should take `seconds` is given up, when it cannot go on."""
    return timedelta(seconds=max(STUCK_SECONDS_MIN, 4 * seconds))
