"""A question in the status row that one letter answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events

from console.presentation.lines import Tone

if TYPE_CHECKING:
    from console.screens.main import MainScreen


class Letters:
    """Takes the next key of a screen where something was asked."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._taker: Callable[[MainScreen, str], None] | None = None

    def ask(self, question: str, take: Callable[[MainScreen, str], None]) -> None:
        """Give the next letter or digit to `take`; esc gives it nothing."""
        self._taker = take
        self._screen.say(question, Tone.ACCENT)

    def take(self, event: events.Key) -> bool:
        """Take a key that answers; False where nothing was asked."""
        if self._taker is None:
            return False
        event.stop()
        take, self._taker = self._taker, None
        self._screen.unsay()
        character = event.character or ""
        if character.isascii() and character.isalnum():
            take(self._screen, character)
        elif event.key != "escape":
            self._screen.say("nothing was kept: a bookmark is a letter or a digit", Tone.WARN)
        return True
