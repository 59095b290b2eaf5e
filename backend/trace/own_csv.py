"""A workload of one's own, as a CSV file with the columns of the first known trace.

    arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch
    0,300,8,14,1
    0,,1,0.75,2

The first line names the columns, in this order. Seconds count from the beginning; an empty lifetime outlives the trace.
Arrivals must not go back in time: a file that is not sorted is refused rather than read otherwise than it was written.

A file that is wrong gets one sentence: the file, the line, the column, what was found and what was expected. It is read
whole before anything is made, and as a stream, so that it may be long.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from backend.cloud.model import GIB, SMALLEST_SERVER, VCPU_MHZ, Size
from backend.quoting import shown
from backend.trace.azure_2017 import COLUMNS
from backend.trace.workload import Arrival, Trace, TraceProblem

KIND = "csv"
SECONDS_MAX = 10 * 366 * 86_400
"""Ten years: instants of the cloud must stay ones that a calendar has."""
VCPUS_MAX = 10_000
MEMORY_GIB_MAX = 1_000_000
MEMORY_GIB_MIN = SMALLEST_SERVER.memory_bytes / GIB

_INTEGER = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


def load(path: Path) -> Trace:
    """The trace that this file holds. Reads all of it. Raises TraceProblem."""
    last = None
    for arrival in arrivals(path):
        last = arrival
    if last is None:
        raise TraceProblem(f"{path} has no rows, expected at least one server.")
    hours = last.at_seconds // 3600 + 1
    return Trace(str(path), KIND, hours, hours, partial(arrivals, path))


def arrivals(path: Path, hours: float | None = None) -> Iterator[Arrival]:
    """The servers of the first hours, of all without. Raises TraceProblem where the file goes wrong."""
    try:
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "not a regular file"
            raise TraceProblem(f"{path} is {found}, expected a CSV file.")
        # With its byte order mark, if a spreadsheet gave it one. What is not UTF-8 is found wrong in its column.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            rows = csv.reader(text, strict=True)
            try:
                _check_head(path, next(rows, []))
                before = number = 0
                for row in rows:
                    if not row:
                        continue
                    arrival = _Row(path, rows.line_num, row).arrival(number, no_earlier_than=before)
                    if hours is not None and arrival.at_seconds >= hours * 3600:
                        return
                    yield arrival
                    before, number = arrival.at_seconds, number + 1
            except csv.Error as error:
                raise TraceProblem(f"{path}: line {rows.line_num} is not CSV: {error}.") from error
    except FileNotFoundError:
        raise TraceProblem(f"There is no file {path}.") from None
    except OSError as error:
        raise TraceProblem(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error


def _check_head(path: Path, head: list[str]) -> None:
    if head != list(COLUMNS):
        raise TraceProblem(f"{path}: line 1 is {shown(','.join(head))}, expected {','.join(COLUMNS)}.")


class _Row:
    """One row of the file, whose checks name the column."""

    def __init__(self, path: Path, line: int, row: list[str]) -> None:
        self._where = f"{path}: line {line}"
        if len(row) != len(COLUMNS):
            raise TraceProblem(f"{self._where} has {len(row)} columns, expected {len(COLUMNS)}: {', '.join(COLUMNS)}.")
        self._values = dict(zip(COLUMNS, (value.strip() for value in row), strict=True))

    def arrival(self, number: int, *, no_earlier_than: int) -> Arrival:
        at_seconds = self._integer("arrival_seconds", 0, SECONDS_MAX)
        if at_seconds < no_earlier_than:
            raise self._wrong("arrival_seconds", f"at least {no_earlier_than}, as in the row before: sort the rows")
        has_end = self._values["lifetime_seconds"] != ""
        vcpus = self._integer("vcpus", 1, VCPUS_MAX)
        return Arrival(
            number=number,
            at_seconds=at_seconds,
            lifetime_seconds=self._integer("lifetime_seconds", 0, SECONDS_MAX, "or nothing") if has_end else None,
            vcpus=vcpus,
            size=Size(vcpus * VCPU_MHZ, self._memory_bytes()),
            tenant_batch=self._integer("tenant_batch", 0, 10**18 - 1),
        )

    def _integer(self, column: str, low: int, high: int, also: str = "") -> int:
        text = self._values[column]
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise self._wrong(column, f"an integer from {low} to {high}" + (f", {also}" if also else ""))
        return int(text)

    def _memory_bytes(self) -> int:
        text = self._values["memory_gib"]
        if not _DECIMAL.fullmatch(text) or not MEMORY_GIB_MIN <= float(text) <= MEMORY_GIB_MAX:
            raise self._wrong("memory_gib", f"a number from {MEMORY_GIB_MIN} to {MEMORY_GIB_MAX}, such as 0.75")
        return int(float(text) * GIB)

    def _wrong(self, column: str, expected: str) -> TraceProblem:
        return TraceProblem(f"{self._where}, {column} is {shown(self._values[column])}, expected {expected}.")
