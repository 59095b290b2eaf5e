"""The only screens that are pushed: menus and the confirmation. The list behind stays, muted by a class.

A dialog answers with what was chosen and does nothing itself. In a confirmation no letter presses a button, the focus
begins on `[ cancel ]`, and the other button is off while its plan is old or the world has changed under it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.worker import Worker, WorkerState

from console.port import ClientError
from console.presentation import header, plan
from console.presentation.lines import Frame, Line, Span, Tone, cells, wrap
from console.screens.boxed import BoxDialog
from console.screens.options import MENU_CLASS
from console.widgets.box import BORDER_CELLS, Box
from console.widgets.painting import TONE_CLASSES, Bar

PLAN_SECONDS_MAX = 30
MENU_WIDTH_MAX = 66
COST_WIDTH_MIN = 50
"""Below this the costs have no column in the menu; the foot says that of the highlighted verb."""
NOTES_HEIGHT_MIN = 16
CONFIRMATION_WIDTH_MAX = 76
CHOICE_LENGTH_MAX = 200
CANCEL = "[ cancel ]"

_TIER_TONES = {0: Tone.TEXT, 1: Tone.TEXT, 2: Tone.WARN, 3: Tone.CRIT}


@dataclass(frozen=True, slots=True)
class Choice:
    """A menu's answer: which item, and whether its request is to be copied instead of sent."""

    index: int
    is_copy: bool = False


