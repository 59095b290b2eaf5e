"""The nouns of the model as rows, and back: column names, JSON columns, instants as text.

A `Table` knows how each field of a frozen dataclass is stored. From that it makes, once, the text of the
statements, and what an event says of a change: `{column: [before, after]}` with JSON columns as values, so that
an older picture of an object can be rebuilt by laying the changes over each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import Any, Generic, TypeVar

import orjson

from backend.cloud.model import (
    Backup,
    BackupState,
    Drive,
    DriveState,
    Host,
    HostKind,
    HostState,
    Schedule,
    Server,
    ServerState,
    Size,
    without_secrets,
)
from backend.store.damage import whole
from backend.store.frozen import maker

Row = Sequence[Any]
T = TypeVar("T")


@lru_cache(maxsize=256)
def text_of(instant: datetime) -> str:
    """Fixed width, UTC, with microseconds and `Z`: text order is time order."""
    assert instant.tzinfo is not None, "instants are aware"
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def text_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else text_of(instant)


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def json_of(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


_EMPTY: Mapping[str, Any] = {}


def object_of(text: str) -> Mapping[str, Any]:
    """Nearly all are empty, and share one value, which nobody changes: it is read as a mapping."""
    if text == "{}":
        return _EMPTY
    value: dict[str, Any] = orjson.loads(text)
    return value


def words_of(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(orjson.loads(text))


# What a field is called in the table, what is stored of it, and what an event shows of it.


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    columns: tuple[str, ...]
    """One, or two: then what is stored of it, and what is shown, is a pair."""
    to_stored: Callable[[Any], Any]
    to_shown: Callable[[Any], Any]
    is_plain: bool = False
    """Whether it is stored, and shown, as it is."""
    shown_of: Callable[[Any], Any] | None = None
    """What is shown of a stored column, if it is not the same. Raises where nothing can be stored so."""

    def of_columns(self, found: Any) -> tuple[Any, ...]:
        """What is stored or shown, by column."""
        pair: tuple[Any, ...] = found if len(self.columns) > 1 else (found,)
        return pair


def _itself(value: Any) -> Any:
    return value


def _plain(name: str) -> Field:
    return Field(name, (name,), _itself, _itself, is_plain=True)


def _state(name: str, kind: type[StrEnum]) -> Field:
    # The same as `value`, which is looked up at every turn.
    word = attrgetter("_value_")
    known = {state.value: state.value for state in kind}
    return Field(name, (name,), word, word, shown_of=known.__getitem__)


def _flag(name: str) -> Field:
    return Field(name, (name,), int, bool, shown_of=bool)


@lru_cache(maxsize=256)
def _shown_instant(text: str) -> str:
    return text_of(instant_of(text))


def _instant(name: str) -> Field:
    return Field(name, (name,), text_or_none, text_or_none, shown_of=_shown_instant)


def _words(name: str) -> Field:
    def text(value: Sequence[str]) -> str:
        return json_of(list(value)) if value else "[]"

    return Field(name, (name,), text, list, shown_of=lambda text: list(words_of(text)))


def _object(name: str, told: Callable[[Mapping[str, Any]], dict[str, Any]] = dict) -> Field:
    def text(value: Mapping[str, Any]) -> str:
        return json_of(dict(value)) if value else "{}"

    return Field(name, (name,), text, told, shown_of=lambda text: told(object_of(text)))


def _size(name: str, ending: str = "") -> Field:
    def pair(value: Size | None) -> tuple[Any, ...]:
        return (None, None) if value is None else (value.cpu_mhz, value.memory_bytes)

    return Field(name, (f"cpu_mhz{ending}", f"memory_bytes{ending}"), pair, pair)


def _pair(name: str, columns: tuple[str, str]) -> Field:
    return Field(name, columns, tuple, tuple)


@dataclass(slots=True)
class Difference:
    """What a save writes: the statement, its values, and what the event says."""

    update: str
    """Takes the values, the new version, the key and the old version."""
    values: list[Any]
    changes: dict[str, tuple[Any, Any]]


class Table(Generic[T]):
    """How one frozen dataclass lies in one table. `version` is the last column; the first is the key."""

    def __init__(self, name: str, noun: type[T], fields: Sequence[Field], of: Callable[[Row, str], T]) -> None:
        self.name = name
        self._make = maker(noun)
        # Several times as fast as `dataclasses.replace`, which asks each field by name.
        self._all: Callable[[T], tuple[Any, ...]] = attrgetter(*noun.__dataclass_fields__)  # type: ignore[attr-defined]
        self.of = whole(of)
        """Makes the object from a row of `select` and the cell's name."""
        self.columns = (*(column for field in fields for column in field.columns), "version")
        self.key = self.columns[0]
        listed = ", ".join(self.columns)
        self.select = f"SELECT {listed} FROM {name}"  # noqa: S608
        self.find = f"{self.select} WHERE {self.key} = ?"
        self._gather = f"SELECT json_group_array(json_array({listed})) FROM ("  # noqa: S608
        marks = ", ".join("?" * len(self.columns))
        self.insert = f"INSERT OR IGNORE INTO {name} ({listed}) VALUES ({marks})"  # noqa: S608
        self.delete = f"DELETE FROM {name} WHERE {self.key} = ?"  # noqa: S608
        self._fields = tuple(fields)
        self._shown_of = (*(field.shown_of for field in fields for _ in field.columns), None)
        self._values = attrgetter(*(field.name for field in fields))
        places = {name: place for place, name in enumerate(noun.__dataclass_fields__)}  # type: ignore[attr-defined]
        self._places = {field.name: (places[field.name], index) for index, field in enumerate(fields)}
        """Of each field: where it is among all that the noun has, and here."""
        self._updates: dict[tuple[int, ...], str] = {}

    def gather(self, tail: str) -> str:
        """One row with one JSON text of all rows of `select` with this tail, for `rows_of`.

        A connection lets other threads run while it finds a row, and then has to wait for them: with several cells
        being read at once, a statement of many rows costs four times as much as one of a single row.
        """
        return f"{self._gather}{self.select} {tail})"

    def stored(self, thing: T) -> list[Any]:
        values = self._values(thing)
        row: list[Any] = []
        for field, value in zip(self._fields, values, strict=True):
            row += field.of_columns(field.to_stored(value))
        row.append(thing.version)  # type: ignore[attr-defined]
        return row

    def with_version(self, thing: T, version: int) -> T:
        """The same with another version, which is the last field of every noun."""
        return self._make(*self._all(thing)[:-1], version)

    def picture(self, thing: T) -> dict[str, Any]:
        """What is not empty, by column; JSON as values. `of_picture` makes the object again, but for its secrets."""
        picture: dict[str, Any] = {}
        for field, value in zip(self._fields, self._values(thing), strict=True):
            if value is None:
                continue
            if field.is_plain:
                picture[field.name] = value
                continue
            for column, shown in zip(field.columns, field.of_columns(field.to_shown(value)), strict=True):
                if shown or not isinstance(shown, dict | list):
                    picture[column] = shown
        picture["version"] = thing.version  # type: ignore[attr-defined]
        return picture

    def picture_of_row(self, row: Row) -> dict[str, Any]:
        """The picture of the object in a row of `select`. Raises where the row is of none."""
        picture: dict[str, Any] = {}
        for column, value, shown_of in zip(self.columns, row, self._shown_of, strict=True):
            if value is not None:
                shown = value if shown_of is None else shown_of(value)
                if shown or not isinstance(shown, dict | list):
                    picture[column] = shown
        return picture

    def of_picture(self, picture: Mapping[str, Any], cell: str) -> T:
        row: list[Any] = []
        for field in self._fields:
            for column in field.columns:
                value = picture.get(column)
                if column in ("avoid", "tags"):
                    value = json_of(value or [])
                elif column in ("meta", "attributes", "contents", "keeps"):
                    value = json_of(value or {})
                row.append(value)
        row.append(picture["version"])
        return self.of(row, cell)

    def difference(self, before: T, after: T) -> Difference | None:
        """None when nothing but perhaps the version differs."""
        pairs = enumerate(zip(self._values(before), self._values(after), strict=True))
        changed = [(index, old, new) for index, (old, new) in pairs if old is not new and old != new]
        return self._difference(changed) if changed else None

    def changed(self, before: T, fields: Mapping[str, Any]) -> tuple[T, Difference] | None:
        """With other values of some fields, and the next version; None when none of them differs."""
        values = list(self._all(before))
        changed = []
        for name, value in fields.items():
            place, index = self._places[name]
            old = values[place]
            if old is not value and old != value:
                values[place] = value
                changed.append((index, old, value))
        if not changed:
            return None
        # No two have the same number: nothing else of them is compared.
        changed.sort()
        values[-1] += 1
        return self._make(*values), self._difference(changed)

    def _difference(self, changed: Sequence[tuple[int, Any, Any]]) -> Difference:
        """Of two objects that differ in the fields with these numbers, before and after."""
        assert changed[0][0] > 0, "the key of an object never changes"
        values: list[Any] = []
        changes: dict[str, tuple[Any, Any]] = {}
        for index, old, new in changed:
            field = self._fields[index]
            if field.is_plain:
                values.append(new)
                changes[field.name] = (old, new)
                continue
            was, will = field.to_shown(old), field.to_shown(new)
            stored = will if field.to_stored is field.to_shown else field.to_stored(new)
            if len(field.columns) == 1:
                values.append(stored)
                if was != will:
                    changes[field.name] = (was, will)
                continue
            values += stored
            for column, one, other in zip(field.columns, was, will, strict=True):
                if one != other:
                    changes[column] = (one, other)
        numbers = tuple([index for index, _, _ in changed])
        update = self._updates.get(numbers)
        if update is None:
            listed = ", ".join(f"{column} = ?" for index in numbers for column in self._fields[index].columns)
            update = f"UPDATE {self.name} SET {listed}, version = ? WHERE {self.key} = ? AND version = ?"  # noqa: S608
            self._updates[numbers] = update
        return Difference(update, values, changes)


