"""What the console draws: lines of spans that say what they mean. No colour, no terminal.

Every line is laid out for the width of its frame: it is never wrapped, its last column is empty, and columns 0 and 1
are left to the cursor and to marks on every list. Below 60 columns, and on lists without marks, a view may use
column 1 itself; a mark is then drawn over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from console.presentation import filtering
from console.presentation.columns import Table
from console.presentation.glyphs import ASCII, UNICODE, Glyphs
from console.presentation.widths import cells, fit_id, fit_name, fit_sentence, graphemes, take, take_end, wrap

__all__ = ["ASCII", "UNICODE", "Glyphs", "cells", "fit_id", "fit_name", "fit_sentence", "graphemes", "take",
           "take_end", "wrap"]  # fmt: skip
"""What views find here although it lives next door."""

T = TypeVar("T")


class Tone(StrEnum):
    """What a span means. The style sheet gives each one its colour."""

    TEXT = "text"
    MUTED = "muted"
    """Heads, units, dots, calm facts."""
    ACCENT = "accent"
    """Keys, titles, the cursor, progress; never a state."""
    OK = "ok"
    WARN = "warn"
    """Will hurt, or waits, or at its floor."""
    CRIT = "crit"
    """Known to be broken or at risk now."""
    UNKNOWN = "unknown"
    """Nobody knows now; last known."""
    BACKFILL = "backfill"
    """Lives on leftovers."""
    HUE_BLUE = "hue-blue"
    HUE_GREEN = "hue-green"
    HUE_VIOLET = "hue-violet"
    HUE_BROWN = "hue-brown"
    HUE_GREY = "hue-grey"
    HUE_RED = "hue-red"
    """A cloud's own colour, as a tint behind its name; never a state."""


class Span(NamedTuple):
    text: str
    tone: Tone = Tone.TEXT
    is_reversed: bool = False
    is_bold: bool = False
    is_underlined: bool = False
    """The part of a name that the filter matched."""


Line = tuple[Span, ...]


class Frame(NamedTuple):
    """All that a view needs to know beside the mirror: the room, the instants, the glyphs, the operator's choices."""

    width: int = 80
    height: int = 24
    """Of the whole terminal; the body has four rows less."""
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """The cloud's instant. Ages of servers, tasks and events are counted from it."""
    wall_now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """The wall's instant. Ages of what we were told, and of cells that do not answer, are counted from it."""
    glyphs: Glyphs = UNICODE
    filter: str = ""
    sort: str = ""
    """A column's key; empty for the view's own order, which is worst first."""
    is_descending: bool = False
    scope: str | None = None
    """What the view is narrowed to: a group's name in groups, a cell's name in servers and tasks."""
    marks: frozenset[str] = frozenset()
    has_pane: bool = True
    """False after `p`: no pane beside the list, even where there is room."""
    past_at: datetime | None = None
    """The instant in the past that is looked at; None at the present."""
    is_folded: bool = False
    """True after `F`: hosts folded into cells."""
    is_read_only: bool = False
    """Whether the console refuses to change anything."""
    modes: frozenset[str] = frozenset()
    """What was toggled in this place, in the view's own words."""
    columns: tuple[str, ...] = ()
    """The columns that were chosen for this list, by their names; none for the list's own."""
    cloud: str = ""
    """What the operator calls this cloud, where there are several."""

    @property
    def body_height(self) -> int:
        return max(1, self.height - 4)


class Region(Protocol):
    """One table of a view: a head and rows that are drawn only when they are asked for."""

    @property
    def head(self) -> Line | None: ...

    def __len__(self) -> int: ...

    def key(self, index: int) -> str | None:
        """What the row is about, the same across refreshes; None where the cursor does not stop."""
        ...

    def line(self, index: int) -> Line: ...

    def find(self, key: str) -> int | None: ...


