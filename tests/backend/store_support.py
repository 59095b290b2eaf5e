"""A small data folder on a real disk, for tests of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from backend.cloud.model import GIB, Account, Host, HostKind, HostState, Size
from backend.store import CellTransaction, FolderWriter, Store, create_folder
from tests.builders import NOON

T = TypeVar("T")

CLOUD_ID = "00000000-0000-0000-0000-000000000005"
ROOM = Size(96_000, 384 * GIB)


def fill(writer: FolderWriter) -> None:
    """Two compute hosts and a storage host in each cell; one customer with one project and its admin."""
    cloud = writer.cloud
    cloud.add_customer("customer", "Customer")
    cloud.add_project("project", "Project", "customer", servers_max=10)
    cloud.add_account(Account("account", "operator@stratodeck.local", "project", is_staff=True, may_backfill=True))
    cloud.add_membership("operator@stratodeck.local", "project_admin", "project")
    for entry in cloud.cells():
        cell = writer.cell(entry.name)
        for name in ("h1", "h2"):
            cell.add_host(Host(name, entry.name, HostKind.COMPUTE, HostState.UP, ROOM), at=NOON)
        cell.add_host(Host("s1", entry.name, HostKind.STORAGE, HostState.UP, storage_bytes=1000 * GIB), at=NOON)


def make_folder(
    path: Path,
    *,
    cells: tuple[str, ...] = ("cell-1", "cell-2"),
    cloud_id: str = CLOUD_ID,
    fill: Callable[[FolderWriter], None] | None = fill,
) -> Path:
    create_folder(
        path,
        cloud_id=cloud_id,
        kind="demo",
        seed=7,
        created_at=NOON,
        settings={"grace_seconds": 30},
        clock={"mode": "manual"},
        cells=cells,
        fill=fill,
    )
    return path


def cell_file(folder: Path, cell: str) -> Path:
    return folder / "cells" / f"{cell}.db"


def wall() -> datetime:
    return NOON


@asynccontextmanager
async def opened(folder: Path, *, deadline_seconds: float = 0.2) -> AsyncIterator[Store]:
    store = await Store.open(folder, wall=wall, list_deadline_seconds=deadline_seconds)
    try:
        yield store
    finally:
        await store.close()


def with_store(folder: Path, story: Callable[[Store], Awaitable[T]], **options: Any) -> T:
    """Open the folder, tell the story, close it."""

    async def tell() -> T:
        async with opened(folder, **options) as store:
            return await story(store)

    return asyncio.run(tell())


def flag() -> tuple[asyncio.Event, Callable[[], object]]:
    """An event of the loop, and what a lane's thread calls to set it."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    return event, lambda: loop.call_soon_threadsafe(event.set)


def note(transaction: CellTransaction, text: str) -> int:
    """The smallest write: an event. Returns its number."""
    return transaction.emit("noted", "note", text, at=NOON)


def noted(transaction: CellTransaction) -> list[str]:
    return [event.object_id for event in transaction.events(after=0, limit=10_000) if event.kind == "noted"]


def in_cell(folder: Path, job: Any, *more: Any) -> Any:
    """The jobs' values, each in a transaction of its own; the last one's alone if there is only one."""

    async def story(store: Store) -> Any:
        values = [await store.cell_write("cell-1", each) for each in (job, *more)]
        return values if more else values[0]

    return with_store(folder, story)


def in_cloud(folder: Path, job: Any) -> Any:
    return with_store(folder, lambda store: store.cloud_write(job))
