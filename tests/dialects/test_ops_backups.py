"""What makes, changes, restores and deletes backups and schedules in the operator's API."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused
from tests.dialects.waldur import with_disk


async def backed_up(on: Wired, server: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A backup that is ready."""
    made = good(await on.ops.post("/backups", json={"source_id": server["id"], **more}), 201)
    await on.advance(1200)
    return made


async def rows(on: Wired, what: str = "backups") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.ops.get(f"/{what}"))[what]
    return found


def test_a_backup_is_previewed_with_its_cost_then_made_and_a_repeat_makes_no_other(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        body = {"source_id": server["id"], "description": "before the upgrade", "retention_days": 7}

        plan = good(await on.ops.post("/backups", json={**body, "preview": True}))["plan"]
        assert (plan["allowed"], plan["action"], plan["token"]) == (True, "backup", None)
        (storage,) = plan["storage"]
        assert (storage["copy_bytes"], storage["growth_bytes"]) == (10 * 2**30, 10 * 2**30)
        assert plan["sentences"][:2] == [
            "1 drive of db-01: 10.0 GiB are copied in 52 s; nothing is stopped for it.",
            "It is kept until 2026-11-27 12:00 UTC.",
        ]
        assert await rows(on) == []

        made = [
            good(await on.ops.post("/backups", json=body, headers={"Idempotency-Key": "one"}), 201) for _ in range(2)
        ]
        assert made[0] == made[1]
        assert (made[0]["state"], made[0]["kept_until"]) == ("backing_up", "2026-11-27T12:00:05Z")
        assert [each["id"] for each in await rows(on)] == [made[0]["id"]]

    tell(story)


def test_a_restore_does_what_its_preview_showed_and_is_refused_when_it_would_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await with_disk(on, gib=10)
        backup = await backed_up(on, server)
        ask = {"action": "restore", "flavor": "m1.small", "name": "db-02"}
        path = f"/backups/{backup['id']}/actions"
        plan = good(await on.ops.post(path, json={**ask, "preview": True}))["plan"]
        assert plan["allowed"]
        assert plan["decision"]["host"]
        assert [each["source_name"] for each in plan["copies"]] == ["db-01-disk"]
        assert len(await servers(on)) == 1

        other = refused(await on.ops.post(path, json={**ask, "flavor": "m1.medium", "plan": plan["token"]}), 409)
        assert other["error"]["message"].startswith("Its flavor would now be m1.medium instead of m1.small.")
        assert (len(await servers(on)), (await rows(on))[0]["state"]) == (1, "ready")

        done = good(await on.ops.post(path, json={**ask, "plan": plan["token"], "if_version": plan["version"]}), 202)
        assert (done["backup"]["state"], done["server_name"]) == ("restoring", "db-02")
        await on.advance(300)
        made = good(await on.ops.get(f"/servers/{done['server_id']}"))
        assert (made["state"], made["host"], made["cell"]) == (
            "running",
            plan["decision"]["host"],
            plan["copies"][0]["cell"],
        )
        assert (await rows(on))[0]["state"] == "ready"

    tell(story)


async def servers(on: Wired) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.ops.get("/servers"))["servers"]
    return found
