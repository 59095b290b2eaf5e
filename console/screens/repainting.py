"""When the screen is drawn: as soon as something has come, and at most ten times a second."""

from asyncio import get_running_loop
from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from console.screens.keys_first import KeysFirst

REPAINT_SECONDS = 0.1


class Repainting:
    """Draws a screen by calling `draw`, which calls `drawn` back whoever asked for it."""

    def __init__(self, screen: Screen[None], draw: Callable[[], None], keys: KeysFirst) -> None:
        self._screen, self._draw, self._keys = screen, draw, keys
        self._pause: Timer | None = None
        self.is_outdated = False
        """Whether something has come that waits to be drawn."""
        self._drawn_at = 0.0

    @property
    def is_settled(self) -> bool:
        """Whether all that is known is drawn: nothing has come since the last repaint."""
        return self._pause is None and not self.is_outdated

    def drawn(self) -> None:
        """Remember that everything has just been drawn."""
        self._drawn_at = get_running_loop().time()

    def soon(self) -> None:
        """Draw now, or when the last repaint is a tenth of a second old."""
        if self._pause is not None:
            self.is_outdated = True
            return
        self._draw()
        self._pause = self._screen.set_timer(REPAINT_SECONDS, self._go_on)

    def again_after(self, seconds: float) -> None:
        """Draw if nothing else has made it do so for so long."""
        if self._pause is None and get_running_loop().time() - self._drawn_at > seconds:
            self._draw()

    def _go_on(self) -> None:
        self._pause = None
        if self.is_outdated and (seconds := self._keys.seconds_left):
            self._pause = self._screen.set_timer(seconds, self._let_go)
        else:
            self._let_go()

    def _let_go(self) -> None:
        self._pause = None
        if self.is_outdated:
            self.is_outdated = False
            self.soon()
