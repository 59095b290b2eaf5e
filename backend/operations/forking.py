"""What a job in a cell would come to, without anything of it: in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from backend.operations import Cloud
from backend.store import CellTransaction

T = TypeVar("T")


class _Forked(Exception):
    """Carries a result out of a transaction that is rolled back for it."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


async def forked(cloud: Cloud, cell: str, job: Callable[[CellTransaction], T]) -> T:
    """What `job` gives, without anything of what it did. Raises Unreachable, OutcomeUnknown."""

    def carry_out(tx: CellTransaction) -> None:
        raise _Forked(job(tx))

    try:
        await cloud.store.cell_write(cell, carry_out)
    except _Forked as done:
        return done.result  # type: ignore[return-value]  # it is what `job` gave
    raise AssertionError("the job raises")
