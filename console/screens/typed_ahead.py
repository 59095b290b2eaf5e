"""Keys that came before what they are for: kept in their order, and given to it when it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual import events
from textual.screen import Screen

from console.screens.options import MENU_CLASS

PENDING_KEYS_MAX = 64


ROW_COMMANDS = ("move.", "filter.value", "mark", "open", "describe", "raw", "actions", "copy", "events", "target",
                "time.", "why")  # fmt: skip
"""What begins the ids of commands that act on a row."""


class TypedAhead:
    """Keys for rows that are still to come, and keys for a menu that is about to open."""

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._for_menu: list[events.Key] = []
        self._is_opening = False

    def forget(self) -> None:
        """Another place is shown: what was meant for the rows of this one is void."""
        self._pending.clear()

    def wait(self, key: str) -> None:
        """Keep a key until there are rows."""
        if len(self._pending) < PENDING_KEYS_MAX:
            self._pending.append(key)

    def replay(self, run: Callable[[str], None]) -> None:
        """There are rows: run what was typed for them."""
        keys, self._pending = self._pending, []
        for key in keys:
            run(key)

    def begin(self, *, opens_menu: bool) -> None:
        """A verb begins; keys until its menu is there are for the menu."""
        self._is_opening = opens_menu

    def end(self) -> None:
        """The verb has ended, whether it opened a menu or not."""
        self._is_opening = False
        self._for_menu.clear()

    def give_to(self, dialog: Screen[Any]) -> None:
        """The dialog is about to be shown: what was typed for it is its own, if it is a menu."""
        self._is_opening, ahead = False, tuple(self._for_menu)
        self._for_menu.clear()
        if dialog.has_class(MENU_CLASS):
            for key in ahead:
                dialog.post_message(key)

    def take(self, event: events.Key, screen: Screen[Any], top: Screen[Any]) -> bool:
        """Take a key that is for a menu that opens, or lies over the screen already; False for any other.

        The application chooses who gets a key before the keys ahead of it have been worked off. A confirmation is
        never given such a key: what is typed blindly must not press a button.
        """
        key = events.Key(event.key, event.character)
        if self._is_opening:
            event.stop()
            self._for_menu.append(key)
            return True
        if top is not screen:
            event.stop()
            if top.has_class(MENU_CLASS):
                top.post_message(key)
            return True
        return False
