"""`python -m tests.benchmarks.replaying_backend FOLDER`: a backend that works as hard as it can, or not at all.

It serves the cloud of the folder on TCP. When it is told `go` on its standard input, the servers of a real workload
come and go in it at full speed, through the operations, until it is told `rest`; the answer to that is how many
decisions were taken. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import groupby
from pathlib import Path
from typing import Any

from backend import folder, listening, trace
from backend.__main__ import _loop_factory
from backend.app import App, running
from backend.clock import Clock
from backend.cloud.errors import CloudError
from backend.cloud.model import Account
from backend.folder import Credentials, Secrets
from backend.operations import servers
from backend.operations.servers import ServerSpec
from backend.tokens import keyring
from backend.trace import BIN_SECONDS, Arrival
from tests.benchmarks.fleets import MADE_AT

TOKEN = "a-token-of-the-benchmarks"
IN_FLIGHT = 64
PREFIX = "replay-"
"""Of the names of what comes and goes."""


@dataclass
class Replay:
    """The workload, and how far it has come."""

    app: App
    account: Account
    is_on: asyncio.Event
    decisions: int = 0

    async def run(self) -> None:
        """Bin after bin of the trace, from its beginning again when it is over. Never returns."""
        while True:
            ends: list[tuple[int, str]] = []
            for at_seconds, comes in groupby(trace.arrivals(), key=lambda arrival: arrival.at_seconds):
                gone = [heappop(ends)[1] for _ in range(sum(end <= at_seconds for end, _ in ends))]
                await self._side_by_side(self._stop(id) for id in gone)
                await self.app.engine.advance(BIN_SECONDS / 2)
                await self._side_by_side(self._delete(id) for id in gone)
                await self._side_by_side(self._come(arrival, ends) for arrival in comes)
                await self.app.engine.advance(BIN_SECONDS / 2)
            await self._side_by_side(self._stop(id) for _, id in ends)

    async def _side_by_side(self, work: Iterable[Any]) -> None:
        left: Iterator[Any] = iter(list(work))

        async def worker() -> None:
            for each in left:
                await self.is_on.wait()
                # What is refused is lost, as in life; a server that still waits for room lives on.
                with suppress(CloudError):
                    await each

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    async def _come(self, arrival: Arrival, ends: list[tuple[int, str]]) -> None:
        spec = ServerSpec(
            f"{PREFIX}{arrival.number:06}",
            arrival.size,
            is_backfilling=trace.is_backfilling(arrival.tenant_batch, seed=1, share=0.5),
        )
        self.decisions += 1
        server = await servers.create_server(self.app.cloud, self.account, spec)
        try:
            await servers.start_server(self.app.cloud, self.account, server.id)
        except CloudError:
            await self._delete(server.id)
            raise
        heappush(ends, (arrival.ends_at_seconds or sys.maxsize, server.id))

    async def _stop(self, server_id: str) -> None:
        await servers.stop_server(self.app.cloud, self.account, server_id)

    async def _delete(self, server_id: str) -> None:
        await servers.delete_server(self.app.cloud, self.account, server_id)


async def main(path: Path) -> None:
    bound = listening.bind_tcp("127.0.0.1", 0)
    wants_end = asyncio.Event()
    clock = Clock.manual(MADE_AT + timedelta(hours=1))
    credentials = keyring(path, Credentials({folder.OPERATOR: Secrets("a-password", TOKEN)}))
    async with running(path, credentials=credentials, clock=clock) as app:
        replay = Replay(app, await app.cloud.account(folder.OPERATOR), asyncio.Event())
        work = asyncio.create_task(replay.run())
        obeying = asyncio.create_task(_obey(replay, wants_end))
        url = listening.url_of(bound)
        await listening.serve(
            app,
            [bound],
            wants_end=wants_end,
            on_answering=lambda: _say({"state": "ready", "url": url}),
            on_ending=app.cloud.end,
        )
        for task in (work, obeying):
            task.cancel()
        await asyncio.gather(work, obeying, return_exceptions=True)


async def _obey(replay: Replay, wants_end: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "go":
            replay.is_on.set()
            replay.decisions, began = 0, time.perf_counter()
        else:
            replay.is_on.clear()
            rate = replay.decisions / (time.perf_counter() - began)
            _say({"state": "resting", "decisions_per_second": rate})
    wants_end.set()


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main(Path(sys.argv[1])))
