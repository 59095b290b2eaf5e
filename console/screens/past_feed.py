"""What is asked to show a moment of the past: the same lists as of now, each with `at=`; or what differs from another.

Nothing here waits for changes: a moment stands still, so each list is asked for once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from console.port import ClientError, Port
from console.presentation import moments, past
from console.presentation.drive_fleet import DriveFleet
from console.presentation.fleet import Fleet
from console.presentation.mirror import Mirror
from console.presentation.moments import Moment, Rows
from console.records import Answer, Changes, DriveRecord, PastEvents, ServerRecord, Status
from console.records_audit import Audit
from console.screens.backup_sources import BackupSources

PAGE_LIMIT = 1_000
EVENTS_LIMIT = 200
SEARCH_LIMIT, PAGES_SEARCHED = 1_000, 5
EVENTS_BEFORE, EVENTS_AHEAD = 100, 25
"""Where fewer are known before or behind the moment, more are read: views show the last ones, and steps do not wait."""


@dataclass
class Shown:
    """A moment with all that was told of it."""

    moment: Moment
    mirror: Mirror
    told: set[str] = field(default_factory=set)
    """The sources that were asked for; those that the account may not see are among them."""


class PastFeed:
    """Asks one cloud. Raises ClientError."""

    def __init__(self, client: Port, now: Callable[[], Mirror]) -> None:
        self._client = client
        self._now = now
        self.stretch = PastEvents(())

    async def look(self, moment: Moment, before: Shown | None, wanted: frozenset[str]) -> Shown:
        """All that a view needs which wants these sources, at a moment; from `before`, what differs.

        Where that is not kept, at the first moment that is.
        """
        await self._read_stretch(moment)
        begins_at = self.stretch.begins_at
        if begins_at is not None and moment.at < begins_at:
            moment = Moment(begins_at)
        then = self._client.then(moment.text)
        changes = await then.differences(None if before is None else before.mirror.cursor)
        status = await then.status()
        told: list[Answer] = [status]
        rows = await self.rows_of(then, before, changes, status, wants_drives="drives" in wanted)
        sources = {"hosts", "tasks"} | wanted
        for source in sorted(sources):
            told += await self.told_of(then, source, moment.at)
        mirror = moments.mirror_of(self._now(), moment, rows, changes.cursor, self.stretch)
        for answer in told:
            mirror = mirror.apply(answer, moment.at)
        return Shown(moment, mirror, set(sources))

    async def add(self, shown: Shown, wanted: frozenset[str]) -> Shown:
        """The same moment with what another view needs besides."""
        then, mirror = self._client.then(shown.moment.text), shown.mirror
        if "drives" in wanted and not mirror.are_drives_complete:
            mirror = moments.with_drives(mirror, await self._drives(then))
        for source in sorted(wanted - shown.told):
            for answer in await self.told_of(then, source, shown.moment.at):
                mirror = mirror.apply(answer, shown.moment.at)
        return Shown(shown.moment, mirror, shown.told | wanted)

    # The log

    async def _read_stretch(self, moment: Moment) -> None:
        """Know the log around the moment."""
        if not self.stretch.events or not past.covers(self.stretch, moment.at):
            self.stretch = await self.around(moment.at)
        known, position = self.stretch, moment.position
        place = sum(past.position(event) <= position for event in known.events)
        if place < EVENTS_BEFORE and not known.is_begun:
            known = await self._extended(known, -1, EVENTS_LIMIT)
        if len(known.events) - place < EVENTS_AHEAD and known.events:
            # What was the end of it when it was read may have been followed since.
            known = await self._extended(known, 1, EVENTS_LIMIT)
        self.stretch = known

    async def around(self, at: datetime, object_id: str | None = None) -> PastEvents:
        """What happened before an instant and after it, to one object or to all."""
        place = at.isoformat()
        before, after = await asyncio.gather(
            self._client.events(limit=EVENTS_LIMIT, object_id=object_id, until=place),
            self._client.events(limit=EVENTS_LIMIT, object_id=object_id, since=place),
        )
        is_begun, is_current = len(before.events) < EVENTS_LIMIT, len(after.events) < EVENTS_LIMIT
        events = past.joined(before.events, after.events)
        return PastEvents(events, object_id, is_begun, is_current, before.begins_at)

    async def step(self, moment: Moment, direction: int) -> Moment | None:
        """The event before or after a moment, where the known stretch does not reach it."""
        found = await self.around(moment.at)
        return moments.beside(found.events, moment.position, direction)

    async def beside(self, moment: Moment, direction: int, object_id: str) -> Moment | None:
        """The event of an object before or after a moment, however far away."""
        at = moment.text
        if direction < 0:
            # The place itself is among those at or before it.
            found = await self._client.events(limit=2, object_id=object_id, until=at)
        else:
            found = await self._client.events(limit=1, object_id=object_id, since=at)
        return moments.beside(found.events, moment.position, direction)

    async def search(self, moment: Moment, direction: int) -> Moment | None:
        """The alarm before or after a moment, as far as enough pages of the log reach."""
        known = self.stretch
        for _ in range(PAGES_SEARCHED):
            if (found := moments.alarm_beside(known.events, moment, direction)) is not None:
                return found
            if not known.events or (known.is_begun if direction < 0 else known.is_current):
                return None
            known = await self._extended(known, direction, SEARCH_LIMIT)
        return moments.alarm_beside(known.events, moment, direction)

    async def _extended(self, known: PastEvents, direction: int, limit: int) -> PastEvents:
        """With one more page before or after it."""
        if direction < 0:
            page = await self._client.events(limit=limit, until=past.place_text(known.events[0]))
            known = known._replace(is_begun=len(page.events) < limit)
        else:
            page = await self._client.events(limit=limit, since=past.place_text(known.events[-1]))
            known = known._replace(is_current=len(page.events) < limit)
        return known._replace(events=past.joined(known.events, page.events), begins_at=page.begins_at)

    # Rows

    async def rows_of(
        self, then: Port, before: Shown | None, changes: Changes, status: Status, *, wants_drives: bool
    ) -> Rows:
        if before is None:
            silent = sorted(cell.name for cell in status.cells if not cell.is_up)
            servers = Fleet().changed(await self._servers(then, silent))
            drives = DriveFleet().changed(await self._drives(then)) if wants_drives else DriveFleet()
            return Rows(servers, drives, wants_drives)
        known = before.mirror
        concerned = sorted(moments.changed_cells(known, status.cells))
        told = {cell: await self._servers_of(then, cell) for cell in concerned}
        must_read = wants_drives and not known.are_drives_complete
        must_read = must_read or bool(concerned and known.are_drives_complete)
        found = await self._drives(then) if must_read else None
        return moments.stepped(Rows(known.fleet, known.drives, known.are_drives_complete), changes, told, found)

    async def _servers(self, then: Port, silent: Iterable[str]) -> list[ServerRecord]:
        found: list[ServerRecord] = []
        after: str | None = None
        while True:
            page = await then.servers_page(after=after, limit=PAGE_LIMIT)
            found += page.servers
            after = page.next
            if after is None:
                break
        for cell in silent:
            found += await self._servers_of(then, cell)
        return found

    async def _servers_of(self, then: Port, cell: str) -> list[ServerRecord]:
        found: list[ServerRecord] = []
        after: str | None = None
        while True:
            page = await then.servers_page(after=after, limit=PAGE_LIMIT, cell=cell)
            found += page.servers
            after = page.next
            if after is None:
                return found

    async def _drives(self, then: Port) -> list[DriveRecord]:
        found: list[DriveRecord] = []
        after: str | None = None
        while True:
            page = await then.drives_page(after=after, limit=PAGE_LIMIT)
            found += page.drives
            after = page.next
            if after is None:
                return found

    # All else

    async def told_of(self, then: Port, source: str, at: datetime) -> list[Answer]:
        """What a source says of the moment; nothing where the account may not see it."""
        asked: dict[str, Callable[[], Awaitable[Answer]]] = {
            "hosts": then.hosts,
            "tasks": then.tasks,
            "services": then.services,
            "billing": then.billing,
        }
        answers: list[Answer] = []
        if source == "audit":
            found = await self._client.audit()
            return [Audit(tuple(record for record in found.records if record.at <= at))]
        try:
            if source in asked:
                answers.append(await asked[source]())
            else:
                await self._read_backing(then, source, at, answers)
        except ClientError as error:
            if error.is_retryable:
                raise
        return answers

    async def _read_backing(self, then: Port, source: str, at: datetime, answers: list[Answer]) -> None:
        sources = BackupSources(lambda: at)

        async def take(answer: Answer) -> None:
            answers.append(answer)

        for name in sources.due({source}, Mirror().protection):
            await sources.read(then, name, take)
