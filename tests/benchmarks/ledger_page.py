"""A page of 20 rows from anywhere in the ledger of a year of 1,000 servers that each start and stop every day.

No row of it is stored: a page is worked out from what was in use around it. The rival is the same of a month: what came
before should cost nothing. Both in wall time, and in the steps of SQLite's machine, which no other load disturbs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backend.operations import billing
from tests.backend.billed_year import PAGE_ROWS, live_through, places, steps_of_pages
from tests.backend.support import OPERATOR, Harness, make_folder, opened
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, temporary_folder

MONTH = "of a month"

FIGURES = {
    "page": Figure(
        "20 rows anywhere in a year of 1,000 servers' ledger",
        "ms",
        Budget(ratio_at_most=1.5),
        (MONTH,),
        is_in_table=True,
    ),
    "steps": Figure("the same, in tens of steps of SQLite", "steps", Budget(ratio_at_most=1.2), (MONTH,)),
}


def run(scale: Scale) -> Iterator[Measured]:
    with temporary_folder() as folder:
        rows, times, steps = asyncio.run(_measure(folder, scale))
    for key, (year, month) in (("page", times), ("steps", steps)):
        measured = of_rounds(key, year, {MONTH: month})
        yield replace(measured, facts={**measured.facts, "rows": rows})


async def _measure(folder: Path, scale: Scale) -> tuple[int, list[list[float]], list[list[float]]]:
    """The rows of the year; milliseconds and steps of pages, of the year and of the month."""
    sides = {"year": scale.of(365, 4), "month": scale.of(30, 2)}
    for name in sides:
        make_folder(folder / name, cells=("cell-1",))
    async with opened(folder / "year") as year, opened(folder / "month") as month:
        totals = []
        for on, days in zip((year, month), sides.values(), strict=True):
            totals.append(await live_through(on, servers_count=scale.of(1000, 20), days=days, portion=20_000))
        times: list[list[float]] = [[], []]
        steps: list[list[float]] = [[], []]
        for _ in range(scale.of(9, 1)):
            for side, on in enumerate((year, month)):
                times[side].append(await _page_ms(on, totals[side]))
        for side, on in enumerate((year, month)):
            steps[side] += await steps_of_pages(on, totals[side])
    return totals[0], times, steps


async def _page_ms(on: Harness, total: int) -> float:
    """The slowest of pages all over the ledger."""
    worst = 0.0
    for offset in places(total):
        began = time.perf_counter()
        page = await billing.ledger(on.cloud, OPERATOR, limit=PAGE_ROWS, offset=offset)
        worst = max(worst, 1000 * (time.perf_counter() - began))
        assert len(page.rows) == PAGE_ROWS
    return worst
