"""The invented cloud with its schedules, backups, coverage, calendar and storage told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from console.presentation.mirror import Mirror
from console.records import Changes
from console.records_backups import (
    BackupRecord,
    Backups,
    Calendar,
    CellHours,
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
from tests.console.examples import GIB, NOW, POLLED, ago, an_unknown, the_cloud, today

DAY = 86_400
SILENT = "id-app-914"
"""A server of cell-5, which hangs."""


def a_schedule(name: str, cron: str = "0 23 * * *", **said: Any) -> ScheduleRecord:
    defaults: dict[str, Any] = {
        "id": f"sch-{name}",
        "server_id": "id-web-31",
        "source_name": "web-31",
        "source_id": "id-web-31",
        "description": name,
        "retention_days": 14,
        "backups_max": 14,
        "history": ("ok",) * 10,
        "created_at": ago(days=90),
        "version": 3,
    }
    return ScheduleRecord(cron=cron, **{**defaults, **said})


def the_schedules() -> tuple[ScheduleRecord, ...]:
    silent: dict[str, Any] = {"server_id": SILENT, "source_id": SILENT, "source_name": None}
    project: dict[str, Any] = {"server_id": None, "source_id": "p-1", "source_name": "shop", "source_kind": "project"}
    return (
        a_schedule("web nightly", time_zone="Europe/Berlin", next_trigger_at=today(22, 0), backups=14,
                   last_good_at=ago(hours=16, minutes=3), target_seconds=26 * 3600, drill_days=30,
                   drilled_at=ago(days=2), drill_seconds=641),
        a_schedule("mq hourly", "5 * * * *", next_trigger_at=today(15, 5), backups=24, backups_max=24,
                   history=(*("ok",) * 7, "overlapped", "missed", "ok"), last_good_at=ago(hours=2),
                   target_seconds=3600),
        a_schedule("app often", "*/10 * * * *", next_trigger_at=today(14, 10), missed_since=today(13, 50),
                   history=(*("ok",) * 8, "missed"), backups=7, backups_max=7, last_good_at=ago(minutes=25), **silent),
        a_schedule("shop weekly", "0 3 * * 6", next_trigger_at=NOW + timedelta(hours=12, minutes=56), backups=8,
                   retention_days=0, backups_max=0, history=("ok",) * 6, last_good_at=ago(days=6), drill_days=7,
                   drilled_at=ago(days=1), drill_problem="no host has room", **project),
        a_schedule("db nightly", "0 2 * * *", is_active=False, reason="Over quota: storage needs 100.0 GiB",
                   history=(*("ok",) * 8, "failed"), backups=7, backups_max=7, last_good_at=ago(days=3),
                   target_seconds=DAY),
        a_schedule("old monthly", "0 4 1 * *", is_active=False, history=(), backups=0, last_good_at=None),
    )  # fmt: skip


def a_backup(number: int, **said: Any) -> BackupRecord:
    defaults: dict[str, Any] = {
        "id": f"bak-{number}",
        "source_name": "web-31",
        "created_at": ago(days=number - 1, hours=16, minutes=3),
        "size_bytes": round((3 + number / 10) * GIB),
        "kept_until": NOW + timedelta(days=14 - number, hours=8),
        "source_id": "id-web-31",
        "schedule_id": "sch-web nightly",
        "description": "web nightly",
    }
    return BackupRecord(**{**defaults, **said})


def the_backups() -> tuple[BackupRecord, ...]:
    by_hand: dict[str, Any] = {"schedule_id": None, "description": "before the upgrade", "kept_until": None}
    return (
        a_backup(1, state="backing_up"),
        a_backup(2),
        a_backup(3, state="erred", reason="drive web-31-boot is lost"),
        a_backup(4, source_kind="project", source_name="shop", source_id="p-1", **by_hand),
        a_backup(5, parent_id="bak-4", schedule_id=None),
    )


def the_preview() -> SchedulePreviewRecord:
    first = today(22, 0)
    fires = tuple(
        FireRecord(first + timedelta(days=n), (first + timedelta(days=n, hours=1)).isoformat()[:-6] + "+01:00")
        for n in range(10)
    )
    return SchedulePreviewRecord(
        "at 23:00 every day, by the clock of Europe/Berlin",
        fires,
        0,
        (
            VerdictRecord("bak-1", True, "is being made", ago(hours=16), "backing_up"),
            VerdictRecord("bak-2", True, "number 1 of 14 that are kept", ago(days=1, hours=16)),
            VerdictRecord("bak-3", False, "14 days old or more; it has failed", ago(days=2, hours=16), "erred"),
        ),
    )


def the_detail() -> ScheduleDetail:
    return ScheduleDetail(the_schedules()[0], the_preview(), {"id": "sch-web nightly"})


def the_coverage() -> Coverage:
    rows = (
        CoverageRecord("id-db-09", "db-09", "p-2"),
        CoverageRecord(SILENT, None, "p-1", (), None, None, "never"),
        CoverageRecord("id-web-05", "web-05", "p-1", ("sch-shop weekly",), ago(days=8), 7 * DAY, "late"),
        CoverageRecord(
            "id-web-31", "web-31", "p-1", ("sch-shop weekly", "sch-web nightly"), ago(hours=16), DAY, "good"
        ),
    )
    return Coverage(rows, 1_204, 1_190, 1_191, 1, 8, 4)


def hours(*runs: int, gib: float = 20, zone_hours: int = 0) -> tuple[HourRecord, ...]:
    """24 of them from 14:00 UTC on; as many at once as begin."""
    first = today(14, 0)
    counts = (*runs, *(0,) * (24 - len(runs)))
    return tuple(
        HourRecord(first + timedelta(hours=n), (first + timedelta(hours=n + zone_hours)).isoformat(), number,
                   round(number * gib * GIB), number, round(number * gib * GIB))
        for n, number in enumerate(counts)
    )  # fmt: skip


def the_calendar(zone: str = "UTC") -> Calendar:
    def due(name: str, *runs: int, gib: float | None, cell: str = "cell-1") -> DueRecord:
        counts = (*runs, *(0,) * (24 - len(runs)))
        size = None if gib is None else round(gib * GIB)
        return DueRecord(f"sch-{name}", name, "web-31", "Europe/Berlin", (cell,), size, 103, today(14, 10), counts)

    shift = 1 if zone != "UTC" else 0
    return Calendar(
        zone,
        hours(8, 1, 1, 0, 0, 0, 0, 0, 3, zone_hours=shift),
        (CellHours("cell-1", hours(2, 1, 1)), CellHours("cell-5", hours(6, gib=100))),
        (
            due("app often", 6, 0, gib=100, cell="cell-5"),
            due("mq hourly", 1, 1, 1, gib=20),
            due("web nightly", *(0,) * 8, 1, gib=3.1),
            due("shop weekly", *(0,) * 13, 1, gib=None),
        ),
        4,
    )


def the_storage() -> Storage:
    return Storage(
        (
            StorageRecord(
                "p-1", "shop", 3_912 * GIB, 900 * GIB, 4_096 * GIB, None, 24 * GIB, NOW + timedelta(days=7), 3
            ),
            StorageRecord("p-2", "ledger", 500 * GIB, 100 * GIB, 1_000 * GIB, 700 * GIB, 20 * GIB, None, 1, 1),
            StorageRecord("p-3", "farm", 90 * GIB, 0, None, 90 * GIB),
            StorageRecord("p-4", "full", 64 * GIB, 64 * GIB, 64 * GIB, 80 * GIB, GIB, NOW, 1),
        )
    )


def the_protected_cloud() -> Mirror:
    silent = an_unknown("app-914", "cell-5", "c5-h01", id=SILENT, known_at=ago(minutes=5))
    mirror = the_cloud().apply(Changes("cursor-2", (silent,)), POLLED)
    schedules, backups = the_schedules(), the_backups()
    for answer in (
        Schedules(schedules, None, len(schedules)),
        Backups(backups, None, len(backups)),
        Backups(backups[:3], None, 3, "schedule:sch-web nightly"),
        Backups(backups[4:], None, 1, "backup:bak-4"),
        Backups(backups[:3], None, 3, "server:id-web-31"),
        Schedules(schedules[:2], None, 2, "server:id-web-31"),
        the_coverage(),
        the_calendar(),
        the_storage(),
        the_detail(),
    ):
        mirror = mirror.apply(answer, POLLED)
    return mirror
