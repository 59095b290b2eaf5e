"""The line for `:` commands and `/` filters. It lies over the status row while one types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input
from textual.widgets.input import Selection

from console.presentation.past import EXPECTED

LINE_LENGTH_MAX = 200


class _Ghost(Suggester):
    """Completion by a function, asked anew for each value because names come and go."""

    def __init__(self, complete: Callable[[str], str | None]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return self._complete(value)


@dataclass(frozen=True, slots=True)
class Entered:
    """Enter was pressed."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Left:
    """The line was left without enter."""

    kind: str


_TAKEN = frozenset({"escape", "backspace", "enter", "ctrl+j", "tab", "shift+tab", "up", "down"})


def takes(key: events.Key) -> bool:
    """Whether `Prompt.take` does something with the key."""
    return key.is_printable or key.key in _TAKEN


class Prompt(Input):
    """One line of typing. `kind` is ":" for a command, "/" for a filter, "\\" for a text to find, "@" for a time.

    The screen hides it and gives it back the keys.

    Tab and the right arrow take the ghost text; esc, and backspace in an empty line, leave.

    The application gives a key to whoever has the focus when it comes, not when the keys ahead of it have been worked
    off. So keys go by the screen here too: its queue is the one in which all of them keep their order, however fast
    they are typed.
    """

    @dataclass
    class Typed(Message):
        """The text changed while typing."""

        kind: str
        text: str

    KINDS: ClassVar[Mapping[str, str]] = {":": "", "/": "", "\\": "", "@": f"a time: {EXPECTED}"}
    """Each with what an empty line says about what is expected."""

    def __init__(self, complete: Callable[[str], str | None], *, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False, max_length=LINE_LENGTH_MAX)
        self.cursor_blink = False
        self.kind = ":"
        self._ghost = _Ghost(complete)
        self._earlier: dict[str, list[str]] = {kind: [] for kind in self.KINDS}
        self._at = 0

    def begin(self, kind: str, text: str = "", kept: Sequence[str] = ()) -> None:
        """Take the keys, with `text` in the line, selected: what is typed takes its place, enter keeps it as it is.

        `kept` are lines of earlier runs, which come back behind those of this one.
        """
        own = self._earlier[kind]
        own[:0] = [line for line in kept if line not in own]
        self.kind = kind
        self.suggester = None if kind == "@" else self._ghost
        self.placeholder = self.KINDS[kind]
        with self.prevent(Input.Changed):
            self.value = text
        self.selection = Selection(0, len(text))
        self._at = len(self._earlier[kind])
        self.screen.set_focus(self)

    def on_key(self, event: events.Key) -> None:
        """Send a key by the screen, unless it is one that the stock line has as a binding."""
        if takes(event):
            event.stop()
            event.prevent_default()
            self.screen.post_message(events.Key(event.key, event.character))

    def take(self, key: events.Key) -> Entered | Left | None:
        """Do what a key asks for, and say whether that was the last one."""
        match key.key:
            case "escape":
                return Left(self.kind)
            case "backspace" if not self.value:
                return Left(self.kind)
            case "backspace":
                self.action_delete_left()
            # What is typed before the terminal is raw arrives with line feeds.
            case "enter" | "ctrl+j":
                return self._entered()
            case "tab":
                self.action_cursor_right()
            case "up" | "down" if self._earlier[self.kind]:
                self._recall(-1 if key.key == "up" else 1)
            case _ if key.is_printable and key.character is not None:
                self.replace(key.character, *self.selection)
        return None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the screen, which filters while one types."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value))

    def _entered(self) -> Entered:
        if self.value and self.value not in self._earlier[self.kind][-1:]:
            self._earlier[self.kind].append(self.value)
        return Entered(self.kind, self.value)

    def _recall(self, step: int) -> None:
        lines = self._earlier[self.kind]
        self._at = max(0, min(self._at + step, len(lines)))
        self.value = lines[self._at] if self._at < len(lines) else ""
        self.cursor_position = len(self.value)
