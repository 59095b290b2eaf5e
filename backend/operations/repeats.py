"""Requests that may be repeated: what was done is remembered in the transaction that does it.

Remembered afterwards, a crash in between would let a repeat do it again. Of what spans files it is remembered where it
is decided: of what is made with its reservation, of what is changed in the cell that is changed, of what is deleted
when it begins to go. From there on `recovery` finishes or undoes it.

A repeat of what made something makes it anew where the first could not, and never where somebody has deleted it since.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from backend.cloud.errors import Conflict
from backend.operations import Cloud, RequestKey
from backend.store import CloudTransaction, DriveEntry, ServerEntry, Transaction

T = TypeVar("T")
TTransaction = TypeVar("TTransaction", bound=Transaction)
TEntry = TypeVar("TEntry", ServerEntry, DriveEntry)
Find = Callable[[CloudTransaction, str], TEntry | None]

GONE = "What the first request with this Idempotency-Key made has been deleted since. Use another key to make it again."


def once(
    cloud: Cloud,
    request: RequestKey | None,
    work: Callable[[TTransaction], T],
    *,
    again: Callable[[TTransaction, Any], T],
    tells: Callable[[T], Any] = lambda _: {},
) -> Callable[[TTransaction], T]:
    """`work`, one transaction, which is not done for a request that it was done for.

    Args:
        again: What a repeat is given instead, of what `tells` told of the first.
    """

    def carried_out(tx: TTransaction) -> T:
        if request is None:
            return work(tx)
        told = request.remembered(tx)
        if told is not None:
            return again(tx, told)
        done = work(tx)
        tx.remember(request.key, request.digest, tells(done), at=cloud.clock.now())
        return done

    return carried_out


async def was_done(cloud: Cloud, request: RequestKey | None, *, cell: str | None = None) -> bool:
    """Whether the transaction of this request, in cloud.db or in a cell, has been. Raises Conflict, Unreachable."""
    if request is None:
        return False
    found = await (
        cloud.store.cloud_read(request.remembered) if cell is None else cloud.store.cell_read(cell, request.remembered)
    )
    return found is not None


async def has_deleted(cloud: Cloud, request: RequestKey | None, find: Callable[[CloudTransaction], object]) -> bool:
    """Whether this request began to delete what `find` looks for, and it is gone. Raises Conflict."""
    if request is None:
        return False
    return await cloud.store.cloud_read(lambda tx: request.remembered(tx) is not None and find(tx) is None)


async def undone(cloud: Cloud, request: RequestKey | None, find: Find[TEntry]) -> str | None:
    """The id of what this request began to make and could not, so that a repeat makes it; None the first time.

    What was made has left word in the log of its cell, whatever became of it.

    Raises:
        Conflict: what the request made has been deleted since.
        Unreachable: the cell that knows is silent.
    """
    if request is None:
        return None

    def missing(tx: CloudTransaction) -> tuple[str, str] | None:
        told = request.remembered(tx)
        entry = None if told is None else find(tx, told["id"])
        is_there = entry is not None and entry.state != "deleting"
        # One that was remembered before cells were is taken for what was made: then nothing is made twice.
        return None if told is None or is_there or "cell" not in told else (told["cell"], told["id"])

    found = await cloud.store.cloud_read(missing)
    if found is None:
        return None
    cell, id = found
    if await cloud.store.cell_read(cell, lambda tx: tx.events_of(id, limit=1)):
        raise Conflict(GONE)
    return id


def begun(tx: CloudTransaction, request: RequestKey | None, find: Find[TEntry], *, undone: str | None) -> TEntry | None:
    """What this request began to make before, unless that was `undone`. Raises Conflict."""
    told = None if request is None else request.remembered(tx)
    if told is None or told["id"] == undone:
        return None
    entry = find(tx, told["id"])
    if entry is None or entry.state == "deleting":
        raise Conflict(GONE)
    return entry


def note(tx: Transaction, request: RequestKey | None, at: datetime, **told: Any) -> None:
    """Remember a request whose repeats are told apart by what has become of it."""
    if request is not None:
        tx.remember(request.key, request.digest, told, at=at)
