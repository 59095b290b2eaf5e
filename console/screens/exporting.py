"""What is shown, as a file: CSV and JSON of the list, SVG of the screen. A file is new, and its owner's alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.names import ALL_CLOUDS
from console.presentation import exports, plan
from console.presentation.lines import Tone
from console.sanitising import sanitise

if TYPE_CHECKING:
    from console.screens.dialogs import Choice
    from console.screens.main import MainScreen

FILES_MAX = 100
"""So many of one second have names of their own."""


async def choose(screen: MainScreen) -> None:
    """Ask for a form, and write the file. What is shown when that is asked is what is written."""
    from console.screens.dialogs import Menu

    table = screen.view.table
    off = None if table is not None else "no list is shown here"
    items = [
        plan.MenuItem("c", "CSV", "the rows, for a spreadsheet", 0, off),
        plan.MenuItem("j", "JSON", "the rows, for a program", 0, off),
        plan.MenuItem("s", "SVG", "the screen as it is", 0),
    ]
    # Before the menu lies over it.
    about = _about(screen)
    drawn = screen.app.export_screenshot(title="stratodeck")
    choice: Choice | None = await screen.ask_dialog(Menu(f"{screen.place.view}   export", items, screen.frame()))
    if choice is not None:
        form = items[choice.index].title.lower()
        makers: Mapping[str, Callable[[], str]] = {
            "csv": lambda: "" if table is None else exports.as_csv(table),
            "json": lambda: "" if table is None else exports.as_json(table, about),
            "svg": lambda: drawn,
        }
        # A hundred thousand rows take their time, and keys must not wait for them.
        _write(
            screen,
            form,
            await asyncio.to_thread(makers[form]),
            None if form == "svg" or table is None else len(table.rows),
        )


def _about(screen: MainScreen) -> Mapping[str, Any]:
    """What the rows of an export are about."""
    place = screen.place
    cloud = ALL_CLOUDS if screen.is_across else screen.mirror.cloud
    return {"cloud": cloud, "view": place.view, "scope": place.scope, "filter": place.filter,
             "at": screen.frame().now.isoformat(timespec="seconds")}  # fmt: skip


def _write(screen: MainScreen, form: str, text: str, rows: int | None) -> None:
    folder = screen.export_folder
    stem = f"stratodeck-{screen.place.view}-{screen.wall_now():%Y%m%d-%H%M%S}"
    try:
        path = write_new(folder, stem, form, text)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        screen.say(f"nothing was exported: {why}: {sanitise(str(error.filename or folder))}", Tone.CRIT)
    else:
        counted = "" if rows is None else f"{rows:,} rows to "
        # Its name first: of a long sentence, the end is cut.
        screen.say(f"exported {counted}{path.name} in {sanitise(str(folder))}", Tone.ACCENT, is_verbatim=True)


def write_new(folder: Path, stem: str, form: str, text: str) -> Path:
    """Write a file that was not there; a name that is taken gets a number."""
    for number in range(1, FILES_MAX + 1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}.{form}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)
        except OSError:
            # Half an export is worse than none.
            path.unlink(missing_ok=True)
            raise
        return path
    raise FileExistsError(17, "a hundred files of this second are there already", str(folder))
