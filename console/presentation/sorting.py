"""By what a list is sorted: one of its own orders, or any of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.presentation.columns import NUMBERS, Column, Value
from console.presentation.lines import Frame

SortKey = Callable[[Any], Any]
"""A plain function of a record: a number or a text, None where it is unknown."""


def names(orders: Mapping[str, SortKey] | Sequence[str], columns: Sequence[Column[Any]]) -> tuple[str, ...]:
    """All that a list can be sorted by: its own orders first."""
    return tuple(dict.fromkeys([*orders, *(column.name for column in columns)]))


def order_of(frame: Frame, orders: Mapping[str, SortKey], columns: Sequence[Column[Any]]) -> str:
    """The order that the frame asks for; the list's own where it has none of that name."""
    return frame.sort if frame.sort in names(orders, columns) else next(iter(orders))


def column_of(frame: Frame, orders: Sequence[str], columns: Sequence[Column[Any]]) -> Column[Any] | None:
    """The column that the frame sorts by; None where it asks for one of the list's own orders, or for nothing."""
    return next((each for each in columns if each.name == frame.sort and each.name not in orders), None)


def note_of(frame: Frame, orders: Sequence[str], columns: Sequence[Column[Any]]) -> str:
    """What a note says of the order of a list whose own orders have names: `sort size down`."""
    order = frame.sort if frame.sort in names(orders, columns) else orders[0]
    return f"sort {order}{' down' if frame.is_descending else ''}"


def key_of(order: str, orders: Mapping[str, SortKey], columns: Sequence[Column[Any]]) -> SortKey:
    """What rows of this order are compared by."""
    return orders[order] if order in orders else by_column(next(each for each in columns if each.name == order))


def by_column(column: Column[Any]) -> SortKey:
    """Numbers by size, texts without regard to case; an empty text is none."""
    value = column.value
    if column.kind in NUMBERS:
        return value
    return lambda row: _folded(value(row))


def last_without(column: Column[Any]) -> SortKey:
    """As `by_column`, for rows that are sorted among others: the unknown ones last where that is upwards."""
    key = by_column(column)
    return lambda row: (key(row) is None, key(row) or 0 if column.kind in NUMBERS else key(row) or "")


def _folded(value: Value) -> str | None:
    return str(value).casefold() or None if value is not None else None


def as_asked(rows: Sequence[Any], frame: Frame, columns: Sequence[Column[Any]]) -> Sequence[Any]:
    """Rows that are in the list's own order, by the column that the frame asks for, if it asks for one."""
    column = next((each for each in columns if each.name == frame.sort), None)
    if column is not None:
        return ordered(rows, column, is_descending=frame.is_descending)
    return rows[::-1] if frame.is_descending else rows


def said(frame: Frame, own: str, columns: Sequence[Column[Any]]) -> str:
    """What a note says of the order: `own` for the list's own, `sort name down` for one of its columns."""
    if not any(each.name == frame.sort for each in columns):
        return own
    return f"sort {frame.sort}{' down' if frame.is_descending else ''}"


def ordered(rows: Sequence[Any], column: Column[Any], *, is_descending: bool) -> list[Any]:
    """Rows by a column, the unknown ones last in either direction."""
    key = by_column(column)
    known = [row for row in rows if key(row) is not None]
    known.sort(key=key, reverse=is_descending)
    return [*known, *(row for row in rows if key(row) is None)]
