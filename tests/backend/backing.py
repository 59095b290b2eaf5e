"""Servers with disks, and what became of their backups, for tests of backups."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend.cloud.model import GIB, Backup, Schedule, Server
from backend.operations import backups, drives, schedules
from backend.operations.drives import DriveSpec
from tests.backend.support import Harness

HOUR = 3600.0
DAY = 24 * HOUR


async def with_disk(on: Harness, name: str = "db", *, gib: int = 10, cell: str = "cell-1", **more: Any) -> Server:
    """A stopped server with one disk in its own cell."""
    server = await on.server(name, cell=cell, **more)
    spec = DriveSpec(f"{name}-disk", gib * GIB, cell=cell, project_id=more.get("project_id"))
    drive = await drives.create_drive(on.cloud, on.operator, spec)
    await on.engine.advance(3)
    await drives.attach_drive(on.cloud, on.operator, drive.id, server.id, boot_order=1)
    return server


async def all_backups(on: Harness) -> list[Backup]:
    """The oldest first."""
    return [view.backup for view in await backups.list_backups(on.cloud, on.operator)][::-1]


async def scheduled(on: Harness, source_id: str, cron: str = "0 * * * *", **fields: Any) -> Schedule:
    return await schedules.create_schedule(on.cloud, on.operator, source_id, cron=cron, **fields)


async def again(on: Harness, schedule: Schedule) -> Schedule:
    return await schedules.get_schedule(on.cloud, on.operator, schedule.id)


async def told(on: Harness, schedule: Schedule) -> list[str]:
    """The kinds of all that happened to a schedule, in order."""
    return [event.kind for event in await on.events() if event.object_id == schedule.id]


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
