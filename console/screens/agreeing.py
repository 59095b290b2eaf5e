"""From a plan to its request: what is sent is what was shown, or nothing.

The request carries the token of the plan. Where the cloud says that it would do something else by now, the new plan is
shown with what has changed, and the operator is asked again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from console.port import ClientError
from console.presentation.lines import Frame, Line, Tone
from console.presentation.plan import labelled
from console.presentation.sentences import named
from console.screens.dialogs import Briefing, Confirmation

if TYPE_CHECKING:
    from console.screens.acting import Host

T = TypeVar("T")

STALE = "conflict"
"""The code of a request that was refused because it would not be what was agreed to."""


async def confirmed(
    host: Host,
    title: str,
    ask: Callable[[], Awaitable[Briefing]],
    send: Callable[[], Awaitable[T]],
    *,
    is_changed: Callable[[], bool],
) -> T | None:
    """What the request brought; None where it was cancelled. May raise ClientError.

    `ask` makes the briefing from a new preview; `send` sends the request with the token of the last one.
    """
    changed = ""

    async def asked() -> Briefing:
        briefing = await ask()
        words = named(host.mirror, changed)

        def lines(frame: Frame) -> list[Line]:
            return [*labelled(frame, "CHANGED", words, Tone.WARN), *briefing.lines(frame)]

        return replace(briefing, lines=lines) if changed else briefing

    while True:
        dialog = Confirmation(title, asked, host.frame(), wall_now=host.wall_now, is_changed=is_changed)
        if not await host.ask_dialog(dialog):
            return None
        try:
            return await send()
        except ClientError as error:
            if error.code != STALE:
                raise
            changed = error.sentence
