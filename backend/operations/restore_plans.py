"""What restoring a backup would come to: in which cell the new server would be, where the copies of its drives would
go, and where it would start if that were now.

It starts when its drives are whole, and is placed then: who would be stopped or shrunk for it is what would be so now.
The token of a plan (`plan_tokens`) holds all of that; a restore with it is refused where any of it would be otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from backend.cloud import lifecycle, placement
from backend.cloud.catalogue import FLAVORS, Flavor
from backend.cloud.errors import CloudError, Invalid
from backend.cloud.model import GIB, SERVER, Account, Backup
from backend.cloud.placement import NoValidHost
from backend.operations import (
    Cloud,
    backup_plans,
    backup_restores,
    backups,
    check_version,
    funds,
    plan_tokens,
    plans,
    restore_sizes,
)
from backend.operations.backup_plans import Outlook, SwitchPlan, outlook_of
from backend.operations.backup_restores import AgreedRestore, Draft, RestoreSpec
from backend.operations.plan_tokens import Parts
from backend.operations.plans import Plan as StartPlan
from backend.store import CellTransaction, CloudTransaction


@dataclass(frozen=True, slots=True)
class RestorePlan:
    backup: Backup
    flavor: Flavor
    problem: CloudError | None
    """Why it would be refused; None when it would be done."""
    draft: Draft | None = None
    """The server as it would be, with the drives on the hosts where their copies would go; None where it would not."""
    start: StartPlan | None = None
    """Its start, if that were now. A problem of it does not keep the server from being made."""
    storage: Outlook | None = None

    @property
    def parts(self) -> Parts:
        assert self.draft is not None, "what would not be done is not agreed to"
        assert self.start is not None, "a server that would be made would be started"
        return _parts(self.backup, self.flavor, self.draft, self.start)


def _parts(backup: Backup, flavor: Flavor, draft: Draft, start: StartPlan) -> Parts:
    told = {name: part for name, part in start.parts.items() if name not in ("action", "id", "version")}
    return {
        "action": "restore",
        "id": backup.id,
        "version": backup.version,
        "flavor": flavor.name,
        "name": draft.server.name,
        "cell": draft.server.cell,
        "storage hosts": ", ".join(drive.host for drive in draft.drives),
        **told,
        "host": told["host"] or "no host",
    }


async def preview_restore(
    cloud: Cloud, actor: Account, backup_id: str, spec: RestoreSpec, *, if_version: int | None = None
) -> RestorePlan:
    """Raises NotFound. Invalid: a flavor that is too small, a name that is none."""
    backup = await backups.get_backup(cloud, actor, backup_id)
    plan = RestorePlan(backup, spec.flavor, None)
    try:
        await backup_restores.check_may_restore(cloud, actor, backup_id)
        check_version(backup.version, if_version)
        draft = backup_restores.draft_of(cloud, actor, backup, spec)
        await funds.check_new(cloud, actor.name, "the server", size=spec.flavor.size)

        def look(tx: CloudTransaction) -> Outlook:
            backup_restores.check_quota(tx, draft)
            return outlook_of(tx, backup.project_id, draft.storage_bytes)

        storage = await cloud.store.cloud_read(look)
        cell = await backup_restores.choose_cell(cloud, actor, draft)
        now = draft.server.created_at
        placed, start = await cloud.store.cell_read(cell, lambda tx: _look(tx, cloud, actor, draft, cell=cell, now=now))
    except Invalid:
        raise
    except CloudError as problem:
        return replace(plan, problem=problem)
    return replace(plan, draft=placed, start=start, storage=storage)


def _look(
    tx: CellTransaction, cloud: Cloud, actor: Account, draft: Draft, *, cell: str, now: datetime
) -> tuple[Draft, StartPlan]:
    """Where everything would go in a cell that has room for the drives."""
    sizes: list[tuple[int, str | None]] = [(drive.size_bytes, None) for drive in draft.drives]
    found = placement.place_drives(sizes, tx.storage_loads(), policy=cloud.settings.placement)
    hosts = ["" if isinstance(each, NoValidHost) else each.host for each in found]
    server = replace(draft.server, id="", cell=cell)
    made = tuple(replace(drive, host=host) for drive, host in zip(draft.drives, hosts, strict=False))
    return Draft(server, made), plans.start_of(tx, cloud, actor, server, avoid=(), now=now)


async def plan_drill(cloud: Cloud, actor: Account, schedule_id: str, *, if_version: int | None = None) -> SwitchPlan:
    """Where a drill of a schedule's newest backup would restore it, and how long that takes. Raises NotFound."""
    plan = await backup_plans.plan_switch(cloud, actor, schedule_id, "drill", if_version=if_version)
    if plan.problem is not None:
        return plan
    now = cloud.clock.now()
    try:
        backup, draft = await backup_restores.drill_draft(cloud, plan.backup, now=now)
        await cloud.store.cloud_read(lambda tx: backup_restores.check_quota(tx, draft))
        cell = await backup_restores.choose_cell(cloud, backup_restores.DRILLER, draft)
        placed, start = await cloud.store.cell_read(
            cell, lambda tx: _look(tx, cloud, backup_restores.DRILLER, draft, cell=cell, now=now)
        )
    except CloudError as problem:
        # A drill that cannot be made begins all the same, and says so: that is what it is for.
        return replace(plan, drill_problem=str(problem))
    hosts = tuple(dict.fromkeys(drive.host for drive in placed.drives))
    seconds = draft.seconds + lifecycle.TRANSITIONS["server"]["start"].duration_seconds
    host = None if start.decision is None else start.decision.host
    return replace(plan, backup=backup, cell=cell, hosts=hosts, host=host, seconds=seconds)


