"""Every invariant of a data folder, and every certificate in it. Reads only, whether anybody serves the folder or not.

For each cell, in this order: its files can be read and are as new as what was acknowledged; no host holds more than its
capacity; every server that runs has exactly one host, which is up; each has the size that what is on its host gives it;
what is under way has a task that ends it, and no task is of something else; what the project is charged for is what
exists; the log has no gaps, contradicts itself nowhere, and proves every decision in it (`certificate_checker`); and
what is stored is what the log adds up to. In cloud.db: every network interface is of a server that there is, and no
hardware address and no IP is on two of them; backups hold what they are charged for, are parts of what exists, and are
looked after; what is billed is what was in use, once (`usage_checker`).

What is checked and what is stored are compared by code of its own (`event_log`, `host_account`), never by the code that
decided. A folder that is being served may change between two files: what does not fit together is looked at again.

A cell whose file cannot be read is no breach: nothing is known of it. The others and cloud.db are checked all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.certificate_checker import CertificateChecker
from backend.cloud.model import Backup, without_secrets
from backend.decision_checker import Rules
from backend.event_log import Breach, CellLog, Event, Picture
from backend.host_account import DIMENSIONS, effective
from backend.store import (
    CellEntry,
    CellTransaction,
    CloudTransaction,
    DriveEntry,
    FolderError,
    FolderLook,
    ServerEntry,
    look,
)
from backend.usage_checker import check_usage

LENT_MAX = 4_128_768
"""So many addresses there are to be lent: /24s of 100.64.0.0/10 with 252 each, by the number of the interface."""

LOOKS_MAX = 5
"""How often the files of a served folder are read until they fit together."""

OLDER: Mapping[str, Any] = {"restarts": False}
"""What a column holds of an object that is older than the column: the log says nothing of it until it changes."""

HOLDING = ("starting", "running", "stopping", "paused", "unavailable")
UNITS: Mapping[str, str] = {"cpu_mhz": "MHz of CPU", "memory_bytes": "bytes of memory"}


@dataclass(slots=True)
class Report:
    """What was checked, how much of it, and the first breach."""

    cells: int = 0
    hosts: int = 0
    servers: int = 0
    drives: int = 0
    reservations: int = 0
    open_tasks: int = 0
    interfaces: int = 0
    backups: int = 0
    usage_intervals: int = 0
    events: int = 0
    placements: int = 0
    certificates: int = 0
    certificates_with_gap: int = 0
    """Those that prove less than that no other host and no other set of servers was better."""
    breach: str | None = None
    """A sentence; None where everything is as it must be."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        yield f"{self.cells:,} cells: {self.hosts:,} hosts, {self.servers:,} servers and {self.drives:,} drives in them"
        plugged = f", {self.interfaces:,} network interfaces" if self.interfaces else ""
        yield f"{self.reservations:,} reservations and what they are for{plugged}"
        is_one = self.open_tasks == 1
        tasks = "1 open task, and what it is" if is_one else f"{self.open_tasks:,} open tasks, and what they are"
        yield f"{tasks} to end"
        yield f"{self.backups:,} backups, what each is charged for, and what each is a part of"
        yield f"{self.events:,} events, and what they add up to"
        open_ones = f", {self.certificates_with_gap:,} of them with a gap" if self.certificates_with_gap else ""
        yield f"{self.placements:,} placements, {self.certificates:,} of which disturb others and are proved{open_ones}"
        yield f"Breach: {self.breach}" if self.breach else "Everything is as it must be."


class Unsettled(Exception):
    """Files that do not fit together: breaches, unless the folder is changing just now."""

    def __init__(self, found: Mapping[str, str]) -> None:
        super().__init__(next(iter(found.values())))
        self.found = found
        """What, and a sentence."""


