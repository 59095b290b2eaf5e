"""What is known centrally: who may do what, where everything lives, backups and schedules, the last pictures."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

from backend.cloud.errors import NotFound
from backend.cloud.model import Account, ReachabilityState
from backend.store.backups import BackupsTransaction, conditions
from backend.store.billing import BillingTransaction
from backend.store.entries import (
    DRIVE_ENTRY_COLUMNS,
    SERVER_ENTRY_COLUMNS,
    CellEntry,
    DriveEntry,
    EntryState,
    Project,
    ServerEntry,
    Usage,
    drive_entry_of,
    drive_entry_row,
    server_entry_of,
    server_entry_row,
)
from backend.store.forgetting import ForgettingTransaction
from backend.store.last_known import LastKnownTransaction
from backend.store.rows import (
    instant_of,
    instant_or_none,
    json_of,
    object_of,
    text_or_none,
)
from backend.store.server_groups import ServerGroupsTransaction
from backend.store.snapshots import SnapshotsTransaction

_SERVER_ENTRY = f"SELECT {SERVER_ENTRY_COLUMNS} FROM server_directory WHERE id = ?"  # noqa: S608
_DRIVE_ENTRY = f"SELECT {DRIVE_ENTRY_COLUMNS} FROM drive_directory WHERE id = ?"  # noqa: S608
_DRIVE_ENTRIES_OF = f"SELECT {DRIVE_ENTRY_COLUMNS} FROM drive_directory WHERE server_id = ? ORDER BY created_at, id"  # noqa: S608

Role = Literal["customer_owner", "project_manager", "project_admin"]

_CELL_COLUMNS = "name, position, injected, next_sequence, epoch, mirrored_event, silent_since"
_PROJECT_COLUMNS = "id, name, customer_id, servers_max, cpu_mhz_max, memory_bytes_max, storage_bytes_max"

_USAGE = """
SELECT (SELECT count(*) FROM server_directory WHERE project_id = :project),
       (SELECT coalesce(sum(cpu_mhz), 0) FROM server_directory WHERE project_id = :project),
       (SELECT coalesce(sum(memory_bytes), 0) FROM server_directory WHERE project_id = :project),
       (SELECT coalesce(sum(size_bytes), 0) FROM drive_directory WHERE project_id = :project)
       + (SELECT coalesce(sum(size_bytes), 0) FROM backup WHERE project_id = :project)
       + (SELECT coalesce(sum(size_bytes), 0) FROM snapshot WHERE project_id = :project)
"""
_NEXT_DUE = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM task WHERE state = 'open' AND json_extract(payload, '$.waits_for') IS NULL
    UNION ALL SELECT min(next_trigger_at) FROM schedule WHERE is_active = 1
    UNION ALL SELECT min(kept_until) FROM backup WHERE kept_until IS NOT NULL AND state IN ('ready', 'erred')
)
"""
_FOREIGN_MOUNTS = """
SELECT DISTINCT drive_directory.server_id, drive_directory.cell
FROM drive_directory JOIN server_directory ON server_directory.id = drive_directory.server_id
WHERE server_directory.cell = ? AND drive_directory.cell <> ?
"""
_CELLS_MOUNTING = """
SELECT DISTINCT server_directory.cell
FROM drive_directory JOIN server_directory ON server_directory.id = drive_directory.server_id
WHERE drive_directory.cell = ? AND server_directory.cell <> ?
ORDER BY server_directory.cell
"""


