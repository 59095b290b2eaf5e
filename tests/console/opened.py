"""The console on a Nova with the faults of a real one, with its seconds in a test's hand."""

from __future__ import annotations

import asyncio
from typing import Any

from console.app import ConsoleApp
from console.port import Port
from tests.console.real_nova import Console, RealNova, a_console, some


class HandTimer:
    """Seconds that pass when a test says so: who waits, waits for that."""

    def __init__(self, on: Console) -> None:
        self._on = on
        self._passed = asyncio.Event()
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self._on.clock.advance(seconds)
        passed, self._passed = self._passed, asyncio.Event()
        passed.set()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        until_at = None if seconds is None else self.seconds + seconds
        while not event.is_set() and (until_at is None or self.seconds < until_at):
            waits = [asyncio.ensure_future(each.wait()) for each in (event, self._passed)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()


class Opened:
    """The console on such a cloud, with the timer in a test's hand."""

    def __init__(self, nova: RealNova, **options: Any) -> None:
        self.nova = nova
        on = a_console(nova, requests_max=30)
        self.timer = HandTimer(on)
        on.pace._timer = self.timer
        self.client = on.client

        async def connect() -> Port:
            return on.client

        self.app = ConsoleApp(connect, now=on.clock, poll_seconds=0.2, **options)


def a_nova(**more: Any) -> RealNova:
    group = {
        "id": "g",
        "name": "web",
        "policy": "anti-affinity",
        "rules": {},
        "members": ["one-id-0000", "one-id-0001"],
    }
    return RealNova([*some(3), *some(2, cell="two", host="c2-host1", status="SHUTOFF")], groups=[group], **more)
