"""Requests that may be repeated: what was done is remembered in the transaction that does it.

Remembered afterwards, a crash in between would let a repeat do it again. Of what spans files it is remembered where it
is decided: of what is made with its reservation, of what is changed in the cell that is changed, of what is deleted
when it begins to go. From there on `recovery` finishes or undoes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backend.operations import Cloud, RequestKey
from backend.store import CloudTransaction, Transaction

T = TypeVar("T")
TTransaction = TypeVar("TTransaction", bound=Transaction)


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


def note(cloud: Cloud, tx: Transaction, request: RequestKey | None, **told: Any) -> None:
    """Remember a request whose repeats are told apart by what has become of it."""
    if request is not None:
        tx.remember(request.key, request.digest, told, at=cloud.clock.now())
