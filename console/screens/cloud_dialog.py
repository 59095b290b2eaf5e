"""The dialog behind `C`: every cloud with how it is now, found by typing; enter goes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from console.presentation import many
from console.presentation.lines import Frame, Line, Tone
from console.presentation.many import Cloud
from console.presentation.mirror import Mirror
from console.presentation.palette import Entry
from console.screens.palette_dialog import PaletteDialog

if TYPE_CHECKING:
    from console.screens.main import MainScreen

REDRAW_SECONDS = 1.0


class CloudDialog(PaletteDialog):
    """The clouds; how each is goes on being told while one looks."""

    TITLE_WORDS = "clouds"
    ENTER_WORDS = "go there"

    def __init__(self, clouds: Callable[[], Sequence[Cloud]], frame: Callable[[], Frame], before: str) -> None:
        """`before` is the cloud that is highlighted first."""
        self._clouds = clouds
        self._frame_now = frame
        entries = [Entry(each.name, each.name, f"{each.noun} {each.place}") for each in clouds()]
        super().__init__(entries, frame())
        self._at = next((number for number, each in enumerate(entries) if each.id == before), 0)

    def on_mount(self) -> None:
        """Draw now, and each second."""
        super().on_mount()
        self.set_interval(REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        self._frame = self._frame_now()
        super()._draw()

    def _note(self) -> str:
        """Of the highlighted cloud the whole of what its row has no room for."""
        name = self._found[self._at].id if self._found else ""
        cloud = next((each for each in self._clouds() if each.name == name), None)
        words = "" if cloud is None else f"   {many.state(cloud, self._frame).words}   {cloud.place}"
        return super()._note() + words

    def _rows(self, shown: Sequence[Entry], frame: Frame, highlighted: int) -> tuple[Line, ...]:
        known = {each.name: each for each in self._clouds()}
        return many.rows([known[entry.id] for entry in shown], self._text, frame, highlighted=highlighted)


def why_no_other(mirror: Mirror) -> str:
    """Why there is no other cloud to go to."""
    if mirror.rehearsal is not None and mirror.rehearsal.record is not None:
        return "a rehearsal has a cloud of its own, and knows no other: :q leaves it and goes back"
    return "this is the only cloud: [clouds.NAME] in the settings names more, see `stratodeck contexts`"


async def choose(screen: MainScreen) -> None:
    """Ask for a cloud, and go there."""
    clouds = screen.clouds
    if len(clouds.names) < 2:
        screen.say(why_no_other(screen.mirror), Tone.MUTED)
        return
    here = screen.frame().cloud
    before = clouds.before or next(name for name in clouds.names if name != here)
    entry: Entry | None = await screen.ask_dialog(CloudDialog(clouds.all, screen.frame, before))
    if entry is not None:
        screen.call_later(clouds.show, entry.id)
