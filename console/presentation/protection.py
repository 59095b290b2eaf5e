"""What is known of schedules and backups beside the status: read while a view of them is in sight, and kept.

Immutable, like the mirror that it is a part of. A list comes as what has been read of it so far, and never shrinks
while it is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from console.records_backups import BackupAnswer, BackupRecord, Backups, Coverage, ScheduleRecord, Schedules

LISTS_KEPT = 4
"""Lists of backups: all of them, those of a schedule, ..."""


@dataclass(frozen=True)
class Protection:
    schedules: Schedules | None = None
    """None until they have been asked for."""
    lists: Mapping[str | None, Backups] = field(default_factory=dict)
    """Backups by what their list is narrowed to; the one that was read last is the last."""
    coverage: Coverage | None = None

    def apply(self, answer: BackupAnswer) -> Protection:
        match answer:
            case Schedules():
                known = self.schedules
                is_older = known is not None and answer.next is not None and len(answer.rows) < len(known.rows)
                return self if is_older else replace(self, schedules=answer)
            case Backups():
                before = self.lists.get(answer.scope)
                if before is not None and answer.next is not None and len(answer.rows) < len(before.rows):
                    return self
                others = [(scope, each) for scope, each in self.lists.items() if scope != answer.scope]
                return replace(self, lists=dict([*others, (answer.scope, answer)][-LISTS_KEPT:]))
            case Coverage():
                return replace(self, coverage=answer)
            case _:
                assert_never(answer)

    def find_schedule(self, schedule_id: str) -> ScheduleRecord | None:
        return next((each for each in self.schedules.rows if each.id == schedule_id), None) if self.schedules else None

    def find_backup(self, backup_id: str) -> BackupRecord | None:
        newest_first = reversed(tuple(self.lists.values()))
        return next((each for known in newest_first for each in known.rows if each.id == backup_id), None)

    def has_parts(self, backup_id: str) -> bool:
        """Whether it is the parent of one for each server of its source."""
        backup = self.find_backup(backup_id)
        return backup is not None and backup.source_kind != "server"
