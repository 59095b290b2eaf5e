"""Settings of the whole cloud that may be changed while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from backend.cloud.errors import Forbidden, Invalid
from backend.cloud.history import HISTORY_SECONDS_MAX, HISTORY_SECONDS_MIN
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
    history_seconds: int | None = None,
    request: RequestKey | None = None,
) -> Settings:
    """Stored, and told in an event, before it is in force. None leaves a setting as it is.

    The others of `Settings` are what past decisions were made by: they stay as the cloud was made with.

    Raises:
        Forbidden: for all but staff.
        Invalid: a time for which no past can be kept.
    """
    if not actor.is_staff:
        raise Forbidden("change the settings", "it needs a staff account")
    if history_seconds is not None and not HISTORY_SECONDS_MIN <= history_seconds <= HISTORY_SECONDS_MAX:
        raise Invalid(
            "history_seconds",
            f"must be from {HISTORY_SECONDS_MIN:,}, an hour, to {HISTORY_SECONDS_MAX:,}, a hundred years",
        )
    given: dict[str, Any] = {
        "list_records_by_skipping_down_cells": list_records_by_skipping_down_cells,
        "default_cpu_type": default_cpu_type,
        "rate_limits": rate_limits,
        "history_seconds": history_seconds,
    }
    before = cloud.settings
    changed = {name: value for name, value in given.items() if value not in (None, getattr(before, name))}
    if not changed or await repeats.was_done(cloud, request):
        return before
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> None:
        repeats.note(tx, request)
        tx.save_settings({**tx.settings(), **changed})
        changes = {name: (getattr(before, name), value) for name, value in changed.items()}
        tx.emit("cloud.settings", "cloud", cloud.store.cloud_id, at=now, actor=actor.name, changes=changes)

    await cloud.store.cloud_write(save)
    # What another request has changed meanwhile stays.
    cloud.settings = replace(cloud.settings, **changed)
    return cloud.settings
