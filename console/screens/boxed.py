"""What all dialogs that are one box have in common: the box, the keys in the last row, and a single answer."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from console.presentation.lines import Frame
from console.widgets.box import Box
from console.widgets.painting import TONE_CLASSES, Bar

T = TypeVar("T")


class BoxDialog(ModalScreen[T], Generic[T]):
    """A dialog that is drawn anew when it comes and for every size. It takes no focus: its keys are its own."""

    AUTO_FOCUS = ""
    COMPONENT_CLASSES = TONE_CLASSES

    def __init__(self, frame: Frame, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._frame = frame

    def compose(self) -> ComposeResult:
        """The box, and the keys in the last row."""
        yield Box(self._frame.glyphs, id="menu")
        yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        """Draw for the first time."""
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def _draw(self) -> None:
        raise NotImplementedError
