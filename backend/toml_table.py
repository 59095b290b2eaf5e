"""A TOML file that somebody else wrote: every check names the key in full, what was found there, and what was expected.
What the file is about is known to its readers: `fleet_file`, `rehearsals.scenario`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from backend.quoting import shown

INTEGER_MAX = 2**63 - 1
"""What the store can hold; also of the sum of a fleet."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_WORDS = "at most 64 of A-Z, a-z, 0-9, '.', '_', '-', the first a letter or a digit"


FILE_BYTES_MAX = 64 * 2**20


class Unreadable(Exception):
    """There is no such file, or no TOML in it. `str()` is a sentence."""


class Wrong(Exception):
    """The key, what was found, what was expected: a sentence without its file."""


def read_text(path: Path, *, wanted: str, missing: str) -> str:
    """The text of a file.

    Args:
        wanted: What the file should be, for a sentence: `a TOML file that describes a fleet`.
        missing: The sentence that follows where there is no such file.

    Raises:
        Unreadable.
    """
    try:
        if path.is_dir():
            raise Unreadable(f"{path} is a folder, expected {wanted}.")
        if path.exists() and not path.is_file():
            raise Unreadable(f"{path} is not a regular file, expected {wanted}.")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Unreadable(f"{path} has {path.stat().st_size:,} bytes, expected at most {FILE_BYTES_MAX:,}.")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Unreadable(f"There is no file {path}. {missing}") from None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"{path}: line {line} holds the byte 0x{error.object[error.start]:02x}, expected text in UTF-8."
        ) from error


def parsed(text: str, *, file: str, noun: str) -> dict[str, Any]:
    """What the text says, before anything of it is checked; `noun` is what it should be. Raises Unreadable."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"{file}: this is not TOML: {str(error)[:200]}.") from error
    except ValueError as error:
        raise Unreadable(f"{file}: a number has too many digits, expected one up to {INTEGER_MAX}.") from error
    except RecursionError as error:
        raise Unreadable(f"{file}: arrays or tables are nested too deeply to be {noun}.") from error


def found(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, int | float):
        # Turning an integer of a million digits into text is refused by Python, and would help nobody.
        return "a number far too large" if isinstance(value, int) and value.bit_length() > 128 else str(value)
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "an empty array"
    if isinstance(value, date | time):
        return f"the date or time {value.isoformat()}"
    return "a table"


class Table:
    """One table of the file, and where it stands in it: every check names the key in full."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self._where = where
        self._values = values

    def key(self, key: str) -> str:
        bare = key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else shown(key)
        return f"{self._where}.{bare}" if self._where else bare

    def has(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, expected: str) -> Wrong:
        if key not in self._values:
            return Wrong(f"{self.key(key)} is missing, expected {expected}")
        return Wrong(f"{self.key(key)} is {found(self._values[key])}, expected {expected}")

    def check_keys(self, known: Sequence[str], noun: str) -> None:
        for mistake in self.strange_keys(known, noun):
            raise Wrong(mistake)

    def strange_keys(self, known: Sequence[str], noun: str) -> Iterator[str]:
        """What is wrong with each key that is not known, for readers that go on."""
        for key in self._values:
            if key not in known:
                yield f"{self.key(key)} is not a key of {noun}, expected one of {', '.join(known)}"

    def integer(self, key: str, low: int, high: int, unit: str = "", *, default: int | None = None) -> int:
        value: object = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, f"an integer from {low} to {high}" + (f" ({unit})" if unit else ""))
        return value

    def word(self, key: str, words: Sequence[str], *, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str) or value not in words:
            raise self.wrong(key, " or ".join(f'"{word}"' for word in words))
        return value

    def yes_or_no(self, key: str) -> bool:
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def name(self, key: str = "name") -> str:
        """Of a cell, which is a file's name too, or of a host, which stands in addresses."""
        value = self._values.get(key)
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise self.wrong(key, f"a name: {NAME_WORDS}")
        return value

    def text(self, key: str, length_max: int, forbidden: str, *, default: str | None = None) -> str:
        value = self._values.get(key, default)
        is_good = isinstance(value, str) and 0 < len(value) <= length_max and value.isprintable()
        if not is_good or value != value.strip() or any(each in value for each in forbidden):
            without = " without " + " or ".join({" ": "spaces", ":": "':'"}[each] for each in forbidden)
            raise self.wrong(key, f"a name of 1 to {length_max} printable characters" + (without if forbidden else ""))
        assert isinstance(value, str)
        return value

    def permille(self, key: str, *, default: int) -> int:
        """A share over 0 and at most 1, in thousandths."""
        if key not in self._values:
            return default
        value: Any = self._values[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
        if not is_number or round(value * 1000) < 1 or abs(value * 1000 - round(value * 1000)) > 1e-6:
            raise self.wrong(key, "a number over 0 and at most 1, to the thousandth")
        thousandths: int = round(value * 1000)
        return thousandths

    def tables(self, key: str, *, at_most: int, needs_one: bool) -> list[Table]:
        value = self._values.get(key, [])
        expected = f"{'1' if needs_one else '0'} to {at_most} tables [[{self._form(key)}]]"
        if not isinstance(value, list) or len(value) > at_most or (needs_one and not value):
            raise self.wrong(key, expected)
        for index, each in enumerate(value):
            if not isinstance(each, dict):
                raise Wrong(f"{self.key(key)}[{index}] is {found(each)}, expected a table [[{self._form(key)}]]")
        return [Table(f"{self.key(key)}[{index}]", each) for index, each in enumerate(value)]

    def _form(self, key: str) -> str:
        parent = re.sub(r"\[\d+\]", "", self._where)
        return f"{parent}.{key}" if parent else key

    def once(self, name: str, seen: dict[str, str], *, expected: str, is_a_file: bool = False) -> None:
        """Refuse a name that was given before, as a file's also in another case. `seen` has where, by name."""
        known = name.lower() if is_a_file else name
        if known in seen:
            but = " but for upper and lower case" if is_a_file else ""
            raise Wrong(f"{self.key('name')} is {shown(name)}, as is {seen[known]}.name{but}, expected {expected}")
        seen[known] = self._where
