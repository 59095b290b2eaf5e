"""Random lives whose moments are written down as they come, to be held against what is told of them later."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import orjson

from backend.app import App, running
from backend.clock import Clock
from backend.cloud.model import GIB, ReachabilityState, Size
from backend.operations import cells, feed
from backend.operations.cells import Pictures
from console.client import CloudClient
from console.commands import VIEWS
from console.presentation.lines import Frame, View
from console.presentation.mirror import Mirror
from console.records import Changes, PastEvents
from console.screens import views
from console.screens.past_feed import PastFeed, Shown
from console.screens.places import Place
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
    "/groups/web/plan",
    "/tasks",
    "/capacity",
    "/services",
    "/schedules",
    "/backups",
    "/backups/coverage",
    "/backups/storage",
    "/schedules/calendar",
    "/events?limit=30",
    "/billing",
    "/settings",
)
"""What the console's views are made of."""

Told = Mapping[str, Any]
"""By path, what was answered."""

VIEWS_OF_THE_CLOUD = tuple(name for name in VIEWS if name not in ("audit", "clock"))
"""All but what was done from here, and how the clock runs now."""
EVENTS_COMPARED = 60
FRAMES = (Frame(width=80, height=24), Frame(width=160, height=45))


class WithoutTheWall(httpx.AsyncBaseTransport):
    """The wire, without what nobody writes down: how a cell was asked, and how the clock ran."""

    def __init__(self, app: App) -> None:
        self._inner = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = orjson.dumps(_without_the_wall(orjson.loads(await response.aread())))
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=body)


_OF_THE_WALL: Mapping[str, Any] = {
    "answer_ms": None, "answered_at": None, "next_try_seconds": None, "history": [], "known_at": None,
    "mode": "manual", "rate": 1.0,
}  # fmt: skip


def _without_the_wall(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _OF_THE_WALL.get(name, _without_the_wall(value)) if name in _OF_THE_WALL
                else _without_the_wall(value) for name, value in found.items()}  # fmt: skip
    return [_without_the_wall(each) for each in found] if isinstance(found, list) else found


@dataclass
class Lived:
    """A running cloud whose wall shows the time of the cloud itself."""

    app: App
    ops: httpx.AsyncClient
    client: CloudClient
    life: Life
    clock: Clock

    async def step(self) -> None:
        """One more deed, a second later; all that follows from it at once has happened, and is mirrored centrally."""
        await self.app.engine.advance(1)
        await self._look()
        await self.life.step()
        await self.app.engine.run_due()
        await self.app.engine.noted()
        await self._look()

    async def _look(self) -> None:
        """Of a silent cell the backend shows what was mirrored centrally, or what it saw itself: a console looks."""
        await self.app.cloud.store.flush_last_known()
        await self.ops.get("/status")

    @property
    def was_silent(self) -> bool:
        """Whether any cell ever was: what its servers had used is billed when it returns, at the instants of then."""
        return "fault" in self.life.story

    async def end(self) -> None:
        """Every cell answers again, and time passes."""
        await self.app.engine.advance(1)
        for cell in self.app.cloud.store.cell_names:
            await cells.inject(self.app.cloud, self.life.on.operator, cell, ReachabilityState.UP)
        await self.app.engine.advance(600)

    async def moment(self) -> str:
        """Now as a place in the log: the newest event, or where nothing has just happened the instant."""
        told = await feed.told_events(self.app.cloud, self.life.on.operator, limit=1)
        newest, now = told.events[-1], self.clock.now()
        return f"{now.isoformat()},{newest.file},{newest.number}" if newest.at == now else now.isoformat()

    async def told(self, *, at: str | None = None) -> Told:
        """What is answered to the lists, now or as of a moment, and of a server and a drive by themselves."""
        some = [f"/servers/{id}" for id in self.life.servers[:1]] + [f"/explain/{id}" for id in self.life.servers[:1]]
        some += [f"/drives/{id}" for id in self.life.drives[:1]]
        return {path: await self._told(path, at) for path in (*LISTS, *some)}

    async def _told(self, path: str, at: str | None) -> tuple[int, Any]:
        # Parameters that are given beside an address take the place of its own.
        name, _, query = path.partition("?")
        answer = await self.ops.get(name, params=httpx.QueryParams(query).merge({"at": at} if at else {}))
        found = answer.json()
        if name == "/billing":
            # A stopped server is billed for nothing, and entered as what it was last.
            for name in ("servers", "by_owner"):
                found[name] = [each for each in found[name] if float(each["paid"]) or float(each["saved"])]
        return answer.status_code, found

    async def shown_now(self) -> Shown:
        """What a console that has just been opened knows."""
        client, now = self.client, self.clock.now()
        events = await client.events(limit=200)
        rows = PastFeed(client, Mirror)
        wanted = frozenset().union(*(views.wanted(place, Mirror()) for place in places()))
        from console.presentation.moments import Moment, mirror_of

        status = await client.status()
        found = await rows.rows_of(client, None, Changes(""), status, wants_drives=True)
        mirror = mirror_of(Mirror(), Moment(now), found, "", PastEvents(events.events)).apply(status, now)
        for source in sorted({"hosts", "tasks"} | wanted):
            for answer in await rows.told_of(client, source, now):
                mirror = mirror.apply(answer, now)
        return Shown(Moment(now), mirror)

    def lines(self, shown: Shown) -> dict[str, list[str]]:
        """Every view of it as text."""
        at, found = shown.moment.at, {}
        # What came later is known of the log, and so is what silent cells had to tell: neither was told then.
        silent = {cell.name for cell in shown.mirror.cells or () if not cell.is_up}
        told = [event for event in shown.mirror.events if event.file not in silent]
        mirror = replace(shown.mirror, pasts={}, cursor=None, events=tuple(told[-EVENTS_COMPARED:]))
        for place in places():
            for frame in FRAMES:
                view = views.make(place, mirror, frame._replace(now=at, wall_now=at, scope=place.scope), {})
                found[f"{place.view} {place.scope or ''} {frame.width}"] = list(_texts(view))
        return found


