"""What is written is what is read, and every change has its event."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.cloud.errors import NotFound
from backend.cloud.model import (
    GIB,
    HostState,
    Server,
    ServerState,
    Size,
    Task,
    TaskState,
)
from backend.store import CellTransaction, Store
from backend.store.rows import DRIVE, SERVER, instant_of, text_of
from tests.backend.store_support import in_cell, make_folder, with_store
from tests.builders import HOUR, NOON, a_drive, a_server

WHO = "operator@stratodeck.local"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


FULL_SERVER = a_server(
    "s",
    host="h1",
    is_backfilling=True,
    floor_permille=(250, 500),
    smp=4,
    effective=Size(1000, 3 * GIB),
    notice_until=NOON + timedelta(seconds=30),
    notice_for="other",
    squeezed_by="other",
    squeezed_at=NOON,
    displaced_for="another",
    displaced_at=NOON - HOUR,
    displaced_count=3,
    reason="because",
    avoid=("a", "b"),
    meta={"colour": "b\u0142ue"},
    tags=("group:web", "x"),
    attributes={"nics": [{"mac": "22:bf"}], "vnc_password": None},
    version=5,
)


def test_an_instant_is_fixed_width_utc_text_so_that_text_order_is_time_order() -> None:
    early = datetime(2026, 11, 20, 14, 3, 27, tzinfo=UTC)
    late = datetime(2026, 11, 20, 16, 3, 27, 5, tzinfo=timezone(timedelta(hours=2)))

    assert text_of(early) == "2026-11-20T14:03:27.000000Z"
    assert text_of(late) == "2026-11-20T14:03:27.000005Z"
    assert instant_of(text_of(late)) == late


@pytest.mark.parametrize("server", [FULL_SERVER, a_server("s")], ids=["everything", "defaults"])
def test_a_server_is_read_as_it_was_written(folder: Path, server: Server) -> None:
    in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO))

    assert in_cell(folder, lambda tx: tx.server("s")) == server
    assert SERVER.of_picture(SERVER.picture(server), "cell-1") == server


def test_a_drive_is_read_as_it_was_written(folder: Path) -> None:
    drive = a_drive("d", server_id="s", avoid=("x",), meta={"a": "b"}, tags=("t",), attributes={"jobs": []})

    in_cell(folder, lambda tx: tx.add_drive(drive, at=NOON, actor=WHO))

    assert in_cell(folder, lambda tx: tx.drive("d")) == drive
    assert DRIVE.of_picture(DRIVE.picture(drive), "cell-1") == drive


def test_a_save_writes_the_changed_columns_and_says_them_before_and_after(folder: Path) -> None:
    in_cell(folder, lambda tx: tx.add_server(FULL_SERVER, at=NOON, actor=WHO))
    after = replace(
        FULL_SERVER,
        effective=Size(500, 3 * GIB),
        notice_until=None,
        state_since=NOON + HOUR,
        tags=("x",),
        has_run=False,
    )

    def save(tx: CellTransaction) -> tuple[Server, Any]:
        saved = tx.save_server(FULL_SERVER, after, kind="server.shrunk", at=NOON + HOUR, details={"why": "room"})
        return saved, tx.events_of("s")[0]

    saved, event = in_cell(folder, save)

    assert saved == replace(after, version=6) == in_cell(folder, lambda tx: tx.server("s"))
    assert (event.kind, event.object_version, event.actor, event.details) == (
        "server.shrunk",
        6,
        "cloud",
        {"why": "room"},
    )
    assert event.changes == {
        "state_since": (text_of(NOON - HOUR), text_of(NOON + HOUR)),
        "cpu_mhz_effective": (1000, 500),
        "has_run": (True, False),
        "notice_until": (text_of(NOON + timedelta(seconds=30)), None),
        "tags": (["group:web", "x"], ["x"]),
    }


def test_saving_what_has_not_changed_writes_nothing_and_says_nothing(folder: Path) -> None:
    in_cell(folder, lambda tx: tx.add_server(FULL_SERVER, at=NOON, actor=WHO))

    def save(tx: CellTransaction) -> tuple[Server, int]:
        return tx.save_server(FULL_SERVER, replace(FULL_SERVER), kind="x", at=NOON), len(tx.events_of("s"))

    assert in_cell(folder, save) == (FULL_SERVER, 1)


def test_saving_over_something_newer_is_a_bug_and_keeps_the_newer(folder: Path) -> None:
    server = a_server("s")
    in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO))
    in_cell(folder, lambda tx: tx.save_server(server, replace(server, name="new"), kind="server.edited", at=NOON))

    with pytest.raises(AssertionError, match="newer"):
        in_cell(folder, lambda tx: tx.save_server(server, replace(server, name="old"), kind="x", at=NOON))

    assert in_cell(folder, lambda tx: tx.server("s").name) == "new"


def test_adding_a_server_twice_leaves_one_with_one_event(folder: Path) -> None:
    server = a_server("s")

    assert in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO)) is True
    assert in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO)) is False
    assert in_cell(folder, lambda tx: [event.kind for event in tx.events_of("s")]) == ["server.created"]


def test_a_server_can_be_rebuilt_from_the_changes_of_its_events(folder: Path) -> None:
    """Past views are made of nothing else."""
    server = a_server("s", tags=("a",))
    in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO))
    running = a_server("s", host="h2", tags=("a", "b"), attributes={"x": 1})
    saved = in_cell(folder, lambda tx: tx.save_server(server, running, kind="server.started", at=NOON))

    picture: dict[str, Any] = {}
    for event in in_cell(folder, lambda tx: tx.events(after=0, limit=100)):
        if event.object_id == "s":
            picture |= {column: after for column, (_, after) in event.changes.items()}
            picture["version"] = event.object_version

    assert SERVER.of_picture(picture, "cell-1") == saved


def test_a_removed_server_is_gone_and_its_event_has_what_it_was(folder: Path) -> None:
    server = a_server("s")
    in_cell(folder, lambda tx: tx.add_server(server, at=NOON, actor=WHO))
    in_cell(folder, lambda tx: tx.remove_server(server, at=NOON, actor=WHO))
    in_cell(folder, lambda tx: tx.remove_server(server, at=NOON, actor=WHO))

    newest, created = in_cell(folder, lambda tx: tx.events_of("s"))

    assert in_cell(folder, lambda tx: tx.find_server("s")) is None
    assert (newest.kind, created.kind) == ("server.deleted", "server.created")
    assert newest.changes["name"] == ("s", None)
    with pytest.raises(NotFound):
        in_cell(folder, lambda tx: tx.server("s"))


def test_events_are_numbered_without_gaps_also_when_a_job_between_them_fails(folder: Path) -> None:
    def fails(tx: CellTransaction) -> None:
        tx.emit("lost", "note", "n", at=NOON)
        raise NotFound("note", "n")

    async def story(store: Store) -> list[int]:
        first = await store.cell_read("cell-1", lambda tx: tx.last_event_number())
        jobs = [lambda tx: tx.emit("kept", "note", "n", at=NOON), fails] * 3
        await asyncio.gather(*(store.cell_write("cell-1", job) for job in jobs), return_exceptions=True)
        events = await store.cell_read("cell-1", lambda tx: tx.events(after=first, limit=100))
        assert {event.kind for event in events} == {"kept"}
        return [event.number - first for event in events]

    assert with_store(folder, story) == [1, 2, 3]


def test_what_falls_due_comes_in_order_whatever_is_opened_and_ended_meanwhile(folder: Path) -> None:
    def run(tx: CellTransaction) -> list[str]:
        def schedule(kind: str, seconds: int) -> Task:
            due_at = NOON + timedelta(seconds=seconds)
            return tx.schedule(kind, "server", "s", begun_at=NOON, due_at=due_at)

        schedule("third", 3)
        cancelled = schedule("cancelled", 4)
        schedule("fifth", 5)
        schedule("first", 1)
        schedule("too late", 3601)
        ran = []
        for task in tx.each_due_task(NOON + HOUR):
            ran.append(task.kind)
            if task.kind == "first":
                schedule("second", 2)
                schedule("fourth", 3)
                tx.end_task(cancelled, TaskState.CANCELLED, at=NOON)
            if task.kind == "fifth":
                schedule("sixth", 5)
                schedule("last", 3600)
            tx.end_task(task, TaskState.DONE, at=task.due_at)
        return ran

    assert in_cell(folder, run) == ["first", "second", "third", "fourth", "fifth", "sixth", "last"]


def test_tasks_fall_due_in_order_and_end_once(folder: Path) -> None:
    def schedule(tx: CellTransaction) -> Any:
        later = tx.schedule("stop", "server", "s", begun_at=NOON, due_at=NOON + HOUR, payload={"a": [1]})
        sooner = tx.schedule("start", "server", "s", begun_at=NOON, due_at=NOON + timedelta(seconds=8), actor=WHO)
        return later, sooner

    later, sooner = in_cell(folder, schedule)

    assert in_cell(folder, lambda tx: tx.next_due()) == sooner.due_at
    assert in_cell(folder, lambda tx: tx.due_tasks(NOON)) == []
    assert in_cell(folder, lambda tx: tx.due_tasks(NOON + HOUR)) == [sooner, later]
    assert in_cell(folder, lambda tx: tx.tasks(is_open=True, limit=9)) == [sooner, later]

    in_cell(folder, lambda tx: tx.end_task(sooner, TaskState.DONE, at=sooner.due_at, result="fine"))

    ended = replace(sooner, state=TaskState.DONE, ended_at=sooner.due_at, result="fine")
    assert in_cell(folder, lambda tx: tx.tasks(is_open=False, limit=9)) == [ended]
    assert in_cell(folder, lambda tx: tx.open_tasks_of("s")) == [later]
    assert in_cell(folder, lambda tx: tx.count_tasks()) == (1, 1)
    with pytest.raises(AssertionError, match="not open"):
        in_cell(folder, lambda tx: tx.end_task(sooner, TaskState.FAILED, at=NOON))


def test_a_remembered_answer_comes_back_with_its_digest(folder: Path) -> None:
    in_cell(folder, lambda tx: tx.remember("me/key", "digest", {"id": "s", "n": [1]}))

    assert in_cell(folder, lambda tx: tx.remembered("me/key")) == ("digest", {"id": "s", "n": [1]})
    assert in_cell(folder, lambda tx: tx.remembered("other")) is None


def test_a_state_that_breaks_the_rules_of_the_table_never_gets_in(folder: Path) -> None:
    """A running server without a host."""
    server = a_server("s")
    broken = replace(server, state=ServerState.RUNNING)

    with pytest.raises(sqlite3.IntegrityError):
        in_cell(
            folder,
            lambda tx: (tx.add_server(server, at=NOON, actor=WHO), tx.save_server(server, broken, kind="x", at=NOON)),
        )

    assert in_cell(folder, lambda tx: tx.find_server("s")) is None


def test_drives_are_found_by_their_server(folder: Path) -> None:
    def add(tx: CellTransaction) -> None:
        for id_, server_id, channel in (("b", "s", "0:1"), ("a", "s", "0:0"), ("c", None, None)):
            drive = a_drive(id_, server_id=server_id)
            tx.add_drive(replace(drive, channel=channel), at=NOON, actor=WHO)

    in_cell(folder, add)

    assert [drive.id for drive in in_cell(folder, lambda tx: tx.drives_of("s"))] == ["a", "b"]
    attached = in_cell(folder, lambda tx: tx.drives_of_servers({"s", "t"}))
    assert [drive.id for drive in attached] == ["a", "b"]
    assert in_cell(folder, lambda tx: tx.drives_of_servers({"t"})) == []
    assert in_cell(folder, lambda tx: tx.mounts()) == {"a": "s", "b": "s", "c": None}


def test_what_stopped_servers_are_pledged_leaves_out_backfilling_and_running_ones(folder: Path) -> None:
    def add(tx: CellTransaction) -> Size:
        tx.add_server(a_server("a", 1000, 1), at=NOON, actor=WHO)
        tx.add_server(a_server("b", 2000, 2), at=NOON, actor=WHO)
        tx.add_server(a_server("c", 4000, 4, is_backfilling=True), at=NOON, actor=WHO)
        tx.add_server(a_server("d", 8000, 8, host="h1"), at=NOON, actor=WHO)
        return tx.stopped_size()

    assert in_cell(folder, add) == Size(3000, 3 * GIB)


# How full the hosts are


def fresh(tx: CellTransaction) -> CellTransaction:
    """The same connection with nothing remembered."""
    return CellTransaction(tx._connection, tx.cell)


def is_in_step(tx: CellTransaction) -> bool:
    return tx.loads() == fresh(tx).loads() and tx.storage_loads() == fresh(tx).storage_loads()


steps = st.tuples(
    st.sampled_from(["start", "stop", "move", "rename", "remove", "host", "drive", "grow", "gone"]),
    st.integers(0, 3),
    st.booleans(),
)


def take_step(tx: CellTransaction, action: str, number: int) -> None:
    id_ = f"s{number}"
    server = tx.find_server(id_)
    drive = tx.find_drive(id_)
    placed = a_server(id_, host="h1" if number % 2 else "h2")
    if action == "start":
        if server is None:
            tx.add_server(placed, at=NOON, actor=WHO)
        else:
            tx.save_server(server, replace(placed, version=server.version), kind="x", at=NOON)
    elif action == "host":
        host = tx.host("h1")
        state = HostState.DOWN if host.state is HostState.UP else HostState.UP
        tx.save_host(host, replace(host, state=state), kind="host.changed", at=NOON)
    elif action == "drive" and drive is None:
        tx.add_drive(a_drive(id_), at=NOON, actor=WHO)
    elif action == "grow" and drive is not None:
        tx.save_drive(drive, replace(drive, size_bytes=drive.size_bytes + GIB), kind="x", at=NOON)
    elif action == "gone" and drive is not None:
        tx.remove_drive(drive, at=NOON, actor=WHO)
    elif server is not None and action == "stop":
        tx.save_server(server, replace(a_server(id_), version=server.version), kind="x", at=NOON)
    elif server is not None and action == "move" and server.host is not None:
        other = "h2" if server.host == "h1" else "h1"
        tx.save_server(server, replace(server, host=other), kind="x", at=NOON)
    elif server is not None and action == "rename":
        tx.save_server(server, replace(server, attributes={"at": (1, 2)}, name=server.name + "x"), kind="x", at=NOON)
    elif server is not None and action == "remove":
        tx.remove_server(server, at=NOON, actor=WHO)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, max_size=12))
def test_the_loads_in_memory_are_those_of_the_file_whatever_was_written_or_rolled_back(
    folder: Path, plan: list[tuple[str, int, bool]]
) -> None:
    def job(action: str, number: int, is_failing: bool) -> Any:
        def run(tx: CellTransaction) -> None:
            tx.loads()
            tx.storage_loads()
            take_step(tx, action, number)
            assert is_in_step(tx), "within the job"
            if is_failing:
                raise NotFound("step", action)

        return run

    async def story(store: Store) -> None:
        work = [store.cell_write("cell-1", job(*step)) for step in plan]
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            assert outcome is None or isinstance(outcome, NotFound), outcome
        assert await store.cell_write("cell-1", is_in_step)
        assert await store.cell_read("cell-1", is_in_step)

    with_store(folder, story)


def test_a_reader_sees_the_loads_of_the_newest_commit(folder: Path) -> None:
    async def story(store: Store) -> list[int]:
        counts = []
        for number in range(3):
            server = a_server(f"s{number}", host="h1")
            await store.cell_write("cell-1", lambda tx, server=server: tx.add_server(server, at=NOON, actor=WHO))  # type: ignore[misc]
            counts.append(len((await store.cell_read("cell-1", lambda tx: tx.load("h1"))).servers))
        return counts

    assert with_store(folder, story) == [1, 2, 3]


def test_many_hosts_are_loaded_as_a_few_are(folder: Path) -> None:
    from backend.cloud.model import Host, HostKind

    def add(tx: CellTransaction) -> None:
        for number in range(20):
            tx.add_host(Host(f"n{number:02}", "cell-1", HostKind.COMPUTE, HostState.UP, Size(1, 1)), at=NOON)
            tx.add_server(a_server(f"s{number}", host=f"n{number:02}"), at=NOON, actor=WHO)

    in_cell(folder, add)

    loads = in_cell(folder, lambda tx: tx.loads())

    assert [(load.host.name, [server.id for server in load.servers]) for load in loads[2:]] == [
        (f"n{number:02}", [f"s{number}"]) for number in range(20)
    ]
