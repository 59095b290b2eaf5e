"""Forgetting what is older than the cloud keeps, in portions, as work that falls due like any other.

A file is looked at when the oldest that it has is a part of the kept time too old, and not before. Then a portion of it
goes in one transaction of that file, and what has fallen due meanwhile comes first. So a crash between any two writes
leaves a log that begins a little earlier or later, and a cell that was silent catches up when it is back.

What is still to be taken from a cell's events stays until it was: what was in use (`metering`), and what was last seen
of its objects. Both are written to cloud.db before the events go, and so is what cloud.db still keeps of servers whose
end is forgotten.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.history import portion
from backend.cloud.model import ReachabilityState
from backend.operations import Cloud, metering
from backend.operations.feed import CLOUD_FILE, EVENT_NUMBER_MAX
from backend.store import CellTransaction, CloudTransaction, ForgottenRows, LogBeginning

ROWS_AT_ONCE = 256
"""Some ten milliseconds of a file's lane."""
NOTHING = ForgottenRows()

LOG = logging.getLogger("stratodeck.cells")


class History:
    """What of the past each file has, as far as it has been looked at."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._looked_at: dict[str, datetime] = {}
        """When the oldest happened that may be forgotten, or when nothing was found that may."""

    async def learn(self) -> None:
        """Look at every file that can be read."""
        cloud = self._cloud
        now = cloud.clock.now()
        found = await cloud.store.each_cell(lambda tx: (tx.first_at(), tx.log_beginning()))
        central = await cloud.store.cloud_read(lambda tx: (tx.first_at(), tx.log_beginning()))
        for file, answer in (*found.items(), (CLOUD_FILE, central)):
            if not isinstance(answer, Unreachable):
                self._note(file, answer[0] or now, answer[1])

    def _note(self, file: str, oldest_at: datetime, beginning: LogBeginning) -> None:
        self._looked_at[file] = oldest_at
        self._cloud.log_beginnings[file] = beginning

    def _due(self, file: str) -> datetime:
        kept = self._cloud.settings.history_seconds
        return self._looked_at[file] + timedelta(seconds=kept) + portion(kept)

    def _files(self) -> list[str]:
        """Those that answer, cloud.db first."""
        store = self._cloud.store
        return [
            file
            for file in (CLOUD_FILE, *store.cell_names)
            if file == CLOUD_FILE or store.reachability(file).state is ReachabilityState.UP
        ]

    def next_due(self) -> datetime | None:
        return min((self._due(file) for file in self._files() if file in self._looked_at), default=None)

    async def forget(self, now: datetime) -> int:
        """One portion of each file that has something old; how many rows went."""
        if any(file not in self._looked_at for file in self._files()):
            # A cell that was silent when the others were looked at.
            await self.learn()
        count = 0
        for file in self._files():
            if file not in self._looked_at or self._due(file) > now:
                continue
            try:
                gone = await self._forget_of(file, now)
            except (Unreachable, OutcomeUnknown) as error:
                LOG.warning("nothing old can be forgotten", extra={"fields": {"file": file, "reason": str(error)}})
                self._put_off(file, now)
                continue
            count += gone.events + gone.tasks
            if file == CLOUD_FILE and gone != NOTHING:
                # What cells tell the end of is looked up in what is old here.
                break
        return count

    async def _forget_of(self, file: str, now: datetime) -> ForgottenRows:
        before = now - timedelta(seconds=self._cloud.settings.history_seconds)
        if file == CLOUD_FILE:
            gone, first_at, beginning = await self._cloud.store.cloud_write(
                lambda tx: (
                    tx.forget_portion(before, taken=EVENT_NUMBER_MAX, limit=ROWS_AT_ONCE),
                    tx.first_at(),
                    tx.log_beginning(),
                )
            )
        else:
            gone, first_at, beginning = await self._forget_in_cell(file, before)
        self._note(file, first_at or now, beginning)
        if gone == NOTHING:
            self._put_off(file, now)
        return gone

    def _put_off(self, file: str, now: datetime) -> None:
        """What may not be forgotten yet, whatever needs it, is looked at again when a portion has passed."""
        before = now - timedelta(seconds=self._cloud.settings.history_seconds)
        self._looked_at[file] = max(self._looked_at[file], before)

    async def _forget_in_cell(self, cell: str, before: datetime) -> tuple[ForgottenRows, datetime | None, LogBeginning]:
        store = self._cloud.store
        for is_last in (False, True):
            taken, steps = await store.cloud_read(lambda tx: (_taken(tx, cell), tx.first_open("restore")))
            removed = await store.cell_read(
                cell,
                lambda tx, taken=taken: tx.removed_in_portion(before, taken=taken, limit=ROWS_AT_ONCE),  # type: ignore[misc]
            )
            if removed:
                await store.cloud_write(lambda tx, ids=removed: tx.forget_kept(ids, "server"))  # type: ignore[misc]

            def forget(
                tx: CellTransaction, taken: int = taken, steps: int = steps
            ) -> tuple[ForgottenRows, datetime | None, LogBeginning]:
                tx.forget_steps(steps)
                gone = tx.forget_portion(before, taken=taken, limit=ROWS_AT_ONCE)
                return gone, tx.first_at(), tx.log_beginning()

            found = await store.cell_write(cell, forget)
            first_at = found[1]
            if is_last or found[0].events or first_at is None or first_at >= before:
                return found
            await store.flush_last_known()
            async with metering.caught_up(self._cloud):
                pass
        raise AssertionError("the last look gives what it found")


def _taken(tx: CloudTransaction, cell: str) -> int:
    """The last event of a cell that cloud.db needs no more."""
    return min(tx.metered().get(cell, 0), tx.mirrored_event(cell))
