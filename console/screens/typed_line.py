"""The line in which one types: commands after `:`, filters after `/`, texts to find, times.

It lies where sentences are said, so what is wrong with it is said in the row of the keys, and enter leaves it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from textual import events

from console import command_line
from console.kept import LINE_KINDS
from console.names import ALL_CLOUDS
from console.presentation import filtering
from console.presentation.lines import Span, Tone
from console.screens import bookmarks, doing, objects, travelling
from console.widgets.painting import Bar
from console.widgets.prompt import Entered, Left, Prompt, takes

if TYPE_CHECKING:
    from console.screens.main import MainScreen


class TypedLine:
    """The prompt of a screen, and what becomes of what is typed into it."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.prompt = Prompt(self._complete, id="prompt")
        self.kind_bar = Bar(id="prompt-kind")
        self.is_open = False
        self.problem = ""
        """What is wrong with what has been typed."""
        self._filter_before = ""

    def begin(self, kind: str, text: str = "") -> None:
        """Open it with a text in it."""
        self._filter_before = self._screen.place.filter
        self.is_open, self.problem = True, ""
        self._screen.show_prompt(True)
        self.kind_bar.show((Span(f" {kind}", Tone.ACCENT),))
        self.prompt.begin(
            kind, text, self._screen.keeper.kept.lines.get(bookmarks.cloud_key(self._screen), {}).get(kind, ())
        )

    def _end(self) -> None:
        self.is_open = False
        self._screen.show_prompt(False)
        self._screen.set_focus(None)

    def _complete(self, text: str) -> str | None:
        """The whole line as it may be meant, for the ghost behind the cursor."""
        if self.prompt.kind == ":":
            return command_line.complete_line(text, self._names(), self._columns_of)
        if self.prompt.kind in "/\\" and (table := self._screen.view.table) is not None:
            return command_line.complete_filter(text, table.columns)
        return None

    def _names(self) -> Mapping[str, Iterable[str]]:
        """What may follow a word of the line."""
        names, clouds = objects.names(self._screen.mirror), self._screen.clouds.names
        if len(clouds) < 2:
            return names
        everywhere = ALL_CLOUDS.removeprefix("@")
        listed = {view: (*names.get(view, ()), everywhere) for view in command_line.LISTED_OF_ALL}
        return {**names, **listed, "cloud": clouds, "ctx": clouds}

    def _columns_of(self, view: str) -> command_line.Columns:
        table = self._screen.view.table
        return self._screen.columns_of(view) if view else table.columns if table is not None else ()

    def follow(self, text: str, kind: str) -> None:
        """A filter acts while one types, and what means nothing in it is told then."""
        if kind == "/" and self.is_open:
            self._screen.change(filter=text)
            self.problem = self._screen.view.problem

    def take(self, key: events.Key) -> bool:
        """Take a key that is for the line; False where there is none open."""
        if not self.is_open:
            return False
        if takes(key):
            key.stop()
            self._type(key)
        return True

    def _type(self, key: events.Key) -> None:
        """A key of the prompt. Enter keeps the filter, or obeys the line; esc is as if nothing had been typed."""
        if key.key != "enter":
            self.problem = ""
        match self.prompt.take(key):
            case Entered(kind, text) if problem := self._problem_of(kind, text):
                self.problem = problem
            case Entered(kind, text):
                self._end()
                self._keep(kind, text)
                self._obey(kind, text)
            case Left(kind):
                self._end()
                if kind == "/":
                    self._screen.change(filter=self._filter_before)
        self._screen.framing.show_keys()

    def _keep(self, kind: str, text: str) -> None:
        """Keep the line for the next run. What is typed in production is nobody else's to read, not even in a file."""
        mirror, keeper = self._screen.mirror, self._screen.keeper
        if kind in LINE_KINDS and text.strip() and mirror.cloud and not mirror.is_production:
            cloud = bookmarks.cloud_key(self._screen)
            keeper.change(lambda kept: kept.with_line(cloud, kind, text))

    def _problem_of(self, kind: str, text: str) -> str:
        match kind:
            case "@":
                return travelling.problem_of(self._screen, text)
            case "/" | "\\":
                table = self._screen.view.table
                return "" if table is None else filtering.parse(text, table.columns).problem
            case _:
                return ""

    def _obey(self, kind: str, text: str) -> None:
        match kind:
            case "/":
                self._screen.change(filter=text)
                self._screen.sought = text or self._screen.sought
            case _ if text.strip():
                doing.obey(self._screen, text, kind)
