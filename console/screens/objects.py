"""What the key of a row is about: an object to act on, a place to open, a text to copy. Pure.

Keys are a server's id, or `kind:NAME` for everything else.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from console.commands import VIEWS
from console.names import PALETTES, SHIPPED
from console.presentation import tasks
from console.presentation.lines import View
from console.presentation.mirror import Mirror
from console.reasons import Item
from console.records import DriveRecord
from console.records_backups import StorageRecord
from console.screens.places import Place

_SCOPED_VIEWS = {"cell": "servers", "group": "groups"}
_VIEW_KINDS = frozenset(VIEWS)
_SCHEDULE_VIEWS = frozenset({"schedules", "calendar"})
"""Lists of schedules, where enter shows a schedule's backups; elsewhere it describes the schedule."""


def split_key(mirror: Mirror, key: str) -> tuple[str, str]:
    """The kind and the name or id of what a row is about."""
    if key in mirror.servers:
        return "server", key
    kind, colon, rest = key.partition(":")
    return (kind, rest) if colon else ("server", key)


def item_of(mirror: Mirror, key: str) -> Item | None:
    """The object of a row as commands see it; None for rows about nothing that one acts on, or that is gone."""
    kind, name = split_key(mirror, key)
    match kind:
        case "server":
            server = mirror.servers.get(name)
            if server is None:
                return None
            restarts = server.restarts if server.is_backfilling else None
            return Item(kind, key, server.title, server.state, server.is_reachable, server.version, restarts=restarts)
        case "cell":
            cell = next((each for each in mirror.cells or () if each.name == name), None)
            return None if cell is None else Item(kind, key, name, cell.state)
        case "drive":
            drive = mirror.drives.by_id.get(name)
            if drive is None:
                return None
            held_by = _held_by(mirror, drive)
            return Item(kind, key, drive.title, drive.state, drive.is_reachable, drive.version, held_by)
        case "host":
            host = next((each for each in mirror.hosts or () if each.name == name), None)
            if host is None:
                return None
            return Item(kind, key, name, host.state, mirror.is_host_known(host), host.version)
        case "group":
            group = next((each for each in mirror.groups or () if each.name == name), None)
            is_open = any(
                t.object_kind == kind and t.object_id == name and t.state == "open" for t in mirror.tasks or ()
            )
            state = "being restored" if is_open else "" if group is None or group.collisions else "apart"
            return Item(kind, key, name, state)
        case "schedule" | "backup":
            return _item_of_backing(mirror, kind, key, name)
        case "project":
            project = _project(mirror, name)
            return Item(kind, key, name if project is None else project.name)
        case _:
            return Item(kind, key, name)


def _item_of_backing(mirror: Mirror, kind: str, key: str, id: str) -> Item | None:
    if kind == "schedule":
        schedule = mirror.find_schedule(id)
        if schedule is None:
            return None
        state = "on" if schedule.is_active else "off"
        return Item(kind, key, schedule.title, state, version=schedule.version)
    backup = mirror.protection.find_backup(id)
    if backup is None:
        return None
    part_of = "whole" if backup.parent_id else "" if backup.source_kind == "server" else "parts"
    return Item(kind, key, backup.title, backup.state, version=backup.version, part_of=part_of)


def shown_marks(view: View, filter_text: str, marks: frozenset[str]) -> frozenset[str]:
    """Of the marked rows those that the filter shows: what is not in sight is not acted on, and stays marked."""
    if not marks or not filter_text or view.table is None:
        return marks
    return marks & {view.table.key_of(row) for row in view.table.rows}


def in_order(view: View, marks: frozenset[str]) -> list[str]:
    """The marked rows as the list in sight has them; those that it does not show are last, by their keys."""
    if len(marks) < 2 or view.table is None:
        return sorted(marks)
    shown = dict.fromkeys(key for key in map(view.table.key_of, view.table.rows) if key in marks)
    return [*shown, *sorted(marks.difference(shown))]


