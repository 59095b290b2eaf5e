"""The one screen: header, crumbs, body, status, keys; the views change inside it.

It holds what the operator chose (the trail of places, freeze, marks) and the mirror of the cloud, and hands both to
presentation, which makes lines. Workers post answers, the handlers here take them into the mirror and repaint at most
ten times a second; ages tick once a second. A key that moves the cursor never makes a view anew.

Reading order: compose, the handlers of the feed, `_render_all`, the keys at the end; doing.py has what each key does.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.worker import Worker

from console import commands
from console.commands import VIEWS, Command
from console.names import ALL_CLOUDS
from console.port import Port
from console.presentation import sentences
from console.presentation.columns import Column
from console.presentation.lines import Frame, Tone, View
from console.presentation.mirror import Mirror
from console.reasons import Selection
from console.screens import doing, objects, views
from console.screens.clouds import Clouds
from console.screens.details import Details
from console.screens.feed import Answered, DrivesBegun, Failed, Feed, Restarted
from console.screens.framing import Framing
from console.screens.freezing import Freezing
from console.screens.letters import Letters
from console.screens.loops import Loops
from console.screens.options import Backend, Options
from console.screens.places import Place, Trail
from console.screens.repainting import Repainting
from console.screens.time_travel import TimeTravel
from console.screens.typed_ahead import ROW_COMMANDS, TypedAhead
from console.screens.typed_line import TypedLine
from console.widgets.middle import Middle
from console.widgets.painting import TONE_CLASSES, Bar
from console.widgets.prompt import Prompt
from console.widgets.table import RegionList

if TYPE_CHECKING:
    from console.screens.acting import Acting
    from console.screens.everywhere import Everywhere

TICK_SECONDS = 1.0
FRAME_LINES = 4


class MainScreen(Screen[None]):
    """The frame and everything in it."""

    COMPONENT_CLASSES = TONE_CLASSES
    AUTO_FOCUS = ""

    def __init__(self, options: Options, clouds: Clouds) -> None:
        super().__init__()
        self._options, self.set_palette, self.rehearse = options, options.set_palette, options.rehearse
        self.clouds = clouds
        self.context = options.context
        self._mirror = Mirror()
        self.freezing = Freezing()
        self.keymap, self.keeper = options.keymap, options.keeper
        self.letters = Letters(self)
        self.trail = Trail.begin(VIEWS[0], options.landing_view)
        self._view = View("", (), "", ())
        self.framing = Framing(self, options)
        self.details = Details(self)
        self.then: TimeTravel = TimeTravel(self, options.recordings)
        self.has_pane = True
        self.sought = ""
        """What n and N look for: the last filter, or what was to be found."""
        self._ahead = TypedAhead()
        self.typed_line = TypedLine(self)
        self._was_loading = True
        self._middle = Middle(options.glyphs, id="middle")
        self.body = self._middle.body
        self.feed = Feed(
            options.client_factory,
            self.post_message,
            wall_now=options.wall_now,
            mirror=lambda: self._mirror,
            wanted=lambda: self.wanted,
            poll_seconds=options.poll_seconds,
        )
        self._repainting = Repainting(self, self._render_all, self.feed.keys)
        self._loops = Loops(self, options.progress)

    @property
    def acting(self) -> "Acting":
        """What carries verbs out. It is loaded with the first of them: nothing of it is painted before."""
        if self.is_across:
            return self.everywhere.acting(confirms_all=self._options.confirms_all)
        from console.screens.acting import Acting

        return Acting(self, self.clouds.grace, confirms_all=self._options.confirms_all)

    @cached_property
    def everywhere(self) -> "Everywhere":
        """The lists of several clouds, loaded with the first of them."""
        from console.screens.everywhere import Everywhere

        return Everywhere(self)

    @property
    def is_in_sight(self) -> bool:
        """Whether the terminal shows this cloud, and not another one."""
        return self in self.app.screen_stack

    @property
    def is_across(self) -> bool:
        """Whether the list in sight is of several clouds."""
        return self.place.scope == ALL_CLOUDS

    @property
    def backend(self) -> Backend | None:
        """The process of this cloud, where it is the console's own."""
        return self._options.backend

    @property
    def name_of_cloud(self) -> str:
        """What the operator calls this cloud; empty where there is one only."""
        return "" if self.context is None else self.context.name

    @property
    def list_name(self) -> str:
        """What the choice of columns is kept for: one of all clouds has columns of its own."""
        return f"{self.place.view}{self.place.scope}" if self.is_across else self.place.view

    @property
    def about(self) -> "MainScreen":
        """The screen of the cloud that the frame tells of: this one, but in a list of several the row's."""
        return self.everywhere.owner() if self.is_across else self

    def come_into_sight(self) -> None:
        """It is shown again: ask anew, and draw what has become of it meanwhile."""
        self.feed.rest(is_resting=False)
        self.reload()
        self._render_all()

    def compose(self) -> ComposeResult:
        """Four rows and the body. The prompt takes the place of the status row while one types."""
        yield self.framing.header
        yield self.framing.crumbs
        yield self._middle
        yield from self.then.bars
        yield self.framing.status
        with Horizontal(id="prompt-row"):
            yield self.typed_line.kind_bar
            yield self.typed_line.prompt
        yield self.framing.keys

    def on_mount(self) -> None:
        """Paint the frame; ask for data only after that."""
        self._prompt_row = self.query_one("#prompt-row")
        self._prompt_row.display = False
        if self.keeper.problem:
            self.framing.say(self.keeper.problem, Tone.WARN)
        self._render_all()
        self.set_interval(TICK_SECONDS, self._tick)
        # Not before the application takes keys: what is typed at the very beginning is typed before there is data.
        self.call_after_refresh(self.app.call_later, self._loops.begin)
        # Out of sight, where a terminal says so, a cloud that must be asked again and again is left alone.
        self.watch(self.app, "app_focus", lambda is_seen: self.feed.attend(is_watched=is_seen), init=False)

    # ---------------------------------------------------------------------------------------------- what workers say

    @on(Answered)
    def _take_answer(self, message: Answered) -> None:
        """Take an answer into the mirror."""
        had_failed = self._mirror.problem is not None
        self._mirror = self._mirror.apply(message.answer, message.at)
        message.taken.set()
        self.framing.progressed("")
        self.freezing.heed(message.answer)
        if had_failed:
            self.framing.unsay(shows=False)
        if not message.is_followed:
            self.render_soon()

    @on(Failed)
    def _take_failure(self, message: Failed) -> None:
        """Keep the rows, and say what is wrong, also where something else was said before."""
        if self._mirror.problem is None:
            self.framing.unsay(shows=False)
        again = message.retry_at
        self._mirror = self._mirror.failed(message.sentence, message.at, retry_at=again, is_refused=again is None)
        self.render_soon()

    @on(Restarted)
    @on(DrivesBegun)
    def _take_beginning(self, message: Restarted | DrivesBegun) -> None:
        """A list is read anew: its rows are replaced as they come, and what the feed says of them counts."""
        is_of_all = isinstance(message, Restarted)
        self._mirror = self._mirror.restarted() if is_of_all else self._mirror.drives_begun()
        message.taken.set()
        self.render_soon()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker has ended, perhaps by a bug."""
        self._loops.heed(event)

    def _tick(self) -> None:
        """Ages grow, which each second's answers have just drawn; what was said of what went well grows old."""
        self.framing.fade(self.wall_now())
        self._repainting.again_after(TICK_SECONDS * 0.95)
        self.then.record()

    @property
    def is_settled(self) -> bool:
        """Whether all that is known is drawn."""
        return self._repainting.is_settled

    def render_soon(self) -> None:
        """Draw what has come, not too often; of a cloud that is out of sight whoever lists it may have to."""
        if self.is_in_sight:
            self._repainting.soon()
        else:
            self.clouds.heed_news()

    # ------------------------------------------------------------------------------------------- what acting asks for

    @property
    def mirror(self) -> Mirror:
        """What is known of the cloud now, also while the screen is frozen; of the past while that is shown."""
        return self.then.mirror or self._mirror

    @property
    def mirror_now(self) -> Mirror:
        """What is known of the cloud now, whatever is shown."""
        return self._mirror

    def now(self) -> datetime:
        """The cloud's instant."""
        return self._mirror.now(self.wall_now())

    @property
    def client(self) -> Port | None:
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
        wall_now, place = self.freezing.at or self.wall_now(), self.trail.here
        frame = Frame(
            width=self.app.size.width,
            height=self.app.size.height,
            now=(self.freezing.mirror or self._mirror).now(wall_now),
            wall_now=wall_now,
            glyphs=self._options.glyphs,
            filter=place.filter,
            sort=place.sort,
            is_descending=place.is_descending,
            scope=place.scope,
            marks=self.body.marks,
            has_pane=self.has_pane,
            past_at=place.past_at,
            is_read_only=self._options.is_read_only,
            cloud=self.name_of_cloud,
            columns=self.keeper.kept.columns.get(self.list_name, ()),
        )
        return self.then.framed(frame)

    @property
    def export_folder(self) -> Path:
        """Where exports are written."""
        return self._options.export_folder or Path.cwd()

    @property
    def subject(self) -> str | None:
        """The key of what is looked at: of a page its object, of a list the row under the cursor."""
        if self.is_across:
            return self.everywhere.subject
        return self.place.scope if self.place.view in commands.PAGES else self.cursor_key

    @property
    def held(self) -> "views.Held | None":
        """What the cloud said of the object of this page."""
        return self.details.held.get(self.place.scope or "")

    def selection(self) -> Selection:
        """What a command would act on: the marked rows, else what is looked at."""
        if self.is_across:
            return self.everywhere.selection()
        marks = objects.shown_marks(self.view, self.place.filter, self.active.marks)
        keys = objects.in_order(self.view, marks) or [key for key in (self.subject,) if key is not None]
        return self.selection_of(keys, len(self.active.marks) - len(marks))

    def selection_of(self, keys: Sequence[str], hidden: int) -> Selection:
        """These objects of this cloud, as a command would act on them."""
        found = (objects.item_of(self.mirror, key) for key in keys)
        clock = self._mirror.clock
        return Selection(
            view=self.place.view,
            items=tuple(item for item in found if item is not None),
            is_read_only=self._options.is_read_only,
            is_stale=self._mirror.is_offline,
            is_simulated=clock is not None or not self._mirror.answered_at,
            clock_mode=None if clock is None else clock.mode,
            is_past=self.then.is_on,
            hidden=hidden,
            offer=self._mirror.offer,
        )

    def say(self, sentence: str, tone: Tone = Tone.TEXT, *, is_verbatim: bool = False) -> None:
        """Put a sentence into the status row until the next key; good news goes by itself before.

        Ids in it are told as names, unless it quotes what is somewhere else now.
        """
        words = sentence if is_verbatim else sentences.named(self._mirror, sentence)
        if not self.is_in_sight:
            self.clouds.say_of(self, words, tone)
            return
        self.framing.say(words, tone)

    def unsay(self) -> None:
        """Take back what was said."""
        self.framing.unsay()

    def copy(self, text: str) -> None:
        """Put a text onto the terminal's clipboard (OSC 52), unless terminals would cut it."""
        doing.copy(self, text)

    async def ask_dialog(self, dialog: Screen[Any]) -> Any:
        """Show a dialog over the muted list and wait for its answer. Only from a worker.

        One about a cloud that is out of sight waits until it is shown again: nobody agrees to what it is not seen for.
        """
        await self.clouds.until_in_sight(self)
        self.add_class("-behind")
        self._ahead.give_to(dialog)
        try:
            return await self.app.push_screen_wait(dialog)
        finally:
            self.remove_class("-behind")

    # ------------------------------------------------------------------------------------------------------- drawing

    @property
    def shown_mirror(self) -> Mirror:
        """What is drawn: of now, of when the screen was frozen, or of the past."""
        return self.then.mirror or self.freezing.mirror or self._mirror

    @property
    def active(self) -> RegionList:
        """The list that the keys move."""
        return self._middle.active

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self.active.key

    @property
    def is_frozen(self) -> bool:
        """Whether what is shown is held still."""
        return self.freezing.mirror is not None

    @property
    def _is_loading(self) -> bool:
        """Whether rows of the view in sight are still to come."""
        return not self.mirror.is_complete or ("drives" in self.wanted and not self.mirror.are_drives_complete)

    @property
    def wanted(self) -> frozenset[str]:
        """The sources that are to be read for what is in sight."""
        here = replace(self.trail.here, cursor=self.cursor_key)
        return self.clouds.sources_listed | (views.wanted(here, self.mirror) if self.is_in_sight else frozenset())

    @property
    def _room(self) -> int:
        return max(1, self.app.size.height - FRAME_LINES - self.then.height)

    def _render_all(self, *, at: tuple[str | None, int | None] = (None, None)) -> None:
        """Make the view for what is known now, and draw everything; nothing of a cloud that is out of sight."""
        if not self.is_mounted or self.app.size.width == 0 or not self.is_in_sight:
            return
        self._repainting.drawn()
        frame = self.frame()
        self._view = self._made(frame)
        # What was drawn before belongs to loading when it was not over then, though it may be over by now.
        self._middle.show(self._view, self._room, at=at, is_loading=self._was_loading)
        self._was_loading = self._is_loading
        self.framing.show_all(frame)
        self._replay_pending()

    def _made(self, frame: Frame) -> View:
        if self.is_across:
            return self.everywhere.view(frame)
        return views.make(self.trail.here, self.shown_mirror, frame, self.details.held, self.keymap.registry)

    def _render_cursor(self) -> None:
        """Draw what depends on the row under the cursor: status, preview, keys; of several clouds, whose it is."""
        self._middle.show_beside(self._view, self._room)
        if self.is_across:
            self.framing.show_header(self.frame())
        self.framing.show_status()
        self.framing.show_keys()

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
        self.clouds.heed_place()
        self._render_all(at=(place.cursor, place.region))
        self.then.arrived()
        if views.wanted(place, self._mirror) - views.wanted(before, self._mirror):
            self.feed.wake()

    def show_moment(self, trail: Trail) -> None:
        """Show a place at another moment, or at now."""
        self.set_class(self.then.moment is not None, "-past")
        self.go(trail)

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
        table = self._view.table if view == self.place.view else views.table_of(view, self.frame())
        return () if table is None else table.columns

    def toggle_pane(self) -> None:
        """Show or hide the pane beside the list."""
        self.has_pane = not self.has_pane
        self._render_all()

    def toggle_freeze(self) -> None:
        """Hold the screen still, or let it go on."""
        self.freezing.toggle(self._mirror, self.wall_now())
        self._render_all()

    def refresh_now(self) -> None:
        """Ask again at once; start a backend that has given up."""
        backend = self.backend
        if backend is not None and backend.has_given_up:
            self.run_worker(backend.restart(), group="backend", exclusive=True, exit_on_error=False)
        self.clouds.hurry(self)

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
        self.clouds.attend(self)
        if self.typed_line.take(event) or self._ahead.take(event, self, self.app.screen) or self.letters.take(event):
            return
        command = self._command_of(event.key)
        if command is None:
            return
        event.stop()
        event.prevent_default()
        self.unsay()
        if command.id.startswith(ROW_COMMANDS) and self._must_wait():
            self._ahead.wait(event.key)
            return
        self.run_command(command)

    def show_at(self, key: str) -> None:
        """Put the cursor on the row with this key."""
        self._render_all(at=(key, None))

    def _must_wait(self) -> bool:
        """Whether rows are still to come or to be drawn here, so that a key for a row cannot act yet."""
        is_empty = not self.body.has_rows or (self.mirror.cells is None and not self.is_across)
        is_coming = self._is_loading or self._repainting.is_outdated or not views.is_told(self.place, self.mirror)
        return self.place.view in VIEWS and is_empty and is_coming

    def _replay_pending(self) -> None:
        if not self._must_wait():
            self._ahead.replay(self._run_key)

    def _run_key(self, key: str) -> None:
        command = self._command_of(key)
        if command is not None:
            self.run_command(command)

    def _command_of(self, key: str) -> Command | None:
        found = (self.keymap.for_key(place, key) for place in self.then.key_places(key))
        return next((command for command in found if command is not None), None)

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
        known = (each for place in self.then.key_places("") for each in self.keymap.commands_of(place))
        command = next((each for each in known if self.keymap.shown(each) == first), None)
        if command is not None and not self.typed_line.is_open:
            self.run_command(command)

    # --------------------------------------------------------------------------------------------------------- prompt

    def begin_prompt(self, kind: str, text: str = "") -> None:
        """Type a command, a filter, a text to find or a time in the status row."""
        self.typed_line.begin(kind, text)

    def show_prompt(self, is_shown: bool) -> None:
        """Put the line in which one types into the status row's place, or take it away."""
        self._prompt_row.display = is_shown
        self.framing.status.display = not is_shown

    @on(Prompt.Typed)
    def _follow_typing(self, message: Prompt.Typed) -> None:
        self.typed_line.follow(message.text, message.kind)
        self.framing.show_keys()
