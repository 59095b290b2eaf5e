"""The demo is the same for everybody, and shows what the product is for."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from backend import seed
from backend.clock import Clock
from backend.cloud.model import Event, HostState, ServerState
from backend.engine import Engine
from backend.operations import Cloud, billing, cells, groups, schedules
from backend.store import Store
from tests.builders import NOON
from tests.demo import copied

MANUAL = {"mode": "manual", "rate": 0, "simulated_at": NOON.isoformat()}


def log_of(folder: Path) -> list[tuple[str, list[Event]]]:
    async def read() -> list[tuple[str, list[Event]]]:
        store = await Store.open(folder, wall=lambda: NOON)
        try:
            logs = await store.each_cell(lambda tx: tx.events(after=0, limit=10**6))
            central = await store.cloud_read(lambda tx: tx.events(after=0, limit=10**6))
            return [(cell, log) for cell, log in logs.items() if isinstance(log, list)] + [("cloud", central)]
        finally:
            await store.close()

    return asyncio.run(read())


@pytest.fixture(scope="module")
def opened(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(demo, tmp_path_factory.mktemp("demo") / "data")


def test_the_same_seed_gives_the_same_event_log(opened: Path, tmp_path: Path) -> None:
    seed.make(tmp_path / "again", "demo", seed=1, now=NOON, clock_state=MANUAL)

    assert log_of(tmp_path / "again") == log_of(opened)


def test_the_demo_shows_what_the_product_is_for(opened: Path) -> None:
    async def look() -> None:
        store = await Store.open(opened, wall=lambda: NOON)
        try:
            cloud = Cloud(store, Clock.manual(NOON))
            await Engine(cloud).start()
            pictures = cells.Pictures(cloud)
            operator = await cloud.account(seed.OPERATOR)
            views = {view.name: view for view in await cells.list_cells(cloud, pictures)}
            found = await store.each_cell(lambda tx: (tx.all_servers(), tx.hosts()))
            up = [answer for answer in found.values() if isinstance(answer, tuple)]
            everyone = [server for all_servers, _ in up for server in all_servers]
            hosts = [host for _, all_hosts in up for host in all_hosts]
            grouped = await groups.list_groups(cloud, operator, pictures)
            found_schedules = await schedules.list_schedules(cloud, operator)
        finally:
            await store.close()

        assert [name for name, view in views.items() if view.reachability.state == "down"] == ["cell-3"]
        assert 900 <= sum(view.servers for view in views.values()) <= 1500
        assert [host.name for host in hosts if host.state is HostState.DOWN] == ["c2-h01"]
        assert any(server.state is ServerState.UNAVAILABLE for server in everyone)
        assert any(server.effective != server.size and server.is_backfilling for server in everyone if server.host)
        assert any(server.displaced_for is not None for server in everyone)
        assert any(group.redundancy.collisions for group in grouped)
        assert any(group.redundancy.is_bound for group in grouped)
        assert {"ok", "failed", "missed"} == {run for view in found_schedules for run in view.history}
        assert not any("test" in server.name for server in everyone)

    asyncio.run(look())


def test_no_host_of_the_demo_holds_more_than_its_capacity(opened: Path) -> None:
    from backend.cloud.model import NOTHING, Size

    async def look() -> None:
        store = await Store.open(opened, wall=lambda: NOON)
        try:
            found = await store.each_cell(lambda tx: tx.loads())
        finally:
            await store.close()
        for answer in found.values():
            for load in answer if isinstance(answer, list) else ():
                held = sum((server.effective or NOTHING for server in load.servers), Size(0, 0))
                assert held.fits_in(load.host.capacity), load.host.name

    asyncio.run(look())


def test_no_account_of_the_demo_runs_dry_in_thirty_days(demo: Path, tmp_path: Path) -> None:
    """At the rate of today; five times as much would do too."""

    async def story() -> dict[str, tuple[int, int]]:
        store = await Store.open(shutil.copytree(demo, tmp_path / "data"), wall=lambda: NOON)
        try:
            cloud = Cloud(store, Clock.manual(NOON))
            found = {name: await billing.standing(cloud, name) for name in await cloud.accounts()}
            return {name: (each.balance, each.burn(30 * 86_400)) for name, each in found.items()}
        finally:
            await store.close()

    standings = asyncio.run(story())

    assert all(balance > 5 * burnt for balance, burnt in standings.values())
    assert sum(burnt for _, burnt in standings.values()) > 0
