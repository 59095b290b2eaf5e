"""Screens as texts: a cloud is known once, and then shown at any size, with any glyphs, and as if it had fallen silent.

A walk through the real console on a real cloud brings all that its views ask for. A `Stage` is the same console without
a cloud: it is given what is to be known and where to be, and what it draws is read back from the strips of its screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from textual.app import App
from textual.pilot import Pilot

import console
from console.app import ConsoleApp
from console.commands import VIEWS
from console.presentation.lines import cells
from console.presentation.mirror import Mirror
from console.screens import objects, views
from console.screens.main import MainScreen
from console.screens.places import Place, Trail
from tests.console.fakes import screen_text
from tests.demo import NOW, DemoConsole

Size = tuple[int, int]
SMALL, CARD, WIDE, LARGE = (40, 10), (80, 24), (120, 40), (200, 60)
SIZES: tuple[Size, ...] = (SMALL, CARD, WIDE, LARGE)
KINDS = ("server", "drive", "host", "cell", "group", "project", "schedule", "backup", "task", "event", "audit")
"""What rows are about."""
MODES: Mapping[str, tuple[str, ...]] = {"capacity": ("memory",), "groups": (views.DRIVES, views.FOLDED)}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a cloud, and what was told of single objects, by the place that shows it."""

    mirror: Mirror = field(default_factory=Mirror)
    held: Mapping[Place, Mapping[str, views.Held]] = field(default_factory=dict)

    def silent(self, minutes: int) -> Known:
        """The same cloud so long after its last answer."""
        told = dict.fromkeys(self.mirror.answered_at, NOW - timedelta(minutes=minutes))
        failed = self.mirror.failed("connection refused", NOW, retry_at=NOW + timedelta(seconds=15))
        return replace(self, mirror=replace(failed, answered_at=told, tries=7))


def keys_of(app: DemoConsole) -> Iterable[str]:
    """The keys of the rows of the view in sight."""
    view = app.main.view
    for region in (*view.regions, *view.aside):
        yield from (key for index in range(len(region)) if (key := region.key(index)) is not None)


async def walk(pilot: Pilot[Any], chosen: Iterable[str] = (), *, has_pages: bool = True) -> tuple[Known, list[Place]]:
    """Look at every view of the registry, and at a page of every kind of object: all of it is known then.

    Of each kind the object is one of the `chosen` keys, or else the first that any view shows.
    """
    app = pilot.app
    assert isinstance(app, DemoConsole)
    places = [Place(name) for name in VIEWS]
    places += [Place(name, modes=frozenset({mode})) for name, modes in MODES.items() for mode in modes]
    subjects: dict[str, str] = {}
    seen: list[str] = []
    held: dict[Place, Mapping[str, views.Held]] = {}
    for place in list(places):
        await visit(pilot, place, held)
        seen += keys_of(app)
    for key in (*chosen, *seen):
        subjects.setdefault(objects.split_key(app.main.mirror, key)[0], key)
    for kind in filter(subjects.__contains__, KINDS):
        key = subjects[kind]
        drilled = objects.place_of(app.main.mirror, key, f"{kind}s")
        places += [Place("detail", key), *([Place("raw", key)] if kind in ("server", "audit") else [])]
        places += [Place("why", key)] if kind in ("server", "drive") else []
        places += [drilled] if drilled not in places else []
    places += [Place("help", "servers"), Place("rehearsal")]
    for place in places[len(held) :] if has_pages else ():
        await visit(pilot, place, held)
    return Known(app.main.mirror, held), places


async def visit(pilot: Pilot[Any], place: Place, held: dict[Place, Mapping[str, views.Held]]) -> None:
    """Go to a place, and wait until all that it asks for has been answered and drawn."""
    app = pilot.app
    assert isinstance(app, DemoConsole)
    app.main.jump(place)
    await settle(pilot)
    # What came is drawn at once, and what its first row is about is asked for.
    app.main.change()
    app.main.feed.wake()
    await settle(pilot)
    held[place] = dict(app.main.details.held)


QUIET_TURNS, REFUSED_TURNS = 40, 400
"""Of the event loop: so many are enough for an answer to become the next question, and to see that none comes."""
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.002


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until the whole cloud is known, and all that was asked has been answered."""
    app = pilot.app
    assert isinstance(app, DemoConsole)
    quiet, begun, deadline = 0, 0, monotonic() + PATIENCE_SECONDS
    while quiet < (REFUSED_TURNS if is_lacking(app) else QUIET_TURNS):
        assert monotonic() < deadline, f"it never came to rest:\n{screen_text(app)}"
        wire = app.wire
        is_quiet = wire is not None and wire.begun == begun and not wire.open and app.main.mirror.is_complete
        quiet, begun = quiet + 1 if is_quiet else 0, 0 if wire is None else wire.begun
        await asyncio.sleep(0 if is_quiet else POLL_SECONDS)


def is_lacking(app: DemoConsole) -> bool:
    """Whether something that the place in sight wants is not known: it is on its way, or it was refused."""
    mirror = app.main.mirror
    place = replace(app.main.place, cursor=app.main.cursor_key)
    return mirror.hosts is None or not views.is_told(place, replace(mirror, refused={}))


# The stage -------------------------------------------------------------------------------------------------------


class StagedScreen(MainScreen):
    """The frame of the console, told directly what is known."""

    def stage(self, known: Known, place: Place) -> None:
        """Show a place, as if what is known had come over the wire."""
        self._mirror = known.mirror
        self.details.held = known.held.get(place, {})
        self.set_class(known.mirror.is_production, "-production")
        self._was_loading = self._repainting.is_outdated = False
        self.trail = Trail.begin(VIEWS[0])
        self._middle.forget()
        self.jump(place)
        self._refresh_layout()


class Stage(ConsoleApp):
    """The console without a cloud: it connects for ever."""

    FRAME = StagedScreen
    CSS_PATH = str(Path(console.__file__).with_name("console.tcss"))

    def __init__(self, **options: Any) -> None:
        super().__init__(self._connect, now=lambda: NOW, **options)

    async def _connect(self) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    def show(self, known: Known, place: Place) -> str:
        """What the terminal shows of a place."""
        screen = self.main
        assert isinstance(screen, StagedScreen)
        with self.batch_update():
            # What comes of it is read below: nobody looks at what is drawn on the way.
            screen.stage(known, place)
            return screen_text(self)


def sent_by(app: App[Any]) -> str:
    """What goes out to the terminal for a whole frame of the screen in sight."""
    update: Any = app.screen._compositor.render_update(full=True)
    return str(update.render_segments(app.console))


def problems_of(text: str, size: Size, *, is_ascii: bool = False) -> list[str]:
    """What no screen may be, whatever it shows."""
    lines = text.split("\n")
    found = []
    if len(lines) != size[1]:
        found.append(f"{len(lines)} lines")
    found += [f"line {n} has {cells(line)} cells" for n, line in enumerate(lines) if cells(line) > size[0]]
    if is_ascii and not text.isascii():
        found.append(f"not ASCII: {sorted({sign for sign in text if not sign.isascii()})}")
    if not lines[-1].strip():
        found.append("no keys")
    return found
