"""The past of a cloud that keeps no log, from what this console has recorded of it; and the recording itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from console.port import ClientError
from console.presentation import density, moments, recorded, recorded_events
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment
from console.presentation.recorded_events import Change
from console.recording import Recording, RecordingProblem
from console.records import EventRecord, PastEvents
from console.screens.past_feed import Shown

T = TypeVar("T")

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Recorder:
    """Writes down what has changed in a mirror, at most once a second and never two at a time."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._written = Mirror()
        self._begun_at: datetime | None = None
        self._is_writing = False
        self.problem = ""
        """Why nothing is written; the next try is with the next change."""

    async def write(self, mirror: Mirror, at: datetime) -> None:
        """What was seen by an instant, once all of a look is there. A cloud that does not answer is not looked at."""
        if self._is_writing or not recorded.is_whole(mirror):
            if mirror.is_offline:
                self._begun_at = None
            return
        self._is_writing = True
        begun_at = self._begun_at or at
        # After a break all is written again as it is: what was so when it began is not what was so when it ended.
        before = self._written if self._begun_at is not None else Mirror()
        try:
            await asyncio.to_thread(self._carry_out, before, mirror, begun_at, at)
            self._written, self._begun_at, self.problem = mirror, begun_at, ""
        except RecordingProblem as problem:
            self.problem = str(problem)
        finally:
            self._is_writing = False

    def _carry_out(self, before: Mirror, mirror: Mirror, begun_at: datetime, at: datetime) -> None:
        pieces = recorded.pieces(before, mirror)
        if begun_at == at:
            # What has gone during the break.
            there = {("server", id_) for id_ in mirror.servers} | {("drive", id_) for id_ in mirror.drives.by_id}
            known = self.recording.pieces_at(at)
            pieces |= {key: None for key in known if key[0] in ("server", "drive") and key not in there}
            pieces = {key: value for key, value in pieces.items() if known.get(key) != value}
        self.recording.write(pieces, begun_at=begun_at, at=at)


class RecordedFeed:
    """As `past_feed.PastFeed`, of moments that are instants. Raises ClientError."""

    def __init__(self, recording: Recording, now: Callable[[], Mirror]) -> None:
        self._recording = recording
        self._now = now
        self.stretch = PastEvents(())

    async def look(self, moment: Moment, _before: Shown | None, wanted: frozenset[str]) -> Shown:
        """What was seen at an instant at which the cloud was looked at."""
        return await asyncio.to_thread(self._look, moment, wanted)

    def _look(self, moment: Moment, wanted: frozenset[str]) -> Shown:
        try:
            stretches = self._recording.stretches()
            if not any(each.begun_at <= moment.at <= each.ended_at for each in stretches):
                raise ClientError(_gap(moment.at, [(each.begun_at, each.ended_at) for each in stretches]), "gap", False)
            told = self._recording.pieces_at(moment.at)
            self.stretch = self._stretch_around(moment.at)
        except RecordingProblem as problem:
            raise ClientError(str(problem), "recording", False) from problem
        return Shown(moment, recorded.mirror_of(self._now(), told, moment.at), set(wanted))

    def _stretch_around(self, at: datetime) -> PastEvents:
        """As much of what happened as the bar shows."""
        first, last = at - density.SPAN, at + density.SPAN
        is_begun = self._recording.change_beside(first, -1) is None
        is_current = self._recording.change_beside(last, 1) is None
        return PastEvents(self._events(first, last), is_begun=is_begun, is_current=is_current)

    def _events(self, first: datetime, last: datetime) -> tuple[EventRecord, ...]:
        found = self._recording.changes_between(first, last)
        return recorded_events.events(Change(*each) for each in found if each.kind in recorded_events.KINDS)

    async def add(self, shown: Shown, wanted: frozenset[str]) -> Shown:
        """All that was recorded is known already."""
        return Shown(shown.moment, shown.mirror, shown.told | wanted)

    async def around(self, _at: datetime, object_id: str | None = None) -> PastEvents:
        """There is no log."""
        return PastEvents((), object_id, is_begun=True, is_current=True)

    async def newest(self) -> Moment | None:
        """When the cloud was looked at last."""
        return await self._beside(lambda: max((each.ended_at for each in self._recording.stretches()), default=None))

    async def step(self, moment: Moment, direction: int) -> Moment | None:
        """To where something was otherwise than before."""
        return await self._beside(lambda: self._recording.change_beside(moment.at, direction))

    async def beside(self, moment: Moment, direction: int, object_id: str) -> Moment | None:
        """The same for one server or drive."""

        def find() -> datetime | None:
            found = [self._recording.changes_of_beside((kind, object_id), moment.at, direction)
                     for kind in ("server", "drive")]  # fmt: skip
            return next((at for at in found if at is not None), None)

        return await self._beside(find)

    async def search(self, moment: Moment, direction: int) -> Moment | None:
        """The alarm before or after, in all that was recorded."""

        def find() -> Moment | None:
            first, last = (_FIRST, moment.at) if direction < 0 else (moment.at, _LAST)
            return moments.alarm_beside(self._events(first, last), moment, direction)

        return await _told(find)

    async def _beside(self, find: Callable[[], datetime | None]) -> Moment | None:
        at = await _told(find)
        return None if at is None else Moment(at)


async def _told(find: Callable[[], T]) -> T:
    """What the file says. Raises ClientError."""
    try:
        return await asyncio.to_thread(find)
    except RecordingProblem as problem:
        raise ClientError(str(problem), "recording", False) from problem


def _gap(at: datetime, stretches: list[tuple[datetime, datetime]]) -> str:
    before = [ended for _, ended in stretches if ended < at]
    after = [begun for begun, _ in stretches if begun > at]
    if not before:
        since = f" before {min(after):%Y-%m-%d %H:%M:%S} UTC" if after else " yet"
        return f"nothing was recorded{since}"
    until = f" and {min(after):%H:%M:%S}" if after else " and now"
    return f"nobody looked between {max(before):%Y-%m-%d %H:%M:%S}{until} UTC"
