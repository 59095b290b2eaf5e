"""What one job may ask of one file, whichever it is: events, tasks, remembered requests.

A transaction belongs to a connection and lives as long as it; jobs borrow it one at a time, in the lane's
thread. It holds prepared text and caches of what is in the file, nothing of a job: what a job touched is
dropped from the caches when its savepoint is rolled back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import orjson

from backend.clock import system_wall
from backend.cloud.errors import NotFound
from backend.cloud.instants import microseconds_of
from backend.cloud.metering import Happened
from backend.cloud.model import Event, Task, TaskState
from backend.store.damage import whole
from backend.store.frozen import maker
from backend.store.rows import (
    Difference,
    Row,
    Table,
    instant_of,
    instant_or_none,
    json_of,
    object_of,
    text_of,
)

Changes = Mapping[str, tuple[Any, Any]]
T = TypeVar("T")

TASK_COLUMNS = (
    "id, kind, object_kind, object_id, begun_at, due_at, state, ended_at, result, actor, payload"  # in this order
)
EVENT_COLUMNS = (
    "number, at, kind, object_kind, object_id, object_version, actor, request_id, changes, details"  # in this order
)

_EVENT_INSERT = f"INSERT INTO event ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_EVENTS_AFTER = f"SELECT {EVENT_COLUMNS} FROM event WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608
_EVENT_ROWS = (
    "SELECT number, at, kind, object_kind, object_id, object_version, changes, details FROM event"
    " WHERE number > (SELECT number FROM log_beginning) ORDER BY number"
)
_CHANGES = (
    "SELECT at, kind, object_kind, object_id, changes FROM event WHERE number > ? AND number <= ?"
    " AND object_kind IN ('server', 'drive', 'host') ORDER BY number"
)
_EVENTS_OF = f"SELECT {EVENT_COLUMNS} FROM event WHERE object_id = ? ORDER BY at DESC, number DESC LIMIT ?"  # noqa: S608
_EVENTS_OF_KIND = (
    f"SELECT {EVENT_COLUMNS} FROM event WHERE object_id = ? AND kind = ? ORDER BY at DESC, number DESC LIMIT ?"  # noqa: S608
)
_EVENTS_WHERE = f"SELECT {EVENT_COLUMNS} FROM event WHERE"  # noqa: S608
_AT_OR_BEFORE = "(at, number) <= (?, ?) ORDER BY at DESC, number DESC LIMIT ?"
_BEHIND = "(at, number) > (?, ?) ORDER BY at, number LIMIT ?"
_TASK_INSERT = (
    f"INSERT INTO task ({TASK_COLUMNS}, begun_number) VALUES (NULL, ?, ?, ?, ?, ?, 'open', NULL, NULL, ?, ?, ?)"  # noqa: S608
)
_TASK_FIND = f"SELECT {TASK_COLUMNS} FROM task WHERE id = ?"  # noqa: S608
_TASKS_OPEN_OF = f"SELECT {TASK_COLUMNS} FROM task WHERE object_id = ? AND state = 'open' ORDER BY id"  # noqa: S608
_TASK_LAST_OF = f"SELECT {TASK_COLUMNS} FROM task WHERE object_id = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
_TASKS_DUE = f"SELECT {TASK_COLUMNS} FROM task WHERE state = 'open' AND due_at <= ? ORDER BY due_at, id LIMIT ?"  # noqa: S608
_TASKS_OPEN = f"SELECT {TASK_COLUMNS} FROM task WHERE state = 'open' ORDER BY due_at, id LIMIT ?"  # noqa: S608
_TASKS_ENDED = f"SELECT {TASK_COLUMNS} FROM task WHERE state <> 'open' ORDER BY ended_at DESC, id DESC LIMIT ?"  # noqa: S608
_TASKS_OPEN_COUNT = "SELECT count(*) FROM task WHERE state = 'open'"
_TASKS_SINCE = (
    f"SELECT {TASK_COLUMNS} FROM task WHERE kind = ? AND object_kind = ?"  # noqa: S608
    " AND (state = 'open' OR (state <> 'open' AND ended_at > ?)) ORDER BY id"
)
_TASK_END = "UPDATE task SET state = ?, ended_at = ?, result = ?, ended_number = ? WHERE id = ? AND state = 'open'"
_TASK_WAS_DUE = (
    "INSERT INTO task_put_off (task_id, number, at, due_at, payload) SELECT id, ?, ?, due_at, payload FROM task"
    " WHERE id = ?"
)
_TASK_RESCHEDULE = "UPDATE task SET due_at = ?, payload = ? WHERE id = ? AND state = 'open'"
_TASK_NEXT_DUE = "SELECT min(due_at) FROM task WHERE state = 'open'"


_make_task, _make_event = maker(Task), maker(Event)
_TASK_STATES = {state.value: state for state in TaskState}


@whole
def task_of(row: Row, file: str) -> Task:
    id_, kind, object_kind, object_id, begun_at, due_at, state, ended_at, result, actor, payload = row
    return _make_task(
        id_,
        file,
        kind,
        object_kind,
        object_id,
        instant_of(begun_at),
        instant_of(due_at),
        _TASK_STATES[state],
        instant_or_none(ended_at),
        result,
        actor,
        object_of(payload),
    )


@whole
def event_of(row: Row, file: str) -> Event:
    number, at, kind, object_kind, object_id, object_version, actor, request_id, changes, details = row
    return _make_event(
        file,
        number,
        instant_of(at),
        kind,
        object_kind,
        object_id,
        object_version,
        actor,
        request_id,
        {column: (before, after) for column, (before, after) in object_of(changes).items()},
        object_of(details),
    )


REPEATED_WITHIN = timedelta(days=1)
"""In the world's time, for as long a request is remembered at least."""
STEPS = "restore/"
_STEPS = (STEPS, f"{STEPS}\U0010ffff")
"""How the keys begin by which the cloud itself repeats its steps: they stay for as long as those may be repeated."""
_REQUEST_FORGET = (
    "DELETE FROM request WHERE key IN ("
    "SELECT key FROM request WHERE at < ? AND (key < ? OR key > ?) ORDER BY at LIMIT 2)"
)

