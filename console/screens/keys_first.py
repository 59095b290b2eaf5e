"""A key goes first: what comes from the cloud meanwhile waits until its frame is drawn.

Each answer waits once only, so that a key that is held down does not hold up what it is held down to see.
"""

from __future__ import annotations

import asyncio

FRAME_SECONDS = 0.03
"""How long a key may take until its frame is drawn, also where others want the machine."""


class KeysFirst:
    def __init__(self) -> None:
        self._until = 0.0

    def take(self) -> None:
        """A key was pressed."""
        self._until = asyncio.get_running_loop().time() + FRAME_SECONDS

    @property
    def seconds_left(self) -> float:
        """How long the frame of the last key may still take; 0 when it is drawn."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def pass_by(self) -> None:
        """Let a key go first, if one was pressed."""
        if seconds := self.seconds_left:
            await asyncio.sleep(seconds)
