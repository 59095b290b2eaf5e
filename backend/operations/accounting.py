"""What one process keeps of money in memory, so that asking again costs what has happened since.

All of it follows from what is stored: a restart begins without it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from backend.cloud.billing import Mark, tick_of
from backend.cloud.metering import CLOUD


@dataclass
class Accounting:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    metered: dict[str, int] | None = None
    """By cell, up to which event its file was taken; None before it was looked up."""
    complete_at: int = -1
    """The store's revision at which nothing was left to take."""
    presumed: set[str] = field(default_factory=set)
    """The silent cells for which something is taken for true that their events have not told."""
    silent: set[str] = field(default_factory=set)
    """Those of which it is known what is taken for true; until they answer, that is not looked at again."""
    closed: int = 0
    """The tick before which all has been told, and stays as it is."""
    is_settled: bool = False
    """Whether there is surely nothing that has become known of closed ticks and has no correction yet."""
    marks: dict[str, list[Mark]] = field(default_factory=dict)
    """By account, what its ledger has added up to, hour by hour."""
    levels: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By what the level follows, from which tick on it was which, as far as `levels_end`."""
    levels_end: int = 0
    finite: frozenset[str] | None = None
    """The names of the accounts that have a balance to live on; None before they were looked up."""

    def forget(self) -> None:
        """All that was looked up of what is stored: it may be of before."""
        self.metered = None
        self.silent.clear()
        self.is_settled = False
        self.complete_at = -1
        self.marks.clear()
        self.levels.clear()
        self.levels_end = 0

    def changed(self, account: str, at: int) -> None:
        """Something about the account, or about the whole cloud, is different from an instant on: of no closed tick."""
        tick = max(tick_of(at), self.closed)
        if account == CLOUD:
            # The level of a tick is that of the load before the tick before it.
            self.levels_end = min(self.levels_end, tick + 2)
            for name in self.marks:
                self.marks[name] = [mark for mark in self.marks[name] if mark.tick <= tick + 2]
        elif account in self.marks:
            self.marks[account] = [mark for mark in self.marks[account] if mark.tick <= tick]