_STEPS_TAKEN = "SELECT key FROM request WHERE key > ? AND key < ?"


class LogBeginning(NamedTuple):
    """Where the log of a file begins. `number` is 0, and `at` is empty, while nothing of it has been forgotten."""

    number: int
    """The last event that was forgotten; but what something still reads is there, of that and of those before it."""
    at: str
    """No moment before this instant can be rebuilt."""


class Transaction:
    """What transactions on cloud.db and on cells share. Every instant given and taken is aware UTC."""

    def __init__(self, connection: sqlite3.Connection, file: str) -> None:
        self.file = file
        """`cloud`, or the cell's name."""
        self.wall: Callable[[], datetime] = system_wall
        """The world's time."""
        self._connection = connection
        self._run = connection.execute
        self._do = connection.cursor().execute
        """The same for what gives no row, or is asked for one that has a number or key: it makes no new cursor."""
        self._event_number: int | None = None
        self._has_emitted = False
        """Whether the job has."""
        self._kinds: list[str] = []
        """Of the events of the batch; those of the job come after the first so many."""
        self._kinds_kept = 0
        self._data_version: int | None = None
        self._ahead: set[int] = set()
        """The tasks that `each_due_task` has read and that are still open."""
        self._soonest: datetime | None = None
        """When the soonest of the tasks falls due that were opened since then."""
        self._next_due: tuple[datetime | None] | None = None
        """When the next open task falls due; None before it was looked for."""
        self._open_tasks: int | None = None
        """As the last commit left them; None before they were counted."""
        self._opened_by_job = 0
        """Tasks opened less tasks ended."""
        self._opened_by_batch = 0

    # Events

    def emit(
        self,
        kind: str,
        object_kind: str,
        object_id: str,
        *,
        at: datetime,
        version: int = 0,
        actor: str = "cloud",
        changes: Changes | None = None,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> int:
        """Add the next event of this file, and give its number. There are no gaps: one that is rolled back is given
        again.
        """
        number = self.last_event_number() + 1
        self._do(
            _EVENT_INSERT,
            (
                number,
                text_of(at),
                kind,
                object_kind,
                object_id,
                version,
                actor,
                request_id,
                json_of(changes) if changes else "{}",
                json_of(details) if details else "{}",
            ),
        )
        self._event_number = number
        self._has_emitted = True
        self._kinds.append(kind)
        return number

    def events(self, *, after: int, limit: int) -> list[Event]:
        """By number, from the one after `after`."""
        return [event_of(row, self.file) for row in self._run(_EVENTS_AFTER, (after, limit))]

    def event_rows(self) -> Iterator[Row]:
        """The log from its beginning by number, as it is stored: number, instant, kind, object kind and id, version,
        and as JSON changes and details.
        """
        yield from self._run(_EVENT_ROWS)

    def happened_after(self, number: int, *, count: int) -> tuple[list[Happened], int]:
        """Of the next `count` events, those of servers, drives and hosts, by number; and the number of the last that
        was looked at.
        """
        last = min(number + count, self.last_event_number())
        found = []
        for at, kind, object_kind, object_id, changes in self._run(_CHANGES, (number, last)):
            after = {column: new for column, (_, new) in object_of(changes).items()}
            found.append(Happened(microseconds_of(instant_of(at)), kind, object_kind, object_id, after))
        return found, last

    def objects_after(self, number: int) -> dict[str, set[str]]:
        """The ids, by kind, of the objects that the events after `number` are about."""
        found: dict[str, set[str]] = {}
        for kind, id in self._run("SELECT DISTINCT object_kind, object_id FROM event WHERE number > ?", (number,)):
            found.setdefault(kind, set()).add(id)
        return found

    def events_of(self, object_id: str, *, limit: int = 100, kind: str | None = None) -> list[Event]:
        """Newest first; of one kind, if it is named: that walks along all that happened to the object."""
        if kind is not None:
            return [event_of(row, self.file) for row in self._run(_EVENTS_OF_KIND, (object_id, kind, limit))]
        return [event_of(row, self.file) for row in self._run(_EVENTS_OF, (object_id, limit))]

    def events_at(
        self,
        position: tuple[datetime, int],
        *,
        is_behind: bool,
        limit: int,
        object_id: str | None = None,
        objects: Collection[str] | None = None,
    ) -> list[Event]:
        """By instant and number: the newest at or before `position`, newest first; or the oldest behind it, oldest
        first. Of one object, or of `objects`, where they are given. Each of these is a walk along an index.
        """
        at, number = position
        values: list[Any] = []
        # What is still read of what was forgotten is told with its object alone. Without the plus the log would be
        # walked along by number, and sorted.
        condition = " +number > (SELECT number FROM log_beginning) AND" if object_id is None else ""
        if object_id is not None:
            condition += " object_id = ? AND"
            values.append(object_id)
        if objects is not None:
            condition += " object_id IN (SELECT value FROM json_each(?)) AND"
            values.append(json_of(sorted(objects)))
        values += [text_of(at), number, limit]
        order = _BEHIND if is_behind else _AT_OR_BEFORE
        return [event_of(row, self.file) for row in self._run(f"{_EVENTS_WHERE}{condition} {order}", values)]

    def log_beginning(self) -> LogBeginning:
        return LogBeginning._make(self._do("SELECT number, at FROM log_beginning").fetchone())

    def last_event_number(self) -> int:
        """0 when nothing has happened yet."""
        if self._event_number is None:
            self._event_number = int(self._run("SELECT coalesce(max(number), 0) FROM event").fetchone()[0])
        return self._event_number

    # Tasks

    def schedule(
        self,
        kind: str,
        object_kind: str,
        object_id: str,
        *,
        begun_at: datetime,
        due_at: datetime,
        actor: str = "",
        payload: Mapping[str, Any] | None = None,
    ) -> Task:
        """Open a task that falls due at `due_at`."""
        payload = payload or {}
        stored = json_of(payload) if payload else "{}"
        about = (kind, object_kind, object_id)
        made = self._do(
            _TASK_INSERT, (*about, text_of(begun_at), text_of(due_at), actor, stored, self._number_of_change())
        )
        assert made.lastrowid is not None
        self._opened_by_job += 1
        if self._soonest is None or due_at < self._soonest:
            self._soonest = due_at
        if self._next_due is not None and (self._next_due[0] is None or due_at < self._next_due[0]):
            self._next_due = (due_at,)
        return _make_task(
            made.lastrowid,
            self.file,
            kind,
            object_kind,
            object_id,
            begun_at,
            due_at,
            TaskState.OPEN,
            None,
            None,
            actor,
            payload,
        )

    def find_task(self, id: int) -> Task | None:
        row = self._do(_TASK_FIND, (id,)).fetchone()
        return None if row is None else task_of(row, self.file)

    def open_tasks_of(self, object_id: str) -> list[Task]:
        return [task_of(row, self.file) for row in self._do(_TASKS_OPEN_OF, (object_id,))]

    def last_task_of(self, object_id: str) -> Task | None:
        """The newest, open or ended."""
        row = self._do(_TASK_LAST_OF, (object_id,)).fetchone()
        return None if row is None else task_of(row, self.file)

    def tasks_since(self, kind: str, object_kind: str, since: datetime) -> list[Task]:
        """Of one kind: the open ones, and those that have ended since then; by id."""
        values = (kind, object_kind, text_of(since))
        return [task_of(row, self.file) for row in self._run(_TASKS_SINCE, values)]

    def due_tasks(self, now: datetime, *, limit: int = 256) -> list[Task]:
        """Open tasks with `due_at` <= `now`, by (due_at, id)."""
        return [task_of(row, self.file) for row in self._run(_TASKS_DUE, (text_of(now), limit))]

    def each_due_task(self, until: datetime) -> Iterator[Task]:
        """As `due_tasks`, one by one until there is none: what is done with one may open, and end, others."""
        while page := self.due_tasks(until):
            self._ahead = {task.id for task in page}
            self._soonest = None
            for task in page:
                if task.id in self._ahead:
                    yield task
                if self._is_overtaken(page[-1]):
                    break

    def _is_overtaken(self, last: Task) -> bool:
        return self._soonest is not None and self._soonest < last.due_at

    def next_due(self) -> datetime | None:
        """When the next thing of this file falls due; None when nothing waits."""
        if self._next_due is None:
            self._next_due = (instant_or_none(self._do(_TASK_NEXT_DUE).fetchone()[0]),)
        return self._next_due[0]

    def end_task(self, task: Task, state: TaskState, *, at: datetime, result: str | None = None) -> None:
        assert state is not TaskState.OPEN, "a task is not ended by opening it"
        done = self._do(_TASK_END, (state.value, text_of(at), result, self._number_of_change(), task.id))
        assert done.rowcount == 1, f"task {task.file}/{task.id} is not open"
        self._opened_by_job -= 1
        self._next_due = None
        self._ahead.discard(task.id)

    def _number_of_change(self) -> int:
        """The event with which a change of the tasks is seen; see the schema."""
        return self.last_event_number() + (0 if self._has_emitted else 1)

    def reschedule(
        self, task: Task, *, due_at: datetime, payload: Mapping[str, Any], at: datetime | None = None
    ) -> Task:
        """The same open task, for a later step of its work. `at` is when; None: when it had fallen due."""
        self._do(_TASK_WAS_DUE, (self._number_of_change(), text_of(at or task.due_at), task.id))
        done = self._do(_TASK_RESCHEDULE, (text_of(due_at), json_of(payload), task.id))
        assert done.rowcount == 1, f"task {task.file}/{task.id} is not open"
        self._next_due = None
        return replace(task, due_at=due_at, payload=payload)

    def tasks(self, *, is_open: bool, limit: int) -> list[Task]:
        """Open ones by due instant, ended ones newest first."""
        return [task_of(row, self.file) for row in self._run(_TASKS_OPEN if is_open else _TASKS_ENDED, (limit,))]

    def count_tasks(self) -> tuple[int, int]:
        """How many are open, and how many have ended."""
        is_open = self._run(_TASKS_OPEN_COUNT).fetchone()[0]
        return is_open, self._run("SELECT count(*) FROM task").fetchone()[0] - is_open

    def open_tasks_after_batch(self) -> int:
        """How many are open with what the batch has kept so far. Counted once; from there on each job tells."""
        if self._open_tasks is None:
            self._open_tasks = int(self._run(_TASKS_OPEN_COUNT).fetchone()[0]) - self._opened_by_batch
        return self._open_tasks + self._opened_by_batch

    # Requests that were answered

    def remembered(self, key: str) -> tuple[str, Any] | None:
        """The digest of the request that used this key, and its answer."""
        row = self._do("SELECT digest, answer FROM request WHERE key = ?", (key,)).fetchone()
        return None if row is None else (row[0], orjson.loads(row[1]))

    def remember(self, key: str, digest: str, answer: Any) -> None:
        """Keep the answer in the transaction that made it true: a repeat then answers the same.

        What was answered before is forgotten: of what was undone, or is gone, nothing can be answered again. So are two
        requests, if there are, that nobody repeats any more: there never are more than come in that time. That is the
        world's, whatever the cloud's own time does: who repeats a request waits by a clock of their own, and moving the
        cloud ahead by a year is itself a request that may be repeated.
        """
        now = self.wall()
        self._run(
            "INSERT OR REPLACE INTO request (key, digest, answer, at) VALUES (?, ?, ?, ?)",
            (key, digest, json_of(answer), text_of(now)),
        )
        self._run(_REQUEST_FORGET, (text_of(now - REPEATED_WITHIN), *_STEPS))

    def forget_steps(self, before: int) -> None:
        """Of the cloud's own steps: those of its tasks with a lower number, all of which have ended."""
        keys = self._run(_STEPS_TAKEN, _STEPS).fetchall()
        over = [(key,) for (key,) in keys if int(key.removeprefix(STEPS).partition("/")[0]) < before]
        self._connection.executemany("DELETE FROM request WHERE key = ?", over)

    # What the tables have in common

    def _find(self, table: Table[T], key: str) -> T | None:
        row = self._do(table.find, (key,)).fetchone()
        return None if row is None else table.of(row, self.file)

    def _get(self, table: Table[T], key: str) -> T:
        row = self._do(table.find, (key,)).fetchone()
        if row is None:
            raise NotFound(table.name, key)
        return table.of(row, self.file)

    def _list(self, table: Table[T], tail: str, values: tuple[Any, ...] = ()) -> list[T]:
        return [table.of(row, self.file) for row in self._rows(table, tail, values)]

    def _rows(self, table: Table[Any], tail: str, values: tuple[Any, ...] = ()) -> list[Row]:
        """Many rows at once, in the order of the tail."""
        rows: list[Row] = orjson.loads(self._run(table.gather(tail), values).fetchone()[0])
        return rows

    def _write(self, difference: Difference, key: str, version: int) -> None:
        done = self._do(difference.update, (*difference.values, version + 1, key, version))
        assert done.rowcount == 1, f"{key} was saved over something newer than version {version}"

    # What the lane tells it

    def start_batch(self) -> None:
        """Inside the transaction: has another connection written to the file?"""
        version = self._do("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:
            self._data_version = version
            self.changed_elsewhere()

    def changed_elsewhere(self) -> None:
        """What was cached may be of before."""
        self.forget()

    def forget(self) -> None:
        """Drop every cache."""
        self._event_number = None
        self._next_due = None
        self._open_tasks = None

    def keep_job(self) -> None:
        """The job's savepoint was released."""
        self._opened_by_batch += self._opened_by_job
        self._opened_by_job = 0
        self._has_emitted = False
        self._kinds_kept = len(self._kinds)

    def drop_job(self) -> None:
        """The job's savepoint was rolled back."""
        self._event_number = None
        self._next_due = None
        self._opened_by_job = 0
        self._has_emitted = False
        del self._kinds[self._kinds_kept :]

    def before_commit(self, epoch: int) -> None:
        """The batch is whole, and is committed next."""

    def kinds_of_batch(self) -> list[str]:
        """Of the events that the batch brings."""
        return self._kinds

    def keep_batch(self) -> list[Touched]:
        """The batch was committed. Gives what it wrote of servers and drives, in order."""
        if self._open_tasks is not None:
            self._open_tasks += self._opened_by_batch
        self._opened_by_batch = 0
        self._forget_kinds()
        return []

    def drop_batch(self) -> None:
        """The batch was rolled back, or what became of it is not known."""
        self._event_number = None
        self._next_due = None
        self._open_tasks = None
        self._opened_by_job = self._opened_by_batch = 0
        self._forget_kinds()

    def _forget_kinds(self) -> None:
        self._kinds.clear()
        self._kinds_kept = 0


Touched = tuple[str, str, Any]
"""Kind, id, and the object after the write; None when it was removed."""
