"""What was worked out of the cloud, for as long as nothing in it changes: much is asked more often than it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from backend.clock import monotonic_seconds

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, up to a cost; when that is reached all go, and what is still asked for comes back.

    Who asks for what is being made already waits for that: however many ask, it is made once.

    A file that vanishes is found out by reading it. Where nothing else reads, `seconds_max` says how long that may
    take at most.
    """

    def __init__(
        self,
        revision: Callable[[], int],
        *,
        seconds_max: float | None = None,
        cost: Callable[[T], int] = lambda _: 1,
        cost_max: int = 1024,
    ) -> None:
        self._revision = revision
        self._seconds_max = seconds_max
        self._cost = cost
        self._cost_max = cost_max
        self._kept: dict[Hashable, T] = {}
        self._making: dict[tuple[Hashable, int], asyncio.Task[T]] = {}
        self._kept_at = -1
        self._begun = 0.0
        self._spent = 0

    async def of(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` gives. `key` is all that it depends on besides the cloud: who asks, and for what."""
        revision = self._revision()
        if revision != self._kept_at or self._is_old():
            self._forget(revision)
        if key in self._kept:
            return self._kept[key]
        # One that began at another revision may have read what has changed since.
        making = self._making.get((key, revision))
        if making is None:
            making = self._making[key, revision] = asyncio.create_task(self._make(key, revision, make))
            making.add_done_callback(lambda _: self._making.pop((key, revision)))
        # Who asked first may go away; whoever else waits must not be left without an answer.
        return await asyncio.shield(making)

    async def _make(self, key: Hashable, revision: int, make: Callable[[], Awaitable[T]]) -> T:
        value = await make()
        cost = self._cost(value)
        # What was read while something changed may be of either side of it.
        if self._revision() == revision == self._kept_at and cost <= self._cost_max // 2:
            if self._spent + cost > self._cost_max:
                self._forget(revision)
            self._kept[key] = value
            self._spent += cost
        return value

    def _is_old(self) -> bool:
        return self._seconds_max is not None and monotonic_seconds() - self._begun > self._seconds_max

    def _forget(self, revision: int) -> None:
        self._kept.clear()
        self._kept_at, self._begun, self._spent = revision, monotonic_seconds(), 0
