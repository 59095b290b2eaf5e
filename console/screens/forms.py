"""A few lines to fill in, all in sight: for making things. Wrong input, and a refusal, leave it open as it was."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from textual import events
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from console.port import ClientError
from console.presentation import creating, header
from console.presentation.creating import Field
from console.presentation.lines import Frame, Line, Span, Tone, wrap
from console.presentation.picking import Option
from console.screens.asking import Ask
from console.screens.boxed import BoxDialog
from console.screens.dialogs import Confirmation
from console.screens.options import MENU_CLASS
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import Bar

T = TypeVar("T")

Lines = Callable[[Frame], Sequence[Line]]
"""Lines for the width of a frame."""

WIDTH_MAX = 66
LIVE_WIDTH_MAX = 92
LIVE_SECONDS = 0.2
"""How long one has stopped typing when it is asked what that would come to."""
PICK_KEY = "ctrl+o"
LEAVING = "esc again throws away what was typed; any other key stays"
TEXT_LENGTH_MAX = 8_000


class Form(BoxDialog[str | None]):
    """Asks for the fields and sends them; answers with a sentence about what was made, or None.

    `send` is given the body and an idempotency key, which stays the same while the body does: where the answer to a
    request was lost, enter once more makes nothing twice. `confirm` makes the dialog that shows what it would come to
    and asks; cancelled, it leads back to the form as it was. `verb` is what enter does. `asks_first` does as `confirm`
    does where there is something to ask, which it may have to ask the cloud for; None where there is not.

    `options` are what some fields, by name, can be filled in with, in an order: names, or ids where a name says too
    little; of the fields `picks_one` it is a single one. With `is_edit` the fields begin as the object is, and only
    what was changed is sent.

    `live` is asked, whenever one has stopped typing for a moment, what the body would come to, and says it in lines
    that stand below the fields. What it refuses, by ClientError, stands there as a sentence.
    """

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        frame: Frame,
        send: Callable[[Mapping[str, Any], str], Awaitable[str]],
        *,
        verb: str = "create",
        is_edit: bool = False,
        confirm: Callable[[Mapping[str, Any]], Screen[bool]] | None = None,
        asks_first: Callable[[Mapping[str, Any]], Awaitable[Screen[bool] | None]] | None = None,
        options: Mapping[str, Callable[[str], Sequence[Option]]] = MappingProxyType({}),
        picks_one: Collection[str] = (),
        live: Callable[[Mapping[str, Any]], Awaitable[Lines]] | None = None,
    ) -> None:
        super().__init__(frame, classes=MENU_CLASS)
        self._title = title
        self._fields = tuple(fields)
        self._send = send
        self._verb = verb
        self._is_edit = is_edit
        self._confirm = confirm
        self._asks_first = asks_first
        self._options = options
        self._picks_one = picks_one
        self._live = live
        self._pause: Timer | None = None
        self._told: Lines | None = None
        self._told_wrong = ""
        self._texts = [_first_text(field) for field in self._fields]
        self._carets = [len(text) for text in self._texts]
        self._at = 0
        self._said = ""
        self._is_leaving = False
        """Whether esc would throw away what was typed, which was said."""
        self._is_sending = False
        self._is_answered = False
        self._sent: dict[str, Any] = {}
        self._key = ""
        self._name_demanded: str | None = None

    def demand_name(self, name: str) -> None:
        """Have its confirmation ask for a name."""
        self._name_demanded = name

    def on_mount(self) -> None:
        """Draw for the first time."""
        self._draw()
        self._look_ahead()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        size = self.app.size
        width = min(WIDTH_MAX if self._live is None else LIVE_WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS), height=size.height)
        said = f"asking the cloud {self._frame.glyphs.ellipsis}" if self._is_sending else self._said
        foot = creating.foot(self._fields[self._at], said, inner)
        box = self.query_one(Box)
        box.styles.width = width
        caret = self._carets[self._at]
        lines = creating.lines(self._fields, self._texts, self._at, inner, caret=caret)
        box.show(self._title, (*lines, *self._told_lines(inner)), foot)
        box.reveal(self._at)
        moves = "choose" if self._fields[self._at].choices else "move"
        keys = [("enter", self._verb), ("tab", "next"), ("left/right", moves), ("esc", "cancel")]
        if self._fields[self._at].name in self._options:
            keys.insert(1, (PICK_KEY, "pick"))
        if box.lines_below:
            keys.insert(-1, ("pgdn", "more"))
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width, height=size.height)))

    def _told_lines(self, inner: Frame) -> Sequence[Line]:
        if self._live is None:
            return ()
        if self._told_wrong:
            return ((), *((Span(f" {row}", Tone.WARN),) for row in wrap(self._told_wrong, inner.width - 2)))
        if self._told is None:
            return ((), (Span(f" {self._frame.glyphs.ellipsis}", Tone.MUTED),))
        return ((), *self._told(inner))

    def _look_ahead(self) -> None:
        """Ask what has been typed so far would come to, as soon as one has stopped typing for a moment."""
        if self._live is None:
            return
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(LIVE_SECONDS, self._ask_ahead)

    def _ask_ahead(self) -> None:
        self.run_worker(self._ask_live(), group="live", exclusive=True, exit_on_error=False)

    async def _ask_live(self) -> None:
        assert self._live is not None, "asked only where there is something to ask"
        wrong = creating.first_wrong(self._fields, self._texts)
        self._told_wrong = ""
        if wrong is not None:
            # Below all the fields it must say which of them is meant.
            self._told_wrong = f"{self._fields[wrong[0]].label}: {wrong[1]}"
        else:
            made = creating.changes if self._is_edit else creating.body
            try:
                self._told = await self._live(made(self._fields, self._texts))
            except ClientError as error:
                self._told_wrong = self._refused(error)
        self._draw()

    def _refused(self, error: ClientError) -> str:
        """Its sentence, with a field called as it is here."""
        for field in self._fields:
            if error.sentence.startswith(f"{field.name}: "):
                return field.label + error.sentence[len(field.name) :]
        return error.sentence

    def on_key(self, event: events.Key) -> None:
        """Letters are typed, tab goes on, enter creates."""
        event.stop()
        event.prevent_default()
        if self._is_sending:
            # What was sent may be done already: it is waited for, which the client does not do for long.
            return
        choices = self._fields[self._at].choices
        was_leaving, self._is_leaving = self._is_leaving, False
        match event.key:
            case "escape":
                self._leave(is_sure=was_leaving)
            case "enter" | "ctrl+j":
                self._enter()
            case key if key == PICK_KEY and self._fields[self._at].name in self._options:
                self.run_worker(self._pick(), group="pick", exclusive=True, exit_on_error=False)
            case "pagedown" | "pageup":
                self.query_one(Box).page(1 if event.key == "pagedown" else -1)
            case "tab" | "down" | "shift+tab" | "up":
                self._go(1 if event.key in {"tab", "down"} else -1)
            case "right" | "space" if choices:
                self._choose(1)
            case "left" if choices:
                self._choose(-1)
            case _ if choices:
                return
            case "left" | "right" | "home" | "end" | "ctrl+a" | "ctrl+e":
                self._move(event.key)
            case "ctrl+u":
                self._type("")
            case _:
                self._edit(event)

    def _leave(self, *, is_sure: bool) -> None:
        """Away at once where nothing was typed; what was typed is not lost by one key."""
        if is_sure or self._texts == [_first_text(field) for field in self._fields]:
            self._answer(None)
            return
        self._is_leaving, self._said = True, LEAVING
        self._draw()

    def _go(self, step: int) -> None:
        self._at, self._said = (self._at + step) % len(self._fields), ""
        self._draw()

    def _choose(self, step: int) -> None:
        choices = self._fields[self._at].choices
        self._type(choices[(choices.index(self._texts[self._at]) + step) % len(choices)])

    def _move(self, key: str) -> None:
        caret, end = self._carets[self._at], len(self._texts[self._at])
        places = {"left": max(0, caret - 1), "right": min(end, caret + 1), "home": 0, "ctrl+a": 0}
        self._carets[self._at] = places.get(key, end)
        self._draw()

    def _edit(self, event: events.Key) -> None:
        text, caret = self._texts[self._at], self._carets[self._at]
        if event.key == "backspace":
            self._type(text[: max(0, caret - 1)] + text[caret:], max(0, caret - 1))
        elif event.key == "delete":
            self._type(text[:caret] + text[caret + 1 :], caret)
        elif event.character is not None and event.is_printable and len(text) < TEXT_LENGTH_MAX:
            self._type(text[:caret] + event.character + text[caret:], caret + 1)

    def _type(self, text: str, caret: int | None = None) -> None:
        self._texts[self._at], self._said = text, ""
        self._carets[self._at] = len(text) if caret is None else caret
        self._draw()
        self._look_ahead()

    def _enter(self) -> None:
        wrong = creating.first_wrong(self._fields, self._texts)
        if wrong is not None:
            self._at, self._said = wrong
            self._draw()
            return
        made = creating.changes if self._is_edit else creating.body
        body = made(self._fields, self._texts)
        if self._is_edit and not body:
            self._said = "nothing was changed; esc leaves it as it is"
            self._draw()
            return
        if body != self._sent:
            self._sent, self._key = body, uuid.uuid4().hex
        self._is_sending = True
        self._draw()
        self.run_worker(self._make(body), group="make", exclusive=True, exit_on_error=False)

    async def _make(self, body: Mapping[str, Any]) -> None:
        try:
            dialog = None if self._confirm is None else self._confirm(body)
            if self._asks_first is not None:
                dialog = await self._asks_first(body)
            if dialog is not None:
                if self._name_demanded is not None and isinstance(dialog, Confirmation):
                    dialog.demand_name(self._name_demanded)
                if not await self._shown_instead(dialog):
                    self._is_sending = False
                    self._draw()
                    return
            sentence = await self._send(body, self._key)
        except ClientError as error:
            self._is_sending, self._said = False, self._refused(error)
            self._draw()
        else:
            self._answer(sentence)

    async def _shown_instead(self, dialog: Screen[T]) -> T | None:
        """The answer of a dialog that the form makes way for: two boxes over a list are one too many to read."""
        box = self.query_one(Box)
        box.display = False
        try:
            return await self.app.push_screen_wait(dialog)
        finally:
            box.display = True

    async def _pick(self) -> None:
        """Choose what the field is filled in with; what makes sense of what it holds is chosen already."""
        field = self._fields[self._at]
        search = self._options[field.name]
        chosen = [option for text in self._texts[self._at].split(",") for option in _meant(field, text.strip(), search)]
        is_many = field.name not in self._picks_one
        ask = Ask(
            self._title,
            field.label,
            self._frame,
            options=search,
            is_many=is_many,
            chosen=chosen if is_many else (),
            note=field.note,
        )
        given = await self._shown_instead(ask)
        if given is None:
            return
        texts = []
        for key, name in zip(given.keys, given.names, strict=True):
            is_clear = "," not in name and field.read(name) == [key]
            texts.append(name if is_clear else key)
        self._type(", ".join(texts))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in sending is said, and the dialog can be left."""
        if event.state is WorkerState.ERROR and event.worker.group == "live":
            self._told_wrong = f"error in the console: {type(event.worker.error).__name__}"
            self._draw()
        elif event.state is WorkerState.ERROR:
            self._is_sending = False
            self._said = f"error in the console: {type(event.worker.error).__name__}"
            self._draw()

    def _answer(self, sentence: str | None) -> None:
        # Keys that were typed faster than the screen goes away must not answer twice.
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(sentence)


def _meant(field: Field, text: str, search: Callable[[str], Sequence[Option]]) -> list[Option]:
    """The option that a name, or an id, stands for; none where that is not clear."""
    found = field.read(text) if text else None
    if not isinstance(found, list) or len(found) != 1:
        return []
    return [next((option for option in search(text) if option.key == found[0]), Option(found[0], text, ""))]


def _first_text(field: Field) -> str:
    if field.choices and field.text not in field.choices:
        return field.choices[0]
    return field.text
