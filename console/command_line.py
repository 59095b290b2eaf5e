"""The line after `:`: what it may say, what it asks for, and how it is completed. Pure: who obeys it is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from console.commands import VIEWS
from console.names import PALETTES


class GoTo(NamedTuple):
    """Show a view, perhaps of one cell or group, perhaps filtered."""

    view: str
    scope: str | None = None
    filter: str = ""


class OpenNamed(NamedTuple):
    """Show one object by its name."""

    kind: str
    """`host` or `drive`."""
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


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the console."""


class Problem(NamedTuple):
    """The line cannot be understood; the sentence says why."""

    sentence: str


Request = GoTo | OpenNamed | Run | SetClock | Advance | SetPalette | Leave | Problem

LINE_WORDS: tuple[str, ...] = (
    *VIEWS[1:],
    VIEWS[0],
    "cell",
    "host",
    "drive",
    "group",
    "advance",
    "clock",
    "palette",
    "refresh",
    "freeze",
    "help",
    "quit",
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RUN_WORDS = {"refresh": "refresh", "freeze": "freeze", "help": "help"}


def parse_line(text: str) -> Request:
    """Read what was typed after `:`. A view may be followed by `/filter`; any unique beginning of a word will do."""
    head, slash, filter_text = text.strip().partition("/")
    words = head.split()
    if not words:
        return GoTo(VIEWS[1], None, filter_text) if slash else Problem("type a view, such as servers")
    match words[0]:
        case "q" | "q!" | "quit" | "exit":
            return Leave()
        case "s":
            name: str | None = "servers"
        case word:
            name = _whole_word(word)
    rest = words[1:]
    if name is None:
        return Problem(f"no command or view is called {words[0]}")
    if name in ("host", "drive"):
        # A name may hold spaces and slashes: all that follows the word is meant.
        whole = text.strip().partition(" ")[2].strip()
        return OpenNamed(name, whole) if whole else GoTo(f"{name}s", None, filter_text)
    if name == "calendar" and rest and not rest[0].startswith("/"):
        # The name of a zone has a slash in it.
        return GoTo(name, text.split()[1], text.partition(" /")[2])
    if name in ("backups", "storage"):
        # No name that one would type narrows them, but every word of a filter does.
        return GoTo(name, None, " ".join([*rest, filter_text]).strip())
    if name in VIEWS:
        return GoTo(name, rest[0] if rest else None, filter_text)
    if name in _RUN_WORDS:
        return Run(_RUN_WORDS[name])
    return _parse_argument(name, rest, filter_text)


def _parse_argument(name: str, rest: Sequence[str], filter_text: str) -> Request:
    argument = rest[0] if rest else ""
    match name:
        case "cell":
            return GoTo("servers", argument, filter_text) if argument else GoTo("cells", None, filter_text)
        case "group":
            return GoTo("groups", argument or None, filter_text)
        case "advance":
            seconds = _parse_seconds(argument or "60")
            return Problem("advance takes seconds, such as 60, 5m or 2h") if seconds is None else Advance(seconds)
        case "clock":
            return _parse_clock(argument)
        case "palette":
            return SetPalette(argument) if argument in PALETTES else Problem(f"palettes: {', '.join(PALETTES)}")
        case _:
            return Leave()


def _parse_seconds(text: str) -> int | None:
    digits, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 8:
        return None
    return int(digits) * _SECONDS[unit] or None


def _parse_clock(argument: str) -> Request:
    if argument in ("manual", "wall"):
        return SetClock(argument)
    digits = argument.removeprefix("x")
    try:
        rate = float(digits)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 100_000:
        return Problem("clock takes manual, wall, or a rate such as x60")
    return SetClock("rate", rate)


def _whole_word(beginning: str) -> str | None:
    """The word that is meant: itself, or the first in the order of LINE_WORDS that begins so."""
    if beginning in LINE_WORDS:
        return beginning
    return next((word for word in LINE_WORDS if word.startswith(beginning)), None)


def complete_line(text: str, names: Mapping[str, Iterable[str]]) -> str | None:
    """`text` completed, for the ghost behind the cursor; None when nothing fits.

    `names` are what may follow a word, such as {"cell": cell names}. The answer begins with `text`.
    """
    if not text or (text[-1] == " " and text.strip() not in names):
        return None
    first, space, rest = text.partition(" ")
    if not space:
        return next((word for word in LINE_WORDS if word.startswith(first) and word != first), None)
    options = names.get(_whole_word(first) or "", ())
    found = next((name for name in options if name.startswith(rest) and name != rest), None)
    return None if found is None else f"{first} {found}"
