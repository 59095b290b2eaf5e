"""All servers that the console knows, with what the views count of them. Immutable to its readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from console.presentation.ordered import Ordered
from console.records import ServerRecord

SortKey = Callable[[ServerRecord], Any]
"""What a column of servers is sorted by: see `ordered.Ordered`."""


class Fleet(Ordered[ServerRecord]):
    """Servers by id. `changed` gives the next fleet; this one stays as it is."""

    def hand_over(self, following: Ordered[ServerRecord], leaving: Iterable[ServerRecord],
                  coming: Iterable[ServerRecord]) -> None:  # fmt: skip
        """What is notable too is corrected instead of being looked for anew."""
        super().hand_over(following, leaving, coming)
        if "notable" in self.__dict__:
            notable = dict(self.notable)
            for row in leaving:
                notable.pop(row.id, None)
            notable.update({row.id: row for row in coming if _is_notable(row)})
            following.__dict__["notable"] = notable
        if "_named" in self.__dict__:
            named = tuple(counts.copy() for counts in self._named)
            for counts, name_of in zip(named, _NAMES, strict=True):
                counts.subtract(map(name_of, leaving))
                counts.update(map(name_of, coming))
            following.__dict__["_named"] = named

    @cached_property
    def notable(self) -> Mapping[str, ServerRecord]:
        """The rows that panels are made of: backfilling ones, lost ones and paused ones."""
        return {row.id: row for row in self.by_id.values() if _is_notable(row)}

    @cached_property
    def names_in_use(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The hosts, cells and groups that rows name."""
        hosts, cells, groups = (
            frozenset(name for name, rows in counts.items() if rows and name is not None) for counts in self._named
        )
        return hosts, cells, groups

    @cached_property
    def _named(self) -> Sequence[Counter[str | None]]:
        """How many rows name each host, cell and group."""
        return tuple(Counter(map(name_of, self.by_id.values())) for name_of in _NAMES)

    @cached_property
    def lost(self) -> Sequence[ServerRecord]:
        return [row for row in self.notable.values() if row.state == "unavailable"]

    @cached_property
    def paused(self) -> Sequence[ServerRecord]:
        """Servers that stand because a drive of theirs is lost."""
        return [row for row in self.notable.values() if row.state == "paused" and row.reason == "storage_lost"]

    @cached_property
    def backfilling(self) -> Sequence[ServerRecord]:
        return [row for row in self.notable.values() if row.is_backfilling]

    @cached_property
    def shrunk(self) -> Sequence[ServerRecord]:
        """Backfilling servers with less than their size, the least first."""
        rows = [row for row in self.backfilling if row.is_shrunk and row.is_reachable and row.state != "unavailable"]
        rows.sort(key=attrgetter("sort_name", "id"))
        rows.sort(key=lambda row: row.perf_factor.lower if row.perf_factor is not None else 1.0)
        return rows

    @cached_property
    def stopped_for_room(self) -> Sequence[ServerRecord]:
        """Backfilling servers that others, or a lost host, have stopped: the latest first."""
        rows = [row for row in self.backfilling if row.state == "stopped" and _was_stopped_by_another(row)]
        rows.sort(key=attrgetter("sort_name", "id"))
        rows.sort(key=_stopped_seconds, reverse=True)
        return rows

    @cached_property
    def noticed(self) -> Sequence[ServerRecord]:
        """Backfilling servers in their grace, the first to stop first."""
        rows = [row for row in self.backfilling if row.notice_until is not None and row.state == "running"]
        return sorted(rows, key=attrgetter("notice_until", "sort_name", "id"))


_NAMES: Sequence[Callable[[ServerRecord], str | None]] = tuple(map(attrgetter, ("host", "cell", "group")))


def _is_notable(row: ServerRecord) -> bool:
    return bool(row.is_backfilling) or row.state in {"unavailable", "paused"}


def _was_stopped_by_another(row: ServerRecord) -> bool:
    return row.reason in {"displaced", "host_lost"}


def stopped_at(row: ServerRecord) -> datetime | None:
    """When it was stopped for another's room, or with its host."""
    return row.displaced_at or row.state_since


def _stopped_seconds(row: ServerRecord) -> float:
    at = stopped_at(row)
    return at.timestamp() if at is not None else 0.0
