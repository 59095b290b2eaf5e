"""One look of the engine at the clock with 100,000 schedules of which 100 are due, each of which begins a backup.

Durable: what is due is read, each cell is asked once a page, and the runs are committed. The rival is the same cloud
with those 100 schedules and no others: what is not due should cost nothing. Wall time, on the disk that TMPDIR names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from backend.cloud.model import Schedule
from backend.store import CloudTransaction
from tests.backend.support import Harness, make_folder, opened
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, fsync_seconds, quantile, temporary_folder
from tests.builders import NOON, a_schedule

ALONE = "with no others"
DUE = 100

FIGURES = {
    "tick": Figure(
        "a tick, 100,000 schedules of which 100 are due", "ms", Budget(ratio_at_most=1.5), (ALONE,), is_in_table=True
    ),
    "idle": Figure("a tick, 100,000 schedules of which none is due", "ms", Budget(at_most=5), (ALONE,)),
}


def run(scale: Scale) -> Iterator[Measured]:
    with temporary_folder() as folder:
        ticks, idle = asyncio.run(_measure(folder, scale))
        fsync_ms = 1000 * quantile(fsync_seconds(folder), 0.5)
    for key, (many, few) in (("tick", ticks), ("idle", idle)):
        measured = of_rounds(key, many, {ALONE: few})
        yield replace(measured, facts={**measured.facts, "fsync_ms": round(fsync_ms, 3)})


async def _measure(folder: Path, scale: Scale) -> tuple[list[list[float]], list[list[float]]]:
    """Milliseconds with all schedules and with the due ones alone: of ticks, and of looks when nothing is due."""
    make_folder(folder / "many", cells=("cell-1",))
    make_folder(folder / "few", cells=("cell-1",))
    due = scale.of(DUE, 5)
    async with opened(folder / "many") as many, opened(folder / "few") as few:
        sides = (many, few)
        await _fill(many, due=due, others=scale.of(100_000, 100) - due)
        await _fill(few, due=due, others=0)
        ticks: list[list[float]] = [[], []]
        idle: list[list[float]] = [[], []]
        for _ in range(scale.of(15, 1) + 1):
            for side, on in enumerate(sides):
                # It is a second past a minute: the copies of that have ended, where nobody measures.
                await on.engine.advance(1)
                idle[side].append(await _looked(on, 58))
                ticks[side].append(await _looked(on, 1))
        return [each[1:] for each in ticks], [each[1:] for each in idle]


async def _looked(on: Harness, seconds: float) -> float:
    """Milliseconds of one look, so many seconds later."""
    on.clock.move_to(on.clock.now() + timedelta(seconds=seconds))
    began = time.perf_counter()
    await on.engine.run_due()
    return 1000 * (time.perf_counter() - began)


async def _fill(on: Harness, *, due: int, others: int) -> None:
    """So many schedules that run every minute, and so many that will not run in this year."""
    ids = [(await on.server(f"s{number}", vcpus=1, gib=1)).id for number in range(due)]

    def add(tx: CloudTransaction) -> None:
        for number in range(due + others):
            tx.add_schedule(_schedule(number, ids[number % due], is_due=number < due), at=NOON, actor="operator")

    await on.cloud.store.cloud_write(add)


def _schedule(number: int, server_id: str, *, is_due: bool) -> Schedule:
    cron = "* * * * *" if is_due else f"{number % 60} {number % 24} {number % 28 + 1} 6 *"
    more: dict[str, Any] = {"source_id": server_id, "project_id": "inside", "backups_max": 1}
    return a_schedule(f"schedule-{number}", cron, created_at=NOON, **more)
