"""One cell as the store reaches it: its lanes, whether it answers, and when it is asked again.

A cell is declared down when its file is missing, corrupt, locked, replaced, or older than what was acknowledged or than
the log beside it: the lane or the probe says so. It is declared hung only when a lane has been silent past the
deadline *and* a separate probe, with a connection of its own, gets no answer either. Time in a queue and a late
event loop never count: otherwise load would make healthy cells unreachable. Once declared it is refused at
once, and asked again with back-off; it is back when a fresh connection and both of its lanes have answered and
recovery has run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.clock import monotonic_seconds
from backend.cloud.cells import back_off_seconds
from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import Reachability, ReachabilityState
from backend.store.cell import CellTransaction
from backend.store.files import FileFault, Opened, Place, open_file, probe_file
from backend.store.lane import Answers, CommitDetails, Job, Lane, ProbeLane, ReadLane, WriteLane, identities
from backend.store.loads import Shared

HISTORY_LENGTH = 8
HEALTHY_ASK_SECONDS = 5.0
"""How often a cell that answers is asked."""
OPENING_SECONDS = 1.0
"""How long a file may take at the start of the cloud: a long log is read then, and nobody waits for an answer yet. Were
it said to be hung, the first requests would be refused."""
STEADY_SECONDS = 120.0
"""For so long a damaged file has to do after its return, or it is asked again more and more seldom."""
LANE_SILENT_SECONDS_MAX = 30.0
"""A lane that is silent for so long has hung, whatever the probe says."""


@dataclass(slots=True)
class Hooks:
    """What a link tells the store. All called on the loop."""

    committed: Callable[[CellLink, CommitDetails], None]
    changed: Callable[[CellLink, Reachability, Reachability], None]
    returned: Callable[[CellLink], Awaitable[None]]


class CellLink:
    """Everything that is used from the loop, none of which waits on a disk."""

    def __init__(
        self,
        place: Place,
        *,
        epoch: int,
        injected: ReachabilityState | None,
        silent_since: datetime | None = None,
        wall: Callable[[], datetime],
        deadline_seconds: float,
        hooks: Hooks,
    ) -> None:
        assert place.cell is not None
        self.name = place.cell
        self.epoch = epoch
        """Of the newest commit that was acknowledged."""
        self.injected = injected
        self._place = place
        self._wall = wall
        self._deadline = deadline_seconds
        self._hooks = hooks
        self._shared = Shared()
        self._gate = threading.Event()
        if injected is not ReachabilityState.HUNG:
            self._gate.set()
        self.writer = WriteLane(
            self.name,
            "cell",
            self._gate,
            self._delivered,
            open_=lambda: self._open(is_writer=True),
            busy_seconds_max=deadline_seconds,
        )
        self.reader = ReadLane(
            self.name,
            "cell",
            self._gate,
            self._delivered,
            open_=lambda: self._open(is_writer=False),
            busy_seconds_max=deadline_seconds,
        )
        self._probe = ProbeLane(self.name, self._gate, self._delivered)
        self._probe_job: Job | None = None
        self._asking: asyncio.Task[None] | None = None
        self._suspicion: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._is_returning = False
        self._tries = 0
        self._damages = 0
        """How often in a row it was found damaged soon after it had come back: neither the probe nor its recovery reads
        the damaged part, and work does."""
        self._returned_at = -STEADY_SECONDS
        self._ask_at = 0.0
        self._silent_since = silent_since
        self._reachability = Reachability(ReachabilityState.DOWN, silent_since or wall(), "not asked yet")

    @property
    def reachability(self) -> Reachability:
        if self._reachability.next_try_seconds is None:
            return self._reachability
        return replace(self._reachability, next_try_seconds=max(0.0, self._ask_at - monotonic_seconds()))

    @property
    def is_up(self) -> bool:
        return self._reachability.state is ReachabilityState.UP

    @property
    def is_ask_due(self) -> bool:
        return monotonic_seconds() >= self._ask_at and (self._asking is None or self._asking.done())

    # Work

    def submit(self, lane: Lane, function: Callable[[Any], Any], *, is_recovery: bool = False) -> Job:
        """Unreachable at once unless the cell answers, or is returning and this is part of its recovery."""
        if not self.is_up and not (is_recovery and self._is_returning):
            raise Unreachable(self.name, self._reachability.reason)
        job = lane.submit(function)
        self._arm()
        return job

    async def run(self, lane: Lane, function: Callable[[Any], Any], *, is_recovery: bool = False) -> Any:
        """The function's value, or what it raised; Unreachable; OutcomeUnknown from a write that was cut off."""
        job = self.submit(lane, function, is_recovery=is_recovery)
        try:
            return await job.answer
        except asyncio.CancelledError:
            lane.forget(job)
            raise

    def _open(self, *, is_writer: bool) -> Opened:
        """In a lane's thread."""
        # One lane may have left a file that was replaced, while the other has it open still.
        others = identities(self.reader if is_writer else self.writer)
        opened = open_file(self._place, is_writer=is_writer, wall=self._wall, epoch_min=self.epoch, opened=others)
        assert isinstance(opened.transaction, CellTransaction)
        opened.transaction.follow(self._shared)
        if is_writer:
            self.epoch = opened.epoch
        return opened

    def _delivered(self, lane: Lane, answers: Answers) -> None:
        """A thread has finished a batch."""
        lane.answered(answers)
        if answers.committed is not None:
            self.epoch = max(self.epoch, answers.committed.epoch)
            self._hooks.committed(self, answers.committed)
        fault = answers.fault
        if fault is not None and fault.is_down and self.is_up:
            if fault.is_damage:
                self.found_damaged(fault.reason)
            else:
                self._declare(ReachabilityState.DOWN, fault.reason)

    def found_damaged(self, reason: str) -> None:
        """Something in the file was never written so, says who has read it."""
        if self.is_up:
            is_again = monotonic_seconds() - self._returned_at < STEADY_SECONDS
            self._tries = self._damages = self._damages + 1 if is_again else 0
            self._declare(ReachabilityState.DOWN, reason)

    # Silence

    def _arm(self) -> None:
        if self._watchdog is None:
            half = self._deadline / 2
            loop = asyncio.get_running_loop()
            self._watchdog = loop.call_later(half, self._check, monotonic_seconds() + half)

    def _check(self, expected: float) -> None:
        """While anybody waits, every half deadline: has a lane been silent for that long?"""
        self._watchdog = None
        if not (self.writer.waiting or self.reader.waiting):
            return
        self._arm()
        half = self._deadline / 2
        is_late = monotonic_seconds() - expected > half
        is_suspected = self._suspicion is not None and not self._suspicion.done()
        if not is_late and not is_suspected and self._silent_seconds() >= half:
            self._suspicion = asyncio.get_running_loop().create_task(self._suspect())

    def _silent_seconds(self) -> float:
        return max(self.writer.silent_seconds(), self.reader.silent_seconds())

    async def _suspect(self) -> None:
        """A lane is silent: ask the probe before anything is said of the cell."""
        half = self._deadline / 2
        found = await self._ask_probe(half)
        if not self.is_up and not self._is_returning:
            return
        silent = self._silent_seconds()
        if isinstance(found, FileFault):
            self._declare(ReachabilityState.DOWN, found.reason)
        elif (found is None and silent >= half) or silent > LANE_SILENT_SECONDS_MAX:
            self._declare_hung()

    async def _ask_probe(self, seconds: float) -> float | FileFault | None:
        """How many ms a fresh connection took to answer, what is wrong with the file, or None without an answer."""
        job = self._probe_job
        if job is None or job.answer.done():
            # At most one is under way: more of them would only pile up behind it.
            job = self._probe_job = self._probe.submit(self._use_fresh_connection)
            # Whoever asked may have been told to go before it answers.
            job.answer.add_done_callback(_take_exception)
        if not await _is_answered(self._probe, job, seconds):
            return None
        found: float | FileFault = job.answer.result()
        return found

    def _use_fresh_connection(self, _nothing: None) -> float | FileFault:
        """In the probe's thread."""
        begun = monotonic_seconds()
        while True:
            try:
                probe_file(self._place, epoch_min=self.epoch, opened=identities(self.writer, self.reader))
            except FileFault as fault:
                if not fault.is_busy or monotonic_seconds() - begun > self._deadline:
                    return fault
            else:
                return 1000 * (monotonic_seconds() - begun)

    # Asking

    async def ask(self) -> Reachability:
        """Ask now; with whoever is asking already."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(self._deadline))
        await asyncio.shield(self._asking)
        return self.reachability

    async def inject(self, state: ReachabilityState) -> None:
        """Let the cell be down or hung; UP ends that, and asks."""
        if self._asking is not None and not self._asking.done():
            await asyncio.shield(self._asking)
        self._tries = 0
        if state is ReachabilityState.HUNG:
            self.injected = state
            self._gate.clear()
            await self.ask()
        elif state is ReachabilityState.DOWN:
            self.injected = state
            self._gate.set()
            # What has begun may end: the fault is that nothing more is let in.
            self._declare(state, "injected: down", is_giving_up=False)
        else:
            self.injected = None
            self._gate.set()
            await self.ask()

    async def open(self) -> None:
        """At start. An injected fault is believed without asking."""
        if self.injected is ReachabilityState.HUNG:
            self._declare_hung()
        else:
            await self._ask(max(self._deadline, OPENING_SECONDS))

    async def _ask(self, deadline: float) -> None:
        if self.injected is ReachabilityState.DOWN:
            self._declare(ReachabilityState.DOWN, "injected: down")
            return
        found = await self._ask_probe(deadline)
        if isinstance(found, FileFault) and found.is_replaced and await self._let_go():
            found = await self._ask_probe(deadline)
        if found is None:
            self._declare_hung(deadline)
            return
        if isinstance(found, FileFault):
            self._declare(ReachabilityState.DOWN, found.reason)
            return
        # The writer first: it migrates, and a reader must not meet it while it opens.
        for lane in (self.writer, self.reader):
            if not await self._ask_lane(lane, deadline):
                return
        if not self.is_up and not await self.recover():
            return
        self._declare(ReachabilityState.UP, "", answer_ms=found)

    async def _let_go(self) -> bool:
        """Whether the lanes have closed a file that has lost its name, so that what has the name now can be read."""
        for lane in (self.reader, self.writer):
            if lane.identity is not None:
                job = lane.submit(_nothing)
                job.answer.add_done_callback(_take_exception)
                if not await _is_answered(lane, job, self._deadline):
                    lane.forget(job)
                    return False
        return True

    async def _ask_lane(self, lane: Lane, deadline: float) -> bool:
        """Whether the lane's own thread and connection answer; else the cell has been declared."""
        if lane.silent_seconds() < deadline:
            job = lane.submit(_nothing)
            job.answer.add_done_callback(_take_exception)
            if await _is_answered(lane, job, deadline):
                error = job.answer.exception()
                if error is None:
                    return True
                assert isinstance(error, Unreachable | OutcomeUnknown), error
                if isinstance(error, Unreachable):
                    self._declare(ReachabilityState.DOWN, error.reason)
                return False
            lane.forget(job)
        if self.is_up:
            # It is slow, but its file answers the probe: the watchdog decides.
            return True
        self._declare_hung(deadline)
        return False

    async def recover(self) -> bool:
        """Let the operations finish what was half-way, before anything else is let in. A cell in which that cannot be
        done is down, and is asked again."""
        self._is_returning = True
        try:
            await self._hooks.returned(self)
        except (Unreachable, OutcomeUnknown) as error:
            reason = error.reason if isinstance(error, Unreachable) else str(error)
            self._declare(ReachabilityState.DOWN, reason)
            return False
        finally:
            self._is_returning = False
        return True

    def _declare_hung(self, deadline: float | None = None) -> None:
        is_injected = self.injected is ReachabilityState.HUNG
        reason = "injected: hung" if is_injected else f"no answer within {(deadline or self._deadline) * 1000:.0f} ms"
        self._declare(ReachabilityState.HUNG, reason)

    def _declare(
        self, state: ReachabilityState, reason: str, *, answer_ms: float | None = None, is_giving_up: bool = True
    ) -> None:
        before = self.reachability
        is_up = state is ReachabilityState.UP
        if is_up and before.state is not state:
            self._returned_at = monotonic_seconds()
        self._tries = 0 if is_up else self._tries + 1
        wait_seconds = HEALTHY_ASK_SECONDS if is_up else float(back_off_seconds(self._tries))
        self._ask_at = monotonic_seconds() + wait_seconds
        after = self._reachability = Reachability(
            state,
            self._since(before, state),
            reason,
            is_injected=self.injected is not None,
            answer_ms=answer_ms if is_up else before.answer_ms,
            answered_at=self._wall() if is_up else before.answered_at,
            next_try_seconds=None if is_up else wait_seconds,
            history=(*before.history, state)[-HISTORY_LENGTH:],
        )
        if not is_up and is_giving_up:
            for lane in (self.writer, self.reader):
                lane.give_up(
                    lambda: Unreachable(self.name, reason),
                    (lambda: OutcomeUnknown(self.name))
                    if lane is self.writer
                    else (lambda: Unreachable(self.name, reason)),
                )
        if (before.state, before.reason, before.is_injected) != (state, reason, after.is_injected):
            self._hooks.changed(self, before, after)

    def _since(self, before: Reachability, state: ReachabilityState) -> datetime:
        """A cell that was silent already when this process began is silent since then."""
        if before.history:
            return before.since if before.state is state else self._wall()
        is_up = state is ReachabilityState.UP
        return self._wall() if is_up or self._silent_since is None else self._silent_since

    async def close(self) -> None:
        """Readers first, so that the writer's is the last connection and checkpoints. Hung threads are left behind."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        for task in (self._asking, self._suspicion):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task})
        patience = 5.0 if self._gate.is_set() else 0.0
        for lane in (self._probe, self.reader, self.writer):
            if lane.silent_seconds() < self._deadline:
                await lane.close(patience)
            lane.give_up(
                lambda: Unreachable(self.name, "the cloud is closing"),
                lambda: OutcomeUnknown(self.name),
            )


def _nothing(_transaction: Any) -> None:
    """What a lane is asked to do to show that it answers."""


def _take_exception(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()


async def _is_answered(lane: Lane, job: Job, seconds: float) -> bool:
    """Wait for the answer until the lane has been silent for so long; being late ourselves proves nothing."""
    pause = seconds / 5
    while not job.answer.done():
        expected = monotonic_seconds() + pause
        await asyncio.wait({job.answer}, timeout=pause)
        silent = lane.silent_seconds()
        is_late = monotonic_seconds() - expected > 2 * pause
        if not job.answer.done() and ((silent >= seconds and not is_late) or silent > LANE_SILENT_SECONDS_MAX):
            return False
    return True
