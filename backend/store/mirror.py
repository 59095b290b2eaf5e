"""What was last known of every server, drive and host, kept in cloud.db behind the cells' commits.

Written in batches: at most half a second of it is missing after a crash, and then the cell's events say of
which objects. Nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backend.cloud.errors import Unreachable
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.lane import CommitDetails
from backend.store.rows import DRIVE, HOST, SERVER, Table
from backend.store.transaction import Touched

if TYPE_CHECKING:
    from backend.store.fleet import Store

_TABLES: Mapping[str, Table[Any]] = {"server": SERVER, "drive": DRIVE, "host": HOST}


@dataclass(slots=True)
class _Pending:
    """What one cell has committed and cloud.db does not tell yet."""

    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By kind and id; None when it was removed."""
    epoch: int = 0
    event_number: int = 0
    open_tasks: int | None = None
    """As its last commit left them; None where that was not told."""


def pictures_of(latest: Mapping[tuple[str, str], Any]) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Kind, id and picture of each object by kind and id, made one by one: they are several times the objects."""
    for (kind, id_), thing in latest.items():
        yield kind, id_, None if thing is None else _TABLES[kind].picture(thing)


def touched_since(
    transaction: CellTransaction, number: int, *, known: Collection[tuple[str, str]] = ()
) -> tuple[list[Touched], int]:
    """What the events after `number` are about, as it is now, and the number of the last of them.

    What is `known`, by kind and id, is left out.
    """
    touched: list[Touched] = []
    about = transaction.objects_after(number)
    for kind, find in (
        ("server", transaction.servers),
        ("drive", transaction.drives),
        ("host", transaction.hosts_named),
    ):
        ids = sorted(id_ for id_ in about.get(kind, ()) if (kind, id_) not in known)
        found: Mapping[str, Any] = find(ids) if ids else {}
        touched += [(kind, id_, found.get(id_)) for id_ in ids]
    return touched, max(number, transaction.last_event_number())


class Mirror:
    """Collects on the loop, writes in cloud.db's lane."""

    def __init__(self, store: Store, wall: Callable[[], datetime]) -> None:
        self.mirrored: dict[str, int] = {}
        """The last event of each cell that cloud.db tells of."""
        self.behind: set[str] = set()
        """Cells that have just (re)opened: what they committed may never have been mirrored."""
        self._store = store
        self._wall = wall
        self._pending: dict[str, _Pending] = {}
        self._come_to: dict[str, int] = {}
        """The epoch that was written of each cell while its past was not caught up with."""
        self._flushing = asyncio.Lock()

    def take(self, cell: str, details: CommitDetails) -> None:
        pending = self._pending.setdefault(cell, _Pending())
        for kind, id_, thing in details.touched:
            pending.objects[kind, id_] = thing
        pending.epoch = details.epoch
        pending.event_number = details.commit.event_number
        pending.open_tasks = details.open_tasks

    async def flush(self) -> None:
        async with self._flushing:
            await self._catch_up()
            await self._write()

    async def _write(self) -> None:
        # A cell whose past is not caught up with keeps its news, or the gap would be forgotten. How far it has come is
        # written all the same: an older copy of it would be taken for the cell otherwise.
        pending = {cell: news for cell, news in self._pending.items() if cell not in self.behind}
        come_to = {
            cell: news.epoch
            for cell, news in self._pending.items()
            if cell in self.behind and news.epoch > self._come_to.get(cell, 0)
        }
        for cell in pending:
            del self._pending[cell]
        if not pending and not come_to:
            return
        known_at = self._wall()

        def write(transaction: CloudTransaction) -> None:
            for cell, epoch in come_to.items():
                transaction.save_progress(cell, epoch=epoch, mirrored_event=self.mirrored[cell])
            for cell, news in pending.items():
                transaction.save_last_known(cell, pictures_of(news.objects), known_at=known_at)
                transaction.save_progress(cell, epoch=news.epoch, mirrored_event=news.event_number)
                if news.open_tasks is not None:
                    transaction.save_open_tasks(cell, news.open_tasks)

        try:
            await self._store.cloud_write(write)
        except BaseException:
            # Whatever came meanwhile is newer.
            for cell, older in pending.items():
                news = self._pending.setdefault(cell, older)
                news.objects = {**older.objects, **news.objects}
                news.open_tasks = older.open_tasks if news.open_tasks is None else news.open_tasks
            raise
        self._come_to.update(come_to)
        for cell, news in pending.items():
            self.mirrored[cell] = max(self.mirrored[cell], news.event_number)

    async def _catch_up(self) -> None:
        for cell in sorted(self.behind):
            mirrored = self.mirrored[cell]
            known = set(self._pending[cell].objects) if cell in self._pending else set()
            try:
                (touched, number), (open_tasks, _) = await self._store.cell_read(
                    cell,
                    lambda transaction, since=mirrored, known=known: (  # type: ignore[misc]
                        touched_since(transaction, since, known=known),
                        transaction.count_tasks(),
                    ),
                )
            except Unreachable:
                continue
            self.behind.discard(cell)
            if number == mirrored:
                continue
            pending = self._pending.setdefault(cell, _Pending())
            for kind, id_, thing in touched:
                pending.objects.setdefault((kind, id_), thing)
            pending.event_number = max(pending.event_number, number)
            pending.open_tasks = open_tasks if pending.open_tasks is None else pending.open_tasks
