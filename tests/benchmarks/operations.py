"""Starts and stops a second, each durable before it is answered: through the operations, without HTTP.

A cloud of four cells with 24 hosts each, on a clock that stands still. *64 in flight*: so many callers, each of whom
waits for its answer before it asks again; the rival is plain sqlite3 in one thread with the same three writes (the
server, an event, a task) and a commit each. *One at a time*: one caller; the floor is what cannot be saved, the commits
times the disk's fsync, measured in the same round, and the CPU that was used. What falls due in between is run by the
engine, outside of the time that is counted.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from backend.cloud.model import GIB, Size
from backend.operations import servers
from backend.store import Commit
from tests.backend.support import Harness, make_folder, opened
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.measuring import Scale, fsync_seconds, interleaved, quantile, temporary_folder

IN_FLIGHT = 64
CELLS = ("cell-1", "cell-2", "cell-3", "cell-4")
HOSTS = 24
STARTED_AFTER_SECONDS = 60

PLAIN = "plain sqlite3, a commit each"
FLOOR = "commits x fsync + CPU"

FIGURES = {
    "in_flight": Figure(
        "durable starts and stops, 64 in flight", "/s", Budget(at_least=2_000), (PLAIN,), is_in_table=True
    ),
    "one_at_a_time": Figure(
        "durable starts and stops, one at a time", "ms", Budget(ratio_at_most=1.5), (FLOOR,), is_in_table=True
    ),
}

Verb = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Alone:
    """What one operation of one caller took, in milliseconds."""

    wall: float
    cpu: float
    fsync: float
    commits: float

    @property
    def floor(self) -> float:
        return self.commits * self.fsync + self.cpu


def run(scale: Scale) -> Iterator[Measured]:
    with temporary_folder() as folder, asyncio.Runner() as runner:
        path = folder / "data"
        make_folder(path, cells=CELLS, hosts=HOSTS, capacity=Size(96_000, 384 * GIB))
        stack = AsyncExitStack()
        cloud = runner.run(stack.enter_async_context(opened(path)))
        ids = runner.run(_make_servers(cloud, scale.of(512, 8)))
        with closing(_PlainStore(folder / "plain.db", len(ids))) as plain:
            ours, rival = interleaved(
                scale.of(7, 1), lambda: runner.run(_rate(cloud, ids)), lambda: plain.rate(2 * len(ids))
            )
        yield of_rounds("in_flight", ours, {PLAIN: rival}, fsync_ms=1000 * statistics.median(fsync_seconds(folder)))
        (alone,) = interleaved(scale.of(9, 1), lambda: runner.run(_alone(cloud, ids[: scale.of(60, 4)], folder)))
        yield of_rounds(
            "one_at_a_time",
            [each.wall for each in alone],
            {FLOOR: [each.floor for each in alone]},
            commits_each=quantile([each.commits for each in alone], 0.5),
            fsync_ms=quantile([each.fsync for each in alone], 0.5),
            cpu_ms=quantile([each.cpu for each in alone], 0.5),
        )
        runner.run(stack.aclose())


async def _make_servers(cloud: Harness, count: int) -> list[str]:
    """Stopped ones, turn by turn in the cells."""
    cells = itertools.cycle(CELLS)
    return [(await cloud.server(f"server-{n:04}", vcpus=1, gib=2, cell=next(cells))).id for n in range(count)]


def _verbs(cloud: Harness) -> tuple[Verb, Verb]:
    return (
        lambda id: servers.start_server(cloud.cloud, cloud.operator, id),
        lambda id: servers.stop_server(cloud.cloud, cloud.operator, id),
    )


async def _rate(cloud: Harness, ids: Sequence[str]) -> float:
    """Operations a second while all the servers are started, and then stopped."""
    seconds = 0.0
    for verb in _verbs(cloud):
        left = iter(ids)

        async def caller(verb: Verb = verb, left: Iterator[str] = left) -> None:
            for id in left:
                await verb(id)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
        seconds += time.perf_counter() - began
        await cloud.engine.advance(STARTED_AFTER_SECONDS)
    return 2 * len(ids) / seconds


async def _alone(cloud: Harness, ids: Sequence[str], folder: Path) -> _Alone:
    store = cloud.cloud.store
    told = store.on_commit
    assert told is not None, "a cloud listens to its store"
    commits = 0

    def count(commit: Commit) -> None:
        nonlocal commits
        commits += 1
        told(commit)

    wall = cpu = 0.0
    for verb in _verbs(cloud):
        store.on_commit = count
        began, began_cpu = time.perf_counter(), time.process_time()
        for id in ids:
            await verb(id)
        wall += time.perf_counter() - began
        cpu += time.process_time() - began_cpu
        store.on_commit = told
        await cloud.engine.advance(STARTED_AFTER_SECONDS)
    operations = 2 * len(ids)
    fsync = statistics.median(fsync_seconds(folder, operations))
    return _Alone(1000 * wall / operations, 1000 * cpu / operations, 1000 * fsync, commits / operations)


class _PlainStore:
    """Three tables, one connection, one thread."""

    def __init__(self, path: Path, count: int) -> None:
        self._ids = [f"server-{number}" for number in range(count)]
        self._connection = sqlite3.connect(path, isolation_level=None)
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("CREATE TABLE server (id TEXT PRIMARY KEY, state TEXT, host TEXT, body TEXT) STRICT")
        run("CREATE TABLE event (number INTEGER PRIMARY KEY, kind TEXT, object_id TEXT, changes TEXT) STRICT")
        run("CREATE TABLE task (id INTEGER PRIMARY KEY, kind TEXT, object_id TEXT, due_at TEXT) STRICT")
        self._connection.executemany(
            "INSERT INTO server VALUES (?, 'stopped', NULL, ?)", [(id, "x" * 300) for id in self._ids]
        )

    def rate(self, operations: int) -> float:
        run = self._connection.execute
        ids = itertools.cycle(self._ids)
        began = time.perf_counter()
        for _ in range(operations):
            id = next(ids)
            run("BEGIN IMMEDIATE")
            run("UPDATE server SET state = 'starting', host = 'h1' WHERE id = ?", (id,))
            run("INSERT INTO event (kind, object_id, changes) VALUES ('server.placed', ?, ?)", (id, "x" * 300))
            run("INSERT INTO task (kind, object_id, due_at) VALUES ('start', ?, '2026-11-20T12:00:08Z')", (id,))
            run("COMMIT")
        return operations / (time.perf_counter() - began)

    def close(self) -> None:
        self._connection.close()
