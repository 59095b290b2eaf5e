"""Clouds with as many servers as are wanted, made at once: no history, nothing under way, hosts three quarters full."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend import folder
from backend.cloud.model import GIB, Account, Host, HostKind, HostState, Server, ServerState, Size
from backend.operations import servers
from backend.store import FolderWriter, create_folder

CELLS = ("cell-1", "cell-2", "cell-3", "cell-4")
PROJECT = "00000000000040008000000000000001"
MADE_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOUD_ID = "5d6e1d2e-6a5c-4f0f-9a6b-0d3c2f1b7a12"

HOST_SIZE = Size(96_000, 384 * GIB)
SERVER_SIZE = Size(6_000, 24 * GIB)
SERVERS_ON_HOST = 12


def make_fleet(
    path: Path, *, running: int, stopped: int = 0, spare_hosts: int = 0, cells: Sequence[str] = CELLS
) -> Path:
    """A folder with so many servers in its cells, turn by turn; `operator@stratodeck.local` has them all.

    Its clock is the wall's. `spare_hosts` more hosts in each cell are empty.
    """
    shares = {cell: len(range(place, running, len(cells))) for place, cell in enumerate(cells)}
    hosts = {cell: -(-share // SERVERS_ON_HOST) + spare_hosts for cell, share in shares.items()}

    def fill(writer: FolderWriter) -> None:
        tx = writer.cloud
        tx.add_customer("customer", "customer")
        tx.add_project(PROJECT, "project", "customer")
        tx.add_account(Account("1", folder.OPERATOR, PROJECT, is_staff=True, may_backfill=True))
        tx.add_membership(folder.OPERATOR, "project_admin", PROJECT)
        for cell in cells:
            for number in range(max(1, hosts[cell])):
                host = Host(
                    host_name(cell, number), cell, HostKind.COMPUTE, HostState.UP, HOST_SIZE, state_since=MADE_AT
                )
                writer.cell(cell).add_host(host, at=MADE_AT)
        for server in _servers(writer, running, stopped, cells):
            tx.add_server_entry(servers.entry_of(server, state="active"))
            writer.cell(server.cell).add_server(server, at=MADE_AT, actor=folder.OPERATOR)

    create_folder(
        path,
        cloud_id=CLOUD_ID,
        kind="empty",
        seed=1,
        created_at=MADE_AT,
        settings={},
        clock={"mode": "wall", "rate": 1.0, "simulated_at": MADE_AT.isoformat()},
        cells=cells,
        fill=fill,
    )
    return path


def make_stopped_fleet(path: Path, *, servers: int, cells: Sequence[str] = CELLS) -> Path:
    """A folder with so many stopped servers, alike but for what tells them apart: several times faster.

    One for each cell is made as any other is, and the files are given the rest of the rows as SQL.
    """
    make_fleet(path, running=0, stopped=len(cells), cells=cells)
    with closing(sqlite3.connect(path / "cloud.db")) as cloud:
        for place, cell in enumerate(cells):
            more = len(range(place, servers, len(cells))) - 1
            model = cloud.execute("SELECT id, created_at FROM server_directory WHERE cell = ?", (cell,)).fetchone()
            with closing(sqlite3.connect(path / "cells" / f"{cell}.db")) as connection:
                for table in ("server", "event"):
                    _multiply(connection, table, model, place, more)
                (number,) = connection.execute("SELECT max(number) FROM event").fetchone()
                connection.commit()
            for table in ("server_directory", "last_known"):
                _multiply(cloud, table, model, place, more)
            cloud.execute(
                "UPDATE cell SET mirrored_event = ?, next_sequence = next_sequence + ? WHERE name = ?",
                (number, more, cell),
            )
        cloud.commit()
    return path


_SAME_LENGTH_OF_INSTANTS = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', :created_at, '+' || n || ' seconds')"
_TOLD_APART = {
    "number": "number + n",
    "id": "printf('%08x-0000-4000-8000-%012x', :place, n)",
    "object_id": "printf('%08x-0000-4000-8000-%012x', :place, n)",
    "name": "printf('server-%02d-%06d', :place, n)",
    "created_at": _SAME_LENGTH_OF_INSTANTS,
    **{
        column: f"replace(replace(replace({column}, :id, printf('%08x-0000-4000-8000-%012x', :place, n)),"
        f" 'server-' || printf('%06d', :place), printf('server-%02d-%06d', :place, n)),"
        f' \'"created_at":[null,"\' || :created_at, \'"created_at":[null,"\' || {_SAME_LENGTH_OF_INSTANTS})'
        for column in ("changes", "picture")
    },
}
"""Of the copies of a row, by column: what is not as in the row that they are copies of."""


def _multiply(connection: sqlite3.Connection, table: str, model: tuple[str, str], place: int, more: int) -> None:
    """So many more rows like the one of the server `model`."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    wanted = ", ".join(_TOLD_APART.get(column, column) for column in columns)
    key = "object_id" if table == "event" else "id"
    connection.execute(
        f"WITH RECURSIVE counted(n) AS (SELECT 1 WHERE :more > 0 UNION ALL SELECT n + 1 FROM counted WHERE n < :more)"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {wanted} FROM {table}, counted WHERE {key} = :id",
        {"id": model[0], "created_at": model[1], "place": place, "more": more},
    )


def host_name(cell: str, number: int) -> str:
    return f"{cell.removeprefix('cell-')}-h{number:05}"


def _servers(writer: FolderWriter, running: int, stopped: int, cells: Sequence[str]) -> Iterator[Server]:
    for number in range(running + stopped):
        cell = cells[number % len(cells)]
        is_running = number < running
        yield Server(
            id=writer.cloud.next_id(cell),
            name=f"server-{number:06}",
            cell=cell,
            project_id=PROJECT,
            owner=folder.OPERATOR,
            size=SERVER_SIZE,
            created_at=MADE_AT + timedelta(seconds=number),
            state_since=MADE_AT,
            state=ServerState.RUNNING if is_running else ServerState.STOPPED,
            host=host_name(cell, number // len(cells) // SERVERS_ON_HOST) if is_running else None,
            floor=SERVER_SIZE if is_running else None,
            effective=SERVER_SIZE if is_running else None,
            started_at=MADE_AT if is_running else None,
            has_run=is_running,
            tags=(f"group:team-{number % 400:03}",) if number % 10 == 0 else (),
        )
