"""Which backups of a schedule stay and which go, each with the rule that says so.

By age, by number, and by periods as grandfather, father and son: the newest of each of the last days, weeks, ... that
have any. What the periods keep stays whatever age and number say; where there is neither, what they do not keep goes.
Only finished backups count and go. The newest finished one stays while a newer one is not finished, or a run is owed.

**Source**: NodeConductor, "Backup schedules", for age and number. Proxmox Backup Server, "Prune", for periods: the
rules in order from `last` to `yearly`, each about what the ones before it left; periods without a backup do not count;
weeks are those of ISO 8601.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend.cloud.model import Backup, BackupState, Schedule

PERIODS: Mapping[str, Callable[[datetime], str]] = {
    "hourly": lambda local: local.strftime("%Y-%m-%d %H h"),
    "daily": lambda local: local.strftime("%Y-%m-%d"),
    "weekly": lambda local: local.strftime("week %G-%V"),
    "monthly": lambda local: local.strftime("%Y-%m"),
    "yearly": lambda local: local.strftime("%Y"),
}
"""By name, what names the period of a local time; in the order in which they are asked."""

RULES = ("last", *PERIODS)
"""Everything that `Policy.keeps` may count. `last` is about the newest ones, whenever they were taken."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a schedule says of its backups."""

    retention_days: int = 0
    """0 = for ever."""
    backups_max: int = 0
    """0 = any number."""
    keeps: Mapping[str, int] = field(default_factory=dict)
    """How many by each of `RULES`; what is not in it keeps nothing."""
    time_zone: str = "UTC"
    """Days begin at its midnight."""
    is_owing: bool = False
    """A run was missed, and has not been caught up."""

    @classmethod
    def of(cls, schedule: Schedule) -> Policy:
        is_owing = schedule.missed_since is not None
        return cls(schedule.retention_days, schedule.backups_max, schedule.keeps, schedule.time_zone, is_owing)


@dataclass(frozen=True, slots=True)
class Verdict:
    backup: Backup
    is_kept: bool
    rule: str
    """Which rule says so, in words."""


def plan(backups: Iterable[Backup], policy: Policy, now: datetime) -> list[Verdict]:
    """What becomes of each backup of one schedule now, the newest first."""
    newest_first = sorted(backups, key=lambda backup: (backup.created_at, backup.id), reverse=True)
    ready = [backup for backup in newest_first if backup.state is BackupState.READY]
    by_period = _kept_by_period(ready, policy)
    numbers = {backup.id: number for number, backup in enumerate(ready, 1)}
    unfinished = [backup for backup in newest_first if backup.state is BackupState.BACKING_UP]
    # While the newest one is not finished, the newest that is must stay: the other may fail.
    is_awaited = policy.is_owing or (unfinished and ready and unfinished[0].created_at >= ready[0].created_at)
    floor = ready[0].id if ready and is_awaited else None
    return [
        _verdict(backup, policy, now, number=numbers.get(backup.id, 0), period=by_period.get(backup.id), floor=floor)
        for backup in newest_first
    ]


def _verdict(
    backup: Backup, policy: Policy, now: datetime, *, number: int, period: str | None, floor: str | None
) -> Verdict:
    days, most = policy.retention_days, policy.backups_max
    is_old = days > 0 and backup.created_at + timedelta(days=days) <= now
    match backup.state:
        case BackupState.BACKING_UP:
            return Verdict(backup, True, "is being made")
        case BackupState.RESTORING:
            return Verdict(backup, True, "is being restored from")
        case BackupState.DELETING:
            return Verdict(backup, False, "is being deleted already")
        case BackupState.ERRED:
            return Verdict(backup, not is_old, f"{_age(days, is_old)}; it has failed, and counts nowhere else")
        case BackupState.READY:
            pass
    if period is not None:
        return Verdict(backup, True, period)
    if backup.id == floor:
        return Verdict(backup, True, "the newest good one, while a newer one is not finished or owed")
    if is_old:
        return Verdict(backup, False, _age(days, is_old))
    if most and number > most:
        return Verdict(backup, False, f"number {number}, and {most} are kept")
    if not days and not most and any(policy.keeps.values()):
        return Verdict(backup, False, "the newest of no period that is kept")
    if most:
        return Verdict(backup, True, f"number {number} of {most} that are kept")
    return Verdict(backup, True, _age(days, is_old))


def _age(days: int, is_old: bool) -> str:
    if not days:
        return "kept for ever"
    unit = "day" if days == 1 else "days"
    return f"{days} {unit} old or more" if is_old else f"younger than {days} {unit}"


def _kept_by_period(ready: list[Backup], policy: Policy) -> dict[str, str]:
    """The ids of what the periods keep, with why. `ready` is sorted, the newest first."""
    last = policy.keeps.get("last", 0)
    kept = {backup.id: f"last: number {number} of {last}" for number, backup in enumerate(ready[:last], 1)}
    if not any(policy.keeps.get(name, 0) for name in PERIODS):
        return kept
    zone = ZoneInfo(policy.time_zone)
    local = [(backup.id, backup.created_at.astimezone(zone)) for backup in ready]
    for name, period_of in PERIODS.items():
        count = policy.keeps.get(name, 0)
        covered = {period_of(at) for id, at in local if id in kept}
        number = 0
        for id, at in local:
            period = period_of(at)
            if number == count:
                break
            if period not in covered:
                number += 1
                covered.add(period)
                kept[id] = f"{name}: the newest of {period}, number {number} of {count}"
    return kept
