"""The loops behind a screen: begun after its first paint, and begun again after a bug, which is a sentence then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from textual.worker import Worker, WorkerState

from console.presentation.lines import Tone

if TYPE_CHECKING:
    from console.screens.main import MainScreen

AGAIN_SECONDS = 1.0


class Loops:
    """Those of the feed of a screen, and what follows the process of its cloud where it has one."""

    def __init__(self, screen: MainScreen, progress: Callable[[], AsyncIterator[str]] | None) -> None:
        self._screen = screen
        self._progress = progress
        feed = screen.feed
        self._loops: Mapping[str, Callable[[], Awaitable[None]]] = {
            "status": feed.beat, "feed": feed.follow, "drives": feed.read_drives, "log": feed.read_log
        }  # fmt: skip

    def begin(self) -> None:
        """Start them."""
        for group in self._loops:
            self._run(group)
        if self._progress is not None:
            self._screen.run_worker(self._follow(self._progress()), group="progress", exit_on_error=False)

    def _run(self, group: str) -> None:
        self._screen.run_worker(self._loops[group](), group=group, exit_on_error=False)

    async def _follow(self, sentences: AsyncIterator[str]) -> None:
        async for sentence in sentences:
            self._screen.framing.show_progress(sentence)
        self._screen.framing.show_progress("")

    def heed(self, event: Worker.StateChanged) -> None:
        """A bug in a worker never ends the console."""
        if event.state is not WorkerState.ERROR:
            return
        screen, group, error = self._screen, event.worker.group, event.worker.error
        screen.log.error("worker failed", group=group, error=repr(error))
        screen.say(f"error in the console: {type(error).__name__} in {group}", Tone.CRIT)
        if group in self._loops:
            screen.set_timer(AGAIN_SECONDS, lambda: self._run(group))
