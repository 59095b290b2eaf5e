"""What is read of schedules and backups while a view of them is in sight, and when.

A list is read once, and again when the feed tells of something that concerns it, or when it has grown old: a thousand
backups that nobody changes cost nothing. A list that took long to read waits longer until it is read again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta

from console.port import Port
from console.presentation.protection import Protection
from console.records import Answer, EventRecord
from console.records_backups import Backups, Schedules

OLD_SECONDS = 30.0
COVERAGE_PAGES_MAX = 20
"""Of very many servers only the worst are read: for each page the cloud has to look at all of them."""
REST_FACTOR = 10
"""How much longer than reading a list took it is left alone."""

_KINDS = frozenset({"schedules", "backups", "coverage", "calendar", "storage", "schedule", "backup"})
COUNTS = "coverage counts"
"""The source of how many servers nobody backs up, without which."""

_TELLING = frozenset({"schedule", "backup"})
"""Objects whose events mean that what is known here may be old."""

Deliver = Callable[[Answer], Awaitable[None]]


class BackupSources:
    """By name, what was read and when; a name is a kind, perhaps with what that is narrowed to behind a blank."""

    def __init__(self, wall_now: Callable[[], datetime]) -> None:
        self._wall_now = wall_now
        self._read_at: dict[str, datetime] = {}
        self._rests_until: dict[str, datetime] = {}
        self._old: set[str] = set()

    def forget(self) -> None:
        """Nothing has been read of the cloud that there is now."""
        self._read_at.clear()
        self._rests_until.clear()
        self._old.clear()

    def heard(self, events: Iterable[EventRecord]) -> None:
        """What the feed tells makes lists old."""
        if any(event.object_kind in _TELLING for event in events):
            self._old |= self._read_at.keys()

    def due(self, wanted: Collection[str], known: Protection) -> list[str]:
        """Those of the wanted sources that are to be read now; what is not known any more is."""
        now, own = self._wall_now(), (name for name in sorted(wanted) if name.partition(" ")[0] in _KINDS)
        return [name for name in own if not known.has(name) or self._is_old(name, now)]

    def _is_old(self, name: str, now: datetime) -> bool:
        read_at = self._read_at.get(name)
        if read_at is None:
            return True
        is_old = name in self._old or now - read_at >= timedelta(seconds=OLD_SECONDS)
        return is_old and now >= self._rests_until[name]

    async def read(self, client: Port, name: str, deliver: Deliver) -> None:
        """Read it and hand it over, a long list also as it grows. Raises ClientError."""
        begun = self._wall_now()
        self._old.discard(name)
        kind, _, scope = name.partition(" ")
        match kind:
            case "schedules":
                await _read_schedules(client, scope or None, deliver)
            case "backups":
                await _read_backups(client, scope or None, deliver)
            case "coverage":
                await (_read_coverage(client, deliver) if not scope else deliver(await client.coverage_counts()))
            case "schedule":
                await deliver(await client.schedule_detail(scope))
            case "backup":
                await deliver(await client.backup_detail(scope))
            case "calendar":
                await deliver(await client.calendar(time_zone=scope or "UTC"))
            case _:
                await deliver(await client.storage())
        ended = self._wall_now()
        self._read_at[name], self._rests_until[name] = begun, ended + REST_FACTOR * (ended - begun)


async def _read_schedules(client: Port, scope: str | None, deliver: Deliver) -> None:
    page = whole = await client.schedules_page(scope=scope)
    while page.next is not None:
        await deliver(whole)
        page = await client.schedules_page(scope=scope, after=page.next)
        whole = Schedules(whole.rows + page.rows, page.next, page.total, scope)
    await deliver(whole)


async def _read_backups(client: Port, scope: str | None, deliver: Deliver) -> None:
    page = whole = await client.backups_page(scope=scope)
    while page.next is not None:
        await deliver(whole)
        page = await client.backups_page(scope=scope, after=page.next)
        whole = Backups(whole.rows + page.rows, page.next, page.total, scope)
    await deliver(whole)


async def _read_coverage(client: Port, deliver: Deliver) -> None:
    page = whole = await client.coverage_page()
    for _ in range(1, COVERAGE_PAGES_MAX):
        if page.next is None:
            break
        await deliver(whole)
        page = await client.coverage_page(after=page.next)
        whole = page._replace(rows=whole.rows + page.rows)
    await deliver(whole._replace(next=None))
