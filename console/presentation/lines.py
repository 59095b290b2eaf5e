"""What the console draws: lines of spans that say what they mean. No colour, no terminal.

Every line is laid out for the width of its frame: it is never wrapped, its last column is empty, and columns 0 and 1
are left to the cursor and to marks on every list. Below 60 columns, and on lists without marks, a view may use
column 1 itself; a mark is then drawn over it.

Widths are counted in terminal cells as Rich counts them, because Rich lays the strips out in the end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Generic, NamedTuple, Protocol, TypeVar

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


class Span(NamedTuple):
    text: str
    tone: Tone = Tone.TEXT
    is_reversed: bool = False
    is_bold: bool = False
    is_underlined: bool = False
    """The part of a name that the filter matched."""


Line = tuple[Span, ...]


class Glyphs(NamedTuple):
    """One set of signs. Each is one cell wide, so that nothing moves when the set changes."""

    running: str
    stopped: str
    busy: str
    paused: str
    lost: str
    unknown: str
    attention: str
    violation: str
    maintenance: str
    done: str
    last_known: str
    nobody_said: str
    nothing: str
    normal: str
    backfill: str
    free: str
    heat: tuple[str, str, str, str, str]
    """From emptiest to full."""
    floor: str
    here: str
    cursor: str
    mark: str
    at_least: str
    endless: str
    ellipsis: str
    rule: str
    """Between two panes."""
    level: str
    """The horizontal line of a ruler."""
    density: tuple[str, ...]
    """From nothing to most."""
    corners: tuple[str, str, str, str]
    """Top left, top right, bottom left, bottom right."""
    name: str


UNICODE = Glyphs(
    running="●",
    stopped="○",
    busy="…",
    paused="‖",
    lost="✗",
    unknown="?",
    attention="▲",
    violation="■",
    maintenance="m",
    done="✓",
    last_known="~",
    nobody_said="—",
    nothing="·",
    normal="█",
    backfill="▒",
    free="·",
    heat=("·", "░", "▒", "▓", "█"),
    floor="│",
    here="┃",
    cursor="▌",
    mark="*",
    at_least="≥",
    endless="∞",
    ellipsis="…",
    rule="│",
    level="─",
    density=("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
    corners=("┌", "┐", "└", "┘"),
    name="unicode",
)

ASCII = Glyphs(
    running="o",
    stopped="-",
    busy=".",
    paused="=",
    lost="x",
    unknown="?",
    attention="^",
    violation="#",
    maintenance="m",
    done="v",
    last_known="~",
    nobody_said="-",
    nothing=".",
    normal="#",
    backfill="%",
    free=".",
    heat=(".", ":", "-", "=", "#"),
    floor="|",
    here="|",
    cursor=">",
    mark="*",
    at_least=">",
    endless="never",
    ellipsis=".",
    rule="|",
    level="-",
    density=("_", ".", ":", "=", "#"),
    corners=("+", "+", "+", "+"),
    name="ascii",
)


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


# Widths ----------------------------------------------------------------------------------------------------------

_WIDE_RANGES = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D356), (0x1D360, 0x1D376))
_ZERO_RANGES = ((0x1160, 0x11FF), (0x3164, 0x3164), (0xD7B0, 0xD7FB), (0xFFA0, 0xFFA0), (0x1F3FB, 0x1F3FF))
"""Where Rich, following later versions of Unicode or the habit of terminals, differs from this Python's tables."""


@lru_cache(maxsize=4096)
def _cells_of_character(character: str) -> int:
    number = ord(character)
    if unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf", "Cc"}:
        return 0
    if any(first <= number <= last for first, last in _ZERO_RANGES):
        return 0
    if any(first <= number <= last for first, last in _WIDE_RANGES):
        return 2
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cells(text: str) -> int:
    """How many terminal cells a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of_character, text))


def graphemes(text: str) -> list[str]:
    """The text cut where a terminal may cut it: a sign that takes no cell stays with the one before it."""
    parts: list[str] = []
    for character in text:
        if parts and _cells_of_character(character) == 0:
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def take(text: str, width: int) -> str:
    """As much of the start as fits into `width` cells."""
    if text.isascii():
        return text[: max(0, width)]
    kept, used = [], 0
    for part in graphemes(text):
        used += cells(part)
        if used > width:
            break
        kept.append(part)
    return "".join(kept)


def take_end(text: str, width: int) -> str:
    """As much of the end as fits into `width` cells."""
    if text.isascii():
        return text[len(text) - width :] if 0 < width < len(text) else text if width > 0 else ""
    kept, used = [], 0
    for part in reversed(graphemes(text)):
        used += cells(part)
        if used > width:
            break
        kept.append(part)
    return "".join(reversed(kept))


def fit_name(name: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A name in at most `width` cells: the middle goes, 60 % of the rest is head and 40 % tail.

    A number at the end is kept, with at least one cell of the head: it is what tells siblings apart.
    """
    if cells(name) <= width:
        return name
    room = width - cells(glyphs.ellipsis)
    if room <= 0:
        return take(name, width)
    tail = room * 2 // 5
    digits = len(name) - len(name.rstrip("0123456789"))
    if digits:
        # The sign before the number ("web-01") belongs to it where there is room.
        wanted = digits + 1 if name[-digits - 1 : -digits] in {"-", "_", "."} else digits
        tail = max(tail, next((size for size in (wanted, digits) if size < room), room - 1))
    end = take_end(name, tail)
    return take(name, room - cells(end)) + glyphs.ellipsis + end


def fit_id(identity: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A UUID: its first 8 and last 4 signs; below 13 cells its first 4."""
    if cells(identity) <= width:
        return identity
    if width >= 13:
        return identity[:8] + glyphs.ellipsis + identity[-4:]
    return take(identity[:4] + glyphs.ellipsis, width)


def fit_sentence(sentence: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A sentence cut at a word."""
    if cells(sentence) <= width:
        return sentence
    room = width - cells(glyphs.ellipsis)
    start = take(sentence, room)
    if len(start) < len(sentence) and sentence[len(start)] != " " and " " in start:
        start = start[: start.rindex(" ")]
    return take(start.rstrip() + glyphs.ellipsis, width) if room > 0 else take(sentence, width)


def wrap(sentence: str, width: int) -> list[str]:
    """A sentence on as many lines as it needs. A word that is wider than the line is cut."""
    width = max(1, width)
    if cells(sentence) <= width:
        return [sentence]
    rows, row = [], ""
    for word in sentence.split():
        rest = word
        if row and cells(row) + 1 + cells(rest) <= width:
            row += " " + rest
            continue
        if row:
            rows.append(row)
        while cells(rest) > width:
            start = take(rest, width) or rest[:1]
            rows.append(start)
            rest = rest[len(start) :]
        row = rest
    return [*rows, row] if row or not rows else rows


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
    for column, piece in sorted(placed, key=lambda each: each[0]):
        if column > used:
            spans.append(Span(" " * (min(column, room) - used)))
            used = min(column, room)
        for span in cut(piece, room - used):
            spans.append(span)
            used += cells(span.text)
    if used < width:
        spans.append(Span(" " * (width - used)))
    return tuple(span for span in spans if span.text)


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
    """The span with the part that the filter matched underlined."""
    place = span.text.casefold().find(wanted.casefold()) if wanted else -1
    if place < 0 or len(span.text.casefold()) != len(span.text):
        return (span,)
    end = place + len(wanted)
    parts = ((span.text[:place], False), (span.text[place:end], True), (span.text[end:], False))
    return tuple(Span(text, span.tone, span.is_reversed, span.is_bold, under) for text, under in parts if text)
