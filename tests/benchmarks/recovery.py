"""How long a cloud of 20,000 servers that was killed at work takes until it is ready again.

A process that makes and starts servers for 64 callers is killed by SIGKILL in the middle of it; then the folder is
opened, which reads what the logs hold, finishes or undoes what was half-way, and learns what is due. Beside it, in
turn, the same cloud closed as it should be. Each time another copy of the folder is opened: no run helps the next.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from backend.clock import Clock
from backend.cloud.model import GIB, Size
from backend.engine import Engine
from backend.folder import OPERATOR
from backend.operations import Cloud, servers
from backend.operations.servers import ServerSpec
from backend.store import Store
from tests.backend.crashing import failing_store
from tests.backend.killed import lived
from tests.benchmarks.figures import Budget, Figure, Measured, of_rounds
from tests.benchmarks.fleets import MADE_AT, make_fleet
from tests.benchmarks.measuring import Scale, interleaved, temporary_folder

SERVERS = 20_000
CALLERS = 64
MADE_BEFORE_THE_KILL = 400
RESERVED = "servers.create_server 1"
"""The write after which it is killed."""
CLOSED = "closed as it should be"

FIGURES = {
    "ready": Figure(
        "a cloud of 20,000 servers is ready after kill -9 at work",
        "ms",
        Budget(at_most=1000),
        (CLOSED,),
        is_in_table=True,
        shows_facts=True,
    )
}


async def _opened(folder: Path, kind: type[Store] = Store) -> tuple[Store, Cloud]:
    clock = Clock.manual(MADE_AT)
    store = await kind.open(folder, wall=clock.wall_now)
    cloud = Cloud(store, clock)
    await Engine(cloud).start()
    return store, cloud


async def _work_until_killed(folder: Path, many: int) -> None:
    done = 0

    def kill(site: str, _path: Path) -> None:
        if done >= many and site == RESERVED:
            # What was reserved right now is in no cell yet.
            os.kill(os.getpid(), signal.SIGKILL)

    _, cloud = await _opened(folder, failing_store(kill))
    operator = await cloud.account(OPERATOR)

    async def call(caller: int) -> None:
        nonlocal done
        while True:
            spec = ServerSpec(f"new-{caller}-{done}", Size(500, GIB))
            made = await servers.create_server(cloud, operator, spec)
            await servers.start_server(cloud, operator, made.id)
            done += 1

    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))


def _half_done(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "cloud.db")) as cloud:
        (count,) = cloud.execute("SELECT count(*) FROM server_directory WHERE state <> 'active'").fetchone()
        return int(count)


def _ready_ms(made: Path, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)

    async def ready() -> float:
        began = time.perf_counter()
        store, _ = await _opened(folder)
        taken = time.perf_counter() - began
        await store.close()
        return 1000 * taken

    return asyncio.run(ready())


def run(scale: Scale) -> Iterator[Measured]:
    with temporary_folder() as folder:
        closed = make_fleet(folder / "closed", running=scale.of(SERVERS, 80), spare_hosts=20)
        killed = Path(shutil.copytree(closed, folder / "killed"))
        ended = lived(lambda: _work_until_killed(killed, scale.of(MADE_BEFORE_THE_KILL, 70)))
        assert ended.status == -signal.SIGKILL, ended.errors
        log_bytes = sum(path.stat().st_size for path in killed.rglob("*.db-wal"))
        # Of a copy: looking would read the logs into the files.
        half_done = _half_done(Path(shutil.copytree(killed, folder / "looked at")))
        ours, theirs = interleaved(
            scale.of(7, 1),
            lambda: _ready_ms(killed, folder / "again"),
            lambda: _ready_ms(closed, folder / "again"),
        )
        yield of_rounds("ready", ours, {CLOSED: theirs}, half_done=half_done, log_bytes=log_bytes)
