"""Work that is gone through and undone within a transaction, and tasks that are put off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from backend.cloud.model import ServerState, Task, TaskState
from backend.operations import Settings, servers
from backend.store import CellTransaction, CloudTransaction, Store
from tests.backend.store_support import make_folder, with_store
from tests.builders import NOON, a_server

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

T = TypeVar("T")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def test_what_is_undone_is_nowhere_and_what_follows_is_kept(folder: Path) -> None:
    def look(tx: CellTransaction) -> Any:
        return tx.loads(), tx.last_event_number(), tx.all_servers(), tx.count_tasks(), tx.next_due()

    def start(tx: CellTransaction, server_id: str) -> str:
        return servers.start_in_cell(tx, server_id, now=NOON, settings=Settings()).decision.host

    def work(tx: CellTransaction) -> None:
        before = look(tx)
        tried = tx.undone(lambda: [start(tx, "one"), start(tx, "two"), look(tx)])
        assert tried[2] != before
        assert look(tx) == before
        with pytest.raises(AssertionError, match="what it says"):
            tx.undone(lambda: refuse(tx))
        assert look(tx) == before
        assert start(tx, "two") == tried[0], "the first finds what the first found there"

    def refuse(tx: CellTransaction) -> None:
        start(tx, "one")
        raise AssertionError("what it says")

    async def story(store: Store) -> None:
        def fill(tx: CellTransaction) -> None:
            for id in ("one", "two"):
                tx.add_server(a_server(id, cell="cell-1"), at=NOON, actor="cloud")

        await store.cell_write("cell-1", fill)
        await store.cell_write("cell-1", work)
        found = await store.cell_read("cell-1", lambda tx: {each.id: each.state for each in tx.all_servers()})
        assert found == {"one": ServerState.STOPPED, "two": ServerState.STARTING}
        events = await store.cell_read("cell-1", lambda tx: tx.events(after=0, limit=100))
        assert [event.number for event in events] == list(range(1, len(events) + 1))

    with_store(folder, story)


def test_nothing_is_undone_after_something_was_written(folder: Path) -> None:
    def work(tx: CellTransaction) -> None:
        tx.add_server(a_server("one", cell="cell-1"), at=NOON, actor="cloud")
        tx.undone(lambda: None)

    async def story(store: Store) -> None:
        with pytest.raises(AssertionError, match="would be forgotten"):
            await store.cell_write("cell-1", work)

    with_store(folder, story)


def test_a_task_that_is_put_off_falls_due_later_and_one_that_waits_for_a_cell_not_at_all(folder: Path) -> None:
    def work(tx: CloudTransaction) -> None:
        task = tx.schedule("restore", "group", "web", begun_at=NOON, due_at=NOON, payload={"phase": "stop"})
        later = tx.reschedule(task, due_at=NOON + MINUTE, payload={"phase": "start"})
        assert later == replace(task, due_at=NOON + MINUTE, payload={"phase": "start"})
        assert tx.find_task(task.id) == later
        assert (tx.due_tasks(NOON), tx.due_tasks(NOON + MINUTE), tx.next_due()) == ([], [later], NOON + MINUTE)
        waits = tx.reschedule(later, due_at=NOON + MINUTE, payload={"phase": "start", "waits_for": "cell-1"})
        assert tx.next_due() is None
        tx.end_task(waits, TaskState.DONE, at=NOON)
        with pytest.raises(AssertionError, match="is not open"):
            tx.reschedule(waits, due_at=NOON, payload={})

    async def story(store: Store) -> None:
        await store.cloud_write(work)

    with_store(folder, story)


def test_what_falls_due_next_is_known_whatever_was_opened_ended_put_off_or_refused(folder: Path) -> None:
    def schedule(minutes: int) -> Callable[[CellTransaction], Task]:
        return lambda tx: tx.schedule("stop", "server", "s", begun_at=NOON, due_at=NOON + minutes * MINUTE)

    def opened_and_refused(tx: CellTransaction) -> None:
        schedule(1)(tx)
        assert tx.next_due() == NOON + MINUTE
        raise LookupError

    async def story(store: Store) -> None:
        def write(work: Callable[[CellTransaction], T]) -> Awaitable[T]:
            return store.cell_write("cell-1", work)

        async def due() -> tuple[datetime | None, datetime | None]:
            """As the writer keeps it, and as a reader finds it, who is told of every commit."""
            return await write(lambda tx: tx.next_due()), await store.cell_read("cell-1", lambda tx: tx.next_due())

        assert await due() == (None, None)
        last = await write(schedule(9))
        assert await due() == (last.due_at, last.due_at)
        first = await write(schedule(5))
        await write(schedule(7))
        assert await due() == (first.due_at, first.due_at)
        with pytest.raises(LookupError):
            await write(opened_and_refused)
        assert await due() == (first.due_at, first.due_at)
        await write(lambda tx: tx.reschedule(first, due_at=NOON + 8 * MINUTE, payload={}))
        assert await due() == (NOON + 7 * MINUTE,) * 2
        for minutes in (8, 9):
            await write(lambda tx: tx.end_task(tx.due_tasks(NOON + HOUR)[0], TaskState.DONE, at=NOON))
            assert await due() == (NOON + minutes * MINUTE,) * 2

    with_store(folder, story)
