"""Stories that are killed after each of their writes, and what must be true of what they leave behind.

A story is killed by SIGKILL in a copy of this process, in a copy of a folder; then the folder is opened, which
recovers it. Nothing else need be said of a story than what it does, because what it left is compared with what the
same story leaves when nobody kills it, and with what there was before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.check import check
from backend.cloud.errors import CloudError, Unreachable
from backend.store import CellTransaction, CloudTransaction, Store
from tests.backend import write_sites
from tests.backend.killed import Ended, lived
from tests.backend.support import Harness, opened
from tests.builders import NOON

T = TypeVar("T")

SETTLE_SECONDS = 600
"""After so long everything that a story began has ended."""
DONE = "acknowledged"
write_sites.functions()  # Read here, so that no copy of this process has to.


@dataclass(frozen=True, slots=True)
class Story:
    """What somebody asks for, in a cloud that is as `crash_stories.prepare` makes it."""

    name: str
    act: Callable[[Harness], Awaitable[object]]
    """May be asked for again by whoever heard no answer; then it may be refused because it is done."""
    is_whole: bool = True
    """Whether there is all of it or nothing; else asking for it again finishes it."""

    def __str__(self) -> str:
        return self.name


def failing_store(
    reached: Callable[[str, Path], None], refuses: Callable[[str], bool] = lambda site: False
) -> type[Store]:
    """A store whose every write is a failpoint, by the name of the place in the operations that asked for it.

    `reached` is told that and the file when the write is durable and nobody has been told so; what is refused is
    refused unwritten.
    """

    class FailingStore(Store):
        def cloud_write(self, fn: Callable[[CloudTransaction], T]) -> Coroutine[Any, Any, T]:
            return self._write(_caller(), "cloud", super().cloud_write(fn))

        def cell_write(
            self, cell: str, fn: Callable[[CellTransaction], T], *, is_recovery: bool = False
        ) -> Coroutine[Any, Any, T]:
            return self._write(_caller(), cell, super().cell_write(cell, fn, is_recovery=is_recovery))

        async def _write(self, site: str, file: str, write: Coroutine[Any, Any, T]) -> T:
            if file != "cloud" and refuses(site):
                write.close()
                raise Unreachable(file, "it fell silent right then")
            value = await write
            reached(site, self.path / ("cloud.db" if file == "cloud" else f"cells/{file}.db"))
            return value

    return FailingStore


def _caller() -> str:
    return write_sites.site_of(sys._getframe(2))


class Counted:
    """Kills this process after so many writes; tells where it was, and how much of which log was synced then."""

    def __init__(self, writes: int) -> None:
        self.left = writes
        self.is_counting = False

    def __call__(self, site: str, path: Path) -> None:
        if self.is_counting:
            print(f"{site}|{path.name}|{log_bytes(path)}", flush=True)
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def tell(on: Harness, story: Story) -> bool:
    """Whether it was done, or has been done already; False when it was refused."""
    try:
        await story.act(on)
    except CloudError:
        return False
    return True


def log_bytes(path: Path) -> int:
    """Of the file's write-ahead log: when a write has returned, all of it is synced."""
    return Path(f"{path}-wal").stat().st_size


@dataclass(frozen=True, slots=True)
class Written:
    """A write as it was told of by `Counted`."""

    site: str
    file: str
    """`cloud.db`, `cell-1.db`."""
    log_bytes: int
    is_acknowledged: bool
    """Whether the story was acknowledged before it."""


def writes_of(ended: Ended) -> list[Written]:
    found: list[Written] = []
    is_acknowledged = False
    for line in ended.output.splitlines():
        if line == DONE:
            is_acknowledged = True
        else:
            site, file, size = line.split("|")
            found.append(Written(site, file, int(size), is_acknowledged))
    return found


def live(folder: Path, story: Story, *, writes: int = 0, refused: str | None = None) -> Ended:
    """A life in which the story is told and what follows from it happens, cut off after so many writes; 0: never.

    Args:
        refused: The name of a write of a cell which the cell does not take.
    """
    counted = Counted(writes)

    async def life() -> None:
        store = failing_store(counted, lambda site: counted.is_counting and site == refused)
        async with opened(folder, at=latest(folder), store=store) as on:
            counted.is_counting = True
            if await tell(on, story):
                print(DONE, flush=True)
            await on.engine.advance(SETTLE_SECONDS)
            counted.is_counting = False

    return lived(life)


