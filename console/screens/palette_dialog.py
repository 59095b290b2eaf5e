"""The palette behind ctrl+p: commands, verbs, views, bookmarks and colours, found by typing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from console import commands
from console.names import PALETTES
from console.presentation import header, palette
from console.presentation.lines import Frame, Line, Span, Tone, fit_sentence
from console.presentation.palette import Entry
from console.screens import bookmarks, doing
from console.screens.boxed import BoxDialog
from console.screens.options import MENU_CLASS
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import Bar

if TYPE_CHECKING:
    from console.screens.main import MainScreen

WIDTH_MAX = 84
ROWS_MAX = 14
TEXT_LENGTH_MAX = 60


def entries(screen: MainScreen) -> list[Entry]:
    """What can be asked for here: verbs of the row first where there are any, then the keys of this view."""
    selection, keymap = screen.selection(), screen.keymap
    found = [
        Entry(f"do {command.id}", f"{command.title.removesuffix(' …')} {_what(screen, command)}".strip(), command.help,
              f"x {command.keys[0]}", commands.reason_off(command, selection))
        for command in commands.verbs_for(selection)
    ]  # fmt: skip
    found += [
        Entry(f"do {command.id}", command.title, command.help, keymap.shown(command),
              commands.reason_off(command, selection))
        for command in keymap.commands_of(screen.place.view)
        if command.keys and not command.id.startswith("move.") and command.id != "palette"
    ]  # fmt: skip
    found += [
        Entry(f"mark {letter}", bookmarks.title(screen, mark), "a bookmark", f"' {letter}")
        for letter, mark in bookmarks.of(screen).items()
    ]
    here = screen.name_of_cloud
    found += [Entry(f"cloud {name}", f"cloud {name}", "go to another cloud", f":cloud {name}")
              for name in screen.clouds.names if name != here]  # fmt: skip
    found += [Entry(f"colours {name}", f"palette {name}", "choose the colours", f":palette {name}")
              for name in PALETTES]  # fmt: skip
    return [*found, Entry("leave", "quit", "leave the console", ":q")]


def _what(screen: MainScreen, command: commands.Command) -> str:
    items = screen.selection().items
    if command.verb_of == "cloud" or not items or not command.needs_row:
        return ""
    return items[0].name if len(items) == 1 else f"{len(items)} {command.verb_of}s"


class PaletteDialog(BoxDialog[Entry | None]):
    """A line to type in, and what it finds."""

    TITLE_WORDS = "what to do"
    ENTER_WORDS = "do it"

    def __init__(self, every: Sequence[Entry], frame: Frame) -> None:
        super().__init__(frame, classes=MENU_CLASS)
        self._every = every
        self._text, self._at, self._said = "", 0, ""
        self._is_answered = False
        self._found = palette.ranked(every, "")

    def _draw(self) -> None:
        size = self.app.size
        width = min(WIDTH_MAX, size.width)
        rows = max(1, min(ROWS_MAX, size.height - 7, len(self._every)))
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS))
        top = max(0, min(self._at - rows + 1, len(self._found) - rows))
        shown = self._found[top : top + rows]
        typed = (Span("> ", Tone.ACCENT), Span(self._text), Span(" ", is_reversed=True))
        lines = self._rows(shown, inner, self._at - top)
        nothing = ((Span("   nothing is called so", Tone.MUTED),),)
        box = self.query_one(Box)
        box.styles.width = width
        note = self._said or fit_sentence(self._note(), inner.width, inner.glyphs)
        filler = ((Span(""),),) * (rows - max(1, len(shown)))
        foot = ((Span(""),), (Span(note, Tone.WARN if self._said else Tone.MUTED),))
        box.show(self.TITLE_WORDS, (typed, (Span(""),), *(lines or nothing), *filler), foot)
        keys = [("enter", self.ENTER_WORDS), ("up/down", "move"), ("esc", "close")]
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width)))

    def _note(self) -> str:
        return f"{len(self._found)} of {len(self._every)}"

    def _rows(self, shown: Sequence[Entry], frame: Frame, highlighted: int) -> tuple[Line, ...]:
        return palette.lines(shown, self._text, frame, highlighted=highlighted)

    def on_key(self, event: events.Key) -> None:
        """Letters find, arrows move, enter does it."""
        event.stop()
        event.prevent_default()
        self._said = ""
        match event.key:
            case "escape":
                self._answer(None)
            case "enter" | "ctrl+j":
                self._choose()
            case "down" | "ctrl+n" | "tab":
                self._at = (self._at + 1) % max(1, len(self._found))
            case "up" | "ctrl+p" | "shift+tab":
                self._at = (self._at - 1) % max(1, len(self._found))
            case "backspace":
                self._type(self._text[:-1])
            case "ctrl+u":
                self._type("")
            case _ if event.is_printable and event.character is not None and len(self._text) < TEXT_LENGTH_MAX:
                self._type(self._text + event.character)
        self._draw()

    def _type(self, text: str) -> None:
        self._text, self._at = text, 0
        self._found = palette.ranked(self._every, text)

    def _choose(self) -> None:
        if not self._found:
            return
        entry = self._found[self._at]
        if entry.reason is not None:
            self._said = f"{entry.title} is off: {entry.reason}"
        else:
            self._answer(entry)

    def _answer(self, entry: Entry | None) -> None:
        # Keys that were typed faster than the screen goes away must not answer twice.
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(entry)

    def on_click(self, event: events.Click) -> None:
        """A click beside the box closes it."""
        if not self.query_one(Box).region.contains(event.screen_x, event.screen_y):
            self._answer(None)


async def choose(screen: MainScreen) -> None:
    """Ask what to do, and do it."""
    entry: Entry | None = await screen.ask_dialog(PaletteDialog(entries(screen), screen.frame()))
    if entry is None:
        return
    what, _, name = entry.id.partition(" ")
    match what:
        case "mark":
            if (mark := bookmarks.of(screen).get(name)) is not None:
                bookmarks.go(screen, mark)
        case "cloud":
            screen.call_later(screen.clouds.show, name)
        case "colours":
            screen.set_palette(name)
        case "leave":
            screen.app.exit()
        case _ if commands.BY_ID[name].verb_of is None:
            # It may want the dialogs' place, which this worker still holds.
            screen.call_later(doing.do, screen, name)
        case _:
            await screen.acting.run(commands.BY_ID[name], screen.selection())
