"""The one screen: header, crumbs, body, status, keys; the views change inside it.

It holds what the operator chose (the trail of places, freeze, marks) and the mirror of the cloud, and hands both to
presentation, which makes lines. Workers post answers, the handlers here take them into the mirror and repaint at most
ten times a second; ages tick once a second. A key that moves the cursor never makes a view anew.

Reading order: compose, the handlers of the feed, `_render_all`, the keys at the end; doing.py has what each key does.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from console import commands
from console.client import CloudClient
from console.commands import VIEWS, Command
from console.presentation import header, sentences
from console.presentation.columns import Column
from console.presentation.lines import Frame, Tone, View
from console.presentation.mirror import Mirror
from console.reasons import Selection
from console.records import Changes
from console.screens import doing, foot, objects, views
from console.screens.details import Details
from console.screens.feed import Answered, DrivesBegun, Failed, Feed, Restarted
from console.screens.options import Options
from console.screens.places import Place, Trail
from console.screens.typed_ahead import TypedAhead
from console.screens.typed_line import TypedLine
from console.widgets.middle import Middle
from console.widgets.painting import TONE_CLASSES, Bar
from console.widgets.prompt import Prompt
from console.widgets.table import RegionList

if TYPE_CHECKING:
    from console.screens.acting import Acting

REPAINT_SECONDS = 0.1
TICK_SECONDS = 1.0
SAID_SECONDS = 10
FRAME_LINES = 4

_ROW_COMMANDS = ("move.", "filter.value", "mark", "open", "describe", "raw", "actions", "copy", "events", "target",
                 "time.", "why")  # fmt: skip


class MainScreen(Screen[None]):
    """The frame and everything in it."""

    COMPONENT_CLASSES = TONE_CLASSES
    AUTO_FOCUS = ""

    def __init__(self, options: Options) -> None:
        super().__init__(id="main")
        self._options = options
        self._mirror = Mirror()
        self._held: Mirror | None = None
        self._frozen_at: datetime | None = None
        self._changes_held = 0
        self.keymap, self.keeper = options.keymap, options.keeper
        self._letter_taker: Callable[[str], None] | None = None
        self.trail = Trail.begin(VIEWS[0], options.landing_view)
        self._view = View("", (), "", ())
        self._said: tuple[str, Tone] | None = None
        self._said_at, self._progress = options.wall_now(), ""
        self.details = Details(self)
        self._has_pane = True
        self.sought = ""
        """What n and N look for: the last filter, or what was to be found."""
        self._ahead = TypedAhead()
        self.typed_line = TypedLine(self)
        self._repaint: Timer | None = None
        self._is_outdated, self._was_loading = False, True
        self._middle = Middle(options.glyphs, id="middle")
        self.body = self._middle.body
        self.feed = Feed(
            options.client_factory,
            self.post_message,
            wall_now=options.wall_now,
            mirror=lambda: self._mirror,
            wanted=lambda: self._wanted,
            poll_seconds=options.poll_seconds,
        )

    @cached_property
    def acting(self) -> "Acting":
        """What carries verbs out. It is loaded with the first of them: nothing of it is painted before."""
        from console.screens.acting import Acting

        return Acting(self, confirms_all=self._options.confirms_all, undo_seconds=self._options.undo_seconds)

    def compose(self) -> ComposeResult:
        """Four rows and the body. The prompt takes the place of the status row while one types."""
        yield Bar(id="header")
        yield Bar(id="crumbs")
        yield self._middle
        yield Bar(id="status")
        with Horizontal(id="prompt-row"):
            yield self.typed_line.kind_bar
            yield self.typed_line.prompt
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Paint the frame; ask for data only after that."""
        self._header, self._crumbs, self._status, self._keys = (
            self.query_one(f"#{name}", Bar) for name in ("header", "crumbs", "status", "keys")
        )
        self._prompt_row = self.query_one("#prompt-row")
        self._prompt_row.display = False
        if self.keeper.problem:
            self._said = (self.keeper.problem, Tone.WARN)
        self._render_all()
        self.set_interval(TICK_SECONDS, self._tick)
        self.call_after_refresh(self._start_workers)

    def _start_workers(self) -> None:
        for group, loop in (("status", self.feed.beat), ("feed", self.feed.follow), ("drives", self.feed.read_drives)):
            self.run_worker(loop(), group=group, exit_on_error=False)
        if self._options.progress is not None:
            self.run_worker(self._follow_progress(self._options.progress()), group="progress", exit_on_error=False)

    async def _follow_progress(self, sentences: AsyncIterator[str]) -> None:
        async for sentence in sentences:
            self._progress = sentence
            self._render_status()
        self._progress = ""
        self._render_status()

    # ---------------------------------------------------------------------------------------------- what workers say

    @on(Answered)
    def _take_answer(self, message: Answered) -> None:
        """Take an answer into the mirror."""
        had_failed = self._mirror.problem is not None
        self._mirror = self._mirror.apply(message.answer, message.at)
        self.set_class(self._mirror.is_production, "-production")
        message.taken.set()
        self._progress = ""
        if self._held is not None and isinstance(message.answer, Changes):
            answer = message.answer
            self._changes_held += len(answer.servers) + len(answer.drives) + len(answer.removed)
        if had_failed:
            self._said = None
        self.render_soon()

    @on(Failed)
    def _take_failure(self, message: Failed) -> None:
        """Keep the rows, and say what is wrong, also where something else was said before."""
        if self._mirror.problem is None:
            self._said = None
        self._mirror = self._mirror.failed(message.sentence, message.at, retry_at=message.retry_at)
        self.render_soon()

    @on(Restarted)
    def _take_restart(self, message: Restarted) -> None:
        """The list is read anew; its rows are replaced as they come."""
        self._mirror = self._mirror.restarted()
        message.taken.set()
        self.render_soon()

    @on(DrivesBegun)
    def _take_drives_begun(self, message: DrivesBegun) -> None:
        """The drives are about to be read; what the feed says of them counts from now on."""
        self._mirror = self._mirror.drives_begun()
        message.taken.set()
        self.render_soon()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in a worker is a sentence, never the end; the loops are started again."""
        if event.state is not WorkerState.ERROR:
            return
        error = event.worker.error
        self.log.error("worker failed", group=event.worker.group, error=repr(error))
        self.say(f"error in the console: {type(error).__name__} in {event.worker.group}", Tone.CRIT)
        loops = {"status": self.feed.beat, "feed": self.feed.follow, "drives": self.feed.read_drives}
        if event.worker.group in loops:
            loop = loops[event.worker.group]
            self.set_timer(
                TICK_SECONDS, lambda: self.run_worker(loop(), group=event.worker.group, exit_on_error=False)
            )  # fmt: skip

    def _tick(self) -> None:
        """Ages grow, and what was said of an action that went well grows old."""
        is_old = (self.wall_now() - self._said_at).total_seconds() > SAID_SECONDS
        if is_old and self._said is not None and self._said[1] is not Tone.CRIT:
            self._said = None
        if self._repaint is None:
            self._render_all()

    @property
    def is_settled(self) -> bool:
        """Whether all that is known is drawn: nothing has come since the last repaint."""
        return self._repaint is None and not self._is_outdated

    def render_soon(self) -> None:
        """Repaint now, or when the last repaint is a tenth of a second old."""
        if self._repaint is not None:
            self._is_outdated = True
            return
        self._render_all()
        self._repaint = self.set_timer(REPAINT_SECONDS, self._repaint_again)

    def _repaint_again(self) -> None:
        self._repaint = None
        if self._is_outdated:
            self._is_outdated = False
            self.render_soon()

    # ------------------------------------------------------------------------------------------- what acting asks for

    @property
    def mirror(self) -> Mirror:
        """What is known of the cloud now, also while the screen is frozen."""
        return self._mirror

    @property
    def client(self) -> CloudClient | None:
        """The connection, once there was an answer."""
        return self.feed.client

    @property
    def place(self) -> Place:
        """Where the operator is."""
        return self.trail.here

    @property
    def view(self) -> View:
        """What is drawn."""
        return self._view

    def wall_now(self) -> datetime:
        """The wall's instant."""
        return self._options.wall_now()

    def frame(self) -> Frame:
        """The room, the instants and the operator's choices for this place."""
        wall_now, place = self._frozen_at or self.wall_now(), self.trail.here
        return Frame(
            width=self.app.size.width,
            height=self.app.size.height,
            now=self._shown_mirror.now(wall_now),
            wall_now=wall_now,
            glyphs=self._options.glyphs,
            filter=place.filter,
            sort=place.sort,
            is_descending=place.is_descending,
            scope=place.scope,
            marks=self.body.marks,
            has_pane=self._has_pane,
            past_at=place.past_at,
            is_read_only=self._options.is_read_only,
            columns=self.keeper.kept.columns.get(place.view, ()),
        )

    @property
    def export_folder(self) -> Path:
        """Where exports are written."""
        return self._options.export_folder or Path.cwd()

    @property
    def subject(self) -> str | None:
        """The key of what is looked at: of a page its object, of a list the row under the cursor."""
        return self.place.scope if self.place.view in commands.PAGES else self.cursor_key

    @property
    def held(self) -> views.Held | None:
        """What the cloud said of the object of this page."""
        return self.details.held.get(self.place.scope or "")

    def selection(self) -> Selection:
        """What a command would act on: the marked rows, else what is looked at."""
        marks = objects.shown_marks(self.view, self.place.filter, self.active.marks)
        keys = sorted(marks) or [key for key in (self.subject,) if key is not None]
        found = (objects.item_of(self._mirror, key) for key in keys)
        clock = self._mirror.clock
        return Selection(
            view=self.place.view,
            items=tuple(item for item in found if item is not None),
            is_read_only=self._options.is_read_only,
            is_stale=self._mirror.is_offline,
            is_simulated=clock is not None or not self._mirror.answered_at,
            clock_mode=None if clock is None else clock.mode,
            hidden=len(self.active.marks) - len(marks),
        )

    def say(self, sentence: str, tone: Tone = Tone.TEXT, *, is_verbatim: bool = False) -> None:
        """Put a sentence into the status row until the next key; good news goes by itself before.

        Ids in it are told as names, unless it quotes what is somewhere else now.
        """
        words = sentence if is_verbatim else sentences.named(self._mirror, sentence)
        self._said, self._said_at = (words, tone), self.wall_now()
        self._render_status()

    def copy(self, text: str) -> None:
        """Put a text onto the terminal's clipboard (OSC 52), unless terminals would cut it."""
        doing.copy(self, text)

    async def ask_dialog(self, dialog: Screen[Any]) -> Any:
        """Show a dialog over the muted list and wait for its answer. Only from a worker."""
        self.add_class("-behind")
        self._ahead.give_to(dialog)
        try:
            return await self.app.push_screen_wait(dialog)
        finally:
            self.remove_class("-behind")

    # ------------------------------------------------------------------------------------------------------- drawing

    @property
    def _shown_mirror(self) -> Mirror:
        return self._held if self._held is not None else self._mirror

    @property
    def active(self) -> RegionList:
        """The list that the keys move."""
        return self._middle.active

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self.active.key

    @property
    def _is_loading(self) -> bool:
        """Whether rows of the view in sight are still to come."""
        return not self._mirror.is_complete or ("drives" in self._wanted and not self._mirror.are_drives_complete)

    @property
    def _wanted(self) -> frozenset[str]:
        return views.wanted(replace(self.trail.here, cursor=self.cursor_key), self._mirror)

    @property
    def _room(self) -> int:
        return max(1, self.app.size.height - FRAME_LINES)

    def _render_all(self, *, at: tuple[str | None, int | None] = (None, None)) -> None:
        """Make the view for what is known now, and draw everything."""
        if not self.is_mounted or self.app.size.width == 0:
            return
        frame = self.frame()
        self._view = views.make(self.trail.here, self._shown_mirror, frame, self.details.held, self.keymap.registry)
        # What was drawn before belongs to loading when it was not over then, though it may be over by now.
        self._middle.show(self._view, self._room, at=at, is_loading=self._was_loading)
        self._was_loading = self._is_loading
        self._crumbs.show(header.crumbs(self._view, frame))
        self._header.show(header.header(self._shown_mirror, frame._replace(wall_now=self.wall_now())))
        self._render_status()
        self.render_keys()
        self._replay_pending()

    def _render_cursor(self) -> None:
        """Draw what depends on the row under the cursor: status, preview, keys."""
        self._middle.show_beside(self._view, self._room)
        self._render_status()
        self.render_keys()

    def _situation(self) -> foot.Situation:
        return foot.Situation(
            self._mirror,
            self._view,
            self.cursor_key,
            self._said,
            self._options.backend,
            self._progress,
            self._frozen_at,
            self._changes_held,
            self.subject,
        )

    def _render_status(self) -> None:
        if self.is_mounted:
            self._status.show(foot.status(self._situation(), self.frame()))

    def render_keys(self) -> None:
        """Draw the row of keys, or what is wrong with what is typed: the line itself lies where sentences are said."""
        problem = self.typed_line.problem if self.typed_line.is_open else self._view.problem
        if problem:
            self._keys.show(header.message(problem, Tone.WARN, self.frame()))
            return
        line = foot.keys(
            self._situation(),
            self.frame(),
            self.place.view,
            self.keymap.registry,
            is_ranging=self.body.is_ranging,
            has_pane=self._has_pane,
        )
        self._keys.show(line)

    def on_resize(self) -> None:
        """Everything is laid out for a width, so all is made anew."""
        self._render_all()

    # --------------------------------------------------------------------------------------------------------- places

    def go(self, trail: Trail) -> None:
        """Show another place of a trail; this one is kept as it is left."""
        self._ahead.forget()
        before, place = self.trail.here, trail.here
        self.trail = trail
        if not place.is_same_room(before):
            self._middle.forget()
            self.body.set_marks(place.marks)
        self.reload()
        self._render_all(at=(place.cursor, place.region))
        if views.wanted(place, self._mirror) - views.wanted(before, self._mirror):
            self.feed.wake()

    def kept_trail(self) -> Trail:
        """The trail with the cursor and the marks of this place written down."""
        place, spot = self.trail.here, self.body.spot
        region = None if spot is None else spot.region
        return self.trail.left_as(replace(place, cursor=self.body.key, region=region, marks=self.body.marks))

    def jump(self, place: Place) -> None:
        """Go to a view by its name."""
        self.go(self.kept_trail().jump(place, VIEWS[0]))

    def enter(self, place: Place) -> None:
        """Drill into a place; esc comes back."""
        self.go(self.kept_trail().enter(place))

    def change(self, **fields: Any) -> None:
        """Change this place (its filter, its order) without leaving it."""
        self.trail = self.trail.left_as(replace(self.trail.here, **fields))
        self._render_all()

    def columns_of(self, view: str) -> Sequence[Column[Any]]:
        """The columns of a view, whether it is in sight or not; none of one that has no table."""
        if view == self.place.view:
            table = self._view.table
        else:
            # Which columns there are does not depend on what is in them.
            table = views.make(Place(view), Mirror(), self.frame()._replace(filter="", scope=None), {}).table
        return () if table is None else table.columns

    def toggle_pane(self) -> None:
        """Show or hide the pane beside the list."""
        self._has_pane = not self._has_pane
        self._render_all()

    def toggle_freeze(self) -> None:
        """Hold the screen still, or let it go on."""
        if self._held is None:
            self._held, self._frozen_at, self._changes_held = self._mirror, self.wall_now(), 0
        else:
            self._held, self._frozen_at = None, None
        self._render_all()

    def refresh_now(self) -> None:
        """Ask again at once; start a backend that has given up."""
        backend = self._options.backend
        if backend is not None and backend.has_given_up:
            self.run_worker(backend.restart(), group="backend", exclusive=True, exit_on_error=False)
        self.feed.wake()

    def set_palette(self, name: str) -> None:
        """Choose a set of colours."""
        self._options.set_palette(name)

    def act(self, work: Callable[[], Awaitable[None]], *, opens_menu: bool = False) -> None:
        """Run a verb, one at a time. Keys typed until its menu is there are for the menu."""
        self._ahead.begin(opens_menu=opens_menu)
        self.run_worker(self._acted(work), group="act", exclusive=True, exit_on_error=False)

    async def _acted(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._ahead.end()

    def moved(self, move: Callable[[], object]) -> None:
        """Move the cursor or the marks, and draw what depends on them."""
        marks = self.body.marks
        move()
        if self.body.marks is marks:
            self._render_cursor()
        else:
            self._render_all()

    def walk(self, step: int) -> None:
        """Go to the next or previous table."""
        self._middle.walk(step)
        self._render_cursor()

    def reload(self) -> None:
        """Ask about the object of this page."""
        self.details.ask()

    # ----------------------------------------------------------------------------------------------------------- keys

    def on_key(self, event: events.Key) -> None:
        """Run the command of a key. Keys of commands that are typed before there is data wait for it."""
        if self.typed_line.take(event) or self._ahead.take(event, self, self.app.screen):
            return
        if self._letter_taker is not None:
            event.stop()
            self._take_letter(event, self._letter_taker)
            return
        command = self.keymap.for_key(self.place.view, event.key)
        if command is None:
            return
        event.stop()
        event.prevent_default()
        if self._said is not None:
            self._said = None
            self._render_status()
        if command.id.startswith(_ROW_COMMANDS) and self._must_wait():
            self._ahead.wait(event.key)
            return
        self.run_command(command)

    def ask_letter(self, question: str, take: Callable[["MainScreen", str], None]) -> None:
        """Give the next letter or digit to `take`; esc gives it nothing."""
        self._letter_taker = partial(take, self)
        self.say(question, Tone.ACCENT)

    def _take_letter(self, event: events.Key, take: Callable[[str], None]) -> None:
        self._letter_taker, self._said = None, None
        character = event.character or ""
        if character.isascii() and character.isalnum():
            take(character)
        elif event.key != "escape":
            self.say("nothing was kept: a bookmark is a letter or a digit", Tone.WARN)
        self._render_status()

    def show_at(self, key: str) -> None:
        """Put the cursor on the row with this key."""
        self._render_all(at=(key, None))

    def _must_wait(self) -> bool:
        """Whether rows are still to come or to be drawn here, so that a key for a row cannot act yet."""
        is_empty = not self.body.has_rows or self._mirror.cells is None
        is_coming = self._is_loading or self._is_outdated or not views.is_told(self.place, self._mirror)
        return self.place.view in VIEWS and is_empty and is_coming

    def _replay_pending(self) -> None:
        if not self._must_wait():
            self._ahead.replay(self._run_key)

    def _run_key(self, key: str) -> None:
        command = self.keymap.for_key(self.place.view, key)
        if command is not None:
            self.run_command(command)

    def run_command(self, command: Command) -> None:
        """Do what a command of the registry says."""
        doing.do(self, command.id)

    @on(RegionList.Pointed)
    def _follow_mouse(self, message: RegionList.Pointed) -> None:
        """The mouse moved the cursor; a double click opens."""
        self._middle.point_at(message.list)
        self._render_cursor()
        if message.is_double:
            doing.do(self, "open")

    @on(RegionList.HeadPointed)
    def _sort_by_head(self, message: RegionList.HeadPointed) -> None:
        doing.sort_by_head(self, message.words)

    @on(Bar.Pointed, "#keys")
    def _press_hint(self, message: Bar.Pointed) -> None:
        """A click on a hint is its key."""
        first = message.bar.accent_before(message.column).split(" ")[0]
        command = next((c for c in self.keymap.commands_of(self.place.view) if self.keymap.shown(c) == first), None)
        if command is not None and not self.typed_line.is_open:
            self.run_command(command)

    # --------------------------------------------------------------------------------------------------------- prompt

    def begin_prompt(self, kind: str, text: str = "") -> None:
        """Type a command, a filter, a text to find or a time in the status row."""
        self.typed_line.begin(kind, text)

    def show_prompt(self, is_shown: bool) -> None:
        """Put the line in which one types into the status row's place, or take it away."""
        self._prompt_row.display = is_shown
        self._status.display = not is_shown

    @on(Prompt.Typed)
    def _follow_typing(self, message: Prompt.Typed) -> None:
        self.typed_line.follow(message.text, message.kind)
        self.render_keys()
