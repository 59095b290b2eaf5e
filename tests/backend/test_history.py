"""What is older than a cloud keeps of its past is forgotten, and nothing that is still asked for goes with it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from backend.check import check
from backend.clock import Clock
from backend.cloud.errors import Forgotten, Invalid
from backend.cloud.history import HISTORY_SECONDS_MIN
from backend.cloud.model import Server
from backend.operations import cells, explain, feed, history, servers, settings
from backend.operations.past import Past
from backend.store import Store
from tests.backend.support import OPERATOR, Harness, make_folder, opened
from tests.builders import NOON
from tests.soak.watching import databases, rows

HOUR = 3_600.0
LEFT = 2
"""The newest event of a file stays, and where it is the end of a server so does its placement."""
SHORT = {"history_seconds": HISTORY_SECONDS_MIN}


async def come_and_go(on: Harness, name: str, *, cell: str | None = None) -> None:
    server = await on.running(name, cell=cell)
    await servers.stop_server(on.cloud, on.operator, server.id)
    await on.engine.advance(15)
    await servers.delete_server(on.cloud, on.operator, server.id)


def events_in(folder: Path) -> dict[str, int]:
    found = {}
    for path in databases(folder):
        with closing(sqlite3.connect(path)) as file:
            found[path.stem] = file.execute("SELECT count(*) FROM event").fetchone()[0]
    return found


def test_nothing_goes_before_it_is_as_old_as_the_setting_says_and_a_part_of_that_later_it_has_gone(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path, settings=SHORT)

    async def story() -> None:
        async with opened(tmp_path) as on:
            await come_and_go(on, "early", cell="cell-1")
            told = await on.kinds()
            await on.engine.advance(HOUR - 60)
            assert await on.kinds() == told

            await on.engine.advance(HOUR / 12)
            await on.server("late", cell="cell-1")
            await on.engine.advance(HOUR / 12)
            kinds = [event.kind for event in await on.events() if event.file == "cell-1"]
            # What was the newest of its file when the rest went.
            assert kinds == ["server.deleted", "server.created"]

    asyncio.run(story())
    assert check(tmp_path).breach is None


def test_a_year_of_a_small_cloud_that_keeps_a_week_has_as_many_rows_as_three_weeks_of_it(tmp_path: Path) -> None:
    make_folder(tmp_path, settings={"history_seconds": 7 * 86_400})
    counted: list[dict[str, int]] = []

    async def story() -> None:
        async with opened(tmp_path) as on:
            for week in range(52):
                for number in range(3):
                    await come_and_go(on, f"s-{week}-{number}")
                await on.engine.advance(7 * 86_400)
                if week in (2, 51):
                    counted.append({name: rows(tmp_path)[name] for name in ("event", "task", "log_base")})

    asyncio.run(story())
    early, late = counted
    assert late == early
    assert check(tmp_path).breach is None


# What is told of the past


def test_a_moment_in_the_kept_time_is_as_it_was_and_one_before_it_is_refused_with_its_beginning(tmp_path: Path) -> None:
    make_folder(tmp_path, settings=SHORT)

    async def names(past: Past, at: datetime) -> list[str]:
        async with past.at(feed.Position(at)) as moment:
            listing = await servers.list_servers(moment.cloud, await moment.cloud.account(OPERATOR))
            return sorted(each.name for each in listing.items if isinstance(each, Server))

    async def story() -> None:
        async with opened(tmp_path) as on:
            past = Past(on.cloud)
            await on.running("stays", cell="cell-1")
            early = on.clock.now()
            assert await names(past, early) == ["stays"]
            await on.engine.advance(2 * HOUR)
            await come_and_go(on, "goes", cell="cell-1")
            middle = on.clock.now() - timedelta(seconds=20)
            await on.engine.advance(HOUR / 2)
            await on.server("late", cell="cell-1")

            since = on.cloud.history_since()
            assert since is not None
            assert since <= early
            # The copy stands where the log does not reach any more.
            assert await names(past, middle) == ["goes", "stays"]
            with pytest.raises(Invalid, match=f"lies before {since:%Y-%m-%d %H:%M:%S} UTC, when what is recorded"):
                await names(past, since - timedelta(microseconds=1))
            assert await names(past, since) == ["stays"]
            await past.close()

    asyncio.run(story())


def test_a_cursor_from_before_the_beginning_is_refused_and_one_behind_it_is_not(tmp_path: Path) -> None:
    make_folder(tmp_path, settings=SHORT)

    async def story() -> None:
        async with opened(tmp_path) as on:
            early = await feed.cursor_now(on.cloud)
            await come_and_go(on, "first", cell="cell-1")
            await on.engine.advance(2 * HOUR)
            late = await feed.cursor_now(on.cloud)
            await on.server("second", cell="cell-1")

            for read in (feed.changes, feed.news):
                with pytest.raises(Forgotten) as refused:
                    await read(on.cloud, on.operator, early)
                assert refused.value.since
            found = await feed.changes(on.cloud, on.operator, late)
            assert [event.kind for event in found.events] == ["server.created"]

    asyncio.run(story())


def test_why_a_server_is_where_it_is_is_told_when_its_placement_is_long_ago(tmp_path: Path) -> None:
    make_folder(tmp_path, settings=SHORT)

    async def story() -> None:
        async with opened(tmp_path) as on:
            server = await on.running("stays", cell="cell-1")
            marks = (await explain.explain(on.cloud, on.operator, server.id)).marks
            await on.engine.advance(3 * HOUR)
            await on.server("other", cell="cell-1")
            await on.engine.advance(3 * HOUR)

            found = await explain.explain(on.cloud, on.operator, server.id)
            assert found.marks == marks
            assert found.placed is None
            assert found.placed_problem == (
                f"Decision {marks[0].number} lies before the beginning of the log of cell-1: "
                "what was there then is not kept."
            )
            kinds = [event.kind for event in (await told(on, server.id)).events]
            assert kinds == ["server.placed"]
            everything = [event.kind for event in (await feed.told_events(on.cloud, on.operator, limit=100)).events]
            assert "server.placed" not in everything

    asyncio.run(story())


async def told(on: Harness, object_id: str) -> feed.Told:
    return await feed.told_events(on.cloud, on.operator, limit=100, object_id=object_id)


# What holds it up


def test_a_silent_cell_keeps_its_past_until_it_is_back_and_cloud_db_does_not_wait_for_it(tmp_path: Path) -> None:
    make_folder(tmp_path, settings=SHORT)

    async def story() -> None:
        async with opened(tmp_path) as on:
            await come_and_go(on, "first", cell="cell-1")
            await come_and_go(on, "other", cell="cell-2")
            before = events_in(tmp_path)
            await cells.inject(on.cloud, on.operator, "cell-2", "down")
            await on.engine.advance(3 * HOUR)
            during = events_in(tmp_path)
            assert during["cell-2"] == before["cell-2"]
            assert during["cell-1"] == LEFT

            await cells.inject(on.cloud, on.operator, "cell-2", "up")
            await on.engine.advance(60)
            assert events_in(tmp_path)["cell-2"] == LEFT
            found = await feed.told_events(on.cloud, on.operator, limit=9, object_id="cell-2")
            assert [event.kind for event in found.events] == ["cell.down", "cell.up"]

    asyncio.run(story())
    assert check(tmp_path).breach is None


def test_a_log_is_forgotten_in_portions_between_which_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ROWS_AT_ONCE", 3)
    make_folder(tmp_path, settings=SHORT)
    left: list[int] = []

    async def story() -> None:
        async with opened(tmp_path) as on:
            for number in range(4):
                await come_and_go(on, f"s-{number}", cell="cell-1")
            on.clock.move_to(on.clock.now() + timedelta(hours=3))
            while await on.engine.run_due():
                left.append(events_in(tmp_path)["cell-1"])
                assert check(tmp_path).breach is None

    asyncio.run(story())
    assert left[-1] == LEFT
    assert len(left) > 8
    # And the placement of a server whose end goes.
    assert max(before - after for before, after in pairwise(left)) <= 3 + 1


def test_events_that_are_not_taken_into_account_yet_stay(tmp_path: Path) -> None:
    """What cloud.db has not heard of a cell is taken first; where cloud.db is full, nothing of it goes."""
    make_folder(tmp_path, settings=SHORT)

    async def story() -> None:
        async with opened(tmp_path) as on:
            await come_and_go(on, "first", cell="cell-1")
            await on.engine.advance(2 * HOUR)
            taken = await on.cloud.store.cloud_read(lambda tx: (tx.metered()["cell-1"], tx.mirrored_event("cell-1")))
            beginning = await on.cloud.store.cell_read("cell-1", lambda tx: tx.log_beginning().number)
            assert beginning <= min(taken)
            assert beginning > 0
            intervals = await on.cloud.store.cloud_read(lambda tx: len(list(tx.every_interval())))
            assert intervals > 0

    asyncio.run(story())
    assert rows(tmp_path)["usage_interval"] > 0


# The setting


@pytest.mark.parametrize("seconds", [0, 3_599, 100 * 365 * 86_400 + 1])
def test_a_time_for_which_no_past_can_be_kept_is_refused_with_both_ends(tmp_path: Path, seconds: int) -> None:
    make_folder(tmp_path)

    async def story() -> None:
        async with opened(tmp_path) as on:
            with pytest.raises(Invalid, match=r"must be from 3,600, an hour, to 3,153,600,000, a hundred years"):
                await settings.change_settings(on.cloud, on.operator, history_seconds=seconds)

    asyncio.run(story())


def test_a_shorter_time_is_in_force_at_once(tmp_path: Path) -> None:
    make_folder(tmp_path)

    async def story() -> None:
        async with opened(tmp_path) as on:
            await come_and_go(on, "first", cell="cell-1")
            await on.engine.advance(3 * HOUR)
            assert "server.created" in await on.kinds()
            await settings.change_settings(on.cloud, on.operator, history_seconds=3_600)
            await on.engine.advance(1)
            assert "server.created" not in await on.kinds()

    asyncio.run(story())


# Requests


def test_a_request_is_remembered_for_a_day_of_the_world_whatever_the_clouds_time_does(tmp_path: Path) -> None:
    make_folder(tmp_path)
    wall = NOON

    async def story() -> None:
        nonlocal wall
        clock = Clock(mode="manual", simulated_at=NOON, wall=lambda: wall)
        store = await Store.open(tmp_path, wall=clock.wall_now)
        try:
            for number in range(5):
                await store.cloud_write(lambda tx, n=number: tx.remember(f"me {n}", "d", n))  # type: ignore[misc]
            wall += timedelta(days=1)
            assert [await known(store, number) for number in range(5)] == [True] * 5
            wall += timedelta(microseconds=1)
            await store.cloud_write(lambda tx: tx.remember("restore/7/stop", "d", {}))
            await store.cloud_write(lambda tx: tx.remember("me later", "d", {}))
            assert [await known(store, number) for number in range(5)] == [False] * 4 + [True]
            wall += timedelta(days=30)
            await store.cloud_write(lambda tx: tx.remember("me last", "d", {}))
            steps = await store.cloud_read(lambda tx: tx.remembered("restore/7/stop"))
            assert steps is not None, "what the cloud itself may repeat stays until its task has ended"
            await store.cloud_write(lambda tx: tx.forget_steps(7))
            assert await store.cloud_read(lambda tx: tx.remembered("restore/7/stop")) is not None
            await store.cloud_write(lambda tx: tx.forget_steps(8))
            assert await store.cloud_read(lambda tx: tx.remembered("restore/7/stop")) is None
        finally:
            await store.close()

    asyncio.run(story())


async def known(store: Store, number: int) -> bool:
    return await store.cloud_read(lambda tx: tx.remembered(f"me {number}")) is not None
