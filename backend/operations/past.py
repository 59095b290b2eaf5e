"""The cloud at a moment of the past: the same operations over a store that was moved back.

One such cloud is kept, because going to a moment is cheap from a moment that is near. Whoever asks has it for as long
as the answer takes; whoever asks of another moment waits for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from backend.clock import Clock
from backend.cloud.errors import Invalid
from backend.cloud.model import Account, Drive, Server
from backend.operations import Cloud, Settings
from backend.operations.cells import Pictures
from backend.operations.feed import CLOUD_FILE, Cursor, Position, decode, encode
from backend.store import PastStore


@dataclass(frozen=True, slots=True)
class Moment:
    """A cloud that stands still, and what was worked out of it."""

    position: Position
    cloud: Cloud
    pictures: Pictures


IDLE_SECONDS = 300.0
"""In real time: for as long after the last question the copies are kept."""


class Past:
    """Of one live cloud."""

    def __init__(self, live: Cloud) -> None:
        self._live = live
        self._turn = asyncio.Lock()
        self._store: PastStore | None = None
        self._moment: Moment | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def at(self, position: Position) -> AsyncIterator[Moment]:
        """The cloud as it was at a place of the log, all of which has happened.

        Raises:
            Invalid: the place has not come yet, or lies before what is recorded.
            Unreachable: cloud.db cannot be read.
        """
        if position.at > self._live.clock.now():
            raise Invalid("at", "has not come yet: ask for a moment that has passed")
        async with self._turn:
            moment = self._moment
            if moment is None or not self._is_still(moment, position):
                self._moment = None
                moment = self._moment = await self._moved(position)
            try:
                yield moment
            finally:
                self._wait_for_questions()

    def _wait_for_questions(self) -> None:
        """Let go of the copies, and of all that was worked out of them, when nobody asks any more."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._let_go)

    def _let_go(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        async with self._turn:
            store, self._store, self._moment = self._store, None, None
            if store is not None:
                await store.close()

    def _is_still(self, moment: Moment, position: Position) -> bool:
        """Whether the moment is there already, with the cells that can be read now, and all that lies before it."""
        assert self._store is not None, "it was moved to"
        if moment.position != position or not self._store.has_same_cells():
            return False
        since = self._live.history_since()
        if since is not None and position.at < since:
            return False
        # At an instant that is not over something more may happen.
        return position.at < self._live.clock.now() or self._store.was_built_beside(self._live.store.revision)

    async def _moved(self, position: Position) -> Moment:
        live = self._live
        if self._store is None:
            self._store = PastStore(live.store)
        await self._store.move(position.at, position.file, position.number)
        clock = Clock(
            mode=live.clock.mode,
            rate=live.clock.rate or 1.0,
            simulated_at=position.at,
            wall=lambda: position.at,
            monotonic=lambda: 0.0,
        )
        cloud = Cloud(self._store, clock)
        cloud.settings = replace(Settings.of(self._store.settings), hard_groups=live.settings.hard_groups)
        cloud.log_beginnings = live.log_beginnings
        return Moment(position, cloud, Pictures(cloud))

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._close()


@dataclass(frozen=True, slots=True)
class Differences:
    """What is otherwise at a moment than it was at another one."""

    cursor: str
    """Of the moment."""
    servers: list[Server]
    drives: list[Drive]
    removed: list[str]
    """Ids of servers and drives that are not there."""


def cursor_of(cloud: Cloud) -> str:
    """The moment as a vector of event numbers."""
    assert isinstance(cloud.store, PastStore), "only the past stands still"
    return encode(cloud.store.numbers)


async def differences(cloud: Cloud, actor: Account, other: str) -> Differences:
    """Of what the account may see, in the cells that answered at the moment. Raises Invalid for what is no cursor."""
    assert isinstance(cloud.store, PastStore), "only the past stands still"
    numbers: Cursor = decode(other)
    touched = await cloud.store.touched_since(dict(numbers))
    found = Differences(cursor_of(cloud), [], [], [])
    for cell, kinds in touched.items():
        if cell == CLOUD_FILE or not (kinds.keys() & {"server", "drive"}):
            continue
        server_ids, drive_ids = kinds.get("server", set()), kinds.get("drive", set())
        answers = await cloud.store.each_cell(
            lambda tx, s=server_ids, d=drive_ids: (tx.servers(s), tx.drives(d)),  # type: ignore[misc]
            cells=[cell],
        )
        answer = answers[cell]
        if not isinstance(answer, tuple):
            continue
        servers, drives = answer
        found.servers.extend(each for each in servers.values() if actor.may_see(each.project_id))
        found.drives.extend(each for each in drives.values() if actor.may_see(each.project_id))
        if actor.is_staff:
            found.removed.extend(sorted((server_ids - servers.keys()) | (drive_ids - drives.keys())))
    return found
