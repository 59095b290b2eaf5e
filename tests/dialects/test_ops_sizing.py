"""Sizes through `/ops/v1`: limits, what a server would come to, resizing, and drives of the library's images."""

from __future__ import annotations

from typing import Any

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

GIB = 2**30
ABSENT = "00000000-0000-4000-8000-000000000000"


def test_limits_are_those_of_one_object_and_what_the_project_has_left(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        before = good(await on.ops.get("/limits"))
        await on.server("web", cpu=3000, gib=2)
        after = good(await on.ops.get("/limits", params={"project": before["project_id"]}))

        assert before["cpu_mhz"] == {"min": 250, "max": 96_000}
        assert before["drive_bytes"]["min"] == GIB // 2
        for name, taken in (("servers", 1), ("cpu_mhz", 3000), ("memory_bytes", 2 * GIB), ("storage_bytes", 0)):
            had, has = before["left"][name], after["left"][name]
            assert has == (None if had is None else had - taken), name
        assert refused(await on.ops.get("/limits", params={"project": "nobody"}), 404)["error"]["code"] == "not_found"
        foreign = {"project": before["project_id"]}
        assert refused(await on.tenant_ops.get("/limits", params=foreign), 404)["error"]["code"] == "not_found"

    tell(story)


def test_a_server_to_be_made_is_previewed_and_nothing_is_made(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        body = {"name": "web", "cpu_mhz": 4000, "memory_bytes": 8 * GIB, "preview": True}
        log = await on.events()

        plan = good(await on.ops.post("/servers", json=body))["plan"]

        assert (plan["action"], plan["allowed"], plan["token"]) == ("create", True, None)
        assert await on.events() == log
        made = good(await on.ops.post("/servers", json={**body, "preview": False}), 201)
        assert plan["sentences"][0] == f"web is made in {made['cell']} and stays stopped, holding no room."
        started = good(await on.ops.post(f"/servers/{made['id']}/actions", json={"action": "start"}), 202)
        assert started["decision"]["host"] == plan["decision"]["host"]

    tell(story)


def test_the_preview_of_a_server_says_who_would_shrink_for_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(4):
            await on.running(f"crawl-{number}", cpu=16_000, gib=4, is_backfilling=True, cpu_floor=0.25)
        body = {"name": "web", "cpu_mhz": 8000, "memory_bytes": GIB, "preview": True}

        plan = good(await on.ops.post("/servers", json=body))["plan"]

        [shrunk] = plan["shrinks"]
        assert (shrunk["cpu_before"], shrunk["cpu_after"]) == (1.0, 0.5)
        assert plan["sentences"][-1] == "1 backfilling server will get smaller."

    tell(story)


def test_the_preview_of_a_server_that_fits_nowhere_now_still_lets_it_be_made(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(4):
            await on.running(f"web-{number}", cpu=16_000, gib=4)
        body = {"name": "one-more", "cpu_mhz": 1000, "memory_bytes": GIB, "preview": True}

        plan = good(await on.ops.post("/servers", json=body))["plan"]

        assert (plan["allowed"], plan["decision"]) == (True, None)
        assert plan["sentences"][1] == "Started now, it would go to no host: none has room."

    tell(story)


def test_a_stopped_server_is_resized_after_a_preview_and_a_running_one_is_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("db", cpu=2000, gib=4)
        path, body = f"/servers/{server['id']}/actions", {"action": "resize", "cpu_mhz": 6000}
        log = await on.events()
        plan = good(await on.ops.post(path, json={**body, "preview": True, "if_version": server["version"]}))["plan"]
        assert (plan["allowed"], plan["version"]) == (True, server["version"])
        assert plan["sentences"][0] == "db gets its new size at once and stays stopped, holding no room."
        assert await on.events() == log

        once = {"Idempotency-Key": "resize-db"}
        for _ in range(2):
            done = good(await on.ops.post(path, json={**body, "if_version": server["version"]}, headers=once), 202)[
                "server"
            ]
            assert (done["cpu_mhz"], done["memory_bytes"]) == (6000, 4 * GIB)
        assert refused(await on.ops.post(path, json={**body, "if_version": server["version"]}), 409)

        started = good(await on.ops.post(path, json={"action": "start"}), 202)
        assert started["decision"]["host"] == plan["decision"]["host"]
        await on.advance(60)
        plan = good(await on.ops.post(path, json={**body, "preview": True}))["plan"]
        assert (plan["allowed"], plan["code"]) == (False, "wrong_state")
        before = await on.events()
        assert refused(await on.ops.post(path, json={**body, "cpu_mhz": 2000}), 409)["error"]["code"] == "wrong_state"
        assert await on.events() == before

    tell(story)


def test_a_drive_grows_and_never_shrinks(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive("data", 10)
        path = f"/drives/{drive['id']}/actions"
        grown = good(await on.ops.post(path, json={"action": "resize", "size_bytes": 12 * GIB}), 202)["drive"]
        assert (grown["state"], grown["size_bytes"]) == ("resizing", 12 * GIB)
        await on.advance(60)
        assert good(await on.ops.get(f"/drives/{drive['id']}"))["state"] == "unmounted"

        assert refused(await on.ops.post(path, json={"action": "resize", "size_bytes": 11 * GIB}), 400)

    tell(story)


def test_a_drive_is_made_of_an_image_of_the_library_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        image = good(await on.ops.get("/images"))["images"][0]
        body = {"name": "boot", "size_bytes": image["size_bytes"], "image": image["id"]}
        once = {"Idempotency-Key": "boot"}
        ids = {good(await on.ops.post("/drives", json=body, headers=once), 201)["id"] for _ in range(2)}
        assert len(ids) == 1
        await on.advance(600)
        found = good(await on.ops.get(f"/drives/{ids.pop()}"))
        assert (found["name"], found["state"]) == ("boot", "unmounted")

    tell(story)


def test_wrong_sizes_change_nothing_and_say_what_is_wrong(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server(), await on.drive()
        image = good(await on.ops.get("/images"))["images"][0]
        on_server, on_drive = f"/servers/{server['id']}/actions", f"/drives/{drive['id']}/actions"
        new = {"name": "x", "cpu_mhz": 2000, "memory_bytes": GIB}
        made = {"name": "x", "size_bytes": image["size_bytes"], "image": image["id"]}
        sent: list[tuple[str, dict[str, Any], int]] = [
            (on_server, {"action": "resize"}, 400),
            (on_server, {"action": "resize", "cpu_mhz": 1}, 400),
            (on_server, {"action": "resize", "cpu_mhz": "6000"}, 400),
            (on_server, {"action": "resize", "cpu_mhz": 16_001}, 400),
            (on_server, {"action": "resize", "cpu_mhz": 6000, "plan": "x"}, 400),
            (on_server, {"action": "resize", "cpu_mhz": 6000, "if_version": 99}, 409),
            (on_server, {"action": "start", "cpu_mhz": 6000}, 400),
            (f"/servers/{ABSENT}/actions", {"action": "resize", "cpu_mhz": 6000}, 404),
            (on_drive, {"action": "resize"}, 400),
            (on_drive, {"action": "resize", "size_bytes": 2**62}, 400),
            (on_drive, {"action": "resize", "size_bytes": 20 * GIB, "preview": True}, 400),
            (on_drive, {"action": "resize", "size_bytes": 20 * GIB, "if_version": 99}, 409),
            (on_drive, {"action": "detach", "size_bytes": 20 * GIB}, 400),
            ("/servers", {**new, "preview": "yes"}, 400),
            ("/servers", {**new, "cpu_mhz": 16_001, "preview": True}, 400),
            ("/servers", {**new, "cell": "cell-99", "preview": True}, 404),
            ("/drives", {**made, "image": ABSENT}, 404),
            ("/drives", {**made, "size_bytes": GIB // 2}, 400),
        ]
        before = await on.events()
        for path, body, status in sent:
            answer = await on.ops.post(path, json=body)
            assert answer.status_code == status, (path, body, answer.text)
            assert await on.events() == before, body

    tell(story)
