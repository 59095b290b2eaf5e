"""The what-if dialog: what is typed is asked at once, and the answer stands below. It makes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.timer import Timer

from console.port import ClientError
from console.presentation import creating, header, what_if
from console.presentation.creating import Field
from console.presentation.lines import Frame, Line, Span, Tone
from console.records_room import WhatIfRecord
from console.screens.forms import Form
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import Bar

if TYPE_CHECKING:
    from console.screens.main import MainScreen

WIDTH_MAX = 76
REST_SECONDS = 0.15
"""How long the keys must rest before the cloud is asked."""


async def ask(screen: MainScreen) -> None:
    """Show the dialog over the view. May not raise: a refusal is said in it."""
    client = screen.client
    if client is None:
        screen.say("not connected yet", Tone.WARN)
        return
    scope = screen.place.scope
    fields = what_if.fields(screen.mirror, cell=scope if screen.place.view == "capacity" else None)
    await screen.ask_dialog(Trial("What if", fields, screen.frame(), client.what_if))


class Trial(Form):
    """Asks for the fields and shows what the cloud says would happen."""

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        frame: Frame,
        ask: Callable[[Mapping[str, Any]], Awaitable[WhatIfRecord]],
    ) -> None:
        super().__init__(title, fields, frame, _send_nothing)
        self._ask = ask
        self._found: WhatIfRecord | None = None
        self._problem = ""
        self._is_suggested = True
        self._rest: Timer | None = None

    def on_mount(self) -> None:
        """Ask about what the fields begin with."""
        super().on_mount()
        self._enter()

    def _leave(self, *, is_sure: bool) -> None:
        """At once: nothing that was typed would have been sent."""
        self._answer(None)

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        size = self.app.size
        width = min(WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS), height=size.height)
        typed = creating.lines(self._fields, self._texts, self._at, inner, caret=self._carets[self._at])
        box = self.query_one(Box)
        box.styles.width = width
        note = creating.foot(self._fields[self._at], "", inner)[1:]
        box.show(self._title, (*typed, *note, (Span(""),), *self._answer_lines(inner)))
        box.reveal(self._at)
        moves = "choose" if self._fields[self._at].choices else "move"
        keys = [("tab", "next"), ("left/right", moves), ("pgdn", "scroll"), ("esc", "close")]
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width, height=size.height)))

    def _answer_lines(self, frame: Frame) -> Sequence[Line]:
        if self._problem:
            return what_if.wrong(self._problem, frame)
        return what_if.asking(frame) if self._found is None else what_if.lines(self._found, frame)

    def on_key(self, event: events.Key) -> None:
        """As in any form; the pages scroll what was answered."""
        if event.key in ("pagedown", "pageup"):
            event.stop()
            self.query_one(Box).page(1 if event.key == "pagedown" else -1)
        else:
            super().on_key(event)

    def _go(self, step: int) -> None:
        self._is_suggested = True
        super()._go(step)

    def _move(self, key: str) -> None:
        self._is_suggested = False
        super()._move(key)

    def _edit(self, event: events.Key) -> None:
        """What stands in a field that one comes to is a suggestion: the first sign that is typed takes its place."""
        if self._is_suggested and event.is_printable:
            self._texts[self._at], self._carets[self._at] = "", 0
        self._is_suggested = False
        super()._edit(event)

    def _type(self, text: str, caret: int | None = None) -> None:
        self._found, self._problem = None, ""
        super()._type(text, caret)
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, self._enter)

    def _enter(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        wrong = creating.first_wrong(self._fields, self._texts)
        self._found, self._problem = None, "" if wrong is None else wrong[1]
        self._draw()
        if wrong is None:
            body = creating.body(self._fields, self._texts)
            self.run_worker(self._look(body), group="trial", exclusive=True, exit_on_error=False)

    async def _look(self, body: Mapping[str, Any]) -> None:
        try:
            self._found = await self._ask(body)
        except ClientError as error:
            self._problem = error.sentence
        self._draw()


async def _send_nothing(_body: Mapping[str, Any], _key: str) -> str:
    raise AssertionError("a what-if makes nothing")
