"""Rows by id, with their orders. Immutable to its readers; 100,000 rows are its measure.

An order is a sorted list of records, kept up to date by changed rows instead of being sorted anew: a batch of changes
costs one copy of each order that has been asked for, not a sort. Ties are broken by name, then id, so that equal
rows never change places.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

_SMALL_BATCH = 128
"""Up to here, rows are taken out of an order one by one; above, in one pass."""
_LARGE_SHARE = 4
"""When more than a quarter of the rows change, orders are made anew when they are next asked for."""

_LARGE_BATCH_SHARE = 20
"""From a twentieth of the rows on, sorting nearly sorted rows is cheaper than finding each one's place."""
_QUESTIONS_KEPT = 7
_ORDERS_KEPT = 2
"""How many orders are kept up to date, besides the one by name: those that were looked at last."""

_CHANGES_UNASKED_MAX = 4
"""So often is an answer kept right that nobody asks for."""

_NAME = "name"


class Row(Protocol):
    """What a record needs so that it can be kept in orders."""

    @property
    def id(self) -> str: ...
    @property
    def sort_name(self) -> str: ...
    @property
    def state(self) -> str: ...


R = TypeVar("R", bound=Row)


class _Filter(NamedTuple, Generic[R]):
    """What an answer is made of."""

    order: str
    holds: Callable[[R], bool]
    changes_unasked: int = 0
    """How often rows have changed since it was asked for."""


class Ordered(Generic[R]):
    """Records by id. `changed` gives the next value; this one stays as it is.

    A sort key is a plain function of a record: a number or a text, None where it is unknown. None sorts last in
    either direction.
    """

    def __init__(self, by_id: Mapping[str, R] | None = None) -> None:
        self.by_id: Mapping[str, R] = by_id if by_id is not None else {}
        self._orders: dict[str, tuple[Callable[[R], Any], list[R]]] = {}
        """Those that were asked for, the latest last."""
        self._found: dict[tuple[Any, ...], Sequence[R]] = {}
        self._filters: dict[tuple[Any, ...], _Filter[R]] = {}
        """How to keep answers right when rows change: those that were asked for lately."""

    def __len__(self) -> int:
        return len(self.by_id)

    def changed(self, rows: Iterable[R], removed: Collection[str] = ()) -> Self:
        """The same with these rows in place of those with the same ids, and without the removed ones."""
        new = {row.id: row for row in rows}
        gone = [self.by_id[each] for each in removed if each in self.by_id]
        if not new and not gone:
            return self
        old = [self.by_id[each] for each in new if each in self.by_id]
        by_id = {**self.by_id, **new}
        for each in gone:
            by_id.pop(each.id, None)
            new.pop(each.id, None)
        following = type(self)(by_id)
        leaving = {each.id: each for each in (*old, *gone)}
        if (len(leaving) + len(new)) * _LARGE_SHARE <= len(by_id):
            for name in {_NAME, *list(self._orders)[-_ORDERS_KEPT:]} & self._orders.keys():
                sort_key, order = self._orders[name]
                following._orders[name] = (sort_key, _updated(order, sort_key, leaving, list(new.values())))
            self._hand_filters_over(following, leaving, list(new.values()))
            self.hand_over(following, leaving.values(), new.values())
        return following

    def _hand_filters_over(self, following: Ordered[R], leaving: Mapping[str, R], coming: Sequence[R]) -> None:
        for question, kept in self._filters.items():
            order = following._orders.get(kept.order)
            if order is None or kept.changes_unasked >= _CHANGES_UNASKED_MAX or question not in self._found:
                continue
            left = {each.id: each for each in leaving.values() if kept.holds(each)}
            come = [each for each in coming if kept.holds(each)]
            rows = self._found[question]
            following._found[question] = _updated(list(rows), order[0], left, come) if left or come else rows
            following._filters[question] = kept._replace(changes_unasked=kept.changes_unasked + 1)

    def hand_over(self, following: Ordered[R], leaving: Iterable[R], coming: Iterable[R]) -> None:
        """What has been counted of this value, corrected for what has changed, is counted of the next one."""
        if "by_state" in self.__dict__:
            by_state = self.by_state.copy()
            by_state.subtract(row.state for row in leaving)
            by_state.update(row.state for row in coming)
            following.__dict__["by_state"] = by_state

    def ordered(self, name: str, sort_key: Callable[[R], Any], *, is_descending: bool = False) -> Sequence[R]:
        """Every row in this order. Rows without a key come last, whatever the direction."""
        order = self._orders.pop(name)[1] if name in self._orders else self._sorted(name, sort_key)
        self._orders[name] = (sort_key, order)
        if not is_descending:
            return order
        known = bisect_left(order, 1, key=lambda row: int(sort_key(row) is None))
        return [*reversed(order[:known]), *order[known:]]

    def found(self, question: tuple[Any, ...], answer: Callable[[], Sequence[R]]) -> Sequence[R]:
        """The answer, remembered by its question until a row changes."""
        if question not in self._found:
            while len(self._found) >= _QUESTIONS_KEPT:
                del self._found[next(iter(self._found))]
            self._found[question] = answer()
        return self._found[question]

    def filtered(
        self, question: tuple[Any, ...], answer: Callable[[], Sequence[R]], order: str, holds: Callable[[R], bool]
    ) -> Sequence[R]:
        """As `found`, of an ascending order and a test of rows by themselves: changed rows are put into the answer."""
        self._filters[question] = _Filter(order, holds)
        return self.found(question, answer)

    def remembered(self, question: tuple[Any, ...]) -> Sequence[R] | None:
        """The answer to a question that was asked before."""
        return self._found.get(question)

    def by_name(self) -> Sequence[R]:
        """Every row in the order of names."""
        return self.ordered(_NAME, attrgetter("sort_name"))

    def _sorted(self, name: str, sort_key: Callable[[R], Any]) -> list[R]:
        if name == _NAME:
            by_id: list[R] = sorted(self.by_id.values(), key=attrgetter("id"))
            return sorted(by_id, key=attrgetter("sort_name"))
        # Sorting is stable: from the order by name, sorting by the bare key alone leaves ties in that order.
        by_name = self.by_name()
        try:
            return sorted(by_name, key=sort_key)
        except TypeError:
            # Some rows have no key, and None does not compare.
            known = [row for row in by_name if sort_key(row) is not None]
            known.sort(key=sort_key)
            return known + [row for row in by_name if sort_key(row) is None]

    @cached_property
    def by_state(self) -> Counter[str]:
        """How many rows are in each state."""
        return Counter(map(attrgetter("state"), self.by_id.values()))


def _updated(order: list[R], sort_key: Callable[[R], Any], leaving: Mapping[str, R], coming: list[R]) -> list[R]:
    """The order without the rows that leave and with those that come, in one copy."""

    def full_key(row: R) -> tuple[Any, ...]:
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
    merged: list[R] = []
    start = 0
    for row in coming:
        place = bisect_left(kept, full_key(row), lo=start, key=full_key)
        merged.extend(kept[start:place])
        merged.append(row)
        start = place
    merged.extend(kept[start:])
    return merged
