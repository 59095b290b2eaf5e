"""One file as it was after one of its events: a copy of its rows, taken once, that events are undone and redone on.

The copy is private and temporary: a database without a name, which SQLite keeps in memory while it is small. It has
every table but the log, the tasks and the remembered requests. Those are read from the file itself, as views that end
at the moment, so that whoever reads a transaction of this finds in it what a transaction of then would have found.

What events say nothing of is as it is now: which accounts there are, the zone that was asked for, key pairs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import orjson

from backend.cloud.billing import tick_of
from backend.cloud.instants import microseconds_of
from backend.cloud.model import Host, Server, Task
from backend.store import past_money
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.entries import LastKnown
from backend.store.files import BUSY_SECONDS
from backend.store.mirror import pictures_of
from backend.store.networks import ADDRESS, FIREWALL_POLICY, KEY_PAIR, TAG, VLAN
from backend.store.rows import BACKUP, DRIVE, HOST, SCHEDULE, SERVER, Table, instant_of, json_of, object_of, text_of
from backend.store.transaction import TASK_COLUMNS, LogBeginning, Transaction, task_of

T = TypeVar("T")

Key = tuple[str, str]
"""A kind of objects, and the id of one."""

_IN_CELLS: Mapping[str, Table[Any]] = {table.name: table for table in (HOST, SERVER, DRIVE)}
_CENTRAL: Mapping[str, Table[Any]] = {
    table.name: table for table in (SCHEDULE, BACKUP, TAG, ADDRESS, VLAN, FIREWALL_POLICY, KEY_PAIR)
}

_AT, _NUMBER = "(SELECT at FROM temp.moment)", "(SELECT number FROM temp.moment)"
_HAD_BEGUN = f"begun_at <= {_AT} AND coalesce(begun_number, 0) <= {_NUMBER} + 1"
_HAD_ENDED = f"state <> 'open' AND ended_at <= {_AT} AND coalesce(ended_number, 0) <= {_NUMBER} + 1"
_THEN = f"""coalesce((
    SELECT {{0}} FROM live.task_put_off AS later
    WHERE task_id = task.id AND (later.number > {_NUMBER} + 1 OR (later.number = {_NUMBER} + 1 AND later.at > {_AT}))
    ORDER BY later.number LIMIT 1
), task.{{0}})"""  # noqa: S608
"""A column as it was before the first time that the task was put off after the moment."""

_VIEWS = (
    "CREATE TEMP TABLE moment (number INTEGER NOT NULL, at TEXT NOT NULL, microseconds INTEGER NOT NULL) STRICT",
    "INSERT INTO temp.moment VALUES (0, '', 0)",
    "CREATE TEMP VIEW event AS SELECT * FROM live.event WHERE number <= (SELECT number FROM temp.moment)",
    "CREATE TEMP VIEW log_beginning AS SELECT * FROM live.log_beginning",
    # Three parts, so that each is found by an index: whoever looks for open ones reads none that had ended by then.
    # What a cell that was silent did when it returned has an earlier instant and a later place in the log.
    f"""
    CREATE TEMP VIEW task AS
    SELECT id, kind, object_kind, object_id, begun_at, due_at, state, ended_at, result, actor, payload
    FROM live.task AS task WHERE {_HAD_ENDED}
    UNION ALL
    SELECT id, kind, object_kind, object_id, begun_at, {_THEN.format("due_at")}, 'open', NULL, NULL, actor,
           {_THEN.format("payload")}
    FROM live.task AS task WHERE state <> 'open' AND ended_at > {_AT} AND {_HAD_BEGUN}
    UNION ALL
    SELECT id, kind, object_kind, object_id, begun_at, {_THEN.format("due_at")}, 'open', NULL, NULL, actor,
           {_THEN.format("payload")}
    FROM live.task AS task WHERE state <> 'open' AND ended_number > {_NUMBER} + 1 AND ended_at <= {_AT}
                                 AND {_HAD_BEGUN}
    UNION ALL
    SELECT id, kind, object_kind, object_id, begun_at, {_THEN.format("due_at")}, 'open', NULL, NULL, actor,
           {_THEN.format("payload")}
    FROM live.task AS task WHERE state = 'open' AND {_HAD_BEGUN}
    """,  # noqa: S608
    # What a plan tries out and takes back is not written down.
    "CREATE TEMP TRIGGER event_tried INSTEAD OF INSERT ON event BEGIN SELECT 1; END",
)
_BETWEEN = (
    "SELECT kind, object_kind, object_id, object_version, changes, details FROM live.event"
    " WHERE number > ? AND number <= ? ORDER BY number"
)
_FIRST_LATER = "SELECT min(number) FROM live.event WHERE at > ?"
_FIRST_NOT_EARLIER = "SELECT min(number) FROM live.event WHERE at >= ?"


class Changed(NamedTuple):
    """One event, as far as rows follow from it."""

    kind: str
    object_kind: str
    object_id: str
    version: int
    changes: Mapping[str, tuple[Any, Any]]
    details: Mapping[str, Any]

    @property
    def is_creation(self) -> bool:
        return self.kind == f"{self.object_kind}.created"

    @property
    def is_removal(self) -> bool:
        return self.kind == f"{self.object_kind}.deleted"

    def undone(self, picture: dict[str, Any] | None) -> dict[str, Any] | None:
        """What the object was before this event, given what it was after it."""
        if self.is_creation:
            return None
        before = dict(picture or {}, version=max(1, self.version - 1))
        for column, (old, _) in self.changes.items():
            before[column] = old
        if self.is_removal and (name := self.details.get("source_name")) is not None:
            # Of what a backup contained the log has only whose it was.
            before["contents"] = {before["source_kind"]: {"name": name}}
        return before

    def redone(self, picture: dict[str, Any] | None) -> dict[str, Any] | None:
        """What the object was after this event, given what it was before it."""
        if self.is_removal:
            return None
        after = dict(picture or {}, version=self.version)
        for column, (_, new) in self.changes.items():
            after[column] = new
        return after


class Outrun(Exception):
    """What lies between the moment that is shown and another one is not in the log any more."""


class PastFile:
    """Used in one thread at a time. `number` is the event after which it shows the file."""

    tables: Mapping[str, Table[Any]]
    not_copied: tuple[str, ...] = ("event", "task", "request", "log_beginning", "log_base")
    also_copied: tuple[str, ...] = ()
    """What else is run at the instant of the copy."""
    views: tuple[str, ...] = _VIEWS

    def __init__(self, path: Path, file: str) -> None:
        """Copies the file as it is now. Raises sqlite3.Error where it cannot be read."""
        self.file = file
        self._contents: dict[str, Any] = {}
        """Of backups that are not made yet at the moment: the one thing of them that the log does not have."""
        self._connection = sqlite3.connect("", isolation_level=None, uri=True, check_same_thread=False)
        run = self._run = self._connection.execute
        try:
            run("ATTACH ? AS live", (f"file:{quote(str(path))}?mode=ro",))
            run(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            self.number = self._copy()
            for statement in self.views:
                run(statement)
        except BaseException:
            self._connection.close()
            raise

    def _copy(self) -> int:
        run = self._run
        run("BEGIN")
        number = run("SELECT coalesce(max(number), 0) FROM live.event").fetchone()[0]
        made = "SELECT type, name, tbl_name, sql FROM live.sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
        for type_, name, table, sql in run(made).fetchall():
            if table in self.not_copied or name.startswith("sqlite_"):
                continue
            # An index after the rows of its table.
            run(sql)
            if type_ == "table":
                run(f'INSERT INTO main."{name}" SELECT * FROM live."{name}"')  # noqa: S608
        for statement in self.also_copied:
            run(statement)
        run("COMMIT")
        return int(number)

    def close(self) -> None:
        self._connection.close()

    def beginning(self) -> LogBeginning:
        return LogBeginning._make(self._run("SELECT number, at FROM live.log_beginning").fetchone())

    def first_at(self) -> datetime | None:
        """When the first event happened that is in the log."""
        row = self._run("SELECT at FROM live.event ORDER BY number LIMIT 1").fetchone()
        return None if row is None else instant_of(row[0])

    def last_number(self) -> int:
        return int(self._run("SELECT coalesce(max(number), 0) FROM live.event").fetchone()[0])

    def number_at(self, at: datetime, *, is_over: bool) -> int:
        """The last event before which nothing is later than an instant; with `is_over` all of the instant has happened.

        What a cell that was silent does when it returns it does as of the instants at which it was due. In the order in
        which things became true that came later, and is not part of the moment.
        """
        first = self._run(_FIRST_LATER if is_over else _FIRST_NOT_EARLIER, (text_of(at),)).fetchone()[0]
        return self.last_number() if first is None else int(first) - 1

    def touched(self, one: int, other: int) -> dict[str, set[str]]:
        """By kind, the ids of what the events between two moments are about."""
        found: dict[str, set[str]] = {}
        text = "SELECT DISTINCT object_kind, object_id FROM live.event WHERE number > ? AND number <= ?"
        for kind, id_ in self._run(text, (min(one, other), max(one, other))):
            found.setdefault(kind, set()).add(id_)
        return found

    def move(self, number: int, at: datetime) -> dict[Key, Any]:
        """Show the file after that event, at that instant. Gives the objects that differ, None for what is not there.

        The cost is that of the events in between. Raises Outrun where some of those have been forgotten.
        """
        values = (number, text_of(at), microseconds_of(at))
        self._run("UPDATE temp.moment SET number = ?, at = ?, microseconds = ?", values)
        is_back = number < self.number
        pictures: dict[Key, dict[str, Any] | None] = {}
        self._run("BEGIN")
        if min(number, self.number) < self.beginning().number:
            self._run("ROLLBACK")
            raise Outrun
        for event in self._between(number):
            table = self.tables.get(event.object_kind)
            if table is None:
                self.take_other(event, is_back=is_back)
            elif event.changes:
                key = event.object_kind, event.object_id
                picture = pictures[key] if key in pictures else self._picture(table, event.object_id)
                pictures[key] = self._undone(event, picture) if is_back else self._redone(event, picture)
        moved = {key: self._put(self.tables[key[0]], key[1], picture) for key, picture in pictures.items()}
        self._run("COMMIT")
        self.number = number
        self.come_to(number)
        return moved

    def _undone(self, event: Changed, picture: dict[str, Any] | None) -> dict[str, Any] | None:
        if event.is_creation and picture is not None and "contents" in picture:
            self._contents[event.object_id] = picture["contents"]
        return event.undone(picture)

    def _redone(self, event: Changed, picture: dict[str, Any] | None) -> dict[str, Any] | None:
        after = event.redone(picture)
        if event.is_creation and after is not None and event.object_id in self._contents:
            after["contents"] = self._contents[event.object_id]
        return after

    def _between(self, number: int) -> Iterator[Changed]:
        low, high = sorted((number, self.number))
        order = " DESC" if number < self.number else ""
        for kind, object_kind, id_, version, changes, details in self._run(_BETWEEN + order, (low, high)):
            # Only a removal has anything to say beside its changes, and the log is long.
            more = object_of(details) if kind in ("backup.deleted", "snapshot.deleted") else {}
            yield Changed(kind, object_kind, id_, version, object_of(changes), more)

    def _picture(self, table: Table[Any], id_: str) -> dict[str, Any] | None:
        row = self._run(table.find, (id_,)).fetchone()
        return None if row is None else table.picture_of_row(row)

    def _put(self, table: Table[Any], id_: str, picture: Mapping[str, Any] | None) -> Any:
        row = self._run(table.find, (id_,)).fetchone()
        before = None if row is None else table.of(row, self.file)
        after = None if picture is None else table.of_picture(picture, self.file)
        self._run(table.delete, (id_,))
        if after is not None:
            self._run(table.insert, table.stored(after))
        self.put(table.name, before, after)
        return after

    def take_other(self, event: Changed, *, is_back: bool) -> None:
        """An event of what has no table of its own here."""

    def put(self, kind: str, before: Any, after: Any) -> None:
        """A row was replaced."""

    def come_to(self, number: int) -> None:
        """All rows are as they were after that event."""


_ENDED = f"FROM live.task WHERE {_HAD_ENDED}"
_LAST_ENDED = f"SELECT {TASK_COLUMNS} {_ENDED} ORDER BY ended_at DESC, id DESC LIMIT ?"
_COUNT_OPEN = "SELECT count(*) FROM temp.task WHERE state = 'open'"
_COUNT_ENDED = f"SELECT count(*) {_ENDED}"


class _Then(Transaction):
    """What the view of the tasks would look through all of them for."""

    def tasks(self, *, is_open: bool, limit: int) -> list[Task]:
        if is_open:
            return super().tasks(is_open=True, limit=limit)
        return [task_of(row, self.file) for row in self._run(_LAST_ENDED, (limit,))]

    def count_tasks(self) -> tuple[int, int]:
        return self._run(_COUNT_OPEN).fetchone()[0], self._run(_COUNT_ENDED).fetchone()[0]


class _CellThen(_Then, CellTransaction):
    def replaced(self, kind: str, before: Any, after: Any) -> None:
        """Keep how full the hosts are in step."""
        if kind == "server":
            self._loads.change_server(before, after)
        elif kind == "drive":
            self._loads.change_drive(before, after)
        else:
            thing: Host = before or after
            self._loads.change_host(thing.name, is_new=before is None or after is None)

    def come_to(self, number: int) -> None:
        self._event_number = number
        self.keep_job()
        self.keep_batch()


class PastCell(PastFile):
    tables = _IN_CELLS

    def __init__(self, path: Path, cell: str) -> None:
        super().__init__(path, cell)
        self.transaction = _CellThen(self._connection, cell)

    def put(self, kind: str, before: Any, after: Any) -> None:
        self.transaction.replaced(kind, before, after)

    def come_to(self, number: int) -> None:
        self.transaction.come_to(number)

    def tried(self, work: Callable[[CellTransaction], T]) -> T:
        """What a job gives that is carried out and taken back: a plan of what would have become of the moment."""
        tx = self.transaction

        def begin() -> T:
            # The view of the tasks takes no others: for as long as this lasts there is a table of the open ones.
            made = self._run("SELECT sql FROM live.sqlite_master WHERE type = 'table' AND name = 'task'").fetchone()[0]
            rows = self._run(f"SELECT {TASK_COLUMNS} FROM temp.task WHERE state = 'open'").fetchall()  # noqa: S608
            self._run("DROP VIEW temp.task")
            self._run(made)
            marks = ", ".join("?" * len(TASK_COLUMNS.split(", ")))
            self._connection.executemany(f"INSERT INTO task ({TASK_COLUMNS}) VALUES ({marks})", rows)  # noqa: S608
            return work(tx)

        return tx.undone(begin)

    def keys(self) -> set[Key]:
        """Of every server and drive."""
        return {(kind, id_) for kind in ("server", "drive") for (id_,) in self._run(f"SELECT id FROM {kind}")}  # noqa: S608

    def some(self, keys: Iterable[Key]) -> dict[Key, Any]:
        """Those of these servers and drives that are there."""
        ids: dict[str, list[str]] = {"server": [], "drive": []}
        for kind, id_ in keys:
            ids[kind].append(id_)
        things: dict[Key, Any] = {
            ("server", id_): each for id_, each in self.transaction.servers(ids["server"]).items()
        }
        things.update((("drive", id_), each) for id_, each in self.transaction.drives(ids["drive"]).items())
        return things

    def all(self) -> dict[Key, Any]:
        """Every host, server and drive."""
        tx = self.transaction
        things: dict[Key, Any] = {("host", host.name): host for host in tx.hosts()}
        things.update((("server", server.id), server) for server in tx.all_servers())
        things.update((("drive", drive.id), drive) for drive in tx.all_drives())
        return things


class _CloudThen(_Then, CloudTransaction):
    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.unread: set[str] = set()
        """Cells whose pictures are those of now, because they cannot be read and answered at the moment."""

    def _last_known(self, where: str, values: tuple[Any, ...]) -> list[LastKnown]:
        found = super()._last_known(where, values)
        return [replace(each, is_of_moment=False) if each.cell in self.unread else each for each in found]

    def come_to(self, number: int) -> None:
        self._event_number = number


class Silence(NamedTuple):
    """What the log says of a cell at the moment."""

    state: str
    """`up`, `down` or `hung`."""
    since: datetime | None
    reason: str
    is_last: bool
    """Whether nothing has been said of it since: it is silent, or answers, to this day."""


_LAST_WIRED = (
    "SELECT details FROM live.event WHERE object_id = ? AND number <= ? AND kind = 'server.interfaces_changed'"
    " ORDER BY number DESC LIMIT 1"
)
_LAST_SAID = (
    "SELECT number, kind, at, details FROM live.event WHERE object_kind = 'cell' AND object_id = ?"
    " AND number <= ? ORDER BY number DESC LIMIT 1"
)
_AS_NOW = """
INSERT INTO main.last_known SELECT * FROM live.last_known
WHERE cell = ? AND (object_kind = 'host' OR id IN (SELECT id FROM main.server_directory)
                    OR id IN (SELECT id FROM main.drive_directory))
