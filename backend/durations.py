"""How long things took, counted in a few classes: what is kept of each is an addition."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds. What takes longer than the last is in a class of its own."""


class Durations:
    """Written by one thread, and read by any."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def take(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def up_to(self) -> tuple[int, ...]:
        """How many took at most each bound, and how many there were."""
        total, found = 0, []
        for count in tuple(self.counts):
            total += count
            found.append(total)
        return tuple(found)