@dataclass(frozen=True)
class Rows(Generic[T]):
    """A region over a sequence of records: `draw` makes one line of one record, and only when it is shown."""

    head: Line | None
    rows: Sequence[T]
    draw: Callable[[T], Line]
    key_of: Callable[[T], str]
    _keys: list[str] = field(default_factory=list, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> str | None:
        return self.key_of(self.rows[index])

    def line(self, index: int) -> Line:
        return self.draw(self.rows[index])

    def find(self, key: str) -> int | None:
        """Where the row is now. A list of keys costs a tenth of an index by key, and a view is searched once."""
        if not self._keys:
            self._keys.extend(map(self.key_of, self.rows))
        try:
            return self._keys.index(key)
        except ValueError:
            return None


@dataclass(frozen=True)
class Lines:
    """A region of lines that are made already: totals, sentences, blank rows, short tables."""

    lines: Sequence[Line]
    keys: Sequence[str | None] = ()
    """One for each line, or none at all."""
    head: Line | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def key(self, index: int) -> str | None:
        return self.keys[index] if self.keys else None

    def line(self, index: int) -> Line:
        return self.lines[index]

    def find(self, key: str) -> int | None:
        return next((place for place, other in enumerate(self.keys) if other == key), None)


@dataclass(frozen=True)
class TallRows(Generic[T]):
    """A region where every record takes `height` lines; the cursor stops at the first of them."""

    head: Line | None
    rows: Sequence[T]
    height: int
    draw: Callable[[T, int], Line]
    """The record, and which of its lines."""
    key_of: Callable[[T], str]

    def __len__(self) -> int:
        return len(self.rows) * self.height

    def key(self, index: int) -> str | None:
        place, part = divmod(index, self.height)
        return None if part else self.key_of(self.rows[place])

    def line(self, index: int) -> Line:
        place, part = divmod(index, self.height)
        return self.draw(self.rows[place], part)

    def find(self, key: str) -> int | None:
        places = (place for place, row in enumerate(self.rows) if self.key_of(row) == key)
        return next((place * self.height for place in places), None)


@dataclass(frozen=True)
class Grid(Generic[T]):
    """A map: each of its lines shows several records, one cell each, and the cursor goes from one to the next."""

    head: Line | None
    rows: Sequence[Sequence[tuple[int, T]]]
    """For each line its records, each with the column in which it is drawn, from left to right."""
    draw: Callable[[int], Line]
    """The line with this number."""
    key_of: Callable[[T], str]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> str | None:
        return self.key_at(index, 0)

    def line(self, index: int) -> Line:
        return self.draw(index)

    def find(self, key: str) -> int | None:
        found = self.find_place(key)
        return None if found is None else found[0]

    def places(self, index: int) -> int:
        """How many records the line shows."""
        return len(self.rows[index])

    def key_at(self, index: int, place: int) -> str | None:
        """The key of a record of the line; where it shows fewer, of its last one."""
        row = self.rows[index]
        return self.key_of(row[min(place, len(row) - 1)][1]) if row else None

    def column(self, index: int, place: int) -> int:
        """Where the record is drawn."""
        row = self.rows[index]
        return row[min(place, len(row) - 1)][0]

    def place_at(self, index: int, column: int) -> int:
        """The record that is drawn nearest to a column."""
        row = self.rows[index]
        return min(range(len(row)), key=lambda place: abs(row[place][0] - column), default=0)

    def find_place(self, key: str) -> tuple[int, int] | None:
        """The line and the place in it of the record with this key."""
        places = ((index, place) for index, row in enumerate(self.rows) for place in range(len(row)))
        return next((at for at in places if self.key_of(self.rows[at[0]][at[1]][1]) == key), None)


def no_status(_key: str | None) -> Line:
    return ()


@dataclass(frozen=True)
class View:
    """A whole body. `regions` stand one below the other and share one cursor; blank rows between them are regions too.

    With `pane_width` 0, every line is as wide as the frame, and what `preview` says of the row under the cursor
    belongs below the regions. With a `pane_width`, the regions are narrower by as much, and the pane beside them shows
    `aside` (more regions, reached with tab) or else `preview`; its lines begin with the rule between the panes.
    """

    name: str
    crumbs: tuple[str, ...]
    note: str
    """The right end of the crumbs row."""
    regions: tuple[Region, ...]
    status: Callable[[str | None], Line] = no_status
    """A sentence about the row with this key; about the whole view for None."""
    preview: Callable[[str], tuple[Line, ...]] | None = None
    pane_width: int = 0
    aside: tuple[Region, ...] = ()
    below: tuple[Line, ...] = ()
    """What stays in sight below the regions, as wide as they are, whatever row the cursor is on."""
    orders: tuple[str, ...] = ()
    """What `Frame.sort` may be here, in the order in which `s` goes through them; the first is the view's own."""
    table: Table[Any] | None = None
    """What the main list shows, as values. Any of its columns may be sorted by."""
    problem: str = ""
    """What of the filter means nothing here."""
    heads: Mapping[str, str] = field(default_factory=dict)
    """What the list is sorted by after a click on a head whose words are not the name of a column."""

    @property
    def has_preview(self) -> bool:
        """Whether there is something to show beside or below the list."""
        return self.pane_width > 0 or self.preview is not None

    def find(self, key: str) -> tuple[int, int] | None:
        """The region and the row of a key."""
        for number, region in enumerate(self.regions):
            place = region.find(key)
            if place is not None:
                return number, place
        return None


# Composing -------------------------------------------------------------------------------------------------------

Placed = tuple[int, Line]
"""A piece of a line and the column where it begins."""


def span_width(spans: Iterable[Span]) -> int:
    return sum(cells(span.text) for span in spans)


def text_of(line: Iterable[Span]) -> str:
    """The line without its tones: for tests, copies and exports."""
    return "".join(span.text for span in line)


def left(column: int, text: str, tone: Tone = Tone.TEXT, *, bold: bool = False, reverse: bool = False) -> Placed:
    """A text that begins at `column`."""
    return column, (Span(text, tone, is_bold=bold, is_reversed=reverse),)


def right(last: int, text: str, tone: Tone = Tone.TEXT, *, bold: bool = False, reverse: bool = False) -> Placed:
    """A text whose last cell is `last`."""
    return last + 1 - cells(text), (Span(text, tone, is_bold=bold, is_reversed=reverse),)


def at(column: int, spans: Line) -> Placed:
    return column, spans


def cut(spans: Iterable[Span], width: int) -> Line:
    """As much of the spans as fits into `width` cells."""
    kept: list[Span] = []
    for span in spans:
        size = cells(span.text)
        if size > width:
            start = take(span.text, width)
            if start:
                kept.append(Span(start, span.tone, span.is_reversed, span.is_bold, span.is_underlined))
            break
        kept.append(span)
        width -= size
    return tuple(kept)


def compose(width: int, *placed: Placed, bleed: bool = False) -> Line:
    """One line of exactly `width` cells from pieces at their columns.

    A piece that begins before the one before it has ended is drawn after it, and what would reach the last column is
    cut: that column stays empty. `bleed` lets the last piece have it (the rule and its pane have their own edge).
    """
    spans: list[Span] = []
    used = 0
    room = width if bleed else width - 1
    for column, piece in sorted(placed, key=_COLUMN):
        if column > used:
            spans.append(_gap(min(column, room) - used))
            used = min(column, room)
        for span in piece:
            size = cells(span.text)
            if size > room - used:
                for start in cut((span,), room - used):
                    spans.append(start)
                    used += cells(start.text)
                break
            spans.append(span)
            used += size
    if used < width:
        spans.append(_gap(width - used))
    return tuple([span for span in spans if span.text])


_COLUMN = itemgetter(0)


@lru_cache(maxsize=512)
def _gap(width: int) -> Span:
    """Blanks between two pieces: half of all spans, and few of them differ."""
    return Span(" " * width)


def remark(frame: Frame, text: str, *, column: int = 2, width: int | None = None) -> Line:
    """A sentence where rows would be, cut at a word where it is longer than the line."""
    width = frame.width if width is None else width
    return compose(width, left(column, fit_sentence(text, width - column - 1, frame.glyphs), Tone.MUTED))


def ruled(width: int, glyphs: Glyphs, *placed: Placed) -> Line:
    """A line of a pane that stands beside another one: it begins with the rule between them."""
    return compose(width, left(0, glyphs.rule, Tone.MUTED), *placed)


def pane_filler(rows: int, width: int, glyphs: Glyphs) -> Lines:
    """Empty rows of a pane, so that its rule reaches the bottom of the body."""
    return Lines((ruled(width, glyphs),) * max(0, rows))


def blank(width: int) -> Line:
    return (Span(" " * width),)


def blank_region(width: int) -> Lines:
    """The one empty row between two tables."""
    return Lines((blank(width),))


def retoned(line: Line, tone: Tone) -> Line:
    """The same line in one tone: the list behind a dialog, rows that are last known."""
    return tuple(Span(span.text, tone, False, span.is_bold, span.is_underlined) for span in line)


def matched(span: Span, wanted: str) -> Line:
    """The span with what it holds of a filter underlined."""
    spans: list[Span] = []
    done = 0
    for start, end in filtering.places(wanted, span.text) if wanted else ():
        spans += [
            span._replace(text=span.text[done:start]),
            span._replace(text=span.text[start:end], is_underlined=True),
        ]
        done = end
    spans.append(span._replace(text=span.text[done:]))
    return tuple(each for each in spans if each.text)