_make_server, _make_drive = maker(Server), maker(Drive)
SERVER_STATES = {state.value: state for state in ServerState}
DRIVE_STATES = {state.value: state for state in DriveState}


def _server_of(row: Row, cell: str) -> Server:
    (
        id_, name, project_id, owner, state, state_since, created_at, cpu_mhz, memory_bytes, smp, is_backfilling,
        cpu_floor_permille, memory_floor_permille, host, cpu_mhz_floor, memory_bytes_floor, cpu_mhz_effective,
        memory_bytes_effective, started_at, has_run, waits, notice_until, notice_for, squeezed_by, squeezed_at,
        displaced_for, displaced_at, displaced_count, reason, restarts, avoid, meta, tags, attributes, lost_from,
        version,
    ) = row  # fmt: skip
    parse = datetime.fromisoformat
    size = Size(cpu_mhz, memory_bytes)
    # What many servers have in common is kept once: a fleet of them stays in memory.
    return _make_server(
        id_,
        name,
        cell,
        intern(project_id),
        intern(owner),
        size,
        parse(created_at),
        SERVER_STATES[state],
        parse(state_since),
        bool(is_backfilling),
        (cpu_floor_permille, memory_floor_permille),
        smp,
        None if host is None else intern(host),
        None if cpu_mhz_floor is None else _shared(size, cpu_mhz_floor, memory_bytes_floor),
        None if cpu_mhz_effective is None else _shared(size, cpu_mhz_effective, memory_bytes_effective),
        None if started_at is None else parse(started_at),
        bool(has_run),
        waits,
        None if notice_until is None else parse(notice_until),
        notice_for,
        squeezed_by,
        None if squeezed_at is None else parse(squeezed_at),
        displaced_for,
        None if displaced_at is None else parse(displaced_at),
        displaced_count,
        reason,
        bool(restarts),
        words_of(avoid),
        object_of(meta),
        words_of(tags),
        object_of(attributes),
        lost_from,
        version,
    )


