"""A cell that does not answer is skipped, says why, and comes back; the others never notice."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.cloud.model import Reachability, ReachabilityState
from backend.store import CellTransaction, Store
from backend.store.migrations import SCHEMA_VERSIONS
from tests.backend.store_support import cell_file, flag, make_folder, note, noted, opened, with_store
from tests.builders import NOON
from tests.simulation.virtual import virtual

UP, DOWN, HUNG = ReachabilityState.UP, ReachabilityState.DOWN, ReachabilityState.HUNG


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def remove(path: Path) -> None:
    path.unlink()


def spoil_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not a database at all")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_folder_of_it(path: Path) -> None:
    path.unlink()
    path.mkdir()


def swap_for_other_cell(path: Path) -> None:
    shutil.copyfile(path.with_name("cell-2.db"), path)


def swap_for_other_cloud(path: Path) -> None:
    other = make_folder(path.parent.parent.parent / "other", cloud_id="00000000-0000-0000-0000-00000000000f")
    shutil.copyfile(cell_file(other, "cell-1"), path)


def make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


FAULTS = [
    (remove, "cell file is missing"),
    (spoil_header, "cell file is not a database"),
    (empty, "cell file is empty"),
    (make_pipe, "cell file is not a regular file"),
    (make_folder_of_it, "cell file is not a regular file"),
    (swap_for_other_cell, "cell file belongs to cell cell-2"),
    (swap_for_other_cloud, "cell file belongs to another cloud"),
    (
        make_newer,
        "cell file was made by a newer version of Stratodeck (its schema has the number 99, and this version's "
        f"{SCHEMA_VERSIONS['cell']})",
    ),
]


@pytest.mark.parametrize(("spoil", "reason"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_a_cell_file_that_cannot_be_used_is_a_down_cell_and_the_store_opens_without_it(
    folder: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(cell_file(folder, "cell-1"))

    async def story(store: Store) -> tuple[Reachability, dict[str, Any]]:
        with pytest.raises(Unreachable, match=re.escape(reason)):
            await store.cell_write("cell-1", lambda tx: note(tx, "n"))
        return store.reachability("cell-1"), await store.each_cell(lambda tx: tx.cell)

    reachability, answers = with_store(folder, story)

    assert (reachability.state, reachability.reason, reachability.is_injected) == (DOWN, reason, False)
    assert answers == {"cell-1": Unreachable("cell-1", reason), "cell-2": "cell-2"}


def test_a_missing_cell_file_is_not_made_by_opening_it(folder: Path) -> None:
    cell_file(folder, "cell-1").unlink()

    with_store(folder, lambda store: store.ask("cell-1"))

    assert not cell_file(folder, "cell-1").exists()


@pytest.mark.parametrize("spoil", [remove, spoil_header], ids=lambda spoil: spoil.__name__)
def test_a_fault_under_an_open_cell_is_noticed_when_it_is_asked(folder: Path, spoil: Callable[[Path], None]) -> None:
    """An open connection does not notice that its file was overwritten: a fresh one does."""

    async def story(store: Store) -> Reachability:
        await store.cell_write("cell-1", lambda tx: note(tx, "n"))
        spoil(cell_file(folder, "cell-1"))
        return await store.ask("cell-1")

    assert with_store(folder, story).state is DOWN


def test_a_file_that_is_put_back_is_found_again(folder: Path) -> None:
    path = cell_file(folder, "cell-1")

    async def story(store: Store) -> list[str]:
        await store.cell_write("cell-1", lambda tx: note(tx, "before"))
        away = path.with_suffix(".away")
        os.rename(path, away)
        assert (await store.ask("cell-1")).state is DOWN
        os.rename(away, path)
        assert (await store.ask("cell-1")).state is UP
        await store.cell_write("cell-1", lambda tx: note(tx, "after"))
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["before", "after"]


def test_an_old_copy_of_a_cell_is_refused(folder: Path) -> None:
    """What was acknowledged since then is not in it."""
    path, old = cell_file(folder, "cell-1"), folder / "old.db"
    shutil.copyfile(path, old)

    with_store(folder, lambda store: store.cell_write("cell-1", lambda tx: note(tx, "n")))
    shutil.copyfile(old, path)

    reachability = with_store(folder, lambda store: store.ask("cell-1"))
    assert (reachability.state, reachability.reason) == (DOWN, "cell file is older than what was acknowledged")


def test_a_cell_that_another_process_keeps_locked_is_down_until_it_lets_go(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        other = sqlite3.connect(cell_file(folder, "cell-1"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked by another process"):
            await store.cell_write("cell-1", lambda tx: note(tx, "refused"))
        assert store.reachability("cell-1").state is DOWN
        assert (await store.ask("cell-1")).state is DOWN
        other.close()
        assert (await store.ask("cell-1")).state is UP
        await store.cell_write("cell-1", lambda tx: note(tx, "kept"))
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["kept"]


# Hanging


def test_a_cell_that_hangs_does_not_hold_up_the_others(folder: Path) -> None:
    async def story(store: Store) -> Any:
        store._links["cell-1"]._gate.clear()
        fan_out = asyncio.create_task(store.each_cell(lambda tx: tx.cell))
        # All of this while the list waits for the deadline of the one that hangs.
        for number in range(20):
            await store.cell_write("cell-2", lambda tx, name=str(number): note(tx, name))  # type: ignore[misc]
        assert not fan_out.done()
        answers = await fan_out
        state = store.reachability("cell-1").state
        again = await store.each_cell(lambda tx: tx.cell)
        store._links["cell-1"]._gate.set()
        return answers, state, again

    answers, state, again = with_store(folder, story, deadline_seconds=1.0)

    assert state is HUNG
    assert answers["cell-2"] == "cell-2"
    assert answers["cell-1"] == Unreachable("cell-1", "no answer within 1000 ms") == again["cell-1"]


@pytest.mark.parametrize(("seconds", "state"), [(0.15, UP), (0.3, UP), (0.9, UP), (1.1, HUNG)])
def test_a_cell_may_take_longer_to_open_than_it_may_to_answer(
    folder: Path, seconds: float, state: ReachabilityState
) -> None:
    async def story() -> tuple[ReachabilityState, ...]:
        async with opened(folder) as store:
            return tuple(store.reachability(cell).state for cell in store.cell_names)

    with virtual() as (run, lanes):
        lanes.disk.slow_seconds["cell-1"] = seconds
        assert run(story()) == (state, UP)


def test_a_busy_lane_is_not_taken_for_a_hung_cell_because_the_probe_answers(folder: Path) -> None:
    """Under load a job may take longer than the deadline. That is no reason to make its servers unknown."""
    deadline = 0.2

    async def story(store: Store) -> tuple[str, ReachabilityState]:
        release = threading.Event()

        def slow(_tx: CellTransaction) -> str:
            release.wait()
            return "done"

        reading = asyncio.create_task(store.cell_read("cell-1", slow))
        link = store._links["cell-1"]
        while link.reader.silent_seconds() < 2 * deadline:
            await asyncio.wait({reading}, timeout=deadline / 4)
        assert link._probe_job is not None, "it was suspected, and the probe was asked"
        state = (await store.ask("cell-1")).state
        release.set()
        return await reading, state

    assert with_store(folder, story, deadline_seconds=deadline) == ("done", UP)


def test_a_write_that_is_cut_off_is_neither_done_nor_refused(folder: Path) -> None:
    async def story(store: Store) -> None:
        gate = store._links["cell-1"]._gate

        def job(tx: CellTransaction) -> None:
            note(tx, "n")
            gate.clear()

        with pytest.raises(OutcomeUnknown):
            await store.cell_write("cell-1", job)
        gate.set()

    with_store(folder, story)


def test_a_hung_cell_that_is_let_go_answers_again(folder: Path) -> None:
    async def story(store: Store) -> Any:
        changes: list[tuple[str, ReachabilityState]] = []
        store.on_reachability = lambda cell, before, after: changes.append((cell, after.state))
        await store.inject("cell-1", HUNG)
        during = store.reachability("cell-1")
        with pytest.raises(Unreachable):
            await store.cell_read("cell-1", noted)
        await store.inject("cell-1", UP)
        await store.cell_write("cell-1", lambda tx: note(tx, "n"))
        return changes, during, store.reachability("cell-1"), await store.cell_read("cell-1", noted)

    changes, during, after, kept = with_store(folder, story)

    assert changes == [("cell-1", HUNG), ("cell-1", UP)]
    assert (during.state, during.reason, during.is_injected) == (HUNG, "injected: hung", True)
    assert (after.state, after.is_injected, after.next_try_seconds) == (UP, False, None)
    assert after.history == (UP, HUNG, UP)
    assert kept == ["n"]


# Injected faults


def test_a_full_disk_refuses_a_write_and_leaves_the_cell_up(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        await store.cell_write("cell-1", lambda tx: note(tx, "before"))

        def fill_up(tx: CellTransaction) -> None:
            pages = tx._connection.execute("PRAGMA page_count").fetchone()[0]
            tx._connection.execute(f"PRAGMA max_page_count = {pages}")

        def large(tx: CellTransaction) -> None:
            for number in range(200):
                tx.emit("noted", "note", "x" * 1000, at=NOON, details={"number": number})

        await store.cell_write("cell-1", fill_up)
        with pytest.raises(Unreachable, match="the disk is full"):
            await store.cell_write("cell-1", large)
        assert store.reachability("cell-1").state is UP
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["before"]


def test_an_injected_down_refuses_at_once_and_lets_what_has_begun_end(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        (begun, tell), release = flag(), threading.Event()

        def job(tx: CellTransaction) -> None:
            note(tx, "begun")
            tell()
            release.wait()

        running = asyncio.create_task(store.cell_write("cell-1", job))
        await begun.wait()
        await store.inject("cell-1", DOWN)
        with pytest.raises(Unreachable, match="injected: down"):
            await store.cell_write("cell-1", lambda tx: note(tx, "refused"))
        release.set()
        await running
        await store.inject("cell-1", UP)
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["begun"]


@pytest.mark.parametrize("fault", [DOWN, HUNG])
def test_an_injected_fault_survives_a_restart(folder: Path, fault: ReachabilityState) -> None:
    with_store(folder, lambda store: store.inject("cell-1", fault))

    async def story(store: Store) -> Reachability:
        found = store.reachability("cell-1")
        await store.inject("cell-1", UP)
        assert store.reachability("cell-1").state is UP
        return found

    found = with_store(folder, story)
    assert (found.state, found.is_injected) == (fault, True)
    assert with_store(folder, lambda store: store.ask("cell-1")).state is UP


def test_an_injected_down_is_not_ended_by_asking(folder: Path) -> None:
    async def story(store: Store) -> list[float | None]:
        await store.inject("cell-1", DOWN)
        waits = []
        for _ in range(8):
            reachability = store.reachability("cell-1")
            assert reachability.state is DOWN
            assert reachability.next_try_seconds is not None
            waits.append(float(round(reachability.next_try_seconds)))
            await store.ask("cell-1")
        return waits  # type: ignore[return-value]

    assert with_store(folder, story) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_history_keeps_the_last_eight_answers(folder: Path) -> None:
    async def story(store: Store) -> tuple[ReachabilityState, ...]:
        for _ in range(9):
            await store.ask("cell-1")
        await store.inject("cell-1", DOWN)
        return store.reachability("cell-1").history

    assert with_store(folder, story) == (UP,) * 7 + (DOWN,)


# Recovery


def test_recovery_runs_before_a_returning_cell_takes_other_work(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        refused: list[str] = []

        async def recover(cell: str) -> None:
            with pytest.raises(Unreachable):
                await store.cell_write(cell, lambda tx: note(tx, "too early"))
            refused.append(cell)
            await store.cell_write(cell, lambda tx: note(tx, "recovery"), is_recovery=True)

        store.on_return = recover
        await store.inject("cell-1", DOWN)
        await store.inject("cell-1", UP)
        await store.cell_write("cell-1", lambda tx: note(tx, "work"))
        assert refused == ["cell-1"]
        return await store.cell_read("cell-1", noted)

    assert with_store(folder, story) == ["recovery", "work"]


def test_a_recovery_that_cannot_finish_leaves_the_cell_down_and_is_tried_again(folder: Path) -> None:
    async def story(store: Store) -> Any:
        tries: list[str] = []

        async def recover(cell: str) -> None:
            tries.append(cell)
            if len(tries) == 1:
                raise Unreachable("cloud", "cloud.db is locked by another process")

        store.on_return = recover
        await store.inject("cell-1", DOWN)
        await store.inject("cell-1", UP)
        during = store.reachability("cell-1")
        return during.state, during.reason, (await store.ask("cell-1")).state, len(tries)

    assert with_store(folder, story) == (DOWN, "cloud.db is locked by another process", UP, 2)


def test_cells_that_answered_at_the_start_are_recovered_once_there_is_a_hook(folder: Path) -> None:
    async def story(store: Store) -> list[str]:
        recovered: list[str] = []

        async def recover(cell: str) -> None:
            recovered.append(cell)

        store.on_return = recover
        await store.recover()
        await store.recover()
        return recovered

    assert with_store(folder, story) == ["cell-1", "cell-2"]


def test_watching_finds_a_cell_back_by_itself(folder: Path) -> None:
    path = cell_file(folder, "cell-1")
    away = path.with_suffix(".away")
    os.rename(path, away)

    async def story() -> None:
        async with opened(folder) as store:
            back = asyncio.Event()
            store.on_reachability = lambda _cell, _before, after: back.set() if after.state is UP else None
            os.rename(away, path)
            watching = asyncio.create_task(store.watch())
            await asyncio.wait_for(back.wait(), 30)
            watching.cancel()
            await asyncio.wait({watching})

    asyncio.run(story())
