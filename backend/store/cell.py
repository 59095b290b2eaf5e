"""One cell's hosts, servers and drives, and how full its hosts are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import orjson

from backend.cloud.backfill import HostLoad
from backend.cloud.index import HostIndex
from backend.cloud.model import Drive, Host, HostKind, Server, Size
from backend.cloud.placement import Policy, StorageLoad
from backend.store.forgetting import CellForgettingTransaction
from backend.store.loads import Loads, Shared
from backend.store.rows import DRIVE, HOST, SERVER, Difference, Row, Table, json_of, words_of
from backend.store.transaction import Touched, Transaction

T = TypeVar("T")

_HOSTS_ONE_BY_ONE = 8
_SERVERS_ON_HOSTS = "WHERE host IS NOT NULL AND id > ? ORDER BY id LIMIT ?"
_ROWS_AT_ONCE = 2_000
"""Up to so many hosts are loaded by one query each, more by one query for all."""

_DRIVES_OF_SERVER = f"{DRIVE.select} WHERE server_id = ? ORDER BY channel, id"
_OF_SERVERS = "WHERE server_id IN (SELECT value FROM json_each(?)) ORDER BY channel, id"
_DRIVES_OF_HOST = "SELECT id, size_bytes FROM drive WHERE host = ?"
_TO_RESTART = (
    "WHERE restarts = 1 AND reason = 'displaced' AND cpu_mhz <= ? AND memory_bytes <= ?"
    " ORDER BY displaced_at, id LIMIT ?"
)
# Left to choose, SQLite looks through all whose owner wants them back, most of which run.
_ANY_TO_RESTART = (
    "SELECT 1 FROM server INDEXED BY server_to_restart WHERE restarts = 1 AND reason = 'displaced' LIMIT 1"
)
_STOPPED_SIZE = (
    "SELECT coalesce(sum(cpu_mhz), 0), coalesce(sum(memory_bytes), 0) FROM server"
    " WHERE state = 'stopped' AND is_backfilling = 0"
)


def _as_stored(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same after a round trip through JSON: what a reader of the file will see."""
    stored: dict[str, Any] = orjson.loads(json_of(dict(value)))
    return stored


