"""Finding without hiding: `\\`, `n` and `N` go to the next row or line that matches, and all others stay in sight.

In a list the text is a filter, with all that a filter may say; on a page it is what a line holds.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from console.presentation import filtering
from console.presentation.columns import Table
from console.presentation.lines import Tone

if TYPE_CHECKING:
    from typing import Any

    from console.screens.main import MainScreen


def begin(screen: MainScreen) -> None:
    """Ask what to find."""
    screen.begin_prompt("\\", screen.sought)


def find(screen: MainScreen, text: str) -> None:
    """Go to the next row or line that holds it."""
    screen.sought = text
    again(screen, 1)


def alike(screen: MainScreen) -> None:
    """Leave only the rows that hold what the row under the cursor holds in the column that the list is sorted by."""
    table, key = screen.view.table, screen.cursor_key
    row = None if table is None else next((each for each in table.rows if table.key_of(each) == key), None)
    if table is None or row is None:
        screen.say("nothing is under the cursor", Tone.MUTED)
        return
    order = screen.place.sort or next(iter(screen.view.orders), "")
    column = next((each for each in table.columns if each.name == order), table.columns[0])
    term = filtering.term_of(column, row)
    if term is None:
        why = (
            f"nobody knows its {column.name} now"
            if column.value(row) is None
            else f"no two rows share their {column.name}"
        )
        screen.say(f"{why}: s or c sorts by another column", Tone.MUTED)
        return
    words = screen.place.filter.split()
    text = " ".join([*words, *(word for word in term.split() if word not in words)])
    screen.change(filter=text)
    screen.sought = text


def again(screen: MainScreen, step: int) -> None:
    """Go to the next or the previous one, from the end on to the beginning."""
    if not screen.sought:
        screen.say("nothing is looked for yet: \\ says what, and so does a filter", Tone.MUTED)
        return
    if screen.view.table is None:
        _on_page(screen, step)
        return
    table = screen.view.table
    query = filtering.parse(screen.sought, table.columns)
    if query.problem:
        screen.say(query.problem, Tone.WARN)
        return
    matched = set(map(id, filtering.matching(table.rows, query, table.columns)))
    place = _next(table, screen.cursor_key, step, matched)
    if place is None:
        screen.say(f"no row matches {screen.sought}", Tone.WARN)
        return
    screen.show_at(table.key_of(table.rows[place]))
    number = sum(id(row) in matched for row in table.rows[: place + 1])
    screen.say(f"{number:,} of {len(matched):,} that match {screen.sought}   n next   N previous")


def _next(table: Table[Any], here: str | None, step: int, matched: set[int]) -> int | None:
    """Where the next row that matched is."""
    rows, total = table.rows, len(table.rows)
    at = next((place for place, row in enumerate(rows) if table.key_of(row) == here), -1 if step > 0 else total)
    if step > 0:
        places = chain(range(at + 1, total), range(min(at + 1, total)))
    else:
        places = chain(range(at - 1, -1, -1), range(total - 1, max(at - 1, -1), -1))
    return next((place for place in places if id(rows[place]) in matched), None)


def _on_page(screen: MainScreen, step: int) -> None:
    found = screen.body.find_line(screen.sought, step)
    if found is None:
        screen.say(f"no line holds {screen.sought}", Tone.WARN)
    else:
        screen.say(f"{found[0]:,} of {found[1]:,} lines that hold {screen.sought}   n next   N previous")
