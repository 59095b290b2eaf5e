"""Hosts through `/ops/v1`: lose, recover, drain, evacuate, and what each would come to."""

from __future__ import annotations

import pytest

from backend.cloud.model import GIB, Size
from backend.dialects.ops.plans import does
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

SMALL = {"cells": ("cell-1",), "hosts": 2, "capacity": Size(16_000, 64 * GIB)}


def test_a_host_is_lost_and_taken_back(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01")
        host = server["host"]
        lost = good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "fail"}), 202)
        assert (lost["host"]["state"], lost["task"]) == ("down", None)
        found = good(await on.ops.get(f"/servers/{server['id']}"))
        assert (found["state"], found["reason"], found["lost_from"]) == ("unavailable", "host_lost", "running")
        [task] = good(await on.ops.get("/tasks", params={"state": "open"}))["tasks"]
        assert (task["kind"], task["object_kind"], task["object_name"]) == ("relocate", "host", host)
        back = good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "recover"}), 202)
        assert back["host"]["state"] == "up"
        assert back["host"]["version"] > lost["host"]["version"]
        assert good(await on.ops.get(f"/servers/{server['id']}"))["state"] == "running"

    tell(story)


@pytest.mark.parametrize(("count", "shown"), [(0, "0 servers go"), (1, "1 server goes"), (2, "2 servers go")])
def test_one_thing_does_and_several_do(count: int, shown: str) -> None:
    assert does(count, "server", "go", "goes") == shown


def test_one_server_goes_on_where_it_was(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01")
        path = f"/hosts/{server['host']}/actions"
        drain = good(await on.ops.post(path, json={"action": "drain", "preview": True}))["plan"]
        assert drain["sentences"][0].endswith("its 1 server goes on running.")
        good(await on.ops.post(path, json={"action": "fail"}), 202)
        back = good(await on.ops.post(path, json={"action": "recover", "preview": True}))["plan"]
        assert back["sentences"][-1] == "1 server goes on where it was."

    tell(story)


def test_an_evacuation_shows_its_plan_and_then_follows_it(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        stays = await on.running("large", 14_000)
        moves = await on.running("small", 4_000)
        other = await on.running("render", 12_000, is_backfilling=True)
        assert stays["host"] != moves["host"] == other["host"]
        host = moves["host"]
        plan = good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "drain", "preview": True}))["plan"]
        assert plan["allowed"] is True
        assert [(move["name"], move["outcome"]) for move in plan["moves"]] == [("small", "stays"), ("render", "stays")]
        assert plan["moves"][0]["problem"] == "No host has room for server small (1 in maintenance, 1 short of CPU)."
        assert plan["sentences"][0] == f"{host} takes no more placements; its 2 servers go on running."

        drained = good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "drain"}), 202)
        assert drained["host"]["state"] == "maintenance"
        good(await on.ops.post(f"/servers/{stays['id']}/actions", json={"action": "stop"}), 202)
        await on.advance(5)
        plan = good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "evacuate", "preview": True}))["plan"]
        assert [(move["name"], move["outcome"], move["to"]) for move in plan["moves"]] == [
            ("small", "moves", stays["host"]),
            ("render", "moves", stays["host"]),
        ]
        begun = good(
            await on.ops.post(
                f"/hosts/{host}/actions", json={"action": "evacuate", "if_version": drained["host"]["version"]}
            ),
            202,
        )
        assert (begun["task"]["kind"], begun["task"]["progress"]) == ("evacuate", 0.0)
        await on.advance(plan["seconds"] + 10)
        assert {row["host"] for row in good(await on.ops.get("/servers"))["servers"]} == {None, stays["host"]}

    tell(story, **SMALL)


def test_the_preview_of_a_loss_names_who_is_stopped_elsewhere(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("db", 16_000)
        victim = await on.running("render", 16_000, is_backfilling=True)
        path = f"/hosts/{server['host']}/actions"
        plan = good(await on.ops.post(path, json={"action": "fail", "preview": True}))["plan"]
        [move] = plan["moves"]
        assert (move["outcome"], move["to"], [stop["name"] for stop in move["stops"]]) == (
            "moves",
            victim["host"],
            ["render"],
        )
        assert plan["sentences"][-1] == "1 backfilling server elsewhere will be stopped to make room."
        assert good(await on.ops.get(f"/servers/{server['id']}"))["state"] == "running"
        assert good(await on.ops.get(f"/servers/{victim['id']}"))["notice_until"] is None

    tell(story, **SMALL)


@pytest.mark.parametrize(
    ("host", "body", "status", "message"),
    [
        ("c1-h9", {"action": "fail"}, 404, "There is no host c1-h9."),
        ("c1-h1", {"action": "recover"}, 409, "it is up"),
        ("c1-h1", {"action": "evacuate"}, 409, "it is up, and should be maintenance"),
        ("c1-h1", {"action": "fail", "if_version": 7}, 409, "you saw version 7"),
        ("c1-h1", {"action": "explode"}, 400, "action"),
        ("c1-h1", {}, 400, "action"),
        ("c1-h1", {"action": "fail", "force": True}, 400, "force"),
        ("c1-h1", {"action": "fail", "if_version": "1"}, 400, "if_version"),
        ("%00", {"action": "fail"}, 404, "There is no host"),
    ],
)
def test_what_cannot_be_done_to_a_host_is_refused_and_changes_nothing(
    tell: Tell, host: str, body: dict[str, object], status: int, message: str
) -> None:
    async def story(on: Wired) -> None:
        log = await on.events()
        error = refused(await on.ops.post(f"/hosts/{host}/actions", json=body), status)["error"]
        assert message in error["message"]
        assert await on.events() == log

    tell(story)


def test_a_plan_that_would_be_refused_says_so(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for body, code in (({"action": "recover"}, "wrong_state"), ({"action": "fail", "if_version": 9}, "conflict")):
            plan = good(await on.ops.post("/hosts/c1-h1/actions", json={**body, "preview": True}))["plan"]
            assert (plan["allowed"], plan["code"], plan["moves"]) == (False, code, [])
            assert plan["sentences"] == [plan["problem"]]

    tell(story)


def test_only_staff_acts_on_hosts(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        error = refused(await on.tenant_ops.post("/hosts/c1-h1/actions", json={"action": "fail"}), 403)["error"]
        assert error["code"] == "forbidden"

    tell(story)


def test_a_host_of_a_silent_cell_is_not_acted_on(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.break_cell("cell-2")
        for preview in (True, False):
            body = {"action": "fail", "preview": preview}
            assert refused(await on.ops.post("/hosts/c2-h1/actions", json=body), 503)["error"]["code"] == "unreachable"

    tell(story)


def test_the_same_key_fails_a_host_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for _ in range(2):
            answer = await on.ops.post(
                "/hosts/c1-h1/actions", json={"action": "fail"}, headers={"Idempotency-Key": "once"}
            )
            assert good(answer, 202)["host"]["state"] == "down"
        kinds = [event["kind"] for event in await on.events()]
        assert kinds.count("host.down") == 1

    tell(story)