@dataclass(slots=True)
class _Cell:
    """One cell as it is stored."""

    entry: CellEntry
    tx: CellTransaction
    hosts: dict[str, Picture] = field(default_factory=dict)
    servers: dict[str, Picture] = field(default_factory=dict)
    drives: dict[str, Picture] = field(default_factory=dict)


ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""Of an object."""


def with_names(sentence: str, names: Mapping[str, tuple[str, str]]) -> str:
    """The sentence with what each id in it is called, and of what kind it is where the word before does not say so."""

    def told(found: re.Match[str]) -> str:
        if found[0] not in names:
            return found[0]
        kind, name = names[found[0]]
        is_said = sentence[: found.start()].rstrip().endswith(kind)
        return f"{name} ({found[0]})" if is_said else f"{kind} {name} ({found[0]})"

    return ID.sub(told, sentence)


def check(path: Path, *, again: Callable[[], bool] = lambda: False) -> Report:
    """Check the cloud in a folder, up to the first breach.

    Args:
        again: Asked where two files do not fit together; waits a little and says whether to look once more, which
            makes sense only while somebody serves the folder.

    Raises:
        FolderError: the folder holds no cloud, cloud.db cannot be read, or a cell cannot, and there is no breach in
            what can be.
    """
    suspects: Mapping[str, str] | None = None
    names: dict[str, tuple[str, str]] = {}
    for number in range(1, LOOKS_MAX + 1):
        report = Report()
        try:
            with look(path) as seen:
                _check(seen, report, suspects, names)
        except Unsettled as problem:
            # What changes in between is something else each time.
            suspects = problem.found
            if number < LOOKS_MAX and again():
                continue
            report.breach = with_names(f"{problem}.", names)
        except Breach as breach:
            report.breach = with_names(f"{breach}.", names)
        return report
    raise AssertionError("the last look gives a report")


def _check(
    seen: FolderLook, report: Report, suspects: Mapping[str, str] | None, names: dict[str, tuple[str, str]]
) -> None:
    """With `suspects`, of what does not fit together only what did not before either is told.

    `names` takes kind and name of each server and drive by its id, for sentences.
    """
    entries = seen.cloud.cells()
    owners: dict[str, str] = {}
    unsettled: dict[str, str] = {}
    unread: dict[str, FolderError] = {}
    cells = _read_all(seen, entries, report, names, unread)
    for cell in cells:
        with _named(cell.entry.name), _cell_read(seen, cell.entry.name, unread):
            _check_hosts(cell, report)
            _check_tasks(cell, report)
            for id in (*cell.servers, *cell.drives):
                if id in owners:
                    raise Breach(f"{id} is in {owners[id]} too")
                owners[id] = cell.entry.name
    for cell in cells:
        with _named(cell.entry.name):
            name = cell.entry.name
            entries_of = seen.cloud.server_entries(cells=[name]), seen.cloud.drive_entries(cells=[name])
            for what, sentence in _misfits(cell, *entries_of, report):
                unsettled[what] = f"{cell.entry.name}: {sentence}"
    _check_snapshots(seen)
    if suspects is not None:
        unsettled = {what: sentence for what, sentence in unsettled.items() if suspects.get(what) == sentence}
    if unsettled:
        raise Unsettled(unsettled)
    rules = Rules.of(seen.cloud.settings())
    for cell in cells:
        with _named(cell.entry.name), _cell_read(seen, cell.entry.name, unread):
            _check_log(cell, rules, report)
    with _named("cloud.db"):
        _check_backups(seen.cloud, report)
        cloud = seen.cloud
        report.usage_intervals = check_usage(
            cloud.broken_intervals(), cloud.every_interval(), cloud.every_presumed(), cloud.every_step()
        )
    numbers = CellLog()
    with _named("cloud.db"):
        _check_networks(seen, report)
        numbers.number = begun = seen.cloud.log_beginning().number
        for row in seen.cloud.event_rows():
            numbers.take(Event(row[0], row[1], row[2], row[3], row[4], row[5], {}, {}))
    report.events += numbers.number - begun
    if unread:
        told = [f"{name} cannot be checked: {str(problem).rstrip('.')}." for name, problem in sorted(unread.items())]
        raise FolderError(" ".join([*told, "No breach was found in what can be read."]))


def _read_all(
    seen: FolderLook,
    entries: Iterable[CellEntry],
    report: Report,
    names: dict[str, tuple[str, str]],
    unread: dict[str, FolderError],
) -> list[_Cell]:
    cells = []
    for entry in entries:
        try:
            with _cell_read(seen, entry.name, unread):
                cells.append(_read(seen, entry))
        except (ValueError, LookupError, TypeError) as problem:
            raise Breach(f"{entry.name} holds a row that is of no object ({problem!r})") from problem
        if entry.name in unread:
            continue
        for kind, things in (("server", cells[-1].servers), ("drive", cells[-1].drives)):
            names.update((id, (kind, str(thing["name"]))) for id, thing in things.items())
        report.cells += 1
    return cells


@contextmanager
def _cell_read(seen: FolderLook, cell: str, unread: dict[str, FolderError]) -> Iterator[None]:
    """Notes that the cell cannot be read, and why, where that is found out here."""
    try:
        with seen.reading(cell):
            yield
    except FolderError as problem:
        unread.setdefault(cell, problem)


def _check_networks(seen: FolderLook, report: Report) -> None:
    """Every interface is one of a server that there is, with an address that nobody else has, of the same project."""
    projects = {entry.id: entry.project_id for entry in seen.cloud.server_entries()}
    interfaces = seen.cloud.every_interface()
    owned = {
        column: seen.cloud.projects_of_owned(kind, {id for each in interfaces if (id := getattr(each, column))})
        for column, kind in (("address", "address"), ("vlan_id", "vlan"), ("policy_id", "firewall_policy"))
    }
    holders: dict[str, str] = {}
    for each in interfaces:
        if projects.get(each.server_id) != each.project_id:
            raise Breach(f"interface {each.mac} is of server {each.server_id}, which its project does not have")
        for column, known in owned.items():
            id = getattr(each, column)
            if id is not None and known.get(id) != each.project_id:
                raise Breach(f"interface {each.mac} has {column} {id}, which its project does not have")
        lent = f"lent address {each.number % LENT_MAX}" if each.configuration == "dhcp" else None
        for what in (each.mac, each.address, lent):
            if what in holders:
                raise Breach(f"{what} is on server {each.server_id}, and on server {holders[what]} too")
            if what is not None:
                holders[what] = each.server_id
    report.interfaces = len(interfaces)


class _named:
    """Puts the file's name before a breach, and makes one of what cannot be understood."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Breach):
            raise Breach(f"{self._name}: {error}") from error
        if isinstance(error, LookupError | TypeError | ValueError):
            raise Breach(f"{self._name}: something in it cannot be understood ({error!r})") from error


