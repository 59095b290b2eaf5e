"""Lanes: the threads that wait for the disk, so that the event loop never does.

Each file has one write lane, whose connection is the only one that writes and checkpoints (SQLite before 3.51.3
can corrupt a file in WAL mode that two connections checkpoint at once), one read lane, and one probe. A lane is
a daemon thread that its first job starts, with a queue. The writer drains its queue into one group commit: each
job in a savepoint, so that one that is refused leaves its neighbours; answered after the commit, all by one
call into the loop. A job without neighbours needs no savepoint, which would keep a copy of every page that it writes.
The log is copied into the file when everybody has been answered, so that no commit waits for it.

Whoever waits may give up: a claim, taken by the thread right before it runs a job or by whoever gives up first,
settles whether the job was run. A lane that hangs is never replaced, so there is never a second writer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from backend.clock import monotonic_seconds
from backend.cloud.errors import CloudError, OutcomeUnknown
from backend.durations import Durations
from backend.store.files import FileFault, Identity, Opened, fault_of
from backend.store.migrations import FileKind
from backend.store.transaction import Touched

BATCH_JOBS_MAX = 256
"""So that a flood cannot hold a commit, and everybody's answer, for long."""
FULL_SECONDS = 60.0
"""For as long a file is said to be on a full disk after a refusal. A cloud whose time runs writes more often."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a group commit left behind."""

    file: str
    event_number: int
    """The last event of the file."""
    next_due: datetime | None
    """When the next thing of the file falls due."""


@dataclass(frozen=True, slots=True)
class CommitDetails:
    """What only the store wants to know of a commit."""

    commit: Commit
    epoch: int
    touched: Sequence[Touched]
    """Servers and drives that were written, in order."""
    open_tasks: int
    """How many it left open."""


class Job:
    """A function for a lane, and the future of its answer."""

    __slots__ = ("_claim", "answer", "function", "is_given_up")

    def __init__(self, function: Callable[[Any], Any], answer: asyncio.Future[Any]) -> None:
        self.function = function
        self.answer = answer
        self.is_given_up = False
        """Set on the loop: nobody waits any more for what was claimed by the thread."""
        self._claim = threading.Lock()

    def claim(self) -> bool:
        """True for the first who asks: the thread that is about to run it, or the loop that gives up."""
        return self._claim.acquire(blocking=False)


@dataclass(slots=True)
class Answers:
    """What a thread tells the loop about one batch."""

    jobs: list[tuple[Job, Any, BaseException | None]] = field(default_factory=list)
    """Job, value, error."""
    committed: CommitDetails | None = None
    fault: FileFault | None = None
    """What is wrong with the file."""


def _begin_thread(lane: Lane) -> threading.Thread:
    thread = threading.Thread(target=lane._work, name=f"lane {lane.name}", daemon=True)
    thread.start()
    return thread


_beginnings: list[Callable[[Lane], threading.Thread]] = [_begin_thread]


@contextmanager
def lanes_begun_by(begin: Callable[[Lane], threading.Thread]) -> Iterator[None]:
    """Let something else do the lanes' work: a simulation runs it in its loop, so that one seed is always one story."""
    _beginnings.append(begin)
    try:
        yield
    finally:
        _beginnings.remove(begin)


