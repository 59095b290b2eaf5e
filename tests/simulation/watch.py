"""What must hold after each step: what `stratodeck check` checks, of all that has changed; and every promise."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend import check as checking
from backend.certificate_checker import CertificateChecker
from backend.check import Report
from backend.decision_checker import Rules
from backend.event_log import Breach, CellLog, Event
from backend.store import CellEntry, CellTransaction, CloudTransaction
from backend.store.entries import (
    DRIVE_ENTRY_COLUMNS,
    SERVER_ENTRY_COLUMNS,
    drive_entry_of,
    server_entry_of,
)
from backend.store.looking import FolderLook
from backend.store.rows import DRIVE, HOST, SERVER, Table
from tests.simulation.asking import ENDED, MADE

_EVENTS_AFTER = """
SELECT number, at, kind, object_kind, object_id, object_version, changes, details FROM event
WHERE number > ? ORDER BY number
"""
_SERVER_ROWS = f"SELECT {SERVER_ENTRY_COLUMNS} FROM server_directory"
_DRIVE_ROWS = f"SELECT {DRIVE_ENTRY_COLUMNS} FROM drive_directory"
_BACKING = (
    "SELECT id, parent_id, schedule_id, description, * FROM backup ORDER BY id",
    "SELECT id, description FROM schedule ORDER BY id",
    "SELECT kind, object_id FROM task WHERE state = 'open' ORDER BY id",
)
TABLES: Mapping[str, Table[Any]] = {"host": HOST, "server": SERVER, "drive": DRIVE}
_MADE_NAME = re.compile(r"s\d+")


class Wrong(Exception):
    """What must not be. Its text is a sentence without a full stop."""


@dataclass
class Promises:
    """What was acknowledged, and what may or may not have been."""

    there: dict[tuple[str, str], str] = field(default_factory=dict)
    """By kind and id, what the story calls it."""
    gone: dict[tuple[str, str], str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What servers were called last."""
    attached: dict[str, set[str]] = field(default_factory=dict)
    """The servers that each drive may be attached to."""
    shown: dict[str, str] = field(default_factory=dict)
    """Of which drive each snapshot is."""
    revision: int = 0
    """One more whenever something was promised, or is promised no more."""

    def kept(self, deed: str, values: Mapping[str, Any], ids: Mapping[str, str]) -> None:
        """A step was acknowledged."""
        self.revision += 1
        if deed in MADE:
            kind, which = MADE[deed]
            key = (kind, ids[values[which]])
            if key not in self.gone:
                self.there[key] = values[which]
            if kind == "snapshot":
                self.shown[key[1]] = ids.get(values["drive"], "")
        elif deed in ENDED:
            self.unknown(deed, values, ids)
            kind, which = ENDED[deed]
            if kind != "backup":
                self.gone[kind, ids[values[which]]] = values[which]
        elif deed in ("rename", "resize") and values["server"] in ids:
            self.unknown(deed, values, ids)
            if deed == "rename":
                self.names[ids[values["server"]]] = values["name"]
        elif deed == "attach":
            self.attached[ids[values["drive"]]] = {ids[values["server"]]}

    def unknown(self, deed: str, values: Mapping[str, Any], ids: Mapping[str, str]) -> None:
        """A step was done, or not."""
        self.revision += 1
        if deed in ENDED:
            kind, which = ENDED[deed]
            id = ids.get(values[which], "")
            self.there.pop((kind, id), None)
            if kind == "server" and values.get("with_drives"):
                for drive in [drive for drive, servers in self.attached.items() if id in servers]:
                    self._may_be_gone(drive)
            elif kind == "drive":
                self._may_be_gone(id)
        elif deed in ("rename", "resize"):
            self.names.pop(ids.get(values["server"], ""), None)
        elif deed == "attach" and values["drive"] in ids:
            self.attached.setdefault(ids[values["drive"]], set()).add(ids.get(values["server"], ""))

    def _may_be_gone(self, drive: str) -> None:
        """With its snapshots."""
        self.there.pop(("drive", drive), None)
        for snapshot in [snapshot for snapshot, of in self.shown.items() if of == drive]:
            self.there.pop(("snapshot", snapshot), None)