def _read(seen: FolderLook, entry: CellEntry) -> _Cell:
    tx = seen.cell(entry.name)
    if tx.epoch() < entry.epoch:
        raise Breach(f"{entry.name}: it is older than what was acknowledged ({tx.epoch()} commits of {entry.epoch})")
    cell = _Cell(entry, tx)
    for kind, pictures in (("host", cell.hosts), ("server", cell.servers), ("drive", cell.drives)):
        pictures.update(tx.pictures(kind))
    return cell


# --- What is stored ---------------------------------------------------------------------------------------------------


def _check_hosts(cell: _Cell, report: Report) -> None:
    held: dict[str, list[Picture]] = {}
    for id, server in sorted(cell.servers.items()):
        _check_place(cell, id, server)
        if server.get("host") is not None:
            held.setdefault(server["host"], []).append(server)
    stored: dict[str, int] = {}
    for id, drive in cell.drives.items():
        if drive["host"] not in cell.hosts:
            raise Breach(f"drive {id} is on host {drive['host']}, which is not there")
        stored[drive["host"]] = stored.get(drive["host"], 0) + drive["size_bytes"]
    for name, host in sorted(cell.hosts.items()):
        if stored.get(name, 0) > host["storage_bytes"]:
            raise Breach(f"host {name} holds {stored[name]:,} bytes of drives, and has {host['storage_bytes']:,}")
        if host["kind"] == "compute" and host["state"] != "down":
            _check_sizes(host, held.get(name, []))
    report.hosts += len(cell.hosts)
    report.servers += len(cell.servers)
    report.drives += len(cell.drives)


def _check_place(cell: _Cell, id: str, server: Picture) -> None:
    state, host = server["state"], server.get("host")
    if host is None:
        if state in HOLDING:
            raise Breach(f"server {id} is {state} on no host")
        return
    if state not in HOLDING:
        raise Breach(f"server {id} is {state} and holds host {host}")
    found = cell.hosts.get(host)
    if found is None or found["kind"] != "compute":
        raise Breach(f"server {id} is {state} on {host}, which is no compute host")
    if (found["state"] == "down") != (state == "unavailable"):
        raise Breach(f"server {id} is {state} on host {host}, which is {found['state']}")


