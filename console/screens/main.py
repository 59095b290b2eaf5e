"""The one screen: header, crumbs, body, status, keys; the views change inside it.

It holds what the operator chose (the trail of places, freeze, marks) and the mirror of the cloud, and hands both to
presentation, which makes lines. Workers post answers, the handlers here take them into the mirror and repaint at most
ten times a second; ages tick once a second. A key that moves the cursor never makes a view anew.

Reading order: compose, the handlers of the feed, `_render_all`, the keys at the end; doing.py has what each key does.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from console import command_line, commands
from console.client import ClientError, CloudClient
from console.commands import VIEWS, Command, Selection
from console.presentation import header, sentences
from console.presentation.lines import Frame, Span, Tone, View
from console.presentation.mirror import Mirror
from console.records import Changes
from console.screens import doing, objects, travelling, views
from console.screens.feed import Answered, DrivesBegun, Failed, Feed, Restarted
from console.screens.options import MENU_CLASS, Options
from console.screens.places import Place, Trail
from console.widgets.middle import Middle
from console.widgets.painting import Bar
from console.widgets.prompt import Entered, Left, Prompt, takes
from console.widgets.table import RegionList

if TYPE_CHECKING:
    from console.screens.acting import Acting

REPAINT_SECONDS = 0.1
TICK_SECONDS = 1.0
SAID_SECONDS = 10
PENDING_KEYS_MAX = 64
FRAME_LINES = 4

_ROW_COMMANDS = ("move.", "mark", "open", "describe", "raw", "actions", "copy", "events", "target", "time.", "why")


class MainScreen(Screen[None]):
    """The frame and everything in it."""

    AUTO_FOCUS = ""

    def __init__(self, options: Options) -> None:
        super().__init__(id="main")
        self._options = options
        self._mirror = Mirror()
        self._held: Mirror | None = None
        self._frozen_at: datetime | None = None
        self._changes_held = 0
        self.trail = Trail.begin(VIEWS[0], options.landing_view)
        self._view = View("", (), "", ())
        self._said: tuple[str, Tone] | None = None
        self._said_at, self._progress = options.wall_now(), ""
        self._details: dict[str, views.Held] = {}
        self._has_pane = True
        self._filter_before, self._prompt_problem = "", ""
        self._pending: list[str] = []
        self._repaint: Timer | None = None
        self._is_outdated, self._was_loading, self._is_opening = False, True, False
        self._typed_ahead: list[events.Key] = []
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

        return Acting(self, confirms_all=self._options.confirms_all)

    def compose(self) -> ComposeResult:
        """Four rows and the body. The prompt takes the place of the status row while one types."""
        yield Bar(id="header")
        yield Bar(id="crumbs")
        yield self._middle
        yield Bar(id="status")
        with Horizontal(id="prompt-row"):
            yield Bar(id="prompt-kind")
            yield Prompt(self._complete, id="prompt")
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Paint the frame; ask for data only after that."""
        self._header, self._crumbs, self._status, self._keys = (
            self.query_one(f"#{name}", Bar) for name in ("header", "crumbs", "status", "keys")
        )
        self._prompt_row, self._prompt = self.query_one("#prompt-row"), self.query_one(Prompt)
        self._prompt_row.display = False
        self._render_all()
        self.set_interval(TICK_SECONDS, self._tick)
        self.call_after_refresh(self._start_workers)

    def _start_workers(self) -> None:
        self.run_worker(self.feed.beat(), group="status", exit_on_error=False)
        self.run_worker(self.feed.follow(), group="feed", exit_on_error=False)
        self.run_worker(self.feed.read_drives(), group="drives", exit_on_error=False)
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
        message.taken.set()
        self._progress = ""
        if self._held is not None and isinstance(message.answer, Changes):
            answer = message.answer
            self._changes_held += len(answer.servers) + len(answer.drives) + len(answer.removed)
        if had_failed:
            self._said = None
        self._render_soon()

    @on(Failed)
    def _take_failure(self, message: Failed) -> None:
        """Keep the rows, and say what is wrong, also where something else was said before."""
        if self._mirror.problem is None:
            self._said = None
        self._mirror = self._mirror.failed(message.sentence, message.at, retry_at=message.retry_at)
        self._render_soon()

    @on(Restarted)
    def _take_restart(self, message: Restarted) -> None:
        """The list is read anew; its rows are replaced as they come."""
        self._mirror = self._mirror.restarted()
        message.taken.set()
        self._render_soon()

    @on(DrivesBegun)
    def _take_drives_begun(self, message: DrivesBegun) -> None:
        """The drives are about to be read; what the feed says of them counts from now on."""
        self._mirror = self._mirror.drives_begun()
        message.taken.set()
        self._render_soon()

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

    def _render_soon(self) -> None:
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
            self._render_soon()

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
        )

    @property
    def subject(self) -> str | None:
        """The key of what is looked at: of a page its object, of a list the row under the cursor."""
        return self.place.scope if self.place.view in commands.PAGES else self.cursor_key

    @property
    def held(self) -> views.Held | None:
        """What the cloud said of the object of this page."""
        return self._details.get(self.place.scope or "")

    def selection(self) -> Selection:
        """What a command would act on: the marked rows, else what is looked at."""
        keys = sorted(self.active.marks) or [key for key in (self.subject,) if key is not None]
        found = (objects.item_of(self._mirror, key) for key in keys)
        clock = self._mirror.clock
        return Selection(
            view=self.place.view,
            items=tuple(item for item in found if item is not None),
            is_read_only=self._options.is_read_only,
            is_stale=self._mirror.is_offline,
            is_simulated=clock is not None or not self._mirror.answered_at,
            clock_mode=None if clock is None else clock.mode,
        )

    def say(self, sentence: str, tone: Tone = Tone.TEXT) -> None:
        """Put a sentence into the status row until the next key; good news goes by itself before."""
        self._said, self._said_at = (sentences.named(self._mirror, sentence), tone), self.wall_now()
        self._render_status()

    def copy(self, text: str) -> None:
        """Put a text onto the terminal's clipboard (OSC 52), unless terminals would cut it."""
        doing.copy(self, text)

    async def ask_dialog(self, dialog: Screen[Any]) -> Any:
        """Show a dialog over the muted list and wait for its answer. Only from a worker."""
        self.add_class("-behind")
        self._is_opening, ahead = False, tuple(self._typed_ahead)
        self._typed_ahead.clear()
        if dialog.has_class(MENU_CLASS):
            for key in ahead:
                dialog.post_message(key)
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
        self._view = views.make(self.trail.here, self._shown_mirror, frame, self._details)
        # What was drawn before belongs to loading when it was not over then, though it may be over by now.
        self._middle.show(self._view, self._room, at=at, is_loading=self._was_loading)
        self._was_loading = self._is_loading
        self._crumbs.show(header.crumbs(self._view, frame))
        self._header.show(header.header(self._shown_mirror, frame._replace(wall_now=self.wall_now())))
        self._render_status()
        self._render_keys()
        self._replay_pending()

    def _render_cursor(self) -> None:
        """Draw what depends on the row under the cursor: status, preview, keys."""
        self._middle.show_beside(self._view, self._room)
        self._render_status()
        self._render_keys()

    def _render_status(self) -> None:
        if not self.is_mounted:
            return
        frame = self.frame()
        backend = self._options.backend
        if self._said is not None:
            line = header.message(*self._said, frame)
        elif backend is not None and backend.has_given_up:
            line = header.message(
                f"{backend.sentence or 'the backend keeps ending'}   r starts it again", Tone.CRIT, frame
            )
        elif self._frozen_at is not None:
            held = f"{self._changes_held:,} change" + ("" if self._changes_held == 1 else "s")
            line = header.message(f"frozen at {self._frozen_at:%H:%M:%S}, {held} held   f resumes", Tone.ACCENT, frame)
        elif (
            sentence := sentences.waiting(self._mirror, self._progress, backend.sentence if backend else None, frame)
        ) is not None:
            line = header.message(*sentence, frame)
        else:
            line = header.status(self._view.status(self.cursor_key), frame)
        self._status.show(line)

    def _render_keys(self) -> None:
        if self._prompt_problem:
            # The line itself lies where sentences are said.
            self._keys.show(header.message(self._prompt_problem, Tone.WARN, self.frame()))
            return
        first: list[tuple[str, str]] = []
        if self._mirror.problem is not None or (
            self._options.backend is not None and self._options.backend.has_given_up
        ):
            first.append(("r", "try now"))
        if self._frozen_at is not None:
            first.append(("f", "resume"))
        if self.body.is_ranging:
            first.append(("v", "end range"))
        has_preview = self._view.has_preview or not self._has_pane
        hints = commands.hints(self.place.view, first, has_preview=has_preview)
        self._keys.show(header.keys(hints, self.frame()))

    def on_resize(self) -> None:
        """Everything is laid out for a width, so all is made anew."""
        self._render_all()

    # --------------------------------------------------------------------------------------------------------- places

    def go(self, trail: Trail) -> None:
        """Show another place of a trail; this one is kept as it is left."""
        self._pending.clear()
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
        self._is_opening = opens_menu
        self.run_worker(self._acted(work), group="act", exclusive=True, exit_on_error=False)

    async def _acted(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._is_opening = False
            self._typed_ahead.clear()

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
        key, client = self.place.scope, self.client
        if key is not None and client and (ask := views.asking(client, self._mirror, self.place)) is not None:
            self.run_worker(self._fetch_detail(ask, key), group="detail", exclusive=True, exit_on_error=False)

    async def _fetch_detail(self, ask: Callable[[], Awaitable[views.Held]], key: str) -> None:
        try:
            self._details = {key: await ask()}
        except ClientError as error:
            item = objects.item_of(self._mirror, key)
            self.say(f"{key if item is None else item.name}: {error.sentence}", Tone.WARN)
        else:
            self._render_soon()

    # ----------------------------------------------------------------------------------------------------------- keys

    def on_key(self, event: events.Key) -> None:
        """Run the command of a key. Keys of commands that are typed before there is data wait for it."""
        if self._is_for_another(event):
            return
        command = commands.for_key(self.place.view, event.key)
        if command is None:
            return
        event.stop()
        event.prevent_default()
        if self._said is not None:
            self._said = None
            self._render_status()
        if command.id.startswith(_ROW_COMMANDS) and self._must_wait():
            if len(self._pending) < PENDING_KEYS_MAX:
                self._pending.append(event.key)
            return
        self.run_command(command)

    def _is_for_another(self, event: events.Key) -> bool:
        """Give a key to the prompt, or to the menu that it was typed for before that was there.

        The application chooses who gets a key before the keys ahead of it have been worked off. A confirmation is
        never given such a key: what is typed blindly must not press a button.
        """
        if self._prompt_row.display:
            if takes(event):
                event.stop()
                self._type(event)
            return True
        key = events.Key(event.key, event.character)
        if self._is_opening:
            event.stop()
            self._typed_ahead.append(key)
            return True
        if self.app.screen is not self:
            event.stop()
            if self.app.screen.has_class(MENU_CLASS):
                self.app.screen.post_message(key)
            return True
        return False

    def _must_wait(self) -> bool:
        """Whether rows are still to come or to be drawn here, so that a key for a row cannot act yet."""
        is_empty = not self.body.has_rows or self._mirror.cells is None
        return self.place.view in VIEWS and is_empty and (self._is_loading or self._is_outdated)

    def _replay_pending(self) -> None:
        if self._pending and not self._must_wait():
            keys, self._pending = self._pending, []
            for key in keys:
                command = commands.for_key(self.place.view, key)
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

    # --------------------------------------------------------------------------------------------------------- prompt

    def begin_prompt(self, kind: str, text: str = "") -> None:
        """Type a command or a filter in the status row."""
        self._filter_before = self.place.filter
        self._status.display = False
        self._prompt_row.display = True
        self.query_one("#prompt-kind", Bar).show((Span(f" {kind}", Tone.ACCENT),))
        self._prompt.begin(kind, text)

    def _end_prompt(self) -> None:
        self._prompt_row.display = False
        self._status.display = True
        self.set_focus(None)

    def _complete(self, text: str) -> str | None:
        return command_line.complete_line(text, objects.names(self._mirror))

    @on(Prompt.Typed)
    def _filter_live(self, message: Prompt.Typed) -> None:
        """A filter acts while one types."""
        if message.kind == "/" and self._prompt_row.display:
            self.change(filter=message.text)

    def _type(self, key: events.Key) -> None:
        """A key of the prompt. Enter keeps the filter, or obeys the line; esc is as if nothing had been typed."""
        self._prompt_problem = ""
        match self._prompt.take(key):
            case Entered("@", text) if problem := travelling.problem_of(self, text):
                self._prompt_problem = problem
            case Entered(kind, text):
                self._end_prompt()
                if kind == "/":
                    self.change(filter=text)
                elif text.strip():
                    doing.obey(self, text, kind)
            case Left(kind):
                self._end_prompt()
                if kind == "/":
                    self.change(filter=self._filter_before)
        self._render_keys()
