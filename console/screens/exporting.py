"""What is shown, as a file: CSV and JSON of the list, SVG of the screen. A file is new, and its owner's alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from console.presentation import exports, plan
from console.presentation.lines import Tone
from console.sanitising import sanitise

if TYPE_CHECKING:
    from console.screens.dialogs import Choice
    from console.screens.main import MainScreen

FILES_MAX = 100
"""So many of one second have names of their own."""


async def choose(screen: MainScreen) -> None:
    """Ask for a form, and write the file."""
    from console.screens.dialogs import Menu

    off = None if screen.view.table is not None else "no list is shown here"
    items = [
        plan.MenuItem("c", "CSV", "the rows, for a spreadsheet", 0, off),
        plan.MenuItem("j", "JSON", "the rows, for a program", 0, off),
        plan.MenuItem("s", "SVG", "the screen as it is", 0),
    ]
    # Before the menu lies over it.
    drawn = screen.app.export_screenshot(title="stratodeck")
    choice: Choice | None = await screen.ask_dialog(Menu(f"{screen.place.view}   export", items, screen.frame()))
    if choice is not None:
        form = items[choice.index].title.lower()
        makers: Mapping[str, Callable[[], str]] = {
            "csv": lambda: exports.as_csv(screen.view.table) if screen.view.table is not None else "",
            "json": lambda: _json(screen),
            "svg": lambda: drawn,
        }
        _write(screen, form, makers[form]())


def _json(screen: MainScreen) -> str:
    table, place = screen.view.table, screen.place
    assert table is not None, "the menu has no JSON without a table"
    about = {"cloud": screen.mirror.cloud, "view": place.view, "scope": place.scope, "filter": place.filter,
             "at": screen.frame().now.isoformat(timespec="seconds")}  # fmt: skip
    return exports.as_json(table, about)


def _write(screen: MainScreen, form: str, text: str) -> None:
    folder = screen.export_folder
    stem = f"stratodeck-{screen.place.view}-{screen.wall_now():%Y%m%d-%H%M%S}"
    try:
        path = write_new(folder, stem, form, text)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        screen.say(f"nothing was exported: {why}: {sanitise(str(error.filename or folder))}", Tone.CRIT)
    else:
        rows = "" if form == "svg" or screen.view.table is None else f"{len(screen.view.table.rows):,} rows to "
        # Its name first: of a long sentence, the end is cut.
        screen.say(f"exported {rows}{path.name} in {sanitise(str(folder))}", Tone.ACCENT, is_verbatim=True)


def write_new(folder: Path, stem: str, form: str, text: str) -> Path:
    """Write a file that was not there; a name that is taken gets a number."""
    for number in range(1, FILES_MAX + 1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}.{form}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        return path
    raise FileExistsError(17, "a hundred files of this second are there already", str(folder))
