"""The list of several clouds, on the screen of one: its rows, and whose cloud a row is.

What is done to a row is done to its own cloud, by that cloud's connection, rules and log. What is opened of it is shown
where it belongs: on the screen of that cloud, and esc comes back from there.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from console.port import Port
from console.presentation import across, sentences
from console.presentation.across import Gathered
from console.presentation.lines import Frame, Tone, View
from console.presentation.many import Cloud
from console.presentation.mirror import Mirror
from console.reasons import Selection
from console.screens import objects, travelling
from console.screens.acting import Acting
from console.screens.places import Place

if TYPE_CHECKING:
    from console.screens.main import MainScreen


class Everywhere:
    """The lists of all clouds as one screen shows them."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._gathered: dict[str, Gathered] = {}
        self._held: tuple[Cloud, ...] | None = None
        """As the clouds were when the screen was frozen."""

    def view(self, frame: Frame) -> View:
        """The list of the place in sight."""
        if not self._screen.is_frozen:
            self._held = None
        elif self._held is None:
            self._held = self._screen.clouds.all()
        clouds = self._held or self._screen.clouds.all()
        name = self._screen.place.view
        gathered = self._gathered.get(name, Gathered(name)).gathered(clouds)
        self._gathered[name] = gathered
        return across.view(gathered, clouds, frame)

    def owner(self) -> MainScreen:
        """The screen of the cloud that a verb would act on: of the marked rows, else of the row under the cursor."""
        screen = self._screen
        marks = objects.shown_marks(screen.view, screen.place.filter, screen.active.marks)
        names = {across.split(key)[0] for key in marks}
        name = names.pop() if len(names) == 1 else across.split(screen.cursor_key or "")[0]
        return self._screen.clouds.opened(name) or self._screen

    def _keys(self) -> list[str]:
        screen = self._screen
        marks = objects.shown_marks(screen.view, screen.place.filter, screen.active.marks)
        return objects.in_order(screen.view, marks) or [key for key in (screen.cursor_key,) if key is not None]

    def selection(self) -> Selection:
        """What a command would act on, as its own cloud sees it; of rows of several clouds, nothing can be done."""
        screen, keys = self._screen, self._keys()
        hidden = len(screen.active.marks) - len(keys) if screen.active.marks else 0
        by_cloud: dict[str, list[str]] = {}
        for key in keys:
            name, own = across.split(key)
            by_cloud.setdefault(name, []).append(own)
        owners = [(screen.clouds.opened(name) or screen, own) for name, own in by_cloud.items()]
        found = [owner.selection_of(own, hidden) for owner, own in owners] or [screen.selection_of([], hidden)]
        items = tuple(item for each in found for item in each.items)
        return found[0]._replace(view=screen.place.view, items=items, is_mixed=len(found) > 1)

    @property
    def subject(self) -> str | None:
        """The key of the row under the cursor, as its own cloud knows it."""
        key = self._screen.cursor_key
        return None if key is None else across.split(key)[1]

    def acting(self, *, confirms_all: bool) -> Acting:
        """What carries verbs out on the cloud that they would act on now."""
        return Acting(_Owned(self._screen, self.owner()), self._screen.clouds.grace, confirms_all=confirms_all)

    def follow(self, command_id: str) -> None:
        """Open what a row is about, where it belongs."""
        screen, key = self._screen, self._screen.cursor_key
        if command_id in ("create", "then"):
            screen.say("in which cloud? C goes there", Tone.WARN)
            return
        if key is None:
            screen.say("nothing is under the cursor", Tone.MUTED)
            return
        name, own = across.split(key)
        owner = screen.clouds.opened(name)
        if owner is None:
            screen.say(f"{name} is not opened any more", Tone.WARN)
            return
        if command_id == "why" and objects.split_key(owner.mirror, own)[0] not in ("server", "drive"):
            screen.say("only servers and drives are placed", Tone.MUTED)
            return
        if owner is not screen and screen.clouds.show(name) is None:
            return
        if command_id == "events":
            about = objects.events_about(owner.mirror, own)
            if about is not None:
                travelling.open_events(owner, about)
        else:
            owner.enter(_place(owner.mirror, own, command_id, screen.place.view))
        if owner is not screen:
            owner.change(came_from=screen.name_of_cloud)


def _place(mirror: Mirror, key: str, command_id: str, view: str) -> Place:
    match command_id:
        case "describe":
            return Place("detail", key)
        case "raw" | "why":
            return Place(command_id, key)
        case _:
            return objects.place_of(mirror, key, view)


class _Owned:
    """The host of verbs on one cloud, from a list of several: what is asked and said is so where the operator looks."""

    def __init__(self, front: MainScreen, owner: MainScreen) -> None:
        self._front = front
        self._owner = owner

    @property
    def mirror(self) -> Mirror:
        """The owner's."""
        return self._owner.mirror_now

    @property
    def client(self) -> Port | None:
        """The owner's."""
        return self._owner.client

    def frame(self) -> Frame:
        """The room of the list, and the instant of the cloud."""
        return self._front.frame()._replace(
            now=self._owner.mirror_now.now(self.wall_now()), cloud=self._owner.name_of_cloud, scope=None
        )

    def wall_now(self) -> datetime:
        """The wall's instant."""
        return self._front.wall_now()

    def selection(self) -> Selection:
        """The list's."""
        return self._front.selection()

    def say(self, sentence: str, tone: Tone = Tone.TEXT) -> None:
        """Say it where the operator looks by now, and of which cloud it is."""
        words = sentences.named(self._owner.mirror, sentence)
        in_sight = self._front.clouds.in_sight
        in_sight.say(f"{self._owner.name_of_cloud}: {words}", tone, is_verbatim=True)

    def copy(self, text: str) -> None:
        """Onto the one clipboard."""
        self._front.copy(text)

    def reload(self) -> None:
        """Ask about the object of the owner's page."""
        self._owner.reload()

    async def ask_dialog(self, dialog: Screen[Any]) -> Any:
        """Over the list."""
        return await self._front.ask_dialog(dialog)