class Menu(BoxDialog[Choice | None]):
    """Verbs by letter. Items that are off keep their place and say why when they are chosen."""

    def __init__(
        self,
        title: str,
        items: Sequence[plan.MenuItem],
        frame: Frame,
        *,
        above: Sequence[Line] = (),
        notes: Sequence[str] = (),
        can_copy: bool = False,
    ) -> None:
        super().__init__(frame, classes=MENU_CLASS)
        self._title = title
        self._items = tuple(items)
        self._above = tuple(above)
        self._notes = tuple(notes)
        self._can_copy = can_copy
        self._at = next((n for n, item in enumerate(self._items) if item.reason is None), 0)
        self._head = 0
        """How many lines stand before the items."""
        self._said = ""
        self._is_answered = False

    def _draw(self) -> None:
        size = self.app.size
        width = min(MENU_WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS), height=size.height)
        lines = plan.menu_lines(self._items, inner, highlighted=self._at)
        notes = [note for note in (self._said,) if note]
        if not notes and inner.width < COST_WIDTH_MIN and self._items:
            item = self._items[self._at]
            notes = [f"off: {item.reason}" if item.reason else item.cost]
        if size.height >= NOTES_HEIGHT_MIN:
            notes += self._notes
        foot = tuple(
            (Span(row, Tone.WARN if note == self._said else Tone.MUTED),)
            for note in notes
            for row in wrap(note, inner.width)
        )
        box = self.query_one(Box)
        box.styles.width = width
        box.show(self._title, (*self._above, *lines), (((Span(""),), *foot) if foot else ()))
        self._head = len(self._above) + len(lines) - len(self._items)
        box.reveal(self._head + self._at)
        keys = [("a-z", "choose"), ("enter", "choose"), ("j/k", "move"), ("esc", "close")]
        if self._can_copy:
            keys.insert(2, ("Y", "copy as curl"))
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width, height=size.height)))

    def on_key(self, event: events.Key) -> None:
        """Letters choose, enter chooses what is highlighted, Y copies it.

        Tab does nothing: it is for the dialog that a verb opens, and a verb that is off opens none.
        """
        event.stop()
        event.prevent_default()
        letters = [item.letter for item in self._items]
        match event.key:
            case "escape" | "left":
                self._answer(None)
            case "enter" | "right":
                self._choose(self._at)
            case "Y" if self._can_copy:
                self._answer(Choice(self._at, is_copy=True))
            case key if (event.character or key) in letters:
                self._choose(letters.index(event.character or key))
            case "down" | "j":
                self._move(1)
            case "up" | "k":
                self._move(-1)

    def on_click(self, event: events.Click) -> None:
        """A click on a row chooses it, one beside the box closes the menu."""
        box = self.query_one(Box)
        if not box.region.contains(event.screen_x, event.screen_y):
            self._answer(None)
        elif (line := box.line_at(event.screen_y - box.region.y)) is not None:
            self._choose(line - self._head)

    def _answer(self, choice: Choice | None) -> None:
        # Keys that were typed faster than the screen goes away must not answer twice.
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(choice)

    def _move(self, step: int) -> None:
        if self._items:
            self._at = (self._at + step) % len(self._items)
            self._said = ""
            self._draw()

    def _choose(self, index: int) -> None:
        if not 0 <= index < len(self._items):
            return
        reason = self._items[index].reason
        if reason is None:
            self._answer(Choice(index))
        else:
            self._at, self._said = index, f"{self._items[index].title} is off: {reason}"
            self._draw()


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a confirmation says: made anew each time the plan is asked for."""

    title: str
    """A full sentence: verb, object, condition."""
    verb: str
    """The words on the button."""
    tier: int
    lines: Callable[[Frame], Sequence[Line]]
    problem: str | None = None
    """Why it cannot be done at all."""
    name_to_type: str | None = None
    """For what cannot be undone: the name, or the count of several."""


def _button(briefing: Briefing) -> str:
    return f"[ {briefing.verb} ]"


class Confirmation(ModalScreen[bool]):
    """Shows the blast radius and asks. Answers True only when the button was pressed on a fresh plan.

    `ask` makes the briefing (from a preview) and may raise ClientError; `is_changed` tells whether the object has
    moved on since.
    """

    COMPONENT_CLASSES = TONE_CLASSES
    AUTO_FOCUS = ""

    def __init__(
        self,
        title: str,
        ask: Callable[[], Awaitable[Briefing]],
        frame: Frame,
        *,
        wall_now: Callable[[], datetime],
        is_changed: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._title = title
        self._ask = ask
        self._frame = frame
        self._wall_now = wall_now
        self._is_changed = is_changed
        self._briefing: Briefing | None = None
        self._asked_at: datetime | None = None
        self._problem: str | None = None
        self._is_on_button = False
        self._goes_to_button = False
        """Whether tab was pressed before there was a button."""
        self._name_demanded: str | None = None
        self._typed = ""
        self._said = ""
        self._is_answered = False

    def compose(self) -> ComposeResult:
        """The box, and the keys in the last row."""
        yield Box(self._frame.glyphs, id="confirmation")
        yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        """Ask for the plan; its age ticks."""
        self._draw()
        self._ask_again()
        self.set_interval(1.0, self._draw)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def demand_name(self, name: str) -> None:
        """Ask for a name also where the briefing would only have a button."""
        self._name_demanded = name

    @property
    def off_because(self) -> str | None:
        """Why the button is off; None when enter would press it."""
        if self._briefing is None:
            return self._problem or "asking for the plan"
        if self._briefing.problem is not None:
            return self._briefing.problem
        if self._age_seconds() > PLAN_SECONDS_MAX:
            return f"this preview is {int(self._age_seconds())} s old, and things may have moved: r previews again"
        if self._is_changed():
            return "what it is about has changed since this preview: r previews again"
        return None

    def _age_seconds(self) -> float:
        return 0.0 if self._asked_at is None else (self._wall_now() - self._asked_at).total_seconds()

    def _ask_again(self) -> None:
        self._briefing, self._problem, self._is_on_button, self._goes_to_button = None, None, False, False
        self.run_worker(self._make_briefing(), group="plan", exclusive=True, exit_on_error=False)
        self._draw()

    async def _make_briefing(self) -> None:
        try:
            briefing = await self._ask()
        except ClientError as error:
            self._problem = error.sentence
        else:
            if briefing.name_to_type is None and self._name_demanded is not None:
                briefing = replace(briefing, name_to_type=self._name_demanded)
            self._briefing, self._asked_at = briefing, self._wall_now()
            self._is_on_button = self._goes_to_button and self.off_because is None
        self._draw()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in making the plan leaves the button off and says so."""
        if event.state is WorkerState.ERROR:
            self._problem = f"the plan could not be made: {type(event.worker.error).__name__}"
            self._draw()

    # ------------------------------------------------------------------------------------------------------ drawing

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        size = self.app.size
        width = min(CONFIRMATION_WIDTH_MAX, size.width)
        inner = self._frame._replace(width=max(1, width - BORDER_CELLS), height=size.height)
        briefing = self._briefing
        if briefing is None:
            words = self._problem or f"asking what it would do {self._frame.glyphs.ellipsis}"
            lines: Sequence[Line] = ((Span(words, Tone.CRIT if self._problem else Tone.MUTED),),)
        else:
            lines = briefing.lines(inner)
        box = self.query_one(Box)
        box.styles.width = width
        tone = _TIER_TONES[briefing.tier] if briefing else Tone.TEXT
        tone = tone if self._name_demanded is None else Tone.CRIT
        cloud = f"   {self._frame.cloud}" if self._frame.cloud else ""
        box.show(f"{briefing.title if briefing else self._title}{cloud}", lines, self._foot(inner), tone)
        keys = [("tab", "other button"), ("enter", "press"), ("r", "preview again"), ("esc", "cancel")]
        if briefing is not None and briefing.name_to_type is not None and self.off_because is None:
            keys = [("enter", "confirm the name"), ("esc", "cancel")]
        self.query_one(Bar).show(header.keys(keys, self._frame._replace(width=size.width, height=size.height)))

    def _foot(self, inner: Frame) -> tuple[Line, ...]:
        briefing, off = self._briefing, self.off_because
        if briefing is not None and off is None and briefing.name_to_type is not None:
            question = f"type {briefing.name_to_type} to {briefing.verb}: "
            return (
                (Span(""),),
                (Span(question, Tone.CRIT, is_bold=True), Span(self._typed), Span(" ", is_reversed=True)),
                *((Span(row, Tone.WARN),) for row in (wrap(self._said, inner.width - 1) if self._said else ())),
            )
        cancel = Span(CANCEL, Tone.ACCENT, is_reversed=not self._is_on_button)
        if briefing is None:
            return ((Span(""),), (cancel,))
        if off is not None:
            # The plan's own lines have just said at length why it is refused.
            reason = "off: refused" if off == briefing.problem else f"off: {off}"
            rows = ((Span(row, Tone.WARN),) for row in wrap(reason, inner.width - 1))
            return ((Span(""),), (cancel, Span(f"   {briefing.verb}", Tone.MUTED)), *rows)
        button = Span(_button(briefing), _TIER_TONES[briefing.tier], is_reversed=self._is_on_button)
        return ((Span(""),), *self._buttons(cancel, button, briefing.tier, inner.width))

    def _buttons(self, cancel: Span, button: Span, tier: int, width: int) -> tuple[Line, ...]:
        """Both buttons whole, below each other where they must be, and as much of what is said of them as fits."""
        age = f"preview {int(self._age_seconds())}s old"
        if cells(cancel.text) + 3 + cells(button.text) > width:
            return ((button,), (cancel, Span(f"   tier {tier}", Tone.MUTED)))
        room = width - cells(cancel.text) - 3 - cells(button.text)
        asks = ": asks once" if tier > 1 else ""
        said = (f"   tier {tier}{asks}; {age}", f"   tier {tier}; {age}", f"   {age}", f"   tier {tier}", "")
        words = next(each for each in said if cells(each) <= room)
        return ((cancel, Span("   "), button, Span(words, Tone.MUTED)),)

    # --------------------------------------------------------------------------------------------------------- keys

    def on_key(self, event: events.Key) -> None:
        """Tab goes to the other button, enter presses; letters only type the name where one is asked for."""
        event.stop()
        event.prevent_default()
        asks_name = self._briefing is not None and self._briefing.name_to_type is not None and self.off_because is None
        match event.key:
            case "escape":
                self._answer(False)
            case "down" | "up":
                self.query_one(Box).scroll(1 if event.key == "down" else -1)
            case "pagedown" | "pageup":
                self.query_one(Box).page(1 if event.key == "pagedown" else -1)
            case "j" | "k" if not asks_name:
                self.query_one(Box).scroll(1 if event.key == "j" else -1)
            case _ if asks_name:
                self._type(event)
            case "tab" | "shift+tab" | "left" | "right":
                self._goes_to_button = not self._goes_to_button
                self._is_on_button = not self._is_on_button and self.off_because is None
                self._draw()
            case "enter":
                self._press()
            case "r":
                self._ask_again()

    def on_click(self, event: events.Click) -> None:
        """A click on a button presses it."""
        box = self.query_one(Box)
        words = box.words_at(event.screen_x - box.region.x, event.screen_y - box.region.y)
        if words == CANCEL:
            self._answer(False)
        elif self._briefing is not None and words == _button(self._briefing) and self.off_because is None:
            self._answer(True)

    def _answer(self, is_confirmed: bool) -> None:
        # Keys that were typed faster than the screen goes away must not answer twice.
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(is_confirmed)

    def _type(self, event: events.Key) -> None:
        assert self._briefing is not None, "a name is asked for by a briefing"
        self._said = ""
        match event.key:
            case "enter":
                wanted = self._briefing.name_to_type
                if _is_meant(self._typed, wanted) and self.off_because is None:
                    self._answer(True)
                elif self._typed:
                    self._said = f"{self._typed} is not {wanted}: nothing was done; ctrl+u clears, esc cancels"
                else:
                    self._said = f"type {wanted}, or esc cancels"
            case "backspace":
                self._typed = self._typed[:-1]
            case "ctrl+u":
                self._typed = ""
            case _:
                if event.character is not None and event.is_printable and len(self._typed) < CHOICE_LENGTH_MAX:
                    self._typed += event.character
        self._draw()

    def _press(self) -> None:
        if self._goes_to_button and self._briefing is None and self._problem is None:
            return  # Nobody agrees to a plan that is not there yet; nor was cancelling meant.
        if not self._is_on_button:
            self._answer(False)
        elif self.off_because is None:
            self._answer(True)
        else:
            self._is_on_button = False
            self._draw()


def _is_meant(typed: str, wanted: str | None) -> bool:
    """Whether what was typed is what was asked for; of a number, with its commas or without."""
    is_number = wanted is not None and wanted.replace(",", "").isdecimal()
    return typed == wanted or (is_number and wanted is not None and typed == wanted.replace(",", ""))
