"""Clouds with as many servers as are wanted, made at once: no history, nothing under way, hosts three quarters full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
