"""Drives through `/ops/v1`: clones with their progress, and what an action would come to."""

from __future__ import annotations

import pytest

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused


def test_a_clone_says_where_it_goes_how_fast_and_how_far_it_is(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        source = await on.drive("data", 10)
        path = f"/drives/{source['id']}/actions"
        plan = good(await on.ops.post(path, json={"action": "clone", "avoid": [source["id"]], "preview": True}))["plan"]
        assert plan["allowed"] is True
        begun = good(await on.ops.post(path, json={"action": "clone", "avoid": [source["id"]], "name": "copy"}), 202)
        copy, task = begun["drive"], begun["task"]
        assert (copy["name"], copy["state"]) == ("copy", "cloning_dst")
        assert plan["sentences"] == [
            f"The copy of data goes to {copy['host']} over the network.",
            "10.0 GiB at 0.17 GiB/s take 59 s.",
        ]
        assert (task["kind"], task["object_name"], task["progress"]) == ("clone", "copy", 0.0)
        await on.advance(29.5)
        [open_task] = [
            task
            for task in good(await on.ops.get("/tasks", params={"state": "open"}))["tasks"]
            if task["kind"] == "clone"
        ]
        assert open_task["progress"] == 0.5
        await on.advance(30)
        assert good(await on.ops.get(f"/drives/{copy['id']}"))["state"] == "unmounted"

    tell(story)


def test_a_clone_with_a_key_is_made_once(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        source = await on.drive("data", 10)
        ids = {
            good(
                await on.ops.post(
                    f"/drives/{source['id']}/actions", json={"action": "clone"}, headers={"Idempotency-Key": "once"}
                ),
                202,
            )["drive"]["id"]
            for _ in range(2)
        }
        assert len(ids) == 1
        assert good(await on.ops.get("/drives"))["total"] == 2

    tell(story)


def test_previews_of_drive_actions_say_what_the_actions_then_do(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive, server, other = await on.drive("data"), await on.server("db"), await on.server("other")
        path = f"/drives/{drive['id']}/actions"
        steps = (
            ({"action": "detach"}, False, "Cannot detach drive"),
            ({"action": "attach", "server_id": server["id"]}, True, "data is attached to db."),
            ({"action": "attach", "server_id": other["id"]}, False, "Cannot attach drive"),
            ({"action": "delete"}, False, "Cannot delete drive"),
            ({"action": "detach"}, True, "data is detached from db and keeps its data."),
            ({"action": "delete"}, True, "data is deleted with its data, and cannot be brought back."),
        )
        for body, is_allowed, sentence in steps:
            log = await on.events()
            plan = good(await on.ops.post(path, json={**body, "preview": True}))["plan"]
            assert plan["allowed"] is is_allowed, body
            assert plan["sentences"][0].startswith(sentence)
            assert await on.events() == log
            answer = await on.ops.post(path, json=body)
            assert answer.status_code == (202 if is_allowed else 409), answer.text

    tell(story)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "detach", "avoid": ["x"]}, "avoid"),
        ({"action": "clone", "meta": {}}, "action"),
        ({"action": "clone", "server_id": "x"}, "action"),
        ({"action": "edit", "name": "x", "preview": True}, "preview"),
        ({"action": "clone", "avoid": ["x"] * 1001}, "avoid"),
        ({"action": "clone", "name": ""}, "name"),
    ],
)
def test_what_does_not_belong_to_an_action_is_refused(tell: Tell, body: dict[str, object], field: str) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive("data")
        log = await on.events()
        error = refused(await on.ops.post(f"/drives/{drive['id']}/actions", json=body), 400)["error"]
        assert field in error["message"]
        assert await on.events() == log

    tell(story)
