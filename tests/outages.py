"""Ways in which a cell stops answering, each done to real files and threads, and each put right again."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from backend.cloud.model import ReachabilityState
from backend.operations import cells
from backend.store.link import CellLink
from tests.backend.support import Harness

IMPATIENT_SECONDS, PATIENT_SECONDS = 0.02, 5.0
"""How long a cell that is out is waited for, and any other."""
OPENING_SECONDS = 0.15
"""How long a cell is waited for where one of them is locked when the backend starts."""


def cell_file(folder: Path, cell: str) -> Path:
    return folder / "cells" / f"{cell}.db"


def link_of(on: Harness, cell: str) -> CellLink:
    return on.cloud.store._links[cell]


def wait_for(link: CellLink, seconds: float) -> None:
    """Wait so long for this cell from now on. The healthy ones are never in such a hurry that load could matter."""
    link._deadline = seconds
    if link._watchdog is not None:
        # It would look again no sooner than it was told before.
        link._watchdog.cancel()
        link._watchdog = None
    link.writer._busy_seconds_max = link.reader._busy_seconds_max = seconds


def copy_database(source: Path, target: Path) -> None:
    """All that was committed, in a file of its own. Read by SQLite: a plain read would drop the locks of the others."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(target)) as write,
    ):
        read.backup(write)


def epoch_of(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT epoch FROM identity").fetchone()[0])


class Outage:
    """One cell that is kept from answering."""

    def __init__(self, folder: Path, cell: str) -> None:
        self.folder = folder
        self.cell = cell
        self.path = cell_file(folder, cell)

    async def begin(self, on: Harness) -> None:
        raise NotImplementedError

    async def end(self, on: Harness) -> None:
        """All is as it should be again; nobody has been asked yet."""
        raise NotImplementedError

    def restarted(self) -> None:
        """The backend is another one: what was wrong with its threads is gone with them."""


class Injected(Outage):
    def __init__(self, folder: Path, cell: str, state: ReachabilityState) -> None:
        super().__init__(folder, cell)
        self.state = state

    async def begin(self, on: Harness) -> None:
        await cells.inject(on.cloud, on.operator, self.cell, self.state)

    async def end(self, on: Harness) -> None:
        await cells.inject(on.cloud, on.operator, self.cell, ReachabilityState.UP)


# --- its file ---------------------------------------------------------------------------------------------------------


class Gone(Outage):
    """The file has another name, or is deleted and comes back from a copy; `put` leaves something else in its place."""

    def __init__(
        self,
        folder: Path,
        cell: str,
        put: Callable[[Path], object] = lambda path: None,
        *,
        is_copied: bool = False,
        takes_log: bool = False,
    ) -> None:
        super().__init__(folder, cell)
        self.put = put
        self.is_copied = is_copied
        self.takes_log = takes_log
        self.kept = folder / f"{cell}.kept"

    @property
    def names(self) -> Sequence[str]:
        return ("", "-wal", "-shm") if self.takes_log else ("",)

    async def begin(self, on: Harness) -> None:
        if self.is_copied:
            copy_database(self.path, self.kept)
            self.path.unlink()
        else:
            self.take_away()
        self.put(self.path)

    async def end(self, on: Harness) -> None:
        self.put_back()

    def take_away(self) -> None:
        for suffix in self.names:
            file = Path(f"{self.path}{suffix}")
            if file.exists():
                file.rename(f"{self.kept}{suffix}")

    def put_back(self) -> None:
        if self.path.is_dir():
            self.path.rmdir()
        for suffix in self.names:
            file, kept = Path(f"{self.path}{suffix}"), Path(f"{self.kept}{suffix}")
            if suffix:
                file.unlink(missing_ok=True)
            if kept.exists():
                kept.replace(file)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 400)


def nothing_in_it(path: Path) -> None:
    path.write_bytes(b"")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


IN_PLACE: Mapping[str, Callable[[Path], object]] = {
    "gone": lambda path: None,
    "garbage": garbage,
    "empty": nothing_in_it,
    "pipe": a_pipe,
    "folder": a_folder,
}


