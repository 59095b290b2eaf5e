"""Every cloud of this console: one screen for each that was opened, of which one is in sight.

A screen keeps its place, filters, marks, mirror and connection while another one is shown; its feed then asks seldom.
So one cloud that does not answer never holds another up, and coming back is as one left it. What is said of a cloud
that is out of sight is said with its name, and what asks about it waits until it is shown again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from console.port import ClientError
from console.presentation.lines import Tone
from console.presentation.many import Cloud
from console.presentation.mirror import Mirror
from console.screens import views
from console.screens.places import Place

if TYPE_CHECKING:
    from textual.app import App

    from console.contexts import Context
    from console.screens.grace import Grace
    from console.screens.main import MainScreen
    from console.screens.options import CloudChoice, Options

FIRST = "@first"
"""The mode of the cloud that the console was opened on; the others' have their names, which have no at sign."""


class Clouds:
    """The screens, by the names of their clouds. `choice` is None where there is one cloud and no name for it."""

    def __init__(self, app: App[None], options: Options, choice: CloudChoice | None, frame: type[MainScreen]) -> None:
        """`frame` is what each cloud is shown in."""
        self._app = app
        self._frame = frame
        self._options = options
        self._choice = choice
        self._screens: dict[str, MainScreen] = {}
        self._problems: dict[str, str] = {}
        """Why a cloud could not be opened when that was tried last."""
        self._shown = asyncio.Condition()
        self.before = ""
        """The cloud that was in sight before this one."""

    @cached_property
    def grace(self) -> Grace:
        """What waits to be sent, to whatever cloud; loaded with the first verb."""
        from console.screens.grace import Grace

        return Grace(self.say, self._options.wall_now, self._options.undo_seconds)

    def make_first(self) -> MainScreen:
        """The screen that the console opens with."""
        context = None if self._choice is None else self._choice.first
        return self._add("" if context is None else context.name, replace(self._options, context=context))

    def _add(self, name: str, options: Options) -> MainScreen:
        self._screens[name] = self._frame(options, self)
        return self._screens[name]

    # ------------------------------------------------------------------------------------------------------- sight

    @property
    def in_sight(self) -> MainScreen:
        """The screen that the terminal shows, whatever dialog lies over it; while the console ends, any."""
        screens = self._screens.values()
        return next((each for each in screens if each.is_in_sight), next(iter(screens)))

    @property
    def names(self) -> tuple[str, ...]:
        """What the clouds are called, in the order of the settings; none where there is only one."""
        return () if self._choice is None else tuple(each.name for each in self._choice.contexts)

    def opened(self, name: str) -> MainScreen | None:
        """The screen of a cloud, where it was opened."""
        return self._screens.get(name)

    def show(self, name: str) -> MainScreen | None:
        """Bring a cloud into sight, opened now if it was not; None where it cannot be, which is said."""
        here = self.in_sight
        screen = self._open(name)
        if screen is None:
            here.say(f"{name}: {self._problems[name]}", Tone.CRIT)
            return None
        if screen is not here:
            self._switch(name)
            self.before = here.name_of_cloud
            self._rest()
            screen.come_into_sight()
            self._app.run_worker(self._tell_shown(), group="shown", exit_on_error=False)
        return screen

    def _switch(self, name: str) -> None:
        first = self._choice.first.name if self._choice is not None else ""
        self._app.switch_mode(FIRST if name == first else name)

    def _open(self, name: str) -> MainScreen | None:
        """The screen of a cloud, made now if there is none yet."""
        if name in self._screens:
            return self._screens[name]
        assert self._choice is not None, "one cloud has no name, and is there"
        context = next(each for each in self._choice.contexts if each.name == name)
        try:
            opened = self._choice.open(context)
        except ClientError as error:
            self._problems[name] = error.sentence
            return None
        self._problems.pop(name, None)
        options = replace(self._options, client_factory=opened.client_factory, backend=opened.backend,
                          progress=opened.progress, context=context, **self._choice.manners(context))  # fmt: skip
        screen = self._add(name, options)
        self._app.add_mode(name, lambda: screen)
        return screen

    async def open_near(self) -> None:
        """Open, behind the one in sight, each cloud that can be looked at without starting one."""
        if self._choice is None:
            return
        for context in self._choice.contexts:
            if context.name not in self._screens and await asyncio.to_thread(self._choice.is_near, context):
                here = self._app.current_mode
                if self._open(context.name) is not None:
                    # A screen begins to ask when it is mounted, and it is when its mode is shown: nothing is painted
                    # in between.
                    self._app.switch_mode(context.name)
                    self._app.switch_mode(here)
        self._rest()

    def _rest(self) -> None:
        """Who is looked at asks as often as ever, the others seldom."""
        listed = self.in_sight.is_across
        for each in self._screens.values():
            each.feed.rest(is_resting=not (listed or each.is_in_sight))

    def heed_place(self) -> None:
        """The operator has gone somewhere else: perhaps to a list of all the clouds, or away from one."""
        self._rest()
        if self.in_sight.is_across:
            self.wake(self.in_sight)
            self._app.run_worker(self.open_near(), group="near", exclusive=True, exit_on_error=False)

    @property
    def sources_listed(self) -> frozenset[str]:
        """What the list of several clouds in sight needs of each of them."""
        here = self.in_sight
        return views.wanted(Place(here.place.view), Mirror()) if here.is_across else frozenset()

    def wake(self, screen: MainScreen) -> None:
        """Ask again now; where several clouds are listed, each of them."""
        for each in self._screens.values() if screen.is_across else (screen,):
            each.feed.wake()

    def attend(self, screen: MainScreen) -> None:
        """A key was pressed: it goes first, and whoever is looked at is asked as often as that deserves."""
        for each in self._screens.values() if screen.is_across else (screen,):
            each.feed.keys.take()
            each.feed.attend(is_watched=True)

    def hurry(self, screen: MainScreen) -> None:
        """Somebody wants to know now: also of a cloud that is looked at now and then."""
        for each in self._screens.values() if screen.is_across else (screen,):
            each.feed.hurry()

    def heed_news(self) -> None:
        """Something came for a cloud that is out of sight."""
        if self.in_sight.is_across:
            self.in_sight.render_soon()

    def say(self, words: str, tone: Tone) -> None:
        """Say something where the operator looks."""
        self.in_sight.say(words, tone)

    def say_of(self, screen: MainScreen, words: str, tone: Tone) -> None:
        """Say something of a cloud that is out of sight."""
        here = self.in_sight
        if here.is_in_sight:
            here.say(f"{screen.name_of_cloud}: {words}", tone, is_verbatim=True)

    async def until_in_sight(self, screen: MainScreen) -> None:
        """Wait until a screen is the one in sight."""
        async with self._shown:
            await self._shown.wait_for(lambda: screen.is_in_sight)

    async def _tell_shown(self) -> None:
        async with self._shown:
            self._shown.notify_all()

    # ------------------------------------------------------------------------------------------------------- telling

    def all(self) -> tuple[Cloud, ...]:
        """Every cloud as it is known now, in the order of the settings."""
        if self._choice is None:
            return ()
        return tuple(self._told(each, self._choice.manners(each)["is_read_only"]) for each in self._choice.contexts)

    def _told(self, context: Context, is_read_only: bool) -> Cloud:
        screen = self._screens.get(context.name)
        backend = None if screen is None else screen.backend
        given_up = backend.sentence if backend is not None and backend.has_given_up else None
        return Cloud(
            context.name,
            context.noun,
            context.place,
            context.colour,
            None if screen is None else screen.mirror_now,
            self._problems.get(context.name) or given_up or "",
            screen is not None and screen.is_in_sight,
            context.is_production,
            is_read_only,
        )
