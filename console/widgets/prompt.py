"""The line for `:` commands and `/` filters. It lies over the status row while one types."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

LINE_LENGTH_MAX = 200


class _Ghost(Suggester):
    """Completion by a function, asked anew for each value because names come and go."""

    def __init__(self, complete: Callable[[str], str | None]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return self._complete(value)


class Prompt(Input):
    """One line of typing. `kind` is ":" or "/"; the screen hides it and gives it back the keys.

    Tab and the right arrow take the ghost text; esc, and backspace in an empty line, leave.
    """

    @dataclass
    class Typed(Message):
        """The text changed while typing."""

        kind: str
        text: str

    @dataclass
    class Entered(Message):
        """Enter was pressed."""

        kind: str
        text: str

    @dataclass
    class Left(Message):
        """The line was left without enter."""

        kind: str

    KINDS: ClassVar[tuple[str, ...]] = (":", "/")

    def __init__(self, complete: Callable[[str], str | None], *, id: str) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False, max_length=LINE_LENGTH_MAX)
        self.cursor_blink = False
        self.kind = ":"
        self._ghost = _Ghost(complete)
        self._earlier: dict[str, list[str]] = {kind: [] for kind in self.KINDS}
        self._at = 0
        self.seen: events.Key | None = None
        """The key that came here last; the screen tells by it which keys have not been here yet."""

    def begin(self, kind: str, text: str = "") -> None:
        """Take the keys, with `text` in the line."""
        self.kind = kind
        self.suggester = self._ghost if kind == ":" else None
        with self.prevent(Input.Changed):
            self.value = text
        self.cursor_position = len(text)
        self._at = len(self._earlier[kind])
        self.screen.set_focus(self)

    async def on_key(self, event: events.Key) -> None:
        """The few keys that the stock line does not have, and two that it has as bindings.

        A key that the screen hands on does not bubble to the application, where bindings are looked up.
        """
        self.seen = event
        match event.key:
            case "escape":
                self.post_message(self.Left(self.kind))
            case "backspace" if not self.value:
                self.post_message(self.Left(self.kind))
            case "backspace":
                self.action_delete_left()
            case "enter" | "ctrl+j":
                # What is typed before the terminal is raw arrives with line feeds.
                await self.action_submit()
            case "tab":
                self.action_cursor_right()
            case "up" | "down" if self._earlier[self.kind]:
                self._recall(-1 if event.key == "up" else 1)
            case "shift+tab" | "up" | "down":
                pass
            case _:
                return
        event.stop()
        event.prevent_default()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the screen, which filters while one types."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell the screen."""
        event.stop()
        if event.value and event.value not in self._earlier[self.kind][-1:]:
            self._earlier[self.kind].append(event.value)
        self.post_message(self.Entered(self.kind, event.value))

    def _recall(self, step: int) -> None:
        lines = self._earlier[self.kind]
        self._at = max(0, min(self._at + step, len(lines)))
        self.value = lines[self._at] if self._at < len(lines) else ""
        self.cursor_position = len(self.value)
