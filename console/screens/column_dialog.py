"""The dialog in which columns are chosen, put in order, and sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events

from console.kept import Kept
from console.presentation import chosen, column_choice, header
from console.presentation.column_choice import ColumnChoice
from console.presentation.lines import Frame, Span, Tone, View, wrap
from console.screens.boxed import BoxDialog
from console.screens.options import MENU_CLASS
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import Bar

if TYPE_CHECKING:
    from console.screens.main import MainScreen

WIDTH_MAX = 58


@dataclass(frozen=True, slots=True)
class Chosen:
    """The dialog's answer: the columns, none for the list's own; and what to sort by, if that was asked for."""

    columns: tuple[str, ...] | None
    sort: str | None = None


class ColumnDialog(BoxDialog[Chosen | None]):
    """Columns to show and to sort by."""

    def __init__(self, title: str, view: View, frame: Frame) -> None:
        super().__init__(frame, classes=MENU_CLASS)
        self._title, self._columns = title, () if view.table is None else view.table.columns
        self._list_width = frame.width - view.pane_width
        self._choice = ColumnChoice.begin(self._columns, frame.columns, chosen.in_heads(view))
        self._is_changed = False

    def _draw(self) -> None:
        size = self.app.size
        width = min(WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS))
        box = self.query_one(Box)
        box.styles.width = width
        words = wrap(column_choice.told(self._choice, self._columns, self._list_width), inner.width)
        foot = ((Span(""),), *((Span(row, Tone.MUTED),) for row in words))
        box.show(self._title, column_choice.lines(self._choice, self._columns, inner), foot)
        box.reveal(self._choice.at)
        keys = [("space", "show"), ("enter", "keep"), ("J/K", "carry"), ("s", "sort by it"), ("r", "its own"),
                ("esc", "leave")]  # fmt: skip
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width)))

    def on_key(self, event: events.Key) -> None:
        """Move, show, carry, sort; enter keeps what was chosen."""
        event.stop()
        event.prevent_default()
        before = self._choice
        match event.key:
            case "escape" | "left":
                self.dismiss(None)
                return
            case "enter":
                self.dismiss(Chosen(self._choice.chosen))
                return
            case "r":
                self.dismiss(Chosen(()))
                return
            case "s":
                self.dismiss(Chosen(self._choice.chosen if self._is_changed else None, before.names[before.at]))
                return
            case "down" | "j" | "tab":
                self._choice = before.moved(1)
            case "up" | "k" | "shift+tab":
                self._choice = before.moved(-1)
            case "space":
                self._choice = before.toggled()
            case "J" | "shift+down":
                self._choice = before.carried(1)
            case "K" | "shift+up":
                self._choice = before.carried(-1)
        self._is_changed = self._is_changed or self._choice.chosen != before.chosen
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click on a row shows it or not; one beside the box leaves."""
        box = self.query_one(Box)
        if not box.region.contains(event.screen_x, event.screen_y):
            self.dismiss(None)
        elif (line := box.line_at(event.screen_y - box.region.y)) is not None:
            self._choice = self._choice.moved(line - self._choice.at).toggled()
            self._is_changed = True
            self._draw()


async def choose(screen: MainScreen) -> None:
    """Ask for the columns of this list, and keep the answer."""
    view = screen.list_name
    if screen.view.table is None:
        screen.say("no list is shown here", Tone.MUTED)
        return
    dialog = ColumnDialog(f"{view}   columns", screen.view, screen.frame())
    answer: Chosen | None = await screen.ask_dialog(dialog)
    if answer is None:
        return
    if answer.columns is not None:
        _keep(screen, view, answer.columns)
    screen.change(**({} if answer.sort is None else {"sort": answer.sort, "is_descending": False}))


def _keep(screen: MainScreen, view: str, columns: tuple[str, ...]) -> None:
    def change(kept: Kept) -> Kept:
        others = {name: names for name, names in kept.columns.items() if name != view}
        return kept._replace(columns={**others, view: columns} if columns else others)

    screen.keeper.change(change)
    if screen.keeper.problem:
        screen.say(screen.keeper.problem, Tone.WARN)