def places() -> tuple[Place, ...]:
    of_drives = Place("groups", modes=frozenset({views.DRIVES}))
    return (*map(Place, VIEWS_OF_THE_CLOUD), Place("servers", "cell-1"), of_drives)


def difference(one: Any, other: Any, where: str = "") -> str:
    """Where two answers differ first, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{where}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = [(f"{where}[{index}]", *pair) for index, pair in enumerate(zip(one, other, strict=True))]
    else:
        return f"{where}: was {str(one)[:200]}, is told as {str(other)[:200]}"
    return next(difference(was, told, inner) for inner, was, told in pairs if was != told)


def _texts(view: View) -> Iterator[str]:
    yield f"{view.crumbs} {view.note}"
    for region in (*view.regions, *view.aside):
        yield "".join(span.text for span in region.head or ())
        for index in range(len(region)):
            yield "".join(span.text for span in region.line(index))
            if index < 3 and view.preview is not None and (key := region.key(index)) is not None:
                yield from ("".join(span.text for span in line) for line in view.preview(key))
    yield from ("".join(span.text for span in line) for line in view.below)
    yield "".join(span.text for span in view.status(None))


@asynccontextmanager
async def lived(folder: Path, seed: int, settings: Mapping[str, Any] | None = None) -> AsyncIterator[Lived]:
    make_folder(folder, hosts=2, capacity=Size(16_000, 40 * GIB), settings=settings)
    clock = Clock(mode="manual", simulated_at=NOON, wall=lambda: clock.now())  # noqa: PLW0108  # it is not there yet
    async with running(folder, credentials=keys(folder), clock=clock, list_deadline_seconds=5.0) as app:
        cloud = app.cloud
        operator, tenant = await cloud.account(OPERATOR), await cloud.account(TENANT)
        on = Harness(cloud, app.engine, clock, operator, tenant, Pictures(cloud))
        headers = {"Authorization": "Bearer operator-token"}
        transport = WithoutTheWall(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url=BASE + "/ops/v1", headers=headers) as ops,
            httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http,
        ):
            yield Lived(app, ops, CloudClient(http), Life(on, random.Random(seed)), clock)
