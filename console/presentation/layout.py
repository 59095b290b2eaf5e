"""Tables whose columns go, the least of them first, where the terminal is narrow, and grow where there is room.

A figure is never cut: a column that does not fit is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from console.presentation.lines import Line, Placed, Tone, at, cells, compose, left, right, span_width

T = TypeVar("T")

START = 2
"""Columns 0 and 1 are the cursor's and the marks'."""
GAP = 2


@dataclass(frozen=True, slots=True)
class DrawnColumn(Generic[T]):
    """`rank` 0 always stays; of the others the highest goes first. `draw` is given the width that there is."""

    title: str
    width: int
    draw: Callable[[T, int], Line]
    rank: int = 0
    width_most: int = 0
    """How wide it may grow; 0: it does not."""
    is_right: bool = False
    gap: int = GAP
    """How many blanks stand before it."""


@dataclass(frozen=True, slots=True)
class Layout(Generic[T]):
    """Columns with where each begins and how wide it is, for one width of a line."""

    width: int
    placed: tuple[tuple[DrawnColumn[T], int, int], ...]

    @property
    def head(self) -> Line:
        return compose(self.width, *(self._title(column, start, width) for column, start, width in self.placed))

    @staticmethod
    def _title(column: DrawnColumn[T], start: int, width: int) -> Placed:
        if column.is_right:
            return right(start + width - 1, column.title, Tone.MUTED)
        return left(start, column.title if cells(column.title) <= width else "", Tone.MUTED)

    def line(self, row: T) -> Line:
        pieces: list[Placed] = []
        for column, start, width in self.placed:
            spans = column.draw(row, width)
            pieces.append(at(start + max(0, width - span_width(spans)) if column.is_right else start, spans))
        return compose(self.width, *pieces)

    def shows(self, title: str) -> bool:
        return any(column.title == title for column, _, _ in self.placed)


def layout(columns: Sequence[DrawnColumn[T]], width: int) -> Layout[T]:
    """The columns that fit, in their order; what room is left goes to those that grow, from left to right."""
    kept = list(columns)
    while (over := _needed(kept) - (width - 1)) > 0:
        goes = max((column for column in kept if column.rank), key=lambda column: column.rank, default=None)
        if goes is None:
            break
        kept.remove(goes)
    room = -over
    placed = []
    start = START
    for number, column in enumerate(kept):
        grows = min(max(0, room), max(0, column.width_most - column.width))
        room -= grows
        start += column.gap if number else 0
        placed.append((column, start, column.width + grows))
        start += column.width + grows
    return Layout(width, tuple(placed))


def _needed(columns: Sequence[DrawnColumn[T]]) -> int:
    return START + sum(column.width + (column.gap if number else 0) for number, column in enumerate(columns))
