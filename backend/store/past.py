"""The store at a moment of the past, to be read like the store itself and never written.

It holds a copy of each file's rows (`past_files`) and moves them from one moment to the next by undoing or redoing the
events in between. So the first look costs the fleet, once, and each further one what happened between two looks.

A cell that was silent then is silent here, and what was last seen of it is what was in it when it fell silent. A cell
that cannot be read *now* cannot be read here either: of it only what is centrally known is told, and what was last
seen, where nothing was heard of it since. Else that is marked as not known of the moment.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from backend.cloud.errors import Invalid, Unreachable
from backend.cloud.model import Reachability, ReachabilityState
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.fleet import Store
from backend.store.lane import ProbeLane
from backend.store.past_files import Outrun, PastCell, PastCloud, PastFile
from backend.store.rows import instant_of

T = TypeVar("T")

CLOUD = "cloud"


class PastStore(Store):
    """`move` says which moment. Between two moves it answers like a store that stands still."""

    def __init__(self, live: Store) -> None:
        super().__init__(live.path, wall=lambda: self.at)
        self.at = live.created_at
        self.numbers: dict[str, int] = {}
        """The last event of each file that can be read, at the moment."""
        self.cloud_id, self.kind, self.seed, self.created_at = live.cloud_id, live.kind, live.seed, live.created_at
        self.cell_names, self.settings = live.cell_names, live.settings
        self._live = live
        self._cloud_then: PastCloud | None = None
        self._cells: dict[str, PastCell] = {}
        self._up_since: dict[str, datetime] = {}
        self._outdated: set[str] = set()
        self._states: dict[str, Reachability] = {}
        self._built_at = -1
        self._remembered: dict[str, int] = {}
        """The event of each silent cell of which cloud.db tells what was last seen."""
        gate = threading.Event()
        gate.set()
        self._lane = ProbeLane("the past", gate, lambda lane, answers: lane.answered(answers))

    async def close(self) -> None:
        await self._work(self._close)
        await self._lane.close(5.0)

    def _close(self) -> None:
        for file in (self._cloud_then, *self._cells.values()):
            if file is not None:
                file.close()
        self._cloud_then = None
        self._cells.clear()
        self._remembered.clear()

    # Moving

    async def move(self, at: datetime, file: str | None = None, number: int = 0) -> None:
        """Be at an instant, all of which has happened; or at one event of it, after those of it in files before.

        Raises:
            Invalid: nothing is recorded of it.
            Unreachable: cloud.db cannot be read.
        """
        found = {cell: self._live.reachability(cell) for cell in self.cell_names}
        silent = {cell for cell, each in found.items() if each.state is not ReachabilityState.UP}
        for cell, each in found.items():
            if self._up_since.get(cell) != each.since:
                # It may be another file by now.
                self._outdated.add(cell)
            self._up_since[cell] = each.since
        revision = self._live.revision
        await self._work(lambda: self._move(at, file, number, silent))
        self._built_at = revision
        self.at = at
        self.revision += 1

    def _move(self, at: datetime, file: str | None, number: int, silent: set[str]) -> None:
        def number_in(each: PastFile) -> int:
            if each.file == file:
                return max(each.beginning().number, min(number, each.last_number()))
            return each.number_at(at, is_over=file is None or each.file < file)

        try:
            cloud = self._open(silent)
            self._check_begun(at, cloud)
            cloud.move(number_in(cloud), at)
            for cell, each in self._cells.items():
                cloud.enter(cell, each.move(number_in(each), at))
            for cell in self.cell_names:
                self._settle(cloud, cell, at, is_readable=cell not in silent)
        except Outrun:
            # From a copy that is made now there is a way.
            self._close()
            self._move(at, file, number, silent)
            return
        except sqlite3.Error as error:
            self._close()
            raise Unreachable(CLOUD, f"the log cannot be read: {error}") from error
        self.settings = cloud.transaction.settings()
        self.numbers = {CLOUD: cloud.number, **{cell: file.number for cell, file in self._cells.items()}}

    def _open(self, silent: set[str]) -> PastCloud:
        """The copies of all files that can be read now, each made when it is first asked for."""
        for cell in (silent | self._outdated) & self._cells.keys():
            self._cells.pop(cell).close()
            self._remembered.pop(cell, None)
        self._outdated.clear()
        wanted = [cell for cell in self.cell_names if cell not in silent and cell not in self._cells]
        for cell in wanted:
            self._cells[cell] = PastCell(self.path / "cells" / f"{cell}.db", cell)
        if self._cloud_then is None:
            self._cloud_then = PastCloud(self.path / "cloud.db")
        for cell in wanted:
            self._cloud_then.agree(self._cells[cell])
        return self._cloud_then

    def _check_begun(self, at: datetime, cloud: PastCloud) -> None:
        files = (cloud, *self._cells.values())
        # Before the first event of a whole log there was nothing; before the beginning of another one nobody knows.
        forgotten = max(file.beginning().at for file in files)
        if forgotten:
            begun = instant_of(forgotten)
        else:
            begun = min((first for file in files if (first := file.first_at()) is not None), default=at)
        if at < begun:
            raise Invalid("at", f"lies before {begun:%Y-%m-%d %H:%M:%S} UTC, when what is recorded here begins")

    def _settle(self, cloud: PastCloud, cell: str, at: datetime, *, is_readable: bool) -> None:
        """Whether a cell answered, and what was last seen of it where it did not."""
        said = cloud.silence(cell)
        since = said.since or self.created_at
        if not is_readable:
            is_told = said.is_last and said.state != "up"
            cloud.remember_as_now(cell, at, is_told=is_told)
            self._remembered.pop(cell, None)
            reason = said.reason if is_told else "its log cannot be read now"
            state = ReachabilityState(said.state) if is_told else ReachabilityState.DOWN
            since = since if is_told else at
            self._states[cell] = Reachability(state, since, reason, is_injected=reason.startswith("injected"))
            return
        file = self._cells[cell]
        state = ReachabilityState(said.state)
        if state is not ReachabilityState.UP and self._remembered.get(cell) != file.number:
            open_tasks, _ = file.transaction.count_tasks()
            cloud.remember(cell, file.all(), known_at=since, open_tasks=open_tasks)
            self._remembered[cell] = file.number
        self._states[cell] = Reachability(state, since, said.reason, is_injected=said.reason.startswith("injected"))

    def was_built_beside(self, revision: int) -> bool:
        """Whether nothing has happened in the store since the moment was rebuilt."""
        return self._built_at == revision

    async def touched_since(self, numbers: dict[str, int]) -> dict[str, dict[str, set[str]]]:
        """By file and kind, the ids of what the events between the moment and another one are about."""

        def find() -> dict[str, dict[str, set[str]]]:
            assert self._cloud_then is not None, "whoever asks has moved here"
            files = {CLOUD: self._cloud_then, **self._cells}
            return {name: file.touched(numbers.get(name, 0), file.number) for name, file in files.items()}

        return await self._work(find)

    # Reading

    async def cloud_read(self, fn: Callable[[CloudTransaction], T]) -> T:
        def read() -> T:
            assert self._cloud_then is not None, "whoever reads has moved here"
            return fn(self._cloud_then.transaction)

        return await self._work(read)

    async def cloud_write(self, fn: Callable[[CloudTransaction], T]) -> T:
        """Into the copy alone: some answers are brought up to date when they are asked for."""
        return await self.cloud_read(fn)

    async def cell_read(self, cell: str, fn: Callable[[CellTransaction], T], *, is_recovery: bool = False) -> T:
        self._check_answers(cell)
        return await self._work(lambda: fn(self._cells[cell].transaction))

    async def cell_write(self, cell: str, fn: Callable[[CellTransaction], T], *, is_recovery: bool = False) -> T:
        """Carried out and taken back: what a plan asks about the room of then is tried like that of now."""
        self._check_answers(cell)
        return await self._work(lambda: self._cells[cell].tried(fn))

    async def each_cell(
        self, fn: Callable[[CellTransaction], T], *, cells: Iterable[str] | None = None
    ) -> dict[str, T | Unreachable]:
        asked = self.cell_names if cells is None else tuple(cells)

        def read() -> dict[str, T | Unreachable]:
            found: dict[str, T | Unreachable] = {}
            for cell in asked:
                state = self._states[cell]
                is_up = state.state is ReachabilityState.UP
                found[cell] = fn(self._cells[cell].transaction) if is_up else Unreachable(cell, state.reason)
            return found

        return await self._work(read)

    def reachability(self, cell: str) -> Reachability:
        return self._states[cell]

    def has_same_cells(self) -> bool:
        """Whether the cells that can be read are those that could when the moment was rebuilt."""
        return all((self._live.reachability(cell).state is ReachabilityState.UP) is (cell in self._cells)
                   for cell in self.cell_names)  # fmt: skip

    def _check_answers(self, cell: str) -> None:
        state = self._states[cell]
        if state.state is not ReachabilityState.UP:
            raise Unreachable(cell, state.reason)

    async def _work(self, fn: Callable[[], T]) -> T:
        job = self._lane.submit(lambda _: fn())
        value: Any = await job.answer
        found: T = value
        return found
