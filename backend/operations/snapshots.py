"""Snapshots of drives: take, edit, delete, clone, and reading them.

What a snapshot is, is known centrally, so it can be read while its drive's cell is silent; taking and cloning one needs
the drive itself. It goes with its drive.

Simplified: nothing writes to drives here, so a snapshot never comes to hold anything of its own, and takes no room on
the storage host. The project is charged for the most that it could hold, which is the whole drive as it was.

Source: CloudSigma API 2.0, "Snapshots". That it is charged for at its full size is ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from backend.cloud import lifecycle
from backend.cloud.errors import Forbidden, NotFound, OverQuota, WrongState
from backend.cloud.model import Account, Snapshot
from backend.operations import Cloud, RequestKey, check_version, clones, drives, quotas, repeats
from backend.operations.clones import CloneBegun
from backend.operations.servers import projects_of
from backend.store import CloudTransaction

SNAPSHOTS_MAX = 700
"""Of one project."""
SNAPSHOTS_OF_DRIVE_MAX = 90
"""Source: CloudSigma API 2.0, capabilities, `snapshots`."""


@dataclass(frozen=True, slots=True)
class SnapshotSpec:
    """What a new snapshot is to be."""

    drive_id: str
    name: str | None = None
    """None: after its drive and the instant."""
    meta: Mapping[str, str] | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotChanges:
    """What to change; None leaves a field as it is."""

    name: str | None = None
    meta: Mapping[str, str] | None = None
    tags: tuple[str, ...] | None = None


async def create_snapshots(
    cloud: Cloud, actor: Account, specs: Sequence[SnapshotSpec], *, request: RequestKey | None = None
) -> list[Snapshot]:
    """One of each, or none of them. They are being made at first.

    `request` is remembered with the id of the first, in the same transaction.

    Raises:
        NotFound, Forbidden, WrongState, OverQuota, Unreachable.
    """
    wanted = [await _draft(cloud, actor, spec) for spec in specs]

    def add(tx: CloudTransaction) -> list[Snapshot]:
        made = [_add(tx, snapshot, actor) for snapshot in wanted]
        if request is not None:
            tx.remember(request.key, request.digest, {"id": made[0].id})
        return made

    return await cloud.store.cloud_write(add)


async def _draft(cloud: Cloud, actor: Account, spec: SnapshotSpec) -> Snapshot:
    """Without an id. Raises NotFound, Forbidden, WrongState, Unreachable."""
    entry = await drives.entry_for(cloud, actor, spec.drive_id, to_change=True)
    drive = await cloud.store.cell_read(entry.cell, lambda tx: tx.drive(entry.id))
    lifecycle.begin("drive", drive.id, "snapshot", drive.state)
    now = cloud.clock.now()
    return Snapshot(
        id="",
        drive_id=drive.id,
        project_id=entry.project_id,
        owner=actor.name,
        name=f"{drive.id}__{now:%Y-%m-%d__%H_%M_%S}" if spec.name is None else spec.name,
        created_at=now,
        available_at=now + timedelta(seconds=lifecycle.SNAPSHOT_SECONDS),
        size_bytes=drive.size_bytes,
        media=drive.media,
        meta=spec.meta or {},
        tags=spec.tags,
    )


def _add(tx: CloudTransaction, draft: Snapshot, actor: Account) -> Snapshot:
    """Raises NotFound: its drive has gone meanwhile; OverQuota."""
    entry = tx.find_drive_entry(draft.drive_id)
    if entry is None or entry.state == "deleting":
        raise NotFound("drive", draft.drive_id)
    for what, found, most in (
        ("snapshots of the drive", tx.snapshots(drives=[draft.drive_id]), SNAPSHOTS_OF_DRIVE_MAX),
        ("snapshots", tx.snapshots(projects=frozenset({draft.project_id})), SNAPSHOTS_MAX),
    ):
        if len(found) >= most:
            raise OverQuota(what, 1, 0)
    quotas.check(tx, draft.project_id, storage_bytes=draft.size_bytes)
    added = replace(draft, id=tx.next_id("cloud"))
    tx.add_snapshot(added, actor=actor.name)
    return added


async def list_snapshots(cloud: Cloud, actor: Account, *, drive_ids: Collection[str] | None = None) -> list[Snapshot]:
    """Those that the account may see, in the order of creation."""
    return await cloud.store.cloud_read(lambda tx: tx.snapshots(projects=projects_of(actor), drives=drive_ids))


async def snapshots_of(cloud: Cloud, drive_ids: Collection[str]) -> dict[str, list[Snapshot]]:
    """Of each of the drives that has any, in the order of creation."""
    found: dict[str, list[Snapshot]] = {}
    for snapshot in await cloud.store.cloud_read(lambda tx: tx.snapshots(drives=drive_ids)):
        found.setdefault(snapshot.drive_id, []).append(snapshot)
    return found


async def get_snapshot(cloud: Cloud, actor: Account, snapshot_id: str) -> Snapshot:
    """Raises NotFound."""
    return await cloud.store.cloud_read(lambda tx: _visible(tx, actor, snapshot_id))


def _visible(tx: CloudTransaction, actor: Account, snapshot_id: str, *, to_change: bool = False) -> Snapshot:
    found = tx.snapshot(snapshot_id)
    if not actor.may_see(found.project_id):
        raise NotFound("snapshot", snapshot_id)
    if to_change and not actor.may_change(found.project_id):
        raise Forbidden("change the snapshot", "this account may only look at it")
    return found


async def edit_snapshot(
    cloud: Cloud,
    actor: Account,
    snapshot_id: str,
    changes: SnapshotChanges,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> Snapshot:
    """Raises NotFound, Forbidden, Conflict."""
    wanted = {name: value for name in ("name", "meta", "tags") if (value := getattr(changes, name)) is not None}

    def edit(tx: CloudTransaction) -> Snapshot:
        found = _visible(tx, actor, snapshot_id, to_change=True)
        check_version(found.version, if_version)
        return tx.save_snapshot(found, replace(found, **wanted), at=cloud.clock.now(), actor=actor.name)

    once = repeats.once(cloud, request, edit, again=lambda tx, _: _visible(tx, actor, snapshot_id))
    return await cloud.store.cloud_write(once)


async def delete_snapshot(
    cloud: Cloud,
    actor: Account,
    snapshot_id: str,
    *,
    if_version: int | None = None,
    request: RequestKey | None = None,
) -> None:
    """Raises NotFound, Forbidden, Conflict."""

    def remove(tx: CloudTransaction) -> None:
        found = _visible(tx, actor, snapshot_id, to_change=True)
        check_version(found.version, if_version)
        tx.remove_snapshot(found, at=cloud.clock.now(), actor=actor.name)

    await cloud.store.cloud_write(repeats.once(cloud, request, remove, again=lambda tx, _: None))


async def clone_snapshot(
    cloud: Cloud,
    actor: Account,
    snapshot_id: str,
    *,
    name: str | None = None,
    media: str | None = None,
    size_bytes: int | None = None,
    avoid: tuple[str, ...] = (),
    request: RequestKey | None = None,
) -> CloneBegun:
    """A drive of what the snapshot holds. Raises as `clones.clone_drive`, and WrongState while it is being made."""
    snapshot = await get_snapshot(cloud, actor, snapshot_id)
    if cloud.clock.now() < snapshot.available_at:
        raise WrongState("snapshot", snapshot.id, "clone", "creating", ("available",))
    return await clones.clone_drive(
        cloud,
        actor,
        snapshot.drive_id,
        name=name,
        media=media,
        size_bytes=size_bytes,
        avoid=avoid,
        request=request,
        snapshot=snapshot,
    )
