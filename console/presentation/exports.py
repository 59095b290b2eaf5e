"""What a list shows, for other programs: every column of every row that its filter leaves, exact and with its unit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from console.presentation.columns import Table, Value
from console.sanitising import sanitise

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
LAST_KNOWN = "is_last_known"
"""The column that says of a row that nobody confirms it now."""


def as_csv(table: Table[Any]) -> str:
    """A head and a line a row. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*(column.export_name for column in table.columns), LAST_KNOWN])
    for row in table.rows:
        values = [_cell(column.known_last(row)) for column in table.columns]
        writer.writerow([*values, "" if table.is_known(row) else "true"])
    return written.getvalue()


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case str():
            text = sanitise(value)
            return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text
        case _:
            return _number(value)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def as_json(table: Table[Any], about: Mapping[str, Any]) -> str:
    """An object with what the rows are about, and the rows with the names of the columns."""
    rows = [
        {
            **{column.export_name: _plain(column.known_last(row)) for column in table.columns},
            LAST_KNOWN: not table.is_known(row),
        }
        for row in table.rows
    ]
    return json.dumps({**about, "rows": rows}, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return sanitise(value)
    return int(value) if value is not None and value == int(value) else value
