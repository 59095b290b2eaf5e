"""Places to come back to: `m` and a letter keeps one, `'` and the letter goes there. Each cloud has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from console.commands import PAGES, VIEWS
from console.kept import Bookmark, Kept
from console.presentation import plan
from console.presentation.lines import Tone
from console.screens import objects
from console.screens.places import Place

if TYPE_CHECKING:
    from console.screens.dialogs import Choice
    from console.screens.main import MainScreen


def of(screen: MainScreen) -> Mapping[str, Bookmark]:
    """Those of this cloud that lead to a view that there is, by letter."""
    marks = screen.keeper.kept.bookmarks.get(cloud_key(screen), {})
    return {letter: mark for letter, mark in sorted(marks.items()) if mark.view in VIEWS or mark.view in PAGES}


def cloud_key(screen: MainScreen) -> str:
    """What is kept of a cloud is kept under this: simulated clouds of one seed have one id, but not one name."""
    context = screen.context
    return f"{screen.mirror.cloud} {context.name}" if context is not None and context.is_listed else screen.mirror.cloud


def title(screen: MainScreen, mark: Bookmark) -> str:
    """What a bookmark is called: its view, what that is narrowed to, its filter."""
    item = objects.item_of(screen.mirror, mark.scope) if mark.scope and mark.view in PAGES else None
    parts = [mark.view, item.name if item is not None else mark.scope or ""]
    return " ".join([*(part for part in parts if part), *([f"/{mark.filter}"] if mark.filter else [])])


def begin(screen: MainScreen) -> None:
    """Ask for the letter of this place."""
    if not screen.mirror.cloud:
        screen.say("no cloud has said yet which one it is: bookmarks belong to one", Tone.WARN)
        return
    taken = " ".join(of(screen))
    screen.letters.ask(f"bookmark this place as: a letter{f' (there are {taken})' if taken else ''}   esc leaves", keep)


def keep(screen: MainScreen, letter: str) -> None:
    """Keep this place under a letter; what it held before is gone."""
    place, cloud = screen.place, cloud_key(screen)
    mark = Bookmark(place.view, place.scope, place.filter, place.sort, place.is_descending)

    def change(kept: Kept) -> Kept:
        marks = {**kept.bookmarks.get(cloud, {}), letter: mark}
        return kept._replace(bookmarks={**kept.bookmarks, cloud: marks})

    screen.keeper.change(change)
    if screen.keeper.problem:
        screen.say(screen.keeper.problem, Tone.WARN)
    else:
        screen.say(f"' {letter} comes back to {title(screen, mark)}", Tone.ACCENT)


def go(screen: MainScreen, mark: Bookmark) -> None:
    """Show the place of a bookmark."""
    screen.jump(Place(mark.view, mark.scope, mark.filter, mark.sort, mark.is_descending))


async def choose(screen: MainScreen) -> None:
    """Ask which one, and go there."""
    from console.screens.dialogs import Menu

    marks = of(screen)
    if not marks:
        screen.say("no bookmarks of this cloud yet: m and a letter keeps a place", Tone.MUTED)
        return
    items = [
        plan.MenuItem(letter, title(screen, mark), f"sort {mark.sort}" if mark.sort else "", 0)
        for letter, mark in marks.items()
    ]
    choice: Choice | None = await screen.ask_dialog(Menu("bookmarks", items, screen.frame()))
    if choice is not None:
        go(screen, list(marks.values())[choice.index])
