"""A data folder of a fleet, and the fleet of a data folder.

A new cloud of a fleet has its cells, hosts, settings and accounts, and no server. The folder remembers the fingerprint
of the fleet that it was made from, so that another file is refused and the same one opens it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backend import seed
from backend.cloud.model import Account, Host, HostKind, HostState, Size
from backend.fleet_file import STANDARD_ACCOUNTS, Fleet, FleetAccount, FleetCell, FleetHost
from backend.operations import Settings
from backend.store import CloudTransaction, FolderWriter, create_folder, look

KIND = "fleet"
"""What a cloud was made as, when a file described it."""

Progress = Callable[[str, float], None]


def make(
    folder: Path,
    fleet: Fleet,
    *,
    now: datetime,
    clock_state: Mapping[str, Any],
    progress: Progress = lambda sentence, share: None,
) -> None:
    """Make the folder of a new cloud. Interrupted, it leaves nothing that opens as a cloud.

    With a seed in the file its id, and so the id of everything in it, is the same each time.

    Raises:
        FolderError: the folder cannot be written, or holds something else.
    """
    progress("making the hosts", 0.0)

    def fill(writer: FolderWriter) -> None:
        add(writer, fleet, at=now)

    create_folder(
        folder,
        cloud_id=str(uuid.uuid4() if fleet.seed is None else cloud_id_of(fleet.seed)),
        kind=KIND,
        seed=fleet.seed or 0,
        created_at=now,
        settings={**settings_of(fleet), "fleet": fleet.fingerprint},
        clock=clock_state,
        cells=tuple(cell.name for cell in fleet.cells),
        fill=fill,
    )
    progress("done", 1.0)


def cloud_id_of(seed: int) -> uuid.UUID:
    """Of a cloud whose file names this seed."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"stratodeck/fleet/{seed}")


def settings_of(fleet: Fleet) -> dict[str, Any]:
    """As the cloud stores them."""
    return {
        "grace_seconds": fleet.grace_seconds,
        "floor_permille": fleet.floor_permille,
        "placement": fleet.placement,
    }


def add(writer: FolderWriter, fleet: Fleet, *, at: datetime) -> dict[str, str]:
    """The fleet's accounts and hosts, into a folder that is being made. Returns the projects' ids by name."""
    project_ids = (
        seed.add_tenants(writer.cloud)
        if fleet.accounts == STANDARD_ACCOUNTS
        else _add_accounts(writer.cloud, fleet.accounts)
    )
    for cell in fleet.cells:
        for described in cell.hosts:
            host = Host(
                described.name,
                cell.name,
                described.kind,
                HostState.UP,
                Size(described.cpu_mhz, described.memory_bytes),
                storage_bytes=described.capacity_bytes,
                state_since=at,
            )
            writer.cell(cell.name).add_host(host, at=at)
    return project_ids


def _add_accounts(tx: CloudTransaction, accounts: tuple[FleetAccount, ...]) -> dict[str, str]:
    customer_id = tx.next_id("cloud")
    tx.add_customer(customer_id, "stratodeck")
    ids = {name: tx.next_id("cloud") for name in sorted({account.project for account in accounts})}
    for name, project_id in ids.items():
        tx.add_project(project_id, name, customer_id)
    for account in accounts:
        tx.add_account(
            Account(
                tx.next_id("cloud"),
                account.name,
                ids[account.project],
                is_staff=account.is_staff,
                may_backfill=account.may_backfill,
            )
        )
        tx.add_membership(account.name, "project_admin", ids[account.project])
    return ids


def find(folder: Path) -> Fleet:
    """The fleet of the cloud in this folder, whether it is served now or rests. Nothing is written.

    What is not part of a fleet is left out: servers, drives, backups, states of hosts, quotas, secrets, and roles
    beyond one's own project (but for the standard accounts).

    Raises:
        FolderError: the folder holds no cloud, or one that cannot be read whole.
    """
    with look(folder) as seen:
        cloud_id, _, stored_seed, _ = seen.cloud.identity()
        settings = Settings.of(seen.cloud.settings())
        projects = {project.id: project.name for project in seen.cloud.projects()}
        accounts = tuple(
            sorted(
                FleetAccount(account.name, projects[account.project_id], account.is_staff, account.may_backfill)
                for account in seen.cloud.accounts()
            )
        )
        cells = tuple(
            FleetCell(entry.name, tuple(sorted(_described(host) for host in seen.cell(entry.name).hosts())))
            for entry in seen.cloud.cells()
        )
    return Fleet(
        cells=cells,
        # Only an id that was made from the seed makes the same cloud again.
        seed=stored_seed if str(cloud_id_of(stored_seed)) == cloud_id else None,
        floor_permille=settings.floor_permille,
        grace_seconds=settings.grace_seconds,
        placement=settings.placement,
        accounts=accounts,
    )


def _described(host: Host) -> FleetHost:
    if host.kind is HostKind.STORAGE:
        return FleetHost(host.name, host.kind, capacity_bytes=host.storage_bytes)
    return FleetHost(host.name, host.kind, cpu_mhz=host.capacity.cpu_mhz, memory_bytes=host.capacity.memory_bytes)
