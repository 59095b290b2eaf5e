"""What is asked of a cloud about backups and schedules; the client that carries it is the one of all else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any, TypeVar
from urllib.parse import quote

from console import wire, wire_backup_plans, wire_backups
from console.records_backup_plans import (
    BackupOutcomeRecord,
    BackupPlanRecord,
    FlavorRecord,
    ScheduleOutcomeRecord,
    SchedulePlanRecord,
)
from console.records_backups import (
    BackupDetail,
    BackupRecord,
    Backups,
    Calendar,
    Coverage,
    ScheduleDetail,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    Storage,
)

T = TypeVar("T")

PAGE_ROWS = 1_000


class BackupRequests(ABC):
    """Every method raises ClientError and nothing else."""

    @abstractmethod
    async def read(
        self,
        path: str,
        read: Callable[[Any], T],
        asked: Mapping[str, Any] | None = None,
        *,
        patience_seconds: float = 0.0,
    ) -> T:
        """What the cloud answers to a GET, as `read` understands it. `patience_seconds`: how long it may think."""

    @abstractmethod
    async def send(
        self, method: str, path: str, read: Callable[[Any], T], body: Mapping[str, Any], *, key: str | None = None
    ) -> T:
        """What it answers to a request with a body; `key` makes a repeat of it harmless."""

    # Reading

    async def schedules_page(
        self, *, scope: str | None = None, after: str | None = None, limit: int = PAGE_ROWS
    ) -> Schedules:
        """`scope` is None, or `server:ID` for those that copy it."""
        asked = {"limit": limit, "after": after, "covering": (scope or "").removeprefix("server:") or None}
        return await self.read("/schedules", lambda body: wire_backups.schedules(body, scope=scope), asked)

    async def backups_page(
        self, *, scope: str | None = None, after: str | None = None, limit: int = PAGE_ROWS
    ) -> Backups:
        """The newest first. `scope` as in `Backups`."""
        kind, _, identity = (scope or "").partition(":")
        asked = {"limit": limit, "after": after, wire_backups.SCOPES.get(kind, kind): identity or None}
        return await self.read("/backups", lambda body: wire_backups.backups(body, scope=scope), asked)

    async def coverage_page(self, *, after: str | None = None, limit: int = PAGE_ROWS) -> Coverage:
        """How old the last good backup of each server is, the worst first."""
        return await self.read("/backups/coverage", wire_backups.coverage, {"limit": limit, "after": after})

    async def coverage_counts(self) -> Coverage:
        """How many servers nobody backs up, and how many of each standing there are; one row of them."""
        return await self.read("/backups/coverage", wire_backups.coverage_counts, {"limit": 1})

    async def calendar(self, *, time_zone: str = "UTC") -> Calendar:
        """Which schedules run in the next 24 hours. `time_zone` is where the hours begin."""
        return await self.read("/schedules/calendar", wire_backups.calendar, {"time_zone": time_zone})

    async def storage(self) -> Storage:
        """What each project's storage comes to."""
        return await self.read("/backups/storage", wire_backups.storage)

    async def preview_schedule(self, asked: Mapping[str, Any]) -> SchedulePreviewRecord:
        """What a schedule would do: `schedule` (its cron), `time_zone`, `retention_days`, `backups_max`, how many of
        `last`, `hourly`, ... it keeps, and `schedule_id` for what would become of that one's backups.
        """
        return await self.read("/schedules/preview", wire_backups.preview, asked)

    async def schedule_detail(self, schedule_id: str) -> ScheduleDetail:
        """One schedule with what it would do from now on."""
        found = await self.read(f"/schedules/{quoted(schedule_id)}", wire_backups.schedule_detail)
        preview = await self.preview_schedule(wire_backups.asked_of(found.schedule))
        return found._replace(preview=preview)

    async def backup_detail(self, backup_id: str) -> BackupDetail:
        """One backup with its parts, and what the rules of its schedule say of it."""
        return await self.read(f"/backups/{quoted(backup_id)}", wire_backups.backup_detail)

    # Verbs

    async def flavors(self, backup_id: str | None = None) -> tuple[FlavorRecord, ...]:
        """The sizes there are; with the id of a backup, whether it can be restored with each."""
        return await self.read("/flavors", wire_backup_plans.flavors, {"backup_id": backup_id})

    async def plan_backup(self, fields: Mapping[str, Any]) -> BackupPlanRecord:
        """What a backup now would come to. Changes nothing."""
        return await self.send("POST", "/backups", wire_backup_plans.backup_plan, {**fields, "preview": True})

    async def create_backup(self, fields: Mapping[str, Any], *, key: str | None = None) -> BackupRecord:
        return await self.send("POST", "/backups", wire_backups.backup, fields, key=key or token_hex(16))

    async def plan_of_backing(self, kind: str, object_id: str, action: str, **fields: Any) -> BackupPlanRecord:
        """What an action on a `backup` or `schedule` would come to. Changes nothing."""
        body = {"action": action, "preview": True, **fields}
        return await self.send("POST", actions(kind, object_id), wire_backup_plans.backup_plan, body)

    async def act_on_backup(
        self, backup_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> BackupOutcomeRecord:
        """`restore` or `delete`; `if_version` and `plan` as of `act`."""
        body = {"action": action, **{name: value for name, value in fields.items() if value is not None}}
        path = actions("backup", backup_id)
        return await self.send("POST", path, wire_backup_plans.backup_outcome, body, key=key or token_hex(16))

    async def plan_schedule(self, fields: Mapping[str, Any], *, schedule_id: str | None = None) -> SchedulePlanRecord:
        """What a new schedule would do, or that one with these fields. Changes nothing."""
        method, path = ("POST", "/schedules") if schedule_id is None else ("PATCH", f"/schedules/{quoted(schedule_id)}")
        return await self.send(method, path, wire_backup_plans.schedule_plan, {**fields, "preview": True})

    async def save_schedule(
        self, fields: Mapping[str, Any], *, schedule_id: str | None = None, key: str | None = None
    ) -> ScheduleRecord:
        """Make a schedule, or change that one."""
        method, path = ("POST", "/schedules") if schedule_id is None else ("PATCH", f"/schedules/{quoted(schedule_id)}")
        return await self.send(method, path, wire.schedule, fields, key=key or token_hex(16))

    async def act_on_schedule(
        self, schedule_id: str, action: str, *, if_version: int | None = None, key: str | None = None
    ) -> ScheduleOutcomeRecord:
        """`activate`, `deactivate`, `run`, `drill` or `delete`."""
        body = {"action": action, **({} if if_version is None else {"if_version": if_version})}
        path = actions("schedule", schedule_id)
        return await self.send("POST", path, wire_backup_plans.schedule_outcome, body, key=key or token_hex(16))


def quoted(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def actions(kind: str, object_id: str) -> str:
    """Where verbs of an object are sent."""
    return f"/{kind}s/{quoted(object_id)}/actions"
