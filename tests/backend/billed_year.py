"""A long time of many servers as their cells would have told it, and what SQLite does for a page of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from backend.cloud.instants import microseconds_of
from backend.cloud.metering import Happened
from backend.cloud.model import GIB
from backend.cloud.prices import TICK
from backend.operations import billing, metering
from backend.store import CloudTransaction
from tests.backend.support import OPERATOR, Harness
from tests.builders import NOON

DAY = 288 * TICK
PAGE_ROWS = 20


def a_history(servers_count: int, days: int) -> Iterator[list[Happened]]:
    """Each server is started and stopped again each day, at its own time of the day; portion by portion."""
    made_at = microseconds_of(NOON)
    told = []
    for number in range(servers_count):
        after = {"owner": OPERATOR, "state": "stopped", "cpu_mhz": 2000, "memory_bytes": GIB, "is_backfilling": False}
        told.append(Happened(made_at, "server.created", "server", f"s{number}", after))
    yield told
    for day in range(days):
        told = []
        for number in range(servers_count):
            at = made_at + day * DAY + number * DAY // servers_count
            on = {"state": "running", "cpu_mhz_effective": 2000, "memory_bytes_effective": GIB}
            off = {"state": "stopped", "cpu_mhz_effective": None, "memory_bytes_effective": None}
            told.append(Happened(at, "server.running", "server", f"s{number}", on))
            told.append(Happened(at + DAY // 3, "server.stopped", "server", f"s{number}", off))
        yield sorted(told, key=lambda each: each.at)


def take_next(tx: CloudTransaction, part: list[Happened]) -> None:
    """As if the cell had told so much more; its own events are behind what was taken by far."""
    after = tx.metered().get("cell-1", 0)
    assert metering.take_in(tx, file="cell-1", events=part, after=after, last=10**9 + after) is not None


async def live_through(on: Harness, *, servers_count: int, days: int, portion: int) -> int:
    """Take it all, and let the time pass; how many rows the ledger has then."""
    for told in a_history(servers_count, days):
        for start in range(0, len(told), portion):
            await on.cloud.store.cloud_write(partial(take_next, part=told[start : start + portion]))
    on.clock.move_to(NOON + timedelta(days=days))
    return (await billing.ledger(on.cloud, OPERATOR, limit=1)).total


def places(total: int) -> tuple[int, ...]:
    """Offsets of pages, from the newest to the oldest."""
    return (0, total // 4, total // 2, 3 * total // 4, total - PAGE_ROWS - 1)


async def steps_of_pages(on: Harness, total: int) -> list[int]:
    """How many tens of steps SQLite takes for each page."""
    store = on.cloud.store
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    await store.cloud_read(lambda tx: tx._connection.set_progress_handler(count, 10))
    costs = []
    for offset in places(total):
        steps = 0
        page = await billing.ledger(on.cloud, OPERATOR, limit=PAGE_ROWS, offset=offset)
        assert len(page.rows) == PAGE_ROWS
        costs.append(steps)
    await store.cloud_read(lambda tx: tx._connection.set_progress_handler(None, 10))
    return costs
