"""Random lives whose every moment is written down, to be compared with what is told of it when it is past."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from backend.app import App, running
from backend.clock import Clock
from backend.cloud.model import GIB, Size
from backend.operations import feed
from backend.operations.cells import Pictures
from tests.backend.support import OPERATOR, TENANT, Harness, make_folder
from tests.builders import NOON
from tests.dialects.support import BASE, keys
from tests.test_simulation import Life

LISTS = (
    "/status",
    "/hosts",
    "/servers",
    "/servers?cell=cell-1",
    "/servers?cell=cell-2",
    "/drives",
    "/groups",
    "/tasks",
    "/capacity",
    "/services",
    "/schedules",
    "/backups",
    "/backups/coverage",
    "/backups/storage",
    "/schedules/calendar",
    "/events?limit=30",
    "/settings",
)
"""What the console's views are made of."""

Told = Mapping[str, Any]
"""By path, what was answered."""


@dataclass
class Lived:
    """A running cloud whose wall shows the time of the cloud itself, and what was told of its moments."""

    app: App
    ops: httpx.AsyncClient
    life: Life
    clock: Clock

    async def step(self) -> None:
        """One more deed, a second later; all that follows from it at once has happened."""
        await self.app.engine.advance(1)
        await self.life.step()
        await self.settle()

    async def settle(self) -> None:
        await self.app.engine.run_due(self.clock.now())
        await self.app.engine.noted()
        await self.app.cloud.store.flush_last_known()

    async def moment(self) -> str:
        """Now as a place in the log: the newest event, or where nothing has just happened the instant."""
        told = await feed.told_events(self.app.cloud, self.life.on.operator, limit=1)
        newest, now = told.events[-1], self.clock.now()
        return f"{now.isoformat()},{newest.file},{newest.number}" if newest.at == now else now.isoformat()

    async def told(self, paths: tuple[str, ...] = LISTS, *, at: str | None = None) -> Told:
        """What is answered to these, now or as of a moment."""
        found: dict[str, Any] = {}
        for path in paths:
            params = {} if at is None else {"at": at}
            joined = path + ("&" if "?" in path else "?") + "&".join(f"{k}={quoted(v)}" for k, v in params.items())
            answer = await self.ops.get(joined)
            found[path] = (answer.status_code, without_the_wall(answer.json()))
        return found


def quoted(text: str) -> str:
    return str(httpx.QueryParams({"x": text}))[2:]


_OF_THE_WALL = {"answer_ms", "answered_at", "next_try_seconds", "history", "known_at", "mode", "rate"}
"""How a cell was asked, and how the clock ran: nobody writes that down."""


def without_the_wall(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: without_the_wall(value) for name, value in found.items() if name not in _OF_THE_WALL}
    return [without_the_wall(each) for each in found] if isinstance(found, list) else found


@asynccontextmanager
async def lived(folder: Path, seed: int) -> AsyncIterator[Lived]:
    make_folder(folder, hosts=2, capacity=Size(16_000, 40 * GIB))
    clock = Clock(mode="manual", simulated_at=NOON, wall=lambda: clock.now())  # noqa: PLW0108  # it is not there yet
    async with running(folder, credentials=keys(folder), clock=clock, list_deadline_seconds=5.0) as app:
        cloud = app.cloud
        operator, tenant = await cloud.account(OPERATOR), await cloud.account(TENANT)
        on = Harness(cloud, app.engine, clock, operator, tenant, Pictures(cloud))
        headers = {"Authorization": "Bearer operator-token"}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE + "/ops/v1", headers=headers) as ops:
            yield Lived(app, ops, Life(on, random.Random(seed)), clock)