def live_opening(folder: Path, *, writes: int) -> Ended:
    """A life in which the folder is opened, which recovers it, cut off after so many writes."""
    counted = Counted(writes)
    counted.is_counting = True

    async def life() -> None:
        async with opened(folder, at=latest(folder), store=failing_store(counted)):
            counted.is_counting = False

    return lived(life)


async def settle(folder: Path) -> None:
    """Open the folder, which recovers it, and let time pass."""
    async with opened(folder, at=latest(folder)) as on:
        await on.engine.advance(SETTLE_SECONDS)


async def tell_again(folder: Path, story: Story) -> None:
    """Open the folder and ask for the story at once, and once more when everything has ended."""
    async with opened(folder, at=latest(folder)) as on:
        for _ in range(2):
            await tell(on, story)
            await on.engine.advance(SETTLE_SECONDS)


def latest(folder: Path) -> datetime:
    """The last instant that anything in the folder tells of: no clock goes back behind it."""
    found = [NOON]
    for path in (folder / "cloud.db", *sorted((folder / "cells").glob("*.db"))):
        with closing(sqlite3.connect(path)) as connection:
            (at,) = connection.execute("SELECT max(at) FROM event").fetchone()
            found += [] if at is None else [datetime.fromisoformat(at)]
            if path.stem == "cloud":
                (state,) = connection.execute("SELECT clock FROM cloud").fetchone()
                found.append(datetime.fromisoformat(json.loads(state)["simulated_at"]))
    return max(found)


def sites_of(ended: Ended) -> list[str]:
    """The places that wrote, in order."""
    return [each.site for each in writes_of(ended)]


def copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=lambda _, names: [name for name in names if name.endswith("-shm")])
    return target


def assert_whole(folder: Path) -> None:
    assert check(folder).breach is None, check(folder).breach


# --- what a folder holds ----------------------------------------------------------------------------------------------

LEFT_OUT = {
    "_sqlite_migrations", "closed_tick", "cloud", "correction", "event", "host_directory", "identity", "last_known",
    "late_step", "metered", "payment", "presumed_interval", "request", "server_key_pair", "sqlite_sequence",
    "task_put_off", "traffic_rate", "usage_interval", "usage_step",
}  # fmt: skip
"""What is told of what happened and when, rather than of what there is."""
FIELDS_LEFT_OUT = {
    "arrived_number", "attributes", "begun_number", "channel", "contents", "device", "displaced_count",
    "displaced_for", "drill_problem", "drill_seconds", "ended_number", "epoch", "host", "lost_from", "mirrored_event",
    "next_sequence", "notice_for", "number", "open_tasks", "parent_id", "payload", "place", "position", "reason",
    "result", "squeezed_by", "version",
}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def holds(folder: Path) -> Counter[str]:
    """Every row that says what there is, by names and without instants: equal for equal clouds with other ids."""
    rows: list[tuple[str, dict[str, Any]]] = []
    for path in (folder / "cloud.db", *sorted((folder / "cells").glob("*.db"))):
        rows += [(f"{path.stem} {table}", row) for table, row in _rows(path)]
    names = {row["id"]: f"<{row['name']}>" for _, row in rows if row.get("id") and row.get("name")}

    def told(value: object) -> object:
        return UUID.sub(lambda found: names.get(found[0], "<id>"), value) if isinstance(value, str) else value

    return Counter(
        f"{table} {json.dumps({key: told(value) for key, value in row.items() if _is_told(key)})}"
        for table, row in rows
    )


def _is_told(field: str) -> bool:
    return not (field in FIELDS_LEFT_OUT or field.endswith(("_at", "_since", "_until")))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall():
            if table not in LEFT_OUT:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    if table != "task" or row["state"] == "open":
                        yield table, {key: row[key] for key in row.keys()}  # noqa: SIM118  # of a sqlite3.Row


def difference(found: Counter[str], wanted: Counter[str]) -> str:
    """What there is too much of, and what is missing."""
    return "\n".join([*(f"+ {row}" for row in found - wanted), *(f"- {row}" for row in wanted - found)])
