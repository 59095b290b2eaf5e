"""What runs behind the screens: asking the cloud, again and again, and never giving up.

Three loops share one connection. The *heartbeat* connects, asks for the status each second and owns the back-off; the
*follower* reads the list of servers once, page by page, and then long-polls its changes; the *reader of drives* sleeps
until a view needs them, and reads their list while the follower goes on. Each answer is posted to the screen and the
loop waits until it has been taken, so that answers cannot pile up before a busy screen.

A failure is posted too and ends nothing. After one, the client's factory is awaited again: a backend that came back
elsewhere is found there; a factory may well return the client that it returned before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from textual.message import Message

from console import memory
from console.port import LATER, UNAUTHORIZED, ClientError, Port
from console.presentation.mirror import Mirror
from console.records import Answer, ServersPage
from console.records_refused import Refused
from console.screens.backup_sources import BackupSources
from console.screens.keys_first import KeysFirst

POLL_SECONDS = 1.0
LONG_POLL_SECONDS = 20.0
SETTLING_SECONDS = 1.0
"""How soon the memory that reading a long list took is given back."""
CHANGES_LIMIT = 50
"""Events of each file at once: an answer is read in one go, and no key is taken meanwhile."""
PAGE_LIMIT = 1_000
BACK_OFF_SECONDS_MAX = 15
QUIET_FACTOR = 2
"""How many times slower the heart beats while nothing happens."""
OLD_SECONDS = 10.0
"""What is read again only when something has happened is also read when it is as old as this."""
RESTING_SECONDS = 30.0
"""How often a cloud is asked that nobody looks at: often enough that the change feed still knows where it was read."""


def back_off_seconds(tries: int) -> int:
    """How long to wait after so many failures in a row: 1, 2, 4, 8, then 15."""
    return min(BACK_OFF_SECONDS_MAX, 1 << (min(tries, 10) - 1))


@dataclass
class Answered(Message):
    """An answer came at the wall's instant `at`; `taken` is set when the screen holds it.

    One that is followed is drawn with the next one, which has been asked for already.
    """

    answer: Answer
    at: datetime
    is_followed: bool = False
    taken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Failed(Message):
    """A request brought no answer; the next one is at `retry_at`, None where somebody has to ask for it."""

    sentence: str
    at: datetime
    retry_at: datetime | None


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
        factory: Callable[[], Awaitable[Port]],
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
        self._hurried = asyncio.Event()
        """Whether somebody has asked for an answer, and not just a view."""
        self._is_greeted = False
        self._refused: set[str] = set()
        self._has_read_much = False
        self._news = 0
        """How often something has happened."""
        self._last_heard: tuple[Hashable, datetime] | None = None
        self._read: dict[str, tuple[Hashable, datetime]] = {}
        """By source: what had happened when it was read, and when that was."""
        self._cursor: str | None = None
        self._backups = BackupSources(wall_now)
        self._drives_wanted = asyncio.Event()
        self._log_wanted = asyncio.Event()
        self.is_resting = False
        """Whether nobody looks."""
        self._roused = asyncio.Event()
        self.keys = KeysFirst()
        self._tidying = memory.Tidying()
        self.client: Port | None = None

    def wake(self) -> None:
        """Ask again now instead of when the pause is over."""
        self._news += 1
        self._woken.set()
        self._log_wanted.set()

    def rest(self, *, is_resting: bool) -> None:
        """Ask seldom, because nobody looks; or as often as ever again, and at once."""
        was_resting, self.is_resting = self.is_resting, is_resting
        self.attend(is_watched=not is_resting)
        if is_resting:
            self._roused.clear()
        elif was_resting:
            self._roused.set()
            self.wake()

    def hurry(self) -> None:
        """Somebody asks for all of it now, also of a cloud that is looked at now and then."""
        if self.client is not None:
            self.client.hurry()
        self._hurried.set()
        self.wake()

    def attend(self, *, is_watched: bool) -> None:
        """Somebody looks at the screen, or nobody can."""
        if self.client is not None:
            self.client.attend(is_watched=is_watched)

    async def beat(self) -> None:
        """The heartbeat. Never returns."""
        tries = 0
        while True:
            try:
                await self._ask_once()
            except ClientError as error:
                tries += 1
                self._answers.clear()
                wait: float | None = RESTING_SECONDS if self.is_resting else back_off_seconds(tries)
                if error.code == UNAUTHORIZED and (tries > 1 or not self._is_greeted):
                    # Who goes on trying with a wrong token is locked out. One that was right may have been renewed.
                    wait = None
                    self._hurried.clear()
                at = self._wall_now()
                self._post(Failed(error.sentence, at, None if wait is None else at + timedelta(seconds=wait)))
                if self.client is not None and "audit" in self._wanted():
                    # It is this machine's own, and most wanted when something went wrong.
                    await self._deliver(await self.client.audit())
                if wait is None:
                    await self._hurried.wait()
                else:
                    await self._pause(wait)
                self._is_greeted = False
                continue
            tries = 0
            self._answers.set()
            await self.keys.pass_by()
            self._tidying.tidy()
            await self._pause(self._pause_seconds())

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

    async def read_log(self) -> None:
        """The reader of what was done from here. Never returns.

        The log is this machine's own: what is on its way is shown also while the cloud takes its time.
        """
        while True:
            await self._log_wanted.wait()
            self._log_wanted.clear()
            if self.client is not None and "audit" in self._wanted():
                await self._deliver(await self.client.audit())

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
            self.client.know_names(lambda id: self._mirror().name_of(id))
            await self._deliver(await self.client.hello())
            self._is_greeted, self._refused = True, set()
            self._read.clear()
            self._backups.forget()
        client = self.client
        assert client is not None, "greeted without a client"
        status = await client.status()
        sources: dict[str, Callable[[], Awaitable[Answer]]] = {
            "hosts": client.hosts,
            "tasks": client.tasks,
            "services": client.services,
            "audit": client.audit,
            "billing": client.billing,
            "rehearsal": client.rehearsal,
        }
        # The header counts hosts on every view. They are read once; then the feed's events say what becomes of them.
        mirror = self._mirror()
        counted = {"hosts"} if mirror.cursor is not None and not mirror.are_hosts_followed else set()
        names = sorted(((self._wanted() | counted) & sources.keys()) - self._refused)
        await self._deliver(status, is_followed=any(self._is_due(name, mirror) for name in names))
        mirror = self._mirror()
        due = [name for name in names if self._is_due(name, mirror)]
        for name in due:
            self._read[name] = self._heard(mirror), self._wall_now()
            try:
                await self._deliver(await sources[name](), is_followed=name != due[-1])
            except ClientError as error:
                if error.is_retryable:
                    raise
                if error.code == LATER:
                    continue
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

    def _is_due(self, name: str, mirror: Mirror) -> bool:
        """Whether to read a source again. While nothing happens hosts stay as they are, and so do tasks until one of
        them has to end: how far they are is reckoned from their own instants.
        """
        is_steady = name == "hosts" or (name == "tasks" and not self._has_one_to_end(mirror))
        if not is_steady or self._cursor is None or name not in self._read:
            return True
        heard, at = self._read[name]
        return heard != self._heard(mirror) or self._wall_now() - at >= timedelta(seconds=OLD_SECONDS)

    def _has_one_to_end(self, mirror: Mirror) -> bool:
        """Whether the end of a task has come that has not been told of; one that waits for its cell has none yet."""
        now = mirror.now(self._wall_now())
        moving = (task for task in mirror.tasks or () if task.state == "open" and task.progress is not None)
        return any(task.due_at is not None and task.due_at <= now for task in moving)

    def _pause_seconds(self) -> float:
        if self.is_resting:
            return RESTING_SECONDS
        return self._poll_seconds * (QUIET_FACTOR if self._is_quiet() else 1)

    def _is_quiet(self) -> bool:
        """Whether nothing has happened for a while. What happens next is told by the change feed, not by the beat."""
        heard, now = self._heard(self._mirror()), self._wall_now()
        if self._last_heard is None or self._last_heard[0] != heard:
            self._last_heard = heard, now
        return now - self._last_heard[1] >= timedelta(seconds=OLD_SECONDS)

    def _heard(self, mirror: Mirror) -> Hashable:
        """What changes when something has happened, also in a cell of which the feed says nothing."""
        return self._news, tuple((cell.name, cell.state, cell.reason) for cell in mirror.cells or ())

    async def _read_list(self) -> None:
        client = self.client
        assert client is not None, "the heartbeat had an answer, so there is a client"
        await self._deliver(await client.events())
        first: ServersPage | None = None
        after: str | None = None
        while first is None or after is not None:
            page = await client.servers_page(after=after, limit=PAGE_LIMIT)
            if first is None and (page.total or 0) > PAGE_LIMIT:
                memory.keep_little()
            first = first or page
            after = page.next
            await self._deliver(page)
        self._cursor = first.cursor
        # What does not answer is not among the rows; what was last known of it is asked for by cell.
        for cell in first.unreachable:
            await self._read_cell(cell)
        self._has_read_much = (first.total or 0) > PAGE_LIMIT

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
            wait_seconds = 0.0 if self.is_resting else SETTLING_SECONDS if self._has_read_much else LONG_POLL_SECONDS
            changes = await client.changes(self._cursor, wait_seconds=wait_seconds, limit=CHANGES_LIMIT)
            await self._deliver(changes)
            self._news += bool(changes.events or changes.cells)
            self._backups.heard(changes.events)
            self._cursor = changes.cursor
            if self._has_read_much:
                # Not before: the last page was on its way into the mirror, and views into their orders.
                memory.give_back()
                self._has_read_much = False
            if self.is_resting and not changes.events:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._roused.wait(), RESTING_SECONDS)

    async def _deliver(self, answer: Answer, *, is_followed: bool = False) -> None:
        await self.keys.pass_by()
        message = Answered(answer, self._wall_now(), is_followed)
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
