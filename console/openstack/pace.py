"""How gently a cloud is asked: what is asked again and again waits its turn, and there is a most for each minute.

    watched  every 10 s while somebody presses keys, every 5 s for a while after a verb
    idle     once a minute when no key was pressed for two minutes
    hidden   not at all while the terminal is out of sight
    held     not before the cloud said so (Retry-After); less often where it is slow, and less and less after failures

What the operator asks for by a key, a verb or a description, never waits; it is counted like all else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from console.records_offer import Pace as PaceRecord

WATCHED_SECONDS = 10.0
BUSY_SECONDS = 5.0
IDLE_SECONDS = 60.0
IDLE_AFTER_SECONDS = 120.0
BUSY_FOR_SECONDS = 30.0
BACK_OFF_SECONDS_MAX = 120.0
REST_FACTOR = 2
"""How much longer than a look took the cloud is left alone."""
MINUTE_SECONDS = 60.0
RETRY_AFTER_SECONDS = 30.0
"""What a cloud is taken to mean that asks for less and does not say how long."""


class Timer(Protocol):
    """Seconds that only pass forwards, and waiting for them; tests have one of their own."""

    def now(self) -> float: ...

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Until the event is set, or the seconds have passed; without any, only the event ends it."""


class LoopTimer:
    """The event loop's own."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return


class Pace:
    """When the next request may be made."""

    def __init__(self, requests_max: int, timer: Timer) -> None:
        """`requests_max` in a minute."""
        self._requests_max = requests_max
        self._timer = timer
        self._made: deque[float] = deque()
        self._changed = asyncio.Event()
        self._is_hidden = False
        self._is_hurried = False
        self._touched_at: float | None = None
        self._busy_until = float("-inf")
        self._held_until = float("-inf")
        self._failures = 0
        self._took = 0.0
        self._begun_at: float | None = None
        """When the look began that is under way."""
        self._waiting = 0
        """Requests that the minute has no room for."""

    def now(self) -> float:
        return self._timer.now()

    # What happened

    def touched(self) -> None:
        """Somebody pressed a key."""
        was_slow = self._is_hidden or self.is_idle
        self._is_hidden, self._touched_at = False, self._timer.now()
        if was_slow:
            self._notify()

    def hidden(self) -> None:
        self._is_hidden = True
        self._notify()

    def hurried(self) -> None:
        """Somebody wants to know now."""
        self._is_hurried = True
        self._notify()

    def acted(self) -> None:
        """A verb was sent, so something changes: it is looked at once, and then often for a while."""
        self._is_hurried = True
        self._busy_until = self._timer.now() + BUSY_FOR_SECONDS
        self._notify()

    def held(self, seconds: float | None) -> None:
        """The cloud asked not to be asked for so long."""
        self._held_until = self._timer.now() + (RETRY_AFTER_SECONDS if seconds is None else max(0.0, seconds))

    def begun(self) -> None:
        """A look is under way, until it has failed or was answered."""
        self._begun_at = self._timer.now()

    def failed(self) -> None:
        self._failures += 1
        self._begun_at = None

    def answered(self, seconds: float = 0.0) -> None:
        """A look took so long: a cloud that is slow is asked less often."""
        self._failures, self._took, self._begun_at = 0, seconds, None

    # What follows

    @property
    def is_idle(self) -> bool:
        return self._touched_at is not None and self._timer.now() - self._touched_at > IDLE_AFTER_SECONDS

    @property
    def is_busy(self) -> bool:
        return self._timer.now() < self._busy_until

    @property
    def held_seconds(self) -> float:
        """How long the cloud still asks to be left alone."""
        return max(0.0, self._held_until - self._timer.now())

    @property
    def interval_seconds(self) -> float | None:
        """Between two looks; None while nobody looks at the screen."""
        if self._is_hidden:
            return None
        seconds = BUSY_SECONDS if self.is_busy else IDLE_SECONDS if self.is_idle else WATCHED_SECONDS
        if self._failures:
            seconds = max(seconds, WATCHED_SECONDS * (1 << min(self._failures, 8)))
        return min(BACK_OFF_SECONDS_MAX, max(seconds, REST_FACTOR * self._took))

    async def until_due(self, since: float | None) -> None:
        """Wait until it is time to look again, after a look at `since`; what changes the pace meanwhile counts."""
        while True:
            now, interval = self._timer.now(), self.interval_seconds
            changed = self._changed
            if now >= self._held_until:
                is_asked = self._is_hurried and not self._is_hidden
                if is_asked or since is None or (interval is not None and now >= since + interval):
                    self._is_hurried = False
                    if self._touched_at is None:
                        # Who opened the console looks at it.
                        self._touched_at = now
                    return
            due = None if interval is None or since is None else since + interval
            until = None if due is None else max(due, self._held_until)
            if self._is_hurried and not self._is_hidden:
                until = self._held_until
            await self._timer.wait(changed, None if until is None else max(0.0, until - now))

    async def take(self, *, is_asked: bool) -> None:
        """Count a request, after waiting until the minute has room for it; what somebody asked for does not wait."""
        while not is_asked and self.requests >= self._requests_max:
            self._waiting += 1
            try:
                await self._timer.wait(asyncio.Event(), self._made[0] + MINUTE_SECONDS - self._timer.now())
            finally:
                self._waiting -= 1
        self._made.append(self._timer.now())

    @property
    def requests(self) -> int:
        """In the last minute."""
        while self._made and self._made[0] <= self._timer.now() - MINUTE_SECONDS:
            self._made.popleft()
        return len(self._made)

    def record(self) -> PaceRecord:
        word = "busy" if self.is_busy else "idle" if self.is_idle else ""
        word = "held off" if self.held_seconds else "full" if self._waiting else word
        unanswered = 0.0 if self._begun_at is None or self._waiting else self._timer.now() - self._begun_at
        return PaceRecord(self.requests, self._requests_max, self.interval_seconds, word, unanswered)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
