"""What runs behind the screens: asking the cloud, again and again, and never giving up.

Three loops share one connection. The *heartbeat* connects, asks for the status each second and owns the back-off; the
*follower* reads the list of servers once, page by page, and then long-polls its changes; the *reader of drives* sleeps
until a view needs them, and reads their list while the follower goes on. Each answer is posted to the screen and the
loop waits until it has been taken, so that answers cannot pile up before a busy screen.

A failure is posted too and ends nothing. After one, the client's factory is awaited again: a backend that came back
elsewhere is found there; a factory may well return the client that it returned before.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from textual.message import Message

from console.client import ClientError, CloudClient
from console.presentation.mirror import Mirror
from console.records import Answer, ServersPage
from console.records_refused import Refused
from console.screens.backup_sources import BackupSources

POLL_SECONDS = 1.0
LONG_POLL_SECONDS = 20.0
CHANGES_LIMIT = 100
"""Events of each file at once: an answer is read in one go, and no key is taken meanwhile."""
PAGE_LIMIT = 1_000
BACK_OFF_SECONDS_MAX = 15


def back_off_seconds(tries: int) -> int:
    """How long to wait after so many failures in a row: 1, 2, 4, 8, then 15."""
    return min(BACK_OFF_SECONDS_MAX, 1 << (min(tries, 10) - 1))


@dataclass
class Answered(Message):
    """An answer came at the wall's instant `at`; `taken` is set when the screen holds it."""

    answer: Answer
    at: datetime
    taken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Failed(Message):
    """A request brought no answer; the next one is at `retry_at`."""

    sentence: str
    at: datetime
    retry_at: datetime


