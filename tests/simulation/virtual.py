"""An event loop in which no time passes by itself, and lanes that work in it: one seed is one story, to the byte.

The production code runs as it is; only what depends on the machine is replaced, through the seams that it has for that:
the loop's clock and durations (`backend.clock.ticking_by`), and the lanes' threads (`lanes_begun_by`). Where all wait
for a timer the clock jumps to it, so that deadlines, back-off and hung disks cost nothing. Where nothing is left to
wait for, the story would stand still for ever: that is an error of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from heapq import heappop
from typing import Any, TypeVar

from backend.clock import ticking_by
from backend.cloud.errors import Unreachable
from backend.store.files import Opened
from backend.store.lane import BATCH_JOBS_MAX, FileLane, Job, Lane, WriteLane, lanes_begun_by

T = TypeVar("T")

TURNS_MAX = 30_000
"""More than any one step takes."""
RESOLUTION_SECONDS = 1e-9
"""What is due within it is due now: a sum of seconds may come out a little less than each of them."""
PAGES_MAX = 1_073_741_823
"""Of a file whose disk is not full: SQLite's own limit."""


class StandsStill(Exception):
    """Nothing is ready, and nothing ever will be."""


class _Soon(asyncio.Handle):
    """What is to be called next: asyncio's own handle, made without asking whether anybody debugs the loop."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: Sequence[Any], loop: asyncio.AbstractEventLoop, context: Context
    ) -> None:
        self._callback, self._args, self._loop, self._context = callback, args, loop, context
        self._cancelled, self._repr, self._source_traceback = False, None, None


class VirtualLoop(asyncio.SelectorEventLoop):
    """Asks no selector: there is one process, without threads, and nothing to wait for but its own timers.

    Thirty calls are made for each step, so what the loop itself costs is kept small. In which order calls are made is
    asyncio's: first those that are ready, then the timers that have become due.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        self.seconds = 0.0
        self.turns = 0
        """How often the loop has gone round since the step began."""
        super().__init__()

    def time(self) -> float:
        return self.seconds

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Soon(callback, args, self, context or copy_context())
        self._ready.append(handle)
        return handle

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        self.turns += 1
        if self.turns > TURNS_MAX:
            # Whoever cleans up has as many again.
            self.turns = 0
            raise StandsStill("it goes round and round, and nothing comes of it")
        while scheduled and scheduled[0]._cancelled:
            heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not scheduled:
                raise StandsStill("nobody will ever answer")
            # Instead of waiting it moves the clock.
            self.seconds += max(0.0, scheduled[0].when() - self.seconds)
        end = self.seconds + RESOLUTION_SECONDS
        while scheduled and scheduled[0].when() < end:
            due = heappop(scheduled)
            due._scheduled = False  # type: ignore[attr-defined]
            ready.append(due)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """At once, where a thread would do it at some time."""
        answer: asyncio.Future[T] = self.create_future()
        try:
            answer.set_result(func(*args))
        except Exception as error:  # whoever asked hears of it
            answer.set_exception(error)
        return answer


class Disk:
    """What the lanes of one process do their work with, and what is wrong with it."""

    def __init__(self) -> None:
        self.commits = 0
        self.commits_until_death: int | None = None
        self.death = asyncio.Event()
        """The process stands still: whatever was not committed never will be."""
        self.is_gone = False
        """Nobody of it is left: who still asks is told so."""
        self.slow_seconds: dict[str, float] = {}
        """By file, how long each batch takes."""
        self.full: set[str] = set()
        """Files that cannot grow."""
        self.failing: dict[str, bool] = {}
        """By file, for which the disk reports an error whenever it commits: whether it was kept all the same."""

    def die_after(self, commits: int) -> None:
        """Before the first commit, or right after so many: committed, and nobody has been told."""
        self.commits_until_death = commits
        if commits == 0:
            self.death.set()

    def committed(self) -> None:
        self.commits += 1
        if self.commits_until_death is not None:
            self.commits_until_death -= 1
            if self.commits_until_death <= 0:
                self.death.set()


class _Never(threading.Thread):
    """In the place of a lane's thread, which was never begun."""

    def join(self, timeout: float | None = None) -> None:
        return


