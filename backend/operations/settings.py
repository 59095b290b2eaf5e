"""Settings of the whole cloud that may be changed while it runs."""

from __future__ import annotations

from dataclasses import replace

from backend.cloud.errors import Forbidden
from backend.cloud.model import Account
from backend.operations import Cloud, Settings
from backend.store import CloudTransaction


async def change_settings(cloud: Cloud, actor: Account, *, list_records_by_skipping_down_cells: bool) -> Settings:
    """Stored, and told in an event, before it is in force. Raises Forbidden for all but staff.

    The others of `Settings` are what past decisions were made by: they stay as the cloud was made with.
    """
    if not actor.is_staff:
        raise Forbidden("change the settings", "it needs a staff account")
    name, before = "list_records_by_skipping_down_cells", cloud.settings.list_records_by_skipping_down_cells
    after = list_records_by_skipping_down_cells
    if after == before:
        return cloud.settings
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> None:
        tx.save_settings({**tx.settings(), name: after})
        changes = {name: (before, after)}
        tx.emit("cloud.settings", "cloud", cloud.store.cloud_id, at=now, actor=actor.name, changes=changes)

    await cloud.store.cloud_write(save)
    cloud.settings = replace(cloud.settings, list_records_by_skipping_down_cells=after)
    return cloud.settings