@dataclass
class Restarted(Message):
    """The change feed cannot be read on; the list is read again from its first page."""

    taken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class DrivesBegun(Message):
    """The list of drives is about to be read: the feed's news of drives are to be kept from now on."""

    taken: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """The loops and their connection. `wanted` names the extra sources that the view in sight needs."""

    def __init__(
        self,
        factory: Callable[[], Awaitable[CloudClient]],
        post: Callable[[Message], object],
        *,
        wall_now: Callable[[], datetime],
        mirror: Callable[[], Mirror],
        wanted: Callable[[], frozenset[str]],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._factory = factory
        self._post = post
        self._wall_now = wall_now
        self._mirror = mirror
        self._wanted = wanted
        self._poll_seconds = poll_seconds
        self._answers = asyncio.Event()
        self._woken = asyncio.Event()
        self._is_greeted = False
        self._refused: set[str] = set()
        self._cursor: str | None = None
        self._backups = BackupSources(wall_now)
        self._drives_wanted = asyncio.Event()
        self.client: CloudClient | None = None

    def wake(self) -> None:
        """Ask again now instead of when the pause is over."""
        self._woken.set()

    async def beat(self) -> None:
        """The heartbeat. Never returns."""
        tries = 0
        while True:
            try:
                await self._ask_once()
            except ClientError as error:
                tries += 1
                self._answers.clear()
                wait = back_off_seconds(tries)
                at = self._wall_now()
                self._post(Failed(error.sentence, at, at + timedelta(seconds=wait)))
                if self.client is not None and "audit" in self._wanted():
                    # It is this machine's own, and most wanted when something went wrong.
                    await self._deliver(await self.client.audit())
                await self._pause(wait)
                self._is_greeted = False
                continue
            tries = 0
            self._answers.set()
            await self._pause(self._poll_seconds)

    async def follow(self) -> None:
        """The follower. Never returns."""
        while True:
            await self._answers.wait()
            try:
                if self._cursor is None:
                    await self._read_list()
                await self._read_changes()
            except ClientError as error:
                # The heartbeat finds out for how long; until it gets an answer there is nothing to follow.
                self._answers.clear()
                if error.is_retryable:
                    self.wake()
                elif self._cursor is not None:
                    self._cursor = None
                    restarted = Restarted()
                    self._post(restarted)
                    await restarted.taken.wait()

    async def read_drives(self) -> None:
        """The reader of drives. Never returns.

        It fails without a word: the heartbeat says what is wrong with the cloud, and asks for the drives again.
        """
        while True:
            await self._drives_wanted.wait()
            try:
                await self._read_all_drives()
            except ClientError as error:
                if not error.is_retryable:
                    self._refused.add("drives")
                    await self._deliver(Refused("drives", error.sentence))
            self._drives_wanted.clear()

    async def _read_all_drives(self) -> None:
        client = self.client
        assert client is not None, "the heartbeat had an answer, so there is a client"
        begun = DrivesBegun()
        self._post(begun)
        await begun.taken.wait()
        after: str | None = None
        while True:
            page = await client.drives_page(after=after, limit=PAGE_LIMIT)
            await self._deliver(page)
            after = page.next
            if after is None:
                return

    async def _ask_once(self) -> None:
        if not self._is_greeted:
            self.client = await self._factory()
            await self._deliver(await self.client.hello())
            self._is_greeted, self._refused = True, set()
            self._backups.forget()
        client = self.client
        assert client is not None, "greeted without a client"
        await self._deliver(await client.status())
        sources: dict[str, Callable[[], Awaitable[Answer]]] = {
            "hosts": client.hosts,
            "tasks": client.tasks,
            "services": client.services,
            "audit": client.audit,
            "billing": client.billing,
        }
        # The header counts hosts on every view. They are read once; then the feed's events say what becomes of them.
        mirror = self._mirror()
        counted = {"hosts"} if mirror.cursor is not None and not mirror.are_hosts_followed else set()
        for name in sorted(((self._wanted() | counted) & sources.keys()) - self._refused):
            try:
                await self._deliver(await sources[name]())
            except ClientError as error:
                if error.is_retryable:
                    raise
                # Not for this account: the rest of the cloud still answers, so this is no outage.
                self._refused.add(name)
                await self._deliver(Refused(name, error.sentence))
        for source in self._backups.due(self._wanted() - self._refused, self._mirror().protection):
            try:
                await self._backups.read(client, source, self._deliver)
            except ClientError as error:
                if error.is_retryable:
                    raise
                self._refused.add(source)
                await self._deliver(Refused(source, error.sentence))
        # Before the change feed has a cursor, what happened while the list was read would be missed.
        is_time = self._cursor is not None and "drives" not in self._refused
        if is_time and "drives" in self._wanted() and not self._mirror().are_drives_complete:
            self._drives_wanted.set()

    async def _read_list(self) -> None:
        client = self.client
        assert client is not None, "the heartbeat had an answer, so there is a client"
        await self._deliver(await client.events())
        first: ServersPage | None = None
        after: str | None = None
        while first is None or after is not None:
            page = await client.servers_page(after=after, limit=PAGE_LIMIT)
            first = first or page
            after = page.next
            await self._deliver(page)
        self._cursor = first.cursor
        # What does not answer is not among the rows; what was last known of it is asked for by cell.
        for cell in first.unreachable:
            await self._read_cell(cell)

    async def _read_cell(self, cell: str) -> None:
        client = self.client
        assert client is not None, "the heartbeat had an answer, so there is a client"
        after: str | None = None
        while True:
            page = await client.servers_page(after=after, limit=PAGE_LIMIT, cell=cell)
            await self._deliver(page)
            after = page.next
            if after is None:
                return

    async def _read_changes(self) -> None:
        while self._cursor is not None:
            for cell in sorted(self._mirror().reload_cells):
                await self._read_cell(cell)
            client = self.client
            assert client is not None, "the heartbeat had an answer, so there is a client"
            changes = await client.changes(self._cursor, wait_seconds=LONG_POLL_SECONDS, limit=CHANGES_LIMIT)
            await self._deliver(changes)
            self._backups.heard(changes.events)
            self._cursor = changes.cursor

    async def _deliver(self, answer: Answer) -> None:
        message = Answered(answer, self._wall_now())
        self._post(message)
        await message.taken.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait, unless woken before."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._woken.clear()
