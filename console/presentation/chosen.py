"""A list with the columns that the operator chose, instead of its own: each as wide as it says, as many as fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from console.presentation import figures
from console.presentation.columns import NUMBERS, Column, Kind, Table, Value
from console.presentation.lines import (
    Frame,
    Line,
    Placed,
    Rows,
    Span,
    Tone,
    View,
    at,
    cells,
    compose,
    fit_id,
    fit_name,
    left,
    matched,
    right,
    text_of,
)

T = TypeVar("T")

START = 2
GAP = 1
WIDTH_MIN = 60
"""Below it a list keeps its own few columns."""


def is_asked(table: Table[Any], frame: Frame, width: int) -> bool:
    """Whether there are chosen columns to draw, and room for them. Another version may have known others."""
    return width >= WIDTH_MIN and any(column.name in frame.columns for column in table.columns)


def region(table: Table[T], frame: Frame, width: int) -> Rows[T]:
    """The rows of a table with the columns of the frame."""
    columns = fitting(table.columns, frame.columns, width)
    return Rows(_head(columns, width), table.rows, lambda row: _row(table, columns, frame, row, width), table.key_of)


def fitting(columns: Sequence[Column[T]], names: Sequence[str], width: int) -> list[tuple[int, Column[T]]]:
    """The chosen columns that fit, each with where it begins. The first always does; none is cut.

    Where they do not all fit as wide as they are, those that may be narrower are, so that more of them do.
    """
    by_name = {column.name: column for column in columns}
    wanted = [by_name[name] for name in names if name in by_name]
    kept: list[Column[T]] = []
    used = START
    for column in wanted:
        least = _least(column)
        if kept and used + least >= width:
            break
        kept.append(column)
        used += least + GAP
    spare = max(0, width - used + GAP - 1)
    rooms = [_least(column) for column in kept]
    while spare and any(room < column.width for room, column in zip(rooms, kept, strict=True)):
        # A cell to each in turn, so that no long name takes the letters of a short one.
        for place, column in enumerate(kept):
            if spare and rooms[place] < column.width:
                rooms[place] += 1
                spare -= 1
    found: list[tuple[int, Column[T]]] = []
    start = START
    for room, column in zip(rooms, kept, strict=True):
        found.append((start, column._replace(width=room)))
        start += room + GAP
    return found


def _least(column: Column[Any]) -> int:
    return max(column.width_min or column.width, cells(column.title))


def in_heads(view: View) -> tuple[str, ...]:
    """The names of the columns that stand above the list of a view, from left to right; none where it has no heads."""
    if view.table is None:
        return ()
    columns = view.table.columns
    words = {**{each.name.upper(): each.name for each in columns}, **{each.title: each.name for each in columns},
             **view.heads}  # fmt: skip
    every = [_in_head(text_of(region.head), words) for region in view.regions if region.head is not None]
    known = {each.name for each in columns}
    return tuple(name for name in max(every, key=len, default=()) if name in known)


def _in_head(head: str, words: Mapping[str, str]) -> tuple[str, ...]:
    found: list[tuple[int, str]] = []
    for word in sorted(words, key=len, reverse=True):
        match = re.search(rf"(?<!\S){re.escape(word)}(?!\S)", head)
        if match is not None:
            found.append((match.start(), words[word]))
            head = head[: match.start()] + "." * len(word) + head[match.end() :]
    return tuple(dict.fromkeys(name for _, name in sorted(found)))


def _head(columns: Sequence[tuple[int, Column[Any]]], width: int) -> Line:
    placed: list[Placed] = []
    for start, column in columns:
        room = max(column.width, cells(column.title))
        is_number = column.kind in NUMBERS
        placed.append(
            right(start + room - 1, column.title, Tone.MUTED) if is_number else left(start, column.title, Tone.MUTED)
        )
    return compose(width, *placed)


def _row(table: Table[T], columns: Sequence[tuple[int, Column[T]]], frame: Frame, row: T, width: int) -> Line:
    is_known = table.is_known(row)
    placed: list[Placed] = []
    for start, column in columns:
        room = max(column.width, cells(column.title))
        if column.draw is not None:
            drawn = column.draw(row)
            # Numbers end where their head does.
            ahead = room - cells(text_of(drawn)) if column.kind in NUMBERS else 0
            placed.append(at(start + max(0, ahead), drawn))
            continue
        value = column.known_last(row)
        tone = Tone.TEXT if is_known or column.is_lasting else Tone.UNKNOWN
        if column.kind in NUMBERS:
            text = None if value is None else written(column.kind, value)
            if text is None and is_known:
                # A normal server has no factor, a stopped one no age: there is nothing to know.
                placed.append(right(start + room - 1, frame.glyphs.nothing, Tone.MUTED))
                continue
            is_last = not (is_known or column.is_lasting)
            figure = figures.last_known(text, frame.glyphs) if is_last else figures.or_dash(text, frame.glyphs)
            placed.append(right(start + room - 1, figure, tone if value is not None else Tone.UNKNOWN))
        else:
            if value is None and not (is_known or column.is_lasting):
                placed.append(left(start, frame.glyphs.nobody_said, Tone.UNKNOWN))
                continue
            span = _text(column, value, frame, tone, room)
            if column.name == "name":
                span = span._replace(is_bold=table.key_of(row) in frame.marks)
            placed.append(at(start, matched(span, frame.filter) if column.is_searched else (span,)))
    return compose(width, *placed)


def state(look: figures.StateLook, *, is_known: bool = True) -> Line:
    """A state as glyph and word."""
    tone = look.tone if is_known else Tone.UNKNOWN
    return (Span(look.glyph, tone), Span(" "), Span(look.word, tone))


def _text(column: Column[Any], value: Value, frame: Frame, tone: Tone, room: int) -> Span:
    if value in (None, ""):
        return Span(frame.glyphs.nothing, Tone.MUTED)
    fit = fit_id if column.kind is Kind.ID else fit_name
    return Span(fit(str(value), room, frame.glyphs), tone)


def written(kind: Kind, value: Value) -> str:
    """A number as the screen writes its kind."""
    assert isinstance(value, int | float), "a column of numbers holds numbers"
    match kind:
        case Kind.CPU:
            return figures.ghz(value)
        case Kind.BYTES:
            return figures.gib(value)
        case Kind.SECONDS:
            return figures.age(value)
        case Kind.SHARE:
            return figures.factor(value)
        case _:
            return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
