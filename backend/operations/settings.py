"""Settings of the whole cloud that may be changed while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from backend.cloud.errors import Forbidden
from backend.cloud.model import Account
from backend.operations import Cloud, RequestKey, Settings, repeats
from backend.store import CloudTransaction


async def change_settings(
    cloud: Cloud,
    actor: Account,
    *,
    list_records_by_skipping_down_cells: bool | None = None,
    default_cpu_type: Literal["amd", "intel"] | None = None,
    rate_limits: bool | None = None,
    request: RequestKey | None = None,
) -> Settings:
    """Stored, and told in an event, before it is in force. None leaves a setting as it is.

    The others of `Settings` are what past decisions were made by: they stay as the cloud was made with.

    Raises:
        Forbidden: for all but staff.
    """
    if not actor.is_staff:
        raise Forbidden("change the settings", "it needs a staff account")
    given: dict[str, Any] = {
        "list_records_by_skipping_down_cells": list_records_by_skipping_down_cells,
        "default_cpu_type": default_cpu_type,
        "rate_limits": rate_limits,
    }
    before = cloud.settings
    changed = {name: value for name, value in given.items() if value not in (None, getattr(before, name))}
    if not changed or await repeats.was_done(cloud, request):
        return before
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> None:
        repeats.note(tx, request, cloud.clock.now())
        tx.save_settings({**tx.settings(), **changed})
        changes = {name: (getattr(before, name), value) for name, value in changed.items()}
        tx.emit("cloud.settings", "cloud", cloud.store.cloud_id, at=now, actor=actor.name, changes=changes)

    await cloud.store.cloud_write(save)
    # What another request has changed meanwhile stays.
    cloud.settings = replace(cloud.settings, **changed)
    return cloud.settings