class _Queue:
    """A lane's jobs, done in the loop."""

    def __init__(self, lane: Lane, disk: Disk) -> None:
        self._lane = lane
        self._disk = disk
        self._jobs: deque[Job | None] = deque()
        self._is_due = False
        self._has_waited = False
        self._limited: Opened | None = None
        """The open file that was told how large it may be at most."""
        self._failing: Opened | None = None
        """The open file whose commits fail for as long as its disk does."""

    def put(self, job: Job | None) -> None:
        self._jobs.append(job)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._work)

    def _wait(self, seconds: float) -> None:
        self._is_due = True
        if self._lane._step_begun is None:
            self._lane._step_begun = asyncio.get_running_loop().time()
        asyncio.get_running_loop().call_later(seconds, self._work)

    def _work(self) -> None:
        self._is_due = False
        lane, disk = self._lane, self._disk
        if disk.is_gone:
            self._end()
        elif not disk.death.is_set() and self._jobs:
            if not lane._gate.is_set():
                self._is_due = True
                if lane._step_begun is None:
                    lane._step_begun = asyncio.get_running_loop().time()
                _when_open(lane._gate, lambda: asyncio.get_running_loop().call_soon(self._work))
                return
            seconds = disk.slow_seconds.get(lane.name, 0.0)
            if seconds and not self._has_waited:
                self._has_waited = True
                self._wait(seconds)
                return
            self._has_waited = False
            self._do()

    def _do(self) -> None:
        lane, disk = self._lane, self._disk
        batch: list[Job] = []
        while self._jobs and len(batch) < BATCH_JOBS_MAX:
            job = self._jobs.popleft()
            if job is None:
                self._jobs.appendleft(None)
                break
            batch.append(job)
        if batch:
            if isinstance(lane, WriteLane):
                self._limit(lane)
                if lane.name in disk.failing and lane._opened is not self._failing:
                    self._failing = lane._opened
                    _fail(lane, disk)
            answers = lane._run(batch)
            lane._step_begun = None
            if answers.committed is not None:
                disk.committed()
                if disk.death.is_set():
                    return
            lane._deliver(lane, answers)
            lane._tidy()
        if self._jobs and self._jobs[0] is None:
            self._end()
        elif self._jobs and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._work)

    def _limit(self, lane: WriteLane) -> None:
        """Let its file be as large as it is now, or again as large as it likes."""
        opened = lane._opened
        is_full = lane.name in self._disk.full
        if opened is None or not (is_full or opened is self._limited):
            return
        self._limited = opened if is_full else None
        try:
            pages = opened.connection.execute("PRAGMA page_count").fetchone()[0] if is_full else PAGES_MAX
            opened.connection.execute(f"PRAGMA max_page_count = {pages}")
        except sqlite3.Error:
            # The file is not what it was; the lane finds out.
            return

    def _end(self) -> None:
        for job in self._jobs:
            if job is not None and not job.answer.done():
                self._lane.waiting.discard(job)
                job.answer.set_exception(Unreachable(self._lane.name, "the process is gone"))
        is_over = None in self._jobs
        self._jobs.clear()
        if is_over:
            self._lane._end()
            if not self._lane._ended.done():
                self._lane._ended.set_result(None)

    def bury(self) -> None:
        """The process is gone: nobody is left waiting, and its file is closed."""
        self._end()
        for job in list(self._lane.waiting):
            if not job.answer.done():
                job.answer.set_exception(Unreachable(self._lane.name, "the process is gone"))
        if isinstance(self._lane, FileLane):
            self._lane._drop()


def _when_open(gate: threading.Event, then: Callable[[], object]) -> None:
    """Once, when it is opened."""
    open_ = gate.set

    def set_() -> None:
        vars(gate)["set"] = open_
        open_()
        then()

    vars(gate)["set"] = set_


def _fail(lane: WriteLane, disk: Disk) -> None:
    """Let its commits be errors of the disk for as long as that fails. The lane opens the file anew after each."""
    opened = lane._opened
    if opened is None:
        return
    run = opened.run

    def failing(statement: str, *parameters: Any) -> sqlite3.Cursor:
        is_kept = disk.failing.get(lane.name)
        if statement != "COMMIT" or is_kept is None:
            return run(statement, *parameters)
        run("COMMIT" if is_kept else "ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    opened.run = failing


class Lanes:
    """Begins the lanes of one process after the other, each on the disk of its time."""

    def __init__(self) -> None:
        self.disk = Disk()
        self._queues: list[_Queue] = []

    def begin(self, lane: Lane) -> threading.Thread:
        queue = _Queue(lane, self.disk)
        self._queues.append(queue)
        lane._queue = queue  # type: ignore[assignment]
        return _Never()

    def bury(self) -> None:
        """The process that was is gone."""
        self.disk.is_gone = True
        for queue in self._queues:
            queue.bury()

    def anew(self) -> Disk:
        self.disk = Disk()
        self._queues.clear()
        return self.disk


@contextmanager
def virtual() -> Iterator[tuple[Callable[[Any], Any], Lanes]]:
    """A runner of coroutines on a loop of its own, and the lanes of what is run by it."""
    loop = VirtualLoop()
    with ticking_by(loop.time), asyncio.Runner(loop_factory=lambda: loop) as runner:
        lanes = runner.run(_made())
        with lanes_begun_by(lanes.begin):
            yield runner.run, lanes


async def _made() -> Lanes:
    return Lanes()
