"""What fits is what starts, one larger does not, and a what-if is what would have happened."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.cloud.errors import Invalid, NoCapacity, NotFound, Unreachable
from backend.cloud.model import GIB, LARGEST_SERVER, SMALLEST_SERVER, Server, Size
from backend.operations import cells, groups, servers
from backend.operations.capacity import what_fits
from backend.operations.groups import MemberView
from backend.operations.servers import ServerSpec, Started
from backend.operations.what_ifs import WhatIf, what_if
from backend.store import CellTransaction
from tests.backend.support import Harness, make_folder, opened

QUICK = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


class Run(NamedTuple):
    """A server that runs already."""

    cpu: int
    gib: int
    is_backfilling: bool
    cell: int
    group: bool


runs = st.lists(
    st.builds(
        Run,
        st.sampled_from((2000, 4000, 6000, 12_000)),
        st.sampled_from((2, 8, 24)),
        st.booleans(),
        st.integers(1, 2),
        st.booleans(),
    ),
    max_size=6,
)


async def fill(on: Harness, found: list[Run]) -> None:
    """As many of them as find a host."""
    for number, run in enumerate(found):
        spec = ServerSpec(
            f"run-{number}",
            Size(run.cpu, run.gib * GIB),
            is_backfilling=run.is_backfilling,
            cell=f"cell-{run.cell}",
            tags=("group:web",) if run.group else (),
        )
        server = await servers.create_server(on.cloud, on.operator, spec)
        try:
            await servers.start_server(on.cloud, on.operator, server.id)
        except NoCapacity:
            continue
    await on.engine.advance(5)


async def start(on: Harness, spec: ServerSpec, avoid: tuple[str, ...] = ()) -> Started:
    server = await servers.create_server(on.cloud, on.operator, spec)
    return await servers.start_server(on.cloud, on.operator, server.id, avoid=avoid)


def on_a_cloud(story: Callable[[Harness], Awaitable[None]], found: list[Run]) -> None:
    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_folder(Path(folder) / "data", hosts=2)
            async with opened(Path(folder) / "data") as on:
                await fill(on, found)
                await story(on)

    asyncio.run(tell())


# --- what fits -------------------------------------------------------------------------------------------------------


fitting = given(runs, st.sampled_from(("backfilling, by CPU", "backfilling, by memory", "normal")), st.booleans())


def check_what_fits(found: list[Run], which: str, is_of_a_cell: bool) -> None:
    async def story(on: Harness) -> None:
        capacity = await what_fits(on.cloud, on.pictures)
        fits = capacity.by_cell["cell-1"] if is_of_a_cell else capacity.overall
        cell = "cell-1" if is_of_a_cell else None
        free = fits.free
        size, host = {
            "backfilling, by CPU": (free.most_free_by_cpu, free.host_by_cpu),
            "backfilling, by memory": (free.most_free_by_memory, free.host_by_memory),
            "normal": fits.others_stop,
        }[which]
        is_backfilling = which != "normal"
        if host is None:
            size = SMALLEST_SERVER
        elif which.endswith("memory"):
            size = Size(SMALLEST_SERVER.cpu_mhz, size.memory_bytes + 1)
        else:
            size = Size(size.cpu_mhz + 1, SMALLEST_SERVER.memory_bytes)
        if size.fits_in(LARGEST_SERVER):
            with pytest.raises((NoCapacity, Invalid)):
                await start(on, ServerSpec("larger", size, is_backfilling=is_backfilling, cell=cell))
        if host is None:
            return

        exact = {
            "backfilling, by CPU": free.most_free_by_cpu,
            "backfilling, by memory": free.most_free_by_memory,
            "normal": fits.others_stop[0],
        }[which]
        started = await start(on, ServerSpec("exact", exact, is_backfilling=is_backfilling, cell=cell))
        assert started.decision.host in {f"c{cell}-h{host}" for cell in (1, 2) for host in (1, 2)}

    on_a_cloud(story, found)


@QUICK
@fitting
def test_what_fits_starts_and_one_larger_does_not(found: list[Run], which: str, is_of_a_cell: bool) -> None:
    check_what_fits(found, which, is_of_a_cell)


@pytest.mark.thorough
@THOROUGH
@fitting
def test_what_fits_starts_and_one_larger_does_not_on_many_clouds(
    found: list[Run], which: str, is_of_a_cell: bool
) -> None:
    check_what_fits(found, which, is_of_a_cell)


# --- what if ---------------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    number: int
    size: Size
    is_backfilling: bool
    apart: bool
    has_group: bool


asking = given(
    runs,
    st.builds(
        Asked,
        st.integers(1, 5),
        st.sampled_from((Size(2000, 4 * GIB), Size(5000, 16 * GIB), Size(9000, 30 * GIB))),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
)


def check_what_if(found: list[Run], wish: Asked) -> None:
    count, size, is_backfilling, apart, has_group = wish

    async def story(on: Harness) -> None:
        group = "web" if has_group and any(run.group for run in found) else None
        asked = WhatIf(count, size, is_backfilling=is_backfilling, avoid_group=group, apart=apart)
        log = await on.events()

        told = await what_if(on.cloud, on.operator, on.pictures, asked)

        assert await on.events() == log
        avoid = tuple(each.id for each in await members(on)) if group else ()
        for number, placed in enumerate(told.placed):
            spec = ServerSpec(f"new-{number}", size, is_backfilling=is_backfilling, avoid=avoid)
            started = await start(on, spec, avoid)
            assert (started.server.cell, started.decision.host) == (placed.cell, placed.decision.host)
            assert started.decision.stops == placed.decision.stops
            assert started.decision.decided_by == placed.decision.decided_by
            if apart:
                avoid = (*avoid, started.server.id)
        if len(told.placed) < count:
            assert told.refused
            with pytest.raises(NoCapacity):
                await start(on, ServerSpec("next", size, is_backfilling=is_backfilling, avoid=avoid), avoid)
        else:
            assert not told.refused
        noticed = {server.id for cell in ("cell-1", "cell-2") for server in await victims(on, cell)}
        assert {server.id for server in told.stops} <= noticed

    on_a_cloud(story, found)


@QUICK
@asking
def test_a_what_if_is_what_then_happens(found: list[Run], wish: Asked) -> None:
    check_what_if(found, wish)


@pytest.mark.thorough
@THOROUGH
@asking
def test_a_what_if_is_what_then_happens_on_many_clouds(found: list[Run], wish: Asked) -> None:
    check_what_if(found, wish)


async def members(on: Harness) -> list[MemberView]:
    [group] = [each for each in await groups.list_groups(on.cloud, on.operator, on.pictures) if each.name == "web"]
    return list(group.members)


async def victims(on: Harness, cell: str) -> list[Server]:
    def read(tx: CellTransaction) -> list[Server]:
        return [server for load in tx.loads() for server in load.victims]

    return await on.cloud.store.cell_read(cell, read)


def test_who_shrinks_in_the_end_is_told_once_and_who_stops_is_not_among_them() -> None:
    async def story(on: Harness) -> None:
        told = await what_if(on.cloud, on.operator, on.pictures, WhatIf(3, Size(8000, 4 * GIB), cell="cell-1"))

        assert [each.decision.host for each in told.placed] == ["c1-h2", "c1-h2", "c1-h1"]
        assert [change.server.name for change in told.shrinks] == ["run-0"]
        assert told.shrinks[0].before.cpu_mhz == 12_000
        assert told.shrinks[0].after.cpu_mhz == 8_000
        assert told.stops == ()

    on_a_cloud(story, [Run(12_000, 8, True, 1, False)])


def test_a_silent_cell_gets_none_and_is_named() -> None:
    async def story(on: Harness) -> None:
        await cells.inject(on.cloud, on.operator, "cell-1", "down")
        told = await what_if(on.cloud, on.operator, on.pictures, WhatIf(2, Size(2000, 2 * GIB)))

        assert {each.cell for each in told.placed} == {"cell-2"}
        assert told.unreachable == ("cell-1",)
        with pytest.raises(Unreachable):
            await what_if(on.cloud, on.operator, on.pictures, WhatIf(1, Size(2000, 2 * GIB), cell="cell-1"))
        with pytest.raises(NotFound):
            await what_if(on.cloud, on.operator, on.pictures, WhatIf(1, Size(2000, 2 * GIB), avoid_group="nobody"))

    on_a_cloud(story, [])
