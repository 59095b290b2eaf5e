"""A box in the middle of the screen: title, lines that scroll when they must, and a foot that always shows."""

from collections.abc import Sequence

from textual import events
from textual.strip import Strip

from console.presentation.lines import Glyphs, Line, Span, Tone, cells, cut, fit_name
from console.widgets.painting import LineWidget

BORDER_LINES = 2
BORDER_CELLS = 4
"""The border and one blank cell on either side."""


class Box(LineWidget):
    """Draws its own border from the glyph set, so that ASCII and colourless terminals get the same grid."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._title = ""
        self._lines: tuple[Line, ...] = ()
        self._foot: tuple[Line, ...] = ()
        self._tone = Tone.TEXT
        self._top = 0

    @property
    def text(self) -> str:
        """Title, lines and foot without tones."""
        rows = ("".join(span.text for span in line).rstrip() for line in (*self._lines, *self._foot))
        return "\n".join((self._title, *rows))

    def show(self, title: str, lines: Sequence[Line], foot: Sequence[Line] = (), tone: Tone = Tone.TEXT) -> None:
        """Draw these; the height follows, as far as the screen has room."""
        self._title, self._lines, self._foot, self._tone = title, tuple(lines), tuple(foot), tone
        self.styles.height = len(self._lines) + len(self._foot) + BORDER_LINES
        self._set_top(self._top)
        self.refresh()

    def scroll(self, lines: int) -> None:
        """Scroll the lines, as far as there are any out of sight."""
        self._set_top(self._top + lines)
        self.refresh()

    def page(self, pages: int) -> None:
        """Scroll by as many lines as are in sight, but for one that stays."""
        self.scroll(pages * max(1, self._room() - 1))

    @property
    def lines_below(self) -> int:
        """How many lines are out of sight below."""
        return max(0, len(self._lines) - self._top - max(0, self._room())) if self.size.height else 0

    def reveal(self, index: int) -> None:
        """Scroll so that a line is in sight."""
        room = self._room()
        if room > 0 and not self._top <= index < self._top + room:
            self._set_top(index if index < self._top else index - room + 1)
            self.refresh()

    def line_at(self, y: int) -> int | None:
        """Which of the lines is drawn in a row of the box; None for its border, its foot, and below the lines."""
        index = y - 1 + self._top
        return index if 0 < y <= self._room() and index < len(self._lines) else None

    def words_at(self, x: int, y: int) -> str:
        """The words of one tone that the foot shows in a cell of the box; "" where it shows nothing."""
        index, column = y - 1 - self._room(), x - BORDER_CELLS // 2
        if not (0 <= index < len(self._foot) and column >= 0):
            return ""
        for span in self._foot[index]:
            if (column := column - cells(span.text)) < 0:
                return span.text
        return ""

    def _room(self) -> int:
        return self.size.height - BORDER_LINES - len(self._foot)

    def _set_top(self, top: int) -> None:
        self._top = max(0, min(top, len(self._lines) - self._room())) if self.size.height else 0

    def on_resize(self) -> None:
        """Keep the scrolling within what there is."""
        self._set_top(self._top)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll."""
        event.stop()
        self.scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll back."""
        event.stop()
        self.scroll(-3)

    def render_line(self, y: int) -> Strip:
        """The border, a line between two sides, or the foot."""
        width, height = self.size
        top_left, top_right, _, _ = self._glyphs.corners
        level = self._glyphs.level
        if y == 0:
            name = fit_name(self._title, max(0, width - 6), self._glyphs)
            rest = level * max(0, width - cells(name) - 5)
            return self.paint(
                (
                    Span(f"{top_left}{level} ", self._tone),
                    Span(name, self._tone, is_bold=True),
                    Span(f" {rest}{top_right}", self._tone),
                ),
                width,
            )
        if y == height - 1:
            return self._bottom(width)
        room = self._room()
        lines = self._lines if y - 1 < room else self._foot
        index = y - 1 + self._top if y - 1 < room else y - 1 - room
        line = lines[index] if index < len(lines) else ()
        inner = cut(line, width - BORDER_CELLS)
        padding = " " * (width - BORDER_CELLS - sum(cells(span.text) for span in inner))
        side = Span(self._glyphs.rule, self._tone)
        return self.paint((side, Span(" "), *inner, Span(f"{padding} "), side), width)

    def _bottom(self, width: int) -> Strip:
        """The lower border, which says how much is out of sight."""
        _, _, bottom_left, bottom_right = self._glyphs.corners
        level = self._glyphs.level
        words = f" {self.lines_below:,} more, down scrolls " if self.lines_below else ""
        if cells(words) > width - 4:
            words = f" {self.lines_below:,} more "
        rest = level * max(0, width - cells(words) - 3)
        spans = (Span(bottom_left + level, self._tone), Span(words, Tone.ACCENT), Span(rest + bottom_right, self._tone))
        return self.paint(spans, width)
