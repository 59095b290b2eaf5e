"""Every invariant of a data folder, and every certificate in it. Reads only, whether anybody serves the folder or not.

For each cell, in this order: its files can be read and are as new as what was acknowledged; no host holds more than its
capacity; every server that runs has exactly one host, which is up; each has the size that what is on its host gives it;
what the project is charged for is what exists; backups hold what they are charged for, are parts of what exists, and
are looked after; the log has no gaps, contradicts itself nowhere, and proves every decision in it
(`certificate_checker`); and what is stored is what the log adds up to.

What is checked and what is stored are compared by code of its own (`event_log`, `host_account`), never by the code that
decided. A folder that is being served may change between two files: what does not fit together is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.certificate_checker import CertificateChecker
from backend.cloud.model import Backup
from backend.decision_checker import Rules
from backend.event_log import Breach, CellLog, Event, Picture
from backend.host_account import DIMENSIONS, effective
from backend.store import CellEntry, CellTransaction, CloudTransaction, FolderError, FolderLook, look

LOOKS_MAX = 5
"""How often the files of a served folder are read until they fit together."""

HOLDING = ("starting", "running", "stopping", "paused", "unavailable")
UNITS: Mapping[str, str] = {"cpu_mhz": "MHz of CPU", "memory_bytes": "bytes of memory"}


@dataclass(slots=True)
class Report:
    """What was checked, how much of it, and the first breach."""

    is_cloud: bool = False
    """Whether there was a cloud.db to begin with."""
    cells: int = 0
    hosts: int = 0
    servers: int = 0
    drives: int = 0
    reservations: int = 0
    backups: int = 0
    events: int = 0
    placements: int = 0
    certificates: int = 0
    certificates_with_gap: int = 0
    """Those that prove less than that no other host and no other set of servers was better."""
    breach: str | None = None
    """A sentence; None where everything is as it must be."""

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "is_cloud"}

    def lines(self) -> Iterator[str]:
        yield f"{self.cells:,} cells: {self.hosts:,} hosts, {self.servers:,} servers and {self.drives:,} drives in them"
        yield f"{self.reservations:,} reservations and what they are for"
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


def check(path: Path, *, again: Callable[[], bool] = lambda: False) -> Report:
    """Check the cloud in a folder, up to the first breach.

    Args:
        again: Asked where two files do not fit together; waits a little and says whether to look once more, which
            makes sense only while somebody serves the folder.

    Raises:
        FolderError: the folder holds no cloud, or cloud.db cannot be read.
    """
    suspects: Mapping[str, str] | None = None
    for number in range(1, LOOKS_MAX + 1):
        report = Report()
        try:
            with look(path) as seen:
                report.is_cloud = True
                _check(seen, report, suspects)
        except FolderError as problem:
            if not report.is_cloud:
                raise
            report.breach = str(problem)
        except Unsettled as problem:
            # What changes in between is something else each time.
            suspects = problem.found
            if number < LOOKS_MAX and again():
                continue
            report.breach = f"{problem}."
        except Breach as breach:
            report.breach = f"{breach}."
        return report
    raise AssertionError("the last look gives a report")


def _check(seen: FolderLook, report: Report, suspects: Mapping[str, str] | None) -> None:
    """With `suspects`, of what does not fit together only what did not before either is told."""
    entries = seen.cloud.cells()
    owners: dict[str, str] = {}
    unsettled: dict[str, str] = {}
    cells = []
    for entry in entries:
        try:
            cells.append(_read(seen, entry))
        except FolderError as problem:
            raise Breach(f"{entry.name} cannot be checked: {str(problem).rstrip('.')}") from problem
        except (ValueError, LookupError, TypeError) as problem:
            raise Breach(f"{entry.name} holds a row that is of no object ({problem!r})") from problem
        report.cells += 1
    for cell in cells:
        with _named(cell.entry.name):
            _check_hosts(cell, report)
            for id in (*cell.servers, *cell.drives):
                if id in owners:
                    raise Breach(f"{id} is in {owners[id]} too")
                owners[id] = cell.entry.name
    for cell in cells:
        with _named(cell.entry.name):
            for what, sentence in _misfits(seen, cell, report):
                unsettled[what] = f"{cell.entry.name}: {sentence}"
    if suspects is not None:
        unsettled = {what: sentence for what, sentence in unsettled.items() if suspects.get(what) == sentence}
    if unsettled:
        raise Unsettled(unsettled)
    rules = Rules.of(seen.cloud.settings())
    for cell in cells:
        with _named(cell.entry.name):
            _check_log(cell, rules, report)
    with _named("cloud.db"):
        _check_backups(seen.cloud, report)
    numbers = CellLog()
    with _named("cloud.db"):
        for row in seen.cloud.event_rows():
            numbers.take(Event(row[0], row[1], row[2], row[3], row[4], row[5], {}, {}))
    report.events += numbers.number


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
        raise FolderError(f"it is older than what was acknowledged ({tx.epoch()} commits of {entry.epoch})")
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


# --- What it is charged for -------------------------------------------------------------------------------------------


def _misfits(seen: FolderLook, cell: _Cell, report: Report) -> Iterator[tuple[str, str]]:
    """What is reserved otherwise than it is: what, and a sentence."""
    name = cell.entry.name
    known: set[str] = set()
    for entry in seen.cloud.server_entries(cells=[name]):
        known.add(entry.id)
        server = cell.servers.get(entry.id)
        reserved = (entry.project_id, entry.size.cpu_mhz, entry.size.memory_bytes, entry.is_backfilling)
        has = _values(server, "project_id", "cpu_mhz", "memory_bytes", "is_backfilling")
        yield from _compared(f"server {entry.id}", entry.state, reserved, has)
    for drive_entry in seen.cloud.drive_entries(cells=[name]):
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
    checker = CertificateChecker(log, rules)
    for row in cell.tx.event_rows():
        event = Event.of(row)
        checker.look(event)
        log.take(event)
        report.placements += event.kind == "server.placed"
    checker.end()
    report.events += log.number
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
    for column in sorted(stored.keys() | told.keys()):
        found, said = stored.get(column), told.get(column)
        if found != said:
            raise Breach(f"{what} has {column} {found!r}, and by the log it is {said!r}")
