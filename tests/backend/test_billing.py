"""Money over the real store: every history adds up, whatever was restarted, silent or late."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backend.check import check
from backend.cloud.billing import Row, level_at
from backend.cloud.errors import CloudError
from backend.cloud.instants import microseconds_of
from backend.cloud.model import GIB, Event, ReachabilityState, Server, Size
from backend.cloud.prices import LOAD_OF, TICK, charge, level_of
from backend.cloud.subscriptions import Asked, covered
from backend.operations import billing, burst_levels, drives, losses, metering, servers, subscriptions
from backend.operations.drives import DriveSpec
from backend.store import CellTransaction
from backend.usage_checker import check_usage
from tests.backend.billed_year import live_through, steps_of_pages
from tests.backend.support import OPERATOR, Harness, in_a_cloud, make_folder, opened
from tests.builders import NOON

CELLS = ("cell-1", "cell-2")
BOOKED = 2
"""The layer of steps that the rows are made of."""
DAY = 288 * TICK


# --- the reckoning by brute force -------------------------------------------------------------------------------------


@dataclass
class Told:
    """What the events of one cell say was in use: all of it anew after each event."""

    objects: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    since: dict[tuple[str, str], int] = field(default_factory=dict)
    changes: list[tuple[int, tuple[str, str], dict[str, int]]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if event.object_kind not in ("server", "drive", "host"):
            return
        key = (event.object_kind, event.object_id)
        picture = self.objects.setdefault(key, {})
        before = self.using(key)
        picture.update({column: after for column, (_, after) in event.changes.items()})
        if event.kind.endswith(".deleted"):
            del self.objects[key]
        if self.using(key) != before or key not in self.since:
            # An object's own time never goes back.
            self.since[key] = max(self.since.get(key, 0), microseconds_of(event.at))
        self.changes.append((self.since[key], key, self.using(key)))

    def using(self, key: tuple[str, str]) -> dict[str, int]:
        """What is billed, and with a plus what the burst levels follow."""
        picture = self.objects.get(key)
        if not picture:
            return {}
        if key[0] == "drive":
            return {"dssd": number(picture, "size_bytes")}
        if key[0] == "host":
            is_up = picture["kind"] == "compute" and picture["state"] != "down"
            cpu, memory = number(picture, "cpu_mhz") * is_up, number(picture, "memory_bytes") * is_up
            return {"+capacity_cpu": cpu, "+capacity_mem": memory}
        if picture["state"] in ("stopped", "unavailable"):
            return {}
        cpu, memory = number(picture, "cpu_mhz_effective"), number(picture, "memory_bytes_effective")
        if picture.get("is_backfilling"):
            return {"bcpu": cpu, "bmem": memory}
        return {"cpu": cpu, "mem": memory, "+load_cpu": cpu, "+load_mem": memory}


def number(picture: Mapping[str, object], column: str) -> int:
    return int(str(picture.get(column) or 0))


def in_use_at(told: list[Told], at: int) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for each in told:
        latest: dict[tuple[str, str], dict[str, int]] = {}
        for begun, key, using in sorted(each.changes, key=lambda change: change[0]):
            if begun <= at:
                latest[key] = using
        for using in latest.values():
            for name, amount in using.items():
                totals[name] += amount
    return totals


def integrated(told: list[Told], subscribed: dict[str, list[tuple[int, int]]], end: int) -> dict[tuple[int, str], int]:
    """Amount x microseconds beyond the subscriptions, by tick and resource."""
    cuts = {at for each in told for at, _, _ in each.changes} | {at for steps in subscribed.values() for at, _ in steps}
    first = min(cuts, default=end * TICK)
    instants = sorted(cuts | {tick * TICK for tick in range(first // TICK, end + 1)})
    found: dict[tuple[int, str], int] = defaultdict(int)
    totals: dict[str, int] = {}
    for begins, ends in pairwise(instants):
        if begins // TICK >= end:
            break
        if begins in cuts:
            totals = in_use_at(told, begins)
        for name, amount in totals.items():
            cover = [covers for at, covers in subscribed.get(name, []) if at <= begins]
            found[begins // TICK, name] += max(0, amount - (cover[-1] if cover else 0)) * (ends - begins)
    return {key: used for key, used in found.items() if used and not key[1].startswith("+")}


@dataclass
class Memory:
    """What was told: none of it may ever be told otherwise."""

    rows: list[tuple[str, int, int, str, int, int]] = field(default_factory=list)
    levels: dict[tuple[str, int], int] = field(default_factory=dict)
    was_late: bool = False
    """Whether anything was corrected, or taken for true; from then on rows are not what the events say tick by tick."""

    def compare(self, rows: Sequence[Row], levels: dict[tuple[str, int], int], *, closed: int) -> None:
        told = [(row.id, row.at, row.amount, row.reason, row.initial, row.end) for row in rows]
        assert told[: len(self.rows)] == self.rows
        assert {key: levels[key] for key in self.levels} == self.levels
        self.rows = [row for row in told if row[1] <= closed * TICK]
        self.levels = levels


async def check_ledger(on: Harness, memory: Memory) -> None:
    """The balance is the sum of all rows, and the rows are what the events say, each tick once."""
    cloud = on.cloud
    closed = -1
    # A cell that has just been found to answer again tells what it had to tell.
    while closed != cloud.accounting.closed:
        closed = cloud.accounting.closed
        found = await billing.ledger(cloud, OPERATOR, limit=10**9)
        balance = await billing.balance(cloud, OPERATOR)
        metered, presumed, corrections, late = await cloud.store.cloud_read(
            lambda tx: (
                tx.metered(),
                tx.presumed_files(),
                tx.corrections(OPERATOR),
                [step for step in tx.every_step() if step[0][3] != BOOKED],
            )
        )
    rows = found.rows[::-1]
    assert len(rows) == found.total
    assert balance == -sum(row.amount for row in rows)
    assert (rows[0].initial, rows[-1].end) == (0, balance)
    assert all(one.end == other.initial for one, other in pairwise(rows))
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.amount == charge(row.run.resource, row.run.level, row.run.used) for row in rows if row.run)
    known = await burst_levels.until(cloud, closed + 2)
    ticks = range(microseconds_of(NOON) // TICK, closed + 2)
    levels = {(name, tick): level_at(known.get(name, ()), tick) for name in ("cpu", "mem") for tick in ticks}
    assert all(row.run.level == levels[LOAD_OF[row.run.resource], row.at // TICK - 1]
               for row in rows if row.run and row.run.resource in LOAD_OF)  # fmt: skip
    memory.compare(rows, levels, closed=closed)
    memory.was_late |= bool(presumed or late)

    told = []
    for cell in CELLS:
        each = Told()
        for event in on_disk(cloud.store.path, cell):
            if event.number <= metered.get(cell, 0):
                each.take(event)
        told.append(each)
    bought = await cloud.store.cloud_read(lambda tx: tx.subscriptions(OPERATOR))
    cover = covered(bought, microseconds_of(cloud.clock.now()))
    assert not {"bcpu", "bmem"} & cover.keys()
    expected = integrated(told, cover, closed)
    billed = {
        (row.at // TICK - 1, row.run.resource): row.run
        for row in rows
        if row.run is not None and row.run.resource not in ("ip", "vlan")
    }
    if not memory.was_late:
        assert {key: run.used for key, run in billed.items()} == expected
        for tick in {tick for tick, _ in billed}:
            load = in_use_at(told, (tick - 1) * TICK - 1)
            for name, follows in LOAD_OF.items():
                if (tick, name) in billed:
                    level = level_of(load.get(f"+load_{follows}", 0), load.get(f"+capacity_{follows}", 0))
                    assert billed[tick, name].level == level
    if not presumed:
        # Whatever was taken for true meanwhile: in the end each resource comes to what was really used of it.
        truth: dict[str, int] = defaultdict(int)
        for (tick, name), used in expected.items():
            truth[name] += charge(name, levels[LOAD_OF[name], tick] if name in LOAD_OF else 1, used)
        for (_, name), run in billed.items():
            truth[name] -= run.charge
        for _, _, correction in corrections:
            truth[correction.resource] -= correction.amount
        assert not any(truth.values())
    await cloud.store.cloud_read(
        lambda tx: check_usage(tx.broken_intervals(), tx.every_interval(), tx.every_presumed(), tx.every_step())
    )


def on_disk(folder: Path, cell: str) -> list[Event]:
    """What the cell has written, whether or not anybody may ask it now."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'cells' / cell}.db?mode=ro", uri=True)) as connection:
        return CellTransaction(connection, cell).events(after=0, limit=10**9)


