"""What the rows of a list are as values: each view names its columns once, in a table of `Column`.

The filter, `:sort`, the choice of columns, exports and completion are all made from that table, so none of them can
know a column that another one does not. A column tells what is known *now*: None is what nobody knows, or nobody knows
any more, and no comparison holds for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

Value = str | float | None


class Kind(StrEnum):
    """What the values of a column are: texts, or numbers in the unit that is named here."""

    TEXT = "text"
    SENTENCE = "sentence"
    """Long enough that some letters stand in some order in most of them: it is searched as it stands."""
    WORD = "word"
    """One of a few words, such as a state: its beginning is enough."""
    ID = "id"
    CPU = "MHz"
    BYTES = "bytes"
    SECONDS = "seconds"
    SHARE = "share"
    COUNT = "count"


NUMBERS = frozenset({Kind.CPU, Kind.BYTES, Kind.SECONDS, Kind.SHARE, Kind.COUNT})

EXAMPLES: Mapping[Kind, str] = {
    Kind.CPU: "4000, 4000mhz or 4ghz",
    Kind.BYTES: "8g, 512m or 2t",
    Kind.SECONDS: "90s, 5m, 1h30m or 2d",
    Kind.SHARE: "0.5 or 50%",
    Kind.COUNT: "3",
}


class Column(NamedTuple, Generic[T]):
    """One column of a list. `name` is what is typed; any beginning of it will do where no other column has it."""

    name: str
    value: Callable[[T], Value]
    """What is known now."""
    kind: Kind = Kind.TEXT
    head: str = ""
    """What stands above it where it was chosen; its name in capitals where this is empty."""
    width: int = 10
    width_min: int = 0
    """As narrow as it may become where more is chosen than fits; 0 where it may not."""
    is_searched: bool = False
    """Whether words without a column look here."""
    is_lasting: bool = False
    """Whether it stays true of a row whose cell does not answer."""
    last: Callable[[T], Value] | None = None
    """What was known last, where that is more than `value` tells."""
    words: tuple[str, ...] = ()
    """The words that completion offers."""
    shown: Mapping[str, str] = {}
    """What the screen calls a value in one word, where it calls it otherwise: this word, and the value."""
    draw: Callable[[T], Any] | None = None
    """Its spans, where there is more to see than a text or a number."""
    distinct: Collection[str] | None = None
    """Every text that it holds in any row, where somebody knows without looking at all of them."""

    @property
    def title(self) -> str:
        """The words above it."""
        return self.head or self.name.upper()

    @property
    def export_name(self) -> str:
        """Its name with the unit of its values: `cpu_mhz`."""
        name = self.name.replace("-", "_")
        return f"{name}_{self.kind.value.lower()}" if self.kind in {Kind.CPU, Kind.BYTES, Kind.SECONDS} else name

    def known_last(self, row: T) -> Value:
        """What is known now, or else what was known last."""
        return self.value(row) if self.last is None else self.last(row)


class Table(NamedTuple, Generic[T]):
    """The rows that a list shows, as values."""

    columns: tuple[Column[T], ...]
    rows: Sequence[T]
    key_of: Callable[[T], str]
    is_known: Callable[[T], bool] = lambda _row: True
    """False of a row that is only last known."""


def find(columns: Sequence[Column[T]], name: str) -> Column[T] | None:
    """The column that a name, or the beginning of one, means: the first of those that begin so.

    What stands above a column is a name for it too: `gib` is the memory of a list with a head `GiB`.
    """
    name = name.casefold().replace("_", "-")
    exact = next((column for column in columns if column.name == name), None)
    headed = next((column for column in columns if name and column.head.casefold() == name), None)
    return exact or headed or next((column for column in columns if name and column.name.startswith(name)), None)


# Numbers as they are typed ---------------------------------------------------------------------------------------

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-z%]*)")
_CPU = {"": 1.0, "mhz": 1.0, "m": 1.0, "ghz": 1000.0, "g": 1000.0}
_BYTES = {"b": 1.0, **{f"{letter}{tail}": 1024.0**power
          for power, letter in enumerate("kmgtp", 1) for tail in ("", "b", "ib")}}  # fmt: skip
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SHARE = {"": 1.0, "%": 0.01}
GHZ_BELOW = 250
"""No server is smaller than this many MHz, so a smaller bare number is GHz, which is what the screen shows."""


def parse_number(text: str, kind: Kind) -> float | None:
    """A number with its unit in the unit of the kind; None where it is none.

    A bare CPU size below 250 is in GHz and a bare memory size in GiB, as the screen writes both.
    """
    found = [(float(match[1]), match[2]) for match in _NUMBER.finditer(text.casefold())]
    if not found or "".join(match[0] for match in _NUMBER.finditer(text.casefold())) != text.casefold():
        return None
    if kind is Kind.SECONDS:
        return _sum(found, _SECONDS)
    if len(found) != 1:
        return None
    number, unit = found[0]
    match kind:
        case Kind.CPU if not unit and number < GHZ_BELOW:
            return number * 1000
        case Kind.CPU:
            return _times(number, _CPU.get(unit))
        case Kind.BYTES:
            return _times(number, _BYTES.get(unit or "g"))
        case Kind.SHARE:
            return _times(number, _SHARE.get(unit))
        case _:
            return None if unit else number


def _times(number: float, unit: float | None) -> float | None:
    return None if unit is None else number * unit


def _sum(found: Sequence[tuple[float, str]], units: Mapping[str, float]) -> float | None:
    if any(unit not in units for _, unit in found) or (len(found) > 1 and any(not unit for _, unit in found)):
        return None
    return sum(number * units[unit] for number, unit in found)
