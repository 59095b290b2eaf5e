"""Taking what happened in the cells into account: each event once, in the transaction that says up to which.

What is billed follows from the events of the cells, which are written anyway: no operation writes anything for it. This
reads on from where it was, a cell at a time, makes intervals of what it finds, and writes them to cloud.db together
with how far it has come. So a crash between two writes loses nothing and counts nothing twice.

A cell that does not answer is not read: what was last known of it goes on. That is what its events told as far as they
were taken, or the last pictures of its objects where these are newer, as those of a cell that has never answered yet
are. When it returns, what was taken for true is taken back, and what it tells is taken at the instants at which it
happened. What of that lies in ticks that have been told is late: see `closing`.

It runs before anything about money is answered, and now and then besides, so that little is left to do then and little
is missing while a cell is silent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from backend.cloud.errors import CloudError, Unreachable
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import KINDS, Happened, Interval, Kind, SentRate, changed, followed, presumed
from backend.cloud.prices import TICK
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
        found = await cloud.store.cloud_read(lambda tx: (tx.metered(), tx.presumed_files(), tx.closed_tick()))
        accounting.metered, accounting.presumed, accounting.closed = found
    metered = accounting.metered

    def read(tx: CellTransaction) -> tuple[list[Happened], int]:
        return tx.happened_after(metered.get(tx.cell, 0), count=EVENTS_AT_ONCE)

    most = 0
    for cell, answer in (await cloud.store.each_cell(read)).items():
        if isinstance(answer, Unreachable):
            if cell not in accounting.silent:
                await _presume(cloud, accounting, cell)
            continue
        accounting.silent.discard(cell)
        events, last = answer
        after = metered.get(cell, 0)
        if last <= after and cell not in accounting.presumed:
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
        accounting.presumed.discard(cell)
        _note(accounting, changes)
    return most


def _note(accounting: Accounting, changes: Mapping[str, int]) -> None:
    accounting.is_settled = False
    for account, at in changes.items():
        accounting.changed(account, at)


async def _presume(cloud: Cloud, accounting: Accounting, cell: str) -> None:
    """Take what was last seen of a silent cell for true, where its events told less. Once a silence."""
    with contextlib.suppress(CloudError):
        await cloud.store.flush_last_known()
    known = 0 if accounting.metered is None else accounting.metered.get(cell, 0)
    if cell not in accounting.presumed and await cloud.store.cloud_read(lambda tx: tx.mirrored_event(cell)) > known:
        try:
            changes = await cloud.store.cloud_write(partial(presume_in, file=cell))
        except BaseException:
            accounting.forget()
            raise
        accounting.presumed.add(cell)
        _note(accounting, changes)
    accounting.silent.add(cell)


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
    sent_rate = _sent_rates(tx, objects.get("server", ()))
    ended: list[Interval] = []
    more: _More = {}
    _take_back(tx, file, more)
    current: dict[tuple[str, str], Interval | None] = dict(tx.open_intervals(file, objects))
    for event in events:
        key = (event.object_kind, event.object_id)
        before = current.get(key)
        following = followed(before, event, sent_rate)
        if following == before:
            continue
        at = following.begun_at if following is not None else max(event.at, before.begun_at if before else event.at)
        if before is not None and before.begun_at < at:
            ended.append(replace(before, ended_at=at))
        _add(more, at, changed(before, following))
        current[key] = following
    tx.replace_intervals(file, objects, [*ended, *(each for each in current.values() if each is not None)])
    tx.add_usage(file, more)
    tx.save_metered(file, last)
    return _since(more)


_More = dict[tuple[str, str], dict[int, int]]


def _add(more: _More, at: int, amounts: Mapping[tuple[str, str], int], sign: int = 1) -> None:
    for which, amount in amounts.items():
        instants = more.setdefault(which, {})
        instants[at] = instants.get(at, 0) + sign * amount


def _since(more: _More) -> dict[str, int]:
    """By account, the first instant."""
    since: dict[str, int] = {}
    for (account, _), instants in more.items():
        since[account] = min([since[account], *instants] if account in since else instants)
    return since


def _take_back(tx: CloudTransaction, file: str, more: _More) -> None:
    """What was taken for true while the cell was silent: it tells now."""
    taken = tx.presumed(file)
    if not taken:
        return
    told = {(each.kind, each.object_id): each for each in tx.every_open_interval(file)}
    for each in taken:
        _add(more, each.begun_at, changed(told.get((each.kind, each.object_id)), each), -1)
    tx.replace_presumed(file, ())


def presume_in(tx: CloudTransaction, *, file: str) -> dict[str, int]:
    """Write what is taken for true of a silent cell, by the last pictures of its objects.

    It begins where an object came into its state, but in no tick that has been told. Returns, by account, from when on
    something is different.
    """
    told = {(each.kind, each.object_id): each for each in tx.every_open_interval(file)}
    since = tx.closed_tick() * TICK
    pictures: dict[tuple[Kind, str], Happened] = {}
    for kind in KINDS:
        for each in tx.last_known_of_cell(file, kind):
            thing = each.server() if kind == "server" else each.drive() if kind == "drive" else each.host()
            at = since if thing.state_since is None else microseconds_of(thing.state_since)
            pictures[kind, each.id] = Happened(at, f"{kind}.seen", kind, each.id, each.picture)
    rates = _sent_rates(tx, [id_ for kind, id_ in pictures if kind == "server"])
    taken = []
    more: _More = {}
    for key in sorted({*told, *pictures}):
        found = presumed(told.get(key), pictures.get(key), since, rates)
        if found is not None:
            taken.append(found)
            _add(more, found.begun_at, changed(told.get(key), found))
    tx.replace_presumed(file, taken)
    tx.add_usage(file, more)
    return _since(more)


def _sent_rates(tx: CloudTransaction, server_ids: Collection[str]) -> SentRate:
    rates = tx.sent_rates(server_ids)

    def sent_rate(server_id: str, at: int) -> int:
        return next((rate for since, rate in reversed(rates.get(server_id, ())) if since <= at), 0)

    return sent_rate


async def follow(cloud: Cloud) -> None:
    """For ever: take what there is, now and then."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN)
        # Whoever asks about money is told what is wrong.
        with contextlib.suppress(CloudError):
            async with caught_up(cloud):
                pass
