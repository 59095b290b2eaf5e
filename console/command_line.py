"""The line after `:`: what it may say, what it asks for, and how it is completed. Pure: who obeys it is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from console.commands import VIEWS
from console.names import ALL_CLOUDS, PALETTES
from console.presentation.columns import NUMBERS, Column
from console.presentation.columns import find as find_column


class GoTo(NamedTuple):
    """Show a view, perhaps of one cell or group, perhaps filtered."""

    view: str
    scope: str | None = None
    filter: str = ""


class OpenNamed(NamedTuple):
    """Show one object by its name."""

    kind: str
    """`server`, `host`, `drive` or `account`."""
    name: str


class Run(NamedTuple):
    """Run a command of the registry."""

    command_id: str


class SetClock(NamedTuple):
    """Set the simulated clock's mode; `rate` only with the mode "rate"."""

    mode: str
    rate: float | None = None


class Advance(NamedTuple):
    """Advance a clock that is not the wall's by whole seconds."""

    seconds: int


class SetPalette(NamedTuple):
    """Choose a set of colours."""

    name: str


class Rehearse(NamedTuple):
    """Run a scenario on a cloud of its own, and watch."""

    name: str
    """Of a file, or of one that comes with the product."""
    rate: float = 60.0
    """Simulated seconds in a second."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the console."""


class Problem(NamedTuple):
    """The line cannot be understood; the sentence says why."""

    sentence: str


class ShowCloud(NamedTuple):
    """Go to another cloud."""

    name: str


class Find(NamedTuple):
    """Go to the next row or line that matches."""

    text: str


class Sort(NamedTuple):
    """Sort the list by a column, or the beginning of one's name; empty for its own order."""

    column: str
    is_descending: bool = False


Columns = Sequence[Column[Any]]

Request = (
    GoTo | OpenNamed | Find | Sort | Run | ShowCloud | SetClock | Advance | SetPalette | Rehearse | Leave | Problem
)

LINE_WORDS: tuple[str, ...] = (
    *VIEWS[1:],
    VIEWS[0],
    "cell",
    "host",
    "drive",
    "group",
    "account",
    "cloud",
    "ctx",
    "sort",
    "find",
    "advance",
    "palette",
    "rehearse",
    "refresh",
    "freeze",
    "help",
    "quit",
)
_LIST_OF = {"host": "hosts", "drive": "drives", "account": "billing"}
LISTED_OF_ALL = frozenset({"servers", "drives", "hosts", "cells"})
"""Views that list several clouds in one table."""
_DIRECTIONS = {"up": False, "asc": False, "down": True, "desc": True}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RUN_WORDS = {"refresh": "refresh", "freeze": "freeze", "help": "help"}


def parse_line(text: str) -> Request:
    """Read what was typed after `:`. Any unique beginning of a word will do.

    A view may be followed by what it is narrowed to, `@cell-2` or its bare name, by terms of a filter such as
    `cpu>4000`, and by `/` with the rest of the filter: `servers @cell-2 state=running /web db`.
    """
    head, slash, rest_of_filter = _cut_at_slash(text.strip())
    words = head.split()
    if not words:
        return GoTo(VIEWS[1], None, rest_of_filter) if slash else Problem("type a view, such as servers")
    match words[0]:
        case "q" | "q!" | "quit" | "exit":
            return Leave()
        case "s":
            name: str | None = "servers"
        case word:
            name = "server" if word == "server" and _is_named(words) else _whole_word(word)
    rest = words[1:]
    if name is None:
        return Problem(f"no command or view is called {words[0]}{_meant(words[0])}")
    if name in ("server", "host", "drive", "account", "find"):
        # A name may hold spaces and slashes: all that follows the word is meant.
        whole = text.strip()[len(words[0]) :].strip()
        if name == "find":
            return Find(whole) if whole else Run("find")
        return OpenNamed(name, whole) if whole else GoTo(_LIST_OF[name], None, rest_of_filter)
    if name == "rehearse":
        return _parse_rehearse(text.strip()[len(words[0]) :].strip())
    if name == "calendar" and rest and not rest[0].startswith("/"):
        # The name of a zone has a slash in it.
        return GoTo(name, text.split()[1], text.partition(" /")[2])
    if name in ("backups", "storage"):
        # No name that one would type narrows them, but every word of a filter does.
        return GoTo(name, None, " ".join([*rest, rest_of_filter]).strip())
    if name in VIEWS and not (name == "clock" and rest):
        return _parse_view(name, rest, rest_of_filter)
    if name in _RUN_WORDS:
        return Run(_RUN_WORDS[name])
    return _parse_argument(name, rest, rest_of_filter)


