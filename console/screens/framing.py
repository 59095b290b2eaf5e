"""The four rows around the body: header, crumbs, status and keys, and what is said in them.

They tell of the screen's own cloud; in a list of several, of the one whose row the cursor is on, colour and all: what a
verb would act on is what the frame shows.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.names import COLOURS
from console.presentation import header
from console.presentation.lines import Frame, Tone
from console.screens import foot
from console.screens.options import Options
from console.widgets.painting import Bar

if TYPE_CHECKING:
    from console.screens.main import MainScreen

SAID_SECONDS = 10


class Framing:
    """The rows of one screen."""

    def __init__(self, screen: MainScreen, options: Options) -> None:
        self._screen = screen
        self._options = options
        self._said: tuple[str, Tone] | None = None
        self._said_at = options.wall_now()
        self._progress = ""
        self._worn = False, ""
        """Whether a mistake hurts, and the colour."""
        self.header, self.crumbs, self.status, self.keys = (
            Bar(id=name) for name in ("header", "crumbs", "status", "keys")
        )

    # What is said

    def say(self, words: str, tone: Tone) -> None:
        """Show a sentence instead of what the status row says by itself."""
        self._said, self._said_at = (words, tone), self._options.wall_now()
        self.show_status()

    def unsay(self, *, shows: bool = True) -> None:
        """Take it back; the row is drawn anew at once, or with everything else."""
        if self._said is not None:
            self._said = None
            if shows:
                self.show_status()

    def fade(self, now: datetime) -> None:
        """What was said of an action that went well grows old."""
        is_old = (now - self._said_at).total_seconds() > SAID_SECONDS
        if is_old and self._said is not None and self._said[1] is not Tone.CRIT:
            self._said = None

    def show_progress(self, sentence: str) -> None:
        """Say how far a backend is that is being made; nothing where it is there."""
        self.progressed(sentence)
        self.show_status()

    def progressed(self, sentence: str) -> None:
        """As `show_progress`; the row is drawn with everything else."""
        self._progress = sentence

    # Drawing

    def show_all(self, frame: Frame) -> None:
        """Draw all four for a view that was just made."""
        self.crumbs.show(header.crumbs(self._screen.view, frame))
        self.show_header(frame)
        self.show_status()
        self.show_keys()

    def show_header(self, frame: Frame) -> None:
        """Draw the header of the cloud that the frame tells of, in its colours."""
        about = self._screen.about
        self.wear_colours()
        own = frame._replace(cloud=about.name_of_cloud, is_read_only=about.frame().is_read_only)
        if not about.then.is_on:
            own = own._replace(now=about.shown_mirror.now(frame.wall_now), wall_now=self._screen.wall_now())
        self.header.show(header.header(about.shown_mirror, about.then.seen_from_now(own)))

    def wear_colours(self) -> None:
        """Tint the frame as its cloud is: red, whatever else it is, where a mistake hurts."""
        about = self._screen.about
        is_production = about.mirror.is_production
        own = "" if about.context is None or is_production else about.context.colour
        if self._worn == (is_production, own):
            return
        self._worn = is_production, own
        self._screen.set_class(is_production, "-production")
        for colour in COLOURS:
            self._screen.set_class(colour == own, f"-colour-{colour}")

    def _situation(self) -> foot.Situation:
        screen = self._screen
        return foot.Situation(
            screen.about.mirror,
            screen.view,
            screen.cursor_key,
            self._said,
            screen.about.backend,
            self._progress,
            screen.freezing.at,
            screen.freezing.changes,
            screen.then.moment is not None,
            screen.subject,
        )

    def show_status(self) -> None:
        """Draw what is to be said now."""
        if self._screen.is_mounted:
            self.status.show(foot.status(self._situation(), self._screen.frame()))

    def show_keys(self) -> None:
        """Draw the keys, or what is wrong with what is typed: the line itself lies where sentences are said."""
        screen = self._screen
        problem = screen.typed_line.problem if screen.typed_line.is_open else screen.view.problem
        if problem:
            self.keys.show(header.message(problem, Tone.WARN, screen.frame()))
            return
        line = foot.keys(
            self._situation(),
            screen.frame(),
            screen.place.view,
            screen.keymap.registry,
            is_ranging=screen.body.is_ranging,
            has_pane=screen.has_pane,
        )
        self.keys.show(line)
