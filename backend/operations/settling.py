"""The last step of what spans cloud.db and a cell: cloud.db is told what became of it.

By then the cell has done its part, or has refused it. Where cloud.db does not take the last step, because its disk is
full for instance, nothing may be undone: what is entered stays half-way, and the engine has `recovery` finish or undo
it as soon as cloud.db takes that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backend.cloud.errors import CloudError, OutcomeUnknown, Unreachable
from backend.operations import Cloud
from backend.store import CellTransaction, CloudTransaction

T = TypeVar("T")


async def carried_out(
    cloud: Cloud,
    cell: str,
    in_cell: Callable[[CellTransaction], T],
    *,
    acknowledged: Callable[[CloudTransaction, T], Any],
    given_back: Callable[[CloudTransaction], Any] | None,
) -> T:
    """The step in the cell and the last one, of what has been entered in cloud.db.

    Args:
        acknowledged: Enters what the cell has done.
        given_back: Undoes what was entered, where the cell has refused it or was never asked, so that nothing was
            made; None where it was entered by an earlier request.

    Raises:
        OutcomeUnknown, and what `in_cell` raises.
    """
    try:
        done = await cloud.store.cell_write(cell, in_cell)
    except OutcomeUnknown:
        raise
    except CloudError:
        if given_back is not None:
            await give_back(cloud, cell, given_back)
        raise
    await acknowledge(cloud, cell, lambda tx: acknowledged(tx, done))
    return done


async def acknowledge(cloud: Cloud, cell: str, write: Callable[[CloudTransaction], Any]) -> None:
    """Enter what the cell has done. Raises OutcomeUnknown: cloud.db does not take it, and it is entered later."""
    try:
        await cloud.store.cloud_write(write)
    except (Unreachable, OutcomeUnknown) as error:
        cloud.leave_unsettled(cell)
        raise OutcomeUnknown(error.cell, error.reason) from error


async def give_back(cloud: Cloud, cell: str, write: Callable[[CloudTransaction], Any]) -> None:
    """Undo what was entered for something that the cell has refused.

    Raises OutcomeUnknown: cloud.db does not take it, and what stays entered may be carried out once it can be. A
    deletion, say, of something that could not be deleted yet.
    """
    await acknowledge(cloud, cell, write)
