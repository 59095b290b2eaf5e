"""Clones of servers through `/ops/v1`: what they would do, what they do, and how they are followed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.backend.support import OPERATOR, TENANT
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

ONE_CELL = {"cells": ("cell-1",)}


async def a_running_server_with_drives(on: Wired, *gib: int) -> dict[str, Any]:
    server = await on.server("db")
    for number, size in enumerate(gib):
        drive = await on.drive(f"db-{number}", size, cell=server["cell"])
        attach = {"action": "attach", "server_id": server["id"]}
        good(await on.ops.post(f"/drives/{drive['id']}/actions", json=attach), 202)
    good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "start"}), 202)
    await on.advance(10)
    return good(await on.ops.get(f"/servers/{server['id']}"))


async def act(on: Wired, server: dict[str, Any], **body: Any) -> dict[str, Any]:
    return good(await on.ops.post(f"/servers/{server['id']}/actions", json=body), 202)


async def preview(on: Wired, server: dict[str, Any], **body: Any) -> dict[str, Any]:
    path = f"/servers/{server['id']}/actions"
    plan: dict[str, Any] = good(await on.ops.post(path, json={**body, "preview": True}))["plan"]
    return plan


def test_a_clone_says_what_is_copied_where_to_and_how_fast(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await a_running_server_with_drives(on, 10, 20)
        before = await on.events()
        plan = await preview(on, origin, action="clone", name="twin", avoid=[origin["id"]])
        assert await on.events() == before
        begun = await act(on, origin, action="clone", name="twin", avoid=[origin["id"]], if_version=plan["version"])
        twin = good(await on.ops.get(f"/servers/{begun['server']['id']}"))
        assert (twin["name"], twin["state"], twin["host"], twin["version"]) == ("twin", "stopped", None, 1)
        planned = [(copy["source_name"], copy["host"], copy["size_bytes"]) for copy in plan["copies"]]
        made = [
            (copy["task"]["counterpart_name"], copy["drive"]["host"], copy["drive"]["size_bytes"])
            for copy in begun["copies"]
        ]
        assert planned == made
        assert {copy["rate_bytes_per_second"] for copy in plan["copies"]} == {176 * 2**20}
        assert {copy["task"]["rate_bytes_per_second"] for copy in begun["copies"]} == {176 * 2**20}
        assert [drive["id"] for drive in twin["drives"]] == [copy["drive"]["id"] for copy in begun["copies"]]
        assert [(each["name"], each["fate"]) for each in begun["separation"]] == [("db", "apart")]
        assert plan["separation"] == begun["separation"]
        assert plan["sentences"] == [
            "twin is a copy of db in cell-1, with 2 drives: 30.0 GiB in 117 s.",
            "2 of 2 cross the network to another storage host, which is slow.",
            "It stays stopped.",
        ]
        slowest = begun["task"]
        assert (slowest["kind"], slowest["object_name"]) == ("clone", "db-1-clone")
        tasks = good(await on.ops.get("/tasks", params={"state": "open"}))["tasks"]
        assert slowest in tasks

    # Both drives are on one host then, and the other one is free.
    tell(story, settings={"placement": "pack"}, **ONE_CELL)


def test_a_clone_says_whose_it_is_when_it_is_not_its_sources_owners(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        theirs = {"name": "db", "cpu_mhz": 2000, "memory_bytes": 2**30}
        server = good(await on.tenant_ops.post("/servers", json=theirs), 201)
        drive = good(await on.tenant_ops.post("/drives", json={"name": "disk", "size_bytes": 2**30}), 201)
        await on.advance(5)
        told = f"Owner: {OPERATOR} (was: {TENANT})."

        plan = await preview(on, server, action="clone")
        body = {"action": "clone", "preview": True}
        copied = good(await on.ops.post(f"/drives/{drive['id']}/actions", json=body))["plan"]
        own = good(await on.tenant_ops.post(f"/servers/{server['id']}/actions", json=body))["plan"]

        assert told in plan["sentences"]
        assert told in copied["sentences"]
        assert not any(sentence.startswith("Owner") for sentence in own["sentences"])
        clone = good(await on.ops.post(f"/servers/{server['id']}/actions", json={"action": "clone"}), 202)["server"]
        assert clone["owner"] == OPERATOR

    tell(story)


def test_separate_ends_with_a_running_clone_on_other_hosts_and_says_so(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await a_running_server_with_drives(on, 10)
        plan = await preview(on, origin, action="separate")
        assert plan["allowed"] is True
        assert plan["decision"]["host"] != origin["host"]
        assert [each["fate"] for each in (*plan["separation"], *plan["start_separation"])] == ["apart", "apart"]
        assert (
            plan["sentences"][-1] == f"When they are whole it starts, on {plan['decision']['host']} as things are now."
        )
        begun = await act(on, origin, action="separate")
        task = begun["task"]
        assert (task["kind"], task["object_name"], task["counterpart_name"]) == ("start_apart", "db-clone", "db")
        await on.advance(59 + 8)
        clone = good(await on.ops.get(f"/servers/{begun['server']['id']}"))
        assert (clone["state"], clone["host"], clone["avoid"]) == ("running", plan["decision"]["host"], [origin["id"]])
        ended = good(await on.ops.get("/tasks", params={"state": "ended"}))["tasks"]
        result = next(each["result"] for each in ended if each["id"] == task["id"])
        assert result == f"starts on {clone['host']}, apart from db"
        told = good(await on.ops.get(f"/explain/{clone['id']}"))["placed"]["separation"]
        assert [(each["name"], each["fate"]) for each in told] == [("db", "apart")]

    tell(story, **ONE_CELL)


def test_separate_says_beforehand_that_the_clone_would_not_start(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await on.running("db", 16_000)
        await on.running("full", 16_000)
        plan = await preview(on, origin, action="separate", name="twin")
        assert (plan["allowed"], plan["decision"], plan["start_separation"]) == (True, None, [])
        assert plan["sentences"][-1].startswith("As things are now it would then stay stopped: No host has room")
        begun = await act(on, origin, action="separate", name="twin")
        await on.advance(1)
        [task] = [
            each
            for each in good(await on.ops.get("/tasks", params={"state": "ended"}))["tasks"]
            if each["id"] == begun["task"]["id"]
        ]
        assert (task["state"], "2 short of CPU" in task["result"]) == ("failed", True)
        assert good(await on.ops.get(f"/servers/{begun['server']['id']}"))["state"] == "stopped"

    tell(story, **ONE_CELL)


def test_one_key_makes_one_clone_even_at_the_same_time(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await a_running_server_with_drives(on, 10)
        path, headers = f"/servers/{origin['id']}/actions", {"Idempotency-Key": "once"}
        body = {"action": "separate", "avoid": [origin["id"]]}
        answers = await asyncio.gather(*(on.ops.post(path, json=body, headers=headers) for _ in range(8)))
        first = good(answers[0], 202)
        assert all(good(answer, 202) == first for answer in answers)
        assert good(await on.ops.get("/servers"))["total"] == 2
        other = await on.ops.post(path, json={"action": "clone"}, headers=headers)
        assert refused(other, 409)["error"]["code"] == "conflict"

    tell(story)


def test_what_a_project_may_not_do_it_is_told_in_the_plan_and_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await on.server("db")
        path = f"/servers/{origin['id']}/actions"
        for body in ({"action": "clone"}, {"action": "clone", "preview": True}, {"action": "separate"}):
            assert refused(await on.tenant_ops.post(path, json=body), 404)["error"]["code"] == "not_found"
        assert (await preview(on, origin, action="clone", if_version=99))["code"] == "conflict"

    tell(story)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "clone", "name": ""}, "name"),
        ({"action": "clone", "name": "x" * 256}, "name"),
        ({"action": "separate", "name": 7}, "name"),
        ({"action": "clone", "meta": {}}, "action"),
        ({"action": "separate", "tags": []}, "action"),
        ({"action": "clone", "avoid": "x"}, "avoid"),
        ({"action": "stop", "avoid": ["00000000-0000-4000-8000-000000000000"]}, "avoid"),
        ({"action": "clone", "start": True}, "start"),
    ],
)
def test_what_does_not_belong_to_a_clone_is_refused(tell: Tell, body: dict[str, Any], field: str) -> None:
    async def story(on: Wired) -> None:
        origin = await on.server("db")
        log = await on.events()
        error = refused(await on.ops.post(f"/servers/{origin['id']}/actions", json=body), 400)["error"]
        assert error["field"] == field
        assert await on.events() == log

    tell(story)