def _project(mirror: Mirror, id: str) -> StorageRecord | None:
    found = mirror.protection.storage
    return next((each for each in (found.projects if found is not None else ()) if each.project_id == id), None)


def _held_by(mirror: Mirror, drive: DriveRecord) -> str:
    """What keeps a drive on its server: only a stopped one lets it go."""
    server = mirror.servers.get(drive.server_id or "")
    if server is None or server.state == "stopped":
        return ""
    words = {"unavailable": "lost", "unknown": "UNKNOWN"}
    return f"{server.title} is {words.get(server.state, server.state)}"


def siblings(mirror: Mirror, key: str) -> tuple[str, ...]:
    """The other members of a server's group."""
    server = mirror.servers.get(key)
    if server is None or server.group is None:
        return ()
    group = next((each for each in mirror.groups or () if each.name == server.group), None)
    return () if group is None else tuple(member.id for member in group.members if member.id != key)


def place_of(mirror: Mirror, key: str, view: str) -> Place:
    """Where enter on a row leads."""
    kind, name = split_key(mirror, key)
    if kind == "audit":
        return Place("raw", key)
    if kind == "view" and name in _VIEW_KINDS:
        return Place(name)
    if kind in _VIEW_KINDS:
        return Place(kind, name if kind == "backups" else None)
    if kind == "project" or (kind == "schedule" and view in _SCHEDULE_VIEWS):
        return Place("backups", key)
    if kind == "backup" and view == "backups" and mirror.protection.has_parts(name):
        return Place("backups", key)
    if kind == "event":
        event = mirror.find_event(name)
        if event is not None and (about := tasks.object_key(mirror, event.object_kind, event.object_id)) is not None:
            return Place("detail", about)
    if kind in _SCOPED_VIEWS and not (kind == "group" and view == "groups" and name == ""):
        return Place(_SCOPED_VIEWS[kind], name)
    return Place("detail", key)


def target_of(mirror: Mirror, key: str) -> Place | None:
    """Where what a task is about is described, or who took a server's room; None where that is gone."""
    server = mirror.servers.get(key)
    if server is not None:
        cause = server.notice_for or server.squeezed_by or server.displaced_for
        return Place("detail", cause) if cause is not None and cause in mirror.servers else None
    task = next((each for each in mirror.tasks or () if f"task:{each.id}" == key), None)
    about = None if task is None else tasks.target_key(mirror, task)
    if about is None:
        return None
    return place_of(mirror, about, "tasks") if about.startswith("group:") else Place("detail", about)


def no_target(mirror: Mirror, key: str) -> str:
    """Why a row leads to nothing else: only tasks are about an object, and only a server's room is taken by another."""
    match split_key(mirror, key)[0]:
        case "task":
            return "what it was about is not there any more"
        case "server":
            return "nobody took its room, or who did is not there any more"
        case kind:
            return f"a {kind} is about nothing else: enter opens it"


def events_about(mirror: Mirror, key: str) -> str | None:
    """The scope of the events of what a row is about: an id, or a name of a host or a cell."""
    kind, name = split_key(mirror, key)
    match kind:
        case "server" | "drive" | "host" | "cell" | "schedule" | "backup":
            return name if item_of(mirror, key) is not None else None
        case "task":
            task = next((each for each in mirror.tasks or () if each.id == name), None)
            return None if task is None else task.object_id
        case "event":
            event = mirror.find_event(name)
            return None if event is None else event.object_id
        case _:
            return None


