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
        self.complete_at = -1
        self.marks.clear()
        self.levels.clear()
        self.levels_end = 0

    def changed(self, account: str, at: int) -> None:
        """Something about the account, or about the whole cloud, is different from an instant on."""
        tick = tick_of(at)
        if account == CLOUD:
            # The level of a tick is that of the load a tick before it begins.
            self.levels_end = min(self.levels_end, tick + 1)
            for name in self.marks:
                self.marks[name] = [mark for mark in self.marks[name] if mark.tick <= tick + 1]
        elif account in self.marks:
            self.marks[account] = [mark for mark in self.marks[account] if mark.tick <= tick]
