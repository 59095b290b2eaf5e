"""Verbs that were confirmed and are not sent yet: for a few seconds each can be taken back.

A verb that waits is none that is being chosen: it leaves the group of workers of which only one runs, so that the next
menu does not cancel it. The status row counts the newest down; `u` takes back the newest.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.worker import get_current_worker

from console.port import Port
from console.presentation.lines import Frame, Tone
from console.presentation.mirror import Mirror
from console.reasons import Selection
from console.screens.dialogs import Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host

LOOK_SECONDS = 0.2
"""How often the clock is looked at while a verb waits."""
WORKER_GROUP = "held"


@dataclass(eq=False)
class _Held:
    words: str
    due_at: datetime
    undone: asyncio.Event = field(default_factory=asyncio.Event)


class Grace:
    """What waits to be sent, oldest first."""

    def __init__(self, say: Callable[[str, Tone], None], wall_now: Callable[[], datetime], seconds: float) -> None:
        self.seconds = seconds
        self._say = say
        self._wall_now = wall_now
        self._held: list[_Held] = []
        self._is_warned = False

    async def hold(self, words: str) -> bool:
        """Wait for the grace to end. False where it was taken back. Only from a worker."""
        if self.seconds <= 0:
            return True
        get_current_worker().group = WORKER_GROUP
        held = _Held(words, self._wall_now() + timedelta(seconds=self.seconds))
        self._held.append(held)
        self._is_warned = False
        shown = 0
        try:
            while not held.undone.is_set() and (left := self._left(held)) > 0:
                if held is self._held[-1] and math.ceil(left) != shown:
                    shown = math.ceil(left)
                    others = f", {len(self._held) - 1} more wait" if len(self._held) > 1 else ""
                    self._say(f"{words} in {shown} s   u takes it back{others}", Tone.WARN)
                try:
                    await asyncio.wait_for(held.undone.wait(), min(LOOK_SECONDS, left))
                except TimeoutError:
                    continue
            return not held.undone.is_set()
        finally:
            self._held.remove(held)

    def _left(self, held: _Held) -> float:
        return (held.due_at - self._wall_now()).total_seconds()

    def undo(self) -> None:
        """Take back the newest verb that waits."""
        waiting = [held for held in self._held if not held.undone.is_set()]
        if not waiting:
            self._say("nothing waits to be sent; what was sent is in :audit", Tone.MUTED)
            return
        waiting[-1].undone.set()
        self._say(f"{waiting[-1].words}: taken back, nothing was sent", Tone.OK)

    def may_leave(self) -> bool:
        """Whether the console may be left: the first time that something waits, what does is said instead."""
        if not self._held or self._is_warned:
            return True
        self._is_warned = True
        number = len(self._held)
        words = self._held[-1].words if number == 1 else f"{number} verbs"
        self._say(f"{words}: not sent yet; again leaves without it, or wait", Tone.WARN)
        return False


class Holding:
    """The host of one verb: what its dialog confirms waits for the grace, and on production asks for the name."""

    def __init__(self, host: Host, grace: Grace | None, words: str, *, name_to_type: str | None = None) -> None:
        self._host = host
        self._grace = grace
        self._words = words
        self._name_to_type = name_to_type

    @property
    def mirror(self) -> Mirror:
        """As of the host."""
        return self._host.mirror

    @property
    def client(self) -> Port | None:
        """As of the host."""
        return self._host.client

    def frame(self) -> Frame:
        """As of the host."""
        return self._host.frame()

    def wall_now(self) -> datetime:
        """As of the host."""
        return self._host.wall_now()

    def selection(self) -> Selection:
        """As of the host."""
        return self._host.selection()

    def say(self, sentence: str, tone: Tone = Tone.TEXT) -> None:
        """As of the host."""
        self._host.say(sentence, tone)

    def copy(self, text: str) -> None:
        """As of the host."""
        self._host.copy(text)

    def reload(self) -> None:
        """As of the host."""
        self._host.reload()

    async def ask_dialog(self, dialog: Screen[Any]) -> Any:
        """The answer; a confirmation is one only when its grace is over."""
        if self._name_to_type is not None and isinstance(dialog, Confirmation | Form):
            dialog.demand_name(self._name_to_type)
        if not isinstance(dialog, Confirmation):
            return await self._host.ask_dialog(dialog)
        if not await self._host.ask_dialog(dialog):
            return False
        return self._grace is None or await self._grace.hold(self._words)