@dataclass
class _Known:
    """One cell's file as it was read last."""

    log: CellLog
    checker: CertificateChecker
    epoch: int = -1
    version: int = -1
    """SQLite's, of the connection that is open: it is another one once anybody else has committed."""
    last: Any = None
    """The last event that was read, as it is stored."""
    cell: checking._Cell | None = None
    tx: CellTransaction | None = None
    rows: dict[str, Rows] = field(default_factory=lambda: {kind: Rows() for kind in TABLES})
    """By kind, what the pictures of the cell are made of."""
    loose: set[str] = field(default_factory=set)
    """Servers and drives that have changed, here or centrally, since what is reserved for them was compared."""
    injected: Any = None
    """The fault that was injected when that was done."""


class Rows:
    """A table as it was read last, by the key, which is its first column."""

    def __init__(self) -> None:
        self.by_key: dict[str, Sequence[Any]] = {}

    def take(self, rows: Iterable[Sequence[Any]]) -> set[str]:
        """The keys of those that are new, otherwise, or gone."""
        before, self.by_key = self.by_key, {row[0]: row for row in rows}
        if before == self.by_key:
            return set()
        return {key for key in before.keys() | self.by_key.keys() if before.get(key) != self.by_key.get(key)}


class Watch:
    def __init__(self, folder: Path, promises: Promises) -> None:
        self._folder = folder
        self._promises = promises
        self._stack = ExitStack()
        self._seen: FolderLook | None = None
        self._known: dict[str, _Known] = {}
        self._cloud_log = CellLog()
        self._cloud_last: Any = None
        self._cloud_version = -1
        self._entries: Sequence[CellEntry] = ()
        self._server_rows, self._drive_rows = Rows(), Rows()
        """What is entered centrally."""
        self._snapshots: set[str] = set()
        self._backing: list[list[Any]] = [[], [], []]
        """Backups, schedules, and what looks after them."""
        self._revision_checked = -1
        self._digest = hashlib.sha256()
        self.events = 0
        self.wholes = 0

    def close(self) -> None:
        """Of the files; what is known of them stays known."""
        self._stack.close()
        self._stack = ExitStack()
        self._seen = None
        self._cloud_version = -1
        for known in self._known.values():
            known.tx = None
            known.epoch = known.version = -1

    def forget(self, cell: str) -> None:
        """The file of the cell is about to be another one: nothing of it is kept open."""
        self.close()

    def digest(self) -> bytes:
        """Of all events so far."""
        return self._digest.digest()

    def step(self, cells: Iterable[str], *, is_whole: bool, unsettled: Collection[str] = ()) -> None:
        """Raises Wrong.

        Args:
            cells: Those whose files are what they should be.
            unsettled: Those of which cloud.db may tell otherwise than they are for now.
        """
        try:
            self._step(list(cells), unsettled, is_whole=is_whole)
        except Breach as breach:
            raise Wrong(str(breach)) from breach

    def _step(self, readable: Sequence[str], unsettled: Collection[str], *, is_whole: bool) -> None:
        seen = self._look()
        versions = {"cloud": _version(seen.cloud)}
        versions |= {name: _version(known.tx) for name, known in self._known.items() if known.tx is not None}
        is_cloud_changed = versions["cloud"] != self._cloud_version
        stale = [name for name in readable if name not in versions or self._known[name].version != versions[name]]
        is_promise_new = self._revision_checked != self._promises.revision
        if not (is_cloud_changed or stale or is_promise_new or is_whole):
            return
        self._begin(seen)
        if is_cloud_changed:
            self._read_cloud(seen, versions["cloud"])
        entries = self._entries
        changed = [
            entry.name for entry in entries if entry.name in stale and self._read(seen, entry, versions.get(entry.name))
        ]
        # Where nothing was written, what is half-way may be ended just now, though it counts as settled.
        for entry in entries if changed or is_cloud_changed else ():
            if entry.name in readable and entry.name not in unsettled and entry.name in self._known:
                self._compare_reserved(self._known[entry.name], entry)
        if changed or is_cloud_changed or is_promise_new:
            self._check_promises(readable)
            self._revision_checked = self._promises.revision
        self._rest()
        if is_whole and len(readable) == len(entries) and not unsettled:
            self.wholes += 1
            found = checking.check(self._folder)
            if found.breach is not None:
                raise Wrong(found.breach)

    def _look(self) -> FolderLook:
        if self._seen is None:
            self._seen = FolderLook(self._folder, self._stack)
            self._rest()
        return self._seen

    def _begin(self, seen: FolderLook) -> None:
        seen.cloud._connection.execute("BEGIN")
        seen.cloud.changed_elsewhere()

    def _rest(self) -> None:
        """No snapshot is held between steps: it would keep the log from being taken into the file."""
        assert self._seen is not None
        for tx in (self._seen.cloud, *(known.tx for known in self._known.values())):
            if tx is not None and tx._connection.in_transaction:
                tx._connection.execute("ROLLBACK")

    def _read(self, seen: FolderLook, entry: CellEntry, version: int | None) -> bool:
        """Whether anything is new of the cell. What is new is checked, and what hangs together with it."""
        known = self._known.get(entry.name)
        if known is None:
            log, rules = CellLog(), Rules.of(seen.cloud.settings())
            known = self._known[entry.name] = _Known(log, CertificateChecker(log, rules))
        if known.tx is None:
            known.tx = seen.cell(entry.name)
            self._is_as_it_was(entry.name, known.tx._connection, known.last)
            version = _version(known.tx)
        else:
            known.tx._connection.execute("BEGIN")
            known.tx.changed_elsewhere()
        assert version is not None, "its file was open"
        known.version = version
        epoch = known.tx.epoch()
        if epoch < entry.epoch:
            raise Wrong(f"{entry.name} is older than what was acknowledged: {epoch} commits of {entry.epoch}")
        if epoch == known.epoch:
            return False
        known.epoch = epoch
        told: set[str] = set()
        for row in known.tx._connection.execute(_EVENTS_AFTER, (known.log.number,)):
            known.last = tuple(row)
            self._digest.update(repr(known.last).encode())
            self.events += 1
            event = Event.of(row)
            known.checker.look(event)
            known.log.take(event)
            told.add(event.object_id)
        before = known.cell or checking._Cell(entry, known.tx)
        known.cell = checking._Cell(entry, known.tx, before.hosts, before.servers, before.drives)
        with checking._named(entry.name):
            self._check_cell(known, known.cell, told)
        return True

    def _check_cell(self, known: _Known, cell: checking._Cell, told: set[str]) -> None:
        """What is stored of the cell: on each host on which anything has changed, and whether it is as it was told."""
        report = Report()
        hosts: set[Any] = set()
        changed = set(told)
        for kind, pictures in (("host", cell.hosts), ("server", cell.servers), ("drive", cell.drives)):
            table, rows = TABLES[kind], known.rows[kind]
            for id in rows.take(cell.tx._connection.execute(table.select)):
                changed.add(id)
                hosts |= {id, pictures.get(id, {}).get("host")}
                if (row := rows.by_key.get(id)) is None:
                    pictures.pop(id, None)
                else:
                    pictures[id] = table.picture_of_row(row)
                    hosts.add(pictures[id].get("host"))
        known.loose |= changed
        part = checking._Cell(
            cell.entry,
            cell.tx,
            {name: host for name, host in cell.hosts.items() if name in hosts},
            {id: server for id, server in cell.servers.items() if id in changed or server.get("host") in hosts},
            {id: drive for id, drive in cell.drives.items() if drive["host"] in hosts},
        )
        checking._check_hosts(part, report)
        checking._check_tasks(cell, report)
        for kind, stored in (("host", cell.hosts), ("server", cell.servers), ("drive", cell.drives)):
            said = known.log.objects[kind]
            for id in sorted(changed):
                if id in stored or id in said:
                    checking._agree(f"{kind} {id}", stored.get(id), said.get(id))

    def _read_cloud(self, seen: FolderLook, version: int) -> None:
        connection = seen.cloud._connection
        if self._cloud_version == -1:
            self._is_as_it_was("cloud.db", connection, self._cloud_last)
        self._cloud_version = version
        self._entries = seen.cloud.cells()
        for row in connection.execute(_EVENTS_AFTER, (self._cloud_log.number,)):
            self._cloud_last = tuple(row)
            self._digest.update(repr(self._cloud_last).encode())
            self.events += 1
            self._cloud_log.take(Event(row[0], row[1], row[2], row[3], row[4], row[5], {}, {}))
        changed = self._server_rows.take(connection.execute(_SERVER_ROWS))
        changed |= self._drive_rows.take(connection.execute(_DRIVE_ROWS))
        for known in self._known.values():
            known.loose |= changed
        self._snapshots = {id for (id,) in connection.execute("SELECT id FROM snapshot")}
        # What `_check_backups` reads.
        backing = [connection.execute(text).fetchall() for text in _BACKING]
        if backing != self._backing:
            checking._check_backups(seen.cloud, Report())
            self._backing = backing

    def _compare_reserved(self, known: _Known, entry: CellEntry) -> None:
        """What is reserved with what there is, of all that has changed since that was done."""
        if known.cell is None:
            return
        cell, known.cell.entry = known.cell, entry
        if entry.injected != known.injected:
            known.injected = entry.injected
            known.loose |= {*cell.servers, *cell.drives, *self._server_rows.by_key, *self._drive_rows.by_key}
        if not known.loose:
            return
        servers, drives = (
            [row for id in sorted(known.loose) if (row := rows.by_key.get(id)) is not None and row[1] == entry.name]
            for rows in (self._server_rows, self._drive_rows)
        )
        part = checking._Cell(
            entry,
            cell.tx,
            servers={id: cell.servers[id] for id in known.loose if id in cell.servers},
            drives={id: cell.drives[id] for id in known.loose if id in cell.drives},
        )
        entries = map(server_entry_of, servers), map(drive_entry_of, drives)
        for _, sentence in checking._misfits(part, *entries, Report()):
            raise Wrong(f"{entry.name}: {sentence}")
        known.loose.clear()

    def _is_as_it_was(self, file: str, connection: sqlite3.Connection, last: Any) -> None:
        """What was in the log is in it still: whoever was told of it was told the truth."""
        if last is not None:
            found = connection.execute(_EVENTS_AFTER, (last[0] - 1,)).fetchone()
            if found is None or tuple(found) != last:
                raise Wrong(f"{file} has lost event {last[0]} ({last[2]} of {last[3]} {last[4]}), and has {found}")

    # Promises

    def _check_promises(self, readable: Sequence[str]) -> None:
        promises = self._promises
        backups, schedules = self._backing[:2]
        found: dict[str, Collection[str]] = {
            "server": self._server_rows.by_key,
            "drive": self._drive_rows.by_key,
            "snapshot": self._snapshots,
            "schedule": {row[0] for row in schedules},
            "backup": {row[0] for row in backups},
        }
        for (kind, id), name in promises.there.items():
            if kind in found and id not in found[kind]:
                raise Wrong(f"{kind} {name} was acknowledged, and is not there ({id})")
        for (kind, id), name in promises.gone.items():
            if kind in found and id in found[kind]:
                raise Wrong(f"{kind} {name} was deleted, and is there ({id})")
        counted: Counter[str] = Counter()
        for cell_name in readable:
            known = self._known.get(cell_name)
            if known is None or known.cell is None:
                continue
            # Drives are not counted: one that is restored, or cloned with its server, is called like its source.
            for id, server in known.cell.servers.items():
                if _MADE_NAME.fullmatch(str(server["name"])):
                    counted[str(server["name"])] += 1
                if (wanted := promises.names.get(id)) is not None and server["name"] != wanted:
                    raise Wrong(f"server {id} was named {wanted}, and is called {server['name']}")
        # One that a schedule took is called after it, and outlives it.
        counted.update(
            f"backup {name}"
            for _, parent, schedule, name, *_ in backups
            if parent is None and schedule is None
            if not name.startswith("r")
        )
        counted.update(f"schedule {name}" for _, name in schedules)
        for name, count in counted.items():
            if count > 1 and name not in ("backup ", "schedule "):
                raise Wrong(f"{name} was made once, and is there {count} times")


def _version(tx: CellTransaction | CloudTransaction) -> int:
    return int(tx._connection.execute("PRAGMA data_version").fetchone()[0])
