"""Plans that are carried out later: a verb with the token of a plan does that, or nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.cloud.model import GIB, Size
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

SMALL = {"cells": ("cell-1",), "hosts": 2, "capacity": Size(16_000, 64 * GIB)}
Body = dict[str, Any]


async def previewed(on: Wired, path: str, body: Body) -> Body:
    plan: Body = good(await on.ops.post(path, json={**body, "preview": True}))["plan"]
    return plan


async def agreed(on: Wired, path: str, body: Body) -> Body:
    """The action with the token of its preview."""
    token = (await previewed(on, path, body))["token"]
    assert token is not None
    return good(await on.ops.post(path, json={**body, "plan": token}), 202)


async def stale(on: Wired, path: str, body: Body, meanwhile: Callable[[], Awaitable[object]]) -> str:
    """What the action is refused with, after something has happened since its preview; it changes nothing."""
    token = (await previewed(on, path, body))["token"]
    await meanwhile()
    log = await on.events()
    error = refused(await on.ops.post(path, json={**body, "plan": token}), 409)["error"]
    assert error["code"] == "conflict", error
    assert await on.events() == log
    message: str = error["message"]
    return message


def of(kind: str, row: Body) -> str:
    return f"/{kind}s/{row['id']}/actions"


def test_every_verb_that_was_previewed_is_done_with_its_token(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server("web-01"), await on.drive("disk-01")
        await agreed(on, of("drive", drive), {"action": "attach", "server_id": server["id"]})
        assert (await agreed(on, of("server", server), {"action": "start"}))["server"]["state"] == "starting"
        await on.advance(10)
        await agreed(on, of("drive", drive), {"action": "clone", "name": "copy", "avoid": [drive["id"]]})
        await agreed(on, of("server", server), {"action": "shutdown"})
        await on.advance(60)
        await agreed(on, of("server", server), {"action": "start", "avoid": [server["id"]]})
        await on.advance(10)
        await agreed(on, of("server", server), {"action": "stop"})
        await on.advance(200)
        await agreed(on, of("drive", drive), {"action": "detach"})
        await agreed(on, of("drive", drive), {"action": "delete"})
        await agreed(on, of("server", server), {"action": "delete"})
        for action in ("fail", "recover", "drain", "evacuate", "recover"):
            await agreed(on, "/hosts/c1-h1/actions", {"action": action})
        await agreed(on, "/hosts/s1-1/actions", {"action": "fail"})
        assert (await agreed(on, "/cells/cell-2/actions", {"action": "down"}))["cell"]["state"] == "down"
        good(await on.ops.post("/cells/cell-2/actions", json={"action": "up"}), 202)
        assert (await agreed(on, "/cells/cell-2/actions", {"action": "hung"}))["cell"]["state"] == "hung"

    tell(story)


def test_a_start_that_would_go_elsewhere_now_is_refused_with_both_hosts(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01")
        said = await stale(on, of("server", server), {"action": "start"}, lambda: on.running("db", 4_000))
        assert said == "It would now start on c1-h2 instead of c1-h1. Nothing was done; look at the plan again."

    tell(story, **SMALL)


def test_a_start_that_would_stop_somebody_now_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("db", 16_000)
        server = await on.server("web-01", 16_000)
        said = await stale(
            on,
            of("server", server),
            {"action": "start"},
            lambda: on.running("render", 8_000, is_backfilling=True),
        )
        assert said.startswith("It would now stop 1 server to make room instead of 0.")

    tell(story, **SMALL)


def test_a_start_that_would_shrink_others_by_more_now_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        await on.running("db", 16_000)
        await on.running("render-1", 8_000, is_backfilling=True)
        server = await on.server("web-01", 10_000)
        plan = await previewed(on, of("server", server), {"action": "start"})
        assert [row["name"] for row in plan["shrinks"]] == ["render-1"]

        async def another() -> None:
            await on.running("small", 2_000, is_backfilling=True)

        said = await stale(on, of("server", server), {"action": "start"}, another)
        assert said.startswith("It would now shrink 2 servers instead of 1.")

    tell(story, **SMALL)


def test_an_object_that_has_changed_since_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server("web-01"), await on.drive("disk-01")

        def rename(kind: str, row: Body) -> Callable[[], Awaitable[object]]:
            return lambda: on.ops.post(of(kind, row), json={"action": "edit", "name": "another"})

        for kind, row, body in (
            ("server", server, {"action": "start"}),
            ("server", server, {"action": "delete"}),
            ("drive", drive, {"action": "attach", "server_id": server["id"]}),
            ("drive", drive, {"action": "clone"}),
            ("drive", drive, {"action": "delete"}),
        ):
            good(await on.ops.post(of(kind, row), json={"action": "edit", "name": "one"}), 202)
            said = await stale(on, of(kind, row), body, rename(kind, row))
            assert said.startswith("It has changed: the plan is of version "), said
        assert good(await on.ops.get(f"/drives/{drive['id']}"))["state"] == "unmounted"

    tell(story)


def test_a_deletion_that_would_leave_other_drives_behind_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server("web-01"), await on.drive("disk-01")
        attach = {"action": "attach", "server_id": server["id"]}
        said = await stale(
            on, of("server", server), {"action": "delete"}, lambda: on.ops.post(of("drive", drive), json=attach)
        )
        assert said.startswith("It would now part with 1 drive instead of 0.")
        assert good(await on.ops.get(f"/servers/{server['id']}"))["state"] == "stopped"
        await agreed(on, of("server", server), {"action": "delete"})

    tell(story)


def test_a_server_goes_with_its_drives_only_where_that_was_agreed_to(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server, drive, kept = await on.server("web-01"), await on.drive("disk-01"), await on.drive("disk-02")
        attach = {"action": "attach", "server_id": server["id"]}
        good(await on.ops.post(of("drive", drive), json=attach), 202)
        delete = {"action": "delete"}
        shown = await previewed(on, of("server", server), {**delete, "with_drives": True})
        assert shown["sentences"][1] == f"Its 1 drive and the data there go with it: {drive['id']}."

        body = {**delete, "plan": (await previewed(on, of("server", server), delete))["token"], "with_drives": True}
        said = refused(await on.ops.post(of("server", server), json=body), 409)["error"]["message"]
        assert said.startswith("It would now delete its drives too."), said
        refused(await on.ops.post(of("server", server), json={"action": "stop", "with_drives": True}), 400)
        good(await on.ops.post(of("drive", drive), json={"action": "clone"}), 202)
        busy = await previewed(on, of("server", server), {**delete, "with_drives": True})
        assert (busy["allowed"], busy["code"]) == (False, "wrong_state")
        await on.advance(600)

        await agreed(on, of("server", server), {**delete, "with_drives": True})
        refused(await on.ops.get(f"/servers/{server['id']}"), 404)
        refused(await on.ops.get(f"/drives/{drive['id']}"), 404)
        assert good(await on.ops.get(f"/drives/{kept['id']}"))["state"] == "unmounted"

    tell(story)


def test_a_clone_that_would_go_elsewhere_now_is_refused_and_reserves_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await on.drive("disk-01", 10)
        elsewhere = {"s1-1": "s1-2", "s1-2": "s1-1"}[drive["host"]]
        body = {"action": "clone", "avoid": [drive["id"]]}

        async def lose() -> None:
            good(await on.ops.post(f"/hosts/{elsewhere}/actions", json={"action": "fail"}), 202)

        said = await stale(on, of("drive", drive), body, lose)
        assert said.startswith(f"The copy would now go to {drive['host']} instead of {elsewhere}.")
        assert good(await on.ops.get("/drives"))["total"] == 1

    tell(story, **SMALL)


@pytest.mark.parametrize("action", ["fail", "drain"])
def test_a_host_whose_servers_would_fare_otherwise_now_is_refused(tell: Tell, action: str) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01", 4_000)
        other = {"c1-h1": "c1-h2", "c1-h2": "c1-h1"}[server["host"]]

        async def fill() -> None:
            assert (await on.running("db", 14_000))["host"] == other

        said = await stale(on, f"/hosts/{server['host']}/actions", {"action": action}, fill)
        assert said.startswith("It would still move or touch 1 server, but not the same.")
        assert good(await on.ops.get(f"/servers/{server['id']}"))["state"] == "running"

    tell(story, **SMALL)


def test_a_token_of_another_action_or_object_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        one, two = await on.running("web-01"), await on.running("web-02")
        token = (await previewed(on, of("server", one), {"action": "shutdown"}))["token"]
        for path, action, what in ((of("server", one), "stop", "action"), (of("server", two), "shutdown", "object")):
            error = refused(await on.ops.post(path, json={"action": action, "plan": token}), 409)["error"]
            assert error["message"].startswith(f"This is the plan of another {what}: ")
        host = (await previewed(on, "/hosts/s1-1/actions", {"action": "fail"}))["token"]
        error = refused(await on.ops.post(of("server", one), json={"action": "shutdown", "plan": host}), 409)["error"]
        assert error["code"] == "conflict"

    tell(story)


def token(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "plan",
    ["", "x", "é", "a" * 4000, token({}), token(["plan-2", {}]), token(["plan-1", []]), token(["plan-1", {"host": []}]),
     token(["plan-1"]), "=" * 9],
)  # fmt: skip
@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/servers/{server}/actions", "start"),
        ("/drives/{drive}/actions", "delete"),
        ("/drives/{drive}/actions", "clone"),
        ("/hosts/c1-h1/actions", "fail"),
        ("/cells/cell-1/actions", "down"),
        ("/groups/web/actions", "restore"),
    ],
)
def test_what_is_no_token_is_refused_with_a_sentence_and_changes_nothing(
    tell: Tell, path: str, action: str, plan: str
) -> None:
    async def story(on: Wired) -> None:
        server, drive = await on.server("web-01", tags=["group:web"]), await on.drive("disk-01")
        where = path.format(server=server["id"], drive=drive["id"])
        log = await on.events()
        error = refused(await on.ops.post(where, json={"action": action, "plan": plan}), 400)["error"]
        assert (error["code"], error["field"]) == ("invalid", "plan")
        assert "ask for a preview" in error["message"]
        assert await on.events() == log

    tell(story)


def test_a_token_has_no_place_in_a_preview_or_where_nothing_is_previewed(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01", tags=["group:web"])
        for path, body in (
            (of("server", server), {"action": "start", "preview": True}),
            (of("server", server), {"action": "edit", "name": "x"}),
            ("/hosts/c1-h1/actions", {"action": "fail", "preview": True}),
            ("/cells/cell-1/actions", {"action": "up"}),
            ("/cells/cell-1/actions", {"action": "down", "preview": True}),
            ("/groups/web/actions", {"action": "end"}),
            ("/groups/web/actions", {"action": "restore", "preview": True}),
        ):
            answer = await on.ops.post(path, json={**body, "plan": token(["plan-1", {}])})
            assert refused(answer, 400)["error"]["field"] == "plan"
        for path in ("/cells/cell-1/actions", "/groups/web/actions"):
            action = "up" if "cells" in path else "end"
            answer = await on.ops.post(path, json={"action": action, "preview": True})
            assert refused(answer, 400)["error"]["field"] == "preview"
        too_long = await on.ops.post(of("server", server), json={"action": "start", "plan": "a" * 5000})
        assert refused(too_long, 400)["error"]["code"] == "invalid"

    tell(story)


def test_a_plan_that_is_not_allowed_has_no_token(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.running("web-01")
        assert (await previewed(on, of("server", server), {"action": "start"}))["token"] is None
        assert (await previewed(on, "/hosts/c1-h1/actions", {"action": "recover"}))["token"] is None

    tell(story)


def test_a_repeated_request_with_its_token_gets_the_answer_of_the_first(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server("web-01")
        path = of("server", server)
        plan = (await previewed(on, path, {"action": "start"}))["token"]
        answers = [
            good(
                await on.ops.post(path, json={"action": "start", "plan": plan}, headers={"Idempotency-Key": "once"}),
                202,
            )
            for _ in range(2)
        ]
        assert answers[0]["task"]["id"] == answers[1]["task"]["id"]

    tell(story)
