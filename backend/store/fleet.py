"""The store: cloud.db and every cell file, behind lanes.

cloud.db is written through the same kind of lane as a cell but has no deadline: without it nothing can be done
anyway. A cell that does not answer is skipped; what was last known of it is in cloud.db, mirrored behind the
cells' commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import Reachability, ReachabilityState, Server
from backend.durations import Durations
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.creation import is_made, tidy_folder
from backend.store.damage import DamagedRow
from backend.store.entries import CellEntry, Page, PageRow
from backend.store.files import FolderError, Place, fault_of, open_file, path_of_cell
from backend.store.lane import Answers, Commit, CommitDetails, Job, Lane, ReadLane, WriteLane, identities
from backend.store.link import CellLink, Hooks
from backend.store.mirror import Mirror
from backend.store.pages import Query, Sort, page_servers

T = TypeVar("T")

LIST_DEADLINE_SECONDS = 0.2
"""How long a cell may take to answer before a probe is asked whether it does at all."""
WATCH_SECONDS = 0.5
"""How often pending pictures are written and cells that are due are asked."""
CLOUD_BUSY_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class FileFigures:
    """How it goes with one file."""

    name: str
    state: ReachabilityState | None
    """Of a cell."""
    writes_waiting: int
    reads_waiting: int
    commits: Durations
    log_bytes: int
    """Of its write-ahead log."""
    event_number: int | None
    """Of the last event that is known of; None where there was none since the start."""
    happened: Mapping[str, int]
    """Events by kind, since the start."""


class Store:
    """Everything durable. Used from one event loop; functions given to it run in the lanes' threads."""

    def __init__(self, path: Path, *, wall: Callable[[], datetime]) -> None:
        """Use `open`."""
        self.path = path
        self.cloud_id = ""
        self.kind = ""
        self.seed = 0
        self.created_at: datetime
        self.cell_names: tuple[str, ...] = ()
        """By position."""
        self.settings: Mapping[str, Any] = {}
        """As they were when the store was opened."""
        self.on_commit: Callable[[Commit], None] | None = None
        """After each group commit that brought events or work."""
        self.on_doubt: Callable[[], None] | None = None
        """After a group commit of cloud.db of which nobody knows whether it was kept."""
        self.on_reachability: Callable[[str, Reachability, Reachability], None] | None = None
        """Cell, before, after."""
        self.on_return: Callable[[str], Awaitable[None]] | None = None
        """Recovery of a cell that answers again, before anything else is let in: its own calls say `is_recovery`."""
        self.revision = 0
        """One more with every commit of any file, and whenever a cell falls silent or returns: what was read between
        two equal revisions is still what one would read."""
        self._wall = wall
        self._links: dict[str, CellLink] = {}
        self._unrecovered: set[str] = set()
        self._weights: dict[str, int] = {}
        self._quiet: dict[str, tuple[int, datetime | None]] = {}
        gate = threading.Event()
        gate.set()
        place = Place(path / "cloud.db", "cloud")
        self._writer = WriteLane(
            "cloud",
            "cloud",
            gate,
            self._delivered,
            open_=lambda: open_file(place, is_writer=True, wall=wall, opened=identities(self._reader)),
            busy_seconds_max=CLOUD_BUSY_SECONDS_MAX,
        )
        self._reader: ReadLane = ReadLane(
            "cloud",
            "cloud",
            gate,
            self._delivered,
            open_=lambda: open_file(place, is_writer=False, wall=wall, opened=identities(self._writer)),
            busy_seconds_max=CLOUD_BUSY_SECONDS_MAX,
        )
        self._mirror = Mirror(self, wall)

    # Opening and closing

    @classmethod
    async def open(
        cls, path: Path, *, wall: Callable[[], datetime], list_deadline_seconds: float = LIST_DEADLINE_SECONDS
    ) -> Store:
        """Open a folder made by `create_folder`. Raises FolderError if cloud.db cannot be used.

        A cell that cannot be used is down, and says why; the store opens without it.
        """
        path = Path.cwd() / path
        if not is_made(path):
            raise FolderError(f"{path} is not a Stratodeck folder: it has no cloud.db.")
        tidy_folder(path)
        store = cls(path, wall=wall)
        try:
            entries = await store._open_cloud()
            places = [Place(path_of_cell(path, each.name), "cell", store.cloud_id, each.name) for each in entries]
        except FolderError:
            await store.close()
            raise
        hooks = Hooks(committed=store._cell_committed, changed=store._cell_changed, returned=store._cell_returned)
        for entry, place in zip(entries, places, strict=True):
            store._links[entry.name] = CellLink(
                place,
                epoch=entry.epoch,
                injected=entry.injected,
                silent_since=entry.silent_since,
                wall=wall,
                deadline_seconds=list_deadline_seconds,
                hooks=hooks,
            )
            store._mirror.mirrored[entry.name] = entry.mirrored_event
        await asyncio.gather(*(link.open() for link in store._links.values()))
        return store

    async def _open_cloud(self) -> list[CellEntry]:
        def read(transaction: CloudTransaction) -> Any:
            return transaction.identity(), transaction.settings(), transaction.cells()

        # By the writer: it migrates. What is wrong with the file is told in full, not as a cell that does not answer.
        job = self._writer.submit(read)
        try:
            identity, self.settings, entries = await job.answer
        except Unreachable as error:
            raise FolderError(f"The data folder {self.path} cannot be used: {error.reason}.") from error
        self.cloud_id, self.kind, self.seed, self.created_at = identity
        self.cell_names = tuple(entry.name for entry in entries)
        found: list[CellEntry] = entries
        return found

    async def close(self) -> None:
        """Write what is pending, then let every thread end. One that hangs is left behind: it is a daemon."""
        if self._links:
            # What is not written stays pending, and after a restart the cells' events tell of it.
            with contextlib.suppress(Unreachable, OutcomeUnknown):
                await self.flush_last_known()
        await asyncio.gather(*(link.close() for link in self._links.values()))
        for lane in (self._reader, self._writer):
            await lane.close(5.0)

    # Reading and writing

    async def cloud_read(self, fn: Callable[[CloudTransaction], T]) -> T:
        """Run `fn` on one snapshot of cloud.db. Raises what it raised, or Unreachable."""
        return await self._cloud(self._reader, fn)

    async def cloud_write(self, fn: Callable[[CloudTransaction], T]) -> T:
        """Run `fn` in a transaction on cloud.db: durable when this returns. If it raises, nothing of it is kept."""
        return await self._cloud(self._writer, fn)

    async def cell_read(self, cell: str, fn: Callable[[CellTransaction], T], *, is_recovery: bool = False) -> T:
        """Run `fn` on one snapshot of the cell. Raises what it raised, or Unreachable."""
        link = self._links[cell]
        value: T = await link.run(link.reader, fn, is_recovery=is_recovery)
        return value

    async def cell_write(self, cell: str, fn: Callable[[CellTransaction], T], *, is_recovery: bool = False) -> T:
        """Run `fn` in a transaction on the cell: durable when this returns. If `fn` raises, nothing of it is kept.

        Raises Unreachable when surely nothing was done, OutcomeUnknown when it may have been. `is_recovery` is for
        `on_return` alone: it goes through while others are still refused.
        """
        link = self._links[cell]
        value: T = await link.run(link.writer, fn, is_recovery=is_recovery)
        return value

    async def each_cell(
        self, fn: Callable[[CellTransaction], T], *, cells: Iterable[str] | None = None
    ) -> dict[str, T | Unreachable]:
        """Run `fn` on a snapshot of each cell at once, for answers in the order of `cells`.

        A cell that does not answer gives its Unreachable. What `fn` raises in any cell is raised once all
        have answered.
        """
        found: dict[str, T | Unreachable] = {}
        jobs: dict[str, Job] = {}
        asked = self.cell_names if cells is None else tuple(cells)
        for cell in asked:
            link = self._links[cell]
            try:
                jobs[cell] = link.submit(link.reader, fn)
            except Unreachable as error:
                found[cell] = error
        answers = await asyncio.gather(*(job.answer for job in jobs.values()), return_exceptions=True)
        for cell, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, Unreachable):
                raise answer
            found[cell] = answer
        return {cell: found[cell] for cell in asked}

    async def page_servers(
        self,
        *,
        sort: Sort = "name",
        descending: bool = False,
        after: tuple[str, ...] | None = None,
        limit: int,
        projects: frozenset[str] | None = None,
        cells: Iterable[str] | None = None,
        name_contains: str | None = None,
        state: str | None = None,
    ) -> Page:
        """The next `limit` servers after `after` (a page's `next_after`) over the cells, in exact order."""
        assert limit > 0, "a page has at least one row"
        return await page_servers(
            lambda fn, wanted: self.each_cell(fn, cells=wanted),
            self.cell_names if cells is None else cells,
            Query(sort, descending, projects, name_contains, state),
            after=after,
            limit=limit,
            weights=self._weights,
        )

    def server_of(self, row: PageRow) -> Server:
        """Raises Unreachable where the row is damaged: its cell is down from then on."""
        try:
            return row.server()
        except DamagedRow as error:
            fault = fault_of(error, "cell", path_of_cell(self.path, row.cell))
            assert fault is not None, "damage is always a fault"
            self._links[row.cell].found_damaged(fault.reason)
            raise Unreachable(row.cell, fault.reason) from error

    async def _cloud(self, lane: Lane, fn: Callable[[CloudTransaction], T]) -> T:
        job = lane.submit(fn)
        try:
            value: T = await job.answer
        except asyncio.CancelledError:
            lane.forget(job)
            raise
        return value

    # How it goes

    def files(self) -> list[FileFigures]:
        """Of cloud.db, and of each cell. Asks no file."""
        found = [self._figures("cloud", self.path / "cloud.db", self._writer, self._reader, None)]
        for name, link in self._links.items():
            place = path_of_cell(self.path, name)
            found.append(self._figures(name, place, link.writer, link.reader, link.reachability.state))
        return found

    def _figures(
        self, name: str, place: Path, writer: WriteLane, reader: ReadLane, state: ReachabilityState | None
    ) -> FileFigures:
        try:
            log_bytes = os.stat(f"{place}-wal").st_size
        except OSError:
            log_bytes = 0
        told = self._quiet.get(name)
        return FileFigures(
            name,
            state,
            len(writer.waiting),
            len(reader.waiting),
            writer.commits,
            log_bytes,
            told[0] if told is not None else self._mirror.mirrored.get(name),
            dict(writer.happened),
        )

    # Whether the cells answer

    def reachability(self, cell: str) -> Reachability:
        return self._links[cell].reachability

    async def inject(
        self, cell: str, state: ReachabilityState, also: Callable[[CloudTransaction], None] = lambda tx: None
    ) -> None:
        """Make the cell down or hung; UP takes that away and asks it. Survives a restart.

        Args:
            also: What is written in the same transaction.
        """
        injected = None if state is ReachabilityState.UP else state

        def write(transaction: CloudTransaction) -> None:
            transaction.save_injected(cell, injected)
            also(transaction)

        await self.cloud_write(write)
        await self._links[cell].inject(state)

    async def ask(self, cell: str) -> Reachability:
        """Ask the cell now, once."""
        return await self._links[cell].ask()

    async def recover(self) -> None:
        """Run `on_return` for the cells that answered when the store was opened, before there was a hook. One of which
        a part cannot be read that nobody had asked for until now is down from here on."""
        for cell in sorted(self._unrecovered):
            if self._links[cell].is_up:
                await self._links[cell].recover()

    def full_files(self) -> tuple[str, ...]:
        """What takes no changes because the disk is full: `cloud`, and names of cells."""
        writers = {"cloud": self._writer, **{link.name: link.writer for link in self._links.values()}}
        return tuple(name for name, writer in writers.items() if writer.is_full)

    async def watch(self) -> None:
        """Without end: mirror what was written, and ask the cells that are due to be asked."""
        asking: set[asyncio.Task[Any]] = set()
        while True:
            # What is not written stays pending, and after a restart the cells' events tell of it.
            with contextlib.suppress(Unreachable, OutcomeUnknown):
                await self.flush_last_known()
            for link in self._links.values():
                if link.is_ask_due:
                    task = asyncio.get_running_loop().create_task(link.ask())
                    asking.add(task)
                    task.add_done_callback(asking.discard)
            await asyncio.sleep(WATCH_SECONDS)

    async def flush_last_known(self) -> None:
        """Write the pictures that are pending, and how far each cell has come."""
        await self._mirror.flush()

    # What links and lanes tell

    def _delivered(self, lane: Lane, answers: Answers) -> None:
        lane.answered(answers)
        if answers.committed is not None:
            self.revision += 1
            self._tell(answers.committed.commit)
        if self.on_doubt is not None and any(isinstance(error, OutcomeUnknown) for _, _, error in answers.jobs):
            self.on_doubt()

    def _cell_committed(self, link: CellLink, details: CommitDetails) -> None:
        self.revision += 1
        self._mirror.take(link.name, details)
        self._tell(details.commit)

    def _tell(self, commit: Commit) -> None:
        """A commit that brought neither events nor work, such as the mirror's own, wakes nobody."""
        news = (commit.event_number, commit.next_due)
        if self._quiet.get(commit.file) != news:
            self._quiet[commit.file] = news
            if self.on_commit is not None:
                self.on_commit(commit)

    def _cell_changed(self, link: CellLink, before: Reachability, after: Reachability) -> None:
        self.revision += 1
        if self.on_reachability is not None:
            self.on_reachability(link.name, before, after)

    async def _cell_returned(self, link: CellLink) -> None:
        self._mirror.behind.add(link.name)
        if self.on_return is None:
            self._unrecovered.add(link.name)
        else:
            self._unrecovered.discard(link.name)
            await self.on_return(link.name)
