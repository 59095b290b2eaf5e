"""Groups that are restored, and cells whose silence is looked at before, through `/ops/v1`."""

from __future__ import annotations

from typing import Any

from backend.cloud.model import GIB, Size
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

SMALL = {"cells": ("cell-1",), "hosts": 3, "capacity": Size(16_000, 64 * GIB)}
GROUP = ["group:web"]


async def bunched(on: Wired, count: int = 2, cell: str = "cell-1") -> list[dict[str, Any]]:
    """Members that share the first host of a cell."""
    hosts = [row["name"] for row in good(await on.ops.get("/hosts"))["hosts"] if row["cell"] == cell]
    others = [name for name in hosts if "-h" in name and not name.endswith("-h1")]
    for host in others:
        good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "drain"}), 202)
    found = [await on.running(f"web-{cell[-1]}{number}", tags=GROUP, cell=cell) for number in range(1, count + 1)]
    for host in others:
        good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "recover"}), 202)
    return found


async def the_group(on: Wired) -> dict[str, Any]:
    [group] = good(await on.ops.get("/groups"))["groups"]
    assert good(await on.ops.get("/status"))["groups"] == [group]
    return dict(group)


def test_a_group_is_looked_at_previewed_and_restored(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        members = await bunched(on)
        group = await the_group(on)
        assert (group["collisions"], group["tolerates"]) == (1, 0)
        assert group["fix"] == {"moves": 1, "collisions": 0, "is_fewest": True, "notes": []}
        log = await on.events()
        plan = good(await on.ops.get("/groups/web/plan"))["plan"]
        preview = good(await on.ops.post("/groups/web/actions", json={"action": "restore", "preview": True}))["plan"]
        assert plan == preview
        assert await on.events() == log
        [move] = plan["moves"]
        assert (move["name"], move["from_host"], move["to"], move["stops"]) == ("web-11", "c1-h1", "c1-h2", [])
        assert plan["before"] == {"collisions": 1, "tolerates": 0, "is_bound": False}
        assert plan["after"] == {"collisions": 0, "tolerates": 1, "is_bound": False}
        assert plan["sentences"] == [
            "1 server will be shut down and started on a host of its own.",
            "Each is away for at most 20 s; all is done in 20 s.",
            "That is proved to be the fewest moves.",
        ]

        begun = good(await on.ops.post("/groups/web/actions", json={"action": "restore", "plan": plan["token"]}), 202)
        task = begun["task"]
        assert (task["kind"], task["object_kind"], task["object_name"], task["cell"]) == (
            "restore", "group", "web", "cell-1",
        )  # fmt: skip
        assert (task["counterpart_id"], task["counterpart_name"]) == (members[0]["id"], "web-11")
        await on.advance(20)
        [ended] = [
            row
            for row in good(await on.ops.get("/tasks", params={"state": "ended"}))["tasks"]
            if row["kind"] == "restore"
        ]
        assert (ended["id"], ended["result"]) == (task["id"], "1 of 1: web-11 to c1-h2")
        after = await the_group(on)
        assert (after["collisions"], after["tolerates"], after["fix"]) == (0, 1, None)
        error = refused(await on.ops.post("/groups/web/actions", json={"action": "restore"}), 409)["error"]
        assert error["message"] == "No members of group web share a host."

    tell(story, **SMALL)


def test_a_stale_plan_of_a_group_is_refused_and_a_restore_can_be_ended(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await bunched(on, 3)
        path = "/groups/web/actions"
        plan = good(await on.ops.get("/groups/web/plan"))["plan"]
        assert len(plan["moves"]) == 2
        await on.running("db", 4_000)
        error = refused(await on.ops.post(path, json={"action": "restore", "plan": plan["token"]}), 409)["error"]
        assert error["message"].startswith("It would still move or touch 2 servers, but not the same.")
        begun = good(await on.ops.post(path, json={"action": "restore"}, headers={"Idempotency-Key": "once"}), 202)
        again = good(await on.ops.post(path, json={"action": "restore"}, headers={"Idempotency-Key": "once"}), 202)
        assert begun["task"]["id"] == again["task"]["id"]
        error = refused(await on.ops.post(path, json={"action": "restore"}), 409)["error"]
        assert "restored already" in error["message"]
        for _ in range(2):
            good(await on.ops.post(path, json={"action": "end"}, headers={"Idempotency-Key": "end"}), 202)
            await on.advance(100)
        assert (await the_group(on))["collisions"] == 1
        assert refused(await on.ops.post(path, json={"action": "end"}), 404)["error"]["code"] == "not_found"

    tell(story, **SMALL)


def test_a_task_of_a_chain_says_which_cell_it_waits_for(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await bunched(on)
        good(await on.ops.post("/groups/web/actions", json={"action": "restore"}), 202)
        await on.break_cell("cell-1")
        await on.advance(60)
        [task] = good(await on.ops.get("/tasks", params={"state": "open"}))["tasks"]
        assert (task["kind"], task["cell"], task["progress"]) == ("restore", "cell-1", None)

    tell(story)


def test_groups_are_restored_by_staff_alone(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await bunched(on)
        for answer in (
            await on.tenant_ops.get("/groups/web/plan"),
            await on.tenant_ops.post("/groups/web/actions", json={"action": "restore", "preview": True}),
            await on.tenant_ops.post("/cells/cell-1/actions", json={"action": "down", "preview": True}),
        ):
            assert refused(answer, 403)["error"]["code"] == "forbidden"
        assert refused(await on.ops.get("/groups/nobody/plan"), 404)["error"]["message"] == "There is no group nobody."
        assert refused(await on.ops.post("/groups/web/actions", json={"action": "explode"}), 400)

    tell(story, **SMALL)


def test_the_silence_of_a_cell_is_told_before_and_comes_true(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await bunched(on, 2, "cell-1")
        await on.running("web-3", tags=GROUP, cell="cell-2")
        await on.drive("disk", cell="cell-1")
        waiting = await on.server("late", cell="cell-1")
        good(await on.ops.post(f"/servers/{waiting['id']}/actions", json={"action": "start"}), 202)
        log = await on.events()
        plan = good(await on.ops.post("/cells/cell-1/actions", json={"action": "down", "preview": True}))["plan"]
        assert await on.events() == log
        assert (plan["servers"], plan["running"], plan["drives"], plan["hosts"]) == (3, 3, 1, 4)
        assert (plan["open_tasks"], plan["schedules"], plan["capacity"]["cpu_mhz"]) == (1, 0, 32_000)
        [lost] = plan["groups"]
        assert (lost["name"], lost["members"]) == ("web", 2)
        assert lost["before"] == {"collisions": 1, "tolerates": 1, "is_bound": False}
        assert lost["after"] == {"collisions": 0, "tolerates": 0, "is_bound": True}
        assert plan["sentences"] == [
            "3 servers and 1 drive of cell-1 turn UNKNOWN; nothing of them is stopped or lost.",
            "1 group loses sight of members; 1 of them for the worse.",
            "Its 4 hosts take no placements.",
            "1 task waits until it answers.",
        ]

        answer = await on.ops.post("/cells/cell-1/actions", json={"action": "down", "plan": plan["token"]})
        assert good(answer, 202)["cell"]["state"] == "down"
        group = await the_group(on)
        assert {name: group[name] for name in ("collisions", "tolerates", "is_bound")} == lost["after"]
        again = good(await on.ops.post("/cells/cell-1/actions", json={"action": "down", "preview": True}))["plan"]
        assert (again["allowed"], again["code"], again["token"]) == (False, "wrong_state", None)

    tell(story)


def test_a_plan_of_a_cell_with_another_server_in_it_is_stale(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        plan = good(await on.ops.post("/cells/cell-1/actions", json={"action": "hung", "preview": True}))["plan"]
        await on.server("new", cell="cell-1")
        answer = await on.ops.post("/cells/cell-1/actions", json={"action": "hung", "plan": plan["token"]})
        error = refused(answer, 409)["error"]
        assert error["message"].startswith("It would now take 1 server away instead of 0.")
        states = {row["name"]: row["state"] for row in good(await on.ops.get("/cells"))["cells"]}
        assert states == {"cell-1": "up", "cell-2": "up"}
        assert refused(await on.ops.post("/cells/nowhere/actions", json={"action": "down"}), 404)

    tell(story)
