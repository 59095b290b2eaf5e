"""What one can ask of the cloud. Each operation: load, decide (in `backend.cloud`), save, emit.

An operation on one cell is one transaction there. One that spans cloud.db and a cell writes cloud.db first and last and
the cell in between (`settling`); each step may run twice, and `recovery` finishes or undoes what was left half-done by
a crash, or because cloud.db did not take the last step.

Functions ending in `_in_cell` are the transaction itself: they take a `CellTransaction`, never await, and are what the
engine, the seed and the replay call in bulk. The async functions around them find the cell, check who asks and send
the work there. `now` is always an argument of the former.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from backend.clock import Clock
from backend.cloud.errors import Conflict, NotFound
from backend.cloud.history import HISTORY_SECONDS_DEFAULT
from backend.cloud.lifecycle import GRACE_SECONDS_DEFAULT
from backend.cloud.model import Account
from backend.operations.accounting import Accounting
from backend.operations.kept import Kept
from backend.store import Commit, LogBeginning, Store, Transaction


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set for a whole cloud; kept in cloud.db."""

    grace_seconds: int = GRACE_SECONDS_DEFAULT
    floor_permille: int = 250
    """The least factor of a backfilling server, in thousandths; its own thresholds may raise it."""
    placement: Literal["spread", "pack"] = "spread"
    start_level_permille: int = 1000
    """A backfilling server starts where everybody could still have this share of its size."""
    list_records_by_skipping_down_cells: bool = True
    """Whether a list of the Compute API that cannot show partial rows leaves out the cells that do not answer, or
    fails. **Source**: Nova's setting of this name."""
    default_cpu_type: Literal["amd", "intel"] = "amd"
    """Of a server that CloudSigma's API makes without naming one. **Source**: CloudSigma API 2.0, "Servers"."""

    rate_limits: bool = False
    """Whether CloudSigma's API refuses more requests a minute than are published."""

    history_seconds: int = HISTORY_SECONDS_DEFAULT
    """For how long the log, and the tasks that have ended, are kept at least, in the cloud's time."""

    hard_groups: frozenset[str] = frozenset()
    """No setting, and never stored with them: the ids of the server groups whose members may not share a host, so that
    who decides in a cell knows them."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Settings:
        return cls(**{key: stored[key] for key in cls.__slots__ if key in stored})


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request that may be repeated: the same key and digest get the same answer, another digest is a conflict."""

    key: str
    digest: str

    def remembered(self, tx: Transaction) -> Any | None:
        """What was answered to this request before; None the first time.

        Raises:
            Conflict: the key was used for another request.
        """
        found = tx.remembered(self.key)
        if found is None:
            return None
        digest, answer = found
        if digest != self.digest:
            raise Conflict("This Idempotency-Key was used for another request.")
        return answer


class Rehearsed(Protocol):
    """A rehearsal that is under way, or over."""

    async def told(self) -> Mapping[str, Any]:
        """How far it is, and what has become of the cloud, as plain values."""


class Cloud:
    """What every operation needs: the store, the clock, the settings, and who is waiting for news."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.settings = Settings.of(store.settings)
        self.kept: Kept[Any] = Kept(lambda: store.revision)
        """By the function that works it out, and what that is given."""
        self.accounting = Accounting()
        self.live: set[str] = set()
        """Ids with an operation under way in this process: recovery leaves them alone."""
        self.unsettled: set[str] = set()
        """Cells with something half-way that cloud.db did not take the end of."""
        self.resumed_at: dict[str, datetime] = {}
        """When each cell last came back, in simulated time: its waiting tasks run no earlier than this."""
        self.next_due: dict[str, datetime | None] = {}
        self.log_beginnings: dict[str, LogBeginning] = {}
        """By file, as far as it has been looked at."""
        self.rehearsal: Rehearsed | None = None
        """What is rehearsed on this cloud; None on one that is no rehearsal's."""
        self.engine_wake = asyncio.Event()
        self._news = asyncio.Event()
        self._is_ending = False
        self._accounts: dict[str, Account] | None = None
        store.on_commit = self._committed
        store.on_doubt = self._doubted

    def _committed(self, commit: Commit) -> None:
        self.next_due[commit.file] = commit.next_due
        self.engine_wake.set()
        self.tell()

    def _doubted(self) -> None:
        """Something may have been entered, and whoever wanted it has given up."""
        for cell in self.store.cell_names:
            self.leave_unsettled(cell)

    def leave_unsettled(self, cell: str) -> None:
        """The engine has it finished or undone as soon as that can be done."""
        self.unsettled.add(cell)
        self.engine_wake.set()

    def tell(self) -> None:
        """Wake everybody who waits for something to change."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def end(self) -> None:
        """Nothing will change any more: whoever waits for something to change gives up."""
        self._is_ending = True
        self.tell()

    def history_since(self) -> datetime | None:
        """From when on every moment can be rebuilt; None while nothing has been forgotten."""
        at = max((each.at for each in self.log_beginnings.values()), default="")
        return datetime.fromisoformat(at) if at else None

    @property
    def is_ending(self) -> bool:
        """Whether nothing will change any more."""
        return self._is_ending

    async def changed(self, seconds: float) -> bool:
        """Wait until something has changed, at most `seconds`; whether it has. At the end it has not."""
        if self._is_ending:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return not self._is_ending

    async def accounts(self) -> dict[str, Account]:
        if self._accounts is None:
            found = await self.store.cloud_read(lambda tx: tx.accounts())
            self._accounts = {account.name: account for account in found}
        return self._accounts

    async def account(self, name: str) -> Account:
        """Raises NotFound."""
        accounts = await self.accounts()
        if name not in accounts:
            raise NotFound("account", name)
        return accounts[name]

    def forget_accounts(self) -> None:
        """After a change of an account, a project or a membership."""
        self._accounts = None


def check_version(found: int, wanted: int | None) -> None:
    """Raises Conflict when the object has changed since the version that the caller saw."""
    if wanted is not None and found != wanted:
        raise Conflict(f"It has changed: you saw version {wanted}, it is at {found} now. Look again.")
