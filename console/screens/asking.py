"""A line to type in, with what there is to choose from below it: for verbs that need a name or an object.

It answers with what was typed and chosen and does nothing itself. Options are looked for as one types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events

from console.presentation import header, picking
from console.presentation.lines import Frame, Line, Span, Tone, wrap
from console.presentation.picking import Option
from console.screens.boxed import BoxDialog
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import Bar

WIDTH_MAX = 76
TEXT_LENGTH_MAX = 200
OPTIONS_SHOWN = 12
FOOT_HEIGHT_MIN = 14


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed, and the keys of what was chosen, in the order of choosing."""

    text: str
    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Ask(BoxDialog[Given | None]):
    """Asks for a text, for one of the options, or (`is_many`) for any number of them in an order.

    Without `options` the text is the answer and may not be empty. `chosen` are there from the start. A `text` that is
    a suggestion goes with the first sign that is typed; `comes_to` says below the line what its text would do.
    `mistake_of` says what is wrong with a text, or nothing: then the line stays, to be mended.
    """

    def __init__(
        self,
        title: str,
        question: str,
        frame: Frame,
        *,
        text: str = "",
        options: Callable[[str], Sequence[Option]] | None = None,
        is_many: bool = False,
        chosen: Sequence[Option] = (),
        note: str = "",
        is_suggestion: bool = False,
        comes_to: Callable[[str], str] | None = None,
        mistake_of: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__(frame)
        self._title = title
        self._question = question
        self._text = text
        self._search = options
        self._is_many = is_many
        self._note = note
        self._options: Sequence[Option] = ()
        self._chosen: list[Option] = list(chosen)
        self._at = 0
        self._starts_anew = is_suggestion
        self._comes_to = comes_to
        self._mistake_of = mistake_of
        self._said = ""
        self._is_answered = False

    def on_mount(self) -> None:
        """Look for the first options."""
        self._look()

    def _look(self) -> None:
        self._options = () if self._search is None else self._search(self._text)
        self._at = 0
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        size = self.app.size
        width = min(WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS), height=size.height)
        rows = max(1, min(OPTIONS_SHOWN, size.height - 7 - len(self._chosen)))
        lines = picking.lines(
            self._question, self._text, self._options, self._chosen, inner, highlighted=self._at, rows=rows
        )
        said = self._said or ("" if self._comes_to is None else self._comes_to(self._text))
        note = said or (self._note if size.height >= FOOT_HEIGHT_MIN else "")
        tone = Tone.WARN if self._said else Tone.MUTED
        foot: tuple[Line, ...] = tuple((Span(row, tone),) for row in wrap(note, inner.width - 1)) if note else ()
        box = self.query_one(Box)
        box.styles.width = width
        box.show(self._title, lines, (((Span(""),), *foot) if foot else ()))
        keys = [("enter", "go on"), ("esc", "cancel")]
        if self._is_many:
            keys = [("type", "search"), ("tab", "add or take back"), ("up/down", "move"), *keys]
        elif self._search is not None:
            keys = [("type", "search"), ("up/down", "move"), ("enter", "choose"), ("esc", "cancel")]
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width, height=size.height)))

    def on_key(self, event: events.Key) -> None:
        """Letters are typed; up and down choose; enter answers."""
        event.stop()
        event.prevent_default()
        self._said = ""
        match event.key:
            case "escape":
                self._answer(None)
            case "enter" | "ctrl+j":
                self._enter()
            case "tab" if self._is_many:
                self._toggle()
            case "down" | "up" | "ctrl+n" | "ctrl+p" if self._options:
                step = 1 if event.key in ("down", "ctrl+n") else -1
                self._at = (self._at + step) % len(self._options)
                self._draw()
            case "backspace":
                self._type(self._text[:-1])
            case "ctrl+u":
                self._type("")
            case _:
                if event.character is not None and event.is_printable and len(self._text) < TEXT_LENGTH_MAX:
                    self._type(event.character if self._starts_anew else self._text + event.character)

    def _type(self, text: str) -> None:
        self._text, self._starts_anew = text, False
        self._look()

    def _toggle(self) -> None:
        if not self._options:
            self._say("nothing matches what is typed")
            return
        option = self._options[self._at]
        if option in self._chosen:
            self._chosen.remove(option)
        else:
            self._chosen.append(option)
        if len(self._options) == 1:
            self._type("")
            return
        # What was typed has found others too: it stays for them, and goes when something else is typed.
        self._at, self._starts_anew = (self._at + 1) % len(self._options), True
        self._draw()

    def _enter(self) -> None:
        if self._is_many:
            if self._text and not self._chosen and self._options:
                # A name was typed and enter pressed: it is meant.
                self._chosen.append(self._options[self._at])
            elif self._text and not self._options:
                self._say("nothing matches what is typed")
                return
            self._answer(_given(self._text, self._chosen))
        elif self._search is not None:
            if self._options:
                self._answer(_given(self._text, [self._options[self._at]]))
            else:
                self._say("nothing matches what is typed")
        elif self._text.strip():
            mistake = "" if self._mistake_of is None else self._mistake_of(self._text.strip())
            if mistake:
                self._say(mistake)
            else:
                self._answer(Given(self._text.strip()))
        else:
            self._say("a name is needed")

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self._draw()

    def _answer(self, given: Given | None) -> None:
        # Keys that were typed faster than the screen goes away must not answer twice.
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(given)


def _given(text: str, chosen: Sequence[Option]) -> Given:
    return Given(text, tuple(option.key for option in chosen), tuple(option.name for option in chosen))
