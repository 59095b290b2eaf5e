"""Which columns a list shows: a choice that is made column by column, and how it looks while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from console.presentation import chosen
from console.presentation.columns import NUMBERS, Column
from console.presentation.lines import Frame, Line, Tone, compose, left, right

UNIT_FROM_WIDTH = 48


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The columns of a list in their order, and those that are shown."""

    names: tuple[str, ...]
    shown: frozenset[str]
    at: int = 0

    @classmethod
    def begin(cls, columns: Sequence[Column[Any]], chosen: Sequence[str], own: Sequence[str] = ()) -> ColumnChoice:
        """The chosen ones first, in their order; where none were, those that the list shows by itself are."""
        every = [column.name for column in columns]
        known = [name for name in chosen if name in every] or list(own) or every[:8]
        return cls((*known, *(name for name in every if name not in known)), frozenset(known))

    @property
    def chosen(self) -> tuple[str, ...]:
        """What is shown, in order."""
        return tuple(name for name in self.names if name in self.shown)

    def moved(self, step: int) -> ColumnChoice:
        """The cursor on the next column, from the last on to the first."""
        return replace(self, at=(self.at + step) % len(self.names))

    def toggled(self) -> ColumnChoice:
        """The column shown, or not any more; one always is."""
        shown = self.shown ^ {self.names[self.at]}
        return replace(self, shown=shown) if shown else self

    def carried(self, step: int) -> ColumnChoice:
        """The column one place further to the left or right."""
        there = self.at + step
        if not 0 <= there < len(self.names):
            return self
        names = list(self.names)
        names[self.at], names[there] = names[there], names[self.at]
        return replace(self, names=tuple(names), at=there)


def lines(choice: ColumnChoice, columns: Sequence[Column[Any]], frame: Frame) -> tuple[Line, ...]:
    """A row a column: whether it is shown, its name, its head, how wide it is."""
    by_name = {column.name: column for column in columns}
    found = []
    for place, name in enumerate(choice.names):
        column, is_here = by_name[name], place == choice.at
        is_shown = name in choice.shown
        tone = Tone.TEXT if is_shown else Tone.MUTED
        placed = [
            left(1, frame.glyphs.cursor if is_here else " ", Tone.ACCENT),
            left(3, frame.glyphs.done if is_shown else frame.glyphs.nothing, Tone.OK if is_shown else Tone.MUTED),
            left(5, name, tone, bold=is_here),
            left(20, column.title, Tone.MUTED),
        ]
        if column.kind in NUMBERS and frame.width >= UNIT_FROM_WIDTH:
            placed.append(left(34, column.kind.value, Tone.MUTED))
        placed.append(right(frame.width - 3, str(column.width), Tone.MUTED))
        found.append(compose(frame.width, *placed))
    return tuple(found)


def told(choice: ColumnChoice, columns: Sequence[Column[Any]], width: int) -> str:
    """How many are shown in a list of this width, and which of the chosen do not fit into it."""
    fitting = [column.name for _, column in chosen.fitting(columns, choice.chosen, width)]
    left_out = [name for name in choice.chosen if name not in fitting]
    if not left_out:
        return f"{len(fitting)} shown"
    return f"{len(fitting)} shown; left out, as the list is too narrow: {', '.join(left_out)}"
