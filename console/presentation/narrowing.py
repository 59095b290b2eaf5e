"""Which of 100,000 rows a list shows: those of its scope that its filter leaves, in its order, each looked at once.

What a filter left is remembered until a row changes, and what is typed on looks only at the rows that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, TypeVar

from console.presentation import filtering
from console.presentation.columns import Column, Kind
from console.presentation.filtering import Query
from console.presentation.lines import Frame
from console.presentation.ordered import Ordered, Row

R = TypeVar("R", bound=Row)

cell_of = attrgetter("cell")


def narrow(
    records: Ordered[R],
    rows: Sequence[R],
    question: tuple[Any, ...],
    frame: Frame,
    columns: Sequence[Column[R]],
    *,
    order: str | None = None,
) -> tuple[Sequence[R], int]:
    """The rows of an order that `frame` leaves of a cell, or of all cells, and how many there are without its filter.

    `question` says which order that is, and what else the rows depend on; `order` names an ascending one whose rows
    are all that is needed to tell whether they match, so that changed rows are put into what was found.
    """
    if frame.scope is not None:
        everything = rows
        question = (*question, frame.scope)
        rows = records.found(question, lambda: [row for row in everything if cell_of(row) == frame.scope])
    if not frame.filter:
        return rows, len(rows)
    query = filtering.parse(frame.filter, columns)
    is_about_time = _is_about_time(query, columns)
    if is_about_time:
        question = (*question, int(frame.now.timestamp()))
    searched = _left_by_its_beginning(records, question, frame.filter, query, columns)
    whole = rows if searched is None else searched
    question = (*question, frame.filter)
    if order is None or is_about_time:
        found = records.found(question, lambda: filtering.matching(whole, query, columns))
    else:
        found = records.filtered(
            question,
            lambda: filtering.matching(whole, query, columns),
            order,
            lambda row: frame.scope in (None, cell_of(row)) and filtering.holds(query, columns, row),
        )
    return found, len(rows)


def _is_about_time(query: Query, columns: Sequence[Column[Any]]) -> bool:
    """Whether what matches changes by itself: ages grow."""
    seconds = {column.name for column in columns if column.kind is Kind.SECONDS}
    return any(isinstance(term, filtering.Comparison) and term.column in seconds for term in query.terms)


def _left_by_its_beginning(
    records: Ordered[R], question: tuple[Any, ...], text: str, query: Query, columns: Sequence[Column[R]]
) -> Sequence[R] | None:
    """The rows that were left before the last signs were typed, where all that match now are among them."""
    for size in range(len(text) - 1, 0, -1):
        rows = records.remembered((*question, text[:size]))
        if rows is not None and filtering.is_narrower(query, filtering.parse(text[:size], columns)):
            return rows
    return None
