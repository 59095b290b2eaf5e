"""Drives that are copies of the library's images. The images lie outside the cells: see `cloud.catalogue`.

Simplified: the library lies on every storage host, so an image is copied at the rate of the host's own disk, and only
its bytes, however large the drive is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from backend.cloud import lifecycle, placement
from backend.cloud.catalogue import Image
from backend.cloud.errors import Forbidden, NoCapacity
from backend.cloud.model import Account, Drive, DriveState
from backend.operations import Cloud, RequestKey, cells, clones, drives, funds, repeats, settling
from backend.operations.drives import DriveSpec
from backend.store import CellTransaction, CloudTransaction

FROM_IMAGE = "image"
"""Attribute of a drive: the id of the image that it was made from."""


def begin_copy(tx: CellTransaction, drive: Drive, image: Image, *, now: datetime, actor: str) -> None:
    """Add the drive, whose storage host is chosen: it is whole when its task ends."""
    copied = replace(drive, state=DriveState.CLONING_DST, state_since=now)
    tx.add_drive(copied, at=now, actor=actor, details={"image": image.id, "source_name": image.name})
    tx.schedule(
        "clone",
        "drive",
        drive.id,
        begun_at=now,
        due_at=now + timedelta(seconds=lifecycle.clone_seconds(image.size_bytes, is_same_host=True)),
        actor=actor,
        payload={
            "source": image.id,
            "source_name": image.name,
            "bytes_total": image.size_bytes,
            "rate_bytes_per_second": lifecycle.clone_rate(is_same_host=True),
        },
    )


def add_copy_in_cell(
    tx: CellTransaction, drive: Drive, image: Image, *, now: datetime, policy: Any, ranks: Mapping[str, Any], actor: str
) -> Drive:
    """Choose the storage host and begin to copy. Raises NoCapacity."""
    known = tx.find_drive(drive.id)
    if known is not None:
        return known
    found = placement.place_drive(drive.size_bytes, tx.storage_loads(), ranks=ranks, policy=policy)
    if isinstance(found, placement.NoValidHost):
        raise NoCapacity(f"drive {drive.name or drive.id}", found.counted())
    begin_copy(tx, replace(drive, host=found.host), image, now=now, actor=actor)
    return tx.drive(drive.id)


async def clone_image(
    cloud: Cloud, actor: Account, image: Image, spec: DriveSpec, *, request: RequestKey | None = None
) -> Drive:
    """A drive of the account's own project that begins as the image. `avoid` never fails.

    Raises:
        Forbidden, Invalid, NoFunds, OverQuota, NoCapacity, Unreachable, OutcomeUnknown.
    """
    if not actor.may_change(actor.project_id):
        raise Forbidden("clone the drive", "this account may not change its project")
    size_bytes = clones.checked_size(spec.size_bytes, image.size_bytes)
    await funds.check_new(cloud, actor.name, "the drive", storage=size_bytes)
    avoid_hosts = await drives.hosts_to_avoid(cloud, actor, spec.avoid)
    cell = await cells.choose_for_drive(
        cloud, size_bytes, actor, avoid_hosts=avoid_hosts, avoid=spec.avoid, cell=spec.cell
    )
    now = cloud.clock.now()
    copy = Drive(
        id="",
        name=spec.name,
        cell=cell,
        project_id=actor.project_id,
        owner=actor.name,
        size_bytes=size_bytes,
        host="",
        created_at=now,
        state_since=now,
        media=spec.media,
        avoid=spec.avoid,
        meta=spec.meta,
        tags=spec.tags,
        attributes={**spec.attributes, FROM_IMAGE: image.id},
    )
    undone = await repeats.undone(cloud, request, CloudTransaction.find_drive_entry)
    reserved, is_new = await cloud.store.cloud_write(lambda tx: drives.reserve_drive(tx, copy, request, undone))
    ranks = placement.avoided_ranks(spec.avoid, avoid_hosts)
    policy = cloud.settings.placement
    cloud.live.add(reserved.id)
    try:
        return await settling.carried_out(
            cloud,
            reserved.cell,
            lambda tx: add_copy_in_cell(tx, reserved, image, now=now, policy=policy, ranks=ranks, actor=actor.name),
            acknowledged=lambda tx, _: drives.set_drive_entry(tx, reserved.id, state="active"),
            given_back=(lambda tx: tx.remove_drive_entry(reserved.id)) if is_new else None,
        )
    finally:
        cloud.live.discard(reserved.id)
