"""A cloud in memory with schedules and backups, which remembers what was asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.client import ClientError
from console.records import DecisionRecord, PlanRecord
from console.records_backup_plans import (
    BackupOutcomeRecord,
    BackupPlanRecord,
    FlavorRecord,
    OutlookRecord,
    ScheduleOutcomeRecord,
    SchedulePlanRecord,
)
from console.records_backups import (
    BackupRecord,
    Backups,
    FireRecord,
    ScheduleDetail,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    VerdictRecord,
)
from tests.console.fakes import GIB, NOON, FakeCloud

STORAGE = OutlookRecord("p1", "operations", 3_900 * GIB, 4_096 * GIB, 196 * GIB, 3 * GIB, 12, 15, 65, 9 * GIB)
FULL = STORAGE._replace(left_bytes=4 * GIB, copies_left=1, is_enough=False, full_at=NOON + timedelta(days=2))
VERDICTS = (
    VerdictRecord("b1", True, "number 1 of 2 that are kept", NOON - timedelta(hours=12)),
    VerdictRecord("b2", False, "number 3, and 2 are kept", NOON - timedelta(hours=36)),
)
FLAVORS = (
    FlavorRecord("1", "m1.tiny", 1, GIB // 2, GIB, "needs 20.0 GiB of disk"),
    FlavorRecord("2", "m1.small", 1, 2 * GIB, 20 * GIB),
    FlavorRecord("3", "m1.medium", 2, 4 * GIB, 40 * GIB),
)


def daily_fires() -> tuple[FireRecord, ...]:
    """Ten of them, in Berlin."""
    found = [NOON + timedelta(days=number) for number in range(1, 11)]
    return tuple(FireRecord(at, (at + timedelta(hours=1)).replace(tzinfo=None).isoformat() + "+01:00") for at in found)


def some_schedules() -> list[ScheduleRecord]:
    return [
        ScheduleRecord(
            "s1", "id-web-31", "web-31", "web nightly", "0 23 * * *", "Europe/Berlin", retention_days=14,
            backups_max=14, source_id="id-web-31", next_trigger_at=NOON + timedelta(hours=10), target_seconds=90_000,
            version=4,
        ),
        ScheduleRecord("s2", "id-log-02", "log-02", "log nightly", "30 1 * * *", is_active=False, source_id="id-log-02",
                       version=2),
    ]  # fmt: skip


def some_backups() -> list[BackupRecord]:
    return [
        BackupRecord("b1", "web-31", "ready", NOON - timedelta(hours=14), 20 * GIB, schedule_id="s1", version=3),
        BackupRecord("b2", "web-31", "backing_up", NOON - timedelta(hours=38), 20 * GIB, schedule_id="s1", version=1),
        BackupRecord("b3", "shop", "ready", NOON - timedelta(hours=40), 60 * GIB, source_kind="project", version=2),
        BackupRecord("b4", "old", "erred", NOON - timedelta(hours=50), 5 * GIB, version=2),
    ]


@dataclass
class BackedUpCloud(FakeCloud):
    """`wrong` is what it says of every schedule while it is set."""

    all_schedules: list[ScheduleRecord] = field(default_factory=some_schedules)
    all_backups: list[BackupRecord] = field(default_factory=some_backups)
    wrong: ClientError | None = None
    outlook: OutlookRecord = STORAGE

    async def schedules_page(
        self, *, scope: str | None = None, after: str | None = None, limit: int = 1000
    ) -> Schedules:
        await self._request("schedules_page")
        return Schedules(tuple(self.all_schedules), None, len(self.all_schedules))

    async def backups_page(self, *, scope: str | None = None, after: str | None = None, limit: int = 1000) -> Backups:
        await self._request("backups_page", scope)
        return Backups(tuple(self.all_backups), None, len(self.all_backups), scope)

    async def schedule_detail(self, schedule_id: str) -> ScheduleDetail:
        await self._request("schedule_detail", schedule_id)
        return ScheduleDetail(next(each for each in self.all_schedules if each.id == schedule_id))

    async def flavors(self, backup_id: str | None = None) -> tuple[FlavorRecord, ...]:
        await self._request("flavors", backup_id)
        return FLAVORS

    async def plan_schedule(self, fields: Mapping[str, Any], *, schedule_id: str | None = None) -> SchedulePlanRecord:
        await self._request("plan_schedule", schedule_id, dict(fields))
        if self.wrong is not None:
            raise self.wrong
        cron = str(fields.get("cron", "0 23 * * *"))
        verdicts: tuple[VerdictRecord, ...] = VERDICTS if schedule_id else ()
        if fields.get("backups_max") == 1:
            verdicts = tuple(each._replace(is_kept=False, rule="more than 1") for each in verdicts)
        preview = SchedulePreviewRecord(f"as {cron} says", daily_fires(), 0, verdicts)
        return SchedulePlanRecord(preview, schedule_id=schedule_id, storage=(self.outlook,), sentences=("It grows.",))

    async def save_schedule(
        self, fields: Mapping[str, Any], *, schedule_id: str | None = None, key: str | None = None
    ) -> ScheduleRecord:
        await self._verb("save_schedule", schedule_id, dict(fields), key)
        if self.refusals:
            raise self.refusals.pop(0)
        first: datetime = NOON + timedelta(hours=1)
        return ScheduleRecord(schedule_id or "s9", None, "", str(fields.get("description", "")), next_trigger_at=first)

    async def act_on_schedule(
        self, schedule_id: str, action: str, *, if_version: int | None = None, key: str | None = None
    ) -> ScheduleOutcomeRecord:
        await self._verb("act_on_schedule", schedule_id, action, if_version)
        return ScheduleOutcomeRecord()

    async def plan_backup(self, fields: Mapping[str, Any]) -> BackupPlanRecord:
        await self._request("plan_backup", dict(fields))
        return BackupPlanRecord(PlanRecord("backup", "", sentences=("1 drive: 3.0 GiB are copied.",)), (self.outlook,))

    async def create_backup(self, fields: Mapping[str, Any], *, key: str | None = None) -> BackupRecord:
        await self._verb("create_backup", dict(fields))
        return BackupRecord("b9", "web-31", "backing_up")

    async def plan_of_backing(self, kind: str, object_id: str, action: str, **fields: Any) -> BackupPlanRecord:
        await self._request("plan_of_backing", kind, object_id, action, fields)
        plan = PlanRecord(action, object_id, version=7, token="token-7", sentences=(f"{action} of {object_id}.",))
        if action == "restore":
            plan = plan._replace(decision=DecisionRecord("c1-h02", "room"), downtime_seconds=60)
        return BackupPlanRecord(plan)

    async def act_on_backup(
        self, backup_id: str, action: str, *, key: str | None = None, **fields: Any
    ) -> BackupOutcomeRecord:
        await self._verb("act_on_backup", backup_id, action, fields)
        if self.refusals:
            raise self.refusals.pop(0)
        backup = next(each for each in self.all_backups if each.id == backup_id)
        return BackupOutcomeRecord(backup, "id-new", fields.get("name"))
