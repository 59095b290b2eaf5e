"""Runs what falls due: tasks of the cells, backups and schedules of the cloud. It decides nothing itself.

A task is a row with a due instant. `run_due` ends them in order, each at its own instant, so that moving the clock far
gives the same events as waiting would. Tasks of a cell that does not answer wait, and resume when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from backend.clock import Mode
from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import Reachability, ReachabilityState
from backend.operations import (
    Cloud,
    RequestKey,
    backup_restores,
    backups,
    losses,
    recovery,
    repeats,
    restorations,
    schedules,
    server_groups,
    tasks,
)
from backend.operations.feed import CLOUD_FILE
from backend.operations.history import History
from backend.store import CloudTransaction

SAVE_CLOCK_SECONDS = 5
TRY_AGAIN_SECONDS = 1.0
"""How soon what cloud.db did not take is tried again."""
FORGET_SECONDS = 0.05
"""How soon the next portion of what is old goes: files are others' in between."""

LOG = logging.getLogger("stratodeck.cells")
LOG.addHandler(logging.NullHandler())


class Engine:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._running = asyncio.Lock()
        self._returned: set[str] = set()
        self._notes: set[asyncio.Task[None]] = set()
        self._unrecorded: list[tuple[str, Reachability, datetime]] = []
        """Changes of cells that cloud.db did not take, in order."""
        self._history = History(cloud)
        self._has_forgotten = False
        """Whether something was old the last time, so that more may be."""
        cloud.store.on_reachability = self._reachability_changed
        cloud.store.on_return = self._recover

    async def start(self) -> None:
        """Finish what a crash left half-done, and learn what is due."""
        cloud = self._cloud
        await server_groups.learn(cloud)
        await cloud.store.recover()
        await losses.agree_on_storage(cloud, cloud.store.cell_names)
        await self._note_what_changed_meanwhile()
        answering = [
            cell for cell in cloud.store.cell_names if cloud.store.reachability(cell).state is ReachabilityState.UP
        ]
        await restorations.resume(cloud, answering)
        # A cell may have come back right before a crash, or since.
        await schedules.catch_up_missed(cloud, cloud.clock.now())
        await cloud.store.cloud_write(lambda tx: backups.resume_stalled(tx, answering, now=cloud.clock.now()))
        dues = await cloud.store.each_cell(lambda tx: tx.next_due())
        cloud.next_due.update({cell: due for cell, due in dues.items() if not isinstance(due, Unreachable)})
        cloud.next_due[CLOUD_FILE] = await cloud.store.cloud_read(lambda tx: tx.next_due())
        await self._history.learn()

    async def run(self) -> None:
        """For ever: sleep until something is due or something has changed, then run what is due."""
        cloud = self._cloud
        while True:
            cloud.engine_wake.clear()
            until = cloud.clock.now()
            try:
                await self._record_again()
                await self.run_due()
            except (Unreachable, OutcomeUnknown) as error:
                # Without cloud.db nothing can be done; what is due stays due until its disk is well again.
                LOG.error("what is due cannot be run", extra={"fields": {"reason": str(error)}})
                await asyncio.sleep(TRY_AGAIN_SECONDS)
                continue
            due = self._next_due()
            seconds = None if due is None else cloud.clock.seconds_until(due)
            is_left = self._unrecorded or self._unsettled()
            if is_left or (due is not None and due <= until):
                # A disk that is full or fails refuses it at once, again and again. What was tried just now has woken
                # this too: only what others do from here on counts.
                cloud.engine_wake.clear()
                seconds = FORGET_SECONDS if self._has_forgotten and not is_left else TRY_AGAIN_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    await cloud.engine_wake.wait()
            except TimeoutError:
                pass

    async def keep_clock(self) -> None:
        """For ever: a timeline of its own is stored now and then, so that it goes on from there after a crash."""
        while True:
            await asyncio.sleep(SAVE_CLOCK_SECONDS)
            if self._cloud.clock.mode == "rate":
                # On a disk that is full it is saved the next time.
                with contextlib.suppress(Unreachable, OutcomeUnknown):
                    await self.save_clock()

    async def save_clock(self, *, request: RequestKey | None = None) -> None:
        state = self._cloud.clock.state()

        def save(tx: CloudTransaction) -> None:
            tx.save_clock_state(state)
            repeats.note(tx, request)

        await self._cloud.store.cloud_write(save)

    async def change_clock(self, mode: Mode, rate: float | None, *, request: RequestKey | None = None) -> None:
        """Go on from this instant in another mode; who sleeps until something is due works out anew how long.

        Raises:
            ClockError: see `Clock.change`.
        """
        if await repeats.was_done(self._cloud, request):
            return
        self._cloud.clock.change(mode=mode, rate=rate)
        await self.save_clock(request=request)
        self._cloud.engine_wake.set()

    async def advance(self, seconds: float, *, request: RequestKey | None = None) -> datetime:
        """Move a timeline of its own forward, stopping at every instant at which something falls due.

        Where it goes is remembered before it goes, so that a repeat after a crash goes there and no further.
        """
        cloud = self._cloud
        now = cloud.clock.now()
        until = now + timedelta(seconds=seconds)
        if request is not None:
            aim = repeats.once(
                cloud,
                request,
                lambda tx: until.isoformat(),
                again=lambda tx, told: str(told["until"]),
                tells=lambda at: {"until": at},
            )
            until = max(now, datetime.fromisoformat(await cloud.store.cloud_write(aim)))
        while (due := self._next_due()) is not None and due <= until:
            cloud.clock.move_to(due)
            if await self.run_due() == 0 and self._next_due() == due:
                break
        cloud.clock.move_to(until)
        await self.run_due()
        await self.save_clock()
        cloud.tell()
        return cloud.clock.now()

    async def run_due(self) -> int:
        """Everything that is due by now, in the order of the instants. Returns how much there was.

        Who moves the clock cannot say until when: a cell that is back owes what fell due long ago, and what is decided
        because it is back would bear an instant at which nobody knew of it.
        """
        async with self._running:
            count, until = 0, self._cloud.clock.now()
            await self._settle()
            while True:
                for cell in sorted(self._returned):
                    self._returned.discard(cell)
                    await losses.agree_on_storage(self._cloud, self._cloud.store.cell_names)
                    await self._resume_backups(cell, until)
                    await restorations.resume(self._cloud, [cell])
                due = self._next_task_due()
                if due is None or due > until:
                    return count + await self._forget(until)
                ran = await self._run_until(due, now=until)
                count += ran
                if ran == 0 and self._next_task_due() == due:
                    # What is due cannot be done now, though nothing is known to be silent: look again later.
                    return count

    def _unsettled(self) -> list[str]:
        """Cells that answer and have something half-way. The others are recovered when they are back."""
        cloud = self._cloud
        return [
            cell for cell in sorted(cloud.unsettled) if cloud.store.reachability(cell).state is ReachabilityState.UP
        ]

    async def _settle(self) -> None:
        """Finish or undo what cloud.db did not take the end of; later, where it still does not."""
        for cell in self._unsettled():
            self._cloud.unsettled.discard(cell)
            try:
                await recovery.recover(self._cloud, cell)
            except (Unreachable, OutcomeUnknown) as error:
                self._cloud.unsettled.add(cell)
                LOG.error("what is half-way cannot be ended", extra={"fields": {"cell": cell, "reason": str(error)}})

    async def _run_until(self, due: datetime, *, now: datetime) -> int:
        cloud = self._cloud
        count = 0
        # A cell that is behind catches up in one transaction, as far as cloud.db asks nothing of it on the way: one for
        # each instant would be slower than a busy cloud makes them.
        central = cloud.next_due.get(CLOUD_FILE)
        reach = now if central is None else max(due, min(now, central))
        for file, at in list(cloud.next_due.items()):
            if at is None or at > due:
                continue
            if file == CLOUD_FILE:
                count += await backups.run_due(cloud, due)
                count += await backup_restores.run_due(cloud, due)
                count += await schedules.run_due_schedules(cloud, now)
                count += await schedules.run_due_catch_ups(cloud, due)
                await backups.expire_due(cloud, due)
                count += await restorations.run_due(cloud, due)
                cloud.next_due[file] = await cloud.store.cloud_read(lambda tx: tx.next_due())
                count += 1
            elif cloud.store.reachability(file).state is ReachabilityState.UP:
                count += await self._run_cell(file, reach)
        return count

    async def _resume_backups(self, cell: str, now: datetime) -> None:
        """Copies that waited for the cell go on, and what its sources missed is taken."""
        await self._cloud.store.cloud_write(lambda tx: backups.resume_stalled(tx, [cell], now=now))
        await schedules.catch_up_missed(self._cloud, now)

    async def _run_cell(self, cell: str, due: datetime) -> int:
        cloud = self._cloud
        try:
            return await cloud.store.cell_write(
                cell,
                lambda tx: tasks.run_due_in_cell(
                    tx, due, settings=cloud.settings, no_earlier_than=cloud.resumed_at.get(cell)
                ),
            )
        except (Unreachable, OutcomeUnknown):
            return 0

    async def _forget(self, now: datetime) -> int:
        count = await self._history.forget(now)
        self._has_forgotten = count > 0
        return count

    def _next_due(self) -> datetime | None:
        return min((due for due in (self._next_task_due(), self._history.next_due()) if due is not None), default=None)

    def _next_task_due(self) -> datetime | None:
        cloud = self._cloud
        dues = [
            due
            for file, due in cloud.next_due.items()
            if due is not None and (file == CLOUD_FILE or cloud.store.reachability(file).state is ReachabilityState.UP)
        ]
        return min(dues, default=None)

    async def _recover(self, cell: str) -> None:
        await recovery.recover(self._cloud, cell)

    def _reachability_changed(self, cell: str, before: Reachability, after: Reachability) -> None:
        """Record it where it is known: in cloud.db. A cell that is back resumes its tasks."""
        if before.state is after.state:
            return
        cloud = self._cloud
        now = cloud.clock.now()
        told = {"cell": cell, "state": after.state.value, "reason": after.reason, "is_injected": after.is_injected}
        if after.state is ReachabilityState.UP:
            cloud.resumed_at[cell] = now
            self._returned.add(cell)
            LOG.info("cell answers", extra={"fields": told})
        else:
            LOG.error("cell does not answer", extra={"fields": told})
        note = asyncio.get_running_loop().create_task(self._note(cell, after, now))
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def noted(self) -> None:
        """Wait until every change of a cell's reachability so far is recorded."""
        await asyncio.gather(*self._notes)

    async def _note_what_changed_meanwhile(self) -> None:
        """A cell that fell silent, or came back, while no backend ran."""
        now = self._cloud.clock.now()
        for entry in await self._cloud.store.cloud_read(lambda tx: tx.cells()):
            found = self._cloud.store.reachability(entry.name)
            is_up = found.state is ReachabilityState.UP
            if is_up is (entry.silent_since is None):
                continue
            if is_up:
                self._cloud.resumed_at[entry.name] = now
                self._returned.add(entry.name)
            await self._note(entry.name, found, now)

    async def _note(self, cell: str, after: Reachability, now: datetime) -> None:
        cloud = self._cloud
        is_up = after.state is ReachabilityState.UP
        try:
            await self._record(cell, after, now)
        except (Unreachable, OutcomeUnknown) as error:
            LOG.error("a cell's state cannot be recorded", extra={"fields": {"cell": cell, "reason": str(error)}})
            self._unrecorded.append((cell, after, now))
        if is_up:
            try:
                cloud.next_due[cell] = await cloud.store.cell_read(cell, lambda tx: tx.next_due())
            except Unreachable:
                return
        cloud.engine_wake.set()
        cloud.tell()

    async def _record(self, cell: str, after: Reachability, now: datetime, *, is_again: bool = False) -> None:
        changes = {"state": (None, after.state.value)}
        details = {"reason": after.reason}

        silent_since = None if after.state is ReachabilityState.UP else after.since

        def write(tx: CloudTransaction) -> None:
            if is_again and any(each.name == cell and each.silent_since == silent_since for each in tx.cells()):
                # It was recorded, and only the answer was lost.
                return
            tx.emit(f"cell.{after.state}", "cell", cell, at=now, changes=changes, details=details)
            tx.save_silent_since(cell, silent_since)

        await self._cloud.store.cloud_write(write)

    async def _record_again(self) -> None:
        """Raises Unreachable while cloud.db still does not take it."""
        while self._unrecorded:
            await self._record(*self._unrecorded[0], is_again=True)
            self._unrecorded.pop(0)
            self._cloud.tell()