# --- histories --------------------------------------------------------------------------------------------------------


class History:
    """One thing after the other, as chance has it; what the cloud refuses is part of it."""

    def __init__(self, on: Harness, chance: Random) -> None:
        self.on = on
        self.chance = chance

    async def step(self) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [
            *[self.make] * 3, *[self.start] * 5, *[self.stop] * 3, self.remove, self.drive, *[self.advance] * 4,
            self.move_clock, self.lose_host, self.take_host_up, self.silence, self.give_back, self.subscribe, self.look,
        ]  # fmt: skip
        with contextlib.suppress(CloudError):
            await self.chance.choice(steps)()

    async def one(self) -> Server | None:
        listing = await servers.list_servers(self.on.cloud, self.on.operator)
        found = [each for each in listing.items if isinstance(each, Server)]
        return self.chance.choice(found) if found else None

    async def make(self) -> None:
        size = Size(self.chance.choice((1000, 4000, 7000)), self.chance.choice((1, 4, 30)) * GIB)
        spec = servers.ServerSpec("one", size, is_backfilling=self.chance.random() < 0.6)
        made = await servers.create_server(self.on.cloud, self.on.operator, spec)
        await servers.start_server(self.on.cloud, self.on.operator, made.id)

    async def start(self) -> None:
        if (found := await self.one()) is not None:
            await servers.start_server(self.on.cloud, self.on.operator, found.id)

    async def stop(self) -> None:
        if (found := await self.one()) is not None:
            await servers.stop_server(self.on.cloud, self.on.operator, found.id)

    async def remove(self) -> None:
        if (found := await self.one()) is not None:
            await servers.delete_server(self.on.cloud, self.on.operator, found.id)

    async def drive(self) -> None:
        await drives.create_drive(self.on.cloud, self.on.operator, DriveSpec("disk", self.chance.choice((1, 9)) * GIB))

    async def advance(self) -> None:
        await self.on.engine.advance(self.chance.choice((0.5, 8, 31, 299.999, 300, 4000)))

    async def move_clock(self) -> None:
        """As at a high rate: what falls due meanwhile is done late, but at its own instant."""
        self.on.clock.move_to(self.on.clock.now() + timedelta(seconds=self.chance.choice((1, 20, 700))))

    async def lose_host(self) -> None:
        await losses.fail_host(self.on.cloud, OPERATOR, self.chance.choice(("c1-h1", "c2-h1")))

    async def take_host_up(self) -> None:
        await losses.recover_host(self.on.cloud, OPERATOR, self.chance.choice(("c1-h1", "c2-h1")))

    async def silence(self) -> None:
        await self.on.cloud.store.inject(self.chance.choice(CELLS), ReachabilityState.DOWN)

    async def give_back(self) -> None:
        for cell in CELLS:
            await self.on.cloud.store.inject(cell, ReachabilityState.UP)

    async def subscribe(self) -> None:
        name, amount = self.chance.choice((("cpu", 5000), ("mem", 6 * GIB), ("dssd", 3 * GIB)))
        period = self.chance.choice(("1 day", "2 days"))
        asked = Asked(name, amount, period=period, renews=self.chance.random() < 0.5)
        await subscriptions.buy(self.on.cloud, self.on.operator, [asked])

    async def look(self) -> None:
        await billing.standing(self.on.cloud, OPERATOR)


