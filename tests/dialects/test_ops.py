"""`/ops/v1` through its real app: what it answers, previews, repeats, what is news in it, and its document."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backend.dialects.ops import TABLE
from backend.operations import schedules
from tests.backend.support import CLOUD_ID, OPERATOR, TENANT
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused


def test_it_says_which_cloud_this_is_and_who_asks(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        hello = good(await on.tenant_ops.get(""))

        assert (hello["cloud_id"], hello["kind"]) == (CLOUD_ID, "empty")
        assert hello["account"]["name"] == TENANT
        assert hello["clock"]["mode"] == "manual"
        assert hello["clock"]["now"] == "2026-11-20T12:00:00Z"

    tell(story)


def test_a_new_server_is_stopped_and_says_what_it_was_told(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01", tags=["group:web"], meta={"role": "front"})

        assert server["state"] == "stopped"
        assert (server["cpu_mhz"], server["memory_bytes"]) == (2000, 4 * 2**30)
        assert (server["group"], server["meta"]) == ("web", {"role": "front"})
        assert (server["owner"], server["created_at"]) == (OPERATOR, "2026-11-20T12:00:00Z")
        assert server["host"] is server["perf_factor"] is server["floor"] is None
        assert server["reachable"] is True
        assert good(await on.ops.get(f"/servers/{server['id']}"))["name"] == "web-01"

    tell(story)


def test_a_start_says_where_and_why_and_ends_when_its_task_does(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server()

        outcome = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
        tasks = good(await on.ops.get("/tasks"))
        await on.advance(4)
        halfway = good(await on.ops.get("/tasks"))
        await on.advance(4)
        running = good(await on.ops.get(f"/servers/{server['id']}"))
        ended = good(await on.ops.get("/tasks", params={"state": "ended"}))

        assert outcome["server"]["state"] == "starting"
        assert outcome["server"]["host"] == outcome["decision"]["host"]
        assert outcome["decision"]["stops"] == []
        assert [task["id"] for task in tasks["tasks"]] == [outcome["task"]["id"]]
        assert tasks["tasks"][0]["object_name"] == "web-01"
        assert halfway["tasks"][0]["progress"] == 0.5
        assert running["state"] == "running"
        assert (ended["open"], ended["tasks"][0]["state"]) == (0, "done")

    tell(story)


def test_a_preview_tells_the_stops_of_a_start_and_changes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        spare = await on.running("render-01", cpu=16_000, gib=8, is_backfilling=True, cpu_floor=1.0)
        server = await on.server("web-01", cpu=12_000)
        before = await on.events()

        plan = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start", "preview": True}))[
            "plan"
        ]

        assert await on.events() == before
        assert plan["allowed"] is True
        assert plan["stops"][0]["id"] == spare["id"]
        assert plan["decision"]["stops"] == [{"id": spare["id"], "name": "render-01"}]
        assert plan["decision"]["waits"] is True
        assert plan["version"] == server["version"]
        assert plan["sentences"][1] == "1 backfilling server will be stopped to make room."

    tell(story, cells=("cell-1",), hosts=1)


def test_a_preview_of_what_is_not_possible_says_why(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server()

        plan = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "stop", "preview": True}))[
            "plan"
        ]
        stale = good(
            await on.ops.post(
                f"/servers/{server['id']}/actions", json={"action": "start", "preview": True, "if_version": 7}
            )
        )["plan"]

        assert (plan["allowed"], plan["code"]) == (False, "wrong_state")
        assert plan["sentences"] == [plan["problem"]]
        assert (stale["allowed"], stale["code"]) == (False, "conflict")

    tell(story)


def test_a_decision_names_the_servers_that_it_stops(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("render-01", cpu=16_000, gib=8, is_backfilling=True, cpu_floor=1.0)
        server = await on.server("web-01", cpu=12_000)

        outcome = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)

        assert [stop["name"] for stop in outcome["decision"]["stops"]] == ["render-01"]
        assert outcome["server"]["waits"] is True

    tell(story, cells=("cell-1",), hosts=1)


def test_without_room_the_reasons_are_counted(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(4):
            await on.running(f"full-{number}", cpu=16_000)
        server = await on.server("huge", cpu=16_000)

        error = refused(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 409)["error"]

        assert error["code"] == "no_capacity"
        assert sum(error["reasons"].values()) == 2

    tell(story)


def test_a_shrunk_server_shows_its_factor_and_its_floor(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        spare = await on.running("render-01", cpu=16_000, gib=8, is_backfilling=True)
        server = await on.running("web-01", cpu=8_000)

        row = good(await on.ops.get(f"/servers/{spare['id']}"))
        hosts = good(await on.ops.get("/hosts"))["hosts"]
        host = next(host for host in hosts if host["name"] == row["host"])

        assert row["perf_factor"] == {"cpu": 0.5, "memory": 1.0}
        assert row["floor"] == {"cpu": 0.25, "memory": 0.25}
        assert row["squeezed_by"] == server["id"]
        assert host["normal"]["cpu_mhz"] == 8_000
        assert host["backfilling"]["cpu_mhz"] == 8_000
        assert host["backfilling_nominal"]["cpu_mhz"] == 16_000

    tell(story, cells=("cell-1",), hosts=1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/servers", {"name": "web-01", "cpu_mhz": 2000, "memory_bytes": 2**32}),
        ("/drives", {"name": "disk-01", "size_bytes": 2**33}),
        ("/servers/{server}/actions", {"action": "start"}),
        ("/servers/{server}/actions", {"action": "edit", "name": "renamed"}),
        ("/servers/{server}/actions", {"action": "delete"}),
        ("/drives/{drive}/actions", {"action": "delete"}),
        ("/clock/advance", {"seconds": 5.0}),
    ],
)
def test_a_repeat_with_the_same_key_is_carried_out_once(tell: Tell, path: str, body: dict[str, Any]) -> None:
    async def story(on: Wired) -> None:
        ids = {"server": (await on.server("old"))["id"], "drive": (await on.drive("old"))["id"]}
        target = path.format(**ids)
        headers = {"Idempotency-Key": "once"}

        first = await on.ops.post(target, json=body, headers=headers)
        events = await on.events()
        now = good(await on.ops.get("/clock"))
        again = await on.ops.post(target, json=body, headers=headers)

        assert first.status_code == again.status_code < 300
        assert again.json() == first.json()
        assert await on.events() == events
        assert good(await on.ops.get("/clock")) == now

    tell(story)


def test_the_same_key_for_another_request_is_a_conflict(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers = {"Idempotency-Key": "once"}
        body = {"name": "web-01", "cpu_mhz": 2000, "memory_bytes": 2**32}
        good(await on.ops.post("/servers", json=body, headers=headers), 201)
        before = await on.events()

        error = refused(await on.ops.post("/servers", json={**body, "name": "web-02"}, headers=headers), 409)["error"]

        assert error["code"] == "conflict"
        assert await on.events() == before

    tell(story)


def test_two_repeats_at_once_are_carried_out_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers = {"Idempotency-Key": "once"}

        answers = await asyncio.gather(
            *(on.ops.post("/clock/advance", json={"seconds": 60}, headers=headers) for _ in range(5))
        )

        assert {answer.text for answer in answers} == {answers[0].text}
        assert good(await on.ops.get("/clock"))["now"] == "2026-11-20T12:01:00Z"

    tell(story)


def test_an_action_on_a_version_that_has_passed_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server()
        act = f"/servers/{server['id']}/actions"
        renamed = good(
            await on.ops.post(act, json={"action": "edit", "name": "web-02", "if_version": server["version"]}), 202
        )["server"]

        error = refused(await on.ops.post(act, json={"action": "start", "if_version": server["version"]}), 409)["error"]

        assert renamed["version"] > server["version"]
        assert error["code"] == "conflict"

    tell(story)


def test_changes_after_a_cursor_are_rows_removals_and_events_of_what_one_may_see(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        gone = await on.server("gone")
        cursor = good(await on.ops.get("/servers"))["cursor"]
        tenant_cursor = good(await on.tenant_ops.get("/servers"))["cursor"]

        server = await on.server("new")
        good(await on.ops.post(f"/servers/{gone['id']}/actions", json={"action": "delete"}), 202)
        found = good(await on.ops.get("/changes", params={"after": cursor}))
        again = good(await on.ops.get("/changes", params={"after": found["cursor"]}))
        hidden = good(await on.tenant_ops.get("/changes", params={"after": tenant_cursor}))

        assert [row["id"] for row in found["servers"]] == [server["id"]]
        assert found["removed"] == [gone["id"]]
        assert {event["kind"] for event in found["events"]} >= {"server.created", "server.deleted"}
        assert (again["servers"], again["events"], again["removed"]) == ([], [], [])
        assert (hidden["servers"], hidden["events"]) == ([], [])

    tell(story)


def test_changes_go_on_after_a_backup_was_dropped(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01")
        cursor = good(await on.ops.get("/servers"))["cursor"]
        cloud = on.app.cloud
        await schedules.create_schedule(
            cloud, await cloud.account(OPERATOR), server["id"], description="often", cron="* * * * *", backups_max=1
        )
        await on.advance(600)
        found = good(await on.ops.get("/changes", params={"after": cursor}))
        hidden = good(await on.tenant_ops.get("/changes", params={"after": cursor}))

        dropped = [event for event in found["events"] if event["kind"] == "backup.deleted"]
        assert dropped
        assert dropped[0]["changes"]["source_id"] == [server["id"], None], "it says what is gone"
        assert hidden["events"] == []

    tell(story)


def test_a_long_poll_answers_as_soon_as_something_changes(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        cursor = good(await on.ops.get("/servers"))["cursor"]
        waiting = asyncio.create_task(on.ops.get("/changes", params={"after": cursor, "wait_seconds": 25}))

        server = await on.server("new")
        found = good(await waiting)

        assert [row["id"] for row in found["servers"]] == [server["id"]]

    tell(story)


def test_a_long_poll_gives_up_at_once_when_the_backend_ends(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        cursor = good(await on.ops.get("/servers"))["cursor"]
        waiting = asyncio.create_task(on.ops.get("/changes", params={"after": cursor, "wait_seconds": 25}))
        await on.ops.get("/clock")

        on.app.cloud.end()
        async with asyncio.timeout(5):
            found = good(await waiting)

        assert not found["events"]

    tell(story)


def test_a_cell_that_falls_silent_is_news(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        cursor = good(await on.ops.get("/servers"))["cursor"]
        waiting = asyncio.create_task(on.ops.get("/changes", params={"after": cursor, "wait_seconds": 25}))

        await on.break_cell("cell-2")
        found = good(await waiting)

        assert [(cell["name"], cell["state"]) for cell in found["cells"]] == [("cell-2", "down")]

    tell(story)


def test_groups_come_worst_first_with_what_they_tolerate(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await on.running("web-01", cell="cell-1", tags=["group:web"])
        second = await on.server("web-02", cell="cell-1", tags=["group:web"])
        start = {"action": "start", "avoid": [first["id"]]}
        good(await on.ops.post(f"/servers/{second['id']}/actions", json=start), 202)
        for name in ("db-01", "db-02"):
            server = await on.server(name, cell="cell-2", cpu=16_000, tags=["group:db"])
            good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
        for name in ("ldap-01", "ldap-02"):
            await on.running(name, cell="cell-1", cpu=7_000, tags=["group:ldap"], memory_bytes=2**30)

        groups = {group["name"]: group for group in good(await on.ops.get("/groups"))["groups"]}

        assert (groups["web"]["hosts"], groups["web"]["collisions"], groups["web"]["tolerates"]) == (2, 0, 1)
        assert [member["name"] for member in groups["web"]["members"]] == ["web-01", "web-02"]

    tell(story)


def test_the_clock_is_changed_and_moved_only_where_that_has_a_meaning(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        moved = good(await on.ops.post("/clock/advance", json={"seconds": 90}))
        rated = good(await on.ops.patch("/clock", json={"rate": 60}))
        manual = good(await on.ops.patch("/clock", json={"mode": "manual"}))
        back = await on.ops.patch("/clock", json={"mode": "wall"})

        assert moved["now"] == "2026-11-20T12:01:30Z"
        assert (rated["mode"], rated["rate"]) == ("rate", 60)
        assert manual["mode"] == "manual"
        assert refused(back, 409)["error"]["code"] == "conflict"

    tell(story)


def test_the_right_to_backfilling_is_granted_and_withdrawn(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        body = {"name": "spare", "cpu_mhz": 2000, "memory_bytes": 2**32, "is_backfilling": True}
        before = await on.tenant_ops.post("/servers", json=body)

        granted = good(await on.ops.patch(f"/accounts/{TENANT}", json={"may_backfill": True}))
        made = await on.tenant_ops.post("/servers", json=body)
        good(await on.ops.patch(f"/accounts/{TENANT}", json={"may_backfill": False}))
        after = await on.tenant_ops.post("/servers", json=body)

        assert granted["may_backfill"] is True
        assert (before.status_code, made.status_code, after.status_code) == (403, 201, 403)

    tell(story)


def test_a_drive_is_attached_to_a_stopped_server_on_the_first_free_channel(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, first, second = await on.server(), await on.drive("a"), await on.drive("b")
        attach = {"action": "attach", "server_id": server["id"]}

        for drive in (first, second):
            good(await on.ops.post(f"/drives/{drive['id']}/actions", json=attach), 202)
        detail = good(await on.ops.get(f"/servers/{server['id']}"))
        detached = good(await on.ops.post(f"/drives/{first['id']}/actions", json={"action": "detach"}), 202)

        assert [(drive["name"], drive["channel"]) for drive in detail["drives"]] == [("a", "0:0"), ("b", "0:1")]
        assert (detached["drive"]["state"], detached["drive"]["server_id"]) == ("unmounted", None)

    tell(story)


def test_drives_come_in_pages_and_those_of_a_silent_cell_are_among_them(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for cell in ("cell-1", "cell-2", "cell-1"):
            await on.drive(f"disk-{cell}", cell=cell)
        await on.app.cloud.store.flush_last_known()
        await on.break_cell("cell-1")

        first = good(await on.ops.get("/drives", params={"limit": 2}))
        second = good(await on.ops.get("/drives", params={"limit": 2, "after": first["next"]}))
        rows = first["drives"] + second["drives"]

        assert [row["state"] for row in rows] == ["unknown", "unmounted", "unknown"]
        assert [row["name"] for row in rows] == ["disk-cell-1", "disk-cell-2", "disk-cell-1"]
        assert (first["unreachable"], second["next"]) == (["cell-1"], None)

    tell(story)


def test_the_events_of_one_object_are_its_own(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01")
        await on.server("web-02")

        page = good(await on.ops.get("/events", params={"object": server["id"]}))

        assert {event["object_id"] for event in page["events"]} == {server["id"]}
        assert page["events"][0]["kind"] == "server.created"
        assert page["events"][-1]["kind"] == "server.running"

    tell(story)


def test_the_document_describes_every_endpoint_of_the_table_and_refers_to_nothing_that_is_not_there(
    tell: Tell,
) -> None:
    async def story(on: Wired) -> None:
        document = good(await on.ops.get("/openapi.json"))

        described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert described == {(endpoint.method, "/ops/v1" + endpoint.path) for endpoint in TABLE}
        operations = [operation for methods in document["paths"].values() for operation in methods.values()]
        assert len({operation["operationId"] for operation in operations}) == len(operations)
        schemas = document["components"]["schemas"]
        assert references(document) <= {f"#/components/schemas/{name}" for name in schemas}
        assert schemas["ServerToMake"]["required"] == ["name", "cpu_mhz", "memory_bytes"]
        assert schemas["ServerToMake"]["additionalProperties"] is False
        assert document["openapi"].startswith("3.1")

    tell(story)


def references(content: Any) -> set[str]:
    if isinstance(content, dict):
        own = {content["$ref"]} if isinstance(content.get("$ref"), str) else set()
        return own.union(*(references(part) for part in content.values()))
    if isinstance(content, list):
        return set().union(*(references(part) for part in content))
    return set()