class Spoiled(Outage):
    """The beginning of the file is overwritten in place, which those who have it open do not notice."""

    HEADER = b"SQLite format 3\0"

    def __init__(self, folder: Path, cell: str) -> None:
        super().__init__(folder, cell)
        self._files: list[int] = []

    async def begin(self, on: Harness) -> None:
        self.write(b"no longer SQLite")

    async def end(self, on: Harness) -> None:
        self.write(self.HEADER)

    def write(self, header: bytes) -> None:
        # It stays open until the backend is closed: closing it would drop the locks that SQLite has in this process.
        self._files.append(os.open(self.path, os.O_WRONLY))
        os.pwrite(self._files[-1], header, 0)

    def restarted(self) -> None:
        while self._files:
            os.close(self._files.pop())


class Locked(Outage):
    """Somebody else writes, and does not come to an end."""

    async def begin(self, on: Harness) -> None:
        self.other = sqlite3.connect(self.path, isolation_level=None, timeout=1)
        self.other.execute("BEGIN IMMEDIATE")

    async def end(self, on: Harness) -> None:
        self.other.close()


# --- its threads ------------------------------------------------------------------------------------------------------


class TiredGate(threading.Event):
    """Shuts by itself after a number of steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.set()
        self._left = steps

    def is_set(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self.clear()
        return super().is_set()


class Hanging(Outage):
    """After some steps more its threads wait: before a batch, in the middle of it, or right before the commit."""

    def __init__(self, folder: Path, cell: str, steps: int) -> None:
        super().__init__(folder, cell)
        self.gate = TiredGate(steps)

    async def begin(self, on: Harness) -> None:
        link = link_of(on, self.cell)
        link._gate = link.writer._gate = link.reader._gate = link._probe._gate = self.gate

    async def end(self, on: Harness) -> None:
        self.restarted()

    def restarted(self) -> None:
        self.gate._left = 0
        self.gate.set()


class Vanishing(Gone):
    """The file loses its name in the middle of a commit: it is committed, and nobody can be told."""

    async def begin(self, on: Harness) -> None:
        opened = link_of(on, self.cell).writer._opened
        if opened is not None:
            self.transaction: Any = opened.transaction
            vars(self.transaction)["before_commit"] = self.before_commit

    def before_commit(self, epoch: int) -> None:
        """In the writer's thread, between its last look at the name and the commit."""
        self.restarted()
        self.take_away()
        self.transaction.before_commit(epoch)

    async def end(self, on: Harness) -> None:
        self.restarted()
        await super().end(on)

    def restarted(self) -> None:
        if hasattr(self, "transaction"):
            vars(self.transaction).pop("before_commit", None)


NAMES = (
    "down",
    "hung",
    "hanging",
    "vanishing",
    "gone",
    "gone with its log",
    "deleted",
    "garbage",
    "empty",
    "pipe",
    "folder",
    "spoiled",
    "locked",
    "old copy",
)
TWICE = ("hanging", "vanishing", "old copy")
"""They are drawn twice as often: each of these is many."""


def some_outage(folder: Path, cell: str, chance: random.Random, old_copy: Path | None) -> tuple[str, Outage]:
    """One of them, with its name. `old_copy` lacks something that was acknowledged; None where there is none."""
    names = [name for name in (*NAMES, *TWICE) if name != "old copy" or old_copy is not None]
    name = chance.choice(names)
    is_copied = chance.random() < 0.5
    match name:
        case "down" | "hung":
            return name, Injected(folder, cell, ReachabilityState(name))
        case "hanging":
            return name, Hanging(folder, cell, chance.randrange(1, 14))
        case "vanishing":
            return name, Vanishing(folder, cell)
        case "spoiled":
            return name, Spoiled(folder, cell)
        case "locked":
            return name, Locked(folder, cell)
        case "gone with its log":
            return name, Gone(folder, cell, takes_log=True)
        case "deleted":
            return name, Gone(folder, cell, is_copied=True)
        case "old copy":
            assert old_copy is not None
            return name, Gone(folder, cell, partial(shutil.copyfile, old_copy), is_copied=is_copied)
        case _:
            return name, Gone(folder, cell, IN_PLACE[name], is_copied=is_copied)


def let_go(link: CellLink) -> None:
    """After its store was closed: the threads that it left behind end, as they would with their process."""
    link._gate.set()
    for lane in (link._probe, link.reader, link.writer):
        if lane._thread is not None:
            lane._queue.put(None)
            lane._thread.join(10)
            assert not lane._thread.is_alive(), f"a thread of {link.name} does not end"
