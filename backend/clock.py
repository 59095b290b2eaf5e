"""Simulated and wall time: the only file that asks the time.

*Wall* time is about the real world: tokens, deadlines, back-off, ages. *Simulated* time is the cloud's own: tasks,
cron, created_at. In mode `wall` they are the same and a restart catches up. In the modes `rate` and `manual` the cloud
has a timeline of its own, kept in cloud.db, that stands still while nothing runs. Neither ever goes backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Mode = Literal["wall", "rate", "manual"]


class ClockError(ValueError):
    """A change of the clock that would make it go backwards, or has no meaning. `str()` is a sentence."""


def system_wall() -> datetime:
    return datetime.now(UTC)


_ticking = [time.monotonic]


def monotonic_seconds() -> float:
    """For durations of the real world: ages, deadlines, back-off."""
    return _ticking[-1]()


@contextmanager
def ticking_by(seconds: Callable[[], float]) -> Iterator[None]:
    """Measure all durations of this process by another clock: in a simulation no time passes by itself."""
    _ticking.append(seconds)
    try:
        yield
    finally:
        _ticking.remove(seconds)


class Clock:
    """`now()` is simulated time, `wall_now()` the world's. Not thread-safe to change; safe to read."""

    def __init__(
        self,
        *,
        mode: Mode = "wall",
        rate: float = 1.0,
        simulated_at: datetime | None = None,
        wall: Callable[[], datetime] = system_wall,
        monotonic: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self.mode: Mode = mode
        self.rate = 0.0 if mode == "manual" else 1.0 if mode == "wall" else rate
        self._base = simulated_at or wall()
        self._base_monotonic = monotonic()
        self._latest = self._base if mode != "wall" else datetime.min.replace(tzinfo=UTC)

    @classmethod
    def manual(cls, at: datetime) -> Clock:
        """A clock that moves only by `advance`, with the wall standing still at the same instant."""
        return cls(mode="manual", simulated_at=at, wall=lambda: at)

    @classmethod
    def restored(cls, state: Mapping[str, Any], *, wall: Callable[[], datetime] = system_wall) -> Clock:
        """The clock that `state()` described, standing where it stood."""
        at = state.get("simulated_at")
        return cls(
            mode=state.get("mode", "wall"),
            rate=float(state.get("rate", 1.0)),
            simulated_at=datetime.fromisoformat(at) if at else None,
            wall=wall,
        )

    def wall_now(self) -> datetime:
        return self._wall()

    def now(self) -> datetime:
        if self.mode == "wall":
            at = self._wall()
        elif self.mode == "manual":
            at = self._base
        else:
            at = self._base + timedelta(seconds=(self._monotonic() - self._base_monotonic) * self.rate)
        self._latest = max(self._latest, at)
        return self._latest

    def change(self, *, mode: Mode, rate: float | None = None) -> None:
        """Continue from this instant in another mode.

        Raises:
            ClockError: a rate that is not positive, or `wall` while the simulated time is ahead of the wall's.
        """
        now = self.now()
        if mode == "rate" and (rate is None or not 0 < rate <= 1_000_000):
            raise ClockError("rate must be above 0 and at most 1,000,000")
        if mode == "wall" and now > self._wall() + timedelta(seconds=1):
            raise ClockError("the cloud's time is ahead of the wall's: it cannot go back")
        self.mode = mode
        self.rate = 0.0 if mode == "manual" else 1.0 if mode == "wall" else float(rate or 1.0)
        self._base = now
        self._base_monotonic = self._monotonic()

    def move_to(self, at: datetime) -> None:
        """Set a timeline of its own forward to `at`; an instant that is past changes nothing."""
        assert self.mode != "wall", "the wall's time is not ours to move"
        if at > self.now():
            self._base, self._base_monotonic, self._latest = at, self._monotonic(), at

    def seconds_until(self, at: datetime) -> float | None:
        """How long to sleep, in real seconds, until `at`; None when only `advance` gets there."""
        if self.mode == "manual":
            return 0.0 if at <= self._base else None
        return max(0.0, (at - self.now()).total_seconds() / self.rate)

    def state(self) -> dict[str, Any]:
        """What cloud.db keeps. In mode `wall` there is nothing to keep but the mode."""
        if self.mode == "wall":
            return {"mode": "wall"}
        return {"mode": self.mode, "rate": self.rate, "simulated_at": self.now().isoformat()}
