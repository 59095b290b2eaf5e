"""All servers that the console knows, with their orders. Immutable to its readers; 100,000 rows are its measure.

An order is a sorted list of records, kept up to date by changed rows instead of being sorted anew: a batch of changes
costs one copy of each order that has been asked for, not a sort. Ties are broken by name, then id, so that equal
rows never change places.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from console.records import ServerRecord

SortKey = Callable[[ServerRecord], Any]
"""What a column is sorted by: numbers or texts, None where it is unknown. None sorts last in either direction."""

_SMALL_BATCH = 128
"""Up to here, rows are taken out of an order one by one; above, in one pass."""
_LARGE_SHARE = 4
"""When more than a quarter of the rows change, orders are made anew when they are next asked for."""

_LARGE_BATCH_SHARE = 20
"""From a twentieth of the rows on, sorting nearly sorted rows is cheaper than finding each one's place."""
_QUESTIONS_KEPT = 4
_ORDERS_KEPT = 2
"""How many orders are kept up to date, besides the one by name: those that were looked at last."""

_NAME = "name"


def _by_name(server: ServerRecord) -> str:
    return server.sort_name


class Fleet:
    """Servers by id. `changed` gives the next fleet; this one stays as it is."""

    def __init__(self, by_id: Mapping[str, ServerRecord] | None = None) -> None:
        self.by_id: Mapping[str, ServerRecord] = by_id if by_id is not None else {}
        self._orders: dict[str, tuple[SortKey, list[ServerRecord]]] = {}
        """Those that were asked for, the latest last."""
        self._found: dict[tuple[Any, ...], Sequence[ServerRecord]] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    def changed(self, rows: Iterable[ServerRecord], removed: Collection[str] = ()) -> Fleet:
        """The fleet with these rows in place of those with the same ids, and without the removed ones."""
        new = {row.id: row for row in rows}
        gone = [self.by_id[each] for each in removed if each in self.by_id]
        if not new and not gone:
            return self
        old = [self.by_id[each] for each in new if each in self.by_id]
        by_id = {**self.by_id, **new}
        for each in gone:
            by_id.pop(each.id, None)
            new.pop(each.id, None)
        fleet = Fleet(by_id)
        leaving = {each.id: each for each in (*old, *gone)}
        if (len(leaving) + len(new)) * _LARGE_SHARE <= len(by_id):
            for name in {_NAME, *list(self._orders)[-_ORDERS_KEPT:]} & self._orders.keys():
                sort_key, order = self._orders[name]
                fleet._orders[name] = (sort_key, _updated(order, sort_key, leaving, list(new.values())))
            self._hand_over_counts(fleet, leaving.values(), new.values())
        return fleet

    def _hand_over_counts(self, fleet: Fleet, leaving: Iterable[ServerRecord], coming: Iterable[ServerRecord]) -> None:
        """What has been counted of this fleet, corrected for what has changed, is counted of the next one."""
        counted = self.__dict__
        if "by_state" in counted:
            by_state = self.by_state.copy()
            by_state.subtract(row.state for row in leaving)
            by_state.update(row.state for row in coming)
            fleet.__dict__["by_state"] = by_state
        if "notable" in counted:
            notable = dict(self.notable)
            for row in leaving:
                notable.pop(row.id, None)
            notable.update({row.id: row for row in coming if _is_notable(row)})
            fleet.__dict__["notable"] = notable

    def ordered(self, name: str, sort_key: SortKey, *, is_descending: bool = False) -> Sequence[ServerRecord]:
        """Every server in this order. Rows without a key come last, whatever the direction."""
        order = self._orders.pop(name)[1] if name in self._orders else self._sorted(name, sort_key)
        self._orders[name] = (sort_key, order)
        if not is_descending:
            return order
        known = bisect_left(order, 1, key=lambda row: int(sort_key(row) is None))
        return [*reversed(order[:known]), *order[known:]]

    def found(self, question: tuple[Any, ...], answer: Callable[[], Sequence[ServerRecord]]) -> Sequence[ServerRecord]:
        """The answer, remembered by its question until the fleet changes."""
        if question not in self._found:
            while len(self._found) >= _QUESTIONS_KEPT:
                del self._found[next(iter(self._found))]
            self._found[question] = answer()
        return self._found[question]

    def remembered(self, question: tuple[Any, ...]) -> Sequence[ServerRecord] | None:
        """The answer to a question that was asked before."""
        return self._found.get(question)

    def _sorted(self, name: str, sort_key: SortKey) -> list[ServerRecord]:
        if name == _NAME:
            by_id = sorted(self.by_id.values(), key=attrgetter("id"))
            return sorted(by_id, key=attrgetter("sort_name"))
        # Sorting is stable: from the order by name, sorting by the bare key alone leaves ties in that order.
        by_name = self.ordered(_NAME, _by_name)
        try:
            return sorted(by_name, key=sort_key)
        except TypeError:
            # Some rows have no key, and None does not compare.
            known = [row for row in by_name if sort_key(row) is not None]
            known.sort(key=sort_key)
            return known + [row for row in by_name if sort_key(row) is None]

    # What the views count. Each is one pass at most, made when it is first asked for.

    @cached_property
    def by_state(self) -> Counter[str]:
        return Counter(map(attrgetter("state"), self.by_id.values()))

    @cached_property
    def notable(self) -> Mapping[str, ServerRecord]:
        """The rows that panels are made of: backfilling ones, and lost ones."""
        return {row.id: row for row in self.by_id.values() if _is_notable(row)}

    @cached_property
    def names_in_use(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The hosts, cells and groups that rows name."""
        rows = self.by_id.values()
        hosts, cells, groups = (set(map(attrgetter(field), rows)) for field in ("host", "cell", "group"))
        return frozenset(hosts - {None}), frozenset(cells), frozenset(groups - {None})

    @cached_property
    def lost(self) -> Sequence[ServerRecord]:
        return [row for row in self.notable.values() if row.state == "unavailable"]

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


def _is_notable(row: ServerRecord) -> bool:
    return bool(row.is_backfilling) or row.state == "unavailable"


def _was_stopped_by_another(row: ServerRecord) -> bool:
    return row.reason in {"displaced", "host_lost"}


def stopped_at(row: ServerRecord) -> datetime | None:
    """When it was stopped for another's room, or with its host."""
    return row.displaced_at or row.state_since


def _stopped_seconds(row: ServerRecord) -> float:
    at = stopped_at(row)
    return at.timestamp() if at is not None else 0.0


def _updated(
    order: list[ServerRecord], sort_key: SortKey, leaving: Mapping[str, ServerRecord], coming: list[ServerRecord]
) -> list[ServerRecord]:
    """The order without the rows that leave and with those that come, in one copy."""

    def full_key(row: ServerRecord) -> tuple[Any, ...]:
        key = sort_key(row)
        return (1, 0, row.sort_name, row.id) if key is None else (0, key, row.sort_name, row.id)

    if len(coming) * _LARGE_BATCH_SHARE > len(order):
        kept = [row for row in order if row.id not in leaving] if leaving else order
        return sorted([*kept, *coming], key=full_key)
    if len(leaving) <= _SMALL_BATCH:
        kept = order.copy()
        for row in leaving.values():
            del kept[bisect_left(kept, full_key(row), key=full_key)]
    else:
        kept = [row for row in order if row.id not in leaving]
    coming.sort(key=full_key)
    merged: list[ServerRecord] = []
    start = 0
    for row in coming:
        place = bisect_left(kept, full_key(row), lo=start, key=full_key)
        merged.extend(kept[start:place])
        merged.append(row)
        start = place
    merged.extend(kept[start:])
    return merged
