"""Rows by id, with their orders. Immutable to its readers; 100,000 rows are its measure.

An order is a sorted list of records, kept up to date by changed rows instead of being sorted anew: a batch of changes
costs one copy of each order that has been asked for, not a sort. Ties are broken by name, then id, so that equal
rows never change places.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

_LARGE_SHARE = 4
"""When more than a quarter of the rows change, orders are made anew when they are next asked for."""

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
        self._orders: dict[str, tuple[Callable[[R], Any], Sequence[R]]] = {}
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
                following._orders[name] = (sort_key, _updated(order, sort_key, leaving.values(), new.values()))
            self._hand_filters_over(following, leaving.values(), new.values())
            self.hand_over(following, leaving.values(), new.values())
        return following

    def _hand_filters_over(self, following: Ordered[R], leaving: Iterable[R], coming: Iterable[R]) -> None:
        for question, kept in self._filters.items():
            order = following._orders.get(kept.order)
            if order is None or kept.changes_unasked >= _CHANGES_UNASKED_MAX or question not in self._found:
                continue
            come = [each for each in coming if kept.holds(each)]
            following._found[question] = _updated(self._found[question], order[0], leaving, come)
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


class _Places(Generic[R]):
    """Where rows are in an order, or would be. The place of what many rows share is looked for once."""

    def __init__(self, order: Sequence[R], sort_key: Callable[[R], Any]) -> None:
        self._order, self._sort_key = order, sort_key
        self._bounds: dict[Any, tuple[int, int]] = {}
        """By sort key, between which places its rows are."""
        has_unknown = bool(order) and sort_key(order[-1]) is None
        self._known = bisect_left(order, 1, key=lambda row: int(sort_key(row) is None)) if has_unknown else len(order)

    def full_key(self, row: R) -> tuple[Any, ...]:
        """What rows are in the order of."""
        key = self._sort_key(row)
        return (1, 0, row.sort_name, row.id) if key is None else (0, key, row.sort_name, row.id)

    def of(self, row: R) -> int:
        """The first place at which no row is that comes before this one."""
        key, order = self._sort_key(row), self._order
        if key not in self._bounds:
            self._bounds[key] = self._between(key)
        low, high = self._bounds[key]
        low = bisect_left(order, row.sort_name, low, high, key=_SORT_NAME)
        if low == high or order[low].id >= row.id or order[low].sort_name != row.sort_name:
            return low
        return bisect_left(order, row.id, low, bisect_right(order, row.sort_name, low, high, key=_SORT_NAME), key=_ID)

    def _between(self, key: Any) -> tuple[int, int]:
        order, known = self._order, self._known
        if key is None:
            return known, len(order)
        low = bisect_left(order, key, 0, known, key=self._sort_key)
        near = min(low + _FEW, known)
        # A key that few rows share, which is most keys where keys are many, is not looked for twice.
        is_wide = near < known and self._sort_key(order[near]) == key
        return low, bisect_right(order, key, *((near, known) if is_wide else (low, near)), key=self._sort_key)

    def holds(self, place: int, row: R) -> bool:
        """Whether it is a row with the same id that is there."""
        return place < len(self._order) and self._order[place].id == row.id


_SORT_NAME, _ID = attrgetter("sort_name"), attrgetter("id")
_FEW = 8


def _updated(
    order: Sequence[R], sort_key: Callable[[R], Any], leaving: Iterable[R], coming: Iterable[R]
) -> Sequence[R]:
    """The order without those of the rows that leave which are in it, and with those that come, in one copy."""
    places = _Places(order, sort_key)
    out = [(place, True, (), row) for row in leaving if places.holds(place := places.of(row), row)]
    into = [(places.of(row), False, places.full_key(row), row) for row in coming]
    if not out and not into:
        return order
    updated: list[R] = []
    start = 0
    # What comes to a place comes before what is there.
    for place, leaves, _, row in sorted([*out, *into], key=itemgetter(0, 1, 2)):
        updated.extend(order[start:place])
        start = place + leaves
        if not leaves:
            updated.append(row)
    updated.extend(order[start:])
    return updated
