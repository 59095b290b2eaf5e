"""Past decisions, rebuilt from the log after random histories: they are what was recorded, and what was told then."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cloud.errors import CloudError, Conflict, NotFound
from backend.cloud.model import GIB, Event, Server, Size
from backend.cloud.placement import Candidate
from backend.operations import clones, drains, drives, explain, losses, servers
from backend.operations.drives import DriveSpec
from backend.operations.explain import Explained
from backend.store import Rewinding
from tests.backend.support import OPERATOR, Harness, in_a_cloud
from tests.builders import NOON

SHAPE = {"cells": ("cell-1",), "hosts": 3, "capacity": Size(8_000, 16 * GIB), "storage_bytes": 40 * GIB}

numbers = st.integers(0, 5)
steps = st.tuples(
    st.sampled_from(("make", "make backfilling", "start", "start", "start again", "stop", "delete", "fail", "recover",
                     "drain", "evacuate", "drive", "clone", "delete drive", "wait")),
    numbers,
    numbers,
)  # fmt: skip


class History:
    """What has been done in a cloud, and what was told of each start before it."""

    def __init__(self, on: Harness) -> None:
        self.on = on
        self.servers: list[str] = []
        self.drives: list[str] = []
        self.told: dict[int, Explained] = {}

    async def step(self, what: str, a: int, b: int) -> None:
        try:
            await self._step(what, a, b)
        except CloudError:
            return

    async def _step(self, what: str, a: int, b: int) -> None:
        on, cloud, operator = self.on, self.on.cloud, self.on.operator
        match what:
            case "make" | "make backfilling":
                is_backfilling = what != "make"
                made = await on.server(f"s{len(self.servers)}", vcpus=a % 3 + 1, gib=b + 1,
                                       is_backfilling=is_backfilling)  # fmt: skip
                self.servers.append(made.id)
            case "start" | "start again" if self.servers:
                id = self.servers[a % len(self.servers)]
                # Of each, the avoid list of its last start, or another one.
                avoid = tuple(self.servers[: b % 3]) if what == "start" else (await on.look(id)).avoid
                before = (await explain.explain(cloud, operator, id)).asked
                await servers.start_server(cloud, operator, id, avoid=avoid)
                if avoid == before.avoid:
                    self.told[(await explain.explain(cloud, operator, id)).marks[-1].number] = before
            case "stop" if self.servers:
                await servers.stop_server(cloud, operator, self.servers[a % len(self.servers)])
            case "delete" if self.servers:
                await servers.delete_server(cloud, operator, self.servers[a % len(self.servers)])
            case "drive" | "clone" | "delete drive":
                await self._step_of_drives(what, a, b)
            case "wait":
                await on.engine.advance(10 * (a + 1) * (b + 1))
            case _:
                await self._step_of_hosts(what, f"c1-h{a % 3 + 1}" if b else "s1-1")

    async def _step_of_hosts(self, what: str, host: str) -> None:
        cloud = self.on.cloud
        match what:
            case "fail":
                await losses.fail_host(cloud, OPERATOR, host)
            case "recover":
                await losses.recover_host(cloud, OPERATOR, host)
            case "drain":
                await drains.drain_host(cloud, OPERATOR, host)
            case "evacuate":
                await drains.evacuate_host(cloud, OPERATOR, host)

    async def _step_of_drives(self, what: str, a: int, b: int) -> None:
        cloud, operator = self.on.cloud, self.on.operator
        match what:
            case "drive":
                avoid = tuple(self.drives[: b % 3])
                spec = DriveSpec(f"d{len(self.drives)}", (a + 1) * GIB, avoid=avoid)
                self.drives.append((await drives.create_drive(cloud, operator, spec)).id)
            case "clone" if self.drives:
                source = self.drives[a % len(self.drives)]
                begun = await clones.clone_drive(cloud, operator, source, avoid=tuple(self.drives[: b % 3]))
                self.drives.append(begun.drive.id)
            case "delete drive" if self.drives:
                await drives.delete_drive(cloud, operator, self.drives[a % len(self.drives)])


def recorded(event: Event) -> dict[str, Any]:
    decision = event.details["decision"]
    return {name: decision[name] for name in ("host", "decided_by", "runner_up", "shrinks", "stops", "avoided")}


def made_again(explained: Explained) -> dict[str, Any]:
    explanation = explained.explanation
    chosen = explanation.chosen
    assert isinstance(chosen, Candidate)
    return {
        "host": chosen.host,
        "decided_by": explanation.decided_by,
        "runner_up": explanation.beaten[0].candidate.host if explanation.beaten else None,
        "shrinks": chosen.shrunk,
        "stops": list(chosen.plan.stops),
        "avoided": [explained.avoid[rank] for rank in chosen.ranks],
    }


async def check(history: History) -> None:
    cloud, operator = history.on.cloud, history.on.operator
    log = await cloud.store.cell_read("cell-1", lambda tx: tx.events(after=0, limit=100_000))
    for event in log:
        if event.kind not in ("server.placed", "drive.created"):
            continue
        try:
            why = await explain.explain(cloud, operator, event.object_id, decision=event.number)
        except NotFound:
            assert any(each.kind.endswith(".deleted") and each.object_id == event.object_id for each in log)
            continue
        assert why.asked.is_as_recorded
        if event.kind == "server.placed":
            assert made_again(why.asked) == recorded(event)
        told = history.told.get(event.number)
        if told is not None:
            assert why.asked.explanation == told.explanation
            assert why.asked.of == told.of


def tell(doings: list[tuple[str, int, int]], **shape: Any) -> None:
    async def story(on: Harness) -> None:
        history = History(on)
        for what, a, b in doings:
            await history.step(what, a, b)
        await check(history)

    with tempfile.TemporaryDirectory() as folder:
        in_a_cloud(Path(folder) / "data", story, **{**SHAPE, **shape})


FIRST = [("make", 1, 1), ("make", 2, 3), ("make backfilling", 2, 1), ("drive", 1, 1), ("start", 0, 0), ("start", 2, 0)]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(steps, min_size=5, max_size=20))
def test_every_past_decision_is_made_again_as_it_was(doings: list[tuple[str, int, int]]) -> None:
    tell([*FIRST, *doings])


@pytest.mark.thorough
@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(steps, min_size=5, max_size=60))
def test_every_past_decision_is_made_again_as_it_was_in_many_more_histories(
    doings: list[tuple[str, int, int]],
) -> None:
    tell([*FIRST, *doings])


def test_where_the_settings_have_changed_it_is_said_that_they_decide_otherwise(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        await on.running("first")
        second = await on.running("second")
        assert (await explain.explain(on.cloud, on.operator, second.id)).placed.is_as_recorded  # type: ignore[union-attr]
        on.cloud.settings = type(on.cloud.settings)(placement="pack")
        why = await explain.explain(on.cloud, on.operator, second.id)
        assert why.placed is not None
        assert not why.placed.is_as_recorded
        assert why.placed.mark is not None
        assert (why.placed.mark.host, why.placed.explanation.chosen.host) == ("c1-h2", "c1-h1")  # type: ignore[union-attr]

    in_a_cloud(tmp_path / "data", story, **SHAPE)


def test_a_log_with_a_gap_is_no_ground_to_rebuild_on(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.running("web")
        await on.server("later")
        await on.cloud.store.cell_write("cell-1", _forget_the_newest_but_one)
        why = await explain.explain(on.cloud, on.operator, server.id)
        assert why.placed is None
        assert why.placed_problem is not None
        assert "The log of cell-1 has a gap" in why.placed_problem
        with pytest.raises(Conflict, match="cannot be rebuilt"):
            await explain.explain(on.cloud, on.operator, server.id, decision=why.marks[0].number)

    in_a_cloud(tmp_path / "data", story, **SHAPE)


def _forget_the_newest_but_one(tx: Any) -> None:
    tx._run("DELETE FROM event WHERE number = ?", (tx.last_event_number() - 1,))


def an_event(number: int, kind: str, version: int, **changes: tuple[Any, Any]) -> Event:
    return Event("cell-1", number, NOON, kind, kind.partition(".")[0], "x", version, changes=changes)


def test_rewinding_puts_back_the_oldest_value_of_each_column(tmp_path: Path) -> None:
    async def story(on: Harness) -> Server:
        return await on.server("now")

    server = in_a_cloud(tmp_path / "data", story, **SHAPE)
    rewinding = Rewinding("cell-1", before=4)

    assert rewinding.take([an_event(4, "server.edited", 3, name=("oldest", "older"))])
    assert rewinding.take([an_event(5, "server.edited", 4, name=("older", "now"), cpu_mhz=(1000, 4000))])
    assert not rewinding.take([an_event(7, "server.edited", 5)])

    was = rewinding.server("x", server)
    assert was is not None
    assert (was.name, was.size.cpu_mhz, was.size.memory_bytes, was.version) == ("oldest", 1000, 4 * GIB, 2)
    assert rewinding.server("other", server) is server
    assert rewinding.touched("server") == {"x"}
    assert rewinding.number == 5


def test_what_was_made_since_was_not_there_and_what_has_gone_is_made_again(tmp_path: Path) -> None:
    async def story(on: Harness) -> None:
        server = await on.server("gone", tags=("group:web",), meta={"a": "b"})
        made = await on.cloud.store.cell_read("cell-1", lambda tx: tx.last_event_number())
        await servers.delete_server(on.cloud, on.operator, server.id)
        log = await on.cloud.store.cell_read("cell-1", lambda tx: tx.events(after=0, limit=1000))

        since_made, since_gone = Rewinding("cell-1", before=made), Rewinding("cell-1", before=made + 1)
        assert since_made.take(log[made - 1 :])
        assert since_gone.take(log[made:])
        assert since_made.server(server.id, None) is None
        assert since_gone.server(server.id, None) == server

    in_a_cloud(tmp_path / "data", story, **SHAPE)
