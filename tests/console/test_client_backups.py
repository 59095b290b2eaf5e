"""The client's requests about schedules and backups, answered by the backend itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from console.client import ClientError, CloudClient
from tests.dialects.support import BASE, Wired, good, wired
from tests.dialects.waldur import client as waldur_client
from tests.dialects.waldur import source, with_disk

GIB = 2**30


def test_what_is_asked_of_backups_comes_back_as_records(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, "db\u202e-01", gib=1)
        rule = {"retention_time": 0, "maximal_number_of_backups": 1, "schedule": "0 * * * *", "is_active": True}
        body = {"backup_source": source(server), "description": "hour\u202ely", "recovery_point": 90_000, **rule}
        good(await waldur_client(on).post("/backup-schedules/", json=body), 201)
        await on.advance(3600 + 60)
        headers = {"Authorization": "Bearer operator-token"}
        transport = httpx.ASGITransport(app=on.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            cloud = CloudClient(http)

            (schedule,) = (await cloud.schedules_page()).rows
            assert (schedule.title, schedule.source_name, schedule.server_id) == ("hour·ly", "db·-01", server["id"])
            assert (schedule.backups, schedule.target_seconds, schedule.history) == (1, 90_000, ("ok",))
            detail = await cloud.schedule_detail(schedule.id)
            assert detail.schedule == schedule
            assert detail.preview is not None
            assert detail.preview.words == "at minute 0 of every hour every day, by the clock of UTC"
            assert (len(detail.preview.fires), len(detail.preview.verdicts)) == (10, 1)
            assert (await cloud.schedules_page(scope=f"server:{server['id']}")).rows == (schedule,)

            for scope in (None, schedule.key, f"server:{server['id']}", f"project:{server['project_id']}"):
                page = await cloud.backups_page(scope=scope)
                assert (len(page.rows), page.total, page.next, page.scope) == (1, 1, None, scope)
            (backup,) = page.rows
            described = await cloud.backup_detail(backup.id)
            assert described.backup == backup
            assert described.verdict is not None
            assert (described.verdict.is_kept, described.raw["contents"]["server"]["name"]) == (False, "db·-01")
            assert (await cloud.backups_page(scope=backup.key)).rows == ()

            covered = await cloud.coverage_page()
            assert ([row.standing for row in covered.rows], covered.total) == (["good"], 1)
            assert (await cloud.coverage_counts()).is_counted_only
            calendar = await cloud.calendar(time_zone="Europe/Berlin")
            assert (calendar.hours[0].local[11:16], len(calendar.hours)) == ("14:00", 24)
            assert [(due.title, sum(due.runs)) for due in calendar.schedules] == [("hour·ly", 23)]
            with pytest.raises(ClientError, match="no time zone"):
                await cloud.calendar(time_zone="Nowhere")
            storage = {row.project_id: row for row in (await cloud.storage()).projects}
            assert storage[server["project_id"]].backup_bytes == GIB

    wired(tmp_path / "data", story)