class Lane:
    """A daemon thread with a queue. Subclasses say what it does with a batch; this class is used from the loop."""

    def __init__(self, name: str, gate: threading.Event, deliver: Callable[[Lane, Answers], None]) -> None:
        self.name = name
        self.waiting: set[Job] = set()
        """Jobs that have had no answer yet. The loop's."""
        self._gate = gate
        """Open, but for the injected fault `hung`: then the thread waits before each step."""
        self._deliver = deliver
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None]
        self._step_begun: float | None = None

    def submit(self, function: Callable[[Any], Any]) -> Job:
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._ended = loop.create_future()
            self._thread = _beginnings[-1](self)
        job = Job(function, loop.create_future())
        self.waiting.add(job)
        self._queue.put(job)
        return job

    def silent_seconds(self) -> float:
        """How long the thread has been in its present step; 0 between steps. Time in the queue does not count."""
        begun = self._step_begun
        return 0.0 if begun is None else monotonic_seconds() - begun

    def answered(self, answers: Answers) -> None:
        """On the loop: hand out what the thread brought."""
        for job, value, error in answers.jobs:
            self.waiting.discard(job)
            if job.answer.done():
                continue
            if error is None:
                job.answer.set_result(value)
            else:
                job.answer.set_exception(error)

    def give_up(self, refused: Callable[[], CloudError], unknown: Callable[[], CloudError]) -> None:
        """On the loop: answer everybody who waits. What the thread has not begun, it never will."""
        for job in list(self.waiting):
            never_ran = job.claim()
            job.is_given_up = True
            if not job.answer.done():
                job.answer.set_exception(refused() if never_ran else unknown())
        self.waiting.clear()

    async def close(self, seconds: float) -> None:
        """Let the thread finish what it has, close its connection, and end. Leave it behind if it does not."""
        if self._thread is None:
            return
        self._queue.put(None)
        done, _ = await asyncio.wait({self._ended}, timeout=seconds)
        if done:
            # Saying so was the last that it did.
            self._thread.join()

    def forget(self, job: Job) -> None:
        """On the loop: whoever asked for this was cancelled."""
        if job.claim():
            self.waiting.discard(job)

    # In the thread

    def _work(self) -> None:
        is_open = True
        while is_open:
            job = self._queue.get()
            batch: list[Job] = []
            while job is not None:
                batch.append(job)
                if len(batch) == BATCH_JOBS_MAX:
                    break
                try:
                    job = self._queue.get_nowait()
                except Empty:
                    break
            else:
                is_open = False
            if batch:
                answers = self._run(batch)
                self._step_begun = None
                self._tell(self._deliver, self, answers)
                self._tidy()
        self._end()
        self._tell(self._ended.set_result, None)

    def _tell(self, call: Callable[..., Any], *values: Any) -> None:
        try:
            self._ended.get_loop().call_soon_threadsafe(call, *values)
        except RuntimeError:
            # The loop has been closed: there is nobody left to tell.
            return

    def _step(self) -> None:
        """Begin a step: from here the deadline runs."""
        self._step_begun = monotonic_seconds()
        if not self._gate.is_set():
            self._gate.wait()
            self._step_begun = monotonic_seconds()

    def _run(self, batch: list[Job]) -> Answers:
        raise NotImplementedError

    def _tidy(self) -> None:
        """What nobody has to wait for: everybody has been answered."""

    def _end(self) -> None:
        pass


class ProbeLane(Lane):
    """Runs functions that open and close the file themselves."""

    def _run(self, batch: list[Job]) -> Answers:
        answers = Answers()
        for job in batch:
            self._step()
            if job.claim():
                try:
                    answers.jobs.append((job, job.function(None), None))
                except BaseException as error:  # the caller's, who waits on the loop
                    answers.jobs.append((job, None, error))
        return answers


