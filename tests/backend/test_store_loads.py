"""What is kept in memory of the hosts is what the file says, for both of a cell's connections."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.cloud.model import GIB, Host, HostKind, HostState, Size
from backend.store import CellTransaction, Store, cell
from backend.store.loads import COMMITS_LEFT_MAX
from tests.backend.store_support import ROOM, make_folder, opened, with_store
from tests.builders import NOON, a_drive, a_server

CELL = "cell-1"
HOSTS = ("h1", "h2", None)


class Refused(Exception):
    """A job that is given up half-way."""


def loads(tx: CellTransaction) -> tuple[Any, Any]:
    return tx.loads(), tx.storage_loads()


def given_up(job: Callable[[CellTransaction], Any]) -> Callable[[CellTransaction], Any]:
    def write(tx: CellTransaction) -> None:
        job(tx)
        raise Refused

    return write


def _add(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    return lambda tx: tx.add_server(a_server(f"s{number}", cell=CELL, host=host), at=NOON, actor="me")


def _move(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    def write(tx: CellTransaction) -> None:
        server = tx.find_server(f"s{number}")
        if server is not None:
            moved = replace(a_server(server.id, cell=CELL, host=host), version=server.version)
            tx.save_server(server, moved, kind="server.moved", at=NOON)

    return write


def _remove(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    def write(tx: CellTransaction) -> None:
        server = tx.find_server(f"s{number}")
        if server is not None:
            tx.remove_server(server, at=NOON, actor="me")

    return write


def _drive(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    return lambda tx: tx.add_drive(
        replace(a_drive(f"d{number}"), cell=CELL, host="s1", size_bytes=(number + 1) * GIB), at=NOON, actor="me"
    )


def _drain(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    def write(tx: CellTransaction) -> None:
        before = tx.host(host or "s1")
        state = HostState.UP if before.state is HostState.MAINTENANCE else HostState.MAINTENANCE
        tx.save_host(before, replace(before, state=state), kind="host.changed", at=NOON)

    return write


def _new_host(number: int, host: str | None) -> Callable[[CellTransaction], Any]:
    def write(tx: CellTransaction) -> None:
        if tx.find_host(f"n{number}") is None:
            tx.add_host(Host(f"n{number}", CELL, HostKind.COMPUTE, HostState.UP, ROOM), at=NOON)

    return write


STEPS = (_add, _add, _move, _move, _remove, _drive, _drain, _new_host)


step = st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.sampled_from(HOSTS), st.booleans(), st.booleans())


@pytest.mark.parametrize("one_by_one", [8, 0], ids=["few hosts", "many hosts"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=25))
def test_a_reader_knows_what_was_written_without_reading_it_again(
    monkeypatch: pytest.MonkeyPatch, one_by_one: int, steps: list[Any]
) -> None:
    # Many hosts are read at once, and what one connection has read the other takes over.
    monkeypatch.setattr(cell, "_HOSTS_ONE_BY_ONE", one_by_one)

    async def story(store: Store) -> None:
        for make, number, host, is_kept, is_read in steps:
            if is_kept:
                await store.cell_write(CELL, make(number, host))
            else:
                with pytest.raises(Refused):
                    await store.cell_write(CELL, given_up(make(number, host)))
            if is_read:
                by_the_writer = await store.cell_write(CELL, loads)
                async with opened(folder) as fresh:
                    assert await store.cell_read(CELL, loads) == by_the_writer == await fresh.cell_read(CELL, loads)

    with tempfile.TemporaryDirectory() as parent:
        folder = make_folder(Path(parent) / "data", cells=(CELL,))
        with_store(folder, story)


@pytest.mark.parametrize("commits", [COMMITS_LEFT_MAX, COMMITS_LEFT_MAX + 1])
def test_a_reader_that_is_too_far_behind_reads_all_hosts_again(tmp_path: Path, commits: int) -> None:
    folder = make_folder(tmp_path / "data", cells=(CELL,))

    async def story(store: Store) -> Any:
        await store.cell_write(CELL, _add(0, "h1"))
        await store.cell_read(CELL, loads)
        for number in range(commits):
            await store.cell_write(CELL, _move(0, HOSTS[number % 2]))
        return await store.cell_read(CELL, loads), await store.cell_write(CELL, loads)

    read, written = with_store(folder, story)

    assert read == written
    assert [len(load.servers) for load in read[0]].count(1) == 1


def test_the_room_of_a_host_is_kept_as_it_is_written(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", cells=(CELL,))

    async def story(store: Store) -> Any:
        await store.cell_read(CELL, loads)
        host = await store.cell_read(CELL, lambda tx: tx.host("h1"))
        larger = replace(host, capacity=Size(1, 2 * GIB))
        await store.cell_write(CELL, lambda tx: tx.save_host(host, larger, kind="host.changed", at=NOON))
        return await store.cell_read(CELL, loads)

    assert with_store(folder, story)[0][0].host.capacity == Size(1, 2 * GIB)


def test_what_one_connection_has_read_the_other_need_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "_HOSTS_ONE_BY_ONE", 0)
    folder = make_folder(tmp_path / "data", cells=(CELL,))

    async def story(store: Store) -> Any:
        await store.cell_write(CELL, _add(0, "h1"))
        read = await store.cell_read(CELL, lambda tx: tx.loads())
        await store.cell_write(CELL, _add(1, "h2"))
        return read, await store.cell_write(CELL, lambda tx: tx.loads())

    read, written = with_store(folder, story)

    assert written[0] is read[0]
    assert [len(load.servers) for load in written] == [1, 1]
