"""The whole console at a moment of the past: what the keys of the bar do.

Behind the bar nothing stops: the mirror of now goes on being told what happens, and is there again with one key. A step
is asked for behind the screen, and the newest wish takes the place of those before it; until its answer is there the
moment before it is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from textual.worker import Worker

from console import commands
from console.port import ClientError, Port
from console.presentation import figures, moments, past
from console.presentation.lines import Frame, Line, Tone
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment
from console.screens import objects
from console.screens.feed import Answered
from console.screens.places import Trail
from console.widgets.painting import Bar

if TYPE_CHECKING:
    # Loaded when the bar is opened, or something is recorded: the first paint needs none of it.
    from console.recording import Recording
    from console.screens.main import MainScreen
    from console.screens.past_feed import PastFeed, Shown
    from console.screens.recorded_feed import RecordedFeed, Recorder

WORKER_GROUP = "then"
LATE_SECONDS = 0.4
UNCHANGEABLE = "the past cannot be changed"
OFF_IN_THE_PAST = frozenset({"create", "delete", "what_if", "undo", "freeze", "refresh"})
"""Commands that are about now whatever is looked at; verbs are off by themselves."""

_OF_VIEWS = {"why": ("left_parenthesis", "right_parenthesis"), "help": ("escape",)}
"""Keys that do what they do at the present: from one decision to another, and out of the help."""

Find = Callable[[], Awaitable[Moment | None]]


class TimeTravel:
    """Which moment is shown, if not now."""

    def __init__(self, screen: MainScreen, recordings: Callable[[str], Recording] | None) -> None:
        """`recordings` opens that of the cloud with an id; None where nothing is to be recorded."""
        self._screen, self._recordings = screen, recordings
        self._recorder: Recorder | None = None
        self._shown: Shown | None = None
        self._target: Moment | None = None
        """Where the last key leads to, whether it is shown yet or not."""
        self._left: Trail | None = None
        self._feed: PastFeed | RecordedFeed | None = None
        self.bars = (Bar(id="time-density"), Bar(id="time-line"))

    # What is shown

    @property
    def moment(self) -> Moment | None:
        """The moment that is shown; None at the present."""
        return None if self._shown is None else self._shown.moment

    @property
    def mirror(self) -> Mirror | None:
        """What is known of the moment; for the log of an object also what was read of that."""
        shown = self._shown
        if shown is None or self._screen.place.view != "events":
            return None if shown is None else shown.mirror
        return moments.with_stretches(shown.mirror, self._screen.mirror_now.pasts)

    @property
    def client(self) -> Port | None:
        """Who answers for the moment; nobody for one that was recorded."""
        client = self._screen.client
        if client is None or self._shown is None or self._is_recorded:
            return None
        return client.then(self._shown.moment.text)

    @property
    def is_on(self) -> bool:
        """Whether the bar has been asked for, whatever has been answered so far: keys are its own from then on."""
        return self._target is not None

    def key_places(self, key: str) -> tuple[str, ...]:
        """Where a key is looked for: those of the bar come before those of the view."""
        view = self._screen.place.view
        is_of_view = key in _OF_VIEWS.get(view, ())
        return (view,) if not self.is_on or is_of_view else (commands.PAST, view)

    @property
    def height(self) -> int:
        """Of the bar."""
        size = self._screen.app.size
        return moments.bar_height(Frame(width=size.width, height=size.height)) if self._shown is not None else 0

    def framed(self, frame: Frame) -> Frame:
        """The frame of the moment. The log is read from now on: it says how long ago things were."""
        if self._shown is None:
            return frame
        at = self._shown.moment.at
        frame = frame._replace(past_at=at, height=max(1, frame.height - self.height))
        if self._screen.place.view == "events":
            # Of how much happened when the bar tells.
            return frame._replace(has_pane=False)
        return frame._replace(now=at, wall_now=at)

    def seen_from_now(self, frame: Frame) -> Frame:
        """For the header, which says how long ago the moment was; the bar is drawn with it."""
        frame = frame._replace(wall_now=self._screen.wall_now())
        if self._shown is None or self._feed is None:
            self._draw(())
            return frame
        size = self._screen.app.size
        frame = frame._replace(now=self._screen.now(), width=size.width, height=size.height)
        self._draw(moments.bar(self._shown.moment, self._feed.stretch, frame.now, frame))
        return frame

    def _draw(self, lines: tuple[Line, ...]) -> None:
        for bar, line in zip(self.bars, (*((),) * (len(self.bars) - len(lines)), *lines), strict=True):
            bar.display = bool(line)
            bar.show(line)

    # Recording

    @property
    def _is_recorded(self) -> bool:
        """Whether the cloud keeps no log, so that only what was written down here is known of its past."""
        client = self._screen.client
        return client is not None and not client.keeps_log

    @property
    def _recording(self) -> Recording | None:
        if self._recorder is None and self._recordings is not None and self._screen.mirror_now.cloud:
            from console.screens.recorded_feed import Recorder

            self._recorder = Recorder(self._recordings(self._screen.mirror_now.cloud))
        return None if self._recorder is None else self._recorder.recording

    def record(self) -> None:
        """Write down what has changed since the last time, where that is wanted and nobody else does."""
        screen = self._screen
        if screen.client is None or not self._is_recorded or self._recording is None:
            return
        recorder = self._recorder
        assert recorder is not None, "it was made with the recording"
        mirror, at = screen.mirror_now, screen.now()

        async def write() -> None:
            before = recorder.problem
            await recorder.write(mirror, at)
            if recorder.problem and recorder.problem != before:
                screen.say(f"nothing is recorded: {recorder.problem}", Tone.WARN)

        _: Worker[None] = screen.run_worker(write, group="record", exit_on_error=False)

    # There and back

    def begin(self) -> None:
        """Open the bar at the newest event, or at the time that the events are looked at; in the past, end here."""
        screen = self._screen
        if self.is_on:
            self._end(screen.kept_trail())
            return
        if screen.client is None or not screen.mirror_now.answered_at:
            screen.say("there is no connection yet", Tone.WARN)
            return
        events, at = screen.mirror_now.events, screen.place.past_at
        moment = Moment(events[-1].at, events[-1]) if events and at is None else Moment(at or screen.now())
        if not self._is_recorded:
            from console.screens.past_feed import PastFeed

            self._feed = PastFeed(screen.client, lambda: screen.mirror_now)
            self._left = screen.kept_trail()
            self._go(moment)
        elif self._recording is None:
            screen.say("this cloud keeps no log; with record = true in the settings this console keeps one", Tone.WARN)
        else:
            from console.screens.recorded_feed import RecordedFeed

            feed = self._feed = RecordedFeed(self._recording, lambda: screen.mirror_now)
            self._left, self._target = screen.kept_trail(), moment
            self._look_for(feed.newest, "nothing is recorded yet")

    def end(self) -> None:
        """From a page that was opened in the past to the list behind it; else back to now, and to where one was."""
        trail, left = self._screen.kept_trail(), self._left
        if left is not None and trail.here.view in commands.PAGES and len(trail.stack) > len(left.stack):
            self._screen.go(trail.back())
            return
        self._end(self._left or self._screen.kept_trail())

    def _end(self, trail: Trail) -> None:
        self._screen.workers.cancel_group(self._screen, WORKER_GROUP)
        self._shown = self._target = self._left = self._feed = None
        self._screen.show_moment(trail)

    # Steps

    def step(self, direction: int) -> None:
        """To the event before or after this one."""
        feed, start = self._feed, self._target
        if feed is None or start is None:
            return
        # What was recorded is told of by the instant, of however many servers.
        moment = None if self._is_recorded else moments.beside(feed.stretch.events, start.position, direction)
        if moment is not None:
            self._go(moment)
        else:
            self._look_for(lambda: feed.step(start, direction))

    def jump(self, by: timedelta) -> None:
        """So much later, or earlier; past now is now."""
        if self._target is None:
            return
        moment = moments.later(self._target, by, self._screen.now())
        if moment is None:
            self.end()
        else:
            self._go(moment)

    def to_alarm(self, direction: int) -> None:
        """To the alarm before or after this, through as many pages of the log as that needs."""
        feed, start = self._feed, self._target
        if feed is None or start is None:
            return
        moment = moments.alarm_beside(feed.stretch.events, start, direction)
        if moment is not None:
            self._go(moment)
        else:
            which = "before" if direction < 0 else "after"
            self._look_for(lambda: feed.search(start, direction), f"there is no alarm {which} this")

    def to_event_of_this(self, direction: int) -> None:
        """To the event before or after this moment of what is under the cursor."""
        screen, target, feed = self._screen, self._target, self._feed
        key = screen.subject
        about = None if key is None or key == past.HERE else objects.events_about(screen.mirror, key)
        if target is None or feed is None:
            return
        if about is None:
            screen.say("nothing with a log of its own is under the cursor", Tone.MUTED)
            return
        self._look_for(lambda: feed.beside(target, direction, about))

    def go_to(self, text: str) -> None:
        """To a time as it was typed, which has no problem."""
        at = past.parse_time(text, self._screen.now())
        assert not isinstance(at, str), "the line stays open while what is typed is no time"
        if at is None:
            self.end()
        else:
            self._go(Moment(at))

    def arrived(self) -> None:
        """Another place is in sight: ask for what it needs of the moment. The log is looked at from there."""
        shown, screen = self._shown, self._screen
        if shown is not None and screen.place.view == "events" and screen.place.cursor is None:
            screen.go(screen.trail.left_as(replace(screen.place, cursor=past.HERE)))
            return
        if shown is not None and self._screen.wanted - shown.told:
            self._run(self._add)
        elif shown is not None and self._screen.place.view == "events":
            self._run(self._read_log_of_object)

    # Behind the screen

    def _look_for(self, find: Find, otherwise: str = "nothing is recorded beyond this") -> None:
        async def work() -> None:
            moment = await find()
            if moment is None:
                self._target = self.moment
                way_back = "" if self._target is None else "; esc goes back to now"
                self._screen.say(f"{otherwise}{way_back}", Tone.MUTED)
            else:
                self._target = moment
                await self._look(moment)

        self._run(work)

    def _go(self, moment: Moment) -> None:
        self._target = moment
        self._run(lambda: self._look(moment))

    def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await work()
            except ClientError as error:
                # Where not even the first look succeeded the bar closes again.
                self._target = self.moment
                self._screen.say(f"the past cannot be shown: {error.sentence}", Tone.WARN)

        _: Worker[None] = self._screen.run_worker(guarded, group=WORKER_GROUP, exclusive=True, exit_on_error=False)

    async def _look(self, moment: Moment) -> None:
        feed = self._feed
        assert feed is not None, "whoever looks has begun"
        # A step is there before anything could be read of it; what takes longer is said.
        late = self._screen.set_timer(LATE_SECONDS, lambda: self._screen.say(_on_the_way(moment), Tone.MUTED))
        try:
            self._shown = await feed.look(moment, self._shown, self._screen.wanted)
        finally:
            late.stop()
        self._screen.unsay()
        if self._shown.moment.at > moment.at:
            self._target = self._shown.moment
            begins = figures.instant(self._target.at, self._screen.now())
            self._screen.say(f"the log begins here: what happened before {begins} is not kept", Tone.MUTED)
        trail = self._screen.kept_trail()
        if trail.here.view == "events":
            trail = trail.left_as(replace(trail.here, cursor=past.HERE, region=None))
        self._screen.show_moment(trail)
        await self._read_log_of_object()

    async def _add(self) -> None:
        feed, shown = self._feed, self._shown
        if feed is None or shown is None:
            return
        self._shown = await feed.add(shown, self._screen.wanted)
        self._screen.render_soon()

    async def _read_log_of_object(self) -> None:
        """What happened to the object whose log is in sight, around the moment."""
        screen, feed, moment = self._screen, self._feed, self.moment
        if feed is None or moment is None or screen.place.view != "events" or screen.place.scope is None:
            return
        object_id = past.object_of(screen.mirror, screen.place.scope)
        if object_id is not None:
            screen.post_message(Answered(await feed.around(moment.at, object_id), screen.wall_now()))


def _on_the_way(moment: Moment) -> str:
    return f"on the way to {moment.at:%H:%M:%S}, event by event"


def off_in_the_past(command_id: str) -> str | None:
    """Why a command is off while the past is shown; None for one that is not."""
    return UNCHANGEABLE if command_id in OFF_IN_THE_PAST else None
