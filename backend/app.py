"""Wiring only: store, engine and dialects become one ASGI app.

`running` is an async context manager because the app has parts to start and stop, and httpx's ASGITransport, through
which tests drive it, ignores ASGI's own lifespan.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from backend.clock import Clock, ClockError, system_wall
from backend.cloud.errors import OutcomeUnknown, Unreachable
from backend.dialects import cloudsigma, identity, image, nodeconductor, nova, ops, wire
from backend.dialects.requests import Requests
from backend.engine import Engine
from backend.operations import Cloud, RequestKey, metering
from backend.operations.past import Past
from backend.store import LIST_DEADLINE_SECONDS, FolderError, Store


@dataclass(frozen=True, slots=True)
class EnginePort:
    """What the operator's dialect may ask of the engine, so that no dialect imports it."""

    engine: Engine
    clock: Clock

    async def advance(self, seconds: float, *, request: RequestKey | None = None) -> None:
        """Raises ClockError in mode `wall`, whose time is not ours to move."""
        if self.clock.mode == "wall":
            raise ClockError("this cloud's time is the wall's; set mode manual or rate first")
        await self.engine.advance(seconds, request=request)

    async def change_clock(self, *, mode: str, rate: float | None, request: RequestKey | None = None) -> None:
        """Raises ClockError."""
        if mode not in ("wall", "rate", "manual"):
            raise ClockError("mode must be one of wall, rate, manual")
        await self.engine.change_clock(mode, rate, request=request)  # type: ignore[arg-type]


PREFIXES = {
    "ops": ops.PREFIX,
    "cloudsigma": cloudsigma.PREFIX,
    "nova": nova.PREFIX,
    "identity": identity.PREFIX,
    "image": image.PREFIX,
    "nodeconductor": nodeconductor.PREFIX,
}
"""Under which path each dialect is spoken, by the names that metrics and logs have for them."""


class App:
    """One cloud on one port: an ASGI callable, with the parts that tests and the replay reach for."""

    def __init__(
        self, cloud: Cloud, engine: Engine, credentials: wire.Credentials, *, hosts: Iterable[str] = ()
    ) -> None:
        self.cloud = cloud
        self.engine = engine
        self.requests = Requests(PREFIXES)
        self.past = Past(cloud)
        port = EnginePort(engine, cloud.clock)
        app = Starlette(exception_handlers=wire.EXCEPTION_HANDLERS)
        app.router = wire.DialectRouter(
            {
                ops.PREFIX: ops.routes(cloud, credentials, port, self.requests, self.past),
                cloudsigma.PREFIX: cloudsigma.routes(cloud, credentials),
                nova.PREFIX: nova.routes(cloud, credentials),
                identity.PREFIX: identity.routes(cloud, credentials),
                image.PREFIX: image.routes(cloud, credentials),
                nodeconductor.AUTH_PREFIX: nodeconductor.auth_routes(cloud, credentials),
                # After CloudSigma, whose prefix begins with this one.
                nodeconductor.PREFIX: nodeconductor.routes(cloud, credentials),
            }
        )
        self._app = wire.guarded(app, hosts=hosts, requests=self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    credentials: wire.Credentials,
    clock: Clock | None = None,
    hosts: Iterable[str] = (),
    list_deadline_seconds: float = LIST_DEADLINE_SECONDS,
) -> AsyncIterator[App]:
    """A cloud from its folder, running until the block ends.

    A part that fails is a bug: the block is cancelled and the failure raised, so that the process ends and says why.

    Args:
        clock: Replaces the one that the folder remembers.
        hosts: Names, beside loopback's, under which requests may ask for us.
        list_deadline_seconds: How long a cell may take to answer before it is asked whether it does at all.

    Raises:
        FolderError: the folder cannot be opened; `str()` is a sentence.
    """
    store = await Store.open(
        folder, wall=clock.wall_now if clock else system_wall, list_deadline_seconds=list_deadline_seconds
    )
    try:
        try:
            stored = await store.cloud_read(lambda tx: tx.clock_state())
            cloud = Cloud(store, clock or Clock.restored(stored))
            engine = Engine(cloud)
            await engine.start()
        except (Unreachable, OutcomeUnknown) as error:
            # A cell that fails is down. Without cloud.db there is nothing to serve.
            raise FolderError(f"The data folder {store.path} cannot be used: {error}") from error
        async with _together(store.watch(), engine.run(), engine.keep_clock(), metering.follow(cloud)):
            app = App(cloud, engine, credentials, hosts=hosts)
            try:
                yield app
            finally:
                await app.past.close()
        await engine.noted()
        # On a disk that takes nothing it goes on from where it was saved last, as after a crash.
        with suppress(Unreachable, OutcomeUnknown):
            await engine.save_clock()
    finally:
        await store.close()


@asynccontextmanager
async def _together(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    owner = asyncio.current_task()
    assert owner is not None, "an app runs in a task"
    parts = [asyncio.create_task(part) for part in endless]

    def ended(part: asyncio.Task[None]) -> None:
        if not part.cancelled() and part.exception() is not None:
            owner.cancel()

    for part in parts:
        part.add_done_callback(ended)
    try:
        yield
    finally:
        for part in parts:
            part.cancel()
        for result in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