"""
_FORGOTTEN = ("server_directory", "drive_directory")


class PastCloud(PastFile):
    """cloud.db. Its directories follow from what is in the cells: `enter` and `agree` bring them up to date."""

    tables = _CENTRAL
    not_copied = (*PastFile.not_copied, *past_money.NOT_COPIED)
    also_copied = (past_money.COPIED,)
    views = (*PastFile.views, *past_money.VIEWS)

    def __init__(self, path: Path) -> None:
        self._gone: dict[tuple[str, str], tuple[Any, ...]] = {}
        """Rows of directories and snapshots that are not there at the moment, by table and id: as they are later."""
        self._rewired: set[str] = set()
        super().__init__(path, "cloud")
        self.transaction = _CloudThen(self._connection)

    def move(self, number: int, at: datetime) -> dict[Key, Any]:
        """As of every file. Ticks of money that were told later had not been told then."""
        moved = super().move(number, at)
        self._run("UPDATE main.closed_tick SET tick = min(tick, ?)", (tick_of(microseconds_of(at)),))
        return moved

    def come_to(self, number: int) -> None:
        self.transaction.come_to(number)
        for server_id in sorted(self._rewired):
            self._wire(server_id)
        self._rewired.clear()

    def _wire(self, server_id: str) -> None:
        """Give a server the interfaces that it had; where the log does not tell, it keeps those of now."""
        row = self._run(_LAST_WIRED, (server_id, self.number)).fetchone()
        told = {"interfaces": []} if row is None else orjson.loads(row[0])
        if "interfaces" in told:
            self.transaction.rewire(server_id, told["interfaces"])

    def take_other(self, event: Changed, *, is_back: bool) -> None:
        values = {field: old if is_back else new for field, (old, new) in event.changes.items()}
        match event.object_kind:
            case "cloud" if values:
                tx = self.transaction
                tx.save_settings({**tx.settings(), **values})
            case "account":
                for field in values.keys() & {"project_id", "is_staff", "may_backfill"}:
                    self._run(f"UPDATE account SET {field} = ? WHERE id = ?", (values[field], event.object_id))  # noqa: S608
            case "server":
                self._rewired.add(event.object_id)
            case "snapshot" if event.is_creation or event.is_removal:
                self._enter_snapshot(event, is_there=event.is_creation != is_back)
            case "snapshot":
                for field in values.keys() & {"name", "meta", "tags"}:
                    value = values[field] if field == "name" else json_of(values[field])
                    self._run(f"UPDATE snapshot SET {field} = ? WHERE id = ?", (value, event.object_id))  # noqa: S608
                version = event.version - is_back
                self._run("UPDATE snapshot SET version = ? WHERE id = ?", (version, event.object_id))

    def _enter_snapshot(self, event: Changed, *, is_there: bool) -> None:
        """One that went with its drive before the copy was made is not known."""
        if not is_there:
            self._forget("snapshot", event.object_id)
        elif not self._bring_back("snapshot", event.object_id) and "row" in event.details:
            self.transaction.put_back_snapshot(event.details["row"])

    def _forget(self, table: str, id_: str) -> None:
        row = self._run(f"SELECT * FROM main.{table} WHERE id = ?", (id_,)).fetchone()  # noqa: S608
        if row is not None:
            self._gone[table, id_] = tuple(row)
            self._run(f"DELETE FROM main.{table} WHERE id = ?", (id_,))  # noqa: S608

    def _bring_back(self, table: str, id_: str) -> bool:
        row = self._gone.pop((table, id_), None)
        if row is not None:
            marks = ", ".join("?" * len(row))
            self._run(f"INSERT OR IGNORE INTO main.{table} VALUES ({marks})", row)  # noqa: S608
        return row is not None

    # The directories

    def enter(self, cell: str, moved: Mapping[Key, Any]) -> None:
        """Servers and drives of a cell, None for what is not there."""
        self._run("BEGIN")
        for (kind, id_), thing in moved.items():
            if kind == "host":
                continue
            table = f"{kind}_directory"
            if thing is None:
                self._forget(table, id_)
                continue
            if not self._is_entered(table, id_):
                self._bring_back(table, id_)
                # It went with the server, and no event says so.
                self._wire(id_)
            self._enter(table, cell, thing)
        self._run("COMMIT")

    def _is_entered(self, table: str, id_: str) -> bool:
        return self._run(f"SELECT 1 FROM main.{table} WHERE id = ?", (id_,)).fetchone() is not None  # noqa: S608

    def _enter(self, table: str, cell: str, thing: Any) -> None:
        values = {"cell": cell, "project_id": thing.project_id, "owner": thing.owner, "state": "active",
                  "created_at": text_of(thing.created_at)}  # fmt: skip
        if isinstance(thing, Server):
            size = thing.size
            values |= {"cpu_mhz": size.cpu_mhz, "memory_bytes": size.memory_bytes,
                       "is_backfilling": int(thing.is_backfilling)}  # fmt: skip
        else:
            values |= {"size_bytes": thing.size_bytes, "server_id": thing.server_id}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        changed = ", ".join(f"{name} = excluded.{name}" for name in values)
        text = f"INSERT INTO main.{table} (id, {names}) VALUES (?, {marks}) ON CONFLICT (id) DO UPDATE SET {changed}"  # noqa: S608
        self._run(text, (thing.id, *values.values()))

    def agree(self, cell: PastCell) -> None:
        """With all that there is in a cell: the two files were not copied at one instant."""
        known = {
            (kind, id_)
            for kind in ("server", "drive")
            for (id_,) in self._run(f"SELECT id FROM main.{kind}_directory WHERE cell = ?", (cell.file,))  # noqa: S608
        }
        there = cell.keys()
        self.enter(cell.file, {**dict.fromkeys(known - there), **cell.some(there - known)})

    # Cells that did not answer

    def silence(self, cell: str) -> Silence:
        row = self._run(_LAST_SAID, (cell, self.number)).fetchone()
        later = "SELECT 1 FROM live.event WHERE object_kind = 'cell' AND object_id = ? AND number > ? LIMIT 1"
        is_last = self._run(later, (cell, self.number)).fetchone() is None
        if row is None:
            return Silence("up", None, "", is_last)
        _, kind, at, details = row
        return Silence(kind.partition(".")[2], instant_of(at), str(orjson.loads(details).get("reason", "")), is_last)

    def remember(self, cell: str, things: Mapping[Key, Any], *, known_at: datetime, open_tasks: int) -> None:
        """What was last seen of a cell when it fell silent: all that was in it."""
        self.transaction.unread.discard(cell)
        self._run("DELETE FROM last_known WHERE cell = ?", (cell,))
        self.transaction.save_last_known(cell, pictures_of(things), known_at=known_at)
        self.transaction.save_open_tasks(cell, open_tasks)

    def remember_as_now(self, cell: str, at: datetime, *, is_told: bool) -> None:
        """A cell that cannot be read: what is centrally known of it now and was made by then.

        `is_told` where what was last seen of it is the same now as then; else nobody can say what it was, only what
        it is called.
        """
        self._run("BEGIN")
        for table in _FORGOTTEN:
            self._run(f"DELETE FROM main.{table} WHERE cell = ?", (cell,))  # noqa: S608
            text = f"INSERT INTO main.{table} SELECT * FROM live.{table} WHERE cell = ? AND created_at <= ?"  # noqa: S608
            self._run(text, (cell, text_of(at)))
        self._run("DELETE FROM main.last_known WHERE cell = ?", (cell,))
        self._run(_AS_NOW, (cell,))
        self._run("COMMIT")
        (self.transaction.unread.discard if is_told else self.transaction.unread.add)(cell)
