"""Whatever a name holds, it stays in its place: no view and no dialog lets it move, colour or hide anything else.

Each name is told three times: as it is, and twice as harmless letters of the same widths. The cells in which the two
harmless screens differ are the name's; in all others the hostile screen is as they are, in a terminal that has read
exactly the bytes that would have gone out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.app import ConsoleApp
from console.commands import COMMANDS, LISTS, PAGES
from console.presentation.widths import cells
from console.sanitising import sanitise
from console.screens.places import Place
from tests.console.fakes import screen_text
from tests.console.hostile import (
    SERVER,
    Recorded,
    Renaming,
    as_shown,
    client_of,
    harmless,
    keeping,
    known_through,
    renaming,
)
from tests.console.openings import OF_LISTS, closed, opened, openings
from tests.console.staging import CARD, SMALL, WIDE, Size, Stage, StagedScreen, sent_by, settle, visit, walk
from tests.demo import Answer, DemoConsole, Request, copied

CHOSEN = ("cell:cell-2", "host:c2-h17", "group:web")
SIGNS = (
    "\x1b]2;owned\x07", "\x1b]52;c;b3duZWQ=\x07", "\x1b[2J", "\x1b[31m", "\x1b[1;1H", "\x1bc", "\x1bP1$r\x1b\\",
    "\x9b31m", "\x9d2;owned\x9c", "\x00", "\x07", "\x08\x08\x08", "\r", "\n", "\t", "\x0b", "\x7f", "\x85", "\u2028",
    "\ud800", "\u202e", "\u2066", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f", "\u3164", "\u2800",
    "\U000e0041", "e\u0301", "\u0300\u0301\u0302", "日本", "한", "👩\u200d👧", "🇩🇪", "👍🏽", "ﷺ", "א",
    "[red]", "[/]", "[b", "[@click=app.quit]x[/]", "[link=https://example.org]x", "{0}", "%s", "$(id)", "`", "\\", '"',
    "</a>", "  ", "—",
)  # fmt: skip
LONG = "L" * 300

NAMELESS: frozenset[str] = frozenset({"help", "audit", "rehearsal"})
"""Views that show no name of the cloud: nothing was done yet, and the demo is no rehearsal."""

tails = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=4).map("".join)
NASTY = "\x1b]2;owned\x07\ud800\u202e[red]日🇩🇪👍🏽\x9b31m\u200b[@click=app.quit]x[/]\n"
"""A little of everything, for what is too slow to try with many names."""


class Recording(NamedTuple):
    """What the demo answered, and the places that were looked at."""

    answers: Mapping[Request, Answer]
    places: tuple[Place, ...]

    def __repr__(self) -> str:
        """Hypothesis shows it with the name that was found to be wrong."""
        return f"{len(self.answers)} answers, {len(self.places)} places"


@pytest.fixture(scope="module")
def recording(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """One walk through the demo, and all that it answered."""

    async def record() -> Recording:
        app = DemoConsole(copied(demo, tmp_path_factory.mktemp("hostile") / "data"), through=keeping, poll_seconds=3600)
        async with app.run_test(size=CARD) as pilot:
            await settle(pilot)
            ids = [row.id for row in app.main.mirror.servers.values() if row.name == SERVER]
            known, places = await walk(pilot, (*ids, *CHOSEN))
            assert app.wire is not None
            assert app.wire.kept is not None
            assert known.mirror.is_complete
            return Recording(dict(app.wire.kept), tuple(places))

    return asyncio.run(record())


def terminal_of(app: ConsoleApp, size: Size) -> tuple[pyte.Screen, str]:
    """A terminal that has read what the screen in sight sends for a whole frame; and what that was."""
    sent = sent_by(app)
    screen = pyte.Screen(*size)
    pyte.Stream(screen).feed(sent)
    return screen, sent


_ALLOWED = re.compile(r"\x1b\[[0-9;]*[mH]")
"""Attributes and places: what our own drawing is made of."""


def problems_of_bytes(sent: str) -> list[str]:
    """What goes out beside texts, attributes and places."""
    text = _ALLOWED.sub("", sent)
    return sorted({f"{sign!r} goes out" for sign in text if not sign.isprintable() and sign != "\n"})


def compared(hostile: pyte.Screen, first: pyte.Screen, second: pyte.Screen) -> Iterator[str]:
    """What is not as in both harmless screens although they are alike there."""
    for y in range(hostile.lines):
        rows = [screen.buffer[y] for screen in (hostile, first, second)]
        for x in range(hostile.columns):
            if rows[1][x] == rows[2][x] and rows[0][x] != rows[1][x]:
                shown = ("".join(row[each].data for each in range(hostile.columns)) for row in rows[:2])
                yield "\n".join([f"cell {x} of line {y}: {rows[0][x]} instead of {rows[1][x]}", *shown])
                break


async def check_views(recording: Recording, tail: str, size: Size) -> tuple[list[str], set[str]]:
    """What is wrong on any view or page when all names end so, and which of them show a name."""
    tails = (tail, harmless(tail, "x", "亜"), harmless(tail, "y", "以"))
    assert len({cells(sanitise(each)) for each in tails}) == 1, "they are as wide as each other"
    wire, drawn, wrong = Recorded(recording.answers), [], []
    stage = Stage()
    async with stage.run_test(size=size):
        for each in tails:
            shown = [place_of(place, each) for place in recording.places]
            known = await known_through(client_of(Renaming(wire, each)), shown)
            screens = []
            for place in shown:
                assert isinstance(stage.main, StagedScreen)
                with stage.batch_update():
                    stage.main.stage(known, place)
                    screen, sent = terminal_of(stage, size)
                screens.append(screen)
                wrong += [f"{place.view} {place.scope}: {problem}" for problem in problems_of_bytes(sent)]
                wrong += [f"{place.view} sets the title" for _ in (screen.title, screen.icon_name) if _]
            drawn.append(screens)
    named = set()
    for place, *screens in zip(recording.places, *drawn, strict=True):
        wrong += [f"{place.view} {place.scope}: {problem}" for problem in compared(*screens)]
        named |= {place.view} if screens[1].display != screens[2].display else set()
    return wrong, named


def place_of(place: Place, tail: str) -> Place:
    """The same place where names end so."""
    return Place(place.view, as_shown(place.scope, tail), modes=place.modes)


def test_every_view_and_page_is_among_the_places(recording: Recording) -> None:
    assert {place.view for place in recording.places} == LISTS | PAGES


def test_a_hostile_name_changes_nothing_but_its_own_cells(recording: Recording) -> None:
    wrong, named = asyncio.run(check_views(recording, f"Qh{NASTY}Q", CARD))

    assert not wrong
    assert named | NAMELESS == LISTS | PAGES


@settings(max_examples=3)
@given(tail=tails, offset=st.integers(0, 8))
def test_hostile_names_change_nothing_but_their_own_cells(recording: Recording, tail: str, offset: int) -> None:
    some = recording._replace(places=recording.places[offset::9])
    wrong, _ = asyncio.run(check_views(some, f"Qh{tail}Q", CARD))

    assert not wrong


@pytest.mark.thorough
@settings(max_examples=60)
@given(tail=tails | st.text(max_size=12), size=st.sampled_from([SMALL, CARD, WIDE]), is_long=st.booleans())
def test_no_hostile_name_changes_anything_but_its_own_cells(
    recording: Recording, tail: str, size: Size, is_long: bool
) -> None:
    wrong, _ = asyncio.run(check_views(recording, f"Qh{tail}{LONG if is_long else ''}Q", size))

    assert not wrong


@pytest.mark.thorough
@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
def test_no_single_sign_changes_anything_but_its_own_cells(recording: Recording, sign: str) -> None:
    wrong, _ = asyncio.run(check_views(recording._replace(places=recording.places[::6]), f"Qh{sign}Q", CARD))

    assert not wrong


async def check_dialogs(folder: Path, names: frozenset[str], size: Size) -> list[str]:
    """What is wrong with the boxes of these dialogs, and what goes out, where names are hostile."""
    wrong: list[str] = []
    app = DemoConsole(folder, through=renaming(f"Qh{NASTY}Q"), poll_seconds=3600, confirms_all=True)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for view in ("drives", "hosts", "schedules", "backups", "groups"):
            await visit(pilot, Place(view), {})
        chosen = [row.id for row in app.main.mirror.servers.values() if (row.name or "").startswith(SERVER)]
        seen = 0
        for opening in openings(app.main.mirror, tuple(chosen)):
            if opening.name in names and await opened(pilot, opening):
                screen, sent = terminal_of(app, size)
                seen += "[red]" in screen_text(app)
                wrong += [f"{opening.name}: {problem}" for problem in problems_of_bytes(sent)]
                wrong += [f"{opening.name}: {problem}" for problem in broken_border(app, screen)]
                await closed(pilot)
        assert seen, "the names were told"
    return wrong


def broken_border(app: ConsoleApp, screen: pyte.Screen) -> Iterator[str]:
    """Where the box of the dialog in sight has no border that it should have."""
    region = app.screen.query_one("Box").region
    for y in range(region.y, region.bottom):
        ends = screen.buffer[y][region.x].data, screen.buffer[y][region.right - 1].data
        if ends[0] not in "│┌└" or ends[1] not in "│┐┘":
            yield f"line {y} of the box ends in {ends}: {screen.display[y]}"


NAMING = frozenset({"server.start", "server.delete", "host.drain", "palette", "actions"})
"""Dialogs that say most of what they are about."""


def test_the_box_of_a_dialog_stays_whole_around_hostile_names(demo: Path, tmp_path: Path) -> None:
    assert not asyncio.run(check_dialogs(copied(demo, tmp_path / "data"), NAMING, CARD))


@pytest.mark.thorough
@pytest.mark.parametrize("size", [SMALL, CARD, WIDE])
def test_the_box_of_every_dialog_stays_whole_around_hostile_names(demo: Path, tmp_path: Path, size: Size) -> None:
    every = frozenset(command.id for command in COMMANDS if command.verb_of is not None) | set(OF_LISTS)

    assert not asyncio.run(check_dialogs(copied(demo, tmp_path / "data"), every, size))
