"""Spans to Strips: the only place where a tone meets a style of the terminal.

A tone is resolved through a component class (`tone--crit` and so on), so every colour is in console.tcss. The classes
are the screen's, not each widget's: Textual matches all of them against all rules again for whoever has them, whenever
a dialog comes or goes. A `Line` has been laid out for its width already; painting only cuts what the terminal has no
room for.
"""

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from console.presentation.lines import Line, Span, Tone, cells

_REVERSED = Style(reverse=True)
_BOLD = Style(bold=True)
_UNDERLINED = Style(underline=True)

_QUIET_ON_CURSOR = frozenset({Tone.CRIT, Tone.UNKNOWN, Tone.BACKFILL})
"""Tones below 4.5:1 on the cursor row's background: their words turn to text there, their glyphs are reversed."""

TONE_CLASSES = {*(f"tone--{tone.name.lower()}" for tone in Tone), "line--cursor"}
"""The component classes of each screen that has LineWidgets."""


class LineWidget(Widget):
    """A widget that draws Lines in the tones of its screen. It never takes the focus, wraps, or reads markup."""

    ALLOW_SELECT = False
    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._tones: dict[Tone, Style] = {}
        self._strips: LRUCache[tuple[Line, int, bool, bool], Strip] = LRUCache(512)
        self._cursor_style = Style()
        self._background = Style()

    def notify_style_update(self) -> None:
        """The palette may have changed, and then nothing painted so far is right any more."""
        super().notify_style_update()
        self._tones.clear()
        self._strips.clear()
        self.refresh()

    def tone_style(self, tone: Tone) -> Style:
        """Colour and attributes of a tone, without a background."""
        if not self._tones:
            resolve = self.screen.get_component_rich_style
            self._tones = {each: resolve(f"tone--{each.name.lower()}", partial=True) for each in Tone}
            # A strip of the Line API brings its own background; Textual adds none.
            self._background = Style.from_color(bgcolor=self.background_colors[1].rich_color)
            self._cursor_style = resolve("line--cursor", partial=True)
        return self._tones[tone]

    def paint(self, line: Line, width: int, *, is_cursor: bool = False, is_marked: bool = False) -> Strip:
        """The Strip of `line`, exactly `width` cells wide. Painted strips are kept by content, not by place."""
        key = (line, width, is_cursor, is_marked)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._paint(line, width, is_cursor, is_marked)
            self._strips[key] = strip
        return strip

    def _paint(self, line: Line, width: int, is_cursor: bool, is_marked: bool) -> Strip:
        base = self.tone_style(Tone.TEXT) + self._background
        if is_cursor:
            base += self._cursor_style
        segments: list[Segment] = []
        is_at_start = True
        for span in line:
            style = base + self._span_style(span, is_cursor, is_at_start)
            if is_marked and span.tone in (Tone.TEXT, Tone.BACKFILL):
                style += _BOLD
            segments.append(Segment(span.text, style))
            # The cursor and the mark are drawn in the accent; they do not begin the row.
            is_at_start = is_at_start and (span.tone is Tone.ACCENT or not span.text.strip())
        used = sum(cell_len(segment.text) for segment in segments)
        if used < width:
            return Strip([*segments, Segment(" " * (width - used), base)], width)
        strip = Strip(segments, used)
        return strip.crop(0, width) if used > width else strip

    def _span_style(self, span: Span, is_cursor: bool, is_at_start: bool) -> Style:
        is_reversed = span.is_reversed
        style = self.tone_style(span.tone)
        if is_cursor and span.tone in _QUIET_ON_CURSOR:
            # The glyph of the state, which begins the row, keeps its tone; everything after it turns to text.
            is_reversed = is_at_start and len(span.text.strip()) == 1
            style = style if is_reversed else self.tone_style(Tone.TEXT)
        if span.is_bold:
            style += _BOLD
        if span.is_underlined:
            style += _UNDERLINED
        return style + _REVERSED if is_reversed else style


class Bar(LineWidget):
    """One row of the frame: header, crumbs, status or keys."""

    DEFAULT_CSS = "Bar { height: 1; }"

    @dataclass
    class Pointed(Message):
        """A click on the bar, at a column of it."""

        bar: "Bar"
        column: int

        @property
        def control(self) -> "Bar":
            """What was clicked on, for selectors."""
            return self.bar

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._line: Line = ()

    @property
    def text(self) -> str:
        """What the bar says, without tones."""
        return "".join(span.text for span in self._line)

    def show(self, line: Line) -> None:
        """Draw `line`; nothing is repainted when it is the line already there."""
        if line != self._line:
            self._line = line
            self.refresh()

    def accent_before(self, column: int) -> str:
        """The words in the accent that stand at a column or last before it: on the row of keys, the key."""
        found, start = "", 0
        for span in self._line:
            if start <= column and span.tone is Tone.ACCENT:
                found = span.text
            start += cells(span.text)
        return found

    def on_click(self, event: events.Click) -> None:
        """Say where."""
        self.post_message(self.Pointed(self, event.x))

    def render_line(self, y: int) -> Strip:
        """The bar itself, then nothing."""
        return self.paint(self._line if y == 0 else (), self.size.width)
