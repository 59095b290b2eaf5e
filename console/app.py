"""The console as a Textual application: wiring and palettes. Thin on purpose.

It paints before anything is connected: `client_factory` is awaited in a worker after the first frame. Nothing here
imports the backend, and losing it never ends the console.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from textual import constants
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.client import CloudClient
from console.commands import VIEWS
from console.kept import Keeper
from console.keymaps import DEFAULT as DEFAULT_KEYMAP
from console.keymaps import Keymap
from console.presentation.lines import ASCII, UNICODE
from console.screens.feed import POLL_SECONDS
from console.screens.main import MainScreen
from console.screens.options import Backend, Options

ESCAPE_DELAY_SECONDS = 0.025
"""How long a lone esc may turn out to be the start of a sequence. Textual waits 0.1 s, which feels stuck."""

_THEMES = {"dark": "textual-dark", "light": "textual-light", "contrast": "textual-dark",
           "contrast-light": "textual-light", "none": "ansi-dark"}  # fmt: skip


def wall_clock() -> datetime:
    """The wall's instant."""
    return datetime.now(UTC)


class ConsoleApp(App[None]):
    """The operator's console of one cloud.

    `client_factory` returns a connected client or raises ClientError; it is awaited again after each failure and may
    return the same client. `progress` yields sentences about a backend that is being made. `backend` is the console's
    own child process, None where there is none. `palette` is one of `names.PALETTES`; NO_COLOR overrides it.
    `landing_view` is where it opens, over the overview; `confirms_all` asks also before verbs of tier 1; what can be
    taken back is sent `undo_seconds` after it was confirmed. `keeper` has what is kept between runs, nothing without
    one; `export_folder` is where exports go, None for the working folder.
    """

    CSS_PATH = "console.tcss"
    TITLE = "stratodeck"
    ENABLE_COMMAND_PALETTE = False
    """Ours knows what is off, and why; it is a command of the registry."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+c", "explain_quit", show=False),
    ]

    def __init__(
        self,
        client_factory: Callable[[], Awaitable[CloudClient]],
        *,
        is_read_only: bool = False,
        is_ascii: bool = False,
        palette: str = "dark",
        landing_view: str = VIEWS[0],
        confirms_all: bool = False,
        undo_seconds: float = 0,
        backend: Backend | None = None,
        progress: Callable[[], AsyncIterator[str]] | None = None,
        now: Callable[[], datetime] = wall_clock,
        poll_seconds: float = POLL_SECONDS,
        keymap: Keymap = DEFAULT_KEYMAP,
        keeper: Keeper | None = None,
        export_folder: Path | None = None,
    ) -> None:
        # Textual takes NO_COLOR out of the environment, and without its ANSI mode from the first line it only turns
        # colours to greys: so this is asked before, and both the mode and the theme are set before anything is drawn.
        is_colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if is_colourless else None)
        if "ESCDELAY" not in os.environ:
            vars(constants)["ESCAPE_DELAY"] = ESCAPE_DELAY_SECONDS
        self._is_colourless = is_colourless
        self.set_palette("none" if is_colourless else palette)
        self._options = Options(
            client_factory=client_factory,
            wall_now=now,
            glyphs=ASCII if is_ascii else UNICODE,
            is_read_only=is_read_only,
            backend=backend,
            progress=progress,
            poll_seconds=poll_seconds,
            landing_view=landing_view,
            confirms_all=confirms_all,
            undo_seconds=undo_seconds,
            set_palette=self.set_palette,
            keymap=keymap,
            keeper=keeper or Keeper(None),
            export_folder=export_folder,
        )

    @property
    def main(self) -> MainScreen:
        """The frame, whatever dialog lies over it."""
        screen = next(each for each in self.screen_stack if isinstance(each, MainScreen))
        assert isinstance(screen, MainScreen), "it is always on the stack"
        return screen

    def get_default_screen(self) -> Screen[None]:
        """The frame is the bottom of the stack, so that the first paint is already it."""
        return MainScreen(self._options)

    def set_palette(self, name: str) -> None:
        """Choose one of `names.PALETTES`; without colour there is nothing to choose."""
        if self._is_colourless:
            name = "none"
        for each in _THEMES:
            self.set_class(each == name, f"palette-{each}")
        self.theme = _THEMES[name]

    def action_explain_quit(self) -> None:
        """ctrl+c leaves many programs; here it says what does."""
        self.main.say(":q leaves the console, q from the overview too")
