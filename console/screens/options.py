"""What the main screen is made with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from console.commands import VIEWS
from console.contexts import Context
from console.kept import Keeper
from console.keymaps import DEFAULT as DEFAULT_KEYMAP
from console.keymaps import Keymap
from console.port import Port
from console.presentation.lines import Glyphs
from console.screens.feed import POLL_SECONDS

if TYPE_CHECKING:
    from console.recording import Recording


class Backend(Protocol):
    """The console's own child process, where it has one."""

    @property
    def has_given_up(self) -> bool:
        """Whether it died so often that it is not started again without being asked."""
        ...

    @property
    def sentence(self) -> str | None:
        """What it is doing or what became of it; None while all is well."""
        ...

    async def restart(self) -> None:
        """Start it again, counting from nothing."""
        ...


class CloudChoice(Protocol):
    """The clouds that there are, and how they are opened."""

    @property
    def contexts(self) -> Sequence[Context]:
        """All of them, in the order of the settings."""
        ...

    @property
    def first(self) -> Context:
        """The one that the console was opened on."""
        ...

    def open(self, context: Context) -> "Opened":
        """How to reach it; what it needs for that begins now. Raises ClientError."""
        ...

    def is_near(self, context: Context) -> bool:
        """Whether it can be looked at without starting anything. May look at a disk."""
        ...

    def manners(self, context: Context) -> Mapping[str, Any]:
        """Its own values of `Options`: `is_read_only`, `landing_view`."""
        ...


MENU_CLASS = "-menu"
"""Of a dialog whose keys may be typed before it is there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How to reach a cloud that was opened."""

    client_factory: Callable[[], Awaitable[Port]]
    """Returns a connected client or raises ClientError; awaited again after each failure, it may return the same."""
    backend: Backend | None = None
    """The console's own child process that serves it, where it has one."""
    progress: Callable[[], AsyncIterator[str]] | None = None
    """Sentences about a backend that is being made."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the main screen is made with."""

    client_factory: Callable[[], Awaitable[Port]]
    wall_now: Callable[[], datetime]
    glyphs: Glyphs
    is_read_only: bool = False
    is_embedded: bool = True
    backend: Backend | None = None
    progress: Callable[[], AsyncIterator[str]] | None = None
    poll_seconds: float = POLL_SECONDS
    landing_view: str = VIEWS[0]
    confirms_all: bool = False
    """Ask also before what its opposite undoes."""
    undo_seconds: float = 0
    """How long after it was confirmed what can be taken back is sent."""
    set_palette: Callable[[str], None] = lambda _name: None
    keymap: Keymap = DEFAULT_KEYMAP
    keeper: Keeper = field(default_factory=lambda: Keeper(None))
    """Chosen columns and bookmarks."""
    rehearse: Callable[[str, float], Awaitable[str | None]] | None = None
    """Leaves the console for one on the cloud of a scenario, or says why not; None where that cannot be."""
    recordings: "Callable[[str], Recording] | None" = None
    """What is seen of a cloud that keeps no log is written down here, by the cloud's id; None for nowhere."""
    export_folder: Path | None = None
    """Where exports are written; None for where the console was started."""
    context: Context | None = None
    """Which of several clouds it is; None where the console knows one only."""