def _shared(size: Size, cpu_mhz: int, memory_bytes: int) -> Size:
    """The same object where a server has all of its size."""
    return size if (cpu_mhz, memory_bytes) == (size.cpu_mhz, size.memory_bytes) else Size(cpu_mhz, memory_bytes)


SERVER: Table[Server] = Table(
    "server",
    Server,
    [
        _plain("id"),
        _plain("name"),
        _plain("project_id"),
        _plain("owner"),
        _state("state", ServerState),
        _instant("state_since"),
        _instant("created_at"),
        _size("size"),
        _plain("smp"),
        _flag("is_backfilling"),
        _pair("floor_permille", ("cpu_floor_permille", "memory_floor_permille")),
        _plain("host"),
        _size("floor", "_floor"),
        _size("effective", "_effective"),
        _instant("started_at"),
        _flag("has_run"),
        _plain("waits"),
        _instant("notice_until"),
        _plain("notice_for"),
        _plain("squeezed_by"),
        _instant("squeezed_at"),
        _plain("displaced_for"),
        _instant("displaced_at"),
        _plain("displaced_count"),
        _plain("reason"),
        _flag("restarts"),
        _words("avoid"),
        _object("meta"),
        _words("tags"),
        _object("attributes", without_secrets),
        _plain("lost_from"),
    ],
    _server_of,
)


