"""Runs of `preemption`, each step in a process of its own, so that its peak of memory is its own.

`... make FOLDER FLOOR SHARE` makes the cloud and prints the ids of the servers to start as a JSON list. `... start
FOLDER` reads such a list, starts them, and prints what it found as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend import folder
from backend.__main__ import _loop_factory, collect_seldom
from backend.clock import Clock
from backend.cloud.backfill import floor_of
from backend.cloud.model import GIB, Account, Host, HostKind, HostState, Server, ServerState, Size
from backend.engine import Engine
from backend.operations import Cloud, servers
from backend.store import FolderWriter, Store, create_folder

CELLS = ("cell-1", "cell-2", "cell-3", "cell-4")
PROJECT = "00000000000040008000000000000001"
MADE_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
STARTED_FROM = MADE_AT - timedelta(days=1)
"""The backfilling servers, a second after each other."""
CLOUD_ID = "5d6e1d2e-6a5c-4f0f-9a6b-0d3c2f1b7a13"

HOSTS = 5_000
HOST_SIZE = Size(8_000, 64 * GIB)
BACKFILLING_ON_HOST = 4
BACKFILLING_SIZE = Size(1_800, 2 * GIB)
NORMAL_SIZE = Size(6_000, 8 * GIB)
ENDED_AFTER_SECONDS = 120


def make(path: Path, *, hosts: int, floor_permille: int) -> list[str]:
    """The folder of a cloud that is full of backfilling servers. Returns the ids of as many stopped normal ones."""
    normal: list[str] = []

    def fill(writer: FolderWriter) -> None:
        tx = writer.cloud
        tx.add_customer("customer", "customer")
        tx.add_project(PROJECT, "project", "customer")
        tx.add_account(Account("1", folder.OPERATOR, PROJECT, is_staff=True, may_backfill=True))
        tx.add_membership(folder.OPERATOR, "project_admin", PROJECT)
        for number in range(hosts):
            cell = CELLS[number % len(CELLS)]
            host = Host(_host(number), cell, HostKind.COMPUTE, HostState.UP, HOST_SIZE, state_since=STARTED_FROM)
            writer.cell(cell).add_host(host, at=STARTED_FROM)
        for server in _servers(writer, hosts, floor_permille):
            tx.add_server_entry(servers.entry_of(server, state="active"))
            writer.cell(server.cell).add_server(server, at=STARTED_FROM, actor=folder.OPERATOR)
            if not server.is_backfilling:
                normal.append(server.id)

    create_folder(
        path,
        cloud_id=CLOUD_ID,
        kind="empty",
        seed=1,
        created_at=MADE_AT,
        settings={"floor_permille": floor_permille},
        clock={"mode": "manual", "rate": 0, "simulated_at": MADE_AT.isoformat()},
        cells=CELLS,
        fill=fill,
    )
    return normal


def _host(number: int) -> str:
    return f"h{number:05}"


def _servers(writer: FolderWriter, hosts: int, floor_permille: int) -> Iterator[Server]:
    floor = floor_of(BACKFILLING_SIZE, (0, 0), floor_permille)
    for number in range(hosts * (BACKFILLING_ON_HOST + 1)):
        cell = CELLS[number % hosts % len(CELLS)]
        is_backfilling = number < hosts * BACKFILLING_ON_HOST
        yield Server(
            id=writer.cloud.next_id(cell),
            name=f"server-{number:06}",
            cell=cell,
            project_id=PROJECT,
            owner=folder.OPERATOR,
            size=BACKFILLING_SIZE if is_backfilling else NORMAL_SIZE,
            created_at=STARTED_FROM,
            state_since=STARTED_FROM,
            state=ServerState.RUNNING if is_backfilling else ServerState.STOPPED,
            is_backfilling=is_backfilling,
            host=_host(number % hosts) if is_backfilling else None,
            floor=floor if is_backfilling else None,
            effective=BACKFILLING_SIZE if is_backfilling else None,
            started_at=STARTED_FROM + timedelta(seconds=number) if is_backfilling else None,
            has_run=is_backfilling,
        )


async def start_all(path: Path, normal: list[str]) -> dict[str, float]:
    """Start the normal servers one after the other, each durable before the next, and let all stop and run.

    `seconds` is all of it; `deciding_seconds` is without what happens when the grace is over.
    """
    clock = Clock.manual(MADE_AT)
    store = await Store.open(path, wall=clock.wall_now)
    try:
        cloud = Cloud(store, clock)
        engine = Engine(cloud)
        await engine.start()
        operator = await cloud.account(folder.OPERATOR)
        # As the backend does once it is open.
        collect_seldom()
        began = time.perf_counter()
        stops = shrinks = 0
        for server_id in normal:
            started = await servers.start_server(cloud, operator, server_id)
            stops += len(started.decision.stops)
            shrinks += started.decision.shrinks
        decided = time.perf_counter()
        await engine.advance(ENDED_AFTER_SECONDS)
        ended = time.perf_counter()
    finally:
        await store.close()
    return {
        "stops": stops,
        "shrinks": shrinks,
        "seconds": ended - began,
        "deciding_seconds": decided - began,
        "stopping_seconds": ended - decided,
    }


def main() -> None:
    step, path = sys.argv[1], Path(sys.argv[2])
    if step == "make":
        floor, share = float(sys.argv[3]), float(sys.argv[4])
        print(json.dumps(make(path, hosts=round(HOSTS * share), floor_permille=round(1000 * floor))))
        return
    normal = json.load(sys.stdin)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        found = runner.run(start_all(path, normal))
    peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "servers": len(normal), "peak_rss_mib": peak_rss_mib}))


if __name__ == "__main__":
    main()