def record_of(mirror: Mirror, key: str) -> Mapping[str, Any]:
    """The record behind a row as plain values, for objects whose raw form the API does not give by itself."""
    kind, name = split_key(mirror, key)
    sources: Mapping[str, tuple[Any, ...]] = {
        "server": tuple(server for server in (mirror.servers.get(name),) if server is not None),
        "drive": tuple(drive for drive in (mirror.drives.by_id.get(name),) if drive is not None),
        "cell": tuple(each for each in mirror.cells or () if each.name == name),
        "host": tuple(each for each in mirror.hosts or () if each.name == name),
        "group": tuple(each for each in mirror.groups or () if each.name == name),
        "task": tuple(each for each in mirror.tasks or () if each.id == name),
        "event": tuple(event for event in (mirror.find_event(name),) if event is not None),
        "schedule": tuple(each for each in (mirror.find_schedule(name),) if each is not None),
        "backup": tuple(each for each in (mirror.protection.find_backup(name),) if each is not None),
        "project": tuple(project for project in (_project(mirror, name),) if project is not None),
        "audit": tuple(each for each in mirror.audit or () if each.id == name),
    }
    found = sources.get(kind, ())
    plain = _plain(found[0]) if found else {}
    assert isinstance(plain, dict), "a record has named fields"
    return plain


def _plain(value: Any) -> Any:
    names = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names if name != "sort_name"}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def names(mirror: Mirror) -> Mapping[str, Iterable[str]]:
    """What may follow a word of the line after `:`."""
    cells = sorted(cell.name for cell in mirror.cells or ())
    return {
        **dict.fromkeys(
            ("cell", "servers", "drives", "hosts", "tasks", "services", "capacity", "schedules", "coverage"), cells
        ),
        "host": (host.name for host in mirror.hosts or ()),
        # However many there are, they are looked at only while one's name is typed.
        "drive": (drive.name for drive in mirror.drives.by_id.values() if drive.name is not None),
        "server": (server.name for server in mirror.servers.values() if server.name is not None),
        "group": sorted(group.name for group in mirror.groups or ()),
        "account": (owner.account for owner in (mirror.billing.owners if mirror.billing else ())),
        "calendar": sorted({each.time_zone for each in mirror.schedules or ()}),
        "clock": ("manual", "stop", "wall", "step 5m", "x60"),
        "palette": PALETTES,
        "rehearse": SHIPPED,
    }


def curl(mirror: Mirror, key: str) -> str:
    """The request that reads the object, for the shell; the variables are those of `stratodeck env curl`."""
    kind, name = split_key(mirror, key)
    record = next((each for each in mirror.audit or () if each.key == key), None)
    if record is not None:
        return _curl(record.method, record.path.removeprefix("/"), record.body)
    lists = {"cell": "cells", "host": "hosts", "group": "groups", "task": "tasks"}
    single = {each: f"{each}s/{name}" for each in ("server", "drive", "schedule", "backup")}
    paths = {**single, **lists, "account": f"billing/ledger?account={quote(name)}"}
    return _curl("GET", paths.get(kind, "status"))


def curl_of_action(key: str, action: str, avoid: tuple[str, ...] = (), **fields: Any) -> str:
    """The request that a verb of a server would send, for the shell."""
    body: dict[str, Any] = {"action": action, **fields}
    if avoid:
        body["avoid"] = list(avoid)
    return _curl("POST", f"servers/{key}/actions", body)


def curl_of_verb(mirror: Mirror, key: str, action: str) -> str:
    """The request that a verb of a drive, host or group would send, for the shell; what it asks is to be filled in."""
    kind, name = split_key(mirror, key)
    asked: dict[str, dict[str, Any]] = {
        "attach": {"server_id": "ID"},
        "clone": {"name": None, "avoid": []},
        "edit": {"name": "NAME"},
    }
    return _curl("POST", f"{kind}s/{name}/actions", {"action": action, **asked.get(action, {})})


