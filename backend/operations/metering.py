"""Taking what happened in the cells into account: each event once, in the transaction that says up to which.

What is billed follows from the events of the cells, which are written anyway: no operation writes anything for it. This
reads on from where it was, a cell at a time, makes intervals of what it finds, and writes them to cloud.db together
with how far it has come. So a crash between two writes loses nothing and counts nothing twice, and a cell that does not
answer is simply not read: what was last known of its servers goes on, and when it returns, what it had still to tell is
taken at the instants at which it happened, before it or during it.

It runs before anything about money is answered, and now and then besides, so that little is left to do then and little
is missing while a cell is silent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from backend.cloud.errors import CloudError, Unreachable
from backend.cloud.metering import Happened, Interval, changed, followed
from backend.operations import Cloud
from backend.operations.accounting import Accounting
from backend.store import CellTransaction, CloudTransaction

EVENTS_AT_ONCE = 2_000
"""So that nobody waits long for cloud.db because of this."""
SECONDS_BETWEEN = 5.0
"""In real time, without anybody asking."""


@asynccontextmanager
async def caught_up(cloud: Cloud) -> AsyncIterator[None]:
    """With all taken that the cells that answer have to tell; nothing else is taken until the block ends."""
    accounting = cloud.accounting
    async with accounting.lock:
        while accounting.complete_at != (revision := cloud.store.revision):
            most = await _take(cloud, accounting)
            if most == 0:
                accounting.complete_at = revision
            elif most < EVENTS_AT_ONCE:
                # What has come since then is later than what was asked for: who never rests would never be caught up.
                break
        yield


async def _take(cloud: Cloud, accounting: Accounting) -> int:
    """One portion of each cell; how many events the largest of them had."""
    if accounting.metered is None:
        accounting.metered = await cloud.store.cloud_read(lambda tx: tx.metered())
    metered = accounting.metered

    def read(tx: CellTransaction) -> tuple[list[Happened], int]:
        return tx.happened_after(metered.get(tx.cell, 0), count=EVENTS_AT_ONCE)

    most = 0
    for cell, answer in (await cloud.store.each_cell(read)).items():
        if isinstance(answer, Unreachable):
            continue
        events, last = answer
        after = metered.get(cell, 0)
        if last <= after:
            continue
        try:
            changes = await cloud.store.cloud_write(partial(take_in, file=cell, events=events, after=after, last=last))
        except BaseException:
            # Whoever asked has gone, perhaps: whether it was written is not known.
            accounting.forget()
            raise
        if changes is None:
            accounting.forget()
            return EVENTS_AT_ONCE
        most = max(most, last - after)
        metered[cell] = last
        for account, at in changes.items():
            accounting.changed(account, at)
    return most


def take_in(
    tx: CloudTransaction, *, file: str, events: Sequence[Happened], after: int, last: int
) -> dict[str, int] | None:
    """Write what the events after number `after` say, and that they were taken up to number `last`.

    Returns, by account, from when on something is different. None, and nothing is written, where they are not the next.
    """
    if tx.metered().get(file, 0) != after:
        return None
    objects: dict[str, set[str]] = {}
    for event in events:
        objects.setdefault(event.object_kind, set()).add(event.object_id)
    rates = tx.sent_rates(objects.get("server", ()))

    def sent_rate(server_id: str, at: int) -> int:
        return next((rate for since, rate in reversed(rates.get(server_id, ())) if since <= at), 0)

    current: dict[tuple[str, str], Interval | None] = dict(tx.open_intervals(file, objects))
    ended: list[Interval] = []
    more: dict[tuple[str, str], dict[int, int]] = {}
    for event in events:
        key = (event.object_kind, event.object_id)
        before = current.get(key)
        following = followed(before, event, sent_rate)
        if following == before:
            continue
        at = following.begun_at if following is not None else max(event.at, before.begun_at if before else event.at)
        if before is not None and before.begun_at < at:
            ended.append(replace(before, ended_at=at))
        for which, amount in changed(before, following).items():
            instants = more.setdefault(which, {})
            instants[at] = instants.get(at, 0) + amount
        current[key] = following
    tx.replace_intervals(file, objects, [*ended, *(each for each in current.values() if each is not None)])
    tx.add_usage(file, more)
    tx.save_metered(file, last)
    since: dict[str, int] = {}
    for (account, _), instants in more.items():
        since[account] = min(since.get(account, min(instants)), *instants)
    return since


async def follow(cloud: Cloud) -> None:
    """For ever: take what there is, now and then."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN)
        # Whoever asks about money is told what is wrong.
        with contextlib.suppress(CloudError):
            async with caught_up(cloud):
                pass
