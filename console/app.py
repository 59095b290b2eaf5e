"""The console as a Textual application: wiring and palettes. Thin on purpose.

It paints before anything is connected: `client_factory` is awaited in a worker after the first frame. Nothing here
imports the backend, and losing it never ends the console.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import constants
from textual.app import App
from textual.binding import Binding, BindingType

from console.commands import VIEWS
from console.kept import Keeper
from console.keymaps import DEFAULT as DEFAULT_KEYMAP
from console.keymaps import Keymap
from console.port import Port
from console.presentation.lines import ASCII, UNICODE
from console.screens.clouds import FIRST, Clouds
from console.screens.feed import POLL_SECONDS
from console.screens.main import MainScreen
from console.screens.options import Backend, CloudChoice, Options
from console.widgets.sheets import SteadyStylesheet

if TYPE_CHECKING:
    from console.recording import Recording

ESCAPE_DELAY_SECONDS = 0.025
"""How long a lone esc may turn out to be the start of a sequence. Textual waits 0.1 s, which feels stuck."""

_THEMES = {"dark": "textual-dark", "light": "textual-light", "contrast": "textual-dark",
           "contrast-light": "textual-light", "none": "ansi-dark"}  # fmt: skip


def wall_clock() -> datetime:
    """The wall's instant."""
    return datetime.now(UTC)


class ConsoleApp(App[None]):
    """The operator's console of one cloud, or of several, of which one is in sight.

    `client_factory` returns a connected client or raises ClientError; it is awaited again after each failure and may
    return the same client. `progress` yields sentences about a backend that is being made. `backend` is the console's
    own child process, None where there is none. `palette` is one of `names.PALETTES`; NO_COLOR overrides it.
    `landing_view` is where it opens, over the overview; `confirms_all` asks also before verbs of tier 1; what can be
    taken back is sent `undo_seconds` after it was confirmed. `keeper` has what is kept between runs, nothing without
    one; `export_folder` is where exports go, None for the working folder. `mistakes_of` says what is wrong with a
    scenario's file, None where none can be rehearsed. `clouds` are the others that there are, with this one among them;
    `begins_at` is which of them is shown first, where it is another one than this.
    `recordings` opens the file in which what is seen of a cloud without a log is written down, by its id; None for
    nowhere.
    """

    FRAME: ClassVar[type[MainScreen]] = MainScreen
    """What each cloud is shown in."""
    CSS_PATH = "console.tcss"
    TITLE = "stratodeck"
    ENABLE_COMMAND_PALETTE = False
    """Ours knows what is off, and why; it is a command of the registry."""
    DEFAULT_MODE = FIRST
    """Each cloud has a mode, with a stack of screens of its own."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+c", "explain_quit", show=False),
    ]

    def __init__(
        self,
        client_factory: Callable[[], Awaitable[Port]],
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
        mistakes_of: Callable[[str], Sequence[str]] | None = None,
        clouds: CloudChoice | None = None,
        begins_at: str = "",
        recordings: "Callable[[str], Recording] | None" = None,
    ) -> None:
        # Textual takes NO_COLOR out of the environment, and without its ANSI mode from the first line it only turns
        # colours to greys: so this is asked before, and both the mode and the theme are set before anything is drawn.
        is_colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if is_colourless else None)
        self.stylesheet = SteadyStylesheet(variables=self.get_css_variables())
        if "ESCDELAY" not in os.environ:
            vars(constants)["ESCAPE_DELAY"] = ESCAPE_DELAY_SECONDS
        self._is_colourless = is_colourless
        self.set_palette("none" if is_colourless else palette)
        options = Options(
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
            rehearse=None if mistakes_of is None else self._rehearse,
            recordings=recordings,
        )
        self._mistakes_of = mistakes_of
        self.rehearsal_wanted: tuple[str, float] | None = None
        """The scenario to watch after this console has ended, and its simulated seconds in a second."""
        self.rehearsed_from = ""
        """The cloud that was in sight when it was asked for: where one goes back to."""
        self._begins_at = begins_at
        self.clouds = Clouds(self, options, clouds, self.FRAME)
        self.add_mode(FIRST, self.clouds.make_first)

    @property
    def main(self) -> MainScreen:
        """The frame of the cloud in sight, whatever dialog lies over it."""
        return self.clouds.in_sight

    async def _rehearse(self, name: str, rate: float) -> str | None:
        assert self._mistakes_of is not None, "only where a scenario can be looked at"
        mistakes = await asyncio.to_thread(self._mistakes_of, name)
        if not mistakes:
            self.rehearsal_wanted = name, rate
            self.rehearsed_from = self.main.name_of_cloud
            self.exit(return_code=0)
            return None
        # How many there are comes first: the line is cut at the end.
        return (f"1 of {len(mistakes)} mistakes: " if len(mistakes) > 1 else "") + mistakes[0]

    def on_ready(self) -> None:
        """Go to the cloud that was in sight before a rehearsal."""
        if self._begins_at:
            self.clouds.show(self._begins_at)

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
