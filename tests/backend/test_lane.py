"""Group commits: what is acknowledged is in the file that has the name, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.cloud.errors import Conflict, OutcomeUnknown, Unreachable
from backend.cloud.model import ReachabilityState
from backend.store import CellTransaction, Commit, Store
from backend.store.lane import BATCH_JOBS_MAX
from tests.backend.store_support import cell_file, flag, make_folder, note, noted, opened, with_store
from tests.builders import NOON


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def epoch(transaction: CellTransaction) -> int:
    return int(transaction._connection.execute("SELECT epoch FROM identity").fetchone()[0])


async def held(store: Store, cell: str = "cell-1") -> tuple[asyncio.Task[Any], Callable[[], None]]:
    """A read-only job that keeps the cell's write lane until the second of the pair is called."""
    (begun, tell), release = flag(), threading.Event()

    def hold(_tx: CellTransaction) -> None:
        tell()
        release.wait()

    task = asyncio.create_task(store.cell_write(cell, hold))
    await begun.wait()
    return task, release.set


def test_jobs_that_wait_together_are_one_commit(folder: Path) -> None:
    async def story(store: Store) -> tuple[int, int]:
        before = await store.cell_read("cell-1", epoch)
        first, release = await held(store)
        jobs = [asyncio.create_task(store.cell_write("cell-1", lambda tx: note(tx, "n"))) for _ in range(20)]
        await asyncio.sleep(0)
        release()
        numbers = await asyncio.gather(*jobs)
        await first
        return await store.cell_read("cell-1", epoch) - before, len(set(numbers))

    assert with_store(folder, story) == (1, 20)


def test_a_flood_is_cut_into_batches(folder: Path) -> None:
    async def story(store: Store) -> int:
        before = await store.cell_read("cell-1", epoch)
        first, release = await held(store)
        jobs = [
            asyncio.create_task(store.cell_write("cell-1", lambda tx: note(tx, "n")))
            for _ in range(2 * BATCH_JOBS_MAX + 1)
        ]
        await asyncio.sleep(0)
        release()
        await asyncio.gather(first, *jobs)
        return await store.cell_read("cell-1", epoch) - before

    assert with_store(folder, story) == 3


def test_a_refused_job_leaves_its_neighbours_in_the_same_commit(folder: Path) -> None:
    def refused(tx: CellTransaction) -> None:
        note(tx, "refused")
        raise Conflict("no")

    async def story(store: Store) -> Any:
        first, release = await held(store)
        jobs = [
            asyncio.create_task(store.cell_write("cell-1", job))
            for job in (lambda tx: note(tx, "before"), refused, lambda tx: note(tx, "after"))
        ]
        await asyncio.sleep(0)
        release()
        outcomes = await asyncio.gather(first, *jobs, return_exceptions=True)
        return outcomes[2], await store.cell_read("cell-1", noted)

    outcome, kept = with_store(folder, story)

    assert outcome == Conflict("no")
    assert kept == ["before", "after"]


def test_a_job_that_writes_nothing_costs_no_commit(folder: Path) -> None:
    async def story(store: Store) -> int:
        before = await store.cell_read("cell-1", epoch)
        await store.cell_write("cell-1", lambda tx: tx.hosts())
        return await store.cell_read("cell-1", epoch) - before

    assert with_store(folder, story) == 0


def test_a_reader_cannot_write(folder: Path) -> None:
    import sqlite3

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        with_store(folder, lambda store: store.cell_read("cell-1", lambda tx: note(tx, "n")))


def test_a_commit_is_told_with_its_last_event_and_what_is_due_next(folder: Path) -> None:
    due_at = NOON + timedelta(seconds=8)

    async def story(store: Store) -> tuple[int, list[Commit]]:
        told: list[Commit] = []
        store.on_commit = told.append

        def job(tx: CellTransaction) -> int:
            tx.schedule("start", "server", "s", begun_at=NOON, due_at=due_at)
            return note(tx, "n")

        number = await store.cell_write("cell-1", job)
        # The mirror's own commit in cloud.db brings no events and no work.
        await store.flush_last_known()
        await store.flush_last_known()
        return number, [commit for commit in told if commit.file == "cell-1"]

    number, told = with_store(folder, story)

    assert told == [Commit("cell-1", number, due_at)]


# Identity


def unlink(path: Path) -> None:
    path.unlink()


