"""What was told of money stays as it is: ticks are closed, and what becomes known of them later is corrected.

Whoever is told anything about money is told of the ticks that are over: those in which nothing that falls due is still
to be done in a cell that answers. Telling closes them. Their rows and their burst levels never change any more.

A cell that does not answer is billed by what was last known of it (see `metering`). When it tells what really was, the
ticks that are closed stay as they were told, and each account has a *correction* for each resource: a row of its own,
of the instant at which the truth became known, of what the rows would have come to less what they came to, at the
levels that were told. What is still to be told then follows the truth. So the balance is what the truth costs, as far
as it is known, and no row that was read is ever another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from backend.cloud import billing
from backend.cloud.billing import Correction, Series, tick_of
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import CLOUD
from backend.cloud.model import ReachabilityState
from backend.cloud.prices import TICK
from backend.cloud.subscriptions import covered
from backend.operations import Cloud, burst_levels
from backend.operations.metering import caught_up
from backend.store import CloudTransaction


@dataclass(frozen=True, slots=True)
class Silent:
    """A cell that does not answer: it is billed by what was last known of it."""

    cell: str
    since: datetime
    """Wall time."""


def silent_cells(cloud: Cloud) -> list[Silent]:
    """By name."""
    found = ((cell, cloud.store.reachability(cell)) for cell in sorted(cloud.store.cell_names))
    return [Silent(cell, each.since) for cell, each in found if each.state is not ReachabilityState.UP]


@asynccontextmanager
async def told(cloud: Cloud) -> AsyncIterator[None]:
    """With all taken that the cells that answer have to tell, and all ticks closed that are over."""
    async with caught_up(cloud):
        accounting = cloud.accounting
        end = max(accounting.closed, _over_until(cloud))
        if end > accounting.closed or not accounting.is_settled:
            await _close(cloud, end)
        yield


def _over_until(cloud: Cloud) -> int:
    """The tick before which everything has happened in the cells that answer."""
    now = cloud.clock.now()
    for cell, due in cloud.next_due.items():
        is_cell = cell in cloud.store.cell_names
        if due is not None and is_cell and cloud.store.reachability(cell).state is ReachabilityState.UP:
            now = min(now, due)
    return tick_of(microseconds_of(now))


async def _close(cloud: Cloud, end: int) -> None:
    """Close the ticks before `end`, with a correction for what has become known of those that were closed already."""
    accounting, store = cloud.accounting, cloud.store
    at, closed = microseconds_of(cloud.clock.now()), accounting.closed
    fresh = await store.cloud_read(lambda tx: tx.fresh())
    if not fresh and end == closed:
        accounting.is_settled = True
        return
    found = [
        (account, each)
        for account in sorted({account for account, _ in fresh if account != CLOUD})
        for each in await _corrections(
            cloud, account, {name: since for (of, name), since in fresh.items() if of == account}, at
        )
    ]

    def write(tx: CloudTransaction) -> None:
        for account, each in found:
            tx.add_correction(account, each)
        if fresh:
            tx.settle()
        tx.close_ticks(end)

    before = store.revision
    try:
        await store.cloud_write(write)
    except BaseException:
        # Whoever asked has gone, perhaps: whether it was written is not known.
        accounting.forget()
        raise
    accounting.closed, accounting.is_settled = end, True
    if accounting.complete_at == before and store.revision == before + 1:
        # That was this: nothing else has happened.
        accounting.complete_at = store.revision


async def _corrections(cloud: Cloud, account: str, since: Mapping[str, int], at: int) -> list[Correction]:
    """Of one account, of the ticks that are closed; `since` by resource when what has become known begins."""
    end = cloud.accounting.closed
    levels = await burst_levels.until(cloud, end)
    first = tick_of(min(since.values()))

    def read(tx: CloudTransaction) -> tuple[dict[str, tuple[Series, Series]], Mapping[str, Series]]:
        booked, settled, fresh = (
            tx.in_use(account, first * TICK, end * TICK, resources=list(since), layer=layer)
            for layer in ("booked", "settled", "fresh")
        )
        found: dict[str, tuple[Series, Series]] = {}
        for name in since:
            before = [billing.of_resource(booked, name), billing.of_resource(settled, name)]
            found[name] = (billing.summed(before), billing.summed([*before, billing.of_resource(fresh, name)]))
        return found, covered(tx.subscriptions(account), at)

    known, subscribed = await cloud.store.cloud_read(read)
    found = (
        billing.correction(
            name, known[name], subscribed.get(name, ()), billing.levels_for(name, levels), first=first, end=end, at=at
        )
        for name in since
    )
    return [each for each in found if each is not None]
