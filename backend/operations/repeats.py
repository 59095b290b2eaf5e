"""Requests that may be repeated: what was done is remembered in the transaction that does it.

Remembered afterwards, a crash in between would let a repeat do it again. Of what spans files it is remembered where it
is decided: of what is made with its reservation, of what is changed in the cell that is changed, of what is deleted
when it begins to go. From there on `recovery` finishes or undoes it.

A repeat of what made something makes it anew where the first could not, and never where somebody has deleted it since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from backend.cloud.errors import Conflict
from backend.cloud.model import Drive, Server
from backend.operations import Cloud, RequestKey
from backend.store import CellTransaction, CloudTransaction, DriveEntry, ServerEntry, Transaction

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
        tx.remember(request.key, request.digest, tells(done))
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

    What was made has left word in the log of its cell, whatever became of it; where the log of then is no longer kept,
    it is taken for made.

    Raises:
        Conflict: what the request made has been deleted since.
        Unreachable: the cell that knows is silent.
    """
    if request is None:
        return None

    def missing(tx: CloudTransaction) -> Mapping[str, str] | None:
        told: Mapping[str, str] | None = request.remembered(tx)
        entry = None if told is None else find(tx, told["id"])
        is_there = entry is not None and entry.state != "deleting"
        return None if is_there else told

    told = await cloud.store.cloud_read(missing)
    if told is None:
        return None
    # What was remembered before cells were is taken for made: nothing is ever made twice.
    if "cell" not in told or await cloud.store.cell_read(told["cell"], lambda tx: _may_be_made(tx, **told)):
        raise Conflict(GONE)
    return told["id"]


def _may_be_made(tx: CellTransaction, id: str, began_at: str, **_: Any) -> bool:
    kept_since = tx.log_beginning().at
    is_kept = not kept_since or datetime.fromisoformat(kept_since) <= datetime.fromisoformat(began_at)
    return not is_kept or bool(tx.events_of(id, limit=1))


def begun(tx: CloudTransaction, request: RequestKey | None, find: Find[TEntry], *, undone: str | None) -> TEntry | None:
    """What this request began to make before, unless that was `undone`. Raises Conflict."""
    told = None if request is None else request.remembered(tx)
    if told is None or told["id"] == undone:
        return None
    entry = find(tx, told["id"])
    if entry is None or entry.state == "deleting":
        raise Conflict(GONE)
    return entry


def note_made(tx: CloudTransaction, request: RequestKey | None, made: Server | Drive, **told: Any) -> None:
    """Remember a request that has reserved what it makes: see `undone`."""
    note(tx, request, id=made.id, cell=made.cell, began_at=made.created_at.isoformat(), **told)


def note(tx: Transaction, request: RequestKey | None, **told: Any) -> None:
    """Remember a request whose repeats are told apart by what has become of it."""
    if request is not None:
        tx.remember(request.key, request.digest, told)