def _check_sizes(host: Picture, servers: list[Picture]) -> None:
    for dimension in DIMENSIONS:
        total = sum(server[f"{dimension}_effective"] for server in servers)
        if total > host[dimension]:
            what = f"{total:,} {UNITS[dimension]}"
            raise Breach(f"host {host['name']} is over its capacity: it holds {what}, and has {host[dimension]:,}")
    wanted = effective(host, servers)
    for server in servers:
        found = tuple(server[f"{dimension}_effective"] for dimension in DIMENSIONS)
        if found != wanted[server["id"]]:
            raise Breach(
                f"server {server['id']} on {host['name']} has {_size(found)}, and by what is on the host it should "
                f"have {_size(wanted[server['id']])}"
            )


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]:,} MHz and {size[1]:,} bytes"


# --- What is under way ------------------------------------------------------------------------------------------------

_ENDED_BY: Mapping[tuple[str, str], str] = {
    ("server", "starting"): "start",
    ("server", "stopping"): "stop",
    ("drive", "creating"): "create",
    ("drive", "cloning_dst"): "clone",
}
"""The task that ends a state; a server that waits for its room has none yet."""


def _check_tasks(cell: _Cell, report: Report) -> None:
    """What is under way has an open task that ends it, and such a task is of something that is under way."""
    wanted = {
        (ends, kind, id)
        for kind, things in (("server", cell.servers), ("drive", cell.drives))
        for id, thing in things.items()
        if (ends := _ENDED_BY.get((kind, thing["state"]))) is not None and thing.get("waits") is None
    }
    wanted |= {
        ("displace", "server", id)
        for id, server in cell.servers.items()
        if server.get("notice_until") is not None and server["state"] != "unavailable"
    }
    kinds = {*_ENDED_BY.values(), "displace"}
    found: set[tuple[str, str, str]] = set()
    for task in cell.tx.tasks(is_open=True, limit=-1):
        report.open_tasks += 1
        key = (task.kind, task.object_kind, task.object_id)
        if task.kind not in kinds or task.object_kind not in ("server", "drive"):
            continue
        if key in found:
            raise Breach(f"{task.object_kind} {task.object_id} has two open tasks that {task.kind} it")
        things = cell.servers if task.object_kind == "server" else cell.drives
        is_now = things[task.object_id]["state"] if task.object_id in things else "not there"
        # What a lost host has interrupted may go on when that is back.
        if key not in wanted and is_now != "unavailable":
            raise Breach(f"task {task.id} is to {task.kind} {task.object_kind} {task.object_id}, which is {is_now}")
        found.add(key)
    for task_kind, kind, id in sorted(wanted - found):
        thing = (cell.servers if kind == "server" else cell.drives)[id]
        raise Breach(f"{kind} {id} is {thing['state']}, and no open task is to {task_kind} it")


# --- What it is charged for -------------------------------------------------------------------------------------------


def _misfits(
    cell: _Cell, servers: Iterable[ServerEntry], drives: Iterable[DriveEntry], report: Report
) -> Iterator[tuple[str, str]]:
    """What is reserved otherwise than it is, by the entries of the cell's servers and drives: what, and a sentence."""
    known: set[str] = set()
    for entry in servers:
        known.add(entry.id)
        server = cell.servers.get(entry.id)
        reserved = (entry.project_id, entry.size.cpu_mhz, entry.size.memory_bytes, entry.is_backfilling)
        has = _values(server, "project_id", "cpu_mhz", "memory_bytes", "is_backfilling")
        yield from _compared(f"server {entry.id}", entry.state, reserved, has)
    for drive_entry in drives:
        known.add(drive_entry.id)
        what, drive = f"drive {drive_entry.id}", cell.drives.get(drive_entry.id)
        charged = (drive_entry.project_id, drive_entry.size_bytes)
        yield from _compared(what, drive_entry.state, charged, _values(drive, "project_id", "size_bytes"))
        # A cell that is kept from answering hears of what its drives were detached from when it is back.
        if drive is not None and cell.entry.injected is None and drive_entry.server_id != drive.get("server_id"):
            yield what, f"{what} is attached to {drive.get('server_id')}, and centrally {drive_entry.server_id}"
    for kind, things in (("server", cell.servers), ("drive", cell.drives)):
        for id in sorted(things.keys() - known):
            yield f"{kind} {id}", f"{kind} {id} exists, and nothing is reserved for it"
    report.reservations += len(known)


def _check_snapshots(seen: FolderLook) -> None:
    with _named("cloud.db"):
        for id in seen.cloud.stray_snapshots():
            raise Breach(f"snapshot {id} is charged for, and is of no drive")