def _drive_of(row: Row, cell: str) -> Drive:
    (
        id_, name, project_id, owner, state, state_since, created_at, size_bytes, media, host, server_id, device,
        channel, boot_order, avoid, meta, tags, attributes, lost_from, version,
    ) = row  # fmt: skip
    return _make_drive(
        id_,
        name,
        cell,
        project_id,
        owner,
        size_bytes,
        host,
        datetime.fromisoformat(created_at),
        DRIVE_STATES[state],
        datetime.fromisoformat(state_since),
        media,
        server_id,
        device,
        channel,
        boot_order,
        words_of(avoid),
        object_of(meta),
        words_of(tags),
        object_of(attributes),
        lost_from,
        version,
    )


DRIVE: Table[Drive] = Table(
    "drive",
    Drive,
    [
        _plain("id"),
        _plain("name"),
        _plain("project_id"),
        _plain("owner"),
        _state("state", DriveState),
        _instant("state_since"),
        _instant("created_at"),
        _plain("size_bytes"),
        _plain("media"),
        _plain("host"),
        _plain("server_id"),
        _plain("device"),
        _plain("channel"),
        _plain("boot_order"),
        _words("avoid"),
        _object("meta"),
        _words("tags"),
        _object("attributes", without_secrets),
        _plain("lost_from"),
    ],
    _drive_of,
)


def _host_of(row: Row, cell: str) -> Host:
    name, kind, state, state_since, cpu_mhz, memory_bytes, storage_bytes, version = row
    return Host(
        name,
        cell,
        HostKind(kind),
        HostState(state),
        Size(cpu_mhz, memory_bytes),
        storage_bytes,
        datetime.fromisoformat(state_since),
        version,
    )


HOST: Table[Host] = Table(
    "host",
    Host,
    [
        _plain("name"),
        _state("kind", HostKind),
        _state("state", HostState),
        _instant("state_since"),
        _size("capacity"),
        _plain("storage_bytes"),
    ],
    _host_of,
)


def _schedule_of(row: Row, _cell: str) -> Schedule:
    (
        id_, source_id, project_id, description, cron, time_zone, retention_days, backups_max, is_active,
        next_trigger_at, created_at, last_run_at, reason, missed_since, source_kind, jitter_seconds, keeps,
        target_seconds, drill_days, drilled_at, drill_seconds, drill_problem, version,
    ) = row  # fmt: skip
    return Schedule(
        id_,
        source_id,
        project_id,
        description,
        cron,
        time_zone,
        retention_days,
        backups_max,
        bool(is_active),
        instant_or_none(next_trigger_at),
        instant_of(created_at),
        instant_or_none(last_run_at),
        reason,
        instant_or_none(missed_since),
        source_kind,
        jitter_seconds,
        object_of(keeps),
        target_seconds,
        drill_days,
        instant_or_none(drilled_at),
        drill_seconds,
        drill_problem,
        version,
    )


SCHEDULE: Table[Schedule] = Table(
    "schedule",
    Schedule,
    [
        _plain("id"),
        _plain("source_id"),
        _plain("project_id"),
        _plain("description"),
        _plain("cron"),
        _plain("time_zone"),
        _plain("retention_days"),
        _plain("backups_max"),
        _flag("is_active"),
        _instant("next_trigger_at"),
        _instant("created_at"),
        _instant("last_run_at"),
        _plain("reason"),
        _instant("missed_since"),
        _plain("source_kind"),
        _plain("jitter_seconds"),
        _object("keeps"),
        _plain("target_seconds"),
        _plain("drill_days"),
        _instant("drilled_at"),
        _plain("drill_seconds"),
        _plain("drill_problem"),
    ],
    _schedule_of,
)


def _backup_of(row: Row, _cell: str) -> Backup:
    (
        id_, source_id, project_id, schedule_id, description, state, created_at, size_bytes, kept_until, contents,
        reason, source_kind, parent_id, version,
    ) = row  # fmt: skip
    return Backup(
        id_,
        source_id,
        project_id,
        schedule_id,
        description,
        BackupState(state),
        instant_of(created_at),
        size_bytes,
        instant_or_none(kept_until),
        object_of(contents),
        reason,
        source_kind,
        parent_id,
        version,
    )


BACKUP: Table[Backup] = Table(
    "backup",
    Backup,
    [
        _plain("id"),
        _plain("source_id"),
        _plain("project_id"),
        _plain("schedule_id"),
        _plain("description"),
        _state("state", BackupState),
        _instant("created_at"),
        _plain("size_bytes"),
        _instant("kept_until"),
        _object("contents"),
        _plain("reason"),
        _plain("source_kind"),
        _plain("parent_id"),
    ],
    _backup_of,
)

plain_field, instant_field, words_field, object_field = _plain, _instant, _words, _object
"""For the tables of other modules."""