def _meant(word: str) -> str:
    """Which word it may have been meant to be."""
    from difflib import get_close_matches

    close = get_close_matches(word.casefold(), LINE_WORDS, n=1)
    return f"; {close[0]}?" if close else ""


def _cut_at_slash(text: str) -> tuple[str, str, str]:
    """What stands before the slash that begins a word, or is in the first one; that slash, and what follows it."""
    first, _, rest = text.partition(" ")
    if "/" in first:
        before, slash, after = first.partition("/")
        return before, slash, f"{after} {rest}".strip()
    before, slash, after = text.partition(" /")
    return before, slash, after


def _parse_view(name: str, words: Sequence[str], rest_of_filter: str) -> Request:
    """A view with its scope and its filter. The first bare word is the scope, as it is after an at sign."""
    scopes = [word.removeprefix("@") for word in words if word.startswith("@")]
    terms = [word for word in words if not word.startswith("@")]
    if not scopes and terms and is_name(terms[0]):
        scopes.append(terms.pop(0))
    if len(scopes) > 1:
        return Problem(f"{name} is narrowed to one place at a time, not to {' and '.join(scopes)}")
    if ALL_CLOUDS in words:
        if name not in LISTED_OF_ALL:
            return Problem(f"{name} is of one cloud: {ALL_CLOUDS} lists {', '.join(sorted(LISTED_OF_ALL))}")
        return GoTo(name, ALL_CLOUDS, " ".join([*terms, *rest_of_filter.split()]))
    if scopes == [""]:
        return Problem("a name follows the at sign, such as @cell-2")
    return GoTo(name, scopes[0] if scopes else None, " ".join([*terms, *rest_of_filter.split()]))


def is_name(word: str) -> bool:
    """Whether a word after a view may be what that is narrowed to, rather than a term of its filter."""
    return word[0] not in "!'@" and not any(sign in word for sign in ":=<>")


def _parse_argument(name: str, rest: Sequence[str], filter_text: str) -> Request:
    argument = rest[0] if rest else ""
    match name:
        case "cell":
            return GoTo("servers", argument, filter_text) if argument else GoTo("cells", None, filter_text)
        case "cloud" | "ctx":
            return ShowCloud(argument) if argument else Run("clouds")
        case "group":
            return GoTo("groups", argument or None, filter_text)
        case "sort":
            return _parse_sort(rest)
        case "advance":
            seconds = _parse_seconds(argument or "60")
            return Problem("advance takes seconds, such as 60, 5m or 2h") if seconds is None else Advance(seconds)
        case "clock":
            if argument in ("step", "advance"):
                return _parse_argument("advance", rest[1:], filter_text)
            return _parse_clock(argument)
        case "palette":
            return SetPalette(argument) if argument in PALETTES else Problem(f"palettes: {', '.join(PALETTES)}")
        case _:
            return Leave()


def _parse_sort(words: Sequence[str]) -> Request:
    if len(words) > 2 or (len(words) == 2 and words[1] not in _DIRECTIONS):
        return Problem("sort takes a column, and up or down, such as sort cpu down")
    return Sort(words[0] if words else "", len(words) == 2 and _DIRECTIONS[words[1]])


def _parse_seconds(text: str) -> int | None:
    digits, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 8:
        return None
    return int(digits) * _SECONDS[unit] or None


