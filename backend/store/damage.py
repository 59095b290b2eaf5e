"""Rows that SQLite can read and that nobody has written so: a file can be corrupt in what its columns hold, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
Of = Callable[[Sequence[Any], str], T]
"""Makes something from a row of a file."""


class DamagedRow(sqlite3.DatabaseError):
    """A row of something that no program has written: its file is corrupt, though SQLite can read it."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def whole(of: Of[T]) -> Of[T]:
    """`of`, which makes something from a row of a file, with a DamagedRow where that cannot be made."""

    @wraps(of)
    def made(row: Sequence[Any], file: str) -> T:
        try:
            return of(row, file)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedRow(f"{file} has a damaged row: {error}") from error

    return made