def replace_by_copy(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    os.replace(copy, path)


@pytest.mark.parametrize("disturb", [unlink, replace_by_copy])
def test_what_goes_into_a_file_without_a_name_is_not_acknowledged(
    folder: Path, disturb: Callable[[Path], None]
) -> None:
    """Between the statements and the commit: surely not done."""

    def job(tx: CellTransaction) -> None:
        note(tx, "lost")
        disturb(cell_file(folder, "cell-1"))

    async def story(store: Store) -> tuple[ReachabilityState, str]:
        with pytest.raises(Unreachable):
            await store.cell_write("cell-1", job)
        reachability = store.reachability("cell-1")
        return reachability.state, reachability.reason

    state, reason = with_store(folder, story)

    assert state is ReachabilityState.DOWN
    assert reason in ("cell file is missing", "cell file was replaced")


def test_a_file_that_loses_its_name_during_the_commit_leaves_the_outcome_unknown(folder: Path) -> None:
    def job(tx: CellTransaction) -> None:
        note(tx, "who knows")
        path = cell_file(folder, "cell-1")
        # Called when a statement begins: after the check before the commit, and before the one after it.
        tx._connection.set_trace_callback(lambda text: path.unlink() if text == "COMMIT" else None)

    async def story(store: Store) -> ReachabilityState:
        with pytest.raises(OutcomeUnknown):
            await store.cell_write("cell-1", job)
        return store.reachability("cell-1").state

    assert with_store(folder, story) is ReachabilityState.DOWN


def test_an_open_reader_of_a_replaced_file_does_not_go_on_reading_the_old_one(folder: Path) -> None:
    async def story(store: Store) -> None:
        await store.cell_read("cell-1", noted)
        cell_file(folder, "cell-1").unlink()
        with pytest.raises(Unreachable, match="missing"):
            await store.cell_read("cell-1", noted)

    with_store(folder, story)


def test_a_log_that_was_taken_away_is_noticed(folder: Path) -> None:
    log = cell_file(folder, "cell-1").with_name("cell-1.db-wal")

    async def story(store: Store) -> None:
        await store.cell_write("cell-1", lambda tx: note(tx, "n"))
        unlink(log)
        with pytest.raises(Unreachable, match="log"):
            await store.cell_write("cell-1", lambda tx: note(tx, "m"))

    with_store(folder, story)


def test_a_write_of_another_process_is_seen_in_the_numbers(folder: Path) -> None:
    """Somebody with a shell on the file: the caches are dropped, no number is given twice."""
    import sqlite3

    async def story(store: Store) -> list[str]:
        await store.cell_write("cell-1", lambda tx: note(tx, "ours"))
        other = sqlite3.connect(cell_file(folder, "cell-1"), isolation_level=None)
        other.execute("INSERT INTO event SELECT number + 1, at, kind, object_kind, 'theirs', 1, '', NULL, '{}', '{}'"
                      " FROM event ORDER BY number DESC LIMIT 1")  # fmt: skip
        other.close()
        await store.cell_write("cell-1", lambda tx: note(tx, "ours again"))
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["ours", "theirs", "ours again"]


# Giving up


def test_a_batch_all_of_whose_callers_gave_up_is_rolled_back(folder: Path) -> None:
    """The cell hangs in the middle of a job; when it returns, nothing of it has happened."""

    async def story(store: Store) -> tuple[list[str], Any]:
        (begun, tell), release = flag(), threading.Event()

        def job(tx: CellTransaction) -> None:
            note(tx, "given up")
            tell()
            release.wait()

        running = asyncio.create_task(store.cell_write("cell-1", job))
        await begun.wait()
        queued = asyncio.create_task(store.cell_write("cell-1", lambda tx: note(tx, "never begun")))
        await asyncio.sleep(0)
        await store.inject("cell-1", ReachabilityState.HUNG)
        outcomes = await asyncio.gather(running, queued, return_exceptions=True)
        release.set()
        await store.inject("cell-1", ReachabilityState.UP)
        while (await store.ask("cell-1")).state is not ReachabilityState.UP:
            # The thread that was held has not come back yet.
            continue
        return await store.cell_read("cell-1", noted), outcomes

    kept, (cut_off, refused) = with_store(folder, story)

    assert isinstance(cut_off, OutcomeUnknown)
    assert isinstance(refused, Unreachable)
    assert kept == []


def test_a_cancelled_caller_leaves_no_trace_of_a_job_that_had_not_begun(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        first, release = await held(store)
        waiting = asyncio.create_task(store.cell_write("cell-1", lambda tx: note(tx, "cancelled")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        release()
        await first
        await store.cell_write("cell-1", lambda tx: note(tx, "next"))
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["next"]


def test_a_bug_in_the_store_is_told_to_who_waits_and_the_lane_lives(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(store: Store) -> list[str]:
        with monkeypatch.context() as patch:
            patch.delattr("backend.store.transaction.Transaction.next_due")
            with pytest.raises(AttributeError):
                await store.cell_write("cell-1", lambda tx: note(tx, "lost"))
        await store.cell_write("cell-1", lambda tx: note(tx, "kept"))
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["kept"]


def test_closing_ends_every_thread(folder: Path) -> None:
    async def story() -> None:
        before = set(threading.enumerate())
        async with opened(folder) as store:
            await store.cell_write("cell-1", lambda tx: note(tx, "n"))
            assert set(threading.enumerate()) - before
        assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("lane")]

    asyncio.run(story())
    assert sorted(path.name for path in (folder / "cells").iterdir()) == ["cell-1.db", "cell-2.db"]


# SIGKILL

WRITER = """
import asyncio, sys
from pathlib import Path
from backend.store import Store
from tests.backend.store_support import note, wall

async def main():
    store = await Store.open(Path(sys.argv[1]), wall=wall)
    async def client(number):
        for turn in range(100_000):
            name = f"{number}-{turn}"
            await store.cell_write("cell-1", lambda tx: note(tx, name))
            print(name, flush=True)
    await asyncio.gather(*(client(number) for number in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("answers", [1, 40, 300])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(folder: Path, answers: int) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline().strip() for _ in range(answers)]
        child.send_signal(signal.SIGKILL)
        acknowledged += child.stdout.read().split("\n")[:-1]

    found = with_store(folder, lambda store: store.cell_read("cell-1", lambda tx: (noted(tx), tx.last_event_number())))

    kept, last = found
    assert set(acknowledged) <= set(kept)
    assert len(set(kept)) == len(kept)
    assert last == len(kept) + 3, "the numbers have no gaps"
