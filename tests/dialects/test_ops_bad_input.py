"""Nothing wrong that is sent to `/ops/v1` changes anything, or is answered with a 5xx."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

ABSENT = "00000000-0000-4000-8000-000000000000"
SERVER = {"name": "web-01", "cpu_mhz": 2000, "memory_bytes": 4 * 2**30}
DRIVE = {"name": "disk-01", "size_bytes": 10 * 2**30}

WRITES: list[tuple[str, str, Any, int, str]] = [
    # Making a server
    ("POST", "/servers", None, 400, "invalid"),
    ("POST", "/servers", b"{", 400, "invalid"),
    ("POST", "/servers", b"\xff\xfe", 400, "invalid"),
    ("POST", "/servers", b"[" * 100_000, 400, "invalid"),
    ("POST", "/servers", b'{"name": "\\ud800", "cpu_mhz": 2000, "memory_bytes": 4294967296}', 400, "invalid"),
    ("POST", "/servers", [SERVER], 400, "invalid"),
    ("POST", "/servers", "web-01", 400, "invalid"),
    ("POST", "/servers", {**SERVER, "name": ""}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "name": "x" * 256}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "name": 7}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "colour": "red"}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": "2000"}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": True}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": 2000.5}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": -1}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": 249}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_mhz": 10**30}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "memory_bytes": 1}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "smp": 0}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cpu_floor": 1.5}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "meta": {"k" * 33: "v"}}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "meta": {"k": 1}}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "tags": ["x"] * 65}, 400, "invalid"),
    ("POST", "/servers", {**SERVER, "cell": "cell-99"}, 404, "not_found"),
    # Acting on one
    ("POST", f"/servers/{ABSENT}/actions", {"action": "start"}, 404, "not_found"),
    ("POST", "/servers/{server}/actions", {}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "explode"}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "stop"}, 409, "wrong_state"),
    ("POST", "/servers/{server}/actions", {"action": "start", "if_version": 99}, 409, "conflict"),
    ("POST", "/servers/{server}/actions", {"action": "start", "if_version": -1}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "start", "if_version": 2**70}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "start", "avoid": "a,b"}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "start", "name": "x"}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "delete", "avoid": ["x"]}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "edit", "preview": True}, 400, "invalid"),
    ("POST", "/servers/{server}/actions", {"action": "edit", "name": ""}, 400, "invalid"),
    # Drives
    ("POST", "/drives", {**DRIVE, "size_bytes": 1}, 400, "invalid"),
    ("POST", "/drives", {**DRIVE, "size_bytes": 2**62}, 400, "invalid"),
    ("POST", "/drives", {**DRIVE, "media": "tape"}, 400, "invalid"),
    ("POST", f"/drives/{ABSENT}/actions", {"action": "delete"}, 404, "not_found"),
    ("POST", "/drives/{drive}/actions", {"action": "attach"}, 400, "invalid"),
    ("POST", "/drives/{drive}/actions", {"action": "attach", "server_id": ABSENT}, 404, "not_found"),
    ("POST", "/drives/{drive}/actions", {"action": "detach", "device": "ide"}, 400, "invalid"),
    ("POST", "/drives/{drive}/actions", {"action": "delete", "if_version": 99}, 409, "conflict"),
    # The rest
    ("PUT", "/cells/cell-1/reachability", {"state": "sideways"}, 400, "invalid"),
    ("PUT", "/cells/cell-99/reachability", {"state": "down"}, 404, "not_found"),
    ("POST", "/cells/cell-99/ask", None, 404, "not_found"),
    ("PATCH", "/clock", {"mode": "rate"}, 400, "invalid"),
    ("PATCH", "/clock", {"mode": "manual", "rate": 2.0}, 400, "invalid"),
    ("PATCH", "/clock", {"rate": 0}, 400, "invalid"),
    ("PATCH", "/clock", {"rate": 1e30}, 400, "invalid"),
    ("POST", "/clock/advance", {"seconds": -1}, 400, "invalid"),
    ("POST", "/clock/advance", {"seconds": 1e12}, 400, "invalid"),
    ("POST", "/clock/advance", {"seconds": "60"}, 400, "invalid"),
    ("PATCH", "/accounts/nobody@example.org", {"may_backfill": True}, 404, "not_found"),
    ("PATCH", "/accounts/tenant@example.org", {"may_backfill": "yes"}, 400, "invalid"),
    ("PATCH", "/accounts/tenant@example.org", {"is_staff": True}, 400, "invalid"),
]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"cpu_mhz": 16_001}, "cpu_mhz"),
        ({"memory_bytes": 10**12}, "memory_bytes"),
        ({"cpu_mhz": 16_001, "cell": "cell-1"}, "cpu_mhz"),
        ({"cpu_floor": 0.5}, "cpu_floor"),
        ({"memory_floor": 0.5}, "memory_floor"),
        ({"cpu_floor": 0, "is_backfilling": True}, "cpu_floor"),
        ({"cpu_floor": 0.0004, "is_backfilling": True}, "cpu_floor"),
        ({"memory_floor": 1.001, "is_backfilling": True}, "memory_floor"),
    ],
)
def test_a_server_that_no_host_could_hold_or_with_a_floor_that_is_none_is_not_made(
    tell: Tell, sent: dict[str, Any], field: str
) -> None:
    async def story(on: Wired) -> None:
        before = await on.events()

        answer = await on.ops.post("/servers", json={"name": "x", "cpu_mhz": 2000, "memory_bytes": 2**30, **sent})

        assert refused(answer, 400)["error"]["field"] == field
        assert await on.events() == before

    tell(story)


def test_a_bad_write_is_refused_by_name_and_leaves_the_event_log_as_it_was(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        names = {"server": (await on.server())["id"], "drive": (await on.drive())["id"]}
        before = await on.events()
        for method, path, body, status, code in WRITES:
            content = {"content": body} if isinstance(body, bytes) else {"json": body}
            target = path.replace("{server}", names["server"]).replace("{drive}", names["drive"])

            answer = await on.ops.request(method, target, **content)

            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (
                method,
                path,
                body,
                answer.text,
            )
            assert await on.events() == before, (method, path, body)

    tell(story)


READS = [
    ("/servers?limit=0", 400),
    ("/servers?limit=1001", 400),
    ("/servers?limit=ten", 400),
    ("/servers?sort=colour", 400),
    ("/servers?order=up", 400),
    ("/servers?state=flying", 400),
    ("/servers?colour=red", 400),
    ("/servers?after=nonsense", 400),
    ("/servers?after=%00", 400),
    ("/servers?after=W10", 400),
    ("/servers?cell=cell-99", 404),
    (f"/servers/{ABSENT}", 404),
    (f"/drives/{ABSENT}", 404),
    ("/drives?after=nonsense", 400),
    ("/changes", 400),
    ("/changes?after=nonsense", 400),
    ("/changes?after=%C3%A9", 400),
    ("/changes?after=eyJjbG91ZCI6LTF9", 400),
    ("/changes?after=eyJjbG91ZCI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5fQ", 400),
    ("/changes?after=eyJjbG91ZCI6dHJ1ZX0", 400),
    ("/changes?after=eyJjbG91ZCI6OTIyMzM3MjAzNjg1NDc3NTgwOH0", 400),
    ("/changes?after=e30&wait_seconds=26", 400),
    ("/changes?after=e30&wait_seconds=-1", 400),
    ("/changes?after=e30&wait_seconds=nan", 400),
    ("/events?limit=0", 400),
    ("/events?after=nonsense", 400),
    ("/events?after=e30&object=x", 400),
    ("/events?until=yesterday", 400),
    ("/events?until=", 400),
    ("/events?until=2026-11-20T25:00:00Z", 400),
    ("/events?until=0001-01-01T00:00:00%2B23:00", 400),
    ("/events?until=2026-11-20T12:00:00Z,cell-1", 400),
    ("/events?until=2026-11-20T12:00:00Z,cell-1,-1", 400),
    ("/events?until=2026-11-20T12:00:00Z,cell-1,9223372036854775808", 400),
    ("/events?since=2026-11-20T12:00:00Z,,7", 400),
    ("/events?until=2026-11-20T12:00:00Z&since=2026-11-20T12:00:00Z", 400),
    ("/events?until=2026-11-20T12:00:00Z&after=e30", 400),
    ("/tasks?state=half", 400),
]


def test_a_bad_question_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for path, status in READS:
            answer = await on.ops.get(path)
            assert answer.status_code == status, (path, answer.status_code, answer.text)

    tell(story)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é"])
def test_an_idempotency_key_must_be_short_printable_ascii(tell: Tell, key: str) -> None:
    async def story(on: Wired) -> None:
        answer = await on.ops.post("/servers", json=SERVER, headers=[(b"Idempotency-Key", key.encode())])

        assert refused(answer, 400)["error"]["field"] == "Idempotency-Key"

    tell(story)


def test_a_problem_is_told_under_the_name_that_the_client_used(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        missing = refused(await on.ops.post("/servers", json={"name": "x", "cpu_mhz": 2000}), 400)
        too_small = refused(await on.ops.post("/servers", json={**SERVER, "cpu_mhz": 1}), 400)
        nested = refused(await on.ops.post("/servers", json={**SERVER, "tags": ["ok", 7]}), 400)

        assert missing["error"]["field"] == "memory_bytes"
        assert too_small["error"]["field"] == "cpu_mhz"
        assert nested["error"]["field"] == "tags.1"

    tell(story)


STAFF_ONLY = [
    ("GET", "/hosts", None),
    ("GET", "/capacity", None),
    ("GET", "/accounts", None),
    ("PATCH", "/accounts/tenant@example.org", {"may_backfill": True}),
    ("PATCH", "/clock", {"mode": "manual"}),
    ("POST", "/clock/advance", {"seconds": 1}),
    ("PUT", "/cells/cell-1/reachability", {"state": "down"}),
    ("POST", "/cells/cell-1/ask", None),
]


def test_what_is_for_staff_is_refused_to_others_and_does_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        before = await on.events(), good(await on.ops.get("/clock"))
        for method, path, body in STAFF_ONLY:
            answer = await on.tenant_ops.request(method, path, json=body)
            assert refused(answer, 403)["error"]["code"] == "forbidden", path

        assert (await on.events(), good(await on.ops.get("/clock"))) == before

    tell(story)


def test_another_projects_server_is_not_there(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        server = await on.server()
        before = await on.events()

        for method, path, body in [
            ("GET", f"/servers/{server['id']}", None),
            ("POST", f"/servers/{server['id']}/actions", {"action": "start"}),
            ("POST", f"/servers/{server['id']}/actions", {"action": "start", "preview": True}),
            ("POST", f"/servers/{server['id']}/actions", {"action": "delete"}),
        ]:
            answer = await on.tenant_ops.request(method, path, json=body)
            assert refused(answer, 404)["error"]["code"] == "not_found", (method, path)
        page = good(await on.tenant_ops.get("/servers", params={"ids": server["id"]}))

        assert page["servers"] == []
        assert await on.events() == before

    tell(story)
