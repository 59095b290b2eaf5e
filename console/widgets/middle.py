"""The body of the frame: the list, what a view says below it, and the pane beside it.

The list and the pane are one to the keys: tab walks from table to table through both, and one of them has the cursor.
"""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from console.presentation.lines import Glyphs, Line, Lines, View
from console.widgets.table import RegionList

BODY_LINES_MIN = 4
"""What the list keeps when the lines below it want more than there is."""


class Middle(Horizontal):
    """Up to three lists, laid out as the view says. A layout is only done when a size changes."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self.body = RegionList(glyphs, id="body")
        self.below = RegionList(glyphs, id="below")
        self.pane = RegionList(glyphs, id="pane")
        self._is_in_pane = False

    def compose(self) -> ComposeResult:
        """The list above what is below it, and the pane to their right."""
        with Vertical(id="left"):
            yield self.body
            yield self.below
        yield self.pane

    @property
    def active(self) -> RegionList:
        """The list that the keys move."""
        return self.pane if self._is_in_pane else self.body

    def forget(self) -> None:
        """Forget cursors and marks: another place is about to be shown."""
        self.body.forget()
        self.pane.forget()
        self._is_in_pane = False

    def show(self, view: View, height: int, *, at: tuple[str | None, int | None], is_loading: bool = False) -> None:
        """Draw a view in `height` rows; the cursor goes to the key and table `at`, or stays where it is."""
        self.body.show(view.regions, key=at[0], region=at[1], is_loading=is_loading)
        if not view.aside:
            self._is_in_pane = False
        self.show_beside(view, height)

    def show_beside(self, view: View, height: int) -> None:
        """Draw what depends on the row under the list's cursor: the pane, or what is below."""
        self.body.set_focused(not self._is_in_pane)
        self.pane.set_focused(self._is_in_pane)
        key = self.body.key
        lines: tuple[Line, ...] = view.preview(key) if view.preview is not None and key is not None else ()
        self.pane.display = view.pane_width > 0
        if view.pane_width > 0:
            _set_cells(self.pane, "width", view.pane_width)
            self.pane.show(view.aside or (Lines(lines),))
            lines = ()
        lines = (*view.below, *lines)
        self.below.display = bool(lines)
        if lines:
            below = min(len(lines), max(0, height - BODY_LINES_MIN))
            _set_cells(self.body, "height", max(1, min(self.body.line_count, height - below)))
            self.below.show((Lines(lines),))
        else:
            _set_cells(self.body, "height", height)

    def walk(self, step: int) -> None:
        """Go to the next table: down the list, then to the pane beside it, then round about."""
        if self.active.go_to_region(step):
            return
        other = self.body if self._is_in_pane else self.pane
        if other.has_rows and other.display:
            self._is_in_pane = other is self.pane
        self.active.go_to_end(is_last=False)
        if step < 0:
            while self.active.go_to_region(1):
                pass

    def point_at(self, chosen: RegionList) -> None:
        """The mouse is in one of the lists: it has the cursor now, if it can have one."""
        self._is_in_pane = chosen is self.pane and self.pane.has_rows


def _set_cells(widget: RegionList, name: str, cells: int) -> None:
    scalar = getattr(widget.styles, name)
    if scalar is None or scalar.value != cells or not scalar.is_cells:
        setattr(widget.styles, name, cells)
