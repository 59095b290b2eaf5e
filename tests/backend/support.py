"""A small cloud of real files with a clock that stands still, for tests of operations and of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.clock import Clock
from backend.cloud.model import GIB, Account, Event, Host, HostKind, HostState, Server, Size
from backend.engine import Engine
from backend.operations import Cloud, feed, servers
from backend.operations.cells import Pictures
from backend.operations.servers import ServerSpec
from backend.store import FolderWriter, Store, create_folder
from tests.builders import NOON

OPERATOR = "operator@example.org"
TENANT = "tenant@example.org"
CLOUD_ID = "5d6e1d2e-6a5c-4f0f-9a6b-0d3c2f1b7a11"
SMALL_HOST = Size(16_000, 64 * GIB)
T = TypeVar("T")


@dataclass
class Harness:
    """A running cloud, its clock, and who asks."""

    cloud: Cloud
    engine: Engine
    clock: Clock
    operator: Account
    tenant: Account
    pictures: Pictures

    async def server(
        self,
        name: str,
        *,
        vcpus: int = 2,
        gib: int = 4,
        is_backfilling: bool = False,
        cell: str | None = None,
        **more: Any,
    ) -> Server:
        size = Size(vcpus * 2000, gib * GIB)
        spec = ServerSpec(name, size, is_backfilling=is_backfilling, cell=cell, **more)
        return await servers.create_server(self.cloud, self.operator, spec)

    async def running(self, name: str, **more: Any) -> Server:
        server = await self.server(name, **more)
        await servers.start_server(self.cloud, self.operator, server.id)
        await self.engine.advance(10)
        return await self.look(server.id)

    async def look(self, server_id: str) -> Server:
        found = await servers.get_server(self.cloud, self.operator, server_id)
        assert isinstance(found, Server), "its cell does not answer"
        return found

    async def events(self) -> list[Event]:
        return (await feed.told_events(self.cloud, self.operator, limit=10_000)).events

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.events()]


def make_folder(
    folder: Path,
    *,
    cells: Sequence[str] = ("cell-1", "cell-2"),
    hosts: int = 2,
    capacity: Size = SMALL_HOST,
    storage_bytes: int = 1000 * GIB,
    settings: Mapping[str, Any] | None = None,
    now: datetime = NOON,
    servers_max: int | None = None,
    cpu_mhz_max: int | None = None,
    storage_bytes_max: int | None = None,
) -> None:
    """Compute hosts `c1-h1`, ... and two storage hosts `s1-1`, `s1-2` in each cell; an operator and a tenant."""

    def fill(writer: FolderWriter) -> None:
        tx = writer.cloud
        tx.add_customer("customer", "customer")
        for project in ("inside", "outside"):
            tx.add_project(
                project,
                project,
                "customer",
                servers_max=servers_max,
                cpu_mhz_max=cpu_mhz_max,
                storage_bytes_max=storage_bytes_max,
            )
        tx.add_account(Account("1", OPERATOR, "inside", is_staff=True, may_backfill=True))
        tx.add_account(Account("2", TENANT, "outside"))
        tx.add_membership(OPERATOR, "project_admin", "inside")
        tx.add_membership(TENANT, "project_admin", "outside")
        for place, cell in enumerate(cells, 1):
            cell_tx = writer.cell(cell)
            for number in range(1, hosts + 1):
                name = f"c{place}-h{number}"
                cell_tx.add_host(Host(name, cell, HostKind.COMPUTE, HostState.UP, capacity, state_since=now), at=now)
            for number in (1, 2):
                name = f"s{place}-{number}"
                storage = Host(name, cell, HostKind.STORAGE, HostState.UP, storage_bytes=storage_bytes, state_since=now)
                cell_tx.add_host(storage, at=now)

    create_folder(
        folder,
        cloud_id=CLOUD_ID,
        kind="empty",
        seed=1,
        created_at=now,
        settings=settings or {},
        clock={"mode": "manual", "rate": 0, "simulated_at": now.isoformat()},
        cells=cells,
        fill=fill,
    )


@asynccontextmanager
async def opened(
    folder: Path, *, at: datetime = NOON, deadline_seconds: float = 1.0, store: type[Store] = Store
) -> AsyncIterator[Harness]:
    """A machine that is busy with other tests may take longer for a disk than a cell is given otherwise."""
    clock = Clock.manual(at)
    found = await store.open(folder, wall=clock.wall_now, list_deadline_seconds=deadline_seconds)
    try:
        cloud = Cloud(found, clock)
        engine = Engine(cloud)
        await engine.start()
        operator, tenant = await cloud.account(OPERATOR), await cloud.account(TENANT)
        yield Harness(cloud, engine, clock, operator, tenant, Pictures(cloud))
    finally:
        await found.close()


def in_a_cloud(folder: Path, story: Callable[[Harness], Awaitable[T]], **shape: Any) -> T:
    """Run a story in a new small cloud."""
    make_folder(folder, **shape)

    async def tell() -> T:
        async with opened(folder) as harness:
            return await story(harness)

    return asyncio.run(tell())