class CellTransaction(CellForgettingTransaction):
    """A job's view of one cell file.

    The load of every host, and how full the storage hosts are, are kept in memory: a write changes the entries of the
    hosts it touches, a rollback drops them, and what another connection wrote is taken over from it. So a decision over
    all hosts reads none of them from the file.
    """

    def __init__(self, connection: sqlite3.Connection, cell: str) -> None:
        super().__init__(connection, cell)
        self.cell = cell
        self._loads = Loads()
        self._index: HostIndex | None = None
        self._touched_by_job: list[Touched] = []
        self._touched_by_batch: list[Touched] = []

    # Servers

    def find_server(self, id: str) -> Server | None:
        return self._loads.find_server(id) or self._find(SERVER, id)

    def server(self, id: str) -> Server:
        """NotFound if there is none."""
        return self._loads.find_server(id) or self._get(SERVER, id)

    def servers(self, ids: Iterable[str]) -> dict[str, Server]:
        """Those of `ids` that exist, by id."""
        return {server.id: server for server in self._listed(SERVER, ids)}

    def all_servers(self) -> list[Server]:
        """By (created_at, id)."""
        return self._list(SERVER, "ORDER BY created_at, id")

    def add_server(
        self,
        server: Server,
        *,
        at: datetime,
        actor: str,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> bool:
        """Insert it, and emit `server.created`, unless its id is there already: then nothing, and False."""
        if server.state_since is None:
            server = replace(server, state_since=server.created_at)
        if self._do(SERVER.insert, SERVER.stored(server)).rowcount == 0:
            return False
        self._loads.change_server(None, server)
        self._created(SERVER, server, at=at, actor=actor, request_id=request_id, details=details)
        self._touched_by_job.append(("server", server.id, server))
        return True

    def save_server(
        self,
        before: Server,
        after: Server,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Server:
        """Write the changed columns with version + 1, and the event `kind` that has them before and after.

        Returns what is stored. With nothing changed, writes nothing and emits nothing.
        """
        difference = SERVER.difference(before, after)
        if difference is None:
            return before
        after = SERVER.with_version(after, before.version + 1)
        return self._saved(before, after, difference, kind, at=at, actor=actor, request_id=request_id, details=details)

    def change_server(
        self,
        before: Server,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        details: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Server:
        """As `save_server`, with these fields of the server changed."""
        changed = SERVER.changed(before, fields)
        if changed is None:
            return before
        return self._saved(before, *changed, kind, at=at, actor=actor, request_id=None, details=details)

    def _saved(
        self,
        before: Server,
        after: Server,
        difference: Difference,
        kind: str,
        *,
        at: datetime,
        actor: str,
        request_id: str | None,
        details: Mapping[str, Any] | None,
    ) -> Server:
        self._write(difference, before.id, before.version)
        if "attributes" in difference.changes or "meta" in difference.changes:
            after = replace(after, attributes=_as_stored(after.attributes), meta=_as_stored(after.meta))
        self._loads.change_server(before, after)
        self._touched_by_job.append(("server", after.id, after))
        self.emit(
            kind,
            "server",
            after.id,
            at=at,
            version=after.version,
            actor=actor,
            changes=difference.changes,
            details=details,
            request_id=request_id,
        )
        return after

    def remove_server(self, server: Server, *, at: datetime, actor: str, request_id: str | None = None) -> None:
        """Delete it and emit `server.deleted`; nothing if it has gone already."""
        if self._do(SERVER.delete, (server.id,)).rowcount == 0:
            return
        self._loads.change_server(server, None)
        self._deleted(SERVER, server, at=at, actor=actor, request_id=request_id)

    def grouped_servers(self) -> list[Server]:
        """Those that carry the tag of an availability group, by id."""
        return self._list(SERVER, "WHERE instr(tags, '\"group:') > 0 ORDER BY id")

    def tagged(self) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
        """What carries a tag: kind, id, project, owner's name and tags of each, servers before drives, by id."""
        found = []
        for kind in ("server", "drive"):
            text = f"SELECT id, project_id, owner, tags FROM {kind} WHERE tags <> '[]' ORDER BY id"  # noqa: S608
            found += [(kind, id_, project, owner, words_of(tags)) for id_, project, owner, tags in self._run(text)]
        return found

    def servers_to_restart(self, room: Size, *, limit: int) -> list[Server]:
        """Those that were stopped for room, whose owner wants them back, and of no larger size than `room`.

        In the order in which they were stopped.
        """
        return self._list(SERVER, _TO_RESTART, (room.cpu_mhz, room.memory_bytes, limit))

    def has_servers_to_restart(self) -> bool:
        """Whether there is any that was stopped for room and whose owner wants it back."""
        return self._do(_ANY_TO_RESTART).fetchone() is not None

    def servers_restarting(self, owner: str) -> list[Server]:
        """Those of the owner's that are to be started again whenever they were stopped for room, by id."""
        return self._list(SERVER, "WHERE restarts = 1 AND owner = ? ORDER BY id", (owner,))

    def server_rows(self, tail: str, values: tuple[Any, ...]) -> list[Row]:
        """Rows as they are, for whoever takes only some of them."""
        return self._rows(SERVER, tail, values)

    def count_servers(self) -> int:
        return int(self._run("SELECT count(*) FROM server").fetchone()[0])

    def stopped_size(self) -> Size:
        """What the stopped normal servers add up to: the cell's pledges."""
        return Size(*self._run(_STOPPED_SIZE).fetchone())

    # Drives

    def find_drive(self, id: str) -> Drive | None:
        return self._find(DRIVE, id)

    def drive(self, id: str) -> Drive:
        """NotFound if there is none."""
        return self._get(DRIVE, id)

    def drives(self, ids: Iterable[str]) -> dict[str, Drive]:
        """Those of `ids` that exist, by id."""
        return {drive.id: drive for drive in self._listed(DRIVE, ids)}

    def all_drives(self) -> list[Drive]:
        """By (created_at, id)."""
        return self._list(DRIVE, "ORDER BY created_at, id")

    def places_of_drives(self) -> list[tuple[str, str, str]]:
        """Id, project and host of every drive."""
        return self._run("SELECT id, project_id, host FROM drive").fetchall()

    def drives_of(self, server_id: str) -> list[Drive]:
        """Those attached to the server, in the order of their channels."""
        return [DRIVE.of(row, self.cell) for row in self._do(_DRIVES_OF_SERVER, (server_id,))]

    def drives_of_servers(self, server_ids: Collection[str]) -> list[Drive]:
        """Those attached to any of the servers, in the order of their channels. Costs what there is of them."""
        return self._list(DRIVE, _OF_SERVERS, (json_of(sorted(server_ids)),))

    def drives_on(self, host: str) -> list[Drive]:
        """Those on one storage host, by id."""
        return self._list(DRIVE, "WHERE host = ? ORDER BY id", (host,))

    def servers_of_lost_drives(self) -> frozenset[str]:
        """The ids of the servers, of any cell, that a drive of this cell is attached to and lost."""
        rows = self._run("SELECT DISTINCT server_id FROM drive WHERE state = 'unavailable' AND server_id IS NOT NULL")
        return frozenset(server_id for (server_id,) in rows)

    def servers_without_storage(self) -> list[Server]:
        """Those that are paused, or will be once started, because a drive of theirs is lost; by id."""
        return self._list(SERVER, "WHERE reason = 'storage_lost' ORDER BY id")

    def mounts(self) -> dict[str, str | None]:
        """Of every drive, the server that it is attached to."""
        return dict(self._run("SELECT id, server_id FROM drive").fetchall())

    def add_drive(
        self,
        drive: Drive,
        *,
        at: datetime,
        actor: str,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> bool:
        """Insert it, and emit `drive.created`, unless its id is there already: then nothing, and False."""
        if drive.state_since is None:
            drive = replace(drive, state_since=drive.created_at)
        if self._run(DRIVE.insert, DRIVE.stored(drive)).rowcount == 0:
            return False
        self._loads.change_drive(None, drive)
        self._created(DRIVE, drive, at=at, actor=actor, request_id=request_id, details=details)
        self._touched_by_job.append(("drive", drive.id, drive))
        return True

    def save_drive(
        self,
        before: Drive,
        after: Drive,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Drive:
        """As `save_server`."""
        difference = DRIVE.difference(before, after)
        if difference is None:
            return before
        self._write(difference, before.id, before.version)
        after = DRIVE.with_version(after, before.version + 1)
        if "attributes" in difference.changes or "meta" in difference.changes:
            after = replace(after, attributes=_as_stored(after.attributes), meta=_as_stored(after.meta))
        if "size_bytes" in difference.changes or "host" in difference.changes:
            self._loads.change_drive(before, after)
        self._touched_by_job.append(("drive", after.id, after))
        self.emit(
            kind,
            "drive",
            after.id,
            at=at,
            version=after.version,
            actor=actor,
            changes=difference.changes,
            details=details,
            request_id=request_id,
        )
        return after

    def remove_drive(self, drive: Drive, *, at: datetime, actor: str, request_id: str | None = None) -> None:
        """Delete it and emit `drive.deleted`; nothing if it has gone already."""
        if self._run(DRIVE.delete, (drive.id,)).rowcount == 0:
            return
        self._loads.change_drive(drive, None)
        self._deleted(DRIVE, drive, at=at, actor=actor, request_id=request_id)

    # Hosts

    def hosts(self, kind: HostKind | None = None) -> list[Host]:
        """By name."""
        if kind is None:
            return self._list(HOST, "ORDER BY name")
        return self._list(HOST, "WHERE kind = ? ORDER BY name", (kind.value,))

    def has_host_of(self, size: Size) -> bool:
        """Whether a compute host has so much in all."""
        text = "SELECT 1 FROM host WHERE kind = 'compute' AND cpu_mhz >= ? AND memory_bytes >= ? LIMIT 1"
        return self._do(text, (size.cpu_mhz, size.memory_bytes)).fetchone() is not None

    def hosts_named(self, names: Iterable[str]) -> dict[str, Host]:
        """Those that exist, by name."""
        return {host.name: host for host in map(self.find_host, names) if host is not None}

    def find_host(self, name: str) -> Host | None:
        return self._find(HOST, name)

    def host(self, name: str) -> Host:
        """NotFound if there is none."""
        return self._get(HOST, name)

    def add_host(self, host: Host, *, at: datetime) -> None:
        """Insert it and emit `host.created`."""
        if host.state_since is None:
            host = replace(host, state_since=at)
        done = self._run(HOST.insert, HOST.stored(host))
        assert done.rowcount == 1, f"there is a host {host.name} already"
        self._loads.change_host(host.name, is_new=True)
        self._created(HOST, host, at=at, actor="cloud")
        self._touched_by_job.append(("host", host.name, host))

    def save_host(
        self,
        before: Host,
        after: Host,
        *,
        kind: str,
        at: datetime,
        actor: str = "cloud",
        details: Mapping[str, Any] | None = None,
    ) -> Host:
        """As `save_server`."""
        difference = HOST.difference(before, after)
        if difference is None:
            return before
        self._write(difference, before.name, before.version)
        after = HOST.with_version(after, before.version + 1)
        self._loads.change_host(after.name)
        self._touched_by_job.append(("host", after.name, after))
        self.emit(
            kind,
            "host",
            after.name,
            at=at,
            version=after.version,
            actor=actor,
            changes=difference.changes,
            details=details,
        )
        return after

    # As a whole

    def pictures(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every `host`, `server` or `drive` as events show it, by its key: what is not empty, by column."""
        tables: dict[str, Table[Any]] = {"host": HOST, "server": SERVER, "drive": DRIVE}
        table = tables[kind]
        return {row[0]: table.picture_of_row(row) for row in self._rows(table, f"ORDER BY {table.key}")}

    def epoch(self) -> int:
        """How many commits the file has had."""
        return int(self._do("SELECT epoch FROM identity").fetchone()[0])

    def file_epoch(self) -> int:
        """The epoch that was in the file itself when its log was begun anew."""
        return int(self._do("SELECT file_epoch FROM identity").fetchone()[0])

    # How full the hosts are

    def loads(self) -> list[HostLoad]:
        """Every compute host with the servers that hold it (by id), by host name."""
        names = self._names_of(HostKind.COMPUTE)
        loads = self._loads.compute
        missing = [name for name in names if name not in loads]
        if len(missing) > _HOSTS_ONE_BY_ONE and self._loads.take_whole():
            missing = [name for name in names if name not in loads]
        if len(missing) > _HOSTS_ONE_BY_ONE:
            self._load_all(missing)
            self._loads.share_whole()
        else:
            for name in missing:
                loads[name] = self._read_load(name)
        return [loads[name] for name in names]

    def index(self, *, policy: Policy, start_level_permille: int) -> HostIndex:
        """The compute hosts, ready for decisions: brought up to date with those that have changed since."""
        index = self._index
        if index is None or (index.policy, index.start_level_permille) != (policy, start_level_permille):
            index = self._index = HostIndex(policy=policy, start_level_permille=start_level_permille)
            self._loads.stale = None
        if self._loads.stale is None:
            index.fill(self.loads())
        else:
            # `load` may read, which changes nothing; in order, so that equal histories make equal indexes.
            for load in map(self.load, sorted(self._loads.stale)):
                if load.host.kind is HostKind.COMPUTE:
                    index.put(load)
        self._loads.stale = set()
        return index

    def load(self, host_name: str) -> HostLoad:
        """NotFound if there is no such host."""
        load = self._loads.compute.get(host_name)
        if load is None:
            load = self._loads.compute[host_name] = self._read_load(host_name)
        return load

    def server_on(self, host_name: str, id: str) -> Server:
        """A server that holds the host, from memory."""
        return self.load(host_name).server(id)

    def storage_loads(self) -> list[StorageLoad]:
        """Every storage host with the bytes and the ids of its drives, by host name."""
        names = self._names_of(HostKind.STORAGE)
        for name in names:
            if name not in self._loads.storage:
                drives = self._run(_DRIVES_OF_HOST, (name,)).fetchall()
                self._loads.storage[name] = StorageLoad(
                    self.host(name), sum(size for _, size in drives), frozenset(id_ for id_, _ in drives)
                )
        return [self._loads.storage[name] for name in names]

    def _names_of(self, kind: HostKind) -> list[str]:
        names = self._loads.names.get(kind)
        if names is None:
            rows = self._run("SELECT name FROM host WHERE kind = ? ORDER BY name", (kind.value,))
            names = self._loads.names[kind] = [name for (name,) in rows]
        return names

    def _read_load(self, name: str) -> HostLoad:
        return HostLoad(self.host(name), tuple(self._list(SERVER, "WHERE host = ? ORDER BY id", (name,))))

    def _load_all(self, missing: list[str]) -> None:
        wanted = set(missing)
        on_host: dict[str, list[Server]] = {name: [] for name in missing}
        at_host = SERVER.columns.index("host")
        # In pieces: the text of all rows of a large cell, and what it is parsed into, are several times its servers.
        rows = self._rows(SERVER, _SERVERS_ON_HOSTS, ("", _ROWS_AT_ONCE))
        while rows:
            for row in rows:
                if row[at_host] in wanted:
                    on_host[row[at_host]].append(SERVER.of(row, self.cell))
            rows = self._rows(SERVER, _SERVERS_ON_HOSTS, (rows[-1][0], _ROWS_AT_ONCE))
        for host in self.hosts(HostKind.COMPUTE):
            if host.name in wanted:
                self._loads.compute[host.name] = HostLoad(host, tuple(on_host[host.name]))

    def undone(self, work: Callable[[], T]) -> T:
        """What `work` gives, without anything of what it did in this transaction. Only before the job has written."""
        assert not self._touched_by_job, "what the job wrote before would be forgotten with it"
        self._run("SAVEPOINT undone")
        try:
            return work()
        finally:
            self._run("ROLLBACK TO undone")
            self._run("RELEASE undone")
            self.drop_job()

    # What the lane tells it

    def follow(self, shared: Shared) -> None:
        """Have with the cell's other connections what its commits leave for them."""
        self._loads.shared = shared

    def changed_elsewhere(self) -> None:
        Transaction.forget(self)
        self._loads.catch_up(self._do("SELECT epoch FROM identity").fetchone()[0])

    def forget(self) -> None:
        super().forget()
        self._loads.forget()

    def keep_job(self) -> None:
        super().keep_job()
        self._loads.keep_job()
        self._touched_by_batch += self._touched_by_job
        self._touched_by_job.clear()

    def drop_job(self) -> None:
        super().drop_job()
        self._loads.drop_job()
        self._touched_by_job.clear()

    def before_commit(self, epoch: int) -> None:
        self._loads.leave(epoch)

    def keep_batch(self) -> list[Touched]:
        super().keep_batch()
        self._loads.keep_batch()
        touched, self._touched_by_batch = self._touched_by_batch, []
        return touched

    def drop_batch(self) -> None:
        super().drop_batch()
        self._loads.drop_batch()
        self._touched_by_job.clear()
        self._touched_by_batch.clear()

    # Shared by the kinds

    def _listed(self, table: Any, ids: Iterable[str]) -> list[Any]:
        return self._list(table, "WHERE id IN (SELECT value FROM json_each(?))", (json_of(list(ids)),))

    def _created(
        self,
        table: Table[Any],
        thing: Any,
        *,
        at: datetime,
        actor: str,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.emit(
            f"{table.name}.created",
            table.name,
            getattr(thing, table.key),
            at=at,
            version=thing.version,
            actor=actor,
            changes={column: (None, value) for column, value in table.picture(thing).items()},
            details=details,
            request_id=request_id,
        )

    def _deleted(
        self,
        table: Table[Any],
        thing: Any,
        *,
        at: datetime,
        actor: str,
        request_id: str | None,
    ) -> None:
        self._touched_by_job.append((table.name, thing.id, None))
        self.emit(
            f"{table.name}.deleted",
            table.name,
            thing.id,
            at=at,
            version=thing.version + 1,
            actor=actor,
            changes={column: (value, None) for column, value in table.picture(thing).items()},
            request_id=request_id,
        )