class FileLane(Lane):
    """A lane with a connection, opened by its first job and again after every fault."""

    def __init__(
        self,
        name: str,
        kind: FileKind,
        gate: threading.Event,
        deliver: Callable[[Lane, Answers], None],
        *,
        open_: Callable[[], Opened],
        busy_seconds_max: float,
    ) -> None:
        super().__init__(name, gate, deliver)
        self._kind = kind
        self._open = open_
        self._busy_seconds_max = busy_seconds_max
        self._opened: Opened | None = None
        self._path: Path | None = None

    @property
    def identity(self) -> Identity | None:
        """Of the file that it has open. Read from any thread."""
        opened = self._opened
        return None if opened is None else opened.identity

    def _end(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _ready(self) -> Opened:
        """The open file. Raises FileFault."""
        if self._opened is None:
            opened: Opened = self._patiently(self._open)
            self._opened, self._path = opened, opened.identity.path
        return self._opened

    def _patiently(self, begin: Callable[[], Any]) -> Any:
        """Wait for another process's lock, but not past the deadline."""
        ends = monotonic_seconds() + self._busy_seconds_max
        while True:
            try:
                return begin()
            except FileFault as fault:
                if not fault.is_busy or monotonic_seconds() > ends:
                    raise
            except sqlite3.Error as error:
                found = self._fault_of(error)
                if found is None:
                    raise
                if not found.is_busy or monotonic_seconds() > ends:
                    raise found from error
            self._step_begun = monotonic_seconds()

    def _fault_of(self, error: sqlite3.Error) -> FileFault | None:
        """What an error says of the file that was opened."""
        assert self._path is not None, "what fails before that is a fault already"
        return fault_of(error, self._kind, self._path)

    def _drop(self) -> None:
        """Close after a fault; the next job opens anew."""
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                opened.close()
            except sqlite3.Error:
                # It is being left because it does not work.
                return


def identities(*lanes: FileLane) -> list[Identity]:
    """Of the files that they have open."""
    return [identity for lane in lanes if (identity := lane.identity) is not None]


class ReadLane(FileLane):
    """One snapshot for each job, on a connection that cannot write."""

    def _run(self, batch: list[Job]) -> Answers:
        answers = Answers()
        for job in batch:
            self._step()
            if not job.claim():
                continue
            try:
                answers.jobs.append((job, self._read(job), None))
            except FileFault as fault:
                self._drop()
                answers.fault = fault
                answers.jobs.append((job, None, fault.refusal(self.name)))
            except BaseException as error:  # the caller's, who waits on the loop
                answers.jobs.append((job, None, error))
        return answers

    def _read(self, job: Job) -> Any:
        opened = self._ready()
        opened.identity.check()
        run = opened.run
        try:
            run("BEGIN")
            try:
                opened.transaction.start_batch()
                return job.function(opened.transaction)
            finally:
                if opened.connection.in_transaction:
                    run("ROLLBACK")
        except sqlite3.Error as error:
            fault = self._fault_of(error)
            # A job that tries to write here is wrong; the file is not.
            if fault is None or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise
            raise fault from error


class WriteLane(FileLane):
    """Group commits: the one writer of its file."""

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.commits = Durations()
        """How long each group commit took, from when its first job left the queue."""
        self.happened: Counter[str] = Counter()
        """Events by kind, since the start."""
        self._refused_at: float | None = None

    @property
    def is_full(self) -> bool:
        """Whether changes were refused within the last minute because the disk is full, and none was taken since."""
        at = self._refused_at
        return at is not None and monotonic_seconds() - at < FULL_SECONDS

    def _run(self, batch: list[Job]) -> Answers:
        answers = Answers()
        begun = monotonic_seconds()
        self._step()
        try:
            opened = self._ready()
            self._patiently(lambda: opened.run("BEGIN IMMEDIATE"))
        except (FileFault, sqlite3.Error) as error:
            self._refuse(batch, answers, error)
            return answers
        try:
            is_changed = self._run_jobs(opened, batch, answers)
            self._finish(opened, answers, is_changed=is_changed)
            if answers.committed is not None:
                self.commits.take(monotonic_seconds() - begun)
        except (FileFault, sqlite3.Error) as error:
            self._roll_back(opened)
            self._refuse(batch, answers, error)
        except BaseException as error:  # a bug of ours: those who wait hear of it, and the thread lives
            self._roll_back(opened)
            answers.jobs = [(job, None, error) for job in batch]
        return answers

    def _run_jobs(self, opened: Opened, batch: list[Job], answers: Answers) -> bool:
        """Each in its savepoint, unless it is alone. True if anything was written by one that was kept."""
        run = opened.run
        is_alone = len(batch) == 1
        transaction = opened.transaction
        transaction.start_batch()
        is_changed = False
        for job in batch:
            self._step()
            if not job.claim():
                continue
            writes = opened.connection.total_changes
            if not is_alone:
                run("SAVEPOINT job")
            try:
                value = job.function(transaction)
            except BaseException as error:  # the caller's, who waits on the loop
                fault = self._fault_of(error) if isinstance(error, sqlite3.Error) else None
                if fault is not None:
                    answers.jobs.append((job, None, fault.refusal(self.name)))
                    raise fault from error
                # Alone, it is rolled back with the transaction, because nothing was kept.
                if not is_alone:
                    run("ROLLBACK TO job")
                    run("RELEASE job")
                transaction.drop_job()
                answers.jobs.append((job, None, error))
            else:
                if not is_alone:
                    run("RELEASE job")
                transaction.keep_job()
                is_changed = is_changed or opened.connection.total_changes != writes
                answers.jobs.append((job, value, None))
        return is_changed

    def _finish(self, opened: Opened, answers: Answers, *, is_changed: bool) -> None:
        """Commit, and make sure that it went into the file that has the name. Raises when it surely did not."""
        self._step()
        run = opened.run
        try:
            opened.identity.check()
        except FileFault:
            # What was done, or refused, was of another file.
            answers.jobs = []
            raise
        if not is_changed:
            # What is known of the file is still so.
            run("ROLLBACK")
            return
        if all(job.is_given_up for job, _, _ in answers.jobs):
            run("ROLLBACK")
            opened.transaction.drop_batch()
            return
        epoch = opened.epoch
        if self._kind == "cell":
            epoch += 1
            run("UPDATE identity SET epoch = ?, file_epoch = ?", (epoch, opened.file_epoch))
        commit = Commit(self.name, opened.transaction.last_event_number(), opened.transaction.next_due())
        open_tasks = opened.transaction.open_tasks_after_batch()
        opened.transaction.before_commit(epoch)
        try:
            run("COMMIT")
            opened.identity.check()
        except (FileFault, sqlite3.Error) as error:
            fault = self._fault(error)
            if fault.is_full and not fault.is_down:
                # The mark of a commit is the last that is written of it: it is not in the log, and SQLite has rolled
                # back. Whoever asked is refused.
                raise
            # It may be in the file, in a file without a name, or nowhere.
            self._drop()
            answers.fault = fault
            answers.fault.is_down = True
            answers.jobs = [(job, None, refusal or OutcomeUnknown(self.name)) for job, _, refusal in answers.jobs]
            return
        opened.epoch = epoch
        self._refused_at = None
        self.happened.update(opened.transaction.kinds_of_batch())
        answers.committed = CommitDetails(commit, epoch, opened.transaction.keep_batch(), open_tasks)

    def _tidy(self) -> None:
        if self._opened is None:
            return
        self._step_begun = monotonic_seconds()
        try:
            self._opened.checkpoint()
        except sqlite3.Error:
            # Everything is in the log all the same. Whoever comes next finds out what is wrong with the file.
            self._drop()
        self._step_begun = None

    def _refuse(self, batch: list[Job], answers: Answers, error: FileFault | sqlite3.Error) -> None:
        """Nothing of the batch was done, and everybody is told so."""
        fault = self._fault(error)
        if fault.is_down or self._opened is None:
            self._drop()
        answers.fault = fault
        if fault.is_full and not fault.is_down:
            self._refused_at = monotonic_seconds()
        kept = {id(job): (job, error) for job, _, error in answers.jobs if error is not None}
        answers.jobs = []
        for job in batch:
            if id(job) in kept:
                answers.jobs.append((job, None, kept[id(job)][1]))
            else:
                job.claim()
                answers.jobs.append((job, None, fault.refusal(self.name)))

    def _roll_back(self, opened: Opened) -> None:
        opened.transaction.drop_batch()
        try:
            if opened.connection.in_transaction:
                opened.connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop()

    def _fault(self, error: FileFault | sqlite3.Error) -> FileFault:
        if isinstance(error, FileFault):
            return error
        return self._fault_of(error) or FileFault(f"the file failed: {error}")