_SCHEDULE = {"cron": "30 2 * * *", "time_zone": "UTC", "retention_days": 14}
_FORMS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "account.balance": ("PUT", "accounts/{}/balance", {"balance": "100.00"}),
    "account.subscribe": (
        "POST",
        "billing/subscriptions",
        {"account": "{}", "resource": "cpu", "amount": 10_000, "period": "1 month"},
    ),
    "account.extend": ("POST", "billing/subscriptions", {"account": "{}", "extends": "NUMBER"}),
    "server.backup": ("POST", "backups", {"source_kind": "server", "source_id": "{}", "description": "NOTE"}),
    "server.schedule": ("POST", "schedules", {"source_kind": "server", "source_id": "{}", **_SCHEDULE}),
    "schedule.edit": ("PATCH", "schedules/{}", _SCHEDULE),
    "backup.restore": ("POST", "backups/{}/actions", {"action": "restore", "flavor": "m1.small", "name": "NAME"}),
    **{
        f"{kind}.{action}": ("POST", f"{kind}s/{{}}/actions", {"action": action})
        for kind, actions in (("schedule", "run activate deactivate drill delete"), ("backup", "delete"))
        for action in actions.split()
    },
    "server.edit": ("POST", "servers/{}/actions", {"action": "edit", "name": "NAME", "tags": [], "meta": {}}),
    "server.resize": ("POST", "servers/{}/actions", {"action": "resize", "cpu_mhz": 4_000, "memory_bytes": 8 * 2**30}),
    "server.attach_nic": ("POST", "servers/{}/nics", {"configuration": "dhcp"}),
    "server.detach_nic": ("DELETE", "servers/{}/nics/MAC", {}),
    "drive.edit": ("POST", "drives/{}/actions", {"action": "edit", "name": "NAME", "tags": [], "meta": {}}),
    "drive.resize": ("POST", "drives/{}/actions", {"action": "resize", "size_bytes": 40 * 2**30}),
    "drive.snapshot": ("POST", "drives/{}/snapshots", {"name": "NAME"}),
    "drive.clone_snapshot": ("POST", "snapshots/ID/actions", {"action": "clone", "name": "NAME", "avoid": []}),
    "drive.delete_snapshot": ("POST", "snapshots/ID/actions", {"action": "delete"}),
}


def curl_of_form(mirror: Mirror, key: str, command_id: str) -> str:
    """The request of a verb that asks in a form, for the shell; what it asks is to be filled in."""
    method, path, body = _FORMS[command_id]
    id = split_key(mirror, key)[1]
    filled = {name: id if value == "{}" else value for name, value in body.items()}
    return _curl(method, path.format(id), filled)


def curl_of_creation(kind: str) -> str:
    """The request that makes a drive or a server, for the shell; what it is to be is to be filled in."""
    bodies: dict[str, dict[str, Any]] = {
        "drive": {"name": "NAME", "size_bytes": 20 * 2**30},
        "server": {"name": "NAME", "cpu_mhz": 4_000, "memory_bytes": 8 * 2**30},
        "schedule": {"source_kind": "server", "source_id": "ID", **_SCHEDULE},
        "backup": {"source_kind": "server", "source_id": "ID", "description": "NOTE"},
    }
    return _curl("POST", f"{kind}s", bodies[kind])


def curl_of_cell(name: str, state: str) -> str:
    """The request that injects a fault, for the shell."""
    return _curl("POST", f"cells/{name}/actions", {"action": state})


_CLOCK: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "clock.advance": ("POST", "clock/advance", {"seconds": 60}),
    "clock.hour": ("POST", "clock/advance", {"seconds": 3600}),
    "clock.manual": ("PATCH", "clock", {"mode": "manual"}),
    "clock.wall": ("PATCH", "clock", {"mode": "wall"}),
    "clock.rate": ("PATCH", "clock", {"mode": "rate", "rate": 60}),
}


def curl_of_clock(command_id: str) -> str | None:
    """The request of a verb of the clock, for the shell; None of one that must look first."""
    found = _CLOCK.get(command_id)
    return None if found is None else _curl(*found)


def _curl(method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
    words = ["curl -sS"]
    if method != "GET":
        words.append(f"-X {method}")
    words.append('-H "Authorization: Bearer $STRATODECK_TOKEN"')
    if body is not None:
        words += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body))}"]
    return " ".join([*words, f'"$STRATODECK_URL"{shlex.quote("/ops/v1/" + path)}'])
