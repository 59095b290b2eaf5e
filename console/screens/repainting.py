"""When a screen is drawn anew: at once, and then at most ten times a second, however much comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

if TYPE_CHECKING:
    from console.screens.main import MainScreen

REPAINT_SECONDS = 0.1


class Repainting:
    """Calls `draw` for a screen."""

    def __init__(self, screen: MainScreen, draw: Callable[[], object]) -> None:
        self._screen = screen
        self._draw = draw
        self._pause: Timer | None = None
        self.is_outdated = False
        """Whether something has come since the last repaint."""

    @property
    def is_resting(self) -> bool:
        """Whether the last repaint is so long ago that the next one need not wait."""
        return self._pause is None

    def soon(self) -> None:
        """Repaint now, or when the last repaint is a tenth of a second old."""
        if self._pause is not None:
            self.is_outdated = True
            return
        self._draw()
        self._pause = self._screen.set_timer(REPAINT_SECONDS, self._again)

    def _again(self) -> None:
        self._pause = None
        if self.is_outdated:
            self.is_outdated = False
            self.soon()
