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
    BackupRecord,
    Backups,
    Calendar,
    Coverage,
    Previewed,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    Storage,
)

T = TypeVar("T")

LISTS_KEPT = 4
"""Lists of backups: all of them, those of a schedule, ..."""
PREVIEWS_KEPT = 32


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
    previews: Mapping[str, SchedulePreviewRecord] = field(default_factory=dict)
    """By schedule: what those would do that the cursor has rested on."""

    def apply(self, answer: BackupAnswer) -> Protection:
        match answer:
            case Schedules():
                return replace(self, schedule_lists=_with(self.schedule_lists, answer))
            case Backups():
                return replace(self, lists=_with(self.lists, answer))
            case Coverage(is_counted_only=True):
                return replace(self, counts=answer)
            case Coverage():
                return replace(self, coverage=answer, counts=answer)
            case Calendar():
                return replace(self, calendar=answer)
            case Storage():
                return replace(self, storage=answer)
            case Previewed():
                others = [pair for pair in self.previews.items() if pair[0] != answer.schedule_id]
                kept = [*others, (answer.schedule_id, answer.preview)][-PREVIEWS_KEPT:]
                return replace(self, previews=dict(kept))
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
                return (self.counts if scope else self.coverage) is not None
            case "calendar":
                return self.calendar is not None and self.calendar.time_zone == (scope or "UTC")
            case "preview":
                return scope in self.previews
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
        return self._schedules_by_id.get(schedule_id)

    def find_backup(self, backup_id: str) -> BackupRecord | None:
        return self._backups_by_id.get(backup_id)

    @cached_property
    def _schedules_by_id(self) -> Mapping[str, ScheduleRecord]:
        """As the list that was read last has them."""
        return {each.id: each for known in self.schedule_lists.values() for each in known.rows}

    @cached_property
    def _backups_by_id(self) -> Mapping[str, BackupRecord]:
        return {each.id: each for known in self.lists.values() for each in known.rows}

    def has_parts(self, backup_id: str) -> bool:
        """Whether it is the parent of one for each server of its source."""
        backup = self.find_backup(backup_id)
        return backup is not None and backup.source_kind != "server"


Listed = TypeVar("Listed", Schedules, Backups)


def _with(lists: Mapping[str | None, Listed], answer: Listed) -> Mapping[str | None, Listed]:
    """The lists after what has been read of one: it replaces what was known of that as soon as it is as long."""
    known = lists.get(answer.scope)
    if known is not None and answer.next is not None and len(answer.rows) < len(known.rows):
        return lists
    others: dict[str | None, Listed] = {scope: each for scope, each in lists.items() if scope != answer.scope}
    return {**dict(list(others.items())[1 - LISTS_KEPT :]), answer.scope: answer}