class CloudTransaction(
    BackupsTransaction,
    BillingTransaction,
    ServerGroupsTransaction,
    SnapshotsTransaction,
    LastKnownTransaction,
    ForgettingTransaction,
):
    """A job's view of cloud.db."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, "cloud")

    # The cloud itself

    def settings(self) -> Mapping[str, Any]:
        return object_of(self._run("SELECT settings FROM cloud").fetchone()[0])

    def save_settings(self, settings: Mapping[str, Any]) -> None:
        self._run("UPDATE cloud SET settings = ?", (json_of(dict(settings)),))

    def clock_state(self) -> Mapping[str, Any]:
        return object_of(self._run("SELECT clock FROM cloud").fetchone()[0])

    def save_clock_state(self, state: Mapping[str, Any]) -> None:
        self._run("UPDATE cloud SET clock = ?", (json_of(dict(state)),))

    def identity(self) -> tuple[str, str, int, datetime]:
        """Cloud id, kind, seed, and when it was made."""
        cloud_id, kind, seed, created_at = self._run("SELECT cloud_id, kind, seed, created_at FROM cloud").fetchone()
        return cloud_id, kind, seed, instant_of(created_at)

    def next_due(self) -> datetime | None:
        """The earliest open task, active schedule, or end of a backup's retention.

        A task whose payload `waits_for` a cell is due when that answers.
        """
        text = self._run(_NEXT_DUE).fetchone()[0]
        return None if text is None else instant_of(text)

    # Cells

    def cells(self) -> list[CellEntry]:
        """By position."""
        rows = self._run(f"SELECT {_CELL_COLUMNS} FROM cell ORDER BY position")  # noqa: S608
        return [
            CellEntry(
                name, at, ReachabilityState(fault) if fault else None, sequence, epoch, event, instant_or_none(since)
            )
            for name, at, fault, sequence, epoch, event, since in rows
        ]

    def add_cell(self, name: str) -> None:
        """After those that are there. Its file is made by whoever calls this."""
        self._run(
            "INSERT INTO cell (name, position, injected, next_sequence, epoch, mirrored_event)"
            " VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM cell), NULL, 1, 0, 0)",
            (name,),
        )

    def save_silent_since(self, cell: str, at: datetime | None) -> None:
        """In wall time; None when it answers."""
        self._run("UPDATE cell SET silent_since = ? WHERE name = ?", (text_or_none(at), cell))

    def save_injected(self, cell: str, state: ReachabilityState | None) -> None:
        self._run("UPDATE cell SET injected = ? WHERE name = ?", (None if state is None else state.value, cell))

    def save_progress(self, cell: str, *, epoch: int, mirrored_event: int) -> None:
        """How far the cell is known to have come. Never goes back."""
        self._run(
            "UPDATE cell SET epoch = max(epoch, ?), mirrored_event = max(mirrored_event, ?) WHERE name = ?",
            (epoch, mirrored_event, cell),
        )

    def next_id(self, cell: str) -> str:
        """A new id, the same for the same seed and commands: uuid5 of (cloud id, cell, sequence).

        `cloud` counts what lies in no cell: backups, schedules.
        """
        if cell == "cloud":
            row = self._run("UPDATE cloud SET next_sequence = next_sequence + 1 RETURNING next_sequence").fetchone()
        else:
            row = self._run(
                "UPDATE cell SET next_sequence = next_sequence + 1 WHERE name = ? RETURNING next_sequence", (cell,)
            ).fetchone()
        if row is None:
            raise NotFound("cell", cell)
        cloud_id = self._run("SELECT cloud_id FROM cloud").fetchone()[0]
        return str(uuid5(UUID(cloud_id), f"{cell}/{row[0] - 1}"))

    # Customers, projects, accounts

    def add_customer(self, id: str, name: str) -> None:
        self._run("INSERT INTO customer (id, name) VALUES (?, ?)", (id, name))

    def add_project(
        self,
        id: str,
        name: str,
        customer_id: str,
        *,
        servers_max: int | None = None,
        cpu_mhz_max: int | None = None,
        memory_bytes_max: int | None = None,
        storage_bytes_max: int | None = None,
    ) -> None:
        self._run(
            f"INSERT INTO project ({_PROJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (id, name, customer_id, servers_max, cpu_mhz_max, memory_bytes_max, storage_bytes_max),
        )

    def add_account(self, account: Account) -> None:
        """Its projects come from memberships: those of `account` are not stored. It is given its networks."""
        self.allot_networks(account)
        self._run(
            "INSERT INTO account (name, id, project_id, is_staff, may_backfill) VALUES (?, ?, ?, ?, ?)",
            (account.name, account.id, account.project_id, int(account.is_staff), int(account.may_backfill)),
        )

    def add_membership(self, account: str, role: Role, scope_id: str) -> None:
        """`account` by name; the scope is a customer's id for `customer_owner`, else a project's."""
        self._run("INSERT INTO membership (account, role, scope_id) VALUES (?, ?, ?)", (account, role, scope_id))

    def accounts(self) -> list[Account]:
        """By name, with the projects that their memberships let them read and write.

        A project's admin writes; its manager, and the owner of its customer, read.
        Source: NodeConductor, "Backups", permissions.
        """
        read: dict[str, set[str]] = {}
        write: dict[str, set[str]] = {}
        of_customer: dict[str, list[str]] = {}
        for project in self.projects():
            of_customer.setdefault(project.customer_id, []).append(project.id)
        for account, role, scope_id in self._run("SELECT account, role, scope_id FROM membership"):
            scope = of_customer.get(scope_id, []) if role == "customer_owner" else [scope_id]
            read.setdefault(account, set()).update(scope)
            if role == "project_admin":
                write.setdefault(account, set()).update(scope)
        rows = self._run("SELECT id, name, project_id, is_staff, may_backfill FROM account ORDER BY name")
        return [
            Account(
                id_,
                name,
                project_id,
                bool(is_staff),
                bool(may_backfill),
                frozenset(read.get(name, ())),
                frozenset(write.get(name, ())),
            )
            for id_, name, project_id, is_staff, may_backfill in rows
        ]

    def account(self, name: str) -> Account:
        """NotFound if there is none."""
        for account in self.accounts():
            if account.name == name:
                return account
        raise NotFound("account", name)

    def save_account(self, before: Account, after: Account, *, at: datetime, actor: str) -> Account:
        """Write `is_staff`, `may_backfill` and `project_id`, and emit `account.changed` with what changed."""
        fields = ("project_id", "is_staff", "may_backfill")
        changes = {
            field: (getattr(before, field), getattr(after, field))
            for field in fields
            if getattr(before, field) != getattr(after, field)
        }
        if not changes:
            return before
        self._run(
            "UPDATE account SET project_id = ?, is_staff = ?, may_backfill = ? WHERE name = ?",
            (after.project_id, int(after.is_staff), int(after.may_backfill), before.name),
        )
        self.emit("account.changed", "account", before.id, at=at, actor=actor, changes=changes)
        return after

    def projects(self) -> list[Project]:
        """By name."""
        return [Project(*row) for row in self._run(f"SELECT {_PROJECT_COLUMNS} FROM project ORDER BY name")]  # noqa: S608

    def customers(self) -> dict[str, str]:
        """Their names by id, by name."""
        return dict(self._run("SELECT id, name FROM customer ORDER BY name").fetchall())

    def usage(self, project_id: str) -> Usage:
        """From the directories, the backups and the snapshots, so reservations and unreachable cells count."""
        return Usage(*self._run(_USAGE, {"project": project_id}).fetchone())

    # Which server lives where

    def find_server_entry(self, id: str) -> ServerEntry | None:
        row = self._do(_SERVER_ENTRY, (id,)).fetchone()
        return None if row is None else server_entry_of(row)

    def server_entries(
        self,
        *,
        projects: frozenset[str] | None = None,
        cells: Iterable[str] | None = None,
        is_backfilling: bool | None = None,
        ids: Iterable[str] | None = None,
        states: Iterable[EntryState] | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[ServerEntry]:
        """By (created_at, id), whatever their state. None: any."""
        where, values = conditions(project_id=projects, cell=cells, is_backfilling=is_backfilling, id=ids, state=states)
        text = f"SELECT {SERVER_ENTRY_COLUMNS} FROM server_directory {where} ORDER BY created_at, id LIMIT ? OFFSET ?"  # noqa: S608
        return [server_entry_of(row) for row in self._run(text, (*values, -1 if limit is None else limit, offset))]

    def count_server_entries(
        self,
        *,
        projects: frozenset[str] | None = None,
        cells: Iterable[str] | None = None,
        is_backfilling: bool | None = None,
        ids: Iterable[str] | None = None,
        states: Iterable[EntryState] | None = None,
    ) -> int:
        where, values = conditions(project_id=projects, cell=cells, is_backfilling=is_backfilling, id=ids)
        if states is None:
            return self._count(where, values)
        # Nearly all are active. So all are counted, of which only index entries are read, and those of other states are
        # taken off, which an index of the unfinished ones finds. Counting by state would read every row.
        unwanted = set(get_args(EntryState)) - set(states)
        joined = f"{where} AND" if where else "WHERE"
        others = self._count(
            f"{joined} state <> 'active' AND state IN (SELECT value FROM json_each(?))",  # noqa: S608
            (*values, json_of(sorted(unwanted))),
        )
        actives = self._count(f"{joined} state = 'active'", values) if "active" in unwanted else 0
        return self._count(where, values) - others - actives

    def _count(self, where: str, values: tuple[Any, ...]) -> int:
        return int(self._run(f"SELECT count(*) FROM server_directory {where}", values).fetchone()[0])  # noqa: S608

    def add_server_entry(self, entry: ServerEntry) -> None:
        self._run(
            f"INSERT INTO server_directory ({SERVER_ENTRY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            server_entry_row(entry),
        )

    def save_server_entry(self, entry: ServerEntry) -> None:
        """Write all of it over the one with the same id."""
        names = SERVER_ENTRY_COLUMNS.split(", ")[1:]
        listed = ", ".join(f"{name} = ?" for name in names)
        id_, *values = server_entry_row(entry)
        done = self._run(f"UPDATE server_directory SET {listed} WHERE id = ?", (*values, id_))  # noqa: S608
        assert done.rowcount == 1, f"server {entry.id} is in no directory"

    def remove_server_entry(self, id: str) -> None:
        """With its last picture, its network interfaces and what they hold. Nothing if it has gone already."""
        self.unplug_server(id)
        self._run("DELETE FROM server_directory WHERE id = ?", (id,))
        self._run("DELETE FROM last_known WHERE id = ?", (id,))

    def unfinished_server_entries(self, cell: str) -> list[ServerEntry]:
        """`building` and `deleting` ones of the cell, by id."""
        text = f"SELECT {SERVER_ENTRY_COLUMNS} FROM server_directory WHERE cell = ? AND state <> 'active' ORDER BY id"  # noqa: S608
        return [server_entry_of(row) for row in self._run(text, (cell,))]

    # Which drive lives where

    def find_drive_entry(self, id: str) -> DriveEntry | None:
        row = self._do(_DRIVE_ENTRY, (id,)).fetchone()
        return None if row is None else drive_entry_of(row)

    def drive_entries(
        self,
        *,
        projects: frozenset[str] | None = None,
        cells: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        servers: Iterable[str] | None = None,
        states: Iterable[EntryState] | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[DriveEntry]:
        """By (created_at, id), whatever their state; those attached to `servers`. None: any."""
        where, values = conditions(server_id=servers, project_id=projects, cell=cells, id=ids, state=states)
        text = f"SELECT {DRIVE_ENTRY_COLUMNS} FROM drive_directory {where} ORDER BY created_at, id LIMIT ? OFFSET ?"  # noqa: S608
        return [drive_entry_of(row) for row in self._run(text, (*values, -1 if limit is None else limit, offset))]

    def count_drive_entries(
        self,
        *,
        projects: frozenset[str] | None = None,
        cells: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        states: Iterable[EntryState] | None = None,
    ) -> int:
        where, values = conditions(project_id=projects, cell=cells, id=ids, state=states)
        return int(self._run(f"SELECT count(*) FROM drive_directory {where}", values).fetchone()[0])  # noqa: S608

    def drive_entries_of(self, server_id: str) -> list[DriveEntry]:
        """Those attached to the server, by (created_at, id)."""
        return [drive_entry_of(row) for row in self._do(_DRIVE_ENTRIES_OF, (server_id,))]

    def foreign_mounts(self, cell: str) -> set[tuple[str, str]]:
        """Of this cell's servers, (id, cell) for each other cell that a drive of theirs lies in."""
        return set(self._run(_FOREIGN_MOUNTS, (cell, cell)).fetchall())

    def cells_mounting(self, cell: str) -> list[str]:
        """The other cells whose servers have drives in this one."""
        return [name for (name,) in self._run(_CELLS_MOUNTING, (cell, cell))]

    def add_drive_entry(self, entry: DriveEntry) -> None:
        self._run(
            f"INSERT INTO drive_directory ({DRIVE_ENTRY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            drive_entry_row(entry),
        )

    def save_drive_entry(self, entry: DriveEntry) -> None:
        """Write all of it over the one with the same id."""
        listed = ", ".join(f"{name} = ?" for name in DRIVE_ENTRY_COLUMNS.split(", ")[1:])
        id_, *values = drive_entry_row(entry)
        done = self._run(f"UPDATE drive_directory SET {listed} WHERE id = ?", (*values, id_))  # noqa: S608
        assert done.rowcount == 1, f"drive {entry.id} is in no directory"

    def remove_drive_entry(self, id: str) -> None:
        """With its last picture and its snapshots. Nothing if it has gone already."""
        self._run("DELETE FROM drive_directory WHERE id = ?", (id,))
        self._run("DELETE FROM last_known WHERE id = ?", (id,))

    def unfinished_drive_entries(self, cell: str) -> list[DriveEntry]:
        """`building` and `deleting` ones of the cell, by id."""
        text = f"SELECT {DRIVE_ENTRY_COLUMNS} FROM drive_directory WHERE cell = ? AND state <> 'active' ORDER BY id"  # noqa: S608
        return [drive_entry_of(row) for row in self._run(text, (cell,))]
