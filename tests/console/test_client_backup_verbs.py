"""What the client makes, changes, restores and deletes of backups and schedules, answered by the backend itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from console.client import ClientError, CloudClient
from tests.dialects.support import BASE, Wired, wired
from tests.dialects.waldur import with_disk

GIB = 2**30


def test_verbs_of_backups_and_schedules_come_back_as_records(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, "db\u202e-01", gib=10)
        source = {"source_kind": "server", "source_id": server["id"]}
        headers = {"Authorization": "Bearer operator-token"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=on.app), base_url=BASE, headers=headers) as http:
            cloud = CloudClient(http)

            rule = {**source, "cron": "0 2 * * *", "retention_days": 7}
            plan = await cloud.plan_schedule(rule)
            assert (plan.source_name, plan.schedule_id, plan.is_allowed) == ("db·-01", None, True)
            assert (plan.storage[0].copies_most, plan.storage[0].growth_bytes) == (8, 80 * GIB)
            made = await cloud.save_schedule(rule, key="k" * 32)
            assert await cloud.save_schedule(rule, key="k" * 32) == made
            with pytest.raises(ClientError, match="cron: '61' is not a minute, which is 0 to 59"):
                await cloud.plan_schedule({"cron": "61 * * * *"}, schedule_id=made.id)
            edited = await cloud.save_schedule({"backups_max": 3, "if_version": made.version}, schedule_id=made.id)
            assert (edited.backups_max, edited.version) == (3, 2)

            ran = await cloud.act_on_schedule(made.id, "run", if_version=2)
            assert ran.backup is not None
            assert ran.backup.state == "backing_up"
            assert ran.backup.schedule_id == made.id
            by_hand = await cloud.create_backup({**source, "retention_days": 1})
            assert (await cloud.plan_backup(source)).plan.is_allowed
            await on.advance(120)

            small, fitting = (await cloud.flavors(ran.backup.id))[:2]
            assert (small.problem, fitting.problem) == ("needs 10.0 GiB of disk", None)
            restore = await cloud.plan_of_backing("backup", ran.backup.id, "restore", flavor=fitting.id, name="two")
            assert restore.plan.decision is not None
            assert [copy.size_bytes for copy in restore.plan.copies] == [10 * GIB]
            done = await cloud.act_on_backup(
                ran.backup.id, "restore", plan=restore.plan.token, flavor=fitting.id, name="two"
            )
            assert (done.server_name, done.backup.state) == ("two", "restoring")

            gone = await cloud.act_on_backup(by_hand.id, "delete", if_version=None)
            assert gone.backup.state == "deleting"
            off = await cloud.act_on_schedule(made.id, "deactivate")
            assert off.schedule is not None
            assert not off.schedule.is_active
            assert not (await cloud.plan_of_backing("schedule", made.id, "deactivate")).plan.is_allowed
            assert (await cloud.act_on_schedule(made.id, "delete")).schedule is None

    wired(tmp_path / "data", story)
