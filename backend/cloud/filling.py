"""When a project's storage is full: its next runs one after the other, each with what its schedule's rules let go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from backend.cloud import agenda, retention
from backend.cloud.backups import jitter, kept_until, parse
from backend.cloud.model import Backup, BackupState, Schedule
from backend.cloud.retention import Policy

RUNS_MAX = 2_000
DAYS_MAX = 60
"""Runs are looked through up to one of these; what comes behind is estimated."""

_WHOLE, _RUN, _EXPIRED = range(3)
"""What happens at one instant, in its order: what is due then begins before what has come to its end goes."""


class Copying(NamedTuple):
    """A schedule as far as the storage of one project is about it."""

    schedule: Schedule
    size_bytes: int
    """What a run adds to the project."""
    seconds: int
    """Until its copy is whole."""
    backups: tuple[Backup, ...] = ()
    """Its own, each with what it takes of the project."""


class Going(NamedTuple):
    """A backup of no schedule that goes by itself."""

    at: datetime
    size_bytes: int


class Refusal(NamedTuple):
    """A run that the quota does not have room for, which switches its schedule off."""

    schedule: Schedule
    at: datetime
    needs_bytes: int
    left_bytes: int


class Filling(NamedTuple):
    refused: Refusal | None
    """The first run that is refused, of those that were looked through."""
    full_at: datetime | None
    """When that is, or else about when it comes to that; None: never, or in more than ten years."""


@dataclass(slots=True)
class _Kept:
    """The copies of one schedule as they come and go."""

    copying: Copying
    policy: Policy
    backups: dict[str, Backup] = field(default_factory=dict)
    """The oldest first."""

    @property
    def is_making(self) -> bool:
        return any(each.state is BackupState.BACKING_UP for each in self.backups.values())

    def let_go(self, at: datetime, wanted: Iterable[str] | None = None) -> int:
        """Drop what its rules do not keep, all of that or of the wanted ones; returns how many bytes are given back."""
        if not self._may_go(at):
            return 0
        among = None if wanted is None else frozenset(wanted)
        gone = 0
        for verdict in retention.plan(self.backups.values(), self.policy, at):
            backup = verdict.backup
            is_over = backup.state in (BackupState.READY, BackupState.ERRED)
            if not verdict.is_kept and is_over and (among is None or backup.id in among):
                gone += self.backups.pop(backup.id).size_bytes
        return gone

    def _may_go(self, at: datetime) -> bool:
        """Whether the rules are worth asking: of thousands of runs most remove nothing."""
        policy = self.policy
        if any(policy.keeps.values()):
            return True
        oldest = next(iter(self.backups.values()), None)
        is_old = oldest is not None and oldest.created_at + timedelta(days=policy.retention_days) <= at
        return bool(
            (policy.retention_days and is_old) or (policy.backups_max and len(self.backups) > policy.backups_max)
        )


def filling(
    used_bytes: int, limit_bytes: int, copyings: Sequence[Copying], going: Iterable[Going], now: datetime
) -> Filling:
    """The first run that finds no room, when all sources can be copied and nothing else changes."""
    walk = _Walk(used_bytes, [_kept_of(each) for each in copyings], going, now)
    refused, until = walk.first_refused(limit_bytes)
    if refused is not None:
        return Filling(refused, refused.at)
    more = [
        agenda.growing(each.copying.schedule, each.copying.size_bytes, len(each.backups), until) for each in walk.kept
    ]
    seconds = agenda.growth(walk.used_bytes, limit_bytes, more).full_in_seconds
    return Filling(None, None if seconds is None else until + timedelta(seconds=seconds))


def _kept_of(copying: Copying) -> _Kept:
    own = sorted(copying.backups, key=lambda backup: (backup.created_at, backup.id))
    # What is owed is caught up with the next run.
    policy = replace(Policy.of(copying.schedule), is_owing=False)
    return _Kept(copying, policy, {backup.id: backup for backup in own})


class _Walk:
    def __init__(self, used_bytes: int, kept: list[_Kept], going: Iterable[Going], now: datetime) -> None:
        self.used_bytes, self.kept, self._now = used_bytes, kept, now
        self._given_back: dict[int, int] = {}
        self._coming: list[tuple[datetime, int, int, str]] = []
        for number, each in enumerate(kept):
            if each.copying.schedule.next_trigger_at is not None:
                self._coming.append((max(now, each.copying.schedule.next_trigger_at), _RUN, number, ""))
            for backup in each.backups.values():
                if backup.state is BackupState.BACKING_UP:
                    whole_at = max(now, backup.created_at + timedelta(seconds=each.copying.seconds))
                    self._coming.append((whole_at, _WHOLE, number, backup.id))
                if backup.kept_until is not None:
                    self._coming.append((backup.kept_until, _EXPIRED, number, backup.id))
        for number, each_going in enumerate(going, 1):
            self._given_back[-number] = each_going.size_bytes
            self._coming.append((each_going.at, _EXPIRED, -number, ""))
        heapify(self._coming)

    def first_refused(self, limit_bytes: int) -> tuple[Refusal | None, datetime]:
        """The first run without room; and up to when there is none."""
        end, runs, at = self._now + timedelta(days=DAYS_MAX), 0, self._now
        while self._coming and self._coming[0][0] <= end and runs < RUNS_MAX:
            at, what, number, id = heappop(self._coming)
            if number < 0:
                self.used_bytes -= self._given_back[number]
                continue
            kept = self.kept[number]
            if what == _RUN:
                runs += 1
                copying = kept.copying
                if self.used_bytes + copying.size_bytes > limit_bytes and copying.size_bytes and not kept.is_making:
                    left = max(0, limit_bytes - self.used_bytes)
                    return Refusal(copying.schedule, at, copying.size_bytes, left), at
                self._run(kept, number, at)
            elif id in kept.backups:
                if what == _WHOLE:
                    kept.backups[id] = replace(kept.backups[id], state=BackupState.READY)
                self.used_bytes -= kept.let_go(at, None if what == _WHOLE else (id,))
        return None, at if runs >= RUNS_MAX else end

    def _run(self, kept: _Kept, number: int, at: datetime) -> None:
        """A run while the last copy is not whole makes none."""
        schedule = kept.copying.schedule
        late = jitter(schedule) if schedule.id else timedelta()
        following = parse(schedule.cron, schedule.time_zone).next_after(at - late) + late
        heappush(self._coming, (following, _RUN, number, ""))
        if kept.is_making:
            return
        goes_at, id = kept_until(at, schedule.retention_days), f"~{at.isoformat()}"
        kept.backups[id] = Backup(
            id, "", "", schedule.id, "", BackupState.BACKING_UP, at, kept.copying.size_bytes, goes_at
        )
        self.used_bytes += kept.copying.size_bytes
        heappush(self._coming, (at + timedelta(seconds=kept.copying.seconds), _WHOLE, number, id))
        if goes_at is not None:
            heappush(self._coming, (goes_at, _EXPIRED, number, id))
