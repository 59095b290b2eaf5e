"""A screen held still: what was known when it was frozen, and how much has come since."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.records import Answer, Changes

if TYPE_CHECKING:
    from console.presentation.mirror import Mirror


class Freezing:
    """Holds one screen still, or lets it go on."""

    def __init__(self) -> None:
        self.mirror: Mirror | None = None
        """What is shown instead of what is known now; None where nothing is held."""
        self.at: datetime | None = None
        self.changes = 0
        """How many rows have changed since."""

    def toggle(self, mirror: Mirror, wall_now: datetime) -> None:
        """Hold what is known now, or let go."""
        if self.mirror is None:
            self.mirror, self.at, self.changes = mirror, wall_now, 0
        else:
            self.mirror = self.at = None

    def heed(self, answer: Answer) -> None:
        """Count what an answer would have changed."""
        if self.mirror is not None and isinstance(answer, Changes):
            self.changes += len(answer.servers) + len(answer.drives) + len(answer.removed)