def agreeing(cloud: Cloud, actor: Account, backup: Backup, flavor: Flavor, token: str) -> AgreedRestore:
    """`backup` as it was before. Raises Invalid."""
    plan_tokens.parts_of(token)

    def agreed(tx: CellTransaction, draft: Draft) -> None:
        now = draft.server.created_at
        placed, start = _look(tx, cloud, actor, draft, cell=draft.server.cell, now=now)
        plan_tokens.check(token, _parts(backup, flavor, placed, start))

    return agreed


# --- flavors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlavorChoice:
    flavor: Flavor
    problem: str | None = None
    """Why a backup cannot be restored with it, in a few words."""
    note: str | None = None
    """How it is other than what the backup is of, in a few words."""


async def flavors_for(cloud: Cloud, actor: Account, backup_id: str | None) -> tuple[FlavorChoice, ...]:
    """All there are, in their order; with the id of a backup of a server, whether it can be restored with each. Raises
    NotFound.
    """
    if backup_id is None:
        return tuple(FlavorChoice(each) for each in FLAVORS)
    backup = await backups.get_backup(cloud, actor, backup_id)
    return tuple(FlavorChoice(each, _problem(backup, each), _note(backup, each)) for each in FLAVORS)


def _note(backup: Backup, flavor: Flavor) -> str | None:
    if backup.source_kind != SERVER:
        return None
    had, largest = restore_sizes.source_of(backup), restore_sizes.largest_disk_bytes(backup)
    if had.vcpus == flavor.vcpus and had.memory_bytes == flavor.size.memory_bytes:
        parts = ["as the server was"]
    else:
        is_less = flavor.vcpus < had.vcpus or flavor.size.memory_bytes < had.memory_bytes
        parts = [f"less than the {had.vcpus} vCPU, {had.memory_bytes / GIB:.1f} GiB of the server"] if is_less else []
    if largest > flavor.disk_bytes:
        parts.append(f"a drive stays at {largest / GIB:.1f} GiB")
    return "; ".join(parts) or None


def _problem(backup: Backup, flavor: Flavor) -> str | None:
    if backup.source_kind != SERVER:
        return f"this is of a {backup.source_kind}: restore one of its parts"
    needed = restore_sizes.disk_bytes_needed(backup)
    return f"needs {needed / GIB:.1f} GiB of disk" if flavor.disk_bytes < needed else None
