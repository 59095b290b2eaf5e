"""How full the hosts of a cell are, in memory, and how the connection that reads learns what the other one wrote.

The one that writes keeps its entries in step with each write. When a commit is about to become visible it leaves the
entries that changed under the commit's epoch; a reader whose snapshot has come that far takes them over and reads
nothing again. What was left for a commit that fails is overwritten by the next, before anybody can have come to it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from backend.cloud.backfill import HostLoad
from backend.cloud.model import Drive, HostKind, Server
from backend.cloud.placement import StorageLoad

T = TypeVar("T")

COMMITS_LEFT_MAX = 512
"""How many commits a reader may be behind before it reads all hosts again."""


class Whole(NamedTuple):
    """All compute hosts of a snapshot, for the connection that has not read them yet."""

    epoch: int
    compute: dict[str, HostLoad]


class Left(NamedTuple):
    """What one commit changed: the entries of its hosts; None where the writer had none."""

    compute: dict[str, HostLoad | None]
    storage: dict[str, StorageLoad | None]
    are_names_changed: bool


class Shared:
    """What a cell's connections have from each other: one of them writes, and a step on each of these is one step."""

    def __init__(self) -> None:
        self.left: dict[int, Left] = {}
        """By epoch."""
        self.whole: Whole | None = None


class Loads:
    """Those that have been asked for. Entries are immutable, and replaced."""

    def __init__(self) -> None:
        self.names: dict[HostKind, list[str]] = {}
        """In order."""
        self.compute: dict[str, HostLoad] = {}
        self.storage: dict[str, StorageLoad] = {}
        self.shared = Shared()
        self.stale: set[str] | None = None
        """Compute hosts that have changed since somebody cleared it; None: any may have."""
        self._host_of: dict[str, str] = {}
        """Where a server that was changed was then. It may have left since: only what is on the host is certain."""
        self._of_job: set[str] = set()
        self._of_batch: set[str] = set()
        self._are_names_changed = False
        self._epoch: int | None = None

    def find_server(self, id: str) -> Server | None:
        """The server, where it is known to be on a host that is known."""
        load = self.compute.get(self._host_of.get(id, ""))
        return None if load is None else load.find_server(id)

    # In step with what is written

    def change_server(self, before: Server | None, after: Server | None) -> None:
        old = before.host if before is not None else None
        new = after.host if after is not None else None
        if after is not None and new is not None:
            self._host_of[after.id] = new
        elif before is not None:
            self._host_of.pop(before.id, None)
        if old is not None:
            self._touch(old)
            load = self.compute.get(old)
            if load is not None:
                self.compute[old] = load.changed(before, after if new == old else None)
        if new is not None and new != old:
            self._touch(new)
            load = self.compute.get(new)
            if load is not None:
                self.compute[new] = load.changed(None, after)

    def change_drive(self, before: Drive | None, after: Drive | None) -> None:
        for drive, sign in ((before, -1), (after, 1)):
            if drive is None:
                continue
            self._of_job.add(drive.host)
            load = self.storage.get(drive.host)
            if load is not None:
                drives = load.drives - {drive.id} if sign < 0 else load.drives | {drive.id}
                self.storage[drive.host] = StorageLoad(load.host, load.used_bytes + sign * drive.size_bytes, drives)

    def change_host(self, name: str, *, is_new: bool = False) -> None:
        self._touch(name)
        self.compute.pop(name, None)
        self.storage.pop(name, None)
        if is_new:
            self._are_names_changed = True
            self.names.clear()

    def _touch(self, host: str) -> None:
        self._of_job.add(host)
        if self.stale is not None:
            self.stale.add(host)

    # Jobs and batches

    def keep_job(self) -> None:
        self._of_batch |= self._of_job
        self._of_job.clear()

    def drop_job(self) -> None:
        self._drop(self._of_job)

    def keep_batch(self) -> None:
        self._of_batch.clear()
        self._are_names_changed = False

    def drop_batch(self) -> None:
        self._drop(self._of_job)
        self._drop(self._of_batch)
        self._are_names_changed = False

    def _drop(self, hosts: set[str]) -> None:
        if hosts:
            self.names.clear()
        for host in hosts:
            self.compute.pop(host, None)
            self.storage.pop(host, None)
        if self.stale is not None:
            self.stale |= hosts
        hosts.clear()

    def forget(self) -> None:
        self._host_of.clear()
        self.names.clear()
        self.compute.clear()
        self.storage.clear()
        self.stale = None

    # From the one that writes to those that read

    def leave(self, epoch: int) -> None:
        """Before the batch is committed as this epoch."""
        self.shared.left[epoch] = Left(
            {host: self.compute.get(host) for host in self._of_batch},
            {host: self.storage.get(host) for host in self._of_batch},
            self._are_names_changed,
        )
        self.shared.left.pop(epoch - COMMITS_LEFT_MAX, None)
        self._epoch = epoch

    def share_whole(self) -> None:
        """All hosts were read: another connection need not read, and keep, them a second time."""
        if self._epoch is not None and not self._of_job and not self._of_batch:
            self.shared.whole = Whole(self._epoch, self.compute.copy())

    def take_whole(self) -> bool:
        """Take over what another connection has read. Whether there was anything that can be brought up to date."""
        whole, epoch = self.shared.whole, self._epoch
        if whole is None or epoch is None or whole.epoch > epoch or self._of_job or self._of_batch:
            return False
        self.shared.whole = None
        compute = whole.compute.copy()
        for number in range(whole.epoch + 1, epoch + 1):
            left = self.shared.left.get(number)
            if left is None or left.are_names_changed:
                return False
            _take_over(compute, left.compute)
        self.compute.update(compute)
        return True

    def catch_up(self, epoch: int) -> None:
        """The snapshot is of this epoch: take over what was left since the last one, or forget everything."""
        before, self._epoch = self._epoch, epoch
        if before is None or not before < epoch <= before + COMMITS_LEFT_MAX:
            self.forget()
            return
        for number in range(before + 1, epoch + 1):
            left = self.shared.left.get(number)
            if left is None:
                self.forget()
                return
            if left.are_names_changed:
                self.names.clear()
            _take_over(self.compute, left.compute)
            if self.stale is not None:
                self.stale |= left.compute.keys()
            _take_over(self.storage, left.storage)


def _take_over(entries: dict[str, T], left: dict[str, T | None]) -> None:
    for host, entry in left.items():
        if entry is None:
            entries.pop(host, None)
        else:
            entries[host] = entry
