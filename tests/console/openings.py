"""Every dialog of the console, as the registry knows them: how it is opened, and an object for which its verb is on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from textual.pilot import Pilot

from console import commands
from console.app import ConsoleApp
from console.commands import COMMANDS, Command
from console.presentation.lines import UNICODE, take
from console.presentation.mirror import Mirror
from console.reasons import Selection
from console.screens import doing, objects
from console.screens.main import MainScreen
from console.screens.places import Place
from console.widgets.box import Box
from tests.console.fakes import screen_text
from tests.console.staging import Size, settle
from tests.demo import TURNS_MAX, DemoConsole

PLACES_OF_KINDS = {"group": "groups", "cloud": "clock"}
"""Where the verbs of a kind are asked for whose objects have no page with a menu."""
OF_LISTS = ("palette", "columns", "export", "create", "copy", "what_if", "actions", "bookmarks")
"""Commands that are not verbs and open a dialog."""


class Opening(NamedTuple):
    """A dialog, and the object that it is about: the one whose key is given."""

    name: str
    place: Place
    open: Callable[[MainScreen], None]


def keys_of_kind(mirror: Mirror, kind: str) -> Iterator[str]:
    """The keys of all objects of a kind that are known, by their names."""
    match kind:
        case "server":
            yield from (row.id for row in sorted(mirror.servers.values(), key=lambda row: row.name or ""))
        case "drive":
            drives = sorted(mirror.drives.by_id.values(), key=lambda row: row.name or "")
            yield from (f"drive:{row.id}" for row in drives)
        case "host":
            yield from (f"host:{row.name}" for row in mirror.hosts or ())
        case "cell":
            yield from (f"cell:{row.name}" for row in mirror.cells or ())
        case "group":
            yield from (f"group:{row.name}" for row in mirror.groups or ())
        case "account":
            yield from (
                f"account:{row.account}" for row in (mirror.billing.owners if mirror.billing is not None else ())
            )
        case "schedule":
            listed = mirror.protection.schedule_lists.get(None)
            yield from (f"schedule:{row.id}" for row in (listed.rows if listed is not None else ()))
        case "backup":
            backups = mirror.protection.lists.get(None)
            yield from (f"backup:{row.id}" for row in (backups.rows if backups is not None else ()))


def subject_of(mirror: Mirror, verb: Command, chosen: tuple[str, ...]) -> str | None:
    """An object for which the verb is on: one of the `chosen` keys, or else the first by name. None where it is off."""
    clock = mirror.clock
    for key in (*chosen, *keys_of_kind(mirror, verb.verb_of or "")):
        item = objects.item_of(mirror, key)
        if item is None or item.kind != verb.verb_of:
            continue
        selection = Selection(view="detail", items=(item,), clock_mode=None if clock is None else clock.mode)
        if commands.reason_off(verb, selection) is None:
            return key
    return None


def openings(mirror: Mirror, chosen: tuple[str, ...] = ()) -> Iterator[Opening]:
    """Every verb that is on for some object, and every other command that opens a dialog."""
    for verb in COMMANDS:
        if verb.verb_of is None:
            continue
        if not verb.needs_row:
            yield Opening(verb.id, Place(f"{verb.verb_of}s"), _asking(verb))
        elif verb.verb_of == "cloud":
            yield Opening(verb.id, Place("faults" if verb.id == "faults.end" else "clock"), _asking(verb))
        elif (key := subject_of(mirror, verb, chosen)) is not None:
            place = Place("detail", key) if "detail" in verb.views else Place("groups", cursor=key)
            yield Opening(verb.id, place, _asking(verb))
    server = next(iter((*chosen, *keys_of_kind(mirror, "server"))))
    for command in OF_LISTS:
        view = "capacity" if command == "what_if" else "servers"
        yield Opening(command, Place(view, cursor=server), _doing(command))


def _asking(verb: Command) -> Callable[[MainScreen], None]:
    return lambda main: main.act(lambda: main.acting.run(verb, main.selection()))


def _doing(command_id: str) -> Callable[[MainScreen], None]:
    return lambda main: doing.do(main, command_id)


def box_text(app: ConsoleApp) -> str:
    """The box of the dialog in sight as it is drawn, and the keys below it."""
    region = app.screen.query_one(Box).region
    rows = screen_text(app).split("\n")
    box = [take(_from(row, region.x), region.width).rstrip() for row in rows[region.y : region.bottom]]
    return "\n".join([*box, rows[-1]])


_IS_COMING = re.compile(rf"^{UNICODE.rule} +{UNICODE.ellipsis} +{UNICODE.rule}$", re.MULTILINE)
"""A row that says that what belongs there is still to come."""


def _from(row: str, start: int) -> str:
    """The row without its first cells."""
    return row[len(take(row, start)) :]


async def opened(pilot: Pilot[Any], opening: Opening) -> bool:
    """Open a dialog and wait until it knows all that it asks for; False where none opened."""
    app = pilot.app
    assert isinstance(app, DemoConsole)
    app.main.jump(opening.place)
    await settle(pilot)
    opening.open(app.main)
    for _ in range(TURNS_MAX):
        await settle(pilot)
        await pilot.pause()
        # What follows from what is typed is asked for a moment after it was typed.
        if app.screen is app.main or not _IS_COMING.search(box_text(app)):
            break
    return app.screen is not app.main


async def shrunk(pilot: Pilot[Any], size: Size) -> None:
    """Make the terminal smaller, or leave it, and wait until the dialog in sight is drawn for its size."""
    box = pilot.app.screen.query_one(Box)
    await pilot.resize_terminal(*size)
    for _ in range(TURNS_MAX):
        await pilot.pause()
        if box.region.right <= size[0] and box.region.bottom <= size[1]:
            return
    raise AssertionError(f"the box stays {box.region}")


async def closed(pilot: Pilot[Any]) -> None:
    """Leave whatever dialogs are open, without having done anything."""
    app = pilot.app
    assert isinstance(app, DemoConsole)
    for _ in range(5):
        if app.screen is app.main:
            return
        await pilot.press("escape")
    raise AssertionError(f"esc does not leave {app.screen}")