def tell(seed: int, steps: int) -> None:
    chance = Random(seed)
    memory = Memory()

    async def lives(folder: Path) -> None:
        at: datetime = NOON
        for _ in range(3):
            async with opened(folder, at=at) as on:
                history = History(on, chance)
                for _ in range(steps):
                    await history.step()
                await check_ledger(on, memory)
                await history.give_back()
                await on.engine.advance(chance.choice((0, 1000)))
                await check_ledger(on, memory)
                at = on.clock.now()

    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder) / "data", cells=CELLS, hosts=1, capacity=Size(16_000, 64 * GIB))
        asyncio.run(lives(Path(folder) / "data"))


@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.integers(0, 10**9))
def test_every_interval_is_billed_once_whatever_was_restarted_silent_or_late(seed: int) -> None:
    tell(seed, steps=14)


def test_a_ledger_is_whole_while_a_cell_that_is_back_has_not_done_what_was_due() -> None:
    """Of this history a tick was once left out for as long as the engine was late, because a later one was known."""
    tell(10095185, steps=40)


@pytest.mark.thorough
@settings(max_examples=150, deadline=None, database=None, phases=[Phase.generate])
@given(st.integers(0, 10**9))
def test_every_interval_is_billed_once_in_many_histories(seed: int) -> None:
    tell(seed, steps=40)


