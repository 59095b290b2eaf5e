"""One letter that the screen waits for: the name of a bookmark that is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from console.presentation.lines import Tone

if TYPE_CHECKING:
    from console.screens.main import MainScreen


class Letters:
    """Who is given the next letter or digit, if anybody."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._taker: Callable[[str], None] | None = None

    def ask(self, question: str, take: Callable[[MainScreen, str], None]) -> None:
        """Give the next letter or digit to `take`; esc gives it nothing."""
        self._taker = partial(take, self._screen)
        self._screen.say(question, Tone.ACCENT)

    def take(self, event: events.Key) -> bool:
        """Take the key, if a letter is waited for."""
        taker, self._taker = self._taker, None
        if taker is None:
            return False
        event.stop()
        self._screen.unsay()
        character = event.character or ""
        if character.isascii() and character.isalnum():
            taker(character)
        elif event.key != "escape":
            self._screen.say("nothing was kept: a bookmark is a letter or a digit", Tone.WARN)
        return True
