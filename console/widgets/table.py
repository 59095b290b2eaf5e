"""The list: draws the visible lines of a View's regions and holds the cursor and the marks.

Several regions are one list for j and k; tab walks from region to region. The cursor belongs to a row's *key*, so
it stays on its row when rows are added, removed or sorted anew. The head of the region at the top stays in view.
A key costs the lines that it changes: nothing here walks over rows, except marking them.

Not a ScrollView on purpose: there is no scrollbar to keep, and the whole state is three numbers and a set.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from textual import events
from textual.geometry import Region as ScreenRegion
from textual.message import Message
from textual.strip import Strip

from console.presentation.lines import Glyphs, Grid, Line, Region, Span, Tone, cut, text_of
from console.widgets.line_parts import underlined, with_cursor, without, words_at
from console.widgets.painting import LineWidget

LINES_KEPT = 2_048
WHEEL_LINES = 3


@dataclass(frozen=True, slots=True)
class Spot:
    """A row: the number of its region and its index in it. On a map also which of the line's records is meant."""

    region: int
    index: int
    place: int = 0

    def is_same_line(self, other: "Spot | None") -> bool:
        """Whether both are on one line of the screen."""
        return other is not None and (self.region, self.index) == (other.region, other.index)


class RegionList(LineWidget):
    """The body of a view. The screen owns the keys and calls the methods; only the mouse is handled here."""

    @dataclass
    class Pointed(Message):
        """The mouse put the cursor of `list` on a row; `is_double` asks to open it."""

        list: "RegionList"
        is_double: bool

    @dataclass
    class HeadPointed(Message):
        """The mouse is on the words of a head."""

        words: str

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._sought = ""
        self._sought_at: int | None = None
        self._regions: tuple[Region, ...] = ()
        self._has_cursor = True
        self._is_touched = False
        self._starts: list[int] = []
        self._total = 0
        self._lines: dict[tuple[int, int], Line] = {}
        self._painted: dict[int, Strip] = {}
        """What each line was painted as last."""
        self._top = 0
        self._cursor: Spot | None = None
        self._key: str | None = None
        self._marks: frozenset[str] = frozenset()
        self._anchor: Spot | None = None
        self._before_range: frozenset[str] = frozenset()

    # ------------------------------------------------------------------------------------------------ what is shown

    def show(
        self,
        regions: Sequence[Region],
        *,
        key: str | None = None,
        region: int | None = None,
        is_loading: bool = False,
    ) -> None:
        """Draw `regions`. The cursor goes to `key` if that is given and there, else stays on its row's key.

        A key that is in several regions is looked for in the one with the number `region` first.

        A row that has gone leaves the cursor on the row that took its place. Where no row can be chosen there is no
        cursor, and moving scrolls. While rows are still being loaded, a cursor that nobody has moved yet stays first.
        """
        wanted = key if key is not None else self._key
        if key is None and is_loading and not self._is_touched:
            wanted, self._cursor = None, None
        if region is not None and region < len(regions):
            self._cursor = Spot(region, 0)
        # A region that is the same object as before is laid out already.
        same = {number for number, (each, was) in enumerate(zip(regions, self._regions, strict=False)) if each is was}
        self._lines = {at: line for at, line in self._lines.items() if at[0] in same} if same else {}
        self._regions = tuple(regions)
        self._starts, total = [], 0
        for each in self._regions:
            self._starts.append(total)
            total += len(each) + (each.head is not None)
        self._total = total
        self._put_cursor(self._found(wanted) or self._nearest(self._cursor))
        self._scroll_to_cursor()
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Repaint the lines that are not as they were painted last: equal lines are the same strip."""
        width, height = self.size
        changed = [y for y in range(height) if self._strip(y) is not self._painted.get(y)]
        if changed or not height:
            self.refresh(*(ScreenRegion(0, y, width, 1) for y in changed))

    def forget(self) -> None:
        """Forget cursor, marks and scrolling: another place is about to be shown."""
        self._cursor, self._key, self._top, self._anchor = None, None, 0, None
        self._marks, self._is_touched = frozenset(), False
        self._sought, self._sought_at = "", None

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._key

    @property
    def spot(self) -> Spot | None:
        """The row under the cursor."""
        return self._cursor

    @property
    def marks(self) -> frozenset[str]:
        """Keys of the marked rows, also of those that the filter hides. The same object until they change."""
        return self._marks

    @property
    def line_count(self) -> int:
        """How many lines all the regions have, heads included."""
        return self._total

    def set_focused(self, has_cursor: bool) -> None:
        """Whether the keys move this list: of two lists beside each other only one draws its cursor."""
        if has_cursor != self._has_cursor:
            self._has_cursor = has_cursor
            self.refresh()

    @property
    def has_rows(self) -> bool:
        """Whether any row can hold the cursor."""
        return self._cursor is not None

    @property
    def is_ranging(self) -> bool:
        """Whether moving marks rows."""
        return self._anchor is not None

    def row_text(self) -> str:
        """The row under the cursor as plain text, runs of spaces made one."""
        return "" if self._cursor is None else " ".join(text_of(self._line(self._cursor)).split())

    # ----------------------------------------------------------------------------------------------------- movement

    def move(self, rows: int) -> None:
        """Move by `rows` lines, over heads and lines that cannot be chosen; the ends hold."""
        if self._cursor is None:
            self.scroll_lines(rows)
            return
        target = self._virtual(self._cursor) + rows
        step = 1 if rows > 0 else -1
        if self._step_to(max(0, min(target, self._total - 1)), step) is None:
            # Only heads and blanks are left that way: show them, so that the first head can be seen again.
            self.scroll_lines(step)

    @property
    def is_on_map(self) -> bool:
        """Whether the cursor is on a map, where it also moves sideways."""
        return self._cursor is not None and isinstance(self._regions[self._cursor.region], Grid)

    def move_aside(self, step: int) -> None:
        """Move over the records of a map's line, and at its end on to the next line that shows any."""
        if self._cursor is None:
            return
        grid, at = self._regions[self._cursor.region], self._cursor
        if not isinstance(grid, Grid):
            return
        index, place = at.index, min(at.place, grid.places(at.index) - 1) + step
        while not 0 <= place < grid.places(index):
            index += step
            if not 0 <= index < len(grid):
                return
            place = 0 if step > 0 else grid.places(index) - 1
        self._go(Spot(at.region, index, place))

    def page(self, share: float) -> None:
        """Move by a share of the height, with its sign."""
        lines = max(1, int((self.size.height - 1) * abs(share)))
        self.move(lines if share > 0 else -lines)

    def go_to_end(self, *, is_last: bool) -> None:
        """Go to the first or last row."""
        if self._cursor is None:
            self.scroll_lines(self._total if is_last else -self._total)
        elif is_last:
            self._step_to(self._total - 1, -1)
        else:
            self._step_to(0, 1)
            self._set_top(0)

    def go_to_region(self, step: int) -> bool:
        """Go to the first row of the next region that has rows to choose; False when there is none that way."""
        if self._cursor is None:
            return False
        number = self._cursor.region + step
        same = self._found_beside_map(self._cursor, step)
        if same is not None:
            self._go(same)
            return True
        while 0 <= number < len(self._regions):
            for index in range(len(self._regions[number])):
                if self._key_at(Spot(number, index)) is not None:
                    self._go(Spot(number, index))
                    return True
            number += step
        return False

    def _found_beside_map(self, spot: Spot, step: int) -> Spot | None:
        """From a map to its list and back: the same object there, where the next region that way shows it."""
        if self._key is None:
            return None
        here = self._regions[spot.region]
        number = spot.region + step
        while 0 <= number < len(self._regions):
            there = self._regions[number]
            if (isinstance(here, Grid) or isinstance(there, Grid)) and (index := there.find(self._key)) is not None:
                return self._spot_of(number, index, self._key)
            number += step
        return None

    def _spot_of(self, number: int, index: int, key: str) -> Spot:
        region = self._regions[number]
        found = region.find_place(key) if isinstance(region, Grid) else None
        return Spot(number, index) if found is None else Spot(number, *found)

    def scroll_lines(self, lines: int) -> None:
        """Scroll without a cursor, or take the cursor along at the edge."""
        self._set_top(self._top + lines)
        if self._cursor is not None:
            first, last = self._top + 1, self._top + self.size.height - 1
            at = self._virtual(self._cursor)
            if not first <= at <= last:
                self._step_to(min(max(at, first), last), 1 if at < first else -1)

    def centre(self) -> None:
        """Scroll so that the cursor is in the middle, as far as there are rows around it."""
        if self._cursor is not None:
            self._set_top(self._virtual(self._cursor) - self.size.height // 2)

    def find_line(self, text: str, step: int) -> tuple[int, int] | None:
        """Show the next line that holds a text, underlined: which of how many that is; None where none holds it."""
        self._sought = text.casefold()
        found = [at for at in range(self._total) if self._sought in self._text_at(at)]
        self.refresh()
        if not found:
            self._sought_at = None
            return None
        here = self._sought_at if self._sought_at is not None else self._top - 1 if step > 0 else self._top
        if step > 0:
            at = next((each for each in found if each > here), found[0])
        else:
            at = next((each for each in reversed(found) if each < here), found[-1])
        self._sought_at = at
        if not self._top < at < self._top + self.size.height - 1:
            self._set_top(at - self.size.height // 2)
        return found.index(at) + 1, len(found)

    def _text_at(self, virtual: int) -> str:
        spot = self._spot(virtual)
        return "" if spot is None else text_of(self._line(spot)).casefold()

    def _step_to(self, virtual: int, step: int) -> Spot | None:
        """Go to the row at a line, or the next one in direction `step` that can be chosen, or else the other way."""
        for direction in (step, -step):
            at = virtual
            while 0 <= at < self._total:
                spot = self._spot(at)
                if spot is not None and self._key_at(spot) is not None:
                    if spot.is_same_line(self._cursor):
                        return None
                    spot = self._below_or_above(spot)
                    self._go(spot)
                    return spot
                at += direction
        return None

    def _below_or_above(self, spot: Spot) -> Spot:
        """On a map, the record nearest to the column that the cursor comes from."""
        there, here = self._regions[spot.region], None if self._cursor is None else self._regions[self._cursor.region]
        if not isinstance(there, Grid) or not isinstance(here, Grid) or self._cursor is None:
            return spot
        column = here.column(self._cursor.index, self._cursor.place)
        return Spot(spot.region, spot.index, there.place_at(spot.index, column))

    def _go(self, spot: Spot) -> None:
        before, top = self._cursor, self._top
        self._is_touched = True
        self._put_cursor(spot)
        self._extend_range(before)
        self._scroll_to_cursor()
        if top != self._top or self._anchor is not None:
            self.refresh()
        else:
            self._refresh_rows(spot, before)

    def _put_cursor(self, spot: Spot | None) -> None:
        self._cursor = spot
        self._key = None if self._cursor is None else self._key_at(self._cursor)

    def _scroll_to_cursor(self) -> None:
        if self._cursor is None or not self.size.height:
            self._set_top(self._top)
            return
        at = self._virtual(self._cursor)
        # The top line may show a head that stays, so the cursor keeps clear of it.
        first_row = 1 if self._regions[0].head is not None else 0
        if at <= first_row:
            self._set_top(0)
        elif at < self._top + 1:
            self._set_top(at - 1)
        elif at > self._top + self.size.height - 1:
            self._set_top(at - self.size.height + 1)
        else:
            self._set_top(self._top)

    def _set_top(self, top: int) -> None:
        top = max(0, min(top, self._total - self.size.height))
        if top != self._top:
            self._top = top
            self.refresh()

    # -------------------------------------------------------------------------------------------------------- marks

    def mark(self) -> None:
        """Mark or unmark the row under the cursor, then go one down."""
        if self._key is not None and self._cursor is not None:
            self._marks ^= {self._key}
            self._refresh_rows(self._cursor)
            if self.is_on_map:
                self.move_aside(1)
            else:
                self.move(1)

    def toggle_range(self) -> None:
        """Begin to mark from here to wherever the cursor goes, or end it."""
        if self._anchor is not None or self._key is None:
            self._anchor = None
            return
        self._anchor, self._before_range = self._cursor, self._marks
        self._marks |= {self._key}
        self.refresh()

    def mark_all(self) -> None:
        """Mark every row of this region, or none when all are marked."""
        keys = frozenset(self._region_keys())
        self._marks = self._marks - keys if keys <= self._marks else self._marks | keys
        self._anchor = None
        self.refresh()

    def invert_marks(self) -> None:
        """Mark what is not marked in this region, and the other way round."""
        self._marks ^= frozenset(self._region_keys())
        self._anchor = None
        self.refresh()

    def set_marks(self, marks: Iterable[str]) -> None:
        """Replace the marks."""
        self._marks, self._anchor = frozenset(marks), None
        self.refresh()

    def _region_keys(self) -> Iterator[str]:
        if self._cursor is not None:
            region = self._regions[self._cursor.region]
            if isinstance(region, Grid):
                yield from (region.key_of(record) for row in region.rows for _, record in row)
            else:
                yield from (key for index in range(len(region)) if (key := region.key(index)) is not None)

    def _extend_range(self, before: Spot | None) -> None:
        """Mark what came between anchor and cursor and unmark what left; costs the distance moved, not the range."""
        if self._anchor is None or self._cursor is None or before is None:
            return
        anchor, old, new = (self._virtual(spot) for spot in (self._anchor, before, self._cursor))
        was = range(min(anchor, old), max(anchor, old) + 1)
        now = range(min(anchor, new), max(anchor, new) + 1)
        added, removed = set(), set()
        for at in range(min(old, new), max(old, new) + 1):
            spot = self._spot(at)
            key = None if spot is None else self._key_at(spot)
            if key is None:
                continue
            if at in now:
                added.add(key)
            elif at in was and key not in self._before_range:
                removed.add(key)
        self._marks = (self._marks | added) - removed

    # -------------------------------------------------------------------------------------------- lines and regions

    def _key_at(self, spot: Spot) -> str | None:
        region = self._regions[spot.region]
        return region.key_at(spot.index, spot.place) if isinstance(region, Grid) else region.key(spot.index)

    def _line(self, spot: Spot) -> Line:
        where = (spot.region, spot.index)
        line = self._lines.get(where)
        if line is None:
            if len(self._lines) >= LINES_KEPT:
                self._lines.clear()
            line = self._lines[where] = self._regions[spot.region].line(spot.index)
        return line

    def _virtual(self, spot: Spot) -> int:
        """The line of a row, counted over all regions with their heads."""
        return self._starts[spot.region] + (self._regions[spot.region].head is not None) + spot.index

    def _spot(self, virtual: int) -> Spot | None:
        """The row of a line; None for a head."""
        number = self._region_of(virtual)
        index = virtual - self._starts[number] - (self._regions[number].head is not None)
        return Spot(number, index) if index >= 0 else None

    def _region_of(self, virtual: int) -> int:
        # An empty region without a head begins where the next one does; the last of them holds the line.
        return bisect_right(self._starts, virtual) - 1

    def _found(self, key: str | None) -> Spot | None:
        if key is None:
            return None
        spot = self._cursor
        # Nearly always the row is where it was; then no region has to be searched.
        is_there = spot is not None and spot.region < len(self._regions)
        if spot is not None and is_there and spot.index < len(self._regions[spot.region]) and self._key_at(spot) == key:
            return spot
        numbers = list(range(len(self._regions)))
        if self._cursor is not None and self._cursor.region < len(numbers):
            # The same key may be in two regions; the cursor stays in its own.
            numbers.remove(self._cursor.region)
            numbers.insert(0, self._cursor.region)
        for number in numbers:
            index = self._regions[number].find(key)
            if index is not None:
                return self._spot_of(number, index, key)
        return None

    def _nearest(self, spot: Spot | None) -> Spot | None:
        """A row that can be chosen, as near as can be to where `spot` was."""
        if not self._total:
            return None
        start = 0
        if spot is not None and spot.region < len(self._starts):
            start = min(self._virtual(spot), self._total - 1)
        for at in (*range(start, self._total), *range(start - 1, -1, -1)):
            found = self._spot(at)
            if found is not None and self._key_at(found) is not None:
                return found
        return None

    # ------------------------------------------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        """One line of the body."""
        strip = self._painted[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        """Row 0 keeps the head of its region in view."""
        width = self.size.width
        virtual = self._top + y
        if virtual >= self._total:
            return self.paint((), width)
        spot = self._spot(virtual)
        head = self._regions[self._region_of(virtual)].head
        if spot is None or (y == 0 and self._top > 0 and head is not None):
            return self.paint(head or (), width)
        line = self._line(spot)
        if self._sought:
            line = tuple(part for span in line for part in underlined(span, self._sought))
        is_cursor = spot.is_same_line(self._cursor) and self._has_cursor
        region = self._regions[spot.region]
        if isinstance(region, Grid):
            if is_cursor and self._cursor is not None:
                line = with_cursor(line, region.column(spot.index, self._cursor.place), self.glyphs)
                line = self._with_gutter(line, True, False)
            return self.paint(line, width)
        is_marked = bool(self._marks) and self._key_at(spot) in self._marks
        if is_cursor or is_marked:
            line = self._with_gutter(line, is_cursor, is_marked)
        return self.paint(line, width, is_cursor=is_cursor, is_marked=is_marked)

    def _with_gutter(self, line: Line, is_cursor: bool, is_marked: bool) -> Line:
        gutter: list[Span] = []
        width = 0
        if is_marked and "".join(span.text for span in cut(line, 2))[1:].strip():
            # Where something stands in the column of marks, it takes that of the cursor, whose row has a ground.
            return (Span(self.glyphs.mark, Tone.ACCENT), *without(line, 1))
        if is_cursor:
            gutter.append(Span(self.glyphs.cursor, Tone.ACCENT))
            width = 1
        if is_marked:
            if not is_cursor:
                gutter.append(Span(" "))
            gutter.append(Span(self.glyphs.mark, Tone.ACCENT))
            width = 2
        return (*gutter, *without(line, width))

    def _refresh_rows(self, *spots: Spot | None) -> None:
        rows = (self._virtual(spot) - self._top for spot in spots if spot is not None)
        regions = [ScreenRegion(0, y, self.size.width, 1) for y in rows if 0 <= y < self.size.height]
        if regions:
            self.refresh(*regions)

    # -------------------------------------------------------------------------------------------------------- mouse

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a second click on it opens it."""
        event.stop()
        virtual = self._top + event.y
        if virtual >= self._total:
            return
        spot = self._spot(virtual)
        head = self._regions[self._region_of(virtual)].head
        if head is not None and (spot is None or (event.y == 0 and self._top > 0)):
            self.post_message(self.HeadPointed(words_at(head, event.x)))
            return
        if spot is not None and self._key_at(spot) is not None:
            region = self._regions[spot.region]
            if isinstance(region, Grid):
                spot = Spot(spot.region, spot.index, region.place_at(spot.index, event.x))
            if spot != self._cursor:
                self._go(spot)
            self.post_message(self.Pointed(self, event.chain >= 2))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll three lines."""
        event.stop()
        self.scroll_lines(WHEEL_LINES)
        self.post_message(self.Pointed(self, False))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll three lines back."""
        event.stop()
        self.scroll_lines(-WHEEL_LINES)
        self.post_message(self.Pointed(self, False))