def _parse_rehearse(argument: str) -> Request:
    """A file's name may hold spaces and slashes; a rate may follow it."""
    name, _, last = argument.rpartition(" ")
    if name and last.startswith("x"):
        found = _parse_clock(last)
        return Rehearse(name.strip(), found.rate or 1.0) if isinstance(found, SetClock) else found
    return Rehearse(argument) if argument else GoTo("rehearsal")


def _parse_clock(argument: str) -> Request:
    if argument in ("manual", "stop", "pause"):
        return SetClock("manual")
    if argument == "wall":
        return SetClock("wall")
    digits = argument.removeprefix("x")
    try:
        rate = float(digits)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 100_000:
        return Problem("clock takes stop, wall, a rate such as x60, or step and a time, such as step 5m")
    return SetClock("rate", rate)


def _is_named(words: Sequence[str]) -> bool:
    """Whether a name follows the word, rather than a cell or a filter: `server web-01`, not `server @cell-2`."""
    return len(words) > 1 and is_name(words[1])


def _whole_word(beginning: str) -> str | None:
    """The word that is meant: itself, or the first in the order of LINE_WORDS that begins so."""
    if beginning in LINE_WORDS:
        return beginning
    if beginning == "rehearsal":
        # What it shows is called so.
        return "rehearse"
    return next((word for word in LINE_WORDS if word.startswith(beginning)), None)


def complete_line(
    text: str, names: Mapping[str, Iterable[str]], columns_of: Callable[[str], Columns] = lambda _view: ()
) -> str | None:
    """`text` completed, for the ghost behind the cursor; None when nothing fits. The answer begins with `text`.

    `names` are what may follow a word, such as {"cell": cell names}; `columns_of` tells the columns of a view, and of
    the one in sight for "".
    """
    if not text or (text[-1] == " " and text.strip() not in names):
        return None
    first, space, rest = text.partition(" ")
    if not space:
        return next((word for word in LINE_WORDS if word.startswith(first) and word != first), None)
    name = _whole_word(first) or ""
    options = names.get(first if first == "server" else name, ())
    if name in VIEWS and (" " in rest or not is_begun(rest)):
        done, last = rest.rpartition(" ")[::2]
        done += " " if done else ""
        if last.startswith("/"):
            return None
        if last.startswith("@"):
            found = _first(last[1:], options)
            return None if found is None else f"{first} {done}@{found}"
        ghost = complete_filter(last, columns_of(name)) if last else None
        return None if ghost is None else f"{first} {done}{ghost}"
    if name == "sort":
        options = [column.name for column in columns_of("")]
    found = _first(rest, options)
    if found is None and name in VIEWS:
        found = complete_filter(rest, columns_of(name))
    return None if found is None else f"{first} {found}"


def is_begun(word: str) -> bool:
    """Whether a word may still become a name, so that names complete it before columns do."""
    return not word or is_name(word)


def _first(beginning: str, options: Iterable[str]) -> str | None:
    return next((name for name in options if name.startswith(beginning) and name != beginning), None)


def complete_filter(text: str, columns: Columns) -> str | None:
    """A filter with its last word completed: the name of a column with its sign, or one of the column's words."""
    done, last = text.rpartition(" ")[::2]
    done += " " if done else ""
    bare = last.removeprefix("!")
    before = done + last[: len(last) - len(bare)]
    for sign in (":=", ":", "="):
        name, found, value = bare.partition(sign)
        column = find_column(columns, name) if found else None
        if column is not None:
            word = _first(value.casefold(), column.words or sorted(column.distinct or ())) if value else None
            return None if word is None or value != value.casefold() else f"{before}{name}{sign}{word}"
    if len(bare) < 2 or not is_name(bare):
        return None
    column = next((each for each in columns if each.name.startswith(bare)), None)
    if column is None:
        return None
    return f"{before}{column.name}{'>' if column.kind in NUMBERS else ':'}"
