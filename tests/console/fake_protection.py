"""What the cloud in memory answers about schedules, backups and who is covered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from console.client import ClientError
from console.records_backups import (
    BackupDetail,
    BackupRecord,
    Backups,
    Calendar,
    Coverage,
    CoverageRecord,
    DueRecord,
    FireRecord,
    HourRecord,
    ScheduleDetail,
    SchedulePreviewRecord,
    ScheduleRecord,
    Schedules,
    Storage,
    StorageRecord,
    VerdictRecord,
)

GIB = 2**30
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = "00000001-0000-4000-8000-000000000000"


def a_schedule(number: int = 1, **said: Any) -> ScheduleRecord:
    defaults: dict[str, Any] = {
        "id": f"sch-{number}",
        "server_id": SERVER,
        "source_name": "web-01",
        "description": f"nightly {number}",
        "cron": "0 23 * * *",
        "next_trigger_at": NOON + timedelta(hours=number),
        "retention_days": 7,
        "backups_max": 7,
        "source_id": SERVER,
        "backups": 2,
        "last_good_at": NOON - timedelta(hours=13),
        "created_at": NOON - timedelta(days=10),
        "version": 1,
    }
    return ScheduleRecord(**{**defaults, **said})


def a_backup(number: int = 1, **said: Any) -> BackupRecord:
    defaults: dict[str, Any] = {
        "id": f"bak-{number}",
        "source_name": "web-01",
        "created_at": NOON - timedelta(days=number),
        "size_bytes": 20 * GIB,
        "kept_until": NOON + timedelta(days=7 - number),
        "source_id": SERVER,
        "schedule_id": "sch-1",
    }
    return BackupRecord(**{**defaults, **said})


class FakeProtection:
    """Mixed into the cloud in memory, which remembers requests."""

    schedule_records: tuple[ScheduleRecord, ...] = (a_schedule(1), a_schedule(2, server_id=None, source_kind="project"))
    backup_records: tuple[BackupRecord, ...] = (a_backup(1), a_backup(2))
    zones = frozenset({"UTC", "Europe/Berlin"})
    coverage_records: tuple[CoverageRecord, ...] = (CoverageRecord(SERVER, "web-01"),)
    page_rows = 1_000

    async def _request(self, *request: Any) -> None:
        raise NotImplementedError

    async def schedules_page(
        self, *, scope: str | None = None, after: str | None = None, limit: int = 1_000
    ) -> Schedules:
        await self._request("schedules", scope, after)
        rows = tuple(each for each in self.schedule_records if scope in (None, f"server:{each.server_id}"))
        start = int(after or 0)
        end = start + self.page_rows
        return Schedules(rows[start:end], str(end) if end < len(rows) else None, len(rows), scope)

    async def backups_page(self, *, scope: str | None = None, after: str | None = None, limit: int = 1_000) -> Backups:
        await self._request("backups", scope, after)
        rows = tuple(
            each
            for each in self.backup_records
            if scope is None
            or scope in (f"schedule:{each.schedule_id}", f"server:{each.source_id}", f"backup:{each.parent_id}")
        )
        start = int(after or 0)
        end = start + self.page_rows
        return Backups(rows[start:end], str(end) if end < len(rows) else None, len(rows), scope)

    async def coverage_page(self, *, after: str | None = None, limit: int = 1_000) -> Coverage:
        await self._request("coverage", after)
        rows = self.coverage_records
        start = int(after or 0)
        end = start + self.page_rows
        more = str(end) if end < len(rows) else None
        return Coverage(rows[start:end], 40, 39, 1, 2, 37, 0, next=more)

    async def coverage_counts(self) -> Coverage:
        await self._request("coverage_counts")
        return Coverage((), 40, 39, 1, 2, 37, 0, is_counted_only=True)

    async def calendar(self, *, time_zone: str = "UTC") -> Calendar:
        await self._request("calendar", time_zone)
        if time_zone not in self.zones:
            raise ClientError(f"time_zone: There is no time zone {time_zone!r}.", "invalid", False)
        shift = 1 if time_zone == "Europe/Berlin" else 0
        hours = tuple(
            HourRecord(NOON + timedelta(hours=n), (NOON + timedelta(hours=n + shift)).isoformat(), int(n == 11))
            for n in range(24)
        )
        due = DueRecord("sch-1", "nightly 1", "web-01", "Europe/Berlin", ("cell-1",), 20 * GIB, 103, NOON,
                        tuple(hour.runs for hour in hours))  # fmt: skip
        return Calendar(time_zone, hours, (), (due,), 1)

    async def storage(self) -> Storage:
        await self._request("storage")
        return Storage((StorageRecord("p-1", "shop", 80 * GIB, 40 * GIB, 100 * GIB, 90 * GIB),))

    async def preview_schedule(self, asked: Mapping[str, Any]) -> SchedulePreviewRecord:
        await self._request("preview_schedule", dict(asked))
        return SchedulePreviewRecord(
            "at 23:00 every day, by the clock of UTC",
            (FireRecord(NOON + timedelta(hours=11), "2026-11-20T23:00:00+00:00"),),
            0,
            (VerdictRecord("bak-1", True, "number 1 of 7 that are kept", NOON - timedelta(days=1)),
             VerdictRecord("bak-2", False, "7 days old or more", NOON - timedelta(days=2))),
        )  # fmt: skip

    async def schedule_detail(self, schedule_id: str) -> ScheduleDetail:
        await self._request("schedule", schedule_id)
        found = next(each for each in self.schedule_records if each.id == schedule_id)
        return ScheduleDetail(found, await self.preview_schedule({}), {"id": schedule_id, "cron": found.cron})

    async def backup_detail(self, backup_id: str) -> BackupDetail:
        await self._request("backup", backup_id)
        found = next(each for each in self.backup_records if each.id == backup_id)
        return BackupDetail(found, (), VerdictRecord(backup_id, True, "number 1 of 7 that are kept"), {"id": backup_id})
