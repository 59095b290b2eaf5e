"""What is printed of figures: lines for a terminal, and the tables of MEASURED.md."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import fsync_seconds

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
RIVALS_BEGIN, RIVALS_END = "<!-- rivals: begin -->", "<!-- rivals: end -->"

Row = Mapping[str, Any]
"""A figure as JSON."""


def machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on, and nothing that would tell one machine of its kind from another."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "textual": version("textual"),
        "fsync_ms": round(1000 * statistics.median(fsync_seconds(folder)), 3),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine_sentence(found: Row) -> str:
    return (
        f"{found['cores']} cores of {found['cpu']}, Python {found['python']}, SQLite {found['sqlite']}, "
        f"Textual {found['textual']}, {found['fsync_ms']:g} ms for an fsync"
    )


def number(value: float) -> str:
    """Two or three digits that count, and no more noise than that."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or not value else f"{value:.2g}"


def lines(row: Row) -> Iterator[str]:
    """One figure, in as many lines as it has sides."""
    unit = row["unit"]
    yield f"  {row['what']}"
    yield _side("ours", row["ours"], unit)
    for rival in row["rivals"]:
        ratio = "" if rival["ratio"] is None else f"   ours is {number(rival['ratio'])}x"
        yield _side(rival["name"], rival, unit) + ratio
    if row["facts"]:
        yield "      " + ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in row["facts"].items())
    yield (
        f"      budget: {row['budget']}: {verdict(row)}"
        if row["budget"]
        else f"      no budget: {row['why_no_budget']}"
    )


def _side(name: str, spread: Row, unit: str) -> str:
    middle = f"({number(spread['low'])} to {number(spread['high'])} in {spread['rounds']} rounds)"
    return f"    {name:<28}{number(spread['median']):>9} {unit:<6} {middle}"


def _fact(value: object) -> str:
    return number(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def verdict(row: Row) -> str:
    return {True: "met", False: "NOT met", None: "no budget"}[row["is_met"]]


# ------------------------------------------------------------------------------------------------------ the tables


def table(rows: Sequence[Row]) -> str:
    """The figures that are for the table, with the day and the machine."""
    first = rows[0]
    found = [
        f"Measured on {first['date']}: {machine_sentence(first['machine'])}.",
        "Medians; each pair in one interleaved run.",
        "",
        "| what | ours | against | ratio | budget | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["is_in_table"]:
            found.append(_table_row(row))
    return "\n".join(found)


def _table_row(row: Row) -> str:
    against, ratio = "", ""
    if row["rivals"]:
        rival = row["rivals"][0]
        against = f"{rival['name']}: {number(rival['median'])} {row['unit']}"
        ratio = "" if row["ratio"] is None else f"{number(row['ratio'])}x"
    ours = f"{number(row['ours']['median'])} {row['unit']}"
    return f"| {row['what']} | {ours} | {against} | {ratio} | {row['budget'] or ''} | {verdict(row)} |"


RIVALS_COLUMNS = {
    "servers stopped": "servers_stopped",
    "core-h lost": "core_hours_lost_nominal",
    "as they really were": "core_hours_lost_effective",
    "core-h delivered": "core_hours_delivered",
    "normal starts refused": "normal_starts_refused",
    "backfilling starts refused": "backfilling_starts_refused",
    "backfilling servers finished": "backfilling_servers_finished",
}
"""Head and fact."""


def rivals_table(rows: Sequence[Row]) -> str:
    """What each policy costs whom, fleet by fleet; empty where it was not measured."""
    found = [
        f"| hosts | policy | {' | '.join(RIVALS_COLUMNS)} |",
        f"|---|---|{'---:|' * len(RIVALS_COLUMNS)}",
    ]
    for row in rows:
        if row["benchmark"] == "rivals":
            hosts = f"{row['hosts']:,} x {row['cores_per_host']} cores, {row['memory_gib_per_host']} GiB"
            figures = " | ".join(f"{row[fact]:,.0f}" for fact in RIVALS_COLUMNS.values())
            found.append(f"| {hosts} | {row['policy'].replace('_', ' ')} | {figures} |")
    return "\n".join(found) if len(found) > 2 else ""


def with_table(text: str, new: str, markers: tuple[str, str] = (BEGIN, END)) -> str:
    """The text with another table between two markers."""
    before, begin, rest = text.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    assert begin, f"it has lost {markers[0]}"
    assert end, f"it has lost {markers[1]}"
    return f"{before}{begin}\n{new}\n{end}{after}"
