"""What the cloud was asked about the object of a page: the newest question wins, and a refusal is a sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from console.port import ClientError
from console.presentation.lines import Tone
from console.screens import objects, views

if TYPE_CHECKING:
    from console.screens.main import MainScreen


class Details:
    """The answers that a screen holds, by what they are about."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.held: Mapping[str, views.Held] = {}

    def ask(self) -> None:
        """Ask about the object of the page in sight, where the mirror does not have all there is."""
        screen = self._screen
        key, client = screen.place.scope, screen.then.client if screen.then.is_on else screen.client
        ask = None if key is None or client is None else views.asking(client, screen.mirror, screen.place)
        if key is not None and ask is not None:
            screen.run_worker(self._fetch(ask, key), group="detail", exclusive=True, exit_on_error=False)

    async def _fetch(self, ask: Callable[[], Awaitable[views.Held]], key: str) -> None:
        try:
            self.held = {key: await ask()}
        except ClientError as error:
            if self._screen.then.moment is not None:
                # What was said of another moment is not true of this one.
                self.held = {}
            item = objects.item_of(self._screen.mirror, key)
            self._screen.say(f"{key if item is None else item.name}: {error.sentence}", Tone.WARN)
        else:
            self._screen.render_soon()