def test_events_that_were_taken_are_not_taken_again_whoever_still_has_them(tmp_path: Path) -> None:
    """As when who asked gives up while they are being written: what was written counts, and only once."""

    async def story(on: Harness) -> None:
        await on.running("web")
        store, cell = on.cloud.store, (await on.cloud.store.cloud_read(lambda tx: tx.server_entries()))[0].cell
        events, last = await store.cell_read(cell, lambda tx: tx.happened_after(0, count=1000))
        again = partial(metering.take_in, file=cell, events=events, after=0, last=last)
        asked = asyncio.ensure_future(billing.balance(on.cloud, OPERATOR))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

        await billing.balance(on.cloud, OPERATOR)

        assert await store.cloud_write(again) is None
        await on.engine.advance(900)
        await check_ledger(on, Memory())

    in_a_cloud(tmp_path / "data", story, cells=CELLS, hosts=1)


def test_what_was_told_of_a_silent_cell_is_kept_over_a_restart_and_corrected_once(tmp_path: Path) -> None:
    """Its server ran for an hour and was stopped before anybody asked about money."""

    async def story() -> None:
        memory, told = Memory(), []
        async with opened(tmp_path / "data") as on:
            server = await on.running("web", cell="cell-1")
            await on.engine.advance(3600)
            await servers.stop_server(on.cloud, on.operator, server.id)
            await on.cloud.store.inject("cell-1", ReachabilityState.DOWN)
            await on.engine.advance(3600)
            await check_ledger(on, memory)
            told.append(await billing.balance(on.cloud, OPERATOR))
        async with opened(tmp_path / "data", at=on.clock.now()) as again:
            await check_ledger(again, memory)
            told.append(await billing.balance(again.cloud, OPERATOR))
            await again.cloud.store.inject("cell-1", ReachabilityState.UP)
            for _ in range(2):
                await check_ledger(again, memory)
                told.append(await billing.balance(again.cloud, OPERATOR))

            corrections = await again.cloud.store.cloud_read(lambda tx: tx.corrections(OPERATOR))
            assert [each.resource for _, _, each in corrections] == ["cpu", "mem"]
            assert told[0] == told[1] > told[2] == told[3]
            assert told[1] - told[2] == sum(each.amount for _, _, each in corrections)

    make_folder(tmp_path / "data", cells=CELLS, hosts=1)
    asyncio.run(story())


# --- what a page costs ------------------------------------------------------------------------------------------------


def costs_in(folder: Path, **shape: int) -> list[int]:
    async def story(on: Harness) -> list[int]:
        total = await live_through(on, **shape)
        assert total > shape["days"] * 288 * 2
        return await steps_of_pages(on, total)

    return in_a_cloud(folder, story, cells=CELLS, hosts=1)


def test_a_page_of_the_ledger_costs_the_page_and_not_what_came_before(tmp_path: Path) -> None:
    short = costs_in(tmp_path / "short", servers_count=24, days=4, portion=500)
    long = costs_in(tmp_path / "long", servers_count=24, days=24, portion=500)

    assert max(long) <= 1.2 * max(short)
    assert max(long) <= 2 * min(long)


@pytest.mark.thorough
def test_a_page_of_the_ledger_of_a_year_of_a_thousand_servers_costs_the_page(tmp_path: Path) -> None:
    month = costs_in(tmp_path / "month", servers_count=1000, days=30, portion=20_000)
    year = costs_in(tmp_path / "year", servers_count=1000, days=365, portion=20_000)

    assert max(year) <= 1.2 * max(month)
    assert max(year) <= 2 * min(year)


# --- what a check finds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE usage_step SET amount = amount + 1 WHERE resource = 'cpu'", "the usage of cpu of"),
        ("DELETE FROM usage_step WHERE resource = 'mem'", "the usage of mem of"),
        ("UPDATE usage_interval SET begun_at = begun_at - 1 WHERE state = 'running'", "is counted twice"),
    ],
)
def test_what_is_not_billed_as_it_was_used_is_found(tmp_path: Path, damage: str, sentence: str) -> None:
    folder = tmp_path / "data"

    async def story(on: Harness) -> None:
        made = await on.server("web")
        await on.engine.advance(60)
        await servers.start_server(on.cloud, on.operator, made.id)
        await billing.balance(on.cloud, OPERATOR)

    in_a_cloud(folder, story, cells=CELLS, hosts=1)
    whole = check(folder)
    with contextlib.closing(sqlite3.connect(folder / "cloud.db")) as connection:
        assert connection.execute(damage).rowcount == 1
        connection.commit()

    broken = check(folder)

    assert whole.breach is None
    assert whole.usage_intervals > 0
    assert sentence in (broken.breach or "")
