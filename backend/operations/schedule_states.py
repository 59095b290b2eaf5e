"""What goes on with schedules now, besides what they are: which run is under way, since when one is off, and why none
could be taken.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.cloud.model import ReachabilityState, Schedule
from backend.operations import Cloud, backup_restores, backup_sources, backups
from backend.store import CloudTransaction


@dataclass(frozen=True, slots=True)
class ScheduleState:
    is_copying: bool = False
    """Its newest run has begun and is not over: nobody knows yet whether it is good."""
    off_since: datetime | None = None
    """Since when it is switched off; None while it is active."""
    drilling_since: datetime | None = None
    """Since when a restore on trial is under way; None without one."""
    silent_cells: tuple[str, ...] = ()
    """The cells that would have to answer before a run could copy its source."""


def silent_cells(cloud: Cloud) -> frozenset[str]:
    store = cloud.store
    return frozenset(name for name in store.cell_names if store.reachability(name).state is not ReachabilityState.UP)


def states_in(tx: CloudTransaction, found: Sequence[Schedule], silent: Collection[str]) -> dict[str, ScheduleState]:
    """By id."""
    copying = tx.copying_schedules(each.id for each in found)
    switched_at = tx.switched_at(each.id for each in found if not each.is_active)
    drilling: dict[str, datetime] = {}
    for kind in (backups.DRILL, backup_restores.RESTORE):
        for task in tx.open_backup_tasks(kind):
            if "schedule" in task.payload:
                drilling[task.payload["schedule"]] = task.begun_at
    # While all cells answer, nobody has to ask which of them a source lies in.
    cells = backup_sources.cells_of(tx, [(each.source_kind, each.source_id) for each in found]) if silent else {}
    return {
        each.id: ScheduleState(
            each.id in copying,
            # One that was made without being active has never been switched.
            None if each.is_active else switched_at.get(each.id, each.created_at),
            drilling.get(each.id),
            tuple(cell for cell in cells.get((each.source_kind, each.source_id), ()) if cell in silent),
        )
        for each in found
    }
