"""What is known of schedules and backups beside the status: read while a view of them is in sight, and kept.

Immutable, like the mirror that it is a part of. A list comes as what has been read of it so far, and never shrinks
while it is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, assert_never

from console.records_backups import (
    BackupAnswer,
    BackupDetail,
    BackupRecord,
    Backups,
    Calendar,
    Coverage,
    ScheduleDetail,
    ScheduleRecord,
    Schedules,
    Storage,
)

T = TypeVar("T")

LISTS_KEPT = 4
"""Lists of backups: all of them, those of a schedule, ..."""
DETAILS_KEPT = 32


@dataclass(frozen=True)
class Protection:
    schedule_lists: Mapping[str | None, Schedules] = field(default_factory=dict)
    """By what they are narrowed to; the one that was read last is the last."""
    lists: Mapping[str | None, Backups] = field(default_factory=dict)
    """Backups, likewise."""
    coverage: Coverage | None = None
    counts: Coverage | None = None
    """As `coverage`, perhaps without its rows, and perhaps newer."""
    calendar: Calendar | None = None
    storage: Storage | None = None
    schedule_details: Mapping[str, ScheduleDetail] = field(default_factory=dict)
    """By id: those that the cursor has rested on, or that are described."""
    backup_details: Mapping[str, BackupDetail] = field(default_factory=dict)

    def apply(self, answer: BackupAnswer) -> Protection:
        match answer:
            case Schedules():
                return replace(self, schedule_lists=_with(self.schedule_lists, answer))
            case Backups():
                return replace(self, lists=_with(self.lists, answer))
            case Coverage(is_counted_only=True):
                return replace(self, counts=answer)
            case Coverage():
                is_behind = answer.next is not None and len(answer.rows) < len(
                    self.coverage.rows if self.coverage else ()
                )
                return replace(self, coverage=self.coverage if is_behind else answer, counts=answer)
            case Calendar():
                return replace(self, calendar=answer)
            case Storage():
                return replace(self, storage=answer)
            case ScheduleDetail():
                return replace(self, schedule_details=_kept(self.schedule_details, answer.schedule.id, answer))
            case BackupDetail():
                return replace(self, backup_details=_kept(self.backup_details, answer.backup.id, answer))
            case _:
                assert_never(answer)

    def has(self, source: str) -> bool:
        """Whether a source of the feed has been read to its end: `schedules`, `backups schedule:ID`, `calendar`, ..."""
        kind, _, scope = source.partition(" ")
        match kind:
            case "schedules":
                listed: Schedules | Backups | None = self.schedule_lists.get(scope or None)
                return listed is not None and listed.next is None
            case "backups":
                listed = self.lists.get(scope or None)
                return listed is not None and listed.next is None
            case "coverage":
                told = self.counts if scope else self.coverage
                return told is not None and (bool(scope) or told.next is None)
            case "calendar":
                return self.calendar is not None and self.calendar.time_zone == (scope or "UTC")
            case "schedule":
                return scope in self.schedule_details
            case "backup":
                return scope in self.backup_details
            case _:
                return kind != "storage" or self.storage is not None

    def remembered(self, question: Any, answer: Callable[[], T]) -> T:
        """The answer to a question about this value; it is worked out anew only when it is not the last question."""
        if not self._last or self._last[0][0] != question:
            self._last[:] = [(question, answer())]
        found: T = self._last[0][1]
        return found

    @cached_property
    def _last(self) -> list[tuple[Any, Any]]:
        return []

    @property
    def schedules(self) -> Schedules | None:
        """All of them; None until they have been asked for."""
        return self.schedule_lists.get(None)

    def find_schedule(self, schedule_id: str) -> ScheduleRecord | None:
        """As its newest version has it."""
        listed, told = self._schedules_by_id.get(schedule_id), self.schedule_details.get(schedule_id)
        return listed if told is None else _newer(listed, told.schedule)

    def find_backup(self, backup_id: str) -> BackupRecord | None:
        """As its newest version has it."""
        listed, told = self._backups_by_id.get(backup_id), self.backup_details.get(backup_id)
        return listed if told is None else _newer(listed, told.backup)

    @cached_property
    def _schedules_by_id(self) -> Mapping[str, ScheduleRecord]:
        """As the list that was read last has them."""
        return {each.id: each for known in self.schedule_lists.values() for each in known.rows}

    @cached_property
    def _backups_by_id(self) -> Mapping[str, BackupRecord]:
        return {each.id: each for known in self.lists.values() for each in known.rows}

    def raw(self, key: str) -> Mapping[str, Any]:
        """The schedule or backup with this key as the API gave it; empty where it has not been asked for."""
        kind, _, identity = key.partition(":")
        details: Mapping[str, ScheduleDetail | BackupDetail] = {}
        if kind in {"schedule", "backup"}:
            details = self.schedule_details if kind == "schedule" else self.backup_details
        told = details.get(identity)
        return {} if told is None else told.raw

    def has_parts(self, backup_id: str) -> bool:
        """Whether it is the parent of one for each server of its source."""
        backup = self.find_backup(backup_id)
        return backup is not None and backup.source_kind != "server"


Told = TypeVar("Told", ScheduleDetail, BackupDetail)
One = TypeVar("One", ScheduleRecord, BackupRecord)


def _kept(details: Mapping[str, Told], identity: str, answer: Told) -> Mapping[str, Told]:
    others: dict[str, Told] = {each: told for each, told in details.items() if each != identity}
    return {**dict(list(others.items())[1 - DETAILS_KEPT :]), identity: answer}


def _newer(listed: One | None, told: One) -> One:
    return told if listed is None or (listed.version or 0) <= (told.version or 0) else listed


Listed = TypeVar("Listed", Schedules, Backups)


def _with(lists: Mapping[str | None, Listed], answer: Listed) -> Mapping[str | None, Listed]:
    """The lists after what has been read of one: it replaces what was known of that as soon as it is as long."""
    known = lists.get(answer.scope)
    if known is not None and answer.next is not None and len(answer.rows) < len(known.rows):
        return lists
    others: dict[str | None, Listed] = {scope: each for scope, each in lists.items() if scope != answer.scope}
    return {**dict(list(others.items())[1 - LISTS_KEPT :]), answer.scope: answer}
