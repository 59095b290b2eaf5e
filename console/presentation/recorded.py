"""A mirror as pieces that are written down, and back. Pure.

Servers and drives are pieces of their own, the smaller lists are one each. What changes by itself each second, how long
a cell took to answer or how far a task is, is left out: it would be all that is ever written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from inspect import signature
from typing import Any

import orjson

from console.presentation.drive_fleet import DriveFleet
from console.presentation.fleet import Fleet
from console.presentation.mirror import Mirror
from console.records import (
    UNKNOWN,
    CapacityRecord,
    CellRecord,
    ClockRecord,
    DriveRecord,
    Factors,
    FixRecord,
    GroupRecord,
    HostRecord,
    MemberRecord,
    ServerRecord,
    SizeRecord,
    TaskRecord,
)
from console.records_services import ServiceRecord

Key = tuple[str, str]

_CLASSES: Mapping[str, type[Any]] = {
    each.__name__: each
    for each in (ServerRecord, DriveRecord, CellRecord, HostRecord, GroupRecord, MemberRecord, FixRecord, TaskRecord,
                 CapacityRecord, SizeRecord, Factors, ServiceRecord, ClockRecord)
}  # fmt: skip
_CLASS, _INSTANT, _MAPPING = "_", "_at", "_of"
_LISTS = ("cells", "hosts", "groups", "tasks", "services", "capacity")
"""Parts of a mirror that are one piece each."""


def is_whole(mirror: Mirror) -> bool:
    """Whether all of one look is there: the servers, the zones that they lie in, and the hosts.

    They come one after another. A moment of which only some are there would show a cloud that never was.
    """
    if mirror.is_offline or not mirror.is_complete or mirror.cells is None:
        return False
    if mirror.offer is None:
        return True
    # What this account may not see, or what the cloud fails to tell, is not waited for.
    is_told = mirror.hosts is not None or any("hosts" in each for each in (mirror.refused, mirror.offer.views))
    if not (is_told or "hosts" in mirror.notes or "services" in mirror.notes):
        return False
    counted = [(cell.servers or 0, cell.unknown or 0) for cell in mirror.cells]
    rows = mirror.fleet
    return (sum(n for n, _ in counted), sum(n for _, n in counted)) == (len(rows), rows.by_state[UNKNOWN])


def pieces(before: Mirror, after: Mirror) -> dict[Key, str | None]:
    """What is otherwise after than before, as text; None for what is gone."""
    found: dict[Key, str | None] = {}
    found |= _rows("server", before.fleet.by_id, after.fleet.by_id)
    found |= _rows("drive", before.drives.by_id, after.drives.by_id)
    for name in _LISTS:
        value = _steady(getattr(after, name))
        if value is not None and value != _steady(getattr(before, name)):
            found[name, ""] = text_of(value)
    return found


def _rows(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[Key, str | None]:
    if before is after:
        return {}
    found: dict[Key, str | None] = {(kind, id_): None for id_ in before.keys() - after.keys()}
    for id_, row in after.items():
        known = before.get(id_)
        if known is not row and known != row:
            found[kind, id_] = text_of(row)
    return found


def _steady(value: Any) -> Any:
    if not isinstance(value, tuple) or hasattr(value, "_fields"):
        return value
    return tuple(
        each._replace(answer_ms=None, answered_at=None, next_try_seconds=None, history=())
        if isinstance(each, CellRecord)
        else each._replace(progress=None)
        if isinstance(each, TaskRecord)
        else each
        for each in value
    )


def mirror_of(now: Mirror, told: Mapping[Key, str], at: datetime) -> Mirror:
    """What was seen at an instant. What was not recorded is not known."""
    values = {key: value_of(text) for key, text in told.items()}
    servers = Fleet().changed(_of_kind(values, "server"))
    drives = DriveFleet().changed(_of_kind(values, "drive"))
    parts: dict[str, Any] = {name: values.get((name, "")) for name in _LISTS}
    tasks = parts["tasks"] or ()
    mirror = Mirror(
        cloud=now.cloud,
        kind=now.kind,
        account=now.account,
        is_production=now.is_production,
        offer=now.offer,
        clock=None if now.clock is None else now.clock._replace(now=at),
        clock_at=at,
        fleet=servers,
        drives=drives,
        drives_total=len(drives),
        are_drives_followed=True,
        are_drives_complete=True,
        servers_total=len(servers),
        is_complete=True,
        tasks_open=sum(task.state == "open" for task in tasks),
        answered_at={"status": at, "servers": at},
        is_recorded=True,
    )
    return dataclasses.replace(mirror, **parts)


def _of_kind(values: Mapping[Key, Any], kind: str) -> Iterable[Any]:
    return [value for (each, _), value in values.items() if each == kind]


# Records as text ---------------------------------------------------------------------------------------------------


def text_of(value: Any) -> str:
    return orjson.dumps(_plain(value)).decode()


def value_of(text: str) -> Any:
    """The record. Fields that this version does not know are left out; those that it does not find have defaults."""
    return _value(orjson.loads(text))


@cache
def _defaults(kind: str) -> Mapping[str, Any]:
    """What a record is made of, with what each is when it is not said; `Parameter.empty` for what must be said."""
    return {name: each.default for name, each in signature(_CLASSES[kind]).parameters.items()}


def _plain(value: Any) -> Any:
    name = type(value).__name__
    if name in _CLASSES:
        fields = {field: (getattr(value, field), default) for field, default in _defaults(name).items()}
        told = {field: _plain(found) for field, (found, default) in fields.items()
                if field != "sort_name" and found != default}  # fmt: skip
        return {_CLASS: name, **told}
    if isinstance(value, datetime):
        return {_INSTANT: value.isoformat()}
    if isinstance(value, Mapping):
        return {_MAPPING: {str(key): _plain(each) for key, each in value.items()}}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(each) for each in value]
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(each) for each in plain)
    if not isinstance(plain, dict):
        return plain
    if _INSTANT in plain:
        return datetime.fromisoformat(plain[_INSTANT])
    if _MAPPING in plain:
        return {key: _value(each) for key, each in plain[_MAPPING].items()}
    kind = plain[_CLASS]
    known = _defaults(kind)
    return _CLASSES[kind](**{name: _value(each) for name, each in plain.items() if name in known})