def _values(picture: Picture | None, *columns: str) -> tuple[Any, ...] | None:
    return None if picture is None else tuple(picture[column] for column in columns)


def _compared(
    what: str, state: str, reserved: tuple[Any, ...], has: tuple[Any, ...] | None
) -> Iterator[tuple[str, str]]:
    if state != "active":
        # Half-way: it is finished or undone when the cell is opened next.
        return
    if has is None:
        yield what, f"{what} is reserved, and does not exist"
    elif reserved != has:
        yield what, f"{what} is reserved as {reserved}, and is {has}"


# --- What lies outside the cells --------------------------------------------------------------------------------------

_WORK = {"backing_up": "backup", "restoring": "restore_backup", "deleting": "delete_backup"}
"""What looks after a backup in each state that is not for ever."""


def _check_backups(cloud: CloudTransaction, report: Report) -> None:
    backups = {backup.id: backup for backup in cloud.backups()}
    schedules = {schedule.id for schedule in cloud.schedules()}
    parts: dict[str, list[Backup]] = {}
    for id, backup in sorted(backups.items()):
        if backup.parent_id is not None:
            parent = backups.get(backup.parent_id)
            if parent is None or parent.source_kind == "server" or parent.parent_id is not None:
                raise Breach(f"backup {id} is a part of {backup.parent_id}, which is no backup that has parts")
            parts.setdefault(parent.id, []).append(backup)
        if backup.schedule_id is not None and backup.schedule_id not in schedules:
            raise Breach(f"backup {id} is of schedule {backup.schedule_id}, which is not there")
        copied = [drive["size_bytes"] for drive in backup.contents.get("drives", ()) if drive["media"] == "disk"]
        if sum(copied) != backup.size_bytes:
            raise Breach(f"backup {id} is charged for {backup.size_bytes:,} bytes, and holds {sum(copied):,}")
    for id, backup in sorted(backups.items()):
        _check_work(cloud, backup, parts.get(id, []))
    report.backups += len(backups)


def _check_work(cloud: CloudTransaction, backup: Backup, parts: list[Backup]) -> None:
    """That what is under way is looked after, and that a whole is as its parts are."""
    if backup.source_kind != "server" and backup.state in ("backing_up", "ready"):
        unfinished = [part for part in parts if part.state == "backing_up"]
        if (backup.state == "backing_up") != bool(unfinished):
            raise Breach(f"backup {backup.id} is {backup.state}, and {len(unfinished)} of its parts are not finished")
        return
    kind = _WORK.get(backup.state)
    if kind is None or (kind == "delete_backup" and backup.parent_id is not None):
        return
    if not any(task.kind == kind for task in cloud.open_tasks_of(backup.id)):
        raise Breach(f"backup {backup.id} is {backup.state}, and nothing will end that")


# --- What the log says ------------------------------------------------------------------------------------------------


def _check_log(cell: _Cell, rules: Rules, report: Report) -> None:
    log = CellLog()
    begun = cell.tx.log_beginning().number
    log.begin(begun, cell.tx.log_base())
    checker = CertificateChecker(log, rules)
    for row in cell.tx.event_rows():
        event = Event.of(row)
        checker.look(event)
        log.take(event)
        report.placements += event.kind == "server.placed"
    checker.end()
    report.events += log.number - begun
    report.certificates += checker.checked
    report.certificates_with_gap += checker.with_gap
    for kind, stored in (("host", cell.hosts), ("server", cell.servers), ("drive", cell.drives)):
        told = log.objects[kind]
        for id in sorted(stored.keys() | told.keys()):
            _agree(f"{kind} {id}", stored.get(id), told.get(id))


def _agree(what: str, stored: Picture | None, told: Picture | None) -> None:
    if told is None:
        raise Breach(f"{what} is stored, and the log has nothing of it")
    if stored is None:
        raise Breach(f"{what} is not stored, and by the log it is there")
    if stored == told:
        return
    if "attributes" in told:
        # Older logs have the secrets that are not told any more.
        told = {**told, "attributes": without_secrets(told["attributes"])}
    for column in sorted(stored.keys() | told.keys()):
        found, said = stored.get(column), told.get(column, OLDER.get(column))
        if found != said:
            raise Breach(f"{what} has {column} {found!r}, and by the log it is {said!r}")
